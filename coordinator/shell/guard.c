#include "coordinator/shell/guard.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/ration.h"
#include "base/zap.h"

#include <inttypes.h>
#include <string.h>

struct guard {
    struct loop *loop;
    struct keyring *keyring; /* NULL: no keys */
    struct zap *zap;
    uint32_t timer;
    bool has_timer;
    loop_fn *on_change;
    void *owner;
    struct ration ration;
    uint64_t counts[GUARD_FAULTS];
};

static bool is_known(void *owner,
                     const char *domain,
                     const struct curvekey *key)
{
    const struct guard *guard = owner;

    (void)domain;
    return keyring_name(guard->keyring, key) != NULL;
}

static void on_timer(void *owner)
{
    struct guard *guard = owner;

    if (keyring_refresh(guard->keyring) && guard->on_change != NULL) {
        guard->on_change(guard->owner);
    }
    loop_set_timer(guard->loop, guard->timer,
                   clock_now_ms() + KEYRING_REFRESH_MS);
}

static enum status open_keys(struct guard *guard,
                             struct link_context *context,
                             const char *keys,
                             char *why,
                             size_t why_size)
{
    enum status status =
        keyring_open(keys, KEYRING_COORDINATOR, why, why_size, &guard->keyring);

    if (status == STATUS_OK) {
        status = zap_open(guard->loop, context, is_known, guard, &guard->zap);
    }
    if (status == STATUS_OK) {
        status =
            loop_add_timer(guard->loop, clock_now_ms() + KEYRING_REFRESH_MS,
                           on_timer, guard, &guard->timer);
        guard->has_timer = status == STATUS_OK;
    }
    return status;
}

enum status guard_open(struct loop *loop,
                       struct link_context *context,
                       const char *keys,
                       char *why,
                       size_t why_size,
                       struct guard **out)
{
    struct guard *guard = mem_new(sizeof(*guard));
    enum status status = STATUS_OK;

    if (guard == NULL) {
        return STATUS_NO_MEMORY;
    }
    guard->loop = loop;
    if (keys[0] != '\0') {
        status = open_keys(guard, context, keys, why, why_size);
    }
    if (status != STATUS_OK) {
        guard_close(guard);
        return status;
    }
    *out = guard;
    return STATUS_OK;
}

void guard_close(struct guard *guard)
{
    if (guard == NULL) {
        return;
    }
    if (guard->has_timer) {
        loop_remove_timer(guard->loop, guard->timer);
    }
    zap_close(guard->zap);
    keyring_close(guard->keyring);
    mem_free(guard);
}

void guard_on_change(struct guard *guard, loop_fn *fn, void *owner)
{
    guard->on_change = fn;
    guard->owner = owner;
}

const struct curvekey_pair *guard_keys(const struct guard *guard,
                                       const char *endpoint)
{
    bool tcp = strncmp(endpoint, "tcp://", strlen("tcp://")) == 0;

    return guard != NULL && guard->keyring != NULL && tcp
               ? keyring_own(guard->keyring)
               : NULL;
}

const char *guard_name(const struct guard *guard, const struct curvekey *key)
{
    return guard != NULL && guard->keyring != NULL
               ? keyring_name(guard->keyring, key)
               : NULL;
}

uint32_t guard_roster(const struct guard *guard, struct curvekey *keys)
{
    return guard != NULL && guard->keyring != NULL
               ? keyring_keys(guard->keyring, keys)
               : 0;
}

void guard_blame(struct guard *guard,
                 enum guard_fault fault,
                 const struct link *link,
                 const struct frame *part,
                 const char *who)
{
    static const char *const events[GUARD_FAULTS] = {
        [GUARD_MALFORMED] = "malformed_message",
        [GUARD_REVOKED] = "revoked_key",
        [GUARD_IMPOSTOR] = "impostor",
        [GUARD_FLOOD] = "flood_of_hellos",
        [GUARD_STALE] = "stale_message"};
    uint64_t cause = ration_cause(fault, who, strlen(who));
    uint64_t times = 0;

    if (fault != GUARD_STALE && part != NULL) {
        link_hang_up(link, link_connection(part));
    }
    if (guard == NULL) {
        return;
    }
    guard->counts[fault]++;
    if (ration_take(&guard->ration, cause, clock_now_ms(), &times)) {
        log_line(LOG_WARN, "guard", events[fault],
                 "from=\"%s\" endpoint=%s times=%" PRIu64 " all=%" PRIu64, who,
                 link_endpoint(link), times, guard->counts[fault]);
    }
}

uint64_t guard_count(const struct guard *guard, enum guard_fault fault)
{
    return guard->counts[fault];
}

uint64_t guard_refused(const struct guard *guard)
{
    return guard->zap != NULL ? zap_refused(guard->zap) : 0;
}
