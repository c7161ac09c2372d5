"""Bad links between hosts: slow, narrow, lossy, cut for good, deaf on one
side. The bits stay the same, or the state says what is missing; nothing
hangs.
"""
import json

from cables import (Cluster, cut, deafen, delay, hear, lay_cables, lose, mend,
                    shape, unshape)
from cluster import (ROOT, Skip, Store, Tests, digest, job, read_safetensors)

T = Tests()
# Few steps: each takes several turns over a slow link.
FILE = job("links", tasks=2, examples=1280, every=20, hidden="[24, 16]",
           shards=2, keep="every: 40 steps, last: 50")
# Some seconds, for what befalls a job in mid-run.
LONG = job("longer", tasks=4, examples=6400,
           train="optimizer: {name: adam}, lr: 1e-3, batch: 8")
far = Cluster(ROOT + "/links", timeout_ms=2000)
state = {}


def need_hosts():
    if "end" not in state:
        raise Skip("there are no hosts, see above")


def weights():
    path = ROOT + "/links.safetensors"
    far.tool("export", "@", path)
    return digest(read_safetensors(path)[1])


def launch():
    """A long job that has begun, and its watch."""
    name = far.tool("launch", LONG).out.strip()
    watch = far.begin("watch", name, "--exit-status")
    watch.await_line("version=v")
    return name, watch


def same_bits(watch):
    watch.end(0)
    assert weights() == state["long end"]


def run_whole():
    """The short job from start to end over whatever the links are now."""
    name = far.tool("launch", FILE).out.strip()
    far.tool("watch", name, "--exit-status")
    assert weights() == state["end"]


@T.test("three hosts with good links, to compare with")
def _():
    lay_cables((1, 2, 3))
    near = Store("near")
    near.run(LONG, "-w", 2)
    state["long end"] = near.digest()
    near.run(FILE, "-w", 2)
    end = near.digest()
    far.start_coordinator()
    for n in (2, 3):
        far.start_worker(n)
    state["end"] = end
    run_whole()


@T.test("a link of 20 Mbit/s: the same bits")
def _():
    need_hosts()
    shape(3, "20mbit")
    run_whole()
    unshape(3)


@T.test("5% of the packets are lost: the same bits")
def _():
    need_hosts()
    lose(2, 5)
    try:
        run_whole()
    finally:
        hear(2)


@T.test("a partition longer than the timeout, which heals: the same bits")
def _():
    need_hosts()
    name, watch = launch()
    cut(3)
    far.coordinator.await_line(f"job fault job={name}")
    said = json.loads(far.tool("status", name, "-o", "json").out)
    assert said["state"] == "waiting", said
    mend(3)
    same_bits(watch)


@T.test("workers that reach the coordinator but not each other: said so")
def _():
    need_hosts()
    name, watch = launch()
    deafen(3, 2)
    far.coordinator.await_line(f"job fault job={name}")
    far.coordinator.await_line(r"worker w[23] cannot be reached at tcp://")
    hear(3)
    same_bits(watch)


@T.test("a partition that does not heal: status says what is missing")
def _():
    need_hosts()
    name, watch = launch()
    cut(3)
    far.coordinator.await_line(f"job fault job={name}")
    said = json.loads(far.tool("status", name, "-o", "json").out)
    assert said["state"] == "waiting", said
    assert "needs 2 workers, 1 of 1 here is idle" in json.dumps(said), said
    far.tool("cancel", name, "--yes")
    watch.end(None)
    mend(3)


@T.test("50 ms each way to one of the workers: the same bits")
def _():
    need_hosts()
    delay(3, 50)
    run_whole()


@T.test("all processes end")
def _():
    need_hosts()
    far.tool("down")
    far.coordinator.end(0)
    for worker in far.processes.values():
        worker.end(0)


T.end()
