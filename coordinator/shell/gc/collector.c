#include "coordinator/shell/gc/collector.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "coordinator/shell/gc/gcplan.h"
#include "coordinator/shell/gc/pins.h"
#include "coordinator/shell/records/names.h"
#include "proto/cajal/v1/control.pb-c.h"
#include "storage/sweep.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    /* Names in one message; the rest is only counted. */
    NAMES_MAX = 4096,
    TELL_EVERY_MS = 1000
};

enum gc_phase {
    GC_IDLE = 0,
    GC_PLAN,
    GC_DROP,
    GC_OPEN,
    GC_MARK,
    GC_COUNT,
    GC_DELETE,
    GC_CLOSE,
    GC_TELL /* all is done, but the last message has not left yet */
};

/* Commits of a job since the last look at its versions. */
struct tally {
    uint64_t job;
    uint32_t commits;
    uint64_t settled_at; /* interval; 0: not known */
};

struct collector {
    struct collector_options options;
    bool stopped;
    struct pins pins;
    struct tally tallies[JOBS_MAX]; /* by slot */
    bool settled;     /* no cut of an earlier life can still be under way */
    uint64_t old_job; /* the newest that an earlier life has launched */

    /* The gc at hand: */
    enum gc_phase phase;
    bool by_hand;
    bool dry_run;
    bool sweeps;
    struct call *call; /* NULL: nobody listens */
    uint64_t told_ms;
    struct gcplan plan; /* a thread's while it is in GC_PLAN */
    size_t drop_at;     /* of the doomed: those before have been seen to */
    uint64_t dropped;
    struct sweep *sweep;
    struct sweep_result swept;
    bool step_done;
    enum status step_status;
    enum status status; /* the first failure */
};

/* --- What may not go now --- */

static void turn_pins(struct collector *collector)
{
    struct open_cut now[OPEN_CUTS_MAX];
    struct store *store = collector->options.store;
    uint64_t tick = store_tick(store);
    uint32_t count = pins_open_cuts(collector->options.core->jobs, now);

    store_young_floor(store, pins_turn(&collector->pins, now, count, tick));
}

/* Is nothing of what the job had been granted in an earlier life under way? */
static bool has_settled(const struct job *job, struct tally *tally)
{
    if (job->phase == PHASE_FREE || job->phase == PHASE_PAUSED ||
        job->phase == PHASE_ENDED || job->kind != KIND_TRAIN) {
        return true;
    }
    if (job->phase != PHASE_RUNNING) {
        return false;
    }
    if (tally->settled_at == 0) {
        tally->settled_at =
            GRANTS_MAX +
            (job->decided > job->journaled ? job->decided : job->journaled);
    }
    for (uint32_t c = 0; c < CUTS_MAX; c++) {
        if (job->cuts[c].used && job->cuts[c].interval < tally->settled_at) {
            return false;
        }
    }
    return job->reported >= tally->settled_at;
}

/* What was put in an earlier life is not known to be young. Workers may have
 * gone on with a cut whose chunks are from then; so nothing is swept until
 * each job that was resumed has left behind what it had been granted. */
static bool is_settled(struct collector *collector)
{
    const struct coord *core = collector->options.core;
    bool settled = true;

    for (uint32_t s = 0; s < JOBS_MAX && !collector->settled; s++) {
        const struct job *job = &core->jobs[s];

        settled = settled && (job->record.job > collector->old_job ||
                              has_settled(job, &collector->tallies[s]));
    }
    collector->settled = collector->settled || settled;
    return collector->settled;
}

/* --- Telling --- */

static void finish(struct collector *collector);

/* What was begun is done nevertheless. */
static void on_closed(void *owner)
{
    struct collector *collector = owner;

    collector->call = NULL;
    if (collector->phase == GC_TELL) {
        finish(collector);
    }
}

static void on_writable(void *owner)
{
    struct collector *collector = owner;

    if (collector->phase == GC_TELL) {
        finish(collector);
    }
}

