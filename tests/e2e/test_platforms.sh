#!/bin/bash
# Several platforms in one build, and what becomes of the index.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/registry.sh
. "$(dirname "$0")/registry.sh"
teardown() { [ -z "${REGISTRY_HOST:-}" ] || registry_stop; }

THREE=linux/amd64,linux/arm64,linux/arm/v7
index() { cbuild inspect --raw "$1"; }                                      # NAME
member() { index "$1" | jq -r --arg a "$2" '.manifests[] | select(.platform.architecture == $a).digest'; } # NAME ARCH
blob() { cat "$CBUILD_ROOT/blobs/sha256/${1#sha256:}"; }
config() { blob "$(blob "$(member "$1" "$2")" | jq -r .config.digest)"; } # NAME ARCH
file() { cbuild export --platform "$2" "$1" | tar -xOf - "$3"; }          # NAME PLATFORM FILE

# The pattern of cross compiling: a native stage that makes something for each platform.
write_cross() {
    import_busybox
    cat >Dockerfile <<'END'
FROM --platform=$BUILDPLATFORM busybox AS tools
RUN --mount=type=cache,target=/c echo tools >>/c/ran

FROM --platform=$BUILDPLATFORM tools AS build
RUN --mount=type=cache,target=/c echo common >>/c/ran
ARG TARGETPLATFORM
ARG TARGETOS TARGETARCH TARGETVARIANT BUILDPLATFORM BUILDARCH
RUN --mount=type=cache,target=/c echo own >>/c/ran; echo "$BUILDPLATFORM $TARGETPLATFORM $TARGETOS-$TARGETARCH-$TARGETVARIANT" >/out

FROM scratch
ARG TARGETARCH
COPY --from=build /out /out
LABEL arch=$TARGETARCH
END
}
ran() { cat "$CBUILD_ROOT"/cache/mounts/*/ran | sort | uniq -c | tr -s ' \n' ' '; }

test_an_index_has_the_platforms_in_the_order_given() {
    echo x >f
    printf 'FROM scratch\nCOPY f /\n' >Dockerfile
    ok cbuild -q -t app --platform linux/arm64,linux/arm/v6 --platform linux/amd64,linux/arm64/v8,aarch64 --iidfile id --metadata-file m.json .
    local id
    id=$(cat "$TEST_TMP/out")
    equal "$(index app | sha256sum | cut -d' ' -f1)" "${id#sha256:}"
    equal "$(index app | jq -c '[.mediaType, .schemaVersion, keys]')" \
        '["application/vnd.oci.image.index.v1+json",2,["manifests","mediaType","schemaVersion"]]'
    equal "$(index app | jq -c '[.manifests[].platform]')" \
        '[{"architecture":"arm64","os":"linux"},{"architecture":"arm","os":"linux","variant":"v6"},{"architecture":"amd64","os":"linux"}]'
    equal "$(index app | jq -c '[.manifests[] | keys] | unique')" '[["digest","mediaType","platform","size"]]'
    equal "$(config app arm | jq -c '[.architecture, .os, .variant]')" '["arm","linux","v6"]'
    equal "$(cat id)" "$id"
    # buildx's keys: none of a single config
    equal "$(jq -c 'keys' m.json)" '["buildx.build.ref","containerimage.descriptor","containerimage.digest","image.name"]'
    equal "$(jq -r '."containerimage.digest"' m.json)" "$id"
    equal "$(jq -c '."containerimage.descriptor"' m.json)" \
        "{\"digest\":\"$id\",\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"size\":$(index app | wc -c)}"
    store_verifies
}

test_the_manifests_are_those_of_builds_for_one_platform() {
    need_run
    write_cross
    export SOURCE_DATE_EPOCH=1700000000
    ok cbuild -q -t app --platform $THREE .
    local platform
    for platform in linux/amd64:amd64 linux/arm64:arm64 linux/arm/v7:arm; do
        ok cbuild -q --platform "${platform%:*}" .
        equal "$(cat "$TEST_TMP/out")" "$(member app "${platform#*:}")" "$platform"
        CBUILD_ROOT=$TEST_TMP/other
        import_busybox
        ok cbuild -q --platform "${platform%:*}" .
        unset CBUILD_ROOT
        export CBUILD_ROOT=${TEST_TMP%/tmp}/store
        equal "$(cat "$TEST_TMP/out")" "$(member app "${platform#*:}")" "$platform, another store"
    done
}

test_what_platforms_have_in_common_runs_once() {
    need_run
    write_cross
    ok cbuild -t app --platform $THREE --progress plain .
    equal "$(ran)" ' 1 common 3 own 1 tools '
    err_has '[linux/amd64 tools 2/2] RUN'
    err_has '[linux/amd64->arm64 build 3/3] RUN'
    err_has '[linux/amd64->arm/v7 build 3/3] RUN'
    err_has '[linux/amd64 build 3/3] RUN'
    err_has '[linux/arm/v7 stage-2 2/2] COPY'
    equal "$(grep -c 'build 2/3\] RUN' "$TEST_TMP/err")" 1
    equal "$(file app linux/amd64 out)" 'linux/amd64 linux/amd64 linux-amd64-'
    equal "$(file app linux/arm64 out)" 'linux/amd64 linux/arm64 linux-arm64-'
    equal "$(file app linux/arm/v7 out)" 'linux/amd64 linux/arm/v7 linux-arm-v7'
    equal "$(config app arm64 | jq -c .config.Labels)" '{"arch":"arm64"}'
    ok cbuild -t app --platform $THREE --progress plain --no-cache .
    equal "$(ran)" ' 2 common 6 own 2 tools '
    ok cbuild -t again --platform $THREE --progress plain .
    equal "$(ran)" ' 2 common 6 own 2 tools '
    equal "$(image_id again)" "$(image_id app)"
    # another platform does what is its own
    ok cbuild -q --platform linux/riscv64 .
    equal "$(ran)" ' 2 common 7 own 2 tools '
    store_verifies
}

test_triggers_that_tell_platforms_apart_end_what_they_have_in_common() {
    need_run
    import_busybox
    printf 'FROM busybox\nONBUILD RUN --mount=type=cache,target=/c echo first >>/c/ran\nONBUILD ARG TARGETARCH\nONBUILD RUN echo $TARGETARCH >/arch\n' |
        cbuild -q -t parent -f - . >/dev/null
    cat >Dockerfile <<'END'
FROM --platform=$BUILDPLATFORM parent AS a
RUN --mount=type=cache,target=/c echo second >>/c/ran
FROM --platform=$BUILDPLATFORM busybox AS b
RUN --mount=type=cache,target=/c echo third >>/c/ran
COPY --from=a /arch /
FROM --platform=$BUILDPLATFORM a AS c
RUN echo "$TARGETARCH of the parent" >/inherited
FROM scratch
COPY --from=b /arch /
COPY --from=c /inherited /
END
    ok cbuild -q -t app --platform linux/amd64,linux/arm64 .
    equal "$(file app linux/amd64 arch)" amd64
    equal "$(file app linux/arm64 arch)" arm64
    equal "$(file app linux/arm64 inherited)" 'arm64 of the parent'
    # a stage up to where it takes files of the other is done once; and equal steps find each other
    equal "$(ran)" ' 1 first 2 second 1 third '
    # triggers that are the same for all change nothing
    printf 'FROM busybox\nONBUILD RUN --mount=type=cache,target=/c echo fourth >>/c/ran\n' | cbuild -q -t parent -f - . >/dev/null
    rm "$CBUILD_ROOT"/cache/mounts/*/ran
    printf 'FROM --platform=$BUILDPLATFORM parent AS a\nRUN --mount=type=cache,target=/c echo fifth >>/c/ran\nFROM scratch\nCOPY --from=a /bin/busybox /\n' >Dockerfile
    ok cbuild -q -t app --no-cache --platform linux/amd64,linux/arm64 .
    equal "$(ran)" ' 1 fifth 1 fourth '
}

