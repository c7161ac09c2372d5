#include "worker/shell/host.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "worker/core/agent.h"
#include "worker/shell/control.h"
#include "worker/shell/fingerprint.h"
#include "worker/shell/identity.h"
#include "worker/shell/probes.h"
#include "worker/shell/slot.h"
#include "worker/shell/tell.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum {
    /* Hashes of a window, data sets, sessions being made. */
    BACKGROUND_QUEUE = 64,
    /* Operations without a look at the frames that have come. */
    WORK_US = 100,
    /* So many times that before control traffic gets its turn. */
    WORK_ROUNDS = 10,
    /* A slot has one notice of each kind outstanding at most. */
    NOTICES_MAX = SESSIONS_MAX * SLOT_CLOSED,
    EXIT_FAILED = 1,
    EXIT_REFUSED = 6 /* the coordinator does not accept this worker */
};

struct host {
    struct settings settings;
    struct fingerprint fingerprint;
    struct identity identity;
    struct loop *loop;
    struct link_context *context;
    struct services services;
    struct control *control;
    struct agent agent;
    struct agent_actions actions;
    const struct wire *message; /* being handled; NULL otherwise */
    uint32_t timer;
    bool has_timer;
    struct slot slots[SESSIONS_MAX];
    struct agent_event notices[NOTICES_MAX];
    uint32_t notices_count;
    struct probes probes;
    bool working;         /* host_work is posted */
    uint64_t steps_ended; /* of sessions that are gone */
    uint64_t turns;
    int exit_code;
};

static void step(struct host *host, struct agent_event event);

static uint32_t index_of(const struct host *host, const struct slot *slot)
{
    return (uint32_t)(slot - host->slots);
}

/* What is told to the coordinator */

static void on_send(void *owner, const struct wire *message)
{
    struct host *host = owner;

    tell(host->control, message);
}

static void on_beat(void *owner)
{
    struct host *host = owner;
    struct vault_bytes held = vault_bytes(host->services.vault);
    struct wire_heartbeat heartbeat = {
        .life = host->agent.life,
        .shard_steps = host->steps_ended,
        .bytes_sent = exchange_bytes_sent(host->services.exchange),
        .turns = host->turns,
        .kept_bytes = held.own,
        .buddy_bytes = held.buddies};

    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        if (host->slots[i].session != NULL) {
            heartbeat.shard_steps += session_steps(host->slots[i].session);
        }
    }
    tell_heartbeat(host->control, &heartbeat);
}

static void on_kept(void *owner, const struct wire_kept *kept)
{
    struct host *host = owner;
    struct wire message = {.kind = WIRE_KEPT, .kept = *kept};

    tell(host->control, &message);
}

/* A READY of BUSY is about no slot. */
static void send_ready(struct host *host, const struct agent_action *action)
{
    const struct slot *slot = &host->slots[action->slot];
    bool same = slot->used && slot->assign.job == action->job &&
                slot->assign.term == action->term;

    tell_ready(host->control, action->job, action->term, action->status,
               same ? slot->why : "this worker has no room for a session");
}

/* Notices: the slots' news become events in a turn of their own, so that no
 * action of the agent is carried out inside another. */

static void take_notices(void *owner)
{
    struct host *host = owner;

    while (host->notices_count > 0) {
        struct agent_event event = host->notices[0];

        host->notices_count--;
        memmove(host->notices, host->notices + 1,
                host->notices_count * sizeof(event));
        step(host, event);
    }
}

static void add_notice(struct host *host, struct agent_event event)
{
    CHECK(host->notices_count < NOTICES_MAX);
    host->notices[host->notices_count++] = event;
    if (host->notices_count == 1) {
        CHECK(loop_post(host->loop, take_notices, host) == STATUS_OK);
    }
}

static void on_notice(void *owner,
                      struct slot *slot,
                      enum slot_notice notice,
                      enum status status)
{
    static const enum agent_event_type types[] = {[SLOT_OPENED] = AGENT_OPENED,
                                                  [SLOT_LOADED] = AGENT_LOADED,
                                                  [SLOT_FAULTED] =
                                                      AGENT_FAULTED,
                                                  [SLOT_CLOSED] = AGENT_CLOSED};
    struct host *host = owner;

    add_notice(host, (struct agent_event){.type = types[notice],
                                          .slot = index_of(host, slot),
                                          .status = status});
}

