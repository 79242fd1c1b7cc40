#!/bin/bash
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# No store can be made there, and nothing is to be asked.
without_store() { CBUILD_ROOT=/proc/nowhere run "$CBUILD" "$@"; }

bad_dockerfile() {
    cat >Dockerfile <<'EOT'
FROM busybox AS Build
MAINTAINER me
RUN true
CMD run
EOT
}

test_check_shows_findings_with_excerpt_and_correction() {
    bad_dockerfile
    without_store build --check .
    equal "${status:-}" 6
    out_has "Dockerfile:1: StageNameCasing: Stage name 'Build' should be lowercase"
    out_has '   1 | >>> FROM busybox AS Build'
    out_has '     = AS build'
    out_has 'Dockerfile:2: MaintainerDeprecated'
    out_has 'Dockerfile:4: JSONArgsRecommended'
    err_has 'cbuild: Dockerfile: 3 findings'
    without_store build --call=check .
    equal "$status" 6
}

test_check_without_findings() {
    printf 'FROM busybox\nRUN true\n' >Dockerfile
    without_store build --check .
    equal "$status" 0
    out_is 'Check complete, no warnings found.'
    printf 'FROM busybox\n' >x.Dockerfile
    without_store build --check -f x.Dockerfile .
    equal "$status" 0
}

test_check_of_standard_input() {
    printf 'FROM busybox AS A\n' >f
    without_store build --check - <f
    equal "$status" 6
    out_has '<stdin>:1: StageNameCasing'
    without_store build --check -f - . <f
    equal "$status" 6
}

test_check_is_for_any_user() {
    need_root
    need setpriv
    bad_dockerfile
    chmod 755 . && chmod 644 Dockerfile
    cp "$CBUILD" /tmp/cbuild.$$ && chmod 755 /tmp/cbuild.$$
    mkdir d && cp Dockerfile d/ && chmod -R a+rX d
    # the test's folder may be closed to others: the Dockerfile comes on standard input
    run setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=/nonexistent CBUILD_ROOT=/proc/nowhere \
        /tmp/cbuild.$$ build --check - <Dockerfile
    rm -f /tmp/cbuild.$$
    equal "$status" 6
    out_has MaintainerDeprecated
}

test_skips() {
    printf '# check=skip=StageNameCasing,JSONArgsRecommended\nFROM busybox AS Build\nCMD run\n' >Dockerfile
    without_store build --check .
    equal "$status" 0
    printf 'FROM busybox\n# check=skip=JSONArgsRecommended\nCMD run\n' >Dockerfile
    without_store build --check .
    equal "$status" 0
    printf 'FROM busybox\nCMD run\n' >Dockerfile
    without_store build --check --build-arg BUILDKIT_DOCKERFILE_CHECK=skip=all .
    equal "$status" 0
}

test_ignore_files_are_read() {
    printf 'FROM busybox\nCOPY x /\n' >Dockerfile
    echo x >.dockerignore
    without_store build --check .
    equal "$status" 6
    out_has 'CopyIgnoredFile: Attempting to Copy file "x" that is excluded by .dockerignore'
    out_has '     = it is excluded by line 1 of .dockerignore (x)'
    echo y >Dockerfile.dockerignore
    without_store build --check .
    equal "$status" 0
}

test_target_chooses_the_stages() {
    printf 'FROM busybox AS a\nCMD run\nFROM busybox AS b\nCMD ["run"]\n' >Dockerfile
    without_store build --check .
    equal "$status" 6
    without_store build --check --target b .
    equal "$status" 0
    without_store build --check --target c .
    equal "$status" 3
}

test_check_as_json() {
    need jq
    bad_dockerfile
    without_store build --call=check,format=json .
    equal "$status" 6
    equal "$(jq -r '.warnings[] | "\(.ruleName):\(.location.ranges[0].start.line)"' "$TEST_TMP/out" | tr '\n' ' ')" \
        'StageNameCasing:1 MaintainerDeprecated:2 JSONArgsRecommended:4 '
    equal "$(jq -r '.sources[0] | [.filename, .language, (.data | @base64d)] | join(" ")' "$TEST_TMP/out")" "Dockerfile Dockerfile $(cat Dockerfile)"
    equal "$(jq -cS '.warnings[0] | del(.correction)' "$TEST_TMP/out")" '{"description":"Stage names should be lowercase","detail":"Stage name '"'Build'"' should be lowercase","location":{"ranges":[{"end":{"line":1},"start":{"line":1}}]},"ruleName":"StageNameCasing","url":"https://docs.docker.com/go/dockerfile/rule/stage-name-casing/"}'
    equal "$(jq -r '.warnings[2].url' "$TEST_TMP/out")" https://docs.docker.com/go/dockerfile/rule/json-args-recommended/
}

