#include "proto/wirecode.h"

#include "proto/modelcode.h"
#include "proto/cajal/v1/wire.pb-c.h"

/* A field of text is an array in the struct: its size is known here. */
#define PUT_TEXT(region, from) codec_put_text((region), (from), sizeof(from))

/* A key that is not given takes no bytes. */
static ProtobufCBinaryData put_key(const struct curvekey *from)
{
    /* Packing only reads, but protobuf-c's type does not say so. */
    unsigned char *bytes = (unsigned char *)(uintptr_t)from->b;

    return (ProtobufCBinaryData){
        .len = curvekey_given(from) ? CURVEKEY_BYTES : 0, .data = bytes};
}

static Cajal__V1__Hello *put_hello(const struct wire_hello *from,
                                   struct region *region)
{
    Cajal__V1__Hello *to = region_new(region, sizeof(*to));

    if (to == NULL) {
        return NULL;
    }
    cajal__v1__hello__init(to);
    to->incarnation = from->incarnation;
    to->protocol = from->protocol;
    to->fingerprint = modelcode_put_hash(&from->fingerprint);
    to->threads = from->threads;
    to->pid = from->pid;
    to->key = put_key(&from->key);
    to->curve = from->curve;
    to->name = PUT_TEXT(region, from->name);
    to->build = PUT_TEXT(region, from->build);
    to->kernels = PUT_TEXT(region, from->kernels);
    to->host = PUT_TEXT(region, from->host);
    to->endpoint = PUT_TEXT(region, from->endpoint);
    to->vault_endpoint = PUT_TEXT(region, from->vault_endpoint);
    return to->name != NULL && to->build != NULL && to->kernels != NULL &&
                   to->host != NULL && to->endpoint != NULL &&
                   to->vault_endpoint != NULL
               ? to
               : NULL;
}

static Cajal__V1__Welcome *put_welcome(const struct wire_welcome *from,
                                       struct region *region)
{
    Cajal__V1__Welcome *to = region_new(region, sizeof(*to));

    if (to == NULL) {
        return NULL;
    }
    cajal__v1__welcome__init(to);
    to->life = from->life;
    to->worker = from->worker;
    to->heartbeat_ms = from->heartbeat_ms;
    to->timeout_ms = from->timeout_ms;
    to->chunk_endpoint = PUT_TEXT(region, from->chunk_endpoint);
    return to->chunk_endpoint != NULL ? to : NULL;
}

static Cajal__V1__Refuse *put_refuse(const struct wire_refuse *from,
                                     struct region *region)
{
    Cajal__V1__Refuse *to = region_new(region, sizeof(*to));

    if (to == NULL) {
        return NULL;
    }
    cajal__v1__refuse__init(to);
    to->status = from->status;
    to->text = PUT_TEXT(region, from->text);
    return to->text != NULL ? to : NULL;
}

static Cajal__V1__Heartbeat *put_heartbeat(const struct wire_heartbeat *from,
                                           struct region *region)
{
    Cajal__V1__Heartbeat *to = region_new(region, sizeof(*to));

    if (to != NULL) {
        cajal__v1__heartbeat__init(to);
        to->life = from->life;
        to->shard_steps = from->shard_steps;
        to->bytes_sent = from->bytes_sent;
        to->turns = from->turns;
        to->kept_bytes = from->kept_bytes;
        to->buddy_bytes = from->buddy_bytes;
    }
    return to;
}

static Cajal__V1__Opened *put_opened(const struct wire_opened *from,
                                     struct region *region)
{
    Cajal__V1__Opened *to = region_new(region, sizeof(*to));

    if (to == NULL) {
        return NULL;
    }
    cajal__v1__opened__init(to);
    to->job = from->job;
    to->status = from->status;
    to->error = PUT_TEXT(region, from->error);
    if (from->shape != NULL) {
        to->shape = wirecode_put_shape(from->shape, region);
        if (to->shape == NULL) {
            return NULL;
        }
    }
    return to->error != NULL ? to : NULL;
}

static Cajal__V1__Ready *put_ready(const struct wire_ready *from,
                                   struct region *region)
{
    Cajal__V1__Ready *to = region_new(region, sizeof(*to));

    if (to == NULL) {
        return NULL;
    }
    cajal__v1__ready__init(to);
    to->job = from->job;
    to->term = from->term;
    to->status = from->status;
    to->error = PUT_TEXT(region, from->error);
    return to->error != NULL ? to : NULL;
}

static Cajal__V1__ShardReport *put_report(const struct wire_report *from,
                                          struct region *region)
{
    Cajal__V1__ShardReport *to = region_new(region, sizeof(*to));

    if (to == NULL) {
        return NULL;
    }
    cajal__v1__shard_report__init(to);
    to->job = from->job;
    to->report = wirecode_put_report(from->report, region);
    return to->report != NULL ? to : NULL;
}

static Cajal__V1__ShardCut *put_shard_cut(const struct wire_shard_cut *from,
                                          struct region *region)
{
    Cajal__V1__ShardCut *to = region_new(region, sizeof(*to));

