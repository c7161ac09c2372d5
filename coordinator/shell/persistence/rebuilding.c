#define _POSIX_C_SOURCE 200809L /* dirent */

#include "coordinator/shell/persistence/rebuilding.h"

#include "base/log.h"
#include "base/mem.h"
#include "coordinator/shell/persistence/mirroring.h"
#include "coordinator/shell/records/recordcode.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_MAX = 4096, PATH_SHOWN = 200 };

static enum status fail(const struct rebuilding_order *order,
                        enum status status,
                        const char *file,
                        const char *what)
{
    (void)snprintf(order->why, order->why_size, "%.*s%s%s.", PATH_SHOWN, file,
                   file[0] != '\0' ? ": " : "", what);
    return status;
}

/* --- Which files --- */

static enum status add_file(const struct rebuilding_order *order,
                            const char *dir,
                            const char *name,
                            struct rebuilding *out)
{
    struct rebuilt_job *jobs = NULL;
    struct rebuilt_job *job = NULL;
    int size = 0;

    if (out->count == FILES_MAX) {
        return fail(order, STATUS_BUSY, dir, "holds more than 4096 mirrors");
    }
    jobs = mem_resize(out->jobs, (out->count + 1) * sizeof(*jobs));
    if (jobs == NULL) {
        return fail(order, STATUS_NO_MEMORY, "", "out of memory");
    }
    out->jobs = jobs;
    job = &jobs[out->count];
    memset(job, 0, sizeof(*job));
    size = snprintf(job->file, sizeof(job->file), "%s%s%s", dir,
                    dir[0] != '\0' ? "/" : "", name);
    if (size < 0 || (size_t)size >= sizeof(job->file)) {
        return fail(order, STATUS_INVALID, name, "its path is too long");
    }
    out->count++;
    return STATUS_OK;
}

static bool is_mirror(const char *name)
{
    size_t size = strlen(name);
    size_t suffix = sizeof(MIRRORING_SUFFIX) - 1;

    return size > suffix && strcmp(name + size - suffix, MIRRORING_SUFFIX) == 0;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct rebuilt_job *)a)->file,
                  ((const struct rebuilt_job *)b)->file);
}

static enum status find_files(const struct rebuilding_order *order,
                              struct rebuilding *out)
{
    struct stat info;
    enum status status = STATUS_OK;
    DIR *dir = NULL;

    if (stat(order->path, &info) != 0) {
        return fail(order, STATUS_NOT_FOUND, order->path,
                    "there is no such file or directory");
    }
    if (!S_ISDIR(info.st_mode)) {
        return add_file(order, "", order->path, out);
    }
    dir = opendir(order->path);
    if (dir == NULL) {
        return fail(order, STATUS_IO, order->path, "it cannot be read");
    }
    for (struct dirent *entry = readdir(dir);
         entry != NULL && status == STATUS_OK; entry = readdir(dir)) {
        if (is_mirror(entry->d_name)) {
            status = add_file(order, order->path, entry->d_name, out);
        }
    }
    (void)closedir(dir);
    if (status == STATUS_OK && out->count == 0) {
        return fail(order, STATUS_NOT_FOUND, order->path,
                    "there is no *" MIRRORING_SUFFIX " file in it");
    }
    if (status == STATUS_OK) {
        qsort(out->jobs, out->count, sizeof(*out->jobs), compare);
    }
    return status;
}

/* --- Whether they fit together --- */

static enum status check_job(const struct rebuilding_order *order,
                             const struct rebuilding *found,
                             uint32_t index)
{
    const struct rebuilt_job *job = &found->jobs[index];
    char what[2 * PATH_SHOWN];

    for (uint32_t i = 0; i < index; i++) {
        if (found->jobs[i].from.job == job->from.job) {
            (void)snprintf(what, sizeof(what),
                           "it is of j%" PRIu64 ", and so is %.*s; rebuild "
                           "each into a store of its own",
                           job->from.job, PATH_SHOWN, found->jobs[i].file);
            return fail(order, STATUS_CONFLICT, job->file, what);
        }
    }
    return STATUS_OK;
}

