#include "tests/unit/coordinator/core/fakeinside.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "coordinator/core/state.h"

#include <string.h>

static void *fake_copy(const void *from, size_t size)
{
    void *to = mem_new(size);

    assert_non_null(to);
    memcpy(to, from, size);
    return to;
}

void fake_free_version(struct version *v)
{
    if (v == NULL) {
        return;
    }
    mem_free(v->spec);
    mem_free(v->arch);
    mem_free(v->begun);
    mem_free(v->pending);
    mem_free(v->policy);
    mem_free(v->shards);
    mem_free(v);
}

static struct arch *fake_copy_arch(const struct arch *from,
                                   const struct job_spec *spec)
{
    struct arch *to = mem_new(sizeof(*to) + arch_memory_bytes(spec, 10));

    assert_non_null(to);
    arch_lay_out(to, spec, 10, to + 1);
    arch_copy(to, from);
    return to;
}

struct version *fake_version(struct fakeworld *w,
                             const struct job *job,
                             const struct cut *cut)
{
    struct version *v = mem_new(sizeof(*v));
    struct writer writer;

    (void)w;
    assert_non_null(v);
    v->job = job->record.job;
    v->number = cut->version;
    v->line = job->record.line;
    v->interval = cut->interval;
    v->step = cut->step;
    v->task = cut->task;
    v->position = cut->position;
    v->cause = cut->cause;
    v->spec = fake_copy(&cut->spec, sizeof(cut->spec));
    v->arch = fake_copy_arch(&cut->arch, &cut->spec);
    v->begun = fake_copy(&cut->begun, sizeof(cut->begun));
    if (cut->has_pending) {
        v->pending = fake_copy(&cut->pending, sizeof(cut->pending));
    }
    v->policy = mem_new(POLICY_STATE_BYTES_MAX);
    assert_non_null(v->policy);
    writer_init(&writer, v->policy, POLICY_STATE_BYTES_MAX);
    state_encode(&cut->state, &writer);
    assert_false(writer.failed);
    v->policy_bytes = (uint32_t)writer.at;
    v->shards_count = job_shards_total(job);
    v->shards = mem_array(v->shards_count, sizeof(v->shards[0]));
    assert_non_null(v->shards);
    return v;
}

void fake_keep(struct fakeworld *w, struct version *v)
{
    assert_true(v->number < FAKE_VERSIONS_MAX);
    assert_null(w->versions[v->number]);
    w->versions[v->number] = v;
    w->versions_count++;
}

struct fake_event *fake_stored(struct fakeworld *w, uint64_t token)
{
    struct fake_event *e = fake_queue(w);

    e->event.type = COORD_STORED;
    e->event.stored.token = token;
    return e;
}

void fake_point(struct fakeworld *w, const struct action *action)
{
    const struct job *job = &w->coord->jobs[action->slot];
    struct version *v = NULL;

    if (action->point.none) {
        w->no_point = true;
        w->points_dropped++;
        return;
    }
    if (w->fail_points) {
        fake_stored(w, action->token)->event.stored.status = STATUS_FULL;
        return;
    }
    assert_true(w->points_count < FAKE_POINTS_MAX);
    v = fake_version(w, job, &job->making_cut);
    v->number = job->record.head;
    v->shards_count = 0;
    w->points[w->points_count++] = v;
    w->no_point = false;
    if (!w->hold_points) {
        fake_stored(w, action->token);
    }
}

/* As coordinator/shell/persistence/loader.c. */
static const struct version *fake_stored_point(const struct fakeworld *w,
                                               uint64_t head)
{
    if (w->no_point || w->points_count == 0 ||
        w->points[w->points_count - 1]->number != head) {
        return NULL;
    }
    return w->points[w->points_count - 1];
}

void fake_restore(struct fakeworld *w, const struct action *action)
{
    const struct version *from = w->versions[action->restore.from];
    struct version *v = NULL;
    struct fake_event *e = fake_stored(w, action->token);

    if (w->fail_restores) {
        e->event.stored.status = STATUS_FULL;
        return;
    }
    v = mem_new(sizeof(*v));
    assert_non_null(from);
    assert_non_null(v);
    *v = *from;
    v->number = action->restore.number;
    v->line = action->restore.line;
    v->spec = fake_copy(from->spec, sizeof(*from->spec));
    v->arch = fake_copy_arch(from->arch, from->spec);
    v->begun = fake_copy(from->begun, sizeof(*from->begun));
    if (from->pending != NULL) {
        v->pending = fake_copy(from->pending, sizeof(*from->pending));
    }
    v->policy = fake_copy(from->policy, POLICY_STATE_BYTES_MAX);
    v->shards =
        fake_copy(from->shards, from->shards_count * sizeof(v->shards[0]));
    fake_keep(w, v);
    e->event.stored.restored = from;
    w->journaled = 0;
}

void fake_load(struct fakeworld *w, const struct action *action)
{
    struct fake_event *e = fake_queue(w);
    const struct version *v = w->versions[action->load.version];

    if (action->load.point && fake_stored_point(w, action->load.version)) {
        v = fake_stored_point(w, action->load.version);
        e->event.loaded.point = true;
    }
    e->event.type = COORD_LOADED;
    e->event.loaded.token = action->token;
    e->event.loaded.status = v == NULL ? STATUS_NOT_FOUND : STATUS_OK;
    e->event.loaded.version = v;
    e->event.loaded.journaled = w->journaled;
    if (v != NULL) {
        mem_free(w->memory[action->slot]);
        w->memory[action->slot] = mem_new(job_memory_bytes(v->spec, w->shape));
        e->event.loaded.memory = w->memory[action->slot];
    }
}

void fake_journal(struct fakeworld *w, const struct action *action)
{
    const struct grant *g = action->journal.grant;

    w->journaled = g->interval + 1;
    assert_true(g->interval < FAKE_INTERVALS_MAX);
    w->hashes[g->interval] = action->journal.reports_hash;
    for (uint32_t i = 0; i < action->journal.decisions_count; i++) {
        const struct decision *d = &action->journal.decisions[i];

        text_u64(&w->journal_text, g->interval);
        text_add(&w->journal_text, " layer ");
        text_u64(&w->journal_text, d->layer);
        text_add(&w->journal_text, " kind ");
        text_u64(&w->journal_text, d->kind);
        text_add(&w->journal_text, ": ");
        text_add(&w->journal_text, d->reason);
        text_add(&w->journal_text, "\n");
    }
    for (uint32_t u = 0; u < g->units_count; u++) {
        text_u64(&w->journal_text, g->units[u].id.birth);
        text_add(&w->journal_text, ">");
        text_u64(&w->journal_text, g->units[u].renewed.birth);
        text_add(&w->journal_text, u + 1 == g->units_count ? "\n" : " ");
    }
    if (action->token != 0) {
        fake_stored(w, action->token);
    }
}

void fake_check(struct fakeworld *w, const struct action *action)
{
    struct fake_event *e = fake_stored(w, action->token);

    w->checks++;
    if (w->hashes[action->journal.grant->interval] !=
        action->journal.reports_hash) {
        e->event.stored.status = STATUS_CORRUPT;
    }
}
