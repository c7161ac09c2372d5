#include "proto/wire.h"

#include "base/mem.h"
#include "tests/unit/proto/same.h"
#include "tests/unit/proto/samples.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

enum { ARENA_BYTES = 1 << 20 };

struct fixture {
    struct sample sample;
    struct wire wire;     /* what the test says */
    struct wire received; /* and what is heard */
    struct arena arena;
    void *memory;
    uint64_t live; /* blocks before the test */
};

static int set_up(void **state)
{
    struct fixture *fixture = mem_new(sizeof(*fixture));

    assert_non_null(fixture);
    sample_init(&fixture->sample);
    fixture->memory = mem_new(ARENA_BYTES);
    assert_non_null(fixture->memory);
    arena_init(&fixture->arena, fixture->memory, ARENA_BYTES);
    fixture->live = mem_live();
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    bool leaked = mem_live() != fixture->live;

    mem_fail_at(0);
    mem_free(fixture->memory);
    mem_free(fixture);
    return leaked ? -1 : 0;
}

static enum status decode(struct fixture *fixture,
                          const void *bytes,
                          size_t size)
{
    arena_reset(&fixture->arena);
    return wire_decode(bytes, size, &fixture->arena, &fixture->received);
}

/* Bytes of a sample of this kind; to be freed. */
static unsigned char *encoded(struct fixture *fixture,
                              enum wire_kind kind,
                              size_t *out_size)
{
    unsigned char *bytes = NULL;

    sample_wire(&fixture->sample, kind, &fixture->wire);
    assert_int_equal(wire_encode(&fixture->wire, &bytes, out_size), STATUS_OK);
    return bytes;
}

/* fixture->wire to fixture->received. */
static enum status through(struct fixture *fixture)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    enum status status = wire_encode(&fixture->wire, &bytes, &size);

    if (status == STATUS_OK) {
        status = decode(fixture, bytes, size);
    }
    mem_free(bytes);
    return status;
}

/* --- Round trips --- */

static void assert_same_hello(const struct wire_hello *a,
                              const struct wire_hello *b)
{
    assert_string_equal(a->name, b->name);
    SAME(incarnation);
    SAME(protocol);
    assert_string_equal(a->build, b->build);
    SAME_BYTES(fingerprint);
    assert_string_equal(a->kernels, b->kernels);
    SAME(threads);
    SAME(pid);
    assert_string_equal(a->host, b->host);
    SAME_BYTES(key);
    SAME(curve);
    assert_string_equal(a->endpoint, b->endpoint);
    assert_string_equal(a->vault_endpoint, b->vault_endpoint);
}

static void assert_same_from_worker(const struct wire *a, const struct wire *b)
{
    switch ((int)a->kind) {
    case WIRE_HELLO:
        assert_same_hello(&a->hello, &b->hello);
        break;
    case WIRE_HEARTBEAT:
        SAME(heartbeat.life);
        SAME(heartbeat.shard_steps);
        SAME(heartbeat.bytes_sent);
        SAME(heartbeat.turns);
        SAME(heartbeat.kept_bytes);
        SAME(heartbeat.buddy_bytes);
        break;
    case WIRE_OPENED:
        SAME(opened.job);
        SAME(opened.status);
        assert_string_equal(a->opened.error, b->opened.error);
        assert_same_shape(a->opened.shape, b->opened.shape);
        break;
    case WIRE_READY:
        SAME(ready.job);
        SAME(ready.term);
        SAME(ready.status);
        assert_string_equal(a->ready.error, b->ready.error);
        break;
    case WIRE_REPORT:
        SAME(report.job);
        assert_same_report(a->report.report, b->report.report);
        break;
    case WIRE_SHARD_CUT:
        SAME(shard_cut.job);
        SAME(shard_cut.term);
        SAME(shard_cut.version);
        assert_same_record(a->shard_cut.record, b->shard_cut.record);
        break;
    case WIRE_FAULT:
        SAME(fault.job);
        SAME(fault.term);
        SAME(fault.kind);
        assert_string_equal(a->fault.text, b->fault.text);
        break;
    case WIRE_KEPT:
        SAME(kept.job);
        SAME(kept.line);
        SAME(kept.interval);
        SAME(kept.layer);
        SAME(kept.shard);
        SAME(kept.cost_us);
        SAME(kept.term);
        break;
    default:
        break;
    }
}

