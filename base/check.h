/* check.h - programmer errors end the process, always, with one line.
 *
 * CHECK never guards input: bytes from wire, disk, user or configuration are
 * validated and yield a status. One condition per line. */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

/* Prints the place and the condition to stderr and aborts. A test may set
 * check_hook; the hook must not return. */
_Noreturn void check_fail(const char *file, int line, const char *condition);

extern void (*check_hook)(const char *file, int line, const char *condition);

#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition)) {                                                    \
            check_fail(__FILE__, __LINE__, #condition);                        \
        }                                                                      \
    } while (0)

#endif /* BASE_CHECK_H */
