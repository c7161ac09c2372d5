#include "worker/core/agent.h"

#include "base/check.h"

/* Moves */

static const unsigned agent_moves[] = {
    [AGENT_JOINING] = 1u << AGENT_JOINED | 1u << AGENT_ENDED,
    [AGENT_JOINED] =
        1u << AGENT_JOINING | 1u << AGENT_LEAVING | 1u << AGENT_ENDED,
    [AGENT_LEAVING] = 1u << AGENT_ENDED,
    [AGENT_ENDED] = 0,
};

enum { END = 1u << SESSION_FAILED | 1u << SESSION_CLOSING };

static const unsigned session_moves[SESSION_STATES_COUNT] = {
    [SESSION_FREE] = 1u << SESSION_OPENING,
    [SESSION_OPENING] = 1u << SESSION_LOADING | END,
    [SESSION_LOADING] = 1u << SESSION_READY | END,
    [SESSION_READY] = 1u << SESSION_RUNNING | END,
    [SESSION_RUNNING] = END,
    [SESSION_FAILED] = 1u << SESSION_CLOSING,
    [SESSION_CLOSING] = 1u << SESSION_FREE,
};

static void move(struct agent *agent, enum agent_state next)
{
    CHECK((agent_moves[agent->state] >> next & 1) != 0);
    agent->state = next;
}

static void move_session(struct agent_session *session, enum session_state next)
{
    CHECK((session_moves[session->state] >> next & 1) != 0);
    session->state = next;
}

/* Actions */

static struct agent_action *act(struct agent_actions *out,
                                enum agent_action_type type)
{
    struct agent_action *action = &out->items[out->count];

    CHECK(out->count < AGENT_ACTIONS_MAX);
    out->count++;
    *action = (struct agent_action){.type = type};
    return action;
}

static void refuse(struct agent_actions *out,
                   enum status status,
                   const char *reason)
{
    struct agent_action *action = act(out, AGENT_ACT_REFUSED);

    action->status = status;
    action->reason = reason;
}

static struct agent_action *act_on(struct agent *agent,
                                   uint32_t slot,
                                   enum agent_action_type type,
                                   struct agent_actions *out)
{
    struct agent_action *action = act(out, type);

    action->slot = slot;
    action->job = agent->sessions[slot].job;
    action->term = agent->sessions[slot].term;
    return action;
}

static void close_session(struct agent *agent,
                          uint32_t slot,
                          struct agent_actions *out)
{
    move_session(&agent->sessions[slot], SESSION_CLOSING);
    act_on(agent, slot, AGENT_ACT_CLOSE, out);
}

static bool is_open(const struct agent_session *session)
{
    return session->state != SESSION_FREE && session->state != SESSION_CLOSING;
}

static void end(struct agent *agent,
                enum status status,
                const char *reason,
                struct agent_actions *out)
{
    struct agent_action *action = NULL;

    move(agent, AGENT_ENDED);
    action = act(out, AGENT_ACT_QUIT);
    action->status = status;
    action->reason = reason;
}

/* Joining */

static void say_hello(struct agent *agent, struct agent_actions *out)
{
    act(out, AGENT_ACT_HELLO);
    agent->hello_ms = agent->now_ms + agent->hello_wait_ms;
    agent->hello_wait_ms *= 2;
    if (agent->hello_wait_ms > AGENT_HELLO_MAX_MS) {
        agent->hello_wait_ms = AGENT_HELLO_MAX_MS;
    }
}

/* Is an answer to a hello awaited? */
static bool is_asking(const struct agent *agent)
{
    return agent->state == AGENT_JOINING ||
           (agent->state == AGENT_LEAVING && agent->answer_ms != UINT64_MAX);
}

static void rejoin(struct agent *agent, struct agent_actions *out)
{
    if (agent->state == AGENT_JOINED) {
        move(agent, AGENT_JOINING);
    } else if (agent->state == AGENT_LEAVING &&
               agent->answer_ms == UINT64_MAX) {
        agent->answer_ms = agent->now_ms + AGENT_ANSWER_MS;
    }
    agent->hello_wait_ms = AGENT_HELLO_MS;
    say_hello(agent, out);
}

