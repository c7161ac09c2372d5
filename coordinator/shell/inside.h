/* inside.h - what the files behind shell.h share: the parts of a coordinator.
 *
 * shell.c owns the parts, deliver.c feeds the core, perform.c does what it
 * says; the files of requests/ and queries/ answer clients. Nobody else
 * includes it.
 */
#ifndef COORDINATOR_SHELL_INSIDE_H
#define COORDINATOR_SHELL_INSIDE_H

#include "coordinator/core/coord.h"
#include "coordinator/shell/gc/collector.h"
#include "coordinator/shell/gc/leases.h"
#include "coordinator/shell/links/chunks.h"
#include "coordinator/shell/links/workers.h"
#include "coordinator/shell/persistence/cuts.h"
#include "coordinator/shell/persistence/keeper.h"
#include "coordinator/shell/persistence/loader.h"
#include "coordinator/shell/persistence/rebuilding.h"
#include "coordinator/shell/records/names.h"
#include "coordinator/shell/service/query.h"
#include "coordinator/shell/service/watch.h"
#include "coordinator/shell/shell.h"
#include "proto/cajal/v1/control.pb-c.h"

enum {
    /* Calls that wait for the core. */
    REQUESTS_MAX = 256,
    /* Events that actions made while they were carried out: at most one for
     * each action. */
    QUEUE_MAX = ACTIONS_MAX
};

/* A call that the core, or the store, will answer. */
struct waiting {
    uint64_t id;       /* 0: free */
    uint64_t follows;  /* a LAUNCH that repeats this one; 0: none */
    struct call *call; /* NULL: the client is gone */
    enum rpc_method method;
    struct shell *shell;
    struct query *evaluations;       /* EVALUATE: what has been told so far */
    struct job_spec *spec;           /* LAUNCH, PROBE */
    char request_id[NAME_BYTES_MAX]; /* LAUNCH */
    const char *source;              /* LAUNCH; until it is on its way */
    size_t source_size;
    uint64_t job;    /* TAG */
    uint32_t worker; /* CORDON, UNCORDON, DRAIN */
    char text[ERROR_BYTES_MAX];
};

/* What is lent to the core with a slot. */
struct held {
    void *memory;
    struct version *version;
    struct journalsums sums; /* what a replay must decide again */
    uint64_t loading_job;    /* the version that is on its way to the core */
    uint64_t loading;
};

struct shell {
    struct shell_options options;
    struct loop *loop;
    struct link_context *context;
    struct store *store;
    struct jobs *writer;
    struct jobs *reader;
    struct keeper *keeper;
    struct collector *collector;
    struct leases leases;
    struct cuts *cuts;
    struct trust *trust;
    struct workers *workers;
    struct chunks *chunks;
    struct service *service;
    struct queries *queries;
    struct watch *watch;
    struct coord *core;
    struct actions *actions;
    uint64_t life;
    struct rebuilding rebuilding; /* what this store was made from just now */
    struct held slots[JOBS_MAX];
    bool stepping; /* inside coord_step or its actions */
    uint32_t queue_first;
    uint32_t queue_count;
    struct coord_event queue[QUEUE_MAX];
    uint32_t step_timer;
    uint32_t idle_timer;
    bool has_timers;
    bool service_opened; /* its socket is ours to remove */
    bool workers_opened;
    bool closing;    /* nothing new is begun */
    bool quitting;   /* a shutdown has been asked for */
    bool inspecting; /* verified or copied */
    uint64_t started_ms;
    uint64_t last_request;
    struct waiting waiting[REQUESTS_MAX];
    struct waiting *launching; /* the LAUNCH that is in the core right now */
};

/* --- deliver.c --- */

/* One event through the core and its actions carried out, now or, where that
 * is going on already, right after. Puts the time in. */
void shell_deliver(struct shell *shell, struct coord_event *event);

/* An event for when the actions at hand have been carried out. */
void shell_queue(struct shell *shell, const struct coord_event *event);

/* The clock's, the loader's and the keeper's calls. */
void shell_on_step_timer(void *owner);
void shell_on_loaded(void *owner, struct loaded *loaded);
void shell_on_stored(void *owner,
                     uint64_t token,
                     enum status status,
                     const struct version *restored);
void shell_on_unjournaled(void *owner,
                          uint64_t job,
                          uint64_t interval,
                          enum status status);
void shell_on_event(void *owner,
                    uint64_t job,
                    uint64_t sequence,
                    const struct event_record *event);
void shell_on_version(void *owner, uint64_t job, uint64_t number);
void shell_on_idle(void *owner);

void shell_free_held(struct held *held);
/* What was lent is the slot's if the core took it, else it is nobody's. */
void shell_settle_lent(struct shell *shell,
                       uint32_t slot,
                       void *memory,
                       struct version *version);

/* --- mail.c: what workers say; workers.h's calls --- */

void shell_on_message(void *owner, uint32_t peer, const struct wire *message);
void shell_on_lost(void *owner, uint32_t peer, const char *why);

/* --- resume.c --- */

/* Goes on with the jobs that the store says run, and holds the paused ones. */
enum status shell_resume(struct shell *shell) MUST_CHECK;

/* --- perform.c --- */

