/* person.h - the one who uses the cluster: launches the job, asks for things at
 * odd moments, resumes what is paused, and sees that it ends. */
#ifndef TESTS_SIM_PERSON_H
#define TESTS_SIM_PERSON_H

#include "tests/sim/center.h"

enum { ASKED_MAX = 32 };

struct asked {
    bool open;
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

/* Has something been asked that adds versions? */
bool person_has_stopped_it(const struct world *w);

#endif /* TESTS_SIM_PERSON_H */
