#!/bin/bash
# Builds by an ordinary user who has no subordinate ids: in RUN there is one user, root. Started by root, it does all
# of it as root with CBUILD_FORCE=no-subids, and once more as the user named in CBUILD_TEST_USER_NOIDS.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

export CBUILD_FORCE=no-subids

# The base has owners, and so have COPY and ADD; RUN touches them, replaces them, and makes new files beside them.
write_dockerfile() {
    cat >Dockerfile <<'EOF'
FROM owners AS first
COPY --chown=1234:5678 file /copied
ADD tree.tar /added
COPY --chown=app file /home/app/copied
WORKDIR /made/by/workdir
RUN chmod 600 /data/www && echo more >>/data/log && rm /data/gone && chmod 2750 /data/shared && touch -d @1000 /data/new
RUN echo x >/data/shared/inherits && mkdir /data/shared/dir && echo new >/data/replaced.new && mv /data/replaced.new /data/replaced
RUN rm -r /data/again && mkdir /data/again && echo y >/data/again/f && chmod 755 /added/t && chmod 4755 /data/tool
RUN echo z >>/data/second && mkfifo /data/pipe && ln -s www /data/link && touch /copied
FROM owners AS other
COPY --from=first /data /data2
COPY --from=first /added/t/f /copied /
EOF
    echo content >file
    find . -name file -exec touch -d @1600000000 {} +
}
# Bases whose files have owners, made without them on this disk
import_owners() {
    local dir=$TEST_TMP/owners
    import_busybox
    rm -rf "$dir"
    mkdir -p "$dir/bin" "$dir/data/shared" "$dir/data/again" "$dir/t/d" "$dir/home/app"
    ln -s busybox "$dir/bin/chroot"
    cp -a "$FILE_TMP/busybox-rootfs/." "$dir/"
    for name in www log gone replaced second; do echo $name >"$dir/data/$name"; done
    ln "$dir/data/second" "$dir/data/second-name"
    echo old >"$dir/data/again/f"
    cp /bin/true "$dir/data/tool"
    chmod 2775 "$dir/data/shared"
    ln -s www "$dir/data/sym"
    echo f >"$dir/t/f"
    echo f >"$dir/home/app/f"
    echo x >"$dir/home/app/x"
    find "$dir" -exec touch -h -d @1577836800 {} +
    (
        cd "$dir"
        tar --sort=name --owner=0 --group=0 --numeric-owner --no-recursion -cf "$TEST_TMP/owners.tar" . ./bin ./bin/* ./etc ./etc/* ./tmp
        tar --sort=name --owner=33 --group=44 --numeric-owner -rf "$TEST_TMP/owners.tar" ./data
        tar --sort=name --owner=1000 --group=1000 --numeric-owner -rf "$TEST_TMP/owners.tar" ./home
        tar --sort=name --owner=7 --group=8 --numeric-owner -cf "$TEST_TMP/tree.tar" t
    )
    SOURCE_DATE_EPOCH=1577836800 cbuild import "$TEST_TMP/owners.tar" owners >/dev/null
}
layers_of() { cbuild inspect -f '{{json .RootFS.Layers}}' "$1"; }
build_layers() {
    import_owners
    write_dockerfile
    cp "$TEST_TMP/tree.tar" .
    ok env SOURCE_DATE_EPOCH=1700000000 "$CBUILD" -t first --target first .
    ok env SOURCE_DATE_EPOCH=1700000000 "$CBUILD" -t second .
    echo "$(layers_of first) $(layers_of second) $(image_id first) $(image_id second)"
}

# Path, mode, owner, size of what the image shows, from the archive of its tree: no disk has to know the owner
listing() { cbuild export "$1" | tar -tv --numeric-owner | awk '{print $6, $1, $2, $3}' | sort; }
listed() { grep -qE -- "$1" list || fail "$1: $(cat list)"; }

need_single() {
    [ "$IDS" = single ] || [ "$IDS" = root ] || skip "this user has subordinate ids"
}

test_layers_are_what_root_gets() {
    need_single
    layers=$(build_layers)
    [ -z "${CBUILD_ROOT_LAYERS:-}" ] || equal "$layers" "$CBUILD_ROOT_LAYERS" "root's"
    if [ "$(id -u)" = 0 ]; then
        CBUILD_FORCE='' CBUILD_ROOT=$TEST_TMP/roots
        equal "$layers" "$(build_layers)" "without force"
    fi
}

test_owners_are_kept_where_run_touches() {
    need_single
    build_layers >/dev/null
    listing first >list
    listed '^data/www -rw------- 33/44 '
    listed '^data/log -rw-r--r-- 33/44 9$'
    listed '^data/second -rw-r--r-- 33/44 9$'
    listed '^data/tool -rwsr-xr-x 33/44 '
    listed '^data/shared/ drwxr-s--- 33/44 '
    listed '^data/shared/inherits -rw-r--r-- 0/44 '
    listed '^data/shared/dir/ drwxr-sr-x 0/44 '
    listed '^data/replaced -rw-r--r-- 0/0 '
    listed '^data/again/ drwxr-xr-x 0/0 '
    listed '^data/again/f -rw-r--r-- 0/0 '
    listed '^data/pipe prw-r--r-- 0/0 '
    listed '^copied -rw-r--r-- 1234/5678 '
    listed '^added/t/ drwxr-xr-x 7/8 '
    listed '^home/app/copied -rw-r--r-- 1000/1000 '
    ! grep '^data/gone' list || fail "what is gone is listed"
    listing second >list
    listed '^data2/www -rw------- 33/44 '
    listed '^data2/ drwxr-xr-x 0/0 '
    store_verifies
}

test_run_is_root_alone_and_is_warned_of_once() {
    need_single
    import_busybox
    printf 'FROM busybox\nRUN test "$(id -u):$(id -g)" = 0:0 && test "$(stat -c %%u:%%g /bin/busybox)" = 0:0\nRUN chown 0:0 /bin/busybox\n' >Dockerfile
    ok cbuild --progress plain .
    equal "$(grep -c 'single user and group id' "$TEST_TMP/err")" 1
    err_has 'sudo usermod --add-subuids '
    ok cbuild --progress plain .
    err_lacks 'single user and group id'
}

test_a_change_of_owner_fails_with_the_way_out() {
    need_single
    import_busybox
    printf 'FROM busybox\nRUN touch /f\nRUN chown 33:33 /f\n' >Dockerfile
    fails 1 cbuild .
    err_has 'Dockerfile:3'
    err_has 'Invalid argument'
    for word in uidmap /etc/subuid --record-owners 'sudo usermod'; do grep 'hint: ' "$TEST_TMP/err" | grep -q -- "$word" || fail "$word"; done
}

test_a_change_of_user_is_an_error_of_the_line() {
    need_single
    import_busybox
    printf 'FROM busybox\nUSER app\nRUN touch /tmp/never\n' >Dockerfile
    fails 1 cbuild .
    err_has 'Dockerfile:3'
    err_has 'user app (1000:1000): there is a single user and group id here'
    for word in uidmap /etc/subuid --record-owners; do grep 'hint: ' "$TEST_TMP/err" | grep -q -- "$word" || fail "$word"; done
    # the config's alone is fine
    printf 'FROM busybox\nRUN true\nUSER app\nCOPY Dockerfile /\n' >Dockerfile
    ok cbuild -t x .
    equal "$(cbuild inspect -f '{{.Config.User}}' x)" app
}

test_mounts_and_stages() {
    need_single
    import_busybox
    cat >Dockerfile <<'EOF'
FROM busybox AS one
COPY --chown=1000:1000 secret /out/f
RUN chmod 700 /out && echo made >/out/g
FROM busybox
COPY --from=one /out /copied
RUN --mount=type=cache,target=/cache,uid=1000 --mount=type=bind,from=one,source=/out,target=/in,rw \
    --mount=type=tmpfs,target=/scratch --mount=type=secret,id=s,uid=1000,mode=0400 \
    cmp /in/f /copied/f && echo kept >/cache/k && touch /scratch/x /in/x && grep -q hush /run/secrets/s
RUN --mount=type=cache,target=/cache,uid=1000 grep -q kept /cache/k
RUN test -c /dev/null && ! mknod /disk b 8 0 2>/dev/null
EOF
    echo hush >secret
    ok cbuild --secret id=s,src=secret -t x .
    listing x >list
    listed '^copied/f -rw-r--r-- 1000/1000 5$'
    listed '^copied/g -rw-r--r-- 0/0 5$'
    ! grep '^cache/.\|^in/\|^scratch/.' list || fail "mounts are listed"
    store_verifies
}

test_capabilities_of_files_are_kept() {
    need_single
    need setcap
    import_busybox
    mkdir rootfs
    make_busybox_rootfs rootfs
    ldd "$(command -v setcap)" | grep -o '/[^ ]*' >libraries
    while read -r file; do mkdir -p "rootfs/${file%/*}" && cp "$file" "rootfs$file"; done <libraries
    cp "$(command -v setcap)" rootfs/bin/
    tar -C rootfs -cf rootfs.tar .
    cbuild import rootfs.tar caps
    printf 'FROM caps\nRUN cp /bin/busybox /tool && setcap cap_net_raw+ep /tool\n' >Dockerfile
    ok cbuild -t x .
    cbuild save -o x.tar --format oci x
    mkdir oci && tar -C oci -xf x.tar
    found=0
    for blob in oci/blobs/sha256/*; do
        # version 2, as root's: AQAAAgAgAAAAAAAAAAAAAAAAAAA=
        ! zcat "$blob" 2>/dev/null | grep -qa 'SCHILY.xattr.security.capability' || found=1
    done
    equal $found 1
}

test_rmi_df_and_prune_reach_everything() {
    need_single
    import_busybox
    printf 'FROM busybox\nRUN mkdir -m 0 /secret && echo x >/secret/f\n' >Dockerfile
    ok cbuild -t x .
    ok cbuild df
    out_has 'Directory forms'
    store_verifies
    ok cbuild rmi x busybox
    ok cbuild prune -a
    equal "$(find "$CBUILD_ROOT"/layers -mindepth 2 | wc -l)" 0
    equal "$(grep -F "$CBUILD_ROOT" /proc/self/mountinfo)" ''
    equal "$(find "$CBUILD_ROOT" ! -uid "$(id -u)" | wc -l)" 0
}

# Forms of one map aren't used in another one.
test_forms_are_apart() {
    need_single
    import_busybox
    printf 'FROM busybox\nRUN true\n' >Dockerfile
    ok cbuild .
    forms=("$CBUILD_ROOT"/layers/*/)
    equal ${#forms[@]} 1
    case ${forms[0]} in */u-root/ | */u-plain/) fail "${forms[0]}" ;; esac
}

