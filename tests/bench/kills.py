"""How long a job stands still when a process of its cluster is killed, and
what it costs to be ready for that. See README.md of this folder.

    kills.py [KILLS] [ROUNDS]   (make bench-kills KILLS=100)

Moments come from the coordinator's log and the clock of this machine, the
same one: from just before the signal to the line of the event.
"""
import bisect
import datetime
import os
import random
import re
import signal
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "../integration"))

import cluster  # pylint: disable=wrong-import-position
import rpc  # pylint: disable=wrong-import-position
from cluster import BIN, ROOT, WHOLE_DATA, Running, Store

KILLS = int(sys.argv[1]) if len(sys.argv) > 1 else 20
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 4
ROUND_SECONDS = 10
# Before each kill. At least what it takes that there is a point again, and not
# in step with the points.
PAUSE_S = (1.5, 3.5)
WARM_S = 10  # caches, and the first points, whose memory is new
STILL_S = 60  # a job that takes so long for an interval has stopped
WORKERS = 2

# 9.7 million parameters. More tasks than anybody waits for, no version but the
# first: all that is gone back to lies in memory.
JOB = f"""version: 1
name: kills
seed: 5
data:
  format: idx
  dir: {WHOLE_DATA}
  tasks: {{kind: permute-pixels, count: 50, examples: 60000}}
model: {{kind: mlp, hidden: [2000, 2000, 2000], shards: {WORKERS}}}
train: {{optimizer: sgd, lr: 0.01, batch: 32}}
report: {{every: 5 steps}}
evaluate: {{every: never}}
keep: {{on: [task]}}
run: {{workers: {WORKERS}, threads: 1}}
"""


class Log:
    """The lines of a coordinator's log, with their moments."""

    def __init__(self, path):
        self.path = path
        self.offset = 0
        self.rest = ""

    def lines(self):
        with open(self.path, encoding="utf-8", errors="replace") as f:
            f.seek(self.offset)
            text = self.rest + f.read()
            self.offset = f.tell()
        *whole, self.rest = text.split("\n")
        for line in whole:
            stamp, _, words = line.partition(" ")
            try:
                moment = datetime.datetime.fromisoformat(
                    stamp.replace("Z", "+00:00")).timestamp()
            except ValueError:
                continue
            yield moment, words

    def await_line(self, pattern, seconds=60):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for moment, words in self.lines():
                if re.search(pattern, words):
                    return moment, words
            time.sleep(0.005)
        raise cluster.Late(f"{self.path}: no /{pattern}/ in {seconds} s")


def load():
    return "load " + " ".join(f"{x:.1f}" for x in os.getloadavg())


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))]


EDGES = [0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10]


def show(title, seconds):
    if not seconds:
        return
    print(f"\n{title}: {len(seconds)} kills, "
          f"p50 {percentile(seconds, .5):.2f} s, "
          f"p99 {percentile(seconds, .99):.2f} s, max {max(seconds):.2f} s")
    counts = [0] * (len(EDGES) + 1)
    for s in seconds:
        counts[bisect.bisect_left(EDGES, s)] += 1
    there = [i for i, n in enumerate(counts) if n]
    for i in range(there[0], there[-1] + 1):
        edge = f"to {EDGES[i]:5.2f} s" if i < len(EDGES) else "longer    "
        bar = "#" * round(40 * counts[i] / max(counts))
        print(f"  {edge} {counts[i]:4d} {bar}")


# --- Kills ---

def is_running(store):
    state = store.json("status")["state"]
    assert state == "running", f"the job is {state}: it ended too early"


def one_kill(store, log, name):
    """(seconds until it goes on, until it is where it was, steps again)."""
    pid = store.daemons()[name]
    list(log.lines())
    killed = time.time()
    os.kill(pid, signal.SIGKILL)
    there, words = log.await_line(r"job recovered .*goes on ")
    steps = int(re.search(r"([\d,]+) steps? to compute again", words)
                .group(1).replace(",", ""))
    goes_on = there
    if steps > 5:  # else the first interval has it all
        there, _ = log.await_line(r"job (recovered .*is where it was|fault )")
    return goes_on - killed, there - killed, steps


