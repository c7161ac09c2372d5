#include "storage/gate.h"

#include "base/check.h"

#include <stdbool.h>
#include <time.h>

/* Far below the cost of moving a map, far above that of asking again. */
enum { POLL_NS = 50 * 1000 };

static void pause_shortly(void)
{
    struct timespec pause = {.tv_sec = 0, .tv_nsec = POLL_NS};

    /* Cut short by a signal, it only asks again sooner. */
    (void)nanosleep(&pause, NULL);
}

void gate_init(struct gate *gate)
{
    atomic_init(&gate->inside, 0);
    atomic_init(&gate->shut, false);
}

/* First in, then look: the other order would let one slip in between the look
 * and the count while the gate is being shut. */
void gate_enter(struct gate *gate)
{
    for (;;) {
        atomic_fetch_add(&gate->inside, 1);
        if (!atomic_load(&gate->shut)) {
            return;
        }
        atomic_fetch_sub(&gate->inside, 1);
        pause_shortly();
    }
}

void gate_leave(struct gate *gate)
{
    unsigned before = atomic_fetch_sub(&gate->inside, 1);

    CHECK(before > 0);
}

void gate_shut(struct gate *gate)
{
    bool open = false;

    while (!atomic_compare_exchange_strong(&gate->shut, &open, true)) {
        open = false;
        pause_shortly();
    }
    while (atomic_load(&gate->inside) > 0) {
        pause_shortly();
    }
}

void gate_open(struct gate *gate)
{
    CHECK(atomic_load(&gate->shut));
    atomic_store(&gate->shut, false);
}
