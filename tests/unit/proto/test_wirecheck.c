#include "proto/wirecheck.h"

#include "proto/codec.h"
#include "proto/cajal/v1/wire.pb-c.h"
#include "base/mem.h"
#include "tests/unit/proto/samples.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

/* Every rule is broken once, in a message that is valid but for that. The
 * message is built with protobuf-c, since ours would not write it; the rules
 * of grants, architectures and records are tested in test_version.c. */

enum { ARENA_BYTES = 1 << 20 };

typedef void wreck_fn(Cajal__V1__Envelope *e);

static uint64_t many_numbers[2048];
static void *many_pointers[UNITS_MAX + 1];
static char empty[] = "";
static char long_text[ERROR_BYTES_MAX + 1];

/* A list that is one message `count` times. */
static void *repeated(void *message, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        many_pointers[i] = message;
    }
    return many_pointers;
}

/* A text of `count` characters, one more than fits. */
static char *text_of(size_t count)
{
    memset(long_text, 'x', count);
    long_text[count] = '\0';
    return long_text;
}

/* A valid point: the peers have the copies. */
static void point_at(Cajal__V1__Assign *assign)
{
    static uint32_t sources[SAMPLE_SHARDS];

    memset(sources, 0, sizeof(sources));
    assign->n_records = 0;
    assign->from_point = true;
    assign->point_term = 1;
    assign->holders = assign->peers;
    assign->n_holders = assign->n_peers;
    assign->sources = sources;
    assign->n_sources = SAMPLE_SHARDS;
}

