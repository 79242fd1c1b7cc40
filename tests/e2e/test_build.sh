#!/bin/bash
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

test_copy_onto_scratch_needs_no_root_and_no_run() {
    mkdir d && echo hello >d/f && printf 'FROM scratch\nCOPY d /d\nENV A=1\nCMD ["/d/f"]\n' >Dockerfile
    ok cbuild -t user/app:1.0 .
    ok cbuild inspect -f '{{json .Config.Cmd}} {{index .RepoTags 0}}' user/app:1.0
    out_is '["/d/f"] user/app:1.0'
    image_tree user/app:1.0 >tree
    grep -q '^d/f f 644 0:0 6 $' tree || fail "$(cat tree)"
}

test_the_word_build_may_be_left_out() {
    printf 'FROM scratch\nLABEL a=b\n' >Dockerfile
    ok cbuild -t one .
    ok cbuild build -t two .
    ok cbuild buildx build -t three .
    equal "$(image_id one)" "$(image_id two)"
    equal "$(image_id one)" "$(image_id three)"
}

test_dockerfile_on_standard_input_has_no_context() {
    printf 'FROM scratch\nCOPY <<EOT /f\nhi\nEOT\n' | cbuild -q -t x - >id
    equal "$(cat id)" "$(image_id x)"
    echo x >file
    printf 'FROM scratch\nCOPY file /\n' >D
    fails 3 cbuild -t y - <D
    err_has '<stdin>:2: '
}

test_dockerfile_option_dash_reads_standard_input_with_the_context() {
    echo x >file
    printf 'FROM scratch\nCOPY file /\n' | cbuild -q -t y -f - . >/dev/null
    image_tree y | grep -q '^file f'
}

test_run_works_in_every_form() {
    need_run
    import_busybox
    cat >Dockerfile <<'EOT'
FROM busybox
ARG WHO=world
ENV GREETING=hello
RUN echo "$GREETING $WHO" > /shell
RUN ["/bin/sh", "-c", "echo exec > /exec"]
RUN <<END
echo one > /heredoc
echo two >> /heredoc
END
RUN <<END cat > /data
content
END
SHELL ["/bin/sh", "-ec"]
RUN echo $0 > /sh; false || echo after >> /sh
EOT
    ok cbuild -t x .
    image_tree x >/dev/null
    equal "$(cat "$TEST_TMP/tree/shell")" "hello world"
    equal "$(cat "$TEST_TMP/tree/exec")" "exec"
    equal "$(cat "$TEST_TMP/tree/heredoc" | tr '\n' ,)" "one,two,"
    equal "$(cat "$TEST_TMP/tree/data")" "content"
}

test_run_true_gives_an_empty_layer() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN true\n' >Dockerfile
    ok cbuild -t x .
    cbuild save --format oci x | tar -xf - -C "$TEST_TMP"
    layer=$(jq -r '.manifests[0].digest' "$TEST_TMP/index.json" | tr : /)
    layer=$(jq -r '.layers[1].digest' "$TEST_TMP/blobs/$layer" | tr : /)
    equal "$(gzip -dc "$TEST_TMP/blobs/$layer" | tar -tf - | wc -l)" 0
}

test_run_leaves_no_mount_and_no_process() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN sleep %s & sleep 0.1; echo started\n' $LONG >Dockerfile
    ok cbuild -t x .
    equal "$(grep -F "$CBUILD_ROOT" /proc/self/mountinfo)" ''
    ! pgrep -f "^sleep $LONG\$" || fail "a process outlived its step"
}

test_stages_that_the_target_does_not_need_are_not_built() {
    printf 'FROM scratch AS a\nCOPY missing /\nFROM scratch AS b\nCOPY Dockerfile /x\nFROM not.there.invalid/image AS c\n' >Dockerfile
    ok cbuild -t x --target b .
    ok cbuild -t x --target B .
    fails 3 cbuild -t x --target bb .
    err_has 'did you mean "b"'
}

# Four stages whose RUNs see each other in a cache mount: /c/now holds a name per RUN that runs.
four_stages() { # COMMAND, which waits in between
    for i in 1 2 3 4; do
        printf 'FROM busybox AS s%s\nRUN --mount=type=cache,target=/c mkdir -p /c/now /c/seen && touch /c/now/%s && %s; ' \
            "$i" "$i" "$1"
        printf 'ls /c/now | wc -l >/n; rm /c/now/%s; touch /c/seen/%s\n' "$i" "$i"
    done
    printf 'FROM scratch\n'
    for i in 1 2 3 4; do printf 'COPY --from=s%s /n /n%s\n' "$i" "$i"; done
}

