#include "client/jobload.h"

#include "base/mem.h"
#include "client/json.h"
#include "proto/jobfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum status read_all(int fd, char *bytes, size_t room, size_t *out_size)
{
    size_t size = 0;

    while (size < room) {
        ssize_t count = read(fd, bytes + size, room - size);

        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return STATUS_IO;
        }
        if (count == 0) {
            *out_size = size;
            return STATUS_OK;
        }
        size += (size_t)count;
    }
    return STATUS_FULL; /* more than there is room for */
}

/* "-" is stdin. */
static int read_file(const struct tool *tool,
                     const char *path,
                     struct jobload *load)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    enum status status = STATUS_OK;

    if (fd < 0) {
        return tool_usage(tool, "cannot read %s: %s.", path, strerror(errno));
    }
    load->text = mem_new(JOB_FILE_BYTES_MAX + 1);
    if (load->text == NULL) {
        status = STATUS_NO_MEMORY;
    } else {
        status = read_all(fd, load->text, JOB_FILE_BYTES_MAX, &load->text_size);
    }
    if (!is_stdin) {
        (void)close(fd);
    }
    if (status == STATUS_FULL) {
        return tool_usage(tool, "%s is longer than 1 MiB: no job file.", path);
    }
    if (status != STATUS_OK) {
        return tool_fail(tool, status, "cannot read %s: %s.", path,
                         status_text(status));
    }
    return EXIT_DONE;
}

static cJSON *error_document(const struct jobfile_source *source,
                             const struct jobfile_errors *errors)
{
    cJSON *document = json_document("Error");
    cJSON *array = NULL;

    json_add_text(document, "code", "INVALID");
    json_add_number(document, "exit", EXIT_BAD_USAGE);
    json_add_text(document, "message",
                  "the job file has errors; nothing was started.");
    json_add_number(document, "error_count", errors->total);
    array = json_array(document, "errors");
    for (uint32_t i = 0; i < errors->count; i++) {
        const struct jobfile_error *error = &errors->items[i];
        cJSON *one = cJSON_CreateObject();

        json_add_text(one, "file",
                      error->override > 0 ? "--set" : source->file_name);
        json_add_number(one, "line", error->line);
        json_add_number(one, "column", error->column);
        json_add_number(one, "end_column", error->end_column);
        json_add_text(one, "path", error->path);
        json_add_text(one, "message", error->message);
        json_add_text(one, "hint", error->hint);
        (void)cJSON_AddItemToArray(array, one);
    }
    return document;
}

static int print_errors(const struct tool *tool,
                        const struct jobfile_source *source,
                        const struct jobfile_errors *errors)
{
    struct text text;
    cJSON *document = NULL;
    char *memory = NULL;

    if (tool->cli.json) {
        document = error_document(source, errors);
        json_print(stderr, document, false);
        cJSON_Delete(document);
        return EXIT_BAD_USAGE;
    }
    memory = mem_new(JOBFILE_PRINT_BYTES_MAX);
    if (memory == NULL) {
        return tool_fail(tool, STATUS_NO_MEMORY, "out of memory.");
    }
    text_init(&text, memory, JOBFILE_PRINT_BYTES_MAX);
    jobfile_errors_print(source, errors, &text);
    (void)fputs(memory, stderr);
    (void)fputs("Nothing was started.\n", stderr);
    mem_free(memory);
    return EXIT_BAD_USAGE;
}

static int parse(const struct tool *tool,
                 const char *path,
                 struct jobload *load)
{
    const struct jobfile_source source = {
        .file_name = strcmp(path, "-") == 0 ? "stdin" : path,
        .bytes = load->text,
        .size = load->text_size,
        .overrides = tool->cli.sets,
        .overrides_count = tool->cli.sets_count,
    };
    struct jobfile_errors *errors = mem_new(sizeof(*errors));
    enum status status = STATUS_NO_MEMORY;
    int code = EXIT_DONE;

    if (errors != NULL) {
        status = jobfile_parse(&source, &load->spec, &load->origins, errors);
    }
    if (status == STATUS_INVALID) {
        code = print_errors(tool, &source, errors);
    } else if (status != STATUS_OK) {
        code = tool_fail(tool, status, "cannot check %s: %s.", path,
                         status_text(status));
    }
    mem_free(errors);
    return code;
}

/* A relative data.dir begins where the job file is. */
static int make_absolute(const struct tool *tool,
                         const char *path,
                         struct job_spec *spec)
{
    char base[PATH_BYTES_MAX] = "";
    char joined[2 * PATH_BYTES_MAX];
    const char *slash = strrchr(path, '/');
    size_t used = 0;
    int count = 0;

    if (spec->data.dir[0] == '/' || spec->data.dir[0] == '\0') {
        return EXIT_DONE;
    }
    if (path[0] != '/' && getcwd(base, sizeof(base)) == NULL) {
        return tool_fail(tool, STATUS_IO, "the present directory is gone.");
    }
    used = strlen(base);
    if (slash != NULL) {
        (void)snprintf(base + used, sizeof(base) - used, "%s%.*s",
                       used > 0 ? "/" : "", (int)(slash - path), path);
    }
    count = snprintf(joined, sizeof(joined), "%s/%s", base, spec->data.dir);
    if (count < 0 || (size_t)count >= sizeof(spec->data.dir)) {
        return tool_usage(tool, "data.dir: %s is too long a path.", joined);
    }
    memcpy(spec->data.dir, joined, (size_t)count + 1);
    return EXIT_DONE;
}

int jobload_open(const struct tool *tool,
                 const char *path,
                 struct jobload **out)
{
    struct jobload *load = mem_new(sizeof(*load));
    int code = EXIT_DONE;

    *out = load;
    if (load == NULL) {
        return tool_fail(tool, STATUS_NO_MEMORY, "out of memory.");
    }
    code = read_file(tool, path, load);
    if (code == EXIT_DONE) {
        code = parse(tool, path, load);
    }
    if (code == EXIT_DONE) {
        code = make_absolute(tool, path, &load->spec);
    }
    return code;
}

void jobload_close(struct jobload *load)
{
    if (load == NULL) {
        return;
    }
    mem_free(load->text);
    mem_free(load);
}
