#include "storage/place.h"

#include "base/limits.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a job learns from its data is as private as the data. */
enum { DIR_MODE = 0700, FILE_MODE = 0600, PID_BYTES_MAX = 32 };

static enum status failed(const struct place_options *options, const char *call)
{
    int code = errno;

    snprintf(options->why, options->why_size,
             "cannot use the directory %s for a store: %s", options->dir,
             strerror(code));
    log_line(LOG_ERROR, "storage", "place_failed", "call=%s dir=%s errno=%d",
             call, options->dir, code);
    return code == ENOSPC || code == EDQUOT ? STATUS_FULL : STATUS_IO;
}

enum status place_sync(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int code = fd < 0 ? errno : 0;

    /* Some filesystems have nothing to sync for a directory. */
    if (code == 0 && fsync(fd) != 0 && errno != EINVAL) {
        code = errno;
    }
    if (fd >= 0) {
        close(fd);
    }
    if (code != 0) {
        log_line(LOG_ERROR, "storage", "dir_sync_failed", "dir=%s errno=%d",
                 dir, code);
        return STATUS_IO;
    }
    return STATUS_OK;
}

/* The directory that holds path: "/a" for "/a/b", "." for "b". */
static void parent_of(const char *path, char out[PATH_BYTES_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t size = slash == NULL ? 0 : (size_t)(slash - path);

    if (slash == NULL) {
        memcpy(out, ".", sizeof("."));
        return;
    }
    size = size > 0 ? size : 1; /* the root */
    memcpy(out, path, size);
    out[size] = '\0';
}

/* One directory, and its name on the disk. That it is there is success. */
static bool make_dir(const char *path)
{
    char parent[PATH_BYTES_MAX];
    struct stat status;

    if (mkdir(path, DIR_MODE) == 0) {
        parent_of(path, parent);
        return place_sync(parent) == STATUS_OK;
    }
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static enum status make_dirs(const struct place_options *options)
{
    char path[PATH_BYTES_MAX];
    size_t size = strlen(options->dir);

    if (size == 0 || size >= sizeof(path)) {
        snprintf(options->why, options->why_size,
                 "the path of a store has 1 to %d bytes, not %zu",
                 PATH_BYTES_MAX - 1, size);
        return STATUS_INVALID;
    }
    memcpy(path, options->dir, size + 1);
    while (size > 1 && path[size - 1] == '/') {
        path[--size] = '\0';
    }
    for (char *at = path + 1; *at != '\0'; at++) {
        if (*at == '/') {
            *at = '\0';
            (void)make_dir(path); /* if it fails, so does what lies below */
            *at = '/';
        }
    }
    return make_dir(path) ? STATUS_OK : failed(options, "mkdir");
}

static enum status refuse_network(const struct place_options *options)
{
    struct filesystem filesystem;
    const char *network = NULL;
    enum status status = STATUS_OK;

    if (options->filesystem != NULL) {
        filesystem = *options->filesystem;
    } else {
        status = filesystem_of(options->dir, &filesystem);
    }
    if (status != STATUS_OK) {
        return failed(options, "statfs");
    }
    network = filesystem_network(&filesystem);
    if (network == NULL) {
        return STATUS_OK;
    }
    snprintf(options->why, options->why_size,
             "%s lies on a network filesystem (%s), where a store would be "
             "damaged sooner or later; choose a directory on a local disk",
             options->dir, network);
    return STATUS_UNSUPPORTED;
}

static enum status conflict(const struct place_options *options, int lock)
{
    char text[PID_BYTES_MAX] = "";
    ssize_t size = pread(lock, text, sizeof(text) - 1, 0);
    long pid = size > 0 ? strtol(text, NULL, 10) : 0;

    if (pid > 0) {
        snprintf(options->why, options->why_size,
                 "the store in %s is open in process %ld", options->dir, pid);
    } else {
        snprintf(options->why, options->why_size,
                 "the store in %s is open in another process", options->dir);
    }
    return STATUS_CONFLICT;
}

/* Who holds the lock writes its pid for others to name; should that fail, the
 * lock holds nevertheless. */
static void write_pid(int lock)
{
    char text[PID_BYTES_MAX] = "";
    int size = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

    if (ftruncate(lock, 0) != 0 || pwrite(lock, text, (size_t)size, 0) < 0) {
        log_line(LOG_WARN, "storage", "owner_pid_failed", "errno=%d", errno);
    }
}

enum status place_claim(const struct place_options *options, int *out)
{
    char path[PATH_BYTES_MAX + sizeof("/owner.lock")];
    enum status status = make_dirs(options);
    int lock = -1;

    if (status == STATUS_OK) {
        status = refuse_network(options);
    }
    if (status != STATUS_OK) {
        return status;
    }
    snprintf(path, sizeof(path), "%s/owner.lock", options->dir);
    lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);
    if (lock < 0) {
        return failed(options, "open");
    }
    if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
        status = errno == EWOULDBLOCK ? conflict(options, lock)
                                      : failed(options, "flock");
        close(lock);
        return status;
    }
    write_pid(lock);
    *out = lock;
    return STATUS_OK;
}

void place_release(int lock)
{
    if (lock >= 0) {
        close(lock);
    }
}
