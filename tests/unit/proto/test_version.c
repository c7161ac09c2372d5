#include "proto/version.h"

#include "proto/codec.h"
#include "proto/cajal/v1/model.pb-c.h"
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

struct fixture {
    struct sample sample;
    unsigned char *bytes; /* of sample.version */
    size_t size;
    uint64_t live; /* blocks before the test */
};

static int set_up(void **state)
{
    struct fixture *fixture = mem_new(sizeof(*fixture));

    assert_non_null(fixture);
    sample_init(&fixture->sample);
    assert_int_equal(version_encode(&fixture->sample.version, &fixture->bytes,
                                    &fixture->size),
                     STATUS_OK);
    fixture->live = mem_live();
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    bool leaked = mem_live() != fixture->live;

    mem_fail_at(0);
    mem_free(fixture->bytes);
    mem_free(fixture);
    return leaked ? -1 : 0;
}

static void test_version__comes_back_as_it_was(void **state)
{
    struct fixture *fixture = *state;
    struct version *version = NULL;

    assert_int_equal(version_decode(fixture->bytes, fixture->size, &version),
                     STATUS_OK);

    assert_same_version(&fixture->sample.version, version);
    version_free(version);
}

static void test_version__is_the_same_bytes_each_time(void **state)
{
    struct fixture *fixture = *state;
    struct version *version = NULL;
    unsigned char *again = NULL;
    size_t size = 0;

    assert_int_equal(version_decode(fixture->bytes, fixture->size, &version),
                     STATUS_OK);
    assert_int_equal(version_encode(version, &again, &size), STATUS_OK);

    assert_int_equal(size, fixture->size);
    assert_memory_equal(again, fixture->bytes, size);
    mem_free(again);
    version_free(version);
}

static void test_version__begins_with_these_bytes(void **state)
{
    /* job 2, number 9, line 3, interval 20, step 200, task 1, position 160,
     * cause 4, parents 8 and 5, wall_ms, reason. */
    static const unsigned char golden[] =
        "\x08\x02\x10\x09\x18\x03\x20\x14\x28\xc8\x01\x30\x01\x38\xa0\x01"
        "\x40\x04\x4a\x02\x08\x05\x50\xfb\xd0\x95\xff\xbc\x31"
        "\x5a\x10grow hidden1 +16";
    struct fixture *fixture = *state;

    assert_memory_equal(fixture->bytes, golden, sizeof(golden) - 1);
    /* And ends with `whole`. */
    assert_memory_equal(fixture->bytes + fixture->size - 3, "\xa0\x01\x01", 3);
}

static void test_version__may_lack_grants_policy_and_shards(void **state)
{
    struct fixture *fixture = *state;
    struct version version = fixture->sample.version;
    struct version *decoded = NULL;
    unsigned char *bytes = NULL;
    size_t size = 0;

    version.begun = NULL;
    version.pending = NULL;
    version.policy = NULL;
    version.policy_bytes = 0;
    version.shards = NULL;
    version.shards_count = 0;
    version.parents_count = 0;
    assert_int_equal(version_encode(&version, &bytes, &size), STATUS_OK);
    assert_int_equal(version_decode(bytes, size, &decoded), STATUS_OK);

    assert_null(decoded->begun);
    assert_null(decoded->pending);
    assert_null(decoded->policy);
    assert_null(decoded->shards);
    assert_int_equal(decoded->parents_count, 0);
    assert_same_arch(version.arch, decoded->arch);
    version_free(decoded);
    mem_free(bytes);
}

static void test_version__cut_short_anywhere_is_corrupt(void **state)
{
    struct fixture *fixture = *state;

    for (size_t cut = 0; cut < fixture->size; cut++) {
        struct version *version = NULL;

        assert_int_equal(version_decode(fixture->bytes, cut, &version),
                         STATUS_CORRUPT);
        assert_null(version);
    }
}

/* What decodes has valid ranges: else it could not be encoded. */
static void assert_corrupt_or_valid(const unsigned char *bytes, size_t size)
{
    struct version *version = NULL;
    unsigned char *again = NULL;
    size_t again_size = 0;
    enum status status = version_decode(bytes, size, &version);

    if (status != STATUS_OK) {
        assert_int_equal(status, STATUS_CORRUPT);
        assert_null(version);
        return;
    }
    assert_int_equal(version_encode(version, &again, &again_size), STATUS_OK);
    mem_free(again);
    version_free(version);
}

