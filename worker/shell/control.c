#include "worker/shell/control.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum {
    RETRY_MS = 20,          /* while the coordinator cannot be reached */
    MESSAGES_PER_CALL = 16, /* so that frames get their turn */
    LINGER_MS = 500,        /* a goodbye that is not read by then is lost */
    HEARTBEAT_MS = 2000
};

struct waiting {
    struct waiting *next;
    struct part part;
};

struct control {
    struct control_options options;
    struct link *link;
    struct link *watch; /* whether it stands */
    struct arena arena;
    uint32_t timer;
    bool has_timer;
    struct waiting *first; /* oldest */
    struct waiting **last; /* where the next one goes */
    uint32_t waiting_count;
};

/* Sending */

static void drop_first(struct control *control)
{
    struct waiting *first = control->first;

    control->first = first->next;
    if (control->first == NULL) {
        control->last = &control->first;
    }
    control->waiting_count--;
    mem_free(first);
}

/* False: some still wait. */
static bool send_waiting(struct control *control)
{
    while (control->first != NULL) {
        if (link_send(control->link, &control->first->part, 1) != STATUS_OK) {
            return false;
        }
        drop_first(control);
    }
    return true;
}

static void on_timer(void *owner)
{
    struct control *control = owner;

    if (!send_waiting(control)) {
        loop_set_timer(control->options.loop, control->timer,
                       clock_now_ms() + RETRY_MS);
    }
}

static enum status encode(const struct wire *message, struct part *out)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    enum status status = wire_encode(message, &bytes, &size);

    if (status == STATUS_OK) {
        status = part_init_copy(out, bytes, size);
    }
    mem_free(bytes);
    if (status != STATUS_OK) {
        log_line(LOG_ERROR, "control", "encode_failed", "kind=%s why=\"%s\"",
                 wire_kind_name(message->kind), status_text(status));
    }
    return status;
}

enum status control_send_now(struct control *control,
                             const struct wire *message)
{
    struct part part;
    enum status status = encode(message, &part);

    if (status != STATUS_OK) {
        return status;
    }
    /* Never before what waits: the coordinator relies on the order. */
    if (!send_waiting(control) ||
        link_send(control->link, &part, 1) != STATUS_OK) {
        part_close(&part);
        return STATUS_UNAVAILABLE;
    }
    return STATUS_OK;
}

static enum status keep(struct control *control, struct part *part)
{
    struct waiting *waiting = NULL;

    if (control->waiting_count == CONTROL_WAITING_MAX) {
        log_line(LOG_ERROR, "control", "waiting_full", "max=%d",
                 CONTROL_WAITING_MAX);
        return STATUS_BUSY;
    }
    waiting = mem_new(sizeof(*waiting));
    if (waiting == NULL) {
        return STATUS_NO_MEMORY;
    }
    part_move(&waiting->part, part);
    *control->last = waiting;
    control->last = &waiting->next;
    control->waiting_count++;
    loop_set_timer(control->options.loop, control->timer,
                   clock_now_ms() + RETRY_MS);
    return STATUS_OK;
}

enum status control_send(struct control *control, const struct wire *message)
{
    struct part part;
    enum status status = encode(message, &part);

    if (status != STATUS_OK) {
        return status;
    }
    if (send_waiting(control) &&
        link_send(control->link, &part, 1) == STATUS_OK) {
        return STATUS_OK;
    }
    status = keep(control, &part);
    part_close(&part); /* empty where it has been kept */
    return status;
}

/* Receiving */

static void take(struct control *control, struct part *part)
{
    struct wire message;
    enum status status = STATUS_OK;

    arena_reset(&control->arena);
    status = wire_decode(part_data(part), part_size(part), &control->arena,
                         &message);
    if (status != STATUS_OK) {
        log_line(LOG_WARN, "control", "message_refused", "bytes=%zu why=\"%s\"",
                 part_size(part), status_text(status));
        return;
    }
    control->options.on_message(control->options.owner, &message);
}

static void on_readable(void *owner)
{
    struct control *control = owner;

    for (int i = 0; i < MESSAGES_PER_CALL; i++) {
        struct part part;
        size_t count = 0;
        enum status status = link_receive(control->link, &part, 1, &count);

        if (status == STATUS_BUSY) {
            return;
        }
        if (status != STATUS_OK) {
            continue; /* more than one part: thrown away */
        }
        take(control, &part);
        part_close(&part);
    }
}

enum status control_take_arena(struct control *control, void **out_memory)
{
    void *memory = mem_new(CONTROL_ARENA_BYTES);

    if (memory == NULL) {
        return STATUS_NO_MEMORY;
    }
    *out_memory = control->arena.data;
    arena_init(&control->arena, memory, CONTROL_ARENA_BYTES);
    return STATUS_OK;
}

static void on_change(void *owner)
{
    struct control *control = owner;
    enum link_change change = LINK_UNCHANGED;
    int connection = -1;

    while ((change = link_next_change(control->watch, &connection)) !=
           LINK_UNCHANGED) {
        control->options.on_link(control->options.owner,
                                 change == LINK_INTRODUCED);
    }
}

/* Life */

static enum status open_link(struct control *control)
{
    const struct control_options *options = &control->options;
    struct link_options link = {.kind = LINK_DEALER,
                                .part_bytes_max = CONTROL_BYTES_MAX,
                                .queue_max = 0, /* bounded by the grants */
                                .linger_ms = LINGER_MS,
                                .routing_id = options->routing_id,
                                .far_key = options->far_key,
                                .retry_ms = RETRY_MS,
                                .heartbeat_ms = HEARTBEAT_MS};
    enum status status = loop_add_timer(options->loop, UINT64_MAX, on_timer,
                                        control, &control->timer);

    control->has_timer = status == STATUS_OK;
    if (status == STATUS_OK) {
        status = link_connect(options->context, &link, options->endpoint,
                              &control->link);
    }
    if (status == STATUS_OK) {
        status =
            loop_add_link(options->loop, control->link, on_readable, control);
    }
    if (status == STATUS_OK) {
        status = link_watch(control->link, &control->watch);
    }
    if (status == STATUS_OK) {
        status =
            loop_add_link(options->loop, control->watch, on_change, control);
    }
    return status;
}

enum status control_open(const struct control_options *options,
                         struct control **out)
{
    struct control *control = mem_new(sizeof(*control));
    void *memory = mem_new(CONTROL_ARENA_BYTES);
    enum status status = STATUS_NO_MEMORY;

    if (control == NULL || memory == NULL) {
        mem_free(memory);
        mem_free(control);
        return status;
    }
    control->options = *options;
    control->last = &control->first;
    arena_init(&control->arena, memory, CONTROL_ARENA_BYTES);
    status = open_link(control);
    if (status != STATUS_OK) {
        control_close(control);
        return status;
    }
    *out = control;
    return STATUS_OK;
}

void control_close(struct control *control)
{
    if (control == NULL) {
        return;
    }
    while (control->first != NULL) {
        part_close(&control->first->part);
        drop_first(control);
    }
    if (control->has_timer) {
        loop_remove_timer(control->options.loop, control->timer);
    }
    loop_remove_link(control->options.loop, control->watch);
    link_unwatch(control->link, control->watch);
    loop_remove_link(control->options.loop, control->link);
    link_close(control->link);
    mem_free(control->arena.data);
    mem_free(control);
}
