#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "tests/unit/proto/broken.h"
#include <stdio.h>
#include <string.h>

static const struct broken files[] = {
    {"",
     {NULL},
     "bad.yaml:1:1: error: the file is empty\n"
     "   its first line is: version: 1\n"
     "1 error\n"},
    {"# nothing\n",
     {NULL},
     "bad.yaml:1:1: error: the file is empty\n"
     "   its first line is: version: 1\n"
     "1 error\n"},
    {"- 1\n",
     {NULL},
     "bad.yaml:1:1: error: a job file is a mapping of keys\n"
     "   its first line is: version: 1\n"
     "1 error\n"},
    {"version: 2\n"
     "what: ever\n",
     {NULL},
     "bad.yaml:1:10: error: version: this is release " CAJAL_VERSION
     ", which reads version 1 of the job file; version 2 needs a newer "
     "release\n"
     "    1 | version: 2\n"
     "      |          ^\n"
     "1 error\n"},
    {"version: 0\n",
     {NULL},
     "bad.yaml:1:10: error: version: this is release " CAJAL_VERSION
     ", which reads version 1 of the job file; version 0 never was\n"
     "    1 | version: 0\n"
     "      |          ^\n"
     "1 error\n"},
    {"version: one\n"
     "name: a\n"
     "data: {format: idx, dir: /d}\n"
     "model: {hidden: [8]}\n",
     {NULL},
     "bad.yaml:1:10: error: version: \"one\" is not a number\n"
     "    1 | version: one\n"
     "      |          ^~~\n"
     "   like this: version: 1\n"
     "1 error\n"},
    {"name: a\n",
     {NULL},
     "bad.yaml:1:1: error: version: is missing\n"
     "   like this: version: 1\n"
     "bad.yaml:1:1: error: data: is missing\n"
     "   like this: data: {format: idx, dir: "
     "/usr/share/datasets/fashion-mnist}\n"
     "bad.yaml:1:1: error: model: is missing\n"
     "   like this: model: {kind: mlp, hidden: [256, 256]}\n"
     "3 errors\n"},
    {"version: 1\n"
     "data:\n"
     "model:\n",
     {NULL},
     "bad.yaml:2:1: error: data.format: is missing\n"
     "    2 | data:\n"
     "      | ^~~~\n"
     "   like this: format: idx\n"
     "bad.yaml:2:1: error: data.dir: is missing\n"
     "    2 | data:\n"
     "      | ^~~~\n"
     "   like this: dir: /usr/share/datasets/fashion-mnist\n"
     "bad.yaml:3:1: error: model.hidden: is missing\n"
     "    3 | model:\n"
     "      | ^~~~~\n"
     "   like this: hidden: [256, 256]\n"
     "3 errors\n"},
    {WHOLE "train: {lr: 0.1\n",
     {NULL},
     "bad.yaml:5:1: error: not valid YAML: did not find expected ',' or '}'\n"
     "1 error\n"},
    {WHOLE "train:\n"
           "\011lr: 0.1\n",
     {NULL},
     "bad.yaml:5:1: error: not valid YAML: found character that cannot start "
     "any token\n"
     "    5 |  lr: 0.1\n"
     "      | ^\n"
     "   a tab, @, ` or % cannot begin a value: indent with blanks, and put "
     "the value in quotes\n"
     "1 error\n"},
    {WHOLE "name: a: b\n",
     {NULL},
     "bad.yaml:4:8: error: not valid YAML: mapping values are not allowed in "
     "this context\n"
     "    4 | name: a: b\n"
     "      |        ^\n"
     "   look for a missing line break, a wrong indentation, or a text with a "
     "colon that needs quotes\n"
     "1 error\n"},
    {WHOLE "train: &t {lr: 0.1}\n",
     {NULL},
     "bad.yaml:4:8: error: anchors and aliases are not allowed in a job file; "
     "write the value out\n"
     "    4 | train: &t {lr: 0.1}\n"
     "      |        ^\n"
     "1 error\n"},
    {WHOLE "train: *t\n",
     {NULL},
     "bad.yaml:4:8: error: anchors and aliases are not allowed in a job file; "
     "write the value out\n"
     "    4 | train: *t\n"
     "      |        ^\n"
     "1 error\n"},
    {WHOLE "seed: !!int 7\n",
     {NULL},
     "bad.yaml:4:7: error: tags are not allowed in a job file; each key knows "
     "the type of its value\n"
     "    4 | seed: !!int 7\n"
     "      |       ^\n"
     "1 error\n"},
    {WHOLE "<<: {seed: 7}\n",
     {NULL},
     "bad.yaml:4:1: error: <<: unknown key\n"
     "    4 | <<: {seed: 7}\n"
     "      | ^~\n"
     "   keys here: version, name, seed, from, data, model, loss, train, "
     "report, evaluate, stop, plasticity, keep, store, run\n"
     "1 error\n"},
    {WHOLE "---\n"
           "seed: 7\n",
     {NULL},
     "bad.yaml:4:1: error: a job file is one document; a second one begins "
     "here\n"
     "    4 | ---\n"
     "      | ^\n"
     "1 error\n"},
    {WHOLE "x-n: [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]\n",
     {NULL},
     "bad.yaml:4:21: error: nested too deeply for a job file\n"
     "    4 | x-n: [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]\n"
     "      |                     ^\n"
     "1 error\n"},
    {WHOLE "? [a]\n"
           ": b\n",
     {NULL},
     "bad.yaml:4:3: error: a key must be a word, not a list or a mapping\n"
     "    4 | ? [a]\n"
     "      |   ^\n"
     "1 error\n"},
    {WHOLE "name: \"a\\0b\"\n",
     {NULL},
     "bad.yaml:4:7: error: a text must not contain the character NUL\n"
     "    4 | name: \"a\\0b\"\n"
     "      |       ^\n"
     "1 error\n"},
    {WHOLE "name: \001\n",
     {NULL},
     "bad.yaml:4:7: error: not valid YAML: control characters are not allowed\n"
     "    4 | name: ?\n"
     "      |       ^\n"
     "1 error\n"},
    {WHOLE "name: \377\n",
     {NULL},
     "bad.yaml:4:7: error: not valid YAML: invalid leading UTF-8 octet\n"
     "    4 | name: ?\n"
     "      |       ^\n"
     "1 error\n"},
    {WHOLE "seed: 1\n"
           "seed: 2\n",
     {NULL},
     "bad.yaml:5:1: error: seed: stands here twice\n"
     "    5 | seed: 2\n"
     "      | ^~~~\n"
     "   the first one is in line 4\n"
     "1 error\n"},
    {WHOLE "train: {optimiser: adam}\n",
     {NULL},
     "bad.yaml:4:9: error: train.optimiser: unknown key. Did you mean "
     "\"optimizer\"?\n"
     "    4 | train: {optimiser: adam}\n"
     "      |         ^~~~~~~~~\n"
     "1 error\n"},
    {WHOLE "epochs: 3\n",
     {NULL},
     "bad.yaml:4:1: error: epochs: unknown key. Here it is called "
     "data.tasks.passes\n"
     "    4 | epochs: 3\n"
     "      | ^~~~~~\n"
     "1 error\n"},
    {WHOLE "train: {workers: 2, dataset: x, zzz: 1}\n",
     {NULL},
     "bad.yaml:4:9: error: train.workers: unknown key here. It belongs "
     "elsewhere: run.workers\n"
     "    4 | train: {workers: 2, dataset: x, zzz: 1}\n"
     "      |         ^~~~~~~\n"
     "bad.yaml:4:21: error: train.dataset: unknown key. Here it is called "
     "data\n"
     "    4 | train: {workers: 2, dataset: x, zzz: 1}\n"
     "      |                     ^~~~~~~\n"
     "bad.yaml:4:33: error: train.zzz: unknown key\n"
     "    4 | train: {workers: 2, dataset: x, zzz: 1}\n"
     "      |                                 ^~~\n"
     "   keys here: optimizer, lr, batch, microbatches, replicas, clip\n"
     "3 errors\n"},
    {WHOLE "train: {momentum: 0.9}\n",
     {NULL},
     "bad.yaml:4:9: error: train.momentum: unknown key here. It belongs "
     "elsewhere: train.optimizer.momentum\n"
     "    4 | train: {momentum: 0.9}\n"
     "      |         ^~~~~~~~\n"
     "1 error\n"},
    {WHOLE "run: {api_key: abc}\n",
     {NULL},
     "bad.yaml:4:7: error: run.api_key: secrets do not belong in a job file, "
     "which every version keeps and everyone who may see the job reads\n"
     "    4 | run: {api_key: abc}\n"
     "      |       ^~~~~~~\n"
     "   take the line out, and change the secret\n"
     "1 error\n"},
    {WHOLE "from: fashion@v12\n",
     {NULL},
     "bad.yaml:4:1: error: from: not in this release; `cajal fork` begins a "
     "job at a version\n"
     "    4 | from: fashion@v12\n"
     "      | ^~~~\n"
     "1 error\n"},
    {WHOLE "loss: huber\n"
           "store: {mirror: /m}\n",
     {NULL},
     "bad.yaml:4:7: error: loss: huber is not in this release; use "
     "mean-squared-error\n"
     "    4 | loss: huber\n"
     "      |       ^~~~~\n"
     "   like this: loss: cross-entropy\n"
     "1 error\n"},
    {WHOLE "store: {mirror: far/off}\n",
     {NULL},
     "bad.yaml:4:17: error: store.mirror: must be an absolute path\n"
     "    4 | store: {mirror: far/off}\n"
     "      |                 ^~~~~~~\n"
     "1 error\n"},
    {DATA "  path: a.csv\n"
          "  target: t\n"
          "  inputs: [a]\n"
          "  normalize: standard\n"
          "  missing: error\n"
          "  follow: true\n",
     {NULL},
     "bad.yaml:6:3: error: data.path: not in this release; idx files are found "
     "in data.dir\n"
     "    6 |   path: a.csv\n"
     "      |   ^~~~\n"
     "bad.yaml:7:3: error: data.target: not in this release; idx files have "
     "their labels in a file of their own\n"
     "    7 |   target: t\n"
     "      |   ^~~~~~\n"
     "bad.yaml:8:3: error: data.inputs: not in this release; all pixels of idx "
     "files are inputs\n"
     "    8 |   inputs: [a]\n"
     "      |   ^~~~~~\n"
     "bad.yaml:9:3: error: data.normalize: not in this release; pixels of idx "
     "files are divided by 255\n"
     "    9 |   normalize: standard\n"
     "      |   ^~~~~~~~~\n"
     "bad.yaml:10:3: error: data.missing: not in this release; idx files have "
     "no missing values\n"
     "   10 |   missing: error\n"
     "      |   ^~~~~~~\n"
     "bad.yaml:11:11: error: data.follow: following a directory is not in this "
     "release; use false\n"
     "   11 |   follow: true\n"
     "      |           ^~~~\n"
     "   like this: follow: false\n"
     "6 errors\n"},
    {DATA "  hold_out: {evaluate: 10%}\n",
     {NULL},
     "bad.yaml:6:14: error: data.hold_out.evaluate: not in this release; for "
     "idx the whole t10k file is held out\n"
     "    6 |   hold_out: {evaluate: 10%}\n"
     "      |              ^~~~~~~~\n"
     "1 error\n"},
    {DATA "  tasks: {kind: slowly-changing, name: a, path: b}\n",
     {NULL},
     "bad.yaml:6:17: error: data.tasks.kind: slowly-changing is not in this "
     "release; rotate in many small steps is the nearest\n"
     "    6 |   tasks: {kind: slowly-changing, name: a, path: b}\n"
     "      |                 ^~~~~~~~~~~~~~~\n"
     "   like this: kind: permute-pixels\n"
     "bad.yaml:6:34: error: data.tasks.name: not in this release; tasks are "
     "numbered from 0\n"
     "    6 |   tasks: {kind: slowly-changing, name: a, path: b}\n"
     "      |                                  ^~~~\n"
     "bad.yaml:6:43: error: data.tasks.path: not in this release; all tasks "
     "are made from the files of data.dir\n"
     "    6 |   tasks: {kind: slowly-changing, name: a, path: b}\n"
     "      |                                           ^~~~\n"
     "3 errors\n"},
    {MODEL "  kind: transformer\n"
           "  hidden: [{units: 8, norm: layer}]\n"
           "  output: {head: per-task, classes: open}\n",
     {NULL},
     "bad.yaml:4:9: error: model.kind: transformer is not in this release; use "
     "mlp\n"
     "    4 |   kind: transformer\n"
     "      |         ^~~~~~~~~~~\n"
     "   like this: kind: mlp\n"
     "bad.yaml:5:29: error: model.hidden[0].norm: a norm is not in this "
     "release; use none\n"
     "    5 |   hidden: [{units: 8, norm: layer}]\n"
     "      |                             ^~~~~\n"
     "   like this: norm: none\n"
     "bad.yaml:6:18: error: model.output.head: per-task is not in this "
     "release; use shared\n"
     "    6 |   output: {head: per-task, classes: open}\n"
     "      |                  ^~~~~~~~\n"
     "   like this: head: shared\n"
     "bad.yaml:6:37: error: model.output.classes: open is not in this release; "
     "use a number, or data: as many as the data have\n"
     "    6 |   output: {head: per-task, classes: open}\n"
     "      |                                     ^~~~\n"
     "   like this: classes: 10\n"
     "4 errors\n"},
    {WHOLE "train: {replicas: 2}\n"
           "run: {workers: '8:2'}\n",
     {NULL},
     "bad.yaml:4:19: error: train.replicas: more than one replica is not in "
     "this release; use 1\n"
     "    4 | train: {replicas: 2}\n"
     "      |                   ^\n"
     "   like this: replicas: 1\n"
     "bad.yaml:5:16: error: run.workers: \"8:2\" is not a range from fewer to "
     "more\n"
     "    5 | run: {workers: '8:2'}\n"
     "      |                ^~~~~\n"
     "   like this: workers: 2\n"
     "2 errors\n"},
    {WHOLE "evaluate: {weights: [current, slow]}\n",
     {NULL},
     "bad.yaml:4:31: error: evaluate.weights[1]: slow weights are not in this "
     "release; use current\n"
     "    4 | evaluate: {weights: [current, slow]}\n"
     "      |                               ^~~~\n"
     "   like this: weights: [current]\n"
     "1 error\n"},
    {PLASTIC "  budget: {parameters: 2M}\n"
             "  regularise: [{policy: dropout, rate: 0.1}]\n"
             "  consolidate: []\n",
     {NULL},
     "bad.yaml:5:3: error: plasticity.budget: not in this release; a grow "
     "policy's max_units bounds the model\n"
     "    5 |   budget: {parameters: 2M}\n"
     "      |   ^~~~~~\n"
     "bad.yaml:6:3: error: plasticity.regularise: not in this release; "
     "train.optimizer.weight_decay is there\n"
     "    6 |   regularise: [{policy: dropout, rate: 0.1}]\n"
     "      |   ^~~~~~~~~~\n"
     "bad.yaml:7:3: error: plasticity.consolidate: not in this release; "
     "versions keep what was learned (see keep)\n"
     "    7 |   consolidate: []\n"
     "      |   ^~~~~~~~~~~\n"
     "3 errors\n"},
};