test_all_stages_that_are_ready_run_whatever_the_number_of_processors() {
    need_run
    import_busybox
    # none goes on before all four have been there
    four_stages 'for t in $(seq 2000); do [ $(ls /c/now /c/seen | grep -c [1-4]) -ge 4 ] && break; sleep 0.05; done; [ $t -lt 2000 ] || exit 9' >Dockerfile
    ok taskset -c "$(taskset -cp $$ | sed 's/.*[:,-] *//')" "$CBUILD" build -t x --network none .
    ok cbuild --no-cache -t x --network none --jobs 4 .
}

test_jobs_limits_how_many_RUNs_run_at_a_time() {
    need_run
    import_busybox
    four_stages 'sleep 0.2' >Dockerfile
    ok cbuild -t x --network none --jobs 1 .
    image_tree x >/dev/null
    for i in 1 2 3 4; do equal "$(cat "$TEST_TMP/tree/n$i")" 1; done
    ok cbuild --no-cache -t x --network none --jobs=2 .
    image_tree x >/dev/null
    for i in 1 2 3 4; do [ "$(cat "$TEST_TMP/tree/n$i")" -le 2 ] || fail "more than two at a time"; done
    # a step that waits for its turn ends when another one fails
    printf 'FROM busybox AS a\nRUN sleep 0.3; false\nFROM busybox AS b\nRUN sleep 0.3; false\nFROM a\nCOPY --from=b / /\n' >Dockerfile
    fails 1 cbuild -t x --network none --jobs 1 .
    err_has 'exit code: 1'
    fails 2 cbuild --jobs -1 .
}

# A layer that would take minutes, and its step waits for it: it is given up when another stage fails.
test_a_failure_ends_what_other_stages_make_at_once() {
    need_run
    import_busybox
    truncate -s 60G f
    printf 'FROM scratch AS a\nCOPY f /f\nFROM busybox AS b\nRUN --mount=type=cache,target=/c touch /c/f; until test -e /c/end; do sleep 0.05; done; exit 7\nFROM a\nCOPY --from=b / /\n' >Dockerfile
    # the other stage fails once the layer is being made
    {
        await_text '^#[0-9]* \[a 2/2\] COPY' "$TEST_TMP/err"
        in_mounts() { in_namespace find "$CBUILD_ROOT/cache/mounts" "$@" 2>/dev/null; }
        until [ -n "$(in_mounts -name f -execdir touch end \; -print)" ]; do sleep 0.05; done
    } &
    fails 1 timeout 120 "$CBUILD" --network none -t x .
    err_has 'Dockerfile:4: process'
    err_has 'CANCELED'
    equal "$(grep -c ^cbuild: "$TEST_TMP/err")" 1
    store_verifies
}

test_with_one_job_stages_run_in_the_order_of_the_Dockerfile() {
    need_run
    import_busybox
    for i in 1 2 3 4 5 6; do
        printf 'FROM busybox AS s%s\nRUN --mount=type=cache,target=/c echo %s >>/c/log; touch /n\n' "$i" "$i"
    done >Dockerfile
    echo 'FROM busybox' >>Dockerfile
    for i in 6 5 4 3 2 1; do echo "COPY --from=s$i /n /"; done >>Dockerfile
    echo 'RUN --mount=type=cache,target=/c [ "$(echo $(cat /c/log))" = "$ORDER" ]' >>Dockerfile
    sed -i 's/^FROM busybox$/&\nARG ORDER/' Dockerfile
    ok cbuild --network none --jobs 1 --build-arg 'ORDER=1 2 3 4 5 6' -t x .
    ok cbuild --network none --jobs 1 --no-cache --build-arg 'ORDER=1 2 3 4 5 6 1 2 3 4 5 6' -t x .
}

test_too_many_layers_are_refused_before_anything_runs() {
    { echo 'FROM no.such.host.invalid/image'; for _ in $(seq 501); do echo 'RUN true'; done; } >Dockerfile
    fails 1 cbuild -t x .
    err_has 'Dockerfile:502: layer 501 of stage stage-0: more than 500'
    import_busybox
    sed -i -e 's/^FROM .*/FROM busybox/' -e '$d' Dockerfile
    fails 1 cbuild -t x .
    err_has '1 layers of its base and 500 of its own: more than 500'
    err_lacks '[2/'
}

