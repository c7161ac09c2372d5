#include "proto/wirecode.h"

#include "proto/modelcode.h"
#include "proto/cajal/v1/wire.pb-c.h"

#include <string.h>

/* A field of text is an array in the struct: its size is known here. */
#define GET_TEXT(from, to) codec_get_text((from), (to), sizeof(to))

static enum status valid(bool good)
{
    return good ? STATUS_OK : STATUS_INVALID;
}

/* None, or a whole one. */
static bool get_key(const ProtobufCBinaryData *from, struct curvekey *to)
{
    if (from->len == 0) {
        *to = (struct curvekey){.b = {0}};
        return true;
    }
    if (from->len != CURVEKEY_BYTES) {
        return false;
    }
    memcpy(to->b, from->data, CURVEKEY_BYTES);
    return curvekey_given(to);
}

static enum status get_hello(const Cajal__V1__Hello *from,
                             struct wire_hello *to)
{
    to->incarnation = from->incarnation;
    to->protocol = from->protocol;
    to->threads = from->threads;
    to->pid = from->pid;
    to->curve = from->curve != 0;
    return valid(GET_TEXT(from->name, to->name) &&
                 GET_TEXT(from->build, to->build) &&
                 GET_TEXT(from->kernels, to->kernels) &&
                 GET_TEXT(from->host, to->host) &&
                 GET_TEXT(from->endpoint, to->endpoint) &&
                 get_key(&from->key, &to->key) &&
                 GET_TEXT(from->vault_endpoint, to->vault_endpoint) &&
                 modelcode_get_hash(&from->fingerprint, &to->fingerprint));
}

static enum status get_kept(const Cajal__V1__Kept *from, struct wire_kept *to)
{
    to->job = from->job;
    to->line = from->line;
    to->interval = from->interval;
    to->layer = from->layer;
    to->shard = from->shard;
    to->cost_us = from->cost_us;
    to->term = from->term;
    return STATUS_OK;
}

static enum status get_welcome(const Cajal__V1__Welcome *from,
                               struct wire_welcome *to)
{
    to->life = from->life;
    to->worker = from->worker;
    to->heartbeat_ms = from->heartbeat_ms;
    to->timeout_ms = from->timeout_ms;
    return valid(GET_TEXT(from->chunk_endpoint, to->chunk_endpoint));
}

static enum status get_refuse(const Cajal__V1__Refuse *from,
                              struct wire_refuse *to)
{
    to->status = from->status;
    return valid(GET_TEXT(from->text, to->text));
}

static enum status get_heartbeat(const Cajal__V1__Heartbeat *from,
                                 struct wire_heartbeat *to)
{
    to->life = from->life;
    to->shard_steps = from->shard_steps;
    to->bytes_sent = from->bytes_sent;
    to->turns = from->turns;
    to->kept_bytes = from->kept_bytes;
    to->buddy_bytes = from->buddy_bytes;
    return STATUS_OK;
}

static enum status get_open(const Cajal__V1__Open *from,
                            struct arena *arena,
                            struct wire_open *to)
{
    to->job = from->job;
    return modelcode_get_spec(&from->spec, arena, &to->spec);
}

static enum status get_opened(const Cajal__V1__Opened *from,
                              struct arena *arena,
                              struct wire_opened *to)
{
    to->job = from->job;
    to->status = from->status;
    if (!GET_TEXT(from->error, to->error)) {
        return STATUS_INVALID;
    }
    if (from->shape == NULL) {
        return STATUS_OK;
    }
    return wirecode_get_shape(from->shape, arena, &to->shape);
}

/* At least one. */
static enum status get_peers(Cajal__V1__Peer *const *from,
                             size_t count,
                             struct arena *arena,
                             struct wire_peer **out)
{
    struct wire_peer *peers = NULL;

