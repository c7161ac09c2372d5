"""Kills daemons at random, again and again; not part of `make contract`.

tests/integration/run.sh chaos. ROUNDS=n runs, SEED=s: the first one's seed.
A round is a run of the job during which some daemons are killed or stopped
for a while, each after a number of events drawn from the seed. Time is not
drawn, but it matters: a seed repeats the plan, not the moment.
"""
import json
import os
import random
import signal

from cluster import Store, Tests, job, our_processes

T = Tests()
ROUNDS = int(os.environ.get("ROUNDS", "6"))
SEED = int(os.environ.get("SEED", "1"))
FILE = job("chaos", tasks=4, examples=6400, shards=3,
           train="optimizer: {name: adam}, lr: 1e-3, batch: 8",
           keep="every: 100 steps, last: 500")
calm = {}


def told(store):
    return [(v["version"], v["step"], v["cause"], v["hash"])
            for v in store.versions()]


@T.test("a calm run, to compare with")
def _():
    store = Store("calm")
    store.run(FILE, "-w", 3)
    calm["end"], calm["versions"] = store.digest(), told(store)


def strike(rng, store):
    """One to three of the daemons that there are. A coordinator that is told
    to end by SIGTERM ends its cluster, so that is for workers alone."""
    number = rng.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM))
    there = store.daemons()
    if number == signal.SIGTERM:
        there.pop("coordinator", None)
    names = rng.sample(sorted(there), min(len(there), rng.choice((1, 1, 2, 3))))
    for name in names:
        if there[name] in our_processes(store.path):
            try:
                os.kill(there[name], number)
            except ProcessLookupError:
                pass
    return f"{number.name} {' '.join(names)}"


def round_of(seed):
    @T.test(f"seed {seed}: the same end and the same history")
    def _():
        rng = random.Random(seed)
        store = Store(f"chaos{seed}")
        run = store.begin("run", FILE, "-w", 3, "-o", "json")
        plan = []
        for _ in range(rng.randrange(1, 6)):
            events = rng.randrange(1, 25)
            try:
                for _ in range(events):
                    run.await_line('"kind":')
            except AssertionError:
                break  # the job was faster than the plan
            plan.append(f"after {events}: {strike(rng, store)}")
        try:
            code = run.end(None, 240)
            status = store.json("status")
            assert code == 0 and status["state"] == "finished", \
                f"exit {code}, {json.dumps(status)[:600]}"
            assert told(store) == calm["versions"], "the versions differ"
            assert store.digest() == calm["end"], "the bits differ"
            assert store.json("verify")["faults"] == []
        except Exception as failure:
            raise AssertionError(f"{plan}\n{failure}") from failure


for each in range(SEED, SEED + ROUNDS):
    round_of(each)

T.end()