test_output_files_and_quiet_mode() {
    printf 'FROM scratch\nLABEL a=b\n' >Dockerfile
    ok cbuild -q -t user/app:1.0 --iidfile iid --metadata-file meta.json .
    equal "$(wc -l <"$TEST_TMP/out")" 1
    equal "$(cat iid)" "$(cat "$TEST_TMP/out")"
    equal "$(cat "$TEST_TMP/err")" ""
    equal "$(jq -r '."containerimage.digest"' meta.json)" "$(cat iid)"
    equal "$(jq -r '."image.name"' meta.json)" docker.io/user/app:1.0
    equal "$(cbuild inspect -f '{{.ConfigDigest}}' x 2>/dev/null || cbuild inspect -f '{{.ConfigDigest}}' user/app:1.0)" \
        "$(jq -r '."containerimage.config.digest"' meta.json)"
}

test_plain_progress_has_the_shape_that_scripts_know() {
    need_run
    import_busybox
    printf 'FROM busybox AS build\nRUN echo some text\nRUN echo other >&2\n' >Dockerfile
    ok cbuild -t x .
    grep -Eq '^#[0-9]+ \[build 2/3\] RUN echo some text$' "$TEST_TMP/err" || { show; fail "no step line"; }
    grep -Eq '^#[0-9]+ [0-9]+\.[0-9]+ some text$' "$TEST_TMP/err" || { show; fail "no output line"; }
    grep -Eq '^#[0-9]+ [0-9]+\.[0-9]+ other$' "$TEST_TMP/err" || { show; fail "no stderr line"; }
    grep -Eq '^#[0-9]+ DONE [0-9]+\.[0-9]s$' "$TEST_TMP/err" || { show; fail "no DONE"; }
    equal "$(cat "$TEST_TMP/out")" ""
    ok cbuild -t x .
    equal "$(grep -Ec '^#[0-9]+ CACHED$' "$TEST_TMP/err")" 2
}

test_build_args_and_their_warnings() {
    printf 'ARG G=global\nFROM scratch\nARG G\nARG VERSION=1\nLABEL g=$G v=$VERSION\n' >Dockerfile
    VERSION=7 ok cbuild -t x --build-arg VERSION --build-arg UNSET_HERE --build-arg VERSIONN=2 .
    err_has '--build-arg VERSIONN: no ARG of that name; did you mean VERSION?'
    err_lacks UNSET_HERE
    ok cbuild inspect -f '{{json .Config.Labels}}' x
    out_is '{"g":"global","v":"7"}'
}

test_build_args_of_triggers_are_no_mistake() {
    printf 'FROM scratch\nONBUILD ARG DEPTH=1\nONBUILD LABEL depth=$DEPTH\nENV A=1\n' >Dockerfile
    ok cbuild -t base --build-arg DEPTH=3 .
    err_lacks DEPTH
    printf 'FROM base\n' >Dockerfile
    ok cbuild -t x --build-arg DEPTH=3 --build-arg DEPHT=4 .
    equal "$(grep -c 'no ARG of that name' "$TEST_TMP/err")" 1
    err_has '--build-arg DEPHT: no ARG of that name; did you mean DEPTH?'
    ok cbuild inspect -f '{{json .Config.Labels}}' x
    out_is '{"depth":"3"}'
}

test_labels_of_the_command_line_come_last() {
    printf 'FROM scratch\nLABEL a=file b=file\n' >Dockerfile
    ok cbuild -t x --label a=cli .
    ok cbuild inspect -f '{{json .Config.Labels}}' x
    out_is '{"a":"cli","b":"file"}'
}

test_same_input_gives_the_same_digest_on_fresh_stores() {
    need_ids
    import_busybox
    mkdir src && echo one >src/a && ln -s a src/b
    cat >Dockerfile <<'EOT'
FROM busybox
COPY src /src
WORKDIR /w
RUN mkdir -p /x/y && echo z > /x/y/z && ln /x/y/z /x/l && chown -R 1000:1000 /x && ln -s z /x/y/s && rm /bin/nc
USER app
RUN echo mine > /tmp/mine
EOT
    export SOURCE_DATE_EPOCH=1700000000
    ok cbuild -q -t x .
    first=$(image_id x)
    CBUILD_ROOT=$CBUILD_ROOT-2
    import_busybox
    touch src/a
    ok cbuild -q -t x .
    equal "$(image_id x)" "$first"
}

