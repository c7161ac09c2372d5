#include "coordinator/shell/shell.h"

#include "base/address.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "coordinator/shell/inside.h"
#include "coordinator/shell/persistence/mirroring.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- Ending by itself --- */

enum {
    IDLE_POLL_MS = 100,
    IDLE_AFTER_CALL_MS = 500,
    IDLE_WITHOUT_CALL_MS = 10000
};

static bool is_unwanted(const struct shell *shell, uint64_t now_ms)
{
    if (service_calls(shell->service) > 0) {
        return false;
    }
    if (service_calls_total(shell->service) == 0) {
        return now_ms >= shell->started_ms + IDLE_WITHOUT_CALL_MS;
    }
    return now_ms >= service_active_ms(shell->service) + IDLE_AFTER_CALL_MS;
}

static void on_idle_timer(void *owner)
{
    struct shell *shell = owner;
    uint64_t now_ms = clock_now_ms();

    if (!shell->quitting && is_unwanted(shell, now_ms)) {
        shell_shut_down(shell);
        return;
    }
    loop_set_timer(shell->loop, shell->idle_timer, now_ms + IDLE_POLL_MS);
}

void shell_shut_down(struct shell *shell)
{
    if (shell->quitting) {
        loop_stop(shell->loop);
        return;
    }
    shell->quitting = true;
    requests_shutdown(shell);
}

/* --- Opening --- */

static void on_request(void *owner,
                       struct call *call,
                       enum rpc_method method,
                       const ProtobufCMessage *request)
{
    requests_take(owner, call, method, request);
}

enum {
    /* Chunks and the keeper have one job each at a time. */
    WRITER_QUEUE_MAX = 8,
    /* One may verify the store while the other serves. */
    READERS_COUNT = 2,
    READER_QUEUE_MAX = 2 * QUERIES_MAX,
    STOP_GRACE_MS = 300
};

static enum status check_endpoint(const char *endpoint,
                                  char *why,
                                  size_t why_size)
{
    if (!address_is_answered(endpoint)) {
        return STATUS_OK;
    }
    (void)snprintf(why, why_size,
                   "%s is in use: another coordinator listens there.",
                   endpoint);
    return STATUS_CONFLICT;
}

/* All addresses before any is taken: 0MQ takes a file from whoever has it. */
static enum status check_addresses(struct shell *shell,
                                   const struct service_options *service,
                                   char *why,
                                   size_t why_size)
{
    enum status status = service_check(service, why, why_size);

    if (status == STATUS_OK) {
        status = check_endpoint(shell->options.workers, why, why_size);
    }
    if (status == STATUS_OK) {
        status = check_endpoint(shell->options.chunks, why, why_size);
    }
    return status == STATUS_CONFLICT ? STATUS_UNAVAILABLE : status;
}

/* Over ipc alone there is nobody to ask for a key: then none is looked for. */
static enum status open_guard(struct shell *shell, char *why, size_t why_size)
{
    const struct shell_options *options = &shell->options;
    bool tcp = address_path(options->workers) == NULL ||
               address_path(options->chunks) == NULL;
    enum status status =
        trust_open(shell->loop, shell->context, tcp ? options->keys : "", why,
                   why_size, &shell->trust);

    return status == STATUS_OK || status == STATUS_NO_MEMORY ? status
                                                             : STATUS_INVALID;
}

static enum status open_links(struct shell *shell, char *why, size_t why_size)
{
    const struct shell_options *options = &shell->options;
    /* 0MQ gives a silent connection up after three heartbeats. */
    int heartbeat_ms = (int)(options->timeout_ms / 3);
    const struct workers_options workers = {.loop = shell->loop,
                                            .context = shell->context,
                                            .endpoint = options->workers,
                                            .heartbeat_ms = heartbeat_ms,
                                            .trust = shell->trust,
                                            .insecure = options->insecure,
                                            .on_message = shell_on_message,
                                            .on_lost = shell_on_lost,
                                            .owner = shell};
    const struct chunks_options chunks = {.loop = shell->loop,
                                          .context = shell->context,
                                          .store = shell->store,
                                          .writer = shell->writer,
                                          .reader = shell->reader,
                                          .endpoint = options->chunks,
                                          .heartbeat_ms = heartbeat_ms,
                                          .trust = shell->trust};
    const char *endpoint = options->workers;
    enum status status = workers_open(&workers, &shell->workers);

