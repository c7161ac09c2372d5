/* access.h - who may do what: the text files of a directory of keys.
 *
 *     roles                  NAME ROLE             of a certificate's name
 *     tokens                 NAME ROLE HASH        of a bearer token's hash
 *     revoked/certificates   HASH NAME             of a certificate's key: see
 *                                                  certkey.h
 *
 * One entry a line, words parted by spaces or tabs, `#` begins a comment. HASH
 * is BLAKE2b-256 in 64 hexadecimal digits. A file with one bad line is bad as a
 * whole: a list that is half understood lets the wrong ones in.
 *
 * Pure: nothing here reads a file. One owner, one thread. */
#ifndef BASE_ACCESS_H
#define BASE_ACCESS_H

#include "base/hash.h"
#include "base/limits.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* People and programs of one coordinator; and revoked certificates. */
    ACCESS_MAX = 1024,
    ACCESS_HEX_BYTES = 2 * HASH_BYTES,
    /* A token is this many hexadecimal digits: 256 random bits. */
    ACCESS_TOKEN_BYTES = 64
};

/* Each may do what those before it may. */
enum access_role {
    ACCESS_NONE = 0,
    ACCESS_VIEWER,   /* looks */
    ACCESS_OPERATOR, /* starts, changes and stops jobs */
    ACCESS_ADMIN     /* ends the coordinator, hands out and takes */
};

const char *access_role_name(
    enum access_role role); /* "none" for ACCESS_NONE */
/* ACCESS_NONE: no such word. */
enum access_role access_role_find(const char *word, size_t size);

/* Names of identities: 1 to 63 of A-Z a-z 0-9 . _ - with a letter or digit
 * first, since they are file names and stand in logs. */
bool access_is_name(const char *name, size_t size);

struct access_entry {
    char name[NAME_BYTES_MAX];
    enum access_role role; /* ACCESS_NONE in a list of revoked certificates */
    struct hash hash;      /* zero in a list of roles */
};

struct access_list {
    uint32_t count;
    struct access_entry entries[ACCESS_MAX];
};

enum access_kind { ACCESS_ROLES = 1, ACCESS_TOKENS, ACCESS_REVOKED };

/* INVALID: *out_line is the number of the bad line (from 1), and out is empty.
 * A name stands once in roles, a hash once in tokens. */
enum status access_parse(enum access_kind kind,
                         const char *text,
                         size_t size,
                         struct access_list *out,
                         uint32_t *out_line) MUST_CHECK;

/* NULL: not in the list. */
const struct access_entry *access_by_name(const struct access_list *list,
                                          const char *name);
/* Compares with every entry in a time that depends on their count alone, so
 * that an answer's delay tells nothing about the hashes. */
const struct access_entry *access_by_hash(const struct access_list *list,
                                          const struct hash *hash);

#endif /* BASE_ACCESS_H */
