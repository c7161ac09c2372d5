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
#include "coordinator/shell/records/eventcode.h"
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
/* A tiny model as a version: hidden1 of two shards with 3 and 2 units, output
 * with 2, on 4 inputs. Weight of unit u and input k of layer l:
 * 100 l + 10 u + k; bias: 100 l + 10 u + 0.5. Tests change what they like. */
enum { MODEL_INPUTS = 4, MODEL_HIDDEN = 5, MODEL_OUTPUTS = 2 };
struct fixture_model {
    struct job_spec spec;
    struct arch arch;
    struct unit units[MODEL_HIDDEN + MODEL_OUTPUTS];
    struct shard_record records[3];
    struct hash chunks[3][2];
    float hidden[MODEL_HIDDEN][MODEL_INPUTS];
    float hidden_bias[MODEL_HIDDEN];
    float output[MODEL_OUTPUTS][MODEL_HIDDEN];
    float output_bias[MODEL_OUTPUTS];
    unsigned char policy[POLICY_STATE_BYTES_MAX];
    struct version version;
};
void fixture_model_init(struct fixture_model *model);
/* Puts it into the store as a version and moves the head there. */
void fixture_model_put(struct fixture *f,
                       struct fixture_model *model,
                       uint64_t job,
                       uint64_t number,
                       const char *actor);
void fixture_move_ref(struct fixture *f,
                      uint64_t job,
                      const char *name,
                      uint64_t number,
                      const char *actor);

/* Decodes: true where the bytes were accepted. */
typedef bool fixture_decode_fn(const void *bytes, size_t size);

/* Every shorter text is refused, so is one byte more, and no flip of a bit
 * does more than change or refuse the record. */
void fixture_torture(const void *bytes, size_t size, fixture_decode_fn *decode);

#endif /* TESTS_UNIT_COORDINATOR_SHELL_FIXTURE_H */