test_base_images_in_the_store_are_looked_at_without_a_request() {
    need_root
    need strace
    import_busybox
    host=$(cbuild inspect -f '{{.Architecture}}' busybox)
    other=arm64
    [ "$host" != arm64 ] || other=amd64
    printf 'FROM busybox\nRUN true\n' >Dockerfile
    ok cbuild build --check .
    ASAN_OPTIONS=detect_leaks=0 fails 6 strace -f -o trace -e trace=socket,connect "$CBUILD" build --check --platform "linux/$other" .
    out_has "InvalidBaseImagePlatform: Base image busybox was pulled with platform \"linux/$host\", expected \"linux/$other\" for current build"
    ! grep -qE '(socket|connect)\(' trace || { cat trace; fail "it asked somebody"; }
    without_store build --check --platform "linux/$other" .
    equal "$status" 0
    is_absent "$HOME/.local"
}

test_rules_that_only_checking_looks_at() {
    printf 'FROM scratch\nCOPY src/* /d/\n' >Dockerfile
    mkdir src && touch src/f
    ok cbuild -t x .
    err_lacks CopyFlattens
    without_store build --check .
    equal "$status" 6
    out_has 'Dockerfile:2: CopyFlattens'
    printf 'FROM busybox\nRUN cd /x && y\n' >Dockerfile
    without_store build --check .
    equal "$status" 0
    without_store build --check --build-arg BUILDKIT_DOCKERFILE_CHECK=experimental=all .
    equal "$status" 6
    out_has 'CdInRun'
    out_has 'LatestTag'
}

test_certain_mistakes_are_told_at_the_end_of_a_build() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN if false; then echo "a; fi || true\n' >Dockerfile
    without_store build --check .
    equal "$status" 6
    out_has 'ShellSyntax: The shell will refuse this: a double quote is not closed'
    printf '# check=skip=StageNameCasin\nFROM busybox AS A\nRUN true\n' >Dockerfile
    ok cbuild -t x .
    err_has 'warning: Dockerfile:1: UnknownRule: There is no check named "StageNameCasin" (did you mean StageNameCasing?)'
}

test_mistakes_of_words_come_before_everything_else() {
    printf 'FROM no.such.host.invalid/image\nRUN true\nENV A="b" \\\n  C=${d:\n' >Dockerfile
    without_store build --check .
    equal "$status" 1
    err_has 'Dockerfile:3'
    err_has '>>>   C=${d:'
    fails 1 cbuild .
    err_has 'Dockerfile:3'
    err_lacks 'no.such.host.invalid:'
    err_lacks 'pulling'
}

outline_dockerfile() {
    cat >Dockerfile <<'EOT'
# VERSION of the base
ARG VERSION=1
ARG UNUSED=x
FROM busybox:$VERSION AS base
# base is where all begin
# FLAGS for the compiler
ARG FLAGS
RUN --mount=type=secret,id=token,required --mount=type=ssh true
# app is what ships
FROM base AS app
ARG TARGETARCH
FROM scratch AS other
ARG ELSE
EOT
}

test_outline() {
    outline_dockerfile
    without_store build --call=outline --target app --build-arg FLAGS=-O2 .
    equal "$status" 0
    out_has 'TARGET:        app'
    out_has 'DESCRIPTION:   is what ships'
    grep -Eq '^VERSION +1 +of the base$' "$TEST_TMP/out" || { show; fail "no VERSION"; }
    grep -Eq '^FLAGS +-O2 +for the compiler$' "$TEST_TMP/out" || { show; fail "no FLAGS"; }
    grep -Eq '^token +true' "$TEST_TMP/out" || { show; fail "no secret"; }
    grep -Eq '^default +false' "$TEST_TMP/out" || { show; fail "no ssh"; }
    for word in UNUSED ELSE TARGETARCH; do ! grep -q $word "$TEST_TMP/out" || { show; fail "$word"; }; done
    need jq
    without_store build --call=outline,format=json --target app .
    equal "$(jq -r '[.name, .args[].name, .secrets[0].name, (.secrets[0].required | tostring), .ssh[0].name] | join(" ")' "$TEST_TMP/out")" \
        'app VERSION FLAGS token true default'
    equal "$(jq -r '.sources[0] | @base64d' "$TEST_TMP/out")" "$(cat Dockerfile)"
    printf 'FROM scratch\n' >Dockerfile
    without_store build --call=outline,format=json .
    equal "$(jq -c 'keys' "$TEST_TMP/out")" '["sources"]'
}

