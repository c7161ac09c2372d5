/* arena.h - memory whose life is one turn of the event loop.
 *
 * Decoded messages, replies and texts of one event live here; arena_reset at
 * the top of each turn drops all of them at once. One owner, one thread. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena {
    unsigned char *data;
    size_t size;
    size_t used;
};

/* Borrows memory for the arena's life. */
void arena_init(struct arena *arena, void *memory, size_t size);

/* Zeroed, 16-byte aligned; NULL when the arena is full. Valid until reset. */
void *arena_new(struct arena *arena, size_t size);

void arena_reset(struct arena *arena);

#endif /* BASE_ARENA_H */
