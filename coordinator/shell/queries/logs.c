/* logs.c - what the daemons said. */
#include "coordinator/shell/inside.h"

#include "base/mem.h"
#include "coordinator/shell/records/eventcode.h"
#include "proto/codec.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    LOGS_LIMIT = 1000,
    LOGS_LIMIT_MAX = 100000,
    /* Of each file; a thousand lines have 100 KB. */
    LOG_TAIL_BYTES = 1 << 20,
    LOG_FILES_MAX = 256
};

struct log_text {
    char *text; /* begins with the time, so lines sort by it */
    char process[NAME_BYTES_MAX];
    size_t order; /* lines of the same time stay in order */
};

struct logs {
    char dir[PATH_BYTES_MAX];
    uint64_t job; /* 0: none; its events are lines too */
    uint32_t limit;
    bool ready;
    size_t next;
    size_t count;
    size_t room;
    struct log_text *lines;
    enum status status;
};

static enum status add_line(struct logs *logs,
                            const char *process,
                            const char *text,
                            size_t size)
{
    struct log_text *line = NULL;

    if (logs->count == logs->room) {
        size_t room = logs->room > 0 ? 2 * logs->room : 256;
        struct log_text *lines = mem_resize(logs->lines, room * sizeof(*lines));

        if (lines == NULL) {
            return STATUS_NO_MEMORY;
        }
        logs->lines = lines;
        logs->room = room;
    }
    line = &logs->lines[logs->count];
    line->text = mem_new(size + 1);
    if (line->text == NULL) {
        return STATUS_NO_MEMORY;
    }
    for (size_t i = 0; i < size; i++) {
        bool plain = (unsigned char)text[i] >= 0x20 && text[i] != 0x7f;

        line->text[i] = text[i];
        if (!plain) {
            line->text[i] = '?';
        }
    }
    if (!codec_printable((const unsigned char *)line->text, size)) {
        for (size_t i = 0; i < size; i++) {
            line->text[i] = line->text[i] < 0 ? '?' : line->text[i];
        }
    }
    (void)snprintf(line->process, sizeof(line->process), "%s", process);
    line->order = logs->count++;
    return STATUS_OK;
}

static enum status split_lines(struct logs *logs,
                               const char *process,
                               const char *bytes,
                               size_t size)
{
    enum status status = STATUS_OK;

    while (size > 0 && status == STATUS_OK) {
        const char *end = memchr(bytes, '\n', size);
        size_t count = end != NULL ? (size_t)(end - bytes) : size;

        if (count > 0) {
            status = add_line(logs, process, bytes, count);
        }
        count += end != NULL ? 1 : 0;
        bytes += count;
        size -= count;
    }
    return status;
}

static ssize_t read_tail(const char *path, char *out, bool *out_cut)
{
    struct stat info;
    ssize_t count = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0) {
        return -1;
    }
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
        *out_cut = info.st_size > LOG_TAIL_BYTES;
        count = pread(fd, out, LOG_TAIL_BYTES,
                      *out_cut ? info.st_size - LOG_TAIL_BYTES : 0);
    }
    (void)close(fd);
    return count;
}

/* w0.log: lines of "w0". */
static enum status read_file(struct logs *logs, const char *name, char *buffer)
{
    char path[2 * PATH_BYTES_MAX];
    char process[NAME_BYTES_MAX];
    const char *from = buffer;
    size_t size = strlen(name);
    ssize_t count = 0;
    bool cut = false;

    if (size <= 4 || strcmp(name + size - 4, ".log") != 0 ||
        size - 4 >= sizeof(process)) {
        return STATUS_OK;
    }
    memcpy(process, name, size - 4);
    process[size - 4] = '\0';
    if (!codec_printable((const unsigned char *)process, size - 4) ||
        snprintf(path, sizeof(path), "%s/%s", logs->dir, name) >=
            (int)sizeof(path)) {
        return STATUS_OK;
    }
    count = read_tail(path, buffer, &cut);
    if (count <= 0) {
        return STATUS_OK;
    }
    if (cut) { /* the first line is not whole */
        from = memchr(buffer, '\n', (size_t)count);
        from = from != NULL ? from + 1 : buffer + count;
    }
    return split_lines(logs, process, from,
                       (size_t)count - (size_t)(from - buffer));
}

static enum status read_files(struct logs *logs)
{
    char *buffer = mem_new(LOG_TAIL_BYTES);
    DIR *dir = NULL;
    struct dirent *entry = NULL;
    enum status status = STATUS_OK;

