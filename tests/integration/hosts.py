"""Several hosts: coordinator and workers far from each other."""
import re

from cables import Cluster, address, cut, lay_cables, mend, tool_on
from cluster import ROOT, Skip, Store, Tests, digest, job, kill, \
    read_safetensors

T = Tests()
FILE = job("hosts", tasks=3, examples=6400,
           train="optimizer: {name: adam}, lr: 1e-3, batch: 8")
far = Cluster(ROOT + "/far")
state = {}


def weights():
    path = ROOT + "/far.safetensors"
    far.tool("export", "@", path, n=3)
    return digest(read_safetensors(path)[1])


def need_hosts():
    if "ready" not in state:
        raise Skip("there are no hosts, see above")


@T.test("three hosts: a coordinator, and a worker on each of two others")
def _():
    lay_cables((1, 2, 3))
    far.start_coordinator()
    for n in (2, 3):
        far.start_worker(n)
    state["ready"] = True
    workers = far.tool("workers", n=3).out
    assert f"{address(2)}:" in workers and f"{address(3)}:" in workers, workers


@T.test("without --insecure the tool does not speak to another host")
def _():
    need_hosts()
    answer = tool_on(3, "--address", far.target, "jobs", code=2)
    assert far.target in answer.err and "--insecure" in answer.err, answer


@T.test("a job over three hosts ends with the bits of one host")
def _():
    need_hosts()
    near = Store("near")
    near.run(FILE, "-w", 2)
    state["end"] = near.digest()
    said = far.tool("launch", FILE, n=3).out.strip()
    assert said == "j1", said
    far.tool("watch", "j1", "--exit-status", n=2)
    assert weights() == state["end"]
    status = far.tool("status", "-o", "json", n=3).out
    assert len(re.findall(r'"bytes_sent":\s*[1-9]', status)) == 2, status


@T.test("a cable is cut in mid-run and mended: the job ends with the same bits")
def _():
    need_hosts()
    far.tool("launch", FILE, n=3)
    watch = far.begin("watch", "j2", "--exit-status")
    watch.await_line("version=v3")
    cut(2)
    far.coordinator.await_line("job fault job=j2")
    mend(2)
    watch.end(0)
    assert weights() == state["end"]


@T.test("the coordinator's host loses its process: a new one goes on")
def _():
    need_hosts()
    far.tool("launch", FILE, n=3)
    watch = far.begin("watch", "j3", "--exit-status", n=3)
    watch.await_line("version=v3")
    kill(far.coordinator.process.pid)
    far.coordinator.end(None)
    far.start_coordinator()
    watch.end(0)
    assert weights() == state["end"]
    assert "0 faults" in far.tool("verify", n=2).out


@T.test("down over the network ends every process on every host")
def _():
    need_hosts()
    far.tool("down", n=3)
    far.coordinator.end(0)
    for worker in far.processes.values():
        worker.end(0)


T.end()