static void assert_same_from_coordinator(const struct wire *a,
                                         const struct wire *b)
{
    switch ((int)a->kind) {
    case WIRE_WELCOME:
        SAME(welcome.life);
        SAME(welcome.worker);
        SAME(welcome.heartbeat_ms);
        SAME(welcome.timeout_ms);
        assert_string_equal(a->welcome.chunk_endpoint,
                            b->welcome.chunk_endpoint);
        break;
    case WIRE_REFUSE:
        SAME(refuse.status);
        assert_string_equal(a->refuse.text, b->refuse.text);
        break;
    case WIRE_OPEN:
        SAME(open.job);
        assert_same_spec(a->open.spec, b->open.spec);
        break;
    case WIRE_ASSIGN:
        assert_same_assign(&a->assign, &b->assign);
        break;
    case WIRE_GRANT:
        SAME(grant.job);
        assert_same_grant(a->grant.grant, b->grant.grant);
        break;
    case WIRE_RELEASE:
        SAME(release.job);
        SAME(release.term);
        SAME(release.interval);
        break;
    case WIRE_DROP:
        SAME(drop.job);
        SAME(drop.term);
        SAME(drop.forget);
        break;
    case WIRE_ROSTER:
        SAME(roster.count);
        assert_memory_equal(a->roster.keys, b->roster.keys,
                            a->roster.count * sizeof(*a->roster.keys));
        break;
    default:
        break;
    }
}

static void test_wire__comes_back_as_it_was(void **state)
{
    struct fixture *fixture = *state;

    for (size_t i = 0; i < SAMPLE_KINDS; i++) {
        sample_wire(&fixture->sample, sample_kinds[i], &fixture->wire);

        assert_int_equal(through(fixture), STATUS_OK);

        assert_int_equal(fixture->received.kind, sample_kinds[i]);
        assert_same_from_worker(&fixture->wire, &fixture->received);
        assert_same_from_coordinator(&fixture->wire, &fixture->received);
    }
}

static void test_wire__an_assignment_may_ask_for_fresh_weights(void **state)
{
    struct fixture *fixture = *state;

    sample_wire(&fixture->sample, WIRE_ASSIGN, &fixture->wire);
    fixture->wire.assign.records = NULL;
    fixture->wire.assign.records_count = 0;

    assert_int_equal(through(fixture), STATUS_OK);
    assert_int_equal(fixture->received.assign.records_count, 0);
    assert_null(fixture->received.assign.records);
}

static void test_wire__an_assignment_may_start_from_copies(void **state)
{
    struct fixture *fixture = *state;

    sample_wire(&fixture->sample, WIRE_ASSIGN, &fixture->wire);
    sample_from_point(&fixture->sample, &fixture->wire.assign);

    assert_int_equal(through(fixture), STATUS_OK);

    assert_same_assign(&fixture->wire.assign, &fixture->received.assign);
}

static void test_wire__an_assignment_starts_from_one_thing(void **state)
{
    struct fixture *fixture = *state;
    struct wire_assign *assign = &fixture->wire.assign;

    sample_wire(&fixture->sample, WIRE_ASSIGN, &fixture->wire);
    sample_from_point(&fixture->sample, assign);
    assign->records_count = SAMPLE_SHARDS;
    assign->records = fixture->sample.records;
    assert_int_equal(through(fixture), STATUS_INVALID);

    sample_wire(&fixture->sample, WIRE_ASSIGN, &fixture->wire);
    sample_from_point(&fixture->sample, assign);
    assign->from_point = false;
    assert_int_equal(through(fixture), STATUS_INVALID);
    assign->holders_count = 0;
    assert_int_equal(through(fixture), STATUS_INVALID);
    assign->sources_count = 0;
    assert_int_equal(through(fixture), STATUS_OK);
}

