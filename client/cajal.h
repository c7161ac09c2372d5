/* cajal.h - the public C library: one coordinator, seen from outside.
 *
 * A complete program, which prints the versions of the newest job:
 *
 *     #include "client/cajal.h"
 *     #include <stdio.h>
 *
 *     int main(void)
 *     {
 *         const struct cajal_options options = {.store = "/home/me/store"};
 *         Cajal__V1__HistoryRequest request = CAJAL__V1__HISTORY_REQUEST__INIT;
 *         const Cajal__V1__VersionSummary *version = NULL;
 *         struct cajal_stream *stream = NULL;
 *         struct cajal *cajal = NULL;
 *         const void *message = NULL;
 *
 *         if (cajal_open(&options, &cajal) != STATUS_OK) {
 *             return 1;
 *         }
 *         if (cajal_history(cajal, &request, &stream) == STATUS_OK) {
 *             while (cajal_next(stream, -1, &message) == STATUS_OK &&
 *                    message != NULL) {
 *                 version = message;
 *                 printf("%s step %lu\n", version->version, version->step);
 *             }
 *         }
 *         if (cajal_error(cajal)->status != STATUS_OK) {
 *             fprintf(stderr, "%s\n", cajal_error(cajal)->text);
 *         }
 *         cajal_stream_close(stream);
 *         cajal_close(cajal);
 *     }
 *
 * Requests and replies are the messages of proto/cajal/v1/control.proto, which
 * says what each field means; a request starts as its ..__INIT value.
 *
 * Rules of use: a handle and its streams belong to one thread at a time; a
 * program may have many handles. Every call ends within its deadline. A reply
 * is the caller's until cajal_free. Errors are a status, and cajal_error tells
 * it in words. Nothing here prints, starts processes or touches a store.
 * After cajal_open a process must not fork without exec (gRPC's rule). */
#ifndef CLIENT_CAJAL_H
#define CLIENT_CAJAL_H

#include "base/limits.h"
#include "base/status.h"
#include "proto/cajal/v1/control.pb-c.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Long enough for a slow disk's commit, short enough for a person to wait. */
enum { CAJAL_TIMEOUT_MS = 30000 };

struct cajal;
struct cajal_stream;

/* Zeroes are good defaults. */
struct cajal_options {
    /* A gRPC target: "unix:/run/.../control.sock", "10.0.0.1:7070". Beyond
     * this machine it needs keys, or `insecure`. */
    const char *address;
    /* Or the directory of a store, whose coordinator's socket is found by the
     * tool's own rule. Both NULL: the store that the tool would take. */
    const char *store;
    uint32_t timeout_ms; /* of one call; 0: CAJAL_TIMEOUT_MS */
    /* Who we are, and which coordinator we trust (client/channel_keys.h): a
     * directory of keys, or a CA's file and a token's. All NULL: plain text on
     * this machine, and beyond it ~/.config/cajal/keys. */
    const char *keys;
    const char *ca;
    const char *token_file;
    bool insecure; /* plain text to another machine: anybody may listen */
    /* Where cajal_open puts a sentence if it fails; NULL: nowhere. */
    char *why;
    size_t why_size;
};

/* The last call's result. `code` is the gRPC status number, which tells more
 * than the status where the other side answered; 0 if it was not asked. */
struct cajal_error {
    enum status status;
    int code;
    char text[ERROR_BYTES_MAX]; /* sentences; the second says what to do */
};

/* Connects with the first call. INVALID: address, store or keys cannot be
 * used; NOT_FOUND: a file of keys is missing; REFUSED: a secret that others can
 * read; NO_MEMORY. */
enum status cajal_open(const struct cajal_options *options,
                       struct cajal **out) MUST_CHECK;
void cajal_close(struct cajal *cajal); /* after its streams; accepts NULL */

/* Borrowed until the next call with this handle or one of its streams. */
const struct cajal_error *cajal_error(const struct cajal *cajal);

/* Where the handle's calls go, for messages; borrowed. */
const char *cajal_address(const struct cajal *cajal);

void cajal_free(void *reply); /* accepts NULL */

/* The next message, or NULL and OK where the stream has ended well. The
 * message is borrowed until the next call on this stream. wait_ms: how long at
 * most; then DEADLINE, and the stream may be asked again. -1: the handle's
 * timeout, after which the stream is over. */
enum status cajal_next(struct cajal_stream *stream,
                       int64_t wait_ms,
                       const void **out_message) MUST_CHECK;

/* Ends the call where it has not ended yet; accepts NULL. */
void cajal_stream_close(struct cajal_stream *stream);

/* Calls with one reply. */
enum status cajal_about(struct cajal *cajal,
                        const Cajal__V1__AboutRequest *request,
                        Cajal__V1__AboutReply **out) MUST_CHECK;
enum status cajal_launch(struct cajal *cajal,
                         const Cajal__V1__LaunchRequest *request,
                         Cajal__V1__LaunchReply **out) MUST_CHECK;
enum status cajal_probe(struct cajal *cajal,
                        const Cajal__V1__ProbeRequest *request,
                        Cajal__V1__ProbeReply **out) MUST_CHECK;
enum status cajal_status(struct cajal *cajal,
                         const Cajal__V1__StatusRequest *request,
                         Cajal__V1__StatusReply **out) MUST_CHECK;
