#!/bin/bash
# pull, push, login and logout against Debian's docker-registry.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/registry.sh
. "$(dirname "$0")/registry.sh"
teardown() { registry_stop; }

make_image() { # NAME TEXT
    mkdir -p ctx && echo "$2" >ctx/f && printf 'FROM scratch\nCOPY f /\n' >ctx/Dockerfile
    cbuild -q -t "$1" ctx >/dev/null
}
start() { # OPTION...
    registry_program >/dev/null || skip "needs docker-registry"
    registry_start "$@"
    export DOCKER_CONFIG=$TEST_TMP/docker
    if [ -f "$REGISTRY_CERT_DIR/ca.crt" ]; then export SSL_CERT_FILE=$REGISTRY_CERT_DIR/ca.crt; fi
}
n_requests() { grep -Ec -- "$1" "$REGISTRY_LOG" || true; }
second_store() { CBUILD_ROOT=$TEST_TMP/store2 "$@"; }

test_plain_loopback_registry_needs_no_flag() {
    start
    make_image "$REGISTRY_HOST/a/b:1" hello
    ok cbuild push "$REGISTRY_HOST/a/b:1"
    ok second_store cbuild pull "$REGISTRY_HOST/a/b:1"
    equal "$(second_store image_id "$REGISTRY_HOST/a/b:1")" "$(image_id "$REGISTRY_HOST/a/b:1")"
    second_store store_verifies
}

test_password_over_tls() {
    start --tls --htpasswd ann secret
    make_image "$REGISTRY_HOST/a/b:1" hello
    fails 4 cbuild push "$REGISTRY_HOST/a/b:1"
    err_has '(anonymous)'
    err_has "cbuild login $REGISTRY_HOST"
    printf wrong >password
    fails 4 cbuild login -u ann --password-stdin "$REGISTRY_HOST" <password
    err_has 401
    is_absent "$DOCKER_CONFIG/config.json"
    printf secret >password
    ok cbuild login -u ann --password-stdin "$REGISTRY_HOST" <password
    equal "$(stat -c %a "$DOCKER_CONFIG/config.json")" 600
    ok cbuild push "$REGISTRY_HOST/a/b:1"
    ok second_store cbuild pull "$REGISTRY_HOST/a/b:1"
    ok cbuild logout "$REGISTRY_HOST"
    fails 4 cbuild pull "$REGISTRY_HOST/a/b:1"
    printf '{"auths":{"%s":{"auth":"%s"}}}' "$REGISTRY_HOST" "$(printf ann:secret | base64)" >auth.json
    ok second_store cbuild pull --authfile auth.json "$REGISTRY_HOST/a/b:1"
    ok cbuild push --authfile auth.json "$REGISTRY_HOST/a/b:1"
    fails 3 cbuild pull --authfile none.json "$REGISTRY_HOST/a/b:1"
    err_has 'file of credentials none.json: No such file or directory'
    ok cbuild logout "$REGISTRY_HOST"
    out_has "Not logged in to $REGISTRY_HOST"
}

test_login_keeps_what_it_does_not_know() {
    start --tls --htpasswd ann secret
    mkdir -p "$DOCKER_CONFIG"
    echo '{"psFormat":"table","auths":{"other.example":{"auth":"YTpi"}},"HttpHeaders":{"X-Meta-A":"b"}}' >"$DOCKER_CONFIG/config.json"
    printf secret >password
    ok cbuild login -u ann --password-stdin "$REGISTRY_HOST" <password
    equal "$(jq -r .psFormat "$DOCKER_CONFIG/config.json")" table
    equal "$(jq -r '.auths["other.example"].auth' "$DOCKER_CONFIG/config.json")" YTpi
    equal "$(jq -r --arg h "$REGISTRY_HOST" '.auths[$h].auth' "$DOCKER_CONFIG/config.json" | base64 -d)" ann:secret
    ok cbuild logout "$REGISTRY_HOST"
    equal "$(jq -c .auths "$DOCKER_CONFIG/config.json")" '{"other.example":{"auth":"YTpi"}}'
}

