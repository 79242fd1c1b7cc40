#!/bin/bash
# What RUN may take of the machine. By root all of it is done once more as CBUILD_TEST_USER.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# The output of one command as RUN sees it; the rest are options.
run_step() { # COMMAND [OPTION...]
    local command=$1
    shift
    printf 'FROM busybox\nRUN %s\n' "$command" >Dockerfile
    ok cbuild --no-cache --progress plain "$@" .
}
shown() { sed -n 's/^#[0-9]* [0-9.]* //p' "$TEST_TMP/err"; }

test_open_files_are_1024_whoever_starts_the_build() {
    need_run
    import_busybox
    hard=$(ulimit -Hn)
    [ "$hard" = unlimited ] || [ "$hard" -gt 4096 ] || skip "a hard limit of $hard files"
    run_step 'ulimit -Sn; ulimit -Hn'
    equal "$(shown | head -n 1)" 1024
    (ulimit -Sn 4096 && run_step 'ulimit -Sn' && equal "$(shown)" 1024)
    # not allowed to raise it: what we have
    (ulimit -n 2000 && run_step 'ulimit -Hn' && equal "$(shown | sed 's/524288/2000/')" 2000)
}

test_every_name_sets_its_limit() {
    need_run
    import_busybox
    local letter name value
    # as the shell has them
    while read -r letter name value; do
        run_step "ulimit -S$letter; ulimit -H$letter" --ulimit "$name=$value"
        equal "$(shown | tr '\n' :)" "$value:" "$name"
    done <<'EOT'
t cpu 90:100
n nofile 100:200
EOT
    # /proc/self/limits shows all of them in bytes, microseconds and so on
    local -A rows=([core]='core file size' [cpu]='cpu time' [data]='data size' [fsize]='file size' [locks]='file locks'
        [memlock]='locked memory' [msgqueue]='msgqueue size' [nice]='nice priority' [nofile]='open files' [nproc]='processes'
        [rss]='resident set' [rtprio]='realtime priority' [rttime]='realtime timeout' [sigpending]='pending signals'
        [stack]='stack size')
    local options=()
    for name in "${!rows[@]}"; do
        case $name in
        nice | rtprio) options+=(--ulimit "$name=0") ;;
        core) options+=(--ulimit "$name=0:12345") ;;
        stack | data | fsize) options+=(--ulimit "$name=8000000:8000001") ;;
        *) options+=(--ulimit "$name=777:778") ;;
        esac
    done
    [ ${#rows[@]} = 15 ] || fail "docker has 15 names"
    run_step 'cat /proc/self/limits' "${options[@]}"
    shown >limits
    for name in "${!rows[@]}"; do
        case $name in
        nice | rtprio) value='0 0' ;;
        core) value='0 12345' ;;
        stack | data | fsize) value='8000000 8000001' ;;
        *) value='777 778' ;;
        esac
        grep -iE "^max ${rows[$name]} +${value/ / +}( |\$)" limits || fail "$name: $(cat limits)"
    done
}

test_one_number_is_both_limits_and_the_last_of_a_name_counts() {
    need_run
    import_busybox
    run_step 'ulimit -Sn; ulimit -Hn' --ulimit nofile=50:60 --ulimit nofile=300
    equal "$(shown | tr '\n' ' ')" '300 300 '
    run_step 'ulimit -Ss' --ulimit stack=-1
    equal "$(shown)" unlimited
}

test_a_limit_above_our_own_fails_unless_told_to_go_on() {
    need_run
    import_busybox
    if [ "$(id -u)" = 0 ] && (ulimit -n 2000 && ulimit -n 3000) 2>/dev/null; then return 0; fi # may raise all it wants
    printf 'FROM busybox\nRUN ulimit -Sn; ulimit -Hn\n' >Dockerfile
    ulimit -n 2000
    fails 1 cbuild --ulimit nofile=3000 .
    err_has '--ulimit nofile: cbuild may not go above its own hard limit, 2000'
    err_has '--limits=best-effort'
    printf 'FROM busybox\nRUN ulimit -Sn; ulimit -Hn\nRUN echo again\n' >Dockerfile
    ok cbuild --ulimit nofile=1500:3000 --limits=best-effort --progress plain .
    err_has 'own hard limit, 2000'
    equal "$(grep -c 'own hard limit' "$TEST_TMP/err")" 1 "warned once"
    equal "$(shown | head -n 2 | tr '\n' ' ')" '1500 2000 '
}

