#include "tests/integration/dataflow.h"

#include <string.h>

static uint32_t draw(struct net *net, uint32_t bound)
{
    return rng_below(rng_draw(net->seed, RNG_TEST, net->draws++, 0, 0), bound);
}

static void on_send(void *owner,
                    uint32_t worker,
                    const struct frame_header *header,
                    struct part *payload)
{
    struct site *site = owner;
    struct packet *packet = NULL;
    uint32_t to = worker - 20;

    assert_true(site->count[to] < QUEUE);
    packet = &site->out[to][(site->first[to] + site->count[to]++) % QUEUE];
    packet->header = *header;
    part_move(&packet->payload, payload);
    part_close(payload);
}

/* The output layer's reports come in order, whatever the others do. */
static void on_report(void *owner, const struct report *report, bool closing)
{
    struct net *net = ((struct site *)owner)->net;
    struct result *to = &net->result;

    assert_int_equal(closing, report->interval == INTERVALS - 1);
    net->reported[report->interval]++;
    if (report->layer + 1 < LAYERS || report->interval < CUT_INTERVAL) {
        return;
    }
    to->examples += report->examples;
    to->correct += report->correct;
    to->loss_sum += report->loss_sum;
    for (uint32_t e = 0; e < report->evaluations_count; e++) {
        to->evaluations[to->evaluations_count++] = report->evaluations[e];
    }
}

static void on_cut(void *owner, struct copy *copy)
{
    struct site *site = owner;

    if (site->net->on_copy != NULL) {
        site->net->on_copy(site, copy);
        return;
    }
    assert_int_equal(copy->cut.version, 7);
    assert_true(site->net->copies_count < SHARDS_TOTAL_MAX);
    site->net->copies[site->net->copies_count++] = copy;
}

static void on_refused(void *owner, enum status status, const char *reason)
{
    (void)status;
    (void)reason;
    ((struct site *)owner)->net->refused++;
}

static void on_fault(void *owner, enum fault_kind kind, const char *text)
{
    struct net *net = ((struct site *)owner)->net;

    assert_int_equal(kind, FAULT_FRAME);
    net->faults++;
    assert_non_null(strstr(text, "frames are missing"));
}

static void on_wake(void *owner)
{
    (void)owner;
}

void open_site(struct net *net, uint32_t index, struct jobs *jobs)
{
    struct site *site = &net->sites[index];
    uint32_t workers[SITES];
    uint32_t owners[SHARDS_TOTAL_MAX];
    char why[ERROR_BYTES_MAX] = "";
    struct session_options options = {.job = 1,
                                      .term = 3,
                                      .step = net->first_step,
                                      .total_steps = 200,
                                      .spec = &net->spec,
                                      .arch = net->arch,
                                      .workers_count = net->sites_count,
                                      .workers = workers,
                                      .worker = 20 + index,
                                      .owners_count = net->shards_total,
                                      .owners = owners,
                                      .stream = net->job->stream,
                                      .jobs = jobs,
                                      .slots = 2,
                                      .hooks = {.owner = site,
                                                .send = on_send,
                                                .report = on_report,
                                                .cut = on_cut,
                                                .refused = on_refused,
                                                .fault = on_fault,
                                                .wake = on_wake}};

    for (uint32_t i = 0; i < net->sites_count; i++) {
        workers[i] = 20 + i;
    }
    for (uint32_t i = 0; i < net->shards_total; i++) {
        owners[i] = 20 + (i * 7 + (uint32_t)net->seed) % net->sites_count;
    }
    site->net = net;
    site->index = index;
    assert_int_equal(session_open(&options, why, sizeof(why), &site->session),
                     STATUS_OK);
}

struct net *new_net(struct job *job, uint32_t sites, uint64_t seed)
{
    struct net *net = mem_new(sizeof(*net));

    assert_non_null(net);
    net->job = job;
    net->spec = job->spec;
    net->arch = &job->arch;
    net->sites_count = sites;
    net->seed = seed;
    for (uint32_t l = 0; l < job->arch.layers_count; l++) {
        net->shards_total += job->arch.layers[l].shards_count;
    }
    return net;
}

struct net *open_net(struct job *job, uint32_t sites, uint64_t seed)
{
    struct net *net = new_net(job, sites, seed);

    for (uint32_t i = 0; i < sites; i++) {
        open_site(net, i, NULL);
    }
    return net;
}

static void load_shards(struct session *session, const struct net *from)
{
    for (uint32_t k = 0; k < session_shards(session); k++) {
        uint32_t l = 0;
        uint32_t s = 0;
        struct shard *shard = session_shard(session, k, &l, &s);

        for (uint32_t i = 0; i < from->copies_count; i++) {
            struct copy *copy = from->copies[i];

            if (copy->layer != l || copy->shard != s) {
                continue;
            }
            assert_int_equal(pieces_load(&copy->pieces, shard), STATUS_OK);
        }
    }
}

