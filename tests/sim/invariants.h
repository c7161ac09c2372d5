/* invariants.h - what must be true of every run, and is looked at all the time.
 *
 *  1. A shard is computed by one process in a term; all assignments of a term
 *     say the same.
 *  2. Nothing is replied or told before it is durable: a launch, a version, a
 *     restore, a setting, a state of rest. A grant that carries a person's
 *     setting is sent when that is durable.
 *  3. A decision taken again is the same decision: all grants sent for an
 *     interval of a line, and all records of it in the journal. So are the
 *     figures of an interval.
 *  4. A version number never has two contents; no committed version is lost;
 *     the head never goes back.
 *  5. Grants of a term are sent to each worker one after the other; terms rise.
 *  6. Only peers that have been there are spoken to.
 *  7. Steps and examples follow one another in each shard (shard.c).
 *  8. The core's own figures fit each other.
 *
 * That the job ends, and ends as an undisturbed one, is trial.h's. */
#ifndef TESTS_SIM_INVARIANTS_H
#define TESTS_SIM_INVARIANTS_H

#include "tests/sim/center.h"
#include "tests/sim/disk.h"
#include "tests/sim/session.h"

enum { INTERVALS_MAX = 256, SIM_LINES_MAX = 64 };

/* Figures by interval, whatever the line: for the comparison of two runs. */
struct figures {
    uint64_t by_interval[INTERVALS_MAX];
};

void invariants_open(struct world *w);
void invariants_close(struct world *w);

/* After every event. */
void invariants_check(struct world *w);

/* What the interval decides: everything but term, line, version and hold. */
uint64_t invariants_digest(const struct grant *grant);

/* --- What the coordinator says --- */

void invariants_send(struct world *w,
                     uint32_t number,
                     const struct center_peer *peer,
                     const struct wire *message);
void invariants_reply(struct world *w, const struct action *action);
void invariants_event(struct world *w, const struct action *action);
void invariants_stat(struct world *w, const struct interval_stat *stat);

/* --- What becomes durable --- */

void invariants_record(struct world *w, const struct job_record *record);
void invariants_journal(struct world *w, const struct journal_entry *entry);
void invariants_version_again(struct world *w,
                              const struct version *kept,
                              const struct version *again);

/* --- What workers do --- */

void invariants_run(struct world *w,
                    const struct session *session,
                    const struct sched_run *run);

const struct figures *invariants_figures(const struct world *w);

#endif /* TESTS_SIM_INVARIANTS_H */
