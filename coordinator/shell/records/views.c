#include "coordinator/shell/records/views.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* Messages hold char *, but nothing writes through it. */
static char *text_of(const char *text)
{
    return (char *)(uintptr_t)text;
}

void views_layer_name(uint32_t layer, uint32_t layers_count, char *out)
{
    struct text text;

    text_init(&text, out, NAME_BYTES_MAX);
    if (layer + 1 == layers_count) {
        text_add(&text, "output");
        return;
    }
    text_add(&text, "hidden");
    text_u64(&text, layer + 1);
}

static void fill_widths(const uint32_t *widths,
                        uint32_t count,
                        struct widths_view *out)
{
    for (uint32_t l = 0; l < count; l++) {
        views_layer_name(l, count, out->names[l]);
        cajal__v1__layer_width__init(&out->layers[l]);
        out->layers[l].name = out->names[l];
        out->layers[l].units = widths[l];
        out->pointers[l] = &out->layers[l];
    }
}

/* Before the data are known, what the job file says. */
static uint32_t planned_widths(const struct job_spec *spec,
                               uint32_t widths[LAYERS_MAX])
{
    uint32_t count = spec->model.hidden_count;

    for (uint32_t l = 0; l < count; l++) {
        widths[l] = spec->model.hidden[l].units;
    }
    widths[count] = spec->model.outputs;
    return count + 1;
}

void views_job(const struct job_record *record, struct job_view *out)
{
    Cajal__V1__JobSummary *m = &out->message;
    uint32_t planned[LAYERS_MAX];
    const uint32_t *widths = record->widths;
    uint32_t count = record->layers_count;

    if (count == 0) {
        count = planned_widths(&record->spec, planned);
        widths = planned;
    }
    cajal__v1__job_summary__init(m);
    fill_widths(widths, count, &out->widths);
    memcpy(out->name, record->spec.name, sizeof(out->name));
    memcpy(out->reason, record->reason, sizeof(out->reason));
    m->job = text_of(names_job(record->job, out->job));
    m->name = out->name;
    m->state = text_of(job_state_name(record->state));
    m->reason = out->reason;
    m->step = record->step;
    m->steps = record->total_steps;
    m->task = record->task;
    m->tasks = record->shape_known ? record->shape.tasks_count
                                   : job_tasks_count(&record->spec);
    m->head = text_of(names_version(record->head, out->head));
    m->inputs = record->shape_known ? record->shape.inputs : 0;
    m->n_layers = count;
    m->layers = out->widths.pointers;
    m->created_ms = record->created_ms;
    m->parameters = record->parameters;
}

void views_status(const struct job_record *record, struct status_view *out)
{
    Cajal__V1__StatusReply *m = &out->message;
    struct event_record figures;

    cajal__v1__status_reply__init(m);
    views_job(record, &out->summary);
    eventcode_fill(record, &figures);
    m->summary = &out->summary.message;
    m->examples_per_second = figures.examples_per_second;
    m->replayed_steps = record->replayed_steps;
    for (uint32_t s = 0; s < record->shares_count; s++) {
        const struct worker_share *share = &record->shares[s];
        Cajal__V1__WorkerShare *to = &out->shares[s];

        cajal__v1__worker_share__init(to);
        (void)snprintf(out->workers[s], sizeof(out->workers[s]), "w%u",
                       (unsigned)share->worker);
        to->worker = out->workers[s];
        to->shards = share->shards;
        to->shard_steps = share->shard_steps;
        to->bytes_sent = share->bytes_sent;
        to->state = text_of(record->state == JOB_RUNNING ? "busy" : "idle");
        out->pointers[s] = to;
    }
    m->n_workers = record->shares_count;
    m->workers = out->pointers;
    m->loss = record->loss;
    m->accuracy = record->accuracy;
    m->line = record->line;
    m->versions = (uint32_t)record->last_version;
    m->grows = record->grows;
    m->renews = record->renews;
    m->prunes = record->prunes;
    m->decisions = record->decisions;
    memcpy(out->last_decision, record->last_decision,
           sizeof(out->last_decision));
    m->last_decision = out->last_decision;
}

void views_event(uint64_t job,
                 uint64_t sequence,
                 const struct event_record *event,
                 struct event_view *out)
{
    Cajal__V1__Event *m = &out->message;

    cajal__v1__event__init(m);
    out->event = *event;
    fill_widths(event->widths, event->layers_count, &out->widths);
    m->sequence = sequence;
    m->wall_ms = event->wall_ms;
    m->job = text_of(names_job(job, out->job));
    m->kind = out->event.kind;
    m->text = out->event.text;
    m->step = event->step;
    m->task = event->task;
    m->loss = event->loss;
    m->accuracy = event->accuracy;
    m->version = text_of(names_version(event->version, out->version));
    m->state = text_of(job_state_name(event->state));
    m->n_layers = event->layers_count;
    m->layers = out->widths.pointers;
    m->steps = event->total_steps;
    m->tasks = event->tasks_count;
    m->workers = event->workers_count;
    m->examples_per_second = event->examples_per_second;
}

void views_version(uint64_t job,
                   const struct summary *summary,
                   struct version_view *out)
{
    Cajal__V1__VersionSummary *m = &out->message;

    cajal__v1__version_summary__init(m);
    out->summary = *summary;
    fill_widths(summary->widths, summary->layers_count, &out->widths);
    m->version = text_of(names_version(summary->number, out->version));
    for (uint32_t p = 0; p < summary->parents_count; p++) {
        out->parent_pointers[p] =
            text_of(names_version(summary->parents[p], out->parents[p]));
    }
    m->n_parents = summary->parents_count;
    m->parents = out->parent_pointers;
    m->step = summary->step;
    m->task = summary->task;
    m->cause = text_of(cause_name((enum cause)summary->cause));
    m->reason = out->summary.reason;
    m->inputs = summary->inputs;
    m->n_layers = summary->layers_count;
    m->layers = out->widths.pointers;
    m->parameters = summary->parameters;
    m->wall_ms = summary->wall_ms;
    hash_hex(&summary->hash, HASH_BYTES, out->hash);
    m->hash = out->hash;
    m->line = summary->line;
    m->bytes = summary->bytes;
    m->job = text_of(names_job(job, out->job));
}

void views_unheld(struct job_record *record)
{
    struct text text;

    if (record->state >= JOB_PAUSED) {
        return;
    }
    record->state = JOB_PAUSED;
    text_init(&text, record->reason, sizeof(record->reason));
    text_add(&text, "its coordinator is not running");
}
