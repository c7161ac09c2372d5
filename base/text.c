#include "base/text.h"

#include "base/check.h"

#include <string.h>

void text_init(struct text *text, char *data, size_t size)
{
    CHECK(data != NULL);
    CHECK(size >= 1);

    *text = (struct text){.data = data, .size = size};
    data[0] = '\0';
}

static void add_char(struct text *text, char c)
{
    if (text->used + 1 >= text->size) {
        text->cut = true;
        return;
    }
    text->data[text->used++] = c;
    text->data[text->used] = '\0';
}

/* Not strlen and memcpy: a string may be much longer than the room. */
void text_add(struct text *text, const char *string)
{
    for (; *string != '\0' && !text->cut; string++) {
        add_char(text, *string);
    }
}

void text_add_bytes(struct text *text, const char *bytes, size_t count)
{
    size_t room = text->size - 1 - text->used;

    CHECK(text->used < text->size);
    if (count > room) {
        text->cut = true;
        count = room;
    }
    if (count == 0) {
        return; /* memcpy may not be given NULL, not even for 0 bytes */
    }
    memcpy(text->data + text->used, bytes, count);
    text->used += count;
    text->data[text->used] = '\0';
}

void text_u64(struct text *text, uint64_t value)
{
    char digits[20]; /* 2^64 has 20 */
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    text_add_bytes(text, digits + at, sizeof(digits) - at);
}

void text_i64(struct text *text, int64_t value)
{
    if (value < 0) {
        add_char(text, '-');
        text_u64(text, -(uint64_t)value); /* right for INT64_MIN too */
        return;
    }
    text_u64(text, (uint64_t)value);
}

/* Real numbers
 *
 * A finite double is mantissa x 2^exponent exactly. Where the exponent is
 * negative, mantissa / 2^n = mantissa x 5^n / 10^n. So either way the value is
 * a whole number times a power of ten; we compute that whole number with all
 * its digits and round once. No table, no error analysis, no limits: every
 * double comes out as glibc's printf writes it. The price is a product over
 * a few words for ordinary numbers and 90 products for the very smallest. */

enum {
    WORD = 1000000000, /* a word holds nine decimal digits */
    WORD_DIGITS = 9,
    /* The longest is (2^53 - 1) x 5^1074: 767 digits. */
    WORDS_MAX = 86,
    REAL_DIGITS_MAX = 9 /* of the result; a float needs no more */
};

static const uint32_t FIVE_TO_12 = 244140625;
static const uint32_t TWO_TO_29 = 536870912;

struct whole {
    uint32_t words[WORDS_MAX]; /* base 10^9, least first */
    size_t count;
};

static void multiply(struct whole *whole, uint32_t factor)
{
    uint64_t carry = 0;

    for (size_t i = 0; i < whole->count; i++) {
        carry += (uint64_t)whole->words[i] * factor;
        whole->words[i] = (uint32_t)(carry % WORD);
        carry /= WORD;
    }
    if (carry > 0) {
        CHECK(whole->count < WORDS_MAX);
        whole->words[whole->count++] = (uint32_t)carry;
    }
}

/* whole = mantissa x base^power; fast is base^stride and fits a word. */
static void raise(
    struct whole *whole, uint32_t base, uint32_t fast, int stride, int power)
{
    for (; power >= stride; power -= stride) {
        multiply(whole, fast);
    }
    for (; power > 0; power--) {
        multiply(whole, base);
    }
}

static void set_whole(struct whole *whole, uint64_t mantissa)
{
    whole->count = 0;
    for (; mantissa > 0; mantissa /= WORD) {
        whole->words[whole->count++] = (uint32_t)(mantissa % WORD);
    }
}

/* Digit number `at` of a whole number, the last (units) digit being 0. */
static unsigned digit_of(const struct whole *whole, int at)
{
    uint32_t word = 0;

    if (at < 0) {
        return 0;
    }
    word = whole->words[at / WORD_DIGITS];
    for (int i = at % WORD_DIGITS; i > 0; i--) {
        word /= 10;
    }
    return word % 10;
}

static int digits_of(const struct whole *whole)
{
    int count = (int)whole->count * WORD_DIGITS;

    while (count > 1 && digit_of(whole, count - 1) == 0) {
        count--;
    }
    return count;
}

/* Is any digit below number `at` not 0? Asked only about an exact tie, where
 * the whole number is looked through once. */
static bool any_below(const struct whole *whole, int at)
{
    for (int i = 0; i < at; i++) {
        if (digit_of(whole, i) != 0) {
            return true;
        }
    }
    return false;
}

