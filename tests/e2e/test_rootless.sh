#!/bin/bash
# Builds by an ordinary user. Started by root, it copies what it needs to where the user named in CBUILD_TEST_USER
# can read it, and goes on as that user; $CBUILD_ROOT_LAYERS holds then what root's build of the same input gave.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# What the RUN steps of this give depends on nothing but the Dockerfile.
write_deterministic_dockerfile() {
    cat >Dockerfile <<'EOT'
FROM busybox
RUN mkdir -p /a/b && echo one >/a/b/f && ln /a/b/f /a/l && ln -s b/f /a/s && chown -R 1000:50 /a/b && chmod 2750 /a/b
RUN echo tool >/tool && chown 0:staff /tool && chmod 4755 /tool && mkfifo /pipe && chown 65535:65535 /pipe
RUN rm /bin/wget && rm -r /usr && mkdir /usr && echo new >/usr/new
USER app
RUN id -u >/tmp/id && id -g >>/tmp/id
USER root
COPY --chown=1234:5678 file /copied
RUN true
EOT
    echo content >file
}
diff_ids() { cbuild inspect -f '{{json .RootFS.Layers}}' "$1" | jq -c '.[1:]'; }
layers_of_deterministic_build() {
    write_deterministic_dockerfile
    import_busybox
    ok env SOURCE_DATE_EPOCH=1700000000 "$CBUILD" -t same .
    diff_ids same
}

as_test_user() {
    local there layers status
    there=$(mktemp -d)
    mkdir "$there/tmp" "$there/dir"
    layers=$(
        set -eu
        export TEST_TMP=$there/tmp FILE_TMP=$there CBUILD_ROOT=$there/store HOME=$there
        cd "$there/dir"
        layers_of_deterministic_build
    )
    rm -rf "$there"
    status=0
    again_as_test_user CBUILD_ROOT_LAYERS="$layers" -- "$@" || status=$?
    [ $status = 77 ] || exit $status
}

need_user() {
    [ "$(id -u)" != 0 ] || skip "CBUILD_TEST_USER names no ordinary user"
    need newuidmap
    grep -qE "^($(id -un)|$(id -u)):" /etc/subuid || skip "no subordinate ids"
}

test_run_is_root_inside_and_may_own_and_mark_files() {
    need_user
    import_busybox
    cat >Dockerfile <<'EOT'
FROM busybox
RUN test "$(id -u):$(id -g)" = 0:0 && echo x >/f && chown 1000:50 /f && chown 65534:65534 /tmp
RUN test "$(stat -c %u:%g /f)" = 1000:50 && cp /bin/busybox /su && chmod 4755 /su && test "$(stat -c %a /su)" = 4755
EOT
    ok cbuild -t x .
    err_lacks "uidmap"
    image_tree x >tree
    grep -q '^f f 644 1000:50 2 $' tree || fail "$(cat tree)"
    grep -q '^tmp d 1777 65534:65534 ' tree || fail "$(cat tree)"
    grep -q '^su f 4755 0:0 ' tree || fail "$(cat tree)"
}

test_user_changes_the_user() {
    need_user
    import_busybox
    printf 'FROM busybox\nUSER app\nRUN id && touch /tmp/mine && ! touch /root/x 2>/dev/null\n' >Dockerfile
    ok cbuild -t x .
    err_has 'uid=1000(app) gid=1000(app)'
    image_tree x | grep -q '^tmp/mine f 644 1000:1000 0 '
}

# One is held here too, for runs that can't be root's.
test_layers_are_what_root_gets() {
    need_user
    layers=$(layers_of_deterministic_build)
    equal "$(jq -r '.[2]' <<<"$layers")" sha256:7d30a28d221a61efe67b98f135aa6daadf2fcd7d37d19f5fa6fb65a16b38cf53
    [ -z "${CBUILD_ROOT_LAYERS:-}" ] || equal "$layers" "$CBUILD_ROOT_LAYERS" "root's"
}

test_removed_files_become_whiteouts() {
    need_user
    import_busybox
    printf 'FROM busybox\nRUN rm /bin/wget && rm -r /usr && mkdir /usr\nRUN ! ls /bin/wget 2>/dev/null && test -z "$(ls /usr)"\n' >Dockerfile
    ok cbuild -t x .
    image_tree x >tree
    ! grep -q '^bin/wget \|^usr/bin ' tree || fail "$(cat tree)"
    grep -q '^usr d ' tree
}

test_a_rebuild_is_cached_and_run_true_changes_nothing() {
    need_user
    import_busybox
    printf 'FROM busybox\nRUN echo a >/a\nRUN true\n' >Dockerfile
    ok cbuild -t x .
    before=$(image_id x)
    ok cbuild -t x .
    equal "$(grep -c ' CACHED$' "$TEST_TMP/err")" 2
    equal "$(image_id x)" "$before"
    cbuild inspect -f '{{json .RootFS.Layers}}' x | jq -r '.[2]' >empty
    equal "$(cat empty)" sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef
}

