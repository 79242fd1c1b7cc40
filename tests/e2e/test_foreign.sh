#!/bin/bash
# RUN for other platforms than this machine's: by what the kernel runs, by registered emulators, by those that a build
# registers for itself; and what is said where there is none.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

E2E=$(cd "$(dirname "$0")" && pwd)
CACHE=--mount=type=cache,target=/c

file() { cbuild export --platform "$2" "$1" | tar -xOf - "$3"; } # NAME PLATFORM FILE

# arm64/sh: a shell for arm64 that writes its machine's name and its argument to /out
make_arm64() {
    need aarch64-linux-gnu-as aarch64-linux-gnu-ld
    mkdir -p arm64
    aarch64-linux-gnu-as -o arm64.o "${FOREIGN_SH:-$E2E/foreign_sh.s}"
    aarch64-linux-gnu-ld -o arm64/sh arm64.o
}
need_emulator() {
    need_run
    need qemu-aarch64-static
    make_arm64
    cbuild doctor >doctor || :
    grep -q '^foreign platforms .*arm64' doctor
    grep '^foreign platforms' doctor | grep -q "arm64[^;]*\(run\|by an emulator\)" || skip "this kernel has no handlers for single namespaces"
}
base_for_arm64() { # NAME
    printf 'FROM scratch\nCOPY arm64/sh /bin/sh\n' | cbuild -q --platform linux/arm64 -t "$1" -f - . >/dev/null
}

test_an_emulator_needs_no_registration_and_leaves_nothing_behind() {
    need_emulator
    cat >Dockerfile <<'END'
FROM scratch
COPY arm64/sh /bin/sh
RUN first step
RUN second step
END
    ok cbuild -q -t app --platform linux/arm64 .
    equal "$(file app linux/arm64 out)" "$(printf 'aarch64 first step\naarch64 second step')"
    equal "$(cbuild export --platform linux/arm64 app | tar -tf - | grep -v '/$' | tr '\n' ' ')" 'bin/sh out '
    equal "$(cbuild inspect --platform linux/arm64 -f '{{.Architecture}}' app)" arm64
    store_verifies
    [ "$(id -u)" != 0 ] || equal "$(unshare -m sh -c 'mount -t binfmt_misc none /proc/sys/fs/binfmt_misc; ls /proc/sys/fs/binfmt_misc' | grep -c qemu-aarch64 || :)" 0
}

test_platforms_run_side_by_side() {
    need_emulator
    mkdir amd64
    cp /bin/busybox amd64/sh
    cat >Dockerfile <<'END'
FROM scratch
ARG TARGETARCH
COPY $TARGETARCH/sh /bin/sh
RUN echo "$TARGETARCH" >>/out
RUN echo again >>/out
END
    export SOURCE_DATE_EPOCH=1700000000
    ok cbuild -t app --progress plain --platform linux/amd64,linux/arm64 .
    err_has '[linux/arm64 3/4] RUN'
    equal "$(file app linux/amd64 out)" "$(printf 'amd64\nagain')"
    equal "$(file app linux/arm64 out | head -n 1)" 'aarch64 echo "$TARGETARCH" >>/out'
    # the same image by itself, and from the cache
    cbuild inspect --raw app | jq -r '.manifests[1].digest' >expected
    ok cbuild -q --platform linux/arm64 .
    equal "$(cat "$TEST_TMP/out")" "$(cat expected)"
    ok cbuild -q --no-cache --platform linux/arm64 .
    equal "$(cat "$TEST_TMP/out")" "$(cat expected)"
}

test_an_ordinary_user_needs_no_more() {
    [ "$(id -u)" = 0 ] || skip "root starts it"
    need qemu-aarch64-static aarch64-linux-gnu-as
    local status=0
    cp "$E2E/foreign_sh.s" "$TEST_TMP/"
    chmod a+rx "$TEST_TMP" "$(dirname "$TEST_TMP")"
    again_as_test_user FOREIGN_SH="$TEST_TMP/foreign_sh.s" -- test_an_emulator_needs_no_registration_and_leaves_nothing_behind >user.log 2>&1 || status=$?
    [ "$status" != 77 ] || skip "CBUILD_TEST_USER names no ordinary user"
    cat user.log >&2
    grep -q '^ok 1' user.log && ! grep -q 'SKIP' user.log
}

