/* keys.h - the keys of every database of the store.
 *
 * A key is one or two big-endian numbers, so that memcmp order is numeric
 * order on every machine; a ref ends in its name, a chunk is its hash:
 *
 *     jobs points                       | job 8 |
 *     journal events ref_log            | job 8 | sequence 8 |   from 1
 *     versions summaries dropped        | job 8 | number 8 |     from 1
 *     stats                             | job 8 | key 8 |
 *     refs                              | job 8 | name, 1 to 63 |
 *     chunks                            | BLAKE2b-256, 32 |
 *     meta counters                     | name, 1 to 63 |
 *
 * All records of a job are neighbours, and its newest is the last of them.
 * The layout is the format of the store: see format.h before changing it. */
#ifndef STORAGE_KEYS_H
#define STORAGE_KEYS_H

#include "base/hash.h"
#include "base/limits.h"
#include <stddef.h>
#include <stdint.h>

enum {
    KEY_NUMBER_BYTES = 8,
    /* job and name, the longest; LMDB takes 511 at most */
    KEY_BYTES_MAX = KEY_NUMBER_BYTES + NAME_BYTES_MAX
};

struct key {
    unsigned char b[KEY_BYTES_MAX];
    size_t size; /* 0 .. KEY_BYTES_MAX; 0 only as the prefix of all keys */
};

struct key key_of_job(uint64_t job);
struct key key_of_pair(uint64_t job, uint64_t number);
/* name: 1 .. NAME_BYTES_MAX - 1 bytes, which the caller has checked. */
struct key key_of_ref(uint64_t job, const char *name);
struct key key_of_name(const char *name);
struct key key_of_hash(const struct hash *hash);

/* The number that starts at byte at; 0 where the key ends before its end,
 * which only a damaged store can show. */
uint64_t key_number(const struct key *key, size_t at);

#endif /* STORAGE_KEYS_H */
