/* asks_change.c - what people do to a job that is there. */
#include "coordinator/shell/inside.h"

#include "base/mem.h"
#include "base/text.h"
#include "coordinator/shell/records/summarycode.h"
#include "coordinator/shell/records/views.h"
#include "coordinator/shell/requests/setting.h"

#include <stdio.h>
#include <string.h>

/* --- Pause, resume, cancel --- */

void ask_change(struct shell *shell,
                struct call *call,
                enum rpc_method method,
                const Cajal__V1__JobRequest *message)
{
    struct request request = {.kind = method == RPC_CANCEL  ? REQUEST_CANCEL
                                      : method == RPC_PAUSE ? REQUEST_PAUSE
                                                            : REQUEST_RESUME};
    struct waiting *waiting = NULL;

    if (!shell_find_job(shell, call, message->job, &request.job)) {
        return;
    }
    waiting = requests_wait(shell, call, method);
    if (waiting != NULL) {
        request.id = waiting->id;
        requests_deliver(shell, &request);
    }
}

/* --- Set --- */

void ask_set(struct shell *shell,
             struct call *call,
             const Cajal__V1__SetRequest *message)
{
    struct request request = {.kind = REQUEST_SET};
    struct grant_setting setting = {.setting = 0};
    struct job_record *record = NULL;
    struct waiting *waiting = NULL;
    char why[ERROR_BYTES_MAX] = "the job's record cannot be read";
    enum status status = STATUS_NO_MEMORY;

    if (!shell_find_job(shell, call, message->job, &request.job)) {
        return;
    }
    record = mem_new(sizeof(*record));
    if (record != NULL) {
        status = shell_record(shell, request.job, record);
    }
    if (status == STATUS_OK) {
        status = setting_parse(&record->spec, message->key, message->value,
                               &setting, why);
    }
    mem_free(record);
    if (status != STATUS_OK) {
        call_finish(call, status, why);
        return;
    }
    waiting = requests_wait(shell, call, RPC_SET);
    if (waiting != NULL) {
        request.id = waiting->id;
        request.setting = setting.setting;
        request.value = setting.value;
        requests_deliver(shell, &request);
    }
}

/* --- Restore and undo --- */

static bool take_summary(void *owner,
                         uint64_t key,
                         const void *bytes,
                         size_t size)
{
    struct summary *summary = owner;

    (void)key;
    if (summarycode_decode(bytes, size, summary) != STATUS_OK) {
        summary->number = 0;
    }
    return false;
}

static void tell_place(const struct job_record *record,
                       const struct summary *summary,
                       struct text *text)
{
    text_add(text, "j");
    text_u64(text, record->job);
    text_add(text, " (");
    text_add(text, job_state_name(record->state));
    if (record->head != 0) {
        text_add(text, ", v");
        text_u64(text, record->head);
    }
    text_add(text, ", step ");
    text_u64(text, record->step);
    text_add(text, ") goes back to v");
    text_u64(text, summary->number);
    text_add(text, ", step ");
    text_u64(text, summary->step);
}

/* "hidden1 116 -> 100" of what would change. */
static void tell_widths(const struct job_record *record,
                        const struct summary *summary,
                        struct text *text)
{
    bool any = false;

    for (uint32_t l = 0; l < summary->layers_count && l < record->layers_count;
         l++) {
        char name[NAME_BYTES_MAX];

        if (summary->widths[l] == record->widths[l]) {
            continue;
        }
        views_layer_name(l, summary->layers_count, name);
        text_add(text, any ? ", " : ": ");
        text_add(text, name);
        text_add(text, " ");
        text_u64(text, record->widths[l]);
        text_add(text, " -> ");
        text_u64(text, summary->widths[l]);
        any = true;
    }
}

/* What a restore would do, without doing it. */
static void tell_plan(struct shell *shell,
                      struct call *call,
                      const struct version_name *name)
{
    struct waiting *waiting = NULL;
    struct job_record *record = mem_new(sizeof(*record));
    struct summary summary = {.number = 0};
    char line[DETAIL_BYTES_MAX];
    struct text text;
    enum status status = STATUS_NO_MEMORY;

    if (record != NULL) {
        status = shell_view(shell, name->job, record);
    }
    if (status == STATUS_OK) {
        status = store_scan_versions(shell->store, name->job, name->number,
                                     false, take_summary, &summary);
    }
    if (status != STATUS_OK || summary.number != name->number) {
        mem_free(record);
        call_finish(call, STATUS_CORRUPT, "the version cannot be read");
        return;
    }
    text_init(&text, line, sizeof(line));
    tell_place(record, &summary, &text);
    tell_widths(record, &summary, &text);
    text_add(&text, ". Later versions stay; undo takes it back.");
    mem_free(record);
    waiting = requests_wait(shell, call, RPC_RESTORE);
    if (waiting != NULL) {
        requests_tell_change(waiting, name->job, name->number, line);
    }
}