test_where_nothing_runs_them_the_step_is_named_before_any_work() {
    need_run
    make_arm64
    import_busybox
    base_for_arm64 base
    cat >Dockerfile <<END
FROM --platform=\$BUILDPLATFORM busybox AS tools
RUN $CACHE echo tools >>/c/ran
FROM base
COPY --from=tools /bin/true /true
RUN make everything
END
    export CBUILD_FORCE=no-binfmt
    fails 1 cbuild -t app --platform linux/arm64 .
    err_has 'Dockerfile:5: RUN make everything: this machine runs no programs for arm64'
    err_has 'hint: sudo apt-get install qemu-user-static'
    equal "$(find "$CBUILD_ROOT/cache/mounts" -name ran)" '' "work was done"
    fails 3 cbuild inspect app
    ok cbuild plan --platform linux/arm64 .
    out_has 'this machine runs no programs for arm64'
    # of several platforms the one is named, and where it can't be known before, it is told all the same
    sed -i 's/FROM base/FROM busybox AS final-amd64\nFROM base AS final-arm64\nFROM final-$TARGETARCH/' Dockerfile
    fails 1 cbuild -t app --platform linux/amd64,linux/arm64 .
    err_has 'Dockerfile:7: linux/arm64: RUN make everything: this machine runs no programs for arm64'
    fails 1 cbuild -t app --no-cache --platform linux/arm64 .
    err_has 'Dockerfile:7: this machine runs no programs for arm64'
    # the machine's own are no matter
    ok cbuild -q -t app --platform linux/amd64 --target tools .
}

test_what_runs_nothing_needs_no_emulator() {
    make_arm64
    base_for_arm64 base
    printf 'FROM base\nCOPY arm64/sh /copy\nWORKDIR /w\nCMD ["/bin/sh"]\n' >Dockerfile
    ok env CBUILD_FORCE=no-binfmt "$CBUILD" -q -t app --platform linux/arm64 .
    need_emulator
    printf 'FROM base\nRUN once\n' >Dockerfile
    ok cbuild -q -t app --platform linux/arm64 .
    ok env CBUILD_FORCE=no-binfmt "$CBUILD" -t app --platform linux/arm64 --progress plain .
    err_has CACHED
}

test_a_native_program_in_a_foreign_image_runs() {
    need_run
    [ "$(uname -m)" = x86_64 ] || skip "needs an amd64 machine"
    make_arm64
    import_busybox
    base_for_arm64 base
    cat >Dockerfile <<'END'
FROM --platform=linux/amd64 busybox AS tools
FROM base
RUN --mount=from=tools,target=/t ["/t/bin/busybox", "touch", "/made"]
END
    ok env CBUILD_FORCE=no-binfmt "$CBUILD" -q -t app --platform linux/arm64 .
    cbuild export --platform linux/arm64 app | tar -tf - | grep -qx made
    printf 'FROM scratch\nCOPY arm64/sh /bin/sh\nRUN a\n' >Dockerfile
    fails 1 env CBUILD_FORCE=no-binfmt "$CBUILD" -q -t app --platform linux/arm64 .
    err_has 'exec format error'
    err_has 'hint: this machine runs no programs for arm64: sudo apt-get install'
}

test_386_runs_on_amd64_by_itself() {
    need_run
    [ "$(uname -m)" = x86_64 ] || skip "needs an amd64 machine"
    as --32 -o 386.o "$E2E/foreign_sh_386.s"
    ld -m elf_i386 -o sh 386.o
    cbuild doctor >doctor || :
    grep -q '^foreign platforms .*386[^;]* run' doctor || skip "this kernel runs no programs for 386"
    printf 'FROM scratch\nCOPY sh /bin/sh\nRUN one\n' >Dockerfile
    ok cbuild -q -t app --platform linux/386 .
    equal "$(file app linux/386 out)" '386 one'
}

# As on a machine where somebody registered an emulator: in a user namespace, with rules of its own.
registered() { # FLAGS COMMAND...
    local flags=$1
    shift
    unshare --user --map-root-user --mount sh -c '
        mount -t binfmt_misc none /proc/sys/fs/binfmt_misc &&
        printf "%s" ":other:M::\\x7fELF\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xb7\\x00:\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff:$0:$1" >/proc/sys/fs/binfmt_misc/register &&
        shift && exec "$@"' "$(readlink -f "$(command -v qemu-aarch64-static)")" "$flags" "$@"
}

test_registered_emulators_are_used() {
    need_emulator
    registered F true || skip "this kernel has no handlers for single namespaces"
    printf 'FROM scratch\nCOPY arm64/sh /bin/sh\nRUN one\n' >Dockerfile
    mkdir bin
    # none that could be registered by the build
    for program in newuidmap newgidmap; do ln -s "$(command -v $program)" bin/; done
    local flags
    for flags in F OCF '' OC; do
        CBUILD_ROOT=$TEST_TMP/store$flags
        ok registered "$flags" env PATH="$PWD/bin" "$CBUILD" -q -t app --platform linux/arm64 .
        equal "$(file app linux/arm64 out)" 'aarch64 one' "flags $flags"
        equal "$(cbuild export --platform linux/arm64 app | tar -tf - | grep -v '/$' | tr '\n' ' ')" 'bin/sh out ' "flags $flags"
    done
}

run_tests "$@"
