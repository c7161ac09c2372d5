/* inspect.c - is the store whole, and a copy of it.
 *
 * Both read everything, for minutes, in a process of their own (inspector.h).
 * A step waits a moment for its next line and then lets another query have the
 * thread; meanwhile the client is told how far it is, so that its deadline is
 * one of silence. */
#include "coordinator/shell/inside.h"

#include "base/mem.h"
#include "coordinator/shell/queries/inspector.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WAIT_MS = 500,
    /* Faults told one by one; the rest is only counted. */
    FAULTS_MAX = 2000
};

struct inspect {
    struct shell *shell; /* for fini, on the loop */
    const char *what;
    char dir[PATH_BYTES_MAX]; /* backup */
    struct inspector *inspector;
    struct query *query;
    uint32_t told;
};

/* --- What it says --- */

/* "failed 6 the store is ..." */
static enum status take_failure(struct query *query, const char *line)
{
    char *sentence = NULL;
    unsigned long number = strtoul(line + strlen("failed "), &sentence, 10);

    (void)snprintf(query_why(query), ERROR_BYTES_MAX, "%s",
                   *sentence == ' ' ? sentence + 1 : "it has failed");
    return number > STATUS_OK && number <= STATUS_REFUSED ? (enum status)number
                                                          : STATUS_IO;
}

static enum status emit_fault(struct inspect *inspect, const char *sentence)
{
    Cajal__V1__VerifyReply reply = CAJAL__V1__VERIFY_REPLY__INIT;

    bool here = inspect->inspector == NULL; /* all in one piece */

    if (inspect->told == (here ? QUERY_MESSAGES_MAX - 1 : FAULTS_MAX)) {
        return STATUS_OK;
    }
    inspect->told++;
    reply.fault = (char *)(uintptr_t)sentence;
    return query_emit(inspect->query, &reply.base);
}

static enum status emit_verdict(struct inspect *inspect,
                                const struct store_verdict *verdict)
{
    Cajal__V1__VerifyReply reply = CAJAL__V1__VERIFY_REPLY__INIT;

    reply.done = true;
    reply.chunks = verdict->chunks;
    reply.bytes = verdict->bytes;
    reply.versions = verdict->versions;
    reply.faults = verdict->faults;
    query_end(inspect->query);
    return query_emit(inspect->query, &reply.base);
}

/* "done 12 345678 3 0" */
static enum status take_verdict(struct inspect *inspect, const char *line)
{
    struct store_verdict verdict = {.chunks = 0};

    if (sscanf(line, "done %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
               &verdict.chunks, &verdict.bytes, &verdict.versions,
               &verdict.faults) != 4) {
        return STATUS_IO;
    }
    return emit_verdict(inspect, &verdict);
}

/* It has read a page that sent it astray, or that the disk did not give. */
static enum status take_death(struct inspect *inspect, int number)
{
    struct store_verdict verdict = {.faults = 1};
    char sentence[256];
    enum status status = STATUS_OK;

    if (number == 0) {
        (void)snprintf(query_why(inspect->query), ERROR_BYTES_MAX,
                       "the process that read the store has ended without an "
                       "answer; see the coordinator's log");
        return STATUS_IO;
    }
    (void)snprintf(sentence, sizeof(sentence),
                   "a page of the file data.mdb is damaged: reading it has "
                   "ended a process with signal %d; what lies behind it was "
                   "not read",
                   number);
    if (inspect->dir[0] != '\0') {
        (void)snprintf(query_why(inspect->query), ERROR_BYTES_MAX,
                       "no backup was made: %s. See more: cajal verify",
                       sentence);
        return STATUS_CORRUPT;
    }
    status = emit_fault(inspect, sentence);
    verdict.faults = inspect->told > 0 ? inspect->told : 1;
    return status == STATUS_OK ? emit_verdict(inspect, &verdict) : status;
}

/* One line, or the end. BUSY: nothing yet. */
static enum status read_line(struct inspect *inspect, char *line)
{
    struct shell *shell = inspect->shell;
    const char *dir = inspect->dir[0] != '\0' ? inspect->dir : NULL;

    if (inspect->inspector == NULL) {
        enum status status =
            inspector_open(shell->options.program, inspect->what,
                           shell->options.store, dir, &inspect->inspector);

        if (status != STATUS_OK) {
            return status;
        }
    }
    return inspector_read(inspect->inspector, WAIT_MS, line);
}

static void inspect_fini(struct inspect *inspect)
{
    bool unfinished = inspect->inspector != NULL;

    inspector_close(inspect->inspector);
    if (unfinished && inspect->dir[0] != '\0') {
        store_backup_forget(inspect->dir); /* nothing where it has its name */
    }
    inspect->shell->inspecting = false;
}

static void fini(void *state)
{
    inspect_fini(state);
}