/* Four layers as wide as can be, born over a long life. */
static void widen(struct sample *sample, struct unit *units)
{
    struct arch *arch = &sample->arch;

    sample->spec.model.hidden_count = 3;
    sample->spec.model.hidden[1] = sample->spec.model.hidden[0];
    sample->spec.model.hidden[2] = sample->spec.model.hidden[0];
    arch->layers_count = 4;
    arch->next_birth = 1 << 24;
    for (uint32_t i = 0; i < 4; i++) {
        struct arch_layer *layer = &arch->layers[i];

        *layer = (struct arch_layer){.activation = ACTIVATION_RELU,
                                     .shards_count = 1,
                                     .shard_units = {UNITS_MAX},
                                     .units_count = UNITS_MAX,
                                     .units_max = UNITS_MAX,
                                     .units = units + i * UNITS_MAX};
    }
    for (uint32_t i = 0; i < 4 * UNITS_MAX; i++) {
        units[i] = (struct unit){.id = {3, (1 << 24) - 1 - i},
                                 .born_step = 1 << 24,
                                 .fan_in = UNITS_MAX,
                                 .mean = 0.5f};
    }
}

static void test_wire__has_room_for_the_widest_model(void **state)
{
    struct fixture *fixture = *state;
    struct wire_assign *assign = &fixture->wire.assign;
    struct unit *units = mem_array(4 * (size_t)UNITS_MAX, sizeof(*units));
    size_t room = 16 << 20;
    void *memory = mem_new(room);

    assert_non_null(units);
    assert_non_null(memory);
    arena_init(&fixture->arena, memory, room);
    widen(&fixture->sample, units);
    sample_wire(&fixture->sample, WIRE_ASSIGN, &fixture->wire);
    assign->records_count = 0;

    assert_int_equal(through(fixture), STATUS_OK);

    assert_same_arch(assign->arch, fixture->received.assign.arch);
    mem_free(memory);
    mem_free(units);
}

static void test_wire__an_error_comes_without_a_shape(void **state)
{
    struct fixture *fixture = *state;

    sample_wire(&fixture->sample, WIRE_OPENED, &fixture->wire);
    fixture->wire.opened.status = STATUS_NOT_FOUND;
    assert_int_equal(through(fixture), STATUS_INVALID);
    fixture->wire.opened.shape = NULL;
    assert_int_equal(through(fixture), STATUS_OK);
    assert_null(fixture->received.opened.shape);
    fixture->wire.opened.status = STATUS_OK;
    assert_int_equal(through(fixture), STATUS_INVALID);
}

static void test_wire__has_these_bytes(void **state)
{
    static const struct {
        enum wire_kind kind;
        size_t size;
        const char *bytes;
    } golden[] = {
        {WIRE_HEARTBEAT, 19,
         "\x12\x11\x08\x04\x10\xac\x02\x18\xf0\xa2\x04"
         "\x20\x02\x28\xf4\x03\x30\xd8\x04"},
        {WIRE_KEPT, 17,
         "\x4a\x0f\x08\x02\x10\x03\x18\x14\x20\x01\x28\x02"
         "\x30\xac\x02\x38\x06"},
        {WIRE_LEAVE, 2, "\x52\x00"},
        {WIRE_DROP, 9, "\xb2\x04\x06\x08\x02\x10\x05\x18\x01"},
        {WIRE_GOODBYE, 2, "\x42\x00"},
        {WIRE_RELEASE, 9, "\xaa\x04\x06\x08\x02\x10\x05\x18\x14"},
        {WIRE_QUIT, 3, "\xba\x04\x00"},
        {WIRE_FAULT, 14, "\x3a\x0c\x08\x02\x10\x05\x18\x02\x22\x04lost"}};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(golden) / sizeof(golden[0]); i++) {
        size_t size = 0;
        unsigned char *bytes = encoded(fixture, golden[i].kind, &size);

        assert_int_equal(size, golden[i].size);
        assert_memory_equal(bytes, golden[i].bytes, size);
        mem_free(bytes);
    }
}

