#include "worker/shell/actor.h"

#include "base/check.h"
#include "base/mem.h"
#include "worker/model/tree.h"

#include <string.h>

/* Places */

static enum status open_frames(size_t count, struct part **out)
{
    struct part *frames = mem_array(count, sizeof(*frames));

    if (frames == NULL) {
        return STATUS_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        part_init_empty(&frames[i]);
    }
    *out = frames;
    return STATUS_OK;
}

static void close_frames(struct part *frames, size_t count)
{
    for (size_t i = 0; frames != NULL && i < count; i++) {
        part_close(&frames[i]);
    }
    mem_free(frames);
}

/* Empties places: they stay initialised. */
static void empty_frames(struct part *frames, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        part_close(&frames[i]);
        part_init_empty(&frames[i]);
    }
}

static struct part *forward_places(struct actor *actor,
                                   uint64_t pass,
                                   uint32_t microbatch)
{
    size_t row = pass % INBOX_CELLS * MICROBATCHES_MAX + microbatch;

    return actor->forward + row * actor->producers_count;
}

static struct part *gradient_places(struct actor *actor,
                                    uint64_t pass,
                                    uint32_t microbatch)
{
    size_t row = pass % INBOX_CELLS * MICROBATCHES_MAX + microbatch;

    return actor->gradient + row * actor->consumers_count;
}

static struct part *columns_places(struct actor *actor, uint64_t pass)
{
    return actor->columns + pass % INBOX_CELLS * actor->consumers_count;
}

struct part *actor_place(struct actor *actor,
                         const struct sched_deliver *deliver)
{
    switch (deliver->kind) {
    case FRAME_FORWARD:
        CHECK(deliver->sender < actor->producers_count);
        return forward_places(actor, deliver->cell, deliver->microbatch) +
               deliver->sender;
    case FRAME_GRADIENT:
        CHECK(deliver->sender < actor->consumers_count);
        return gradient_places(actor, deliver->cell, deliver->microbatch) +
               deliver->sender;
    case FRAME_COLUMNS:
        CHECK(deliver->sender < actor->consumers_count);
        return columns_places(actor, deliver->cell) + deliver->sender;
    case FRAME_NORM:
        break;
    }
    check_fail(__FILE__, __LINE__, "delivery is for a shard");
}

enum status actor_open(struct actor *actor, const struct shard_place *place)
{
    const struct arch *arch = place->arch;
    uint32_t l = place->layer;
    size_t rows = (size_t)INBOX_CELLS * MICROBATCHES_MAX;

    *actor = (struct actor){.spec = *place->spec};
    actor->producers_count = l > 0 ? arch->layers[l - 1].shards_count : 0;
    actor->consumers_count =
        l + 1 < arch->layers_count ? arch->layers[l + 1].shards_count : 0;
    actor->outputs_max = actor->producers_count + 1;
    actor->report = mem_new(sizeof(*actor->report));
    if (actor->report == NULL ||
        open_frames(rows * actor->producers_count, &actor->forward) !=
            STATUS_OK ||
        open_frames(rows * actor->consumers_count, &actor->gradient) !=
            STATUS_OK ||
        open_frames((size_t)INBOX_CELLS * actor->consumers_count,
                    &actor->columns) != STATUS_OK) {
        return STATUS_NO_MEMORY;
    }
    actor->outputs = mem_array(actor->outputs_max, sizeof(*actor->outputs));
    if (actor->outputs == NULL) {
        return STATUS_NO_MEMORY;
    }
    return shard_open(place, &actor->shard);
}

void actor_close(struct actor *actor)
{
    size_t rows = (size_t)INBOX_CELLS * MICROBATCHES_MAX;

    for (uint32_t i = 0; i < actor->outputs_count; i++) {
        part_close(&actor->outputs[i]);
    }
    mem_free(actor->outputs);
    close_frames(actor->columns, (size_t)INBOX_CELLS * actor->consumers_count);
    close_frames(actor->gradient, rows * actor->consumers_count);
    close_frames(actor->forward, rows * actor->producers_count);
    mem_free(actor->report);
    copy_close(actor->copy);
    shard_close(actor->shard);
    *actor = (struct actor){.shard = NULL};
}

/* Operations */

/* A new output of n floats, or NULL. */
static float *add_output(struct actor *actor, size_t n)
{
    struct part *frame = &actor->outputs[actor->outputs_count];

    CHECK(actor->outputs_count < actor->outputs_max);
    if (part_init_size(frame, n * sizeof(float)) != STATUS_OK) {
        return NULL;
    }
    actor->outputs_count++;
    return part_data(frame);
}

