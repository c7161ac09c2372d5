"""The store as a whole: copied, cleaned up, and full, while training goes on.

What must hold is always the same: the bits of what stays, and of what comes
out in the end, are those of a job that nobody disturbed.
"""
import os
import signal
import struct
import subprocess
import time

from cluster import (DEADLINE, ROOT, Late, Skip, Store, Tests, job, number,
                     our_processes)

T = Tests()
FAST = {"tasks": 3, "examples": 4000, "every": 20}
MANY = "every: 20 steps, on: [grow, prune, task], last: 500"
FEW = "every: 20 steps, on: [grow, prune, task], last: 3"
# start, end, head and its parent, the newest of each cause, three, and what
# may pile up before gc runs: proto/forecast.h.
FEW_MOST = 3 + 12 + 4

plain = Store("plain")
first = {}


def names(store):
    return [v["version"] for v in store.versions()]


def coordinator(store):
    """Its pid, also where it is just being started again."""
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        pid = store.daemons().get("coordinator")
        if pid is not None:
            return pid
        os.sched_yield()
    raise Late("no coordinator is started again")


def disk(store):
    return os.path.getsize(os.path.join(store.path, "data.mdb"))


@T.test("a backup taken while training goes on is a store of one moment")
def _():
    file = job("plain", keep=MANY, **FAST)
    running = plain.begin("run", file, "-w", "2", "-o", "json")
    running.await_line(r'"version": ?"v6"')
    said = plain.json("backup", os.path.join(ROOT, "copy1"))
    assert said["bytes"] > 0 and said["dir"].endswith("copy1"), said
    running.end()
    first["end"] = plain.digest()
    first["versions"] = names(plain)
    copy = Store("copy1")
    had = names(copy)
    assert 5 < len(had) < len(first["versions"]), had
    assert had == first["versions"][:len(had)], had
    assert copy.json("verify")["whole"]
    for version in (had[0], had[3], had[-1]):
        assert copy.digest(version) == plain.digest(version), version


@T.test("the job in the copy goes on to the same bits")
def _():
    copy = Store("copy1")
    copy.up(2)
    copy.follow()
    copy.down()
    assert names(copy) == first["versions"], names(copy)
    assert copy.digest() == first["end"]


@T.test("a restore in the copy ends in the same bits")
def _():
    copy = Store("copy2")
    plain.tool("backup", os.path.join(ROOT, "copy2"))
    copy.tool("restore", "v4", "--yes")
    assert copy.digest() == plain.digest("v4")
    copy.up(1)
    copy.tool("resume")
    copy.follow()
    copy.down()
    assert copy.digest() == first["end"]


@T.test("a backup goes to a new or empty directory only, and is small")
def _():
    answer = plain.tool("backup", os.path.join(ROOT, "copy1"), code=6)
    assert "is not empty" in answer.err, answer
    os.mkdir(os.path.join(ROOT, "empty"))
    plain.tool("backup", os.path.join(ROOT, "empty"))
    assert not os.path.exists(os.path.join(ROOT, "empty.partial"))
    plain.tool("backup", "/proc/no/such", code=7)
    plain.tool("backup", os.path.join(plain.path, "data.mdb"), code=6)


@T.test("a dry run says what gc then does, and gc asks for the job's name")
def _():
    plain.tool("set", "x=y", code=None)  # no cluster: nothing may change
    before = names(plain)
    answer = plain.tool("gc", code=2)
    assert "--confirm=" in answer.err, answer
    plain.tool("gc", "--yes", code=2)
    plain.tool("gc", "--confirm=other", code=2)
    plan = plain.json("gc", "--dry-run")
    assert plan["versions_dropped"] == 0 and names(plain) == before, plan


@T.test("gc takes what the rules allow, and the rest keeps its bits")
def _():
    few = Store("few")
    few.run(job("few", keep="every: 20 steps, on: [grow, prune, task], "
                            "last: 0", **FAST), "-w", 2)
    assert few.digest() == first["end"]
    assert names(few) == first["versions"]
    few.tool("tag", "good", "v7")
    stays = few.digest("v7")
    plan = few.json("gc", "--dry-run")
    assert 0 < plan["versions_dropped"] < len(first["versions"]), plan
    assert "v7" not in plan["versions"] and "v1" not in plan["versions"]
    size = disk(few)
    done = few.json("gc", "--confirm=few")
    for field in ("versions", "versions_dropped", "chunks", "bytes"):
        assert done[field] == plan[field], (field, plan, done)
    left = names(few)
    assert sorted(left + plan["versions"], key=number) == first["versions"]
    assert few.json("verify")["whole"]
    assert few.digest() == first["end"] and few.digest("v7") == stays
    assert disk(few) <= size + (1 << 20)
    assert few.json("gc", "--confirm=j1")["versions_dropped"] == 0
    small = few.json("backup", os.path.join(ROOT, "small"))["bytes"]
    assert small < size - done["bytes"] / 2, (small, size, done)
    first["gone"] = plan["versions"]


