/* disk.h - the store behind the coordinator, on a disk with its own mind.
 *
 * What is written waits its turn, is written in groups, takes time and may
 * fail as a whole. Only what is durable can be read. When the coordinator
 * dies, what was acknowledged stays, of the group under way a prefix, and
 * nothing of what waited. What is durable stays, to be looked at by the
 * invariants and compared with another run. */
#ifndef TESTS_SIM_DISK_H
#define TESTS_SIM_DISK_H

#include "coordinator/core/event.h"
#include "proto/version.h"
#include "tests/sim/shard.h"

enum { VERSIONS_MAX = 512, JOURNAL_MAX = 2048 };

struct journal_entry {
    uint32_t line;
    uint64_t interval;
    uint64_t digest; /* of the grant's decisions */
    uint64_t reports_hash;
    uint32_t settings_count;
    struct grant_setting settings[GRANT_SETTINGS_MAX];
};

/* Of one job. */
struct ledger {
    bool has_record;
    struct job_record record;
    struct version *versions[VERSIONS_MAX]; /* by number; kept for good */
    struct version *point;                  /* without shards; or NULL */
    uint32_t journal_count;
    struct journal_entry journal[JOURNAL_MAX];
    bool journal_lost; /* the disk has not taken some of it */
    /* Nor does it take, as coordinator/shell/persistence/keeper.c, what stands
     * behind that until the job is loaded, nor what was waiting then. */
    bool gap;
    uint64_t behind;
};

struct durable {
    uint64_t life;
    uint64_t last_job;
    struct ledger jobs[SIM_JOBS_MAX]; /* as in the scenario */
};

void disk_open(struct world *w);
void disk_close(struct world *w);
const struct durable *disk_look(const struct world *w);
const struct ledger *disk_ledger(const struct world *w, uint32_t which);
/* Of the job with this number; NULL: there is no record of it. */
const struct ledger *disk_find(const struct world *w, uint64_t job);

/* A new life, durable before it is used. */
uint64_t disk_begin_life(struct world *w);

/* The coordinator's process has died. */
void disk_crash(struct world *w);

/* For so long. */
void disk_slow(struct world *w, uint64_t for_us);
void disk_fail(struct world *w, uint64_t for_us);

/* Each may be told by center_stored when it is durable (token not 0). Takes
 * version. */
void disk_put_record(struct world *w,
                     uint64_t token,
                     const struct job_record *record);
void disk_put_journal(struct world *w,
                      uint32_t which,
                      uint64_t token,
                      const struct journal_entry *entry);
/* Takes point; NULL: there is none any more. */
void disk_put_point(struct world *w,
                    uint32_t which,
                    uint64_t token,
                    struct version *point);
void disk_put_version(struct world *w,
                      uint64_t token,
                      struct version *version,
                      const struct job_record *record);
void disk_put_restore(struct world *w,
                      uint64_t token,
                      uint64_t from,
                      uint64_t number,
                      uint32_t line,
                      const struct job_record *record);

/* A shard's cut. host_stored is told. */
void disk_put_state(struct world *w,
                    const struct shard_state *state,
                    uint32_t host,
                    uint64_t host_birth,
                    uint64_t put);

/* NULL: there is no such state. */
const struct shard_state *disk_state(const struct world *w, uint64_t name);

struct load {
    uint32_t which;
    uint64_t token;
    uint64_t version;
    uint32_t line;
    bool point; /* that one, where it is as new as the version */
    bool looks; /* an evaluation: the job itself goes on */
};

/* Answered by center_loaded: what is durable when the answer is made. */
void disk_load(struct world *w, const struct load *load);

/* The point that a load would find beside this head; or NULL. */
const struct version *disk_point(const struct ledger *ledger,
                                 uint64_t head,
                                 uint32_t line);

/* Would a read fail now? */
enum status disk_read(struct world *w);

/* A version's own copy of everything. */
struct version *version_copy(const struct version *from);
void version_drop(struct version *version);

#endif /* TESTS_SIM_DISK_H */
