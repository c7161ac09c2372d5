/* fuzz_access.c - any bytes as a list of roles, tokens or revoked certificates.
 *
 * What is accepted holds only names and roles that there are, each once; what
 * is not leaves nothing behind and names its line. */
#include "base/access.h"
#include "base/check.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_entry(enum access_kind kind,
                        const struct access_list *list,
                        const struct access_entry *entry)
{
    CHECK(access_is_name(entry->name, strlen(entry->name)));
    CHECK((entry->role == ACCESS_NONE) == (kind == ACCESS_REVOKED));
    CHECK(entry->role <= ACCESS_ADMIN);
    if (kind == ACCESS_ROLES) {
        CHECK(access_by_name(list, entry->name) == entry);
    }
    if (kind == ACCESS_TOKENS) {
        CHECK(access_by_hash(list, &entry->hash) == entry);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct access_list list;

    for (int kind = ACCESS_ROLES; kind <= ACCESS_REVOKED; kind++) {
        uint32_t line = 0;
        enum status status = access_parse(
            (enum access_kind)kind, (const char *)data, size, &list, &line);

        if (status != STATUS_OK) {
            CHECK(status == STATUS_INVALID);
            CHECK(list.count == 0);
            CHECK(line >= 1);
            continue;
        }
        for (uint32_t i = 0; i < list.count; i++) {
            check_entry((enum access_kind)kind, &list, &list.entries[i]);
        }
    }
    return 0;
}
