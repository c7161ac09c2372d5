/* samples.h - one valid thing of each kind, with every field set.
 *
 * Shared by the tests of the codecs and by their fuzzers. Inline functions,
 * for a test program is linked with one object of its own. What is sampled is
 * zeroed first and lives as long as the struct sample that holds it. */
#ifndef TESTS_UNIT_PROTO_SAMPLES_H
#define TESTS_UNIT_PROTO_SAMPLES_H

#include "proto/version.h"
#include "proto/wire.h"
#include <string.h>

enum { SAMPLE_SHARDS = 4, SAMPLE_UNITS = 7, SAMPLE_TENSORS = 2 };

/* Two layers: "hidden1" of shards with 3, 0 and 2 units, "output" with 2. */
struct sample {
    struct job_spec spec;
    struct data_shape shape;
    struct arch arch;
    struct unit units[SAMPLE_UNITS];
    struct grant begun;
    struct grant pending;
    struct shard_record records[SAMPLE_SHARDS];
    struct hash chunks[2];
    struct report report;
    struct wire_peer peers[2];
    uint32_t owners[SAMPLE_SHARDS];
    struct wire_peer holders[2];
    struct curvekey roster[2];
    uint32_t sources[SAMPLE_SHARDS];
    unsigned char policy[5];
    struct version version;
};

static inline void sample_text(char *to, const char *from)
{
    memcpy(to, from, strlen(from) + 1);
}

static inline void sample_hash(struct hash *hash, unsigned seed)
{
    for (unsigned i = 0; i < HASH_BYTES; i++) {
        hash->b[i] = (unsigned char)(seed + i);
    }
}

static inline void sample_spec(struct job_spec *spec)
{
    job_defaults(spec);
    sample_text(spec->name, "fashion");
    spec->seed = 7;
    sample_text(spec->data.dir, "/data/fashion");
    spec->data.task_specs[0].kind = TASK_PERMUTE_PIXELS;
    spec->data.task_specs[0].count = 2;
    spec->data.task_specs[0].examples = 600;
    spec->model.hidden_count = 1;
    spec->model.hidden[0] = (struct layer_spec){5, ACTIVATION_RELU};
    spec->model.outputs = 2;
    spec->model.shards = 3;
    spec->report_every_steps = 10;
}

static inline void sample_shape(struct data_shape *shape)
{
    shape->inputs = 9;
    shape->classes = 2;
    shape->train_examples = 58000;
    shape->guard_examples = 2000;
    shape->evaluate_examples = 10000;
    sample_hash(&shape->hash, 100);
    shape->tasks_count = 2;
    shape->task_examples[0] = 600;
    shape->task_examples[1] = 601;
}

static inline void sample_arch(struct sample *sample)
{
    struct arch *arch = &sample->arch;
    struct arch_layer *hidden = &arch->layers[0];
    struct arch_layer *output = &arch->layers[1];

    arch->line = 3;
    arch->inputs = 9;
    arch->next_birth = 400;
    arch->layers_count = 2;
    hidden->activation = ACTIVATION_RELU;
    hidden->shards_count = 3;
    hidden->shard_units[0] = 3;
    hidden->shard_units[2] = 2;
    hidden->units_count = 5;
    hidden->units_max = 5;
    hidden->units = sample->units;
    hidden->generation = 12;
    output->activation = ACTIVATION_LINEAR;
    output->shards_count = 1;
    output->shard_units[0] = 2;
    output->units_count = 2;
    output->units_max = 2;
    output->units = sample->units + 5;
    output->generation = 13;
    for (uint32_t i = 0; i < SAMPLE_UNITS; i++) {
        sample->units[i] = (struct unit){.id = {i % 4, 20 + 50 * i},
                                         .born_step = 1000 * i,
                                         .fan_in = 9 + i,
                                         .state = i % 2,
                                         .mean = 0.25f * (float)i};
    }
}

static inline void sample_grant(struct grant *grant, uint64_t interval)
{
    grant->term = 5;
    grant->line = 3;
    grant->interval = interval;
    grant->first_step = 10 * interval;
    grant->steps = 10;
    grant->task = 1;
    grant->position = 160;
    grant->task_examples = 601;
    grant->evaluate_first = 1;
    grant->evaluate_count = 2;
    grant->guard = true;
    grant->version = 8;
    grant->hold = true;
    grant->resumed = true;
    grant->keep = true;
    grant->kept = interval - 1;
    grant->settings_count = 2;
    grant->settings[0] = (struct grant_setting){SETTING_RATE, 0.125};
    grant->settings[1] = (struct grant_setting){SETTING_POLICY_BASE, -1e-300};
    grant->edits_count = 2;
    grant->edits[0] = (struct edit){EDIT_RENEW, 0, POLICY_PLATEAU, 0, 1};
    grant->edits[1] = (struct edit){EDIT_ADD, 1, POLICY_NONE, 1, 2};
    grant->units_count = 3;
    grant->units[0] = (struct edit_unit){{1, 70}, {3, 400}, 0, 0.5f};
    grant->units[1] = (struct edit_unit){{3, 401}, {0, 0}, 2, 0};
    grant->units[2] = (struct edit_unit){{3, 402}, {2, 9}, 1, -1.5f};
}

