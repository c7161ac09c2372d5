#include "tests/sim/invariants.h"

#include "base/mem.h"
#include "coordinator/core/job_cuts.h"
#include "tests/sim/host.h"
#include "tests/sim/person.h"
#include "tests/sim/watch.h"

#include <string.h>

void invariants_open(struct world *w)
{
    w->watcher = world_memory(sizeof(*w->watcher));
}

void invariants_close(struct world *w)
{
    mem_free(w->watcher);
}

const struct figures *invariants_figures(const struct world *w, uint32_t which)
{
    return &w->watcher->jobs[which].figures;
}

const char *invariants_overflow(const struct world *w, uint32_t which)
{
    return w->watcher->jobs[which].overflow;
}

const struct tally *invariants_tally(const struct world *w)
{
    return &w->watcher->tally;
}

struct job_watch *watch_find(struct world *w, uint64_t job)
{
    const struct ledger *ledger = disk_find(w, job);

    return ledger != NULL
               ? &w->watcher->jobs[scenario_job(&ledger->record.spec)]
               : NULL;
}

static uint64_t mix_bytes(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;

    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
    }
    return hash;
}

static uint64_t digest_units(const struct grant *g, uint64_t hash)
{
    for (uint32_t e = 0; e < g->edits_count; e++) {
        hash = mix(hash, g->edits[e].kind * 1000 + g->edits[e].layer);
        hash = mix(hash, g->edits[e].policy * 1000 + g->edits[e].units_count);
    }
    for (uint32_t u = 0; u < g->units_count; u++) {
        hash = mix(hash, g->units[u].id.birth);
        hash = mix(hash, g->units[u].renewed.birth);
        hash = mix(hash, g->units[u].shard);
        hash = mix_bytes(hash, &g->units[u].mean, sizeof(float));
    }
    return hash;
}

uint64_t invariants_digest(const struct grant *g)
{
    uint64_t hash = mix(g->interval, g->first_step);

    hash = mix(mix(hash, g->steps), g->task);
    hash = mix(mix(hash, g->position), g->task_examples);
    hash = mix(mix(hash, g->evaluate_first), g->evaluate_count);
    hash = mix(hash, (uint64_t)g->guard * 2 + g->closing);
    for (uint32_t s = 0; s < g->settings_count; s++) {
        hash = mix(hash, g->settings[s].setting);
        hash = mix_bytes(hash, &g->settings[s].value, sizeof(double));
    }
    return digest_units(g, hash);
}

/* The table's place for an interval of a line; NULL: beyond the table. */
static uint64_t *place(uint64_t table[SIM_LINES_MAX][INTERVALS_MAX],
                       uint32_t line,
                       uint64_t interval)
{
    return line < SIM_LINES_MAX && interval < INTERVALS_MAX
               ? &table[line][interval]
               : NULL;
}

/* --- 2. Durable before told --- */

/* Field by field: there is padding between. */
static bool same_settings(const struct grant *g,
                          const struct grant_setting *settings,
                          uint32_t count)
{
    for (uint32_t s = 0; s < g->settings_count && s < count; s++) {
        if (g->settings[s].setting != settings[s].setting ||
            memcmp(&g->settings[s].value, &settings[s].value, sizeof(double)) !=
                0) {
            return false;
        }
    }
    return g->settings_count == count;
}

static bool holds_settings(const struct grant *held, const struct grant *g)
{
    return held != NULL && held->interval == g->interval &&
           same_settings(g, held->settings, held->settings_count);
}

/* Are these settings of an interval in the journal, or in a version? */
bool watch_settings_durable(const struct ledger *d, const struct grant *g)
{
    for (uint32_t j = 0; j < d->journal_count; j++) {
        const struct journal_entry *e = &d->journal[j];

        if (e->line == g->line && e->interval == g->interval &&
            same_settings(g, e->settings, e->settings_count)) {
            return true;
        }
    }
    for (uint32_t v = 0; v < VERSIONS_MAX; v++) {
        const struct version *version = d->versions[v];

        if (version != NULL && (holds_settings(version->begun, g) ||
                                holds_settings(version->pending, g))) {
            return true;
        }
    }
    return false;
}

