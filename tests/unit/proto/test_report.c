#include "proto/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static int bin_of(double value)
{
    struct histogram histogram = {0};

    histogram_add(&histogram, value);
    for (int i = 0; i < HISTOGRAM_BINS; i++) {
        if (histogram.count[i] == 1) {
            return i;
        }
    }
    return -1;
}

static void test_report__puts_two_bins_into_an_octave(void **state)
{
    const double root = 0x1.6a09e667f3bcdp+0; /* just above sqrt(2) */

    (void)state;
    assert_int_equal(bin_of(1.0), 48);
    assert_int_equal(bin_of(1.4142135623730949), 48);
    assert_int_equal(bin_of(root), 49);
    assert_int_equal(bin_of(1.9999999), 49);
    assert_int_equal(bin_of(2.0), 50);
    assert_int_equal(bin_of(0.5), 46);
    assert_int_equal(bin_of(0x1p-24), 0);
    assert_int_equal(bin_of(root * 0x1p-24), 1);
}

static void test_report__keeps_what_lies_outside_in_the_end_bins(void **state)
{
    const double infinite = 1e308 * 10;

    (void)state;
    assert_int_equal(bin_of(0), 0);
    assert_int_equal(bin_of(-3), 0);
    assert_int_equal(bin_of(1e-300), 0);
    assert_int_equal(bin_of(5e-324), 0);
    assert_int_equal(bin_of(1e300), HISTOGRAM_BINS - 1);
    assert_int_equal(bin_of(infinite), HISTOGRAM_BINS - 1);
    assert_int_equal(bin_of(infinite - infinite), HISTOGRAM_BINS - 1);
}

static void test_report__is_copied_with_all_that_is_used(void **state)
{
    static struct report from;
    static struct report to;
    uint32_t last = REPORT_CANDIDATES_MAX - 1;

    (void)state;
    memset(&to, 0xff, sizeof(to));
    from.term = 3;
    from.not_finite = true;
    from.not_finite_step = 9;
    from.candidates_count = REPORT_CANDIDATES_MAX;
    from.candidates[last].id.birth = 77;
    from.evaluations_count = 2;
    from.evaluations[1].correct = 5;
    report_copy(&to, &from);

    assert_int_equal(to.term, 3);
    assert_int_equal(to.candidates[last].id.birth, 77);
    assert_int_equal(to.evaluations[1].correct, 5);
    assert_int_equal(report_hash(&to), report_hash(&from));
    from.candidates_count = 1;
    from.evaluations_count = 0;
    report_copy(&to, &from);
    assert_int_equal(report_hash(&to), report_hash(&from));
}

/* Figures whose sum depends on the order, so that the tree itself is seen. */
static double figure(uint32_t s)
{
    return (s % 3 == 0 ? 1e16 : 1.0) / (1 + s);
}

/* The tree by its definition: pairs, then pairs of those. */
static double tree_sum(uint32_t first, uint32_t count)
{
    uint32_t half = 1;

    if (count == 1) {
        return figure(first);
    }
    while (half * 2 < count) {
        half *= 2;
    }
    return tree_sum(first, half) + tree_sum(first + half, count - half);
}

static void test_report__merges_along_the_tree(void **state)
{
    static struct report reports[SHARDS_MAX];
    const struct report *pointers[SHARDS_MAX];
    struct layer_sums sums;

    (void)state;
    for (uint32_t s = 0; s < SHARDS_MAX; s++) {
        reports[s].sums.h = figure(s);
        reports[s].sums.units = 1;
        reports[s].sums.examples = 100;
        reports[s].sums.activity.count[s] = s;
        pointers[s] = &reports[s];
    }
    for (uint32_t count = 1; count <= SHARDS_MAX; count++) {
        report_merge_layer(pointers, count, &sums);
        assert_true(sums.h == tree_sum(0, count));
        assert_int_equal(sums.units, count);
        assert_int_equal(sums.examples, 100);
        assert_int_equal(sums.activity.count[count - 1], count - 1);
    }
}

