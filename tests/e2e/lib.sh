# shellcheck shell=bash
# What end-to-end tests share. A test file sources it, defines functions test_*, and ends with run_tests.
#
# Each test runs in a subshell with `set -eu`, a directory of its own as current directory, and a store of its
# own ($CBUILD_ROOT). A failed assertion ends the test. `skip REASON` ends it too; the reason must stand in
# tests/expected-skips. Output is TAP.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
CBUILD=${CBUILD:-$TOP/build/release/cbuild}
export TOP CBUILD
unset SOURCE_DATE_EPOCH DOCKER_CONFIG DOCKER_AUTH_CONFIG REGISTRY_AUTH_FILE BUILDKIT_PROGRESS HTTP_PROXY HTTPS_PROXY http_proxy https_proxy
umask 022
# this machine's own network is let alone: test_network.sh has one for itself
export CBUILD_NETWORK=pasta,slirp4netns

cbuild() { "$CBUILD" "$@"; }

fail() { # with the test's line, not that of an assertion of ours
    local at=1
    while [ "${BASH_SOURCE[at]##*/}" = lib.sh ] && [ $((at + 1)) -lt ${#BASH_SOURCE[@]} ]; do at=$((at + 1)); done
    echo "FAILED at ${BASH_SOURCE[at]##*/}:${BASH_LINENO[at - 1]}: $*" >&2
    exit 1
}

skip() {
    echo "$*" >"$TEST_SKIP"
    exit 0
}

# So many seconds nobody else on this machine sleeps, who runs the same test: our number may be another's in a
# container.
export LONG=$((10000000 + RANDOM * 2700 + RANDOM % 2700))

need_root() { [ "$(id -u)" = 0 ] || skip "needs root"; }
# What this user's builds have: "root", "ranges" of ids, a "single" one, or no namespaces: "none".
ids_here() {
    if [ "$(id -u)" = 0 ]; then
        echo root
    elif unshare --user --map-auto --map-root-user -- true 2>/dev/null; then
        echo ranges
    elif unshare --user --map-root-user -- true 2>/dev/null; then
        echo single
    else
        echo none
    fi
}
IDS=$(ids_here)
need_run() { [ "$IDS" != none ] || skip "no user namespaces"; }
need_ids() { case $IDS in root | ranges) ;; *) skip "needs root or subordinate ids" ;; esac; }
# With root's rights over what this user's builds own.
in_namespace() {
    case $IDS in
    root) "$@" ;;
    ranges) unshare --user --map-auto --map-root-user -- "$@" ;;
    *) unshare --user --map-root-user -- "$@" ;;
    esac
}
need() { # PROGRAM...
    local program
    for program; do command -v "$program" >/dev/null || skip "needs $program"; done
}

# run COMMAND...: keeps status, stdout and stderr for the assertions below.
run() {
    set +e
    "$@" >"$TEST_TMP/out" 2>"$TEST_TMP/err"
    status=$?
    set -e
    if grep -q 'Sanitizer' "$TEST_TMP/err"; then
        cat "$TEST_TMP/err" >&2
        fail "a sanitizer complained: $*"
    fi
}

show() { echo "--- stdout"; cat "$TEST_TMP/out"; echo "--- stderr"; cat "$TEST_TMP/err"; } >&2
ok() { run "$@"; [ "$status" = 0 ] || { show; fail "status $status: $*"; }; }
fails() { # STATUS COMMAND...
    local expected=$1
    shift
    run "$@"
    [ "$status" = "$expected" ] || { show; fail "status $status, expected $expected: $*"; }
}
out_has() { grep -qF -- "$1" "$TEST_TMP/out" || { show; fail "stdout lacks: $1"; }; }
out_is() { [ "$(cat "$TEST_TMP/out")" = "$1" ] || { show; fail "stdout isn't: $1"; }; }
err_has() { grep -qF -- "$1" "$TEST_TMP/err" || { show; fail "stderr lacks: $1"; }; }
# What a step printed has this text: its instruction, which is shown as well, doesn't count.
step_says() { sed -En 's/^#[0-9]+ [0-9]+\.[0-9]+ //p' "$TEST_TMP/err" | grep -qF -- "$1" || { show; fail "no step says: $1"; }; }
err_lacks() { ! grep -qF -- "$1" "$TEST_TMP/err" || { show; fail "stderr has: $1"; }; }
equal() { [ "$1" = "$2" ] || fail "\"$1\" is not \"$2\"${3:+ ($3)}"; }
is_there() { [ -e "$1" ] || [ -L "$1" ] || fail "$1 is missing"; }
is_absent() { { [ ! -e "$1" ] && [ ! -L "$1" ]; } || fail "$1 is there"; }

