#!/bin/bash
# What doctor tells of a machine, and of what is taken away from it.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

line() { grep "^$1 *$2  " "$TEST_TMP/out" || { show; fail "$1 isn't said to be $2"; }; }

test_where_run_works_nothing_fails() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN true\n' >Dockerfile
    ok cbuild .
    ok cbuild doctor
    for subject in kernel 'user namespaces' 'subordinate ids' store certificates 'credential helpers' git 'foreign platforms' \
        privilege seccomp confinement sandbox network cgroups; do
        grep -q "^$subject  *[a-z]*  ." "$TEST_TMP/out" || { show; fail "$subject"; }
    done
    equal "$(wc -l <"$TEST_TMP/out")" 14 "a line each"
    line sandbox works
    line kernel works | grep -q "$(uname -r)"
    line store works | grep -q "$CBUILD_ROOT on"
    store_verifies
    equal "$(find "$CBUILD_ROOT/tmp" "$CBUILD_ROOT/layers" -name 'p-*')" '' "left behind"
}

test_json_has_the_same() {
    need_run
    ok cbuild doctor --format json
    equal "$(jq -r 'length' "$TEST_TMP/out")" 14
    equal "$(jq -r '.[] | select(.subject == "sandbox") | .verdict' "$TEST_TMP/out")" works
    equal "$(jq -r '.[] | select(.subject == "sandbox") | .fix' "$TEST_TMP/out")" null
    fails 2 cbuild doctor --format yaml
    err_has 'json is what there is'
}

test_what_is_missing_is_told_with_the_way_out() {
    mkdir .docker
    echo '{"credsStore": "absent-from-here"}' >config.json
    run env SSL_CERT_FILE=/nowhere/ca.pem DOCKER_CONFIG="$PWD" CBUILD_FORCE=no-cgroup "$CBUILD" doctor
    line certificates lacks | grep -q '/nowhere/ca.pem: .*; fix: sudo apt-get install ca-certificates'
    line 'credential helpers' lacks | grep -q 'fix: install docker-credential-absent-from-here'
    line cgroups lacks | grep -q 'no cgroups are mounted.*; fix: .*--limits=best-effort'
    mkdir bin
    for program in newuidmap newgidmap; do command -v $program >/dev/null && ln -s "$(command -v $program)" bin/; done
    run env PATH="$PWD/bin" "$CBUILD" doctor
    line git lacks | grep -q 'fix: sudo apt-get install git'
    line network lacks | grep -q "RUN uses the host's network.*; fix: sudo"
}

test_a_store_that_isnt_there_is_not_made() {
    need_run
    ok cbuild doctor
    line store works | grep -q "$CBUILD_ROOT on .*; it isn't there yet"
    line sandbox works
    is_absent "$CBUILD_ROOT"
    mkdir empty
    ok cbuild doctor --root deep/er/store
    ok cbuild doctor --root empty
    equal "$(find . -mindepth 1)" ./empty "left behind"
}

test_all_limits_that_cant_be_set_are_told() {
    run env CBUILD_FORCE=no-cgroup "$CBUILD" doctor
    for option in --memory "--cpus (--cpu-quota)" --pids-limit; do
        line cgroups lacks | grep -q -- "$option can't be set here" || { show; fail "$option"; }
    done
    equal "$(grep -o 'limits=best-effort' "$TEST_TMP/out" | wc -l)" 1 "ways out"
}

test_a_store_that_cant_be_made_fails() {
    echo file >taken
    fails 1 cbuild doctor --root "$PWD/taken/store"
    line store fails
    line sandbox fails
    err_has "RUN doesn't work here: store, sandbox"
}

test_root_without_its_capabilities_is_told() {
    need_root
    need setpriv
    fails 1 setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin "$CBUILD" doctor
    line privilege fails | grep -q 'CAP_SYS_ADMIN.*; fix: run the container with --privileged'
    line sandbox fails | grep -q 'not tried'
}

test_user_namespaces_that_are_used_up_are_told() {
    # the limit is the new namespace's own
    unshare -Urm sh -c 'echo 0 >/proc/sys/user/max_user_namespaces' 2>/dev/null || skip "no namespaces to try it in"
    run unshare -Urm sh -c 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$0" doctor' "$CBUILD"
    line 'user namespaces' lacks | grep -q 'fix: .*user.max_user_namespaces'
}

test_a_user_without_ids_is_told_what_to_do() {
    [ "$(id -u)" != 0 ] || skip "needs an ordinary user"
    ok env CBUILD_FORCE=no-subids "$CBUILD" doctor
    line 'subordinate ids' lacks | grep -q '; fix: sudo usermod --add-subuids [0-9-]* --add-subgids [0-9-]* '
    line privilege lacks | grep -q "with a single id: RUN can't change owners and users.*; fix: .*--record-owners"
    line sandbox works
    ok env CBUILD_FORCE=no-newuidmap "$CBUILD" doctor
    line 'subordinate ids' lacks | grep -q 'fix: sudo apt-get install uidmap'
}

test_all_of_this_without_root() {
    need_root
    again_as_test_user >log 2>&1 || {
        status=$?
        [ $status != 77 ] || skip "CBUILD_TEST_USER names no ordinary user"
        cat log >&2
        fail "status $status"
    }
    grep -q '^ok .*a_user_without_ids_is_told_what_to_do$' log || fail "$(cat log)"
}

run_tests "$@"
