#include "tests/sim/host.h"

#include "base/check.h"
#include "base/mem.h"
#include "tests/sim/center.h"
#include "tests/sim/host_sessions.h"
#include "tests/sim/invariants.h"

#include <stdio.h>
#include <string.h>

enum { MESSAGE_ARENA_BYTES = 1 << 20 };

/* --- Telling the coordinator --- */

static void tell(struct world *w, const struct host *h, struct wire message)
{
    network_to_center(w, h->index, &message);
}

static void tell_hello(struct world *w, const struct host *h)
{
    uint64_t birth = w->processes[1 + h->index].birth;
    struct wire message = {.kind = WIRE_HELLO};
    struct wire_hello *hello = &message.hello;

    (void)snprintf(hello->name, sizeof(hello->name), "w%u", h->index);
    (void)snprintf(hello->build, sizeof(hello->build), "sim");
    (void)snprintf(hello->kernels, sizeof(hello->kernels), "hash");
    (void)snprintf(hello->host, sizeof(hello->host), "host%u", h->index);
    (void)snprintf(hello->endpoint, sizeof(hello->endpoint), "sim://%u-%llu",
                   h->index, (unsigned long long)birth);
    memcpy(hello->vault_endpoint, hello->endpoint, sizeof(hello->endpoint));
    hello->incarnation = mix(h->index + 1, birth);
    hello->protocol = WIRE_PROTOCOL;
    hello->threads = w->scenario->slots;
    tell(w, h, message);
}

static void tell_heartbeat(struct world *w, const struct host *h)
{
    struct wire message = {.kind = WIRE_HEARTBEAT,
                           .heartbeat = {.life = h->agent.life,
                                         .shard_steps = h->steps_ended,
                                         .turns = h->turns}};

    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        if (h->sessions[i] != NULL) {
            message.heartbeat.shard_steps += h->sessions[i]->sched.steps;
        }
    }
    tell(w, h, message);
}

static void tell_ready(struct world *w,
                       const struct host *h,
                       const struct agent_action *action)
{
    struct wire message = {.kind = WIRE_READY,
                           .ready = {.job = action->job,
                                     .term = action->term,
                                     .status = action->status}};

    (void)snprintf(message.ready.error, sizeof(message.ready.error), "%s",
                   status_text(action->status));
    tell(w, h, message);
}

static void tell_fault(struct world *w,
                       const struct host *h,
                       const struct agent_action *action)
{
    const struct session *s = h->sessions[action->slot];
    struct wire message = {
        .kind = WIRE_FAULT,
        .fault = {.job = action->job, .term = action->term, .kind = s->fault}};

    (void)snprintf(message.fault.text, sizeof(message.fault.text), "%s",
                   s->why);
    tell(w, h, message);
}

static void on_probed(struct world *w, struct event *event)
{
    struct data_shape shape = w->scenario->jobs[event->b].shape;
    struct wire message = {.kind = WIRE_OPENED,
                           .opened = {.job = event->a, .shape = &shape}};

    tell(w, w->hosts[event->process - 1], message);
}

void host_tell_cut(struct world *w,
                   struct session *s,
                   const struct session_put *put)
{
    const struct shard *shard = &s->shards[put->local];
    uint64_t name = shard_state_name(&put->state);
    struct hash hash = {{0}};
    struct shard_record record = {.layer = shard->layer,
                                  .shard = shard->index,
                                  .tensors_count = 1,
                                  .evaluations_count =
                                      put->state.evaluations_count};
    struct wire message = {.kind = WIRE_SHARD_CUT,
                           .shard_cut = {.job = s->assign.job,
                                         .term = s->assign.term,
                                         .version = put->version,
                                         .record = &record}};

    memcpy(hash.b, &name, sizeof(name));
    record.tensors[0] = (struct tensor_record){.name = "state",
                                               .rows = 1,
                                               .columns = 1,
                                               .element_bytes = 8,
                                               .chunks_count = 1,
                                               .chunks = &hash};
    network_to_center(w, s->host, &message);
}

static void on_back(struct world *w, struct event *event);

static void end_process(struct world *w, struct host *h, uint64_t back_us)
{
    struct event event = {.at_us = w->now_us + back_us,
                          .fn = on_back,
                          .process = EVERYBODY,
                          .a = h->index};

    process_end(w, 1 + h->index);
    network_host_down(w, h->index);
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        session_close(h->sessions[i]);
        h->sessions[i] = NULL;
    }
    vault_close(&h->vault);
    center_peer_ended(w, h->index);
    (void)world_post(w, event);
}

static void act_on_session(struct world *w,
                           struct host *h,
                           const struct agent_action *action)
{
    struct session *s = h->sessions[action->slot];

    if (action->type == AGENT_ACT_OPEN) {
        struct holdings_rule rule = holdings_on_assign(&h->message->assign);

        CHECK(s == NULL);
        vault_drop(&h->vault, &rule);
        host_open_session(w, h, action->slot);
    } else if (action->type == AGENT_ACT_LOAD) {
        host_load_session(w, h, s);
    } else if (action->type == AGENT_ACT_GRANT) {
        session_grant(w, s, h->message->grant.grant);
    } else {
        CHECK(action->type == AGENT_ACT_CLOSE);
        host_close_session(w, h, s);
    }
}

static void forget(struct host *h, uint64_t job)
{
    struct holdings_rule rule = holdings_on_forget(job);

    vault_drop(&h->vault, &rule);
}

