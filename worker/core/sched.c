#include "worker/core/sched.h"

#include "base/check.h"
#include "worker/core/intake.h"
#include "worker/core/post.h"
#include "worker/core/ready.h"

/* Actions */

static void refuse(struct sched_actions *out,
                   enum status status,
                   const char *reason)
{
    struct sched_action *action = post_action(out, SCHED_ACT_REFUSED);

    action->refused.status = status;
    action->refused.reason = reason;
}

/* The caller may say who sent what instead of what. */
static struct sched_action *fail(struct sched *sched,
                                 enum fault_kind kind,
                                 const char *reason,
                                 struct sched_actions *out)
{
    struct sched_action *action = post_action(out, SCHED_ACT_FAULT);

    sched->failed = true;
    action->fault.kind = kind;
    action->fault.reason = reason;
    action->fault.worker = 0;
    action->fault.expected = 0;
    action->fault.found = 0;
    return action;
}

/* Start */

static void find_locals(struct sched *sched)
{
    const struct sched_config *config = &sched->config;

    for (uint32_t l = 0; l < config->layers_count; l++) {
        CHECK(config->shards_count[l] >= 1);
        CHECK(config->shards_count[l] <= SHARDS_MAX);
        sched->layer_first[l] = sched->locals_count;
        for (uint32_t s = 0; s < config->shards_count[l]; s++) {
            uint32_t owner = config->owners[l][s];

            CHECK(owner < config->peers_count);
            if (owner != config->self) {
                sched->layer_workers[l] |= UINT64_C(1) << owner;
                continue;
            }
            sched->locals[sched->locals_count] =
                (struct sched_shard){.layer = l, .shard = s};
            walk_init(&sched->locals[sched->locals_count].walk, config->clip);
            sched->locals_count++;
        }
        sched->layer_first[l + 1] = sched->locals_count;
    }
}

void sched_init(struct sched *sched, const struct sched_config *config)
{
    struct program_options options = {.term = config->term,
                                      .first_step = config->first_step,
                                      .batch = config->batch,
                                      .microbatches = config->microbatches,
                                      .tasks_count = config->tasks_count,
                                      .evaluate_rows = config->evaluate_rows,
                                      .guard_rows = config->guard_rows};

    CHECK(config->layers_count >= 1);
    CHECK(config->layers_count <= LAYERS_MAX);
    CHECK(config->shards_count[config->layers_count - 1] == 1);
    CHECK(config->peers_count <= WORKERS_MAX);
    CHECK(config->self < config->peers_count);
    CHECK(config->slots >= 1);
    CHECK(config->slots <= SCHED_SLOTS_MAX);

    sched->config = *config;
    program_init(&sched->program, &options);
    sched->locals_count = 0;
    for (uint32_t l = 0; l < LAYERS_MAX; l++) {
        sched->layer_workers[l] = 0;
        sched->norms[l] = 0;
    }
    for (uint32_t w = 0; w < WORKERS_MAX; w++) {
        sched->sent[w] = 0;
        sched->received[w] = 0;
    }
    sched->running = 0;
    sched->failed = false;
    sched->norms_pass = 0;
    sched->steps = 0;
    sched->refused = 0;
    find_locals(sched);
}

uint32_t sched_local(const struct sched *sched, uint32_t layer, uint32_t shard)
{
    CHECK(layer < sched->config.layers_count);
    for (uint32_t i = sched->layer_first[layer];
         i < sched->layer_first[layer + 1]; i++) {
        if (sched->locals[i].shard == shard) {
            return i;
        }
    }
    return SCHED_ALL;
}

bool sched_ended(const struct sched *sched)
{
    if (!sched->program.closed) {
        return false;
    }
    for (uint32_t i = 0; i < sched->locals_count; i++) {
        if (sched->locals[i].walk.interval < sched->program.next_interval) {
            return false;
        }
    }
    return true;
}

/* Walking */

static void settle(struct sched *sched,
                   struct sched_shard *shard,
                   struct sched_actions *out)
{
    bool before = shard->walk.in_pass;

