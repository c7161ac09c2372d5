#define _XOPEN_SOURCE 700 /* realpath */

#include "client/place.h"

#include "base/conf.h"
#include "base/hash.h"
#include "base/path.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* The XDG rules: a variable that is empty or relative counts as not set. */
static bool is_absolute(const char *path)
{
    return path != NULL && path[0] == '/';
}

static bool is_given(const char *path)
{
    return path != NULL && path[0] != '\0';
}

enum status place_choose_store(const struct place_inputs *inputs,
                               char *out,
                               size_t size)
{
    if (is_given(inputs->store_flag)) {
        return PATH_JOIN(out, size, inputs->store_flag);
    }
    if (is_given(inputs->cajal_store)) {
        return PATH_JOIN(out, size, inputs->cajal_store);
    }
    if (is_absolute(inputs->xdg_data_home)) {
        return PATH_JOIN(out, size, inputs->xdg_data_home, "/cajal/store");
    }
    if (is_absolute(inputs->home)) {
        return PATH_JOIN(out, size, inputs->home, "/.local/share/cajal/store");
    }
    return STATUS_INVALID;
}

enum status place_choose_runtime(const struct place_inputs *inputs,
                                 const char *real_store,
                                 unsigned choice,
                                 char *out,
                                 size_t size)
{
    struct hash hash;
    char key[2 * PLACE_KEY_BYTES + 1];
    char user[16];
    char path[SOCKET_PATH_BYTES_MAX];
    bool fits = false;

    hash_bytes(real_store, strlen(real_store), &hash);
    hash_hex(&hash, PLACE_KEY_BYTES, key);
    (void)snprintf(user, sizeof(user), "%u", (unsigned)inputs->user);
    fits = is_absolute(inputs->xdg_runtime_dir) &&
           PATH_JOIN(path, sizeof(path), inputs->xdg_runtime_dir, "/cajal/",
                     key, "/control.sock") == STATUS_OK;
    if (fits && choice == 0) {
        return PATH_JOIN(out, size, inputs->xdg_runtime_dir, "/cajal/", key);
    }
    if (choice == (fits ? 1 : 0)) {
        return PATH_JOIN(out, size, "/tmp/cajal-", user, "/", key);
    }
    return STATUS_NOT_FOUND;
}

/* Makes path and what is missing above it, 0700 each. */
static enum status make_directories(const char *path)
{
    char part[PATH_BYTES_MAX];
    size_t length = strlen(path);

    if (length == 0 || length >= sizeof(part)) {
        return STATUS_INVALID;
    }
    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != '\0') {
            continue;
        }
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST && errno != EROFS &&
            errno != EACCES) {
            return STATUS_IO;
        }
    }
    return access(path, F_OK) == 0 ? STATUS_OK : STATUS_IO;
}

