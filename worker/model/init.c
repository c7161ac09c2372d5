#include "worker/model/init.h"

#include "base/rng.h"
#include "worker/model/activation.h"
#include <math.h>

/* Kaiming uniform (He et al. 2015), as Dohare et al. (2024) use it. fan_in is
 * that of the unit's birth: what was drawn then can be drawn again. */
void init_row(const struct init_source *source,
              const struct unit *unit,
              float *weights)
{
    double gain = activation_gain(source->activation);
    double fan_in = unit->fan_in > 0 ? unit->fan_in : 1;
    float bound = (float)(gain * sqrt(3.0 / fan_in));

    for (uint32_t k = 0; k < source->inputs_count; k++) {
        struct rng_block block =
            rng_draw(source->seed, RNG_WEIGHT, unit->id.birth,
                     source->inputs[k].id.birth, 0);

        weights[k] = bound * (2.0f * rng_unit(block.v[0]) - 1.0f);
    }
}
