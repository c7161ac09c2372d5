#include "storage/kv.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/datafile.h"
#include "storage/fault.h"
#include "storage/format.h"
#include "storage/gate.h"
#include "storage/seal.h"

#include <lmdb.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    FILE_MODE = 0600,
    /* Clearing the slots of dead readers costs a look at each slot. */
    UPDATES_PER_READER_CHECK = 1024,
    RESIZES_MAX = 8, /* nobody but the owner grows the map */
    PROBE_BYTES = 64 << 10,
    FREE_BYTES_MIN = 2 << 20, /* a chunk, and the pages of its keys */
    FREE_DBI = 0,             /* LMDB's own list of free pages */
    MAIN_DBI = 1              /* LMDB's list of named databases */
};

struct kv {
    MDB_env *env;
    MDB_dbi dbs[KV_DBS_COUNT];
    struct gate gate;
    uint64_t updates_count;
    bool broken; /* the map was lost while it grew; nothing may be touched */
    char dir[PATH_BYTES_MAX];
    uint64_t map_bytes; /* at start */
};

static const struct {
    const char *name;
    bool sealed;
} tables[KV_DBS_COUNT] = {
    [KV_META] = {"meta", false},          [KV_COUNTERS] = {"counters", true},
    [KV_JOBS] = {"jobs", true},           [KV_JOURNAL] = {"journal", true},
    [KV_EVENTS] = {"events", true},       [KV_VERSIONS] = {"versions", true},
    [KV_SUMMARIES] = {"summaries", true}, [KV_CHUNKS] = {"chunks", false},
    [KV_REFS] = {"refs", true},           [KV_REF_LOG] = {"ref_log", true},
    [KV_STATS] = {"stats", true},         [KV_POINTS] = {"points", true},
    [KV_DROPPED] = {"dropped", true},
};

const char *kv_db_name(enum kv_db db)
{
    CHECK(db < KV_DBS_COUNT);
    return tables[db].name;
}

/* --- Failures --- */

static enum status status_of(int code)
{
    switch (code) {
    case 0:
        return STATUS_OK;
    case MDB_NOTFOUND:
        return STATUS_NOT_FOUND;
    case MDB_MAP_FULL:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return STATUS_FULL;
    case ENOMEM:
        return STATUS_NO_MEMORY;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
        return STATUS_CORRUPT;
    case MDB_VERSION_MISMATCH:
        return STATUS_UNSUPPORTED;
    case MDB_READERS_FULL:
    case MDB_TXN_FULL:
        return STATUS_BUSY;
    default:
        return STATUS_IO;
    }
}

/* The status of a call, logged where it is a failure. */
static enum status result(const char *call, int code)
{
    enum status status = status_of(code);

    if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
        log_line(LOG_ERROR, "storage", "kv_failed",
                 "call=%s code=%d error=\"%s\"", call, code,
                 mdb_strerror(code));
    }
    return status;
}

/* The same inside an update, where a full map is no failure yet. */
static enum status update_result(struct kv_txn *txn, const char *call, int code)
{
    if (code == MDB_MAP_FULL) {
        txn->map_full = true;
        return STATUS_FULL;
    }
    return result(call, code);
}

/* LMDB calls a write that was cut short EIO. Most often the disk is full. What
 * is free tells, or, under a quota, a further write: behind the end of the
 * file, where no page is in use, and large, since a full disk still has a
 * block or two. */
static int true_code(struct kv *kv, int code)
{
    static const unsigned char zeros[PROBE_BYTES];
    struct statvfs disk;
    struct stat file;
    mdb_filehandle_t fd = -1;
    ssize_t written = 0;

    if (code != EIO) {
        return code;
    }
    if (mdb_env_get_fd(kv->env, &fd) != 0 || fstat(fd, &file) != 0) {
        return code;
    }
    if (fstatvfs(fd, &disk) == 0 &&
        disk.f_bavail < FREE_BYTES_MIN / disk.f_frsize) {
        return ENOSPC;
    }
    written = pwrite(fd, zeros, sizeof(zeros), file.st_size);
    if (written < 0) {
        return status_of(errno) == STATUS_FULL ? errno : code;
    }
    return (size_t)written < sizeof(zeros) ? ENOSPC : code;
}