static bool is_durable(const struct ledger *d, uint64_t version)
{
    return version < VERSIONS_MAX && d->versions[version] != NULL;
}

/* Is any record with a setting of the job durable, that this reply may be
 * about? */
static bool a_setting_is_durable(const struct world *w,
                                 const struct asked *asked)
{
    const struct ledger *d = disk_ledger(w, asked->which);

    for (uint32_t j = 0; j < d->journal_count; j++) {
        for (uint32_t s = 0; s < d->journal[j].settings_count; s++) {
            const struct grant_setting *setting = &d->journal[j].settings[s];

            if (setting->setting == asked->request.setting &&
                memcmp(&setting->value, &asked->request.value,
                       sizeof(double)) == 0) {
                return true;
            }
        }
    }
    return false;
}

static void check_drained(struct world *w, uint32_t worker, const char *text)
{
    const struct coord *core = w->center->core;

    if (strstr(text, "still hosts") != NULL) {
        return; /* asked for too long */
    }
    w->watcher->tally.drains++;
    for (uint32_t s = 0; s < JOBS_MAX; s++) {
        if (core->jobs[s].phase != PHASE_FREE &&
            worker_set_has(&core->jobs[s].placed, worker)) {
            world_fail(w, "w%u is said to be drained, and hosts a job", worker);
        }
    }
}

void invariants_reply(struct world *w, const struct action *action)
{
    const struct asked *asked = person_asked(w, action->reply.request);
    const struct ledger *d;
    const bool *states;
    bool fine = true;

    if (asked == NULL || action->reply.status != STATUS_OK) {
        return;
    }
    d = disk_ledger(w, asked->which);
    states = w->watcher->jobs[asked->which].states;
    switch (asked->request.kind) {
    case REQUEST_LAUNCH:
        fine = d->has_record;
        break;
    case REQUEST_PAUSE:
        fine = states[JOB_PAUSED];
        break;
    case REQUEST_CANCEL:
        fine = states[JOB_CANCELLED];
        break;
    case REQUEST_SET:
        fine = a_setting_is_durable(w, asked);
        break;
    case REQUEST_RESTORE:
        fine = is_durable(d, action->reply.version) &&
               d->record.head == action->reply.version;
        break;
    case REQUEST_RESUME:
    case REQUEST_EVALUATE:
    case REQUEST_PROBE:
    case REQUEST_SHUTDOWN:
    case REQUEST_CORDON:
    case REQUEST_UNCORDON:
        break;
    case REQUEST_DRAIN:
        check_drained(w, asked->request.worker, action->reply.text);
        break;
    }
    if (!fine) {
        world_fail(w, "replied \"%s\" before it is durable",
                   action->reply.text);
    }
}

void invariants_event(struct world *w, const struct action *action)
{
    const struct job *job = &w->center->core->jobs[action->slot];
    uint32_t which = scenario_job(&job->record.spec);
    const struct ledger *d = disk_ledger(w, which);
    struct job_watch *watch = &w->watcher->jobs[which];
    static const struct {
        const char *text;
        enum job_state state;
    } rests[] = {{"paused", JOB_PAUSED},
                 {"finished", JOB_FINISHED},
                 {"failed", JOB_FAILED},
                 {"cancelled", JOB_CANCELLED}};

    if ((strcmp(action->event.kind, "version") == 0 ||
         strcmp(action->event.kind, "restore") == 0) &&
        !is_durable(d, action->event.version)) {
        world_fail(w, "v%llu is told before it is durable",
                   (unsigned long long)action->event.version);
    }
    keeping_check_event(w, which, action);
    if (strcmp(action->event.kind, "state") != 0) {
        return;
    }
    if (!d->has_record) {
        world_fail(w, "a state is told of a job that is not durable");
    }
    for (uint32_t r = 0; r < sizeof(rests) / sizeof(rests[0]); r++) {
        if (strncmp(action->event.text, rests[r].text, strlen(rests[r].text)) ==
                0 &&
            !watch->states[rests[r].state]) {
            world_fail(w, "told \"%s\", which has never been durable",
                       action->event.text);
        }
    }
}

