#include "coordinator/shell/links/chunks.h"

#include "base/mem.h"
#include "proto/chunk.h"
#include "tests/unit/coordinator/shell/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct world {
    struct fixture *f;
    struct loop *loop;
    struct link_context *context;
    struct jobs *writer;
    struct jobs *reader;
    struct chunks *chunks;
    struct link *worker;
    unsigned char bytes[CHUNK_BYTES_MAX + 1];
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct chunks_options options;
    const struct link_options dealer = {.kind = LINK_DEALER,
                                        .part_bytes_max = 2 * CHUNK_BYTES_MAX};
    char endpoint[96];
    void *f = NULL;

    assert_non_null(w);
    assert_int_equal(fixture_setup(&f), 0);
    w->f = f;
    (void)snprintf(endpoint, sizeof(endpoint), "ipc://%s/c", w->f->dir);
    assert_int_equal(loop_open(&w->loop), STATUS_OK);
    assert_int_equal(link_context_open(&w->context), STATUS_OK);
    assert_int_equal(jobs_open(w->loop, w->context, 1, 8, &w->writer),
                     STATUS_OK);
    assert_int_equal(jobs_open(w->loop, w->context, 1, 8, &w->reader),
                     STATUS_OK);
    options = (struct chunks_options){.loop = w->loop,
                                      .context = w->context,
                                      .store = w->f->store,
                                      .writer = w->writer,
                                      .reader = w->reader,
                                      .endpoint = endpoint};
    assert_int_equal(chunks_open(&options, &w->chunks), STATUS_OK);
    assert_int_equal(link_connect(w->context, &dealer,
                                  chunks_endpoint(w->chunks), &w->worker),
                     STATUS_OK);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    void *f = w->f;

    chunks_stop(w->chunks);
    jobs_stop(w->writer);
    jobs_stop(w->reader);
    jobs_join(w->writer);
    jobs_join(w->reader);
    chunks_close(w->chunks);
    jobs_close(w->writer);
    jobs_close(w->reader);
    link_close(w->worker);
    link_context_close(w->context);
    loop_close(w->loop);
    free(w);
    return fixture_teardown(&f);
}

static void send_parts(struct world *w, struct part *parts, size_t count)
{
    enum status status = STATUS_BUSY;

    for (int i = 0; i < 5000 && status == STATUS_BUSY; i++) {
        status = link_send(w->worker, parts, count);
        if (status == STATUS_BUSY) {
            assert_int_equal(loop_turn(w->loop, 1), STATUS_OK);
        }
    }
    assert_int_equal(status, STATUS_OK);
}

static void ask(struct world *w,
                enum chunk_kind kind,
                const struct hash *hash,
                size_t size)
{
    const struct chunk_header header = {.kind = kind, .hash = *hash};
    unsigned char bytes[CHUNK_HEADER_BYTES_MAX];
    size_t header_size = chunk_header_encode(&header, bytes);
    struct part parts[2];

    assert_int_equal(part_init_copy(&parts[0], bytes, header_size), STATUS_OK);
    if (kind == CHUNK_PUT) {
        assert_int_equal(part_init_copy(&parts[1], w->bytes, size), STATUS_OK);
    }
    send_parts(w, parts, kind == CHUNK_PUT ? 2 : 1);
}

static bool receive(struct world *w, struct part *parts, size_t *count)
{
    for (int i = 0; i < 2000; i++) {
        if (link_receive(w->worker, parts, 2, count) == STATUS_OK) {
            return true;
        }
        assert_int_equal(loop_turn(w->loop, 1), STATUS_OK);
    }
    return false;
}

static void expect(struct world *w,
                   enum chunk_kind kind,
                   enum status wanted,
                   const struct hash *hash,
                   size_t size)
{
    struct chunk_header header;
    struct part parts[2];
    size_t count = 0;

    assert_true(receive(w, parts, &count));
    assert_int_equal(chunk_header_decode(part_data(&parts[0]),
                                         part_size(&parts[0]), &header),
                     STATUS_OK);
    assert_int_equal(header.kind, kind);
    assert_int_equal(header.status, wanted);
    if (hash != NULL) {
        assert_true(hash_equal(&header.hash, hash));
    }
    assert_int_equal(count, size > 0 ? 2 : 1);
    if (size > 0) {
        assert_int_equal(part_size(&parts[1]), size);
        assert_memory_equal(part_data(&parts[1]), w->bytes, size);
    }
    for (size_t p = 0; p < count; p++) {
        part_close(&parts[p]);
    }
}

