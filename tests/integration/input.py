"""Bad input from people, disks and peers: a clear sentence, nothing lost."""
import concurrent.futures
import contextlib
import os
import random
import shutil
import socket
import struct
import subprocess
import threading

import grpc

import rpc
import zmtp
from cluster import (BIN, DATA, ENV, ROOT, Answer, Late, Skip, Store, Tests,
                     job, job_text, tool, write)

T = Tests()
SIZES = dict(tasks=2, examples=6400,
             train="optimizer: sgd, lr: 0.02, batch: 8")
calm = {}


def says(answer, *words):
    """The sentence names the thing, and stdout has no half a document."""
    for word in words:
        assert word in answer.err, f"no \"{word}\": {answer}"
    assert answer.out == "", answer
    for jargon in ("gRPC", "grpc", "MDB_", "errno", "STATUS_", "UNKNOWN:"):
        assert jargon not in answer.err, answer


def daemon(name, *args, code, seconds=60):
    """A daemon that must end by itself, with this code."""
    try:
        done = subprocess.run([os.path.join(BIN, name), *args], env=ENV,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as late:
        raise Late(f"{name} {args} goes on") from late
    answer = Answer([name, *args], done.returncode, done.stdout, done.stderr)
    assert done.returncode == code, f"wanted exit {code}: {answer}"
    return answer


def whole(store):
    found = store.json("verify")
    assert found["faults"] == [], found


# --- Job files and command lines ---

ERRORS = [
    ("optimizer: sgd", "optimiser: sgd", "optimizer", "unknown key"),
    ("lr: 0.02", "lr: fast", "lr", "a word for a number"),
    ("batch: 16", "batch: 0", "batch", "out of range"),
    ("kind: mlp", "kind: mpl", "mlp", "a misspelt word"),
    ("every: 50 steps", "every: 50 parsecs", "steps", "an unknown unit"),
    ("version: 1", "version: 7", "version", "another version"),
    ("hidden: [48, 40]", "hidden: [48, [40]]", "hidden", "a wrong shape"),
    ("seed: 11", "seed: 11\nseed: 12", "seed", "a key twice"),
    ("  format: idx", "\tformat: idx", "tab", "a tab"),
]


def bad_file(old, new, word, what):
    @T.test(f"a job file with {what} is exit 2, with file, line and column")
    def _():
        text = job_text()
        assert old in text
        path = write("bad.yaml", text.replace(old, new, 1))
        answer = tool("run", path, "--store", ROOT + "/never", code=2)
        says(answer, "bad.yaml:", word)
        place = answer.err.split("bad.yaml:")[1].split(":")
        assert int(place[0]) > 0 and int(place[1]) > 0, answer
        line = text.replace(old, new, 1).splitlines()[int(place[0]) - 1]
        at = line[int(place[1]) - 1:]
        assert any(at.startswith(w) for w in new.replace("[", " [").split()
                   ) or "\t" in new, (line, answer.err)
        assert not os.path.exists(ROOT + "/never"), "something was started"


for each in ERRORS:
    bad_file(*each)


@T.test("wrong words on the command line are exit 2 and name the nearest")
def _():
    says(tool("jbos", code=2), "jobs")
    says(tool("status", "--jbo", "j1", code=2), "--jbo")
    says(tool("run", code=2), "JOB.yaml")
    says(tool("run", ROOT + "/no-such.yaml", code=2), "no-such.yaml")
    says(tool("checkout", "v1", code=2), "restore")
    path = job("ok")
    answer = tool("run", path, "--set", "train.lrr=1", code=2)
    says(answer, "train.lr")


# --- Data ---

def copy_of_data(name):
    path = os.path.join(ROOT, name)
    shutil.copytree(DATA, path)
    return path


IMAGES = "train-images-idx3-ubyte"
LABELS = "train-labels-idx1-ubyte"


def cut_short(path):
    os.truncate(os.path.join(path, IMAGES), 1000000)


def foreign(path):
    with open(os.path.join(path, IMAGES), "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + bytes(1000))


def half_packed(path):
    os.unlink(os.path.join(path, LABELS))
    with open(os.path.join(path, LABELS + ".gz"), "wb") as f:
        f.write(b"\x1f\x8b\x08\0\0\0\0\0\0\3\x63")


def another_count(path):
    body = bytes(10)
    with open(os.path.join(path, LABELS), "wb") as f:
        f.write(b"\0\0\x08\x01" + len(body).to_bytes(4, "big") + body)


def empty(path):
    os.truncate(os.path.join(path, IMAGES), 0)


BROKEN = [("missing", lambda p: os.unlink(os.path.join(p, IMAGES)), IMAGES),
          ("cut short", cut_short, IMAGES), ("foreign", foreign, IMAGES),
          ("half packed", half_packed, LABELS), ("empty", empty, IMAGES),
          ("of another count", another_count, "10")]


@T.test("missing, cut and foreign data files fail the job by name")
def _():
    store = Store("data")
    for name, spoil, word in BROKEN:
        path = copy_of_data(name.replace(" ", "-"))
        spoil(path)
        file = job("data", data=path)
        answer = store.run(file, "-w", 1, code=1)
        assert word in answer.out and "failed" in answer.out, answer
        status = store.json("status")
        assert status["state"] == "failed" and word in status["reason"], status
    answer = store.tool("validate", file, code=None)
    assert answer.code in (2, 3, 7), answer
    says(answer, "10")
    whole(store)


# --- Versions, jobs, states ---

@T.test("a good run, to break things around")
def _():
    store = Store("good")
    store.run(job("calm", **SIZES), "-w", 2)
    calm["end"] = store.digest()


@T.test("names of nothing are exit 3, and say what there is")
def _():
    store = Store("good")
    says(store.tool("show", "v999", code=3), "v999", "cajal history")
    says(store.tool("export", "v999", ROOT + "/x", code=3), "v999")
    assert not os.path.exists(ROOT + "/x")
    says(store.tool("status", "j9", code=3), "j9", "cajal jobs")
    says(store.tool("history", "nobody", code=3), "nobody")
    says(store.tool("diff", "v1", "champion", code=3), "champion")
    says(Store("nowhere").tool("jobs", code=3), "nowhere")
    assert not os.path.exists(Store("nowhere").path)


@T.test("what changes a job asks, and without a terminal needs --yes")
def _():
    store = Store("good")
    before = store.versions()
    says(store.tool("restore", "v1", code=2), "--yes")
    says(store.tool("undo", code=2), "--yes")
    assert store.versions() == before


@T.test("what the state does not allow is exit 6")
def _():
    store = Store("good")
    says(store.tool("pause", code=6), "finished")
    says(store.tool("cancel", "--yes", code=6), "finished")
    says(store.tool("undo", "--yes", code=6), "never restored")
    store.up(1)
    says(store.tool("resume", code=6), "finished")
    says(store.tool("set", "train.lr=0.1", code=6), "finished")
    store.down()


@T.test("errors are one JSON object on stderr where JSON is asked for")
def _():
    import json
    answer = Store("good").tool("show", "v999", "-o", "json", code=3)
    assert answer.out == ""
    said = json.loads(answer.err)
    assert said["exit"] == 3 and "v999" in said["message"], said


@T.test("an export to where nothing can be written is told, and leaves none")
def _():
    store = Store("good")
    says(store.tool("export", "@", ROOT + "/no/dir/x", code=7), "/no/dir/x")
    path = ROOT + "/as-dir"
    os.mkdir(path)
    says(store.tool("export", "@", path, code=7), path)
    assert os.listdir(path) == [] and not os.path.exists(path + ".tmp")


# --- Addresses ---

@contextlib.contextmanager
def listener(answer=None, linger=False):
    """Something else that listens; answer None: it says nothing."""
    server = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve():
        kept = []
        while not over.is_set():
            try:
                peer, _ = server.accept()
            except OSError:
                return
            kept.append(peer)
            if answer is not None:
                peer.recv(1000)
                peer.sendall(answer)
                if not linger:
                    peer.close()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield server.getsockname()[1]
    finally:
        over.set()
        server.shutdown(socket.SHUT_RDWR)
        server.close()


@T.test("an address where nobody, or somebody else, answers is exit 5")
def _():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    says(tool("jobs", "--address", f"127.0.0.1:{port}", code=5), str(port))
    says(tool("jobs", "--address", "unix:" + ROOT + "/none.sock", code=5),
         "none.sock")
    with listener() as port:
        says(tool("jobs", "--address", f"127.0.0.1:{port}", "--timeout", "1s",
                  code=5, seconds=20), str(port), "1 s")
    http = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    with listener(http) as port:
        says(tool("jobs", "--address", f"127.0.0.1:{port}", "--timeout", "3s",
                  code=5, seconds=20), str(port), "Cajal's protocol")
    with listener() as port:
        says(tool("jobs", "--address", f"127.0.0.1:{port}", code=5,
                  seconds=20), str(port), "says nothing")


@T.test("another service of gRPC or HTTP/2 is told from a coordinator; exit 5")
def _():
    other = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
    port = other.add_insecure_port("127.0.0.1:0")
    other.start()
    says(tool("jobs", "--address", f"127.0.0.1:{port}", code=5), str(port),
         "Cajal's protocol")
    other.stop(None)

    def frame(kind, flags, stream, body=b""):
        return struct.pack(">I", len(body))[1:] + struct.pack(
            ">BBI", kind, flags, stream) + body

    # SETTINGS, then to the first request the header ":status: 200" (8 in
    # HPACK's table) and no more; gRPC's retries would abort on it.
    web = frame(4, 0, 0) + frame(4, 1, 0) + frame(1, 5, 1, b"\x88")
    with listener(web, linger=True) as port:
        says(tool("jobs", "--address", f"127.0.0.1:{port}", "--timeout", "3s",
                  code=5, seconds=20), str(port))


@T.test("an address beyond this machine needs --insecure, on every side")
def _():
    says(tool("jobs", "--address", "192.0.2.1:7070", code=2), "192.0.2.1",
         "--insecure")
    store = ROOT + "/refused"
    for flag, value in (("--listen", "0.0.0.0:7070"),
                        ("--workers", "tcp://0.0.0.0:7071"),
                        ("--chunks", "tcp://192.0.2.1:7072")):
        says(daemon("cajal-coordinator", "--store", store, flag, value,
                    code=2), "--insecure")
    for flags in (["--connect", "tcp://192.0.2.1:7071", "--data",
                   "tcp://127.0.0.1:*"],
                  ["--connect", "tcp://127.0.0.1:1", "--data",
                   "tcp://192.0.2.1:*"]):
        says(daemon("cajal-worker", "--name", "w0", "--runtime", ROOT, *flags,
                    code=2), "--insecure")


@T.test("a port or a store that is in use is told, with who has it")
def _():
    with listener() as port:
        answer = daemon("cajal-coordinator", "--store", ROOT + "/ports",
                        "--listen", f"127.0.0.1:{port}", code=5)
        assert str(port) in answer.err and "in use" in answer.err, answer
        answer = daemon("cajal-coordinator", "--store", ROOT + "/ports",
                        "--workers", f"tcp://127.0.0.1:{port}", code=5)
        assert str(port) in answer.err and "in use" in answer.err, answer
    store = Store("good")
    store.up(1)
    pid = store.daemons()["coordinator"]
    says(daemon("cajal-coordinator", "--store", store.path, code=6),
         store.path, str(pid))
    store.json("jobs")
    store.down()


@T.test("a worker with other kernels is refused, with how to pin them")
def _():
    store = Store("good")
    store.up(1)
    link = "ipc://" + os.path.dirname(store.socket()[5:]) + "/workers.sock"
    answer = daemon("cajal-worker", "--name", "odd", "--connect", link,
                    "--runtime", ROOT, "--kernels", "Nehalem", code=6)
    for word in ("--kernels", "Nehalem", "Haswell"):
        assert word in answer.err, answer
    (only,) = store.json("workers")["workers"]
    assert only["name"] == "w0", only
    store.down()


# --- Peers that send what they like ---

def junk(rng):
    return rng.randbytes(rng.choice((0, 1, 7, 32, 33, 300, 5000)))


def header(rng):
    """A frame's header that may well be of the job, but never is true."""
    make = rpc.FACTORY.GetPrototype(
        rpc.POOL.FindMessageTypeByName("cajal.v1.FrameHeader"))
    big = (0, 1, 2, 63, 64, 1000, 2**31, 2**32 - 1)
    names = [f.name for f in make.DESCRIPTOR.fields if f.name != "kind"]
    return make(kind=rng.randrange(6), **{n: rng.choice(big) for n in names}
                ).SerializeToString()


def envelope(rng):
    """A control message with fields that nobody would send."""
    kind = rpc.POOL.FindMessageTypeByName("cajal.v1.Envelope")
    message = rpc.FACTORY.GetPrototype(kind)()
    field = rng.choice(kind.fields)
    inner = getattr(message, field.name)
    inner.SetInParent()
    for one in inner.DESCRIPTOR.fields:
        if one.label == one.LABEL_REPEATED or rng.random() < 0.2:
            continue
        if one.cpp_type in (one.CPPTYPE_UINT32, one.CPPTYPE_UINT64):
            setattr(inner, one.name, rng.choice((0, 1, 2**20, 2**32 - 1)))
        elif one.type == one.TYPE_STRING:
            setattr(inner, one.name, rng.choice(("", "w0", "%s%n", "x" * 900)))
        elif one.type == one.TYPE_BYTES:
            setattr(inner, one.name, rng.randbytes(rng.choice((0, 31, 32))))
    return message.SerializeToString()


def spray(endpoint, kind, make, rng):
    """Bad greetings, bad framing, then messages that only look right."""
    for raw in (b"", b"GET / HTTP/1.1\r\n\r\n", zmtp.GREETING[:20],
                zmtp.GREETING, rng.randbytes(400),
                zmtp.GREETING + zmtp.frame(zmtp.COMMAND, rng.randbytes(90))):
        with zmtp.connect(endpoint) as s:
            with contextlib.suppress(OSError):
                s.sendall(raw)
    with zmtp.open_peer(endpoint, kind) as s:
        for _ in range(150):
            parts = [make(rng) if rng.random() < 0.8 else junk(rng)]
            parts += [junk(rng) for _ in range(rng.choice((0, 1, 1, 2, 9)))]
            try:
                s.sendall(zmtp.message(*parts))
            except OSError:
                break
    with zmtp.open_peer(endpoint, kind) as s:
        # A part that says it is a terabyte: it must not be waited for.
        with contextlib.suppress(OSError):
            s.sendall(zmtp.frame(0, b"x" * 100, 1 << 40))
        assert zmtp.hung_up(s), f"{endpoint}: an oversized part is awaited"


@T.test("workers and coordinator stand what a bad peer sends in mid-run")
def _():
    store = Store("sprayed")
    rng = random.Random(20)
    store.up(2)
    with rpc.Client(store.socket()) as client:
        store.tool("launch", job("calm", **SIZES))
        events = client.events()
        next(e for e in events if e.version == "v2")
        folder = "ipc://" + os.path.dirname(store.socket()[5:])
        before = store.daemons()
        for worker in client.ListWorkers():
            spray(worker.endpoint, "PUSH", header, rng)
        spray(folder + "/workers.sock", "DEALER", envelope, rng)
        spray(folder + "/chunks.sock", "DEALER", header, rng)
        last = list(events)[-1]
        assert last.state == "finished", last
    assert store.daemons() == before, "somebody had to be started again"
    assert store.digest() == calm["end"]
    store.down()
    whole(store)


@T.test("the gRPC port stands what is no gRPC")
def _():
    store = Store("good")
    store.up(1)
    rng = random.Random(21)
    target = "ipc://" + store.socket()[5:]
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    for raw in (b"", b"GET / HTTP/1.1\r\n\r\n", rng.randbytes(4000),
                preface + rng.randbytes(4000),
                preface + b"\xff\xff\xff\x04" + bytes(100)):
        with zmtp.connect(target) as s, contextlib.suppress(OSError):
            s.sendall(raw)
    with rpc.Client(store.socket()) as client:
        too_much = client.raw
        try:
            too_much("Status", b"\x0a\x80\x80\x80\x04" + bytes(8 << 20))
        except rpc.grpc.RpcError as error:
            assert error.code().name in ("RESOURCE_EXHAUSTED",
                                         "INVALID_ARGUMENT"), error
        else:
            raise AssertionError("8 MiB were taken for a request")
        assert client.About().workers == 1
    store.down()


# --- Disks ---

@contextlib.contextmanager
def small_disk(name, size):
    if os.geteuid() != 0:
        raise Skip("a small disk is mounted by root only")
    path = os.path.join(ROOT, name)
    os.mkdir(path)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}",
                           "tmpfs", path], capture_output=True, text=True)
    if done.returncode != 0:
        raise Skip("no tmpfs can be mounted here: " + done.stderr.strip())
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


