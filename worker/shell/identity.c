#include "worker/shell/identity.h"

#include "base/text.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static enum status draw(uint64_t *out)
{
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, out, sizeof(*out));

    if (fd >= 0) {
        (void)close(fd);
    }
    return size == (ssize_t)sizeof(*out) ? STATUS_OK : STATUS_IO;
}

static void add_unique(struct text *text, const char *name, uint64_t number)
{
    char hex[20];

    (void)snprintf(hex, sizeof(hex), "-%016" PRIx64, number);
    text_add(text, name);
    text_add(text, hex);
}

enum status identity_draw(const struct settings *settings, struct identity *out)
{
    enum status status = draw(&out->incarnation);
    struct text id;
    struct text endpoint;

    text_init(&id, out->routing_id, sizeof(out->routing_id));
    text_init(&endpoint, out->endpoint, sizeof(out->endpoint));
    add_unique(&id, settings->name, out->incarnation);
    text_add(&endpoint, settings->data);
    if (settings->data[0] == '\0') {
        text_add(&endpoint, "ipc://");
        text_add(&endpoint, settings->runtime);
        text_add(&endpoint, "/");
        add_unique(&endpoint, settings->name, out->incarnation);
    }
    if (status == STATUS_OK && (id.cut || endpoint.cut)) {
        status = STATUS_INVALID;
    }
    return status;
}
