#!/usr/bin/python3
"""Records what PyTorch computes, for tests/unit/worker/model/test_golden.c.

Needs PyTorch 1.13 (Debian: python3-torch); the tests only need the files that
this writes beside itself. Each file holds two runs of one small net from the
same weights on the same batches: one that keeps its shape, all by torch.optim,
and one that grows and is pruned on the way. After growth, Adam's step count is
one per weight, which torch.optim cannot do; there the update is written out
below, and the first run proves that it is torch's.

    tests/reference/record.py [DIRECTORY]
"""
import os
import struct
import sys

import torch

INPUTS, HIDDEN1, HIDDEN2, OUTPUTS = 20, 16, 12, 5
POOL, BATCH, STEPS = 64, 8, 200
GROW_STEP, GROW_UNITS = 70, 4
PRUNE_STEP, PRUNED = 140, [3, 17]  # places in the first hidden layer

# The numbers of proto/job.h.
ACTIVATIONS = {"relu": 1, "tanh": 2, "gelu": 3}
LOSSES = {"cross-entropy": 1, "mean-squared-error": 2}
OPTIMIZERS = {"sgd": 1, "adam": 2, "adamw": 3}

VARIANTS = {
    "sgd": dict(optimizer="sgd", loss="cross-entropy", rate=0.05,
                activations=("relu", "tanh")),
    "momentum": dict(optimizer="sgd", loss="mean-squared-error", rate=0.02,
                     activations=("gelu", "relu"), momentum=0.9, decay=1e-3),
    "adam": dict(optimizer="adam", loss="cross-entropy", rate=1e-3,
                 activations=("relu", "relu"), decay=1e-3),
    "adamw": dict(optimizer="adamw", loss="cross-entropy", rate=1e-3,
                  activations=("tanh", "gelu"), decay=1e-2, clip=0.5),
}
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


class Variant:
    def __init__(self, optimizer, loss, rate, activations, momentum=0.0,
                 decay=0.0, clip=0.0):
        self.optimizer, self.loss, self.rate = optimizer, loss, rate
        self.activations, self.momentum = activations, momentum
        self.decay, self.clip = decay, clip

    def forward(self, parameters, x):
        functions = {"relu": torch.relu, "tanh": torch.tanh,
                     "gelu": torch.nn.functional.gelu}
        for layer in range(3):
            x = torch.nn.functional.linear(x, parameters[2 * layer],
                                           parameters[2 * layer + 1])
            if layer < 2:
                x = functions[self.activations[layer]](x)
        return x

    def loss_of(self, parameters, x, labels):
        z = self.forward(parameters, x)
        if self.loss == "cross-entropy":
            return torch.nn.functional.cross_entropy(z, labels)
        return ((z - torch.nn.functional.one_hot(labels, OUTPUTS)) ** 2).mean()

    def torch_optimizer(self, parameters):
        if self.optimizer == "sgd":
            return torch.optim.SGD(parameters, lr=self.rate,
                                   momentum=self.momentum,
                                   weight_decay=self.decay)
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
        return kind[self.optimizer](parameters, lr=self.rate,
                                    betas=(BETA1, BETA2), eps=EPSILON,
                                    weight_decay=self.decay)


class PerWeightAdam:
    """Adam and AdamW with a count per weight, as torch.optim writes them."""

    def __init__(self, variant, parameters):
        self.variant, self.parameters = variant, parameters
        self.m = [torch.zeros_like(p) for p in parameters]
        self.v = [torch.zeros_like(p) for p in parameters]
        self.n = [torch.zeros_like(p, dtype=torch.float64)
                  for p in parameters]

    def zero_grad(self):
        for p in self.parameters:
            p.grad = None

    @torch.no_grad()
    def step(self):
        variant = self.variant
        for p, m, v, n in zip(self.parameters, self.m, self.v, self.n):
            n += 1
            g = p.grad
            if variant.optimizer == "adamw":
                p.mul_(1 - variant.rate * variant.decay)
            else:
                g = g.add(p, alpha=variant.decay)
            m.mul_(BETA1).add_(g, alpha=1 - BETA1)
            v.mul_(BETA2).addcmul_(g, g, value=1 - BETA2)
            step = (variant.rate / (1 - BETA1 ** n)).float()
            root = (1 - BETA2 ** n).sqrt().float()
            p.sub_(step * (m / (v.sqrt() / root + EPSILON)))


def train(variant, parameters, optimizer, pool, first, last, losses):
    x, labels = pool
    for step in range(first, last):
        rows = [(step * BATCH + i) % POOL for i in range(BATCH)]
        optimizer.zero_grad()
        loss = variant.loss_of(parameters, x[rows], labels[rows])
        loss.backward()
        if variant.clip > 0:
            torch.nn.utils.clip_grad_norm_(parameters, variant.clip)
        optimizer.step()
        losses.append(loss.item())


def slots(variant, optimizer, parameters):
    """The optimizer's state: lists like parameters, as many as it has."""
    if isinstance(optimizer, PerWeightAdam):
        return [optimizer.m, optimizer.v]
    names = {"sgd": ["momentum_buffer"] if variant.momentum else []}
    names = names.get(variant.optimizer, ["exp_avg", "exp_avg_sq"])
    return [[optimizer.state[p][name] for p in parameters] for name in names]


def leaves(tensors):
    return [t.detach().clone().requires_grad_() for t in tensors]


