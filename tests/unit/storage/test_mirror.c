#include "storage/mirror.h"

#include "tests/unit/storage/fixture.h"

/* One chunk, one batch, one chunk: what a small mirror holds. */
static const char *const payloads[] = {"a chunk", "a batch", "another chunk"};
enum { PAYLOADS_COUNT = 3 };

static char path[96];

static struct mirror *open_at(struct fixture *f, uint64_t position)
{
    struct mirror *mirror = NULL;
    enum status status;

    (void)snprintf(path, sizeof(path), "%s/far/job.mirror", f->dir);
    status = mirror_open(&(struct mirror_options){.path = path,
                                                  .position = position,
                                                  .why = f->why,
                                                  .why_size = sizeof(f->why)},
                         &mirror);
    return status == STATUS_OK ? mirror : NULL;
}

static enum status put(struct mirror *mirror, const char *text)
{
    enum mirror_kind kind =
        strstr(text, "chunk") != NULL ? MIRROR_CHUNK : MIRROR_BATCH;
    struct hash hash;

    hash_bytes(text, strlen(text), &hash);
    return mirror_put(mirror, kind, &hash, text, strlen(text));
}

static bool has(const struct mirror *mirror, const char *text)
{
    struct hash hash;

    hash_bytes(text, strlen(text), &hash);
    return mirror_has_chunk(mirror, &hash);
}

/* A closed mirror of all payloads; its size. */
static uint64_t make_whole(struct fixture *f)
{
    struct mirror *mirror = open_at(f, 0);
    uint64_t size;

    assert_non_null(mirror);
    for (int i = 0; i < PAYLOADS_COUNT; i++) {
        assert_int_equal(put(mirror, payloads[i]), STATUS_OK);
    }
    assert_int_equal(mirror_sync(mirror), STATUS_OK);
    size = mirror_position(mirror);
    mirror_close(mirror);
    return size;
}

static enum status count_entry(void *owner,
                               enum mirror_kind kind,
                               const struct hash *hash,
                               const unsigned char *payload,
                               size_t size)
{
    int *count = owner;

    (void)hash;
    assert_true(*count < PAYLOADS_COUNT);
    assert_int_equal(kind, *count == 1 ? MIRROR_BATCH : MIRROR_CHUNK);
    assert_int_equal(size, strlen(payloads[*count]));
    assert_memory_equal(payload, payloads[*count], size);
    (*count)++;
    return STATUS_OK;
}

static int scan(uint64_t *end, uint64_t *left, enum status *status)
{
    int count = 0;

    *status = mirror_scan(path, count_entry, &count, end, left);
    return count;
}

static void test_mirror__gives_its_entries_back_in_order(void **state)
{
    uint64_t size = make_whole(*state);
    uint64_t end = 0;
    uint64_t left = 1;
    enum status status;

    assert_int_equal(scan(&end, &left, &status), PAYLOADS_COUNT);

    assert_int_equal(status, STATUS_OK);
    assert_int_equal(end, size);
    assert_int_equal(left, 0);
}

static void test_mirror__cut_short_anywhere_keeps_its_whole_entries(
    void **state)
{
    uint64_t size = make_whole(*state);

    for (uint64_t cut = size; cut-- > 0;) {
        uint64_t end = 0;
        uint64_t left = 0;
        enum status status;
        int count;

        assert_int_equal(truncate(path, (off_t)cut), 0);
        count = scan(&end, &left, &status);
        assert_true(count < PAYLOADS_COUNT);
        if (count > 0 || cut == 0) {
            assert_int_equal(status, STATUS_OK);
            assert_int_equal(end + left, cut);
        } else {
            assert_int_equal(status, STATUS_CORRUPT);
        }
    }
}

static void test_mirror__with_a_flipped_bit_ends_before_it(void **state)
{
    uint64_t size = make_whole(*state);
    int fd = open(path, O_RDWR | O_CLOEXEC);

    assert_true(fd >= 0);
    for (uint64_t at = 0; at < size; at++) {
        unsigned char byte;
        unsigned char flipped;
        uint64_t end = 0;
        uint64_t left = 0;
        enum status status;
        int count;

        assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
        flipped = byte ^ 0x10;
        assert_int_equal(pwrite(fd, &flipped, 1, (off_t)at), 1);
        count = scan(&end, &left, &status);
        assert_true(count < PAYLOADS_COUNT);
        assert_true(count == 0 || end <= at);
        assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
    }
    close(fd);
}

static void test_mirror__opened_again_knows_its_chunks(void **state)
{
    uint64_t size = make_whole(*state);
    struct mirror *mirror = open_at(*state, size);

    assert_non_null(mirror);
    assert_true(has(mirror, payloads[0]));
    assert_true(has(mirror, payloads[2]));
    assert_false(has(mirror, payloads[1]));
    assert_false(has(mirror, "a third chunk"));
    mirror_close(mirror);
}

static void test_mirror__opened_earlier_loses_what_lies_behind(void **state)
{
    uint64_t size = make_whole(*state);
    uint64_t first = 48 + strlen(payloads[0]);
    struct mirror *mirror = open_at(*state, first);
    struct stat info;

    assert_non_null(mirror);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_size, first);
    assert_true(has(mirror, payloads[0]));
    assert_false(has(mirror, payloads[2]));
    mirror_close(mirror);
    assert_null(open_at(*state, size)); /* is shorter now */
    assert_null(open_at(*state, 0));    /* would be lost */
}

static void test_mirror__takes_a_transaction_back(void **state)
{
    struct fixture *f = *state;
    struct mirror *mirror = open_at(f, 0);
    uint64_t before;

    assert_int_equal(put(mirror, payloads[0]), STATUS_OK);
    before = mirror_position(mirror);
    assert_int_equal(put(mirror, payloads[2]), STATUS_OK);
    mirror_take_back(mirror, before);

    assert_int_equal(mirror_position(mirror), before);
    assert_true(has(mirror, payloads[0]));
    assert_false(has(mirror, payloads[2]));
    mirror_close(mirror);
}

static void test_mirror__knows_many_chunks(void **state)
{
    struct mirror *mirror = open_at(*state, 0);
    char text[32];

    for (int i = 0; i < 1000; i++) {
        (void)snprintf(text, sizeof(text), "chunk %d", i);
        assert_false(has(mirror, text));
        assert_int_equal(put(mirror, text), STATUS_OK);
    }
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(text, sizeof(text), "chunk %d", i);
        assert_true(has(mirror, text));
    }
    mirror_close(mirror);
}

static void test_mirror__survives_each_failed_allocation(void **state)
{
    enum status status = STATUS_NO_MEMORY;

    (void)make_whole(*state);
    for (uint64_t n = 1; status == STATUS_NO_MEMORY; n++) {
        uint64_t end = 0;
        uint64_t left = 0;

        mem_fail_at(n);
        (void)scan(&end, &left, &status);
        mem_fail_at(0);
    }
    assert_int_equal(status, STATUS_OK);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_mirror__gives_its_entries_back_in_order),
        TEST(test_mirror__cut_short_anywhere_keeps_its_whole_entries),
        TEST(test_mirror__with_a_flipped_bit_ends_before_it),
        TEST(test_mirror__opened_again_knows_its_chunks),
        TEST(test_mirror__opened_earlier_loses_what_lies_behind),
        TEST(test_mirror__takes_a_transaction_back),
        TEST(test_mirror__knows_many_chunks),
        TEST(test_mirror__survives_each_failed_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
