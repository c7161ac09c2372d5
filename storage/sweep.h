/* sweep.h - takes back the chunks that no version names any more.
 *
 *   writer   sweep_open     from here on it is noted what is touched
 *   any      sweep_mark ... until done: what the versions name
 *   writer   sweep_count or sweep_delete ... until done, in small steps
 *   writer   sweep_close
 *
 * A chunk goes only if no manifest names it and it is not young: put, or named
 * by a new manifest, since the sweep was opened or since store_young_floor.
 * So neither a version that is committed meanwhile nor a cut under way loses
 * anything, and nobody waits: each call holds its transaction for some
 * milliseconds. "writer" is the thread that writes to the store; the calls of
 * one sweep come one after the other, whatever their threads. */
#ifndef STORAGE_SWEEP_H
#define STORAGE_SWEEP_H

#include "storage/store.h"

struct sweep;

/* Versions that are to be held for gone, for a look at what would be free. */
typedef bool sweep_skip_fn(void *owner, uint64_t job, uint64_t number);

/* skip may be NULL. CONFLICT: another one is open. NO_MEMORY. */
enum status sweep_open(struct store *store,
                       sweep_skip_fn *skip,
                       void *owner,
                       struct sweep **out) MUST_CHECK;
void sweep_close(struct sweep *sweep); /* accepts NULL */

/* CORRUPT: a manifest cannot be read, so that nobody knows what it names:
 * nothing may be swept then. */
enum status sweep_mark(struct sweep *sweep, bool *out_done) MUST_CHECK;

/* After the marking. One step of looking, or of deleting. FULL: LMDB needs
 * free pages even to delete. */
enum status sweep_count(struct sweep *sweep, bool *out_done) MUST_CHECK;
enum status sweep_delete(struct sweep *sweep, bool *out_done) MUST_CHECK;

struct sweep_result {
    uint64_t chunks; /* that would go, or have gone */
    uint64_t bytes;
    uint64_t young_chunks; /* spared, though no version names them */
};
const struct sweep_result *sweep_result(const struct sweep *sweep);

#endif /* STORAGE_SWEEP_H */