test_targets() {
    need jq
    outline_dockerfile
    without_store build --call=targets .
    equal "$status" 0
    out_has 'other (default)'
    grep -Eq '^app +is what ships$' "$TEST_TMP/out" || { show; fail "no app"; }
    without_store build --call=targets,format=json .
    equal "$(jq -r '.targets[] | "\(.name):\(.base):\(.default)"' "$TEST_TMP/out" | tr '\n' ' ')" \
        'base:busybox:$VERSION:null app:base:null other:scratch:true '
}

test_call_refuses_what_it_does_not_know() {
    printf 'FROM busybox\n' >Dockerfile
    fails 2 cbuild build --call=lines .
    err_has '--call=lines'
    fails 2 cbuild build --call=check,format=xml .
}

test_build_ends_with_the_warnings() {
    need_run
    import_busybox
    bad_dockerfile
    ok cbuild -t x .
    err_has "warning: Dockerfile:1: StageNameCasing: Stage name 'Build' should be lowercase (AS build)"
    equal "$(grep -c '^warning: Dockerfile:' "$TEST_TMP/err")" 3
    ok cbuild -t x --build-arg BUILDKIT_DOCKERFILE_CHECK=skip=all .
    err_lacks 'warning: Dockerfile'
}

test_variables_of_the_base_count_in_a_build() {
    need_run
    import_busybox
    printf 'FROM busybox\nENV FROM_BASE=1\n' >Dockerfile
    ok cbuild -t base .
    printf 'FROM base\nLABEL a=$FROM_BASE b=$NOT_OF_BASE\n' >Dockerfile
    without_store build --check . # may be the base's, both of them
    equal "$status" 0
    fails 6 cbuild build --check . # the store knows
    out_has "UndefinedVar: Usage of undefined variable '\$NOT_OF_BASE'"
    [ "$(grep -c UndefinedVar "$TEST_TMP/out")" = 1 ] || { show; fail "more than one"; }
    ok cbuild -t x .
    err_has "UndefinedVar: Usage of undefined variable '\$NOT_OF_BASE'"
    err_lacks '$FROM_BASE'
}

test_error_true_fails_a_build_before_it_asks_for_anything() {
    printf '# check=error=true\nFROM no.such.host.invalid/image AS Build\n' >Dockerfile
    fails 6 cbuild -t x .
    err_has 'StageNameCasing'
    err_has '>>> FROM no.such.host.invalid/image AS Build'
    err_lacks 'pulling'
}

# The same findings as --check: what the store knows of bases counts
test_error_true_knows_the_base_of_the_store() {
    printf 'FROM scratch\nSHELL ["/bin/sh","-c"]\nENV FROM_BASE=1\n' >Dockerfile
    ok cbuild -t base .
    printf '# check=error=true\nFROM base\nLABEL a=$FROM_BASE\nCMD run it\n' >Dockerfile
    ok cbuild build --check .
    ok cbuild -t x .
    printf '# check=error=true\nFROM base\nLABEL a=$NOT_OF_BASE\nRUN none\n' >Dockerfile
    fails 6 cbuild -t x .
    err_has "'\$NOT_OF_BASE'"
    err_lacks 'DONE' # nothing was begun
    # a build that is done knows those, too, that aren't the store's
    ok cbuild copy store:base oci:lay:1
    ok cbuild rmi base
    printf 'FROM base\nCMD run it\n' >Dockerfile
    ok cbuild -t x --build-context base=oci-layout://lay:1 .
    err_lacks 'JSONArgsRecommended'
}

test_quotes_in_a_heredoc_are_ordinary() {
    need_run
    printf 'FROM scratch\nENV A=1\nCOPY <<E /f\ndon%st "$A" %s$A%s \\$A\nE\n' "'" "'" "'" >Dockerfile
    ok cbuild -t x .
    image_tree x >/dev/null
    equal "$(cat "$TEST_TMP/tree/f")" "don't \"1\" '1' \$A"
}

run_tests "$@"
