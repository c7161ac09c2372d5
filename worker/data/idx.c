#include "worker/data/idx.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "base/mem.h"
#define ZLIB_CONST /* next_in is only read */
#include <zlib.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TYPE_UNSIGNED_BYTE = 8,
    MAGIC_BYTES = 4,
    HEADER_BYTES_MAX = MAGIC_BYTES + 4 * IDX_RANK_MAX,
    FILE_PATH_BYTES_MAX = PATH_BYTES_MAX + NAME_BYTES_MAX,
    /* Window bits of zlib: 15 is the largest window, 16 asks for gzip. */
    GZIP_WINDOW = 15 + 16,
    /* Deflate's best: 258 bytes from a length code and a distance code of one
     * bit each (zlib's technical page says 1032:1). */
    DEFLATE_RATIO_MAX = 1032,
    /* zlib counts in 32 bits, so larger memory is handed over in pieces. */
    ZLIB_PIECE_BYTES = 1 << 30
};

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Checks the first four bytes and gives the rank. */
static enum status parse_magic(const uint8_t *bytes,
                               size_t size,
                               const char *name,
                               struct why *why,
                               uint32_t *out_rank)
{
    if (size < MAGIC_BYTES) {
        return why_say(why, STATUS_CORRUPT,
                       "%s is truncated: %zu of the 4 bytes that an IDX file "
                       "begins with",
                       name, size);
    }
    if (bytes[0] != 0 || bytes[1] != 0) {
        return why_say(why, STATUS_CORRUPT,
                       "%s is not an IDX file: it begins with %02x %02x where "
                       "the format has 00 00",
                       name, bytes[0], bytes[1]);
    }
    if (bytes[2] != TYPE_UNSIGNED_BYTE) {
        return why_say(why, STATUS_CORRUPT,
                       "%s has type code 0x%02x, but only 0x08 (unsigned "
                       "bytes) can be read",
                       name, bytes[2]);
    }
    if (bytes[3] < 1 || bytes[3] > IDX_RANK_MAX) {
        return why_say(why, STATUS_CORRUPT,
                       "%s has %u dimensions, but only 1 to %d can be read",
                       name, bytes[3], IDX_RANK_MAX);
    }
    *out_rank = bytes[3];
    return STATUS_OK;
}

/* Reads the header from the first bytes of a file; the items need not be
 * there. out's items point behind the header. */
static enum status parse_header(const uint8_t *bytes,
                                size_t size,
                                const char *name,
                                struct why *why,
                                struct idx *out)
{
    struct idx idx = {.dims = {1, 1, 1, 1}, .items_count = 1};
    struct reader reader;
    size_t header_bytes;
    enum status status = parse_magic(bytes, size, name, why, &idx.rank);

    if (status != STATUS_OK) {
        return status;
    }
    header_bytes = MAGIC_BYTES + 4 * (size_t)idx.rank;
    if (size < header_bytes) {
        return why_say(why, STATUS_CORRUPT,
                       "%s is truncated: %zu of the %zu bytes of its header",
                       name, size, header_bytes);
    }
    reader_init(&reader, bytes + MAGIC_BYTES, header_bytes - MAGIC_BYTES);
    for (uint32_t i = 0; i < idx.rank; i++) {
        const uint32_t dim = read_u32_be(&reader);

        if (dim != 0 && idx.items_count > IDX_BYTES_MAX / dim) {
            idx.items_count = UINT64_MAX; /* refused below */
            break;
        }
        idx.dims[i] = dim;
        idx.items_count *= dim;
    }
    if (idx.items_count > IDX_BYTES_MAX - header_bytes) {
        return why_say(why, STATUS_INVALID,
                       "%s says that it holds more than the %" PRIu64
                       " bytes that can be read",
                       name, IDX_BYTES_MAX);
    }
    idx.items = bytes + header_bytes;
    *out = idx;
    return STATUS_OK;
}

/* Bytes of the whole file; base is what parse_header was given. */
static size_t whole_size(const struct idx *idx, const uint8_t *base)
{
    return (size_t)(idx->items - base) + (size_t)idx->items_count;
}

static enum status say_truncated(struct why *why,
                                 const char *name,
                                 size_t size,
                                 size_t whole)
{
    return why_say(why, STATUS_CORRUPT, "%s is truncated: %zu of %zu bytes",
                   name, size, whole);
}

