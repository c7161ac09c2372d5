/* datafile.h - DIR/data.mdb as a file: what LMDB leaves to its user.
 *
 * All calls come before or during kv_open, while nobody else has the file. */
#ifndef STORAGE_DATAFILE_H
#define STORAGE_DATAFILE_H

#include <stdbool.h>
#include <stdint.h>

/* 0: empty or not there. */
uint64_t datafile_bytes(const char *dir);

/* Empties a file that is the start of LMDB's header and no more: its disk was
 * full when it was made, so it never held anything, but LMDB would call it
 * damaged for ever. Any other file is left alone. Returns 0 or an errno. */
int datafile_drop_half_made(const char *dir);

/* Lengthens the file to bytes, with zeros. One that was cut short (a copy that
 * broke off) would end the process with SIGBUS at the first touch of a missing
 * page; zeros are a page of no kind, which LMDB refuses as damaged. LMDB may
 * also leave a last page that it has freed unwritten: no damage, and the same
 * cure. Returns 0 or an errno. */
int datafile_pad(int fd, uint64_t bytes);

/* Would the system map so many bytes of it now? */
bool datafile_can_map(int fd, uint64_t bytes);

#endif /* STORAGE_DATAFILE_H */
