/* The lines that a watch prints: pure, so that tests can compare them. */
#include "client/watch.h"

#include "base/text.h"
#include "client/json.h"

#include <stdio.h>
#include <string.h>

enum {
    BAR_CELLS_MAX = 20,
    BAR_CELLS_NARROW = 10,
    BAR_COLUMNS = 100,
    TEXT_BYTES_MAX = 512,
    KIND_COLUMNS = 9,          /* recovered */
    HANGING_COLUMNS_LEAST = 20 /* narrower: the terminal breaks the line */
};

/* Renewals and decisions not to act come by the hundred; `history`, `status`
 * and the journal hold them. */
bool watch_shows(const char *kind)
{
    static const char *const kinds[] = {
        "state",    "version", "grow", "prune",   "heal",      "worker",
        "evaluate", "fault",   "set",  "restore", "recovered",
    };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i], kind) == 0) {
            return true;
        }
    }
    return false;
}

static void add_ratio(struct text *text, const char *label, double value)
{
    char number[40];

    look_ratio(value, number);
    text_add(text, label);
    text_add(text, number);
}

/* step=2140/9380 task=2 */
static void add_position(struct text *text, const cJSON *event)
{
    text_add(text, " step=");
    text_u64(text, (uint64_t)json_number(event, "step"));
    text_add(text, "/");
    text_u64(text, (uint64_t)json_number(event, "steps"));
    text_add(text, " task=");
    text_u64(text, (uint64_t)json_number(event, "task"));
}

static void add_shape(struct text *text, const char *label, const cJSON *event)
{
    static const struct look plain = {.columns = 0};
    char shape[TEXT_BYTES_MAX];

    print_shape(&plain, event, shape, sizeof(shape));
    if (shape[0] != '\0') {
        text_add(text, label);
        text_add(text, shape);
    }
}

static void add_word(struct text *text, const char *label, const char *value)
{
    if (value[0] != '\0') {
        text_add(text, label);
        text_add(text, value);
    }
}

void watch_plain_line(const cJSON *event, FILE *out)
{
    char line[2 * TEXT_BYTES_MAX];
    char clean[2 * TEXT_BYTES_MAX];
    struct text text;
    const char *kind = json_text(event, "kind");
    bool progress = strcmp(kind, "progress") == 0;

    text_init(&text, line, sizeof(line));
    text_add(&text, json_text(event, "time"));
    add_word(&text, text.used > 0 ? " " : "", json_text(event, "job"));
    if (!progress) {
        add_word(&text, " event=", kind);
    }
    add_word(&text, " state=", json_text(event, "state"));
    add_position(&text, event);
    if (progress && json_number(event, "step") > 0) {
        add_ratio(&text, " loss=", json_number(event, "loss"));
        add_ratio(&text, " acc=", json_number(event, "accuracy"));
    }
    if (progress) {
        add_shape(&text, " shape=", event);
    }
    add_word(&text, " version=", json_text(event, "version"));
    if (progress) {
        text_add(&text, " workers=");
        text_u64(&text, (uint64_t)json_number(event, "worker_count"));
        text_add(&text, " examples_per_second=");
        text_u64(&text, (uint64_t)json_number(event, "examples_per_second"));
    }
    if (json_text(event, "text")[0] != '\0') {
        text_add(&text, " text=\"");
        text_add(&text, json_text(event, "text"));
        text_add(&text, "\"");
    }
    look_clean(line, clean, sizeof(clean));
    (void)fprintf(out, "%s\n", clean);
    (void)fflush(out);
}

static void add_bar(struct text *text, const struct look *look, double share)
{
    int cells = look->columns < BAR_COLUMNS ? BAR_CELLS_NARROW : BAR_CELLS_MAX;
    int full = (int)(share * cells);

    for (int i = 0; i < cells; i++) {
        if (look->utf8) {
            text_add(text, i < full ? "\xe2\x96\x88" : "\xe2\x96\x91");
        } else {
            text_add(text, i < full ? "#" : ".");
        }
    }
}

