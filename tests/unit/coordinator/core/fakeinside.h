/* fakeinside.h - what fakeworld.h is made of: the workers (fakeworkers.c) and
 * the store in memory (fakestore.c), for those files and fakeworld.c alone. */
#ifndef TESTS_UNIT_COORDINATOR_CORE_FAKEINSIDE_H
#define TESTS_UNIT_COORDINATOR_CORE_FAKEINSIDE_H

#include "tests/unit/coordinator/core/fakeworld.h"

/* A new event, behind all others. */
struct fake_event *fake_queue(struct fakeworld *w);

/* A message to a worker, which answers. */
void fake_send(struct fakeworld *w, uint32_t peer, const struct wire *message);

/* The store carries out an action, and answers unless it is told not to. */
void fake_point(struct fakeworld *w, const struct action *action);
void fake_restore(struct fakeworld *w, const struct action *action);
void fake_load(struct fakeworld *w, const struct action *action);
void fake_journal(struct fakeworld *w, const struct action *action);
void fake_check(struct fakeworld *w, const struct action *action);

/* A version as a cut tells of it, in memory of its own. */
struct version *fake_version(struct fakeworld *w,
                             const struct job *job,
                             const struct cut *cut);
void fake_keep(struct fakeworld *w, struct version *v);
void fake_free_version(struct version *v);

#endif /* TESTS_UNIT_COORDINATOR_CORE_FAKEINSIDE_H */
