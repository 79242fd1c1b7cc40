#!/bin/bash
# export and validate.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/registry.sh
. "$(dirname "$0")/registry.sh"
teardown() { registry_stop; }

layout() { python3 "$TOP/tests/e2e/make_layout.py" "$@"; }

# What files have to do with layers above: replaced, hidden, linked, moved to another kind
make_layers() { # NAME
    mkdir -p one/dir/sub one/gone one/kind ctx
    echo first >one/first && ln one/first one/dir/linked && ln one/first one/zz && echo keep >one/dir/keep
    echo old >one/dir/old && echo x >one/gone/x && echo y >one/kind/y && ln -s ../first one/dir/sym && mkfifo one/fifo
    chmod 4755 one/zz
    echo new >ctx/old && echo file >ctx/kind
    cat >Dockerfile <<'EOT'
FROM base
COPY ctx/old /dir/old
RUN ["/bin/rm", "-r", "/first", "/gone", "/kind"]
COPY ctx/kind /kind
RUN ["/bin/ln", "/dir/keep", "/dir/sub/again"]
COPY --chmod=0700 ctx /dir/sub/
EOT
    mkdir bb && cp -a one/. bb/ && mkdir bb/bin && cp /bin/busybox bb/bin/rm && cp /bin/busybox bb/bin/ln
    tar -C bb --owner=0 --group=0 -cf bb.tar . && cbuild import bb.tar base >/dev/null
    cbuild -q -t "$1" . >/dev/null
}

test_the_merged_tree_is_what_umoci_unpacks() {
    need_root
    need umoci
    make_layers app
    ok cbuild export -o app.tar app
    mkdir out && tar -C out --numeric-owner -xpf app.tar
    (cd out && find . -mindepth 1 -printf '%P %y %m %U:%G %s %T@ %n %l\n' | grep -v ' d ' | sort) >got
    image_tree app >/dev/null
    (cd "$TEST_TMP/tree" && find . -mindepth 1 -printf '%P %y %m %U:%G %s %T@ %n %l\n' | grep -v ' d ' | sort) >expected
    diff expected got
    (cd out && find . -mindepth 1 -type d -printf '%P %m %U:%G\n' | sort) >got
    (cd "$TEST_TMP/tree" && find . -mindepth 1 -type d -printf '%P %m %U:%G\n' | sort) >expected
    diff expected got
    is_absent out/first
    is_absent out/gone
    equal "$(cat out/dir/linked)" first # its first name is hidden
    equal "$(stat -c %i out/zz)" "$(stat -c %i out/dir/linked)"
    # the same bytes each time, and no directory form was made for it
    cbuild export app | cmp - app.tar
    cbuild save -o app.oci.tar app
    CBUILD_ROOT=$TEST_TMP/other cbuild export docker-archive:app.oci.tar - | cmp - app.tar
    equal "$(find "$TEST_TMP/other/layers" -mindepth 2 2>/dev/null | wc -l)" 0
}

test_export_of_a_registry_and_of_parts() {
    registry_program >/dev/null || skip "needs docker-registry"
    registry_start
    layout l
    cbuild copy -q oci:l:plain "$REGISTRY_HOST/x/plain" >/dev/null
    ok cbuild export --platform linux/s390x "$REGISTRY_HOST/x/plain" arch.tar
    equal "$(tar -xOf arch.tar f1)" 'for linux/s390x'
    equal "$(tar -tf arch.tar | sort | tr '\n' ' ')" 'f0 f1 '
    ok cbuild images -q
    out_is '' # it got no name
    fails 3 cbuild export "$REGISTRY_HOST/x/none" none.tar
    is_absent none.tar
    fails 1 cbuild export oci:l:artifact none.tar
    is_absent none.tar
    fails 2 cbuild export
    ok cbuild copy -q oci:l:image store:app:1
    ok cbuild export app:1 - # the store goes before the registry of that name
    store_verifies
}

test_validate_passes_what_is_whole_wherever_it_lies() {
    registry_program >/dev/null || skip "needs docker-registry"
    registry_start
    layout l
    for tag in image docker six artifact foreign list; do
        cbuild copy -q oci:l:$tag "$REGISTRY_HOST/x/$tag" >/dev/null
        for place in "$REGISTRY_HOST/x/$tag" oci:l:$tag; do
            ok cbuild validate "$place"
            out_has "PASS: $place: $(layout_digest l $tag)"
            ok cbuild validate --fast "$place"
            out_has "which weren't read"
        done
    done
    ok cbuild copy -q oci:l:six store:six
    ok cbuild validate six
    out_has '10 manifests'
    fails 3 cbuild validate oci:l:nope
}

damage() { printf X | dd of="$1" bs=1 seek="${2:-20}" conv=notrunc status=none; }
blob() { layout_blob l "$1"; }


test_validate_names_what_is_wrong() {
    layout good
    manifest=$(layout_digest good image)
    layer=$(jq -r '.layers[1].digest' "good/blobs/sha256/${manifest#sha256:}")
    config=$(jq -r '.config.digest' "good/blobs/sha256/${manifest#sha256:}")
    fresh() { rm -rf l && cp -r good l; }
    fresh
    damage "$(blob "$layer")"
    fails 6 cbuild validate oci:l:image
    out_has "FAIL: layer $layer"
    ok cbuild validate --fast oci:l:image
    fresh
    echo more >>"$(blob "$layer")"
    fails 6 cbuild validate --fast oci:l:image
    fresh
    rm "$(blob "$layer")"
    fails 6 cbuild validate --fast oci:l:image
    fails 6 cbuild validate oci:l:image
    out_has "FAIL: layer $layer"
    fresh
    damage "$(blob "$config")"
    fails 6 cbuild validate oci:l:image
    out_has "FAIL: config $config"
    fresh
    damage "$(blob "$manifest")"
    fails 1 cbuild validate oci:l:image
    # each of several faults is told
    fresh
    six=$(layout_digest good six)
    two=$(jq -r '.manifests[2].digest' "good/blobs/sha256/${six#sha256:}")
    damage "$(blob "$two")"
    rm "$(blob "$(jq -r '.config.digest' "good/blobs/sha256/$(jq -r '.manifests[4].digest' "good/blobs/sha256/${six#sha256:}" | cut -d: -f2)")")"
    fails 6 cbuild validate oci:l:six
    out_has "FAIL: manifest $two"
    equal "$(grep -c FAIL "$TEST_TMP/out")" 2
    err_has '2 things are wrong'
}

test_validate_compares_layers_and_platform_with_the_config() {
    layout l
    manifest=$(layout_digest l image)
    jq '.layers |= reverse' "$(blob "$manifest")" >swapped
    layout_replace l "$manifest" swapped
    fails 6 cbuild validate oci:l:image
    out_has 'the config says'
    plain=$(layout_digest l plain)
    sed 's/"s390x"/"mips64"/' "$(blob "$plain")" >other
    layout_replace l "$plain" other
    fails 6 cbuild validate oci:l:plain
    out_has 'it is for linux/s390x, the index says linux/mips64'
}

run_tests "$@"
