/* wire.h - the control messages between coordinator and workers.
 *
 * One message is one part: a protobuf `Envelope` (wire.proto) that holds one of
 * the kinds below. Decoding validates every field, bounds every size and puts
 * what has pointers into the caller's arena. */
#ifndef PROTO_WIRE_H
#define PROTO_WIRE_H

#include "base/arena.h"
#include "base/curvekey.h"
#include "base/ids.h"
#include "proto/arch.h"
#include "proto/grant.h"
#include "proto/job.h"
#include "proto/report.h"
#include "proto/version.h"

enum {
    WIRE_PROTOCOL = 1, /* both sides must have the same number */
    BUILD_BYTES_MAX = 64,
    WIRE_ROSTER_MAX = 1024 /* as many as a directory of keys may hold */
};

enum wire_kind {
    /* worker -> coordinator */
    WIRE_HELLO = 1,
    WIRE_HEARTBEAT,
    WIRE_OPENED,
    WIRE_READY,
    WIRE_REPORT,
    WIRE_SHARD_CUT,
    WIRE_FAULT,
    WIRE_GOODBYE,
    WIRE_KEPT,
    WIRE_LEAVE,
    /* coordinator -> worker */
    WIRE_WELCOME = 64,
    WIRE_REFUSE,
    WIRE_OPEN,
    WIRE_ASSIGN,
    WIRE_GRANT,
    WIRE_RELEASE,
    WIRE_DROP,
    WIRE_QUIT,
    WIRE_ROSTER
};

struct wire_hello {
    char name[NAME_BYTES_MAX]; /* "w0": stays when the process is restarted */
    uint64_t incarnation;      /* random per process start */
    uint32_t protocol;
    char build[BUILD_BYTES_MAX];
    struct hash fingerprint; /* of build, BLAS and a probe of every kernel */
    char kernels[NAME_BYTES_MAX]; /* for people: "OpenBLAS 0.3.21 Haswell" */
    uint32_t threads;
    uint32_t pid;
    char host[NAME_BYTES_MAX];
    char endpoint[ENDPOINT_BYTES_MAX];       /* its data link */
    char vault_endpoint[ENDPOINT_BYTES_MAX]; /* copies kept in memory */
    /* Who it is, where there are keys; else zero. The coordinator's shell lets
     * nobody say another key than that of the connection. */
    struct curvekey key;
    bool curve; /* its tcp endpoints take connections under keys alone */
};

struct wire_welcome {
    uint64_t life;
    uint32_t worker;
    uint32_t heartbeat_ms; /* send one at least this often */
    uint32_t timeout_ms;   /* silence of the coordinator before a new hello */
    char chunk_endpoint[ENDPOINT_BYTES_MAX];
};

struct wire_refuse {
    uint32_t status; /* enum status */
    char text[ERROR_BYTES_MAX];
};

struct wire_heartbeat {
    uint64_t life;
    uint64_t shard_steps; /* training steps summed over shards, since start */
    uint64_t bytes_sent;  /* data frames to other workers, since start */
    uint64_t turns;       /* of the event loop: progress */
    uint64_t kept_bytes;  /* held in memory: copies of its own shards */
    uint64_t buddy_bytes; /* and of others' */
};

struct wire_open { /* open the data and say what they are */
    uint64_t job;
    struct job_spec *spec;
};

struct wire_opened {
    uint64_t job;
    uint32_t status;
    char error[ERROR_BYTES_MAX];
    struct data_shape *shape; /* NULL where status is not OK */
};

struct wire_peer {
    uint32_t worker;
    char endpoint[ENDPOINT_BYTES_MAX];
    char vault_endpoint[ENDPOINT_BYTES_MAX];
    struct curvekey key; /* as in its hello: whom to expect there, and from */
    bool curve;
};

/* Host these shards. A session of the same job and an older term is dropped
 * first. The worker answers READY when the data are open, its shards are made
 * or loaded and its links to all peers stand. The buddy of a worker, which gets
 * the second copy of what it keeps, is the one behind it in peers, in a ring.
 */
