#include "coordinator/shell/workers.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "coordinator/shell/address.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    /* Each worker, and as many again that have just been restarted. */
    PEERS_MAX = 4 * WORKERS_MAX,
    /* Connections that one key has entries for: this life of the worker, the
     * one before, and as many again. */
    PEERS_PER_KEY = 4,
    /* A worker that joins says six hellos in its first second. */
    HELLOS_PER_SECOND = 20,
    /* A worker beats more than once a second, so that its entry is not the one
     * silent for longest after so many strangers. */
    NEWCOMERS_PER_SECOND = PEERS_MAX / 2,
    SECOND_MS = 1000,
    ROUTING_BYTES_MAX = 255,
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

/* So many in the second that began at since_ms. */
struct rate {
    uint64_t since_ms;
    uint32_t count;
};

struct peer {
    uint32_t number; /* 0: free */
    uint64_t used;   /* tick of its last message */
    struct curvekey key;
    char name[NAME_BYTES_MAX]; /* that the key stood for; "": no key */
    int connection;            /* that its last message came by */
    struct rate hellos;
    size_t size;
    unsigned char routing[ROUTING_BYTES_MAX];
};

struct workers {
    struct loop *loop;
    struct link *link;
    struct guard *guard;
    bool keyed;    /* the link lets keys in alone */
    bool insecure; /* data endpoints may be open to others */
    void (*on_message)(void *owner, uint32_t peer, const struct wire *message);
    void (*on_lost)(void *owner, uint32_t peer);
    void *owner;
    bool listening;
    struct rate newcomers;
    uint32_t last_number;
    uint64_t tick;
    struct arena arena;
    void *memory;
    struct peer peers[PEERS_MAX];
};

static struct peer *find_routing(struct workers *workers,
                                 const void *routing,
                                 size_t size)
{
    for (uint32_t p = 0; p < PEERS_MAX; p++) {
        struct peer *peer = &workers->peers[p];

        if (peer->number != 0 && peer->size == size &&
            memcmp(peer->routing, routing, size) == 0) {
            return peer;
        }
    }
    return NULL;
}

static struct peer *find_number(struct workers *workers, uint32_t number)
{
    for (uint32_t p = 0; p < PEERS_MAX; p++) {
        if (workers->peers[p].number == number) {
            return &workers->peers[p];
        }
    }
    return NULL;
}

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

/* Of those that belong to the key (all, where it is not given): a free one is
 * free for any. */
static struct peer *oldest_of(struct workers *workers,
                              const struct curvekey *key,
                              uint32_t *out_count)
{
    struct peer *oldest = NULL;
    uint32_t count = 0;

    for (uint32_t p = 0; p < PEERS_MAX; p++) {
        struct peer *peer = &workers->peers[p];

        if (peer->number == 0 ||
            (curvekey_given(key) && !curvekey_equal(&peer->key, key))) {
            continue;
        }
        count++;
        if (oldest == NULL || peer->used < oldest->used) {
            oldest = peer;
        }
    }
    *out_count = count;
    return oldest;
}

static struct peer *free_entry(struct workers *workers)
{
    for (uint32_t p = 0; p < PEERS_MAX; p++) {
        if (workers->peers[p].number == 0) {
            return &workers->peers[p];
        }
    }
    return NULL;
}

/* A full table gives up the peer that has been silent for longest, one of the
 * same key if that has its share; if it was alive after all, the next message
 * to it fails and the core is told. */
static struct peer *add_peer(struct workers *workers,
                             struct frame *routing,
                             const struct curvekey *key,
                             const char *name)
{
    uint32_t count = 0;
    struct peer *peer = free_entry(workers);
    struct peer *own = oldest_of(workers, key, &count);

    if (curvekey_given(key) && count >= PEERS_PER_KEY) {
        peer = own;
    }
    if (peer == NULL) {
        peer = oldest_of(workers, &(struct curvekey){.b = {0}}, &count);
    }
    CHECK(peer != NULL);
    *peer = (struct peer){.number = ++workers->last_number,
                          .key = *key,
                          .size = frame_size(routing)};
    (void)snprintf(peer->name, sizeof(peer->name), "%s", name);
    memcpy(peer->routing, frame_data(routing), peer->size);
    return peer;
}

/* --- What a peer may say --- */

/* What is known of who speaks, for the log: the key's name, or nothing. */
static void drop(struct workers *workers,
                 enum guard_fault fault,
                 const struct frame *part,
                 const char *name)
{
    guard_blame(workers->guard, fault, workers->link, part,
                name != NULL ? name : "someone without a key");
}

