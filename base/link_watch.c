#include "base/link_inside.h"

#include "base/check.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    /* What 0MQ tells of: the first part has 16 bits of event and 32 of value,
     * neither aligned, in the machine's order; the second one the address. */
    EVENT_BYTES = 6,
    EVENT_PARTS = 2
};

/* An end with a reason of the handshake's is told twice, as this one, too. */
static const int wanted =
    ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED;

enum status link_watch(struct link *link, struct link **out)
{
    /* Without a limit, since the thread that tells would wait at one: of all
     * that this context connects. */
    const struct link_options options = {.kind = LINK_PAIR,
                                         .part_bytes_max = ENDPOINT_BYTES_MAX};
    struct link *watch = NULL;
    char endpoint[64];
    enum status status = STATUS_OK;

    CHECK(!link->watched);
    (void)snprintf(endpoint, sizeof(endpoint), "inproc://watch-%" PRIxPTR,
                   (uintptr_t)link->socket);
    if (zmq_socket_monitor(link->socket, endpoint, wanted) != 0) {
        log_line(LOG_ERROR, "link", "watch_failed", "endpoint=%s why=\"%s\"",
                 link->endpoint, zmq_strerror(errno));
        return errno == ENOMEM ? STATUS_NO_MEMORY : STATUS_IO;
    }
    link->watched = true;
    status = link_connect(link->context, &options, endpoint, &watch);
    if (status != STATUS_OK) {
        link_unwatch(link, NULL);
        return status;
    }
    *out = watch;
    return STATUS_OK;
}

void link_unwatch(struct link *link, struct link *watch)
{
    if (link != NULL && link->watched) {
        /* First: it would wait for a reader that is gone. */
        CHECK(zmq_socket_monitor(link->socket, NULL, 0) == 0);
        link->watched = false;
    }
    link_close(watch);
}

static enum link_change change_of(unsigned event)
{
    switch (event) {
    case ZMQ_EVENT_ACCEPTED:
        return LINK_ACCEPTED;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        return LINK_INTRODUCED;
    case ZMQ_EVENT_DISCONNECTED:
        return LINK_ENDED;
    default:
        check_fail(__FILE__, __LINE__, "0MQ tells what was asked for");
    }
}

enum link_change link_next_change(struct link *watch, int *out_connection)
{
    struct part parts[EVENT_PARTS];
    enum link_change change = LINK_UNCHANGED;
    const unsigned char *bytes = NULL;
    uint16_t event = 0;
    int32_t value = 0;
    size_t count = 0;

    if (link_receive(watch, parts, EVENT_PARTS, &count) != STATUS_OK) {
        return LINK_UNCHANGED;
    }
    CHECK(count == EVENT_PARTS);
    CHECK(part_size(&parts[0]) == EVENT_BYTES);
    bytes = part_data(&parts[0]);
    memcpy(&event, bytes, sizeof(event));
    memcpy(&value, bytes + sizeof(event), sizeof(value));
    change = change_of(event);
    *out_connection = change == LINK_INTRODUCED ? -1 : (int)value;
    for (size_t p = 0; p < count; p++) {
        part_close(&parts[p]);
    }
    return change;
}
