#!/bin/bash
# What build's options do to an image.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

test_root_may_stand_before_the_command() {
    printf 'FROM scratch\nLABEL a=b\n' >Dockerfile
    ok cbuild --root "$TEST_TMP/other" build -t here .
    ok cbuild --root="$TEST_TMP/other" images -q
    equal "$(wc -l <"$TEST_TMP/out")" 1
    ok cbuild images -q
    out_is ''
    ok cbuild --root "$TEST_TMP/other" -t again .
    ok cbuild images -q --root "$TEST_TMP/other"
    fails 2 cbuild --root
    err_has '--root needs a value'
}

test_an_ignore_file_that_cant_be_read_is_an_error() {
    printf 'FROM scratch\nCOPY . /\n' >Dockerfile
    ln -s nowhere .dockerignore
    fails 3 cbuild -t x .
    err_has 'reading the ignore rules: opening ./.dockerignore'
    rm .dockerignore
    mkdir Dockerfile.dockerignore
    fails 1 cbuild -t x .
    err_has 'Dockerfile.dockerignore: not a regular file'
    fails 1 cbuild --check .
    rmdir Dockerfile.dockerignore
    ok cbuild -t x .
}

test_annotations_go_where_they_belong() {
    printf 'FROM scratch\nLABEL a=b\n' >Dockerfile
    cbuild -q -t x . >/dev/null
    arch=$(cbuild inspect -f '{{.Architecture}}' x)
    ok cbuild -t x --annotation plain=1 --annotation 'manifest:org.example/a:b=c=d' --annotation empty= \
        --annotation "manifest[linux/$arch]:x=y" --annotation 'a.b:c=d' \
        --annotation manifest-descriptor:in.layout=yes .
    cbuild save --format oci -o i.tar x && mkdir i && tar -C i -xf i.tar
    manifest=$(jq -r '.manifests[0].digest' i/index.json | tr : /)
    jq -e '.annotations == {"plain":"1","org.example/a:b":"c=d","empty":"","a.b:c":"d","x":"y"}' "i/blobs/$manifest" >&2
    equal "$(jq -r '.manifests[0].annotations["in.layout"]' i/index.json)" yes
    # one that is for another platform
    ok cbuild -t x --annotation 'manifest[linux/s390x]:x=y' .
    err_has 'no image for linux/s390x is built'
}

test_annotations_of_an_index_make_one() {
    printf 'FROM scratch\nLABEL a=b\n' >Dockerfile
    ok cbuild -t x --annotation index,manifest:a=b --annotation index-descriptor:c=d \
        --annotation manifest-descriptor:e=f --metadata-file meta .
    cbuild save --format oci -o i.tar x && mkdir i && tar -C i -xf i.tar
    equal "$(jq -r '.manifests[0] | .mediaType, .annotations.c' i/index.json)" \
        $'application/vnd.oci.image.index.v1+json\nd'
    index=i/blobs/$(jq -r '.manifests[0].digest' i/index.json | tr : /)
    equal "$(jq -r '.annotations.a, .manifests[0].annotations.e, .manifests[0].platform.os' "$index")" $'b\nf\nlinux'
    equal "$(jq -r .annotations.a "i/blobs/$(jq -r '.manifests[0].digest' "$index" | tr : /)")" b
    equal "$(jq -r '."containerimage.digest"' meta)" "$(image_id x)"
    equal "$(jq -r '."containerimage.descriptor".annotations.c' meta)" d
    ok cbuild -q -t y --build-arg BUILDKIT_MULTI_PLATFORM=1 .
    cbuild save --format oci -o j.tar y && mkdir j && tar -C j -xf j.tar
    equal "$(jq -r '.manifests[0].mediaType' j/index.json)" application/vnd.oci.image.index.v1+json
    # such an image is a base like any other
    printf 'FROM x\nLABEL c=d\n' >Dockerfile
    ok cbuild -t z .
    equal "$(cbuild inspect -f '{{json .Config.Labels}}' z)" '{"a":"b","c":"d"}'
    fails 2 cbuild --build-arg BUILDKIT_MULTI_PLATFORM=maybe .
    err_has '--build-arg BUILDKIT_MULTI_PLATFORM: "maybe" is neither true nor false'
    store_verifies
}

