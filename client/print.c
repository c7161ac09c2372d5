#include "client/print.h"

#include "base/limits.h"
#include "base/text.h"
#include "client/json.h"
#include "client/table.h"

#include <math.h>
#include <string.h>
#include <time.h>

enum { LINE_BYTES_MAX = 512 };

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

void print_shape(const struct look *look,
                 const cJSON *object,
                 char *out,
                 size_t size)
{
    const cJSON *shape = cJSON_GetObjectItemCaseSensitive(object, "shape");
    const cJSON *width = NULL;
    struct text text;

    text_init(&text, out, size);
    cJSON_ArrayForEach(width, shape)
    {
        if (width->valuedouble == 0) {
            continue; /* not known before the data were looked at */
        }
        if (text.used > 0) {
            text_add(&text, look->utf8 ? look_arrow(look) : "-");
        }
        text_u64(&text, (uint64_t)width->valuedouble);
    }
}

void print_line(struct print *print, const char *label, const char *value)
{
    char clean[LINE_BYTES_MAX];

    if (value[0] == '\0') {
        return;
    }
    look_clean(value, clean, sizeof(clean));
    (void)fprintf(print->out, "  %-12s%s\n", label, clean);
}

static void finish(struct print *print, struct table *table)
{
    print->left_out +=
        table_print(table, &print->look, print->wide, print->out);
    table_close(table);
}

static enum paint paint_of_state(const char *state)
{
    if (strcmp(state, "failed") == 0 || strcmp(state, "lost") == 0) {
        return PAINT_BAD;
    }
    if (strcmp(state, "running") == 0 || strcmp(state, "finished") == 0 ||
        strcmp(state, "busy") == 0) {
        return PAINT_GOOD;
    }
    return PAINT_NONE;
}

/* "4,712/9,380" */
static void add_progress(struct table *table,
                         const struct look *look,
                         const cJSON *object)
{
    char step[40];
    char steps[40];
    char both[96];

    look_count(look, json_number(object, "step"), step);
    look_count(look, json_number(object, "steps"), steps);
    (void)snprintf(both, sizeof(both), "%s/%s", step, steps);
    table_add(table, both);
}

void print_jobs(struct print *print, const cJSON *document)
{
    static const struct table_column columns[] = {
        {"JOB", false, 0, false},    {"NAME", false, 4, false},
        {"STATE", false, 0, false},  {"STEP", true, 3, false},
        {"SHAPE", false, 2, false},  {"VERSION", false, 1, false},
        {"CREATED", false, 1, true}, {"REASON", false, 5, false},
    };
    struct table *table = table_open(columns, COUNT_OF(columns));
    const cJSON *job = NULL;

    cJSON_ArrayForEach(job, cJSON_GetObjectItemCaseSensitive(document, "jobs"))
    {
        char shape[LINE_BYTES_MAX];
        const char *state = json_text(job, "state");
        const char *reason = json_text(job, "reason");

        print_shape(&print->look, job, shape, sizeof(shape));
        table_add(table, json_text(job, "job"));
        table_add(table, json_text(job, "name"));
        table_add_painted(table, state, paint_of_state(state));
        add_progress(table, &print->look, job);
        table_add(table, shape);
        table_add(table, json_text(job, "head"));
        table_add(table, json_text(job, "created"));
        table_add(table, reason[0] != '\0' ? reason : "-");
    }
    finish(print, table);
}

static void print_shares(struct print *print, const cJSON *workers)
{
    static const struct table_column columns[] = {
        {"WORKER", false, 0, false}, {"STATE", false, 2, false},
        {"SHARDS", true, 0, false},  {"SHARD STEPS", true, 3, false},
        {"SENT", true, 1, false},
    };
    struct table *table = NULL;
    const cJSON *worker = NULL;

    if (cJSON_GetArraySize(workers) == 0) {
        return;
    }
    (void)fputc('\n', print->out);
    table = table_open(columns, COUNT_OF(columns));
    cJSON_ArrayForEach(worker, workers)
    {
        char bytes[40];
        const char *state = json_text(worker, "state");

        look_bytes(json_number(worker, "bytes_sent"), bytes);
        table_add(table, json_text(worker, "worker"));
        table_add_painted(table, state, paint_of_state(state));
        table_add_count(table, &print->look, json_number(worker, "shards"));
        table_add_count(table, &print->look,
                        json_number(worker, "shard_steps"));
        table_add(table, bytes);
    }
    finish(print, table);
}

