#include "worker/shell/pieces.h"

#include "base/check.h"
#include "base/checksum.h"
#include "base/mem.h"

#include <string.h>

enum { ROOM_MIN = 8 };

void pieces_close(struct pieces *pieces)
{
    for (uint32_t i = 0; i < pieces->count; i++) {
        part_close(&pieces->items[i].part);
    }
    mem_free(pieces->items);
    *pieces = (struct pieces){.count = 0};
}

/* Frames may not be moved by realloc. */
static enum status make_room(struct pieces *pieces, uint32_t room)
{
    struct piece *items = mem_array(room, sizeof(*items));

    if (items == NULL) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < pieces->count; i++) {
        part_move(&items[i].part, &pieces->items[i].part);
        part_close(&pieces->items[i].part);
        items[i].sum = pieces->items[i].sum;
    }
    mem_free(pieces->items);
    pieces->items = items;
    pieces->room = room;
    return STATUS_OK;
}

enum status pieces_add(struct pieces *pieces, struct part *part)
{
    struct piece *piece = NULL;

    if (pieces->count == pieces->room &&
        make_room(pieces, pieces->room > 0 ? 2 * pieces->room : ROOM_MIN) !=
            STATUS_OK) {
        return STATUS_NO_MEMORY;
    }
    piece = &pieces->items[pieces->count++];
    part_move(&piece->part, part);
    part_close(part);
    pieces->bytes += part_size(&piece->part);
    return STATUS_OK;
}

static size_t piece_size(const struct tensor *tensor, size_t offset)
{
    size_t left = tensor->bytes - offset;

    return left < CHUNK_BYTES_MAX ? left : CHUNK_BYTES_MAX;
}

static enum status save_tensor(const struct shard *shard,
                               uint32_t index,
                               const struct tensor *tensor,
                               struct pieces *out)
{
    enum status status = STATUS_OK;
    size_t offset = 0;

    while (status == STATUS_OK && offset < tensor->bytes) {
        size_t size = piece_size(tensor, offset);
        struct part part;

        status = part_init_size(&part, size);
        if (status != STATUS_OK) {
            return status;
        }
        shard_save_part(shard, index, offset, size, part_data(&part));
        offset += size;
        status = pieces_add(out, &part);
        if (status != STATUS_OK) {
            part_close(&part);
        }
    }
    return status;
}

enum status pieces_save(const struct shard *shard, struct pieces *out)
{
    struct tensor tensors[SHARD_TENSORS_MAX];
    uint32_t count = shard_tensors(shard, tensors);
    struct pieces pieces = {.count = 0};
    enum status status = STATUS_OK;

    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        if (strcmp(tensors[i].name, "evaluations") == 0) {
            pieces.evaluations_count = tensors[i].rows;
        }
        status = save_tensor(shard, i, &tensors[i], &pieces);
    }
    if (status != STATUS_OK) {
        pieces_close(&pieces);
    }
    *out = pieces;
    return status;
}

enum status pieces_load(struct pieces *pieces, struct shard *shard)
{
    struct tensor tensors[SHARD_TENSORS_MAX];
    uint32_t count = 0;
    uint32_t at = 0;
    enum status status = STATUS_OK;

    shard_expect_evaluations(shard, pieces->evaluations_count);
    count = shard_tensors(shard, tensors);
    for (uint32_t i = 0; i < count; i++) {
        size_t offset = 0;

        while (offset < tensors[i].bytes) {
            size_t size = piece_size(&tensors[i], offset);
            struct part *part = NULL;

            if (at == pieces->count) {
                return STATUS_CORRUPT;
            }
            part = &pieces->items[at].part;
            if (part_size(part) != size) {
                return STATUS_CORRUPT;
            }
            status = shard_load_part(shard, i, offset, size, part_data(part));
            if (status != STATUS_OK) {
                return status;
            }
            offset += size;
            at++;
        }
    }
    return at == pieces->count ? STATUS_OK : STATUS_CORRUPT;
}

enum status pieces_share(struct pieces *pieces, struct pieces *out)
{
    struct pieces shared = {.summed = pieces->summed,
                            .evaluations_count = pieces->evaluations_count,
                            .bytes = pieces->bytes};

    *out = (struct pieces){.count = 0};
    if (make_room(&shared, pieces->count > 0 ? pieces->count : 1) !=
        STATUS_OK) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < pieces->count; i++) {
        part_share(&shared.items[i].part, &pieces->items[i].part);
        shared.items[i].sum = pieces->items[i].sum;
    }
    shared.count = pieces->count;
    *out = shared;
    return STATUS_OK;
}

uint64_t pieces_sum(struct pieces *pieces, uint32_t index)
{
    CHECK(index < pieces->count);
    while (pieces->summed <= index) {
        struct piece *piece = &pieces->items[pieces->summed];
        uint64_t seed = pieces->summed > 0 ? (piece - 1)->sum : 0;

        piece->sum = checksum_bytes(seed, part_data(&piece->part),
                                    part_size(&piece->part));
        pieces->summed++;
    }
    return pieces->items[index].sum;
}
