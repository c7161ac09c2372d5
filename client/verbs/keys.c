/* keys: who may come in. Works on the directory of keys alone. */
#include "client/keydir.h"

#include "client/json.h"
#include "client/table.h"
#include "client/tool.h"
#include "client/verbs/verbs.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { DAY_S = 86400, SOON_MAX = 512, TIME_BYTES = 32 };

static const char *const kind_names[] = {
    [KEYDIR_CA] = "authority",  [KEYDIR_COORDINATOR] = "coordinator",
    [KEYDIR_WORKER] = "worker", [KEYDIR_CLIENT] = "client",
    [KEYDIR_TOKEN] = "token",
};

static int fail(const struct tool *tool,
                const struct keydir *dir,
                enum status status)
{
    return tool_fail(tool, status, "%s", dir->why);
}

static void render_text(struct print *print, const cJSON *document)
{
    (void)fprintf(print->out, "%s\n", json_text(document, "text"));
}

/* One sentence on stdout, and what to do next on stderr. */
static int tell(const struct tool *tool,
                const struct keydir *dir,
                const char *text)
{
    cJSON *document = json_document("KeysChange");

    json_add_text(document, "text", text);
    json_add_text(document, "keys", dir->path);
    if (dir->made[0] != '\0') {
        json_add_text(document, "made", dir->made);
    }
    return tool_print(tool, document, render_text);
}

/* --- list --- */

static void print_date(int64_t seconds, char out[TIME_BYTES])
{
    time_t time = (time_t)seconds;
    struct tm parts;

    out[0] = '\0';
    if (seconds != 0 && gmtime_r(&time, &parts) != NULL) {
        (void)strftime(out, TIME_BYTES, "%Y-%m-%d", &parts);
    }
}

static const char *state_of(const struct keydir_entry *entry, int64_t now_s)
{
    if (entry->until_s != 0 && entry->until_s <= now_s) {
        return "expired";
    }
    if ((entry->kind == KEYDIR_CLIENT || entry->kind == KEYDIR_TOKEN) &&
        entry->role == ACCESS_NONE) {
        return "no role";
    }
    if (entry->until_s != 0 &&
        entry->until_s <= now_s + (int64_t)KEYDIR_SOON_DAYS * DAY_S) {
        return "ends soon";
    }
    return "good";
}

struct listing {
    cJSON *keys;
    int64_t now_s;
};

static void list_one(void *owner, const struct keydir_entry *entry)
{
    struct listing *listing = owner;
    cJSON *item = cJSON_CreateObject();
    char until[TIME_BYTES];

    print_date(entry->until_s, until);
    json_add_text(item, "kind", kind_names[entry->kind]);
    json_add_text(item, "name", entry->name);
    json_add_text(item, "role",
                  entry->role != ACCESS_NONE ? access_role_name(entry->role)
                                             : "");
    json_add_text(item, "until", until);
    json_add_text(item, "state", state_of(entry, listing->now_s));
    json_add_text(item, "hosts", entry->hosts);
    (void)cJSON_AddItemToArray(listing->keys, item);
}

static void render_list(struct print *print, const cJSON *document)
{
    static const struct table_column columns[] = {
        {.title = "KIND"},  {.title = "NAME"},
        {.title = "ROLE"},  {.title = "UNTIL"},
        {.title = "STATE"}, {.title = "HOSTS", .importance = 1},
    };
    struct table *table =
        table_open(columns, sizeof(columns) / sizeof(columns[0]));
    const cJSON *item = NULL;

    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(document, "keys"))
    {
        const char *state = json_text(item, "state");

        table_add(table, json_text(item, "kind"));
        table_add(table, json_text(item, "name"));
        table_add(table, json_text(item, "role"));
        table_add(table, json_text(item, "until"));
        table_add_painted(table, state,
                          strcmp(state, "good") == 0 ? PAINT_NONE : PAINT_BAD);
        table_add(table, json_text(item, "hosts"));
    }
    print->left_out = table_print(table, &print->look, print->wide, print->out);
    table_close(table);
}

