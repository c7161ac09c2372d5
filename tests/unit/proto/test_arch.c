#include "proto/arch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { INPUTS = 4, OUTPUTS = 3 };

static struct job_spec small_spec(void)
{
    struct job_spec spec = {0};

    spec.model.hidden_count = 2;
    spec.model.hidden[0] = (struct layer_spec){7, ACTIVATION_RELU};
    spec.model.hidden[1] = (struct layer_spec){5, ACTIVATION_TANH};
    spec.model.shards = 3;
    return spec;
}

struct fixture {
    struct job_spec spec;
    struct arch arch;
    struct arch other;
    void *memory;
    void *other_memory;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->spec = small_spec();
    f->memory = calloc(1, arch_memory_bytes(&f->spec, OUTPUTS));
    f->other_memory = calloc(1, arch_memory_bytes(&f->spec, OUTPUTS));
    arch_begin(&f->arch, &f->spec, INPUTS, OUTPUTS, f->memory);
    arch_lay_out(&f->other, &f->spec, OUTPUTS, f->other_memory);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    free(f->memory);
    free(f->other_memory);
    free(f);
    return 0;
}

static struct edit edit_of(enum edit_kind kind, uint32_t layer, uint32_t count)
{
    return (struct edit){.kind = kind, .layer = layer, .units_count = count};
}

static struct edit_unit unit_of(uint64_t birth)
{
    return (struct edit_unit){.id = {.line = 0, .birth = birth}};
}

static void assert_births(const struct arch_layer *layer,
                          const uint64_t *births,
                          uint32_t count)
{
    assert_int_equal(layer->units_count, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(layer->units[i].id.birth, births[i]);
    }
}

static void test_arch__splits_units_evenly_and_counts_births_on(void **state)
{
    struct fixture *f = *state;
    const struct arch_layer *first = &f->arch.layers[0];

    assert_int_equal(f->arch.layers_count, 3);
    assert_int_equal(first->shard_units[0], 3);
    assert_int_equal(first->shard_units[1], 2);
    assert_int_equal(first->shard_units[2], 2);
    assert_int_equal(first->units[0].id.birth, INPUTS);
    assert_int_equal(first->units[0].fan_in, INPUTS);
    assert_int_equal(f->arch.layers[1].units[0].id.birth, INPUTS + 7);
    assert_int_equal(f->arch.layers[1].units[0].fan_in, 7);
    assert_int_equal(f->arch.layers[2].shards_count, 1);
    assert_int_equal(f->arch.layers[2].activation, ACTIVATION_LINEAR);
    assert_int_equal(f->arch.next_birth, INPUTS + 7 + 5 + OUTPUTS);
    assert_int_equal(arch_parameters(&f->arch), 7 * 5 + 5 * 8 + 3 * 6);
}

static void test_arch__has_room_for_what_policies_may_grow(void **state)
{
    struct fixture *f = *state;

    f->spec.roles[ROLE_GROW].count = 1;
    f->spec.roles[ROLE_GROW].policies[0].policy = POLICY_PLATEAU;
    f->spec.roles[ROLE_GROW].policies[0].value[PLATEAU_MAX_UNITS] = 5000;

    assert_int_equal(arch_units_max(&f->spec, 0), 5000);

    f->spec.roles[ROLE_GROW].policies[0].value[PLATEAU_MAX_UNITS] = 1e30;
    assert_int_equal(arch_units_max(&f->spec, 0), UNITS_MAX);
}

static void test_arch__adds_at_the_end_of_the_shard_named(void **state)
{
    struct fixture *f = *state;
    struct edit edit = edit_of(EDIT_ADD, 0, 3);
    struct edit_unit units[] = {unit_of(100), unit_of(101), unit_of(102)};
    const uint64_t births[] = {4, 5, 6, 101, 7, 8, 9, 10, 100, 102};

    units[0].shard = 2;
    units[1].shard = 0;
    units[2].shard = 2;

    assert_int_equal(arch_apply(&f->arch, &edit, units, 50), STATUS_OK);

    assert_births(&f->arch.layers[0], births, 10);
    assert_int_equal(f->arch.layers[0].shard_units[0], 4);
    assert_int_equal(f->arch.layers[0].shard_units[1], 2);
    assert_int_equal(f->arch.layers[0].shard_units[2], 4);
    assert_int_equal(f->arch.layers[0].units[3].born_step, 50);
    assert_int_equal(f->arch.layers[0].units[3].fan_in, INPUTS);
    assert_int_equal(f->arch.layers[0].generation, 1);
    assert_int_equal(f->arch.layers[1].generation, 0);
    assert_int_equal(f->arch.next_birth, 103);
    assert_int_equal(arch_shard_of(&f->arch.layers[0], 3), 0);
    assert_int_equal(arch_shard_of(&f->arch.layers[0], 4), 1);
    assert_int_equal(arch_first_of_shard(&f->arch.layers[0], 2), 6);
    assert_int_equal(arch_smallest_shard(&f->arch.layers[0]), 1);
}

static void test_arch__lesions_heals_and_removes(void **state)
{
    struct fixture *f = *state;
    struct arch_layer *layer = &f->arch.layers[0];
    struct edit lesion = edit_of(EDIT_LESION, 0, 2);
    struct edit heal = edit_of(EDIT_HEAL, 0, 1);
    struct edit remove = edit_of(EDIT_REMOVE, 0, 1);
    struct edit_unit units[] = {unit_of(5), unit_of(9)};
    const uint64_t births[] = {4, 5, 6, 7, 8, 10};

    units[0].mean = 0.5f;
    units[1].mean = 0.25f;
    assert_int_equal(arch_apply(&f->arch, &lesion, units, 1), STATUS_OK);
    assert_int_equal(layer->units[1].state, UNIT_LESIONED);
    assert_true(layer->units[1].mean == 0.5f);
    assert_int_equal(arch_live_units(layer), 5);

    assert_int_equal(arch_apply(&f->arch, &heal, units, 2), STATUS_OK);
    assert_int_equal(layer->units[1].state, UNIT_LIVE);

    assert_int_equal(arch_apply(&f->arch, &remove, units + 1, 3), STATUS_OK);
    assert_births(layer, births, 6);
    assert_int_equal(layer->shard_units[2], 1);
    assert_int_equal(layer->generation, 3);
}

