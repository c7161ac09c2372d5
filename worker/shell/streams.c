#include "worker/shell/streams.h"

#include "base/check.h"
#include "base/mem.h"
#include "worker/data/unpacked.h"

#include <stdio.h>
#include <string.h>

struct entry {
    struct streams *streams;
    bool used;    /* holds a stream, or one is being opened */
    bool opening; /* the background has it */
    uint32_t holders;
    uint64_t touched;
    struct data_spec data;
    uint64_t seed;
    uint32_t outputs;
    struct stream *stream;
    enum status status;
    char why[ERROR_BYTES_MAX];
};

/* Somebody waits for an entry. */
struct request {
    struct entry *entry; /* NULL: free */
    streams_done_fn *done;
    void *owner;
};

struct streams {
    struct loop *loop;
    struct jobs *background;
    const char *cache;
    uint64_t touches;
    bool posted;
    struct entry entries[STREAMS_MAX];
    struct request requests[STREAMS_MAX];
};

/* Answers */

static void answer(struct streams *streams, struct request *request)
{
    struct request done = *request;
    struct entry *entry = request->entry;

    (void)streams;
    request->entry = NULL;
    if (entry->status != STATUS_OK) {
        entry->holders--;
        done.done(done.owner, entry->status, NULL, entry->why);
        return;
    }
    done.done(done.owner, STATUS_OK, entry->stream, "");
}

static void answer_all(void *owner)
{
    struct streams *streams = owner;

    streams->posted = false;
    for (uint32_t i = 0; i < STREAMS_MAX; i++) {
        struct request *request = &streams->requests[i];

        if (request->entry != NULL && !request->entry->opening) {
            answer(streams, request);
        }
    }
    for (uint32_t i = 0; i < STREAMS_MAX; i++) {
        struct entry *entry = &streams->entries[i];

        if (entry->used && !entry->opening && entry->holders == 0 &&
            entry->status != STATUS_OK) {
            entry->used = false; /* the next request tries again */
        }
    }
}

/* Opening */

static void open_stream(void *owner)
{
    struct entry *entry = owner;
    const struct stream_options options = {.data = &entry->data,
                                           .seed = entry->seed,
                                           .outputs = entry->outputs,
                                           .cache = entry->streams->cache};

    entry->status =
        stream_open(&options, entry->why, sizeof(entry->why), &entry->stream);
}

static void on_opened(void *owner)
{
    struct entry *entry = owner;

    entry->opening = false;
    answer_all(entry->streams);
}

static void entry_close(struct entry *entry)
{
    CHECK(entry->holders == 0);
    stream_close(entry->stream);
    *entry = (struct entry){.used = false};
}

static bool is_for(const struct entry *entry, const struct job_spec *spec)
{
    return entry->used && entry->seed == spec->seed &&
           entry->outputs == spec->model.outputs &&
           memcmp(&entry->data, &spec->data, sizeof(spec->data)) == 0;
}

/* The entry of this data, a free one, or the one unused for longest; NULL:
 * all are in use. */
static struct entry *find_entry(struct streams *streams,
                                const struct job_spec *spec)
{
    struct entry *best = NULL;

    for (uint32_t i = 0; i < STREAMS_MAX; i++) {
        struct entry *entry = &streams->entries[i];

        if (is_for(entry, spec)) {
            return entry;
        }
        if (entry->holders == 0 && !entry->opening &&
            (best == NULL || entry->touched < best->touched)) {
            best = entry;
        }
    }
    return best;
}

static enum status begin(struct streams *streams,
                         struct entry *entry,
                         const struct job_spec *spec)
{
    enum status status = STATUS_OK;

    entry_close(entry);
    entry->streams = streams;
    entry->used = true;
    entry->opening = true;
    entry->data = spec->data;
    entry->seed = spec->seed;
    entry->outputs = spec->model.outputs;
    status = jobs_submit(streams->background, open_stream, on_opened, entry);
    if (status != STATUS_OK) {
        *entry = (struct entry){.used = false};
    }
    return status;
}

enum status streams_get(struct streams *streams,
                        const struct job_spec *spec,
                        streams_done_fn *done,
                        void *owner)
{
    struct entry *entry = find_entry(streams, spec);
    enum status status = STATUS_OK;
    uint32_t i = 0;

    while (i < STREAMS_MAX && streams->requests[i].entry != NULL) {
        i++;
    }
    if (entry == NULL || i == STREAMS_MAX) {
        return STATUS_BUSY;
    }
    if (!is_for(entry, spec)) {
        status = begin(streams, entry, spec);
    } else if (!entry->opening && !streams->posted) {
        status = loop_post(streams->loop, answer_all, streams);
        streams->posted = status == STATUS_OK;
    }
    if (status != STATUS_OK) {
        return status;
    }
    entry->holders++;
    entry->touched = ++streams->touches;
    streams->requests[i] =
        (struct request){.entry = entry, .done = done, .owner = owner};
    return STATUS_OK;
}

void streams_put(struct streams *streams, struct stream *stream)
{
    for (uint32_t i = 0; stream != NULL && i < STREAMS_MAX; i++) {
        struct entry *entry = &streams->entries[i];

        if (entry->used && entry->stream == stream) {
            CHECK(entry->holders > 0);
            entry->holders--;
            return;
        }
    }
    CHECK(stream == NULL);
}

enum status streams_open(struct loop *loop,
                         struct jobs *background,
                         const char *cache,
                         struct streams **out)
{
    struct streams *streams = mem_new(sizeof(*streams));

    if (streams == NULL) {
        return STATUS_NO_MEMORY;
    }
    streams->loop = loop;
    streams->background = background;
    streams->cache = cache[0] != '\0' ? cache : NULL;
    *out = streams;
    return STATUS_OK;
}

void streams_close(struct streams *streams)
{
    if (streams == NULL) {
        return;
    }
    for (uint32_t i = 0; i < STREAMS_MAX; i++) {
        CHECK(!streams->entries[i].opening);
        stream_close(streams->entries[i].stream);
    }
    unpacked_clear(streams->cache);
    mem_free(streams);
}