test_copies_between_stages_and_mounts() {
    need_user
    import_busybox
    cat >Dockerfile <<'EOT'
FROM busybox AS one
RUN mkdir -p /out && echo made >/out/f && chown -R 1000:1000 /out && chmod 700 /out
FROM busybox
COPY --from=one /out /copied
RUN --mount=type=cache,target=/cache,uid=1000 --mount=type=bind,from=one,source=/out,target=/in \
    --mount=type=tmpfs,target=/scratch --mount=type=secret,id=s,uid=1000 \
    cmp /in/f /copied/f && echo kept >/cache/k && touch /scratch/x && grep -q hush /run/secrets/s
RUN --mount=type=cache,target=/cache,uid=1000 grep -q kept /cache/k
EOT
    echo hush >secret
    ok cbuild --secret id=s,src=secret -t x .
    image_tree x >tree
    grep -q '^copied/f f 644 1000:1000 5 ' tree || fail "$(cat tree)"
    ! grep -q '^cache\|^in\|^scratch' tree || fail "$(cat tree)"
}

test_network_of_run() {
    need_user
    import_busybox
    printf 'FROM busybox\nRUN ! touch /sys/x 2>/dev/null && test -z "$(ls /sys/firmware)" && ls /sys/class >/dev/null && ip addr\n' >Dockerfile
    ok cbuild --network=host --no-cache -t host .
    ok cbuild --network=none --no-cache -t none .
    err_lacks 'warning:'
    equal "$(grep -c ': <' "$TEST_TMP/err")" 1
    ok cbuild --no-cache -t private .
}

test_every_fallback_of_mounting() {
    need_user
    import_busybox
    for force in no-fsopen no-open-tree no-lowerdir-add no-openat2 no-clone3 no-network-helper; do
        printf 'FROM busybox\nRUN echo %s >/a && chown 5:6 /a\nRUN rm /a && echo b >/b\n' $force >Dockerfile
        ok env CBUILD_FORCE=$force "$CBUILD" -t $force .
        image_tree $force | grep -q '^b f 644 0:0 2 $' || fail $force
    done
}

test_nothing_is_left_running_and_no_file_belongs_to_root() {
    need_user
    import_busybox
    need python3
    printf 'FROM busybox\nRUN sleep %s & sleep 0.1; echo started\nRUN chown 77:88 /tmp\n' $LONG >Dockerfile
    # who outlives its parent becomes a child of this one: our helpers among those of other tests of this user
    cat >adopt.py <<'EOT'
import ctypes, glob, os, subprocess, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) # PR_SET_CHILD_SUBREAPER
status = subprocess.call(sys.argv[1:])
for stat in glob.glob("/proc/[0-9]*/stat"):
    try:
        text = open(stat).read()
    except OSError:
        continue
    state, parent = text.rsplit(")", 1)[1].split()[:2]
    if int(parent) == os.getpid() and state != "Z":
        sys.exit("left: " + text)
sys.exit(status)
EOT
    ok python3 adopt.py "$CBUILD" -t x .
    ! pgrep -u "$(id -u)" -f "sleep $LONG\$" || fail "the step lives on"
    equal "$(grep -F "$CBUILD_ROOT" /proc/self/mountinfo)" ''
    equal "$(find "$CBUILD_ROOT" -uid 0 | wc -l)" 0
    # what the map lacks would be shown as this one
    equal "$(in_namespace find "$CBUILD_ROOT" -uid 65534 | wc -l)" 0
}

test_ctrl_c_ends_a_step() {
    need_user
    import_busybox
    printf 'FROM busybox\nRUN echo begun; sleep %s\n' $LONG >Dockerfile
    build_until begun
    interrupt_build
    ! pgrep -u "$(id -u)" -f "sleep $LONG\$" || fail "the step lives on"
    equal "$(find "$CBUILD_ROOT/leases" -type f | wc -l)" 0
    store_verifies
}

test_what_ctrl_c_left_with_other_ids_goes_with_the_next_build() {
    need_user
    import_busybox
    printf 'FROM busybox\nRUN i=0; while [ $i -lt 4500 ]; do : >/tmp/$i; i=$((i+1)); done; mkdir -m 700 /tmp/m; : >/tmp/m/f; chown 5:5 /tmp/m; echo ready; sleep %s\n' $LONG >Dockerfile
    build_until ready
    interrupt_build
    ok cbuild images # may not remove it, and works
    equal "$(in_namespace find "$CBUILD_ROOT/tmp" -name m | wc -l)" 1
    printf 'FROM busybox\nRUN true\n' >Dockerfile
    ok cbuild -t x .
    equal "$(find "$CBUILD_ROOT/tmp" "$CBUILD_ROOT/leases" -mindepth 1 | wc -l)" 0 "left behind"
    store_verifies
}

test_rmi_df_and_prune_reach_everything() {
    need_user
    import_busybox
    printf 'FROM busybox\nRUN mkdir -m 700 /secret && echo x >/secret/f && chown -R 1000:1000 /secret\n' >Dockerfile
    ok cbuild -t x .
    ok cbuild df
    out_has 'Directory forms'
    ok cbuild rmi x busybox
    ok cbuild prune -a
    equal "$(find "$CBUILD_ROOT"/layers -mindepth 2 | wc -l)" 0
    rm -rf "$CBUILD_ROOT"
}