static enum status say_trailing(struct why *why, const char *name, size_t whole)
{
    return why_say(why, STATUS_CORRUPT,
                   "%s has trailing bytes after the %zu that its header says",
                   name, whole);
}

static enum status say_no_memory(struct why *why, const char *name, size_t size)
{
    return why_say(why, STATUS_NO_MEMORY, "%s needs %zu bytes of memory", name,
                   size);
}

enum status idx_parse(const void *bytes,
                      size_t size,
                      const char *name,
                      struct why *why,
                      struct idx *out)
{
    struct idx idx;
    size_t whole;
    enum status status = parse_header(bytes, size, name, why, &idx);

    if (status != STATUS_OK) {
        return status;
    }
    whole = whole_size(&idx, bytes);
    if (size < whole) {
        return say_truncated(why, name, size, whole);
    }
    if (size > whole) {
        return say_trailing(why, name, whole);
    }
    *out = idx;
    return STATUS_OK;
}

struct unpacker {
    z_stream z;
    const uint8_t *next; /* what zlib has not been given yet */
    size_t left;
    bool ended; /* between two members, or behind the last one */
};

static void *unpacker_alloc(void *owner, unsigned count, unsigned size)
{
    (void)owner;
    return mem_array(count, size);
}

static void unpacker_free(void *owner, void *memory)
{
    (void)owner;
    mem_free(memory);
}

static void unpacker_feed(struct unpacker *u)
{
    const size_t piece = least(u->left, ZLIB_PIECE_BYTES);

    if (u->z.avail_in > 0) {
        return;
    }
    u->z.next_in = u->next;
    u->z.avail_in = (uInt)piece;
    u->next += piece;
    u->left -= piece;
}

/* Unpacks up to want bytes; fewer only at the end of the packed bytes, be it
 * the right one (u->ended) or not. RFC 1952: a file is one or more members. */
static enum status unpacker_read(struct unpacker *u,
                                 uint8_t *to,
                                 size_t want,
                                 size_t *out_got)
{
    size_t got = 0;
    int code = Z_OK;

    while (got < want && code != Z_BUF_ERROR) {
        const size_t room = least(want - got, ZLIB_PIECE_BYTES);

        unpacker_feed(u);
        if (u->ended) {
            if (u->z.avail_in == 0) {
                break;
            }
            u->ended = false;
            if (inflateReset(&u->z) != Z_OK) {
                return STATUS_CORRUPT;
            }
        }
        u->z.next_out = to + got;
        u->z.avail_out = (uInt)room;
        code = inflate(&u->z, Z_NO_FLUSH);
        got += room - u->z.avail_out;
        if (code == Z_STREAM_END) {
            u->ended = true;
        } else if (code == Z_MEM_ERROR) {
            return STATUS_NO_MEMORY;
        } else if (code != Z_OK && code != Z_BUF_ERROR) {
            return STATUS_CORRUPT;
        }
    }
    *out_got = got;
    return STATUS_OK;
}

/* Says what unpacker_read found. */
static enum status say_unpacker(struct why *why,
                                const char *name,
                                const struct unpacker *u,
                                enum status status)
{
    if (status == STATUS_NO_MEMORY) {
        return why_say(why, status, "%s needs memory to be unpacked", name);
    }
    return why_say(why, STATUS_CORRUPT, "%s is not sound gzip data: %s", name,
                   u->z.msg != NULL ? u->z.msg : "unknown reason");
}

/* After the last byte wanted there must be the end, with a sum that fits. */
static enum status check_end(struct unpacker *u,
                             const char *name,
                             size_t whole,
                             struct why *why)
{
    uint8_t extra;
    size_t got = 0;
    enum status status = unpacker_read(u, &extra, 1, &got);

    if (status != STATUS_OK) {
        return say_unpacker(why, name, u, status);
    }
    if (got > 0) {
        return say_trailing(why, name, whole);
    }
    if (!u->ended) {
        return why_say(why, STATUS_CORRUPT,
                       "%s is truncated: all of its %zu bytes can be "
                       "unpacked, but the check sum is missing",
                       name, whole);
    }
    return STATUS_OK;
}

/* Memory for the whole file, once it is known that packed_size bytes could
 * hold as much: a lying header must not cost memory. */
