#include "base/curvekey.h"

#include <stdint.h>
#include <string.h>

/* Four bytes, the first one highest, are five digits of base 85. */
enum { GROUP_BYTES = 4, GROUP_TEXT = 5, BASE = 85 };

static const char digits[BASE + 1] =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/"
    "*?&<>()[]{}@%$#";

static bool value_of(char c, uint64_t *out)
{
    for (uint64_t v = 0; v < BASE; v++) {
        if (digits[v] == c) {
            *out = v;
            return true;
        }
    }
    return false;
}

static bool read_group(const char *text, unsigned char *out)
{
    uint64_t number = 0;

    for (int i = 0; i < GROUP_TEXT; i++) {
        uint64_t value = 0;

        if (!value_of(text[i], &value)) {
            return false;
        }
        number = number * BASE + value;
    }
    for (int i = GROUP_BYTES - 1; i >= 0; i--) {
        out[i] = (unsigned char)(number & 0xff);
        number >>= 8;
    }
    return number == 0; /* five digits say more than four bytes hold */
}

enum status curvekey_parse(const char *text, size_t size, struct curvekey *out)
{
    struct curvekey key;

    if (size != CURVEKEY_TEXT) {
        return STATUS_INVALID;
    }
    for (size_t g = 0; g < CURVEKEY_BYTES / GROUP_BYTES; g++) {
        if (!read_group(text + g * GROUP_TEXT, key.b + g * GROUP_BYTES)) {
            return STATUS_INVALID;
        }
    }
    if (!curvekey_given(&key)) {
        return STATUS_INVALID;
    }
    *out = key;
    return STATUS_OK;
}

void curvekey_text(const struct curvekey *key, char out[CURVEKEY_TEXT + 1])
{
    for (size_t g = 0; g < CURVEKEY_BYTES / GROUP_BYTES; g++) {
        uint64_t number = 0;

        for (size_t i = 0; i < GROUP_BYTES; i++) {
            number = number << 8 | key->b[g * GROUP_BYTES + i];
        }
        for (size_t i = GROUP_TEXT; i > 0; i--) {
            out[g * GROUP_TEXT + i - 1] = digits[number % BASE];
            number /= BASE;
        }
    }
    out[CURVEKEY_TEXT] = '\0';
}

bool curvekey_given(const struct curvekey *key)
{
    unsigned char any = 0;

    for (size_t i = 0; i < CURVEKEY_BYTES; i++) {
        any |= key->b[i];
    }
    return any != 0;
}

bool curvekey_equal(const struct curvekey *a, const struct curvekey *b)
{
    return memcmp(a->b, b->b, CURVEKEY_BYTES) == 0;
}