def carry(variant, change, parameters, optimizer):
    """Parameters and optimizer after a change of shape: change(tensors)."""
    state = slots(variant, optimizer, parameters)
    made = leaves(change(parameters, "weights"))
    if variant.optimizer == "sgd":
        fresh = variant.torch_optimizer(made)
        for values in state:
            for p, value in zip(made, change(values, "slots")):
                fresh.state[p]["momentum_buffer"] = value.clone()
        return made, fresh
    fresh = PerWeightAdam(variant, made)
    fresh.m = [t.detach().clone() for t in change(state[0], "slots")]
    fresh.v = [t.detach().clone() for t in change(state[1], "slots")]
    if isinstance(optimizer, PerWeightAdam):
        counts = optimizer.n
    else:
        counts = [torch.full_like(p, optimizer.state[p]["step"].item(),
                                  dtype=torch.float64) for p in parameters]
    fresh.n = [t.clone() for t in change(counts, "slots")]
    return made, fresh


def grow(new_rows):
    def change(tensors, kind):
        w1, b1, w2, b2, w3, b3 = [t.detach() for t in tensors]
        rows = new_rows if kind == "weights" else torch.zeros_like(new_rows)
        zeros = torch.zeros(GROW_UNITS, dtype=b1.dtype)
        columns = torch.zeros(HIDDEN2, GROW_UNITS, dtype=w2.dtype)
        return [torch.cat([w1, rows.to(w1.dtype)]), torch.cat([b1, zeros]),
                torch.cat([w2, columns], 1), b2, w3, b3]
    return change


def prune(means):
    def change(tensors, kind):
        w1, b1, w2, b2, w3, b3 = [t.detach() for t in tensors]
        stay = [u for u in range(w1.shape[0]) if u not in PRUNED]
        if kind == "weights":
            b2 = b2 + w2[:, PRUNED] @ means
        return [w1[stay], b1[stay], w2[:, stay], b2, w3, b3]
    return change


def run_plain(variant, initial, pool):
    parameters, losses = leaves(initial), []
    optimizer = variant.torch_optimizer(parameters)
    train(variant, parameters, optimizer, pool, 0, STEPS, losses)
    if variant.optimizer != "sgd":
        check(variant, initial, pool, parameters)
    return losses, [parameters] + slots(variant, optimizer, parameters)


def check(variant, initial, pool, expected):
    """The written-out Adam is torch's where all weights are equally old."""
    parameters = leaves(initial)
    train(variant, parameters, PerWeightAdam(variant, parameters), pool, 0,
          STEPS, [])
    for a, b in zip(parameters, expected):
        assert (a - b).norm() <= 1e-5 * b.norm(), "not torch's Adam"


def run_edited(variant, initial, pool, new_rows, means):
    parameters, losses = leaves(initial), []
    optimizer = variant.torch_optimizer(parameters)
    train(variant, parameters, optimizer, pool, 0, GROW_STEP, losses)
    parameters, optimizer = carry(variant, grow(new_rows), parameters,
                                  optimizer)
    train(variant, parameters, optimizer, pool, GROW_STEP, PRUNE_STEP, losses)
    grown = leaves(parameters)
    parameters, optimizer = carry(variant, prune(means), parameters, optimizer)
    train(variant, parameters, optimizer, pool, PRUNE_STEP, STEPS, losses)
    return (losses, [grown],
            [parameters] + slots(variant, optimizer, parameters))


def floats(out, tensors):
    for t in tensors:
        out.write(t.detach().contiguous().numpy().astype("<f4").tobytes())


def record(path, variant):
    torch.manual_seed(20261124)
    initial = []
    for units, inputs in ((HIDDEN1, INPUTS), (HIDDEN2, HIDDEN1),
                          (OUTPUTS, HIDDEN2)):
        bound = (6 / inputs) ** 0.5
        initial.append(torch.empty(units, inputs).uniform_(-bound, bound))
        initial.append(torch.empty(units).uniform_(-0.1, 0.1))
    pool = (torch.empty(POOL, INPUTS).uniform_(-1, 1),
            torch.randint(0, OUTPUTS, (POOL,)))
    new_rows = torch.empty(GROW_UNITS, INPUTS).uniform_(-0.5, 0.5)
    means = torch.tensor([0.25, 0.125])
    plain = run_plain(variant, initial, pool)
    edited = run_edited(variant, initial, pool, new_rows, means)

    with open(path, "wb") as out:
        out.write(b"CJGOLD01")
        out.write(struct.pack(
            "<15I", OPTIMIZERS[variant.optimizer], LOSSES[variant.loss],
            ACTIVATIONS[variant.activations[0]],
            ACTIVATIONS[variant.activations[1]], INPUTS, HIDDEN1, HIDDEN2,
            OUTPUTS, POOL, BATCH, STEPS, GROW_STEP, GROW_UNITS, PRUNE_STEP,
            len(PRUNED)))
        out.write(struct.pack("<7d", variant.momentum, BETA1, BETA2, EPSILON,
                              variant.decay, variant.rate, variant.clip))
        floats(out, [pool[0]])
        out.write(struct.pack(f"<{POOL}I", *pool[1].tolist()))
        floats(out, initial + [new_rows])
        out.write(struct.pack(f"<{len(PRUNED)}I", *PRUNED))
        floats(out, [means])
        for losses, *snapshots in (plain, edited):
            out.write(struct.pack(f"<{STEPS}d", *losses))
            for snapshot in snapshots:
                for tensors in snapshot:
                    floats(out, tensors)
    print(f"{path}: {os.path.getsize(path)} bytes, loss "
          f"{plain[0][0]:.4f} -> {plain[0][-1]:.4f}, "
          f"edited {edited[0][-1]:.4f}")


def main():
    directory = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(
        os.path.abspath(__file__))
    torch.set_num_threads(1)
    for name, options in VARIANTS.items():
        record(os.path.join(directory, f"golden_{name}.bin"),
               Variant(**options))


if __name__ == "__main__":
    main()
