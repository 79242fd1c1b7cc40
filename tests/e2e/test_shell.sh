#!/bin/bash
# shellcheck disable=SC2154 # status is lib.sh's
# Shells in the midst of a build: --on-error=shell, --shell-at.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# typed SCRIPT COMMAND...: on a terminal, by the script's lines (on_pty.py); what was shown is in $TEST_TMP/out
typed() {
    need python3
    printf '%s\n' "$1" >"$TEST_TMP/script"
    shift
    ok env TERM=xterm python3 "$TOP/tests/e2e/on_pty.py" "$TEST_TMP/script" "$@"
    tr -d '\r' <"$TEST_TMP/out" >"$TEST_TMP/clean"
    mv "$TEST_TMP/clean" "$TEST_TMP/out"
}
out_lacks() { ! grep -qF -- "$1" "$TEST_TMP/out" || { show; fail "stdout has: $1"; }; }

test_a_failed_step_opens_a_shell_in_what_it_left() {
    need_run
    import_busybox
    echo 'very secret' >secret
    cat >Dockerfile <<'EOF'
FROM busybox
ENV A=from-env
ARG B=from-arg
WORKDIR /w
USER app
RUN --mount=type=secret,id=s,target=/run/s,uid=1000 --mount=type=cache,target=/cache,uid=1000 --network=none \
    touch /cache/c; echo left >/tmp/left; exit 3
EOF
    typed 'expect build ends with it
expect w
send echo id=$(id -u) at=$(pwd) $A $B left=$(cat /tmp/left) secret=$(cat /run/s) cache=$(ls /cache) net=$(ls /sys/class/net | tr "\\n" ,)\n
expect id=1000 at=/w from-env from-arg left=left secret=very secret cache=c
send tty; echo term=$TERM\n
expect /dev/pts/0
send exit 9\n
wait' "$CBUILD" --on-error=shell --secret id=s,src=secret -t x .
    out_has 'term=xterm'
    out_has '>>> RUN --mount=type=secret'
    out_has 'did not complete successfully: exit code: 3'
    out_has '[status 1]'
    out_lacks '[raw]'
    equal "$(grep -c 'ERROR \[' "$TEST_TMP/out")" 1 "told once"
    fails 3 cbuild inspect x
    store_verifies
    equal "$(find "$CBUILD_ROOT/tmp" -mindepth 1 | wc -l)" 0 "files in tmp/"
}

test_nothing_of_the_shell_is_kept() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN echo one >/one\nRUN test -f /switch || exit 3\n' >Dockerfile
    typed 'expect build ends with it
expect #
send touch /switch; exit 0\n
wait' "$CBUILD" --on-error=shell --progress=plain -t x .
    out_has '[status 1]'
    # the step fails again, on what was made before it
    typed 'expect #2 CACHED
expect build ends with it
expect #
send ls /switch; exit 0\n
expect No such file
wait' "$CBUILD" --on-error=shell --progress=plain -t x .
    out_has '[status 1]'
    store_verifies
}

test_a_step_that_works_opens_none() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN true\n' >Dockerfile
    typed 'wait' "$CBUILD" --on-error=shell -t x .
    out_has '[status 0]'
    ok cbuild inspect x
}

test_keys_and_windows_reach_the_shell() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN exit 3\n' >Dockerfile
    typed 'expect build ends with it
expect #
send stty size\n
expect \n20 60
send sh -c "trap \x27echo size; exit\x27 WINCH; echo set; while :; do sleep 0.1; done"\n
expect \nset
resize 33 77
expect \nsize
send sh -c "echo now; exec sleep 100"\n
expect \nnow
send \x03
expect #
send echo status=$?\n
expect \nstatus=130
send sh -c "trap \x27echo back\x27 CONT; echo again; while :; do sleep 0.1; done"\n
expect \nagain
send \x1a
expect Stopped
send fg\n
expect \nback
send \x03
expect #
send exit 4\n
wait' "$CBUILD" --on-error=shell -t x .
    out_has '[status 1]'
    out_lacks '[raw]'
}

test_signals_end_the_shell_and_give_the_terminal_back() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN exit 3\n' >Dockerfile
    for signal in INT:130 TERM:143 HUP:129; do
        typed "expect build ends with it
expect #
signal ${signal%:*}
wait" "$CBUILD" --on-error=shell -t x .
        out_has "[status ${signal#*:}]"
        out_lacks '[raw]'
    done
    # no code of cbuild runs then: its keeper does it
    typed "expect build ends with it
expect #
send echo alive; sleep $LONG\n
expect \nalive
signal KILL
wait" "$CBUILD" --on-error=shell -t x .
    out_has '[signal 9]'
    out_lacks '[raw]'
    await_gone pgrep -f "^sleep $LONG\$"
    ok cbuild images
    store_verifies
}

test_without_a_terminal_the_failure_is_plain() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN echo last words; exit 3\n' >Dockerfile
    fails 1 cbuild --on-error=shell -t x . </dev/null
    err_has 'no shell: standard input and standard error'
    err_has 'exit code: 3'
    fails 2 cbuild --shell-at 2 . </dev/null
    err_has '--shell-at: a shell needs a terminal'
    fails 2 cbuild --on-error=bash .
    err_has '--on-error=bash: shell is what there is'
}