/* A real number as d.ddd x 10^exponent. */
struct decimal {
    unsigned digits[REAL_DIGITS_MAX];
    int count;
    int exponent;
};

/* Adds one to the last digit; 9.99 becomes 1.00 with the next exponent. */
static void round_up(struct decimal *d)
{
    int at = d->count - 1;

    for (; at >= 0 && d->digits[at] == 9; at--) {
        d->digits[at] = 0;
    }
    if (at >= 0) {
        d->digits[at]++;
        return;
    }
    d->digits[0] = 1;
    d->exponent++;
}

/* Rounds to the nearest, a tie to the even digit, as IEEE 754 and glibc do.
 * The value is whole x 10^scale. */
static void set_decimal(struct decimal *d,
                        const struct whole *whole,
                        int scale,
                        int count)
{
    int first = digits_of(whole) - 1;
    int next = first - count; /* the first digit that is left out */
    unsigned left_out = digit_of(whole, next);
    bool up = false;

    d->count = count;
    d->exponent = first + scale;
    for (int i = 0; i < count; i++) {
        d->digits[i] = digit_of(whole, first - i);
    }
    if (left_out == 5) {
        up = d->digits[count - 1] % 2 == 1 || any_below(whole, next);
    } else {
        up = left_out > 5;
    }
    if (up) {
        round_up(d);
    }
    while (d->count > 1 && d->digits[d->count - 1] == 0) {
        d->count--;
    }
}

static void add_digit(struct text *text, unsigned digit)
{
    add_char(text, (char)('0' + digit));
}

/* 1.5e-07: at least two digits of exponent, as C has it. */
static void add_scientific(struct text *text, const struct decimal *d)
{
    unsigned exponent =
        (unsigned)(d->exponent < 0 ? -d->exponent : d->exponent);

    add_digit(text, d->digits[0]);
    if (d->count > 1) {
        add_char(text, '.');
    }
    for (int i = 1; i < d->count; i++) {
        add_digit(text, d->digits[i]);
    }
    text_add(text, d->exponent < 0 ? "e-" : "e+");
    if (exponent < 10) {
        add_char(text, '0');
    }
    text_u64(text, exponent);
}

static void add_fixed(struct text *text, const struct decimal *d)
{
    int last = d->exponent - d->count + 1; /* power of ten of the last digit */

    last = last < 0 ? last : 0;
    for (int at = d->exponent > 0 ? d->exponent : 0; at >= last; at--) {
        int i = d->exponent - at;

        if (at == -1) {
            add_char(text, '.');
        }
        add_digit(text, i >= 0 && i < d->count ? d->digits[i] : 0);
    }
}

/* The bits of a double, IEEE 754 binary64:
 * | sign 1 | exponent 11, biased by 1023 | fraction 52 | */
static void add_finite(struct text *text, uint64_t bits, int digits)
{
    uint64_t mantissa = bits & ((UINT64_C(1) << 52) - 1);
    int biased = (int)(bits >> 52 & 0x7ff);
    int exponent = (biased > 0 ? biased : 1) - 1075;
    struct whole whole;
    struct decimal d = {.count = 0};

    mantissa |= biased > 0 ? UINT64_C(1) << 52 : 0;
    if (mantissa == 0) {
        add_char(text, '0');
        return;
    }
    while (mantissa % 2 == 0) { /* most numbers become short by this */
        mantissa /= 2;
        exponent++;
    }
    set_whole(&whole, mantissa);
    if (exponent < 0) {
        raise(&whole, 5, FIVE_TO_12, 12, -exponent);
    } else {
        raise(&whole, 2, TWO_TO_29, 29, exponent);
    }
    set_decimal(&d, &whole, exponent < 0 ? exponent : 0, digits);
    if (d.exponent < -4 || d.exponent >= digits) {
        add_scientific(text, &d);
    } else {
        add_fixed(text, &d);
    }
}

void text_real(struct text *text, double value, int digits)
{
    uint64_t bits = 0;

    CHECK(digits >= 1);
    CHECK(digits <= REAL_DIGITS_MAX);
    memcpy(&bits, &value, sizeof(bits));
    if (value != value) {
        text_add(text, "nan");
        return;
    }
    if (bits >> 63 != 0) {
        add_char(text, '-');
    }
    if ((bits >> 52 & 0x7ff) == 0x7ff) {
        text_add(text, "inf");
        return;
    }
    add_finite(text, bits, digits);
}
