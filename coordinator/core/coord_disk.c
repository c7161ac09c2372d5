/* coord_disk.c - what is on its way to the disk and from it.
 *
 * Every store and load action carries a token; what is done when it comes back
 * is here, since durable before told is one idea. */
#include "coordinator/core/coord_inside.h"

#include "base/check.h"
#include "coordinator/core/job_cuts.h"
#include "coordinator/core/job_points.h"

#include <string.h>

/* --- Tokens --- */

uint64_t token_new(struct coord *c,
                   enum token_kind kind,
                   uint32_t slot,
                   uint64_t detail,
                   uint64_t request)
{
    for (uint32_t t = 0; t < TOKENS_MAX; t++) {
        struct token *token = &c->tokens[t];

        if (token->id == 0) {
            *token = (struct token){.id = ++c->last_token,
                                    .kind = kind,
                                    .slot = slot,
                                    .job = c->jobs[slot].record.job,
                                    .detail = detail,
                                    .request = request};
            return token->id;
        }
    }
    CHECK(false);
    return 0;
}

void token_drop_slot(struct coord *c, uint32_t slot)
{
    for (uint32_t t = 0; t < TOKENS_MAX; t++) {
        if (c->tokens[t].slot == slot) {
            c->tokens[t].id = 0;
        }
    }
}

static bool is_on_its_way(const struct coord *c,
                          uint32_t slot,
                          enum token_kind kind)
{
    for (uint32_t t = 0; t < TOKENS_MAX; t++) {
        const struct token *token = &c->tokens[t];

        if (token->id != 0 && token->kind == kind && token->slot == slot) {
            return true;
        }
    }
    return false;
}

bool commit_is_on_its_way(const struct coord *c, uint32_t slot)
{
    return is_on_its_way(c, slot, TOKEN_COMMIT);
}

bool head_is_moving(const struct coord *c, uint32_t slot)
{
    return is_on_its_way(c, slot, TOKEN_COMMIT) ||
           is_on_its_way(c, slot, TOKEN_RESTORE);
}

bool load_must_wait(const struct coord *c, uint32_t slot)
{
    return is_on_its_way(c, slot, TOKEN_COMMIT) ||
           is_on_its_way(c, slot, TOKEN_JOURNAL) ||
           is_on_its_way(c, slot, TOKEN_POINT);
}

/* What a load has waited for has been answered. */
static void load_on(struct coord *c, uint32_t slot, struct actions *out)
{
    struct job *job = &c->jobs[slot];

    if (job->phase == PHASE_LOADING && !load_must_wait(c, slot) &&
        !is_on_its_way(c, slot, TOKEN_LOAD)) {
        load_back(c, slot, job->resume_wanted, out);
        if (job->phase == PHASE_WAITING && job->want != WANT_NONE &&
            !c->quitting) { /* there was no head to load */
            carry_out_want(c, slot, out);
        }
    }
}

static bool token_take(struct coord *c, uint64_t id, struct token *out)
{
    for (uint32_t t = 0; id != 0 && t < TOKENS_MAX; t++) {
        if (c->tokens[t].id == id) {
            *out = c->tokens[t];
            c->tokens[t].id = 0;
            return true;
        }
    }
    return false;
}

/* The core's parts give journal and commit actions of a job no token of their
 * own: it is put in here, where the table is. */
void give_tokens(struct coord *c, struct actions *out)
{
    for (uint32_t a = 0; a < out->count; a++) {
        struct action *action = &out->items[a];

        if (action->type == ACTION_STORE_JOURNAL && action->token != 0) {
            action->token =
                token_new(c, TOKEN_JOURNAL, action->slot, action->token - 1, 0);
        }
        if (action->type == ACTION_COMMIT && action->token == 0) {
            action->token = token_new(c, TOKEN_COMMIT, action->slot,
                                      action->commit.version, 0);
        }
        if (action->type == ACTION_CHECK_JOURNAL) {
            action->token = token_new(c, TOKEN_CHECK, action->slot,
                                      action->journal.grant->interval, 0);
        }
        if (action->type == ACTION_STORE_POINT && !action->point.none) {
            action->token = token_new(c, TOKEN_POINT, action->slot,
                                      action->point.interval, 0);
        }
    }
}

/* A commit came through although the job has gone back meanwhile: the store
 * has moved the head, so the replay begins there. */
static void on_late_commit(struct coord *c,
                           const struct token *token,
                           enum status status,
                           struct actions *out)
{
    struct job *job = &c->jobs[token->slot];