static bool has_floats(const struct part *frame, size_t n)
{
    return part_size(frame) == n * sizeof(float);
}

static enum status take_inputs(struct actor *actor)
{
    const struct sched_run *run = &actor->run;
    struct part *places = NULL;

    if (run->layer == 0) {
        shard_input(actor->shard, run->first, run->rows, 0, actor->input.x);
        return STATUS_OK;
    }
    places = forward_places(actor, run->pass, run->microbatch);
    for (uint32_t p = 0; p < actor->producers_count; p++) {
        uint32_t units = shard_producer_units(actor->shard, p);

        if (!has_floats(&places[p], (size_t)run->rows * units)) {
            return STATUS_CORRUPT;
        }
        shard_input(actor->shard, run->first, run->rows, p,
                    part_data(&places[p]));
    }
    return STATUS_OK;
}

/* The sums of an evaluation go on over its passes; microbatches come in
 * order, so they do not depend on the placement. */
static void take_loss(struct actor *actor)
{
    const struct sched_run *run = &actor->run;

    if (!run->training && run->example == 0) {
        actor->sum = (struct evaluation){.set = run->set, .task = run->task};
    }
    shard_loss(actor->shard, run->first, run->rows, actor->input.labels,
               &actor->sum);
    if (!run->training && run->last) {
        shard_keep_evaluation(actor->shard, &actor->sum);
    }
}

static enum status run_forward(struct actor *actor)
{
    const struct sched_run *run = &actor->run;
    enum status status = STATUS_OK;
    float *out = NULL;

    if (run->microbatch == 0) { /* the first operation of its pass */
        shard_begin(actor->shard, run->training ? PASS_TRAIN : PASS_EVALUATE,
                    run->step, run->pass_rows);
    }
    status = take_inputs(actor);
    if (status != STATUS_OK) {
        return status;
    }
    out = add_output(actor, (size_t)run->rows * shard_units(actor->shard));
    if (out == NULL) {
        return STATUS_NO_MEMORY;
    }
    shard_forward(actor->shard, run->first, run->rows, out);
    if (actor->consumers_count == 0) {
        take_loss(actor);
    }
    return STATUS_OK;
}

static enum status take_gradients(struct actor *actor)
{
    const struct sched_run *run = &actor->run;
    struct part *places = gradient_places(actor, run->pass, run->microbatch);
    size_t n = (size_t)run->rows * shard_units(actor->shard);
    const float *values[SHARDS_MAX];

    for (uint32_t c = 0; c < actor->consumers_count; c++) {
        if (!has_floats(&places[c], n)) {
            return STATUS_CORRUPT;
        }
        values[c] = part_data(&places[c]);
    }
    if (actor->consumers_count > 0) {
        shard_gradient(actor->shard, run->first, run->rows,
                       actor->consumers_count, values);
    }
    return STATUS_OK;
}

static enum status run_backward(struct actor *actor)
{
    const struct sched_run *run = &actor->run;
    enum status status = STATUS_OK;
    float *out[SHARDS_MAX];

    if (run->training) {
        status = take_gradients(actor);
    }
    for (uint32_t p = 0; status == STATUS_OK && p < actor->producers_count;
         p++) {
        size_t units = shard_producer_units(actor->shard, p);

        out[p] = add_output(actor, run->training ? run->rows * units : 0);
        status = out[p] == NULL ? STATUS_NO_MEMORY : STATUS_OK;
    }
    if (status == STATUS_OK && run->training) {
        shard_backward(actor->shard, run->first, run->rows,
                       actor->producers_count > 0 ? out : NULL);
    }
    return status;
}

static enum status run_norm(struct actor *actor)
{
    double norm = shard_gradient_norm(actor->shard);
    void *out = add_output(actor, sizeof(norm) / sizeof(float));

    if (out == NULL) {
        return STATUS_NO_MEMORY;
    }
    memcpy(out, &norm, sizeof(norm));
    return STATUS_OK;
}

/* Settings first: an edit may depend on them, none of them on an edit. What
 * is not this job's to set was refused by the coordinator; a setting that does
 * not apply here is a fault all the same. */
static enum status run_edit(struct actor *actor)
{
    const struct grant *grant = actor->input.grant;
    enum status status = STATUS_OK;

