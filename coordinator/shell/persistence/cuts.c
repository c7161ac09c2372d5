#include "coordinator/shell/persistence/cuts.h"

#include "base/mem.h"

#include <string.h>

enum { ENTRIES_MAX = JOBS_MAX * CUTS_MAX, RECORDS_START = 16 };

struct entry {
    uint64_t job; /* 0: free */
    uint64_t term;
    uint64_t version;
    uint32_t count;
    uint32_t room;
    struct shard_record *records; /* by layer, then shard */
};

struct cuts {
    struct entry entries[ENTRIES_MAX];
};

enum status cuts_open(struct cuts **out)
{
    struct cuts *cuts = mem_new(sizeof(*cuts));

    if (cuts == NULL) {
        return STATUS_NO_MEMORY;
    }
    *out = cuts;
    return STATUS_OK;
}

static void free_record(struct shard_record *record)
{
    for (uint32_t t = 0; t < record->tensors_count; t++) {
        mem_free(record->tensors[t].chunks);
    }
}

static void drop(struct entry *entry)
{
    for (uint32_t r = 0; r < entry->count; r++) {
        free_record(&entry->records[r]);
    }
    mem_free(entry->records);
    *entry = (struct entry){.job = 0};
}

void cuts_close(struct cuts *cuts)
{
    if (cuts == NULL) {
        return;
    }
    for (uint32_t e = 0; e < ENTRIES_MAX; e++) {
        drop(&cuts->entries[e]);
    }
    mem_free(cuts);
}

static enum status copy_record(const struct shard_record *from,
                               struct shard_record *to)
{
    *to = *from;
    for (uint32_t t = 0; t < to->tensors_count; t++) {
        to->tensors[t].chunks = NULL;
    }
    for (uint32_t t = 0; t < to->tensors_count; t++) {
        size_t count = from->tensors[t].chunks_count;
        struct hash *chunks = mem_array(count, sizeof(*chunks));

        if (chunks == NULL) {
            free_record(to);
            return STATUS_NO_MEMORY;
        }
        if (count > 0) {
            memcpy(chunks, from->tensors[t].chunks, count * sizeof(*chunks));
        }
        to->tensors[t].chunks = chunks;
    }
    return STATUS_OK;
}

/* The entry of a cut: found, or made. A job of more cuts than it may have
 * under way loses the oldest, which cannot be wanted any more. */
static struct entry *entry_of(struct cuts *cuts,
                              const struct wire_shard_cut *cut)
{
    struct entry *free = NULL;
    struct entry *oldest = NULL;

    for (uint32_t e = 0; e < ENTRIES_MAX; e++) {
        struct entry *entry = &cuts->entries[e];

        if (entry->job == cut->job && entry->version == cut->version) {
            return entry;
        }
        if (entry->job == 0 && free == NULL) {
            free = entry;
        }
        if (entry->job != 0 && (oldest == NULL || entry->term < oldest->term)) {
            oldest = entry;
        }
    }
    if (free == NULL) {
        drop(oldest);
        free = oldest;
    }
    free->job = cut->job;
    free->term = cut->term;
    free->version = cut->version;
    return free;
}

/* False: an entry of the job is of a newer term. */
static bool drop_older_terms(struct cuts *cuts,
                             const struct wire_shard_cut *cut)
{
    for (uint32_t e = 0; e < ENTRIES_MAX; e++) {
        struct entry *entry = &cuts->entries[e];

        if (entry->job != cut->job) {
            continue;
        }
        if (entry->term > cut->term) {
            return false;
        }
        if (entry->term < cut->term) {
            drop(entry);
        }
    }
    return true;
}

static enum status make_room(struct entry *entry)
{
    uint32_t room = entry->room > 0 ? 2 * entry->room : RECORDS_START;
    struct shard_record *records = NULL;

    if (entry->count < entry->room) {
        return STATUS_OK;
    }
    if (entry->count == LAYERS_MAX * SHARDS_MAX) {
        return STATUS_BUSY;
    }
    records = mem_resize(entry->records, room * sizeof(*records));
    if (records == NULL) {
        return STATUS_NO_MEMORY;
    }
    entry->records = records;
    entry->room = room;
    return STATUS_OK;
}

static bool is_before(const struct shard_record *a,
                      const struct shard_record *b)
{
    return a->layer != b->layer ? a->layer < b->layer : a->shard < b->shard;
}

enum status cuts_take(struct cuts *cuts, const struct wire_shard_cut *cut)
{
    struct shard_record copy;
    struct entry *entry = NULL;
    uint32_t at = 0;
    enum status status = STATUS_OK;

    if (!drop_older_terms(cuts, cut)) {
        return STATUS_OK;
    }
    entry = entry_of(cuts, cut);
    status = make_room(entry);
    if (status != STATUS_OK) {
        return status;
    }
    status = copy_record(cut->record, &copy);
    if (status != STATUS_OK) {
        return status;
    }
    while (at < entry->count && is_before(&entry->records[at], &copy)) {
        at++;
    }
    if (at < entry->count && !is_before(&copy, &entry->records[at])) {
        free_record(&entry->records[at]); /* said again */
    } else {
        memmove(&entry->records[at + 1], &entry->records[at],
                (entry->count - at) * sizeof(copy));
        entry->count++;
    }
    entry->records[at] = copy;
    return STATUS_OK;
}

struct shard_record *cuts_find(struct cuts *cuts,
                               uint64_t job,
                               uint64_t version,
                               uint32_t *out_count)
{
    for (uint32_t e = 0; e < ENTRIES_MAX; e++) {
        struct entry *entry = &cuts->entries[e];

        if (entry->job == job && entry->version == version) {
            *out_count = entry->count;
            return entry->records;
        }
    }
    *out_count = 0;
    return NULL;
}

void cuts_drop(struct cuts *cuts, uint64_t job, uint64_t version)
{
    for (uint32_t e = 0; e < ENTRIES_MAX; e++) {
        struct entry *entry = &cuts->entries[e];

        if (entry->job == job && entry->version <= version) {
            drop(entry);
        }
    }
}