test_credential_helpers_store_get_and_erase() {
    start --tls --htpasswd ann secret
    mkdir -p "$DOCKER_CONFIG" bin
    cat >bin/docker-credential-file <<EOF
#!/bin/sh
case \$1 in
store) cat >$TEST_TMP/kept ;;
get) cat >/dev/null; [ -f $TEST_TMP/kept ] && cat $TEST_TMP/kept || { echo "credentials not found in native keychain"; exit 1; } ;;
erase) cat >/dev/null; rm -f $TEST_TMP/kept ;;
esac
EOF
    chmod +x bin/docker-credential-file
    PATH=$PWD/bin:$PATH
    echo '{"credsStore":"file"}' >"$DOCKER_CONFIG/config.json"
    make_image "$REGISTRY_HOST/a/b:1" hello
    fails 4 cbuild push "$REGISTRY_HOST/a/b:1"
    printf secret >password
    ok cbuild login -u ann --password-stdin "$REGISTRY_HOST" <password
    equal "$(jq -r .ServerURL "$TEST_TMP/kept")" "$REGISTRY_HOST"
    equal "$(cat "$DOCKER_CONFIG/config.json")" '{"credsStore":"file"}'
    ok cbuild push "$REGISTRY_HOST/a/b:1"
    ok cbuild logout "$REGISTRY_HOST"
    is_absent "$TEST_TMP/kept"
}

test_a_missing_helper_is_warned_of_and_passed_over() {
    start --tls
    mkdir -p "$DOCKER_CONFIG"
    echo '{"credsStore":"nowhere","auths":{"x":{}}}' >"$DOCKER_CONFIG/config.json"
    make_image "$REGISTRY_HOST/a/b:1" hello
    ok cbuild push "$REGISTRY_HOST/a/b:1" # nobody asks for credentials, so no helper is run
    err_lacks docker-credential-nowhere
    registry_stop
    start --tls --token
    make_image "$REGISTRY_HOST/a/b:1" hello
    fails 4 cbuild push "$REGISTRY_HOST/a/b:1"
    err_has docker-credential-nowhere
    # without warnings, the message has it
    fails 4 cbuild push -q "$REGISTRY_HOST/a/b:1"
    err_has '(anonymous: credential helper docker-credential-nowhere: '
    # who can't be asked hasn't said that nobody is logged in
    fails 1 cbuild logout "$REGISTRY_HOST"
    err_has "logging out of $REGISTRY_HOST: credential helper docker-credential-nowhere: "
    echo '{"credsStore":' >"$DOCKER_CONFIG/config.json"
    fails 4 cbuild push -q "$REGISTRY_HOST/a/b:1"
    err_has "(anonymous: $DOCKER_CONFIG/config.json: JSON, line "
}

test_token_authentication() {
    start --tls --token
    make_image "$REGISTRY_HOST/a/b:1" hello
    fails 4 cbuild push "$REGISTRY_HOST/a/b:1"
    printf secret >password
    ok cbuild login -u ann --password-stdin "$REGISTRY_HOST" <password
    ok cbuild push "$REGISTRY_HOST/a/b:1"
    : >"$REGISTRY_TOKEN_LOG"
    ok second_store cbuild pull "$REGISTRY_HOST/a/b:1"
    equal "$(cat "$REGISTRY_TOKEN_LOG")" "GET user=ann scopes=repository:a/b:pull"
    printf wrong >password
    fails 4 cbuild login -u ann --password-stdin "$REGISTRY_HOST" <password
    err_has 'incorrect username or password'
}

test_anonymous_tokens_pull_what_is_public() {
    start --tls --token
    make_image "$REGISTRY_HOST/public/b:1" hello
    cbuild tag "$REGISTRY_HOST/public/b:1" "$REGISTRY_HOST/private/b:1"
    printf secret >password
    ok cbuild login -u ann --password-stdin "$REGISTRY_HOST" <password
    ok cbuild push "$REGISTRY_HOST/public/b:1"
    ok cbuild push "$REGISTRY_HOST/private/b:1"
    export DOCKER_CONFIG=$TEST_TMP/none
    ok second_store cbuild pull "$REGISTRY_HOST/public/b:1"
    fails 4 second_store cbuild pull "$REGISTRY_HOST/private/b:1"
    err_has 'private and missing repositories answer alike'
}

test_identity_tokens_are_exchanged_by_post() {
    start --tls --token
    make_image "$REGISTRY_HOST/a/b:1" hello
    mkdir -p "$DOCKER_CONFIG"
    printf '{"auths":{"%s":{"identitytoken":"refresh-ann"}}}' "$REGISTRY_HOST" >"$DOCKER_CONFIG/config.json"
    ok cbuild push "$REGISTRY_HOST/a/b:1"
    grep -q '^POST user=ann scopes=repository:a/b:pull,push$' "$REGISTRY_TOKEN_LOG" || fail "$(cat "$REGISTRY_TOKEN_LOG")"
}

