#!/bin/bash
# shellcheck disable=SC2154 # status is lib.sh's
# How progress is shown: --progress=plain, tty, rawjson.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# on_terminal STATUS COMMAND...: its output, with what moves the cursor, in $TEST_TMP/out. Not by script(1), which
# doesn't wait for the rest where the kernel takes its time. SCRIPT: what happens meanwhile (on_pty.py).
on_terminal() {
    need python3
    local expected=$1
    shift
    printf '%s\n' "${SCRIPT:-wait}" >"$TEST_TMP/script"
    ok env TERM=xterm python3 "$TOP/tests/e2e/on_pty.py" "$TEST_TMP/script" "$@"
    out_has "[status $expected]"
}
json() { sed -n 's/^{/{/p' "$TEST_TMP/err" | jq -r "$@"; }

test_rawjson_is_one_status_a_line() {
    need_run
    import_busybox
    printf 'FROM busybox AS a\nENV a b\nRUN echo out; echo err >&2; exit 3\nFROM busybox\nCOPY --from=a / /\n' >Dockerfile
    fails 1 cbuild --progress=rawjson -t x .
    json -c 'keys' | sort -u >keys
    ! grep -vE '^\["(vertexes|logs|statuses|warnings)"\]$' keys || fail "other members"
    equal "$(json '.logs[]? | (.data | @base64d)' | tr '\n' ,)" 'out,,err,,'
    equal "$(json '.logs[]?.stream' | sort | tr '\n' ,)" 1,2,
    json -c '.vertexes[]? | select(.name | startswith("[a 2/2] RUN")) | has("started"), has("completed"), .error' | tr '\n' ' ' >run
    grep -q '^true false null true true process "/bin/sh -c echo out.*exit code: 3' run || fail "$(cat run)"
    # its digest is that of its logs
    equal "$(json '.vertexes[]? | select(.name | startswith("[a 2/2] RUN")) | .digest' | sort -u)" "$(json '.logs[]?.vertex' | sort -u)"
    # the error itself stays readable
    err_has 'cbuild: Dockerfile:3: process'
    grep -v '^{' "$TEST_TMP/err" | grep -qx out || fail "no log beside the error"
    printf 'FROM busybox\nENV a b\nRUN echo hi\n' >Dockerfile
    ok cbuild --progress=rawjson -t x .
    ok cbuild --progress=rawjson -t x .
    equal "$(json '.vertexes[]? | select(.cached) | .name')" '[2/2] RUN echo hi'
    json '.warnings[]? | (.short | @base64d)' | grep -q LegacyKeyValueFormat
}

test_tty_leaves_a_line_for_each_step() {
    printf 'FROM scratch\nCOPY Dockerfile /a-long-name-that-does-not-fit-into-the-line-of-a-terminal-of-sixty-columns\n' >Dockerfile
    on_terminal 0 "$CBUILD" -t x .
    out_has $'\033[34m => [2/2] COPY Dockerfile /a-long-name'
    out_has ' => exporting the image'
    out_has 'tagged docker.io/library/x:latest'
    sed -e 's/\x1b\[[0-9;]*[A-Za-z]//g' -e 's/\r//g' "$TEST_TMP/out" | awk 'length > 60 && !/^sha256/ { exit 1 }' || { show; fail "a line wraps"; }
    NO_COLOR=1 on_terminal 0 "$CBUILD" --no-cache -t x .
    ! grep -q $'\033\\[[0-9;]*m' "$TEST_TMP/out" || fail "colors"
    out_has $'\033[2A'
    on_terminal 0 "$CBUILD" --progress=plain --no-cache -t x .
    out_has '#1 DONE'
    ! grep -q $'\033' "$TEST_TMP/out" || fail "no plain lines"
}

test_tty_shows_all_that_a_failing_step_put_out() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN seq 1 20000; printf "a\\033[31mb\\n"; printf "no end"; exit 4\n' >Dockerfile
    on_terminal 1 "$CBUILD" -t x .
    tr -d '\r' <"$TEST_TMP/out" | sed -n '/^------/,/^------/p' >log
    equal "$(grep -cE '^[0-9]+$' log)" 20000
    grep -qx $'a\033\[31mb' log
    grep -qx 'no end' log
    equal "$(grep -c '^------' log)" 2 "the log is there once"
    out_has 'ERROR [2/2] RUN seq'
    out_has 'exit code: 4'
    # also where stages run beside each other
    printf 'FROM busybox AS a\nRUN echo only once; exit 4\nFROM busybox\nCOPY --from=a / /\n' >Dockerfile
    on_terminal 1 "$CBUILD" -t x .
    equal "$(tr -d '\r' <"$TEST_TMP/out" | grep -cx 'only once')" 1
    # and while it runs its last lines are shown
    printf 'FROM busybox\nRUN echo shown meanwhile; sleep 1000\n' >Dockerfile
    SCRIPT=$'expect  => => # shown meanwhile\nsignal INT\nwait' on_terminal 130 "$CBUILD" -t x .
    printf 'FROM busybox\nRUN sleep 1.1\n' >Dockerfile
    on_terminal 0 "$CBUILD" -t x .
    grep -q '[1-9]\.[0-9]s' "$TEST_TMP/out" || fail "no time goes by"
}

test_progress_names_its_styles() {
    printf 'FROM scratch\nLABEL a=b\n' >Dockerfile
    fails 2 cbuild --progress=pretty .
    err_has '--progress=pretty: auto, plain, tty, rawjson, quiet and none are what there is'
    ok cbuild --progress=tty -t x . # told so, where no terminal is
    err_has ' => exporting the image'
    ok cbuild -t x .
    err_has '#1 DONE'
    BUILDKIT_PROGRESS=rawjson ok cbuild -t x .
    err_has '{"vertexes":'
}

run_tests "$@"
