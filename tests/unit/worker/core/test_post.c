/* The story of one small interval, action by action: two workers of one
 * compute thread, w0 with the first shard of hidden1, w1 with the second and
 * with the output. Shards are written LAYER.SHARD. Frames arrive in the order
 * sent, operations end in the order begun. worker/README.md tells the same
 * story. */
#include "worker/core/sched.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { WORKERS = 2, QUEUE = 64, STORY_BYTES = 20000 };

struct pending {
    uint32_t worker;
    bool frame; /* else a running operation */
    struct frame_header header;
    uint32_t local;
};

struct story {
    struct sched workers[WORKERS];
    struct sched_actions actions;
    struct pending queue[QUEUE];
    uint32_t first;
    uint32_t count;
    char data[STORY_BYTES];
    struct text text;
};

static const uint64_t rows[1] = {100};

static const char *const op_names[] = {
    [SCHED_FORWARD] = "forward", [SCHED_BACKWARD] = "backward",
    [SCHED_NORM] = "norm",       [SCHED_UPDATE] = "update",
    [SCHED_EDIT] = "edit",       [SCHED_CUT] = "cut",
    [SCHED_COLUMNS] = "columns", [SCHED_REPORT] = "report"};
static const char *const kind_names[] = {[FRAME_FORWARD] = "forward",
                                         [FRAME_GRADIENT] = "gradient",
                                         [FRAME_COLUMNS] = "columns",
                                         [FRAME_NORM] = "norm"};

static void say(struct story *s, const char *words, uint64_t number)
{
    text_add(&s->text, words);
    text_u64(&s->text, number);
}

static void say_shard(struct story *s, uint32_t layer, uint32_t shard)
{
    say(s, " ", layer);
    say(s, ".", shard);
}

static void push(struct story *s, const struct pending *pending)
{
    assert_true(s->count < QUEUE);
    s->queue[(s->first + s->count++) % QUEUE] = *pending;
}

static void tell_run(struct story *s, const struct sched_run *run)
{
    text_add(&s->text, "run ");
    text_add(&s->text, op_names[run->op]);
    say_shard(s, run->layer, run->shard);
    if (run->op == SCHED_FORWARD || run->op == SCHED_BACKWARD) {
        say(s, run->training ? " step " : " evaluate ",
            run->training ? run->step : run->task);
        say(s, " m", run->microbatch);
        say(s, " rows ", run->first);
        say(s, "+", run->rows);
        say(s, " example ", run->example);
    }
}

static void tell_deliver(struct story *s,
                         const struct sched *sched,
                         const struct sched_deliver *d)
{
    text_add(&s->text, d->from == SCHED_ALL ? "take " : "local ");
    text_add(&s->text, kind_names[d->kind]);
    say_shard(s, d->from_layer, d->sender);
    if (d->to != SCHED_ALL) {
        text_add(&s->text, " ->");
        say_shard(s, sched->locals[d->to].layer, sched->locals[d->to].shard);
    }
}

static void tell(struct story *s, uint32_t w, const struct sched_action *action)
{
    struct pending pending = {.worker = w};
    const struct frame_header *header = &action->send.header;

    say(s, "w", w);
    text_add(&s->text, "  ");
    switch (action->type) {
    case SCHED_ACT_RUN:
        tell_run(s, &action->run);
        pending.local = action->run.local;
        push(s, &pending);
        break;
    case SCHED_ACT_DELIVER:
        tell_deliver(s, &s->workers[w], &action->deliver);
        break;
    case SCHED_ACT_SEND:
        text_add(&s->text, "send ");
        text_add(&s->text, kind_names[header->kind]);
        say_shard(s, header->from_layer, header->from_shard);
        say(s, " pass ", header->pass);
        say(s, " m", header->microbatch);
        say(s, " to w", action->send.peer);
        say(s, " number ", header->sequence);
        pending.worker = action->send.peer;
        pending.frame = true;
        pending.header = *header;
        push(s, &pending);
        break;
    case SCHED_ACT_REPORT:
        say(s, "tell report of interval ", action->report.interval);
        break;
    case SCHED_ACT_CUT:
        say(s, "store cut for v", action->cut.version);
        break;
    case SCHED_ACT_REFUSED:
        text_add(&s->text, "refuse: ");
        text_add(&s->text, action->refused.reason);
        break;
    case SCHED_ACT_FAULT:
        text_add(&s->text, "fault: ");
        text_add(&s->text, action->fault.reason);
        break;
    }
    text_add(&s->text, "\n");
}

static void step(struct story *s, uint32_t w, const struct sched_event *event)
{
    sched_step(&s->workers[w], event, &s->actions);
    for (uint32_t i = 0; i < s->actions.count; i++) {
        tell(s, w, &s->actions.items[i]);
    }
}

