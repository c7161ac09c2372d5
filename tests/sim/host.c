#include "tests/sim/host.h"

#include "base/check.h"
#include "base/mem.h"
#include "tests/sim/center.h"
#include "tests/sim/disk.h"
#include "tests/sim/invariants.h"

#include <stdio.h>
#include <string.h>

enum {
    MESSAGE_ARENA_BYTES = 1 << 20,
    LINKS_RETRY_US = 5000,
    LINKS_DEADLINE_US = 10000000, /* as in worker/shell/slot.c */
    CHUNKS_DEADLINE_US = 30000000 /* as in worker/shell/chunks.h */
};

static void step(struct world *w, struct host *h, struct agent_event event);

/* --- Sessions by number: events outlive them --- */

static struct session *find(struct host *h, uint64_t id, uint32_t *out_slot)
{
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        if (h->sessions[i] != NULL && h->sessions[i]->id == id) {
            *out_slot = i;
            return h->sessions[i];
        }
    }
    return NULL;
}

static void later(struct world *w,
                  const struct host *h,
                  event_fn *fn,
                  uint64_t after_us,
                  uint64_t a,
                  uint64_t b)
{
    struct event event = {.at_us = w->now_us + after_us,
                          .fn = fn,
                          .process = 1 + h->index,
                          .a = a,
                          .b = b};

    (void)world_post(w, event);
}

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

/* --- Notices --- */

static void on_notice(struct world *w, struct event *event)
{
    struct host *h = w->hosts[event->process - 1];
    uint32_t slot = 0;
    struct session *s = find(h, event->a, &slot);
    struct agent_event notice = {.type = (enum agent_event_type)(event->b >> 8),
                                 .status = (enum status)(event->b & 0xff)};

    if (s == NULL) {
        return;
    }
    notice.slot = slot;
    if (notice.type == AGENT_CLOSED) {
        h->steps_ended += s->sched.steps;
        session_close(s);
        h->sessions[slot] = NULL;
    }
    step(w, h, notice);
}

void host_notice(struct world *w,
                 struct session *s,
                 enum agent_event_type type,
                 enum status status)
{
    later(w, w->hosts[s->host], on_notice, 0, s->id,
          (uint64_t)type << 8 | (uint64_t)status);
}

/* --- Computing and cutting --- */

static void on_done(struct world *w, struct event *event)
{
    struct host *h = w->hosts[event->process - 1];
    uint32_t slot = 0;
    struct session *s = find(h, event->a, &slot);

    h->turns++;
    CHECK(s != NULL); /* a session is closed when its operations have ended */
    session_done(w, s, (uint32_t)event->b);
}

void host_compute(struct world *w, struct session *s, uint32_t local)
{
    later(w, w->hosts[s->host], on_done,
          world_between(w, 10, w->scenario->operation_us), s->id, local);
}

static void on_put_deadline(struct world *w, struct event *event)
{
    uint32_t slot = 0;
    struct session *s = find(w->hosts[event->process - 1], event->a, &slot);

    if (s != NULL) {
        session_stored(w, s, event->b, STATUS_DEADLINE);
    }
}

/* To the store by way of the coordinator's process. */
void host_put(struct world *w, struct session *s, struct session_put *put)
{
    put->life = w->hosts[s->host]->agent.life;
    put->id = mix(s->id, ++w->posted);
    center_put(w, &put->state, s->host, put->id);
    later(w, w->hosts[s->host], on_put_deadline, CHUNKS_DEADLINE_US, s->id,
          put->id);
}

static void on_put_answer(struct world *w, struct event *event)
{
    struct host *h = w->hosts[event->process - 1];

    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        if (h->sessions[i] != NULL) {
            session_stored(w, h->sessions[i], event->a, (enum status)event->b);
        }
    }
}

void host_stored(struct world *w,
                 uint32_t index,
                 uint64_t birth,
                 uint64_t put,
                 enum status status)
{
    if (process_alive(w, 1 + index) && w->processes[1 + index].birth == birth) {
        later(w, w->hosts[index], on_put_answer,
              20 + world_draw(w, w->scenario->troubles.delay_us), put,
              (uint64_t)status);
    }
}

/* --- The agent's actions --- */

static void on_opened(struct world *w, struct event *event)
{
    uint32_t slot = 0;
    struct session *s = find(w->hosts[event->process - 1], event->a, &slot);

    if (s != NULL) {
        host_notice(w, s, AGENT_OPENED, STATUS_OK);
    }
}

static void on_links(struct world *w, struct event *event)
{
    struct host *h = w->hosts[event->process - 1];
    uint32_t slot = 0;
    struct session *s = find(h, event->a, &slot);

    if (s == NULL || s->stopped) {
        return;
    }
    if (session_linked(w, s)) {
        host_notice(w, s, AGENT_LOADED, STATUS_OK);
    } else if (w->now_us >= s->links_until_us) {
        host_notice(w, s, AGENT_LOADED, STATUS_UNAVAILABLE);
    } else {
        later(w, h, on_links, LINKS_RETRY_US, s->id, 0);
    }
}

static void begin_links(struct world *w, struct host *h, struct session *s)
{
    s->links_until_us = w->now_us + LINKS_DEADLINE_US;
    later(w, h, on_links, 0, s->id, 0);
}

void host_loaded(struct world *w, struct session *s, enum status status)
{
    if (status == STATUS_OK) {
        begin_links(w, w->hosts[s->host], s);
    } else {
        host_notice(w, s, AGENT_LOADED, status);
    }
}

