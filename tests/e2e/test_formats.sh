#!/bin/bash
# What stands in the documents and layers that a build makes of others.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# DIGEST: the blob's file
blob() { echo "$CBUILD_ROOT/blobs/sha256/${1#sha256:}"; }
manifest() { cat "$(blob "$(image_id "$1")")"; }

base() {
    echo old >f
    touch -d @1700000000 f
    printf 'FROM scratch\nCOPY f /\n' >Dockerfile
    ok cbuild -q -t registry.example/base:1 .
}

test_an_image_names_its_base() {
    base
    printf 'FROM registry.example/base:1\nENV a=b\n' >Dockerfile
    ok cbuild -q -t x .
    equal "$(manifest x | jq -r '.annotations["org.opencontainers.image.base.name"]')" registry.example/base:1
    equal "$(manifest x | jq -r '.annotations["org.opencontainers.image.base.digest"]')" "$(image_id registry.example/base:1)"
}

test_an_image_of_one_platform_is_no_index() {
    base
    equal "$(manifest registry.example/base:1 | jq -r .mediaType)" application/vnd.oci.image.manifest.v1+json
    ! grep -rq 'unknown/unknown\|attestation' "$CBUILD_ROOT/index.json" "$(blob "$(image_id registry.example/base:1)")" ||
        fail "an attestation"
}

test_an_epoch_leaves_the_layers_of_the_base_as_they_are() {
    base
    layer=$(manifest registry.example/base:1 | jq -r '.layers[0].digest')
    printf 'FROM registry.example/base:1\nCOPY f /g\n' >Dockerfile
    ok cbuild -q -t x --source-date-epoch 1000000000 --rewrite-timestamp .
    equal "$(manifest x | jq -r '.layers[0].digest')" "$layer"
    equal "$(manifest x | jq '.layers | length')" 2
    equal "$(tar -tvzf "$(blob "$(manifest x | jq -r '.layers[1].digest')")" --utc --full-time | awk '{ print $4, $5 }')" \
        '2001-09-09 01:46:40'
}

test_keys_of_a_config_that_nobody_knows_are_kept() {
    base
    mkdir oci && cbuild save --format oci registry.example/base:1 | tar -xf - -C oci
    layout_edit_config oci '. + {"x-own": {"a": [1, "b"]}} | .config["X-Inner"] = true'
    ok cbuild copy -q oci:oci store:odd:1
    printf 'FROM odd:1\nENV a=b\n' >Dockerfile
    ok cbuild -q -t y .
    jq -c '[.["x-own"], .config["X-Inner"], .config.Env[-1]]' "$(blob "$(manifest y | jq -r .config.digest)")" >kept
    equal "$(cat kept)" '[{"a":[1,"b"]},true,"a=b"]'
}

test_zstd_is_for_oci_manifests_alone() {
    base
    ok cbuild -q -t z --compression zstd .
    equal "$(manifest z | jq -r '.layers[0].mediaType')" application/vnd.oci.image.layer.v1.tar+zstd
    fails 1 cbuild copy -q --format v2s2 store:z dir:d
    err_has "Docker's format has no word for \"application/vnd.oci.image.layer.v1.tar+zstd\""
    ok cbuild copy -q --format v2s2 store:registry.example/base:1 dir:e
}

run_tests "$@"
