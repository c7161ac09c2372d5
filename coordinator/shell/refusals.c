#include "coordinator/shell/refusals.h"

#include <stdio.h>
#include <string.h>

enum {
    /* Lines of all peers together: many addresses are one attacker, too. */
    LINES_PER_MINUTE_MAX = 120
};

static struct refusals_peer *find(struct refusals *refusals,
                                  const char *peer,
                                  bool *out_new)
{
    struct refusals_peer *oldest = &refusals->peers[0];

    for (uint32_t i = 0; i < REFUSALS_PEERS_MAX; i++) {
        struct refusals_peer *each = &refusals->peers[i];

        if (strcmp(each->name, peer) == 0) {
            *out_new = false;
            return each;
        }
        if (each->seen_ms < oldest->seen_ms) {
            oldest = each;
        }
    }
    *oldest = (struct refusals_peer){.silent = 0};
    (void)snprintf(oldest->name, sizeof(oldest->name), "%s", peer);
    *out_new = true;
    return oldest;
}

static bool may_log(struct refusals *refusals, uint64_t now_ms)
{
    if (now_ms >= refusals->lines_ms + REFUSALS_LOG_MS) {
        refusals->lines_ms = now_ms;
        refusals->lines_count = 0;
    }
    if (refusals->lines_count == LINES_PER_MINUTE_MAX) {
        return false;
    }
    refusals->lines_count++;
    return true;
}

bool refusals_note(struct refusals *refusals,
                   const char *peer,
                   uint64_t now_ms,
                   uint64_t *out_silent)
{
    bool is_new = false;
    struct refusals_peer *entry =
        find(refusals, peer[0] != '\0' ? peer : "unknown", &is_new);

    refusals->total++;
    entry->seen_ms = now_ms;
    if ((!is_new && now_ms < entry->logged_ms + REFUSALS_LOG_MS) ||
        !may_log(refusals, now_ms)) {
        entry->silent++;
        return false;
    }
    entry->logged_ms = now_ms;
    *out_silent = entry->silent;
    entry->silent = 0;
    return true;
}

void refusals_peer_name(const char *peer, char out[NAME_BYTES_MAX])
{
    const char *port = NULL;
    size_t size = strlen(peer);

    if (strncmp(peer, "ipv4:", 5) == 0 || strncmp(peer, "ipv6:", 5) == 0) {
        port = strrchr(peer, ':');
        size = (size_t)(port - peer);
    }
    if (size >= NAME_BYTES_MAX) {
        size = NAME_BYTES_MAX - 1;
    }
    memcpy(out, peer, size);
    out[size] = '\0';
}