static void test_version__survives_every_flipped_byte(void **state)
{
    static const unsigned char flips[] = {0x01, 0x02, 0x04, 0x08, 0x10,
                                          0x20, 0x40, 0x80, 0x7f, 0xff};
    struct fixture *fixture = *state;

    for (size_t at = 0; at < fixture->size; at++) {
        for (size_t i = 0; i < sizeof(flips); i++) {
            fixture->bytes[at] ^= flips[i];
            assert_corrupt_or_valid(fixture->bytes, fixture->size);
            fixture->bytes[at] ^= flips[i];
        }
    }
}

static void test_version__says_so_when_any_allocation_fails(void **state)
{
    struct fixture *fixture = *state;
    struct version *version = NULL;
    unsigned char *bytes = NULL;
    size_t size = 0;
    uint64_t live = 0;
    uint64_t n = 0;
    enum status status = STATUS_NO_MEMORY;

    while (status == STATUS_NO_MEMORY) {
        mem_fail_at(++n);
        status = version_decode(fixture->bytes, fixture->size, &version);
        assert_true(status == STATUS_OK || mem_live() == fixture->live);
    }
    mem_fail_at(0);
    assert_int_equal(status, STATUS_OK);
    assert_true(n > 10);

    n = 0;
    status = STATUS_NO_MEMORY;
    live = mem_live();
    while (status == STATUS_NO_MEMORY) {
        mem_fail_at(++n);
        status = version_encode(version, &bytes, &size);
        assert_true(status == STATUS_OK || mem_live() == live);
    }
    mem_fail_at(0);
    assert_int_equal(status, STATUS_OK);
    assert_true(n > 1);
    mem_free(bytes);
    version_free(version);
}

static void test_version__of_a_later_release_is_not_half_read(void **state)
{
    struct fixture *fixture = *state;
    struct version *version = NULL;
    unsigned char *longer = mem_new(fixture->size + 3);

    assert_non_null(longer);
    memcpy(longer, fixture->bytes, fixture->size);
    memcpy(longer + fixture->size, "\xa8\x01\x05", 3); /* field 21 */

    assert_int_equal(version_decode(longer, fixture->size + 3, &version),
                     STATUS_CORRUPT);
    mem_free(longer);
}

static void test_version__has_a_largest_size(void **state)
{
    unsigned char *bytes = mem_new((size_t)VERSION_BYTES_MAX + 1);
    struct version *version = NULL;

    (void)state;
    assert_non_null(bytes);

    assert_int_equal(
        version_decode(bytes, (size_t)VERSION_BYTES_MAX + 1, &version),
        STATUS_CORRUPT);
    mem_free(bytes);
}

/* --- What breaks a rule is neither written nor read --- */

typedef void change_fn(struct sample *sample);

#define CHANGE(name, statement)                                                \
    static void change_##name(struct sample *sample)                           \
    {                                                                          \
        statement;                                                             \
    }
