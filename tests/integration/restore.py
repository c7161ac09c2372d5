"""A restored job has the future that it had (promise P4).

The job uses Adam and changes its shape all the time. It is put back to a cut
where a growth is granted but not begun and a lesion is on probation, so that
a state that is not whole cannot come to the same end.
"""
import rpc
from cluster import Store, Tests, digest, job, number

T = Tests()
EVERY = 50
store = Store("restore")
first = {}

# Long enough behind the cut that a person's request finds it running.
FILE = job("restore", train="optimizer: {name: adam}, lr: 1e-3, batch: 8",
           every=EVERY, tasks=4, examples=5000,
           keep=f"every: {EVERY} steps, last: 500")

# What the policies did; the rest of the events depends on the cluster.
DECISIONS = ("grow", "prune", "renew", "lesion", "heal", "decision", "set")


def decisions(since_step=0, since=1):
    with rpc.Client(store.socket()) as client:
        return [(e.step, e.kind, e.text) for e in client.events(first=since)
                if e.kind in DECISIONS and e.step >= since_step]


def told(versions):
    """A version without its number, its place in the graph and its time."""
    return [(v["step"], v["task"], v["cause"], v["reason"], v["units"])
            for v in versions]


def good_cut(versions, events):
    """A version in the middle that has everything pending."""
    for v in versions[3:]:
        step = v["step"]
        grows = any(s == step and k == "grow" for s, k, _ in events)
        # Decided at s, begun at s + EVERY, removed 2 intervals later.
        probation = any(s == step - EVERY and k == "lesion"
                        for s, k, _ in events)
        births = sum(s > step and k in ("renew", "grow") for s, k, _ in events)
        if grows and probation and births > 3:
            return v
    raise AssertionError("no version has a growth pending and a lesion on "
                         f"probation: {events}")


@T.test("a job that renews, grows and prunes under Adam comes to its end")
def _():
    store.run(FILE, "-w", 2)
    first["versions"] = store.versions()
    first["end"] = store.digest()
    assert store.json("status")["state"] == "finished"


@T.test("one of its cuts has a growth pending and a lesion on probation")
def _():
    store.up(2)
    first["decisions"] = decisions()
    store.down()
    first["cut"] = good_cut(first["versions"], first["decisions"])
    first["weights"] = store.digest(first["cut"]["version"])


@T.test("a restore of it makes a new version with the same weights and past")
def _():
    cut = first["cut"]
    said = store.json("restore", cut["version"], "--yes")
    head = store.versions()[-1]
    assert said["version"] == head["version"] and head["head"], (said, head)
    assert head["cause"] == "restore" and head["step"] == cut["step"], head
    assert head["units"] == cut["units"], head
    assert cut["version"] in head["parents"], head
    assert head["line"] == cut["line"] + 1, head
    assert store.digest() == first["weights"]
    status = store.json("status")
    assert status["state"] == "paused" and status["step"] == cut["step"], \
        status
    assert store.versions()[:-1] == [dict(v, head=False)
                                     for v in first["versions"]], \
        "the history before the restore was touched"


def go_on(workers):
    store.up(workers)
    store.tool("resume")
    store.follow()


@T.test("resumed on 3 workers instead of 2 it ends with the same bits")
def _():
    go_on(3)
    status = store.json("status")
    assert status["state"] == "finished", status
    assert len(status["workers"]) == 3 and all(
        w["shard_steps"] > 0 for w in status["workers"]), status["workers"]
    assert store.digest() == first["end"]


@T.test("the same decisions were made for the same reasons")
def _():
    cut = first["cut"]
    restored = [v for v in store.versions() if v["cause"] == "restore"][-1]
    with rpc.Client(store.socket()) as client:
        events = list(client.events())
    begin = max(e.sequence for e in events if e.kind == "restore")
    again = [(e.step, e.kind, e.text) for e in events
             if e.sequence > begin and e.kind in DECISIONS]
    # What was decided when the cut was closed is part of it, and the grant
    # after that was still to come.
    before = [d for d in first["decisions"] if d[0] > cut["step"]]
    assert again == before, f"{again[:5]}\n{before[:5]}"
    old = told(v for v in first["versions"] if v["step"] > cut["step"])
    new = told(v for v in store.versions()
               if number(v["version"]) > number(restored["version"]))
    assert old == new, f"{old}\n{new}"
    store.down()


@T.test("undo brings the first future back, bit for bit")
def _():
    end = first["versions"][-1]
    before = store.versions()
    store.tool("restore", first["cut"]["version"], "--yes")
    assert store.digest() == first["weights"]
    said = store.json("undo", "--yes")
    assert store.digest() == first["end"]
    head = store.versions()[-1]
    assert said["version"] == head["version"], said
    assert head["step"] == end["step"] and head["units"] == end["units"], head
    # Only added: nothing that was there has changed but the mark of the head.
    was = [dict(v, head=False) for v in before]
    now = [dict(v, head=False) for v in store.versions()]
    assert now[:len(was)] == was


def await_event(client, wanted, request):
    """Asks for something, then waits for what must come of it."""
    events = client.Watch()
    present = next(events)
    request()
    for event in events:
        if event.sequence > present.sequence and wanted(event):
            events.cancel()
            return event
    raise AssertionError("the events ended")


@T.test("a future that was changed differs, and undo brings the old one back")
def _():
    store.tool("restore", first["cut"]["version"], "--yes")
    store.up(2)
    with rpc.Client(store.socket()) as client:
        await_event(client, lambda e: e.state == "running",
                    lambda: store.tool("resume"))
        store.tool("set", "train.lr=0.01")
        store.follow()
    assert store.json("status")["state"] == "finished"
    assert store.digest() != first["end"], "train.lr=0.01 changed nothing"
    store.tool("undo", "--yes")
    store.down()
    assert store.digest() == first["end"]


@T.test("a running job can be restored: it goes on from there by itself")
def _():
    store.tool("restore", first["cut"]["version"], "--yes")
    store.up(1)
    with rpc.Client(store.socket()) as client:
        await_event(client, lambda e: e.kind == "version",
                    lambda: store.tool("resume"))
        await_event(client, lambda e: e.state == "running" and
                    e.kind == "state", lambda: store.tool(
                        "restore", first["cut"]["version"], "--yes"))
        store.follow()
    assert store.json("status")["state"] == "finished"
    assert store.digest() == first["end"]
    store.down()


@T.test("the store is whole afterwards")
def _():
    found = store.json("verify")
    assert found["faults"] == [] and found["versions"] >= 40, found


T.end()
