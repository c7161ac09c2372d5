#include "coordinator/shell/persistence/loader.h"

#include "base/log.h"
#include "base/mem.h"
#include "coordinator/shell/records/journalcode.h"

#include <inttypes.h>

struct load {
    struct load_order order;
    struct loaded loaded;
    loader_fn *fn;
    void *owner;
};

static enum status read_version(const struct load_order *order,
                                struct version **out)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    enum status status = store_get_version(order->store, order->job,
                                           order->version, &bytes, &size);

    if (status != STATUS_OK) {
        return status;
    }
    status = version_decode(bytes, size, out);
    mem_free(bytes);
    return status;
}

/* A version committed later than the point was recorded is newer than it: its
 * number is then not the one that the point carries. */
enum status loader_read_point(const struct load_order *order,
                              struct version **out)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    struct version *version = NULL;
    enum status status =
        store_get_point(order->store, order->job, &bytes, &size);

    if (status == STATUS_OK) {
        status = version_decode(bytes, size, &version);
        mem_free(bytes);
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (version->job != order->job || version->number != order->version ||
        version->line != order->line || version->shards_count != 0 ||
        version->begun == NULL) {
        version_free(version);
        return STATUS_NOT_FOUND;
    }
    *out = version;
    return STATUS_OK;
}

/* A point that cannot be had costs steps, never the job. */
static enum status read_state(const struct load_order *order,
                              struct loaded *out)
{
    enum status status = STATUS_NOT_FOUND;

    if (order->point) {
        status = loader_read_point(order, &out->version);
        out->point = status == STATUS_OK;
        if (!out->point) {
            log_line(LOG_WARN, "loader", "no_point",
                     "job=j%" PRIu64 " why=\"%s\"", order->job,
                     status_text(status));
        }
    }
    return out->point ? STATUS_OK : read_version(order, &out->version);
}

struct journal_scan {
    struct loaded *out;
    uint64_t head; /* interval of the order's version */
    struct journal_record *record;
    uint64_t before; /* first step of the grant before the record's */
    enum status status;
};

/* A grant was decided when the interval two before it was reported. */
static void take_sum(struct journal_scan *scan, const void *bytes, size_t size)
{
    struct loaded *out = scan->out;
    const struct journal_record *record = scan->record;

    out->step = scan->before;
    scan->before = record->first_step;
    if (record->has_hash) {
        scan->status = journalsums_add(&out->sums, record->interval,
                                       journalcode_sum(bytes, size));
        if (scan->status == STATUS_BUSY) {
            scan->status = STATUS_OK;
        }
    }
}

/* All are counted: what is too many is the core's to say. To evaluate an old
 * version none is wanted. */
static void take_settings(const struct journal_record *record,
                          struct loaded *out)
{
    for (uint32_t s = 0; s < record->settings_count; s++) {
        if (out->inputs_count < INPUTS_MAX) {
            out->inputs[out->inputs_count] = (struct input_setting){
                .interval = record->interval, .setting = record->settings[s]};
        }
        out->inputs_count++;
    }
}

/* The version carries the settings of its own boundary and of the interval
 * after it. Those between it and a point are told too: the job may have to go
 * back further than the point, and must not be given more of them by then than
 * it can repeat. */
static bool take_record(void *owner,
                        uint64_t key,
                        const void *bytes,
                        size_t size)
{
    struct journal_scan *scan = owner;
    struct loaded *out = scan->out;
    const struct journal_record *record = scan->record;

    (void)key;
    scan->status = journalcode_peek(bytes, size, scan->record);
    if (scan->status != STATUS_OK) {
        return false;
    }
    if (!record->has_grant || record->line != out->version->line ||
        record->interval <= scan->head + 1) {
        return true;
    }
    take_settings(record, out);
    if (record->interval <= out->version->interval + 1) {
        return true;
    }
    if (record->interval >= out->journaled) {
        out->journaled = record->interval + 1;
    }
    take_sum(scan, bytes, size);
    return scan->status == STATUS_OK;
}

/* A head that cannot be read will not be gone back to either. */
static uint64_t head_interval(const struct load_order *order,
                              const struct loaded *loaded)
{
    uint64_t interval = loaded->version->interval;
    struct version *head = NULL;

    if (loaded->point && read_version(order, &head) == STATUS_OK) {
        interval = head->interval;
        version_free(head);
    }
    return interval;
}

static enum status read_journal(const struct load_order *order,
                                struct loaded *out)
{
    const struct grant *pending = out->version->pending;
    struct journal_scan scan = {.out = out, .status = STATUS_OK};
    enum status status = STATUS_OK;

    scan.head = head_interval(order, out);
    out->step = out->version->step;
    scan.before = pending != NULL ? pending->first_step : out->step;

    scan.record = mem_new(sizeof(*scan.record));
    if (scan.record == NULL) {
        return STATUS_NO_MEMORY;
    }
    out->journaled = out->version->interval + 2;
    status = store_scan_log(order->store, LOG_JOURNAL, order->job, 0,
                            take_record, &scan);
    mem_free(scan.record);
    return status == STATUS_OK ? scan.status : status;
}

void loader_read(const struct load_order *order, struct loaded *out)
{
    out->token = order->token;
    out->slot = order->slot;
    out->inputs_count = 0;
    out->version = NULL;
    out->point = false;
    out->step = 0;
    out->sums = (struct journalsums){.sums = NULL};
    out->status = read_state(order, out);
    if (out->status == STATUS_OK) {
        out->status = read_journal(order, out);
    }
    if (out->status != STATUS_OK) {
        log_line(LOG_ERROR, "loader", "load_failed",
                 "job=j%" PRIu64 " version=v%" PRIu64 " why=\"%s\"", order->job,
                 order->version, status_text(out->status));
        version_free(out->version);
        out->version = NULL;
        journalsums_fini(&out->sums);
    }
}

static void run(void *work)
{
    struct load *load = work;

    loader_read(&load->order, &load->loaded);
}

static void done(void *work)
{
    struct load *load = work;

    load->fn(load->owner, &load->loaded);
    mem_free(load);
}

enum status loader_start(struct jobs *reader,
                         const struct load_order *order,
                         loader_fn *fn,
                         void *owner)
{
    struct load *load = mem_new(sizeof(*load));
    enum status status = STATUS_NO_MEMORY;

    if (load == NULL) {
        return STATUS_NO_MEMORY;
    }
    load->order = *order;
    load->fn = fn;
    load->owner = owner;
    status = jobs_submit(reader, run, done, load);
    if (status != STATUS_OK) {
        mem_free(load);
    }
    return status;
}
