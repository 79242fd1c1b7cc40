#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a RUN costs, counted in system calls: times are the machine's, and bench/steps measures them.
. "$(dirname "$0")/lib.sh"

# A build of N steps, its calls in calls.N.
traced() { # N OPTION...
    local n=$1
    shift
    { echo 'FROM busybox'; for i in $(seq "$n"); do echo "RUN true $i"; done; } >Dockerfile
    ASAN_OPTIONS=detect_leaks=0 strace -f -qq -e signal=none -o "calls.$n" "$CBUILD" build -q --no-cache --network host "$@" -t x . >/dev/null 2>err || { cat err; fail "the build"; }
}

# Calls of ten steps: those of 16 without those of 6, of which every step has one.
ten_steps() { # PATTERN
    echo $(($(grep -cE "$1" calls.16 || true) - $(grep -cE "$1" calls.6 || true)))
}
# Calls a step, to the nearest: one that a signal interrupts is made, and seen, twice.
a_step() { # PATTERN
    echo $((($(ten_steps "$1") + 5) / 10))
}

at_most() { # N PATTERN
    local n
    n=$(($(ten_steps "$2") / 10))
    [ "$n" -le "$1" ] || fail "$n calls a step of $2, at most $1 are expected"
}

# How often the program of the tree was copied out of its layer, which is unpacked once besides.
copies() { # OPTION...
    ok env ASAN_OPTIONS=detect_leaks=0 strace -f -qq -e signal=none -e trace=openat -o calls "$CBUILD" build -q --no-cache --network host "$@" -t x .
    grep -cE 'openat\([0-9]+, "busybox", .*O_CREAT.*, 0600' calls || true
}

test_runs_of_a_stage_share_one_copy_of_the_tree() {
    need_run
    need strace
    import_busybox
    export CBUILD_FORCE=no-overlay
    printf 'FROM busybox\nRUN echo 1 >/a\nRUN echo 2 >/b\nRUN echo 3 >/c\n' >Dockerfile
    equal "$(copies)" 1
    # but for one that could set the clock: what it left isn't told by its time
    sed -i '2s/RUN/RUN --security=insecure/' Dockerfile
    equal "$(copies --allow security.insecure)" 2
}

test_a_step_costs_few_processes_files_and_waits() {
    need_run
    need strace
    import_busybox
    # which is cheaper depends on what else the machine has to write
    export CBUILD_FORCE=no-file-sync
    traced 6
    traced 16
    # the keeper and the command, in our memory: sanitizers can't
    equal "$(a_step ' clone3?\(.*CLONE_NEWPID')" 2
    case ${MODE:-} in
    asan | tsan) ;;
    *) equal "$(a_step ' clone3?\(.*CLONE_VM.*CLONE_NEWPID')" 2 ;;
    esac
    equal "$(a_step ' seccomp\(')" 1
    # no sync, one unmounting (the host's tree): each waits, for the disk or for the kernel
    at_most 0 ' (sync|syncfs|fsync|fdatasync|sync_file_range)\('
    at_most 1 ' umount2?\('
    # nor when a step's overlay goes; all of the build once at its end
    equal "$(a_step ' fsconfig\(.*"volatile"')" 1
    equal "$(grep -cE ' syncfs\(' calls.16)" 1
    # the layers are mounted for writing once
    equal "$(a_step ' fsconfig\(.*"upperdir"')" 1
    # on disk the box, the form and overlay's work; on a tmpfs the point that all is mounted on
    at_most 4 ' mkdir(at)?\(.*, 0700\) += 0'
}

# The kernel keeps with the memory what another user's id, secrets and limits change.
test_a_step_that_changes_more_than_itself_gets_a_copy_of_our_memory() {
    need_root
    need strace
    import_busybox
    local options
    echo geheim >secret
    printf 'FROM busybox\nUSER 7\nRUN true\n' >Dockerfile
    for options in "" "--secret id=s,src=secret" "--memory 256m"; do
        [ -z "$options" ] || printf 'FROM busybox\nRUN --mount=type=secret,id=s true\n' >Dockerfile
        # shellcheck disable=SC2086
        ok env ASAN_OPTIONS=detect_leaks=0 strace -f -qq -e signal=none -o calls "$CBUILD" build -q --no-cache --network host $options .
        equal "$(grep -cE ' clone3?\(.*CLONE_NEWPID' calls)" 2
        ! grep -E ' clone3?\(.*CLONE_VM.*CLONE_NEWPID' calls || fail "with $options it works in our memory"
    done
}

# open, write, times, close: no look at it before, no path from the root, no sync of each.
test_a_file_is_unpacked_with_four_calls() {
    need_root
    need strace
    make_busybox_rootfs root
    mkdir root/many
    local n i
    for n in 100 600; do
        for i in $(seq $n); do echo "$i" >"root/many/$i"; done
        tar -C root -cf many.tar .
        cbuild import many.tar many:$n >/dev/null
        printf 'FROM many:%s\nRUN true\n' $n >Dockerfile
        ok env ASAN_OPTIONS=detect_leaks=0 strace -f -qq -e signal=none -o calls.$n "$CBUILD" -q --network host -t x .
    done
    n=$((($(grep -cE '^[0-9]+ +[a-z0-9_]+\(' calls.600) - $(grep -cE '^[0-9]+ +[a-z0-9_]+\(' calls.100)) / 500))
    [ "$n" -le 4 ] || fail "$n calls a file"
}

test_entering_a_cgroup_takes_no_lock_that_waits() {
    need_root
    need strace
    [ -d /sys/fs/cgroup/memory ] || skip "no memory hierarchy of version 1"
    import_busybox
    traced 6 --memory 256m
    grep -qE 'open.*"tasks", .*O_WRONLY' calls.6 || fail "tasks isn't used"
    ! grep -E 'open.*"cgroup.procs", .*O_WRONLY' calls.6 || fail "cgroup.procs waits for a grace period"
}

run_tests "$@"
