/* jobprint.h - the resolved job: every value, defaults included, as YAML.
 *
 * What comes out is a job file again, and parsing it gives the same job. A
 * value that nobody gave is marked `# default`, one from the command line
 * `# --set`. Shown by `validate` and kept with every version. */
#ifndef PROTO_JOBPRINT_H
#define PROTO_JOBPRINT_H

#include "base/text.h"
#include "proto/jobfile.h"

/* Room for any job. */
enum { JOBPRINT_BYTES_MAX = 32768 };

/* spec has passed job_check. origins NULL: nothing is marked. */
void jobprint(const struct job_spec *spec,
              const struct jobfile_origins *origins,
              struct text *out);

#endif /* PROTO_JOBPRINT_H */