    if (count < 1 || count > WORKERS_MAX) {
        return STATUS_INVALID;
    }
    peers = codec_new(arena, count * sizeof(*peers));
    if (peers == NULL) {
        return STATUS_NO_MEMORY;
    }
    *out = peers;
    for (size_t i = 0; i < count; i++) {
        peers[i].worker = from[i]->worker;
        peers[i].curve = from[i]->curve != 0;
        if (!GET_TEXT(from[i]->endpoint, peers[i].endpoint) ||
            !get_key(&from[i]->key, &peers[i].key) ||
            !GET_TEXT(from[i]->vault_endpoint, peers[i].vault_endpoint)) {
            return STATUS_INVALID;
        }
    }
    return STATUS_OK;
}

/* One number a shard. */
static enum status get_by_shard(const uint32_t *from,
                                size_t count,
                                struct arena *arena,
                                uint32_t **out)
{
    uint32_t *numbers = NULL;

    if (count < 1 || count > MODELCODE_RECORDS_MAX) {
        return STATUS_INVALID;
    }
    numbers = codec_new(arena, count * sizeof(*numbers));
    if (numbers == NULL) {
        return STATUS_NO_MEMORY;
    }
    *out = numbers;
    for (size_t i = 0; i < count; i++) {
        numbers[i] = from[i];
    }
    return STATUS_OK;
}

static enum status get_placement(const Cajal__V1__Assign *from,
                                 struct arena *arena,
                                 struct wire_assign *to)
{
    enum status status =
        get_peers(from->peers, from->n_peers, arena, &to->peers);

    if (status == STATUS_OK) {
        to->peers_count = (uint32_t)from->n_peers;
        status = get_by_shard(from->owners, from->n_owners, arena, &to->owners);
    }
    if (status == STATUS_OK) {
        to->owners_count = (uint32_t)from->n_owners;
    }
    return status;
}

/* Without a point, nobody holds anything of it. */
static enum status get_point(const Cajal__V1__Assign *from,
                             struct arena *arena,
                             struct wire_assign *to)
{
    enum status status = STATUS_OK;

    to->from_point = from->from_point != 0;
    to->point_line = from->point_line;
    to->point_interval = from->point_interval;
    to->point_term = from->point_term;
    if (!to->from_point) {
        return valid(from->n_holders == 0 && from->n_sources == 0);
    }
    status = get_peers(from->holders, from->n_holders, arena, &to->holders);
    if (status == STATUS_OK) {
        to->holders_count = (uint32_t)from->n_holders;
        status =
            get_by_shard(from->sources, from->n_sources, arena, &to->sources);
    }
    if (status == STATUS_OK) {
        to->sources_count = (uint32_t)from->n_sources;
    }
    return status;
}

static enum status get_assign(const Cajal__V1__Assign *from,
                              struct arena *arena,
                              struct wire_assign *to)
{
    enum status status = modelcode_get_spec(&from->spec, arena, &to->spec);

    to->life = from->life;
    to->job = from->job;
    to->term = from->term;
    to->step = from->step;
    to->total_steps = from->total_steps;
    if (status == STATUS_OK) {
        status = wirecode_get_shape(from->shape, arena, &to->shape);
    }
    if (status == STATUS_OK) {
        status = modelcode_get_arch(from->arch, arena, &to->arch);
    }
    if (status == STATUS_OK) {
        status = get_placement(from, arena, to);
    }
    if (status == STATUS_OK) {
        status = get_point(from, arena, to);
    }
    if (status == STATUS_OK) {
        status = modelcode_get_records(from->records, from->n_records, arena,
                                       &to->records);
    }
    if (status == STATUS_OK) {
        to->records_count = (uint32_t)from->n_records;
    }
    return status;
}

static enum status get_ready(const Cajal__V1__Ready *from,
                             struct wire_ready *to)
{
    to->job = from->job;
    to->term = from->term;
    to->status = from->status;
    return valid(GET_TEXT(from->error, to->error));
}

static enum status get_grant(const Cajal__V1__Granted *from,
                             struct arena *arena,
                             struct wire_grant *to)
{
    to->job = from->job;
    return modelcode_get_grant(from->grant, arena, &to->grant);
}

