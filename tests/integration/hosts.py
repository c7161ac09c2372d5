"""Several hosts: network namespaces joined by a bridge of their own.

Coordinator and workers are started by hand, as deploy/README.md says. Needs
root; nothing of the machine's own network is touched.
"""
import atexit
import os
import re
import subprocess

from cluster import (BIN, CAJAL, DEADLINE, ENV, ROOT, Answer, Running, Skip,
                     Store, Tests, digest, job, kill, read_safetensors)

T = Tests()
NET = "10.77.0"
SWITCH = f"cj{os.getpid()}s"
HOSTS = {n: f"cj{os.getpid()}h{n}" for n in (1, 2, 3)}
COORDINATOR = f"{NET}.1:7070"
FILE = job("hosts", tasks=3, examples=6400,
           train="optimizer: {name: adam}, lr: 1e-3, batch: 8")
state = {}


def ip(*words, check=True):
    done = subprocess.run(["ip", *words], capture_output=True, text=True,
                          check=False)
    if check and done.returncode != 0:
        raise Skip(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done


def pull_cables():
    for name in (SWITCH, *HOSTS.values()):
        ip("netns", "del", name, check=False)


def lay_cables():
    if os.geteuid() != 0:
        raise Skip("network namespaces are made by root only")
    atexit.register(pull_cables)
    ip("netns", "add", SWITCH)
    ip("-n", SWITCH, "link", "add", "bridge", "type", "bridge")
    ip("-n", SWITCH, "link", "set", "bridge", "up")
    for n, host in HOSTS.items():
        ip("netns", "add", host)
        ip("-n", host, "link", "add", "eth0", "type", "veth", "peer", "name",
           f"port{n}", "netns", SWITCH)
        ip("-n", SWITCH, "link", "set", f"port{n}", "master", "bridge", "up")
        ip("-n", host, "addr", "add", f"{NET}.{n}/24", "dev", "eth0")
        ip("-n", host, "link", "set", "eth0", "up")
        ip("-n", host, "link", "set", "lo", "up")


def on_host(n, program, *args):
    """`ip netns exec` becomes the program: its pid is the program's."""
    return Running(["ip", "netns", "exec", HOSTS[n], os.path.join(BIN, program),
                    *args])


def tool_on(n, *args, code=0):
    done = subprocess.run(["ip", "netns", "exec", HOSTS[n], CAJAL, *args],
                          stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, env=ENV, timeout=DEADLINE, check=False)
    answer = Answer(["cajal", *args], done.returncode, done.stdout,
                    done.stderr)
    assert code is None or answer.code == code, f"wanted {code}: {answer}"
    return answer


def remote(n, *args, **keys):
    return tool_on(n, "--address", COORDINATOR, "--insecure", *args, **keys)


def start_coordinator():
    state["coordinator"] = on_host(
        1, "cajal-coordinator", "--store", ROOT + "/far", "--runtime",
        ROOT + "/far-run", "--insecure", "--resume", "--listen", COORDINATOR,
        "--workers", f"tcp://{NET}.1:7071", "--chunks", f"tcp://{NET}.1:7072",
        "--timeout-ms", "3000")
    state["coordinator"].await_line("shell started")


def start_worker(n):
    worker = on_host(n, "cajal-worker", "--name", f"w{n}", "--connect",
                     f"tcp://{NET}.1:7071", "--data", f"tcp://{NET}.{n}:*",
                     "--insecure", "--store", ROOT + "/far")
    worker.await_line("host joined")
    state[n] = worker


def weights():
    path = ROOT + "/far.safetensors"
    remote(3, "export", "@", path)
    return digest(read_safetensors(path)[1])


def need_hosts():
    if "ready" not in state:
        raise Skip("there are no hosts, see above")


@T.test("three hosts: a coordinator, and a worker on each of two others")
def _():
    lay_cables()
    start_coordinator()
    for n in (2, 3):
        start_worker(n)
    state["ready"] = True
    workers = remote(3, "workers").out
    assert f"{NET}.2:" in workers and f"{NET}.3:" in workers, workers


@T.test("without --insecure the tool does not speak to another host")
def _():
    need_hosts()
    answer = tool_on(3, "--address", COORDINATOR, "jobs", code=2)
    assert COORDINATOR in answer.err and "--insecure" in answer.err, answer


@T.test("a job over three hosts ends with the bits of one host")
def _():
    need_hosts()
    near = Store("near")
    near.run(FILE, "-w", 2)
    state["end"] = near.digest()
    said = remote(3, "launch", FILE).out.strip()
    assert said == "j1", said
    remote(2, "watch", "j1", "--exit-status")
    assert weights() == state["end"]
    status = remote(3, "status", "-o", "json").out
    assert len(re.findall(r'"bytes_sent":\s*[1-9]', status)) == 2, status


@T.test("a cable is cut in mid-run and mended: the job ends with the same bits")
def _():
    need_hosts()
    remote(3, "launch", FILE)
    watch = on_host(1, "cajal", "--address", COORDINATOR, "--insecure",
                    "watch", "j2", "--exit-status")
    watch.await_line("version=v3")
    ip("-n", SWITCH, "link", "set", "port2", "down")
    state["coordinator"].await_line("job fault job=j2")
    ip("-n", SWITCH, "link", "set", "port2", "up")
    watch.end(0)
    assert weights() == state["end"]


@T.test("the coordinator's host loses its process: a new one goes on")
def _():
    need_hosts()
    remote(3, "launch", FILE)
    watch = on_host(3, "cajal", "--address", COORDINATOR, "--insecure",
                    "watch", "j3", "--exit-status")
    watch.await_line("version=v3")
    kill(state["coordinator"].process.pid)
    state["coordinator"].end(None)
    start_coordinator()
    watch.end(0)
    assert weights() == state["end"]
    assert "0 faults" in remote(2, "verify").out


@T.test("down over the network ends every process on every host")
def _():
    need_hosts()
    remote(3, "down")
    for each in ("coordinator", 2, 3):
        state[each].end(0)


T.end()
