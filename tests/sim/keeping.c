/* keeping.c - the invariants of what workers keep in memory: copies, points,
 * and moves, which go by them. */
#include "tests/sim/host.h"
#include "tests/sim/person.h"
#include "tests/sim/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- Copies --- */

/* Cuts are left out: a version that somebody asks for is not made again. */
static uint64_t name_of(const struct shard_state *s)
{
    uint64_t name = mix(mix(s->hash, s->step), mix(s->position, s->task));

    return mix(name, mix(s->edited, s->evaluations_count));
}

static uint64_t *place(struct job_watch *watch,
                       uint32_t line,
                       uint64_t interval,
                       const struct shard *shard)
{
    return line < SIM_LINES_MAX && interval < INTERVALS_MAX
               ? &watch->kept[line][interval][shard->layer][shard->index]
               : NULL;
}

static struct job_watch *watch_of(const struct world *w,
                                  const struct session *session)
{
    return &w->watcher->jobs[scenario_job(session->assign.spec)];
}

void invariants_kept(struct world *w,
                     const struct session *session,
                     const struct holding_key *key,
                     const struct shard_state *state)
{
    struct job_watch *watch = watch_of(w, session);
    const struct shard shard = {.layer = key->layer, .index = key->shard};
    uint64_t *kept = place(watch, key->line, key->interval, &shard);

    if (kept == NULL || session->assign.term != watch->term) {
        return; /* of a course that is given up */
    }
    if (*kept != 0 && *kept != name_of(state)) {
        world_fail(w, "shard %u of layer %u is another one at boundary %llu",
                   key->shard, key->layer, (unsigned long long)key->interval);
    }
    *kept = name_of(state);
}

void invariants_restored(struct world *w,
                         const struct session *session,
                         const struct shard *shard)
{
    struct job_watch *watch = watch_of(w, session);
    const uint64_t *kept = place(watch, session->assign.point_line,
                                 session->assign.point_interval, shard);

    w->watcher->tally.copies++;
    if (kept != NULL && session->assign.term == watch->term &&
        *kept != name_of(&shard->state)) {
        world_fail(w,
                   "shard %u of layer %u is restored on w%u from a copy that "
                   "is %s what it was at boundary %llu",
                   shard->index, shard->layer, session->host,
                   *kept != 0 ? "not" : "of another term than",
                   (unsigned long long)session->assign.point_interval);
    }
}

void keeping_begin_anew(struct job_watch *watch, const struct grant *g)
{
    for (uint64_t i = g->interval; i < INTERVALS_MAX; i++) {
        memset(watch->kept[g->line][i], 0, sizeof(watch->kept[g->line][i]));
        watch->points[g->line][i] = false;
    }
}

bool invariants_has_reported(const struct world *w,
                             const struct session *session,
                             uint64_t interval)
{
    const struct job_watch *watch = watch_of(w, session);
    const struct ledger *d = disk_ledger(w, scenario_job(session->assign.spec));
    uint32_t line = session->assign.arch->line;

    if (line >= SIM_LINES_MAX || interval >= INTERVALS_MAX ||
        watch->stats[line][interval] == 0) {
        return false;
    }
    for (uint32_t j = 0; j < d->journal_count; j++) {
        if (d->journal[j].line == line &&
            d->journal[j].interval == interval + 2) {
            return true;
        }
    }
    return false;
}

/* --- Points --- */

void invariants_point(struct world *w,
                      uint32_t which,
                      const struct version *point)
{
    struct job_watch *watch = &w->watcher->jobs[which];

    w->watcher->tally.points++;
    world_say(w, "point of boundary %llu, step %llu, is durable",
              (unsigned long long)point->interval,
              (unsigned long long)point->step);
    if (point->line < SIM_LINES_MAX && point->interval < INTERVALS_MAX) {
        watch->points[point->line][point->interval] = true;
    }
}

static bool was_durable(const struct job_watch *watch,
                        uint32_t line,
                        uint64_t interval)
{
    return line >= SIM_LINES_MAX || interval >= INTERVALS_MAX ||
           watch->points[line][interval];
}

static bool in_journal(const struct ledger *d, uint32_t line, uint64_t interval)
{
    for (uint32_t j = 0; j < d->journal_count; j++) {
        if (d->journal[j].line == line && d->journal[j].interval == interval) {
            return true;
        }
    }
    return false;
}

/* A version carries its own grant and the next. */
static bool in_version(const struct ledger *d, uint32_t line, uint64_t interval)
{
    for (uint32_t v = 0; v < VERSIONS_MAX; v++) {
        const struct version *version = d->versions[v];

        if (version != NULL && version->line == line &&
            (version->interval == interval ||
             version->interval + 1 == interval)) {
            return true;
        }
    }
    return false;
}

static bool grant_durable(const struct ledger *d, const struct grant *g)
{
    if (g == NULL) {
        return true;
    }
    if (g->settings_count > 0 && !watch_settings_durable(d, g)) {
        return false;
    }
    return d->journal_lost || g->interval < 2 ||
           in_journal(d, g->line, g->interval) ||
           in_version(d, g->line, g->interval);
}

static void check_point(struct world *w,
                        uint32_t which,
                        const struct wire_assign *a)
{
    const struct ledger *d = disk_ledger(w, which);
    const struct version *p = d->point;

    if (!was_durable(&w->watcher->jobs[which], a->point_line,
                     a->point_interval)) {
        world_fail(w, "boundary %llu is begun from, and is no durable point",
                   (unsigned long long)a->point_interval);
    }
    if (p == NULL || p->line != a->point_line ||
        p->interval != a->point_interval) {
        return; /* it has been replaced meanwhile */
    }
    if (p->step != a->step) {
        world_fail(w, "the point is of step %llu, what is assigned of %llu",
                   (unsigned long long)p->step, (unsigned long long)a->step);
    }
    if (!grant_durable(d, p->begun) || !grant_durable(d, p->pending)) {
        world_fail(w, "the journal up to the point is not durable");
    }
}

