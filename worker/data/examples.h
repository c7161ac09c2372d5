/* examples.h - labelled images: one pair of IDX files, read whole.
 *
 * Pixels stay bytes, a quarter of what floats would take. Constant once
 * initialised, so it may be read by many. */
#ifndef WORKER_DATA_EXAMPLES_H
#define WORKER_DATA_EXAMPLES_H

#include "base/hash.h"
#include "base/status.h"
#include "worker/data/idx.h"
#include "worker/data/why.h"
#include <stdint.h>

enum {
    CLASSES_MAX = 256 /* a label is one byte */
};

struct examples {
    struct idx_file images; /* [count, inputs] */
    struct idx_file labels; /* [count] */
    uint32_t count;         /* at least 1 */
    uint32_t inputs;        /* 1 .. UNITS_MAX */
    uint32_t side;          /* of square images, in pixels; 0: not square */
    uint32_t classes;       /* largest label + 1 */
};

/* Reads SET-images-idx3-ubyte and SET-labels-idx1-ubyte from place. A label
 * must be below outputs, unless that is 0. Errors: those of idx_file_init,
 * CORRUPT where the two files do not fit each other, INVALID for a label out
 * of range and for more than UNITS_MAX inputs. */
enum status examples_init(struct examples *examples,
                          const struct idx_place *place,
                          const char *set,
                          uint32_t outputs,
                          struct why *why) MUST_CHECK;
void examples_fini(struct examples *examples); /* legal on a zeroed one */

/* Hashes of the two files as they are unpacked, images first. */
void examples_hash(const struct examples *examples, struct hash out[2]);

static inline const uint8_t *examples_image(const struct examples *examples,
                                            uint32_t index)
{
    return examples->images.idx.items + (uint64_t)index * examples->inputs;
}

static inline uint8_t examples_label(const struct examples *examples,
                                     uint32_t index)
{
    return examples->labels.idx.items[index];
}

#endif /* WORKER_DATA_EXAMPLES_H */
