/* Vaults on one loop, over real ipc links: copies go from one to another, and
 * come back. Whoever misbehaves is a plain link of the test's own. */
#include "worker/shell/vault.h"

#include "base/checksum.h"
#include "base/clock.h"
#include "base/mem.h"
#include "worker/shell/courier.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { VAULTS = 2, KEPT_MAX = 64, WAIT_MS = 5000, TERM = 4 };

struct place {
    struct vault *vault;
    struct wire_peer peer;
    bool expects;
    uint64_t bytes_max;
    uint32_t kept_count;
    struct wire_kept kept[KEPT_MAX];
};

struct fixture {
    char dir[64];
    struct loop *loop;
    struct link_context *context;
    struct place places[VAULTS];
    struct link *stranger; /* to the first vault */
    uint64_t fail_at;      /* of the allocations of a keep; 0: none */
};

static bool on_expects(void *owner, const struct piece_header *header)
{
    const struct place *place = owner;

    return place->expects && header->term == TERM;
}

static void on_kept(void *owner, const struct wire_kept *kept)
{
    struct place *place = owner;

    assert_true(place->kept_count < KEPT_MAX);
    place->kept[place->kept_count++] = *kept;
}

static void open_place(struct fixture *f, uint32_t i)
{
    struct place *place = &f->places[i];
    char endpoint[128];
    struct vault_options options = {.loop = f->loop,
                                    .context = f->context,
                                    .endpoint = endpoint,
                                    .owner = place,
                                    .bytes_max = place->bytes_max,
                                    .expects = on_expects,
                                    .kept = on_kept};

    (void)snprintf(endpoint, sizeof(endpoint), "ipc://%s/%u", f->dir, i);
    place->expects = true;
    assert_int_equal(vault_open(&options, &place->vault), STATUS_OK);
    place->peer.worker = i;
    (void)snprintf(place->peer.vault_endpoint,
                   sizeof(place->peer.vault_endpoint), "%s",
                   vault_endpoint(place->vault));
}

static void connect_stranger(struct fixture *f)
{
    assert_int_equal(
        vaultlink_connect(f->context, NULL, &f->places[0].peer, &f->stranger),
        STATUS_OK);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/cajal-vault-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    assert_int_equal(loop_open(&f->loop), STATUS_OK);
    assert_int_equal(link_context_open(&f->context), STATUS_OK);
    for (uint32_t i = 0; i < VAULTS; i++) {
        open_place(f, i);
    }
    connect_stranger(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    link_close(f->stranger);
    for (uint32_t i = 0; i < VAULTS; i++) {
        vault_close(f->places[i].vault);
    }
    link_context_close(f->context);
    loop_close(f->loop);
    (void)rmdir(f->dir);
    free(f);
    return mem_live() == 0 ? 0 : -1;
}

/* Turns until the condition holds. */
#define TURN_UNTIL(f, condition)                                               \
    do {                                                                       \
        uint64_t end_ms = clock_now_ms() + WAIT_MS;                            \
                                                                               \
        while (!(condition)) {                                                 \
            assert_true(clock_now_ms() < end_ms);                              \
            assert_int_equal(loop_turn((f)->loop, 5), STATUS_OK);              \
        }                                                                      \
    } while (0)

static void turn_a_while(struct fixture *f)
{
    for (int i = 0; i < 20; i++) {
        assert_int_equal(loop_turn(f->loop, 5), STATUS_OK);
    }
}

/* Copies: pieces of these sizes, filled from a seed. */

static struct pieces make_pieces(const size_t *sizes,
                                 uint32_t count,
                                 unsigned seed)
{
    struct pieces pieces = {.evaluations_count = 3};

    for (uint32_t i = 0; i < count; i++) {
        struct part part;

        assert_int_equal(part_init_size(&part, sizes[i]), STATUS_OK);
        for (size_t at = 0; at < sizes[i]; at++) {
            ((unsigned char *)part_data(&part))[at] =
                (unsigned char)(seed + i + at * at / 7);
        }
        assert_int_equal(pieces_add(&pieces, &part), STATUS_OK);
    }
    return pieces;
}

static struct holding_key key_of(uint64_t interval, uint32_t shard)
{
    return (struct holding_key){.job = 1,
                                .term = TERM,
                                .interval = interval,
                                .layer = 1,
                                .shard = shard};
}

static void keep(struct fixture *f,
                 uint64_t interval,
                 uint32_t shard,
                 uint64_t kept)
{
    static const size_t sizes[] = {
        PIECE_BYTES_MAX, PIECE_BYTES_MAX, 70000, 1, 33, PIECE_BYTES_MAX, 4000};
    struct vault_copy copy = {.key = key_of(interval, shard),
                              .kept = kept,
                              .cost_us = 77,
                              .buddy = &f->places[1].peer};
    struct pieces pieces = make_pieces(sizes, 7, (unsigned)interval + shard);

    mem_fail_at(f->fail_at);
    vault_keep(f->places[0].vault, &copy, &pieces);
    pieces_close(&pieces);
}

static void assert_same_pieces(struct pieces *a, struct pieces *b)
{
    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->bytes, b->bytes);
    assert_int_equal(a->evaluations_count, b->evaluations_count);
    for (uint32_t i = 0; i < a->count; i++) {
        size_t size = part_size(&a->items[i].part);

        assert_int_equal(size, part_size(&b->items[i].part));
        assert_memory_equal(part_data(&a->items[i].part),
                            part_data(&b->items[i].part), size);
    }
}

