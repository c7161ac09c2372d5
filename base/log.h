/* log.h - one line per event: `time level module event key=value...`.
 *
 * event is a fixed snake_case word; lower case, no full stop. debug is per
 * message, info a state change, warn recovered, error needs a person. Never
 * called in a core. Thread-safe: one write(2) per line.
 *
 * Nobody waits for the log: where a pipe, socket or terminal is full since its
 * reader does not read, lines are left out, and how many is said when it reads
 * again ("log lines_lost count=7"). A coordinator that waited would answer no
 * one. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* process is a short name such as "w0" put into each line; copied.
 * fd stays the caller's. Before log_open, lines go to stderr at LOG_WARN. */
void log_open(int fd, enum log_level least, const char *process);

/* Cuts the line at 1000 bytes; control characters are escaped. */
void log_line(enum log_level level,
              const char *module,
              const char *event,
              const char *format,
              ...) __attribute__((format(printf, 4, 5)));

#endif /* BASE_LOG_H */
