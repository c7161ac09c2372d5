#include "storage/format.h"

#include "base/bytes.h"

#include <inttypes.h>
#include <stdio.h>

static enum status write_format(struct kv_txn *txn, const struct key *key)
{
    unsigned char bytes[sizeof(uint32_t)];
    struct writer writer;

    writer_init(&writer, bytes, sizeof(bytes));
    write_u32(&writer, FORMAT_NUMBER);
    return kv_put(txn, KV_META, key, bytes, sizeof(bytes));
}

static void explain(const struct kv_options *options, uint32_t format)
{
    if (format == 0) {
        snprintf(options->why, options->why_size,
                 "%s holds an LMDB file that is not a store of Cajal",
                 options->dir);
        return;
    }
    snprintf(options->why, options->why_size,
             "the store in %s has format %" PRIu32
             ", this release reads format %d only",
             options->dir, format, FORMAT_NUMBER);
}

enum status format_check(struct kv_txn *txn,
                         const struct kv_options *options,
                         bool is_new)
{
    const struct key key = key_of_name("format");
    struct kv_value value = {.bytes = NULL, .size = 0};
    struct reader reader;
    uint32_t format = 0;
    enum status status = STATUS_OK;

    if (is_new) {
        return write_format(txn, &key);
    }
    status = kv_get(txn, KV_META, &key, &value);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
        return status;
    }
    reader_init(&reader, value.bytes, value.size);
    format = read_u32(&reader); /* 0 where there is none */
    if (format == FORMAT_NUMBER) {
        return STATUS_OK;
    }
    explain(options, format);
    return STATUS_UNSUPPORTED;
}
