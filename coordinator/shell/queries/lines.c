#include "coordinator/shell/queries/lines.h"

uint32_t lines_past(const struct line_start *lines,
                    uint32_t lines_count,
                    uint32_t line,
                    uint64_t end,
                    struct stretch *out)
{
    uint32_t count = 0;

    /* A parent is older than its line, so this ends. */
    while (line < lines_count) {
        uint64_t first = line == 0 ? 0 : lines[line].interval;

        if (first < end) {
            out[count++] = (struct stretch){line, first, end};
            end = first;
        }
        if (line == 0) {
            break;
        }
        line = lines[line].parent;
    }
    return count;
}

bool lines_contain(const struct stretch *stretches,
                   uint32_t count,
                   uint32_t line,
                   uint64_t interval)
{
    for (uint32_t s = 0; s < count; s++) {
        if (stretches[s].line == line && interval >= stretches[s].first &&
            interval < stretches[s].end) {
            return true;
        }
    }
    return false;
}
