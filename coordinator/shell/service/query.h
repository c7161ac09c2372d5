/* query.h - calls that only read, answered in pieces from a reader's thread.
 *
 *   loop:    query_open, fill query_state, query_start
 *   reader:  step: query_emit ... until query_full or query_end
 *   loop:    the messages go out one by one, as fast as the client reads;
 *            then the next step
 *
 * So a query never holds more than one piece, however large its answer is. A
 * client that leaves ends its query. Everything but step runs on the loop. */
#ifndef COORDINATOR_SHELL_SERVICE_QUERY_H
#define COORDINATOR_SHELL_SERVICE_QUERY_H

#include "base/jobs.h"
#include "coordinator/shell/service/service.h"
#include "storage/store.h"

enum {
    /* Each holds up to a piece in memory. */
    QUERIES_MAX = 256,
    /* Messages of a piece; the evaluations of one version fit in. */
    QUERY_MESSAGES_MAX = 256,
    QUERY_PIECE_BYTES = 1 << 20
};

struct queries; /* all of a coordinator */
struct query;

struct query_kind {
    /* On a reader's thread, one at a time. Any status but OK ends the call
     * with what stands in query_why. */
    enum status (*step)(struct query *query, void *state);
    void (*fini)(void *state); /* may be NULL; on the loop */
    size_t state_bytes;        /* zeroed at first */
};

enum status queries_open(struct store *store,
                         struct jobs *reader,
                         struct queries **out) MUST_CHECK;
void queries_close(struct queries *queries); /* accepts NULL; none is left */
/* Parked queries of this job go on. */
void queries_wake(struct queries *queries, uint64_t job);

/* Takes the call. NULL: at the limit, and the call has been answered. */
struct query *query_open(struct queries *queries,
                         struct call *call,
                         const struct query_kind *kind);
void *query_state(struct query *query);
void query_start(struct query *query);
/* Instead of query_start: all has been emitted already, on the loop. */
void query_deliver(struct query *query);
/* Instead of query_start: ends the call with a sentence. */
void query_fail(struct query *query, enum status status, const char *text);

/* --- For steps --- */

struct store *query_store(struct query *query);
char *query_why(struct query *query); /* ERROR_BYTES_MAX */

/* Packs a message; the caller may reuse it at once. INVALID: too large. */
enum status query_emit(struct query *query,
                       const ProtobufCMessage *message) MUST_CHECK;
/* The piece is large enough: return, to be called again. */
bool query_full(const struct query *query);
void query_end(struct query *query); /* all has been emitted */
/* Nothing to tell until queries_wake(job). */
void query_park(struct query *query, uint64_t job);

#endif /* COORDINATOR_SHELL_SERVICE_QUERY_H */
