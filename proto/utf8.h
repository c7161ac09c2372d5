/* utf8.h - which bytes are a character that may be shown.
 *
 * Texts of a job file go to terminals, JSON and protobuf strings, so they are
 * UTF-8 (RFC 3629) without control characters and without the marks that turn
 * the writing direction. Pure. */
#ifndef PROTO_UTF8_H
#define PROTO_UTF8_H

#include <stddef.h>

/* Bytes of the printable character at the start; 0: there is none. */
size_t utf8_size(const char *text, size_t size);

#endif /* PROTO_UTF8_H */
