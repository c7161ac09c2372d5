#include "client/look.h"

#include "base/conf.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { NUMBER_BYTES = 40, COLUMNS_LEAST = 20, COLUMNS_MOST = 1000 };

static bool is_given(const char *value)
{
    return value != NULL && value[0] != '\0';
}

bool look_wants_color(const struct look_inputs *inputs)
{
    if (inputs->flag_no_color) {
        return false;
    }
    if (inputs->flag_color) {
        return true;
    }
    if (is_given(inputs->no_color)) {
        return false;
    }
    if (is_given(inputs->force_color) &&
        strcmp(inputs->force_color, "0") != 0) {
        return true;
    }
    return inputs->terminal &&
           !(inputs->term != NULL && strcmp(inputs->term, "dumb") == 0);
}

static bool locale_is_utf8(void)
{
    const char *name = conf_environment("LC_ALL", NULL);

    if (name == NULL) {
        name = conf_environment("LC_CTYPE", NULL);
    }
    if (name == NULL) {
        name = conf_environment("LANG", "");
    }
    return strstr(name, "UTF-8") != NULL || strstr(name, "utf8") != NULL;
}

static int terminal_columns(int fd)
{
    struct winsize size;
    const char *given = conf_environment("COLUMNS", NULL);
    long columns = given != NULL ? strtol(given, NULL, 10) : 0;

    if (columns < COLUMNS_LEAST || columns > COLUMNS_MOST) {
        columns = 80;
        if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= COLUMNS_LEAST) {
            columns = size.ws_col;
        }
    }
    return (int)columns;
}

void look_at(int fd, bool flag_color, bool flag_no_color, struct look *out)
{
    const struct look_inputs inputs = {
        .terminal = isatty(fd) != 0,
        .flag_color = flag_color,
        .flag_no_color = flag_no_color,
        .no_color = conf_environment("NO_COLOR", NULL),
        .force_color = conf_environment("FORCE_COLOR", NULL),
        .term = conf_environment("TERM", NULL),
    };

    *out = (struct look){
        .columns = inputs.terminal ? terminal_columns(fd) : 0,
        .terminal = inputs.terminal,
        .color = look_wants_color(&inputs),
        .utf8 = inputs.terminal && locale_is_utf8(),
        .commas = inputs.terminal,
    };
}

const char *look_paint(const struct look *look, enum paint paint)
{
    static const char *const escapes[] = {
        [PAINT_NONE] = "\033[0m", [PAINT_GOOD] = "\033[32m",
        [PAINT_BAD] = "\033[31m", [PAINT_DIM] = "\033[2m",
        [PAINT_BOLD] = "\033[1m",
    };

    return look->color ? escapes[paint] : "";
}

const char *look_arrow(const struct look *look)
{
    return look->utf8 ? "\xe2\x86\x92" : "->";
}

size_t look_width(const char *text)
{
    size_t width = 0;

    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xc0) != 0x80; /* not a follower */
    }
    return width;
}

void look_count(const struct look *look, double value, char *out)
{
    char digits[NUMBER_BYTES];
    size_t length = 0;
    size_t at = 0;

    (void)snprintf(digits, sizeof(digits), "%.0f", fabs(value));
    length = strlen(digits);
    if (!look->commas || length > 24) {
        (void)snprintf(out, NUMBER_BYTES, "%.0f", value);
        return;
    }
    if (value < 0) {
        out[at++] = '-';
    }
    for (size_t i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            out[at++] = ',';
        }
        out[at++] = digits[i];
    }
    out[at] = '\0';
}

void look_bytes(double value, char *out)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    size_t unit = 0;

    while (value >= 999.5 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        value /= 1000;
        unit++;
    }
    (void)snprintf(out, NUMBER_BYTES,
                   unit > 0 && value < 9.95 ? "%.1f %s" : "%.0f %s", value,
                   units[unit]);
}

void look_seconds(double value, char *out)
{
    static const struct {
        double seconds;
        char letter;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    size_t i = 0;

    while (i < 3 && value < 2 * units[i].seconds) {
        i++; /* "90s" says more than "1m" */
    }
    (void)snprintf(out, NUMBER_BYTES, "%.0f%c", value / units[i].seconds,
                   units[i].letter);
}

void look_ratio(double value, char *out)
{
    (void)snprintf(out, NUMBER_BYTES, isfinite(value) ? "%.3f" : "-", value);
}

void look_clean(const char *text, char *out, size_t size)
{
    size_t at = 0;

    for (; *text != '\0' && at + 1 < size; text++) {
        unsigned char c = (unsigned char)*text;

        out[at++] = c < 0x20 || c == 0x7f ? '?' : *text;
    }
    out[at] = '\0';
}
