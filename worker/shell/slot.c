#include "worker/shell/slot.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum {
    LINKS_RETRY_MS = 2,        /* while links to peers are being built */
    LINKS_DEADLINE_MS = 10000, /* a peer that is not there by then is gone */
    CLOSE_RETRY_MS = 2         /* while operations still run */
};

static void notify(struct slot *slot,
                   enum slot_notice notice,
                   enum status status)
{
    slot->hooks.notice(slot->hooks.owner, slot, notice, status);
}

/* A stage has failed. The caller has filled in why, or gives it. */
static void stage_failed(struct slot *slot,
                         enum slot_notice notice,
                         enum status status,
                         const char *why)
{
    if (why != slot->why) {
        (void)snprintf(slot->why, sizeof(slot->why), "%s", why);
    }
    log_line(LOG_WARN, "slot", "session_refused",
             "job=j%llu term=%llu why=\"%s\"",
             (unsigned long long)slot->assign.job,
             (unsigned long long)slot->assign.term, slot->why);
    notify(slot, notice, status);
}

/* Data */

static void on_stream(void *owner,
                      enum status status,
                      struct stream *stream,
                      const char *why)
{
    struct slot *slot = owner;
    const struct data_shape *shape = NULL;

    slot->under_way--;
    slot->stream = stream;
    if (slot->closing) {
        return;
    }
    if (status != STATUS_OK) {
        stage_failed(slot, SLOT_OPENED, status, why);
        return;
    }
    shape = stream_shape(stream);
    if (!hash_equal(&shape->hash, &slot->assign.shape->hash)) {
        stage_failed(slot, SLOT_OPENED, STATUS_INVALID,
                     "the data here are not those that the job began with");
        return;
    }
    notify(slot, SLOT_OPENED, STATUS_OK);
}

void slot_open(struct slot *slot,
               void *memory,
               const struct wire_assign *assign,
               uint32_t worker)
{
    struct holdings_rule rule = holdings_on_assign(assign);
    enum status status = STATUS_OK;

    CHECK(!slot->used);
    vault_drop(slot->services->vault, &rule);
    slot->used = true;
    slot->closing = false;
    slot->memory = memory;
    slot->assign = *assign;
    slot->worker = worker;
    slot->why[0] = '\0';
    log_line(LOG_INFO, "slot", "session_assigned",
             "job=j%llu term=%llu step=%llu workers=%u records=%u point=%d",
             (unsigned long long)assign->job, (unsigned long long)assign->term,
             (unsigned long long)assign->step, assign->peers_count,
             assign->records_count, assign->from_point);
    status =
        streams_get(slot->services->streams, assign->spec, on_stream, slot);
    if (status != STATUS_OK) {
        stage_failed(slot, SLOT_OPENED, status,
                     "too many data sets are open on this worker");
        return;
    }
    slot->under_way++;
}

/* What a session asks for */

static void session_send(void *owner,
                         uint32_t worker,
                         const struct frame_header *header,
                         struct part *payload)
{
    struct slot *slot = owner;
    char why[REASON_BYTES_MAX];

    if (exchange_send(slot->services->exchange, worker, header, payload) !=
        STATUS_OK) {
        (void)snprintf(why, sizeof(why), "the link to w%u is lost", worker);
        session_fail(slot->session, FAULT_FRAME, why);
    }
}

static void session_report(void *owner,
                           const struct report *report,
                           bool closing)
{
    struct slot *slot = owner;
    /* wire.h has no const report: it is also what is decoded into. */
    struct report *given = (struct report *)(uintptr_t)report;
    struct wire message = {.kind = WIRE_REPORT,
                           .report = {slot->assign.job, given}};

    if (closing) {
        slot->hooks.beat(slot->hooks.owner);
    }
    slot->hooks.send(slot->hooks.owner, &message);
}

static void on_cut(void *owner,
                   enum status status,
                   const struct copy *copy,
                   const struct shard_record *record)
{
    struct slot *slot = owner;
    struct wire message = {.kind = WIRE_SHARD_CUT,
                           .shard_cut = {.job = slot->assign.job,
                                         .term = slot->assign.term,
                                         .version = copy->cut.version}};

    if (status != STATUS_OK) {
        /* The worker's own disk has no part in it. */
        session_fail(slot->session, FAULT_CHUNK,
                     status == STATUS_FULL
                         ? "the disk of the store is full: a version could "
                           "not be kept; make room, then resume"
                         : status_text(status));
        return;
    }
    message.shard_cut.record = (struct shard_record *)(uintptr_t)record;
    slot->hooks.send(slot->hooks.owner, &message);
    session_stored(slot->session, copy->cut.local);
}

/* The next worker of the placement, in a ring. NULL: there is no other. */
static const struct wire_peer *buddy_of(const struct slot *slot)
{
    const struct wire_assign *assign = &slot->assign;
    uint32_t self = 0;

    while (assign->peers[self].worker != slot->worker) {
        self++;
        CHECK(self < assign->peers_count);
    }
    return assign->peers_count > 1
               ? &assign->peers[(self + 1) % assign->peers_count]
               : NULL;
}

