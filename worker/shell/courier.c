#include "worker/shell/courier.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <string.h>

enum {
    RETRY_MS = 10,        /* while a link does not take more */
    ANSWERS_PER_CALL = 16 /* so that frames get their turn */
};

/* A copy on its way. */
struct parcel {
    struct parcel *next;
    struct piece_header header; /* of piece `sent` */
    struct pieces pieces;
    uint32_t stored;
};

struct route {
    struct courier *courier;
    struct link *link; /* NULL: free */
    struct wire_peer buddy;
    struct parcel *first;
    uint32_t under_way;   /* pieces without an answer */
    uint64_t deadline_ms; /* for the next answer */
    uint64_t used;        /* the courier's count of uses */
};

struct courier {
    struct loop *loop;
    struct link_context *context;
    const struct trust *trust;
    uint32_t timer;
    bool has_timer;
    uint64_t uses;
    struct route routes[COURIER_ROUTES];
};

/* Parcels */

static void remove_parcel(struct parcel **at)
{
    struct parcel *parcel = *at;

    *at = parcel->next;
    pieces_close(&parcel->pieces);
    mem_free(parcel);
}

static void remove_parcels(struct route *route)
{
    while (route->first != NULL) {
        remove_parcel(&route->first);
    }
}

static struct parcel *unsent(const struct route *route)
{
    struct parcel *parcel = route->first;

    while (parcel != NULL && parcel->header.index == parcel->header.count) {
        parcel = parcel->next;
    }
    return parcel;
}

/* False: the link does not take more now. */
static bool send_piece(struct route *route, struct parcel *parcel)
{
    uint32_t index = parcel->header.index;

    parcel->header.sum = pieces_sum(&parcel->pieces, index);
    if (vaultlink_send(route->link, NULL, &parcel->header,
                       &parcel->pieces.items[index].part) != STATUS_OK) {
        return false;
    }
    parcel->header.index++;
    if (route->under_way == 0) {
        route->deadline_ms = clock_now_ms() + COURIER_WAIT_MS;
    }
    route->under_way++;
    return true;
}

/* Sends what the window allows; when to look again. */
static uint64_t pump_route(struct route *route)
{
    struct parcel *parcel = unsent(route);

    while (parcel != NULL && route->under_way < COURIER_WINDOW) {
        if (!send_piece(route, parcel)) {
            return clock_now_ms() + RETRY_MS;
        }
        parcel = unsent(route);
    }
    return route->under_way > 0 ? route->deadline_ms : UINT64_MAX;
}

/* The answers that are owed are not waited for any more: a link of its own
 * cannot bring them late. */
static void begin_anew(struct route *route)
{
    log_line(LOG_WARN, "courier", "buddy_silent", "worker=w%u endpoint=%s",
             route->buddy.worker, route->buddy.vault_endpoint);
    loop_remove_link(route->courier->loop, route->link);
    link_close(route->link);
    route->link = NULL;
    route->under_way = 0;
    for (struct parcel *p = route->first; p != NULL; p = p->next) {
        p->header.index = 0;
        p->stored = 0;
    }
}

static void on_answers(void *owner);

static enum status connect_route(struct route *route)
{
    struct courier *courier = route->courier;
    enum status status = vaultlink_connect(courier->context, courier->trust,
                                           &route->buddy, &route->link);

    if (status == STATUS_OK) {
        status = loop_add_link(courier->loop, route->link, on_answers, route);
    }
    if (status != STATUS_OK) {
        link_close(route->link);
        route->link = NULL;
        remove_parcels(route);
    }
    return status;
}

static void pump(struct courier *courier)
{
    uint64_t now_ms = clock_now_ms();
    uint64_t next_ms = UINT64_MAX;

    for (uint32_t i = 0; i < COURIER_ROUTES; i++) {
        struct route *route = &courier->routes[i];
        uint64_t at_ms = UINT64_MAX;

        if (route->link == NULL) {
            continue;
        }
        if (route->under_way > 0 && now_ms >= route->deadline_ms) {
            begin_anew(route);
            if (connect_route(route) != STATUS_OK) {
                continue;
            }
        }
        at_ms = pump_route(route);
        next_ms = at_ms < next_ms ? at_ms : next_ms;
    }
    loop_set_timer(courier->loop, courier->timer, next_ms);
}

static void on_timer(void *owner)
{
    pump(owner);
}

/* Answers */

static bool is_of(const struct parcel *parcel,
                  const struct piece_header *header)
{
    const struct piece_header *own = &parcel->header;

    return own->job == header->job && own->term == header->term &&
           own->line == header->line && own->interval == header->interval &&
           own->layer == header->layer && own->shard == header->shard;
}

/* Every piece has one answer, also after its copy has been given up. */
static void take_answer(struct route *route, const struct piece_header *header)
{
    struct parcel **at = &route->first;

    if (header->kind != PIECE_STORED || route->under_way == 0) {
        return;
    }
    route->under_way--;
    route->deadline_ms = clock_now_ms() + COURIER_WAIT_MS;
    while (*at != NULL && !is_of(*at, header)) {
        at = &(*at)->next;
    }
    if (*at == NULL) {
        return;
    }
    if (header->status != STATUS_OK) {
        log_line(LOG_INFO, "courier", "copy_not_taken",
                 "buddy=w%u job=j%" PRIu64 " interval=%" PRIu64
                 " layer=%u shard=%u why=\"%s\"",
                 route->buddy.worker, header->job, header->interval,
                 header->layer, header->shard,
                 status_text((enum status)header->status));
        remove_parcel(at);
    } else if (++(*at)->stored == (*at)->header.count) {
        remove_parcel(at);
    }
}

