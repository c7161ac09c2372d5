/* typescalar.h - one value of a job file, typed by its row of the schema.
 *
 * YAML types nothing here: `1e-3`, `1%`, `4M`, `200 steps` and `no` mean what
 * their key says. Internal to the job file's reader. */
#ifndef PROTO_TYPESCALAR_H
#define PROTO_TYPESCALAR_H

#include "proto/typing.h"
#include <stdbool.h>
#include <stdint.h>

void typing_scalar(struct typing *typing,
                   const struct schema_key *row,
                   const struct typing_at *at);

/* False: an error was added. unit NULL: a bare number is wanted; bare: the
 * unit may be left out. */
struct typing_unit {
    const char *name;
    bool bare;
};
bool typing_whole(struct typing *typing,
                  const struct typing_at *at,
                  struct typing_unit unit,
                  uint64_t *out);
bool typing_real(struct typing *typing,
                 const struct typing_at *at,
                 double *out);
/* 1% or 0.01; of_mean: `of mean` must follow. */
bool typing_ratio(struct typing *typing,
                  const struct typing_at *at,
                  bool of_mean,
                  double *out);

#endif /* PROTO_TYPESCALAR_H */
