#!/bin/bash
# What looks at registries and changes what they hold: ls, catalog, digest, manifest, config, blob, inspect, delete,
# referrers, attach; skopeo judges.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/registry.sh
. "$(dirname "$0")/registry.sh"

teardown() { registry_stop; }

# A registry that plays faults, at $F
start_faults() {
    faults_start
    F=$FAULTS_HOST
    export DOCKER_CONFIG=$TEST_TMP/docker
    python3 "$TOP/tests/e2e/make_layout.py" l
}

start() { # OPTION...
    registry_program >/dev/null || skip "needs docker-registry"
    registry_start "$@"
    export DOCKER_CONFIG=$TEST_TMP/docker
    [ ! -f "$REGISTRY_CERT_DIR/ca.crt" ] || export SSL_CERT_FILE=$REGISTRY_CERT_DIR/ca.crt
    R=$REGISTRY_HOST
    python3 "$TOP/tests/e2e/make_layout.py" l
}
tag_digest() { layout_digest l "$1"; }
blob_of() { layout_blob l "$1"; }
upload() { cbuild copy -q "oci:l:$1" "$R/$2" >/dev/null; }

test_tags_are_listed_whole() {
    need skopeo
    start --tls
    upload image x/app:1.0
    for tag in 2.0 edge "sha256-$(printf '%064d' 0)"; do cbuild copy -q "$R/x/app:1.0" "$R/x/app:$tag" >/dev/null; done
    ok cbuild ls "$R/x/app"
    skopeo list-tags "docker://$R/x/app" >skopeo.json
    equal "$(sort "$TEST_TMP/out")" "$(jq -r '.Tags[]' skopeo.json | sort)"
    ok cbuild list-tags "docker://$R/x/app"
    equal "$(jq -S . "$TEST_TMP/out")" "$(jq -S . skopeo.json)"
    ok cbuild ls -O --full-ref "$R/x/app"
    equal "$(sort "$TEST_TMP/out" | tr '\n' ' ')" "$R/x/app:1.0 $R/x/app:2.0 $R/x/app:edge "
    ok cbuild ls --format '{{.Tag}}' -O "$R/x/app"
    out_has edge
    ok cbuild ls --format json "$R/x/app"
    equal "$(jq '.Tags | length' "$TEST_TMP/out")" 4
    fails 3 cbuild ls "$R/x/none"
    fails 2 cbuild ls "$R/x/app:1.0"
    fails 2 cbuild ls oci:l
    fails 2 cbuild ls
}

test_the_catalog_comes_page_by_page() {
    start
    for n in $(seq 5); do upload image "c/repo$n:1"; done
    ok cbuild catalog "$R"
    equal "$(tr '\n' ' ' <"$TEST_TMP/out")" "c/repo1 c/repo2 c/repo3 c/repo4 c/repo5 "
    ok cbuild catalog --format json "$R"
    equal "$(jq -c '[.Host, (.Repositories | length)]' "$TEST_TMP/out")" "[\"$R\",5]"
    ok cbuild catalog --full-ref "docker://$R"
    out_has "$R/c/repo3"
    fails 2 cbuild catalog nohost
    fails 2 cbuild catalog "$R/c"
    fails 5 cbuild catalog localhost:1
}

