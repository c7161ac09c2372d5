"""Mirrors: the store is lost with its disk, and the job goes on elsewhere.

What comes out in the end must be the bits, and the versions, of a job that
nobody disturbed.
"""
import os
import shutil
import signal
import subprocess

from cluster import (DATA, ROOT, Skip, Store, Tests, job, our_processes, tool)

T = Tests()
KEEP = "every: 20 steps, on: [grow, prune, task], last: 500"
FAST = {"tasks": 3, "examples": 4000, "every": 20, "keep": KEEP}
FIELDS = ("version", "step", "cause", "layers", "widths", "parents", "task")

plain = Store("plain")
first = {}


def history(store):
    return [{f: v.get(f) for f in FIELDS} for v in store.versions()]


def mirrors(name):
    return os.path.join(ROOT, name + "-far")


def mirror_file(name):
    (found,) = [f for f in os.listdir(mirrors(name)) if f.endswith(".mirror")]
    return os.path.join(mirrors(name), found)


def begin(store, *args):
    return store.begin("run", job(store.name, **FAST), "-w", "2", "-o", "json",
                       "--set", "store.mirror=" + mirrors(store.name), *args)


def lose(store):
    """Ends everything at once, and the disk of the store is gone."""
    while True:
        pids = our_processes(store.path)
        if not pids:
            break
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
    shutil.rmtree(store.path)


def go_on(store, name, said=None):
    """A new store of that name from the mirror of another; to its end."""
    new = Store(name)
    said = new.json("rebuild", mirrors(store.name))
    assert new.json("verify")["whole"]
    new.up(2)
    new.follow()
    new.down()
    return new, said["jobs"][0]


def assert_same(store):
    assert history(store) == first["history"], history(store)
    assert store.digest() == first["end"]
    assert store.json("verify")["whole"]


@T.test("a job whose store is lost goes on from its mirror: the same bits")
def _():
    plain.run(job("plain", **FAST), "-w", "2")
    first["end"] = plain.digest()
    first["history"] = history(plain)
    one = Store("one")
    running = begin(one)
    running.await_line(r'"version": ?"v6"')
    lose(one)
    running.process.wait()
    new, said = go_on(one, "one-again")
    assert said["versions"] >= 6 and said["name"] == "one", said
    assert said["lost_bytes"] == 0, said
    assert_same(new)


@T.test("the mirror goes on too: lost a second time, and at the end")
def _():
    new = Store("one-third")
    said = new.json("rebuild", mirror_file("one"))["jobs"][0]
    assert said["versions"] == len(first["history"]), said
    assert new.json("status")["state"] == "finished"
    assert_same(new)


@T.test("a torn end is computed again")
def _():
    torn = Store("torn")
    running = begin(torn)
    running.await_line(r'"version": ?"v8"')
    lose(torn)
    running.process.wait()
    path = mirror_file("torn")
    os.truncate(path, os.path.getsize(path) - 777)
    new, said = go_on(torn, "torn-again")
    assert 0 < said["lost_bytes"], said
    assert_same(new)
    new = Store("torn-third")
    said = new.json("rebuild", path)["jobs"][0]
    assert said["lost_bytes"] == 0, said
    assert_same(new)


@T.test("a setting that was acknowledged survives the store")
def _():
    one = Store("rate")
    running = begin(one, "--set", "data.tasks.count=6")
    running.await_line(r'"version": ?"v4"')
    one.tool("set", "train.lr=0.004")
    lose(one)
    running.process.wait()
    new, _ = go_on(one, "rate-again")
    found = new.tool("show", "@").out
    assert "0.004" in found, found


@T.test("what gc has dropped stays dropped, and the rest is there")
def _():
    few = Store("few")
    running = few.begin("run", job("few", **{**FAST, "keep": KEEP.replace(
        "500", "0")}), "-w", "2", "-o", "json", "--set",
        "store.mirror=" + mirrors("few"))
    running.end()
    few.tool("tag", "good", "v7")
    assert few.json("gc", "--confirm=few")["versions_dropped"] > 0
    left = history(few)
    new = Store("few-again")
    said = new.json("rebuild", mirrors("few"))["jobs"][0]
    assert said["versions"] == len(left), said
    assert history(new) == left
    assert new.digest("good") == few.digest("v7")
    assert new.digest() == few.digest() == first["end"]
    answer = new.tool("show", "v3", code=None)
    assert "dropped" in answer.out + answer.err, answer