static struct pieces *held(struct fixture *f,
                           uint32_t place,
                           uint64_t interval,
                           uint32_t shard)
{
    struct holding_key key = key_of(interval, shard);

    return vault_find(f->places[place].vault, &key);
}

static void test_vault__a_copy_goes_to_the_buddy(void **state)
{
    struct fixture *f = *state;
    struct vault_bytes bytes;

    keep(f, 5, 0, 0);
    assert_int_equal(f->places[0].kept_count, 1);
    assert_int_equal(f->places[0].kept[0].cost_us, 77);
    TURN_UNTIL(f, f->places[1].kept_count == 1);

    assert_same_pieces(held(f, 0, 5, 0), held(f, 1, 5, 0));
    assert_int_equal(f->places[1].kept[0].job, 1);
    assert_int_equal(f->places[1].kept[0].interval, 5);
    assert_int_equal(f->places[1].kept[0].layer, 1);
    assert_int_equal(f->places[1].kept[0].cost_us, 0);
    bytes = vault_bytes(f->places[0].vault);
    assert_int_equal(bytes.own, 3 * PIECE_BYTES_MAX + 70000 + 1 + 33 + 4000);
    assert_int_equal(bytes.buddies, 0);
    assert_int_equal(vault_bytes(f->places[1].vault).buddies, bytes.own);
}

/* A second reference, not a second copy. */
static void test_vault__shares_the_bytes_it_keeps(void **state)
{
    static const size_t sizes[] = {PIECE_BYTES_MAX};
    struct fixture *f = *state;
    struct vault_copy copy = {.key = key_of(5, 0)};
    struct pieces pieces = make_pieces(sizes, 1, 1);

    vault_keep(f->places[0].vault, &copy, &pieces);

    assert_ptr_equal(part_data(&held(f, 0, 5, 0)->items[0].part),
                     part_data(&pieces.items[0].part));
    pieces_close(&pieces);
}

static void test_vault__two_points_stay_on_both_sides(void **state)
{
    struct fixture *f = *state;

    for (uint64_t n = 0; n < 4; n++) {
        for (uint32_t s = 0; s < 3; s++) {
            keep(f, 10 + n, s, n == 0 ? 0 : 10 + n); /* the one before */
        }
        TURN_UNTIL(f, f->places[1].kept_count == 3 * (n + 1));
    }

    for (uint32_t i = 0; i < VAULTS; i++) {
        for (uint32_t s = 0; s < 3; s++) {
            assert_null(held(f, i, 10, s));
            assert_null(held(f, i, 11, s));
            assert_non_null(held(f, i, 12, s));
        }
    }
    assert_same_pieces(held(f, 0, 13, 2), held(f, 1, 13, 2));
}

