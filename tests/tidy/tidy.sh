#!/usr/bin/env bash
# Proves what the style asks for and a program can see. One line per rule.
set -u
build=${1:-build}
here=$(dirname "$0")
passed=0 failed=0

# rule NAME OUTPUT: holds where OUTPUT is empty.
rule() {
    if [ -z "$2" ]; then
        passed=$((passed + 1))
        echo "ok    $1"
    else
        failed=$((failed + 1))
        echo "FAIL  $1"
        printf '%s\n' "$2" | head -n 40 | sed 's/^/      /'
    fi
}

files() { git ls-files -co --exclude-standard -- "$@"; }
code=$(files '*.c' '*.h')
product=$(printf '%s\n' "$code" | grep -v '^tests/')

folder_of() {
    case $1 in
    */main.c) echo main ;;
    worker/*/* | coordinator/*/*) echo "$1" | cut -d/ -f1,2 ;;
    *) echo "$1" | cut -d/ -f1 ;;
    esac
}

includes() {
    local file folder allowed target ok one
    for file in $product; do
        folder=$(folder_of "$file")
        [ "$folder" = main ] && continue
        allowed=$(sed -n "s|^$folder: ||p" "$here/includes.txt")
        grep -nE '^#include "' "$file" |
            sed -E 's/^([0-9]+):#include "([^"]+)".*/\1 \2/' |
            while read -r line target; do
                ok=
                for one in $allowed; do
                    case $target in "$one"/*) ok=1 ;; esac
                done
                [ -n "$ok" ] || echo "$file:$line: may not include $target"
            done
    done
}

third_party() {
    local header places file ok place
    grep -v '^#' "$here/headers.txt" | while read -r header places; do
        for file in $product; do
            grep -qE "^#include [<\"][^>\"]*${header//./\\.}" "$file" || continue
            case $header in
            *.pb-c.h) ;;
            *) grep -qE "^#include <${header//./\\.}" "$file" || continue ;;
            esac
            ok=
            for place in $places; do
                case $file in "$place"*) ok=1 ;; esac
            done
            [ -n "$ok" ] || echo "$file: may not include $header"
        done
    done
}

# The cores may call only their own modules, the pure parts of base and proto,
# and a few functions of libc that gcc itself may call.
purity() {
    local core object symbol own pure
    pure=$(nm -g --defined-only \
        "$build"/obj/base/{status,check,arena,text,bytes,rng}.o \
        "$build"/obj/proto/{arch,report,job,policy,jobcheck}.o 2>/dev/null |
        awk 'NF == 3 {print $3}')
    for core in coordinator/core worker/core; do
        own=$(nm -g --defined-only "$build/obj/$core"/*.o |
            awk 'NF == 3 {print $3}')
        for object in "$build/obj/$core"/*.o; do
            for symbol in $(nm -u "$object" | awk '{print $2}'); do
                case $symbol in
                memcpy | memmove | memset | memcmp | sqrt) continue ;;
                _GLOBAL_OFFSET_TABLE_) continue ;;
                esac
                printf '%s\n' "$own" "$pure" | grep -qx "$symbol" ||
                    echo "$object: calls $symbol"
            done
        done
    done
}

banned() {
    local object symbol
    find "$build/obj" -name '*.o' -not -path '*/tests/*' |
        while read -r object; do
            for symbol in $(nm -u "$object" | awk '{print $2}'); do
                case $symbol in
                strcpy | strcat | sprintf | vsprintf | strtok | atoi | atof | \
                    gets | rand | srand | localtime | gmtime | alloca)
                    echo "$object: calls $symbol" ;;
                malloc | calloc | realloc | free)
                    case $object in
                    */base/mem.o | *.pb-c.o) ;;
                    *) echo "$object: calls $symbol; use base/mem.h" ;;
                    esac ;;
                getenv | secure_getenv)
                    case $object in
                    */base/conf.o | */client/*) ;;
                    *) echo "$object: calls $symbol; use base/conf.h" ;;
                    esac ;;
                esac
            done
        done
}

guards() {
    local file want
    for file in $(printf '%s\n' "$code" | grep '\.h$'); do
        want=$(echo "$file" | tr 'a-z/.-' 'A-Z___')
        grep -q "^#ifndef $want\$" "$file" || echo "$file: guard is not $want"
    done
}

lengths() {
    local file count most
    for file in $code; do
        count=$(wc -l <"$file")
        case $file in
        tests/* | storage/kv.c) most=800 ;; # kv.c: lmdb.h in one file
        *) most=600 ;;
        esac
        [ "$count" -le $most ] || echo "$file: $count lines, $most at most"
    done
}

# A function begins at a line `{` in column 0 and ends at `}` in column 0.
functions() {
    printf '%s\n' "$product" | grep '\.c$' | xargs awk '
        FNR == 1 { open = 0 }
        /^\{/ { open = FNR }
        /^\}/ && open {
            if (FNR - open > 71)
                print FILENAME ":" open ": function of " FNR - open " lines"
            open = 0
        }'
}

alone() {
    local header
    for header in $(printf '%s\n' "$product" | grep '\.h$'); do
        echo "#include \"$header\"" |
            gcc -std=c11 -D_POSIX_C_SOURCE=200809L -I. -isystem "$build/gen" \
                -fsyntax-only -x c - >/dev/null 2>&1 ||
            echo "$header: does not compile alone"
    done
}

format() {
    printf '%s\n' "$code" | xargs clang-format-14 --dry-run -Werror 2>&1 |
        grep -E 'error:' | sed 's/: error.*//' | cut -d: -f1 | sort | uniq -c
}

readmes() {
    local folder
    for folder in base proto storage coordinator worker client tests deploy; do
        [ -f "$folder/README.md" ] || echo "$folder/README.md is missing"
    done
    ls -A | grep -vxE 'base|proto|storage|coordinator|worker|client|tests|deploy|README\.md|Makefile|LICENSE|CHANGELOG\.md|SECURITY\.md|build|\..*' |
        sed 's/$/: does not belong at the top/'
}

leftovers() {
    printf '%s\n' "$code" | xargs grep -nE '\b(TODO|FIXME|XXX|HACK)\b' /dev/null
}

rule "includes follow the table" "$(includes)"
rule "third-party headers are where they belong" "$(third_party)"
rule "the cores are pure" "$(purity)"
rule "no banned function is called" "$(banned)"
rule "header guards are their paths" "$(guards)"
rule "files have at most 600 lines, tests 800" "$(lengths)"
rule "functions have at most 70 lines" "$(functions)"
rule "headers compile alone" "$(alone)"
rule "clang-format has nothing to say" "$(format)"
rule "every folder has its README" "$(readmes)"
rule "no leftovers" "$(leftovers)"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