@T.test("rebuild refuses what it cannot do, and says so")
def _():
    answer = plain.tool("rebuild", mirror_file("one"), code=6)
    assert "there are jobs in it" in answer.err, answer
    none = Store("none")
    none.tool("rebuild", os.path.join(ROOT, "no-such"), code=3)
    os.mkdir(os.path.join(ROOT, "empty"))
    answer = none.tool("rebuild", os.path.join(ROOT, "empty"), code=None)
    assert answer.code != 0 and "no *.mirror file" in answer.err, answer
    both = os.path.join(ROOT, "both")
    os.mkdir(both)
    for name in ("one", "torn"):
        shutil.copy(mirror_file(name), both)
    answer = none.tool("rebuild", both, code=6)
    assert "both of j1" in answer.err or "it is of j1" in answer.err, answer
    wrong = os.path.join(ROOT, "wrong.mirror")
    with open(wrong, "wb") as f:
        f.write(b"no mirror at all" * 100)
    answer = none.tool("rebuild", wrong, code=7)
    assert "no mirror" in answer.err, answer
    none.tool("rebuild", mirror_file("one"))  # nothing was left in the way
    assert_same(none)


@T.test("a mirror that cannot be made refuses the launch by its name")
def _():
    bad = Store("bad")
    blocked = os.path.join(ROOT, "blocked")
    with open(blocked, "w", encoding="utf-8") as f:
        f.write("a file, no directory")
    bad.up(1)
    answer = bad.tool("launch", job("bad", **FAST), "--set",
                      "store.mirror=" + blocked, code=7)
    assert blocked in answer.err, answer
    answer = bad.tool("launch", job("bad", **FAST), "--set",
                      "store.mirror=" + bad.path + "/far", code=2)
    assert "store's own directory" in answer.err, answer
    answer = bad.tool("launch", job("bad", **FAST), "--set",
                      "store.mirror=far", code=2)
    assert "absolute" in answer.err, answer
    assert bad.json("jobs")["jobs"] == [], bad.json("jobs")
    bad.down()


@T.test("an older copy of the store does not cut the mirror short")
def _():
    old = Store("old")
    running = begin(old)
    running.await_line(r'"version": ?"v5"')
    old.json("backup", os.path.join(ROOT, "old-copy"))
    running.end()
    size = os.path.getsize(mirror_file("old"))
    copy = Store("old-copy")
    answer = copy.tool("tag", "mine", "v3", code=None)
    assert answer.code != 0 and "gone further" in answer.err, answer
    assert os.path.getsize(mirror_file("old")) == size


@T.test("a full mirror pauses the job by its name; with room it goes on")
def _():
    full = Store("full")
    far = mirrors("full")
    os.mkdir(far)
    try:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m",
                               "cajal-test", far], check=False,
                              capture_output=True)
    except FileNotFoundError:
        done = None
    if done is None or done.returncode != 0:
        raise Skip("no tmpfs can be mounted here")
    try:
        full.up(2)
        name = full.tool("launch", job("full", **FAST), "--set",
                         "store.mirror=" + far).out.strip()
        full.tool("watch", name, code=None)
        status = full.json("status")
        assert status["state"] == "paused", status
        assert far in status["reason"], status
        other = full.tool("launch", job("other", **FAST)).out.strip()
        full.tool("watch", other, "--exit-status")  # nobody else is hurt
        subprocess.run(["mount", "-o", "remount,size=64m", far], check=True)
        full.tool("resume", name)
        full.tool("watch", name, "--exit-status")
        full.down()
        assert full.digest(name + "@") == first["end"]
        new = Store("full-again")
        new.json("rebuild", far)
        assert_same(new)
    finally:
        for pid in our_processes(full.path):
            os.kill(pid, signal.SIGKILL)
        subprocess.run(["umount", "-l", far], check=False)


T.end()
