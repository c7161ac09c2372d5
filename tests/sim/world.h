/* world.h - one virtual clock for all processes of a simulated cluster.
 *
 * Everything that happens is an event in one queue: the earliest first, of
 * two at the same time the one that was posted first. Every draw comes from
 * Philox, keyed by the seed and counted, so a seed is a whole run. Processes
 * are numbers: 0 is the coordinator, 1.. are hosts. An event of a process that
 * has died since is dropped, one of a process that hangs waits for it. */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "tests/sim/scenario.h"
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    COORDINATOR = 0,
    PROCESSES_MAX = 1 + SIM_HOSTS_MAX,
    EVERYBODY = PROCESSES_MAX, /* an event of the world itself */
    TRANSCRIPT_LINES = 60,
    TRANSCRIPT_BYTES = 240,
    FAILURE_BYTES = 512
};

struct world;
struct event;
typedef void event_fn(struct world *w, struct event *event);

struct event {
    uint64_t at_us;
    uint64_t sequence; /* set by world_post */
    event_fn *fn;
    uint32_t process;
    uint64_t birth; /* of the process, set by world_post */
    void *payload;  /* from mem_; freed when the event is over */
    uint64_t a;
    uint64_t b;
};

struct process {
    bool alive;
    uint64_t birth; /* counts the starts */
    uint64_t hangs_until_us;
};

struct disk;
struct network;
struct center;
struct host;
struct watcher;
struct person;

struct world {
    const struct scenario *scenario;
    uint64_t now_us;
    uint64_t draws;
    uint64_t events; /* that have happened */
    uint64_t posted;
    size_t queue_count;
    size_t queue_room;
    struct event *queue; /* binary heap */
    struct process processes[PROCESSES_MAX];
    bool over;
    bool loud; /* the transcript goes to stdout as well */
    bool failed;
    char failure[FAILURE_BYTES];
    uint64_t lines; /* said so far */
    char transcript[TRANSCRIPT_LINES][TRANSCRIPT_BYTES];
    jmp_buf *escape; /* out of a failed CHECK */
    struct disk *disk;
    struct network *network;
    struct center *center;
    struct host *hosts[SIM_HOSTS_MAX];
    struct watcher *watcher;
    struct person *person;
};

/* The scenario is borrowed for the world's life. */
struct world *world_open(const struct scenario *scenario);
void world_close(struct world *w);

/* Until it is over, has failed, or `events` events have happened. */
void world_run(struct world *w, uint64_t events);

/* A number below bound; the next of the seed's. bound 0 gives 0. */
uint32_t world_draw(struct world *w, uint32_t bound);
/* Between both, ends included. */
uint64_t world_between(struct world *w, uint64_t least, uint64_t most);
/* True once in `odds` times; 0: never. */
bool world_chance(struct world *w, uint32_t odds);

/* Takes the payload. Returns the event's sequence number. */
uint64_t world_post(struct world *w, struct event event);

uint64_t world_now_ms(const struct world *w);

void process_start(struct world *w, uint32_t process);
void process_end(struct world *w, uint32_t process);
bool process_alive(const struct world *w, uint32_t process);

__attribute__((format(printf, 2, 3))) void world_say(struct world *w,
                                                     const char *format,
                                                     ...);
/* The first one counts; the run ends with the present event. */
__attribute__((format(printf, 2, 3))) void world_fail(struct world *w,
                                                      const char *format,
                                                      ...);

/* The newest lines of the transcript, to stdout. */
void world_print(const struct world *w);

/* Zeroed; never NULL. */
void *world_memory(size_t size);
void *world_copy(const void *from, size_t size);

/* One number from two, never 0: the simulation's only arithmetic. */
uint64_t mix(uint64_t a, uint64_t b);

#endif /* TESTS_SIM_WORLD_H */
