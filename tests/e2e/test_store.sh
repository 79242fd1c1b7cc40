#!/bin/bash
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

make_image() { # NAME TEXT
    mkdir -p ctx && echo "$2" >ctx/f && printf 'FROM scratch\nCOPY f /\n' >ctx/Dockerfile
    cbuild -q -t "$1" ctx >/dev/null
}

test_images_lists_names_ids_and_sizes() {
    make_image user/app:1.0 hello
    cbuild tag user/app:1.0 user/app:2.0
    ok cbuild images
    out_has 'REPOSITORY'
    grep -Eq '^user/app +1\.0 +[0-9a-f]{12} +.* ago +6B$' "$TEST_TMP/out" || { show; fail "no line of 1.0"; }
    ok cbuild images -q
    equal "$(wc -l <"$TEST_TMP/out")" 1
    ok cbuild images --format '{{.Repository}}:{{.Tag}}' user/app
    out_is $'user/app:1.0\nuser/app:2.0'
    ok cbuild images --no-trunc -q
    equal "$(cat "$TEST_TMP/out")" "$(image_id user/app:1.0)"
}

test_no_tag_means_latest() {
    make_image app hello
    ok cbuild inspect -f '{{index .RepoTags 0}}' app:latest
    out_is app:latest
}

test_rmi_of_an_id_under_several_names_needs_force() {
    make_image a:1 hello
    cbuild tag a:1 b:1
    id=$(cbuild images -q)
    fails 1 cbuild rmi "$id"
    err_has '2 names'
    ok cbuild rmi a:1
    ok cbuild inspect b:1
    cbuild tag b:1 a:1
    ok cbuild rmi -f "$id"
    ok cbuild images -q
    out_is ''
    fails 3 cbuild rmi b:1
}

test_rmi_of_all_images() {
    make_image a:1 one
    make_image b:1 two
    # shellcheck disable=SC2046 # ids are words
    ok cbuild rmi $(cbuild images -q)
    ok cbuild images -q
    out_is ''
    cbuild prune --all >/dev/null
    equal "$(find "$CBUILD_ROOT/blobs" -type f | wc -l)" 0 "blobs"
}

test_ids_and_prefixes_of_manifest_and_config_name_an_image() {
    make_image a:1 hello
    id=$(image_id a:1)
    config=$(cbuild inspect -f '{{.ConfigDigest}}' a:1)
    for name in "$id" "${id#sha256:}" "${id:7:12}" "${id:7:4}" "$config" "${config:7:12}"; do
        equal "$(image_id "$name")" "$id" "$name"
    done
    fails 3 cbuild inspect ffffffffffff
}

test_skopeo_reads_the_store_as_it_stands() {
    need skopeo
    make_image user/app:1.0 hello
    ref=$(jq -r '.manifests[0].annotations["org.opencontainers.image.ref.name"]' "$CBUILD_ROOT/index.json")
    ok skopeo inspect "oci:$CBUILD_ROOT:$ref"
    equal "$(jq -r .Digest "$TEST_TMP/out")" "$(image_id user/app:1.0)"
    ok skopeo copy -q "oci:$CBUILD_ROOT:$ref" oci:copy:x
}

test_save_and_load_keep_the_digest() {
    make_image user/app:1.0 hello
    id=$(image_id user/app:1.0)
    ok cbuild save -o image.tar user/app:1.0
    cbuild save user/app:1.0 >again.tar
    cmp image.tar again.tar || fail "save isn't deterministic"
    export CBUILD_ROOT=$CBUILD_ROOT-2
    ok cbuild load -i image.tar
    out_is 'Loaded image: user/app:1.0'
    equal "$(image_id user/app:1.0)" "$id"
    cat image.tar | gzip | cbuild load >out
    equal "$(cat out)" 'Loaded image: user/app:1.0'
}

test_skopeo_and_podman_read_saved_archives() {
    need skopeo
    make_image user/app:1.0 hello
    ok cbuild save -o both.tar user/app:1.0
    ok cbuild save --format oci -o oci.tar user/app:1.0
    ok cbuild save --format docker -o docker.tar user/app:1.0
    for source in oci-archive:both.tar docker-archive:both.tar oci-archive:oci.tar docker-archive:docker.tar; do
        ok skopeo copy -q "$source" "dir:$TEST_TMP/${source//[:.]/-}"
    done
}

