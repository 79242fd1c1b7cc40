#!/bin/bash
# shellcheck disable=SC2154 # status is lib.sh's
# What a RUN may do to the machine, and what it leaves: each probe of probe.c is tried outside, where it must
# succeed, in a RUN, where it must not, and in the containers of others, which allow as much or more.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

PROBE=${ESCAPE_PROBE:-$TOP/build/release/tests/escape-probe}
# What a kernel without the thing, or a machine without the device, answers: nothing is shown there then.
LACKING='ENOSYS|ENOENT|EAFNOSUPPORT|ENODEV'
# What makes buildah's default as large as docker's.
RIGHTS=(--cap-add CAP_MKNOD --cap-add CAP_NET_RAW --cap-add CAP_AUDIT_WRITE)

said() { sed -n 's/^#[0-9]* [0-9][0-9.]* //p' "$TEST_TMP/err"; }

# A process of the host, and a file; sets `about`.
start_host() {
    local disk name=escape-$$-$RANDOM
    "$PROBE" serve "$name" 0 >"$TEST_TMP/serve" &
    host_pid=$!
    until [ -s "$TEST_TMP/serve" ]; do
        kill -0 "$host_pid" || fail "no process of the host"
        sleep 0.01
    done
    read -r _ port <"$TEST_TMP/serve"
    echo secret >"$TEST_TMP/host-file"
    disk=$(openable_disk)
    about=("pid=$host_pid" "name=$name" "port=$port" "file=$TEST_TMP/host-file" "disk=${disk:-7:0}")
}
teardown() { [ -z "${host_pid:-}" ] || kill "$host_pid" || :; }

