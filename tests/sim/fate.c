#include "tests/sim/fate.h"

#include "tests/sim/center.h"
#include "tests/sim/disk.h"
#include "tests/sim/host.h"

static void next(struct world *w, event_fn *fn, uint32_t mean_ms)
{
    struct event event = {.fn = fn, .process = EVERYBODY};

    if (mean_ms == 0) {
        return;
    }
    event.at_us = w->now_us + world_between(w, 1, 2000 * (uint64_t)mean_ms);
    if (event.at_us < w->scenario->calm_us) {
        (void)world_post(w, event);
    }
}

/* Short enough to be missed, or long enough to be noticed. */
static uint64_t a_while_us(struct world *w)
{
    return world_chance(w, 2) ? world_between(w, 1000, 40000)
                              : world_between(w, 100000, 400000);
}

/* Now and then its neighbour, which has the second copies, or the coordinator
 * goes with it. */
static void crash_more(struct world *w, uint32_t host)
{
    uint32_t neighbour = (host + 1) % w->scenario->hosts_count;

    if (world_chance(w, 6) && process_alive(w, 1 + neighbour)) {
        host_crash(w, neighbour, a_while_us(w));
    }
    if (world_chance(w, 10) && w->scenario->troubles.center_crash_ms > 0) {
        center_crash(w, a_while_us(w));
    }
}

static void on_host_crash(struct world *w, struct event *event)
{
    uint32_t host = world_draw(w, w->scenario->hosts_count);

    (void)event;
    if (process_alive(w, 1 + host)) {
        host_crash(w, host, a_while_us(w));
    }
    crash_more(w, host);
    next(w, on_host_crash, w->scenario->troubles.host_crash_ms);
}

static void on_leave(struct world *w, struct event *event)
{
    uint32_t host = world_draw(w, w->scenario->hosts_count);

    (void)event;
    if (process_alive(w, 1 + host)) {
        host_leave(w, host);
    }
    next(w, on_leave, w->scenario->troubles.leave_ms);
}

static void on_center_crash(struct world *w, struct event *event)
{
    (void)event;
    center_crash(w, a_while_us(w));
    next(w, on_center_crash, w->scenario->troubles.center_crash_ms);
}

static void on_hang(struct world *w, struct event *event)
{
    uint32_t process = world_draw(w, 1 + w->scenario->hosts_count);
    uint64_t until = w->now_us + a_while_us(w);

    (void)event;
    if (process_alive(w, process)) {
        world_say(w, "%s%u hangs until %llu", process == 0 ? "c" : "w",
                  process == 0 ? 0 : process - 1,
                  (unsigned long long)(until / 1000));
        if (w->processes[process].hangs_until_us < until) {
            w->processes[process].hangs_until_us = until;
        }
    }
    next(w, on_hang, w->scenario->troubles.hang_ms);
}

static void on_partition(struct world *w, struct event *event)
{
    uint32_t a = world_draw(w, w->scenario->hosts_count);
    uint32_t b = world_draw(w, w->scenario->hosts_count);

    (void)event;
    if (a != b) {
        world_say(w, "w%u and w%u are parted", a, b);
        network_part(w, a, b, w->now_us + a_while_us(w), world_chance(w, 2));
    }
    next(w, on_partition, w->scenario->troubles.partition_ms);
}

static void on_slow_disk(struct world *w, struct event *event)
{
    (void)event;
    world_say(w, "the disk is slow");
    disk_slow(w, a_while_us(w));
    next(w, on_slow_disk, w->scenario->troubles.slow_disk_ms);
}

static void on_failing_disk(struct world *w, struct event *event)
{
    (void)event;
    world_say(w, "the disk fails");
    disk_fail(w, world_between(w, 1000, 60000));
    next(w, on_failing_disk, w->scenario->troubles.failing_disk_ms);
}

void fate_open(struct world *w)
{
    const struct troubles *t = &w->scenario->troubles;

    next(w, on_host_crash, t->host_crash_ms);
    next(w, on_center_crash, t->center_crash_ms);
    next(w, on_leave, t->leave_ms);
    next(w, on_hang, t->hang_ms);
    next(w, on_partition, t->partition_ms);
    next(w, on_slow_disk, t->slow_disk_ms);
    next(w, on_failing_disk, t->failing_disk_ms);
}