# What programs do with owners and devices, and what becomes of these files afterwards
write_recording_dockerfile() {
    cat >Dockerfile <<'EOF'
FROM owners
RUN mkdir -p /a/b && echo one >/a/b/f && ln /a/b/f /a/l && ln -s b/f /a/s && chown -R 1000:50 /a/b && chown -h 7:8 /a/s && chmod 2750 /a/b
RUN echo tool >/tool && chmod 4755 /tool && chown 0:50 /tool && mkfifo /pipe && chown 65535:65535 /pipe && cp /bin/busybox /su && chown 5:6 /su && chmod 6755 /su
RUN mknod /tmp/null c 1 3 && mknod -m 600 /tmp/disk b 8 1 && chown 5 /tmp/null && mknod /tmp/gone c 1 5 && rm /tmp/gone && mv /tmp/disk /tmp/moved
RUN chown 1000:44 /data/www && chown 33:55 /data/log && chown 0:0 /data/tool && cd /data/shared && echo x >rel && chown 9:9 rel ./../second
RUN echo a >/one && chown 1:1 /one && rm /one && echo b >/two && echo c >/three && chown 3:3 /three && mv /three /two && chown -h 4:4 /a/s
RUN ln -s /data/replaced /x && chown 11:12 /x && mkdir -p /jail/d && echo in >/jail/d/f && cp -a /bin /jail/ && chroot /jail /bin/busybox chown 21:22 /d/../../d/f
RUN mv /data/www /data/moved && chmod 700 /data/moved && mv /data/gone /data/again
USER app
RUN id -u >/tmp/id && id -g >>/tmp/id && mkdir /tmp/mine && echo x >/tmp/mine/f && ln -s f /tmp/mine/l
USER 1234:99
RUN echo y >/tmp/other && ! chown 5:5 /tmp/other 2>/dev/null && ! mknod /tmp/none c 1 3 2>/dev/null && grep -q 'CapEff:.*0000000000000000' /proc/self/status && ! mount -t tmpfs x /tmp 2>/dev/null
USER root
RUN echo z >>/tmp/mine/f && touch /a/b/f /tool && chown 0:0 /a/b && sed -i s/f/g/ /home/app/f && chown 0:0 /home/app/x
EOF
}
recorded_layers() { # OPTION...
    import_owners
    write_recording_dockerfile
    ok env SOURCE_DATE_EPOCH=1700000000 "$CBUILD" "$@" -t recorded .
    layers_of recorded
}

