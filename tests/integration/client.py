"""A client that shares no code with ours, made from the descriptor file."""
import threading
import time

import grpc
import rpc
from cluster import Store, Tests, digest, job, number

T = Tests()
store = Store("client")
FILE = job("client", tasks=3, examples=6400,
           train="optimizer: sgd, lr: 0.02, batch: 8")
held = {}


def refused(code, call):
    """The sentence of a refusal with this code."""
    try:
        reply = call()
        if hasattr(reply, "__next__"):
            list(reply)
    except grpc.RpcError as error:
        assert error.code() == code, f"{error.code()}: {error.details()}"
        assert 10 < len(error.details()) < 500, error.details()
        return error.details()
    raise AssertionError("it was not refused")


@T.test("a client asks a coordinator about itself and its jobs")
def _():
    store.up(2)
    held["client"] = client = rpc.Client(store.socket())
    about = client.About()
    assert about.workers == 2 and about.store == store.path, about
    assert about.pid == store.daemons()["coordinator"] and about.life > 0
    assert about.protocol == 1 and not about.transient
    assert not list(client.ListJobs(all=True))
    workers = list(client.ListWorkers())
    assert [w.state for w in workers] == ["idle", "idle"], workers
    assert {w.pid for w in workers} == {p for n, p in store.daemons().items()
                                        if n != "coordinator"}


def follower(client, into):
    """Each new version's parameters, as they come; it never ends by itself,
    since an ended job may be restored."""
    try:
        for part in client.Follow(job="j1"):
            into.append(part)
    except grpc.RpcError as error:
        into.append(error)


@T.test("it watches a job that somebody launches, from its start to its end")
def _():
    client = held["client"]
    held["parts"], held["events"] = [], []
    store.tool("launch", FILE)
    (listed,) = client.ListJobs()
    assert (listed.job, listed.name) == ("j1", "client"), listed
    held["thread"] = threading.Thread(
        target=follower, args=(client, held["parts"]), daemon=True)
    held["thread"].start()
    events = held["events"] = list(client.events())
    sequences = [e.sequence for e in events if e.kind != "progress"]
    assert sequences == sorted(set(sequences)) and len(sequences) > 20
    assert {e.state for e in events} >= {"waiting", "running", "finished"}
    assert events[-1].kind == "state" and events[-1].state == "finished"
    assert {"version", "grow", "renew", "progress"} <= {e.kind for e in events}
    assert {e.job for e in events} == {"j1"}


