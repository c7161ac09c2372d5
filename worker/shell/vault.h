/* vault.h - the copies of shards that this host holds in memory, and the link
 * by which other hosts bring and fetch them.
 *
 * Which copies stay is worker/core/holdings.h's to say; here are their bytes.
 * The vault has a socket of its own beside the data link's, so that a copy
 * never queues before a frame. Everything is called on the loop's thread. */
#ifndef WORKER_SHELL_VAULT_H
#define WORKER_SHELL_VAULT_H

#include "base/loop.h"
#include "worker/core/holdings.h"
#include "worker/shell/pieces.h"
#include "worker/shell/vaultlink.h"

struct vault;

enum {
    /* Copies that are coming in: a buddy brings one at a time, and each session
     * is the buddy of one other worker. */
    VAULT_INCOMING_MAX = 2 * SESSIONS_MAX,
    /* What others bring may fill so much of the host's memory, together with
     * what is held already: peers' sizes are not ours to believe. */
    VAULT_MEMORY_SHARE = 2
};

struct vault_options {
    struct loop *loop;
    struct link_context *context;
    const struct trust *trust; /* NULL: see trust_far */
    bool locked;               /* lets in by key alone (trust.h) */
    const char *endpoint;      /* to bind */
    uint64_t bytes_max;        /* of what others bring; 0: VAULT_MEMORY_SHARE */
    void *owner;
    /* Is there a session of this job and term here, with such a shard
     * elsewhere? Nothing else is taken in. */
    bool (*expects)(void *owner, const struct piece_header *header);
    /* A copy is held: the coordinator is to be told. */
    void (*kept)(void *owner, const struct wire_kept *kept);
};

enum status vault_open(const struct vault_options *options,
                       struct vault **out) MUST_CHECK;
void vault_close(struct vault *vault); /* accepts NULL */

/* Where others reach it; borrowed. */
const char *vault_endpoint(const struct vault *vault);

/* A copy of a shard that lives here. */
struct vault_copy {
    struct holding_key key;
    uint64_t kept; /* as in the grant */
    uint64_t cost_us;
    const struct wire_peer *buddy; /* who gets the second copy; NULL: nobody */
};

/* Shares pieces, drops what has become needless, tells that the copy is held
 * and begins to send it to the buddy. Without memory or room there is no copy:
 * logged, and the point will not be complete. */
void vault_keep(struct vault *vault,
                const struct vault_copy *copy,
                struct pieces *pieces);

/* A copy that has been fetched from elsewhere. Takes pieces on success. */
enum status vault_hold(struct vault *vault,
                       const struct holding_key *key,
                       struct pieces *pieces) MUST_CHECK;

/* NULL: not held. Valid until the loop's next turn. */
struct pieces *vault_find(struct vault *vault, const struct holding_key *key);

/* Drops what does not stay. */
void vault_drop(struct vault *vault, const struct holdings_rule *rule);

/* Tells of every copy held, as if it had just been made. */
void vault_retell(struct vault *vault);

struct vault_bytes {
    uint64_t own;     /* copies of shards that lived here */
    uint64_t buddies; /* of others' */
};
struct vault_bytes vault_bytes(const struct vault *vault);

#endif /* WORKER_SHELL_VAULT_H */
