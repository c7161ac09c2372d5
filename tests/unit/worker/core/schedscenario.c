#include "tests/unit/worker/core/schedworld.h"

#include "base/rng.h"

#include <string.h>

uint64_t mix(uint64_t a, uint64_t b)
{
    struct rng_block block =
        rng_draw(a, RNG_TEST, b & 0xffffffffffff, b >> 48, 0);

    return ((uint64_t)block.v[0] << 32 | block.v[1]) | 1;
}

uint32_t draw(uint64_t seed, uint64_t a, uint64_t b, uint32_t bound)
{
    return rng_below(rng_draw(seed, RNG_TEST, a, b, 1), bound);
}

/* Scenarios */

static void make_boundary(struct scenario *s, struct grant *grant, uint32_t n)
{
    if (draw(s->seed, 100 + n, 0, 2) == 0) {
        grant->evaluate_first = draw(s->seed, 100 + n, 1, TASKS);
        grant->evaluate_count =
            draw(s->seed, 100 + n, 2, TASKS + 1 - grant->evaluate_first);
    }
    grant->guard = draw(s->seed, 100 + n, 3, 3) == 0;
    grant->edits_count = draw(s->seed, 100 + n, 4, 3);
    if (draw(s->seed, 100 + n, 5, 3) == 0) {
        grant->settings_count = 1;
        grant->settings[0] = (struct grant_setting){
            .setting = SETTING_CLIP,
            .value = draw(s->seed, 100 + n, 6, 2) == 0 ? 0 : 1.5};
        grant->keep = draw(s->seed, 100 + n, 9, 3) == 0;
    }
    grant->version = draw(s->seed, 100 + n, 7, 2) == 0 ? n + 1 : 0;
    grant->hold = draw(s->seed, 100 + n, 8, 4) == 0;
}

static void make_grants(struct scenario *s)
{
    uint64_t step = 0;
    uint64_t position = 0;
    uint32_t task = 0;
    uint64_t examples = 1 + draw(s->seed, 10, 0, 60);

    for (uint32_t n = 0; n < s->intervals_count; n++) {
        struct grant *grant = &s->grants[n];
        uint64_t left = (examples - position + s->batch - 1) / s->batch;
        uint64_t steps = 1 + draw(s->seed, 20, n, 5);

        *grant = (struct grant){.term = 1,
                                .interval = n,
                                .first_step = step,
                                .task = task,
                                .position = position,
                                .task_examples = examples};
        grant->closing = n + 1 == s->intervals_count;
        grant->steps = (uint32_t)(steps < left ? steps : left);
        grant->steps = grant->closing ? 0 : grant->steps;
        grant->resumed = n == 0 && draw(s->seed, 30, 0, 3) == 0;
        make_boundary(s, grant, n);
        step += grant->steps;
        position += (uint64_t)grant->steps * s->batch;
        if (position >= examples && task + 1 < TASKS) {
            task++;
            position = 0;
            examples = 1 + draw(s->seed, 10, task, 60);
        } else if (position >= examples && !grant->closing) {
            position = examples;
            s->intervals_count = n + 2; /* the next one closes */
        }
    }
}

void make_scenario(struct scenario *s, uint64_t seed)
{
    memset(s, 0, sizeof(*s));
    s->seed = seed;
    s->layers_count = 1 + draw(seed, 0, 0, LAYERS);
    for (uint32_t l = 0; l < s->layers_count; l++) {
        s->shards_count[l] =
            l + 1 < s->layers_count ? 1 + draw(seed, 1, l, SHARDS) : 1;
    }
    s->batch = 1 + draw(seed, 2, 0, 9);
    s->microbatches = 1 + draw(seed, 3, 0, 4);
    s->clip = draw(seed, 4, 0, 2) == 0;
    for (uint32_t t = 0; t < TASKS; t++) {
        s->evaluate_rows[t] =
            draw(seed, 5, t, 4) == 0 ? 0 : 1 + draw(seed, 6, t, 1600);
        s->guard_rows[t] = draw(seed, 7, t, 700);
    }
    s->intervals_count = 3 + draw(seed, 8, 0, INTERVALS - 2);
    make_grants(s);
}
