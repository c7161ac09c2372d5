/* arch.h - an architecture: which units each layer's shards hold, in order.
 *
 * Layer 0 .. n-1 are the hidden layers and the output layer; the inputs of
 * layer 0 are the data's features, units 0 .. inputs-1 of line 0. A layer's
 * units stand in one array in unit order: the shards' runs one after the
 * other. Pure: memory is lent at init and never grows. */
#ifndef PROTO_ARCH_H
#define PROTO_ARCH_H

#include "base/ids.h"
#include "base/limits.h"
#include "base/status.h"
#include "proto/edit.h"
#include "proto/job.h"
#include <stddef.h>

enum unit_state { UNIT_LIVE = 0, UNIT_LESIONED = 1 };

struct unit {
    struct unit_id id;
    uint64_t born_step; /* job step of its first update */
    uint32_t fan_in;    /* at birth: the scale of its initial weights */
    uint32_t state;     /* enum unit_state */
    float mean;         /* what a lesioned unit outputs */
};

struct arch_layer {
    enum activation activation;
    uint32_t shards_count;
    uint32_t shard_units[SHARDS_MAX]; /* sums to units_count */
    uint32_t units_count;
    uint32_t units_max;  /* room in units */
    struct unit *units;  /* in unit order; lent memory */
    uint32_t generation; /* +1 per edit that touches the layer's rows */
};

struct arch {
    uint32_t line;
    uint32_t inputs;
    uint64_t next_birth;
    uint32_t layers_count; /* hidden layers + 1 */
    struct arch_layer layers[LAYERS_MAX];
};

/* The room that job needs: start units, or what its policies may grow to. */
uint32_t arch_units_max(const struct job_spec *spec, uint32_t layer);
size_t arch_memory_bytes(const struct job_spec *spec, uint32_t outputs);

/* Lays the units' arrays into memory; layers are empty. */
void arch_lay_out(struct arch *arch,
                  const struct job_spec *spec,
                  uint32_t outputs,
                  void *memory);

/* The architecture at step 0 of line 0: units split over shards as evenly as
 * can be, the first shards take the remainder. */
void arch_begin(struct arch *arch,
                const struct job_spec *spec,
                uint32_t inputs,
                uint32_t outputs,
                void *memory);

/* Copies from into to, whose memory was laid out for the same job. */
void arch_copy(struct arch *to, const struct arch *from);

/* Applies one edit at step. INVALID and nothing done: an id that is not
 * there, a shard or layer out of range, no room, a state that does not fit. */
enum status arch_apply(struct arch *arch,
                       const struct edit *edit,
                       const struct edit_unit *units,
                       uint64_t step) MUST_CHECK;

/* Index in unit order; UINT32_MAX: not in the layer. */
uint32_t arch_find(const struct arch_layer *layer, struct unit_id id);
uint32_t arch_shard_of(const struct arch_layer *layer, uint32_t index);
uint32_t arch_first_of_shard(const struct arch_layer *layer, uint32_t shard);
/* Where a new unit goes: the smallest shard, lowest index first. */
uint32_t arch_smallest_shard(const struct arch_layer *layer);
uint32_t arch_layer_inputs(const struct arch *arch, uint32_t layer);
uint64_t arch_parameters(const struct arch *arch); /* weights and biases */
uint32_t arch_live_units(const struct arch_layer *layer);
/* "hidden1" .. or "output"; out holds NAME_BYTES_MAX. */
void arch_layer_name(const struct arch *arch, uint32_t layer, char *out);

#endif /* PROTO_ARCH_H */
