/* A point: copies of all shards at a boundary, in the vaults of the workers
 * that had them and of their buddies. A worker is lost, another one joins, a
 * third keeps its copies but gets no shards: from the copies the job goes on
 * with the bits that it would have had. */
#include "tests/integration/dataflow.h"

#include "base/clock.h"
#include "worker/shell/pointloader.h"

#include <stdio.h>
#include <string.h>

enum {
    HOSTS = 4,
    POINT_BEFORE = 3, /* an interval with edits, as CUT_INTERVAL is */
    WAIT_MS = 10000,
    FIRST_ID = 20, /* of a worker, in dataflow.h */
    LINE = 0
};

struct host {
    struct points *points;
    struct vault *vault;
    struct wire_peer peer;
    uint32_t kept; /* of the last point */
    bool loaded;
    enum status status;
    char why[ERROR_BYTES_MAX];
};

struct points {
    struct loop *loop;
    struct link_context *context;
    uint32_t hosts_count;
    struct host hosts[HOSTS];
    /* Of the last point: bit of a host, by layer and shard. */
    uint32_t holders[LAYERS][SHARDS];
};

static bool on_expects(void *owner, const struct piece_header *header)
{
    (void)owner;
    return header->term == 3;
}

static void on_kept(void *owner, const struct wire_kept *kept)
{
    struct host *host = owner;
    struct points *points = host->points;

    if (kept->interval == CUT_INTERVAL) {
        host->kept++;
        points->holders[kept->layer][kept->shard] |= 1u
                                                     << (host - points->hosts);
    }
}

static void open_host(struct points *points, uint32_t index)
{
    struct host *host = &points->hosts[index];
    char endpoint[128];
    struct vault_options options = {.loop = points->loop,
                                    .context = points->context,
                                    .endpoint = endpoint,
                                    .owner = host,
                                    .expects = on_expects,
                                    .kept = on_kept};

    (void)snprintf(endpoint, sizeof(endpoint), "ipc://%s/vault%u", data_dir,
                   index);
    host->points = points;
    assert_int_equal(vault_open(&options, &host->vault), STATUS_OK);
    host->peer.worker = FIRST_ID + index;
    (void)snprintf(host->peer.vault_endpoint, sizeof(host->peer.vault_endpoint),
                   "%s", vault_endpoint(host->vault));
}

static void close_host(struct host *host)
{
    vault_close(host->vault);
    host->vault = NULL;
}

static struct points *open_points(void)
{
    struct points *points = mem_new(sizeof(*points));

    assert_non_null(points);
    assert_int_equal(loop_open(&points->loop), STATUS_OK);
    assert_int_equal(link_context_open(&points->context), STATUS_OK);
    for (uint32_t i = 0; i < HOSTS; i++) {
        open_host(points, i);
    }
    return points;
}

static void close_points(struct points *points)
{
    for (uint32_t i = 0; i < HOSTS; i++) {
        close_host(&points->hosts[i]);
    }
    link_context_close(points->context);
    loop_close(points->loop);
    mem_free(points);
}

/* As a slot does it. */
static void keep_copy(struct site *site, struct copy *copy)
{
    struct points *points = site->net->points;
    uint32_t next = (site->index + 1) % site->net->sites_count;
    struct vault_copy kept = {.key = {.job = 1,
                                      .term = 3,
                                      .line = copy->cut.line,
                                      .interval = copy->cut.interval,
                                      .layer = copy->layer,
                                      .shard = copy->shard},
                              .kept = copy->cut.kept,
                              .cost_us = copy->cost_us,
                              .buddy = &points->hosts[next].peer};

    assert_true(copy->cut.keep);
    vault_keep(points->hosts[site->index].vault, &kept, &copy->pieces);
    copy_close(copy);
}

/* A job whose boundary CUT_INTERVAL is a point instead of a version. */
static struct job *open_kept_job(void)
{
    struct job *job = open_job(2);

    job->grants[POINT_BEFORE].keep = true;
    job->grants[CUT_INTERVAL].version = 0;
    job->grants[CUT_INTERVAL].keep = true;
    job->grants[CUT_INTERVAL].kept = POINT_BEFORE + 1;
    return job;
}

static bool is_complete(const struct points *points, const struct net *net)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < HOSTS; i++) {
        kept += points->hosts[i].kept;
    }
    return kept == 2 * net->shards_total;
}

static void turn(struct points *points, uint64_t end_ms)
{
    assert_true(clock_now_ms() < end_ms);
    assert_int_equal(loop_turn(points->loop, 5), STATUS_OK);
}

/* Trains to the end on three hosts, and keeps the point on its way. */
static struct net *train(struct job *job, struct points *points)
{
    struct net *net = open_net(job, 3, 5);
    uint64_t end_ms = clock_now_ms() + WAIT_MS;

    net->on_copy = keep_copy;
    net->points = points;
    run_net(net);
    assert_int_equal(net->faults, 0);
    while (!is_complete(points, net)) {
        turn(points, end_ms);
    }
    return net;
}

