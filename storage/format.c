#include "storage/format.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { RELEASE_BYTES_MAX = 32 };

static enum status write_number(struct kv_txn *txn, uint32_t number)
{
    const struct key key = key_of_name("format");
    unsigned char bytes[sizeof(uint32_t)];
    struct writer writer;

    writer_init(&writer, bytes, sizeof(bytes));
    write_u32(&writer, number);
    return kv_put(txn, KV_META, &key, bytes, sizeof(bytes));
}

/* For the sentence that an older release says when it meets this store. */
static enum status write_release(struct kv_txn *txn)
{
    const struct key key = key_of_name("release");

    return kv_put(txn, KV_META, &key, CAJAL_VERSION, strlen(CAJAL_VERSION));
}

/* Printable and short, or it is not told. */
static void read_release(struct kv_txn *txn, char out[RELEASE_BYTES_MAX])
{
    const struct key key = key_of_name("release");
    struct kv_value value;

    out[0] = '\0';
    if (kv_get(txn, KV_META, &key, &value) != STATUS_OK ||
        value.size >= RELEASE_BYTES_MAX) {
        return;
    }
    for (size_t i = 0; i < value.size; i++) {
        if (value.bytes[i] <= ' ' || value.bytes[i] > '~') {
            return;
        }
    }
    memcpy(out, value.bytes, value.size);
    out[value.size] = '\0';
}

static void explain_newer(struct kv_txn *txn,
                          const struct kv_options *options,
                          uint32_t format)
{
    char release[RELEASE_BYTES_MAX];

    read_release(txn, release);
    if (release[0] == '\0') {
        memcpy(release, "of later", sizeof("of later"));
    }
    snprintf(options->why, options->why_size,
             "the store in %s has format %" PRIu32
             ", written by release %s; this one, %s, reads formats up to %d. "
             "Use release %s or a newer one",
             options->dir, format, release, CAJAL_VERSION, FORMAT_NUMBER,
             release);
}

static void explain(struct kv_txn *txn,
                    const struct kv_options *options,
                    uint32_t format)
{
    if (format == 0) {
        snprintf(options->why, options->why_size,
                 "%s holds an LMDB file that is not a store of Cajal",
                 options->dir);
    } else if (format > FORMAT_NUMBER) {
        explain_newer(txn, options, format);
    } else {
        snprintf(options->why, options->why_size,
                 "the store in %s has format %" PRIu32
                 " and must be brought up to %d first, by opening it",
                 options->dir, format, FORMAT_NUMBER);
    }
}

enum status format_check(struct kv_txn *txn,
                         const struct kv_options *options,
                         bool is_new,
                         uint32_t *out_format)
{
    const struct key key = key_of_name("format");
    struct kv_value value = {.bytes = NULL, .size = 0};
    struct reader reader;
    uint32_t format = 0;
    enum status status = STATUS_OK;

    if (is_new && !options->read_only) {
        status = write_number(txn, FORMAT_NUMBER);
        if (status == STATUS_OK) {
            status = write_release(txn);
        }
        *out_format = FORMAT_NUMBER;
        return status;
    }
    status = kv_get(txn, KV_META, &key, &value);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
        return status;
    }
    reader_init(&reader, value.bytes, value.size);
    format = read_u32(&reader); /* 0 where there is none */
    if (format == FORMAT_NUMBER ||
        (format > 0 && format < FORMAT_NUMBER && !options->read_only)) {
        *out_format = format;
        return STATUS_OK;
    }
    explain(txn, options, format);
    return STATUS_UNSUPPORTED;
}

/* --- Upgrades --- */

/* Opening the databases has made what is new, "dropped" or "tails", and it is
 * empty: nothing has been dropped or cut yet. */
static enum status step_by_opening(struct kv_txn *txn)
{
    return write_release(txn);
}

static format_step_fn *const steps[FORMAT_NUMBER - 1] = {step_by_opening,
                                                         step_by_opening};

enum status format_run(struct kv_txn *txn,
                       format_step_fn *const *list,
                       uint32_t from,
                       uint32_t to)
{
    enum status status = STATUS_OK;

    CHECK(from >= 1);
    CHECK(from <= to);
    for (uint32_t format = from; format < to && status == STATUS_OK; format++) {
        log_line(LOG_INFO, "storage", "format_raised",
                 "from=%" PRIu32 " to=%" PRIu32, format, format + 1);
        status = list[format - 1](txn);
    }
    if (status == STATUS_OK && from < to) {
        status = write_number(txn, to);
    }
    return status;
}

enum status format_upgrade(struct kv_txn *txn, uint32_t format)
{
    return format_run(txn, steps, format, FORMAT_NUMBER);
}
