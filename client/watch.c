#include "client/watch.h"

#include "base/clock.h"
#include "client/json.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SLICE_MS = 200, RETRY_NS = 200000000 };

static volatile sig_atomic_t interrupts;
static volatile sig_atomic_t terminates;
static volatile sig_atomic_t hang_ups;

struct watcher {
    struct tool *tool;
    const struct watch_options *options;
    struct watch_result *result;
    uint64_t next; /* event number; 0: from now on, until something is told */
    uint64_t begun_ms;
    uint64_t heard_ms; /* when the coordinator last said something */
    uint64_t line_ms;  /* of the last plain line of progress */
    uint64_t rate_ms;  /* from where the rate is measured */
    double rate_step;
    bool drawn;      /* a progress line stands on the terminal */
    uint32_t inputs; /* of the model; 0: not asked yet */
};

static void on_signal(int number)
{
    if (number == SIGINT) {
        interrupts = interrupts + 1;
    } else if (number == SIGHUP) {
        hang_ups = 1;
    } else {
        terminates = 1;
    }
}

void watch_catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};

    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGHUP, &action, NULL);
}

bool watch_interrupted_within(uint32_t wait_ms)
{
    const struct timespec slice = {.tv_nsec = 20000000};
    uint64_t deadline_ms = clock_now_ms() + wait_ms;
    sig_atomic_t before = interrupts;

    while (clock_now_ms() < deadline_ms) {
        if (interrupts != before) {
            return true;
        }
        (void)nanosleep(&slice, NULL);
    }
    return false;
}

int watch_exit_code(const char *state)
{
    return strcmp(state, "finished") == 0 ? EXIT_DONE : EXIT_NO;
}

/* A line of progress is replaced by what follows it. */
static void wipe(struct watcher *w)
{
    if (w->drawn) {
        (void)fputs("\r\033[K", stderr);
        (void)fflush(stderr);
        w->drawn = false;
    }
}

/* From steps per second since the first event of this watch. */
static double left_of(struct watcher *w, const cJSON *event)
{
    double step = json_number(event, "step");
    double seconds = (double)(clock_now_ms() - w->rate_ms) / 1000;
    double done = step - w->rate_step;

    if (w->rate_ms == 0 || done < 0) {
        w->rate_ms = clock_now_ms();
        w->rate_step = step;
        return -1;
    }
    if (done <= 0 || seconds < 1) {
        return -1;
    }
    return (json_number(event, "steps") - step) * seconds / done;
}

static void draw(struct watcher *w, const cJSON *event)
{
    char line[512];
    size_t room = (size_t)(w->tool->err.columns - 2);

    watch_progress_line(&w->tool->err, event, left_of(w, event), line,
                        sizeof(line));
    while (look_width(line) > room) { /* a wrapped line cannot be wiped */
        size_t end = strlen(line);

        do {
            end--;
        } while (((unsigned char)line[end] & 0xc0) == 0x80);
        line[end] = '\0';
    }
    (void)fprintf(stderr, "\r\033[K %s", line);
    (void)fflush(stderr);
    w->drawn = true;
}

static void show_progress(struct watcher *w, const cJSON *event)
{
    uint64_t now_ms = clock_now_ms();

    if (w->tool->out.terminal && w->tool->err.terminal) {
        draw(w, event);
        return;
    }
    if (w->line_ms == 0 || now_ms - w->line_ms >= WATCH_LINE_MS) {
        watch_plain_line(event, stdout);
        w->line_ms = now_ms;
    }
}

static void show(struct watcher *w, const cJSON *event)
{
    const char *kind = json_text(event, "kind");

    if (w->tool->cli.json) {
        json_print(stdout, event, false);
        (void)fflush(stdout);
        return;
    }
    if (strcmp(kind, "progress") == 0) {
        show_progress(w, event);
        return;
    }
    if (!watch_shows(kind)) {
        return;
    }
    wipe(w);
    if (w->tool->out.terminal) {
        watch_event_line(&w->tool->out, event,
                         (double)(clock_now_ms() - w->begun_ms) / 1000, stdout);
    } else {
        watch_plain_line(event, stdout);
    }
}

