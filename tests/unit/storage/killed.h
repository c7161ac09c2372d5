/* killed.h - a process that commits for ever, and is killed wherever it is. */
#ifndef TESTS_UNIT_STORAGE_KILLED_H
#define TESTS_UNIT_STORAGE_KILLED_H

#include "tests/unit/storage/fixture.h"

/* Commits 1, 2, 3 and so on, writes the number of each, a uint64_t, to told
 * once it is acknowledged, and does not come back. */
typedef void killed_fn(struct fixture *f, int told);

/* Lets a child do so until so many are acknowledged, kills it, and returns the
 * newest that it has acknowledged. */
uint64_t killed_after(struct fixture *f, killed_fn *go_on, int commits);

#endif /* TESTS_UNIT_STORAGE_KILLED_H */
