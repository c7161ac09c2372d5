#include "coordinator/shell/links/workers.h"

#include "base/address.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "coordinator/shell/links/peers.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    /* A worker that joins says six hellos in its first second. */
    HELLOS_PER_SECOND = 20,
    /* A worker beats more than once a second, so that its entry is not the one
     * silent for longest after so many strangers; and all members come in
     * within two seconds. */
    NEWCOMERS_PER_SECOND = MEMBERS_MAX / 2,
    SECOND_MS = 1000,
    MESSAGES_PER_TURN = 64,
    /* Grants and reports in flight are few; a worker that has let this many
     * pile up is not there any more. */
    QUEUE_MAX = 1000,
    LINGER_MS = 500,
    /* The largest decoded message: an Opened or a record of a shard of
     * SHARD_TENSORS_MAX x TENSOR_CHUNKS_MAX hashes. Pages that are not
     * needed are never touched. */
    ARENA_BYTES = 16 << 20
};

struct workers {
    struct loop *loop;
    struct link *link;
    struct link *watch; /* whose connections end */
    struct trust *trust;
    bool keyed;    /* the link lets keys in alone */
    bool insecure; /* data endpoints may be open to others */
    void (*on_message)(void *owner, uint32_t peer, const struct wire *message);
    void (*on_lost)(void *owner, uint32_t peer, const char *why);
    void *owner;
    bool listening;
    struct rate newcomers;
    struct arena arena;
    void *memory;
    struct peers peers;
};

/* False: there have been most in this second already. */
static bool rate_take(struct rate *rate, uint32_t most)
{
    uint64_t now_ms = clock_now_ms();

    if (now_ms >= rate->since_ms + SECOND_MS) {
        *rate = (struct rate){.since_ms = now_ms};
    }
    rate->count++;
    return rate->count <= most;
}

/* --- What a peer may say --- */

/* What is known of who speaks, for the log: the key's name, or nothing. */
static void drop(struct workers *workers,
                 enum trust_fault fault,
                 const struct part *part,
                 const char *name)
{
    trust_blame(workers->trust, fault, workers->link, part,
                name != NULL ? name : "someone without a key");
}

/* A sentence for a peer that has no number. Sent once and not kept. */
static void send_refusal(struct workers *workers,
                         struct part *routing,
                         const char *text)
{
    struct wire message = {.kind = WIRE_REFUSE,
                           .refuse = {.status = STATUS_REFUSED}};
    unsigned char *bytes = NULL;
    struct part parts[2];
    size_t size = 0;

    (void)snprintf(message.refuse.text, sizeof(message.refuse.text), "%s",
                   text);
    if (wire_encode(&message, &bytes, &size) != STATUS_OK) {
        return;
    }
    if (part_init_copy(&parts[1], bytes, size) == STATUS_OK) {
        part_share(&parts[0], routing);
        if (link_send(workers->link, parts, 2) != STATUS_OK) {
            part_close(&parts[0]);
            part_close(&parts[1]);
        }
    }
    mem_free(bytes);
}

static bool endpoint_is_safe(const struct workers *workers,
                             const struct wire_hello *hello)
{
    return workers->insecure || hello->curve ||
           (address_is_local(hello->endpoint) &&
            (hello->vault_endpoint[0] == '\0' ||
             address_is_local(hello->vault_endpoint)));
}

/* False: why has a sentence. name: of the connection's key; NULL: no keys on
 * this link, so that the key it says cannot be another's. */
static bool hello_is_honest(const struct workers *workers,
                            const struct wire_hello *hello,
                            const struct curvekey *key,
                            const char *name,
                            char why[ERROR_BYTES_MAX])
{
    if (name != NULL && strcmp(hello->name, name) != 0) {
        (void)snprintf(why, ERROR_BYTES_MAX,
                       "this key is that of worker %s: start it with --name "
                       "%s, or make a key for the other name (cajal keys add "
                       "NAME)",
                       name, name);
        return false;
    }
    if (name != NULL && !curvekey_equal(&hello->key, key)) {
        (void)snprintf(why, ERROR_BYTES_MAX,
                       "the hello says another key than the connection has");
        return false;
    }
    if (!endpoint_is_safe(workers, hello)) {
        (void)snprintf(why, ERROR_BYTES_MAX,
                       "its data endpoint can be reached from other machines "
                       "and is not encrypted: start it with --keys, or both "
                       "sides with --insecure on a network that you trust");
        return false;
    }
    return true;
}

