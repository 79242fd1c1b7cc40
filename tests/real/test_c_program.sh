#!/bin/bash
# A real C program: compiled from a Debian source package with what apt installs in RUN, copied to a slim stage.
# shellcheck source=tests/real/lib.sh
. "$(dirname "$0")/lib.sh"
IMAGE=c-program:1

set_up() {
    need_mirror http://deb.debian.org/debian/
    import_debian
    cp -r "$TOP/testdata/real/c-program" "$SHARED/context"
}
image() { built $IMAGE set_up; }

test_the_compiled_program_is_in_the_slim_stage_alone() {
    image
    grep -q 'lz4 works' "$SHARED/build.log" || fail "$(tail "$SHARED/build.log")"
    image_tree $IMAGE >tree
    grep -q '^usr/local/bin/lz4 f 755 0:0 ' tree
    grep -q '^usr/local/bin/unlz4 l .* lz4$' tree
    ! grep -q '^usr/bin/gcc' tree || fail "the compiler is in the image"
    equal "$(cbuild inspect -f '{{len .RootFS.Layers}}' $IMAGE)" 3 "layers"
    store_verifies
}
test_goes_to_a_registry_with_a_password_file_and_back() {
    image
    USER_NAME=ann PASSWORD=secret check_round_trip $IMAGE --htpasswd ann secret
}
test_goes_to_a_registry_with_token_authentication_and_back() {
    image
    USER_NAME=ann PASSWORD=secret check_round_trip $IMAGE --token
}
test_skopeo_reads_it_in_the_store() { image; check_skopeo_reads_the_store $IMAGE; }
test_umoci_unpacks_it() { image; check_umoci_unpacks $IMAGE usr/local/bin/lz4 etc/lz4-version bin/sh; }
test_podman_loads_and_runs_it() { image; check_podman_loads_and_runs $IMAGE 'lz4 works' check-lz4; }
test_a_rebuild_takes_all_from_the_cache() { image; check_rebuild_is_cached $IMAGE; }
# sources, apt-get, WORKDIR, download and compiler are before the changed file; all of the last stage is after it
test_one_changed_byte_reruns_its_step_and_what_follows() {
    image
    check_changed_byte_reruns $IMAGE check.sh 5
}

test_a_flipped_byte_in_the_registry_is_found_by_pull() {
    image
    start_registry --tls
    name=$REGISTRY_HOST/real/$IMAGE
    cbuild tag $IMAGE "$name"
    ok cbuild push --cert-dir "$REGISTRY_CERT_DIR" "$name"
    cbuild rmi "$name" >/dev/null
    digest=$(jq -r '.layers[-1].digest' "$CBUILD_ROOT/blobs/sha256/$(image_id $IMAGE | cut -d: -f2)")
    blob=$REGISTRY_DATA/docker/registry/v2/blobs/sha256/${digest:7:2}/${digest:7}/data
    is_there "$blob"
    python3 -c '
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(100); byte = f.read(1)[0]; f.seek(100); f.write(bytes([byte ^ 1]))' "$blob"
    export CBUILD_ROOT=$TEST_TMP/store2
    fails 1 cbuild pull --cert-dir "$REGISTRY_CERT_DIR" "$name"
    err_has "$digest"
    ok cbuild images -q
    out_is ''
    store_verifies
}

run_tests "$@"
