#include "worker/shell/identity.h"

#include "base/text.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
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

/* Beside the data link: on the same address where that is tcp, with a port of
 * its own. */
static void add_vault(struct text *text,
                      const struct settings *settings,
                      uint64_t incarnation)
{
    const char *port = strrchr(settings->data, ':');

    if (settings->vault[0] != '\0') {
        text_add(text, settings->vault);
    } else if (strncmp(settings->data, "tcp://", strlen("tcp://")) == 0) {
        text_add_bytes(text, settings->data, (size_t)(port - settings->data));
        text_add(text, ":*");
    } else if (settings->data[0] != '\0') {
        text_add(text, settings->data);
        text_add(text, ".vault");
    } else {
        text_add(text, "ipc://");
        text_add(text, settings->runtime);
        text_add(text, "/");
        add_unique(text, settings->name, incarnation);
        text_add(text, ".vault");
    }
}

enum status identity_draw(const struct settings *settings, struct identity *out)
{
    enum status status = draw(&out->incarnation);
    struct text id;
    struct text endpoint;
    struct text vault;

    text_init(&id, out->routing_id, sizeof(out->routing_id));
    text_init(&endpoint, out->endpoint, sizeof(out->endpoint));
    text_init(&vault, out->vault_endpoint, sizeof(out->vault_endpoint));
    add_unique(&id, settings->name, out->incarnation);
    add_vault(&vault, settings, out->incarnation);
    text_add(&endpoint, settings->data);
    if (settings->data[0] == '\0') {
        text_add(&endpoint, "ipc://");
        text_add(&endpoint, settings->runtime);
        text_add(&endpoint, "/");
        add_unique(&endpoint, settings->name, out->incarnation);
    }
    if (status == STATUS_OK && (id.cut || endpoint.cut || vault.cut)) {
        status = STATUS_INVALID;
    }
    return status;
}