/* A directory that only we can enter: others could plant sockets in theirs. */
static enum status own_directory(const char *path,
                                 bool make,
                                 char *why,
                                 size_t why_size)
{
    struct stat info;

    if (make && mkdir(path, 0700) != 0 && errno != EEXIST) {
        (void)snprintf(why, why_size, "cannot make %s: %s.", path,
                       strerror(errno));
        return STATUS_IO;
    }
    if (lstat(path, &info) != 0) {
        (void)snprintf(why, why_size, "cannot look at %s: %s.", path,
                       strerror(errno));
        return STATUS_IO;
    }
    if (!S_ISDIR(info.st_mode) || info.st_uid != geteuid() ||
        (info.st_mode & 077) != 0) {
        (void)snprintf(why, why_size,
                       "%s must be a directory of yours that nobody else can "
                       "enter. Remove it, or: chmod 700 %s",
                       path, path);
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

/* Both levels: .../cajal (or /tmp/cajal-UID) and the store's own below it. */
static enum status make_runtime(const char *path, char *why, size_t why_size)
{
    char above[PATH_BYTES_MAX];
    char *slash = NULL;
    enum status status = STATUS_OK;

    (void)snprintf(above, sizeof(above), "%s", path);
    slash = strrchr(above, '/');
    *slash = '\0';
    status = own_directory(above, true, why, why_size);
    if (status != STATUS_OK) {
        return status;
    }
    return own_directory(path, true, why, why_size);
}

static enum status find_runtime(const struct place_inputs *inputs,
                                struct place *place,
                                char *why,
                                size_t why_size)
{
    char ignored[ERROR_BYTES_MAX];
    enum status status = STATUS_NOT_FOUND;
    enum status usable = STATUS_OK;

    /* Where a coordinator is, there we go: a login shell and a cron job may
     * differ in XDG_RUNTIME_DIR and still mean the same store. */
    for (unsigned i = 0; usable == STATUS_OK; i++) {
        usable = place_choose_runtime(inputs, place->store, i, place->runtime,
                                      sizeof(place->runtime));
        if (usable == STATUS_OK &&
            own_directory(place->runtime, false, ignored, sizeof(ignored)) ==
                STATUS_OK &&
            place_answers(place)) {
            return STATUS_OK;
        }
    }
    usable = STATUS_OK;
    for (unsigned i = 0; status != STATUS_OK && usable == STATUS_OK; i++) {
        usable = place_choose_runtime(inputs, place->store, i, place->runtime,
                                      sizeof(place->runtime));
        if (usable == STATUS_OK) {
            status = make_runtime(place->runtime, why, why_size);
        }
    }
    return status;
}

static enum status real_store(const char *path,
                              bool create,
                              struct place *place,
                              char *why,
                              size_t why_size)
{
    char real[PATH_MAX];
    struct stat info;
    enum status status = STATUS_OK;

    if (create && make_directories(path) != STATUS_OK) {
        (void)snprintf(why, why_size, "cannot make the store's directory %s.",
                       path);
        return STATUS_IO;
    }
    if (realpath(path, real) == NULL) {
        (void)snprintf(why, why_size,
                       "there is no store at %s. `cajal run JOB.yaml` makes "
                       "one.",
                       path);
        return STATUS_NOT_FOUND;
    }
    status = PATH_JOIN(place->store, sizeof(place->store), real);
    if (status != STATUS_OK || stat(real, &info) != 0 ||
        !S_ISDIR(info.st_mode)) {
        (void)snprintf(why, why_size, "%s cannot be a store: %s.", path,
                       status != STATUS_OK ? "the path is too long"
                                           : "not a directory");
        status = STATUS_INVALID;
    }
    return status;
}

enum status place_find(const char *store,
                       bool create,
                       struct place *out,
                       char *why,
                       size_t why_size)
{
    const struct place_inputs inputs = {
        .store_flag = store,
        .cajal_store = conf_environment("CAJAL_STORE", NULL),
        .xdg_data_home = conf_environment("XDG_DATA_HOME", NULL),
        .home = conf_environment("HOME", NULL),
        .xdg_runtime_dir = conf_environment("XDG_RUNTIME_DIR", NULL),
        .user = (uint32_t)geteuid(),
    };
    struct place place = {.store = ""};
    char path[PATH_BYTES_MAX];
    enum status status = place_choose_store(&inputs, path, sizeof(path));

    if (status != STATUS_OK) {
        (void)snprintf(why, why_size,
                       "no place for a store. Name one with --store DIR.");
        return status;
    }
    status = real_store(path, create, &place, why, why_size);
    if (status == STATUS_OK) {
        status = find_runtime(&inputs, &place, why, why_size);
    }
    if (status == STATUS_OK) {
        *out = place;
    }
    return status;
}

enum status place_in_runtime(const struct place *place,
                             const char *name,
                             char *out,
                             size_t size)
{
    return PATH_JOIN(out, size, place->runtime, "/", name);
}

enum status place_target(const struct place *place, char *out, size_t size)
{
    return PATH_JOIN(out, size, "unix:", place->runtime, "/control.sock");
}

enum status place_log(const struct place *place,
                      const char *name,
                      char *out,
                      size_t size)
{
    enum status status = PATH_JOIN(out, size, place->store, "/logs");

    if (status != STATUS_OK) {
        return status;
    }
    if (mkdir(out, 0700) != 0 && errno != EEXIST) {
        return STATUS_IO;
    }
    return PATH_JOIN(out, size, place->store, "/logs/", name);
}

bool place_answers(const struct place *place)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    bool answers = false;
    int fd = -1;

    if (place_in_runtime(place, "control.sock", address.sun_path,
                         sizeof(address.sun_path)) != STATUS_OK) {
        return false;
    }
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0) {
        return false;
    }
    answers =
        connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
    (void)close(fd);
    return answers;
}

enum status place_program(const char *name, char *out, size_t size)
{
    char self[PATH_BYTES_MAX];
    ssize_t count = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *slash = NULL;

    if (count <= 0 || (size_t)count >= sizeof(self) - 1) {
        return STATUS_IO;
    }
    self[count] = '\0';
    slash = strrchr(self, '/');
    if (slash == NULL) {
        return STATUS_IO;
    }
    *slash = '\0';
    return PATH_JOIN(out, size, self, "/", name);
}

/* 127.0.0.0/8 as digits, so that "127.example.org" is not taken for it. */
static bool is_loopback_v4(const char *address)
{
    size_t length = strspn(address, "0123456789.");

    return strncmp(address, "127.", 4) == 0 &&
           (address[length] == ':' || address[length] == '\0');
}

bool place_is_local(const char *address)
{
    static const char *const starts[] = {
        "unix:", "unix-abstract:", "localhost:", "[::1]:", "ipv6:[::1]:"};

    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        if (strncmp(address, starts[i], strlen(starts[i])) == 0) {
            return true;
        }
    }
    if (strncmp(address, "ipv4:", 5) == 0) {
        address += 5;
    }
    return is_loopback_v4(address);
}

/* Calls itself once, for the one level of directories in a store. */
static void remove_directory(const char *path, int levels)
{
    char entry_path[PATH_BYTES_MAX];
    DIR *directory = opendir(path);
    struct dirent *entry = NULL;

    if (directory == NULL) {
        return;
    }
    while ((entry = readdir(directory)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 ||
            strcmp(entry->d_name, "..") == 0 ||
            PATH_JOIN(entry_path, sizeof(entry_path), path, "/",
                      entry->d_name) != STATUS_OK) {
            continue;
        }
        if (unlink(entry_path) != 0 && levels > 1) {
            remove_directory(entry_path, levels - 1);
        }
    }
    (void)closedir(directory);
    (void)rmdir(path);
}

void place_remove_store(const char *path)
{
    remove_directory(path, 2);
}