static int list(struct tool *tool, struct keydir *dir)
{
    cJSON *document = json_document("Keys");
    struct listing listing = {.keys = cJSON_CreateArray(), .now_s = dir->now_s};
    enum status status = STATUS_OK;

    json_add_text(document, "directory", dir->path);
    (void)cJSON_AddItemToObject(document, "keys", listing.keys);
    status = keydir_each(dir, list_one, &listing);
    if (status != STATUS_OK) {
        cJSON_Delete(document);
        return fail(tool, dir, status);
    }
    return tool_print(tool, document, render_list);
}

/* --- What changes --- */

static int init(struct tool *tool, struct keydir *dir)
{
    char text[ERROR_BYTES_MAX];
    enum status status =
        keydir_init(dir, tool->cli.hosts, tool->cli.hosts_count);
    int code = EXIT_DONE;

    if (status != STATUS_OK) {
        return fail(tool, dir, status);
    }
    (void)snprintf(text, sizeof(text), "Keys are in %.400s.", dir->path);
    code = tell(tool, dir, text);
    tool_say(tool,
             "clients/admin is yours. Next: cajal keys add worker NAME for "
             "each worker,\ncajal keys add client NAME --role ROLE for each "
             "person; carry the directories\nthat they name, and start "
             "everything with --keys. ca.key is needed by `cajal keys`\n"
             "alone: it may be kept off this machine.");
    return code;
}

static int add_worker(struct tool *tool, struct keydir *dir, const char *name)
{
    enum status status = keydir_add_worker(dir, name);
    int code = EXIT_DONE;

    if (status != STATUS_OK) {
        return fail(tool, dir, status);
    }
    code = tell(tool, dir, dir->made);
    tool_say(tool,
             "Carry this directory to the worker's host, then there: "
             "cajal-worker --name %s --keys DIR ...",
             name);
    return code;
}

static int add_client(struct tool *tool, struct keydir *dir, const char *name)
{
    const char *role = tool->cli.values[FLAG_ROLE];
    struct keydir_client client = {
        .name = name, .token = tool->cli.values[FLAG_TOKEN] != NULL};
    enum status status = STATUS_OK;
    int code = EXIT_DONE;

    client.role =
        role != NULL ? access_role_find(role, strlen(role)) : ACCESS_NONE;
    if (client.role == ACCESS_NONE) {
        return tool_usage(tool,
                          "which role may \"%s\" have? Write --role "
                          "viewer, operator or admin.",
                          name);
    }
    status = keydir_add_client(dir, &client);
    if (status != STATUS_OK) {
        return fail(tool, dir, status);
    }
    code = tell(tool, dir, dir->made);
    tool_say(tool,
             "Carry this directory to the client's host, then there: cajal "
             "--address HOST:PORT --keys DIR status");
    return code;
}

static int add(struct tool *tool, struct keydir *dir)
{
    const char *what = tool->cli.arguments[1];

    if (tool->cli.arguments_count == 3 && strcmp(what, "worker") == 0) {
        return add_worker(tool, dir, tool->cli.arguments[2]);
    }
    if (tool->cli.arguments_count == 3 && strcmp(what, "client") == 0) {
        return add_client(tool, dir, tool->cli.arguments[2]);
    }
    return tool_usage(tool, "add what? `cajal keys add worker NAME`, or "
                            "`cajal keys add client NAME --role ROLE`.");
}

static int revoke(struct tool *tool, struct keydir *dir)
{
    char text[ERROR_BYTES_MAX];
    const char *name = tool->cli.arguments[1];
    enum status status = STATUS_OK;

    if (tool->cli.arguments_count != 2) {
        return tool_usage(tool, "whose? `cajal keys revoke NAME`.");
    }
    status = keydir_revoke(dir, name);
    if (status != STATUS_OK) {
        return fail(tool, dir, status);
    }
    (void)snprintf(text, sizeof(text),
                   "%s is revoked; a running coordinator knows within a "
                   "second.",
                   name);
    return tell(tool, dir, text);
}

