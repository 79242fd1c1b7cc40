#!/bin/bash
# copy between registries, the store, layouts, archives and folders; skopeo judges.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/registry.sh
. "$(dirname "$0")/registry.sh"

# The registry started first stays behind these names; REGISTRY_* are the second's.
FIRST_PID='' FIRST_DIR='' FIRST_HOST='' FIRST_LOG='' FIRST_DATA=''
teardown() {
    registry_stop
    REGISTRY_PID=$FIRST_PID REGISTRY_DIR=$FIRST_DIR
    registry_stop
}

one_registry() { # OPTION...
    registry_program >/dev/null || skip "needs docker-registry"
    registry_start "$@"
    export DOCKER_CONFIG=$TEST_TMP/docker
    if [ -f "$REGISTRY_CERT_DIR/ca.crt" ]; then
        cat "$REGISTRY_CERT_DIR/ca.crt" >>"$TEST_TMP/ca.crt"
        export SSL_CERT_FILE=$TEST_TMP/ca.crt
    fi
    A=$REGISTRY_HOST
}
two_registries() { # OPTION...
    one_registry "$@"
    FIRST_PID=$REGISTRY_PID FIRST_DIR=$REGISTRY_DIR FIRST_HOST=$REGISTRY_HOST FIRST_LOG=$REGISTRY_LOG FIRST_DATA=$REGISTRY_DATA
    one_registry "$@"
    A=$FIRST_HOST B=$REGISTRY_HOST
}
layout() { python3 "$TOP/tests/e2e/make_layout.py" "$@"; }
# Requests that a registry's log has: METHOD and PATTERN of the path
n_requests() { grep -Ec -- "\"$2 [^ ]*$3[^ ]* HTTP/" "$1" || true; }
skopeo_digest() { skopeo inspect --raw "$1" | sha256sum | sed 's/\([0-9a-f]*\).*/sha256:\1/'; }

test_every_pair_of_transports_keeps_the_digest() {
    need skopeo
    two_registries --tls
    layout l
    for tag in image docker plain; do
        digest=$(layout_digest l $tag)
        places=("docker://$A/p/$tag:1" "store:p/$tag:1" "oci:o-$tag:1" "oci-archive:oa-$tag.tar:p/$tag:1" "docker-archive:da-$tag.tar:p/$tag:1" "dir:d-$tag")
        targets=("docker://$B/q/$tag" "store:q/$tag" "oci:to-$tag" "oci-archive:toa-$tag" "docker-archive:tda-$tag" "dir:td-$tag")
        for place in "${places[@]}"; do
            ok cbuild copy -q "oci:l:$tag" "$place"
            out_is "$digest"
        done
        n=0
        for place in "${places[@]}"; do
            for target in "${targets[@]}"; do
                n=$((n + 1))
                case $target in docker://* | store:*) target=$target:$n ;; *) target=$target-$n ;; esac
                case $target in *-archive:*) target=$target:r/s:$n ;; esac
                ok cbuild copy -q "$place" "$target"
                out_is "$digest"
                ok cbuild copy -q "$target" dir:check # and it can be read
                out_is "$digest"
                case $target in
                store:*) ;;
                docker-archive:*) skopeo inspect --config "$target" >config || [ $tag = plain ] ;;
                oci-archive:*) # without the name: skopeo doesn't look for it at Docker's manifests
                    equal "$(skopeo_digest "${target%:r/s:*}")" "$digest" "$place $target" ;;
                *) equal "$(skopeo_digest "$target")" "$digest" "$place $target" ;;
                esac
            done
        done
        # dir: of a single image as skopeo reads it, and its own read by us
        skopeo copy -q --all --preserve-digests "dir:d-$tag" dir:skopeo
        ok cbuild copy -q dir:skopeo oci:from-skopeo-$tag
        out_is "$digest"
        skopeo copy -q --all --preserve-digests oci:from-skopeo-$tag "docker://$B/skopeo/$tag"
        equal "$(skopeo_digest "docker://$B/skopeo/$tag")" "$digest"
        rm -rf skopeo check
    done
    store_verifies
}

