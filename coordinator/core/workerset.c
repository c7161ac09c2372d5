#include "coordinator/core/workerset.h"

#include "base/check.h"

#include <string.h>

void worker_set_add(struct worker_set *set, uint32_t worker)
{
    CHECK(worker < MEMBERS_MAX);
    set->words[worker / 64] |= 1ull << (worker % 64);
}

void worker_set_drop(struct worker_set *set, uint32_t worker)
{
    CHECK(worker < MEMBERS_MAX);
    set->words[worker / 64] &= ~(1ull << (worker % 64));
}

bool worker_set_has(const struct worker_set *set, uint32_t worker)
{
    CHECK(worker < MEMBERS_MAX);
    return (set->words[worker / 64] >> (worker % 64) & 1) != 0;
}

void worker_set_clear(struct worker_set *set)
{
    memset(set, 0, sizeof(*set));
}

void worker_set_join(struct worker_set *set, const struct worker_set *other)
{
    for (uint32_t i = 0; i < WORKER_SET_WORDS; i++) {
        set->words[i] |= other->words[i];
    }
}

bool worker_set_is_empty(const struct worker_set *set)
{
    return worker_set_next(set, 0) == NO_WORKER;
}

bool worker_set_meets(const struct worker_set *a, const struct worker_set *b)
{
    for (uint32_t i = 0; i < WORKER_SET_WORDS; i++) {
        if ((a->words[i] & b->words[i]) != 0) {
            return true;
        }
    }
    return false;
}

bool worker_set_equal(const struct worker_set *a, const struct worker_set *b)
{
    return memcmp(a->words, b->words, sizeof(a->words)) == 0;
}

uint32_t worker_set_count(const struct worker_set *set)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < WORKER_SET_WORDS; i++) {
        for (uint64_t word = set->words[i]; word != 0; word &= word - 1) {
            count++;
        }
    }
    return count;
}

uint32_t worker_set_next(const struct worker_set *set, uint32_t from)
{
    for (uint32_t w = from; w < MEMBERS_MAX;) {
        uint64_t rest = set->words[w / 64] >> (w % 64);

        if (rest == 0) {
            w = (w / 64 + 1) * 64; /* nobody more in this word */
        } else if ((rest & 1) != 0) {
            return w;
        } else {
            w++;
        }
    }
    return NO_WORKER;
}
