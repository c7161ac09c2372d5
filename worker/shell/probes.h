/* probes.h - the coordinator asks what some data are: they are opened, and
 * their shape is told. */
#ifndef WORKER_SHELL_PROBES_H
#define WORKER_SHELL_PROBES_H

#include "worker/shell/control.h"
#include "worker/shell/streams.h"

enum { PROBES_MAX = 4 }; /* at once; a job asks one worker, once */

struct probe {
    struct probes *probes;
    bool used;
    uint64_t job;
};

/* Part of its host. Borrows both for its life. */
struct probes {
    struct control *control;
    struct streams *streams;
    struct probe items[PROBES_MAX];
};

void probes_init(struct probes *probes,
                 struct control *control,
                 struct streams *streams);

/* Answers with OPENED, now or when the data are open. */
void probes_begin(struct probes *probes, const struct wire_open *open);

#endif /* WORKER_SHELL_PROBES_H */
