#!/bin/bash
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

cached() { grep -Ec '^#[0-9]+ CACHED$' "$TEST_TMP/err" || true; }

make_app() {
    import_busybox
    mkdir -p src && for i in 1 2 3; do echo "content $i" >src/f$i; done
    cat >Dockerfile <<'EOT'
FROM busybox AS build
COPY src /src
RUN cat /src/* > /all
FROM busybox
COPY --from=build /all /all
RUN sleep 0 && wc -l /all > /count
ENV LAST=1
EOT
}

test_rebuild_is_cached_and_gives_the_same_digest_without_an_epoch() {
    need_run
    make_app
    ok cbuild -t x .
    equal "$(cached)" 0
    first=$(image_id x)
    sleep 1.1 # another second on the clock
    ok cbuild -t x .
    equal "$(cached)" 4
    equal "$(image_id x)" "$first"
}

test_cached_rebuild_opens_no_context_file_and_no_socket() {
    need_root
    need strace
    make_app
    printf 'src/f3\n' >.dockerignore
    sed -i 's/COPY src/COPY src\/f1 src\/f2/; s/ \/src$/ \/src\//' Dockerfile
    ok cbuild -t x .
    sleep 2.1 # stat records younger than the clock's granularity aren't trusted
    ok cbuild -t x .
    ok env ASAN_OPTIONS=detect_leaks=0 strace -f -o trace -e trace=openat,openat2,open,socket,connect,sendto,sync,syncfs,fsync,fdatasync "$CBUILD" -t x .
    equal "$(cached)" 4
    ! grep -E '"([^"]*/)?f[123]"' trace || fail "a context file was opened"
    ! grep -E 'AF_INET|AF_NETLINK|nscd|resolv.conf|nsswitch' trace || fail "a socket or a look-up"
    ! grep -E ' (sync|syncfs|fsync|fdatasync)\(' trace || fail "it waits for the disk"
}

test_one_changed_byte_with_the_same_size_and_time_reruns_the_step() {
    need_run
    make_app
    ok cbuild -t x .
    sleep 2.1
    ok cbuild -t x .
    touch -r src/f2 stamp
    echo "content 9" >src/f2
    touch -r stamp src/f2
    ok cbuild -t x .
    equal "$(cached)" 0
    image_tree x >/dev/null
    grep -q 'content 9' "$TEST_TMP/tree/all"
}

test_modification_times_do_not_count() {
    need_run
    make_app
    ok cbuild -t x .
    touch -d @1500000000 src/f1
    ok cbuild -t x .
    equal "$(cached)" 4
}

test_mode_counts() {
    need_run
    make_app
    ok cbuild -t x .
    chmod 600 src/f1
    ok cbuild -t x .
    grep -A1 'COPY src /src' "$TEST_TMP/err" | grep -q DONE || { show; fail "the copy did not run again"; }
}

test_a_rerun_that_changes_nothing_stops_there() {
    need_run
    import_busybox
    echo 1 >in
    printf 'FROM busybox\nCOPY in /in\nRUN rm /in && echo constant > /out && touch -d @0 /out / 2>/dev/null; true\nFROM busybox\nCOPY --from=0 /out /out\nRUN echo expensive > /e\n' >Dockerfile
    export SOURCE_DATE_EPOCH=1700000000
    ok cbuild -t x .
    echo 2 >in
    ok cbuild -t x .
    # COPY in and RUN rm run again; the second stage sees another chain below, but its own base is unchanged
    [ "$(cached)" -ge 1 ] || { show; fail "nothing was taken from the cache"; }
}

test_build_arg_reruns_what_follows_its_arg() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN echo before > /a\nARG V=1\nRUN echo after > /b\n' >Dockerfile
    ok cbuild -t x .
    ok cbuild -t x --build-arg V=2 .
    equal "$(cached)" 1
    ok cbuild -t x --build-arg V=1 .
    equal "$(cached)" 2
}

