/* same.h - asserts that two plain structs hold the same, field by field.
 *
 * Not memcmp: padding may differ, and a failure should name the field. */
#ifndef TESTS_UNIT_PROTO_SAME_H
#define TESTS_UNIT_PROTO_SAME_H

#include "proto/version.h"
#include "proto/wire.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SAME(field) assert_true(a->field == b->field)
#define SAME_BYTES(field)                                                      \
    assert_memory_equal(&a->field, &b->field, sizeof(a->field))

static inline void assert_same_unit_id(struct unit_id a, struct unit_id b)
{
    assert_int_equal(a.line, b.line);
    assert_int_equal(a.birth, b.birth);
}

static inline void assert_same_layer(const struct arch_layer *a,
                                     const struct arch_layer *b)
{
    SAME(activation);
    SAME(shards_count);
    SAME_BYTES(shard_units);
    SAME(units_count);
    SAME(generation);
    assert_int_equal(b->units_max, b->units_count);
    for (uint32_t i = 0; i < a->units_count; i++) {
        assert_same_unit_id(a->units[i].id, b->units[i].id);
        SAME(units[i].born_step);
        SAME(units[i].fan_in);
        SAME(units[i].state);
        SAME(units[i].mean);
    }
}

static inline void assert_same_arch(const struct arch *a, const struct arch *b)
{
    SAME(line);
    SAME(inputs);
    SAME(next_birth);
    SAME(layers_count);
    for (uint32_t i = 0; i < a->layers_count; i++) {
        assert_same_layer(&a->layers[i], &b->layers[i]);
    }
}

static inline void assert_same_edits(const struct grant *a,
                                     const struct grant *b)
{
    SAME(edits_count);
    for (uint32_t i = 0; i < a->edits_count; i++) {
        SAME(edits[i].kind);
        SAME(edits[i].layer);
        SAME(edits[i].policy);
        SAME(edits[i].units_first);
        SAME(edits[i].units_count);
    }
    SAME(units_count);
    for (uint32_t i = 0; i < a->units_count; i++) {
        assert_same_unit_id(a->units[i].id, b->units[i].id);
        assert_same_unit_id(a->units[i].renewed, b->units[i].renewed);
        SAME(units[i].shard);
        SAME(units[i].mean);
    }
}

static inline void assert_same_grant(const struct grant *a,
                                     const struct grant *b)
{
    SAME(term);
    SAME(line);
    SAME(interval);
    SAME(first_step);
    SAME(steps);
    SAME(task);
    SAME(position);
    SAME(task_examples);
    SAME(evaluate_first);
    SAME(evaluate_count);
    SAME(guard);
    SAME(version);
    SAME(hold);
    SAME(closing);
    SAME(resumed);
    SAME(keep);
    SAME(kept);
    SAME(settings_count);
    for (uint32_t i = 0; i < a->settings_count; i++) {
        SAME(settings[i].setting);
        SAME(settings[i].value);
    }
    assert_same_edits(a, b);
}

static inline void assert_same_record(const struct shard_record *a,
                                      const struct shard_record *b)
{
    SAME(layer);
    SAME(shard);
    SAME(tensors_count);
    SAME(evaluations_count);
    for (uint32_t i = 0; i < a->tensors_count; i++) {
        assert_string_equal(a->tensors[i].name, b->tensors[i].name);
        SAME(tensors[i].rows);
        SAME(tensors[i].columns);
        SAME(tensors[i].element_bytes);
        SAME(tensors[i].chunks_count);
        if (a->tensors[i].chunks_count > 0) {
            assert_memory_equal(a->tensors[i].chunks, b->tensors[i].chunks,
                                a->tensors[i].chunks_count * HASH_BYTES);
        }
    }
}

static inline void assert_same_shape(const struct data_shape *a,
                                     const struct data_shape *b)
{
    SAME(inputs);
    SAME(classes);
    SAME(train_examples);
    SAME(guard_examples);
    SAME(evaluate_examples);
    SAME_BYTES(hash);
    SAME(tasks_count);
    SAME_BYTES(task_examples);
}