/* What is superseded before it is through never arrives. */
static void test_vault__a_copy_may_be_overtaken(void **state)
{
    struct fixture *f = *state;

    keep(f, 5, 0, 0);
    keep(f, 6, 0, 0);
    TURN_UNTIL(f, f->places[1].kept_count == 1);

    assert_null(held(f, 1, 5, 0));
    assert_same_pieces(held(f, 0, 6, 0), held(f, 1, 6, 0));
}

static void test_vault__tells_of_all_copies_again(void **state)
{
    struct fixture *f = *state;

    keep(f, 5, 0, 0);
    keep(f, 5, 1, 0);
    TURN_UNTIL(f, f->places[1].kept_count == 2);
    vault_retell(f->places[0].vault);
    vault_retell(f->places[1].vault);

    assert_int_equal(f->places[0].kept_count, 4);
    assert_int_equal(f->places[0].kept[3].cost_us, 77);
    assert_int_equal(f->places[1].kept_count, 4);
}

static void test_vault__forgets_a_job(void **state)
{
    struct fixture *f = *state;
    struct holdings_rule rule = holdings_on_forget(1);

    keep(f, 5, 0, 0);
    vault_drop(f->places[0].vault, &rule);

    assert_null(held(f, 0, 5, 0));
    assert_int_equal(vault_bytes(f->places[0].vault).own, 0);
}

static void test_vault__takes_nothing_that_it_does_not_expect(void **state)
{
    struct fixture *f = *state;

    f->places[1].expects = false;
    keep(f, 5, 0, 0);
    turn_a_while(f);

    assert_int_equal(f->places[1].kept_count, 0);
    assert_non_null(held(f, 0, 5, 0));
}

/* --- A stranger at the first vault --- */

static struct piece_header put_header(uint32_t index, uint32_t count)
{
    return (struct piece_header){.kind = PIECE_PUT,
                                 .job = 1,
                                 .term = TERM,
                                 .interval = 8,
                                 .layer = 1,
                                 .shard = 2,
                                 .index = index,
                                 .count = count};
}

static struct vaultlink_message ask(struct fixture *f,
                                    const struct piece_header *header,
                                    struct part *bytes)
{
    struct vaultlink_message answer;

    TURN_UNTIL(f,
               vaultlink_send(f->stranger, NULL, header, bytes) == STATUS_OK);
    TURN_UNTIL(f, vaultlink_receive(f->stranger, false, &answer) == STATUS_OK);
    return answer;
}

/* What the vault says to a piece of these bytes. */
static enum status put(struct fixture *f,
                       struct piece_header header,
                       const char *bytes)
{
    struct vaultlink_message answer;
    struct part part;

    assert_int_equal(part_init_copy(&part, bytes, strlen(bytes)), STATUS_OK);
    answer = ask(f, &header, &part);
    part_close(&part);
    assert_int_equal(answer.header.kind, PIECE_STORED);
    assert_int_equal(answer.header.index, header.index);
    vaultlink_close(&answer);
    return (enum status)answer.header.status;
}

static struct piece_header summed(struct piece_header header,
                                  uint64_t seed,
                                  const char *bytes)
{
    header.sum = checksum_bytes(seed, bytes, strlen(bytes));
    return header;
}

static void test_vault__gives_a_copy_piece_by_piece(void **state)
{
    struct fixture *f = *state;
    struct piece_header header = {
        .kind = PIECE_GET, .job = 1, .term = TERM, .interval = 5, .layer = 1};
    uint64_t sum = 0;

    keep(f, 5, 0, 0);
    for (header.index = 0; header.index < 7; header.index++) {
        struct vaultlink_message answer = ask(f, &header, NULL);
        struct part *own = &held(f, 0, 5, 0)->items[header.index].part;

        assert_int_equal(answer.header.kind, PIECE_BYTES);
        assert_int_equal(answer.header.index, header.index);
        assert_int_equal(answer.header.count, 7);
        assert_int_equal(answer.header.evaluations_count, 3);
        assert_int_equal(part_size(&answer.bytes), part_size(own));
        sum = checksum_bytes(sum, part_data(own), part_size(own));
        assert_true(answer.header.sum == sum);
        vaultlink_close(&answer);
    }
}