test_an_index_with_nested_ones_attestations_and_artifacts_goes_whole() {
    two_registries --tls
    layout l
    for tag in six artifact list foreign; do
        digest=$(layout_digest l $tag)
        ok cbuild copy -q "oci:l:$tag" "$A/x/$tag"
        out_is "$digest"
        ok cbuild copy -q "$A/x/$tag" "docker://$B/y/$tag"
        out_is "$digest"
        ok cbuild copy -q "$B/y/$tag" "oci:back:$tag"
        out_is "$digest"
    done
    # every file of the source but the foreign layer arrived, bit for bit, and nothing else
    for blob in back/blobs/sha256/*; do cmp "$blob" "l/blobs/sha256/${blob##*/}"; done
    for tag in six artifact list foreign; do equal "$(layout_digest back $tag)" "$(layout_digest l $tag)"; done
    equal "$(jq -c '[.manifests[].platform.architecture]' "back/blobs/sha256/$(layout_digest back six | cut -d: -f2)")" \
        '["amd64","arm64","arm","386","riscv64","s390x","mips64le","unknown"]'
}

test_an_unchanged_image_costs_a_question_to_each_side() {
    two_registries
    layout l
    cbuild copy -q oci:l:six "$A/x/six" >/dev/null
    cbuild copy -q "$A/x/six" "$B/y/six" >/dev/null
    : >"$FIRST_LOG"
    : >"$REGISTRY_LOG"
    ok cbuild copy -q "$A/x/six" "$B/y/six"
    out_is "$(layout_digest l six)"
    equal "$(n_requests "$FIRST_LOG" HEAD manifests)" 1
    equal "$(n_requests "$FIRST_LOG" '[A-Z]*' '(manifests|blobs)')" 1
    equal "$(n_requests "$REGISTRY_LOG" HEAD manifests)" 1
    equal "$(n_requests "$REGISTRY_LOG" '[A-Z]*' '(manifests|blobs)')" 1
}

test_what_the_destination_has_is_not_read_at_the_source() {
    two_registries
    layout l
    cbuild copy -q oci:l:six "$A/x/six" >/dev/null
    cbuild copy -q --platform linux/arm64 oci:l:six "$B/y/six:arm64" >/dev/null
    : >"$FIRST_LOG"
    ok cbuild copy -q "$A/x/six" "$B/y/six"
    # two of its blobs are shared or there: the base layer, and arm64's own layer and config
    arm64=$(jq -r '.manifests[1].digest' "l/blobs/sha256/$(layout_digest l six | cut -d: -f2)" | cut -d: -f2)
    for blob in $(jq -r '.config.digest, .layers[].digest' "l/blobs/sha256/$arm64"); do
        equal "$(n_requests "$FIRST_LOG" GET "blobs/$blob")" 0
    done
    equal "$(n_requests "$FIRST_LOG" GET "manifests/sha256:$arm64")" 0
    ok cbuild copy -q "$A/x/six" oci:whole
    out_is "$(layout_digest l six)"
}

test_a_registry_mounts_its_own_blobs() {
    one_registry --tls --token
    layout l
    printf secret >password
    cbuild login -u ann --password-stdin "$A" <password >/dev/null 2>&1
    cbuild copy -q oci:l:image "$A/one/image:1" >/dev/null
    : >"$REGISTRY_LOG"
    ok cbuild copy -q "$A/one/image:1" "$A/other/image:2"
    out_is "$(layout_digest l image)"
    equal "$(n_requests "$REGISTRY_LOG" GET blobs)" 0
    equal "$(n_requests "$REGISTRY_LOG" PUT blobs)" 0
    equal "$(n_requests "$REGISTRY_LOG" POST 'mount=')" 3
    fails 4 cbuild copy -q --src-no-creds "$A/one/image:1" dir:d
    ok cbuild copy -q --src-no-creds --src-creds ann:wrong --dest-creds ann:secret "oci:l:image" "$A/third/image:1"
    fails 4 cbuild copy -q --dest-creds ann:wrong "oci:l:image" "$A/third/image:2"
    mv "$DOCKER_CONFIG/config.json" creds.json
    fails 4 cbuild copy -q "$A/one/image:1" dir:d
    ok cbuild copy -q --src-authfile creds.json "$A/one/image:1" dir:d
    ok cbuild copy -q --authfile creds.json "$A/one/image:1" "$A/one/image:3"
    fails 3 cbuild copy -q --authfile none.json "$A/one/image:1" dir:d
}