# Until COMMAND succeeds: a busy machine takes its time, who waits longer waits for what doesn't come.
await() { # COMMAND...
    local end=$((SECONDS + 120))
    until "$@" >/dev/null; do
        [ $SECONDS -lt $end ] || fail "it never came: $*"
        sleep 0.05
    done
}
await_text() { await grep -qs -- "$@"; } # PATTERN FILE...
await_gone() { await lacks "$@"; }      # COMMAND..., until it fails
lacks() { ! "$@"; }
# A build of what is here, until a step has said WORD, with its messages in `err`; then Ctrl-C.
build_until() { # WORD
    # the shell starts background commands with SIGINT ignored, which a program inherits
    env --default-signal=INT "$CBUILD" -t x . >out 2>err &
    building=$!
    await_text " $1\$" err
}
interrupt_build() {
    local status=0
    kill -INT "$building"
    wait "$building" || status=$?
    equal "$status" 130
}
# Until COMMAND prints EXPECTED.
becomes() { # EXPECTED COMMAND...
    local expected=$1 now end=$((SECONDS + 120))
    shift
    while now=$("$@") || fail "status $?: $*" && [ "$now" != "$expected" ]; do
        [ $SECONDS -lt $end ] || fail "\"$now\" doesn't become \"$expected\": $*"
        sleep 0.05
    done
}

store_verifies() { ok cbuild fsck; out_has " 0 bad"; }

# A base image "busybox" from Debian's busybox-static: commands are links.
make_busybox_rootfs() { # DIR
    mkdir -p "$1"/{bin,etc,tmp,root,var,usr/bin}
    chmod 1777 "$1/tmp"
    cp /bin/busybox "$1/bin/busybox"
    local name
    for name in sh ls cat echo mkdir rm ln cp mv chmod chown sleep true false id env printf touch test stat grep sed \
        sort head tail wc dd kill ps mount umount hostname uname date du find seq tr cut od tar mknod mkfifo readlink ip wget nc; do
        ln -s busybox "$1/bin/$name"
    done
    printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\napp:x:1000:1000:app:/home/app:/bin/sh\n' >"$1/etc/passwd"
    printf 'root:x:0:\nnogroup:x:65534:\napp:x:1000:\nstaff:x:50:app\n' >"$1/etc/group"
    find "$1" -exec touch -h -d @1577836800 {} +
}
import_busybox() { # [NAME]
    [ -f "$TEST_TMP/busybox.tar" ] || {
        # fifty programs start for it: once for a file of tests
        [ -f "$FILE_TMP/busybox.tar" ] || {
            make_busybox_rootfs "$FILE_TMP/busybox-rootfs"
            tar --sort=name --owner=0 --group=0 --numeric-owner -C "$FILE_TMP/busybox-rootfs" -cf "$FILE_TMP/busybox.part" .
            mv "$FILE_TMP/busybox.part" "$FILE_TMP/busybox.tar"
        }
        ln "$FILE_TMP/busybox.tar" "$TEST_TMP/busybox.tar"
    }
    SOURCE_DATE_EPOCH=1577836800 cbuild import "$TEST_TMP/busybox.tar" "${1:-busybox}" >/dev/null
}