/* False: it is not to be told to the core. */
static bool judge_hello(struct workers *workers,
                        const struct peer *known,
                        struct part *parts,
                        const struct wire_hello *hello,
                        const char *name)
{
    char why[ERROR_BYTES_MAX];

    if (hello_is_honest(workers, hello, &known->key, name, why)) {
        return true;
    }
    send_refusal(workers, &parts[0], why);
    /* It shall still read the sentence, so the connection stays. */
    drop(workers, TRUST_IMPOSTOR, NULL, name);
    return false;
}

/* The peer that a message is from; NULL: it has been dropped. */
static struct peer *judge_sender(struct workers *workers,
                                 struct part *parts,
                                 const struct curvekey *key,
                                 const char *name)
{
    struct peer *peer = peers_of_routing(&workers->peers, part_data(&parts[0]),
                                         part_size(&parts[0]));

    if (peer != NULL && !curvekey_equal(&peer->key, key)) {
        drop(workers, TRUST_IMPOSTOR, &parts[1], name);
        /* 0MQ has given the id to the impostor and reads the owner's
         * connection no more: its peer must make a new one. That is not to
         * cost it its shards: it is not lost by that. */
        link_hang_up(workers->link, peer->connection);
        peer->connection = -1;
        return NULL;
    }
    if (peer == NULL) {
        if (!rate_take(&workers->newcomers, NEWCOMERS_PER_SECOND)) {
            drop(workers, TRUST_FLOOD, &parts[1], name);
            return NULL;
        }
        peer = peers_add(&workers->peers, part_data(&parts[0]),
                         part_size(&parts[0]), key, name != NULL ? name : "");
    }
    peers_hear(&workers->peers, peer, link_connection(&parts[1]));
    return peer;
}

/* Of a worker's kinds, and in time. */
static bool judge_message(struct workers *workers,
                          struct peer *peer,
                          struct part *parts,
                          const struct wire *message,
                          const char *name)
{
    if (message->kind >= WIRE_WELCOME) {
        drop(workers, TRUST_MALFORMED, &parts[1], name);
        return false;
    }
    if (message->kind != WIRE_HELLO) {
        return true;
    }
    if (!rate_take(&peer->hellos, HELLOS_PER_SECOND)) {
        drop(workers, TRUST_FLOOD, &parts[1], name);
        return false;
    }
    return judge_hello(workers, peer, parts, &message->hello, name);
}

/* False: nobody that may speak here. *out_name: NULL on a link without keys. */
static bool judge_key(struct workers *workers,
                      struct part *parts,
                      struct curvekey *out_key,
                      const char **out_name)
{
    char text[CURVEKEY_TEXT + 1];

    *out_key = (struct curvekey){.b = {0}};
    *out_name = NULL;
    if (!workers->keyed) {
        return true;
    }
    if (part_sender(&parts[1], out_key)) {
        *out_name = trust_name(workers->trust, out_key);
    }
    if (*out_name == NULL) {
        curvekey_text(out_key, text);
        drop(workers, TRUST_REVOKED, &parts[1], text);
    }
    return *out_name != NULL;
}

static void take(struct workers *workers, struct part *parts, size_t count)
{
    struct curvekey key;
    const char *name = NULL;
    struct peer *peer = NULL;
    struct wire message;

    if (count != 2 || part_size(&parts[0]) > PEER_ROUTING_BYTES_MAX) {
        drop(workers, TRUST_MALFORMED, &parts[count - 1], NULL);
        return;
    }
    if (!judge_key(workers, parts, &key, &name)) {
        return;
    }
    arena_reset(&workers->arena);
    if (wire_decode(part_data(&parts[1]), part_size(&parts[1]), &workers->arena,
                    &message) != STATUS_OK) {
        drop(workers, TRUST_MALFORMED, &parts[1], name);
        return;
    }
    peer = judge_sender(workers, parts, &key, name);
    if (peer != NULL && judge_message(workers, peer, parts, &message, name)) {
        workers->on_message(workers->owner, peer->number, &message);
    }
}

