#include "coordinator/shell/gc/pins.h"

#include "base/check.h"

#include <string.h>

static bool is_open(const struct open_cut *cut,
                    const struct open_cut *now,
                    uint32_t now_count)
{
    for (uint32_t c = 0; c < now_count; c++) {
        if (now[c].job == cut->job && now[c].term == cut->term &&
            now[c].version == cut->version) {
            return true;
        }
    }
    return false;
}

uint64_t pins_turn(struct pins *pins,
                   const struct open_cut *now,
                   uint32_t now_count,
                   uint64_t tick)
{
    uint32_t left = 0;

    CHECK(now_count <= OPEN_CUTS_MAX);
    for (uint32_t c = 0; c < pins->open_count; c++) {
        if (is_open(&pins->open[c], now, now_count)) {
            pins->open[left++] = pins->open[c];
        }
    }
    pins->open_count = left;
    if (left > 0) {
        return pins->floor;
    }
    if (pins->tick != 0) {
        pins->floor = pins->tick;
    }
    /* The next put has a tick above this one. */
    pins->tick = tick + 1;
    pins->open_count = now_count;
    if (now_count > 0) {
        memcpy(pins->open, now, now_count * sizeof(*now));
    }
    return pins->floor;
}

uint32_t pins_open_cuts(const struct job *jobs, struct open_cut *out)
{
    uint32_t count = 0;

    for (uint32_t j = 0; j < JOBS_MAX; j++) {
        const struct job *job = &jobs[j];

        for (uint32_t c = 0; job->phase != PHASE_FREE && c < CUTS_MAX; c++) {
            if (job->cuts[c].used) {
                out[count++] =
                    (struct open_cut){.job = job->record.job,
                                      .term = job->term,
                                      .version = job->cuts[c].version};
            }
        }
    }
    return count;
}
