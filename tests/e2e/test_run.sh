#!/bin/bash
# shellcheck disable=SC2154 # status is lib.sh's
# What a RUN finds around it, and what it leaves.
. "$(dirname "$0")/lib.sh"

# Names in the last layer of an image.
last_layer() { # NAME
    local digest
    digest=$(image_id "$1")
    digest=$(jq -r '.layers[-1].digest' "$CBUILD_ROOT/blobs/sha256/${digest#sha256:}")
    tar -tzf "$CBUILD_ROOT/blobs/sha256/${digest#sha256:}"
}
# What the build's last RUN wrote to its output, without the progress' prefix.
said() { sed -n 's/^#[0-9]* [0-9][0-9.]* //p' "$TEST_TMP/err"; }

# run_case EXPECTED INSTRUCTION...: a RUN after some instructions, and its output
run_case() {
    local expected=$1
    shift
    { echo 'FROM busybox' && printf '%s\n' "$@"; } >Dockerfile
    ok cbuild --no-cache -t x "${OPTIONS[@]}" .
    equal "$(said)" "$expected" "$*"
}

test_environment_is_the_images_the_arguments_and_a_path() {
    need_run
    import_busybox
    OPTIONS=(--build-arg B=given --build-arg HTTP_PROXY=http://127.0.0.1:1 --build-arg UNUSED=1)
    export LEAK=host HOSTNAME=outer
    run_case 'A=image
B=given
C=default
HOME=/root
HTTP_PROXY=http://127.0.0.1:1
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
http_proxy=http://127.0.0.1:1' 'ENV A=image' 'ARG B' 'ARG C=default' 'ARG D' 'RUN env | sort | grep -v "^PWD=\|^SHLVL="'
    OPTIONS=()
    run_case 'PATH=/bin' 'ENV PATH=/bin' 'RUN env | grep ^PATH'
}

test_home_is_of_passwd_unless_it_is_set() {
    need_ids
    import_busybox
    OPTIONS=()
    run_case '/root' 'RUN echo $HOME'
    run_case '/home/app' 'USER app' 'RUN echo $HOME'
    run_case '/home/app' 'USER 1000' 'RUN echo $HOME'
    run_case '/' 'USER 4242' 'RUN echo $HOME'
    run_case '/mine' 'USER app' 'ENV HOME=/mine' 'RUN echo $HOME'
}

test_groups_are_the_users_unless_one_is_given() {
    need_ids
    import_busybox
    OPTIONS=()
    run_case '1000:1000:1000 50' 'USER app' 'RUN echo $(id -u):$(id -g):$(id -G)'
    run_case '1000:50:50' 'USER app:staff' 'RUN echo $(id -u):$(id -g):$(id -G)'
    run_case '1000:1000:1000 50' 'USER 1000' 'RUN echo $(id -u):$(id -g):$(id -G)'
    run_case '4242:0:0' 'USER 4242' 'RUN echo $(id -u):$(id -g):$(id -G)'
    run_case '7:8:8' 'USER 7:8' 'RUN echo $(id -u):$(id -g):$(id -G)'
}

test_host_name_is_buildkitsandbox_or_the_arguments() {
    need_run
    import_busybox
    OPTIONS=()
    run_case 'buildkitsandbox
127.0.0.1	localhost buildkitsandbox' 'RUN hostname; grep ^127 /etc/hosts'
    OPTIONS=(--build-arg BUILDKIT_SANDBOX_HOSTNAME=mine.example)
    run_case 'mine.example
127.0.0.1	localhost mine.example' 'RUN hostname; grep ^127 /etc/hosts'
    # another name is a reason to run again
    printf 'FROM busybox\nRUN hostname >/name\n' >Dockerfile
    ok cbuild -q -t x .
    ok cbuild -t y --explain --build-arg BUILDKIT_SANDBOX_HOSTNAME=other .
    err_lacks CACHED
    err_lacks 'BUILDKIT_SANDBOX_HOSTNAME'
    err_has 'host name'
    ok cbuild -t y --build-arg BUILDKIT_SANDBOX_HOSTNAME=other .
    err_has CACHED
    fails 2 cbuild --build-arg BUILDKIT_SANDBOX_HOSTNAME="$(printf 'x%.0s' $(seq 65))" .
    err_has 'Dockerfile:2'
    err_has 'more than 64 bytes'
}

test_there_is_no_terminal_and_nothing_to_read() {
    need_run
    import_busybox
    OPTIONS=()
    run_case '0 no terminal' 'RUN echo $(wc -c) $(test -t 0 || test -t 1 || test -t 2 || echo no terminal)' </dev/zero
}

test_command_is_pid_1_with_umask_022_and_a_default_containers_capabilities() {
    need_run
    import_busybox
    OPTIONS=()
    run_case '1 0022
CapPrm: 00000000a80425fb
CapEff: 00000000a80425fb
CapBnd: 00000000a80425fb
Seccomp: 2' 'RUN echo $$ $(umask); grep -E "^(Cap(Prm|Eff|Bnd)|Seccomp):" /proc/self/status | tr "\t" " "'
}

test_open_files_are_limited_to_a_sane_number() {
    need_run
    import_busybox
    OPTIONS=()
    local hard # or our own where we may not raise it
    hard=$(ulimit -Hn 524288 2>/dev/null; ulimit -Hn)
    run_case "1024 $hard" 'RUN echo $(ulimit -Sn) $(ulimit -Hn)'
    (
        ulimit -Sn 512
        run_case "1024 $hard" 'RUN echo $(ulimit -Sn) $(ulimit -Hn)'
    )
}

test_files_of_the_image_that_are_covered_survive() {
    need_run
    import_busybox
    mkdir -p etc dev
    echo 'of the image' | tee etc/hosts etc/resolv.conf etc/hostname >dev/keep
    cat >Dockerfile <<'EOT'
FROM busybox
COPY etc /etc/
COPY dev /dev/
RUN cat /etc/hosts /etc/resolv.conf | grep "of the image"; ls /dev/keep; cat /etc/hostname >/seen
EOT
    ok cbuild -t x .
    equal "$(last_layer x)" seen
    image_tree x >/dev/null
    equal "$(cat "$TEST_TMP"/tree/{etc/hosts,etc/resolv.conf,dev/keep,seen} | sort -u)" 'of the image'
    ! said | grep -q 'of the image' || fail "the image's own are in use"
}

test_mount_points_leave_nothing_not_even_on_scratch() {
    need_run
    import_busybox
    cat >Dockerfile <<'EOT'
FROM busybox AS tools
FROM scratch
COPY --from=tools /bin/busybox /busybox
RUN ["/busybox", "true"]
RUN --mount=type=cache,target=/a/b --mount=type=tmpfs,target=/c --mount=type=secret,id=s,required \
    --mount=type=bind,target=/d/e ["/busybox", "touch", "/made"]
EOT
    echo 1 >s
    ok cbuild -t x --secret id=s,src=s .
    equal "$(last_layer x)" made
    equal "$(image_tree x | awk '$2 ~ /^[dfl]$/ { print $1 }' | tr '\n' ' ')" 'busybox made '
}

test_failures_tell_the_status_or_the_signal() {
    need_run
    import_busybox
    local case
    for case in 'exit 3|exit code: 3' 'nothing-here|exit code: 127' 'false|exit code: 1' \
        'sleep 9 & kill -9 $!; wait $!; exit $?|exit code: 137'; do
        printf 'FROM busybox\nRUN %b\n' "${case%|*}" >Dockerfile
        fails 1 cbuild .
        err_has "Dockerfile:2"
        err_has "${case#*|}"
    done
}

test_what_runs_in_the_background_ends_with_the_command() {
    need_run
    import_busybox
    cat >Dockerfile <<'EOT'
FROM busybox
RUN --mount=type=cache,target=/c (while echo x >>/c/lives; do sleep 0.01; done) & until test -s /c/lives; do sleep 0.01; done; echo started
RUN --mount=type=cache,target=/c n=$(wc -c </c/lives); sleep 0.2; test "$(wc -c </c/lives)" = "$n"
EOT
    ok timeout 120 "$CBUILD" -t x .
    step_says started
}

test_network_none_is_loopback_only_and_host_has_to_be_allowed() {
    need_run
    import_busybox
    OPTIONS=()
    run_case 'lo: <LOOPBACK,UP,LOWER_UP>' 'RUN --network=none ip -o link | sed "s/^[0-9]*: \(lo: <[^>]*>\).*/\1/"'
    printf 'FROM busybox\nRUN --network=host true\n' >Dockerfile
    fails 1 cbuild .
    err_has 'Dockerfile:2'
    err_has 'hint:'
    printf 'FROM busybox\nRUN --security=insecure true\n' >Dockerfile
    fails 1 cbuild .
    err_has 'Dockerfile:2'
}

# --- what a layer of a RUN holds

test_a_change_that_is_undone_is_no_change() {
    need_run
    import_busybox
    cat >Dockerfile <<'EOT'
FROM busybox
RUN mkdir /d && echo 1 >/d/f && touch -d @1 /d/f /d
RUN chmod 600 /d/f && chmod 644 /d/f
EOT
    ok cbuild -q -t x .
    equal "$(last_layer x)" ''
    sed -i '$d' Dockerfile
    echo "RUN echo 1 >/d/f && touch -d @1 /d/f" >>Dockerfile
    ok cbuild -q -t x .
    equal "$(last_layer x)" ''
    sed -i '$d' Dockerfile
    echo "RUN chmod 711 /" >>Dockerfile
    ok cbuild -q -t x .
    equal "$(last_layer x)" ''
}

test_a_replaced_directory_has_a_whiteout_per_child_and_a_new_name_is_a_copy() {
    need_run
    import_busybox
    cat >Dockerfile <<'EOT'
FROM busybox
RUN mkdir /d && touch /d/a /d/b /d/c && echo x >/low
RUN rm -r /d && mkdir /d && echo new >/d/b
EOT
    ok cbuild -q -t x .
    equal "$(last_layer x | tr '\n' ' ')" 'd/ d/.wh.a d/.wh.c d/b '
    sed -i '$d' Dockerfile
    echo "RUN ln /low /new" >>Dockerfile
    ok cbuild -q -t x .
    equal "$(last_layer x)" new
    equal "$(image_tree x | awk '/^(low|new) / { print $1, $2, $5 }' | tr '\n' ' ')" 'low f 2 new f 2 '
}

test_an_empty_run_builds_and_an_empty_layer_counts() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN true\n' >Dockerfile
    ok cbuild -q -t x .
    local id
    id=$(image_id x)
    id=$(jq -r .config.digest "$CBUILD_ROOT/blobs/sha256/${id#sha256:}")
    equal "$(jq -c '[.history[-1].empty_layer, (.rootfs.diff_ids | length)]' "$CBUILD_ROOT/blobs/sha256/${id#sha256:}")" '[null,2]'
}

# An overlay takes no directory twice, and equal layers have one form.
test_equal_layers_are_mounted_once() {
    need_run
    import_busybox
    echo x >f
    touch -d @1600000000 f
    printf 'FROM busybox\nCOPY f /a\nRUN rm /a\nCOPY f /a\nRUN cat /a >/b\n' >Dockerfile
    ok env SOURCE_DATE_EPOCH=1700000000 "$CBUILD" -t x .
    equal "$(cbuild inspect -f '{{json .RootFS.Layers}}' x | jq 'length - (unique | length)')" 1
    equal "$(cbuild export x | tar -xOf - a b | sort -u)" x
}

run_tests "$@"
