/* history.c - the versions of a job, and one of them in detail. */
#include "coordinator/shell/inside.h"

#include "base/mem.h"
#include "base/text.h"
#include "coordinator/shell/queries/lines.h"
#include "coordinator/shell/records/statcode.h"
#include "coordinator/shell/records/summarycode.h"
#include "coordinator/shell/records/views.h"
#include "proto/jobprint.h"

#include <stdio.h>
#include <string.h>

enum {
    /* Names that are shown beside versions. */
    TAGS_MAX = 1024,
    /* Units of one message of Show. */
    UNITS_PER_MESSAGE = 4096
};

struct ref {
    char name[NAME_BYTES_MAX];
    uint64_t number;
};

/* A held-out evaluation, summed over its tasks. */
struct held_out {
    uint32_t line;
    uint64_t interval;
    uint64_t examples;
    uint64_t correct;
};

/* What stands beside versions: read once a query. */
struct notes {
    bool ready;
    uint64_t job;
    uint64_t head;
    uint32_t refs_count;
    struct ref *refs;
    size_t held_out_count;
    size_t held_out_room;
    struct held_out *held_out; /* by line, then interval */
    uint32_t lines_count;
    struct line_start lines[LINES_MAX];
    struct evaluation evaluations[REPORT_EVALUATIONS_MAX];
    enum status status;
};

static void notes_fini(struct notes *notes)
{
    mem_free(notes->refs);
    mem_free(notes->held_out);
}

static bool note_ref(void *owner,
                     const char *name,
                     uint64_t number,
                     uint64_t wall_ms,
                     const char *actor)
{
    struct notes *notes = owner;

    (void)wall_ms;
    (void)actor;
    if (strcmp(name, "head") == 0) {
        notes->head = number;
        return true;
    }
    if (notes->refs_count == TAGS_MAX) {
        return true;
    }
    (void)snprintf(notes->refs[notes->refs_count].name, NAME_BYTES_MAX, "%s",
                   name);
    notes->refs[notes->refs_count++].number = number;
    return true;
}

static bool add_held_out(struct notes *notes, const struct held_out *held_out)
{
    if (notes->held_out_count == notes->held_out_room) {
        size_t room = notes->held_out_room > 0 ? 2 * notes->held_out_room : 64;
        struct held_out *list =
            mem_resize(notes->held_out, room * sizeof(*list));

        if (list == NULL) {
            notes->status = STATUS_NO_MEMORY;
            return false;
        }
        notes->held_out = list;
        notes->held_out_room = room;
    }
    notes->held_out[notes->held_out_count++] = *held_out;
    return true;
}

static bool note_stat(void *owner, uint64_t key, const void *bytes, size_t size)
{
    struct notes *notes = owner;
    struct held_out held_out = {.examples = 0};
    struct interval_stat stat;

    (void)key;
    notes->status = statcode_decode(bytes, size, notes->evaluations, &stat);
    if (notes->status != STATUS_OK) {
        return false;
    }
    held_out.line = stat.line;
    held_out.interval = stat.interval;
    for (uint32_t e = 0; e < stat.evaluations_count; e++) {
        if (stat.evaluations[e].set == EVALUATION_HELD_OUT) {
            held_out.examples += stat.evaluations[e].examples;
            held_out.correct += stat.evaluations[e].correct;
        }
    }
    return held_out.examples == 0 || add_held_out(notes, &held_out);
}

static enum status read_notes(struct query *query, struct notes *notes)
{
    enum status status = STATUS_OK;

    if (notes->ready) {
        return STATUS_OK;
    }
    notes->refs = mem_array(TAGS_MAX, sizeof(*notes->refs));
    if (notes->refs == NULL) {
        return STATUS_NO_MEMORY;
    }
    status = store_scan_refs(query_store(query), notes->job, note_ref, notes);
    if (status == STATUS_OK) {
        status = store_scan_stats(query_store(query), notes->job, 0, note_stat,
                                  notes);
    }
    notes->ready = true;
    return status == STATUS_OK ? notes->status : status;
}

/* The newest evaluation at or before the version, in its own past. It is
 * measured at the boundary at which the version is cut, before the edits. */
