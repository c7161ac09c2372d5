#include "proto/wirecheck.h"

#include "proto/modelcheck.h"
#include "base/check.h"
#include <math.h>

static bool counted(uint64_t value)
{
    return value <= MODELCHECK_COUNT_MAX;
}

/* --- Shapes and reports --- */

bool wirecheck_shape(const struct data_shape *shape)
{
    if (shape->inputs < 1 || shape->inputs > UNITS_MAX) {
        return false;
    }
    if (shape->classes < 1 || shape->classes > UNITS_MAX) {
        return false;
    }
    if (!counted(shape->train_examples) || !counted(shape->guard_examples) ||
        !counted(shape->evaluate_examples)) {
        return false;
    }
    if (shape->tasks_count < 1 || shape->tasks_count > TASKS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < shape->tasks_count; i++) {
        /* A task without examples would have an interval without steps. */
        if (shape->task_examples[i] < 1 || !counted(shape->task_examples[i])) {
            return false;
        }
    }
    return true;
}

static bool sums_finite(const struct layer_sums *sums)
{
    return isfinite(sums->h) && isfinite(sums->h_abs) &&
           isfinite(sums->h_square) && isfinite(sums->firings) &&
           isfinite(sums->taylor) && isfinite(sums->weight_abs) &&
           isfinite(sums->utility);
}

bool wirecheck_report_finite(const struct report *report)
{
    CHECK(report->candidates_count <= REPORT_CANDIDATES_MAX);

    for (uint32_t i = 0; i < report->candidates_count; i++) {
        if (!isfinite(report->candidates[i].utility) ||
            !isfinite(report->candidates[i].mean)) {
            return false;
        }
    }
    return sums_finite(&report->sums);
}

static bool sums_valid(const struct layer_sums *sums)
{
    return sums->units <= UNITS_MAX && sums->live <= sums->units &&
           sums->eligible <= sums->live && sums->dormant <= sums->live &&
           counted(sums->examples) && counted(sums->weights);
}

static bool evaluation_valid(const struct evaluation *evaluation)
{
    return evaluation->set >= EVALUATION_HELD_OUT &&
           evaluation->set <= EVALUATION_GUARD_AFTER &&
           evaluation->task < TASKS_MAX && counted(evaluation->examples) &&
           evaluation->correct <= evaluation->examples;
}

bool wirecheck_report(const struct report *report)
{
    if (report->layer >= LAYERS_MAX || report->shard >= SHARDS_MAX) {
        return false;
    }
    if (report->candidates_count > REPORT_CANDIDATES_MAX ||
        report->evaluations_count > REPORT_EVALUATIONS_MAX) {
        return false;
    }
    if (!counted(report->interval) || !counted(report->examples) ||
        report->correct > report->examples ||
        !counted(report->not_finite_step)) {
        return false;
    }
    for (uint32_t i = 0; i < report->candidates_count; i++) {
        if (!modelcheck_unit_id(report->candidates[i].id) ||
            !counted(report->candidates[i].age)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < report->evaluations_count; i++) {
        if (!evaluation_valid(&report->evaluations[i])) {
            return false;
        }
    }
    return sums_valid(&report->sums);
}

/* --- Messages --- */

static bool status_valid(uint32_t status)
{
    return status <= WIRECHECK_STATUS_MAX;
}

/* Who asks for keys has one. */
static bool key_valid(const struct curvekey *key, bool curve)
{
    return !curve || curvekey_given(key);
}

static bool hello_valid(const struct wire_hello *hello)
{
    return hello->name[0] != '\0' && hello->endpoint[0] != '\0' &&
           hello->threads <= WIRECHECK_THREADS_MAX &&
           key_valid(&hello->key, hello->curve);
}

static bool opened_valid(const struct wire_opened *opened)
{
    if (opened->job < 1 || !status_valid(opened->status)) {
        return false;
    }
    if ((opened->status == STATUS_OK) != (opened->shape != NULL)) {
        return false;
    }
    return opened->shape == NULL || wirecheck_shape(opened->shape);
}

/* One entry a worker. */
static bool workers_valid(const struct wire_peer *peers, uint32_t count)
{
    if (count < 1 || count > WORKERS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!key_valid(&peers[i].key, peers[i].curve)) {
            return false;
        }
        for (uint32_t j = 0; j < i; j++) {
            if (peers[i].worker == peers[j].worker) {
                return false;
            }
        }
    }
    return true;
}

