/* channel_words.h - what gRPC says of a failed call, in words for people.
 *
 * Pure, so that all the ways in which a connection fails can be gone through.
 */
#ifndef CLIENT_CHANNEL_WORDS_H
#define CLIENT_CHANNEL_WORDS_H

#include "client/cajal.h"

struct channel_words {
    const char *target;
    const char *details; /* gRPC's own text */
    int code;            /* grpc_status_code */
    bool marked;         /* a coordinator has answered (RPC_MARK_KEY) */
    bool proved;         /* it has answered an earlier call */
    bool encrypted;
    bool certified; /* with a certificate of our own */
};

/* Fills error; returns its status, which is not OK. */
enum status channel_words(const struct channel_words *words,
                          struct cajal_error *error);

/* Likewise of an answer that is none of a coordinator's. */
enum status channel_words_foreign(const char *target,
                                  struct cajal_error *error);

#endif /* CLIENT_CHANNEL_WORDS_H */
