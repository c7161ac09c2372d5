/* storesize.c - how much larger than its tensors a store is, after so many
 * versions, and how long gc marks what they name:
 *
 *     storesize VERSIONS LARGE_VERSIONS
 *
 * Writes versions through the store's API as a coordinator does, with real
 * manifests and random tensors, and prints one line a model. "one layer": the
 * weights, biases and figures of one layer change at each version, in turn,
 * and in all shards their progress. The large model is written fewer times. */
#define _XOPEN_SOURCE 700 /* mkdtemp */

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "proto/jobfile.h"
#include "proto/version.h"
#include "storage/store.h"
#include "storage/sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SUMMARY_BYTES = 260, /* as summarycode in coordinator/shell makes them */
    POLICY_BYTES = 400,
    FIGURES_BYTES = 7 * 8, /* of one unit */
    PROGRESS_BYTES = 56,
    TENSORS_COUNT = 4,
    CHUNKS_MAX = 64,
    WAITING_MAX = 64
};

struct model {
    const char *name;
    const char *hidden;
    uint64_t versions;
    bool all; /* everything changes, not one layer */
};

struct work {
    struct store *store;
    struct job_spec spec;
    struct arch arch;
    struct version version;
    struct grant begun;
    struct shard_record *shards;
    struct hash *hashes; /* of all shards, TENSORS_COUNT x CHUNKS_MAX each */
    unsigned char policy[POLICY_BYTES];
    struct chunk waiting[WAITING_MAX];
    size_t waiting_count;
    size_t waiting_bytes;
    uint64_t random;
    uint64_t unique_bytes;
};

static void must(enum status status, const char *what)
{
    if (status != STATUS_OK) {
        fprintf(stderr, "storesize: %s: %s\n", what, status_text(status));
        exit(1);
    }
}

/* xorshift64: bytes that do not compress. */
static void fill(struct work *work, unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i += sizeof(work->random)) {
        size_t count =
            size - i < sizeof(work->random) ? size - i : sizeof(work->random);

        work->random ^= work->random << 13;
        work->random ^= work->random >> 7;
        work->random ^= work->random << 17;
        memcpy(bytes + i, &work->random, count);
    }
}

static void flush(struct work *work)
{
    must(store_put_chunks(work->store, work->waiting, work->waiting_count),
         "chunks");
    work->waiting_count = 0;
    work->waiting_bytes = 0;
}

/* Waits until there is enough for a transaction. */
static struct hash put_chunk(struct work *work, size_t size)
{
    static unsigned char room[2 * CHUNK_BYTES_MAX];
    unsigned char *bytes = NULL;
    struct chunk *chunk = NULL;

    if (work->waiting_count == WAITING_MAX ||
        work->waiting_bytes + size > sizeof(room)) {
        flush(work);
    }
    bytes = room + work->waiting_bytes;
    chunk = &work->waiting[work->waiting_count++];
    work->waiting_bytes += size;
    work->unique_bytes += size;
    fill(work, bytes, size);
    *chunk = (struct chunk){.bytes = bytes, .size = size};
    hash_bytes(bytes, size, &chunk->hash);
    return chunk->hash;
}

static void put_new(struct work *work, struct tensor_record *tensor)
{
    size_t left =
        (size_t)tensor->rows * tensor->columns * tensor->element_bytes;

    for (uint32_t c = 0; c < tensor->chunks_count; c++) {
        size_t size = left < CHUNK_BYTES_MAX ? left : CHUNK_BYTES_MAX;

        tensor->chunks[c] = put_chunk(work, size);
        left -= size;
    }
}

static void name_tensor(struct tensor_record *tensor,
                        const char *name,
                        uint32_t rows,
                        uint32_t columns,
                        uint32_t element_bytes)
{
    uint64_t bytes = (uint64_t)rows * columns * element_bytes;

    snprintf(tensor->name, sizeof(tensor->name), "%s", name);
    tensor->rows = rows;
    tensor->columns = columns;
    tensor->element_bytes = element_bytes;
    tensor->chunks_count =
        (uint32_t)((bytes + CHUNK_BYTES_MAX - 1) / CHUNK_BYTES_MAX);
    if (tensor->chunks_count > CHUNKS_MAX) {
        must(STATUS_INVALID, "a tensor of too many chunks");
    }
}