# A block device that opens outside: a cgroup may forbid some.
openable_disk() {
    local file
    for file in /sys/block/*/dev; do
        [ -f "$file" ] || continue
        mknod "$TEST_TMP/disk" b "$(cut -d: -f1 "$file")" "$(cut -d: -f2 "$file")" 2>/dev/null || continue
        if head -c 0 "$TEST_TMP/disk" 2>/dev/null; then
            cat "$file"
            break
        fi
        rm "$TEST_TMP/disk"
    done
}

try_outside() {
    mkdir -p outside
    (cd outside && unshare --mount --uts --ipc --propagation private "$PROBE" try "${about[@]}" 9<"$TEST_TMP/host-file") >outside.txt
}

write_probe_dockerfile() {
    cp "$PROBE" probe
    printf 'FROM scratch\nCOPY probe /probe\nWORKDIR /tmp\nRUN ["/probe", "try"' >Dockerfile
    printf ', "%s"' "${about[@]}" >>Dockerfile
    echo ']' >>Dockerfile
}
try_in_cbuild() { # OPTION...
    write_probe_dockerfile
    ok cbuild --no-cache "$@" -t probe . 9<"$TEST_TMP/host-file"
    said
}

# FILE: what of escape was allowed
allowed_escapes() { awk '$2 == "escape" && $3 == "allowed" { print $1 }' "$1" | tr '\n' ' '; }
refuses_all_escapes() { # FILE
    [ "$(wc -l <"$1")" -ge 85 ] || fail "$(cat "$1")"
    # where no private network can be made, which it says, the host's sockets are there
    if grep -q "RUN uses the host's network" "$TEST_TMP/err"; then
        sed -i '/^\(abstract\|loopback\)-socket /d' "$1"
    fi
    equal "$(allowed_escapes "$1")" ''
}

test_probes_succeed_outside() {
    need_root
    start_host
    try_outside
    awk -v lacking="^($LACKING)$" '$3 == "refused" && $4 !~ lacking' outside.txt >bad
    [ ! -s bad ] || fail "refused outside, so that they show nothing: $(cat bad)"
    [ "$(grep -c ' allowed$' outside.txt)" -ge 70 ] || fail "$(cat outside.txt)"
}

test_a_run_is_refused_what_a_default_container_is() {
    need_run
    start_host
    try_in_cbuild >inside.txt
    refuses_all_escapes inside.txt
    # nodes and raw sockets are the machine's root's
    [ "$(id -u)" != 0 ] ||
        equal "$(awk -v lacking="^($LACKING)$" '$2 == "common" && $3 == "refused" && $4 !~ lacking' inside.txt)" ''
}

test_the_profile_of_apparmor_is_valid() {
    need apparmor_parser
    ok apparmor_parser --skip-kernel-load --skip-cache "$TOP/runner/apparmor-profile"
    # and where it is loaded a step is under it
    grep -qx 'cbuild-default (enforce)' /sys/kernel/security/apparmor/profiles 2>/dev/null || return 0
    need_run
    import_busybox
    printf 'FROM busybox\nRUN cat /proc/self/attr/current; echo +1000 >/proc/self/oom_score_adj\n' >Dockerfile
    ok cbuild --no-cache --progress=plain -t x .
    err_has 'cbuild-default (enforce)'
    printf 'FROM busybox\nRUN --security=insecure cat /proc/self/attr/current\n' >Dockerfile
    ok cbuild --no-cache --progress=plain --allow security.insecure -t x .
    err_has ' unconfined'
}

# What a shell types into its terminal (TIOCSTI) is for the shell alone, not for the user's own that reads on.
test_a_shell_types_nothing_into_the_users_terminal() {
    need_run
    need python3
    import_busybox
    cp "$PROBE" probe
    # outside a program does that to whom it was started by, where the kernel lets it still
    echo wait >script
    run python3 "$TOP/tests/e2e/on_pty.py" script "$PROBE" push $'typed\n'
    grep -q 'TIOCSTI allowed' "$TEST_TMP/out" && out_has '[input of 6 bytes]'
    printf 'FROM busybox\nCOPY probe /probe\nRUN exit 3\n' >Dockerfile
    printf '%s\n' 'expect build ends with it' 'expect #' 'send /probe push "typed\n"\n' 'expect TIOCLINUX refused' \
        'send exit\n' wait >script
    ok env TERM=xterm python3 "$TOP/tests/e2e/on_pty.py" script "$CBUILD" --on-error=shell -t x .
    out_has '[status 1]'
    ! grep -q '\[input of' "$TEST_TMP/out" || { show; fail "it is the user's input"; }
    # a step has no terminal at all, and nothing of the user's as standard input
    printf 'FROM busybox\nCOPY probe /probe\nRUN /probe push "typed" </dev/tty; /probe push typed\n' >Dockerfile
    echo wait >script
    ok env TERM=xterm python3 "$TOP/tests/e2e/on_pty.py" script "$CBUILD" --progress=plain -t x .
    ! grep -q 'allowed\|\[input of' "$TEST_TMP/out" || { show; fail "it reached a terminal"; }
}

# The network is the host's there, which it says, and sockets of its are kept apart by kernels from 6.12 alone.
test_a_run_without_namespaces_is_refused_the_same() {
    need_root
    start_host
    try_in_cbuild --isolation=chroot >inside.txt
    [ "$(wc -l <inside.txt)" -ge 80 ] || fail "$(cat inside.txt)"
    sed -i '/^\(abstract\|loopback\)-socket /d' inside.txt
    equal "$(allowed_escapes inside.txt)" ''
}

# Rootless: as the user that the variable names, with what it can read.
try_as_user() { # VARIABLE OPTION...
    local user=${!1:-} there=$TEST_TMP/user
    if [ -z "$user" ] || ! id -u "$user" >/dev/null 2>&1 || [ "$(id -u "$user")" = 0 ]; then
        skip "$1 names no ordinary user"
    fi
    shift
    write_probe_dockerfile
    rm -rf "$there"
    mkdir "$there"
    cp "$CBUILD" "$there/cbuild"
    cp -r probe Dockerfile "$there"
    chmod a+x "${TEST_TMP%/*}" "$TEST_TMP"
    chown -R "$user" "$there"
    cd "$there"
    ok runuser -u "$user" -- env -u XDG_RUNTIME_DIR HOME="$there" CBUILD_ROOT="$there/store" \
        ./cbuild --no-cache -t probe "$@" . 9<"$TEST_TMP/host-file"
    cd ../../dir
    said
}

test_a_run_without_root_is_refused_the_same() {
    need_root
    start_host
    try_as_user CBUILD_TEST_USER --network none >inside.txt
    equal "$(allowed_escapes inside.txt)" ''
    try_as_user CBUILD_TEST_USER >inside.txt
    refuses_all_escapes inside.txt
}

# With a single id, and with what answers its calls: that must give no more than the caller may have.
test_a_run_without_ids_is_refused_the_same() {
    need_root
    start_host
    try_as_user CBUILD_TEST_USER_NOIDS --network none >inside.txt
    equal "$(allowed_escapes inside.txt)" ''
    try_as_user CBUILD_TEST_USER_NOIDS --network none --record-owners >inside.txt
    equal "$(allowed_escapes inside.txt)" ''
}

# --- others

# buildah's containers, in a namespace whose mounts and cgroups end with it: crun wants one kind of cgroups.
try_in_buildah() { # ISOLATION
    mkdir -p rootfs/tmp
    cp "$PROBE" rootfs/probe
    cat >runtime <<'EOT'
#!/bin/sh
exec crun --cgroup-manager=disabled "$@"
EOT
    cat >peer <<'EOT'
umount -R -l /sys/fs/cgroup; mount -t cgroup2 cgroup /sys/fs/cgroup
mount -t tmpfs run /run
isolation=$1 rights=$2
shift 2
peer() { buildah --root "$PWD/peer-store" --runroot "$PWD/peer-run" --storage-driver vfs "$@"; }
container=$(peer from scratch) && peer copy "$container" rootfs / >/dev/null || exit 1
peer config --workingdir /tmp "$container"
# shellcheck disable=SC2086 # words
peer run --isolation "$isolation" --runtime "$PWD/runtime" $rights "$container" -- /probe try "$@"
status=$?
peer rm "$container" >/dev/null
exit $status
EOT
    chmod +x runtime
    unshare --mount --cgroup --propagation private bash peer "$1" "${RIGHTS[*]}" "${about[@]}" 9<"$TEST_TMP/host-file"
}

never_more_than_buildah() { # ISOLATION
    need_root
    need buildah crun
    start_host
    try_in_buildah "$1" >peer.txt 2>peer.log || skip "buildah doesn't start containers here"
    try_in_cbuild >inside.txt
    equal "$(wc -l <peer.txt)" "$(wc -l <inside.txt)"
    awk '$3 == "allowed" { print $1 }' peer.txt | sort >peer.allowed
    awk '$3 == "allowed" { print $1 }' inside.txt | sort >inside.allowed
    equal "$(comm -13 peer.allowed inside.allowed)" '' 'allowed here and not there'
}

test_never_more_than_a_container_of_crun() {
    never_more_than_buildah oci
}
test_never_more_than_a_chroot_of_buildah() {
    never_more_than_buildah chroot
}

# --- leaks

test_settings_of_the_caller_stay_outside() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN umask; grep -E "^Sig(Ign|Blk):" /proc/self/status | tr "\\t" " "; env; ls /proc/self/fd | wc -l; ulimit -c\n' >Dockerfile
    (
        trap '' USR1 PIPE
        umask 077
        export LEAK=of-the-host
        ok cbuild --no-cache -t x . 7<Dockerfile 8<.
        equal "$(said | sed '2,3!d')" 'SigBlk: 0000000000000000
SigIgn: 0000000000000000'
        equal "$(said | sed -n '1p;$p')" '0022
0'
        equal "$(said | tail -n 2 | head -n 1)" 4 # ls has a directory open
        err_lacks of-the-host
    )
}

# The builder's own leave out memory, once it knows a secret.
test_core_dumps_of_a_step_are_as_everywhere() {
    need_run
    import_busybox
    echo word >secret
    printf 'FROM busybox\nRUN --mount=type=secret,id=s,env=S cat /proc/self/coredump_filter\n' >Dockerfile
    ok cbuild --no-cache --secret id=s,src=secret -t x .
    equal "$(said)" 00000033
}

test_a_builder_that_is_protected_from_the_oom_killer_protects_no_step() {
    need_root
    sh -c 'echo -500 >/proc/self/oom_score_adj' 2>/dev/null || skip "no process may be protected here"
    import_busybox
    printf 'FROM busybox\nRUN cat /proc/self/oom_score_adj\n' >Dockerfile
    ok sh -c 'echo -500 >/proc/self/oom_score_adj && exec "$@"' sh "$CBUILD" --no-cache -t x .
    equal "$(said)" 0
}

sleepers() { grep -lsaP "^sleep\x00$1\x00" /proc/[0-9]*/cmdline || :; } # SECONDS