/* The store's answer: event->b is its status. */
static void on_fetched(struct world *w, struct event *event)
{
    struct host *h = w->hosts[event->process - 1];
    uint32_t slot = 0;
    struct session *s = find(h, event->a, &slot);
    enum status status = (enum status)event->b;

    if (s == NULL || s->stopped || !s->reading) {
        return;
    }
    s->reading = false;
    if (status == STATUS_OK) {
        status = session_fetch(w, s);
        if (status != STATUS_OK) {
            world_fail(w, "a version names a state that is not in the store");
        }
    }
    host_loaded(w, s, status);
}

struct fetch {
    uint32_t host;
    uint64_t birth;
    uint64_t session;
};

/* In the coordinator's process. */
static void on_fetch(struct world *w, struct event *event)
{
    const struct fetch *fetch = event->payload;

    if (process_alive(w, 1 + fetch->host) &&
        w->processes[1 + fetch->host].birth == fetch->birth) {
        later(w, w->hosts[fetch->host], on_fetched, world_between(w, 50, 2000),
              fetch->session, (uint64_t)disk_read(w));
    }
}

static void on_made(struct world *w, struct event *event)
{
    struct host *h = w->hosts[event->process - 1];
    uint32_t slot = 0;
    struct session *s = find(h, event->a, &slot);
    struct fetch fetch = {.host = h->index, .session = event->a};
    struct event ask = {.fn = on_fetch, .process = COORDINATOR};

    if (s == NULL || s->stopped) {
        return;
    }
    session_make(w, s);
    if (s->assign.from_point) {
        vault_load(w, s);
        return;
    }
    if (s->assign.records_count == 0) {
        begin_links(w, h, s);
        return;
    }
    s->reading = true;
    s->reading_life = h->agent.life;
    fetch.birth = w->processes[1 + h->index].birth;
    if (process_alive(w, COORDINATOR)) {
        ask.at_us = w->now_us + world_between(w, 20, 1000);
        ask.payload = world_copy(&fetch, sizeof(fetch));
        (void)world_post(w, ask);
    }
    later(w, h, on_fetched, CHUNKS_DEADLINE_US, s->id, STATUS_DEADLINE);
}

static void on_close(struct world *w, struct event *event)
{
    struct host *h = w->hosts[event->process - 1];
    uint32_t slot = 0;
    struct session *s = find(h, event->a, &slot);

    CHECK(s != NULL);
    if (s->running > 0) {
        later(w, h, on_close, 100, s->id, 0);
        return;
    }
    host_notice(w, s, AGENT_CLOSED, STATUS_OK);
}

static void on_close_late(struct world *w, struct event *event)
{
    struct host *h = w->hosts[event->process - 1];
    uint32_t slot = 0;
    struct session *s = find(h, event->a, &slot);

    CHECK(s != NULL);
    s->stopped = true;
    on_close(w, event);
}

/* A new life of the coordinator knows nothing of requests to the one before:
 * they end as UNAVAILABLE. */
static void connect_chunks(struct world *w, struct host *h)
{
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        struct session *s = h->sessions[i];

        if (s == NULL) {
            continue;
        }
        for (uint32_t p = 0; p < PUTS_MAX; p++) {
            if (s->puts[p].id != 0 && s->puts[p].life != h->agent.life) {
                session_stored(w, s, s->puts[p].id, STATUS_UNAVAILABLE);
            }
        }
        if (s->reading && s->reading_life != h->agent.life) {
            later(w, h, on_fetched, 0, s->id, STATUS_UNAVAILABLE);
        }
    }
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

/* PLANT_LIVES_ON: it goes on beyond the boundary that has stopped it. */
static void close_session(struct world *w, struct host *h, struct session *s)
{
    if (w->scenario->plant == PLANT_LIVES_ON && s->made && !s->stopped &&
        world_chance(w, 2)) {
        session_release(w, s);
        later(w, h, on_close_late, world_between(w, 1, 20000), s->id, 0);
        return;
    }
    s->stopped = true;
    later(w, h, on_close, 0, s->id, 0);
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
        s = session_open(w, h->index, h->agent.worker, h->letter);
        h->sessions[action->slot] = s;
        later(w, h, on_opened, world_between(w, 50, 3000), s->id, 0);
    } else if (action->type == AGENT_ACT_LOAD) {
        later(w, h, on_made, world_between(w, 50, 1000), s->id, 0);
    } else if (action->type == AGENT_ACT_GRANT) {
        session_grant(w, s, h->message->grant.grant);
    } else {
        CHECK(action->type == AGENT_ACT_CLOSE);
        close_session(w, h, s);
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
        connect_chunks(w, h);
        break;
    case AGENT_ACT_PROBE:
        later(w, h, on_probed, world_between(w, 50, 3000), h->message->open.job,
              scenario_job(h->message->open.spec));
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
        step(w, h, (struct agent_event){.type = AGENT_TICK});
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
        later(w, h, on_tick, at - w->now_us, at, 0);
    }
}

static void step(struct world *w, struct host *h, struct agent_event event)
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
    step(w, h,
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
    step(w, h, (struct agent_event){.type = AGENT_START});
}

static void on_back(struct world *w, struct event *event)
{
    world_say(w, "w%u starts", (unsigned)event->a);
    start(w, w->hosts[event->a]);
}

static void on_leave(struct world *w, struct event *event)
{
    step(w, w->hosts[event->process - 1],
         (struct agent_event){.type = AGENT_LEAVE});
}

void host_leave(struct world *w, uint32_t index)
{
    world_say(w, "w%u is told to end", index);
    later(w, w->hosts[index], on_leave, 0, 0, 0);
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
