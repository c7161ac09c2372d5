#include "worker/core/agent.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct agent agent;
    struct agent_actions actions;
    uint64_t now_ms;
    char data[2000];
    struct text text;
};

static const char *const names[] = {
    [AGENT_ACT_HELLO] = "hello",     [AGENT_ACT_HEARTBEAT] = "heartbeat",
    [AGENT_ACT_CHUNKS] = "chunks",   [AGENT_ACT_PROBE] = "probe",
    [AGENT_ACT_OPEN] = "open",       [AGENT_ACT_LOAD] = "load",
    [AGENT_ACT_READY] = "ready",     [AGENT_ACT_GRANT] = "grant",
    [AGENT_ACT_RELEASE] = "release", [AGENT_ACT_FAULT] = "fault",
    [AGENT_ACT_CLOSE] = "close",     [AGENT_ACT_RETELL] = "retell",
    [AGENT_ACT_FORGET] = "forget",   [AGENT_ACT_LEAVE] = "leave",
    [AGENT_ACT_GOODBYE] = "goodbye", [AGENT_ACT_QUIT] = "quit",
    [AGENT_ACT_REFUSED] = "refused"};

static void tell(struct fixture *f, const struct agent_action *action)
{
    text_add(&f->text, "[");
    text_u64(&f->text, f->now_ms);
    text_add(&f->text, "] ");
    text_add(&f->text, names[action->type]);
    if (action->job != 0) {
        text_add(&f->text, " j");
        text_u64(&f->text, action->job);
        text_add(&f->text, " term ");
        text_u64(&f->text, action->term);
        text_add(&f->text, " slot ");
        text_u64(&f->text, action->slot);
    }
    if (action->status != STATUS_OK) {
        text_add(&f->text, " status ");
        text_u64(&f->text, action->status);
    }
    if (action->reason != NULL && action->reason[0] != '\0') {
        text_add(&f->text, ": ");
        text_add(&f->text, action->reason);
    }
    text_add(&f->text, "\n");
}

static void step(struct fixture *f, struct agent_event event)
{
    event.now_ms = f->now_ms;
    agent_step(&f->agent, &event, &f->actions);
    for (uint32_t i = 0; i < f->actions.count; i++) {
        tell(f, &f->actions.items[i]);
    }
}

static void message(struct fixture *f, const struct wire *wire)
{
    step(f, (struct agent_event){.type = AGENT_MESSAGE, .message = wire});
}

/* Lets time pass up to `until`, with a tick at each deadline. */
static void pass_time(struct fixture *f, uint64_t until_ms)
{
    while (agent_deadline_ms(&f->agent) <= until_ms) {
        f->now_ms = agent_deadline_ms(&f->agent);
        step(f, (struct agent_event){.type = AGENT_TICK});
    }
    f->now_ms = until_ms;
}

static void expect(struct fixture *f, const char *story)
{
    assert_string_equal(f->data, story);
    text_init(&f->text, f->data, sizeof(f->data));
}

static void welcome(struct fixture *f, uint64_t life, uint32_t worker)
{
    struct wire wire = {.kind = WIRE_WELCOME,
                        .welcome = {.life = life,
                                    .worker = worker,
                                    .heartbeat_ms = 200,
                                    .timeout_ms = 1000}};

    message(f, &wire);
}

static void assign(struct fixture *f,
                   uint64_t life,
                   uint64_t job,
                   uint64_t term)
{
    struct wire wire = {.kind = WIRE_ASSIGN,
                        .assign = {.life = life, .job = job, .term = term}};

    message(f, &wire);
}

static void grant(struct fixture *f, uint64_t job, uint64_t term)
{
    struct grant *plan = calloc(1, sizeof(*plan));
    struct wire wire = {.kind = WIRE_GRANT, .grant = {job, plan}};

    assert_non_null(plan);
    plan->term = term;
    message(f, &wire);
    free(plan);
}

