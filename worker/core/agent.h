/* agent.h - a worker process towards its coordinator, as a pure state machine.
 *
 * It joins (hello until welcomed), keeps itself known by heartbeats, says
 * hello again when the coordinator has been silent for too long, and keeps the
 * table of sessions: which job and term each slot serves and how far it is.
 * What was granted goes on being computed whatever the coordinator does.
 *
 *   JOINING --welcome--> JOINED --silence, link's end, or not known--> JOINING
 *      |                    |
 *      | SIGTERM            | SIGTERM: asks to leave
 *      |                    v
 *      |                 LEAVING --silence--> asks again, and ends unheard
 *      v                    v
 *    ENDED <--- quit, refused, or SIGTERM again
 *
 * A coordinator that has nothing to say is silent; then the hello only asks
 * whether it is there. Only the newest life is obeyed: a welcome or assignment
 * of an older one is refused. Sessions are fenced by their term.
 *
 * A worker that is told to end asks the coordinator first, which moves its
 * shards elsewhere and then lets it go with QUIT; meanwhile it works on. It
 * says goodbye and ends by itself where that takes too long, where nobody
 * answers, or where it is told a second time. */
#ifndef WORKER_CORE_AGENT_H
#define WORKER_CORE_AGENT_H

#include "base/limits.h"
#include "base/status.h"
#include "proto/wire.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    /* First repetition: a link that is being made takes a few ms. Doubles. */
    AGENT_HELLO_MS = 20,
    AGENT_HELLO_MAX_MS = 1000, /* a coordinator that starts is soon found */
    /* To have its shards moved: a few intervals and a restore elsewhere. */
    AGENT_LEAVE_MS = 20000,
    /* A coordinator that has fallen silent meanwhile: is it there at all? */
    AGENT_ANSWER_MS = 2000,
    /* One message closes at most every session and says three things more; in
     * the same turn the time may have come to say goodbye. */
    AGENT_ACTIONS_MAX = SESSIONS_MAX + 6
};

enum agent_state {
    AGENT_JOINING = 0,
    AGENT_JOINED,
    AGENT_LEAVING, /* joined, and has asked to leave */
    AGENT_ENDED
};

/*   FREE -> OPENING -> LOADING -> READY -> RUNNING
 *    ^         |          |         |        |
 *    |         +----------+---------+--------+---> FAILED
 *    +-- CLOSING <-- from any but FREE ---------------+
 */
enum session_state {
    SESSION_FREE = 0,
    SESSION_OPENING, /* its data are being opened */
    SESSION_LOADING, /* its shards are being made or loaded */
    SESSION_READY,   /* told so; waits for a grant */
    SESSION_RUNNING,
    SESSION_FAILED,  /* waits to be dropped or assigned anew */
    SESSION_CLOSING, /* operations that run must end first */
    SESSION_STATES_COUNT
};

struct agent_session {
    enum session_state state;
    uint64_t job;
    uint64_t term;
    uint64_t life; /* of the coordinator that assigned it */
};

enum agent_event_type {
    AGENT_START = 1,
    AGENT_TICK,    /* the deadline has come */
    AGENT_MESSAGE, /* from the coordinator */
    AGENT_OPENED,  /* a session's data are open, or not */
    AGENT_LOADED,  /* its shards and links stand, or not */
    AGENT_FAULTED, /* it cannot go on */
    AGENT_CLOSED,  /* it is gone */
    AGENT_LINKED,  /* the coordinator can be reached (again) */
    AGENT_CUT_OFF, /* its process or the link to it has ended */
    AGENT_LEAVE    /* SIGTERM */
};

struct agent_event {
    uint64_t now_ms; /* monotonic; never goes back between two steps */
    enum agent_event_type type;
    uint32_t slot;              /* OPENED, LOADED, FAULTED, CLOSED */
    enum status status;         /* OPENED, LOADED */
    const struct wire *message; /* MESSAGE; borrowed for the call */
};

enum agent_action_type {
    AGENT_ACT_HELLO = 1,
    AGENT_ACT_HEARTBEAT,
    AGENT_ACT_CHUNKS,  /* connect the chunk link to the message's endpoint */
    AGENT_ACT_PROBE,   /* open the data of this OPEN message and answer */
    AGENT_ACT_OPEN,    /* session: keep this ASSIGN message, open its data */
    AGENT_ACT_LOAD,    /* session: make or load the shards, link to peers */
    AGENT_ACT_READY,   /* tell READY with job, term and status */
    AGENT_ACT_GRANT,   /* session: hand this GRANT on */
    AGENT_ACT_RELEASE, /* session: hand this RELEASE on */
    AGENT_ACT_FAULT,   /* tell FAULT for the session */
    AGENT_ACT_CLOSE,   /* session: end it, then say CLOSED */
    AGENT_ACT_RETELL,  /* tell KEPT of every copy held in memory */
    AGENT_ACT_FORGET,  /* drop the copies in memory of this job */
    AGENT_ACT_LEAVE,   /* tell LEAVE */
    AGENT_ACT_GOODBYE,
    AGENT_ACT_QUIT,   /* end the process: status OK is exit code 0 */
    AGENT_ACT_REFUSED /* this message, with a reason */
};

struct agent_action {
    enum agent_action_type type;
    uint32_t slot;
    uint64_t job;
    uint64_t term;
    enum status status; /* READY, QUIT, REFUSED */
    const char *reason; /* REFUSED: static; QUIT: borrowed from the message */
};

struct agent_actions {
    uint32_t count;
    struct agent_action items[AGENT_ACTIONS_MAX];
};

struct agent {
    enum agent_state state;
    uint64_t now_ms;
    uint64_t life; /* 0: never welcomed */
    uint32_t worker;
    uint32_t heartbeat_ms;
    uint32_t timeout_ms;
    uint64_t heard_ms; /* when the coordinator was last heard */
    uint64_t beat_ms;  /* when the next heartbeat is due */
    uint64_t hello_ms; /* when the next hello is due, while joining */
    uint32_t hello_wait_ms;
    /* LEAVING: when to end without having been let go, and when to end without
     * an answer to a hello (UINT64_MAX: none is owed). */
    uint64_t leave_ms;
    uint64_t answer_ms;
    struct agent_session sessions[SESSIONS_MAX];
};

void agent_init(struct agent *agent);

/* Advances by one event; fills out. Total: a message that does not fit is
 * REFUSED. */
void agent_step(struct agent *agent,
                const struct agent_event *event,
                struct agent_actions *out);

/* When the shell must deliver the next TICK; UINT64_MAX: never. */
uint64_t agent_deadline_ms(const struct agent *agent);

#endif /* WORKER_CORE_AGENT_H */
