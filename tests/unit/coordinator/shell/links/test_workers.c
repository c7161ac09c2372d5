#include "coordinator/shell/links/workers.h"

#include "base/mem.h"
#include "tests/unit/coordinator/shell/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINKS = 3 };

struct world {
    char dir[64];
    uint64_t live;
    struct loop *loop;
    struct link_context *context;
    struct trust *trust;
    struct workers *workers;
    struct link *links[LINKS];
    uint32_t peer; /* of the last message */
    enum wire_kind kind;
    int count;
    uint32_t lost;
    int lost_count;
};

static void on_lost(void *owner, uint32_t peer, const char *why)
{
    struct world *w = owner;

    assert_null(why);
    w->lost = peer;
    w->lost_count++;
}

static void on_message(void *owner, uint32_t peer, const struct wire *message)
{
    struct world *w = owner;

    w->peer = peer;
    w->kind = message->kind;
    w->count++;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct workers_options options = {
        .on_message = on_message, .on_lost = on_lost, .owner = w};
    const struct link_options dealer = {.kind = LINK_DEALER,
                                        .part_bytes_max = CONTROL_BYTES_MAX};
    char endpoint[96];

    assert_non_null(w);
    w->live = mem_live();
    fixture_make_dir(w->dir);
    (void)snprintf(endpoint, sizeof(endpoint), "ipc://%s/w", w->dir);
    assert_int_equal(loop_open(&w->loop), STATUS_OK);
    assert_int_equal(link_context_open(&w->context), STATUS_OK);
    assert_int_equal(trust_open(w->loop, w->context, "", NULL, 0, &w->trust),
                     STATUS_OK);
    options.trust = w->trust;
    options.loop = w->loop;
    options.context = w->context;
    options.endpoint = endpoint;
    assert_int_equal(workers_open(&options, &w->workers), STATUS_OK);
    for (int l = 0; l < LINKS; l++) {
        assert_int_equal(
            link_connect(w->context, &dealer, endpoint, &w->links[l]),
            STATUS_OK);
    }
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    for (int l = 0; l < LINKS; l++) {
        link_close(w->links[l]);
    }
    workers_close(w->workers);
    trust_close(w->trust);
    link_context_close(w->context);
    loop_close(w->loop);
    fixture_remove_dir(w->dir);
    assert_int_equal(mem_live(), w->live);
    free(w);
    return 0;
}

static void send_bytes(struct world *w,
                       int link,
                       const void *bytes,
                       size_t size)
{
    struct part part;
    enum status status = STATUS_BUSY;

    assert_int_equal(part_init_copy(&part, bytes, size), STATUS_OK);
    for (int i = 0; i < 2000 && status == STATUS_BUSY; i++) {
        status = link_send(w->links[link], &part, 1);
        if (status == STATUS_BUSY) {
            assert_int_equal(loop_turn(w->loop, 1), STATUS_OK);
        }
    }
    assert_int_equal(status, STATUS_OK);
}

static void send_wire(struct world *w, int link, const struct wire *message)
{
    unsigned char *bytes = NULL;
    size_t size = 0;

    assert_int_equal(wire_encode(message, &bytes, &size), STATUS_OK);
    send_bytes(w, link, bytes, size);
    mem_free(bytes);
}

static void turn_until(struct world *w, const int *value, int wanted)
{
    for (int i = 0; i < 2000 && *value < wanted; i++) {
        assert_int_equal(loop_turn(w->loop, 1), STATUS_OK);
    }
    assert_int_equal(*value, wanted);
}

static const struct wire beat = {.kind = WIRE_HEARTBEAT,
                                 .heartbeat = {.life = 1}};

static void test_workers__numbers_each_peer(void **state)
{
    struct world *w = *state;
    uint32_t first = 0;

    send_wire(w, 0, &beat);
    turn_until(w, &w->count, 1);
    first = w->peer;
    send_wire(w, 1, &beat);
    turn_until(w, &w->count, 2);
    assert_int_not_equal(w->peer, first);
    send_wire(w, 0, &beat);
    turn_until(w, &w->count, 3);

    assert_int_equal(w->peer, first);
    assert_int_equal(w->kind, WIRE_HEARTBEAT);
}

static void test_workers__sends_to_a_peer(void **state)
{
    struct world *w = *state;
    const struct wire release = {
        .kind = WIRE_RELEASE, .release = {.job = 1, .term = 2, .interval = 3}};
    struct part part;
    size_t count = 0;
    enum status status = STATUS_BUSY;

    send_wire(w, 0, &beat);
    turn_until(w, &w->count, 1);
    assert_int_equal(workers_send(w->workers, w->peer, &release), STATUS_OK);

    for (int i = 0; i < 2000 && status == STATUS_BUSY; i++) {
        status = link_receive(w->links[0], &part, 1, &count);
        if (status == STATUS_BUSY) {
            assert_int_equal(loop_turn(w->loop, 1), STATUS_OK);
        }
    }
    assert_int_equal(status, STATUS_OK);
    part_close(&part);
}

static void turn_until_blamed(struct world *w,
                              enum trust_fault fault,
                              uint64_t wanted)
{
    for (int i = 0; i < 2000 && trust_count(w->trust, fault) < wanted; i++) {
        assert_int_equal(loop_turn(w->loop, 1), STATUS_OK);
    }
    assert_int_equal(trust_count(w->trust, fault), wanted);
}