void begin_at_cut(struct net *net)
{
    net->arch = &net->job->arch_cut;
    net->first_interval = CUT_INTERVAL;
    net->first_step = net->job->grants[CUT_INTERVAL].first_step;
    assert_int_equal(job_apply_setting(&net->spec, SETTING_RATE, 0.02),
                     STATUS_OK);
    assert_int_equal(job_apply_setting(&net->spec, SETTING_CLIP, 0), STATUS_OK);
}

struct net *open_restored(struct job *job,
                          const struct net *from,
                          uint32_t sites,
                          uint64_t seed)
{
    struct net *net = new_net(job, sites, seed);

    assert_int_equal(from->copies_count, net->shards_total);
    begin_at_cut(net);
    for (uint32_t i = 0; i < sites; i++) {
        open_site(net, i, NULL);
        load_shards(net->sites[i].session, from);
    }
    return net;
}

void close_net(struct net *net)
{
    for (uint32_t i = 0; i < net->sites_count; i++) {
        struct site *site = &net->sites[i];

        for (uint32_t to = 0; to < SITES; to++) {
            for (; site->count[to] > 0; site->count[to]--) {
                uint32_t at = site->first[to]++ % QUEUE;

                part_close(&site->out[to][at].payload);
            }
        }
        session_stop(site->session);
        session_close(site->session);
    }
    for (uint32_t i = 0; i < net->copies_count; i++) {
        copy_close(net->copies[i]);
    }
    mem_free(net);
}

/* The net's own tricks with a frame: it comes twice, a copy of it comes late
 * from an old term, or it does not come at all. */
static void pass_frame(struct net *net, uint32_t from, uint32_t to)
{
    struct site *site = &net->sites[from];
    struct packet *packet = &site->out[to][site->first[to]];
    struct part copy;
    bool now = net->trick != TRICK_NONE && net->frames++ == TRICK_AT;

    site->first[to] = (site->first[to] + 1) % QUEUE;
    site->count[to]--;
    if (now && net->trick == TRICK_LOSE) {
        part_close(&packet->payload);
        return;
    }
    part_share(&copy, &packet->payload);
    session_frame(net->sites[to].session, &packet->header, &packet->payload);
    if (now) {
        packet->header.term -= net->trick == TRICK_OLD_TERM ? 1 : 0;
        session_frame(net->sites[to].session, &packet->header, &copy);
    } else {
        part_close(&copy);
    }
}

void give_grant(struct net *net, struct site *site)
{
    uint32_t n = net->first_interval + site->granted;
    struct grant grant;

    if (n >= INTERVALS ||
        (site->granted >= 2 && net->reported[n - 2] < net->shards_total)) {
        return;
    }
    grant = net->job->grants[n];
    grant.resumed = n == net->first_interval && n > 0;
    session_grant(site->session, &grant);
    site->granted++;
}

void give_release(struct net *net, struct site *site)
{
    if (site->released < site->granted) {
        session_release(site->session, 3, net->first_interval + site->released);
        site->released++;
    }
}

void happen(struct net *net, struct site *site)
{
    uint32_t to = draw(net, net->sites_count);
    uint32_t what = draw(net, 8);

    if (what == 0) {
        give_grant(net, site);
    } else if (what == 1) {
        give_release(net, site);
    } else if (what < 5 && site->count[to] > 0) {
        pass_frame(net, site->index, to);
    } else {
        (void)session_work(site->session, 0); /* one operation */
    }
}

bool ended(const struct net *net)
{
    for (uint32_t n = net->first_interval; n < INTERVALS; n++) {
        if (net->reported[n] < net->shards_total) {
            return false;
        }
    }
    return true;
}

void run_net(struct net *net)
{
    for (uint32_t i = 0; i < 3000000 && !ended(net) && net->faults == 0; i++) {
        happen(net, &net->sites[draw(net, net->sites_count)]);
    }
    assert_true(ended(net) || net->faults > 0);
}

/* What came of it */

static struct hash hash_shard(const struct shard *shard)
{
    struct copy *copy = NULL;
    struct hash hash;
    uint64_t sum = 0;

    assert_int_equal(copy_open(shard, &copy), STATUS_OK);
    sum = pieces_sum(&copy->pieces, copy->pieces.count - 1);
    hash_bytes(&sum, sizeof(sum), &hash);
    copy_close(copy);
    return hash;
}

void read_net(struct net *net, struct result *out)
{
    for (uint32_t i = 0; i < net->sites_count; i++) {
        struct session *session = net->sites[i].session;

        for (uint32_t k = 0; k < session_shards(session); k++) {
            uint32_t l = 0;
            uint32_t s = 0;
            const struct shard *shard = session_shard(session, k, &l, &s);

            net->result.shards[l][s] = hash_shard(shard);
        }
    }
    *out = net->result;
}

void assert_same(const struct net *net,
                 const struct result *a,
                 const struct result *b)
{
    if (memcmp(a, b, sizeof(*a)) != 0) {
        print_error("%u workers, seed %lu\n", net->sites_count,
                    (unsigned long)net->seed);
        fail();
    }
}

void run_on(struct job *job, uint32_t sites, uint64_t seed, struct result *out)
{
    struct net *net = open_net(job, sites, seed);

    run_net(net);
    assert_int_equal(net->faults, 0);
    read_net(net, out);
    close_net(net);
}
