/* young.c - chunks that a manifest may name though none does yet.
 *
 * A cut writes its chunks ahead, so that for a while nothing in the store says
 * what they are for. Each chunk that is put, and each that a new manifest
 * names, therefore gets the next tick. The owner of the cuts raises the floor
 * (store_young_floor) when all cuts are over that were open at that tick: what
 * is below it and in no manifest will be in none.
 *
 * In memory alone: a cut does not outlive its coordinator. Ticks and marks are
 * the writer thread's; the clock and the floor may be read and set by all. */
#include "storage/inside.h"

uint64_t young_next(struct store *store)
{
    return atomic_fetch_add(&store->tick, 1) + 1;
}

uint64_t young_floor(const struct store *store)
{
    uint64_t floor = atomic_load(&store->young_floor);
    uint64_t since = store->sweeping_since;

    return since != 0 && since < floor ? since : floor;
}

enum status young_add(struct store *store,
                      const struct hash *hashes,
                      size_t count)
{
    uint64_t floor = young_floor(store);
    enum status status = STATUS_OK;

    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = marks_put(&store->young, &hashes[i], young_next(store), floor);
    }
    return status;
}

uint64_t store_tick(struct store *store)
{
    return atomic_load(&store->tick);
}

void store_young_floor(struct store *store, uint64_t tick)
{
    atomic_store(&store->young_floor, tick);
}