static inline void assert_same_sums(const struct layer_sums *a,
                                    const struct layer_sums *b)
{
    SAME(units);
    SAME(live);
    SAME(eligible);
    SAME(dormant);
    SAME(examples);
    SAME(h);
    SAME(h_abs);
    SAME(h_square);
    SAME(firings);
    SAME(taylor);
    SAME(weight_abs);
    SAME(weights);
    SAME(utility);
    SAME_BYTES(activity);
    SAME_BYTES(utilities);
}

static inline void assert_same_report(const struct report *a,
                                      const struct report *b)
{
    SAME(term);
    SAME(interval);
    SAME(layer);
    SAME(shard);
    assert_same_sums(&a->sums, &b->sums);
    SAME(candidates_count);
    for (uint32_t i = 0; i < a->candidates_count; i++) {
        assert_same_unit_id(a->candidates[i].id, b->candidates[i].id);
        SAME(candidates[i].age);
        SAME(candidates[i].utility);
        SAME(candidates[i].mean);
    }
    SAME(examples);
    SAME(correct);
    SAME(loss_sum);
    SAME(evaluations_count);
    for (uint32_t i = 0; i < a->evaluations_count; i++) {
        SAME(evaluations[i].set);
        SAME(evaluations[i].task);
        SAME(evaluations[i].examples);
        SAME(evaluations[i].correct);
        SAME(evaluations[i].loss_sum);
    }
    SAME(not_finite);
    SAME(not_finite_step);
}

/* The spec has a test of its own codec; here it must merely have arrived. */
static inline void assert_same_spec(const struct job_spec *a,
                                    const struct job_spec *b)
{
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->data.dir, b->data.dir);
    SAME(seed);
    SAME(model.hidden_count);
    SAME(model.shards);
    SAME(report_every_steps);
}

static inline void assert_same_peers(const struct wire_peer *a,
                                     const struct wire_peer *b,
                                     uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(a[i].worker, b[i].worker);
        assert_string_equal(a[i].endpoint, b[i].endpoint);
        assert_string_equal(a[i].vault_endpoint, b[i].vault_endpoint);
        assert_memory_equal(&a[i].key, &b[i].key, sizeof(a[i].key));
        assert_int_equal(a[i].curve, b[i].curve);
    }
}

static inline void assert_same_assign(const struct wire_assign *a,
                                      const struct wire_assign *b)
{
    SAME(life);
    SAME(job);
    SAME(term);
    SAME(step);
    SAME(total_steps);
    assert_same_spec(a->spec, b->spec);
    assert_same_shape(a->shape, b->shape);
    assert_same_arch(a->arch, b->arch);
    SAME(peers_count);
    assert_same_peers(a->peers, b->peers, a->peers_count);
    SAME(owners_count);
    for (uint32_t i = 0; i < a->owners_count; i++) {
        SAME(owners[i]);
    }
    SAME(records_count);
    for (uint32_t i = 0; i < a->records_count; i++) {
        assert_same_record(&a->records[i], &b->records[i]);
    }
    SAME(from_point);
    SAME(point_line);
    SAME(point_interval);
    SAME(point_term);
    SAME(holders_count);
    assert_same_peers(a->holders, b->holders, a->holders_count);
    SAME(sources_count);
    for (uint32_t i = 0; i < a->sources_count; i++) {
        SAME(sources[i]);
    }
}

static inline void assert_same_version(const struct version *a,
                                       const struct version *b)
{
    SAME(job);
    SAME(number);
    SAME(line);
    SAME(interval);
    SAME(step);
    SAME(task);
    SAME(position);
    SAME(cause);
    SAME(parents_count);
    SAME_BYTES(parents);
    SAME(wall_ms);
    assert_string_equal(a->reason, b->reason);
    SAME(parameters);
    SAME(bytes);
    assert_same_spec(a->spec, b->spec);
    assert_same_arch(a->arch, b->arch);
    assert_same_grant(a->begun, b->begun);
    assert_same_grant(a->pending, b->pending);
    SAME(policy_bytes);
    assert_memory_equal(a->policy, b->policy, a->policy_bytes);
    SAME(shards_count);
    for (uint32_t i = 0; i < a->shards_count; i++) {
        assert_same_record(&a->shards[i], &b->shards[i]);
    }
}

#endif /* TESTS_UNIT_PROTO_SAME_H */