@T.test("a version that is gone says so, and its number is not used again")
def _():
    few = Store("few")
    gone = first["gone"][0]
    for words in (["restore", gone, "--yes"], ["show", gone],
                  ["export", gone, os.path.join(ROOT, "x")]):
        answer = few.tool(*words, code=3)
        assert "was dropped by gc on 20" in answer.err, answer
    last = first["versions"][-1]
    few.tool("restore", "good", "--yes")
    assert number(names(few)[-1]) == number(last) + 1
    few.up(2)
    few.tool("resume")
    few.follow()
    few.down()
    assert few.digest() == first["end"]
    # Where the head was before the restore is what undo goes back to.
    few.json("gc", "--confirm=few")
    few.tool("undo", "--yes")
    assert few.digest() == first["end"]
    assert few.json("verify")["whole"]


@T.test("with keep.last the store stays small by itself, in the same bits")
def _():
    auto = Store("auto")
    running = auto.begin("run", job("auto", keep=FEW, **FAST), "-w", "2",
                         "-o", "json")
    running.await_line(r'"version": ?"v4"')
    most = exports = 0
    while running.process.poll() is None:
        found = names(auto)
        most = max(most, len(found))
        # Any of them may go before it is asked for, never in the middle.
        for version in found[-8:-4]:
            answer = auto.tool("export", version, os.path.join(ROOT, "e"),
                               code=None)
            assert answer.code in (0, 3), answer
            exports += answer.code == 0
        if len(running.lines) > 100000:
            break
    running.end()
    assert exports > 0
    assert most <= FEW_MOST, (most, FEW_MOST)
    assert auto.digest() == first["end"]
    assert len(names(auto)) <= FEW_MOST < len(first["versions"])
    assert auto.json("verify")["whole"]
    plan = auto.json("gc", "--dry-run")
    assert plan["spared_chunks"] == 0, plan
    status = auto.json("status")
    assert 0 < status["store_used_bytes"] <= status["store_file_bytes"]
    assert status["store_used_bytes"] < status["forecast_bytes"], status


@T.test("kill -9 of the coordinator again and again around gc: the same bits")
def _():
    shot = Store("shot")
    running = shot.begin("run", job("shot", keep=FEW, **FAST), "-w", "2",
                         "-o", "json")
    for version in (4, 9, 14, 19):
        running.await_line(rf'"version": ?"v{version}"')
        os.kill(coordinator(shot), signal.SIGKILL)
    running.end()
    assert shot.digest() == first["end"]
    shot.json("gc", "--confirm=shot")
    assert shot.json("verify")["whole"]
    assert shot.digest() == first["end"]


def lengthen_chunks(path):
    """Makes chunks longer than the file, in the tree and on their own pages:
    LMDB believes both. Returns how many."""
    count = 0
    with open(path, "r+b") as f:
        pages = f.read()
        for at in range(2 * 4096, len(pages), 4096):
            flags, lower = struct.unpack_from("<HH", pages, at + 10)
            if flags == 4:  # the first page of one that has several
                f.seek(at + 12)
                f.write(struct.pack("<I", 0x7fffffff))
            if flags != 2 or not 16 <= lower <= 4096:
                continue
            for slot in range((lower - 16) // 2):
                (node,) = struct.unpack_from("<H", pages, at + 16 + 2 * slot)
                if node > 4088:
                    continue
                big, key = struct.unpack_from("<HH", pages, at + node + 4)
                if big == 1 and key == 32:
                    f.seek(at + node)
                    f.write(struct.pack("<HH", 0xffff, 0x7fff))
                    count += 1
    return count


@T.test("damage that ends whoever reads it is told, and nobody else ends")
def _():
    hurt = Store("hurt")
    plain.tool("backup", hurt.path)
    hurt.up(1)
    pid = hurt.daemons()["coordinator"]
    assert lengthen_chunks(os.path.join(hurt.path, "data.mdb")) > 5
    answer = hurt.tool("verify", code=7)
    assert "data.mdb is damaged" in answer.out, answer
    answer = hurt.tool("backup", os.path.join(ROOT, "none"), code=7)
    assert not os.path.exists(os.path.join(ROOT, "none")), answer
    assert not os.path.exists(os.path.join(ROOT, "none.partial"))
    assert hurt.daemons().get("coordinator") == pid
    while our_processes(hurt.path):  # who supervises starts others anew
        for other in our_processes(hurt.path):
            try:
                os.kill(other, signal.SIGKILL)
            except ProcessLookupError:
                pass


@T.test("a full disk pauses the job; with room it ends in the same bits")
def _():
    full = Store("full")
    os.mkdir(full.path)
    try:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m",
                               "cajal-test", full.path], check=False,
                              capture_output=True)
    except FileNotFoundError:
        done = None
    if done is None or done.returncode != 0:
        raise Skip("no tmpfs can be mounted here")
    try:
        running = full.begin("run", job("full", keep=MANY, **FAST), "-w", "2",
                             "-o", "json")
        running.end(code=1)
        status = full.json("status")
        assert status["state"] == "paused", status
        assert "full" in status["reason"], status
        assert full.json("verify")["whole"]
        subprocess.run(["mount", "-o", "remount,size=64m", full.path],
                       check=True)
        full.up(2)
        full.tool("resume")
        full.follow()
        full.down()
        assert full.digest() == first["end"]
        assert full.json("verify")["whole"]
    finally:
        for pid in our_processes(full.path):
            os.kill(pid, signal.SIGKILL)
        subprocess.run(["umount", "-l", full.path], check=False)


T.end()
