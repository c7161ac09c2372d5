#include "worker/shell/norms.h"

#include "base/check.h"

#include <math.h>
#include <string.h>

void norms_init(struct norms *norms,
                uint32_t layers_count,
                const uint32_t *shards_count)
{
    CHECK(layers_count >= 1);
    CHECK(layers_count <= LAYERS_MAX);

    *norms = (struct norms){.layers_count = layers_count};
    for (uint32_t l = 0; l < layers_count; l++) {
        CHECK(shards_count[l] <= SHARDS_MAX);
        norms->layer_at[l + 1] = norms->layer_at[l] + shards_count[l];
    }
}

void norms_put(struct norms *norms,
               uint32_t layer,
               uint32_t shard,
               const void *bytes)
{
    uint32_t at = norms->layer_at[layer] + shard;

    CHECK(at < norms->layer_at[layer + 1]);
    memcpy(&norms->squares[at], bytes, sizeof(norms->squares[at]));
}

/* Neighbours in pairs, as all sums over shards; n is at least 1. */
static double tree(double *values, uint32_t n)
{
    while (n > 1) {
        for (uint32_t i = 0; i < n / 2; i++) {
            values[i] = values[2 * i] + values[2 * i + 1];
        }
        if (n % 2 == 1) {
            values[n / 2] = values[n - 1];
        }
        n = (n + 1) / 2;
    }
    return values[0];
}

double norms_scale(const struct norms *norms, double clip)
{
    double squares[LAYERS_MAX * SHARDS_MAX];
    uint32_t n = norms->layer_at[norms->layers_count];
    double scale = 0;

    memcpy(squares, norms->squares, n * sizeof(squares[0]));
    scale = clip / (sqrt(tree(squares, n)) + 1e-6);
    return scale < 1 ? scale : 1;
}