CHANGE(no_job, sample->version.job = 0)
CHANGE(no_number, sample->version.number = 0)
CHANGE(many_parents, sample->version.parents_count = VERSION_PARENTS_MAX + 1)
CHANGE(parent_zero, sample->version.parents[1] = 0)
CHANGE(cause_zero, sample->version.cause = 0)
CHANGE(cause_over, sample->version.cause = CAUSE_END + 1)
CHANGE(task_over, sample->version.task = TASKS_MAX + 1)
CHANGE(step_over, sample->version.step = (uint64_t)1 << 48)
CHANGE(position_over, sample->version.position = (uint64_t)1 << 48)
CHANGE(other_interval, sample->version.interval++)
CHANGE(pending_interval, sample->pending.interval++)
CHANGE(policy_over, sample->version.policy_bytes = POLICY_STATE_BYTES_MAX + 1)
CHANGE(one_shard_less, sample->version.shards_count--)
CHANGE(other_layers, sample->spec.model.hidden_count = 2)
CHANGE(no_inputs, sample->arch.inputs = 0)
CHANGE(inputs_over, sample->arch.inputs = UNITS_MAX + 1)
CHANGE(no_layers, sample->arch.layers_count = 0)
CHANGE(layers_over, sample->arch.layers_count = LAYERS_MAX + 1)
CHANGE(births_below_inputs, sample->arch.next_birth = 8)
CHANGE(birth_ahead, sample->units[6].id.birth = 400)
CHANGE(births_over, sample->arch.next_birth = (uint64_t)1 << 48)
CHANGE(activation_zero, sample->arch.layers[0].activation = 0)
CHANGE(activation_over, sample->arch.layers[1].activation = 5)
CHANGE(no_shards, sample->arch.layers[1].shards_count = 0)
CHANGE(shards_over, sample->arch.layers[0].shards_count = SHARDS_MAX + 1)
CHANGE(shard_sum, sample->arch.layers[0].shard_units[1] = 1)
CHANGE(shard_wraps, sample->arch.layers[0].shard_units[1] = UINT32_MAX)
CHANGE(state_over, sample->units[0].state = 2)
CHANGE(mean_nan, sample->units[3].mean = NAN)
CHANGE(mean_inf, sample->units[3].mean = -INFINITY)
CHANGE(fan_in_over, sample->units[3].fan_in = UNITS_MAX + 1)
CHANGE(born_over, sample->units[3].born_step = (uint64_t)1 << 48)
CHANGE(no_steps, sample->begun.steps = 0)
CHANGE(closing_steps, sample->begun.closing = true)
CHANGE(first_step_over, sample->begun.first_step = ((uint64_t)1 << 48) - 5)
CHANGE(grant_task_over, sample->begun.task = TASKS_MAX)
CHANGE(past_the_task, sample->begun.position = 602)
CHANGE(empty_task, sample->begun.task_examples = sample->begun.position = 0)
CHANGE(evaluate_over, sample->begun.evaluate_first = TASKS_MAX - 1)
CHANGE(evaluate_wraps, sample->begun.evaluate_count = UINT32_MAX)
CHANGE(evaluate_many, sample->begun.evaluate_first = 0;
       sample->begun.evaluate_count = EVALUATED_TASKS_MAX + 1)
CHANGE(settings_over, sample->begun.settings_count = GRANT_SETTINGS_MAX + 1)
CHANGE(setting_zero, sample->begun.settings[0].setting = 0)
CHANGE(setting_over, sample->begun.settings[0].setting = 2000)
CHANGE(setting_nan, sample->begun.settings[1].value = NAN)
CHANGE(edits_over, sample->begun.edits_count = GRANT_EDITS_MAX + 1)
CHANGE(units_over, sample->begun.units_count = GRANT_UNITS_MAX + 1)
CHANGE(edit_kind_zero, sample->begun.edits[0].kind = 0)
CHANGE(edit_kind_over, sample->begun.edits[0].kind = EDIT_REMOVE + 1)
CHANGE(edit_layer_over, sample->begun.edits[0].layer = LAYERS_MAX)
CHANGE(edit_policy_over, sample->begun.edits[0].policy = 5)
CHANGE(edit_past_units, sample->begun.edits[1].units_first = 2)
CHANGE(edit_wraps, sample->begun.edits[1].units_first = UINT32_MAX)
CHANGE(edit_too_many, sample->begun.edits[0].units_count = 4)
CHANGE(edit_birth_over, sample->begun.units[0].id.birth = (uint64_t)1 << 48)
CHANGE(renewed_over, sample->begun.units[0].renewed.birth = UINT64_MAX)
CHANGE(edit_shard_over, sample->begun.units[1].shard = SHARDS_MAX)
CHANGE(edit_mean_nan, sample->begun.units[1].mean = NAN)
CHANGE(record_layer, sample->records[1].layer = 1)
CHANGE(record_order, sample->records[1].shard = 2)
CHANGE(tensors_over, sample->records[0].tensors_count = SHARD_TENSORS_MAX + 1)
CHANGE(evaluations_over,
       sample->records[0].evaluations_count = REPORT_EVALUATIONS_MAX / 2 + 1)
CHANGE(tensor_unnamed, sample->records[2].tensors[1].name[0] = '\0')
CHANGE(rows_over, sample->records[0].tensors[0].rows = UNITS_MAX + 1)
CHANGE(columns_over, sample->records[0].tensors[0].columns = UNITS_MAX + 1)
CHANGE(element_zero, sample->records[0].tensors[0].element_bytes = 0)
CHANGE(element_over, sample->records[0].tensors[0].element_bytes = 65)
CHANGE(chunk_missing, sample->records[0].tensors[1].chunks_count = 1)
CHANGE(chunk_left_over, sample->records[0].tensors[0].rows = 0)
CHANGE(chunks_over,
       sample->records[0].tensors[0].chunks_count = TENSOR_CHUNKS_MAX + 1)
#undef CHANGE