void shell_perform(struct shell *shell, const struct action *action);

/* --- lookup.c --- */

/* The newest that is known of a job: from the core, or the store. NOT_FOUND,
 * CORRUPT, IO. */
enum status shell_record(struct shell *shell,
                         uint64_t job,
                         struct job_record *out) MUST_CHECK;
/* The same as people see it. */
enum status shell_view(struct shell *shell,
                       uint64_t job,
                       struct job_record *out) MUST_CHECK;

/* As it is in the store, or on its way there. */
enum status shell_read_record(struct shell *shell,
                              uint64_t job,
                              struct job_record *out) MUST_CHECK;

/* Resolve a name, or answer the call and return false. */
bool shell_find_job(struct shell *shell,
                    struct call *call,
                    const char *text,
                    uint64_t *out_job);
bool shell_find_version(struct shell *shell,
                        struct call *call,
                        const char *job,
                        const char *text,
                        struct version_name *out);

/* --- spared.c --- */

/* After the core, the keeper and the pools. IO, NO_MEMORY. */
enum status shell_open_collector(struct shell *shell) MUST_CHECK;

/* --- requests/requests.c: who waits for what --- */

void requests_take(struct shell *shell,
                   struct call *call,
                   enum rpc_method method,
                   const ProtobufCMessage *message);
void requests_reply(struct shell *shell, const struct action *action);
void requests_evaluation(struct shell *shell, const struct action *action);
/* A REQUEST_SHUTDOWN by ourselves. */
void requests_shutdown(struct shell *shell);

/* Takes the call. NULL: too many wait, and it has been answered. */
struct waiting *requests_wait(struct shell *shell,
                              struct call *call,
                              enum rpc_method method);
void requests_forget(struct waiting *waiting);
/* Ends the wait with a sentence. */
void requests_fail(struct waiting *waiting,
                   enum status status,
                   const char *text);
/* Ends it with what was done to a job. */
void requests_tell_change(struct waiting *waiting,
                          uint64_t job,
                          uint64_t version,
                          const char *text);
/* One request through the core. record: read from the store where the core
 * does not hold the job. */
void requests_deliver(struct shell *shell, struct request *request);

/* --- requests/asks*.c: a call becomes a request --- */

void ask_launch(struct shell *shell,
                struct call *call,
                const Cajal__V1__LaunchRequest *message);
/* A LAUNCH is on the disk: those who repeated it are answered too. */
void ask_launch_done(struct waiting *waiting, const struct action *action);
void ask_probe(struct shell *shell,
               struct call *call,
               const Cajal__V1__ProbeRequest *message);
void ask_probe_done(struct waiting *waiting, const struct action *action);
void ask_change(struct shell *shell,
                struct call *call,
                enum rpc_method method,
                const Cajal__V1__JobRequest *message);
void ask_set(struct shell *shell,
             struct call *call,
             const Cajal__V1__SetRequest *message);
void ask_restore(struct shell *shell,
                 struct call *call,
                 const Cajal__V1__RestoreRequest *message);
void ask_undo(struct shell *shell,
              struct call *call,
              const Cajal__V1__JobRequest *message);
void ask_tag(struct shell *shell,
             struct call *call,
             const Cajal__V1__TagRequest *message);
void ask_evaluate(struct shell *shell,
                  struct call *call,
                  const Cajal__V1__EvaluateRequest *message);

void ask_gc(struct shell *shell,
            struct call *call,
            const Cajal__V1__GcRequest *message);

void ask_worker(struct shell *shell,
                struct call *call,
                enum rpc_method method,
                const Cajal__V1__WorkerRequest *message);
void ask_worker_done(struct waiting *waiting, const struct action *action);

/* --- queries/: answer a call, at once or in pieces --- */

void answer_about(struct shell *shell, struct call *call);
void answer_list_jobs(struct shell *shell,
                      struct call *call,
                      const Cajal__V1__ListJobsRequest *request);
void answer_status(struct shell *shell,
                   struct call *call,
                   const Cajal__V1__StatusRequest *request);
void answer_list_workers(struct shell *shell, struct call *call);
void answer_list_tags(struct shell *shell,
                      struct call *call,
                      const Cajal__V1__JobRequest *request);
void answer_history(struct shell *shell,
                    struct call *call,
                    const Cajal__V1__HistoryRequest *request);
void answer_show(struct shell *shell,
                 struct call *call,
                 const Cajal__V1__ShowRequest *request);
void answer_diff(struct shell *shell,
                 struct call *call,
                 const Cajal__V1__DiffRequest *request);
void answer_pull(struct shell *shell,
                 struct call *call,
                 const Cajal__V1__PullRequest *request);
void answer_follow(struct shell *shell,
                   struct call *call,
                   const Cajal__V1__FollowRequest *request);
void answer_metrics(struct shell *shell,
                    struct call *call,
                    const Cajal__V1__MetricsRequest *request);
void answer_verify(struct shell *shell, struct call *call);
void answer_backup(struct shell *shell,
                   struct call *call,
                   const Cajal__V1__BackupRequest *request);
void answer_logs(struct shell *shell,
                 struct call *call,
                 const Cajal__V1__LogsRequest *request);

#endif /* COORDINATOR_SHELL_INSIDE_H */
