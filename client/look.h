/* look.h - how output looks: width, colour, characters, numbers.
 *
 * Decided once per stream from what it is connected to. Where a stream is not
 * a terminal there is no colour, no limit of width, no decoration: the text is
 * for programs then. Colour never says anything alone. */
#ifndef CLIENT_LOOK_H
#define CLIENT_LOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct look {
    int columns; /* 0: no limit */
    bool terminal;
    bool color;
    bool utf8;   /* arrows and dots; else ASCII */
    bool commas; /* 103,770 for people, 103770 for programs */
};

enum paint { PAINT_NONE = 0, PAINT_GOOD, PAINT_BAD, PAINT_DIM, PAINT_BOLD };

/* What the rules of colour read; NULL: not set. An empty NO_COLOR counts as
 * not set (no-color.org). */
struct look_inputs {
    bool terminal;
    bool flag_color;
    bool flag_no_color;
    const char *no_color;
    const char *force_color;
    const char *term;
};

/* --no-color, then --color, then NO_COLOR, then FORCE_COLOR, then whether it
 * is a terminal that is not dumb. */
bool look_wants_color(const struct look_inputs *inputs);

void look_at(int fd, bool flag_color, bool flag_no_color, struct look *out);

/* The escape sequence, or "" where there is no colour. */
const char *look_paint(const struct look *look, enum paint paint);
const char *look_arrow(const struct look *look); /* "->" or an arrow */

/* Columns that a text takes on a terminal: characters, not bytes. */
size_t look_width(const char *text);

/* Texts of numbers; out holds 40. */
void look_count(const struct look *look, double value, char *out);
void look_bytes(double value, char *out);   /* "6.2 MB" */
void look_seconds(double value, char *out); /* "41s", "12m", "2h", "3d" */
void look_ratio(double value, char *out);   /* "0.842", "-" for NaN */

/* Copies text; control characters, which could drive a terminal, become '?'.
 * Cut at size. */
void look_clean(const char *text, char *out, size_t size);

#endif /* CLIENT_LOOK_H */