# Steps of different platforms are different steps, and what they make is the same.
test_a_layer_that_platforms_share_is_made_once() {
    need_root
    need strace
    head -c 3000000 /dev/urandom >f # so much is hashed on the pass that makes the layer
    printf 'FROM scratch\nCOPY f /one/\n' >Dockerfile
    local platform one
    sleep 0.1 # records younger than the clock's tick aren't trusted: each platform would read f for its key
    ok env ASAN_OPTIONS=detect_leaks=0 strace -ff -qq -y -o trace -e trace=read,pread64,preadv2 "$CBUILD" -q -t app --platform $THREE .
    equal "$(cat trace.* | grep "$PWD/f>" | awk '{ n += $NF } END { print n }')" 3000000 'bytes read'
    equal "$(index app | jq -r '.manifests[].digest' | sort -u | wc -l)" 3
    one=$(cbuild export --platform linux/amd64 app | sha256sum)
    for platform in linux/arm64 linux/arm/v7; do equal "$(cbuild export --platform "$platform" app | sha256sum)" "$one"; done
    # in a store of its own a platform gives the same manifest
    (
        CBUILD_ROOT=$TEST_TMP/store2
        export CBUILD_ROOT SOURCE_DATE_EPOCH=1
        cbuild -q --platform linux/arm64 . >one
    )
    SOURCE_DATE_EPOCH=1 cbuild -q -t app --platform $THREE . >/dev/null
    equal "$(member app arm64)" "$(cat one)"
    store_verifies
}

