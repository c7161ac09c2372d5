"""The same bits on any number of workers, and run after run (promise P2)."""
from cluster import Store, Tests, digest, furthest, job

T = Tests()

VARIANTS = {
    "plain sgd": dict(train="optimizer: sgd, lr: 0.02, batch: 16"),
    "momentum": dict(train="optimizer: {name: sgd, momentum: 0.9}, "
                     "lr: 0.005, batch: 16"),
    "adam": dict(train="optimizer: {name: adam}, lr: 1e-3, batch: 16"),
    "clip": dict(train="optimizer: sgd, lr: 0.02, batch: 16, clip: 0.5"),
    "batches of 1": dict(train="optimizer: sgd, lr: 0.005, batch: 1",
                         examples=600),
    "adamw in 2 microbatches": dict(
        train="optimizer: {name: adamw, weight_decay: 0.01}, "
        "lr: 1e-3, batch: 16, microbatches: 2"),
}


def end_of(store, file, *args):
    store.run(file, *args)
    return digest(store.export())


def worked(store, workers):
    """Each did its part: a cluster of idle workers would prove nothing."""
    shares = store.json("status")["workers"]
    assert len(shares) == workers, shares
    for share in shares:
        assert share["shards"] > 0 and share["shard_steps"] > 0, share
        assert workers == 1 or share["bytes_sent"] > 0, share


@T.test("1, 2 and 4 workers end with the same bits, whatever grows or goes")
def _():
    file = job("plastic")
    ends = {}
    for workers in (1, 2, 4):
        store = Store(f"plastic{workers}")
        ends[workers] = end_of(store, file, "-w", workers)
        worked(store, workers)
        status = store.json("status")
        assert status["grows"] > 0 and status["prunes"] > 0 \
            and status["renews"] > 0, status
    assert len(set(ends.values())) == 1, ends


@T.test("a second run ends with the same bits, and so does one with threads")
def _():
    first = Store("plastic2").digest()
    assert end_of(Store("again"), job("plastic"), "-w", 2) == first
    threads = job("threads", threads=2)
    assert end_of(Store("threads"), threads, "-w", 2) == first


@T.test("another seed ends elsewhere")
def _():
    other = end_of(Store("seed"), job("seed", seed=12), "-w", 2)
    assert other != Store("plastic2").digest()


@T.test("versions on the way are the same too, with the same causes")
def _():
    def told(store):
        return [(v["version"], v["step"], v["cause"], v["reason"], v["units"],
                 v["hash"]) for v in store.versions()]

    one, four = told(Store("plastic1")), told(Store("plastic4"))
    assert len(one) > 4 and one == four, f"{one}\n{four}"


def variant(name, keys):
    @T.test(f"{name}: 1 worker and 3 end with the same bits")
    def _():
        short = name.split()[0] + str(len(name))
        file = job(short, **{"tasks": 2, **keys})
        one, three = Store(short + "1"), Store(short + "3")
        assert end_of(one, file, "-w", 1) == end_of(three, file, "-w", 3)
        worked(three, 3)
        start = one.export("v1")
        head = one.export("@")
        assert digest(start) != digest(head), "nothing was learned"


for title, options in VARIANTS.items():
    variant(title, options)


@T.test("microbatches change rounding alone")
def _():
    ends = {}
    for count in (1, 2, 4):
        file = job(f"micro{count}", tasks=1, plastic=False, train="optimizer:"
                   f" sgd, lr: 0.02, batch: 16, microbatches: {count}")
        store = Store(f"micro{count}")
        store.run(file, "-w", 2)
        ends[count] = store.export()
    moved = furthest(ends[1], Store("micro1").export("v1"))
    for count in (2, 4):
        far = furthest(ends[1], ends[count])
        # Measured 1e-6 or less; a lost or doubled microbatch is 1e-2.
        assert far < 1e-4 < moved / 10, (count, far, moved)


T.end()