/* A host that holds a shard and is still there. */
static uint32_t holder_of(const struct points *points, uint32_t l, uint32_t s)
{
    uint32_t i = 0;

    while ((points->holders[l][s] >> i & 1) == 0 ||
           points->hosts[i].vault == NULL) {
        i++;
        assert_true(i < HOSTS);
    }
    return i;
}

static void make_assign(const struct points *points,
                        const struct net *net,
                        struct wire_assign *out)
{
    static struct wire_peer holders[HOSTS];
    static uint32_t sources[SHARDS_TOTAL_MAX];
    uint32_t at = 0;

    *out = (struct wire_assign){
        .job = 1,
        .arch = (struct arch *)(uintptr_t)net->arch,
        .from_point = true,
        .point_line = LINE,
        .point_interval = CUT_INTERVAL,
        .point_term = 3,
        .holders_count = HOSTS,
        .holders = holders,
        .sources_count = net->shards_total,
        .sources = sources,
    };
    for (uint32_t i = 0; i < HOSTS; i++) {
        holders[i] = points->hosts[i].peer;
    }
    for (uint32_t l = 0; l < net->arch->layers_count; l++) {
        for (uint32_t s = 0; s < net->arch->layers[l].shards_count; s++) {
            sources[at++] = holder_of(points, l, s);
        }
    }
}

static void on_loaded(void *owner, enum status status, const char *why)
{
    struct host *host = owner;

    host->loaded = true;
    host->status = status;
    (void)snprintf(host->why, sizeof(host->why), "%s", why);
}

/* Fills the shards of a site from copies, through a host's own vault. */
static void load_site(struct points *points,
                      struct site *site,
                      struct host *host,
                      const struct wire_assign *assign)
{
    uint64_t end_ms = clock_now_ms() + WAIT_MS;
    struct pointloader *loader = NULL;
    struct pointloader_options options = {.loop = points->loop,
                                          .context = points->context,
                                          .session = site->session,
                                          .assign = assign,
                                          .vault = host->vault,
                                          .done = on_loaded,
                                          .owner = host};

    host->loaded = false;
    assert_int_equal(pointloader_open(&options, &loader), STATUS_OK);
    pointloader_start(loader);
    while (!host->loaded) {
        turn(points, end_ms);
    }
    pointloader_close(loader);
}

static void test_points__give_the_same_bits_in_another_placement(void **state)
{
    struct job *job = open_kept_job();
    struct points *points = open_points();
    struct net *left = train(job, points);
    struct net *net = new_net(job, 2, 6);
    struct wire_assign assign;
    struct result stayed;
    struct result restored;

    (void)state;
    read_net(left, &stayed);
    /* Host 1 dies. Host 0 goes on, 3 is new, 2 keeps what it has. */
    close_host(&points->hosts[1]);
    begin_at_cut(net);
    make_assign(points, net, &assign);
    for (uint32_t i = 0; i < 2; i++) {
        struct host *host = &points->hosts[i == 0 ? 0 : 3];

        open_site(net, i, NULL);
        load_site(points, &net->sites[i], host, &assign);
        assert_string_equal(host->why, "");
        assert_int_equal(host->status, STATUS_OK);
    }
    assert_true(points->hosts[3].kept > 0); /* what it fetched it holds */
    run_net(net);
    assert_int_equal(net->faults, 0);
    read_net(net, &restored);

    assert_same(net, &stayed, &restored);
    close_net(net);
    close_net(left);
    close_points(points);
    close_job(job);
}

/* Every way in which there is no such copy ends the same. */
static void test_points__are_unavailable_where_a_copy_is_not(void **state)
{
    struct job *job = open_kept_job();
    struct points *points = open_points();
    struct net *left = train(job, points);
    struct net *net = new_net(job, 1, 6);
    struct host *empty = &points->hosts[3];
    struct wire_assign assign;

    (void)state;
    begin_at_cut(net);
    make_assign(points, net, &assign);
    open_site(net, 0, NULL);

    assign.point_interval = CUT_INTERVAL - 1; /* nobody kept that */
    load_site(points, &net->sites[0], empty, &assign);
    assert_int_equal(empty->status, STATUS_UNAVAILABLE);
    assert_non_null(strstr(empty->why, "it is not there any more"));

    assign.point_interval = POINT_BEFORE; /* another architecture */
    load_site(points, &net->sites[0], empty, &assign);
    assert_int_equal(empty->status, STATUS_UNAVAILABLE);
    assert_non_null(strstr(empty->why, "another shape"));

    close_net(net);
    close_net(left);
    close_points(points);
    close_job(job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_points__give_the_same_bits_in_another_placement),
        cmocka_unit_test(test_points__are_unavailable_where_a_copy_is_not),
    };

    return cmocka_run_group_tests(tests, write_data, remove_data);
}
