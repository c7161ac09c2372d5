#include "base/conf.h"

#include "base/check.h"
#include "base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct settings {
    char store_path[PATH_BYTES_MAX];
    char name[PATH_BYTES_MAX];
    uint64_t port;
    uint64_t seed;
    bool quiet;
};

static const struct conf_entry table[] = {
    {"store-path", CONF_TEXT, "./data", 0, 0, "PATH", "where versions rest",
     offsetof(struct settings, store_path)},
    {"name", CONF_TEXT, NULL, 0, 0, NULL, "who this is",
     offsetof(struct settings, name)},
    {"port", CONF_U64, "7000", 1, 65535, "PORT", "where it listens",
     offsetof(struct settings, port)},
    {"seed", CONF_U64, NULL, 0, UINT64_MAX, NULL, "of all randomness",
     offsetof(struct settings, seed)},
    {"quiet", CONF_FLAG, NULL, 0, 0, NULL, "says less",
     offsetof(struct settings, quiet)},
};

enum { COUNT = sizeof(table) / sizeof(table[0]), ARGUMENTS_MAX = 8 };

static struct settings settings;
static char message[4096];

static void check_to_cmocka(const char *file, int line, const char *condition)
{
    mock_assert(0, condition, file, line);
}

static int clear(void **state)
{
    static const char *const names[] = {"CAJAL_STORE_PATH", "CAJAL_NAME",
                                        "CAJAL_PORT", "CAJAL_SEED",
                                        "CAJAL_QUIET"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        unsetenv(names[i]);
    }
    memset(&settings, 0xee, sizeof(settings));
    return 0;
}

/* Up to three arguments after the program's name; NULL: none. */
static enum status parse(const char *a, const char *b, const char *c)
{
    const char *const given[] = {"/usr/bin/cajal-test", a, b, c};
    static char copies[ARGUMENTS_MAX][2 * PATH_BYTES_MAX];
    char *argv[ARGUMENTS_MAX] = {NULL};
    int argc = 0;

    for (int i = 0; i < 4 && given[i] != NULL; i++) {
        strncpy(copies[i], given[i], sizeof(copies[i]) - 1);
        argv[argc++] = copies[i];
    }
    return conf_parse(table, COUNT, argc, argv, &settings, message,
                      sizeof(message));
}

static void assert_refused(const char *a, const char *b, const char *sentence)
{
    struct settings before = settings;

    assert_int_equal(parse(a, b, NULL), STATUS_INVALID);
    assert_string_equal(message, sentence);
    assert_memory_equal(&settings, &before, sizeof(settings));
}

static void test_conf__starts_from_the_defaults(void **state)
{
    (void)state;

    assert_int_equal(parse(NULL, NULL, NULL), STATUS_OK);

    assert_string_equal(settings.store_path, "./data");
    assert_string_equal(settings.name, "");
    assert_true(settings.port == 7000);
    assert_true(settings.seed == 0);
    assert_false(settings.quiet);
    assert_string_equal(message, "");
}

static void test_conf__takes_both_forms_of_a_flag(void **state)
{
    (void)state;

    assert_int_equal(parse("--port", "1", "--store-path=/a=b"), STATUS_OK);

    assert_true(settings.port == 1);
    assert_string_equal(settings.store_path, "/a=b");
}

static void test_conf__prefers_flag_to_environment_to_default(void **state)
{
    (void)state;
    setenv("CAJAL_PORT", "8000", 1);
    setenv("CAJAL_STORE_PATH", "/env", 1);

    assert_int_equal(parse("--port=9000", NULL, NULL), STATUS_OK);

    assert_true(settings.port == 9000);
    assert_string_equal(settings.store_path, "/env");
}

static void test_conf__takes_an_empty_variable_for_none(void **state)
{
    (void)state;
    setenv("CAJAL_PORT", "", 1);

    assert_int_equal(parse(NULL, NULL, NULL), STATUS_OK);

    assert_true(settings.port == 7000);
    assert_string_equal(conf_environment("CAJAL_PORT", "none"), "none");
    setenv("CAJAL_PORT", "1", 1);
    assert_string_equal(conf_environment("CAJAL_PORT", "none"), "1");
    assert_null(conf_environment("CAJAL_NO_SUCH_NAME", NULL));
}

static void test_conf__lets_the_last_flag_win(void **state)
{
    (void)state;

    assert_int_equal(parse("--port=1", "--port=2", "--port=3"), STATUS_OK);

    assert_true(settings.port == 3);
}

static void test_conf__switches_flags_on_and_off(void **state)
{
    (void)state;

    assert_int_equal(parse("--quiet", "--port", "5"), STATUS_OK);
    assert_true(settings.quiet);
    assert_true(settings.port == 5);
    assert_int_equal(parse("--quiet=no", NULL, NULL), STATUS_OK);
    assert_false(settings.quiet);
    setenv("CAJAL_QUIET", "true", 1);
    assert_int_equal(parse(NULL, NULL, NULL), STATUS_OK);
    assert_true(settings.quiet);
    assert_int_equal(parse("--quiet=0", NULL, NULL), STATUS_OK);
    assert_false(settings.quiet);
    assert_refused("--quiet=maybe", NULL,
                   "--quiet: \"maybe\" is not allowed; give yes or no");
}

static void test_conf__allows_both_ends_of_a_range(void **state)
{
    (void)state;

    assert_int_equal(parse("--port=65535", "--seed=18446744073709551615", NULL),
                     STATUS_OK);
    assert_true(settings.port == 65535);
    assert_true(settings.seed == UINT64_MAX);
    assert_refused("--port=0", NULL,
                   "--port: \"0\" is not allowed; give a whole number, "
                   "1 to 65535 PORT");
    assert_refused("--port=65536", NULL,
                   "--port: \"65536\" is not allowed; give a whole number, "
                   "1 to 65535 PORT");
}

