#include "tests/sim/trial.h"

#include "base/mem.h"
#include "tests/sim/disk.h"
#include "tests/sim/invariants.h"
#include "tests/sim/person.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { QUIET_EVENTS_MAX = 1000000 };

static const struct shard_state *state_of(const struct world *w,
                                          const struct shard_record *record)
{
    uint64_t name = 0;

    memcpy(&name, record->tensors[0].chunks[0].b, sizeof(name));
    return disk_state(w, name);
}

/* A setting that has taken effect makes another run of it. */
static bool has_settings(const struct durable *d)
{
    for (uint32_t j = 0; j < d->journal_count; j++) {
        if (d->journal[j].settings_count > 0) {
            return true;
        }
    }
    return false;
}

static void compare_shards(struct world *w, const struct world *quiet)
{
    const struct durable *a = disk_look(quiet);
    const struct durable *b = disk_look(w);
    const struct version *x = a->versions[a->record.head];
    const struct version *y = b->versions[b->record.head];

    if (x == NULL || y == NULL || x->shards_count != y->shards_count) {
        world_fail(w, "the last version is not there");
        return;
    }
    for (uint32_t s = 0; s < x->shards_count; s++) {
        const struct shard_state *p = state_of(quiet, &x->shards[s]);
        const struct shard_state *q = state_of(w, &y->shards[s]);

        if (p == NULL || q == NULL || p->hash != q->hash) {
            world_fail(w,
                       "shard %u of layer %u has seen something else than in "
                       "the undisturbed run",
                       x->shards[s].shard, x->shards[s].layer);
            return;
        }
        if (!person_has_stopped_it(w) && p->cuts != q->cuts) {
            world_fail(w, "shard %u of layer %u has been cut otherwise",
                       x->shards[s].shard, x->shards[s].layer);
            return;
        }
    }
    if (x->step != y->step || x->interval != y->interval) {
        world_fail(w, "the job ended at another step");
    }
}

static void compare(struct world *w, const struct world *quiet)
{
    const struct durable *b = disk_look(w);
    const struct figures *x = invariants_figures(quiet);
    const struct figures *y = invariants_figures(w);

    if (b->record.state != JOB_FINISHED || has_settings(b)) {
        return;
    }
    compare_shards(w, quiet);
    for (uint32_t i = 0; i < INTERVALS_MAX && !w->failed; i++) {
        if (x->by_interval[i] != y->by_interval[i]) {
            world_fail(w, "the figures of interval %u differ from those of "
                          "the undisturbed run",
                       i);
        }
    }
}

static void run(struct world *w, uint64_t events_max)
{
    world_run(w, events_max);
    if (!w->failed && !w->over && events_max == QUIET_EVENTS_MAX) {
        world_fail(w, "the undisturbed run does not end");
    }
}

static void judge(const struct trial *trial,
                  const struct world *w,
                  struct verdict *out)
{
    const struct durable *d = disk_look(w);

    out->failed = w->failed;
    memcpy(out->failure, w->failure, sizeof(out->failure));
    out->events = w->events;
    out->virtual_ms = w->now_us / 1000;
    out->lives = d->life;
    out->versions = d->record.last_version;
    out->replayed_steps = d->record.replayed_steps;
    if (w->failed && trial->plant == PLANT_NONE) {
        if (!w->loud) {
            world_print(w);
        }
        (void)printf("seed %" PRIu64 " FAILED at event %" PRIu64 ": %s\n",
                     trial->seed, w->events, w->failure);
    }
}

void trial_run(const struct trial *trial, struct verdict *out)
{
    struct scenario *scenario = world_memory(sizeof(*scenario));
    struct scenario *still = world_memory(sizeof(*still));
    struct world *quiet;
    struct world *w;

    scenario_make(scenario, trial->seed);
    scenario->plant = trial->plant;
    scenario_quiet(scenario, still);
    memset(out, 0, sizeof(*out));
    quiet = world_open(still);
    run(quiet, QUIET_EVENTS_MAX);
    if (quiet->failed) {
        judge(trial, quiet, out);
        world_close(quiet);
    } else {
        w = world_open(scenario);
        w->loud = trial->loud;
        run(w, trial->events_max);
        if (!w->failed && w->over) {
            compare(w, quiet);
        }
        judge(trial, w, out);
        world_close(w);
        world_close(quiet);
    }
    mem_free(still);
    mem_free(scenario);
}
