#include "base/conf.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* CAJAL_ and a name; names are ours and short. */
    VARIABLE_BYTES_MAX = NAME_BYTES_MAX + 8,
    /* Where the explanations of --help begin. */
    HELP_COLUMN = 28
};

struct conf {
    const struct conf_entry *table;
    size_t count;
    int argc;
    char **argv;
    void *target; /* NULL: only look whether all is right */
    struct text *message;
};

/* A setting's value and where it stands, for the sentence about a mistake. */
struct source {
    const char *prefix; /* "--", "CAJAL_..." or "the default of --" */
    const char *name;
};

const char *conf_environment(const char *name, const char *fallback)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0' ? value : fallback;
}

/* store-path is CAJAL_STORE_PATH. */
static void variable_of(const char *name, char out[VARIABLE_BYTES_MAX])
{
    struct text text;

    text_init(&text, out, VARIABLE_BYTES_MAX);
    text_add(&text, "CAJAL_");
    for (; *name != '\0'; name++) {
        char c = *name == '-' ? '_' : *name;

        if (c >= 'a' && c <= 'z') {
            c = (char)(c - 'a' + 'A');
        }
        text_add_bytes(&text, &c, 1);
    }
    CHECK(!text.cut);
}

/* Values */

static bool parse_u64(const char *value, uint64_t *out)
{
    uint64_t number = 0;

    if (value[0] == '\0') {
        return false;
    }
    for (; *value != '\0'; value++) {
        uint64_t digit = (uint64_t)(*value - '0');

        if (*value < '0' || *value > '9') {
            return false;
        }
        if (number > (UINT64_MAX - digit) / 10) {
            return false;
        }
        number = number * 10 + digit;
    }
    *out = number;
    return true;
}

static bool parse_flag(const char *value, bool *out)
{
    static const char *const yes[] = {"1", "true", "yes", "on"};
    static const char *const no[] = {"0", "false", "no", "off"};

    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        if (strcmp(value, yes[i]) == 0 || strcmp(value, no[i]) == 0) {
            *out = strcmp(value, yes[i]) == 0;
            return true;
        }
    }
    return false;
}

static void add_range(struct text *text, const struct conf_entry *entry)
{
    text_u64(text, entry->least);
    text_add(text, " to ");
    text_u64(text, entry->most);
    if (entry->unit != NULL) {
        text_add(text, " ");
        text_add(text, entry->unit);
    }
}

/* --port: "x" is not allowed; give a whole number, 1 to 65535 */
static enum status refuse(struct conf *c,
                          const struct conf_entry *entry,
                          struct source from,
                          const char *value)
{
    text_add(c->message, from.prefix);
    text_add(c->message, from.name);
    text_add(c->message, ": \"");
    text_add(c->message, value);
    text_add(c->message, "\" is not allowed; give ");
    switch (entry->type) {
    case CONF_TEXT:
        text_add(c->message, "a text of at most ");
        text_u64(c->message, PATH_BYTES_MAX - 1);
        text_add(c->message, " bytes");
        break;
    case CONF_U64:
        text_add(c->message, "a whole number, ");
        add_range(c->message, entry);
        break;
    case CONF_FLAG:
        text_add(c->message, "yes or no");
        break;
    }
    return STATUS_INVALID;
}

static void store(struct conf *c,
                  const struct conf_entry *entry,
                  const void *value,
                  size_t size)
{
    if (c->target != NULL) {
        memcpy((unsigned char *)c->target + entry->offset, value, size);
    }
}

static enum status set(struct conf *c,
                       const struct conf_entry *entry,
                       struct source from,
                       const char *value)
{
    uint64_t number = 0;
    bool flag = false;

    switch (entry->type) {
    case CONF_TEXT:
        if (strlen(value) >= PATH_BYTES_MAX) {
            return refuse(c, entry, from, value);
        }
        store(c, entry, value, strlen(value) + 1);
        break;
    case CONF_U64:
        if (!parse_u64(value, &number) || number < entry->least ||
            number > entry->most) {
            return refuse(c, entry, from, value);
        }
        store(c, entry, &number, sizeof(number));
        break;
    case CONF_FLAG:
        if (!parse_flag(value, &flag)) {
            return refuse(c, entry, from, value);
        }
        store(c, entry, &flag, sizeof(flag));
        break;
    }
    return STATUS_OK;
}

/* The three sources */

static void set_zero(struct conf *c, const struct conf_entry *entry)
{
    const uint64_t zero = 0;
    const bool no = false;

    switch (entry->type) {
    case CONF_TEXT:
        store(c, entry, "", 1);
        break;
    case CONF_U64:
        store(c, entry, &zero, sizeof(zero));
        break;
    case CONF_FLAG:
        store(c, entry, &no, sizeof(no));
        break;
    }
}

static void set_defaults(struct conf *c)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct conf_entry *entry = &c->table[i];
        struct source from = {"the default of --", entry->name};

        if (entry->initial == NULL) {
            set_zero(c, entry);
            continue;
        }
        /* A default that its own range refuses is a mistake in the table. */
        CHECK(set(c, entry, from, entry->initial) == STATUS_OK);
    }
}

static enum status set_environment(struct conf *c)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct conf_entry *entry = &c->table[i];
        char variable[VARIABLE_BYTES_MAX];
        const char *value = NULL;
        enum status status = STATUS_OK;

        variable_of(entry->name, variable);
        value = conf_environment(variable, NULL);
        if (value == NULL) {
            continue;
        }
        status = set(c, entry, (struct source){"", variable}, value);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

static size_t common_prefix(const char *a, const char *b, size_t bytes)
{
    size_t i = 0;

    while (i < bytes && a[i] != '\0' && a[i] == b[i]) {
        i++;
    }
    return i;
}