/* UNAVAILABLE: it is gone, or does not read. Other errors are logged. */
static enum status send_to(struct workers *workers,
                           const struct peer *peer,
                           const struct wire *message)
{
    unsigned char *bytes = NULL;
    struct part parts[2];
    size_t size = 0;
    enum status status = wire_encode(message, &bytes, &size);

    if (status != STATUS_OK) {
        log_line(LOG_ERROR, "workers", "message_not_encoded",
                 "kind=%s why=\"%s\"", wire_kind_name(message->kind),
                 status_text(status));
        return status;
    }
    status = part_init_copy(&parts[0], peer->routing, peer->size);
    if (status != STATUS_OK) {
        goto out;
    }
    status = part_init_copy(&parts[1], bytes, size);
    if (status != STATUS_OK) {
        part_close(&parts[0]);
        goto out;
    }
    status = link_send(workers->link, parts, 2);
    if (status != STATUS_OK) {
        part_close(&parts[0]);
        part_close(&parts[1]);
        status = STATUS_UNAVAILABLE;
    }

out:
    mem_free(bytes);
    return status;
}

/* Whom the worker may let in to its own links. What is lost is told again with
 * the next change, and with the next welcome. */
static void send_roster(struct workers *workers, const struct peer *peer)
{
    struct wire message = {.kind = WIRE_ROSTER};
    enum status status = STATUS_NO_MEMORY;

    message.roster.keys = mem_array(KEYRING_NAMES_MAX, sizeof(struct curvekey));
    if (message.roster.keys != NULL) {
        message.roster.count =
            trust_roster(workers->trust, message.roster.keys);
        status = send_to(workers, peer, &message);
    }
    mem_free(message.roster.keys);
    if (status != STATUS_OK) {
        log_line(LOG_WARN, "workers", "roster_not_sent", "to=%s why=\"%s\"",
                 peer->name, status_text(status));
    }
}

/* Keys have changed: who may not come in any more is gone at once, and the
 * others are told. */
static void on_change(void *owner)
{
    struct workers *workers = owner;

    for (uint32_t p = 0; p < workers->peers.top; p++) {
        struct peer *peer = &workers->peers.items[p];
        const char *name = NULL;
        uint32_t number = peer->number;

        if (number == 0 || !workers->keyed) {
            continue;
        }
        name = trust_name(workers->trust, &peer->key);
        if (name != NULL && strcmp(name, peer->name) == 0) {
            send_roster(workers, peer);
            continue;
        }
        link_hang_up(workers->link, peer->connection);
        drop(workers, TRUST_REVOKED, NULL, peer->name);
        peers_drop(&workers->peers, peer);
        workers->on_lost(workers->owner, number,
                         "may not come in any more: its key was revoked");
    }
}

/* Before a message is judged: its connection's beginning must be known, else
 * the end of another one of the same number would be taken for its. */
static void note_changes(struct workers *workers)
{
    enum link_change change = LINK_UNCHANGED;
    int connection = -1;

    while ((change = link_next_change(workers->watch, &connection)) !=
           LINK_UNCHANGED) {
        if (change == LINK_ACCEPTED) {
            peers_accepted(&workers->peers, connection);
        } else if (change == LINK_ENDED) {
            peers_ended(&workers->peers, connection);
        }
    }
}

/* All is read that those have said whose connections have ended: a goodbye, or
 * that they are back. */
static void lose_ended(struct workers *workers)
{
    uint32_t number = 0;

    while (peers_take_ended(&workers->peers, &number)) {
        log_line(LOG_INFO, "workers", "connection_ended", "peer=%" PRIu32,
                 number);
        workers->on_lost(workers->owner, number, NULL);
    }
}

static void on_link(void *owner)
{
    struct workers *workers = owner;

    for (int i = 0; i < MESSAGES_PER_TURN && workers->listening; i++) {
        struct part parts[3];
        size_t count = 0;
        enum status status = link_receive(workers->link, parts, 3, &count);

        note_changes(workers);
        if (status == STATUS_BUSY) {
            lose_ended(workers);
            return;
        }
        if (status != STATUS_OK) { /* thrown away: nothing says whose it was */
            drop(workers, TRUST_MALFORMED, NULL, NULL);
            continue;
        }
        take(workers, parts, count);
        for (size_t p = 0; p < count; p++) {
            part_close(&parts[p]);
        }
    }
}

static enum status listen_to(struct workers *workers)
{
    enum status status =
        loop_add_link(workers->loop, workers->link, on_link, workers);

