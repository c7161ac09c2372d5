#include "coordinator/shell/records/journalcode.h"

#include "base/check.h"

#include <math.h>

static const uint32_t MAGIC = 0x4e524a43; /* "CJRN" */
enum {
    FORMAT = 2, /* 1: without the hash of the reports */
    VERSION_AT = 46,
    VERSION_BYTES = 8
};

static void put_unit(struct writer *w, const struct edit_unit *unit)
{
    write_u32(w, unit->id.line);
    write_u64(w, unit->id.birth);
    write_u32(w, unit->renewed.line);
    write_u64(w, unit->renewed.birth);
    write_u32(w, unit->shard);
    write_f32(w, unit->mean);
}

static void get_unit(struct reader *r, struct edit_unit *unit)
{
    unit->id.line = read_u32(r);
    unit->id.birth = read_u64(r);
    unit->renewed.line = read_u32(r);
    unit->renewed.birth = read_u64(r);
    unit->shard = fields_get_count(r, SHARDS_MAX - 1);
    unit->mean = read_f32(r);
    if (!isfinite(unit->mean)) {
        r->failed = true;
    }
}

static void put_edits(struct writer *w, const struct grant *grant)
{
    write_u32(w, grant->edits_count);
    for (uint32_t e = 0; e < grant->edits_count; e++) {
        const struct edit *edit = &grant->edits[e];

        write_u32(w, (uint32_t)edit->kind);
        write_u32(w, edit->layer);
        write_u32(w, (uint32_t)edit->policy);
        write_u32(w, edit->units_first);
        write_u32(w, edit->units_count);
    }
    write_u32(w, grant->units_count);
    for (uint32_t u = 0; u < grant->units_count; u++) {
        put_unit(w, &grant->units[u]);
    }
}

static void get_edits(struct reader *r, struct journal_record *record)
{
    record->edits_count = fields_get_count(r, GRANT_EDITS_MAX);
    for (uint32_t e = 0; e < record->edits_count; e++) {
        struct edit *edit = &record->edits[e];

        edit->kind = (enum edit_kind)fields_get_count(r, EDIT_REMOVE);
        edit->layer = fields_get_count(r, LAYERS_MAX - 1);
        edit->policy = (enum policy_id)fields_get_count(r, POLICY_CONTRIBUTION);
        edit->units_first = fields_get_count(r, GRANT_UNITS_MAX);
        edit->units_count = fields_get_count(r, GRANT_UNITS_MAX);
        if (edit->kind < EDIT_ADD) {
            r->failed = true;
        }
    }
    record->units_count = fields_get_count(r, GRANT_UNITS_MAX);
    for (uint32_t e = 0; e < record->edits_count; e++) {
        if (record->edits[e].units_first + record->edits[e].units_count >
            record->units_count) {
            r->failed = true;
        }
    }
    for (uint32_t u = 0; u < record->units_count; u++) {
        get_unit(r, &record->units[u]);
    }
}

static void put_settings(struct writer *w, const struct grant *grant)
{
    write_u32(w, grant->settings_count);
    for (uint32_t s = 0; s < grant->settings_count; s++) {
        write_u32(w, grant->settings[s].setting);
        write_f64(w, grant->settings[s].value);
    }
}

static void put_grant(struct writer *w, const struct journal_entry *entry)
{
    const struct grant *grant = entry->grant;

    write_u64(w, grant->interval);
    write_u64(w, grant->first_step);
    write_u32(w, grant->steps);
    write_u32(w, grant->task);
    write_u64(w, grant->position);
    CHECK(w->at == VERSION_AT);
    write_u64(w, grant->version);
    write_u32(w, grant->closing);
    write_u64(w, entry->reports_hash);
    put_settings(w, grant);
    put_edits(w, grant);
}

/* Up to the settings. */
static bool get_begin(struct reader *r,
                      struct journal_record *record,
                      enum status *out_status)
{
    uint16_t format;

