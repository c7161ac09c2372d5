/* test_chunks.c - the chunk link: what is asked is answered, also where a
 * connection is lost in between. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include "worker/shell/chunks.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "proto/chunk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TRIES_MAX = 5000, /* of a millisecond each */
    PARTS_MAX = 3,    /* who, header, bytes */
    LIFE = 7
};

static const char tensor[] = "four floats, say";

/* A worker's link, and a store's end of it that answers as it is told. */
struct world {
    char directory[64];
    char endpoint[128];
    struct loop *loop;
    struct link_context *context;
    struct link *store;
    struct chunks *chunks;
    struct hash hash; /* of tensor */
    struct part parts[PARTS_MAX];
    size_t parts_count; /* of the request that the store holds; 0: none */
    int answers;
    enum status status; /* of the last answer */
    bool same;          /* it had the tensor's bytes */
};

static int open_world(void **state)
{
    static struct world w;
    struct link_options options = {.kind = LINK_ROUTER,
                                   .part_bytes_max = 1 << 20};

    w = (struct world){.directory = "/tmp/cajal-chunks-XXXXXX"};
    if (mkdtemp(w.directory) == NULL) {
        return -1;
    }
    (void)snprintf(w.endpoint, sizeof(w.endpoint), "ipc://%s/s", w.directory);
    hash_bytes(tensor, sizeof(tensor), &w.hash);
    *state = &w;
    return loop_open(&w.loop) == STATUS_OK &&
                   link_context_open(&w.context) == STATUS_OK &&
                   link_bind(w.context, &options, w.endpoint, &w.store) ==
                       STATUS_OK &&
                   chunks_open(w.loop, w.context, &w.chunks) == STATUS_OK &&
                   chunks_connect(w.chunks, w.endpoint, NULL, LIFE) == STATUS_OK
               ? 0
               : -1;
}

static void drop_parts(struct world *w)
{
    while (w->parts_count > 0) {
        part_close(&w->parts[--w->parts_count]);
    }
}

static int close_world(void **state)
{
    struct world *w = *state;

    drop_parts(w);
    chunks_close(w->chunks);
    link_close(w->store);
    link_context_close(w->context);
    loop_close(w->loop);
    (void)unlink(w->endpoint + strlen("ipc://"));
    (void)rmdir(w->directory);
    return mem_live() == 0 ? 0 : -1;
}

static void on_stop(void *owner)
{
    struct world *w = owner;

    loop_stop(w->loop);
}

/* One millisecond of the worker's loop. */
static void turn(struct world *w)
{
    uint32_t timer = 0;

    assert_int_equal(
        loop_add_timer(w->loop, clock_now_ms() + 1, on_stop, w, &timer),
        STATUS_OK);
    assert_int_equal(loop_run(w->loop), STATUS_OK);
    loop_remove_timer(w->loop, timer);
}

/* The store gets the next request, which must be of this kind. */
static void await_request(struct world *w, enum chunk_kind kind)
{
    struct chunk_header header = {.kind = 0};

    drop_parts(w);
    for (int i = 0; w->parts_count == 0 && i < TRIES_MAX; i++) {
        turn(w);
        if (link_receive(w->store, w->parts, PARTS_MAX, &w->parts_count) !=
            STATUS_OK) {
            w->parts_count = 0;
        }
    }
    assert_int_equal(w->parts_count, kind == CHUNK_PUT ? 3 : 2);
    assert_int_equal(chunk_header_decode(part_data(&w->parts[1]),
                                         part_size(&w->parts[1]), &header),
                     STATUS_OK);
    assert_int_equal(header.kind, kind);
    assert_true(hash_equal(&header.hash, &w->hash));
}

/* The connection that the request came by is lost. */
static void hang_up(struct world *w)
{
    link_hang_up(w->store, link_connection(&w->parts[0]));
}

static void answer(struct world *w, enum chunk_kind kind)
{
    struct chunk_header header = {.kind = kind, .hash = w->hash};
    unsigned char bytes[CHUNK_HEADER_BYTES_MAX];
    size_t size = chunk_header_encode(&header, bytes);
    struct part parts[PARTS_MAX];
    size_t count = kind == CHUNK_BYTES ? 3 : 2;

    part_move(&parts[0], &w->parts[0]);
    assert_int_equal(part_init_copy(&parts[1], bytes, size), STATUS_OK);
    if (count == 3) {
        assert_int_equal(part_init_copy(&parts[2], tensor, sizeof(tensor)),
                         STATUS_OK);
    }
    assert_int_equal(link_send(w->store, parts, count), STATUS_OK);
}

