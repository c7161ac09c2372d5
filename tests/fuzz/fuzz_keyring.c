/* fuzz_keyring.c - files of CURVE keys from anyone. */
#include "base/check.h"
#include "base/keyring.h"
#include "base/mem.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct curvekey key;
    struct curvekey again;
    char text[CURVEKEY_TEXT + 1];

    if (keyring_parse((const char *)data, size, &key) == STATUS_OK) {
        CHECK(curvekey_given(&key));
        curvekey_text(&key, text);
        CHECK(memcmp(text, data, CURVEKEY_TEXT) == 0);
        CHECK(size <= CURVEKEY_TEXT + 2);
        CHECK(curvekey_parse(text, CURVEKEY_TEXT, &again) == STATUS_OK);
        CHECK(curvekey_equal(&key, &again));
    }
    if (size >= CURVEKEY_BYTES) {
        memcpy(key.b, data, CURVEKEY_BYTES);
        curvekey_text(&key, text);
        CHECK(curvekey_parse(text, CURVEKEY_TEXT, &again) ==
              (curvekey_given(&key) ? STATUS_OK : STATUS_INVALID));
        CHECK(!curvekey_given(&key) || curvekey_equal(&key, &again));
    }
    CHECK(mem_live() == 0);
    return 0;
}