static void keep_copy(struct slot *slot, struct copy *copy)
{
    struct vault_copy kept = {.key = {.job = slot->assign.job,
                                      .term = slot->assign.term,
                                      .line = copy->cut.line,
                                      .interval = copy->cut.interval,
                                      .layer = copy->layer,
                                      .shard = copy->shard},
                              .kept = copy->cut.kept,
                              .cost_us = copy->cost_us,
                              .buddy = buddy_of(slot)};

    vault_keep(slot->services->vault, &kept, &copy->pieces);
}

static void session_cut(void *owner, struct copy *copy)
{
    struct slot *slot = owner;
    enum status status = STATUS_OK;

    if (copy->cut.keep) {
        keep_copy(slot, copy);
    }
    if (copy->cut.version == 0) {
        copy_close(copy);
        return;
    }
    status = cutter_add(slot->services->cutter, copy, on_cut, slot);
    if (status != STATUS_OK) {
        copy_close(copy);
        session_fail(slot->session, FAULT_NO_MEMORY, status_text(status));
    }
}

static void session_refusal(void *owner, enum status status, const char *reason)
{
    const struct slot *slot = owner;

    log_line(LOG_WARN, "slot", "refused", "job=j%llu status=%u why=\"%s\"",
             (unsigned long long)slot->assign.job, status, reason);
}

static void session_fault(void *owner, enum fault_kind kind, const char *text)
{
    struct slot *slot = owner;

    slot->fault = kind;
    (void)snprintf(slot->why, sizeof(slot->why), "%s", text);
    log_line(LOG_ERROR, "slot", "session_failed",
             "job=j%llu term=%llu why=\"%s\"",
             (unsigned long long)slot->assign.job,
             (unsigned long long)slot->assign.term, text);
    notify(slot, SLOT_FAULTED, STATUS_OK);
}

static void session_wake(void *owner)
{
    const struct slot *slot = owner;

    slot->hooks.wake(slot->hooks.owner);
}

/* Loading: shards in the background, then records or copies, then links. */

static void on_links_timer(struct slot *slot)
{
    for (uint32_t i = 0; i < slot->assign.peers_count; i++) {
        const struct wire_peer *peer = &slot->assign.peers[i];

        if (peer->worker == slot->worker ||
            exchange_connected(slot->services->exchange, peer->worker)) {
            continue;
        }
        if (clock_now_ms() < slot->deadline_ms) {
            loop_set_timer(slot->services->loop, slot->timer,
                           clock_now_ms() + LINKS_RETRY_MS);
            return;
        }
        (void)snprintf(slot->why, sizeof(slot->why),
                       "worker w%u cannot be reached at %s", peer->worker,
                       peer->endpoint);
        stage_failed(slot, SLOT_LOADED, STATUS_UNAVAILABLE, slot->why);
        return;
    }
    log_line(LOG_INFO, "slot", "session_ready", "job=j%llu term=%llu shards=%u",
             (unsigned long long)slot->assign.job,
             (unsigned long long)slot->assign.term,
             session_shards(slot->session));
    notify(slot, SLOT_LOADED, STATUS_OK);
}

static void begin_links(struct slot *slot)
{
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < slot->assign.peers_count; i++) {
        const struct wire_peer *peer = &slot->assign.peers[i];

        if (peer->worker == slot->worker) {
            continue;
        }
        status = exchange_connect(slot->services->exchange, peer);
        if (status != STATUS_OK) {
            (void)snprintf(slot->why, sizeof(slot->why),
                           "worker w%u has a data endpoint that does not "
                           "work here: %s",
                           peer->worker, peer->endpoint);
            stage_failed(slot, SLOT_LOADED, status, slot->why);
            return;
        }
    }
    slot->deadline_ms = clock_now_ms() + LINKS_DEADLINE_MS;
    loop_set_timer(slot->services->loop, slot->timer, clock_now_ms());
}

static void on_loaded(void *owner, enum status status, const char *why)
{
    struct slot *slot = owner;

    if (slot->closing) {
        return;
    }
    if (status != STATUS_OK) {
        stage_failed(slot, SLOT_LOADED, status, why);
        return;
    }
    begin_links(slot);
}

static void begin_records(struct slot *slot)
{
    struct loader_options options = {.session = slot->session,
                                     .records = slot->assign.records,
                                     .records_count =
                                         slot->assign.records_count,
                                     .chunks = slot->services->chunks,
                                     .done = on_loaded,
                                     .owner = slot};
    enum status status = loader_open(&options, &slot->loader);

    if (status != STATUS_OK) {
        stage_failed(slot, SLOT_LOADED, status, status_text(status));
        return;
    }
    loader_start(slot->loader);
}

static void begin_point(struct slot *slot)
{
    struct pointloader_options options = {.loop = slot->services->loop,
                                          .context = slot->services->context,
                                          .trust = slot->services->trust,
                                          .session = slot->session,
                                          .assign = &slot->assign,
                                          .vault = slot->services->vault,
                                          .done = on_loaded,
                                          .owner = slot};
    enum status status = pointloader_open(&options, &slot->pointloader);

    if (status != STATUS_OK) {
        stage_failed(slot, SLOT_LOADED, status, status_text(status));
        return;
    }
    pointloader_start(slot->pointloader);
}

