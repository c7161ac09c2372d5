#include "tests/sim/trial.h"

#include "base/mem.h"
#include "tests/sim/disk.h"
#include "tests/sim/invariants.h"
#include "tests/sim/person.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { QUIET_EVENTS_MAX = 1000000, OVERFLOW_TEXT = 512 };

/* What is compared of a job that has ended. */
struct job_ending {
    enum job_state state;
    uint64_t step;
    uint64_t interval;
    uint64_t versions;
    uint32_t shards_count;
    struct shard_state shards[SIM_LAYERS_MAX * SIM_SHARDS_MAX];
    struct figures figures;
    struct figures decisions; /* that are in the journal */
    char overflow[OVERFLOW_TEXT];
};

struct ending {
    struct job_ending jobs[SIM_JOBS_MAX];
};

static void look_at_job(struct world *w, uint32_t which, struct job_ending *out)
{
    const struct ledger *d = disk_ledger(w, which);
    const struct version *v = d->versions[d->record.head];

    memset(out, 0, sizeof(*out));
    out->state = d->record.state;
    (void)snprintf(out->overflow, sizeof(out->overflow), "%s",
                   invariants_overflow(w, which));
    if (d->record.state != JOB_FINISHED) {
        return;
    }
    if (v == NULL) {
        world_fail(w, "the last version is not there");
        return;
    }
    out->step = v->step;
    out->interval = v->interval;
    out->versions = d->record.last_version;
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
    out->figures = *invariants_figures(w, which);
    for (uint32_t j = 0; j < d->journal_count; j++) {
        const struct journal_entry *e = &d->journal[j];

        if (e->interval < INTERVALS_MAX) {
            out->decisions.by_interval[e->interval] = e->digest;
        }
    }
}

static void look_at_end(struct world *w, struct ending *out)
{
    for (uint32_t j = 0; j < w->scenario->jobs_count; j++) {
        look_at_job(w, j, &out->jobs[j]);
    }
}

/* A setting that has taken effect makes another run of it. */
static bool has_settings(const struct ledger *d)
{
    for (uint32_t j = 0; j < d->journal_count; j++) {
        if (d->journal[j].settings_count > 0) {
            return true;
        }
    }
    return false;
}

static void compare_shards(struct world *w,
                           uint32_t which,
                           const struct job_ending *end,
                           const struct job_ending *quiet)
{
    bool as_it_was = !person_has_stopped_it(w, which);

    if (end->step != quiet->step || end->interval != quiet->interval ||
        end->shards_count != quiet->shards_count) {
        world_fail(w, "the job ended at another step");
    }
    if (as_it_was && end->versions != quiet->versions) {
        world_fail(w, "there are %llu versions, and not %llu",
                   (unsigned long long)end->versions,
                   (unsigned long long)quiet->versions);
    }
    for (uint32_t s = 0; s < quiet->shards_count; s++) {
        if (end->shards[s].hash != quiet->shards[s].hash) {
            world_fail(w,
                       "shard %u has seen something else than in the "
                       "undisturbed run",
                       s);
        }
        if (as_it_was && end->shards[s].cuts != quiet->shards[s].cuts) {
            world_fail(w, "shard %u has been cut otherwise", s);
        }
    }
}

static void compare_figures(struct world *w,
                            const struct job_ending *end,
                            const struct job_ending *quiet)
{
    for (uint32_t i = 0; i < INTERVALS_MAX; i++) {
        uint64_t decision = end->decisions.by_interval[i];

        if (end->figures.by_interval[i] != quiet->figures.by_interval[i]) {
            world_fail(w,
                       "the figures of interval %u differ from those of "
                       "the undisturbed run",
                       i);
        }
        if (decision != 0 && decision != quiet->decisions.by_interval[i]) {
            world_fail(w, "the journal has other decisions for interval %u", i);
        }
    }
}

static void compare(struct world *w, uint32_t which, const struct ending *quiet)
{
    const struct job_ending *expected = &quiet->jobs[which];
    struct job_ending *end = world_memory(sizeof(*end));

    look_at_job(w, which, end);
    if (has_settings(disk_ledger(w, which)) ||
        (end->state == JOB_CANCELLED && person_has_cancelled(w, which))) {
        mem_free(end);
        return;
    }
    if (end->state != expected->state) {
        world_fail(w, "job %u is %s, and not %s", which,
                   job_state_name(end->state), job_state_name(expected->state));
    } else if (strcmp(end->overflow, expected->overflow) != 0) {
        world_fail(w, "job %u: \"%s\", and not \"%s\"", which, end->overflow,
                   expected->overflow);
    } else if (end->state == JOB_FINISHED) {
        compare_shards(w, which, end, expected);
        compare_figures(w, end, expected);
    }
    mem_free(end);
}

static void judge(const struct trial *trial,
                  const struct world *w,
                  struct verdict *out)
{
    const struct durable *d = disk_look(w);
    const struct tally *tally = invariants_tally(w);

    out->failed = w->failed;
    memcpy(out->failure, w->failure, sizeof(out->failure));
    out->events = w->events;
    out->virtual_ms = w->now_us / 1000;
    out->lives = d->life;
    for (uint32_t j = 0; j < SIM_JOBS_MAX; j++) {
        out->versions += d->jobs[j].record.last_version;
        out->replayed_steps += d->jobs[j].record.replayed_steps;
    }
    out->points = tally->points;
    out->copies = tally->copies;
    out->moves = tally->moves;
    out->drains = tally->drains;
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
            for (uint32_t j = 0; j < scenario->jobs_count; j++) {
                compare(w, j, quiet);
            }
        }
        judge(trial, w, out);
        world_close(w);
    }
    mem_free(quiet);
    mem_free(scenario);
}
