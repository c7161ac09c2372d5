/* cajal-worker: hosts shards of models and trains them. */
#include "base/conf.h"
#include "base/limits.h"
#include "base/log.h"
#include "worker/shell/host.h"
#include "worker/shell/settings.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    EXIT_USAGE = 2,
    HELP_BYTES = 8192,
    /* What glibc allows at most, and as much as two points of a large job. */
    MAPPED_BYTES = 32 << 20,
    SPARE_BYTES = 1 << 30
};

static int usage(enum status status, const char *message)
{
    if (status == STATUS_NOT_FOUND) {
        (void)printf("%s", message);
        return 0;
    }
    if (status == STATUS_CONFLICT) {
        (void)printf("cajal-worker %s\n", CAJAL_VERSION);
        return 0;
    }
    (void)fprintf(stderr, "cajal-worker: %s\nhint: cajal-worker --help\n",
                  message);
    return EXIT_USAGE;
}

static bool is_set(const char *name, const char *value)
{
    return strcmp(conf_environment(name, ""), value) == 0;
}

/* OpenBLAS reads these when it is loaded, which is before main: a process that
 * finds others starts itself again, under the same argv. Its threads must be
 * one, since their number changes the bits. */
static void pin_kernels(const char *kernels, char **argv)
{
    bool choose = strcmp(kernels, "auto") == 0;
    const char *wanted = choose ? "" : kernels;

    if (is_set("OPENBLAS_CORETYPE", wanted) &&
        is_set("OPENBLAS_NUM_THREADS", "1")) {
        return;
    }
    if ((choose ? unsetenv("OPENBLAS_CORETYPE")
                : setenv("OPENBLAS_CORETYPE", kernels, 1)) == 0 &&
        setenv("OPENBLAS_NUM_THREADS", "1", 1) == 0) {
        (void)execv("/proc/self/exe", argv);
    }
    (void)fprintf(stderr,
                  "cajal-worker: cannot start itself again with "
                  "OPENBLAS_CORETYPE=%s OPENBLAS_NUM_THREADS=1: set them "
                  "yourself\n",
                  kernels);
    exit(EXIT_FAILURE);
}

/* Copies of shards and frames come and go by the megabyte. Memory that is given
 * back to the system and asked for again costs a page fault for every 4 kB,
 * which takes many times as long as the copying: see README.md. */
static void keep_freed_memory(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, SPARE_BYTES);
}

static int open_log(const struct settings *settings)
{
    int fd = STDERR_FILENO;

    if (settings->log_file[0] != '\0') {
        fd = open(settings->log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
                  0600);
    }
    if (fd >= 0) {
        log_open(fd, settings->level, settings->name);
    }
    return fd;
}

int main(int argc, char **argv)
{
    static struct settings settings;
    static char message[HELP_BYTES];
    struct host *host = NULL;
    int code = EXIT_FAILURE;
    enum status status =
        settings_parse(argc, argv, &settings, message, sizeof(message));

    if (status != STATUS_OK) {
        return usage(status, message);
    }
    pin_kernels(settings.kernels, argv);
    keep_freed_memory();
    if (open_log(&settings) < 0) {
        (void)fprintf(stderr, "cajal-worker: cannot write the log %s\n",
                      settings.log_file);
        return EXIT_FAILURE;
    }
    if (host_open(&settings, &host) != STATUS_OK) {
        (void)fprintf(
            stderr, "cajal-worker: could not start, see the log%s%s\n",
            settings.log_file[0] != '\0' ? " " : "", settings.log_file);
        return EXIT_FAILURE;
    }
    code = host_run(host);
    host_close(host);
    return code;
}
