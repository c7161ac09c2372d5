#include "client/tool.h"

#include "base/clock.h"
#include "base/conf.h"
#include "base/hash.h"
#include "client/json.h"
#include "client/spawn.h"
#include "client/start.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum {
    GUEST_WAIT_MS = 20000,
    GUEST_END_MS = 3000,
    POLL_NS = 10000000,
    /* A transient coordinator may end between our look and our call. */
    CONNECTS_MAX = 5,
    GRPC_INTERNAL = 13,
    GRPC_UNKNOWN = 2
};

static void pause_shortly(void)
{
    const struct timespec pause = {.tv_nsec = POLL_NS};

    (void)nanosleep(&pause, NULL);
}

void tool_init(struct tool *tool)
{
    bool color = tool->cli.values[FLAG_COLOR] != NULL;
    bool no_color = tool->cli.values[FLAG_NO_COLOR] != NULL;

    look_at(STDOUT_FILENO, color, no_color, &tool->out);
    look_at(STDERR_FILENO, color, no_color, &tool->err);
}

void tool_fini(struct tool *tool)
{
    spawn_end(tool->guest, GUEST_END_MS);
    tool->guest = 0;
    cajal_close(tool->cajal);
    tool->cajal = NULL;
}

int tool_exit_code(enum status status, int grpc_code)
{
    if (grpc_code == GRPC_INTERNAL || grpc_code == GRPC_UNKNOWN) {
        return EXIT_BUG;
    }
    switch (status) {
    case STATUS_OK:
        return EXIT_DONE;
    case STATUS_INVALID:
    case STATUS_UNSUPPORTED:
        return EXIT_BAD_USAGE;
    case STATUS_NOT_FOUND:
        return EXIT_NOT_THERE;
    case STATUS_REFUSED:
        return EXIT_NOT_ALLOWED;
    case STATUS_UNAVAILABLE:
    case STATUS_DEADLINE:
        return EXIT_NO_ANSWER;
    case STATUS_STALE:
    case STATUS_CONFLICT:
        return EXIT_STATE;
    case STATUS_BUSY:
    case STATUS_CORRUPT:
    case STATUS_NO_MEMORY:
    case STATUS_IO:
    case STATUS_FULL:
        return EXIT_FAULT;
    }
    return EXIT_BUG;
}

static const char *status_name(enum status status)
{
    switch (status) {
#define X(name, number, text)                                                  \
    case STATUS_##name:                                                        \
        return #name;
        STATUS_LIST(X)
#undef X
    }
    return "UNKNOWN";
}

static void print_error(const struct tool *tool,
                        enum status status,
                        int exit_code,
                        const char *text)
{
    char clean[2 * ERROR_BYTES_MAX];
    cJSON *document = NULL;

    if (tool->cli.json) {
        document = json_document("Error");
        json_add_text(document, "code", status_name(status));
        json_add_number(document, "exit", exit_code);
        json_add_text(document, "message", text);
        json_print(stderr, document, false);
        cJSON_Delete(document);
        return;
    }
    look_clean(text, clean, sizeof(clean));
    (void)fprintf(stderr, "%serror:%s %s\n", look_paint(&tool->err, PAINT_BAD),
                  look_paint(&tool->err, PAINT_NONE), clean);
}

int tool_fail(const struct tool *tool,
              enum status status,
              const char *format,
              ...)
{
    char text[2 * ERROR_BYTES_MAX];
    int code = tool_exit_code(status, 0);
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    print_error(tool, status, code, text);
    return code;
}

int tool_usage(const struct tool *tool, const char *format, ...)
{
    char text[2 * ERROR_BYTES_MAX];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    print_error(tool, STATUS_INVALID, EXIT_BAD_USAGE, text);
    return EXIT_BAD_USAGE;
}

int tool_fail_call(const struct tool *tool)
{
    const struct cajal_error *error = cajal_error(tool->cajal);
    int code = tool_exit_code(error->status, error->code);

    print_error(tool, error->status, code, error->text);
    return code;
}

void tool_say(const struct tool *tool, const char *format, ...)
{
    va_list arguments;

    if (tool->cli.json) {
        return;
    }
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
}

int tool_place(struct tool *tool, bool create)
{
    char why[ERROR_BYTES_MAX];
    enum status status = STATUS_OK;

    if (tool->placed) {
        return EXIT_DONE;
    }
    status = place_find(tool->cli.values[FLAG_STORE], create, &tool->place, why,
                        sizeof(why));
    if (status != STATUS_OK) {
        return tool_fail(tool, status, "%s", why);
    }
    tool->placed = true;
    return EXIT_DONE;
}

