#include "coordinator/shell/records/names.h"

#include "base/limits.h"
#include "tests/unit/coordinator/shell/fixture.h"

#include <string.h>

/* j1 "old", j2 "new" with versions 1..4 (4 is a restore of 2), j3 "old".
 *
 *   v1 <- v2 <- v3 <- v4     v4's parents: v3, v2                          */
static int setup(void **state)
{
    static const char *const names[] = {"old", "new", "old"};
    static struct job_record record;
    static struct fixture_model model;
    struct fixture *f = NULL;

    assert_int_equal(fixture_setup(state), 0);
    f = *state;
    for (uint64_t job = 1; job <= 3; job++) {
        fixture_record(&record, job);
        memset(record.spec.name, 0, sizeof(record.spec.name));
        memcpy(record.spec.name, names[job - 1], strlen(names[job - 1]));
        fixture_put_job(f, &record);
    }
    fixture_model_init(&model);
    for (uint64_t v = 1; v <= 4; v++) {
        model.version.parents_count = v > 1 ? 1 : 0;
        model.version.parents[0] = v - 1;
        if (v == 4) {
            model.version.parents_count = 2;
            model.version.parents[1] = 2;
            model.version.cause = CAUSE_RESTORE;
        }
        fixture_model_put(f, &model, 2, v, v == 4 ? "restore" : "commit");
    }
    fixture_move_ref(f, 2, "good", 2, "tag");
    model.version.parents_count = 0;
    model.version.cause = CAUSE_START;
    fixture_model_put(f, &model, 3, 1, "commit");
    return 0;
}

static void expect_job(struct fixture *f, const char *text, uint64_t wanted)
{
    char why[ERROR_BYTES_MAX];
    uint64_t job = 0;
    enum status status = names_find_job(f->store, text, &job, why);

    assert_int_equal(status, wanted != 0 ? STATUS_OK : STATUS_NOT_FOUND);
    assert_int_equal(job, wanted);
}

static void expect_version(struct fixture *f,
                           const char *job,
                           const char *text,
                           uint64_t wanted_job,
                           uint64_t wanted)
{
    char why[ERROR_BYTES_MAX] = "";
    struct version_name name = {0};
    enum status status = names_find_version(f->store, job, text, &name, why);

    if (wanted != 0) {
        assert_int_equal(status, STATUS_OK);
    } else {
        assert_int_equal(status, STATUS_NOT_FOUND);
        assert_true(strlen(why) > 10);
    }
    assert_int_equal(name.job, wanted_job);
    assert_int_equal(name.number, wanted);
}

static void test_names__finds_jobs_by_id_and_name(void **state)
{
    struct fixture *f = *state;

    expect_job(f, "j1", 1);
    expect_job(f, "old", 3);
    expect_job(f, "new", 2);
    expect_job(f, "", 3);
    expect_job(f, "j4", 0);
    expect_job(f, "j", 0);
    expect_job(f, "j99999999999999999999", 0);
    expect_job(f, "other", 0);
}

static void test_names__finds_versions_by_number(void **state)
{
    struct fixture *f = *state;

    expect_version(f, "new", "v3", 2, 3);
    expect_version(f, "", "v1", 3, 1);
    expect_version(f, "", "j2@v3", 2, 3);
    expect_version(f, "old", "new@v3", 2, 3);
    expect_version(f, "j2", "v9", 0, 0);
    expect_version(f, "j2", "v0", 0, 0);
    expect_version(f, "j2", "v99999999999999999999", 0, 0);
    expect_version(f, "", "nobody@v1", 0, 0);
}

static void test_names__finds_versions_from_the_head(void **state)
{
    struct fixture *f = *state;

    expect_version(f, "", "@", 3, 1);
    expect_version(f, "j2", "@", 2, 4);
    expect_version(f, "", "j2@", 2, 4);
    expect_version(f, "j2", "@~1", 2, 3);
    expect_version(f, "", "j2@~3", 2, 1);
    expect_version(f, "j2", "@~4", 0, 0);
    expect_version(f, "j2", "v3~2", 2, 1);
    expect_version(f, "j2", "@~", 0, 0);
    expect_version(f, "j2", "@~x", 0, 0);
    expect_version(f, "j1", "@", 0, 0);
}

static void test_names__finds_where_the_head_was(void **state)
{
    struct fixture *f = *state;

    expect_version(f, "j2", "@{0}", 2, 4);
    expect_version(f, "j2", "@{1}", 2, 3);
    expect_version(f, "", "new@{3}", 2, 1);
    expect_version(f, "j2", "@{4}", 0, 0);
    expect_version(f, "j2", "@{}", 0, 0);
    expect_version(f, "j2", "@{1", 0, 0);
    expect_version(f, "j2", "{1}", 0, 0);
    expect_version(f, "j2", "@{1}~1", 2, 2);
}

static void test_names__finds_tags(void **state)
{
    struct fixture *f = *state;

    expect_version(f, "j2", "good", 2, 2);
    expect_version(f, "", "new@good", 2, 2);
    expect_version(f, "j2", "good~1", 2, 1);
    expect_version(f, "j3", "good", 0, 0);
}

static void test_names__refuses_what_is_no_name(void **state)
{
    struct fixture *f = *state;
    char why[ERROR_BYTES_MAX];
    struct version_name name;
    char text[400];
    uint64_t job = 0;

    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(names_find_job(f->store, text, &job, why), STATUS_INVALID);
    assert_int_equal(names_find_job(f->store, "a\nb", &job, why),
                     STATUS_INVALID);
    assert_int_equal(names_find_version(f->store, "", text, &name, why),
                     STATUS_INVALID);
    assert_int_equal(names_find_version(f->store, "", "\xff", &name, why),
                     STATUS_INVALID);
    assert_int_equal(names_find_version(f->store, "", "", &name, why),
                     STATUS_INVALID);
}

static void test_names__knows_which_tags_fit(void **state)
{
    (void)state;
    assert_true(names_tag_fits("good"));
    assert_true(names_tag_fits("v7b"));
    assert_true(names_tag_fits("a.b-c_9"));
    assert_false(names_tag_fits(""));
    assert_false(names_tag_fits("v7"));
    assert_false(names_tag_fits("j1"));
    assert_false(names_tag_fits("head"));
    assert_false(names_tag_fits("9lives"));
    assert_false(names_tag_fits("a@b"));
    assert_false(names_tag_fits("a b"));
    assert_false(names_tag_fits(
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"));
}

static void test_names__prints_numbers(void **state)
{
    char text[UNIT_BYTES_MAX];

    (void)state;
    assert_string_equal(names_version(7, text), "v7");
    assert_string_equal(names_version(0, text), "");
    assert_string_equal(names_job(12, text), "j12");
    assert_string_equal(names_unit((struct unit_id){0, 812}, text), "u812");
    assert_string_equal(names_unit((struct unit_id){2, 812}, text), "u812.2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_names__finds_jobs_by_id_and_name,
                                        setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_names__finds_versions_by_number,
                                        setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
            test_names__finds_versions_from_the_head, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_names__finds_where_the_head_was,
                                        setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_names__finds_tags, setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_names__refuses_what_is_no_name,
                                        setup, fixture_teardown),
        cmocka_unit_test(test_names__knows_which_tags_fit),
        cmocka_unit_test(test_names__prints_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
