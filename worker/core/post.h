/* post.h - the actions of a step, and where a shard's outputs go.
 *
 * Outputs go to local shards as deliveries and to other workers as frames: one
 * frame per worker where all its shards of a layer take the same bytes, one
 * per shard where each gets its own. Pure. */
#ifndef WORKER_CORE_POST_H
#define WORKER_CORE_POST_H

#include "worker/core/sched.h"

/* Appends an action of this type; the caller fills in the rest. */
struct sched_action *post_action(struct sched_actions *out,
                                 enum sched_action_type type);

/* Microbatch number `microbatch` of the local shard's output, to the layer
 * after it. */
void post_forward(struct sched *sched,
                  uint32_t local,
                  uint32_t microbatch,
                  struct sched_actions *out);

/* Output s of the local shard to shard s of the layer before it: gradients
 * (or acknowledgements), and columns. */
void post_gradients(struct sched *sched,
                    uint32_t local,
                    uint32_t microbatch,
                    struct sched_actions *out);
void post_columns(struct sched *sched,
                  uint32_t local,
                  struct sched_actions *out);

/* The local shard's norm to all shards of the model. */
void post_norm(struct sched *sched, uint32_t local, struct sched_actions *out);

/* A frame that has been judged good goes to the local shards it is for. */
void post_frame(struct sched *sched,
                const struct frame_header *frame,
                struct sched_actions *out);

#endif /* WORKER_CORE_POST_H */
