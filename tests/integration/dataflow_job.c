#include "tests/integration/dataflow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The data: ten blurred prototypes, as IDX files in a directory. */

char data_dir[64];

static const char *const kinds[] = {"images-idx3", "labels-idx1"};

static void path_of(const char *set, const char *kind, char out[128])
{
    (void)snprintf(out, 128, "%s/%s-%s-ubyte", data_dir, set, kind);
}

static void write_file(const char *set, int kind, const void *bytes, size_t n)
{
    char path[128];
    FILE *file = NULL;

    path_of(set, kinds[kind], path);
    file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, n, 1, file), 1);
    assert_int_equal(fclose(file), 0);
}

static void write_set(const char *set, uint32_t count, uint64_t first)
{
    static unsigned char images[16 + TRAIN * INPUTS] = {
        [2] = 8, [3] = 3, [11] = SIDE, [15] = SIDE};
    static unsigned char labels[8 + TRAIN] = {[2] = 8, [3] = 1};

    images[6] = labels[6] = (unsigned char)(count >> 8);
    images[7] = labels[7] = (unsigned char)count;
    for (uint32_t i = 0; i < count; i++) {
        labels[8 + i] = (unsigned char)(i % CLASSES);
        for (uint32_t p = 0; p < INPUTS; p++) {
            uint32_t ideal = rng_draw(1, RNG_TEST, i % CLASSES, p, 0).v[0];
            uint32_t noise = rng_draw(2, RNG_TEST, first + i, p, 0).v[0];

            images[16 + i * INPUTS + p] =
                (unsigned char)(ideal % 200 + noise % 55);
        }
    }
    write_file(set, 0, images, 16 + count * INPUTS);
    write_file(set, 1, labels, 8 + count);
}

static void set_spec(struct job_spec *spec, uint32_t microbatches)
{
    job_defaults(spec);
    (void)snprintf(spec->name, sizeof(spec->name), "dataflow");
    spec->seed = 11;
    spec->data.format = DATA_IDX;
    (void)snprintf(spec->data.dir, sizeof(spec->data.dir), "%s", data_dir);
    spec->data.guard_examples = GUARD;
    spec->data.task_specs_count = 1;
    spec->data.task_specs[0] = (struct task_spec){
        .kind = TASK_PERMUTE_PIXELS, .count = 2, .examples = 1210, .passes = 1};
    spec->model.hidden_count = 2;
    spec->model.hidden[0] = (struct layer_spec){23, ACTIVATION_RELU};
    spec->model.hidden[1] = (struct layer_spec){18, ACTIVATION_TANH};
    spec->model.outputs = CLASSES;
    spec->model.shards = SHARDS;
    spec->train.batch = BATCH;
    spec->train.microbatches = microbatches;
    spec->train.clip = 0.7;
    spec->train.rate.peak = 0.05;
    spec->train.optimizer.momentum = 0.9;
}

/* Adds an edit; units_first tells where its units begin in the layer. */
static void add_edit(struct grant *grant,
                     struct arch *arch,
                     const struct edit wanted)
{
    const struct arch_layer *layer = &arch->layers[wanted.layer];
    struct edit *edit = &grant->edits[grant->edits_count++];

    *edit = wanted;
    edit->units_first = grant->units_count;
    for (uint32_t i = 0; i < wanted.units_count; i++) {
        struct edit_unit *unit = &grant->units[grant->units_count++];
        const struct unit *old = &layer->units[wanted.units_first + i];
        struct unit_id fresh = {0, arch->next_birth + i};

        unit->id = wanted.kind == EDIT_ADD ? fresh : old->id;
        unit->renewed = fresh;
        unit->shard = i % layer->shards_count;
        unit->mean = wanted.kind == EDIT_REMOVE ? old->mean : 0.25f;
    }
    assert_int_equal(arch_apply(arch, edit, grant->units, grant->first_step),
                     STATUS_OK);
}