test_recorded_owners_are_what_root_gets() {
    need_single
    layers=$(recorded_layers --record-owners)
    listing recorded >list
    listed '^a/l -rw-r--r-- 1000/50 4$'
    listed '^a/s lrwxrwxrwx 4/4 '
    listed '^tool -rwxr-xr-x 0/50 '
    listed '^su -rwsr-sr-x 5/6 '
    listed '^tmp/moved brw------- 0/0 8,1$'
    listed '^data/moved -rwx------ 1000/44 '
    listed '^data/log -rw-r--r-- 33/55 '
    listed '^data/second -rw-r--r-- 9/9 '
    listed '^two -rw-r--r-- 3/3 2$'
    listed '^data/replaced -rw-r--r-- 11/12 '
    listed '^tmp/mine/f -rw-r--r-- 1000/1000 '
    listed '^tmp/mine/l lrwxrwxrwx 1000/1000 '
    listed '^tmp/other -rw-r--r-- 1234/99 '
    listed '^home/app/f -rw-r--r-- 1000/1000 '
    listed '^home/app/x -rw-r--r-- 0/0 '
    listed '^jail/d/f -rw-r--r-- 21/22 '
    store_verifies
    [ -z "${CBUILD_ROOT_RECORDED:-}" ] || equal "$layers" "$CBUILD_ROOT_RECORDED" "root's"
    if [ "$(id -u)" = 0 ]; then
        CBUILD_FORCE='' CBUILD_ROOT=$TEST_TMP/roots
        equal "$layers" "$(recorded_layers)" "without force"
    fi
}

