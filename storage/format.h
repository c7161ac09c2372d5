/* format.h - the number that says how the databases are laid out.
 *
 * Checked before anything else is opened, so that a store of a newer release
 * is left as it is. An older one is brought up step by step, each from one
 * number to the next, all in the transaction that opens the databases: the
 * store is of the old format or of the new one, whatever happens.
 *
 *     1   the first
 *     2   "dropped": what gc has taken away, so that a version's number still
 *         has a meaning; manifests are packed (packing.h; those of format 1 are
 *         read as they are); "points", which a release of format 1 made too;
 *         meta "release": who wrote this format
 *     3   "tails": the ends of chunks (tails.h; chunks of earlier formats have
 *         none and are read as they are) */
#ifndef STORAGE_FORMAT_H
#define STORAGE_FORMAT_H

#include "storage/kv.h"

/* Raised by every change to keys.h, seal.h or what a record holds; then a step
 * from the number before is due in format.c. */
enum { FORMAT_NUMBER = 3 };

/* Writes the number into a new store, or reads it. UNSUPPORTED, with one
 * sentence in options->why: it is a newer release's, there is none, or an
 * upgrade is due and the store is opened to be read only. */
enum status format_check(struct kv_txn *txn,
                         const struct kv_options *options,
                         bool is_new,
                         uint32_t *out_format) MUST_CHECK;

/* From `format` to FORMAT_NUMBER; all databases are open. */
enum status format_upgrade(struct kv_txn *txn, uint32_t format) MUST_CHECK;

/* One step of any upgrade; the databases of both formats are open. */
typedef enum status format_step_fn(struct kv_txn *txn);

/* steps[i] leads from i + 1 to i + 2. Runs those from `from` to `to` and then
 * writes the number. CHECK: 1 <= from <= to. */
enum status format_run(struct kv_txn *txn,
                       format_step_fn *const *steps,
                       uint32_t from,
                       uint32_t to) MUST_CHECK;

#endif /* STORAGE_FORMAT_H */
