#include "coordinator/core/job.h"

#include "base/bytes.h"
#include "base/check.h"
#include "coordinator/core/job_cuts.h"
#include "coordinator/core/job_points.h"
#include "coordinator/core/state.h"

#include <string.h>

#define MOVES(...) (0u __VA_ARGS__)
#define TO(phase) | (1u << (phase))

/* Allowed moves; any phase may also become FREE. */
static const struct {
    const char *name;
    uint32_t next;
} phases[] = {
    [PHASE_FREE] = {"free", MOVES(TO(PHASE_STORING) TO(PHASE_LOADING)
                                      TO(PHASE_PAUSED) TO(PHASE_ENDED))},
    [PHASE_STORING] = {"storing", MOVES(TO(PHASE_WAITING))},
    [PHASE_LOADING] = {"loading", MOVES(TO(PHASE_WAITING) TO(PHASE_PAUSED)
                                            TO(PHASE_ENDED))},
    [PHASE_WAITING] = {"waiting",
                       MOVES(TO(PHASE_OPENING) TO(PHASE_PLACING)
                                 TO(PHASE_PAUSED) TO(PHASE_ENDED)
                                     TO(PHASE_RESTORING) TO(PHASE_LOADING))},
    [PHASE_OPENING] = {"opening", MOVES(TO(PHASE_PLACING) TO(PHASE_WAITING)
                                            TO(PHASE_PAUSED) TO(PHASE_ENDED))},
    [PHASE_PLACING] = {"placing",
                       MOVES(TO(PHASE_RUNNING) TO(PHASE_WAITING)
                                 TO(PHASE_LOADING) TO(PHASE_PAUSED)
                                     TO(PHASE_ENDED) TO(PHASE_RESTORING))},
    [PHASE_RUNNING] = {"running",
                       MOVES(TO(PHASE_PAUSED) TO(PHASE_ENDED) TO(PHASE_LOADING)
                                 TO(PHASE_WAITING) TO(PHASE_RESTORING))},
    [PHASE_RESTORING] = {"restoring", MOVES(TO(PHASE_LOADING) TO(PHASE_PAUSED)
                                                TO(PHASE_ENDED))},
    [PHASE_PAUSED] = {"paused", MOVES(TO(PHASE_LOADING) TO(PHASE_WAITING)
                                          TO(PHASE_RESTORING) TO(PHASE_ENDED))},
    [PHASE_ENDED] = {"ended", MOVES(TO(PHASE_RESTORING))},
};

const char *job_phase_name(enum job_phase phase)
{
    return phases[phase].name;
}

void job_move(struct job *job, enum job_phase to)
{
    if (to != PHASE_FREE) {
        CHECK((phases[job->phase].next & (1u << to)) != 0);
    }
    job->phase = to;
    job->tried_at = 0;
    if (to == PHASE_PAUSED || to == PHASE_ENDED) {
        job->stopped = false; /* nobody waits for it to go on */
    }
}

enum job_state job_visible_state(const struct job *job)
{
    switch (job->phase) {
    case PHASE_FREE:
    case PHASE_STORING:
        return JOB_QUEUED;
    case PHASE_LOADING:
    case PHASE_RESTORING:
        if (job->moving) {
            return JOB_RUNNING;
        }
        return job->resume_wanted ? JOB_WAITING : JOB_PAUSED;
    case PHASE_WAITING:
    case PHASE_OPENING:
    case PHASE_PLACING:
        return job->moving ? JOB_RUNNING : JOB_WAITING;
    case PHASE_RUNNING:
        return JOB_RUNNING;
    case PHASE_PAUSED:
        return JOB_PAUSED;
    case PHASE_ENDED:
        return job->record.state;
    }
    return JOB_QUEUED;
}

/* --- Lent memory: units of all architectures, then reports, then pointers ---
 */

static size_t round_up(size_t size)
{
    return (size + 15) / 16 * 16;
}

static uint32_t shards_of(const struct job_spec *spec)
{
    return spec->model.hidden_count * spec->model.shards + 1;
}

static uint32_t outputs_of(const struct job_spec *spec,
                           const struct data_shape *shape)
{
    return spec->model.outputs != 0 ? spec->model.outputs : shape->classes;
}

size_t job_memory_bytes(const struct job_spec *spec,
                        const struct data_shape *shape)
{
    struct job_spec resolved = *spec;

    resolved.model.outputs = outputs_of(spec, shape);

    size_t arch = arch_memory_bytes(&resolved, resolved.model.outputs);
    size_t shards = shards_of(spec);

    return (2 + CUTS_MAX) * round_up(arch) +
           GRANTS_MAX * shards * sizeof(struct report);
}

