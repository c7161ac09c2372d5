#include "base/keyfile.h"

#include "base/conf.h"
#include "base/mem.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum status say(char *why,
                       size_t why_size,
                       enum status status,
                       const char *path,
                       const char *what)
{
    (void)snprintf(why, why_size, "%s %s", path, what);
    return status;
}

static enum status judge(const struct stat *info,
                         const char *path,
                         enum keyfile_kind kind,
                         char *why,
                         size_t why_size)
{
    if (!S_ISREG(info->st_mode)) {
        return say(why, why_size, STATUS_INVALID, path, "is no file.");
    }
    if (info->st_uid != geteuid() && info->st_uid != 0) {
        return say(why, why_size, STATUS_REFUSED, path,
                   "belongs to somebody else, so it cannot be relied on.");
    }
    if (kind == KEYFILE_SECRET && (info->st_mode & 077) != 0) {
        (void)snprintf(why, why_size,
                       "%s is a secret that others can read (mode %03o). If "
                       "nobody did: chmod 600 %s. Else make a new one: cajal "
                       "keys rotate",
                       path, (unsigned)(info->st_mode & 0777), path);
        return STATUS_REFUSED;
    }
    if ((info->st_mode & 022) != 0) {
        (void)snprintf(why, why_size,
                       "%s can be changed by others (mode %03o): chmod go-w %s",
                       path, (unsigned)(info->st_mode & 0777), path);
        return STATUS_REFUSED;
    }
    return STATUS_OK;
}

static enum status tell_errno(char *why, size_t why_size, const char *path)
{
    enum status status =
        errno == ENOENT || errno == ENOTDIR ? STATUS_NOT_FOUND : STATUS_IO;

    (void)snprintf(why, why_size, "%s cannot be read: %s.", path,
                   strerror(errno));
    return status;
}

/* Reads to the end, or one byte more than may be. */
static bool read_all(int fd, char *to, size_t room, size_t *out_size)
{
    size_t size = 0;

    while (size < room) {
        ssize_t got = read(fd, to + size, room - size);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return false;
        }
        if (got == 0) {
            break;
        }
        size += (size_t)got;
    }
    *out_size = size;
    return true;
}

static enum status take(int fd,
                        const char *path,
                        size_t bytes_max,
                        struct keyfile *out,
                        char *why,
                        size_t why_size)
{
    struct keyfile file = {.text = mem_new(bytes_max + 1)};

    if (file.text == NULL) {
        return say(why, why_size, STATUS_NO_MEMORY, path,
                   "does not fit into memory.");
    }
    if (!read_all(fd, file.text, bytes_max + 1, &file.size)) {
        enum status status = tell_errno(why, why_size, path);

        keyfile_free(&file);
        return status;
    }
    if (file.size > bytes_max || memchr(file.text, '\0', file.size) != NULL) {
        keyfile_free(&file);
        return say(why, why_size, STATUS_INVALID, path,
                   "is too large, or no text.");
    }
    file.text[file.size] = '\0';
    *out = file;
    return STATUS_OK;
}

enum status keyfile_read(const char *path,
                         enum keyfile_kind kind,
                         size_t bytes_max,
                         struct keyfile *out,
                         char *why,
                         size_t why_size)
{
    struct stat info;
    /* A named pipe in its place must not hang us. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    enum status status = STATUS_OK;

    if (fd < 0) {
        return tell_errno(why, why_size, path);
    }
    if (fstat(fd, &info) != 0) {
        status = tell_errno(why, why_size, path);
    } else {
        status = judge(&info, path, kind, why, why_size);
    }
    if (status == STATUS_OK) {
        status = take(fd, path, bytes_max, out, why, why_size);
    }
    (void)close(fd);
    return status;
}

void keyfile_free(struct keyfile *file)
{
    /* volatile: the compiler may not leave out a store that nobody reads. */
    volatile char *text = file->text;

    for (size_t i = 0; text != NULL && i < file->size; i++) {
        text[i] = '\0';
    }
    mem_free(file->text);
    *file = (struct keyfile){.text = NULL};
}

enum status keyfile_path(const char *dir,
                         const char *name,
                         char out[PATH_BYTES_MAX])
{
    return PATH_JOIN(out, PATH_BYTES_MAX, dir, "/", name);
}

enum status keyfile_default_dir(char out[PATH_BYTES_MAX])
{
    const char *config = conf_environment("XDG_CONFIG_HOME", NULL);
    const char *home = conf_environment("HOME", NULL);

    if (config != NULL && config[0] == '/') {
        return keyfile_path(config, "cajal/keys", out);
    }
    if (home != NULL && home[0] == '/') {
        return keyfile_path(home, ".config/cajal/keys", out);
    }
    return STATUS_NOT_FOUND;
}

uint64_t keyfile_stamp(const char *path)
{
    struct stat info;
    uint64_t stamp = 0;

    if (stat(path, &info) != 0) {
        return 0;
    }
    stamp = (uint64_t)info.st_mtim.tv_sec * 1000000000U +
            (uint64_t)info.st_mtim.tv_nsec;
    stamp = (stamp ^ (uint64_t)info.st_ino * 0x9e3779b97f4a7c15U) +
            (uint64_t)info.st_size;
    return stamp != 0 ? stamp : 1;
}