/* Files in which nothing is yet are left out: of a launch that failed. */
static enum status check_files(const struct rebuilding_order *order,
                               struct rebuilding *found)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < found->count; i++) {
        struct rebuilt_job *job = &found->jobs[i];
        enum status status = store_mirror_job(job->file, &job->from.job);

        if (status == STATUS_CORRUPT || status == STATUS_UNSUPPORTED) {
            return fail(order, status, job->file,
                        status == STATUS_CORRUPT
                            ? "it is no mirror, or damaged from its beginning"
                            : "it is of a newer release");
        }
        if (status != STATUS_OK) {
            return fail(order, status, job->file, status_text(status));
        }
        if (job->from.job == 0) {
            continue;
        }
        found->jobs[kept] = *job;
        status = check_job(order, found, kept);
        if (status != STATUS_OK) {
            return status;
        }
        kept++;
    }
    found->count = kept;
    return kept > 0 ? STATUS_OK
                    : fail(order, STATUS_NOT_FOUND, order->path,
                           "nothing is in it yet");
}

/* --- Rebuilding --- */

static bool count_version(void *owner,
                          uint64_t key,
                          const void *bytes,
                          size_t size)
{
    (void)key;
    (void)bytes;
    (void)size;
    ++*(uint64_t *)owner;
    return true;
}

static enum status describe(struct store *store, struct rebuilt_job *job)
{
    struct record_head head;
    unsigned char *bytes = NULL;
    size_t size = 0;
    enum status status = store_get_job(store, job->from.job, &bytes, &size);

    if (status == STATUS_OK) {
        status = recordcode_peek(bytes, size, &head);
    }
    mem_free(bytes);
    if (status != STATUS_OK) {
        return status;
    }
    memcpy(job->name, head.name, sizeof(job->name));
    status = store_get_ref(store, job->from.job, "head", &job->head);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
        return status;
    }
    return store_scan_versions(store, job->from.job, 0, false, count_version,
                               &job->versions);
}

static enum status rebuild_one(const struct rebuilding_order *order,
                               struct rebuilt_job *job)
{
    enum status status = store_rebuild(order->store, job->file, &job->from);

    if (status == STATUS_OK) {
        status = describe(order->store, job);
    }
    if (status != STATUS_OK) {
        return fail(order, status, job->file, status_text(status));
    }
    log_line(LOG_INFO, "rebuilding", "rebuilt",
             "job=j%" PRIu64 " file=\"%s\" transactions=%" PRIu64
             " versions=%" PRIu64 " bytes=%" PRIu64 " lost=%" PRIu64,
             job->from.job, job->file, job->from.batches, job->versions,
             job->from.bytes, job->from.lost);
    return STATUS_OK;
}

/* Half a store would look like a whole one. Nothing was in it before. */
static void remove_store(const char *dir)
{
    static const char *const names[] = {"data.mdb", "lock.mdb"};
    char path[PATH_BYTES_MAX + 16];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        (void)unlink(path);
    }
}

enum status rebuilding_run(const struct rebuilding_order *order,
                           struct rebuilding *out)
{
    uint64_t last = 0;
    enum status status = store_last_job(order->store, &last);

    *out = (struct rebuilding){.count = 0};
    if (status != STATUS_OK) {
        return fail(order, status, order->dir, status_text(status));
    }
    if (last != 0) {
        return fail(order, STATUS_CONFLICT, order->dir,
                    "there are jobs in it; a store is rebuilt into a new "
                    "directory");
    }
    status = find_files(order, out);
    if (status == STATUS_OK) {
        status = check_files(order, out);
    }
    if (status != STATUS_OK) {
        return status;
    }
    for (uint32_t i = 0; i < out->count && status == STATUS_OK; i++) {
        status = rebuild_one(order, &out->jobs[i]);
    }
    if (status != STATUS_OK) {
        remove_store(order->dir);
    }
    return status;
}

void rebuilding_fini(struct rebuilding *rebuilding)
{
    mem_free(rebuilding->jobs);
    *rebuilding = (struct rebuilding){.count = 0};
}
