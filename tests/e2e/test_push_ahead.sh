#!/bin/bash
# build --push: layers go to the registry while later steps run.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/registry.sh
. "$(dirname "$0")/registry.sh"
teardown() { registry_stop; }

start() { # registry_start's options
    need_run
    registry_program >/dev/null || skip "needs docker-registry"
    export DOCKER_CONFIG=$PWD/docker
    import_busybox
    registry_start "$@"
    head -c 100000 /dev/urandom >f
}
n_asked() { grep -Ec -- "$1" "$REGISTRY_LOG" || :; }
requests() { grep -o 'http.request.method=[A-Z]* .*http.request.uri=[^ ]*' "$REGISTRY_LOG"; }
layer() { # NAME NUMBER: its digest
    jq -r ".layers[$2].digest" "$CBUILD_ROOT/blobs/sha256/$(image_id "$1" | cut -d: -f2)"
}

test_layers_are_there_before_the_last_step_ends() {
    start
    # the first layer's digest, to wait for
    printf 'FROM busybox\nCOPY f /\n' | cbuild -q -t first -f - . >/dev/null
    local blob
    blob=$(layer first 1)
    cat >Dockerfile <<END
FROM busybox
COPY f /
RUN n=0; until wget -q -O /dev/null http://$REGISTRY_HOST/v2/a/b/blobs/$blob; do n=\$((n+1)); [ \$n -lt 2000 ] || exit 1; sleep 0.05; done
END
    ok cbuild --no-cache --network host --push -t "$REGISTRY_HOST/a/b:1" .
    err_has 'pushing layers'
    equal "$(layer "$REGISTRY_HOST/a/b:1" 1)" "$blob"
    # each blob is asked for once, and sent once, the two documents at the end
    equal "$(requests | grep -c 'method=HEAD .*/blobs/')" 4 "$(requests)"
    equal "$(requests | grep -c 'method=PUT .*/blobs/')" 4 "$(requests)"
    equal "$(requests | grep -c 'method=PUT .*/manifests/')" 1
    ok skopeo inspect --tls-verify=false "docker://$REGISTRY_HOST/a/b:1"
    # what is cached isn't sent again
    : >"$REGISTRY_LOG"
    ok cbuild --network host --push -t "$REGISTRY_HOST/a/b:1" .
    equal "$(requests | grep -Ec 'method=(POST|PUT|PATCH)')" 0 "$(requests)"
    equal "$(requests | grep -c 'method=HEAD')" 4 "$(requests)"
    # and so where nobody looks
    ok timeout 120 "$CBUILD" -q --no-cache --network host --push -t "$REGISTRY_HOST/c/d:1" .
}

test_two_repositories_get_them_and_stages_that_are_no_part_of_the_image_do_not() {
    start
    cat >Dockerfile <<'END'
FROM busybox AS tool
RUN echo tool >/tool
FROM scratch
COPY --from=tool /tool /
END
    ok cbuild --push -t "$REGISTRY_HOST/a/b:1" -t "$REGISTRY_HOST/a/b:2" -t "$REGISTRY_HOST/c/d:1" .
    equal "$(requests | grep -c 'method=PUT .*/a/b/blobs/')" 2 "$(requests)"
    ok skopeo inspect --tls-verify=false "docker://$REGISTRY_HOST/a/b:2"
    ok skopeo inspect --tls-verify=false "docker://$REGISTRY_HOST/c/d:1"
}

test_a_build_that_fails_leaves_no_manifest() {
    start
    printf 'FROM busybox\nCOPY f /\nRUN exit 3\n' >Dockerfile
    fails 1 cbuild --push -t "$REGISTRY_HOST/a/b:1" .
    err_has 'exit 3'
    equal "$(requests | grep -c 'method=PUT .*/manifests/')" 0 "$(requests)"
    fails 3 cbuild inspect "$REGISTRY_HOST/a/b:1"
}

# The server answers none of them before it has four, and waits for a fifth then.
test_four_layers_are_on_their_way_at_once() {
    need python3
    local i
    faults_start
    export DOCKER_CONFIG=$PWD/docker
    mkdir ctx
    echo FROM scratch >ctx/Dockerfile
    for i in $(seq 7); do echo "$i" >"ctx/f$i" && echo "COPY f$i /" >>ctx/Dockerfile; done
    ok cbuild -q --push -t "$FAULTS_HOST/push-held/a:1" ctx
    equal "$(cat faults/at-once)" 4
    equal "$(grep -c 'PUT .*/blobs/' faults/log)" 8
}

test_an_upload_that_fails_ends_the_build() {
    start --htpasswd ann secret
    printf 'FROM busybox\nCOPY f /\nRUN sleep 1000\n' >Dockerfile
    fails 4 timeout 120 "$CBUILD" --push -t "$REGISTRY_HOST/a/b:1" .
    err_has "pushing $REGISTRY_HOST/a/b:1: blob sha256:"
    err_has 401
    fails 3 cbuild inspect "$REGISTRY_HOST/a/b:1"
}

run_tests "$@"
