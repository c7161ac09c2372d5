#include "worker/data/unpacked.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/limits.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum {
    /* Behind the bytes, so that these are aligned: format, five words that
     * name the source, size of the bytes, checksum. */
    FACTS_BYTES = 7 * 8,
    TRAILER_BYTES = FACTS_BYTES + 8,
    SETTLED_S = 2,
    FILE_BYTES_MAX = PATH_BYTES_MAX + NAME_BYTES_MAX
};

static const uint64_t FORMAT = UINT64_C(0x3130706e556a6143); /* "CajUnp01" */
static const uint64_t BYTES_MAX = UINT64_C(4) << 30;
static const char PREFIX[] = "unpacked-";

static uint64_t nanoseconds(struct timespec t)
{
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void write_facts(const struct stat *source,
                        size_t size,
                        uint8_t out[FACTS_BYTES])
{
    struct writer writer;

    writer_init(&writer, out, FACTS_BYTES);
    write_u64(&writer, FORMAT);
    write_u64(&writer, (uint64_t)source->st_dev);
    write_u64(&writer, (uint64_t)source->st_ino);
    write_u64(&writer, (uint64_t)source->st_size);
    write_u64(&writer, nanoseconds(source->st_mtim));
    write_u64(&writer, nanoseconds(source->st_ctim));
    write_u64(&writer, size);
}

static uint64_t sum_of(const uint8_t facts[FACTS_BYTES],
                       const void *bytes,
                       size_t size)
{
    return checksum_bytes(checksum_bytes(0, facts, FACTS_BYTES), bytes, size);
}

/* The name is bound to the source; `suffix` tells one that is being written.
 * False: the path is too long. */
static bool name_file(const char *dir,
                      const struct stat *source,
                      const char *suffix,
                      char out[FILE_BYTES_MAX])
{
    uint8_t facts[FACTS_BYTES];
    int length;

    write_facts(source, 0, facts);
    length = snprintf(out, FILE_BYTES_MAX, "%s/%s%016" PRIx64 "%s", dir, PREFIX,
                      checksum_bytes(0, facts, sizeof(facts)), suffix);
    return length > 0 && length < FILE_BYTES_MAX;
}

/* Mapping */

/* Nobody else can have written it, nor write it now. */
static bool is_ours(const struct stat *facts)
{
    return S_ISREG(facts->st_mode) && facts->st_uid == geteuid() &&
           (facts->st_mode & (S_IWGRP | S_IWOTH)) == 0 &&
           facts->st_size > TRAILER_BYTES &&
           (uint64_t)facts->st_size <= BYTES_MAX + TRAILER_BYTES;
}

static bool is_sound(const struct stat *source, const struct unpacked *u)
{
    const uint8_t *trailer = u->bytes + u->size;
    uint8_t facts[FACTS_BYTES];
    struct reader reader;

    write_facts(source, u->size, facts);
    if (memcmp(facts, trailer, FACTS_BYTES) != 0) {
        return false;
    }
    reader_init(&reader, trailer + FACTS_BYTES, TRAILER_BYTES - FACTS_BYTES);
    return read_u64(&reader) == sum_of(facts, u->bytes, u->size);
}

static bool map_open_file(int fd, struct unpacked *out)
{
    struct stat facts;
    void *memory;

    if (fstat(fd, &facts) != 0 || !is_ours(&facts)) {
        return false;
    }
    out->mapped = (size_t)facts.st_size;
    out->size = out->mapped - TRAILER_BYTES;
    memory = mmap(NULL, out->mapped, PROT_READ, MAP_PRIVATE, fd, 0);
    out->bytes = memory == MAP_FAILED ? NULL : memory;
    return out->bytes != NULL;
}

bool unpacked_map(const char *dir,
                  const struct stat *source,
                  struct unpacked *out)
{
    struct unpacked found = {.bytes = NULL};
    char path[FILE_BYTES_MAX];
    bool good;
    int fd;

    if (dir == NULL || !name_file(dir, source, "", path)) {
        return false;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return false;
    }
    good = map_open_file(fd, &found) && is_sound(source, &found);
    (void)close(fd);
    if (!good) {
        unpacked_unmap(&found);
        (void)unlink(path);
        return false;
    }
    *out = found;
    return true;
}

void unpacked_unmap(struct unpacked *unpacked)
{
    if (unpacked->bytes != NULL) {
        (void)munmap(unpacked->bytes, unpacked->mapped);
    }
    *unpacked = (struct unpacked){.bytes = NULL};
}

/* Keeping */

static bool is_kept(const struct dirent *entry)
{
    return strncmp(entry->d_name, PREFIX, sizeof(PREFIX) - 1) == 0;
}

/* How many are kept, and the path of the oldest. */
static unsigned count_files(const char *dir, char oldest[FILE_BYTES_MAX])
{
    char path[FILE_BYTES_MAX];
    DIR *entries = opendir(dir);
    const struct dirent *entry;
    uint64_t least = UINT64_MAX;
    unsigned count = 0;

    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        struct stat facts;

        if (!is_kept(entry) ||
            snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name) >=
                (int)sizeof(path) ||
            lstat(path, &facts) != 0) {
            continue;
        }
        count++;
        if (nanoseconds(facts.st_mtim) < least) {
            least = nanoseconds(facts.st_mtim);
            memcpy(oldest, path, FILE_BYTES_MAX);
        }
    }
    if (entries != NULL) {
        (void)closedir(entries);
    }
    return count;
}