/* "9,380 of 9,380, task 9 (10 in all)" */
static void print_step(struct print *print, const cJSON *document)
{
    char step[40];
    char steps[40];
    char line[LINE_BYTES_MAX];

    look_count(&print->look, json_number(document, "step"), step);
    look_count(&print->look, json_number(document, "steps"), steps);
    (void)snprintf(line, sizeof(line), "%s of %s, task%.0f (%.0f in all)", step,
                   steps, json_number(document, "task"),
                   json_number(document, "task_count"));
    print_line(print, "step", line);
}

static void print_figures(struct print *print, const cJSON *document)
{
    char number[40];
    char loss[40];
    char line[LINE_BYTES_MAX];

    look_count(&print->look, json_number(document, "examples_per_second"),
               number);
    (void)snprintf(line, sizeof(line), "%s examples/s", number);
    print_line(print, "speed", line);
    look_ratio(json_number(document, "accuracy"), number);
    look_ratio(json_number(document, "loss"), loss);
    (void)snprintf(line, sizeof(line),
                   "accuracy %s, loss %s in the last interval", number, loss);
    print_line(print, "online", line);
    (void)snprintf(line, sizeof(line), "%.0f grown, %.0f renewed, %.0f pruned",
                   json_number(document, "grows"),
                   json_number(document, "renews"),
                   json_number(document, "prunes"));
    print_line(print, "edits", line);
    print_line(print, "decided", json_text(document, "last_decision"));
    if (json_number(document, "replayed_steps") > 0) {
        look_count(&print->look, json_number(document, "replayed_steps"),
                   number);
        (void)snprintf(line, sizeof(line), "%s steps, to the same bits",
                       number);
        print_line(print, "replayed", line);
    }
}

/* What the store takes, and what this job's versions may need of it. */
static void print_disk(struct print *print, const cJSON *document)
{
    char used[40];
    char file[40];
    char version[40];
    char most[40];
    char line[LINE_BYTES_MAX];

    look_bytes(json_number(document, "store_used_bytes"), used);
    look_bytes(json_number(document, "store_file_bytes"), file);
    (void)snprintf(line, sizeof(line), "%s used of %s on disk", used, file);
    print_line(print, "store", line);
    if (json_number(document, "forecast_bytes") > 0) {
        look_bytes(json_number(document, "version_bytes"), version);
        look_bytes(json_number(document, "forecast_bytes"), most);
        (void)snprintf(line, sizeof(line),
                       "about %s a version, at most %s in all", version, most);
        print_line(print, "forecast", line);
    }
}

void print_status(struct print *print, const cJSON *document)
{
    char shape[LINE_BYTES_MAX];
    char parameters[40];
    char line[2 * LINE_BYTES_MAX];
    const char *state = json_text(document, "state");

    (void)fprintf(print->out, "%s %s: %s%s%s\n", json_text(document, "job"),
                  json_text(document, "name"),
                  look_paint(&print->look, paint_of_state(state)), state,
                  look_paint(&print->look, PAINT_NONE));
    print_line(print, "why", json_text(document, "reason"));
    print_step(print, document);
    print_shape(&print->look, document, shape, sizeof(shape));
    look_count(&print->look, json_number(document, "parameters"), parameters);
    (void)snprintf(line, sizeof(line), "%s, %s parameters", shape, parameters);
    print_line(print, "shape", line);
    if (json_number(document, "versions") > 0) {
        (void)snprintf(line, sizeof(line), "%s, %.0f in all",
                       json_text(document, "head"),
                       json_number(document, "versions"));
        print_line(print, "version", line);
    }
    print_figures(print, document);
    print_disk(print, document);
    print_shares(print, cJSON_GetObjectItemCaseSensitive(document, "workers"));
}