enum { FILES_COUNT = sizeof(files) / sizeof(files[0]) };

static void test_jobfileerror__tells_what_is_wrong_with_each_file(void **state)
{
    (void)state;
    for (size_t i = 0; i < FILES_COUNT; i++) {
        check_broken(&files[i]);
    }
}

static void parse(const char *text, struct jobfile_errors *errors)
{
    struct jobfile_source source = {.file_name = "bad.yaml"};
    struct job_spec spec;

    source.bytes = text;
    source.size = strlen(text);
    assert_int_equal(jobfile_parse(&source, &spec, NULL, errors),
                     STATUS_INVALID);
}

static void test_jobfileerror__shows_the_first_20_of_57(void **state)
{
    static char file[4096] = WHOLE "name: [a]\nseed: x\n";
    static char printed[JOBFILE_PRINT_BYTES_MAX];
    struct jobfile_source source = {.file_name = "bad.yaml", .bytes = file};
    struct jobfile_errors errors;
    struct text text;

    (void)state;
    for (int i = 0; i < 55; i++) {
        char line[32];

        snprintf(line, sizeof(line), "no_key_%d: 1\n", i);
        strncat(file, line, sizeof(file) - strlen(file) - 1);
    }

    parse(file, &errors);

    source.size = strlen(file);
    text_init(&text, printed, sizeof(printed));
    jobfile_errors_print(&source, &errors, &text);
    assert_int_equal(errors.count, 20);
    assert_int_equal(errors.total, 57);
    assert_non_null(strstr(printed, "57 errors, the first 20 are shown\n"));
    for (uint32_t i = 0; i < errors.count; i++) {
        assert_int_equal(errors.items[i].line, 4 + i);
    }
}