/* Without a key it takes no bytes: older workers know nothing of it. */
static void test_wire__a_key_is_fields_12_and_13_of_a_hello(void **state)
{
    static const char golden[] = "\x0a\x4c\x0a\x01w\x2a\x20"
                                 "0123456789abcdef0123456789abcdef\x52\x01"
                                 "e\x62\x20"
                                 "KKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKK\x68\x01";
    struct fixture *fixture = *state;
    struct wire wire = {.kind = WIRE_HELLO};
    unsigned char *bytes = NULL;
    size_t size = 0;

    sample_text(wire.hello.name, "w");
    sample_text(wire.hello.endpoint, "e");
    memcpy(wire.hello.fingerprint.b, "0123456789abcdef0123456789abcdef", 32);
    memset(&wire.hello.key, 'K', sizeof(wire.hello.key));
    wire.hello.curve = true;
    assert_int_equal(wire_encode(&wire, &bytes, &size), STATUS_OK);
    assert_int_equal(size, sizeof(golden) - 1);
    assert_memory_equal(bytes, golden, size);
    mem_free(bytes);

    wire.hello.key = (struct curvekey){.b = {0}};
    wire.hello.curve = false;
    assert_int_equal(wire_encode(&wire, &bytes, &size), STATUS_OK);
    assert_int_equal(size, sizeof(golden) - 1 - 36);
    assert_int_equal(decode(fixture, bytes, size), STATUS_OK);
    assert_false(curvekey_given(&fixture->received.hello.key));
    mem_free(bytes);
}

/* --- Damage --- */

static void test_wire__cut_short_anywhere_is_invalid(void **state)
{
    struct fixture *fixture = *state;

    for (size_t i = 0; i < SAMPLE_KINDS; i++) {
        size_t size = 0;
        unsigned char *bytes = encoded(fixture, sample_kinds[i], &size);

        for (size_t cut = 0; cut < size; cut++) {
            assert_int_equal(decode(fixture, bytes, cut), STATUS_INVALID);
        }
        mem_free(bytes);
    }
}

/* What decodes has valid ranges: else it could not be encoded. */
static void assert_invalid_or_valid(struct fixture *fixture,
                                    const unsigned char *bytes,
                                    size_t size)
{
    unsigned char *again = NULL;
    size_t again_size = 0;
    enum status status = decode(fixture, bytes, size);

    if (status != STATUS_OK) {
        assert_int_equal(status, STATUS_INVALID);
        return;
    }
    assert_int_equal(wire_encode(&fixture->received, &again, &again_size),
                     STATUS_OK);
    mem_free(again);
}

static void test_wire__survives_every_flipped_byte(void **state)
{
    static const unsigned char flips[] = {0x01, 0x02, 0x04, 0x08, 0x10,
                                          0x20, 0x40, 0x80, 0x7f, 0xff};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < SAMPLE_KINDS; i++) {
        size_t size = 0;
        unsigned char *bytes = encoded(fixture, sample_kinds[i], &size);

        for (size_t at = 0; at < size; at++) {
            for (size_t j = 0; j < sizeof(flips); j++) {
                bytes[at] ^= flips[j];
                assert_invalid_or_valid(fixture, bytes, size);
                bytes[at] ^= flips[j];
            }
        }
        mem_free(bytes);
    }
}

