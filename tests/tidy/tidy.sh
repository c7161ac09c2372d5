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

# The files as they are in the tree now. Not git's list: where git is missing,
# or does not trust the owner of the clone, that is empty and all rules hold.
code=$(find base proto storage worker coordinator client tests \
    -name '*.[ch]' | sort)
product=$(printf '%s\n' "$code" | grep -v '^tests/')

# Every #include line of the product as: FILE LINE "TARGET or FILE LINE <TARGET
all_includes() {
    printf '%s\n' "$product" | xargs awk '
        /^#include ["<]/ {
            target = $2; gsub(/["<>]/, "", target)
            print FILENAME, FNR, substr($2, 1, 1) target
        }'
}

includes() {
    all_includes | awk -v table="$here/includes.txt" '
        BEGIN {
            while ((getline line < table) > 0) {
                if (line ~ /^#/) continue
                split(line, part, ": ")
                allowed[part[1]] = " " part[2] " "
            }
        }
        substr($3, 1, 1) == "\"" {
            target = substr($3, 2)
            if ($1 ~ /\/main\.c$/) next
            folder = $1; sub("/[^/]*$", "", folder)
            sub("/verbs$", "", folder)
            to = target; sub("/[^/]*$", "", to)
            sub("/cajal/v1$", "", to); sub("/verbs$", "", to)
            if (index(allowed[folder], " " to " ") == 0)
                print $1 ":" $2 ": may not include " target
        }'
}

third_party() {
    all_includes | awk -v table="$here/headers.txt" '
        BEGIN {
            while ((getline line < table) > 0) {
                if (line ~ /^#/) continue
                n = split(line, word, " ")
                header[++count] = word[1]
                for (i = 2; i <= n; i++) place[count, i - 1] = word[i]
                places[count] = n - 1
            }
        }
        {
            target = substr($3, 2)
            for (h = 1; h <= count; h++) {
                if (index(target, header[h]) == 0) continue
                ok = 0
                for (i = 1; i <= places[h]; i++)
                    if (index($1, place[h, i]) == 1) ok = 1
                if (!ok) print $1 ":" $2 ": may not include " target
            }
        }'
}

# The cores may call only their own modules, the pure parts of base and proto,
# and a few functions of libc that gcc itself may call.
purity() {
    local core parts="base/status base/check base/arena base/text base/bytes \
        base/rng proto/arch proto/report proto/job proto/jobcheck \
        proto/policy proto/utf8"
    for core in coordinator/core worker/core; do
        {
            nm -g --defined-only "$build/obj/$core"/*.o \
                $(printf "$build/obj/%s.o " $parts)
            echo "== undefined"
            nm -A -u "$build/obj/$core"/*.o
        } | awk '
            /^== undefined/ { second = 1; next }
            !second && NF == 3 { known[$3] = 1; next }
            second && !($NF in known) &&
                $NF !~ /^(memcpy|memmove|memset|memcmp|sqrt)$/ &&
                $NF != "_GLOBAL_OFFSET_TABLE_" { print $1 " calls " $NF }'
    done
}

banned() {
    find "$build/obj" -name '*.o' -not -path '*/tests/*' -print0 |
        xargs -0 nm -A -u | awk '
        { object = $1; symbol = $NF }
        symbol ~ /^(strcpy|strcat|sprintf|vsprintf|strtok|atoi|atof|gets|rand|srand|localtime|gmtime|alloca)$/ {
            print object " calls " symbol
        }
        symbol ~ /^(malloc|calloc|realloc|free)$/ && object !~ /base\/mem\.o/ {
            print object " calls " symbol "; use base/mem.h"
        }
        symbol ~ /getenv$/ && object !~ /base\/conf\.o/ {
            print object " calls " symbol "; use base/conf.h"
        }'
}

guards() {
    local file want
    for file in $(printf '%s\n' "$code" | grep '\.h$'); do
        want=$(echo "$file" | tr 'a-z/.-' 'A-Z___')
        grep -q "^#ifndef $want\$" "$file" || echo "$file: guard is not $want"
    done
}

lengths() {
    local file count
    for file in $code; do
        count=$(wc -l <"$file")
        [ "$count" -le 600 ] || echo "$file: $count lines, 600 at most"
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
    for folder in base proto storage coordinator coordinator/shell \
        coordinator/shell/*/ worker client tests deploy; do
        [ -f "$folder/README.md" ] || echo "$folder/README.md is missing"
    done
    ls -A | grep -vxE 'base|proto|storage|coordinator|worker|client|tests|deploy|README\.md|Makefile|LICENSE|CHANGELOG\.md|SECURITY\.md|build|\..*' |
        sed 's/$/: does not belong at the top/'
}

# In a tree of its own: an archive has the files that its folder has, whatever
# their times say.
archives() {
    local tree
    tree=$(mktemp -d)
    mkdir "$tree/base" "$tree/tests"
    cp Makefile "$tree" && cp tests/tests.mk "$tree/tests"
    (
        cd "$tree" || exit
        build() { env -u MAKEFLAGS make -s B=b "$@" >/dev/null 2>&1; }
        echo 'extern int a; int a;' >base/a.c
        build b/lib/base.a || echo "the archive is not built"
        echo 'extern int b; int b;' >base/b.c
        build b/obj/base/b.o
        touch -d '1 hour ago' base/b.c b/obj/base/b.o
        build b/lib/base.a
        ar t b/lib/base.a | grep -q '^b.o$' || echo "a new file is not in it"
        rm base/a.c
        build b/lib/base.a
        ar t b/lib/base.a | grep -q '^a.o$' && echo "a removed file is in it"
    )
    rm -rf "$tree"
}

# A rule that looks at nothing finds nothing.
needs() {
    local tool
    [ "$(printf '%s\n' "$product" | wc -l)" -gt 100 ] || echo "no code is here"
    [ -n "$(find "$build/obj" -name '*.o')" ] || echo "nothing is built"
    for tool in ar awk clang-format-14 cmp gcc make nm xargs; do
        command -v "$tool" >/dev/null || echo "$tool is missing"
    done
}

leftovers() {
    printf '%s\n' "$code" | xargs grep -nE '\b(TODO|FIXME|XXX|HACK)\b' /dev/null
}

rule "there is something to look at, and to look with" "$(needs)"
rule "includes follow the table" "$(includes)"
rule "third-party headers are where they belong" "$(third_party)"
rule "the cores are pure" "$(purity)"
rule "no banned function is called" "$(banned)"
rule "header guards are their paths" "$(guards)"
rule "files have at most 600 lines" "$(lengths)"
rule "functions have at most 70 lines" "$(functions)"
rule "headers compile alone" "$(alone)"
rule "clang-format has nothing to say" "$(format)"
rule "every folder has its README" "$(readmes)"
rule "archives have the files that there are" "$(archives)"
rule "no leftovers" "$(leftovers)"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
