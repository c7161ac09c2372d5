#include "client/table.h"

#include "base/check.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GAP = 2, CELL_BYTES_MAX = 1024 };

struct cell {
    char *text;
    enum paint paint;
};

struct table {
    const struct table_column *columns;
    size_t columns_count;
    struct cell *cells; /* row by row */
    size_t cells_count;
    size_t cells_room;
};

/* Which columns are shown, and how wide. */
struct layout {
    bool shown[TABLE_COLUMNS_MAX];
    size_t width[TABLE_COLUMNS_MAX];
};

static void *or_end(void *memory)
{
    if (memory == NULL) {
        (void)fputs("error: out of memory.\n", stderr);
        exit(70);
    }
    return memory;
}

struct table *table_open(const struct table_column *columns, size_t count)
{
    struct table *table = or_end(mem_new(sizeof(*table)));

    CHECK(count >= 1);
    CHECK(count <= TABLE_COLUMNS_MAX);
    table->columns = columns;
    table->columns_count = count;
    return table;
}

void table_close(struct table *table)
{
    if (table == NULL) {
        return;
    }
    for (size_t i = 0; i < table->cells_count; i++) {
        mem_free(table->cells[i].text);
    }
    mem_free(table->cells);
    mem_free(table);
}

void table_add_painted(struct table *table, const char *text, enum paint paint)
{
    char clean[CELL_BYTES_MAX];

    if (table->cells_count == table->cells_room) {
        table->cells_room = table->cells_room > 0 ? 2 * table->cells_room : 64;
        table->cells = or_end(mem_resize(
            table->cells, table->cells_room * sizeof(*table->cells)));
    }
    look_clean(text, clean, sizeof(clean));
    table->cells[table->cells_count++] =
        (struct cell){or_end(mem_text(clean)), paint};
}

void table_add(struct table *table, const char *text)
{
    table_add_painted(table, text, PAINT_NONE);
}

void table_add_count(struct table *table, const struct look *look, double value)
{
    char text[40];

    look_count(look, value, text);
    table_add(table, text);
}

void table_add_ratio(struct table *table, double value)
{
    char text[40];

    look_ratio(value, text);
    table_add(table, text);
}

static size_t total_width(const struct table *table,
                          const struct layout *layout)
{
    size_t total = 0;

    for (size_t c = 0; c < table->columns_count; c++) {
        if (layout->shown[c]) {
            total += (total > 0 ? GAP : 0) + layout->width[c];
        }
    }
    return total;
}

static void measure(const struct table *table, struct layout *layout)
{
    for (size_t c = 0; c < table->columns_count; c++) {
        layout->shown[c] = true;
        layout->width[c] = look_width(table->columns[c].title);
    }
    for (size_t i = 0; i < table->cells_count; i++) {
        size_t c = i % table->columns_count;
        size_t width = look_width(table->cells[i].text);

        if (width > layout->width[c]) {
            layout->width[c] = width;
        }
    }
}

/* Leaves out the least important column; of equals the last. False: all that
 * are left must be shown. */
static bool leave_one_out(const struct table *table, struct layout *layout)
{
    size_t found = table->columns_count;

    for (size_t c = 0; c < table->columns_count; c++) {
        int importance = table->columns[c].importance;

        if (layout->shown[c] && importance > 0 &&
            (found == table->columns_count ||
             importance <= table->columns[found].importance)) {
            found = c;
        }
    }
    if (found == table->columns_count) {
        return false;
    }
    layout->shown[found] = false;
    return true;
}

static size_t fit(const struct table *table,
                  const struct look *look,
                  struct layout *layout)
{
    size_t left_out = 0;

    measure(table, layout);
    if (look->columns == 0) {
        return 0;
    }
    for (size_t c = 0; c < table->columns_count; c++) {
        layout->shown[c] = !table->columns[c].wide_only;
    }
    while (total_width(table, layout) > (size_t)look->columns &&
           leave_one_out(table, layout)) {
        left_out++;
    }
    return left_out;
}

static void spaces(size_t count, FILE *out)
{
    for (; count > 0; count--) {
        (void)fputc(' ', out);
    }
}

/* Cuts a text at a width, on a whole character; a cut ends in "..". */
static void put_text(const char *text, size_t room, FILE *out)
{
    size_t width = look_width(text);
    size_t limit = width > room ? (room > 2 ? room - 2 : 0) : width;
    const char *end = text;

    for (size_t seen = 0; *end != '\0'; end++) {
        seen += ((unsigned char)*end & 0xc0) != 0x80;
        if (seen > limit) {
            break;
        }
    }
    (void)fwrite(text, 1, (size_t)(end - text), out);
    if (width > room) {
        (void)fputs("..", out);
    }
}

static bool is_last(const struct table *table,
                    const struct layout *layout,
                    size_t column)
{
    for (size_t c = column + 1; c < table->columns_count; c++) {
        if (layout->shown[c]) {
            return false;
        }
    }
    return true;
}

/* The room of a cell: all of its column, but the last one ends with the line.
 */
static size_t room_of(const struct look *look, size_t used, size_t width)
{
    size_t columns = (size_t)look->columns;

    if (columns == 0 || used + width <= columns) {
        return width;
    }
    return columns > used ? columns - used : 0;
}

static void print_cell(const struct cell *cell,
                       const struct look *look,
                       size_t room,
                       FILE *out)
{
    bool painted = cell->paint != PAINT_NONE && cell->text[0] != '\0';

    (void)fputs(painted ? look_paint(look, cell->paint) : "", out);
    put_text(cell->text, room, out);
    (void)fputs(painted ? look_paint(look, PAINT_NONE) : "", out);
}

/* Spaces are owed until something follows them, so that no line ends in one. */
static void print_row(const struct table *table,
                      const struct layout *layout,
                      const struct look *look,
                      const struct cell *cells,
                      FILE *out)
{
    size_t used = 0;
    size_t owed = 0;

    for (size_t c = 0; c < table->columns_count; c++) {
        size_t width = layout->width[c];
        size_t text_width = look_width(cells[c].text);
        bool last = is_last(table, layout, c);

        if (!layout->shown[c]) {
            continue;
        }
        if (table->columns[c].right) {
            owed += width - text_width;
        }
        if (text_width > 0) {
            spaces(owed, out);
            owed = 0;
            print_cell(&cells[c], look,
                       last ? room_of(look, used, width) : width, out);
        }
        if (!table->columns[c].right) {
            owed += width - text_width;
        }
        owed += GAP;
        used += width + GAP;
    }
    (void)fputc('\n', out);
}

size_t table_print(const struct table *table,
                   const struct look *look,
                   bool wide,
                   FILE *out)
{
    struct look fitted = *look;
    struct layout layout;
    struct cell titles[TABLE_COLUMNS_MAX];
    size_t left_out = 0;

    CHECK(table->cells_count % table->columns_count == 0);
    fitted.columns = wide ? 0 : look->columns;
    left_out = fit(table, &fitted, &layout);
    for (size_t c = 0; c < table->columns_count; c++) {
        titles[c] = (struct cell){(char *)table->columns[c].title, PAINT_DIM};
    }
    print_row(table, &layout, &fitted, titles, out);
    for (size_t i = 0; i < table->cells_count; i += table->columns_count) {
        print_row(table, &layout, &fitted, &table->cells[i], out);
    }
    return left_out;
}
