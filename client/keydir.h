/* keydir.h - the directory of keys: made, added to, revoked, rotated.
 *
 *     DIR/                      default $XDG_CONFIG_HOME/cajal/keys
 *       ca.crt ca.key           the authority; its key may be kept elsewhere
 *       coordinator/            tls.crt tls.key curve.pub curve.key
 *       workers/NAME.pub        CURVE keys of the workers that are let in
 *       worker-NAME/            curve.pub curve.key coordinator.pub: to carry
 *       clients/NAME/           tls.crt tls.key ca.crt token: to carry
 *       roles tokens            who may what (base/access.h)
 *       crl/HASH.rN             revoked certificates, for TLS
 *       revoked/                what was revoked, the date in its name;
 *                               certificates: the list for the coordinator
 *
 * Secrets have mode 600, every file is written whole under another name and
 * then put in its place, and nothing is overwritten unless that was asked for.
 * One process at a time changes a directory. Needs no coordinator: a running
 * one sees the change within a second. */
#ifndef CLIENT_KEYDIR_H
#define CLIENT_KEYDIR_H

#include "base/access.h"
#include "base/limits.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KEYDIR_CA_DAYS = 3650,
    KEYDIR_DAYS = 825,
    /* `rotate` without a name renews what ends within this. */
    KEYDIR_SOON_DAYS = 30,
    KEYDIR_HOSTS_MAX = 16
};

struct keydir {
    char path[PATH_BYTES_MAX];
    int lock; /* a descriptor; -1: not locked */
    bool force;
    int64_t now_s;             /* wall clock; tests set it */
    char why[ERROR_BYTES_MAX]; /* the last failure, as a sentence */
    char made[PATH_BYTES_MAX]; /* what the last change wrote, to be carried */
};

/* --keys, else CAJAL_KEYS, else the default (base/keyfile.h). NOT_FOUND. */
enum status keydir_choose(const char *flag,
                          char out[PATH_BYTES_MAX]) MUST_CHECK;

/* create: makes the directory, and nothing in it. NOT_FOUND; CONFLICT: another
 * process changes it; IO. why in out. */
enum status keydir_open(const char *path,
                        bool create,
                        struct keydir *out) MUST_CHECK;
void keydir_close(struct keydir *dir);

/* The authority, the coordinator's keys, and a client "admin". CONFLICT: they
 * are there and force is not set. */
enum status keydir_init(struct keydir *dir,
                        const char *const *hosts,
                        unsigned hosts_count) MUST_CHECK;

/* CONFLICT: the name is taken, as worker or client. INVALID: a bad name. */
enum status keydir_add_worker(struct keydir *dir, const char *name) MUST_CHECK;

struct keydir_client {
    const char *name;
    enum access_role role;
    bool token; /* instead of a certificate */
    int64_t from_s;
    int64_t until_s; /* 0: KEYDIR_DAYS from now */
};
enum status keydir_add_client(struct keydir *dir,
                              const struct keydir_client *client) MUST_CHECK;

/* NOT_FOUND: neither a worker nor a client has that name. */
enum status keydir_revoke(struct keydir *dir, const char *name) MUST_CHECK;

/* New keys under the same name; the old ones are revoked. "coordinator": its
 * certificate; "coordinator-curve": its CURVE pair. */
enum status keydir_rotate(struct keydir *dir, const char *name) MUST_CHECK;

enum keydir_kind {
    KEYDIR_CA = 1,
    KEYDIR_COORDINATOR,
    KEYDIR_WORKER,
    KEYDIR_CLIENT,
    KEYDIR_TOKEN /* a client that has only a token */
};

struct keydir_entry {
    enum keydir_kind kind;
    char name[NAME_BYTES_MAX];
    enum access_role role;      /* ACCESS_NONE: none, or no client */
    int64_t until_s;            /* of its certificate; 0: it has none */
    char hosts[PATH_BYTES_MAX]; /* of the coordinator, parted by spaces */
};

/* Calls fn for each, in the order of the kinds, then by name. */
typedef void keydir_fn(void *owner, const struct keydir_entry *entry);
enum status keydir_each(struct keydir *dir,
                        keydir_fn *fn,
                        void *owner) MUST_CHECK;

#endif /* CLIENT_KEYDIR_H */
