#include "worker/shell/probes.h"

#include "worker/shell/tell.h"

void probes_init(struct probes *probes,
                 struct control *control,
                 struct streams *streams)
{
    *probes = (struct probes){.control = control, .streams = streams};
    for (uint32_t i = 0; i < PROBES_MAX; i++) {
        probes->items[i].probes = probes;
    }
}

static void on_probed(void *owner,
                      enum status status,
                      struct stream *stream,
                      const char *why)
{
    struct probe *probe = owner;

    probe->used = false;
    tell_opened(probe->probes->control, probe->job, status,
                stream != NULL ? stream_shape(stream) : NULL, why);
    streams_put(probe->probes->streams, stream);
}

void probes_begin(struct probes *probes, const struct wire_open *open)
{
    enum status status = STATUS_BUSY;
    uint32_t i = 0;

    while (i < PROBES_MAX && probes->items[i].used) {
        i++;
    }
    if (i < PROBES_MAX) {
        probes->items[i].job = open->job;
        status = streams_get(probes->streams, open->spec, on_probed,
                             &probes->items[i]);
        probes->items[i].used = status == STATUS_OK;
    }
    if (status != STATUS_OK) {
        tell_opened(probes->control, open->job, status, NULL,
                    "too many data sets are open on this worker");
    }
}
