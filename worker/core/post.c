#include "worker/core/post.h"

#include "base/check.h"
#include "worker/core/intake.h"
#include "worker/core/ready.h"

struct sched_action *post_action(struct sched_actions *out,
                                 enum sched_action_type type)
{
    struct sched_action *action = &out->items[out->count];

    CHECK(out->count < SCHED_ACTIONS_MAX);
    out->count++;
    action->type = type;
    return action;
}

static struct frame_header header_of(const struct sched *sched,
                                     const struct sched_shard *shard,
                                     enum frame_kind kind)
{
    const struct sched_config *config = &sched->config;

    return (struct frame_header){.job = config->job,
                                 .term = config->term,
                                 .pass = shard->walk.pass,
                                 .kind = kind,
                                 .from_layer = shard->layer,
                                 .from_shard = shard->shard,
                                 .rows = 1,
                                 .from_worker = config->peers[config->self]};
}

static void send(struct sched *sched,
                 uint32_t local,
                 uint32_t output,
                 uint32_t peer,
                 const struct frame_header *header,
                 struct sched_actions *out)
{
    struct sched_action *action = post_action(out, SCHED_ACT_SEND);

    action->send.from = local;
    action->send.output = output;
    action->send.peer = peer;
    action->send.header = *header;
    action->send.header.sequence = sched->sent[peer]++;
}

/* One frame to each other worker of the set. */
static void send_to_workers(struct sched *sched,
                            uint32_t local,
                            uint64_t workers,
                            const struct frame_header *header,
                            struct sched_actions *out)
{
    for (uint32_t w = 0; w < sched->config.peers_count; w++) {
        if ((workers >> w & 1) != 0) {
            send(sched, local, 0, w, header, out);
        }
    }
}

static void mark(struct sched_shard *shard, const struct frame_header *frame)
{
    struct inbox_cell *cell = inbox_cell(&shard->inbox, frame->pass);
    uint64_t bit = UINT64_C(1) << frame->from_shard;

    if (frame->kind == FRAME_FORWARD) {
        cell->forward[frame->microbatch] |= bit;
    } else if (frame->kind == FRAME_GRADIENT) {
        cell->gradient[frame->microbatch] |= bit;
    } else {
        cell->columns |= bit;
    }
}

/* Into the inbox of local shard `to`; from SCHED_ALL is the event's frame. */
static void deliver(struct sched *sched,
                    uint32_t to,
                    uint32_t from,
                    uint32_t output,
                    const struct frame_header *frame,
                    struct sched_actions *out)
{
    struct sched_action *action = post_action(out, SCHED_ACT_DELIVER);

    action->deliver =
        (struct sched_deliver){.to = to,
                               .from = from,
                               .output = output,
                               .kind = (enum frame_kind)frame->kind,
                               .cell = (uint32_t)(frame->pass % INBOX_CELLS),
                               .microbatch = frame->microbatch,
                               .from_layer = frame->from_layer,
                               .sender = frame->from_shard};
    if (to != SCHED_ALL) {
        mark(&sched->locals[to], frame);
    }
}

static void deliver_norm(struct sched *sched,
                         uint32_t from,
                         const struct frame_header *frame,
                         struct sched_actions *out)
{
    if (sched->norms_pass != frame->pass) {
        sched->norms_pass = frame->pass;
        for (uint32_t l = 0; l < sched->config.layers_count; l++) {
            sched->norms[l] = 0;
        }
    }
    sched->norms[frame->from_layer] |= UINT64_C(1) << frame->from_shard;
    deliver(sched, SCHED_ALL, from, 0, frame, out);
}

/* Each shard of the layer before gets its own output. */
static void spread_back(struct sched *sched,
                        uint32_t local,
                        struct frame_header *header,
                        struct sched_actions *out)
{
    uint32_t layer = sched->locals[local].layer;

    if (layer == 0) {
        return;
    }
    header->to_layer = layer - 1;
    for (uint32_t s = 0; s < sched->config.shards_count[layer - 1]; s++) {
        uint32_t owner = sched->config.owners[layer - 1][s];

        header->to_shard = s;
        if (owner == sched->config.self) {
            deliver(sched, sched_local(sched, layer - 1, s), local, s, header,
                    out);
        } else {
            send(sched, local, s, owner, header, out);
        }
    }
}

void post_forward(struct sched *sched,
                  uint32_t local,
                  uint32_t microbatch,
                  struct sched_actions *out)
{
    const struct sched_shard *shard = &sched->locals[local];
    uint32_t next = shard->layer + 1;
    struct frame_header header = header_of(sched, shard, FRAME_FORWARD);

    if (next == sched->config.layers_count) {
        return;
    }
    header.microbatch = microbatch;
    header.rows = ready_rows(sched, shard, microbatch).count;
    header.to_layer = next;
    send_to_workers(sched, local, sched->layer_workers[next], &header, out);
    for (uint32_t i = sched->layer_first[next];
         i < sched->layer_first[next + 1]; i++) {
        deliver(sched, i, local, 0, &header, out);
    }
}

void post_gradients(struct sched *sched,
                    uint32_t local,
                    uint32_t microbatch,
                    struct sched_actions *out)
{
    const struct sched_shard *shard = &sched->locals[local];
    struct frame_header header = header_of(sched, shard, FRAME_GRADIENT);

    header.microbatch = microbatch;
    header.rows = ready_rows(sched, shard, microbatch).count;
    spread_back(sched, local, &header, out);
}

void post_columns(struct sched *sched,
                  uint32_t local,
                  struct sched_actions *out)
{
    struct frame_header header =
        header_of(sched, &sched->locals[local], FRAME_COLUMNS);

    spread_back(sched, local, &header, out);
}

void post_norm(struct sched *sched, uint32_t local, struct sched_actions *out)
{
    struct frame_header header =
        header_of(sched, &sched->locals[local], FRAME_NORM);
    uint64_t workers = 0;

    for (uint32_t l = 0; l < sched->config.layers_count; l++) {
        workers |= sched->layer_workers[l];
    }
    send_to_workers(sched, local, workers, &header, out);
    deliver_norm(sched, local, &header, out);
}

void post_frame(struct sched *sched,
                const struct frame_header *frame,
                struct sched_actions *out)
{
    uint32_t run[2];

    if (frame->kind == FRAME_NORM) {
        deliver_norm(sched, SCHED_ALL, frame, out);
        return;
    }
    intake_receivers(sched, frame, run);
    for (uint32_t i = run[0]; i < run[1]; i++) {
        deliver(sched, i, SCHED_ALL, 0, frame, out);
    }
}