/* A sentence for a peer that has no number. Sent once and not kept. */
static void send_refusal(struct workers *workers,
                         struct frame *routing,
                         const char *text)
{
    struct wire message = {.kind = WIRE_REFUSE,
                           .refuse = {.status = STATUS_REFUSED}};
    unsigned char *bytes = NULL;
    struct frame parts[2];
    size_t size = 0;

    (void)snprintf(message.refuse.text, sizeof(message.refuse.text), "%s",
                   text);
    if (wire_encode(&message, &bytes, &size) != STATUS_OK) {
        return;
    }
    if (frame_init_copy(&parts[1], bytes, size) == STATUS_OK) {
        frame_share(&parts[0], routing);
        if (link_send(workers->link, parts, 2) != STATUS_OK) {
            frame_close(&parts[0]);
            frame_close(&parts[1]);
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
                        struct frame *parts,
                        const struct wire_hello *hello,
                        const char *name)
{
    char why[ERROR_BYTES_MAX];

    if (hello_is_honest(workers, hello, &known->key, name, why)) {
        return true;
    }
    send_refusal(workers, &parts[0], why);
    /* It shall still read the sentence, so the connection stays. */
    drop(workers, GUARD_IMPOSTOR, NULL, name);
    return false;
}

/* The peer that a message is from; NULL: it has been dropped. */
static struct peer *judge_sender(struct workers *workers,
                                 struct frame *parts,
                                 const struct curvekey *key,
                                 const char *name)
{
    struct peer *peer =
        find_routing(workers, frame_data(&parts[0]), frame_size(&parts[0]));

    if (peer != NULL && !curvekey_equal(&peer->key, key)) {
        drop(workers, GUARD_IMPOSTOR, &parts[1], name);
        /* 0MQ has given the id to the impostor and reads the owner's
         * connection no more: its peer must make a new one. */
        link_hang_up(workers->link, peer->connection);
        return NULL;
    }
    if (peer == NULL) {
        if (!rate_take(&workers->newcomers, NEWCOMERS_PER_SECOND)) {
            drop(workers, GUARD_FLOOD, &parts[1], name);
            return NULL;
        }
        peer = add_peer(workers, &parts[0], key, name != NULL ? name : "");
    }
    peer->used = ++workers->tick;
    peer->connection = link_connection(&parts[1]);
    return peer;
}

/* Of a worker's kinds, and in time. */
static bool judge_message(struct workers *workers,
                          struct peer *peer,
                          struct frame *parts,
                          const struct wire *message,
                          const char *name)
{
    if (message->kind >= WIRE_WELCOME) {
        drop(workers, GUARD_MALFORMED, &parts[1], name);
        return false;
    }
    if (message->kind != WIRE_HELLO) {
        return true;
    }
    if (!rate_take(&peer->hellos, HELLOS_PER_SECOND)) {
        drop(workers, GUARD_FLOOD, &parts[1], name);
        return false;
    }
    return judge_hello(workers, peer, parts, &message->hello, name);
}

/* False: nobody that may speak here. *out_name: NULL on a link without keys. */
static bool judge_key(struct workers *workers,
                      struct frame *parts,
                      struct curvekey *out_key,
                      const char **out_name)
{
    char text[CURVEKEY_TEXT + 1];

    *out_key = (struct curvekey){.b = {0}};
    *out_name = NULL;
    if (!workers->keyed) {
        return true;
    }
    if (frame_sender(&parts[1], out_key)) {
        *out_name = guard_name(workers->guard, out_key);
    }
    if (*out_name == NULL) {
        curvekey_text(out_key, text);
        drop(workers, GUARD_REVOKED, &parts[1], text);
    }
    return *out_name != NULL;
}

static void take(struct workers *workers, struct frame *parts, size_t count)
{
    struct curvekey key;
    const char *name = NULL;
    struct peer *peer = NULL;
    struct wire message;

    if (count != 2 || frame_size(&parts[0]) > ROUTING_BYTES_MAX) {
        drop(workers, GUARD_MALFORMED, &parts[count - 1], NULL);
        return;
    }
    if (!judge_key(workers, parts, &key, &name)) {
        return;
    }
    arena_reset(&workers->arena);
    if (wire_decode(frame_data(&parts[1]), frame_size(&parts[1]),
                    &workers->arena, &message) != STATUS_OK) {
        drop(workers, GUARD_MALFORMED, &parts[1], name);
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
    struct frame parts[2];
    size_t size = 0;
    enum status status = wire_encode(message, &bytes, &size);

    if (status != STATUS_OK) {
        log_line(LOG_ERROR, "workers", "message_not_encoded",
                 "kind=%s why=\"%s\"", wire_kind_name(message->kind),
                 status_text(status));
        return status;
    }
    status = frame_init_copy(&parts[0], peer->routing, peer->size);
    if (status != STATUS_OK) {
        goto out;
    }
    status = frame_init_copy(&parts[1], bytes, size);
    if (status != STATUS_OK) {
        frame_close(&parts[0]);
        goto out;
    }
    status = link_send(workers->link, parts, 2);
    if (status != STATUS_OK) {
        frame_close(&parts[0]);
        frame_close(&parts[1]);
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
            guard_roster(workers->guard, message.roster.keys);
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

    for (uint32_t p = 0; p < PEERS_MAX; p++) {
        struct peer *peer = &workers->peers[p];
        const char *name = NULL;
        uint32_t number = peer->number;

        if (number == 0 || !workers->keyed) {
            continue;
        }
        name = guard_name(workers->guard, &peer->key);
        if (name != NULL && strcmp(name, peer->name) == 0) {
            send_roster(workers, peer);
            continue;
        }
        link_hang_up(workers->link, peer->connection);
        drop(workers, GUARD_REVOKED, NULL, peer->name);
        *peer = (struct peer){.number = 0};
        workers->on_lost(workers->owner, number);
    }
}

static void on_link(void *owner)
{
    struct workers *workers = owner;

    for (int i = 0; i < MESSAGES_PER_TURN && workers->listening; i++) {
        struct frame parts[3];
        size_t count = 0;
        enum status status = link_receive(workers->link, parts, 3, &count);

        if (status == STATUS_BUSY) {
            return;
        }
        if (status != STATUS_OK) { /* thrown away: nothing says whose it was */
            drop(workers, GUARD_MALFORMED, NULL, NULL);
            continue;
        }
        take(workers, parts, count);
        for (size_t p = 0; p < count; p++) {
            frame_close(&parts[p]);
        }
    }
}

enum status workers_open(const struct workers_options *options,
                         struct workers **out)
{
    const struct curvekey_pair *keys =
        guard_keys(options->guard, options->endpoint);
    const struct link_options link = {.kind = LINK_ROUTER,
                                      .part_bytes_max = CONTROL_BYTES_MAX,
                                      .queue_max = QUEUE_MAX,
                                      .linger_ms = LINGER_MS,
                                      .locked = keys != NULL,
                                      .keys = keys,
                                      .handshake_ms = GUARD_HANDSHAKE_MS,
                                      .heartbeat_ms = options->heartbeat_ms};
    struct workers *workers = mem_new(sizeof(*workers));
    enum status status = STATUS_NO_MEMORY;

    if (workers == NULL) {
        return STATUS_NO_MEMORY;
    }
    workers->loop = options->loop;
    workers->guard = options->guard;
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
    status = loop_add_link(workers->loop, workers->link, on_link, workers);
    if (status != STATUS_OK) {
        goto fail;
    }
    workers->listening = true;
    if (workers->keyed) {
        guard_on_change(workers->guard, on_change, workers);
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
    loop_remove_link(workers->loop, workers->link);
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
    const struct peer *peer = find_number(workers, peer_number);
    enum status status = STATUS_UNAVAILABLE;

    if (peer_number == 0 || peer == NULL) {
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
    struct peer *peer = find_number(workers, peer_number);

    if (peer_number != 0 && peer != NULL) {
        *peer = (struct peer){.number = 0};
    }
}

void workers_pause(struct workers *workers)
{
    if (workers->listening) {
        workers->listening = false;
        loop_remove_link(workers->loop, workers->link);
    }
}

void workers_resume(struct workers *workers)
{
    enum status status;

    if (workers->listening) {
        return;
    }
    workers->listening = true;
    status = loop_add_link(workers->loop, workers->link, on_link, workers);
    /* Its own place among the loop's sources has just been given up. */
    CHECK(status == STATUS_OK);
}

void workers_blame_stale(struct workers *workers, uint32_t peer_number)
{
    const struct peer *peer = find_number(workers, peer_number);
    char who[NAME_BYTES_MAX] = "someone without a key";

    if (peer != NULL && peer->name[0] != '\0') {
        (void)snprintf(who, sizeof(who), "%s", peer->name);
    }
    drop(workers, GUARD_STALE, NULL, who);
}
