/* loopworld.h - a loop, pairs of links for a few owners, and a trace of what
 * their callbacks did. */
#ifndef TESTS_UNIT_BASE_LOOPWORLD_H
#define TESTS_UNIT_BASE_LOOPWORLD_H

#include "base/link.h"
#include "base/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { TURNS_MAX = 1000 /* of at most 10 ms each */, PAIRS = 3 };

/* A pair of links for each of a few owners, and what their callbacks did. */
struct loopworld {
    struct loop *loop;
    struct link_context *context;
    struct link *ins[PAIRS];
    struct link *outs[PAIRS];
    int ends[2]; /* of a plain pipe */
    uint32_t timers[PAIRS];
    char trace[64]; /* one letter per call */
    size_t trace_size;
    int signal_number;
};

/* The one world of a program. */
extern struct loopworld world;

/* Setup and teardown of a test. */
int loopworld_open(void **state);
int loopworld_close(void **state);

void turn(int wait_ms);
/* Turns until the trace is that long. */
void turn_until(size_t size);

void trace(char letter);
void open_pair(int i);
void send_one(int i);
void receive_one(int i);

/* Callbacks that leave a letter in the trace; trace_owner that of its owner,
 * on_link_0 also takes a message. */
void on_link_0(void *owner);
void trace_a(void *owner);
void trace_b(void *owner);
void trace_owner(void *owner);

#endif /* TESTS_UNIT_BASE_LOOPWORLD_H */
