/* dataflow.h - sessions of several workers in one process: real shards and real
 * data, and memory instead of sockets between them.
 *
 * One thing happens at a time, drawn from Philox, so frames of different links
 * overtake each other and workers compute in any order. Inline functions, for a
 * test program is linked with one object of its own. */
#ifndef TESTS_INTEGRATION_DATAFLOW_H
#define TESTS_INTEGRATION_DATAFLOW_H

#include "base/mem.h"
#include "base/rng.h"
#include "worker/shell/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    SITES = 4,
    SIDE = 8, /* pixels */
    INPUTS = SIDE * SIDE,
    CLASSES = 10,
    TRAIN = 900, /* GUARD of them are set aside */
    GUARD = 300,
    TEST = 300,
    BATCH = 12,
    INTERVALS = 11,
    INTERVAL_STEPS = 20,
    CUT_INTERVAL = 6,
    TRICK_AT = 500,
    QUEUE = 512,
    LAYERS = 3,
    SHARDS = 3, /* of a hidden layer */
    SHARDS_TOTAL_MAX = LAYERS * SHARDS
};

/* The data: ten blurred prototypes, as IDX files in a directory. */

static char data_dir[64];

static const char *const kinds[] = {"images-idx3", "labels-idx1"};

static inline void path_of(const char *set, const char *kind, char out[128])
{
    (void)snprintf(out, 128, "%s/%s-%s-ubyte", data_dir, set, kind);
}

static inline void write_file(const char *set,
                              int kind,
                              const void *bytes,
                              size_t n)
{
    char path[128];
    FILE *file = NULL;

    path_of(set, kinds[kind], path);
    file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, n, 1, file), 1);
    assert_int_equal(fclose(file), 0);
}

static inline void write_set(const char *set, uint32_t count, uint64_t first)
{
    static unsigned char images[16 + TRAIN * INPUTS] = {
        [2] = 8, [3] = 3, [11] = SIDE, [15] = SIDE};
    static unsigned char labels[8 + TRAIN] = {[2] = 8, [3] = 1};

    images[6] = labels[6] = (unsigned char)(count >> 8);
    images[7] = labels[7] = (unsigned char)count;
    for (uint32_t i = 0; i < count; i++) {
        labels[8 + i] = (unsigned char)(i % CLASSES);
        for (uint32_t p = 0; p < INPUTS; p++) {
            uint32_t ideal = rng_draw(1, RNG_TEST, i % CLASSES, p, 0).v[0];
            uint32_t noise = rng_draw(2, RNG_TEST, first + i, p, 0).v[0];

            images[16 + i * INPUTS + p] =
                (unsigned char)(ideal % 200 + noise % 55);
        }
    }
    write_file(set, 0, images, 16 + count * INPUTS);
    write_file(set, 1, labels, 8 + count);
}

/* A job and the grants that a coordinator would give */

struct job {
    struct job_spec spec;
    struct arch arch;     /* as of step 0 */
    struct arch arch_cut; /* after the edits of CUT_INTERVAL */
    void *memory[3];
    struct stream *stream;
    struct grant grants[INTERVALS];
};

static inline void set_spec(struct job_spec *spec, uint32_t microbatches)
{
    job_defaults(spec);
    (void)snprintf(spec->name, sizeof(spec->name), "dataflow");
    spec->seed = 11;
    spec->data.format = DATA_IDX;
    (void)snprintf(spec->data.dir, sizeof(spec->data.dir), "%s", data_dir);
    spec->data.guard_examples = GUARD;
    spec->data.task_specs_count = 1;
    spec->data.task_specs[0] = (struct task_spec){
        .kind = TASK_PERMUTE_PIXELS, .count = 2, .examples = 1210, .passes = 1};
    spec->model.hidden_count = 2;
    spec->model.hidden[0] = (struct layer_spec){23, ACTIVATION_RELU};
    spec->model.hidden[1] = (struct layer_spec){18, ACTIVATION_TANH};
    spec->model.outputs = CLASSES;
    spec->model.shards = SHARDS;
    spec->train.batch = BATCH;
    spec->train.microbatches = microbatches;
    spec->train.clip = 0.7;
    spec->train.rate.peak = 0.05;
    spec->train.optimizer.momentum = 0.9;
}

/* Adds an edit; units_first tells where its units begin in the layer. */
static inline void add_edit(struct grant *grant,
                            struct arch *arch,
                            const struct edit wanted)
{
    const struct arch_layer *layer = &arch->layers[wanted.layer];
    struct edit *edit = &grant->edits[grant->edits_count++];

    *edit = wanted;
    edit->units_first = grant->units_count;
    for (uint32_t i = 0; i < wanted.units_count; i++) {
        struct edit_unit *unit = &grant->units[grant->units_count++];
        const struct unit *old = &layer->units[wanted.units_first + i];
        struct unit_id fresh = {0, arch->next_birth + i};

        unit->id = wanted.kind == EDIT_ADD ? fresh : old->id;
        unit->renewed = fresh;
        unit->shard = i % layer->shards_count;
        unit->mean = wanted.kind == EDIT_REMOVE ? old->mean : 0.25f;
    }
    assert_int_equal(arch_apply(arch, edit, grant->units, grant->first_step),
                     STATUS_OK);
}