static void restore(struct shell *shell,
                    struct call *call,
                    enum rpc_method method,
                    const struct version_name *name)
{
    struct request request = {
        .kind = REQUEST_RESTORE, .job = name->job, .version = name->number};
    struct waiting *waiting = requests_wait(shell, call, method);

    if (waiting != NULL) {
        request.id = waiting->id;
        requests_deliver(shell, &request);
    }
}

void ask_restore(struct shell *shell,
                 struct call *call,
                 const Cajal__V1__RestoreRequest *message)
{
    struct version_name name;
    uint64_t job = 0;

    if (!shell_find_version(shell, call, message->job, message->version,
                            &name)) {
        return;
    }
    if (message->job[0] != '\0') {
        if (!shell_find_job(shell, call, message->job, &job)) {
            return;
        }
        if (job != name.job) {
            call_finish(call, STATUS_INVALID,
                        "a job can only go back to a version of its own");
            return;
        }
    }
    if (message->dry_run) {
        tell_plan(shell, call, &name);
        return;
    }
    restore(shell, call, RPC_RESTORE, &name);
}

struct undo_search {
    bool seen; /* the newest restore */
    uint64_t before;
};

static bool find_before_restore(void *owner,
                                const char *name,
                                uint64_t number,
                                uint64_t wall_ms,
                                const char *actor)
{
    struct undo_search *search = owner;

    (void)wall_ms;
    if (strcmp(name, "head") != 0) {
        return true;
    }
    if (search->seen) {
        search->before = number;
        return false;
    }
    search->seen = strcmp(actor, "restore") == 0;
    return true;
}

void ask_undo(struct shell *shell,
              struct call *call,
              const Cajal__V1__JobRequest *message)
{
    struct undo_search search = {.before = 0};
    struct version_name name;
    enum status status = STATUS_OK;

    if (!shell_find_job(shell, call, message->job, &name.job)) {
        return;
    }
    status = store_scan_ref_log(shell->store, name.job, find_before_restore,
                                &search);
    if (status != STATUS_OK) {
        call_finish(call, status, "the log of moves cannot be read");
        return;
    }
    if (search.before == 0) {
        call_finish(call, STATUS_CONFLICT,
                    "there is nothing to take back: the job was never "
                    "restored");
        return;
    }
    name.number = search.before;
    restore(shell, call, RPC_UNDO, &name);
}

/* --- Tags --- */

static void tag_done(void *owner, enum status status)
{
    struct waiting *waiting = owner;
    const char *why = keeper_why(waiting->shell->keeper);
    char text[ERROR_BYTES_MAX];

    if (status != STATUS_OK) {
        requests_fail(waiting, status,
                      why != NULL ? why : "the tag could not be stored");
        return;
    }
    memcpy(text, waiting->text, sizeof(text));
    requests_tell_change(waiting, waiting->job, 0, text);
}

static void move_tag(struct shell *shell,
                     struct call *call,
                     const char *tag,
                     const struct version_name *name)
{
    struct waiting *waiting = requests_wait(shell, call, RPC_TAG);
    char version[NUMBER_BYTES_MAX];
    enum status status = STATUS_OK;

    if (waiting == NULL) {
        return;
    }
    waiting->job = name->job;
    if (name->number == 0) {
        (void)snprintf(waiting->text, sizeof(waiting->text), "%s is deleted",
                       tag);
    } else {
        (void)snprintf(waiting->text, sizeof(waiting->text), "%s is %s", tag,
                       names_version(name->number, version));
    }
    status = keeper_tag(shell->keeper, tag, name->job, name->number, tag_done,
                        waiting);
    if (status != STATUS_OK) {
        requests_fail(waiting, status, "");
    }
}

void ask_tag(struct shell *shell,
             struct call *call,
             const Cajal__V1__TagRequest *message)
{
    struct version_name name = {.number = 0};
    uint64_t present = 0;

    if (!names_tag_fits(message->name)) {
        call_finish(call, STATUS_INVALID,
                    "a tag is a letter, then letters, digits, \".\", \"_\" or "
                    "\"-\"; not like v7 or j1");
        return;
    }
    if (message->version[0] != '\0') {
        if (shell_find_version(shell, call, message->job, message->version,
                               &name)) {
            move_tag(shell, call, message->name, &name);
        }
        return;
    }
    if (!shell_find_job(shell, call, message->job, &name.job)) {
        return;
    }
    if (store_get_ref(shell->store, name.job, message->name, &present) !=
        STATUS_OK) {
        call_finish(call, STATUS_NOT_FOUND, "there is no such tag");
        return;
    }
    move_tag(shell, call, message->name, &name);
}
