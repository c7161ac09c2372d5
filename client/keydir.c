#include "client/keydir.h"

#include "base/conf.h"
#include "base/mem.h"
#include "client/keydir_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum status keydir_say(struct keydir *dir,
                       enum status status,
                       const char *format,
                       ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(dir->why, sizeof(dir->why), format, arguments);
    va_end(arguments);
    return status;
}

enum status keydir_path(struct keydir *dir,
                        char out[PATH_BYTES_MAX],
                        const char *format,
                        ...)
{
    char name[2 * NAME_BYTES_MAX];
    va_list arguments;
    int length = 0;

    va_start(arguments, format);
    length = vsnprintf(name, sizeof(name), format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof(name) ||
        keyfile_path(dir->path, name, out) != STATUS_OK) {
        return keydir_say(dir, STATUS_INVALID, "the path %s is too long.",
                          dir->path);
    }
    return STATUS_OK;
}

static enum status fault(struct keydir *dir, const char *path)
{
    return keydir_say(dir, STATUS_IO, "%s cannot be written: %s.", path,
                      strerror(errno));
}

/* --- Finding and locking --- */

enum status keydir_choose(const char *flag, char out[PATH_BYTES_MAX])
{
    const char *path =
        flag != NULL ? flag : conf_environment("CAJAL_KEYS", NULL);

    if (path == NULL) {
        return keyfile_default_dir(out);
    }
    if (strlen(path) >= PATH_BYTES_MAX || path[0] == '\0') {
        return STATUS_NOT_FOUND;
    }
    (void)snprintf(out, PATH_BYTES_MAX, "%s", path);
    return STATUS_OK;
}

/* Makes a directory and what is missing above it. */
static bool make_all(const char *path)
{
    char part[PATH_BYTES_MAX];
    size_t length = strlen(path);

    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != '\0') {
            continue;
        }
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST) {
            return false;
        }
    }
    return true;
}

enum status keydir_open(const char *path, bool create, struct keydir *out)
{
    char lock[PATH_BYTES_MAX];

    *out = (struct keydir){.lock = -1, .now_s = (int64_t)time(NULL)};
    (void)snprintf(out->path, sizeof(out->path), "%s", path);
    if (create && !make_all(path)) {
        return fault(out, path);
    }
    if (!keydir_has(path)) {
        return keydir_say(out, STATUS_NOT_FOUND,
                          "there are no keys in %s. Make them: cajal keys init",
                          path);
    }
    if (keydir_path(out, lock, ".lock") != STATUS_OK) {
        return STATUS_INVALID;
    }
    out->lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (out->lock < 0) {
        return fault(out, lock);
    }
    if (flock(out->lock, LOCK_EX | LOCK_NB) != 0) {
        (void)close(out->lock);
        out->lock = -1;
        return keydir_say(out, STATUS_CONFLICT,
                          "another command is changing %s. Try again.", path);
    }
    return STATUS_OK;
}

void keydir_close(struct keydir *dir)
{
    if (dir->lock >= 0) {
        (void)close(dir->lock);
    }
    dir->lock = -1;
}

bool keydir_has(const char *path)
{
    return access(path, F_OK) == 0;
}

enum status keydir_make(struct keydir *dir, const char *path)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return fault(dir, path);
    }
    return STATUS_OK;
}

/* --- Writing --- */

static bool write_all(int fd, const char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        ssize_t done = write(fd, text, left);

        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return false;
        }
        text += done;
        left -= (size_t)done;
    }
    return true;
}

/* The name is durable once the directory that holds it is. */
static bool settle_name(const char *path)
{
    char parent[PATH_BYTES_MAX];
    char *slash = NULL;
    int fd = -1;
    bool done = false;

    (void)snprintf(parent, sizeof(parent), "%s", path);
    slash = strrchr(parent, '/');
    if (slash == NULL) {
        return true;
    }
    *slash = '\0';
    fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    done = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return done;
}

/* link refuses where rename would replace. */
static bool place(const char *draft, const char *path, bool over)
{
    if (over) {
        return rename(draft, path) == 0;
    }
    return link(draft, path) == 0 && unlink(draft) == 0;
}

enum status keydir_put(struct keydir *dir,
                       const char *path,
                       const char *text,
                       bool secret,
                       enum keydir_write how)
{
    char draft[PATH_BYTES_MAX + 32];
    bool over = how == WRITE_OVER || dir->force;
    enum status status = STATUS_OK;
    int fd = -1;