/* Takes the seal off raw; false where it does not match. Never touches the
 * bytes of an unsealed record: who only counts them need not read them. */
static bool unseal(enum kv_db db,
                   const struct key *key,
                   MDB_val raw,
                   struct kv_value *out)
{
    const unsigned char *bytes = raw.mv_data;
    size_t seal_size = tables[db].sealed ? SEAL_BYTES : 0;

    if (raw.mv_size < seal_size) {
        *out = (struct kv_value){bytes, 0};
        return false;
    }
    *out = (struct kv_value){bytes + seal_size, raw.mv_size - seal_size};
    return seal_size == 0 || seal_matches(db, key, bytes, raw.mv_size);
}

/* LMDB does not write to keys and values that it is given. */
static MDB_val borrow(const void *bytes, size_t size)
{
    return (MDB_val){.mv_size = size, .mv_data = (void *)(uintptr_t)bytes};
}

/* --- The map --- */

/* LMDB unmaps first and then maps anew; should that fail, it is left with no
 * map and crashes at the next touch. So ask the system first. */
static int can_map(struct kv *kv, size_t bytes)
{
    mdb_filehandle_t fd = -1;
    int code = fault_now();

    if (code == 0) {
        code = mdb_env_get_fd(kv->env, &fd);
    }
    return code == 0 && !datafile_can_map(fd, bytes) ? MDB_MAP_FULL : code;
}

static int resize_to(struct kv *kv, size_t bytes)
{
    int code = can_map(kv, bytes);

    if (code == 0) {
        code = mdb_env_set_mapsize(kv->env, bytes);
        kv->broken = code != 0;
    }
    return code;
}

static enum status grow(struct kv *kv)
{
    MDB_envinfo info;
    int dead = 0;
    int code = 0;

    gate_shut(&kv->gate);
    code = mdb_reader_check(kv->env, &dead);
    if (code == 0) {
        code = mdb_env_info(kv->env, &info);
    }
    if (code == 0 && info.me_mapsize > KV_MAP_BYTES_MAX / 2) {
        code = MDB_MAP_FULL;
    }
    if (code == 0) {
        code = resize_to(kv, info.me_mapsize * 2);
    }
    gate_open(&kv->gate);

    if (code == 0) {
        log_line(LOG_INFO, "storage", "map_grown", "bytes=%zu",
                 info.me_mapsize * 2);
    }
    return result("grow", code);
}

static int follow_resize(struct kv *kv)
{
    int code = 0;

    gate_shut(&kv->gate);
    code = mdb_env_set_mapsize(kv->env, 0);
    kv->broken = kv->broken || code != 0;
    gate_open(&kv->gate);
    return code;
}

/* --- Transactions --- */

static enum status begin(struct kv *kv, unsigned flags, struct kv_txn *out)
{
    MDB_txn *handle = NULL;
    int code = 0;

    for (int i = 0; i < RESIZES_MAX; i++) {
        gate_enter(&kv->gate);
        code = kv->broken ? MDB_PANIC : fault_now();
        if (code == 0) {
            code = mdb_txn_begin(kv->env, NULL, flags, &handle);
        }
        if (code == 0) {
            *out = (struct kv_txn){.kv = kv, .handle = handle};
            return STATUS_OK;
        }
        gate_leave(&kv->gate);
        if (code != MDB_MAP_RESIZED) {
            break;
        }
        code = follow_resize(kv);
        if (code != 0) {
            break;
        }
    }
    return result("txn_begin", code == 0 ? MDB_MAP_RESIZED : code);
}

enum status kv_begin(struct kv *kv, struct kv_txn *out)
{
    return begin(kv, MDB_RDONLY, out);
}

void kv_end(struct kv_txn *txn)
{
    mdb_txn_abort(txn->handle);
    txn->handle = NULL;
    gate_leave(&txn->kv->gate);
}

/* Commits where status is OK, else undoes. */
static enum status finish(struct kv_txn *txn, enum status status)
{
    int code = 0;

