#include "worker/data/order.h"

#include "base/check.h"
#include "base/mem.h"
#include "worker/data/examples.h"

static void swap(uint32_t *items, uint32_t a, uint32_t b)
{
    const uint32_t item = items[a];

    items[a] = items[b];
    items[b] = item;
}

enum status order_init(struct order *order, const struct order_source *source)
{
    struct order o = {.groups = source->groups};
    uint32_t next[CLASSES_MAX];
    uint32_t width;

    CHECK(source->classes <= CLASSES_MAX);
    CHECK(source->groups > 0);
    CHECK(source->classes % source->groups == 0);
    width = source->classes / source->groups;
    o.items = mem_array(source->count, sizeof(*o.items));
    o.starts = mem_array((size_t)o.groups + 1, sizeof(*o.starts));
    if (o.items == NULL || o.starts == NULL) {
        order_fini(&o);
        return STATUS_NO_MEMORY;
    }

    /* A counting sort: it is stable. */
    for (uint32_t i = 0; i < source->count; i++) {
        o.starts[source->labels[source->items[i]] / width + 1]++;
    }
    for (uint32_t g = 0; g < o.groups; g++) {
        o.starts[g + 1] += o.starts[g];
        next[g] = o.starts[g];
    }
    for (uint32_t i = 0; i < source->count; i++) {
        const uint32_t item = source->items[i];

        o.items[next[source->labels[item] / width]++] = item;
    }
    *order = o;
    return STATUS_OK;
}

void order_fini(struct order *order)
{
    mem_free(order->starts);
    mem_free(order->items);
    *order = (struct order){.groups = 0};
}

uint32_t order_count(const struct order *order, uint32_t group)
{
    CHECK(group < order->groups);
    return order->starts[group + 1] - order->starts[group];
}

const uint32_t *order_items(const struct order *order, uint32_t group)
{
    CHECK(group < order->groups);
    return order->items + order->starts[group];
}

void order_shuffle(const struct order_key *key, uint32_t *items, uint32_t count)
{
    for (uint32_t bound = count; bound > 1; bound--) {
        const uint32_t last = bound - 1;
        /* The keys as rng.h lists them for each purpose. */
        const struct rng_block block =
            key->purpose == RNG_ORDER
                ? rng_draw(key->seed, RNG_ORDER, key->task, key->pass, last)
                : rng_draw(key->seed, key->purpose, key->task, last, 0);

        swap(items, last, rng_below(block, bound));
    }
}

enum status order_draw_guard(uint64_t seed,
                             uint32_t guard,
                             uint32_t *items,
                             uint32_t count)
{
    uint8_t *drawn = mem_new(count);
    uint32_t at = guard;

    CHECK(guard <= count);
    if (drawn == NULL) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        items[i] = i;
    }
    for (uint32_t i = 0; i < guard; i++) {
        const struct rng_block block = rng_draw(seed, RNG_GUARD, i, 0, 0);

        swap(items, i, i + rng_below(block, count - i));
        drawn[items[i]] = 1;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (drawn[i] == 0) {
            items[at++] = i;
        }
    }
    mem_free(drawn);
    CHECK(at == count);
    return STATUS_OK;
}
