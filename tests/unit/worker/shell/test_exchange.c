/* test_exchange.c - the data link with keys: whose frames are taken. */
#define _XOPEN_SOURCE 700 /* mkdtemp, nftw */

#include "worker/shell/exchange.h"

#include "base/log.h"
#include "base/mem.h"
#include "tests/unit/base/curvepairs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WORKERS = 3, TRIES_MAX = 5000 /* of a millisecond each */ };

/* Each with a context of its own, as a process has. Pair 0 is the
 * coordinator's, 1 that of worker 0, and so on. */
struct worker {
    struct link_context *context;
    struct trust *trust;
    struct exchange *exchange;
    struct wire_peer place;
    int frames;
};

struct world {
    char dir[64];
    struct loop *loop;
    struct worker workers[WORKERS];
};

static void on_frame(void *owner,
                     const struct frame_header *header,
                     struct part *payload)
{
    struct worker *worker = owner;

    (void)header;
    worker->frames++;
    part_close(payload);
}

static void write_key(const char *dir, const char *name, const char *text)
{
    char path[640];
    int fd = -1;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, CURVEKEY_TEXT), CURVEKEY_TEXT);
    assert_int_equal(close(fd), 0);
}

static void open_worker(struct world *w, uint32_t number)
{
    struct worker *worker = &w->workers[number];
    static struct settings settings;
    struct exchange_options options = {.loop = w->loop,
                                       .endpoint = "tcp://127.0.0.1:*",
                                       .owner = worker,
                                       .on_frame = on_frame};

    settings = (struct settings){.curve = true};
    (void)snprintf(settings.keys, sizeof(settings.keys), "%s/%u", w->dir,
                   (unsigned)number);
    assert_int_equal(mkdir(settings.keys, 0700), 0);
    write_key(settings.keys, "curve.pub", curvepairs_text[number + 1][0]);
    write_key(settings.keys, "curve.key", curvepairs_text[number + 1][1]);
    write_key(settings.keys, "coordinator.pub", curvepairs_text[0][0]);
    assert_int_equal(link_context_open(&worker->context), STATUS_OK);
    assert_int_equal(
        trust_open(w->loop, worker->context, &settings, &worker->trust),
        STATUS_OK);
    options.context = worker->context;
    options.trust = worker->trust;
    assert_int_equal(exchange_open(&options, &worker->exchange), STATUS_OK);
    worker->place.worker = number;
    worker->place.curve = trust_curve(worker->trust);
    worker->place.key = *trust_shown(worker->trust);
    (void)snprintf(worker->place.endpoint, sizeof(worker->place.endpoint), "%s",
                   exchange_endpoint(worker->exchange));
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    log_open(STDERR_FILENO, LOG_ERROR, "test");
    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/cajal-exchange-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    assert_int_equal(loop_open(&w->loop), STATUS_OK);
    for (uint32_t i = 0; i < WORKERS; i++) {
        open_worker(w, i);
    }
    *state = w;
    return 0;
}

static int remove_one(const char *path,
                      const struct stat *info,
                      int type,
                      struct FTW *at)
{
    (void)info;
    (void)type;
    (void)at;
    return remove(path);
}

