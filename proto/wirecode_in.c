#include "proto/wirecode.h"

#include "proto/modelcode.h"
#include "proto/cajal/v1/wire.pb-c.h"

/* A field of text is an array in the struct: its size is known here. */
#define GET_TEXT(from, to) codec_get_text((from), (to), sizeof(to))

static enum status valid(bool good)
{
    return good ? STATUS_OK : STATUS_INVALID;
}

static enum status get_hello(const Cajal__V1__Hello *from,
                             struct wire_hello *to)
{
    to->incarnation = from->incarnation;
    to->protocol = from->protocol;
    to->threads = from->threads;
    to->pid = from->pid;
    return valid(GET_TEXT(from->name, to->name) &&
                 GET_TEXT(from->build, to->build) &&
                 GET_TEXT(from->kernels, to->kernels) &&
                 GET_TEXT(from->host, to->host) &&
                 GET_TEXT(from->endpoint, to->endpoint) &&
                 modelcode_get_hash(&from->fingerprint, &to->fingerprint));
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

static enum status get_peers(const Cajal__V1__Assign *from,
                             struct arena *arena,
                             struct wire_assign *to)
{
    if (from->n_peers < 1 || from->n_peers > WORKERS_MAX) {
        return STATUS_INVALID;
    }
    to->peers_count = (uint32_t)from->n_peers;
    to->peers = codec_new(arena, from->n_peers * sizeof(*to->peers));
    if (to->peers == NULL) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < to->peers_count; i++) {
        to->peers[i].worker = from->peers[i]->worker;
        if (!GET_TEXT(from->peers[i]->endpoint, to->peers[i].endpoint)) {
            return STATUS_INVALID;
        }
    }
    return STATUS_OK;
}

static enum status get_owners(const Cajal__V1__Assign *from,
                              struct arena *arena,
                              struct wire_assign *to)
{
    if (from->n_owners < 1 || from->n_owners > MODELCODE_RECORDS_MAX) {
        return STATUS_INVALID;
    }
    to->owners_count = (uint32_t)from->n_owners;
    to->owners = codec_new(arena, from->n_owners * sizeof(*to->owners));
    if (to->owners == NULL) {
        return STATUS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < to->owners_count; i++) {
        to->owners[i] = from->owners[i];
    }
    return STATUS_OK;
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
        status = get_peers(from, arena, to);
    }
    if (status == STATUS_OK) {
        status = get_owners(from, arena, to);
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
    case WIRE_GOODBYE:
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
    }
    return STATUS_INVALID;
}