test_daemons_end_with_the_step_and_when_the_builder_is_killed() {
    need_run
    import_busybox
    local seconds=$((700000 + RANDOM)) builder
    printf 'FROM busybox\nRUN (trap "" TERM HUP; sleep %s & sleep %s &) & until [ $(grep -lx sleep /proc/[0-9]*/comm 2>/dev/null | wc -l) = 2 ]; do :; done; echo two\n' $seconds $seconds >Dockerfile
    ok cbuild --no-cache -t x .
    equal "$(said)" two
    equal "$(sleepers $seconds)" ''
    printf 'FROM busybox\nRUN (sleep %s &) ; sleep %s\n' $seconds $seconds >Dockerfile
    "$CBUILD" --no-cache -t x . 2>killed &
    builder=$!
    n_sleepers() { sleepers $seconds | wc -l; }
    becomes 2 n_sleepers
    kill -KILL $builder
    becomes 0 n_sleepers
}

# Who sends it (a shell, at control-Z) waits until all threads have stopped.
test_a_builder_stops_at_once_while_a_step_runs() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN echo ready; sleep 1000\n' >Dockerfile
    "$CBUILD" -t x . >/dev/null 2>err &
    local builder=$!
    await_text '[0-9] ready$' err
    kill -STOP $builder
    states() { sed -n 's/^State:.*(\(.*\))/\1/p' /proc/$builder/task/*/status | sort -u; }
    becomes stopped states
    kill -KILL $builder
    wait $builder || :
}

# Files below the folders that hold a text, as it is or compressed.
holders() { # TEXT DIR...
    local text=$1
    shift
    in_namespace find "$@" -type f -exec sh -c 'text=$1; shift; for f; do
        if grep -qaF "$text" "$f" || gzip -dcf "$f" 2>/dev/null | grep -qaF "$text" ||
            zstd -dcqf "$f" 2>/dev/null | grep -qaF "$text"; then echo "$f"; fi; done' sh "$text" {} +
}

test_secrets_are_nowhere_after_the_build() {
    need_run
    need zstd gzip
    import_busybox
    local value="value-$$-$RANDOM-$RANDOM" from="env-$$-$RANDOM-$RANDOM" compression
    mkdir "$TEST_TMP/tmp" context
    printf 'secret %s\n' "$value" >"$TEST_TMP/secret"
    cat >context/Dockerfile <<'EOT'
FROM busybox
RUN --mount=type=secret,id=s --mount=type=secret,id=s,target=/etc/deep/s --mount=type=secret,id=e,env=E \
    cat /run/secrets/s /etc/deep/s >/dev/null && test -n "$E" && mkdir /work && cd /work && \
    sh -c 'S=$(cat /run/secrets/s); kill -ABRT $$' || touch /crashed
RUN test -e /crashed && ls -A /work /run/secrets /etc/deep 2>/dev/null | wc -l
EOT
    for compression in gzip zstd; do
        ok env TMPDIR="$TEST_TMP/tmp" SECRET="$from" "$CBUILD" --no-cache -t x --compression $compression \
            --secret id=s,src="$TEST_TMP/secret" --secret id=e,env=SECRET context
        cp "$TEST_TMP/err" "$TEST_TMP/log"
        equal "$(holders "$value" "$CBUILD_ROOT" "$HOME" "$XDG_RUNTIME_DIR" "$TEST_TMP/tmp" "$TEST_TMP/log" context)" ''
        equal "$(holders "$from" "$CBUILD_ROOT" "$HOME" "$XDG_RUNTIME_DIR" "$TEST_TMP/tmp" "$TEST_TMP/log" context)" ''
    done
    # a step that fails, and the search finds what was written on purpose
    printf 'FROM busybox\nRUN --mount=type=secret,id=s cat /run/secrets/s | tr v V && false\n' >context/Dockerfile
    fails 1 cbuild --no-cache --secret id=s,src="$TEST_TMP/secret" context
    equal "$(holders "$value" "$CBUILD_ROOT" "$HOME" "$XDG_RUNTIME_DIR")" ''
    printf 'FROM busybox\nRUN --mount=type=secret,id=s cp /run/secrets/s /copy\n' >context/Dockerfile
    for compression in gzip zstd; do
        ok cbuild --no-cache -t leak-$compression --compression $compression --secret id=s,src="$TEST_TMP/secret" context
        ok cbuild save -o "$TEST_TMP/leak-$compression.tar" leak-$compression
        [ -n "$(holders "$value" "$CBUILD_ROOT"/blobs)" ] || fail "the search finds nothing in a layer of $compression"
        ok cbuild rmi leak-$compression
        ok cbuild prune -af
        equal "$(holders "$value" "$CBUILD_ROOT"/blobs)" ''
    done
}

test_secrets_are_in_no_core_dump_of_the_builder() {
    need_run
    [[ ${MODE:-} != [at]san ]] || skip "an instrumented binary"
    case $(cat /proc/sys/kernel/core_pattern) in */* | '|'*) skip "core dumps go elsewhere" ;; esac
    import_busybox
    local value="value-$$-$RANDOM-$RANDOM" builder
    printf 'secret %s\n' "$value" >"$TEST_TMP/secret"
    mkdir context dumps
    printf 'FROM busybox\nRUN --mount=type=secret,id=s cat /proc/self/coredump_filter; touch /started; sleep 1000\n' >context/Dockerfile
    (
        ulimit -c unlimited
        cd dumps
        exec "$CBUILD" --no-cache --secret id=s,src="$TEST_TMP/secret" ../context 2>"$TEST_TMP/log"
    ) &
    builder=$!
    started() { [ -n "$(in_namespace find "$CBUILD_ROOT" -name started 2>/dev/null)" ]; }
    await started
    # what it put out may still be on its way
    await_text ' 00000033$' "$TEST_TMP/log"
    # no dump by itself; one that is made all the same, as by a program that collects them, has no memory
    grep -q '^Max core file size *0 ' /proc/$builder/limits || fail "$(cat /proc/$builder/limits)"
    prlimit --pid $builder --core=unlimited
    kill -ABRT $builder
    wait $builder || :
    [ -n "$(ls dumps)" ] || fail "no dump to look at"
    equal "$(grep -alF "$value" dumps/* || :)" ''
}

run_tests "$@"
