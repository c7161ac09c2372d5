/* main.c - the coordinator's process: settings, signals, exit codes. */
#define _XOPEN_SOURCE 700 /* realpath */

#include "base/address.h"
#include "base/conf.h"
#include "base/hash.h"
#include "base/keyfile.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/path.h"
#include "coordinator/shell/queries/inspector.h"
#include "coordinator/shell/shell.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* As the client's tool has them; supervisors rely on them. */
enum {
    EXIT_USAGE = 2,
    EXIT_ADDRESS = 5,
    EXIT_OWNED = 6,
    EXIT_STORE = 7,
    EXIT_BUG = 70
};

enum {
    HELP_BYTES = 4096,
    KEY_BYTES = 6,
    /* A unix socket's path has at most 107 bytes. */
    RUNTIME_BYTES_MAX = 90
};

struct settings {
    char store[PATH_BYTES_MAX];
    char runtime[PATH_BYTES_MAX];
    char listen[PATH_BYTES_MAX];
    char workers[PATH_BYTES_MAX];
    char chunks[PATH_BYTES_MAX];
    char keys[PATH_BYTES_MAX];
    char inspect[PATH_BYTES_MAX];
    char into[PATH_BYTES_MAX];
    char rebuild[PATH_BYTES_MAX];
    char log_level[PATH_BYTES_MAX];
    char log_file[PATH_BYTES_MAX];
    uint64_t heartbeat_ms;
    uint64_t timeout_ms;
    bool transient;
    bool resume;
    bool insecure;
    bool points_off;
};

static const struct conf_entry table[] = {
    {"store", CONF_TEXT, NULL, 0, 0, "DIR", "where jobs and versions are kept",
     offsetof(struct settings, store)},
    {"runtime", CONF_TEXT, NULL, 0, 0, "DIR",
     "where the sockets are; by the store's path if not given",
     offsetof(struct settings, runtime)},
    {"listen", CONF_TEXT, NULL, 0, 0, "ADDRESS",
     "for clients; unix:RUNTIME/control.sock if not given",
     offsetof(struct settings, listen)},
    {"workers", CONF_TEXT, NULL, 0, 0, "ENDPOINT",
     "for workers; ipc://RUNTIME/workers.sock if not given",
     offsetof(struct settings, workers)},
    {"chunks", CONF_TEXT, NULL, 0, 0, "ENDPOINT",
     "for tensors, told to workers; ipc://RUNTIME/chunks.sock if not given",
     offsetof(struct settings, chunks)},
    {"transient", CONF_FLAG, "no", 0, 0, NULL,
     "end when no client needs it any more",
     offsetof(struct settings, transient)},
    {"resume", CONF_FLAG, "no", 0, 0, NULL,
     "go on with the jobs that ran when the last one ended",
     offsetof(struct settings, resume)},
    {"keys", CONF_TEXT, NULL, 0, 0, "DIR",
     "keys of `cajal keys init`; where an address needs them and none is "
     "given, ~/.config/cajal/keys",
     offsetof(struct settings, keys)},
    {"insecure", CONF_FLAG, "no", 0, 0, NULL,
     "allow addresses that other machines reach, without encryption",
     offsetof(struct settings, insecure)},
    {"inspect", CONF_TEXT, NULL, 0, 0, "WHAT",
     "verify or backup: do that beside the store's owner, and end",
     offsetof(struct settings, inspect)},
    {"into", CONF_TEXT, NULL, 0, 0, "DIR", "where the backup goes",
     offsetof(struct settings, into)},
    {"rebuild", CONF_TEXT, NULL, 0, 0, "PATH",
     "a mirror, or a directory of them, to make a new store from",
     offsetof(struct settings, rebuild)},
    {"heartbeat-ms", CONF_U64, "500", 10, 60000, "ms",
     "how often workers say that they live",
     offsetof(struct settings, heartbeat_ms)},
    {"timeout-ms", CONF_U64, "10000", 100, 3600000, "ms",
     "silence after which a worker is lost",
     offsetof(struct settings, timeout_ms)},
    {"points-off", CONF_FLAG, "no", 0, 0, NULL,
     "keep no state in workers' memory (to measure what that costs)",
     offsetof(struct settings, points_off)},
    {"log", CONF_TEXT, "info", 0, 0, "LEVEL", "debug, info, warn or error",
     offsetof(struct settings, log_level)},
    {"log-file", CONF_TEXT, NULL, 0, 0, "PATH", "stderr if not given",
     offsetof(struct settings, log_file)},
};

static int fail(int code, const char *sentence)
{
    (void)fprintf(stderr, "cajal-coordinator: %s\n", sentence);
    return code;
}

/* --- Places --- */

/* False: it is too long. */
#define JOIN(out, ...) (PATH_JOIN(out, sizeof(out), __VA_ARGS__) == STATUS_OK)

