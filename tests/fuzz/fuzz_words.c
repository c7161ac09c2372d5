/* fuzz_words.c - what a person types: command lines, addresses, settings.
 *
 * The first byte chooses. Words are separated by NUL bytes. Whatever they are,
 * a refusal has a sentence, and nothing that was accepted is out of its range.
 */
#include "base/check.h"
#include "base/conf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "client/cli.h"
#include "client/look.h"
#include "base/address.h"
#include "coordinator/shell/records/names.h"
#include "coordinator/shell/requests/setting.h"
#include "tests/unit/proto/samples.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { TEXT_BYTES_MAX = 4096, WORDS_MAX = 40, MESSAGE_BYTES_MAX = 2048 };

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

/* As main gets them: argv[0] is the program. */
struct words {
    char text[TEXT_BYTES_MAX + 1];
    char *list[WORDS_MAX + 2];
    int count;
};

static void split(const unsigned char *data, size_t size, struct words *out)
{
    static char program[] = "cajal";
    size_t at = 0;

    size = size < TEXT_BYTES_MAX ? size : TEXT_BYTES_MAX;
    memcpy(out->text, data, size);
    out->text[size] = '\0';
    out->list[0] = program;
    out->count = 1;
    while (at < size && out->count <= WORDS_MAX) {
        out->list[out->count++] = out->text + at;
        at += strlen(out->text + at) + 1;
    }
    out->list[out->count] = NULL;
}

static const char *word(const struct words *words, int at)
{
    return at < words->count ? words->list[at] : "";
}

/* --- The daemons' settings --- */

struct settings {
    char path[PATH_BYTES_MAX];
    uint64_t port;
    bool fast;
};

static void try_settings(const struct words *words)
{
    static const struct conf_entry table[] = {
        {"path", CONF_TEXT, "x", 0, 0, "PATH", "a path",
         offsetof(struct settings, path)},
        {"port", CONF_U64, "7", 7, 70, "ports", "a number",
         offsetof(struct settings, port)},
        {"fast", CONF_FLAG, NULL, 0, 0, NULL, "a flag",
         offsetof(struct settings, fast)},
    };
    char message[MESSAGE_BYTES_MAX] = "";
    struct settings settings;
    enum status status = conf_parse(
        table, sizeof(table) / sizeof(table[0]), words->count,
        (char **)(uintptr_t)words->list, &settings, message, sizeof(message));

    if (status == STATUS_OK) {
        CHECK(settings.port >= 7 && settings.port <= 70);
        CHECK(memchr(settings.path, '\0', sizeof(settings.path)) != NULL);
    } else {
        CHECK(message[0] != '\0');
    }
}

/* --- The tool's command line --- */

static void check_cli(const struct cli *cli)
{
    static char help[16384];

    CHECK(cli->arguments_count <= CLI_ARGUMENTS_MAX);
    CHECK(cli->sets_count <= CLI_SETS_MAX);
    CHECK(cli->hosts_count <= CLI_HOSTS_MAX);
    CHECK(cli->timeout_ms <= CLI_TIMEOUT_MS_MAX);
    CHECK(cli->workers <= WORKERS_MAX);
    CHECK(cli->workers_min <= cli->workers);
    cli_help(cli->verb, help, sizeof(help));
    CHECK(help[0] != '\0');
}

static void try_cli(const struct words *words)
{
    char message[CLI_MESSAGE_BYTES_MAX] = "";
    struct cli cli;
    uint32_t ms = 0;
    enum status status =
        cli_parse(words->count, words->list, &cli, message, sizeof(message));

    if (status == STATUS_OK) {
        check_cli(&cli);
    } else {
        CHECK(status == STATUS_INVALID);
        CHECK(message[0] != '\0');
    }
    cli_unknown_verb(word(words, 1), message, sizeof(message));
    CHECK(message[0] != '\0');
    if (cli_duration(word(words, 1), &ms) == STATUS_OK) {
        CHECK(ms >= 1 && ms <= CLI_TIMEOUT_MS_MAX);
    }
}

/* --- What clients write of a running job --- */

static void try_setting(const struct words *words)
{
    static struct job_spec spec;
    static struct job_spec changed;
    struct grant_setting setting;
    char why[ERROR_BYTES_MAX] = "";

    sample_spec(&spec);
    if (setting_parse(&spec, word(words, 1), word(words, 2), &setting, why) !=
        STATUS_OK) {
        CHECK(why[0] != '\0');
        return;
    }
    changed = spec;
    CHECK(job_apply_setting(&changed, setting.setting, setting.value) ==
          STATUS_OK);
    CHECK(job_check(&changed, why, sizeof(why)) == STATUS_OK);
}

static void try_names(const struct words *words)
{
    const char *text = word(words, 1);
    char clean[256];
    char peer[NAME_BYTES_MAX];

    if (names_tag_fits(text)) {
        CHECK(strlen(text) < NAME_BYTES_MAX);
        CHECK(strpbrk(text, "/@~{}: \n") == NULL);
    }
    (void)address_is_local(text);
    address_without_port(text, peer);
    CHECK(strlen(peer) < sizeof(peer));
    look_clean(text, clean, sizeof(clean));
    for (const char *c = clean; *c != '\0'; c++) {
        CHECK((unsigned char)*c >= ' ' && *c != 0x7f);
    }
    (void)look_width(text);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static void (*const tries[])(const struct words *) = {
        try_settings, try_cli, try_setting, try_names};
    static struct words words;

    if (size > 0) {
        split(data + 1, size - 1, &words);
        tries[data[0] % (sizeof(tries) / sizeof(tries[0]))](&words);
    }
    CHECK(mem_live() == 0);
    return 0;
}
