#include "storage/fault.h"

#include <stdatomic.h>

static atomic_uint_least64_t countdown; /* 0: no failure is planned */
static atomic_int planned_code;

uint64_t fault_at(uint64_t n, int code)
{
    atomic_store(&planned_code, code);
    return atomic_exchange(&countdown, n);
}

/* The count is taken in one atomic step, so that of two threads just one can
 * hit the end. */
int fault_now(void)
{
    uint_least64_t left = atomic_load(&countdown);

    while (left > 0) {
        if (atomic_compare_exchange_weak(&countdown, &left, left - 1)) {
            return left == 1 ? atomic_load(&planned_code) : 0;
        }
    }
    return 0;
}
