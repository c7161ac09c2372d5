#include "base/certkey.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

/* Made by openssl req -x509; the hash by openssl pkey -pubin -outform DER and
 * Python's hashlib.blake2b: no code of ours. */
static const char certificate[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBcTCCARegAwIBAgIUawg2PZ1NPa4NJ6mnPbK8ezihlkwwCgYIKoZIzj0EAwIw\n"
    "DjEMMAoGA1UEAwwDYWRhMB4XDTI2MTEyNTA5MDQ0MFoXDTM2MTEyMjA5MDQ0MFow\n"
    "DjEMMAoGA1UEAwwDYWRhMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEfifszBEp\n"
    "62LajrLqzzyme3lG6pCmwZYjo8RyAcIdNEPKwVIfWMpPgyW8x5stVoGB6sT5wtm3\n"
    "wzloZ+P9H73C26NTMFEwHQYDVR0OBBYEFGkWaRwrVYOzUL05Iq48UCiLvffFMB8G\n"
    "A1UdIwQYMBaAFGkWaRwrVYOzUL05Iq48UCiLvffFMA8GA1UdEwEB/wQFMAMBAf8w\n"
    "CgYIKoZIzj0EAwIDSAAwRQIhAKMkQ1ikdHhLPG7ZAjq8jy7k1SD2TFDKwoR0DyCz\n"
    "sZLWAiAj9/HeL7aAlVFFdidBFhv3tW5Y7CHOGrj4H3d4aF4WPQ==\n"
    "-----END CERTIFICATE-----\n";
static const char expected[] =
    "cedcc6905e41eabc5f6e4f8c7826a1429a45d832618ba03e63211a01a508a455";

static void test_certkey__is_the_hash_of_the_public_key(void **state)
{
    struct hash hash;
    char hex[2 * HASH_BYTES + 1];

    (void)state;
    assert_int_equal(certkey_hash(certificate, strlen(certificate), &hash),
                     STATUS_OK);
    hash_hex(&hash, HASH_BYTES, hex);
    assert_string_equal(hex, expected);
}

/* Who writes a certificate otherwise does not get another hash. */
static void test_certkey__does_not_depend_on_the_text(void **state)
{
    char other[4096] = "a comment\n";
    size_t size = strlen(other);
    struct hash first;
    struct hash second;

    (void)state;
    for (const char *at = certificate; *at != '\0'; at++) {
        other[size++] = *at;
        if (*at == '\n') {
            other[size++] = '\r';
        }
    }
    assert_int_equal(certkey_hash(certificate, strlen(certificate), &first),
                     STATUS_OK);
    assert_int_equal(certkey_hash(other, size, &second), STATUS_OK);
    assert_true(hash_equal(&first, &second));
}

/* The signature is at the end, and no part of the key. */
static void test_certkey__does_not_depend_on_the_signature(void **state)
{
    char other[sizeof(certificate)];
    struct hash first;
    struct hash second;
    char *last = NULL;

    (void)state;
    memcpy(other, certificate, sizeof(certificate));
    last = strstr(other, "-----END") - 10;
    *last = *last == 'A' ? 'B' : 'A';
    assert_int_equal(certkey_hash(certificate, strlen(certificate), &first),
                     STATUS_OK);
    assert_int_equal(certkey_hash(other, strlen(other), &second), STATUS_OK);
    assert_true(hash_equal(&first, &second));
}

static void test_certkey__takes_any_bytes(void **state)
{
    char other[sizeof(certificate)];
    struct hash hash;

    (void)state;
    for (size_t size = 0; size < strlen(certificate) - 25; size++) {
        assert_int_equal(certkey_hash(certificate, size, &hash),
                         STATUS_INVALID);
    }
    for (size_t i = 0; i < strlen(certificate); i++) {
        memcpy(other, certificate, sizeof(certificate));
        other[i] = (char)(other[i] + 1);
        if (certkey_hash(other, strlen(other), &hash) != STATUS_OK) {
            continue; /* what matters is that it comes back */
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_certkey__is_the_hash_of_the_public_key),
        cmocka_unit_test(test_certkey__does_not_depend_on_the_text),
        cmocka_unit_test(test_certkey__does_not_depend_on_the_signature),
        cmocka_unit_test(test_certkey__takes_any_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
