#include "coordinator/core/members.h"

#include "base/check.h"
#include "base/text.h"

#include <string.h>

void members_init(struct members *members)
{
    memset(members, 0, sizeof(*members));
}

static bool same_name(const char *a, const char *b)
{
    return memcmp(a, b, NAME_BYTES_MAX) == 0;
}

/* Names are compared as whole fields, so what follows the NUL is cleared. */
static void copy_hello(struct wire_hello *to, const struct wire_hello *from)
{
    uint32_t at = 0;

    *to = *from;
    while (at < NAME_BYTES_MAX && to->name[at] != 0) {
        at++;
    }
    memset(&to->name[at], 0, NAME_BYTES_MAX - at);
}

static bool hash_differs(const struct hash *a, const struct hash *b)
{
    return memcmp(a->b, b->b, sizeof(a->b)) != 0;
}

/* False: the worker may not come in. */
static bool agrees(struct members *members,
                   const struct wire_hello *hello,
                   enum status *out_status,
                   char *why)
{
    struct text text;

    text_init(&text, why, ERROR_BYTES_MAX);
    *out_status = STATUS_REFUSED;
    if (hello->protocol != WIRE_PROTOCOL) {
        text_add(&text, "worker speaks protocol ");
        text_u64(&text, hello->protocol);
        text_add(&text, ", this coordinator ");
        text_u64(&text, WIRE_PROTOCOL);
        text_add(&text, ": install the same release on both");
        return false;
    }
    if (members->fingerprint_known && members_present(members) > 0 &&
        hash_differs(&members->fingerprint, &hello->fingerprint)) {
        text_add(&text, "worker computes other bits (");
        text_add(&text, hello->kernels);
        text_add(&text, ", build ");
        text_add(&text, hello->build);
        text_add(&text, ") than the others (");
        text_add(&text, members->kernels);
        text_add(&text, "): start it with --kernels as they are, and the "
                        "same build");
        return false;
    }
    return true;
}

static uint32_t find_name(const struct members *members, const char *name)
{
    for (uint32_t w = 0; w < WORKERS_MAX; w++) {
        if (members->items[w].used &&
            same_name(members->items[w].hello.name, name)) {
            return w;
        }
    }
    return NO_WORKER;
}

uint32_t members_older(const struct members *members,
                       const struct wire_hello *hello)
{
    struct wire_hello copy;
    uint32_t at;

    copy_hello(&copy, hello);
    at = find_name(members, copy.name);
    if (at == NO_WORKER || !members->items[at].present ||
        members->items[at].hello.incarnation == copy.incarnation) {
        return NO_WORKER;
    }
    return at;
}

uint32_t members_join(struct members *members,
                      uint32_t peer,
                      const struct wire_hello *hello,
                      uint64_t now_ms,
                      enum status *out_status,
                      char *why)
{
    struct wire_hello copy;
    uint32_t at;

    copy_hello(&copy, hello);
    if (!agrees(members, &copy, out_status, why)) {
        return NO_WORKER;
    }
    at = find_name(members, copy.name);
    for (uint32_t w = 0; w < WORKERS_MAX && at == NO_WORKER; w++) {
        if (!members->items[w].used) {
            at = w;
        }
    }
    for (uint32_t w = 0; w < WORKERS_MAX && at == NO_WORKER; w++) {
        if (!members->items[w].present) {
            at = w; /* one long gone makes room */
        }
    }
    if (at == NO_WORKER) {
        struct text text;

        text_init(&text, why, ERROR_BYTES_MAX);
        text_add(&text, "this coordinator has its most workers: ");
        text_u64(&text, WORKERS_MAX);
        *out_status = STATUS_BUSY;
        return NO_WORKER;
    }

    struct member *m = &members->items[at];

    if (m->used && m->present && m->hello.incarnation == copy.incarnation) {
        m->seen_ms = now_ms; /* said again: its welcome was lost */
        m->peer = peer;
        return at;
    }
    *m = (struct member){.used = true,
                         .present = true,
                         .peer = peer,
                         .seen_ms = now_ms,
                         .hello = copy};
    members->fingerprint_known = true;
    members->fingerprint = copy.fingerprint;
    memcpy(members->kernels, copy.kernels, sizeof(members->kernels));
    return at;
}

uint32_t members_of_peer(const struct members *members, uint32_t peer)
{
    for (uint32_t w = 0; w < WORKERS_MAX; w++) {
        if (members->items[w].present && members->items[w].peer == peer) {
            return w;
        }
    }
    return NO_WORKER;
}

void members_leave(struct members *members, uint32_t worker)
{
    struct member *m = &members->items[worker];

    CHECK(worker < WORKERS_MAX);
    m->present = false;
    m->peer = NO_PEER;
    m->sessions = 0;
    m->training = false;
}

uint32_t members_silent(const struct members *members,
                        uint64_t now_ms,
                        uint64_t timeout_ms)
{
    for (uint32_t w = 0; w < WORKERS_MAX; w++) {
        const struct member *m = &members->items[w];

        if (m->present && now_ms >= m->seen_ms + timeout_ms) {
            return w;
        }
    }
    return NO_WORKER;
}

uint64_t members_deadline(const struct members *members, uint64_t timeout_ms)
{
    uint64_t deadline = UINT64_MAX;

    for (uint32_t w = 0; w < WORKERS_MAX; w++) {
        const struct member *m = &members->items[w];

        if (m->present && m->seen_ms + timeout_ms < deadline) {
            deadline = m->seen_ms + timeout_ms;
        }
    }
    return deadline;
}

uint32_t members_present(const struct members *members)
{
    uint32_t count = 0;

    for (uint32_t w = 0; w < WORKERS_MAX; w++) {
        count += members->items[w].present ? 1 : 0;
    }
    return count;
}

uint32_t members_idle(const struct members *members)
{
    uint32_t count = 0;

    for (uint32_t w = 0; w < WORKERS_MAX; w++) {
        const struct member *m = &members->items[w];

        count += m->present && !m->training && m->sessions < SESSIONS_MAX;
    }
    return count;
}
