/* network.h - messages and frames on their way.
 *
 * Control: one link a host, both ways, in order, never losing or doubling
 * anything while both ends live; what a host has said while the coordinator
 * was down waits for the next one, as in a socket's queue. Data: one link from
 * each host to each other, in order; it may be held up (a partition), lose
 * frames or double one. Frames of different links overtake each other. Copies:
 * another such link beside it. */
#ifndef TESTS_SIM_NETWORK_H
#define TESTS_SIM_NETWORK_H

#include "proto/frame.h"
#include "tests/sim/shard.h"
#include "tests/sim/vault.h"

/* A control message as bytes: the payload of its event. */
struct letter {
    uint32_t host;
    uint64_t birth; /* of the host's process that it is from or for */
    size_t size;
    unsigned char bytes[];
};

struct parcel {
    struct frame_header header;
    struct shard_frame frame;
    uint64_t to_birth;
};

void network_open(struct world *w);
void network_close(struct world *w);

/* Through the real codec, so that what the cores say can be said. */
void network_to_center(struct world *w,
                       uint32_t host,
                       const struct wire *message);
void network_to_host(struct world *w,
                     uint32_t host,
                     const struct wire *message);

/* The coordinator is up: what has waited for it arrives. */
void network_center_up(struct world *w);
/* The host's process has ended: what it has said and not sent is gone. */
void network_host_down(struct world *w, uint32_t host);

/* From one host to another's process. False: it is known to be gone. */
bool network_send(struct world *w,
                  uint32_t from,
                  uint32_t to,
                  uint64_t to_birth,
                  const struct frame_header *header,
                  const struct shard_frame *frame);

/* From one vault to another's, by links of their own that also lose and double;
 * to a process that is gone nothing comes. */
void network_piece(struct world *w, uint32_t to, const struct piece *piece);

/* Is there a link, now? */
bool network_reaches(const struct world *w,
                     uint32_t from,
                     uint32_t to,
                     uint64_t to_birth);

/* Nothing passes between the two for so long. lossy: what is under way and
 * sent meanwhile may be lost. */
void network_part(
    struct world *w, uint32_t a, uint32_t b, uint64_t until_us, bool lossy);

#endif /* TESTS_SIM_NETWORK_H */
