/* wirecheck.h - what control messages may hold, in both directions.
 *
 * As modelcheck.h: one set of rules for what is sent and what is accepted.
 * Pure. Total over any contents; pointers must be good for their counts. */
#ifndef PROTO_WIRECHECK_H
#define PROTO_WIRECHECK_H

#include "proto/report.h"
#include "proto/wire.h"
#include <stdbool.h>

enum {
    /* Highest enum status. */
    WIRECHECK_STATUS_MAX = STATUS_REFUSED,
    /* A job's spec says at most as many; so this is for people to see. */
    WIRECHECK_THREADS_MAX = 4096
};

/* A kind of wire.h, and everything that this kind holds. */
bool wirecheck_message(const struct wire *message);

bool wirecheck_shape(const struct data_shape *shape);
bool wirecheck_report(const struct report *report);
/* Every figure but losses is finite. wire_encode sets not_finite in a report
 * where one is not, and wire_decode refuses one that does not say so: policies
 * need not look at each figure. */
bool wirecheck_report_finite(const struct report *report);

#endif /* PROTO_WIRECHECK_H */