static void progress(struct fixture *f,
                     enum agent_event_type type,
                     uint32_t slot,
                     enum status status)
{
    step(f, (struct agent_event){.type = type, .slot = slot, .status = status});
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    agent_init(&f->agent);
    text_init(&f->text, f->data, sizeof(f->data));
    *state = f;
    return 0;
}

static int setup_joined(void **state)
{
    struct fixture *f = NULL;

    setup(state);
    f = *state;
    step(f, (struct agent_event){.type = AGENT_START});
    welcome(f, 5, 2);
    expect(f, "[0] hello\n[0] chunks\n[0] heartbeat\n");
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void run_session(struct fixture *f, uint64_t job, uint32_t slot)
{
    assign(f, 5, job, 1);
    progress(f, AGENT_OPENED, slot, STATUS_OK);
    progress(f, AGENT_LOADED, slot, STATUS_OK);
    grant(f, job, 1);
    text_init(&f->text, f->data, sizeof(f->data));
}

static void test_agent__says_hello_until_it_is_welcomed(void **state)
{
    struct fixture *f = *state;

    step(f, (struct agent_event){.type = AGENT_START});
    pass_time(f, 4000);
    welcome(f, 1, 0);

    expect(f, "[0] hello\n[20] hello\n[60] hello\n[140] hello\n"
              "[300] hello\n[620] hello\n[1260] hello\n[2260] hello\n"
              "[3260] hello\n[4000] chunks\n[4000] heartbeat\n");
}

static void test_agent__beats_twice_in_the_time_allowed(void **state)
{
    struct fixture *f = *state;

    pass_time(f, 350);

    expect(f, "[100] heartbeat\n[200] heartbeat\n[300] heartbeat\n");
}

static void refusal(struct fixture *f, enum status status)
{
    struct wire wire = {.kind = WIRE_REFUSE, .refuse = {.status = status}};

    message(f, &wire);
}

static void test_agent__says_hello_again_after_silence(void **state)
{
    struct fixture *f = *state;

    pass_time(f, 900);
    assign(f, 5, 7, 1); /* a sign of life */
    text_init(&f->text, f->data, sizeof(f->data));
    pass_time(f, 1850);
    assert_null(strstr(f->data, "hello"));
    text_init(&f->text, f->data, sizeof(f->data));
    pass_time(f, 1950);
    expect(f, "[1900] hello\n[1920] hello\n");
    welcome(f, 5, 2);

    expect(f, "[1950] chunks\n[1950] heartbeat\n");
}

/* A new life does not know us: it says so to each message that had waited. */
static void test_agent__joins_a_new_life(void **state)
{
    struct fixture *f = *state;

    refusal(f, STATUS_STALE);
    refusal(f, STATUS_STALE);
    expect(f, "[0] hello\n");
    welcome(f, 4, 2);
    expect(f, "[0] refused status 3: welcome of an older life\n");
    welcome(f, 6, 2);
    expect(f, "[0] chunks\n[0] retell\n[0] heartbeat\n");
}

static void test_agent__takes_a_session_through_its_states(void **state)
{
    struct fixture *f = *state;
    struct wire release = {.kind = WIRE_RELEASE,
                           .release = {.job = 7, .term = 1, .interval = 0}};
    struct wire drop = {.kind = WIRE_DROP, .drop = {.job = 7, .term = 1}};

    assign(f, 5, 7, 1);
    grant(f, 7, 1);
    progress(f, AGENT_OPENED, 0, STATUS_OK);
    progress(f, AGENT_LOADED, 0, STATUS_OK);
    grant(f, 7, 1);
    message(f, &release);
    message(f, &drop);
    message(f, &drop);
    progress(f, AGENT_CLOSED, 0, STATUS_OK);

    expect(f, "[0] open j7 term 1 slot 0\n"
              "[0] refused status 10: session is not ready\n"
              "[0] load j7 term 1 slot 0\n"
              "[0] ready j7 term 1 slot 0\n"
              "[0] grant j7 term 1 slot 0\n"
              "[0] release j7 term 1 slot 0\n"
              "[0] close j7 term 1 slot 0\n"
              "[0] refused status 3: no session of this job and term\n");
    assert_int_equal(f->agent.sessions[0].state, SESSION_FREE);
}

static void test_agent__tells_why_a_session_is_not_ready(void **state)
{
    struct fixture *f = *state;

    assign(f, 5, 7, 1);
    progress(f, AGENT_OPENED, 0, STATUS_NOT_FOUND);
    grant(f, 7, 1);

    expect(f, "[0] open j7 term 1 slot 0\n"
              "[0] ready j7 term 1 slot 0 status 2\n"
              "[0] refused status 10: session is not ready\n");
}

static void test_agent__replaces_a_session_by_a_newer_term(void **state)
{
    struct fixture *f = *state;

    run_session(f, 7, 0);
    assign(f, 5, 7, 1);
    assign(f, 5, 7, 3);
    grant(f, 7, 1);
    progress(f, AGENT_CLOSED, 0, STATUS_OK);

    expect(f, "[0] refused status 3: assignment of an older term\n"
              "[0] close j7 term 1 slot 0\n"
              "[0] open j7 term 3 slot 1\n"
              "[0] refused status 3: no session of this job and term\n");
}

static void test_agent__refuses_an_assignment_of_another_life(void **state)
{
    struct fixture *f = *state;

    assign(f, 4, 7, 1);
    assign(f, 6, 7, 1);

    expect(f, "[0] refused status 3: assignment of another life\n"
              "[0] refused status 3: assignment of another life\n");
}

static void test_agent__is_busy_when_all_slots_are_taken(void **state)
{
    struct fixture *f = *state;

    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        run_session(f, 10 + i, i);
    }
    assign(f, 5, 99, 8);

    expect(f, "[0] ready j99 term 8 slot 0 status 4\n");
}