/* Computing */

static void work(void *owner)
{
    struct host *host = owner;
    bool more = true;

    host->working = false;
    host->turns++;
    for (int round = 0; more && round < WORK_ROUNDS; round++) {
        more = false;
        for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
            struct session *session = host->slots[i].session;

            more = (session != NULL && session_work(session, WORK_US)) || more;
        }
        exchange_poll(host->services.exchange);
    }
    if (more && !host->working) {
        host->working = true;
        CHECK(loop_post(host->loop, work, host) == STATUS_OK);
    }
}

static void on_wake(void *owner)
{
    struct host *host = owner;

    if (!host->working) {
        host->working = true;
        CHECK(loop_post(host->loop, work, host) == STATUS_OK);
    }
}

static void on_frame(void *owner,
                     const struct frame_header *header,
                     struct part *payload)
{
    struct host *host = owner;

    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        struct session *session = host->slots[i].session;

        if (session != NULL && session_job(session) == header->job &&
            session_term(session) == header->term) {
            session_frame(session, header, payload);
            return;
        }
    }
    trust_stale(host->services.trust, header->from_worker);
    part_close(payload);
}

/* Copies that other workers bring */

static bool expects(void *owner, const struct piece_header *header)
{
    const struct host *host = owner;
    bool expected = false;

    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        expected = expected || slot_expects(&host->slots[i], header);
    }
    return expected;
}

static void forget(struct host *host, uint64_t job)
{
    struct holdings_rule rule = holdings_on_forget(job);

    vault_drop(host->services.vault, &rule);
}

/* The agent's actions */

static void open_session(struct host *host, uint32_t slot)
{
    void *memory = NULL;

    CHECK(host->message != NULL);
    if (control_take_arena(host->control, &memory) != STATUS_OK) {
        add_notice(host, (struct agent_event){.type = AGENT_OPENED,
                                              .slot = slot,
                                              .status = STATUS_NO_MEMORY});
        return;
    }
    trust_place(host->services.trust, slot, host->message->assign.peers,
                host->message->assign.peers_count);
    slot_open(&host->slots[slot], memory, &host->message->assign,
              host->agent.worker);
}

static void close_session(struct host *host, uint32_t index)
{
    struct slot *slot = &host->slots[index];

    trust_place(host->services.trust, index, NULL, 0);
    if (!slot->used) { /* memory was short when it was to be opened */
        on_notice(host, slot, SLOT_CLOSED, STATUS_OK);
        return;
    }
    if (slot->session != NULL) {
        host->steps_ended += session_steps(slot->session);
    }
    slot_close(slot);
}

static void quit(struct host *host, const struct agent_action *action)
{
    host->exit_code = action->status == STATUS_OK ? 0 : EXIT_REFUSED;
    if (action->status != STATUS_OK) {
        log_line(LOG_ERROR, "host", "refused", "why=\"%s\"", action->reason);
        (void)fprintf(stderr, "cajal-worker: refused: %s\n", action->reason);
    }
    loop_stop(host->loop);
}

static void connect_chunks(struct host *host)
{
    const struct wire_welcome *welcome = &host->message->welcome;
    const char *endpoint = welcome->chunk_endpoint;
    const struct curvekey *far_key =
        trust_coordinator(host->services.trust, endpoint);
    bool open = far_key == NULL && !host->settings.insecure &&
                settings_is_beyond_loopback(endpoint);

    log_line(LOG_INFO, "host", "joined", "life=%" PRIu64 " worker=w%u",
             welcome->life, welcome->worker);
    if (open || chunks_connect(host->services.chunks, endpoint, far_key,
                               welcome->life) != STATUS_OK) {
        log_line(LOG_ERROR, "host", "chunks_unreachable", "endpoint=%s",
                 endpoint);
    }
}

