#!/usr/bin/env bash
# Runs cmocka test programs one after the other and adds up what they say.
# Prints each failing program's output whole, and a line `N passed, N failed`.
set -u
passed=0 failed=0
for program in "$@"; do
    log=$(mktemp)
    timeout 300 "$program" >"$log" 2>&1
    code=$?
    ok=$(grep -c '^\[       OK \]' "$log")
    bad=$(grep -c '^\[  FAILED  \] [a-z_0-9]*__' "$log")
    if [ "$code" -ne 0 ] && [ "$bad" -eq 0 ]; then
        bad=1
    fi
    if [ "$code" -ne 0 ] || [ "$bad" -ne 0 ] || [ "$ok" -eq 0 ]; then
        echo "FAIL  $program (exit $code)"
        tail -n 60 "$log"
        [ "$bad" -eq 0 ] && bad=1
    else
        echo "ok    $program: $ok"
    fi
    passed=$((passed + ok))
    failed=$((failed + bad))
    rm -f "$log"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
