#include "worker/shell/settings.h"

#include "base/conf.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define FIELD(name) offsetof(struct settings, name)

static const struct conf_entry table[] = {
    {"store", CONF_TEXT, NULL, 0, 0, "DIR",
     "the store served; only shown to people", FIELD(store)},
    {"runtime", CONF_TEXT, NULL, 0, 0, "DIR", "directory for ipc sockets",
     FIELD(runtime)},
    {"name", CONF_TEXT, NULL, 0, 0, "NAME",
     "stays the same when the worker is started again", FIELD(name)},
    {"connect", CONF_TEXT, NULL, 0, 0, "ENDPOINT",
     "control endpoint of the coordinator", FIELD(connect)},
    {"data", CONF_TEXT, NULL, 0, 0, "ENDPOINT",
     "where other workers reach this one: ipc://PATH or tcp://HOST:PORT "
     "(PORT * picks one); default: a socket in --runtime",
     FIELD(data)},
    {"vault", CONF_TEXT, NULL, 0, 0, "ENDPOINT",
     "where other workers bring and fetch copies of shards; default: beside "
     "--data, for tcp on a port of its own",
     FIELD(vault)},
    {"threads", CONF_U64, "1", 1, 64, "threads", "compute threads",
     FIELD(threads)},
    {"kernels", CONF_TEXT, "Haswell", 0, 0, "TYPE",
     "OpenBLAS core type; all workers must have the same, since bits depend "
     "on it; auto: OpenBLAS chooses",
     FIELD(kernels)},
    {"log", CONF_TEXT, "info", 0, 0, "LEVEL", "debug, info, warn or error",
     FIELD(log)},
    {"log-file", CONF_TEXT, NULL, 0, 0, "PATH", "default: stderr",
     FIELD(log_file)},
    {"keys", CONF_TEXT, NULL, 0, 0, "DIR",
     "this worker's bundle of `cajal keys add NAME`: tcp links are encrypted "
     "and let in workers of the coordinator alone",
     FIELD(keys)},
    {"data-curve", CONF_TEXT, "on", 0, 0, "on|off",
     "with --keys: encrypt what other workers send here over tcp; off is "
     "several times as fast, and open to whoever reaches the port",
     FIELD(data_curve)},
    {"insecure", CONF_FLAG, NULL, 0, 0, NULL,
     "allow tcp endpoints beyond loopback, unencrypted and open to everybody",
     FIELD(insecure)},
};

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

bool settings_is_beyond_loopback(const char *endpoint)
{
    return starts_with(endpoint, "tcp://") &&
           !starts_with(endpoint, "tcp://127.") &&
           !starts_with(endpoint, "tcp://localhost:") &&
           !starts_with(endpoint, "tcp://[::1]:");
}

/* Every address of the machine: nothing that others could connect to. */
static bool is_wildcard(const char *endpoint)
{
    return starts_with(endpoint, "tcp://*:") ||
           starts_with(endpoint, "tcp://0.0.0.0:") ||
           starts_with(endpoint, "tcp://[::]:");
}

static bool find_level(const char *name, enum log_level *out)
{
    static const char *const names[] = {[LOG_DEBUG] = "debug",
                                        [LOG_INFO] = "info",
                                        [LOG_WARN] = "warn",
                                        [LOG_ERROR] = "error"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

/* What is wrong with settings that are right one by one; NULL: nothing. */
static const char *misfit(struct settings *s)
{
    if (s->name[0] == '\0' || strlen(s->name) >= NAME_BYTES_MAX) {
        return "--name is needed: at most 63 bytes, such as w0, another for "
               "each worker";
    }
    if (s->connect[0] == '\0' || strlen(s->connect) >= ENDPOINT_BYTES_MAX ||
        strlen(s->data) >= ENDPOINT_BYTES_MAX ||
        strlen(s->vault) >= ENDPOINT_BYTES_MAX) {
        return "--connect is needed: the coordinator's control endpoint, such "
               "as ipc:///run/cajal/workers.sock or tcp://HOST:PORT";
    }
    if (s->data[0] == '\0' && s->runtime[0] == '\0') {
        return "--data or --runtime is needed: where other workers reach this "
               "one";
    }
    if (s->data[0] == '\0' && settings_is_beyond_loopback(s->connect)) {
        return "--data is needed with a coordinator on another host: "
               "tcp://HOST:* with a HOST that the other workers can reach";
    }
    if (is_wildcard(s->data) || is_wildcard(s->vault)) {
        return "--data or --vault names every address of this machine: give "
               "the one that "
               "the other workers can reach";
    }
    if (strcmp(s->data_curve, "on") != 0 && strcmp(s->data_curve, "off") != 0) {
        return "--data-curve is on or off";
    }
    s->curve = strcmp(s->data_curve, "on") == 0;
    if (!s->insecure && s->keys[0] == '\0' &&
        (settings_is_beyond_loopback(s->connect) ||
         settings_is_beyond_loopback(s->data) ||
         settings_is_beyond_loopback(s->vault))) {
        return "a tcp endpoint beyond loopback needs keys: make a bundle for "
               "this worker with `cajal keys add NAME` and say --keys DIR, or "
               "use ipc or 127.0.0.1, or say --insecure on a network that you "
               "trust";
    }
    if (!s->insecure && !s->curve &&
        (settings_is_beyond_loopback(s->data) ||
         settings_is_beyond_loopback(s->vault))) {
        return "--data-curve off lets everybody send who reaches the port: "
               "say --insecure too, on a network that you trust";
    }
    if (!find_level(s->log, &s->level)) {
        return "--log is one of debug, info, warn, error";
    }
    return NULL;
}

enum status settings_parse(int argc,
                           char **argv,
                           struct settings *out,
                           char *message,
                           size_t message_size)
{
    struct settings settings = {.level = LOG_INFO};
    const char *why = NULL;
    enum status status =
        conf_parse(table, sizeof(table) / sizeof(table[0]), argc, argv,
                   &settings, message, message_size);

    if (status != STATUS_OK) {
        return status;
    }
    why = misfit(&settings);
    if (why != NULL) {
        (void)snprintf(message, message_size, "%s", why);
        return STATUS_INVALID;
    }
    *out = settings;
    return STATUS_OK;
}
