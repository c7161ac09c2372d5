#include "storage/mirror.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint32_t MAGIC = 0x524d4a43; /* "CJMR" */

enum {
    HEADER_BYTES = 16 + HASH_BYTES,
    CHUNKS_START = 256 /* places in the table of hashes; a power of two */
};

/* Hashes of the chunks that are in the file: open addressing by their first
 * bytes, which are as good as random. At most half full. */
struct chunk_set {
    struct hash *places;
    bool *taken;
    size_t room; /* a power of two, or 0 */
    size_t count;
};

struct mirror {
    int fd;
    char path[PATH_BYTES_MAX];
    uint64_t position;
    int error; /* errno of the last failure */
    bool torn; /* bytes behind position could not be cut off */
    struct chunk_set chunks;
};

/* --- The set of hashes --- */

static size_t place_of(const struct chunk_set *set, const struct hash *hash)
{
    uint64_t first;
    size_t at;

    memcpy(&first, hash->b, sizeof(first));
    at = (size_t)first & (set->room - 1);
    while (set->taken[at] && !hash_equal(&set->places[at], hash)) {
        at = (at + 1) & (set->room - 1);
    }
    return at;
}

static void set_fini(struct chunk_set *set)
{
    mem_free(set->places);
    mem_free(set->taken);
    *set = (struct chunk_set){.room = 0};
}

static enum status set_grow(struct chunk_set *set)
{
    struct chunk_set larger = {.room =
                                   set->room > 0 ? 2 * set->room : CHUNKS_START,
                               .count = set->count};

    larger.places = mem_array(larger.room, sizeof(*larger.places));
    larger.taken = mem_array(larger.room, sizeof(*larger.taken));
    if (larger.places == NULL || larger.taken == NULL) {
        set_fini(&larger);
        return STATUS_NO_MEMORY;
    }
    for (size_t i = 0; i < set->room; i++) {
        if (set->taken[i]) {
            size_t at = place_of(&larger, &set->places[i]);

            larger.places[at] = set->places[i];
            larger.taken[at] = true;
        }
    }
    set_fini(set);
    *set = larger;
    return STATUS_OK;
}

/* Room for one more. */
static enum status set_reserve(struct chunk_set *set)
{
    return 2 * (set->count + 1) > set->room ? set_grow(set) : STATUS_OK;
}

static void set_add(struct chunk_set *set, const struct hash *hash)
{
    size_t at = place_of(set, hash);

    set->count += set->taken[at] ? 0 : 1;
    set->places[at] = *hash;
    set->taken[at] = true;
}

bool mirror_has_chunk(const struct mirror *mirror, const struct hash *hash)
{
    const struct chunk_set *set = &mirror->chunks;

    return set->room > 0 && set->taken[place_of(set, hash)];
}

/* --- Entries --- */

struct header {
    enum mirror_kind kind;
    uint64_t size;
    struct hash hash;
};

static void header_write(const struct header *header,
                         unsigned char out[HEADER_BYTES])
{
    struct writer w;

    writer_init(&w, out, HEADER_BYTES);
    write_u32(&w, MAGIC);
    write_u32(&w, (uint32_t)header->kind);
    write_u64(&w, header->size);
    write_bytes(&w, header->hash.b, HASH_BYTES);
    CHECK(!w.failed);
}

/* false: no entry begins like this. */
static bool header_read(const unsigned char bytes[HEADER_BYTES],
                        struct header *out)
{
    struct reader r;
    uint32_t kind;

    reader_init(&r, bytes, HEADER_BYTES);
    if (read_u32(&r) != MAGIC) {
        return false;
    }
    kind = read_u32(&r);
    out->kind = (enum mirror_kind)kind;
    out->size = read_u64(&r);
    memcpy(out->hash.b, read_bytes(&r, HASH_BYTES), HASH_BYTES);
    return (kind == MIRROR_CHUNK && out->size <= CHUNK_BYTES_MAX) ||
           (kind == MIRROR_BATCH && out->size <= MIRROR_PAYLOAD_BYTES_MAX);
}

/* Whole or not at all; a file that ends before is a short read. */
static bool read_whole(int fd, void *out, size_t size, uint64_t at)
{
    size_t done = 0;

    while (done < size) {
        ssize_t got = pread(fd, (unsigned char *)out + done, size - done,
                            (off_t)(at + done));

        if (got <= 0 && !(got < 0 && errno == EINTR)) {
            return false;
        }
        done += got > 0 ? (size_t)got : 0;
    }
    return true;
}