    if (status == STATUS_OK && token->detail > job->record.last_version) {
        struct text text =
            action_event(out, token->slot, "version", token->detail);

        text_add(&text, "committed while the job went back");
        job->record.head = token->detail;
        job->record.last_version = token->detail;
        job->head_step = UINT64_MAX;
        job->faults = 0;
        /* All versions up to a point are committed before it is complete. */
        job_supersede_points(job, UINT64_MAX);
    }
    load_on(c, token->slot, out);
}

static void tell_version(const struct cut *cut,
                         uint32_t slot,
                         struct actions *out)
{
    struct text text = action_event(out, slot, "version", cut->version);
    struct action *action = &out->items[out->count - 1];

    text_add(&text, cause_name((enum cause)cut->cause));
    if (cut->reason[0] != 0) {
        text_add(&text, ": ");
        text_add(&text, cut->reason);
    }
    action->event.step = cut->step;
    action->event.task = cut->task;
    action->event.layers_count = cut->arch.layers_count;
    for (uint32_t l = 0; l < cut->arch.layers_count; l++) {
        action->event.widths[l] = cut->arch.layers[l].units_count;
    }
}

/* A failed mirror says itself what is wrong with it. */
static void pause_unkept(struct coord *c,
                         uint32_t slot,
                         enum status status,
                         const char *why,
                         struct actions *out)
{
    char line[ERROR_BYTES_MAX];
    struct text text;

    text_init(&text, line, sizeof(line));
    if (why != NULL) {
        text_add(&text, why);
        text_add(&text, "; then resume");
    } else if (status == STATUS_FULL) {
        text_add(&text, "the disk of the store is full: versions and journal "
                        "cannot be kept; make room, then resume");
    } else {
        text_add(&text, "versions and journal cannot be stored; see the "
                        "coordinator's log, then resume");
    }
    pause_job(c, slot, line, 0, out);
}

/* What was decided from that interval on is decided again, and written again:
 * the journal has no gap, since the store refuses what comes behind one until
 * the job is loaded anew. A mirror is far away, and a full disk is a person's:
 * what they lack does not come back by going back. */
static void on_unjournaled(struct coord *c,
                           uint32_t slot,
                           uint64_t interval,
                           const struct coord_event *ev,
                           struct actions *out)
{
    struct job *job = &c->jobs[slot];
    bool told = ev->type == COORD_UNJOURNALED;
    enum status status = told ? ev->unjournaled.status : ev->stored.status;
    const char *why = told ? ev->unjournaled.why : ev->stored.why;

    if (interval < job->journaled) {
        job->journaled = interval;
    }
    if (job->phase != PHASE_RUNNING) {
        roll_back(c, slot, "the journal could not be written", out);
        return;
    }
    job->faults++;
    if (why != NULL || status == STATUS_FULL || job->faults >= FAULTS_MAX) {
        pause_unkept(c, slot, status, why, out);
    } else {
        roll_back(c, slot, "the journal could not be written", out);
    }
}

void take_unjournaled(struct coord *c,
                      const struct coord_event *ev,
                      struct actions *out)
{
    uint32_t slot = coord_find(c, ev->unjournaled.job);

    if (slot != JOBS_MAX && c->jobs[slot].kind == KIND_TRAIN) {
        on_unjournaled(c, slot, ev->unjournaled.interval, ev, out);
    }
}

static void on_committed(struct coord *c,
                         const struct token *token,
                         const struct coord_event *ev,
                         struct actions *out)
{
    enum status status = ev->stored.status;
    struct job *job = &c->jobs[token->slot];
    uint32_t index = job_cut_committing(job, token->detail);

    if (index == CUTS_MAX) {
        on_late_commit(c, token, status, out);
        return;
    }
    if (status != STATUS_OK) {
        pause_unkept(c, token->slot, status, ev->stored.why, out);
        return;
    }

    const struct cut *cut = job_cut(job, index);
    bool hold = cut->hold;

    tell_version(cut, token->slot, out);
    job_take_commit(job, index);
    job->faults = 0;
    if (hold && job->want != WANT_NONE) {
        carry_out_want(c, token->slot, out);
        return;
    }
    run_on(c, token->slot, out);
}

/* The record of a point, also where the job has gone back meanwhile: what is
 * on the disk is where it goes to. */
static void on_point_stored(struct coord *c,
                            const struct token *token,
                            enum status status,
                            struct actions *out)
{
    struct job *job = &c->jobs[token->slot];

    if (job->making.storing && job->making.interval == token->detail) {
        if (status == STATUS_OK) {
            job_take_point(job);
        } else {
            job_drop_making(job); /* the store has the one before */
        }
        run_on(c, token->slot, out);
    }
    load_on(c, token->slot, out);
}

