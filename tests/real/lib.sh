# shellcheck shell=bash
# What tests of real inputs share: a Debian base and an npm tree from their mirrors, kept in build/cache, and the
# checks that each image goes through. On top of tests/e2e/lib.sh: the tests of a file share one store here,
# $SHARED/store, and `built` makes the image in it once, so that any test may be run alone.

# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/lib.sh"
# shellcheck source=tests/e2e/registry.sh
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/registry.sh"
CACHE=${TEST_CACHE:-$TOP/build/cache}
SHARED=$(mktemp -d)
trap 'chmod -R u+rwx "$SHARED" 2>/dev/null; rm -rf "$SHARED"' EXIT
mkdir -p "$CACHE"

# Without a mirror tests are skipped, but not in .ci/run.
need_mirror() { # URL
    python3 -c 'import sys, urllib.request as u; u.urlopen(u.Request(sys.argv[1], method="HEAD"), timeout=20)' "$1" \
        2>/dev/null || [ "${CI:-}" = true ] || skip "no mirror: $1"
}

# The tar of a Debian 12 system as mmdebstrap makes it: minbase and ca-certificates.
debian_tar() {
    (
        flock 9
        [ -f "$CACHE/debian12.tar" ] && exit 0
        need mmdebstrap
        need_mirror http://deb.debian.org/debian/
        mmdebstrap --quiet --variant=minbase --include=ca-certificates bookworm "$CACHE/debian12.tmp.tar" >&2
        mv "$CACHE/debian12.tmp.tar" "$CACHE/debian12.tar"
    ) 9>"$CACHE/debian12.lock"
    [ ! -s "${TEST_SKIP:-}" ] || exit 0
    [ -f "$CACHE/debian12.tar" ]
}
import_debian() {
    debian_tar
    SOURCE_DATE_EPOCH=1700000000 cbuild import "$CACHE/debian12.tar" debian:12 >/dev/null
}

# build/cache/node-SUM: an npm project with its dependencies, made anew when they change. What package-lock.json names
# isn't looked for, which is most of what `npm install` does.
node_tree() {
    local sum
    sum=$(cat "$TOP"/testdata/real/node/package*.json | sha256sum | cut -c1-12)
    NODE_TREE=$CACHE/node-$sum
    (
        flock 9
        [ -d "$NODE_TREE" ] && exit 0
        need npm
        need_mirror https://registry.npmjs.org/
        rm -rf "$CACHE/node-tmp"
        cp -r "$TOP/testdata/real/node" "$CACHE/node-tmp"
        cd "$CACHE/node-tmp" || exit 1
        npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
        mv "$CACHE/node-tmp" "$NODE_TREE"
    ) 9>"$CACHE/node.lock"
    [ ! -s "${TEST_SKIP:-}" ] || exit 0
    [ -d "$NODE_TREE" ]
}

in_shared_store() { export CBUILD_ROOT=$SHARED/store; }

# built IMAGE SETUP: SETUP makes $SHARED/context and the base images; then IMAGE is built, once in this file.
built() {
    need_root
    in_shared_store
    [ ! -f "$SHARED/built" ] || return 0
    "$2"
    ok cbuild -t "$1" "$SHARED/context"
    cp "$TEST_TMP/err" "$SHARED/build.log"
    touch "$SHARED/built"
}

# a step's heading comes again where its output goes on
n_steps() { grep -Eo '^#[0-9]+ \[[^]]* [0-9]+/[0-9]+\] (RUN|COPY|ADD|WORKDIR)' "$1" | sort -u | wc -l; }
n_cached() { grep -Ec '^#[0-9]+ CACHED$' "$1" || true; }

start_registry() { # OPTION...
    registry_program >/dev/null || skip "needs docker-registry"
    teardown() { registry_stop; }
    registry_start "$@"
}

# Login, push, and back by skopeo and by cbuild into another store: all digests agree.
check_round_trip() { # IMAGE REGISTRY-OPTION...
    local image=$1 name id
    shift
    need skopeo
    start_registry --tls "$@"
    export DOCKER_CONFIG=$TEST_TMP/docker
    mkdir -p "$DOCKER_CONFIG"
    name=$REGISTRY_HOST/real/$image
    id=$(image_id "$image")
    echo "$PASSWORD" | cbuild login -u "$USER_NAME" --password-stdin --cert-dir "$REGISTRY_CERT_DIR" "$REGISTRY_HOST"
    cbuild tag "$image" "$name"
    ok cbuild push --cert-dir "$REGISTRY_CERT_DIR" "$name"

    ok skopeo copy -q --preserve-digests --src-cert-dir "$REGISTRY_CERT_DIR" --src-creds "$USER_NAME:$PASSWORD" \
        "docker://$name" "oci:$TEST_TMP/skopeo:x"
    equal "$(jq -r '.manifests[0].digest' "$TEST_TMP/skopeo/index.json")" "$id" "skopeo's digest"
    CBUILD_ROOT=$TEST_TMP/store2 ok cbuild pull --cert-dir "$REGISTRY_CERT_DIR" "$name"
    equal "$(CBUILD_ROOT=$TEST_TMP/store2 image_id "$name")" "$id" "the pulled digest"
    CBUILD_ROOT=$TEST_TMP/store2 store_verifies
    # again: nothing to send
    ok cbuild push --cert-dir "$REGISTRY_CERT_DIR" "$name"
    cbuild rmi "$name" >/dev/null
}

