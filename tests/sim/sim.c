/* sim.c - runs seeds.
 *
 *   sim SEED [EVENTS [-v]]       one seed, at most so many events; -v: aloud
 *   sim --soak FIRST COUNT       so many seeds, until one fails
 *   sim --plant NAME FIRST COUNT how many seeds it takes to find each */
#include "base/check.h"
#include "tests/sim/trial.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVENTS_MAX = 5000000 };

static uint64_t number(const char *text)
{
    char *end = NULL;
    uint64_t value = strtoull(text, &end, 10);

    if (end == text || *end != '\0') {
        (void)fprintf(stderr, "sim: '%s' is not a number\n", text);
        exit(2);
    }
    return value;
}

static int run_one(uint64_t seed, uint64_t events, bool loud)
{
    struct trial trial = {.seed = seed, .events_max = events, .loud = loud};
    struct verdict verdict;

    trial_run(&trial, &verdict);
    (void)printf("seed %" PRIu64 ": %s, %" PRIu64 " events, %" PRIu64
                 " virtual ms, %" PRIu64 " lives, %" PRIu64
                 " versions, %" PRIu64 " steps replayed, %" PRIu64
                 " points, %" PRIu64 " copies used, %" PRIu64 " moves, %" PRIu64
                 " drains\n",
                 seed, verdict.failed ? "FAILED" : "ok", verdict.events,
                 verdict.virtual_ms, verdict.lives, verdict.versions,
                 verdict.replayed_steps, verdict.points, verdict.copies,
                 verdict.moves, verdict.drains);
    return verdict.failed ? 1 : 0;
}

static int soak(uint64_t first, uint64_t count)
{
    struct verdict all = {.failed = false};
    uint64_t events = 0;
    uint64_t failed = 0;

    for (uint64_t seed = first; seed < first + count; seed++) {
        struct trial trial = {.seed = seed, .events_max = EVENTS_MAX};
        struct verdict verdict;

        trial_run(&trial, &verdict);
        events += verdict.events;
        failed += verdict.failed;
        all.points += verdict.points;
        all.copies += verdict.copies;
        all.moves += verdict.moves;
        all.drains += verdict.drains;
        if (failed > 5) {
            break;
        }
        if ((seed - first + 1) % 1000 == 0) {
            (void)fprintf(stderr, "%" PRIu64 " seeds, %" PRIu64 " events\n",
                          seed - first + 1, events);
        }
    }
    (void)printf("%" PRIu64 " seeds from %" PRIu64 ", %" PRIu64
                 " events, %" PRIu64 " failed; %" PRIu64 " points, %" PRIu64
                 " copies used, %" PRIu64 " moves, %" PRIu64 " drains\n",
                 count, first, events, failed, all.points, all.copies,
                 all.moves, all.drains);
    return failed > 0 ? 1 : 0;
}

static int plant(const char *name, uint64_t first, uint64_t count)
{
    enum plant which = PLANT_NONE;
    uint64_t found = 0;

    for (int p = 0; p < PLANTS_COUNT; p++) {
        which = strcmp(plant_name((enum plant)p), name) == 0 ? (enum plant)p
                                                             : which;
    }
    if (which == PLANT_NONE) {
        (void)fprintf(stderr, "sim: there is no plant '%s'\n", name);
        return 2;
    }
    for (uint64_t seed = first; seed < first + count; seed++) {
        struct trial trial = {
            .seed = seed, .plant = which, .events_max = EVENTS_MAX};
        struct verdict verdict;

        trial_run(&trial, &verdict);
        found += verdict.failed;
        if (verdict.failed) {
            (void)printf("seed %" PRIu64 ": %s\n", seed, verdict.failure);
        }
    }
    (void)printf("%s: found by %" PRIu64 " of %" PRIu64 " seeds\n", name, found,
                 count);
    return found > 0 ? 0 : 1;
}

int main(int count, char **arguments)
{
    if (count == 4 && strcmp(arguments[1], "--soak") == 0) {
        return soak(number(arguments[2]), number(arguments[3]));
    }
    if (count == 5 && strcmp(arguments[1], "--plant") == 0) {
        return plant(arguments[2], number(arguments[3]), number(arguments[4]));
    }
    if (count < 2 || count > 4) {
        (void)fprintf(stderr, "usage: sim SEED [EVENTS [-v]]\n");
        return 2;
    }
    return run_one(number(arguments[1]),
                   count > 2 ? number(arguments[2]) : EVENTS_MAX, count > 3);
}
