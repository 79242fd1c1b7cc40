#!/bin/bash
# registries.conf and daemon.json: mirrors, locations, blocked registries, short names. Against Debian's docker-registry.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/registry.sh
. "$(dirname "$0")/registry.sh"
teardown() { registry_stop; }

# A registry with team/app:1, and the image gone from the store.
start() {
    registry_program >/dev/null || skip "needs docker-registry"
    registry_start
    export CONTAINERS_REGISTRIES_CONF=$TEST_TMP/registries.conf
    : >"$CONTAINERS_REGISTRIES_CONF"
    echo hello >f && printf 'FROM scratch\nCOPY f /\n' >Dockerfile
    cbuild -q -t "$REGISTRY_HOST/team/app:1" . >id
    cbuild push -q "$REGISTRY_HOST/team/app:1" >/dev/null
    export CBUILD_ROOT=$TEST_TMP/empty
}
conf() { cat >"$CONTAINERS_REGISTRIES_CONF"; }
n_requests() { grep -Ec -- "$1" "$REGISTRY_LOG" || true; }

test_mirror_serves_what_the_origin_cannot() {
    start
    conf <<EOF
[[registry]]
prefix = "origin.invalid/x"
location = "origin.invalid/x"
[[registry.mirror]]
location = "$REGISTRY_HOST/team"
EOF
    ok cbuild pull origin.invalid/x/app:1
    equal "$(image_id origin.invalid/x/app:1)" "$(cat id)"
    store_verifies
    # a base image, too
    echo 'FROM origin.invalid/x/app:1' >Dockerfile
    ok cbuild --pull -t t .
}

test_creds_for_the_origin_are_not_the_mirrors() {
    registry_program >/dev/null || skip "needs docker-registry"
    registry_start --htpasswd ann secret
    export CONTAINERS_REGISTRIES_CONF=$TEST_TMP/registries.conf
    : >"$CONTAINERS_REGISTRIES_CONF"
    echo hello >f && printf 'FROM scratch\nCOPY f /\n' >Dockerfile
    cbuild -q -t "$REGISTRY_HOST/a:1" . >id
    ok cbuild push --creds ann:secret "$REGISTRY_HOST/a:1"
    export CBUILD_ROOT=$TEST_TMP/empty DOCKER_CONFIG=$TEST_TMP/docker
    printf '[[registry]]\nlocation = "origin.invalid"\n[[registry.mirror]]\nlocation = "%s"\n' "$REGISTRY_HOST" >"$CONTAINERS_REGISTRIES_CONF"
    fails 5 cbuild pull --creds ann:secret origin.invalid/a:1
    err_has "mirror $REGISTRY_HOST of origin.invalid/a:1: "
    err_has '(anonymous)'
    # what is known of the mirror itself is used
    printf secret >password
    ok cbuild login -u ann --password-stdin "$REGISTRY_HOST" <password
    ok cbuild pull --creds other:wrong origin.invalid/a:1
}

test_origin_serves_what_mirrors_lack() {
    start
    conf <<EOF
[[registry]]
location = "$REGISTRY_HOST"
[[registry.mirror]]
location = "localhost:1"
[[registry.mirror]]
location = "$REGISTRY_HOST/nothing"
EOF
    ok cbuild pull "$REGISTRY_HOST/team/app:1"
    equal "$(image_id "$REGISTRY_HOST/team/app:1")" "$(cat id)"
    err_has "mirror localhost:1 of $REGISTRY_HOST/team/app:1: GET https://localhost:1/v2/: connecting: Connection refused"
    err_has "mirror $REGISTRY_HOST of $REGISTRY_HOST/team/app:1: "
    # what can't be reached is asked once a session
    equal "$(grep -c 'localhost:1 of' "$TEST_TMP/err")" 1
}

test_mirrors_for_tags_or_digests_only() {
    start
    conf <<EOF
[[registry]]
location = "origin.invalid"
[[registry.mirror]]
location = "$REGISTRY_HOST"
pull-from-mirror = "digest-only"
EOF
    fails 5 cbuild pull origin.invalid/team/app:1
    equal "$(n_requests 'GET /v2/team/app/manifests/1')" 0
    ok cbuild pull "origin.invalid/team/app@$(cat id)"
}

test_location_stands_in_place_of_the_prefix() {
    start
    conf <<EOF
[[registry]]
prefix = "*.corp.invalid"
location = "$REGISTRY_HOST"
EOF
    ok cbuild pull images.corp.invalid/team/app:1
    equal "$(cbuild images --format '{{.Repository}}')" images.corp.invalid/team/app
}

test_blocked_registry_is_refused_with_the_file() {
    start
    conf <<EOF
[[registry]]
location = "$REGISTRY_HOST/team"
blocked = true
EOF
    fails 1 cbuild pull "$REGISTRY_HOST/team/app:1"
    err_has "$REGISTRY_HOST/team is blocked"
    err_has "$CONTAINERS_REGISTRIES_CONF says so"
    cbuild -q -t "$REGISTRY_HOST/team/new" . >/dev/null
    fails 1 cbuild push "$REGISTRY_HOST/team/new"
    err_has "is blocked"
    equal "$(n_requests '/v2/team/new')" 0
}

