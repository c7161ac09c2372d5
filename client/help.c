#include "client/cli.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

static const char *const group_titles[GROUPS_COUNT] = {
    [GROUP_RUN] = "Run",           [GROUP_LOOK] = "Look",
    [GROUP_VERSIONS] = "Versions", [GROUP_MODELS] = "Models and store",
    [GROUP_CLUSTER] = "Cluster",   [GROUP_SELF] = "Self-help",
};

/* Adds word and spaces up to column; at least two of them. */
static void add_padded(struct text *text, const char *word, size_t column)
{
    size_t length = strlen(word);

    text_add(text, word);
    do {
        text_add(text, " ");
        length++;
    } while (length < column);
}

static void add_flag(struct text *text, const struct cli_flag *flag)
{
    char word[64];
    char letter[8] = "    ";

    if (flag->letter != 0) {
        (void)snprintf(letter, sizeof(letter), "-%c, ", flag->letter);
    }
    (void)snprintf(word, sizeof(word), "  %s--%s%s%s", letter, flag->name,
                   flag->argument != NULL ? " " : "",
                   flag->argument != NULL ? flag->argument : "");
    add_padded(text, word, 26);
    text_add(text, flag->help);
    text_add(text, "\n");
}

static void add_global_flags(struct text *text)
{
    text_add(text, "\nFlags of every verb, before or after it\n");
    for (size_t i = 0; i < FLAGS_GLOBAL; i++) {
        add_flag(text, &cli_flags()[i]);
    }
}

/* Indents each line of lines by two spaces. */
static void add_lines(struct text *text, const char *lines)
{
    while (*lines != '\0') {
        size_t length = strcspn(lines, "\n");

        text_add(text, "  ");
        text_add_bytes(text, lines, length);
        text_add(text, "\n");
        lines += length + (lines[length] == '\n' ? 1 : 0);
    }
}

static void help_all(struct text *text)
{
    size_t count = 0;
    const struct cli_verb *verbs = cli_verbs(&count);

    text_add(text,
             "Cajal trains neural networks that grow and prune themselves, on "
             "one machine\nor many, and keeps every architecture they ever "
             "had.\n\nStart here\n"
             "  cajal run job.yaml        train a job from start to end\n"
             "  cajal history             the versions it left behind\n"
             "  cajal diff @~1 @          what the last change did\n"
             "  cajal restore v5          go back; `cajal undo` takes it "
             "back\n");
    for (int group = 0; group < GROUP_HIDDEN; group++) {
        text_add(text, "\n");
        text_add(text, group_titles[group]);
        text_add(text, "\n");
        for (size_t i = 0; i < count; i++) {
            char word[64];

            if ((int)verbs[i].group != group) {
                continue;
            }
            (void)snprintf(word, sizeof(word), "  %s %s", verbs[i].name,
                           verbs[i].arguments);
            add_padded(text, word, 26);
            text_add(text, verbs[i].summary);
            text_add(text, "\n");
        }
    }
    add_global_flags(text);
    text_add(text, "\n`cajal help VERB` tells more. Nothing here uses any "
                   "network but the\ncoordinator's, and nothing is reported "
                   "to anyone.\n");
}

static void help_verb(struct text *text, const struct cli_verb *verb)
{
    text_add(text, "cajal ");
    text_add(text, verb->name);
    if (verb->arguments[0] != '\0') {
        text_add(text, " ");
        text_add(text, verb->arguments);
    }
    text_add(text, " [FLAGS]\n  ");
    text_add(text, verb->summary);
    text_add(text, "\n");
    if (verb->example != NULL) {
        text_add(text, "\nExample\n");
        add_lines(text, verb->example);
    }
    if (verb->details != NULL) {
        text_add(text, "\n");
        text_add(text, verb->details);
        text_add(text, "\n");
    }
    if (verb->flags != 0) {
        text_add(text, "\nFlags of this verb\n");
        for (size_t i = FLAGS_GLOBAL; i < FLAGS_COUNT; i++) {
            if ((verb->flags >> i & 1) != 0) {
                add_flag(text, &cli_flags()[i]);
            }
        }
    }
    add_global_flags(text);
}

void cli_help(const struct cli_verb *verb, char *out, size_t size)
{
    struct text text;

    text_init(&text, out, size);
    if (verb != NULL) {
        help_verb(&text, verb);
    } else {
        help_all(&text);
    }
}

const char *cli_help_exit_codes(void)
{
    return "Exit codes\n"
           "  0    done\n"
           "  1    it worked and the answer is no: the job failed, diff "
           "--exit-code differs\n"
           "  2    bad usage or a job file with errors; nothing was started\n"
           "  3    no such job, version, tag, worker or store\n"
           "  4    not allowed\n"
           "  5    no coordinator answers, or not in time\n"
           "  6    conflict: the present state does not allow it\n"
           "  7    data or disk fault: damaged bytes, disk full, a limit\n"
           "  8    still going when --timeout ran out\n"
           "  70   a bug of ours\n"
           "  130  interrupted (Ctrl-C); 143 terminated\n";
}
