#define _XOPEN_SOURCE 700 /* mkdtemp, nftw */

#include "tests/unit/coordinator/shell/fixture.h"

#include "base/mem.h"
#include "coordinator/core/state.h"
#include "coordinator/shell/records/manifest.h"
#include "coordinator/shell/records/recordcode.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void fixture_make_dir(char dir[64])
{
    (void)snprintf(dir, 64, "/tmp/cajal-shell-XXXXXX");
    assert_non_null(mkdtemp(dir));
}

static int remove_one(const char *path,
                      const struct stat *info,
                      int type,
                      struct FTW *at)
{
    (void)info;
    (void)type;
    (void)at;
    return remove(path);
}

void fixture_remove_dir(const char *dir)
{
    assert_int_equal(nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char why[512] = "";

    assert_non_null(f);
    f->live = mem_live();
    fixture_make_dir(f->dir);
    assert_int_equal(store_open(f->dir, why, sizeof(why), &f->store),
                     STATUS_OK);
    *state = f;
    return 0;
}

int fixture_teardown(void **state)
{
    struct fixture *f = *state;

    store_close(f->store);
    fixture_remove_dir(f->dir);
    assert_int_equal(mem_live(), f->live);
    free(f);
    return 0;
}

static void set_text(char *to, const char *from)
{
    memcpy(to, from, strlen(from) + 1);
}

void fixture_record(struct job_record *record, uint64_t job)
{
    memset(record, 0, sizeof(*record));
    record->job = job;
    record->state = JOB_RUNNING;
    set_text(record->reason, "needs 2 workers");
    sample_spec(&record->spec);
    record->shape_known = true;
    sample_shape(&record->shape);
    record->workers_wanted = 2;
    record->created_ms = 1000;
    record->ended_ms = 2000;
    record->head = 3;
    record->last_version = 4;
    record->line = 1;
    record->lines_count = 2;
    record->lines[1] = (struct line_start){0, 9};
    record->interval = 12;
    record->step = 120;
    record->total_steps = 400;
    record->task = 1;
    record->examples = 5000;
    record->run_ms = 250;
    record->replayed_steps = 10;
    record->loss = 0.5;
    record->accuracy = 0.75;
    record->grows = 1;
    record->renews = 2;
    record->prunes = 3;
    record->decisions = 6;
    set_text(record->last_decision, "utility at most 0.1");
    record->parameters = 62;
    record->layers_count = 2;
    record->widths[0] = 5;
    record->widths[1] = 2;
    record->shares_count = 1;
    record->shares[0] = (struct worker_share){1, 4, 480, 1234};
}

void fixture_event(struct event_record *event)
{
    struct job_record record;

    fixture_record(&record, 1);
    memset(event, 0, sizeof(*event));
    eventcode_fill(&record, event);
    event->wall_ms = 1234;
    set_text(event->kind, "grow");
    set_text(event->text, "hidden1 +16");
    event->version = 3;
}

void fixture_put_job(struct fixture *f, const struct job_record *record)
{
    unsigned char *bytes = mem_new(RECORD_BYTES_MAX);
    struct batch *batch = NULL;
    size_t size = recordcode_encode(record, bytes);

    assert_int_equal(batch_open(&batch), STATUS_OK);
    assert_int_equal(batch_put_job(batch, record->job, bytes, size), STATUS_OK);
    assert_int_equal(store_apply(f->store, batch), STATUS_OK);
    batch_close(batch);
    mem_free(bytes);
}

static void init_record(struct fixture_model *m,
                        uint32_t at,
                        uint32_t layer,
                        uint32_t shard)
{
    struct shard_record *record = &m->records[at];
    uint32_t units = m->arch.layers[layer].shard_units[shard];

    record->layer = layer;
    record->shard = shard;
    record->tensors_count = 2;
    set_text(record->tensors[0].name, "weight");
    record->tensors[0].rows = units;
    record->tensors[0].columns = layer == 0 ? MODEL_INPUTS : MODEL_HIDDEN;
    set_text(record->tensors[1].name, "bias");
    record->tensors[1].rows = 1;
    record->tensors[1].columns = units;
    for (int t = 0; t < 2; t++) {
        record->tensors[t].element_bytes = sizeof(float);
        record->tensors[t].chunks_count = 1;
        record->tensors[t].chunks = &m->chunks[at][t];
    }
}

static void init_arch(struct fixture_model *m)
{
    struct arch *arch = &m->arch;

    arch->inputs = MODEL_INPUTS;
    arch->next_birth = 100;
    arch->layers_count = 2;
    arch->layers[0] = (struct arch_layer){.activation = ACTIVATION_RELU,
                                          .shards_count = 2,
                                          .shard_units = {3, 2},
                                          .units_count = MODEL_HIDDEN,
                                          .units_max = MODEL_HIDDEN,
                                          .units = m->units};
    arch->layers[1] = (struct arch_layer){.activation = ACTIVATION_LINEAR,
                                          .shards_count = 1,
                                          .shard_units = {2},
                                          .units_count = MODEL_OUTPUTS,
                                          .units_max = MODEL_OUTPUTS,
                                          .units = m->units + MODEL_HIDDEN};
    for (uint32_t u = 0; u < MODEL_HIDDEN + MODEL_OUTPUTS; u++) {
        m->units[u] =
            (struct unit){.id = {0, MODEL_INPUTS + u}, .fan_in = MODEL_INPUTS};
    }
}

void fixture_model_init(struct fixture_model *m)
{
    static struct plasticity_state state;
    struct writer writer;

    memset(m, 0, sizeof(*m));
    sample_spec(&m->spec);
    m->spec.model.shards = 2;
    init_arch(m);
    init_record(m, 0, 0, 0);
    init_record(m, 1, 0, 1);
    init_record(m, 2, 1, 0);
    for (uint32_t u = 0; u < MODEL_HIDDEN; u++) {
        for (uint32_t k = 0; k < MODEL_INPUTS; k++) {
            m->hidden[u][k] = (float)(10 * u + k);
        }
        m->hidden_bias[u] = (float)(10 * u) + 0.5f;
        for (uint32_t o = 0; o < MODEL_OUTPUTS; o++) {
            m->output[o][u] = (float)(100 + 10 * o + u);
            m->output_bias[o] = (float)(100 + 10 * o) + 0.5f;
        }
    }
    state_init(&state);
    writer_init(&writer, m->policy, sizeof(m->policy));
    state_encode(&state, &writer);
    assert_false(writer.failed);
    m->version = (struct version){.cause = CAUSE_START,
                                  .spec = &m->spec,
                                  .arch = &m->arch,
                                  .parameters = 37,
                                  .bytes = 148,
                                  .policy = m->policy,
                                  .policy_bytes = (uint32_t)writer.at,
                                  .shards_count = 3,
                                  .shards = m->records};
}

static void put_chunk(struct fixture *f,
                      struct hash *hash,
                      const void *bytes,
                      size_t size)
{
    struct chunk chunk = {.bytes = bytes, .size = size};

    hash_bytes(bytes, size, hash);
    chunk.hash = *hash;
    assert_int_equal(store_put_chunks(f->store, &chunk, 1), STATUS_OK);
}

static void put_chunks(struct fixture *f, struct fixture_model *m)
{
    put_chunk(f, &m->chunks[0][0], m->hidden[0], 3 * sizeof(m->hidden[0]));
    put_chunk(f, &m->chunks[0][1], &m->hidden_bias[0], 3 * sizeof(float));
    put_chunk(f, &m->chunks[1][0], m->hidden[3], 2 * sizeof(m->hidden[0]));
    put_chunk(f, &m->chunks[1][1], &m->hidden_bias[3], 2 * sizeof(float));
    put_chunk(f, &m->chunks[2][0], m->output, sizeof(m->output));
    put_chunk(f, &m->chunks[2][1], m->output_bias, sizeof(m->output_bias));
}

void fixture_model_put(struct fixture *f,
                       struct fixture_model *m,
                       uint64_t job,
                       uint64_t number,
                       const char *actor)
{
    struct manifest manifest = {.bytes = NULL};
    struct batch *batch = NULL;

    put_chunks(f, m);
    m->version.job = job;
    m->version.number = number;
    assert_int_equal(manifest_encode(&m->version, &manifest), STATUS_OK);
    assert_int_equal(batch_open(&batch), STATUS_OK);
    assert_int_equal(batch_put_version(batch, job, number, manifest.bytes,
                                       manifest.size, manifest.summary,
                                       manifest.summary_size, manifest.chunks,
                                       manifest.chunks_count),
                     STATUS_OK);
    assert_int_equal(store_apply(f->store, batch), STATUS_OK);
    batch_close(batch);
    manifest_fini(&manifest);
    fixture_move_ref(f, job, "head", number, actor);
}

void fixture_move_ref(struct fixture *f,
                      uint64_t job,
                      const char *name,
                      uint64_t number,
                      const char *actor)
{
    struct batch *batch = NULL;

    assert_int_equal(batch_open(&batch), STATUS_OK);
    assert_int_equal(
        batch_set_ref(batch, job, name, number, 1000 + number, actor),
        STATUS_OK);
    assert_int_equal(store_apply(f->store, batch), STATUS_OK);
    batch_close(batch);
}

void fixture_torture(const void *bytes, size_t size, fixture_decode_fn *decode)
{
    unsigned char *copy = NULL;

    assert_true(decode(bytes, size));
    for (size_t cut = 0; cut < size; cut++) {
        copy = malloc(cut + 1); /* its own block, so that ASan sees overreads */
        assert_non_null(copy);
        memcpy(copy, bytes, cut);
        assert_false(decode(copy, cut));
        free(copy);
    }
    copy = malloc(size + 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    copy[size] = 0;
    assert_false(decode(copy, size + 1));
    for (size_t at = 0; at < size; at++) {
        for (int bit = 0; bit < 8; bit++) {
            copy[at] ^= (unsigned char)(1 << bit);
            (void)decode(copy, size);
            copy[at] ^= (unsigned char)(1 << bit);
        }
    }
    free(copy);
}
