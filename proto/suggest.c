#include "proto/suggest.h"

#include <stdint.h>
#include <string.h>

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t suggest_distance(const char *a,
                        size_t a_size,
                        const char *b,
                        size_t b_size)
{
    /* Three rows of the table: i - 2, i - 1 and i. */
    size_t rows[3][SUGGEST_BYTES_MAX + 1];

    if (a_size > SUGGEST_BYTES_MAX || b_size > SUGGEST_BYTES_MAX) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= b_size; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_size; i++) {
        const size_t *before = rows[(i + 2) % 3];
        size_t *row = rows[i % 3];

        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t change = before[j - 1] + (a[i - 1] != b[j - 1]);

            row[j] = least(change, least(before[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1]) {
                row[j] = least(row[j], rows[(i + 1) % 3][j - 2] + 1);
            }
        }
    }
    return rows[a_size % 3][b_size];
}

void suggest_init(struct suggest *suggest, const char *typed, size_t size)
{
    *suggest = (struct suggest){.typed = typed, .typed_size = size};
    suggest->best_distance = SIZE_MAX;
}

void suggest_offer(struct suggest *suggest, const char *word)
{
    size_t allowed = suggest->typed_size / 3;
    size_t distance = suggest_distance(suggest->typed, suggest->typed_size,
                                       word, strlen(word));

    if (distance <= (allowed > 0 ? allowed : 1) &&
        distance < suggest->best_distance) {
        suggest->best = word;
        suggest->best_distance = distance;
    }
}
