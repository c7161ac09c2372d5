#!/usr/bin/env bash
# Runs the tests of whole clusters, two files at a time, since much of their
# time is waiting; the other files in this folder are what they share.
# Debian's python3, since it has grpcio. CAJAL_BIN: other binaries.
set -u
cd "$(dirname "$0")" || exit 1
export CAJAL_BIN=${CAJAL_BIN:-$(cd ../.. && pwd)/build/bin}
export LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
logs=$(mktemp -d)
export logs
trap 'rm -rf "$logs"' EXIT
passed=0 failed=0

# A file that hangs is ended by SIGTERM, on which it ends what it has started.
run_one() {
    local limit=300
    [ "$1" != chaos ] || limit=infinity
    timeout -k 30 $limit /usr/bin/python3 "$1.py" >"$logs/$1" 2>&1
    echo $? >"$logs/$1.code"
}
export -f run_one

# The longest first.
tests=${*:-links kill recover security elastic mirror curve bits verbs input store hosts restore client}
# shellcheck disable=SC2086 # the list is meant to be split
printf '%s\n' $tests | xargs -P 2 -I{} bash -c 'run_one {}'
for test in $tests; do
    echo "-- $test"
    cat "$logs/$test"
    line=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$logs/$test" | tail -n 1)
    if [ -z "$line" ]; then
        code=$(cat "$logs/$test.code")
        echo "FAIL  $test.py did not come to its end (exit $code)"
        failed=$((failed + 1))
        continue
    fi
    passed=$((passed + ${line%% passed*}))
    bad=${line#*, }
    failed=$((failed + ${bad%% failed*}))
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
