/* service_admit.c - who may come in: limits, identity, rights.
 *
 * All of it before a request is unpacked, so that a stranger's bytes are not
 * even looked at. */
#include "coordinator/shell/service/service_inside.h"

#include "base/address.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "coordinator/shell/service/service_tls.h"

#include <grpc/support/alloc.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { REVIEW_MS = 1000 };

static void find_peer(struct call *call)
{
    char *peer = grpc_call_get_peer(call->grpc);

    address_without_port(peer, call->peer);
    gpr_free(peer);
}

static unsigned calls_of_peer(const struct service *service, const char *peer)
{
    unsigned count = 0;

    for (const struct call *c = service->live; c != NULL; c = c->next) {
        count += strcmp(c->peer, peer) == 0;
    }
    return count;
}

static void identify(struct call *call)
{
    const struct service *service = call->service;

    if (service->local) {
        call->identity = (struct identity){.kind = IDENTITY_LOCAL};
    } else if (service->rights == NULL) {
        call->identity = (struct identity){.kind = IDENTITY_ANYONE};
    } else {
        tls_identify(call->grpc, &call->metadata, &call->identity);
    }
}

static void note_refusal(struct call *call, const char *why)
{
    struct service *service = call->service;
    uint64_t cause = ration_cause(0, call->peer, strlen(call->peer));
    uint64_t times = 0;
    size_t count = 0;

    service->refused_total++;
    if (ration_take(&service->refusals, cause, clock_now_ms(), &times)) {
        log_line(LOG_WARN, "service", "call_refused",
                 "peer=\"%s\" identity=%s method=%s times=%" PRIu64
                 " why=\"%s\"",
                 call->peer, identity_label(&call->identity),
                 rpc_table(&count)[call->method].path, times, why);
    }
}

static grpc_status_code code_of(enum verdict verdict)
{
    return verdict == VERDICT_UNKNOWN ? GRPC_STATUS_UNAUTHENTICATED
                                      : GRPC_STATUS_PERMISSION_DENIED;
}

bool call_admit(struct call *call)
{
    struct service *service = call->service;
    enum verdict verdict = VERDICT_ALLOWED;
    char why[ERROR_BYTES_MAX] = "";

    find_peer(call);
    identify(call);
    if (service->calls_count > CALLS_MAX ||
        (!service->local &&
         calls_of_peer(service, call->peer) > CALLS_PER_PEER_MAX)) {
        call_finish(call, STATUS_BUSY,
                    "this coordinator has its most calls. Try again later");
        return false;
    }
    if (service->rights != NULL) {
        (void)rights_refresh(service->rights);
    }
    verdict = rights_judge(service->rights, &call->identity,
                           (enum rpc_method)call->method, why, sizeof(why));
    if (verdict == VERDICT_ALLOWED) {
        return true;
    }
    note_refusal(call, why);
    call_refuse(call, (int)code_of(verdict), why);
    return false;
}

/* --- Taking back --- */

static void judge_again(struct call *call)
{
    char why[ERROR_BYTES_MAX] = "";
    enum verdict verdict =
        rights_judge(call->service->rights, &call->identity,
                     (enum rpc_method)call->method, why, sizeof(why));

    if (verdict == VERDICT_ALLOWED) {
        return;
    }
    note_refusal(call, why);
    /* Its handler hears of it as of a client that has left. */
    (void)grpc_call_cancel_with_status(call->grpc, code_of(verdict), why, NULL);
}

/* A call that was let in may last for days: who loses the right to it, loses
 * the call. */
void service_review(void *owner)
{
    struct service *service = owner;

    CHECK(service->rights != NULL);
    if (rights_refresh(service->rights)) {
        for (struct call *c = service->live; c != NULL; c = c->next) {
            if (c->owed && c->method < RPC_METHODS_COUNT) {
                judge_again(c);
            }
        }
    }
    loop_set_timer(service->loop, service->review_timer,
                   clock_now_ms() + REVIEW_MS);
}
