/* setting.h - `cajal set`: a key and a value of a job file, as people write
 * them, for a job that runs. Texts come from outside. */
#ifndef COORDINATOR_SHELL_REQUESTS_SETTING_H
#define COORDINATOR_SHELL_REQUESTS_SETTING_H

#include "proto/grant.h"
#include "proto/job.h"

/* why holds ERROR_BYTES_MAX. INVALID: no such key, one that cannot change while
 * the job runs, or not a value of this key. */
enum status setting_parse(const struct job_spec *spec,
                          const char *key,
                          const char *value,
                          struct grant_setting *out,
                          char *why) MUST_CHECK;

#endif /* COORDINATOR_SHELL_REQUESTS_SETTING_H */
