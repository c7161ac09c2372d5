#include "storage/marks.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/mem.h"

enum { ROOM_START = 256 };

/* A hash is as good as random, so its first bytes are a fine place. */
static uint64_t key_of(const struct hash *hash)
{
    struct reader reader;
    uint64_t key = 0;

    reader_init(&reader, hash->b, sizeof(key));
    key = read_u64(&reader);
    return key != 0 ? key : 1;
}

/* Where key is, or the free place where it belongs. */
static struct mark *find(const struct marks *marks, uint64_t key)
{
    size_t at = (size_t)key & (marks->room - 1);

    while (marks->slots[at].key != 0 && marks->slots[at].key != key) {
        at = (at + 1) & (marks->room - 1);
    }
    return &marks->slots[at];
}

static size_t count_from(const struct marks *marks, uint64_t floor)
{
    size_t count = 0;

    for (size_t i = 0; i < marks->room; i++) {
        count += marks->slots[i].key != 0 && marks->slots[i].number >= floor;
    }
    return count;
}

/* A new table, a quarter full at most, so that the next one is far. */
static enum status grow(struct marks *marks, uint64_t floor)
{
    size_t count = count_from(marks, floor);
    struct marks next = {.room = ROOM_START};

    while (next.room < 4 * count) {
        next.room *= 2;
    }
    next.slots = mem_array(next.room, sizeof(*next.slots));
    if (next.slots == NULL) {
        return STATUS_NO_MEMORY;
    }
    for (size_t i = 0; i < marks->room; i++) {
        const struct mark *mark = &marks->slots[i];

        if (mark->key != 0 && mark->number >= floor) {
            *find(&next, mark->key) = *mark;
            next.count++;
        }
    }
    marks_fini(marks);
    *marks = next;
    return STATUS_OK;
}

void marks_fini(struct marks *marks)
{
    mem_free(marks->slots);
    *marks = (struct marks){.room = 0};
}

enum status marks_put(struct marks *marks,
                      const struct hash *hash,
                      uint64_t number,
                      uint64_t floor)
{
    struct mark *mark = NULL;
    enum status status = STATUS_OK;

    CHECK(number > 0);
    if (2 * (marks->count + 1) > marks->room) {
        status = grow(marks, floor);
    }
    if (status != STATUS_OK) {
        return status;
    }
    mark = find(marks, key_of(hash));
    marks->count += mark->key == 0;
    mark->key = key_of(hash);
    if (mark->number < number) {
        mark->number = number;
    }
    return STATUS_OK;
}

uint64_t marks_get(const struct marks *marks, const struct hash *hash)
{
    return marks->room == 0 ? 0 : find(marks, key_of(hash))->number;
}
