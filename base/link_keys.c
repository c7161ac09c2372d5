#include "base/link_inside.h"

#include "base/check.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

void link_context_keys(struct link_context *context,
                       const struct curvekey_pair *keys)
{
    context->has_keys = true;
    context->keys = *keys;
}

void link_context_known(struct link_context *context,
                        link_known_fn *known,
                        void *owner)
{
    context->known = known;
    context->owner = owner;
}

static const struct curvekey_pair *keys_of(const struct link *link,
                                           const struct link_options *options)
{
    if (options->keys != NULL) {
        return options->keys;
    }
    CHECK(link->context->has_keys);
    return &link->context->keys;
}

static void set_flag(void *socket, int option)
{
    const int on = 1;

    link_set(socket, option, &on, sizeof(on));
}

/* Who binds is the server of CURVE: it is known to those who connect, and asks
 * for their keys. */
static void lock(struct link *link, const struct link_options *options)
{
    const struct curvekey_pair *keys = keys_of(link, options);
    struct text text;

    text_init(&text, link->domain, sizeof(link->domain));
    text_add(&text, options->domain != NULL ? options->domain : "links");
    CHECK(!text.cut);
    link->locked = true;
    link_set(link->socket, ZMQ_CURVE_SECRETKEY, keys->secret.b, CURVEKEY_BYTES);
    set_flag(link->socket, ZMQ_CURVE_SERVER);
    link_set(link->socket, ZMQ_ZAP_DOMAIN, link->domain, text.used);
}

void link_set_keys(struct link *link,
                   const struct link_options *options,
                   enum direction direction)
{
    const struct curvekey_pair *keys = NULL;

    if (direction == BIND && options->handshake_ms > 0) {
        link_set(link->socket, ZMQ_HANDSHAKE_IVL, &options->handshake_ms,
                 sizeof(options->handshake_ms));
    }
    if (direction == BIND && options->locked) {
        lock(link, options);
    }
    if (direction == CONNECT && options->far_key != NULL) {
        keys = keys_of(link, options);
        link_set(link->socket, ZMQ_CURVE_SECRETKEY, keys->secret.b,
                 CURVEKEY_BYTES);
        link_set(link->socket, ZMQ_CURVE_PUBLICKEY, keys->shown.b,
                 CURVEKEY_BYTES);
        link_set(link->socket, ZMQ_CURVE_SERVERKEY, options->far_key->b,
                 CURVEKEY_BYTES);
    }
}

bool link_admits(const struct link *link, const struct part *part)
{
    const struct link_context *context = link->context;
    struct curvekey key;

    if (!link->locked) {
        return true;
    }
    if (part_sender(part, &key) &&
        context->known(context->owner, link->domain, &key)) {
        return true;
    }
    link_hang_up(link, link_connection(part));
    return false;
}

bool part_sender(const struct part *part, struct curvekey *out)
{
    const char *user = zmq_msg_gets(const_message_of(part), "User-Id");

    return user != NULL && curvekey_parse(user, strlen(user), out) == STATUS_OK;
}

enum status link_keys_check(const struct curvekey_pair *keys)
{
    char secret[CURVEKEY_TEXT + 1];
    char shown[CURVEKEY_TEXT + 1];
    struct curvekey found;

    curvekey_text(&keys->secret, secret);
    if (zmq_curve_public(shown, secret) != 0) {
        return STATUS_INVALID;
    }
    if (curvekey_parse(shown, CURVEKEY_TEXT, &found) != STATUS_OK) {
        return STATUS_INVALID;
    }
    return curvekey_equal(&found, &keys->shown) ? STATUS_OK : STATUS_INVALID;
}

int link_connection(const struct part *part)
{
    return zmq_msg_get(const_message_of(part), ZMQ_SRCFD);
}

/* The name of the socket's own end, as an endpoint's: a connection that a link
 * has accepted has that of the link. */
static bool is_accepted_by(const struct link *link, int connection)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un path;
    } name = {.any = {.sa_family = AF_UNSPEC}};
    socklen_t size = sizeof(name);
    const char *port = strrchr(link->endpoint, ':');

    if (getsockname(connection, &name.any, &size) != 0) {
        return false;
    }
    switch (name.any.sa_family) {
    case AF_INET:
        return strtoul(port + 1, NULL, 10) == ntohs(name.v4.sin_port);
    case AF_INET6:
        return strtoul(port + 1, NULL, 10) == ntohs(name.v6.sin6_port);
    case AF_UNIX:
        return strncmp(link->endpoint, "ipc://", strlen("ipc://")) == 0 &&
               strncmp(link->endpoint + strlen("ipc://"), name.path.sun_path,
                       sizeof(name.path.sun_path)) == 0;
    default:
        return false;
    }
}

/* The descriptor is 0MQ's: only shut down, for 0MQ to see the end and to close
 * it. It may have done so already and the number be a newer connection's; then
 * that peer comes back a tenth of a second later. */
void link_hang_up(const struct link *link, int connection)
{
    if (connection >= 0 && is_accepted_by(link, connection)) {
        (void)shutdown(connection, SHUT_RDWR);
    }
}
