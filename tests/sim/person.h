/* person.h - the one who uses the cluster: launches the jobs, asks for things
 * at odd moments, resumes what is paused, and sees that all ends. */
#ifndef TESTS_SIM_PERSON_H
#define TESTS_SIM_PERSON_H

#include "tests/sim/center.h"

enum { ASKED_MAX = 32 };

struct asked {
    bool open;
    uint32_t which; /* job; of a request about workers: of no matter */
    struct request request;
};

/* Nothing may be asked before. */
void person_open(struct world *w);
void person_close(struct world *w);

/* The coordinator has come up: what was asked of the one before is lost. */
void person_center_up(struct world *w);
void person_reply(struct world *w, const struct action *action);

/* The request of that number, while it is not answered; NULL. */
const struct asked *person_asked(const struct world *w, uint64_t id);

/* Has something been asked of the job that adds versions? */
bool person_has_stopped_it(const struct world *w, uint32_t which);
bool person_has_cancelled(const struct world *w, uint32_t which);
/* Has it been answered that the worker is cordoned, or drained, since the
 * coordinator came up, and nothing else since? */
bool person_has_cordoned(const struct world *w, uint32_t host);

#endif /* TESTS_SIM_PERSON_H */
