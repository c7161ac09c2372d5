#include "coordinator/shell/service/watch.h"

#include "base/check.h"
#include "base/mem.h"
#include "coordinator/shell/records/views.h"

#include <string.h>

struct watcher {
    struct watcher *next;
    struct watch *watch;
    struct call *call;
    uint64_t job;
    uint64_t wanted; /* next sequence number to send */
    uint64_t last;   /* of the last event that is logged */
    bool until_end;
    bool ended;                  /* the newest that is known says so */
    bool told;                   /* and the client has heard it */
    struct event_record present; /* as it was when the watch began, ... */
    uint64_t began;              /* ... which was behind this event */
};

struct watch {
    struct store *store;
    struct watcher *first;
    unsigned count;
};

enum status watch_open(struct store *store, struct watch **out)
{
    struct watch *watch = mem_new(sizeof(*watch));

    if (watch == NULL) {
        return STATUS_NO_MEMORY;
    }
    watch->store = store;
    *out = watch;
    return STATUS_OK;
}

void watch_close(struct watch *watch)
{
    if (watch == NULL) {
        return;
    }
    CHECK(watch->count == 0);
    mem_free(watch);
}

static void remove_watcher(struct watcher *watcher)
{
    struct watcher **at = &watcher->watch->first;

    while (*at != watcher) {
        at = &(*at)->next;
    }
    *at = watcher->next;
    watcher->watch->count--;
    mem_free(watcher);
}

static void end(struct watcher *watcher, enum status status, const char *text)
{
    struct call *call = watcher->call;

    remove_watcher(watcher);
    call_finish(call, status, text);
}

static void on_closed(void *owner)
{
    remove_watcher(owner);
}

static bool is_rest(enum job_state state)
{
    return state == JOB_PAUSED || state == JOB_FINISHED ||
           state == JOB_FAILED || state == JOB_CANCELLED;
}

/* What a watcher that waits for the end has waited for. */
static bool says_end(const struct event_record *event)
{
    return strcmp(event->kind, "state") == 0 && is_rest(event->state);
}

/* An end that later events follow (a job that was resumed) is none; but what
 * was at rest when the watch began is not set going by events before that. */
static void note_end(struct watcher *watcher,
                     uint64_t sequence,
                     const struct event_record *event)
{
    bool rests = sequence <= watcher->began && is_rest(watcher->present.state);

    watcher->told = says_end(event);
    watcher->ended = watcher->told || rests;
}

static void send(struct watcher *watcher,
                 uint64_t sequence,
                 const struct event_record *event)
{
    struct event_view view;
    struct grpc_byte_buffer *buffer = NULL;

    views_event(watcher->job, sequence, event, &view);
    if (rpc_pack(&view.message.base, &buffer) == STATUS_OK) {
        call_send(watcher->call, buffer);
    }
}

struct catch_up {
    struct event_record event;
    uint64_t sequence;
    uint64_t skipped; /* records that are no events */
    bool found;
};

static bool take_event(void *owner,
                       uint64_t key,
                       const void *bytes,
                       size_t size)
{
    struct catch_up *catch_up = owner;

    if (eventcode_decode(bytes, size, &catch_up->event) != STATUS_OK) {
        catch_up->skipped = key;
        return true;
    }
    catch_up->sequence = key;
    catch_up->found = true;
    return false;
}

/* One that has heard everything. The event that tells the end may still be on
 * its way to the disk; then the state itself is told. */
static void end_or_wait(struct watcher *watcher)
{
    if (!watcher->until_end || !watcher->ended) {
        return;
    }
    if (watcher->told) {
        end(watcher, STATUS_OK, "");
        return;
    }
    watcher->told = true;
    send(watcher, watcher->last, &watcher->present);
}

/* Sends the next event of the log to one that lags behind. */
static void send_logged(struct watcher *watcher)
{
    struct catch_up next = {.found = false};
    enum status status =
        store_scan_log(watcher->watch->store, LOG_EVENTS, watcher->job,
                       watcher->wanted, take_event, &next);

    if (status != STATUS_OK) {
        end(watcher, status, "the event log cannot be read: run verify");
        return;
    }
    if (!next.found) {
        watcher->wanted = watcher->last + 1;
        end_or_wait(watcher);
        return;
    }
    watcher->wanted = next.sequence + 1;
    note_end(watcher, next.sequence, &next.event);
    send(watcher, next.sequence, &next.event);
}

static void go_on(struct watcher *watcher)
{
    if (!call_writable(watcher->call)) {
        return;
    }
    if (watcher->wanted <= watcher->last) {
        send_logged(watcher);
        return;
    }
    end_or_wait(watcher);
}

static void on_writable(void *owner)
{
    go_on(owner);
}

void watch_add(struct watch *watch,
               struct call *call,
               const struct watch_start *start)
{
    struct watcher *watcher = NULL;

    if (watch->count < WATCHERS_MAX) {
        watcher = mem_new(sizeof(*watcher));
    }
    if (watcher == NULL) {
        call_finish(call, STATUS_BUSY,
                    "this coordinator has its most watchers. Try again later");
        return;
    }
    watcher->watch = watch;
    watcher->call = call;
    watcher->job = start->job;
    watcher->last = start->last;
    watcher->wanted = start->from == 0 ? start->last + 1 : start->from;
    watcher->until_end = start->until_end;
    watcher->ended = is_rest(start->present->state);
    watcher->present = *start->present;
    watcher->began = start->last;
    watcher->next = watch->first;
    watch->first = watcher;
    watch->count++;
    call_attach(call, &(struct call_events){.on_writable = on_writable,
                                            .on_closed = on_closed,
                                            .owner = watcher});
    if (start->from == 0) {
        watcher->told = watcher->ended;
        send(watcher, start->last, start->present);
    } else {
        go_on(watcher);
    }
}

static void offer(struct watcher *watcher,
                  uint64_t sequence,
                  const struct event_record *event)
{
    bool logged = sequence > watcher->last;
    bool writable = call_writable(watcher->call);

    watcher->last = sequence;
    if (!logged) {
        /* Progress: only to one that has seen all that came before. */
        if (writable && watcher->wanted > watcher->last) {
            send(watcher, sequence, event);
        }
        return;
    }
    if (writable && watcher->wanted == sequence) {
        watcher->wanted = sequence + 1;
        note_end(watcher, sequence, event);
        send(watcher, sequence, event);
        return;
    }
    go_on(watcher);
}

void watch_tell(struct watch *watch,
                uint64_t job,
                uint64_t sequence,
                const struct event_record *event)
{
    struct watcher *next = NULL;

    for (struct watcher *w = watch->first; w != NULL; w = next) {
        next = w->next;
        if (w->job == job) {
            offer(w, sequence, event);
        }
    }
}