static void run_story(struct story *s)
{
    while (s->count > 0) {
        struct pending next = s->queue[s->first];
        struct sched_event event = {.type = SCHED_DONE,
                                    .done = {.local = next.local}};

        if (next.frame) {
            event.type = SCHED_FRAME;
            event.frame = &next.header;
        }
        s->first = (s->first + 1) % QUEUE;
        s->count--;
        step(s, next.worker, &event);
    }
}

static void expect_story(struct story *s, const char *expected)
{
    assert_false(s->text.cut);
    if (strcmp(s->data, expected) != 0) {
        print_error("--- found\n%s--- expected\n%s", s->data, expected);
        fail();
    }
    text_init(&s->text, s->data, sizeof(s->data));
}

static void begin(struct story *s, bool clip)
{
    struct sched_config config = {.job = 1,
                                  .term = 1,
                                  .batch = 3,
                                  .microbatches = 2,
                                  .clip = clip,
                                  .slots = 1,
                                  .tasks_count = 1,
                                  .evaluate_rows = rows,
                                  .guard_rows = rows,
                                  .layers_count = 2,
                                  .shards_count = {2, 1},
                                  .peers_count = 2,
                                  .peers = {0, 1},
                                  .owners = {{0, 1}, {1}}};

    text_init(&s->text, s->data, sizeof(s->data));
    for (uint32_t w = 0; w < WORKERS; w++) {
        config.self = w;
        sched_init(&s->workers[w], &config);
    }
}

static void give(struct story *s, const struct grant *grant)
{
    struct sched_event event = {.type = SCHED_GRANT, .grant = grant};

    for (uint32_t w = 0; w < WORKERS; w++) {
        step(s, w, &event);
    }
}

static struct story *open_story(bool clip)
{
    struct story *s = calloc(1, sizeof(*s));

    assert_non_null(s);
    begin(s, clip);
    return s;
}

static void test_post__tells_the_story_of_a_training_interval(void **state)
{
    struct story *s = open_story(false);
    struct grant grant = {.term = 1, .steps = 1, .task_examples = 3};

    (void)state;
    give(s, &grant);
    run_story(s);

    expect_story(s, "w0  run forward 0.0 step 0 m0 rows 0+2 example 0\n"
                    "w1  run forward 0.1 step 0 m0 rows 0+2 example 0\n"
                    "w0  send forward 0.0 pass 0 m0 to w1 number 0\n"
                    "w0  run forward 0.0 step 0 m1 rows 2+1 example 2\n"
                    "w1  local forward 0.1 -> 1.0\n"
                    "w1  run forward 0.1 step 0 m1 rows 2+1 example 2\n"
                    "w1  take forward 0.0 -> 1.0\n"
                    "w0  send forward 0.0 pass 0 m1 to w1 number 1\n"
                    "w1  local forward 0.1 -> 1.0\n"
                    "w1  run forward 1.0 step 0 m0 rows 0+2 example 0\n"
                    "w1  take forward 0.0 -> 1.0\n"
                    "w1  run backward 1.0 step 0 m0 rows 0+2 example 0\n"
                    "w1  send gradient 1.0 pass 0 m0 to w0 number 0\n"
                    "w1  local gradient 1.0 -> 0.1\n"
                    "w1  run forward 1.0 step 0 m1 rows 2+1 example 2\n"
                    "w0  take gradient 1.0 -> 0.0\n"
                    "w0  run backward 0.0 step 0 m0 rows 0+2 example 0\n"
                    "w1  run backward 1.0 step 0 m1 rows 2+1 example 2\n"
                    "w1  send gradient 1.0 pass 0 m1 to w0 number 1\n"
                    "w1  local gradient 1.0 -> 0.1\n"
                    "w1  run backward 0.1 step 0 m0 rows 0+2 example 0\n"
                    "w0  take gradient 1.0 -> 0.0\n"
                    "w0  run backward 0.0 step 0 m1 rows 2+1 example 2\n"
                    "w1  run backward 0.1 step 0 m1 rows 2+1 example 2\n"
                    "w0  run update 0.0\n"
                    "w1  run update 0.1\n"
                    "w1  run update 1.0\n"
                    "w1  run columns 1.0\n"
                    "w1  send columns 1.0 pass 1 m0 to w0 number 2\n"
                    "w1  local columns 1.0 -> 0.1\n"
                    "w1  run report 0.1\n"
                    "w0  take columns 1.0 -> 0.0\n"
                    "w0  run report 0.0\n"
                    "w1  tell report of interval 0\n"
                    "w1  run report 1.0\n"
                    "w0  tell report of interval 0\n"
                    "w1  tell report of interval 0\n");
    free(s);
}