static void test_version__that_breaks_a_rule_is_not_written(void **state)
{
    static change_fn *const changes[] = {change_no_job,
                                         change_no_number,
                                         change_many_parents,
                                         change_parent_zero,
                                         change_cause_zero,
                                         change_cause_over,
                                         change_task_over,
                                         change_step_over,
                                         change_position_over,
                                         change_other_interval,
                                         change_pending_interval,
                                         change_policy_over,
                                         change_one_shard_less,
                                         change_other_layers,
                                         change_no_inputs,
                                         change_inputs_over,
                                         change_no_layers,
                                         change_layers_over,
                                         change_births_below_inputs,
                                         change_birth_ahead,
                                         change_births_over,
                                         change_activation_zero,
                                         change_activation_over,
                                         change_no_shards,
                                         change_shards_over,
                                         change_shard_sum,
                                         change_shard_wraps,
                                         change_state_over,
                                         change_mean_nan,
                                         change_mean_inf,
                                         change_fan_in_over,
                                         change_born_over,
                                         change_no_steps,
                                         change_empty_task,
                                         change_evaluate_many,
                                         change_closing_steps,
                                         change_first_step_over,
                                         change_grant_task_over,
                                         change_past_the_task,
                                         change_evaluate_over,
                                         change_evaluate_wraps,
                                         change_settings_over,
                                         change_setting_zero,
                                         change_setting_over,
                                         change_setting_nan,
                                         change_edits_over,
                                         change_units_over,
                                         change_edit_kind_zero,
                                         change_edit_kind_over,
                                         change_edit_layer_over,
                                         change_edit_policy_over,
                                         change_edit_past_units,
                                         change_edit_wraps,
                                         change_edit_too_many,
                                         change_edit_birth_over,
                                         change_renewed_over,
                                         change_edit_shard_over,
                                         change_edit_mean_nan,
                                         change_record_layer,
                                         change_record_order,
                                         change_tensors_over,
                                         change_evaluations_over,
                                         change_tensor_unnamed,
                                         change_rows_over,
                                         change_columns_over,
                                         change_element_zero,
                                         change_element_over,
                                         change_chunk_missing,
                                         change_chunk_left_over,
                                         change_chunks_over};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        unsigned char *bytes = NULL;
        size_t size = 0;

        sample_init(&fixture->sample);
        changes[i](&fixture->sample);
        assert_int_equal(
            version_encode(&fixture->sample.version, &bytes, &size),
            STATUS_INVALID);
        assert_null(bytes);
    }
}

/* The same through protobuf, where a list can be of any length. */
typedef void wreck_fn(Cajal__V1__Version *version);

static uint64_t many_numbers[UNITS_MAX + 1];
static void *many_pointers[UNITS_MAX + 1];
static unsigned char many_bytes[POLICY_STATE_BYTES_MAX + 1];

#define WRECK(name, statements)                                                \
    static void wreck_##name(Cajal__V1__Version *v)                            \
    {                                                                          \
        statements;                                                            \
    }

/* A list that is one message `count` times. */
static void *repeated(void *message, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        many_pointers[i] = message;
    }
    return many_pointers;
}
WRECK(nothing, (void)v)
WRECK(parents, v->parents = many_numbers; v->n_parents = 3)
WRECK(shards, v->shards = repeated(v->shards[0], LAYERS_MAX *SHARDS_MAX + 1);
      v->n_shards = LAYERS_MAX * SHARDS_MAX + 1)
WRECK(no_spec, v->spec.len = 0)
WRECK(no_arch, v->arch = NULL)
WRECK(not_whole, v->whole = false)
WRECK(policy, v->policy.data = many_bytes; v->policy.len = sizeof(many_bytes))
WRECK(layers, v->arch->layers = repeated(v->arch->layers[0], LAYERS_MAX + 1);
      v->arch->n_layers = LAYERS_MAX + 1)
WRECK(shard_units, v->arch->layers[0]->shard_units = (uint32_t *)many_numbers;
      v->arch->layers[0]->n_shard_units = SHARDS_MAX + 1)
