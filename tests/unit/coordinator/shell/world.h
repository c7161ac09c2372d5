/* world.h - a whole coordinator in the test's process, over a store with a
 * past, and a client beside it.
 *
 * j1 "fashion" is paused with v1 .. v3: v2 lesions two hidden units, v3 is v1
 * with one unit less and other weights. Held-out accuracy 0.9 after task 0. */
#ifndef TESTS_UNIT_COORDINATOR_SHELL_WORLD_H
#define TESTS_UNIT_COORDINATOR_SHELL_WORLD_H

#include "coordinator/shell/shell.h"
#include "proto/cajal/v1/control.pb-c.h"
#include "tests/unit/coordinator/shell/caller.h"
#include "tests/unit/coordinator/shell/fixture.h"

struct world {
    char dir[64];
    uint64_t live;
    struct loop *loop;
    struct shell_options options;
    struct shell *shell;
    struct caller *caller;
};

/* cmocka's setup and teardown: *state is a struct world. */
int world_setup(void **state);
int world_teardown(void **state);

/* Opens shell and caller, as setup does; after both were closed. */
void world_open(struct world *w);

/* As caller_unary; text may be NULL. */
int world_unary(struct world *w,
                enum rpc_method method,
                const void *request,
                void **out,
                char text[ERROR_BYTES_MAX]);

/* Launches the sample job; out gets its id. */
void world_launch(struct world *w, const char *request_id, char out[16]);

#endif /* TESTS_UNIT_COORDINATOR_SHELL_WORLD_H */