static void send(struct collector *collector, const Cajal__V1__GcReply *reply)
{
    struct grpc_byte_buffer *buffer = NULL;

    if (rpc_pack(&reply->base, &buffer) == STATUS_OK) {
        call_send(collector->call, buffer);
    }
}

static void fill(const struct collector *collector, Cajal__V1__GcReply *out)
{
    const struct gcplan *plan = &collector->plan;

    out->versions_kept = plan->count - plan->doomed_count;
    out->versions =
        collector->dry_run ? plan->doomed_count : collector->dropped;
    out->chunks = collector->swept.chunks;
    out->bytes = collector->swept.bytes;
    out->spared_chunks = collector->swept.young_chunks;
    out->swept = collector->sweeps;
}

static void tell_progress(struct collector *collector)
{
    Cajal__V1__GcReply reply = CAJAL__V1__GC_REPLY__INIT;
    uint64_t now_ms = clock_now_ms();

    if (collector->call == NULL || !call_writable(collector->call) ||
        now_ms < collector->told_ms + TELL_EVERY_MS) {
        return;
    }
    collector->told_ms = now_ms;
    fill(collector, &reply);
    send(collector, &reply);
}

struct doomed_names {
    char *list[NAMES_MAX];
    char texts[NAMES_MAX][NUMBER_BYTES_MAX];
};

static void name_doomed(const struct collector *collector,
                        struct doomed_names *names,
                        Cajal__V1__GcReply *reply)
{
    const struct gcplan *plan = &collector->plan;

    for (size_t d = 0; d < plan->doomed_count && d < NAMES_MAX; d++) {
        (void)names_version(plan->doomed[d], names->texts[d]);
        names->list[d] = names->texts[d];
        reply->n_version = d + 1;
    }
    reply->version = names->list;
}

static void tell_end(struct collector *collector)
{
    Cajal__V1__GcReply reply = CAJAL__V1__GC_REPLY__INIT;
    struct doomed_names *names = mem_new(sizeof(*names));
    char job[NUMBER_BYTES_MAX];
    struct call *call = collector->call;

    fill(collector, &reply);
    reply.done = true;
    reply.job = (char *)(uintptr_t)names_job(collector->plan.job, job);
    if (names != NULL) {
        name_doomed(collector, names, &reply);
    }
    send(collector, &reply);
    mem_free(names);
    collector->call = NULL;
    call_finish(call, STATUS_OK, "");
}

static const char *why_of(enum status status)
{
    if (status == STATUS_FULL) {
        return "the disk of the store is full, and gc itself needs a little "
               "room. Make some first";
    }
    if (status == STATUS_CORRUPT) {
        return "something is damaged, so that nobody knows what may go. See "
               "what: cajal verify";
    }
    return status_text(status);
}

static void log_end(struct collector *collector)
{
    const struct collector_options *options = &collector->options;
    struct event_record event = {.wall_ms = clock_wall_ms(), .kind = "gc"};
    uint64_t job = collector->plan.job;
    struct job_record *record = NULL;

    log_line(LOG_INFO, "gc", "done",
             "job=j%" PRIu64 " versions=%" PRIu64 " chunks=%" PRIu64
             " bytes=%" PRIu64 " spared=%" PRIu64 " why=\"%s\"",
             job, collector->dropped, collector->swept.chunks,
             collector->swept.bytes, collector->swept.young_chunks,
             status_text(collector->status));
    if (collector->stopped) {
        return; /* the keeper may have nobody left who writes */
    }
    record = mem_new(sizeof(*record));
    if (collector->dropped > 0 && record != NULL &&
        options->view(options->owner, job, record) == STATUS_OK) {
        eventcode_fill(record, &event);
        (void)snprintf(event.text, sizeof(event.text),
                       "%" PRIu64 " versions dropped, %" PRIu64 " bytes free",
                       collector->dropped, collector->swept.bytes);
        keeper_event(options->keeper, job, &event, true);
    }
    mem_free(record);
}

