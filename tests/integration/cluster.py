"""What the tests of whole clusters share: stores, the tool, processes.

Everything lies below one temporary directory: stores, sockets, job files. A
daemon's command line names its store, so our own processes, and no others,
are found by that directory; they are ended by pid. Nothing here sleeps: a
wait is for a line, a process's end or an event, and each has a deadline.
"""
import atexit
import gzip
import hashlib
import json
import os
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

BIN = os.path.realpath(os.environ.get("CAJAL_BIN") or os.path.join(
    os.path.dirname(__file__), "../../build/bin"))
CAJAL = os.path.join(BIN, "cajal")
PROTOSET = os.path.join(os.path.dirname(BIN), "cajal.protoset")
WHOLE_DATA = os.environ.get("CAJAL_TEST_DATA",
                            "/usr/share/datasets/fashion-mnist")

# Generous: it is there for what hangs, not for what is slow.
DEADLINE = 120

# Short, since a socket's path has at most 100 bytes.
ROOT = tempfile.mkdtemp(prefix="cjit")
ENV = {k: v for k, v in os.environ.items()
       if not k.startswith(("CAJAL_", "OPENBLAS_", "XDG_"))}
ENV["XDG_RUNTIME_DIR"] = os.path.join(ROOT, "run")
ENV["HOME"] = ROOT
os.mkdir(ENV["XDG_RUNTIME_DIR"], 0o700)


class Skip(Exception):
    """This machine cannot do the test; the text says why."""


class Late(Exception):
    """A deadline went by."""


# --- Data ---

def cut_idx(name, count, to):
    """The first count records of an IDX file, not compressed."""
    with gzip.open(os.path.join(WHOLE_DATA, name + ".gz")) as f:
        magic = f.read(4)
        f.read(4)
        shape = f.read(4 * (magic[3] - 1))
        each = 1
        for (width,) in struct.iter_unpack(">I", shape):
            each *= width
        body = f.read(count * each)
    with open(os.path.join(to, name), "wb") as f:
        f.write(magic + struct.pack(">I", count) + shape + body)


def few_examples(to, train=8000, test=1000):
    """A data set like Fashion-MNIST that every worker reads in no time."""
    os.makedirs(to)
    for kind, count in (("train", train), ("t10k", test)):
        cut_idx(f"{kind}-images-idx3-ubyte", count, to)
        cut_idx(f"{kind}-labels-idx1-ubyte", count, to)
    return to


DATA = few_examples(os.path.join(ROOT, "data"))


# --- Jobs -------------------------------------------------------------------

PLASTICITY = """plasticity:
  renew: {policy: continual-backprop, rate: 1e-3, maturity: 100 steps}
  grow: {policy: schedule, every: 5 intervals, add: 8 units, max_units: 96}
  prune: {policy: contribution, below: 5% of mean, probation: 2 intervals}
"""


def job_text(name="small", tasks=3, examples=3200, hidden="[48, 40]",
             shards=4, train="optimizer: sgd, lr: 0.02, batch: 16",
             every=50, plastic=True, keep="every: 200 steps, "
             "on: [grow, prune, task], last: 200", workers=2, threads=1,
             data=None, seed=11):
    return f"""version: 1
name: {name}
seed: {seed}
data:
  format: idx
  dir: {data or DATA}
  tasks: {{kind: permute-pixels, count: {tasks}, examples: {examples}}}
model:
  kind: mlp
  hidden: {hidden}
  shards: {shards}
train: {{{train}}}
report: {{every: {every} steps}}
{PLASTICITY if plastic else ""}keep: {{{keep}}}
run: {{workers: {workers}, threads: {threads}}}
"""