test_digests_manifests_and_configs_are_those_of_skopeo() {
    need skopeo
    start --tls
    upload six x/six:1
    upload image x/image:1
    digest=$(tag_digest six)
    ok cbuild digest "$R/x/six:1"
    out_is "$digest"
    ok cbuild digest --full-ref "docker://$R/x/six:1"
    out_is "$R/x/six@$digest"
    ok cbuild digest --format json "$R/x/six:1"
    equal "$(jq -r '.Digest' "$TEST_TMP/out")" "$digest"
    arm64=$(jq -r '.manifests[] | select(.platform.architecture == "arm64").digest' "$(blob_of "$digest")")
    ok cbuild digest --platform linux/arm64 "$R/x/six:1"
    out_is "$arm64"
    ok cbuild digest oci:l:six
    out_is "$digest"
    cbuild copy -q oci:l:image docker-archive:a.tar:x/image:1 >/dev/null
    ok cbuild digest --tarball a.tar
    out_is "$(tag_digest image)"

    for command in manifest "manifest get" "inspect --raw"; do
        # shellcheck disable=SC2086 # words
        ok cbuild $command "docker://$R/x/six:1"
        cmp "$TEST_TMP/out" "$(blob_of "$digest")"
    done
    ok cbuild manifest --platform linux/arm64 "$R/x/six:1"
    cmp "$TEST_TMP/out" "$(blob_of "$arm64")"
    ok cbuild manifest --format json "$R/x/six:1"
    equal "$(wc -l <"$TEST_TMP/out")" 1
    equal "$(jq -S . "$TEST_TMP/out")" "$(jq -S . "$(blob_of "$digest")")"
    ok cbuild manifest inspect "$R/x/six:1"
    equal "$(jq -S . "$TEST_TMP/out")" "$(jq -S . "$(blob_of "$digest")")"
    [ "$(wc -l <"$TEST_TMP/out")" -gt 10 ] || fail "not for people"

    config=$(jq -r .config.digest "$(blob_of "$arm64")")
    ok cbuild config --platform linux/arm64 "$R/x/six:1"
    cmp "$TEST_TMP/out" "$(blob_of "$config")"
    skopeo inspect --config --raw "docker://$R/x/image:1" >theirs
    ok cbuild inspect --config --raw "docker://$R/x/image:1"
    cmp "$TEST_TMP/out" theirs
    ok cbuild config --format '{{.architecture}}' --platform linux/arm64 "$R/x/six:1"
    out_is arm64

    ok cbuild inspect "docker://$R/x/image:1"
    skopeo inspect "docker://$R/x/image:1" | jq -S '[.Name, .Digest, .RepoTags, .Architecture, .Os, .Layers]' >theirs
    equal "$(jq -S '[.Name, .Digest, .RepoTags, .Architecture, .Os, .Layers]' "$TEST_TMP/out")" "$(cat theirs)"
    equal "$(jq '.LayersData | length' "$TEST_TMP/out")" "$(jq '.layers | length' "$(blob_of "$(tag_digest image)")")"
    ok cbuild inspect --format '{{.Name}} {{.Digest}}' "docker://$R/x/image:1"
    out_is "$R/x/image $(tag_digest image)"
    ok cbuild inspect oci:l:image
    equal "$(jq -r .Digest "$TEST_TMP/out")" "$(tag_digest image)"
    for command in digest manifest config "inspect --raw"; do
        # shellcheck disable=SC2086 # words
        fails 3 cbuild $command "docker://$R/x/none:1"
    done
    fails 2 cbuild digest --platform nothing/at/all/of "$R/x/six:1"
    fails 3 cbuild manifest --platform windows/amd64 "$R/x/six:1"
    err_has 'linux/amd64'
}

test_documents_in_the_forms_of_docker() {
    start
    upload six x/six:1
    upload image x/image:1
    digest=$(tag_digest six) image=$(tag_digest image)
    ok cbuild manifest inspect -v "$R/x/six:1"
    n=$(jq '.manifests | length' "$(blob_of "$digest")")
    equal "$(jq length "$TEST_TMP/out")" "$n"
    arm64=$(jq -r '.manifests[] | select(.platform.architecture == "arm64").digest' "$(blob_of "$digest")")
    jq '.[] | select(.Descriptor.platform.architecture == "arm64")' "$TEST_TMP/out" >entry
    equal "$(jq -r '.Ref, .Descriptor.digest' entry)" "$R/x/six:1@$arm64"$'\n'"$arm64"
    equal "$(jq -S '.SchemaV2Manifest // .OCIManifest' entry)" "$(jq -S . "$(blob_of "$arm64")")"
    jq -r .Raw entry | base64 -d | cmp - "$(blob_of "$arm64")"
    ok cbuild manifest inspect --verbose oci:l:image
    equal "$(jq -r '.Ref, .Descriptor.digest' "$TEST_TMP/out")" "oci:l:image"$'\n'"$image"
    config=$(jq -r .config.digest "$(blob_of "$image")")
    equal "$(jq -r '.Descriptor.platform.architecture' "$TEST_TMP/out")" "$(jq -r .architecture "$(blob_of "$config")")"
    ok cbuild manifest inspect -v --format '{{range .}}{{.Descriptor.Platform.OS}};{{end}}' "$R/x/six:1"
    equal "$(tr -cd ';' <"$TEST_TMP/out" | wc -c)" "$n"

    ok cbuild buildx imagetools inspect "$R/x/six:1"
    grep -qx "Name:  *$R/x/six:1" "$TEST_TMP/out"
    grep -qx "Digest:  *$digest" "$TEST_TMP/out"
    equal "$(grep -c '^  Name: ' "$TEST_TMP/out")" "$n"
    grep -qx "  Name:  *$R/x/six:1@$arm64" "$TEST_TMP/out"
    grep -qx "  Platform:  *linux/arm64" "$TEST_TMP/out"
    # a digest that was asked for gives its place to those of the images
    ok cbuild imagetools inspect "$R/x/six@$digest"
    grep -qx "  Name:  *$R/x/six@$arm64" "$TEST_TMP/out"
    ok cbuild imagetools inspect --raw "$R/x/six:1"
    cmp "$TEST_TMP/out" "$(blob_of "$digest")"
    ok cbuild imagetools inspect --format '{{range .Manifest.Manifests}}{{if eq .Platform.Architecture "arm64"}}{{.Digest}}{{end}}{{end}}' "$R/x/six:1"
    out_is "$arm64"
    ok cbuild imagetools inspect --format '{{range $name, $image := .Image}}{{$name}}={{$image.Architecture}} {{end}}' "$R/x/six:1"
    out_has 'linux/arm64=arm64 '
    ok cbuild imagetools inspect --format '{{json .Manifest}}' "$R/x/image:1"
    equal "$(jq -r .digest "$TEST_TMP/out")" "$image"
    ok cbuild imagetools inspect --format '{{.Image.Architecture}}' "$R/x/image:1"
    out_is "$(jq -r .architecture "$(blob_of "$config")")"
    fails 2 cbuild imagetools inspect --raw --format json "$R/x/image:1"
    fails 2 cbuild imagetools create -t a b
    err_has 'manifest create'
    fails 3 cbuild imagetools inspect "$R/x/none:1"
}

