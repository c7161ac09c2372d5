/* job.h - a job as the whole system sees it: the resolved job file.
 *
 * Plain and bounded, without pointers, so that it can be copied, compared and
 * kept in a core. proto/jobfile.h makes one from YAML, proto/jobcode.h turns
 * one into bytes and back. Everything that is part of the arithmetic is in
 * here, so two equal specs give two models of the same bits. */
#ifndef PROTO_JOB_H
#define PROTO_JOB_H

#include "base/hash.h"
#include "base/limits.h"
#include "base/status.h"
#include "proto/policy.h"
#include <stdbool.h>
#include <stdint.h>

enum data_format { DATA_IDX = 1 };

enum task_kind {
    TASK_NONE = 1,       /* the data as they are */
    TASK_PERMUTE_PIXELS, /* task 0 as they are, then a permutation a task */
    TASK_PERMUTE_LABELS, /* task 0 as they are, then labels renamed a task */
    TASK_SPLIT_CLASSES,  /* count tasks of classes / count classes each */
    TASK_ROTATE          /* task t turned by t * 360 / count degrees */
};

/* One mapping of data.tasks: `count` tasks in a row. */
struct task_spec {
    enum task_kind kind;
    uint32_t count;    /* at least 1 */
    uint64_t examples; /* of each task; 0: `passes` over its data */
    uint32_t passes;   /* at least 1; counts where examples is 0 */
};

struct data_spec {
    enum data_format format;
    char dir[PATH_BYTES_MAX];
    uint64_t guard_examples; /* set aside from training, 0: none */
    bool shuffle;            /* false: order as-is */
    uint32_t task_specs_count;
    struct task_spec task_specs[TASK_SPECS_MAX];
};

enum activation {
    ACTIVATION_RELU = 1,
    ACTIVATION_TANH,
    ACTIVATION_GELU,  /* exact: x * Phi(x), with erf */
    ACTIVATION_LINEAR /* the output layer */
};

struct layer_spec {
    uint32_t units;
    enum activation activation;
};

struct model_spec {
    uint32_t hidden_count; /* 1 .. LAYERS_MAX - 1 */
    struct layer_spec hidden[LAYERS_MAX];
    uint32_t outputs; /* 0: as many as the data have classes */
    uint32_t shards;  /* per hidden layer; the output layer has one */
};

enum loss_kind { LOSS_CROSS_ENTROPY = 1, LOSS_MEAN_SQUARED_ERROR };

enum optimizer_kind { OPTIMIZER_SGD = 1, OPTIMIZER_ADAM, OPTIMIZER_ADAMW };

struct optimizer_spec {
    enum optimizer_kind kind;
    double momentum; /* sgd; PyTorch's convention, no dampening */
    double beta1;    /* adam, adamw */
    double beta2;
    double epsilon;
    double
        weight_decay; /* sgd, adam: added to the gradient; adamw: decoupled */
};

enum schedule_kind { SCHEDULE_CONSTANT = 1, SCHEDULE_LINEAR, SCHEDULE_COSINE };
enum schedule_over { OVER_JOB = 1, OVER_TASK };

struct rate_spec {
    double peak;
    enum schedule_kind schedule; /* after warm-up: constant, down to 0 */
    uint64_t warmup_steps;       /* linear from peak / warmup_steps */
    enum schedule_over over;
};

struct train_spec {
    struct optimizer_spec optimizer;
    struct rate_spec rate;
    uint32_t batch;
    uint32_t microbatches; /* divides nothing: rows are split evenly, the
                              first ones take the remainder */
    double clip;           /* global norm; 0: off */
};

enum evaluate_on { EVALUATE_CURRENT = 1, EVALUATE_SEEN };

struct evaluate_spec {
    bool at_task_end;
    enum evaluate_on on;
};

enum stop_kind { STOP_STEPS = 1, STOP_LOSS, STOP_NO_GAIN };

struct stop_rule {
    enum stop_kind kind;
    double value; /* steps; online loss of an interval; evaluations */
};