/* Kind, what is wrong, and how it is made so. */
#define WRECKS(X)                                                              \
    X(HELLO, nameless, e->hello->name = empty)                                 \
    X(HELLO, name, e->hello->name = text_of(NAME_BYTES_MAX))                   \
    X(HELLO, build, e->hello->build = text_of(BUILD_BYTES_MAX))                \
    X(HELLO, kernels, e->hello->kernels = text_of(NAME_BYTES_MAX))             \
    X(HELLO, host, e->hello->host = text_of(NAME_BYTES_MAX))                   \
    X(HELLO, endpoint, e->hello->endpoint = text_of(ENDPOINT_BYTES_MAX))       \
    X(HELLO, nowhere, e->hello->endpoint = empty)                              \
    X(HELLO, fingerprint, e->hello->fingerprint.len--)                         \
    X(HELLO, threads, e->hello->threads = 4097)                                \
    X(OPENED, job, e->opened->job = 0)                                         \
    X(OPENED, status, e->opened->status = STATUS_REFUSED + 1)                  \
    X(OPENED, failed, e->opened->status = STATUS_IO)                           \
    X(OPENED, shapeless, e->opened->shape = NULL)                              \
    X(OPENED, error, e->opened->error = text_of(ERROR_BYTES_MAX))              \
    X(OPENED, inputs, e->opened->shape->inputs = UNITS_MAX + 1)                \
    X(OPENED, no_inputs, e->opened->shape->inputs = 0)                         \
    X(OPENED, classes, e->opened->shape->classes = UNITS_MAX + 1)              \
    X(OPENED, no_classes, e->opened->shape->classes = 0)                       \
    X(OPENED, train, e->opened->shape->train_examples = UINT64_MAX)            \
    X(OPENED, guard, e->opened->shape->guard_examples = UINT64_MAX)            \
    X(OPENED, evaluate, e->opened->shape->evaluate_examples = UINT64_MAX)      \
    X(OPENED, hash, e->opened->shape->hash.len = 0)                            \
    X(OPENED, no_tasks, e->opened->shape->n_task_examples = 0)                 \
    X(OPENED, tasks, e->opened->shape->task_examples = many_numbers;           \
      e->opened->shape->n_task_examples = TASKS_MAX + 1)                       \
    X(OPENED, task, e->opened->shape->task_examples[1] = UINT64_MAX)           \
    X(OPENED, empty_task, e->opened->shape->task_examples[1] = 0)              \
    X(READY, job, e->ready->job = 0)                                           \
    X(READY, status, e->ready->status = UINT32_MAX)                            \
    X(READY, error, e->ready->error = text_of(ERROR_BYTES_MAX))                \
    X(REPORT, job, e->report->job = 0)                                         \
    X(REPORT, missing, e->report->report = NULL)                               \
    X(REPORT, interval, e->report->report->interval = UINT64_MAX)              \
    X(REPORT, layer, e->report->report->layer = LAYERS_MAX)                    \
    X(REPORT, shard, e->report->report->shard = SHARDS_MAX)                    \
    X(REPORT, no_sums, e->report->report->sums = NULL)                         \
    X(REPORT, units, e->report->report->sums->units = UNITS_MAX + 1)           \
    X(REPORT, live, e->report->report->sums->live = 6)                         \
    X(REPORT, eligible, e->report->report->sums->eligible = 5)                 \
    X(REPORT, dormant, e->report->report->sums->dormant = 5)                   \
    X(REPORT, seen, e->report->report->sums->examples = UINT64_MAX)            \
    X(REPORT, weights, e->report->report->sums->weights = UINT64_MAX)          \
    X(REPORT, activity, e->report->report->sums->n_activity--)                 \
    X(REPORT, utilities, e->report->report->sums->n_utilities = 0)             \
    X(REPORT, infinite, e->report->report->not_finite = false;                 \
      e->report->report->sums->h = INFINITY)                                   \
    X(REPORT, candidate_nan, e->report->report->not_finite = false;            \
      e->report->report->candidates[0]->mean = NAN)                            \
    X(REPORT, candidates,                                                      \
      e->report->report->candidates =                                          \
          repeated(e->report->report->candidates[0], 65);                      \
      e->report->report->n_candidates = REPORT_CANDIDATES_MAX + 1)             \
    X(REPORT, birth, e->report->report->candidates[0]->id->birth = UINT64_MAX) \
    X(REPORT, age, e->report->report->candidates[0]->age = UINT64_MAX)         \
    X(REPORT, correct, e->report->report->correct = 161)                       \
    X(REPORT, examples, e->report->report->examples = UINT64_MAX)              \
    X(REPORT, when, e->report->report->not_finite_step = UINT64_MAX)           \
    X(REPORT, evaluations,                                                     \
      e->report->report->evaluations =                                         \
          repeated(e->report->report->evaluations[0], 257);                    \
      e->report->report->n_evaluations = REPORT_EVALUATIONS_MAX + 1)           \
    X(REPORT, no_set, e->report->report->evaluations[0]->set = 0)              \
    X(REPORT, set, e->report->report->evaluations[0]->set = 4)                 \
    X(REPORT, negative_set, e->report->report->evaluations[0]->set = -1)       \
    X(REPORT, task, e->report->report->evaluations[0]->task = TASKS_MAX)       \
    X(REPORT, more_correct,                                                    \
      e->report->report->evaluations[0]->examples = 7999)                      \
    X(SHARD_CUT, job, e->shard_cut->job = 0)                                   \
    X(SHARD_CUT, missing, e->shard_cut->record = NULL)                         \
    X(SHARD_CUT, version, e->shard_cut->version = UINT64_MAX)                  \
    X(SHARD_CUT, layer, e->shard_cut->record->layer = LAYERS_MAX)              \
    X(SHARD_CUT, shard, e->shard_cut->record->shard = SHARDS_MAX)              \
    X(FAULT, job, e->fault->job = 0)                                           \
    X(FAULT, no_kind, e->fault->kind = 0)                                      \
    X(FAULT, kind, e->fault->kind = FAULT_INTERNAL + 1)                        \
    X(FAULT, text, e->fault->text = text_of(ERROR_BYTES_MAX))                  \
    X(WELCOME, heartbeat, e->welcome->heartbeat_ms = 0)                        \
    X(WELCOME, timeout, e->welcome->timeout_ms = 0)                            \
    X(WELCOME, chunks,                                                         \
      e->welcome->chunk_endpoint = text_of(ENDPOINT_BYTES_MAX))                \
    X(REFUSE, ok, e->refuse->status = STATUS_OK)                               \
    X(REFUSE, status, e->refuse->status = STATUS_REFUSED + 1)                  \
    X(REFUSE, text, e->refuse->text = text_of(ERROR_BYTES_MAX))                \
    X(OPEN, job, e->open->job = 0)                                             \
    X(OPEN, no_spec, e->open->spec.len = 0)                                    \
    X(ASSIGN, job, e->assign->job = 0)                                         \
    X(ASSIGN, step, e->assign->step = UINT64_MAX)                              \
    X(ASSIGN, total, e->assign->total_steps = UINT64_MAX)                      \
    X(ASSIGN, no_spec, e->assign->spec.len = 0)                                \
    X(ASSIGN, no_shape, e->assign->shape = NULL)                               \
    X(ASSIGN, no_arch, e->assign->arch = NULL)                                 \
    X(ASSIGN, inputs, e->assign->shape->inputs = 8)                            \
    X(ASSIGN, classes, e->assign->shape->classes = 3)                          \
    X(ASSIGN, layers, e->assign->arch->n_layers = 1)                           \
    X(ASSIGN, no_peers, e->assign->n_peers = 0)                                \
    X(ASSIGN, peers, e->assign->peers = repeated(e->assign->peers[0], 65);     \
      e->assign->n_peers = WORKERS_MAX + 1)                                    \
    X(ASSIGN, twice, e->assign->peers[1]->worker = 0)                          \
    X(ASSIGN, nowhere, e->assign->peers[1]->endpoint = empty)                  \
    X(ASSIGN, endpoint,                                                        \
      e->assign->peers[1]->endpoint = text_of(ENDPOINT_BYTES_MAX))             \
    X(ASSIGN, key_short, e->assign->peers[1]->key.len = 31)                    \
    X(ASSIGN, key_none, e->assign->peers[1]->key.len = 0)                      \
    X(ASSIGN, key_zero, memset(e->assign->peers[1]->key.data, 0, 32))          \
    X(ROSTER, key_short, e->roster->keys[1].len = 31)                          \
    X(ROSTER, key_none, e->roster->keys[0].len = 0)                            \
    X(HELLO, key_short, e->hello->key.len = 31)                                \
    X(HELLO, key_none, e->hello->key.len = 0)                                  \
    X(HELLO, key_zero, memset(e->hello->key.data, 0, 32))                      \
    X(ASSIGN, no_owners, e->assign->n_owners = 0)                              \
    X(ASSIGN, owner_less, e->assign->n_owners--)                               \
    X(ASSIGN, owners, e->assign->owners = (uint32_t *)many_numbers;            \
      e->assign->n_owners = LAYERS_MAX * SHARDS_MAX + 1)                       \
    X(ASSIGN, stranger, e->assign->owners[2] = 1)                              \
    X(ASSIGN, record_less, e->assign->n_records--)                             \
    X(ASSIGN, records,                                                         \
      e->assign->records = repeated(e->assign->records[0], 1025);              \
      e->assign->n_records = LAYERS_MAX * SHARDS_MAX + 1)                      \
    X(ASSIGN, record, e->assign->records[2]->shard = 1)                        \
    X(ASSIGN, vault,                                                           \
      e->assign->peers[1]->vault_endpoint = text_of(ENDPOINT_BYTES_MAX))       \
    X(ASSIGN, holders_without_a_point, e->assign->n_holders = 1;               \
      e->assign->holders = e->assign->peers)                                   \
    X(ASSIGN, sources_without_a_point, e->assign->n_sources = SAMPLE_SHARDS;   \
      e->assign->sources = (uint32_t *)many_numbers)                           \
    X(ASSIGN, point_and_records, size_t records = e->assign->n_records;        \
      point_at(e->assign); e->assign->n_records = records)                     \
    X(ASSIGN, point_interval, point_at(e->assign);                             \
      e->assign->point_interval = UINT64_MAX)                                  \
    X(ASSIGN, point_term, point_at(e->assign); e->assign->point_term = 0)      \
    X(ASSIGN, no_holders, point_at(e->assign); e->assign->n_holders = 0)       \
    X(ASSIGN, holders, point_at(e->assign);                                    \
      e->assign->holders = repeated(e->assign->peers[0], 65);                  \
      e->assign->n_holders = WORKERS_MAX + 1)                                  \
    X(ASSIGN, holder_twice, point_at(e->assign);                               \
      e->assign->holders = repeated(e->assign->peers[0], 2))                   \
    X(ASSIGN, holder_nowhere, point_at(e->assign);                             \
      e->assign->holders[1]->vault_endpoint = empty)                           \
    X(ASSIGN, source_less, point_at(e->assign); e->assign->n_sources--)        \
    X(ASSIGN, sources, point_at(e->assign);                                    \
      e->assign->sources = (uint32_t *)many_numbers;                           \
      e->assign->n_sources = LAYERS_MAX * SHARDS_MAX + 1)                      \
    X(ASSIGN, source, point_at(e->assign); e->assign->sources[3] = 2)          \
    X(KEPT, job, e->kept->job = 0)                                             \
    X(KEPT, term, e->kept->term = 0)                                           \
    X(KEPT, interval, e->kept->interval = UINT64_MAX)                          \
    X(KEPT, layer, e->kept->layer = LAYERS_MAX)                                \
    X(KEPT, shard, e->kept->shard = SHARDS_MAX)                                \
    X(HELLO, vault, e->hello->vault_endpoint = text_of(ENDPOINT_BYTES_MAX))    \
    X(GRANT, job, e->grant->job = 0)                                           \
    X(GRANT, missing, e->grant->grant = NULL)                                  \
    X(GRANT, steps, e->grant->grant->steps = 0)                                \
    X(GRANT, kept, e->grant->grant->kept = UINT64_MAX)                         \
    X(RELEASE, job, e->release->job = 0)                                       \
    X(RELEASE, interval, e->release->interval = UINT64_MAX)                    \
    X(DROP, job, e->drop->job = 0)