static enum status fail(struct mirror *mirror, const char *what)
{
    int error = errno;

    mirror->error = error;
    log_line(LOG_ERROR, "mirror", "write_failed", "path=\"%s\" what=%s why=%s",
             mirror->path, what, strerror(error));
    return error == ENOSPC || error == EDQUOT || error == EFBIG ? STATUS_FULL
                                                                : STATUS_IO;
}

static enum status write_whole(struct mirror *mirror,
                               const void *bytes,
                               size_t size,
                               uint64_t at)
{
    size_t done = 0;

    while (done < size) {
        ssize_t put = pwrite(mirror->fd, (const unsigned char *)bytes + done,
                             size - done, (off_t)(at + done));

        if (put < 0 && errno != EINTR) {
            return fail(mirror, "write");
        }
        done += put > 0 ? (size_t)put : 0;
    }
    return STATUS_OK;
}

static enum status cut_off(struct mirror *mirror)
{
    if (ftruncate(mirror->fd, (off_t)mirror->position) != 0) {
        mirror->torn = true;
        return fail(mirror, "truncate");
    }
    mirror->torn = false;
    return STATUS_OK;
}

uint64_t mirror_position(const struct mirror *mirror)
{
    return mirror->position;
}

enum status mirror_put(struct mirror *mirror,
                       enum mirror_kind kind,
                       const struct hash *hash,
                       const void *payload,
                       size_t size)
{
    struct header header = {.kind = kind, .size = size, .hash = *hash};
    unsigned char bytes[HEADER_BYTES];
    enum status status = mirror->torn ? cut_off(mirror) : STATUS_OK;

    if (size > MIRROR_PAYLOAD_BYTES_MAX) {
        return STATUS_INVALID;
    }
    if (status == STATUS_OK) {
        status = set_reserve(&mirror->chunks);
    }
    if (status != STATUS_OK) {
        return status;
    }
    header_write(&header, bytes);
    status = write_whole(mirror, bytes, HEADER_BYTES, mirror->position);
    if (status == STATUS_OK) {
        status =
            write_whole(mirror, payload, size, mirror->position + HEADER_BYTES);
    }
    if (status != STATUS_OK) {
        (void)cut_off(mirror);
        return status;
    }
    if (kind == MIRROR_CHUNK) {
        set_add(&mirror->chunks, hash);
    }
    mirror->position += HEADER_BYTES + size;
    return STATUS_OK;
}

/* What is written to a file without a name is written for nobody. */
enum status mirror_sync(struct mirror *mirror)
{
    struct stat info;

    if (fdatasync(mirror->fd) != 0 || fstat(mirror->fd, &info) != 0) {
        return fail(mirror, "sync");
    }
    if (info.st_nlink == 0) {
        errno = ENOENT;
        return fail(mirror, "find");
    }
    return STATUS_OK;
}

const char *mirror_path(const struct mirror *mirror)
{
    return mirror->path;
}

const char *mirror_error(const struct mirror *mirror)
{
    return strerror(mirror->error);
}

/* Chunks that are cut off stay in the set only until the next open; they must
 * not be believed, so the set is read anew. */
static enum status read_chunks(struct mirror *mirror);

void mirror_take_back(struct mirror *mirror, uint64_t position)
{
    CHECK(position <= mirror->position);
    mirror->position = position;
    if (cut_off(mirror) != STATUS_OK || read_chunks(mirror) != STATUS_OK) {
        mirror->torn = true;
        set_fini(&mirror->chunks); /* better a chunk twice than none */
    }
}

/* --- Scanning --- */

struct walk {
    int fd;
    uint64_t at;
    uint64_t size;
};

/* The header of the next entry that is whole, as far as its size tells. */
static bool next_header(struct walk *walk, struct header *out)
{
    unsigned char bytes[HEADER_BYTES];

    return walk->size - walk->at >= HEADER_BYTES &&
           read_whole(walk->fd, bytes, HEADER_BYTES, walk->at) &&
           header_read(bytes, out) &&
           out->size <= walk->size - walk->at - HEADER_BYTES;
}

static enum status walk_begin(int fd, struct walk *out)
{
    struct stat info;

