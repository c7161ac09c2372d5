/* mirrors.c - the mirrors of a store's jobs. rebuild.c makes stores from them.
 *
 * Order: chunks and operations go into the file and are synced, then the
 * store's transaction is applied, which also moves the mirror's position. One
 * that fails is cut off again. So what was acknowledged is in both, and after
 * a crash between the two the store's position says what of the file counts. */
#include "storage/inside.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/batchcode.h"
#include "storage/mirror.h"
#include "storage/refill.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- Positions --- */

static struct key key_of_position(uint64_t job)
{
    char name[NAME_BYTES_MAX];

    (void)snprintf(name, sizeof(name), "mirror-%" PRIu64, job);
    return key_of_name(name);
}

static enum status get_position(struct store *store,
                                uint64_t job,
                                uint64_t *out)
{
    const struct key key = key_of_position(job);
    unsigned char *bytes = NULL;
    size_t size = 0;
    struct reader reader;
    enum status status = store_copy(store, KV_COUNTERS, &key, &bytes, &size);

    if (status == STATUS_NOT_FOUND) {
        *out = 0;
        return STATUS_OK;
    }
    if (status != STATUS_OK) {
        return status;
    }
    reader_init(&reader, bytes, size);
    *out = read_u64(&reader);
    mem_free(bytes);
    return reader.failed ? STATUS_CORRUPT : STATUS_OK;
}

enum status mirrors_put_position(struct kv_txn *txn,
                                 uint64_t job,
                                 uint64_t position)
{
    const struct key key = key_of_position(job);
    unsigned char bytes[sizeof(uint64_t)];
    struct writer writer;

    writer_init(&writer, bytes, sizeof(bytes));
    write_u64(&writer, position);
    return kv_put(txn, KV_COUNTERS, &key, bytes, sizeof(bytes));
}

enum status mirrors_put_positions(struct kv_txn *txn, struct store *store)
{
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < MIRRORS_MAX && status == STATUS_OK; i++) {
        const struct mirrored *m = &store->mirrors[i];

        if (m->mirror != NULL && m->touched) {
            status =
                mirrors_put_position(txn, m->job, mirror_position(m->mirror));
        }
    }
    return status;
}

/* --- Writing --- */

/* The batch fails by this mirror, and not by the store. */
static void blame(struct store *store, struct mirrored *m, enum status status)
{
    bool full = status == STATUS_FULL;

    if (!full && status != STATUS_IO) {
        return;
    }
    m->failed = !full; /* its file may be another one by now */
    store->fault_job = m->job;
    (void)snprintf(store->fault, sizeof(store->fault),
                   full ? "the disk of the mirror %.*s is full: make room"
                        : "the mirror %.*s cannot be written: %s",
                   ERROR_BYTES_MAX - 64, mirror_path(m->mirror),
                   mirror_error(m->mirror));
}

static enum status put_chunks(struct store *store,
                              struct mirrored *m,
                              const struct operation *operation)
{
    unsigned char *bytes = mem_new(CHUNK_BYTES_MAX);
    enum status status = bytes != NULL ? STATUS_OK : STATUS_NO_MEMORY;

    for (size_t i = 0; i < operation->chunks_count && status == STATUS_OK;
         i++) {
        const struct hash *hash = &operation->chunks[i];
        size_t size = 0;

        if (mirror_has_chunk(m->mirror, hash)) {
            continue;
        }
        status = store_get_chunk(store, hash, bytes, &size);
        if (status == STATUS_OK) {
            status = mirror_put(m->mirror, MIRROR_CHUNK, hash, bytes, size);
            blame(store, m, status);
        }
    }
    mem_free(bytes);
    return status;
}

static enum status put_batch(struct store *store,
                             struct mirrored *m,
                             const struct batch *batch)
{
    const struct batchcode_origin origin = {.life = store->life, .job = m->job};
    unsigned char *bytes = NULL;
    size_t size = 0;
    struct hash hash;
    enum status status = batchcode_encode(batch, &origin, &bytes, &size);

    if (status != STATUS_OK) {
        return status;
    }
    hash_bytes(bytes, size, &hash);
    status = mirror_put(m->mirror, MIRROR_BATCH, &hash, bytes, size);
    mem_free(bytes);
    if (status == STATUS_OK) {
        status = mirror_sync(m->mirror);
    }
    blame(store, m, status);
    return status;
}

static enum status write_one(struct store *store,
                             struct mirrored *m,
                             const struct batch *batch)
{
    enum status status = STATUS_OK;

    m->before = mirror_position(m->mirror);
    m->touched = false;
    for (size_t i = 0; i < batch_count(batch) && status == STATUS_OK; i++) {
        const struct operation *operation = batch_operation(batch, i);

        if (!batchcode_takes(operation, m->job)) {
            continue;
        }
        m->touched = true;
        if (operation->kind == OPERATION_PUT_VERSION) {
            status = put_chunks(store, m, operation);
        }
    }
    if (status == STATUS_OK && m->touched) {
        status = put_batch(store, m, batch);
    }
    return status;
}

/* --- Mirrors by rule --- */

