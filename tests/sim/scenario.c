#include "tests/sim/scenario.h"

#include "base/check.h"
#include "base/rng.h"

#include <stdio.h>
#include <string.h>

/* Drawn apart from the run's draws: what a seed's job is must not depend on
 * what happens to it. */
struct dice {
    uint64_t seed;
    uint64_t count;
};

static uint32_t draw(struct dice *dice, uint32_t bound)
{
    return rng_below(rng_draw(dice->seed, RNG_TEST, dice->count++, 1, 0),
                     bound);
}

static uint32_t between(struct dice *dice, uint32_t least, uint32_t most)
{
    return least + draw(dice, most - least + 1);
}

/* One of the four, or, half the time, 0. */
static uint32_t perhaps(struct dice *dice, const uint32_t choice[4])
{
    uint32_t which = draw(dice, 8);

    return which < 4 ? choice[which] : 0;
}

static void make_renew(struct job_spec *spec, struct dice *dice)
{
    struct role_spec *role = &spec->roles[ROLE_RENEW];
    struct policy_spec *p = &role->policies[0];

    role->count = draw(dice, 3) > 0 ? 1 : 0;
    p->policy = POLICY_CONTINUAL_BACKPROP;
    p->value[CBP_RATE] = 0.002 * between(dice, 1, 20);
    p->value[CBP_MATURITY] = between(dice, 1, 8);
    p->value[CBP_DECAY] = 0.9;
}

static void make_grow(struct job_spec *spec, struct dice *dice)
{
    struct role_spec *role = &spec->roles[ROLE_GROW];
    struct policy_spec *p = &role->policies[0];
    uint32_t which = draw(dice, 3);

    role->count = which > 0 ? 1 : 0;
    if (which == 1) {
        p->policy = POLICY_SCHEDULE;
        p->value[SCHEDULE_EVERY] = between(dice, 2, 6);
        p->value[SCHEDULE_ADD] = between(dice, 1, 4);
        p->value[SCHEDULE_MAX_UNITS] = between(dice, 14, 40);
    } else if (which == 2) {
        p->policy = POLICY_PLATEAU;
        p->value[PLATEAU_WINDOW] = between(dice, 3, 5);
        p->value[PLATEAU_MIN_GAIN] = 0.05 * between(dice, 1, 10);
        p->value[PLATEAU_ADD] = between(dice, 1, 4);
        p->value[PLATEAU_MAX_UNITS] = between(dice, 14, 40);
        p->value[PLATEAU_COOLDOWN] = between(dice, 0, 3);
    }
}

static void make_prune(struct job_spec *spec, struct dice *dice)
{
    struct role_spec *role = &spec->roles[ROLE_PRUNE];
    struct policy_spec *p = &role->policies[0];

    role->count = draw(dice, 2);
    p->policy = POLICY_CONTRIBUTION;
    p->value[CONTRIBUTION_BELOW] = 0.1 * between(dice, 1, 6);
    p->value[CONTRIBUTION_PROBATION] = between(dice, 1, 3);
    p->value[CONTRIBUTION_MATURITY] = between(dice, 1, 6);
    p->value[CONTRIBUTION_MIN_UNITS] = between(dice, 2, 6);
    p->value[CONTRIBUTION_COOLDOWN] = between(dice, 0, 2);
    spec->data.guard_examples = role->count > 0 ? 2000 : 0;
}

static void make_stops(struct job_spec *spec, struct dice *dice)
{
    uint32_t which = draw(dice, 8);

    if (which < (spec->evaluate.at_task_end ? 3u : 2u)) {
        spec->stop_rules_count = 1;
        spec->stop_rules[0] =
            which == 0   ? (struct stop_rule){STOP_STEPS, between(dice, 3, 40)}
            : which == 1 ? (struct stop_rule){STOP_LOSS, 0.3}
                         : (struct stop_rule){STOP_NO_GAIN, 1};
    }
}