test_stages_may_be_chosen_by_platform() {
    cat >Dockerfile <<'END'
FROM scratch AS os-amd64
LABEL of=amd64
FROM scratch AS os-arm64
LABEL of=arm64
FROM os-$TARGETARCH
END
    ok cbuild -q -t app --platform linux/amd64,linux/arm64 .
    equal "$(config app amd64 | jq -c .config.Labels)" '{"of":"amd64"}'
    equal "$(config app arm64 | jq -c .config.Labels)" '{"of":"arm64"}'
    ok cbuild plan --platform linux/amd64,linux/s390x .
    out_has 'image os-s390x: not in the store'
    out_has 'stage os-amd64, for linux/amd64, from scratch'
    out_has "stage os-arm64, from scratch: skipped, the target doesn't need it"
}

test_plan_and_checks_are_for_all_platforms() {
    need_run
    write_cross
    ok cbuild plan --platform linux/amd64,linux/arm64 .
    cp "$TEST_TMP/out" plan
    grep -qx 'stage tools, for linux/amd64, linux/arm64, from busybox' plan
    grep -qx 'stage build, for linux/arm64, going on from the above' plan
    grep -qx 'stage stage-2, for linux/amd64, from scratch' plan
    grep -qx '0 steps cached, 6 to run' plan
    ok cbuild -q --platform linux/amd64 .
    ok cbuild plan --platform linux/amd64,linux/arm64 .
    out_has '4 steps cached, 2 to run'
    ok cbuild --explain --progress plain --platform linux/arm64,linux/amd64 .
    err_has 'miss: build argument TARGETARCH: "amd64" became "arm64"'
    # the same finding for both is told once
    printf 'FROM scratch\nMAINTAINER me\n' >Dockerfile
    fails 6 cbuild --check --platform linux/amd64,linux/arm64 .
    equal "$(grep -c MaintainerDeprecated "$TEST_TMP/out")" 1
}

test_one_platform_that_fails_fails_the_build() {
    need_run
    import_busybox
    cat >Dockerfile <<'END'
FROM --platform=$BUILDPLATFORM busybox AS build
ARG TARGETARCH
RUN [ $TARGETARCH != arm64 ] || { echo no arm here; exit 3; }
FROM scratch
COPY --from=build /bin/true /
END
    fails 1 cbuild -t app --platform linux/amd64,linux/arm64 .
    err_has 'Dockerfile:3: linux/arm64: process "/bin/sh -c [ $TARGETARCH'
    err_has 'no arm here'
    fails 3 cbuild inspect app
    ok cbuild -q -t app --platform linux/amd64,linux/s390x .
}

