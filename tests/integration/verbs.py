"""What people do with a job: the verbs of the tool on real clusters."""
import json
import math
import operator
import os
import signal
import struct

import rpc
from cluster import (DATA, ROOT, Store, Tests, floats,
                     job, job_text, read_safetensors, tool, write)

T = Tests()

LONG = dict(tasks=4, examples=6400, train="optimizer: sgd, lr: 0.02, batch: 4")


def finite(tensors):
    return all(math.isfinite(x) for _, d in tensors.values()
               for x in floats(d))


def await_event(client, wanted, request, job=""):
    """Asks for something, then waits for what must come of it."""
    events = client.Watch(job=job)
    present = next(events)
    request()
    for event in events:
        if event.sequence > present.sequence and wanted(event):
            events.cancel()
            return event
    raise AssertionError("the events ended")


def begun(store, file, *args):
    """Launches on a running cluster; returns when there is a version 2."""
    client = rpc.Client(store.socket())
    id = store.tool("launch", file, *args).out.strip()
    events = client.events(job=id)
    next(e for e in events if e.kind == "version" and e.version == "v2")
    events.cancel()
    return client, id


# --- A running job ---

@T.test("set changes the rate of a running job, and the history tells")
def _():
    store = Store("set")
    store.up(2)
    client, _ = begun(store, job("long", **LONG))
    event = await_event(client, lambda e: e.kind == "set",
                        lambda: store.tool("set", "train.lr=0.003"))
    assert "train.lr=0.003" in event.text, event
    for bad, word in (("train.lr=fast", "lr"), ("train.batch=8", "batch"),
                      ("train.lrr=1", "Did you mean train.lr?"),
                      ("train.lr=-1", "lr"), ("unknown.key=1", "unknown.key")):
        answer = store.tool("set", bad, code=2)
        assert word in answer.err, answer
    store.tool("set", "train.lr=0.01", "--job", "j99", code=3)
    version = await_event(
        client, lambda e: e.kind == "version" and e.step > event.step + 100,
        lambda: None)
    assert "peak: 0.003" in next(client.Show(version=version.version)).config
    assert "peak: 0.02" in next(client.Show(version="v1")).config
    client.close()


@T.test("pause saves and holds, resume goes on, cancel ends; again is exit 6")
def _():
    store = Store("set")
    store.tool("pause")
    assert store.json("status")["state"] == "paused"
    held = store.json("status")["step"]
    assert store.versions()[-1]["step"] == held
    store.tool("pause", code=6)
    with rpc.Client(store.socket()) as client:
        await_event(client, lambda e: e.kind == "version",
                    lambda: store.tool("resume"))
        store.tool("resume", code=6)
        assert store.json("status")["step"] > held
        store.tool("cancel", "--yes")
    status = store.json("status")
    assert status["state"] == "cancelled", status
    assert store.versions()[-1]["step"] == status["step"]
    store.tool("cancel", "--yes", code=6)
    assert store.json("verify")["faults"] == []
    store.down()


@T.test("a loss that is not finite pauses at the last good version; exit 1")
def _():
    store = Store("nan")
    file = job("nan", train="optimizer: sgd, lr: 1e6, batch: 16")
    answer = store.run(file, "-w", 2, code=1)
    status = store.json("status")
    assert status["state"] == "paused", status
    assert "finite" in status["reason"], status
    assert any(layer in status["reason"] for layer in
               ("hidden1", "hidden2", "output")), status
    assert status["reason"] in answer.out, answer
    head = store.versions()[-1]
    assert finite(store.export("@")), "the head is not good"
    assert status["step"] == head["step"], (status, head)
    assert store.json("verify")["faults"] == []


@T.test("set to a bad rate in mid-run pauses it; restored it goes on as ever")
def _():
    store = Store("disaster")
    file = job("disaster", **{**LONG, "tasks": 2})
    calm = Store("calm")
    calm.run(file, "-w", 1)
    store.up(2)
    client, _ = begun(store, file)
    await_event(client, lambda e: e.state == "paused",
                lambda: store.tool("set", "train.lr=1e6"))
    assert "finite" in store.json("status")["reason"]
    assert finite(store.export("@"))
    # Not the last one before the setting: the grant that holds it may already
    # have been decided there, and is part of that version's future.
    good = store.versions()[0]
    assert "peak: 0.02" in next(client.Show(version=good["version"])).config
    store.tool("restore", good["version"], "--yes")
    store.tool("resume")
    store.follow()
    client.close()
    assert store.json("status")["state"] == "finished"
    assert store.digest() == calm.digest()
    store.down()


# --- Looking ---