/* --- 3. The same again --- */

static void same(struct world *w,
                 uint64_t *kept,
                 uint64_t digest,
                 const char *what,
                 uint32_t line,
                 uint64_t interval)
{
    if (kept == NULL) {
        return;
    }
    if (*kept != 0 && *kept != digest) {
        world_fail(w, "%s of interval %llu on line %u differs from before",
                   what, (unsigned long long)interval, line);
    }
    *kept = digest;
}

void invariants_stat(struct world *w,
                     uint32_t which,
                     const struct interval_stat *stat)
{
    struct job_watch *watch = &w->watcher->jobs[which];
    uint64_t hash = mix(mix(stat->step, stat->task), stat->examples);

    hash = mix(mix(hash, stat->correct), mix(stat->live, stat->dormant));
    hash = mix_bytes(hash, &stat->loss_sum, sizeof(double));
    for (uint32_t e = 0; e < stat->evaluations_count; e++) {
        hash = mix(hash,
                   stat->evaluations[e].set * 100 + stat->evaluations[e].task);
        hash = mix_bytes(hash, &stat->evaluations[e].loss_sum, sizeof(double));
    }
    world_say(
        w,
        "interval %llu: step %llu, task %u, %llu correct of %llu, %llu "
        "dormant of %llu, %u evaluations",
        (unsigned long long)stat->interval, (unsigned long long)stat->step,
        stat->task, (unsigned long long)stat->correct,
        (unsigned long long)stat->examples, (unsigned long long)stat->dormant,
        (unsigned long long)stat->live, stat->evaluations_count);
    same(w, place(watch->stats, stat->line, stat->interval), hash, "the report",
         stat->line, stat->interval);
    if (stat->interval < INTERVALS_MAX) {
        watch->figures.by_interval[stat->interval] = hash;
    }
    if (watch->reached < stat->step) {
        watch->reached = stat->step;
    }
}

/* A line's journal has no gap: what is missing would be decided again behind
 * what is there, by a replay that takes it for durable. */
static void check_order(struct world *w,
                        const struct ledger *d,
                        const struct journal_entry *entry)
{
    uint64_t last = 0;

    for (uint32_t j = 0; j < d->journal_count; j++) {
        const struct journal_entry *e = &d->journal[j];

        if (e->line == entry->line && e->interval > last) {
            last = e->interval;
        }
    }
    if (last != 0 && entry->interval != last + 1) {
        world_fail(w, "the journal has interval %llu of line %u behind %llu",
                   (unsigned long long)entry->interval, entry->line,
                   (unsigned long long)last);
    }
}

void invariants_journal(struct world *w,
                        const struct ledger *d,
                        uint32_t which,
                        const struct journal_entry *entry)
{
    check_order(w, d, entry);
    same(w,
         place(w->watcher->jobs[which].journaled, entry->line, entry->interval),
         entry->digest, "the journal", entry->line, entry->interval);
}

/* --- 4. Versions --- */

void invariants_version_again(struct world *w,
                              const struct version *kept,
                              const struct version *again)
{
    bool equal = kept->interval == again->interval &&
                 kept->line == again->line && kept->step == again->step &&
                 kept->shards_count == again->shards_count;

    for (uint32_t s = 0; equal && s < kept->shards_count; s++) {
        equal = memcmp(kept->shards[s].tensors[0].chunks,
                       again->shards[s].tensors[0].chunks,
                       sizeof(struct hash)) == 0;
    }
    world_fail(w, "v%llu is stored twice, with %s content",
               (unsigned long long)kept->number,
               equal ? "the same" : "another");
}

