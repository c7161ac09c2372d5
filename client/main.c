/* main.c - the tool `cajal`: one parsed command line, one verb, one exit code.
 */
#include "client/cli.h"
#include "client/json.h"
#include "client/tool.h"
#include "client/verbs/verbs.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { HELP_BYTES_MAX = 8192 };

static int help_for(const struct cli_verb *verb, FILE *out, int code)
{
    char text[HELP_BYTES_MAX];

    cli_help(verb, text, sizeof(text));
    (void)fputs(text, out);
    return code;
}

int main(int argc, char **argv)
{
    struct tool tool;
    char message[CLI_MESSAGE_BYTES_MAX];
    enum status status = STATUS_OK;
    int code = EXIT_DONE;

    memset(&tool, 0, sizeof(tool));
    json_start();
    (void)signal(SIGPIPE, SIG_IGN); /* `| head` is no reason to die halfway */
    status = cli_parse(argc, argv, &tool.cli, message, sizeof(message));
    tool_init(&tool);
    if (status != STATUS_OK) {
        return tool_usage(&tool, "%s", message);
    }
    if (tool.cli.values[FLAG_HELP] != NULL) {
        return help_for(tool.cli.verb, stdout, EXIT_DONE);
    }
    if (tool.cli.verb == NULL) {
        return help_for(NULL, stderr, EXIT_BAD_USAGE);
    }
    code = tool.cli.verb->run(&tool);
    tool_fini(&tool);
    return code;
}
