#include "worker/core/inbox.h"

#include "base/check.h"

uint64_t inbox_all(uint32_t count)
{
    CHECK(count >= 1);
    CHECK(count <= SHARDS_MAX);
    return UINT64_MAX >> (SHARDS_MAX - count);
}

struct inbox_cell *inbox_cell(struct inbox *inbox, uint64_t pass)
{
    return &inbox->cells[pass % INBOX_CELLS];
}

const struct inbox_cell *inbox_look(const struct inbox *inbox, uint64_t pass)
{
    return &inbox->cells[pass % INBOX_CELLS];
}

void inbox_clear(struct inbox *inbox, uint64_t pass)
{
    *inbox_cell(inbox, pass) = (struct inbox_cell){.columns = 0};
}

bool inbox_fits(const struct inbox *inbox, uint64_t pass, uint32_t microbatches)
{
    const struct inbox_cell *cell = inbox_look(inbox, pass);

    if (microbatches > 0 && cell->columns != 0) {
        return false;
    }
    for (uint32_t m = 0; m < MICROBATCHES_MAX; m++) {
        if (m >= microbatches && cell->forward[m] != 0) {
            return false;
        }
        CHECK(cell->gradient[m] == 0); /* taken in the present pass alone */
    }
    return true;
}
