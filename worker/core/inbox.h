/* inbox.h - which frames of its present and next pass a shard has.
 *
 * A shard's neighbours are at most one pass ahead of it (sched.h), so two
 * cells are enough, by the parity of the pass. In a cell there is one bit per
 * microbatch and sender: a bit that is set already is a duplicate. The frames
 * themselves are the shell's, in the same places. Pure. */
#ifndef WORKER_CORE_INBOX_H
#define WORKER_CORE_INBOX_H

#include "base/limits.h"
#include <stdbool.h>
#include <stdint.h>

enum { INBOX_CELLS = 2 };

struct inbox_cell {
    /* Bit s: sender shard s of the layer before (forward) or after. */
    uint64_t forward[MICROBATCHES_MAX];
    uint64_t gradient[MICROBATCHES_MAX];
    uint64_t columns;
};

struct inbox {
    struct inbox_cell cells[INBOX_CELLS];
};

/* The bits of senders 0 .. count - 1; count 1 .. SHARDS_MAX. */
uint64_t inbox_all(uint32_t count);

struct inbox_cell *inbox_cell(struct inbox *inbox, uint64_t pass);
const struct inbox_cell *inbox_look(const struct inbox *inbox, uint64_t pass);

/* Drops what a complete pass has left: its cell serves pass + 2. */
void inbox_clear(struct inbox *inbox, uint64_t pass);

/* May a pass of `microbatches` forward and backward microbatches (0: a report)
 * begin with what came early for it? No: frames of another kind of pass. */
bool inbox_fits(const struct inbox *inbox,
                uint64_t pass,
                uint32_t microbatches);

#endif /* WORKER_CORE_INBOX_H */
