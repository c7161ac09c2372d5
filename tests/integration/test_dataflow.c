/* The weights must not notice where shards live, in which order things happen
 * and how many threads compute. */
#include "tests/integration/dataflow.h"

#include <math.h>
#include <string.h>

static void test_dataflow__gives_the_same_bits_on_any_workers(void **state)
{
    struct job *job = open_job(2);
    struct net *net = open_net(job, 1, 1);
    struct result alone;
    struct result other;

    (void)state;
    run_net(net);
    read_net(net, &alone);
    /* Since the cut: four intervals; one evaluation, two more at the end. */
    assert_int_equal(alone.examples, 4 * INTERVAL_STEPS * BATCH);
    assert_int_equal(alone.evaluations_count, 3);
    assert_int_equal(alone.evaluations[2].examples, TEST);
    assert_true(alone.evaluations[2].correct * 10 > TEST * 8); /* it learns */
    for (uint32_t sites = 2; sites <= SITES; sites++) {
        run_on(job, sites, 10 * sites, &other);
        assert_same(net, &alone, &other);
    }
    close_net(net);
    close_job(job);
}

/* A restored session goes on as the one that was never left. */
static void test_dataflow__goes_on_from_a_cut_on_other_workers(void **state)
{
    struct job *job = open_job(2);
    struct net *left = open_net(job, 2, 5);
    struct net *net = NULL;
    struct result stayed;
    struct result restored;

    (void)state;
    run_net(left);
    read_net(left, &stayed);
    net = open_restored(job, left, 3, 6);
    run_net(net);
    assert_int_equal(net->faults, 0);
    read_net(net, &restored);

    assert_same(net, &stayed, &restored);
    close_net(net);
    close_net(left);
    close_job(job);
}

static void test_dataflow__gives_the_same_bits_on_threads(void **state)
{
    struct job *job = open_job(2);
    struct result alone;
    struct result other;
    struct net *net = NULL;
    struct loop *loop = NULL;
    struct link_context *context = NULL;
    struct jobs *jobs = NULL;

    (void)state;
    run_on(job, 1, 1, &alone);
    assert_int_equal(loop_open(&loop), STATUS_OK);
    assert_int_equal(link_context_open(&context), STATUS_OK);
    assert_int_equal(jobs_open(loop, context, 2, 8, &jobs), STATUS_OK);
    net = new_net(job, 1, 1);
    open_site(net, 0, jobs);
    while (!ended(net)) {
        give_grant(net, &net->sites[0]);
        give_release(net, &net->sites[0]);
        assert_int_equal(loop_turn(loop, 10), STATUS_OK);
    }
    read_net(net, &other);

    assert_same(net, &alone, &other);
    jobs_stop(jobs);
    jobs_join(jobs);
    close_net(net);
    jobs_close(jobs);
    link_context_close(context);
    loop_close(loop);
    close_job(job);
}

/* Only the order of some sums in float depends on the microbatches. */
static void test_dataflow__hardly_depends_on_microbatches(void **state)
{
    static const uint32_t counts[] = {2, 4};
    struct job *job = open_job(1);
    struct result one;
    struct result other;

    (void)state;
    run_on(job, 2, 7, &one);
    close_job(job);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        job = open_job(counts[i]);
        run_on(job, 2, 7, &other);
        assert_int_equal(other.examples, one.examples);
        assert_true(fabs(other.loss_sum - one.loss_sum) < 1e-3 * one.loss_sum);
        close_job(job);
    }
}

static void play_trick(enum trick trick, uint32_t refused, uint32_t faults)
{
    struct job *job = open_job(2);
    struct net *net = open_net(job, 2, 8);
    struct result alone;
    struct result other;

    net->trick = trick;
    run_net(net);
    assert_int_equal(net->refused, refused);
    assert_int_equal(net->faults, faults);
    if (faults == 0) {
        read_net(net, &other);
        run_on(job, 1, 1, &alone);
        assert_same(net, &alone, &other);
    }
    close_net(net);
    close_job(job);
}

static void test_dataflow__notices_wrong_frames(void **state)
{
    (void)state;
    play_trick(TRICK_TWICE, 1, 0);
    play_trick(TRICK_OLD_TERM, 1, 0);
    play_trick(TRICK_LOSE, 0, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dataflow__gives_the_same_bits_on_any_workers),
        cmocka_unit_test(test_dataflow__goes_on_from_a_cut_on_other_workers),
        cmocka_unit_test(test_dataflow__gives_the_same_bits_on_threads),
        cmocka_unit_test(test_dataflow__hardly_depends_on_microbatches),
        cmocka_unit_test(test_dataflow__notices_wrong_frames),
    };

    return cmocka_run_group_tests(tests, write_data, remove_data);
}
