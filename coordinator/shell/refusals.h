/* refusals.h - who was turned away, counted; and logged once a minute.
 *
 * A peer that tries without end must not fill the disk with log lines, nor
 * push the lines about other peers out. Pure but for the clock that is handed
 * in; fixed memory. */
#ifndef COORDINATOR_SHELL_REFUSALS_H
#define COORDINATOR_SHELL_REFUSALS_H

#include "base/limits.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    /* Peers that are told apart; with more, the one that was silent longest
     * gives its place. */
    REFUSALS_PEERS_MAX = 64,
    REFUSALS_LOG_MS = 60000
};

struct refusals_peer {
    char name[NAME_BYTES_MAX]; /* "": free */
    uint64_t logged_ms;
    uint64_t seen_ms;
    uint64_t silent; /* refused since the last line */
};

/* Zeroes are an empty table. */
struct refusals {
    uint64_t total;
    uint64_t lines_ms; /* the minute in which lines_count were written */
    uint32_t lines_count;
    struct refusals_peer peers[REFUSALS_PEERS_MAX];
};

/* One more refusal of a peer. True: it is time for a log line, and *out_silent
 * is how many there were since the last one. */
bool refusals_note(struct refusals *refusals,
                   const char *peer,
                   uint64_t now_ms,
                   uint64_t *out_silent);

/* "ipv4:10.0.0.2:4242" -> "ipv4:10.0.0.2": a peer is an address, whatever port
 * it comes from. Cut where it is too long. */
void refusals_peer_name(const char *peer, char out[NAME_BYTES_MAX]);

#endif /* COORDINATOR_SHELL_REFUSALS_H */
