/* item.h - one thing to keep: an action's worth of a transaction.
 *
 * Items wait in a list, are written together, and are told one by one. For
 * keeper.c alone. */
#ifndef COORDINATOR_SHELL_PERSISTENCE_ITEM_H
#define COORDINATOR_SHELL_PERSISTENCE_ITEM_H

#include "coordinator/shell/persistence/keeper.h"

enum item_kind {
    ITEM_JOB = 1,
    ITEM_LAUNCH, /* job record, and the first entry of the event log */
    ITEM_JOURNAL,
    ITEM_STAT,
    ITEM_EVENT,
    ITEM_NOTICE,  /* an event that is not kept */
    ITEM_VERSION, /* manifest, head, job record */
    ITEM_RESTORE, /* the same, made on the writer's thread */
    ITEM_TAG,
    ITEM_POINT, /* the record of a state in memory; none where size is 0 */
    ITEM_MARK   /* nothing: all before it is on the disk */
};

/* One action's worth. Which fields count depends on the kind. */
struct item {
    struct item *next;
    enum item_kind kind;
    enum status status;
    char *why; /* where a mirror has failed it: a sentence; NULL: none */
    uint64_t token;
    uint64_t job;
    uint64_t number; /* version; key of a stat; interval of a JOURNAL */
    uint64_t wall_ms;
    unsigned char *bytes; /* the record */
    size_t size;
    unsigned char *more; /* LAUNCH: the launch record */
    size_t more_size;
    struct event_record *event;
    struct manifest manifest;
    struct manifest_restore restore;
    uint64_t from;             /* RESTORE */
    struct job_record *record; /* RESTORE: the job before it */
    struct version *restored;
    char name[NAME_BYTES_MAX]; /* TAG */
    keeper_done_fn *done;
    void *owner;
};

struct item_list {
    struct item *first;
    struct item *last;
    size_t count;
};

void item_free(struct item *item);

void item_list_add(struct item_list *list, struct item *item);
struct item *item_list_take(struct item_list *list); /* NULL: empty */

/* What must not be kept where a JOURNAL before it is not: a reader would take
 * the gap for none. */
bool item_needs_journal(const struct item *item);

/* Writes them all, in order, in one transaction, or one by one where that
 * fails through the fault of one. Each has its status then. On the writer's
 * thread. */
void item_list_write(struct store *store, struct item_list *list);

#endif /* COORDINATOR_SHELL_PERSISTENCE_ITEM_H */
