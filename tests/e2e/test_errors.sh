#!/bin/bash
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

test_missing_dockerfile() {
    fails 3 cbuild -t x .
    err_has 'cbuild: no Dockerfile in .'
    fails 3 cbuild -t x -f Missing .
    err_has 'Missing'
}

test_missing_context() {
    fails 3 cbuild -t x ./nowhere
    err_has './nowhere'
    fails 2 cbuild -t x
    err_has 'no build context'
}

test_unknown_instruction_is_shown_with_a_suggestion() {
    printf 'FROM scratch\nCOYP a b\n' >Dockerfile
    fails 1 cbuild -t x .
    err_has 'Dockerfile:2: '
    err_has 'COPY'
    err_has '>>> COYP a b'
}

test_a_dockerfile_error_costs_no_network_and_no_step() {
    printf 'FROM registry.invalid/image\nRUN true\nCOPY --chwon=1 a b\n' >Dockerfile
    fails 1 cbuild -t x .
    err_has 'Dockerfile:3: '
    err_has 'chown'
}

test_failing_run_names_status_output_and_lines() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN echo last words; exit 42\n' >Dockerfile
    fails 1 cbuild -t x .
    err_has 'Dockerfile:2: '
    err_has 'process "/bin/sh -c echo last words; exit 42" did not complete successfully: exit'
    err_has 'exit code: 42'
    step_says 'last words'
    err_has '>>> RUN echo last words; exit 42'
    fails 3 cbuild inspect x
    store_verifies
}

test_missing_command_names_it() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN ["/no/such/command"]\n' >Dockerfile
    fails 1 cbuild -t x .
    err_has '/no/such/command'
}

test_copy_of_a_missing_file() {
    printf 'FROM scratch\nCOPY missing.txt /\n' >Dockerfile
    fails 3 cbuild -t x .
    err_has 'Dockerfile:2: '
    err_has 'missing.txt'
}

test_copy_of_an_ignored_file_names_the_rule() {
    touch secret.txt
    printf '*.md\n*.txt\n' >.dockerignore
    printf 'FROM scratch\nCOPY secret.txt /\n' >Dockerfile
    fails 3 cbuild -t x .
    err_has 'secret.txt'
    err_has '.dockerignore'
    err_has '*.txt'
}

test_unknown_stage_number() {
    printf 'FROM scratch\nCOPY --from=3 a /\n' >Dockerfile
    fails 3 cbuild -t x .
    err_has 'Dockerfile:2: '
}

test_escape_codes_of_a_dockerfile_do_not_reach_the_terminal() {
    printf 'FROM scratch\nCOPY \0332Jx /\n' >Dockerfile
    fails 3 cbuild -t x .
    ! grep -q $'\033' "$TEST_TMP/err" || { show; fail "an escape code"; }
}

test_unknown_option_names_its_neighbour() {
    fails 2 cbuild build --no-cahce .
    err_has 'unknown option --no-cahce'
    err_has 'did you mean --no-cache?'
}

test_unknown_command_names_its_neighbour() {
    fails 2 cbuild pusj
    err_has 'cbuild push'
}

test_help_of_every_command() {
    for command in build plan push pull login logout images tag rmi inspect history copy export validate ls catalog digest manifest imagetools config blob referrers attach delete save load import prune df fsck doctor version; do
        ok cbuild "$command" --help
        out_has 'Usage: cbuild'
    done
    ok cbuild --help
    out_has 'cbuild COMMAND --help'
}

test_ctrl_c_in_run_leaves_nothing() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN echo ready; sleep %s\n' $LONG >Dockerfile
    build_until ready
    interrupt_build
    ! pgrep -f "^sleep $LONG\$" || fail "the step lives on"
    fails 3 cbuild inspect x
    store_verifies
    equal "$(find "$CBUILD_ROOT/tmp" -mindepth 1 | wc -l)" 0 "files in tmp/"
}

