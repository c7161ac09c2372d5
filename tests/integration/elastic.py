"""Workers that join, are drained, leave or die while a net grows: the same end.

The store's own worker is supervised; the others are started by hand, so that
nobody starts them again.
"""
import json
import os
import signal

import rpc
from cluster import BIN, Running, Store, Tests, job, kill, our_processes

T = Tests()

FILE = job("elastic", tasks=4, examples=9600,
           train="optimizer: sgd, lr: 0.02, batch: 4")
calm = {}


class Elastic(Store):
    """A store with one worker of its own, and those that a test adds."""

    def __init__(self, name):
        super().__init__(name)
        self.up(1)
        self.client = rpc.Client(self.socket())
        self.added = {}

    def add(self, name):
        coordinator = our_processes(self.path)[self.daemons()["coordinator"]]
        runtime = coordinator[coordinator.index("--runtime") + 1]
        self.added[name] = Running(
            [os.path.join(BIN, "cajal-worker"), "--store", self.path,
             "--runtime", runtime, "--name", name, "--threads", "1",
             "--connect", f"ipc://{runtime}/workers.sock"])
        self.added[name].await_line("joined")
        return self.added[name]

    def launch(self, workers):
        self.tool("launch", FILE, "-w", workers)
        self.events = self.client.events()
        self.await_event("version", "")
        return self

    def await_event(self, kind, text):
        return next(e for e in self.events
                    if e.kind == kind and text in e.text)

    def await_move(self, names):
        """The job goes on, on these workers in whatever order."""
        while True:
            text = self.await_event("worker", "goes on").text
            if sorted(text.rpartition(" on ")[2].split(", ")) == sorted(names):
                return text

    def workers(self):
        found = self.json("workers")["workers"]
        return {w["name"]: w for w in found if w["state"] not in
                ("lost", "left")}

    def replayed(self):
        return self.json("status")["replayed_steps"]

    def end(self):
        self.follow()
        assert self.json("status")["state"] == "finished"
        assert self.digest() == calm["end"], "the bits differ"
        assert self.json("verify")["faults"] == []

    def stop(self):
        self.client.close()
        self.down()
        for worker in self.added.values():
            worker.end(None)  # by the coordinator's word


def told(store):
    return [(v["version"], v["step"], v["cause"], v["hash"])
            for v in store.versions()]


@T.test("a calm run on one worker, to compare with")
def _():
    store = Store("calm")
    store.run(FILE, "-w", 1)
    calm["end"], calm["versions"] = store.digest(), told(store)
    status = store.json("status")
    assert status["grows"] > 0 and status["prunes"] > 0, status


@T.test("two join, one is drained, one leaves: nothing is computed twice")
def _():
    store = Elastic("coming").launch("1:3")
    assert len(store.workers()) == 1
    for name in ("x1", "x2"):
        store.add(name)
    store.await_move(["w0", "x1", "x2"])

    answer = json.loads(store.tool("drain", "x1", "-o", "json").out)
    assert answer["state"] == "cordoned", answer
    drained = store.workers()["x1"]
    assert drained["shards"] == 0 and "uncordon x1" in drained["reason"]
    store.await_move(["w0", "x2"])

    store.tool("uncordon", "x1")
    store.await_move(["w0", "x1", "x2"])
    x2 = store.added["x2"]
    x2.process.send_signal(signal.SIGTERM)
    store.await_move(["w0", "x1"])
    x2.end(0)
    assert "x2" not in store.workers()
    assert store.replayed() == 0
    store.end()
    assert store.replayed() == 0
    assert told(store) == calm["versions"]
    store.stop()


@T.test("one is killed: the job goes on with those that are left")
def _():
    store = Elastic("killed")
    for name in ("x1", "x2"):
        store.add(name)
    store.launch("1:3")
    if len(store.json("status")["workers"]) < 3:
        store.await_move(["w0", "x1", "x2"])
    kill(store.added["x1"].process.pid)
    store.end()
    shares = store.json("status")["workers"]
    assert len(shares) == 2, shares
    assert told(store) == calm["versions"]
    store.stop()


@T.test("the last worker leaves: a version is kept, and the next one goes on")
def _():
    store = Elastic("last")
    store.tool("cordon", "w0")
    x1 = store.add("x1")
    store.launch("1")
    x1.process.send_signal(signal.SIGTERM)
    x1.end(0)
    status = store.json("status")
    assert status["state"] == "waiting", status
    assert status["reason"] == \
        "needs 1 worker, 0 of 1 here are idle, 1 is cordoned", status
    assert store.versions()[-1]["step"] == status["step"]
    store.tool("uncordon", "w0")
    store.end()
    assert store.replayed() == 0
    store.stop()


@T.test("a drain that nobody could follow is refused, and changes nothing")
def _():
    store = Elastic("refused").launch("1")
    answer = store.tool("drain", "w0", code=6)
    assert "w0 is needed: j1 runs on no fewer than 1 worker" in answer.err
    assert store.workers()["w0"]["state"] == "busy"
    store.tool("drain", "w7", code=3)
    said = json.loads(store.tool("cordon", "w7", "-o", "json", code=3).err)
    assert said["exit"] == 3, said
    store.tool("drain", code=2)
    store.tool("cancel", "--yes")
    assert "hosts nothing" in store.tool("drain", "w0").out
    store.stop()


@T.test("a drain that outlasts its --timeout is exit 8, and goes on")
def _():
    store = Elastic("late")
    x1 = store.add("x1")
    store.launch("1:2")
    if len(store.json("status")["workers"]) < 2:
        store.await_move(["w0", "x1"])
    os.kill(x1.process.pid, signal.SIGSTOP)
    try:
        answer = store.tool("drain", "x1", "--timeout", "300ms", code=8)
        assert "the drain goes on" in answer.out, answer
        assert store.workers()["x1"]["state"] == "draining"
    finally:
        os.kill(x1.process.pid, signal.SIGCONT)
    store.await_move(["w0"])
    store.end()
    assert store.replayed() == 0
    store.stop()


@T.test("a range in the job file is checked, printed and used")
def _():
    file = job("range", tasks=1, workers="1:2")
    assert "workers: 1:2" in Store("range").tool(
        "validate", file, "--offline").out
    answer = Store("range").tool("validate", job("bad", workers="2:1"),
                                 code=2)
    assert "is not a range from fewer to more" in answer.err, answer
    Store("range").run(file)


T.end()
