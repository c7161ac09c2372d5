/* peers.h - who speaks on the control link: a bounded table from numbers, never
 * used twice, to 0MQ routing ids and the connections behind them.
 *
 * A connection has a number that the system gives again when it has ended. So
 * a peer whose connection ends keeps the number until the same one is given to
 * another (then it is nobody's), and is back when it speaks by another one. */
#ifndef COORDINATOR_SHELL_LINKS_PEERS_H
#define COORDINATOR_SHELL_LINKS_PEERS_H

#include "base/curvekey.h"
#include "proto/wire.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* Each worker, and as many again that have just been restarted. */
    PEERS_MAX = 4 * MEMBERS_MAX,
    /* Connections that one key has entries for: this life of the worker, the
     * one before, and as many again. */
    PEERS_PER_KEY = 4,
    PEER_ROUTING_BYTES_MAX = 255
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
    int connection;            /* that its last message came by; -1: nobody's,
                                  or not to be judged by */
    bool ended;                /* its connection has */
    struct rate hellos;
    size_t size;
    unsigned char routing[PEER_ROUTING_BYTES_MAX];
};

/* Entries are large and are asked for with every message: what they are found
 * by stands closely, beside them. */
struct peers {
    uint32_t last_number;
    uint64_t tick;
    bool any_ended;
    uint32_t top;                /* entries from here on were never used */
    uint32_t numbers[PEERS_MAX]; /* of items; 0: free */
    uint64_t tags[PEERS_MAX];    /* of their routing ids, for a first look */
    struct peer items[PEERS_MAX];
};

/* Both NULL: there is none. */
struct peer *peers_of_routing(struct peers *peers,
                              const void *routing,
                              size_t size);
struct peer *peers_of_number(struct peers *peers, uint32_t number);

/* A full table gives up the peer that has been silent for longest, one of the
 * same key if that has its share; if it was alive after all, the next message
 * to it fails and the core is told. The routing id has at most
 * PEER_ROUTING_BYTES_MAX bytes. */
struct peer *peers_add(struct peers *peers,
                       const void *routing,
                       size_t size,
                       const struct curvekey *key,
                       const char *name);

/* Its entry is free. */
void peers_drop(struct peers *peers, struct peer *peer);

/* It has spoken, by this connection. */
void peers_hear(struct peers *peers, struct peer *peer, int connection);

/* The system has given this number to a new connection. */
void peers_accepted(struct peers *peers, int connection);
/* It has ended. What its peer has sent before may still be read. */
void peers_ended(struct peers *peers, int connection);

/* Frees one entry whose connection has ended; false: there is none. Call when
 * all that has been sent is read. */
bool peers_take_ended(struct peers *peers, uint32_t *out_number);

#endif /* COORDINATOR_SHELL_LINKS_PEERS_H */