# The file list of an image's merged tree: path, type, mode, owner, size, link; by umoci's unpacking. Where this user
# can't give files to others, owners are those of the layers' tars.
image_tree() { # NAME
    cbuild save --format oci -o "$TEST_TMP/tree.tar" "$1"
    rm -rf "$TEST_TMP/tree-oci" "$TEST_TMP/tree" 2>/dev/null || in_namespace rm -rf "$TEST_TMP/tree"
    mkdir "$TEST_TMP/tree-oci"
    tar -C "$TEST_TMP/tree-oci" -xf "$TEST_TMP/tree.tar"
    local tag
    tag=$(jq -r '.manifests[0].annotations["org.opencontainers.image.ref.name"]' "$TEST_TMP/tree-oci/index.json")
    case $IDS in
    root | ranges)
        in_namespace umoci raw unpack --image "$TEST_TMP/tree-oci:$tag" "$TEST_TMP/tree" >&2
        (cd "$TEST_TMP/tree" && in_namespace find . -printf '%P %y %m %U:%G %s %l\n' | sort) ;;
    *)
        local as_user=(--rootless)
        umoci raw unpack "${as_user[@]}" --image "$TEST_TMP/tree-oci:$tag" "$TEST_TMP/tree" >&2
        python3 "$TOP/tests/conformance/image.py" "$TEST_TMP/tree-oci" "$tag" | sort ;;
    esac
}

# --- OCI layouts: DIR of oci:DIR:TAG

layout_digest() { # DIR TAG
    jq -r --arg t "$2" '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == $t).digest' "$1/index.json"
}
layout_blob() { echo "$1/blobs/sha256/${2#sha256:}"; } # DIR DIGEST
layout_put() { # DIR FILE: a copy becomes a blob; prints the digest
    local digest
    digest=sha256:$(sha256sum <"$2" | cut -d' ' -f1)
    cp "$2" "$(layout_blob "$1" "$digest")"
    echo "$digest"
}
layout_replace() { # DIR DIGEST FILE: in index.json another document for one
    local new
    new=$(layout_put "$1" "$3")
    jq -c --arg old "$2" --arg new "$new" --argjson size "$(stat -c %s "$3")" \
        '(.manifests[] | select(.digest == $old)) |= (.digest = $new | .size = $size)' "$1/index.json" >"$TEST_TMP/index.json"
    mv "$TEST_TMP/index.json" "$1/index.json"
}
layout_edit_config() { # DIR FILTER: jq's, for the config of its first image
    local manifest config
    manifest=$(jq -r '.manifests[0].digest' "$1/index.json")
    config=$(jq -r .config.digest "$(layout_blob "$1" "$manifest")")
    jq -c "$2" "$(layout_blob "$1" "$config")" >"$TEST_TMP/config.json"
    config=$(layout_put "$1" "$TEST_TMP/config.json")
    jq -c --arg new "$config" --argjson size "$(stat -c %s "$TEST_TMP/config.json")" \
        '.config.digest = $new | .config.size = $size' "$(layout_blob "$1" "$manifest")" >"$TEST_TMP/manifest.json"
    layout_replace "$1" "$manifest" "$TEST_TMP/manifest.json"
}

image_id() { cbuild inspect -f '{{.Id}}' "$1"; }

