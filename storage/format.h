/* format.h - the number that says how the databases are laid out.
 *
 * Checked before anything else is opened, so that a store of another release
 * is left as it is. */
#ifndef STORAGE_FORMAT_H
#define STORAGE_FORMAT_H

#include "storage/kv.h"

/* Raised by every change to keys.h, seal.h or what a record holds. */
enum { FORMAT_NUMBER = 1 };

/* Writes the number into a new store, or reads it. UNSUPPORTED, with one
 * sentence in options->why: it is another, or there is none. */
enum status format_check(struct kv_txn *txn,
                         const struct kv_options *options,
                         bool is_new) MUST_CHECK;

#endif /* STORAGE_FORMAT_H */
