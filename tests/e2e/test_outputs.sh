#!/bin/bash
# build --output: files instead of an image.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

write_context() {
    mkdir -p ctx/d/deep
    echo one >ctx/d/one
    echo two >ctx/d/deep/two
    ln -s one ctx/d/link
    ln ctx/d/one ctx/d/again
    chmod 4755 ctx/d/one
    printf 'FROM scratch\nCOPY --chown=7:8 d /d\nARG TARGETARCH\nCOPY <<END /arch\n$TARGETARCH\nEND\n' >ctx/Dockerfile
}
listing() { (cd "$1" && find . -printf '%P %y %l\n' | sort | tr '\n' ';'); }

test_local_output_is_the_callers() {
    write_context
    ok cbuild -o out ctx
    equal "$(listing out)" ' d ;arch f ;d d ;d/again f ;d/deep d ;d/deep/two f ;d/link l one;d/one f ;'
    equal "$(find out ! -uid "$(id -u)" | wc -l)" 0 "owned by somebody else"
    equal "$(stat -c %a out/d/one)" 755 "set-id bits are of images"
    equal "$(cat out/d/deep/two)" two
    [ out/d/one -ef out/d/again ] || equal "$(cat out/d/one)" "$(cat out/d/again)"
    # what stands there is replaced, or stays
    echo mine >out/mine
    rm out/d/link && mkdir -p elsewhere && echo kept >elsewhere/one && ln -s ../elsewhere/one out/d/link
    echo three >ctx/d/one
    ok cbuild --output type=local,dest=out ctx
    equal "$(cat out/d/one out/mine out/d/link elsewhere/one | tr '\n' ' ')" 'three mine three kept '
    # a link that leads out of it isn't followed
    rm -r out/d && ln -s ../elsewhere out/d
    fails 7 cbuild -o out ctx
    equal "$(listing elsewhere)" ' d ;one f ;'
    ok cbuild -o type=local,mode=copy,dest="$PWD/new/deep" ctx
    is_there new/deep/d/one
}

test_several_platforms_have_folders() {
    write_context
    ok cbuild --platform linux/amd64,linux/arm/v7 -o out -o type=tar,dest=t.tar ctx
    equal "$(cat out/linux_amd64/arch out/linux_arm_v7/arch | tr '\n' ' ')" 'amd64 arm '
    equal "$(tar -tf t.tar | grep 'one$\|/$' | sort | tr '\n' ' ')" \
        'linux_amd64/ linux_amd64/d/ linux_amd64/d/deep/ linux_amd64/d/one linux_arm_v7/ linux_arm_v7/d/ linux_arm_v7/d/deep/ linux_arm_v7/d/one '
    equal "$(tar -xOf t.tar linux_arm_v7/arch)" arm
    mkdir x && tar --no-same-owner -xf t.tar -C x && cmp x/linux_arm_v7/d/again x/linux_arm_v7/d/one
    # together, if they are no obstacle to each other
    fails 1 cbuild --platform linux/amd64,linux/arm/v7 -o type=local,dest=both,platform-split=false ctx
    err_has 'another platform has a file of this name'
    printf 'FROM scratch\nARG TARGETARCH\nCOPY d/one /bin/app-$TARGETARCH\n' >ctx/Dockerfile
    ok cbuild --platform linux/amd64,linux/arm/v7 -o type=local,dest=two,platform-split=false ctx
    equal "$(listing two)" ' d ;bin d ;bin/app-amd64 f ;bin/app-arm f ;'
    fails 1 cbuild --platform linux/amd64,linux/arm/v7 -o type=tar,dest=u.tar,platform-split=false ctx
    is_absent u.tar
}

test_a_tar_may_go_to_standard_output() {
    write_context
    ok cbuild -t app -o - ctx
    tar -tf "$TEST_TMP/out" | grep -qx d/deep/two
    cbuild export app | cmp - "$TEST_TMP/out"
    fails 2 cbuild -q -o - ctx
    err_has 'with -q that is the digest'
    fails 2 cbuild -o - -o type=oci ctx
}

test_archives_have_the_names() {
    need skopeo
    write_context
    ok cbuild -t app:1 -t other:2 -o type=oci,dest=o.tar -o type=docker,dest=d.tar,name=third ctx
    equal "$(skopeo inspect oci-archive:o.tar:1 | jq -r .Digest)" "$(image_id app:1)"
    equal "$(tar -xOf d.tar manifest.json | jq -c '[.[].RepoTags[]] | sort')" '["docker.io/library/app:1","docker.io/library/other:2","docker.io/library/third:latest"]'
    ok cbuild --platform linux/amd64,linux/arm64 -o type=oci,dest=two.tar ctx
    equal "$(tar -xOf two.tar index.json | jq -r '.manifests[0].mediaType')" application/vnd.oci.image.index.v1+json
    fails 3 cbuild --platform linux/s390x,linux/arm64 -o type=docker,dest=none.tar ctx
    err_has 'there is one for linux/s390x, linux/arm64'
    is_absent none.tar
}

