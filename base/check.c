#include "base/check.h"

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

void (*check_hook)(const char *file, int line, const char *condition) = NULL;

/* Room for a path, a line number and the longest condition we write. */
enum { CHECK_LINE_BYTES_MAX = 512 };

struct check_line {
    char bytes[CHECK_LINE_BYTES_MAX];
    size_t used;
};

/* The state of the process is not to be trusted when we come here, so the
 * line is made by hand: no allocation, no stdio, no lock. */
static void add(struct check_line *line, const char *text)
{
    while (*text != '\0' && line->used < CHECK_LINE_BYTES_MAX - 1) {
        line->bytes[line->used++] = *text++;
    }
}

static void add_number(struct check_line *line, int number)
{
    char digits[16];
    size_t at = sizeof(digits);
    unsigned rest = number > 0 ? (unsigned)number : 0;

    digits[--at] = '\0';
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    add(line, digits + at);
}

_Noreturn void check_fail(const char *file, int line, const char *condition)
{
    struct check_line out = {.used = 0};
    ssize_t written = 0;

    if (check_hook != NULL) {
        check_hook(file, line, condition);
    }
    add(&out, file);
    add(&out, ":");
    add_number(&out, line);
    add(&out, ": CHECK failed: ");
    add(&out, condition);
    out.bytes[out.used++] = '\n';
    /* One write, so that lines of two threads do not mix. There is nobody left
     * to tell if it fails. */
    written = write(STDERR_FILENO, out.bytes, out.used);
    (void)written;
    abort();
}
