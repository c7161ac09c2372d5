#include "worker/shell/pieces.h"

#include "base/checksum.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { INPUTS = 784, UNITS = 700, CLASSES = 10 };

struct fixture {
    struct job_spec spec;
    struct arch arch;
    void *memory;
    struct shard *shard;  /* of 700 x 784 weights: more than two pieces */
    struct shard *output; /* of 10 x 700 */
    uint64_t live;
};

static struct fixture fixture;

static struct shard *open_shard(struct fixture *f, uint32_t layer)
{
    struct shard_place place = {
        .spec = &f->spec, .arch = &f->arch, .layer = layer, .shard = 0};
    struct shard *shard = NULL;

    assert_int_equal(shard_open(&place, &shard), STATUS_OK);
    return shard;
}

static int set_up(void **state)
{
    struct fixture *f = &fixture;

    job_defaults(&f->spec);
    f->spec.model.hidden_count = 1;
    f->spec.model.hidden[0] = (struct layer_spec){UNITS, ACTIVATION_RELU};
    f->spec.train.optimizer.momentum = 0.9;
    f->memory = mem_new(arch_memory_bytes(&f->spec, CLASSES));
    assert_non_null(f->memory);
    arch_lay_out(&f->arch, &f->spec, CLASSES, f->memory);
    arch_begin(&f->arch, &f->spec, INPUTS, CLASSES, f->memory);
    f->shard = open_shard(f, 0);
    f->output = open_shard(f, 1);
    f->live = mem_live();
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    bool leaked = mem_live() != f->live;

    shard_close(f->output);
    shard_close(f->shard);
    mem_free(f->memory);
    return leaked ? -1 : 0;
}

static void assert_same(struct pieces *a, struct pieces *b)
{
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->bytes, b->bytes);
    for (uint32_t i = 0; i < a->count; i++) {
        size_t size = part_size(&a->items[i].part);

        assert_int_equal(size, part_size(&b->items[i].part));
        assert_memory_equal(part_data(&a->items[i].part),
                            part_data(&b->items[i].part), size);
    }
}

/* One after the other, the pieces are the tensors. */
static void test_pieces__hold_what_the_tensors_are(void **state)
{
    struct fixture *f = *state;
    struct tensor tensors[SHARD_TENSORS_MAX];
    uint32_t count = shard_tensors(f->shard, tensors);
    struct pieces pieces;
    uint32_t at = 0;

    assert_int_equal(pieces_save(f->shard, &pieces), STATUS_OK);
    for (uint32_t i = 0; i < count; i++) {
        unsigned char *whole = mem_new(tensors[i].bytes);
        size_t offset = 0;

        assert_non_null(whole);
        shard_save(f->shard, i, whole);
        while (offset < tensors[i].bytes) {
            struct part *part = &pieces.items[at++].part;
            size_t left = tensors[i].bytes - offset;

            assert_int_equal(part_size(part),
                             left < CHUNK_BYTES_MAX ? left : CHUNK_BYTES_MAX);
            assert_memory_equal(part_data(part), whole + offset,
                                part_size(part));
            offset += part_size(part);
        }
        mem_free(whole);
    }

    assert_int_equal(at, pieces.count);
    assert_true(tensors[0].bytes > 2 * CHUNK_BYTES_MAX);
    pieces_close(&pieces);
}

static void test_pieces__load_what_they_have_saved(void **state)
{
    struct fixture *f = *state;
    struct shard *other = NULL;
    struct pieces before;
    struct pieces after;

    assert_int_equal(pieces_save(f->shard, &before), STATUS_OK);
    f->spec.seed++;
    other = open_shard(f, 0);
    f->spec.seed--;
    assert_int_equal(pieces_load(&before, other), STATUS_OK);
    assert_int_equal(pieces_save(other, &after), STATUS_OK);

    assert_same(&before, &after);
    pieces_close(&after);
    pieces_close(&before);
    shard_close(other);
}

static void test_pieces__refuse_a_shard_of_another_shape(void **state)
{
    struct fixture *f = *state;
    struct pieces pieces;

    assert_int_equal(pieces_save(f->shard, &pieces), STATUS_OK);
    assert_int_equal(pieces_load(&pieces, f->output), STATUS_CORRUPT);

    /* And too few, or none at all. */
    pieces.count--;
    assert_int_equal(pieces_load(&pieces, f->shard), STATUS_CORRUPT);
    pieces.count++;
    pieces_close(&pieces);
    assert_int_equal(pieces_load(&pieces, f->shard), STATUS_CORRUPT);
}

static void test_pieces__share_their_bytes(void **state)
{
    struct fixture *f = *state;
    struct pieces pieces;
    struct pieces shared;

    assert_int_equal(pieces_save(f->shard, &pieces), STATUS_OK);
    assert_int_equal(pieces_share(&pieces, &shared), STATUS_OK);
    assert_ptr_equal(part_data(&shared.items[0].part),
                     part_data(&pieces.items[0].part));
    pieces_close(&pieces);

    assert_int_equal(pieces_load(&shared, f->shard), STATUS_OK);
    pieces_close(&shared);
}

static void test_pieces__sum_up_from_the_first_on(void **state)
{
    struct fixture *f = *state;
    struct pieces pieces;
    uint64_t sum = 0;

    assert_int_equal(pieces_save(f->shard, &pieces), STATUS_OK);
    for (uint32_t i = 0; i < pieces.count; i++) {
        sum = checksum_bytes(sum, part_data(&pieces.items[i].part),
                             part_size(&pieces.items[i].part));
    }

    assert_true(pieces_sum(&pieces, pieces.count - 1) == sum);
    assert_true(pieces_sum(&pieces, 0) != sum);
    pieces_close(&pieces);
}

static void test_pieces__say_so_when_any_allocation_fails(void **state)
{
    struct fixture *f = *state;
    struct pieces pieces;
    struct pieces shared;
    enum status status = STATUS_NO_MEMORY;
    uint64_t n = 0;

    while (status == STATUS_NO_MEMORY) {
        mem_fail_at(++n);
        status = pieces_save(f->shard, &pieces);
        assert_true(status == STATUS_OK || mem_live() == f->live);
    }
    assert_true(n > 1);
    mem_fail_at(1);
    assert_int_equal(pieces_share(&pieces, &shared), STATUS_NO_MEMORY);
    mem_fail_at(0);
    assert_int_equal(shared.count, 0);
    pieces_close(&pieces);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pieces__hold_what_the_tensors_are),
        TEST(test_pieces__load_what_they_have_saved),
        TEST(test_pieces__refuse_a_shard_of_another_shape),
        TEST(test_pieces__share_their_bytes),
        TEST(test_pieces__sum_up_from_the_first_on),
        TEST(test_pieces__say_so_when_any_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
