#include "client/cli.h"

#include "base/limits.h"
#include "proto/suggest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Words of other tools, and what is meant here. A release that cannot do a
 * thing says so, since people will look for it. */
static const struct {
    const char *word;
    const char *answer;
} others[] = {
    {"log", "`history` shows versions, `logs` shows messages"},
    {"ls", "`jobs` lists jobs, `history` lists versions"},
    {"list", "`jobs` lists jobs, `history` lists versions"},
    {"ps", "`jobs` lists jobs, `workers` lists processes"},
    {"top", "`workers` lists processes, `watch` follows a job"},
    {"checkout", "`restore` puts a job back to a version"},
    {"switch", "`restore` puts a job back to a version"},
    {"reset", "`restore` puts a job back to a version"},
    {"revert", "`restore` puts a job back, `undo` takes a restore back"},
    {"rollback", "`restore` puts a job back, `undo` takes a restore back"},
    {"start", "`run` starts a job, `up` starts a cluster"},
    {"submit", "`launch` starts a job on a running cluster"},
    {"train", "`run` starts a job"},
    {"stop", "`cancel` stops a job, `pause` holds it, `down` ends a cluster"},
    {"kill", "`cancel` stops a job, `down` ends a cluster"},
    {"delete", "`cancel` stops a job; versions are never deleted by hand"},
    {"save", "`export` writes a file, `tag` keeps a version"},
    {"test", "`eval` measures a version, `verify` checks the store"},
    {"describe", "`show` tells about a version, `status` about a job"},
    {"server", "`up` starts a coordinator and workers"},
    {"fork", "this release cannot fork a job yet"},
    {"why", "this release cannot tell a unit's life yet; see `diff`"},
    {"prune-versions", "`gc` drops the versions that the keep rules allow"},
    {"compact", "`backup` makes a small copy, `gc` frees pages for new use"},
    {"scale", "a job with --workers MIN:MAX takes workers as they come"},
    {"login", "`keys` makes keys, --keys DIR uses them"},
    {"certs", "`keys` says who may come in"},
    {"doctor", "this release has no doctor yet; see `status` and `logs`"},
};

void cli_unknown_verb(const char *word, char *message, size_t message_size)
{
    size_t count = 0;
    const struct cli_verb *verbs = cli_verbs(&count);
    struct suggest suggest;

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (strcmp(others[i].word, word) == 0) {
            (void)snprintf(message, message_size, "\"%s\" is not a verb: %s.",
                           word, others[i].answer);
            return;
        }
    }
    suggest_init(&suggest, word, strlen(word));
    for (size_t i = 0; i < count; i++) {
        if (verbs[i].group != GROUP_HIDDEN) {
            suggest_offer(&suggest, verbs[i].name);
        }
    }
    if (suggest.best != NULL) {
        (void)snprintf(message, message_size,
                       "\"%s\" is not a verb. Did you mean \"%s\"?", word,
                       suggest.best);
        return;
    }
    (void)snprintf(message, message_size,
                   "\"%s\" is not a verb. `cajal help` lists them.", word);
}

static bool takes(const struct cli_verb *verb, size_t flag)
{
    return flag < FLAGS_GLOBAL ||
           (verb != NULL && (verb->flags >> flag & 1) != 0);
}

static void unknown_flag(const struct cli_verb *verb,
                         const char *name,
                         size_t size,
                         char *message,
                         size_t message_size)
{
    const struct cli_flag *flags = cli_flags();
    struct suggest suggest;
    const char *of = verb != NULL ? verb->name : "";

    suggest_init(&suggest, name, size);
    for (size_t i = 0; i < FLAGS_COUNT; i++) {
        if (takes(verb, i)) {
            suggest_offer(&suggest, flags[i].name);
        }
    }
    if (suggest.best != NULL) {
        (void)snprintf(message, message_size,
                       "unknown flag --%.*s. Did you mean --%s?", (int)size,
                       name, suggest.best);
        return;
    }
    (void)snprintf(message, message_size,
                   "unknown flag --%.*s. `cajal help%s%s` lists the flags.",
                   (int)size, name, of[0] != '\0' ? " " : "", of);
}

/* FLAGS_COUNT: no such flag of this verb. A flag of another verb is unknown
 * here; before the verb is known, all are accepted and checked at the end. */
static size_t find_long(const char *name, size_t size)
{
    const struct cli_flag *flags = cli_flags();
    size_t i = 0;

    while (i < FLAGS_COUNT && (strlen(flags[i].name) != size ||
                               memcmp(flags[i].name, name, size) != 0)) {
        i++;
    }
    return i;
}

static size_t find_letter(char letter)
{
    const struct cli_flag *flags = cli_flags();
    size_t i = 0;

    while (i < FLAGS_COUNT && flags[i].letter != letter) {
        i++;
    }
    return i;
}

static enum status count_value(const char *text, uint32_t *out)
{
    char *end = NULL;
    unsigned long value = 0;

