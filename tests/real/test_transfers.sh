#!/bin/bash
# Large and many: a layer of 1 GiB through the store over TLS, in little memory; podman and skopeo on the other side.
# shellcheck source=tests/real/lib.sh
. "$(dirname "$0")/lib.sh"
teardown() { registry_stop; }

start() {
    start_registry --tls
    export SSL_CERT_FILE=$REGISTRY_CERT_DIR/ca.crt DOCKER_CONFIG=$TEST_TMP/docker
    mkdir "$DOCKER_CONFIG" && echo '{}' >"$DOCKER_CONFIG/config.json" # podman misses it
}
n_requests() { grep -Ec -- "\"$1 [^ ]*$2[^ ]* HTTP/" "$REGISTRY_LOG" || true; }

# WHAT PEAK
in_bounds() {
    echo "# $1: peak $2 KiB"
    { [ "$2" -gt 0 ] && [ "$2" -lt 32768 ]; } || fail "$1: peak of $2 KiB"
}

test_a_gibibyte_is_pushed_and_pulled_in_little_memory() {
    start
    python3 "$TOP/tests/e2e/make_layout.py" l --big $((1 << 30))
    digest=$(jq -r '.manifests[0].digest' l/index.json)
    ok cbuild copy -q oci:l:big "store:$REGISTRY_HOST/x/big:1"
    rm -rf l
    in_bounds push "$(peak_anonymous "$CBUILD" push -q "$REGISTRY_HOST/x/big:1")"
    equal "$(n_requests PUT 'blobs/uploads/')" 2 "uploads"
    equal "$(n_requests PATCH 'blobs/uploads/')" 0
    rm -rf "$CBUILD_ROOT"
    in_bounds pull "$(peak_anonymous "$CBUILD" pull -q "$REGISTRY_HOST/x/big:1")"
    becomes 2 n_requests GET 'blobs/' # its log has a line after the last byte
    equal "$(image_id "$REGISTRY_HOST/x/big:1")" "$digest"
    layer=$(cd "$CBUILD_ROOT/blobs/sha256" && find . -size +1000M -type f)
    equal "./$(sha256sum <"$CBUILD_ROOT/blobs/sha256/$layer" | cut -d' ' -f1)" "$layer"
}

test_podman_pulls_what_we_push_and_we_what_podman_pushes() {
    need_root
    need podman skopeo
    start
    mkdir ctx rootfs
    make_busybox_rootfs rootfs
    tar -C rootfs -cf ctx/rootfs.tar .
    printf 'FROM scratch\nADD rootfs.tar /\nENV A=b\nCMD ["/bin/sh"]\n' >ctx/Dockerfile
    ok cbuild -t "$REGISTRY_HOST/ours/a:1" ctx
    ok cbuild push "$REGISTRY_HOST/ours/a:1"
    id=$(image_id "$REGISTRY_HOST/ours/a:1")
    private_podman info >/dev/null 2>&1 || skip "podman doesn't work here"
    ok private_podman pull -q --cert-dir "$REGISTRY_CERT_DIR" "$REGISTRY_HOST/ours/a:1"
    equal "$(private_podman image inspect --format '{{.Digest}}' "$REGISTRY_HOST/ours/a:1")" "$id"
    # back from podman, which may compress anew: what is in it counts
    for format in oci v2s2; do
        ok private_podman push -q --format $format --cert-dir "$REGISTRY_CERT_DIR" "$REGISTRY_HOST/ours/a:1" \
            "docker://$REGISTRY_HOST/podman/a:$format"
        pushed=sha256:$(skopeo inspect --raw --cert-dir "$REGISTRY_CERT_DIR" "docker://$REGISTRY_HOST/podman/a:$format" |
            sha256sum | cut -d' ' -f1)
        CBUILD_ROOT=$TEST_TMP/store2 ok cbuild pull "$REGISTRY_HOST/podman/a:$format"
        equal "$(CBUILD_ROOT=$TEST_TMP/store2 image_id "$REGISTRY_HOST/podman/a:$format")" "$pushed"
        CBUILD_ROOT=$TEST_TMP/store2 cbuild export "$REGISTRY_HOST/podman/a:$format" | sha256sum >theirs
        cbuild export "$REGISTRY_HOST/ours/a:1" | sha256sum >ours
        cmp ours theirs
    done
    CBUILD_ROOT=$TEST_TMP/store2 store_verifies
}

run_tests "$@"
