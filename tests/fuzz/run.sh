#!/usr/bin/env bash
# Runs each fuzzer for some seconds from its seed corpus, if it has one.
set -u
seconds=$1
shift
passed=0 failed=0
for fuzzer in "$@"; do
    name=$(basename "$fuzzer")
    work=$(mktemp -d)
    corpus=tests/fuzz/corpus/${name#fuzz_}
    [ -d "$corpus" ] && cp "$corpus"/* "$work" 2>/dev/null
    if "$fuzzer" -max_total_time="$seconds" -rss_limit_mb=2048 \
        -max_len=65536 -artifact_prefix="$work/" -verbosity=0 \
        -print_final_stats=1 "$work" >"$work.log" 2>&1; then
        passed=$((passed + 1))
        echo "ok    $name: $(sed -n \
            's/^stat::number_of_executed_units: *//p' "$work.log") inputs"
    else
        failed=$((failed + 1))
        echo "FAIL  $name"
        tail -n 40 "$work.log"
    fi
    rm -rf "$work" "$work.log"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