static int no_cluster(const struct tool *tool)
{
    return tool_fail(tool, STATUS_UNAVAILABLE,
                     "no cluster runs on the store %s. Start one: cajal up "
                     "--store %s",
                     tool->place.store, tool->place.store);
}

/* The store's own coordinator: there, or started. */
static int be_there(struct tool *tool, enum tool_need need)
{
    char why[2 * ERROR_BYTES_MAX];
    enum status status = STATUS_OK;
    int code = tool_place(tool, need == NEED_NEW_STORE);

    if (code != EXIT_DONE || place_answers(&tool->place)) {
        return code;
    }
    if (need == NEED_RUNNING || need == NEED_CLUSTER) {
        return no_cluster(tool);
    }
    status = start_transient(&tool->place, why, sizeof(why));
    if (status != STATUS_OK) {
        return tool_fail(tool, status, "%s", why);
    }
    return EXIT_DONE;
}

static int open_handle(struct tool *tool)
{
    char target[PATH_BYTES_MAX];
    char why[2 * ERROR_BYTES_MAX] = "the socket's path is too long.";
    struct cajal_options options = {
        .address = tool->cli.values[FLAG_ADDRESS],
        .keys = tool->cli.values[FLAG_KEYS],
        .ca = tool->cli.values[FLAG_CA],
        .token_file = tool->cli.values[FLAG_TOKEN_FILE],
        .why = why,
        .why_size = sizeof(why),
        .timeout_ms = tool->cli.timeout_ms,
        .insecure = tool->cli.values[FLAG_INSECURE] != NULL,
    };
    enum status status = STATUS_OK;

    if (options.keys == NULL) {
        options.keys = conf_environment("CAJAL_KEYS", NULL);
    }
    if (options.address == NULL) {
        status = place_target(&tool->place, target, sizeof(target));
        options.address = target;
    }
    if (status == STATUS_OK) {
        status = cajal_open(&options, &tool->cajal);
    }
    if (status != STATUS_OK) {
        return tool_fail(tool, status, "%s", why);
    }
    return EXIT_DONE;
}

/* Asks the coordinator who it is, which also proves the connection. */
static enum status ask_about(struct tool *tool)
{
    Cajal__V1__AboutRequest request = CAJAL__V1__ABOUT_REQUEST__INIT;
    Cajal__V1__AboutReply *reply = NULL;
    enum status status = cajal_about(tool->cajal, &request, &reply);

    if (status != STATUS_OK) {
        return status;
    }
    tool->workers = reply->workers;
    tool->transient = reply->transient;
    cajal_free(reply);
    return STATUS_OK;
}

/* One worker for the time of this command, where there is none. */
static int invite_worker(struct tool *tool)
{
    char name[16];
    struct spawn_worker options = {.name = name, .threads = 1, .guest = true};
    uint64_t deadline_ms = clock_now_ms() + GUEST_WAIT_MS;
    enum status status = STATUS_OK;
    int ended = 0;

    if (tool->workers > 0 || tool->guest > 0 ||
        tool->cli.values[FLAG_ADDRESS] != NULL) {
        return EXIT_DONE;
    }
    (void)snprintf(name, sizeof(name), "e%ld", (long)getpid());
    status = spawn_worker(&tool->place, &options, &tool->guest);
    if (status != STATUS_OK) {
        return tool_fail(tool, status, "cannot start a worker: %s.",
                         status == STATUS_NOT_FOUND
                             ? "cajal-worker is not installed beside cajal"
                             : status_text(status));
    }
    while (tool->workers == 0 && clock_now_ms() < deadline_ms) {
        pause_shortly();
        if (ask_about(tool) != STATUS_OK) {
            return tool_fail_call(tool);
        }
        if (spawn_wait(tool->guest, 0, &ended)) {
            tool->guest = 0;
            return tool_fail(tool, STATUS_UNAVAILABLE,
                             "the worker ended at once. See %s/logs/%s.log",
                             tool->place.store, name);
        }
    }
    if (tool->workers == 0) {
        return tool_fail(tool, STATUS_DEADLINE,
                         "waited 20 s for a worker to register, in vain. See "
                         "%s/logs/%s.log",
                         tool->place.store, name);
    }
    return EXIT_DONE;
}