    if (status != STATUS_OK) {
        kv_end(txn);
        return status;
    }
    code = fault_now();
    if (code != 0) {
        mdb_txn_abort(txn->handle);
    } else {
        /* Frees the handle also where it fails. */
        code = true_code(txn->kv, mdb_txn_commit(txn->handle));
    }
    txn->handle = NULL;
    gate_leave(&txn->kv->gate);
    return update_result(txn, "txn_commit", code);
}

/* A reader that was killed keeps its slot, and its slot keeps pages. */
static void check_readers(struct kv *kv)
{
    int dead = 0;

    if (kv->updates_count++ % UPDATES_PER_READER_CHECK == 0 &&
        mdb_reader_check(kv->env, &dead) == 0 && dead > 0) {
        log_line(LOG_WARN, "storage", "dead_readers_cleared", "count=%d", dead);
    }
}

static enum status reopen(struct kv *kv);

/* Where not even the header could be written, LMDB gives the environment up:
 * whatever is asked, it panics. Opened anew, it has what was there before. */
static enum status heal(struct kv *kv)
{
    MDB_txn *handle = NULL;
    int code = 0;

    gate_enter(&kv->gate);
    if (kv->env == NULL) {
        code = MDB_PANIC; /* the last try came to nothing */
    } else if (!kv->broken) {
        code = mdb_txn_begin(kv->env, NULL, MDB_RDONLY, &handle);
    }
    if (handle != NULL) {
        mdb_txn_abort(handle);
    }
    gate_leave(&kv->gate);
    return code == MDB_PANIC ? reopen(kv) : STATUS_OK;
}

enum status kv_update(struct kv *kv, kv_update_fn *fn, void *owner)
{
    struct kv_txn txn;
    enum status status = heal(kv);

    if (status != STATUS_OK) {
        return status;
    }
    check_readers(kv);
    do {
        status = begin(kv, 0, &txn);
        if (status != STATUS_OK) {
            return status;
        }
        status = finish(&txn, fn(&txn, owner));
        if (status == STATUS_OK) {
            return status;
        }
        if (!txn.map_full) {
            (void)heal(kv); /* if it fails, the next update tries again */
            return status;
        }
        status = grow(kv);
    } while (status == STATUS_OK);
    return status;
}

/* --- Records --- */

enum status kv_get(struct kv_txn *txn,
                   enum kv_db db,
                   const struct key *key,
                   struct kv_value *out)
{
    MDB_val name = borrow(key->b, key->size);
    MDB_val raw = borrow(NULL, 0);
    struct kv_value value;
    int code = fault_now();

    if (code == 0) {
        code = mdb_get(txn->handle, txn->kv->dbs[db], &name, &raw);
    }
    if (code != 0) {
        return result("get", code);
    }
    if (!unseal(db, key, raw, &value)) {
        log_line(LOG_ERROR, "storage", "record_damaged",
                 "db=%s job=%" PRIu64 " number=%" PRIu64, tables[db].name,
                 key_number(key, 0), key_number(key, KEY_NUMBER_BYTES));
        return STATUS_CORRUPT;
    }
    *out = value;
    return STATUS_OK;
}

enum status kv_put(struct kv_txn *txn,
                   enum kv_db db,
                   const struct key *key,
                   const void *bytes,
                   size_t size)
{
    size_t seal_size = tables[db].sealed ? SEAL_BYTES : 0;
    MDB_val name = borrow(key->b, key->size);
    MDB_val raw = borrow(NULL, seal_size + size);
    unsigned char *place = NULL;
    struct seal seal;
    int code = fault_now();

    CHECK(key->size > 0);
    if (code == 0) {
        /* LMDB makes room and we fill it: no copy of a copy. */
        code = mdb_put(txn->handle, txn->kv->dbs[db], &name, &raw, MDB_RESERVE);
    }
    if (code != 0) {
        return update_result(txn, "put", code);
    }
    place = raw.mv_data;
    if (seal_size > 0) {
        seal = seal_of(db, key, bytes, size);
        memcpy(place, seal.b, SEAL_BYTES);
    }
    if (size > 0) {
        memcpy(place + seal_size, bytes, size);
    }
    return STATUS_OK;
}

enum status kv_delete(struct kv_txn *txn, enum kv_db db, const struct key *key)
{
    MDB_val name = borrow(key->b, key->size);
    int code = fault_now();

