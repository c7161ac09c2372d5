/* Messages that are damaged, or made to do harm. */
#include "tests/unit/proto/wirefixture.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

/* --- Damage --- */

static void test_wire_hostile__cut_short_anywhere_is_invalid(void **state)
{
    struct wirefixture *fixture = *state;

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
static void assert_invalid_or_valid(struct wirefixture *fixture,
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

static void test_wire_hostile__survives_every_flipped_byte(void **state)
{
    static const unsigned char flips[] = {0x01, 0x02, 0x04, 0x08, 0x10,
                                          0x20, 0x40, 0x80, 0x7f, 0xff};
    struct wirefixture *fixture = *state;

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

static void test_wire_hostile__says_so_when_any_allocation_fails(void **state)
{
    struct wirefixture *fixture = *state;

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

static void test_wire_hostile__says_so_when_the_arena_is_full(void **state)
{
    struct wirefixture *fixture = *state;

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

static void test_wire_hostile__has_a_largest_size(void **state)
{
    struct wirefixture *fixture = *state;
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
static void test_wire_hostile__bounds_what_hostile_bytes_cost(void **state)
{
    static const unsigned char fields[][2] = {
        {9 << 3 | 2, 0},  /* Assign.peers: empty messages */
        {11 << 3 | 2, 0}, /* Assign.records */
        {15 << 3, 0},     /* an unknown number */
        {14 << 3 | 2, 0}, /* unknown bytes */
        {10 << 3, 0}};    /* Assign.owners, not packed */
    struct wirefixture *fixture = *state;
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

static void test_wire_hostile__refuses_strings_that_are_not_printable(
    void **state)
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
    struct wirefixture *fixture = *state;
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

static void test_wire_hostile__tells_an_error_whatever_its_text(void **state)
{
    struct wirefixture *fixture = *state;
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
static void test_wire_hostile__skips_fields_that_it_does_not_know(void **state)
{
    /* A hello: name "w", endpoint "e", 32 bytes of fingerprint, field 99. */
    unsigned char bytes[] = "\x0a\x2b\x0a\x01w\x52\x01"
                            "e\x2a\x20"
                            "0123456789abcdef0123456789abcdef\x98\x06\x07";
    struct wirefixture *fixture = *state;

    assert_int_equal(decode(fixture, bytes, sizeof(bytes) - 1), STATUS_OK);
    assert_string_equal(fixture->received.hello.name, "w");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_wire_hostile__cut_short_anywhere_is_invalid),
        TEST(test_wire_hostile__survives_every_flipped_byte),
        TEST(test_wire_hostile__says_so_when_any_allocation_fails),
        TEST(test_wire_hostile__says_so_when_the_arena_is_full),
        TEST(test_wire_hostile__has_a_largest_size),
        TEST(test_wire_hostile__bounds_what_hostile_bytes_cost),
        TEST(test_wire_hostile__refuses_strings_that_are_not_printable),
        TEST(test_wire_hostile__tells_an_error_whatever_its_text),
        TEST(test_wire_hostile__skips_fields_that_it_does_not_know),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