/* Most mistakes are an ending that is wrong or missing. */
static enum status unknown(struct conf *c, const char *name, size_t bytes)
{
    const struct conf_entry *nearest = NULL;
    size_t longest = 1; /* one letter in common is chance */

    for (size_t i = 0; i < c->count; i++) {
        size_t common = common_prefix(c->table[i].name, name, bytes);

        if (common > longest) {
            longest = common;
            nearest = &c->table[i];
        }
    }
    text_add(c->message, "--");
    text_add_bytes(c->message, name, bytes);
    text_add(c->message, " is not a setting; ");
    if (nearest != NULL) {
        text_add(c->message, "did you mean --");
        text_add(c->message, nearest->name);
        text_add(c->message, "? ");
    }
    text_add(c->message, "--help lists all");
    return STATUS_INVALID;
}

static const struct conf_entry *find(const struct conf *c,
                                     const char *name,
                                     size_t bytes)
{
    for (size_t i = 0; i < c->count; i++) {
        const char *candidate = c->table[i].name;

        if (strlen(candidate) == bytes && memcmp(candidate, name, bytes) == 0) {
            return &c->table[i];
        }
    }
    return NULL;
}

static enum status missing_value(struct conf *c, const struct conf_entry *entry)
{
    text_add(c->message, "--");
    text_add(c->message, entry->name);
    text_add(c->message, " needs a value; write --");
    text_add(c->message, entry->name);
    text_add(c->message, " ");
    text_add(c->message, entry->unit != NULL ? entry->unit : "VALUE");
    return STATUS_INVALID;
}

/* Reads the flag at argv[*at] and moves *at past it. */
static enum status set_argument(struct conf *c, int *at)
{
    const char *argument = c->argv[(*at)++];
    const struct conf_entry *entry = NULL;
    const char *value = NULL;
    const char *name = NULL;
    size_t bytes = 0;

    if (strncmp(argument, "--", 2) != 0 || argument[2] == '\0') {
        text_add(c->message, "\"");
        text_add(c->message, argument);
        text_add(c->message, "\" is not a setting; write --NAME VALUE, "
                             "--help lists all");
        return STATUS_INVALID;
    }
    name = argument + 2;
    bytes = strcspn(name, "=");
    entry = find(c, name, bytes);
    if (entry == NULL) {
        return unknown(c, name, bytes);
    }
    if (name[bytes] == '=') {
        value = name + bytes + 1;
    } else if (entry->type == CONF_FLAG) {
        value = "yes";
    } else if (*at < c->argc && strncmp(c->argv[*at], "--", 2) != 0) {
        value = c->argv[(*at)++];
    } else {
        /* What begins with -- is the next flag, not a value: such a value
         * can be written with =. */
        return missing_value(c, entry);
    }
    return set(c, entry, (struct source){"--", entry->name}, value);
}

static enum status set_all(struct conf *c)
{
    enum status status = STATUS_OK;
    int at = 1;

    set_defaults(c);
    status = set_environment(c);
    while (status == STATUS_OK && at < c->argc) {
        status = set_argument(c, &at);
    }
    return status;
}

/* --help and --version */

static const char *program_name(const struct conf *c)
{
    const char *path = c->argc > 0 ? c->argv[0] : "cajal";
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

/* --port PORT                 where it listens
 *                             (1 to 65535, default 7000, CAJAL_PORT) */
static void add_help(struct text *text, const struct conf_entry *entry)
{
    char variable[VARIABLE_BYTES_MAX];
    size_t start = text->used;

    variable_of(entry->name, variable);
    text_add(text, "  --");
    text_add(text, entry->name);
    if (entry->type != CONF_FLAG) {
        text_add(text, " ");
        text_add(text, entry->unit != NULL ? entry->unit : "VALUE");
    }
    do {
        text_add(text, " ");
    } while (!text->cut && text->used - start < HELP_COLUMN);
    text_add(text, entry->help);
    text_add(text, " (");
    if (entry->type == CONF_U64) {
        add_range(text, entry);
        text_add(text, ", ");
    }
    if (entry->initial != NULL && entry->initial[0] != '\0') {
        text_add(text, "default ");
        text_add(text, entry->initial);
        text_add(text, ", ");
    }
    text_add(text, variable);
    text_add(text, ")\n");
}

static void help(const struct conf *c)
{
    text_add(c->message, "usage: ");
    text_add(c->message, program_name(c));
    text_add(c->message, " [--NAME VALUE]...\n\n");
    for (size_t i = 0; i < c->count; i++) {
        add_help(c->message, &c->table[i]);
    }
    text_add(c->message, "  --help, --version\n\nA flag is stronger than the "
                         "environment, that stronger than a default.\n");
}

static void version(const struct conf *c)
{
    text_add(c->message, program_name(c));
    text_add(c->message, " " CAJAL_VERSION);
}

enum status conf_parse(const struct conf_entry *table,
                       size_t count,
                       int argc,
                       char **argv,
                       void *out,
                       char *message,
                       size_t message_size)
{
    struct text text;
    struct conf c = {.table = table,
                     .count = count,
                     .argc = argc,
                     .argv = argv,
                     .message = &text};
    enum status status = STATUS_OK;

    text_init(&text, message, message_size);
    /* Whoever asks for help gets it, whatever else is wrong. */
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            help(&c);
            return STATUS_NOT_FOUND;
        }
        if (strcmp(argv[i], "--version") == 0) {
            version(&c);
            return STATUS_CONFLICT;
        }
    }
    /* Once to look and once to write: out is untouched on failure. */
    status = set_all(&c);
    if (status != STATUS_OK) {
        return status;
    }
    c.target = out;
    return set_all(&c);
}
