#include "tests/unit/proto/wirefixture.h"

#include "base/mem.h"
#include "tests/unit/proto/same.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

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
    struct wirefixture *fixture = *state;

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
    struct wirefixture *fixture = *state;

    sample_wire(&fixture->sample, WIRE_ASSIGN, &fixture->wire);
    fixture->wire.assign.records = NULL;
    fixture->wire.assign.records_count = 0;

    assert_int_equal(through(fixture), STATUS_OK);
    assert_int_equal(fixture->received.assign.records_count, 0);
    assert_null(fixture->received.assign.records);
}

static void test_wire__an_assignment_may_start_from_copies(void **state)
{
    struct wirefixture *fixture = *state;

    sample_wire(&fixture->sample, WIRE_ASSIGN, &fixture->wire);
    sample_from_point(&fixture->sample, &fixture->wire.assign);

    assert_int_equal(through(fixture), STATUS_OK);

    assert_same_assign(&fixture->wire.assign, &fixture->received.assign);
}

static void test_wire__an_assignment_starts_from_one_thing(void **state)
{
    struct wirefixture *fixture = *state;
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
    struct wirefixture *fixture = *state;
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
    struct wirefixture *fixture = *state;

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
    struct wirefixture *fixture = *state;

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
    struct wirefixture *fixture = *state;
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

/* --- Figures that are not finite --- */

static void test_wire__a_report_says_that_it_is_not_finite(void **state)
{
    struct wirefixture *fixture = *state;
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
        TEST(test_wire__a_report_says_that_it_is_not_finite),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
