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

run_tests "$@"
