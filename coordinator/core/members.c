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

/* "w0" to "w63"; NO_WORKER: it is no such number. */
static uint32_t number_of(const char *text)
{
    uint32_t number = 0;

    if (text[0] != 'w' || text[1] == 0 || (text[1] == '0' && text[2] != 0)) {
        return NO_WORKER;
    }
    for (uint32_t i = 1; text[i] != 0; i++) {
        if (text[i] < '0' || text[i] > '9' || number >= WORKERS_MAX) {
            return NO_WORKER;
        }
        number = number * 10 + (uint32_t)(text[i] - '0');
    }
    return number < WORKERS_MAX ? number : NO_WORKER;
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
    bool cordoned;
    uint32_t at;

    copy_hello(&copy, hello);
    if (!agrees(members, &copy, out_status, why)) {
        return NO_WORKER;
    }
    at = find_name(members, copy.name);
    if (at == NO_WORKER && number_of(copy.name) != NO_WORKER &&
        !members->items[number_of(copy.name)].used) {
        at = number_of(copy.name); /* so that people need know one word only */
    }
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
        members_hear(members, at, now_ms); /* again: its welcome was lost */
        m->peer = peer;
        return at;
    }
    cordoned = m->used && m->cordoned && same_name(m->hello.name, copy.name);
    *m = (struct member){.used = true,
                         .present = true,
                         .cordoned = cordoned,
                         .peer = peer,
                         .seen_ms = now_ms,
                         .joined_ms = now_ms,
                         .drain_deadline_ms = UINT64_MAX,
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

void members_hear(struct members *members, uint32_t worker, uint64_t now_ms)
{
    members->items[worker].seen_ms = now_ms;
    members->items[worker].spared = false;
}

bool members_spare(struct members *members, uint64_t now_ms)
{
    bool any = false;

    for (uint32_t w = 0; w < WORKERS_MAX; w++) {
        struct member *m = &members->items[w];

        if (m->present && !m->spared) {
            m->seen_ms = now_ms;
            m->spared = true;
            any = true;
        }
    }
    return any;
}

void members_leave(struct members *members, uint32_t worker)
{
    struct member *m = &members->items[worker];

    CHECK(worker < WORKERS_MAX);
    m->present = false;
    m->peer = NO_PEER;
    m->sessions = 0;
    m->training = false;
    m->draining = false;
    m->leaving = false;
    m->drain_deadline_ms = UINT64_MAX;
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

bool member_is_open(const struct member *m)
{
    return m->present && !m->cordoned && !m->draining && !m->leaving;
}

bool member_is_idle(const struct member *m)
{
    return member_is_open(m) && !m->training && m->sessions < SESSIONS_MAX;
}

uint32_t members_idle(const struct members *members)
{
    uint32_t count = 0;

    for (uint32_t w = 0; w < WORKERS_MAX; w++) {
        count += member_is_idle(&members->items[w]);
    }
    return count;
}

uint32_t members_find(const struct members *members, const char *text)
{
    char name[NAME_BYTES_MAX];
    struct text copy;
    uint32_t at;

    memset(name, 0, sizeof(name));
    text_init(&copy, name, sizeof(name));
    text_add(&copy, text);
    at = copy.cut ? NO_WORKER : find_name(members, name);
    if (at != NO_WORKER) {
        return at;
    }
    at = number_of(text);
    return at != NO_WORKER && members->items[at].used ? at : NO_WORKER;
}