test_certificates_of_each_side() {
    two_registries --tls
    layout l
    unset SSL_CERT_FILE
    ca_a=$FIRST_DIR/certs ca_b=$REGISTRY_CERT_DIR
    fails 5 cbuild copy -q oci:l:image "$A/x/image"
    ok cbuild copy -q --dest-cert-dir "$ca_a" oci:l:image "$A/x/image"
    fails 5 cbuild copy -q --src-cert-dir "$ca_a" --dest-cert-dir "$ca_a" "$A/x/image" "$B/x/image"
    ok cbuild copy -q --src-cert-dir "$ca_a" --dest-cert-dir "$ca_b" "$A/x/image" "$B/x/image"
    ok cbuild copy -q --src-tls-verify=false --dest-tls-verify=false "$A/x/image" "$B/x/image:2"
}

test_parts_of_an_index() {
    one_registry
    layout l
    cbuild copy -q oci:l:six "$A/x/six" >/dev/null
    ok cbuild copy -q --platform linux/arm/v7 "$A/x/six" oci:o:arm
    out_is "$(jq -r '.manifests[2].digest' "l/blobs/sha256/$(layout_digest l six | cut -d: -f2)")"
    equal "$(find o/blobs/sha256 -type f | wc -l)" 4
    ok cbuild copy -q --multi-arch system "$A/x/six" oci:o:system
    grep -q manifest.v1 "o/blobs/sha256/$(layout_digest o system | cut -d: -f2)"
    ok cbuild copy -q --multi-arch index-only "$A/x/six" oci:i
    equal "$(find i/blobs/sha256 -type f | wc -l)" 1
    fails 1 cbuild copy -q --multi-arch index-only oci:l:image oci:i:2
    fails 3 cbuild copy -q --platform windows/amd64 "$A/x/six" oci:o:w
    err_has 'there is one for linux/amd64'
    fails 2 cbuild copy --all --platform linux/arm64 "$A/x/six" oci:o:w
    fails 2 cbuild copy --multi-arch some "$A/x/six" oci:o:w
}

test_formats_both_ways() {
    need skopeo
    one_registry
    layout l
    ok cbuild copy -q --format v2s2 oci:l:plain "$A/x/six:docker"
    skopeo inspect --tls-verify=false --raw "docker://$A/x/six:docker" >list
    equal "$(jq -r '.mediaType, .manifests[0].mediaType, .manifests[5].platform.architecture' list | tr '\n' ' ')" \
        'application/vnd.docker.distribution.manifest.list.v2+json application/vnd.docker.distribution.manifest.v2+json s390x '
    skopeo copy -q --all --src-tls-verify=false "docker://$A/x/six:docker" dir:d # and each part is there
    ok cbuild copy -q --format oci "$A/x/six:docker" oci:back:plain
    ok cbuild copy -q --format v2s2 oci:back:plain dir:again
    cmp list again/manifest.json
    ok cbuild copy -q --format oci oci:l:docker oci:back:docker
    equal "$(jq -r '.config.mediaType, .layers[0].mediaType' "back/blobs/sha256/$(layout_digest back docker | cut -d: -f2)" | tr '\n' ' ')" \
        'application/vnd.oci.image.config.v1+json application/vnd.oci.image.layer.v1.tar+gzip '
    # what has the form is left as it is
    ok cbuild copy -q --format oci --preserve-digests oci:l:six oci:back:six
    out_is "$(layout_digest l six)"
    fails 1 cbuild copy -q --format oci --preserve-digests oci:l:docker oci:back:no
    err_has 'another digest'
    fails 1 cbuild copy -q --format v2s2 oci:l:six oci:back:no
    err_has 'application/vnd.in-toto+json'
    fails 1 cbuild copy -q --format v2s2 oci:l:artifact oci:back:no
    fails 2 cbuild copy -q --format tar oci:l:docker oci:back:no
    equal "$(layout_digest back no)" ''
}

