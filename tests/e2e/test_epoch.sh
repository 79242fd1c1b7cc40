#!/bin/bash
# shellcheck disable=SC2154 # variables of lib.sh and sources.sh
# SOURCE_DATE_EPOCH in all its forms, and what becomes of times.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/sources.sh
. "$(dirname "$0")/sources.sh"

created() { cbuild inspect -f '{{.Created}}' "$1"; }
NEW=2020-09-13T12:26:40Z # MTIME, and the servers' Last-Modified

test_the_environment_counts_and_an_argument_wins() {
    printf 'FROM scratch\nARG SOURCE_DATE_EPOCH\nLABEL epoch=$SOURCE_DATE_EPOCH\n' >Dockerfile
    SOURCE_DATE_EPOCH=1000000000 ok cbuild -q -t x .
    equal "$(created x)" 2001-09-09T01:46:40Z
    equal "$(cbuild inspect -f '{{.Config.Labels.epoch}}' x)" 1000000000
    SOURCE_DATE_EPOCH=1000000000 ok cbuild -q -t x --build-arg SOURCE_DATE_EPOCH=1600000000 .
    equal "$(created x)" $NEW
    SOURCE_DATE_EPOCH=1000000000 ok cbuild -q -t x --source-date-epoch 1600000000 .
    equal "$(created x)" $NEW
    ok cbuild -q -t x --source-date-epoch 0 .
    equal "$(created x)" 1970-01-01T00:00:00Z
    SOURCE_DATE_EPOCH=1000000000 ok cbuild -q -t x --build-arg SOURCE_DATE_EPOCH= .
    [ "$(created x)" != 2001-09-09T01:46:40Z ] || fail "an empty argument doesn't take it back"
}

test_a_global_arg_may_have_the_default() {
    printf 'ARG SOURCE_DATE_EPOCH=1600000000\nFROM scratch\nLABEL a=b\n' >Dockerfile
    ok cbuild -q -t x .
    equal "$(created x)" $NEW
    SOURCE_DATE_EPOCH=1000000000 ok cbuild -q -t x .
    equal "$(created x)" 2001-09-09T01:46:40Z
    printf 'ARG SOURCE_DATE_EPOCH=yesterday\nFROM scratch\nLABEL a=b\n' >Dockerfile
    fails 2 cbuild -q -t x .
    err_has 'Dockerfile:1: ARG SOURCE_DATE_EPOCH: "yesterday" is neither a number'
}

test_bad_values_name_where_they_came_from() {
    printf 'FROM scratch AS stage\nLABEL a=b\n' >Dockerfile
    SOURCE_DATE_EPOCH=soon fails 2 cbuild .
    err_has '$SOURCE_DATE_EPOCH: "soon" is neither a number of seconds, nor "context"'
    fails 2 cbuild --build-arg SOURCE_DATE_EPOCH=-5 .
    err_has '--build-arg SOURCE_DATE_EPOCH: '
    fails 2 cbuild --source-date-epoch stag .
    err_has '--source-date-epoch: "stag"'
    err_has 'did you mean the stage "stage"?'
    fails 2 cbuild --source-date-epoch stage .
    err_has 'the stage "stage" has no time'
    fails 2 cbuild --timestamp x .
    err_has '--timestamp'
    fails 2 cbuild --timestamp 1 --source-date-epoch 2 .
    err_has 'exclude each other'
    fails 3 cbuild --source-date-epoch 7 --build-context d=nowhere --build-arg SOURCE_DATE_EPOCH=d .
}

