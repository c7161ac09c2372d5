#include "client/safetensors.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/mem.h"

#include <cjson/cJSON.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ALIGNMENT = 8, SIZE_BYTES = 8, ELEMENT_BYTES = 4 };

/* The format's own bound on a header. */
static const size_t HEADER_BYTES_MAX = 100000000;

/* Of one tensor: where its bytes begin after the header, how many there are,
 * and how many have come. */
struct range {
    uint64_t begin;
    uint64_t size;
    uint64_t written;
};

struct safetensors {
    char path[PATH_BYTES_MAX];
    char temporary[PATH_BYTES_MAX];
    int fd;
    struct range *ranges;
    size_t ranges_count;
    uint64_t data_at; /* of the first byte after the header */
    uint64_t data_size;
};

static enum status failure(void)
{
    return errno == ENOSPC || errno == EDQUOT ? STATUS_FULL : STATUS_IO;
}

static enum status write_at(int fd, uint64_t at, const void *bytes, size_t size)
{
    const unsigned char *next = bytes;

    while (size > 0) {
        ssize_t count = pwrite(fd, next, size, (off_t)at);

        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return failure();
        }
        next += count;
        at += (uint64_t)count;
        size -= (size_t)count;
    }
    return STATUS_OK;
}

/* Lays the tensors one after the other. */
static enum status lay_out(struct safetensors *file,
                           const struct safetensors_options *options)
{
    uint64_t at = 0;

    for (size_t i = 0; i < options->tensors_count; i++) {
        const struct safetensor *tensor = &options->tensors[i];
        uint64_t size = ELEMENT_BYTES;

        if (tensor->rank > SAFETENSORS_RANK_MAX) {
            return STATUS_INVALID;
        }
        for (unsigned d = 0; d < tensor->rank; d++) {
            if (tensor->shape[d] > 0 &&
                size > (uint64_t)INT64_MAX / tensor->shape[d]) {
                return STATUS_INVALID;
            }
            size *= tensor->shape[d];
        }
        if (size > (uint64_t)INT64_MAX / 2 - at) {
            return STATUS_INVALID;
        }
        file->ranges[i] = (struct range){.begin = at, .size = size};
        at += size;
    }
    file->data_size = at;
    return STATUS_OK;
}

static void add_tensor(cJSON *header,
                       const struct safetensor *tensor,
                       const struct range *range)
{
    cJSON *entry = cJSON_AddObjectToObject(header, tensor->name);
    cJSON *shape = NULL;
    cJSON *offsets = NULL;

    (void)cJSON_AddStringToObject(entry, "dtype", "F32");
    shape = cJSON_AddArrayToObject(entry, "shape");
    for (unsigned d = 0; d < tensor->rank; d++) {
        (void)cJSON_AddItemToArray(
            shape, cJSON_CreateNumber((double)tensor->shape[d]));
    }
    offsets = cJSON_AddArrayToObject(entry, "data_offsets");
    (void)cJSON_AddItemToArray(offsets,
                               cJSON_CreateNumber((double)range->begin));
    (void)cJSON_AddItemToArray(
        offsets, cJSON_CreateNumber((double)(range->begin + range->size)));
}

/* The header's JSON; cJSON_free. */
static char *header_text(const struct safetensors *file,
                         const struct safetensors_options *options)
{
    cJSON *header = cJSON_CreateObject();
    cJSON *texts = NULL;
    char *text = NULL;

    if (options->texts_count > 0) {
        texts = cJSON_AddObjectToObject(header, "__metadata__");
    }
    for (size_t i = 0; i < options->texts_count; i++) {
        (void)cJSON_AddStringToObject(texts, options->texts[i].key,
                                      options->texts[i].value);
    }
    for (size_t i = 0; i < options->tensors_count; i++) {
        add_tensor(header, &options->tensors[i], &file->ranges[i]);
    }
    text = cJSON_PrintUnformatted(header);
    cJSON_Delete(header);
    return text;
}