    if (to == NULL) {
        return NULL;
    }
    cajal__v1__shard_cut__init(to);
    to->job = from->job;
    to->term = from->term;
    to->version = from->version;
    to->record = modelcode_put_record(from->record, region);
    return to->record != NULL ? to : NULL;
}

static Cajal__V1__Fault *put_fault(const struct wire_fault *from,
                                   struct region *region)
{
    Cajal__V1__Fault *to = region_new(region, sizeof(*to));

    if (to == NULL) {
        return NULL;
    }
    cajal__v1__fault__init(to);
    to->job = from->job;
    to->term = from->term;
    to->kind = from->kind;
    to->text = PUT_TEXT(region, from->text);
    return to->text != NULL ? to : NULL;
}

static Cajal__V1__Open *put_open(const struct wire_open *from,
                                 struct region *region)
{
    Cajal__V1__Open *to = region_new(region, sizeof(*to));

    if (to == NULL) {
        return NULL;
    }
    cajal__v1__open__init(to);
    to->job = from->job;
    return modelcode_put_spec(from->spec, region, &to->spec) ? to : NULL;
}

static Cajal__V1__Peer *put_peer(const struct wire_peer *from,
                                 struct region *region)
{
    Cajal__V1__Peer *to = region_new(region, sizeof(*to));

    if (to == NULL) {
        return NULL;
    }
    cajal__v1__peer__init(to);
    to->worker = from->worker;
    to->key = put_key(&from->key);
    to->curve = from->curve;
    to->endpoint = PUT_TEXT(region, from->endpoint);
    to->vault_endpoint = PUT_TEXT(region, from->vault_endpoint);
    return to->endpoint != NULL && to->vault_endpoint != NULL ? to : NULL;
}

static Cajal__V1__Peer **put_peers(const struct wire_peer *from,
                                   uint32_t count,
                                   struct region *region)
{
    Cajal__V1__Peer **to =
        region_array(region, count, sizeof(Cajal__V1__Peer *));

    for (uint32_t i = 0; to != NULL && i < count; i++) {
        to[i] = put_peer(&from[i], region);
        if (to[i] == NULL) {
            return NULL;
        }
    }
    return to;
}

static uint32_t *put_by_shard(const uint32_t *from,
                              uint32_t count,
                              struct region *region)
{
    uint32_t *to = region_array(region, count, sizeof(*to));

    for (uint32_t i = 0; to != NULL && i < count; i++) {
        to[i] = from[i];
    }
    return to;
}

/* Workers, and who of them hosts what, and has copies of what. */
static bool put_placement(const struct wire_assign *from,
                          struct region *region,
                          Cajal__V1__Assign *to)
{
    to->n_peers = from->peers_count;
    to->peers = put_peers(from->peers, from->peers_count, region);
    to->n_owners = from->owners_count;
    to->owners = put_by_shard(from->owners, from->owners_count, region);
    to->from_point = from->from_point;
    to->point_line = from->point_line;
    to->point_interval = from->point_interval;
    to->point_term = from->point_term;
    to->n_holders = from->holders_count;
    to->holders = put_peers(from->holders, from->holders_count, region);
    to->n_sources = from->sources_count;
    to->sources = put_by_shard(from->sources, from->sources_count, region);
    return to->peers != NULL && to->owners != NULL && to->holders != NULL &&
           to->sources != NULL;
}

static Cajal__V1__Assign *put_assign(const struct wire_assign *from,
                                     struct region *region)
{
    Cajal__V1__Assign *to = region_new(region, sizeof(*to));

    if (to == NULL) {
        return NULL;
    }
    cajal__v1__assign__init(to);
    to->life = from->life;
    to->job = from->job;
    to->term = from->term;
    to->step = from->step;
    to->total_steps = from->total_steps;
    to->shape = wirecode_put_shape(from->shape, region);
    to->arch = modelcode_put_arch(from->arch, region);
    to->n_records = from->records_count;
    to->records =
        modelcode_put_records(from->records, from->records_count, region);
    return to->shape != NULL && to->arch != NULL && to->records != NULL &&
                   put_placement(from, region, to) &&
                   modelcode_put_spec(from->spec, region, &to->spec)
               ? to
               : NULL;
}

static Cajal__V1__Granted *put_grant(const struct wire_grant *from,
                                     struct region *region)
{
    Cajal__V1__Granted *to = region_new(region, sizeof(*to));

    if (to == NULL) {
        return NULL;
    }
    cajal__v1__granted__init(to);
    to->job = from->job;
    to->grant = modelcode_put_grant(from->grant, region);
    return to->grant != NULL ? to : NULL;
}

static Cajal__V1__Release *put_release(const struct wire_release *from,
                                       struct region *region)
{
    Cajal__V1__Release *to = region_new(region, sizeof(*to));

    if (to != NULL) {
        cajal__v1__release__init(to);
        to->job = from->job;
        to->term = from->term;
        to->interval = from->interval;
    }
    return to;
}

static Cajal__V1__Drop *put_drop(const struct wire_drop *from,
                                 struct region *region)
{
    Cajal__V1__Drop *to = region_new(region, sizeof(*to));