static struct inspect *open_inspect(struct shell *shell,
                                    struct call *call,
                                    const struct query_kind *kind)
{
    struct query *query = NULL;
    struct inspect *inspect = NULL;

    /* One keeps a disk busy, and a reader now and then. */
    if (shell->inspecting) {
        call_finish(call, STATUS_BUSY,
                    "the store is being verified or copied already. Wait for "
                    "that");
        return NULL;
    }
    query = query_open(shell->queries, call, kind);
    if (query == NULL) {
        return NULL;
    }
    inspect = query_state(query);
    inspect->shell = shell;
    inspect->query = query;
    shell->inspecting = true;
    return inspect;
}

/* --- Verify --- */

static void tell_fault(void *owner, const char *sentence)
{
    enum status status = emit_fault(owner, sentence);

    (void)status; /* one that is not told is counted all the same */
}

/* Where there is no program to start: in this process. */
static enum status verify_here(struct inspect *inspect)
{
    struct store_verdict verdict;
    enum status status =
        store_verify(inspect->shell->store, tell_fault, inspect, &verdict);

    return status == STATUS_OK ? emit_verdict(inspect, &verdict) : status;
}

static enum status step_verify(struct query *query, void *state)
{
    struct inspect *inspect = state;
    Cajal__V1__VerifyReply beat = CAJAL__V1__VERIFY_REPLY__INIT;
    char line[INSPECTOR_LINE_MAX];
    enum status status = STATUS_OK;

    if (inspect->shell->options.program[0] == '\0') {
        return verify_here(inspect);
    }
    status = read_line(inspect, line);
    if (status == STATUS_BUSY) {
        return query_emit(query, &beat.base);
    }
    if (status == STATUS_NOT_FOUND) {
        return take_death(inspect, inspector_end(inspect->inspector));
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (strncmp(line, "fault ", strlen("fault ")) == 0) {
        return emit_fault(inspect, line + strlen("fault "));
    }
    if (strncmp(line, "done ", strlen("done ")) == 0) {
        return take_verdict(inspect, line);
    }
    return take_failure(query, line);
}

void answer_verify(struct shell *shell, struct call *call)
{
    static const struct query_kind kind = {.step = step_verify,
                                           .fini = fini,
                                           .state_bytes =
                                               sizeof(struct inspect)};
    struct inspect *inspect = open_inspect(shell, call, &kind);

    if (inspect != NULL) {
        inspect->what = "verify";
        query_start(inspect->query);
    }
}

/* --- Backup --- */

static enum status emit_backup(struct inspect *inspect,
                               uint64_t bytes,
                               bool done)
{
    Cajal__V1__BackupReply reply = CAJAL__V1__BACKUP_REPLY__INIT;

    reply.done = done;
    reply.bytes = bytes;
    if (done) {
        reply.dir = inspect->dir;
        query_end(inspect->query);
    }
    return query_emit(inspect->query, &reply.base);
}

static enum status backup_here(struct inspect *inspect)
{
    uint64_t bytes = 0;
    enum status status =
        store_backup(inspect->shell->store, inspect->dir,
                     query_why(inspect->query), ERROR_BYTES_MAX, &bytes);

    return status == STATUS_OK ? emit_backup(inspect, bytes, true) : status;
}

static enum status step_backup(struct query *query, void *state)
{
    struct inspect *inspect = state;
    char line[INSPECTOR_LINE_MAX];
    uint64_t bytes = 0;
    enum status status = STATUS_OK;

    if (inspect->shell->options.program[0] == '\0') {
        return backup_here(inspect);
    }
    status = read_line(inspect, line);
    if (status == STATUS_BUSY) {
        return emit_backup(inspect, store_backup_bytes(inspect->dir), false);
    }
    if (status == STATUS_NOT_FOUND) {
        return take_death(inspect, inspector_end(inspect->inspector));
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (sscanf(line, "done %" SCNu64, &bytes) == 1) {
        return emit_backup(inspect, bytes, true);
    }
    return take_failure(query, line);
}

void answer_backup(struct shell *shell,
                   struct call *call,
                   const Cajal__V1__BackupRequest *request)
{
    static const struct query_kind kind = {.step = step_backup,
                                           .fini = fini,
                                           .state_bytes =
                                               sizeof(struct inspect)};
    size_t size = strlen(request->dir);
    struct inspect *inspect = NULL;

    if (size == 0 || size >= PATH_BYTES_MAX || request->dir[0] != '/') {
        call_finish(call, STATUS_INVALID,
                    "a backup goes to a directory with an absolute path");
        return;
    }
    inspect = open_inspect(shell, call, &kind);
    if (inspect != NULL) {
        inspect->what = "backup";
        memcpy(inspect->dir, request->dir, size + 1);
        query_start(inspect->query);
    }
}
