#include "tests/unit/base/linkworld.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"

#include <string.h>
#include <unistd.h>

static void check_to_cmocka(const char *file, int line, const char *condition)
{
    mock_assert(0, condition, file, line);
}

/* Not kept in the part itself: a sanitizer sees whether it is ever freed. */
static const char long_text[] = "more than 33 bytes, so that they are shared";

static void test_link__shares_the_bytes_of_a_large_frame(void **state)
{
    struct part source = frame_of(long_text);
    struct part share;

    (void)state;

    part_share(&share, &source);

    assert_ptr_equal(part_data(&share), part_data(&source));
    part_close(&source);
    assert_frame(&share, long_text);
    part_close(&share);
}

static void test_link__shares_a_small_frame_by_copy(void **state)
{
    struct part source = frame_of("small");
    struct part share;

    (void)state;

    part_share(&share, &source);
    part_close(&source);

    assert_frame(&share, "small");
    part_close(&share);
}

static void test_link__moves_a_frame_and_leaves_it_empty(void **state)
{
    struct part source = frame_of("soma");
    struct part part;

    (void)state;

    part_move(&part, &source);

    assert_frame(&part, "soma");
    assert_int_equal(part_size(&source), 0);
    part_close(&source);
    part_close(&part);
}

static void test_link__makes_frames_of_any_size(void **state)
{
    struct part part;

    (void)state;

    part_init_empty(&part);
    assert_int_equal(part_size(&part), 0);
    part_close(&part);
    assert_int_equal(part_init_copy(&part, NULL, 0), STATUS_OK);
    assert_int_equal(part_size(&part), 0);
    part_close(&part);
    assert_int_equal(part_init_size(&part, 1 << 20), STATUS_OK);
    assert_int_equal(part_size(&part), 1 << 20);
    memset(part_data(&part), 1, 1 << 20);
    part_close(&part);
}

static void test_link__checks_that_a_frame_is_closed_once(void **state)
{
    struct part part;

    (void)state;
    part_init_empty(&part);
    part_close(&part);

    expect_assert_failure(part_close(&part));
}

static void test_link__carries_a_message_of_several_parts(void **state)
{
    struct linkworld *world = *state;
    struct link *a = bind_to(world, LINK_PAIR, "inproc://x");
    struct link *b = connect_to(world, LINK_PAIR, "inproc://x");
    struct part out[3] = {frame_of("one"), frame_of(""), frame_of("three")};
    struct part in[PARTS_MAX];
    size_t count = 0;

    assert_int_equal(link_send(b, out, 3), STATUS_OK);
    assert_int_equal(link_receive(a, in, PARTS_MAX, &count), STATUS_OK);

    assert_int_equal(count, 3);
    assert_frame(&in[0], "one");
    assert_frame(&in[1], "");
    assert_frame(&in[2], "three");
    for (size_t i = 0; i < count; i++) {
        part_close(&in[i]);
    }
    link_close(b);
    link_close(a);
}

static void test_link__says_busy_when_nothing_is_there(void **state)
{
    struct linkworld *world = *state;
    struct link *a = bind_to(world, LINK_PULL, "inproc://x");
    struct part in[PARTS_MAX];
    size_t count = 77;

    assert_int_equal(link_receive(a, in, PARTS_MAX, &count), STATUS_BUSY);

    assert_int_equal(count, 77);
    link_close(a);
}

static void test_link__throws_away_a_message_of_too_many_parts(void **state)
{
    struct linkworld *world = *state;
    struct link *a = bind_to(world, LINK_PAIR, "inproc://x");
    struct link *b = connect_to(world, LINK_PAIR, "inproc://x");
    struct part in[PARTS_MAX];
    size_t count = 0;

    for (size_t parts = PARTS_MAX; parts <= PARTS_MAX + 3; parts++) {
        struct part out[PARTS_MAX + 3];

        for (size_t i = 0; i < parts; i++) {
            out[i] = frame_of(long_text);
        }
        assert_int_equal(link_send(b, out, parts), STATUS_OK);
    }
    send_soon(world, b, "next");

    assert_int_equal(link_receive(a, in, PARTS_MAX, &count), STATUS_OK);
    assert_int_equal(count, PARTS_MAX);
    for (size_t i = 0; i < count; i++) {
        part_close(&in[i]);
    }
    count = 77;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(link_receive(a, in, PARTS_MAX, &count),
                         STATUS_INVALID);
        assert_int_equal(count, 77);
    }
    assert_int_equal(link_receive(a, in, PARTS_MAX, &count), STATUS_OK);
    assert_int_equal(count, 1);
    assert_frame(&in[0], "next");
    part_close(&in[0]);
    link_close(b);
    link_close(a);
}