static void test_post__tells_the_story_of_a_boundary(void **state)
{
    struct story *s = open_story(false);
    struct grant grant = {.term = 1,
                          .closing = true,
                          .task_examples = 3,
                          .evaluate_count = 1,
                          .edits_count = 1,
                          .version = 4};

    (void)state;
    give(s, &grant);
    run_story(s);

    expect_story(s, "w0  run forward 0.0 evaluate 0 m0 rows 0+100 example 0\n"
                    "w1  run forward 0.1 evaluate 0 m0 rows 0+100 example 0\n"
                    "w0  send forward 0.0 pass 0 m0 to w1 number 0\n"
                    "w1  local forward 0.1 -> 1.0\n"
                    "w1  take forward 0.0 -> 1.0\n"
                    "w1  run forward 1.0 evaluate 0 m0 rows 0+100 example 0\n"
                    "w1  run backward 1.0 evaluate 0 m0 rows 0+100 example 0\n"
                    "w1  send gradient 1.0 pass 0 m0 to w0 number 0\n"
                    "w1  local gradient 1.0 -> 0.1\n"
                    "w1  run backward 0.1 evaluate 0 m0 rows 0+100 example 0\n"
                    "w0  take gradient 1.0 -> 0.0\n"
                    "w0  run backward 0.0 evaluate 0 m0 rows 0+100 example 0\n"
                    "w1  run edit 0.1\n"
                    "w0  run edit 0.0\n"
                    "w1  run cut 0.1\n"
                    "w0  run cut 0.0\n"
                    "w1  store cut for v4\n"
                    "w1  run report 0.1\n"
                    "w0  store cut for v4\n"
                    "w0  run report 0.0\n"
                    "w1  tell report of interval 0\n"
                    "w1  run edit 1.0\n"
                    "w0  tell report of interval 0\n"
                    "w1  run cut 1.0\n"
                    "w1  store cut for v4\n"
                    "w1  run report 1.0\n"
                    "w1  tell report of interval 0\n");
    free(s);
}

static void test_post__tells_the_story_of_clipping(void **state)
{
    struct story *s = open_story(true);
    struct grant grant = {.term = 1, .steps = 1, .task_examples = 1};

    (void)state;
    give(s, &grant);
    run_story(s);

    expect_story(s, "w0  run forward 0.0 step 0 m0 rows 0+1 example 0\n"
                    "w1  run forward 0.1 step 0 m0 rows 0+1 example 0\n"
                    "w0  send forward 0.0 pass 0 m0 to w1 number 0\n"
                    "w1  local forward 0.1 -> 1.0\n"
                    "w1  take forward 0.0 -> 1.0\n"
                    "w1  run forward 1.0 step 0 m0 rows 0+1 example 0\n"
                    "w1  run backward 1.0 step 0 m0 rows 0+1 example 0\n"
                    "w1  send gradient 1.0 pass 0 m0 to w0 number 0\n"
                    "w1  local gradient 1.0 -> 0.1\n"
                    "w1  run norm 1.0\n"
                    "w0  take gradient 1.0 -> 0.0\n"
                    "w0  run backward 0.0 step 0 m0 rows 0+1 example 0\n"
                    "w1  send norm 1.0 pass 0 m0 to w0 number 1\n"
                    "w1  local norm 1.0\n"
                    "w1  run backward 0.1 step 0 m0 rows 0+1 example 0\n"
                    "w0  run norm 0.0\n"
                    "w0  take norm 1.0\n"
                    "w1  run norm 0.1\n"
                    "w0  send norm 0.0 pass 0 m0 to w1 number 1\n"
                    "w0  local norm 0.0\n"
                    "w1  send norm 0.1 pass 0 m0 to w0 number 2\n"
                    "w1  local norm 0.1\n"
                    "w1  take norm 0.0\n"
                    "w1  run update 0.1\n"
                    "w0  take norm 0.1\n"
                    "w0  run update 0.0\n"
                    "w1  run update 1.0\n"
                    "w1  run columns 1.0\n"
                    "w1  send columns 1.0 pass 1 m0 to w0 number 3\n"
                    "w1  local columns 1.0 -> 0.1\n"
                    "w1  run report 0.1\n"
                    "w0  take columns 1.0 -> 0.0\n"
                    "w0  run report 0.0\n"
                    "w1  tell report of interval 0\n"
                    "w1  run report 1.0\n"
                    "w0  tell report of interval 0\n"
                    "w1  tell report of interval 0\n");
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_post__tells_the_story_of_a_training_interval),
        cmocka_unit_test(test_post__tells_the_story_of_a_boundary),
        cmocka_unit_test(test_post__tells_the_story_of_clipping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
