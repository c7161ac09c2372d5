#!/usr/bin/env bash
# Runs the tests of whole clusters, one file after the other; the others in
# this folder are what they share. Debian's python3, since it has grpcio.
set -u
cd "$(dirname "$0")"
export CAJAL_BIN=${CAJAL_BIN:-$(cd ../.. && pwd)/build/bin}
passed=0 failed=0
for test in ${*:-bits restore kill client input verbs hosts}; do
    echo "-- $test"
    log=$(mktemp)
    timeout 300 /usr/bin/python3 "$test.py" >"$log" 2>&1
    code=$?
    cat "$log"
    line=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1)
    rm -f "$log"
    if [ -z "$line" ]; then
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