    walk_settle(&shard->walk, &sched->program);
    if (before || !shard->walk.in_pass) {
        return;
    }
    shard->forward_next = 0;
    shard->backward_next = 0;
    shard->norm_done = false;
    shard->columns_done = false;
    if (!inbox_fits(&shard->inbox, shard->walk.pass,
                    shard->walk.microbatches)) {
        fail(sched, FAULT_FRAME, "early frames do not fit their pass", out);
    }
}

static void proceed(struct sched *sched,
                    struct sched_shard *shard,
                    struct sched_actions *out)
{
    if (shard->walk.in_pass) {
        inbox_clear(&shard->inbox, shard->walk.pass);
    }
    walk_did(&shard->walk, &sched->program);
    settle(sched, shard, out);
}

/* Completions */

static void backward_done(struct sched *sched,
                          struct sched_shard *shard,
                          uint32_t local,
                          struct sched_actions *out)
{
    post_gradients(sched, local, shard->backward_next, out);
    shard->backward_next++;
    if (walk_in_evaluation(&shard->walk) &&
        shard->backward_next == shard->walk.microbatches) {
        proceed(sched, shard, out);
    }
}

static void cut_done(struct sched *sched,
                     struct sched_shard *shard,
                     uint32_t local,
                     struct sched_actions *out)
{
    const struct grant *grant =
        program_at(&sched->program, shard->walk.interval);
    struct sched_action *action = post_action(out, SCHED_ACT_CUT);

    CHECK(grant != NULL);
    action->cut = (struct sched_cut){.local = local,
                                     .version = grant->version,
                                     .keep = grant->keep,
                                     .line = grant->line,
                                     .interval = grant->interval,
                                     .kept = grant->kept};
    shard->cuts += grant->version != 0 ? 1 : 0;
    proceed(sched, shard, out);
}

static void report_done(struct sched *sched,
                        struct sched_shard *shard,
                        uint32_t local,
                        struct sched_actions *out)
{
    const struct grant *grant =
        program_at(&sched->program, shard->walk.interval);
    struct sched_action *action = post_action(out, SCHED_ACT_REPORT);

    CHECK(grant != NULL);
    action->report.local = local;
    action->report.interval = shard->walk.interval;
    action->report.closing = grant->closing;
    proceed(sched, shard, out);
}

static void complete(struct sched *sched,
                     struct sched_shard *shard,
                     uint32_t local,
                     struct sched_actions *out)
{
    switch (shard->op) {
    case SCHED_FORWARD:
        post_forward(sched, local, shard->forward_next, out);
        shard->forward_next++;
        return;
    case SCHED_BACKWARD:
        backward_done(sched, shard, local, out);
        return;
    case SCHED_NORM:
        shard->norm_done = true;
        post_norm(sched, local, out);
        return;
    case SCHED_UPDATE:
        sched->steps++;
        proceed(sched, shard, out);
        return;
    case SCHED_EDIT:
        proceed(sched, shard, out);
        return;
    case SCHED_CUT:
        cut_done(sched, shard, local, out);
        return;
    case SCHED_COLUMNS:
        shard->columns_done = true;
        post_columns(sched, local, out);
        return;
    case SCHED_REPORT:
        report_done(sched, shard, local, out);
        return;
    }
    CHECK(false);
}

/* Events */

static void on_done(struct sched *sched,
                    const struct sched_event *event,
                    struct sched_actions *out)
{
    uint32_t local = event->done.local;
    struct sched_shard *shard = &sched->locals[local];

    CHECK(local < sched->locals_count);
    CHECK(shard->running);
    CHECK(sched->running > 0);
    shard->running = false;
    sched->running--;
    if (sched->failed) {
        return;
    }
    if (event->done.status != STATUS_OK) {
        fail(sched,
             event->done.status == STATUS_NO_MEMORY ? FAULT_NO_MEMORY
                                                    : FAULT_INTERNAL,
             status_text(event->done.status), out);
        return;
    }
    complete(sched, shard, local, out);
}

static uint64_t oldest_interval(const struct sched *sched)
{
    uint64_t oldest = sched->program.next_interval;

    for (uint32_t i = 0; i < sched->locals_count; i++) {
        if (sched->locals[i].walk.interval < oldest) {
            oldest = sched->locals[i].walk.interval;
        }
    }
    return oldest;
}

