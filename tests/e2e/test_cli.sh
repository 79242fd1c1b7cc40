#!/bin/bash
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

make_image() { # NAME TEXT [LABEL]
    mkdir -p ctx && echo "$2" >ctx/f
    printf 'FROM scratch\nCOPY f /\nENV A=1\nLABEL kind=%s empty=\n' "${3:-none}" >ctx/Dockerfile
    cbuild -q -t "$1" ctx >/dev/null
}

test_images_as_json_table_and_template() {
    make_image user/app:1.0 hello
    ok cbuild images --format json
    equal "$(jq -r '.Repository + ":" + .Tag + " " + .Size' "$TEST_TMP/out")" "user/app:1.0 6B"
    ok cbuild images --format '{{.ID}} {{.Digest}}'
    id=$(image_id user/app:1.0)
    out_is "${id:7:12} $id"
    ok cbuild images --format 'table {{.Repository}}\t{{.Tag}}\t{{.Size}}'
    out_is $'REPOSITORY   TAG   SIZE\nuser/app     1.0   6B'
    ok cbuild images --format table
    out_has 'IMAGE ID'
    ok cbuild images --digests
    out_has "$id"
    ok cbuild images --no-trunc
    out_has "$id"
    fails 2 cbuild images --format '{{.Nothing}}'
    err_has 'there is no .Nothing'
    fails 2 cbuild images --format '{{.ID'
    ok cbuild images --format 'table {{upper .Repository}}\t{{truncate .Digest 7}}\t{{if eq .Tag "1.0"}}yes{{end}}'
    out_is $'REPOSITORY   DIGEST    \nUSER/APP     sha256:   yes'
    fails 2 cbuild images --format '{{.ID}}{{end}}' nothing
    err_has 'column 10: end without'
}

test_images_filters() {
    export SOURCE_DATE_EPOCH=1000000000
    make_image user/old:1 old first
    SOURCE_DATE_EPOCH=1500000000
    make_image user/new:1 new second
    make_image user/new:2 newer second
    cbuild -q ctx >/dev/null
    cbuild tag user/new:2 other.example:5000/deep/er/new:2
    names() { ok cbuild images --format '{{.Repository}}:{{.Tag}}' "$@"; }
    names
    out_is $'user/new:1\nuser/new:2\nuser/old:1\nother.example:5000/deep/er/new:2'
    names user/new
    out_is $'user/new:1\nuser/new:2'
    names user/new:2
    out_is user/new:2
    names -f 'reference=user/*:1'
    out_is $'user/new:1\nuser/old:1'
    names -f 'reference=user/old' --filter 'reference=user/new:1'
    out_is $'user/new:1\nuser/old:1'
    names -f 'reference=*/new'
    out_is $'user/new:1\nuser/new:2'
    names -f label=kind=first
    out_is user/old:1
    names -f label=kind -f reference=user/new:1
    out_is user/new:1
    names -f label=nothing
    out_is ''
    names -f before=user/new:1
    out_is user/old:1
    names -f since=user/old:1 user/new
    out_is $'user/new:1\nuser/new:2'
    names -f until=2005-01-01
    out_is user/old:1
    names -f until=24h
    out_has user/new:2
    fails 2 cbuild images -f until=yesterday
    fails 2 cbuild images -f size=3
    err_has 'no such filter'
    fails 3 cbuild images -f before=nothing:1
}

test_dangling_images() {
    make_image app one
    make_image app two
    ok cbuild images --format '{{.Repository}} {{.Tag}}' -f dangling=true
    out_is '<none> <none>'
    ok cbuild images -q -f dangling=false
    equal "$(wc -l <"$TEST_TMP/out")" 1
    ok cbuild prune
    out_has 'Total reclaimed space'
    ok cbuild images -q -f dangling=true
    out_is ''
}