/* The newest record in the batch of the job, or NULL. */
static const struct operation *record_in(const struct batch *batch,
                                         uint64_t job)
{
    for (size_t i = batch_count(batch); i > 0; i--) {
        const struct operation *operation = batch_operation(batch, i - 1);

        if (operation->job == job && operation->kind == OPERATION_PUT_JOB) {
            return operation;
        }
    }
    return NULL;
}

/* NOT_FOUND: the job has no mirror, or no record yet. */
static enum status find_path(struct store *store,
                             const struct batch *batch,
                             uint64_t job,
                             struct store_mirror_place *out)
{
    const struct operation *operation = record_in(batch, job);
    unsigned char *bytes = NULL;
    size_t size = 0;
    enum status status = STATUS_OK;

    if (operation != NULL) {
        return store->mirror_rule(store->mirror_owner, job, operation->bytes,
                                  operation->size, out);
    }
    status = store_get_job(store, job, &bytes, &size);
    if (status == STATUS_OK) {
        status = store->mirror_rule(store->mirror_owner, job, bytes, size, out);
    }
    mem_free(bytes);
    return status;
}

static struct mirrored *find_open(struct store *store, uint64_t job)
{
    for (uint32_t i = 0; i < MIRRORS_MAX; i++) {
        struct mirrored *m = &store->mirrors[i];

        if (m->mirror != NULL && m->job == job) {
            return m;
        }
    }
    return NULL;
}

/* Closes the mirror that was longest without use, where all places are taken;
 * not one of this batch. */
static void make_place(struct store *store)
{
    struct mirrored *oldest = &store->mirrors[0];

    for (uint32_t i = 0; i < MIRRORS_MAX; i++) {
        struct mirrored *m = &store->mirrors[i];

        if (m->mirror == NULL) {
            return;
        }
        if (m->used < oldest->used) {
            oldest = m;
        }
    }
    if (oldest->used < store->batches) {
        store_unmirror(store, oldest->job);
    }
}

static enum status be_open(struct store *store,
                           const struct batch *batch,
                           uint64_t job)
{
    uint64_t *plain = &store->plain_jobs[job % PLAIN_JOBS_MAX];
    struct mirrored *m = find_open(store, job);
    struct store_mirror_place place = {.rests = false};
    enum status status = STATUS_OK;

    if (m == NULL && (store->mirror_rule == NULL || *plain == job)) {
        return STATUS_OK;
    }
    if (m == NULL) {
        status = find_path(store, batch, job, &place);
        if (status == STATUS_NOT_FOUND) {
            *plain = job;
            return STATUS_OK;
        }
        if (status != STATUS_OK) {
            return status;
        }
        make_place(store);
        status = store_mirror(store, job, place.path, store->fault,
                              sizeof(store->fault));
        if (status != STATUS_OK) {
            store->fault_job = job;
            return status;
        }
        m = find_open(store, job);
        m->rests = place.rests;
    }
    m->used = store->batches;
    return STATUS_OK;
}

void store_mirror_by(struct store *store, store_mirror_fn *fn, void *owner)
{
    store->mirror_rule = fn;
    store->mirror_owner = owner;
}

const char *store_mirror_fault(const struct store *store, uint64_t *out_job)
{
    *out_job = store->fault_job;
    return store->fault_job != 0 ? store->fault : NULL;
}

/* A new record says whether more is to come. */
static bool comes_to_rest(struct store *store,
                          const struct mirrored *m,
                          const struct batch *batch)
{
    const struct operation *record = record_in(batch, m->job);
    struct store_mirror_place place = {.rests = m->rests};

    if (record != NULL &&
        store->mirror_rule(store->mirror_owner, m->job, record->bytes,
                           record->size, &place) != STATUS_OK) {
        return m->rests; /* as before; it costs a file that stays open */
    }
    return place.rests;
}

void mirrors_settle(struct store *store, const struct batch *batch)
{
    for (uint32_t i = 0; i < MIRRORS_MAX; i++) {
        struct mirrored *m = &store->mirrors[i];

        if (m->mirror == NULL || m->used != store->batches ||
            store->mirror_rule == NULL) {
            continue;
        }
        m->rests = comes_to_rest(store, m, batch);
        if (m->rests || m->failed) {
            store_unmirror(store, m->job);
        }
    }
}

static enum status open_all(struct store *store, const struct batch *batch)
{
    uint64_t last = 0; /* most are of one job */
    enum status status = STATUS_OK;

    store->batches++;
    store->fault_job = 0;
    for (size_t i = 0; i < batch_count(batch) && status == STATUS_OK; i++) {
        const struct operation *operation = batch_operation(batch, i);

        if (operation->job != last &&
            batchcode_takes(operation, operation->job)) {
            last = operation->job;
            status = be_open(store, batch, last);
        }
    }
    return status;
}

enum status mirrors_write(struct store *store, const struct batch *batch)
{
    enum status status = open_all(store, batch);

