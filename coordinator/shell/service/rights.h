/* rights.h - may this visitor make this call?
 *
 * The lists are DIR/roles, DIR/tokens and DIR/revoked/certificates of the
 * directory of keys. They are read again when one of them has changed, so that
 * what an admin writes holds without a restart. A list that cannot be
 * understood lets nobody in by it: rights close on doubt.
 *
 * Without a directory there is nobody to tell apart: whoever reaches the
 * address may do all, which is right for a socket that only its owner can
 * open. One owner, one thread. */
#ifndef COORDINATOR_SHELL_SERVICE_RIGHTS_H
#define COORDINATOR_SHELL_SERVICE_RIGHTS_H

#include "base/access.h"
#include "base/limits.h"
#include "proto/rpc.h"

struct rights;

/* What a connection proves of its other end, and how. */
enum identity_kind {
    IDENTITY_LOCAL = 1,   /* a socket of ours: the same user */
    IDENTITY_ANYONE,      /* plain text: nothing is known */
    IDENTITY_NONE,        /* encrypted, but neither certificate nor token */
    IDENTITY_CERTIFICATE, /* verified by TLS; name, key, and hash of its PEM */
    IDENTITY_TOKEN        /* hash of what was sent */
};

struct identity {
    enum identity_kind kind;
    char name[NAME_BYTES_MAX]; /* "" where there is none */
    struct hash hash;
    struct hash key; /* of a certificate: certkey_hash */
};

enum verdict {
    VERDICT_ALLOWED = 1,
    VERDICT_UNKNOWN,  /* UNAUTHENTICATED: who is that? */
    VERDICT_FORBIDDEN /* PERMISSION_DENIED: not with that role */
};

/* dir: borrowed until rights_close. NO_MEMORY. */
/* What a coordinator does not start with: a list that is damaged, or that of
 * revoked certificates missing, since then all would be taken for good.
 * INVALID, NOT_FOUND, REFUSED, IO; why gets a sentence. */
enum status rights_check(const char *dir,
                         char *why,
                         size_t why_size) MUST_CHECK;

enum status rights_open(const char *dir, struct rights **out) MUST_CHECK;
void rights_close(struct rights *rights); /* accepts NULL */

/* Reads the lists again if they have changed since. True: they had. */
bool rights_refresh(struct rights *rights);

/* rights may be NULL (no keys). A token's name is put into identity once it is
 * known. why gets a sentence unless the verdict is ALLOWED. */
enum verdict rights_judge(const struct rights *rights,
                          struct identity *identity,
                          enum rpc_method method,
                          char *why,
                          size_t why_size);

/* The least role that may make the call; ACCESS_NONE: forgotten in the table,
 * and then nobody but an admin may. */
enum access_role rights_needed(enum rpc_method method);

/* Who that is, for logs: "viewer1", "local", "unknown". */
const char *identity_label(const struct identity *identity);

#endif /* COORDINATOR_SHELL_SERVICE_RIGHTS_H */