struct wire_assign {
    uint64_t life;
    uint64_t job;
    uint64_t term;
    uint64_t step;
    uint64_t total_steps;
    struct job_spec *spec;
    struct data_shape *shape;
    struct arch *arch;
    uint32_t peers_count; /* all workers of the placement, this one too */
    struct wire_peer *peers;
    /* worker id by shard, in order of layer, then shard */
    uint32_t owners_count;
    uint32_t *owners;
    /* Where the state comes from: the whole version's records, or none:
     * fresh weights. Each worker takes those of its shards. */
    uint32_t records_count;
    struct shard_record *records;
    /* Or a point kept in memory: the state of
     * every shard at boundary point_interval of point_line, after its edits.
     * A worker takes its own copy where it has one, else the source's. */
    bool from_point;
    uint32_t point_line;
    uint64_t point_interval;
    uint64_t point_term;
    uint32_t holders_count; /* workers with copies, of the placement or not */
    struct wire_peer *holders;
    uint32_t sources_count; /* owners_count, or 0 */
    uint32_t *sources;      /* index into holders, by shard as in owners */
};

/* The sender has a copy of a shard's state in memory. Told when it has been
 * made, by the shard's worker and by its buddy, and for every copy there is to
 * a new life of the coordinator. A boundary that an earlier term had reached
 * may have become another one since: what was granted there had not all been
 * journaled. So a copy has the term in which it was made. */
struct wire_kept {
    uint64_t job;
    uint32_t line;
    uint64_t interval;
    uint32_t layer;
    uint32_t shard;
    uint64_t cost_us; /* that training stood still for it; 0: a buddy's */
    uint64_t term;    /* of the session that made it */
};

struct wire_ready {
    uint64_t job;
    uint64_t term;
    uint32_t status;
    char error[ERROR_BYTES_MAX];
};

struct wire_grant {
    uint64_t job;
    struct grant *grant;
};

struct wire_release {
    uint64_t job;
    uint64_t term;
    uint64_t interval;
};

struct wire_report {
    uint64_t job;
    struct report *report;
};

/* All chunks of a shard's cut are durable in the store. */
struct wire_shard_cut {
    uint64_t job;
    uint64_t term;
    uint64_t version;
    struct shard_record *record;
};

enum fault_kind {
    FAULT_FRAME = 1, /* a gap, a frame from the future, a lost link */
    FAULT_CHUNK,     /* a chunk could not be read or stored */
    FAULT_NO_MEMORY,
    FAULT_INTERNAL
};

struct wire_fault {
    uint64_t job;
    uint64_t term;
    uint32_t kind;
    char text[ERROR_BYTES_MAX];
};

/* Whom a worker may let in, told after its welcome and when it changes. */
struct wire_roster {
    uint32_t count;
    struct curvekey *keys;
};

struct wire_drop { /* forget the job: its session is closed */
    uint64_t job;
    uint64_t term; /* sessions of this and older terms */
    bool forget;   /* and the copies in memory: the job has ended or rests */
};

struct wire {
    enum wire_kind kind;
    union {
        struct wire_hello hello;
        struct wire_welcome welcome;
        struct wire_refuse refuse;
        struct wire_heartbeat heartbeat;
        struct wire_open open;
        struct wire_opened opened;
        struct wire_assign assign;
        struct wire_ready ready;
        struct wire_grant grant;
        struct wire_release release;
        struct wire_report report;
        struct wire_shard_cut shard_cut;
        struct wire_fault fault;
        struct wire_drop drop;
        struct wire_roster roster;
        struct wire_kept kept;
    };
};

/* Encodes into fresh memory (mem_free). NO_MEMORY; INVALID: over
 * CONTROL_BYTES_MAX, or out of the ranges that wire_decode accepts. Texts are
 * made printable; a report with a figure (losses excepted) that is not finite
 * is sent with not_finite set. Specs must have passed job_check. */
enum status wire_encode(const struct wire *message,
                        unsigned char **out,
                        size_t *out_size) MUST_CHECK;

/* Pointers of *out are in the arena. INVALID: malformed or out of range;
 * NO_MEMORY: the arena is too small. */
enum status wire_decode(const void *bytes,
                        size_t size,
                        struct arena *arena,
                        struct wire *out) MUST_CHECK;

const char *wire_kind_name(enum wire_kind kind); /* "hello", ...; for logs */

#endif /* PROTO_WIRE_H */