def kills():
    store = Store("kills")
    file = cluster.write("kills.yaml", JOB)
    store.up(WORKERS)
    store.tool("launch", file)
    log = Log(os.path.join(store.path, "logs", "coordinator.log"))
    log.await_line("job version ")
    time.sleep(5)
    dice = random.Random(1)
    found = {"worker": [], "coordinator": []}
    for i in range(KILLS):
        for victim in found:
            time.sleep(dice.uniform(*PAUSE_S))
            name = victim if victim == "coordinator" else \
                f"w{dice.randrange(WORKERS)}"
            result = one_kill(store, log, name)
            found[victim].append(result)
            print(f"{i + 1:4d} {name:12s} goes on after {result[0]:5.2f} s, "
                  f"there after {result[1]:5.2f} s, {result[2]:4d} steps "
                  f"again   ({load()})", flush=True)
    is_running(store)
    store.tool("cancel", "--yes", code=None)
    store.down()
    for victim, results in found.items():
        show(f"kill -9 of a {victim} to the first interval reported after it",
             [r[0] for r in results])
        show(f"kill -9 of a {victim} to where the job was",
             [r[1] for r in results])


# --- What it costs ---

def step_of(client):
    return client.Status(job="").summary.step


def next_change(client):
    """(moment, step) when an interval has just been reported."""
    before = step_of(client)
    until = time.monotonic() + STILL_S
    while time.monotonic() < until:
        step = step_of(client)
        if step != before:
            return time.monotonic(), step
        time.sleep(0.002)
    raise cluster.Late(f"step {before} is the last for {STILL_S} s")


def start_worker(store, runtime, name):
    return Running([BIN + "/cajal-worker", "--store", store, "--runtime",
                    runtime, "--name", name, "--threads", "1", "--connect",
                    f"ipc://{runtime}/workers.sock"])


def cpu_seconds(workers):
    """That they have computed so far: where other work shares the machine,
    this says more than the clock."""
    ticks = 0
    for worker in workers:
        with open(f"/proc/{worker.process.pid}/stat", encoding="utf-8") as f:
            fields = f.read().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def one_round(store, runtime, off, launch):
    """Examples a second, and ms of CPU a step. A coordinator that is told to end tells its workers
    to end, too: each round has its own."""
    flags = ["--points-off"] if off else []
    daemon = Running([BIN + "/cajal-coordinator", "--store", store,
                      "--runtime", runtime, "--resume", *flags])
    daemon.await_line("shell started")
    workers = [start_worker(store, runtime, f"w{i}") for i in range(WORKERS)]
    address = f"unix:{runtime}/control.sock"
    with rpc.Client(address) as client:
        if launch:
            cluster.tool("--address", address, "launch",
                         os.path.join(ROOT, "kills.yaml"))
        begun = time.monotonic()
        next_change(client)
        while time.monotonic() < begun + WARM_S:
            next_change(client)
        first, last = next_change(client), (0, 0)
        cpu = cpu_seconds(workers)
        while last[0] < first[0] + ROUND_SECONDS:
            last = next_change(client)
        cpu = cpu_seconds(workers) - cpu
    daemon.process.send_signal(signal.SIGTERM)
    daemon.end(0)
    for worker in workers:
        worker.end(0)
    steps = last[1] - first[1]
    return 32 * steps / (last[0] - first[0]), 1000 * cpu / steps


def costs():
    store, runtime = os.path.join(ROOT, "costs"), os.path.join(ROOT, "r")
    cluster.write("kills.yaml", JOB)
    os.mkdir(runtime, 0o700)
    rates = {False: [], True: []}
    costs_ms = {False: [], True: []}
    for i in range(ROUNDS):
        for off in ((False, True), (True, False))[i % 2]:
            rate, cpu = one_round(store, runtime, off,
                                  launch=not rates[False])
            rates[off].append(rate)
            costs_ms[off].append(cpu)
            print(f"points {'off' if off else 'on ':3s} {rate:8.1f} examples/s"
                  f", {cpu:6.2f} ms of CPU a step   ({load()})", flush=True)
    on, off = (statistics.median(rates[k]) for k in (False, True))
    ratios = [a / b for a, b in zip(rates[False], rates[True])]
    print("\nnothing fails, examples/s, median of "
          f"{ROUNDS} rounds (least to most)")
    for words, k in (("with points", False), ("without", True)):
        print(f"  {words:12s} {statistics.median(rates[k]):8.1f} "
              f"({min(rates[k]):.1f} to {max(rates[k]):.1f}), "
              f"{statistics.median(costs_ms[k]):.2f} ms of CPU a step")
    print(f"  ratio of the medians {on / off:.3f}; of rounds beside each "
          f"other {statistics.median(ratios):.3f} "
          f"({min(ratios):.3f} to {max(ratios):.3f})")


if __name__ == "__main__":
    print(f"784-2000-2000-2000-10, batch 32, {WORKERS} workers, "
          f"{os.cpu_count()} cores, {load()}")
    if KILLS:
        kills()
    if ROUNDS:
        costs()