test_two_images_for_one_platform_are_refused() {
    printf 'FROM --platform=linux/arm64 scratch\n' >Dockerfile
    fails 2 cbuild --platform linux/amd64,linux/arm64 .
    err_has 'Dockerfile:1: the images for linux/amd64 and linux/arm64 are both for linux/arm64'
    fails 2 cbuild --platform linux/amd64, .
    fails 2 cbuild --platform linux/amd64,linux/amr64 .
    err_has 'did you mean'
}

# An index "base" in the store: a file /of says which member it is.
make_base() {
    mkdir -p "$TEST_TMP/base"
    printf 'FROM scratch\nARG TARGETPLATFORM\nLABEL of=$TARGETPLATFORM\n' >"$TEST_TMP/base/Dockerfile"
    cbuild -q -t "$1" --platform "$2" "$TEST_TMP/base" >/dev/null
}

test_of_a_base_that_is_an_index_each_gets_its_member() {
    make_base base linux/amd64,linux/arm/v6,linux/arm/v5,linux/arm64
    printf 'FROM base\nENV A=b\n' >Dockerfile
    ok cbuild -q -t app --platform linux/arm64,linux/arm/v7,linux/amd64 .
    equal "$(config app arm64 | jq -r .config.Labels.of)" linux/arm64
    equal "$(config app arm | jq -r .config.Labels.of)" linux/arm/v6 "the best variant"
    equal "$(config app amd64 | jq -r .config.Labels.of)" linux/amd64
    equal "$(index app | jq -c '[.manifests[].platform.variant]')" '[null,"v6",null]' "config and index agree"
}

test_a_platform_that_a_base_lacks_is_told_with_those_it_has() {
    registry_program >/dev/null || skip "needs docker-registry"
    registry_start
    make_base "$REGISTRY_HOST/x/base:1" linux/amd64,linux/arm/v6
    ok cbuild push -q "$REGISTRY_HOST/x/base:1"
    ok cbuild rmi "$REGISTRY_HOST/x/base:1"
    printf 'FROM %s/x/base:1\nLABEL a=b\n' "$REGISTRY_HOST" >Dockerfile
    fails 3 cbuild -t app --platform linux/amd64,linux/s390x .
    err_has 'no image for platform linux/s390x: there is one for linux/amd64, linux/arm/v6'
    err_has 'Dockerfile:1: linux/s390x: pulling'
    ok cbuild -q -t app --platform linux/amd64,linux/arm/v7 .
    equal "$(config app arm | jq -r .config.Labels.of)" linux/arm/v6
}

test_annotations_find_their_places() {
    printf 'FROM scratch\nLABEL a=b\n' >Dockerfile
    ok cbuild -q -t app --platform linux/amd64,linux/arm64 --annotation all=1 --annotation 'index:i=2' \
        --annotation 'manifest[linux/arm64]:arm=3' --annotation 'manifest-descriptor[linux/amd64]:d=4' \
        --annotation 'index-descriptor:id=5' .
    equal "$(index app | jq -c .annotations)" '{"i":"2"}'
    equal "$(index app | jq -c '[.manifests[].annotations]')" '[{"d":"4"},null]'
    equal "$(blob "$(member app amd64)" | jq -c .annotations)" '{"all":"1"}'
    equal "$(blob "$(member app arm64)" | jq -c .annotations)" '{"all":"1","arm":"3"}'
    equal "$(jq -r '.manifests[] | select(.annotations.id == "5").mediaType' "$CBUILD_ROOT/index.json")" application/vnd.oci.image.index.v1+json
    ok cbuild -t app --platform linux/amd64,linux/arm64 --annotation 'manifest[linux/s390x]:arm=3' .
    err_has 'no image for linux/s390x is built'
}