static void test_report__adds_every_field(void **state)
{
    struct layer_sums a = {.units = 1,
                           .live = 2,
                           .eligible = 3,
                           .dormant = 4,
                           .examples = 5,
                           .h = 6,
                           .h_abs = 7,
                           .h_square = 8,
                           .firings = 9,
                           .taylor = 10,
                           .weight_abs = 11,
                           .weights = 12,
                           .utility = 13};
    struct layer_sums b = a;

    (void)state;
    a.utilities.count[3] = 1;
    b.utilities.count[3] = 2;
    layer_sums_add(&a, &b);

    assert_int_equal(a.units, 2);
    assert_int_equal(a.live, 4);
    assert_int_equal(a.eligible, 6);
    assert_int_equal(a.dormant, 8);
    assert_int_equal(a.examples, 5);
    assert_true(a.h == 12);
    assert_true(a.h_abs == 14);
    assert_true(a.h_square == 16);
    assert_true(a.firings == 18);
    assert_true(a.taylor == 20);
    assert_true(a.weight_abs == 22);
    assert_int_equal(a.weights, 24);
    assert_true(a.utility == 26);
    assert_int_equal(a.utilities.count[3], 3);
}

static void make_full_report(struct report *r)
{
    memset(r, 0, sizeof(*r));
    r->term = 5;
    r->interval = 12;
    r->layer = 1;
    r->shard = 2;
    r->sums.units = 20;
    r->sums.h = 1.5;
    r->candidates_count = 2;
    r->candidates[1].utility = 0.25;
    r->examples = 100;
    r->loss_sum = 30.0;
    r->evaluations_count = 1;
    r->evaluations[0].loss_sum = 3.0;
}

static void test_report__hash_leaves_out_the_term_alone(void **state)
{
    static struct report r;
    static const struct {
        const char *name;
        void *field;
    } fields[] = {
        {"interval", &r.interval},
        {"layer", &r.layer},
        {"shard", &r.shard},
        {"units", &r.sums.units},
        {"live", &r.sums.live},
        {"eligible", &r.sums.eligible},
        {"dormant", &r.sums.dormant},
        {"sums.examples", &r.sums.examples},
        {"h", &r.sums.h},
        {"h_abs", &r.sums.h_abs},
        {"h_square", &r.sums.h_square},
        {"firings", &r.sums.firings},
        {"taylor", &r.sums.taylor},
        {"weight_abs", &r.sums.weight_abs},
        {"weights", &r.sums.weights},
        {"utility", &r.sums.utility},
        {"activity", &r.sums.activity.count[0]},
        {"utilities", &r.sums.utilities.count[HISTOGRAM_BINS - 1]},
        {"candidate", &r.candidates[1].id.birth},
        {"age", &r.candidates[0].age},
        {"candidate's utility", &r.candidates[1].utility},
        {"mean", &r.candidates[0].mean},
        {"examples", &r.examples},
        {"correct", &r.correct},
        {"loss_sum", &r.loss_sum},
        {"set", &r.evaluations[0].set},
        {"evaluation", &r.evaluations[0].loss_sum},
        {"not_finite", &r.not_finite},
        {"not_finite_step", &r.not_finite_step},
    };
    uint64_t hash;

    (void)state;
    make_full_report(&r);
    hash = report_hash(&r);
    r.term = 6;
    assert_true(report_hash(&r) == hash);
    r.candidates[2].age = 7; /* beyond those that count */
    assert_true(report_hash(&r) == hash);
    for (size_t f = 0; f < sizeof(fields) / sizeof(fields[0]); f++) {
        unsigned char *byte = fields[f].field;

        *byte ^= 1;
        if (report_hash(&r) == hash) {
            fail_msg("%s is not in the hash", fields[f].name);
        }
        *byte ^= 1;
    }
    assert_true(report_hash(&r) == hash);
}

static void test_report__hash_of_several_depends_on_their_order(void **state)
{
    (void)state;
    assert_true(report_hash_join(report_hash_join(0, 1), 2) !=
                report_hash_join(report_hash_join(0, 2), 1));
    assert_true(report_hash_join(0, 1) != report_hash_join(0, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_report__puts_two_bins_into_an_octave),
        cmocka_unit_test(test_report__keeps_what_lies_outside_in_the_end_bins),
        cmocka_unit_test(test_report__is_copied_with_all_that_is_used),
        cmocka_unit_test(test_report__merges_along_the_tree),
        cmocka_unit_test(test_report__adds_every_field),
        cmocka_unit_test(test_report__hash_leaves_out_the_term_alone),
        cmocka_unit_test(test_report__hash_of_several_depends_on_their_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
