#!/bin/bash
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# bad_dockerfiles.txt: "=== NAME [OPTIONS]", the Dockerfile, "--- STATUS", what stands on standard error. With
# UPDATE=1 the answers are written anew, to be read before they are committed.
TABLE=$TOP/tests/e2e/bad_dockerfiles.txt

make_context() {
    mkdir -p src node_modules/a
    echo r >README.md && echo m >src/main.c && echo l >build.log && echo i >node_modules/a/index.js
    ln -s /etc/passwd outside && ln -s ../../etc outside2 && ln -s nothing dangling && ln -s loop loop
    printf '# rules\n*.log\nnode_modules\n' >.dockerignore
}

# Writes NUMBER.Dockerfile, .name, .status, .expected for each entry of the table.
split_table() { # DIR
    awk -v dir="$1" '
        /^=== / { n++; file = dir "/" n ".Dockerfile"; printf "" >file; print substr($0, 5) >(dir "/" n ".name"); next }
        /^--- / { file = dir "/" n ".expected"; printf "" >file; print $2 >(dir "/" n ".status"); next }
        { print >file }' "$TABLE"
}

# Sets `answer` and `got`; sockets are written down.
ask() { # DIR NUMBER
    local options
    read -r -d '' options <<<"$(sed -n 's/.* \[\(.*\)\]$/\1/p' "$1/$2.name")" || :
    cp "$1/$2.Dockerfile" Dockerfile
    got=0
    # shellcheck disable=SC2086
    ASAN_OPTIONS=detect_leaks=0 timeout 120 "${tracer[@]}" "$CBUILD" build -q $options . >out 2>err </dev/null || got=$?
    answer=$(cat err)
    if grep -q 'Sanitizer' err; then cat err; fail "a sanitizer complained"; fi
    rm -f out err
}

no_socket() { ! grep -qE '(socket|connect)\(' "$TEST_TMP/trace" 2>/dev/null || { cat "$TEST_TMP/trace"; fail "$1: asks the network"; }; }

test_each_is_refused_in_these_words_and_without_a_request() {
    need_run # those from scratch
    make_context
    local cases=$TEST_TMP/cases n=0 name wrong=0 tracer=() got answer
    mkdir "$cases"
    split_table "$cases"
    if command -v strace >/dev/null; then tracer=(strace -f -qq -o "$TEST_TMP/trace" -e "trace=socket,connect"); fi
    : >"$TEST_TMP/new"
    while [ -e "$cases/$((n + 1)).Dockerfile" ]; do
        n=$((n + 1))
        name=$(cat "$cases/$n.name")
        ask "$cases" $n
        grep -q '^FROM scratch' Dockerfile || no_socket "$name"
        { echo "=== $name"; cat Dockerfile; echo "--- $got"; printf '%s\n' "$answer"; } >>"$TEST_TMP/new"
        [ "$got" = "$(cat "$cases/$n.status")" ] && [ "$answer" = "$(cat "$cases/$n.expected")" ] && continue
        wrong=$((wrong + 1))
        echo "$name: status $got, expected $(cat "$cases/$n.status")"
        diff -u "$cases/$n.expected" <(printf '%s\n' "$answer") || :
    done
    if [ -n "${UPDATE:-}" ]; then cp "$TEST_TMP/new" "$TABLE"; return; fi
    [ $n -ge 100 ] || fail "$n cases only"
    equal "$wrong" 0 "answers of $n"
}

run_tests "$@"
