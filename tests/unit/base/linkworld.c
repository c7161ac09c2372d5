#include "tests/unit/base/linkworld.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int linkworld_open(void **state)
{
    static struct linkworld world;

    world = (struct linkworld){.directory = "/tmp/cajal-link-XXXXXX"};
    if (mkdtemp(world.directory) == NULL) {
        return -1;
    }
    snprintf(world.ipc, sizeof(world.ipc), "ipc://%s/s", world.directory);
    *state = &world;
    if (loop_open(&world.loop) != STATUS_OK) {
        return -1;
    }
    return link_context_open(&world.context) == STATUS_OK ? 0 : -1;
}

int linkworld_close(void **state)
{
    struct linkworld *world = *state;

    link_context_close(world->context);
    loop_close(world->loop);
    (void)unlink(world->ipc + strlen("ipc://"));
    (void)rmdir(world->directory);
    return mem_live() == 0 ? 0 : -1;
}

struct link_options options_of(enum link_kind kind)
{
    return (struct link_options){.kind = kind,
                                 .part_bytes_max = PART_BYTES_MAX};
}

struct link *bind_to(struct linkworld *world,
                     enum link_kind kind,
                     const char *endpoint)
{
    const struct link_options options = options_of(kind);
    struct link *link = NULL;

    assert_int_equal(link_bind(world->context, &options, endpoint, &link),
                     STATUS_OK);
    return link;
}

struct link *connect_to(struct linkworld *world,
                        enum link_kind kind,
                        const char *endpoint)
{
    struct link_options options = options_of(kind);
    struct link *link = NULL;

    options.routing_id = kind == LINK_DEALER ? "w7" : NULL;
    assert_int_equal(link_connect(world->context, &options, endpoint, &link),
                     STATUS_OK);
    return link;
}

struct part frame_of(const char *string)
{
    struct part part;

    assert_int_equal(part_init_copy(&part, string, strlen(string)), STATUS_OK);
    return part;
}

void send_soon(struct linkworld *world, struct link *link, const char *text)
{
    struct part part = frame_of(text);

    for (int i = 0; i < TRIES_MAX; i++) {
        enum status status = link_send(link, &part, 1);

        if (status == STATUS_OK) {
            return;
        }
        assert_int_equal(status, STATUS_BUSY);
        assert_int_equal(loop_turn(world->loop, 1), STATUS_OK);
    }
    fail_msg("no peer came");
}

size_t receive_soon(struct linkworld *world,
                    struct link *link,
                    struct part *parts)
{
    size_t count = 0;

    for (int i = 0; i < TRIES_MAX; i++) {
        enum status status = link_receive(link, parts, PARTS_MAX, &count);

        if (status == STATUS_OK) {
            return count;
        }
        assert_int_equal(status, STATUS_BUSY);
        assert_int_equal(loop_turn(world->loop, 1), STATUS_OK);
    }
    fail_msg("no message came");
    return 0;
}

void assert_frame(struct part *part, const char *string)
{
    assert_int_equal(part_size(part), strlen(string));
    assert_memory_equal(part_data(part), string, strlen(string));
}
