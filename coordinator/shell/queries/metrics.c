/* metrics.c - how each task went, on the line of the head. */
#include "coordinator/shell/inside.h"

#include "base/mem.h"
#include "coordinator/shell/queries/lines.h"
#include "coordinator/shell/records/statcode.h"

#include <string.h>

/* One task, summed over its intervals. */
struct task_sums {
    uint64_t examples;
    uint64_t correct;
    double loss_sum;
    uint64_t live; /* of its last interval */
    uint64_t dormant;
    size_t held_out_first; /* measured at its end */
    size_t held_out_count;
};

struct metrics {
    uint64_t job;
    uint32_t next; /* task */
    bool ready;
    uint32_t tasks_count;
    uint32_t stretches_count;
    struct stretch stretches[LINES_MAX];
    struct task_sums tasks[TASKS_MAX];
    size_t held_out_count;
    size_t held_out_room;
    struct evaluation *held_out;
    struct evaluation evaluations[REPORT_EVALUATIONS_MAX];
    /* While a step runs: */
    const struct stretch *stretch;
    enum status status;
};

static enum status add_held_out(struct metrics *metrics,
                                const struct evaluation *evaluation)
{
    if (metrics->held_out_count == metrics->held_out_room) {
        size_t room =
            metrics->held_out_room > 0 ? 2 * metrics->held_out_room : 64;
        struct evaluation *list =
            mem_resize(metrics->held_out, room * sizeof(*list));

        if (list == NULL) {
            return STATUS_NO_MEMORY;
        }
        metrics->held_out = list;
        metrics->held_out_room = room;
    }
    metrics->held_out[metrics->held_out_count++] = *evaluation;
    return STATUS_OK;
}

/* Held-out data are evaluated at the boundary behind a task, on that task and
 * perhaps on those before it: the last one named is the one that ended. */
static enum status take_held_out(struct metrics *metrics,
                                 const struct interval_stat *stat)
{
    uint32_t ended = 0;
    size_t first = metrics->held_out_count;
    enum status status = STATUS_OK;

    for (uint32_t e = 0; e < stat->evaluations_count; e++) {
        const struct evaluation *evaluation = &stat->evaluations[e];

        if (evaluation->set != EVALUATION_HELD_OUT ||
            evaluation->examples == 0 || evaluation->task >= TASKS_MAX) {
            continue;
        }
        if (evaluation->task > ended) {
            ended = evaluation->task;
        }
        status = add_held_out(metrics, evaluation);
        if (status != STATUS_OK) {
            return status;
        }
    }
    if (metrics->held_out_count > first) {
        metrics->tasks[ended].held_out_first = first;
        metrics->tasks[ended].held_out_count = metrics->held_out_count - first;
        if (ended >= metrics->tasks_count) {
            metrics->tasks_count = ended + 1;
        }
    }
    return STATUS_OK;
}

static bool take_stat(void *owner, uint64_t key, const void *bytes, size_t size)
{
    struct metrics *metrics = owner;
    struct interval_stat stat;
    struct task_sums *task = NULL;

    (void)key;
    metrics->status = statcode_decode(bytes, size, metrics->evaluations, &stat);
    if (metrics->status != STATUS_OK) {
        return false;
    }
    if (!lines_contain(metrics->stretch, 1, stat.line, stat.interval)) {
        return false; /* behind the stretch */
    }
    metrics->status = take_held_out(metrics, &stat);
    if (stat.task >= TASKS_MAX || stat.examples == 0) {
        return metrics->status == STATUS_OK;
    }
    task = &metrics->tasks[stat.task];
    task->examples += stat.examples;
    task->correct += stat.correct;
    task->loss_sum += stat.loss_sum;
    task->live = stat.live;
    task->dormant = stat.dormant;
    if (stat.task >= metrics->tasks_count) {
        metrics->tasks_count = stat.task + 1;
    }
    return metrics->status == STATUS_OK;
}

