/* fakeworld.h - the coordinator's core with obedient workers and a store that
 * lives in memory: every action is answered by the event that a correct shell
 * would give, and the fields of the world say where it shall not be. */
#ifndef TESTS_UNIT_COORDINATOR_CORE_FAKEWORLD_H
#define TESTS_UNIT_COORDINATOR_CORE_FAKEWORLD_H

#include "base/text.h"
#include "coordinator/core/coord.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum {
    FAKE_WORKERS_MAX = 4,
    FAKE_VERSIONS_MAX = 256,
    FAKE_POINTS_MAX = 256,
    FAKE_INTERVALS_MAX = 4096,
    QUEUE_MAX = 1024
};

/* What a fake worker knows of the one job that it may host. */
struct fake_worker {
    bool alive;
    uint32_t number;
    uint64_t incarnation;
    uint64_t job;
    uint64_t term;
    uint64_t owned[LAYERS_MAX]; /* masks of shards */
    uint32_t layers_count;
    uint32_t buddy; /* NO_WORKER: it hosts the job alone */
    bool from_point;
    uint64_t kept; /* of the newest grant */
    uint32_t forgets;
    uint32_t quits;    /* it was told to end, and has */
    struct arch *arch; /* moved on by the grants, like real shards */
};

struct fake_event {
    struct coord_event event;
    struct wire message;
    struct report *report;       /* owned */
    struct shard_record *record; /* owned */
};

struct fakeworld {
    struct coord *coord;
    struct actions *actions;
    uint64_t now_ms;
    struct data_shape *shape;
    uint32_t first; /* number of the first of these, as its name says */
    struct fake_worker workers[FAKE_WORKERS_MAX];
    struct version *versions[FAKE_VERSIONS_MAX]; /* by number */
    uint32_t versions_count;
    void *memory[JOBS_MAX];
    struct job_record records[JOBS_MAX];
    struct fake_event *queue[QUEUE_MAX];
    uint32_t queue_first;
    uint32_t queue_count;
    uint64_t journaled; /* intervals below it, on this line */
    bool hold_commits;  /* the store is slow: commits are not answered */
    bool hold_states;   /* nor are records of jobs */
    bool fail_restores;
    char *log; /* one line per decision, version, reply and state */
    size_t log_size;
    struct text text;
    char *journal; /* what was decided, without terms */
    struct text journal_text;
    bool keeps;      /* workers make copies, and say so */
    bool no_buddies; /* but no second ones */
    bool hold_points;
    bool fail_points;
    bool no_point;                           /* the store has lost it */
    struct version *points[FAKE_POINTS_MAX]; /* the last is the stored one */
    uint32_t points_count;
    uint32_t points_dropped;
    uint64_t hashes[FAKE_INTERVALS_MAX]; /* of the reports, as journaled */
    uint32_t checks;
    bool odd_bits;   /* the next report is not what it was */
    bool not_finite; /* the next report says so */
    double damage;   /* of a lesion, as the guard measures it */
};

/* So many workers have come, the first of them with this number (fake_open: 0);
 * `end_of_world` is fake_close and the memory. */
void fake_open_at(struct fakeworld *w, uint32_t first, uint32_t workers);
void fake_open(struct fakeworld *w, uint32_t workers);
void fake_close(struct fakeworld *w);
int two_workers(void **state); /* setup of a test */
int end_of_world(void **state);

/* The whole job in a world of its own, undisturbed. */
void run_apart(struct fakeworld *w,
               uint32_t workers,
               const struct job_spec *spec);

/* Runs until nothing is left to do, or `events` events have passed. */
void fake_run(struct fakeworld *w, uint32_t events);
void run_until(struct fakeworld *w, enum job_phase phase);
/* One event, before all that is on its way. */
void fake_step(struct fakeworld *w, struct coord_event *event);

/* 2 tasks of 4,000 examples in batches of 10: 800 steps in intervals of 50. */
struct job_spec fake_spec(void);
/* The same, and it grows, renews and prunes. */
struct job_spec plastic_spec(void);
void fake_launch(struct fakeworld *w, const struct job_spec *spec);

/* What comes: from a worker, a person, and the store. */
struct fake_event *fake_message(struct fakeworld *w, uint32_t worker);
void fake_hello(struct fakeworld *w, uint32_t worker);
void fake_lose(struct fakeworld *w, uint32_t worker);
void fake_tell_kept(struct fakeworld *w,
                    uint32_t number,
                    const struct wire_kept *kept);
void fake_request(struct fakeworld *w, struct request request);
/* Of job 1. */
void fake_ask(struct fakeworld *w, uint64_t id, enum request_kind kind);
void fake_restore_to(struct fakeworld *w, uint64_t id, uint64_t version);
void fake_set_rate(struct fakeworld *w, uint64_t id, double rate);
struct fake_event *fake_stored(struct fakeworld *w, uint64_t token);
/* What the store was told to hold back. */
void answer_tokens(struct fakeworld *w, enum token_kind kind);
/* All that is on its way is lost. */
void fake_drop_queue(struct fakeworld *w);

/* The first job; whether the log has such a text. */
struct job *job_of(struct fakeworld *w);
bool said(const struct fakeworld *w, const char *what);

#endif /* TESTS_UNIT_COORDINATOR_CORE_FAKEWORLD_H */
