/* text.h - bounded text building without libc's formatter.
 *
 * Pure: the cores write their reasons and traces with it. A text that does
 * not fit is cut and says so in `cut`; it always ends in NUL. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    char *data;
    size_t size; /* bytes of data, NUL included; at least 1 */
    size_t used; /* without NUL */
    bool cut;
};

void text_init(struct text *text, char *data, size_t size);
void text_add(struct text *text, const char *string);
void text_add_bytes(struct text *text, const char *bytes, size_t count);
void text_u64(struct text *text, uint64_t value);
void text_i64(struct text *text, int64_t value);
/* Like printf's %.*g with 1..9 significant digits; nan, inf, -inf. */
void text_real(struct text *text, double value, int digits);

#endif /* BASE_TEXT_H */
