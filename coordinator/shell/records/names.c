#include "coordinator/shell/records/names.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "coordinator/shell/records/recordcode.h"
#include "coordinator/shell/records/summarycode.h"
#include "proto/codec.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* A text of digits alone, at most 15 of them. */
static bool read_number(const char *text, size_t size, uint64_t *out)
{
    uint64_t number = 0;

    if (size == 0 || size > 15) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        number = number * 10 + (uint64_t)(text[i] - '0');
    }
    *out = number;
    return true;
}

/* "v7" with letter v. */
static bool read_lettered(const char *text,
                          size_t size,
                          char letter,
                          uint64_t *out)
{
    return size > 1 && text[0] == letter &&
           read_number(text + 1, size - 1, out) && *out > 0;
}

static enum status refuse(char *why, enum status status, const char *sentence)
{
    (void)snprintf(why, ERROR_BYTES_MAX, "%s", sentence);
    return status;
}

static enum status store_failed(char *why, enum status status)
{
    (void)snprintf(why, ERROR_BYTES_MAX, "the store could not be read: %s",
                   status_text(status));
    return status;
}

static bool fits(const char *text)
{
    size_t size = strlen(text);

    return size < VERSION_TEXT_BYTES_MAX &&
           codec_printable((const unsigned char *)text, size);
}

/* --- Jobs --- */

static enum status job_exists(struct store *store, uint64_t job)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    enum status status = store_get_job(store, job, &bytes, &size);

    if (status == STATUS_OK) {
        mem_free(bytes);
    }
    return status;
}

struct name_search {
    const char *name;
    uint64_t found;
};

static bool match_name(void *owner,
                       uint64_t key,
                       const void *bytes,
                       size_t size)
{
    struct name_search *search = owner;
    struct record_head head;

    if (recordcode_peek(bytes, size, &head) == STATUS_OK &&
        strcmp(head.name, search->name) == 0) {
        search->found = key; /* a later one is newer */
    }
    return true;
}

static enum status find_newest(struct store *store, uint64_t *out, char *why)
{
    enum status status = store_last_job(store, out);

    if (status != STATUS_OK) {
        return store_failed(why, status);
    }
    if (*out == 0) {
        return refuse(why, STATUS_NOT_FOUND,
                      "there is no job in this store yet. Start one: cajal run "
                      "JOB.yaml");
    }
    return STATUS_OK;
}

enum status names_find_job(struct store *store,
                           const char *text,
                           uint64_t *out_job,
                           char *why)
{
    struct name_search search = {.name = text};
    uint64_t job = 0;
    enum status status = STATUS_OK;

    if (!fits(text)) {
        return refuse(why, STATUS_INVALID,
                      "a job's name is printable text of at most 255 bytes");
    }
    if (text[0] == '\0') {
        status = find_newest(store, &job, why);
        if (status == STATUS_OK) {
            *out_job = job;
        }
        return status;
    }
    if (read_lettered(text, strlen(text), 'j', &job)) {
        status = job_exists(store, job);
        if (status == STATUS_OK) {
            *out_job = job;
            return STATUS_OK;
        }
        if (status != STATUS_NOT_FOUND) {
            return store_failed(why, status);
        }
    }
    status = store_scan_jobs(store, 0, match_name, &search);
    if (status != STATUS_OK) {
        return store_failed(why, status);
    }
    if (search.found == 0) {
        (void)snprintf(why, ERROR_BYTES_MAX,
                       "there is no job \"%s\". List them with: cajal jobs",
                       text);
        return STATUS_NOT_FOUND;
    }
    *out_job = search.found;
    return STATUS_OK;
}

/* --- Versions --- */

struct version_search {
    struct store *store;
    const char *text; /* as it was given */
    uint64_t job;
    char *why;
};

static enum status no_version(const struct version_search *search)
{
    char job[NUMBER_BYTES_MAX];

    (void)snprintf(search->why, ERROR_BYTES_MAX,
                   "there is no version \"%s\" of %s. List them with: cajal "
                   "history %s",
                   search->text, names_job(search->job, job), job);
    return STATUS_NOT_FOUND;
}

