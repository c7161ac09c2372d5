/* identity.h - what tells this process from every other, and from earlier
 * lives of its name. */
#ifndef WORKER_SHELL_IDENTITY_H
#define WORKER_SHELL_IDENTITY_H

#include "base/limits.h"
#include "worker/shell/settings.h"

struct identity {
    uint64_t incarnation;                 /* random */
    char routing_id[NAME_BYTES_MAX + 24]; /* of the control link */
    /* What the data link binds. An ipc path is new for each process, so that
     * what an earlier life has left behind is not touched. */
    char endpoint[ENDPOINT_BYTES_MAX];
    char vault_endpoint[ENDPOINT_BYTES_MAX]; /* likewise, of the vault link */
};

/* IO: no randomness; INVALID: the path is too long for an endpoint. */
enum status identity_draw(const struct settings *settings,
                          struct identity *out) MUST_CHECK;

#endif /* WORKER_SHELL_IDENTITY_H */
