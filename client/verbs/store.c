/* backup, gc: a copy of the store, and taking away what may go. */
#include "client/json.h"
#include "client/tool.h"
#include "client/verbs/verbs.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- backup --- */

/* The coordinator has another working directory than this tool. */
static int absolute(const struct tool *tool,
                    const char *dir,
                    char out[PATH_BYTES_MAX])
{
    char here[PATH_BYTES_MAX] = "";
    bool whole = dir[0] == '/';
    int size = 0;

    if (!whole && getcwd(here, sizeof(here)) == NULL) {
        return tool_fail(tool, STATUS_IO,
                         "this directory has no path. Name DIR with an "
                         "absolute one.");
    }
    size = snprintf(out, PATH_BYTES_MAX, "%s%s%s", here, whole ? "" : "/", dir);
    if (size < 0 || size >= PATH_BYTES_MAX) {
        return tool_usage(tool, "the path of DIR is too long");
    }
    return EXIT_DONE;
}

static void add_backup(void *owner, const void *message)
{
    json_add_backup(owner, message);
}

static void print_backup(struct print *print, const cJSON *document)
{
    char bytes[40];
    char dir[PATH_BYTES_MAX];

    look_bytes(json_number(document, "bytes"), bytes);
    look_clean(json_text(document, "dir"), dir, sizeof(dir));
    (void)fprintf(print->out, "%s: a copy of the store, %s\n", dir, bytes);
}

int verb_backup(struct tool *tool)
{
    Cajal__V1__BackupRequest request = CAJAL__V1__BACKUP_REQUEST__INIT;
    struct cajal_stream *stream = NULL;
    cJSON *document = NULL;
    char dir[PATH_BYTES_MAX];
    int code = absolute(tool, tool->cli.arguments[0], dir);

    if (code == EXIT_DONE) {
        code = tool_connect(tool, NEED_STORE);
    }
    if (code != EXIT_DONE) {
        return code;
    }
    request.dir = dir;
    if (cajal_backup(tool->cajal, &request, &stream) != STATUS_OK) {
        return tool_fail_call(tool);
    }
    document = json_document("Backup");
    code = tool_each(tool, stream, add_backup, document);
    if (code == EXIT_DONE && !json_has(document, "dir")) {
        code = tool_fail(tool, STATUS_UNAVAILABLE,
                         "the coordinator ended before the copy was whole.");
    }
    if (code != EXIT_DONE) {
        cJSON_Delete(document);
        return code;
    }
    return tool_print(tool, document, print_backup);
}

/* --- gc --- */

static void add_gc(void *owner, const void *message)
{
    json_add_gc(owner, message);
}

static void print_result(FILE *out, const cJSON *document, bool plan)
{
    char bytes[40];

    look_bytes(json_number(document, "bytes"), bytes);
    (void)fprintf(out, "%s %s: %.0f versions, %.0f stay; %.0f chunks, %s\n",
                  json_text(document, "job"), plan ? "would drop" : "dropped",
                  json_number(document, "versions_dropped"),
                  json_number(document, "versions_kept"),
                  json_number(document, "chunks"), bytes);
    if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(document, "swept"))) {
        (void)fprintf(out, "the disk is freed by the next gc: jobs have only "
                           "just gone on after a restart\n");
    }
}

static void print_plan(struct print *print, const cJSON *document)
{
    print_result(print->out, document, true);
}

static void print_gc(struct print *print, const cJSON *document)
{
    print_result(print->out, document, false);
}

/* *out: the document, where the code is EXIT_DONE. */
static int collect(struct tool *tool,
                   bool dry_run,
                   const char *confirm,
                   cJSON **out)
{
    Cajal__V1__GcRequest request = CAJAL__V1__GC_REQUEST__INIT;
    struct cajal_stream *stream = NULL;
    cJSON *document = NULL;
    int code = tool_connect(tool, NEED_STORE);

    if (code != EXIT_DONE) {
        return code;
    }
    request.job = (char *)tool_job(tool, 0);
    request.dry_run = dry_run;
    request.confirm = (char *)confirm;
    if (cajal_gc(tool->cajal, &request, &stream) != STATUS_OK) {
        return tool_fail_call(tool);
    }
    document = json_document(dry_run ? "GcPlan" : "Gc");
    code = tool_each(tool, stream, add_gc, document);
    if (code == EXIT_DONE && !json_has(document, "job")) {
        code = tool_fail(tool, STATUS_UNAVAILABLE,
                         "the coordinator ended before gc was over.");
    }
    if (code != EXIT_DONE) {
        cJSON_Delete(document);
        return code;
    }
    *out = document;
    return EXIT_DONE;
}

/* Shows the plan and has the job's name typed. */
static int ask(struct tool *tool, char *name, int size)
{
    cJSON *plan = NULL;
    int code = collect(tool, true, "", &plan);

    if (code != EXIT_DONE) {
        return code;
    }
    print_result(stderr, plan, true);
    if (json_number(plan, "versions_dropped") == 0 &&
        json_number(plan, "chunks") == 0) {
        cJSON_Delete(plan);
        tool_say(tool, "There is nothing to drop.");
        return EXIT_NO;
    }
    (void)fprintf(stderr,
                  "It does not come back. Type the job's name (or %s) to go "
                  "on: ",
                  json_text(plan, "job"));
    cJSON_Delete(plan);
    if (fgets(name, size, stdin) == NULL || name[strcspn(name, "\n")] == '\0') {
        tool_say(tool, "Nothing was done.");
        return EXIT_NO;
    }
    name[strcspn(name, "\n")] = '\0';
    if (name[0] == '\0') {
        tool_say(tool, "Nothing was done.");
        return EXIT_NO;
    }
    return EXIT_DONE;
}

int verb_gc(struct tool *tool)
{
    const char *confirm = tool->cli.values[FLAG_CONFIRM];
    bool dry_run = tool->cli.values[FLAG_DRY_RUN] != NULL;
    char name[NAME_BYTES_MAX] = "";
    cJSON *document = NULL;
    int code = EXIT_DONE;

    if (!dry_run && confirm == NULL) {
        if (isatty(STDIN_FILENO) == 0 || !tool->err.terminal ||
            tool->cli.json) {
            return tool_usage(tool,
                              "gc drops versions for good, and nobody is there "
                              "to be asked. Look first: cajal gc --dry-run. To "
                              "do it: add --confirm=NAME, the job's name");
        }
        code = ask(tool, name, (int)sizeof(name));
        confirm = name;
    }
    if (code == EXIT_DONE) {
        code = collect(tool, dry_run, dry_run ? "" : confirm, &document);
    }
    if (code != EXIT_DONE) {
        return code;
    }
    return tool_print(tool, document, dry_run ? print_plan : print_gc);
}