void invariants_loaded(struct world *w, uint32_t which)
{
    w->watcher->jobs[which].loads++;
}

/* Steps that the record counts as replayed are no more than those behind the
 * state begun from, where nothing else was begun from meanwhile. */
static void check_replay(struct world *w,
                         uint32_t which,
                         const struct wire_assign *a)
{
    struct job_watch *watch = &w->watcher->jobs[which];
    const struct job *job = center_job(w, which);
    uint64_t replayed = job != NULL ? job->record.replayed_steps : 0;
    uint64_t most = watch->reached > a->step ? watch->reached - a->step : 0;

    if (watch->life == disk_look(w)->life && watch->loads == 1 &&
        replayed > watch->replayed && replayed - watch->replayed > most) {
        world_fail(w, "%llu steps are replayed, from step %llu to %llu",
                   (unsigned long long)(replayed - watch->replayed),
                   (unsigned long long)a->step,
                   (unsigned long long)watch->reached);
    }
    watch->life = disk_look(w)->life;
    watch->loads = 0;
    watch->replayed = replayed;
}

/* --- Workers --- */

static void check_hosts(struct world *w,
                        struct job_watch *watch,
                        const struct wire_assign *a)
{
    uint64_t placed = 0;

    for (uint32_t p = 0; p < a->peers_count; p++) {
        uint32_t host = 0;
        uint64_t birth = 0;

        session_peer(&a->peers[p], &host, &birth);
        placed |= 1ull << host;
        if (person_has_cordoned(w, host) && (watch->placed >> host & 1) == 0) {
            world_fail(w, "w%u is cordoned, and gets a job", host);
        }
    }
    watch->placed = placed;
}

void invariants_cordoned(struct world *w, uint32_t host)
{
    for (uint32_t j = 0; j < w->scenario->jobs_count; j++) {
        const struct job *job = center_job(w, j);

        if (job != NULL && worker_set_has(&job->placed, host)) {
            w->watcher->jobs[j].placed |= 1ull << host;
        }
    }
}

void keeping_check_assign(struct world *w,
                          uint32_t which,
                          const struct wire_assign *a)
{
    struct job_watch *watch = &w->watcher->jobs[which];

    if (a->from_point) {
        check_point(w, which, a);
    }
    check_replay(w, which, a);
    check_hosts(w, watch, a);
    watch->from_point = a->from_point;
    watch->point_interval = a->point_interval;
    watch->point_step = a->step;
}

void keeping_check_grant(struct world *w,
                         struct job_watch *watch,
                         uint32_t host,
                         const struct grant *g)
{
    bool first = watch->sent_term[host] != g->term;

    if (g->kept != 0 && !was_durable(watch, g->line, g->kept - 1)) {
        world_fail(w,
                   "older copies may go for boundary %llu, which is no "
                   "durable point",
                   (unsigned long long)(g->kept - 1));
    }
    if (first && watch->from_point && g->term == watch->term &&
        (g->interval != watch->point_interval ||
         g->first_step != watch->point_step || !g->resumed)) {
        world_fail(w, "interval %llu is granted first, behind a point of %llu",
                   (unsigned long long)g->interval,
                   (unsigned long long)watch->point_interval);
    }
}

/* --- Moves --- */

static uint64_t step_in(const char *text)
{
    const char *at = strstr(text, "at step ");

    return at != NULL ? strtoull(at + strlen("at step "), NULL, 10) : 0;
}

static void check_move(struct world *w,
                       struct job_watch *watch,
                       const struct job *job,
                       const char *text)
{
    if (strncmp(text, "moves", 5) == 0) {
        watch->moving = true;
        watch->moved_step = step_in(text);
        watch->moved_replayed = job->record.replayed_steps;
        watch->left[job->term % TERMS_KEPT] =
            (struct left){job->term, job->move_interval};
    } else if (strncmp(text, "goes on", 7) == 0 && watch->moving) {
        watch->moving = false;
        w->watcher->tally.moves++;
        if (step_in(text) != watch->moved_step ||
            job->record.replayed_steps != watch->moved_replayed) {
            world_fail(w, "a move from step %llu goes on at step %llu",
                       (unsigned long long)watch->moved_step,
                       (unsigned long long)step_in(text));
        }
    }
}

/* The same number in every life and replay: it is a matter of the bits. */
static void check_overflow(struct world *w,
                           struct job_watch *watch,
                           const char *text)
{
    if (watch->overflow[0] != '\0' && strcmp(watch->overflow, text) != 0) {
        world_fail(w, "said \"%s\", and before \"%s\"", text, watch->overflow);
    }
    (void)snprintf(watch->overflow, sizeof(watch->overflow), "%s", text);
}

void keeping_check_event(struct world *w,
                         uint32_t which,
                         const struct action *action)
{
    struct job_watch *watch = &w->watcher->jobs[which];
    const struct job *job = &w->center->core->jobs[action->slot];
    const char *text = action->event.text;

    if (strcmp(action->event.kind, "worker") == 0) {
        check_move(w, watch, job, text);
    }
    if (strcmp(action->event.kind, "fault") != 0) {
        return;
    }
    if (strstr(text, "bits differ") != NULL) {
        world_fail(w, "%s", text);
    }
    if (strstr(text, "stopped being finite") != NULL) {
        check_overflow(w, watch, text);
    }
}
