/* scale.c - what the coordinator's core costs, and how that grows.
 *
 *   scale WORKERS SHARDS [INTERVALS]
 *
 * Runs a hundredth, a tenth and the whole of that size, each with one worker in
 * fifty lost, and prints the core's processor time and memory. */
#include "tests/sim/crowd.h"

#include "base/limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INTERVALS = 60, WORKERS_LEAST = 4 };

static uint32_t number(const char *text)
{
    char *end = NULL;
    unsigned long value = strtoul(text, &end, 10);

    if (end == text || *end != '\0' || value > 1000000) {
        (void)fprintf(stderr, "scale: '%s' is not a number\n", text);
        exit(2);
    }
    return (uint32_t)value;
}

static double per(uint64_t figure, uint64_t by)
{
    return (double)figure / (double)(by > 0 ? by : 1);
}

static void print(const struct crowd_options *o, const struct crowd_figures *f)
{
    (void)printf(
        "%" PRIu32 " workers, %" PRIu32 " shards, %" PRIu32 " jobs: %s\n",
        o->workers, f->shards, f->jobs, f->failure[0] == '\0' ? "ok" : "");
    (void)printf("  %" PRIu64 " events, %" PRIu64 " reports, %" PRIu64
                 " intervals, %" PRIu64 " decisions, %" PRIu64
                 " versions, %" PRIu64 " points\n",
                 f->events, f->reports, f->intervals, f->decisions, f->commits,
                 f->points);
    (void)printf("  %" PRIu64 " workers lost, %" PRIu64
                 " grants decided again and the same, %" PRIu64
                 " moves, %.1f virtual s\n",
                 f->losses, f->recoveries, f->moves,
                 (double)f->virtual_ms / 1000);
    (void)printf("  core: %.0f us an interval of all jobs, %.2f us a report "
                 "(%.2f us an event), %.2f s in all\n",
                 per(f->core_ns, 1000) / (double)o->intervals,
                 per(f->core_reports_ns, f->reports) / 1000,
                 per(f->core_ns, f->events) / 1000, (double)f->core_ns / 1e9);
    (void)printf("  memory: core %.1f MB, lent %.1f MB (%.1f kB a shard); "
                 "%" PRIu32 " actions at most\n",
                 (double)f->core_bytes / 1e6, (double)f->lent_bytes / 1e6,
                 per(f->lent_bytes, f->shards) / 1e3, f->actions_most);
}

int main(int count, char **arguments)
{
    uint32_t workers = count > 1 ? number(arguments[1]) : 1000;
    uint32_t shards = count > 2 ? number(arguments[2]) : 10000;
    uint32_t intervals = count > 3 ? number(arguments[3]) : INTERVALS;

    if (workers > MEMBERS_MAX || shards < workers || intervals < 1) {
        (void)fprintf(stderr, "scale: at most %d workers, and a shard each\n",
                      MEMBERS_MAX);
        return 2;
    }
    for (uint32_t part = 100; part > 0; part /= 10) {
        struct crowd_options o = {.workers = workers / part,
                                  .shards = shards / part,
                                  .intervals = intervals,
                                  .timed = true};
        struct crowd_figures f;

        if (o.workers < WORKERS_LEAST) {
            continue;
        }
        o.losses = o.workers / 50 + 2;
        o.drains = o.workers / 50;
        if (!crowd_run(&o, &f)) {
            (void)printf("FAILED: %s\n", f.failure);
            return 1;
        }
        print(&o, &f);
    }
    return 0;
}