    if (status == STATUS_OK) {
        endpoint = options->chunks;
        status = chunks_open(&chunks, &shell->chunks);
    }
    if (status != STATUS_OK) {
        (void)snprintf(why, why_size,
                       "cannot listen at %s: %s. Is the address in use, or "
                       "not of this machine?",
                       endpoint, status_text(status));
        return status == STATUS_IO ? STATUS_UNAVAILABLE : status;
    }
    shell->workers_opened = true;
    return STATUS_OK;
}

static enum status open_core(struct shell *shell)
{
    shell->core = mem_new(sizeof(*shell->core));
    shell->actions = mem_new(sizeof(*shell->actions));
    if (shell->core == NULL || shell->actions == NULL) {
        return STATUS_NO_MEMORY;
    }
    coord_init(shell->core);
    return shell_open_collector(shell);
}

static enum status open_parts(struct shell *shell)
{
    const struct keeper_events events = {.on_stored = shell_on_stored,
                                         .on_unjournaled = shell_on_unjournaled,
                                         .on_event = shell_on_event,
                                         .on_version = shell_on_version,
                                         .on_idle = shell_on_idle,
                                         .owner = shell};
    enum status status = jobs_open(shell->loop, shell->context, 1,
                                   WRITER_QUEUE_MAX, &shell->writer);

    if (status == STATUS_OK) {
        status = jobs_open(shell->loop, shell->context, READERS_COUNT,
                           READER_QUEUE_MAX, &shell->reader);
    }
    if (status == STATUS_OK) {
        status =
            keeper_open(shell->store, shell->writer, &events, &shell->keeper);
    }
    if (status == STATUS_OK) {
        status = cuts_open(&shell->cuts);
    }
    if (status == STATUS_OK) {
        status = queries_open(shell->store, shell->reader, &shell->queries);
    }
    if (status == STATUS_OK) {
        status = watch_open(shell->store, &shell->watch);
    }
    return status == STATUS_OK ? open_core(shell) : status;
}

static enum status open_timers(struct shell *shell)
{
    uint64_t idle_ms = shell->options.transient
                           ? shell->started_ms + IDLE_POLL_MS
                           : UINT64_MAX;
    enum status status =
        loop_add_timer(shell->loop, UINT64_MAX, shell_on_step_timer, shell,
                       &shell->step_timer);

    if (status != STATUS_OK) {
        return status;
    }
    status = loop_add_timer(shell->loop, idle_ms, on_idle_timer, shell,
                            &shell->idle_timer);
    if (status != STATUS_OK) {
        loop_remove_timer(shell->loop, shell->step_timer);
        return status;
    }
    shell->has_timers = true;
    return STATUS_OK;
}

static enum status start_core(struct shell *shell)
{
    struct coord_event event = {.type = COORD_START};
    enum status status = store_next_life(shell->store, &shell->life);

    if (status == STATUS_OK) {
        status = store_last_job(shell->store, &event.start.last_job);
    }
    if (status != STATUS_OK) {
        return status;
    }
    event.start.life = shell->life;
    event.start.wall_ms = clock_wall_ms();
    event.start.heartbeat_ms = shell->options.heartbeat_ms;
    event.start.points_off = shell->options.points_off;
    event.start.timeout_ms = shell->options.timeout_ms;
    (void)snprintf(event.start.chunk_endpoint,
                   sizeof(event.start.chunk_endpoint), "%s",
                   chunks_endpoint(shell->chunks));
    shell_deliver(shell, &event);
    return STATUS_OK;
}

/* Before the mirrors are written to again. */
static enum status rebuild(struct shell *shell, char *why, size_t why_size)
{
    const struct rebuilding_order order = {.store = shell->store,
                                           .dir = shell->options.store,
                                           .path = shell->options.rebuild,
                                           .why = why,
                                           .why_size = why_size};
    enum status status = STATUS_OK;

    if (shell->options.rebuild[0] != '\0') {
        status = rebuilding_run(&order, &shell->rebuilding);
        shell->started_ms = clock_now_ms(); /* nobody could call before */
    }
    return status;
}

static enum status open_all(struct shell *shell, char *why, size_t why_size)
{
    struct service_options service = {.loop = shell->loop,
                                      .address = shell->options.listen,
                                      .keys = shell->options.keys,
                                      .insecure = shell->options.insecure,
                                      .on_request = on_request,
                                      .owner = shell};
    enum status status =
        store_open(shell->options.store, why, why_size, &shell->store);

