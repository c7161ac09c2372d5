#include "tests/sim/session.h"

#include "base/check.h"
#include "base/mem.h"
#include "tests/sim/center.h"
#include "tests/sim/host.h"
#include "tests/sim/invariants.h"

#include <stdio.h>
#include <string.h>

enum { ASSIGN_ARENA_BYTES = 1 << 18 };

static void handle(struct world *w,
                   struct session *session,
                   const struct sched_event *event,
                   const struct shard_frame *frame);

/* --- Life --- */

struct session *session_open(struct world *w,
                             uint32_t host,
                             uint32_t worker,
                             const struct letter *letter)
{
    struct session *s = world_memory(sizeof(*s));
    struct arena arena;
    struct wire message;
    enum status status;

    s->memory = world_memory(ASSIGN_ARENA_BYTES);
    arena_init(&arena, s->memory, ASSIGN_ARENA_BYTES);
    status = wire_decode(letter->bytes, letter->size, &arena, &message);
    CHECK(status == STATUS_OK);
    CHECK(message.kind == WIRE_ASSIGN);
    s->id = ++w->posted;
    s->host = host;
    s->worker = worker;
    s->assign = message.assign;
    return s;
}

void session_close(struct session *s)
{
    if (s == NULL) {
        return;
    }
    for (uint32_t a = 0; a < GRANTS_MAX; a++) {
        mem_free(s->archs[a]);
    }
    mem_free(s->memory);
    mem_free(s);
}

static struct arch *new_arch(const struct session *s)
{
    const struct job_spec *spec = s->assign.spec;
    size_t bytes = arch_memory_bytes(spec, spec->model.outputs);
    struct arch *arch = world_memory(sizeof(*arch) + bytes);

    arch_lay_out(arch, spec, spec->model.outputs, arch + 1);
    return arch;
}

/* Endpoints are of the form sim://HOST-BIRTH. */
static void parse(const char *endpoint, uint32_t *out_host, uint64_t *out_birth)
{
    unsigned host = 0;
    unsigned long long birth = 0;

    CHECK(sscanf(endpoint, "sim://%u-%llu", &host, &birth) == 2);
    *out_host = host;
    *out_birth = birth;
}

void session_peer(const struct wire_peer *peer,
                  uint32_t *out_host,
                  uint64_t *out_birth)
{
    parse(peer->vault_endpoint, out_host, out_birth);
}

static void find_peers(struct session *s, struct sched_config *config)
{
    config->peers_count = s->assign.peers_count;
    config->self = s->assign.peers_count;
    for (uint32_t i = 0; i < s->assign.peers_count; i++) {
        const struct wire_peer *peer = &s->assign.peers[i];

        parse(peer->endpoint, &s->peers[i], &s->births[i]);
        config->peers[i] = peer->worker;
        if (peer->worker == s->worker) {
            config->self = i;
        }
    }
}

static void place(const struct session *s, struct sched_config *config)
{
    const struct arch *arch = s->assign.arch;
    uint32_t at = 0;

    config->layers_count = arch->layers_count;
    for (uint32_t l = 0; l < arch->layers_count; l++) {
        config->shards_count[l] = arch->layers[l].shards_count;
        for (uint32_t i = 0; i < arch->layers[l].shards_count; i++) {
            uint32_t peer = 0;

            while (config->peers[peer] != s->assign.owners[at]) {
                peer++;
            }
            config->owners[l][i] = (uint8_t)peer;
            at++;
        }
    }
}

void session_make(struct world *w, struct session *s)
{
    const struct scenario *scenario = w->scenario;
    const struct job_spec *spec = s->assign.spec;
    const struct sim_job *job = &scenario->jobs[scenario_job(spec)];
    struct sched_config config = {.job = s->assign.job,
                                  .term = s->assign.term,
                                  .first_step = s->assign.step,
                                  .batch = spec->train.batch,
                                  .microbatches = spec->train.microbatches,
                                  .clip = spec->train.clip > 0,
                                  .slots = scenario->slots,
                                  .tasks_count = s->assign.shape->tasks_count,
                                  .evaluate_rows = job->evaluate_rows,
                                  .guard_rows = job->guard_rows};

    find_peers(s, &config);
    if (config.self == config.peers_count) {
        world_fail(w, "w%u is assigned shards of a job that it is no peer of",
                   s->worker);
        return;
    }
    place(s, &config);
    sched_init(&s->sched, &config);
    for (uint32_t i = 0; i < s->sched.locals_count; i++) {
        struct shard *shard = &s->shards[i];

        shard->layer = s->sched.locals[i].layer;
        shard->index = s->sched.locals[i].shard;
        shard->output = shard->layer + 1 == config.layers_count;
        shard_begin(shard, spec->seed);
    }
    s->made = true;
}

