#!/bin/bash
# --isolation=chroot: RUN where namespaces and mounts are forbidden.
# shellcheck disable=SC2016 # Dockerfiles hold variables of their own
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# As root of a container that may neither mount nor make namespaces.
confined() { setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin -- "$@"; }
build() { ok confined "$CBUILD" --isolation=chroot --no-cache --progress plain "$@"; }

test_the_image_is_the_same_as_elsewhere() {
    need_root
    import_busybox
    cat >Dockerfile <<'EOT'
FROM busybox AS one
RUN mkdir -p /a/b && echo one >/a/b/f && ln /a/b/f /a/l && chown -R 1000:50 /a/b && mkfifo /pipe && chmod 4755 /bin/busybox
RUN rm /bin/wget && rm -r /usr && mkdir /usr && mv /a /moved
FROM one
COPY --from=one /moved /copied
COPY Dockerfile /etc/hosts
RUN --mount=type=cache,target=/cache --mount=type=bind,from=one,source=/moved,target=/in --mount=type=bind,target=/ctx \
    --mount=type=bind,source=Dockerfile,target=/one/file --mount=type=tmpfs,target=/tmp/t \
    grep -q one /in/b/f && echo kept >/cache/k && touch /tmp/t/x && grep -q FROM /ctx/Dockerfile && grep -q FROM /one/file && touch /ran
RUN --mount=type=cache,target=/cache grep -q kept /cache/k && test ! -e /in && grep -q localhost /etc/hosts && { echo x >/etc/resolv.conf || true; } 2>/dev/null
USER app
RUN test "$(id -u):$(id -g)" = 1000:1000 && touch /tmp/mine && ! touch /root/x 2>/dev/null
EOT
    touch -d @1600000000 Dockerfile
    export SOURCE_DATE_EPOCH=1700000000
    fails 1 confined "$CBUILD" --no-cache -t x .
    err_has 'RUN needs CAP_SYS_ADMIN for namespaces and mounts'
    err_has 'or build with --isolation=chroot, which isolates less'
    build -t confined .
    equal "$(grep -c 'warning: --isolation=chroot' "$TEST_TMP/err")" 1
    ok cbuild --no-cache -t usual .
    equal "$(image_id confined)" "$(image_id usual)"
    store_verifies
}

test_privileges_are_those_of_a_container_or_fewer() {
    need_root
    import_busybox
    cat >Dockerfile <<'EOT'
FROM busybox
RUN umask && pwd && env | sort && exec 3>&1 && (mknod /n c 1 3 || echo no-node) 2>/dev/null && ls -l /dev/null && echo hid''den >/dev/null
RUN (busybox chroot / true || echo no-chroot) 2>/dev/null; (mount -t tmpfs x /tmp || echo no-mount) 2>/dev/null; (busybox unshare -U true || echo no-namespace) 2>/dev/null
RUN cat; echo end-of-input
EOT
    export SECRET_OF_THE_HOST=1
    build -t x .
    step_says 0022
    step_says no-node
    step_says no-chroot
    step_says no-mount
    step_says no-namespace
    step_says end-of-input
    err_lacks SECRET_OF_THE_HOST
    err_lacks hidden
}

test_processes_of_a_step_are_gone_at_its_end() {
    need_root
    import_busybox
    cat >Dockerfile <<EOT
FROM busybox
RUN (busybox setsid sh -c 'busybox setsid sleep ${LONG}1 & sleep ${LONG}2' >/dev/null 2>&1 &) && sleep 0.1 && echo started
EOT
    build -t x .
    ! pgrep -f "sleep ${LONG}[12]\$" || fail "they live"
}

test_killed_cbuild_leaves_no_process() {
    need_root
    import_busybox
    printf 'FROM busybox\nRUN echo begun; (busybox setsid sleep %s &); sleep %s\n' "${LONG}1" "${LONG}2" >Dockerfile
    setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin -- "$CBUILD" --isolation=chroot -t x --progress plain . >out 2>&1 &
    pid=$!
    await_text ' begun$' out
    kill -KILL $pid
    wait $pid || :
    await_gone pgrep -f "sleep ${LONG}[12]\$"
    ok cbuild prune -a
}