static void on_grant(struct sched *sched,
                     const struct sched_event *event,
                     struct sched_actions *out)
{
    const char *reason = NULL;
    bool first = !sched->program.begun;
    enum status status = program_grant(&sched->program, event->grant,
                                       oldest_interval(sched), &reason);

    if (status != STATUS_OK) {
        refuse(out, status, reason);
        return;
    }
    for (uint32_t i = 0; i < sched->locals_count && !sched->failed; i++) {
        if (first) {
            sched->locals[i].walk.interval = event->grant->interval;
        }
        settle(sched, &sched->locals[i], out);
    }
}

static void on_release(struct sched *sched,
                       const struct sched_event *event,
                       struct sched_actions *out)
{
    if (event->release.term != sched->config.term) {
        refuse(out, STATUS_STALE, "release of another term");
        return;
    }
    if (program_release(&sched->program, event->release.interval) !=
        STATUS_OK) {
        refuse(out, STATUS_NOT_FOUND, "release of an interval not granted");
        return;
    }
    for (uint32_t i = 0; i < sched->locals_count && !sched->failed; i++) {
        settle(sched, &sched->locals[i], out);
    }
}

static void on_frame(struct sched *sched,
                     const struct sched_event *event,
                     struct sched_actions *out)
{
    const struct frame_header *frame = event->frame;
    struct intake_verdict verdict = intake_judge(sched, frame);
    struct sched_action *action = NULL;

    if (verdict.fault) {
        action = fail(sched, FAULT_FRAME, verdict.reason, out);
        action->fault.worker = frame->from_worker;
        action->fault.expected = verdict.expected;
        action->fault.found = verdict.found;
        return;
    }
    if (verdict.status != STATUS_OK) {
        sched->refused++;
        refuse(out, verdict.status, verdict.reason);
        return;
    }
    sched->received[verdict.peer]++;
    post_frame(sched, frame, out);
}

static void on_stored(struct sched *sched, const struct sched_event *event)
{
    struct sched_shard *shard = &sched->locals[event->stored.local];

    CHECK(event->stored.local < sched->locals_count);
    CHECK(shard->cuts > 0);
    shard->cuts--;
}

/* The highest rank first, then the lowest layer and shard: the update of a
 * layer is followed by its next forward while its weights are in the cache. */
static bool pick(const struct sched *sched, uint32_t *out_local, int *out_op)
{
    int best = -1;

    for (uint32_t i = 0; i < sched->locals_count && best < READY_RANKS - 1;
         i++) {
        int op = ready_op(sched, &sched->locals[i]);
        int rank = ready_rank(op, sched->locals[i].layer);

        if (op != READY_NONE && rank > best) {
            *out_local = i;
            *out_op = op;
            best = rank;
        }
    }
    return best >= 0;
}

static void start(struct sched *sched, struct sched_actions *out)
{
    uint32_t local = 0;
    int op = READY_NONE;

    while (sched->running < sched->config.slots && pick(sched, &local, &op)) {
        struct sched_shard *shard = &sched->locals[local];

        shard->running = true;
        shard->op = (enum sched_op)op;
        sched->running++;
        ready_describe(sched, local, shard->op,
                       &post_action(out, SCHED_ACT_RUN)->run);
    }
}

void sched_step(struct sched *sched,
                const struct sched_event *event,
                struct sched_actions *out)
{
    out->count = 0;
    switch (event->type) {
    case SCHED_DONE:
        on_done(sched, event, out);
        break;
    case SCHED_STORED:
        on_stored(sched, event);
        break;
    case SCHED_GRANT:
    case SCHED_RELEASE:
    case SCHED_FRAME:
        if (sched->failed) {
            refuse(out, STATUS_CONFLICT, "session has failed");
            break;
        }
        if (event->type == SCHED_GRANT) {
            on_grant(sched, event, out);
        } else if (event->type == SCHED_RELEASE) {
            on_release(sched, event, out);
        } else {
            on_frame(sched, event, out);
        }
        break;
    }
    if (!sched->failed) {
        start(sched, out);
    }
    CHECK(sched->running <= sched->config.slots);
}
