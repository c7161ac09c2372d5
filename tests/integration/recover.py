"""A lost process costs the steps since a state that workers keep in memory, not
those since the newest version; and no bit (promises P2 and P3)."""
import json
import os
import re
import signal
import time

from cluster import Store, Tests, job, kill

T = Tests()

# Long tasks with growth and pruning, whose versions would be far apart.
FILE = job("recover", tasks=2, examples=48000, hidden="[64, 48]",
           train="optimizer: {name: sgd, momentum: 0.9}, lr: 0.005, batch: 8",
           keep="on: [task], last: 200")
calm = {}


def begin(name):
    store = Store(name)
    run = store.begin("run", FILE, "-w", 2, "-o", "json")
    run.await_line('"kind":"version"')
    return store, run


def run_on(run, seconds):
    """Until it has told of progress for so long: points come twice a second."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        run.await_line('"kind":"progress"')


def events(run):
    return [json.loads(line) for line in run.lines
            if line.startswith('{"schema":"cajal.v1.Event"')]


def again(run, pattern):
    """Steps that were computed again, as the events say, and how often."""
    found = [re.search(pattern, e["text"]) for e in events(run)
             if e["kind"] == "fault"]
    return [int(m.group(1).replace(",", "")) for m in found if m]


def same_end(store, run):
    run.end(0)
    status = store.json("status")
    assert status["state"] == "finished", status
    assert store.digest() == calm["end"], "the bits differ"
    assert [(v["version"], v["step"], v["cause"], v["hash"])
            for v in store.versions()] == calm["versions"]
    assert store.json("verify")["faults"] == []
    return status


@T.test("a calm run, to compare with")
def _():
    store, run = begin("calm")
    run.end(0)
    calm["end"] = store.digest()
    calm["versions"] = [(v["version"], v["step"], v["cause"], v["hash"])
                        for v in store.versions()]
    status = store.json("status")
    assert status["replayed_steps"] == 0, status
    assert any(e["kind"] == "grow" for e in events(run))
    assert any(e["kind"] == "lesion" for e in events(run))
    # Steps in two seconds: more than lie between two points.
    calm["few"] = max(2 * status["examples_per_second"] / 8, 400)
    calm["steps"] = status["step"]


# How it was noticed is told, too: its link, or its next process.
IN_MEMORY = (r"^worker w\d is lost \(.*\); back to step [\d,]+ "
             r"\(kept [\d.]+ s ago\), ([\d,]+) steps? again$")


@T.test("a worker is killed: back to its buddy's copies, to the same end")
def _():
    store, run = begin("worker")
    run_on(run, 1.5)
    for worker in store.json("workers")["workers"]:
        assert worker["kept_bytes"] > 0 and worker["buddy_bytes"] > 0, worker
    kill(store.daemons()["w1"])
    run.await_line("steps? again")
    run_on(run, 1.5)
    kill(store.daemons()["w0"])
    status = same_end(store, run)
    steps = again(run, IN_MEMORY)
    assert len(steps) == 2, [e for e in events(run) if e["kind"] == "fault"]
    assert status["replayed_steps"] == sum(steps), (
        status["replayed_steps"], steps)
    assert sum(steps) < 2 * calm["few"], (steps, calm["few"])


@T.test("the coordinator is killed: the workers have the state, the same end")
def _():
    store, run = begin("coordinator")
    run_on(run, 1.5)
    kill(store.daemons()["coordinator"])
    run.await_line('"state":"running"')
    run_on(run, 1)
    status = same_end(store, run)
    # From its log: who watches may be away just when it is told.
    with open(os.path.join(store.path, "logs", "coordinator.log"),
              encoding="utf-8") as f:
        steps = [int(found.replace(",", "")) for found in re.findall(
            r"the coordinator was started again; on from step [\d,]+ "
            r"\(kept in memory\), ([\d,]+) steps? again", f.read())]
    # Nothing is told where the newest copy is of the newest report.
    assert len(steps) <= 1, steps
    assert status["replayed_steps"] == sum(steps), (
        status["replayed_steps"], steps)
    assert sum(steps) < 2 * calm["few"], (steps, calm["few"])


@T.test("the coordinator and a worker are killed at once: the same end")
def _():
    store, run = begin("both")
    run_on(run, 1.5)
    victims = store.daemons()
    for name in ("coordinator", "w0"):
        os.kill(victims[name], signal.SIGKILL)
    run.await_line('"state":"running"')
    status = same_end(store, run)
    # Perhaps none: a new life counts what the journal had got.
    assert status["replayed_steps"] < 2 * calm["few"], (
        status["replayed_steps"], calm["few"])


@T.test("all workers are killed: back to the newest version, the same end")
def _():
    store, run = begin("workers")
    run_on(run, 1.5)
    victims = store.daemons()
    for name in ("w0", "w1"):
        os.kill(victims[name], signal.SIGKILL)
    status = same_end(store, run)
    assert status["replayed_steps"] > 0, status


T.end()