static void make_room(const char *dir, unsigned files_max)
{
    char oldest[FILE_BYTES_MAX] = "";
    unsigned count = count_files(dir, oldest);

    while (count > files_max && unlink(oldest) == 0) {
        count = count_files(dir, oldest);
    }
}

static bool has_room(const char *dir, size_t size)
{
    struct statvfs disk;

    return statvfs(dir, &disk) == 0 &&
           (uint64_t)disk.f_bavail * disk.f_frsize / UNPACKED_FREE_SHARE > size;
}

static bool write_all(int fd, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        const ssize_t wrote = write(fd, bytes, size);

        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote <= 0) {
            return false;
        }
        bytes += wrote;
        size -= (size_t)wrote;
    }
    return true;
}

static bool write_file(const char *path,
                       const struct stat *source,
                       const void *bytes,
                       size_t size)
{
    uint8_t trailer[TRAILER_BYTES];
    struct writer writer;
    bool good;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                  S_IRUSR);

    if (fd < 0) {
        return false;
    }
    write_facts(source, size, trailer);
    writer_init(&writer, trailer + FACTS_BYTES, TRAILER_BYTES - FACTS_BYTES);
    write_u64(&writer, sum_of(trailer, bytes, size));
    good =
        write_all(fd, bytes, size) && write_all(fd, trailer, sizeof(trailer));
    return close(fd) == 0 && good;
}

static bool has_settled(const struct stat *source)
{
    return time(NULL) - source->st_mtim.tv_sec >= SETTLED_S;
}

bool unpacked_keep(const char *dir,
                   const struct stat *source,
                   const void *bytes,
                   size_t size)
{
    char suffix[32];
    char making[FILE_BYTES_MAX];
    char path[FILE_BYTES_MAX];

    (void)snprintf(suffix, sizeof(suffix), ".%ld", (long)getpid());
    if (dir == NULL || size == 0 || !has_settled(source) ||
        !has_room(dir, size) || !name_file(dir, source, suffix, making) ||
        !name_file(dir, source, "", path)) {
        return false;
    }
    make_room(dir, UNPACKED_FILES_MAX - 1);
    (void)unlink(making); /* of a process that had this number and died */
    if (!write_file(making, source, bytes, size) || rename(making, path) != 0) {
        (void)unlink(making);
        return false;
    }
    return true;
}

void unpacked_clear(const char *dir)
{
    if (dir != NULL) {
        make_room(dir, 0);
    }
}
