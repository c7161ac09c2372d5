/* wirefixture.h - what a test of the messages starts with: a sample of each,
 * what is said, and what is heard. */
#ifndef TESTS_UNIT_PROTO_WIREFIXTURE_H
#define TESTS_UNIT_PROTO_WIREFIXTURE_H

#include "base/arena.h"
#include "proto/wire.h"
#include "tests/unit/proto/samples.h"

enum { ARENA_BYTES = 1 << 20 };

struct wirefixture {
    struct sample sample;
    struct wire wire;     /* what the test says */
    struct wire received; /* and what is heard */
    struct arena arena;
    void *memory;
    uint64_t live; /* blocks before the test */
};

/* Setup and teardown of a test, which leaks nothing. */
int set_up(void **state);
int tear_down(void **state);

enum status decode(struct wirefixture *fixture, const void *bytes, size_t size);
/* Bytes of a sample of this kind; to be freed. */
unsigned char *encoded(struct wirefixture *fixture,
                       enum wire_kind kind,
                       size_t *out_size);
/* fixture->wire to fixture->received. */
enum status through(struct wirefixture *fixture);

#endif /* TESTS_UNIT_PROTO_WIREFIXTURE_H */
