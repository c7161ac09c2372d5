/* fault.h - lets a test fail the n-th call into LMDB.
 *
 * Beside mem_fail_at: what that is for memory, this is for the disk. One
 * counter for the process; any thread may call. */
#ifndef STORAGE_FAULT_H
#define STORAGE_FAULT_H

#include <stdint.h>

/* The n-th call from now on fails with code, an errno (1 is the next one); 0
 * turns it off. Returns what was left of the last count: 0 where it has
 * struck. */
uint64_t fault_at(uint64_t n, int code);

/* kv*.c ask before every call: 0, or the code to take instead of calling. */
int fault_now(void);

#endif /* STORAGE_FAULT_H */