/* Nobody else would ever close what an older life has left: tests/sim. */
static void test_agent__makes_room_for_a_new_life(void **state)
{
    struct fixture *f = *state;

    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        run_session(f, 10 + i, i);
    }
    welcome(f, 6, 2);
    text_init(&f->text, f->data, sizeof(f->data));
    assign(f, 6, 99, 8);

    expect(f, "[0] close j10 term 1 slot 0\n[0] close j11 term 1 slot 1\n"
              "[0] close j12 term 1 slot 2\n[0] close j13 term 1 slot 3\n"
              "[0] ready j99 term 8 slot 0 status 4\n");
}

/* A session goes on while the coordinator is away, and under its next life. */
static void test_agent__keeps_sessions_over_a_silence(void **state)
{
    struct fixture *f = *state;

    run_session(f, 7, 0);
    pass_time(f, 1500);
    text_init(&f->text, f->data, sizeof(f->data));
    grant(f, 7, 1); /* was on its way */
    expect(f, "[1500] grant j7 term 1 slot 0\n");
    welcome(f, 6, 2);

    expect(f, "[1500] chunks\n[1500] retell\n[1500] heartbeat\n");
    assert_int_equal(f->agent.sessions[0].state, SESSION_RUNNING);
}

static void test_agent__closes_its_sessions_under_another_id(void **state)
{
    struct fixture *f = *state;

    run_session(f, 7, 0);
    welcome(f, 6, 3);

    expect(f, "[0] close j7 term 1 slot 0\n[0] chunks\n[0] retell\n"
              "[0] heartbeat\n");
}

static void test_agent__tells_a_fault_once(void **state)
{
    struct fixture *f = *state;

    run_session(f, 7, 0);
    progress(f, AGENT_FAULTED, 0, STATUS_OK);
    progress(f, AGENT_FAULTED, 0, STATUS_OK);
    grant(f, 7, 1);
    assign(f, 5, 7, 2);

    expect(f, "[0] fault j7 term 1 slot 0\n"
              "[0] refused status 10: session is not ready\n"
              "[0] close j7 term 1 slot 0\n"
              "[0] open j7 term 2 slot 1\n");
}

