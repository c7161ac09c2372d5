/* service_accept.h - how many connections a peer may have; none left is no end.
 *
 * gRPC 1.51 neither bounds the connections of a peer nor survives the end of
 * descriptors: at the first EMFILE its listener is given up for good, so that
 * six hundred idle sockets would close a coordinator to everybody until it is
 * started again. So this process has an accept4 of its own, which gRPC (and
 * 0MQ) find before libc's: it turns away what is too much, and never fails for
 * want of a descriptor.
 *
 * Limits hold for TCP. They are per process, as descriptors are. */
#ifndef COORDINATOR_SHELL_SERVICE_SERVICE_ACCEPT_H
#define COORDINATOR_SHELL_SERVICE_SERVICE_ACCEPT_H

#include <stdint.h>

enum {
    /* Connections at once, of all peers: their descriptors are smaller than
     * this. A coordinator has 30 others. */
    ACCEPT_FDS_MAX = 4096,
    /* Of one address: each of 64 workers on a host has two, a person one. A
     * thousand workers are on several hosts. */
    ACCEPT_PER_PEER_MAX = 256
};

/* Raises the process's limit of descriptors towards ACCEPT_FDS_MAX, and keeps
 * one in reserve. May be called again. Until then accept4 is libc's. */
void accept_prepare(void);

/* Connections turned away in this process. */
uint64_t accept_refused(void);

#endif /* COORDINATOR_SHELL_SERVICE_SERVICE_ACCEPT_H */