store_reference() { # IMAGE: its name in the store's index.json
    jq -r --arg digest "$(image_id "$1")" \
        '[.manifests[] | select(.digest == $digest)][0].annotations["org.opencontainers.image.ref.name"]' \
        "$CBUILD_ROOT/index.json"
}

check_skopeo_reads_the_store() { # IMAGE
    need skopeo
    ok skopeo inspect "oci:$CBUILD_ROOT:$(store_reference "$1")"
    equal "$(jq -r .Digest "$TEST_TMP/out")" "$(image_id "$1")"
}

check_umoci_unpacks() { # IMAGE FILE...
    local image=$1 tag file
    shift
    need umoci
    mkdir "$TEST_TMP/oci"
    cbuild save --format oci "$image" | tar -xf - -C "$TEST_TMP/oci"
    tag=$(jq -r '.manifests[0].annotations["org.opencontainers.image.ref.name"]' "$TEST_TMP/oci/index.json")
    ok umoci unpack --image "$TEST_TMP/oci:$tag" "$TEST_TMP/bundle"
    for file; do is_there "$TEST_TMP/bundle/rootfs/$file"; done
    equal "$(jq -r '.ociVersion | type' "$TEST_TMP/bundle/config.json")" string
}

# podman in a mount namespace of its own: nothing of it is seen outside, and there a cgroup2 tree can be shown to
# runtimes that refuse a hybrid one.
private_podman() {
    unshare --mount sh -c '
        [ -e /sys/fs/cgroup/cgroup.controllers ] || mount -t cgroup2 none /sys/fs/cgroup 2>/dev/null
        exec podman "$@"' sh --root "$SHARED/podman" --runroot "$SHARED/podman-run" --storage-driver overlay \
        --events-backend none "$@"
}
podman_run() {
    private_podman run --rm --network none --cgroups disabled --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 "$@"
}
need_podman_run() {
    need podman
    mkdir -p "$TEST_TMP/tiny"
    make_busybox_rootfs "$TEST_TMP/tiny"
    tar -C "$TEST_TMP/tiny" -cf "$TEST_TMP/tiny.tar" .
    private_podman import -q "$TEST_TMP/tiny.tar" tiny >/dev/null 2>&1 || skip "podman doesn't work here"
    podman_run tiny true >/dev/null 2>&1 || skip "podman runs no containers here"
}

check_podman_loads_and_runs() { # IMAGE EXPECTED-OUTPUT COMMAND...
    local image=$1 expected=$2 name
    shift 2
    need_podman_run
    ok cbuild save -o "$TEST_TMP/image.tar" "$image"
    ok private_podman load -q -i "$TEST_TMP/image.tar"
    name=$(sed -n 's/^Loaded image: //p' "$TEST_TMP/out")
    case $name in */"$image") ;; *) fail "loaded as \"$name\"" ;; esac
    ok podman_run "$name" "$@"
    out_has "$expected"
    private_podman rmi -f "$name" >/dev/null
}

# The second build takes all from the cache, has the same digest, and looks at no file's content.
check_rebuild_is_cached() { # IMAGE
    local id
    need strace
    id=$(image_id "$1")
    sleep 2.1 # stat records younger than the clock's granularity aren't trusted
    ok cbuild -t "$1" "$SHARED/context"
    equal "$(n_cached "$TEST_TMP/err")" "$(n_steps "$SHARED/build.log")" "cached steps"
    equal "$(image_id "$1")" "$id" "the rebuild's digest"
    ok env ASAN_OPTIONS=detect_leaks=0 strace -f -y --seccomp-bpf -o "$TEST_TMP/trace" -e trace=open,openat,openat2,socket,connect,execve,clone3 \
        "$CBUILD" -t "$1" "$SHARED/context"
    equal "$(n_cached "$TEST_TMP/err")" "$(n_steps "$SHARED/build.log")" "cached steps"
    equal "$(image_id "$1")" "$id" "the rebuild's digest"
    python3 "$TOP/tests/real/check_trace.py" "$TEST_TMP/trace" "$SHARED/context" >&2 || fail "see above"
}

# One byte of FILE (in the context) changes; size and modification time stay: the step that copies it runs again.
check_changed_byte_reruns() { # IMAGE FILE N-CACHED
    local file=$SHARED/context/$2 id
    ok cbuild -t "$1" "$SHARED/context"
    id=$(image_id "$1")
    sleep 2.1
    touch -r "$file" "$TEST_TMP/stamp"
    cp -p "$file" "$TEST_TMP/before"
    python3 - "$file" <<'END'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(-1, 2)
    last = f.read(1)
    f.seek(-1, 2)
    f.write(b" " if last != b" " else b"\t")
END
    touch -r "$TEST_TMP/stamp" "$file"
    equal "$(stat -c '%s %Y' "$file")" "$(stat -c '%s %Y' "$TEST_TMP/before")" "size and time"
    ok cbuild -t "$1" "$SHARED/context"
    equal "$(n_cached "$TEST_TMP/err")" "$3" "cached steps"
    [ "$(image_id "$1")" != "$id" ] || fail "the digest is still $id"
    cp -p "$TEST_TMP/before" "$file"
    ok cbuild -t "$1" "$SHARED/context"
    equal "$(image_id "$1")" "$id" "the digest with the old content"
}