@T.test("a full disk pauses the job; with room made it goes on, same bits")
def _():
    with small_disk("full", "2m") as path:
        store = Store("full/store")
        answer = store.run(job("calm", **SIZES), "-w", 2, code=None)
        assert answer.code in (1, 7), answer
        said = answer.out + answer.err
        assert "full" in said, answer
        versions = len(store.versions())
        assert versions > 0
        whole(store)
        subprocess.run(["mount", "-o", "remount,size=64m", path], check=True)
        status = store.json("status")
        assert status["state"] == "paused" and "full" in status["reason"], \
            status
        store.up(2)
        store.tool("resume")
        store.follow()
        store.down()
        assert store.json("status")["state"] == "finished"
        assert len(store.versions()) > versions
        assert store.digest() == calm["end"]
        whole(store)


@T.test("a disk too small for any store at all is exit 7, and named")
def _():
    with small_disk("tiny", "16k"):
        answer = daemon("cajal-coordinator", "--store", ROOT + "/tiny/store",
                        "--runtime", ROOT + "/tiny-run", code=7)
        assert "full" in answer.err or "space" in answer.err, answer


@T.test("a store on a network filesystem is refused")
def _():
    types = set()
    with open("/proc/mounts", encoding="utf-8") as f:
        mounts = [line.split()[:3] for line in f]
    for _, where, kind in mounts:
        if kind in ("nfs", "nfs4", "cifs", "9p") and os.access(where, os.W_OK):
            answer = daemon("cajal-coordinator", "--store",
                            where + "/cajal-test-store", code=7)
            assert "network filesystem" in answer.err, answer
            return
        types.add(kind)
    raise Skip("none is mounted here; the unit tests of storage show it")


@T.test("a store that cannot be written is told")
def _():
    file = write("a-file", "no directory")
    answer = daemon("cajal-coordinator", "--store", file, code=7)
    assert file in answer.err, answer
    says(tool("run", job("ok"), "--store", file + "/below", code=7), file)


@T.test("damage on the disk is found by verify: exit 7, and what it is")
def _():
    store = Store("damaged")
    shutil.copytree(Store("good").path, store.path)
    tensors = store.export("v1")
    needle = tensors["hidden1.weight"][1][4000:4064]
    path = os.path.join(store.path, "data.mdb")
    with open(path, "r+b") as f:
        at = f.read().find(needle)
        assert at > 0, "the weights do not lie in the store as they are"
        f.seek(at + 10)
        f.write(bytes([needle[10] ^ 0xff]))
    answer = store.tool("verify", code=7)
    assert "chunk" in answer.out + answer.err, answer
    answer = store.tool("export", "v1", ROOT + "/damaged.out", code=7)
    says(answer, "v1", "hash", "cajal verify")
    assert not os.path.exists(ROOT + "/damaged.out")


T.end()