/* Makes a directory and what is missing above it. */
static bool make_directories(const char *path)
{
    char part[PATH_BYTES_MAX];
    size_t length = strlen(path);

    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != '\0') {
            continue;
        }
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST && errno != EROFS &&
            errno != EACCES) {
            return false;
        }
    }
    return access(path, F_OK) == 0;
}

/* One that others can enter could hold sockets of theirs. */
static bool is_ours(const char *path)
{
    struct stat info;

    return lstat(path, &info) == 0 && S_ISDIR(info.st_mode) &&
           info.st_uid == geteuid() && (info.st_mode & 077) == 0;
}

static bool find_store(struct settings *settings, char *why, size_t why_size)
{
    static char real[PATH_MAX];
    bool found = false;

    if (settings->store[0] == '\0') {
        (void)snprintf(why, why_size,
                       "which store? Write --store DIR (--help lists all).");
        return false;
    }
    if (make_directories(settings->store)) {
        found = realpath(settings->store, real) != NULL;
    }
    if (!found) {
        (void)snprintf(why, why_size,
                       "cannot make the store's directory %s: "
                       "%s.",
                       settings->store, strerror(errno));
        return false;
    }
    if (!JOIN(settings->store, real)) {
        (void)snprintf(why, why_size, "the store's path is too long.");
        return false;
    }
    return true;
}

/* The same rule as the client's (client/place.h): both find each other by the
 * store's real path. */
static bool find_runtime(struct settings *settings, char *why, size_t why_size)
{
    const char *base = conf_environment("XDG_RUNTIME_DIR", NULL);
    char key[2 * KEY_BYTES + 1];
    char user[32];
    char above[PATH_BYTES_MAX] = "";
    struct hash hash;

    if (settings->runtime[0] == '\0') {
        hash_bytes(settings->store, strlen(settings->store), &hash);
        hash_hex(&hash, KEY_BYTES, key);
        (void)snprintf(user, sizeof(user), "/tmp/cajal-%u",
                       (unsigned)geteuid());
        if (base == NULL || base[0] != '/' ||
            strlen(base) + sizeof("/cajal/") + sizeof(key) >
                RUNTIME_BYTES_MAX ||
            !JOIN(above, base, "/cajal") || !make_directories(above) ||
            !is_ours(above)) {
            (void)JOIN(above, user);
        }
        (void)JOIN(settings->runtime, above, "/", key);
    }
    if (!make_directories(settings->runtime) || !is_ours(settings->runtime) ||
        (above[0] != '\0' && !is_ours(above))) {
        (void)snprintf(why, why_size,
                       "%s must be a directory of yours that nobody else can "
                       "enter. Remove it, or: chmod 700 %s",
                       settings->runtime, settings->runtime);
        return false;
    }
    if (strlen(settings->runtime) > RUNTIME_BYTES_MAX) {
        (void)snprintf(why, why_size,
                       "%s is too long for the path of a socket. Name another "
                       "with --runtime DIR.",
                       settings->runtime);
        return false;
    }
    return true;
}

static bool fill(char out[PATH_BYTES_MAX],
                 const char *start,
                 const char *dir,
                 const char *name)
{
    if (out[0] != '\0') {
        return true;
    }
    return PATH_JOIN(out, PATH_BYTES_MAX, start, dir, name) == STATUS_OK;
}

/* Keys are for addresses that other machines reach; so the default directory
 * is looked for only there. */
static void find_keys(struct settings *settings)
{
    char path[PATH_BYTES_MAX];
    bool local = address_is_local(settings->listen) &&
                 address_is_local(settings->workers) &&
                 address_is_local(settings->chunks);

    if (settings->keys[0] == '\0' && !settings->insecure && !local &&
        keyfile_default_dir(path) == STATUS_OK && access(path, F_OK) == 0) {
        (void)JOIN(settings->keys, path);
    }
}

static bool fill_options(struct settings *settings, struct shell_options *out)
{
    const char *runtime = settings->runtime;

    if (!fill(settings->listen, "unix:", runtime, "/control.sock") ||
        !fill(settings->workers, "ipc://", runtime, "/workers.sock") ||
        !fill(settings->chunks, "ipc://", runtime, "/chunks.sock") ||
        !JOIN(out->logs, settings->store, "/logs")) {
        return false;
    }
    memcpy(out->store, settings->store, sizeof(out->store));
    memcpy(out->listen, settings->listen, sizeof(out->listen));
    memcpy(out->workers, settings->workers, sizeof(out->workers));
    memcpy(out->chunks, settings->chunks, sizeof(out->chunks));
    find_keys(settings);
    memcpy(out->keys, settings->keys, sizeof(out->keys));
    memcpy(out->rebuild, settings->rebuild, sizeof(out->rebuild));
    memcpy(out->program, "/proc/self/exe", sizeof("/proc/self/exe"));
    out->transient = settings->transient;
    out->resume = settings->resume;
    out->insecure = settings->insecure;
    out->heartbeat_ms = (uint32_t)settings->heartbeat_ms;
    out->points_off = settings->points_off;
    out->timeout_ms = (uint32_t)settings->timeout_ms;
    return true;
}

