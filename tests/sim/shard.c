#include "tests/sim/shard.h"

#include "base/check.h"
#include "base/rng.h"

#include <string.h>

/* A number in [0, 1) that depends on nothing but its arguments. */
static double number(uint64_t a, uint64_t b)
{
    return (double)rng_unit((uint32_t)(mix(a, b) >> 32));
}

static void take(struct shard *shard, uint64_t value)
{
    shard->state.hash = mix(shard->state.hash, value);
}

void shard_begin(struct shard *shard, uint64_t seed)
{
    shard->state = (struct shard_state){
        .hash = mix(seed, shard->layer * SHARDS_MAX + shard->index)};
}

uint64_t shard_state_name(const struct shard_state *state)
{
    uint64_t name = mix(state->hash, state->cuts);

    name = mix(name, state->step);
    name = mix(mix(name, state->position), state->task);
    name = mix(mix(name, state->edited), state->evaluations_count);
    return name;
}

/* --- The inbox --- */

static void put(struct world *w, uint64_t *place, uint64_t value)
{
    if (*place != 0) {
        world_fail(w, "a frame is overwritten in an inbox");
    }
    *place = value;
}

void shard_put(struct shard *shard,
               struct world *w,
               const struct sched_deliver *d,
               uint64_t value)
{
    if (d->kind == FRAME_FORWARD) {
        put(w, &shard->forward[d->cell][d->microbatch][d->sender], value);
    } else if (d->kind == FRAME_GRADIENT) {
        put(w, &shard->gradient[d->cell][d->microbatch][d->sender], value);
    } else {
        put(w, &shard->columns[d->cell][d->sender], value);
    }
}

static uint64_t consume(struct world *w, uint64_t *places, uint32_t count)
{
    uint64_t hash = count;

    for (uint32_t i = 0; i < count; i++) {
        if (places[i] == 0) {
            world_fail(w, "a shard fires without all its inputs");
        }
        hash = mix(hash, places[i]);
        places[i] = 0;
    }
    return hash;
}

static uint32_t shards_of(const struct shard_view *view, uint32_t layer)
{
    return view->config->shards_count[layer];
}

/* --- The operations --- */

/* Examples follow one another: the next of this task, or the first of the next
 * task where this one is used up. */
static void check_order(struct shard *shard, const struct shard_view *view)
{
    const struct sched_run *run = &shard->run;
    struct shard_state *s = &shard->state;
    const struct data_shape *shape = &view->job->shape;

    if (run->task == s->task + 1 &&
        s->position == shape->task_examples[s->task]) {
        s->task = run->task;
        s->position = 0;
    }
    if (run->task != s->task || run->step != s->step ||
        run->example != s->position + shard->rows) {
        world_fail(view->w,
                   "shard %u of layer %u trains step %llu, task %u, example "
                   "%llu; it is at step %llu, task %u, example %llu",
                   shard->index, shard->layer, (unsigned long long)run->step,
                   run->task, (unsigned long long)run->example,
                   (unsigned long long)s->step, s->task,
                   (unsigned long long)(s->position + shard->rows));
    }
}

/* The figures of a set, once its last rows are through. */
static void end_evaluation(struct shard *shard, const struct shard_view *view)
{
    const struct sched_run *run = &shard->run;
    struct shard_state *s = &shard->state;
    double before = 0.5 + number(run->task, run->step);
    bool hurts = number(shard->kept, run->interval) < 0.3;
    struct evaluation e = {
        .set = run->set, .task = run->task, .examples = shard->kept_rows};

    take(shard, shard->kept);
    shard->kept = 0;
    shard->kept_rows = 0;
    if (!shard->output) {
        return;
    }
    if (run->set == EVALUATION_GUARD_AFTER) {
        before *= hurts ? 1.05 : 1.001;
    }
    if (run->set == EVALUATION_HELD_OUT) {
        before = 0.2 + number(shard->state.hash, 3);
    }
    e.loss_sum = before * (double)e.examples;
    e.correct = e.examples / 2;
    if (s->evaluations_count == SHARD_EVALUATIONS_MAX) {
        world_fail(view->w, "too many evaluations in one report");
        return;
    }
    s->evaluations[s->evaluations_count++] = e;
}

