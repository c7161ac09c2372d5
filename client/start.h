/* start.h - makes a coordinator, and a worker, be there for one command.
 *
 * A command that needs a store's coordinator and finds none starts a transient
 * one, which ends by itself; two commands that start one at the same time end
 * up with the same. Every wait has a limit and a reason in words. */
#ifndef CLIENT_START_H
#define CLIENT_START_H

#include "base/status.h"
#include "client/place.h"
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Longer than any coordinator needs to open a store. */
enum { START_WAIT_MS = 15000 };

/* Returns when a coordinator listens. NOT_FOUND: the program is missing;
 * DEADLINE, UNAVAILABLE: it does not come up; why tells the reason. */
enum status start_transient(const struct place *place,
                            char *why,
                            size_t why_size) MUST_CHECK;

/* Starts a transient one that makes the store from mirrors first, and returns
 * when it listens, however long that takes. Another that has the store already
 * is CONFLICT. Else what the coordinator found: NOT_FOUND, CORRUPT (damaged
 * mirrors, or a disk that is full), UNAVAILABLE. */
enum status start_rebuild(const struct place *place,
                          const char *mirrors,
                          char *why,
                          size_t why_size) MUST_CHECK;

/* Waits for the coordinator that the supervisor with this process id starts;
 * pid 0: of another process. */
enum status start_wait(const struct place *place,
                       pid_t supervisor,
                       char *why,
                       size_t why_size) MUST_CHECK;

#endif /* CLIENT_START_H */