static void test_link__router_refuses_a_peer_it_does_not_know(void **state)
{
    struct linkworld *world = *state;
    struct link *router = bind_to(world, LINK_ROUTER, world->ipc);
    struct part out[2] = {frame_of("nobody"), frame_of("hello")};

    assert_int_equal(link_send(router, out, 2), STATUS_UNAVAILABLE);

    assert_frame(&out[0], "nobody"); /* they stay the caller's */
    assert_frame(&out[1], "hello");
    part_close(&out[0]);
    part_close(&out[1]);
    link_close(router);
}

static void test_link__router_and_dealer_talk_over_tcp(void **state)
{
    struct linkworld *world = *state;
    struct link *router = bind_to(world, LINK_ROUTER, "tcp://127.0.0.1:*");
    struct link *dealer = NULL;
    struct part in[PARTS_MAX];
    struct part out[2];

    assert_null(strchr(link_endpoint(router), '*'));
    dealer = connect_to(world, LINK_DEALER, link_endpoint(router));
    assert_string_equal(link_endpoint(dealer), link_endpoint(router));
    send_soon(world, dealer, "hello");
    assert_int_equal(receive_soon(world, router, in), 2);
    assert_frame(&in[0], "w7");
    assert_frame(&in[1], "hello");
    part_move(&out[0], &in[0]);
    part_move(&out[1], &in[1]);
    assert_int_equal(link_send(router, out, 2), STATUS_OK);
    part_close(&in[0]);
    part_close(&in[1]);
    assert_int_equal(receive_soon(world, dealer, in), 1);
    assert_frame(&in[0], "hello");
    part_close(&in[0]);
    link_close(dealer);
    link_close(router);
}

/* The first connection is still open: so it looks to a router when a peer's
 * machine lost its power and came back. Here the first peer lives and takes
 * its name back after 100 ms, hence several tries. */
static void test_link__a_peer_that_returns_takes_over_its_name(void **state)
{
    struct linkworld *world = *state;
    struct link *router = bind_to(world, LINK_ROUTER, world->ipc);
    struct link *before = connect_to(world, LINK_DEALER, world->ipc);
    struct link *after = NULL;
    struct part in[PARTS_MAX];
    bool heard = false;

    send_soon(world, before, "first life");
    assert_int_equal(receive_soon(world, router, in), 2);
    part_close(&in[0]);
    part_close(&in[1]);
    after = connect_to(world, LINK_DEALER, world->ipc);

    for (int i = 0; i < 200 && !heard; i++) {
        size_t count = 0;

        send_soon(world, after, "second life");
        assert_int_equal(loop_turn(world->loop, 5), STATUS_OK);
        if (link_receive(router, in, PARTS_MAX, &count) == STATUS_OK) {
            assert_int_equal(count, 2);
            assert_frame(&in[1], "second life");
            part_close(&in[0]);
            part_close(&in[1]);
            heard = true;
        }
    }

    assert_true(heard);
    link_close(before);
    link_close(after);
    link_close(router);
}

/* Nothing reads at the far end: the queues of both sides fill up. */
static void test_link__says_busy_to_a_full_peer(void **state)
{
    struct linkworld *world = *state;
    struct link_options options = options_of(LINK_PUSH);
    struct link *pull = NULL;
    struct link *push = NULL;
    enum status status = STATUS_OK;
    int sent = 0;

    options.queue_max = 2;
    options.kind = LINK_PULL;
    assert_int_equal(link_bind(world->context, &options, "inproc://x", &pull),
                     STATUS_OK);
    options.kind = LINK_PUSH;
    assert_int_equal(
        link_connect(world->context, &options, "inproc://x", &push), STATUS_OK);
    for (; status == STATUS_OK && sent < 100; sent++) {
        struct part out[2] = {frame_of(long_text), frame_of("b")};

        status = link_send(push, out, 2);
        if (status != STATUS_OK) {
            assert_frame(&out[0], long_text);
            assert_frame(&out[1], "b");
            part_close(&out[0]);
            part_close(&out[1]);
        }
    }

    assert_int_equal(status, STATUS_BUSY);
    assert_int_equal(sent - 1, 4); /* two here and two there, whole messages */
    link_close(push);
    link_close(pull);
}

static void test_link__queues_nothing_for_a_peer_that_is_not_there(void **state)
{
    struct linkworld *world = *state;
    struct link *dealer = connect_to(world, LINK_DEALER, world->ipc);
    struct part out = frame_of(long_text);

    assert_int_equal(link_send(dealer, &out, 1), STATUS_BUSY);

    assert_frame(&out, long_text);
    part_close(&out);
    link_close(dealer);
}

