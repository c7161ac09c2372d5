/* suggest.h - "did you mean": the nearest of some words to a mistyped one.
 *
 * Nearness is the optimal string alignment distance: insertions, deletions,
 * substitutions and swaps of two neighbours, each once. A word counts as near
 * within a third of the typed word's length, and at least 1. */
#ifndef PROTO_SUGGEST_H
#define PROTO_SUGGEST_H

#include <stddef.h>

/* Longer words get no suggestion: nobody mistypes them by a letter. */
enum { SUGGEST_BYTES_MAX = 40 };

struct suggest {
    const char *typed; /* borrowed; need not end in NUL */
    size_t typed_size;
    const char *best; /* borrowed; NULL: no word offered is near */
    size_t best_distance;
};

void suggest_init(struct suggest *suggest, const char *typed, size_t size);

/* Offers a word; the first of the nearest ones stays in `best`. */
void suggest_offer(struct suggest *suggest, const char *word);

/* SIZE_MAX where a or b is longer than SUGGEST_BYTES_MAX. */
size_t suggest_distance(const char *a,
                        size_t a_size,
                        const char *b,
                        size_t b_size);

#endif /* PROTO_SUGGEST_H */
