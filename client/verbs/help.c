/* help: the table of cli.h, for people. */
#include "client/tool.h"
#include "client/verbs/verbs.h"

#include <stdio.h>
#include <string.h>

enum { HELP_BYTES_MAX = 8192 };

int verb_help(struct tool *tool)
{
    char text[HELP_BYTES_MAX];
    const char *topic =
        tool->cli.arguments_count > 0 ? tool->cli.arguments[0] : NULL;
    const struct cli_verb *verb = topic != NULL ? cli_find(topic) : NULL;

    if (topic != NULL && strcmp(topic, "exit-codes") == 0) {
        (void)fputs(cli_help_exit_codes(), stdout);
        return EXIT_DONE;
    }
    if (topic != NULL && verb == NULL) {
        cli_unknown_verb(topic, text, sizeof(text));
        return tool_usage(tool, "%s", text);
    }
    cli_help(verb, text, sizeof(text));
    (void)fputs(text, stdout);
    return EXIT_DONE;
}
