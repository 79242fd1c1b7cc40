#!/bin/bash
# Layers of many members through readers that others wrote: each gets to the diff_id.
# shellcheck source=tests/real/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/real/judge.sh
. "$(dirname "$0")/judge.sh"
trap 'judge_stop; chmod -R u+rwx "$SHARED" 2>/dev/null; rm -rf "$SHARED"' EXIT
teardown() { judge_stop; }

# readers:KIND, of one layer: text, noise (which is stored as it is) and many small files; an archive of it in
# image.tar, its layer in $LAYER, the tar's digest in $DIFF_ID.
image() { # KIND
    mkdir -p ctx/in/small
    seq 1500000 >ctx/in/text
    head -c 3M /dev/urandom >ctx/in/noise
    for i in $(seq 300); do seq "$i" >"ctx/in/small/$i"; done
    printf 'FROM scratch\nCOPY in /in\n' >ctx/Dockerfile
    ok cbuild -q -t "readers:$1" --compression "$1" ctx
    ok cbuild save --format oci -o image.tar "readers:$1"
    LAYER=$CBUILD_ROOT/blobs/sha256/$(cbuild inspect --raw "readers:$1" | jq -r '.layers[0].digest[7:]')
    DIFF_ID=$(cbuild inspect --config "readers:$1" | jq -r '.rootfs.diff_ids[0]')
}
digest() { echo "sha256:$(sha256sum | cut -d' ' -f1)"; }

test_python_gzip_zcat_and_busybox_read_all_members() {
    need busybox
    image gzip
    python3 - "$LAYER" >python.tar <<'END'
import gzip, shutil, sys
with gzip.open(sys.argv[1]) as layer:
    shutil.copyfileobj(layer, sys.stdout.buffer)
END
    equal "$(digest <python.tar)" "$DIFF_ID" "python's gzip"
    equal "$(gzip -dc <"$LAYER" | digest)" "$DIFF_ID" "gzip"
    equal "$(busybox gunzip -c <"$LAYER" | digest)" "$DIFF_ID" "busybox"
    # and there is more than one
    python3 - "$LAYER" <<'END'
import sys, zlib
data, n = open(sys.argv[1], "rb").read(), 0
while data:
    member = zlib.decompressobj(31)
    member.decompress(data)
    data, n = member.unused_data, n + 1
assert n >= 4, n
END
}

test_zstd_reads_all_frames() {
    need zstd
    image zstd
    equal "$(zstd -dcq <"$LAYER" | digest)" "$DIFF_ID"
}

test_umoci_unpacks_gzip() {
    need_root
    need umoci
    image gzip
    mkdir oci
    tar -xf image.tar -C oci
    ok umoci raw unpack --image "oci:$(jq -r '.manifests[0].annotations["org.opencontainers.image.ref.name"]' oci/index.json)" tree
    diff -r ctx/in tree/in
}

test_skopeo_decompresses_gzip_and_zstd() {
    need skopeo
    for kind in gzip zstd; do
        image $kind
        rm -rf out
        ok skopeo copy -q --dest-decompress oci-archive:image.tar dir:out
        is_there "out/${DIFF_ID#sha256:}"
        equal "$(digest <"out/${DIFF_ID#sha256:}")" "$DIFF_ID" $kind
    done
}

test_podman_loads_gzip_and_zstd() {
    need_root
    need podman
    private_podman info >/dev/null 2>&1 || skip "podman doesn't work here"
    for kind in gzip zstd; do
        image $kind
        ok private_podman load -q -i image.tar
        name=$(sed -n 's/^Loaded image: //p' "$TEST_TMP/out")
        equal "$(private_podman image inspect --format '{{json .RootFS.Layers}}' "$name")" "[\"$DIFF_ID\"]" $kind
    done
}

# Debian 13's, which dockerd has beside it
test_containerd_imports_gzip_and_zstd() {
    need_root
    judge_tar
    judge_start
    ctr() { chroot "$JUDGE" /usr/bin/ctr --address /t/exec/containerd/containerd.sock --namespace readers "$@"; }
    for kind in gzip zstd; do
        image $kind
        cp image.tar "$JUDGE/t/"
        ok ctr images import --digests --index-name "readers/$kind:1" /t/image.tar
        # unpacked: the snapshot of the first layer has its diff_id for a name, and holds all of it
        ctr snapshots usage -b "$DIFF_ID" >usage
        [ "$(awk -v id="$DIFF_ID" '$1 == id { print $2 }' usage)" -gt 12000000 ] || fail "$kind: $(cat usage)"
        ctr images rm --sync "$(ctr images ls -q | head -n 1)" >/dev/null
    done
}

run_tests "$@"
