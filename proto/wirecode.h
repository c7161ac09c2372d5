/* wirecode.h - control messages: plain structs <-> protobuf, kind by kind.
 *
 * For wire.c alone. get and put as in modelcode.h. */
#ifndef PROTO_WIRECODE_H
#define PROTO_WIRECODE_H

#include "proto/codec.h"
#include "proto/wire.h"

struct Cajal__V1__DataShape;
struct Cajal__V1__Envelope;
struct Cajal__V1__Report;

/* Whole messages. A get does not call wirecheck_message; a put does not
 * either and sets *to, which the caller has initialised. INVALID, NO_MEMORY. */
enum status wirecode_get(const struct Cajal__V1__Envelope *from,
                         struct arena *arena,
                         struct wire *out) MUST_CHECK;
enum status wirecode_put(const struct wire *from,
                         struct region *region,
                         struct Cajal__V1__Envelope *to) MUST_CHECK;

/* The figures that workers send: wirecode_figures.c. */
enum status wirecode_get_shape(const struct Cajal__V1__DataShape *from,
                               struct arena *arena,
                               struct data_shape **out) MUST_CHECK;
struct Cajal__V1__DataShape *wirecode_put_shape(const struct data_shape *from,
                                                struct region *region);
enum status wirecode_get_report(const struct Cajal__V1__Report *from,
                                struct arena *arena,
                                struct report **out) MUST_CHECK;
struct Cajal__V1__Report *wirecode_put_report(const struct report *from,
                                              struct region *region);

#endif /* PROTO_WIRECODE_H */
