/* members.h - the workers that have said hello.
 *
 * A worker is known by its name; its number (w0, w1, ...) stays when it comes
 * back as a new process, which is a new incarnation. */
#ifndef COORDINATOR_CORE_MEMBERS_H
#define COORDINATOR_CORE_MEMBERS_H

#include "coordinator/core/workerset.h"
#include "proto/wire.h"
#include <stdbool.h>
#include <stdint.h>

static const uint32_t NO_PEER = UINT32_MAX;

struct member {
    bool used;
    bool present; /* heard of within the timeout, and not gone */
    bool left;    /* gone with a goodbye */
    /* Each of the three keeps new shards away. */
    bool cordoned; /* by a person; stays with the name for this life */
    bool draining; /* its shards go to others; done when it hosts none */
    bool leaving;  /* its process shall end when it hosts none */
    /* While it drains: it was cordoned before; since when a job that was on it
     * finds no other place (0: none does). */
    bool was_cordoned;
    uint64_t stranded_ms;
    uint64_t joined_ms;
    uint64_t drain_request;      /* answered when drained; 0: nobody waits */
    uint64_t drain_deadline_ms;  /* or then */
    char gone[REASON_BYTES_MAX]; /* why, where it is not present */
    bool spared; /* since it was last heard of, see members_spare */
    uint32_t peer;
    uint64_t seen_ms;
    struct wire_hello hello;
    uint64_t shard_steps; /* since its process started */
    uint64_t bytes_sent;
    uint64_t kept_bytes; /* see struct wire_heartbeat */
    uint64_t buddy_bytes;
    uint64_t turns;    /* of its computing */
    uint32_t sessions; /* jobs placed on it */
    bool training;     /* one of them trains */
    /* Where it is present: its neighbours in the order of seen_ms, and the
     * next one of its peer's chain. NO_WORKER: none. */
    uint32_t heard_before;
    uint32_t heard_next;
    uint32_t peer_next;
};

/* How many of them are what. */
struct census {
    uint32_t present;
    uint32_t open;           /* see member_is_open */
    uint32_t idle;           /* see member_is_idle */
    uint64_t idle_since_ms;  /* the least joined_ms of an idle one, or never */
    struct worker_set going; /* present, and draining or leaving */
};

/* An event must not cost more where there are more workers, since there are
 * more events then: whoever asks at every event asks for what is kept up to
 * date, or counted only where something has changed. */
struct members {
    uint32_t count;      /* numbers from here on were never given */
    uint64_t changes;    /* of who may host what; at least 1 */
    uint64_t counted_at; /* changes when census was true */
    struct census census;
    uint32_t heard_first; /* silent for longest; NO_WORKER: none present */
    uint32_t heard_last;
    uint32_t of_peer[MEMBERS_MAX]; /* chains of those present, by peer's hash */
    struct member items[MEMBERS_MAX];
    bool fingerprint_known; /* set by the first worker of a life */
    struct hash fingerprint;
    char kernels[NAME_BYTES_MAX];
};

void members_init(struct members *members);

/* Takes a hello from peer. Returns the worker's number, or NO_WORKER with
 * *out_status and why (ERROR_BYTES_MAX) filled: another protocol or build, a
 * fingerprint that differs from the first worker's, no room, or the name is
 * held by a living process (see members_older). */
uint32_t members_join(struct members *members,
                      uint32_t peer,
                      const struct wire_hello *hello,
                      uint64_t now_ms,
                      enum status *out_status,
                      char *why);

/* The present member of the same name that is another process: it must be
 * taken for dead before the new one joins. NO_WORKER: none. */
uint32_t members_older(const struct members *members,
                       const struct wire_hello *hello);

/* NO_WORKER: peer has not joined (any more). */
uint32_t members_of_peer(const struct members *members, uint32_t peer);

/* It has said something. */
void members_hear(struct members *members, uint32_t worker, uint64_t now_ms);

/* Each one gets one more timeout before it is silent for too long; once, until
 * it is heard of. False: no one does. */
bool members_spare(struct members *members, uint64_t now_ms);

void members_leave(struct members *members, uint32_t worker);

/* The worker silent for longest, if that is timeout_ms; or NO_WORKER. */
uint32_t members_silent(const struct members *members,
                        uint64_t now_ms,
                        uint64_t timeout_ms);

/* When the next one would be silent; UINT64_MAX: none present. */
uint64_t members_deadline(const struct members *members, uint64_t timeout_ms);

uint32_t members_present(const struct members *members);

/* A member's sessions, or one of its flags, have been changed from outside. */
void members_changed(struct members *members);

/* Counts where something has changed since it was asked. Until the next
 * change. */
const struct census *members_census(struct members *members);
/* The same of one that has not changed since. CHECK. */
const struct census *members_counted(const struct members *members);

/* May take shards that it does not have yet: present, and neither cordoned nor
 * on its way out. */
bool member_is_open(const struct member *m);
/* Open, not training, with room for one more session. */
bool member_is_idle(const struct member *m);

/* The worker of this name, else the one of this number ("w0"). NO_WORKER. */
uint32_t members_find(const struct members *members, const char *text);

#endif /* COORDINATOR_CORE_MEMBERS_H */
