#include "base/certkey.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    DER_BYTES_MAX = CERTKEY_PEM_BYTES_MAX / 4 * 3,
    TAG_SEQUENCE = 0x30,
    TAG_INTEGER = 0x02,
    TAG_VERSION = 0xa0, /* [0], which is left out in version 1 */
    LENGTH_BYTES_MAX = 3
};

/* --- PEM --- */

static const char *find(const char *text, size_t size, const char *word)
{
    size_t length = strlen(word);

    for (size_t at = 0; at + length <= size; at++) {
        if (memcmp(text + at, word, length) == 0) {
            return text + at;
        }
    }
    return NULL;
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    if (c == '+') {
        return 62;
    }
    return c == '/' ? 63 : -1;
}

/* Base 64 (RFC 4648); blanks and what fills up at the end are left out. False:
 * another character. */
static bool decode(const char *text,
                   size_t size,
                   unsigned char *out,
                   size_t *out_size)
{
    uint32_t bits = 0;
    unsigned count = 0;

    *out_size = 0;
    for (size_t i = 0; i < size; i++) {
        int value = value_of(text[i]);

        if (text[i] == '\n' || text[i] == '\r' || text[i] == ' ' ||
            text[i] == '\t' || text[i] == '=') {
            continue;
        }
        if (value < 0) {
            return false;
        }
        bits = bits << 6 | (uint32_t)value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            out[(*out_size)++] = (unsigned char)(bits >> count);
        }
    }
    return true;
}

/* --- DER --- */

struct der {
    const unsigned char *at;
    size_t left;
};

/* One element; *out is what is in it, *out_whole (or NULL) with its head. */
static bool take(struct der *from,
                 unsigned char *out_tag,
                 struct der *out,
                 struct der *out_whole)
{
    const unsigned char *begin = from->at;
    size_t head = 2;
    size_t length = 0;

    if (from->left < head) {
        return false;
    }
    *out_tag = begin[0];
    length = begin[1];
    if (length >= 0x80) {
        size_t count = length - 0x80;

        head += count;
        if (count == 0 || count > LENGTH_BYTES_MAX || from->left < head) {
            return false;
        }
        length = 0;
        for (size_t i = 0; i < count; i++) {
            length = length << 8 | begin[2 + i];
        }
    }
    if (from->left - head < length) {
        return false;
    }
    *out = (struct der){begin + head, length};
    if (out_whole != NULL) {
        *out_whole = (struct der){begin, head + length};
    }
    from->at += head + length;
    from->left -= head + length;
    return true;
}

static bool enter(struct der *from, struct der *out)
{
    unsigned char tag = 0;

    return take(from, &tag, out, NULL) && tag == TAG_SEQUENCE;
}

/* Certificate -> tbsCertificate -> version?, serialNumber, signature, issuer,
 * validity, subject, subjectPublicKeyInfo. */
static bool find_key(struct der certificate, struct der *out)
{
    enum { SEQUENCES = 4 /* from signature to subject */ };
    struct der outer;
    struct der body;
    struct der inside;
    unsigned char tag = 0;

    if (!enter(&certificate, &outer) || !enter(&outer, &body) ||
        !take(&body, &tag, &inside, NULL)) {
        return false;
    }
    if (tag == TAG_VERSION && !take(&body, &tag, &inside, NULL)) {
        return false;
    }
    if (tag != TAG_INTEGER) {
        return false;
    }
    for (int i = 0; i < SEQUENCES; i++) {
        if (!enter(&body, &inside)) {
            return false;
        }
    }
    return take(&body, &tag, &inside, out) && tag == TAG_SEQUENCE;
}

enum status certkey_hash(const char *pem, size_t size, struct hash *out)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----";
    static const char end[] = "-----END CERTIFICATE-----";
    unsigned char bytes[DER_BYTES_MAX];
    struct der certificate = {.at = bytes};
    struct der key;
    const char *first = NULL;
    const char *last = NULL;

    if (size > CERTKEY_PEM_BYTES_MAX) {
        return STATUS_INVALID;
    }
    first = find(pem, size, begin);
    if (first == NULL) {
        return STATUS_INVALID;
    }
    first += strlen(begin);
    last = find(first, size - (size_t)(first - pem), end);
    if (last == NULL ||
        !decode(first, (size_t)(last - first), bytes, &certificate.left) ||
        !find_key(certificate, &key)) {
        return STATUS_INVALID;
    }
    hash_bytes(key.at, key.left, out);
    return STATUS_OK;
}
