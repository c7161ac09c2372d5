#include "proto/jobcode.h"

#include "base/bytes.h"
#include "base/check.h"
#include <string.h>

#define MAGIC 0x424F4A43u /* "CJOB" */

static void write_text(struct writer *w, const char *text)
{
    size_t size = strlen(text);

    write_u16(w, (uint16_t)size);
    write_bytes(w, text, size);
}

static void read_text(struct reader *r, char *out, size_t out_size)
{
    size_t size = read_u16(r);
    const unsigned char *bytes = read_bytes(r, size);

    if (bytes == NULL || size >= out_size ||
        memchr(bytes, '\0', size) != NULL) {
        r->failed = true;
        return;
    }
    memcpy(out, bytes, size);
}

static bool read_flag(struct reader *r)
{
    uint8_t flag = read_u8(r);

    r->failed = r->failed || flag > 1;
    return flag == 1;
}

/* A count that its array has room for. */
static uint32_t read_count(struct reader *r, uint32_t most)
{
    uint32_t count = read_u32(r);

    if (count > most) {
        r->failed = true;
    }
    return r->failed ? 0 : count;
}

static void write_data(struct writer *w, const struct data_spec *data)
{
    write_u32(w, data->format);
    write_text(w, data->dir);
    write_u64(w, data->guard_examples);
    write_u8(w, data->shuffle);
    write_u32(w, data->task_specs_count);
    for (uint32_t i = 0; i < data->task_specs_count; i++) {
        const struct task_spec *task = &data->task_specs[i];

        write_u32(w, task->kind);
        write_u32(w, task->count);
        write_u64(w, task->examples);
        write_u32(w, task->passes);
    }
}

static void read_data(struct reader *r, struct data_spec *data)
{
    data->format = (enum data_format)read_u32(r);
    read_text(r, data->dir, sizeof(data->dir));
    data->guard_examples = read_u64(r);
    data->shuffle = read_flag(r);
    data->task_specs_count = read_count(r, TASK_SPECS_MAX);
    for (uint32_t i = 0; i < data->task_specs_count; i++) {
        struct task_spec *task = &data->task_specs[i];

        task->kind = (enum task_kind)read_u32(r);
        task->count = read_u32(r);
        task->examples = read_u64(r);
        task->passes = read_u32(r);
    }
}

static void write_model(struct writer *w, const struct model_spec *model)
{
    write_u32(w, model->hidden_count);
    for (uint32_t i = 0; i < model->hidden_count; i++) {
        write_u32(w, model->hidden[i].units);
        write_u32(w, model->hidden[i].activation);
    }
    write_u32(w, model->outputs);
    write_u32(w, model->shards);
}

static void read_model(struct reader *r, struct model_spec *model)
{
    model->hidden_count = read_count(r, LAYERS_MAX - 1);
    for (uint32_t i = 0; i < model->hidden_count; i++) {
        model->hidden[i].units = read_u32(r);
        model->hidden[i].activation = (enum activation)read_u32(r);
    }
    model->outputs = read_u32(r);
    model->shards = read_u32(r);
}

static void write_train(struct writer *w, const struct train_spec *train)
{
    write_u32(w, train->optimizer.kind);
    write_f64(w, train->optimizer.momentum);
    write_f64(w, train->optimizer.beta1);
    write_f64(w, train->optimizer.beta2);
    write_f64(w, train->optimizer.epsilon);
    write_f64(w, train->optimizer.weight_decay);
    write_f64(w, train->rate.peak);
    write_u32(w, train->rate.schedule);
    write_u64(w, train->rate.warmup_steps);
    write_u32(w, train->rate.over);
    write_u32(w, train->batch);
    write_u32(w, train->microbatches);
    write_f64(w, train->clip);
}

static void read_train(struct reader *r, struct train_spec *train)
{
    train->optimizer.kind = (enum optimizer_kind)read_u32(r);
    train->optimizer.momentum = read_f64(r);
    train->optimizer.beta1 = read_f64(r);
    train->optimizer.beta2 = read_f64(r);
    train->optimizer.epsilon = read_f64(r);
    train->optimizer.weight_decay = read_f64(r);
    train->rate.peak = read_f64(r);
    train->rate.schedule = (enum schedule_kind)read_u32(r);
    train->rate.warmup_steps = read_u64(r);
    train->rate.over = (enum schedule_over)read_u32(r);
    train->batch = read_u32(r);
    train->microbatches = read_u32(r);
    train->clip = read_f64(r);
}

static void write_stop(struct writer *w, const struct job_spec *spec)
{
    write_u8(w, spec->evaluate.at_task_end);
    write_u32(w, spec->evaluate.on);
    write_u32(w, spec->stop_rules_count);
    for (uint32_t i = 0; i < spec->stop_rules_count; i++) {
        write_u32(w, spec->stop_rules[i].kind);
        write_f64(w, spec->stop_rules[i].value);
    }
    write_u64(w, spec->report_every_steps);
}

