/* order.h - which examples are read, and in what order.
 *
 * Everything is a function of seed, purpose and keys (base/rng.h), so two
 * workers that never talk agree on it. */
#ifndef WORKER_DATA_ORDER_H
#define WORKER_DATA_ORDER_H

#include "base/rng.h"
#include "base/status.h"
#include <stdint.h>

struct order_key {
    uint64_t seed;
    enum rng_purpose purpose;
    uint64_t task; /* the job-wide number */
    uint64_t pass; /* of RNG_ORDER; else unused */
};

/* Lists of examples, one for each group of classes. Group g has the classes
 * g * w .. g * w + w - 1, where w = classes / groups. */
struct order {
    uint32_t groups;
    uint32_t *items;  /* owned; group after group */
    uint32_t *starts; /* owned; [groups + 1], into items */
};

struct order_source {
    const uint32_t *items; /* the examples to sort into groups */
    uint32_t count;
    const uint8_t *labels; /* of all examples, by index */
    uint32_t classes;      /* 1 .. 256; labels are below it */
    uint32_t groups;       /* divides classes */
};

/* Within a group the source's order is kept. Borrows source for the call.
 * Errors: NO_MEMORY. */
enum status order_init(struct order *order,
                       const struct order_source *source) MUST_CHECK;
void order_fini(struct order *order); /* legal on a zeroed one */

uint32_t order_count(const struct order *order, uint32_t group);
/* Borrowed until order_fini. */
const uint32_t *order_items(const struct order *order, uint32_t group);

/* Shuffles items in place: Fisher and Yates, with one draw an item. */
void order_shuffle(const struct order_key *key,
                   uint32_t *items,
                   uint32_t count);

/* Fills items with 0 .. count - 1: first the guard examples, drawn at random
 * and in the order drawn, so that any beginning of them is a fair sample too;
 * then the others, ascending. guard is at most count. Errors: NO_MEMORY. */
enum status order_draw_guard(uint64_t seed,
                             uint32_t guard,
                             uint32_t *items,
                             uint32_t count) MUST_CHECK;

#endif /* WORKER_DATA_ORDER_H */