static void test_conf__refuses_what_is_no_number(void **state)
{
    static const char *const wrong[] = {
        "--seed=",   "--seed=-1", "--seed=+1",
        "--seed= 1", "--seed=1k", "--seed=18446744073709551616",
        "--seed=0x1"};

    (void)state;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(parse(wrong[i], NULL, NULL), STATUS_INVALID);
    }
}

static void test_conf__names_the_variable_that_is_wrong(void **state)
{
    (void)state;
    setenv("CAJAL_PORT", "many", 1);

    assert_refused(NULL, NULL,
                   "CAJAL_PORT: \"many\" is not allowed; give a whole "
                   "number, 1 to 65535 PORT");
}

static void test_conf__refuses_unknown_flags_and_words(void **state)
{
    (void)state;

    assert_refused("--store", "/x",
                   "--store is not a setting; did you mean --store-path? "
                   "--help lists all");
    assert_refused("--prot=5", NULL,
                   "--prot is not a setting; --help lists all");
    assert_refused("--", NULL,
                   "\"--\" is not a setting; write --NAME VALUE, "
                   "--help lists all");
    assert_refused("-p", NULL,
                   "\"-p\" is not a setting; write --NAME VALUE, "
                   "--help lists all");
    assert_refused("--quiet", "yes",
                   "\"yes\" is not a setting; write --NAME VALUE, "
                   "--help lists all");
}

static void test_conf__refuses_a_flag_without_its_value(void **state)
{
    (void)state;

    assert_refused("--port", NULL, "--port needs a value; write --port PORT");
    assert_refused("--name", "--quiet",
                   "--name needs a value; write --name VALUE");
    assert_int_equal(parse("--name=--quiet", NULL, NULL), STATUS_OK);
    assert_string_equal(settings.name, "--quiet");
}

static void test_conf__refuses_a_text_that_does_not_fit(void **state)
{
    char argument[PATH_BYTES_MAX + 8] = "--name=";
    size_t used = strlen(argument);

    (void)state;

    memset(argument + used, 'n', PATH_BYTES_MAX - 1);
    assert_int_equal(parse(argument, NULL, NULL), STATUS_OK);
    assert_int_equal(strlen(settings.name), PATH_BYTES_MAX - 1);
    argument[used + PATH_BYTES_MAX - 1] = 'n';
    assert_int_equal(parse(argument, NULL, NULL), STATUS_INVALID);
    assert_non_null(strstr(message, "give a text of at most 511 bytes"));
}

static void test_conf__prints_the_table_as_help(void **state)
{
    (void)state;

    assert_int_equal(parse("--nonsense", "--help", NULL), STATUS_NOT_FOUND);

    assert_string_equal(
        message,
        "usage: cajal-test [--NAME VALUE]...\n"
        "\n"
        "  --store-path PATH         where versions rest (default ./data, "
        "CAJAL_STORE_PATH)\n"
        "  --name VALUE              who this is (CAJAL_NAME)\n"
        "  --port PORT               where it listens (1 to 65535 PORT, "
        "default 7000, CAJAL_PORT)\n"
        "  --seed VALUE              of all randomness (0 to "
        "18446744073709551615, CAJAL_SEED)\n"
        "  --quiet                   says less (CAJAL_QUIET)\n"
        "  --help, --version\n"
        "\n"
        "A flag is stronger than the environment, that stronger than a "
        "default.\n");
}

static void test_conf__tells_its_version(void **state)
{
    (void)state;

    assert_int_equal(parse("--version", NULL, NULL), STATUS_CONFLICT);

    assert_string_equal(message, "cajal-test " CAJAL_VERSION);
}

static void test_conf__cuts_a_message_to_its_room(void **state)
{
    char *argv[] = {message, NULL};
    char argument[] = "--unknown";
    char room[8];

    (void)state;
    argv[1] = argument;

    assert_int_equal(
        conf_parse(table, COUNT, 2, argv, &settings, room, sizeof(room)),
        STATUS_INVALID);

    assert_string_equal(room, "--unkno");
}

static void test_conf__checks_its_own_defaults(void **state)
{
    static const struct conf_entry wrong[] = {
        {"port", CONF_U64, "0", 1, 10, NULL, "", 0}};
    char *argv[] = {message};
    uint64_t port = 0;

    (void)state;

    expect_assert_failure(
        (void)!conf_parse(wrong, 1, 1, argv, &port, message, sizeof(message)));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, clear)
    const struct CMUnitTest tests[] = {
        TEST(test_conf__starts_from_the_defaults),
        TEST(test_conf__takes_both_forms_of_a_flag),
        TEST(test_conf__prefers_flag_to_environment_to_default),
        TEST(test_conf__takes_an_empty_variable_for_none),
        TEST(test_conf__lets_the_last_flag_win),
        TEST(test_conf__switches_flags_on_and_off),
        TEST(test_conf__allows_both_ends_of_a_range),
        TEST(test_conf__refuses_what_is_no_number),
        TEST(test_conf__names_the_variable_that_is_wrong),
        TEST(test_conf__refuses_unknown_flags_and_words),
        TEST(test_conf__refuses_a_flag_without_its_value),
        TEST(test_conf__refuses_a_text_that_does_not_fit),
        TEST(test_conf__prints_the_table_as_help),
        TEST(test_conf__tells_its_version),
        TEST(test_conf__cuts_a_message_to_its_room),
        TEST(test_conf__checks_its_own_defaults),
    };
#undef TEST

    check_hook = check_to_cmocka;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