test_what_cannot_be_written_is_said() {
    write_context
    fails 2 cbuild -o type=local ctx
    err_has 'dest=DIRECTORY is missing'
    fails 2 cbuild -o type=folder,dest=x ctx
    err_has 'local, tar, oci and docker'
    fails 2 cbuild -o type=tar,push=true,dest=x ctx
    err_has 'push: type, dest and platform-split are what there is'
    fails 1 cbuild -o type=docker,tar=false,dest=x ctx
    is_absent x
    fails 2 cbuild -o type=oci,tar=false ctx
    err_has 'dest=DIRECTORY is missing'
    fails 2 cbuild -o type=local,mode=wipe,dest=x ctx
    err_has 'copy and delete'
    echo file >taken
    run cbuild -o taken ctx
    [ "$status" != 0 ] || fail "a directory over a file"
    err_has '--output taken'
    # nothing is built for what can't be written
    fails 2 cbuild --output type=tar,dset=x ctx
    err_has 'did you mean dest=?'
}

test_an_oci_layout_may_be_a_directory() {
    need skopeo
    write_context
    ok cbuild -t app:1 -t app:two -o type=oci,tar=false,dest=lay ctx
    equal "$(skopeo inspect oci:lay:1 | jq -r .Digest)" "$(image_id app:1)"
    equal "$(jq -r '.manifests[].annotations["org.opencontainers.image.ref.name"]' lay/index.json | sort | xargs)" '1 two'
    first=$(image_id app:1)
    # other images stay, the same name is replaced
    echo three >ctx/d/one
    ok cbuild -t app:1 -o type=oci,tar=false,dest=lay ctx
    equal "$(layout_digest lay 1) $(layout_digest lay two)" "$(image_id app:1) $first"
    ok cbuild --platform linux/amd64,linux/arm64 -o type=oci,tar=false,dest=both ctx
    equal "$(jq -r '.manifests[].mediaType' both/index.json)" application/vnd.oci.image.index.v1+json
    ok cbuild validate oci:both
    mkdir full && echo mine >full/mine
    fails 1 cbuild -o type=oci,tar=false,dest=full ctx
    err_has 'it holds other files'
    equal "$(listing full)" ' d ;mine f ;'
}

test_delete_leaves_the_result_alone() {
    write_context
    mkdir -p out/d/deep/old out/gone/deep elsewhere/d
    echo kept >elsewhere/d/file
    ln -s ../elsewhere/d out/link
    ln -s ../../elsewhere out/gone/link
    echo old >out/d/deep/old/file
    mkdir out/d/one && echo in >out/d/one/in
    ln -s ../../elsewhere/d out/d/deep/l
    chmod 700 out/gone
    ok cbuild -o type=local,dest=out,mode=delete ctx
    equal "$(listing out)" ' d ;arch f ;d d ;d/again f ;d/deep d ;d/deep/two f ;d/link l one;d/one f ;'
    equal "$(listing elsewhere)" ' d ;d d ;d/file f ;'
    # a link where a directory is to be isn't followed
    rm -r out/d && ln -s ../elsewhere/d out/d
    ok cbuild -o type=local,dest=out,mode=delete ctx
    equal "$(listing out)" ' d ;arch f ;d d ;d/again f ;d/deep d ;d/deep/two f ;d/link l one;d/one f ;'
    equal "$(listing elsewhere)" ' d ;d d ;d/file f ;'
    # folders of platforms: those of others go, a link in the place of one does
    mkdir -p out/linux_s390x && ln -s ../elsewhere out/linux_amd64
    ok cbuild --platform linux/amd64,linux/arm64 -o type=local,dest=out,mode=delete ctx
    equal "$(cd out && echo *)" 'linux_amd64 linux_arm64'
    equal "$(listing elsewhere)" ' d ;d d ;d/file f ;'
    printf 'FROM scratch\nARG TARGETARCH\nCOPY d/one /bin/app-$TARGETARCH\n' >ctx/Dockerfile
    ok cbuild --platform linux/amd64,linux/arm64 -o type=local,dest=out,mode=delete,platform-split=false ctx
    ok cbuild --platform linux/amd64,linux/arm64 -o type=local,dest=out,mode=delete,platform-split=false ctx
    equal "$(listing out)" ' d ;bin d ;bin/app-amd64 f ;bin/app-arm64 f ;'
}