test_context_is_the_time_of_what_was_fetched() {
    need git
    serve
    repo r
    ok cbuild -q -t x --source-date-epoch context "$URL/smart/r.git"
    equal "$(created x)" $NEW
    mkdir c
    printf 'FROM scratch\nARG SOURCE_DATE_EPOCH\nCOPY f /\nLABEL epoch=$SOURCE_DATE_EPOCH\n' >c/Dockerfile
    touch -d @1500000000 c/Dockerfile
    touch -d @1400000000 c/f
    touch -d @1300000000 c
    tar -C c -czf www/files/c.tgz .
    ok cbuild -q -t x --build-arg SOURCE_DATE_EPOCH=context "$URL/files/c.tgz"
    equal "$(created x)" $NEW
    equal "$(cbuild inspect -f '{{.Config.Labels.epoch}}' x)" 1600000000
    # without Last-Modified: the newest entry
    ok cbuild -q -t x --build-arg SOURCE_DATE_EPOCH=context "$URL/plain/c.tgz"
    equal "$(created x)" 2017-07-14T02:40:00Z
    gzip -dc www/files/c.tgz | ok cbuild -q -t x --build-arg SOURCE_DATE_EPOCH=context -
    equal "$(created x)" 2017-07-14T02:40:00Z
    # a directory has no time
    SOURCE_DATE_EPOCH=context ok cbuild -q -t x c
    [ "$(created x | cut -d- -f1)" -ge 2021 ] || fail "$(created x)"
    equal "$(cbuild inspect -f '{{.Config.Labels.epoch}}' x)" ''
}

test_named_contexts_and_stages_of_one_add_have_times() {
    need git
    serve
    repo r
    echo f >www/files/f
    echo f >f
    mkdir dir
    printf 'FROM scratch AS Src\nARG REPO\nADD $REPO#v1 /\nFROM scratch AS file\nARG WHERE=files\nADD %s/$WHERE/f /\nFROM scratch AS two\nADD %s/files/f /\nCOPY f /\nFROM scratch\nCOPY f /\n' \
        "$URL" "$URL" >Dockerfile
    ok cbuild -q -t x --source-date-epoch src --build-arg "REPO=$URL/smart/r.git" .
    equal "$(created x)" $NEW
    ok cbuild -q -t x --source-date-epoch file .
    equal "$(created x)" $NEW
    # a file of which nobody knows the time
    ok cbuild -q -t x --source-date-epoch file --build-arg WHERE=plain .
    [ "$(created x | cut -d- -f1)" -ge 2021 ] || fail "$(created x)"
    fails 2 cbuild -q -t x --source-date-epoch two .
    err_has 'the stage "two" has no time'
    ok cbuild -q -t x --source-date-epoch named --build-context named="$URL/smart/r.git" .
    equal "$(created x)" $NEW
    ok cbuild -q -t x --source-date-epoch named --build-context named=dir .
    [ "$(created x | cut -d- -f1)" -ge 2021 ] || fail "$(created x)"
    fails 2 cbuild -q -t x --source-date-epoch named --build-context named=docker-image://x .
    err_has 'named is an image'
}

test_file_times_are_clamped_set_or_kept() {
    printf 'FROM scratch\nCOPY old new /\n' >Dockerfile
    touch -d @1000000000 old
    touch -d @1700000000 new
    times() { listing x | awk '{ print $4, $5, $6 }' | tr '\n' ,; }
    ok cbuild -q -t x --source-date-epoch 1600000000 .
    equal "$(times)" '2020-09-13 12:26:40 new,2001-09-09 01:46:40 old,'
    ok cbuild -q -t x --source-date-epoch 1600000000 --rewrite-timestamp=false .
    equal "$(times)" '2023-11-14 22:13:20 new,2001-09-09 01:46:40 old,'
    ok cbuild -q -t x --source-date-epoch 1600000000 --rewrite-timestamp .
    equal "$(times)" '2020-09-13 12:26:40 new,2001-09-09 01:46:40 old,'
    ok cbuild -q -t x --timestamp 1600000000 .
    equal "$(times)" '2020-09-13 12:26:40 new,2020-09-13 12:26:40 old,'
    equal "$(created x)" $NEW
    need_run
    import_busybox
    printf 'FROM busybox\nRUN touch -d @1000 /a && echo >/b\n' >Dockerfile
    ok cbuild -q -t x --timestamp 1600000000 .
    equal "$(times)" '2020-09-13 12:26:40 a,2020-09-13 12:26:40 b,'
}

run_tests "$@"