test_processes_of_others_get_no_signal() {
    need_root
    python3 -c 'import ctypes, sys; sys.exit(ctypes.CDLL(None).syscall(444, None, 0, 1) < 6)' || skip "this kernel's landlock has no scopes"
    import_busybox
    sleep 3000 &
    printf 'FROM busybox\nARG PID\nRUN (kill -9 $PID || echo refused) 2>/dev/null\n' >Dockerfile
    build --build-arg PID=$! -t x .
    step_says refused
    kill $!
}

# It is moved into the tree: who has it mounted keeps it, who comes later waits.
test_a_cache_mount_is_used_by_one_build_at_a_time() {
    need_root
    import_busybox
    mkdir one two
    printf 'FROM busybox\nRUN --mount=type=cache,id=c,target=/c echo 1 >/c/n\n' >Dockerfile
    ok cbuild --no-cache -t x .
    name=$(basename "$(find "$CBUILD_ROOT/cache/mounts" -mindepth 1 -type d -not -name '*.*')")
    # a build that has it in its tree, until it is told to end
    cat >one/Dockerfile <<'EOT'
FROM busybox
RUN --mount=type=cache,id=c,target=/c echo in-the-tree; while ! test -e /c/go; do sleep 0.05; done; echo 2 >/c/n
EOT
    confined "$CBUILD" --isolation=chroot --no-cache --progress plain -t one one >one.log 2>&1 &
    local one=$!
    await_text '^#[0-9]* [0-9.]* in-the-tree' one.log
    is_absent "$CBUILD_ROOT/cache/mounts/$name"
    # a usual one waits, and finds what the first left
    printf 'FROM busybox\nRUN --mount=type=cache,id=c,target=/c grep -x 2 /c/n && echo 3 >/c/n\n' >two/Dockerfile
    cbuild --no-cache --progress plain -t two two >two.log 2>&1 &
    local two=$! tree
    await_text '^#.* RUN' two.log
    sleep 0.3 # as long as it would take to fail
    ! grep 'exit code' two.log || fail "it didn't wait"
    tree=$(find "$CBUILD_ROOT" -path '*/c/n' -not -path '*/cache/mounts/*' | head -1)
    touch "${tree%/n}/go"
    wait $one || fail "$(cat one.log)"
    wait $two || fail "$(cat two.log)"
    equal "$(cat "$CBUILD_ROOT/cache/mounts/$name/n")" 3
    # at two places of one step there can't be the same directory
    printf 'FROM busybox\nRUN --mount=type=cache,id=c,target=/c --mount=type=cache,id=c,target=/d true\n' >Dockerfile
    fails 1 confined "$CBUILD" --isolation=chroot --no-cache .
    err_has "cache mount c: at two places"
    equal "$(cat "$CBUILD_ROOT/cache/mounts/$name/n")" 3
}

# What a step leaves in the place of a cache mount isn't mounted by later ones.
test_a_cache_mount_leads_nowhere_else() {
    need_root
    import_busybox
    mkdir host
    echo of-the-host >host/file
    printf 'FROM busybox\nRUN --mount=type=cache,id=c,target=/c rm -r /c && ln -s %s /c\n' "$PWD/host" >Dockerfile
    build -t x .
    # a store in which it happened
    printf 'FROM busybox\nRUN --mount=type=cache,id=c,target=/c ! ls /c/file 2>/dev/null && touch /c/new\n' >Dockerfile
    ok cbuild --no-cache -t x .
    name=$(cd "$CBUILD_ROOT/cache/mounts" && ls -d -- *[0-9a-f])
    mv "$CBUILD_ROOT/cache/mounts/$name" aside && ln -s "$PWD/host" "$CBUILD_ROOT/cache/mounts/$name"
    ok cbuild --no-cache -t x .
    build -t x .
    is_absent host/new
    is_there host/file
}