test_inspect_formats() {
    make_image app hello
    id=$(image_id app)
    ok cbuild inspect app
    equal "$(jq -r '.[0].Id' "$TEST_TMP/out")" "$id"
    equal "$(jq -r '.[0].Config.Cmd' "$TEST_TMP/out")" null
    for case in '{{.Id}}=>'"$id" '{{json .Config.Labels}}=>{"empty":"","kind":"none"}' \
        '{{index .RepoDigests 0}}=>app@'"$id" '{{index .Config.Labels "kind"}}=>none' \
        '{{index .Config.Labels "nothing"}}=>' '{{.Config.Labels | json}}=>{"empty":"","kind":"none"}' \
        '{{len .RootFS.Layers}}=>1' '{{join .RepoTags ", "}}=>app:latest' '{{upper .Os}}/{{.Architecture | lower}}=>LINUX/amd64' \
        '{{json .Config.Cmd}}=>null' '{{.Size}}\t{{.Os}}=>6'$'\t''linux' '{{.RootFS.Type}}=>layers'; do
        ok cbuild inspect -f "${case%%=>*}" app
        case $(uname -m) in x86_64) out_is "${case#*=>}" ;; esac
    done
    ok cbuild image inspect --type image --format '{{.Id}}' app app
    equal "$(wc -l <"$TEST_TMP/out")" 2
    ok cbuild inspect -f '{{range $i, $tag := .RepoTags}}{{if $i}}, {{end}}{{$tag}}{{else}}none{{end}}' app
    out_is app:latest
    ok cbuild inspect -f '{{with .Config.Healthcheck}}{{.Test}}{{else}}none{{end}}' app
    out_is none
    ok cbuild inspect -f json app
    equal "$(wc -l <"$TEST_TMP/out") $(jq -r '.[0].Os' "$TEST_TMP/out")" '1 linux'
    fails 2 cbuild inspect -f '{{range .RepoTags}}' app
    err_has '--format, column 3: {{end}} is missing'
    fails 3 cbuild inspect nothing
}

test_history_formats() {
    make_image app hello
    ok cbuild history app
    equal "$(wc -l <"$TEST_TMP/out")" 4
    sed -n 2p "$TEST_TMP/out" | grep -q 'LABEL kind=none' || { show; fail "the newest isn't first"; }
    ok cbuild history --format json app
    equal "$(jq -rs '.[2].CreatedBy + " " + .[2].Size' "$TEST_TMP/out")" "COPY f / 6B"
    ok cbuild history --format '{{.CreatedBy}}' app
    out_has 'ENV A=1'
    ok cbuild history --format 'table {{.CreatedBy}}\t{{.Size}}' app
    grep -Eq '^CREATED BY +SIZE$' "$TEST_TMP/out" || { show; fail "no header"; }
    ok cbuild history -q --no-trunc app
    equal "$(head -n 1 "$TEST_TMP/out")" "$(image_id app)"
    ok cbuild history -H=false --format '{{.Size}}' app
    out_has 6
}

test_tag_by_name_and_id() {
    make_image app hello
    id=$(image_id app)
    ok cbuild tag app user/other:2
    ok cbuild tag "${id:7:10}" third
    ok cbuild image tag user/other:2 registry.example:5000/x
    for name in user/other:2 third registry.example:5000/x:latest; do equal "$(image_id $name)" "$id"; done
    fails 2 cbuild tag app 'UPPER:1'
    fails 2 cbuild tag app "x@$id"
    fails 3 cbuild tag nothing x
    fails 2 cbuild tag app
    err_has 'usage: cbuild tag'
}