test_short_names_follow_aliases_then_the_search_list() {
    start
    conf <<EOF
unqualified-search-registries = ["localhost:1", "$REGISTRY_HOST/team"]
[aliases]
"short" = "$REGISTRY_HOST/team/app"
EOF
    ok cbuild pull short:1
    equal "$(image_id short:1)" "$(cat id)"
    ok cbuild pull app:1
    equal "$(image_id app:1)" "$(cat id)"
    fails 3 cbuild pull nothing:1
    err_has "$REGISTRY_HOST/team/nothing:1"
    { echo 'short-name-mode = "enforcing"' && cat "$CONTAINERS_REGISTRIES_CONF"; } >new
    mv new "$CONTAINERS_REGISTRIES_CONF"
    fails 2 cbuild pull app:1
    err_has "write the whole name, like localhost:1/app"
    ok cbuild pull short:1
}

test_creds_are_not_shown_to_a_list_of_registries() {
    start
    conf <<EOF
unqualified-search-registries = ["other.invalid", "$REGISTRY_HOST/team"]
[aliases]
"short" = "$REGISTRY_HOST/team/app"
EOF
    : >"$REGISTRY_LOG"
    echo 'FROM app:1' >Dockerfile
    for command in "pull --creds ann:secret app:1" "build --creds ann:secret -t t ."; do
        # shellcheck disable=SC2086 # words
        fails 2 cbuild $command
        err_has "other.invalid, $REGISTRY_HOST or another one of the search list would get the password"
        err_has 'write the whole name, like other.invalid/app'
        err_lacks secret
    done
    equal "$(n_requests GET)" 0
    ok cbuild pull --creds ann:secret short:1
    # of several paths of one registry each may see it
    conf <<EOF
unqualified-search-registries = ["$REGISTRY_HOST/none", "$REGISTRY_HOST/team"]
EOF
    ok cbuild pull --creds ann:secret app:1
}

test_docker_mirror_is_docker_hubs() {
    start
    unset CONTAINERS_REGISTRIES_CONF
    mkdir -p "$HOME/.config/docker" "$HOME/.config/containers"
    # the system's own file may say other things of docker.io
    : >"$HOME/.config/containers/registries.conf"
    echo "{\"registry-mirrors\": [\"http://$REGISTRY_HOST\"]}" >"$HOME/.config/docker/daemon.json"
    ok cbuild pull docker.io/team/app:1
    equal "$(image_id team/app:1)" "$(cat id)"
}

test_insecure_registry_needs_no_flag() {
    registry_program >/dev/null || skip "needs docker-registry"
    registry_start --tls
    export CONTAINERS_REGISTRIES_CONF=$TEST_TMP/registries.conf
    : >"$CONTAINERS_REGISTRIES_CONF"
    echo hello >f && printf 'FROM scratch\nCOPY f /\n' >Dockerfile
    ok cbuild -q -t "$REGISTRY_HOST/a:1" .
    fails 5 cbuild push "$REGISTRY_HOST/a:1"
    printf '[[registry]]\nlocation = "%s"\ninsecure = true\n' "$REGISTRY_HOST" >"$CONTAINERS_REGISTRIES_CONF"
    ok cbuild push "$REGISTRY_HOST/a:1"
}

test_wrong_bytes_of_a_mirror_are_had_from_the_origin() {
    start
    # the mirror: the same data, with all layers altered
    local origin=$REGISTRY_HOST origin_pid=$REGISTRY_PID origin_dir=$REGISTRY_DIR data=$REGISTRY_DATA blob
    registry_start
    cp -a "$data/." "$REGISTRY_DATA"
    for blob in "$REGISTRY_DATA"/docker/registry/v2/blobs/sha256/*/*/data; do
        if gzip -t "$blob" 2>/dev/null; then printf X | dd of="$blob" conv=notrunc status=none; fi
    done
    conf <<EOF
[[registry]]
location = "$origin"
[[registry.mirror]]
location = "$REGISTRY_HOST"
EOF
    ok cbuild pull "$origin/team/app:1"
    equal "$(image_id "$origin/team/app:1")" "$(cat id)"
    store_verifies
    # copied to a folder, and to a registry
    ok cbuild copy -q "$origin/team/app:1" oci:lay:1
    ok cbuild validate oci:lay:1
    local mirror_pid=$REGISTRY_PID mirror_dir=$REGISTRY_DIR
    registry_start
    ok cbuild copy -q "$origin/team/app:1" "$REGISTRY_HOST/other/app:1"
    kill "$origin_pid" "$mirror_pid"
    rm -rf "$mirror_dir"
    : >"$CONTAINERS_REGISTRIES_CONF"
    CBUILD_ROOT=$TEST_TMP/third ok cbuild pull "$REGISTRY_HOST/other/app:1"
    equal "$(CBUILD_ROOT=$TEST_TMP/third image_id "$REGISTRY_HOST/other/app:1")" "$(cat id)"
    rm -rf "$origin_dir"
}

test_broken_file_is_named_with_its_line() {
    start
    printf '[[registry]]\nlocation = \n' >"$CONTAINERS_REGISTRIES_CONF"
    fails 1 cbuild pull "$REGISTRY_HOST/team/app:1"
    err_has "$CONTAINERS_REGISTRIES_CONF: line 2: expected a value"
    err_has "man 5 containers-registries.conf"
}

run_tests "$@"
