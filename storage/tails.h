/* tails.h - a chunk whose last page would be nearly empty is kept in two parts.
 *
 * LMDB gives a value of more than about 2 kB whole pages of its own, 16 bytes
 * of which are a header. Tensors love powers of two: 64 kB would take 17 pages
 * of 4 kB, the last with 16 bytes in it. So what would go into that page lies
 * in "tails" under the same hash, among other small records, and "chunks" has
 * pages that are full. Chunks of an earlier format have no tail and are read
 * as they are: a tail is looked for only behind full pages, and the hash of the
 * chunk covers both. */
#ifndef STORAGE_TAILS_H
#define STORAGE_TAILS_H

#include "storage/kv.h"

enum {
    TAIL_PAGE_BYTES = 4096,
    TAIL_PAGE_HEADER_BYTES = 16,
    /* Longer ones would get a page of their own again. */
    TAIL_BYTES_MAX = 1900
};

/* So many of a chunk's bytes lie in "chunks"; the rest, if any, is its tail. */
size_t tails_cut(size_t size);

/* A chunk as it lies there. */
struct chunk_parts {
    struct kv_value head;
    struct kv_value tail; /* size 0: none */
    size_t size;          /* of both */
};

/* The tail to a head that was found. As kv_get, without NOT_FOUND. */
enum status tails_follow(struct kv_txn *txn,
                         const struct key *key,
                         const struct kv_value *head,
                         struct chunk_parts *out) MUST_CHECK;
/* Both. As kv_get. */
enum status tails_find(struct kv_txn *txn,
                       const struct key *key,
                       struct chunk_parts *out) MUST_CHECK;

/* Puts or replaces both; deletes both (NOT_FOUND: there is no head). */
enum status tails_put(struct kv_txn *txn,
                      const struct key *key,
                      const void *bytes,
                      size_t size) MUST_CHECK;
enum status tails_delete(struct kv_txn *txn, const struct key *key) MUST_CHECK;

#endif /* STORAGE_TAILS_H */