static void on_welcome(struct agent *agent,
                       const struct wire_welcome *welcome,
                       struct agent_actions *out)
{
    bool next_life = agent->life != 0 && welcome->life > agent->life;

    if (welcome->life < agent->life) {
        refuse(out, STATUS_STALE, "welcome of an older life");
        return;
    }
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        /* Frames bear the worker's id: under another one none would fit. */
        if (agent->life != 0 && welcome->worker != agent->worker &&
            is_open(&agent->sessions[i])) {
            close_session(agent, i, out);
        }
    }
    if (agent->state == AGENT_JOINING) {
        move(agent, AGENT_JOINED);
    }
    agent->life = welcome->life;
    agent->worker = welcome->worker;
    agent->heartbeat_ms = welcome->heartbeat_ms;
    agent->timeout_ms = welcome->timeout_ms;
    agent->hello_wait_ms = AGENT_HELLO_MS;
    agent->beat_ms = agent->now_ms;
    act(out, AGENT_ACT_CHUNKS);
    if (next_life) {
        act(out, AGENT_ACT_RETELL);
    }
    if (agent->state == AGENT_LEAVING) {
        act(out, AGENT_ACT_LEAVE);
    }
}

/* STALE is what a new life says to those it does not know, perhaps once for
 * each message that had waited for it. BUSY and UNAVAILABLE pass: a place may
 * become free, the coordinator may just be starting or ending. */
static void on_refuse(struct agent *agent,
                      const struct wire_refuse *message,
                      struct agent_actions *out)
{
    if (message->status == STATUS_STALE) {
        if (agent->state == AGENT_JOINED ||
            (agent->state == AGENT_LEAVING && agent->answer_ms == UINT64_MAX)) {
            rejoin(agent, out);
        }
        return;
    }
    if (message->status == STATUS_BUSY ||
        message->status == STATUS_UNAVAILABLE) {
        refuse(out, (enum status)message->status, "not now, trying again");
        return;
    }
    end(agent, STATUS_REFUSED, message->text, out);
}

/* Its next life is met as soon as it listens, not at the next repetition. */
static void on_linked(struct agent *agent, struct agent_actions *out)
{
    if (is_asking(agent)) {
        agent->hello_wait_ms = AGENT_HELLO_MS;
        say_hello(agent, out);
    }
}

/* What it says is lost with the link: what is granted is computed on, and who
 * answers next may be another life. */
static void on_cut_off(struct agent *agent, struct agent_actions *out)
{
    if (!is_asking(agent)) {
        rejoin(agent, out);
    }
}

/* Sessions */

static uint32_t find_session(const struct agent *agent, uint64_t job)
{
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        if (is_open(&agent->sessions[i]) && agent->sessions[i].job == job) {
            return i;
        }
    }
    return SESSIONS_MAX;
}

static uint32_t find_free(const struct agent *agent)
{
    uint32_t slot = 0;

    while (slot < SESSIONS_MAX && agent->sessions[slot].state != SESSION_FREE) {
        slot++;
    }
    return slot;
}

/* A life of the coordinator that is gone drops nothing any more, and the next
 * one places all jobs anew: room for those. */
static void close_of_older_lives(struct agent *agent, struct agent_actions *out)
{
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        if (is_open(&agent->sessions[i]) &&
            agent->sessions[i].life < agent->life) {
            close_session(agent, i, out);
        }
    }
}

static void on_assign(struct agent *agent,
                      const struct wire_assign *assign,
                      struct agent_actions *out)
{
    uint32_t old = find_session(agent, assign->job);
    uint32_t slot = find_free(agent);
    struct agent_action *action = NULL;

    if (assign->life != agent->life) {
        refuse(out, STATUS_STALE, "assignment of another life");
        return;
    }
    if (old < SESSIONS_MAX && agent->sessions[old].term >= assign->term) {
        refuse(out, STATUS_STALE, "assignment of an older term");
        return;
    }
    if (old < SESSIONS_MAX) {
        close_session(agent, old, out);
    }
    if (slot == SESSIONS_MAX) {
        close_of_older_lives(agent, out);
        action = act(out, AGENT_ACT_READY);
        action->job = assign->job;
        action->term = assign->term;
        action->status = STATUS_BUSY;
        return;
    }
    agent->sessions[slot].job = assign->job;
    agent->sessions[slot].term = assign->term;
    agent->sessions[slot].life = assign->life;
    move_session(&agent->sessions[slot], SESSION_OPENING);
    act_on(agent, slot, AGENT_ACT_OPEN, out);
}

