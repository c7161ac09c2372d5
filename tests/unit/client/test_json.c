#include "client/json.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Compares the document as one line and drops it. */
static void assert_json(cJSON *document, const char *expected)
{
    char *text = cJSON_PrintUnformatted(document);

    assert_string_equal(text, expected);
    cJSON_free(text);
    cJSON_Delete(document);
}

static Cajal__V1__LayerWidth hidden1 = CAJAL__V1__LAYER_WIDTH__INIT;
static Cajal__V1__LayerWidth hidden2 = CAJAL__V1__LAYER_WIDTH__INIT;
static Cajal__V1__LayerWidth output = CAJAL__V1__LAYER_WIDTH__INIT;
static Cajal__V1__LayerWidth *layers[] = {&hidden1, &hidden2, &output};

static int setup(void **state)
{
    (void)state;
    json_start();
    hidden1.name = (char *)"hidden1";
    hidden1.units = 116;
    hidden2.name = (char *)"hidden2";
    hidden2.units = 100;
    output.name = (char *)"output";
    output.units = 10;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return mem_live() == 0 ? 0 : -1;
}

static void test_json__tells_a_version_as_the_contract_says(void **state)
{
    Cajal__V1__VersionSummary m = CAJAL__V1__VERSION_SUMMARY__INIT;
    char *parents[] = {(char *)"v2"};

    (void)state;
    m.version = (char *)"v3";
    m.parents = parents;
    m.n_parents = 1;
    m.step = 2140;
    m.task = 2;
    m.cause = (char *)"grow";
    m.reason = (char *)"grow hidden1 +16";
    m.inputs = 784;
    m.layers = layers;
    m.n_layers = 3;
    m.parameters = 103770;
    m.wall_ms = 1764000000000;
    m.job = (char *)"j1";

    assert_json(json_version(&m),
                "{\"version\":\"v3\",\"parents\":[\"v2\"],\"step\":2140,"
                "\"task\":2,\"cause\":\"grow\","
                "\"reason\":\"grow hidden1 +16\",\"inputs\":784,"
                "\"units\":{\"hidden1\":116,\"hidden2\":100},"
                "\"shape\":[784,116,100,10],\"outputs\":10,"
                "\"parameters\":103770,\"accuracy\":null,"
                "\"time\":\"2025-11-24T16:00:00Z\",\"hash\":\"\",\"tags\":[],"
                "\"head\":false,\"line\":0,\"bytes\":0,\"job\":\"j1\"}");
}

static void test_json__tells_a_status_as_the_contract_says(void **state)
{
    Cajal__V1__StatusReply m = CAJAL__V1__STATUS_REPLY__INIT;
    Cajal__V1__JobSummary summary = CAJAL__V1__JOB_SUMMARY__INIT;
    Cajal__V1__WorkerShare share = CAJAL__V1__WORKER_SHARE__INIT;
    Cajal__V1__WorkerShare *shares[] = {&share};
    cJSON *document = NULL;
    const cJSON *worker = NULL;

    (void)state;
    summary.job = (char *)"j1";
    summary.state = (char *)"finished";
    summary.step = 9380;
    summary.task = 9;
    share.worker = (char *)"w0";
    share.shards = 6;
    share.shard_steps = 56280;
    share.bytes_sent = 123456;
    m.summary = &summary;
    m.examples_per_second = 12345.6;
    m.workers = shares;
    m.n_workers = 1;
    document = json_status(&m);
    worker = cJSON_GetArrayItem(
        cJSON_GetObjectItemCaseSensitive(document, "workers"), 0);

    assert_string_equal(json_text(document, "schema"), "cajal.v1.Status");
    assert_string_equal(json_text(document, "job"), "j1");
    assert_string_equal(json_text(document, "state"), "finished");
    assert_true(json_number(document, "step") == 9380);
    assert_true(json_number(document, "task") == 9);
    assert_true(json_number(document, "examples_per_second") == 12345.6);
    assert_true(json_has(document, "replayed_steps"));
    assert_string_equal(json_text(worker, "worker"), "w0");
    assert_true(json_number(worker, "shards") == 6);
    assert_true(json_number(worker, "shard_steps") == 56280);
    assert_true(json_number(worker, "bytes_sent") == 123456);
    cJSON_Delete(document);
}

static void test_json__tells_metrics_as_the_contract_says(void **state)
{
    Cajal__V1__TaskMetrics m = CAJAL__V1__TASK_METRICS__INIT;
    Cajal__V1__HeldOut held_out = CAJAL__V1__HELD_OUT__INIT;
    Cajal__V1__HeldOut *all[] = {&held_out};

    (void)state;
    m.task = 1;
    m.examples = 6400;
    m.online_accuracy = 0.7246;
    m.online_loss = 0.91;
    m.dormant = 0.02;
    held_out.accuracy = 0.875;
    held_out.loss = 0.5;
    m.held_out = all;
    m.n_held_out = 1;

    assert_json(json_metrics(&m),
                "{\"task\":1,\"examples\":6400,\"online_accuracy\":0.7246,"
                "\"online_loss\":0.91,\"dormant\":0.02,\"held_out\":"
                "[{\"task\":0,\"accuracy\":0.875,\"loss\":0.5}]}");
}