static inline void sample_records(struct sample *sample)
{
    static const uint32_t units[SAMPLE_SHARDS] = {3, 0, 2, 2};

    sample_hash(&sample->chunks[0], 1);
    sample_hash(&sample->chunks[1], 2);
    for (uint32_t i = 0; i < SAMPLE_SHARDS; i++) {
        struct shard_record *record = &sample->records[i];

        record->layer = i / 3;
        record->shard = i % 3;
        record->tensors_count = SAMPLE_TENSORS;
        record->evaluations_count = i;
        sample_text(record->tensors[0].name, "weight");
        record->tensors[0].rows = units[i];
        record->tensors[0].columns = 9;
        record->tensors[0].element_bytes = 4;
        record->tensors[0].chunks_count = units[i] > 0 ? 1 : 0;
        record->tensors[0].chunks = units[i] > 0 ? sample->chunks : NULL;
        /* Somewhat more than one chunk. */
        sample_text(record->tensors[1].name, "statistics");
        record->tensors[1].rows = 1025;
        record->tensors[1].columns = 128;
        record->tensors[1].element_bytes = 8;
        record->tensors[1].chunks_count = 2;
        record->tensors[1].chunks = sample->chunks;
    }
}

static inline void sample_sums(struct layer_sums *sums)
{
    sums->units = 5;
    sums->live = 4;
    sums->eligible = 3;
    sums->dormant = 2;
    sums->examples = 160;
    sums->h = -1.5;
    sums->h_abs = 2.5;
    sums->h_square = 3.5;
    sums->firings = 77;
    sums->taylor = 1e-9;
    sums->weight_abs = 12.25;
    sums->weights = 45;
    sums->utility = 0.75;
    for (uint32_t i = 0; i < HISTOGRAM_BINS; i++) {
        sums->activity.count[i] = i;
        sums->utilities.count[i] = 3 * i;
    }
}

static inline void sample_report(struct report *report)
{
    report->term = 5;
    report->interval = 20;
    report->layer = 1;
    report->shard = 2;
    sample_sums(&report->sums);
    report->candidates_count = 2;
    report->candidates[0] = (struct candidate){{1, 70}, 900, 0.125, 0.5};
    report->candidates[1] = (struct candidate){{2, 71}, 901, 0.25, -0.5};
    report->examples = 160;
    report->correct = 99;
    report->loss_sum = 140.5;
    report->evaluations_count = 2;
    report->evaluations[0] =
        (struct evaluation){EVALUATION_HELD_OUT, 1, 10000, 8000, 5000.5};
    report->evaluations[1] =
        (struct evaluation){EVALUATION_GUARD_AFTER, 0, 256, 256, 0.5};
    report->not_finite = true;
    report->not_finite_step = 209;
}

static inline void sample_version(struct sample *sample)
{
    struct version *version = &sample->version;

    version->job = 2;
    version->number = 9;
    version->line = 3;
    version->interval = 20;
    version->step = 200;
    version->task = 1;
    version->position = 160;
    version->cause = CAUSE_GROW;
    version->parents_count = 2;
    version->parents[0] = 8;
    version->parents[1] = 5;
    version->wall_ms = 1700000000123;
    sample_text(version->reason, "grow hidden1 +16");
    version->parameters = 62;
    version->bytes = 123456;
    version->spec = &sample->spec;
    version->arch = &sample->arch;
    version->begun = &sample->begun;
    version->pending = &sample->pending;
    memcpy(sample->policy, "\0\1\2\3\377", 5);
    version->policy_bytes = 5;
    version->policy = sample->policy;
    version->shards_count = SAMPLE_SHARDS;
    version->shards = sample->records;
}

static inline void sample_init(struct sample *sample)
{
    memset(sample, 0, sizeof(*sample));
    sample_spec(&sample->spec);
    sample_shape(&sample->shape);
    sample_arch(sample);
    sample_grant(&sample->begun, 20);
    sample_grant(&sample->pending, 21);
    sample_records(sample);
    sample_report(&sample->report);
    sample_text(sample->peers[0].endpoint, "ipc:///run/w0");
    sample_text(sample->peers[1].endpoint, "tcp://127.0.0.1:4001");
    sample_text(sample->peers[0].vault_endpoint, "ipc:///run/v0");
    sample_text(sample->peers[1].vault_endpoint, "tcp://127.0.0.1:4002");
    memset(&sample->peers[1].key, 0x57, sizeof(sample->peers[1].key));
    sample->peers[1].curve = true;
    sample->peers[1].worker = 6;
    sample->owners[1] = 6;
    sample->owners[3] = 6;
    sample->holders[0] = sample->peers[1];
    sample_text(sample->holders[1].vault_endpoint, "tcp://127.0.0.1:4003");
    sample->holders[1].worker = 9;
    sample->sources[2] = 1;
    sample_version(sample);
}

