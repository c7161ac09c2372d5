/* settings.h - what a worker process is told at its start. */
#ifndef WORKER_SHELL_SETTINGS_H
#define WORKER_SHELL_SETTINGS_H

#include "base/limits.h"
#include "base/log.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct settings {
    char store[PATH_BYTES_MAX];   /* for people who look at processes */
    char runtime[PATH_BYTES_MAX]; /* directory of ipc sockets */
    char name[PATH_BYTES_MAX];
    char connect[PATH_BYTES_MAX]; /* the coordinator's control endpoint */
    char data[PATH_BYTES_MAX];    /* to bind; empty: ipc in runtime */
    char vault[PATH_BYTES_MAX];   /* likewise, for copies of shards */
    char kernels[PATH_BYTES_MAX]; /* OpenBLAS core type, or "auto" */
    char log[PATH_BYTES_MAX];
    char log_file[PATH_BYTES_MAX];
    uint64_t threads;
    char keys[PATH_BYTES_MAX];       /* this worker's bundle; "": none */
    char data_curve[PATH_BYTES_MAX]; /* "on" or "off" */
    bool curve;                      /* data_curve is "on" */
    bool insecure;
    enum log_level level; /* of log */
};

/* From defaults, CAJAL_NAME and flags. As conf_parse: INVALID with a sentence
 * in message, NOT_FOUND with the text of --help, CONFLICT with the version. */
enum status settings_parse(int argc,
                           char **argv,
                           struct settings *out,
                           char *message,
                           size_t message_size) MUST_CHECK;

/* A tcp endpoint that other machines may reach. */
bool settings_is_beyond_loopback(const char *endpoint);

#endif /* WORKER_SHELL_SETTINGS_H */