@T.test("watched again from the middle, the same events come")
def _():
    kept = [e for e in held["events"] if e.kind != "progress"]
    first = kept[len(kept) // 2].sequence
    again = list(held["client"].events(first=first))
    assert again == [e for e in kept if e.sequence >= first]


@T.test("a version's event names the step of the version")
def _():
    steps = {v.version: v.step for v in held["client"].History(job="j1")}
    told = {e.version: e.step for e in held["events"] if e.kind == "version"}
    assert told == steps, f"{told}\n{steps}"


@T.test("status and history agree with the tool")
def _():
    client = held["client"]
    status = client.Status(job="client")
    assert status.summary.state == "finished"
    assert status.summary.step == status.summary.steps > 0
    assert {w.worker for w in status.workers} == {"w0", "w1"}
    history = list(client.History(job="j1"))
    ours = store.versions()
    assert sorted(v.version for v in history) == \
        sorted(v["version"] for v in ours)
    assert {v.version: v.parameters for v in history} == \
        {v["version"]: v["parameters"] for v in ours}
    newest = list(client.History(job="j1", limit=3))
    assert [v.version for v in newest] == [v.version for v in history][-3:]
    assert len([v for v in history if v.head]) == 1


@T.test("it pulls every layer as the tool exports it")
def _():
    for version in ("@", "v1", "client@v2", "@~1"):
        tensors, ids = rpc.tensors(held["client"].Pull(version=version))
        assert digest(tensors) == store.digest(version), version
    assert len(ids["hidden1.bias"]) == tensors["hidden1.bias"][0][0]
    assert len(set(ids["hidden1.bias"])) == len(ids["hidden1.bias"])


@T.test("it pulls one layer, and a range of its units: rows of the export")
def _():
    client = held["client"]
    whole = store.export("@")
    for layer in ("hidden1", "hidden2", "output"):
        got, _ = rpc.tensors(client.Pull(version="@", layer=layer))
        assert got == {k: v for k, v in whole.items()
                       if k.startswith(layer + ".")}, layer
    (units, inputs), data = whole["hidden2.weight"]
    for first, count in ((0, 1), (5, 7), (units - 1, 1), (3, 0)):
        got, ids = rpc.tensors(client.Pull(
            version="@", layer="hidden2", first_unit=first, units=count))
        rows = count or units - first
        assert got["hidden2.weight"] == (
            [rows, inputs],
            data[4 * inputs * first:4 * inputs * (first + rows)])
        assert got["hidden2.bias"] == (
            [rows],
            whole["hidden2.bias"][1][4 * first:4 * (first + rows)])
        assert len(ids["hidden2.bias"]) == rows


@T.test("it followed the job and got each version's parameters")
def _():
    last = store.versions()[-1]["version"]
    until = time.monotonic() + 20
    while held["thread"].is_alive() and time.monotonic() < until and not any(
            p.version == last and p.last for p in held["parts"]):
        held["thread"].join(0.05)
    parts = [p for p in held["parts"] if not isinstance(p, Exception)]
    versions = {}
    for part in parts:
        versions.setdefault(part.version, []).append(part)
    numbers = [number(v) for v in versions]
    assert numbers == sorted(numbers) and len(numbers) >= 3, numbers
    for version, pieces in versions.items():
        assert pieces[-1].last and not any(p.last for p in pieces[:-1])
        tensors, _ = rpc.tensors(pieces)
        assert digest(tensors) == store.digest(version), version
    assert numbers[-1] == number(store.versions()[-1]["version"]), \
        "the last version never came"


@T.test("a diff, the units of a layer and the metrics come as streams")
def _():
    client = held["client"]
    layers = list(client.Diff(**{"from": "v1", "to": "@"}))
    ours = store.json("diff", "v1", "@")["layers"]
    assert {d.name for d in layers} == {d["name"] for d in ours}
    for ours_one in ours:
        pieces = [d for d in layers if d.name == ours_one["name"]]
        assert [i for p in pieces for i in p.added] == ours_one["added"]
        assert [i for p in pieces for i in p.removed] == ours_one["removed"]
    shown = list(client.Show(version="@"))
    assert "hidden:" in shown[0].config and shown[0].summary.head
    units = [u for s in shown if s.layer == "hidden1" for u in s.units]
    _, ids = rpc.tensors(client.Pull(version="@", layer="hidden1"))
    assert [u.id for u in units] == ids["hidden1.bias"]
    assert {u.state for u in units} <= {"live", "lesioned"}
    metrics = list(client.Metrics(job="j1"))
    assert [m.task for m in metrics] == [0, 1, 2]
    assert all(m.examples == 6400 for m in metrics), metrics


@T.test("what is not there is NOT_FOUND, with its name in the sentence")
def _():
    client, code = held["client"], grpc.StatusCode.NOT_FOUND
    assert "j77" in refused(code, lambda: client.Status(job="j77"))
    assert "nobody" in refused(code, lambda: client.events(job="nobody"))
    assert "v999" in refused(code, lambda: client.Pull(version="v999"))
    assert "v999" in refused(code, lambda: client.Show(version="j1@v999"))
    assert "hidden9" in refused(
        code, lambda: client.Pull(version="@", layer="hidden9"))
    assert "v999" in refused(
        code, lambda: client.Restore(job="j1", version="v999"))


@T.test("what the state does not allow is FAILED_PRECONDITION")
def _():
    client, code = held["client"], grpc.StatusCode.FAILED_PRECONDITION
    assert "finished" in refused(code, lambda: client.Pause(job="j1"))
    assert "finished" in refused(code, lambda: client.Cancel(job="j1"))
    assert "finished" in refused(code, lambda: client.Resume(job="j1"))
    refused(code, lambda: client.Undo(job="j1"))
    refused(code, lambda: client.Set(job="j1", key="train.lr", value="0.1"))


@T.test("what makes no sense is INVALID_ARGUMENT")
def _():
    client, code = held["client"], grpc.StatusCode.INVALID_ARGUMENT
    refused(code, lambda: client.Launch(spec=b"no job"))
    refused(code, lambda: client.Pull(version="@", layer="hidden1",
                                      first_unit=5000))
    refused(code, lambda: client.Tag(job="j1", name="a b", version="@"))
    for name in ("Status", "Watch", "Launch", "Pull"):
        for garbage in (b"\xff" * 40, b"\x0a\xff\xff\xff\xff\x0f"):
            def call(name=name, garbage=garbage):
                reply = held["client"].raw(name, garbage)
                return list(reply) if rpc.STREAMS[name] else reply
            refused(code, call)
    refused(grpc.StatusCode.UNIMPLEMENTED,
            lambda: client.raw("Improvise", b""))


@T.test("a change that is asked for twice with one request id is done once")
def _():
    client = held["client"]
    tag = client.Tag(job="j1", name="good", version="v2", request_id="r1")
    again = client.Tag(job="j1", name="good", version="v2", request_id="r1")
    assert tag.job == again.job == "j1"
    tags = [(t.name, t.version) for t in client.ListTags(job="j1")]
    assert tags == [("good", "v2")], tags
    assert digest(rpc.tensors(client.Pull(version="good"))[0]) == \
        store.digest("v2")


@T.test("clients that go away in the middle of a stream harm nobody")
def _():
    streams = []
    for _ in range(20):
        client = rpc.Client(store.socket())
        streams.append(client.Pull(version="@"))
        streams.append(client.events())
        next(streams[-1])
        client.close()
    assert held["client"].About().workers == 2


@T.test("shutdown by a client ends coordinator and workers")
def _():
    held["client"].Shutdown()
    held["client"].close()
    store.tool("verify")


T.end()
