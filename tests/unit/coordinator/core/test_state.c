#include "base/mem.h"
#include "coordinator/core/state.h"
#include "proto/version.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct bytes {
    struct plasticity_state state;
    struct plasticity_state back;
    unsigned char bytes[POLICY_STATE_BYTES_MAX];
    size_t size;
};

/* Offset of the first policy's window: magic, format, three arrays of
 * LAYERS_MAX (8 + 8 + 4 bytes each), the cursor. */
enum { WINDOW_AT = 4 + 4 + LAYERS_MAX * 20 + 4 };

static void encode(struct bytes *b)
{
    struct writer writer;

    writer_init(&writer, b->bytes, sizeof(b->bytes));
    state_encode(&b->state, &writer);
    assert_false(writer.failed);
    b->size = writer.at;
}

static enum status decode(struct bytes *b, size_t size)
{
    struct reader reader;

    reader_init(&reader, b->bytes, size);
    return state_decode(&reader, &b->back);
}

static int setup(void **state)
{
    struct bytes *b = mem_new(sizeof(*b));
    struct policy_state *policy = NULL;

    assert_non_null(b);
    state_init(&b->state);
    policy = &b->state.policies[0][0];
    policy->window_count = 2;
    policy->window[0] = 0.25;
    policy->window[1] = 0.5;
    policy->window_examples[0] = 1600;
    policy->window_examples[1] = 7;
    policy->silence = 9;
    b->state.probations[1] = (struct probation){
        .used = true, .layer = 1, .interval = 30, .units_count = 1};
    b->state.probations[1].units[0].id.birth = 12;
    b->state.grows = 5;
    encode(b);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    mem_free(*state);
    return 0;
}

static void test_state__comes_back_as_it_was(void **state)
{
    struct bytes *b = *state;

    assert_int_equal(decode(b, b->size), STATUS_OK);
    assert_memory_equal(&b->back, &b->state, sizeof(b->state));
}

/* Format 2: count, then loss and examples of each interval. */
static void test_state__has_the_layout_it_had(void **state)
{
    static const unsigned char begin[] = {'P', 'L', 'S', 'T', 2, 0, 0, 0};
    static const unsigned char window[] = {
        2,    0, 0, 0,                   /* intervals */
        0,    0, 0, 0, 0, 0, 0xd0, 0x3f, /* 0.25 */
        0x40, 6, 0, 0, 0, 0, 0,    0,    /* 1,600 */
        0,    0, 0, 0, 0, 0, 0xe0, 0x3f, /* 0.5 */
        7,    0, 0, 0, 0, 0, 0,    0,    /* 7 */
        9,    0, 0, 0};                  /* silence */
    struct bytes *b = *state;

    assert_memory_equal(b->bytes, begin, sizeof(begin));
    assert_memory_equal(b->bytes + WINDOW_AT, window, sizeof(window));
}

static void test_state__refuses_what_is_not_one(void **state)
{
    struct bytes *b = *state;
    unsigned char *bytes = b->bytes;

    for (size_t size = 0; size < b->size; size++) {
        assert_int_equal(decode(b, size), STATUS_CORRUPT);
    }
    bytes[4] = 1; /* the format before this one: one sum for all */
    assert_int_equal(decode(b, b->size), STATUS_CORRUPT);
    bytes[4] = 2;
    bytes[WINDOW_AT] = POLICY_WINDOW_MAX + 1;
    assert_int_equal(decode(b, b->size), STATUS_CORRUPT);
    bytes[WINDOW_AT] = 2;
    assert_int_equal(decode(b, b->size), STATUS_OK);
    bytes[WINDOW_AT + 4 + 8 + 8 + 8] = 0; /* an interval without examples */
    assert_int_equal(decode(b, b->size), STATUS_CORRUPT);
}

static void test_state__has_room_for_the_largest(void **state)
{
    struct bytes *b = *state;

    for (uint32_t r = 0; r < ROLES_COUNT; r++) {
        for (uint32_t p = 0; p < POLICIES_MAX; p++) {
            struct policy_state *policy = &b->state.policies[r][p];

            policy->window_count = POLICY_WINDOW_MAX;
            for (uint32_t i = 0; i < POLICY_WINDOW_MAX; i++) {
                policy->window_examples[i] = 1;
            }
        }
    }
    for (uint32_t l = 0; l < LAYERS_MAX; l++) {
        b->state.probations[l].units_count = PROBATION_UNITS_MAX;
    }
    encode(b);

    assert_int_equal(decode(b, b->size), STATUS_OK);
    assert_memory_equal(&b->back, &b->state, sizeof(b->state));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_state__comes_back_as_it_was),
        TEST(test_state__has_the_layout_it_had),
        TEST(test_state__refuses_what_is_not_one),
        TEST(test_state__has_room_for_the_largest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