void print_workers(struct print *print, const cJSON *document)
{
    static const struct table_column columns[] = {
        {"WORKER", false, 0, false},     {"NAME", false, 5, false},
        {"STATE", false, 0, false},      {"JOB", false, 6, false},
        {"SHARDS", true, 4, false},      {"LAG", true, 3, false},
        {"SHARD STEPS", true, 2, false}, {"SENT", true, 2, false},
        {"KEPT", true, 1, true},         {"FOR OTHERS", true, 1, true},
        {"THREADS", true, 1, true},      {"SEEN", true, 3, false},
        {"HOST", false, 1, true},        {"PID", true, 1, true},
        {"KERNELS", false, 1, true},     {"ENDPOINT", false, 1, true},
        {"WHY", false, 4, false},
    };
    struct table *table = table_open(columns, COUNT_OF(columns));
    const cJSON *worker = NULL;

    cJSON_ArrayForEach(worker,
                       cJSON_GetObjectItemCaseSensitive(document, "workers"))
    {
        char sent[40];
        char kept[40];
        char others[40];
        char seen[40];
        char pid[40];
        const char *state = json_text(worker, "state");
        const char *reason = json_text(worker, "reason");

        look_bytes(json_number(worker, "bytes_sent"), sent);
        look_bytes(json_number(worker, "kept_bytes"), kept);
        look_bytes(json_number(worker, "buddy_bytes"), others);
        look_seconds(json_number(worker, "seen_seconds"), seen);
        (void)snprintf(pid, sizeof(pid), "%.0f", json_number(worker, "pid"));
        table_add(table, json_text(worker, "worker"));
        table_add(table, json_text(worker, "name"));
        table_add_painted(table, state, paint_of_state(state));
        table_add(table, json_text(worker, "job"));
        table_add_count(table, &print->look, json_number(worker, "shards"));
        table_add_count(table, &print->look, json_number(worker, "lag"));
        table_add_count(table, &print->look,
                        json_number(worker, "shard_steps"));
        table_add(table, sent);
        table_add(table, kept);
        table_add(table, others);
        table_add_count(table, &print->look, json_number(worker, "threads"));
        table_add(table, seen);
        table_add(table, json_text(worker, "host"));
        table_add(table, pid);
        table_add(table, json_text(worker, "kernels"));
        table_add(table, json_text(worker, "endpoint"));
        table_add(table, reason[0] != '\0' ? reason : "-");
    }
    finish(print, table);
}

/* Mean accuracy over the tasks that were measured at a task's end. */
static double held_out_mean(const cJSON *task)
{
    const cJSON *held_out = cJSON_GetObjectItemCaseSensitive(task, "held_out");
    const cJSON *one = NULL;
    double sum = 0;
    int count = cJSON_GetArraySize(held_out);

    cJSON_ArrayForEach(one, held_out)
    {
        sum += json_number(one, "accuracy");
    }
    return count > 0 ? sum / count : (double)NAN;
}

static double held_out_own(const cJSON *task)
{
    const cJSON *one = NULL;

    cJSON_ArrayForEach(one, cJSON_GetObjectItemCaseSensitive(task, "held_out"))
    {
        if (json_number(one, "task") == json_number(task, "task")) {
            return json_number(one, "accuracy");
        }
    }
    return (double)NAN;
}

void print_metrics(struct print *print, const cJSON *document)
{
    static const struct table_column columns[] = {
        {"TASK", false, 0, false},      {"EXAMPLES", true, 2, false},
        {"ONLINE ACC", true, 0, false}, {"ONLINE LOSS", true, 4, false},
        {"HELD OUT", true, 5, false},   {"ALL MEASURED", true, 3, false},
        {"DORMANT", true, 1, false},
    };
    struct table *table = table_open(columns, COUNT_OF(columns));
    const cJSON *task = NULL;

    cJSON_ArrayForEach(task,
                       cJSON_GetObjectItemCaseSensitive(document, "tasks"))
    {
        char name[40];

        (void)snprintf(name, sizeof(name), "task%.0f",
                       json_number(task, "task"));
        table_add(table, name);
        table_add_count(table, &print->look, json_number(task, "examples"));
        table_add_ratio(table, json_number(task, "online_accuracy"));
        table_add_ratio(table, json_number(task, "online_loss"));
        table_add_ratio(table, held_out_own(task));
        table_add_ratio(table, held_out_mean(task));
        table_add_ratio(table, json_number(task, "dormant"));
    }
    finish(print, table);
}

