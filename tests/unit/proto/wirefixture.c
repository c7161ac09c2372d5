#include "tests/unit/proto/wirefixture.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

int set_up(void **state)
{
    struct wirefixture *fixture = mem_new(sizeof(*fixture));

    assert_non_null(fixture);
    sample_init(&fixture->sample);
    fixture->memory = mem_new(ARENA_BYTES);
    assert_non_null(fixture->memory);
    arena_init(&fixture->arena, fixture->memory, ARENA_BYTES);
    fixture->live = mem_live();
    *state = fixture;
    return 0;
}

int tear_down(void **state)
{
    struct wirefixture *fixture = *state;
    bool leaked = mem_live() != fixture->live;

    mem_fail_at(0);
    mem_free(fixture->memory);
    mem_free(fixture);
    return leaked ? -1 : 0;
}

enum status decode(struct wirefixture *fixture, const void *bytes, size_t size)
{
    arena_reset(&fixture->arena);
    return wire_decode(bytes, size, &fixture->arena, &fixture->received);
}

unsigned char *encoded(struct wirefixture *fixture,
                       enum wire_kind kind,
                       size_t *out_size)
{
    unsigned char *bytes = NULL;

    sample_wire(&fixture->sample, kind, &fixture->wire);
    assert_int_equal(wire_encode(&fixture->wire, &bytes, out_size), STATUS_OK);
    return bytes;
}

enum status through(struct wirefixture *fixture)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    enum status status = wire_encode(&fixture->wire, &bytes, &size);

    if (status == STATUS_OK) {
        status = decode(fixture, bytes, size);
    }
    mem_free(bytes);
    return status;
}
