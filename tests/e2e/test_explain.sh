#!/bin/bash
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

cached() { grep -Ec '^#[0-9]+ CACHED$' "$TEST_TMP/err" || true; }
misses() { sed -n 's/^#[0-9]* miss: //p' "$TEST_TMP/err"; }

# Two steps that depend on nothing that the tests change, then the one that does, then one after it.
app() {
    import_busybox
    mkdir -p src && echo one >src/a && echo two >src/b && chmod 644 src/*
    cat >Dockerfile
}

# changed CACHED REASON COMMAND...: so many steps are cached, and these and no other reasons are told.
changed() {
    local cached=$1 reasons=$2
    shift 2
    ok "$@"
    equal "$(cached)" "$cached" "steps in the cache"
    equal "$(misses)" "$reasons" "reasons"
}

copy_app() {
    app <<'EOT'
FROM busybox
RUN true
COPY src /src
RUN echo after
EOT
    ok cbuild --explain -t x .
    equal "$(cached)" 0
    ok cbuild --explain -t x .
    equal "$(cached)" 3
    equal "$(grep -c '^#[0-9]* hit$' "$TEST_TMP/err")" 3
}
after='parent: a step before it changed'

test_file_content() {
    need_run
    copy_app
    echo three >src/a
    changed 1 "file src/a: content changed
$after" cbuild --explain -t x .
}

test_file_mode() {
    need_run
    copy_app
    chmod 755 src/b
    changed 1 "file src/b: mode 0644 became 0755
$after" cbuild --explain -t x .
}

test_file_added_and_removed() {
    need_run
    copy_app
    echo new >src/c
    changed 1 "file src/c: added
$after" cbuild --explain -t x .
    rm src/a
    changed 1 "file src/a: removed
$after" cbuild --explain -t x .
}

test_file_type() {
    need_run
    copy_app
    ln -sf b src/a
    changed 1 "file src/a: was a file, is a link
$after" cbuild --explain -t x .
}

test_time_is_no_reason() {
    need_run
    copy_app
    touch -d @1500000000 src/a src
    changed 3 '' cbuild --explain -t x .
}

test_build_argument() {
    need_run
    app <<'EOT'
FROM busybox
RUN true
ARG V=1
RUN echo $V
EOT
    ok cbuild -t x .
    changed 1 'build argument V: "1" became "2"' cbuild --explain -t x --build-arg V=2 .
    changed 2 '' cbuild --explain -t x --build-arg V=1 .
}

# one LINE NEW REASON: the line of the Dockerfile becomes another.
one() {
    ok cbuild -t x .
    sed -i "s|$1|$2|" Dockerfile
    changed 1 "$3" cbuild --explain -t x .
}

test_environment_variable() {
    need_run
    app <<<$'FROM busybox\nRUN true\nENV A=1\nRUN echo x'
    one A=1 A=2 'environment variable A: "1" became "2"'
}

test_workdir() {
    need_run
    app <<<$'FROM busybox\nRUN true\nWORKDIR /a'
    one /a /b 'WORKDIR: "/a" became "/b"'
}

test_user() {
    need_ids
    app <<<$'FROM busybox\nRUN true\nUSER root\nRUN id'
    one 'USER root' 'USER app' 'USER: "root" became "app"'
}

test_shell() {
    need_run
    app <<<$'FROM busybox\nRUN true\nSHELL ["/bin/sh", "-c"]\nRUN true; true'
    one '"-c"' '"-ec"' 'SHELL: "/bin/sh -c true; true" became "/bin/sh -ec true; true"'
}

test_command() {
    need_run
    app <<<$'FROM busybox\nRUN true\nRUN echo 1'
    one 'echo 1' 'echo 2' 'command: "/bin/sh -c echo 1" became "/bin/sh -c echo 2"'
}

test_network() {
    need_run
    app <<<$'FROM busybox\nRUN true\nRUN --network=default echo 1'
    one 'network=default' 'network=none' 'network: "default" became "none"'
}

test_mount() {
    need_run
    app <<<$'FROM busybox\nRUN true\nRUN --mount=type=tmpfs,target=/m,size=1m echo 1'
    ok cbuild -t x .
    sed -i 's/size=1m/size=2m/' Dockerfile
    ok cbuild --explain -t x .
    equal "$(cached)" 1
    misses | grep -q '^mount /m: ' || { show; fail "no mount"; }
    equal "$(misses | wc -l)" 1
}

test_content_of_a_bind_mount() {
    need_run
    app <<<$'FROM busybox\nRUN true\nRUN --mount=type=bind,source=src,target=/m cat /m/a'
    ok cbuild -t x .
    echo other >src/a
    ok cbuild --explain -t x .
    equal "$(cached)" 1
    misses | grep -q '^file .*a: content changed$' || { show; fail "no file"; }
    equal "$(misses | wc -l)" 1
}

test_chown_and_destination() {
    need_run
    app <<<$'FROM busybox\nRUN true\nCOPY --chown=1 src /d'
    one chown=1 chown=2 '--chown: "1" became "2"'
    sed -i 's|/d|/e|' Dockerfile
    changed 1 'destination: "/d" became "/e"' cbuild --explain -t x .
}

test_heredoc() {
    need_run
    app <<<$'FROM busybox\nRUN true\nCOPY <<E /f\none\nE'
    one one two 'heredoc or download E: content changed'
}

test_secret_value_is_no_reason() {
    need_run
    app <<<$'FROM busybox\nRUN --mount=type=secret,id=s cat /run/secrets/s'
    echo one >secret
    ok cbuild -t x --secret id=s,src=secret .
    echo zweitens >secret
    changed 1 '' cbuild --explain -t x --secret id=s,src=secret .
    ! grep -r zweitens "$CBUILD_ROOT/cache" || fail "the secret was kept"
}

test_cache_mount_is_no_reason() {
    need_run
    app <<<$'FROM busybox\nRUN --mount=type=cache,target=/c date >>/c/x'
    ok cbuild -t x .
    changed 1 '' cbuild --explain -t x .
}

test_base() {
    need_run
    app <<<$'FROM base\nRUN true\nRUN echo 1'
    printf 'FROM busybox\nRUN echo 1 >/v\n' | cbuild -t base - 2>/dev/null
    ok cbuild -t x .
    printf 'FROM busybox\nRUN echo 2 >/v\n' | cbuild -t base - 2>/dev/null
    changed 0 'base: base changed
base: base changed' cbuild --explain -t x .
    printf 'FROM busybox\nRUN true\nRUN echo 1\n' >Dockerfile
    ok cbuild --explain -t x .
    misses | grep -qx 'base: base became busybox' || { show; fail "no other base"; }
}

test_source_stage() {
    need_run
    app <<'EOT'
FROM busybox AS build
COPY src /src
FROM busybox
RUN true
COPY --from=build /src /src
EOT
    ok cbuild -t x .
    echo three >src/a
    ok cbuild --explain -t x .
    equal "$(cached)" 1
    equal "$(misses | sort)" 'file src/a: content changed
file src/a: content changed'
}

test_platform() {
    need_run
    printf 'FROM scratch\nCOPY f /f\n' >Dockerfile
    echo 1 >f
    ok cbuild --platform linux/amd64 -t x .
    changed 0 'platform: "linux/amd64" became "linux/arm64"' cbuild --explain --platform linux/arm64 -t x .
}

test_epoch() {
    need_run
    copy_app
    SOURCE_DATE_EPOCH=1700000000 ok cbuild --explain -t x .
    equal "$(cached)" 0
    misses | grep -q '^SOURCE_DATE_EPOCH: added' || { show; fail "no epoch"; }
}

test_rerun_that_gives_the_same_is_a_hit_for_what_follows() {
    need_run
    app <<<$'FROM busybox\nCOPY src/a /tmp/\nRUN rm /tmp/a\nRUN echo after'
    export SOURCE_DATE_EPOCH=1700000000
    ok cbuild --explain -t x .
    sed -i 's/RUN rm/RUN true; rm/' Dockerfile
    ok cbuild --explain -t x .
    err_has 'hit: the steps before it gave what they gave before'
}

test_no_cache() {
    need_run
    copy_app
    changed 0 "--no-cache
--no-cache
--no-cache" cbuild --explain --no-cache -t x .
}

test_instruction_that_moved_is_recognised() {
    need_run
    app <<<$'FROM busybox\nRUN true\nRUN echo 1\nRUN echo 2'
    ok cbuild -t x .
    sed -i 's/RUN true/&\nRUN echo new/' Dockerfile
    ok cbuild --explain -t x .
    equal "$(cached)" 1
    # the new one stands where "echo 1" stood; that one and "echo 2" are known, with another step before them
    equal "$(misses)" "command: \"/bin/sh -c echo 1\" became \"/bin/sh -c echo new\"
$after
$after"
}

test_failed_build_leaves_its_steps() {
    need_run
    app <<<$'FROM busybox\nRUN echo 1\nRUN false\nRUN echo 3'
    fails 1 cbuild -t x .
    sed -i 's/echo 1/echo 2/' Dockerfile
    fails 1 cbuild --explain -t x .
    misses | grep -q 'echo 1" became' || { show; fail "not known"; }
}

test_without_the_option_nothing_is_told_and_a_cached_build_writes_no_trail() {
    need_run
    copy_app
    ok cbuild -t x .
    ! grep -Eq '^#[0-9]+ (hit|miss)' "$TEST_TMP/err" || { show; fail "told"; }
    equal "$(find "$CBUILD_ROOT/cache/contexts" -name 'trail-*' | wc -l)" 1
    touch -d @1000000000 "$CBUILD_ROOT"/cache/contexts/trail-*
    ok cbuild -t x .
    equal "$(stat -c %Y "$CBUILD_ROOT"/cache/contexts/trail-*)" 1000000000
    echo garbage | tee "$CBUILD_ROOT"/cache/contexts/trail-* >/dev/null
    echo other >src/a
    ok cbuild --explain -t x .
    misses | grep -qx 'no earlier build of this step is known' || { show; fail "a damaged trail was read"; }
}

# --- plan

plan_has() { out_has "$1"; }

test_plan_tells_and_changes_nothing() {
    need_run
    copy_app
    ok cbuild plan .
    plan_has 'image busybox: in the store'
    plan_has '3 steps cached, 0 to run'
    echo three >src/a
    ok cbuild plan .
    plan_has '  cached  RUN true'
    plan_has '  run     COPY src /src'
    plan_has '            file src/a: content changed'
    plan_has '1 step cached, 2 to run'
    before=$(cd "$CBUILD_ROOT" && find . -path ./leases -prune -o -path ./tmp -prune -o -path ./locks -prune -o -type f -print | sort)
    ok cbuild plan --no-cache .
    plan_has '0 steps cached, 3 to run'
    after=$(cd "$CBUILD_ROOT" && find . -path ./leases -prune -o -path ./tmp -prune -o -path ./locks -prune -o -type f -print | sort)
    equal "$after" "$before"
    ok cbuild -t x .
    equal "$(cached)" 1 # what it said
}

test_plan_without_the_base() {
    printf 'FROM no.such.host.invalid/image AS a\nRUN one\nFROM scratch AS b\nCOPY f /\nFROM a\nRUN two\n' >Dockerfile
    echo 1 >f
    need strace
    ASAN_OPTIONS=detect_leaks=0 ok strace -f -o trace -e trace=socket,connect "$CBUILD" plan .
    plan_has "image no.such.host.invalid/image: not in the store, its size isn't known"
    plan_has "its base no.such.host.invalid/image isn't in the store"
    plan_has "stage b, from scratch: skipped, the target doesn't need it"
    plan_has '0 steps cached, 2 to run'
    ! grep -E 'AF_INET|resolv.conf' trace || fail "a socket"
    printf 'FROM scratch\nCOPY --from=no.such.host.invalid/image /a /b\nCOPY f /\n' >Dockerfile
    ok cbuild plan .
    plan_has "what it takes from elsewhere isn't known before the build"
    printf 'FROM scratch\nADD https://no.such.host.invalid/x /x\nCOPY f /\n' >Dockerfile
    ok cbuild plan .
    plan_has 'what a URL gives is asked for when it runs'
}

test_plan_counts_the_bytes_to_pull() {
    import_busybox
    printf 'FROM busybox\nCOPY f /\n' >Dockerfile
    echo 1 >f
    local blob
    blob=$(find "$CBUILD_ROOT/blobs/sha256" -size +100k)
    size=$(stat -c %s "$blob")
    rm "$blob"
    ok cbuild plan .
    plan_has "image busybox: not in the store, $size bytes to pull"
    plan_has "its base busybox isn't in the store"
}

test_plan_says_what_it_cant_know_of_a_changed_stage() {
    need_run
    app <<'EOT'
FROM busybox AS build
COPY src /src
FROM busybox
COPY --from=build /src/a /a
RUN --mount=from=build,source=/src/b,target=/b true
COPY --link src/b /b
EOT
    ok cbuild -t x .
    ok cbuild plan .
    plan_has '4 steps cached, 0 to run'
    echo three >src/c
    ok cbuild plan .
    plan_has '  run     COPY src /src'
    plan_has '  run     COPY --from=build /src/a /a'
    plan_has "            what it takes from elsewhere isn't known before the build"
    plan_has '  cached  COPY --link src/b /b'
    ok cbuild --explain -t x .
    equal "$(cached)" 3 # /src/a and /src/b are what they were
}

test_plan_refuses_what_build_refuses() {
    printf 'FROM scratch\nENV A=${\n' >Dockerfile
    fails 1 cbuild plan .
    err_has 'Dockerfile:2'
    fails 3 cbuild plan --target none .
    fails 2 cbuild plan
}

test_one_of_many_files() {
    mkdir src
    seq 5000 | split -l 1 -a 4 - src/file-
    chmod 644 src/*
    printf 'FROM scratch\nCOPY src /src\n' >Dockerfile
    ok cbuild --explain -t x .
    is_absent "$(find "$CBUILD_ROOT/cache/records" -name '.tmp*')"
    echo other >src/file-aabc
    changed 0 "file src/file-aabc: content changed" cbuild --explain -t x .
    changed 1 "" cbuild --explain -t x .
}

run_tests "$@"