/* Events tell the layers' widths, and people want the inputs before them. */
static void add_inputs(struct watcher *w, cJSON *event)
{
    Cajal__V1__StatusRequest request = CAJAL__V1__STATUS_REQUEST__INIT;
    Cajal__V1__StatusReply *reply = NULL;
    cJSON *shape = cJSON_GetObjectItemCaseSensitive(event, "shape");

    request.job = (char *)json_text(event, "job");
    if (cJSON_GetArraySize(shape) == 0) {
        return;
    }
    if (w->inputs == 0 &&
        cajal_status(w->tool->cajal, &request, &reply) == STATUS_OK) {
        w->inputs = reply->summary != NULL ? reply->summary->inputs : 0;
        cajal_free(reply);
    }
    if (w->inputs > 0) {
        (void)cJSON_InsertItemInArray(shape, 0, cJSON_CreateNumber(w->inputs));
    }
}

/* Every message bears the number of the newest event that is behind it, also
 * what is no event itself: a watch that comes back goes on from there. */
uint64_t watch_next(uint64_t next, uint64_t sequence)
{
    return sequence >= next ? sequence + 1 : next;
}

/* True: this event ends the watch. */
static bool take(struct watcher *w, const Cajal__V1__Event *m)
{
    cJSON *event = json_event(m);

    w->next = watch_next(w->next, m->sequence);
    if (m->state[0] != '\0') {
        (void)snprintf(w->result->state, sizeof(w->result->state), "%s",
                       m->state);
    }
    add_inputs(w, event);
    show(w, event);
    cJSON_Delete(event);
    return strcmp(m->state, "paused") == 0 &&
           (w->options->ends_if_paused ||
            (w->options->ends_on_pause && strcmp(m->kind, "state") == 0));
}

static bool told_to_stop(struct watcher *w)
{
    if (interrupts > 0) {
        w->result->end = WATCH_INTERRUPTED;
    } else if (terminates != 0) {
        w->result->end = WATCH_TERMINATED;
    } else if (hang_ups != 0) {
        w->result->end = WATCH_HUNG_UP;
    } else {
        return false;
    }
    return true;
}

/* One stream. True: the watch is over. */
static bool follow(struct watcher *w)
{
    Cajal__V1__WatchRequest request = CAJAL__V1__WATCH_REQUEST__INIT;
    struct cajal_stream *stream = NULL;
    const void *message = NULL;
    enum status status = STATUS_OK;
    bool over = false;

    request.job = (char *)w->options->job;
    request.from = w->next;
    request.until_end = true;
    status = cajal_watch(w->tool->cajal, &request, &stream);
    while (!over && (status == STATUS_OK || status == STATUS_DEADLINE)) {
        status = cajal_next(stream, SLICE_MS, &message);
        if (status == STATUS_OK && message == NULL) {
            w->result->end = WATCH_ENDED;
            over = true;
        } else if (status == STATUS_OK) {
            w->heard_ms = clock_now_ms();
            over = take(w, message);
            w->result->end = WATCH_ENDED;
        }
        over = told_to_stop(w) || over;
    }
    cajal_stream_close(stream);
    if (!over && status != STATUS_UNAVAILABLE) {
        wipe(w);
        w->result->end = WATCH_REFUSED;
        w->result->exit_code = tool_fail_call(w->tool);
        return true;
    }
    return over;
}

/* Worth trying: elsewhere only an answer tells. */
static bool may_be_back(const struct watcher *w)
{
    return w->tool->cli.values[FLAG_ADDRESS] != NULL ||
           place_answers(&w->tool->place);
}

/* The coordinator is away. True: the watch is over. */
static bool reconnect(struct watcher *w)
{
    const struct timespec pause = {.tv_nsec = RETRY_NS};

    while (!told_to_stop(w)) {
        (void)nanosleep(&pause, NULL);
        if (may_be_back(w) && tool_reconnect(w->tool)) {
            return false;
        }
        if (clock_now_ms() - w->heard_ms >= WATCH_LOST_MS) {
            wipe(w);
            w->result->exit_code = tool_fail(
                w->tool, STATUS_UNAVAILABLE,
                "the coordinator went away and is not back after 30 s. What "
                "was saved is kept. Its last words: cajal logs");
            return true;
        }
    }
    return true;
}

void watch_job(struct tool *tool,
               const struct watch_options *options,
               struct watch_result *out)
{
    struct watcher w = {.tool = tool,
                        .options = options,
                        .result = out,
                        .next = options->from,
                        .begun_ms = clock_now_ms(),
                        .heard_ms = clock_now_ms()};

    *out =
        (struct watch_result){.end = WATCH_LOST, .exit_code = EXIT_NO_ANSWER};
    while (!follow(&w) && !reconnect(&w)) {
        w.heard_ms = clock_now_ms();
    }
    wipe(&w);
}
