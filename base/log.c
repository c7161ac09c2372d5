#include "base/log.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Below PIPE_BUF (POSIX: at least 512, Linux: 4096), so one write(2) of a line
 * to a pipe is never mixed with another process's. */
enum {
    LINE_BYTES_MAX = 1000,
    /* For a reader that is only busy. One that does not read at all is waited
     * for once, and not again before it does. */
    PATIENCE_MS = 100
};

/* Set by log_open before any other thread starts, then only read. */
static struct {
    int fd;
    enum log_level least;
    char process[NAME_BYTES_MAX];
} sink = {STDERR_FILENO, LOG_WARN, ""};

/* Atomic, and no lock: what logs may be any thread, gRPC's too. */
static atomic_bool stuck;
static _Atomic uint64_t lost; /* lines since the last that was written */

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_open(int fd, enum log_level least, const char *process)
{
    struct text name;

    CHECK(fd >= 0);
    sink.fd = fd;
    sink.least = least;
    text_init(&name, sink.process, sizeof(sink.process));
    text_add(&name, process);
}

/* 2026-11-24T09:30:00.123Z: sorts as text, and means the same everywhere. */
static void add_time(struct text *line)
{
    uint64_t now_ms = clock_wall_ms();
    time_t seconds = (time_t)(now_ms / 1000);
    unsigned ms = (unsigned)(now_ms % 1000);
    struct tm parts = {0};
    char buffer[32] = "";
    char fraction[16] = "";

    if (gmtime_r(&seconds, &parts) == NULL) {
        return; /* a clock beyond the year 2^31 is no reason to fall silent */
    }
    if (strftime(buffer, sizeof(buffer), "%Y-%m-%dT%H:%M:%S", &parts) == 0) {
        return;
    }
    snprintf(fraction, sizeof(fraction), ".%03uZ", ms % 1000U);
    text_add(line, buffer);
    text_add(line, fraction);
}

/* A value may come from a peer: it must not be able to begin a new line, nor
 * to talk to a terminal. */
static void add_escaped(struct text *line, const char *values)
{
    static const char digits[] = "0123456789abcdef";

    for (const char *at = values; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;
        char escape[5] = {'\\', 'x', digits[byte >> 4], digits[byte & 15], 0};

        if (byte == '\n') {
            text_add(line, "\\n");
        } else if (byte < 0x20 || byte == 0x7f) {
            text_add(line, escape);
        } else {
            text_add_bytes(line, at, 1);
        }
    }
}

/* False: whoever reads this pipe, socket or terminal does not. */
static bool has_room(int fd)
{
    struct pollfd one = {.fd = fd, .events = POLLOUT};
    int ready;

    do {
        ready = poll(&one, 1, atomic_load(&stuck) ? 0 : PATIENCE_MS);
    } while (ready < 0 && errno == EINTR);
    atomic_store(&stuck, ready == 0);
    return ready != 0;
}

/* Never waits for a reader: a full pipe must not stop training. A pipe that is
 * ready takes PIPE_BUF bytes, so a line. False: it was not written. */
static bool write_whole(int fd, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t written;

        if (!has_room(fd)) {
            return false;
        }
        written = write(fd, bytes, count);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return true; /* nor must a full disk, or a closed pipe */
        }
        bytes += written;
        count -= (size_t)written;
    }
    return true;
}

/* The time, and what begins every line behind it. */
static void begin_line(struct text *line,
                       enum log_level level,
                       const char *module,
                       const char *event)
{
    add_time(line);
    if (sink.process[0] != '\0') {
        text_add(line, " ");
        text_add(line, sink.process);
    }
    text_add(line, " ");
    text_add(line, level_names[level]);
    text_add(line, " ");
    text_add(line, module);
    text_add(line, " ");
    text_add(line, event);
}

/* The NUL's place becomes the newline: 1000 bytes at most, both counted. */
static bool write_line(char *bytes, const struct text *line)
{
    bytes[line->used] = '\n';
    return write_whole(sink.fd, bytes, line->used + 1);
}

/* False: there is still no room. */
static bool tell_lost(void)
{
    char bytes[LINE_BYTES_MAX];
    uint64_t count = atomic_exchange(&lost, 0);
    struct text line;

    if (count == 0) {
        return true;
    }
    text_init(&line, bytes, sizeof(bytes));
    begin_line(&line, LOG_WARN, "log", "lines_lost count=");
    text_u64(&line, count);
    text_add(&line, " why=\"nobody read them\"");
    if (write_line(bytes, &line)) {
        return true;
    }
    atomic_fetch_add(&lost, count);
    return false;
}

void log_line(enum log_level level,
              const char *module,
              const char *event,
              const char *format,
              ...)
{
    char values[LINE_BYTES_MAX] = "";
    char bytes[LINE_BYTES_MAX];
    int saved_errno = errno; /* callers log first and look at errno then */
    struct text line;
    va_list args;

    if (level < sink.least) {
        return;
    }
    CHECK(level <= LOG_ERROR);
    va_start(args, format);
    if (vsnprintf(values, sizeof(values), format, args) < 0) {
        values[0] = '\0';
    }
    va_end(args);

    text_init(&line, bytes, sizeof(bytes));
    begin_line(&line, level, module, event);
    if (values[0] != '\0') {
        text_add(&line, " ");
        add_escaped(&line, values);
    }
    if (!tell_lost() || !write_line(bytes, &line)) {
        atomic_fetch_add(&lost, 1);
    }
    errno = saved_errno;
}
