#include "tests/unit/worker/model/plain.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { INPUTS = 6, OUTPUTS = 4, ROWS = 8, UNITS = 10, STEPS = 12 };

/* Sums over float activations in double, against double activations. */
static const double SUM_TOLERANCE = 1e-5;
static const double DIFFERENCE = 1e-5;
static const double DECAY = 0.9;
static const double MATURITY = 20;

static struct job_spec cbp_spec(void)
{
    struct job_spec spec = net_spec();
    struct policy_spec *renew = &spec.roles[ROLE_RENEW].policies[0];

    spec.model.hidden_count = 2;
    spec.model.hidden[0] = (struct layer_spec){UNITS, ACTIVATION_TANH};
    spec.model.hidden[1] = (struct layer_spec){7, ACTIVATION_RELU};
    spec.roles[ROLE_RENEW].count = 1;
    renew->policy = POLICY_CONTINUAL_BACKPROP;
    renew->value[CBP_MATURITY] = MATURITY;
    renew->value[CBP_DECAY] = DECAY;
    return spec;
}

/* What continual backprop keeps of one unit, as its paper writes it, moved on
 * once an interval. */
struct plain_unit {
    uint64_t birth;
    double age; /* steps */
    double utility;
    double mean;
    double h; /* sums over the interval's examples */
    double h_abs;
    double h_square;
    double firings;
    double taylor;
};

struct plain_interval {
    uint32_t examples;
    struct plain_unit units[UNITS];
};

/* The slope of one example's loss by h, from that by the bias: dL/db = g f'. */
static double slope_by_h(struct plain *plain,
                         const struct batch *one,
                         uint32_t u,
                         double h)
{
    double *bias = &plain->layers[0].bias[u];
    double kept = *bias;
    double above;
    double below;

    *bias = kept + DIFFERENCE;
    above = plain_loss(plain, one);
    *bias = kept - DIFFERENCE;
    below = plain_loss(plain, one);
    *bias = kept;
    return (above - below) / (2 * DIFFERENCE) / (1 - h * h);
}

static void plain_observe(struct plain_interval *interval,
                          const struct net *net,
                          const struct batch *batch)
{
    struct plain plain;
    double h[UNITS];

    plain_open(&plain, net);
    for (uint32_t r = 0; r < batch->rows; r++) {
        struct batch one = {1, batch->x + r * INPUTS, batch->labels + r};

        plain_forward(&plain, 0, one.x, h);
        interval->examples++;
        for (uint32_t u = 0; u < UNITS; u++) {
            struct plain_unit *unit = &interval->units[u];
            double gh = slope_by_h(&plain, &one, u, h[u]) * h[u];

            unit->h += h[u];
            unit->h_abs += fabs(h[u]);
            unit->h_square += h[u] * h[u];
            unit->firings += h[u] > 0;
            unit->taylor += gh * gh;
        }
    }
    plain_close(&plain);
}

static void plain_end(struct plain_interval *interval,
                      const struct net *net,
                      int steps)
{
    struct plain plain;
    double kept = pow(DECAY, steps);

    plain_open(&plain, net);
    for (uint32_t u = 0; u < UNITS; u++) {
        struct plain_unit *unit = &interval->units[u];
        const struct plain_layer *next = &plain.layers[1];
        double outgoing = 0;

        for (uint32_t o = 0; o < next->units; o++) {
            outgoing += fabs(next->weight[o * UNITS + u]);
        }
        unit->age += steps;
        unit->utility = kept * unit->utility + (1 - kept) * unit->h_abs /
                                                   interval->examples *
                                                   outgoing;
        unit->mean =
            kept * unit->mean + (1 - kept) * unit->h / interval->examples;
    }
    plain_close(&plain);
}

