#include "proto/quantity.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Far outside what a double holds, far inside what an int holds. */
#define EXPONENT_MAX 100000

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits and one point; leaves *at after them. False: no digit, or more of
 * them than any number needs. */
static bool read_digits(const char *text,
                        size_t size,
                        size_t *at,
                        struct quantity *out)
{
    size_t used = 0;
    bool any = false;
    bool point = false;

    for (; *at < size; (*at)++) {
        char c = text[*at];

        if (c == '.' && !point) {
            point = true;
            continue;
        }
        if (!is_digit(c)) {
            break;
        }
        any = true;
        out->exponent -= point ? 1 : 0;
        if (c == '0' && used == 0) {
            continue; /* a leading zero */
        }
        if (used == QUANTITY_DIGITS_MAX) {
            return false;
        }
        out->digits[used++] = c;
    }
    out->digits[used] = '\0';
    return any;
}

/* An exponent only where a digit follows: in `5 examples` it does not. */
static void read_exponent(const char *text,
                          size_t size,
                          size_t *at,
                          struct quantity *out)
{
    size_t i = *at;
    bool negative = false;
    int exponent = 0;

    if (i == size || (text[i] != 'e' && text[i] != 'E')) {
        return;
    }
    i++;
    if (i < size && (text[i] == '+' || text[i] == '-')) {
        negative = text[i] == '-';
        i++;
    }
    if (i == size || !is_digit(text[i])) {
        return;
    }
    for (; i < size && is_digit(text[i]); i++) {
        if (exponent < EXPONENT_MAX) {
            exponent = exponent * 10 + (text[i] - '0');
        }
    }
    out->exponent += negative ? -exponent : exponent;
    *at = i;
}

static void read_thousands(const char *text,
                           size_t size,
                           size_t *at,
                           struct quantity *out)
{
    static const struct {
        char letter;
        int exponent;
    } suffixes[] = {{'k', 3}, {'K', 3}, {'M', 6}, {'G', 9}};

    if (*at + 1 < size && text[*at + 1] != ' ') {
        return; /* the first letter of a word */
    }
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        if (*at < size && text[*at] == suffixes[i].letter) {
            out->exponent += suffixes[i].exponent;
            (*at)++;
            return;
        }
    }
}

bool quantity_parse(const char *text, size_t size, struct quantity *out)
{
    size_t at = 0;

    memset(out, 0, sizeof(*out));
    while (size > 0 && text[size - 1] == ' ') {
        size--;
    }
    if (at < size && (text[at] == '-' || text[at] == '+')) {
        out->negative = text[at] == '-';
        at++;
    }
    if (!read_digits(text, size, &at, out)) {
        return false;
    }
    read_exponent(text, size, &at, out);
    read_thousands(text, size, &at, out);
    while (at < size && text[at] == ' ') {
        at++;
    }
    out->unit = text + at;
    out->unit_size = size - at;
    return true;
}

enum quantity_fault quantity_whole(const struct quantity *quantity,
                                   uint64_t *out)
{
    size_t used = strlen(quantity->digits);
    int exponent = quantity->exponent;
    uint64_t value = 0;

    while (used > 0 && exponent < 0 && quantity->digits[used - 1] == '0') {
        used--;
        exponent++;
    }
    if (used == 0) {
        *out = 0;
        return QUANTITY_FINE;
    }
    if (quantity->negative) {
        return QUANTITY_NEGATIVE;
    }
    if (exponent < 0) {
        return QUANTITY_NOT_WHOLE;
    }
    if (exponent > 20) {
        return QUANTITY_TOO_LARGE;
    }
    for (size_t i = 0; i < used + (size_t)exponent; i++) {
        unsigned digit = i < used ? (unsigned)(quantity->digits[i] - '0') : 0;

        if (value > (UINT64_MAX - digit) / 10) {
            return QUANTITY_TOO_LARGE;
        }
        value = value * 10 + digit;
    }
    *out = value;
    return QUANTITY_FINE;
}

/* Digits and exponent without a decimal point: what strtod reads the same in
 * every locale. */
static double real_of(const char *digits, int exponent)
{
    char buffer[QUANTITY_DIGITS_MAX + 16];

    snprintf(buffer, sizeof(buffer), "%se%d", digits, exponent);
    return strtod(buffer, NULL);
}

enum quantity_fault quantity_real(const struct quantity *quantity, double *out)
{
    double value = 0;

    if (quantity->digits[0] != '\0') {
        value = real_of(quantity->digits, quantity->exponent);
    }
    if (value > DBL_MAX) {
        return QUANTITY_TOO_LARGE;
    }
    *out = quantity->negative && value != 0 ? -value : value;
    return QUANTITY_FINE;
}

void quantity_percent(struct quantity *quantity)
{
    quantity->exponent -= 2;
}

/* value = 0.DIGITS x 10^point, in the fewest digits that give its bits. */
static void shortest(double value, char *digits, int *out_point)
{
    for (int precision = 0; precision < 17; precision++) {
        char buffer[40];
        const char *exponent;
        size_t used = 0;

        snprintf(buffer, sizeof(buffer), "%.*e", precision, value);
        exponent = strchr(buffer, 'e');
        for (const char *c = buffer; c < exponent; c++) {
            if (is_digit(*c)) { /* not the locale's decimal point */
                digits[used++] = *c;
            }
        }
        digits[used] = '\0';
        *out_point = (int)strtol(exponent + 1, NULL, 10) + 1;
        if (real_of(digits, *out_point - (int)used) == value) {
            return;
        }
    }
}

void quantity_print(struct text *text, double value, int places)
{
    char digits[QUANTITY_DIGITS_MAX + 1];
    int point = 0;
    int used;

    if (value < 0) {
        text_add(text, "-");
        value = -value;
    }
    if (value == 0) {
        text_add(text, "0");
        return;
    }
    shortest(value, digits, &point);
    point += places;
    used = (int)strlen(digits);
    if (point > 15 || point < -2) { /* 1.5e-4 */
        text_add_bytes(text, digits, 1);
        text_add(text, used > 1 ? "." : "");
        text_add(text, digits + 1);
        text_add(text, "e");
        text_i64(text, point - 1);
        return;
    }
    if (point <= 0) {
        text_add(text, "0.");
    }
    for (int i = point < 0 ? point : 0; i < used || i < point; i++) {
        if (i == point && i > 0) {
            text_add(text, ".");
        }
        text_add_bytes(text, i >= 0 && i < used ? digits + i : "0", 1);
    }
}
