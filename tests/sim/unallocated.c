#include "tests/sim/unallocated.h"

#include "base/check.h"
#include "base/mem.h"
#include "coordinator/core/coord.h"
#include "worker/core/agent.h"
#include "worker/core/sched.h"

/* Names that the linker makes: the step itself, and what stands for it. */
void __real_coord_step(struct coord *c,
                       const struct coord_event *ev,
                       struct actions *out);
void __wrap_coord_step(struct coord *c,
                       const struct coord_event *ev,
                       struct actions *out);
void __real_agent_step(struct agent *agent,
                       const struct agent_event *event,
                       struct agent_actions *out);
void __wrap_agent_step(struct agent *agent,
                       const struct agent_event *event,
                       struct agent_actions *out);
void __real_sched_step(struct sched *sched,
                       const struct sched_event *event,
                       struct sched_actions *out);
void __wrap_sched_step(struct sched *sched,
                       const struct sched_event *event,
                       struct sched_actions *out);

struct blocks {
    uint64_t taken;
    uint64_t live;
};

static uint64_t steps[UNALLOCATED_SCHED + 1];

static struct blocks blocks_now(void)
{
    return (struct blocks){.taken = mem_taken(), .live = mem_live()};
}

static void check_after(enum unallocated_core core, struct blocks before)
{
    struct blocks after = blocks_now();

    CHECK(after.taken == before.taken);
    CHECK(after.live == before.live);
    steps[core]++;
}

uint64_t unallocated_steps(enum unallocated_core core)
{
    return steps[core];
}

void __wrap_coord_step(struct coord *c,
                       const struct coord_event *ev,
                       struct actions *out)
{
    struct blocks before = blocks_now();

    __real_coord_step(c, ev, out);
    check_after(UNALLOCATED_COORD, before);
}

void __wrap_agent_step(struct agent *agent,
                       const struct agent_event *event,
                       struct agent_actions *out)
{
    struct blocks before = blocks_now();

    __real_agent_step(agent, event, out);
    check_after(UNALLOCATED_AGENT, before);
}

void __wrap_sched_step(struct sched *sched,
                       const struct sched_event *event,
                       struct sched_actions *out)
{
    struct blocks before = blocks_now();

    __real_sched_step(sched, event, out);
    check_after(UNALLOCATED_SCHED, before);
}