def write(name, text):
    path = os.path.join(ROOT, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def job(name="small", **keys):
    return write(f"{name}.yaml", job_text(name=name, **keys))


# --- Processes --------------------------------------------------------------

def our_processes(below=None):
    """{pid: argv} of processes whose arguments name our directory."""
    found = {}
    needle = (below or ROOT) + ("" if below is None else "\0")
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as f:
                line = f.read().decode(errors="replace")
            with open(f"/proc/{entry}/stat", encoding="utf-8") as f:
                state = f.read().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if needle in line and state != "Z":
            found[int(entry)] = line.rstrip("\0").split("\0")
    return found


def wait_gone(pid, seconds=DEADLINE):
    """Waits for the end of any process, a child or not."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], seconds)[0])
    finally:
        os.close(fd)


def kill(pid, number=signal.SIGKILL):
    """Ends one of our processes, and sees it gone."""
    if pid not in our_processes():
        raise AssertionError(f"process {pid} is not there or not ours")
    os.kill(pid, number)
    if not wait_gone(pid):
        raise Late(f"process {pid} outlives signal {number}")


def end_everything():
    left = our_processes()
    for pid in left:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    for pid in left:
        wait_gone(pid, 10)
    shutil.rmtree(ROOT, ignore_errors=True)


atexit.register(end_everything)
# A stage's time limit ends us so; then the atexit functions must run too.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


class Answer:
    """What a command said."""

    def __init__(self, argv, code, out, err):
        self.argv, self.code, self.out, self.err = argv, code, out, err

    def __str__(self):
        words = " ".join(self.argv[1:])
        return (f"cajal {words}: exit {self.code}\n{self.out[-1500:]}"
                f"{self.err[-1500:]}")


def tool(*args, code=0, stdin="", seconds=DEADLINE, env=None):
    """Runs the tool to its end. code: what it must exit with; None: any."""
    argv = [CAJAL, *map(str, args)]
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True,
                              text=True, timeout=seconds, check=False,
                              env={**ENV, **(env or {})})
    except subprocess.TimeoutExpired as late:
        raise Late(f"cajal {' '.join(argv[1:])}: no end within {seconds} s\n"
                   f"{(late.stdout or b'')[-500:]}") from late
    answer = Answer(argv, done.returncode, done.stdout, done.stderr)
    if code is not None and answer.code != code:
        raise AssertionError(f"wanted exit {code}: {answer}")
    return answer


class Running:
    """A program that goes on beside the test; its lines are awaited. They are
    read all the time, since a daemon leaves out of its log what nobody
    reads."""

    def __init__(self, argv, env=None):
        self.argv = list(map(str, argv))
        self.lines = []
        self.seen = 0
        self.ended = False
        self.news = threading.Condition()
        self.process = subprocess.Popen(
            self.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env={**ENV, **(env or {})})
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            if line.endswith(b"\n"):
                with self.news:
                    self.lines.append(line[:-1].decode(errors="replace"))
                    self.news.notify_all()
        with self.news:
            self.ended = True
            self.news.notify_all()

    def _last(self, what, count=8):
        return "\n".join([f"{' '.join(self.argv)}: {what}",
                          *self.lines[-count:]])

    def _next(self, until):
        """There is more, or it has ended. With news."""
        if not self.news.wait(max(0, until - time.monotonic())):
            raise Late(self._last("nothing came in time; last:"))

    def await_line(self, pattern, seconds=DEADLINE):
        """The first line from here on that has pattern, as a match."""
        until = time.monotonic() + seconds
        with self.news:
            while True:
                while self.seen < len(self.lines):
                    match = re.search(pattern, self.lines[self.seen])
                    self.seen += 1
                    if match:
                        return match
                if self.ended:
                    raise AssertionError(
                        self._last(f"ended before /{pattern}/:"))
                self._next(until)

    def end(self, code=0, seconds=DEADLINE):
        """Waits for the end, reading on."""
        until = time.monotonic() + seconds
        with self.news:
            while not self.ended:
                self._next(until)
        got = self.process.wait(max(0.1, until - time.monotonic()))
        self.reader.join()
        self.process.stdout.close()
        if code is not None and got != code:
            raise AssertionError(self._last(f"exit {got}:", 12))
        return got


class Store:
    """One store and the tool's view of it."""

    def __init__(self, name):
        self.path = os.path.join(ROOT, name)
        self.name = name
        self.exports = 0

    def tool(self, *args, **keys):
        return tool(*args, "--store", self.path, **keys)

    def json(self, *args, **keys):
        return json.loads(self.tool(*args, "-o", "json", **keys).out)

    def run(self, file, *args, code=0, **keys):
        return self.tool("run", file, *args, code=code, **keys)

    def begin(self, *args):
        """A command that goes on beside the test: run, watch."""
        return Running([CAJAL, *args, "--store", self.path])

    def versions(self, job=None):
        """Oldest first."""
        found = self.json("history", *([job] if job else []))["versions"]
        return sorted(found, key=lambda v: number(v["version"]))

    def export(self, version="@"):
        self.exports += 1
        path = os.path.join(ROOT, f"{self.name}.{self.exports}.safetensors")
        self.tool("export", version, path)
        return read_safetensors(path)[1]

    def digest(self, version="@"):
        return digest(self.export(version))

    def daemons(self):
        """{"coordinator": pid, "w0": pid, ...} of this store."""
        found = {}
        for pid, argv in our_processes(self.path).items():
            program = os.path.basename(argv[0])
            if program == "cajal-coordinator":
                found["coordinator"] = pid
            elif program == "cajal-worker":
                found[argv[argv.index("--name") + 1]] = pid
        return found

    def socket(self):
        """The coordinator's gRPC target, from its own command line."""
        pid = self.daemons()["coordinator"]
        argv = our_processes(self.path)[pid]
        return "unix:" + argv[argv.index("--runtime") + 1] + "/control.sock"

    def follow(self, *args):
        """`watch` to the end, which must be a good one."""
        return self.tool("watch", *args, "--exit-status")

    def up(self, workers):
        self.tool("up", "-w", workers)

    def down(self):
        self.tool("down")


def number(version):
    return int(version.rpartition("v")[2])


# --- Weights ----------------------------------------------------------------

def unique(pairs):
    if len({k for k, _ in pairs}) != len(pairs):
        raise AssertionError(f"a name stands twice in {pairs}")
    return dict(pairs)


def read_safetensors(path):
    """(metadata, {name: (shape, bytes)}); strict: no hole, no leftover."""
    with open(path, "rb") as f:
        raw = f.read()
    (size,) = struct.unpack_from("<Q", raw)
    assert 8 + size <= len(raw), f"header of {size} bytes in {len(raw)}"
    assert size % 8 == 0, "tensors are not aligned to 8 bytes"
    header = json.loads(raw[8:8 + size], object_pairs_hook=unique)
    metadata = header.pop("__metadata__", {})
    assert all(isinstance(v, str) for v in metadata.values()), metadata
    tensors, at = {}, 0
    for name, t in sorted(header.items(), key=lambda i: i[1]["data_offsets"]):
        begin, end = t["data_offsets"]
        count = 1
        for width in t["shape"]:
            count *= width
        assert t["dtype"] == "F32", (name, t)
        assert begin == at and end - begin == 4 * count, (name, t)
        tensors[name] = (t["shape"], raw[8 + size + begin:8 + size + end])
        at = end
    assert 8 + size + at == len(raw), "bytes after the last tensor"
    return metadata, tensors


def digest(tensors):
    sha = hashlib.sha256()
    for name in sorted(tensors):
        shape, data = tensors[name]
        sha.update(f"{name}{shape}".encode() + data)
    return sha.hexdigest()


def floats(data):
    return struct.unpack(f"<{len(data) // 4}f", data)


def furthest(a, b):
    """The largest difference between two sets of tensors."""
    assert {n: s for n, (s, _) in a.items()} == \
        {n: s for n, (s, _) in b.items()}, "the shapes differ"
    return max(abs(x - y) for n in a
               for x, y in zip(floats(a[n][1]), floats(b[n][1])))


# --- Tests ------------------------------------------------------------------

class Tests:
    """Runs functions in order; prints a line for each, then the counts."""

    def __init__(self):
        self.passed = self.failed = 0
        self.begun = time.monotonic()

    def test(self, name):
        def run(function):
            try:
                function()
            except Skip as skip:
                print(f"skip  {name}: {skip}", flush=True)
            except Exception as failure:  # a test must not end the others
                self.failed += 1
                print(f"FAIL  {name}", flush=True)
                text = str(failure) or traceback.format_exc()
                where = traceback.extract_tb(failure.__traceback__)
                ours = [f for f in where if f.filename != __file__] or where
                print(f"      line {ours[-1].lineno}: {ours[-1].line}")
                for line in text.strip().splitlines()[-25:]:
                    print("      " + line[:300])
                sys.stdout.flush()
            else:
                self.passed += 1
                print(f"ok    {name}", flush=True)
            return function
        return run

    def end(self):
        @self.test("nothing is left running")
        def _():
            until = time.monotonic() + 20
            for pid in our_processes():
                if not wait_gone(pid, max(0, until - time.monotonic())):
                    raise AssertionError(our_processes().get(pid))

        print(f"-- {time.monotonic() - self.begun:.0f} s")
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        sys.exit(1 if self.failed else 0)