enum status cajal_cancel(struct cajal *cajal,
                         const Cajal__V1__JobRequest *request,
                         Cajal__V1__ChangeReply **out) MUST_CHECK;
enum status cajal_pause(struct cajal *cajal,
                        const Cajal__V1__JobRequest *request,
                        Cajal__V1__ChangeReply **out) MUST_CHECK;
enum status cajal_resume(struct cajal *cajal,
                         const Cajal__V1__JobRequest *request,
                         Cajal__V1__ChangeReply **out) MUST_CHECK;
enum status cajal_set(struct cajal *cajal,
                      const Cajal__V1__SetRequest *request,
                      Cajal__V1__ChangeReply **out) MUST_CHECK;
enum status cajal_restore(struct cajal *cajal,
                          const Cajal__V1__RestoreRequest *request,
                          Cajal__V1__ChangeReply **out) MUST_CHECK;
enum status cajal_undo(struct cajal *cajal,
                       const Cajal__V1__JobRequest *request,
                       Cajal__V1__ChangeReply **out) MUST_CHECK;
enum status cajal_tag(struct cajal *cajal,
                      const Cajal__V1__TagRequest *request,
                      Cajal__V1__ChangeReply **out) MUST_CHECK;
enum status cajal_cordon(struct cajal *cajal,
                         const Cajal__V1__WorkerRequest *request,
                         Cajal__V1__WorkerReply **out) MUST_CHECK;
enum status cajal_uncordon(struct cajal *cajal,
                           const Cajal__V1__WorkerRequest *request,
                           Cajal__V1__WorkerReply **out) MUST_CHECK;
/* Answered when it is done, or when the request's own time is over: give the
 * handle a longer timeout than that. */
enum status cajal_drain(struct cajal *cajal,
                        const Cajal__V1__WorkerRequest *request,
                        Cajal__V1__WorkerReply **out) MUST_CHECK;
enum status cajal_shutdown(struct cajal *cajal,
                           const Cajal__V1__ShutdownRequest *request,
                           Cajal__V1__ShutdownReply **out) MUST_CHECK;

/* Calls with a stream of messages, whose type is named beside each. OK means
 * that the call was begun; what the other side thinks of it comes from
 * cajal_next. The request is not needed after the call. */
enum status cajal_list_jobs(struct cajal *cajal, /* Cajal__V1__JobSummary */
                            const Cajal__V1__ListJobsRequest *request,
                            struct cajal_stream **out) MUST_CHECK;
enum status cajal_watch(struct cajal *cajal, /* Cajal__V1__Event */
                        const Cajal__V1__WatchRequest *request,
                        struct cajal_stream **out) MUST_CHECK;
enum status cajal_history(struct cajal *cajal, /* Cajal__V1__VersionSummary */
                          const Cajal__V1__HistoryRequest *request,
                          struct cajal_stream **out) MUST_CHECK;
enum status cajal_show(struct cajal *cajal, /* Cajal__V1__ShowReply */
                       const Cajal__V1__ShowRequest *request,
                       struct cajal_stream **out) MUST_CHECK;
enum status cajal_diff(struct cajal *cajal, /* Cajal__V1__LayerDiff */
                       const Cajal__V1__DiffRequest *request,
                       struct cajal_stream **out) MUST_CHECK;
enum status cajal_list_tags(struct cajal *cajal, /* Cajal__V1__TagEntry */
                            const Cajal__V1__JobRequest *request,
                            struct cajal_stream **out) MUST_CHECK;
enum status cajal_pull(struct cajal *cajal, /* Cajal__V1__TensorPart */
                       const Cajal__V1__PullRequest *request,
                       struct cajal_stream **out) MUST_CHECK;
enum status cajal_follow(struct cajal *cajal, /* Cajal__V1__TensorPart */
                         const Cajal__V1__FollowRequest *request,
                         struct cajal_stream **out) MUST_CHECK;
enum status cajal_evaluate(struct cajal *cajal, /* Cajal__V1__TaskEvaluation */
                           const Cajal__V1__EvaluateRequest *request,
                           struct cajal_stream **out) MUST_CHECK;
enum status cajal_metrics(struct cajal *cajal, /* Cajal__V1__TaskMetrics */
                          const Cajal__V1__MetricsRequest *request,
                          struct cajal_stream **out) MUST_CHECK;
enum status cajal_verify(struct cajal *cajal, /* Cajal__V1__VerifyReply */
                         const Cajal__V1__VerifyRequest *request,
                         struct cajal_stream **out) MUST_CHECK;
enum status cajal_backup(struct cajal *cajal, /* Cajal__V1__BackupReply */
                         const Cajal__V1__BackupRequest *request,
                         struct cajal_stream **out) MUST_CHECK;
enum status cajal_gc(struct cajal *cajal, /* Cajal__V1__GcReply */
                     const Cajal__V1__GcRequest *request,
                     struct cajal_stream **out) MUST_CHECK;
enum status cajal_list_workers(struct cajal *cajal, /* .._WorkerSummary */
                               const Cajal__V1__ListWorkersRequest *request,
                               struct cajal_stream **out) MUST_CHECK;
enum status cajal_logs(struct cajal *cajal, /* Cajal__V1__LogLine */
                       const Cajal__V1__LogsRequest *request,
                       struct cajal_stream **out) MUST_CHECK;

#endif /* CLIENT_CAJAL_H */
