#include "proto/wirecode.h"

#include "proto/modelcode.h"
#include "proto/wirecheck.h"
#include "proto/cajal/v1/wire.pb-c.h"
#include <string.h>

/* --- Shapes of data --- */

enum status wirecode_get_shape(const struct Cajal__V1__DataShape *from,
                               struct arena *arena,
                               struct data_shape **out)
{
    struct data_shape *shape = NULL;

    if (from == NULL || from->n_task_examples > TASKS_MAX) {
        return STATUS_INVALID;
    }
    shape = codec_new(arena, sizeof(*shape));
    if (shape == NULL) {
        return STATUS_NO_MEMORY;
    }
    *out = shape;
    shape->inputs = from->inputs;
    shape->classes = from->classes;
    shape->train_examples = from->train_examples;
    shape->guard_examples = from->guard_examples;
    shape->evaluate_examples = from->evaluate_examples;
    shape->tasks_count = (uint32_t)from->n_task_examples;
    for (uint32_t i = 0; i < shape->tasks_count; i++) {
        shape->task_examples[i] = from->task_examples[i];
    }
    if (!modelcode_get_hash(&from->hash, &shape->hash)) {
        return STATUS_INVALID;
    }
    return wirecheck_shape(shape) ? STATUS_OK : STATUS_INVALID;
}

struct Cajal__V1__DataShape *wirecode_put_shape(const struct data_shape *from,
                                                struct region *region)
{
    Cajal__V1__DataShape *to = region_new(region, sizeof(*to));
    uint64_t *examples =
        region_array(region, from->tasks_count, sizeof(*examples));

    if (to == NULL || examples == NULL) {
        return NULL;
    }
    cajal__v1__data_shape__init(to);
    to->inputs = from->inputs;
    to->classes = from->classes;
    to->train_examples = from->train_examples;
    to->guard_examples = from->guard_examples;
    to->evaluate_examples = from->evaluate_examples;
    to->hash = modelcode_put_hash(&from->hash);
    memcpy(examples, from->task_examples,
           from->tasks_count * sizeof(*examples));
    to->n_task_examples = from->tasks_count;
    to->task_examples = examples;
    return to;
}

/* --- Reports --- */

static bool get_histogram(const uint32_t *from,
                          size_t count,
                          struct histogram *to)
{
    if (count != HISTOGRAM_BINS) {
        return false;
    }
    memcpy(to->count, from, sizeof(to->count));
    return true;
}

static bool get_sums(const Cajal__V1__LayerSums *from, struct layer_sums *to)
{
    if (from == NULL) {
        return false;
    }
    to->units = from->units;
    to->live = from->live;
    to->eligible = from->eligible;
    to->dormant = from->dormant;
    to->examples = from->examples;
    to->h = from->h;
    to->h_abs = from->h_abs;
    to->h_square = from->h_square;
    to->firings = from->firings;
    to->taylor = from->taylor;
    to->weight_abs = from->weight_abs;
    to->weights = from->weights;
    to->utility = from->utility;
    return get_histogram(from->activity, from->n_activity, &to->activity) &&
           get_histogram(from->utilities, from->n_utilities, &to->utilities);
}

static void get_candidates(const Cajal__V1__Report *from, struct report *to)
{
    to->candidates_count = (uint32_t)from->n_candidates;
    for (uint32_t i = 0; i < to->candidates_count; i++) {
        const Cajal__V1__Candidate *candidate = from->candidates[i];
        struct unit_id id = {0};

        if (candidate->id != NULL) {
            id = (struct unit_id){candidate->id->line, candidate->id->birth};
        }
        to->candidates[i] = (struct candidate){.id = id,
                                               .age = candidate->age,
                                               .utility = candidate->utility,
                                               .mean = candidate->mean};
    }
}

static void get_evaluations(const Cajal__V1__Report *from, struct report *to)
{
    to->evaluations_count = (uint32_t)from->n_evaluations;
    for (uint32_t i = 0; i < to->evaluations_count; i++) {
        const Cajal__V1__Evaluation *evaluation = from->evaluations[i];

        to->evaluations[i] =
            (struct evaluation){.set = (enum evaluation_set)evaluation->set,
                                .task = evaluation->task,
                                .examples = evaluation->examples,
                                .correct = evaluation->correct,
                                .loss_sum = evaluation->loss_sum};
    }
}

enum status wirecode_get_report(const struct Cajal__V1__Report *from,
                                struct arena *arena,
                                struct report **out)
{
    struct report *report = NULL;

