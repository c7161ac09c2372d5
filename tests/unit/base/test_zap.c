#include "base/zap.h"

#include "base/check.h"
#include "base/mem.h"
#include "tests/unit/base/curvepairs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TRIES_MAX = 5000, /* of a millisecond each */
    HANDSHAKE_MS = 100,
    /* A stranger has tried this often: nothing more will come. */
    REFUSALS_SEEN = 3,
    BOUND = 0, /* the pair of who binds; others connect */
    KNOWN = 1,
    OTHER = 2,
    LATER = 3
};

struct world {
    struct loop *loop;
    struct link_context *context;
    struct zap *zap;
    struct link *router;
    struct link *dealer;
    struct curvekey_pair pairs[CURVEPAIRS];
    bool known[CURVEPAIRS];
    int asked;
};

static void check_to_cmocka(const char *file, int line, const char *condition)
{
    mock_assert(0, condition, file, line);
}

static bool is_known(void *owner,
                     const char *domain,
                     const struct curvekey *key)
{
    struct world *w = owner;

    assert_string_equal(domain, "test");
    w->asked++;
    for (int i = 0; i < CURVEPAIRS; i++) {
        if (w->known[i] && curvekey_equal(key, &w->pairs[i].shown)) {
            return true;
        }
    }
    return false;
}

static int open_world(void **state)
{
    static struct world w;
    struct link_options options = {.kind = LINK_ROUTER,
                                   .part_bytes_max = 1000,
                                   .handshake_ms = HANDSHAKE_MS,
                                   .locked = true,
                                   .domain = "test",
                                   .keys = &w.pairs[BOUND]};

    w = (struct world){.known = {[KNOWN] = true, [OTHER] = true}};
    for (int i = 0; i < CURVEPAIRS; i++) {
        assert_true(curvepair(i, &w.pairs[i]));
    }
    assert_int_equal(loop_open(&w.loop), STATUS_OK);
    assert_int_equal(link_context_open(&w.context), STATUS_OK);
    assert_int_equal(zap_open(w.loop, w.context, is_known, &w, &w.zap),
                     STATUS_OK);
    assert_int_equal(
        link_bind(w.context, &options, "tcp://127.0.0.1:*", &w.router),
        STATUS_OK);
    *state = &w;
    return 0;
}

static int close_world(void **state)
{
    struct world *w = *state;

    link_close(w->dealer);
    link_close(w->router);
    zap_close(w->zap);
    link_context_close(w->context);
    loop_close(w->loop);
    return mem_live() == 0 ? 0 : -1;
}

static void connect_as(struct world *w, int pair, int far, const char *id)
{
    const struct link_options options = {.kind = LINK_DEALER,
                                         .part_bytes_max = 1000,
                                         .routing_id = id,
                                         .keys = &w->pairs[pair],
                                         .far_key = &w->pairs[far].shown};

    assert_int_equal(link_connect(w->context, &options,
                                  link_endpoint(w->router), &w->dealer),
                     STATUS_OK);
}

static bool send_text(struct world *w, struct link *link, const char *text)
{
    struct part part;

    assert_int_equal(part_init_copy(&part, text, strlen(text)), STATUS_OK);
    for (int i = 0; i < TRIES_MAX; i++) {
        if (link_send(link, &part, 1) == STATUS_OK) {
            return true;
        }
        if (zap_refused(w->zap) >= REFUSALS_SEEN) {
            break;
        }
        assert_int_equal(loop_turn(w->loop, 1), STATUS_OK);
    }
    part_close(&part);
    return false;
}

/* The body's sender and connection. */
static bool receive(struct world *w, struct curvekey *out_key, int *out_fd)
{
    for (int i = 0; i < TRIES_MAX; i++) {
        struct part parts[2];
        size_t count = 0;

        if (link_receive(w->router, parts, 2, &count) == STATUS_OK) {
            assert_int_equal(count, 2);
            assert_true(part_sender(&parts[1], out_key));
            *out_fd = link_connection(&parts[1]);
            part_close(&parts[0]);
            part_close(&parts[1]);
            return true;
        }
        assert_int_equal(loop_turn(w->loop, 1), STATUS_OK);
    }
    return false;
}