    if (code == 0) {
        code = mdb_del(txn->handle, txn->kv->dbs[db], &name, NULL);
    }
    return update_result(txn, "delete", code);
}

/* --- Scans --- */

static int cursor_move(MDB_cursor *cursor,
                       MDB_val *name,
                       MDB_val *raw,
                       MDB_cursor_op op)
{
    int code = fault_now();

    return code != 0 ? code : mdb_cursor_get(cursor, name, raw, op);
}

/* Puts the cursor on the first record of the range, if that is not empty. */
static int cursor_start(MDB_cursor *cursor,
                        const struct kv_range *range,
                        MDB_val *name,
                        MDB_val *raw)
{
    int code = 0;

    *name = borrow(range->from.b, range->from.size);
    code = cursor_move(cursor, name, raw, MDB_SET_RANGE);
    if (!range->down) {
        return code;
    }
    if (code == MDB_NOTFOUND) {
        return cursor_move(cursor, name, raw, MDB_LAST);
    }
    if (code == 0 && (name->mv_size != range->from.size ||
                      memcmp(name->mv_data, range->from.b, name->mv_size))) {
        return cursor_move(cursor, name, raw, MDB_PREV);
    }
    return code;
}

/* A key that is longer than any of ours ends the range like a strange one. */
static bool in_range(const struct kv_range *range, const MDB_val *name)
{
    return name->mv_size >= range->prefix_size &&
           name->mv_size <= KEY_BYTES_MAX &&
           memcmp(name->mv_data, range->from.b, range->prefix_size) == 0;
}

static bool tell(const struct kv_range *range,
                 const MDB_val *name,
                 const MDB_val *raw,
                 kv_scan_fn *fn,
                 void *owner)
{
    struct kv_item item = {.damaged = false};

    memcpy(item.key.b, name->mv_data, name->mv_size);
    item.key.size = name->mv_size;
    item.damaged = !unseal(range->db, &item.key, *raw, &item.value);
    return fn(owner, &item);
}

enum status kv_scan(struct kv_txn *txn,
                    const struct kv_range *range,
                    kv_scan_fn *fn,
                    void *owner)
{
    MDB_cursor_op next = range->down ? MDB_PREV : MDB_NEXT;
    MDB_cursor *cursor = NULL;
    MDB_val name;
    MDB_val raw;
    int code = fault_now();

    CHECK(range->prefix_size <= range->from.size);
    CHECK(range->from.size > 0);
    if (code == 0) {
        code = mdb_cursor_open(txn->handle, txn->kv->dbs[range->db], &cursor);
    }
    if (code != 0) {
        return result("cursor_open", code);
    }
    code = cursor_start(cursor, range, &name, &raw);
    while (code == 0 && in_range(range, &name)) {
        if (!tell(range, &name, &raw, fn, owner)) {
            break;
        }
        code = cursor_move(cursor, &name, &raw, next);
    }
    mdb_cursor_close(cursor);
    return code == MDB_NOTFOUND ? STATUS_OK : result("cursor_get", code);
}