static enum status read_stats(struct query *query, struct metrics *metrics)
{
    metrics->ready = true;
    metrics->status = STATUS_OK;
    for (uint32_t s = metrics->stretches_count; s > 0; s--) {
        enum status status;

        metrics->stretch = &metrics->stretches[s - 1]; /* the oldest first */
        status = store_scan_stats(
            query_store(query), metrics->job,
            statcode_key(metrics->stretch->line, metrics->stretch->first),
            take_stat, metrics);
        if (status == STATUS_OK) {
            status = metrics->status;
        }
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

static void fill_held_out(const struct metrics *metrics,
                          const struct task_sums *task,
                          Cajal__V1__HeldOut *items,
                          Cajal__V1__HeldOut **pointers)
{
    for (size_t h = 0; h < task->held_out_count; h++) {
        const struct evaluation *from =
            &metrics->held_out[task->held_out_first + h];

        cajal__v1__held_out__init(&items[h]);
        items[h].task = from->task;
        items[h].accuracy = (double)from->correct / (double)from->examples;
        items[h].loss = from->loss_sum / (double)from->examples;
        pointers[h] = &items[h];
    }
}

static enum status emit_task(struct query *query,
                             const struct metrics *metrics,
                             uint32_t index)
{
    const struct task_sums *task = &metrics->tasks[index];
    Cajal__V1__TaskMetrics m = CAJAL__V1__TASK_METRICS__INIT;
    Cajal__V1__HeldOut items[REPORT_EVALUATIONS_MAX];
    Cajal__V1__HeldOut *pointers[REPORT_EVALUATIONS_MAX];
    char job[NUMBER_BYTES_MAX];

    if (task->examples == 0 && task->held_out_count == 0) {
        return STATUS_OK;
    }
    fill_held_out(metrics, task, items, pointers);
    m.job = (char *)(uintptr_t)names_job(metrics->job, job);
    m.task = index;
    m.examples = task->examples;
    if (task->examples > 0) {
        m.online_accuracy = (double)task->correct / (double)task->examples;
        m.online_loss = task->loss_sum / (double)task->examples;
    }
    if (task->live > 0) {
        m.dormant = (double)task->dormant / (double)task->live;
    }
    m.n_held_out = task->held_out_count;
    m.held_out = pointers;
    return query_emit(query, &m.base);
}

static enum status step_metrics(struct query *query, void *state)
{
    struct metrics *metrics = state;
    enum status status = STATUS_OK;

    if (!metrics->ready) {
        status = read_stats(query, metrics);
    }
    while (status == STATUS_OK && !query_full(query)) {
        if (metrics->next >= metrics->tasks_count) {
            query_end(query);
            break;
        }
        status = emit_task(query, metrics, metrics->next);
        metrics->next++;
    }
    return status;
}

static void fini_metrics(void *state)
{
    mem_free(((struct metrics *)state)->held_out);
}

void answer_metrics(struct shell *shell,
                    struct call *call,
                    const Cajal__V1__MetricsRequest *request)
{
    static const struct query_kind kind = {.step = step_metrics,
                                           .fini = fini_metrics,
                                           .state_bytes =
                                               sizeof(struct metrics)};
    struct query *query = NULL;
    struct metrics *metrics = NULL;
    struct job_record *record = NULL;
    uint64_t job = 0;
    enum status status = STATUS_NO_MEMORY;

    if (!shell_find_job(shell, call, request->job, &job)) {
        return;
    }
    query = query_open(shell->queries, call, &kind);
    if (query == NULL) {
        return;
    }
    metrics = query_state(query);
    metrics->job = job;
    record = mem_new(sizeof(*record));
    if (record != NULL) {
        status = shell_record(shell, job, record);
    }
    if (status != STATUS_OK) {
        query_fail(query, status, "the job's record cannot be read");
    } else {
        metrics->stretches_count =
            lines_past(record->lines, record->lines_count, record->line,
                       UINT64_MAX, metrics->stretches);
        query_start(query);
    }
    mem_free(record);
}
