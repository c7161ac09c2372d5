#include "coordinator/core/job_points.h"

#include "base/check.h"
#include "coordinator/core/job_cuts.h"

#include <string.h>

void job_drop_making(struct job *job)
{
    job->making.used = false;
    job->making.storing = false;
    job->making_cut.used = false;
}

static uint64_t gap_ms(const struct job *job)
{
    uint64_t share = job->keep_points <= KEEP_FRESH_POINTS ? KEEP_FRESH_SHARE
                                                           : KEEP_COST_SHARE;
    uint64_t gap = job->keep_cost_us * share / 1000;

    return gap > KEEP_GAP_MS ? gap : KEEP_GAP_MS;
}

bool job_point_wanted(struct job *job)
{
    if (job->kind != KIND_TRAIN || job->keepless) {
        return false;
    }
    if (job->making.used && !job->making.storing &&
        job->now_ms >= job->making.asked_ms + KEEP_PATIENCE_MS) {
        job_drop_making(job);
    }
    /* At once after a placement: what was lost with a worker may have been the
     * second copy. */
    return !job->making.used &&
           (job->keep_ms == 0 || job->now_ms >= job->keep_ms + gap_ms(job));
}

void job_open_point(struct job *job, struct grant *grant)
{
    CHECK(!job->making.used);
    CHECK(!grant->closing);
    grant->keep = true;
    job->keep_ms = job->now_ms;
    memset(&job->making, 0, sizeof(job->making));
    job->making.used = true;
    job->making.line = grant->line;
    job->making.term = job->term;
    job->making.interval = grant->interval;
    job->making.step = grant->first_step;
    job->making.asked_ms = job->now_ms;
    job_fill_cut(job, grant, &job->making_cut);
    job->making_cut.cause = CAUSE_PERIODIC;
    job->making_cut.begun.term = job->term;
}

static uint32_t count_bits(uint64_t mask)
{
    uint32_t count = 0;

    for (; mask != 0; mask &= mask - 1) {
        count++;
    }
    return count;
}

static uint64_t bit(uint32_t place)
{
    return 1ull << place;
}

/* Of the worker among the keepers, or WORKERS_MAX. */
static uint32_t place_of(const struct point *point, uint32_t worker)
{
    for (uint32_t p = 0; p < WORKERS_MAX; p++) {
        if ((point->keepers_mask & bit(p)) != 0 &&
            point->keepers[p] == worker) {
            return p;
        }
    }
    return WORKERS_MAX;
}

/* Counted where they change, since a job asks with every copy that is told. */
static void recount(struct point *point, uint32_t before, uint32_t after)
{
    for (uint32_t c = 0; c < 2; c++) {
        point->held[c] += after > c ? 1 : 0;
        point->held[c] -= before > c ? 1 : 0;
    }
}

bool job_point_has(const struct point *point, uint32_t worker)
{
    return place_of(point, worker) != WORKERS_MAX;
}

bool job_point_hold(struct point *point, uint32_t at, uint32_t worker)
{
    uint32_t place = place_of(point, worker);
    uint32_t before = count_bits(point->holders[at]);

    for (uint32_t p = 0; p < WORKERS_MAX && place == WORKERS_MAX; p++) {
        if ((point->keepers_mask & bit(p)) == 0) {
            place = p;
        }
    }
    if (place == WORKERS_MAX) {
        return false;
    }
    if ((point->keepers_mask & bit(place)) == 0) {
        point->costs_us[place] = 0;
    }
    point->keepers_mask |= bit(place);
    point->keepers[place] = worker;
    point->holders[at] |= bit(place);
    recount(point, before, count_bits(point->holders[at]));
    return true;
}

static void lose_keeper(struct point *point, uint32_t worker)
{
    uint32_t place = place_of(point, worker);

    if (place == WORKERS_MAX) {
        return;
    }
    point->keepers_mask &= ~bit(place);
    for (uint32_t s = 0; s < LAYERS_MAX * SHARDS_MAX; s++) {
        uint32_t before = count_bits(point->holders[s]);

        point->holders[s] &= ~bit(place);
        recount(point, before, count_bits(point->holders[s]));
    }
}

/* Copies are told again to a coordinator that may not have heard of them. */
static bool holds(const struct point *point, uint32_t at, uint32_t worker)
{
    uint32_t place = place_of(point, worker);

    return place != WORKERS_MAX && (point->holders[at] & bit(place)) != 0;
}

static void add_cost(struct point *point, uint32_t worker, uint64_t cost_us)
{
    uint64_t *cost = &point->costs_us[place_of(point, worker)];

    *cost += cost_us;
    if (*cost > point->cost_us) {
        point->cost_us = *cost;
    }
}

static uint32_t shards_of_layer(const struct job *job, uint32_t layer)
{
    const struct model_spec *model = &job->record.spec.model;

    return layer < model->hidden_count ? model->shards : 1;
}

/* Also of a job that has not begun in this life. */
static bool is_shard(const struct job *job, const struct wire_kept *kept)
{
    return kept->layer <= job->record.spec.model.hidden_count &&
           kept->shard < shards_of_layer(job, kept->layer);
}