test_names_files_and_tags() {
    one_registry
    layout l
    digest=$(layout_digest l image)
    ok cbuild copy -q --digestfile digest --additional-tag 2 --additional-tag "$A/x/image:3" oci:l:image "$A/x/image:1"
    equal "$(cat digest)" "$digest"
    for tag in 1 2 3; do
        ok cbuild copy -q "$A/x/image:$tag" "oci:o:$tag"
        out_is "$digest"
    done
    fails 2 cbuild copy -q "$A/x/image@$digest" "oci:o@$digest"
    ok cbuild copy -q "oci:o@$digest" store:named:1
    ok cbuild copy -q --additional-tag b --additional-tag app:c store:named:1 docker-archive:several.tar:app:a
    equal "$(tar -xOf several.tar manifest.json | jq -c '.[0].RepoTags')" \
        '["docker.io/library/app:a","docker.io/library/app:b","docker.io/library/app:c"]'
    ok cbuild copy -q docker-archive:several.tar:app:b "$A/x/image:b"
    ok cbuild copy -q docker-archive:several.tar "$A/x/image:only"
    ok cbuild copy -q docker-archive:several.tar:@0 "$A/x/image:zero"
    fails 3 cbuild copy -q docker-archive:several.tar:app:d "$A/x/image:d"
    err_has 'docker.io/library/app:a'
    fails 3 cbuild copy -q "$A/x/none" dir:d
    is_absent d/manifest.json
    fails 2 cbuild copy -q containers-storage:a dir:d
    err_has 'store:NAME'
    fails 2 cbuild copy -q --additional-tag other:b oci:l:image store:named:2
    fails 2 cbuild copy -q --additional-tag b oci:l:image dir:d2
    fails 2 cbuild copy oci:l:image
    fails 3 cbuild copy -q oci:l:nope dir:d
    err_has 'there are: image, docker'
}

test_a_failing_network_is_tried_again_as_often_as_asked() {
    fails 5 cbuild copy --progress plain --retry-times 1 --retry-delay 1 127.0.0.1:1/x/y dir:d
    equal "$(grep -c 'once more in 1 s' "$TEST_TMP/err")" 1
    fails 5 cbuild copy --progress plain 127.0.0.1:1/x/y dir:d
    err_lacks 'once more'
}

test_folders_that_hold_something_else_are_left_alone() {
    layout l
    mkdir full && echo mine >full/file
    fails 1 cbuild copy -q oci:l:image oci:full
    fails 1 cbuild copy -q oci:l:image dir:full
    equal "$(ls full)" file
    cbuild copy -q oci:l:image store:app >/dev/null
    fails 1 cbuild copy -q oci:l:docker "oci:$CBUILD_ROOT:x"
    err_has 'store:NAME'
    # a second image in a folder of skopeo's kind replaces the first, and leaves nothing of it
    ok cbuild copy -q oci:l:plain dir:d
    ok cbuild copy -q oci:l:image dir:d
    equal "$(find d -type f | wc -l)" 5
}

test_damage_is_found_on_the_way_and_nothing_gets_a_name() {
    two_registries
    layout l
    cbuild copy -q oci:l:image "$A/x/image" >/dev/null
    layer=$(jq -r '.layers[0].digest' "l/blobs/sha256/$(layout_digest l image | cut -d: -f2)" | cut -d: -f2)
    file=$FIRST_DATA/docker/registry/v2/blobs/sha256/${layer:0:2}/$layer/data
    printf X | dd of="$file" bs=1 seek=20 conv=notrunc status=none
    for place in "$B/y/image" store:y oci:o:1 oci-archive:oa.tar docker-archive:da.tar dir:d; do
        fails 1 cbuild copy -q "$A/x/image" "$place"
        err_has "$layer"
    done
    is_absent o/index.json
    is_absent oa.tar
    is_absent da.tar
    is_absent d/manifest.json
    fails 3 cbuild copy -q "$B/y/image" dir:d
    equal "$(n_requests "$REGISTRY_LOG" PUT manifests)" 0
    ok cbuild images -q
    out_is ''
    store_verifies
    # of a layout, by the registry's own check of the digest
    printf X | dd of="l/blobs/sha256/$layer" bs=1 seek=20 conv=notrunc status=none
    fails 1 cbuild copy -q oci:l:image "$B/z/image"
    fails 1 cbuild copy -q oci:l:image dir:d
}

