#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/channel_words.h"

#include <grpc/status.h>
#include <string.h>

static struct cajal_error error;

/* As gRPC 1.51 words them. */
static enum status say(bool encrypted,
                       bool certified,
                       int code,
                       const char *details)
{
    const struct channel_words words = {.target = "10.0.0.1:7070",
                                        .details = details,
                                        .code = code,
                                        .encrypted = encrypted,
                                        .certified = certified};

    return channel_words(&words, &error);
}

static void test_channel_words__nobody_is_there(void **state)
{
    static const char text[] =
        "failed to connect to all addresses; last error: UNKNOWN: "
        "ipv4:10.0.0.1:7070: Failed to connect to remote host: Connection "
        "refused";

    (void)state;
    assert_int_equal(say(true, true, GRPC_STATUS_UNAVAILABLE, text),
                     STATUS_UNAVAILABLE);
    assert_string_equal(error.text, "no coordinator answers at 10.0.0.1:7070.");
    assert_int_equal(say(false, false, GRPC_STATUS_UNAVAILABLE, text),
                     STATUS_UNAVAILABLE);
    assert_null(strstr(error.text, "--keys"));
}

static void test_channel_words__a_hang_up_on_our_certificate(void **state)
{
    (void)state;
    assert_int_equal(say(true, true, GRPC_STATUS_UNAVAILABLE, "Socket closed"),
                     STATUS_REFUSED);
    assert_non_null(strstr(error.text, "does not take this certificate"));
    assert_int_equal(say(true, false, GRPC_STATUS_UNAVAILABLE, "Socket closed"),
                     STATUS_REFUSED);
    assert_non_null(strstr(error.text, "--keys"));
    assert_int_equal(
        say(false, false, GRPC_STATUS_UNAVAILABLE, "Socket closed"),
        STATUS_UNAVAILABLE);
    assert_non_null(strstr(error.text, "If it wants keys"));
}

static void test_channel_words__a_stranger_in_its_place(void **state)
{
    (void)state;
    assert_int_equal(
        say(true, true, GRPC_STATUS_UNAVAILABLE,
            "failed to connect to all addresses; last error: UNKNOWN: "
            "Ssl handshake failed: SSL_ERROR_SSL: error:0A000086:SSL "
            "routines::certificate verify failed"),
        STATUS_REFUSED);
    assert_non_null(strstr(error.text, "no certificate of our authority"));
}

/* One that has answered before and dies is gone, and nothing about keys. */
static void test_channel_words__a_death_is_no_refusal(void **state)
{
    struct channel_words words = {.target = "10.0.0.1:7070",
                                  .details = "Socket closed",
                                  .code = GRPC_STATUS_UNAVAILABLE,
                                  .encrypted = true,
                                  .certified = true,
                                  .proved = true};

    (void)state;
    assert_int_equal(channel_words(&words, &error), STATUS_UNAVAILABLE);
    words.proved = false;
    words.marked = true; /* in this very call */
    assert_int_equal(channel_words(&words, &error), STATUS_UNAVAILABLE);
}

static void test_channel_words__its_own_words_are_passed_on(void **state)
{
    struct channel_words words = {.target = "10.0.0.1:7070",
                                  .details = "\"ada\" has no role here.",
                                  .code = GRPC_STATUS_PERMISSION_DENIED,
                                  .encrypted = true,
                                  .marked = true};

    (void)state;
    assert_int_equal(channel_words(&words, &error), STATUS_REFUSED);
    assert_string_equal(error.text, words.details);
    words.code = GRPC_STATUS_UNAUTHENTICATED;
    assert_int_equal(channel_words(&words, &error), STATUS_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_channel_words__nobody_is_there),
        cmocka_unit_test(test_channel_words__a_hang_up_on_our_certificate),
        cmocka_unit_test(test_channel_words__a_stranger_in_its_place),
        cmocka_unit_test(test_channel_words__a_death_is_no_refusal),
        cmocka_unit_test(test_channel_words__its_own_words_are_passed_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