    if (to != NULL) {
        cajal__v1__drop__init(to);
        to->job = from->job;
        to->term = from->term;
        to->forget = from->forget;
    }
    return to;
}

static Cajal__V1__Kept *put_kept(const struct wire_kept *from,
                                 struct region *region)
{
    Cajal__V1__Kept *to = region_new(region, sizeof(*to));

    if (to != NULL) {
        cajal__v1__kept__init(to);
        to->job = from->job;
        to->line = from->line;
        to->interval = from->interval;
        to->layer = from->layer;
        to->shard = from->shard;
        to->cost_us = from->cost_us;
        to->term = from->term;
    }
    return to;
}

static Cajal__V1__Leave *put_leave(struct region *region)
{
    Cajal__V1__Leave *to = region_new(region, sizeof(*to));

    if (to != NULL) {
        cajal__v1__leave__init(to);
    }
    return to;
}

static Cajal__V1__Roster *put_roster(const struct wire_roster *from,
                                     struct region *region)
{
    Cajal__V1__Roster *to = region_new(region, sizeof(*to));

    if (to == NULL) {
        return NULL;
    }
    cajal__v1__roster__init(to);
    to->n_keys = from->count;
    to->keys = region_array(region, from->count, sizeof(*to->keys));
    for (uint32_t i = 0; to->keys != NULL && i < from->count; i++) {
        to->keys[i] = put_key(&from->keys[i]);
    }
    return to->keys != NULL ? to : NULL;
}

static Cajal__V1__Goodbye *put_goodbye(struct region *region)
{
    Cajal__V1__Goodbye *to = region_new(region, sizeof(*to));

    if (to != NULL) {
        cajal__v1__goodbye__init(to);
    }
    return to;
}

static Cajal__V1__Quit *put_quit(struct region *region)
{
    Cajal__V1__Quit *to = region_new(region, sizeof(*to));

    if (to != NULL) {
        cajal__v1__quit__init(to);
    }
    return to;
}

static enum status built(const struct region *region, const void *message)
{
    return message != NULL ? STATUS_OK : region_status(region);
}

static enum status put_from_worker(const struct wire *from,
                                   struct region *region,
                                   struct Cajal__V1__Envelope *to)
{
    switch ((int)from->kind) {
    case WIRE_HELLO:
        to->hello = put_hello(&from->hello, region);
        return built(region, to->hello);
    case WIRE_HEARTBEAT:
        to->heartbeat = put_heartbeat(&from->heartbeat, region);
        return built(region, to->heartbeat);
    case WIRE_OPENED:
        to->opened = put_opened(&from->opened, region);
        return built(region, to->opened);
    case WIRE_READY:
        to->ready = put_ready(&from->ready, region);
        return built(region, to->ready);
    case WIRE_REPORT:
        to->report = put_report(&from->report, region);
        return built(region, to->report);
    case WIRE_SHARD_CUT:
        to->shard_cut = put_shard_cut(&from->shard_cut, region);
        return built(region, to->shard_cut);
    case WIRE_FAULT:
        to->fault = put_fault(&from->fault, region);
        return built(region, to->fault);
    case WIRE_GOODBYE:
        to->goodbye = put_goodbye(region);
        return built(region, to->goodbye);
    case WIRE_KEPT:
        to->kept = put_kept(&from->kept, region);
        return built(region, to->kept);
    case WIRE_LEAVE:
        to->leave = put_leave(region);
        return built(region, to->leave);
    default:
        return STATUS_INVALID;
    }
}

static enum status put_from_coordinator(const struct wire *from,
                                        struct region *region,
                                        struct Cajal__V1__Envelope *to)
{
    switch ((int)from->kind) {
    case WIRE_WELCOME:
        to->welcome = put_welcome(&from->welcome, region);
        return built(region, to->welcome);
    case WIRE_REFUSE:
        to->refuse = put_refuse(&from->refuse, region);
        return built(region, to->refuse);
    case WIRE_OPEN:
        to->open = put_open(&from->open, region);
        return built(region, to->open);
    case WIRE_ASSIGN:
        to->assign = put_assign(&from->assign, region);
        return built(region, to->assign);
    case WIRE_GRANT:
        to->grant = put_grant(&from->grant, region);
        return built(region, to->grant);
    case WIRE_RELEASE:
        to->release = put_release(&from->release, region);
        return built(region, to->release);
    case WIRE_DROP:
        to->drop = put_drop(&from->drop, region);
        return built(region, to->drop);
    case WIRE_ROSTER:
        to->roster = put_roster(&from->roster, region);
        return built(region, to->roster);
    case WIRE_QUIT:
        to->quit = put_quit(region);
        return built(region, to->quit);
    default:
        return STATUS_INVALID;
    }
}

enum status wirecode_put(const struct wire *from,
                         struct region *region,
                         struct Cajal__V1__Envelope *to)
{
    to->body_case = (Cajal__V1__Envelope__BodyCase)from->kind;
    return from->kind < WIRE_WELCOME ? put_from_worker(from, region, to)
                                     : put_from_coordinator(from, region, to);
}