test_proxy_arguments_do_not_count() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN echo ${http_proxy:-none} > /a\n' >Dockerfile
    ok cbuild -t x .
    ok cbuild -t x --build-arg HTTP_PROXY=http://proxy.invalid:1 .
    equal "$(cached)" 1
    ok cbuild -t x --no-cache --build-arg HTTP_PROXY=http://proxy.invalid:1 .
    image_tree x >/dev/null
    equal "$(cat "$TEST_TMP/tree/a")" http://proxy.invalid:1
    ok cbuild history --no-trunc --format '{{.CreatedBy}}' x
    ! grep -q proxy.invalid "$TEST_TMP/out" || fail "the proxy is in the history"
}

test_no_cache_runs_every_step() {
    need_run
    make_app
    ok cbuild -t x .
    ok cbuild -t x --no-cache .
    equal "$(cached)" 0
}

# The same recipe, followed twice, may give two things: nothing of the one goes with the other.
test_a_step_counts_only_on_the_outcome_it_was_made_on() {
    need_run
    import_busybox
    mkdir ctx
    cat >Dockerfile <<'EOT'
FROM busybox AS a
RUN head -c 9 /dev/urandom | od -An -tx1 > /x
FROM a AS b
RUN cp /x /y
FROM busybox
COPY --from=a /x /copied
COPY --from=b /x /y /b/
RUN --mount=from=a,source=/x,target=/m cat /m > /mounted
EOT
    check='for file in /b/y /copied /mounted; do cmp /b/x $file || exit; done'
    same() { printf 'FROM %s\nRUN %s\n' "$1" "$2" | ok cbuild build --no-cache -t check -; }
    ok cbuild build -t one -f Dockerfile ctx
    same one "$check"
    ok cbuild build --no-cache --target a -t a -f Dockerfile ctx
    ok cbuild build --target b -t b -f Dockerfile ctx
    same b 'cmp /x /y'
    ok cbuild build --explain -t two -f Dockerfile ctx
    same two "$check"
    [ "$(image_id one)" != "$(image_id two)" ] || fail "files of the first outcome"

    ok cbuild build --no-cache --target a -t a -f Dockerfile ctx
    ok cbuild plan --target b -f Dockerfile ctx
    out_has "1 step cached, 1 to run"
    ok cbuild build --explain -t three -f Dockerfile ctx
    err_has "miss: parent: a step before it was made anew"
    same three "$check"
    ok cbuild build -t three -f Dockerfile ctx
    equal "$(cached)" 5
}

