/* conf.h - the settings table of a daemon: name, type, default, range, help.
 *
 * Sources, later ones win: default, environment (CAJAL_NAME), flag
 * (--name VALUE or --name=VALUE). An unknown flag or a value out of range is
 * an error with a sentence. --help prints the table. getenv lives only here. */
#ifndef BASE_CONF_H
#define BASE_CONF_H

#include "base/status.h"
#include <stddef.h>
#include <stdint.h>

enum conf_type { CONF_TEXT = 1, CONF_U64, CONF_FLAG };

struct conf_entry {
    const char *name; /* as in --name; dashes become _ in the environment */
    enum conf_type type;
    const char *initial; /* as text; NULL: none */
    uint64_t least;      /* CONF_U64: the range, both ends allowed */
    uint64_t most;
    const char *unit; /* shown in --help: "ms", "bytes", "PATH" */
    const char *help;
    size_t offset; /* of a char[PATH_BYTES_MAX], uint64_t or bool */
};

/* Fills the struct at out. INVALID: message tells what and what to write
 * instead. NOT_FOUND: --help was asked for and message holds its text;
 * CONFLICT: --version likewise. message is cut at message_size. */
enum status conf_parse(const struct conf_entry *table,
                       size_t count,
                       int argc,
                       char **argv,
                       void *out,
                       char *message,
                       size_t message_size) MUST_CHECK;

/* An environment variable, or fallback where it is unset or empty. Borrowed. */
const char *conf_environment(const char *name, const char *fallback);

#endif /* BASE_CONF_H */
