#include "base/path.h"

#include "base/check.h"

#include <string.h>

enum status path_join(char *out, size_t size, const char *const *parts)
{
    size_t used = 0;

    CHECK(size > 0);
    for (; *parts != NULL; parts++) {
        size_t length = strlen(*parts);

        if (length >= size - used) {
            out[used] = '\0';
            return STATUS_INVALID;
        }
        memcpy(out + used, *parts, length);
        used += length;
    }
    out[used] = '\0';
    return STATUS_OK;
}