test_layer_digests_stay_what_they_are() {
    mkdir d && printf 'hello\n' >d/f && ln -s f d/l && touch -h -d @1600000000 d/f d/l d
    printf 'FROM scratch\nCOPY d /d\nCOPY --chown=1:2 --chmod=600 d/f /g\n' >Dockerfile
    export SOURCE_DATE_EPOCH=1700000000
    ok cbuild -q -t x .
    ok cbuild inspect -f '{{join .RootFS.Layers "\n"}}' x
    # golden: a change here is a change of format version 1 (docs/FORMAT.md) and needs its reason in the commit
    diff - "$TEST_TMP/out" <<'EOT' || fail "other bytes"
sha256:867f8f508dbc9c4fc213847345e69e9608315a20b3bf1932d67aef4cd27bc7e9
sha256:7dd305e9a8b521a3d8de57dc4b4fa2501e2b82d3ba190e5002e19df6fc6ade1a
EOT
}

test_onbuild_triggers_fire_once_and_are_not_inherited() {
    printf 'FROM scratch\nONBUILD COPY f /f\nONBUILD LABEL fired=yes\n' >base.Dockerfile
    echo x >f
    ok cbuild -q -t base -f base.Dockerfile .
    printf 'FROM base\n' >Dockerfile
    ok cbuild -q -t child .
    image_tree child | grep -q '^f f'
    ok cbuild inspect -f '{{.Config.Labels.fired}} {{json .Config.OnBuild}}' child
    out_is 'yes null'
    printf 'FROM child\nLABEL x=y\n' >Dockerfile
    rm f
    ok cbuild -q -t grandchild .
}

test_dockerignore_hides_files_and_a_dockerfile_may_have_its_own() {
    mkdir node_modules && touch keep drop node_modules/x
    printf 'node_modules\ndrop\n' >.dockerignore
    printf 'FROM scratch\nCOPY . /\n' >Dockerfile
    ok cbuild -q -t x .
    image_tree x | awk '{print $1}' >tree
    grep -qx keep tree && ! grep -qx drop tree && ! grep -q node_modules tree || fail "$(cat tree)"
    cp Dockerfile other.Dockerfile
    printf 'keep\n' >other.Dockerfile.dockerignore
    ok cbuild -q -t y -f other.Dockerfile .
    image_tree y | awk '{print $1}' >tree
    ! grep -qx keep tree && grep -qx drop tree || fail "$(cat tree)"
}

test_add_unpacks_archives_of_every_compression() {
    need xz bzip2 zstd gzip
    mkdir a && echo x >a/f && tar -cf p.tar a && gzip -k p.tar && xz -k p.tar && bzip2 -k p.tar && zstd -q p.tar
    printf 'FROM scratch\nADD p.tar /1\nADD p.tar.gz /2\nADD p.tar.xz /3/\nADD p.tar.bz2 /4\nADD p.tar.zst /5\nADD --unpack=false p.tar /6/\n' >Dockerfile
    ok cbuild -q -t x .
    image_tree x >tree
    for n in 1 2 3 4 5; do grep -q "^$n/a/f f" tree || fail "$n: $(cat tree)"; done
    grep -q '^6/p.tar f' tree
}

test_add_downloads_and_checks_the_checksum() {
    need python3
    mkdir www && echo payload >www/file.txt
    python3 -u -m http.server --directory www --bind 127.0.0.1 0 >server.log 2>&1 &
    server=$!
    teardown() { kill "$server"; }
    await_text port server.log
    port=$(sed -n 's/.*port \([0-9]*\).*/\1/p' server.log)
    sum=$(sha256sum www/file.txt | cut -d' ' -f1)
    printf 'FROM scratch\nADD --checksum=sha256:%s http://127.0.0.1:%s/file.txt /d/\n' "$sum" "$port" >Dockerfile
    ok cbuild -q -t x .
    image_tree x | grep -q '^d/file.txt f 600 0:0 8'
    printf 'FROM scratch\nADD --checksum=sha256:%064d http://127.0.0.1:%s/file.txt /d/\n' 1 "$port" >Dockerfile
    fails 1 cbuild -t y .
    err_has 'Dockerfile:2: '
    err_has "$sum"
    for text in one two; do # the checksum is of the download alone
        printf 'FROM scratch\nADD --checksum=sha256:%s http://127.0.0.1:%s/file.txt <<E /d/\n%s\nE\n' "$sum" "$port" $text >Dockerfile
        ok cbuild -q -t x .
        image_tree x >/dev/null
        equal "$(cat "$TEST_TMP/tree/d/E")" $text
    done
    printf 'FROM scratch\nADD http://127.0.0.1:%s/missing /d/\n' "$port" >Dockerfile
    fails 3 cbuild -t y .
}

run_tests "$@"