static void forward(struct shard *shard, const struct shard_view *view)
{
    const struct sched_run *run = &shard->run;
    uint64_t hash = mix(shard->state.hash, run->first * BATCH_MAX + run->rows);

    if (run->layer > 0) {
        hash = mix(
            hash,
            consume(view->w,
                    shard->forward[run->pass % INBOX_CELLS][run->microbatch],
                    shards_of(view, run->layer - 1)));
    }
    hash = mix(hash, run->task);
    hash = mix(hash, run->example);
    if (run->training) {
        check_order(shard, view);
        shard->rows += run->rows;
        shard->examples += run->rows;
        shard->forwards = mix(shard->forwards, hash);
    } else {
        shard->kept = mix(shard->kept, mix(hash, (uint64_t)run->set));
        shard->kept_rows += run->rows;
    }
    shard->outputs[0] = hash;
    if (!run->training && run->last) {
        end_evaluation(shard, view);
    }
}

static void backward(struct shard *shard, const struct shard_view *view)
{
    const struct sched_run *run = &shard->run;
    uint64_t hash = mix(shard->state.hash, run->microbatch);

    if (!shard->output) {
        hash = mix(
            hash,
            consume(view->w,
                    shard->gradient[run->pass % INBOX_CELLS][run->microbatch],
                    shards_of(view, run->layer + 1)));
    }
    for (uint32_t s = 0; run->layer > 0 && s < SIM_SHARDS_MAX; s++) {
        shard->outputs[s] = run->training ? mix(hash, s) : 1;
    }
    if (run->training) {
        shard->backwards = mix(shard->backwards, hash);
    }
}

static void update(struct shard *shard, const struct shard_view *view)
{
    const struct sched_run *run = &shard->run;

    take(shard, mix(shard->forwards, shard->backwards));
    take(shard, mix(run->task_step, run->task_steps));
    for (uint32_t l = 0; view->clip && l < view->config->layers_count; l++) {
        for (uint32_t s = 0; s < shards_of(view, l); s++) {
            take(shard, view->norms[l][s]);
        }
    }
    if (shard->rows != run->pass_rows) {
        world_fail(view->w, "an update after %llu of %u rows",
                   (unsigned long long)shard->rows, run->pass_rows);
    }
    shard->state.step++;
    shard->state.position += shard->rows;
    shard->rows = 0;
    shard->forwards = 0;
    shard->backwards = 0;
}

/* Lines are left out: weights are drawn by the unit's birth, so that a restored
 * job gives a unit the weights that it would have had, and its hash must be the
 * same. */
static void edit(struct shard *shard, const struct shard_view *view)
{
    const struct grant *g = view->grant;
    struct shard_state *s = &shard->state;

    if (g->interval < s->edited) {
        world_fail(view->w, "the edits of interval %llu are applied twice",
                   (unsigned long long)g->interval);
    }
    s->edited = g->interval + 1;
    for (uint32_t e = 0; e < g->edits_count; e++) {
        take(shard, g->edits[e].kind * 1000 + g->edits[e].layer);
        take(shard, g->edits[e].units_count);
    }
    for (uint32_t u = 0; u < g->units_count; u++) {
        uint32_t mean = 0;

        memcpy(&mean, &g->units[u].mean, sizeof(mean));
        take(shard, mix(g->units[u].id.birth, g->units[u].renewed.birth));
        take(shard, mix(g->units[u].shard, mean));
    }
    for (uint32_t i = 0; i < g->settings_count; i++) {
        uint64_t value = 0;

        memcpy(&value, &g->settings[i].value, sizeof(value));
        take(shard, mix(g->settings[i].setting, value));
    }
}