#define DEFINE(kind, name, statements)                                         \
    static void wreck_##kind##_##name(Cajal__V1__Envelope *e)                  \
    {                                                                          \
        statements;                                                            \
    }
WRECKS(DEFINE)

static const struct {
    enum wire_kind kind;
    wreck_fn *wreck;
    const char *name;
} wrecks[] = {
#define LIST(kind, name, statements)                                           \
    {WIRE_##kind, wreck_##kind##_##name, #kind " " #name},
    WRECKS(LIST)};

static void nothing(Cajal__V1__Envelope *e)
{
    (void)e;
}

/* What a receiver says of a sample after wreck. */
static enum status received(struct sample *sample,
                            enum wire_kind kind,
                            wreck_fn *wreck)
{
    static const struct codec_schema schema = {
        .descriptor = &cajal__v1__envelope__descriptor,
        .bytes_max = CONTROL_BYTES_MAX};
    struct ProtobufCMessage *message = NULL;
    struct region region;
    struct arena arena;
    struct wire wire;
    unsigned char *bytes = NULL;
    unsigned char *wrecked = NULL;
    void *memory = mem_new(ARENA_BYTES);
    size_t size = 0;
    enum status status = STATUS_OK;

    assert_non_null(memory);
    arena_init(&arena, memory, ARENA_BYTES);
    region_init(&region, CODEC_BUDGET_BYTES);
    sample_wire(sample, kind, &wire);
    assert_int_equal(wire_encode(&wire, &bytes, &size), STATUS_OK);
    assert_int_equal(codec_unpack(&schema, bytes, size, &region, &message),
                     STATUS_OK);
    wreck((Cajal__V1__Envelope *)message);
    assert_int_equal(codec_pack(message, SIZE_MAX, &wrecked, &size), STATUS_OK);
    status = wire_decode(wrecked, size, &arena, &wire);
    mem_free(wrecked);
    mem_free(bytes);
    region_fini(&region);
    mem_free(memory);
    return status;
}

static void test_wirecheck__accepts_what_breaks_no_rule(void **state)
{
    struct sample sample;

    (void)state;
    sample_init(&sample);

    for (size_t i = 0; i < SAMPLE_KINDS; i++) {
        assert_int_equal(received(&sample, sample_kinds[i], nothing),
                         STATUS_OK);
    }
}

static void from_a_point(Cajal__V1__Envelope *e)
{
    point_at(e->assign);
}

static void test_wirecheck__accepts_a_point(void **state)
{
    struct sample sample;

    (void)state;
    sample_init(&sample);

    assert_int_equal(received(&sample, WIRE_ASSIGN, from_a_point), STATUS_OK);
}

static void test_wirecheck__refuses_each_broken_rule(void **state)
{
    struct sample sample;
    uint64_t live = mem_live();

    (void)state;

    for (size_t i = 0; i < sizeof(wrecks) / sizeof(wrecks[0]); i++) {
        enum status status;

        sample_init(&sample);
        status = received(&sample, wrecks[i].kind, wrecks[i].wreck);
        if (status != STATUS_INVALID) {
            fail_msg("%s: %s", wrecks[i].name, status_text(status));
        }
    }
    assert_int_equal(mem_live(), live);
}

static void test_wirecheck__knows_no_other_kinds(void **state)
{
    struct wire wire;

    (void)state;
    memset(&wire, 0, sizeof(wire));

    for (unsigned kind = 0; kind < 200; kind++) {
        wire.kind = (enum wire_kind)kind;
        if (strcmp(wire_kind_name(wire.kind), "?") == 0) {
            assert_false(wirecheck_message(&wire));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wirecheck__accepts_what_breaks_no_rule),
        cmocka_unit_test(test_wirecheck__accepts_a_point),
        cmocka_unit_test(test_wirecheck__refuses_each_broken_rule),
        cmocka_unit_test(test_wirecheck__knows_no_other_kinds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