test_the_registry_gets_children_before_the_index() {
    need skopeo
    registry_program >/dev/null || skip "needs docker-registry"
    echo x >f
    printf 'FROM scratch\nCOPY f /\nARG TARGETARCH\nLABEL of=$TARGETARCH\n' >Dockerfile
    registry_start
    local ref=$REGISTRY_HOST/x/app:1 puts
    ok cbuild -q --push -t "$ref" --platform $THREE .
    puts=$(grep -o 'http.request.method=PUT .*http.request.uri=[^ ]*' "$REGISTRY_LOG" | grep -o '/manifests/.*')
    equal "$(echo "$puts" | tail -n 1 | cut -d'?' -f1)" /manifests/1 "$puts"
    equal "$(echo "$puts" | grep -c sha256:)" 3 "$puts"
    equal "$(grep -c 'method=PUT .*/blobs/' "$REGISTRY_LOG")" 4 "one layer, three configs"
    skopeo inspect --raw --tls-verify=false "docker://$ref" >raw
    cmp raw <(index "$ref")
    for arch in amd64 arm64 arm; do
        equal "$(skopeo --override-arch $arch inspect --tls-verify=false "docker://$ref" | jq -r .Labels.of)" $arch
        ok skopeo --override-arch $arch copy --src-tls-verify=false "docker://$ref" "oci:$PWD/$arch:1"
        equal "$(layout_digest $arch 1)" "$(member "$ref" $arch)"
    done
    # by platform, and whole
    CBUILD_ROOT=$TEST_TMP/other
    ok cbuild pull -q --platform linux/arm64 "$ref"
    equal "$(cbuild inspect -f '{{.Architecture}}' "$ref")" arm64
    ok cbuild pull -q --all-platforms "$ref"
    cmp raw <(index "$ref")
    # one of them under a name of its own
    ok cbuild tag "$ref" "$REGISTRY_HOST/x/arm:1"
    ok cbuild push -q --platform linux/arm64 "$REGISTRY_HOST/x/arm:1"
    equal "$(skopeo inspect --raw --tls-verify=false "docker://$REGISTRY_HOST/x/arm:1" | sha256sum | cut -d' ' -f1)" \
        "$(member "$ref" arm64 | cut -d: -f2)"
    # the host's base keeps its name where another platform's is built upon
    CBUILD_ROOT=$TEST_TMP/third
    local other=arm64 host
    [ "$(uname -m)" != aarch64 ] || other=amd64
    printf 'FROM %s\nLABEL a=b\n' "$ref" >Dockerfile
    ok cbuild -q -t app .
    host=$(cbuild inspect -f '{{.Architecture}}' "$ref")
    ok cbuild -q -t app --platform linux/$other .
    equal "$(cbuild inspect -f '{{.Architecture}}' app)" $other
    equal "$(cbuild inspect -f '{{.Architecture}}' "$ref")" "$host"
}

test_podman_takes_its_platform() {
    need podman
    registry_program >/dev/null || skip "needs docker-registry"
    printf 'FROM scratch\nARG TARGETARCH\nLABEL of=$TARGETARCH\n' >Dockerfile
    registry_start
    ok cbuild -q --push -t "$REGISTRY_HOST/x/app:1" --platform $THREE .
    podman() { command podman --root "$TEST_TMP/podman" --runroot "$TEST_TMP/podman-run" --storage-driver vfs "$@"; }
    podman info >/dev/null 2>&1 || skip "podman doesn't work here"
    ok podman pull -q --tls-verify=false --arch arm64 "$REGISTRY_HOST/x/app:1"
    equal "$(podman inspect -f '{{index .Labels "of"}}' "$REGISTRY_HOST/x/app:1")" arm64
}

