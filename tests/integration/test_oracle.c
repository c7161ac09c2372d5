/* The oracle of continual backprop: a job of 20,000 steps on the real
 * programs, two workers, must renew exactly those units, at exactly those
 * steps, that the plain code of plain.h renews, and end with its weights.
 *
 * Accuracies do not show a wrong policy: with a tenth of the rate, without the
 * bias transfer or with a third of the renewals lost, continual backprop is as
 * good. So the lists are compared, and each of these errors is made on purpose
 * to see that the comparison finds it. */
#include "base/mem.h"
#include "coordinator/shell/records/journalcode.h"
#include "storage/store.h"
#include "tests/integration/plain.h"
#include "worker/data/stream.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* A task is no multiple of the batch, nor its steps of the interval: batches
 * of one row and short intervals are in it. */
enum {
    INPUTS = 784,
    HIDDEN1 = 40,
    HIDDEN2 = 32,
    CLASSES = 10,
    SEED = 20241127,
    TASKS = 16,
    TASK_EXAMPLES = 5001,
    BATCH = 4,
    INTERVAL = 100, /* steps */
    MATURITY = 150, /* steps */
#if defined(__SANITIZE_ADDRESS__)
    STEPS = 4000, /* ten times slower there, and about memory only */
#else
    STEPS = 20000,
#endif
    RENEWALS_MAX = 4096,
    PARAMETERS = HIDDEN1 * (INPUTS + 1) + HIDDEN2 * (HIDDEN1 + 1) +
                 CLASSES * (HIDDEN2 + 1),
    TEXT_MAX = 256
};

static const struct plain_rules RULES = {.rate = 1e-3,
                                         .maturity = MATURITY,
                                         .decay = 0.99,
                                         .delay = 2,
                                         .corrects_age = true,
                                         .transfers_bias = true,
                                         .carries_credit = true};

struct renewal {
    uint64_t step; /* before which it happens */
    uint32_t layer;
    uint64_t gone; /* births */
    uint64_t come;
};

struct renewals {
    uint32_t count;
    struct renewal list[RENEWALS_MAX];
};

static char directory[] = "/tmp/cajal-oracle-XXXXXX";
static struct renewals real; /* what the system did, in order */

static const char *path(const char *name, char out[TEXT_MAX])
{
    (void)snprintf(out, TEXT_MAX, "%s/%s", directory, name);
    return out;
}

/* --- The real side --- */

static void write_job_file(void)
{
    char name[TEXT_MAX];
    FILE *file = fopen(path("oracle.yaml", name), "w");

    assert_non_null(file);
    (void)fprintf(file,
                  "version: 1\n"
                  "name: oracle\n"
                  "seed: %d\n"
                  "data:\n"
                  "  format: idx\n"
                  "  dir: /usr/share/datasets/fashion-mnist\n"
                  "  tasks: {kind: permute-pixels, count: %d, examples: %d}\n"
                  "model: {kind: mlp, hidden: [%d, %d], shards: 1}\n"
                  "train: {optimizer: sgd, lr: 0.01, batch: %d}\n"
                  "report: {every: %d steps}\n"
                  "plasticity:\n"
                  "  renew: {policy: continual-backprop, rate: 1e-3,"
                  " maturity: %d steps}\n"
                  "stop: {any: [{steps: %d}]}\n"
                  "run: {workers: 2}\n",
                  SEED, TASKS, TASK_EXAMPLES, HIDDEN1, HIDDEN2, BATCH, INTERVAL,
                  MATURITY, STEPS);
    assert_int_equal(fclose(file), 0);
}

static void print_file(const char *name)
{
    char line[TEXT_MAX];
    FILE *file = fopen(name, "r");

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        print_error("%s", line);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

/* Runs a program, with what it says in the file `log`; it must end well. */
static void run(const char *program, const char *const *arguments)
{
    char log[TEXT_MAX];
    int status = 0;
    pid_t child = 0;

    (void)path("log", log);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);

        (void)dup2(fd, STDOUT_FILENO);
        (void)dup2(fd, STDERR_FILENO);
        (void)execvp(program, (char *const *)arguments);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        print_error("%s %s: status %d\n", program, arguments[1], status);
        print_file(log);
        fail();
    }
}

