"""Who may come in by 0MQ: a cluster over tcp with keys, and those without.

Coordinator and workers are started by hand, as on several hosts, on loopback.
"""
import json
import os
import re
import shutil
import signal
import socket
import time

import curvekeys
import curvepeer
import zmtp
from cluster import (BIN, CAJAL, ROOT, Running, Store, Tests, digest, job, kill,
                     read_safetensors, tool)

T = Tests()
KEYS = ROOT + "/keys"
STORE = ROOT + "/locked"
RUN = ROOT + "/locked-run"
ADDRESS = f"unix:{RUN}/control.sock"
FILE = job("curve", tasks=3, examples=6400,
           train="optimizer: {name: adam}, lr: 1e-3, batch: 8")
# So much more than at rest may a process have while a stranger sends.
GROWTH_MAX = 300 << 20
state = {}


def start_coordinator(*more):
    c = Running([BIN + "/cajal-coordinator", "--store", STORE, "--runtime", RUN,
                 "--keys", KEYS, "--resume", "--timeout-ms", "3000",
                 "--workers", "tcp://127.0.0.1:*",
                 "--chunks", "tcp://127.0.0.1:*", *more])
    line = c.await_line(r'shell started .*workers="(tcp://[0-9.:]+)"')
    state["coordinator"], state["workers"] = c, line.group(1)


def begin_worker(name, *more, keys=None):
    keys = keys or f"{KEYS}/worker-{name}"
    return Running([BIN + "/cajal-worker", "--store", STORE, "--name", name,
                    "--connect", state["workers"], "--data",
                    "tcp://127.0.0.1:*", *(["--keys", keys] if keys != "none"
                                           else []), *more])


def start_worker(name, *more):
    worker = begin_worker(name, *more)
    worker.await_line("host joined")
    state[name] = worker


def locked(*args, **keys):
    return tool("--address", ADDRESS, *args, **keys)


def weights():
    path = ROOT + "/locked.safetensors"
    locked("export", "@", path)
    return digest(read_safetensors(path)[1])