test_ctrl_c_leaves_a_large_tree_to_the_next_command() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN mkdir /d && cd /d && i=0; while [ $i -lt 4500 ]; do : >$i; i=$((i+1)); done; echo ready; sleep %s\n' $LONG >Dockerfile
    build_until ready
    ok cbuild df
    ! grep -q '^Work in progress *0 ' "$TEST_TMP/out" || { show; fail "df knows nothing of the build"; }
    interrupt_build
    equal "$(find "$CBUILD_ROOT/layers" -mindepth 2 -maxdepth 2 -name 'p-*' | wc -l)" 0 "private forms"
    equal "$(find "$CBUILD_ROOT/tmp" -mindepth 1 -maxdepth 1 | wc -l)" 1 "folders in tmp/"
    printf 'FROM busybox\nRUN true\n' >Dockerfile
    ok cbuild -t x .
    equal "$(find "$CBUILD_ROOT/tmp" "$CBUILD_ROOT/leases" -mindepth 1 | wc -l)" 0 "left behind"
    equal "$(cbuild df | sed -n 's/^Work in progress *//p')" '0       0B'
    store_verifies
}

test_kill_at_any_time_costs_no_repair() {
    need_run
    import_busybox
    mkdir d && head -c 3000000 /dev/urandom >d/big
    printf 'FROM busybox\nCOPY d /d\nRUN echo a > /a; sleep 0.05\nRUN cat /d/big /d/big > /b\n' >Dockerfile
    for delay in 0.01 0.03 0.06 0.1 0.15 0.2 0.3 0.4; do
        "$CBUILD" -t x --no-cache . >/dev/null 2>&1 &
        pid=$!
        sleep "$delay"
        kill -KILL $pid 2>/dev/null || :
        wait $pid 2>/dev/null || :
        store_verifies
    done
    n_in_tmp() { # a killed step has a moment to die, and holds locks until then
        ok cbuild -t x .
        find "$CBUILD_ROOT/tmp" -mindepth 1 | wc -l
    }
    becomes 0 n_in_tmp
    store_verifies
}

test_full_disk_is_said_and_a_small_job_fits_again() {
    need_root
    mkdir small
    unshare -m sh -eu <<'EOT' || fail "in the small file system"
mount -t tmpfs -o size=8m none small
export CBUILD_ROOT=$PWD/small/store
mkdir ctx && head -c 20000000 /dev/urandom >ctx/big
printf 'FROM scratch\nCOPY big /\n' >ctx/Dockerfile
status=0; "$CBUILD" -t x ctx >out 2>err || status=$?
cat err
[ $status = 7 ]
grep -qi 'no space left' err
[ "$(find small/store/tmp -mindepth 1 | wc -l)" = 0 ]
echo small >ctx/little
printf 'FROM scratch\nCOPY little /\n' >ctx/Dockerfile
"$CBUILD" -t x ctx
"$CBUILD" fsck
EOT
}

test_a_layer_that_cannot_be_written_ends_the_steps_on_it() {
    need_root
    import_busybox
    mkdir small
    unshare -m sh -eu <<'EOT' || fail "in the small file system"
mount -t tmpfs -o size=32m none small
export CBUILD_ROOT=$PWD/small/store
"$CBUILD" import "$TEST_TMP/busybox.tar" busybox >/dev/null
printf 'FROM busybox\nRUN head -c 20000000 /dev/urandom >/big\nRUN sleep 1000\n' >Dockerfile
status=0; timeout 120 "$CBUILD" -t x . 2>err || status=$?
cat err
[ $status = 7 ]
grep -q '^cbuild: layer of RUN head .*[Nn]o space left' err
EOT
}

# On one thread the image's layer waits behind one of another stage, which doesn't fit: it is given up, and the image asks
# for it first.
test_a_full_disk_is_told_though_the_image_waits_for_another_layer() {
    need_root
    import_busybox
    mkdir small ctx
    echo small >ctx/little
    cat >ctx/Dockerfile <<'END'
FROM busybox AS other
RUN head -c 20000000 /dev/urandom >/big
FROM scratch
COPY --from=other /none* /
COPY little /
END
    unshare -m sh -eu <<'EOT' || fail "in the small file system"
mount -t tmpfs -o size=32m none small
export CBUILD_ROOT=$PWD/small/store CBUILD_FORCE=one-cpu
"$CBUILD" import "$TEST_TMP/busybox.tar" busybox >/dev/null
status=0; "$CBUILD" -t x ctx 2>err || status=$?
cat err
[ $status = 7 ]
grep -q '^cbuild: .*[Nn]o space left' err
EOT
}

