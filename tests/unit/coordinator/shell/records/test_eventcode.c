#include "coordinator/shell/records/eventcode.h"

#include "tests/unit/coordinator/shell/fixture.h"

#include <string.h>

static unsigned char bytes[LAUNCH_BYTES_MAX];
static unsigned char again[RECORD_BYTES_MAX];

static bool decode(const void *from, size_t size)
{
    struct event_record back;

    return eventcode_decode(from, size, &back) == STATUS_OK;
}

static bool decode_launch(const void *from, size_t size)
{
    struct launch_record back;

    return eventcode_decode_launch(from, size, &back) == STATUS_OK;
}

static void test_eventcode__gives_back_what_it_took(void **state)
{
    struct event_record event;
    struct event_record back;
    size_t size;

    (void)state;
    fixture_event(&event);

    size = eventcode_encode(&event, bytes);
    assert_int_equal(eventcode_decode(bytes, size, &back), STATUS_OK);

    assert_int_equal(eventcode_encode(&back, again), size);
    assert_memory_equal(bytes, again, size);
    assert_string_equal(back.text, "hidden1 +16");
    assert_true(back.examples_per_second == 20000);
}

static void test_eventcode__withstands_any_bytes(void **state)
{
    struct event_record event;
    size_t size;

    (void)state;
    fixture_event(&event);
    size = eventcode_encode(&event, bytes);

    fixture_torture(bytes, size, decode);
}

static void test_eventcode__keeps_a_launch_apart_from_events(void **state)
{
    const char *source = "name: fashion\n";
    const struct launch_record launch = {
        .request_id = "r1", .source = source, .source_size = strlen(source)};
    struct launch_record back;
    struct event_record event;
    size_t size = eventcode_encode_launch(&launch, bytes);

    (void)state;
    assert_int_equal(eventcode_decode_launch(bytes, size, &back), STATUS_OK);

    assert_string_equal(back.request_id, "r1");
    assert_int_equal(back.source_size, strlen(source));
    assert_memory_equal(back.source, source, strlen(source));
    assert_int_equal(eventcode_decode(bytes, size, &event), STATUS_CORRUPT);
    fixture_torture(bytes, size, decode_launch);
}

static void test_eventcode__tells_no_rate_before_the_first_step(void **state)
{
    struct job_record record;
    struct event_record event = {.wall_ms = 0};

    (void)state;
    fixture_record(&record, 1);
    record.run_ms = 0;

    eventcode_fill(&record, &event);

    assert_true(event.examples_per_second == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_eventcode__gives_back_what_it_took),
        cmocka_unit_test(test_eventcode__withstands_any_bytes),
        cmocka_unit_test(test_eventcode__keeps_a_launch_apart_from_events),
        cmocka_unit_test(test_eventcode__tells_no_rate_before_the_first_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
