/* address.h - where a process listens: may it, and does somebody already.
 *
 * "unix:PATH", "HOST:PORT", "ipv4:HOST:PORT" are gRPC's; "ipc://PATH" and
 * "tcp://HOST:PORT" are 0MQ's. */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include "base/limits.h"
#include <stdbool.h>

/* The file of "unix:PATH" or "ipc://PATH"; NULL: another kind of address. */
const char *address_path(const char *address);

/* Cannot be reached from another machine. */
bool address_is_local(const char *address);

/* A process listens at the socket that the address names. Both gRPC and 0MQ
 * would take the file from it without a word. False for other addresses. */
bool address_is_answered(const char *address);

/* A peer, whatever port it comes from: gRPC's "ipv4:10.0.0.2:4242" becomes
 * "ipv4:10.0.0.2". Cut where it is too long. */
void address_without_port(const char *address, char out[NAME_BYTES_MAX]);

#endif /* BASE_ADDRESS_H */
