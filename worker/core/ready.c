#include "worker/core/ready.h"

#include "base/check.h"

static bool is_output(const struct sched *sched,
                      const struct sched_shard *shard)
{
    return shard->layer + 1 == sched->config.layers_count;
}

static bool can_forward(const struct sched *sched,
                        const struct sched_shard *shard)
{
    const struct inbox_cell *cell = inbox_look(&shard->inbox, shard->walk.pass);
    uint32_t m = shard->forward_next;

    if (m == shard->walk.microbatches) {
        return false;
    }
    return shard->layer == 0 || /* the data are always there */
           cell->forward[m] ==
               inbox_all(sched->config.shards_count[shard->layer - 1]);
}

static bool can_backward(const struct sched *sched,
                         const struct sched_shard *shard)
{
    const struct inbox_cell *cell = inbox_look(&shard->inbox, shard->walk.pass);
    uint32_t m = shard->backward_next;

    if (m == shard->forward_next) {
        return false;
    }
    return is_output(sched, shard) ||
           cell->gradient[m] ==
               inbox_all(sched->config.shards_count[shard->layer + 1]);
}

static bool norms_complete(const struct sched *sched, uint64_t pass)
{
    if (sched->norms_pass != pass) {
        return false;
    }
    for (uint32_t l = 0; l < sched->config.layers_count; l++) {
        if (sched->norms[l] != inbox_all(sched->config.shards_count[l])) {
            return false;
        }
    }
    return true;
}

static int microbatch_op(const struct sched *sched,
                         const struct sched_shard *shard)
{
    const struct walk *walk = &shard->walk;

    if (can_backward(sched, shard)) {
        return SCHED_BACKWARD;
    }
    if (can_forward(sched, shard)) {
        return SCHED_FORWARD;
    }
    if (!walk_in_training(walk) || shard->backward_next < walk->microbatches) {
        return READY_NONE;
    }
    if (!walk->clip) {
        return SCHED_UPDATE;
    }
    if (!shard->norm_done) {
        return SCHED_NORM;
    }
    return norms_complete(sched, walk->pass) ? SCHED_UPDATE : READY_NONE;
}

static int report_op(const struct sched *sched, const struct sched_shard *shard)
{
    const struct walk *walk = &shard->walk;

    if (!walk->in_pass) {
        return SCHED_REPORT;
    }
    if (shard->layer > 0 && !shard->columns_done) {
        return SCHED_COLUMNS;
    }
    if (!is_output(sched, shard) &&
        inbox_look(&shard->inbox, walk->pass)->columns !=
            inbox_all(sched->config.shards_count[shard->layer + 1])) {
        return READY_NONE;
    }
    return SCHED_REPORT;
}

/* A third copy waits until one is stored. What is kept in memory is dropped by
 * rules, not by waiting. */
static bool may_cut(const struct sched *sched, const struct sched_shard *shard)
{
    const struct grant *grant =
        program_at(&sched->program, shard->walk.interval);

    CHECK(grant != NULL);
    return grant->version == 0 || shard->cuts < SCHED_CUTS_MAX;
}

int ready_op(const struct sched *sched, const struct sched_shard *shard)
{
    if (shard->running) {
        return READY_NONE;
    }
    switch (shard->walk.phase) {
    case WALK_EVALUATE:
    case WALK_GUARD_BEFORE:
    case WALK_GUARD_AFTER:
    case WALK_TRAIN:
        return microbatch_op(sched, shard);
    case WALK_EDIT:
        return SCHED_EDIT;
    case WALK_CUT:
        return may_cut(sched, shard) ? SCHED_CUT : READY_NONE;
    case WALK_REPORT:
        return report_op(sched, shard);
    case WALK_IDLE:
    case WALK_HOLD:
    case WALK_PHASES_COUNT:
        break;
    }
    return READY_NONE;
}

int ready_rank(int op, uint32_t layer)
{
    switch (op) {
    case SCHED_BACKWARD:
        return layer == 0 ? 1 : READY_RANKS - 1;
    case SCHED_NORM:
    case SCHED_COLUMNS:
        return READY_RANKS - 1;
    case SCHED_FORWARD:
        return 2;
    default:
        return 0;
    }
}

struct program_rows ready_rows(const struct sched *sched,
                               const struct sched_shard *shard,
                               uint32_t microbatch)
{
    uint32_t rows = shard->walk.rows;

    return walk_in_training(&shard->walk)
               ? program_train_part(&sched->program, rows, microbatch)
               : program_evaluate_part(rows, microbatch);
}

static enum evaluation_set evaluated_set(enum walk_phase phase)
{
    if (phase == WALK_EVALUATE) {
        return EVALUATION_HELD_OUT;
    }
    return phase == WALK_GUARD_BEFORE ? EVALUATION_GUARD_BEFORE
                                      : EVALUATION_GUARD_AFTER;
}

static void describe_microbatch(const struct sched *sched,
                                const struct sched_shard *shard,
                                const struct grant *grant,
                                struct sched_run *out)
{
    const struct walk *walk = &shard->walk;
    uint32_t m =
        out->op == SCHED_FORWARD ? shard->forward_next : shard->backward_next;
    struct program_rows rows = ready_rows(sched, shard, m);

    out->microbatch = m;
    out->first = rows.first;
    out->rows = rows.count;
    if (out->training) {
        out->example =
            grant->position + walk->done * sched->config.batch + rows.first;
        return;
    }
    out->set = evaluated_set(walk->phase);
    out->task = walk_evaluated_task(walk, &sched->program);
    out->example = walk->rows_done + rows.first;
    out->last =
        out->example + rows.count == walk_evaluated_rows(walk, &sched->program);
}

void ready_describe(const struct sched *sched,
                    uint32_t local,
                    enum sched_op op,
                    struct sched_run *out)
{
    const struct sched_shard *shard = &sched->locals[local];
    const struct walk *walk = &shard->walk;
    const struct grant *grant = program_at(&sched->program, walk->interval);
    uint64_t batch = sched->config.batch;

    CHECK(grant != NULL);
    *out = (struct sched_run){.op = op,
                              .local = local,
                              .layer = shard->layer,
                              .shard = shard->shard,
                              .training = walk_in_training(walk),
                              .task = grant->task,
                              .pass_rows = walk->rows,
                              .pass = walk->pass,
                              .interval = walk->interval,
                              .step = grant->first_step,
                              .steps = grant->steps,
                              .store = grant->version != 0};
    if (out->training) {
        out->step = grant->first_step + walk->done;
        out->task_step = grant->position / batch + walk->done;
        out->task_steps = (grant->task_examples + batch - 1) / batch;
    } else if (op == SCHED_COLUMNS || op == SCHED_REPORT) {
        out->step = grant->first_step + grant->steps;
    }
    if (op == SCHED_FORWARD || op == SCHED_BACKWARD) {
        describe_microbatch(sched, shard, grant, out);
    }
}