static void make_spec(struct sim_job *job, uint64_t seed, struct dice *dice)
{
    struct job_spec *spec = &job->spec;
    uint32_t steps = between(dice, 6, 30); /* of a task */

    job_defaults(spec);
    (void)snprintf(spec->name, sizeof(spec->name), "sim0");
    (void)snprintf(spec->data.dir, sizeof(spec->data.dir), "/data");
    spec->seed = seed;
    spec->model.hidden_count = between(dice, 1, SIM_LAYERS_MAX - 1);
    spec->model.shards = between(dice, 1, 3);
    for (uint32_t l = 0; l < spec->model.hidden_count; l++) {
        spec->model.hidden[l] =
            (struct layer_spec){between(dice, 5, 14), ACTIVATION_RELU};
    }
    spec->train.batch = 1u << between(dice, 2, 8);
    spec->train.microbatches = between(dice, 1, 3);
    spec->train.clip = draw(dice, 4) == 0 ? 1.0 : 0;
    spec->report_every_steps = between(dice, 1, 6);
    spec->data.task_specs[0] =
        (struct task_spec){TASK_PERMUTE_PIXELS, between(dice, 1, 3),
                           steps * spec->train.batch - draw(dice, 4), 1};
    spec->evaluate.at_task_end = draw(dice, 4) > 0;
    spec->evaluate.on = draw(dice, 2) == 0 ? EVALUATE_CURRENT : EVALUATE_SEEN;
    spec->keep.every_steps = draw(dice, 2) == 0 ? 0 : between(dice, 3, 12);
    spec->keep.on |= draw(dice, 4) == 0 ? 1u << CAUSE_RENEW : 0;
    spec->keep.on &= draw(dice, 4) == 0 ? ~(1u << CAUSE_GROW) : ~0u;
    spec->guard_tolerance = 0.01;
    make_renew(spec, dice);
    make_grow(spec, dice);
    make_prune(spec, dice);
    make_stops(spec, dice);
}

static void make_shape(struct sim_job *s, struct dice *dice)
{
    struct data_shape *shape = &s->shape;

    shape->inputs = 12;
    shape->classes = 3;
    shape->train_examples = 1000;
    shape->guard_examples = s->spec.data.guard_examples;
    shape->evaluate_examples = 1000;
    shape->tasks_count = s->spec.data.task_specs[0].count;
    for (uint32_t t = 0; t < shape->tasks_count; t++) {
        shape->task_examples[t] = s->spec.data.task_specs[0].examples;
        s->evaluate_rows[t] = draw(dice, 4) == 0 ? 0 : between(dice, 1, 1500);
        s->guard_rows[t] = shape->guard_examples > 0 ? 300 : 0;
    }
}

static void make_troubles(struct scenario *s, struct dice *dice)
{
    static const uint32_t gaps[4] = {25, 60, 150, 400};
    static const uint32_t moments[4] = {8, 20, 50, 200};
    static const uint32_t odds[4] = {60, 300, 1000, 4000};
    static const uint32_t delays[4] = {60, 300, 2000, 20000};
    struct troubles *t = &s->troubles;

    t->delay_us = delays[draw(dice, 4)];
    if (draw(dice, 16) == 0) {
        return; /* a quiet life on a slow network */
    }
    t->host_crash_ms = perhaps(dice, gaps);
    t->center_crash_ms = perhaps(dice, gaps);
    t->hang_ms = perhaps(dice, gaps);
    t->partition_ms = perhaps(dice, gaps);
    t->slow_disk_ms = perhaps(dice, gaps);
    t->failing_disk_ms = perhaps(dice, gaps);
    t->frame_loss = perhaps(dice, odds);
    t->frame_twice = perhaps(dice, odds);
    t->request_ms = perhaps(dice, moments);
    t->may_set = draw(dice, 2) == 0;
    t->may_restore = draw(dice, 2) == 0;
    t->may_cancel = draw(dice, 12) == 0;
    t->may_shut_down = draw(dice, 4) == 0;
    t->leave_ms = perhaps(dice, gaps);
    t->piece_loss = perhaps(dice, odds) / 8;
    t->piece_twice = perhaps(dice, odds) / 8;
    t->may_drain = draw(dice, 2) == 0;
}

/* Points are made twice a second: to see many of them, some runs last longer,
 * and their troubles are as rare as their steps. */
