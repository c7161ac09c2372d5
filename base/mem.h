/* mem.h - every heap allocation of ours goes through here.
 *
 * So that a test can fail the n-th one (mem_fail_at) and count what is left.
 * The counters are atomic; everything may be called from any thread. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

/* Zeroed memory, or NULL. size may be 0 (a unique pointer comes back). */
void *mem_new(size_t size);

/* count x size bytes, zeroed; NULL also where the product overflows. */
void *mem_array(size_t count, size_t size);

/* 64-byte aligned, zeroed; for slabs and tensors. Freed by mem_free. */
void *mem_slab(size_t size);

/* As realloc for mem_new memory; new bytes are not zeroed. */
void *mem_resize(void *memory, size_t size);

char *mem_text(const char *text); /* a copy of a C string, or NULL */

void mem_free(void *memory); /* accepts NULL */

/* Test support: the n-th allocation from now on fails (1 is the next one);
 * 0 turns it off. mem_live counts blocks not yet freed, mem_taken what was ever
 * asked for. */
void mem_fail_at(uint64_t n);
uint64_t mem_live(void);
uint64_t mem_taken(void);

#endif /* BASE_MEM_H */