    if (fstat(fd, &info) != 0) {
        return STATUS_IO;
    }
    *out = (struct walk){.fd = fd, .size = (uint64_t)info.st_size};
    return STATUS_OK;
}

/* Headers alone, up to the position: which chunks are there. */
static enum status read_chunks(struct mirror *mirror)
{
    struct walk walk;
    struct header header;
    enum status status = walk_begin(mirror->fd, &walk);

    set_fini(&mirror->chunks);
    if (status != STATUS_OK || walk.size < mirror->position) {
        return status != STATUS_OK ? status : STATUS_CORRUPT;
    }
    walk.size = mirror->position;
    while (status == STATUS_OK && walk.at < walk.size) {
        if (!next_header(&walk, &header)) {
            return STATUS_CORRUPT;
        }
        status = set_reserve(&mirror->chunks);
        if (status == STATUS_OK && header.kind == MIRROR_CHUNK) {
            set_add(&mirror->chunks, &header.hash);
        }
        walk.at += HEADER_BYTES + header.size;
    }
    return status;
}

static enum status tell_entry(const struct walk *walk,
                              const struct header *header,
                              mirror_scan_fn *fn,
                              void *owner,
                              bool *out_whole)
{
    unsigned char *payload = mem_new(header->size + 1);
    struct hash found;
    enum status status = STATUS_OK;

    if (payload == NULL) {
        return STATUS_NO_MEMORY;
    }
    *out_whole =
        read_whole(walk->fd, payload, header->size, walk->at + HEADER_BYTES);
    if (*out_whole) {
        hash_bytes(payload, header->size, &found);
        *out_whole = hash_equal(&found, &header->hash);
    }
    if (*out_whole) {
        status = fn(owner, header->kind, &header->hash, payload, header->size);
    }
    mem_free(payload);
    return status;
}

enum status mirror_scan(const char *path,
                        mirror_scan_fn *fn,
                        void *owner,
                        uint64_t *out_end,
                        uint64_t *out_left)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct walk walk = {.at = 0};
    struct header header;
    bool whole = true;
    enum status status = fd < 0 ? STATUS_NOT_FOUND : walk_begin(fd, &walk);

    while (status == STATUS_OK && whole && next_header(&walk, &header)) {
        status = tell_entry(&walk, &header, fn, owner, &whole);
        if (status == STATUS_OK && whole) {
            walk.at += HEADER_BYTES + header.size;
        }
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    if (status == STATUS_OK && walk.at == 0 && walk.size > 0) {
        return STATUS_CORRUPT;
    }
    if (status == STATUS_OK) {
        *out_end = walk.at;
        *out_left = walk.size - walk.at;
    }
    return status;
}

/* --- Opening --- */

/* One level: a path whose parents are missing too is a slip of the pen. */
static void directory_of(const char *path, char out[PATH_BYTES_MAX])
{
    char *end;

    (void)snprintf(out, PATH_BYTES_MAX, "%s", path);
    end = strrchr(out, '/');
    if (end == NULL) {
        (void)snprintf(out, PATH_BYTES_MAX, ".");
    } else {
        end[end == out ? 1 : 0] = '\0';
    }
}

/* Puts the names of files on the disk. */
static enum status sync_directory(struct mirror *mirror)
{
    char dir[PATH_BYTES_MAX];
    int dir_fd;
    bool synced;

    directory_of(mirror->path, dir);
    dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    synced = dir_fd >= 0 && fsync(dir_fd) == 0;
    if (dir_fd >= 0) {
        (void)close(dir_fd);
    }
    return synced ? STATUS_OK : fail(mirror, "sync");
}

/* One that is there is not made: its disk may not be mounted. */
static enum status open_file(struct mirror *mirror, bool is_new)
{
    char dir[PATH_BYTES_MAX];

    if (is_new) {
        directory_of(mirror->path, dir);
        (void)mkdir(dir, 0700);
    }
    mirror->fd =
        open(mirror->path, O_RDWR | O_CLOEXEC | (is_new ? O_CREAT : 0), 0600);
    return mirror->fd < 0 ? fail(mirror, "open") : sync_directory(mirror);
}

