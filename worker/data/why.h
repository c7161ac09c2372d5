/* why.h - the one sentence that tells a person what is wrong with the data.
 *
 * Functions of this folder that can fail take a struct why and fill it once,
 * where the error is found; everyone above returns the same status. */
#ifndef WORKER_DATA_WHY_H
#define WORKER_DATA_WHY_H

#include "base/status.h"
#include <stddef.h>

struct why {
    char *text; /* borrowed; may be NULL where size is 0 */
    size_t size;
};

/* Writes the sentence, cut at size, and returns status. */
enum status why_say(struct why *why,
                    enum status status,
                    const char *format,
                    ...) __attribute__((format(printf, 3, 4))) MUST_CHECK;

#endif /* WORKER_DATA_WHY_H */
