/* override.h - `--set train.lr=3e-4`: a value put into a job file's tree.
 *
 * The key is a path, the value is YAML (`[256, 256]` works). What is not there
 * yet is added, a short form becomes the long one (train.optimizer.momentum
 * may be set where the file says `optimizer: sgd`). The schema then judges the
 * value as if it stood in the file. */
#ifndef PROTO_OVERRIDE_H
#define PROTO_OVERRIDE_H

#include "base/status.h"
#include "proto/jobfileerror.h"
#include "proto/yamldoc.h"
#include <stdint.h>

/* number: 1 for the first override; marks the nodes. root is a mapping.
 * INVALID: an error was added. Borrows the override as long as doc lives. */
enum status override_apply(struct yamldoc *doc,
                           struct yamlnode *root,
                           const char *override,
                           uint32_t number,
                           struct jobfile_errors *errors) MUST_CHECK;

#endif /* PROTO_OVERRIDE_H */
