/* path.h - paths put together from their parts. */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include "base/status.h"
#include <stddef.h>

/* Writes the parts, up to a NULL, one after the other; slashes are parts, too.
 * INVALID: they do not fit into size bytes with their NUL; what out has then is
 * the beginning of a path and not to be used. */
enum status path_join(char *out,
                      size_t size,
                      const char *const *parts) MUST_CHECK;

#define PATH_JOIN(out, size, ...)                                              \
    path_join(out, size, (const char *const[]){__VA_ARGS__, NULL})

#endif /* BASE_PATH_H */
