/* policies.h - the one interface behind which every plasticity policy lives.
 *
 * A policy is a pure function from the reports of one interval, its own state
 * and the architecture to edits for the grant two intervals later. It uses
 * + - * / and sqrt alone, so its bits are the same everywhere. A new policy is
 * one file with one struct policy_kind and one line in policies.c (and its
 * keys in proto/policy.c). */
#ifndef COORDINATOR_CORE_POLICIES_H
#define COORDINATOR_CORE_POLICIES_H

#include "base/text.h"
#include "proto/arch.h"
#include "proto/grant.h"
#include "proto/job.h"
#include "proto/report.h"

enum {
    DECISIONS_MAX = 32,      /* records that one decision round may leave */
    POLICY_WINDOW_MAX = 128, /* intervals that a policy may look back */
    PROBATION_UNITS_MAX = 128
};

/* One layer as its reports show it. */
struct layer_view {
    struct layer_sums sums;              /* of all shards */
    const struct report *const *reports; /* [shards], each with candidates */
    uint32_t shards_count;
    bool open; /* no structural edit that a report has yet to cover */
};

struct policy_view {
    const struct job_spec *spec;
    const struct arch *arch; /* with all edits granted so far */
    uint64_t interval;       /* the one reported */
    uint64_t steps;          /* its length */
    uint32_t task;
    bool task_begins; /* it is the first of its task */
    uint64_t applies; /* the interval that edits will begin */
    uint64_t applies_step;
    uint64_t examples; /* online, of the interval */
    uint64_t correct;
    double loss_sum;
    const struct evaluation *guard_before; /* NULL: not measured */
    const struct evaluation *guard_after;
    const struct grant *between; /* granted, not reported: interval + 1 */
    uint32_t hidden_count;
    struct layer_view layers[LAYERS_MAX];
};

/* What was decided, or not done, with the figures that were the cause. */
struct decision {
    enum policy_id policy;
    uint32_t layer;
    uint32_t kind; /* enum edit_kind; 0: nothing was done */
    uint32_t units_count;
    char reason[REASON_BYTES_MAX];
};

/* The grant under construction and what is said about it. arch and next_birth
 * move on with each edit that plan_edit takes. */
struct plan {
    struct grant *grant;
    struct arch *arch;
    bool guarded; /* a lesion is in it: its damage is being measured, so that
                     edits which move the output wait for the next grant */
    uint32_t decisions_count;
    struct decision decisions[DECISIONS_MAX];
};

/* State of one policy of a job. One layout for all, so that the codec and the
 * version format need not know the policies. */
struct policy_state {
    double credit[LAYERS_MAX];   /* budget carried over, or a running sum */
    uint64_t since[LAYERS_MAX];  /* an interval to remember, per layer */
    uint32_t factor[LAYERS_MAX]; /* cooldown multiplier */
    uint32_t cursor;             /* round-robin place */
    uint32_t window_count;
    double window[POLICY_WINDOW_MAX];            /* newest last */
    uint64_t window_examples[POLICY_WINDOW_MAX]; /* that each was taken over */
    uint32_t silence; /* hash of the last record of inaction, see plan_idle */
};

/* Units lesioned together in one layer and waiting for their verdict. */
struct probation {
    bool used;
    bool measured;
    uint32_t layer;
    uint32_t policy;   /* index within the prune role */
    uint64_t interval; /* at whose beginning they were lesioned */
    double damage;     /* relative increase of the guard loss */
    uint32_t units_count;
    struct edit_unit units[PROBATION_UNITS_MAX];
};

struct plasticity_state {
    struct policy_state policies[ROLES_COUNT][POLICIES_MAX];
    struct probation probations[LAYERS_MAX]; /* one a layer at most */
    uint64_t grows;                          /* units, since the job began */
    uint64_t renews;
    uint64_t prunes;
    double best_loss; /* held-out, for stop: {no_gain}; < 0: none yet */
    uint32_t no_gain; /* evaluations since best_loss */
};

struct policy_kind {
    enum policy_id id;
    void (*decide)(const struct policy_view *view,
                   const struct policy_spec *spec,
                   uint32_t index, /* within its role */
                   struct plasticity_state *all,
                   struct plan *plan);
};

/* NULL: this release has no such policy. */
const struct policy_kind *policy_kind_find(enum policy_id id);

extern const struct policy_kind policy_continual_backprop;
extern const struct policy_kind policy_schedule;
extern const struct policy_kind policy_plateau;
extern const struct policy_kind policy_contribution;

/* --- What policies build with (plan.c) --- */

/* Puts an edit into the grant and applies it to the planned architecture.
 * False, and nothing done: the grant or the architecture has no room. */
bool plan_edit(struct plan *plan,
               const struct policy_view *view,
               enum edit_kind kind,
               uint32_t layer,
               enum policy_id policy,
               const struct edit_unit *units,
               uint32_t units_count);

/* count new units for layer, ids and shards filled: smallest shard first. */
bool plan_grow(struct plan *plan,
               const struct policy_view *view,
               uint32_t layer,
               enum policy_id policy,
               uint32_t count);

/* A record of something done; text points to its reason, ready to be added
 * to. NULL-free: where the list is full a scratch record is returned. */
struct text plan_record(struct plan *plan,
                        enum policy_id policy,
                        uint32_t layer,
                        enum edit_kind kind,
                        uint32_t units_count);

/* A record of something not done. Said once: as long as `why` (a number of the
 * policy's own) stays the same it is not recorded again. */
void plan_idle(struct plan *plan,
               struct policy_state *state,
               enum policy_id policy,
               uint32_t layer,
               uint32_t why,
               const char *reason);

/* Candidates of a layer over all its shards in order of utility, then birth;
 * units that a grant not yet reported names are left out. Start with a zeroed
 * walk. False: no more. */
struct candidate_walk {
    uint32_t at[SHARDS_MAX];
};
bool candidates_next(const struct policy_view *view,
                     uint32_t layer,
                     const struct plan *plan,
                     struct candidate_walk *walk,
                     struct candidate *out);

#endif /* COORDINATOR_CORE_POLICIES_H */