int tool_connect(struct tool *tool, enum tool_need need)
{
    bool remote = tool->cli.values[FLAG_ADDRESS] != NULL;
    int code = EXIT_DONE;

    if (remote && tool->cli.values[FLAG_STORE] != NULL) {
        return tool_usage(tool, "--address and --store exclude each other.");
    }
    for (int i = 0; i < CONNECTS_MAX; i++) {
        code = remote ? EXIT_DONE : be_there(tool, need);
        if (code == EXIT_DONE && tool->cajal == NULL) {
            code = open_handle(tool);
        }
        if (code != EXIT_DONE) {
            return code;
        }
        if (ask_about(tool) == STATUS_OK) {
            break;
        }
        if (remote || cajal_error(tool->cajal)->status != STATUS_UNAVAILABLE) {
            break;
        }
        cajal_close(tool->cajal);
        tool->cajal = NULL;
        pause_shortly();
    }
    if (tool->cajal == NULL) {
        return tool_fail(tool, STATUS_UNAVAILABLE,
                         "the coordinator of %s ends as soon as it is asked. "
                         "See %s/logs/coordinator.log",
                         tool->place.store, tool->place.store);
    }
    if (need == NEED_CLUSTER && tool->transient) {
        return no_cluster(tool);
    }
    return need == NEED_WORKER ? invite_worker(tool) : EXIT_DONE;
}

bool tool_reconnect(struct tool *tool)
{
    cajal_close(tool->cajal);
    tool->cajal = NULL;
    return open_handle(tool) == EXIT_DONE && ask_about(tool) == STATUS_OK;
}

int tool_can_ask(const struct tool *tool, const char *what)
{
    if (tool->cli.values[FLAG_YES] != NULL ||
        (isatty(STDIN_FILENO) != 0 && tool->err.terminal && !tool->cli.json)) {
        return EXIT_DONE;
    }
    return tool_usage(tool,
                      "%s changes the job, and nobody is there to be asked. "
                      "To do it: add --yes",
                      what);
}

int tool_confirm(const struct tool *tool, const char *question)
{
    char answer[16] = "";

    if (tool->cli.values[FLAG_YES] != NULL) {
        return EXIT_DONE;
    }
    (void)fprintf(stderr, "%s [y/N] ", question);
    if (fgets(answer, sizeof(answer), stdin) == NULL ||
        (answer[0] != 'y' && answer[0] != 'Y')) {
        tool_say(tool, "Nothing was done.");
        return EXIT_NO;
    }
    return EXIT_DONE;
}

const char *tool_job(const struct tool *tool, unsigned index)
{
    if (index < tool->cli.arguments_count) {
        return tool->cli.arguments[index];
    }
    if (tool->cli.values[FLAG_JOB] != NULL) {
        return tool->cli.values[FLAG_JOB];
    }
    return conf_environment("CAJAL_JOB", "");
}

int tool_print(const struct tool *tool, cJSON *document, tool_render_fn *render)
{
    struct print print = {
        .out = stdout, .look = tool->out, .wide = tool->cli.wide};
    bool written = false;

    if (tool->cli.json) {
        json_print(stdout, document, true);
    } else {
        render(&print, document);
    }
    cJSON_Delete(document);
    if (print.left_out > 0) {
        tool_say(tool, "(%zu more with -o wide)", print.left_out);
    }
    written = fflush(stdout) == 0 && ferror(stdout) == 0;
    if (!written) {
        return tool_fail(tool, STATUS_IO, "cannot write to stdout.");
    }
    return EXIT_DONE;
}

static void render_change(struct print *print, const cJSON *document)
{
    char clean[ERROR_BYTES_MAX];

    look_clean(json_text(document, "text"), clean, sizeof(clean));
    (void)fprintf(print->out, "%s\n", clean);
}

int tool_print_change(const struct tool *tool, Cajal__V1__ChangeReply *reply)
{
    cJSON *document = json_change(reply);

    cajal_free(reply);
    return tool_print(tool, document, render_change);
}

void tool_request_id(char *out)
{
    struct hash hash = {{0}};
    uint64_t now_us = clock_now_us();

    if (getrandom(hash.b, sizeof(hash.b), 0) < 16) {
        hash_bytes(&now_us, sizeof(now_us), &hash); /* unlikely, and enough */
    }
    hash_hex(&hash, 16, out);
}

int tool_each(const struct tool *tool,
              struct cajal_stream *stream,
              tool_message_fn *fn,
              void *owner)
{
    enum status status = STATUS_OK;
    const void *message = NULL;

    for (;;) {
        status = cajal_next(stream, -1, &message);
        if (status != STATUS_OK || message == NULL) {
            break;
        }
        fn(owner, message);
    }
    cajal_stream_close(stream);
    return status == STATUS_OK ? EXIT_DONE : tool_fail_call(tool);
}