test_second_push_sends_nothing_and_other_repositories_are_mounted() {
    start
    make_image "$REGISTRY_HOST/a/b:1" hello
    ok cbuild push "$REGISTRY_HOST/a/b:1"
    equal "$(n_requests 'http.request.method=PUT .*response completed|response completed.*http.request.method=PUT')" 3 "PUTs"
    : >"$REGISTRY_LOG"
    ok cbuild push "$REGISTRY_HOST/a/b:1"
    equal "$(n_requests 'response completed.*http.request.method=(PUT|POST|PATCH)')" 0
    : >"$REGISTRY_LOG"
    cbuild tag "$REGISTRY_HOST/a/b:1" "$REGISTRY_HOST/c/d:1"
    ok cbuild push "$REGISTRY_HOST/c/d:1"
    equal "$(n_requests 'response completed.*http.request.method=POST.*mount=sha256')" 2 "mounts"
    equal "$(n_requests 'response completed.*http.request.method=PUT.*/blobs/')" 0 "uploads"
}

test_a_flipped_byte_is_found() {
    start
    make_image "$REGISTRY_HOST/a/b:1" hello
    ok cbuild push "$REGISTRY_HOST/a/b:1"
    manifest=$(image_id "$REGISTRY_HOST/a/b:1")
    digest=$(jq -r '.layers[0].digest' "$CBUILD_ROOT/blobs/sha256/${manifest#sha256:}")
    blob=$REGISTRY_DATA/docker/registry/v2/blobs/sha256/${digest:7:2}/${digest:7}/data
    printf X | dd of="$blob" bs=1 seek=20 conv=notrunc status=none
    fails 1 second_store cbuild pull "$REGISTRY_HOST/a/b:1"
    err_has "$digest"
    second_store store_verifies
    ok second_store cbuild images -q
    out_is ''
}

test_certificates_are_checked() {
    start --tls
    unset SSL_CERT_FILE
    make_image "$REGISTRY_HOST/a/b:1" hello
    fails 5 cbuild push "$REGISTRY_HOST/a/b:1"
    err_has certificate
    err_has "/etc/docker/certs.d/$REGISTRY_HOST/ca.crt"
    ok cbuild push --cert-dir "$REGISTRY_CERT_DIR" "$REGISTRY_HOST/a/b:1"
    mkdir -p "$HOME/.config/containers/certs.d/$REGISTRY_HOST"
    cp "$REGISTRY_CERT_DIR/ca.crt" "$HOME/.config/containers/certs.d/$REGISTRY_HOST/"
    ok second_store cbuild pull "$REGISTRY_HOST/a/b:1"
    rm -r "$HOME/.config"
    ok second_store cbuild pull --insecure "$REGISTRY_HOST" "$REGISTRY_HOST/a/b:1"
    ok second_store cbuild pull --tls-verify=false "$REGISTRY_HOST/a/b:1"
    # localhost is in the certificate, this name of the loopback isn't
    fails 5 cbuild pull --cert-dir "$REGISTRY_CERT_DIR" "127.0.0.2:${REGISTRY_HOST##*:}/a/b:1"
}

test_client_certificates() {
    start --client-certificates
    unset SSL_CERT_FILE
    make_image "$REGISTRY_HOST/a/b:1" hello
    fails 5 cbuild push --cert-dir "$REGISTRY_CERT_DIR" "$REGISTRY_HOST/a/b:1"
    err_has 'GET https://'
    local dir=$HOME/.docker/certs.d/$REGISTRY_HOST
    mkdir -p "$dir"
    cp "$REGISTRY_CERT_DIR/ca.crt" "$dir/"
    cp "$REGISTRY_DIR/client.crt" "$dir/me.cert"
    fails 1 cbuild push "$REGISTRY_HOST/a/b:1"
    err_has "$dir/me.cert: its key me.key missing"
    cp "$REGISTRY_DIR/client.key" "$dir/me.key"
    ok cbuild push "$REGISTRY_HOST/a/b:1"
    ok second_store cbuild pull "$REGISTRY_HOST/a/b:1"
}

# An image whose config calls its layer by another diff_id: every digest is right, the image is wrong.
test_a_layer_that_is_not_what_the_config_says_is_refused() {
    need skopeo jq
    start
    make_image liar:1 hello
    mkdir oci && cbuild save --format oci liar:1 | tar -xf - -C oci
    layout_edit_config oci '.rootfs.diff_ids[0] = "sha256:" + ("1" * 64)'
    ok skopeo copy -q --dest-tls-verify=false oci:oci "docker://$REGISTRY_HOST/liar:1"
    fails 1 second_store cbuild pull "$REGISTRY_HOST/liar:1"
    err_has 'layer 1'
    err_has 'diff_id'
    fails 3 second_store cbuild inspect "$REGISTRY_HOST/liar:1"
}

