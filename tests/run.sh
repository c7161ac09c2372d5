#!/usr/bin/env bash
# Runs every test there is, in order of cost, and ends with one line
# `N passed, N failed`. A stage that fails does not hide the later ones.
set -u
cd "$(dirname "$0")/.."
jobs=$(nproc)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0 failed=0

# stage NAME COMMAND...: its own `N passed, N failed` line is added; a stage
# without one counts as one test.
stage() {
    local name=$1 begin=$SECONDS line
    shift
    echo "== $name"
    "$@" >"$log" 2>&1
    local code=$?
    line=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1)
    grep -vE '^  (CC|LINK|PROTO) ' "$log" | tail -n 200
    if [ -n "$line" ]; then
        passed=$((passed + ${line%% passed*}))
        local bad=${line#*, }
        bad=${bad%% failed*}
        failed=$((failed + bad))
        if [ "$code" -ne 0 ] && [ "$bad" -eq 0 ]; then
            failed=$((failed + 1))
        fi
    elif [ "$code" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
    [ "$code" -eq 0 ] || echo "FAIL  stage $name (exit $code)"
    echo "-- $name: $((SECONDS - begin)) s"
}

stage build make -s -j"$jobs" all
stage unit-build make -s -j"$jobs" unit-build
stage unit make -s unit
stage tidy make -s tidy
stage contract make -s contract
stage asan make -s -j"$jobs" asan
stage tsan make -s -j"$jobs" tsan
stage fuzz make -s -j"$jobs" fuzz SECONDS_EACH=3
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
