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

config_of() { jq -r .config.digest; }

test_skopeo_reads_what_save_and_copy_write() {
    need skopeo
    make_image app:1.0
    config=$(cbuild inspect -f '{{.ConfigDigest}}' app:1.0)
    cbuild save -o both.tar app:1.0
    cbuild save --format oci -o oci.tar app:1.0
    cbuild save --format docker -o docker.tar app:1.0
    cbuild copy -q store:app:1.0 docker-archive:copied.tar:app:1.0 >/dev/null
    cbuild copy -q store:app:1.0 oci-archive:tagged.tar:1.0 >/dev/null
    cbuild copy -q store:app:1.0 oci-archive:named.tar:registry.example/app:1.0 >/dev/null
    cmp both.tar copied.tar # save and copy write the same archive
    for archive in docker-archive:both.tar docker-archive:docker.tar docker-archive:copied.tar docker-archive:both.tar:app:1.0 \
        oci-archive:both.tar oci-archive:oci.tar oci-archive:tagged.tar:1.0 oci-archive:named.tar:registry.example/app:1.0; do
        rm -rf d && skopeo copy -q "$archive" dir:d
        equal "$(config_of <d/manifest.json)" "$config" "$archive"
    done
    cbuild copy -q store:app:1.0 oci:layout:1.0 >/dev/null
    rm -rf d && skopeo copy -q oci:layout:1.0 dir:d
    equal "sha256:$(sha256sum <d/manifest.json | cut -d' ' -f1)" "$(image_id app:1.0)"
}

test_what_skopeo_writes_is_read() {
    need skopeo
    make_image app:1.0
    config=$(cbuild inspect -f '{{.ConfigDigest}}' app:1.0)
    id=$(image_id app:1.0)
    cbuild copy -q store:app:1.0 oci:layout:1.0 >/dev/null
    skopeo copy -q oci:layout:1.0 docker-archive:docker.tar:docker.io/user/app:2
    skopeo copy -q oci:layout:1.0 oci-archive:tagged.tar:2
    skopeo copy -q oci:layout:1.0 oci-archive:named.tar:docker.io/user/app:2
    skopeo copy -q oci:layout:1.0 oci-archive:plain.tar
    skopeo copy -q oci:layout:1.0 oci:skopeo-layout:2
    skopeo copy -q --format v2s2 oci:layout:1.0 dir:v2s2
    for place in docker-archive:docker.tar docker-archive:docker.tar:user/app:2 oci-archive:tagged.tar:2 oci-archive:tagged.tar \
        oci-archive:named.tar:user/app:2 oci-archive:named.tar:docker.io/user/app:2 oci-archive:plain.tar oci:skopeo-layout:2 dir:v2s2; do
        ok cbuild validate "$place"
        ok cbuild copy -q "$place" store:got
        case $place in
        docker-archive:* | dir:v2s2) ;;
        *) out_is "$id" ;;
        esac
        equal "$(cbuild inspect -f '{{.ConfigDigest}}' got)" "$config" "$place"
    done
    for archive in docker named; do
        ok cbuild load -i $archive.tar
        out_is 'Loaded image: user/app:2'
    done
    store_verifies
}

test_umoci_and_cbuild_share_a_layout() {
    need umoci
    need_root
    make_image app:1.0
    id=$(image_id app:1.0)
    umoci init --layout layout
    umoci new --image layout:empty
    ok cbuild copy -q store:app:1.0 oci:layout:ours
    equal "$(umoci ls --layout layout | sort | tr '\n' ' ')" 'empty ours '
    umoci unpack --image layout:ours bundle >/dev/null 2>&1
    equal "$(cat bundle/rootfs/etc/f)" hello
    echo more >bundle/rootfs/etc/more
    umoci repack --image layout:theirs bundle >/dev/null 2>&1
    ok cbuild copy -q oci:layout:theirs store:theirs
    ok cbuild export theirs all.tar
    equal "$(tar -xOf all.tar etc/more)" more
    ok cbuild validate oci:layout:theirs
    ok cbuild copy -q --platform local store:theirs oci:layout:ours # replaces that tag alone
    equal "$(umoci ls --layout layout | sort | tr '\n' ' ')" 'empty ours theirs '
    umoci gc --layout layout
    ok cbuild validate oci:layout:ours
    fails 3 cbuild copy -q "oci:layout@$id" dir:gone
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

# Holes are no bytes of the archive, which files are else unpacked from as they lie there.
test_sparse_files_of_a_layer_are_unpacked_with_their_holes() {
    local format
    mkdir root
    truncate -s 300000 root/f
    printf middle >>root/f
    truncate -s 1000000 root/f
    printf end >>root/f
    for format in gnu posix; do
        tar -C root --sparse --format=$format -cf sparse.tar f
        [ "$(stat -c %s sparse.tar)" -lt 100000 ] || skip "no holes here"
        # as it stands: an import would write it anew
        printf '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
            "$(sha256sum sparse.tar | cut -d' ' -f1)" >config.json
        printf '[{"Config":"config.json","RepoTags":["sparse:%s"],"Layers":["sparse.tar"]}]' $format >manifest.json
        tar -cf image.tar manifest.json config.json sparse.tar
        ok cbuild load -i image.tar
        printf 'FROM scratch\nCOPY --from=sparse:%s /f /g\n' $format >Dockerfile
        ok cbuild -q -t x .
        cbuild export x | tar -xOf - g | cmp - root/f
    done
}

run_tests "$@"