static bool is_of(const struct point *point, const struct wire_kept *kept)
{
    return point->used && point->line == kept->line &&
           point->term == kept->term && point->interval == kept->interval;
}

enum status job_take_kept(struct job *job,
                          uint32_t worker,
                          const struct wire_kept *kept)
{
    struct point *point = &job->making;
    uint32_t at;
    bool known;

    CHECK(worker < MEMBERS_MAX);
    if (!is_shard(job, kept)) {
        return STATUS_INVALID;
    }
    if (!is_of(point, kept)) {
        point = &job->point;
    }
    if (!is_of(point, kept)) {
        return STATUS_STALE;
    }
    at = kept->layer * job->record.spec.model.shards + kept->shard;
    known = holds(point, at, worker);
    if (!job_point_hold(point, at, worker)) {
        return STATUS_STALE;
    }
    if (!known) {
        add_cost(point, worker, kept->cost_us);
    }
    if (point->kept_ms == 0 && point == &job->making) {
        point->kept_ms = job->now_ms;
    }
    return STATUS_OK;
}

bool job_point_held(const struct job *job,
                    const struct point *point,
                    uint32_t copies)
{
    CHECK(copies == 1 || copies == 2);
    return point->held[copies - 1] == job_shards_total(job);
}

/* One on a buddy too, but not where the job stands still until it moves. */
static uint32_t copies_needed(const struct job *job)
{
    bool waits = job->moving && job->making.interval == job->move_interval;

    return job->peers_count > 1 && !waits ? 2 : 1;
}

bool job_point_ready(const struct job *job)
{
    const struct cut *state = &job->making_cut;

    if (!job->making.used || job->making.storing || !state->next_decided) {
        return false;
    }
    if (state->has_pending &&
        job->gated[state->pending.interval % GRANTS_MAX]) {
        return false; /* its setting may yet be refused */
    }
    for (uint32_t c = 0; c < CUTS_MAX; c++) {
        if (job->cuts[c].used && job->cuts[c].interval <= state->interval) {
            return false;
        }
    }
    return job_point_held(job, &job->making, copies_needed(job));
}

void job_take_point(struct job *job)
{
    CHECK(job->making.used);
    job->point = job->making;
    job->point.storing = false;
    job->keep_cost_us = job->point.cost_us;
    job->keep_points++;
    job_drop_making(job);
}

void job_supersede_points(struct job *job, uint64_t interval)
{
    if (job->point.used && job->point.interval < interval) {
        job->point.used = false;
    }
    if (job->making.used && job->making.interval < interval) {
        job_drop_making(job);
    }
}

void job_lose_copies(struct job *job, uint32_t worker)
{
    lose_keeper(&job->point, worker);
    lose_keeper(&job->making, worker);
    worker_set_drop(&job->told, worker);
}

bool job_point_serves(const struct job *job)
{
    return job->point.used && job->point.line == job->record.line &&
           job->point.tries < POINT_TRIES_MAX &&
           job_point_held(job, &job->point, 1);
}

/* index: of a keeper's place among the holders. */
static void list_holders(struct job *job,
                         const struct members *members,
                         uint32_t index[WORKERS_MAX])
{
    const struct point *point = &job->point;

    job->holders_count = 0;
    for (uint32_t p = 0; p < WORKERS_MAX; p++) {
        struct wire_peer *peer = &job->holders[job->holders_count];
        const struct wire_hello *hello;

        if ((point->keepers_mask & bit(p)) == 0) {
            continue;
        }
        CHECK(members->items[point->keepers[p]].present);
        hello = &members->items[point->keepers[p]].hello;
        index[p] = job->holders_count++;
        peer->worker = point->keepers[p];
        peer->key = hello->key;
        peer->curve = hello->curve;
        memcpy(peer->endpoint, hello->endpoint, sizeof(peer->endpoint));
        memcpy(peer->vault_endpoint, hello->vault_endpoint,
               sizeof(peer->vault_endpoint));
    }
}

/* The turn-th place of a mask, counted round. */
static uint32_t pick(uint64_t mask, uint32_t turn)
{
    CHECK(mask != 0);
    turn %= count_bits(mask);
    for (uint32_t p = 0; p < WORKERS_MAX; p++) {
        if ((mask & bit(p)) != 0 && turn-- == 0) {
            return p;
        }
    }
    return 0;
}

void job_choose_sources(struct job *job, const struct members *members)
{
    uint32_t index[WORKERS_MAX] = {0};

    CHECK(job_point_serves(job));
    list_holders(job, members, index);
    for (uint32_t s = 0; s < job->owners_count; s++) {
        uint64_t mask = job->point.holders[s];
        uint32_t own = place_of(&job->point, job->owners[s]);
        bool has_own = own != WORKERS_MAX && (mask & bit(own)) != 0;

        job->sources[s] = index[has_own ? own : pick(mask, s)];
    }
}

bool job_draws_on(const struct job *job, uint32_t worker)
{
    if (job->phase != PHASE_PLACING || !job->from_point) {
        return false;
    }
    for (uint32_t h = 0; h < job->holders_count; h++) {
        if (job->holders[h].worker == worker) {
            return true;
        }
    }
    return false;
}
