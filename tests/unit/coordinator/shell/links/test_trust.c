/* test_trust.c - the control link with keys: who is who, and who is not. */
#include "coordinator/shell/links/trust.h"

#include "base/log.h"
#include "base/mem.h"
#include "coordinator/shell/links/workers.h"
#include "tests/unit/base/curvepairs.h"
#include "tests/unit/coordinator/shell/fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LINKS = 2,
    TRIES_MAX = 6000, /* of a millisecond each */
    COORDINATOR = 0,  /* pairs */
    W1 = 1,
    W2 = 2,
    STRANGER = 3
};

struct world {
    char dir[64];
    uint64_t live;
    struct loop *loop;
    struct link_context *context;
    struct trust *trust;
    struct workers *workers;
    struct curvekey_pair pairs[CURVEPAIRS];
    struct link *links[LINKS];
    uint32_t peer; /* of the last message */
    struct wire message;
    int count;
    uint32_t lost;
    int lost_count;
};

static void on_message(void *owner, uint32_t peer, const struct wire *message)
{
    struct world *w = owner;

    w->peer = peer;
    w->message = *message;
    w->count++;
}

static void on_lost(void *owner, uint32_t peer, const char *why)
{
    struct world *w = owner;

    (void)why;
    w->lost = peer;
    w->lost_count++;
}

static void make_dir(const struct world *w, const char *name)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", w->dir, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void write_key(const struct world *w, const char *name, const char *text)
{
    char path[128];
    char line[64];
    int length = snprintf(line, sizeof(line), "%s\n", text);
    int fd = -1;

    (void)snprintf(path, sizeof(path), "%s/%s", w->dir, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, line, (size_t)length), length);
    assert_int_equal(close(fd), 0);
}

