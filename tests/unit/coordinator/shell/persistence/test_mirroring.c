#include "coordinator/shell/persistence/mirroring.h"

#include "coordinator/shell/records/recordcode.h"
#include "tests/unit/coordinator/shell/fixture.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct job_record record_at(const char *dir)
{
    struct job_record record;

    fixture_record(&record, 12);
    record.created_ms = 0x19abc;
    record.state = JOB_RUNNING;
    memcpy(record.spec.name, "fashion", 8);
    memcpy(record.spec.store.mirror, dir, strlen(dir) + 1);
    return record;
}

static void test_mirroring__names_the_file_by_the_record(void **state)
{
    struct job_record record = record_at("/far");
    char path[PATH_BYTES_MAX];

    (void)state;
    assert_true(mirroring_path(&record, path));
    assert_string_equal(path, "/far/fashion-j12-19abc.mirror");
    record = record_at("");
    assert_false(mirroring_path(&record, path));
}

static void test_mirroring__has_room_for_the_longest_names(void **state)
{
    struct job_record record = record_at("/");
    char path[PATH_BYTES_MAX];

    (void)state;
    memset(record.spec.name, 'n', NAME_BYTES_MAX - 1);
    memset(record.spec.store.mirror, 'd', PATH_BYTES_MAX - MIRROR_NAME_BYTES);
    record.spec.store.mirror[PATH_BYTES_MAX - MIRROR_NAME_BYTES] = '\0';
    record.job = UINT64_MAX;
    record.created_ms = UINT64_MAX;
    assert_true(mirroring_path(&record, path));
}

static void test_mirroring__finds_the_place_in_the_bytes(void **state)
{
    static unsigned char bytes[RECORD_BYTES_MAX];
    struct job_record record = record_at("/far");
    struct store_mirror_place place;
    size_t size = recordcode_encode(&record, bytes);

    (void)state;
    assert_int_equal(mirroring_place(NULL, 12, bytes, size, &place), STATUS_OK);
    assert_string_equal(place.path, "/far/fashion-j12-19abc.mirror");
    assert_false(place.rests);
    record.state = JOB_FINISHED;
    size = recordcode_encode(&record, bytes);
    assert_int_equal(mirroring_place(NULL, 12, bytes, size, &place), STATUS_OK);
    assert_true(place.rests);
    assert_int_equal(mirroring_place(NULL, 12, bytes, 9, &place),
                     STATUS_NOT_FOUND);
    record = record_at("");
    size = recordcode_encode(&record, bytes);
    assert_int_equal(mirroring_place(NULL, 12, bytes, size, &place),
                     STATUS_NOT_FOUND);
}

static void test_mirroring__refuses_the_store_itself(void **state)
{
    struct fixture *f = *state;
    char why[ERROR_BYTES_MAX];
    char path[PATH_BYTES_MAX];

    (void)snprintf(path, sizeof(path), "%s/x", f->dir);
    assert_int_equal(mirroring_check(f->dir, f->dir, why, sizeof(why)),
                     STATUS_INVALID);
    assert_int_equal(mirroring_check(path, f->dir, why, sizeof(why)),
                     STATUS_INVALID);
    assert_non_null(strstr(why, "store's own directory"));
    (void)snprintf(path, sizeof(path), "%s-x", f->dir);
    assert_int_equal(mirroring_check(path, f->dir, why, sizeof(why)),
                     STATUS_OK);
    assert_int_equal(symlink(f->dir, path), 0);
    assert_int_equal(mirroring_check(path, f->dir, why, sizeof(why)),
                     STATUS_INVALID);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mirroring_check("", f->dir, why, sizeof(why)), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mirroring__names_the_file_by_the_record),
        cmocka_unit_test(test_mirroring__has_room_for_the_longest_names),
        cmocka_unit_test(test_mirroring__finds_the_place_in_the_bytes),
        cmocka_unit_test_setup_teardown(
            test_mirroring__refuses_the_store_itself, fixture_setup,
            fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
