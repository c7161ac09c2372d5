#include "storage/datafile.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    /* Two header pages of at least 4096 bytes. */
    HEADER_BYTES = 2 * 4096,
    /* | page number 8, always 0 | 8 more | magic 4 | */
    MAGIC_AT = 16,
    MAGIC_END = MAGIC_AT + 4
};

static const uint32_t magic = 0xBEEFC0DE;

static void path_of(const char *dir, char *out, size_t size)
{
    snprintf(out, size, "%s/data.mdb", dir);
}

uint64_t datafile_bytes(const char *dir)
{
    char path[PATH_BYTES_MAX + sizeof("/data.mdb")];
    struct stat file;

    path_of(dir, path, sizeof(path));
    return stat(path, &file) == 0 ? (uint64_t)file.st_size : 0;
}

/* Whether count bytes, all there are of a file, can be LMDB's beginning. */
static bool is_header_start(const unsigned char *bytes, size_t count)
{
    struct reader reader;

    for (size_t i = 0; i < count && i < 8; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    if (count < MAGIC_END) {
        return true;
    }
    reader_init(&reader, bytes + MAGIC_AT, MAGIC_END - MAGIC_AT);
    return read_u32(&reader) == magic;
}

int datafile_drop_half_made(const char *dir)
{
    char path[PATH_BYTES_MAX + sizeof("/data.mdb")];
    unsigned char bytes[MAGIC_END];
    uint64_t size = datafile_bytes(dir);
    ssize_t count = 0;
    int fd = -1;
    int code = 0;

    if (size == 0 || size >= HEADER_BYTES) {
        return 0;
    }
    path_of(dir, path, sizeof(path));
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return errno;
    }
    count = pread(fd, bytes, sizeof(bytes), 0);
    if (count > 0 && is_header_start(bytes, (size_t)count)) {
        log_line(LOG_WARN, "storage", "half_made_file_emptied",
                 "dir=%s bytes=%" PRIu64, dir, size);
        code = ftruncate(fd, 0) == 0 ? 0 : errno;
    }
    close(fd);
    return code;
}

int datafile_pad(int fd, uint64_t bytes)
{
    struct stat file;

    if (fstat(fd, &file) != 0) {
        return errno;
    }
    if ((uint64_t)file.st_size >= bytes) {
        return 0;
    }
    log_line(LOG_WARN, "storage", "file_short", "bytes=%jd wanted=%" PRIu64,
             (intmax_t)file.st_size, bytes);
    return ftruncate(fd, (off_t)bytes) == 0 ? 0 : errno;
}

bool datafile_can_map(int fd, uint64_t bytes)
{
    void *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);

    if (map == MAP_FAILED) {
        return false;
    }
    munmap(map, bytes);
    return true;
}
