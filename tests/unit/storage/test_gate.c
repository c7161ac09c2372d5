#include "storage/gate.h"

#include "base/check.h"
#include "base/jobs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sched.h>

enum { PASSES = 300, YIELDS = 20 };

struct world {
    struct gate gate;
    atomic_bool stop;
    atomic_uint passed;
    int shared; /* written while shut, read while inside */
    int broken; /* how often it changed while the reader was inside */
};

static void pass(void *owner)
{
    struct world *w = owner;
    int before = 0;

    while (!atomic_load(&w->stop)) {
        gate_enter(&w->gate);
        before = w->shared;
        for (int i = 0; i < YIELDS; i++) {
            sched_yield();
        }
        w->broken += w->shared != before;
        gate_leave(&w->gate);
        atomic_fetch_add(&w->passed, 1);
    }
}

static void test_gate__nobody_is_inside_while_it_is_shut(void **state)
{
    struct world w = {.shared = 0};
    struct thread *thread = NULL;

    (void)state;
    gate_init(&w.gate);
    assert_int_equal(thread_open(pass, &w, &thread), STATUS_OK);
    while (atomic_load(&w.passed) < PASSES) {
        gate_shut(&w.gate);
        w.shared++;
        gate_open(&w.gate);
        gate_enter(&w.gate);
        gate_leave(&w.gate);
    }
    atomic_store(&w.stop, true);
    thread_join(thread);

    assert_int_equal(w.broken, 0);
    assert_int_equal(atomic_load(&w.gate.inside), 0);
}

static void test_gate__lets_many_in_at_once(void **state)
{
    struct gate gate;

    (void)state;
    gate_init(&gate);
    gate_enter(&gate);
    gate_enter(&gate);
    gate_leave(&gate);
    gate_leave(&gate);
    gate_shut(&gate);
    gate_open(&gate);
    assert_int_equal(atomic_load(&gate.inside), 0);
}

static void check_to_cmocka(const char *file, int line, const char *condition)
{
    mock_assert(0, condition, file, line);
}

static void test_gate__leaving_without_entering_is_a_check(void **state)
{
    struct gate gate;

    (void)state;
    gate_init(&gate);
    check_hook = check_to_cmocka;
    expect_assert_failure(gate_leave(&gate));
    expect_assert_failure(gate_open(&gate));
    check_hook = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gate__nobody_is_inside_while_it_is_shut),
        cmocka_unit_test(test_gate__lets_many_in_at_once),
        cmocka_unit_test(test_gate__leaving_without_entering_is_a_check),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