test_wrong_ulimits_are_named() {
    printf 'FROM scratch\n' >Dockerfile
    local text
    for text in nofile nofile= nofile=x nofile=1:x nofile=1: nofile=-2 nofile=1:2:3 'nofile= 1' nofile=99999999999999999999; do
        fails 2 cbuild --ulimit "$text" .
        err_has "--ulimit $text: expected NAME=SOFT[:HARD]"
    done
    fails 2 cbuild --ulimit nofile=2:1 .
    err_has 'the soft limit is above the hard one'
    fails 2 cbuild --ulimit nofile=-1:10 .
    fails 2 cbuild --ulimit nofiles=1 .
    err_has 'did you mean nofile?'
    fails 2 cbuild --ulimit as=1 .
    fails 2 cbuild --limits=no .
    err_has 'strict and best-effort'
}

test_shm_has_the_size_that_was_asked_for() {
    need_run
    import_busybox
    local size kib
    while read -r size kib; do
        # shellcheck disable=SC2046 # no option for "-"
        run_step "stat -f -c '%b %S' /dev/shm" $([ "$size" = - ] || echo --shm-size "$size")
        # shellcheck disable=SC2046
        set -- $(shown)
        equal $(($1 * $2 / 1024)) "$kib" "$size"
    done <<'EOT'
- 65536
0 65536
8192b 8
1000k 1000
128m 131072
128M 131072
1g 1048576
1048576 1024
EOT
    run_step 'head -c 2000000 /dev/zero >/dev/shm/x || echo full' --shm-size 1m
    shown | grep -q '^full$' || fail "2 MB in 1 MB"
    for size in x -1 1x '' 1mm; do
        fails 2 cbuild --shm-size "$size" .
        err_has "--shm-size: \"$size\" is no size"
    done
}