static void execute(struct host *host, const struct agent_action *action)
{
    struct slot *slot = &host->slots[action->slot];

    switch (action->type) {
    case AGENT_ACT_HELLO:
        tell_hello(host->control, &host->settings, &host->fingerprint,
                   host->identity.incarnation,
                   exchange_endpoint(host->services.exchange),
                   vault_endpoint(host->services.vault), host->services.trust);
        return;
    case AGENT_ACT_HEARTBEAT:
        on_beat(host);
        return;
    case AGENT_ACT_CHUNKS:
        connect_chunks(host);
        return;
    case AGENT_ACT_PROBE:
        probes_begin(&host->probes, &host->message->open);
        return;
    case AGENT_ACT_OPEN:
        open_session(host, action->slot);
        return;
    case AGENT_ACT_LOAD:
        slot_load(slot);
        return;
    case AGENT_ACT_READY:
        send_ready(host, action);
        return;
    case AGENT_ACT_GRANT:
        session_grant(slot->session, host->message->grant.grant);
        return;
    case AGENT_ACT_RELEASE:
        session_release(slot->session, host->message->release.term,
                        host->message->release.interval);
        return;
    case AGENT_ACT_FAULT:
        tell_fault(host->control, action->job, action->term, slot->fault,
                   slot->why);
        return;
    case AGENT_ACT_CLOSE:
        close_session(host, action->slot);
        return;
    case AGENT_ACT_RETELL:
        vault_retell(host->services.vault);
        return;
    case AGENT_ACT_FORGET:
        forget(host, action->job);
        return;
    case AGENT_ACT_LEAVE:
        tell_leave(host->control);
        return;
    case AGENT_ACT_GOODBYE:
        tell_goodbye(host->control);
        return;
    case AGENT_ACT_QUIT:
        quit(host, action);
        return;
    case AGENT_ACT_REFUSED:
        log_line(LOG_WARN, "host", "message_refused", "kind=%s why=\"%s\"",
                 host->message != NULL ? wire_kind_name(host->message->kind)
                                       : "none",
                 action->reason);
        return;
    }
    CHECK(false);
}

static void step(struct host *host, struct agent_event event)
{
    event.now_ms = clock_now_ms();
    agent_step(&host->agent, &event, &host->actions);
    for (uint32_t i = 0; i < host->actions.count; i++) {
        execute(host, &host->actions.items[i]);
    }
    loop_set_timer(host->loop, host->timer, agent_deadline_ms(&host->agent));
}

static void on_message(void *owner, const struct wire *message)
{
    struct host *host = owner;

    if (message->kind == WIRE_ROSTER) {
        trust_roster(host->services.trust, &message->roster);
        return;
    }
    host->message = message;
    step(host, (struct agent_event){.type = AGENT_MESSAGE, .message = message});
    host->message = NULL;
}

static void on_link(void *owner, bool stands)
{
    step(owner,
         (struct agent_event){.type = stands ? AGENT_LINKED : AGENT_CUT_OFF});
}

static void on_timer(void *owner)
{
    step(owner, (struct agent_event){.type = AGENT_TICK});
}

static void on_signal(void *owner, int number)
{
    if (number == SIGTERM || number == SIGINT) {
        step(owner, (struct agent_event){.type = AGENT_LEAVE});
    }
}

/* Life */

static enum status open_pools(struct host *host)
{
    struct services *s = &host->services;
    unsigned threads = (unsigned)host->settings.threads;
    enum status status = jobs_open(host->loop, host->context, 1,
                                   BACKGROUND_QUEUE, &s->background);

    s->threads = threads;
    if (status == STATUS_OK && threads > 1) {
        /* Each session has as many operations at once as there are threads. */
        status = jobs_open(host->loop, host->context, threads,
                           2 * SESSIONS_MAX * threads, &s->compute);
    }
    return status;
}

static enum status open_links(struct host *host)
{
    struct services *s = &host->services;
    struct exchange_options exchange = {.loop = host->loop,
                                        .context = host->context,
                                        .endpoint = host->identity.endpoint,
                                        .trust = s->trust,
                                        .owner = host,
                                        .on_frame = on_frame};
    struct control_options control = {
        .loop = host->loop,
        .context = host->context,
        .endpoint = host->settings.connect,
        .routing_id = host->identity.routing_id,
        .far_key = trust_coordinator(s->trust, host->settings.connect),
        .owner = host,
        .on_message = on_message,
        .on_link = on_link};
    struct vault_options vault = {
        .loop = host->loop,
        .context = host->context,
        .trust = s->trust,
        .endpoint = host->identity.vault_endpoint,
        .locked = trust_locks(s->trust, host->identity.vault_endpoint),
        .owner = host,
        .expects = expects,
        .kept = on_kept};
    enum status status = exchange_open(&exchange, &s->exchange);

