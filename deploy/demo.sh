#!/usr/bin/env bash
# Trains the demo job on this machine, in a fresh store, and shows its history.
# Called by `make run`; needs build/bin only.
set -eu
cd "$(dirname "$0")/.."
cajal=build/bin/cajal
store=build/demo/store

"$cajal" down --store "$store" >/dev/null 2>&1 || true
rm -rf build/demo
mkdir -p build/demo

echo "\$ cajal run deploy/demo.yaml --store $store"
"$cajal" run deploy/demo.yaml --store "$store"

export CAJAL_STORE=$store
echo
echo "\$ cajal history --store $store"
"$cajal" history
echo "   (+ grown, - pruned, ~ renewed)"
echo
echo "\$ cajal metrics --store $store"
"$cajal" metrics

cat <<END

Three commands to try next, in this directory:
  export CAJAL_STORE=$store PATH=\$PWD/build/bin:\$PATH
  cajal diff v1 @                        what grew, what was pruned, what moved
  cajal restore @~3 --yes && cajal undo --yes      one step back, one forth
  cajal export @ build/demo/net.safetensors        the weights, for any reader
END