static void test_wire__says_so_when_any_allocation_fails(void **state)
{
    struct fixture *fixture = *state;

    for (size_t i = 0; i < SAMPLE_KINDS; i++) {
        unsigned char *bytes = NULL;
        size_t size = 0;
        uint64_t n = 0;
        enum status status = STATUS_NO_MEMORY;

        sample_wire(&fixture->sample, sample_kinds[i], &fixture->wire);
        while (status == STATUS_NO_MEMORY) {
            mem_fail_at(++n);
            status = wire_encode(&fixture->wire, &bytes, &size);
            assert_true(status == STATUS_OK || mem_live() == fixture->live);
        }
        assert_int_equal(status, STATUS_OK);
        assert_true(n > 1);
        for (n = 1, status = STATUS_NO_MEMORY; status == STATUS_NO_MEMORY;
             n++) {
            mem_fail_at(n);
            status = decode(fixture, bytes, size);
            assert_int_equal(mem_live(), fixture->live + 1);
        }
        mem_fail_at(0);
        assert_int_equal(status, STATUS_OK);
        mem_free(bytes);
    }
}

static void test_wire__says_so_when_the_arena_is_full(void **state)
{
    struct fixture *fixture = *state;

    for (size_t i = 0; i < SAMPLE_KINDS; i++) {
        size_t size = 0;
        unsigned char *bytes = encoded(fixture, sample_kinds[i], &size);
        size_t needed = 0;

        assert_int_equal(decode(fixture, bytes, size), STATUS_OK);
        needed = fixture->arena.used;
        for (size_t room = 0; room < needed; room += 16) {
            fixture->arena.size = room;
            assert_int_equal(decode(fixture, bytes, size), STATUS_NO_MEMORY);
        }
        fixture->arena.size = ARENA_BYTES;
        mem_free(bytes);
    }
}

/* --- Hostile bytes --- */

static void test_wire__has_a_largest_size(void **state)
{
    struct fixture *fixture = *state;
    unsigned char *bytes = mem_new((size_t)CONTROL_BYTES_MAX + 1);
    uint64_t live = mem_live();

    assert_non_null(bytes);

    /* Rejected for its size alone: nothing is allocated for it. */
    mem_fail_at(1);
    assert_int_equal(decode(fixture, bytes, (size_t)CONTROL_BYTES_MAX + 1),
                     STATUS_INVALID);
    assert_null(mem_new(1));
    assert_int_equal(mem_live(), live);
    mem_free(bytes);
}

/* Eight megabytes of what costs most: two bytes a message or string. */
static void test_wire__bounds_what_hostile_bytes_cost(void **state)
{
    static const unsigned char fields[][2] = {
        {9 << 3 | 2, 0},  /* Assign.peers: empty messages */
        {11 << 3 | 2, 0}, /* Assign.records */
        {15 << 3, 0},     /* an unknown number */
        {14 << 3 | 2, 0}, /* unknown bytes */
        {10 << 3, 0}};    /* Assign.owners, not packed */
    struct fixture *fixture = *state;
    size_t size = CONTROL_BYTES_MAX;
    unsigned char *bytes = mem_new(size);

    assert_non_null(bytes);
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        /* Field 67 of the envelope, then its length in four bytes. */
        memcpy(bytes, "\x9a\x04\xfa\xff\xff\x03", 6);
        for (size_t at = 6; at < size; at += 2) {
            memcpy(bytes + at, fields[i], 2);
        }
        assert_int_equal(decode(fixture, bytes, size), STATUS_INVALID);
        assert_int_equal(mem_live(), fixture->live + 1);
    }
    mem_free(bytes);
}

static void test_wire__refuses_strings_that_are_not_printable(void **state)
{
    static const char *const bad[] = {
        "a\nb",         /* would forge a line of a log */
        "a\x1b[",       /* would talk to a terminal */
        "a\x7f.",       /* delete */
        "\xc2\x85.",    /* a control character above 127 */
        "\xff..",       /* no such byte in UTF-8 */
        "..\xc3",       /* half a character */
        "\x80..",       /* the other half */
        "\xc0\xaf.",    /* "/" in a longer form */
        "\xe0\x80\xaf", /* and a longer one */
        "\xed\xa0\x80", /* half a surrogate pair */
        "\0..",         /* ends the C string early */
        "..\0"};
    struct fixture *fixture = *state;
    size_t size = 0;
    unsigned char *bytes = NULL;

    sample_wire(&fixture->sample, WIRE_FAULT, &fixture->wire);
    sample_text(fixture->wire.fault.text, "xyz");
    assert_int_equal(wire_encode(&fixture->wire, &bytes, &size), STATUS_OK);
    assert_int_equal(decode(fixture, bytes, size), STATUS_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        memcpy(bytes + size - 3, bad[i], 3);
        assert_int_equal(decode(fixture, bytes, size), STATUS_INVALID);
    }
    mem_free(bytes);
}