static inline void sample_hello(struct wire_hello *hello)
{
    sample_text(hello->name, "w0");
    hello->incarnation = UINT64_MAX;
    hello->protocol = WIRE_PROTOCOL;
    sample_text(hello->build, "0.1.0");
    sample_hash(&hello->fingerprint, 50);
    sample_text(hello->kernels, "OpenBLAS 0.3.21 Haswell");
    hello->threads = 2;
    hello->pid = 4242;
    sample_text(hello->host, "h\xc3\xb6st");
    sample_text(hello->endpoint, "ipc:///run/w0");
    sample_text(hello->vault_endpoint, "ipc:///run/v0");
    memset(&hello->key, 0x4b, sizeof(hello->key));
    hello->curve = true;
}

static inline void sample_assign(struct sample *sample,
                                 struct wire_assign *assign)
{
    assign->life = 4;
    assign->job = 2;
    assign->term = 5;
    assign->step = 200;
    assign->total_steps = 4000;
    assign->spec = &sample->spec;
    assign->shape = &sample->shape;
    assign->arch = &sample->arch;
    assign->peers_count = 2;
    assign->peers = sample->peers;
    assign->owners_count = SAMPLE_SHARDS;
    assign->owners = sample->owners;
    assign->records_count = SAMPLE_SHARDS;
    assign->records = sample->records;
}

/* The same, its state from copies in memory instead of records. */
static inline void sample_from_point(struct sample *sample,
                                     struct wire_assign *assign)
{
    assign->records_count = 0;
    assign->records = NULL;
    assign->from_point = true;
    assign->point_line = 3;
    assign->point_interval = 20;
    assign->point_term = 6;
    assign->holders_count = 2;
    assign->holders = sample->holders;
    assign->sources_count = SAMPLE_SHARDS;
    assign->sources = sample->sources;
}

static const enum wire_kind sample_kinds[] = {
    WIRE_HELLO,     WIRE_HEARTBEAT, WIRE_OPENED,  WIRE_READY,   WIRE_REPORT,
    WIRE_SHARD_CUT, WIRE_FAULT,     WIRE_GOODBYE, WIRE_WELCOME, WIRE_REFUSE,
    WIRE_OPEN,      WIRE_ASSIGN,    WIRE_GRANT,   WIRE_RELEASE, WIRE_DROP,
    WIRE_QUIT,      WIRE_KEPT,      WIRE_LEAVE,   WIRE_ROSTER};
enum { SAMPLE_KINDS = sizeof(sample_kinds) / sizeof(sample_kinds[0]) };

/* A message of this kind; its pointers lead into sample. */
static inline void sample_wire(struct sample *sample,
                               enum wire_kind kind,
                               struct wire *wire)
{
    memset(wire, 0, sizeof(*wire));
    wire->kind = kind;
    switch (kind) {
    case WIRE_HELLO:
        sample_hello(&wire->hello);
        break;
    case WIRE_HEARTBEAT:
        wire->heartbeat = (struct wire_heartbeat){4, 300, 70000, 2, 500, 600};
        break;
    case WIRE_OPENED:
        wire->opened.job = 2;
        wire->opened.shape = &sample->shape;
        sample_text(wire->opened.error, "");
        break;
    case WIRE_READY:
        wire->ready = (struct wire_ready){2, 5, STATUS_IO, "disk"};
        break;
    case WIRE_REPORT:
        wire->report = (struct wire_report){2, &sample->report};
        break;
    case WIRE_SHARD_CUT:
        wire->shard_cut = (struct wire_shard_cut){2, 5, 9, sample->records};
        break;
    case WIRE_FAULT:
        wire->fault = (struct wire_fault){2, 5, FAULT_CHUNK, "lost"};
        break;
    case WIRE_WELCOME:
        wire->welcome =
            (struct wire_welcome){4, 6, 200, 3000, "ipc:///run/chunks"};
        break;
    case WIRE_REFUSE:
        wire->refuse = (struct wire_refuse){STATUS_REFUSED, "other build"};
        break;
    case WIRE_OPEN:
        wire->open = (struct wire_open){2, &sample->spec};
        break;
    case WIRE_ASSIGN:
        sample_assign(sample, &wire->assign);
        break;
    case WIRE_GRANT:
        wire->grant = (struct wire_grant){2, &sample->begun};
        break;
    case WIRE_RELEASE:
        wire->release = (struct wire_release){2, 5, 20};
        break;
    case WIRE_DROP:
        wire->drop = (struct wire_drop){2, 5, true};
        break;
    case WIRE_KEPT:
        wire->kept = (struct wire_kept){2, 3, 20, 1, 2, 300, 6};
        break;
    case WIRE_ROSTER:
        memset(sample->roster, 0x4b, sizeof(sample->roster));
        memset(&sample->roster[1], 0x57, sizeof(sample->roster[1]));
        wire->roster = (struct wire_roster){2, sample->roster};
        break;
    case WIRE_GOODBYE:
    case WIRE_LEAVE:
    case WIRE_QUIT:
        break;
    }
}

#endif /* TESTS_UNIT_PROTO_SAMPLES_H */
