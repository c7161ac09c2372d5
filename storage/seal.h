/* seal.h - the short hash that a record carries in front of its bytes.
 *
 * It covers the database, the key and the bytes, so that a record which was
 * damaged, or which stands under another's key, is known when it is read.
 * 8 bytes of BLAKE2b guard against accidents; against a person who can write
 * the file nothing here would. */
#ifndef STORAGE_SEAL_H
#define STORAGE_SEAL_H

#include "storage/keys.h"
#include <stdbool.h>
#include <stddef.h>

enum { SEAL_BYTES = 8 };

struct seal {
    unsigned char b[SEAL_BYTES];
};

/* db: the database's number, below 256. */
struct seal seal_of(unsigned db,
                    const struct key *key,
                    const void *bytes,
                    size_t size);

/* sealed: a seal and then the bytes that it is for. */
bool seal_matches(unsigned db,
                  const struct key *key,
                  const void *sealed,
                  size_t sealed_size);

#endif /* STORAGE_SEAL_H */
