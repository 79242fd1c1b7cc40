#!/bin/bash
# Layers of a base come when a step needs them, all of them once, and unpacked on the way where a RUN will mount them.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/registry.sh
. "$(dirname "$0")/registry.sh"
teardown() { registry_stop; }

# A base of three layers at the registry, two of them large enough to be looked at while they arrive; $BASE names it.
start() {
    registry_program >/dev/null || skip "needs docker-registry"
    export DOCKER_CONFIG=$PWD/docker
    registry_start
    BASE=$REGISTRY_HOST/lib/base:1
    import_busybox
    head -c 100000 /dev/urandom >f
    # the second layer leaves out its parents, and hides a file
    printf 'FROM busybox\nCOPY f /etc/deep/f\nCOPY f /g\n' >Dockerfile
    ok cbuild --push -t "$BASE" .
    layers=$(jq -r '.layers[].digest' "$CBUILD_ROOT/blobs/sha256/$(image_id "$BASE" | cut -d: -f2)")
    equal "$(wc -w <<<"$layers")" 3
    fresh
}
# A store that has nothing, and a log without requests
fresh() {
    export CBUILD_ROOT=$TEST_TMP/store.$RANDOM$RANDOM
    : >"$REGISTRY_LOG"
}
requests() { grep -o 'http.request.method=[A-Z]* .*http.request.uri="*[^ ]*' "$REGISTRY_LOG" || :; }
# How often layers of the base were fetched
n_fetched() {
    local n=0 layer
    for layer in $layers; do n=$((n + $(requests | grep -c "method=GET .*/blobs/$layer" || :))); done
    echo $n
}

test_a_push_of_metadata_fetches_no_layer() {
    start
    printf 'FROM %s\nLABEL a=b\nENV c=d\n' "$BASE" >Dockerfile
    ok cbuild -o "type=registry,name=$REGISTRY_HOST/new/app:1" .
    err_has "pushed $REGISTRY_HOST/new/app:1"
    equal "$(n_fetched)" 0 "$(requests)"
    equal "$(requests | grep -c 'method=POST .*mount=sha256')" 3 "$(requests)"
    fails 3 cbuild inspect "$REGISTRY_HOST/new/app:1"
    store_verifies
    fresh
    ok cbuild pull "$REGISTRY_HOST/new/app:1"
    equal "$(cbuild inspect -f '{{.Config.Labels.a}}' "$REGISTRY_HOST/new/app:1")" b
    becomes 3 n_fetched
}

test_a_push_of_a_linked_copy_fetches_no_layer() {
    start
    echo new >h
    printf 'FROM %s\nCOPY --link h /h\n' "$BASE" >Dockerfile
    ok cbuild -o "type=registry,name=$REGISTRY_HOST/new/app:1" .
    equal "$(n_fetched)" 0 "$(requests)"
    # again: nothing is fetched, nothing sent
    : >"$REGISTRY_LOG"
    ok cbuild -o "type=registry,name=$REGISTRY_HOST/new/app:1" .
    equal "$(n_fetched)" 0 "$(requests)"
    equal "$(requests | grep -Ec 'method=(POST|PUT|PATCH)' || :)" 0 "$(requests)"
    fresh
    ok cbuild pull "$REGISTRY_HOST/new/app:1"
    cbuild export "$REGISTRY_HOST/new/app:1" | tar -xOf - h | grep -qx new || fail "no h"
}

test_a_registry_that_lacks_the_base_gets_it() {
    start
    local first_pid=$REGISTRY_PID first_dir=$REGISTRY_DIR
    registry_start
    printf 'FROM %s\nLABEL a=b\n' "$BASE" >Dockerfile
    ok cbuild -o "type=registry,name=$REGISTRY_HOST/new/app:1" .
    fresh
    ok cbuild pull "$REGISTRY_HOST/new/app:1"
    registry_stop
    REGISTRY_PID=$first_pid REGISTRY_DIR=$first_dir
}

