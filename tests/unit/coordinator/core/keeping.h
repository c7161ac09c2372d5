/* keeping.h - a fake world whose workers keep copies: three of them, of which
 * jobs take one or two. */
#ifndef TESTS_UNIT_COORDINATOR_CORE_KEEPING_H
#define TESTS_UNIT_COORDINATOR_CORE_KEEPING_H

#include "tests/unit/coordinator/core/fakeworld.h"

int three_that_keep(void **state); /* setup of a test, at 1,000 ms */

/* The usual job on so many workers, and on until it runs. */
void launch(struct fakeworld *w, uint32_t workers);
/* On two workers, and on until it is so many intervals beyond a point. */
void launch_beyond_point(struct fakeworld *w, uint64_t intervals);

/* Until the job has a complete point newer than interval. */
void run_until_kept(struct fakeworld *w, uint64_t interval);
/* Until so many intervals are reported. */
void run_to_interval(struct fakeworld *w, uint64_t interval);

/* Before anything else that is on its way. */
void lose_now(struct fakeworld *w, uint32_t worker);

/* Workers that were told to begin at a point. */
uint32_t from_point(const struct fakeworld *w);

/* The whole run, whatever happens on its way: what it decided. */
void assert_same_end(struct fakeworld *w);

#endif /* TESTS_UNIT_COORDINATOR_CORE_KEEPING_H */