static void fill(struct world *w, unsigned seed, size_t size, struct hash *hash)
{
    for (size_t i = 0; i < size; i++) {
        w->bytes[i] = (unsigned char)(seed + i * 7);
    }
    hash_bytes(w->bytes, size, hash);
}

static void test_chunks__gives_back_what_was_put(void **state)
{
    struct world *w = *state;
    struct hash hash;

    fill(w, 1, CHUNK_BYTES_MAX, &hash);
    ask(w, CHUNK_PUT, &hash, CHUNK_BYTES_MAX);
    expect(w, CHUNK_STORED, STATUS_OK, &hash, 0);

    ask(w, CHUNK_GET, &hash, 0);
    expect(w, CHUNK_BYTES, STATUS_OK, &hash, CHUNK_BYTES_MAX);
}

static void test_chunks__refuses_bytes_of_another_hash(void **state)
{
    struct world *w = *state;
    struct hash good;
    struct hash bad;

    fill(w, 2, 100, &good);
    bad = good;
    bad.b[0] ^= 1;
    ask(w, CHUNK_PUT, &bad, 100);
    ask(w, CHUNK_PUT, &good, 100);

    expect(w, CHUNK_STORED, STATUS_CORRUPT, &bad, 0);
    expect(w, CHUNK_STORED, STATUS_OK, &good, 0);
}

static void test_chunks__says_what_is_not_there(void **state)
{
    struct world *w = *state;
    struct hash hash;

    fill(w, 3, 10, &hash);
    ask(w, CHUNK_GET, &hash, 0);

    expect(w, CHUNK_BYTES, STATUS_NOT_FOUND, &hash, 0);
}

/* More than the tables hold: the sender is held back and nothing is lost. */
static void test_chunks__takes_many_at_once(void **state)
{
    enum { MANY = 300 };
    struct world *w = *state;
    static struct hash hashes[MANY];

    for (unsigned i = 0; i < MANY; i++) {
        fill(w, i * 31, 64 + i, &hashes[i]);
        ask(w, CHUNK_PUT, &hashes[i], 64 + i);
    }
    for (unsigned i = 0; i < MANY; i++) {
        expect(w, CHUNK_STORED, STATUS_OK, &hashes[i], 0);
    }
    for (unsigned i = 0; i < MANY; i++) {
        ask(w, CHUNK_GET, &hashes[i], 0);
    }
    for (unsigned i = 0; i < MANY; i++) {
        struct hash hash;

        fill(w, i * 31, 64 + i, &hash);
        expect(w, CHUNK_BYTES, STATUS_OK, &hashes[i], 64 + i);
    }
}

static void test_chunks__drops_what_it_cannot_read(void **state)
{
    struct world *w = *state;
    struct part parts[4];
    struct hash hash;
    bool arrived = false;

    for (int count = 1; count <= 4; count++) {
        for (int p = 0; p < count; p++) {
            assert_int_equal(part_init_copy(&parts[p], "\xffnonsense", 9),
                             STATUS_OK);
        }
        send_parts(w, parts, (size_t)count);
    }
    fill(w, 4, 10, &hash);
    ask(w, CHUNK_PUT, &hash, 0); /* an empty chunk is none */

    /* Each of them has cost the connection, which 0MQ builds anew. */
    for (int i = 0; i < 50 && !arrived; i++) {
        size_t count = 0;

        ask(w, CHUNK_GET, &hash, 0);
        for (int j = 0; j < 50 && !arrived; j++) {
            arrived = link_receive(w->worker, parts, 2, &count) == STATUS_OK;
            assert_int_equal(loop_turn(w->loop, 1), STATUS_OK);
        }
        while (count > 0) {
            part_close(&parts[--count]);
        }
    }
    assert_true(arrived);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_chunks__gives_back_what_was_put),
        TEST(test_chunks__refuses_bytes_of_another_hash),
        TEST(test_chunks__says_what_is_not_there),
        TEST(test_chunks__takes_many_at_once),
        TEST(test_chunks__drops_what_it_cannot_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
