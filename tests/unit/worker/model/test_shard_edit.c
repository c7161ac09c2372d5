#include "tests/unit/worker/model/net.h"

#include "base/mem.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { INPUTS = 20, OUTPUTS = 5, ROWS = 32, SHARDS = 3 };

/* An edit that keeps the function changes sums of a few dozen terms below 10
 * by their order alone. */
static const float LOGIT_TOLERANCE = 1e-5f;

struct fixture {
    struct net net;
    float x[ROWS * INPUTS];
    uint32_t labels[ROWS];
    struct batch batch;
    float before[ROWS * OUTPUTS];
    float after[ROWS * OUTPUTS];
};

/* A net that has trained a little with Adam, so that all slots are in use. */
static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct job_spec spec = net_spec();

    spec.model.hidden_count = 2;
    spec.model.hidden[0] = (struct layer_spec){17, ACTIVATION_RELU};
    spec.model.hidden[1] = (struct layer_spec){13, ACTIVATION_TANH};
    spec.model.shards = SHARDS;
    spec.train.optimizer.kind = OPTIMIZER_ADAM;
    net_draw(5, f->x, ROWS * INPUTS);
    net_draw_labels(5, OUTPUTS, f->labels, ROWS);
    f->batch = (struct batch){ROWS, f->x, f->labels};
    net_open(&f->net, &spec, INPUTS, OUTPUTS);
    net_train(&f->net, 1, 30, 0.01);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    net_close(&f->net);
    free(f);
    return 0;
}

static float logits_moved(struct fixture *f)
{
    net_evaluate(&f->net, &f->batch, f->after);
    return net_distance(f->before, f->after, ROWS * OUTPUTS);
}

/* new_units of births from 1000 on, dealt to the shards in turn from 2. */
static void add(struct net *net,
                uint32_t layer,
                uint32_t count,
                uint64_t first_birth)
{
    struct edit edit = {.kind = EDIT_ADD, .layer = layer, .units_count = count};
    static struct edit_unit units[GRANT_UNITS_MAX];

    for (uint32_t i = 0; i < count; i++) {
        units[i] = (struct edit_unit){.id = {.birth = first_birth + i},
                                      .shard = (2 + i) % SHARDS};
    }
    net_edit(net, &edit, units);
}

static void change(struct net *net,
                   enum edit_kind kind,
                   uint32_t layer,
                   const struct edit_unit *unit)
{
    struct edit edit = {.kind = kind, .layer = layer, .units_count = 1};

    net_edit(net, &edit, unit);
}

static struct edit_unit unit_at(const struct net *net,
                                uint32_t layer,
                                uint32_t index,
                                float mean)
{
    return (struct edit_unit){.id = net->arch.layers[layer].units[index].id,
                              .mean = mean};
}

/* Every unit of old that is still there: its row over the inputs that are
 * still there, and its bias, to the bit. */
static void check_kept(const struct net *now,
                       const struct net *old,
                       uint32_t layer,
                       const char *weight,
                       const char *bias)
{
    const struct arch_layer *a = &now->arch.layers[layer];
    const struct arch_layer *b = &old->arch.layers[layer];
    const struct arch_layer *in =
        layer > 0 ? &now->arch.layers[layer - 1] : NULL;
    uint32_t columns = arch_layer_inputs(&now->arch, layer);
    uint32_t old_columns = arch_layer_inputs(&old->arch, layer);
    float *w = net_tensor(now, layer, weight);
    float *v = net_tensor(old, layer, weight);
    float *biases = net_tensor(now, layer, bias);
    float *old_biases = net_tensor(old, layer, bias);

    for (uint32_t i = 0; i < b->units_count; i++) {
        uint32_t u = arch_find(a, b->units[i].id);

        if (u == UINT32_MAX) {
            continue;
        }
        assert_memory_equal(&biases[u], &old_biases[i], sizeof(float));
        for (uint32_t j = 0; j < old_columns; j++) {
            uint32_t k = j;

            if (in != NULL) {
                k = arch_find(in, old->arch.layers[layer - 1].units[j].id);
            }
            if (k != UINT32_MAX) {
                assert_memory_equal(&w[u * columns + k],
                                    &v[i * old_columns + j], 4);
            }
        }
    }
    free(old_biases);
    free(biases);
    free(v);
    free(w);
}

