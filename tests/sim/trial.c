#include "tests/sim/trial.h"

#include "base/mem.h"
#include "tests/sim/disk.h"
#include "tests/sim/invariants.h"
#include "tests/sim/person.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { QUIET_EVENTS_MAX = 1000000 };

/* What is compared of a run that has ended. */
struct ending {
    uint64_t step;
    uint64_t interval;
    uint32_t shards_count;
    struct shard_state shards[SIM_LAYERS_MAX * SIM_SHARDS_MAX];
    struct figures figures;
};

static void look_at_end(struct world *w, struct ending *out)
{
    const struct durable *d = disk_look(w);
    const struct version *v = d->versions[d->record.head];

    memset(out, 0, sizeof(*out));
    if (v == NULL) {
        world_fail(w, "the last version is not there");
        return;
    }
    out->step = v->step;
    out->interval = v->interval;
    out->shards_count = v->shards_count;
    for (uint32_t s = 0; s < v->shards_count; s++) {
        const struct shard_state *state;
        uint64_t name = 0;

        memcpy(&name, v->shards[s].tensors[0].chunks[0].b, sizeof(name));
        state = disk_state(w, name);
        if (state == NULL) {
            world_fail(w, "the last version's shards are not there");
            return;
        }
        out->shards[s] = *state;
    }
    out->figures = *invariants_figures(w);
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

static void compare(struct world *w, const struct ending *quiet)
{
    const struct durable *d = disk_look(w);
    struct ending *end = world_memory(sizeof(*end));

    if (d->record.state != JOB_FINISHED || has_settings(d)) {
        mem_free(end);
        return;
    }
    look_at_end(w, end);
    if (end->step != quiet->step || end->interval != quiet->interval ||
        end->shards_count != quiet->shards_count) {
        world_fail(w, "the job ended at another step");
    }
    for (uint32_t s = 0; s < quiet->shards_count; s++) {
        if (end->shards[s].hash != quiet->shards[s].hash) {
            world_fail(w,
                       "shard %u has seen something else than in the "
                       "undisturbed run",
                       s);
        }
        if (!person_has_stopped_it(w) &&
            end->shards[s].cuts != quiet->shards[s].cuts) {
            world_fail(w, "shard %u has been cut otherwise", s);
        }
    }
    for (uint32_t i = 0; i < INTERVALS_MAX; i++) {
        if (end->figures.by_interval[i] != quiet->figures.by_interval[i]) {
            world_fail(w,
                       "the figures of interval %u differ from those of "
                       "the undisturbed run",
                       i);
        }
    }
    mem_free(end);
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

static bool run_quiet(const struct trial *trial,
                      const struct scenario *scenario,
                      struct ending *end,
                      struct verdict *out)
{
    struct scenario *still = world_memory(sizeof(*still));
    struct world *w;
    bool failed;

    scenario_quiet(scenario, still);
    w = world_open(still);
    world_run(w, QUIET_EVENTS_MAX);
    if (!w->failed && !w->over) {
        world_fail(w, "the undisturbed run does not end");
    }
    if (!w->failed) {
        look_at_end(w, end);
    }
    failed = w->failed;
    if (failed) {
        judge(trial, w, out);
    }
    world_close(w);
    mem_free(still);
    return !failed;
}

void trial_run(const struct trial *trial, struct verdict *out)
{
    struct scenario *scenario = world_memory(sizeof(*scenario));
    struct ending *quiet = world_memory(sizeof(*quiet));

    memset(out, 0, sizeof(*out));
    scenario_make(scenario, trial->seed);
    scenario->plant = trial->plant;
    if (run_quiet(trial, scenario, quiet, out)) {
        struct world *w = world_open(scenario);

        w->loud = trial->loud;
        world_run(w, trial->events_max);
        if (!w->failed && w->over) {
            compare(w, quiet);
        }
        judge(trial, w, out);
        world_close(w);
    }
    mem_free(quiet);
    mem_free(scenario);
}
