#!/bin/bash
# Faults between us and Debian's docker-registry: a TLS proxy cuts, delays, rewrites and refuses (fault_proxy.py). The
# log of requests is looked at, not only the exit status. After each: the store verifies, a whole pull succeeds.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/registry.sh
. "$(dirname "$0")/registry.sh"
teardown() {
    if [ -n "${PROXY_PID:-}" ]; then
        kill "$PROXY_PID" 2>/dev/null || :
        wait "$PROXY_PID" 2>/dev/null || :
    fi
    registry_stop
}

# NAME [intercept]: a proxy before the registry, whose certificate is for NAME ("": localhost). Sets PROXY: its HOST:PORT
start_proxy() {
    local scheme=http
    mkdir -p proxy
    registry_make_certificates "$PWD/proxy" "$1"
    cp proxy/certs/ca.crt trusted
    if [ -f "$REGISTRY_CERT_DIR/ca.crt" ]; then
        scheme=https
        cat "$REGISTRY_CERT_DIR/ca.crt" >>trusted
    fi
    : >proxy/out
    python3 "$REGISTRY_E2E/fault_proxy.py" "$scheme:${REGISTRY_HOST##*:}" proxy/server.key proxy/server.crt proxy \
        ${2:+"$2"} >proxy/out 2>&1 </dev/null &
    PROXY_PID=$!
    PROXY=$(registry_wait_for "$PROXY_PID" proxy/out 'localhost:[0-9]+') || fail "no proxy: $(cat proxy/out)"
    export SSL_CERT_FILE=$PWD/trusted DOCKER_CONFIG=$PWD/docker CBUILD_FORCE=fast-retry
}
start() { # registry_start's options
    registry_program >/dev/null || skip "needs docker-registry"
    registry_start "$@"
    start_proxy ""
}

# FAULT, or nothing. Forgets the log and the counts.
play() {
    echo "${1:-}" >proxy/fault.new
    mv proxy/fault.new proxy/fault
    : >proxy/log
}
n_log() { grep -Ec -- "$1" proxy/log || true; }
log_has() { [ "$(n_log "$1")" -gt 0 ] || fail "the log lacks $1: $(cat proxy/log)"; }
log_is() { equal "$(n_log "$2")" "$1" "requests like $2: $(cat proxy/log)"; }

# NAME [SIZE]: one layer of noise (300 kB), pushed whole
make_image() {
    mkdir -p ctx && head -c "${2:-300000}" /dev/urandom >ctx/f && printf 'FROM scratch\nCOPY f /\n' >ctx/Dockerfile
    cbuild -q -t "$1" ctx >id
}
with_pushed() {
    start
    play
    make_image "$PROXY/a/b:1"
    ok cbuild push "$PROXY/a/b:1"
}
# Into a store that has nothing
pull_anew() {
    rm -rf "$TEST_TMP/fresh"
    CBUILD_ROOT=$TEST_TMP/fresh run cbuild pull "$PROXY/a/b:1"
}
pulled() {
    # shellcheck disable=SC2154 # run sets it
    [ "$status" = 0 ] || { show; fail "the pull ended with $status: $(cat proxy/log)"; }
    equal "$(CBUILD_ROOT=$TEST_TMP/fresh image_id "$PROXY/a/b:1")" "$(cat id)"
    CBUILD_ROOT=$TEST_TMP/fresh store_verifies
}
# STATUS TEXT: how the pull ends and what it says; the store stays good and a later pull brings all
pull_fails() {
    pull_anew
    [ "$status" = "$1" ] || { show; fail "status $status, expected $1"; }
    err_has "$2"
    CBUILD_ROOT=$TEST_TMP/fresh store_verifies
    play
    CBUILD_ROOT=$TEST_TMP/fresh ok cbuild pull "$PROXY/a/b:1"
    CBUILD_ROOT=$TEST_TMP/fresh store_verifies
}
# What was pushed is whole at the registry.
arrived() {
    play
    pull_anew
    pulled
}

test_cut_downloads_go_on_where_they_were() {
    with_pushed
    play cut-download
    pull_anew
    pulled
    log_has 'cut$'
    log_has 'range=bytes=[1-9][0-9]*- .*-> 206'
}

