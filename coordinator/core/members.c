#include "coordinator/core/members.h"

#include "base/check.h"
#include "base/text.h"

#include <string.h>

void members_init(struct members *members)
{
    memset(members, 0, sizeof(*members));
    members->changes = 1;
    members->heard_first = NO_WORKER;
    members->heard_last = NO_WORKER;
    for (uint32_t p = 0; p < MEMBERS_MAX; p++) {
        members->of_peer[p] = NO_WORKER;
    }
}

/* --- Who was heard of when, and by which peer --- */

/* Now is never before: who has just spoken is the last in the row. */
static void enter_row(struct members *members, uint32_t worker)
{
    struct member *m = &members->items[worker];

    m->heard_before = members->heard_last;
    m->heard_next = NO_WORKER;
    if (members->heard_last != NO_WORKER) {
        members->items[members->heard_last].heard_next = worker;
    } else {
        members->heard_first = worker;
    }
    members->heard_last = worker;
}

static void leave_row(struct members *members, uint32_t worker)
{
    const struct member *m = &members->items[worker];

    if (m->heard_before != NO_WORKER) {
        members->items[m->heard_before].heard_next = m->heard_next;
    } else {
        members->heard_first = m->heard_next;
    }
    if (m->heard_next != NO_WORKER) {
        members->items[m->heard_next].heard_before = m->heard_before;
    } else {
        members->heard_last = m->heard_before;
    }
}

static void enter_chain(struct members *members, uint32_t worker)
{
    struct member *m = &members->items[worker];
    uint32_t *first = &members->of_peer[m->peer % MEMBERS_MAX];

    m->peer_next = *first;
    *first = worker;
}

static void leave_chain(struct members *members, uint32_t worker)
{
    const struct member *m = &members->items[worker];
    uint32_t *at = &members->of_peer[m->peer % MEMBERS_MAX];

    while (*at != worker) {
        CHECK(*at != NO_WORKER);
        at = &members->items[*at].peer_next;
    }
    *at = m->peer_next;
}

uint32_t members_of_peer(const struct members *members, uint32_t peer)
{
    uint32_t w = members->of_peer[peer % MEMBERS_MAX];

    while (w != NO_WORKER && members->items[w].peer != peer) {
        w = members->items[w].peer_next;
    }
    return w;
}

/* --- Joining --- */

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
    for (uint32_t w = 0; w < members->count; w++) {
        if (members->items[w].used &&
            same_name(members->items[w].hello.name, name)) {
            return w;
        }
    }
    return NO_WORKER;
}

/* "w0" to "w1023"; NO_WORKER: it is no such number. */
static uint32_t number_of(const char *text)
{
    uint32_t number = 0;

    if (text[0] != 'w' || text[1] == 0 || (text[1] == '0' && text[2] != 0)) {
        return NO_WORKER;
    }
    for (uint32_t i = 1; text[i] != 0; i++) {
        if (text[i] < '0' || text[i] > '9' || number >= MEMBERS_MAX) {
            return NO_WORKER;
        }
        number = number * 10 + (uint32_t)(text[i] - '0');
    }
    return number < MEMBERS_MAX ? number : NO_WORKER;
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
    for (uint32_t w = 0; w < MEMBERS_MAX && at == NO_WORKER; w++) {
        if (!members->items[w].used) {
            at = w;
        }
    }
    for (uint32_t w = 0; w < MEMBERS_MAX && at == NO_WORKER; w++) {
        if (!members->items[w].present) {
            at = w; /* one long gone makes room */
        }
    }
    if (at == NO_WORKER) {
        struct text text;

        text_init(&text, why, ERROR_BYTES_MAX);
        text_add(&text, "this coordinator has its most workers: ");
        text_u64(&text, MEMBERS_MAX);
        *out_status = STATUS_BUSY;
        return NO_WORKER;
    }

    struct member *m = &members->items[at];

    if (m->used && m->present && m->hello.incarnation == copy.incarnation) {
        members_hear(members, at, now_ms); /* again: its welcome was lost */
        leave_chain(members, at);
        m->peer = peer;
        enter_chain(members, at);
        return at;
    }
    if (m->present) {
        members_leave(members, at);
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
    members->count = at < members->count ? members->count : at + 1;
    enter_row(members, at);
    enter_chain(members, at);
    members_changed(members);
    members->fingerprint_known = true;
    members->fingerprint = copy.fingerprint;
    memcpy(members->kernels, copy.kernels, sizeof(members->kernels));
    return at;
}

void members_hear(struct members *members, uint32_t worker, uint64_t now_ms)
{
    members->items[worker].seen_ms = now_ms;
    members->items[worker].spared = false;
    if (members->heard_last != worker) {
        leave_row(members, worker);
        enter_row(members, worker);
    }
}

bool members_spare(struct members *members, uint64_t now_ms)
{
    uint32_t last = members->heard_last;
    uint32_t next = members->heard_first;
    bool any = false;

    for (uint32_t w = next; w != NO_WORKER; w = next) {
        struct member *m = &members->items[w];

        next = w == last ? NO_WORKER : m->heard_next;
        if (!m->spared) {
            members_hear(members, w, now_ms);
            m->spared = true;
            any = true;
        }
    }
    return any;
}

void members_leave(struct members *members, uint32_t worker)
{
    struct member *m = &members->items[worker];

    CHECK(worker < MEMBERS_MAX);
    CHECK(m->present);
    leave_row(members, worker);
    leave_chain(members, worker);
    members_changed(members);
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
    return now_ms >= members_deadline(members, timeout_ms)
               ? members->heard_first
               : NO_WORKER;
}

uint64_t members_deadline(const struct members *members, uint64_t timeout_ms)
{
    uint32_t first = members->heard_first;

    return first != NO_WORKER ? members->items[first].seen_ms + timeout_ms
                              : UINT64_MAX;
}

uint32_t members_present(const struct members *members)
{
    uint32_t count = 0;

    for (uint32_t w = members->heard_first; w != NO_WORKER;
         w = members->items[w].heard_next) {
        count++;
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

void members_changed(struct members *members)
{
    members->changes++;
}

const struct census *members_census(struct members *members)
{
    struct census *census = &members->census;

    if (members->counted_at == members->changes) {
        return census;
    }
    *census = (struct census){.idle_since_ms = UINT64_MAX};
    for (uint32_t w = members->heard_first; w != NO_WORKER;
         w = members->items[w].heard_next) {
        const struct member *m = &members->items[w];

        census->present++;
        census->open += member_is_open(m);
        if (m->draining || m->leaving) {
            worker_set_add(&census->going, w);
        }
        if (member_is_idle(m)) {
            census->idle++;
            if (m->joined_ms < census->idle_since_ms) {
                census->idle_since_ms = m->joined_ms;
            }
        }
    }
    members->counted_at = members->changes;
    return census;
}

const struct census *members_counted(const struct members *members)
{
    CHECK(members->counted_at == members->changes);
    return &members->census;
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