static enum status make_room(size_t packed_size,
                             size_t whole,
                             const char *name,
                             struct why *why,
                             uint8_t **out)
{
    uint8_t *bytes;

    if (whole / DEFLATE_RATIO_MAX > packed_size) {
        return why_say(why, STATUS_CORRUPT,
                       "%s is truncated: its %zu bytes are too few to hold "
                       "the %zu that its header says",
                       name, packed_size, whole);
    }
    bytes = mem_new(whole);
    if (bytes == NULL) {
        return say_no_memory(why, name, whole);
    }
    *out = bytes;
    return STATUS_OK;
}

static enum status unpack(struct unpacker *u,
                          const char *name,
                          struct why *why,
                          uint8_t **bytes,
                          size_t *out_size)
{
    uint8_t head[HEADER_BYTES_MAX];
    const size_t packed_size = u->left;
    struct idx idx;
    size_t whole;
    size_t got = 0;
    size_t first;
    enum status status = unpacker_read(u, head, sizeof(head), &got);

    if (status != STATUS_OK) {
        return say_unpacker(why, name, u, status);
    }
    status = parse_header(head, got, name, why, &idx);
    if (status != STATUS_OK) {
        return status;
    }
    whole = whole_size(&idx, head);
    if (got > whole) { /* a file shorter than the longest header */
        return say_trailing(why, name, whole);
    }
    status = make_room(packed_size, whole, name, why, bytes);
    if (status != STATUS_OK) {
        return status;
    }
    memcpy(*bytes, head, got);
    first = got;
    status = unpacker_read(u, *bytes + first, whole - first, &got);
    if (status != STATUS_OK) {
        return say_unpacker(why, name, u, status);
    }
    if (first + got < whole) {
        return say_truncated(why, name, first + got, whole);
    }
    *out_size = whole;
    return check_end(u, name, whole, why);
}

enum status idx_unpack(const void *packed,
                       size_t size,
                       const char *name,
                       struct why *why,
                       struct idx_file *out)
{
    struct unpacker u = {
        .z = {.zalloc = unpacker_alloc, .zfree = unpacker_free},
        .next = packed,
        .left = size,
    };
    struct idx_file file = {.bytes = NULL};
    enum status status;

    if (inflateInit2(&u.z, GZIP_WINDOW) != Z_OK) {
        return say_unpacker(why, name, &u, STATUS_NO_MEMORY);
    }
    status = unpack(&u, name, why, &file.bytes, &file.size);
    (void)inflateEnd(&u.z);
    if (status == STATUS_OK) {
        status = idx_parse(file.bytes, file.size, name, why, &file.idx);
    }
    if (status != STATUS_OK) {
        mem_free(file.bytes);
        return status;
    }
    *out = file;
    return STATUS_OK;
}

/* Reads size bytes; a file that has become shorter since is an error. */
static enum status read_all(
    int fd, const char *path, uint8_t *bytes, size_t size, struct why *why)
{
    size_t at = 0;

    while (at < size) {
        const ssize_t got = read(fd, bytes + at, size - at);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return why_say(why, STATUS_IO, "%s cannot be read: %s", path,
                           strerror(errno));
        }
        if (got == 0) {
            return why_say(why, STATUS_IO,
                           "%s became shorter while it was read", path);
        }
        at += (size_t)got;
    }
    return STATUS_OK;
}

/* What an open file is, if it is one that can be read whole. */
static enum status measure(int fd,
                           const char *path,
                           struct why *why,
                           struct stat *out)
{
    struct stat facts;

    if (fstat(fd, &facts) != 0) {
        return why_say(why, STATUS_IO, "%s cannot be read: %s", path,
                       strerror(errno));
    }
    if (!S_ISREG(facts.st_mode)) {
        return why_say(why, STATUS_INVALID, "%s is not a regular file", path);
    }
    if ((uint64_t)facts.st_size > IDX_BYTES_MAX) {
        return why_say(why, STATUS_INVALID,
                       "%s holds more than the %" PRIu64
                       " bytes that can be read",
                       path, IDX_BYTES_MAX);
    }
    *out = facts;
    return STATUS_OK;
}

