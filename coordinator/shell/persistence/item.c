#include "coordinator/shell/persistence/item.h"

#include "base/mem.h"
#include "coordinator/shell/records/recordcode.h"

#include <string.h>

void item_free(struct item *item)
{
    mem_free(item->why);
    mem_free(item->bytes);
    mem_free(item->more);
    mem_free(item->event);
    manifest_fini(&item->manifest);
    mem_free(item->record);
    version_free(item->restored);
    mem_free(item);
}

void item_list_add(struct item_list *list, struct item *item)
{
    if (list->last != NULL) {
        list->last->next = item;
    } else {
        list->first = item;
    }
    list->last = item;
    list->count++;
}

struct item *item_list_take(struct item_list *list)
{
    struct item *item = list->first;

    if (item == NULL) {
        return NULL;
    }
    list->first = item->next;
    if (list->first == NULL) {
        list->last = NULL;
    }
    item->next = NULL;
    list->count--;
    return item;
}

static enum status make_restore(struct store *store, struct item *item)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    enum status status =
        store_get_version(store, item->job, item->from, &bytes, &size);

    if (status != STATUS_OK) {
        return status;
    }
    status = version_decode(bytes, size, &item->restored);
    mem_free(bytes);
    if (status != STATUS_OK) {
        return status;
    }
    status =
        manifest_of_restore(item->restored, &item->restore, &item->manifest);
    if (status != STATUS_OK) {
        return status;
    }
    record_after_restore(item->record, item->restored, item->number);
    item->bytes = mem_new(RECORD_BYTES_MAX);
    if (item->bytes == NULL) {
        return STATUS_NO_MEMORY;
    }
    item->size = recordcode_encode(item->record, item->bytes);
    return STATUS_OK;
}

static enum status put_version(struct batch *batch,
                               const struct item *item,
                               const char *actor)
{
    const struct manifest *m = &item->manifest;
    enum status status = batch_put_version(
        batch, item->job, item->number, m->bytes, m->size, m->summary,
        m->summary_size, m->chunks, m->chunks_count);

    if (status != STATUS_OK) {
        return status;
    }
    status = batch_set_ref(batch, item->job, "head", item->number,
                           item->wall_ms, actor);
    if (status != STATUS_OK) {
        return status;
    }
    return batch_put_job(batch, item->job, item->bytes, item->size);
}

static enum status put(struct batch *batch, const struct item *item)
{
    enum status status = STATUS_OK;

    switch (item->kind) {
    case ITEM_JOB:
        return batch_put_job(batch, item->job, item->bytes, item->size);
    case ITEM_LAUNCH:
        status = batch_put_job(batch, item->job, item->bytes, item->size);
        if (status != STATUS_OK) {
            return status;
        }
        return batch_append(batch, LOG_EVENTS, item->job, item->more,
                            item->more_size);
    case ITEM_JOURNAL:
        return batch_append(batch, LOG_JOURNAL, item->job, item->bytes,
                            item->size);
    case ITEM_STAT:
        return batch_put_stat(batch, item->job, item->number, item->bytes,
                              item->size);
    case ITEM_EVENT:
        return batch_append(batch, LOG_EVENTS, item->job, item->bytes,
                            item->size);
    case ITEM_VERSION:
        return put_version(batch, item, "commit");
    case ITEM_RESTORE:
        return put_version(batch, item, "restore");
    case ITEM_TAG:
        return batch_set_ref(batch, item->job, item->name, item->number,
                             item->wall_ms, "tag");
    case ITEM_POINT:
        return batch_put_point(batch, item->job, item->bytes, item->size);
    case ITEM_NOTICE:
    case ITEM_MARK:
        break;
    }
    return STATUS_OK;
}

/* One transaction of the items from first on, up to (not with) end. */
static enum status apply(struct store *store,
                         struct item *first,
                         const struct item *end)
{
    struct batch *batch = NULL;
    enum status status = batch_open(&batch);

    for (struct item *i = first; i != end && status == STATUS_OK; i = i->next) {
        if (i->status == STATUS_OK) {
            status = put(batch, i);
        }
    }
    if (status == STATUS_OK && batch_count(batch) > 0) {
        status = store_apply(store, batch);
    }
    batch_close(batch);
    return status;
}

/* What concerns the disk concerns all items; any other fault is one item's,
 * and must not take the others with it. */
static bool is_disk(enum status status)
{
    return status == STATUS_FULL || status == STATUS_IO ||
           status == STATUS_NO_MEMORY;
}

static bool is_written(const struct item *item)
{
    return item->kind != ITEM_NOTICE && item->kind != ITEM_MARK;
}

/* The items of a job whose mirror has failed. False: there are none. */
static bool fail_job(struct item_list *list,
                     uint64_t job,
                     enum status status,
                     const char *why)
{
    size_t size = strlen(why) + 1;
    bool any = false;

    for (struct item *i = list->first; i != NULL; i = i->next) {
        if (i->job != job || i->status != STATUS_OK || !is_written(i)) {
            continue;
        }
        any = true;
        i->status = status;
        i->why = mem_new(size);
        if (i->why != NULL) { /* else it is said without a name */
            memcpy(i->why, why, size);
        }
    }
    return any;
}

/* All items in one transaction, less those of jobs whose mirrors fail: one
 * job's mirror is no reason to stop another. */
static enum status apply_all(struct store *store, struct item_list *list)
{
    enum status status = apply(store, list->first, NULL);
    uint64_t job = 0;
    const char *why = NULL;

    while (status != STATUS_OK) {
        why = store_mirror_fault(store, &job);
        if (why == NULL || !fail_job(list, job, status, why)) {
            return status;
        }
        status = apply(store, list->first, NULL);
    }
    return status;
}

bool item_needs_journal(const struct item *item)
{
    return item->kind == ITEM_JOURNAL || item->kind == ITEM_VERSION ||
           (item->kind == ITEM_POINT && item->size > 0);
}

/* Behind a record of the journal that has failed, up to the job's next mark. */
static void fail_behind(const struct item *item)
{
    for (struct item *i = item->next; i != NULL; i = i->next) {
        if (i->job != item->job) {
            continue;
        }
        if (i->kind == ITEM_MARK) {
            return;
        }
        if (i->status == STATUS_OK && item_needs_journal(i)) {
            i->status = item->status;
        }
    }
}

void item_list_write(struct store *store, struct item_list *list)
{
    enum status status = STATUS_OK;

    for (struct item *i = list->first; i != NULL; i = i->next) {
        if (i->kind == ITEM_RESTORE) {
            i->status = make_restore(store, i);
        }
    }
    status = apply_all(store, list);
    if (status == STATUS_OK) {
        return;
    }
    for (struct item *i = list->first; i != NULL; i = i->next) {
        if (i->status == STATUS_OK && is_written(i)) {
            i->status = is_disk(status) ? status : apply(store, i, i->next);
        }
        if (i->status != STATUS_OK && i->kind == ITEM_JOURNAL) {
            fail_behind(i);
        }
    }
}