enum status session_fetch(struct world *w, struct session *s)
{
    for (uint32_t i = 0; i < s->sched.locals_count; i++) {
        struct shard *shard = &s->shards[i];
        const struct shard_state *state = NULL;

        for (uint32_t r = 0; r < s->assign.records_count; r++) {
            const struct shard_record *record = &s->assign.records[r];

            if (record->layer == shard->layer &&
                record->shard == shard->index) {
                uint64_t name = 0;

                memcpy(&name, record->tensors[0].chunks[0].b, sizeof(name));
                state = disk_state(w, name);
            }
        }
        if (state == NULL) {
            return STATUS_NOT_FOUND;
        }
        shard->state = *state;
    }
    return STATUS_OK;
}

bool session_linked(struct world *w, const struct session *s)
{
    for (uint32_t i = 0; i < s->sched.config.peers_count; i++) {
        if (i != s->sched.config.self &&
            !network_reaches(w, s->host, s->peers[i], s->births[i])) {
            return false;
        }
    }
    return true;
}

void session_fail(struct world *w,
                  struct session *s,
                  enum fault_kind kind,
                  const char *why)
{
    if (s->failed || s->stopped) {
        return;
    }
    world_say(w, "w%u term %llu fails: %s", s->host,
              (unsigned long long)s->assign.term, why);
    s->failed = true;
    s->stopped = true;
    s->fault = kind;
    (void)snprintf(s->why, sizeof(s->why), "%s", why);
    host_notice(w, s, AGENT_FAULTED, STATUS_OK);
}

/* --- What the scheduler asks for --- */

static struct shard_view view_of(struct world *w,
                                 struct session *s,
                                 const struct sched_run *run)
{
    return (struct shard_view){
        .w = w,
        .job = &w->scenario->jobs[scenario_job(s->assign.spec)],
        .config = &s->sched.config,
        .spec = s->assign.spec,
        .arch = s->archs[run->interval % GRANTS_MAX],
        .grant = program_at(&s->sched.program, run->interval),
        .clip = s->sched.locals[run->local].walk.clip,
        .norms = (const uint64_t(*)[SIM_SHARDS_MAX])s->norms};
}

static void run(struct world *w, struct session *s, const struct sched_run *run)
{
    struct shard *shard = &s->shards[run->local];

    invariants_run(w, s, run);
    shard->run = *run;
    shard->running = true;
    s->running++;
    host_compute(w, s, run->local);
}

static void deliver(struct world *w,
                    struct session *s,
                    const struct sched_deliver *d,
                    const struct shard_frame *frame)
{
    uint64_t value = d->from == SCHED_ALL
                         ? frame->value
                         : s->shards[d->from].outputs[d->output];

    if (d->from == SCHED_ALL && frame->term != s->assign.term) {
        world_fail(w, "a frame of term %llu is taken in term %llu",
                   (unsigned long long)frame->term,
                   (unsigned long long)s->assign.term);
    }
    if (d->kind == FRAME_NORM) {
        s->norms[d->from_layer][d->sender] = value;
    } else {
        shard_put(&s->shards[d->to], w, d, value);
    }
}

static void send(struct world *w,
                 struct session *s,
                 const struct sched_send *send)
{
    struct shard_frame frame = {.value =
                                    s->shards[send->from].outputs[send->output],
                                .term = s->assign.term};

    if (!network_send(w, s->host, s->peers[send->peer], s->births[send->peer],
                      &send->header, &frame)) {
        session_fail(w, s, FAULT_FRAME, "the link to a peer is lost");
    }
}

static void report(struct world *w, struct session *s, uint32_t local)
{
    struct shard *shard = &s->shards[local];
    struct shard_view view = view_of(w, s, &shard->run);
    struct report *out = world_memory(sizeof(*out));
    struct wire message = {.kind = WIRE_REPORT, .report = {s->assign.job, out}};

    shard_report(shard, &view, out);
    out->term = s->assign.term;
    if (w->scenario->plant == PLANT_BITS_DIFFER &&
        invariants_has_reported(w, s, out->interval) && world_chance(w, 4)) {
        world_say(w, "plant: a report differs from the one before");
        out->sums.taylor += 1e-9;
    }
    network_to_center(w, s->host, &message);
    if (w->scenario->plant == PLANT_REPORT_TWICE && shard->index > 0 &&
        world_chance(w, 10)) {
        world_say(w, "plant: a report comes again as another shard's");
        out->shard = 0;
        out->sums.units = out->sums.live;
        network_to_center(w, s->host, &message);
    }
    mem_free(out);
}

static void cut(struct world *w,
                struct session *s,
                uint32_t local,
                uint64_t version)
{
    for (uint32_t p = 0; p < PUTS_MAX; p++) {
        struct session_put *put = &s->puts[p];

        if (put->id == 0) {
            *put = (struct session_put){.id = w->posted + 1,
                                        .local = local,
                                        .version = version,
                                        .state = s->shards[local].state};
            host_put(w, s, put);
            return;
        }
    }
    world_fail(w, "more cuts are under way than the scheduler allows");
}

