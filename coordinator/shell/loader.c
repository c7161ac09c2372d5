#include "coordinator/shell/loader.h"

#include "base/log.h"
#include "base/mem.h"
#include "coordinator/shell/journalcode.h"

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

struct journal_scan {
    struct loaded *out;
    struct journal_record *record;
    enum status status;
};

/* The version carries the settings of its own boundary and of the interval
 * after it. */
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
        record->interval <= out->version->interval + 1) {
        return true;
    }
    if (record->interval >= out->journaled) {
        out->journaled = record->interval + 1;
    }
    /* All are counted: what is too many is the core's to say. To evaluate an
     * old version none is wanted. */
    for (uint32_t s = 0; s < record->settings_count; s++) {
        if (out->inputs_count < INPUTS_MAX) {
            out->inputs[out->inputs_count] = (struct input_setting){
                .interval = record->interval, .setting = record->settings[s]};
        }
        out->inputs_count++;
    }
    return true;
}

static enum status read_journal(const struct load_order *order,
                                struct loaded *out)
{
    struct journal_scan scan = {.out = out, .status = STATUS_OK};
    enum status status = STATUS_OK;

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
    out->status = read_version(order, &out->version);
    if (out->status == STATUS_OK) {
        out->status = read_journal(order, out);
    }
    if (out->status != STATUS_OK) {
        log_line(LOG_ERROR, "loader", "load_failed",
                 "job=j%" PRIu64 " version=v%" PRIu64 " why=\"%s\"", order->job,
                 order->version, status_text(out->status));
        version_free(out->version);
        out->version = NULL;
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