    if (!fields_open_any(r, MAGIC, FORMAT, &format, out_status)) {
        return false;
    }
    record->has_grant = fields_get_flag(r);
    record->has_hash = record->has_grant && format >= 2;
    record->reports_hash = 0;
    record->line = fields_get_count(r, LINES_MAX - 1);
    record->interval = 0;
    record->settings_count = 0;
    if (!record->has_grant) {
        return true;
    }
    record->interval = read_u64(r);
    record->first_step = read_u64(r);
    record->steps = read_u32(r);
    record->task = fields_get_count(r, TASKS_MAX);
    record->position = read_u64(r);
    record->version = read_u64(r);
    record->closing = fields_get_flag(r);
    if (record->has_hash) {
        record->reports_hash = read_u64(r);
    }
    record->settings_count = fields_get_count(r, GRANT_SETTINGS_MAX);
    for (uint32_t s = 0; s < record->settings_count; s++) {
        record->settings[s].setting = read_u32(r);
        record->settings[s].value = fields_get_finite(r);
    }
    return true;
}

size_t journalcode_encode(const struct journal_entry *entry, void *out)
{
    const struct grant *grant = entry->grant;
    const struct decision *decisions = entry->decisions;
    struct writer w;

    CHECK(entry->decisions_count <= DECISIONS_MAX);
    writer_init(&w, out, RECORD_BYTES_MAX);
    fields_begin(&w, MAGIC, FORMAT);
    write_u32(&w, grant != NULL);
    write_u32(&w, grant != NULL ? grant->line : entry->line);
    if (grant != NULL) {
        put_grant(&w, entry);
    }
    write_u32(&w, entry->decisions_count);
    for (uint32_t d = 0; d < entry->decisions_count; d++) {
        write_u32(&w, (uint32_t)decisions[d].policy);
        write_u32(&w, decisions[d].layer);
        write_u32(&w, decisions[d].kind);
        write_u32(&w, decisions[d].units_count);
        fields_put_text(&w, decisions[d].reason);
    }
    CHECK(!w.failed);
    return w.at;
}

/* FNV-1a (Fowler, Noll and Vo), 64 bits: against accidents. */
uint64_t journalcode_sum(const void *bytes, size_t size)
{
    const unsigned char *b = bytes;
    uint64_t sum = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < size; i++) {
        bool left_out = i >= VERSION_AT && i < VERSION_AT + VERSION_BYTES;

        sum = (sum ^ (left_out ? 0 : b[i])) * UINT64_C(0x100000001b3);
    }
    return sum != 0 ? sum : 1;
}

static void get_decisions(struct reader *r, struct journal_record *record)
{
    record->decisions_count = fields_get_count(r, DECISIONS_MAX);
    for (uint32_t d = 0; d < record->decisions_count; d++) {
        struct decision *decision = &record->decisions[d];

        decision->policy =
            (enum policy_id)fields_get_count(r, POLICY_CONTRIBUTION);
        decision->layer = fields_get_count(r, LAYERS_MAX - 1);
        decision->kind = fields_get_count(r, EDIT_REMOVE);
        decision->units_count = read_u32(r);
        fields_get_text(r, decision->reason, sizeof(decision->reason));
    }
}

enum status journalcode_peek(const void *bytes,
                             size_t size,
                             struct journal_record *out)
{
    struct reader r;
    enum status status;

    reader_init(&r, bytes, size);
    if (!get_begin(&r, out, &status)) {
        return status;
    }
    return r.failed ? STATUS_CORRUPT : STATUS_OK;
}

enum status journalcode_decode(const void *bytes,
                               size_t size,
                               struct journal_record *out)
{
    struct reader r;
    enum status status;

    reader_init(&r, bytes, size);
    if (!get_begin(&r, out, &status)) {
        return status;
    }
    if (out->has_grant) {
        get_edits(&r, out);
    }
    get_decisions(&r, out);
    return fields_close(&r);
}