void watch_progress_line(const struct look *look,
                         const cJSON *event,
                         double left_seconds,
                         char *out,
                         size_t size)
{
    struct text text;
    char number[40];
    double step = json_number(event, "step");
    double steps = json_number(event, "steps");
    const char *state = json_text(event, "state");

    text_init(&text, out, size);
    if (steps <= 0) { /* not begun: who or what is waited for */
        text_add(&text, state[0] != '\0' ? state : "waiting");
        add_word(&text, ": ", json_text(event, "text"));
        return;
    }
    (void)snprintf(number, sizeof(number), "task%.0f (%.0f of %.0f) ",
                   json_number(event, "task"), json_number(event, "task") + 1,
                   json_number(event, "task_count"));
    text_add(&text, number);
    add_bar(&text, look, step / steps);
    look_count(look, step, number);
    add_word(&text, " ", number);
    look_count(look, steps, number);
    add_word(&text, "/", number);
    if (left_seconds >= 0) {
        look_seconds(left_seconds, number);
        add_word(&text, "  ", number);
        text_add(&text, " left");
    }
    if (step > 0) { /* nothing was measured before */
        add_ratio(&text, "  acc ", json_number(event, "accuracy"));
        add_ratio(&text, " loss ", json_number(event, "loss"));
    }
    add_shape(&text, "  ", event);
    if (strcmp(state, "running") != 0) {
        add_word(&text, "  ", state);
    }
}

/* The last space that has at most room columns before it; NULL: none. */
static const char *last_space(const char *text, size_t room)
{
    const char *space = NULL;
    size_t width = 0;

    for (; *text != '\0' && width <= room; text++) {
        if (*text == ' ') {
            space = text;
        }
        width += ((unsigned char)*text & 0xc0) != 0x80; /* not a follower */
    }
    return space;
}

/* The rest of a line that has begun with indent columns. What does not fit goes
 * on below it, so that the columns before it stay readable. */
static void print_hanging(const struct look *look,
                          const char *text,
                          size_t indent,
                          FILE *out)
{
    size_t columns = (size_t)look->columns;
    size_t room =
        columns >= indent + HANGING_COLUMNS_LEAST ? columns - indent : SIZE_MAX;

    while (look_width(text) > room) {
        const char *space = last_space(text, room);

        if (space == NULL) { /* one long word: the terminal breaks it */
            break;
        }
        (void)fprintf(out, "%.*s\n%*s", (int)(space - text), text, (int)indent,
                      "");
        text = space + 1;
    }
    (void)fprintf(out, "%s\n", text);
}

void watch_event_line(const struct look *look,
                      const cJSON *event,
                      double elapsed_seconds,
                      FILE *out)
{
    char clean[TEXT_BYTES_MAX];
    const char *kind = json_text(event, "kind");
    const char *text = json_text(event, "text");
    const char *begin = "";
    const char *end = "";
    unsigned seconds = (unsigned)elapsed_seconds;
    int before = 0; /* columns */
    int after = 0;

    if (strcmp(kind, "grow") == 0 || strcmp(kind, "recovered") == 0) {
        begin = look_paint(look, PAINT_GOOD);
        end = look_paint(look, PAINT_NONE);
    } else if (strcmp(kind, "fault") == 0) {
        begin = look_paint(look, PAINT_BAD);
        end = look_paint(look, PAINT_NONE);
    }
    look_clean(text[0] != '\0' ? text : json_text(event, "state"), clean,
               sizeof(clean));
    before = fprintf(out, " %02u:%02u  %-5s ", seconds / 60, seconds % 60,
                     json_text(event, "version"));
    (void)fprintf(out, "%s", begin);
    after = fprintf(out, "%-*s", KIND_COLUMNS, kind);
    (void)fprintf(out, "%s ", end);
    print_hanging(look, clean, (size_t)(before + after + 1), out);
    (void)fflush(out);
}
