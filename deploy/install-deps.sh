#!/bin/sh
# Installs what Cajal needs from Debian 12, and nothing else. Does nothing when
# all of it is there. `--tests` adds what the tests need beside.
#
# Root, or a user with sudo. POSIX sh: it may run before anything is installed.
set -eu

build="gcc libc6-dev make pkg-config protobuf-c-compiler libprotobuf-c-dev
libgrpc-dev libssl-dev libzmq3-dev liblmdb-dev libopenblas-dev libsodium-dev
libyaml-dev zlib1g-dev libzstd-dev libcjson-dev dataset-fashion-mnist"
tests="libcmocka-dev clang libclang-rt-14-dev clang-format-14 python3
python3-grpcio python3-protobuf openssl binutils iproute2 nftables procps bash"

packages=$build
if [ "${1-}" = --tests ]; then
    packages="$build $tests"
fi

missing=
for package in $packages; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) ||
        state=none
    if [ "$state" != installed ]; then
        missing="$missing $package"
    fi
done
if [ -z "$missing" ]; then
    exit 0
fi

if [ "$(id -u)" = 0 ]; then
    as_root=
elif command -v sudo >/dev/null 2>&1; then
    as_root=sudo
else
    echo "error: these packages are missing:$missing" >&2
    echo "  Run this as root, or install sudo. By hand, as root:" >&2
    echo "  apt-get update &&" >&2
    echo "  apt-get install --no-install-recommends$missing" >&2
    exit 1
fi

# What apt says is of interest only when it fails.
said=$(mktemp)
trap 'rm -f "$said"' EXIT
echo "installing:$missing" >&2
# shellcheck disable=SC2086 # the list is meant to be split
if ! { $as_root apt-get update -qq &&
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends $missing >/dev/null; } 2>"$said"; then
    tail -n 10 "$said" >&2
    echo "error: apt-get could not install:$missing" >&2
    exit 1
fi
