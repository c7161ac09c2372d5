/* quantity.h - numbers as people write them: 1e-3, 1%, 4M, 200 steps.
 *
 * Decimal digits are kept as written until the wanted type is known, so that
 * whole numbers are exact to 64 bits and reals are rounded once. Independent
 * of the locale. */
#ifndef PROTO_QUANTITY_H
#define PROTO_QUANTITY_H

#include "base/text.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { QUANTITY_DIGITS_MAX = 40 };

struct quantity {
    bool negative;
    char digits[QUANTITY_DIGITS_MAX + 1]; /* no leading zero; "" is zero */
    int exponent;                         /* value = digits x 10^exponent */
    const char *unit; /* what follows the number, blanks taken off */
    size_t unit_size; /* 0: a bare number */
};

enum quantity_fault {
    QUANTITY_FINE = 0,
    QUANTITY_NEGATIVE,
    QUANTITY_NOT_WHOLE,
    QUANTITY_TOO_LARGE
};

/* [+-] digits [. digits] [e [+-] digits] [k | M | G] [unit]. False: no number
 * stands at the beginning. out->unit borrows from text. */
bool quantity_parse(const char *text, size_t size, struct quantity *out);

enum quantity_fault quantity_whole(const struct quantity *quantity,
                                   uint64_t *out);
enum quantity_fault quantity_real(const struct quantity *quantity, double *out);

/* Divides by a hundred: of a percentage. */
void quantity_percent(struct quantity *quantity);

/* The shortest text that quantity_real reads back as the same bits, its point
 * moved right by so many places: 2 for a percentage. value is finite. */
void quantity_print(struct text *text, double value, int places);

#endif /* PROTO_QUANTITY_H */
