/* tool.h - what every verb shares: the parsed command, the connection, the
 * look of its output, and how an error is told.
 *
 * Functions that return int return an exit code; 0 is "go on". A verb returns
 * the first other code it gets, after tool has printed the reason: once, on
 * stderr, as JSON where the command asked for JSON. */
#ifndef CLIENT_TOOL_H
#define CLIENT_TOOL_H

#include "client/cajal.h"
#include "client/cli.h"
#include "client/look.h"
#include "client/place.h"
#include "client/print.h"
#include <cjson/cJSON.h>
#include <sys/types.h>

/* ux: exit codes. */
enum exit_code {
    EXIT_DONE = 0,
    EXIT_NO = 1,
    EXIT_BAD_USAGE = 2,
    EXIT_NOT_THERE = 3,
    EXIT_NOT_ALLOWED = 4,
    EXIT_NO_ANSWER = 5,
    EXIT_STATE = 6,
    EXIT_FAULT = 7,
    EXIT_STILL_GOING = 8,
    EXIT_BUG = 70,
    EXIT_INTERRUPTED = 130,
    EXIT_TERMINATED = 143
};

struct tool {
    struct cli cli;
    struct look out; /* of stdout */
    struct look err; /* of stderr */
    struct place place;
    bool placed;
    struct cajal *cajal; /* open after tool_connect */
    uint32_t workers;    /* that the coordinator had then */
    bool transient;      /* the coordinator ends by itself */
    pid_t guest;         /* a worker of ours for this command; 0: none */
};

enum tool_need {
    NEED_RUNNING = 1, /* a coordinator that runs already */
    NEED_CLUSTER,     /* and not only for the time of a command */
    NEED_STORE,       /* one is started where none runs */
    NEED_NEW_STORE,   /* and the store's directory is made */
    NEED_WORKER       /* as NEED_STORE, and at least one worker */
};

void tool_init(struct tool *tool);
void tool_fini(struct tool *tool); /* ends the guest, closes the connection */

/* From --address, or from the store. Done once; a second call reconnects if
 * the coordinator has ended since. */
int tool_connect(struct tool *tool, enum tool_need need);
/* A fresh handle to where tool_connect has been, which does not wait as gRPC's
 * own reconnecting would. False: nobody answers there yet, which is not said,
 * since it will be tried again. */
bool tool_reconnect(struct tool *tool);
int tool_place(struct tool *tool, bool create);

/* Prints an error and returns its exit code. */
int tool_fail(const struct tool *tool,
              enum status status,
              const char *format,
              ...) __attribute__((format(printf, 3, 4)));
/* The same for bad usage. */
int tool_usage(const struct tool *tool, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same for what the last call on tool->cajal said. */
int tool_fail_call(const struct tool *tool);
int tool_exit_code(enum status status, int grpc_code);

/* A sentence for people on stderr; nothing where JSON was asked for. */
void tool_say(const struct tool *tool, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Can a question be answered? If not, and without --yes, that is bad usage:
 * what says which thing would have been done. */
int tool_can_ask(const struct tool *tool, const char *what);
/* Asks on the terminal; 0: yes, or --yes was given. After tool_can_ask. */
int tool_confirm(const struct tool *tool, const char *question);

/* The job meant: argument number `index` (if there is one), else --job, else
 * CAJAL_JOB, else "" for the newest. */
const char *tool_job(const struct tool *tool, unsigned index);

/* Prints the document, as JSON or with render, and deletes it. */
typedef void tool_render_fn(struct print *print, const cJSON *document);
int tool_print(const struct tool *tool,
               cJSON *document,
               tool_render_fn *render);

/* Prints a change's text and its JSON form; frees the reply. */
int tool_print_change(const struct tool *tool, Cajal__V1__ChangeReply *reply);

/* A fresh request id of 32 hexadecimal digits; out holds 33. */
void tool_request_id(char *out);

/* Goes through a stream to its end; closes it. fn borrows each message. */
typedef void tool_message_fn(void *owner, const void *message);
int tool_each(const struct tool *tool,
              struct cajal_stream *stream,
              tool_message_fn *fn,
              void *owner);

#endif /* CLIENT_TOOL_H */