test_a_full_disk_is_said_and_leaves_room_for_less() {
    need_root
    start
    mkdir -p ctx && head -c 3000000 /dev/urandom >ctx/f && printf 'FROM scratch\nCOPY f /\n' >ctx/Dockerfile
    cbuild -q -t "$REGISTRY_HOST/a/large:1" ctx >/dev/null
    make_image "$REGISTRY_HOST/a/small:1" hello
    ok cbuild push "$REGISTRY_HOST/a/large:1"
    ok cbuild push "$REGISTRY_HOST/a/small:1"
    mkdir disk
    # shellcheck disable=SC2016 # expanded inside
    run unshare --mount --propagation private sh -ec '
        mount -t tmpfs -o size=1m none disk
        export CBUILD_ROOT=$PWD/disk/store
        set +e
        "$CBUILD" pull "$0/a/large:1"
        echo "status $?" >&2
        set -e
        [ -z "$(ls disk/store/partial)" ]
        "$CBUILD" pull "$0/a/small:1"
        "$CBUILD" fsck' "$REGISTRY_HOST"
    # shellcheck disable=SC2154 # run sets it
    equal "$status" 0
    err_has 'No space left on device'
    err_has 'status 7'
}

test_a_killed_pull_goes_on_where_it_was() {
    start
    mkdir -p ctx && head -c 80000000 /dev/urandom >ctx/f && printf 'FROM scratch\nCOPY f /\n' >ctx/Dockerfile
    cbuild -q -t "$REGISTRY_HOST/a/b:1" ctx >/dev/null
    ok cbuild push "$REGISTRY_HOST/a/b:1"
    # again where it had all of it before the kill
    local _
    in_the_middle() { [ -n "$(find "$TEST_TMP/store2/partial" -size +1000k -size -78000k 2>/dev/null)" ]; }
    for _ in $(seq 20); do
        rm -rf "$TEST_TMP/store2"
        CBUILD_ROOT=$TEST_TMP/store2 "$CBUILD" pull "$REGISTRY_HOST/a/b:1" >/dev/null 2>&1 &
        pid=$!
        while kill -0 "$pid" 2>/dev/null && ! in_the_middle; do :; done
        kill -KILL "$pid" 2>/dev/null || :
        wait "$pid" || ! in_the_middle || break
    done
    in_the_middle || fail "the pull ended before the kill"
    second_store store_verifies
    : >"$REGISTRY_LOG"
    ok second_store cbuild pull "$REGISTRY_HOST/a/b:1"
    becomes 1 n_requests 'response completed.*http.request.method=GET.*http.response.status=206'
    second_store store_verifies
    equal "$(find "$TEST_TMP/store2/partial" -type f | wc -l)" 0
}

test_a_large_download_is_on_its_way_to_the_disk_before_it_ends() {
    need strace
    start
    mkdir -p ctx && head -c 20000000 /dev/urandom >ctx/f && printf 'FROM scratch\nCOPY f /\n' >ctx/Dockerfile
    cbuild -q -t "$REGISTRY_HOST/a/b:1" ctx >/dev/null
    ok cbuild push "$REGISTRY_HOST/a/b:1"
    ok second_store env ASAN_OPTIONS=detect_leaks=0 strace -f -o trace -e trace=sync_file_range "$CBUILD" pull -q "$REGISTRY_HOST/a/b:1"
    # the end's begin at 0
    grep -q 'sync_file_range([0-9]*, [1-9][0-9]*, [0-9]*, SYNC_FILE_RANGE_WRITE' trace || { cat trace; fail "nothing went early"; }
}

test_unknown_names_and_hosts() {
    start
    fails 3 cbuild pull "$REGISTRY_HOST/a/none:1"
    err_has 'manifest unknown'
    registry_stop
    fails 5 cbuild pull "$REGISTRY_HOST/a/none:1"
    err_has 'Connection refused'
    fails 5 cbuild pull nowhere.invalid/a:1
    err_has 'unknown host'
}

