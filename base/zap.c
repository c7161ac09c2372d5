#include "base/zap.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/ration.h"
#include "base/text.h"

#include <inttypes.h>
#include <string.h>

enum {
    /* version, id, domain, address, routing id, mechanism, credentials: CURVE
     * has one, NULL none, PLAIN two. */
    REQUEST_PARTS = 7,
    REQUEST_PARTS_MIN = 6,
    REQUEST_PARTS_MAX = 8,
    /* version, id, status code, status text, user id, metadata */
    REPLY_PARTS = 6,
    CODE_BYTES = 3,
    PART_BYTES_MAX = 512,
    REQUESTS_PER_TURN = 64
};

/* Told nothing and tried again, see zap.h. (400 would make the peer's 0MQ give
 * up for good.) */
static const char accepted[] = "200";
static const char refused[] = "300";

struct zap {
    struct loop *loop;
    struct link *link;
    link_known_fn *known;
    void *owner;
    uint64_t refused_count;
    struct ration ration;
};

static bool is(struct part *part, const char *text)
{
    return part_size(part) == strlen(text) &&
           memcmp(part_data(part), text, strlen(text)) == 0;
}

/* What 0MQ asks is well-formed; what the peer said within it need not be. */
static bool judge(struct zap *zap,
                  struct part *parts,
                  size_t count,
                  struct curvekey *key)
{
    char domain[LINK_DOMAIN_BYTES];
    struct text text;

    if (count != REQUEST_PARTS || !is(&parts[5], "CURVE") ||
        part_size(&parts[6]) != sizeof(key->b)) {
        return false;
    }
    memcpy(key->b, part_data(&parts[6]), sizeof(key->b));
    /* The domain is ours: a link's. */
    text_init(&text, domain, sizeof(domain));
    text_add_bytes(&text, part_data(&parts[2]), part_size(&parts[2]));
    return zap->known(zap->owner, domain, key);
}

static void tell(struct zap *zap,
                 struct part *address,
                 const struct curvekey *key)
{
    char text[CURVEKEY_TEXT + 1];
    uint64_t count = 0;
    uint64_t cause = ration_cause(0, key->b, sizeof(key->b));

    zap->refused_count++;
    if (ration_take(&zap->ration, cause, clock_now_ms(), &count)) {
        curvekey_text(key, text);
        log_line(LOG_WARN, "zap", "key_not_known",
                 "key=%s address=%.*s times=%" PRIu64, text,
                 (int)part_size(address), (const char *)part_data(address),
                 count);
    }
}

/* Each request must have its reply, or else 0MQ would not let us read on: where
 * memory is short for the name, the peer is refused. */
static void reply(struct zap *zap,
                  struct part *request,
                  const struct curvekey *user)
{
    char text[CURVEKEY_TEXT + 1] = "";
    struct part parts[REPLY_PARTS];
    bool good = user != NULL;
    enum status status = STATUS_OK;

    if (good) {
        curvekey_text(user, text);
        good = part_init_copy(&parts[4], text, CURVEKEY_TEXT) == STATUS_OK;
    }
    if (!good) {
        part_init_empty(&parts[4]);
    }
    part_share(&parts[0], &request[0]);
    part_share(&parts[1], &request[1]);
    /* Kept in the part itself: takes no memory. */
    CHECK(part_init_copy(&parts[2], good ? accepted : refused, CODE_BYTES) ==
          STATUS_OK);
    part_init_empty(&parts[3]);
    part_init_empty(&parts[5]);
    status = link_send(zap->link, parts, REPLY_PARTS);
    /* What was just asked can be answered, and no queue has a limit. */
    CHECK(status == STATUS_OK);
}

static void answer(struct zap *zap, struct part *parts, size_t count)
{
    struct curvekey key = {.b = {0}};
    bool good = judge(zap, parts, count, &key);

    if (!good) {
        tell(zap, &parts[3], &key);
    }
    reply(zap, parts, good ? &key : NULL);
}

static void on_request(void *owner)
{
    struct zap *zap = owner;

    for (int i = 0; i < REQUESTS_PER_TURN; i++) {
        struct part parts[REQUEST_PARTS_MAX];
        size_t count = 0;

        if (link_receive(zap->link, parts, REQUEST_PARTS_MAX, &count) !=
            STATUS_OK) {
            return;
        }
        CHECK(count >= REQUEST_PARTS_MIN); /* 0MQ itself has written it */
        answer(zap, parts, count);
        while (count > 0) {
            part_close(&parts[--count]);
        }
    }
}

enum status zap_open(struct loop *loop,
                     struct link_context *context,
                     link_known_fn *known,
                     void *owner,
                     struct zap **out)
{
    const struct link_options options = {.kind = LINK_REPLY,
                                         .part_bytes_max = PART_BYTES_MAX};
    struct zap *zap = mem_new(sizeof(*zap));
    enum status status = STATUS_NO_MEMORY;

    if (zap == NULL) {
        return status;
    }
    zap->loop = loop;
    zap->known = known;
    zap->owner = owner;
    status = link_bind(context, &options, LINK_ZAP_ENDPOINT, &zap->link);
    if (status == STATUS_OK) {
        status = loop_add_link(loop, zap->link, on_request, zap);
    }
    if (status != STATUS_OK) {
        zap_close(zap);
        return status;
    }
    link_context_known(context, known, owner);
    *out = zap;
    return STATUS_OK;
}

void zap_close(struct zap *zap)
{
    if (zap == NULL) {
        return;
    }
    loop_remove_link(zap->loop, zap->link);
    link_close(zap->link);
    mem_free(zap);
}

uint64_t zap_refused(const struct zap *zap)
{
    return zap->refused_count;
}
