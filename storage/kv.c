#include "storage/kv_inside.h"

#include "base/check.h"
#include "base/log.h"
#include "storage/datafile.h"
#include "storage/fault.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    /* Clearing the slots of dead readers costs a look at each slot. */
    UPDATES_PER_READER_CHECK = 1024,
    RESIZES_MAX = 8, /* nobody but the owner grows the map */
    PROBE_BYTES = 64 << 10,
    FREE_BYTES_MIN = 2 << 20 /* a chunk, and the pages of its keys */
};

const struct kv_table kv_tables[KV_DBS_COUNT] = {
    [KV_META] = {"meta", false},          [KV_COUNTERS] = {"counters", true},
    [KV_JOBS] = {"jobs", true},           [KV_JOURNAL] = {"journal", true},
    [KV_EVENTS] = {"events", true},       [KV_VERSIONS] = {"versions", true},
    [KV_SUMMARIES] = {"summaries", true}, [KV_CHUNKS] = {"chunks", false},
    [KV_REFS] = {"refs", true},           [KV_REF_LOG] = {"ref_log", true},
    [KV_STATS] = {"stats", true},         [KV_POINTS] = {"points", true},
    [KV_DROPPED] = {"dropped", true},     [KV_TAILS] = {"tails", false},
};

const char *kv_db_name(enum kv_db db)
{
    CHECK(db < KV_DBS_COUNT);
    return kv_tables[db].name;
}

/* --- Failures --- */

enum status kv_status_of(int code)
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
enum status kv_result(const char *call, int code)
{
    enum status status = kv_status_of(code);

    if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
        log_line(LOG_ERROR, "storage", "kv_failed",
                 "call=%s code=%d error=\"%s\"", call, code,
                 mdb_strerror(code));
    }
    return status;
}

/* The same inside an update, where a full map is no failure yet. */
enum status kv_update_result(struct kv_txn *txn, const char *call, int code)
{
    if (code == MDB_MAP_FULL) {
        txn->map_full = true;
        return STATUS_FULL;
    }
    return kv_result(call, code);
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
        return kv_status_of(errno) == STATUS_FULL ? errno : code;
    }
    return (size_t)written < sizeof(zeros) ? ENOSPC : code;
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
    return kv_result("grow", code);
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
    return kv_result("txn_begin", code == 0 ? MDB_MAP_RESIZED : code);
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
enum status kv_finish(struct kv_txn *txn, enum status status)
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
    return kv_update_result(txn, "txn_commit", code);
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
    return code == MDB_PANIC ? kv_reopen(kv) : STATUS_OK;
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
        status = kv_finish(&txn, fn(&txn, owner));
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
