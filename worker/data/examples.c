#include "worker/data/examples.h"

#include "base/limits.h"
#include <inttypes.h>
#include <stdio.h>

static enum status check_images(struct examples *e,
                                const char *name,
                                struct why *why)
{
    const struct idx *idx = &e->images.idx;
    uint64_t inputs = 1;

    if (idx->rank < 2) {
        return why_say(why, STATUS_CORRUPT,
                       "%s has one dimension, but images have two or more",
                       name);
    }
    if (idx->items_count == 0) {
        return why_say(why, STATUS_CORRUPT, "%s does not hold a single pixel",
                       name);
    }
    for (uint32_t i = 1; i < idx->rank; i++) {
        inputs *= idx->dims[i]; /* bounded, as items_count is */
    }
    if (inputs > UNITS_MAX) {
        return why_say(why, STATUS_INVALID,
                       "%s has %" PRIu64
                       " pixels an image, but a layer has at most %d inputs",
                       name, inputs, UNITS_MAX);
    }
    e->count = idx->dims[0];
    e->inputs = (uint32_t)inputs;
    if (idx->rank == 3 && idx->dims[1] == idx->dims[2]) {
        e->side = idx->dims[1];
    }
    return STATUS_OK;
}

static enum status check_labels(struct examples *e,
                                const char *name,
                                uint32_t outputs,
                                struct why *why)
{
    const struct idx *idx = &e->labels.idx;

    if (idx->rank != 1) {
        return why_say(why, STATUS_CORRUPT,
                       "%s has %" PRIu32 " dimensions, but labels have one",
                       name, idx->rank);
    }
    if (idx->dims[0] != e->count) {
        return why_say(why, STATUS_CORRUPT,
                       "%s has %" PRIu32 " labels, but there are %" PRIu32
                       " images",
                       name, idx->dims[0], e->count);
    }
    for (uint32_t i = 0; i < e->count; i++) {
        const uint32_t label = idx->items[i];

        if (outputs > 0 && label >= outputs) {
            return why_say(why, STATUS_INVALID,
                           "%s has a label out of range: %" PRIu32
                           " at example %" PRIu32 ", but the model has %" PRIu32
                           " outputs",
                           name, label, i, outputs);
        }
        if (label >= e->classes) {
            e->classes = label + 1;
        }
    }
    return STATUS_OK;
}

enum status examples_init(struct examples *examples,
                          const struct idx_place *place,
                          const char *set,
                          uint32_t outputs,
                          struct why *why)
{
    char images[NAME_BYTES_MAX];
    char labels[NAME_BYTES_MAX];
    struct examples e = {.count = 0};
    enum status status;

    (void)snprintf(images, sizeof(images), "%s-images-idx3-ubyte", set);
    (void)snprintf(labels, sizeof(labels), "%s-labels-idx1-ubyte", set);
    status = idx_file_init(&e.images, place, images, why);
    if (status != STATUS_OK) {
        goto fail;
    }
    status = check_images(&e, images, why);
    if (status != STATUS_OK) {
        goto fail;
    }
    status = idx_file_init(&e.labels, place, labels, why);
    if (status != STATUS_OK) {
        goto fail;
    }
    status = check_labels(&e, labels, outputs, why);
    if (status != STATUS_OK) {
        goto fail;
    }
    *examples = e;
    return STATUS_OK;

fail:
    examples_fini(&e);
    return status;
}

void examples_fini(struct examples *examples)
{
    idx_file_fini(&examples->labels);
    idx_file_fini(&examples->images);
    *examples = (struct examples){.count = 0};
}

void examples_hash(const struct examples *examples, struct hash out[2])
{
    hash_bytes(examples->images.bytes, examples->images.size, &out[0]);
    hash_bytes(examples->labels.bytes, examples->labels.size, &out[1]);
}