/* An owner for each shard that is among the peers. */
static bool placement_valid(const struct wire_assign *assign)
{
    if (!workers_valid(assign->peers, assign->peers_count)) {
        return false;
    }
    for (uint32_t i = 0; i < assign->peers_count; i++) {
        if (assign->peers[i].endpoint[0] == '\0') {
            return false;
        }
    }
    if (assign->owners_count != modelcheck_shards(assign->arch)) {
        return false;
    }
    for (uint32_t i = 0; i < assign->owners_count; i++) {
        uint32_t j = 0;

        while (j < assign->peers_count &&
               assign->peers[j].worker != assign->owners[i]) {
            j++;
        }
        if (j == assign->peers_count) {
            return false;
        }
    }
    return true;
}

/* The state comes from the store, from memory, or it is fresh. Of a point, each
 * shard has a source, whose copy can be asked for. */
static bool point_valid(const struct wire_assign *assign)
{
    if (!assign->from_point) {
        return assign->holders_count == 0 && assign->sources_count == 0;
    }
    if (assign->records_count != 0 || !counted(assign->point_interval) ||
        assign->point_term < 1 ||
        !workers_valid(assign->holders, assign->holders_count)) {
        return false;
    }
    for (uint32_t i = 0; i < assign->holders_count; i++) {
        if (assign->holders[i].vault_endpoint[0] == '\0') {
            return false;
        }
    }
    if (assign->sources_count != assign->owners_count) {
        return false;
    }
    for (uint32_t i = 0; i < assign->sources_count; i++) {
        if (assign->sources[i] >= assign->holders_count) {
            return false;
        }
    }
    return true;
}

/* Whoever reads rows of the data into the first layer, or labels into the
 * last, may rely on this. */
static bool data_fits(const struct arch *arch,
                      const struct job_spec *spec,
                      const struct data_shape *shape)
{
    uint32_t last = arch->layers_count - 1;

    return arch->layers_count == spec->model.hidden_count + 1 &&
           arch->inputs == shape->inputs &&
           arch->layers[last].units_count >= shape->classes;
}

static bool assign_valid(const struct wire_assign *assign)
{
    CHECK(assign->spec != NULL);
    CHECK(assign->shape != NULL);
    CHECK(assign->arch != NULL);

    if (assign->job < 1 || !counted(assign->step) ||
        !counted(assign->total_steps)) {
        return false;
    }
    if (!wirecheck_shape(assign->shape) || !modelcheck_arch(assign->arch) ||
        !data_fits(assign->arch, assign->spec, assign->shape)) {
        return false;
    }
    return placement_valid(assign) && point_valid(assign) &&
           modelcheck_records(assign->arch, assign->records,
                              assign->records_count);
}

bool wirecheck_message(const struct wire *message)
{
    switch (message->kind) {
    case WIRE_HELLO:
        return hello_valid(&message->hello);
    case WIRE_HEARTBEAT:
    case WIRE_GOODBYE:
    case WIRE_LEAVE:
    case WIRE_QUIT:
        return true;
    case WIRE_ROSTER:
        return message->roster.count <= WIRE_ROSTER_MAX;
    case WIRE_KEPT:
        return message->kept.job >= 1 && message->kept.term >= 1 &&
               counted(message->kept.interval) &&
               message->kept.layer < LAYERS_MAX &&
               message->kept.shard < SHARDS_MAX;
    case WIRE_OPENED:
        return opened_valid(&message->opened);
    case WIRE_READY:
        return message->ready.job >= 1 && status_valid(message->ready.status);
    case WIRE_REPORT:
        return message->report.job >= 1 &&
               wirecheck_report(message->report.report);
    case WIRE_SHARD_CUT:
        return message->shard_cut.job >= 1 &&
               counted(message->shard_cut.version) &&
               modelcheck_record(message->shard_cut.record);
    case WIRE_FAULT:
        return message->fault.job >= 1 && message->fault.kind >= FAULT_FRAME &&
               message->fault.kind <= FAULT_INTERNAL;
    case WIRE_WELCOME:
        return message->welcome.heartbeat_ms >= 1 &&
               message->welcome.timeout_ms >= 1;
    case WIRE_REFUSE:
        return status_valid(message->refuse.status) &&
               message->refuse.status != STATUS_OK;
    case WIRE_OPEN:
        return message->open.job >= 1;
    case WIRE_ASSIGN:
        return assign_valid(&message->assign);
    case WIRE_GRANT:
        return message->grant.job >= 1 &&
               modelcheck_grant(message->grant.grant);
    case WIRE_RELEASE:
        return message->release.job >= 1 && counted(message->release.interval);
    case WIRE_DROP:
        return message->drop.job >= 1;
    }
    return false;
}
