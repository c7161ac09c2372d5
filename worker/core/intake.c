#include "worker/core/intake.h"

#include "base/check.h"
#include "worker/core/ready.h"

static struct intake_verdict refuse(enum status status, const char *reason)
{
    return (struct intake_verdict){.status = status, .reason = reason};
}

static struct intake_verdict fault(const char *reason,
                                   uint64_t expected,
                                   uint64_t found)
{
    return (struct intake_verdict){.status = STATUS_CONFLICT,
                                   .fault = true,
                                   .reason = reason,
                                   .expected = expected,
                                   .found = found};
}

static struct intake_verdict accept(void)
{
    return (struct intake_verdict){.status = STATUS_OK};
}

void intake_receivers(const struct sched *sched,
                      const struct frame_header *frame,
                      uint32_t out[2])
{
    uint32_t local = SCHED_ALL;

    out[0] = 0;
    out[1] = 0;
    if (frame->kind == FRAME_FORWARD) {
        out[0] = sched->layer_first[frame->to_layer];
        out[1] = sched->layer_first[frame->to_layer + 1];
    } else if (frame->kind != FRAME_NORM) {
        local = sched_local(sched, frame->to_layer, frame->to_shard);
        CHECK(local != SCHED_ALL);
        out[0] = local;
        out[1] = local + 1;
    }
}

/* Is there a peer that may send this, and a local shard that it is for? */
static bool fits(const struct sched *sched,
                 const struct frame_header *frame,
                 uint32_t peer)
{
    const struct sched_config *config = &sched->config;

    if (frame->from_layer >= config->layers_count ||
        frame->from_shard >= config->shards_count[frame->from_layer] ||
        config->owners[frame->from_layer][frame->from_shard] != peer ||
        frame->microbatch >= MICROBATCHES_MAX) {
        return false;
    }
    if (frame->kind == FRAME_NORM) {
        return sched->locals_count > 0;
    }
    if (frame->to_layer >= config->layers_count) {
        return false;
    }
    if (frame->kind == FRAME_FORWARD) {
        return frame->to_layer == frame->from_layer + 1 &&
               sched->layer_first[frame->to_layer] <
                   sched->layer_first[frame->to_layer + 1];
    }
    return frame->to_layer + 1 == frame->from_layer &&
           frame->to_shard < config->shards_count[frame->to_layer] &&
           sched_local(sched, frame->to_layer, frame->to_shard) != SCHED_ALL;
}

/* Of the present pass all is known: kind, microbatches and rows. */
static bool fits_pass(const struct sched *sched,
                      const struct sched_shard *shard,
                      const struct frame_header *frame)
{
    const struct walk *walk = &shard->walk;

    if (frame->kind == FRAME_COLUMNS) {
        return walk->phase == WALK_REPORT;
    }
    if (frame->microbatch >= walk->microbatches ||
        frame->rows != ready_rows(sched, shard, frame->microbatch).count) {
        return false;
    }
    /* A gradient answers an output. */
    return frame->kind == FRAME_FORWARD ||
           frame->microbatch < shard->forward_next;
}

static bool is_there(const struct sched_shard *shard,
                     const struct frame_header *frame)
{
    const struct inbox_cell *cell = inbox_look(&shard->inbox, frame->pass);
    uint64_t bit = UINT64_C(1) << frame->from_shard;

    if (frame->kind == FRAME_FORWARD) {
        return (cell->forward[frame->microbatch] & bit) != 0;
    }
    if (frame->kind == FRAME_GRADIENT) {
        return (cell->gradient[frame->microbatch] & bit) != 0;
    }
    return (cell->columns & bit) != 0;
}

static struct intake_verdict judge_place(const struct sched *sched,
                                         const struct sched_shard *shard,
                                         const struct frame_header *frame)
{
    const struct walk *walk = &shard->walk;
    uint64_t newest = walk->pass + (walk->in_pass ? 1 : 0);

    if (frame->pass < walk->pass) {
        return refuse(STATUS_STALE, "frame of a pass that is over");
    }
    if (frame->pass > newest) {
        return fault("frame from the future", newest, frame->pass);
    }
    if (walk->in_pass && frame->pass == walk->pass) {
        if (!fits_pass(sched, shard, frame)) {
            return refuse(STATUS_INVALID, "frame does not fit its pass");
        }
    } else if (frame->kind == FRAME_GRADIENT) {
        return refuse(STATUS_INVALID, "gradient for a pass not begun");
    }
    if (is_there(shard, frame)) {
        return refuse(STATUS_CONFLICT, "frame is there already");
    }
    return accept();
}

/* A norm is sent in a pass that all shards have begun (its sender has had
 * microbatches through the whole model), so it is never early. */
static struct intake_verdict judge_norm(const struct sched *sched,
                                        const struct frame_header *frame)
{
    uint64_t bit = UINT64_C(1) << frame->from_shard;
    bool wanted = false;

    for (uint32_t i = 0; i < sched->locals_count; i++) {
        const struct walk *walk = &sched->locals[i].walk;

        if (walk->pass < frame->pass ||
            (walk->pass == frame->pass && !walk->in_pass)) {
            return fault("norm from the future", walk->pass, frame->pass);
        }
        wanted |=
            walk->pass == frame->pass && walk_in_training(walk) && walk->clip;
    }
    if (!wanted) {
        return refuse(STATUS_STALE, "norm of a pass that is over");
    }
    if (sched->norms_pass == frame->pass &&
        (sched->norms[frame->from_layer] & bit) != 0) {
        return refuse(STATUS_CONFLICT, "norm is there already");
    }
    return accept();
}

static struct intake_verdict judge_places(const struct sched *sched,
                                          const struct frame_header *frame)
{
    struct intake_verdict verdict = accept();
    uint32_t run[2];

    if (frame->kind == FRAME_NORM) {
        return judge_norm(sched, frame);
    }
    intake_receivers(sched, frame, run);
    for (uint32_t i = run[0]; i < run[1] && verdict.status == STATUS_OK; i++) {
        verdict = judge_place(sched, &sched->locals[i], frame);
    }
    return verdict;
}

struct intake_verdict intake_judge(const struct sched *sched,
                                   const struct frame_header *frame)
{
    const struct sched_config *config = &sched->config;
    struct intake_verdict verdict = accept();
    uint32_t peer = 0;

    if (frame->job != config->job || frame->term != config->term) {
        return refuse(STATUS_STALE, "frame of another term");
    }
    while (peer < config->peers_count &&
           config->peers[peer] != frame->from_worker) {
        peer++;
    }
    if (peer == config->peers_count || peer == config->self) {
        return refuse(STATUS_INVALID, "frame of a worker that has no part");
    }
    if (frame->sequence < sched->received[peer]) {
        return refuse(STATUS_STALE, "frame was here before");
    }
    if (frame->sequence > sched->received[peer]) {
        verdict =
            fault("frames are missing", sched->received[peer], frame->sequence);
    } else if (!fits(sched, frame, peer)) {
        return refuse(STATUS_INVALID, "frame does not fit the placement");
    } else {
        verdict = judge_places(sched, frame);
    }
    verdict.peer = peer;
    return verdict;
}
