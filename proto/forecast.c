#include "proto/forecast.h"

#include "proto/arch.h"

enum {
    /* The statistics of a unit, in double, and its entry in the manifest. */
    UNIT_BYTES = 128,
    /* The store's pages, 4096 bytes each: a shard's tensors end in the middle
     * of one, its statistics are small; manifest and summary of a version. As
     * measured, see storage/README.md. */
    SHARD_EXTRA_BYTES = 12 << 10,
    VERSION_EXTRA_BYTES = 16 << 10,
    EXTRA_PERCENT = 3,
    SLACK_MIN = 4,
    /* start, head, head's parent, end, and the newest of each cause. */
    KEPT_BESIDE_LAST = 12
};

static uint32_t copies(const struct optimizer_spec *optimizer)
{
    if (optimizer->kind == OPTIMIZER_SGD) {
        return optimizer->momentum != 0 ? 2 : 1;
    }
    return 3; /* both moments */
}

uint64_t forecast_version_bytes(const struct job_spec *spec,
                                uint64_t parameters,
                                uint64_t units)
{
    return parameters * sizeof(float) * copies(&spec->train.optimizer) +
           units * UNIT_BYTES;
}

uint32_t forecast_slack(uint32_t last)
{
    return last / 4 > SLACK_MIN ? last / 4 : SLACK_MIN;
}

static bool makes_versions_of_edits(const struct job_spec *spec)
{
    static const enum cause causes[ROLES_COUNT] = {[ROLE_RENEW] = CAUSE_RENEW,
                                                   [ROLE_GROW] = CAUSE_GROW,
                                                   [ROLE_PRUNE] = CAUSE_PRUNE};

    for (uint32_t r = 0; r < ROLES_COUNT; r++) {
        if (spec->roles[r].count > 0 &&
            (spec->keep.on & 1u << causes[r]) != 0) {
            return true;
        }
    }
    return false;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* What the job's own policies may grow the layer to; edits by hand, which
 * arch_units_max has room for too, are nobody's forecast. */
static uint64_t grown_width(const struct job_spec *spec, uint32_t layer)
{
    const struct role_spec *grow = &spec->roles[ROLE_GROW];
    double most = spec->model.hidden[layer].units;

    for (uint32_t p = 0; p < grow->count; p++) {
        const struct policy_spec *policy = &grow->policies[p];
        double units = 0;

        if (policy->policy == POLICY_SCHEDULE) {
            units = policy->value[SCHEDULE_MAX_UNITS];
        } else if (policy->policy == POLICY_PLATEAU) {
            units = policy->value[PLATEAU_MAX_UNITS];
        }
        most = units > most ? units : most;
    }
    return most < arch_units_max(spec, layer) ? (uint64_t)most
                                              : arch_units_max(spec, layer);
}

/* A version of layers of these widths. */
static uint64_t bytes_of(const struct forecast_of *of, bool grown)
{
    const struct model_spec *model = &of->spec->model;
    uint64_t inputs = of->inputs;
    uint64_t parameters = 0;
    uint64_t units = of->outputs;

    for (uint32_t l = 0; l < model->hidden_count; l++) {
        uint64_t width =
            grown ? grown_width(of->spec, l) : model->hidden[l].units;

        parameters += (inputs + 1) * width;
        units += width;
        inputs = width;
    }
    parameters += (inputs + 1) * of->outputs;
    return forecast_version_bytes(of->spec, parameters, units);
}

void forecast_make(const struct forecast_of *of, struct forecast *out)
{
    const struct job_spec *spec = of->spec;
    uint64_t most_bytes = bytes_of(of, true);
    uint64_t intervals = of->steps / spec->report_every_steps + of->tasks;
    uint64_t shards =
        (uint64_t)spec->model.hidden_count * spec->model.shards + 1;
    uint64_t kept = (uint64_t)spec->keep.last + KEPT_BESIDE_LAST +
                    forecast_slack(spec->keep.last);

    *out = (struct forecast){.versions_least = 2}; /* start and end */
    out->version_bytes = bytes_of(of, false);
    if (spec->keep.every_steps > 0) {
        out->versions_least += of->steps / spec->keep.every_steps;
    }
    if ((spec->keep.on & 1u << CAUSE_TASK) != 0 && of->tasks > 0) {
        out->versions_least += of->tasks - 1; /* the last task's is the end */
    }
    out->versions_least = least(out->versions_least, intervals + 2);
    out->versions_most =
        makes_versions_of_edits(spec) ? intervals + 2 : out->versions_least;
    out->bounded = spec->keep.last > 0 && kept < out->versions_most;
    out->kept_most = out->bounded ? kept : out->versions_most;
    out->bytes_most =
        out->kept_most * (most_bytes + most_bytes * EXTRA_PERCENT / 100 +
                          VERSION_EXTRA_BYTES + shards * SHARD_EXTRA_BYTES);
}