static void test_zap__lets_a_known_key_in_and_tells_whose_it_is(void **state)
{
    struct world *w = *state;
    struct curvekey key;
    int fd = -1;

    connect_as(w, KNOWN, BOUND, NULL);
    assert_true(send_text(w, w->dealer, "hello"));

    assert_true(receive(w, &key, &fd));
    assert_true(curvekey_equal(&key, &w->pairs[KNOWN].shown));
    assert_true(fd >= 0);
    assert_int_equal(zap_refused(w->zap), 0);
}

static void test_zap__a_routing_id_says_nothing_about_the_key(void **state)
{
    struct world *w = *state;
    struct curvekey key;
    struct link *first = NULL;
    int fd = -1;

    connect_as(w, KNOWN, BOUND, "w1-42");
    assert_true(send_text(w, w->dealer, "mine"));
    assert_true(receive(w, &key, &fd));
    first = w->dealer;
    connect_as(w, OTHER, BOUND, "w1-42");
    assert_true(send_text(w, w->dealer, "theirs"));

    assert_true(receive(w, &key, &fd));
    assert_true(curvekey_equal(&key, &w->pairs[OTHER].shown));
    link_close(first);
}

static void test_zap__refuses_a_key_that_is_not_known(void **state)
{
    struct world *w = *state;

    connect_as(w, LATER, BOUND, NULL);

    assert_false(send_text(w, w->dealer, "hello"));
    assert_true(zap_refused(w->zap) >= REFUSALS_SEEN);
}

static void test_zap__lets_in_by_itself_who_becomes_known_later(void **state)
{
    struct world *w = *state;
    struct curvekey key;
    int fd = -1;

    connect_as(w, LATER, BOUND, NULL);
    for (int i = 0; i < TRIES_MAX && zap_refused(w->zap) == 0; i++) {
        assert_int_equal(loop_turn(w->loop, 1), STATUS_OK);
    }
    assert_int_equal(zap_refused(w->zap), 1);
    w->known[LATER] = true;

    assert_true(send_text(w, w->dealer, "hello"));
    assert_true(receive(w, &key, &fd));
    assert_true(curvekey_equal(&key, &w->pairs[LATER].shown));
}

/* It means to speak to somebody else: its key is not even asked about. */
static void test_zap__who_expects_another_key_does_not_come_in(void **state)
{
    struct world *w = *state;

    connect_as(w, KNOWN, OTHER, NULL);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(loop_turn(w->loop, 1), STATUS_OK);
    }

    assert_int_equal(w->asked, 0);
    assert_false(zap_refused(w->zap) > 0);
}

static void test_zap__a_plain_peer_does_not_come_in(void **state)
{
    struct world *w = *state;
    const struct link_options options = {.kind = LINK_DEALER,
                                         .part_bytes_max = 1000};
    struct part part;

    assert_int_equal(link_connect(w->context, &options,
                                  link_endpoint(w->router), &w->dealer),
                     STATUS_OK);
    part_init_empty(&part);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(link_send(w->dealer, &part, 1), STATUS_BUSY);
        assert_int_equal(loop_turn(w->loop, 1), STATUS_OK);
    }
    part_close(&part);
    assert_int_equal(w->asked, 0);
}

/* Revoked: its connection is ended, and it is asked again. */
static void test_zap__a_peer_that_was_hung_up_on_is_asked_again(void **state)
{
    struct world *w = *state;
    struct curvekey key;
    int fd = -1;

    connect_as(w, KNOWN, BOUND, NULL);
    assert_true(send_text(w, w->dealer, "hello"));
    assert_true(receive(w, &key, &fd));
    w->known[KNOWN] = false;

    link_hang_up(w->router, fd);

    for (int i = 0; i < TRIES_MAX && zap_refused(w->zap) == 0; i++) {
        assert_int_equal(loop_turn(w->loop, 1), STATUS_OK);
    }
    assert_int_equal(zap_refused(w->zap), 1);
}

