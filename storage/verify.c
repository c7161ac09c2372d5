/* verify.c - reads everything and says what is wrong.
 *
 * A walk goes through one database in slices, each in its own transaction: a
 * large store is read for minutes, and a reader that stayed would keep every
 * page that is freed meanwhile and hold up the growth of the map. What belongs
 * together (a manifest and its chunks, a ref and its version) is compared
 * inside one transaction; what is committed during the walk is checked if it
 * comes after the walk's place. */
#include "storage/inside.h"

#include "base/check.h"
#include "base/mem.h"
#include "proto/version.h"
#include "storage/tails.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SLICE_BYTES = 16 << 20, SLICE_RECORDS = 1024, SENTENCE_BYTES_MAX = 512 };

struct walk;
typedef void walk_check_fn(struct walk *walk, const struct kv_item *item);

struct walk {
    struct store *store;
    store_fault_fn *fn;
    void *owner;
    struct store_verdict verdict;

    enum kv_db db;
    walk_check_fn *check;
    struct kv_txn *txn; /* of the slice */
    struct key last;    /* checked; size 0: none yet */
    size_t slice_bytes;
    size_t slice_records;
    enum status status; /* a failure that is no fault of the store */
};

static void fault(struct walk *walk, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void fault(struct walk *walk, const char *format, ...)
{
    char sentence[SENTENCE_BYTES_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(sentence, sizeof(sentence), format, args);
    va_end(args);
    walk->verdict.faults++;
    walk->fn(walk->owner, sentence);
}

/* --- The checks, one for each kind of record --- */

/* The hash of both parts, one after the other. */
static enum status hash_parts(const struct chunk_parts *parts, struct hash *out)
{
    unsigned char *bytes = NULL;

    if (parts->tail.size == 0) {
        hash_bytes(parts->head.bytes, parts->head.size, out);
        return STATUS_OK;
    }
    bytes = mem_new(parts->size);
    if (bytes == NULL) {
        return STATUS_NO_MEMORY;
    }
    memcpy(bytes, parts->head.bytes, parts->head.size);
    memcpy(bytes + parts->head.size, parts->tail.bytes, parts->tail.size);
    hash_bytes(bytes, parts->size, out);
    mem_free(bytes);
    return STATUS_OK;
}

static void check_chunk(struct walk *walk, const struct kv_item *item)
{
    struct hash wanted;
    struct hash found;
    struct chunk_parts parts;
    char hex[17];
    enum status status =
        tails_follow(walk->txn, &item->key, &item->value, &parts);

    if (status == STATUS_OK) {
        status = hash_parts(&parts, &found);
    }
    if (status != STATUS_OK) {
        walk->status = status;
        return;
    }
    walk->verdict.chunks++;
    walk->verdict.bytes += parts.size;
    if (item->key.size != HASH_BYTES) {
        fault(walk, "a chunk has a key that is no hash");
        return;
    }
    memcpy(wanted.b, item->key.b, HASH_BYTES);
    if (!hash_equal(&wanted, &found)) {
        hash_hex(&wanted, 8, hex);
        fault(walk, "chunk %s: its bytes do not match its hash", hex);
    }
}

static bool is_there(struct walk *walk, enum kv_db db, const struct key *key)
{
    struct kv_value value;
    enum status status = kv_get(walk->txn, db, key, &value);

    if (status != STATUS_OK && status != STATUS_NOT_FOUND &&
        status != STATUS_CORRUPT) {
        walk->status = status;
    }
    return status != STATUS_NOT_FOUND;
}

/* Where a chunk that is named belongs, for the sentences. */
struct chunk_place {
    const struct version *version;
    const struct shard_record *shard;
    const struct tensor_record *tensor;
    uint32_t index;
};

static void chunk_fault(struct walk *walk,
                        const struct chunk_place *place,
                        const char *what)
{
    char hex[17];

    hash_hex(&place->tensor->chunks[place->index], 8, hex);
    fault(walk,
          "version v%" PRIu64 " of j%" PRIu64 ": chunk %s %s (layer %" PRIu32
          ", shard %" PRIu32 ", tensor %.24s)",
          place->version->number, place->version->job, hex, what,
          place->shard->layer, place->shard->shard, place->tensor->name);
}

/* All chunks of a tensor are full but the last, which has the rest. */
static uint64_t wanted_size(const struct tensor_record *tensor, uint32_t index)
{
    uint64_t bytes =
        (uint64_t)tensor->rows * tensor->columns * tensor->element_bytes;
    uint64_t before = (uint64_t)index * CHUNK_BYTES_MAX;

    if (bytes - before < CHUNK_BYTES_MAX) {
        return bytes - before;
    }
    return CHUNK_BYTES_MAX;
}

/* Presence and size only, which are in the tree: that the bytes are right was
 * seen when the chunks were walked, once for all versions that share them. */
static void check_named_chunk(struct walk *walk,
                              const struct chunk_place *place)
{
    const struct key key = key_of_hash(&place->tensor->chunks[place->index]);
    struct chunk_parts parts;
    enum status status = tails_find(walk->txn, &key, &parts);

    if (status == STATUS_NOT_FOUND) {
        chunk_fault(walk, place, "is missing");
    } else if (status == STATUS_CORRUPT) {
        chunk_fault(walk, place, "cannot be read");
    } else if (status != STATUS_OK) {
        walk->status = status;
    } else if (parts.size != wanted_size(place->tensor, place->index)) {
        chunk_fault(walk, place, "has not the size of its place");
    }
}

static void check_tensor(struct walk *walk, struct chunk_place *place)
{
    for (uint32_t i = 0; i < place->tensor->chunks_count; i++) {
        place->index = i;
        check_named_chunk(walk, place);
    }
}

static void check_tensors(struct walk *walk, const struct version *version)
{
    struct chunk_place place = {.version = version};

    for (uint32_t i = 0; i < version->shards_count; i++) {
        place.shard = &version->shards[i];
        for (uint32_t j = 0; j < place.shard->tensors_count; j++) {
            place.tensor = &place.shard->tensors[j];
            check_tensor(walk, &place);
        }
    }
}

static void check_version(struct walk *walk, const struct kv_item *item)
{
    uint64_t job = key_number(&item->key, 0);
    uint64_t number = key_number(&item->key, KEY_NUMBER_BYTES);
    struct version *version = NULL;
    enum status status = STATUS_CORRUPT;

    walk->verdict.versions++;
    status = versions_decode(item, &version);
    if (status == STATUS_NO_MEMORY) {
        walk->status = status;
        return;
    }
    if (status != STATUS_OK) {
        fault(walk,
              "version v%" PRIu64 " of j%" PRIu64 ": its manifest is damaged",
              number, job);
        return;
    }
    if (version->job != job || version->number != number) {
        fault(walk,
              "version v%" PRIu64 " of j%" PRIu64
              ": its manifest is that of v%" PRIu64 " of j%" PRIu64,
              number, job, version->number, version->job);
    }
    if (!is_there(walk, KV_SUMMARIES, &item->key)) {
        fault(walk,
              "version v%" PRIu64 " of j%" PRIu64 ": its summary is missing",
              number, job);
    }
    check_tensors(walk, version);
    version_free(version);
}

/* Its tensors are not in the store: only that it can be read. */
static void check_point(struct walk *walk, const struct kv_item *item)
{
    uint64_t job = key_number(&item->key, 0);
    struct version *version = NULL;
    enum status status = STATUS_CORRUPT;

    if (!item->damaged) {
        status = version_decode(item->value.bytes, item->value.size, &version);
    }
    if (status == STATUS_NO_MEMORY) {
        walk->status = status;
        return;
    }
    if (status == STATUS_OK && version->job != job) {
        status = STATUS_CORRUPT;
    }
    if (status != STATUS_OK) {
        fault(walk,
              "the point of j%" PRIu64 " is damaged: its next recovery begins "
              "at a version",
              job);
    }
    version_free(version);
}

static void check_summary(struct walk *walk, const struct kv_item *item)
{
    uint64_t job = key_number(&item->key, 0);
    uint64_t number = key_number(&item->key, KEY_NUMBER_BYTES);

    if (item->damaged) {
        fault(walk,
              "version v%" PRIu64 " of j%" PRIu64 ": its summary is damaged",
              number, job);
    }
    if (!is_there(walk, KV_VERSIONS, &item->key)) {
        fault(walk,
              "version v%" PRIu64 " of j%" PRIu64
              ": there is a summary and no manifest",
              number, job);
    }
}

static void check_ref(struct walk *walk, const struct kv_item *item)
{
    uint64_t job = key_number(&item->key, 0);
    struct ref_record record;
    struct key key;

    if (item->damaged || !refs_decode(&item->value, &record)) {
        fault(walk, "a ref of j%" PRIu64 " is damaged", job);
        return;
    }
    key = key_of_pair(job, record.number);
    if (!is_there(walk, KV_VERSIONS, &key)) {
        fault(walk,
              "ref %s of j%" PRIu64 " points to v%" PRIu64
              ", which is not there",
              record.name, job, record.number);
    }
}

static void check_record(struct walk *walk, const struct kv_item *item)
{
    if (item->damaged) {
        fault(walk, "%s: record %" PRIu64 " of j%" PRIu64 " is damaged",
              kv_db_name(walk->db), key_number(&item->key, KEY_NUMBER_BYTES),
              key_number(&item->key, 0));
    }
}

/* A log begins at 1 and has no gaps. */
static void check_log(struct walk *walk, const struct kv_item *item)
{
    uint64_t job = key_number(&item->key, 0);
    uint64_t number = key_number(&item->key, KEY_NUMBER_BYTES);
    uint64_t expected = 1;

    if (walk->last.size > 0 && key_number(&walk->last, 0) == job) {
        expected = key_number(&walk->last, KEY_NUMBER_BYTES) + 1;
    }
    if (number != expected) {
        fault(walk,
              "%s: records %" PRIu64 " to %" PRIu64 " of j%" PRIu64
              " are missing",
              kv_db_name(walk->db), expected, number - 1, job);
    }
    check_record(walk, item);
}

/* --- The walk --- */

static bool keys_equal(const struct key *a, const struct key *b)
{
    return a->size == b->size && memcmp(a->b, b->b, a->size) == 0;
}

static bool visit(void *owner, const struct kv_item *item)
{
    struct walk *walk = owner;

    if (keys_equal(&item->key, &walk->last)) {
        return true; /* the end of the slice before */
    }
    walk->check(walk, item);
    walk->last = item->key;
    walk->slice_bytes += item->value.size;
    walk->slice_records++;
    return walk->status == STATUS_OK && walk->slice_bytes < SLICE_BYTES &&
           walk->slice_records < SLICE_RECORDS;
}

static enum status walk_slice(struct walk *walk)
{
    struct kv_range range = {.db = walk->db, .from = walk->last};
    struct kv_txn txn;
    enum status status = STATUS_OK;

    if (range.from.size == 0) {
        range.from.size = 1; /* the byte 0: no key of ours is less */
    }
    walk->slice_bytes = 0;
    walk->slice_records = 0;
    status = kv_begin(walk->store->kv, &txn);
    if (status != STATUS_OK) {
        return status;
    }
    walk->txn = &txn;
    status = kv_scan(&txn, &range, visit, walk);
    kv_end(&txn);
    walk->txn = NULL;
    return status != STATUS_OK ? status : walk->status;
}

static enum status walk_db(struct walk *walk,
                           enum kv_db db,
                           walk_check_fn *check)
{
    enum status status = STATUS_OK;

    walk->db = db;
    walk->check = check;
    walk->last = (struct key){.size = 0};
    do {
        status = walk_slice(walk);
    } while (status == STATUS_OK && walk->slice_records > 0);

    if (status == STATUS_CORRUPT) {
        fault(walk, "%s: not all can be read, a page of the file is damaged",
              kv_db_name(db));
        return STATUS_OK;
    }
    return status;
}

enum status store_verify(struct store *store,
                         store_fault_fn *fn,
                         void *owner,
                         struct store_verdict *out)
{
    static const struct {
        enum kv_db db;
        walk_check_fn *check;
    } walks[] = {
        {KV_CHUNKS, check_chunk},      {KV_VERSIONS, check_version},
        {KV_SUMMARIES, check_summary}, {KV_REFS, check_ref},
        {KV_REF_LOG, check_log},       {KV_JOURNAL, check_log},
        {KV_EVENTS, check_log},        {KV_JOBS, check_record},
        {KV_STATS, check_record},      {KV_COUNTERS, check_record},
        {KV_POINTS, check_point},      {KV_DROPPED, check_record},
    };
    struct walk walk = {.store = store, .fn = fn, .owner = owner};
    enum status status = STATUS_OK;

    CHECK(fn != NULL);
    for (size_t i = 0; i < sizeof(walks) / sizeof(walks[0]); i++) {
        status = walk_db(&walk, walks[i].db, walks[i].check);
        if (status != STATUS_OK) {
            return status;
        }
    }
    *out = walk.verdict;
    return STATUS_OK;
}