static void note_accuracy(const struct notes *notes,
                          const struct summary *summary,
                          Cajal__V1__VersionSummary *message)
{
    struct stretch past[LINES_MAX];
    uint32_t line = summary->line;
    uint32_t count = 0;

    /* What was measured at the very place where a line begins was measured on
     * the line that it left. */
    while (line > 0 && line < notes->lines_count &&
           notes->lines[line].interval == summary->interval) {
        line = notes->lines[line].parent;
    }
    count = lines_past(notes->lines, notes->lines_count, line,
                       summary->interval + 1, past);

    for (uint32_t s = 0; s < count; s++) {
        for (size_t h = notes->held_out_count; h > 0; h--) {
            const struct held_out *held_out = &notes->held_out[h - 1];

            if (lines_contain(&past[s], 1, held_out->line,
                              held_out->interval)) {
                message->evaluated = true;
                message->accuracy =
                    (double)held_out->correct / (double)held_out->examples;
                return;
            }
        }
    }
}

static enum status emit_summary(struct query *query,
                                const struct notes *notes,
                                const struct summary *summary)
{
    char *tags[TAGS_MAX];
    struct version_view view;

    views_version(notes->job, summary, &view);
    view.message.tags = tags;
    for (uint32_t r = 0; r < notes->refs_count; r++) {
        if (notes->refs[r].number == summary->number) {
            tags[view.message.n_tags++] = notes->refs[r].name;
        }
    }
    view.message.head = notes->head == summary->number;
    note_accuracy(notes, summary, &view.message);
    return query_emit(query, &view.message.base);
}

/* --- History --- */

struct history {
    struct notes notes;
    uint32_t limit;
    uint64_t next; /* version */
    bool placed;   /* next is where the newest `limit` begin */
    /* While a step runs: */
    struct query *query;
    enum status status;
    uint32_t seen;
};

static bool find_first(void *owner,
                       uint64_t key,
                       const void *bytes,
                       size_t size)
{
    struct history *history = owner;

    (void)bytes;
    (void)size;
    history->next = key;
    return ++history->seen < history->limit;
}

static bool tell_version(void *owner,
                         uint64_t key,
                         const void *bytes,
                         size_t size)
{
    struct history *history = owner;
    struct summary summary;

    if (query_full(history->query)) {
        return false;
    }
    history->next = key + 1;
    history->status = summarycode_decode(bytes, size, &summary);
    if (history->status == STATUS_OK) {
        history->status =
            emit_summary(history->query, &history->notes, &summary);
    }
    return history->status == STATUS_OK;
}

static enum status step_history(struct query *query, void *state)
{
    struct history *history = state;
    struct store *store = query_store(query);
    uint64_t job = history->notes.job;
    enum status status = read_notes(query, &history->notes);

    history->query = query;
    history->status = STATUS_OK;
    if (status == STATUS_OK && !history->placed && history->limit > 0) {
        status = store_scan_versions(store, job, UINT64_MAX, true, find_first,
                                     history);
    }
    history->placed = true;
    if (status == STATUS_OK) {
        status = store_scan_versions(store, job, history->next, false,
                                     tell_version, history);
    }
    if (status == STATUS_OK) {
        status = history->status;
    }
    if (status == STATUS_OK && !query_full(query)) {
        query_end(query);
    }
    return status;
}

static void fini_history(void *state)
{
    notes_fini(&((struct history *)state)->notes);
}

static bool take_lines(struct shell *shell, struct notes *notes, uint64_t job)
{
    struct job_record *record = mem_new(sizeof(*record));
    bool taken =
        record != NULL && shell_record(shell, job, record) == STATUS_OK;

    notes->job = job;
    if (taken) {
        notes->lines_count = record->lines_count;
        memcpy(notes->lines, record->lines, sizeof(notes->lines));
    }
    mem_free(record);
    return taken;
}

void answer_history(struct shell *shell,
                    struct call *call,
                    const Cajal__V1__HistoryRequest *request)
{
    static const struct query_kind kind = {.step = step_history,
                                           .fini = fini_history,
                                           .state_bytes =
                                               sizeof(struct history)};
    struct query *query = NULL;
    struct history *history = NULL;
    uint64_t job = 0;

    if (!shell_find_job(shell, call, request->job, &job)) {
        return;
    }
    query = query_open(shell->queries, call, &kind);
    if (query == NULL) {
        return;
    }
    history = query_state(query);
    history->limit = request->limit;
    if (!take_lines(shell, &history->notes, job)) {
        query_fail(query, STATUS_CORRUPT, "the job's record cannot be read");
        return;
    }
    query_start(query);
}

/* --- Show --- */

struct show {
    struct notes notes;
    uint64_t number;
    struct version *version; /* NULL: not read yet */
    uint32_t layer;
    uint32_t unit;
};