/* The same steps gave other numbers: either run may be the wrong one, and
 * which is not for us to say. */
static void on_checked(struct coord *c,
                       const struct token *token,
                       enum status status,
                       struct actions *out)
{
    struct job *job = &c->jobs[token->slot];
    char why[ERROR_BYTES_MAX];
    struct text text;

    if (status != STATUS_CORRUPT || job->phase != PHASE_RUNNING) {
        return;
    }
    text_init(&text, why, sizeof(why));
    text_add(&text, "bits differ at interval ");
    text_u64(&text, token->detail - 2);
    text_add(&text, ": computed again, it gives other numbers than the journal "
                    "has. A machine may be broken, or computes otherwise than "
                    "the one before. `cajal resume` goes back to v");
    text_u64(&text, job->record.head);
    text_add(&text, " and compares again; `cajal restore v");
    text_u64(&text, job->record.head);
    text_add(&text, "` begins anew from there");
    text = action_event(out, token->slot, "fault", 0);
    text_add(&text, why);
    pause_job(c, token->slot, why, 0, out);
}

static void on_launched(struct coord *c,
                        const struct token *token,
                        const struct coord_event *ev,
                        struct actions *out)
{
    struct job *job = &c->jobs[token->slot];
    enum status status = ev->stored.status;
    const char *why = ev->stored.why;

    if (status != STATUS_OK) {
        if (why == NULL) {
            why = status == STATUS_FULL ? "the disk of the store is full"
                                        : "the job could not be stored";
        }
        action_reply(out, token->request, status, 0, why);
        slot_free(c, token->slot, out);
        return;
    }
    action_reply(out, token->request, STATUS_OK, job->record.job, "launched");
    job_move(job, PHASE_WAITING);
    struct text text = action_event(out, token->slot, "state", 0);
    text_add(&text, "waiting");
}

static void on_restored(struct coord *c,
                        const struct token *token,
                        const struct coord_event *ev,
                        struct actions *out)
{
    struct job *job = &c->jobs[token->slot];
    uint64_t number = job->record.last_version + 1;
    struct action *reply;

    if (ev->stored.status != STATUS_OK) {
        action_reply(out, token->request, ev->stored.status, job->record.job,
                     ev->stored.why != NULL
                         ? ev->stored.why
                         : "the version could not be restored; nothing has "
                           "changed");
        if (job->resume_wanted) {
            load_back(c, token->slot, true, out);
        } else {
            job_move(job, job->record.state >= JOB_FINISHED ? PHASE_ENDED
                                                            : PHASE_PAUSED);
        }
        return;
    }
    CHECK(ev->stored.restored != NULL);
    record_after_restore(&job->record, ev->stored.restored, number);
    job->head_step = ev->stored.restored->step;
    job->next_version = number + 1;
    job->journaled = 0;

    struct text text = action_event(out, token->slot, "restore", number);

    text_add(&text, "v");
    text_u64(&text, token->detail);
    text_add(&text, " is back, as v");
    text_u64(&text, number);
    reply = action_add(out, ACTION_REPLY);
    reply->reply.request = token->request;
    reply->reply.job = job->record.job;
    reply->reply.version = number;
    text_init(&text, reply->reply.text, sizeof(reply->reply.text));
    text_add(&text, "restored v");
    text_u64(&text, token->detail);
    text_add(&text, " as v");
    text_u64(&text, number);
    if (job->resume_wanted) {
        load_back(c, token->slot, true, out);
    } else {
        job_move(job, PHASE_PAUSED);
        set_reason(job, "restored; `cajal resume` goes on from here");
        store_state(c, token->slot, 0, out);
    }
}

/* Told is what is stored, which may be the past already. What the store has
 * not taken is not told; it is tried again, since a job at rest has nothing
 * else that would bring its state there. */
static void on_state_stored(struct coord *c,
                            const struct token *token,
                            const struct coord_event *ev,
                            struct actions *out)
{
    enum status status = ev->stored.status;
    struct job *job = &c->jobs[token->slot];
    enum job_state stored = (enum job_state)token->detail;
    const char *state = job_state_name(stored);

    if (status != STATUS_OK) {
        struct text text = action_event(out, token->slot, "fault", 0);

        text_add(&text, "the job's state could not be stored: ");
        text_add(&text,
                 ev->stored.why != NULL ? ev->stored.why : status_text(status));
        job->store_again_ms = c->now_ms + STORE_AGAIN_MS;
    } else {
        struct text text = action_event(out, token->slot, "state", 0);

        text_add(&text, state);
        if (job->record.reason[0] != 0 && job_visible_state(job) == stored) {
            text_add(&text, ": ");
            text_add(&text, job->record.reason);
        }
    }
    if (token->request != 0) {
        action_reply(out, token->request, status, job->record.job, state);
    }
}

