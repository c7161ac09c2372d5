#include "coordinator/shell/past.h"

#include "base/mem.h"

enum { ROOM_START = 256, SUMS_MAX = 1 << 24 };

void past_fini(struct past *past)
{
    mem_free(past->sums);
    *past = (struct past){.sums = NULL};
}

static enum status make_room(struct past *past, uint64_t at)
{
    uint64_t room = past->room > 0 ? past->room : ROOM_START;
    uint64_t *sums = NULL;

    if (at < past->room) {
        return STATUS_OK;
    }
    if (at >= SUMS_MAX) {
        return STATUS_BUSY;
    }
    while (room <= at) {
        room *= 2;
    }
    sums = mem_resize(past->sums, (size_t)room * sizeof(*sums));
    if (sums == NULL) {
        return STATUS_NO_MEMORY;
    }
    past->sums = sums;
    past->room = (uint32_t)room;
    return STATUS_OK;
}

enum status past_add(struct past *past, uint64_t interval, uint64_t sum)
{
    uint64_t at = 0;
    enum status status = STATUS_OK;

    if (past->count == 0) {
        past->first = interval;
    }
    if (interval < past->first || past_sum(past, interval) != 0) {
        return STATUS_OK;
    }
    at = interval - past->first;
    status = make_room(past, at);
    if (status != STATUS_OK) {
        return status;
    }
    for (uint64_t i = past->count; i < at; i++) {
        past->sums[i] = 0;
    }
    past->sums[at] = sum;
    if (at >= past->count) {
        past->count = (uint32_t)at + 1;
    }
    return STATUS_OK;
}

uint64_t past_sum(const struct past *past, uint64_t interval)
{
    if (past->count == 0 || interval < past->first ||
        interval - past->first >= past->count) {
        return 0;
    }
    return past->sums[interval - past->first];
}

enum status past_compare(const struct past *past,
                         const struct journal_entry *entry)
{
    uint64_t wanted = past_sum(past, entry->grant->interval);
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