/* NOT_FOUND leaves why alone: the caller may have another name to try. */
static enum status open_file(const char *path,
                             struct why *why,
                             int *out_fd,
                             struct stat *out)
{
    enum status status;
    /* Not blocking: a pipe in a data set's place must not hang the worker. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        return STATUS_NOT_FOUND;
    }
    if (fd < 0) {
        return why_say(why, STATUS_IO, "%s cannot be opened: %s", path,
                       strerror(errno));
    }
    status = measure(fd, path, why, out);
    if (status != STATUS_OK) {
        (void)close(fd);
        return status;
    }
    *out_fd = fd;
    return STATUS_OK;
}

static enum status load(
    int fd, const char *path, size_t size, struct why *why, uint8_t **out)
{
    uint8_t *bytes = mem_new(size);
    enum status status;

    if (bytes == NULL) {
        return say_no_memory(why, path, size);
    }
    status = read_all(fd, path, bytes, size, why);
    if (status != STATUS_OK) {
        mem_free(bytes);
        return status;
    }
    *out = bytes;
    return STATUS_OK;
}

static enum status load_plain(struct idx_file *file,
                              const char *path,
                              struct why *why)
{
    struct idx_file loaded = {.bytes = NULL};
    struct stat facts;
    int fd = -1;
    enum status status = open_file(path, why, &fd, &facts);

    if (status != STATUS_OK) {
        return status;
    }
    loaded.size = (size_t)facts.st_size;
    status = load(fd, path, loaded.size, why, &loaded.bytes);
    (void)close(fd);
    if (status == STATUS_OK) {
        status = idx_parse(loaded.bytes, loaded.size, path, why, &loaded.idx);
    }
    if (status != STATUS_OK) {
        mem_free(loaded.bytes);
        return status;
    }
    *file = loaded;
    return STATUS_OK;
}

/* The bytes that somebody inflated before, if they are kept and an IDX file. */
static bool load_kept(struct idx_file *file,
                      const char *cache,
                      const struct stat *source,
                      const char *path)
{
    struct why ignored = {.text = NULL};
    struct idx_file kept = {.bytes = NULL};

    if (!unpacked_map(cache, source, &kept.kept)) {
        return false;
    }
    kept.bytes = kept.kept.bytes;
    kept.size = kept.kept.size;
    if (idx_parse(kept.bytes, kept.size, path, &ignored, &kept.idx) !=
        STATUS_OK) {
        unpacked_unmap(&kept.kept);
        return false;
    }
    *file = kept;
    return true;
}

static enum status inflate_file(struct idx_file *file,
                                int fd,
                                const struct stat *source,
                                const char *path,
                                struct why *why)
{
    const size_t size = (size_t)source->st_size;
    uint8_t *packed = NULL;
    enum status status = load(fd, path, size, why, &packed);

    if (status != STATUS_OK) {
        return status;
    }
    status = idx_unpack(packed, size, path, why, file);
    mem_free(packed);
    return status;
}

/* Once the file is kept, the pages of the cache take the place of our own, so
 * that all workers of a host share them. */
static enum status load_packed(struct idx_file *file,
                               const char *cache,
                               const char *path,
                               struct why *why)
{
    struct idx_file own = {.bytes = NULL};
    struct stat source;
    int fd = -1;
    enum status status = open_file(path, why, &fd, &source);

    if (status != STATUS_OK) {
        return status;
    }
    if (!load_kept(file, cache, &source, path)) {
        status = inflate_file(&own, fd, &source, path, why);
        if (status == STATUS_OK &&
            unpacked_keep(cache, &source, own.bytes, own.size) &&
            load_kept(file, cache, &source, path)) {
            idx_file_fini(&own);
        } else if (status == STATUS_OK) {
            *file = own;
        }
    }
    (void)close(fd);
    return status;
}

enum status idx_file_init(struct idx_file *file,
                          const struct idx_place *place,
                          const char *name,
                          struct why *why)
{
    char path[FILE_PATH_BYTES_MAX];
    enum status status;
    int length = snprintf(path, sizeof(path), "%s/%s.gz", place->dir, name);

    if (length < 0 || (size_t)length >= sizeof(path)) {
        return why_say(why, STATUS_INVALID, "the path of %s is too long", name);
    }
    path[length - 3] = '\0'; /* without .gz first */
    status = load_plain(file, path, why);
    if (status != STATUS_NOT_FOUND) {
        return status;
    }
    path[length - 3] = '.';
    status = load_packed(file, place->cache, path, why);
    if (status == STATUS_NOT_FOUND) {
        return why_say(why, status,
                       "%s/%s: no such file, neither plain nor as .gz",
                       place->dir, name);
    }
    return status;
}

void idx_file_fini(struct idx_file *file)
{
    if (file->kept.bytes == NULL) {
        mem_free(file->bytes);
    }
    unpacked_unmap(&file->kept);
    *file = (struct idx_file){.bytes = NULL};
}