/* The connection is ended; 0MQ makes a new one, and all is well again. */
static void test_workers__drops_what_cannot_be_decoded(void **state)
{
    struct world *w = *state;

    send_bytes(w, 0, "", 0);
    turn_until_blamed(w, TRUST_MALFORMED, 1);
    send_bytes(w, 1, "\xff\xff\xff\xff\xff", 5);
    turn_until_blamed(w, TRUST_MALFORMED, 2);

    for (int i = 0; i < 50 && w->count == 0; i++) {
        send_wire(w, 0, &beat);
        for (int j = 0; j < 20 && w->count == 0; j++) {
            assert_int_equal(loop_turn(w->loop, 1), STATUS_OK);
        }
    }
    assert_true(w->count > 0);
}

static void test_workers__drops_what_is_not_a_workers_to_say(void **state)
{
    struct world *w = *state;

    send_wire(w, 0, &(struct wire){.kind = WIRE_QUIT});
    turn_until_blamed(w, TRUST_MALFORMED, 1);

    assert_int_equal(w->count, 0);
}

static void test_workers__bears_no_flood_of_hellos(void **state)
{
    struct world *w = *state;
    struct wire hello = {.kind = WIRE_HELLO};

    memcpy(hello.hello.name, "w0", sizeof("w0"));
    memcpy(hello.hello.endpoint, "ipc:///w0", sizeof("ipc:///w0"));
    for (int i = 0; i < 100 && trust_count(w->trust, TRUST_FLOOD) == 0; i++) {
        send_wire(w, 0, &hello);
        assert_int_equal(loop_turn(w->loop, 0), STATUS_OK);
    }
    for (int i = 0; i < 2000 && trust_count(w->trust, TRUST_FLOOD) == 0; i++) {
        assert_int_equal(loop_turn(w->loop, 1), STATUS_OK);
    }

    assert_true(trust_count(w->trust, TRUST_FLOOD) > 0);
    assert_true(w->count <= 40); /* of two seconds, where the machine is slow */
}

static void test_workers__tells_that_a_peer_is_gone(void **state)
{
    struct world *w = *state;
    enum status status = STATUS_OK;

    send_wire(w, 0, &beat);
    turn_until(w, &w->count, 1);
    link_close(w->links[0]);
    w->links[0] = NULL;

    for (int i = 0; i < 2000 && status == STATUS_OK; i++) {
        assert_int_equal(loop_turn(w->loop, 1), STATUS_OK);
        status = workers_send(w->workers, w->peer,
                              &(struct wire){.kind = WIRE_QUIT});
    }
    assert_int_equal(status, STATUS_UNAVAILABLE);
}

static void test_workers__tells_an_end_behind_all_that_was_said(void **state)
{
    struct world *w = *state;
    uint32_t first = 0;

    send_wire(w, 0, &beat);
    turn_until(w, &w->count, 1);
    first = w->peer;
    workers_pause(w->workers);
    send_wire(w, 0, &beat);
    link_close(w->links[0]); /* which delivers nothing that is not under way */
    w->links[0] = NULL;
    for (int i = 0; i < 50; i++) {
        assert_int_equal(loop_turn(w->loop, 1), STATUS_OK);
    }
    assert_int_equal(w->lost_count, 0);
    workers_resume(w->workers);

    turn_until(w, &w->lost_count, 1);
    assert_int_equal(w->lost, first);
    assert_int_equal(workers_send(w->workers, first, &beat),
                     STATUS_UNAVAILABLE);
}

/* The system gives the numbers of connections again: the end of one is not to
 * be taken for that of the next. */
static void test_workers__tells_each_end_once(void **state)
{
    struct world *w = *state;

    send_wire(w, 2, &beat);
    turn_until(w, &w->count, 1);
    for (int i = 1; i <= 20; i++) {
        const struct link_options dealer = {
            .kind = LINK_DEALER, .part_bytes_max = CONTROL_BYTES_MAX};

        send_wire(w, 0, &beat);
        turn_until(w, &w->count, 1 + i);
        link_close(w->links[0]);
        assert_int_equal(link_connect(w->context, &dealer,
                                      workers_endpoint(w->workers),
                                      &w->links[0]),
                         STATUS_OK);
        if (i % 2 == 0) { /* else the next one may have come by then */
            turn_until(w, &w->lost_count, i);
        }
        assert_int_equal(w->count, 1 + i);
    }

    turn_until(w, &w->lost_count, 20);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(loop_turn(w->loop, 1), STATUS_OK);
    }
    assert_int_equal(w->lost_count, 20);
}

static void test_workers__forgets_a_peer(void **state)
{
    struct world *w = *state;
    uint32_t first = 0;

    send_wire(w, 0, &beat);
    turn_until(w, &w->count, 1);
    first = w->peer;
    workers_forget(w->workers, first);

    assert_int_equal(workers_send(w->workers, first, &beat),
                     STATUS_UNAVAILABLE);
    send_wire(w, 0, &beat);
    turn_until(w, &w->count, 2);
    assert_int_not_equal(w->peer, first); /* a number is never used twice */
}

static void test_workers__waits_while_paused(void **state)
{
    struct world *w = *state;

    send_wire(w, 0, &beat);
    turn_until(w, &w->count, 1);
    workers_pause(w->workers);
    send_wire(w, 0, &beat);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(loop_turn(w->loop, 1), STATUS_OK);
    }
    assert_int_equal(w->count, 1);

    workers_resume(w->workers);
    turn_until(w, &w->count, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_workers__numbers_each_peer),
        TEST(test_workers__sends_to_a_peer),
        TEST(test_workers__drops_what_cannot_be_decoded),
        TEST(test_workers__drops_what_is_not_a_workers_to_say),
        TEST(test_workers__bears_no_flood_of_hellos),
        TEST(test_workers__tells_that_a_peer_is_gone),
        TEST(test_workers__tells_an_end_behind_all_that_was_said),
        TEST(test_workers__tells_each_end_once),
        TEST(test_workers__forgets_a_peer),
        TEST(test_workers__waits_while_paused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