WRECK(no_units, v->arch->layers[0]->units = NULL)
WRECK(lines, v->arch->layers[0]->units->n_lines--)
WRECK(births, v->arch->layers[0]->units->n_births--)
WRECK(born_steps, v->arch->layers[0]->units->n_born_steps--)
WRECK(fan_ins, v->arch->layers[0]->units->n_fan_ins--)
WRECK(states, v->arch->layers[0]->units->n_states--)
WRECK(means, v->arch->layers[0]->units->n_means--)
WRECK(state_negative, v->arch->layers[0]->units->states[0] = -1)
WRECK(activation_negative, v->arch->layers[0]->activation = -1)
WRECK(settings, v->begun->settings = repeated(v->begun->settings[0], 9);
      v->begun->n_settings = GRANT_SETTINGS_MAX + 1)
WRECK(edits, v->begun->edits = repeated(v->begun->edits[0], 17);
      v->begun->n_edits = GRANT_EDITS_MAX + 1)
WRECK(units, v->begun->units = repeated(v->begun->units[0], 1025);
      v->begun->n_units = GRANT_UNITS_MAX + 1)
WRECK(edit_negative, v->pending->edits[0]->kind = -1)
WRECK(mean_nan, v->pending->units[0]->mean = NAN)
WRECK(tensors, v->shards[0]->tensors = repeated(v->shards[0]->tensors[0], 13);
      v->shards[0]->n_tensors = SHARD_TENSORS_MAX + 1)
WRECK(chunk_part, v->shards[0]->tensors[0]->chunks.len--)
WRECK(chunks, v->shards[0]->tensors[0]->chunks.data = many_bytes;
      v->shards[0]->tensors[0]->chunks.len = HASH_BYTES *
                                             (TENSOR_CHUNKS_MAX + 1))
WRECK(name_long,
      v->shards[0]->tensors[0]->name = memcpy(many_bytes,
                                              "a name of twenty-four by",
                                              25))
#undef WRECK

static enum status wrecked(const struct fixture *fixture, wreck_fn *wreck)
{
    static const struct codec_schema schema = {
        .descriptor = &cajal__v1__version__descriptor,
        .bytes_max = VERSION_BYTES_MAX};
    struct ProtobufCMessage *message = NULL;
    struct version *version = NULL;
    unsigned char *bytes = NULL;
    struct region region;
    size_t size = 0;
    enum status status = STATUS_OK;

    region_init(&region, CODEC_BUDGET_BYTES);
    assert_int_equal(
        codec_unpack(&schema, fixture->bytes, fixture->size, &region, &message),
        STATUS_OK);
    wreck((Cajal__V1__Version *)message);
    assert_int_equal(codec_pack(message, SIZE_MAX, &bytes, &size), STATUS_OK);
    status = version_decode(bytes, size, &version);
    version_free(version);
    mem_free(bytes);
    region_fini(&region);
    return status;
}

static void test_version__that_breaks_a_rule_is_not_read(void **state)
{
    static wreck_fn *const wrecks[] = {wreck_parents,
                                       wreck_shards,
                                       wreck_no_spec,
                                       wreck_no_arch,
                                       wreck_not_whole,
                                       wreck_policy,
                                       wreck_layers,
                                       wreck_shard_units,
                                       wreck_no_units,
                                       wreck_lines,
                                       wreck_births,
                                       wreck_born_steps,
                                       wreck_fan_ins,
                                       wreck_states,
                                       wreck_means,
                                       wreck_state_negative,
                                       wreck_activation_negative,
                                       wreck_settings,
                                       wreck_edits,
                                       wreck_units,
                                       wreck_edit_negative,
                                       wreck_mean_nan,
                                       wreck_tensors,
                                       wreck_chunk_part,
                                       wreck_chunks,
                                       wreck_name_long};
    struct fixture *fixture = *state;

    assert_int_equal(wrecked(fixture, wreck_nothing), STATUS_OK);
    for (size_t i = 0; i < sizeof(wrecks) / sizeof(wrecks[0]); i++) {
        assert_int_equal(wrecked(fixture, wrecks[i]), STATUS_CORRUPT);
        assert_int_equal(mem_live(), fixture->live);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_version__comes_back_as_it_was),
        TEST(test_version__is_the_same_bytes_each_time),
        TEST(test_version__begins_with_these_bytes),
        TEST(test_version__may_lack_grants_policy_and_shards),
        TEST(test_version__cut_short_anywhere_is_corrupt),
        TEST(test_version__survives_every_flipped_byte),
        TEST(test_version__says_so_when_any_allocation_fails),
        TEST(test_version__of_a_later_release_is_not_half_read),
        TEST(test_version__has_a_largest_size),
        TEST(test_version__that_breaks_a_rule_is_not_written),
        TEST(test_version__that_breaks_a_rule_is_not_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
