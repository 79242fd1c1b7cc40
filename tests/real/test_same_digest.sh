#!/bin/bash
# Two builds of the same inputs: the same digest where steps are deterministic; where apt-get isn't, only known paths.
# shellcheck source=tests/real/lib.sh
. "$(dirname "$0")/lib.sh"

set_up() {
    need_mirror http://deb.debian.org/debian/
    import_debian
    cp -r "$TOP/testdata/real/c-program" "$SHARED/context"
    echo 'FROM toolchain' >>"$SHARED/context/Dockerfile" # what the other stages need is not built
}
toolchain() {
    built toolchain:1 set_up
}

test_deterministic_steps_give_the_same_digest_on_two_fresh_stores() {
    toolchain
    cbuild save -o "$TEST_TMP/toolchain.tar" toolchain:1
    cp -r "$TOP/testdata/real/deterministic" context
    export SOURCE_DATE_EPOCH=1700000000
    for store in one two; do
        export CBUILD_ROOT=$TEST_TMP/$store
        ok cbuild load -i "$TEST_TMP/toolchain.tar"
        ok cbuild -t x context
        err_lacks CACHED
        image_id x >"$store.id"
        store_verifies
        sleep 1.1 # the clock goes on,
        touch context/hello.c # and so do file times
    done
    equal "$(cat one.id)" "$(cat two.id)"
}

# What two runs of apt-get update && apt-get install leave different, and why.
known_difference() { # PATH
    case $1 in
    var/cache/ldconfig/aux-cache) ;;                         # ldconfig notes inode numbers and ctimes
    var/log/dpkg.log | var/log/alternatives.log) ;;          # a time per line
    var/log/apt/history.log | var/log/apt/term.log) ;;       # start and end times
    var/lib/apt/lists/*) ;;                                  # what the mirror has now
    var/cache/apt/pkgcache.bin | var/cache/apt/srcpkgcache.bin) ;; # maps of the lists with their times
    *) return 1 ;;
    esac
}

test_apt_steps_differ_in_known_paths_only() {
    toolchain
    export SOURCE_DATE_EPOCH=1700000000
    for name in one two; do
        ok cbuild --no-cache -t $name:1 "$SHARED/context"
        image_tree $name:1 >/dev/null
        mv "$TEST_TMP/tree" $name
        sleep 1.1
    done
    python3 "$TOP/tests/real/tree_diff.py" one two >differences
    cat differences >&2
    while IFS=$'\t' read -r path how; do
        known_difference "$path" || fail "$path: $how"
    done <differences
}

run_tests "$@"