static void execute(struct world *w,
                    struct host *h,
                    const struct agent_action *action)
{
    switch (action->type) {
    case AGENT_ACT_HELLO:
        tell_hello(w, h);
        break;
    case AGENT_ACT_HEARTBEAT:
        tell_heartbeat(w, h);
        break;
    case AGENT_ACT_CHUNKS:
        host_connect_chunks(w, h);
        break;
    case AGENT_ACT_PROBE:
        host_later(w, h, on_probed, world_between(w, 50, 3000),
                   h->message->open.job, scenario_job(h->message->open.spec));
        break;
    case AGENT_ACT_READY:
        tell_ready(w, h, action);
        break;
    case AGENT_ACT_FAULT:
        tell_fault(w, h, action);
        break;
    case AGENT_ACT_OPEN:
    case AGENT_ACT_LOAD:
    case AGENT_ACT_GRANT:
    case AGENT_ACT_CLOSE:
        act_on_session(w, h, action);
        break;
    case AGENT_ACT_RELEASE: /* no coordinator sends one yet */
        break;
    case AGENT_ACT_RETELL:
        vault_retell(w, h->index);
        break;
    case AGENT_ACT_FORGET:
        forget(h, action->job);
        break;
    case AGENT_ACT_LEAVE:
        tell(w, h, (struct wire){.kind = WIRE_LEAVE});
        break;
    case AGENT_ACT_GOODBYE:
        tell(w, h, (struct wire){.kind = WIRE_GOODBYE});
        break;
    case AGENT_ACT_QUIT:
        world_say(w, "w%u quits: %s", h->index, action->reason);
        if (action->status != STATUS_OK) {
            world_fail(w, "w%u is refused: %s", h->index, action->reason);
        }
        end_process(w, h, world_between(w, 1000, 50000));
        break;
    case AGENT_ACT_REFUSED:
        world_say(w, "w%u refuses a message: %s", h->index, action->reason);
        break;
    }
}

static void on_tick(struct world *w, struct event *event)
{
    struct host *h = w->hosts[event->process - 1];

    if (h->timer_us == event->a) {
        h->timer_us = 0;
        host_step(w, h, (struct agent_event){.type = AGENT_TICK});
    }
}

static void set_timer(struct world *w, struct host *h)
{
    uint64_t deadline = agent_deadline_ms(&h->agent);
    uint64_t at = deadline * 1000;

    if (deadline == UINT64_MAX || !process_alive(w, 1 + h->index)) {
        return;
    }
    if (at < w->now_us) {
        at = w->now_us;
    }
    if (h->timer_us != at) {
        h->timer_us = at;
        host_later(w, h, on_tick, at - w->now_us, at, 0);
    }
}

void host_step(struct world *w, struct host *h, struct agent_event event)
{
    struct agent_actions actions;

    event.now_ms = world_now_ms(w);
    agent_step(&h->agent, &event, &actions);
    for (uint32_t i = 0; i < actions.count && process_alive(w, 1 + h->index);
         i++) {
        execute(w, h, &actions.items[i]);
    }
    set_timer(w, h);
}

/* --- What comes --- */

void host_take(struct world *w, const struct letter *letter)
{
    static unsigned char memory[MESSAGE_ARENA_BYTES];
    struct host *h = w->hosts[letter->host];
    struct arena arena;
    struct wire message;

    arena_init(&arena, memory, sizeof(memory));
    if (wire_decode(letter->bytes, letter->size, &arena, &message) !=
        STATUS_OK) {
        world_fail(w, "w%u cannot decode a message", h->index);
        return;
    }
    h->letter = letter;
    h->message = &message;
    host_step(w, h,
              (struct agent_event){.type = AGENT_MESSAGE, .message = &message});
    h->letter = NULL;
    h->message = NULL;
}

void host_take_frame(struct world *w,
                     uint32_t index,
                     const struct parcel *parcel)
{
    struct host *h = w->hosts[index];

    if (w->processes[1 + index].birth != parcel->to_birth) {
        return;
    }
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        struct session *s = h->sessions[i];

        if (s != NULL && s->made && s->assign.job == parcel->header.job &&
            s->assign.term == parcel->header.term) {
            session_frame(w, s, parcel);
        }
    }
}

/* --- Life --- */

static void start(struct world *w, struct host *h)
{
    uint32_t index = h->index;

    memset(h, 0, sizeof(*h));
    h->index = index;
    vault_open(&h->vault);
    process_start(w, 1 + index);
    agent_init(&h->agent);
    host_step(w, h, (struct agent_event){.type = AGENT_START});
}

static void on_back(struct world *w, struct event *event)
{
    world_say(w, "w%u starts", (unsigned)event->a);
    start(w, w->hosts[event->a]);
}

static void on_leave(struct world *w, struct event *event)
{
    host_step(w, w->hosts[event->process - 1],
              (struct agent_event){.type = AGENT_LEAVE});
}

void host_leave(struct world *w, uint32_t index)
{
    world_say(w, "w%u is told to end", index);
    host_later(w, w->hosts[index], on_leave, 0, 0, 0);
}

void host_crash(struct world *w, uint32_t index, uint64_t back_us)
{
    world_say(w, "w%u dies", index);
    end_process(w, w->hosts[index], back_us);
}

void host_open(struct world *w, uint32_t index)
{
    w->hosts[index] = world_memory(sizeof(*w->hosts[index]));
    w->hosts[index]->index = index;
    start(w, w->hosts[index]);
}

void host_close(struct world *w, uint32_t index)
{
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        session_close(w->hosts[index]->sessions[i]);
    }
    vault_close(&w->hosts[index]->vault);
    mem_free(w->hosts[index]);
}