test_damaged_or_missing_cache_is_a_miss_not_an_error() {
    need_run
    make_app
    ok cbuild -t x .
    for f in "$CBUILD_ROOT"/cache/records/*; do echo garbage >"$f"; done
    ok cbuild -t x .
    equal "$(cached)" 0
    rm -rf "$CBUILD_ROOT"/cache/contexts/* "$CBUILD_ROOT"/entries/*
    ok cbuild -t x .
    equal "$(cached)" 4
}

test_eight_builds_at_once_share_one_store() {
    need_run
    make_app
    sed -i 's/sleep 0/sleep 0.3/' Dockerfile
    for i in 1 2 3 4 5 6 7 8; do
        "$CBUILD" -t "x$i" . >"log$i" 2>&1 &
    done
    for job in $(jobs -p); do wait "$job" || fail "$(tail -n 5 log*)"; done
    for i in 2 3 4 5 6 7 8; do equal "$(image_id "x$i")" "$(image_id x1)" "x$i"; done
    store_verifies
}

test_no_cache_makes_equal_steps_of_two_stages_once() {
    need_run
    import_busybox
    cat >Dockerfile <<'EOT'
FROM busybox AS one
RUN head -c 16 /dev/urandom | od -An -tx1 >/random
FROM busybox AS two
RUN head -c 16 /dev/urandom | od -An -tx1 >/random
FROM busybox
COPY --from=one /random /1
COPY --from=two /random /2
RUN [ "$(cat /1)" = "$(cat /2)" ] && cp /1 /both
EOT
    ok cbuild -t x .
    image_tree x >/dev/null
    cp "$TEST_TMP/tree/both" before
    ok cbuild --no-cache -t x .
    image_tree x >/dev/null
    ! cmp -s "$TEST_TMP/tree/both" before || fail "the step did not run again"
}

# Times of an image: of the config, and of each history entry that we added.
times() { # NAME
    local config
    config=$(cbuild inspect -f '{{.ConfigDigest}}' "$1")
    jq -r '.created, (.history[] | select(.comment == "cbuild") | .created)' "$CBUILD_ROOT/blobs/sha256/${config#sha256:}"
}

test_an_image_is_as_old_as_the_last_thing_done_to_it() {
    need_run
    import_busybox
    printf 'FROM busybox\nENV A=1\nRUN true\n' >Dockerfile
    ok cbuild -t x .
    sleep 1.1
    printf 'FROM busybox\nENV A=1\nRUN true\nRUN sleep 0.01\n' >Dockerfile
    ok cbuild -t x .
    equal "$(times x | head -n 1)" "$(times x | tail -n 1)"
    [ "$(times x | head -n 1)" != "$(times x | sed -n 2p)" ] || fail "created is the first step's"
    sleep 1.1
    echo 'LABEL a=b' >>Dockerfile
    ok cbuild -t x .
    equal "$(times x | head -n 1)" "$(times x | tail -n 1)"
    first=$(image_id x)
    sleep 1.1
    ok cbuild -t x .
    equal "$(image_id x)" "$first"
}

test_a_stage_that_adds_nothing_leaves_its_parents_record_alone() {
    need_run
    import_busybox
    printf 'FROM busybox AS one\nRUN echo content >/f\nFROM one\n' >Dockerfile
    for _ in 1 2 3; do
        ok cbuild --no-cache -t x .
        ok cbuild -t x .
        equal "$(cached)" 1
    done
    image_tree x | grep -q '^f f ' || fail "the file is missing"
    printf 'FROM busybox\n' >Dockerfile
    ok cbuild -t y .
    equal "$(cbuild inspect -f '{{.Created}}' y)" "$(cbuild inspect -f '{{.Created}}' busybox)"
    printf 'FROM scratch\n' >Dockerfile
    ok cbuild -t z .
    ok cbuild inspect z
}

test_records_name_the_chain_so_that_its_form_is_kept() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN echo 1 >/f\nRUN echo 2 >/g\n' >Dockerfile
    ok cbuild -t x .
    ok cbuild rmi busybox x
    ok cbuild prune
    chain=$(jq -rs '[.[] | select(.chain_id)] | length' "$CBUILD_ROOT"/cache/records/[0-9a-f]*)
    [ "$chain" -ge 2 ] || fail "records without chain_id"
    find "$CBUILD_ROOT/layers" -maxdepth 2 -name 'c-*' | grep -q . || fail "the forms are gone"
    import_busybox
    ok cbuild -t x .
    equal "$(cached)" 2
}

test_the_end_of_a_build_collects_when_it_is_due() {
    echo 1 >f
    printf 'FROM scratch\nCOPY f /\n' >Dockerfile
    ok cbuild -t x .
    ok cbuild rmi --no-prune x
    ok cbuild prune --all
    ok cbuild -t x .
    ok cbuild rmi --no-prune x
    rm -rf "$CBUILD_ROOT/cache/records"/*
    garbage=$(find "$CBUILD_ROOT/blobs" -type f | wc -l)
    [ "$garbage" -ge 3 ]
    echo 2 >f
    ok cbuild -t y .
    equal "$(find "$CBUILD_ROOT/blobs" -type f | wc -l)" $((garbage + 3)) "collected too early"
    truncate -s 6000 "$CBUILD_ROOT/growth" # as if 6 GB had been stored since
    echo 3 >f
    ok cbuild -t y .
    [ "$(find "$CBUILD_ROOT/blobs" -type f | wc -l)" -lt $((garbage + 6)) ] || fail "nothing was collected"
    store_verifies
}

# --- layers that are made again ---

# Files of 32 KiB, enough for several members.
many_files() { # DIR
    mkdir -p "$1"
    seq 2000000 | split -b 32768 -a 3 - "$1/file-"
    chmod 644 "$1"/*
}
# The image of this build, and of the same build in a store that has nothing to take from.
same_as_from_nothing() {
    local here store=$CBUILD_ROOT
    here=$(image_id x)
    CBUILD_ROOT=$TEST_TMP/fresh
    [ -z "${needs_base:-}" ] || import_busybox
    ok cbuild -t x .
    equal "$(image_id x)" "$here" "image from nothing"
    rm -rf "$CBUILD_ROOT"
    CBUILD_ROOT=$store
}
# "TAKEN MEMBERS" of each layer that was made in place of an earlier one
taken() { sed -n 's/^#[0-9]* layer: \([0-9]*\) of \([0-9]*\) members taken.*/\1 \2/p' "$TEST_TMP/err"; }

copy_many() {
    export SOURCE_DATE_EPOCH=1700000000
    many_files src
    printf 'FROM scratch\nCOPY src /src\n' >Dockerfile
    ok cbuild --explain -t x .
    equal "$(taken)" "" "nothing to take from"
}

test_members_that_stay_the_same_are_taken_from_the_step_before() {
    copy_many
    echo changed >>src/file-abc
    ok cbuild --explain -t x .
    local n m
    read -r n m <<<"$(taken)"
    [ "$n" -gt 0 ] && [ "$n" -lt "$m" ] && [ "$n" -ge $((m - 2)) ] || { show; fail "$n of $m members"; }
    store_verifies
    same_as_from_nothing
}

test_a_damaged_layer_before_does_no_harm() {
    copy_many
    local blob
    blob=$(find "$CBUILD_ROOT/blobs/sha256" -size +100k)
    local at
    for at in $(seq 100 10000 "$(stat -c %s "$blob")"); do # some in each member
        printf rotten | dd of="$blob" bs=1 seek="$at" conv=notrunc status=none
    done
    echo changed >>src/file-abc
    ok cbuild --explain -t x .
    read -r n _ <<<"$(taken)"
    equal "$n" 0 "members taken"
    same_as_from_nothing
}

test_a_lost_or_foreign_layer_before_does_no_harm() {
    copy_many
    rm "$(find "$CBUILD_ROOT/blobs/sha256" -size +100k)"
    echo changed >>src/file-abc
    ok cbuild --explain -t x .
    equal "$(taken)" ""
    same_as_from_nothing
    ok cbuild --explain --compression gzip:5 -t x . # other bytes of the same
    equal "$(taken)" ""
}

test_members_are_taken_where_only_what_lies_below_changed() {
    copy_many
    echo one >first && chmod 644 first
    printf 'FROM scratch\nCOPY first /first\nCOPY src /src\n' >Dockerfile
    ok cbuild -t x .
    echo two >first
    ok cbuild --explain -t x .
    read -r n m <<<"$(taken | tail -n 1)"
    equal "$n" "$m"
    [ "$n" -gt 1 ] || fail "$n members"
    same_as_from_nothing
}

test_members_of_a_run_are_taken() {
    need_run
    needs_base=yes
    export SOURCE_DATE_EPOCH=1700000000
    import_busybox
    printf 'FROM busybox\nARG V=1\nRUN seq 1 3000000 >/a && echo $V >/b\n' >Dockerfile
    ok cbuild -t x .
    sed -i 's/V=1/V=2/' Dockerfile
    ok cbuild --explain -t x .
    read -r n m <<<"$(taken)"
    [ "$n" -gt 0 ] && [ "$n" -ge $((m - 2)) ] || { show; fail "$n of $m members"; }
    same_as_from_nothing
}

# The command counts in a cache mount how often it ran, and leaves a layer that takes a while.
make_counting() {
    export SOURCE_DATE_EPOCH=1700000000
    import_busybox
    cat >Dockerfile <<'EOT'
FROM busybox
COPY Dockerfile /in
RUN --mount=type=cache,target=/count echo x >>/count/runs; rm -r /var; rm /bin/ls; touch /bin/cat; ln /in /in2; chmod 600 /in; seq 1 2000000 >/a
RUN --mount=type=cache,target=/count cp /count/runs /runs
EOT
}
runs() { in_namespace sh -c 'cat "$CBUILD_ROOT"/cache/mounts/*/runs | wc -l'; }
# The steps of a killed build take a moment to die, and hold locks until then.
prune_all_forms() { # [OPTION...]
    local _
    for _ in $(seq 1000); do
        ok cbuild prune "$@"
        [ "$(in_namespace sh -c 'find "$CBUILD_ROOT"/layers/*/ -maxdepth 1 -name "p-*"' | wc -l)" != 0 ] || return 0
        sleep 0.05
    done
    fail "a private form stays"
}
kill_while_compressing() { # [SIGNAL [OPTION...]]
    local signal=${1:-KILL} pid tries
    shift || :
    for tries in $(seq 50); do
        rm -rf "$CBUILD_ROOT" 2>/dev/null || in_namespace rm -rf "$CBUILD_ROOT"
        import_busybox
        env --default-signal=INT "$CBUILD" -t x --compression gzip:6 "$@" . >/dev/null 2>&1 &
        pid=$!
        while kill -0 $pid 2>/dev/null && ! grep -qs '"state":"ran"' "$CBUILD_ROOT"/cache/records/*; do sleep 0.01; done
        kill -"$signal" $pid 2>/dev/null || :
        wait $pid 2>/dev/null || :
        ! grep -qs '"state":"ran"' "$CBUILD_ROOT"/cache/records/* || return 0
    done
    fail "never killed between the step's end and its layer's: $tries tries"
}

test_a_kill_during_compression_does_not_rerun_the_step() {
    need_ids
    make_counting
    ok cbuild -t undisturbed --compression gzip:6 .
    first=$(image_id undisturbed)
    for signal in KILL INT; do
        kill_while_compressing $signal
        equal "$(runs)" 1
        form=$(sed -n 's/.*"form":"\([^"]*\)".*/\1/p' "$CBUILD_ROOT"/cache/records/*)
        ok cbuild prune
        ok cbuild plan --compression gzip:6 .
        out_has 'its layer was not finished'
        ok cbuild --explain -t x --compression gzip:6 .
        err_has 'hit: it ran before, its layer was not finished'
        equal "$(image_id x)" "$first"
        equal "$(runs)" 1
        store_verifies
        ! grep -ls '"state":"ran"' "$CBUILD_ROOT"/cache/records/* || fail "a record is left"
        equal "$(in_namespace find "$CBUILD_ROOT/layers" -path "*$form" | wc -l)" 0
        ok cbuild -t x --compression gzip:6 .
        equal "$(cached)" 3
    done
}

test_what_has_run_is_kept_until_the_cache_goes_or_nobody_can_use_it() {
    need_ids
    make_counting
    kill_while_compressing
    in_namespace sh -c 'cp -a "$CBUILD_ROOT" store' && other=$PWD/store
    ok cbuild build --no-cache -t x . # it runs again
    equal "$(runs)" 2
    export CBUILD_ROOT=$other
    # the form is gone
    in_namespace sh -c 'rm -rf "$CBUILD_ROOT"/layers/*/p-*'
    ok cbuild --explain -t x .
    err_lacks 'its layer was not finished'
    equal "$(runs)" 2
    kill_while_compressing
    prune_all_forms --all
    ! grep -ls '"state":"ran"' "$CBUILD_ROOT"/cache/records/* || fail "the record is left"
    # another id map, another outcome below
    for change in 's/"form":"u-[^\/]*/"form":"u-other/' 's/"below":"sha256:..../"below":"sha256:0000/'; do
        kill_while_compressing
        grep -l '"state":"ran"' "$CBUILD_ROOT"/cache/records/* | xargs sed -i "$change"
        ok cbuild --explain -t x .
        err_lacks 'its layer was not finished'
        equal "$(runs)" 2 "$change"
        prune_all_forms
    done
}

# Each layer takes a while, so that all are pending when the last command has ended.
test_a_kill_with_several_layers_pending_reruns_none_of_their_steps() {
    need_ids
    export SOURCE_DATE_EPOCH=1700000000
    local n first change of_which last='RUN --mount=type=cache,target=/count touch /count/last; sleep 1000'
    import_busybox
    {
        echo 'FROM busybox'
        for n in 1 2 3; do echo "RUN --mount=type=cache,target=/count echo $n >>/count/runs; seq ${n}00000 450000 >/big; touch /f$n; rm -f /f$((n - 1))"; done
        echo "$last"
    } >Dockerfile
    ran_records() { { grep -ls '"state":"ran"' "$CBUILD_ROOT"/cache/records/* || :; } | wc -l; }
    last_runs() { in_namespace sh -c 'ls "$CBUILD_ROOT"/cache/mounts/*/last' >/dev/null 2>&1; }
    # again where a layer was finished before the last command began
    kill_with_all_pending() {
        local pid
        for n in $(seq 50); do
            await in_namespace rm -rf "$CBUILD_ROOT" # steps of the last one take a moment to die
            import_busybox
            "$CBUILD" -t x --compression gzip:9 . >/dev/null 2>&1 &
            pid=$!
            while kill -0 $pid 2>/dev/null && [ "$(ran_records)" -lt 3 ] && ! last_runs; do sleep 0.02; done
            kill -KILL $pid 2>/dev/null || :
            wait $pid 2>/dev/null || :
            [ "$(ran_records)" -lt 3 ] || return 0
        done
        fail "never three layers pending"
    }
    kill_with_all_pending
    sed -i '$d' Dockerfile
    of_which=$(grep -l '"upon"' "$CBUILD_ROOT"/cache/records/* | wc -l)
    equal "$of_which" 2
    ok cbuild --explain -t x --compression gzip:9 .
    equal "$(grep -c 'hit: it ran before, its layer was not finished' "$TEST_TMP/err")" 3
    equal "$(runs)" 3
    store_verifies
    equal "$(ran_records)" 0
    first=$(image_id x)
    ok cbuild build --no-cache -t x --compression gzip:9 .
    equal "$(image_id x)" "$first"
    equal "$(runs)" 6
    # what lies below isn't what the command saw
    for change in 's/"below":"sha256:..../"below":"sha256:0000/' 's/"upon":"\(u-[^\/]*\/p-\)[0-9]/"upon":"\1/'; do
        echo "$last" >>Dockerfile
        kill_with_all_pending
        sed -i '$d' Dockerfile
        grep -l '"state":"ran"' "$CBUILD_ROOT"/cache/records/* | xargs sed -i "$change"
        ok cbuild --explain -t x --compression gzip:9 .
        case $change in
        *below*) equal "$(runs)" 6 ;;
        *) equal "$(runs)" 5 ;;
        esac
    done
}

test_what_an_upper_alone_does_not_tell_is_never_taken_up() {
    need_root
    need strace
    import_busybox
    printf 'FROM busybox\nRUN seq 1 300000 >/a\n' >Dockerfile
    traced() { # WORD...: a build of which it is seen what it writes
        ok env ASAN_OPTIONS=detect_leaks=0 strace -f -o trace -e trace=write -s 4000 "$@" .
        grep -q 'state.*done' trace || fail "nothing is seen"
    }
    traced "$CBUILD" -t x --no-cache
    grep -q 'state.*"ran' trace || fail "a step that has run leaves no record"
    for how in "$CBUILD --record-owners" "$CBUILD --isolation=chroot" "env CBUILD_FORCE=no-overlay $CBUILD"; do
        # shellcheck disable=SC2086
        traced $how -t x --no-cache
        ! grep 'state.*"ran' trace || fail "$how: a record that can't be used"
    done
}

test_a_hit_tells_what_the_copy_told() {
    mkdir -p c/a c/b
    echo x >c/a/x && echo y >c/b/y
    printf 'FROM scratch\nCOPY --chmod=644 a/x /new/dir/x\nCOPY a/x b/y /file\nCOPY b/* /z/\n' >c/Dockerfile
    said() { grep '^warning:' "$TEST_TMP/err" | sort; }
    ok cbuild --progress plain -t x c
    said >first
    equal "$(wc -l <first)" 2 "$(cat first)"
    grep -q 'Dockerfile:2: directory /new.* gets mode 0644' first
    grep -q 'Dockerfile:3: several sources go to /file' first
    ok cbuild --progress plain -t x c
    err_has CACHED
    said | diff first -
    # once where several platforms share the step
    ok cbuild --progress plain --platform linux/amd64,linux/arm64 -t y c
    said | diff first -
}

run_tests "$@"