static void on_done(void *owner, enum status status, struct part *bytes)
{
    struct world *w = owner;

    w->answers++;
    w->status = status;
    w->same = bytes != NULL && part_size(bytes) == sizeof(tensor) &&
              memcmp(part_data(bytes), tensor, sizeof(tensor)) == 0;
}

static void await_answer(struct world *w)
{
    for (int i = 0; w->answers == 0 && i < TRIES_MAX; i++) {
        turn(w);
    }
    assert_int_equal(w->answers, 1);
}

static void put(struct world *w)
{
    struct part bytes;

    assert_int_equal(part_init_copy(&bytes, tensor, sizeof(tensor)), STATUS_OK);
    assert_int_equal(chunks_put(w->chunks, &w->hash, &bytes, on_done, w),
                     STATUS_OK);
}

/* --- Tests --- */

static void test_chunks__what_is_asked_is_answered_once(void **state)
{
    struct world *w = *state;

    assert_int_equal(chunks_get(w->chunks, &w->hash, on_done, w), STATUS_OK);
    await_request(w, CHUNK_GET);
    answer(w, CHUNK_BYTES);
    await_answer(w);

    assert_int_equal(w->status, STATUS_OK);
    assert_true(w->same);
}

/* Its deadline is 30 s away; this test gives it five. */
static void test_chunks__a_lost_connection_is_asked_again_at_once(void **state)
{
    struct world *w = *state;
    uint64_t begun_ms = 0;

    assert_int_equal(chunks_get(w->chunks, &w->hash, on_done, w), STATUS_OK);
    await_request(w, CHUNK_GET);
    begun_ms = clock_now_ms();
    hang_up(w);
    await_request(w, CHUNK_GET);
    answer(w, CHUNK_BYTES);
    await_answer(w);

    assert_int_equal(w->status, STATUS_OK);
    assert_true(w->same);
    assert_true(clock_now_ms() - begun_ms < CHUNKS_DEADLINE_MS / 2);
}

static void test_chunks__bytes_are_sent_again_whole(void **state)
{
    struct world *w = *state;

    put(w);
    await_request(w, CHUNK_PUT);
    hang_up(w);
    await_request(w, CHUNK_PUT);
    assert_int_equal(part_size(&w->parts[2]), sizeof(tensor));
    assert_memory_equal(part_data(&w->parts[2]), tensor, sizeof(tensor));
    answer(w, CHUNK_STORED);
    await_answer(w);

    assert_int_equal(w->status, STATUS_OK);
}

static void test_chunks__what_is_forgotten_is_not_asked_again(void **state)
{
    struct world *w = *state;
    struct part parts[PARTS_MAX];
    size_t count = 0;

    put(w);
    await_request(w, CHUNK_PUT);
    chunks_forget(w->chunks, w);
    hang_up(w);
    for (int i = 0; i < 300; i++) { /* 0MQ comes back within 200 ms */
        turn(w);
    }

    assert_int_equal(link_receive(w->store, parts, PARTS_MAX, &count),
                     STATUS_BUSY);
    assert_int_equal(w->answers, 0);
}

/* The coordinator's next life knows nothing of what was asked. */
static void test_chunks__a_new_life_ends_what_was_asked(void **state)
{
    struct world *w = *state;

    put(w);
    await_request(w, CHUNK_PUT);
    assert_int_equal(chunks_connect(w->chunks, w->endpoint, NULL, LIFE + 1),
                     STATUS_OK);

    await_answer(w);
    assert_int_equal(w->status, STATUS_UNAVAILABLE);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_chunks__what_is_asked_is_answered_once),
        TEST(test_chunks__a_lost_connection_is_asked_again_at_once),
        TEST(test_chunks__bytes_are_sent_again_whole),
        TEST(test_chunks__what_is_forgotten_is_not_asked_again),
        TEST(test_chunks__a_new_life_ends_what_was_asked),
    };

    log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_ERROR, "test");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