static void add_evaluation(struct print *print,
                           struct table *table,
                           const char *name,
                           const cJSON *one)
{
    table_add(table, name);
    table_add_count(table, &print->look, json_number(one, "examples"));
    table_add_ratio(table, json_number(one, "accuracy"));
    table_add_ratio(table, json_number(one, "loss"));
}

void print_evaluation(struct print *print, const cJSON *document)
{
    static const struct table_column columns[] = {
        {"TASK", false, 0, false},
        {"EXAMPLES", true, 1, false},
        {"ACCURACY", true, 0, false},
        {"LOSS", true, 2, false},
    };
    struct table *table = table_open(columns, COUNT_OF(columns));
    const cJSON *task = NULL;

    cJSON_ArrayForEach(task,
                       cJSON_GetObjectItemCaseSensitive(document, "tasks"))
    {
        char name[40];

        (void)snprintf(name, sizeof(name), "task%.0f",
                       json_number(task, "task"));
        add_evaluation(print, table, name, task);
    }
    add_evaluation(print, table, "all", document);
    finish(print, table);
    if (json_number(document, "left_out") > 0) {
        (void)fprintf(print->out,
                      "The oldest %.0f tasks are left out: %d are evaluated at "
                      "most.\n",
                      json_number(document, "left_out"), EVALUATED_TASKS_MAX);
    }
}

void print_tags(struct print *print, const cJSON *document)
{
    static const struct table_column columns[] = {
        {"TAG", false, 0, false},
        {"VERSION", false, 0, false},
    };
    struct table *table = table_open(columns, COUNT_OF(columns));
    const cJSON *tag = NULL;

    cJSON_ArrayForEach(tag, cJSON_GetObjectItemCaseSensitive(document, "tags"))
    {
        table_add(table, json_text(tag, "name"));
        table_add(table, json_text(tag, "version"));
    }
    finish(print, table);
}

void print_verify(struct print *print, const cJSON *document)
{
    char chunks[40];
    char bytes[40];
    char faults[40];
    const cJSON *fault = NULL;

    cJSON_ArrayForEach(fault,
                       cJSON_GetObjectItemCaseSensitive(document, "faults"))
    {
        char clean[LINE_BYTES_MAX];

        look_clean(cJSON_GetStringValue(fault), clean, sizeof(clean));
        (void)fprintf(print->out, "fault: %s\n", clean);
    }
    look_count(&print->look, json_number(document, "chunks"), chunks);
    look_bytes(json_number(document, "bytes"), bytes);
    look_count(&print->look, json_number(document, "fault_count"), faults);
    (void)fprintf(
        print->out, "%s: %.0f versions, %s chunks, %s read back, %s faults\n",
        json_number(document, "fault_count") > 0 ? "damaged" : "whole",
        json_number(document, "versions"), chunks, bytes, faults);
}

void print_version_tool(struct print *print, const cJSON *document)
{
    const cJSON *about =
        cJSON_GetObjectItemCaseSensitive(document, "coordinator");
    char bytes[40];
    char line[LINE_BYTES_MAX];

    (void)fprintf(print->out, "cajal %s\n", json_text(document, "client"));
    if (!cJSON_IsObject(about)) {
        return;
    }
    look_bytes(json_number(about, "store_used_bytes"), bytes);
    (void)snprintf(line, sizeof(line), "%s, process %.0f, %.0f workers",
                   json_text(about, "version"), json_number(about, "pid"),
                   json_number(about, "workers"));
    print_line(print, "coordinator", line);
    (void)snprintf(line, sizeof(line), "%s, %s", json_text(about, "store"),
                   bytes);
    print_line(print, "store", line);
    if (json_number(about, "calls_refused") > 0 ||
        json_number(about, "handshakes_refused") > 0 ||
        json_number(about, "connections_refused") > 0) {
        (void)snprintf(line, sizeof(line),
                       "%.0f calls, %.0f handshakes, %.0f connections",
                       json_number(about, "calls_refused"),
                       json_number(about, "handshakes_refused"),
                       json_number(about, "connections_refused"));
        print_line(print, "turned away", line);
    }
    if (json_number(about, "keys_refused") > 0 ||
        json_number(about, "messages_refused") > 0) {
        (void)snprintf(line, sizeof(line), "%.0f unknown keys, %.0f messages",
                       json_number(about, "keys_refused"),
                       json_number(about, "messages_refused"));
        print_line(print, "of workers", line);
    }
}
