#include "coordinator/shell/service/query.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/mem.h"

#include <stdio.h>

struct query {
    struct query *next; /* of all */
    struct queries *queries;
    const struct query_kind *kind;
    struct call *call; /* NULL: the client is gone */
    void *state;
    bool busy; /* a reader has it */
    bool ended;
    bool parked;
    bool woken;   /* while busy: what it is about to park for has come */
    uint64_t job; /* parked for */
    enum status status;
    uint32_t sent;
    uint32_t count;
    size_t bytes;
    struct grpc_byte_buffer *messages[QUERY_MESSAGES_MAX];
    char why[ERROR_BYTES_MAX];
};

struct queries {
    struct store *store;
    struct jobs *reader;
    struct query *first;
    unsigned count;
};

enum status queries_open(struct store *store,
                         struct jobs *reader,
                         struct queries **out)
{
    struct queries *queries = mem_new(sizeof(*queries));

    if (queries == NULL) {
        return STATUS_NO_MEMORY;
    }
    queries->store = store;
    queries->reader = reader;
    *out = queries;
    return STATUS_OK;
}

void queries_close(struct queries *queries)
{
    if (queries == NULL) {
        return;
    }
    CHECK(queries->count == 0);
    mem_free(queries);
}

static void drop_messages(struct query *query)
{
    for (uint32_t m = query->sent; m < query->count; m++) {
        service_drop_buffer(query->messages[m]);
    }
    query->sent = 0;
    query->count = 0;
    query->bytes = 0;
}

static void free_query(struct query *query)
{
    struct query **at = &query->queries->first;

    CHECK(!query->busy);
    while (*at != query) {
        at = &(*at)->next;
    }
    *at = query->next;
    query->queries->count--;
    drop_messages(query);
    if (query->kind->fini != NULL) {
        query->kind->fini(query->state);
    }
    mem_free(query->state);
    mem_free(query);
}

static void on_closed(void *owner)
{
    struct query *query = owner;

    query->call = NULL;
    if (!query->busy) {
        free_query(query);
    }
}

void query_fail(struct query *query, enum status status, const char *text)
{
    struct call *call = query->call;

    query->call = NULL;
    if (call != NULL) {
        call_finish(call, status, text);
    }
    free_query(query);
}

static void run(void *work);
static void done(void *work);

static void submit(struct query *query)
{
    enum status status = jobs_submit(query->queries->reader, run, done, query);

    if (status != STATUS_OK) {
        query_fail(query, STATUS_BUSY,
                   "the coordinator has too much to read. Try again later");
        return;
    }
    query->busy = true;
}

/* Sends what is there; then asks for more. */
static void pump(struct query *query)
{
    if (query->sent < query->count) {
        if (call_writable(query->call)) {
            call_send(query->call, query->messages[query->sent++]);
        }
        if (query->sent < query->count || !query->ended) {
            return; /* on_writable goes on */
        }
    }
    if (query->ended) {
        query_fail(query, STATUS_OK, "");
        return;
    }
    query->sent = 0;
    query->count = 0;
    query->bytes = 0;
    if (!query->parked) {
        submit(query);
    }
}

static void on_writable(void *owner)
{
    struct query *query = owner;

    if (!query->busy) {
        pump(query);
    }
}

struct query *query_open(struct queries *queries,
                         struct call *call,
                         const struct query_kind *kind)
{
    const char *busy = "this coordinator has its most calls. Try again later";
    struct query *query = NULL;

    if (queries->count < QUERIES_MAX) {
        query = mem_new(sizeof(*query));
    }
    if (query != NULL) {
        query->state = mem_new(kind->state_bytes);
    }
    if (query == NULL || query->state == NULL) {
        mem_free(query);
        call_finish(call, STATUS_BUSY, busy);
        return NULL;
    }
    query->queries = queries;
    query->kind = kind;
    query->call = call;
    query->next = queries->first;
    queries->first = query;
    queries->count++;
    call_attach(call, &(struct call_events){.on_writable = on_writable,
                                            .on_closed = on_closed,
                                            .owner = query});
    return query;
}

void *query_state(struct query *query)
{
    return query->state;
}

void query_start(struct query *query)
{
    submit(query);
}

void query_deliver(struct query *query)
{
    query->ended = true;
    pump(query);
}

/* --- On a reader's thread --- */

static void run(void *work)
{
    struct query *query = work;

    (void)snprintf(query->why, sizeof(query->why), "%s", "");
    query->parked = false;
    query->status = query->kind->step(query, query->state);
}

struct store *query_store(struct query *query)
{
    return query->queries->store;
}

char *query_why(struct query *query)
{
    return query->why;
}

enum status query_emit(struct query *query, const ProtobufCMessage *message)
{
    struct grpc_byte_buffer *buffer = NULL;
    enum status status = rpc_pack(message, &buffer);

    if (status != STATUS_OK) {
        return status;
    }
    CHECK(query->count < QUERY_MESSAGES_MAX);
    query->messages[query->count++] = buffer;
    query->bytes += protobuf_c_message_get_packed_size(message);
    return STATUS_OK;
}

bool query_full(const struct query *query)
{
    return query->count == QUERY_MESSAGES_MAX ||
           query->bytes >= QUERY_PIECE_BYTES;
}

void query_end(struct query *query)
{
    query->ended = true;
}

void query_park(struct query *query, uint64_t job)
{
    query->parked = true;
    query->job = job;
}

/* --- Back on the loop --- */

static void done(void *work)
{
    struct query *query = work;

    query->busy = false;
    if (query->call == NULL) {
        free_query(query);
        return;
    }
    if (query->status != STATUS_OK) {
        query_fail(query, query->status,
                   query->why[0] != '\0' ? query->why
                                         : status_text(query->status));
        return;
    }
    if (query->parked && query->woken) {
        query->parked = false;
    }
    query->woken = false;
    pump(query);
}

/* One that is being read may have looked already: it looks once more. */
void queries_wake(struct queries *queries, uint64_t job)
{
    struct query *next = NULL;

    for (struct query *q = queries->first; q != NULL; q = next) {
        next = q->next;
        if (q->busy) {
            q->woken = true;
        } else if (q->parked && q->job == job) {
            q->parked = false;
            if (q->sent == q->count) {
                pump(q);
            }
        }
    }
}