static enum status read_version(struct query *query,
                                uint64_t job,
                                uint64_t number,
                                struct version **out)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    enum status status =
        store_get_version(query_store(query), job, number, &bytes, &size);

    if (status != STATUS_OK) {
        return status;
    }
    status = version_decode(bytes, size, out);
    mem_free(bytes);
    return status;
}

static enum status show_summary(struct query *query, struct show *show)
{
    Cajal__V1__ShowReply reply = CAJAL__V1__SHOW_REPLY__INIT;
    struct version_view view;
    struct summary summary;
    struct text text;
    char *config = NULL;
    enum status status = summarycode_make(show->version, &summary);

    if (status != STATUS_OK) {
        return status;
    }
    config = mem_new(JOBPRINT_BYTES_MAX);
    if (config == NULL) {
        return STATUS_NO_MEMORY;
    }
    text_init(&text, config, JOBPRINT_BYTES_MAX);
    jobprint(show->version->spec, NULL, &text);
    views_version(show->notes.job, &summary, &view);
    view.message.head = show->notes.head == summary.number;
    note_accuracy(&show->notes, &summary, &view.message);
    reply.summary = &view.message;
    reply.config = config;
    status = query_emit(query, &reply.base);
    mem_free(config);
    return status;
}

struct unit_view {
    Cajal__V1__UnitInfo message;
    char id[UNIT_BYTES_MAX];
};

static void view_unit(const struct arch_layer *layer,
                      uint32_t index,
                      struct unit_view *out)
{
    const struct unit *unit = &layer->units[index];
    static char live[] = "live";
    static char lesioned[] = "lesioned";

    cajal__v1__unit_info__init(&out->message);
    (void)names_unit(unit->id, out->id);
    out->message.id = out->id;
    out->message.born_step = unit->born_step;
    out->message.state = unit->state == UNIT_LESIONED ? lesioned : live;
    out->message.shard = arch_shard_of(layer, index);
}

static enum status show_units(struct query *query, struct show *show)
{
    const struct arch *arch = show->version->arch;
    const struct arch_layer *layer = &arch->layers[show->layer];
    uint32_t count = layer->units_count - show->unit;
    Cajal__V1__ShowReply reply = CAJAL__V1__SHOW_REPLY__INIT;
    Cajal__V1__UnitInfo **pointers = NULL;
    struct unit_view *views = NULL;
    char name[NAME_BYTES_MAX];
    enum status status = STATUS_NO_MEMORY;

    if (count > UNITS_PER_MESSAGE) {
        count = UNITS_PER_MESSAGE;
    }
    views = mem_array(count, sizeof(*views));
    pointers = mem_array(count, sizeof(Cajal__V1__UnitInfo *));
    if (views != NULL && pointers != NULL) {
        for (uint32_t u = 0; u < count; u++) {
            view_unit(layer, show->unit + u, &views[u]);
            pointers[u] = &views[u].message;
        }
        arch_layer_name(arch, show->layer, name);
        reply.layer = name;
        reply.n_units = count;
        reply.units = pointers;
        status = query_emit(query, &reply.base);
    }
    mem_free(views);
    mem_free(pointers);
    show->unit += count;
    if (show->unit == layer->units_count) {
        show->layer++;
        show->unit = 0;
    }
    return status;
}

static enum status step_show(struct query *query, void *state)
{
    struct show *show = state;
    enum status status = read_notes(query, &show->notes);

    if (status == STATUS_OK && show->version == NULL) {
        status =
            read_version(query, show->notes.job, show->number, &show->version);
        if (status == STATUS_OK) {
            status = show_summary(query, show);
        }
    }
    while (status == STATUS_OK && !query_full(query)) {
        if (show->layer == show->version->arch->layers_count) {
            query_end(query);
            break;
        }
        status = show_units(query, show);
    }
    return status;
}

static void fini_show(void *state)
{
    struct show *show = state;

    version_free(show->version);
    notes_fini(&show->notes);
}

void answer_show(struct shell *shell,
                 struct call *call,
                 const Cajal__V1__ShowRequest *request)
{
    static const struct query_kind kind = {.step = step_show,
                                           .fini = fini_show,
                                           .state_bytes = sizeof(struct show)};
    struct query *query = NULL;
    struct show *show = NULL;
    struct version_name name;

    if (!shell_find_version(shell, call, request->job, request->version,
                            &name)) {
        return;
    }
    query = query_open(shell->queries, call, &kind);
    if (query == NULL) {
        return;
    }
    show = query_state(query);
    show->number = name.number;
    if (!take_lines(shell, &show->notes, name.job)) {
        query_fail(query, STATUS_CORRUPT, "the job's record cannot be read");
        return;
    }
    query_start(query);
}
