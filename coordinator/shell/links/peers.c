#include "coordinator/shell/links/peers.h"

#include "base/check.h"

#include <stdio.h>
#include <string.h>

/* FNV-1a (Fowler, Noll, Vo): equal tags are looked at, so that whoever chooses
 * his routing id gains nothing. */
static uint64_t tag_of(const void *routing, size_t size)
{
    const unsigned char *bytes = routing;
    uint64_t tag = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < size; i++) {
        tag = (tag ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    return tag;
}

struct peer *peers_of_routing(struct peers *peers,
                              const void *routing,
                              size_t size)
{
    uint64_t tag = tag_of(routing, size);

    for (uint32_t p = 0; p < peers->top; p++) {
        struct peer *peer = &peers->items[p];

        if (peers->tags[p] == tag && peers->numbers[p] != 0 &&
            peer->size == size && memcmp(peer->routing, routing, size) == 0) {
            return peer;
        }
    }
    return NULL;
}

struct peer *peers_of_number(struct peers *peers, uint32_t number)
{
    for (uint32_t p = 0; p < peers->top && number != 0; p++) {
        if (peers->numbers[p] == number) {
            return &peers->items[p];
        }
    }
    return NULL;
}

/* Of those that belong to the key (all, where it is not given): a free one is
 * free for any. */
static struct peer *oldest_of(struct peers *peers,
                              const struct curvekey *key,
                              uint32_t *out_count)
{
    struct peer *oldest = NULL;
    uint32_t count = 0;

    for (uint32_t p = 0; p < peers->top; p++) {
        struct peer *peer = &peers->items[p];

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

static struct peer *free_entry(struct peers *peers)
{
    for (uint32_t p = 0; p < PEERS_MAX; p++) {
        if (peers->numbers[p] == 0) {
            return &peers->items[p];
        }
    }
    return NULL;
}

struct peer *peers_add(struct peers *peers,
                       const void *routing,
                       size_t size,
                       const struct curvekey *key,
                       const char *name)
{
    uint32_t count = 0;
    struct peer *peer = free_entry(peers);
    struct peer *own = oldest_of(peers, key, &count);
    uint32_t at;

    CHECK(size <= PEER_ROUTING_BYTES_MAX);
    if (curvekey_given(key) && count >= PEERS_PER_KEY) {
        peer = own;
    }
    if (peer == NULL) {
        peer = oldest_of(peers, &(struct curvekey){.b = {0}}, &count);
    }
    CHECK(peer != NULL);
    *peer = (struct peer){.number = ++peers->last_number,
                          .key = *key,
                          .connection = -1,
                          .size = size};
    (void)snprintf(peer->name, sizeof(peer->name), "%s", name);
    memcpy(peer->routing, routing, size);
    at = (uint32_t)(peer - peers->items);
    peers->numbers[at] = peer->number;
    peers->tags[at] = tag_of(routing, size);
    peers->top = at < peers->top ? peers->top : at + 1;
    return peer;
}

void peers_drop(struct peers *peers, struct peer *peer)
{
    peers->numbers[peer - peers->items] = 0;
    *peer = (struct peer){.number = 0};
}

void peers_hear(struct peers *peers, struct peer *peer, int connection)
{
    peer->used = ++peers->tick;
    if (peer->connection != connection) {
        peer->ended = false; /* it has come again */
        peer->connection = connection;
    }
}

void peers_accepted(struct peers *peers, int connection)
{
    for (uint32_t p = 0; p < peers->top; p++) {
        struct peer *peer = &peers->items[p];

        if (peer->number != 0 && peer->ended &&
            peer->connection == connection) {
            peer->connection = -1;
        }
    }
}

void peers_ended(struct peers *peers, int connection)
{
    for (uint32_t p = 0; p < peers->top && connection >= 0; p++) {
        struct peer *peer = &peers->items[p];

        if (peer->number != 0 && peer->connection == connection) {
            peer->ended = true;
            peers->any_ended = true;
        }
    }
}

bool peers_take_ended(struct peers *peers, uint32_t *out_number)
{
    for (uint32_t p = 0; p < peers->top && peers->any_ended; p++) {
        struct peer *peer = &peers->items[p];

        if (peer->number != 0 && peer->ended) {
            *out_number = peer->number;
            peers_drop(peers, peer);
            return true;
        }
    }
    peers->any_ended = false;
    return false;
}