static enum status write_header(struct safetensors *file,
                                const struct safetensors_options *options)
{
    unsigned char prefix[SIZE_BYTES];
    static const char spaces[ALIGNMENT] = "       ";
    struct writer writer;
    enum status status = STATUS_OK;
    char *text = header_text(file, options);
    size_t size = 0;
    size_t padding = 0;

    if (text == NULL) {
        return STATUS_NO_MEMORY;
    }
    size = strlen(text);
    padding = (ALIGNMENT - size % ALIGNMENT) % ALIGNMENT;
    file->data_at = SIZE_BYTES + size + padding;
    writer_init(&writer, prefix, sizeof(prefix));
    write_u64(&writer, size + padding);
    if (size + padding > HEADER_BYTES_MAX) {
        status = STATUS_INVALID;
    }
    if (status == STATUS_OK) {
        status = write_at(file->fd, 0, prefix, sizeof(prefix));
    }
    if (status == STATUS_OK) {
        status = write_at(file->fd, SIZE_BYTES, text, size);
    }
    if (status == STATUS_OK) {
        status = write_at(file->fd, SIZE_BYTES + size, spaces, padding);
    }
    cJSON_free(text);
    return status;
}

/* "FILE" and "FILE.tmp" */
static enum status set_paths(struct safetensors *file, const char *path)
{
    int count =
        snprintf(file->temporary, sizeof(file->temporary), "%s.tmp", path);

    if (count < 0 || (size_t)count >= sizeof(file->temporary)) {
        return STATUS_INVALID;
    }
    (void)snprintf(file->path, sizeof(file->path), "%s", path);
    return STATUS_OK;
}

enum status safetensors_open(const char *path,
                             const struct safetensors_options *options,
                             struct safetensors **out)
{
    enum status status = STATUS_NO_MEMORY;
    struct safetensors *file = mem_new(sizeof(*file));

    if (file == NULL) {
        return status;
    }
    file->fd = -1;
    file->ranges = mem_array(options->tensors_count, sizeof(*file->ranges));
    file->ranges_count = options->tensors_count;
    if (file->ranges == NULL) {
        goto fail;
    }
    status = set_paths(file, path);
    if (status != STATUS_OK) {
        goto fail;
    }
    status = lay_out(file, options);
    if (status != STATUS_OK) {
        goto fail;
    }
    file->fd =
        open(file->temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file->fd < 0) {
        status = failure();
        goto fail;
    }
    status = write_header(file, options);
    if (status != STATUS_OK) {
        goto fail;
    }
    *out = file;
    return STATUS_OK;

fail:
    safetensors_close(file);
    return status;
}

enum status safetensors_write(struct safetensors *file,
                              size_t tensor,
                              uint64_t offset,
                              const void *bytes,
                              size_t size)
{
    struct range *range = NULL;
    enum status status = STATUS_OK;

    CHECK(tensor < file->ranges_count);
    range = &file->ranges[tensor];
    if (offset != range->written || size > range->size - range->written) {
        return STATUS_INVALID;
    }
    status =
        write_at(file->fd, file->data_at + range->begin + offset, bytes, size);
    if (status == STATUS_OK) {
        range->written += size;
    }
    return status;
}

/* The new name must be durable too, which is the directory's affair. */
static enum status sync_directory(const char *path)
{
    char directory[PATH_BYTES_MAX];
    char *slash = NULL;
    enum status status = STATUS_OK;
    int fd = -1;

    (void)snprintf(directory, sizeof(directory), "%s", path);
    slash = strrchr(directory, '/');
    if (slash == NULL) {
        (void)snprintf(directory, sizeof(directory), ".");
    } else {
        slash[slash == directory ? 1 : 0] = '\0';
    }
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return failure();
    }
    /* Some filesystems cannot sync a directory and need not. */
    if (fsync(fd) != 0 && errno != EINVAL) {
        status = failure();
    }
    (void)close(fd);
    return status;
}

enum status safetensors_finish(struct safetensors *file)
{
    for (size_t i = 0; i < file->ranges_count; i++) {
        if (file->ranges[i].written != file->ranges[i].size) {
            return STATUS_INVALID;
        }
    }
    if (fsync(file->fd) != 0) {
        return failure();
    }
    if (rename(file->temporary, file->path) != 0) {
        return failure();
    }
    file->temporary[0] = '\0';
    return sync_directory(file->path);
}

void safetensors_close(struct safetensors *file)
{
    if (file == NULL) {
        return;
    }
    if (file->fd >= 0) {
        (void)close(file->fd);
        if (file->temporary[0] != '\0') {
            (void)unlink(file->temporary);
        }
    }
    mem_free(file->ranges);
    mem_free(file);
}

uint64_t safetensors_bytes(const struct safetensors *file)
{
    return file->data_at + file->data_size;
}