    if (status == STATUS_OK) {
        status = vault_open(&vault, &s->vault);
    }
    if (status == STATUS_OK) {
        status = chunks_open(host->loop, host->context, &s->chunks);
    }
    if (status == STATUS_OK) {
        status = control_open(&control, &host->control);
    }
    return status;
}

static enum status open_services(struct host *host)
{
    struct services *s = &host->services;
    struct slot_hooks hooks = {.owner = host,
                               .notice = on_notice,
                               .send = on_send,
                               .beat = on_beat,
                               .wake = on_wake};
    enum status status = open_pools(host);

    if (status == STATUS_OK) {
        status = open_links(host);
    }
    if (status == STATUS_OK) {
        status = cutter_open(s->chunks, s->background, &s->cutter);
    }
    if (status == STATUS_OK) {
        status = streams_open(host->loop, s->background, host->settings.runtime,
                              &s->streams);
    }
    if (status == STATUS_OK) {
        probes_init(&host->probes, host->control, s->streams);
    }
    for (uint32_t i = 0; status == STATUS_OK && i < SESSIONS_MAX; i++) {
        status = slot_init(&host->slots[i], s, &hooks);
    }
    return status;
}

static enum status open_all(struct host *host)
{
    enum status status = identity_draw(&host->settings, &host->identity);

    if (status == STATUS_OK) {
        status = fingerprint_take(&host->fingerprint);
    }
    if (status == STATUS_OK) {
        status = loop_open(&host->loop);
    }
    if (status == STATUS_OK) { /* before any thread starts */
        status = loop_add_signals(host->loop, on_signal, host);
    }
    if (status == STATUS_OK) {
        status = loop_add_timer(host->loop, UINT64_MAX, on_timer, host,
                                &host->timer);
        host->has_timer = status == STATUS_OK;
    }
    if (status == STATUS_OK) {
        status = link_context_open(&host->context);
    }
    host->services.loop = host->loop;
    host->services.context = host->context;
    if (status == STATUS_OK) { /* before any link is bound */
        status = trust_open(host->loop, host->context, &host->settings,
                            &host->services.trust);
    }
    if (status == STATUS_OK) {
        status = open_services(host);
    }
    return status;
}

enum status host_open(const struct settings *settings, struct host **out)
{
    struct host *host = mem_new(sizeof(*host));
    enum status status = STATUS_NO_MEMORY;

    if (host == NULL) {
        return status;
    }
    host->settings = *settings;
    agent_init(&host->agent);
    status = open_all(host);
    if (status != STATUS_OK) {
        log_line(LOG_ERROR, "host", "start_failed", "why=\"%s\"",
                 status_text(status));
        host_close(host);
        return status;
    }
    *out = host;
    return STATUS_OK;
}

static void close_pool(struct jobs *jobs)
{
    if (jobs != NULL) {
        jobs_stop(jobs);
        jobs_join(jobs);
    }
}

void host_close(struct host *host)
{
    struct services *s = NULL;

    if (host == NULL) {
        return;
    }
    s = &host->services;
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        if (host->slots[i].session != NULL) {
            session_stop(host->slots[i].session);
        }
        host->slots[i].closing = true;
    }
    close_pool(s->compute);
    close_pool(s->background);
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        slot_fini(&host->slots[i]);
    }
    cutter_close(s->cutter);
    streams_close(s->streams);
    control_close(host->control);
    chunks_close(s->chunks);
    vault_close(s->vault);
    exchange_close(s->exchange);
    trust_close(s->trust);
    jobs_close(s->compute);
    jobs_close(s->background);
    link_context_close(host->context);
    if (host->has_timer) {
        loop_remove_timer(host->loop, host->timer);
    }
    loop_close(host->loop);
    mem_free(host);
}

int host_run(struct host *host)
{
    log_line(LOG_INFO, "host", "started",
             "name=%s kernels=\"%s\" threads=%" PRIu64 " connect=%s data=%s",
             host->settings.name, host->fingerprint.kernels,
             host->settings.threads, host->settings.connect,
             exchange_endpoint(host->services.exchange));
    host->exit_code = EXIT_FAILED;
    step(host, (struct agent_event){.type = AGENT_START});
    if (loop_run(host->loop) != STATUS_OK) {
        return EXIT_FAILED;
    }
    log_line(LOG_INFO, "host", "ended", "code=%d", host->exit_code);
    return host->exit_code;
}