test_other_tools_read_the_store() {
    need_user
    need skopeo
    import_busybox
    printf 'FROM busybox\nRUN chown 9:9 /tmp\n' >Dockerfile
    ok cbuild -t x .
    ok skopeo inspect --raw "oci:$CBUILD_ROOT:x:latest"
    ok skopeo copy -q "oci:$CBUILD_ROOT:x:latest" "dir:$TEST_TMP/copy"
}

test_without_subordinate_ids_run_says_what_to_do() {
    need_user
    import_busybox
    printf 'FROM busybox\nCOPY Dockerfile /\nRUN true\n' >Dockerfile
    export CBUILD_FORCE=no-subids
    ok cbuild -t x .
    err_has "a single user and group id without root: /etc/subuid and /etc/subgid have no range of ids for $(id -un)"
    err_has 'sudo usermod --add-subuids '
    printf 'FROM busybox\nCOPY Dockerfile /\nRUN echo other\n' >Dockerfile
    CBUILD_FORCE=no-newuidmap
    ok cbuild -t x .
    err_has 'newuidmap and newgidmap (package uidmap) aren'
    err_has 'sudo apt-get install uidmap'
    # what was made with more ids stays usable, and can be removed with them only
    CBUILD_FORCE=
    printf 'FROM busybox\nRUN mkdir -m 700 /d && touch /d/f && chown 5:5 /d\n' >Dockerfile
    ok cbuild -t x .
    CBUILD_FORCE=no-subids
    ok cbuild -t x .
    err_has CACHED
    ok cbuild images
    ok cbuild inspect x
    ok cbuild rmi x
    fails 1 cbuild prune -a
    err_has 'made with subordinate ids'
    err_has 'sudo usermod'
    CBUILD_FORCE=
    ok cbuild prune -a
    equal "$(find "$CBUILD_ROOT"/layers -name "*gone*" | wc -l)" 0
}

test_an_id_above_the_map_is_named() {
    need_user
    import_busybox
    printf 'FROM busybox\nRUN chown 2000000000 /tmp 2>&1 || echo refused\n' >Dockerfile
    ok cbuild -t x .
    step_says refused
    printf 'FROM busybox\nCOPY --chown=2000000000 Dockerfile /f\nRUN true\n' >Dockerfile
    fails 1 cbuild -t x .
    err_has 'setting the owner 2000000000:'
    err_has '/etc/subuid'
}

test_only_what_runs_programs_asks_for_a_namespace() {
    need_user
    need strace
    import_busybox
    mkdir empty
    printf 'FROM busybox\nCOPY empty /e\nENV A=1\n' >Dockerfile
    printf 'FROM busybox AS run\nRUN true\nFROM busybox AS plain\nLABEL a=b\n' >D
    for command in "-t a ." "-f D --target plain -t b ." "images" "inspect a" "history a" "save -o x.tar a" "rmi a"; do
        # shellcheck disable=SC2086 # words
        ASAN_OPTIONS=detect_leaks=0 ok strace -f -e trace=unshare,clone3,clone,setns,execve -o trace "$CBUILD" $command
        ! grep -E 'NEWUSER|uidmap' trace || fail "$command"
    done
}

test_onbuild_run_of_an_image_works() {
    need_user
    import_busybox
    printf 'FROM busybox\nONBUILD RUN echo fired >/fired && chown 3:4 /fired\n' >Dockerfile
    ok cbuild -t parent .
    printf 'FROM parent\n' >Dockerfile
    ok cbuild -t child .
    image_tree child | grep -q '^fired f 644 3:4 6 $'
}

test_push_without_a_name_finds_the_last_build() {
    need_user
    import_busybox
    printf 'FROM busybox\nRUN true\n' >Dockerfile
    ok cbuild -t localhost:1/nowhere:1 .
    fails 5 cbuild push
    err_has 'localhost:1/nowhere:1'
}

# git for a context that a step needs: ssh looks for keys by the user's id, and a session bus compares it.
test_programs_of_the_user_run_as_the_user() {
    need_user
    need git
    import_busybox
    cat >ssh <<EOT
#!/bin/sh
id -u >$PWD/seen; id -g >>$PWD/seen; grep CapEff /proc/self/status >>$PWD/seen; echo mine >$PWD/written
exit 1
EOT
    chmod +x ssh
    printf 'FROM busybox\nRUN true\nCOPY --from=remote f /\n' >Dockerfile
    run env GIT_SSH="$PWD/ssh" GIT_SSH_VARIANT=simple "$CBUILD" --build-context remote=ssh://git@host.invalid/x.git -t x .
    [ "$status" != 0 ] || fail "there is no such repository"
    equal "$(tr '\n\t' ' ' <seen)" "$(id -u) $(id -g) CapEff: 0000000000000000 "
    equal "$(stat -c %u:%g written)" "$(id -u):$(id -g)"
}

[ "$(id -u)" != 0 ] || as_test_user "$@"
run_tests "$@"