static void test_jobfileerror__keeps_the_earliest_whatever_the_order(
    void **state)
{
    struct jobfile_errors errors = {0};

    (void)state;
    for (uint32_t i = 0; i < 40; i++) {
        struct jobfile_error error = {.line = 1 + (i * 17) % 40};

        jobfile_errors_add(&errors, &error);
    }

    assert_int_equal(errors.total, 40);
    for (uint32_t i = 0; i < JOBFILE_ERRORS_MAX; i++) {
        assert_int_equal(errors.items[i].line, i + 1);
    }
}

static void test_jobfileerror__lists_the_parts_of_an_error(void **state)
{
    struct jobfile_errors errors;

    (void)state;
    parse(WHOLE "train: {lr: fast}\n", &errors);

    assert_int_equal(errors.count, 1);
    assert_int_equal(errors.items[0].override, 0);
    assert_int_equal(errors.items[0].line, 4);
    assert_int_equal(errors.items[0].column, 13);
    assert_int_equal(errors.items[0].end_column, 17);
    assert_string_equal(errors.items[0].path, "train.lr");
    assert_string_equal(errors.items[0].message, "\"fast\" is not a number");
    assert_string_equal(errors.items[0].hint, "like this: lr: 1e-3");
}

/* A file must not be able to write to the reader's terminal. */
static void test_jobfileerror__cleans_what_it_quotes(void **state)
{
    char buffer[200];
    struct text text;

    (void)state;
    text_init(&text, buffer, sizeof(buffer));
    jobfile_clean(&text,
                  "a\x1b[2J\tb\x7f\xc3\xa9\xc2\x9b\xed\xa0\x80\xe2\x80\xae\xff",
                  19, 100);

    assert_string_equal(buffer, "a?[2J b?\xc3\xa9??????"
                                "???");
}