# What can't be had is told before anything runs.
test_what_needs_a_mount_is_refused_by_name() {
    need_root
    import_busybox
    printf s >secret
    while IFS='|' read -r run options why; do
        printf 'FROM busybox\nRUN echo r""an >&2\nRUN %s true\n' "$run" >Dockerfile
        # shellcheck disable=SC2086 # words
        fails 1 cbuild --isolation=chroot --secret id=s,src=secret $options -t x .
        err_has "$why"
        err_lacks ' ran'
    done <<'EOT'
--mount=type=secret,id=s||Dockerfile:3: RUN with --isolation=chroot: a secret as a file would be written to disk
--mount=type=tmpfs,target=/t,size=1m||a tmpfs with a size can't be mounted
--network=none||--network=none isn't to be had
|--network=none|--network=none isn't to be had
--security=insecure|--allow security.insecure|--security=insecure would give away the container
--device=a/b=c|--allow device|devices can't be mounted
|--shm-size=1m|--shm-size: nothing can be mounted
EOT
    printf 'FROM busybox\nRUN --mount=type=secret,id=s,env=S test "$S" = s\n' >Dockerfile
    ok cbuild --isolation=chroot --secret id=s,src=secret -t x .
    printf 'FROM busybox\nONBUILD RUN --mount=type=secret,id=s cat /run/secrets/s\n' >Dockerfile
    ok cbuild -t trigger .
    printf 'FROM trigger\n' >Dockerfile
    fails 1 cbuild --isolation=chroot --secret id=s,src=secret -t x .
    err_has 'a secret would be written to disk'
}

test_names_of_other_builders_are_taken() {
    import_busybox
    printf 'FROM busybox\nCOPY Dockerfile /\n' >Dockerfile
    for name in default oci rootless chroot; do
        ok cbuild --isolation=$name -t x .
        ok env BUILDAH_ISOLATION=$name "$CBUILD" -t x .
    done
    fails 2 cbuild --isolation=hyperv .
    err_has '--isolation=hyperv: default, oci, rootless and chroot are what there is'
}

test_an_ordinary_user_without_namespaces_is_told() {
    [ "$(id -u)" = 0 ] || skip "as root it starts itself as the user"
    again_as_test_user -- commands_that_need_no_namespace && return 0
    [ $? = 77 ] || fail "as the ordinary user"
    skip "CBUILD_TEST_USER names no ordinary user"
}

# Where none can be made: as this user, whose user namespaces are limited to none.
commands_that_need_no_namespace() {
    # shellcheck disable=SC2329 # used below
    forbidden() {
        unshare --user --map-current-user --keep-caps sh -c 'echo 0 >/proc/sys/user/max_user_namespaces &&
            exec setpriv --ambient-caps=-all --inh-caps=-all --bounding-set=-all "$@"' sh "$@"
    }
    fails 1 forbidden unshare --user true
    make_busybox_rootfs busybox
    tar -C busybox -cf busybox.tar .
    ok forbidden "$CBUILD" import busybox.tar busybox
    mkdir ctx
    echo x >ctx/f
    printf 'FROM busybox\nCOPY --chown=1:2 f /f\nADD f /g\nWORKDIR /w\nENV A=1\nUSER app\n' >ctx/Dockerfile
    ok forbidden "$CBUILD" build -t plain ctx
    ok forbidden "$CBUILD" build --check ctx
    for command in "images" "inspect plain" "history plain" "save -o plain.tar plain" "load -i plain.tar" "tag plain other" "export -o tree.tar plain" \
        "rmi other" "df" "fsck" "prune"; do
        # shellcheck disable=SC2086 # words
        ok forbidden "$CBUILD" $command
    done
    printf 'RUN true\n' >>ctx/Dockerfile
    fails 1 forbidden "$CBUILD" build -t x ctx
    err_has 'entering a user namespace'
    fails 1 forbidden "$CBUILD" build --isolation=chroot -t x ctx
    ok forbidden "$CBUILD" build --check ctx
}

run_tests "$@"