static void revoke(const struct world *w, const char *name)
{
    char from[128];
    char to[128];

    (void)snprintf(from, sizeof(from), "%s/workers/%s.pub", w->dir, name);
    (void)snprintf(to, sizeof(to), "%s/revoked-%s.pub", w->dir, name);
    assert_int_equal(rename(from, to), 0);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct workers_options options = {.endpoint = "tcp://127.0.0.1:*",
                                      .on_message = on_message,
                                      .on_lost = on_lost,
                                      .owner = w};
    char why[512] = "";

    assert_non_null(w);
    log_open(STDERR_FILENO, LOG_ERROR, "test");
    w->live = mem_live();
    fixture_make_dir(w->dir);
    for (int i = 0; i < CURVEPAIRS; i++) {
        assert_true(curvepair(i, &w->pairs[i]));
    }
    make_dir(w, "coordinator");
    make_dir(w, "workers");
    write_key(w, "coordinator/curve.pub", curvepairs_text[COORDINATOR][0]);
    write_key(w, "coordinator/curve.key", curvepairs_text[COORDINATOR][1]);
    write_key(w, "workers/w1.pub", curvepairs_text[W1][0]);
    write_key(w, "workers/w2.pub", curvepairs_text[W2][0]);
    assert_int_equal(loop_open(&w->loop), STATUS_OK);
    assert_int_equal(link_context_open(&w->context), STATUS_OK);
    assert_int_equal(
        trust_open(w->loop, w->context, w->dir, why, sizeof(why), &w->trust),
        STATUS_OK);
    options.loop = w->loop;
    options.context = w->context;
    options.trust = w->trust;
    assert_int_equal(workers_open(&options, &w->workers), STATUS_OK);
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

static void connect_as(struct world *w, int link, int pair, const char *id)
{
    const struct link_options options = {.kind = LINK_DEALER,
                                         .part_bytes_max = CONTROL_BYTES_MAX,
                                         .routing_id = id,
                                         .keys = &w->pairs[pair],
                                         .far_key =
                                             &w->pairs[COORDINATOR].shown};

    assert_int_equal(link_connect(w->context, &options,
                                  workers_endpoint(w->workers),
                                  &w->links[link]),
                     STATUS_OK);
}

static void turn(struct world *w)
{
    assert_int_equal(loop_turn(w->loop, 1), STATUS_OK);
}

static bool send_wire(struct world *w, int link, const struct wire *message)
{
    unsigned char *bytes = NULL;
    struct part part;
    size_t size = 0;
    bool sent = false;

    assert_int_equal(wire_encode(message, &bytes, &size), STATUS_OK);
    assert_int_equal(part_init_copy(&part, bytes, size), STATUS_OK);
    mem_free(bytes);
    for (int i = 0; i < TRIES_MAX && !sent; i++) {
        sent = link_send(w->links[link], &part, 1) == STATUS_OK;
        if (!sent && trust_refused(w->trust) > 0) {
            break;
        }
        turn(w);
    }
    if (!sent) {
        part_close(&part);
    }
    return sent;
}

static struct wire hello_of(struct world *w, const char *name, int pair)
{
    struct wire message = {.kind = WIRE_HELLO};

    (void)snprintf(message.hello.name, sizeof(message.hello.name), "%s", name);
    (void)snprintf(message.hello.endpoint, sizeof(message.hello.endpoint),
                   "tcp://10.9.8.7:6543");
    message.hello.key = w->pairs[pair].shown;
    message.hello.curve = true;
    return message;
}

static void turn_until(struct world *w, const int *value, int wanted)
{
    for (int i = 0; i < TRIES_MAX && *value < wanted; i++) {
        turn(w);
    }
    assert_int_equal(*value, wanted);
}

static void turn_until_blamed(struct world *w,
                              enum trust_fault fault,
                              uint64_t wanted)
{
    for (int i = 0; i < TRIES_MAX && trust_count(w->trust, fault) < wanted;
         i++) {
        turn(w);
    }
    assert_int_equal(trust_count(w->trust, fault), wanted);
}

/* The text of the REFUSE that a link gets. */
static void assert_refused(struct world *w, int link, const char *text)
{
    static unsigned char memory[1 << 16];
    struct arena arena;
    struct wire message;
    struct part part;
    size_t count = 0;
    enum status status = STATUS_BUSY;

    for (int i = 0; i < TRIES_MAX && status == STATUS_BUSY; i++) {
        status = link_receive(w->links[link], &part, 1, &count);
        turn(w);
    }
    assert_int_equal(status, STATUS_OK);
    arena_init(&arena, memory, sizeof(memory));
    assert_int_equal(
        wire_decode(part_data(&part), part_size(&part), &arena, &message),
        STATUS_OK);
    part_close(&part);
    assert_int_equal(message.kind, WIRE_REFUSE);
    assert_int_equal(message.refuse.status, STATUS_REFUSED);
    assert_non_null(strstr(message.refuse.text, text));
}

static void test_trust__a_worker_is_who_its_key_says(void **state)
{
    struct world *w = *state;
    struct wire hello = hello_of(w, "w1", W1);

    connect_as(w, 0, W1, "w1-1");
    assert_true(send_wire(w, 0, &hello));
    turn_until(w, &w->count, 1);

    assert_string_equal(w->message.hello.name, "w1");
    assert_true(curvekey_equal(&w->message.hello.key, &w->pairs[W1].shown));
    assert_int_equal(trust_count(w->trust, TRUST_IMPOSTOR), 0);
}

static void test_trust__refuses_a_hello_under_another_name(void **state)
{
    struct world *w = *state;
    struct wire hello = hello_of(w, "w1", W2);

    connect_as(w, 0, W2, "w1-1");
    assert_true(send_wire(w, 0, &hello));

    assert_refused(w, 0, "start it with --name w2");
    assert_int_equal(w->count, 0);
    assert_int_equal(trust_count(w->trust, TRUST_IMPOSTOR), 1);
}

static void test_trust__refuses_a_hello_with_anothers_key(void **state)
{
    struct world *w = *state;
    struct wire hello = hello_of(w, "w2", W1);

    connect_as(w, 0, W2, "w2-1");
    assert_true(send_wire(w, 0, &hello));

    assert_refused(w, 0, "another key");
    assert_int_equal(w->count, 0);
}

static void test_trust__refuses_an_open_data_endpoint(void **state)
{
    struct world *w = *state;
    struct wire hello = hello_of(w, "w1", W1);

    hello.hello.curve = false;
    connect_as(w, 0, W1, "w1-1");
    assert_true(send_wire(w, 0, &hello));

    assert_refused(w, 0, "not encrypted");
    assert_int_equal(w->count, 0);
}

/* 0MQ hands the routing id over; what then comes under it is not believed. */
static void test_trust__a_routing_id_belongs_to_a_key(void **state)
{
    struct world *w = *state;
    struct wire hello = hello_of(w, "w1", W1);
    struct wire other = hello_of(w, "w2", W2);
    uint32_t first = 0;

    connect_as(w, 0, W1, "w1-1");
    assert_true(send_wire(w, 0, &hello));
    turn_until(w, &w->count, 1);
    first = w->peer;
    connect_as(w, 1, W2, "w1-1");
    assert_true(send_wire(w, 1, &other));
    turn_until_blamed(w, TRUST_IMPOSTOR, 1);

    assert_int_equal(w->count, 1);
    assert_int_equal(w->lost_count, 0);
    /* The impostor is gone, the owner comes back under its number. */
    link_close(w->links[1]);
    w->links[1] = NULL;
    for (int i = 0; i < 50 && w->count == 1; i++) {
        assert_true(send_wire(w, 0, &hello));
        for (int j = 0; j < 50 && w->count == 1; j++) {
            turn(w);
        }
    }
    assert_true(w->count > 1);
    assert_int_equal(w->peer, first);
}

static void test_trust__lets_no_stranger_speak(void **state)
{
    struct world *w = *state;
    struct wire hello = hello_of(w, "w1", STRANGER);

    connect_as(w, 0, STRANGER, "w1-1");

    assert_false(send_wire(w, 0, &hello));
    assert_int_equal(w->count, 0);
    assert_true(trust_refused(w->trust) > 0);
}

static void test_trust__a_revoked_worker_is_lost_at_once(void **state)
{
    struct world *w = *state;
    struct wire hello = hello_of(w, "w1", W1);
    struct wire beat = {.kind = WIRE_HEARTBEAT, .heartbeat = {.life = 1}};
    uint32_t number = 0;

    connect_as(w, 0, W1, "w1-1");
    assert_true(send_wire(w, 0, &hello));
    turn_until(w, &w->count, 1);
    number = w->peer;
    revoke(w, "w1");
    turn_until(w, &w->lost_count, 1);

    assert_int_equal(w->lost, number);
    assert_int_equal(trust_count(w->trust, TRUST_REVOKED), 1);
    assert_int_equal(workers_send(w->workers, number, &beat),
                     STATUS_UNAVAILABLE);
    /* Its connection has been ended, and it is asked for its key again. */
    for (int i = 0; i < TRIES_MAX && trust_refused(w->trust) == 0; i++) {
        turn(w);
    }
    assert_true(trust_refused(w->trust) > 0);
    assert_int_equal(w->count, 1);
}

static void test_trust__what_a_revoked_key_still_sends_is_dropped(void **state)
{
    struct world *w = *state;
    struct wire hello = hello_of(w, "w1", W1);

    connect_as(w, 0, W1, "w1-1");
    assert_true(send_wire(w, 0, &hello));
    turn_until(w, &w->count, 1);
    workers_pause(w->workers);
    assert_true(send_wire(w, 0, &hello));
    revoke(w, "w1");
    turn_until(w, &w->lost_count, 1);
    workers_resume(w->workers);

    turn_until_blamed(w, TRUST_REVOKED, 2);
    assert_int_equal(w->count, 1);
}

static void test_trust__a_key_given_back_comes_in_again(void **state)
{
    struct world *w = *state;
    struct wire hello = hello_of(w, "w1", W1);

    revoke(w, "w1");
    for (int i = 0; i < TRIES_MAX; i++) {
        if (trust_name(w->trust, &w->pairs[W1].shown) == NULL) {
            break;
        }
        turn(w);
    }
    connect_as(w, 0, W1, "w1-1");
    assert_false(send_wire(w, 0, &hello));
    assert_true(trust_refused(w->trust) > 0);
    write_key(w, "workers/w1.pub", curvepairs_text[W1][0]);
    for (int i = 0; i < 3 && w->count == 0; i++) {
        for (int j = 0; j < TRIES_MAX && w->count == 0; j++) {
            unsigned char *bytes = NULL;
            struct part part;
            size_t size = 0;

            assert_int_equal(wire_encode(&hello, &bytes, &size), STATUS_OK);
            assert_int_equal(part_init_copy(&part, bytes, size), STATUS_OK);
            mem_free(bytes);
            if (link_send(w->links[0], &part, 1) != STATUS_OK) {
                part_close(&part);
            }
            turn(w);
        }
    }
    assert_true(w->count > 0);
}

/* One worker's many connections cost it its own entries, and no other's. */
static void test_trust__one_key_cannot_fill_the_table(void **state)
{
    struct world *w = *state;
    struct wire hello = hello_of(w, "w1", W1);
    struct wire beat = {.kind = WIRE_HEARTBEAT, .heartbeat = {.life = 1}};
    struct wire release = {.kind = WIRE_RELEASE,
                           .release = {.job = 1, .term = 1}};
    uint32_t first = 0;

    connect_as(w, 0, W1, "w1-1");
    assert_true(send_wire(w, 0, &hello));
    turn_until(w, &w->count, 1);
    first = w->peer;
    for (int i = 0; i < 100; i++) {
        char id[16];
        int before = w->count;

        (void)snprintf(id, sizeof(id), "w2-%d", i);
        connect_as(w, 1, W2, id);
        assert_true(send_wire(w, 1, &beat));
        turn_until(w, &w->count, before + 1);
        assert_int_not_equal(w->peer, first);
        link_close(w->links[1]);
        w->links[1] = NULL;
    }
    assert_int_equal(workers_send(w->workers, first, &release), STATUS_OK);
}

/* Late messages are honest, mostly: counted, but nobody is sent away. */
static void test_trust__a_stale_message_costs_nobody_the_connection(
    void **state)
{
    struct world *w = *state;
    struct wire hello = hello_of(w, "w1", W1);

    connect_as(w, 0, W1, "w1-1");
    assert_true(send_wire(w, 0, &hello));
    turn_until(w, &w->count, 1);
    workers_blame_stale(w->workers, w->peer);
    assert_true(send_wire(w, 0, &hello));

    turn_until(w, &w->count, 2);
    assert_int_equal(trust_count(w->trust, TRUST_STALE), 1);
    assert_int_equal(w->lost_count, 0);
}

/* A worker's vault is asked by workers that are in none of its placements. */
static void test_trust__a_welcome_brings_the_roster(void **state)
{
    struct world *w = *state;
    static unsigned char memory[1 << 16];
    struct wire hello = hello_of(w, "w1", W1);
    struct wire message = {
        .kind = WIRE_WELCOME,
        .welcome = {.life = 1, .heartbeat_ms = 100, .timeout_ms = 1000}};
    struct arena arena;

    connect_as(w, 0, W1, "w1-1");
    assert_true(send_wire(w, 0, &hello));
    turn_until(w, &w->count, 1);
    assert_int_equal(workers_send(w->workers, w->peer, &message), STATUS_OK);

    for (int i = 0; i < TRIES_MAX && message.kind != WIRE_ROSTER; i++) {
        struct part part;
        size_t count = 0;

        if (link_receive(w->links[0], &part, 1, &count) == STATUS_OK) {
            arena_init(&arena, memory, sizeof(memory));
            assert_int_equal(wire_decode(part_data(&part), part_size(&part),
                                         &arena, &message),
                             STATUS_OK);
            part_close(&part);
        }
        turn(w);
    }
    assert_int_equal(message.kind, WIRE_ROSTER);
    assert_int_equal(message.roster.count, 2);
}

static void test_trust__says_what_is_wrong_with_the_keys(void **state)
{
    struct world *w = *state;
    struct trust *trust = NULL;
    char path[128];
    char why[512] = "";

    (void)snprintf(path, sizeof(path), "%s/coordinator/curve.key", w->dir);
    assert_int_equal(chmod(path, 0644), 0);

    assert_int_equal(
        trust_open(w->loop, w->context, w->dir, why, sizeof(why), &trust),
        STATUS_REFUSED);
    assert_non_null(strstr(why, "chmod 600"));
    assert_null(trust);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_trust__a_worker_is_who_its_key_says),
        TEST(test_trust__refuses_a_hello_under_another_name),
        TEST(test_trust__refuses_a_hello_with_anothers_key),
        TEST(test_trust__refuses_an_open_data_endpoint),
        TEST(test_trust__a_routing_id_belongs_to_a_key),
        TEST(test_trust__lets_no_stranger_speak),
        TEST(test_trust__a_revoked_worker_is_lost_at_once),
        TEST(test_trust__what_a_revoked_key_still_sends_is_dropped),
        TEST(test_trust__a_key_given_back_comes_in_again),
        TEST(test_trust__one_key_cannot_fill_the_table),
        TEST(test_trust__a_stale_message_costs_nobody_the_connection),
        TEST(test_trust__a_welcome_brings_the_roster),
        TEST(test_trust__says_what_is_wrong_with_the_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