@T.test("tags name versions, move, are listed and deleted")
def _():
    store = Store("calm")
    store.tool("tag", "good", "v2")
    store.tool("tag", "best")
    tags = {t["name"]: t["version"] for t in store.json("tag")["tags"]}
    head = store.versions()[-1]["version"]
    assert tags == {"good": "v2", "best": head}, tags
    assert store.digest("good") == store.digest("v2")
    assert [v["tags"] for v in store.versions() if v["version"] == "v2"] == \
        [["good"]]
    store.tool("tag", "good", "v3")
    assert store.digest("good") == store.digest("v3")
    store.tool("tag", "good", "--delete")
    store.tool("show", "good", code=3)
    store.tool("tag", "good", "--delete", code=3)
    store.tool("tag", "v7", "v2", code=2)
    store.tool("tag", "other", "v999", code=3)


@T.test("names of versions: of a job, back from the head, where it was")
def _():
    store = Store("calm")
    head = store.versions()[-1]
    for name in ("@", head["version"], "calm@", "disaster@", "j1@",
                 f"j1@{head['version']}"):
        if name.startswith("calm"):
            continue
        assert store.json("show", name)["version"] == head["version"], name
    assert store.json("show", "@~1")["version"] == head["parents"][0]
    store.tool("restore", "v2", "--yes")
    assert store.json("show", "@{1}")["version"] == head["version"]
    store.tool("undo", "--yes")
    store.tool("show", "@~999", code=3)


@T.test("jobs, workers, version and logs say who is there")
def _():
    store = Store("calm")
    (listed,) = store.json("jobs")["jobs"]
    assert listed["job"] == "j1" and listed["name"] == "disaster", listed
    assert json.loads(store.tool("version", "-o", "json").out)["client"]
    store.up(2)
    said = json.loads(store.tool("version", "-o", "json").out)
    assert said["coordinator"]["workers"] == 2, said
    names = {w["name"] for w in store.json("workers")["workers"]}
    assert names == {"w0", "w1"}
    logs = store.tool("logs", "-n", 500).out
    for word in ("coordinator", "w0", "w1", "host joined", "finished"):
        assert word in logs, f"no {word} in {logs[-2000:]}"
    assert len(store.tool("logs", "-n", 5).out.splitlines()) == 5
    store.down()


@T.test("many commands at the same time share one passing coordinator")
def _():
    store = Store("calm")
    many = [store.begin("history", "-o", "json") for _ in range(8)]
    for one in many:
        one.end(0)
    assert len({"\n".join(one.lines) for one in many}) == 1


def bare(text):
    return [line.split("#")[0].rstrip() for line in text.splitlines()]


def bare(text):
    """A job file without its comments."""
    return [line.partition("#")[0].rstrip() for line in text.splitlines()
            if not line.startswith("#")]


@T.test("validate prints every key that the job would use, and opens the data")
def _():
    file = job("valid", plastic=False)
    offline = tool("validate", file, "--offline", "--set", "train.lr=0.125")
    for words in ("batch: 16", "peak: 0.125", "momentum: 0", "shards: 4",
                  "order: shuffle"):
        assert words in offline.out, offline
    # What is printed is a job file itself, of the same job; its comments say
    # where a value is from.
    again = write("again.yaml", offline.out)
    assert bare(tool("validate", again, "--offline").out) == bare(offline.out)
    online = tool("validate", file, "--store", ROOT + "/valid")
    assert "8000" in online.out + online.err, online
    assert not os.path.exists(ROOT + "/valid/data.mdb") or \
        Store("valid").json("jobs")["jobs"] == []


# --- Numbers ---

def held_out(count):
    """The first images, as floats from 0 to 1, and labels of t10k."""
    with open(os.path.join(DATA, "t10k-images-idx3-ubyte"), "rb") as f:
        pixels = f.read()[16:]
    with open(os.path.join(DATA, "t10k-labels-idx1-ubyte"), "rb") as f:
        labels = f.read()[8:]
    scale = [i / 255 for i in range(256)]
    images = [[scale[p] for p in pixels[784 * i:784 * (i + 1)]]
              for i in range(count)]
    return images, labels[:count]


def matrix(tensors, name):
    (rows, columns), data = tensors[name]
    row = struct.Struct(f"<{columns}f")
    assert rows * row.size == len(data)
    return [list(r) for r in row.iter_unpack(data)]


def layer(weights, bias, x):
    return [b + sum(map(operator.mul, w, x)) for w, b in zip(weights, bias)]


def forward(tensors, images, labels):
    """Right answers and mean cross-entropy of a plain forward pass."""
    layers = [(matrix(tensors, n + ".weight"), floats(tensors[n + ".bias"][1]))
              for n in ("hidden1", "hidden2", "output")]
    right, loss = 0, 0.0
    for x, label in zip(images, labels):
        for w, b in layers[:-1]:
            x = [max(0.0, h) for h in layer(w, b, x)]
        z = layer(*layers[-1], x)
        top = max(z)
        right += z.index(top) == label
        loss += top - z[label] + math.log(sum(math.exp(v - top) for v in z))
    return right / len(labels), loss / len(labels)