static void make_session(void *owner)
{
    struct slot *slot = owner;
    const struct wire_assign *assign = &slot->assign;
    const struct services *services = slot->services;
    uint32_t workers[WORKERS_MAX];
    struct session_options options = {.job = assign->job,
                                      .term = assign->term,
                                      .step = assign->step,
                                      .total_steps = assign->total_steps,
                                      .spec = assign->spec,
                                      .arch = assign->arch,
                                      .workers_count = assign->peers_count,
                                      .workers = workers,
                                      .worker = slot->worker,
                                      .owners_count = assign->owners_count,
                                      .owners = assign->owners,
                                      .stream = slot->stream,
                                      .jobs = services->compute,
                                      .slots = services->threads,
                                      .hooks = {.owner = slot,
                                                .send = session_send,
                                                .report = session_report,
                                                .cut = session_cut,
                                                .refused = session_refusal,
                                                .fault = session_fault,
                                                .wake = session_wake}};

    for (uint32_t i = 0; i < assign->peers_count; i++) {
        workers[i] = assign->peers[i].worker;
    }
    slot->status =
        session_open(&options, slot->why, sizeof(slot->why), &slot->made);
}

static void on_made(void *owner)
{
    struct slot *slot = owner;

    slot->under_way--;
    slot->session = slot->made;
    slot->made = NULL;
    if (slot->closing) {
        return;
    }
    if (slot->status != STATUS_OK) {
        stage_failed(slot, SLOT_LOADED, slot->status, slot->why);
    } else if (slot->assign.records_count > 0) {
        begin_records(slot);
    } else if (slot->assign.from_point) {
        begin_point(slot);
    } else {
        begin_links(slot);
    }
}

void slot_load(struct slot *slot)
{
    enum status status =
        jobs_submit(slot->services->background, make_session, on_made, slot);

    if (status != STATUS_OK) {
        stage_failed(slot, SLOT_LOADED, status, status_text(status));
        return;
    }
    slot->under_way++;
}

/* Closing */

static void release(struct slot *slot)
{
    cutter_forget(slot->services->cutter, slot);
    loader_close(slot->loader);
    slot->loader = NULL;
    pointloader_close(slot->pointloader);
    slot->pointloader = NULL;
    session_close(slot->session);
    slot->session = NULL;
    streams_put(slot->services->streams, slot->stream);
    slot->stream = NULL;
    mem_free(slot->memory);
    slot->memory = NULL;
    slot->used = false;
    slot->closing = false;
}

static bool may_release(const struct slot *slot)
{
    return slot->under_way == 0 &&
           (slot->session == NULL || session_idle(slot->session));
}

static void try_release(struct slot *slot)
{
    if (!may_release(slot)) {
        loop_set_timer(slot->services->loop, slot->timer,
                       clock_now_ms() + CLOSE_RETRY_MS);
        return;
    }
    log_line(LOG_INFO, "slot", "session_closed", "job=j%llu term=%llu",
             (unsigned long long)slot->assign.job,
             (unsigned long long)slot->assign.term);
    release(slot);
    notify(slot, SLOT_CLOSED, STATUS_OK);
}

void slot_close(struct slot *slot)
{
    CHECK(slot->used);
    slot->closing = true;
    if (slot->session != NULL) {
        session_stop(slot->session);
    }
    try_release(slot);
}

/* For one of its own shards, from one that another worker has. */
bool slot_expects(const struct slot *slot, const struct piece_header *header)
{
    const struct wire_assign *assign = &slot->assign;
    uint32_t at = header->shard;

    if (!slot->used || slot->closing || assign->job != header->job ||
        assign->term != header->term ||
        header->layer >= assign->arch->layers_count ||
        header->shard >= assign->arch->layers[header->layer].shards_count) {
        return false;
    }
    for (uint32_t l = 0; l < header->layer; l++) {
        at += assign->arch->layers[l].shards_count;
    }
    return assign->owners[at] != slot->worker;
}

static void on_timer(void *owner)
{
    struct slot *slot = owner;

    if (slot->closing) {
        try_release(slot);
    } else if (slot->used) {
        on_links_timer(slot);
    }
}

enum status slot_init(struct slot *slot,
                      const struct services *services,
                      const struct slot_hooks *hooks)
{
    enum status status = STATUS_OK;

    *slot = (struct slot){.services = services, .hooks = *hooks};
    status = loop_add_timer(services->loop, UINT64_MAX, on_timer, slot,
                            &slot->timer);
    slot->has_timer = status == STATUS_OK;
    return status;
}

void slot_fini(struct slot *slot)
{
    if (!slot->has_timer) {
        return;
    }
    loop_remove_timer(slot->services->loop, slot->timer);
    if (slot->used) {
        release(slot);
    }
    slot->has_timer = false;
}
