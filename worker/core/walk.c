#include "worker/core/walk.h"

#include "base/check.h"
#include "proto/job.h"

enum { PASS_ROWS_MAX = EVALUATE_ROWS * EVALUATE_WINDOW };

struct phase {
    const char *name;
    enum walk_phase next; /* the one move that is allowed */
};

static const struct phase phases[WALK_PHASES_COUNT] = {
    [WALK_IDLE] = {"idle", WALK_EVALUATE},
    [WALK_EVALUATE] = {"evaluate", WALK_GUARD_BEFORE},
    [WALK_GUARD_BEFORE] = {"guard_before", WALK_EDIT},
    [WALK_EDIT] = {"edit", WALK_GUARD_AFTER},
    [WALK_GUARD_AFTER] = {"guard_after", WALK_CUT},
    [WALK_CUT] = {"cut", WALK_HOLD},
    [WALK_HOLD] = {"hold", WALK_TRAIN},
    [WALK_TRAIN] = {"train", WALK_REPORT},
    [WALK_REPORT] = {"report", WALK_IDLE},
};

const char *walk_phase_name(enum walk_phase phase)
{
    CHECK(phase < WALK_PHASES_COUNT);
    return phases[phase].name;
}

void walk_init(struct walk *walk, bool clip)
{
    *walk = (struct walk){.phase = WALK_IDLE, .clip = clip};
}

bool walk_in_training(const struct walk *walk)
{
    return walk->phase == WALK_TRAIN;
}

bool walk_in_evaluation(const struct walk *walk)
{
    return walk->phase == WALK_EVALUATE || walk->phase == WALK_GUARD_BEFORE ||
           walk->phase == WALK_GUARD_AFTER;
}

uint32_t walk_evaluated_task(const struct walk *walk,
                             const struct program *program)
{
    const struct grant *grant = program_at(program, walk->interval);

    CHECK(grant != NULL);
    CHECK(walk_in_evaluation(walk));
    return walk->phase == WALK_EVALUATE
               ? grant->evaluate_first + (uint32_t)walk->done
               : grant->task;
}

uint64_t walk_evaluated_rows(const struct walk *walk,
                             const struct program *program)
{
    uint32_t task = walk_evaluated_task(walk, program);

    return walk->phase == WALK_EVALUATE ? program->options.evaluate_rows[task]
                                        : program->options.guard_rows[task];
}

/* Passes over tasks without held-out examples. */
static bool has_held_out(struct walk *walk,
                         const struct program *program,
                         const struct grant *grant)
{
    while (walk->done < grant->evaluate_count &&
           walk->rows_done == walk_evaluated_rows(walk, program)) {
        walk->done++;
        walk->rows_done = 0;
    }
    return walk->done < grant->evaluate_count;
}

/* Does the present phase have (more) work, or must it wait? */
static bool has_work(struct walk *walk,
                     const struct program *program,
                     const struct grant *grant)
{
    bool boundary = !grant->resumed; /* else done before the restore */

    switch (walk->phase) {
    case WALK_IDLE:
        return false;
    case WALK_EVALUATE:
        return boundary && has_held_out(walk, program, grant);
    case WALK_GUARD_BEFORE:
    case WALK_GUARD_AFTER:
        return boundary && grant->guard &&
               walk->rows_done < walk_evaluated_rows(walk, program);
    case WALK_EDIT:
        return boundary && walk->done == 0 &&
               (grant->edits_count > 0 || grant->settings_count > 0);
    case WALK_CUT:
        return boundary && walk->done == 0 &&
               (grant->version != 0 || grant->keep);
    case WALK_HOLD:
        return grant->hold && !program_released(program, walk->interval);
    case WALK_TRAIN:
        return walk->done < grant->steps;
    case WALK_REPORT:
        return walk->done == 0;
    case WALK_PHASES_COUNT:
        break;
    }
    CHECK(false);
    return false;
}

static void begin_pass(struct walk *walk,
                       const struct program *program,
                       const struct grant *grant)
{
    if (walk_in_training(walk)) {
        walk->rows = program_step_rows(program, grant, walk->done);
        walk->microbatches = program_train_parts(program, walk->rows);
        walk->in_pass = true;
    } else if (walk_in_evaluation(walk)) {
        uint64_t left = walk_evaluated_rows(walk, program) - walk->rows_done;

        walk->rows = (uint32_t)(left < PASS_ROWS_MAX ? left : PASS_ROWS_MAX);
        walk->microbatches = program_evaluate_parts(walk->rows);
        walk->in_pass = true;
    } else if (walk->phase == WALK_REPORT && grant->steps > 0) {
        /* Without steps nothing has moved: no columns are asked for, and no
         * frame that would keep neighbours within one pass of each other is
         * sent. So that is no pass. */
        walk->rows = 0;
        walk->microbatches = 0;
        walk->in_pass = true;
    }
}

void walk_settle(struct walk *walk, const struct program *program)
{
    const struct grant *grant = program_at(program, walk->interval);

    if (walk->in_pass || grant == NULL) {
        return;
    }
    while (!has_work(walk, program, grant)) {
        if (walk->phase == WALK_REPORT) {
            walk->interval++;
            grant = program_at(program, walk->interval);
        }
        walk->phase = phases[walk->phase].next;
        walk->done = 0;
        walk->rows_done = 0;
        if (grant == NULL) {
            return; /* idle */
        }
    }
    begin_pass(walk, program, grant);
}

/* What is on from an edit's time: a setting changes at one step everywhere. */
static void take_settings(struct walk *walk, const struct grant *grant)
{
    for (uint32_t i = 0; i < grant->settings_count; i++) {
        if (grant->settings[i].setting == SETTING_CLIP) {
            walk->clip = grant->settings[i].value > 0;
        }
    }
}

void walk_did(struct walk *walk, const struct program *program)
{
    const struct grant *grant = program_at(program, walk->interval);

    CHECK(grant != NULL);
    if (walk_in_evaluation(walk)) {
        CHECK(walk->in_pass);
        walk->rows_done += walk->rows;
    } else {
        walk->done++;
    }
    if (walk->phase == WALK_EDIT) {
        take_settings(walk, grant);
    }
    if (walk->in_pass) {
        walk->in_pass = false;
        walk->pass++;
    }
}
