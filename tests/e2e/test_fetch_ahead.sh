#!/bin/bash
# What is waited for elsewhere begins when the build does: images that later steps take files of, bases of stages whose
# first step waits for another stage. Nothing is fetched for steps that are cached, and a build that fails waits for none.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/registry.sh
. "$(dirname "$0")/registry.sh"
# shellcheck source=tests/e2e/sources.sh
. "$(dirname "$0")/sources.sh"
teardown() {
    kill ${WATCHER:+"$WATCHER"} 2>/dev/null || :
    registry_stop
}

# An image at the registry, $LIB: busybox and a layer, $layer. A store that has busybox alone.
start() {
    need_run
    registry_program >/dev/null || skip "needs docker-registry"
    export DOCKER_CONFIG=$PWD/docker
    registry_start
    serve
    LIB=$REGISTRY_HOST/lib/base:1
    import_busybox
    head -c 20000 /dev/urandom >f
    printf 'FROM busybox\nCOPY f /g\n' >Dockerfile
    ok cbuild --push -t "$LIB" .
    layer=$(jq -r '.layers[1].digest' "$CBUILD_ROOT/blobs/sha256/$(image_id "$LIB" | cut -d: -f2)")
    fresh
}
fresh() {
    export CBUILD_ROOT=$TEST_TMP/store.$RANDOM$RANDOM
    : >"$REGISTRY_LOG"
    import_busybox
}
requests() { grep -o 'http.request.method=[A-Z]* .*http.request.uri="*[^ ]*' "$REGISTRY_LOG" || :; }
n_fetched() { requests | grep -c "method=GET .*/blobs/$layer" || :; }
n_for_lib() { requests | grep -c 'method=GET .*/lib/base/' || :; }
# A RUN that goes on until $LIB's layer has been fetched, for some minutes at most.
until_fetched() {
    { until [ "$(n_fetched)" = 1 ]; do sleep 0.05; done; echo >www/files/fetched; } &
    WATCHER=$!
    echo "RUN n=0; until wget -q -O /done $URL/files/fetched; do n=\$((n+1)); [ \$n -lt 2000 ] || exit 1; sleep 0.05; done"
}

test_an_image_that_a_copy_takes_of_comes_while_earlier_steps_run() {
    start
    { printf 'FROM busybox\n' && until_fetched && printf 'COPY --from=%s /g /g\n' "$LIB"; } >Dockerfile
    ok cbuild --network host -t app .
    cbuild export app | tar -xOf - g | cmp - f
    # a stage FROM a stage, and a name that --build-context gives
    fresh
    rm www/files/fetched
    { printf 'FROM busybox AS a\n' && until_fetched && printf 'FROM a\nCOPY --from=lib /g /g\n'; } >Dockerfile
    ok cbuild --network host --build-context "lib=docker-image://$LIB" -t app .
}

test_an_image_that_a_run_mounts_comes_while_earlier_steps_run() {
    start
    { printf 'FROM busybox\n' && until_fetched && printf 'RUN --mount=from=%s,target=/m cp /m/g /g\n' "$LIB"; } >Dockerfile
    ok cbuild --network host -t app .
    cbuild export app | tar -xOf - g | cmp - f
}

test_a_base_comes_while_the_stage_that_is_copied_from_runs() {
    start
    { printf 'FROM busybox AS slow\n' && until_fetched && printf 'FROM %s\nCOPY --from=slow /done /\nRUN cp /g /h\n' "$LIB"; } >Dockerfile
    ok cbuild --network host -t app .
    becomes 1 n_fetched
    # --jobs 1 bounds what runs, not what is waited for: bases are resolved
    fresh
    rm www/files/fetched
    { printf 'FROM busybox AS slow\n' && until_fetched && printf 'FROM %s\nCOPY --from=slow /done /\nRUN cp /g /h\n' "$LIB"; } >Dockerfile
    ok cbuild --network host --jobs 1 -t app .
}

# Its manifest is asked for once, its blobs are fetched once, whoever names it.
test_an_image_that_is_named_several_times_is_fetched_once() {
    start
    local n
    printf 'FROM %s\nCOPY f /f\n' "$LIB" >Dockerfile
    ok cbuild -t app .
    becomes 1 n_fetched
    n=$(n_for_lib)
    fresh
    printf 'FROM %s AS a\nCOPY f /f\nFROM %s\nCOPY --from=a /f /\nCOPY --from=%s /g /h\nCOPY --from=%s --chmod=600 /g /i\nRUN --mount=from=%s,target=/m cmp /m/g /h\n' \
        "$LIB" "$LIB" "$LIB" "$LIB" "$LIB" >Dockerfile
    ok cbuild -t app .
    becomes 1 n_fetched
    equal "$n" "$(n_for_lib)" "$(requests)"
}

test_what_is_cached_fetches_nothing_though_the_store_forgot_the_image() {
    start
    printf 'FROM %s AS a\nRUN cp /g /h\nFROM scratch\nCOPY --from=a /h /\nCOPY --from=%s /g /i\n' "$LIB" "$LIB" >Dockerfile
    ok cbuild -t app .
    becomes 1 n_fetched
    ok cbuild rmi "$LIB"
    rm -f "$CBUILD_ROOT/blobs/sha256/${layer#sha256:}" "$CBUILD_ROOT/entries/"*"${layer#sha256:}"
    : >"$REGISTRY_LOG"
    ok cbuild -t app .
    equal "$(n_fetched)" 0 "$(requests)"
}

test_an_image_that_cannot_be_had_ends_the_build_at_once() {
    start
    printf 'FROM busybox AS slow\nRUN sleep %s\nFROM busybox\nCOPY --from=slow /x /\nCOPY --from=%s /g /\n' "$LONG" \
        "$REGISTRY_HOST/none:1" >Dockerfile
    fails 3 timeout 120 "$CBUILD" -t app .
    err_has "Dockerfile:5: COPY --from=$REGISTRY_HOST/none:1: pulling"
    equal "$(grep -c 'Dockerfile:5: COPY' "$TEST_TMP/err")" 1
    printf 'FROM busybox AS slow\nRUN sleep %s\nFROM busybox\nRUN --mount=from=%s,target=/m true\n' "$LONG" \
        "$REGISTRY_HOST/none:1" >Dockerfile
    fails 3 timeout 120 "$CBUILD" --jobs 1 -t app .
    err_has "Dockerfile:4: --mount from=$REGISTRY_HOST/none:1: pulling"
}

# The registry stops in the middle of a layer; who waited for it would ask again.
test_a_build_that_fails_waits_for_no_transfer() {
    need_run
    need python3
    import_busybox
    serve
    faults_start
    local repo what
    for repo in a b; do
        rm -f www/files/fetched
        # its large layer, which stalls once
        { until grep -q "GET /v2/stall/$repo/blobs/sha256:093f6d51" faults/log; do sleep 0.05; done; echo >www/files/fetched; } &
        WATCHER=$!
        what="FROM $FAULTS_HOST/stall/a:1 AS a\nRUN true"
        [ $repo = a ] || what="FROM busybox AS a\nCOPY --from=$FAULTS_HOST/stall/b:1 /x /"
        printf "$what"'\nFROM busybox\nRUN until wget -q -O /done %s/files/fetched; do sleep 0.05; done; exit 7\nCOPY --from=a / /\n' \
            "$URL" >Dockerfile
        fails 1 cbuild --network host -t app .
        err_has 'exit code: 7'
        err_lacks 'given up'
    done
    equal "$(grep -c 'GET .*/blobs/sha256:093f6d51' faults/log)" 2 "$(cat faults/log)"
}

run_tests "$@"