test_a_layer_that_is_not_what_the_config_says_gets_no_name_in_the_store() {
    layout l
    manifest=$(layout_digest l image)
    jq '.layers |= reverse' "$(layout_blob l "$manifest")" >swapped
    layout_replace l "$manifest" swapped
    fails 1 cbuild copy -q oci:l:image store:app
    err_has diff_id
    ok cbuild images -q
    out_is ''
}

test_a_large_blob_streams_between_registries_in_little_memory() {
    case $(ldd "$CBUILD") in *lib[at]san*) skip "an instrumented binary" ;; esac
    two_registries --tls
    layout l --big $((256 << 20))
    digest=$(layout_digest l big)
    cbuild copy -q oci:l:big "$A/x/big" >/dev/null
    peak=$(peak_anonymous "$CBUILD" copy -q "$A/x/big" "$B/y/big")
    out_is "$digest"
    [ "$peak" -lt 32768 ] || fail "peak of $peak KiB"
    [ "$peak" -gt 0 ] || fail "nothing measured"
    equal "$(find "$CBUILD_ROOT" -size +100M 2>/dev/null)" '' # no copy in the store
    equal "$(n_requests "$REGISTRY_LOG" HEAD "blobs/")" 2
    echo "# peak $peak KiB"
}

# Tags deep1 to deep5 of layout l: so many indexes above one manifest.
make_nested() {
    local n digest media_type=application/vnd.oci.image.manifest.v1+json file
    layout l
    digest=$(layout_digest l image)
    for n in 1 2 3 4 5; do
        file=$(layout_blob l "$digest")
        jq -nc --arg mediaType "$media_type" --arg digest "$digest" --argjson size "$(stat -c %s "$file")" '{ schemaVersion: 2,
            mediaType: "application/vnd.oci.image.index.v1+json", manifests: [{ $mediaType, $digest, $size }] }' >index
        media_type=application/vnd.oci.image.index.v1+json
        digest=$(layout_put l index)
        jq -c --arg digest "$digest" --arg name deep$n --argjson size "$(stat -c %s index)" --arg mediaType "$media_type" \
            '.manifests += [{ $mediaType, $digest, $size, annotations: { "org.opencontainers.image.ref.name": $name }}]' \
            l/index.json >new && mv new l/index.json
    done
}

test_indexes_are_nested_four_deep_and_no_deeper() {
    one_registry
    make_nested
    local command
    while read -r command; do
        # shellcheck disable=SC2086 # words
        ok cbuild ${command//DEEP/deep4}
        # shellcheck disable=SC2086
        run cbuild ${command//DEEP/deep5}
        [ "$status" != 0 ] || { show; fail "no error: ${command//DEEP/deep5}"; }
        cat "$TEST_TMP/out" "$TEST_TMP/err" | grep -q 'indexes nested more than 4 deep' || { show; fail "$command"; }
    done <<'END'
copy -q oci:l:DEEP oci:to-DEEP
copy -q oci:l:DEEP store:DEEP
copy -q oci:l:DEEP docker-archive:DEEP.tar
inspect oci:l:DEEP
validate oci:l:DEEP
END
    for command in "inspect deep4" "save -o deep4.oci deep4" "tag deep4 $A/a/deep:4" "push $A/a/deep:4" "inspect docker://$A/a/deep:4" \
        "manifest inspect -v $A/a/deep:4" "rmi deep4 $A/a/deep:4" "pull --all-platforms $A/a/deep:4" "load -i deep4.oci"; do
        # shellcheck disable=SC2086
        ok cbuild $command
    done
    # what a registry has, whoever put it there
    python3 -c 'import sys, urllib.request as u
u.urlopen(u.Request(sys.argv[1], open(sys.argv[2], "rb").read(), {"Content-Type": sys.argv[3]}, method="PUT"))' \
        "http://$A/v2/a/deep/manifests/5" "$(layout_blob l "$(layout_digest l deep5)")" application/vnd.oci.image.index.v1+json
    for command in "pull --all-platforms $A/a/deep:5" "pull $A/a/deep:5" "inspect docker://$A/a/deep:5" "manifest inspect -v $A/a/deep:5"; do
        # shellcheck disable=SC2086
        fails 1 cbuild $command
        err_has 'indexes nested more than 4 deep'
    done
    store_verifies
}

run_tests "$@"