static void run_cajal(const char *verb, const char *what, const char *more)
{
    const char *bin = getenv("CAJAL_BIN");
    char program[TEXT_MAX];
    char store[TEXT_MAX];
    const char *arguments[] = {program, verb, what, "--store",
                               store,   more, NULL};

    (void)path("store", store);
    (void)snprintf(program, sizeof(program), "%s/cajal",
                   bin != NULL ? bin : "build/bin");
    run(program, arguments);
}

static bool take_record(void *owner, uint64_t key, const void *bytes, size_t n)
{
    static struct journal_record record;
    struct renewals *out = owner;

    (void)key;
    assert_int_equal(journalcode_decode(bytes, n, &record), STATUS_OK);
    for (uint32_t e = 0; record.has_grant && e < record.edits_count; e++) {
        const struct edit *edit = &record.edits[e];

        assert_int_equal(edit->kind, EDIT_RENEW);
        for (uint32_t u = 0; u < edit->units_count; u++) {
            const struct edit_unit *unit = &record.units[edit->units_first + u];

            assert_true(out->count < RENEWALS_MAX);
            out->list[out->count++] =
                (struct renewal){record.first_step, edit->layer, unit->id.birth,
                                 unit->renewed.birth};
        }
    }
    return true;
}

static void read_journal(void)
{
    struct store *store = NULL;
    char why[TEXT_MAX] = "";
    char name[TEXT_MAX];

    if (store_open(path("store", name), why, sizeof(why), &store) !=
        STATUS_OK) {
        print_error("%s\n", why);
        fail();
    }
    assert_int_equal(
        store_scan_log(store, LOG_JOURNAL, 1, 1, take_record, &real),
        STATUS_OK);
    store_close(store);
}

/* A file of safetensors ends with the tensors themselves, in the order of the
 * layers, weight before bias. */
static void read_weights(float out[PARAMETERS])
{
    char name[TEXT_MAX];
    FILE *file = NULL;

    run_cajal("export", "@", path("net.safetensors", name));
    file = fopen(name, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, -(long)(PARAMETERS * sizeof(float)), SEEK_END),
                     0);
    assert_int_equal(fread(out, sizeof(float), PARAMETERS, file), PARAMETERS);
    assert_int_equal(fclose(file), 0);
}

/* --- The plain side --- */

struct place {
    uint32_t task;
    uint64_t position; /* examples of the task that are used */
};

static struct stream *open_stream(void)
{
    struct data_spec data = {
        .format = DATA_IDX,
        .dir = "/usr/share/datasets/fashion-mnist",
        .shuffle = true,
        .task_specs_count = 1,
        .task_specs = {{TASK_PERMUTE_PIXELS, TASKS, TASK_EXAMPLES, 1}}};
    struct stream *stream = NULL;
    char why[TEXT_MAX] = "";

    if (stream_open(&(struct stream_options){.data = &data, .seed = SEED}, why,
                    sizeof(why), &stream) != STATUS_OK) {
        print_error("%s\n", why);
        fail();
    }
    return stream;
}

/* Trains one interval from step on; returns its examples. */
static uint64_t train_interval(struct plain *plain,
                               struct stream *stream,
                               struct place *at,
                               uint64_t step,
                               uint64_t *out_steps)
{
    uint64_t examples = 0;
    uint64_t steps = 0;

    while (steps < INTERVAL && step + steps < STEPS &&
           at->position < TASK_EXAMPLES) {
        float x[BATCH * INPUTS];
        uint32_t labels[BATCH];
        uint64_t left = TASK_EXAMPLES - at->position;
        uint32_t rows = left < BATCH ? (uint32_t)left : BATCH;

        stream_train(stream, at->task, at->position, rows, x, labels);
        plain_step(plain, x, labels, rows);
        at->position += rows;
        examples += rows;
        steps++;
    }
    if (at->position == TASK_EXAMPLES) { /* an interval ends with its task */
        at->task++;
        at->position = 0;
    }
    *out_steps = steps;
    return examples;
}