static void test_vault__says_what_is_missing(void **state)
{
    struct fixture *f = *state;
    struct piece_header header = {
        .kind = PIECE_GET, .job = 1, .term = TERM, .interval = 5, .layer = 1};

    for (int i = 0; i < 3; i++) {
        struct vaultlink_message answer;

        if (i == 1) {
            keep(f, 5, 0, 0);
            header.line = 1; /* another line's */
        } else if (i == 2) {
            header.line = 0;
            header.index = 7; /* behind its end */
        }
        answer = ask(f, &header, NULL);
        assert_int_equal(answer.header.kind, PIECE_MISSING);
        assert_int_equal(part_size(&answer.bytes), 0);
        vaultlink_close(&answer);
    }
}

static void test_vault__refuses_a_damaged_copy(void **state)
{
    struct fixture *f = *state;
    struct piece_header first = summed(put_header(0, 2), 0, "left");
    struct piece_header second = summed(put_header(1, 2), first.sum, "right");

    assert_int_equal(put(f, first, "left"), STATUS_OK);
    assert_int_equal(put(f, second, "light"), STATUS_CORRUPT);
    assert_int_equal(put(f, second, "right"), STATUS_CONFLICT); /* is gone */
    assert_int_equal(f->places[0].kept_count, 0);

    assert_int_equal(put(f, first, "left"), STATUS_OK);
    assert_int_equal(put(f, second, "right"), STATUS_OK);
    assert_int_equal(f->places[0].kept_count, 1);
}

static void test_vault__takes_no_more_than_it_has_room_for(void **state)
{
    struct fixture *f = *state;
    struct holdings_rule rule = holdings_on_forget(1);
    struct piece_header first = summed(put_header(0, 2), 0, "left");
    struct piece_header second = summed(put_header(1, 2), first.sum, "right");
    struct piece_header more = summed(put_header(0, 1), 0, "m");

    link_close(f->stranger);
    vault_close(f->places[0].vault);
    f->places[0].bytes_max = strlen("leftright");
    open_place(f, 0);
    connect_stranger(f);
    more.shard++;

    assert_int_equal(put(f, first, "left"), STATUS_OK);
    assert_int_equal(put(f, second, "right"), STATUS_OK);
    assert_int_equal(put(f, more, "m"), STATUS_BUSY);
    assert_int_equal(f->places[0].kept_count, 1);

    vault_drop(f->places[0].vault, &rule);
    assert_int_equal(put(f, more, "m"), STATUS_OK);
}

static void test_vault__wants_the_pieces_in_order(void **state)
{
    struct fixture *f = *state;
    struct piece_header first = summed(put_header(0, 3), 0, "a");
    struct piece_header third = summed(put_header(2, 3), first.sum, "c");
    struct piece_header other = summed(put_header(1, 2), first.sum, "b");

    assert_int_equal(put(f, summed(put_header(1, 3), 0, "b"), "b"),
                     STATUS_CONFLICT);
    assert_int_equal(put(f, first, "a"), STATUS_OK);
    assert_int_equal(put(f, third, "c"), STATUS_CONFLICT);
    assert_int_equal(put(f, first, "a"), STATUS_OK);
    assert_int_equal(put(f, other, "b"), STATUS_CONFLICT); /* shorter now */
    assert_int_equal(f->places[0].kept_count, 0);
}

static void test_vault__fences_an_older_term(void **state)
{
    struct fixture *f = *state;
    struct piece_header header = summed(put_header(0, 1), 0, "a");

    header.term = TERM - 1;
    assert_int_equal(put(f, header, "a"), STATUS_STALE);
    assert_int_equal(f->places[0].kept_count, 0);
}

