#!/bin/bash
# Every rung of isolation and every fallback in turn, forced by CBUILD_FORCE: the same Dockerfile gives the same
# image. As root, and as the user named in CBUILD_TEST_USER.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# What RUN can do to a tree, and what can be mounted.
write_dockerfile() {
    mkdir -p ctx
    cat >ctx/Dockerfile <<'EOT'
FROM busybox AS one
RUN mkdir -p /a/b/c && echo one >/a/b/f && ln /a/b/f /a/l && ln -s b/f /a/s && chmod 2750 /a/b && echo 1 >/gone && mkdir /old && echo x >/old/x
RUN rm /gone /bin/wget && rm -r /usr && mkdir /usr && echo new >/usr/new && mv /a/b /moved && mkfifo /pipe
RUN rm -r /old && mkdir /old && echo y >/old/y && ln /moved/f /linked && chmod 600 /etc/group && touch -d @1000 /etc/passwd
FROM one
COPY --from=one /moved /copied
COPY file /data/file
RUN --mount=type=cache,target=/cache --mount=type=bind,from=one,source=/moved,target=/in \
    --mount=type=bind,target=/ctx --mount=type=bind,source=file,target=/one/file,rw --mount=type=tmpfs,target=/tmp/t \
    grep -q one /in/f && echo kept >/cache/k && touch /tmp/t/x && grep -q content /ctx/file && echo more >>/one/file && mv /copied /data/moved
RUN --mount=type=cache,target=/cache grep -q kept /cache/k && test ! -e /in && test ! -e /one
RUN <<EOR
#!/bin/sh
test "$(id -u)" = 0 && grep -q localhost /etc/hosts && test -w /dev/null && touch /ran
EOR
RUN true
EOT
    echo content >ctx/file
    touch -d @1600000000 ctx/file
}
build() { # NAME [OPTION...]
    local name=$1
    shift
    ok env SOURCE_DATE_EPOCH=1700000000 "$CBUILD" --no-cache --progress plain -t "$name" "$@" ctx
}

# shellcheck disable=SC2054 # commas join words of one build
words=(no-overlay no-userxattr no-fsopen no-lowerdir-add no-open-tree no-openat2 no-clone3 no-shared-memory no-copy-file-range no-cgroup
    no-cgroup-namespace no-network-helper no-network-namespace no-isal no-subids no-newuidmap
    no-overlay,no-open-tree,no-openat2,no-clone3 no-fsopen,no-open-tree,no-clone3)

test_every_rung_and_fallback_gives_the_same_image() {
    need_run
    import_busybox
    write_dockerfile
    build best
    best=$(image_id best)
    err_lacks 'copy of the whole tree'
    for word in "${words[@]}"; do
        export CBUILD_FORCE=$word
        build forced
        equal "$(image_id forced)" "$best" "$word"
        case $word in
        no-overlay* | no-userxattr) equal "$(grep -c 'warning: .*each RUN works on a copy of the whole tree' "$TEST_TMP/err")" 1 "$word" ;;
        *) err_lacks 'copy of the whole tree' ;;
        esac
        unset CBUILD_FORCE
    done
    store_verifies
    # nothing private is left
    equal "$(find "$CBUILD_ROOT/layers" -mindepth 2 -maxdepth 2 -name 'p-*' | wc -l)" 0
    [ "$(id -u)" != 0 ] || again_as_test_user -- test_every_rung_and_fallback_gives_the_same_image || [ $? = 77 ]
}

# Names of one file of a lower layer are one file there; overlay parts them when one is written to.
test_hard_links_of_lower_layers_stay_in_a_copied_tree() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN echo 1 >/a && ln /a /b\nRUN echo 2 >>/b\n' >Dockerfile
    ok cbuild -t parted .
    image_tree parted | grep -q '^a f 644 0:0 2 '
    export CBUILD_FORCE=no-overlay
    ok cbuild --no-cache -t linked .
    image_tree linked | grep -q '^a f 644 0:0 4 '
}

# The RUNs of a stage work on one copy, where they have to: each finds it as it would find a new one.
test_a_copy_that_several_runs_share_is_as_one_for_each() {
    need_run
    import_busybox
    export CBUILD_FORCE=no-overlay SOURCE_DATE_EPOCH=1700000000
    mkdir ctx
    cat >ctx/Dockerfile <<'EOT'
FROM busybox
RUN mkdir -p /d/sub /e && echo 1 >/d/a && ln /d/a /d/b && echo s >/d/sub/s && chmod 700 /e
RUN touch /d /e && cp /d/a /c && rm /d/b && ln /d/a /d/b && touch /tmp/x && rm /tmp/x
COPY Dockerfile /d/sub/s
RUN find /bin /c /d /e /tmp -exec stat -c '%n %f %u:%g %h %Y' {} + | sort >/seen && cat /d/sub/s >>/seen
RUN echo 2 >>/d/b && mv /d/sub /sub && cat /d/a >>/seen
RUN find /bin /c /d /e /sub /tmp -exec stat -c '%n %f %u:%g %h %Y' {} + | sort >>/seen
EOT
    ok cbuild -t shared ctx
    local n shared
    shared=$(image_id shared)
    # in another store, one after the other
    export CBUILD_ROOT=$PWD/alone
    import_busybox
    for n in $(seq 2 7); do
        head -n "$n" ctx/Dockerfile >part
        ok cbuild -t alone -f part ctx
    done
    equal "$(image_id alone)" "$shared"
}

test_a_network_of_none_needs_a_namespace() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN --network=none true\n' >Dockerfile
    fails 1 env CBUILD_FORCE=no-network-namespace "$CBUILD" -t x .
    err_has 'network none: no network namespace to be had'
}

# An ordinary user of a container whose /proc is masked: no proc can be mounted there.
test_a_user_in_a_container_with_a_masked_proc_builds() {
    [ "$(id -u)" = 0 ] || [ "$IDS" = ranges ] || skip "needs root or subordinate ids"
    if [ "$(id -u)" = 0 ] && [ -z "${IN_CONTAINER:-}" ]; then
        again_as_test_user -- test_a_user_in_a_container_with_a_masked_proc_builds && return 0
        [ $? = 77 ] || fail "as the ordinary user"
        skip "CBUILD_TEST_USER names no ordinary user"
    fi
    if [ -z "${IN_CONTAINER:-}" ]; then
        IN_CONTAINER=1 "$TOP/tests/nested" unshare --user --map-root-user --mount -- "$0" test_a_user_in_a_container_with_a_masked_proc_builds
        return
    fi
    import_busybox
    write_dockerfile
    printf 'RUN ! touch /proc/sys/x 2>/dev/null && test -z "$(cat /proc/kcore)" && echo told >/proc/self/fd/1\n' >>ctx/Dockerfile
    build x
    equal "$(grep -c "warning: RUN sees this container's processes in /proc, read-only" "$TEST_TMP/err")" 1
    step_says told
}

run_tests "$@"