test_delete_asks_where_it_may_be_a_mistake() {
    write_context
    mkdir -p other/out home below
    echo kept >other/out/file
    echo kept >home/file
    ln -s ../other/out below/link
    top=$PWD
    cd below
    for dest in . .. ../other/out "$top/other/out" link ./link/new new/../../other / "$top"; do
        fails 2 cbuild -o "type=local,mode=delete,dest=$dest" ../ctx
        err_has 'mode=delete'
    done
    HOME=$top/home
    cd "$top"
    fails 2 cbuild -o type=local,mode=delete,dest=home ctx
    err_has 'your home directory'
    mkdir -p around && mv ctx around/
    for dest in around around/ctx; do
        fails 2 cbuild -o "type=local,mode=delete,dest=$dest" around/ctx
        err_has 'it holds the build context'
    done
    mv around/ctx .
    equal "$(cat other/out/file home/file | xargs)" 'kept kept'
    # never, whatever is allowed
    for dest in / //; do
        fails 2 cbuild --allow buildx.local.delete -o "type=local,mode=delete,dest=$dest" ctx
        err_has 'the whole file system'
    done
    mkdir -p st
    export CBUILD_ROOT=$PWD/st/deep
    fails 2 cbuild --allow buildx.local.delete -o type=local,mode=delete,dest=st ctx
    err_has "it holds cbuild's store"
    mkdir st/deep/mine
    for dest in st/deep/blobs st/deep/mine st/deep/tmp/new; do
        fails 2 cbuild --allow buildx.local.delete -o "type=local,mode=delete,dest=$dest" ctx
        err_has "it is in cbuild's store"
    done
    equal "$(grep -o -- --output "$TEST_TMP/err" | wc -l)" 1 "mentions of --output"
    store_verifies
    cd below
    ok cbuild --allow buildx.local.delete -o type=local,mode=delete,dest=link ../ctx
    is_absent "$top/other/out/file"
    is_there "$top/other/out/d/one"
}

# Written through: to root, /dev/stdout itself would be lost. Stand-ins of our own here.
test_links_stay_links() {
    printf 'FROM scratch\nLABEL a=b\n' >Dockerfile
    ln -s /proc/self/fd/1 stdout
    ln -s stdout again
    ok sh -c '"$CBUILD" -q -t x --iidfile again --metadata-file stdout . >all'
    [ -L stdout ] && [ -L again ] || fail "a link was replaced"
    id=$(image_id x)
    equal "$(head -c 71 all)" "$id"
    equal "$(tail -n 1 all)" "$id"
    grep -q '"containerimage.digest"' all || fail "all lacks the metadata"
    ok sh -c '"$CBUILD" save -o stdout x >saved.tar'
    tar -tf saved.tar | grep -q '^index.json$' || fail "saved.tar is no archive"
    ok sh -c '"$CBUILD" copy --digestfile stdout store:x oci:layout:x >copied'
    [ -L stdout ] || fail "a link was replaced"
    # to a file: the file behind it is written
    echo old >file && ln -s file link
    ok cbuild -q -t x --iidfile link .
    [ -L link ] || fail "link was replaced"
    equal "$(cat file)" "$id"
    rm file
    ok cbuild -q -t x --iidfile link .
    [ -L link ] || fail "link was replaced"
    equal "$(cat file)" "$id"
}

test_a_pipe_waits_for_its_reader() {
    printf 'FROM scratch\nLABEL a=b\n' >Dockerfile
    has_ended() { ! grep -qs '^State:[[:space:]]*[^Z]' "/proc/$1/status"; }
    mkfifo pipe
    "$CBUILD" -q -t x --iidfile pipe . >out &
    await "$CBUILD" inspect x 2>/dev/null
    equal "$(cat pipe)" "$(image_id x)"
    ok wait $!
    "$CBUILD" -q -t y --iidfile pipe . >out &
    pid=$!
    await "$CBUILD" inspect y 2>/dev/null
    kill -TERM $pid
    await has_ended $pid
    status=0; wait $pid || status=$?
    equal "$status" 143
}

test_no_answer_of_an_earlier_build_stays_where_one_fails() {
    printf 'FROM scratch\nCOPY missing /\n' >Dockerfile
    echo sha256:old | tee iid meta.json >behind
    ln -s behind link
    fails 3 cbuild -q --iidfile iid --metadata-file meta.json .
    is_absent iid
    is_absent meta.json
    fails 3 cbuild -q --iidfile link .
    [ -L link ] || fail "link was removed"
    equal "$(cat behind)" ""
    mkfifo pipe
    fails 3 cbuild -q --iidfile pipe .
    [ -p pipe ] || fail "pipe was removed"
    # a stand-in for /dev/stdout, which a fault would cost root
    ln -s /proc/self/fd/1 stdout
    echo kept >log
    fails 3 sh -c '"$CBUILD" -q --iidfile stdout . >>log'
    equal "$(cat log)" kept
}

run_tests "$@"