/* Weight, bias, figures and progress, as worker/model/shard_state.c has them
 * for plain SGD. */
static void describe(struct work *work)
{
    uint32_t at = 0;

    for (uint32_t l = 0; l < work->arch.layers_count; l++) {
        const struct arch_layer *layer = &work->arch.layers[l];

        for (uint32_t s = 0; s < layer->shards_count; s++, at++) {
            struct shard_record *shard = &work->shards[at];
            uint32_t units = layer->shard_units[s];

            *shard = (struct shard_record){
                .layer = l, .shard = s, .tensors_count = TENSORS_COUNT};
            name_tensor(&shard->tensors[0], "weight", units,
                        arch_layer_inputs(&work->arch, l), sizeof(float));
            name_tensor(&shard->tensors[1], "bias", 1, units, sizeof(float));
            name_tensor(&shard->tensors[2], "figures", FIGURES_BYTES / 8, units,
                        8);
            name_tensor(&shard->tensors[3], "progress", 1, PROGRESS_BYTES / 8,
                        8);
            for (uint32_t t = 0; t < TENSORS_COUNT; t++) {
                shard->tensors[t].chunks =
                    work->hashes +
                    (size_t)(at * TENSORS_COUNT + t) * CHUNKS_MAX;
            }
        }
    }
}

static void open_model(struct work *work, const struct model *model)
{
    static struct jobfile_origins origins;
    static struct jobfile_errors errors;
    char text[512];
    size_t room = 0;

    snprintf(text, sizeof(text),
             "version: 1\nname: size\nseed: 7\n"
             "data: {format: idx, dir: /data}\n"
             "model: {kind: mlp, hidden: %s, shards: 4}\n"
             "train: {optimizer: sgd, lr: 0.01}\n",
             model->hidden);
    must(jobfile_parse(&(struct jobfile_source){.file_name = "size",
                                                .bytes = text,
                                                .size = strlen(text)},
                       &work->spec, &origins, &errors),
         "job file");
    room = arch_memory_bytes(&work->spec, 10);
    arch_begin(&work->arch, &work->spec, 784, 10, mem_new(room));
    for (uint32_t l = 0; l < work->arch.layers_count; l++) {
        work->version.shards_count += work->arch.layers[l].shards_count;
    }
    work->shards = mem_array(work->version.shards_count, sizeof(*work->shards));
    work->hashes = mem_array((size_t)work->version.shards_count *
                                 TENSORS_COUNT * CHUNKS_MAX,
                             sizeof(*work->hashes));
    describe(work);
    work->version.job = 1;
    work->version.cause = CAUSE_PERIODIC;
    work->version.spec = &work->spec;
    work->version.arch = &work->arch;
    work->version.begun = &work->begun;
    work->version.policy = work->policy;
    work->version.policy_bytes = POLICY_BYTES;
    work->version.shards = work->shards;
    work->version.parameters = arch_parameters(&work->arch);
}