static void test_arch__renews_in_place(void **state)
{
    struct fixture *f = *state;
    struct edit renew = edit_of(EDIT_RENEW, 1, 1);
    struct edit_unit unit = unit_of(12);

    unit.renewed.birth = 200;
    assert_int_equal(arch_apply(&f->arch, &renew, &unit, 9), STATUS_OK);

    assert_int_equal(f->arch.layers[1].units[1].id.birth, 200);
    assert_int_equal(f->arch.layers[1].units[1].born_step, 9);
    assert_int_equal(f->arch.next_birth, 201);
}

static void test_arch__reads_its_units_from_units_first(void **state)
{
    struct fixture *f = *state;
    struct edit lesion = edit_of(EDIT_LESION, 0, 1);
    struct edit_unit units[] = {unit_of(999), unit_of(6)};

    lesion.units_first = 1;
    assert_int_equal(arch_apply(&f->arch, &lesion, units, 1), STATUS_OK);

    assert_int_equal(f->arch.layers[0].units[2].state, UNIT_LESIONED);
}

static void refuse(struct fixture *f,
                   enum edit_kind kind,
                   uint32_t layer,
                   const struct edit_unit *units,
                   uint32_t count)
{
    struct edit edit = edit_of(kind, layer, count);

    arch_copy(&f->other, &f->arch);
    assert_int_equal(arch_apply(&f->arch, &edit, units, 1), STATUS_INVALID);
    assert_int_equal(f->arch.layers[0].generation,
                     f->other.layers[0].generation);
    assert_memory_equal(f->arch.layers[0].units, f->other.layers[0].units,
                        f->arch.layers[0].units_count * sizeof(struct unit));
    assert_memory_equal(f->arch.layers[0].shard_units,
                        f->other.layers[0].shard_units,
                        sizeof(f->arch.layers[0].shard_units));
    assert_int_equal(f->arch.next_birth, f->other.next_birth);
}

static void test_arch__refuses_what_does_not_fit_and_does_nothing(void **state)
{
    struct fixture *f = *state;
    struct edit_unit good = unit_of(5);
    struct edit_unit twice[] = {unit_of(5), unit_of(5)};
    struct edit_unit half[] = {unit_of(5), unit_of(99)};
    struct edit_unit shard = unit_of(100);
    struct edit_unit nan = unit_of(5);
    struct edit_unit taken = unit_of(5);
    static struct edit_unit many[GRANT_UNITS_MAX];

    shard.shard = 3;
    nan.mean = (float)(1e308 * 10 - 1e308 * 10);
    taken.renewed.birth = 6;
    for (uint32_t i = 0; i < GRANT_UNITS_MAX; i++) {
        many[i] = unit_of(1000 + i);
    }

    refuse(f, EDIT_LESION, 2, &good, 1);  /* output layer */
    refuse(f, EDIT_LESION, 99, &good, 1); /* no such layer */
    refuse(f, EDIT_LESION, 0, twice, 2);
    refuse(f, EDIT_LESION, 0, half, 2);
    refuse(f, EDIT_LESION, 0, &nan, 1);
    refuse(f, EDIT_HEAL, 0, &good, 1);   /* not lesioned */
    refuse(f, EDIT_REMOVE, 0, &good, 1); /* not lesioned */
    refuse(f, EDIT_RENEW, 0, &taken, 1);
    refuse(f, EDIT_ADD, 0, &good, 1);              /* is there already */
    refuse(f, EDIT_ADD, 0, &shard, 1);             /* shard out of range */
    refuse(f, EDIT_ADD, 0, many, GRANT_UNITS_MAX); /* no room */
    refuse(f, (enum edit_kind)77, 0, &good, 1);
}

static void test_arch__copies_into_its_own_memory(void **state)
{
    struct fixture *f = *state;

    arch_copy(&f->other, &f->arch);
    f->arch.layers[0].units[0].id.birth = 77;

    assert_int_equal(f->other.layers[0].units[0].id.birth, 4);
    assert_int_equal(f->other.layers[1].units_count, 5);
    assert_ptr_equal(f->other.layers[0].units, f->other_memory);
}

static void test_arch__names_layers(void **state)
{
    struct fixture *f = *state;
    char name[NAME_BYTES_MAX];

    arch_layer_name(&f->arch, 0, name);
    assert_string_equal(name, "hidden1");
    arch_layer_name(&f->arch, 1, name);
    assert_string_equal(name, "hidden2");
    arch_layer_name(&f->arch, 2, name);
    assert_string_equal(name, "output");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_arch__splits_units_evenly_and_counts_births_on),
        CASE(test_arch__has_room_for_what_policies_may_grow),
        CASE(test_arch__adds_at_the_end_of_the_shard_named),
        CASE(test_arch__lesions_heals_and_removes),
        CASE(test_arch__renews_in_place),
        CASE(test_arch__reads_its_units_from_units_first),
        CASE(test_arch__refuses_what_does_not_fit_and_does_nothing),
        CASE(test_arch__copies_into_its_own_memory),
        CASE(test_arch__names_layers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