/* Divides the lent memory; the architectures are empty after it. */
static void lay_out(struct job *job)
{
    struct job_spec *spec = &job->record.spec;
    unsigned char *at = job->memory;
    size_t arch = round_up(arch_memory_bytes(spec, spec->model.outputs));
    size_t shards = shards_of(spec);

    CHECK(at != NULL);
    arch_lay_out(&job->arch, spec, spec->model.outputs, at);
    at += arch;
    for (uint32_t c = 0; c < CUTS_MAX; c++) {
        arch_lay_out(&job->cuts[c].arch, spec, spec->model.outputs, at);
        at += arch;
    }
    arch_lay_out(&job->making_cut.arch, spec, spec->model.outputs, at);
    at += arch;
    for (uint32_t g = 0; g < GRANTS_MAX; g++) {
        job->collected[g].reports = (struct report *)(void *)at;
        at += shards * sizeof(struct report);
    }
}

uint32_t job_shards_total(const struct job *job)
{
    return shards_of(&job->record.spec);
}

const struct cut *job_cut(const struct job *job, uint32_t index)
{
    CHECK(index < CUTS_MAX);
    return &job->cuts[index];
}

void job_reset_run(struct job *job)
{
    for (uint32_t c = 0; c < CUTS_MAX; c++) {
        job->cuts[c].used = false;
    }
    for (uint32_t g = 0; g < GRANTS_MAX; g++) {
        job->gated[g] = false;
        memset(&job->collected[g].seen, 0, sizeof(job->collected[g].seen));
        memset(job->gate_requests[g], 0, sizeof(job->gate_requests[g]));
    }
    if (!job->making.storing) { /* what the disk has, workers have */
        job_drop_making(job);
    }
    job->keep_ms = 0;
    job->keep_points = 0;
    job->closing_decided = false;
    job->overflowed = false;
    job->mark_ms = 0;
    job->next_version = job->record.last_version + 1;
}

void job_expect_reports(struct job *job, uint64_t interval)
{
    struct collected *c = &job->collected[interval % GRANTS_MAX];

    c->interval = interval;
    c->missing = job_shards_total(job);
    memset(c->seen, 0, sizeof(c->seen));
}

/* --- Where a run begins --- */

struct deciding job_deciding(struct job *job)
{
    return (struct deciding){.spec = &job->record.spec,
                             .shape = &job->record.shape,
                             .arch = &job->arch,
                             .state = &job->state,
                             .cursor = &job->cursor};
}

static void start_at(struct job *job, uint64_t interval)
{
    job->first = interval;
    job->decided = interval;
    job->sent = interval;
    job->reported = interval;
}

void job_begin_fresh(struct job *job)
{
    struct deciding d = job_deciding(job);
    const struct grant *before = NULL;

    CHECK(job->record.shape_known);
    job->record.spec.model.outputs =
        outputs_of(&job->record.spec, &job->record.shape);
    job_reset_run(job);
    lay_out(job);
    arch_begin(&job->arch, &job->record.spec, job->record.shape.inputs,
               job->record.spec.model.outputs, job->memory);
    state_init(&job->state);
    job->cursor = (struct cursor){0};
    job->origin = NULL;
    job->from_point = false;
    job->record.total_steps =
        timeline_total_steps(&job->record.spec, &job->record.shape);
    start_at(job, 0);
    for (uint32_t g = 0; g < 2; g++) {
        struct grant *grant = &job->grants[g];
        uint32_t cause;

        decide_first(&d, before, grant);
        cause = decide_cause(&job->record.spec, grant, before);
        job_complete_cut(job, grant);
        if (cause != 0) {
            job_open_cut(job, grant, cause);
        }
        job_expect_reports(job, g);
        job->decided++;
        job->closing_decided = grant->closing;
        before = grant;
        if (grant->closing) {
            break;
        }
    }
}

/* The cursor behind a grant that was decided in an earlier life. */
static struct cursor cursor_after(const struct job *job,
                                  const struct grant *grant)
{
    const struct job_record *record = &job->record;
    struct cursor cursor = {.interval = grant->interval,
                            .step = grant->first_step,
                            .task = grant->task,
                            .position = grant->position};
    struct grant scratch;

    if (grant->closing) {
        cursor.interval++;
        return cursor;
    }
    timeline_next(&record->spec, &record->shape, &cursor, &scratch);
    return cursor;
}

static enum status take_pending(struct job *job, const struct version *v)
{
    struct grant *begun = &job->grants[v->interval % GRANTS_MAX];
    struct grant *pending = &job->grants[(v->interval + 1) % GRANTS_MAX];
    uint32_t cause;