static void finish(struct collector *collector)
{
    struct call *call = collector->call;

    CHECK(collector->sweep == NULL);
    if (call != NULL && !call_writable(call)) {
        collector->phase = GC_TELL; /* one message at a time */
        return;
    }
    if (!collector->dry_run && collector->plan.doomed_count > 0) {
        log_end(collector);
    }
    if (call != NULL && collector->status != STATUS_OK) {
        collector->call = NULL;
        call_finish(call, collector->status, why_of(collector->status));
    } else if (call != NULL) {
        tell_end(collector);
    }
    gcplan_fini(&collector->plan);
    collector->phase = GC_IDLE;
}

/* --- Steps on a thread --- */

static enum status drop_some(struct collector *collector)
{
    const struct gcplan *plan = &collector->plan;
    size_t count = plan->doomed_count - collector->drop_at;
    uint64_t dropped = 0;
    enum status status = STATUS_OK;

    count = count < DROPS_MAX ? count : DROPS_MAX;
    status = store_drop_versions(collector->options.store, plan->job,
                                 plan->doomed + collector->drop_at, count,
                                 clock_wall_ms(), &dropped);
    if (status == STATUS_OK) {
        collector->dropped += dropped;
        collector->drop_at += count;
        collector->step_done = collector->drop_at == plan->doomed_count;
    }
    return status;
}

static bool skip_doomed(void *owner, uint64_t job, uint64_t number)
{
    const struct collector *collector = owner;

    return gcplan_dooms(&collector->plan, job, number);
}

static enum status step(struct collector *collector)
{
    struct store *store = collector->options.store;

    switch (collector->phase) {
    case GC_PLAN:
        collector->step_done = true;
        return gcplan_read(&collector->plan, store);
    case GC_DROP:
        return drop_some(collector);
    case GC_OPEN:
        collector->step_done = true;
        return sweep_open(store, collector->dry_run ? skip_doomed : NULL,
                          collector, &collector->sweep);
    case GC_MARK:
        return sweep_mark(collector->sweep, &collector->step_done);
    case GC_COUNT:
        return sweep_count(collector->sweep, &collector->step_done);
    case GC_DELETE:
        return sweep_delete(collector->sweep, &collector->step_done);
    case GC_CLOSE:
        sweep_close(collector->sweep);
        collector->sweep = NULL;
        collector->step_done = true;
        return STATUS_OK;
    case GC_IDLE:
    case GC_TELL:
        break;
    }
    CHECK(false); /* nothing is done in these */
    return STATUS_OK;
}

static void run(void *work)
{
    struct collector *collector = work;

    collector->step_done = false;
    collector->step_status = step(collector);
}

/* --- From step to step, on the loop --- */

static void done(void *work);

static void go(struct collector *collector, enum gc_phase phase)
{
    bool reads = phase == GC_PLAN || phase == GC_MARK;
    struct jobs *pool =
        reads ? collector->options.reader : collector->options.writer;
    enum status status = STATUS_OK;

    collector->phase = phase;
    status = jobs_submit(pool, run, done, collector);
    if (status == STATUS_OK) {
        return;
    }
    /* The pools are being stopped, or have too much to do. What is done is
     * done, and the rest is the next gc's. No thread is at the sweep. */
    collector->status = status;
    if (collector->sweep != NULL) {
        sweep_close(collector->sweep);
        collector->sweep = NULL;
    }
    finish(collector);
}

static bool is_worth_it(const struct collector *collector)
{
    return collector->by_hand || collector->plan.doomed_count >=
                                     retention_slack(&collector->plan.keep);
}

static void after_plan(struct collector *collector)
{
    collector->status = gcplan_decide(
        &collector->plan, collector->options.spares, collector->options.owner);
    if (collector->status != STATUS_OK || !is_worth_it(collector)) {
        collector->plan.doomed_count = 0;
        finish(collector);
        return;
    }
    collector->sweeps = collector->dry_run || is_settled(collector);
    /* Twice: where no cut is open, all that was put until now is decided. */
    turn_pins(collector);
    turn_pins(collector);
    if (!collector->dry_run && collector->plan.doomed_count > 0) {
        go(collector, GC_DROP);
    } else {
        go(collector, GC_OPEN);
    }
}

static void after_drop(struct collector *collector)
{
    if (collector->sweeps) {
        go(collector, GC_OPEN);
    } else {
        finish(collector);
    }
}