void invariants_record(struct world *w,
                       uint32_t which,
                       const struct job_record *record)
{
    struct job_watch *watcher = &w->watcher->jobs[which];

    if (record->head < watcher->head) {
        world_fail(w, "the durable head goes back from v%llu to v%llu",
                   (unsigned long long)watcher->head,
                   (unsigned long long)record->head);
    }
    watcher->head = record->head;
    watcher->states[record->state] = true;
}

/* --- 1, 5, 6. Placement and grants --- */

static struct owners *owners_of(struct job_watch *watch, uint64_t term)
{
    struct owners *owners = &watch->owners[term % TERMS_KEPT];

    if (owners->term < term) {
        *owners = (struct owners){.term = term};
    }
    return owners->term == term ? owners : NULL;
}

static void check_assign(struct world *w, const struct wire_assign *a)
{
    uint32_t which = scenario_job(a->spec);
    struct job_watch *watch = &w->watcher->jobs[which];
    struct owners *owners = owners_of(watch, a->term);
    uint64_t digest = mix(a->step, a->peers_count);

    for (uint32_t o = 0; o < a->owners_count; o++) {
        digest = mix(digest, a->owners[o]);
    }
    for (uint32_t p = 0; p < a->peers_count; p++) {
        digest = mix_bytes(digest, a->peers[p].endpoint,
                           strlen(a->peers[p].endpoint));
    }
    digest = mix(digest, mix(a->from_point, a->point_interval));
    if (a->term < watch->term) {
        world_fail(w, "term %llu is assigned after term %llu",
                   (unsigned long long)a->term,
                   (unsigned long long)watch->term);
    }
    if (a->term > watch->term) {
        keeping_check_assign(w, which, a);
    }
    watch->term = a->term;
    if (owners != NULL && owners->assignment != 0 &&
        owners->assignment != digest) {
        world_fail(w, "two assignments of term %llu differ",
                   (unsigned long long)a->term);
    }
    if (owners != NULL) {
        owners->assignment = digest;
    }
}

/* What was granted without being journaled, and was lost, may be granted with
 * a setting the next time: it and all behind it is another future then. */
static void begin_anew(struct job_watch *watcher, const struct grant *g)
{
    const uint64_t *sent = place(watcher->sent, g->line, g->interval);

    if (sent == NULL || *sent == 0 || *sent == invariants_digest(g)) {
        return;
    }
    for (uint64_t i = g->interval; i < INTERVALS_MAX; i++) {
        watcher->sent[g->line][i] = 0;
        watcher->stats[g->line][i] = 0;
    }
    keeping_begin_anew(watcher, g);
}

static void check_grant(struct world *w,
                        uint64_t job,
                        uint32_t host,
                        const struct grant *g)
{
    struct job_watch *watcher = watch_find(w, job);

    if (watcher == NULL) {
        world_fail(w, "a grant of a job that is not durable");
        return;
    }
    keeping_check_grant(w, watcher, host, g);

    if (watcher->sent_term[host] == g->term &&
        g->interval != watcher->sent_interval[host] + 1) {
        world_fail(w, "interval %llu is granted to w%u behind %llu",
                   (unsigned long long)g->interval, host,
                   (unsigned long long)watcher->sent_interval[host]);
    }
    if (g->term < watcher->sent_term[host]) {
        world_fail(w, "a grant of an older term to w%u", host);
    }
    watcher->sent_term[host] = g->term;
    watcher->sent_interval[host] = g->interval;
    if (g->settings_count > 0 && !g->resumed) {
        begin_anew(watcher, g);
    }
    same(w, place(watcher->sent, g->line, g->interval), invariants_digest(g),
         "the grant", g->line, g->interval);
    if (g->settings_count > 0 &&
        !watch_settings_durable(disk_find(w, job), g)) {
        world_fail(w,
                   "interval %llu is granted with a setting that is not "
                   "durable",
                   (unsigned long long)g->interval);
    }
}

