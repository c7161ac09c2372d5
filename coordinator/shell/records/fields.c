#include "coordinator/shell/records/fields.h"

#include "proto/codec.h"

#include <math.h>
#include <string.h>

void fields_begin(struct writer *writer, uint32_t magic, uint16_t format)
{
    write_u32(writer, magic);
    write_u16(writer, format);
}

bool fields_open(struct reader *reader,
                 uint32_t magic,
                 uint16_t format,
                 enum status *out_status)
{
    uint32_t found = read_u32(reader);
    uint16_t number = read_u16(reader);

    if (reader->failed || found != magic || number == 0) {
        *out_status = STATUS_CORRUPT;
        return false;
    }
    if (number != format) {
        *out_status = STATUS_UNSUPPORTED;
        return false;
    }
    *out_status = STATUS_OK;
    return true;
}

bool fields_open_any(struct reader *reader,
                     uint32_t magic,
                     uint16_t newest,
                     uint16_t *out_format,
                     enum status *out_status)
{
    struct reader ahead = *reader;

    (void)read_u32(&ahead);
    *out_format = read_u16(&ahead);
    if (*out_format > newest) {
        *out_format = newest; /* and fields_open refuses it */
    }
    return fields_open(reader, magic, *out_format, out_status);
}

enum status fields_close(const struct reader *reader)
{
    return reader->failed || reader->at != reader->size ? STATUS_CORRUPT
                                                        : STATUS_OK;
}

void fields_put_text(struct writer *writer, const char *text)
{
    size_t size = strlen(text);
    bool fine = codec_printable((const unsigned char *)text, size);

    if (size > UINT16_MAX) {
        size = UINT16_MAX;
        fine = false;
    }
    write_u16(writer, (uint16_t)size);
    if (fine) {
        write_bytes(writer, text, size);
        return;
    }
    for (size_t i = 0; i < size; i++) {
        bool plain = text[i] >= 0x20 && text[i] < 0x7f;

        write_u8(writer, plain ? (uint8_t)text[i] : (uint8_t)'?');
    }
}

void fields_get_text(struct reader *reader, char *out, size_t size)
{
    size_t count = read_u16(reader);
    const unsigned char *bytes = NULL;

    out[0] = '\0';
    if (count >= size) {
        reader->failed = true;
        return;
    }
    bytes = read_bytes(reader, count);
    if (count == 0) {
        return;
    }
    if (bytes == NULL || !codec_printable(bytes, count)) {
        reader->failed = true;
        return;
    }
    memcpy(out, bytes, count);
    out[count] = '\0';
}

void fields_put_hash(struct writer *writer, const struct hash *hash)
{
    write_bytes(writer, hash->b, sizeof(hash->b));
}

void fields_get_hash(struct reader *reader, struct hash *out)
{
    const unsigned char *bytes = read_bytes(reader, sizeof(out->b));

    if (bytes != NULL) {
        memcpy(out->b, bytes, sizeof(out->b));
    }
}

bool fields_get_flag(struct reader *reader)
{
    return fields_get_count(reader, 1) == 1;
}

uint32_t fields_get_count(struct reader *reader, uint32_t most)
{
    uint32_t count = read_u32(reader);

    if (count > most) {
        reader->failed = true;
        return 0;
    }
    return count;
}

double fields_get_finite(struct reader *reader)
{
    double value = read_f64(reader);

    if (!isfinite(value)) {
        reader->failed = true;
        return 0;
    }
    return value;
}