enum role { ROLE_RENEW = 0, ROLE_GROW, ROLE_PRUNE, ROLES_COUNT };

struct policy_spec {
    enum policy_id policy;
    double value[POLICY_KEYS_MAX]; /* by the policy's own key enum */
};

struct role_spec {
    uint32_t count;
    struct policy_spec policies[POLICIES_MAX];
};

/* What versions are made of a running job, by cause. */
enum cause {
    CAUSE_START = 1,
    CAUSE_RESTORE,
    CAUSE_MANUAL,
    CAUSE_GROW,
    CAUSE_PRUNE,
    CAUSE_RENEW,
    CAUSE_TASK,
    CAUSE_PERIODIC,
    CAUSE_END
};
const char *cause_name(enum cause cause); /* "start", ...; "?" if unknown */

struct keep_spec {
    uint64_t every_steps; /* 0: off */
    uint32_t on;          /* bit (1 << cause) */
    uint32_t last;        /* versions that gc spares, beside one per cause */
};

struct run_spec {
    uint32_t workers;     /* at most, where there is a least */
    uint32_t workers_min; /* it can do with these; 0: with no fewer than
                             workers */
    uint32_t threads;     /* compute threads per worker */
};

/* The longest name of a file in a mirror's directory, with the / before it. */
enum { MIRROR_NAME_BYTES = 128 };

struct store_spec {
    char mirror[PATH_BYTES_MAX]; /* a directory for a second copy; "": none */
};

struct job_spec {
    char name[NAME_BYTES_MAX];
    uint64_t seed;
    struct data_spec data;
    struct model_spec model;
    enum loss_kind loss;
    struct train_spec train;
    struct evaluate_spec evaluate;
    uint32_t stop_rules_count; /* any of them ends the job */
    struct stop_rule stop_rules[STOP_RULES_MAX];
    uint64_t report_every_steps;
    struct role_spec roles[ROLES_COUNT];
    double guard_tolerance; /* relative loss increase an edit may cause */
    struct keep_spec keep;
    struct run_spec run;
    struct store_spec store;
};

/* What a worker found when it opened the data. */
struct data_shape {
    uint32_t inputs;         /* K of the first layer */
    uint32_t classes;        /* labels are below this */
    uint64_t train_examples; /* guard examples already taken out */
    uint64_t guard_examples;
    uint64_t evaluate_examples;
    struct hash hash; /* of the files' bytes */
    uint32_t tasks_count;
    uint64_t task_examples[TASKS_MAX]; /* examples that each task trains on */
};

/* Every default that does not depend on another key. */
void job_defaults(struct job_spec *spec);

/* Checks every field's range and what belongs together. INVALID: why (a text
 * of one sentence that names the key). Used on every spec from outside. */
enum status job_check(const struct job_spec *spec,
                      char *why,
                      size_t why_size) MUST_CHECK;

uint32_t job_tasks_count(const struct job_spec *spec);

/* A running job may change some keys (`cajal set`). NOT_FOUND: no such key, or
 * one that is part of the data or the shape. The value is checked as in a
 * file. Returns the setting's number, which travels in grants. */
enum setting {
    SETTING_RATE = 1, /* train.lr (the peak) */
    SETTING_WEIGHT_DECAY,
    SETTING_CLIP,
    SETTING_POLICY_BASE = 1000 /* + role * 100 + policy * 10 + key */
};
enum status job_find_setting(const struct job_spec *spec,
                             const char *key,
                             uint32_t *out_setting) MUST_CHECK;
/* The key of a setting, as in a job file; out: JOB_PATH_BYTES_MAX. "": none. */
void job_setting_path(const struct job_spec *spec, uint32_t setting, char *out);
/* INVALID: value out of range (spec unchanged). */
enum status job_apply_setting(struct job_spec *spec,
                              uint32_t setting,
                              double value) MUST_CHECK;

#endif /* PROTO_JOB_H */