test_peers_read_what_we_push_and_we_what_they_push() {
    need skopeo
    start --tls
    make_image "$REGISTRY_HOST/a/b:1" hello
    ok cbuild push "$REGISTRY_HOST/a/b:1"
    id=$(image_id "$REGISTRY_HOST/a/b:1")
    ok skopeo copy -q --preserve-digests --src-cert-dir "$REGISTRY_CERT_DIR" --dest-cert-dir "$REGISTRY_CERT_DIR" \
        "docker://$REGISTRY_HOST/a/b:1" "docker://$REGISTRY_HOST/by/skopeo:1"
    ok second_store cbuild pull "$REGISTRY_HOST/by/skopeo:1"
    equal "$(second_store image_id "$REGISTRY_HOST/by/skopeo:1")" "$id"
    # Docker's schema 2
    ok skopeo copy -q --format v2s2 --src-cert-dir "$REGISTRY_CERT_DIR" --dest-cert-dir "$REGISTRY_CERT_DIR" \
        "docker://$REGISTRY_HOST/a/b:1" "docker://$REGISTRY_HOST/by/skopeo:v2s2"
    ok second_store cbuild pull "$REGISTRY_HOST/by/skopeo:v2s2"
    second_store cbuild tag "$REGISTRY_HOST/by/skopeo:v2s2" "$REGISTRY_HOST/again:v2s2"
    ok second_store cbuild push "$REGISTRY_HOST/again:v2s2"
    ok skopeo inspect --cert-dir "$REGISTRY_CERT_DIR" "docker://$REGISTRY_HOST/again:v2s2"
}

# Requests in the registry's access log: METHOD and PATTERN of the path
n_asked() { grep -Ec -- "\"$1 [^ ]*$2[^ ]* HTTP/" "$REGISTRY_LOG" || true; }

test_a_hundred_layers_each_go_once() {
    start
    mkdir -p ctx
    local i blobs
    echo 'FROM scratch' >ctx/Dockerfile
    for i in $(seq 100); do
        echo "$i" >"ctx/f$i"
        echo "COPY f$i /" >>ctx/Dockerfile
    done
    ok cbuild -q -t "$REGISTRY_HOST/a/b:1" ctx
    : >"$REGISTRY_LOG"
    ok cbuild push "$REGISTRY_HOST/a/b:1"
    equal "$(n_asked PUT 'blobs/uploads/')" 101 "uploads"
    blobs=$(grep -Eo '"PUT [^ ]*digest=sha256[^ ]*' "$REGISTRY_LOG" | sed 's/.*digest=//' | sort -u | wc -l)
    equal "$blobs" 101 "different blobs"
    # nothing has changed: at most a request a blob and two more
    : >"$REGISTRY_LOG"
    ok cbuild push "$REGISTRY_HOST/a/b:1"
    [ "$(n_asked '[A-Z]*' /)" -le 103 ] || fail "$(n_asked '[A-Z]*' /) requests"
    equal "$(n_asked '(PUT|POST|PATCH)' /)" 0
    : >"$REGISTRY_LOG"
    ok second_store cbuild pull "$REGISTRY_HOST/a/b:1"
    becomes 101 n_asked GET 'blobs/'
    [ "$(n_asked '[A-Z]*' /)" -le 103 ] || fail "$(n_asked '[A-Z]*' /) requests"
    equal "$(second_store image_id "$REGISTRY_HOST/a/b:1")" "$(image_id "$REGISTRY_HOST/a/b:1")"
    second_store store_verifies
    : >"$REGISTRY_LOG"
    ok second_store cbuild pull "$REGISTRY_HOST/a/b:1"
    [ "$(n_asked '[A-Z]*' /)" -le 2 ] || fail "$(n_asked '[A-Z]*' /) requests"
}

test_an_index_of_six_platforms_goes_whole_through_the_store() {
    need skopeo
    start --tls
    python3 "$TOP/tests/e2e/make_layout.py" l
    local digest nested
    # skopeo copies no index in an index: without it
    nested=$(layout_digest l six)
    jq '.manifests |= map(select(.mediaType | contains("index") | not))' "$(layout_blob l "$nested")" >flat
    layout_replace l "$nested" flat
    digest=$(layout_digest l six)
    skopeo copy -q --all --preserve-digests --dest-cert-dir "$REGISTRY_CERT_DIR" oci:l:six "docker://$REGISTRY_HOST/a/six:1"
    ok cbuild pull --all-platforms "$REGISTRY_HOST/a/six:1"
    equal "$(image_id "$REGISTRY_HOST/a/six:1")" "$digest"
    cbuild tag "$REGISTRY_HOST/a/six:1" "$REGISTRY_HOST/b/six:2"
    ok cbuild push "$REGISTRY_HOST/b/six:2"
    ok skopeo copy -q --all --preserve-digests --src-cert-dir "$REGISTRY_CERT_DIR" "docker://$REGISTRY_HOST/b/six:2" oci:back:six
    equal "$(jq -r '.manifests[0].digest' back/index.json)" "$digest"
    # every blob of it, those of the attestation, too
    local blob
    for blob in back/blobs/sha256/*; do cmp "$blob" "l/blobs/sha256/${blob##*/}"; done
    equal "$(jq '.manifests | length' flat)" 7 "six platforms and an attestation"
    store_verifies
}

run_tests "$@"
