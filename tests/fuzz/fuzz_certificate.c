/* fuzz_certificate.c - a file that says it is a certificate.
 *
 * The first byte chooses: the rest as it stands, or as the DER inside of a
 * certificate's PEM, so that the parts behind the armour are reached too. What
 * is read must be readable again from the text that gRPC shows of it. */
#include "base/check.h"
#include "client/x509.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum { DER_BYTES_MAX = 6000, TEXT_BYTES_MAX = 16 << 10 };

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void try_text(const char *text)
{
    static struct x509_facts facts;
    static struct x509_facts again;
    char hash[X509_HASH_BYTES] = "";

    if (x509_read(text, &facts) != STATUS_OK) {
        return;
    }
    CHECK(facts.hosts_count <= X509_HOSTS_MAX);
    CHECK(memchr(facts.name, '\0', sizeof(facts.name)) != NULL);
    CHECK(x509_read(facts.pem, &again) == STATUS_OK);
    CHECK(strcmp(facts.pem, again.pem) == 0);
    CHECK(strcmp(facts.name, again.name) == 0);
    if (x509_subject_hash(text, hash) == STATUS_OK) {
        CHECK(strlen(hash) == X509_HASH_BYTES - 1);
    }
}

/* As files are read: up to the first NUL. */
static void try_plain(const unsigned char *data, size_t size)
{
    static char text[TEXT_BYTES_MAX + 1];

    size = size < TEXT_BYTES_MAX ? size : TEXT_BYTES_MAX;
    memcpy(text, data, size);
    text[size] = '\0';
    try_text(text);
}

static void try_der(const unsigned char *data, size_t size)
{
    static char text[TEXT_BYTES_MAX];
    static unsigned char coded[TEXT_BYTES_MAX];

    size = size < DER_BYTES_MAX ? size : DER_BYTES_MAX;
    CHECK(EVP_EncodeBlock(coded, data, (int)size) < TEXT_BYTES_MAX);
    (void)snprintf(text, sizeof(text),
                   "-----BEGIN CERTIFICATE-----\n%s\n"
                   "-----END CERTIFICATE-----\n",
                   (const char *)coded);
    try_text(text);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    if (data[0] % 2 == 0) {
        try_plain(data + 1, size - 1);
    } else {
        try_der(data + 1, size - 1);
    }
    return 0;
}
