/* slot.h - the life of one session in this process: its data are opened, its
 * shards made or loaded, its links built; it runs; it is closed.
 *
 * Each stage ends with a notice from a later turn, which the host makes an
 * event of the agent. A slot is part of its host and is used again after its
 * CLOSED notice. */
#ifndef WORKER_SHELL_SLOT_H
#define WORKER_SHELL_SLOT_H

#include "base/jobs.h"
#include "proto/wire.h"
#include "worker/shell/cutter.h"
#include "worker/shell/exchange.h"
#include "worker/shell/loader.h"
#include "worker/shell/pointloader.h"
#include "worker/shell/session.h"
#include "worker/shell/streams.h"
#include "worker/shell/trust.h"
#include "worker/shell/vault.h"

/* What all slots of a process share; borrowed. */
struct services {
    struct loop *loop;
    struct link_context *context;
    struct jobs *background; /* reading, hashing, making shards */
    struct jobs *compute;    /* NULL: operations run on the loop's thread */
    uint32_t threads;        /* of compute; 1 without a pool */
    struct exchange *exchange;
    struct chunks *chunks;
    struct cutter *cutter;
    struct streams *streams;
    struct vault *vault;
    struct trust *trust;
};

enum slot_notice { SLOT_OPENED = 1, SLOT_LOADED, SLOT_FAULTED, SLOT_CLOSED };

struct slot;

struct slot_hooks {
    void *owner;
    /* Posted: from a later turn than what caused it. SLOT_OPENED and
     * SLOT_LOADED with a status; the reason is slot_why. */
    void (*notice)(void *owner,
                   struct slot *slot,
                   enum slot_notice notice,
                   enum status status);
    /* To the coordinator. */
    void (*send)(void *owner, const struct wire *message);
    /* A heartbeat, now: the job is about to end, and with it go its counts. */
    void (*beat)(void *owner);
    /* Operations wait for session_work. */
    void (*wake)(void *owner);
};

struct slot {
    const struct services *services;
    struct slot_hooks hooks;
    bool used;
    bool closing;
    uint32_t under_way; /* background work that will come back */
    uint32_t timer;
    bool has_timer;
    uint64_t deadline_ms; /* of building links */
    void *memory;         /* holds what assign points to */
    struct wire_assign assign;
    uint32_t worker; /* this one's id */
    struct stream *stream;
    struct session *made;            /* the background's, while under way */
    struct session *session;         /* NULL until made */
    struct loader *loader;           /* from a version's records, or */
    struct pointloader *pointloader; /* from copies in memory */
    enum status status;              /* of what comes back */
    enum fault_kind fault;           /* after SLOT_FAULTED */
    char why[ERROR_BYTES_MAX];
};

/* Once for the process. */
enum status slot_init(struct slot *slot,
                      const struct services *services,
                      const struct slot_hooks *hooks) MUST_CHECK;
/* After jobs_join of both pools. */
void slot_fini(struct slot *slot);

/* Takes memory, which holds what assign points to. */
void slot_open(struct slot *slot,
               void *memory,
               const struct wire_assign *assign,
               uint32_t worker);
void slot_load(struct slot *slot);
void slot_close(struct slot *slot);

/* Does its session wait for such copies of others' shards? */
bool slot_expects(const struct slot *slot, const struct piece_header *header);

#endif /* WORKER_SHELL_SLOT_H */
