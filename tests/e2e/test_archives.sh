#!/bin/bash
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# Archives between cbuild and podman, both ways. Podman's storage lies in the test's own folder.

podman_here() {
    podman --root "$TEST_TMP/podman" --runroot "$TEST_TMP/podman-run" --storage-driver vfs "$@"
}

teardown() {
    [ ! -d "$TEST_TMP/podman" ] || podman_here rmi -af >/dev/null 2>&1 || :
}

make_image() { # NAME
    mkdir -p root/etc root/bin && echo hello >root/etc/f && echo '#!' >root/bin/a && ln root/bin/a root/bin/b &&
        ln -s /etc/f root/link && tar -C root -cJf root.tar.xz . && cbuild import root.tar.xz "$1" >/dev/null
}

test_podman_loads_every_format_under_its_name() {
    need podman
    need_run
    make_image app:1.0
    for format in both oci docker; do
        case $format in both) set -- ;; *) set -- --format $format ;; esac
        ok cbuild save "$@" -o image.tar app:1.0
        ok podman_here load -q -i image.tar
        out_has 'docker.io/library/app:1.0'
        ok podman_here inspect -f '{{.Id}}' docker.io/library/app:1.0
        out_is "$(cbuild inspect -f '{{.ConfigDigest}}' app:1.0 | cut -d: -f2)"
        podman_here rmi -af >/dev/null
    done
}

test_archives_of_podman_are_loaded_with_the_image_id() {
    need podman
    need_run
    make_image app:1.0
    config=$(cbuild inspect -f '{{.ConfigDigest}}' app:1.0)
    cbuild save -o image.tar app:1.0
    podman_here load -q -i image.tar >/dev/null
    podman_here tag app:1.0 docker.io/user/other:7
    podman_here save -q --format docker-archive -o docker.tar docker.io/user/other:7
    podman_here save -q --format oci-archive -o oci.tar docker.io/user/other:7
    podman_here save -q -m -o several.tar docker.io/user/other:7 docker.io/library/app:1.0
    for archive in docker oci several; do
        export CBUILD_ROOT=$TEST_TMP/store-$archive
        cat $archive.tar | cbuild load >out || fail "loading $archive.tar"
        grep -qx 'Loaded image: user/other:7' out || fail "user/other:7 in $archive.tar"
        [ $archive != several ] || grep -qx 'Loaded image: app:1.0' out || fail "app:1.0 in $archive.tar"
        store_verifies
        equal "$(cbuild inspect -f '{{.ConfigDigest}}' user/other:7)" "$config" "$archive"
    done
}

test_a_cut_archive_is_refused_and_the_store_verifies() {
    make_image app:1.0
    cbuild save -o image.tar app:1.0
    export CBUILD_ROOT=$CBUILD_ROOT-2
    size=$(stat -c %s image.tar)
    for part in 100 700 $((size / 2)) $((size - 5000)); do
        head -c "$part" image.tar >cut.tar
        fails 1 cbuild load -i cut.tar
    done
    ok cbuild images -q
    out_is ''
    store_verifies
}

run_tests "$@"