# What isn't the root file system keeps no owners, and what the kernel refuses to root is refused.
test_recording_is_for_files_of_the_image() {
    need_single
    import_busybox
    cat >Dockerfile <<'EOF'
FROM busybox
RUN --mount=type=cache,target=/cache --mount=type=tmpfs,target=/scratch touch /cache/f /scratch/f && chown 5:6 /cache/f /scratch/f /dev/shm
RUN ! chown 5:6 /absent 2>/dev/null && ! mknod /proc/x c 1 3 2>/dev/null && ! mknod /bin/sh c 1 3 2>/dev/null
EOF
    ok cbuild --record-owners -t x .
    cbuild inspect -f '{{json .RootFS.Layers}}' x | jq -r '.[1,2]' | sort -u >empty
    equal "$(cat empty)" sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef
}

# Where no overlay can be mounted: what is new is told by the files themselves.
# Names that mean who uses them
test_owners_are_recorded_by_own_names_in_proc() {
    need_single
    import_busybox
    cat >Dockerfile <<'EOF'
FROM busybox
RUN touch /a /b /c && chown 5:6 /dev/stdout && exec 7</a && chown 11:12 /dev/fd/7 && \
    chown 13:14 /proc/self/cwd/b /proc/thread-self/root/c && ! chown 1:1 /proc/self/nothing 2>/dev/null && \
    ! chown 1:1 /proc/1/root/a 2>/dev/null
EOF
    ok cbuild --record-owners -t x .
    listing x >list
    listed '^a -rw-r--r-- 11/12 '
    listed '^b -rw-r--r-- 13/14 '
    listed '^c -rw-r--r-- 13/14 '
}

