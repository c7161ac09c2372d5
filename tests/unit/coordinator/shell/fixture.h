/* fixture.h - what the tests of the shell share: samples, a store in a
 * directory of its own, and what every code must withstand. */
#ifndef TESTS_UNIT_COORDINATOR_SHELL_FIXTURE_H
#define TESTS_UNIT_COORDINATOR_SHELL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/core/record.h"
#include "coordinator/shell/eventcode.h"
#include "proto/version.h"
#include "storage/store.h"
#include "tests/unit/proto/samples.h"

struct fixture {
    char dir[64];
    struct store *store;
    uint64_t live; /* blocks of memory before the test */
};

/* cmocka's setup and teardown: *state is a struct fixture. The teardown also
 * checks that no memory is left. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* A directory of its own below /tmp, and its end. */
void fixture_make_dir(char dir[64]);
void fixture_remove_dir(const char *dir);

/* A record with every field set. */
void fixture_record(struct job_record *record, uint64_t job);
void fixture_event(struct event_record *event);

/* Puts a job record into the store. */
void fixture_put_job(struct fixture *f, const struct job_record *record);
/* Puts `sample` as a version with real chunks into the store and moves the
 * head there. Its parents are what sample->version says. */
void fixture_put_version(struct fixture *f,
                         struct sample *sample,
                         uint64_t job,
                         uint64_t number,
                         const char *actor);

/* Decodes: true where the bytes were accepted. */
typedef bool fixture_decode_fn(const void *bytes, size_t size);

/* Every shorter text is refused, so is one byte more, and no flip of a bit
 * does more than change or refuse the record. */
void fixture_torture(const void *bytes,
                     size_t size,
                     fixture_decode_fn *decode);

#endif /* TESTS_UNIT_COORDINATOR_SHELL_FIXTURE_H */