test_push_without_a_name_knows_what_was_built_here() {
    fails 2 cbuild push
    err_has 'nothing was built from this directory'
    make_image other:1 hello
    cbuild tag other:1 user/app:2
    mkdir elsewhere
    cd elsewhere || exit
    fails 2 cbuild push
    err_has 'docker.io/library/other:1'
    err_has 'docker.io/user/app:2'
    err_has 'hint: name an image: cbuild push NAME'
    fails 2 cbuild push --all-tags
    fails 2 cbuild push 'UPPER'
    fails 3 cbuild push user/nothing
    fails 3 cbuild push --all-tags user/nothing
    cd .. || exit
    # the tags of the build from here are pushed: nobody listens there
    printf 'FROM scratch\n' >Dockerfile
    ok cbuild -t 127.0.0.1:1/x .
    fails 5 cbuild push
    err_has 'pushing 127.0.0.1:1/x:latest'
}

test_help_tells_options_and_ways_to_say_them() {
    ok cbuild --help
    out_has 'Usage: cbuild [build] [OPTIONS] CONTEXT|-'
    for command in build push images history inspect save load tag rmi import prune fsck pull login; do
        ok cbuild "$command" --help
        out_has "cbuild "
        out_has 'Options:'
        ok cbuild help "$command"
    done
    ok cbuild build -h
    out_has '-t, --tag NAME'
    fails 2 cbuild images --qiuet
    err_has 'did you mean --quiet?'
    fails 2 cbuild images -x
    err_has 'unknown option -x'
    err_has 'hint: usage: cbuild images'
    fails 2 cbuild build --tag
    err_has '--tag needs a value: NAME'
    fails 2 cbuild build --no-cache=maybe .
    ok cbuild version
    out_has 'cbuild '
    ok cbuild --version
}

test_exit_statuses() {
    printf 'FROM scratch\nCOPY nothing /\n' >Dockerfile.missing
    printf 'FROM scratch\nWHAT\n' >Dockerfile.syntax
    printf 'FROM 127.0.0.1:1/x\n' >Dockerfile.network
    printf 'FROM scratch\n' >Dockerfile
    ok cbuild -t x .
    fails 1 cbuild -t x -f Dockerfile.syntax .
    fails 2 cbuild -t 'x y' .
    fails 2 cbuild --network=bridge .
    fails 2 cbuild --platform=linux/amd64,linux/ .
    fails 3 cbuild -t x -f Dockerfile.missing .
    fails 5 cbuild -t x -f Dockerfile.network .
    fails 3 cbuild rmi nothing
    echo broken >notastore && fails 7 cbuild images --root notastore/x
    mkdir other && echo x >other/file && fails 7 cbuild images --root other
    fails 7 sh -c '"$CBUILD" images >/dev/full'
    fails 7 sh -c '"$CBUILD" images >&-'
}

test_quiet_modes() {
    printf 'FROM scratch\nLABEL a=b\n' >Dockerfile
    for style in -q --progress=quiet --progress=none; do
        ok cbuild -t x $style .
        equal "$(cat "$TEST_TMP/err")" ""
    done
    ok cbuild -q -t x .
    out_is "$(image_id x)"
    BUILDKIT_PROGRESS=quiet ok cbuild -t x .
    equal "$(cat "$TEST_TMP/err")" ""
    BUILDKIT_PROGRESS=quiet ok cbuild -t x --progress plain .
    err_has 'exporting'
    BUILDKIT_PROGRESS=pretty fails 2 cbuild -t x .
    err_has '$BUILDKIT_PROGRESS=pretty'
    fails 2 cbuild -t x --progress=pretty .
    err_has '--progress=pretty'
    # an error is told in any case
    printf 'FROM scratch\nCOPY nothing /\n' >Dockerfile
    fails 3 cbuild -q -t x .
    err_has 'cbuild: Dockerfile:2: '
}