# By root, with CBUILD_TEST_USER: the running test file again as that user, from where it can read it. Else status 77.
again_as_test_user() { again_as "${CBUILD_TEST_USER:-}" "$@"; } # [VAR=VALUE...] [-- TEST...]
again_as() { # USER [VAR=VALUE...] [-- TEST...]
    local user=$1 there vars=() status
    shift
    if [ -z "$user" ] || ! id -u "$user" >/dev/null 2>&1 || [ "$(id -u "$user")" = 0 ]; then
        return 77
    fi
    while [ $# != 0 ] && [ "$1" != -- ]; do vars+=("$1") && shift; done
    [ $# = 0 ] || shift
    there=$(mktemp -d)
    mkdir -p "$there/tests/e2e" "$there/tests/conformance"
    cp "$TOP/tests/conformance/image.py" "$there/tests/conformance/"
    cp "$TOP/tests/nested" "$there/tests/"
    cp "$TOP/tests/e2e/lib.sh" "$TOP/tests/e2e/on_pty.py" "$TOP/tests/e2e/${0##*/}" "$there/tests/e2e/"
    cp "$CBUILD" "$there/cbuild"
    chmod -R a+rX "$there"
    (cd "$there" && runuser -u "$user" -- env CBUILD="$there/cbuild" TMPDIR=/tmp "${vars[@]}" "$there/tests/e2e/${0##*/}" "$@")
    status=$?
    rm -rf "$there"
    return $status
}

# Peak of anonymous memory of a command, in KiB
peak_anonymous() { # COMMAND...
    "$@" >"$TEST_TMP/out" 2>"$TEST_TMP/err" &
    local pid=$! peak=0 now
    while now=$(grep -s RssAnon "/proc/$pid/status" | tr -dc 0-9) && [ -n "$now" ]; do
        [ "$now" -le $peak ] || peak=$now
        read -r -t 0.01 <> <(:) || :
    done
    wait "$pid" || { show; fail "$*"; }
    echo $peak
}

descendants() { # PID...: and they themselves
    local pid
    # shellcheck disable=SC2046 # numbers
    for pid; do echo "$pid" && descendants $(pgrep -P "$pid" || :); done
}

# What a test left running ends with it.
end_test() {
    local left _
    # before teardown: whose parent has ended isn't found any more
    # shellcheck disable=SC2046
    left=$(descendants $(jobs -pr))
    ! type teardown >/dev/null 2>&1 || teardown || :
    [ -n "$left" ] || return 0
    # shellcheck disable=SC2086
    kill $left 2>/dev/null || :
    for _ in $(seq 600); do
        [ -n "$(jobs -pr)" ] || return 0
        sleep 0.05
    done
    # shellcheck disable=SC2086
    kill -9 $left 2>/dev/null || :
}

run_test() { # FOLDER NAME: in a subshell
    set -eu
    local work=$1
    TEST_TMP=$work/tmp TEST_SKIP=$work/skip CBUILD_ROOT=$work/store HOME=$work/home XDG_RUNTIME_DIR=$work/run
    # not what this machine says of registries
    CONTAINERS_REGISTRIES_CONF=/dev/null
    export TEST_TMP CBUILD_ROOT HOME XDG_RUNTIME_DIR CONTAINERS_REGISTRIES_CONF
    mkdir "$TEST_TMP" "$HOME" "$work/dir"
    mkdir -m 700 "$XDG_RUNTIME_DIR"
    cd "$work/dir"
    trap 'end_test' EXIT
    "$2"
}

# What a reader of a log needs who has no more than it: what the test printed, what its builds did.
show_test() { # FOLDER
    local file
    tail -n 120 "$1/log"
    for file in "$1"/tmp/{out,err,log} "$1"/dir/{*err*,*log*,out*,host.log}; do
        [ -f "$file" ] && [ -s "$file" ] || continue
        echo "--- end of ${file#"$1/"}"
        tail -n 40 "$file" | cut -c 1-400 | tr -cd '\t\n\40-\176\200-\377'
        echo
    done
}

run_tests() {
    local tests=() name number=0 failed=0 work status TIMEFORMAT='%R %U %S'
    while read -r _ _ name; do case $name in test_*) tests+=("$name") ;; esac; done < <(declare -F)
    [ $# = 0 ] || tests=("$@")
    echo "1..${#tests[@]}"
    FILE_TMP=$(mktemp -d) # what the file's tests share
    for name in "${tests[@]}"; do
        number=$((number + 1))
        work=$(mktemp -d)
        { # `time` writes into the redirection of a lone subshell, hence the group
            time { (run_test "$work" "$name") >"$work/log" 2>&1; status=$?; }
        } 2>"$work/seconds"
        if [ -s "$work/skip" ]; then
            echo "ok $number - ${name#test_} # SKIP $(cat "$work/skip")"
        elif [ $status = 0 ]; then
            echo "ok $number - ${name#test_}"
        else
            failed=$((failed + 1))
            echo "not ok $number - ${name#test_}"
            show_test "$work" | sed 's/^/# /'
        fi
        echo "# seconds: $(cat "$work/seconds") ${name#test_}" # for tests/run --slow
        rm -rf "$work" 2>/dev/null || { chmod -Rf u+rwx "$work"; in_namespace rm -rf "$work"; }
    done
    rm -rf "$FILE_TMP"
    [ $failed = 0 ]
}
