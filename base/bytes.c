#include "base/bytes.h"

#include "base/check.h"

#include <string.h>

/* Where an empty reader or writer without memory points, so that no pointer
 * arithmetic is ever done on NULL and "NULL" always means "failed". */
static unsigned char nothing[1];

void reader_init(struct reader *reader, const void *data, size_t size)
{
    CHECK(data != NULL || size == 0);

    *reader =
        (struct reader){.data = data != NULL ? data : nothing, .size = size};
}

const unsigned char *read_bytes(struct reader *reader, size_t count)
{
    const unsigned char *bytes = reader->data + reader->at;

    CHECK(reader->at <= reader->size);
    if (reader->failed || count > reader->size - reader->at) {
        reader->failed = true;
        return NULL;
    }
    reader->at += count;
    return bytes;
}

/* Little-endian by arithmetic: right on every machine, and one load on ours. */
static uint64_t read_little(struct reader *reader, size_t count)
{
    const unsigned char *bytes = read_bytes(reader, count);
    uint64_t value = 0;

    if (bytes == NULL) {
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        value |= (uint64_t)bytes[i] << (8 * i);
    }
    return value;
}

uint8_t read_u8(struct reader *reader)
{
    return (uint8_t)read_little(reader, 1);
}

uint16_t read_u16(struct reader *reader)
{
    return (uint16_t)read_little(reader, 2);
}

uint32_t read_u32(struct reader *reader)
{
    return (uint32_t)read_little(reader, 4);
}

uint64_t read_u64(struct reader *reader)
{
    return read_little(reader, 8);
}

/* Every bit pattern is a float here, NaNs included: who must not have one
 * looks at the value. */
float read_f32(struct reader *reader)
{
    uint32_t bits = read_u32(reader);
    float value = 0;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

double read_f64(struct reader *reader)
{
    uint64_t bits = read_u64(reader);
    double value = 0;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

uint32_t read_u32_be(struct reader *reader)
{
    const unsigned char *b = read_bytes(reader, 4);

    if (b == NULL) {
        return 0;
    }
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 |
           (uint32_t)b[3];
}

void writer_init(struct writer *writer, void *data, size_t size)
{
    CHECK(data != NULL || size == 0);

    *writer =
        (struct writer){.data = data != NULL ? data : nothing, .size = size};
}

/* The next count bytes to fill, or NULL where they do not fit. */
static unsigned char *claim(struct writer *writer, size_t count)
{
    unsigned char *bytes = writer->data + writer->at;

    CHECK(writer->at <= writer->size);
    if (writer->failed || count > writer->size - writer->at) {
        writer->failed = true;
        return NULL;
    }
    writer->at += count;
    return bytes;
}

static void write_little(struct writer *writer, uint64_t value, size_t count)
{
    unsigned char *bytes = claim(writer, count);

    if (bytes == NULL) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        bytes[i] = (unsigned char)(value >> (8 * i));
    }
}

void write_u8(struct writer *writer, uint8_t value)
{
    write_little(writer, value, 1);
}

void write_u16(struct writer *writer, uint16_t value)
{
    write_little(writer, value, 2);
}

void write_u32(struct writer *writer, uint32_t value)
{
    write_little(writer, value, 4);
}

void write_u64(struct writer *writer, uint64_t value)
{
    write_little(writer, value, 8);
}

void write_f32(struct writer *writer, float value)
{
    uint32_t bits = 0;

    memcpy(&bits, &value, sizeof(bits));
    write_u32(writer, bits);
}

void write_f64(struct writer *writer, double value)
{
    uint64_t bits = 0;

    memcpy(&bits, &value, sizeof(bits));
    write_u64(writer, bits);
}

void write_bytes(struct writer *writer, const void *bytes, size_t count)
{
    unsigned char *room = claim(writer, count);

    if (room == NULL || count == 0) {
        return; /* memcpy may not be given NULL, not even for 0 bytes */
    }
    memcpy(room, bytes, count);
}
