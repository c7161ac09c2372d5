#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "proto/jobpath.h"
#include "base/mem.h"
#include <string.h>

static const char file[] = "train: {lr: 0.1, optimizer: {name: sgd}}\n"
                           "model: {hidden: [8, {units: 9}]}\n"
                           "data: {tasks: {kind: rotate}}\n"
                           "plasticity:\n"
                           "  grow: [{policy: plateau, add: 5 units}]\n"
                           "  prune: contribution\n";

static struct yamldoc *doc;

static int close_tree(void **state)
{
    (void)state;
    yamldoc_close(doc);
    return mem_live() == 0 ? 0 : -1;
}

static int open_tree(void **state)
{
    static struct yamlnode *root;
    struct yamlfault fault;

    if (yamldoc_open(sizeof(file), &doc) != STATUS_OK ||
        yamldoc_parse(doc, file, sizeof(file) - 1, 0, &fault, &root) !=
            STATUS_OK) {
        return -1;
    }
    *state = root;
    return 0;
}

static void test_jobpath__finds_what_a_short_form_holds(void **state)
{
    static const struct {
        const char *path;
        const char *as_written;
        bool found;
        uint32_t line;
        uint32_t column;
    } cases[] = {
        {"train", "train", true, 1, 8},
        {"train.lr", "train.lr", true, 1, 13},
        {"train.lr.peak", "train.lr", true, 1, 13},
        {"train.lr.warmup", "train.lr.warmup", false, 1, 13},
        {"train.optimizer.name", "train.optimizer.name", true, 1, 36},
        {"train.batch", "train.batch", false, 1, 8},
        {"train.batch.x[3]", "train.batch.x[3]", false, 1, 8},
        {"model.hidden[0].units", "model.hidden[0]", true, 2, 18},
        {"model.hidden[1].units", "model.hidden[1].units", true, 2, 29},
        {"model.hidden[2].units", "model.hidden[2].units", false, 2, 8},
        {"data.tasks[0].kind", "data.tasks.kind", true, 3, 22},
        {"data.tasks[1].kind", "data.tasks[1].kind", false, 3, 7},
        {"plasticity.grow.add", "plasticity.grow[0].add", true, 5, 33},
        {"plasticity.grow[0].add", "plasticity.grow[0].add", true, 5, 33},
        {"plasticity.prune.policy", "plasticity.prune", true, 6, 10},
        {"plasticity.prune.below", "plasticity.prune.below", false, 6, 10},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct jobpath_place place;

        jobpath_find(*state, cases[i].path, &place);

        assert_string_equal(place.path, cases[i].as_written);
        assert_int_equal(place.found, cases[i].found);
        assert_int_equal(place.node->line, cases[i].line);
        assert_int_equal(place.node->column, cases[i].column);
    }
}

static void test_jobpath__takes_a_path_step_by_step(void **state)
{
    const char *path = "a.bc[12].d";
    const char *end = path + strlen(path);
    struct jobpath_step step;

    (void)state;
    assert_true(jobpath_next(&path, end, &step));
    assert_int_equal(step.name_size, 1);
    assert_false(step.has_index);
    assert_true(jobpath_next(&path, end, &step));
    assert_memory_equal(step.name, "bc", 2);
    assert_int_equal(step.index, 12);
    assert_true(jobpath_next(&path, end, &step));
    assert_memory_equal(step.name, "d", 1);
    assert_ptr_equal(path, end);
    assert_false(jobpath_next(&path, end, &step));
}

static void test_jobpath__refuses_a_malformed_step(void **state)
{
    static const char *const paths[] = {
        "",    ".a",    "[0]", "a[",    "a[]",           "a[x]",
        "a[1", "a[1]b", "a.",  "a[-1]", "a[99999999999]"};

    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        const char *path = paths[i];
        struct jobpath_step step;

        assert_false(jobpath_next(&path, path + strlen(path), &step));
    }
}

static void test_jobpath__covers_itself_and_what_is_inside(void **state)
{
    (void)state;
    assert_true(jobpath_covers("a.b", "a.b"));
    assert_true(jobpath_covers("a.b", "a.b.c"));
    assert_true(jobpath_covers("a.b", "a.b[1]"));
    assert_false(jobpath_covers("a.b", "a.bc"));
    assert_false(jobpath_covers("a.b", "a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jobpath__finds_what_a_short_form_holds),
        cmocka_unit_test(test_jobpath__takes_a_path_step_by_step),
        cmocka_unit_test(test_jobpath__refuses_a_malformed_step),
        cmocka_unit_test(test_jobpath__covers_itself_and_what_is_inside),
    };

    return cmocka_run_group_tests(tests, open_tree, close_tree);
}
