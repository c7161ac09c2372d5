#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "tests/unit/proto/broken.h"
#include <stdio.h>
#include <string.h>

static const struct broken policies[] = {
    {PLASTIC "  renew: {rate: 1e-4}\n",
     {NULL},
     "bad.yaml:5:3: error: plasticity.renew: names no policy\n"
     "    5 |   renew: {rate: 1e-4}\n"
     "      |   ^~~~~\n"
     "   like this: renew: {policy: continual-backprop, rate: 1e-4}\n"
     "1 error\n"},
    {PLASTIC "  renew: {policy: continual-backpro}\n",
     {NULL},
     "bad.yaml:5:19: error: plasticity.renew.policy: \"continual-backpro\" is "
     "no policy; there is: continual-backprop. Did you mean "
     "\"continual-backprop\"?\n"
     "    5 |   renew: {policy: continual-backpro}\n"
     "      |                   ^~~~~~~~~~~~~~~~~\n"
     "   like this: renew: {policy: continual-backprop, rate: 1e-4}\n"
     "1 error\n"},
    {PLASTIC "  renew: {policy: plateau}\n",
     {NULL},
     "bad.yaml:5:19: error: plasticity.renew.policy: \"plateau\" is a policy "
     "of plasticity.grow; here there is: continual-backprop\n"
     "    5 |   renew: {policy: plateau}\n"
     "      |                   ^~~~~~~\n"
     "   like this: renew: {policy: continual-backprop, rate: 1e-4}\n"
     "1 error\n"},
    {PLASTIC "  renew: {policy: continual-backprop, rate: 2, maturity: 100, "
             "decay: 1}\n",
     {NULL},
     "bad.yaml:5:45: error: plasticity.renew.rate: must be 0 to 1, got 2\n"
     "    5 |   renew: {policy: continual-backprop, rate: 2, maturity: 100, "
     "decay: 1}\n"
     "      |                                             ^\n"
     "bad.yaml:5:58: error: plasticity.renew.maturity: \"100\" needs its unit: "
     "steps\n"
     "    5 |   renew: {policy: continual-backprop, rate: 2, maturity: 100, "
     "decay: 1}\n"
     "      |                                                          ^~~\n"
     "   like this: maturity: 100 steps\n"
     "bad.yaml:5:70: error: plasticity.renew.decay: must be 0 to 0.999999, got "
     "1\n"
     "    5 |   renew: {policy: continual-backprop, rate: 2, maturity: 100, "
     "decay: 1}\n"
     "      |                                                                  "
     "    ^\n"
     "3 errors\n"},
    {PLASTIC "  grow: schedule\n",
     {NULL},
     "bad.yaml:5:3: error: plasticity.grow.every: is missing\n"
     "    5 |   grow: schedule\n"
     "      |   ^~~~\n"
     "   like this: every: 5 intervals\n"
     "bad.yaml:5:3: error: plasticity.grow.add: is missing\n"
     "    5 |   grow: schedule\n"
     "      |   ^~~~\n"
     "   like this: add: 16 units\n"
     "2 errors\n"},
    {PLASTIC "  grow: {policy: plateau, window: 1 interval, min_gain: much, "
             "every: 3 intervals}\n",
     {NULL},
     "bad.yaml:5:35: error: plasticity.grow.window: must be 3 to 128, got 1\n"
     "    5 |   grow: {policy: plateau, window: 1 interval, min_gain: much, "
     "every: 3 intervals}\n"
     "      |                                   ^~~~~~~~~~\n"
     "bad.yaml:5:57: error: plasticity.grow.min_gain: \"much\" is not a "
     "number\n"
     "    5 |   grow: {policy: plateau, window: 1 interval, min_gain: much, "
     "every: 3 intervals}\n"
     "      |                                                         ^~~~\n"
     "   like this: min_gain: 1%\n"
     "bad.yaml:5:63: error: plasticity.grow.every: unknown key of plateau; it "
     "belongs to the policy schedule\n"
     "    5 |   grow: {policy: plateau, window: 1 interval, min_gain: much, "
     "every: 3 intervals}\n"
     "      |                                                               "
     "^~~~~\n"
     "3 errors\n"},
    {PLASTIC "  grow: {policy: plateau, max_units: 4}\n",
     {NULL},
     "bad.yaml:5:38: error: plasticity.grow.max_units: 4 is below the starting "
     "width 8\n"
     "    5 |   grow: {policy: plateau, max_units: 4}\n"
     "      |                                      ^\n"
     "   note: see bad.yaml:3:18 (model.hidden[0])\n"
     "1 error\n"},
    {PLASTIC "  grow: [plateau, plateau]\n",
     {NULL},
     "bad.yaml:5:19: error: plasticity.grow[1]: the same policy stands here "
     "twice\n"
     "    5 |   grow: [plateau, plateau]\n"
     "      |                   ^~~~~~~\n"
     "1 error\n"},
    {PLASTIC "  prune: {policy: contribution, below: 1%}\n",
     {NULL},
     "bad.yaml:5:40: error: plasticity.prune.below: \"1%\" is not a share of "
     "the mean, as 1% of mean\n"
     "    5 |   prune: {policy: contribution, below: 1%}\n"
     "      |                                        ^~\n"
     "   like this: below: 1% of mean\n"
     "1 error\n"},
    {PLASTIC "  renew: ReDo\n"
             "  grow: {policy: gradmax}\n"
             "  prune: magnitude\n",
     {NULL},
     "bad.yaml:5:10: error: plasticity.renew: \"ReDo\" is not in this release; "
     "there is: continual-backprop\n"
     "    5 |   renew: ReDo\n"
     "      |          ^~~~\n"
     "   like this: renew: {policy: continual-backprop, rate: 1e-4}\n"
     "bad.yaml:6:18: error: plasticity.grow.policy: \"gradmax\" is not in this "
     "release; there is: schedule, plateau\n"
     "    6 |   grow: {policy: gradmax}\n"
     "      |                  ^~~~~~~\n"
     "   like this: grow: {policy: plateau, add: 16 units, max_units: 512}\n"
     "bad.yaml:7:10: error: plasticity.prune: \"magnitude\" is not in this "
     "release; there is: contribution\n"
     "    7 |   prune: magnitude\n"
     "      |          ^~~~~~~~~\n"
     "   like this: prune: {policy: contribution, below: 1% of mean}\n"
     "3 errors\n"},
};

enum { POLICIES_COUNT = sizeof(policies) / sizeof(policies[0]) };

static void test_typing_policy__tells_what_is_wrong_with_each_policy(
    void **state)
{
    (void)state;
    for (size_t i = 0; i < POLICIES_COUNT; i++) {
        check_broken(&policies[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_typing_policy__tells_what_is_wrong_with_each_policy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