struct summary_search {
    uint64_t number;
    bool found;
    struct summary summary;
};

static bool take_summary(void *owner,
                         uint64_t key,
                         const void *bytes,
                         size_t size)
{
    struct summary_search *search = owner;

    search->found =
        key == search->number &&
        summarycode_decode(bytes, size, &search->summary) == STATUS_OK;
    return false;
}

/* What gc left of a version is enough to count on along its parents. */
static enum status get_dropped(const struct version_search *search,
                               uint64_t number,
                               struct summary *out,
                               uint64_t *out_dropped_ms)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    enum status status = store_get_dropped(search->store, search->job, number,
                                           out_dropped_ms, &bytes, &size);

    if (status == STATUS_NOT_FOUND) {
        return no_version(search);
    }
    if (status == STATUS_OK &&
        summarycode_decode(bytes, size, out) != STATUS_OK) {
        *out = (struct summary){.number = number};
    }
    mem_free(bytes);
    return status == STATUS_OK ? STATUS_OK : store_failed(search->why, status);
}

/* *out_dropped_ms: when it was taken away; 0: it is there. */
static enum status get_summary(const struct version_search *search,
                               uint64_t number,
                               struct summary *out,
                               uint64_t *out_dropped_ms)
{
    struct summary_search wanted = {.number = number};
    enum status status = store_scan_versions(search->store, search->job, number,
                                             false, take_summary, &wanted);

    if (status != STATUS_OK) {
        return store_failed(search->why, status);
    }
    *out_dropped_ms = 0;
    if (!wanted.found) {
        return get_dropped(search, number, out, out_dropped_ms);
    }
    *out = wanted.summary;
    return STATUS_OK;
}

static enum status was_dropped(const struct version_search *search,
                               uint64_t number,
                               uint64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts = {0};
    char date[16] = "";
    char version[NUMBER_BYTES_MAX];
    char job[NUMBER_BYTES_MAX];

    if (gmtime_r(&seconds, &parts) != NULL) {
        (void)strftime(date, sizeof(date), "%Y-%m-%d", &parts);
    }
    (void)snprintf(search->why, ERROR_BYTES_MAX,
                   "%s of %s was dropped by gc on %s. What is there: cajal "
                   "history %s",
                   names_version(number, version), names_job(search->job, job),
                   date, job);
    return STATUS_NOT_FOUND;
}

struct move_search {
    uint64_t skip;
    uint64_t found;
};

static bool take_move(void *owner,
                      const char *name,
                      uint64_t number,
                      uint64_t wall_ms,
                      const char *actor)
{
    struct move_search *search = owner;

    (void)wall_ms;
    (void)actor;
    if (strcmp(name, "head") != 0) {
        return true;
    }
    if (search->skip > 0) {
        search->skip--;
        return true;
    }
    search->found = number;
    return false;
}

/* @{n}: the ref log counts back from the present head. */
static enum status find_move(const struct version_search *search,
                             uint64_t back,
                             uint64_t *out)
{
    struct move_search moves = {.skip = back};
    enum status status =
        store_scan_ref_log(search->store, search->job, take_move, &moves);

    if (status != STATUS_OK) {
        return store_failed(search->why, status);
    }
    if (moves.found == 0) {
        return no_version(search);
    }
    *out = moves.found;
    return STATUS_OK;
}

static enum status find_ref(const struct version_search *search,
                            const char *name,
                            size_t size,
                            uint64_t *out)
{
    char copy[NAME_BYTES_MAX];
    enum status status = STATUS_OK;

    if (size >= sizeof(copy)) {
        return no_version(search);
    }
    memcpy(copy, name, size);
    copy[size] = '\0';
    status = store_get_ref(search->store, search->job, copy, out);
    if (status == STATUS_NOT_FOUND) {
        return no_version(search);
    }
    return status == STATUS_OK ? STATUS_OK : store_failed(search->why, status);
}

