#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "proto/policy.h"
#include "base/limits.h"
#include "proto/job.h"
#include <string.h>

/* NaN: the key must be given. */
#define MUST (0.0 / 0.0)

struct expected {
    enum policy_id policy;
    uint32_t key;
    const char *name;
    enum value_kind kind;
    double initial;
};

static const struct expected keys[] = {
    {POLICY_CONTINUAL_BACKPROP, CBP_RATE, "rate", VALUE_NUMBER, 1e-4},
    {POLICY_CONTINUAL_BACKPROP, CBP_MATURITY, "maturity", VALUE_STEPS, 100},
    {POLICY_CONTINUAL_BACKPROP, CBP_DECAY, "decay", VALUE_NUMBER, 0.99},
    {POLICY_SCHEDULE, SCHEDULE_EVERY, "every", VALUE_INTERVALS, MUST},
    {POLICY_SCHEDULE, SCHEDULE_ADD, "add", VALUE_UNITS, MUST},
    {POLICY_SCHEDULE, SCHEDULE_MAX_UNITS, "max_units", VALUE_UNITS, 512},
    {POLICY_PLATEAU, PLATEAU_WINDOW, "window", VALUE_INTERVALS, 5},
    {POLICY_PLATEAU, PLATEAU_MIN_GAIN, "min_gain", VALUE_RATIO, 0.01},
    {POLICY_PLATEAU, PLATEAU_ADD, "add", VALUE_UNITS, 16},
    {POLICY_PLATEAU, PLATEAU_MAX_UNITS, "max_units", VALUE_UNITS, 512},
    {POLICY_PLATEAU, PLATEAU_COOLDOWN, "cooldown", VALUE_INTERVALS, 10},
    {POLICY_CONTRIBUTION, CONTRIBUTION_BELOW, "below", VALUE_OF_MEAN, 0.01},
    {POLICY_CONTRIBUTION, CONTRIBUTION_PROBATION, "probation", VALUE_INTERVALS,
     2},
    {POLICY_CONTRIBUTION, CONTRIBUTION_MATURITY, "maturity", VALUE_STEPS, 100},
    {POLICY_CONTRIBUTION, CONTRIBUTION_MIN_UNITS, "min_units", VALUE_UNITS, 8},
    {POLICY_CONTRIBUTION, CONTRIBUTION_COOLDOWN, "cooldown", VALUE_INTERVALS,
     5},
};

static void test_policy__has_each_key_where_its_enum_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const struct policy_entry *entry = policy_find(keys[i].policy);
        const struct policy_key *key = &entry->keys[keys[i].key];
        int must = keys[i].initial != keys[i].initial;

        assert_string_equal(key->name, keys[i].name);
        assert_int_equal(key->kind, keys[i].kind);
        assert_true(must ? key->initial != key->initial
                         : key->initial == keys[i].initial);
    }
}

static void test_policy__has_sound_ranges_and_few_keys(void **state)
{
    size_t count;
    const struct policy_entry *table = policy_table(&count);
    size_t total = 0;

    (void)state;
    for (size_t i = 0; i < count; i++) {
        uint32_t k = 0;

        for (; table[i].keys[k].name != NULL; k++) {
            const struct policy_key *key = &table[i].keys[k];

            assert_true(key->least <= key->most);
            assert_false(key->initial < key->least);
            assert_false(key->initial > key->most);
            assert_true(strlen(key->help) > 0);
            total++;
        }
        assert_true(k <= POLICY_KEYS_MAX);
        assert_true(table[i].role >= ROLE_RENEW);
        assert_true(table[i].role < ROLES_COUNT);
        assert_true(strlen(table[i].source) > 0);
    }
    assert_int_equal(total, sizeof(keys) / sizeof(keys[0]));
}

static void test_policy__finds_each_by_its_number_alone(void **state)
{
    size_t count;
    const struct policy_entry *table = policy_table(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(policy_find(table[i].id), &table[i]);
    }
    assert_null(policy_find(POLICY_NONE));
    assert_null(policy_find((enum policy_id)99));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy__has_each_key_where_its_enum_says),
        cmocka_unit_test(test_policy__has_sound_ranges_and_few_keys),
        cmocka_unit_test(test_policy__finds_each_by_its_number_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
