#define _DEFAULT_SOURCE /* syscall */

#include "coordinator/shell/service/service_accept.h"

#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    /* Descriptors that are kept for files, the store and its locks. */
    SPARE_FDS = 64
};

/* Of each descriptor that accept4 gave out: who is at its end. Nobody tells us
 * when it is closed; so an entry is looked at again before it counts against a
 * peer. */
struct held {
    bool used;
    struct sockaddr_in6 peer; /* or a sockaddr_in in its first bytes */
};

/* Called on threads of gRPC and 0MQ, so all of it is under the lock, against
 * the rule that threads share nothing. It is held for microseconds, over system
 * calls that do not wait. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct held table[ACCEPT_FDS_MAX];
static int reserve = -1;
static int fds_max; /* 0: not prepared */
static atomic_uint_fast64_t refused_count;

static void take_lock(void)
{
    CHECK(pthread_mutex_lock(&lock) == 0);
}

static void give_lock(void)
{
    CHECK(pthread_mutex_unlock(&lock) == 0);
}

void accept_prepare(void)
{
    struct rlimit limit;
    int most = ACCEPT_FDS_MAX;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        rlim_t wanted = ACCEPT_FDS_MAX + SPARE_FDS;

        if (limit.rlim_cur < wanted) {
            limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
            (void)setrlimit(RLIMIT_NOFILE, &limit);
        }
        if (limit.rlim_cur < wanted) {
            most = (int)limit.rlim_cur - SPARE_FDS;
        }
    }
    take_lock();
    fds_max = most > 1 ? most : 1;
    if (reserve < 0) {
        reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    give_lock();
}

uint64_t accept_refused(void)
{
    return atomic_load(&refused_count);
}

/* --- Under the lock --- */

static bool same_address(const struct sockaddr_in6 *a,
                         const struct sockaddr_in6 *b)
{
    const struct sockaddr_in *a4 = (const struct sockaddr_in *)(const void *)a;
    const struct sockaddr_in *b4 = (const struct sockaddr_in *)(const void *)b;

    if (a->sin6_family != b->sin6_family) {
        return false;
    }
    return a->sin6_family == AF_INET
               ? a4->sin_addr.s_addr == b4->sin_addr.s_addr
               : memcmp(&a->sin6_addr, &b->sin6_addr, sizeof(a->sin6_addr)) ==
                     0;
}

static bool peer_of(int fd, struct sockaddr_in6 *out)
{
    socklen_t size = sizeof(*out);

    memset(out, 0, sizeof(*out));
    return getpeername(fd, (struct sockaddr *)(void *)out, &size) == 0 &&
           (out->sin6_family == AF_INET || out->sin6_family == AF_INET6);
}

/* Closed, or another connection by now? */
static bool is_stale(int fd)
{
    struct sockaddr_in6 now;

    return !peer_of(fd, &now) ||
           memcmp(&now, &table[fd].peer, sizeof(now)) != 0;
}

static int count_of(const struct sockaddr_in6 *peer, bool look_again)
{
    int count = 0;

    for (int fd = 0; fd < fds_max; fd++) {
        if (!table[fd].used || !same_address(&table[fd].peer, peer)) {
            continue;
        }
        if (look_again && is_stale(fd)) {
            table[fd].used = false;
            continue;
        }
        count++;
    }
    return count;
}

/* May the connection stay? Then it is in the table. */
static bool keep(int fd)
{
    struct sockaddr_in6 peer;

    if (!peer_of(fd, &peer)) {
        return true; /* a unix socket, or gone already */
    }
    if (fd >= fds_max) {
        return false;
    }
    table[fd].used = false;
    if (count_of(&peer, false) >= ACCEPT_PER_PEER_MAX &&
        count_of(&peer, true) >= ACCEPT_PER_PEER_MAX) {
        return false;
    }
    table[fd] = (struct held){.used = true, .peer = peer};
    return true;
}

/* --- The call --- */

static int real_accept4(int fd,
                        struct sockaddr *address,
                        socklen_t *size,
                        int flags)
{
    return (int)syscall(SYS_accept4, fd, address, size, flags);
}

/* Takes one connection off the queue and drops it, for which the reserve makes
 * room. False: there is none. */
static bool drop_one(int listener, int flags)
{
    int fd = -1;

    if (reserve >= 0) {
        (void)close(reserve);
        reserve = -1;
    }
    fd = real_accept4(listener, NULL, NULL, flags);
    if (fd >= 0) {
        (void)close(fd);
    }
    reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return fd >= 0;
}

/* 0MQ's listeners block, so none is asked for more than is there: a 0MQ thread
 * would stand still with all its links, and the lock with it. */
static bool has_more(int listener)
{
    struct pollfd look = {.fd = listener, .events = POLLIN};

    return poll(&look, 1, 0) == 1;
}

/* One that may stay, or -1 with errno as the kernel has it; EAGAIN where it
 * would be EMFILE, or all that were there are turned away: the caller then
 * waits for the next connection. */
static int accept_one(int listener,
                      struct sockaddr *address,
                      socklen_t *size,
                      int flags)
{
    socklen_t room = size != NULL ? *size : 0;

    for (;;) {
        int fd = real_accept4(listener, address, size, flags);

        if (fd >= 0 && keep(fd)) {
            return fd;
        }
        if (fd >= 0) {
            (void)close(fd);
        } else if (errno != EMFILE && errno != ENFILE) {
            return -1;
        } else if (!drop_one(listener, flags)) {
            errno = EAGAIN;
            return -1;
        }
        atomic_fetch_add(&refused_count, 1);
        if (!has_more(listener)) {
            errno = EAGAIN;
            return -1;
        }
        if (size != NULL) {
            *size = room;
        }
    }
}

/* sys/socket.h has it only with types that ISO C does not know. */
int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);

int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    int accepted = -1;

    take_lock();
    accepted = fds_max > 0 ? accept_one(fd, address, size, flags)
                           : real_accept4(fd, address, size, flags);
    give_lock();
    return accepted;
}
