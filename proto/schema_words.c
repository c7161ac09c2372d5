#include "proto/schema.h"

#include "proto/job.h"
#include <stddef.h>

const struct schema_word words_formats[] = {
    {"idx", DATA_IDX, NULL},
    {"npy", 0, "npy is not in this release; use idx"},
    {"csv", 0, "csv is not in this release; use idx"},
    {"jsonl", 0, "jsonl is not in this release; use idx"},
    {"text", 0, "text is not in this release; use idx"},
    {"push", 0, "push is not in this release; use idx"},
    {"synthetic", 0, "synthetic is not in this release; use idx"},
    {NULL, 0, NULL}};

const struct schema_word words_orders[] = {
    {"shuffle", true, NULL}, {"as-is", false, NULL}, {NULL, 0, NULL}};

const struct schema_word words_task_kinds[] = {
    {"none", TASK_NONE, NULL},
    {"permute-pixels", TASK_PERMUTE_PIXELS, NULL},
    {"permute-labels", TASK_PERMUTE_LABELS, NULL},
    {"split-classes", TASK_SPLIT_CLASSES, NULL},
    {"rotate", TASK_ROTATE, NULL},
    {"slowly-changing", 0,
     "slowly-changing is not in this release; rotate in many small steps is "
     "the nearest"},
    {NULL, 0, NULL}};

const struct schema_word words_model_kinds[] = {
    {"mlp", 1, NULL},
    {"cascade", 0, "cascade is not in this release; use mlp"},
    {"transformer", 0, "transformer is not in this release; use mlp"},
    {NULL, 0, NULL}};

const struct schema_word words_activations[] = {
    {"relu", ACTIVATION_RELU, NULL},
    {"tanh", ACTIVATION_TANH, NULL},
    {"gelu", ACTIVATION_GELU, NULL},
    {"linear", 0,
     "linear is the output layer's; a hidden layer is relu, tanh or gelu"},
    {NULL, 0, NULL}};

const struct schema_word words_norms[] = {
    {"none", 0, NULL},
    {"layer", 0, "a norm is not in this release; use none"},
    {"batch", 0, "a norm is not in this release; use none"},
    {"rms", 0, "a norm is not in this release; use none"},
    {NULL, 0, NULL}};

const struct schema_word words_heads[] = {
    {"shared", 0, NULL},
    {"per-task", 0, "per-task is not in this release; use shared"},
    {NULL, 0, NULL}};

const struct schema_word words_classes[] = {
    {"data", 0, NULL},
    {"open", 0,
     "open is not in this release; use a number, or data: as many as the "
     "data have"},
    {NULL, 0, NULL}};

const struct schema_word words_losses[] = {
    {"cross-entropy", LOSS_CROSS_ENTROPY, NULL},
    {"mean-squared-error", LOSS_MEAN_SQUARED_ERROR, NULL},
    {"huber", 0, "huber is not in this release; use mean-squared-error"},
    {NULL, 0, NULL}};

const struct schema_word words_optimizers[] = {{"sgd", OPTIMIZER_SGD, NULL},
                                               {"adam", OPTIMIZER_ADAM, NULL},
                                               {"adamw", OPTIMIZER_ADAMW, NULL},
                                               {NULL, 0, NULL}};

const struct schema_word words_schedules[] = {
    {"constant", SCHEDULE_CONSTANT, NULL},
    {"linear", SCHEDULE_LINEAR, NULL},
    {"cosine", SCHEDULE_COSINE, NULL},
    {NULL, 0, NULL}};

const struct schema_word words_overs[] = {
    {"job", OVER_JOB, NULL}, {"task", OVER_TASK, NULL}, {NULL, 0, NULL}};

const struct schema_word words_evaluate_times[] = {
    {"task", true, NULL}, {"never", false, NULL}, {NULL, 0, NULL}};

const struct schema_word words_evaluate_tasks[] = {
    {"current", EVALUATE_CURRENT, NULL},
    {"seen", EVALUATE_SEEN, NULL},
    {NULL, 0, NULL}};

const struct schema_word words_weights[] = {
    {"current", 0, NULL},
    {"slow", 0, "slow weights are not in this release; use current"},
    {NULL, 0, NULL}};

const struct schema_word words_causes[] = {
    {"start", CAUSE_START, NULL},
    {"restore", CAUSE_RESTORE, NULL},
    {"manual", CAUSE_MANUAL, NULL},
    {"grow", CAUSE_GROW, NULL},
    {"prune", CAUSE_PRUNE, NULL},
    {"renew", CAUSE_RENEW, NULL},
    {"task", CAUSE_TASK, NULL},
    {"periodic", CAUSE_PERIODIC,
     "periodic versions are asked for by keep.every"},
    {"end", CAUSE_END, NULL},
    {NULL, 0, NULL}};

const struct schema_word words_never[] = {{"never", 0, NULL}, {NULL, 0, NULL}};