test_cut_uploads_begin_again() {
    start
    play cut-upload
    make_image "$PROXY/a/b:1"
    ok cbuild push "$PROXY/a/b:1"
    log_is 2 'cut$'
    arrived
}

test_lost_answers_are_asked_for() {
    start
    play answer-lost
    make_image "$PROXY/a/b:1"
    ok cbuild push "$PROXY/a/b:1"
    log_is 1 'answer lost$'
    play manifest-answer-lost
    make_image "$PROXY/a/b:1"
    ok cbuild push "$PROXY/a/b:1"
    log_is 1 'answer lost$'
    arrived
}

test_altered_blobs_are_refused() {
    with_pushed
    play alter-blob
    pull_fails 1 'its content has the digest sha256:'
}

test_altered_and_truncated_manifests_are_refused() {
    with_pushed
    play alter-manifest
    pull_fails 1 'its content has the digest sha256:'
    play truncate-manifest
    pull_fails 1 'its content has the digest sha256:'
}

test_storms_are_waited_out() {
    with_pushed
    local storm
    for storm in storm-429 storm-503; do
        play $storm
        pull_anew
        pulled
        log_has 'storm$'
        play $storm
        make_image "$PROXY/a/b:1"
        ok cbuild push "$PROXY/a/b:1"
        log_has 'storm$'
    done
    arrived
}

test_registry_without_head() {
    with_pushed
    play head-405
    pull_anew
    pulled
    # once it refused, it isn't asked again
    CBUILD_ROOT=$TEST_TMP/fresh ok cbuild pull "$PROXY/a/b:1"
    make_image "$PROXY/a/b:1"
    ok cbuild push "$PROXY/a/b:1"
    arrived
}

test_answers_without_digest_header() {
    with_pushed
    play no-digest-header
    pull_anew
    pulled
    make_image "$PROXY/a/b:1"
    ok cbuild push "$PROXY/a/b:1"
    arrived
}

test_locations_relative_or_of_the_inside() {
    start
    local kind
    for kind in relative-location internal-location; do
        play $kind
        make_image "$PROXY/a/b:1"
        ok cbuild push "$PROXY/a/b:1"
        log_is 2 'PUT .*/blobs/uploads/.*_state=.*digest=sha256.*-> 201'
        arrived
    done
}

test_lost_upload_sessions_are_opened_anew() {
    start
    play session-lost
    make_image "$PROXY/a/b:1"
    ok cbuild push "$PROXY/a/b:1"
    log_is 1 'lost$'
    log_is 3 'POST .*/blobs/uploads/'
    arrived
}

test_refused_mounts_use_the_session_they_opened() {
    with_pushed
    play mount-refused
    cbuild tag "$PROXY/a/b:1" "$PROXY/c/d:1"
    ok cbuild push "$PROXY/c/d:1"
    log_is 2 'POST '
    log_is 2 'PUT .*/c/d/blobs/uploads/.*-> 201'
    log_is 0 DELETE
    arrived
}

test_registry_that_takes_no_whole_put() {
    start
    play no-whole-put
    make_image "$PROXY/a/b:1"
    ok cbuild push "$PROXY/a/b:1"
    log_has 'PATCH .*body=[1-9][0-9]* -> 202'
    arrived
}

test_requests_of_limited_size() {
    start
    play small-requests
    make_image "$PROXY/a/b:1" 9000000
    ok cbuild push "$PROXY/a/b:1"
    log_has 'too large$'
    log_has 'PATCH .*body=4194304 -> 202'
    arrived
}

test_tokens_that_expire_in_mid_push() {
    start --tls --token --lifetime 1
    mkdir -p docker
    printf '{"auths":{"%s":{"auth":"%s"}}}' "$PROXY" "$(printf ann:secret | base64)" >docker/config.json
    play slow
    local i
    mkdir -p ctx
    printf 'FROM scratch\n' >ctx/Dockerfile
    for i in 1 2 3 4 5 6; do
        echo "$i" >"ctx/f$i"
        echo "COPY f$i /" >>ctx/Dockerfile
    done
    cbuild -q -t "$PROXY/a/b:1" ctx >id
    ok cbuild push "$PROXY/a/b:1"
    log_is 1 'PUT .*/manifests/1 .*-> 201'
    [ "$(grep -c 'GET' "$REGISTRY_TOKEN_LOG")" -gt 1 ] || fail "one token was enough"
    arrived
}