static bool is_training(uint64_t job)
{
    return job >> SESSION_JOB_SHIFT == 0;
}

void invariants_send(struct world *w,
                     uint32_t number,
                     const struct center_peer *peer,
                     const struct wire *message)
{
    if (number == 0 || number > w->center->last_peer) {
        world_fail(w, "a %s is sent to peer %u, which was never there",
                   wire_kind_name(message->kind), number);
        return;
    }
    if (peer == NULL) {
        return;
    }
    if (message->kind == WIRE_ASSIGN && is_training(message->assign.job)) {
        check_assign(w, &message->assign);
    }
    if (message->kind == WIRE_GRANT && is_training(message->grant.job)) {
        check_grant(w, message->grant.job, peer->host, message->grant.grant);
    }
}

/* What has been moved has stopped at the boundary, for good. */
static void check_left(struct world *w,
                       const struct job_watch *watch,
                       const struct session *session,
                       const struct sched_run *run)
{
    const struct left *left = &watch->left[session->assign.term % TERMS_KEPT];

    if (left->term == session->assign.term && run->training &&
        run->interval >= left->interval) {
        world_fail(w, "a shard on w%u lives on in term %llu, which was left",
                   session->host, (unsigned long long)left->term);
    }
}

void invariants_run(struct world *w,
                    const struct session *session,
                    const struct sched_run *run)
{
    struct job_watch *watch =
        &w->watcher->jobs[scenario_job(session->assign.spec)];
    struct owners *owners = owners_of(watch, session->assign.term);
    uint64_t name =
        mix(session->host + 1, w->processes[1 + session->host].birth);
    uint64_t *by;

    if (is_training(session->assign.job)) {
        check_left(w, watch, session, run);
    }
    if (owners == NULL) {
        return; /* long past: what it computes is for nobody */
    }
    by = &owners->by[run->layer][run->shard];
    if (*by != 0 && *by != name) {
        world_fail(w, "shard %u of layer %u has two owners in term %llu",
                   run->shard, run->layer,
                   (unsigned long long)session->assign.term);
    }
    *by = name;
}

/* --- 8. The core --- */

static void check_job(struct world *w, const struct job *job)
{
    const struct job_record *r = &job->record;
    const struct members *members = &w->center->core->members;

    if (job->phase == PHASE_RUNNING &&
        !(job->first <= job->reported && job->reported <= job->sent &&
          job->sent <= job->decided && job->decided <= job->reported + 2)) {
        world_fail(w, "reported %llu, sent %llu, decided %llu",
                   (unsigned long long)job->reported,
                   (unsigned long long)job->sent,
                   (unsigned long long)job->decided);
    }
    if (job->kind == KIND_TRAIN && r->head != 0 &&
        !is_durable(disk_ledger(w, scenario_job(&r->spec)), r->head)) {
        world_fail(w, "the head v%llu is not durable",
                   (unsigned long long)r->head);
    }
    if (job->kind == KIND_TRAIN && r->head > r->last_version) {
        world_fail(w, "the head is beyond the newest version");
    }
    for (uint32_t i = worker_set_next(&job->placed, 0); i != NO_WORKER;
         i = worker_set_next(&job->placed, i + 1)) {
        if (!members->items[i].present) {
            world_fail(w, "the job is placed on w%u, which is gone", i);
        }
    }
}

void invariants_check(struct world *w)
{
    const struct coord *core = w->center->core;

    if (core == NULL) {
        return;
    }
    for (uint32_t s = 0; s < JOBS_MAX; s++) {
        if (core->jobs[s].phase != PHASE_FREE) {
            check_job(w, &core->jobs[s]);
        }
    }
}
