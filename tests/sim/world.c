#include "tests/sim/world.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/rng.h"
#include "tests/sim/center.h"
#include "tests/sim/disk.h"
#include "tests/sim/fate.h"
#include "tests/sim/host.h"
#include "tests/sim/invariants.h"
#include "tests/sim/network.h"
#include "tests/sim/person.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The world that runs, for the hook of CHECK, which has no owner. */
static struct world *running;

/* --- Memory and numbers --- */

void *world_memory(size_t size)
{
    void *memory = mem_new(size);

    CHECK(memory != NULL);
    return memory;
}

void *world_copy(const void *from, size_t size)
{
    void *to = world_memory(size);

    memcpy(to, from, size);
    return to;
}

/* The finalizer of SplitMix64 (Steele, Lea, Flood 2014) over both. */
uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t z =
        (a ^ (b * UINT64_C(0x9e3779b97f4a7c15))) + UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return z != 0 ? z : 1;
}

uint32_t world_draw(struct world *w, uint32_t bound)
{
    struct rng_block block =
        rng_draw(w->scenario->seed, RNG_TEST, w->draws++, 0, 0);

    return bound > 0 ? rng_below(block, bound) : 0;
}

uint64_t world_between(struct world *w, uint64_t least, uint64_t most)
{
    CHECK(most >= least);
    CHECK(most - least < UINT32_MAX);
    return least + world_draw(w, (uint32_t)(most - least + 1));
}

bool world_chance(struct world *w, uint32_t odds)
{
    return world_draw(w, odds) == 0 && odds > 0;
}

/* --- Saying --- */

static void say(struct world *w, const char *format, va_list arguments)
{
    char *line = w->transcript[w->lines++ % TRANSCRIPT_LINES];
    int at = snprintf(line, TRANSCRIPT_BYTES, "[%6llu.%03u] ",
                      (unsigned long long)(w->now_us / 1000),
                      (unsigned)(w->now_us % 1000));

    (void)vsnprintf(line + at, TRANSCRIPT_BYTES - (size_t)at, format,
                    arguments);
    if (w->loud) {
        (void)printf("%s\n", line);
    }
}

void world_say(struct world *w, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(w, format, arguments);
    va_end(arguments);
}

void world_fail(struct world *w, const char *format, ...)
{
    va_list arguments;

    if (w->failed) {
        return;
    }
    w->failed = true;
    va_start(arguments, format);
    (void)vsnprintf(w->failure, sizeof(w->failure), format, arguments);
    va_end(arguments);
    world_say(w, "FAILED: %s", w->failure);
}

void world_print(const struct world *w)
{
    uint64_t first =
        w->lines > TRANSCRIPT_LINES ? w->lines - TRANSCRIPT_LINES : 0;

    for (uint64_t i = first; i < w->lines; i++) {
        (void)printf("%s\n", w->transcript[i % TRANSCRIPT_LINES]);
    }
}

/* --- The queue --- */

static bool is_before(const struct event *a, const struct event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us
                                : a->sequence < b->sequence;
}

static void swap(struct event *a, struct event *b)
{
    struct event c = *a;

    *a = *b;
    *b = c;
}

static void push(struct world *w, const struct event *event)
{
    size_t at = w->queue_count++;

    if (at == w->queue_room) {
        w->queue_room = w->queue_room == 0 ? 256 : 2 * w->queue_room;
        w->queue = mem_resize(w->queue, w->queue_room * sizeof(*w->queue));
        CHECK(w->queue != NULL);
    }
    w->queue[at] = *event;
    while (at > 0 && is_before(&w->queue[at], &w->queue[(at - 1) / 2])) {
        swap(&w->queue[at], &w->queue[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

static struct event pop(struct world *w)
{
    struct event first = w->queue[0];
    size_t at = 0;

    w->queue[0] = w->queue[--w->queue_count];
    for (;;) {
        size_t least = at;

        for (size_t child = 2 * at + 1;
             child <= 2 * at + 2 && child < w->queue_count; child++) {
            if (is_before(&w->queue[child], &w->queue[least])) {
                least = child;
            }
        }
        if (least == at) {
            return first;
        }
        swap(&w->queue[at], &w->queue[least]);
        at = least;
    }
}

uint64_t world_post(struct world *w, struct event event)
{
    CHECK(event.at_us >= w->now_us);
    event.sequence = ++w->posted;
    if (event.process != EVERYBODY) {
        event.birth = w->processes[event.process].birth;
    }
    push(w, &event);
    return event.sequence;
}

uint64_t world_now_ms(const struct world *w)
{
    return w->now_us / 1000;
}

/* --- Processes --- */

void process_start(struct world *w, uint32_t process)
{
    struct process *p = &w->processes[process];

    CHECK(!p->alive);
    p->alive = true;
    p->birth++;
    p->hangs_until_us = 0;
}

void process_end(struct world *w, uint32_t process)
{
    CHECK(w->processes[process].alive);
    w->processes[process].alive = false;
}

bool process_alive(const struct world *w, uint32_t process)
{
    return w->processes[process].alive;
}

/* --- Running --- */

static void happen(struct world *w, struct event *event)
{
    if (event->process != EVERYBODY) {
        const struct process *p = &w->processes[event->process];

        if (!p->alive || p->birth != event->birth) {
            mem_free(event->payload);
            return;
        }
        if (event->at_us < p->hangs_until_us) {
            event->at_us = p->hangs_until_us; /* in its old order */
            push(w, event);
            return;
        }
    }
    w->events++;
    event->fn(w, event);
    mem_free(event->payload);
    if (!w->failed) {
        invariants_check(w);
    }
}

static void on_check(const char *file, int line, const char *condition)
{
    if (running == NULL) {
        return; /* not ours: let it abort */
    }
    world_fail(running, "%s:%d: CHECK failed: %s", file, line, condition);
    longjmp(*running->escape, 1);
}

void world_run(struct world *w, uint64_t events)
{
    jmp_buf escape;

    w->escape = &escape;
    running = w;
    check_hook = on_check;
    if (setjmp(escape) == 0) {
        while (!w->over && !w->failed && w->queue_count > 0 &&
               w->events < events) {
            struct event event = pop(w);

            w->now_us = event.at_us;
            happen(w, &event);
        }
        if (!w->over && !w->failed && w->queue_count == 0) {
            world_fail(w, "nothing is left to happen");
        }
    }
    running = NULL;
    check_hook = NULL;
}

struct world *world_open(const struct scenario *scenario)
{
    struct world *w = world_memory(sizeof(*w));

    w->scenario = scenario;
    disk_open(w);
    network_open(w);
    invariants_open(w);
    person_open(w);
    center_open(w);
    for (uint32_t h = 0; h < scenario->hosts_count; h++) {
        host_open(w, h);
    }
    fate_open(w);
    return w;
}

void world_close(struct world *w)
{
    for (size_t i = 0; i < w->queue_count; i++) {
        mem_free(w->queue[i].payload);
    }
    mem_free(w->queue);
    for (uint32_t h = 0; h < w->scenario->hosts_count; h++) {
        host_close(w, h);
    }
    center_close(w);
    person_close(w);
    invariants_close(w);
    network_close(w);
    disk_close(w);
    mem_free(w);
}
