#!/usr/bin/python3
"""Does Cajal learn as well as PyTorch? Trains the same net on the same tasks.

Three tasks of Fashion-MNIST (the pixels as they are, then two permutations),
784-256-256-10, plain SGD 0.01, batch 16, one pass each; online accuracy (of
each batch before the update that uses it) and held-out accuracy (the whole t10k
file of the task, when it ends), as means over the seeds. Orders, permutations
and first weights are drawn by each program itself, from the same distributions.

Needs PyTorch 1.13 (Debian: python3-torch, python3-numpy) and the built tool.

    tests/reference/learns.py [SEEDS] [BIN]        (3, build/bin)
"""
import gzip
import json
import math
import os
import subprocess
import sys
import tempfile

import numpy
import torch

DATA = "/usr/share/datasets/fashion-mnist"
SIZES = [784, 256, 256, 10]
TASKS, EXAMPLES, BATCH, RATE = 3, 60000, 16, 0.01

JOB = f"""version: 1
name: learns
data:
  format: idx
  dir: {DATA}
  tasks: {{kind: permute-pixels, count: {TASKS}, examples: {EXAMPLES}}}
model: {{kind: mlp, hidden: {SIZES[1:-1]}, shards: 4}}
train: {{optimizer: sgd, lr: {RATE}, batch: {BATCH}}}
run: {{workers: 2}}
"""


def read_idx(name):
    with gzip.open(os.path.join(DATA, name + ".gz")) as file:
        data = file.read()
    rank = data[3]
    shape = [int.from_bytes(data[4 + 4 * d:8 + 4 * d], "big")
             for d in range(rank)]
    return numpy.frombuffer(data, numpy.uint8, -1, 4 + 4 * rank).reshape(shape)


def load(part):
    x = read_idx(f"{part}-images-idx3-ubyte").reshape(-1, SIZES[0])
    y = read_idx(f"{part}-labels-idx1-ubyte").astype(numpy.int64)
    return torch.from_numpy(x.astype(numpy.float32) / 255), torch.from_numpy(y)


def make_net():
    """Kaiming uniform: U(-b, b), b = gain sqrt(3 / fan_in), as Cajal's."""
    layers = []
    for i, (inputs, units) in enumerate(zip(SIZES, SIZES[1:])):
        last = i == len(SIZES) - 2
        linear = torch.nn.Linear(inputs, units)
        bound = (1.0 if last else math.sqrt(2)) * math.sqrt(3 / inputs)
        torch.nn.init.uniform_(linear.weight, -bound, bound)
        torch.nn.init.zeros_(linear.bias)
        layers += [linear] if last else [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers)


def run_torch(seed, train, test):
    torch.manual_seed(seed)
    net = make_net()
    optimizer = torch.optim.SGD(net.parameters(), lr=RATE)
    rows = []
    for task in range(TASKS):
        pixels = torch.randperm(SIZES[0]) if task else torch.arange(SIZES[0])
        order = torch.randperm(len(train[1]))[:EXAMPLES]
        correct = 0
        for first in range(0, EXAMPLES, BATCH):
            batch = order[first:first + BATCH]
            x, y = train[0][batch][:, pixels], train[1][batch]
            z = net(x)
            correct += (z.argmax(1) == y).sum().item()
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(z, y).backward()
            optimizer.step()
        with torch.no_grad():
            found = net(test[0][:, pixels]).argmax(1)
        rows.append((correct / EXAMPLES,
                     (found == test[1]).float().mean().item()))
    return rows


def run_cajal(seed, tool):
    with tempfile.TemporaryDirectory() as directory:
        job = os.path.join(directory, "learns.yaml")
        store = ["--store", os.path.join(directory, "store")]
        with open(job, "w") as file:
            file.write(JOB)
        subprocess.run([tool, "run", job, "--set", f"seed={seed}"] + store,
                       check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        reply = subprocess.run([tool, "metrics", "learns", "-o", "json"] +
                               store, check=True, capture_output=True)
    return [(task["online_accuracy"], task["held_out"][0]["accuracy"])
            for task in json.loads(reply.stdout)["tasks"]]


def main():
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    tool = os.path.join(sys.argv[2] if len(sys.argv) > 2 else "build/bin",
                        "cajal")
    torch.set_num_threads(1)
    train, test = load("train"), load("t10k")
    theirs, ours = [], []
    for seed in range(1, seeds + 1):
        theirs.append(run_torch(seed, train, test))
        ours.append(run_cajal(seed, tool))
    theirs, ours = 100 * numpy.array(theirs), 100 * numpy.array(ours)
    version = ".".join(torch.__version__.split(".")[:2])
    print(f"| task | measure | PyTorch {version} "
          "| Cajal | difference |\n|---|---|---|---|---|")
    worst = 0
    for task in range(TASKS):
        for i, measure in enumerate(("online", "held out")):
            a, b = theirs[:, task, i], ours[:, task, i]
            worst = max(worst, abs(b.mean() - a.mean()))
            print(f"| {task} | {measure} | {a.mean():.2f} +- {a.std():.2f} "
                  f"| {b.mean():.2f} +- {b.std():.2f} "
                  f"| {b.mean() - a.mean():+.2f} |")
    print(f"\n{seeds} seeds; largest difference of means {worst:.2f} points")
    return 0 if worst <= 1.0 else 1


if __name__ == "__main__":
    sys.exit(main())