void take_stored(struct coord *c,
                 const struct coord_event *ev,
                 struct actions *out)
{
    struct token token;

    if (!token_take(c, ev->stored.token, &token)) {
        return;
    }
    switch (token.kind) {
    case TOKEN_LAUNCH:
        on_launched(c, &token, ev, out);
        break;
    case TOKEN_JOURNAL:
        if (ev->stored.status != STATUS_OK) {
            on_unjournaled(c, token.slot, token.detail, ev, out);
        } else {
            job_take_stored_grant(&c->jobs[token.slot], token.slot,
                                  token.detail, out);
            run_on(c, token.slot, out);
        }
        load_on(c, token.slot, out);
        break;
    case TOKEN_COMMIT:
        on_committed(c, &token, ev, out);
        break;
    case TOKEN_RESTORE:
        on_restored(c, &token, ev, out);
        break;
    case TOKEN_STATE:
        on_state_stored(c, &token, ev, out);
        break;
    case TOKEN_POINT:
        on_point_stored(c, &token, ev->stored.status, out);
        break;
    case TOKEN_CHECK:
        on_checked(c, &token, ev->stored.status, out);
        break;
    case TOKEN_LOAD:
        CHECK(false); /* answered by COORD_LOADED */
        break;
    }
    quit_if_quiet(c, out);
}

static void fail_load(struct coord *c,
                      uint32_t slot,
                      enum status status,
                      struct actions *out)
{
    struct job *job = &c->jobs[slot];
    const char *why = status == STATUS_NOT_FOUND
                          ? "there is no such version"
                          : "the version cannot be read back: run verify";
    bool gone = status == STATUS_NOT_FOUND || status == STATUS_CORRUPT;

    if (job->kind == KIND_EVALUATE) {
        action_reply(out, job->evaluate_request, status, job->evaluate_job,
                     why);
        slot_free(c, slot, out);
        return;
    }
    if (!gone) { /* the disk's fault, which may pass */
        pause_job(c, slot,
                  "the version could not be read just now; see the "
                  "coordinator's log, then resume",
                  0, out);
        return;
    }
    end_job(c, slot, JOB_FAILED, why, 0, out);
}

/* A replay that left out an input would be another run. */
static enum status begin_from(struct job *job, const struct coord_event *ev)
{
    if (ev->loaded.inputs_count > INPUTS_MAX) {
        return STATUS_CORRUPT; /* never accepted: ask_set counts them */
    }
    job->inputs_count = ev->loaded.inputs_count;
    for (uint32_t i = 0; i < job->inputs_count; i++) {
        job->inputs[i] = ev->loaded.inputs[i];
    }
    /* What an earlier life had done, where it could not say so any more. */
    if (job->record.step < ev->loaded.step) {
        job->record.step = ev->loaded.step;
    }
    if (!ev->loaded.point) {
        job->head_step = ev->loaded.version->step;
    }
    return job_begin_from(job, ev->loaded.version, ev->loaded.point);
}

void take_loaded(struct coord *c,
                 const struct coord_event *ev,
                 struct actions *out)
{
    struct token token;
    struct job *job;
    enum status status = ev->loaded.status;

    if (!token_take(c, ev->loaded.token, &token)) {
        return;
    }
    CHECK(token.kind == TOKEN_LOAD);
    job = &c->jobs[token.slot];
    if (loaded_in_vain(c, token.slot, ev, out)) {
        return;
    }
    if (status == STATUS_OK) {
        job->memory = ev->loaded.memory;
        job->origin = ev->loaded.version;
        job->from_point = ev->loaded.point;
        /* Records that we have written since may not be there yet. */
        if (job->journaled < ev->loaded.journaled) {
            job->journaled = ev->loaded.journaled;
        }
        status = job->kind == KIND_EVALUATE
                     ? job_begin_evaluation(job, ev->loaded.version)
                     : begin_from(job, ev);
        if (status == STATUS_OK) {
            tell_taken_over(c, token.slot, out);
        }
    }
    if (status == STATUS_CORRUPT && point_has_failed(c, token.slot, out)) {
        load_back(c, token.slot, job->resume_wanted, out);
        return;
    }
    if (status != STATUS_OK) {
        fail_load(c, token.slot, status, out);
        return;
    }
    job_move(job, PHASE_WAITING);
    if (job->want != WANT_NONE && !job->moving && !c->quitting) {
        carry_out_want(c, token.slot, out);
        return;
    }
}