static void test_wire__tells_an_error_whatever_its_text(void **state)
{
    struct fixture *fixture = *state;
    struct wire_fault *fault = &fixture->wire.fault;

    sample_wire(&fixture->sample, WIRE_FAULT, &fixture->wire);
    memset(fault->text, 'x', sizeof(fault->text)); /* no NUL at all */
    memcpy(fault->text, "a\nb\xff \xe2\x82\xac", 8);
    fault->text[sizeof(fault->text) - 2] = '\xc3';

    assert_int_equal(through(fixture), STATUS_OK);

    fault = &fixture->received.fault;
    assert_memory_equal(fault->text, "a?b? \xe2\x82\xac", 8);
    assert_int_equal(strlen(fault->text), ERROR_BYTES_MAX - 1);
    assert_int_equal(fault->text[ERROR_BYTES_MAX - 2], '?');
}

/* So that a worker of a later release can be refused with a sentence. */
static void test_wire__skips_fields_that_it_does_not_know(void **state)
{
    /* A hello: name "w", endpoint "e", 32 bytes of fingerprint, field 99. */
    unsigned char bytes[] = "\x0a\x2b\x0a\x01w\x52\x01"
                            "e\x2a\x20"
                            "0123456789abcdef0123456789abcdef\x98\x06\x07";
    struct fixture *fixture = *state;

    assert_int_equal(decode(fixture, bytes, sizeof(bytes) - 1), STATUS_OK);
    assert_string_equal(fixture->received.hello.name, "w");
}

/* --- Figures that are not finite --- */

static void test_wire__a_report_says_that_it_is_not_finite(void **state)
{
    struct fixture *fixture = *state;
    struct report *report = &fixture->sample.report;

    sample_wire(&fixture->sample, WIRE_REPORT, &fixture->wire);
    report->not_finite = false;
    report->loss_sum = NAN;
    report->evaluations[0].loss_sum = INFINITY;
    assert_int_equal(through(fixture), STATUS_OK);
    assert_true(isnan(fixture->received.report.report->loss_sum));
    assert_false(fixture->received.report.report->not_finite);

    report->sums.h_square = INFINITY;
    assert_int_equal(through(fixture), STATUS_OK);
    assert_true(fixture->received.report.report->not_finite);

    report->sums.h_square = 1;
    report->candidates[1].utility = NAN;
    assert_int_equal(through(fixture), STATUS_OK);
    assert_true(fixture->received.report.report->not_finite);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_wire__comes_back_as_it_was),
        TEST(test_wire__an_assignment_may_ask_for_fresh_weights),
        TEST(test_wire__an_assignment_may_start_from_copies),
        TEST(test_wire__an_assignment_starts_from_one_thing),
        TEST(test_wire__has_room_for_the_widest_model),
        TEST(test_wire__an_error_comes_without_a_shape),
        TEST(test_wire__has_these_bytes),
        TEST(test_wire__a_key_is_fields_12_and_13_of_a_hello),
        TEST(test_wire__cut_short_anywhere_is_invalid),
        TEST(test_wire__survives_every_flipped_byte),
        TEST(test_wire__says_so_when_any_allocation_fails),
        TEST(test_wire__says_so_when_the_arena_is_full),
        TEST(test_wire__has_a_largest_size),
        TEST(test_wire__bounds_what_hostile_bytes_cost),
        TEST(test_wire__refuses_strings_that_are_not_printable),
        TEST(test_wire__tells_an_error_whatever_its_text),
        TEST(test_wire__skips_fields_that_it_does_not_know),
        TEST(test_wire__a_report_says_that_it_is_not_finite),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
