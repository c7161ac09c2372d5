/* unallocated.h - a watch over the cores: they take no memory.
 *
 * The linker puts this module between the simulation and the steps of the
 * cores (tests.mk, --wrap). A step that takes or gives back a block ends the
 * process. All of ours comes from base/mem.h: `make tidy` proves that nobody
 * else calls malloc. */
#ifndef TESTS_SIM_UNALLOCATED_H
#define TESTS_SIM_UNALLOCATED_H

#include <stdint.h>

enum unallocated_core {
    UNALLOCATED_COORD,
    UNALLOCATED_AGENT,
    UNALLOCATED_SCHED
};

/* Steps watched so far in this process. */
uint64_t unallocated_steps(enum unallocated_core core);

#endif /* TESTS_SIM_UNALLOCATED_H */