static void test_agent__ends_when_refused_or_told_to(void **state)
{
    struct fixture *f = *state;
    struct wire last = {.kind = WIRE_REFUSE,
                        .refuse = {STATUS_REFUSED, "other kernels"}};

    step(f, (struct agent_event){.type = AGENT_START});
    refusal(f, STATUS_BUSY);
    message(f, &last);
    welcome(f, 9, 9); /* too late */

    expect(f, "[0] hello\n"
              "[0] refused status 4: not now, trying again\n"
              "[0] quit status 13: other kernels\n");
    assert_true(agent_deadline_ms(&f->agent) == UINT64_MAX);
}

/* The copies of a job may be here without a session of it. */
static void test_agent__forgets_copies_when_told_to(void **state)
{
    struct fixture *f = *state;
    struct wire drop = {.kind = WIRE_DROP,
                        .drop = {.job = 7, .term = 1, .forget = true}};

    run_session(f, 7, 0);
    message(f, &drop);
    message(f, &drop);
    assign(f, 5, 7, 2);
    message(f, &drop); /* late: the job has been started again */

    expect(f, "[0] close j7 term 1 slot 0\n"
              "[0] forget j7 term 0 slot 0\n"
              "[0] forget j7 term 0 slot 0\n"
              "[0] open j7 term 2 slot 1\n"
              "[0] refused status 3: no session of this job and term\n");
}

static void leave(struct fixture *f)
{
    step(f, (struct agent_event){.type = AGENT_LEAVE});
}

static void test_agent__works_on_until_it_may_leave(void **state)
{
    struct fixture *f = *state;
    struct wire quit = {.kind = WIRE_QUIT};

    run_session(f, 7, 0);
    leave(f);
    grant(f, 7, 1);
    pass_time(f, 150);
    message(f, &quit);

    expect(f, "[0] leave\n"
              "[0] grant j7 term 1 slot 0\n"
              "[100] heartbeat\n"
              "[150] quit\n");
    assert_true(agent_deadline_ms(&f->agent) == UINT64_MAX);
}

static void test_agent__leaves_at_once_when_told_twice(void **state)
{
    struct fixture *f = *state;

    leave(f);
    leave(f);

    expect(f, "[0] leave\n[0] goodbye\n[0] quit\n");
}

static void test_agent__leaves_at_once_where_nobody_answers(void **state)
{
    struct fixture *f = *state;

    pass_time(f, 1050); /* a silence */
    text_init(&f->text, f->data, sizeof(f->data));
    leave(f);

    expect(f, "[1050] goodbye\n[1050] quit\n");
}

/* The coordinator is there and says something now and then, but not QUIT. */
static void test_agent__leaves_in_the_end_without_permission(void **state)
{
    struct fixture *f = *state;
    struct wire open = {.kind = WIRE_OPEN};

    leave(f);
    for (uint64_t ms = 500; ms < AGENT_LEAVE_MS; ms += 500) {
        pass_time(f, ms);
        message(f, &open);
        text_init(&f->text, f->data, sizeof(f->data));
    }
    pass_time(f, AGENT_LEAVE_MS - 1);
    assert_int_equal(f->agent.state, AGENT_LEAVING);
    text_init(&f->text, f->data, sizeof(f->data));
    pass_time(f, AGENT_LEAVE_MS);

    expect(f, "[20000] goodbye\n[20000] quit\n");
}