/* The links are encrypted under keys alone. */
static bool check_endpoints(const struct settings *settings)
{
    return settings->insecure || settings->keys[0] != '\0' ||
           (address_is_local(settings->workers) &&
            address_is_local(settings->chunks));
}

/* --- The log --- */

static bool open_log(const struct settings *settings, int *out_fd)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    int level = -1;
    int fd = STDERR_FILENO;

    for (int i = 0; i < 4; i++) {
        level = strcmp(settings->log_level, names[i]) == 0 ? i : level;
    }
    if (level < 0) {
        return false;
    }
    if (settings->log_file[0] != '\0') {
        fd = open(settings->log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
                  0600);
        if (fd < 0) {
            return false;
        }
    }
    log_open(fd, (enum log_level)level, "coordinator");
    *out_fd = fd;
    return true;
}

/* --- Running --- */

static void on_signal(void *owner, int number)
{
    struct shell **shell = owner;

    if (number == SIGTERM || number == SIGINT) {
        log_line(LOG_INFO, "main", "signal", "number=%d", number);
        if (*shell != NULL) {
            shell_shut_down(*shell);
        }
    }
}

static int exit_code(enum status status)
{
    switch (status) {
    case STATUS_OK:
        return 0;
    case STATUS_INVALID:
    case STATUS_REFUSED:
        return EXIT_USAGE;
    case STATUS_UNAVAILABLE:
        return EXIT_ADDRESS;
    case STATUS_CONFLICT:
        return EXIT_OWNED;
    case STATUS_CORRUPT:
    case STATUS_IO:
    case STATUS_FULL:
    case STATUS_UNSUPPORTED:
    case STATUS_NOT_FOUND:
        return EXIT_STORE;
    case STATUS_STALE:
    case STATUS_BUSY:
    case STATUS_NO_MEMORY:
    case STATUS_DEADLINE:
        break;
    }
    return EXIT_BUG;
}

static int run(const struct shell_options *options)
{
    char why[ERROR_BYTES_MAX] = "";
    struct shell *shell = NULL;
    struct loop *loop = NULL;
    enum status status = loop_open(&loop);

    if (status == STATUS_OK) {
        status = loop_add_signals(loop, on_signal, &shell);
    }
    if (status == STATUS_OK) {
        status = shell_open(loop, options, why, sizeof(why), &shell);
    }
    if (status == STATUS_OK) {
        status = loop_run(loop);
    }
    if (status != STATUS_OK) {
        (void)fail(0, why[0] != '\0' ? why : status_text(status));
    }
    shell_close(shell);
    loop_close(loop);
    return exit_code(status);
}

/* What the coordinator starts beside itself. */
static int inspect(const struct settings *settings)
{
    if (settings->store[0] != '\0' &&
        strcmp(settings->inspect, "verify") == 0) {
        return inspect_verify(settings->store);
    }
    if (settings->store[0] != '\0' && settings->into[0] != '\0' &&
        strcmp(settings->inspect, "backup") == 0) {
        return inspect_backup(settings->store, settings->into);
    }
    return fail(EXIT_USAGE, "--inspect is verify, or backup --into DIR, and "
                            "needs --store DIR.");
}

int main(int argc, char **argv)
{
    static struct settings settings;
    static struct shell_options options;
    static char text[HELP_BYTES];
    int fd = -1;
    enum status status = conf_parse(table, sizeof(table) / sizeof(table[0]),
                                    argc, argv, &settings, text, sizeof(text));

    if (status == STATUS_NOT_FOUND || status == STATUS_CONFLICT) {
        (void)puts(text);
        return 0;
    }
    if (status != STATUS_OK) {
        return fail(EXIT_USAGE, text);
    }
    if (!open_log(&settings, &fd)) {
        return fail(EXIT_USAGE, "cannot log: --log is debug, info, warn "
                                "or error, and --log-file must be writable.");
    }
    /* A limit on the size of files is a full disk, and no reason to die. */
    (void)signal(SIGXFSZ, SIG_IGN);
    if (settings.inspect[0] != '\0') {
        return inspect(&settings);
    }
    if (!find_store(&settings, text, sizeof(text))) {
        return fail(settings.store[0] == '\0' ? EXIT_USAGE : EXIT_STORE, text);
    }
    if (!find_runtime(&settings, text, sizeof(text)) ||
        !fill_options(&settings, &options)) {
        return fail(EXIT_USAGE, text);
    }
    if (!check_endpoints(&settings)) {
        return fail(EXIT_USAGE,
                    "workers and chunks would be reachable from other "
                    "machines and nothing would be encrypted. Make keys (cajal "
                    "keys init) and add --keys DIR, or use 127.0.0.1 or "
                    "ipc://, or add --insecure on a network you trust.");
    }
    return run(&options);
}
