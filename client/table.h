/* table.h - rows of texts under titles, fitted to a width.
 *
 * Where a table is too wide, whole columns are left out, the least important
 * first; cells are never wrapped. Without a limit of width nothing is left
 * out. Ends the process where memory ends, as all of the tool. */
#ifndef CLIENT_TABLE_H
#define CLIENT_TABLE_H

#include "client/look.h"
#include <stdio.h>

enum { TABLE_COLUMNS_MAX = 20 };

struct table_column {
    const char *title;
    bool right;     /* numbers */
    int importance; /* 0: always shown; else the lowest goes first */
    bool wide_only; /* shown with -o wide, or where width has no limit */
};

struct table;

/* Borrows columns for the table's life. */
struct table *table_open(const struct table_column *columns, size_t count);
void table_close(struct table *table); /* accepts NULL */

/* The next cell, row by row; copied and cleaned of control characters. */
void table_add(struct table *table, const char *text);
void table_add_painted(struct table *table, const char *text, enum paint paint);
void table_add_count(struct table *table,
                     const struct look *look,
                     double value);
void table_add_ratio(struct table *table, double value);

/* Prints titles and rows; returns how many columns were left out for want of
 * width. wide: never leave one out. */
size_t table_print(const struct table *table,
                   const struct look *look,
                   bool wide,
                   FILE *out);

#endif /* CLIENT_TABLE_H */