static void print_renewal(const char *who, const struct renewal *r)
{
    print_error("%s: step %llu, layer %u, unit %llu, new unit %llu\n", who,
                (unsigned long long)r->step, (unsigned)r->layer,
                (unsigned long long)r->gone, (unsigned long long)r->come);
}

static void print_difference(uint32_t at, const struct renewal *mine)
{
    print_error("renewal %u of %u differs\n", (unsigned)at,
                (unsigned)real.count);
    print_renewal("plain", mine);
    if (at < real.count) {
        print_renewal("real", &real.list[at]);
    }
}

static bool same(const struct renewal *a, const struct renewal *b)
{
    return a->step == b->step && a->layer == b->layer && a->gone == b->gone &&
           a->come == b->come;
}

/* Does what is due at the beginning of an interval and holds each renewal
 * against the real one at *count. False: they differ. */
static bool begin_interval(struct plain *plain,
                           uint64_t interval,
                           uint64_t step,
                           bool tell,
                           uint32_t *count)
{
    struct renewal mine = {.step = step};
    struct plain_named named;

    while (plain_renew_next(plain, interval, &named, &mine.gone)) {
        mine.layer = named.layer;
        mine.come = named.birth;
        if (*count < real.count && same(&mine, &real.list[*count])) {
            (*count)++;
            continue;
        }
        if (tell) {
            print_difference(*count, &mine);
        }
        return false;
    }
    return true;
}

/* Runs the plain code up to the first renewal that is not the real one; says
 * which where `tell`. True: there is none. */
static bool agrees(struct plain *plain, struct stream *stream, bool tell)
{
    struct place at = {0, 0};
    uint32_t count = 0;
    uint64_t step = 0;

    for (uint64_t interval = 0; step < STEPS; interval++) {
        uint64_t steps = 0;
        uint64_t examples = 0;

        if (!begin_interval(plain, interval, step, tell, &count)) {
            return false;
        }
        examples = train_interval(plain, stream, &at, step, &steps);
        plain_end_interval(plain, interval, steps, examples);
        step += steps;
    }
    if (count != real.count && tell) {
        print_error("%u renewals in plain code, %u real ones\n",
                    (unsigned)count, (unsigned)real.count);
    }
    return count == real.count;
}

static struct plain *open_plain(const struct plain_rules *rules)
{
    static const uint32_t sizes[] = {INPUTS, HIDDEN1, HIDDEN2, CLASSES};
    struct plain *plain = mem_new(sizeof(*plain));

    assert_non_null(plain);
    blas_init();
    blas_enter();
    plain->rules = *rules;
    plain->seed = SEED;
    plain->step_size = 0.01f;
    plain_begin(plain, sizes);
    return plain;
}

/* --- The tests --- */

static void test_oracle__renews_the_same_units_at_the_same_steps(void **state)
{
    struct stream *stream = open_stream();
    struct plain *plain = open_plain(&RULES);
    float *weights = mem_new(PARAMETERS * sizeof(float));
    const float *w = weights;
    bool agreed = agrees(plain, stream, true);

    (void)state;
    assert_non_null(weights);
    assert_true(real.count > STEPS / 100);
    assert_true(agreed);

    /* So the weights have seen the same: every bit of them. */
    read_weights(weights);
    for (uint32_t l = 0; l < PLAIN_LAYERS; l++) {
        const struct plain_layer *layer = &plain->layer[l];
        size_t n = (size_t)layer->units * layer->inputs;

        assert_memory_equal(w, layer->w, n * sizeof(float));
        assert_memory_equal(w + n, layer->bias, layer->units * sizeof(float));
        w += n + layer->units;
    }
    mem_free(weights);
    mem_free(plain);
    stream_close(stream);
}

static void test_oracle__notices_what_is_left_out(void **state)
{
    struct plain_rules wrong[] = {RULES, RULES, RULES, RULES,
                                  RULES, RULES, RULES};
    struct stream *stream = open_stream();

    (void)state;
    wrong[0].rate *= 0.1;
    wrong[1].maturity += 1;
    wrong[2].decay = 0.999;
    wrong[3].delay = 1;
    wrong[4].corrects_age = false;
    wrong[5].transfers_bias = false;
    wrong[6].carries_credit = false;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct plain *plain = open_plain(&wrong[i]);

        if (agrees(plain, stream, false)) {
            print_error("nothing shows the wrong rule %zu\n", i);
            fail();
        }
        mem_free(plain);
    }
    stream_close(stream);
}