/* A grant or release for a session that has said READY. */
static void pass_on(struct agent *agent,
                    uint64_t job,
                    uint64_t term,
                    enum agent_action_type type,
                    struct agent_actions *out)
{
    uint32_t slot = find_session(agent, job);
    struct agent_session *session = NULL;

    if (slot == SESSIONS_MAX || agent->sessions[slot].term != term) {
        refuse(out, STATUS_STALE, "no session of this job and term");
        return;
    }
    session = &agent->sessions[slot];
    if (session->state == SESSION_READY) {
        move_session(session, SESSION_RUNNING);
    }
    if (session->state != SESSION_RUNNING) {
        refuse(out, STATUS_CONFLICT, "session is not ready");
        return;
    }
    act_on(agent, slot, type, out);
}

static void on_drop(struct agent *agent,
                    const struct wire_drop *drop,
                    struct agent_actions *out)
{
    uint32_t slot = find_session(agent, drop->job);
    bool newer = slot < SESSIONS_MAX && agent->sessions[slot].term > drop->term;

    /* Copies may be here without a session. */
    if (newer || (slot == SESSIONS_MAX && !drop->forget)) {
        refuse(out, STATUS_STALE, "no session of this job and term");
        return;
    }
    if (slot < SESSIONS_MAX) {
        close_session(agent, slot, out);
    }
    if (drop->forget) {
        act(out, AGENT_ACT_FORGET)->job = drop->job;
    }
}

static void on_message(struct agent *agent,
                       const struct wire *message,
                       struct agent_actions *out)
{
    if (agent->life == 0 && message->kind != WIRE_WELCOME &&
        message->kind != WIRE_REFUSE && message->kind != WIRE_QUIT) {
        refuse(out, STATUS_CONFLICT, "not welcomed yet");
        return;
    }
    agent->heard_ms = agent->now_ms;
    if (message->kind != WIRE_REFUSE) {
        agent->answer_ms = UINT64_MAX;
    }
    switch (message->kind) {
    case WIRE_WELCOME:
        on_welcome(agent, &message->welcome, out);
        return;
    case WIRE_REFUSE:
        on_refuse(agent, &message->refuse, out);
        return;
    case WIRE_OPEN:
        act(out, AGENT_ACT_PROBE);
        return;
    case WIRE_ASSIGN:
        on_assign(agent, &message->assign, out);
        return;
    case WIRE_GRANT:
        pass_on(agent, message->grant.job, message->grant.grant->term,
                AGENT_ACT_GRANT, out);
        return;
    case WIRE_RELEASE:
        pass_on(agent, message->release.job, message->release.term,
                AGENT_ACT_RELEASE, out);
        return;
    case WIRE_DROP:
        on_drop(agent, &message->drop, out);
        return;
    case WIRE_QUIT:
        end(agent, STATUS_OK, "", out);
        return;
    case WIRE_ROSTER: /* the shell's alone */
    case WIRE_HELLO:
    case WIRE_HEARTBEAT:
    case WIRE_OPENED:
    case WIRE_READY:
    case WIRE_REPORT:
    case WIRE_SHARD_CUT:
    case WIRE_FAULT:
    case WIRE_GOODBYE:
    case WIRE_KEPT:
    case WIRE_LEAVE:
        break;
    }
    refuse(out, STATUS_INVALID, "not a message for a worker");
}

/* A session that could not be opened or loaded says so in its READY. */
static void on_progress(struct agent *agent,
                        const struct agent_event *event,
                        struct agent_actions *out)
{
    struct agent_session *session = &agent->sessions[event->slot];
    bool opened = event->type == AGENT_OPENED;

    if (session->state == SESSION_CLOSING) {
        return; /* dropped meanwhile */
    }
    CHECK(session->state == (opened ? SESSION_OPENING : SESSION_LOADING));
    if (event->status == STATUS_OK && opened) {
        move_session(session, SESSION_LOADING);
        act_on(agent, event->slot, AGENT_ACT_LOAD, out);
        return;
    }
    move_session(session,
                 event->status == STATUS_OK ? SESSION_READY : SESSION_FAILED);
    act_on(agent, event->slot, AGENT_ACT_READY, out)->status = event->status;
}

