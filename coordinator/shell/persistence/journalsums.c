#include "coordinator/shell/persistence/journalsums.h"

#include "base/mem.h"

enum { ROOM_START = 256, SUMS_MAX = 1 << 24 };

void journalsums_fini(struct journalsums *sums)
{
    mem_free(sums->sums);
    *sums = (struct journalsums){.sums = NULL};
}

static enum status make_room(struct journalsums *sums, uint64_t at)
{
    uint64_t room = sums->room > 0 ? sums->room : ROOM_START;
    uint64_t *array = NULL;

    if (at < sums->room) {
        return STATUS_OK;
    }
    if (at >= SUMS_MAX) {
        return STATUS_BUSY;
    }
    while (room <= at) {
        room *= 2;
    }
    array = mem_resize(sums->sums, (size_t)room * sizeof(*array));
    if (array == NULL) {
        return STATUS_NO_MEMORY;
    }
    sums->sums = array;
    sums->room = (uint32_t)room;
    return STATUS_OK;
}

enum status journalsums_add(struct journalsums *sums,
                            uint64_t interval,
                            uint64_t sum)
{
    uint64_t at = 0;
    enum status status = STATUS_OK;

    if (sums->count == 0) {
        sums->first = interval;
    }
    if (interval < sums->first || journalsums_at(sums, interval) != 0) {
        return STATUS_OK;
    }
    at = interval - sums->first;
    status = make_room(sums, at);
    if (status != STATUS_OK) {
        return status;
    }
    for (uint64_t i = sums->count; i < at; i++) {
        sums->sums[i] = 0;
    }
    sums->sums[at] = sum;
    if (at >= sums->count) {
        sums->count = (uint32_t)at + 1;
    }
    return STATUS_OK;
}

uint64_t journalsums_at(const struct journalsums *sums, uint64_t interval)
{
    if (sums->count == 0 || interval < sums->first ||
        interval - sums->first >= sums->count) {
        return 0;
    }
    return sums->sums[interval - sums->first];
}

enum status journalsums_compare(const struct journalsums *sums,
                                const struct journal_entry *entry)
{
    uint64_t wanted = journalsums_at(sums, entry->grant->interval);
    unsigned char *bytes = NULL;
    uint64_t sum = 0;

    if (wanted == 0) {
        return STATUS_OK;
    }
    bytes = mem_new(RECORD_BYTES_MAX);
    if (bytes == NULL) {
        return STATUS_NO_MEMORY;
    }
    sum = journalcode_sum(bytes, journalcode_encode(entry, bytes));
    mem_free(bytes);
    return sum == wanted ? STATUS_OK : STATUS_CORRUPT;
}
