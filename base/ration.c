#include "base/ration.h"

uint64_t ration_cause(uint64_t seed, const void *bytes, size_t size)
{
    const unsigned char *byte = bytes;
    uint64_t hash = 0xcbf29ce484222325U ^ seed;

    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ byte[i]) * 0x100000001b3U;
    }
    return hash != 0 ? hash : 1;
}

static struct ration_cause *find(struct ration *ration, uint64_t cause)
{
    struct ration_cause *oldest = &ration->causes[0];

    for (int i = 0; i < RATION_CAUSES_MAX; i++) {
        struct ration_cause *entry = &ration->causes[i];

        if (entry->cause == cause) {
            return entry;
        }
        if (oldest->cause != 0 &&
            (entry->cause == 0 || entry->used_ms < oldest->used_ms)) {
            oldest = entry;
        }
    }
    *oldest = (struct ration_cause){.cause = 0};
    return oldest;
}

static bool may_tell(struct ration *ration, uint64_t now_ms)
{
    if (now_ms >= ration->lines_ms + RATION_PERIOD_MS) {
        ration->lines_ms = now_ms;
        ration->lines_count = 0;
    }
    if (ration->lines_count == RATION_LINES_MAX) {
        return false;
    }
    ration->lines_count++;
    return true;
}

bool ration_take(struct ration *ration,
                 uint64_t cause,
                 uint64_t now_ms,
                 uint64_t *out_count)
{
    struct ration_cause *entry = find(ration, cause);

    entry->cause = cause;
    entry->used_ms = now_ms;
    entry->count++;
    if ((entry->told && now_ms < entry->told_ms + RATION_PERIOD_MS) ||
        !may_tell(ration, now_ms)) {
        return false;
    }
    entry->told = true;
    entry->told_ms = now_ms;
    *out_count = entry->count;
    entry->count = 0;
    return true;
}