# A cgroup of this test alone, in each hierarchy; PARENT is its path. Ours as root, else what root made for us.
own_cgroup() {
    PARENT=${LIMITS_CGROUP:-cbuild-test-$$}
    [ -n "${LIMITS_CGROUP:-}" ] || make_cgroup "$PARENT"
}
make_cgroup() { # NAME [OWNER]
    local dir
    CGROUP_DIRS=()
    # version 2: what the root of all hands down
    [ ! -e /sys/fs/cgroup/cgroup.subtree_control ] ||
        echo '+memory +cpu +cpuset +pids' >/sys/fs/cgroup/cgroup.subtree_control 2>/dev/null || :
    for dir in /sys/fs/cgroup/{memory,cpu,cpuset,pids} /sys/fs/cgroup; do
        [ -e "$dir/cgroup.procs" ] || continue
        mkdir "$dir/$1" 2>/dev/null || skip "cgroups can't be made here"
        CGROUP_DIRS+=("$dir/$1")
        [ ! -e "$dir/cpuset.cpus" ] || { cat "$dir/cpuset.cpus" >"$dir/$1/cpuset.cpus" && cat "$dir/cpuset.mems" >"$dir/$1/cpuset.mems"; }
        [ $# = 1 ] || chown "$2" "$dir/$1" "$dir/$1"/cgroup.{procs,subtree_control} 2>/dev/null || :
    done
    [ ${#CGROUP_DIRS[@]} != 0 ] || skip "cgroups can't be made here"
}
teardown() {
    [ -z "${LEAF:-}" ] || echo $BASHPID >/sys/fs/cgroup/cgroup.procs
    rmdir "${CGROUP_DIRS[@]}" 2>/dev/null || :
}
group_files() { # NAME-OF-VERSION-1 NAME-OF-VERSION-2: what the step's cgroup has
    cat /sys/fs/cgroup/*/"$PARENT"/cbuild-*/"$1" /sys/fs/cgroup/"$PARENT"/cbuild-*/"$2" 2>/dev/null
}

test_limits_are_those_of_the_steps_cgroup_and_it_goes_with_the_step() {
    need_run
    own_cgroup
    import_busybox
    printf 'FROM busybox\nRUN echo ready; sleep %s\n' $LONG >Dockerfile
    "$CBUILD" --cgroup-parent "$PARENT" -m 64m --memory-swap 96m --cpus 0.5 --cpu-shares 512 --cpuset-cpus 0 --pids-limit 40 . 2>err &
    pid=$!
    await_text ' ready$' err
    equal "$(group_files memory.limit_in_bytes memory.max)" 67108864
    [ "$(group_files memory.memsw.limit_in_bytes memory.swap.max)" = 100663296 ] ||
        equal "$(group_files memory.memsw.limit_in_bytes memory.swap.max)" 33554432
    [ "$(group_files cpu.cfs_quota_us cpu.max)" = 50000 ] || equal "$(group_files cpu.cfs_quota_us cpu.max)" '50000 100000'
    [ "$(group_files cpu.shares cpu.weight)" = 512 ] || equal "$(group_files cpu.shares cpu.weight)" 20
    equal "$(group_files cpuset.cpus cpuset.cpus)" 0
    equal "$(group_files pids.max pids.max)" 41 # and the keeper
    kill -TERM $pid
    wait $pid || :
    equal "$(find /sys/fs/cgroup/*/"$PARENT" /sys/fs/cgroup/"$PARENT" -mindepth 1 -type d ! -name leaf 2>/dev/null)" "" "left behind"
}

test_what_a_killed_build_left_is_swept_by_the_next() {
    need_run
    own_cgroup
    import_busybox
    printf 'FROM busybox\nRUN echo ready; sleep %s\n' $LONG >Dockerfile
    "$CBUILD" --cgroup-parent "$PARENT" -m 64m . 2>err &
    pid=$!
    await_text ' ready$' err
    kill -KILL $pid
    wait $pid || :
    left=$(find /sys/fs/cgroup/*/"$PARENT" /sys/fs/cgroup/"$PARENT" -mindepth 1 -type d -name "cbuild-$pid-*" 2>/dev/null || :)
    [ -n "$left" ] || fail "nothing was left"
    printf 'FROM busybox\nRUN true\n' >Dockerfile
    swept() { # the killed step has a moment to die
        ok cbuild --no-cache --cgroup-parent "$PARENT" -m 64m .
        find /sys/fs/cgroup/*/"$PARENT" /sys/fs/cgroup/"$PARENT" -mindepth 1 -type d ! -name leaf 2>/dev/null || :
    }
    becomes '' swept
}

test_out_of_memory_is_said() {
    need_run
    own_cgroup
    import_busybox
    printf 'FROM busybox\nRUN x=$(head -c 100000000 /dev/zero | tr "\\0" x); echo lived\n' >Dockerfile
    fails 1 cbuild --cgroup-parent "$PARENT" --memory 30m --memory-swap 30m .
    err_has 'out of memory'
    err_has '--memory'
    ! shown | grep -q '^lived$' || fail "it lived"
    # without the limit it lives
    ok cbuild --cgroup-parent "$PARENT" .
}

test_processes_are_counted() {
    need_run
    own_cgroup
    import_busybox
    # shellcheck disable=SC2016
    run_step 'for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done; wait; echo all' --cgroup-parent "$PARENT"
    shown | grep -q '^all$' || fail "nine processes without a limit"
    printf 'FROM busybox\nRUN for i in 1 2 3 4 5 6 7 8 9; do sleep 30 & done; wait; echo all\n' >Dockerfile
    run cbuild --no-cache --cgroup-parent "$PARENT" --resource pids-limit=6 .
    err_has "can't fork"
}

test_processors_are_those_listed() {
    need_run
    own_cgroup
    import_busybox
    run_step 'grep Cpus_allowed_list /proc/self/status' --cgroup-parent "$PARENT" --cpuset-cpus 0
    equal "$(shown | cut -f 2)" 0
}

test_a_limit_that_cant_be_set_fails_unless_told_to_go_on() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN echo one\nRUN echo two\n' >Dockerfile
    local option
    for option in --memory=64m --cpus=1 --cpu-shares=100 --cpuset-cpus=0 --pids-limit=100 --cgroup-parent=x; do
        fails 1 env CBUILD_FORCE=no-cgroup "$CBUILD" --no-cache "$option" .
        err_has "${option%=*}"
        err_has "can't be set here: no cgroups are mounted"
        err_has '--limits=best-effort'
        ok env CBUILD_FORCE=no-cgroup "$CBUILD" --no-cache "$option" --limits=best-effort --progress plain .
        equal "$(grep -c "can't be set here" "$TEST_TMP/err")" 1 "warned once"
        shown | grep -q '^two$' || fail "it went on"
    done
    # in a part of version 2 that is ours it can
    if [ "$(id -u)" != 0 ] && ! grep -q '^0::.*/leaf$' /proc/self/cgroup && ! mkdir /sys/fs/cgroup{,/memory}/cbuild-test-$$ 2>/dev/null; then
        fails 1 cbuild --no-cache --memory=64m .
        err_has "--memory can't be set here: making cgroup"
        err_has 'systemd-run --user --scope'
    fi
}

# Version 2 where all controllers are version 1's: what a machine in between looks like.
test_a_controller_that_version_2_lacks_is_named() {
    need_root
    import_busybox
    printf 'FROM busybox\nRUN echo one\n' >Dockerfile
    mkdir v2
    unshare -m sh -c 'mount -t cgroup2 none v2' 2>/dev/null || skip "cgroup2 can't be mounted here"
    run unshare -m sh -ec '
        umount -l /sys/fs/cgroup
        mount -t cgroup2 none v2
        ! grep -qw memory v2/cgroup.controllers || exit 77
        exec "$0" --network host --cgroup-parent "$1" --memory 64m .' "$CBUILD" "cbuild-test-$$"
    [ "$status" != 77 ] || skip "version 2 has the controllers here"
    [ "$status" = 1 ] || { show; fail "status $status"; }
    err_has "--memory can't be set here: there is no memory controller"
    # a parent alone is no question of controllers
    ok unshare -m sh -ec 'umount -l /sys/fs/cgroup; mount -t cgroup2 none v2
        "$0" --network host --cgroup-parent "$1" --progress plain .; rmdir "v2/$1"' "$CBUILD" "cbuild-test-$$"
    shown | grep -q '^one$' || fail "it ran"
}

test_limits_dont_enter_keys() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN echo x >/x\n' >Dockerfile
    ok cbuild --progress plain --ulimit nofile=100 --shm-size 1m .
    ok cbuild --progress plain --ulimit nofile=200 --shm-size 2m .
    err_has CACHED
}

# LIMITS_TESTS: those of these tests alone
test_all_of_this_without_root() {
    need_root
    make_cgroup "cbuild-test-user-$$" "${CBUILD_TEST_USER:-root}"
    # version 2: who is to move processes in it has to be in it
    local leaf=/sys/fs/cgroup/cbuild-test-user-$$/leaf
    LEAF=
    if [ -e /sys/fs/cgroup/cgroup.subtree_control ]; then
        mkdir "$leaf"
        chown "${CBUILD_TEST_USER:-root}" "$leaf" "$leaf"/cgroup.{procs,subtree_control}
        CGROUP_DIRS=("$leaf" "${CGROUP_DIRS[@]}")
        LEAF=$leaf
        echo $BASHPID >"$leaf/cgroup.procs"
    fi
    # shellcheck disable=SC2086 # a list
    again_as_test_user LIMITS_CGROUP="cbuild-test-user-$$" -- ${LIMITS_TESTS:-} >log 2>&1 || {
        status=$?
        [ $status != 77 ] || skip "CBUILD_TEST_USER names no ordinary user"
        cat log >&2
        fail "status $status"
    }
    grep -q '^ok .*out_of_memory_is_said' log || fail "$(cat log)"
    equal "$(grep '# SKIP' log | grep -cv 'needs root$')" 0 "skips: $(grep '# SKIP' log)"
}

run_tests "$@"
