"""Whoever is killed at whatever moment: the end is the same (promise P3)."""
import os
import re
import signal

import rpc
from cluster import Store, Tests, digest, job, kill

T = Tests()

# Some seconds of work, with many versions and decisions on the way.
FILE = job("kill", tasks=4, examples=6400, train="optimizer: {name: sgd, "
           "momentum: 0.9}, lr: 0.005, batch: 8")
calm = {}
replayed = []

DECISIONS = ("grow", "prune", "renew", "lesion", "heal")


def begin(name):
    store = Store(name)
    return store, store.begin("run", FILE, "-w", 2, "-o", "json")


def await_version(run, version):
    run.await_line(rf'"kind":"version".*"version":"v{version}"')


def decided(run):
    """The decisions that a run told, each once and in order."""
    import json
    events = [json.loads(line) for line in run.lines
              if line.startswith("{\"schema\":\"cajal.v1.Event\"")]
    return [(e["kind"], e["text"]) for e in events if e["kind"] in DECISIONS]


def same_end(store, run):
    run.end(0)
    status = store.json("status")
    assert status["state"] == "finished", status
    replayed.append(status["replayed_steps"])
    assert store.digest() == calm["end"], "the bits differ"
    assert [(v["version"], v["step"], v["cause"], v["hash"])
            for v in store.versions()] == calm["versions"]
    assert decided(run) == calm["decisions"]
    assert store.json("verify")["faults"] == []


@T.test("a calm run, to compare with")
def _():
    store, run = begin("calm")
    run.end(0)
    calm["end"] = store.digest()
    calm["versions"] = [(v["version"], v["step"], v["cause"], v["hash"])
                        for v in store.versions()]
    calm["decisions"] = decided(run)
    status = store.json("status")
    assert status["replayed_steps"] == 0, status
    assert len(calm["versions"]) > 12 and len(calm["decisions"]) > 12


@T.test("the coordinator is killed: the run goes on to the same end")
def _():
    store, run = begin("coordinator")
    await_version(run, 4)
    first = store.daemons()["coordinator"]
    kill(first)
    run.await_line('"state":"running"')
    await_version(run, 8)
    assert store.daemons()["coordinator"] != first
    same_end(store, run)


@T.test("a worker is killed: the run goes on to the same end")
def _():
    store, run = begin("worker")
    await_version(run, 4)
    kill(store.daemons()["w1"])
    same_end(store, run)


@T.test("all daemons are killed at once, and again: the same end")
def _():
    store, run = begin("all")
    for version in (3, 7):
        await_version(run, version)
        victims = store.daemons()
        assert {"coordinator", "w0", "w1"} <= set(victims), victims
        for pid in victims.values():
            os.kill(pid, signal.SIGKILL)
    same_end(store, run)


@T.test("killed before there is any version: the same end")
def _():
    store, run = begin("early")
    run.await_line("waiting|running")
    for name, pid in store.daemons().items():
        if name in ("coordinator", "w0"):
            os.kill(pid, signal.SIGKILL)
    same_end(store, run)


@T.test("a worker that hangs is taken for lost, and is welcome when it wakes")
def _():
    store, run = begin("hang")
    await_version(run, 4)
    pid = store.daemons()["w0"]
    os.kill(pid, signal.SIGSTOP)
    try:
        run.await_line('"kind":"(fault|worker)"')
    finally:
        os.kill(pid, signal.SIGCONT)
    same_end(store, run)


@T.test("steps that were computed again are counted")
def _():
    assert all(steps >= 0 for steps in replayed) and sum(replayed) > 0, \
        replayed


@T.test("run ended by SIGTERM saves; `up` goes on to the same end")
def _():
    store, run = begin("term")
    await_version(run, 5)
    run.process.send_signal(signal.SIGTERM)
    run.end(143)
    assert store.daemons() == {} and store.json("verify")["faults"] == []
    store.up(2)
    store.follow()
    store.down()
    assert store.json("status")["state"] == "finished"
    assert store.digest() == calm["end"]


@T.test("down in mid-run saves; the job goes on with the next up")
def _():
    store = Store("down")
    store.up(2)
    id = store.tool("launch", FILE).out.strip()
    assert re.fullmatch(r"j\d+", id), id
    with rpc.Client(store.socket()) as client:
        events = client.events()
        next(e for e in events if e.version == "v3")
        events.cancel()
    store.down()
    assert store.daemons() == {}
    before = store.json("status")
    assert before["state"] in ("running", "waiting", "paused"), before
    store.up(2)
    store.follow()
    assert store.digest() == calm["end"]
    after = store.json("status")
    assert after["replayed_steps"] == 0, "down did not save where it was"
    store.down()


T.end()
