/* gate.h - who uses the memory map passes here; who moves it waits outside.
 *
 * LMDB moves its map when it grows, and a transaction that is open at that
 * moment would read unmapped memory. So every transaction is between
 * gate_enter and gate_leave, and the map changes between gate_shut (which
 * waits until all have left) and gate_open. The passage costs two atomic
 * additions; the wait, a few times in the life of a store, polls.
 *
 * Any thread may call anything, but a thread that is inside must neither enter
 * again nor shut: it would wait for itself. */
#ifndef STORAGE_GATE_H
#define STORAGE_GATE_H

#include <stdatomic.h>

struct gate {
    atomic_uint inside; /* transactions that are open */
    atomic_bool shut;
};

void gate_init(struct gate *gate);
void gate_enter(struct gate *gate);
void gate_leave(struct gate *gate);
void gate_shut(struct gate *gate);
void gate_open(struct gate *gate);

#endif /* STORAGE_GATE_H */
