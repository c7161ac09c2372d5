#include "worker/shell/vaultlink.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* As other links: what the coordinator tells of a peer does not make a worker
 * send weights in the open, or under no key of its own. */
static void test_vaultlink__speaks_plainly_within_this_machine_alone(
    void **state)
{
    struct link_context *context = NULL;
    struct wire_peer peer = {.worker = 1};
    struct link *link = NULL;

    (void)state;
    assert_int_equal(link_context_open(&context), STATUS_OK);
    (void)snprintf(peer.vault_endpoint, sizeof(peer.vault_endpoint),
                   "tcp://192.0.2.1:7");
    assert_int_equal(vaultlink_connect(context, NULL, &peer, &link),
                     STATUS_REFUSED);
    peer.curve = true; /* and there are no keys here */
    assert_int_equal(vaultlink_connect(context, NULL, &peer, &link),
                     STATUS_REFUSED);
    (void)snprintf(peer.vault_endpoint, sizeof(peer.vault_endpoint),
                   "tcp://127.0.0.1:7");
    assert_int_equal(vaultlink_connect(context, NULL, &peer, &link),
                     STATUS_REFUSED);
    assert_null(link);

    peer.curve = false;
    assert_int_equal(vaultlink_connect(context, NULL, &peer, &link), STATUS_OK);
    link_close(link);
    link_context_close(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_vaultlink__speaks_plainly_within_this_machine_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
