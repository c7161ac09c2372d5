/* watch.h - follows a job's events and tells them to people or programs.
 *
 * On a terminal: a line an event, and one redrawn line of progress (stderr).
 * Elsewhere: a plain line an event and one every 30 s, never a carriage
 * return. With JSON: one object a line, all events. A coordinator that goes
 * away is waited for, since a supervisor starts it again. */
#ifndef CLIENT_WATCH_H
#define CLIENT_WATCH_H

#include "client/tool.h"

enum {
    WATCH_LINE_MS = 30000,
    /* A coordinator needs a second or two to be back; then it is not. */
    WATCH_LOST_MS = 30000
};

enum watch_end {
    WATCH_ENDED = 1,   /* the job has ended, or paused where that counts */
    WATCH_INTERRUPTED, /* Ctrl-C */
    WATCH_TERMINATED,  /* SIGTERM */
    WATCH_HUNG_UP,     /* the terminal has gone */
    WATCH_LOST,        /* no coordinator any more; told already */
    WATCH_REFUSED      /* the coordinator said no; told already */
};

struct watch_options {
    const char *job;
    uint64_t from;       /* first event's number; 0: from now on */
    bool ends_on_pause;  /* a job that is paused counts as ended... */
    bool ends_if_paused; /* ...also where it was paused before */
};

struct watch_result {
    enum watch_end end;
    char state[32]; /* the last one heard of */
    int exit_code;  /* WATCH_LOST, WATCH_REFUSED: what to return */
};

/* The event to ask for after one of this number, where next was to come. */
uint64_t watch_next(uint64_t next, uint64_t sequence);

/* SIGINT, SIGTERM and SIGHUP end a watch, from this call on. */
void watch_catch_signals(void);

/* True: Ctrl-C came (again) within wait_ms. */
bool watch_interrupted_within(uint32_t wait_ms);

void watch_job(struct tool *tool,
               const struct watch_options *options,
               struct watch_result *out);

/* What a job's last state means for a command that waited for it. */
int watch_exit_code(const char *state);

/* The lines themselves; for tests too. event as json_event makes it. */
void watch_plain_line(const cJSON *event, FILE *out);
/* inputs: the model's, 0: not known; elapsed and left in s, left < 0: none. */
void watch_progress_line(const struct look *look,
                         const cJSON *event,
                         double left_seconds,
                         char *out,
                         size_t size);
void watch_event_line(const struct look *look,
                      const cJSON *event,
                      double elapsed_seconds,
                      FILE *out);
bool watch_shows(const char *kind);

#endif /* CLIENT_WATCH_H */