test_every_failing_call_leaves_a_store_that_verifies() {
    [ -f "${FAULT_SO:-}" ] || fail "FAULT_SO isn't set"
    mkdir d && echo x >d/f
    printf 'FROM scratch\nCOPY d /d\nENV A=1\n' >Dockerfile
    export ASAN_OPTIONS=verify_asan_link_order=0:${ASAN_OPTIONS:-}
    export CBUILD_FORCE=no-syncfs
    for call in write rename fsync fdatasync create mkdir; do
        n=1
        while :; do
            rm -rf "$CBUILD_ROOT" count
            FAULT_CALL=$call FAULT_N=$n FAULT_ERRNO=ENOSPC FAULT_COUNT_FILE=$PWD/count FAULT_PROGRAM=cbuild LD_PRELOAD=$FAULT_SO \
                run "$CBUILD" -q -t x .
            [ "$(cat count)" -ge $n ] || break
            [ "$status" -lt 128 ] || { show; fail "$call $n: status $status"; }
            # caches may be lost silently; then the image is there and whole
            if [ "$status" = 0 ]; then
                cp "$TEST_TMP/out" id
                ok cbuild inspect -f '{{.Id}}' x
                out_is "$(cat id)"
            else
                grep -qi '^cbuild: .*no space left' "$TEST_TMP/err" || { show; fail "$call $n: no message"; }
            fi
            if [ -e "$CBUILD_ROOT/oci-layout" ]; then store_verifies; fi
            ok cbuild -q -t x .
            n=$((n + 1))
        done
        [ $n -gt 1 ] || fail "$call: none was counted"
        echo "$call: $((n - 1)) calls failed in turn"
    done
}

# As after a power cut: another boot, and what isn't synced has its name and no content.
power_cut() { # FOLDER...
    local file
    for file in "$CBUILD_ROOT"/unsynced/*; do
        case $file in
            *.synced) mv "$file" "$CBUILD_ROOT/unsynced/earlier.synced" ;;
            *) mv "$file" "$CBUILD_ROOT/unsynced/earlier" ;;
        esac
    done
    for file; do
        find "$CBUILD_ROOT/$file" -type f -exec truncate -s 0 {} +
    done
}

# What has a name stands; the same image comes out, and nothing of what was lost is used.
test_a_power_cut_costs_what_was_not_synced() {
    need_run
    import_busybox
    export CBUILD_FORCE=no-syncfs SOURCE_DATE_EPOCH=1700000000
    printf 'FROM busybox\nRUN echo one >/a\nCOPY f /f\nRUN cat /f /a >/b\n' >Dockerfile
    printf 'FROM x\nRUN test "$(cat /f)" = content && test "$(wc -l </b)" = 2\n' >look
    echo content >f
    ok cbuild -q -t x .
    cp "$TEST_TMP/out" id
    is_there "$CBUILD_ROOT"/unsynced/*.synced
    for lost in "layers entries" "layers entries cache/records cache/contexts"; do
        ok cbuild -q --no-cache -t y -f look .
        is_there "$CBUILD_ROOT/unsynced/$(cat /proc/sys/kernel/random/boot_id)"
        # shellcheck disable=SC2086 # words
        power_cut $lost
        ok cbuild inspect -f '{{.Id}}' x
        out_is "$(cat id)"
        equal "$(ls "$CBUILD_ROOT/unsynced")" ""
        equal "$(find "$CBUILD_ROOT/layers" -mindepth 2 -maxdepth 2 -name '[cd]-*')" ""
        store_verifies
        ok cbuild -q -t x .
        out_is "$(cat id)"
        ok cbuild -q --no-cache -t z -f look .
        store_verifies
    done
}

test_output_that_cannot_be_written_is_a_failure() {
    [ -e /dev/full ] || fail "no /dev/full"
    printf 'FROM scratch\nLABEL a=b\n' >Dockerfile
    status=0
    cbuild -q -t x . >/dev/full 2>err || status=$?
    equal "$status" 7
}

run_tests "$@"