void shard_compute(struct shard *shard, const struct shard_view *view)
{
    const struct sched_run *run = &shard->run;

    switch (run->op) {
    case SCHED_FORWARD:
        forward(shard, view);
        break;
    case SCHED_BACKWARD:
        backward(shard, view);
        break;
    case SCHED_NORM:
        shard->outputs[0] = mix(shard->state.hash, shard->backwards);
        break;
    case SCHED_UPDATE:
        update(shard, view);
        break;
    case SCHED_EDIT:
        edit(shard, view);
        break;
    case SCHED_CUT:
        if (view->grant->version != 0) { /* a copy in memory changes nothing */
            shard->state.cuts =
                mix(shard->state.cuts, mix(view->grant->version, run->step));
        }
        break;
    case SCHED_COLUMNS:
        for (uint32_t s = 0; s < SIM_SHARDS_MAX; s++) {
            shard->outputs[s] = mix(shard->state.hash, 1000 + s);
        }
        break;
    case SCHED_REPORT:
        if (run->steps > 0 && !shard->output) {
            take(shard,
                 consume(view->w, shard->columns[run->pass % INBOX_CELLS],
                         shards_of(view, run->layer + 1)));
        }
        take(shard, run->interval);
        break;
    }
}

/* --- Reports --- */

static uint64_t maturity_of(const struct job_spec *spec)
{
    const struct role_spec *renew = &spec->roles[ROLE_RENEW];

    return renew->count > 0 ? (uint64_t)renew->policies[0].value[CBP_MATURITY]
                            : 1;
}

/* Into the list by utility, then birth. */
static void add_candidate(struct report *r, const struct candidate *c)
{
    uint32_t at = r->candidates_count;

    if (at == REPORT_CANDIDATES_MAX) {
        return;
    }
    while (at > 0 && r->candidates[at - 1].utility > c->utility) {
        r->candidates[at] = r->candidates[at - 1];
        at--;
    }
    r->candidates[at] = *c;
    r->candidates_count++;
}

static void fill_units(const struct shard *shard,
                       const struct shard_view *view,
                       struct report *r)
{
    const struct arch_layer *layer = &view->arch->layers[shard->layer];
    uint32_t first = arch_first_of_shard(layer, shard->index);

    r->sums.units = layer->shard_units[shard->index];
    for (uint32_t u = first; u < first + r->sums.units; u++) {
        const struct unit *unit = &layer->units[u];
        double utility = number(shard->state.hash, unit->id.birth);
        struct candidate c = {.id = unit->id, .utility = utility};

        if (unit->state != UNIT_LIVE) {
            continue;
        }
        c.age = shard->state.step - unit->born_step;
        c.mean = number(unit->id.birth, shard->state.hash);
        r->sums.live++;
        r->sums.dormant += utility < 0.03;
        r->sums.utility += utility;
        r->sums.h += c.mean;
        if (c.age > maturity_of(view->spec)) {
            r->sums.eligible++;
            add_candidate(r, &c);
        }
    }
}

void shard_report(struct shard *shard,
                  const struct shard_view *view,
                  struct report *out)
{
    const struct shard_state *s = &shard->state;

    memset(out, 0, sizeof(*out));
    out->interval = shard->run.interval;
    out->layer = shard->layer;
    out->shard = shard->index;
    out->sums.examples = shard->examples;
    fill_units(shard, view, out);
    if (view->job->overflow_step != 0 && s->step > view->job->overflow_step &&
        shard->index == 0) {
        out->not_finite = true; /* in every layer: the nearest input is told */
        out->not_finite_step = view->job->overflow_step;
    }
    if (shard->output) {
        double loss = 0.2 + 1.0 / (1.0 + (double)s->step / 8.0) +
                      0.1 * number(s->hash, 1);

        out->examples = shard->examples;
        out->correct = (uint64_t)((double)shard->examples * number(s->hash, 2));
        out->loss_sum = loss * (double)shard->examples;
        out->evaluations_count = s->evaluations_count;
        memcpy(out->evaluations, s->evaluations, sizeof(s->evaluations));
    }
    shard->examples = 0;
    shard->state.evaluations_count = 0;
    memset(shard->state.evaluations, 0, sizeof(shard->state.evaluations));
}