static void check_all_kept(const struct net *now, const struct net *old)
{
    for (uint32_t l = 0; l < now->arch.layers_count; l++) {
        check_kept(now, old, l, "weight", "bias");
        check_kept(now, old, l, "weight.m", "bias.m");
        check_kept(now, old, l, "weight.v", "bias.v");
    }
}

static void test_shard_edit__widening_keeps_the_function(void **state)
{
    struct fixture *f = *state;
    struct net old;

    net_evaluate(&f->net, &f->batch, f->before);
    net_copy(&old, &f->net);

    add(&f->net, 0, 40, 1000);
    assert_true(logits_moved(f) <= LOGIT_TOLERANCE);
    check_all_kept(&f->net, &old);

    add(&f->net, 1, 7, 2000);
    assert_true(logits_moved(f) <= LOGIT_TOLERANCE);
    check_all_kept(&f->net, &old);
    net_close(&old);
}

static void test_shard_edit__newborns_have_zero_slots_and_columns(void **state)
{
    struct fixture *f = *state;
    uint32_t columns;
    float *next;
    float *row;
    uint32_t at;

    add(&f->net, 0, 4, 1000);
    at = arch_find(&f->net.arch.layers[0], (struct unit_id){0, 1001});
    columns = f->net.arch.layers[0].units_count;
    next = net_tensor(&f->net, 1, "weight");
    for (uint32_t u = 0; u < f->net.arch.layers[1].units_count; u++) {
        assert_true(next[u * columns + at] == 0);
    }
    free(next);

    row = net_tensor(&f->net, 0, "weight.m");
    for (uint32_t k = 0; k < INPUTS; k++) {
        assert_true(row[at * INPUTS + k] == 0);
    }
    free(row);
    row = net_tensor(&f->net, 0, "weight");
    for (uint32_t k = 0; k < INPUTS; k++) {
        assert_true(row[at * INPUTS + k] != 0);
    }
    free(row);
}

/* The weights of a unit depend on its birth, not on when or where it joins. */
static void test_shard_edit__weights_follow_from_births(void **state)
{
    struct fixture *f = *state;
    struct net other;
    struct edit_unit unit = {.id = {.birth = 1000}, .shard = 1};
    float *a;
    float *b;
    uint32_t at;

    net_copy(&other, &f->net);
    add(&f->net, 0, 3, 999);
    net_train(&other, 1, 5, 0.01);
    change(&other, EDIT_ADD, 0, &unit);

    a = net_tensor(&f->net, 0, "weight");
    b = net_tensor(&other, 0, "weight");
    at = arch_find(&f->net.arch.layers[0], unit.id);
    assert_memory_equal(a + at * INPUTS,
                        b + arch_find(&other.arch.layers[0], unit.id) * INPUTS,
                        INPUTS * sizeof(float));
    free(b);
    free(a);
    net_close(&other);
}

static void test_shard_edit__removal_agrees_with_the_lesion(void **state)
{
    struct fixture *f = *state;
    const uint32_t places[] = {0, 8, 16}; /* first, middle, last */

    for (int i = 2; i >= 0; i--) {
        struct edit_unit unit = unit_at(&f->net, 0, places[i], 0.3f);
        struct net old;

        change(&f->net, EDIT_LESION, 0, &unit);
        net_evaluate(&f->net, &f->batch, f->before);
        net_copy(&old, &f->net);
        unit.mean = 99; /* the frozen mean counts, not the plan's */
        change(&f->net, EDIT_REMOVE, 0, &unit);

        assert_true(logits_moved(f) <= LOGIT_TOLERANCE);
        check_kept(&f->net, &old, 0, "weight", "bias");
        check_kept(&f->net, &old, 1, "weight.m", "bias.m");
        check_kept(&f->net, &old, 1, "weight.v", "bias.v");
        check_kept(&f->net, &old, 2, "weight", "bias");
        net_close(&old);
    }
    net_train(&f->net, 1, 5, 0.01);
}

