/* service_tls.h - keys on the control service: TLS, and who is at its end.
 *
 * Certificates are watched and read again when they change, so that a rotated
 * one is served within seconds. A client's certificate is asked for and, if it
 * comes, must be of our CA, valid today and not in the CRL; a client without
 * one needs a token. Shared by service.c and service_call.c alone. */
#ifndef COORDINATOR_SHELL_SERVICE_SERVICE_TLS_H
#define COORDINATOR_SHELL_SERVICE_SERVICE_TLS_H

#include "coordinator/shell/service/rights.h"
#include "coordinator/shell/service/service.h"

#include <grpc/grpc_security.h>

enum {
    /* How soon a rotated certificate is served. */
    TLS_REFRESH_S = 1
};

/* Are the files of the directory of keys there, and are they as secret as they
 * must be? NOT_FOUND, REFUSED, INVALID, IO; why gets a sentence. */
enum status tls_check(const char *keys, char *why, size_t why_size) MUST_CHECK;

/* After tls_check. NULL: refused by gRPC, whose log says why. */
grpc_server_credentials *tls_credentials(const char *keys);

/* Who makes an encrypted call: a token where one was sent, else the verified
 * certificate, else nobody. */
void tls_identify(grpc_call *call,
                  const grpc_metadata_array *metadata,
                  struct identity *out);

#endif /* COORDINATOR_SHELL_SERVICE_SERVICE_TLS_H */
