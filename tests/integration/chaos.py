"""Kills daemons at random, again and again; not part of `make contract`.

tests/integration/run.sh chaos. KILLS=n in all, SEED=s: the first run's seed.
A run of the job has 2 to 4 workers, during which daemons are killed, stopped
for longer than the coordinator waits, or told to end, each after a number of
events drawn from the seed. Time is not drawn, but it matters: a seed repeats
the plan, not the moment.
"""
import json
import os
import random
import re
import signal
import threading

from cluster import Store, Tests, job, our_processes

T = Tests()
KILLS = int(os.environ.get("KILLS", "20"))
SEED = int(os.environ.get("SEED", "1"))
STOPPED_S = 13  # a silent worker is lost after 10 s
PERIOD = 800  # steps between two versions at most
INTERVAL = 50
# Decided and not yet committed: CUTS_MAX of base/limits.h. The next one stands
# still before its boundary, and with it all that could be computed again.
CUTS = 4
FURTHEST = (CUTS + 1) * PERIOD + 2 * INTERVAL
FILE = job("chaos", tasks=4, examples=12800, shards=3,
           train="optimizer: {name: adam}, lr: 1e-3, batch: 8",
           keep=f"every: {PERIOD} steps, on: [grow, prune, task], last: 500")
calm = {}
done = {"SIGKILL": 0, "SIGSTOP": 0, "SIGTERM": 0, "replayed": 0, "runs": 0,
        "recoveries": 0, "furthest": 0}


def told(store):
    return {(v["step"], v["hash"]): v["cause"] for v in store.versions()}


def same_history(found):
    """All versions of the calm run; beside them, or instead of one of the
    same boundary, those with which a job waits for workers when the last one
    has been told to end."""
    assert not calm["versions"].keys() - found.keys(), "a version is missing"
    more = [found[k] for k in found.keys() - calm["versions"].keys()]
    assert set(more) <= {"manual"}, f"versions that never were: {more}"


@T.test("a calm run, to compare with")
def _():
    store = Store("calm")
    store.run(FILE, "-w", 3)
    calm["end"], calm["versions"] = store.digest(), told(store)


def send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def strike(rng, store):
    """One to three of the daemons that there are. A coordinator that is told
    to end by SIGTERM ends its cluster, so that is for workers alone."""
    number = rng.choice((signal.SIGKILL,) * 6 +
                        (signal.SIGTERM, signal.SIGTERM, signal.SIGSTOP))
    there = store.daemons()
    if number == signal.SIGTERM:
        there.pop("coordinator", None)
    names = rng.sample(sorted(there), min(len(there), rng.choice((1, 1, 2, 3))))
    for name in names:
        if there[name] not in our_processes(store.path):
            continue
        send(there[name], number)
        done[number.name] += 1
        if number == signal.SIGSTOP:
            again = threading.Timer(STOPPED_S, send,
                                    (there[name], signal.SIGCONT))
            again.daemon = True
            again.start()
    return f"{number.name} {' '.join(names)}"


# "; back to step 1,250 (kept 0.3 s ago), 350 steps again", "... back to v3 at
# step 400, ...", "... back to the start, ...", "...; on from step 400, ...".
BACK = re.compile(r"(?:back to|on from) (?:v\d+ at )?"
                  r"(?:step ([\d,]+)|the start)[^;]*, ([\d,]+) steps? again$")


def number(text):
    return int((text or "0").replace(",", ""))


def near_enough(run):
    """No recovery goes back behind a version that was told of before it, nor
    over more steps than versions in the making can lie apart."""
    newest, found = 0, 0
    for line in run.lines:
        if '"kind":' not in line:
            continue
        event = json.loads(line)
        if event["kind"] == "version":
            newest = max(newest, event["step"])
        match = BACK.search(event.get("text", ""))
        if event["kind"] != "fault" or not match:
            continue
        to, again = map(number, match.groups())
        found += 1
        done["furthest"] = max(done["furthest"], again)
        assert to >= newest, f"behind step {newest}: {event['text']}"
        assert again <= FURTHEST, f"more than {FURTHEST}: {event['text']}"
    done["recoveries"] += found
    return found


def killed():
    return done["SIGKILL"] + done["SIGSTOP"] + done["SIGTERM"]


def torment(rng, run, store, plan):
    for _ in range(rng.randrange(3, 9)):
        events = rng.randrange(1, 25)
        try:
            for _ in range(events):
                run.await_line('"kind":')
        except AssertionError:
            return  # the job was faster than the plan
        plan.append(f"after {events}: {strike(rng, store)}")


def round_of(seed):
    @T.test(f"seed {seed}: the same end and the same history")
    def _():
        rng = random.Random(seed)
        store = Store(f"chaos{seed}")
        workers = rng.randrange(2, 5)
        run = store.begin("run", FILE, "-w", workers, "-o", "json")
        plan = [f"{workers} workers"]
        try:
            torment(rng, run, store, plan)
            code = run.end(None, 240)
            status = store.json("status")
            done["replayed"] += status["replayed_steps"]
            done["runs"] += 1
            assert code == 0 and status["state"] == "finished", \
                f"exit {code}, {json.dumps(status)[:600]}"
            found = near_enough(run)
            assert found or status["replayed_steps"] == 0, \
                "steps were computed again, and no event says so"
            same_history(told(store))
            assert store.digest() == calm["end"], "the bits differ"
            assert store.json("verify")["faults"] == []
        except Exception as failure:
            raise AssertionError(f"{plan}\n{failure}") from failure


each = SEED
while killed() < KILLS and each < SEED + KILLS:
    round_of(each)
    each += 1
print(f"-- {done}", flush=True)

T.end()