static void on_answers(void *owner)
{
    struct route *route = owner;

    for (int i = 0; i < ANSWERS_PER_CALL; i++) {
        struct vaultlink_message message;
        enum status status = vaultlink_receive(route->link, false, &message);

        if (status == STATUS_BUSY) {
            break;
        }
        if (status == STATUS_OK) {
            take_answer(route, &message.header);
            vaultlink_close(&message);
        }
    }
    pump(route->courier);
}

/* Routes */

static void close_route(struct route *route)
{
    remove_parcels(route);
    if (route->link != NULL) {
        loop_remove_link(route->courier->loop, route->link);
        link_close(route->link);
    }
    *route = (struct route){.courier = route->courier};
}

/* A worker that was started again, perhaps at the same address, has a key of
 * its own. */
static bool leads_to(const struct route *route, const struct wire_peer *buddy)
{
    return route->link != NULL && route->buddy.curve == buddy->curve &&
           curvekey_equal(&route->buddy.key, &buddy->key) &&
           strcmp(route->buddy.vault_endpoint, buddy->vault_endpoint) == 0;
}

/* The route to this very endpoint, a free one, or the least recently used. */
static struct route *find_route(struct courier *courier,
                                const struct wire_peer *buddy)
{
    struct route *oldest = &courier->routes[0];

    for (uint32_t i = 0; i < COURIER_ROUTES; i++) {
        struct route *route = &courier->routes[i];

        if (leads_to(route, buddy)) {
            return route;
        }
        if (route->used < oldest->used) {
            oldest = route;
        }
    }
    close_route(oldest);
    oldest->buddy = *buddy;
    return oldest;
}

/* An older copy of the same key is of a session that is gone. */
static void add_parcel(struct route *route, struct parcel *parcel)
{
    struct parcel **at = &route->first;
    struct holding_key key = holdings_key(&parcel->header);

    while (*at != NULL) {
        struct holding_key other = holdings_key(&(*at)->header);

        if (holdings_same(&key, &other)) {
            remove_parcel(at);
        } else {
            at = &(*at)->next;
        }
    }
    *at = parcel;
}

enum status courier_send(struct courier *courier,
                         const struct wire_peer *buddy,
                         const struct piece_header *header,
                         struct pieces *pieces)
{
    struct route *route = find_route(courier, buddy);
    struct parcel *parcel = NULL;
    enum status status = STATUS_OK;

    CHECK(pieces->count > 0);
    route->used = ++courier->uses;
    if (route->link == NULL) {
        status = connect_route(route);
    }
    if (status != STATUS_OK) {
        return status;
    }
    parcel = mem_new(sizeof(*parcel));
    if (parcel == NULL || pieces_share(pieces, &parcel->pieces) != STATUS_OK) {
        mem_free(parcel);
        return STATUS_NO_MEMORY;
    }
    parcel->header = *header;
    parcel->header.kind = PIECE_PUT;
    parcel->header.status = STATUS_OK;
    parcel->header.index = 0;
    parcel->header.count = pieces->count;
    parcel->header.evaluations_count = pieces->evaluations_count;
    add_parcel(route, parcel);
    pump(courier);
    return STATUS_OK;
}

void courier_drop(struct courier *courier, const struct holdings_rule *rule)
{
    for (uint32_t i = 0; i < COURIER_ROUTES; i++) {
        struct parcel **at = &courier->routes[i].first;

        while (*at != NULL) {
            struct holding_key key = holdings_key(&(*at)->header);

            if (holdings_stays(rule, &key)) {
                at = &(*at)->next;
            } else {
                remove_parcel(at);
            }
        }
    }
}

/* Life */

enum status courier_open(struct loop *loop,
                         struct link_context *context,
                         const struct trust *trust,
                         struct courier **out)
{
    struct courier *courier = mem_new(sizeof(*courier));
    enum status status = STATUS_NO_MEMORY;

    if (courier == NULL) {
        return status;
    }
    courier->loop = loop;
    courier->context = context;
    courier->trust = trust;
    for (uint32_t i = 0; i < COURIER_ROUTES; i++) {
        courier->routes[i].courier = courier;
    }
    status =
        loop_add_timer(loop, UINT64_MAX, on_timer, courier, &courier->timer);
    courier->has_timer = status == STATUS_OK;
    if (status != STATUS_OK) {
        courier_close(courier);
        return status;
    }
    *out = courier;
    return STATUS_OK;
}

void courier_close(struct courier *courier)
{
    if (courier == NULL) {
        return;
    }
    for (uint32_t i = 0; i < COURIER_ROUTES; i++) {
        close_route(&courier->routes[i]);
    }
    if (courier->has_timer) {
        loop_remove_timer(courier->loop, courier->timer);
    }
    mem_free(courier);
}