test_an_unchanged_image_costs_a_request_for_the_tag() {
    with_pushed
    play
    ok cbuild push "$PROXY/a/b:1"
    # at most one for each blob and two more
    [ "$(n_log .)" -le 4 ] || fail "$(cat proxy/log)"
    log_is 0 'PUT|PATCH|POST'
    play
    ok cbuild pull "$PROXY/a/b:1"
    log_is 1 HEAD
    log_is 0 'GET /v2/a'
}

# As in companies: HTTPS_PROXY ends TLS with a CA of its own, which SSL_CERT_FILE names.
test_a_proxy_that_intercepts_tls() {
    registry_program >/dev/null || skip "needs docker-registry"
    registry_start --tls
    start_proxy registry.invalid intercept
    play
    make_image registry.invalid/a/b:1
    HTTPS_PROXY=http://$PROXY ok cbuild push registry.invalid/a/b:1
    log_has 'CONNECT registry.invalid:443 .*intercepted$'
    log_has 'PUT /v2/a/b/manifests/1 '
    CBUILD_ROOT=$TEST_TMP/fresh HTTPS_PROXY=http://$PROXY ok cbuild pull registry.invalid/a/b:1
    CBUILD_ROOT=$TEST_TMP/fresh store_verifies
    # without its CA it is nobody
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt HTTPS_PROXY=http://$PROXY fails 5 cbuild pull registry.invalid/a/b:2
    err_has certificate
    # and registries of NO_PROXY don't pass it
    play
    NO_PROXY=.invalid HTTPS_PROXY=http://$PROXY fails 5 cbuild pull registry.invalid/a/b:2
    log_is 0 .
}

# CERT KEY: the proxy, with that certificate
restart_proxy_with() {
    kill "$PROXY_PID"
    wait "$PROXY_PID" || :
    : >proxy/out
    python3 "$REGISTRY_E2E/fault_proxy.py" "http:${REGISTRY_HOST##*:}" "$2" "$1" proxy >proxy/out 2>&1 </dev/null &
    PROXY_PID=$!
    PROXY=$(registry_wait_for "$PROXY_PID" proxy/out 'localhost:[0-9]+') || fail "no proxy: $(cat proxy/out)"
}

test_certificates_expired_self_signed_or_of_another_host() {
    start
    play
    # expired: openssl x509 makes no certificate that has ended, openssl ca does
    : >index.txt
    printf '[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nnew_certs_dir=.\nserial=serial\nrand_serial=yes\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n[e]\nsubjectAltName=DNS:localhost\n' >ca.cnf
    openssl ca -batch -config ca.cnf -extensions e -in proxy/server.csr -cert proxy/certs/ca.crt -keyfile proxy/ca.key \
        -startdate 20200101000000Z -enddate 20200102000000Z -notext -out expired.crt 2>openssl.log || fail "$(cat openssl.log)"
    restart_proxy_with expired.crt proxy/server.key
    fails 5 cbuild pull "$PROXY/a/b:1"
    err_has "expired"
    # of another host
    openssl x509 -req -in proxy/server.csr -CA proxy/certs/ca.crt -CAkey proxy/ca.key -CAcreateserial -days 2 \
        -extfile <(printf 'subjectAltName=DNS:other.example\n') -out other.crt 2>/dev/null
    restart_proxy_with other.crt proxy/server.key
    fails 5 cbuild pull "$PROXY/a/b:1"
    err_has "certificate"
    # of nobody
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost -keyout own.key -out own.crt 2>/dev/null
    restart_proxy_with own.crt own.key
    fails 5 cbuild pull "$PROXY/a/b:1"
    err_has "self-signed certificate"
    err_has "certs.d/$PROXY/ca.crt"
    log_is 0 .
}

run_tests "$@"
