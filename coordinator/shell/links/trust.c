#include "coordinator/shell/links/trust.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/ration.h"
#include "base/zap.h"

#include <inttypes.h>
#include <string.h>

struct trust {
    struct loop *loop;
    struct keyring *keyring; /* NULL: no keys */
    struct zap *zap;
    uint32_t timer;
    bool has_timer;
    loop_fn *on_change;
    void *owner;
    struct ration ration;
    uint64_t counts[TRUST_FAULTS];
};

static bool is_known(void *owner,
                     const char *domain,
                     const struct curvekey *key)
{
    const struct trust *trust = owner;

    (void)domain;
    return keyring_name(trust->keyring, key) != NULL;
}

static void on_timer(void *owner)
{
    struct trust *trust = owner;

    if (keyring_refresh(trust->keyring) && trust->on_change != NULL) {
        trust->on_change(trust->owner);
    }
    loop_set_timer(trust->loop, trust->timer,
                   clock_now_ms() + KEYRING_REFRESH_MS);
}

static enum status open_keys(struct trust *trust,
                             struct link_context *context,
                             const char *keys,
                             char *why,
                             size_t why_size)
{
    enum status status =
        keyring_open(keys, KEYRING_COORDINATOR, why, why_size, &trust->keyring);

    if (status == STATUS_OK) {
        status = zap_open(trust->loop, context, is_known, trust, &trust->zap);
    }
    if (status == STATUS_OK) {
        status =
            loop_add_timer(trust->loop, clock_now_ms() + KEYRING_REFRESH_MS,
                           on_timer, trust, &trust->timer);
        trust->has_timer = status == STATUS_OK;
    }
    return status;
}

enum status trust_open(struct loop *loop,
                       struct link_context *context,
                       const char *keys,
                       char *why,
                       size_t why_size,
                       struct trust **out)
{
    struct trust *trust = mem_new(sizeof(*trust));
    enum status status = STATUS_OK;

    if (trust == NULL) {
        return STATUS_NO_MEMORY;
    }
    trust->loop = loop;
    if (keys[0] != '\0') {
        status = open_keys(trust, context, keys, why, why_size);
    }
    if (status != STATUS_OK) {
        trust_close(trust);
        return status;
    }
    *out = trust;
    return STATUS_OK;
}

void trust_close(struct trust *trust)
{
    if (trust == NULL) {
        return;
    }
    if (trust->has_timer) {
        loop_remove_timer(trust->loop, trust->timer);
    }
    zap_close(trust->zap);
    keyring_close(trust->keyring);
    mem_free(trust);
}

void trust_on_change(struct trust *trust, loop_fn *fn, void *owner)
{
    trust->on_change = fn;
    trust->owner = owner;
}

const struct curvekey_pair *trust_keys(const struct trust *trust,
                                       const char *endpoint)
{
    bool tcp = strncmp(endpoint, "tcp://", strlen("tcp://")) == 0;

    return trust != NULL && trust->keyring != NULL && tcp
               ? keyring_own(trust->keyring)
               : NULL;
}

const char *trust_name(const struct trust *trust, const struct curvekey *key)
{
    return trust != NULL && trust->keyring != NULL
               ? keyring_name(trust->keyring, key)
               : NULL;
}

uint32_t trust_roster(const struct trust *trust, struct curvekey *keys)
{
    return trust != NULL && trust->keyring != NULL
               ? keyring_keys(trust->keyring, keys)
               : 0;
}

void trust_blame(struct trust *trust,
                 enum trust_fault fault,
                 const struct link *link,
                 const struct part *part,
                 const char *who)
{
    static const char *const events[TRUST_FAULTS] = {
        [TRUST_MALFORMED] = "malformed_message",
        [TRUST_REVOKED] = "revoked_key",
        [TRUST_IMPOSTOR] = "impostor",
        [TRUST_FLOOD] = "flood_of_hellos",
        [TRUST_STALE] = "stale_message"};
    uint64_t cause = ration_cause(fault, who, strlen(who));
    uint64_t times = 0;

    if (fault != TRUST_STALE && part != NULL) {
        link_hang_up(link, link_connection(part));
    }
    if (trust == NULL) {
        return;
    }
    trust->counts[fault]++;
    if (ration_take(&trust->ration, cause, clock_now_ms(), &times)) {
        log_line(LOG_WARN, "trust", events[fault],
                 "from=\"%s\" endpoint=%s times=%" PRIu64 " all=%" PRIu64, who,
                 link_endpoint(link), times, trust->counts[fault]);
    }
}

uint64_t trust_count(const struct trust *trust, enum trust_fault fault)
{
    return trust->counts[fault];
}

uint64_t trust_refused(const struct trust *trust)
{
    return trust->zap != NULL ? zap_refused(trust->zap) : 0;
}