test_archives_hold_all_or_the_one_asked_for() {
    need skopeo
    echo x >f
    printf 'FROM scratch\nCOPY f /\nARG TARGETARCH\nLABEL of=$TARGETARCH\n' >Dockerfile
    ok cbuild -q -t app --platform $THREE .
    ok cbuild save -o both.tar app
    mkdir both && tar -xf both.tar -C both
    equal "$(layout_digest both latest 2>/dev/null || jq -r '.manifests[0].digest' both/index.json)" "$(image_id app)"
    equal "$(find both/blobs/sha256 -type f | wc -l)" 8 "index, three manifests, three configs, a layer"
    equal "$(jq length both/manifest.json)" 1
    equal "$(jq -r .config.Labels.of "both/$(jq -r '.[0].Config' both/manifest.json)")" amd64
    ok cbuild save --format docker --platform linux/arm64 -o arm.tar app
    equal "$(skopeo inspect --config docker-archive:arm.tar | jq -r .config.Labels.of)" arm64
    ok cbuild -q -t foreign --platform linux/arm64,linux/arm/v7 .
    fails 3 cbuild save --format docker -o none.tar foreign
    err_has 'there is one for linux/arm64, linux/arm/v7'
    err_has 'hint: a docker archive holds one platform: name it with --platform'
    is_absent none.tar
    ok cbuild copy -q store:app oci:layout:1
    equal "$(layout_digest layout 1)" "$(image_id app)"
    app=$(image_id app)
    CBUILD_ROOT=$TEST_TMP/third
    ok cbuild load --platform linux/arm64 -i both.tar
    equal "$(cbuild inspect -f '{{.Architecture}} {{.RepoTags}}' app)" 'arm64 [app:latest]'
    [ "$(image_id app)" != "$app" ] || fail "the index has the name"
    fails 3 cbuild load --platform linux/s390x -i both.tar
    err_has 'linux/arm64'
    fails 3 cbuild load --platform linux/amd64 -i arm.tar
    err_has 'no image for platform linux/amd64: it is for linux/arm64'
    ok cbuild load --platform arm64 -i arm.tar
    fails 2 cbuild load --platform linux/../x -i arm.tar
    equal "$(cbuild images -q | wc -l)" 2 "$(cbuild images)"
    CBUILD_ROOT=$TEST_TMP/other
    ok cbuild load -q -i both.tar
    equal "$(index app | jq '.manifests | length')" 3
    store_verifies
}

test_the_store_shows_keeps_and_forgets_an_index() {
    echo x >f
    printf 'FROM scratch\nCOPY f /\nARG TARGETARCH\nLABEL of=$TARGETARCH\n' >Dockerfile
    ok cbuild -q -t app --platform $THREE .
    equal "$(cbuild images -q --no-trunc)" "$(image_id app)"
    equal "$(cbuild inspect -f '{{.Architecture}}' app)" amd64
    equal "$(cbuild inspect --platform linux/arm/v7 -f '{{.Architecture}}' app)" arm
    ok cbuild history --platform linux/arm64 --no-trunc app
    out_has 'LABEL of=arm64'
    fails 3 cbuild history --platform linux/s390x app
    err_has 'there is one for linux/amd64, linux/arm64, linux/arm/v7'
    ok cbuild prune
    store_verifies
    equal "$(index app | jq -r '.manifests[].digest' | while read -r d; do blob "$d" | jq -r '.layers[0].digest'; done | sort -u | wc -l)" 1
    # the single images are in it, and go with it
    ok cbuild rmi app
    ok cbuild prune -a
    equal "$(find "$CBUILD_ROOT/blobs/sha256" -type f | wc -l)" 0
}

test_a_platform_that_leaves_its_folder_is_refused() {
    for platform in linux/../amd64 linux/. linux/amd64/..; do
        printf 'FROM --platform=%s scratch\n' "$platform" >Dockerfile
        fails 1 cbuild .
        err_has 'expected os/arch[/variant]'
        printf 'FROM scratch\n' >Dockerfile
        fails 2 cbuild --platform "$platform" .
        fails 2 cbuild pull --platform "$platform" docker.invalid/x
    done
    printf 'FROM scratch\nCOPY Dockerfile /\n' >Dockerfile && cbuild -q -t app . >/dev/null
    mkdir l && cbuild save --format oci app | tar -xf - -C l
    layout_edit_config l '.architecture = "../../x"'
    printf 'FROM base\nCOPY Dockerfile /\n' >Dockerfile
    fails 1 cbuild --build-context base=oci-layout://$PWD/l:latest -o out .
    err_has '/architecture: "../../x" can'"'"'t be part of a platform'
    fails 1 cbuild copy -q oci:l:latest store:bad
    layout_edit_index() { # FILTER
        jq -c "$1" l/index.json >index && cat index >l/index.json
    }
    layout_edit_index '.manifests[0].platform = {os: "linux", architecture: "a/b"}'
    fails 1 cbuild copy -q oci:l:latest store:bad
    err_has '/platform/architecture: "a/b"'
}

run_tests "$@"
