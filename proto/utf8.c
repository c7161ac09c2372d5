#include "proto/utf8.h"

size_t utf8_size(const char *text, size_t size)
{
    const unsigned char *c = (const unsigned char *)text;
    size_t count;

    if (size == 0) {
        return 0;
    }
    count = c[0] < 0x80 ? 1 : c[0] < 0xE0 ? 2 : c[0] < 0xF0 ? 3 : 4;

    if (count == 1) {
        return c[0] >= 0x20 && c[0] != 0x7F ? 1 : 0;
    }
    if (c[0] < 0xC2 || c[0] > 0xF4 || count > size) {
        return 0;
    }
    for (size_t i = 1; i < count; i++) {
        if ((c[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    /* C1 controls; overlong forms and surrogates; beyond U+10FFFF. */
    if ((c[0] == 0xC2 && c[1] < 0xA0) || (c[0] == 0xE0 && c[1] < 0xA0) ||
        (c[0] == 0xED && c[1] >= 0xA0) || (c[0] == 0xF0 && c[1] < 0x90) ||
        (c[0] == 0xF4 && c[1] >= 0x90)) {
        return 0;
    }
    /* Marks that turn the writing direction can hide what a line says. */
    if (c[0] == 0xE2 && ((c[1] == 0x80 && c[2] >= 0x8E && c[2] <= 0x8F) ||
                         (c[1] == 0x80 && c[2] >= 0xA8 && c[2] <= 0xAE) ||
                         (c[1] == 0x81 && c[2] >= 0xA6 && c[2] <= 0xA9))) {
        return 0;
    }
    return count;
}
