#include "worker/shell/tell.h"

#include "base/log.h"
#include "base/text.h"

#include <unistd.h>

static void copy(char *out, size_t size, const char *from)
{
    struct text text;

    text_init(&text, out, size);
    text_add(&text, from);
}

static void tell_now(struct control *control, const struct wire *message)
{
    if (control_send_now(control, message) != STATUS_OK) {
        log_line(LOG_DEBUG, "tell", "not_sent", "kind=%s",
                 wire_kind_name(message->kind));
    }
}

void tell(struct control *control, const struct wire *message)
{
    (void)!control_send(control, message);
}

void tell_hello(struct control *control,
                const struct settings *settings,
                const struct fingerprint *fingerprint,
                uint64_t incarnation,
                const char *endpoint,
                const char *vault_endpoint,
                const struct trust *trust)
{
    struct wire message = {.kind = WIRE_HELLO};
    struct wire_hello *hello = &message.hello;

    copy(hello->name, sizeof(hello->name), settings->name);
    hello->incarnation = incarnation;
    hello->protocol = WIRE_PROTOCOL;
    copy(hello->build, sizeof(hello->build), CAJAL_VERSION);
    hello->fingerprint = fingerprint->hash;
    copy(hello->kernels, sizeof(hello->kernels), fingerprint->kernels);
    hello->threads = (uint32_t)settings->threads;
    hello->pid = (uint32_t)getpid();
    if (gethostname(hello->host, sizeof(hello->host) - 1) != 0) {
        copy(hello->host, sizeof(hello->host), "?");
    }
    copy(hello->endpoint, sizeof(hello->endpoint), endpoint);
    hello->key = *trust_shown(trust);
    hello->curve = trust_curve(trust);
    copy(hello->vault_endpoint, sizeof(hello->vault_endpoint), vault_endpoint);
    tell_now(control, &message);
}

void tell_heartbeat(struct control *control,
                    const struct wire_heartbeat *heartbeat)
{
    struct wire message = {.kind = WIRE_HEARTBEAT, .heartbeat = *heartbeat};

    tell_now(control, &message);
}

void tell_goodbye(struct control *control)
{
    struct wire message = {.kind = WIRE_GOODBYE};

    tell_now(control, &message);
}

void tell_leave(struct control *control)
{
    struct wire message = {.kind = WIRE_LEAVE};

    tell_now(control, &message);
}

void tell_opened(struct control *control,
                 uint64_t job,
                 enum status status,
                 const struct data_shape *shape,
                 const char *why)
{
    struct wire message = {.kind = WIRE_OPENED,
                           .opened = {.job = job, .status = status}};

    copy(message.opened.error, sizeof(message.opened.error), why);
    if (status == STATUS_OK) {
        /* The wire's struct is also what is decoded into, so not const. */
        message.opened.shape = (struct data_shape *)(uintptr_t)shape;
    }
    tell(control, &message);
}

void tell_ready(struct control *control,
                uint64_t job,
                uint64_t term,
                enum status status,
                const char *why)
{
    struct wire message = {
        .kind = WIRE_READY,
        .ready = {.job = job, .term = term, .status = status}};

    copy(message.ready.error, sizeof(message.ready.error), why);
    tell(control, &message);
}

void tell_fault(struct control *control,
                uint64_t job,
                uint64_t term,
                enum fault_kind kind,
                const char *why)
{
    struct wire message = {.kind = WIRE_FAULT,
                           .fault = {.job = job, .term = term, .kind = kind}};

    copy(message.fault.text, sizeof(message.fault.text), why);
    tell(control, &message);
}