static void test_shard_edit__removes_many_at_once(void **state)
{
    struct fixture *f = *state;
    struct edit edit = {.kind = EDIT_LESION, .layer = 0, .units_count = 9};
    struct edit_unit units[9];

    for (uint32_t i = 0; i < 9; i++) {
        units[i] = unit_at(&f->net, 0, 16 - i - i / 3, 0.1f * (float)i);
    }
    net_edit(&f->net, &edit, units);
    net_evaluate(&f->net, &f->batch, f->before);
    edit.kind = EDIT_REMOVE;
    net_edit(&f->net, &edit, units);

    assert_true(logits_moved(f) <= LOGIT_TOLERANCE);
    assert_int_equal(f->net.arch.layers[0].units_count, 8);
}

static void test_shard_edit__healing_restores(void **state)
{
    struct fixture *f = *state;
    struct edit_unit unit = unit_at(&f->net, 0, 5, 0.3f);
    struct net old;

    net_evaluate(&f->net, &f->batch, f->before);
    net_copy(&old, &f->net);
    change(&f->net, EDIT_LESION, 0, &unit);
    assert_true(logits_moved(f) > LOGIT_TOLERANCE);
    change(&f->net, EDIT_HEAL, 0, &unit);

    assert_true(logits_moved(f) == 0);
    net_train(&f->net, 1, 5, 0.01);
    net_train(&old, 1, 5, 0.01);
    assert_true(net_same_bits(&f->net, &old));
    net_close(&old);
}

/* The input is such that the unit's activation is its mean: the bias gives
 * from then on exactly what the unit gave. */
static void test_shard_edit__renewal_hands_the_mean_to_the_bias(void **state)
{
    struct fixture *f = *state;
    struct edit_unit unit;
    float h[17];
    struct report reports[SHARDS];
    uint32_t columns = f->net.arch.layers[0].units_count;
    uint32_t at = 0;
    float *next;

    shard_begin(f->net.shards[0][0], PASS_EVALUATE, 0, 1);
    shard_input(f->net.shards[0][0], 0, 1, 0, f->x);
    shard_forward(f->net.shards[0][0], 0, 1, h);
    while (h[at] == 0) {
        at++; /* one of the shard's six fires on this input */
    }
    assert_true(at < shard_units(f->net.shards[0][0]));
    unit = unit_at(&f->net, 0, at, h[at]);
    unit.renewed.birth = 1000;
    f->batch.rows = 1;
    net_evaluate(&f->net, &f->batch, f->before);
    change(&f->net, EDIT_RENEW, 0, &unit);
    net_evaluate(&f->net, &f->batch, f->after);

    assert_true(net_distance(f->before, f->after, OUTPUTS) <= LOGIT_TOLERANCE);
    assert_int_equal(f->net.arch.layers[0].units[at].id.birth, 1000);
    next = net_tensor(&f->net, 1, "weight.v");
    assert_true(next[at] == 0);
    assert_true(next[at + 1] != 0);
    assert_true(next[columns + at] == 0);
    free(next);
    net_train(&f->net, 1, 3, 0.01);
    net_report(&f->net, 0, 3, reports);
    assert_int_equal(reports[0].sums.units, 6);
}

static void test_shard_edit__statistics_follow_their_units(void **state)
{
    struct fixture *f = *state;
    struct edit_unit unit = unit_at(&f->net, 0, 1, 0.3f);
    struct report reports[SHARDS];
    struct candidate kept[2] = {0};

    net_report(&f->net, 0, 30, reports);
    for (uint32_t i = 0; i < reports[0].candidates_count; i++) {
        if (reports[0].candidates[i].id.birth == INPUTS + 2) {
            kept[0] = reports[0].candidates[i];
        }
    }
    change(&f->net, EDIT_LESION, 0, &unit);
    change(&f->net, EDIT_REMOVE, 0, &unit);
    add(&f->net, 0, 40, 1000);
    net_report(&f->net, 0, 0, reports);
    for (uint32_t i = 0; i < reports[0].candidates_count; i++) {
        assert_int_not_equal(reports[0].candidates[i].id.birth, INPUTS + 1);
        if (reports[0].candidates[i].id.birth == INPUTS + 2) {
            kept[1] = reports[0].candidates[i];
        }
    }

    assert_true(kept[0].utility > 0);
    assert_true(kept[0].utility == kept[1].utility);
    assert_true(kept[0].mean == kept[1].mean);
    assert_int_equal(kept[1].age, 30);
}

