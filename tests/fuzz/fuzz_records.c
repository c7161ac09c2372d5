/* fuzz_records.c - the small records of the store, damaged or made up.
 *
 * The first byte chooses the kind, the rest is the record. What is accepted is
 * encoded again, which must be accepted too and come out as the same bytes; a
 * record of the newest format must come out as it went in. What is accepted
 * must also be fit to be shown. */
#include "base/check.h"
#include "coordinator/core/state.h"
#include "coordinator/shell/records/journalcode.h"
#include "coordinator/shell/records/recordcode.h"
#include "coordinator/shell/records/statcode.h"
#include "coordinator/shell/records/views.h"
#include "proto/codec.h"

#include <string.h>

enum record_kind {
    KIND_RECORD = 0,
    KIND_EVENT,
    KIND_LAUNCH,
    KIND_JOURNAL,
    KIND_STAT,
    KIND_SUMMARY,
    KIND_STATE,
    KINDS_COUNT
};

/* Of two bytes behind the magic of every record but a policy's state. */
enum { FORMAT_AT = 4, FORMAT_BEFORE = 1 };

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static unsigned char once[LAUNCH_BYTES_MAX];
static unsigned char twice[LAUNCH_BYTES_MAX];

static void check_same(size_t size, size_t again)
{
    CHECK(again == size);
    CHECK(memcmp(once, twice, size) == 0);
}

static void check_bytes(const unsigned char *data, size_t size, size_t encoded)
{
    CHECK(encoded == size);
    CHECK(memcmp(once, data, size) == 0);
}

static void check_refused(enum status status)
{
    CHECK(status == STATUS_CORRUPT || status == STATUS_UNSUPPORTED);
}

/* Of a message that a client gets: it must be readable for one. */
static void check_shown(const ProtobufCMessage *message)
{
    static unsigned char packed[RECORD_BYTES_MAX];
    size_t size = protobuf_c_message_get_packed_size(message);

    CHECK(size <= sizeof(packed));
    CHECK(protobuf_c_message_pack(message, packed) == size);
    CHECK(codec_texts_are_sound(message->descriptor, packed, size));
}

static void try_record(const unsigned char *data, size_t size)
{
    static struct job_record record;
    static struct status_view view;
    struct record_head head;
    enum status status = recordcode_decode(data, size, &record);
    size_t encoded = 0;

    if (status != STATUS_OK) {
        check_refused(status);
        (void)!recordcode_peek(data, size, &head);
        return;
    }
    CHECK(recordcode_peek(data, size, &head) == STATUS_OK);
    CHECK(head.job == record.job && head.state == record.state);
    encoded = recordcode_encode(&record, once);
    CHECK(recordcode_decode(once, encoded, &record) == STATUS_OK);
    check_same(encoded, recordcode_encode(&record, twice));
    views_status(&record, &view);
    check_shown(&view.message.base);
}

static void try_event(const unsigned char *data, size_t size)
{
    static struct event_record event;
    static struct event_view view;
    enum status status = eventcode_decode(data, size, &event);

    if (status != STATUS_OK) {
        check_refused(status);
        return;
    }
    check_bytes(data, size, eventcode_encode(&event, once));
    views_event(1, 2, &event, &view);
    check_shown(&view.message.base);
}

static void try_launch(const unsigned char *data, size_t size)
{
    struct launch_record launch;
    enum status status = eventcode_decode_launch(data, size, &launch);

    if (status != STATUS_OK) {
        check_refused(status);
        return;
    }
    check_bytes(data, size, eventcode_encode_launch(&launch, once));
}

static size_t encode_journal(const struct journal_record *record, void *out)
{
    static struct grant grant;
    struct journal_entry entry = {.line = record->line,
                                  .reports_hash = record->reports_hash,
                                  .decisions = record->decisions,
                                  .decisions_count = record->decisions_count};

    if (record->has_grant) {
        grant.line = record->line;
        grant.interval = record->interval;
        grant.first_step = record->first_step;
        grant.steps = record->steps;
        grant.task = record->task;
        grant.position = record->position;
        grant.version = record->version;
        grant.closing = record->closing;
        grant.settings_count = record->settings_count;
        memcpy(grant.settings, record->settings, sizeof(grant.settings));
        grant.edits_count = record->edits_count;
        memcpy(grant.edits, record->edits, sizeof(grant.edits));
        grant.units_count = record->units_count;
        memcpy(grant.units, record->units, sizeof(grant.units));
        entry.grant = &grant;
    }
    return journalcode_encode(&entry, out);
}

static void try_journal(const unsigned char *data, size_t size)
{
    static struct journal_record record;
    static struct journal_record peeked;
    enum status status = journalcode_decode(data, size, &record);

    (void)journalcode_sum(data, size);
    if (status != STATUS_OK) {
        check_refused(status);
        (void)!journalcode_peek(data, size, &peeked);
        return;
    }
    CHECK(journalcode_peek(data, size, &peeked) == STATUS_OK);
    CHECK(peeked.has_grant == record.has_grant);
    CHECK(peeked.settings_count == record.settings_count);
    if (data[FORMAT_AT] != FORMAT_BEFORE) {
        check_bytes(data, size, encode_journal(&record, once));
    }
}

static void try_stat(const unsigned char *data, size_t size)
{
    static struct evaluation evaluations[REPORT_EVALUATIONS_MAX];
    struct interval_stat stat;
    enum status status = statcode_decode(data, size, evaluations, &stat);

    if (status != STATUS_OK) {
        check_refused(status);
        return;
    }
    check_bytes(data, size, statcode_encode(&stat, once));
}

static void try_summary(const unsigned char *data, size_t size)
{
    static struct summary summary;
    static struct version_view view;
    enum status status = summarycode_decode(data, size, &summary);

    if (status != STATUS_OK) {
        check_refused(status);
        return;
    }
    check_bytes(data, size, summarycode_encode(&summary, once));
    views_version(1, &summary, &view);
    check_shown(&view.message.base);
}

static bool decode_state(const unsigned char *data,
                         size_t size,
                         struct plasticity_state *out)
{
    struct reader reader;

    reader_init(&reader, data, size);
    return state_decode(&reader, out) == STATUS_OK;
}

static size_t encode_state(const struct plasticity_state *state, void *out)
{
    struct writer writer;

    writer_init(&writer, out, POLICY_STATE_BYTES_MAX);
    state_encode(state, &writer);
    CHECK(!writer.failed);
    return writer.at;
}

static void try_state(const unsigned char *data, size_t size)
{
    static struct plasticity_state state;
    size_t encoded = 0;

    if (!decode_state(data, size, &state)) {
        return;
    }
    encoded = encode_state(&state, once);
    CHECK(decode_state(once, encoded, &state));
    check_same(encoded, encode_state(&state, twice));
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static void (*const tries[KINDS_COUNT])(const unsigned char *, size_t) = {
        [KIND_RECORD] = try_record, [KIND_EVENT] = try_event,
        [KIND_LAUNCH] = try_launch, [KIND_JOURNAL] = try_journal,
        [KIND_STAT] = try_stat,     [KIND_SUMMARY] = try_summary,
        [KIND_STATE] = try_state};

    if (size > 0) {
        tries[data[0] % KINDS_COUNT](data + 1, size - 1);
    }
    return 0;
}