test_an_image_without_a_shell_says_so() {
    need_run
    mkdir -p rootfs/bin
    cp /bin/busybox rootfs/bin/false
    tar -C rootfs -cf rootfs.tar .
    ok cbuild import rootfs.tar bare
    printf 'FROM bare\nRUN ["/bin/false"]\n' >Dockerfile
    typed wait "$CBUILD" --on-error=shell --progress=plain -t x .
    out_has 'no shell in the image: /bin/bash, /bin/sh'
    out_has 'exit code: 1'
    out_has '[status 1]'
    out_lacks '[raw]'
    # the stage's SHELL comes first
    mkdir rootfs/own
    cp /bin/busybox rootfs/own/sh
    tar -C rootfs -cf rootfs.tar .
    ok cbuild import rootfs.tar bare
    printf 'FROM bare\nSHELL ["/own/sh", "-c"]\nRUN exit 4\n' >Dockerfile
    typed 'expect build ends with it
expect /
send echo I am $0\n
expect I am /own/sh
send exit\n
wait' "$CBUILD" --on-error=shell --progress=plain -t x .
    out_has 'exit code: 4'
}

test_shell_at_a_line_sees_what_is_before_it() {
    need_run
    import_busybox
    cat >Dockerfile <<'EOF'
FROM busybox AS first
RUN echo one >/one

# a comment
RUN --mount=type=tmpfs,target=/fs \
    echo two >/two
ENV A=later
FROM first
RUN echo three >/three
EOF
    for line in 4 6; do # in between, within
        typed "expect a shell before Dockerfile:5
expect #
send echo \$(ls -d /one /two /three 2>/dev/null) A=\$A; touch /mine; grep -c \" /fs \" /proc/mounts; exit 5\n
expect \n/one A=
expect 1
wait" "$CBUILD" --shell-at $line -t x .
        out_has '[status 0]'
        out_lacks '[raw]'
    done
    fails 3 cbuild inspect x
    # what was made on the way is there the next time, what the shell did isn't
    typed 'expect CACHED [first 2/3] RUN echo one
expect a shell after stage first
expect #
send ls /mine; echo $(ls -d /one /two /three 2>/dev/null) A=$A; exit\n
expect No such file
expect \n/one /two A=later
wait' "$CBUILD" --shell-at first -t x .
    out_has '[status 0]'
    typed 'expect a shell before Dockerfile:9
expect #
send echo $(ls -d /one /two /three 2>/dev/null); exit\n
expect \n/one /two
wait' "$CBUILD" --shell-at 9 .
    out_has '[status 0]'
    typed wait "$CBUILD" --shell-at 8 .
    out_has '--shell-at=8: nothing is there before a FROM'
    out_has '[status 2]'
    typed wait "$CBUILD" --shell-at nowhere .
    out_has '--shell-at=nowhere: no stage of Dockerfile has that name'
    typed wait "$CBUILD" --shell-at 99 .
    out_has 'Dockerfile has 9 lines'
    typed wait "$CBUILD" --shell-at first --push -t x .
    out_has '--shell-at makes no image'
    fails 2 cbuild plan --shell-at first .
    typed wait "$CBUILD" --shell-at first --platform linux/amd64,linux/arm64 .
    out_has 'a build for several platforms has no such place'
    store_verifies
}

test_what_others_tell_waits_for_the_shell() {
    need_run
    import_busybox
    cat >Dockerfile <<'EOF'
FROM busybox AS other
RUN --mount=type=cache,target=/c until test -e /c/shell; do sleep 0.05; done; echo other $((40 + 2)); touch /c/told
RUN sleep 1000
FROM busybox
RUN --mount=type=cache,target=/c rm /c/*
COPY --from=other / /
EOF
    for style in tty plain; do
        typed 'expect a shell before Dockerfile:5
expect #
send touch /c/shell; until test -e /c/told; do sleep 0.05; done; sleep 1; rm /c/*; echo end of shell; exit\n
wait' "$CBUILD" --no-cache --progress=$style --shell-at 5 .
        out_has '[status 0]'
        sed -n '/a shell before/,/^end of shell/p' "$TEST_TMP/out" >during
        ! grep -q 'other 42$' during || fail "it stands between"
    done
    # with plain progress it is told afterwards, and the other stage has ended
    grep -q 'other 42$' "$TEST_TMP/out" || { show; fail "it was left out"; }
}

test_an_ordinary_user_has_them_too() {
    need_root
    again_as_test_user -- test_a_failed_step_opens_a_shell_in_what_it_left test_shell_at_a_line_sees_what_is_before_it \
        test_signals_end_the_shell_and_give_the_terminal_back >"$TEST_TMP/user" || [ $? != 77 ] ||
        skip "CBUILD_TEST_USER names no ordinary user"
    cat "$TEST_TMP/user"
    ! grep -q '^not ok' "$TEST_TMP/user" || fail "as the user"
    equal "$(grep -c '^ok' "$TEST_TMP/user")" 3
}

run_tests "$@"