test_bad_annotations_name_the_types() {
    printf 'FROM scratch\n' >Dockerfile
    fails 2 cbuild --annotation manifst:a=b .
    err_has 'unknown type "manifst": manifest, index, manifest-descriptor and index-descriptor'
    err_has 'did you mean "manifest"?'
    fails 2 cbuild --annotation index,layer:a=b .
    err_has 'unknown type "layer"'
    fails 2 cbuild --annotation 'index[linux/amd64]:a=b' .
    err_has 'an index is of no platform'
    fails 2 cbuild --annotation 'manifest[lin ux/]:a=b' .
    fails 2 cbuild --annotation manifest:a .
    fails 2 cbuild --annotation manifest:=a .
    fails 2 cbuild --annotation =a .
}

test_no_cache_filter_runs_some_stages_again() {
    need_run
    import_busybox
    cat >Dockerfile <<'EOT'
FROM busybox AS First
RUN cat /proc/sys/kernel/random/uuid >/id
FROM busybox AS same
RUN echo 1 >/same && touch -d @1 /same
FROM first AS child
RUN cp /id /child
FROM busybox
COPY --from=child /child /child
COPY --from=same /same /same
EOT
    files() { image_tree x >/dev/null && cat "$TEST_TMP/tree/child"; }
    ok cbuild -t x .
    before=$(files)
    ok cbuild -t x --no-cache-filter FIRST .
    # what stands on a stage that came out otherwise is made of that
    [ "$(files)" != "$before" ] || fail "the old result was used"
    after=$(files)
    grep -A1 'same 2/2' "$TEST_TMP/err" | grep -q CACHED || { show; fail "an unnamed stage ran again"; }
    ok cbuild -t x .
    equal "$(grep -c CACHED "$TEST_TMP/err")" 5
    equal "$(files)" "$after"
    # a rerun that changes nothing stops there
    ok cbuild -t x --no-cache-filter=same .
    equal "$(grep -c CACHED "$TEST_TMP/err")" 4
    ok cbuild -t x --no-cache-filter=sme,child --no-cache-filter first .
    err_has '--no-cache-filter sme: no stage of that name (did you mean the stage "same"?)'
    equal "$(grep -c CACHED "$TEST_TMP/err")" 1
    ok cbuild plan --no-cache-filter same .
    out_has -- '--no-cache-filter'
}

test_build_args_come_from_files_and_the_environment() {
    printf 'FROM scratch\nARG A B C D=default E\nLABEL a="$A" b="$B" c="$C" d="$D" e="$E"\n' >Dockerfile
    printf '# a comment\n\nA=1\nB=two = # words\r\nC\nD\n E=no\nE=last' >args
    printf 'B=other\n' >more.args
    export C=env
    ok cbuild -t x --build-arg-file args .
    labels() { cbuild inspect -f '{{json .Config.Labels}}' x; }
    equal "$(labels)" '{"a":"1","b":"two = # words","c":"env","d":"default","e":"last"}'
    err_has '--build-arg  E: no ARG of that name'
    ok cbuild -t x --build-arg-file args --build-arg-file=more.args --build-arg A=cli --build-arg C .
    equal "$(labels)" '{"a":"cli","b":"other","c":"env","d":"default","e":"last"}'
    unset C
    # not set: taken back, as if it were never given
    ok cbuild -t x --build-arg A=1 --build-arg A= --build-arg C=1 --build-arg C .
    equal "$(labels)" '{"a":"","b":"","c":"","d":"default","e":""}'
    fails 3 cbuild --build-arg-file nothing .
    err_has '--build-arg-file: opening nothing'
    printf 'A=1\n=2\n' >args
    fails 2 cbuild --build-arg-file args .
    err_has '--build-arg-file args:2: no name before the ='
}