test_a_digest_costs_one_question() {
    start
    upload image x/image:1
    : >"$REGISTRY_LOG"
    ok cbuild digest "$R/x/image:1"
    equal "$(grep -c '"HEAD [^ ]*/manifests/1 HTTP' "$REGISTRY_LOG")" 1
    equal "$(grep -c '"GET [^ ]*/manifests/' "$REGISTRY_LOG" || true)" 0
}

test_a_blob_is_verified_as_it_passes() {
    start
    upload image x/image:1
    layer=$(jq -r '.layers[0].digest' "$(blob_of "$(tag_digest image)")")
    ok cbuild blob "$R/x/image@$layer"
    cmp "$TEST_TMP/out" "$(blob_of "$layer")"
    ok cbuild blob -o file "$R/x/image@$layer"
    cmp file "$(blob_of "$layer")"
    hex=${layer#sha256:}
    printf X | dd of="$REGISTRY_DATA/docker/registry/v2/blobs/sha256/${hex:0:2}/$hex/data" bs=1 seek=20 conv=notrunc status=none
    fails 1 cbuild blob "$R/x/image@$layer"
    err_has 'its content has the digest'
    fails 1 cbuild blob -o other "$R/x/image@$layer"
    is_absent other
    fails 3 cbuild blob "$R/x/image@sha256:$(printf '%064d' 1)"
    fails 2 cbuild blob "$R/x/image:1"
}

test_deleting() {
    need skopeo
    start
    upload image x/image:1
    cbuild copy -q "$R/x/image:1" "$R/x/image:2" >/dev/null
    upload docker x/image:3
    fails 2 cbuild delete "$R/x/image"
    ok cbuild delete "$R/x/image@$(tag_digest image)"
    fails 3 cbuild digest "$R/x/image:1"
    fails 3 cbuild digest "$R/x/image:2" # the digest took both
    ok cbuild digest "$R/x/image:3"
    fails 3 cbuild delete "$R/x/image@$(tag_digest image)"
    # by tag, where this registry knows how to; else it is said and nothing is lost
    run cbuild delete "$R/x/image:3"
    if [ "$status" = 0 ]; then
        fails 3 cbuild digest "$R/x/image:3"
    else
        err_has 'digest only'
        ok cbuild digest "$R/x/image:3"
    fi
}

test_an_index_made_by_hand() {
    need skopeo
    start --tls
    upload image x/amd64:1
    upload docker x/docker:1
    ok cbuild manifest create "$R/x/both:1" "$R/x/amd64:1"
    out_is "Created manifest list $R/x/both:1"
    fails 1 cbuild manifest create "$R/x/both:1" "$R/x/amd64:1"
    err_has '--amend'
    ok cbuild manifest add --os linux --arch arm64 --variant v8 --annotation a=b "$R/x/both:1" "$R/x/docker:1"
    ok cbuild manifest inspect "$R/x/both:1"
    equal "$(jq -c '[.manifests[].digest]' "$TEST_TMP/out")" "[\"$(tag_digest image)\",\"$(tag_digest docker)\"]"
    equal "$(jq -c '[.manifests[].platform]' "$TEST_TMP/out")" \
        '[{"architecture":"amd64","os":"linux"},{"architecture":"arm64","os":"linux"}]'
    equal "$(jq -c '.manifests[1].annotations' "$TEST_TMP/out")" '{"a":"b"}'
    ok cbuild manifest annotate --arch arm --variant v7 --os-features f "$R/x/both:1" "$(tag_digest docker)"
    ok cbuild manifest annotate --annotation c=d "$R/x/both:1" "$R/x/docker:1"
    made=$(cat "$TEST_TMP/out")
    ok cbuild manifest inspect "$R/x/both:1"
    equal "$(jq -c '.manifests[1] | [.platform, .annotations]' "$TEST_TMP/out")" \
        '[{"architecture":"arm","os":"linux","os.features":["f"],"variant":"v7"},{"a":"b","c":"d"}]'
    ok cbuild images -q --no-trunc
    out_is "$made" # what it was before is gone
    fails 3 cbuild manifest annotate --arch arm "$R/x/both:1" "sha256:$(printf '%064d' 1)"
    fails 2 cbuild manifest annotate --arch amr64 "$R/x/both:1" "$(tag_digest docker)"

    # images of other repositories go along
    ok cbuild manifest push -q -p "$R/x/both:1"
    out_is "$made"
    skopeo copy -q --all "docker://$R/x/both:1" dir:d
    equal "sha256:$(sha256sum <d/manifest.json | cut -d' ' -f1)" "$made"
    ok cbuild images -q
    out_is ''
    fails 3 cbuild manifest push "$R/x/both:1"

    # of what the store has, and to another name; rm
    cbuild copy -q oci:l:image store:app:amd64 >/dev/null
    cbuild copy -q oci:l:six store:app:six >/dev/null
    ok cbuild manifest create app:all app:six
    ok cbuild manifest create --amend app:all app:amd64
    ok cbuild manifest push -q app:all "$R/y/all:2"
    ok cbuild validate "$R/y/all:2"
    skopeo inspect --raw "docker://$R/y/all:2" >all.json
    equal "$(jq -r '.manifests[0].digest' all.json)" "$(tag_digest image)" # in amd64's place
    equal "$(jq '.manifests | length' all.json)" "$(jq '.manifests | length' "$(blob_of "$(tag_digest six)")")"
    # one of a layout comes into the store
    ok cbuild manifest create app:of-layout oci:l:docker
    ok cbuild manifest push -q app:of-layout "$R/y/layout:1"
    fails 1 cbuild manifest add app:amd64 app:six
    err_has 'no index'
    ok cbuild manifest rm app:all app:of-layout
    fails 3 cbuild manifest push app:all "$R/y/all:3"
    store_verifies
}

test_artifacts_at_a_registry_that_lists_no_referrers() {
    start
    upload image x/image:1
    subject=$(tag_digest image)
    echo '{"spdxVersion":"SPDX-2.3"}' >sbom.json
    echo signed >sig
    ok cbuild referrers --format json "$R/x/image:1"
    equal "$(jq -c .manifests "$TEST_TMP/out")" '[]'
    ok cbuild attach --artifact-type application/spdx+json --annotation k=v "$R/x/image:1" sbom.json:application/spdx+json
    first=$(cat "$TEST_TMP/out")
    err_has "doesn't list referrers"
    ok cbuild attach --artifact-type application/x-sig "$R/x/image@$subject" sig sbom.json
    second=$(cat "$TEST_TMP/out")
    ok cbuild attach --artifact-type application/x-sig "$R/x/image@$subject" sig sbom.json
    out_is "$second"
    ok cbuild referrers --format '{{.Digest}} {{.ArtifactType}}' "$R/x/image:1"
    out_is "$first application/spdx+json
$second application/x-sig"
    ok cbuild referrers --artifact-type application/x-sig --format json "$R/x/image:1"
    equal "$(jq -r '.manifests[].digest' "$TEST_TMP/out")" "$second"
    ok cbuild manifest get "$R/x/image:sha256-${subject#sha256:}"
    equal "$(jq -c '.manifests[0] | [.artifactType, .annotations]' "$TEST_TMP/out")" '["application/spdx+json",{"k":"v"}]'
    ok cbuild manifest get "$R/x/image@$first"
    equal "$(jq -r '.subject.digest' "$TEST_TMP/out")" "$subject"
    equal "$(jq -r '.layers[0] | .mediaType, .annotations["org.opencontainers.image.title"]' "$TEST_TMP/out" | tr '\n' ' ')" \
        'application/spdx+json sbom.json '
    ok cbuild blob "$R/x/image@$(jq -r '.layers[0].digest' "$TEST_TMP/out")"
    cmp "$TEST_TMP/out" sbom.json
    ok cbuild ls -O "$R/x/image"
    out_is 1
    # without a file: what the annotations say
    ok cbuild attach --artifact-type application/x-note -a note=hello "$R/x/image:1"
    fails 2 cbuild attach "$R/x/image:1" sbom.json
    fails 2 cbuild attach --artifact-type nothing "$R/x/image:1" sbom.json
    fails 3 cbuild attach --artifact-type application/x-sig "$R/x/image:1" missing
    fails 3 cbuild attach --artifact-type application/x-sig "$R/x/none:1" sig
    fails 2 cbuild attach --artifact-type application/x-sig "$R/x/image:1" sig ./sig
}

test_credentials_of_these_commands() {
    start --tls --token
    printf secret >password
    fails 4 cbuild ls "$R/x/image"
    fails 4 cbuild ls --creds ann:wrong "$R/x/image"
    fails 4 cbuild catalog "$R"
    err_has 'hint'
    cbuild login -u ann --password-stdin "$R" <password >/dev/null 2>&1
    upload image x/image:1
    ok cbuild ls "$R/x/image"
    out_is 1
    fails 4 cbuild ls --no-creds "$R/x/image"
    mv "$DOCKER_CONFIG/config.json" creds.json
    fails 4 cbuild digest "$R/x/image:1"
    for command in "ls $R/x/image" "digest $R/x/image:1" "manifest $R/x/image:1" "config $R/x/image:1" \
        "inspect docker://$R/x/image:1" "referrers $R/x/image:1" "catalog $R" "delete $R/x/image@$(tag_digest image)"; do
        # shellcheck disable=SC2086 # words
        ok cbuild $command --authfile creds.json
    done
    fails 3 cbuild digest --authfile creds.json "$R/x/image:1"
}

test_names_of_a_hostile_registry_are_escaped() {
    start_faults
    for command in "ls" "ls --full-ref" "ls --format {{.Tag}}" "ls --format json"; do
        # shellcheck disable=SC2086 # words
        ok cbuild $command "$F/list-control/1"
        out_has 'd'
        ! grep -q "$(printf '\033')" "$TEST_TMP/out" || fail "an escape sequence reached the terminal: $command"
    done
    ok cbuild ls "$F/list-control/1"
    equal "$(wc -l <"$TEST_TMP/out")" 3
    fails 1 cbuild ls "$F/list-loop/1"
    err_has 'a list without end'
    fails 1 cbuild delete "$F/delete-disabled/1:1"
    err_has 'disabled'
    fails 3 cbuild catalog "$F"
    err_has 'many registries have no catalog'
}

test_a_registry_without_oci_types_gets_dockers() {
    start_faults
    cbuild copy -q oci:l:image "store:$F/push-old-types/1:1" >/dev/null
    cbuild tag "$F/push-old-types/1:1" "$F/push-no-manifest/1:1"
    ok cbuild push "$F/push-old-types/1:1"
    new=$(sed -n 's/^1: digest: \(sha256:[0-9a-f]*\) .*/\1/p' "$TEST_TMP/out")
    err_has "$(tag_digest image) was pushed in Docker's format, as $new"
    ok cbuild manifest "$F/push-old-types/1:1"
    equal "sha256:$(sha256sum <"$TEST_TMP/out" | cut -d' ' -f1)" "$new"
    equal "$(jq -r .mediaType "$TEST_TMP/out")" application/vnd.docker.distribution.manifest.v2+json
    # so does a build's push, with all its tags
    mkdir c && echo hello >c/f && printf 'FROM scratch\nCOPY f /\n' >c/Dockerfile
    ok cbuild --push -t "$F/push-old-types/2:1" -t "$F/push-old-types/2:2" c
    err_has "was pushed in Docker's format"
    ok cbuild digest "$F/push-old-types/2:2"
    new=$(cat "$TEST_TMP/out")
    ok cbuild digest "$F/push-old-types/2:1"
    out_is "$new"
    fails 1 cbuild push "$F/push-no-manifest/1:1"
    err_has 'manifest invalid'
}

run_tests "$@"
