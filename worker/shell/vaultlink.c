#include "worker/shell/vaultlink.h"

#include "base/check.h"
#include "base/log.h"

#include <inttypes.h>

enum {
    /* Messages each way and peer: those who ask have a few under way, so more
     * is somebody who does not wait for answers. */
    QUEUE_MAX = 256,
    HEARTBEAT_MS = 2000,
    PARTS_MAX = 3,
    /* Below this a received part may lie in 0MQ's buffer with others, and
     * would keep all of it. */
    SMALL_BYTES = 8192
};

static struct link_options link_options(enum link_kind kind)
{
    return (struct link_options){.kind = kind,
                                 .part_bytes_max = PIECE_BYTES_MAX,
                                 .queue_max = QUEUE_MAX,
                                 .linger_ms = 0,
                                 .heartbeat_ms = HEARTBEAT_MS};
}

enum status vaultlink_bind(struct link_context *context,
                           const char *endpoint,
                           bool locked,
                           struct link **out)
{
    struct link_options options = link_options(LINK_ROUTER);

    options.locked = locked;
    options.domain = TRUST_VAULT;
    options.handshake_ms = TRUST_HANDSHAKE_MS;

    return link_bind(context, &options, endpoint, out);
}

enum status vaultlink_connect(struct link_context *context,
                              const struct trust *trust,
                              const struct wire_peer *peer,
                              struct link **out)
{
    struct link_options options = link_options(LINK_DEALER);
    enum status status =
        trust_far(trust, peer, peer->vault_endpoint, &options.far_key);

    if (status != STATUS_OK) {
        log_line(LOG_ERROR, "vaultlink", "peer_refused",
                 "worker=w%" PRIu32 " endpoint=%s why=\"copies would go to "
                 "another machine in the open, or there are no keys here\"",
                 peer->worker, peer->vault_endpoint);
        return status;
    }
    return link_connect(context, &options, peer->vault_endpoint, out);
}

enum status vaultlink_send(struct link *link,
                           struct part *to,
                           const struct piece_header *header,
                           struct part *bytes)
{
    unsigned char packed[PIECE_HEADER_BYTES];
    struct part parts[PARTS_MAX];
    size_t count = 0;
    enum status status = STATUS_OK;

    piece_header_encode(header, packed);
    if (to != NULL) {
        part_share(&parts[count++], to);
    }
    status = part_init_copy(&parts[count], packed, sizeof(packed));
    if (status == STATUS_OK) {
        count++;
        if (bytes != NULL) {
            part_share(&parts[count++], bytes);
        }
        status = link_send(link, parts, count);
    }
    for (size_t i = 0; status != STATUS_OK && i < count; i++) {
        part_close(&parts[i]);
    }
    return status;
}

/* What is kept must not hold on to a larger buffer. */
static enum status own_bytes(struct part *from, struct part *out)
{
    if (part_size(from) >= SMALL_BYTES) {
        part_move(out, from);
        return STATUS_OK;
    }
    return part_init_copy(out, part_data(from), part_size(from));
}

/* parts: [from,] header [, bytes]. */
static enum status take_parts(struct part *parts,
                              size_t count,
                              bool bound,
                              struct vaultlink_message *out)
{
    struct part *header = parts + (bound ? 1 : 0);
    size_t rest = count - (bound ? 1 : 0); /* a router always names the peer */
    struct part *bytes = rest == 2 ? header + 1 : NULL;
    enum status status = STATUS_INVALID;

    if (rest == 1 || rest == 2) {
        status = piece_header_decode(part_data(header), part_size(header),
                                     bytes != NULL ? part_size(bytes) : 0,
                                     &out->header);
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (bytes != NULL) {
        status = own_bytes(bytes, &out->bytes);
    } else {
        part_init_empty(&out->bytes);
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (bound) {
        part_move(&out->from, &parts[0]);
    } else {
        part_init_empty(&out->from);
    }
    return STATUS_OK;
}

enum status vaultlink_receive(struct link *link,
                              bool bound,
                              struct vaultlink_message *out)
{
    struct part parts[PARTS_MAX];
    size_t count = 0;
    enum status status = link_receive(link, parts, PARTS_MAX, &count);

    if (status != STATUS_OK) {
        return status;
    }
    CHECK(count >= 1);
    status = link_admits(link, &parts[0]) ? take_parts(parts, count, bound, out)
                                          : STATUS_INVALID;
    if (status != STATUS_OK) {
        link_hang_up(link, link_connection(&parts[0]));
    }
    for (size_t i = 0; i < count; i++) {
        part_close(&parts[i]);
    }
    return status;
}

void vaultlink_close(struct vaultlink_message *message)
{
    part_close(&message->bytes);
    part_close(&message->from);
}