    if (status == STATUS_OK) {
        status = loop_add_link(workers->loop, workers->watch, on_link, workers);
    }
    workers->listening = status == STATUS_OK;
    return status;
}

static void deafen(struct workers *workers)
{
    workers->listening = false;
    loop_remove_link(workers->loop, workers->link);
    loop_remove_link(workers->loop, workers->watch);
}

enum status workers_open(const struct workers_options *options,
                         struct workers **out)
{
    const struct curvekey_pair *keys =
        trust_keys(options->trust, options->endpoint);
    const struct link_options link = {.kind = LINK_ROUTER,
                                      .part_bytes_max = CONTROL_BYTES_MAX,
                                      .queue_max = QUEUE_MAX,
                                      .linger_ms = LINGER_MS,
                                      .locked = keys != NULL,
                                      .keys = keys,
                                      .handshake_ms = TRUST_HANDSHAKE_MS,
                                      .heartbeat_ms = options->heartbeat_ms};
    struct workers *workers = mem_new(sizeof(*workers));
    enum status status = STATUS_NO_MEMORY;

    if (workers == NULL) {
        return STATUS_NO_MEMORY;
    }
    workers->loop = options->loop;
    workers->trust = options->trust;
    workers->keyed = keys != NULL;
    workers->insecure = options->insecure;
    workers->on_message = options->on_message;
    workers->on_lost = options->on_lost;
    workers->owner = options->owner;
    workers->memory = mem_new(ARENA_BYTES);
    if (workers->memory == NULL) {
        goto fail;
    }
    arena_init(&workers->arena, workers->memory, ARENA_BYTES);
    status =
        link_bind(options->context, &link, options->endpoint, &workers->link);
    if (status != STATUS_OK) {
        goto fail;
    }
    status = link_watch(workers->link, &workers->watch);
    if (status != STATUS_OK) {
        goto fail;
    }
    status = listen_to(workers);
    if (status != STATUS_OK) {
        goto fail;
    }
    if (workers->keyed) {
        trust_on_change(workers->trust, on_change, workers);
    }
    *out = workers;
    return STATUS_OK;

fail:
    workers_close(workers);
    return status;
}

void workers_close(struct workers *workers)
{
    if (workers == NULL) {
        return;
    }
    deafen(workers);
    link_unwatch(workers->link, workers->watch);
    link_close(workers->link);
    mem_free(workers->memory);
    mem_free(workers);
}

const char *workers_endpoint(const struct workers *workers)
{
    return link_endpoint(workers->link);
}

enum status workers_send(struct workers *workers,
                         uint32_t peer_number,
                         const struct wire *message)
{
    const struct peer *peer = peers_of_number(&workers->peers, peer_number);
    enum status status = STATUS_UNAVAILABLE;

    if (peer == NULL) {
        return STATUS_UNAVAILABLE;
    }
    status = send_to(workers, peer, message);
    if (status == STATUS_UNAVAILABLE) {
        log_line(LOG_WARN, "workers", "peer_lost", "peer=%" PRIu32 " kind=%s",
                 peer_number, wire_kind_name(message->kind));
    }
    if (status == STATUS_OK && message->kind == WIRE_WELCOME &&
        workers->keyed) {
        send_roster(workers, peer);
    }
    return status;
}

void workers_forget(struct workers *workers, uint32_t peer_number)
{
    struct peer *peer = peers_of_number(&workers->peers, peer_number);

    if (peer != NULL) {
        peers_drop(&workers->peers, peer);
    }
}

void workers_pause(struct workers *workers)
{
    if (workers->listening) {
        deafen(workers);
    }
}

void workers_resume(struct workers *workers)
{
    enum status status;

    if (workers->listening) {
        return;
    }
    status = listen_to(workers);
    /* Its own places among the loop's sources have just been given up. */
    CHECK(status == STATUS_OK);
}

void workers_blame_stale(struct workers *workers, uint32_t peer_number)
{
    const struct peer *peer = peers_of_number(&workers->peers, peer_number);
    char who[NAME_BYTES_MAX] = "someone without a key";

    if (peer != NULL && peer->name[0] != '\0') {
        (void)snprintf(who, sizeof(who), "%s", peer->name);
    }
    drop(workers, TRUST_STALE, NULL, who);
}