/* What stands before a "~N". at: a "@" stood before it. */
static enum status find_base(const struct version_search *search,
                             const char *base,
                             size_t size,
                             bool at,
                             uint64_t *out)
{
    uint64_t back = 0;

    if (size == 0 && at) {
        return find_ref(search, "head", 4, out);
    }
    if (read_lettered(base, size, 'v', out)) {
        return STATUS_OK;
    }
    if (at && size > 2 && base[0] == '{' && base[size - 1] == '}' &&
        read_number(base + 1, size - 2, &back)) {
        return find_move(search, back, out);
    }
    return size == 0 ? no_version(search) : find_ref(search, base, size, out);
}

static enum status find_number(const struct version_search *search,
                               const char *rest,
                               bool at,
                               uint64_t *out)
{
    size_t size = strcspn(rest, "~");
    const char *tilde = rest + size;
    struct summary summary;
    uint64_t dropped_ms = 0;
    uint64_t number = 0;
    uint64_t back = 0;
    enum status status = find_base(search, rest, size, at, &number);

    if (status != STATUS_OK) {
        return status;
    }
    if (tilde[0] == '~' && !read_number(tilde + 1, strlen(tilde + 1), &back)) {
        return no_version(search);
    }
    status = get_summary(search, number, &summary, &dropped_ms);
    for (; status == STATUS_OK && back > 0; back--) {
        if (summary.parents_count == 0) {
            return no_version(search);
        }
        number = summary.parents[0];
        status = get_summary(search, number, &summary, &dropped_ms);
    }
    if (status == STATUS_OK && dropped_ms != 0) {
        return was_dropped(search, number, dropped_ms);
    }
    if (status == STATUS_OK) {
        *out = number;
    }
    return status;
}

enum status names_find_version(struct store *store,
                               const char *job,
                               const char *text,
                               struct version_name *out,
                               char *why)
{
    struct version_search search = {.store = store, .text = text, .why = why};
    char name[VERSION_TEXT_BYTES_MAX];
    const char *sign = strchr(text, '@');
    uint64_t number = 0;
    enum status status = STATUS_OK;

    if (!fits(text) || text[0] == '\0') {
        return refuse(why, STATUS_INVALID,
                      "a version is named like v7, JOB@v7, @ or a tag");
    }
    if (sign != NULL && sign != text) {
        memcpy(name, text, (size_t)(sign - text));
        name[sign - text] = '\0';
        job = name;
    }
    status = names_find_job(store, job, &search.job, why);
    if (status == STATUS_OK) {
        status = find_number(&search, sign != NULL ? sign + 1 : text,
                             sign != NULL, &number);
    }
    if (status == STATUS_OK) {
        *out = (struct version_name){search.job, number};
    }
    return status;
}

bool names_tag_fits(const char *name)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t size = strlen(name);
    uint64_t number = 0;

    if (size == 0 || size >= NAME_BYTES_MAX || strspn(name, letters) == 0 ||
        strspn(name + 1, "abcdefghijklmnopqrstuvwxyz0123456789._-"
                         "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != size - 1) {
        return false;
    }
    return strcmp(name, "head") != 0 &&
           !read_lettered(name, size, 'v', &number) &&
           !read_lettered(name, size, 'j', &number);
}

/* --- Printing --- */

static const char *print(const char *letter, uint64_t number, char *out)
{
    struct text text;

    text_init(&text, out, NUMBER_BYTES_MAX);
    if (number != 0) {
        text_add(&text, letter);
        text_u64(&text, number);
    }
    return out;
}

const char *names_version(uint64_t number, char *out)
{
    return print("v", number, out);
}

const char *names_job(uint64_t job, char *out)
{
    return print("j", job, out);
}

const char *names_unit(struct unit_id id, char *out)
{
    struct text text;

    text_init(&text, out, UNIT_BYTES_MAX);
    text_add(&text, "u");
    text_u64(&text, id.birth);
    if (id.line != 0) {
        text_add(&text, ".");
        text_u64(&text, id.line);
    }
    return out;
}