    for (uint32_t i = 0; status == STATUS_OK && i < grant->settings_count;
         i++) {
        status = job_apply_setting(&actor->spec, grant->settings[i].setting,
                                   grant->settings[i].value);
    }
    if (status == STATUS_OK && grant->settings_count > 0) {
        shard_set_spec(actor->shard, &actor->spec);
    }
    for (uint32_t i = 0; status == STATUS_OK && i < grant->edits_count; i++) {
        status = shard_edit(actor->shard, &grant->edits[i], grant->units,
                            actor->run.step);
    }
    return status;
}

static enum status run_columns(struct actor *actor)
{
    uint32_t inputs = shard_inputs(actor->shard);
    float *sums = mem_array(inputs, sizeof(*sums));
    const float *at = sums;
    enum status status = sums == NULL ? STATUS_NO_MEMORY : STATUS_OK;

    if (status == STATUS_OK) {
        shard_column_sums(actor->shard, sums);
    }
    for (uint32_t p = 0; status == STATUS_OK && p < actor->producers_count;
         p++) {
        uint32_t units = shard_producer_units(actor->shard, p);
        float *out = add_output(actor, units);

        if (out == NULL) {
            status = STATUS_NO_MEMORY;
        } else if (units > 0) {
            memcpy(out, at, units * sizeof(*out));
            at += units;
        }
    }
    mem_free(sums);
    return status;
}

/* Sums of |w_out| over all consumers; zeros where no step was taken, since
 * then no utility moves. */
static enum status sum_columns(struct actor *actor, double *outgoing)
{
    struct part *places = columns_places(actor, actor->run.pass);
    uint32_t units = shard_units(actor->shard);
    const float *values[SHARDS_MAX];

    if (actor->run.steps == 0 || units == 0) {
        return STATUS_OK; /* zeroed memory */
    }
    for (uint32_t c = 0; c < actor->consumers_count; c++) {
        if (!has_floats(&places[c], units)) {
            return STATUS_CORRUPT;
        }
        values[c] = part_data(&places[c]);
    }
    tree_sum_double(values, actor->consumers_count, units, outgoing);
    return STATUS_OK;
}

static enum status run_report(struct actor *actor)
{
    const struct sched_run *run = &actor->run;
    enum status status = STATUS_OK;
    double *outgoing = NULL;

    if (actor->consumers_count > 0) {
        outgoing = mem_array(shard_units(actor->shard), sizeof(*outgoing));
        status =
            outgoing == NULL ? STATUS_NO_MEMORY : sum_columns(actor, outgoing);
    }
    if (status == STATUS_OK) {
        shard_report(actor->shard, run->steps, outgoing, actor->report);
        actor->report->interval = run->interval;
    }
    mem_free(outgoing);
    return status;
}

static enum status run_cut(struct actor *actor)
{
    enum status status = copy_open(actor->shard, &actor->copy);

    if (status == STATUS_NO_MEMORY && !actor->run.store) {
        return STATUS_OK; /* a point is not worth a session: without it */
    }
    if (status == STATUS_OK) {
        actor->copy->layer = actor->run.layer;
        actor->copy->shard = actor->run.shard;
    }
    return status;
}

void actor_run(struct actor *actor)
{
    CHECK(actor->outputs_count == 0);
    switch (actor->run.op) {
    case SCHED_FORWARD:
        actor->status = run_forward(actor);
        return;
    case SCHED_BACKWARD:
        actor->status = run_backward(actor);
        return;
    case SCHED_NORM:
        actor->status = run_norm(actor);
        return;
    case SCHED_UPDATE:
        shard_update(actor->shard, actor->input.rate, actor->input.scale);
        actor->status = STATUS_OK;
        return;
    case SCHED_EDIT:
        actor->status = run_edit(actor);
        return;
    case SCHED_CUT:
        actor->status = run_cut(actor);
        return;
    case SCHED_COLUMNS:
        actor->status = run_columns(actor);
        return;
    case SCHED_REPORT:
        actor->status = run_report(actor);
        return;
    }
    CHECK(false);
}

void actor_finish(struct actor *actor)
{
    const struct sched_run *run = &actor->run;

    for (uint32_t i = 0; i < actor->outputs_count; i++) {
        part_close(&actor->outputs[i]);
    }
    actor->outputs_count = 0;
    if (run->op == SCHED_FORWARD) {
        empty_frames(forward_places(actor, run->pass, run->microbatch),
                     actor->producers_count);
    } else if (run->op == SCHED_BACKWARD) {
        empty_frames(gradient_places(actor, run->pass, run->microbatch),
                     actor->consumers_count);
    } else if (run->op == SCHED_REPORT && run->steps > 0) {
        empty_frames(columns_places(actor, run->pass), actor->consumers_count);
    }
}