    if (text[0] < '0' || text[0] > '9') {
        return STATUS_INVALID;
    }
    value = strtoul(text, &end, 10);
    if (*end != '\0' || value > 1000000000UL) {
        return STATUS_INVALID;
    }
    *out = (uint32_t)value;
    return STATUS_OK;
}

enum status cli_duration(const char *text, uint32_t *out_ms)
{
    static const struct {
        const char *unit;
        double ms;
    } units[] = {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 6e4}, {"h", 36e5}};
    char *end = NULL;
    double value = 0;

    if (!(text[0] >= '0' && text[0] <= '9')) {
        return STATUS_INVALID;
    }
    value = strtod(text, &end);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(end, units[i].unit) == 0 &&
            value * units[i].ms <= CLI_TIMEOUT_MS_MAX &&
            value * units[i].ms >= 1) {
            *out_ms = (uint32_t)(value * units[i].ms);
            return STATUS_OK;
        }
    }
    return STATUS_INVALID;
}

/* N or MIN:MAX. */
static enum status workers_value(const char *text, struct cli *cli)
{
    const char *colon = strchr(text, ':');
    char least[8];

    cli->workers_min = 0;
    if (colon != NULL) {
        if ((size_t)(colon - text) >= sizeof(least)) {
            return STATUS_INVALID;
        }
        (void)snprintf(least, sizeof(least), "%.*s", (int)(colon - text), text);
        if (count_value(least, &cli->workers_min) != STATUS_OK ||
            cli->workers_min < 1) {
            return STATUS_INVALID;
        }
        text = colon + 1;
    }
    if (count_value(text, &cli->workers) != STATUS_OK || cli->workers < 1 ||
        cli->workers > WORKERS_MAX || cli->workers_min > cli->workers) {
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

struct parser {
    struct cli *cli;
    int argc;
    char *const *argv;
    int at; /* of the argument under way */
    char *message;
    size_t message_size;
};

static enum status complain(struct parser *p, const char *what, const char *of)
{
    (void)snprintf(p->message, p->message_size, "%s %s", what, of);
    return STATUS_INVALID;
}

static enum status bad_value(struct parser *p, size_t flag, const char *form)
{
    (void)snprintf(p->message, p->message_size, "--%s \"%s\" is not %s.",
                   cli_flags()[flag].name, p->cli->values[flag], form);
    return STATUS_INVALID;
}

static enum status store_value(struct parser *p, size_t flag, const char *value)
{
    struct cli *cli = p->cli;
    enum status status = STATUS_OK;

    cli->values[flag] = value;
    switch (flag) {
    case FLAG_JSON:
        cli->json = true;
        break;
    case FLAG_OUTPUT:
        cli->json = strcmp(value, "json") == 0;
        cli->wide = strcmp(value, "wide") == 0;
        if (!cli->json && !cli->wide && strcmp(value, "table") != 0) {
            return bad_value(p, flag, "table, wide or json");
        }
        break;
    case FLAG_TIMEOUT:
        status = cli_duration(value, &cli->timeout_ms);
        return status == STATUS_OK ? status
                                   : bad_value(p, flag, "a time such as 30s");
    case FLAG_WORKERS:
        status = workers_value(value, cli);
        return status == STATUS_OK
                   ? status
                   : bad_value(p, flag, "a number from 1 to 64, or MIN:MAX");
    case FLAG_THREADS:
        status = count_value(value, &cli->threads);
        return status == STATUS_OK && cli->threads >= 1
                   ? STATUS_OK
                   : bad_value(p, flag, "a number above 0");
    case FLAG_LIMIT:
        status = count_value(value, &cli->limit);
        return status == STATUS_OK && cli->limit >= 1
                   ? STATUS_OK
                   : bad_value(p, flag, "a number above 0");
    case FLAG_SET:
        if (cli->sets_count == CLI_SETS_MAX) {
            return complain(p, "too many", "--set flags");
        }
        cli->sets[cli->sets_count++] = value;
        break;
    case FLAG_HOST:
        if (cli->hosts_count == CLI_HOSTS_MAX) {
            return complain(p, "too many", "--host flags");
        }
        cli->hosts[cli->hosts_count++] = value;
        break;
    default:
        break;
    }
    return STATUS_OK;
}

/* attached: the value after `=` or right after a letter; NULL: none. */
static enum status take_flag(struct parser *p,
                             size_t flag,
                             const char *attached)
{
    const struct cli_flag *entry = &cli_flags()[flag];
    char shown[64];

    (void)snprintf(shown, sizeof(shown), "--%s", entry->name);
    if (entry->argument == NULL) {
        if (attached != NULL) {
            return complain(p, "no value can follow", shown);
        }
        return store_value(p, flag, "");
    }
    if (attached != NULL) {
        return store_value(p, flag, attached);
    }
    if (p->at + 1 >= p->argc) {
        (void)snprintf(p->message, p->message_size, "%s needs %s after it",
                       shown, entry->argument);
        return STATUS_INVALID;
    }
    p->at++;
    return store_value(p, flag, p->argv[p->at]);
}

static enum status take_long(struct parser *p, const char *word)
{
    const char *equals = strchr(word, '=');
    size_t size = equals != NULL ? (size_t)(equals - word) : strlen(word);
    size_t flag = find_long(word, size);

    if (flag == FLAGS_COUNT) {
        unknown_flag(p->cli->verb, word, size, p->message, p->message_size);
        return STATUS_INVALID;
    }
    return take_flag(p, flag, equals != NULL ? equals + 1 : NULL);
}

static enum status take_letters(struct parser *p, const char *letters)
{
    enum status status = STATUS_OK;

    for (; *letters != '\0' && status == STATUS_OK; letters++) {
        size_t flag = find_letter(*letters);

        if (flag == FLAGS_COUNT) {
            (void)snprintf(p->message, p->message_size, "unknown flag -%c",
                           *letters);
            return STATUS_INVALID;
        }
        if (cli_flags()[flag].argument != NULL) {
            return take_flag(p, flag, letters[1] != '\0' ? letters + 1 : NULL);
        }
        status = take_flag(p, flag, NULL);
    }
    return status;
}

static enum status take_word(struct parser *p, const char *word)
{
    struct cli *cli = p->cli;

    if (cli->verb == NULL) {
        cli->verb = cli_find(word);
        if (cli->verb == NULL) {
            cli_unknown_verb(word, p->message, p->message_size);
            return STATUS_INVALID;
        }
        return STATUS_OK;
    }
    if (cli->arguments_count == cli->verb->arguments_most) {
        (void)snprintf(p->message, p->message_size,
                       "\"%s\" is one too many. Usage: cajal %s %s", word,
                       cli->verb->name, cli->verb->arguments);
        return STATUS_INVALID;
    }
    cli->arguments[cli->arguments_count++] = word;
    return STATUS_OK;
}

/* What can be known only at the end: flags that stood before the verb, and
 * how many arguments there are. */
static enum status check_whole(struct parser *p)
{
    struct cli *cli = p->cli;

    for (size_t i = FLAGS_GLOBAL; i < FLAGS_COUNT; i++) {
        if (cli->values[i] != NULL && !takes(cli->verb, i)) {
            const char *name = cli_flags()[i].name;

            (void)snprintf(p->message, p->message_size,
                           "--%s is no flag of `%s`. `cajal help%s%s` lists "
                           "the flags.",
                           name, cli->verb != NULL ? cli->verb->name : "cajal",
                           cli->verb != NULL ? " " : "",
                           cli->verb != NULL ? cli->verb->name : "");
            return STATUS_INVALID;
        }
    }
    if (cli->workers_min != 0 && cli->verb != NULL &&
        cli->verb->group != GROUP_RUN) {
        return bad_value(p, FLAG_WORKERS,
                         "a number: a range is for `run` and `launch`");
    }
    if (cli->verb != NULL && cli->values[FLAG_HELP] == NULL &&
        cli->arguments_count < cli->verb->arguments_least) {
        (void)snprintf(p->message, p->message_size,
                       "something is missing. Usage: cajal %s %s",
                       cli->verb->name, cli->verb->arguments);
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

/* An error must come out in the form asked for, even if the form was asked for
 * after the error. */
static bool wants_json(int argc, char *const *argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0 || strcmp(argv[i], "-ojson") == 0 ||
            strcmp(argv[i], "--output=json") == 0) {
            return true;
        }
        if (i + 1 < argc && strcmp(argv[i + 1], "json") == 0 &&
            (strcmp(argv[i], "-o") == 0 || strcmp(argv[i], "--output") == 0)) {
            return true;
        }
    }
    return false;
}

enum status cli_parse(int argc,
                      char *const *argv,
                      struct cli *out,
                      char *message,
                      size_t message_size)
{
    struct parser p = {.cli = out,
                       .argc = argc,
                       .argv = argv,
                       .message = message,
                       .message_size = message_size};
    enum status status = STATUS_OK;
    bool flags_over = false;

    memset(out, 0, sizeof(*out));
    for (p.at = 1; p.at < argc && status == STATUS_OK; p.at++) {
        const char *word = argv[p.at];

        if (flags_over || word[0] != '-' || word[1] == '\0') {
            status = take_word(&p, word);
        } else if (strcmp(word, "--") == 0) {
            flags_over = true;
        } else if (strcmp(word, "--version") == 0 && out->verb == NULL) {
            status = take_word(&p, "version");
        } else if (word[1] == '-') {
            status = take_long(&p, word + 2);
        } else {
            status = take_letters(&p, word + 1);
        }
    }
    if (status == STATUS_OK) {
        status = check_whole(&p);
    }
    if (status != STATUS_OK) {
        out->json = wants_json(argc, argv);
    }
    return status;
}