    for (uint32_t i = 0; i < MIRRORS_MAX; i++) {
        store->mirrors[i].touched = false; /* whatever the batch before did */
    }
    for (uint32_t i = 0; i < MIRRORS_MAX && status == STATUS_OK; i++) {
        if (store->mirrors[i].mirror != NULL) {
            status = write_one(store, &store->mirrors[i], batch);
        }
    }
    if (status != STATUS_OK) {
        mirrors_take_back(store);
    }
    return status;
}

void mirrors_take_back(struct store *store)
{
    for (uint32_t i = 0; i < MIRRORS_MAX; i++) {
        struct mirrored *m = &store->mirrors[i];

        if (m->mirror != NULL && m->touched &&
            mirror_position(m->mirror) > m->before) {
            mirror_take_back(m->mirror, m->before);
        }
        m->touched = false;
    }
}

/* --- Opening and closing --- */

static struct mirrored *find_place(struct store *store, uint64_t job)
{
    struct mirrored *free_place = NULL;

    for (uint32_t i = 0; i < MIRRORS_MAX; i++) {
        struct mirrored *m = &store->mirrors[i];

        if (m->mirror != NULL && m->job == job) {
            return m;
        }
        if (m->mirror == NULL && free_place == NULL) {
            free_place = m;
        }
    }
    return free_place;
}

/* One whose mirror is written anew. */
struct renewal {
    uint64_t job;
    uint64_t position;
};

static enum status put_renewal(struct kv_txn *txn, void *owner)
{
    const struct renewal *renewal = owner;

    return mirrors_put_position(txn, renewal->job, renewal->position);
}

/* Under another name until it is whole and the store knows its end: a crash
 * before the last step leaves no mirror, and it is begun anew once more. */
static enum status write_anew(struct store *store,
                              uint64_t job,
                              struct mirror *mirror,
                              const char *path)
{
    struct renewal renewal = {.job = job};
    enum status status = refill_write(store, job, mirror);

    renewal.position = mirror_position(mirror);
    if (status == STATUS_OK) {
        status = kv_update(store->kv, put_renewal, &renewal);
    }
    return status == STATUS_OK ? mirror_rename(mirror, path) : status;
}

/* The mirror is lost: all of the job goes into a new one. */
static enum status begin_anew(struct store *store,
                              uint64_t job,
                              const struct mirror_options *options,
                              struct mirror **out)
{
    char aside[PATH_BYTES_MAX];
    struct mirror_options new_options = *options;
    struct mirror *mirror = NULL;
    int size = snprintf(aside, sizeof(aside), "%s.new", options->path);
    enum status status = STATUS_INVALID;

    new_options.path = aside;
    new_options.position = 0;
    if (size > 0 && (size_t)size < sizeof(aside)) {
        (void)unlink(aside); /* what a crash has left */
        status = mirror_open(&new_options, &mirror);
    }
    if (status == STATUS_OK) {
        status = write_anew(store, job, mirror, options->path);
    }
    if (status == STATUS_OK) {
        log_line(LOG_WARN, "storage", "mirror_begun_anew",
                 "job=j%" PRIu64 " path=\"%s\" bytes=%" PRIu64, job,
                 options->path, mirror_position(mirror));
        *out = mirror;
        return STATUS_OK;
    }
    mirror_close(mirror);
    (void)unlink(aside);
    (void)snprintf(options->why, options->why_size,
                   "the mirror %.*s is gone and cannot be written anew: %s",
                   ERROR_BYTES_MAX - 128, options->path, status_text(status));
    return status;
}

enum status store_mirror(struct store *store,
                         uint64_t job,
                         const char *path,
                         char *why,
                         size_t why_size)
{
    struct mirrored *m = find_place(store, job);
    struct mirror_options options = {
        .path = path, .why = why, .why_size = why_size};
    enum status status = STATUS_BUSY;

    CHECK(why_size > 0);
    why[0] = '\0';
    if (m == NULL) {
        (void)snprintf(why, why_size, "%d jobs are mirrored already",
                       (int)MIRRORS_MAX);
        return status;
    }
    if (m->mirror != NULL) {
        return STATUS_OK;
    }
    status = get_position(store, job, &options.position);
    if (status == STATUS_OK) {
        status = options.position > 0 && mirror_is_gone(path)
                     ? begin_anew(store, job, &options, &m->mirror)
                     : mirror_open(&options, &m->mirror);
    }
    if (status != STATUS_OK) {
        log_line(LOG_ERROR, "storage", "mirror_refused",
                 "job=j%" PRIu64 " why=\"%s\"", job, why);
        return status;
    }
    m->job = job;
    m->used = store->batches;
    m->touched = false;
    m->rests = false;
    m->failed = false;
    return STATUS_OK;
}

void store_unmirror(struct store *store, uint64_t job)
{
    struct mirrored *m = find_place(store, job);

    if (m != NULL && m->mirror != NULL) {
        mirror_close(m->mirror);
        m->mirror = NULL;
    }
}

void mirrors_close(struct store *store)
{
    for (uint32_t i = 0; i < MIRRORS_MAX; i++) {
        mirror_close(store->mirrors[i].mirror);
        store->mirrors[i].mirror = NULL;
    }
}