static void test_jobfileerror__cuts_at_a_whole_character(void **state)
{
    char buffer[200];
    struct text text;

    (void)state;
    text_init(&text, buffer, sizeof(buffer));
    jobfile_clean(&text, "ab\xc3\xa9", 4, 3);

    assert_string_equal(buffer, "ab...");
}

static void test_jobfileerror__spares_the_line_where_it_is_too_long(
    void **state)
{
    static char file[1024] = WHOLE "x-a: ";
    static char printed[JOBFILE_PRINT_BYTES_MAX];
    struct jobfile_source source = {.file_name = "bad.yaml", .bytes = file};
    struct jobfile_errors errors;
    struct text text;

    (void)state;
    memset(file + strlen(file), 'b', 300);
    strncat(file, ": c\n", 8);

    parse(file, &errors);

    source.size = strlen(file);
    text_init(&text, printed, sizeof(printed));
    jobfile_errors_print(&source, &errors, &text);
    assert_int_equal(errors.items[0].column, 306);
    assert_null(strstr(printed, "bbb"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jobfileerror__tells_what_is_wrong_with_each_file),
        cmocka_unit_test(test_jobfileerror__shows_the_first_20_of_57),
        cmocka_unit_test(
            test_jobfileerror__keeps_the_earliest_whatever_the_order),
        cmocka_unit_test(test_jobfileerror__lists_the_parts_of_an_error),
        cmocka_unit_test(test_jobfileerror__cleans_what_it_quotes),
        cmocka_unit_test(test_jobfileerror__cuts_at_a_whole_character),
        cmocka_unit_test(
            test_jobfileerror__spares_the_line_where_it_is_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
