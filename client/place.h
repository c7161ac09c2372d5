/* place.h - where things are: the store, its sockets, its logs, our programs.
 *
 * The store is --store, else CAJAL_STORE, else $XDG_DATA_HOME/cajal/store,
 * else ~/.local/share/cajal/store. The sockets lie in a directory of this user
 * alone, keyed by the store's real path, so that every command that means the
 * same store finds the same coordinator, whatever path it was given:
 *
 *     $XDG_RUNTIME_DIR/cajal/KEY   or   /tmp/cajal-UID/KEY
 *     KEY = first 12 hexadecimal digits of BLAKE2b-256 of the real path
 *
 * A socket's address holds 107 bytes, so a longer $XDG_RUNTIME_DIR is passed
 * over. Directories of somebody else, or open to others, are refused. */
#ifndef CLIENT_PLACE_H
#define CLIENT_PLACE_H

#include "base/limits.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* sun_path has 108; gRPC and 0MQ add nothing, but a margin is cheap. */
    SOCKET_PATH_BYTES_MAX = 100,
    PLACE_KEY_BYTES = 6
};

struct place {
    char store[PATH_BYTES_MAX];   /* real path */
    char runtime[PATH_BYTES_MAX]; /* exists, 0700, ours */
};

/* What the rules above read, so that they can be tested; NULL: not set. */
struct place_inputs {
    const char *store_flag;
    const char *cajal_store;
    const char *xdg_data_home;
    const char *home;
    const char *xdg_runtime_dir;
    uint32_t user;
};

/* The rules alone. INVALID: no rule gives a place, or it is too long. */
enum status place_choose_store(const struct place_inputs *inputs,
                               char *out,
                               size_t size) MUST_CHECK;
/* choice 0, 1, ...: the first is preferred. NOT_FOUND: no further choice. */
enum status place_choose_runtime(const struct place_inputs *inputs,
                                 const char *real_store,
                                 unsigned choice,
                                 char *out,
                                 size_t size) MUST_CHECK;

/* Finds the place of --store (NULL: not given), and makes the runtime
 * directory; create: the store's directory too. A runtime directory where a
 * coordinator answers is taken before others. NOT_FOUND: there is no such
 * store; INVALID, IO. why: sentences for people. */
enum status place_find(const char *store,
                       bool create,
                       struct place *out,
                       char *why,
                       size_t why_size) MUST_CHECK;

/* "unix:RUNTIME/control.sock", for gRPC. INVALID: too long. */
enum status place_target(const struct place *place,
                         char *out,
                         size_t size) MUST_CHECK;

/* RUNTIME/NAME; STORE/logs/NAME, whose directory is made. */
enum status place_in_runtime(const struct place *place,
                             const char *name,
                             char *out,
                             size_t size) MUST_CHECK;
enum status place_log(const struct place *place,
                      const char *name,
                      char *out,
                      size_t size) MUST_CHECK;

/* Does a coordinator listen there? A connection is made and dropped; gRPC is
 * not involved. */
bool place_answers(const struct place *place);

/* The absolute path of a program that was installed beside this one. */
enum status place_program(const char *name, char *out, size_t size) MUST_CHECK;

/* A gRPC target that cannot leave this machine. */
bool place_is_local(const char *address);

/* Removes a directory of ours with all that is in it, two levels deep (what a
 * store is); other files stay and so does the directory. */
void place_remove_store(const char *path);

#endif /* CLIENT_PLACE_H */