def rss(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def ports(pid):
    """The tcp ports that a process listens at."""
    inodes = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
        except OSError:
            continue
        inodes.update(re.findall(r"^socket:\[(\d+)\]$", target))
    found = []
    with open("/proc/net/tcp", encoding="ascii") as f:
        for line in f.readlines()[1:]:
            words = line.split()
            if words[3] == "0A" and words[9] in inodes:
                found.append(int(words[1].rpartition(":")[2], 16))
    return found


def all_ports():
    return [(name, port) for name in ("coordinator", "w1", "w2")
            for port in ports(state[name].process.pid)]


@T.test("a cluster over tcp with keys ends with the bits of one without")
def _():
    near = Store("near")
    near.run(FILE, "-w", 2)
    state["end"] = near.digest()
    curvekeys.make(KEYS)
    for name in ("w1", "w2", "w3"):
        curvekeys.bundle(KEYS, name)
    start_coordinator()
    start_worker("w1")
    start_worker("w2")
    locked("launch", FILE)
    locked("watch", "j1", "--exit-status")
    assert weights() == state["end"]


@T.test("every port is one of a link with keys: nothing else is listened at")
def _():
    found = all_ports()
    assert len(found) >= 4, found
    for name, port in found:
        s = socket.create_connection(("127.0.0.1", port), timeout=10)
        s.sendall(zmtp.GREETING.replace(b"NULL\0", b"CURVE"))
        assert zmtp.read_exactly(s, 64)[12:17] == b"CURVE", (name, port)
        s.close()


@T.test("a worker without a key, or with one not known, does not come in")
def _():
    stray = curvekeys.bundle(KEYS, "stray", known=False)
    plain = begin_worker("w7", keys="none")
    unknown = begin_worker("w8", keys=stray)
    state["coordinator"].await_line("zap key_not_known")
    answer = locked("workers").out
    assert "w7" not in answer and "w8" not in answer, answer
    for worker in (plain, unknown):
        kill(worker.process.pid, signal.SIGKILL)


@T.test("a key for another coordinator does not come in, and is not asked for")
def _():
    other = ROOT + "/other-keys"
    curvekeys.make(other)
    path = curvekeys.bundle(other, "w6")
    shutil.copy(path + "/curve.pub", f"{KEYS}/workers/w6.pub")
    worker = begin_worker("w6", keys=path)
    worker.await_line("host started")
    until = time.monotonic() + 3
    while time.monotonic() < until:
        assert "w6" not in locked("workers").out
    kill(worker.process.pid, signal.SIGKILL)
    curvekeys.revoke(KEYS, "w6")


@T.test("a key does not come in under another name, and is told so")
def _():
    worker = begin_worker("w9", keys=KEYS + "/worker-w3")
    worker.await_line("start it with --name w3")
    worker.end(code=6)


@T.test("a secret that others can read is refused with a sentence")
def _():
    path = curvekeys.bundle(KEYS, "open")
    os.chmod(path + "/curve.key", 0o644)
    worker = begin_worker("open")
    worker.await_line("chmod 600 " + path + "/curve.key")
    worker.end(code=1)


@T.test("noise at every port disturbs nothing")
def _():
    locked("launch", FILE)
    for round_ in range(20):
        for _, port in all_ports():
            s = socket.create_connection(("127.0.0.1", port), timeout=10)
            try:
                s.sendall(os.urandom(1 + 997 * round_ % 4000)
                          if round_ % 2 else zmtp.GREETING + os.urandom(500))
            except OSError:
                pass
            s.close()
    locked("watch", "j2", "--exit-status")
    assert weights() == state["end"]


@T.test("a peer that never ends its message is cut off before it costs memory")
def _():
    locked_greeting = zmtp.GREETING.replace(b"NULL\0", b"CURVE")
    for name, port in all_ports():
        pid = state[name].process.pid
        before = rss(pid)
        for first in (zmtp.GREETING + zmtp.ready("DEALER"), locked_greeting):
            s = socket.create_connection(("127.0.0.1", port), timeout=10)
            sent = 0
            try:
                s.sendall(first)
                while sent < 1 << 30:
                    s.sendall(zmtp.frame(zmtp.MORE, bytes(1 << 20)))
                    sent += 1 << 20
            except OSError:
                pass
            s.close()
            assert sent < 1 << 30, f"{name}:{port} took everything"
        assert rss(pid) - before < GROWTH_MAX, (name, port, before, rss(pid))


@T.test("a worker whose key is revoked in mid-run is lost at once; "
        "another goes on, to the same bits")
def _():
    start_worker("w3")
    locked("launch", FILE)
    watch = Running([CAJAL, "--address", ADDRESS, "watch", "j3",
                     "--exit-status"])
    watch.await_line("version=v3")
    busy = [w for w in ("w1", "w2", "w3")
            if re.search(rf"\b{w}\b.*\bbusy\b", locked("workers").out)]
    begun = time.monotonic()
    curvekeys.revoke(KEYS, busy[0])
    state["coordinator"].await_line("trust revoked_key")
    took = time.monotonic() - begun
    assert took < 2.5, f"{took:.1f} s"
    watch.end()
    assert weights() == state["end"]
    state["gone"] = busy[0]
    state["coordinator"].await_line("zap key_not_known")
    answer = locked("workers").out
    assert re.search(rf"\b{busy[0]}\b.*\blost\b", answer), answer


@T.test("a key that is given back comes in again by itself")
def _():
    name = state["gone"]
    os.rename(f"{KEYS}/revoked/{name}.pub", f"{KEYS}/workers/{name}.pub")
    until = time.monotonic() + 30
    while not re.search(rf"\b{name}\b.*\b(idle|busy)\b",
                        locked("workers").out):
        assert time.monotonic() < until, locked("workers").out


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def frame_header(**fields):
    """FrameHeader of wire.proto, by field number."""
    numbers = {"job": 1, "term": 2, "pass_": 3, "kind": 4, "rows": 10,
               "columns": 11, "from_worker": 12}
    return b"".join(varint(numbers[name] << 3) + varint(value)
                    for name, value in fields.items())


@T.test("a frame of an older term is dropped and told, and changes nothing")
def _():
    run = ROOT + "/open-run"
    address = f"unix:{run}/control.sock"
    c = Running([BIN + "/cajal-coordinator", "--store", ROOT + "/open",
                 "--runtime", run, "--workers", "tcp://127.0.0.1:*",
                 "--chunks", "tcp://127.0.0.1:*"])
    line = c.await_line(r'shell started .*workers="(tcp://[0-9.:]+)"')
    workers = [Running([BIN + "/cajal-worker", "--store", ROOT + "/open",
                        "--name", name, "--connect", line.group(1), "--data",
                        "tcp://127.0.0.1:*"]) for name in ("w1", "w2")]
    data = [worker.await_line(r"host started .*data=(tcp://[0-9.:]+)").group(1)
            for worker in workers]
    for worker in workers:
        worker.await_line("host joined")
    tool("--address", address, "launch", FILE)
    watch = Running([CAJAL, "--address", address, "watch", "j1",
                     "--exit-status"])
    watch.await_line("version=v2")
    old = frame_header(job=1, term=0, pass_=7, kind=1, rows=1, columns=2,
                       from_worker=1)
    s = zmtp.open_peer(data[0], "PUSH")
    for _ in range(50):
        s.sendall(zmtp.message(old, bytes(8)))
    workers[0].await_line("trust stale_frame")
    watch.end()
    path = ROOT + "/open.safetensors"
    tool("--address", address, "export", "@", path)
    assert digest(read_safetensors(path)[1]) == state["end"]
    lines = [line for line in workers[0].lines if "stale_frame" in line]
    assert len(lines) == 1, lines
    s.close()
    for running in (*workers, c):
        kill(running.process.pid, signal.SIGTERM)


@T.test("with keys too: a frame of a term that a restore has ended, under the "
        "key of the worker that it names, is dropped and told once")
def _():
    run, address = ROOT + "/stale-run", f"unix:{ROOT}/stale-run/control.sock"
    c = Running([BIN + "/cajal-coordinator", "--store", ROOT + "/stale",
                 "--runtime", run, "--keys", KEYS,
                 "--workers", "tcp://127.0.0.1:*",
                 "--chunks", "tcp://127.0.0.1:*"])
    line = c.await_line(r'shell started .*workers="(tcp://[0-9.:]+)"')
    workers, data = [], []
    for name in ("w1", "w2"):
        worker = Running([BIN + "/cajal-worker", "--store", ROOT + "/stale",
                          "--name", name, "--connect", line.group(1), "--data",
                          "tcp://127.0.0.1:*", "--keys",
                          f"{KEYS}/worker-{name}"])
        data.append(worker.await_line(
            r"host started .*data=(tcp://[0-9.:]+)").group(1))
        worker.await_line("host joined")
        workers.append(worker)
    tool("--address", address, "launch", FILE)
    watch = Running([CAJAL, "--address", address, "watch", "j1",
                     "--exit-status"])
    watch.await_line("version=v2")
    # The restore raises the term: that of the launch is good for nothing now.
    term = int(workers[0].await_line(r"session_ready .*term=(\d+)").group(1))
    tool("--address", address, "restore", "j1@v1", "--yes")
    watch.await_line("restore")
    watch.await_line("version=v")
    peer = curvepeer.Push(data[0], KEYS + "/worker-w2", KEYS + "/worker-w1")
    old = frame_header(job=1, term=term, pass_=7, kind=1, rows=1, columns=2,
                       from_worker=2)
    for _ in range(50):
        peer.send(old, bytes(8))
    told = workers[0].await_line(r"trust stale_frame from=w2 .*all=(\d+)")
    assert int(told.group(1)) >= 1
    watch.end()
    peer.close()
    path = ROOT + "/stale.safetensors"
    tool("--address", address, "export", "@", path)
    assert digest(read_safetensors(path)[1]) == state["end"]
    status = json.loads(tool("--address", address, "status", "j1", "-o",
                             "json").out)
    assert status["state"] == "finished", status
    for running in (*workers, c):
        kill(running.process.pid, signal.SIGTERM)
        running.end(code=None)
    said = "\n".join(workers[0].lines)
    assert said.count("stale_frame") == 1, said
    for running in (*workers, c):
        for word in ("trust message_refused", "key_not_known", "peer_lost"):
            assert not any(word in line for line in running.lines), word


@T.test("keys that the tool has made let a worker in, until it revokes them")
def _():
    keys, run = ROOT + "/tool-keys", ROOT + "/tool-run"
    tool("keys", "init", "--keys", keys, "--host", "127.0.0.1")
    tool("keys", "add", "worker", "w1", "--keys", keys)
    c = Running([BIN + "/cajal-coordinator", "--store", ROOT + "/tool",
                 "--runtime", run, "--keys", keys,
                 "--workers", "tcp://127.0.0.1:*"])
    line = c.await_line(r'shell started .*workers="(tcp://[0-9.:]+)"')
    worker = Running([BIN + "/cajal-worker", "--store", ROOT + "/tool",
                      "--name", "w1", "--connect", line.group(1), "--data",
                      "tcp://127.0.0.1:*", "--keys", keys + "/worker-w1"])
    worker.await_line("host joined")
    tool("keys", "revoke", "w1", "--keys", keys)
    c.await_line("trust revoked_key")
    c.await_line("zap key_not_known")
    kill(worker.process.pid, signal.SIGKILL)
    kill(c.process.pid, signal.SIGTERM)


@T.test("what was refused is counted, where `version` shows it")
def _():
    about = json.loads(locked("version", "-o", "json").out)["coordinator"]
    assert about["keys_refused"] > 0, about
    assert about["messages_refused"] > 0, about


@T.test("addresses beyond this machine need keys or --insecure, on every side")
def _():
    refusal = Running([BIN + "/cajal-coordinator", "--store", ROOT + "/no",
                       "--runtime", ROOT + "/no-run", "--workers",
                       "tcp://0.0.0.0:*"], env={"HOME": ROOT + "/nowhere"})
    refusal.await_line("--keys DIR")
    refusal.end(code=2)
    for more in (["--data", "tcp://10.1.2.3:*"],
                 ["--data", "tcp://127.0.0.1:*", "--vault",
                  "tcp://10.1.2.3:*"]):
        worker = Running([BIN + "/cajal-worker", "--name", "w1", "--connect",
                          "tcp://127.0.0.1:1", *more])
        worker.await_line("--keys DIR")
        worker.end(code=2)
    worker = Running([BIN + "/cajal-worker", "--name", "w1", "--connect",
                      "tcp://127.0.0.1:1", "--data", "tcp://10.1.2.3:*",
                      "--keys", KEYS + "/worker-w1", "--data-curve", "off"])
    worker.await_line("--insecure")
    worker.end(code=2)


@T.test("all end on SIGTERM")
def _():
    for name in ("w1", "w2", "w3", "coordinator"):
        kill(state[name].process.pid, signal.SIGTERM)


T.end()
