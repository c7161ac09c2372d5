#include "storage/keys.h"

#include "base/check.h"

#include <string.h>

static void add_number(struct key *key, uint64_t number)
{
    CHECK(key->size + KEY_NUMBER_BYTES <= KEY_BYTES_MAX);
    for (size_t i = 0; i < KEY_NUMBER_BYTES; i++) {
        key->b[key->size + i] = (unsigned char)(number >> (56 - 8 * i));
    }
    key->size += KEY_NUMBER_BYTES;
}

static void add_bytes(struct key *key, const void *bytes, size_t count)
{
    CHECK(key->size + count <= KEY_BYTES_MAX);
    memcpy(key->b + key->size, bytes, count);
    key->size += count;
}

struct key key_of_job(uint64_t job)
{
    struct key key = {.size = 0};

    add_number(&key, job);
    return key;
}

struct key key_of_pair(uint64_t job, uint64_t number)
{
    struct key key = {.size = 0};

    add_number(&key, job);
    add_number(&key, number);
    return key;
}

struct key key_of_ref(uint64_t job, const char *name)
{
    struct key key = {.size = 0};

    CHECK(name[0] != '\0');
    add_number(&key, job);
    add_bytes(&key, name, strlen(name));
    return key;
}

struct key key_of_name(const char *name)
{
    struct key key = {.size = 0};

    CHECK(name[0] != '\0');
    add_bytes(&key, name, strlen(name));
    return key;
}

struct key key_of_hash(const struct hash *hash)
{
    struct key key = {.size = 0};

    add_bytes(&key, hash->b, HASH_BYTES);
    return key;
}

uint64_t key_number(const struct key *key, size_t at)
{
    uint64_t number = 0;

    if (at + KEY_NUMBER_BYTES > key->size) {
        return 0;
    }
    for (size_t i = 0; i < KEY_NUMBER_BYTES; i++) {
        number = number << 8 | key->b[at + i];
    }
    return number;
}
