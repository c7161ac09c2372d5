/* tell.h - the messages that a worker sends about itself and its sessions. */
#ifndef WORKER_SHELL_TELL_H
#define WORKER_SHELL_TELL_H

#include "worker/shell/control.h"
#include "worker/shell/fingerprint.h"
#include "worker/shell/settings.h"
#include "worker/shell/trust.h"

/* Only now, or not at all: see control.h. */
void tell_hello(struct control *control,
                const struct settings *settings,
                const struct fingerprint *fingerprint,
                uint64_t incarnation,
                const char *endpoint,
                const char *vault_endpoint,
                const struct trust *trust);
void tell_heartbeat(struct control *control,
                    const struct wire_heartbeat *heartbeat);
void tell_goodbye(struct control *control);
void tell_leave(struct control *control);

/* Kept until the coordinator can be reached. why: a sentence where status is
 * not OK. */
void tell_opened(struct control *control,
                 uint64_t job,
                 enum status status,
                 const struct data_shape *shape,
                 const char *why);
void tell_ready(struct control *control,
                uint64_t job,
                uint64_t term,
                enum status status,
                const char *why);
void tell_fault(struct control *control,
                uint64_t job,
                uint64_t term,
                enum fault_kind kind,
                const char *why);

/* Any message; what cannot be kept is logged, and missed in time. */
void tell(struct control *control, const struct wire *message);

#endif /* WORKER_SHELL_TELL_H */