    if (status != STATUS_OK) {
        return status;
    }
    status = check_addresses(shell, &service, why, why_size);
    if (status == STATUS_OK) {
        status = rebuild(shell, why, why_size);
    }
    if (status != STATUS_OK) {
        return status;
    }
    store_mirror_by(shell->store, mirroring_place, NULL);
    (void)snprintf(why, why_size, "the coordinator could not be started.");
    status = link_context_open(&shell->context);
    if (status == STATUS_OK) {
        status = open_parts(shell);
    }
    if (status == STATUS_OK) {
        status = open_timers(shell);
    }
    if (status == STATUS_OK) {
        status = open_guard(shell, why, why_size);
    }
    if (status == STATUS_OK) {
        status = open_links(shell, why, why_size);
    }
    if (status == STATUS_OK) {
        status = start_core(shell);
    }
    if (status == STATUS_OK && shell->options.resume) {
        status = shell_resume(shell);
    }
    if (status != STATUS_OK) {
        return status;
    }
    /* Last: whoever finds the socket finds a coordinator behind it. */
    service.context = shell->context;
    status = service_open(&service, why, why_size, &shell->service);
    shell->service_opened = status == STATUS_OK;
    return status == STATUS_CONFLICT ? STATUS_UNAVAILABLE : status;
}

enum status shell_open(struct loop *loop,
                       const struct shell_options *options,
                       char *why,
                       size_t why_size,
                       struct shell **out)
{
    struct shell *shell = mem_new(sizeof(*shell));
    enum status status;

    if (shell == NULL) {
        (void)snprintf(why, why_size, "out of memory.");
        return STATUS_NO_MEMORY;
    }
    shell->options = *options;
    shell->loop = loop;
    shell->started_ms = clock_now_ms();
    status = open_all(shell, why, why_size);
    if (status != STATUS_OK) {
        shell_close(shell);
        return status;
    }
    log_line(LOG_INFO, "shell", "started",
             "life=%" PRIu64 " store=\"%s\" listen=\"%s\" workers=\"%s\"",
             shell->life, shell->options.store, shell->options.listen,
             workers_endpoint(shell->workers));
    *out = shell;
    return STATUS_OK;
}

/* --- Closing --- */

/* Everything that waits gets onto the disk. */
static void flush(struct shell *shell)
{
    while (shell->keeper != NULL && keeper_backlog(shell->keeper) > 0) {
        enum status status = loop_turn(shell->loop, 100);

        CHECK(status == STATUS_OK);
    }
}

static void close_pool(struct jobs *jobs)
{
    if (jobs != NULL) {
        jobs_stop(jobs);
        jobs_join(jobs);
    }
}

static void close_core(struct shell *shell)
{
    for (uint32_t s = 0; s < JOBS_MAX; s++) {
        shell_free_held(&shell->slots[s]);
    }
    for (uint32_t w = 0; w < REQUESTS_MAX; w++) {
        requests_forget(&shell->waiting[w]);
    }
    mem_free(shell->actions);
    mem_free(shell->core);
}

static void unlink_socket(const char *address)
{
    if (address_path(address) != NULL) {
        (void)unlink(address_path(address));
    }
}

/* The sockets go before the store's lock does: after that, files of the same
 * names may be the next coordinator's. */
static void remove_sockets(struct shell *shell)
{
    if (shell->service_opened) {
        unlink_socket(shell->options.listen);
    }
    if (shell->workers_opened) {
        unlink_socket(shell->options.workers);
        unlink_socket(shell->options.chunks);
    }
}

void shell_close(struct shell *shell)
{
    if (shell == NULL) {
        return;
    }
    shell->closing = true;
    if (shell->collector != NULL) {
        collector_stop(shell->collector);
    }
    if (shell->chunks != NULL) {
        chunks_stop(shell->chunks);
    }
    if (shell->service != NULL) {
        service_stop(shell->service, STOP_GRACE_MS);
    }
    flush(shell);
    close_pool(shell->reader); /* what it still tells may have to be kept */
    flush(shell);
    close_pool(shell->writer);
    service_close(shell->service);
    chunks_close(shell->chunks);
    workers_close(shell->workers);
    trust_close(shell->trust);
    queries_close(shell->queries);
    watch_close(shell->watch);
    collector_close(shell->collector);
    keeper_close(shell->keeper);
    jobs_close(shell->reader);
    jobs_close(shell->writer);
    if (shell->has_timers) {
        loop_remove_timer(shell->loop, shell->step_timer);
        loop_remove_timer(shell->loop, shell->idle_timer);
    }
    cuts_close(shell->cuts);
    close_core(shell);
    link_context_close(shell->context);
    remove_sockets(shell);
    store_close(shell->store);
    rebuilding_fini(&shell->rebuilding);
    mem_free(shell);
}
