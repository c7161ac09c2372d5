/* cli.h - the command line as one table: verbs, flags, texts.
 *
 * Usage, --help, "did you mean" and what a verb accepts all come from this
 * table, so that they cannot differ. Pure: nothing here prints, reads the
 * environment or ends the process. Texts borrow from argv and the table. */
#ifndef CLIENT_CLI_H
#define CLIENT_CLI_H

#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CLI_ARGUMENTS_MAX = 4,
    CLI_SETS_MAX = 64,  /* --set may be repeated */
    CLI_HOSTS_MAX = 16, /* --host too; client/keydir.h has as many */
    CLI_MESSAGE_BYTES_MAX = 512,
    CLI_HELP_COLUMNS_MAX = 80,
    CLI_TIMEOUT_MS_MAX = 86400000 /* a day */
};

enum cli_flag_id {
    /* Good for every verb. */
    FLAG_STORE = 0,
    FLAG_JOB,
    FLAG_ADDRESS,
    FLAG_KEYS,
    FLAG_CA,
    FLAG_TOKEN_FILE,
    FLAG_INSECURE,
    FLAG_OUTPUT,
    FLAG_JSON,
    FLAG_YES,
    FLAG_TIMEOUT,
    FLAG_COLOR,
    FLAG_NO_COLOR,
    FLAG_HELP,
    FLAGS_GLOBAL,
    /* Of the verbs that name them. */
    FLAG_WORKERS = FLAGS_GLOBAL,
    FLAG_SET,
    FLAG_DETACH,
    FLAG_LIMIT,
    FLAG_DELETE,
    FLAG_OFFLINE,
    FLAG_EXIT_STATUS,
    FLAG_EXIT_CODE,
    FLAG_UNITS,
    FLAG_RUNTIME,
    FLAG_THREADS,
    FLAG_HOST,
    FLAG_ROLE,
    FLAG_TOKEN,
    FLAG_FORCE,
    FLAG_DRY_RUN,
    FLAG_CONFIRM,
    FLAGS_COUNT
};

struct cli_flag {
    const char *name;     /* without dashes */
    char letter;          /* 0: none */
    const char *argument; /* what follows it, for help; NULL: a switch */
    const char *help;
};

enum cli_group {
    GROUP_RUN = 0,
    GROUP_LOOK,
    GROUP_VERSIONS,
    GROUP_MODELS,
    GROUP_CLUSTER,
    GROUP_SELF,
    GROUP_HIDDEN, /* for the tool itself; not shown */
    GROUPS_COUNT
};

struct tool;

struct cli_verb {
    const char *name;
    const char *arguments; /* as in usage: "VERSION FILE" */
    unsigned arguments_least;
    unsigned arguments_most;
    enum cli_group group;
    uint64_t flags; /* bit (1 << cli_flag_id), beside the global ones */
    const char *summary;
    const char *details;           /* sentences, lines of at most 76 columns */
    const char *example;           /* commands, one a line, without prompt */
    int (*run)(struct tool *tool); /* returns the exit code */
};

/* One parsed command line. */
struct cli {
    const struct cli_verb *verb; /* NULL: none was given */
    const char *arguments[CLI_ARGUMENTS_MAX];
    unsigned arguments_count;
    const char *values[FLAGS_COUNT]; /* NULL: not given; "" for a switch */
    const char *sets[CLI_SETS_MAX];
    unsigned sets_count;
    const char *hosts[CLI_HOSTS_MAX];
    unsigned hosts_count;
    uint32_t timeout_ms;  /* 0: not given */
    uint32_t workers;     /* 0: not given; the MAX of MIN:MAX */
    uint32_t workers_min; /* 0: no range was given */
    uint32_t threads;
    uint32_t limit;
    bool json;
    bool wide;
};

const struct cli_verb *cli_verbs(size_t *out_count);
const struct cli_flag *cli_flags(void); /* indexed by enum cli_flag_id */
const struct cli_verb *cli_find(const char *name); /* NULL: no such verb */

/* Flags may stand before and after the verb; `--` ends them. INVALID: message
 * tells what is wrong and what to write instead; json is already right. */
enum status cli_parse(int argc,
                      char *const *argv,
                      struct cli *out,
                      char *message,
                      size_t message_size) MUST_CHECK;

/* What to say about a word that is not a verb: a near verb, or what others
 * call the thing. */
void cli_unknown_verb(const char *word, char *message, size_t message_size);

/* "2s", "500ms", "1m", "30" (seconds). INVALID: anything else. */
enum status cli_duration(const char *text, uint32_t *out_ms) MUST_CHECK;

/* Help texts of at most 80 columns, cut at size. NULL: all verbs. */
void cli_help(const struct cli_verb *verb, char *out, size_t size);
const char *cli_help_exit_codes(void);

#endif /* CLIENT_CLI_H */