@T.test("eval agrees with a plain forward pass of the export, lesions and all")
def _():
    store = Store("eval")
    text = job_text(name="eval", tasks=1, examples=6400,
                    keep="every: 50 steps, last: 200")
    text = text.replace("kind: permute-pixels, count: 1", "kind: none")
    store.run(write("eval.yaml", text), "-w", 2)
    store.up(1)
    with rpc.Client(store.socket()) as client:
        lesioned = [v["version"] for v in store.versions() if any(
            u.state == "lesioned" for s in client.Show(version=v["version"])
            for u in s.units)]
    assert lesioned, "no version has a lesioned unit"
    images, labels = held_out(1000)
    for version in (lesioned[-1], "@"):
        said = store.json("eval", version)
        accuracy, loss = forward(store.export(version), images, labels)
        assert [t["task"] for t in said["tasks"]] == [0], said
        # One example may stand on the edge between two classes.
        assert abs(said["accuracy"] - accuracy) <= 0.001, (said, accuracy)
        assert abs(said["loss"] - loss) < 1e-4, (said, loss)
    store.down()


@T.test("the newest accuracy in history and metrics is that of eval")
def _():
    store = Store("eval")
    said = store.json("eval", "@")
    task = store.json("metrics")["tasks"][0]
    assert task["examples"] == 6400, task
    assert abs(task["held_out"][0]["accuracy"] - said["accuracy"]) < 1e-9
    assert abs(task["held_out"][0]["loss"] - said["loss"]) < 1e-9
    assert 0 <= task["dormant"] <= 1 and 0 < task["online_accuracy"] < 1
    assert store.versions()[-1]["accuracy"] == said["accuracy"]


@T.test("the file says its own shape, and where it is from")
def _():
    store = Store("eval")
    path = os.path.join(ROOT, "meta.safetensors")
    store.tool("export", "@", path)
    metadata, tensors = read_safetensors(path)
    head = store.versions()[-1]
    arch = json.loads(metadata["cajal.arch"])
    assert str(head["units"]["hidden1"]) in json.dumps(arch), arch
    units = [784, head["units"]["hidden1"], head["units"]["hidden2"], 10]
    for i, name in enumerate(("hidden1", "hidden2", "output")):
        assert tensors[name + ".weight"][0] == [units[i + 1], units[i]]
        assert tensors[name + ".bias"][0] == [units[i + 1]]
    assert head["parameters"] == sum(len(d) // 4 for _, d in tensors.values())


# --- Beginning and ending ---

@T.test("run -d returns at once; the cluster ends with the job by itself")
def _():
    store = Store("detached")
    answer = store.run(job("brief", tasks=2), "-w", 2, "-d")
    assert answer.out.strip() == "j1", answer
    store.follow("j1")
    assert store.json("status")["state"] == "finished"


@T.test("Ctrl-C detaches: the job goes on to its end")
def _():
    store = Store("detach")
    run = store.begin("run", job("long", **LONG), "-w", 2)
    run.await_line("event=version")
    run.process.send_signal(signal.SIGINT)
    run.end(130)
    assert any("Detached" in line for line in run.lines), run.lines
    assert store.json("status")["state"] == "running"
    store.follow("j1")
    assert store.json("status")["state"] == "finished"


@T.test("two jobs run side by side, each with the bits it has alone")
def _():
    alone = Store("alone")
    file = job("side", tasks=2, examples=6400)
    other = job("other", tasks=2, examples=6400, seed=5)
    ends = []
    for each in (file, other):
        alone.run(each, "-w", 1)
        ends.append(alone.digest())
    store = Store("beside")
    store.up(2)
    ids = [store.tool("launch", each, "-w", 1).out.strip()
           for each in (file, other)]
    for id in ids:
        store.follow(id)
    assert [store.digest(id + "@") for id in ids] == ends
    store.down()


@T.test("a job that asks for more workers than there are waits, and says so")
def _():
    store = Store("waits")
    store.up(1)
    id = store.tool("launch", job("brief", tasks=2), "-w", 3).out.strip()
    status = store.json("status", id)
    assert status["state"] == "waiting" and "3" in status["reason"], status
    # The way out: hold it, and let it go on with who is there.
    store.tool("pause")
    store.tool("resume")
    store.follow()
    store.down()


@T.test("more workers than shards: the rest stands by")
def _():
    store = Store("many")
    store.run(job("few", tasks=1, shards=1), "-w", 4)
    assert store.json("status")["state"] == "finished"


T.end()