    if (from == NULL || from->n_candidates > REPORT_CANDIDATES_MAX ||
        from->n_evaluations > REPORT_EVALUATIONS_MAX) {
        return STATUS_INVALID;
    }
    report = codec_new(arena, sizeof(*report));
    if (report == NULL) {
        return STATUS_NO_MEMORY;
    }
    *out = report;
    report->term = from->term;
    report->interval = from->interval;
    report->layer = from->layer;
    report->shard = from->shard;
    report->examples = from->examples;
    report->correct = from->correct;
    report->loss_sum = from->loss_sum;
    report->not_finite = from->not_finite != 0;
    report->not_finite_step = from->not_finite_step;
    get_candidates(from, report);
    get_evaluations(from, report);
    if (!get_sums(from->sums, &report->sums)) {
        return STATUS_INVALID;
    }
    if (!wirecheck_report(report)) {
        return STATUS_INVALID;
    }
    return report->not_finite || wirecheck_report_finite(report)
               ? STATUS_OK
               : STATUS_INVALID;
}

static uint32_t *put_histogram(const struct histogram *from,
                               struct region *region)
{
    uint32_t *to = region_new(region, sizeof(from->count));

    if (to != NULL) {
        memcpy(to, from->count, sizeof(from->count));
    }
    return to;
}

static Cajal__V1__LayerSums *put_sums(const struct layer_sums *from,
                                      struct region *region)
{
    Cajal__V1__LayerSums *to = region_new(region, sizeof(*to));

    if (to == NULL) {
        return NULL;
    }
    cajal__v1__layer_sums__init(to);
    to->units = from->units;
    to->live = from->live;
    to->eligible = from->eligible;
    to->dormant = from->dormant;
    to->examples = from->examples;
    to->h = from->h;
    to->h_abs = from->h_abs;
    to->h_square = from->h_square;
    to->firings = from->firings;
    to->taylor = from->taylor;
    to->weight_abs = from->weight_abs;
    to->weights = from->weights;
    to->utility = from->utility;
    to->n_activity = HISTOGRAM_BINS;
    to->activity = put_histogram(&from->activity, region);
    to->n_utilities = HISTOGRAM_BINS;
    to->utilities = put_histogram(&from->utilities, region);
    return to->activity != NULL && to->utilities != NULL ? to : NULL;
}

static Cajal__V1__Candidate *put_candidate(const struct candidate *from,
                                           struct region *region)
{
    Cajal__V1__Candidate *to = region_new(region, sizeof(*to));
    Cajal__V1__UnitId *id = region_new(region, sizeof(*id));

    if (to == NULL || id == NULL) {
        return NULL;
    }
    cajal__v1__candidate__init(to);
    cajal__v1__unit_id__init(id);
    id->line = from->id.line;
    id->birth = from->id.birth;
    to->id = id;
    to->age = from->age;
    to->utility = from->utility;
    to->mean = from->mean;
    return to;
}

static Cajal__V1__Evaluation *put_evaluation(const struct evaluation *from,
                                             struct region *region)
{
    Cajal__V1__Evaluation *to = region_new(region, sizeof(*to));

    if (to != NULL) {
        cajal__v1__evaluation__init(to);
        to->set = (Cajal__V1__EvaluationSet)from->set;
        to->task = from->task;
        to->examples = from->examples;
        to->correct = from->correct;
        to->loss_sum = from->loss_sum;
    }
    return to;
}

static bool put_lists(const struct report *from,
                      Cajal__V1__Report *to,
                      struct region *region)
{
    bool good = true;

    to->n_candidates = from->candidates_count;
    to->candidates =
        region_array(region, from->candidates_count, sizeof(*to->candidates));
    to->n_evaluations = from->evaluations_count;
    to->evaluations =
        region_array(region, from->evaluations_count, sizeof(*to->evaluations));
    if (to->candidates == NULL || to->evaluations == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < from->candidates_count; i++) {
        to->candidates[i] = put_candidate(&from->candidates[i], region);
        good = good && to->candidates[i] != NULL;
    }
    for (uint32_t i = 0; i < from->evaluations_count; i++) {
        to->evaluations[i] = put_evaluation(&from->evaluations[i], region);
        good = good && to->evaluations[i] != NULL;
    }
    return good;
}

struct Cajal__V1__Report *wirecode_put_report(const struct report *from,
                                              struct region *region)
{
    Cajal__V1__Report *to = region_new(region, sizeof(*to));

    if (to == NULL) {
        return NULL;
    }
    cajal__v1__report__init(to);
    to->term = from->term;
    to->interval = from->interval;
    to->layer = from->layer;
    to->shard = from->shard;
    to->examples = from->examples;
    to->correct = from->correct;
    to->loss_sum = from->loss_sum;
    to->not_finite = from->not_finite || !wirecheck_report_finite(from);
    to->not_finite_step = from->not_finite_step;
    to->sums = put_sums(&from->sums, region);
    return to->sums != NULL && put_lists(from, to, region) ? to : NULL;
}