static void test_json__joins_a_layer_that_comes_in_several_messages(
    void **state)
{
    Cajal__V1__LayerDiff m = CAJAL__V1__LAYER_DIFF__INIT;
    char *first[] = {(char *)"u812"};
    char *second[] = {(char *)"u813"};
    cJSON *document = json_document("Diff");

    (void)state;
    m.from = (char *)"v3";
    m.to = (char *)"v7";
    m.name = (char *)"hidden1";
    m.units_from = 100;
    m.units_to = 102;
    m.added = first;
    m.n_added = 1;
    m.more = true;
    json_add_diff(document, &m);
    m.added = second;
    m.more = false;
    json_add_diff(document, &m);
    m.name = (char *)"output";
    m.n_added = 0;
    json_add_diff(document, &m);

    assert_json(document,
                "{\"schema\":\"cajal.v1.Diff\",\"from\":\"v3\",\"to\":\"v7\","
                "\"layers\":[{\"name\":\"hidden1\",\"units_from\":100,"
                "\"units_to\":102,\"inputs_from\":0,\"inputs_to\":0,"
                "\"parameters_from\":0,\"parameters_to\":0,\"moved\":0,"
                "\"added\":[\"u812\",\"u813\"],\"removed\":[]},"
                "{\"name\":\"output\",\"units_from\":100,\"units_to\":102,"
                "\"inputs_from\":0,\"inputs_to\":0,\"parameters_from\":0,"
                "\"parameters_to\":0,\"moved\":0,\"added\":[],"
                "\"removed\":[]}]}");
}

static void test_json__weighs_tasks_by_their_examples(void **state)
{
    Cajal__V1__TaskEvaluation m = CAJAL__V1__TASK_EVALUATION__INIT;
    cJSON *document = json_document("Evaluation");

    (void)state;
    m.version = (char *)"v3";
    m.task = 7; /* the newest ones: seven are older */
    m.examples = 300;
    m.correct = 300;
    m.loss_sum = 30;
    json_add_evaluation(document, &m);
    m.task = 8;
    m.examples = 100;
    m.correct = 0;
    m.loss_sum = 170;
    json_add_evaluation(document, &m);
    json_finish_evaluation(document);

    assert_string_equal(json_text(document, "version"), "v3");
    assert_true(json_number(document, "accuracy") == 0.75);
    assert_true(json_number(document, "loss") == 0.5);
    assert_true(json_number(document, "left_out") == 7);
    assert_int_equal(
        cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(document, "tasks")),
        2);
    cJSON_Delete(document);
}

static void test_json__says_null_for_what_cannot_be_known(void **state)
{
    cJSON *document = json_document("Evaluation");

    (void)state;
    json_finish_evaluation(document);

    assert_json(document, "{\"schema\":\"cajal.v1.Evaluation\",\"tasks\":[],"
                          "\"accuracy\":null,\"loss\":null,\"examples\":0,"
                          "\"left_out\":0}");
}

static void test_json__gathers_what_show_streams(void **state)
{
    Cajal__V1__ShowReply m = CAJAL__V1__SHOW_REPLY__INIT;
    Cajal__V1__VersionSummary summary = CAJAL__V1__VERSION_SUMMARY__INIT;
    Cajal__V1__UnitInfo unit = CAJAL__V1__UNIT_INFO__INIT;
    Cajal__V1__UnitInfo *units[] = {&unit, &unit};
    cJSON *document = json_document("Version");
    const cJSON *layer = NULL;

    (void)state;
    summary.version = (char *)"v3";
    m.summary = &summary;
    m.config = (char *)"version: 1\n";
    json_add_show(document, &m);
    unit.id = (char *)"u812";
    unit.state = (char *)"live";
    m = (Cajal__V1__ShowReply)CAJAL__V1__SHOW_REPLY__INIT;
    m.layer = (char *)"hidden1";
    m.units = units;
    m.n_units = 2;
    json_add_show(document, &m);
    json_add_show(document, &m);
    layer = cJSON_GetArrayItem(
        cJSON_GetObjectItemCaseSensitive(document, "layers"), 0);

    assert_string_equal(json_text(document, "version"), "v3");
    assert_string_equal(json_text(document, "config"), "version: 1\n");
    assert_string_equal(json_text(layer, "name"), "hidden1");
    assert_int_equal(
        cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(layer, "units")),
        4);
    cJSON_Delete(document);
}

static void test_json__tells_faults_and_the_sum(void **state)
{
    Cajal__V1__VerifyReply m = CAJAL__V1__VERIFY_REPLY__INIT;
    cJSON *document = json_document("Verification");

    (void)state;
    m.fault = (char *)"chunk 12 of v3 is damaged";
    json_add_verify(document, &m);
    m.fault = (char *)"";
    m.done = true;
    m.faults = 1;
    m.chunks = 20;
    m.bytes = 4000;
    m.versions = 3;
    json_add_verify(document, &m);

    assert_json(document,
                "{\"schema\":\"cajal.v1.Verification\","
                "\"faults\":[\"chunk 12 of v3 is damaged\"],\"whole\":false,"
                "\"chunks\":20,\"bytes\":4000,\"versions\":3,"
                "\"fault_count\":1}");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_json__tells_a_version_as_the_contract_says),
        TEST(test_json__tells_a_status_as_the_contract_says),
        TEST(test_json__tells_metrics_as_the_contract_says),
        TEST(test_json__joins_a_layer_that_comes_in_several_messages),
        TEST(test_json__weighs_tasks_by_their_examples),
        TEST(test_json__says_null_for_what_cannot_be_known),
        TEST(test_json__gathers_what_show_streams),
        TEST(test_json__tells_faults_and_the_sum),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
