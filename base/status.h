/* status.h - the one result type of every function that can fail.
 *
 * The numbers travel on the wire and rest in the store: never change or reuse
 * one. Programmer errors are not statuses, see check.h. */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#define STATUS_LIST(X)                                                         \
    X(OK, 0, "ok")                                                             \
    X(INVALID, 1, "request breaks a rule of the protocol")                     \
    X(NOT_FOUND, 2, "no such thing")                                           \
    X(STALE, 3, "sender acts on an old term or generation")                    \
    X(BUSY, 4, "a limit is reached, retry later")                              \
    X(UNAVAILABLE, 5, "peer cannot be reached")                                \
    X(CORRUPT, 6, "bytes fail their checksum")                                 \
    X(NO_MEMORY, 7, "out of memory")                                           \
    X(IO, 8, "operating system or store error")                                \
    X(DEADLINE, 9, "no answer in time")                                        \
    X(CONFLICT, 10, "not possible in the present state")                       \
    X(FULL, 11, "no space is left on the disk")                                \
    X(UNSUPPORTED, 12, "this release cannot do that yet")                      \
    X(REFUSED, 13, "the other side does not accept this peer")

enum status {
#define X(name, number, text) STATUS_##name = number,
    STATUS_LIST(X)
#undef X
};

#define MUST_CHECK __attribute__((warn_unused_result))

/* Returns a static, lower-case text of one line; never NULL. */
const char *status_text(enum status status);

#endif /* BASE_STATUS_H */
