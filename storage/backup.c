/* backup.c - a copy of the whole store under another name.
 *
 *     DIR.partial/owner.lock   flock, so that two backups to DIR do not mix
 *     DIR.partial/data.mdb     written, synced
 *     DIR                      renamed, its directory synced
 *
 * What a killed backup left is written over by the next one to the same name.
 */
#include "storage/inside.h"

#include "base/limits.h"
#include "base/log.h"
#include "storage/datafile.h"
#include "storage/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIR_MODE = 0700, FILE_MODE = 0600 };

struct backup {
    struct store *store;
    char *why;
    size_t why_size;
    char dir[PATH_BYTES_MAX];
    char partial[PATH_BYTES_MAX];
    int place; /* the directory DIR.partial */
    int lock;
    int file;
};

static enum status failed(const struct backup *b, const char *call)
{
    int code = errno;

    snprintf(b->why, b->why_size, "cannot write a backup to %s: %s", b->dir,
             strerror(code));
    log_line(LOG_ERROR, "storage", "backup_failed", "call=%s dir=%s errno=%d",
             call, b->dir, code);
    return code == ENOSPC || code == EDQUOT || code == EFBIG ? STATUS_FULL
                                                             : STATUS_IO;
}

static enum status refuse(const struct backup *b, const char *reason)
{
    snprintf(b->why, b->why_size, "%s %s; a backup goes to a new directory",
             b->dir, reason);
    return STATUS_CONFLICT;
}

static enum status take_path(struct backup *b, const char *dir)
{
    static const char suffix[] = ".partial";
    size_t size = strlen(dir);

    while (size > 1 && dir[size - 1] == '/') {
        size--;
    }
    if (size == 0 || size + sizeof(suffix) > PATH_BYTES_MAX ||
        (size == 1 && dir[0] == '/')) {
        snprintf(b->why, b->why_size, "\"%.64s\" is no directory for a backup",
                 dir);
        return STATUS_INVALID;
    }
    memcpy(b->dir, dir, size);
    b->dir[size] = '\0';
    memcpy(b->partial, b->dir, size);
    memcpy(b->partial + size, suffix, sizeof(suffix));
    return STATUS_OK;
}

/* rename(2) replaces an empty directory, and nothing else. This look comes
 * first only so that nobody waits for a refusal. */
static enum status check_target(const struct backup *b)
{
    struct dirent *entry = NULL;
    bool empty = true;
    DIR *names = NULL;
    int fd = open(b->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT) {
        return STATUS_OK;
    }
    if (fd < 0 && errno == ENOTDIR) {
        return refuse(b, "is no directory");
    }
    names = fd < 0 ? NULL : fdopendir(fd);
    if (names == NULL) {
        enum status status = failed(b, "open");

        if (fd >= 0) {
            close(fd);
        }
        return status;
    }
    while (empty && (entry = readdir(names)) != NULL) {
        empty =
            strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    }
    closedir(names);
    return empty ? STATUS_OK : refuse(b, "is not empty");
}

/* Some network filesystems have no locks: then the name must do, and what an
 * earlier backup has left there is not ours to take away. */
static enum status claim(struct backup *b)
{
    bool made = mkdir(b->partial, DIR_MODE) == 0;

    if (!made && errno != EEXIST) {
        return failed(b, "mkdir");
    }
    b->place =
        open(b->partial, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (b->place < 0) {
        return failed(b, "open");
    }
    b->lock = openat(b->place, "owner.lock",
                     O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    if (b->lock < 0) {
        return failed(b, "openat");
    }
    if (flock(b->lock, LOCK_EX | LOCK_NB) != 0 &&
        (errno == EWOULDBLOCK || !made)) {
        snprintf(b->why, b->why_size,
                 "another backup is writing to %s, or has left %s", b->dir,
                 b->partial);
        close(b->lock); /* what is there is the other's */
        b->lock = -1;
        return STATUS_CONFLICT;
    }
    if (unlinkat(b->place, "data.mdb", 0) != 0 && errno != ENOENT) {
        return failed(b, "unlinkat");
    }
    return STATUS_OK;
}

static enum status write_copy(struct backup *b, uint64_t *out_bytes)
{
    struct stat file;
    enum status status = STATUS_OK;

    b->file =
        openat(b->place, "data.mdb",
               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    if (b->file < 0) {
        return failed(b, "openat");
    }
    status = kv_copy(b->store->kv, b->file);
    if (status != STATUS_OK) {
        snprintf(b->why, b->why_size, "cannot write a backup to %s: %s", b->dir,
                 status == STATUS_CORRUPT ? "the store is damaged. Run verify"
                                          : status_text(status));
        return status;
    }
    if (fsync(b->file) != 0 || fstat(b->file, &file) != 0) {
        return failed(b, "fsync");
    }
    *out_bytes = (uint64_t)file.st_size;
    return place_sync(b->partial);
}

/* Puts it under its name. */
static enum status publish(struct backup *b)
{
    char above[PATH_BYTES_MAX];
    char *slash = NULL;

    if (rename(b->partial, b->dir) != 0) {
        if (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR) {
            return refuse(b, "is not empty");
        }
        return failed(b, "rename");
    }
    close(b->lock); /* it has its name: whatever comes now, it stays */
    b->lock = -1;
    memcpy(above, b->dir, sizeof(above));
    slash = strrchr(above, '/');
    if (slash == NULL) {
        memcpy(above, ".", sizeof("."));
    } else {
        slash[slash == above ? 1 : 0] = '\0';
    }
    return place_sync(above);
}

static void close_fd(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

/* Takes away what has no name yet; only what is ours, that is, locked. */
static void clear(const struct backup *b)
{
    if (b->lock >= 0) {
        (void)unlinkat(b->place, "data.mdb", 0);
        (void)unlinkat(b->place, "owner.lock", 0);
        (void)rmdir(b->partial);
    }
}

enum status store_backup(struct store *store,
                         const char *dir,
                         char *why,
                         size_t why_size,
                         uint64_t *out_bytes)
{
    struct backup b = {.store = store,
                       .why = why,
                       .why_size = why_size,
                       .place = -1,
                       .lock = -1,
                       .file = -1};
    uint64_t bytes = 0;
    enum status status = take_path(&b, dir);

    if (status == STATUS_OK) {
        status = check_target(&b);
    }
    if (status == STATUS_OK) {
        status = claim(&b);
    }
    if (status == STATUS_OK) {
        status = write_copy(&b, &bytes);
    }
    if (status == STATUS_OK) {
        status = publish(&b);
    }
    if (status != STATUS_OK) {
        clear(&b);
    } else {
        *out_bytes = bytes;
    }
    close_fd(b.file);
    close_fd(b.lock);
    close_fd(b.place);
    return status;
}

uint64_t store_backup_bytes(const char *dir)
{
    char why[ERROR_BYTES_MAX];
    struct backup b = {.why = why, .why_size = sizeof(why)};

    if (take_path(&b, dir) != STATUS_OK) {
        return 0;
    }
    return datafile_bytes(b.partial);
}

void store_backup_forget(const char *dir)
{
    char why[ERROR_BYTES_MAX];
    struct backup b = {
        .why = why, .why_size = sizeof(why), .place = -1, .lock = -1};
    struct stat place;

    if (take_path(&b, dir) != STATUS_OK || lstat(b.partial, &place) != 0) {
        return;
    }
    if (claim(&b) == STATUS_OK) {
        clear(&b);
    }
    close_fd(b.lock);
    close_fd(b.place);
}