/* Half a copy, and its sender dies; others are served, and half copies are
 * few. */
static void test_vault__outlives_a_peer_that_dies_in_the_middle(void **state)
{
    struct fixture *f = *state;
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < 2 * VAULT_INCOMING_MAX; i++) {
        struct piece_header header = put_header(0, 2);

        header.shard = i;
        assert_int_equal(put(f, summed(header, 0, "half"), "half"), STATUS_OK);
    }
    link_close(f->stranger);
    f->stranger = NULL;
    keep(f, 9, 0, 0); /* and drops what nobody will complete */
    TURN_UNTIL(f, f->places[1].kept_count == 1);
    bytes = vault_bytes(f->places[0].vault).buddies;

    assert_int_equal(bytes, 0);
    assert_same_pieces(held(f, 0, 9, 0), held(f, 1, 9, 0));
}

/* The buddy dies and another vault comes to its endpoint. */
static void test_vault__brings_the_copy_to_a_buddy_that_comes_later(
    void **state)
{
    struct fixture *f = *state;
    struct vault *late = NULL;

    vault_close(f->places[1].vault);
    f->places[1].vault = NULL;
    keep(f, 5, 0, 0);
    turn_a_while(f);
    open_place(f, 1);
    late = f->places[1].vault;
    TURN_UNTIL(f, f->places[1].kept_count == 1);

    assert_non_null(late);
    assert_same_pieces(held(f, 0, 5, 0), held(f, 1, 5, 0));
}

static void test_vault__bears_messages_that_are_none(void **state)
{
    struct fixture *f = *state;
    struct piece_header header = put_header(0, 1);
    unsigned char packed[PIECE_HEADER_BYTES];
    struct part parts[2];

    piece_header_encode(&header, packed);
    for (size_t count = 1; count <= 2; count++) {
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(
                part_init_copy(&parts[i], packed, sizeof(packed) - (i == 0)),
                STATUS_OK);
        }
        TURN_UNTIL(f, link_send(f->stranger, parts, count) == STATUS_OK);
        turn_a_while(f);
    }

    /* Its connection may end for that; the next one is served. */
    link_close(f->stranger);
    connect_stranger(f);
    assert_int_equal(put(f, summed(header, 0, "a"), "a"), STATUS_OK);
}

/* Any allocation that fails costs a copy, and nothing else. */
static void test_vault__goes_on_without_memory(void **state)
{
    struct fixture *f = *state;
    bool held_once = false;

    for (uint64_t n = 1; n < 12; n++) {
        f->fail_at = n;
        keep(f, 20 + n, 0, 0);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(loop_turn(f->loop, 1), STATUS_OK);
        }
        mem_fail_at(0);
        held_once = held_once || held(f, 0, 20 + n, 0) != NULL;
    }
    assert_true(held_once);
    f->fail_at = 0;
    keep(f, 50, 0, 0);
    TURN_UNTIL(f, held(f, 1, 50, 0) != NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_vault__a_copy_goes_to_the_buddy),
        TEST(test_vault__shares_the_bytes_it_keeps),
        TEST(test_vault__two_points_stay_on_both_sides),
        TEST(test_vault__a_copy_may_be_overtaken),
        TEST(test_vault__tells_of_all_copies_again),
        TEST(test_vault__forgets_a_job),
        TEST(test_vault__takes_nothing_that_it_does_not_expect),
        TEST(test_vault__gives_a_copy_piece_by_piece),
        TEST(test_vault__says_what_is_missing),
        TEST(test_vault__refuses_a_damaged_copy),
        TEST(test_vault__takes_no_more_than_it_has_room_for),
        TEST(test_vault__wants_the_pieces_in_order),
        TEST(test_vault__fences_an_older_term),
        TEST(test_vault__outlives_a_peer_that_dies_in_the_middle),
        TEST(test_vault__brings_the_copy_to_a_buddy_that_comes_later),
        TEST(test_vault__bears_messages_that_are_none),
        TEST(test_vault__goes_on_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
