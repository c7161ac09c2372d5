/* kv_open.c - the environment is opened, opened anew, copied and closed. */
#include "storage/kv_inside.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/datafile.h"
#include "storage/fault.h"
#include "storage/format.h"

#include <errno.h>
#include <stdio.h>

enum { FILE_MODE = 0600 };

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
    enum status status = kv_status_of(code);
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
        code = mdb_dbi_open(txn->handle, kv_tables[db].name, flags,
                            &txn->kv->dbs[db]);
    }
    return kv_update_result(txn, "dbi_open", code);
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
    int code = mdb_stat(txn->handle, KV_MAIN_DBI, &stat);
    enum status status = kv_result("stat", code);

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
        status = kv_finish(&txn, open_dbs(&txn, options));
    }
    return status;
}

/* On the thread that writes. The owner's lock stays. */
enum status kv_reopen(struct kv *kv)
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
    return code != 0 ? kv_result("reopen", code) : status;
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
        status = kv_result("env_open", code);
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

/* --- A copy --- */

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
    return kv_result("copy", code == MDB_INCOMPATIBLE ? MDB_CORRUPTED : code);
}