    *pending = *v->pending;
    if (pending->interval != v->interval + 1) {
        return STATUS_CORRUPT;
    }
    pending->line = job->record.line;
    pending->hold = false;
    pending->version = 0;
    pending->keep = false;
    pending->kept = 0;
    for (uint32_t s = 0; s < pending->settings_count; s++) {
        enum status status =
            job_apply_setting(&job->record.spec, pending->settings[s].setting,
                              pending->settings[s].value);

        if (status != STATUS_OK) {
            return STATUS_CORRUPT;
        }
    }
    for (uint32_t e = 0; e < pending->edits_count; e++) {
        if (arch_apply(&job->arch, &pending->edits[e], pending->units,
                       pending->first_step) != STATUS_OK) {
            return STATUS_CORRUPT;
        }
    }
    cause = decide_cause(&job->record.spec, pending, begun);
    if (cause != 0) {
        job_open_cut(job, pending, cause);
    }
    job->decided++;
    job_expect_reports(job, pending->interval);
    job->cursor = cursor_after(job, pending);
    job->closing_decided = pending->closing;
    return STATUS_OK;
}

static bool fits(const struct job *job,
                 const struct version *version,
                 bool point)
{
    const struct arch *arch = version->arch;
    const struct job_spec *spec = version->spec;

    if (version->shards_count != (point ? 0 : shards_of(spec)) ||
        arch->layers_count != spec->model.hidden_count + 1 ||
        arch->inputs != job->record.shape.inputs) {
        return false;
    }
    for (uint32_t l = 0; l < arch->layers_count; l++) {
        uint32_t room = l < spec->model.hidden_count ? arch_units_max(spec, l)
                                                     : spec->model.outputs;

        if (arch->layers[l].units_count > room) {
            return false;
        }
    }
    return true;
}

static enum status adopt(struct job *job,
                         const struct version *version,
                         bool point)
{
    struct reader reader;

    job->record.spec = *version->spec;
    if (!fits(job, version, point)) {
        return STATUS_CORRUPT;
    }
    job_reset_run(job);
    lay_out(job);
    arch_copy(&job->arch, version->arch);
    job->arch.line = job->record.line;
    job->origin = version;
    job->from_point = point;
    reader_init(&reader, version->policy, version->policy_bytes);
    return state_decode(&reader, &job->state);
}

enum status job_begin_from(struct job *job,
                           const struct version *version,
                           bool point)
{
    enum status status = adopt(job, version, point);
    struct grant *begun = &job->grants[version->interval % GRANTS_MAX];

    if (status != STATUS_OK) {
        return status;
    }
    if (version->begun == NULL ||
        version->begun->interval != version->interval) {
        return STATUS_CORRUPT;
    }
    start_at(job, version->interval);
    *begun = *version->begun;
    begun->line = job->record.line;
    begun->resumed = true;
    begun->hold = false;
    begun->version = 0;
    begun->keep = false;
    begun->kept = 0;
    job->decided++;
    job_expect_reports(job, version->interval);
    job->cursor = cursor_after(job, begun);
    job->closing_decided = begun->closing;
    job->again =
        job->record.step > version->step ? job->record.step - version->step : 0;
    job->record.replayed_steps += job->again;
    job->record.step = version->step;
    job->record.task = version->task;
    job->record.interval = version->interval;
    job->record.total_steps =
        timeline_total_steps(&job->record.spec, &job->record.shape);
    if (begun->closing) {
        return STATUS_OK;
    }
    if (version->pending == NULL) {
        return STATUS_CORRUPT;
    }
    return take_pending(job, version);
}

enum status job_begin_evaluation(struct job *job, const struct version *version)
{
    enum status status = adopt(job, version, false);
    struct grant *grant = &job->grants[version->interval % GRANTS_MAX];
    uint32_t seen = version->task + (version->position > 0 ? 1 : 0);
    uint32_t count;

    if (status != STATUS_OK) {
        return status;
    }
    if (seen == 0) {
        seen = 1;
    }
    count = seen < EVALUATED_TASKS_MAX ? seen : EVALUATED_TASKS_MAX;
    start_at(job, version->interval);
    memset(grant, 0, sizeof(*grant));
    grant->line = version->line;
    grant->interval = version->interval;
    grant->first_step = version->step;
    grant->task = version->task;
    grant->position = version->position;
    grant->task_examples = job->record.shape.task_examples[version->task];
    grant->evaluate_first = seen - count; /* the newest ones */
    grant->evaluate_count = count;
    grant->closing = true;
    job->decided++;
    job->closing_decided = true;
    job_expect_reports(job, version->interval);
    return STATUS_OK;
}