static void test_agent__asks_again_when_it_is_not_heard(void **state)
{
    struct fixture *f = *state;

    leave(f);
    pass_time(f, 990);
    text_init(&f->text, f->data, sizeof(f->data));
    pass_time(f, 1030);
    welcome(f, 6, 2); /* the coordinator has been started again */
    expect(f, "[1000] hello\n[1020] hello\n"
              "[1030] chunks\n[1030] retell\n[1030] leave\n"
              "[1030] heartbeat\n");
    pass_time(f, 2020);
    text_init(&f->text, f->data, sizeof(f->data));
    pass_time(f, 5000);

    expect(f, "[2030] hello\n[2050] hello\n[2090] hello\n[2170] hello\n"
              "[2330] hello\n[2650] hello\n[3290] hello\n"
              "[4030] goodbye\n[4030] quit\n");
}

static void test_agent__refuses_what_no_coordinator_sends(void **state)
{
    struct fixture *f = *state;
    struct wire wire = {.kind = WIRE_REPORT};

    message(f, &wire);

    expect(f, "[0] refused status 1: not a message for a worker\n");
}

static void test_agent__obeys_nobody_before_the_welcome(void **state)
{
    struct fixture *f = *state;

    step(f, (struct agent_event){.type = AGENT_START});
    assign(f, 0, 7, 1);

    expect(f, "[0] hello\n[0] refused status 10: not welcomed yet\n");
}

/* Not after the silence that would say the same. */
static void test_agent__says_hello_when_its_link_ends_and_when_it_stands(
    void **state)
{
    struct fixture *f = *state;

    step(f, (struct agent_event){.type = AGENT_START});
    step(f, (struct agent_event){.type = AGENT_LINKED});
    welcome(f, 7, 1);
    step(f, (struct agent_event){.type = AGENT_LINKED}); /* known by now */
    text_init(&f->text, f->data, sizeof(f->data));
    pass_time(f, 300);
    text_init(&f->text, f->data, sizeof(f->data));
    step(f, (struct agent_event){.type = AGENT_CUT_OFF});
    step(f, (struct agent_event){.type = AGENT_CUT_OFF});
    pass_time(f, 390);
    step(f, (struct agent_event){.type = AGENT_LINKED});
    pass_time(f, 415);
    welcome(f, 8, 1);

    expect(f, "[300] hello\n"
              "[320] hello\n"
              "[360] hello\n"
              "[390] hello\n"
              "[410] hello\n"
              "[415] chunks\n"
              "[415] retell\n"
              "[415] heartbeat\n");
}

int main(void)
{
#define NEW(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define JOINED(name)                                                           \
    cmocka_unit_test_setup_teardown(name, setup_joined, teardown)
    const struct CMUnitTest tests[] = {
        NEW(test_agent__says_hello_until_it_is_welcomed),
        NEW(test_agent__ends_when_refused_or_told_to),
        NEW(test_agent__obeys_nobody_before_the_welcome),
        JOINED(test_agent__beats_twice_in_the_time_allowed),
        JOINED(test_agent__says_hello_again_after_silence),
        JOINED(test_agent__joins_a_new_life),
        JOINED(test_agent__takes_a_session_through_its_states),
        JOINED(test_agent__tells_why_a_session_is_not_ready),
        JOINED(test_agent__replaces_a_session_by_a_newer_term),
        JOINED(test_agent__refuses_an_assignment_of_another_life),
        JOINED(test_agent__is_busy_when_all_slots_are_taken),
        JOINED(test_agent__makes_room_for_a_new_life),
        JOINED(test_agent__keeps_sessions_over_a_silence),
        JOINED(test_agent__closes_its_sessions_under_another_id),
        JOINED(test_agent__tells_a_fault_once),
        JOINED(test_agent__forgets_copies_when_told_to),
        JOINED(test_agent__works_on_until_it_may_leave),
        JOINED(test_agent__leaves_at_once_when_told_twice),
        JOINED(test_agent__leaves_at_once_where_nobody_answers),
        JOINED(test_agent__leaves_in_the_end_without_permission),
        JOINED(test_agent__asks_again_when_it_is_not_heard),
        NEW(test_agent__says_hello_when_its_link_ends_and_when_it_stands),
        JOINED(test_agent__refuses_what_no_coordinator_sends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