/* Each record of the free list is a page count and so many page numbers. */
static int count_free_pages(struct kv_txn *txn, uint64_t *out)
{
    MDB_cursor *cursor = NULL;
    MDB_val name;
    MDB_val raw;
    size_t pages = 0;
    uint64_t sum = 0;
    int code = mdb_cursor_open(txn->handle, FREE_DBI, &cursor);

    if (code != 0) {
        return code;
    }
    code = cursor_move(cursor, &name, &raw, MDB_FIRST);
    while (code == 0 && raw.mv_size >= sizeof(pages)) {
        memcpy(&pages, raw.mv_data, sizeof(pages));
        sum += pages;
        code = cursor_move(cursor, &name, &raw, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    *out = sum;
    return code == MDB_NOTFOUND ? 0 : code;
}

enum status kv_measure(struct kv_txn *txn, struct kv_usage *out)
{
    struct kv_usage usage = {.map_bytes = 0};
    uint64_t free_pages = 0;
    MDB_envinfo info;
    MDB_stat stat = {.ms_psize = 0};
    int code = count_free_pages(txn, &free_pages);

    for (int i = 0; i < KV_DBS_COUNT && code == 0; i++) {
        code = mdb_stat(txn->handle, txn->kv->dbs[i], &stat);
        usage.entries[i] = stat.ms_entries;
    }
    if (code == 0) {
        code = mdb_env_info(txn->kv->env, &info);
    }
    if (code != 0) {
        return result("measure", code);
    }
    usage.map_bytes = info.me_mapsize;
    usage.file_bytes = (info.me_last_pgno + 1) * stat.ms_psize;
    usage.used_bytes = usage.file_bytes - free_pages * stat.ms_psize;
    *out = usage;
    return STATUS_OK;
}

enum status kv_copy(struct kv *kv, int fd)
{
    struct kv_txn txn;
    enum status status = kv_begin(kv, &txn); /* follows the map, if it grew */
    int code = 0;

    if (status != STATUS_OK) {
        return status;
    }
    kv_end(&txn);
    gate_enter(&kv->gate);
    code = fault_now();
    if (code == 0) {
        code = mdb_env_copyfd2(kv->env, fd, MDB_CP_COMPACT);
    }
    gate_leave(&kv->gate);
    /* So LMDB calls a tree that has not all its pages. */
    return result("copy", code == MDB_INCOMPATIBLE ? MDB_CORRUPTED : code);
}

/* --- Opening and closing --- */

/* LMDB calls it before it aborts. */
static void on_assert(MDB_env *env, const char *message)
{
    (void)env;
    log_line(LOG_ERROR, "storage", "lmdb_assert", "text=\"%s\"", message);
}

/* At least twice what the file holds, so that a store which has grown once
 * does not begin each life by growing again. */
static uint64_t map_bytes_for(const struct kv_options *options)
{
    uint64_t bytes = options->map_bytes;
    uint64_t file_bytes = datafile_bytes(options->dir);

    while (bytes < 2 * file_bytes && bytes < KV_MAP_BYTES_MAX) {
        bytes *= 2;
    }
    return bytes;
}

static int pad_file(struct kv *kv)
{
    MDB_envinfo info;
    MDB_stat stat;
    mdb_filehandle_t fd = -1;
    int code = mdb_env_info(kv->env, &info);

    if (code == 0) {
        code = mdb_env_stat(kv->env, &stat);
    }
    if (code == 0) {
        code = mdb_env_get_fd(kv->env, &fd);
    }
    return code != 0 ? code
                     : datafile_pad(fd, (uint64_t)(info.me_last_pgno + 1) *
                                            stat.ms_psize);
}

/* Readers get the map size from the file itself. */
static int open_env(struct kv *kv, const struct kv_options *options)
{
    bool owner = !options->read_only;
    unsigned flags = MDB_NOTLS | (owner ? 0 : MDB_RDONLY);
    int code = fault_now();

    if (code == 0 && owner) {
        code = datafile_drop_half_made(options->dir);
    }
    if (code == 0) {
        code = mdb_env_create(&kv->env);
    }
    if (code == 0) {
        code = mdb_env_set_maxdbs(kv->env, KV_DBS_COUNT);
    }
    if (code == 0 && owner) {
        code = mdb_env_set_mapsize(kv->env, map_bytes_for(options));
    }
    if (code == 0) {
        code = mdb_env_set_assert(kv->env, on_assert);
    }
    if (code == 0) {
        code = fault_now();
    }
    if (code == 0) {
        /* NOTLS: readers are tied to transactions, not to threads. */
        code = mdb_env_open(kv->env, options->dir, flags, FILE_MODE);
    }
    return code != 0 || !owner ? code : pad_file(kv);
}

static void explain(const struct kv_options *options, int code)
{
    enum status status = status_of(code);
    const char *reason = status == STATUS_FULL ? status_text(status)
                         : status == STATUS_CORRUPT
                             ? "its file data.mdb is damaged or no store's"
                             : mdb_strerror(code);

    snprintf(options->why, options->why_size, "cannot open the store in %s: %s",
             options->dir, reason);
}

static enum status open_db(struct kv_txn *txn, enum kv_db db, unsigned flags)
{
    int code = fault_now();

    if (code == 0) {
        code = mdb_dbi_open(txn->handle, tables[db].name, flags,
                            &txn->kv->dbs[db]);
    }
    return update_result(txn, "dbi_open", code);
}

/* The format comes first: a store of another release is not touched. One that
 * is older is brought up in this same transaction, so that it is wholly of the
 * one or of the other. */
static enum status open_dbs(struct kv_txn *txn, void *owner)
{
    const struct kv_options *options = owner;
    unsigned flags = options->read_only ? 0 : MDB_CREATE;
    uint32_t format = 0;
    MDB_stat stat;
    int code = mdb_stat(txn->handle, MAIN_DBI, &stat);
    enum status status = result("stat", code);

    if (status == STATUS_OK) {
        status = open_db(txn, KV_META, flags);
    }
    if (status == STATUS_OK) {
        status = format_check(txn, options, stat.ms_entries == 0, &format);
    }
    for (int db = KV_META + 1; db < KV_DBS_COUNT; db++) {
        if (status == STATUS_OK) {
            status = open_db(txn, (enum kv_db)db, flags);
        }
    }
    return status == STATUS_OK ? format_upgrade(txn, format) : status;
}

/* The handles of databases stay only where their transaction is committed. */
static enum status open_dbs_to_read(struct kv *kv, struct kv_options *options)
{
    struct kv_txn txn;
    enum status status = kv_begin(kv, &txn);

    if (status == STATUS_OK) {
        status = finish(&txn, open_dbs(&txn, options));
    }
    return status;
}

/* On the thread that writes. The owner's lock stays. */
static enum status reopen(struct kv *kv)
{
    char why[ERROR_BYTES_MAX] = "";
    struct kv_options options = {.dir = kv->dir,
                                 .map_bytes = kv->map_bytes,
                                 .why = why,
                                 .why_size = sizeof(why)};
    struct kv_txn txn = {.kv = kv};
    enum status status = STATUS_OK;
    int code = 0;

    log_line(LOG_WARN, "storage", "reopened", "dir=%s", kv->dir);
    gate_shut(&kv->gate);
    mdb_env_close(kv->env);
    kv->env = NULL;
    code = open_env(kv, &options);
    if (code == 0) {
        code = mdb_txn_begin(kv->env, NULL, 0, &txn.handle);
    }
    if (code == 0) {
        status = open_dbs(&txn, &options);
        if (status == STATUS_OK) {
            code = mdb_txn_commit(txn.handle);
        } else {
            mdb_txn_abort(txn.handle);
        }
    }
    kv->broken = code != 0 || status != STATUS_OK;
    if (kv->broken) {
        mdb_env_close(kv->env);
        kv->env = NULL;
    }
    gate_open(&kv->gate);
    return code != 0 ? result("reopen", code) : status;
}

enum status kv_open(const struct kv_options *options, struct kv **out)
{
    struct kv_options copy = *options;
    enum status status = STATUS_NO_MEMORY;
    struct kv *kv = mem_new(sizeof(*kv));
    int code = 0;

    CHECK(options->why_size > 0);
    options->why[0] = '\0';
    if (kv == NULL) {
        explain(options, ENOMEM);
        goto fail;
    }
    gate_init(&kv->gate);
    snprintf(kv->dir, sizeof(kv->dir), "%s", options->dir);
    kv->map_bytes = options->map_bytes;
    code = open_env(kv, options);
    if (code != 0) {
        explain(options, code);
        status = result("env_open", code);
        goto fail;
    }
    status = copy.read_only ? open_dbs_to_read(kv, &copy)
                            : kv_update(kv, open_dbs, &copy);
    if (status != STATUS_OK) {
        goto fail;
    }
    *out = kv;
    return STATUS_OK;

fail:
    kv_close(kv);
    if (options->why[0] == '\0') {
        snprintf(options->why, options->why_size,
                 "cannot open the store in %s: %s", options->dir,
                 status_text(status));
    }
    return status;
}

void kv_close(struct kv *kv)
{
    if (kv == NULL) {
        return;
    }
    if (kv->env != NULL) {
        mdb_env_close(kv->env);
    }
    mem_free(kv);
}