static void on_faulted(struct agent *agent,
                       const struct agent_event *event,
                       struct agent_actions *out)
{
    struct agent_session *session = &agent->sessions[event->slot];

    if (session->state == SESSION_CLOSING || session->state == SESSION_FAILED) {
        return;
    }
    CHECK(session->state != SESSION_FREE);
    move_session(session, SESSION_FAILED);
    act_on(agent, event->slot, AGENT_ACT_FAULT, out);
}

/* Leaving */

static void say_goodbye(struct agent *agent, struct agent_actions *out)
{
    act(out, AGENT_ACT_GOODBYE);
    end(agent, STATUS_OK, "", out);
}

/* A signal: the first one asks, where there is somebody to ask. */
static void on_leave(struct agent *agent, struct agent_actions *out)
{
    if (agent->state != AGENT_JOINED) {
        say_goodbye(agent, out);
        return;
    }
    move(agent, AGENT_LEAVING);
    agent->leave_ms = agent->now_ms + AGENT_LEAVE_MS;
    act(out, AGENT_ACT_LEAVE);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Time */

static void on_tick(struct agent *agent, struct agent_actions *out)
{
    if (agent->state == AGENT_LEAVING &&
        agent->now_ms >= earlier(agent->leave_ms, agent->answer_ms)) {
        say_goodbye(agent, out);
        return;
    }
    if (is_asking(agent) && agent->now_ms >= agent->hello_ms) {
        say_hello(agent, out);
        return;
    }
    if (is_asking(agent) || agent->state == AGENT_ENDED) {
        return;
    }
    if (agent->now_ms >= agent->heard_ms + agent->timeout_ms) {
        rejoin(agent, out);
        return;
    }
    if (agent->now_ms >= agent->beat_ms) {
        act(out, AGENT_ACT_HEARTBEAT);
        /* Half the time allowed: one late turn is not yet silence. */
        agent->beat_ms = agent->now_ms + (agent->heartbeat_ms + 1) / 2;
    }
}

void agent_init(struct agent *agent)
{
    *agent = (struct agent){.state = AGENT_JOINING,
                            .hello_ms = UINT64_MAX,
                            .hello_wait_ms = AGENT_HELLO_MS,
                            .leave_ms = UINT64_MAX,
                            .answer_ms = UINT64_MAX};
}

void agent_step(struct agent *agent,
                const struct agent_event *event,
                struct agent_actions *out)
{
    CHECK(event->now_ms >= agent->now_ms);
    CHECK(event->slot < SESSIONS_MAX);
    agent->now_ms = event->now_ms;
    out->count = 0;
    if (event->type == AGENT_CLOSED) {
        move_session(&agent->sessions[event->slot], SESSION_FREE);
        return;
    }
    if (agent->state == AGENT_ENDED) {
        return;
    }
    switch (event->type) {
    case AGENT_START:
        say_hello(agent, out);
        break;
    case AGENT_TICK:
        break;
    case AGENT_MESSAGE:
        on_message(agent, event->message, out);
        break;
    case AGENT_OPENED:
    case AGENT_LOADED:
        on_progress(agent, event, out);
        break;
    case AGENT_FAULTED:
        on_faulted(agent, event, out);
        break;
    case AGENT_LINKED:
        on_linked(agent, out);
        break;
    case AGENT_CUT_OFF:
        on_cut_off(agent, out);
        break;
    case AGENT_LEAVE:
        on_leave(agent, out);
        break;
    case AGENT_CLOSED:
        break;
    }
    on_tick(agent, out); /* whatever came may also have been late */
}

uint64_t agent_deadline_ms(const struct agent *agent)
{
    uint64_t next =
        earlier(agent->heard_ms + agent->timeout_ms, agent->beat_ms);

    if (agent->state == AGENT_ENDED) {
        return UINT64_MAX;
    }
    if (is_asking(agent)) {
        next = agent->hello_ms;
    }
    return agent->state == AGENT_LEAVING
               ? earlier(next, earlier(agent->leave_ms, agent->answer_ms))
               : next;
}