/* What happens at the beginning of some intervals. */
static inline void add_boundary(struct grant *grant,
                                struct arch *arch,
                                uint32_t n)
{
    if (n == 2) {
        add_edit(grant, arch, (struct edit){EDIT_ADD, 0, 0, 0, 4});
        grant->guard = true;
    } else if (n == 3) {
        add_edit(grant, arch, (struct edit){EDIT_RENEW, 1, 0, 2, 3});
        add_edit(grant, arch, (struct edit){EDIT_LESION, 0, 0, 5, 2});
    } else if (n == 4) {
        grant->settings_count = 2;
        grant->settings[0] = (struct grant_setting){SETTING_RATE, 0.02};
        grant->settings[1] = (struct grant_setting){SETTING_CLIP, 0};
    } else if (n == 5) {
        add_edit(grant, arch, (struct edit){EDIT_REMOVE, 0, 0, 5, 2});
        grant->evaluate_count = 2;
    } else if (n == CUT_INTERVAL) {
        add_edit(grant, arch, (struct edit){EDIT_ADD, 1, 0, 0, 2});
        grant->evaluate_count = 1;
        grant->version = 7;
        grant->hold = true;
    } else if (n == INTERVALS - 1) {
        grant->evaluate_count = 2;
    }
}

static inline void lay_out(struct job *job, struct arch *arch, uint32_t memory)
{
    job->memory[memory] = mem_new(arch_memory_bytes(&job->spec, CLASSES));
    assert_non_null(job->memory[memory]);
    arch_lay_out(arch, &job->spec, CLASSES, job->memory[memory]);
}

static inline void make_grants(struct job *job)
{
    struct arch later;
    uint64_t step = 0;
    uint64_t position = 0;
    uint32_t task = 0;

    lay_out(job, &job->arch_cut, 1);
    lay_out(job, &later, 2);
    arch_copy(&later, &job->arch);
    for (uint32_t n = 0; n < INTERVALS; n++) {
        struct grant *grant = &job->grants[n];
        uint64_t left = (1210 - position + BATCH - 1) / BATCH;

        *grant = (struct grant){.term = 3,
                                .interval = n,
                                .first_step = step,
                                .task = task,
                                .position = position,
                                .task_examples = 1210};
        grant->closing = n + 1 == INTERVALS;
        grant->steps = left < INTERVAL_STEPS ? (uint32_t)left : INTERVAL_STEPS;
        grant->steps = grant->closing ? 0 : grant->steps;
        add_boundary(grant, &later, n);
        if (n == CUT_INTERVAL) {
            arch_copy(&job->arch_cut, &later);
        }
        step += grant->steps;
        position += (uint64_t)grant->steps * BATCH;
        if (position >= 1210) { /* the last batch was short */
            task++;
            position = 0;
        }
    }
}

static inline struct job *open_job(uint32_t microbatches)
{
    struct job *job = mem_new(sizeof(*job));
    char why[ERROR_BYTES_MAX] = "";

    assert_non_null(job);
    set_spec(&job->spec, microbatches);
    if (job_check(&job->spec, why, sizeof(why)) != STATUS_OK ||
        stream_open(&(struct stream_options){.data = &job->spec.data,
                                             .seed = job->spec.seed,
                                             .outputs = CLASSES},
                    why, sizeof(why), &job->stream) != STATUS_OK) {
        print_error("%s\n", why);
        fail();
    }
    lay_out(job, &job->arch, 0);
    arch_begin(&job->arch, &job->spec, INPUTS, CLASSES, job->memory[0]);
    make_grants(job);
    return job;
}

static inline void close_job(struct job *job)
{
    mem_free(job->memory[2]);
    mem_free(job->memory[1]);
    mem_free(job->memory[0]);
    stream_close(job->stream);
    mem_free(job);
}

/* The cluster */

struct packet {
    struct frame_header header;
    struct part payload;
};

struct site {
    struct net *net;
    uint32_t index;
    struct session *session;
    struct packet out[SITES][QUEUE]; /* rings, by receiver */
    uint32_t first[SITES];
    uint32_t count[SITES];
    uint32_t granted;
    uint32_t released;
};

/* What came of it, since the cut. No struct in it has padding. */
struct result {
    struct hash shards[LAYERS][SHARDS]; /* of all tensors */
    struct evaluation evaluations[16];  /* in the order reported */
    uint64_t evaluations_count;
    uint64_t examples; /* trained on */
    uint64_t correct;
    double loss_sum;
};

enum trick { TRICK_NONE, TRICK_TWICE, TRICK_OLD_TERM, TRICK_LOSE };