static enum status get_release(const Cajal__V1__Release *from,
                               struct wire_release *to)
{
    to->job = from->job;
    to->term = from->term;
    to->interval = from->interval;
    return STATUS_OK;
}

static enum status get_report(const Cajal__V1__ShardReport *from,
                              struct arena *arena,
                              struct wire_report *to)
{
    to->job = from->job;
    return wirecode_get_report(from->report, arena, &to->report);
}

static enum status get_shard_cut(const Cajal__V1__ShardCut *from,
                                 struct arena *arena,
                                 struct wire_shard_cut *to)
{
    to->job = from->job;
    to->term = from->term;
    to->version = from->version;
    to->record = codec_new(arena, sizeof(*to->record));
    if (to->record == NULL) {
        return STATUS_NO_MEMORY;
    }
    return modelcode_get_record(from->record, arena, to->record);
}

static enum status get_fault(const Cajal__V1__Fault *from,
                             struct wire_fault *to)
{
    to->job = from->job;
    to->term = from->term;
    to->kind = from->kind;
    return valid(GET_TEXT(from->text, to->text));
}

static enum status get_drop(const Cajal__V1__Drop *from, struct wire_drop *to)
{
    to->job = from->job;
    to->term = from->term;
    to->forget = from->forget != 0;
    return STATUS_OK;
}

static enum status get_roster(const Cajal__V1__Roster *from,
                              struct arena *arena,
                              struct wire_roster *to)
{
    if (from->n_keys > WIRE_ROSTER_MAX) {
        return STATUS_INVALID;
    }
    to->keys = codec_new(arena, (from->n_keys + 1) * sizeof(*to->keys));
    if (to->keys == NULL) {
        return STATUS_NO_MEMORY;
    }
    to->count = (uint32_t)from->n_keys;
    for (size_t i = 0; i < from->n_keys; i++) {
        if (!get_key(&from->keys[i], &to->keys[i]) ||
            !curvekey_given(&to->keys[i])) {
            return STATUS_INVALID;
        }
    }
    return STATUS_OK;
}

/* The oneof's case is the number of the field that is set; its message is
 * there then. */
enum status wirecode_get(const struct Cajal__V1__Envelope *from,
                         struct arena *arena,
                         struct wire *out)
{
    out->kind = (enum wire_kind)from->body_case;
    switch (out->kind) {
    case WIRE_HELLO:
        return get_hello(from->hello, &out->hello);
    case WIRE_HEARTBEAT:
        return get_heartbeat(from->heartbeat, &out->heartbeat);
    case WIRE_OPENED:
        return get_opened(from->opened, arena, &out->opened);
    case WIRE_READY:
        return get_ready(from->ready, &out->ready);
    case WIRE_REPORT:
        return get_report(from->report, arena, &out->report);
    case WIRE_SHARD_CUT:
        return get_shard_cut(from->shard_cut, arena, &out->shard_cut);
    case WIRE_FAULT:
        return get_fault(from->fault, &out->fault);
    case WIRE_KEPT:
        return get_kept(from->kept, &out->kept);
    case WIRE_GOODBYE:
    case WIRE_LEAVE:
    case WIRE_QUIT:
        return STATUS_OK;
    case WIRE_WELCOME:
        return get_welcome(from->welcome, &out->welcome);
    case WIRE_REFUSE:
        return get_refuse(from->refuse, &out->refuse);
    case WIRE_OPEN:
        return get_open(from->open, arena, &out->open);
    case WIRE_ASSIGN:
        return get_assign(from->assign, arena, &out->assign);
    case WIRE_GRANT:
        return get_grant(from->grant, arena, &out->grant);
    case WIRE_RELEASE:
        return get_release(from->release, &out->release);
    case WIRE_DROP:
        return get_drop(from->drop, &out->drop);
    case WIRE_ROSTER:
        return get_roster(from->roster, arena, &out->roster);
    }
    return STATUS_INVALID;
}