/* The peer that sends too much is cut off, comes again, and is served. */
static void test_link__drops_a_part_that_is_too_large(void **state)
{
    struct linkworld *world = *state;
    struct link *router = bind_to(world, LINK_ROUTER, world->ipc);
    struct link *dealer = connect_to(world, LINK_DEALER, world->ipc);
    struct part large[2];
    struct part in[PARTS_MAX];

    send_soon(world, dealer, "first");
    assert_int_equal(receive_soon(world, router, in), 2);
    part_close(&in[0]);
    part_close(&in[1]);
    large[0] = frame_of("head");
    assert_int_equal(part_init_size(&large[1], PART_BYTES_MAX + 1), STATUS_OK);
    memset(part_data(&large[1]), 'x', PART_BYTES_MAX + 1);
    assert_int_equal(link_send(dealer, large, 2), STATUS_OK);

    /* This one may still go into the connection that is being cut. */
    for (int i = 0; i < 200; i++) {
        size_t count = 0;

        send_soon(world, dealer, "again");
        assert_int_equal(loop_turn(world->loop, 5), STATUS_OK);
        if (link_receive(router, in, PARTS_MAX, &count) == STATUS_OK) {
            assert_int_equal(count, 2);
            assert_frame(&in[1], "again"); /* and not "head" */
            part_close(&in[0]);
            part_close(&in[1]);
            link_close(dealer);
            link_close(router);
            return;
        }
    }
    fail_msg("the peer did not come back");
}

static void test_link__takes_a_part_of_exactly_the_limit(void **state)
{
    struct linkworld *world = *state;
    struct link *pull = bind_to(world, LINK_PULL, world->ipc);
    struct link *push = connect_to(world, LINK_PUSH, world->ipc);
    char text[PART_BYTES_MAX + 1];
    struct part in[PARTS_MAX];

    memset(text, 'x', PART_BYTES_MAX);
    text[PART_BYTES_MAX] = '\0';

    send_soon(world, push, text);

    assert_int_equal(receive_soon(world, pull, in), 1);
    assert_int_equal(part_size(&in[0]), PART_BYTES_MAX);
    part_close(&in[0]);
    link_close(push);
    link_close(pull);
}

static void test_link__survives_the_failure_of_any_allocation(void **state)
{
    struct linkworld *world = *state;
    const struct link_options options = options_of(LINK_PULL);
    const uint64_t before = mem_live();
    struct link_context *context = NULL;
    struct link *link = NULL;
    uint64_t n = 1;

    for (;; n++) {
        enum status status = STATUS_OK;

        mem_fail_at(n);
        status = link_context_open(&context);
        if (status == STATUS_OK) {
            break;
        }
        assert_int_equal(status, STATUS_NO_MEMORY);
        assert_int_equal(mem_live(), before);
    }
    assert_int_equal(n, 2);
    mem_fail_at(0);
    link_context_close(context);
    for (n = 1;; n++) {
        enum status status = STATUS_OK;

        mem_fail_at(n);
        status = link_bind(world->context, &options, "inproc://x", &link);
        if (status == STATUS_OK) {
            break;
        }
        assert_int_equal(status, STATUS_NO_MEMORY);
        assert_int_equal(mem_live(), before);
    }
    assert_int_equal(n, 2);
    mem_fail_at(0);
    link_close(link);
    link_close(NULL);
    link_context_close(NULL);
    assert_int_equal(mem_live(), before);
}

int main(void)
{
#define TEST(f)                                                                \
    cmocka_unit_test_setup_teardown(f, linkworld_open, linkworld_close)
    const struct CMUnitTest tests[] = {
        TEST(test_link__shares_the_bytes_of_a_large_frame),
        TEST(test_link__shares_a_small_frame_by_copy),
        TEST(test_link__moves_a_frame_and_leaves_it_empty),
        TEST(test_link__makes_frames_of_any_size),
        TEST(test_link__checks_that_a_frame_is_closed_once),
        TEST(test_link__carries_a_message_of_several_parts),
        TEST(test_link__says_busy_when_nothing_is_there),
        TEST(test_link__throws_away_a_message_of_too_many_parts),
        TEST(test_link__router_refuses_a_peer_it_does_not_know),
        TEST(test_link__router_and_dealer_talk_over_tcp),
        TEST(test_link__a_peer_that_returns_takes_over_its_name),
        TEST(test_link__says_busy_to_a_full_peer),
        TEST(test_link__queues_nothing_for_a_peer_that_is_not_there),
        TEST(test_link__drops_a_part_that_is_too_large),
        TEST(test_link__takes_a_part_of_exactly_the_limit),
        TEST(test_link__survives_the_failure_of_any_allocation),
    };
#undef TEST

    check_hook = check_to_cmocka;
    log_open(STDERR_FILENO, LOG_ERROR, "");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