test_archives_of_skopeo_are_loaded() {
    need skopeo
    make_image user/app:1.0 hello
    cbuild save --format oci -o oci.tar user/app:1.0
    skopeo copy -q oci-archive:oci.tar docker-archive:docker.tar:user/other:3
    export CBUILD_ROOT=$CBUILD_ROOT-2
    ok cbuild load -i docker.tar
    out_is 'Loaded image: user/other:3'
    image_tree user/other:3 | grep -q '^f f 644 0:0 6'
    store_verifies
}

test_import_makes_a_one_layer_image() {
    mkdir root && echo x >root/f && tar -C root -cJf root.tar.xz .
    ok cbuild import root.tar.xz base:1
    ok cbuild inspect -f '{{len .RootFS.Layers}}' base:1
    out_is 1
    image_tree base:1 | grep -q '^f f'
    fails 1 cbuild import /bin/true broken:1
}

test_history_has_a_line_per_instruction_with_sizes() {
    echo hello >f
    printf 'FROM scratch\nCOPY f /\nENV A=1\nCMD ["x"]\n' >Dockerfile
    cbuild -q -t x . >/dev/null
    ok cbuild history --format '{{.CreatedBy}}|{{.Size}}' x
    out_is $'CMD ["x"]|0B\nENV A=1|0B\nCOPY f /|6B'
}

test_damage_is_found_and_repaired() {
    export SOURCE_DATE_EPOCH=1600000000 # another second makes another image, and the damaged one stays without a name
    make_image a:1 hello
    mapfile -t blobs < <(find "$CBUILD_ROOT/blobs" -type f) # layer, config, manifest
    equal ${#blobs[@]} 3
    for blob in "${blobs[@]}"; do
        chmod u+w "$blob"
        printf x | dd of="$blob" bs=1 seek=3 conv=notrunc 2>/dev/null
        fails 7 cbuild fsck
        out_has "$(basename "$blob")"
        # the damaged blob goes; the image that lacks it now is named until it is there again
        fails 7 cbuild fsck --repair
        is_absent "$blob"
        make_image a:1 hello
        is_there "$blob"
        store_verifies
    done
}

test_a_store_of_a_newer_format_is_refused_with_the_way_out() {
    make_image a:1 hello
    echo 999 >"$CBUILD_ROOT/cbuild-store"
    fails 7 cbuild images
    err_has 'hint:'
}

test_prune_frees_what_nothing_refers_to() {
    make_image a:1 one
    make_image a:1 two
    ok cbuild images
    out_has '<none>'
    ok cbuild prune --all
    ok cbuild images
    equal "$(wc -l <"$TEST_TMP/out")" 2
    store_verifies
    equal "$(find "$CBUILD_ROOT/blobs" -type f | wc -l)" 3 "manifest, config, layer"
}

# Its listing ends so where another process removes a folder between its opening and its reading.
test_df_counts_while_a_folder_goes_away() {
    need strace
    make_image a:1 one
    mkdir -p "$CBUILD_ROOT/cache/contexts/going/on"
    ok cbuild df
    before=$(awk '/^Context records/ { print $3 }' "$TEST_TMP/out")
    ok env ASAN_OPTIONS=detect_leaks=0 strace -o trace -P "$CBUILD_ROOT/cache/contexts/going" -e trace=getdents64 -e inject=getdents64:error=ENOENT "$CBUILD" df
    grep -q INJECTED trace || fail "nothing was listed: $(cat trace)"
    equal "$(awk '/^Context records/ { print $3 }' "$TEST_TMP/out")" $((before - 1))
    # or before its opening
    ok env ASAN_OPTIONS=detect_leaks=0 strace -o trace -P going -e trace=openat,openat2 -e inject=openat,openat2:error=ENOENT "$CBUILD" df
    grep -q INJECTED trace || fail "nothing was opened: $(cat trace)"
    equal "$(awk '/^Context records/ { print $3 }' "$TEST_TMP/out")" $((before - 1))
}

run_tests "$@"