/* --- rotate --- */

struct soon {
    char names[SOON_MAX][NAME_BYTES_MAX];
    unsigned count;
    int64_t now_s;
};

static void note_soon(void *owner, const struct keydir_entry *entry)
{
    struct soon *soon = owner;
    bool ours = entry->kind == KEYDIR_COORDINATOR ||
                (entry->kind == KEYDIR_CLIENT && entry->role != ACCESS_NONE);

    if (ours && soon->count < SOON_MAX &&
        strcmp(state_of(entry, soon->now_s), "good") != 0) {
        memcpy(soon->names[soon->count++], entry->name, NAME_BYTES_MAX);
    }
}

static const char *consequence(const char *name)
{
    if (strcmp(name, "coordinator") == 0) {
        return "A running coordinator serves the new certificate within "
               "seconds. Nothing is to be carried.";
    }
    if (strcmp(name, "coordinator-curve") == 0) {
        return "Carry every worker-NAME directory again and start the "
               "coordinator and its workers anew: until then workers are "
               "turned away.";
    }
    return "The old key is good no more: carry the directory again.";
}

static int rotate_one(struct tool *tool, struct keydir *dir, const char *name)
{
    char text[ERROR_BYTES_MAX];
    enum status status = keydir_rotate(dir, name);
    int code = EXIT_DONE;

    if (status != STATUS_OK) {
        return fail(tool, dir, status);
    }
    (void)snprintf(text, sizeof(text), "%s has new keys: %.400s", name,
                   dir->made);
    code = tell(tool, dir, text);
    tool_say(tool, "%s", consequence(name));
    return code;
}

static int rotate(struct tool *tool, struct keydir *dir)
{
    static struct soon soon;
    enum status status = STATUS_OK;
    int code = EXIT_DONE;

    if (tool->cli.arguments_count == 2) {
        return rotate_one(tool, dir, tool->cli.arguments[1]);
    }
    soon.now_s = dir->now_s;
    status = keydir_each(dir, note_soon, &soon);
    if (status != STATUS_OK) {
        return fail(tool, dir, status);
    }
    if (soon.count == 0) {
        return tell(tool, dir, "No certificate ends within 30 days.");
    }
    for (unsigned i = 0; i < soon.count && code == EXIT_DONE; i++) {
        code = rotate_one(tool, dir, soon.names[i]);
    }
    return code;
}

int verb_keys(struct tool *tool)
{
    static const struct {
        const char *word;
        int (*run)(struct tool *tool, struct keydir *dir);
    } words[] = {{"init", init},
                 {"add", add},
                 {"list", list},
                 {"revoke", revoke},
                 {"rotate", rotate}};
    const char *word = tool->cli.arguments[0];
    char path[PATH_BYTES_MAX];
    struct keydir dir;
    enum status status = keydir_choose(tool->cli.values[FLAG_KEYS], path);
    int code = EXIT_DONE;
    size_t i = 0;

    while (i < sizeof(words) / sizeof(words[0]) &&
           strcmp(words[i].word, word) != 0) {
        i++;
    }
    if (i == sizeof(words) / sizeof(words[0])) {
        return tool_usage(tool,
                          "\"%s\" is nothing that keys can do: init, add, "
                          "list, revoke or rotate.",
                          word);
    }
    if (status != STATUS_OK) {
        return tool_usage(tool, "which directory? Write --keys DIR.");
    }
    status = keydir_open(path, strcmp(word, "init") == 0, &dir);
    if (status != STATUS_OK) {
        return fail(tool, &dir, status);
    }
    dir.force = tool->cli.values[FLAG_FORCE] != NULL;
    code = words[i].run(tool, &dir);
    keydir_close(&dir);
    return code;
}
