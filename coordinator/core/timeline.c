#include "coordinator/core/timeline.h"

#include "base/check.h"

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t steps_for(const struct job_spec *spec, uint64_t examples)
{
    return (examples + spec->train.batch - 1) / spec->train.batch;
}

static uint64_t task_steps(const struct job_spec *spec,
                           const struct data_shape *shape,
                           uint32_t task)
{
    CHECK(task < shape->tasks_count);
    return steps_for(spec, shape->task_examples[task]);
}

uint64_t timeline_total_steps(const struct job_spec *spec,
                              const struct data_shape *shape)
{
    uint64_t total = 0;

    for (uint32_t task = 0; task < shape->tasks_count; task++) {
        total += task_steps(spec, shape, task);
    }
    for (uint32_t r = 0; r < spec->stop_rules_count; r++) {
        const struct stop_rule *rule = &spec->stop_rules[r];

        if (rule->kind == STOP_STEPS) {
            total = least(total, (uint64_t)rule->value);
        }
    }
    return total;
}

/* Examples that so many steps from position on use. */
static uint64_t examples_of(const struct job_spec *spec,
                            uint64_t position,
                            uint64_t task_examples,
                            uint64_t steps)
{
    return least(steps * spec->train.batch, task_examples - position);
}

void timeline_next(const struct job_spec *spec,
                   const struct data_shape *shape,
                   struct cursor *cursor,
                   struct grant *grant)
{
    uint64_t total = timeline_total_steps(spec, shape);
    uint64_t steps = 0;

    grant->interval = cursor->interval++;
    grant->first_step = cursor->step;
    grant->closing = cursor->step >= total;
    /* A closing grant stays in the last task, at its end. */
    grant->task = cursor->task < shape->tasks_count ? cursor->task
                                                    : shape->tasks_count - 1;
    grant->task_examples = shape->task_examples[grant->task];
    grant->position = cursor->task < shape->tasks_count ? cursor->position
                                                        : grant->task_examples;
    if (!grant->closing) {
        uint64_t left = grant->task_examples - cursor->position;

        steps = least(steps_for(spec, left), spec->report_every_steps);
        steps = least(steps, total - cursor->step);
        cursor->position +=
            examples_of(spec, cursor->position, grant->task_examples, steps);
        if (cursor->position == grant->task_examples) {
            cursor->task++;
            cursor->position = 0;
        }
    }
    cursor->step += steps;
    grant->steps = (uint32_t)steps;
}