    (void)snprintf(draft, sizeof(draft), "%s.%ld.tmp", path, (long)getpid());
    (void)unlink(draft); /* of a process of the same number that died */
    fd =
        open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return fault(dir, draft);
    }
    if (!write_all(fd, text) || fchmod(fd, secret ? 0600 : 0644) != 0 ||
        fsync(fd) != 0) {
        status = fault(dir, draft);
    }
    (void)close(fd);
    if (status == STATUS_OK && !place(draft, path, over)) {
        status = errno == EEXIST
                     ? keydir_say(dir, STATUS_CONFLICT,
                                  "%s is there already. To replace it: "
                                  "--force",
                                  path)
                     : fault(dir, path);
    }
    if (status != STATUS_OK) {
        (void)unlink(draft);
        return status;
    }
    return settle_name(path) ? STATUS_OK : fault(dir, path);
}

enum status keydir_get(struct keydir *dir,
                       const char *path,
                       enum keyfile_kind kind,
                       char *text,
                       size_t size)
{
    struct keyfile file = {.text = NULL};
    enum status status =
        keyfile_read(path, kind, size - 1, &file, dir->why, sizeof(dir->why));

    if (status == STATUS_NOT_FOUND) {
        text[0] = '\0';
        return STATUS_OK;
    }
    if (status == STATUS_OK) {
        memcpy(text, file.text, file.size + 1);
    }
    keyfile_free(&file);
    return status;
}

enum status keydir_retire(struct keydir *dir,
                          const char *path,
                          const char *name)
{
    char to[PATH_BYTES_MAX];
    char stamp[32];
    time_t now = (time_t)dir->now_s;
    struct tm parts;
    enum status status = STATUS_OK;

    if (!keydir_has(path)) {
        return STATUS_OK;
    }
    (void)gmtime_r(&now, &parts);
    (void)strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &parts);
    for (int again = 1; again < 100 && status == STATUS_OK; again++) {
        char more[8] = "";

        if (again > 1) { /* twice within a second */
            (void)snprintf(more, sizeof(more), ".%d", again);
        }
        status = keydir_path(dir, to, "revoked/%s%s-%s", stamp, more, name);
        if (status == STATUS_OK && !keydir_has(to)) {
            break;
        }
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (rename(path, to) != 0) {
        return fault(dir, to);
    }
    return settle_name(to) && settle_name(path) ? STATUS_OK : fault(dir, to);
}

/* --- The authority and the lists --- */

enum status keydir_load_ca(struct keydir *dir, struct x509_pair *out)
{
    char path[PATH_BYTES_MAX];
    enum status status = keydir_path(dir, path, "ca.crt");

    if (status == STATUS_OK) {
        status = keydir_get(dir, path, KEYFILE_PUBLIC, out->certificate,
                            sizeof(out->certificate));
    }
    if (status == STATUS_OK) {
        status = keydir_path(dir, path, "ca.key");
    }
    if (status == STATUS_OK) {
        status =
            keydir_get(dir, path, KEYFILE_SECRET, out->key, sizeof(out->key));
    }
    if (status == STATUS_OK &&
        (out->certificate[0] == '\0' || out->key[0] == '\0')) {
        status = keydir_say(dir, STATUS_NOT_FOUND,
                            "%s has no authority (ca.crt and ca.key). Make "
                            "one: cajal keys init",
                            dir->path);
    }
    return status;
}

static bool begins_with(const char *line, const char *name)
{
    size_t length = 0;

    line += strspn(line, " \t");
    length = strcspn(line, " \t\r\n#");
    return length == strlen(name) && memcmp(line, name, length) == 0;
}

enum status keydir_edit(struct keydir *dir,
                        const char *file,
                        const char *name,
                        const char *line)
{
    char path[PATH_BYTES_MAX];
    size_t size = KEYFILE_LIST_BYTES_MAX + 1;
    char *text = mem_new(size);
    char *edited = mem_new(size + 1); /* a line break that was missing */
    size_t used = 0;
    enum status status = keydir_path(dir, path, "%s", file);

    if (text == NULL || edited == NULL) {
        status = keydir_say(dir, STATUS_NO_MEMORY, "out of memory.");
    }
    if (status == STATUS_OK) {
        status = keydir_get(dir, path, KEYFILE_PUBLIC, text, size);
    }
    for (const char *at = text; status == STATUS_OK && *at != '\0';) {
        size_t length = strcspn(at, "\n");

        length += at[length] == '\n';
        if (!begins_with(at, name)) {
            memcpy(edited + used, at, length);
            used += length;
        }
        at += length;
    }
    if (status == STATUS_OK && used > 0 && edited[used - 1] != '\n') {
        edited[used++] = '\n';
    }
    if (status == STATUS_OK && line != NULL) {
        if (used + strlen(line) + 1 >= size) {
            status = keydir_say(dir, STATUS_FULL, "%s is full.", path);
        } else {
            (void)snprintf(edited + used, size - used, "%s\n", line);
        }
    }
    if (status == STATUS_OK) {
        status = keydir_put(dir, path, edited, false, WRITE_OVER);
    }
    mem_free(text);
    mem_free(edited);
    return status;
}
