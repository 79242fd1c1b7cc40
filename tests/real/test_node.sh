#!/bin/bash
# A Node application with its npm-installed dependencies, 40,000 files, copied into an image and run there.
# shellcheck source=tests/real/lib.sh
. "$(dirname "$0")/lib.sh"
IMAGE=node-app:1

set_up() {
    need_mirror http://deb.debian.org/debian/
    import_debian
    node_tree
    cp -r --preserve=timestamps "$NODE_TREE" "$SHARED/context"
    cp "$TOP"/testdata/real/node/* "$TOP/testdata/real/node/.dockerignore" "$SHARED/context/"
}
image() { built $IMAGE set_up; }

test_the_application_runs() {
    image
    grep -q 'node works: <p>hello</p> var answer = 42;' "$SHARED/build.log" || fail "$(tail "$SHARED/build.log")"
    store_verifies
}
test_umoci_unpacks_all_files() {
    image
    check_umoci_unpacks $IMAGE app/node_modules/express/index.js usr/bin/node
    local tree=$TEST_TMP/bundle/rootfs
    (cd "$SHARED/context" && find node_modules -printf '%P %y %s %l\n' | sort | sed 's/ d [0-9]* $/ d/') >expected
    (cd "$tree/app" && find node_modules -printf '%P %y %s %l\n' | sort | sed 's/ d [0-9]* $/ d/') >actual
    [ "$(wc -l <expected)" -gt 30000 ] || fail "only $(wc -l <expected) files"
    cmp expected actual || fail "$(diff expected actual | head)"
    diff -r --no-dereference "$SHARED/context/node_modules" "$tree/app/node_modules" || fail "other contents"
}
test_goes_to_a_registry_with_a_password_file_and_back() {
    image
    USER_NAME=ann PASSWORD=secret check_round_trip $IMAGE --htpasswd ann secret
}
test_goes_to_a_registry_with_token_authentication_and_back() {
    image
    USER_NAME=ann PASSWORD=secret check_round_trip $IMAGE --token
}
test_skopeo_reads_it_in_the_store() { image; check_skopeo_reads_the_store $IMAGE; }
test_podman_loads_and_runs_it() { image; check_podman_loads_and_runs $IMAGE 'node works: <p>hello</p>' node index.js; }
test_a_rebuild_takes_all_from_the_cache() { image; check_rebuild_is_cached $IMAGE; }
# apt-get, WORKDIR and package.json come before
test_one_changed_byte_reruns_its_step_and_what_follows() {
    image
    check_changed_byte_reruns $IMAGE node_modules/express/index.js 3
}

run_tests "$@"