static int teardown(void **state)
{
    struct world *w = *state;

    for (uint32_t i = 0; i < WORKERS; i++) {
        exchange_close(w->workers[i].exchange);
        trust_close(w->workers[i].trust);
        link_context_close(w->workers[i].context);
    }
    loop_close(w->loop);
    assert_int_equal(nftw(w->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    free(w);
    assert_int_equal(mem_live(), 0);
    return 0;
}

/* Worker `at` hosts a job with these. */
static void place(struct world *w, uint32_t at, uint32_t a, uint32_t b)
{
    const struct wire_peer peers[2] = {w->workers[a].place,
                                       w->workers[b].place};

    trust_place(w->workers[at].trust, 0, peers, 2);
}

static bool connected(struct world *w, uint32_t from, uint32_t to, int tries)
{
    for (int i = 0; i < tries; i++) {
        if (exchange_connected(w->workers[from].exchange, to)) {
            return true;
        }
        assert_int_equal(loop_turn(w->loop, 1), STATUS_OK);
    }
    return false;
}

static enum status send_as(struct world *w,
                           uint32_t from,
                           uint32_t to,
                           uint32_t claimed)
{
    const struct frame_header header = {.job = 1,
                                        .term = 1,
                                        .pass = 1,
                                        .kind = FRAME_FORWARD,
                                        .rows = 1,
                                        .columns = 2,
                                        .from_worker = claimed};
    const float floats[2] = {1, 2};
    struct part payload;

    assert_int_equal(part_init_copy(&payload, floats, sizeof(floats)),
                     STATUS_OK);
    return exchange_send(w->workers[from].exchange, to, &header, &payload);
}

static void turn_until(struct world *w, const int *value, int wanted)
{
    for (int i = 0; i < TRIES_MAX && *value < wanted; i++) {
        assert_int_equal(loop_turn(w->loop, 1), STATUS_OK);
    }
    assert_int_equal(*value, wanted);
}

static void turn_until_refused(struct world *w, uint32_t at)
{
    for (int i = 0; i < TRIES_MAX && trust_refused(w->workers[at].trust) == 0;
         i++) {
        assert_int_equal(loop_turn(w->loop, 1), STATUS_OK);
    }
    assert_true(trust_refused(w->workers[at].trust) > 0);
}

static void dial(struct world *w, uint32_t from, uint32_t to)
{
    assert_int_equal(
        exchange_connect(w->workers[from].exchange, &w->workers[to].place),
        STATUS_OK);
}

static void test_exchange__takes_frames_of_its_placement(void **state)
{
    struct world *w = *state;

    place(w, 1, 0, 1);
    dial(w, 0, 1);
    assert_true(connected(w, 0, 1, TRIES_MAX));
    assert_int_equal(send_as(w, 0, 1, 0), STATUS_OK);

    turn_until(w, &w->workers[1].frames, 1);
    assert_int_equal(trust_refused(w->workers[1].trust), 0);
}

/* The far end hears of the placement a moment later than we do. */
static void test_exchange__dials_again_until_it_is_known(void **state)
{
    struct world *w = *state;

    dial(w, 0, 1);
    assert_false(connected(w, 0, 1, 200));
    place(w, 1, 0, 1);

    assert_true(connected(w, 0, 1, TRIES_MAX));
}

static void test_exchange__lets_in_nobody_else_of_the_cluster(void **state)
{
    struct world *w = *state;
    struct curvekey keys[WORKERS];
    const struct wire_roster roster = {.count = WORKERS, .keys = keys};

    for (int i = 0; i < WORKERS; i++) {
        keys[i] = w->workers[i].place.key;
    }
    trust_roster(w->workers[1].trust, &roster);
    place(w, 1, 0, 1);
    dial(w, 2, 1);

    assert_false(connected(w, 2, 1, 500));
}

static void test_exchange__drops_a_frame_under_anothers_number(void **state)
{
    struct world *w = *state;

    place(w, 1, 0, 2);
    dial(w, 2, 1);
    assert_true(connected(w, 2, 1, TRIES_MAX));
    assert_int_equal(send_as(w, 2, 1, 0), STATUS_OK);

    turn_until_refused(w, 1);
    assert_int_equal(w->workers[1].frames, 0);
}

/* The connection still stands when the placement has ended. */
static void test_exchange__drops_frames_of_a_placement_that_ended(void **state)
{
    struct world *w = *state;

    place(w, 1, 0, 1);
    dial(w, 0, 1);
    assert_true(connected(w, 0, 1, TRIES_MAX));
    assert_int_equal(send_as(w, 0, 1, 0), STATUS_OK);
    turn_until(w, &w->workers[1].frames, 1);
    trust_place(w->workers[1].trust, 0, NULL, 0);
    assert_int_equal(send_as(w, 0, 1, 0), STATUS_OK);

    turn_until_refused(w, 1);
    assert_int_equal(w->workers[1].frames, 1);
}

static void test_exchange__does_not_send_in_the_open(void **state)
{
    struct world *w = *state;
    struct wire_peer plain = w->workers[1].place;

    plain.curve = false;
    (void)snprintf(plain.endpoint, sizeof(plain.endpoint),
                   "tcp://10.1.2.3:4000");

    assert_int_equal(exchange_connect(w->workers[0].exchange, &plain),
                     STATUS_REFUSED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_exchange__takes_frames_of_its_placement),
        TEST(test_exchange__dials_again_until_it_is_known),
        TEST(test_exchange__lets_in_nobody_else_of_the_cluster),
        TEST(test_exchange__drops_a_frame_under_anothers_number),
        TEST(test_exchange__drops_frames_of_a_placement_that_ended),
        TEST(test_exchange__does_not_send_in_the_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
