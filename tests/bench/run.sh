#!/usr/bin/env bash
# Ratios, side by side in one run: what the machine can do, then what a job
# reaches. Absolute times mean little on a shared machine; look at the ratios.
set -eu
build=${1:-build}
data=${CAJAL_DATA:-/usr/share/datasets/fashion-mnist}
export OPENBLAS_NUM_THREADS=1 OPENBLAS_CORETYPE=Haswell
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Two sgemm processes at once: GFLOP/s of both cores, batch M.
two_cores() {
    "$build/tests/bench/sgemm" "$1" 1000 2000 2 >"$work/a" &
    "$build/tests/bench/sgemm" "$1" 1000 2000 2 >"$work/b"
    wait
    paste "$work/a" "$work/b" | awk '{print $1 + $2}'
}

# rate NAME HIDDEN SHARDS BATCH EXAMPLES WORKERS [PLASTICITY]: examples/s.
rate() {
    cat >"$work/$1.yaml" <<Y
version: 1
name: $1
seed: 1
data: {format: idx, dir: $data, tasks: {kind: none, examples: $5}}
model: {kind: mlp, hidden: $2, shards: $3}
train: {lr: 0.01, batch: $4}
report: {every: 100 steps}
evaluate: {every: never}
plasticity: {$7}
run: {workers: $6}
Y
    rm -rf "$work/store"
    "$build/bin/cajal" run "$work/$1.yaml" --store "$work/store" >/dev/null 2>&1
    "$build/bin/cajal" --store "$work/store" status -o json |
        sed -n 's/.*"examples_per_second": *\([0-9.]*\).*/\1/p' | head -n 1
}

# Multiply-adds x 2 of one example: forward, input and weight gradient; the
# first layer has no input gradient.
flops=$(awk 'BEGIN {print 2 * (2 * 784 * 2000 + 3 * (2 * 2000 * 2000 + 20000))}')
printf '%-44s %12s %12s %7s\n' "784-2000-2000-2000-10, 2 workers" "sgemm GF/s" \
    "job GF/s" "ratio"
for batch in 256 32; do
    limit=$(two_cores $batch)
    got=$(rate big "[2000, 2000, 2000]" 2 $batch $((batch * 120)) 2 "")
    awk -v b=$batch -v l="$limit" -v g="$got" -v f="$flops" 'BEGIN {
        r = g * f * 1e-9
        printf "%-44s %12.1f %12.1f %7.2f\n", "batch " b, l, r, r / l }'
done

plain=$(rate plain "[100, 100, 100]" 1 1 60000 1 "")
cbp=$(rate cbp "[100, 100, 100]" 1 1 60000 1 \
    "renew: {policy: continual-backprop, rate: 1e-4}")
awk -v p="$plain" -v c="$cbp" 'BEGIN {
    printf "%-44s %12.0f examples/s\n", "784-100-100-100-10, batch 1, 1 worker", p
    printf "%-44s %12.0f examples/s, ratio %.2f\n", "  with continual backprop", c, c / p }'