static void read_stop(struct reader *r, struct job_spec *spec)
{
    spec->evaluate.at_task_end = read_flag(r);
    spec->evaluate.on = (enum evaluate_on)read_u32(r);
    spec->stop_rules_count = read_count(r, STOP_RULES_MAX);
    for (uint32_t i = 0; i < spec->stop_rules_count; i++) {
        spec->stop_rules[i].kind = (enum stop_kind)read_u32(r);
        spec->stop_rules[i].value = read_f64(r);
    }
    spec->report_every_steps = read_u64(r);
}

static uint32_t keys_count(enum policy_id id)
{
    const struct policy_entry *entry = policy_find(id);
    uint32_t count = 0;

    while (entry != NULL && entry->keys[count].name != NULL) {
        count++;
    }
    return count;
}

static void write_role(struct writer *w, const struct role_spec *role)
{
    write_u32(w, role->count);
    for (uint32_t i = 0; i < role->count; i++) {
        uint32_t count = keys_count(role->policies[i].policy);

        write_u32(w, role->policies[i].policy);
        write_u32(w, count);
        for (uint32_t k = 0; k < count; k++) {
            write_f64(w, role->policies[i].value[k]);
        }
    }
}

/* A policy with a number of keys that is not ours is of another release. */
static void read_role(struct reader *r, struct role_spec *role)
{
    role->count = read_count(r, POLICIES_MAX);
    for (uint32_t i = 0; i < role->count; i++) {
        uint32_t count;

        role->policies[i].policy = (enum policy_id)read_u32(r);
        count = read_count(r, POLICY_KEYS_MAX);
        if (count != keys_count(role->policies[i].policy)) {
            r->failed = true;
        }
        for (uint32_t k = 0; k < count; k++) {
            role->policies[i].value[k] = read_f64(r);
        }
    }
}

size_t jobcode_encode(const struct job_spec *spec, void *out)
{
    struct writer w;

    writer_init(&w, out, JOBCODE_BYTES_MAX);
    write_u32(&w, MAGIC);
    write_u16(&w, JOBCODE_FORMAT);
    write_text(&w, spec->name);
    write_u64(&w, spec->seed);
    write_data(&w, &spec->data);
    write_model(&w, &spec->model);
    write_u32(&w, spec->loss);
    write_train(&w, &spec->train);
    write_stop(&w, spec);
    for (unsigned role = 0; role < ROLES_COUNT; role++) {
        write_role(&w, &spec->roles[role]);
    }
    write_f64(&w, spec->guard_tolerance);
    write_u64(&w, spec->keep.every_steps);
    write_u32(&w, spec->keep.on);
    write_u32(&w, spec->keep.last);
    write_u32(&w, spec->run.workers);
    write_u32(&w, spec->run.workers_min);
    write_u32(&w, spec->run.threads);
    write_text(&w, spec->store.mirror);
    CHECK(!w.failed);
    return w.at;
}

/* Format 1 had one number of workers; format 2 no mirror. */
static void read_spec(struct reader *r, uint16_t format, struct job_spec *spec)
{
    memset(spec, 0, sizeof(*spec)); /* padding too: equal jobs, equal bytes */
    read_text(r, spec->name, sizeof(spec->name));
    spec->seed = read_u64(r);
    read_data(r, &spec->data);
    read_model(r, &spec->model);
    spec->loss = (enum loss_kind)read_u32(r);
    read_train(r, &spec->train);
    read_stop(r, spec);
    for (unsigned role = 0; role < ROLES_COUNT; role++) {
        read_role(r, &spec->roles[role]);
    }
    spec->guard_tolerance = read_f64(r);
    spec->keep.every_steps = read_u64(r);
    spec->keep.on = read_u32(r);
    spec->keep.last = read_u32(r);
    spec->run.workers = read_u32(r);
    spec->run.workers_min = format >= 2 ? read_u32(r) : 0;
    spec->run.threads = read_u32(r);
    if (format >= 3) {
        read_text(r, spec->store.mirror, sizeof(spec->store.mirror));
    }
}

enum status jobcode_decode(const void *bytes, size_t size, struct job_spec *out)
{
    char why[REASON_BYTES_MAX];
    struct job_spec spec;
    struct reader r;
    uint32_t magic;
    uint16_t format;

    reader_init(&r, bytes, size);
    magic = read_u32(&r);
    format = read_u16(&r);
    if (r.failed || magic != MAGIC) {
        return STATUS_CORRUPT;
    }
    if (format < 1 || format > JOBCODE_FORMAT) {
        return STATUS_UNSUPPORTED;
    }
    read_spec(&r, format, &spec);
    if (r.failed || r.at != r.size) {
        return STATUS_CORRUPT;
    }
    if (job_check(&spec, why, sizeof(why)) != STATUS_OK) {
        return STATUS_INVALID;
    }
    memcpy(out, &spec, sizeof(*out));
    return STATUS_OK;
}
