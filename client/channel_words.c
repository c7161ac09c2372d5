#include "client/channel_words.h"

#include "proto/rpc.h"

#include <grpc/status.h>

#include <stdio.h>
#include <string.h>

static bool begins(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static bool has_one(const char *text, const char *const *parts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strstr(text, parts[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static bool is_reset(const char *text)
{
    return begins(text, "Received RST_STREAM");
}

/* gRPC's own words for "the connection is not there", which people should not
 * have to read. A coordinator's own UNAVAILABLE has other words. */
static bool is_transport(const char *text)
{
    static const char *const starts[] = {
        "failed to connect",
        "connections to all backends",
        "Socket closed",
        "Connection reset",
        "Broken pipe",
        "recvmsg:",
        "sendmsg:",
        "Stream removed",
        "GOAWAY",
        "Endpoint read",
        "Transport closed",
        "Cancelling all",
        "empty address",
        "DNS resolution failed",
        "keepalive",
        "Channel closed",
        "Failed to connect",
        "channel is in",
    };

    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        if (begins(text, starts[i])) {
            return true;
        }
    }
    return text[0] == '\0' || is_reset(text) || strstr(text, "errno") != NULL;
}

/* gRPC's words for a peer that is there and speaks something else. */
static bool is_foreign(const char *text)
{
    static const char *const parts[] = {"http1", "parsing HTTP/2"};

    return has_one(text, parts, 2);
}

/* And for one that takes the connection and says nothing. */
static bool is_mute(const char *text)
{
    return strstr(text, "SETTINGS frame") != NULL;
}

/* Did the connection fail because of keys? Of a refused certificate we hear
 * only that the other side has hung up: TLS 1.3 tells it after the client has
 * already begun to speak. So a peer that is there, and has never yet answered,
 * is taken to have refused. */
static bool is_about_keys(const struct channel_words *words)
{
    static const char *const absent[] = {
        "onnection refused", "No route", "imed out",
        "unreachable",       "DNS",      "No such file"};

    return words->encrypted && !words->marked && !words->proved &&
           is_transport(words->details) &&
           !has_one(words->details, absent, sizeof(absent) / sizeof(absent[0]));
}

/* Sentences are a beginning, the target, and an end. */
static void say(struct cajal_error *error,
                const char *begin,
                const char *target,
                const char *end)
{
    (void)snprintf(error->text, sizeof(error->text), "%s%s%s", begin, target,
                   end);
}

static enum status unavailable(struct cajal_error *error)
{
    error->status = STATUS_UNAVAILABLE;
    error->code = GRPC_STATUS_UNAVAILABLE;
    return error->status;
}

enum status channel_words_foreign(const char *target, struct cajal_error *error)
{
    say(error, "what answers at ", target,
        " does not speak Cajal's protocol. Is this the coordinator's address?");
    return unavailable(error);
}

static enum status say_keys(const struct channel_words *words,
                            struct cajal_error *error)
{
    const char *target = words->target;

    if (strstr(words->details, "ertificate verify failed") != NULL) {
        say(error, "who answers at ", target,
            " has no certificate of our authority: another coordinator, an "
            "expired certificate, or somebody in between.");
    } else if (strstr(words->details, "ostname") != NULL) {
        say(error, "the certificate of who answers is not for the name ",
            target, ". Was that name given to `cajal keys init --host`?");
    } else if (words->certified) {
        say(error, "the coordinator at ", target,
            " does not take this certificate: it is expired, revoked or of "
            "another authority. Or it takes none, or no more connections. Ask "
            "an admin: cajal keys list");
    } else {
        say(error, "who answers at ", target,
            " does not encrypt, or not for us. Was it started with --keys?");
    }
    error->status = STATUS_REFUSED;
    error->code = GRPC_STATUS_UNAUTHENTICATED;
    return error->status;
}

static enum status say_gone(const struct channel_words *words,
                            bool mute,
                            struct cajal_error *error)
{
    bool keys = !words->encrypted && !words->proved && !words->marked &&
                strstr(words->details, "onnection refused") == NULL &&
                !begins(words->target, "unix:");

    if (mute) {
        say(error, "what listens at ", words->target,
            " says nothing. It does not speak Cajal's protocol, or it is a "
            "coordinator that stands still.");
    } else {
        say(error, "no coordinator answers at ", words->target,
            keys ? ". If it wants keys: --keys DIR" : ".");
    }
    return unavailable(error);
}

enum status channel_words(const struct channel_words *words,
                          struct cajal_error *error)
{
    const char *details = words->details;
    bool gone = words->code == GRPC_STATUS_UNAVAILABLE ||
                words->code == GRPC_STATUS_UNKNOWN;

    error->status = rpc_status(words->code);
    error->code = words->code;
    if (words->code == GRPC_STATUS_DEADLINE_EXCEEDED &&
        begins(details, "Deadline")) {
        say(error, "the coordinator at ", words->target,
            " did not answer in time. Allow more with --timeout.");
        return error->status;
    }
    if (is_about_keys(words)) {
        return say_keys(words, error);
    }
    if (!words->marked) {
        return is_foreign(details) || !is_transport(details)
                   ? channel_words_foreign(words->target, error)
                   : say_gone(words, is_mute(details), error);
    }
    if (is_reset(details) || (gone && is_transport(details))) {
        return say_gone(words, false, error);
    }
    say(error, details[0] != '\0' ? details : status_text(error->status), "",
        "");
    return error->status;
}
