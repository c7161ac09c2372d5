/* lines.h - which intervals a version has behind it.
 *
 * A job's lines form a tree: each begins at an interval of its parent. The
 * past of a place is a chain of stretches, the newest first; figures of other
 * stretches belong to futures that were left. Pure. */
#ifndef COORDINATOR_SHELL_QUERIES_LINES_H
#define COORDINATOR_SHELL_QUERIES_LINES_H

#include "coordinator/core/record.h"

struct stretch {
    uint32_t line;
    uint64_t first; /* interval */
    uint64_t end;   /* the first interval that does not belong to it */
};

/* The past of `line` up to interval `end`; out holds LINES_MAX. Empty
 * stretches are left out. Returns how many there are. */
uint32_t lines_past(const struct line_start *lines,
                    uint32_t lines_count,
                    uint32_t line,
                    uint64_t end,
                    struct stretch *out);

/* Is (line, interval) in one of them? */
bool lines_contain(const struct stretch *stretches,
                   uint32_t count,
                   uint32_t line,
                   uint64_t interval);

#endif /* COORDINATOR_SHELL_QUERIES_LINES_H */
