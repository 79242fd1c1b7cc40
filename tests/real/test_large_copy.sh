#!/bin/bash
# A blob of 1 GiB between two registries over TLS, in little memory and without a copy here.
# shellcheck source=tests/real/lib.sh
. "$(dirname "$0")/lib.sh"

FIRST_PID='' FIRST_DIR=''
teardown() {
    registry_stop
    REGISTRY_PID=$FIRST_PID REGISTRY_DIR=$FIRST_DIR
    registry_stop
}

test_a_gibibyte_streams_between_registries() {
    registry_program >/dev/null || skip "needs docker-registry"
    need skopeo
    registry_start --tls
    local first=$REGISTRY_HOST first_data=$REGISTRY_DATA
    FIRST_PID=$REGISTRY_PID FIRST_DIR=$REGISTRY_DIR
    cp "$REGISTRY_CERT_DIR/ca.crt" ca.crt
    registry_start --tls
    cat "$REGISTRY_CERT_DIR/ca.crt" >>ca.crt
    export SSL_CERT_FILE=$PWD/ca.crt DOCKER_CONFIG=$TEST_TMP/docker
    python3 "$TOP/tests/e2e/make_layout.py" l --big $((1 << 30))
    digest=$(jq -r '.manifests[0].digest' l/index.json)
    ok cbuild copy -q oci:l:big "$first/x/big"
    rm -rf l
    peak=$(peak_anonymous "$CBUILD" copy -q "$first/x/big" "$REGISTRY_HOST/y/big")
    out_is "$digest"
    echo "# peak $peak KiB"
    { [ "$peak" -gt 0 ] && [ "$peak" -lt 32768 ]; } || fail "peak of $peak KiB"
    equal "$(find "$CBUILD_ROOT" -size +100M 2>/dev/null)" ''
    equal "sha256:$(skopeo inspect --raw "docker://$REGISTRY_HOST/y/big" | sha256sum | cut -d' ' -f1)" "$digest"
    layer=$(cd "$REGISTRY_DATA" && find . -size +1000M -type f)
    cmp "$first_data/$layer" "$REGISTRY_DATA/$layer"
}

run_tests "$@"
