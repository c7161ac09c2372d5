/* linkworld.h - what each test of links starts with: a context, and a directory
 * for the files of ipc. */
#ifndef TESTS_UNIT_BASE_LINKWORLD_H
#define TESTS_UNIT_BASE_LINKWORLD_H

#include "base/link.h"
#include "base/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum {
    /* Tries of a millisecond each: what takes longer will never come. */
    TRIES_MAX = 5000,
    PART_BYTES_MAX = 1000,
    PARTS_MAX = 4
};

struct linkworld {
    struct link_context *context;
    struct loop *loop; /* nothing in it: to wait a millisecond */
    char directory[64];
    char ipc[128]; /* an endpoint in it */
};

/* Setup and teardown of a test: *state is a struct linkworld. */
int linkworld_open(void **state);
int linkworld_close(void **state);

struct link_options options_of(enum link_kind kind);
struct link *bind_to(struct linkworld *world,
                     enum link_kind kind,
                     const char *endpoint);
struct link *connect_to(struct linkworld *world,
                        enum link_kind kind,
                        const char *endpoint);

struct part frame_of(const char *string);
/* Sends one part as soon as the peer is there. */
void send_soon(struct linkworld *world, struct link *link, const char *text);
/* The next message, PARTS_MAX parts at most; returns their number. */
size_t receive_soon(struct linkworld *world,
                    struct link *link,
                    struct part *parts);
void assert_frame(struct part *part, const char *string);

#endif /* TESTS_UNIT_BASE_LINKWORLD_H */