static uint64_t interval_steps(uint64_t step)
{
    const uint64_t task_steps = (TASK_EXAMPLES + BATCH - 1) / BATCH;
    uint64_t left = task_steps - step % task_steps;
    uint64_t steps = left < INTERVAL ? left : INTERVAL;

    return steps < STEPS - step ? steps : STEPS - step;
}

/* The units of one layer as the list alone tells of them, in any order. */
struct census {
    uint32_t layer;
    uint32_t units;
    uint64_t births[HIDDEN1];
    uint64_t born[HIDDEN1]; /* step */
    uint32_t renewed;
};

/* Only a mature unit may go, and only one that is there. */
static void count_renewal(struct census *census, const struct renewal *r)
{
    uint32_t u = 0;

    if (r->layer != census->layer) {
        return;
    }
    while (census->births[u] != r->gone) {
        assert_true(++u < census->units);
    }
    assert_true(r->step - census->born[u] > MATURITY);
    census->births[u] = r->come;
    census->born[u] = r->step;
    census->renewed++;
}

static uint32_t count_mature(const struct census *census, uint64_t step)
{
    uint32_t mature = 0;

    for (uint32_t u = 0; u < census->units; u++) {
        mature += step - census->born[u] > MATURITY;
    }
    return mature;
}

/* rate x mature units x steps, up to the last report that led to a renewal:
 * what the two intervals at the end have earned is still in flight. */
static double count_layer(struct census *census)
{
    double earned = 0;
    double in_flight[2] = {0};
    uint64_t step = 0;
    uint32_t at = 0;

    while (step < STEPS) {
        uint64_t steps = interval_steps(step);

        for (; at < real.count && real.list[at].step == step; at++) {
            count_renewal(census, &real.list[at]);
        }
        step += steps;
        earned += in_flight[0];
        in_flight[0] = in_flight[1];
        in_flight[1] = RULES.rate * count_mature(census, step) * (double)steps;
    }
    assert_int_equal(at, real.count); /* all at the beginning of an interval */
    return earned;
}

static void test_oracle__keeps_the_rate(void **state)
{
    struct census layers[] = {{.layer = 0, .units = HIDDEN1},
                              {.layer = 1, .units = HIDDEN2}};
    uint64_t birth = INPUTS; /* the inputs' are the first ones */

    (void)state;
    for (size_t l = 0; l < PLAIN_HIDDEN; l++) {
        for (uint32_t u = 0; u < layers[l].units; u++) {
            layers[l].births[u] = birth++;
        }
    }
    for (size_t l = 0; l < PLAIN_HIDDEN; l++) {
        double earned = count_layer(&layers[l]);

        assert_true(fabs(layers[l].renewed - earned) <= 1.0);
    }
}

/* The real job, once for all tests. */
static int setup(void **state)
{
    char name[TEXT_MAX];

    (void)state;
    if (mkdtemp(directory) == NULL) {
        return -1;
    }
    write_job_file();
    run_cajal("run", path("oracle.yaml", name), NULL);
    read_journal();
    return 0;
}

static int teardown(void **state)
{
    const char *arguments[] = {"rm", "-rf", directory, NULL};

    (void)state;
    run("rm", arguments);
    return 0;
}

/* OpenBLAS chooses its kernels before main; the workers' are these. */
static void pin_kernels(char **argv)
{
    const char *kernels = getenv("OPENBLAS_CORETYPE");

    if (kernels == NULL || strcmp(kernels, "Haswell") != 0) {
        (void)setenv("OPENBLAS_CORETYPE", "Haswell", 1);
        (void)execv("/proc/self/exe", argv);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_oracle__renews_the_same_units_at_the_same_steps),
        cmocka_unit_test(test_oracle__notices_what_is_left_out),
        cmocka_unit_test(test_oracle__keeps_the_rate),
    };

    (void)argc;
    pin_kernels(argv);
    return cmocka_run_group_tests(tests, setup, teardown);
}