bool mirror_is_gone(const char *path)
{
    char dir[PATH_BYTES_MAX];
    struct stat info;

    if (stat(path, &info) == 0) {
        return S_ISREG(info.st_mode) && info.st_size == 0;
    }
    if (errno != ENOENT) {
        return false;
    }
    directory_of(path, dir);
    return stat(dir, &info) == 0 && S_ISDIR(info.st_mode);
}

enum status mirror_rename(struct mirror *mirror, const char *path)
{
    if (strlen(path) >= PATH_BYTES_MAX) {
        return STATUS_INVALID;
    }
    if (rename(mirror->path, path) != 0) {
        return fail(mirror, "rename");
    }
    (void)snprintf(mirror->path, sizeof(mirror->path), "%s", path);
    return sync_directory(mirror);
}

static enum status count_batch(void *owner,
                               enum mirror_kind kind,
                               const struct hash *hash,
                               const unsigned char *payload,
                               size_t size)
{
    (void)hash;
    (void)payload;
    (void)size;
    *(uint32_t *)owner += kind == MIRROR_BATCH;
    return STATUS_OK;
}

/* A crash leaves one transaction behind the position. Two are of a store that
 * has gone further than this one: its copy, or what it was copied from. */
static enum status check_end(const struct mirror *mirror)
{
    struct walk walk;
    struct header header;
    uint32_t batches = 0;
    bool whole = true;
    enum status status = walk_begin(mirror->fd, &walk);

    walk.at = mirror->position;
    while (status == STATUS_OK && whole && batches < 2 &&
           next_header(&walk, &header)) {
        status = tell_entry(&walk, &header, count_batch, &batches, &whole);
        walk.at += HEADER_BYTES + header.size;
    }
    if (status == STATUS_OK && batches >= 2) {
        return STATUS_STALE;
    }
    return status;
}

/* Position 0 is a new mirror's: it would begin by cutting off what is there. */
static enum status take_over(struct mirror *mirror, uint64_t position)
{
    struct stat info;
    enum status status = STATUS_OK;

    if (fstat(mirror->fd, &info) != 0) {
        return STATUS_IO;
    }
    if (position == 0 && info.st_size > 0) {
        return STATUS_CONFLICT;
    }
    mirror->position = position;
    status = read_chunks(mirror);
    return status == STATUS_OK ? check_end(mirror) : status;
}

static enum status open_all(struct mirror *mirror,
                            const struct mirror_options *options)
{
    enum status status = open_file(mirror, options->position == 0);
    const char *why = strerror(mirror->error);

    if (status == STATUS_OK) {
        status = take_over(mirror, options->position);
        why = status == STATUS_CORRUPT
                  ? "it is not what this store has written, or is damaged. "
                    "Move it away, and resume the job: the mirror is then "
                    "written anew from the store"
              : status == STATUS_CONFLICT ? "it holds a mirror already"
              : status == STATUS_STALE
                  ? "it has gone further than this store, so another copy of "
                    "the store writes it. If that one is lost: cajal rebuild"
                  : status_text(status);
    }
    if (status == STATUS_OK) {
        status = cut_off(mirror);
        why = status_text(status);
    }
    if (status != STATUS_OK) {
        (void)snprintf(options->why, options->why_size,
                       "the mirror %s cannot be opened: %s", options->path,
                       why);
    }
    return status;
}

enum status mirror_open(const struct mirror_options *options,
                        struct mirror **out)
{
    struct mirror *mirror = NULL;
    enum status status = STATUS_OK;

    CHECK(options->why_size > 0);
    options->why[0] = '\0';
    if (strlen(options->path) >= PATH_BYTES_MAX) {
        (void)snprintf(options->why, options->why_size,
                       "the mirror's path is too long");
        return STATUS_INVALID;
    }
    mirror = mem_new(sizeof(*mirror));
    if (mirror == NULL) {
        return STATUS_NO_MEMORY;
    }
    (void)snprintf(mirror->path, sizeof(mirror->path), "%s", options->path);
    mirror->fd = -1;
    status = open_all(mirror, options);
    if (status != STATUS_OK) {
        mirror_close(mirror);
        return status;
    }
    *out = mirror;
    return STATUS_OK;
}

void mirror_close(struct mirror *mirror)
{
    if (mirror == NULL) {
        return;
    }
    if (mirror->fd >= 0) {
        (void)close(mirror->fd);
    }
    set_fini(&mirror->chunks);
    mem_free(mirror);
}
