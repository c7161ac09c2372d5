/* The learning rate of a step: warm-up, then a schedule. */
#include "worker/model/shard.h"

#include <math.h>

static double fraction_left(enum schedule_kind schedule, double done)
{
    const double pi = 3.14159265358979323846;

    if (done >= 1) {
        return 0;
    }
    if (schedule == SCHEDULE_LINEAR) {
        return 1 - done;
    }
    return 0.5 * (1 + cos(pi * done));
}

double rate_at(const struct rate_spec *rate,
               uint64_t step,
               uint64_t total,
               uint64_t task_step,
               uint64_t task_total)
{
    uint64_t at = rate->over == OVER_TASK ? task_step : step;
    uint64_t end = rate->over == OVER_TASK ? task_total : total;

    if (at < rate->warmup_steps) {
        return rate->peak * ((double)at + 1) / (double)rate->warmup_steps;
    }
    if (rate->schedule == SCHEDULE_CONSTANT) {
        return rate->peak;
    }
    if (end <= rate->warmup_steps) {
        return 0; /* the schedule was over before it began */
    }
    return rate->peak * fraction_left(rate->schedule,
                                      (double)(at - rate->warmup_steps) /
                                          (double)(end - rate->warmup_steps));
}