static void test_shard_edit__refuses_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct edit edit = {.kind = EDIT_LESION, .layer = 0, .units_count = 1};
    struct edit_unit unknown = {.id = {.birth = 77777}};
    struct edit_unit live = unit_at(&f->net, 0, 0, 0);
    struct edit_unit far = {.id = {.birth = 5000}, .shard = SHARDS};
    struct net old;
    struct shard *rows = f->net.shards[0][0];
    struct shard *columns = f->net.shards[1][0];

    net_copy(&old, &f->net);
    assert_int_equal(shard_edit(columns, &edit, &unknown, 1), STATUS_INVALID);
    edit.kind = EDIT_REMOVE;
    assert_int_equal(shard_edit(columns, &edit, &live, 1), STATUS_INVALID);
    assert_int_equal(shard_edit(rows, &edit, &live, 1), STATUS_INVALID);
    edit.kind = EDIT_ADD;
    assert_int_equal(shard_edit(rows, &edit, &live, 1), STATUS_INVALID);
    assert_int_equal(shard_edit(columns, &edit, &live, 1), STATUS_INVALID);
    assert_int_equal(shard_edit(columns, &edit, &far, 1), STATUS_INVALID);
    edit.layer = 2;
    assert_int_equal(shard_edit(f->net.shards[2][0], &edit, &far, 1),
                     STATUS_INVALID);

    assert_true(net_same_bits(&f->net, &old));
    net_close(&old);
}

static void test_shard_edit__survives_every_failed_allocation(void **state)
{
    struct fixture *f = *state;
    struct edit edit = {.kind = EDIT_ADD, .layer = 0, .units_count = 40};
    struct edit_unit units[40];

    for (uint32_t i = 0; i < 40; i++) {
        units[i] = (struct edit_unit){.id = {.birth = 1000 + i}, .shard = 0};
    }
    for (uint32_t l = 0; l < 2; l++) {
        struct shard *shard = f->net.shards[l][0];
        uint64_t live = mem_live();
        enum status status = STATUS_NO_MEMORY;
        uint64_t n = 0;

        while (status == STATUS_NO_MEMORY) {
            mem_fail_at(++n);
            status = shard_edit(shard, &edit, units, 30);
            mem_fail_at(0);
            assert_int_equal(mem_live(), live);
        }
        assert_int_equal(status, STATUS_OK);
        assert_true(n > 1);
    }
}

/* Edits of all kinds, then training: nothing may depend on how the shape came
 * about. A restored copy has exact strides, the edited net has room. */
static void test_shard_edit__history_leaves_no_trace(void **state)
{
    struct fixture *f = *state;
    struct net copy;

    for (uint64_t round = 0; round < 4; round++) {
        struct edit_unit old = unit_at(&f->net, 0, 3, 0.2f);
        struct edit_unit gone = unit_at(&f->net, 1, 4, 0.1f);

        old.renewed.birth = 5000 + round;
        change(&f->net, EDIT_RENEW, 0, &old);
        change(&f->net, EDIT_LESION, 1, &gone);
        add(&f->net, 0, 5, 1000 + 100 * round);
        net_train(&f->net, 1, 5, 0.01);
        change(&f->net, EDIT_REMOVE, 1, &gone);
        add(&f->net, 1, 3, 1050 + 100 * round);
        net_train(&f->net, 1, 5, 0.01);
    }
    net_copy(&copy, &f->net);
    net_train(&f->net, 1, 10, 0.01);
    net_train(&copy, 1, 10, 0.01);

    assert_true(net_same_bits(&f->net, &copy));
    net_close(&copy);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_shard_edit__widening_keeps_the_function),
        CASE(test_shard_edit__newborns_have_zero_slots_and_columns),
        CASE(test_shard_edit__weights_follow_from_births),
        CASE(test_shard_edit__removal_agrees_with_the_lesion),
        CASE(test_shard_edit__removes_many_at_once),
        CASE(test_shard_edit__healing_restores),
        CASE(test_shard_edit__renewal_hands_the_mean_to_the_bias),
        CASE(test_shard_edit__statistics_follow_their_units),
        CASE(test_shard_edit__refuses_and_changes_nothing),
        CASE(test_shard_edit__survives_every_failed_allocation),
        CASE(test_shard_edit__history_leaves_no_trace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