test_an_image_with_a_name_here_is_whole() {
    start
    printf 'FROM %s\nLABEL a=b\n' "$BASE" >Dockerfile
    ok cbuild -t app .
    becomes 3 n_fetched
    ok cbuild save -o app.tar app
    ok cbuild inspect "$BASE" # it is whole too, and the next build asks nobody
    : >"$REGISTRY_LOG"
    ok cbuild -t app2 .
    equal "$(requests)" ''
    # one that is pushed, too
    fresh
    ok cbuild --push -t "$REGISTRY_HOST/new/app:1" .
    becomes 3 n_fetched
    ok cbuild save -o pushed.tar "$REGISTRY_HOST/new/app:1"
}

test_a_stage_whose_steps_are_cached_needs_no_base() {
    start
    need_run
    printf 'FROM %s AS tool\nRUN echo tool >/tool\nFROM scratch\nCOPY --from=tool /tool /\n' "$BASE" >Dockerfile
    ok cbuild -t app .
    becomes 3 n_fetched
    ok cbuild rmi "$BASE"
    # as if collected: blobs and forms
    local layer
    for layer in $layers; do rm -f "$CBUILD_ROOT/blobs/sha256/${layer#sha256:}"; done
    : >"$REGISTRY_LOG"
    ok cbuild -t app .
    equal "$(n_fetched)" 0 "$(requests)"
}

test_a_run_unpacks_what_arrives() {
    start
    need_run
    printf 'FROM %s\nRUN cmp /g /etc/deep/f && [ "$(stat -c %%a:%%u /etc)" = 755:0 ] && echo done >/h\n' "$BASE" >Dockerfile
    ok cbuild -t app .
    becomes 3 n_fetched
    err_has "pulling $BASE"
    store_verifies
    # eight at once fetch each layer once
    fresh
    local pids=() pid
    for _ in 1 2 3 4 5 6 7 8; do
        "$CBUILD" -q -t app . >/dev/null 2>>"$TEST_TMP/err" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid" || fail "$(cat "$TEST_TMP/err")"; done
    becomes 3 n_fetched
    store_verifies
}

# They are unpacked and listed on the pass that stores them.
test_layers_that_a_run_mounts_are_not_read_again() {
    need_root
    need strace
    start
    printf 'FROM %s\nRUN cmp /g /etc/deep/f\n' "$BASE" >Dockerfile
    ok env ASAN_OPTIONS=detect_leaks=0 strace -f -qq -y -o trace -e trace=read,pread64,preadv2,mmap,execve,sync,syncfs,fsync,fdatasync "$CBUILD" -t app .
    local layer n=0
    for layer in $layers; do n=$((n + $(grep -cE "(read|pread64|mmap)\(.*/blobs/sha256/${layer#sha256:}>" trace || :))); done
    equal "$n" 0 "reads of layers"
    # nor does the command wait for the disk: the base gets its name at the end
    grep -q ' execve("/bin/sh"' trace || fail "no command"
    sed '/ execve("\/bin\/sh"/q' trace >before
    ! grep -E ' (sync|syncfs|fsync|fdatasync)\(' before || fail "the command waited"
    ok cbuild inspect "$BASE"
    # it gets it where a step fails, too
    fresh
    printf 'FROM %s\nRUN cmp /g /etc/passwd\n' "$BASE" >Dockerfile
    fails 1 cbuild -t app .
    ok cbuild inspect "$BASE"
}

test_layers_that_are_not_what_the_config_says_are_refused_by_the_step_that_needs_them() {
    start
    need skopeo
    need_run
    mkdir oci
    ok skopeo copy -q --src-tls-verify=false "docker://$BASE" oci:oci:x
    layout_edit_config oci '.rootfs.diff_ids[1] = "sha256:" + ("1" * 64)'
    ok skopeo copy -q --dest-tls-verify=false oci:oci:x "docker://$REGISTRY_HOST/liar:1"
    printf 'FROM %s\nRUN true\n' "$REGISTRY_HOST/liar:1" >Dockerfile
    fails 1 cbuild -t app .
    err_has 'diff_id'
    store_verifies
}

test_outputs_are_images_and_registries() {
    printf 'FROM scratch\nLABEL a=b\n' >Dockerfile
    fails 2 cbuild -o type=image,psh=true .
    err_has 'push'
    fails 2 cbuild -o type=registry .
    err_has 'needs a name'
    fails 2 cbuild -o type=image,store=false -t x .
    ok cbuild -o type=image,name=x .
    ok cbuild inspect x
}

run_tests "$@"
