#include "worker/shell/trust.h"

#include "base/clock.h"
#include "base/keyring.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/ration.h"
#include "base/zap.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct place {
    uint32_t count;
    uint32_t workers[WORKERS_MAX];
    struct curvekey keys[WORKERS_MAX];
};

struct trust {
    struct keyring *keyring; /* NULL: no keys */
    struct zap *zap;
    bool curve;    /* own tcp endpoints are locked */
    bool insecure; /* plain links to other machines are allowed */
    struct place places[SESSIONS_MAX];
    uint32_t roster_count;
    struct curvekey roster[WIRE_ROSTER_MAX];
    struct ration ration;
    uint64_t refused_count;
};

static bool is_tcp(const char *endpoint)
{
    return strncmp(endpoint, "tcp://", strlen("tcp://")) == 0;
}

static bool is_placed(const struct trust *trust, const struct curvekey *key)
{
    for (uint32_t s = 0; s < SESSIONS_MAX; s++) {
        const struct place *place = &trust->places[s];

        for (uint32_t i = 0; i < place->count; i++) {
            if (curvekey_equal(&place->keys[i], key)) {
                return true;
            }
        }
    }
    return false;
}

static bool is_known(void *owner,
                     const char *domain,
                     const struct curvekey *key)
{
    const struct trust *trust = owner;

    if (strcmp(domain, TRUST_VAULT) != 0) {
        return is_placed(trust, key);
    }
    for (uint32_t i = 0; i < trust->roster_count; i++) {
        if (curvekey_equal(&trust->roster[i], key)) {
            return true;
        }
    }
    return false;
}

static enum status open_keys(struct trust *trust,
                             struct loop *loop,
                             struct link_context *context,
                             const struct settings *settings)
{
    char why[ERROR_BYTES_MAX] = "";
    enum status status = keyring_open(settings->keys, KEYRING_WORKER, why,
                                      sizeof(why), &trust->keyring);

    if (status != STATUS_OK) {
        log_line(LOG_ERROR, "trust", "keys_refused", "why=\"%s\"", why);
        (void)fprintf(stderr, "cajal-worker: %s\n", why);
        return status;
    }
    link_context_keys(context, keyring_own(trust->keyring));
    return zap_open(loop, context, is_known, trust, &trust->zap);
}

enum status trust_open(struct loop *loop,
                       struct link_context *context,
                       const struct settings *settings,
                       struct trust **out)
{
    struct trust *trust = mem_new(sizeof(*trust));
    enum status status = STATUS_OK;

    if (trust == NULL) {
        return STATUS_NO_MEMORY;
    }
    trust->insecure = settings->insecure;
    if (settings->keys[0] != '\0') {
        trust->curve = settings->curve;
        status = open_keys(trust, loop, context, settings);
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
    zap_close(trust->zap);
    keyring_close(trust->keyring);
    mem_free(trust);
}

const struct curvekey *trust_coordinator(const struct trust *trust,
                                         const char *endpoint)
{
    return trust->keyring != NULL && is_tcp(endpoint)
               ? keyring_coordinator(trust->keyring)
               : NULL;
}

bool trust_locks(const struct trust *trust, const char *endpoint)
{
    return trust->curve && is_tcp(endpoint);
}

const struct curvekey *trust_shown(const struct trust *trust)
{
    static const struct curvekey none;

    return trust->keyring != NULL ? &keyring_own(trust->keyring)->shown : &none;
}

bool trust_curve(const struct trust *trust)
{
    return trust->curve;
}

void trust_roster(struct trust *trust, const struct wire_roster *roster)
{
    trust->roster_count = roster->count;
    memcpy(trust->roster, roster->keys, roster->count * sizeof(*roster->keys));
}

void trust_place(struct trust *trust,
                 uint32_t slot,
                 const struct wire_peer *peers,
                 uint32_t count)
{
    struct place *place = &trust->places[slot];

    place->count = count;
    for (uint32_t i = 0; i < count; i++) {
        place->workers[i] = peers[i].worker;
        place->keys[i] = peers[i].key;
    }
}

enum status trust_far(const struct trust *trust,
                      const struct wire_peer *peer,
                      const char *endpoint,
                      const struct curvekey **out)
{
    bool locked = is_tcp(endpoint) && peer->curve;
    bool keys = trust != NULL && trust->keyring != NULL;
    bool insecure = trust != NULL && trust->insecure;

    if ((locked && !keys) ||
        (!locked && !insecure && settings_is_beyond_loopback(endpoint))) {
        return STATUS_REFUSED;
    }
    *out = locked ? &peer->key : NULL;
    return STATUS_OK;
}

void trust_blame(struct trust *trust,
                 const struct link *link,
                 const struct part *part,
                 const char *what)
{
    char who[CURVEKEY_TEXT + 1] = "someone without a key";
    struct curvekey key;
    uint64_t times = 0;
    uint64_t cause = 0;

    if (part != NULL && part_sender(part, &key)) {
        curvekey_text(&key, who);
    }
    if (part != NULL) {
        link_hang_up(link, link_connection(part));
    }
    trust->refused_count++;
    cause = ration_cause(ration_cause(0, what, strlen(what)), who, strlen(who));
    if (ration_take(&trust->ration, cause, clock_now_ms(), &times)) {
        log_line(LOG_WARN, "trust", "message_refused",
                 "why=\"%s\" key=\"%s\" endpoint=%s times=%" PRIu64
                 " all=%" PRIu64,
                 what, who, link_endpoint(link), times, trust->refused_count);
    }
}

bool trust_is_from(struct trust *trust,
                   const struct link *link,
                   const struct part *part,
                   uint32_t worker)
{
    struct curvekey key;

    if (!trust_locks(trust, link_endpoint(link))) {
        return true;
    }
    for (uint32_t s = 0; part_sender(part, &key) && s < SESSIONS_MAX; s++) {
        const struct place *place = &trust->places[s];

        for (uint32_t i = 0; i < place->count; i++) {
            if (place->workers[i] == worker &&
                curvekey_equal(&place->keys[i], &key)) {
                return true;
            }
        }
    }
    trust_blame(trust, link, part, "a frame of another worker's, or of none");
    return false;
}

void trust_stale(struct trust *trust, uint32_t worker)
{
    uint64_t times = 0;

    trust->refused_count++;
    if (ration_take(&trust->ration, ration_cause(1, &worker, sizeof(worker)),
                    clock_now_ms(), &times)) {
        log_line(LOG_WARN, "trust", "stale_frame",
                 "from=w%" PRIu32 " times=%" PRIu64 " all=%" PRIu64, worker,
                 times, trust->refused_count);
    }
}

uint64_t trust_refused(const struct trust *trust)
{
    return trust->refused_count;
}