/* One interval of the net and of the reference beside it. */
static void run_interval(struct net *net, struct plain_interval *interval)
{
    float x[ROWS * INPUTS];
    uint32_t labels[ROWS];
    struct batch batch = {ROWS, x, labels};

    interval->examples = 0;
    for (uint32_t u = 0; u < UNITS; u++) {
        interval->units[u].h = interval->units[u].h_abs = 0;
        interval->units[u].h_square = interval->units[u].firings = 0;
        interval->units[u].taylor = 0;
    }
    for (int i = 0; i < STEPS; i++) {
        batch.rows = i == STEPS - 1 ? ROWS / 2 : ROWS; /* a task's end */
        net_draw(net->step, x, ROWS * INPUTS);
        net_draw_labels(net->step, OUTPUTS, labels, ROWS);
        plain_observe(interval, net, &batch);
        net_step(net, &batch, 0.05);
    }
    plain_end(interval, net, STEPS);
}

static void near(double a, double b)
{
    if (!(fabs(a - b) <= SUM_TOLERANCE * (1 + fabs(b)))) {
        fail_msg("%.9g is not %.9g", a, b);
    }
}

static void check_sums(const struct layer_sums *sums,
                       const struct plain_interval *interval)
{
    struct plain_unit all = {0};

    for (uint32_t u = 0; u < UNITS; u++) {
        const struct plain_unit *unit = &interval->units[u];

        all.h += unit->h;
        all.h_abs += unit->h_abs;
        all.h_square += unit->h_square;
        all.firings += unit->firings;
        all.taylor += unit->taylor;
        all.utility += unit->utility / (1 - pow(DECAY, unit->age));
    }
    assert_int_equal(sums->examples, interval->examples);
    assert_int_equal(sums->units, UNITS);
    assert_int_equal(sums->live, UNITS);
    near(sums->h, all.h);
    near(sums->h_abs, all.h_abs);
    near(sums->h_square, all.h_square);
    near(sums->firings, all.firings);
    near(sums->taylor, all.taylor);
    near(sums->utility, all.utility);
}

static void check_candidates(const struct report *report,
                             const struct plain_interval *interval)
{
    for (uint32_t i = 0; i < report->candidates_count; i++) {
        const struct candidate *c = &report->candidates[i];
        const struct plain_unit *unit = interval->units;

        while (unit->birth != c->id.birth) {
            unit++;
        }
        near((double)c->age, unit->age);
        near(c->utility, unit->utility / (1 - pow(DECAY, unit->age)));
        near(c->mean, unit->mean / (1 - pow(DECAY, unit->age)));
        if (i > 0) {
            assert_true(c[-1].utility <= c->utility);
        }
    }
}

static void renew(struct net *net, struct plain_interval *interval, uint32_t u)
{
    struct edit edit = {.kind = EDIT_RENEW, .layer = 0, .units_count = 1};
    struct edit_unit unit = {.id = net->arch.layers[0].units[u].id,
                             .renewed = {.birth = 1000}};

    net_edit(net, &edit, &unit);
    interval->units[u] = (struct plain_unit){.birth = 1000};
}

static void test_statistics__agree_with_the_plain_reference(void **state)
{
    struct job_spec spec = cbp_spec();
    struct plain_interval interval = {0};
    struct report report = {0};
    uint32_t expected;
    struct net net;

    (void)state;
    net_open(&net, &spec, INPUTS, OUTPUTS);
    for (uint32_t u = 0; u < UNITS; u++) {
        interval.units[u].birth = INPUTS + u;
    }
    for (int i = 0; i < 5; i++) {
        run_interval(&net, &interval);
        net_report(&net, 0, STEPS, &report);

        check_sums(&report.sums, &interval);
        check_candidates(&report, &interval);
        /* After 12 steps nobody is mature, nor the renewed one after its 12. */
        expected = i == 0 ? 0 : UNITS - (i == 3);
        assert_int_equal(report.candidates_count, expected);
        assert_int_equal(report.sums.eligible, expected);
        if (i == 2) {
            renew(&net, &interval, 4);
        }
    }
    net_close(&net);
}

