#!/bin/bash
# The fault shim itself, and with it base/fs and base/tempfile: whichever call fails or kills, a
# file that is replaced has its old or its new content. Prints TAP.
#
# `make check-fault` runs it; FAULT_SO is the shim, FAULT_PROBE the program that probe.c makes.
set -u
shim=$(realpath "${FAULT_SO:?}") probe=$(realpath "${FAULT_PROBE:?}")
export ASAN_OPTIONS=verify_asan_link_order=0:${ASAN_OPTIONS:-}
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
tests=0

ok() { # STATUS NAME
    tests=$((tests + 1))
    [ "$1" = 0 ] && echo "ok $tests - $2" || echo "not ok $tests - $2"
}

# run VARIABLE=VALUE...: the probe with new content over old; output in $dir/out, count in $count
run() {
    rm -rf "$dir/work"
    mkdir "$dir/work"
    echo old >"$dir/work/file"
    rm -f "$dir/count"
    # in a subshell, which keeps bash's notice of a kill to itself
    (env "$@" FAULT_PROGRAM="${program:-${probe##*/}}" FAULT_COUNT_FILE="$dir/count" LD_PRELOAD="$shim" \
        "$probe" "$dir/work" new >"$dir/out" 2>&1
        exit $?) 2>/dev/null
    status=$?
    count=$(cat "$dir/count" 2>/dev/null || echo none)
}

content() { cat "$dir/work/file"; }
leftovers() { find "$dir/work" -name '.tmp*' | wc -l; }

run FAULT_CALL=write,fsync,fdatasync,rename,create,mkdir
[ "$status" = 0 ] && [ "$count" = 7 ] && [ "$(content)" = new ]
ok $? "counts without failing"

run FAULT_CALL=write FAULT_N=1 FAULT_ERRNO=ENOSPC
[ "$status" = 7 ] && grep -q 'writing file: No space left on device' "$dir/out" &&
    [ "$(content)" = old ] && [ "$(leftovers)" = 0 ]
ok $? "full disk is named and leaves nothing behind"

run FAULT_CALL=write FAULT_N=1 FAULT_ERRNO=SHORT
[ "$status" = 0 ] && [ "$count" = 2 ] && [ "$(content)" = new ]
ok $? "short write is continued"

run FAULT_CALL=write FAULT_N=1 FAULT_ERRNO=EINTR
[ "$status" = 0 ] && [ "$count" = 2 ] && [ "$(content)" = new ]
ok $? "interrupted write is repeated"

program=other run FAULT_CALL=write FAULT_N=1
[ "$status" = 0 ] && [ "$count" = none ] && [ "$(content)" = new ]
ok $? "another program is left alone"

bad=0 n=1
while :; do
    run FAULT_CALL=write,fsync,fdatasync,rename,create,mkdir FAULT_N=$n FAULT_ERRNO=EIO
    [ "$status" = 0 ] && break
    [ "$status" = 7 ] && [ "$count" = $n ] && [ "$(leftovers)" = 0 ] &&
        grep -q 'Input/output error' "$dir/out" ||
        { bad=1; echo "# call $n: status $status: $(cat "$dir/out")"; break; }
    case $(content) in old | new) ;; *) bad=1 ;; esac
    n=$((n + 1))
done
[ $bad = 0 ] && [ $n = 8 ]
ok $? "each call that fails is reported and leaves old or new"

bad=0 n=1
while :; do
    run FAULT_CALL=write,fsync,fdatasync,rename,create,mkdir FAULT_N=$n FAULT_KILL=1
    [ "$status" = 0 ] && break
    [ "$status" = 137 ] && [ "$count" = $n ] || { bad=1; echo "# call $n: $status, $count"; break; }
    case $(content) in old | new) ;; *) bad=1 ;; esac
    n=$((n + 1))
done
[ $bad = 0 ] && [ $n = 8 ]
ok $? "a kill at any call leaves old or new"

run FAULT_CALL=create,write FAULT_N=1 FAULT_ERRNO=EROFS FAULT_STICKY=1
[ "$status" = 7 ] && [ "$(content)" = old ]
ok $? "a sticky fault stays"

if [ "${FAULT_NO_MALLOC:-}" = "" ]; then
    bad=0 n=1
    while :; do
        run FAULT_CALL=malloc FAULT_N=$n
        [ "$status" = 0 ] && break
        [ $n -gt 500 ] && bad=1 && break
        # no memory: one line and an abort, and the file is whole
        { [ "$status" = 134 ] && grep -q 'out of memory' "$dir/out"; } || [ "$status" = 7 ] ||
            { bad=1; echo "# allocation $n: status $status: $(cat "$dir/out")"; break; }
        case $(content) in old | new) ;; *) bad=1 ;; esac
        n=$((n + 1))
    done
    [ $bad = 0 ] && [ $n -gt 3 ]
    ok $? "each allocation that fails ends in one line, not in a broken file"
fi

echo "1..$tests"