/* What happens at the beginning of some intervals. */
static void add_boundary(struct grant *grant, struct arch *arch, uint32_t n)
{
    if (n == 2) {
        add_edit(grant, arch, (struct edit){EDIT_ADD, 0, 0, 0, 4});
        grant->guard = true;
    } else if (n == 3) {
        add_edit(grant, arch, (struct edit){EDIT_RENEW, 1, 0, 2, 3});
        add_edit(grant, arch, (struct edit){EDIT_LESION, 0, 0, 5, 2});
    } else if (n == 4) {
        grant->settings_count = 2;
        grant->settings[0] = (struct grant_setting){SETTING_RATE, 0.02};
        grant->settings[1] = (struct grant_setting){SETTING_CLIP, 0};
    } else if (n == 5) {
        add_edit(grant, arch, (struct edit){EDIT_REMOVE, 0, 0, 5, 2});
        grant->evaluate_count = 2;
    } else if (n == CUT_INTERVAL) {
        add_edit(grant, arch, (struct edit){EDIT_ADD, 1, 0, 0, 2});
        grant->evaluate_count = 1;
        grant->version = 7;
        grant->hold = true;
    } else if (n == INTERVALS - 1) {
        grant->evaluate_count = 2;
    }
}

static void lay_out(struct job *job, struct arch *arch, uint32_t memory)
{
    job->memory[memory] = mem_new(arch_memory_bytes(&job->spec, CLASSES));
    assert_non_null(job->memory[memory]);
    arch_lay_out(arch, &job->spec, CLASSES, job->memory[memory]);
}

static void make_grants(struct job *job)
{
    struct arch later;
    uint64_t step = 0;
    uint64_t position = 0;
    uint32_t task = 0;

    lay_out(job, &job->arch_cut, 1);
    lay_out(job, &later, 2);
    arch_copy(&later, &job->arch);
    for (uint32_t n = 0; n < INTERVALS; n++) {
        struct grant *grant = &job->grants[n];
        uint64_t left = (1210 - position + BATCH - 1) / BATCH;

        *grant = (struct grant){.term = 3,
                                .interval = n,
                                .first_step = step,
                                .task = task,
                                .position = position,
                                .task_examples = 1210};
        grant->closing = n + 1 == INTERVALS;
        grant->steps = left < INTERVAL_STEPS ? (uint32_t)left : INTERVAL_STEPS;
        grant->steps = grant->closing ? 0 : grant->steps;
        add_boundary(grant, &later, n);
        if (n == CUT_INTERVAL) {
            arch_copy(&job->arch_cut, &later);
        }
        step += grant->steps;
        position += (uint64_t)grant->steps * BATCH;
        if (position >= 1210) { /* the last batch was short */
            task++;
            position = 0;
        }
    }
}

struct job *open_job(uint32_t microbatches)
{
    struct job *job = mem_new(sizeof(*job));
    char why[ERROR_BYTES_MAX] = "";

    assert_non_null(job);
    set_spec(&job->spec, microbatches);
    if (job_check(&job->spec, why, sizeof(why)) != STATUS_OK ||
        stream_open(&(struct stream_options){.data = &job->spec.data,
                                             .seed = job->spec.seed,
                                             .outputs = CLASSES},
                    why, sizeof(why), &job->stream) != STATUS_OK) {
        print_error("%s\n", why);
        fail();
    }
    lay_out(job, &job->arch, 0);
    arch_begin(&job->arch, &job->spec, INPUTS, CLASSES, job->memory[0]);
    make_grants(job);
    return job;
}

void close_job(struct job *job)
{
    mem_free(job->memory[2]);
    mem_free(job->memory[1]);
    mem_free(job->memory[0]);
    stream_close(job->stream);
    mem_free(job);
}

/* The data come and go with the group of tests */

int write_data(void **state)
{
    (void)state;
    (void)snprintf(data_dir, sizeof(data_dir), "/tmp/cajal-dataflow-XXXXXX");
    if (mkdtemp(data_dir) == NULL) {
        return -1;
    }
    write_set("train", TRAIN, 0);
    write_set("t10k", TEST, TRAIN);
    return 0;
}

int remove_data(void **state)
{
    char path[128];

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        path_of("train", kinds[k], path);
        (void)unlink(path);
        path_of("t10k", kinds[k], path);
        (void)unlink(path);
    }
    return rmdir(data_dir);
}
