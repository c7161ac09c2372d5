#define _XOPEN_SOURCE 700 /* mkdtemp, nftw */

#include "tests/unit/coordinator/shell/fixture.h"

#include "base/mem.h"
#include "coordinator/shell/manifest.h"
#include "coordinator/shell/recordcode.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void fixture_make_dir(char dir[64])
{
    (void)snprintf(dir, 64, "/tmp/cajal-shell-XXXXXX");
    assert_non_null(mkdtemp(dir));
}

static int
remove_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info;
    (void)type;
    (void)at;
    return remove(path);
}

void fixture_remove_dir(const char *dir)
{
    assert_int_equal(nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char why[512] = "";

    assert_non_null(f);
    f->live = mem_live();
    fixture_make_dir(f->dir);
    assert_int_equal(store_open(f->dir, why, sizeof(why), &f->store),
                     STATUS_OK);
    *state = f;
    return 0;
}

int fixture_teardown(void **state)
{
    struct fixture *f = *state;

    store_close(f->store);
    fixture_remove_dir(f->dir);
    assert_int_equal(mem_live(), f->live);
    free(f);
    return 0;
}

static void set_text(char *to, const char *from)
{
    memcpy(to, from, strlen(from) + 1);
}

void fixture_record(struct job_record *record, uint64_t job)
{
    memset(record, 0, sizeof(*record));
    record->job = job;
    record->state = JOB_RUNNING;
    set_text(record->reason, "needs 2 idle workers");
    sample_spec(&record->spec);
    record->shape_known = true;
    sample_shape(&record->shape);
    record->workers_wanted = 2;
    record->created_ms = 1000;
    record->ended_ms = 2000;
    record->head = 3;
    record->last_version = 4;
    record->line = 1;
    record->lines_count = 2;
    record->lines[1] = (struct line_start){0, 9};
    record->interval = 12;
    record->step = 120;
    record->total_steps = 400;
    record->task = 1;
    record->examples = 5000;
    record->run_ms = 250;
    record->replayed_steps = 10;
    record->loss = 0.5;
    record->accuracy = 0.75;
    record->grows = 1;
    record->renews = 2;
    record->prunes = 3;
    record->decisions = 6;
    set_text(record->last_decision, "utility at most 0.1");
    record->parameters = 62;
    record->layers_count = 2;
    record->widths[0] = 5;
    record->widths[1] = 2;
    record->shares_count = 1;
    record->shares[0] = (struct worker_share){1, 4, 480, 1234};
}

void fixture_event(struct event_record *event)
{
    struct job_record record;

    fixture_record(&record, 1);
    memset(event, 0, sizeof(*event));
    eventcode_fill(&record, event);
    event->wall_ms = 1234;
    set_text(event->kind, "grow");
    set_text(event->text, "hidden1 +16");
    event->version = 3;
}

void fixture_put_job(struct fixture *f, const struct job_record *record)
{
    unsigned char *bytes = mem_new(RECORD_BYTES_MAX);
    struct batch *batch = NULL;
    size_t size = recordcode_encode(record, bytes);

    assert_int_equal(batch_open(&batch), STATUS_OK);
    assert_int_equal(batch_put_job(batch, record->job, bytes, size),
                     STATUS_OK);
    assert_int_equal(store_apply(f->store, batch), STATUS_OK);
    batch_close(batch);
    mem_free(bytes);
}

void fixture_put_version(struct fixture *f,
                         struct sample *sample,
                         uint64_t job,
                         uint64_t number,
                         const char *actor)
{
    struct manifest manifest = {.bytes = NULL};
    struct batch *batch = NULL;

    sample->version.job = job;
    sample->version.number = number;
    assert_int_equal(manifest_encode(&sample->version, &manifest), STATUS_OK);
    assert_int_equal(batch_open(&batch), STATUS_OK);
    assert_int_equal(batch_put_version(batch, job, number, manifest.bytes,
                                       manifest.size, manifest.summary,
                                       manifest.summary_size, manifest.chunks,
                                       manifest.chunks_count),
                     STATUS_OK);
    assert_int_equal(batch_set_ref(batch, job, "head", number, 1000 + number,
                                   actor),
                     STATUS_OK);
    assert_int_equal(store_apply(f->store, batch), STATUS_OK);
    batch_close(batch);
    manifest_fini(&manifest);
}

void fixture_torture(const void *bytes, size_t size, fixture_decode_fn *decode)
{
    unsigned char *copy = NULL;

    assert_true(decode(bytes, size));
    for (size_t cut = 0; cut < size; cut++) {
        copy = malloc(cut + 1); /* its own block, so that ASan sees overreads */
        assert_non_null(copy);
        memcpy(copy, bytes, cut);
        assert_false(decode(copy, cut));
        free(copy);
    }
    copy = malloc(size + 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    copy[size] = 0;
    assert_false(decode(copy, size + 1));
    for (size_t at = 0; at < size; at++) {
        for (int bit = 0; bit < 8; bit++) {
            copy[at] ^= (unsigned char)(1 << bit);
            (void)decode(copy, size);
            copy[at] ^= (unsigned char)(1 << bit);
        }
    }
    free(copy);
}
