/* bytes.h - cursors over little-endian, fixed-width bytes.
 *
 * A reader or writer that runs out sets `failed` once and for all; later reads
 * give zero, later writes do nothing. So a decoder checks once, at its end. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader {
    const unsigned char *data;
    size_t size;
    size_t at;
    bool failed;
};

struct writer {
    unsigned char *data;
    size_t size;
    size_t at;
    bool failed;
};

void reader_init(struct reader *reader, const void *data, size_t size);
uint8_t read_u8(struct reader *reader);
uint16_t read_u16(struct reader *reader);
uint32_t read_u32(struct reader *reader);
uint64_t read_u64(struct reader *reader);
float read_f32(struct reader *reader);
double read_f64(struct reader *reader);
/* Borrowed from the reader's data; NULL where fewer bytes are left. */
const unsigned char *read_bytes(struct reader *reader, size_t count);
/* Big-endian, for IDX files. */
uint32_t read_u32_be(struct reader *reader);

void writer_init(struct writer *writer, void *data, size_t size);
void write_u8(struct writer *writer, uint8_t value);
void write_u16(struct writer *writer, uint16_t value);
void write_u32(struct writer *writer, uint32_t value);
void write_u64(struct writer *writer, uint64_t value);
void write_f32(struct writer *writer, float value);
void write_f64(struct writer *writer, double value);
void write_bytes(struct writer *writer, const void *bytes, size_t count);

#endif /* BASE_BYTES_H */