static void make_slow(struct scenario *s, struct dice *dice)
{
    static const uint32_t factors[4] = {1, 2, 5, 12};
    uint32_t factor = factors[draw(dice, 4)];
    struct troubles *t = &s->troubles;

    s->operation_us = 250 * factor * (factor > 1 ? 6 : 1);
    s->calm_us *= factor;
    t->host_crash_ms *= factor;
    t->center_crash_ms *= factor;
    t->hang_ms *= factor;
    t->partition_ms *= factor;
    t->slow_disk_ms *= factor;
    t->failing_disk_ms *= factor;
    t->request_ms *= factor;
    t->leave_ms *= factor;
}

static void make_job(struct sim_job *job, uint64_t seed, struct dice *dice)
{
    make_spec(job, seed, dice);
    make_shape(job, dice);
}

static void place_job(struct scenario *s,
                      struct sim_job *job,
                      struct dice *dice)
{
    uint64_t steps = 0;
    char why[ERROR_BYTES_MAX];
    enum status status;

    job->workers = between(dice, 1, s->hosts_count);
    job->workers_min = draw(dice, 2) == 0 ? 0 : between(dice, 1, job->workers);
    if (s->jobs_count > 1 && draw(dice, 2) == 0) {
        job->workers_min = 1; /* so that they share the pool */
    }
    for (uint32_t t = 0; t < job->shape.tasks_count; t++) {
        steps += job->shape.task_examples[t] / job->spec.train.batch;
    }
    if (draw(dice, 16) == 0) {
        job->overflow_step = between(dice, 1, (uint32_t)steps);
    }
    job->spec.run.workers = job->workers;
    job->spec.run.workers_min = job->workers_min;
    status = job_check(&job->spec, why, sizeof(why));
    if (status != STATUS_OK) {
        (void)fprintf(stderr, "seed %llu: %s\n", (unsigned long long)s->seed,
                      why);
    }
    CHECK(status == STATUS_OK);
}

void scenario_make(struct scenario *s, uint64_t seed)
{
    struct dice dice = {.seed = seed};

    memset(s, 0, sizeof(*s));
    s->seed = seed;
    make_job(&s->jobs[0], seed, &dice);
    make_troubles(s, &dice);
    s->hosts_count = between(&dice, 1, SIM_HOSTS_MAX);
    s->jobs_count = draw(&dice, 4) == 0 ? 2 : 1;
    if (s->jobs_count > 1) {
        make_job(&s->jobs[1], seed + 1, &dice);
        s->jobs[1].spec.name[3] = '1';
    }
    for (uint32_t j = 0; j < s->jobs_count; j++) {
        place_job(s, &s->jobs[j], &dice);
    }
    s->slots = between(&dice, 1, 3);
    s->calm_us = 1000 * (uint64_t)between(&dice, 300, 1500);
    make_slow(s, &dice);
    s->end_us = s->calm_us + UINT64_C(300000000);
}

uint32_t scenario_job(const struct job_spec *spec)
{
    CHECK(spec->name[3] == '0' || spec->name[3] == '1');
    return (uint32_t)(spec->name[3] - '0');
}

void scenario_quiet(const struct scenario *from, struct scenario *to)
{
    *to = *from;
    to->plant = PLANT_NONE;
    to->hosts_count = from->jobs_count;
    for (uint32_t j = 0; j < from->jobs_count; j++) {
        to->jobs[j].workers = 1;
        to->jobs[j].workers_min = 0;
    }
    to->slots = 1;
    to->operation_us = 250;
    to->troubles = (struct troubles){.delay_us = 60};
    to->calm_us = 0;
}

const char *plant_name(enum plant plant)
{
    static const char *const names[PLANTS_COUNT] = {
        [PLANT_NONE] = "none",
        [PLANT_EARLY_STORED] = "early-stored",
        [PLANT_STALE_TERM] = "stale-term",
        [PLANT_REPORT_TWICE] = "report-twice",
        [PLANT_EDIT_TWICE] = "edit-twice",
        [PLANT_STALE_POINT] = "stale-point",
        [PLANT_SHORT_COPY] = "short-copy",
        [PLANT_EARLY_POINT] = "early-point",
        [PLANT_BITS_DIFFER] = "bits-differ",
        [PLANT_LIVES_ON] = "lives-on",
    };

    return names[plant];
}
