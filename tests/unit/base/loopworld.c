#include "tests/unit/base/loopworld.h"

#include "base/mem.h"

#include <unistd.h>

struct loopworld world;

int loopworld_open(void **state)
{
    (void)state;
    world = (struct loopworld){.loop = NULL};
    if (pipe(world.ends) != 0) {
        return -1;
    }
    if (link_context_open(&world.context) != STATUS_OK) {
        return -1;
    }
    return loop_open(&world.loop) == STATUS_OK ? 0 : -1;
}

int loopworld_close(void **state)
{
    (void)state;
    loop_close(world.loop);
    for (int i = 0; i < PAIRS; i++) {
        link_close(world.outs[i]);
        link_close(world.ins[i]);
    }
    link_context_close(world.context);
    close(world.ends[0]);
    close(world.ends[1]);
    return mem_live() == 0 ? 0 : -1;
}

void trace(char letter)
{
    assert_true(world.trace_size + 1 < sizeof(world.trace));
    world.trace[world.trace_size++] = letter;
}

void turn(int wait_ms)
{
    assert_int_equal(loop_turn(world.loop, wait_ms), STATUS_OK);
}

void turn_until(size_t size)
{
    for (int i = 0; i < TURNS_MAX && world.trace_size < size; i++) {
        turn(10);
    }
    assert_int_equal(world.trace_size, size);
}

void open_pair(int i)
{
    static const char *const names[PAIRS] = {"inproc://0", "inproc://1",
                                             "inproc://2"};
    const struct link_options options = {.kind = LINK_PAIR,
                                         .part_bytes_max = 100};

    assert_int_equal(
        link_bind(world.context, &options, names[i], &world.ins[i]), STATUS_OK);
    assert_int_equal(
        link_connect(world.context, &options, names[i], &world.outs[i]),
        STATUS_OK);
}

void send_one(int i)
{
    struct part part;

    part_init_empty(&part);
    assert_int_equal(link_send(world.outs[i], &part, 1), STATUS_OK);
}

void receive_one(int i)
{
    struct part part;
    size_t count = 0;

    assert_int_equal(link_receive(world.ins[i], &part, 1, &count), STATUS_OK);
    part_close(&part);
}

void on_link_0(void *owner)
{
    (void)owner;
    trace('0');
    receive_one(0);
}

void trace_a(void *owner)
{
    (void)owner;
    trace('a');
}

void trace_b(void *owner)
{
    (void)owner;
    trace('b');
}

void trace_owner(void *owner)
{
    trace(*(const char *)owner);
}
