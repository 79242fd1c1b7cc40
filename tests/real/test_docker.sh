#!/bin/bash
# Docker on the other side: Debian 13's dockerd (judge.sh) pulls what cbuild pushes and loads what it saves, and the
# other way round.
# shellcheck source=tests/real/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/real/judge.sh
. "$(dirname "$0")/judge.sh"
trap 'judge_stop; chmod -R u+rwx "$SHARED" 2>/dev/null; rm -rf "$SHARED"' EXIT
teardown() {
    judge_stop
    registry_stop
}

# An image of two layers, links and a config that has something of everything.
build() { # NAME OPTION...
    local name=$1
    shift
    mkdir -p ctx/d && echo one >ctx/d/one && ln -sf one ctx/d/link && chmod 4755 ctx/d/one
    printf 'FROM scratch\nCOPY d /d\nCOPY --chown=7:8 d/one /two\nENV A=b\nEXPOSE 80\nLABEL l=m\nUSER 7\nCMD ["/d/one"]\n' >ctx/Dockerfile
    ok cbuild -q -t "$name" "$@" ctx
}
# The tree of a store's image
tree_of() { cbuild export "$1" | tar -tvf - --numeric-owner --full-time; }

test_docker_pulls_what_we_push_and_we_what_docker_pushes() {
    need_root
    judge_tar
    start_registry
    judge_start
    local image=$REGISTRY_HOST/ours/a:1 kind id
    for kind in gzip zstd; do
        build "$image" --compression $kind
        id=$(image_id "$image")
        ok cbuild push "$image"
        ok judge pull -q "$image"
        equal "$(judge image inspect --format '{{index .RepoDigests 0}}' "$image")" "$REGISTRY_HOST/ours/a@$id"
        judge tag "$image" "$REGISTRY_HOST/docker/a:$kind"
        ok judge push -q "$REGISTRY_HOST/docker/a:$kind"
        CBUILD_ROOT=$TEST_TMP/store2 ok cbuild pull "$REGISTRY_HOST/docker/a:$kind"
        CBUILD_ROOT=$TEST_TMP/store2 store_verifies
        CBUILD_ROOT=$TEST_TMP/store2 tree_of "$REGISTRY_HOST/docker/a:$kind" >theirs
        tree_of "$image" >ours
        diff ours theirs || fail "another tree"
        judge rmi "$image" "$REGISTRY_HOST/docker/a:$kind" >/dev/null
    done
}

test_docker_loads_what_we_save_and_we_what_docker_saves() {
    need_root
    judge_tar
    judge_start
    build app:1
    cbuild save app:1 >ours.tar
    ok judge load <ours.tar
    judge image inspect --format '{{json .Config.Env}} {{json .Config.Labels}} {{.Config.User}}' app:1 >config
    equal "$(cat config)" '["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","A=b"] {"l":"m"} 7'
    judge save app:1 >theirs.tar
    CBUILD_ROOT=$TEST_TMP/store2 ok cbuild load -i theirs.tar
    CBUILD_ROOT=$TEST_TMP/store2 store_verifies
    CBUILD_ROOT=$TEST_TMP/store2 tree_of app:1 >theirs
    tree_of app:1 >ours
    diff ours theirs || fail "another tree"
}

run_tests "$@"