static void refused(struct world *w,
                    struct session *s,
                    const struct sched_action *action)
{
    world_say(w, "w%u term %llu refuses: %s", s->host,
              (unsigned long long)s->assign.term, action->refused.reason);
}

static void execute(struct world *w,
                    struct session *s,
                    const struct sched_action *action,
                    const struct shard_frame *frame)
{
    switch (action->type) {
    case SCHED_ACT_RUN:
        run(w, s, &action->run);
        break;
    case SCHED_ACT_DELIVER:
        deliver(w, s, &action->deliver, frame);
        break;
    case SCHED_ACT_SEND:
        send(w, s, &action->send);
        break;
    case SCHED_ACT_REPORT:
        report(w, s, action->report.local);
        break;
    case SCHED_ACT_CUT:
        if (action->cut.keep) {
            vault_keep(w, s, &action->cut);
        }
        if (action->cut.version != 0) {
            cut(w, s, action->cut.local, action->cut.version);
        }
        break;
    case SCHED_ACT_REFUSED:
        refused(w, s, action);
        break;
    case SCHED_ACT_FAULT:
        session_fail(w, s, action->fault.kind, action->fault.reason);
        break;
    }
}

static void handle(struct world *w,
                   struct session *s,
                   const struct sched_event *event,
                   const struct shard_frame *frame)
{
    static struct sched_actions actions; /* one is handled at a time */

    if (s->stopped) {
        return;
    }
    sched_step(&s->sched, event, &actions);
    for (uint32_t i = 0; i < actions.count && !s->stopped && !w->failed; i++) {
        execute(w, s, &actions.items[i], frame);
    }
}

/* --- Events --- */

/* The architecture behind the grant's edits, for the shards' reports. */
static void keep_arch(struct world *w,
                      struct session *s,
                      const struct grant *grant,
                      bool first)
{
    struct arch **place = &s->archs[grant->interval % GRANTS_MAX];
    const struct arch *before =
        first ? s->assign.arch
              : s->archs[(grant->interval + GRANTS_MAX - 1) % GRANTS_MAX];

    if (*place == NULL) {
        *place = new_arch(s);
    }
    arch_copy(*place, before);
    for (uint32_t e = 0; e < grant->edits_count && !grant->resumed; e++) {
        if (arch_apply(*place, &grant->edits[e], grant->units,
                       grant->first_step) != STATUS_OK) {
            world_fail(w, "edit %u of interval %llu cannot be applied", e,
                       (unsigned long long)grant->interval);
        }
    }
}

void session_grant(struct world *w,
                   struct session *s,
                   const struct grant *grant)
{
    struct sched_event event = {.type = SCHED_GRANT, .grant = grant};
    bool first = !s->sched.program.begun;
    uint64_t next = s->sched.program.next_interval;

    if (!s->stopped && (first || grant->interval == next)) {
        keep_arch(w, s, grant, first);
    }
    handle(w, s, &event, NULL);
}

void session_release(struct world *w, struct session *s)
{
    struct sched_event event = {.type = SCHED_RELEASE};

    event.release.term = s->assign.term;
    for (uint64_t i = 0; i < GRANTS_MAX && s->sched.program.begun; i++) {
        event.release.interval = s->sched.program.next_interval - 1 - i;
        if (event.release.interval < s->sched.program.next_interval) {
            handle(w, s, &event, NULL);
        }
    }
}

void session_frame(struct world *w,
                   struct session *s,
                   const struct parcel *parcel)
{
    struct sched_event event = {.type = SCHED_FRAME, .frame = &parcel->header};

    handle(w, s, &event, &parcel->frame);
}

void session_done(struct world *w, struct session *s, uint32_t local)
{
    struct sched_event event = {.type = SCHED_DONE, .done = {.local = local}};
    struct shard *shard = &s->shards[local];
    struct shard_view view = view_of(w, s, &shard->run);

    CHECK(shard->running);
    shard->running = false;
    s->running--;
    if (s->stopped) {
        return;
    }
    shard_compute(shard, &view);
    if (shard->run.op == SCHED_EDIT && w->scenario->plant == PLANT_EDIT_TWICE &&
        world_chance(w, 20)) {
        world_say(w, "plant: a shard applies its edits twice");
        shard->state.edited = 0;
        shard_compute(shard, &view);
    }
    handle(w, s, &event, NULL);
}

void session_stored(struct world *w,
                    struct session *s,
                    uint64_t id,
                    enum status status)
{
    for (uint32_t p = 0; p < PUTS_MAX; p++) {
        struct session_put *put = &s->puts[p];
        struct sched_event event = {.type = SCHED_STORED};

        if (put->id != id) {
            continue;
        }
        put->id = 0;
        if (s->stopped) {
            return;
        }
        if (status != STATUS_OK) {
            session_fail(w, s, FAULT_CHUNK, status_text(status));
            return;
        }
        host_tell_cut(w, s, put);
        event.stored.local = put->local;
        handle(w, s, &event, NULL);
        return;
    }
}
