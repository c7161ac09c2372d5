/* coord.h - the coordinator as a pure state machine.
 *
 * coord_step is the only way in and struct actions the only way out. Nothing
 * here reads a clock, draws from the system's randomness, allocates or does
 * I/O, so a run is a function of its events and tests/sim can replay it.
 *
 * Order contract (README.md, durable before told): what comes from
 * outside - a launch, a setting, a restore - and every version is stored, and
 * its COORD_STORED event seen, before a reply or a message that relies on it
 * appears among the actions. A grant that is a function of the reports alone
 * is sent at once and journaled beside. The shell stores actions of one step
 * in order. */
#ifndef COORDINATOR_CORE_COORD_H
#define COORDINATOR_CORE_COORD_H

#include "coordinator/core/event.h"
#include "coordinator/core/job.h"
#include "coordinator/core/members.h"

enum { TOKENS_MAX = 256, PROBES_MAX = 4 };

enum token_kind {
    TOKEN_LAUNCH = 1,
    TOKEN_JOURNAL,
    TOKEN_COMMIT,
    TOKEN_RESTORE,
    TOKEN_LOAD,
    TOKEN_POINT,
    TOKEN_CHECK, /* of the journal, in a replay */
    TOKEN_STATE  /* a record whose state someone wants to be told */
};

/* Something on its way to the disk or from it. */
struct token {
    uint64_t id; /* 0: free */
    enum token_kind kind;
    uint32_t slot;
    uint64_t job;
    uint64_t detail;  /* interval, cut, version or state */
    uint64_t request; /* answered when it is done; 0: none */
};

/* A client that wants to know what the data are. */
struct probe {
    bool used;
    uint64_t request;
    uint64_t deadline_ms;
    uint32_t worker; /* NO_WORKER: none asked yet */
    struct job_spec spec;
};

struct coord {
    uint64_t now_ms;
    uint64_t life;
    uint64_t wall_offset_ms; /* wall clock - now_ms, as of the start */
    uint64_t heartbeat_ms;
    bool points_off;
    uint64_t timeout_ms;
    char chunk_endpoint[ENDPOINT_BYTES_MAX];
    uint64_t last_job;
    uint64_t last_term;
    uint64_t last_token;
    bool given_back; /* a drain, in this step: what waits is placed now */
    bool quitting;
    bool quit_said;
    uint64_t quit_request;
    struct members members;
    struct job jobs[JOBS_MAX];
    struct token tokens[TOKENS_MAX];
    struct probe probes[PROBES_MAX];
};

/* sizeof(struct coord) is some megabytes: the shell allocates it once. */
void coord_init(struct coord *c);

/* Advances the state by one event and lists what the shell must now do.
 * Total: every event has an answer, a refusal is an action, and an event that
 * a correct shell cannot produce is a CHECK. Borrows ev, fills out. */
void coord_step(struct coord *c,
                const struct coord_event *ev,
                struct actions *out);

/* When the shell must deliver the next COORD_TIMEOUT; UINT64_MAX: never. */
uint64_t coord_deadline_ms(const struct coord *c);

/* "idle busy cordoned draining leaving lost left", and why it is in that
 * state: one line, or "". CHECK: worker < MEMBERS_MAX. */
const char *coord_worker_state(const struct coord *c, uint32_t worker);
void coord_worker_reason(const struct coord *c,
                         uint32_t worker,
                         char *out,
                         size_t size);

/* The slot that holds job, or JOBS_MAX. */
uint32_t coord_find(const struct coord *c, uint64_t job);

/* Jobs of EVALUATE and PROBE requests have numbers from here on up; they are
 * not in the store. */
enum { SESSION_JOB_SHIFT = 40 };

#endif /* COORDINATOR_CORE_COORD_H */