# A /proc that is masked can't be mounted anew: that of the container around serves, in which nobody of the sandbox has
# a number, and whose links lead to what the build sees.
test_links_of_a_proc_around_the_sandbox_lead_nowhere() {
    need_single
    import_busybox
    cat >Dockerfile <<'EOF'
FROM busybox
RUN touch /a /b && chown 11:12 /a && for name in self/cwd self/root thread-self/root; do \
    ! chown 13:14 /proc/$name/b 2>/said && grep -q 'Too many levels' /said || { cat /said; exit 9; }; done && \
    ! chown 13:14 /proc/1/root/b 2>/dev/null
EOF
    ok unshare --user --map-root-user --mount --pid --fork --kill-child -- sh -euc \
        'mount -t proc proc /proc && mount -t tmpfs -o ro none /proc/sys && exec unshare --user --map-root-user --mount -- "$@"' sh "$CBUILD" --record-owners -t x .
    listing x >list
    listed '^a -rw-r--r-- 11/12 '
    listed '^b -rw-r--r-- 0/0 '
}

test_owners_are_kept_and_recorded_in_copies_of_the_tree() {
    need_single
    import_owners
    cat >Dockerfile <<'EOF'
FROM owners
RUN chown 5:6 /data/www && echo x >>/data/log && sed -i s/f/g/ /home/app/f && mknod /null c 1 3 && echo new >/new && chown -h 3:4 /data/sym
RUN touch /data/www && rm /data/gone && echo again >/data/gone
EOF
    ok env CBUILD_FORCE="${CBUILD_FORCE:-},no-overlay" "$CBUILD" --record-owners -t x .
    listing x >list
    listed '^data/www -rw-r--r-- 5/6 '
    listed '^data/log -rw-r--r-- 33/44 6$'
    listed '^home/app/f -rw-r--r-- 1000/1000 '
    listed '^null crw-r--r-- 0/0 1,3$'
    listed '^new -rw-r--r-- 0/0 '
    listed '^data/sym lrwxrwxrwx 3/4 '
    listed '^data/gone -rw-r--r-- 0/0 '
    store_verifies
}

# What root's builds of the same input give, in a store of their own
by_root() { # FUNCTION
    local there
    there=$(mktemp -d)
    (
        export TEST_TMP=$there/tmp CBUILD_ROOT=$there/store HOME=$there CBUILD_FORCE=
        mkdir "$there/tmp" "$there/dir"
        cd "$there/dir"
        "$1"
    )
    rm -rf "$there"
}

test_all_of_this_by_a_user_without_ids() {
    [ "$(id -u)" = 0 ] || skip "root starts it"
    layers=$(by_root build_layers)
    recorded=$(by_root recorded_layers)
    unset CBUILD_FORCE
    again_as "${CBUILD_TEST_USER_NOIDS:-}" CBUILD_ROOT_LAYERS="$layers" CBUILD_ROOT_RECORDED="$recorded" >log 2>&1 || {
        status=$?
        [ $status != 77 ] || skip "CBUILD_TEST_USER_NOIDS names no ordinary user"
        cat log >&2
        fail "status $status"
    }
    grep -v 'by_a_user_without_ids' log >results
    ! grep -q '# SKIP' results || fail "$(grep SKIP results)"
    grep -q '^ok .*layers_are_what_root_gets$' results || fail "$(cat log)"
}

run_tests "$@"