static void test_zap__hangs_up_on_connections_of_the_link_alone(void **state)
{
    struct world *w = *state;
    const struct link_options options = {.kind = LINK_ROUTER,
                                         .part_bytes_max = 1000};
    struct curvekey key;
    struct link *other = NULL;
    int pipes[2];
    int fd = -1;

    assert_int_equal(
        link_bind(w->context, &options, "tcp://127.0.0.1:*", &other),
        STATUS_OK);
    connect_as(w, KNOWN, BOUND, NULL);
    assert_true(send_text(w, w->dealer, "hello"));
    assert_true(receive(w, &key, &fd));
    assert_int_equal(pipe(pipes), 0);

    link_hang_up(other, fd);
    link_hang_up(w->router, pipes[1]);
    link_hang_up(w->router, -1);

    assert_true(send_text(w, w->dealer, "still here"));
    assert_true(receive(w, &key, &fd));
    assert_int_equal(w->asked, 1);
    assert_int_equal(write(pipes[1], "x", 1), 1);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
    link_close(other);
}

static void test_zap__must_be_there_before_a_link_with_keys(void **state)
{
    struct world *w = *state;
    struct link_context *context = NULL;
    struct link *link = NULL;
    const struct link_options options = {.kind = LINK_ROUTER,
                                         .part_bytes_max = 1000,
                                         .locked = true,
                                         .keys = &w->pairs[BOUND]};
    enum status status = STATUS_OK;

    assert_int_equal(link_context_open(&context), STATUS_OK);

    expect_assert_failure(
        status = link_bind(context, &options, "tcp://127.0.0.1:*", &link));
    (void)status;
    link_context_close(context);
}

static void test_zap__a_pair_must_fit(void **state)
{
    struct world *w = *state;
    struct curvekey_pair pair = w->pairs[0];

    assert_int_equal(link_keys_check(&pair), STATUS_OK);
    pair.shown = w->pairs[1].shown;
    assert_int_equal(link_keys_check(&pair), STATUS_INVALID);
}

static void test_zap__says_so_when_any_allocation_fails(void **state)
{
    struct world *w = *state;
    uint64_t live = 0;
    uint64_t n = 0;
    enum status status = STATUS_NO_MEMORY;

    link_close(w->router);
    w->router = NULL;
    zap_close(w->zap);
    w->zap = NULL;
    live = mem_live();
    while (status == STATUS_NO_MEMORY) {
        mem_fail_at(++n);
        status = zap_open(w->loop, w->context, is_known, w, &w->zap);
        mem_fail_at(0);
        assert_true(status == STATUS_OK || mem_live() == live);
    }

    assert_int_equal(status, STATUS_OK);
    assert_int_equal(n, 3); /* itself and its link */
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, open_world, close_world)
    const struct CMUnitTest tests[] = {
        TEST(test_zap__lets_a_known_key_in_and_tells_whose_it_is),
        TEST(test_zap__a_routing_id_says_nothing_about_the_key),
        TEST(test_zap__refuses_a_key_that_is_not_known),
        TEST(test_zap__lets_in_by_itself_who_becomes_known_later),
        TEST(test_zap__who_expects_another_key_does_not_come_in),
        TEST(test_zap__a_plain_peer_does_not_come_in),
        TEST(test_zap__a_peer_that_was_hung_up_on_is_asked_again),
        TEST(test_zap__hangs_up_on_connections_of_the_link_alone),
        TEST(test_zap__must_be_there_before_a_link_with_keys),
        TEST(test_zap__a_pair_must_fit),
        TEST(test_zap__says_so_when_any_allocation_fails),
    };

    check_hook = check_to_cmocka;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