static void test_statistics__leave_lesioned_units_out(void **state)
{
    struct job_spec spec = cbp_spec();
    struct edit edit = {.kind = EDIT_LESION, .layer = 0, .units_count = 1};
    struct report report = {0};
    struct edit_unit unit;
    struct net net;

    (void)state;
    net_open(&net, &spec, INPUTS, OUTPUTS);
    unit =
        (struct edit_unit){.id = net.arch.layers[0].units[3].id, .mean = 100};
    net_train(&net, 1, 30, 0.05);
    net_report(&net, 0, 30, &report);
    net_edit(&net, &edit, &unit);
    net_train(&net, 1, 10, 0.05);

    net_report(&net, 0, 10, &report);

    assert_int_equal(report.sums.units, UNITS);
    assert_int_equal(report.sums.live, UNITS - 1);
    assert_int_equal(report.candidates_count, UNITS - 1);
    assert_true(report.sums.h_abs < 10 * ROWS * UNITS);
    for (uint32_t i = 0; i < report.candidates_count; i++) {
        assert_false(unit_id_equal(report.candidates[i].id, unit.id));
    }
    net_close(&net);
}

static void test_statistics__count_dormant_units(void **state)
{
    struct job_spec spec = cbp_spec();
    struct report report = {0};
    struct net net;
    float bias[7] = {-100, 0, -100, 0, 0, 0, 0};

    (void)state;
    net_open(&net, &spec, INPUTS, OUTPUTS);
    net_set_tensor(&net, 1, "bias", bias);
    net_train(&net, 1, 5, 0.01);

    net_report(&net, 1, 5, &report);

    assert_true(report.sums.dormant >= 2);
    assert_int_equal(report.sums.activity.count[0], report.sums.dormant);
    assert_int_equal(report.sums.weights, 7 * UNITS);
    net_close(&net);
}

/* 100 units, all with utility 0: the first 64 births. */
static void test_statistics__ties_go_to_the_older_birth(void **state)
{
    struct job_spec spec = cbp_spec();
    struct report report = {0};
    struct net net;

    (void)state;
    spec.model.hidden[0].units = 100;
    spec.roles[ROLE_RENEW].count = 0;
    net_open(&net, &spec, INPUTS, OUTPUTS);
    net_train(&net, 1, 1, 0.01);
    shard_report(net.shards[0][0], 0, NULL, &report);

    assert_int_equal(report.candidates_count, REPORT_CANDIDATES_MAX);
    for (uint32_t i = 0; i < REPORT_CANDIDATES_MAX; i++) {
        assert_int_equal(report.candidates[i].id.birth, INPUTS + i);
    }
    net_close(&net);
}

static void test_statistics__output_layer_reports_the_loss(void **state)
{
    struct job_spec spec = cbp_spec();
    struct report report = {.term = 5, .interval = 9};
    struct net net;

    (void)state;
    net_open(&net, &spec, INPUTS, OUTPUTS);
    net_train(&net, 1, 10, 0.01);

    net_report(&net, 2, 10, &report);

    assert_int_equal(report.term, 5);
    assert_int_equal(report.interval, 9);
    assert_int_equal(report.layer, 2);
    assert_int_equal(report.examples, 10 * ROWS);
    assert_true(report.loss_sum > 0);
    assert_true(report.correct <= report.examples);
    assert_int_equal(report.candidates_count, 0);
    assert_false(report.not_finite);
    net_report(&net, 2, 0, &report);
    assert_int_equal(report.examples, 0);
    net_close(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statistics__agree_with_the_plain_reference),
        cmocka_unit_test(test_statistics__leave_lesioned_units_out),
        cmocka_unit_test(test_statistics__count_dormant_units),
        cmocka_unit_test(test_statistics__ties_go_to_the_older_birth),
        cmocka_unit_test(test_statistics__output_layer_reports_the_loss),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