test_a_failing_run_shows_its_last_output_once() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN echo last words; exit 42\n' >Dockerfile
    fails 1 cbuild -t x .
    equal "$(grep -c '^#[0-9]* [0-9.]* last words$' "$TEST_TMP/err")" 1
    equal "$(grep -c 'last words$' "$TEST_TMP/err")" 1
    err_has 'exit code: 42'
    tail -n 1 "$TEST_TMP/err" | grep -q '^cbuild: Dockerfile:2: process ' || { show; fail "the message isn't last"; }
    fails 1 cbuild -q -t x .
    equal "$(grep -c '^last words$' "$TEST_TMP/err")" 1
    err_has ' > RUN echo last words; exit 42:'
    # between stages that run at the same time it is shown again, below their lines
    printf 'FROM busybox AS a\nRUN echo last words; exit 42\nFROM busybox\nCOPY --from=a / /a\n' >Dockerfile
    fails 1 cbuild -t x .
    equal "$(grep -c '^last words$' "$TEST_TMP/err")" 1
    err_has '>>> RUN echo last words'
}

test_closed_standard_streams_are_not_taken_for_files() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN echo some output; cat\n' >Dockerfile
    ok sh -c '"$CBUILD" -t x . <&- 2>&-'
    ok sh -c '"$CBUILD" -t y --no-cache . <&- >&- 2>&-'
    store_verifies
    ok cbuild inspect y
    fails 7 sh -c '"$CBUILD" load <&-'
}

test_groups_of_commands_as_docker_has_them() {
    make_image app hello
    ok cbuild image ls -q
    ok cbuild image history app
    ok cbuild system df
    out_has 'Blobs'
    out_has 'Cache mounts'
    ok cbuild buildx build -q -t y ctx
    ok cbuild builder prune -a -f
    ok cbuild buildx du
    out_has 'Cache mounts'
    ok cbuild buildx prune -f
    ok cbuild image rm app
    fails 3 cbuild inspect app
}

# Not taken for build's context with a second one after it
test_words_that_are_no_commands_are_named() {
    fails 2 cbuild run app
    err_has '"run" is neither a command nor a directory'
    fails 2 cbuild imagse app
    err_has 'did you mean "cbuild images"?'
    fails 2 cbuild image hisotry app
    err_has '"image hisotry" is no command'
    err_has 'did you mean "cbuild image history"?'
    fails 2 cbuild buildx create
    err_has '"buildx create" is no command'
    fails 2 cbuild help pusj
    err_has 'did you mean "cbuild push"?'
    for words in help -h image 'image nothing'; do
        # shellcheck disable=SC2086
        ok cbuild help $words
        out_has 'cbuild COMMAND --help'
    done
    ok cbuild help builder prune
    out_has 'Usage: cbuild prune'
    # what may be a context is one
    fails 3 cbuild nowhere -t x
    err_has 'build context nowhere'
    fails 3 cbuild nowhere:x
    err_has 'build context nowhere:x'
    mkdir image && printf 'FROM scratch\nLABEL a=b\n' >image/Dockerfile
    ok cbuild image -t x
    fails 2 cbuild image second
    err_has 'unexpected argument "second"'
}

test_what_scripts_for_other_builders_say() {
    printf 'FROM scratch\nLABEL a=b\n' >Dockerfile
    ok cbuild buildx build --builder ci --load --provenance=false --sbom=false -t x .
    ok cbuild build --rm --layers --format oci -t x .
    for option in --provenance=true --sbom=true --attest=type=sbom --squash --layers=false --format=docker \
        --cache-from=type=gha --cache-to=type=inline; do
        fails 2 cbuild build "$option" .
        err_has "cbuild: ${option%%=*}"
        err_has 'hint: '
        err_lacks 'unknown option'
    done
}

test_import_checks_the_name_first() {
    tar -cf root.tar -T /dev/null
    fails 2 cbuild import root.tar 'BAD NAME'
    equal "$(find "$CBUILD_ROOT/blobs" -type f 2>/dev/null | wc -l)" 0
    ok cbuild import root.tar
    ok cbuild images -q -f dangling=true
    equal "$(wc -l <"$TEST_TMP/out")" 1
    fails 2 cbuild import
    fails 3 cbuild import missing.tar x
}

run_tests "$@"