    if (buffer == NULL) {
        return STATUS_NO_MEMORY;
    }
    dir = opendir(logs->dir); /* there may be none: nobody has logged */
    for (int files = 0; dir != NULL && files < LOG_FILES_MAX &&
                        status == STATUS_OK && (entry = readdir(dir)) != NULL;
         files++) {
        status = read_file(logs, entry->d_name, buffer);
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    mem_free(buffer);
    return status;
}

/* As base/log writes it. */
static void print_time(uint64_t wall_ms, char out[32])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts = {0};
    char text[24] = "";

    if (gmtime_r(&seconds, &parts) != NULL) {
        (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
    }
    (void)snprintf(out, 32, "%s.%03uZ", text, (unsigned)(wall_ms % 1000));
}

static bool take_event(void *owner,
                       uint64_t key,
                       const void *bytes,
                       size_t size)
{
    struct logs *logs = owner;
    struct event_record event;
    char line[DETAIL_BYTES_MAX + 128];
    char stamp[32];
    char job[NUMBER_BYTES_MAX];
    int count = 0;

    (void)key;
    if (eventcode_decode(bytes, size, &event) != STATUS_OK) {
        return true; /* the launch record */
    }
    print_time(event.wall_ms, stamp);
    count = snprintf(line, sizeof(line), "%s %s %s %s", stamp,
                     names_job(logs->job, job), event.kind, event.text);
    logs->status = add_line(logs, job, line, (size_t)count);
    return logs->status == STATUS_OK;
}

static int compare_lines(const void *left, const void *right)
{
    const struct log_text *a = left;
    const struct log_text *b = right;
    int order = strncmp(a->text, b->text, 24); /* the time */

    if (order != 0) {
        return order;
    }
    return a->order < b->order ? -1 : 1;
}

static enum status read_logs(struct query *query, struct logs *logs)
{
    enum status status = read_files(logs);

    logs->ready = true;
    logs->status = STATUS_OK;
    if (status == STATUS_OK && logs->job != 0) {
        status = store_scan_log(query_store(query), LOG_EVENTS, logs->job, 0,
                                take_event, logs);
    }
    if (status == STATUS_OK) {
        status = logs->status;
    }
    if (status == STATUS_OK && logs->count > 0) {
        qsort(logs->lines, logs->count, sizeof(*logs->lines), compare_lines);
    }
    if (logs->count > logs->limit) {
        logs->next = logs->count - logs->limit;
    }
    return status;
}

static enum status step_logs(struct query *query, void *state)
{
    struct logs *logs = state;
    enum status status = STATUS_OK;

    if (!logs->ready) {
        status = read_logs(query, logs);
    }
    while (status == STATUS_OK && !query_full(query)) {
        Cajal__V1__LogLine line = CAJAL__V1__LOG_LINE__INIT;

        if (logs->next >= logs->count) {
            query_end(query);
            break;
        }
        line.process = logs->lines[logs->next].process;
        line.text = logs->lines[logs->next].text;
        status = query_emit(query, &line.base);
        logs->next++;
    }
    return status;
}

static void fini_logs(void *state)
{
    struct logs *logs = state;

    for (size_t l = 0; l < logs->count; l++) {
        mem_free(logs->lines[l].text);
    }
    mem_free(logs->lines);
}

void answer_logs(struct shell *shell,
                 struct call *call,
                 const Cajal__V1__LogsRequest *request)
{
    static const struct query_kind kind = {.step = step_logs,
                                           .fini = fini_logs,
                                           .state_bytes = sizeof(struct logs)};
    struct query *query = NULL;
    struct logs *logs = NULL;
    uint64_t job = 0;
    enum status status = store_last_job(shell->store, &job);

    /* Without any job there are still the daemons' lines. */
    if (status != STATUS_OK ||
        (job != 0 && !shell_find_job(shell, call, request->job, &job))) {
        if (status != STATUS_OK) {
            call_finish(call, status, "the store cannot be read");
        }
        return;
    }
    query = query_open(shell->queries, call, &kind);
    if (query == NULL) {
        return;
    }
    logs = query_state(query);
    (void)snprintf(logs->dir, sizeof(logs->dir), "%s", shell->options.logs);
    logs->job = job;
    logs->limit = request->limit == 0 ? LOGS_LIMIT : request->limit;
    if (logs->limit > LOGS_LIMIT_MAX) {
        logs->limit = LOGS_LIMIT_MAX;
    }
    query_start(query);
}
