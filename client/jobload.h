/* jobload.h - reads and checks a job file before anything starts.
 *
 * Errors are printed here, all at once, with file, line and column; as JSON
 * where the command asked for it. A relative data directory is meant from the
 * job file's own place and becomes absolute, since workers run elsewhere. */
#ifndef CLIENT_JOBLOAD_H
#define CLIENT_JOBLOAD_H

#include "client/tool.h"
#include "proto/jobfile.h"

struct jobload {
    struct job_spec spec;
    struct jobfile_origins origins;
    char *text; /* the file; NUL-terminated */
    size_t text_size;
};

/* An exit code. jobload_close also after a failure. */
int jobload_open(const struct tool *tool,
                 const char *path,
                 struct jobload **out);
void jobload_close(struct jobload *load); /* accepts NULL */

#endif /* CLIENT_JOBLOAD_H */