struct net {
    struct job *job;
    struct job_spec spec;
    const struct arch *arch; /* at the first interval */
    uint64_t first_step;
    uint32_t sites_count;
    struct site sites[SITES];
    uint32_t shards_total;
    uint32_t first_interval;
    uint32_t reported[INTERVALS];
    struct result result;
    /* Takes a copy; NULL: it goes to the list below. */
    void (*on_copy)(struct site *site, struct copy *copy);
    void *points; /* for on_copy */
    struct copy *copies[SHARDS_TOTAL_MAX];
    uint32_t copies_count;
    uint64_t seed;
    uint64_t draws;
    enum trick trick; /* with the frame number TRICK_AT */
    uint32_t frames;
    uint32_t refused;
    uint32_t faults;
};

static inline uint32_t draw(struct net *net, uint32_t bound)
{
    return rng_below(rng_draw(net->seed, RNG_TEST, net->draws++, 0, 0), bound);
}

static inline void on_send(void *owner,
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
static inline void on_report(void *owner,
                             const struct report *report,
                             bool closing)
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

static inline void on_cut(void *owner, struct copy *copy)
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

static inline void on_refused(void *owner,
                              enum status status,
                              const char *reason)
{
    (void)status;
    (void)reason;
    ((struct site *)owner)->net->refused++;
}

static inline void on_fault(void *owner, enum fault_kind kind, const char *text)
{
    struct net *net = ((struct site *)owner)->net;

    assert_int_equal(kind, FAULT_FRAME);
    net->faults++;
    assert_non_null(strstr(text, "frames are missing"));
}

static inline void on_wake(void *owner)
{
    (void)owner;
}

static inline void open_site(struct net *net, uint32_t index, struct jobs *jobs)
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

static inline struct net *new_net(struct job *job,
                                  uint32_t sites,
                                  uint64_t seed)
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

static inline struct net *open_net(struct job *job,
                                   uint32_t sites,
                                   uint64_t seed)
{
    struct net *net = new_net(job, sites, seed);

    for (uint32_t i = 0; i < sites; i++) {
        open_site(net, i, NULL);
    }
    return net;
}

static inline void load_shards(struct session *session, const struct net *from)
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

/* As of the architecture and the settings at the cut. */
static inline void begin_at_cut(struct net *net)
{
    net->arch = &net->job->arch_cut;
    net->first_interval = CUT_INTERVAL;
    net->first_step = net->job->grants[CUT_INTERVAL].first_step;
    assert_int_equal(job_apply_setting(&net->spec, SETTING_RATE, 0.02),
                     STATUS_OK);
    assert_int_equal(job_apply_setting(&net->spec, SETTING_CLIP, 0), STATUS_OK);
}

/* From the cut that `from` has made, as of its settings and architecture. */
static inline struct net *open_restored(struct job *job,
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

static inline void close_net(struct net *net)
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
static inline void pass_frame(struct net *net, uint32_t from, uint32_t to)
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

/* As a coordinator: two grants, then the next when an interval is reported. */
static inline void give_grant(struct net *net, struct site *site)
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

static inline void give_release(struct net *net, struct site *site)
{
    if (site->released < site->granted) {
        session_release(site->session, 3, net->first_interval + site->released);
        site->released++;
    }
}

static inline void happen(struct net *net, struct site *site)
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

static inline bool ended(const struct net *net)
{
    for (uint32_t n = net->first_interval; n < INTERVALS; n++) {
        if (net->reported[n] < net->shards_total) {
            return false;
        }
    }
    return true;
}

static inline void run_net(struct net *net)
{
    for (uint32_t i = 0; i < 3000000 && !ended(net) && net->faults == 0; i++) {
        happen(net, &net->sites[draw(net, net->sites_count)]);
    }
    assert_true(ended(net) || net->faults > 0);
}

/* What came of it */

static inline struct hash hash_shard(const struct shard *shard)
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

static inline void read_net(struct net *net, struct result *out)
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

static inline void assert_same(const struct net *net,
                               const struct result *a,
                               const struct result *b)
{
    if (memcmp(a, b, sizeof(*a)) != 0) {
        print_error("%u workers, seed %lu\n", net->sites_count,
                    (unsigned long)net->seed);
        fail();
    }
}

static inline void run_on(struct job *job,
                          uint32_t sites,
                          uint64_t seed,
                          struct result *out)
{
    struct net *net = open_net(job, sites, seed);

    run_net(net);
    assert_int_equal(net->faults, 0);
    read_net(net, out);
    close_net(net);
}

/* The data come and go with the group of tests */

static inline int write_data(void **state)
{
    (void)state;
    (void)snprintf(data_dir, sizeof(data_dir), "/tmp/cajal-dataflow-XXXXXX");
    if (mkdtemp(data_dir) == NULL) {
        return -1;
    }
    write_set("train", TRAIN, 0);
    write_set("t10k", TEST, TRAIN);
    return 0;
}

static inline int remove_data(void **state)
{
    char path[128];

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        path_of("train", kinds[k], path);
        (void)unlink(path);
        path_of("t10k", kinds[k], path);
        (void)unlink(path);
    }
    return rmdir(data_dir);
}

#endif /* TESTS_INTEGRATION_DATAFLOW_H */
