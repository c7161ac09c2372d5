/* fields.h - what the records of the store have in common.
 *
 * Every record begins with a magic and a format number and must be used up to
 * its last byte. A text is a u16 size and bytes of printable UTF-8. As with
 * the cursors of base/bytes.h, whatever goes wrong sets `failed`, and a
 * decoder looks at it once, at its end. */
#ifndef COORDINATOR_SHELL_RECORDS_FIELDS_H
#define COORDINATOR_SHELL_RECORDS_FIELDS_H

#include "base/bytes.h"
#include "base/hash.h"
#include "base/status.h"

/* All records, except the launch record with its job file. */
enum { RECORD_BYTES_MAX = 128 << 10 };

void fields_begin(struct writer *writer, uint32_t magic, uint16_t format);
/* False: other bytes, or of another format (*out_status says which). */
bool fields_open(struct reader *reader,
                 uint32_t magic,
                 uint16_t format,
                 enum status *out_status);
/* The same for a record that several releases wrote: any format up to newest.
 */
bool fields_open_any(struct reader *reader,
                     uint32_t magic,
                     uint16_t newest,
                     uint16_t *out_format,
                     enum status *out_status);
/* OK where all has been read and nothing failed, else CORRUPT. */
enum status fields_close(const struct reader *reader) MUST_CHECK;

/* What could not be read back becomes `?`. */
void fields_put_text(struct writer *writer, const char *text);
void fields_get_text(struct reader *reader, char *out, size_t size);

void fields_put_hash(struct writer *writer, const struct hash *hash);
void fields_get_hash(struct reader *reader, struct hash *out);

/* Anything but 0 and 1 fails. */
bool fields_get_flag(struct reader *reader);
/* A number above most fails and gives 0. */
uint32_t fields_get_count(struct reader *reader, uint32_t most);
/* An infinite number or NaN fails and gives 0. */
double fields_get_finite(struct reader *reader);

#endif /* COORDINATOR_SHELL_RECORDS_FIELDS_H */
