#include "proto/jobfileerror.h"

#include "proto/utf8.h"
#include <stdbool.h>
#include <string.h>

/* Longer lines are shown up to here, and only if they are wrong before it. */
enum { SHOWN_BYTES_MAX = 160, SHOWN_COLUMN_MAX = 120, QUOTE_BYTES_MAX = 40 };

void jobfile_clean(struct text *out,
                   const char *value,
                   size_t size,
                   size_t bytes_max)
{
    size_t i = 0;

    while (i < size) {
        size_t count = utf8_size(value + i, size - i);

        if (i + count > bytes_max || i == bytes_max) {
            text_add(out, "...");
            return;
        }
        if (count == 0) {
            text_add(out, value[i] == '\t' ? " " : "?");
            i++;
            continue;
        }
        text_add_bytes(out, value + i, count);
        i += count;
    }
}

void jobfile_quote(struct text *out, const char *value, size_t size)
{
    text_add(out, "\"");
    jobfile_clean(out, value, size, QUOTE_BYTES_MAX);
    text_add(out, "\"");
}

/* Errors of the file first, by line and column, then those of --set. */
static bool before(const struct jobfile_error *a, const struct jobfile_error *b)
{
    if (a->override != b->override) {
        return a->override < b->override;
    }
    if (a->line != b->line) {
        return a->line < b->line;
    }
    return a->column < b->column;
}

bool jobfile_errors_wants(const struct jobfile_errors *errors,
                          const struct jobfile_error *error)
{
    return errors->count < JOBFILE_ERRORS_MAX ||
           before(error, &errors->items[JOBFILE_ERRORS_MAX - 1]);
}

void jobfile_errors_add(struct jobfile_errors *errors,
                        const struct jobfile_error *error)
{
    uint32_t at = errors->count;

    errors->total++;
    while (at > 0 && before(error, &errors->items[at - 1])) {
        at--;
    }
    if (at == JOBFILE_ERRORS_MAX) {
        return;
    }
    if (errors->count < JOBFILE_ERRORS_MAX) {
        errors->count++;
    }
    memmove(&errors->items[at + 1], &errors->items[at],
            (errors->count - 1 - at) * sizeof(errors->items[0]));
    errors->items[at] = *error;
}

static void line_of(const struct jobfile_source *source,
                    uint32_t line,
                    struct text *out)
{
    const char *begin = source->bytes;
    const char *end = source->bytes + source->size;
    const char *stop;

    for (uint32_t i = 1; i < line && begin != NULL; i++) {
        begin = memchr(begin, '\n', (size_t)(end - begin));
        begin = begin == NULL ? NULL : begin + 1;
    }
    if (begin == NULL || begin == end) {
        return;
    }
    stop = memchr(begin, '\n', (size_t)(end - begin));
    stop = stop == NULL ? end : stop;
    if (stop > begin && stop[-1] == '\r') {
        stop--;
    }
    if (line == 1 && stop - begin >= 3 &&
        memcmp(begin, "\xEF\xBB\xBF", 3) == 0) {
        begin += 3;
    }
    jobfile_clean(out, begin, (size_t)(stop - begin), SHOWN_BYTES_MAX);
}

static uint32_t characters(const struct text *text)
{
    uint32_t count = 0;

    for (size_t i = 0; i < text->used; i++) {
        count += ((unsigned char)text->data[i] & 0xC0) != 0x80;
    }
    return count;
}

static void print_line(const struct jobfile_source *source,
                       const struct jobfile_error *error,
                       struct text *out)
{
    char buffer[SHOWN_BYTES_MAX + 8];
    char number[24];
    struct text line;
    struct text gutter;
    uint32_t end;

    text_init(&line, buffer, sizeof(buffer));
    line_of(source, error->line, &line);
    if (line.used == 0 || error->end_column == 0 ||
        error->column > SHOWN_COLUMN_MAX) {
        return;
    }
    text_init(&gutter, number, sizeof(number));
    text_u64(&gutter, error->line);
    for (size_t i = gutter.used; i < 5; i++) {
        text_add(out, " ");
    }
    text_add(out, number);
    text_add(out, " | ");
    text_add(out, buffer);
    text_add(out, "\n      | ");
    for (uint32_t i = 1; i < error->column; i++) {
        text_add(out, " ");
    }
    text_add(out, "^");
    end = characters(&line) + 1;
    end = error->end_column < end ? error->end_column : end;
    for (uint32_t i = error->column + 1; i < end; i++) {
        text_add(out, "~");
    }
    text_add(out, "\n");
}

static void print_place(const struct jobfile_source *source,
                        uint32_t line,
                        uint32_t column,
                        struct text *out)
{
    jobfile_clean(out, source->file_name, strlen(source->file_name), 512);
    text_add(out, ":");
    text_u64(out, line);
    text_add(out, ":");
    text_u64(out, column);
}

static void print_error(const struct jobfile_source *source,
                        const struct jobfile_error *error,
                        struct text *out)
{
    if (error->override > 0) {
        const char *override = source->overrides[error->override - 1];

        text_add(out, "--set ");
        jobfile_clean(out, override, strlen(override), SHOWN_BYTES_MAX);
    } else {
        print_place(source, error->line, error->column, out);
    }
    text_add(out, ": error: ");
    if (error->path[0] != '\0') {
        text_add(out, error->path);
        text_add(out, ": ");
    }
    text_add(out, error->message);
    text_add(out, "\n");
    if (error->override == 0) {
        print_line(source, error, out);
    }
    if (error->hint[0] != '\0') {
        text_add(out, "   ");
        text_add(out, error->hint);
        text_add(out, "\n");
    }
    if (error->see_line > 0) {
        text_add(out, "   note: see ");
        print_place(source, error->see_line, error->see_column, out);
        text_add(out, " (");
        text_add(out, error->see_path);
        text_add(out, ")\n");
    }
}

void jobfile_errors_print(const struct jobfile_source *source,
                          const struct jobfile_errors *errors,
                          struct text *out)
{
    for (uint32_t i = 0; i < errors->count; i++) {
        print_error(source, &errors->items[i], out);
    }
    text_u64(out, errors->total);
    text_add(out, errors->total == 1 ? " error" : " errors");
    if (errors->total > errors->count) {
        text_add(out, ", the first ");
        text_u64(out, errors->count);
        text_add(out, " are shown");
    }
    text_add(out, "\n");
}
