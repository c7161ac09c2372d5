#!/usr/bin/env bash
# run.sh SECONDS FUZZER...: runs each fuzzer for so long from its seed corpus,
# if it has one; as many at a time as there are cores.
set -u
export seconds=$1
shift
logs=$(mktemp -d)
export logs
trap 'rm -rf "$logs"' EXIT

run_one() {
    local name work corpus
    name=$(basename "$1")
    work=$logs/$name
    corpus=tests/fuzz/corpus/${name#fuzz_}
    mkdir "$work"
    [ -d "$corpus" ] && cp "$corpus"/* "$work" 2>/dev/null
    "$1" -max_total_time="$seconds" -rss_limit_mb=2048 -max_len=65536 \
        -artifact_prefix="$work/" -verbosity=0 -print_final_stats=1 \
        "$work" >"$work.log" 2>&1
    echo $? >"$work.code"
}
export -f run_one

printf '%s\n' "$@" | xargs -P "$(nproc)" -I{} bash -c 'run_one {}'
passed=0 failed=0
for fuzzer in "$@"; do
    name=$(basename "$fuzzer")
    log=$logs/$name.log
    if [ "$(cat "$logs/$name.code")" = 0 ]; then
        passed=$((passed + 1))
        echo "ok    $name: $(sed -n \
            's/^stat::number_of_executed_units: *//p' "$log") inputs"
    else
        failed=$((failed + 1))
        echo "FAIL  $name"
        tail -n 40 "$log"
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