test_the_metadata_file_has_the_keys_that_scripts_read() {
    printf 'FROM scratch AS x\nLABEL a $b\n' >Dockerfile
    export BUILDX_METADATA_WARNINGS=1
    ok cbuild -t user/app:1 -t other --metadata-file meta --iidfile id --annotation manifest-descriptor:a=b .
    equal "$(jq -r 'keys_unsorted | sort | join(" ")' meta)" \
        'buildx.build.ref buildx.build.warnings containerimage.config.digest containerimage.descriptor containerimage.digest image.name'
    equal "$(jq -r '."image.name"' meta)" docker.io/user/app:1,docker.io/library/other:latest
    equal "$(cat id)" "$(image_id other)"
    equal "$(wc -c <id)" 71 "no newline"
    equal "$(jq -r '."containerimage.digest"' meta)" "$(cat id)"
    equal "$(jq -r '."containerimage.descriptor" | .mediaType, .digest, .annotations.a' meta)" \
        $'application/vnd.oci.image.manifest.v1+json\n'"$(cat id)"$'\nb'
    jq -r '."buildx.build.warnings"[] | (.short | @base64d) + " " + (.range[0].start.line | tostring)' meta >warnings
    grep -q 'LegacyKeyValueFormat.* 2$' warnings || fail "$(cat warnings)"
    [[ $(jq -r '."buildx.build.ref"' meta) == cbuild/cbuild/* ]]
    unset BUILDX_METADATA_WARNINGS
    ok cbuild -q --metadata-file meta .
    out_is "$(jq -r '."containerimage.digest"' meta)"
    equal "$(jq 'has("buildx.build.warnings") or has("image.name")' meta)" false
    fails 3 cbuild -q --metadata-file no/where .
    err_has --metadata-file
}

test_labels_come_last_and_need_a_name() {
    printf 'FROM scratch\nLABEL a=file b=file\n' >Dockerfile
    ok cbuild -t x --label a=cli --label c --label d=e=f .
    equal "$(cbuild inspect -f '{{json .Config.Labels}}' x)" '{"a":"cli","b":"file","c":"","d":"e=f"}'
    fails 2 cbuild --label =x .
    err_has '--label =x: expected KEY=VALUE'
}

test_git_modes_dont_depend_on_the_umask() {
    mkdir -p c/d
    printf 'FROM scratch\nCOPY . /\n' >c/Dockerfile
    echo 1 >c/d/f
    echo 2 >c/run
    chmod 755 c c/d c/run
    chmod 644 c/d/f c/Dockerfile
    ok cbuild -q -t x c
    id=$(image_id x)
    ok cbuild -q -t y --context-mode=git c
    equal "$(image_id y)" "$id" "modes that are git's"
    chmod 2775 c c/d
    chmod 664 c/d/f c/Dockerfile
    chmod 4775 c/run
    ok cbuild -t y --context-mode git c
    err_has CACHED
    equal "$(image_id y)" "$id"
    ok cbuild -q -t y --no-cache --context-mode git c
    image_tree y >y.tree
    image_tree x >x.tree
    cmp x.tree y.tree
    tar -C c -cf c.tar .
    cbuild -q -t z --context-mode=git - <c.tar
    image_tree z >z.tree
    cmp y.tree z.tree
    chmod 654 c/run # git looks at the owner's x
    ok cbuild -t y --context-mode git c
    err_has '#2 DONE'
    image_tree y | grep -qx 'run f 644 0:0 2 '
    ok cbuild -q -t y c
    image_tree y | grep -qx 'd/f f 664 0:0 2 '
    fails 2 cbuild --context-mode=tig c
    err_has 'disk and git are what there is'
}

test_named_contexts_may_be_of_a_platform() {
    mkdir any ours theirs c
    echo any >any/f && echo ours >ours/f && echo theirs >theirs/f
    printf 'FROM scratch\nLABEL a=b\n' | cbuild -q -t p - >/dev/null
    arch=$(cbuild inspect -f '{{.Architecture}}' p)
    printf 'FROM scratch AS one\nCOPY --from=src f /\nFROM --platform=linux/s390x src\nCOPY --from=src f /g\nCOPY --from=one f /h\n' >c/Dockerfile
    ok cbuild -q -t x --build-context "src::linux/$arch=ours" --build-context src=any --build-context src::linux/s390x=theirs c
    image_tree x >/dev/null
    equal "$(cat "$TEST_TMP/tree/f" "$TEST_TMP/tree/g" "$TEST_TMP/tree/h" | tr '\n' ,)" theirs,theirs,ours,
    # of another platform only: it isn't meant
    fails 3 cbuild -q -t x --build-context src::linux/mips64le=theirs --build-context src=nowhere c
    ok cbuild -q -t x --build-context src::linux/mips64le=nowhere --build-context src=any c
}

test_from_after_orders_stages_without_data() {
    need_run
    import_busybox
    cat >Dockerfile <<'EOT'
FROM busybox AS Slow
RUN --mount=type=cache,target=/c sleep 0.5; echo done >/c/slow
FROM --after=slow busybox AS next
RUN --mount=type=cache,target=/c cat /c/slow >/f
FROM --after=next --after=0 scratch
COPY Dockerfile /
EOT
    ok cbuild -t x .
    ok cbuild -t y --target next .
    image_tree y >/dev/null
    equal "$(cat "$TEST_TMP/tree/f")" "done"
    image_tree x >tree
    equal "$(wc -l <tree)" 2 "nothing of the others"
    printf 'FROM scratch AS one\nFROM --after=noe scratch\n' >Dockerfile
    fails 3 cbuild .
    err_has 'Dockerfile:2: --after=noe: no earlier stage has that name (did you mean the stage "one"?)'
}

run_tests "$@"
