#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "tests/unit/proto/broken.h"
#include <stdio.h>
#include <string.h>

static const struct broken values[] = {
    {WHOLE "name: two words\n",
     {NULL},
     "bad.yaml:4:7: error: name: must be 1 to 63 of a-z A-Z 0-9 . _ -, begin "
     "with a letter or digit, and not read as a number of a job (j7) or a "
     "version (v7)\n"
     "    4 | name: two words\n"
     "      |       ^~~~~~~~~\n"
     "1 error\n"},
    {WHOLE "name: j7\n",
     {NULL},
     "bad.yaml:4:7: error: name: must be 1 to 63 of a-z A-Z 0-9 . _ -, begin "
     "with a letter or digit, and not read as a number of a job (j7) or a "
     "version (v7)\n"
     "    4 | name: j7\n"
     "      |       ^~\n"
     "1 error\n"},
    {WHOLE "name: [a]\n",
     {NULL},
     "bad.yaml:4:7: error: name: must be one value, not a list\n"
     "    4 | name: [a]\n"
     "      |       ^\n"
     "   like this: name: fashion\n"
     "1 error\n"},
    {WHOLE "name: ''\n",
     {NULL},
     "bad.yaml:4:7: error: name: must not be empty\n"
     "    4 | name: ''\n"
     "      |       ^~\n"
     "   like this: name: fashion\n"
     "1 error\n"},
    {WHOLE
     "name: nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn\n",
     {NULL},
     "bad.yaml:4:7: error: name: "
     "\"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn...\" is longer than 63 bytes\n"
     "    4 | name: "
     "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn\n"
     "      |       "
     "^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~\n"
     "   like this: name: fashion\n"
     "1 error\n"},
    {WHOLE "seed: -1\n",
     {NULL},
     "bad.yaml:4:7: error: seed: \"-1\" is below 0\n"
     "    4 | seed: -1\n"
     "      |       ^~\n"
     "   like this: seed: 7\n"
     "1 error\n"},
    {WHOLE "seed: 1.5\n",
     {NULL},
     "bad.yaml:4:7: error: seed: \"1.5\" is not a whole number\n"
     "    4 | seed: 1.5\n"
     "      |       ^~~\n"
     "   like this: seed: 7\n"
     "1 error\n"},
    {WHOLE "seed: 18446744073709551616\n",
     {NULL},
     "bad.yaml:4:7: error: seed: \"18446744073709551616\" is too large\n"
     "    4 | seed: 18446744073709551616\n"
     "      |       ^~~~~~~~~~~~~~~~~~~~\n"
     "   like this: seed: 7\n"
     "1 error\n"},
    {WHOLE "seed: 0x10\n",
     {NULL},
     "bad.yaml:4:7: error: seed: \"0x10\" is not a bare number\n"
     "    4 | seed: 0x10\n"
     "      |       ^~~~\n"
     "   like this: seed: 7\n"
     "1 error\n"},
    {WHOLE "seed:\n",
     {NULL},
     "bad.yaml:4:1: error: seed: has no value\n"
     "    4 | seed:\n"
     "      | ^~~~\n"
     "   like this: seed: 7\n"
     "1 error\n"},
    {WHOLE "seed: {a: 1}\n",
     {NULL},
     "bad.yaml:4:7: error: seed: must be one value, not a mapping\n"
     "    4 | seed: {a: 1}\n"
     "      |       ^\n"
     "   like this: seed: 7\n"
     "1 error\n"},
    {DATA "  order: shufle\n",
     {NULL},
     "bad.yaml:6:10: error: data.order: \"shufle\" is none of shuffle, as-is. "
     "Did you mean \"shuffle\"?\n"
     "    6 |   order: shufle\n"
     "      |          ^~~~~~\n"
     "   like this: order: shuffle\n"
     "1 error\n"},
    {DATA "  follow: yes\n",
     {NULL},
     "bad.yaml:6:11: error: data.follow: \"yes\" is neither true nor false\n"
     "    6 |   follow: yes\n"
     "      |           ^~~\n"
     "   like this: follow: false\n"
     "1 error\n"},
    {DATA "  hold_out: {guard: 100}\n",
     {NULL},
     "bad.yaml:6:21: error: data.hold_out.guard: must be 0 or at least 256: "
     "fewer examples cannot tell damage from noise\n"
     "    6 |   hold_out: {guard: 100}\n"
     "      |                     ^~~\n"
     "1 error\n"},
    {DATA "  hold_out: 100\n",
     {NULL},
     "bad.yaml:6:13: error: data.hold_out: must be a mapping of keys\n"
     "    6 |   hold_out: 100\n"
     "      |             ^~~\n"
     "   like this: hold_out: {guard: 2000}\n"
     "1 error\n"},
    {DATA "  tasks: {kind: rotat, count: 0, passes: 0}\n",
     {NULL},
     "bad.yaml:6:17: error: data.tasks.kind: \"rotat\" is none of none, "
     "permute-pixels, permute-labels, split-classes, rotate. Did you mean "
     "\"rotate\"?\n"
     "    6 |   tasks: {kind: rotat, count: 0, passes: 0}\n"
     "      |                 ^~~~~\n"
     "   like this: kind: permute-pixels\n"
     "bad.yaml:6:31: error: data.tasks.count: must be 1 to 1024, got 0\n"
     "    6 |   tasks: {kind: rotat, count: 0, passes: 0}\n"
     "      |                               ^\n"
     "bad.yaml:6:42: error: data.tasks.passes: must be 1 to 1000000, got 0\n"
     "    6 |   tasks: {kind: rotat, count: 0, passes: 0}\n"
     "      |                                          ^\n"
     "3 errors\n"},
    {DATA "  tasks: [{kind: rotate, count: 600}, {kind: none, count: 600}]\n",
     {NULL},
     "bad.yaml:6:10: error: data.tasks: the counts sum to more than 1024\n"
     "    6 |   tasks: [{kind: rotate, count: 600}, {kind: none, count: 600}]\n"
     "      |          ^\n"
     "1 error\n"},
    {DATA "  tasks: [{kind: rotate, count: 100}, {kind: none, count: 27}]\n"
          "evaluate: {on: seen}\n",
     {NULL},
     "bad.yaml:7:16: error: evaluate.on: in this release, seen is for jobs of "
     "at most 126 tasks; current is for any number\n"
     "    7 | evaluate: {on: seen}\n"
     "      |                ^~~~\n"
     "   note: see bad.yaml:6:10 (data.tasks)\n"
     "1 error\n"},
    {DATA "  tasks:\n"
          "    - {kind: none}\n"
          "    - {kind: rotate, examples: 100, passes: 2}\n",
     {NULL},
     "bad.yaml:8:45: error: data.tasks[1].passes: a task's length is given by "
     "examples or by passes, not by both\n"
     "    8 |     - {kind: rotate, examples: 100, passes: 2}\n"
     "      |                                             ^\n"
     "1 error\n"},
    {DATA "  tasks: {kind: none, examples: 100 steps}\n",
     {NULL},
     "bad.yaml:6:33: error: data.tasks.examples: \"100 steps\" is not a number "
     "of examples\n"
     "    6 |   tasks: {kind: none, examples: 100 steps}\n"
     "      |                                 ^~~~~~~~~\n"
     "   like this: examples: 60000\n"
     "1 error\n"},
    {DATA "  tasks: []\n",
     {NULL},
     "bad.yaml:6:10: error: data.tasks: takes 1 to 16 values\n"
     "    6 |   tasks: []\n"
     "      |          ^\n"
     "   like this: tasks: {kind: permute-pixels, count: 10, examples: 60000}\n"
     "1 error\n"},
    {MODEL "  hidden: [100, 0]\n",
     {NULL},
     "bad.yaml:4:17: error: model.hidden[1]: must be 1 to 65536, got 0\n"
     "    4 |   hidden: [100, 0]\n"
     "      |                 ^\n"
     "1 error\n"},
    {MODEL "  hidden: [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]\n",
     {NULL},
     "bad.yaml:4:11: error: model.hidden: takes 1 to 15 values\n"
     "    4 |   hidden: [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]\n"
     "      |           ^\n"
     "   like this: hidden: [256, 256]\n"
     "1 error\n"},
    {MODEL "  hidden: [{activation: relu}, {units: 8, activation: linear}]\n",
     {NULL},
     "bad.yaml:4:12: error: model.hidden[0].units: is missing\n"
     "    4 |   hidden: [{activation: relu}, {units: 8, activation: linear}]\n"
     "      |            ^\n"
     "   like this: hidden: [256, 256]\n"
     "bad.yaml:4:55: error: model.hidden[1].activation: linear is the output "
     "layer's; a hidden layer is relu, tanh or gelu\n"
     "    4 |   hidden: [{activation: relu}, {units: 8, activation: linear}]\n"
     "      |                                                       ^~~~~~\n"
     "   like this: activation: relu\n"
     "2 errors\n"},
    {MODEL "  hidden: [8, {units: 8, activation: reul}]\n"
           "  shards: 65\n",
     {NULL},
     "bad.yaml:4:38: error: model.hidden[1].activation: \"reul\" is none of "
     "relu, tanh, gelu. Did you mean \"relu\"?\n"
     "    4 |   hidden: [8, {units: 8, activation: reul}]\n"
     "      |                                      ^~~~\n"
     "   like this: activation: relu\n"
     "bad.yaml:5:11: error: model.shards: must be 1 to 64, got 65\n"
     "    5 |   shards: 65\n"
     "      |           ^~\n"
     "2 errors\n"},
    {MODEL "  hidden: [99999999999]\n",
     {NULL},
     "bad.yaml:4:12: error: model.hidden[0]: \"99999999999\" is too large\n"
     "    4 |   hidden: [99999999999]\n"
     "      |            ^~~~~~~~~~~\n"
     "   like this: hidden: [256, 256]\n"
     "1 error\n"},
    {MODEL "  hidden: [8]\n"
           "  output: 0\n",
     {NULL},
     "bad.yaml:5:11: error: model.output: \"0\" is below 1\n"
     "    5 |   output: 0\n"
     "      |           ^\n"
     "   like this: classes: 10\n"
     "1 error\n"},
    {WHOLE "loss: crossentropy\n",
     {NULL},
     "bad.yaml:4:7: error: loss: \"crossentropy\" is none of cross-entropy, "
     "mean-squared-error. Did you mean \"cross-entropy\"?\n"
     "    4 | loss: crossentropy\n"
     "      |       ^~~~~~~~~~~~\n"
     "   like this: loss: cross-entropy\n"
     "1 error\n"},
    {WHOLE "train: {lr: 0}\n",
     {NULL},
     "bad.yaml:4:13: error: train.lr: must be above 0\n"
     "    4 | train: {lr: 0}\n"
     "      |             ^\n"
     "1 error\n"},
    {WHOLE
     "train: {lr: {peak: 1e-3, schedule: cosin, warmup: 500, over: tasks}}\n",
     {NULL},
     "bad.yaml:4:36: error: train.lr.schedule: \"cosin\" is none of constant, "
     "linear, cosine. Did you mean \"cosine\"?\n"
     "    4 | train: {lr: {peak: 1e-3, schedule: cosin, warmup: 500, over: "
     "tasks}}\n"
     "      |                                    ^~~~~\n"
     "   like this: schedule: cosine\n"
     "bad.yaml:4:51: error: train.lr.warmup: \"500\" needs its unit: steps\n"
     "    4 | train: {lr: {peak: 1e-3, schedule: cosin, warmup: 500, over: "
     "tasks}}\n"
     "      |                                                   ^~~\n"
     "   like this: warmup: 500 steps\n"
     "bad.yaml:4:62: error: train.lr.over: \"tasks\" is none of job, task. Did "
     "you mean \"task\"?\n"
     "    4 | train: {lr: {peak: 1e-3, schedule: cosin, warmup: 500, over: "
     "tasks}}\n"
     "      |                                                              "
     "^~~~~\n"
     "   like this: over: job\n"
     "3 errors\n"},
    {WHOLE "train: {lr: 1e999}\n",
     {NULL},
     "bad.yaml:4:13: error: train.lr: \"1e999\" is too large\n"
     "    4 | train: {lr: 1e999}\n"
     "      |             ^~~~~\n"
     "   like this: lr: 1e-3\n"
     "1 error\n"},
    {WHOLE "train: {batch: 5000, microbatches: 9}\n",
     {NULL},
     "bad.yaml:4:16: error: train.batch: must be 1 to 4096, got 5000\n"
     "    4 | train: {batch: 5000, microbatches: 9}\n"
     "      |                ^~~~\n"
     "bad.yaml:4:36: error: train.microbatches: must be 1 to 8, got 9\n"
     "    4 | train: {batch: 5000, microbatches: 9}\n"
     "      |                                    ^\n"
     "2 errors\n"},
    {WHOLE "train: {batch: 2, microbatches: 4}\n",
     {NULL},
     "bad.yaml:4:33: error: train.microbatches: must not be more than the rows "
     "of a batch\n"
     "    4 | train: {batch: 2, microbatches: 4}\n"
     "      |                                 ^\n"
     "   note: see bad.yaml:4:16 (train.batch)\n"
     "1 error\n"},
    {WHOLE "train: {clip: -1, optimizer: {name: sgd, momentum: 1}}\n",
     {NULL},
     "bad.yaml:4:15: error: train.clip: must be 0 to 1000000000, got -1\n"
     "    4 | train: {clip: -1, optimizer: {name: sgd, momentum: 1}}\n"
     "      |               ^~\n"
     "bad.yaml:4:52: error: train.optimizer.momentum: must be 0 to 0.999999, "
     "got 1\n"
     "    4 | train: {clip: -1, optimizer: {name: sgd, momentum: 1}}\n"
     "      |                                                    ^\n"
     "2 errors\n"},
    {WHOLE "train: {optimizer: {name: adam, momentum: 0.9}}\n",
     {NULL},
     "bad.yaml:4:43: error: train.optimizer.momentum: belongs to sgd; adam and "
     "adamw have betas\n"
     "    4 | train: {optimizer: {name: adam, momentum: 0.9}}\n"
     "      |                                           ^~~\n"
     "   note: see bad.yaml:4:27 (train.optimizer.name)\n"
     "1 error\n"},
    {WHOLE
     "train: {optimizer: {name: sgd, betas: [0.9, 0.99], epsilon: 1e-8}}\n",
     {NULL},
     "bad.yaml:4:39: error: train.optimizer.betas: belongs to adam and adamw; "
     "sgd has a momentum\n"
     "    4 | train: {optimizer: {name: sgd, betas: [0.9, 0.99], epsilon: "
     "1e-8}}\n"
     "      |                                       ^\n"
     "bad.yaml:4:61: error: train.optimizer.epsilon: belongs to adam and "
     "adamw\n"
     "    4 | train: {optimizer: {name: sgd, betas: [0.9, 0.99], epsilon: "
     "1e-8}}\n"
     "      |                                                             "
     "^~~~\n"
     "2 errors\n"},
    {WHOLE "train: {optimizer: {name: adamw, betas: [0.9]}}\n",
     {NULL},
     "bad.yaml:4:41: error: train.optimizer.betas: takes 2 values\n"
     "    4 | train: {optimizer: {name: adamw, betas: [0.9]}}\n"
     "      |                                         ^\n"
     "   like this: betas: [0.9, 0.999]\n"
     "1 error\n"},
    {WHOLE
     "train: {optimizer: {name: adamw, betas: [0.9, 1.5], weight_decay: 1%}}\n",
     {NULL},
     "bad.yaml:4:47: error: train.optimizer.betas[1]: must be 0 to 0.999999, "
     "got 1.5\n"
     "    4 | train: {optimizer: {name: adamw, betas: [0.9, 1.5], "
     "weight_decay: 1%}}\n"
     "      |                                               ^~~\n"
     "bad.yaml:4:67: error: train.optimizer.weight_decay: \"1%\" is not a bare "
     "number\n"
     "    4 | train: {optimizer: {name: adamw, betas: [0.9, 1.5], "
     "weight_decay: 1%}}\n"
     "      |                                                                  "
     " ^~\n"
     "   like this: weight_decay: 0.01\n"
     "2 errors\n"},
    {WHOLE "report: {every: 100}\n",
     {NULL},
     "bad.yaml:4:17: error: report.every: \"100\" needs its unit: steps\n"
     "    4 | report: {every: 100}\n"
     "      |                 ^~~\n"
     "   like this: every: 100 steps\n"
     "1 error\n"},
    {WHOLE "report: {every: 5 intervals}\n",
     {NULL},
     "bad.yaml:4:17: error: report.every: \"5 intervals\" is not a number of "
     "steps\n"
     "    4 | report: {every: 5 intervals}\n"
     "      |                 ^~~~~~~~~~~\n"
     "   like this: every: 100 steps\n"
     "1 error\n"},
    {WHOLE "report: {every: 0 steps}\n",
     {NULL},
     "bad.yaml:4:17: error: report.every: must be 1 to 10000000, got 0\n"
     "    4 | report: {every: 0 steps}\n"
     "      |                 ^~~~~~~\n"
     "1 error\n"},
    {WHOLE "evaluate: {every: tsk, on: all}\n",
     {NULL},
     "bad.yaml:4:19: error: evaluate.every: \"tsk\" is none of task, never. "
     "Did you mean \"task\"?\n"
     "    4 | evaluate: {every: tsk, on: all}\n"
     "      |                   ^~~\n"
     "   like this: every: task\n"
     "bad.yaml:4:28: error: evaluate.on: \"all\" is none of current, seen\n"
     "    4 | evaluate: {every: tsk, on: all}\n"
     "      |                            ^~~\n"
     "   like this: on: current\n"
     "2 errors\n"},
    {WHOLE "stop: {any: [{steps: 0}, {loss: low}, {no_gain: 10}, {steps: 1, "
           "loss: 2}]}\n",
     {NULL},
     "bad.yaml:4:22: error: stop.any[0].steps: must be 1 to 1000000000000, got "
     "0\n"
     "    4 | stop: {any: [{steps: 0}, {loss: low}, {no_gain: 10}, {steps: 1, "
     "loss: 2}]}\n"
     "      |                      ^\n"
     "bad.yaml:4:33: error: stop.any[1].loss: \"low\" is not a number\n"
     "    4 | stop: {any: [{steps: 0}, {loss: low}, {no_gain: 10}, {steps: 1, "
     "loss: 2}]}\n"
     "      |                                 ^~~\n"
     "   like this: any: [{loss: 0.2}]\n"
     "bad.yaml:4:49: error: stop.any[2].no_gain: \"10\" needs its unit: "
     "evaluations\n"
     "    4 | stop: {any: [{steps: 0}, {loss: low}, {no_gain: 10}, {steps: 1, "
     "loss: 2}]}\n"
     "      |                                                 ^~\n"
     "   like this: any: [{no_gain: 10 evaluations}]\n"
     "bad.yaml:4:54: error: stop.any[3]: each rule is a mapping of one key\n"
     "    4 | stop: {any: [{steps: 0}, {loss: low}, {no_gain: 10}, {steps: 1, "
     "loss: 2}]}\n"
     "      |                                                      ^\n"
     "   like this: any: [{steps: 20000}, {loss: 0.2}]\n"
     "4 errors\n"},
    {WHOLE "stop: {any: [{steps: 5}, {steps: 5}, {steps: 5}, {steps: 5}, "
           "{steps: 5}]}\n",
     {NULL},
     "bad.yaml:4:13: error: stop.any: takes 1 to 4 values\n"
     "    4 | stop: {any: [{steps: 5}, {steps: 5}, {steps: 5}, {steps: 5}, "
     "{steps: 5}]}\n"
     "      |             ^\n"
     "   like this: any: [{steps: 20000}, {loss: 0.2}]\n"
     "1 error\n"},
    {WHOLE "stop: {any: [{no_gain: 3 evaluations}]}\n"
           "evaluate: never\n",
     {NULL},
     "bad.yaml:4:24: error: stop.any[0].no_gain: counts evaluations, and this "
     "job has none\n"
     "    4 | stop: {any: [{no_gain: 3 evaluations}]}\n"
     "      |                        ^~~~~~~~~~~~~\n"
     "   note: see bad.yaml:5:11 (evaluate)\n"
     "1 error\n"},
    {WHOLE "stop: {steps: 100}\n",
     {NULL},
     "bad.yaml:4:8: error: stop.steps: unknown key here. It belongs elsewhere: "
     "stop.any.steps\n"
     "    4 | stop: {steps: 100}\n"
     "      |        ^~~~~\n"
     "1 error\n"},
    {"version: 1\n"
     "data: {format: idx, dir: /d}\n"
     "model: {hidden: [600, 8]}\n"
     "plasticity: {grow: plateau}\n",
     {NULL},
     "bad.yaml:4:14: error: plasticity.grow.max_units: 512 is below the "
     "starting width 600\n"
     "    4 | plasticity: {grow: plateau}\n"
     "      |              ^~~~\n"
     "   the file does not give it: this is the default\n"
     "   note: see bad.yaml:3:18 (model.hidden[0])\n"
     "1 error\n"},
    {DATA "  hold_out: {guard: 0}\n"
          "plasticity: {prune: contribution}\n",
     {NULL},
     "bad.yaml:6:21: error: data.hold_out.guard: a prune policy needs guard "
     "examples, 2000 by default\n"
     "    6 |   hold_out: {guard: 0}\n"
     "      |                     ^\n"
     "   note: see bad.yaml:7:21 (plasticity.prune)\n"
     "1 error\n"},
    {DATA "  hold_out: {guard: 0}\n"
          "plasticity: {guard: {tolerance: 1%}}\n",
     {NULL},
     "bad.yaml:6:21: error: data.hold_out.guard: plasticity.guard needs guard "
     "examples, 2000 by default\n"
     "    6 |   hold_out: {guard: 0}\n"
     "      |                     ^\n"
     "1 error\n"},
    {PLASTIC "  guard: {tolerance: 150%}\n",
     {NULL},
     "bad.yaml:5:22: error: plasticity.guard.tolerance: must be 0 to 1, got "
     "1.5\n"
     "    5 |   guard: {tolerance: 150%}\n"
     "      |                      ^~~~\n"
     "1 error\n"},
    {WHOLE
     "keep: {every: 0 steps, on: [grow, task_end, periodic], last: 1.5}\n",
     {NULL},
     "bad.yaml:4:15: error: keep.every: \"0 steps\" is below 1\n"
     "    4 | keep: {every: 0 steps, on: [grow, task_end, periodic], last: "
     "1.5}\n"
     "      |               ^~~~~~~\n"
     "   like this: every: 1000 steps\n"
     "bad.yaml:4:35: error: keep.on[1]: \"task_end\" is none of start, "
     "restore, manual, grow, prune, renew, task, end\n"
     "    4 | keep: {every: 0 steps, on: [grow, task_end, periodic], last: "
     "1.5}\n"
     "      |                                   ^~~~~~~~\n"
     "   like this: on: [grow, prune, task]\n"
     "bad.yaml:4:45: error: keep.on[2]: periodic versions are asked for by "
     "keep.every\n"
     "    4 | keep: {every: 0 steps, on: [grow, task_end, periodic], last: "
     "1.5}\n"
     "      |                                             ^~~~~~~~\n"
     "   like this: on: [grow, prune, task]\n"
     "bad.yaml:4:62: error: keep.last: \"1.5\" is not a whole number\n"
     "    4 | keep: {every: 0 steps, on: [grow, task_end, periodic], last: "
     "1.5}\n"
     "      |                                                              "
     "^~~\n"
     "   like this: last: 50\n"
     "4 errors\n"},
    {WHOLE "run: {workers: 65, threads: 0}\n",
     {NULL},
     "bad.yaml:4:16: error: run.workers: must be 1 to 64, got 65\n"
     "    4 | run: {workers: 65, threads: 0}\n"
     "      |                ^~\n"
     "bad.yaml:4:29: error: run.threads: must be 1 to 64, got 0\n"
     "    4 | run: {workers: 65, threads: 0}\n"
     "      |                             ^\n"
     "2 errors\n"},
};

enum { VALUES_COUNT = sizeof(values) / sizeof(values[0]) };

static void test_typing__tells_what_is_wrong_with_each_value(void **state)
{
    (void)state;
    for (size_t i = 0; i < VALUES_COUNT; i++) {
        check_broken(&values[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_typing__tells_what_is_wrong_with_each_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