static void go_on(struct collector *collector)
{
    switch (collector->phase) {
    case GC_PLAN:
        after_plan(collector);
        break;
    case GC_DROP:
        after_drop(collector);
        break;
    case GC_OPEN:
        go(collector, GC_MARK);
        break;
    case GC_MARK:
        go(collector, collector->dry_run ? GC_COUNT : GC_DELETE);
        break;
    case GC_COUNT:
    case GC_DELETE:
        go(collector, GC_CLOSE);
        break;
    case GC_CLOSE:
        finish(collector);
        break;
    case GC_IDLE:
    case GC_TELL:
        break;
    }
}

static void done(void *work)
{
    struct collector *collector = work;

    if (collector->sweep != NULL) {
        collector->swept = *sweep_result(collector->sweep);
    }
    if (collector->step_status != STATUS_OK) {
        collector->status = collector->step_status;
        if (collector->sweep != NULL) {
            go(collector, GC_CLOSE);
        } else {
            finish(collector);
        }
        return;
    }
    tell_progress(collector);
    if (collector->step_done) {
        go_on(collector);
    } else {
        go(collector, collector->phase);
    }
}

static void begin(struct collector *collector,
                  struct call *call,
                  const struct gc_order *order)
{
    collector->by_hand = call != NULL;
    collector->dry_run = order->dry_run;
    collector->sweeps = false;
    collector->call = call;
    collector->told_ms = clock_now_ms();
    collector->plan = (struct gcplan){.job = order->job, .keep = *order->keep};
    collector->drop_at = 0;
    collector->dropped = 0;
    collector->swept = (struct sweep_result){.chunks = 0};
    collector->status = STATUS_OK;
    go(collector, GC_PLAN);
}

/* --- By itself --- */

void collector_version(struct collector *collector, uint64_t job)
{
    const struct coord *core = collector->options.core;
    uint32_t slot = coord_find(core, job);
    struct tally *tally = NULL;
    const struct keep_spec *keep = NULL;
    uint32_t slack = 0;

    turn_pins(collector);
    if (slot == JOBS_MAX) {
        return;
    }
    keep = &core->jobs[slot].record.spec.keep;
    slack = retention_slack(keep);
    tally = &collector->tallies[slot];
    if (tally->job != job) {
        *tally = (struct tally){.job = job, .commits = slack};
    }
    if (tally->commits < slack) {
        tally->commits++;
    }
    if (keep->last > 0 && tally->commits >= slack &&
        collector->phase == GC_IDLE) {
        tally->commits = 0;
        begin(collector, NULL, &(struct gc_order){.job = job, .keep = keep});
    }
}

/* --- By hand --- */

enum status collector_begin(struct collector *collector,
                            struct call *call,
                            const struct gc_order *order)
{
    if (collector->phase != GC_IDLE) {
        return STATUS_BUSY;
    }
    call_attach(call, &(struct call_events){.on_writable = on_writable,
                                            .on_closed = on_closed,
                                            .owner = collector});
    begin(collector, call, order);
    return STATUS_OK;
}

/* --- Life --- */

bool collector_dooms(const struct collector *collector,
                     uint64_t job,
                     uint64_t number)
{
    return collector->phase != GC_IDLE && collector->phase != GC_PLAN &&
           !collector->dry_run && gcplan_dooms(&collector->plan, job, number);
}

void collector_stop(struct collector *collector)
{
    collector->stopped = true;
}

enum status collector_open(const struct collector_options *options,
                           struct collector **out)
{
    struct collector *collector = mem_new(sizeof(*collector));
    enum status status = STATUS_NO_MEMORY;

    if (collector != NULL) {
        collector->options = *options;
        status = store_last_job(options->store, &collector->old_job);
    }
    if (status != STATUS_OK) {
        mem_free(collector);
        return status;
    }
    *out = collector;
    return STATUS_OK;
}

void collector_close(struct collector *collector)
{
    if (collector == NULL) {
        return;
    }
    CHECK(collector->phase == GC_IDLE);
    mem_free(collector);
}
