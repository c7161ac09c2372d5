/* fate.h - what befalls the cluster: processes that die or hang, networks that
 * part, a disk that is slow or fails. */
#ifndef TESTS_SIM_FATE_H
#define TESTS_SIM_FATE_H

#include "tests/sim/world.h"

/* Begins the scenario's troubles; they end when it is calm. */
void fate_open(struct world *w);

#endif /* TESTS_SIM_FATE_H */
