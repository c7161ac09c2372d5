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
 *  9. A shard that is restored from a copy is what it was at that boundary.
 * 10. Nothing begins at a point, or lets older copies go, before the point is
 *     durable, and with it all that the grants up to it set.
 * 11. A replay begins at its closed state, and counts no more steps.
 * 12. A move repeats no step, and nothing goes on in the term that it left.
 * 13. A cordoned worker gets no job that it does not have; a drained one hosts
 *     nothing.
 * 14. A replay never gives other bits.
 *
 * That the job ends, and ends as an undisturbed one, is trial.h's. */
#ifndef TESTS_SIM_INVARIANTS_H
#define TESTS_SIM_INVARIANTS_H

#include "tests/sim/center.h"
#include "tests/sim/disk.h"
#include "tests/sim/session.h"

enum { INTERVALS_MAX = 256, SIM_LINES_MAX = 16 };

/* How often what is looked for has been there to be seen. */
struct tally {
    uint64_t points; /* durable */
    uint64_t copies; /* shards restored from copies */
    uint64_t moves;  /* completed */
    uint64_t drains; /* answered as done */
};

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
void invariants_stat(struct world *w,
                     uint32_t which,
                     const struct interval_stat *stat);

/* --- What becomes durable --- */

void invariants_record(struct world *w,
                       uint32_t which,
                       const struct job_record *record);
void invariants_journal(struct world *w,
                        const struct ledger *d,
                        uint32_t which,
                        const struct journal_entry *entry);
void invariants_point(struct world *w,
                      uint32_t which,
                      const struct version *point);
void invariants_version_again(struct world *w,
                              const struct version *kept,
                              const struct version *again);

/* A closed state has been read, for the job to go on from. */
void invariants_loaded(struct world *w, uint32_t which);

/* --- What workers do --- */

void invariants_run(struct world *w,
                    const struct session *session,
                    const struct sched_run *run);

/* The worker is cordoned: it keeps what it has, or is just to get. */
void invariants_cordoned(struct world *w, uint32_t host);

/* A copy is made of what the shard is now. */
void invariants_kept(struct world *w,
                     const struct session *session,
                     const struct holding_key *key,
                     const struct shard_state *state);
/* The shard is what a copy says. */
void invariants_restored(struct world *w,
                         const struct session *session,
                         const struct shard *shard);

/* Has the coordinator had all reports of this interval, on this line? */
bool invariants_has_reported(const struct world *w,
                             const struct session *session,
                             uint64_t interval);

const struct figures *invariants_figures(const struct world *w, uint32_t which);
/* What was said of a number that is not finite; "": nothing. */
const char *invariants_overflow(const struct world *w, uint32_t which);
const struct tally *invariants_tally(const struct world *w);

#endif /* TESTS_SIM_INVARIANTS_H */