/* All that changes, and then the manifest, its summary and the head. */
static void commit(struct work *work, uint64_t number, bool all)
{
    struct version *version = &work->version;
    struct hash *named = NULL;
    unsigned char *manifest = NULL;
    unsigned char summary[SUMMARY_BYTES];
    struct batch *batch = NULL;
    size_t size = 0;
    size_t count = 0;

    named =
        mem_array((size_t)version->shards_count * TENSORS_COUNT * CHUNKS_MAX,
                  sizeof(*named));
    for (uint32_t i = 0; i < version->shards_count; i++) {
        struct shard_record *shard = &work->shards[i];
        bool changes = all || number == 1 ||
                       shard->layer == number % work->arch.layers_count;

        for (uint32_t t = 0; t < TENSORS_COUNT; t++) {
            struct tensor_record *tensor = &shard->tensors[t];

            if (changes || t == TENSORS_COUNT - 1) {
                put_new(work, tensor);
            }
            memcpy(named + count, tensor->chunks,
                   tensor->chunks_count * sizeof(*named));
            count += tensor->chunks_count;
        }
    }
    flush(work);
    fill(work, work->policy, 64); /* a policy's figures */
    version->number = number;
    version->interval = number;
    version->step = number * 100;
    version->wall_ms = UINT64_C(1700000000000) + number;
    version->parents_count = number > 1;
    version->parents[0] = number - 1;
    work->begun.interval = number;
    work->begun.first_step = number * 100;
    work->begun.steps = 100;
    work->begun.task_examples = 60000;
    fill(work, summary, 64); /* its hash, and numbers */
    must(version_encode(version, &manifest, &size), "manifest");
    must(batch_open(&batch), "batch");
    must(batch_put_version(batch, 1, number, manifest, size, summary,
                           sizeof(summary), named, count),
         "version");
    must(batch_set_ref(batch, 1, "head", number, version->wall_ms, "job"),
         "head");
    must(store_apply(work->store, batch), "commit");
    batch_close(batch);
    mem_free(manifest);
    mem_free(named);
}

/* What each gc does first, whatever it takes away then. */
static uint64_t mark_us(struct work *work)
{
    uint64_t begin_us = clock_now_us();
    struct sweep *sweep = NULL;
    bool done = false;

    must(sweep_open(work->store, NULL, NULL, &sweep), "sweep");
    while (!done) {
        must(sweep_mark(sweep, &done), "mark");
    }
    sweep_close(sweep);
    return clock_now_us() - begin_us;
}

static void measure(const struct model *model)
{
    static struct work work;
    char dir[] = "/tmp/cajal-size-XXXXXX";
    char path[64];
    char why[512];
    struct store_usage usage;

    work = (struct work){.random = 88172645463325252U};
    if (mkdtemp(dir) == NULL) {
        must(STATUS_IO, dir);
    }
    must(store_open(dir, why, sizeof(why), &work.store), dir);
    open_model(&work, model);
    for (uint64_t v = 1; v <= model->versions; v++) {
        commit(&work, v, model->all);
    }
    must(store_usage(work.store, &usage), "usage");
    printf("%-16s %-10s %8llu %12.1f %10.1f %8.4f %8.4f %8.1f\n", model->name,
           model->all ? "everything" : "one layer",
           (unsigned long long)model->versions, (double)work.unique_bytes / 1e6,
           (double)usage.file_bytes / 1e6,
           (double)usage.used_bytes / (double)work.unique_bytes,
           (double)usage.file_bytes / (double)work.unique_bytes,
           (double)mark_us(&work) / 1e3);
    fflush(stdout);
    store_close(work.store);
    snprintf(path, sizeof(path), "%s/data.mdb", dir);
    (void)unlink(path);
    snprintf(path, sizeof(path), "%s/lock.mdb", dir);
    (void)unlink(path);
    snprintf(path, sizeof(path), "%s/owner.lock", dir);
    (void)unlink(path);
    (void)rmdir(dir);
}

int main(int count, char **arguments)
{
    uint64_t versions = count > 1 ? strtoull(arguments[1], NULL, 10) : 1000;
    uint64_t large = count > 2 ? strtoull(arguments[2], NULL, 10) : 60;
    uint64_t middle = versions < 1000 ? versions : 1000; /* 0.4 MB each */
    const struct model models[] = {
        {"784-2000x3-10", "[2000, 2000, 2000]", large, false},
        {"784-2000x3-10", "[2000, 2000, 2000]", large / 4, true},
        {"784-256-256-10", "[256, 256]", middle, false},
        {"784-256-256-10", "[256, 256]", middle / 4, true},
        {"784-48-40-10", "[48, 40]", versions, false},
        {"784-48-40-10", "[48, 40]", middle, true},
    };

    printf("%-16s %-10s %8s %12s %10s %8s %8s %8s\n", "model", "changes",
           "versions", "unique MB", "file MB", "in use", "file", "mark ms");
    for (size_t m = 0; m < sizeof(models) / sizeof(models[0]); m++) {
        if (models[m].versions > 0) {
            measure(&models[m]);
        }
    }
    return 0;
}
