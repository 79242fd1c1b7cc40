#!/bin/bash
# shellcheck disable=SC2094,SC2154 # status is lib.sh's
# COPY and ADD as builds show them: what a context, a stage, a URL or a repository brings.
. "$(dirname "$0")/lib.sh"

. "$TOP/tests/e2e/sources.sh"

# publish_dir NAME DIR: a directory as a repository behind $URL/smart/NAME.git
publish_dir() {
    mkdir -p repos
    mv "$2" "repos/$1"
    git init -q -b main "repos/$1"
    publish "$1" x
}

tree_is() { # IMAGE LINE...: path, type, mode and owner of files and links
    local image=$1
    shift
    image_tree "$image" | awk '$2 ~ /^[fl]$/ { print $1, $2, $3, $4 }' >tree
    equal "$(cat tree)" "$(printf '%s\n' "$@")" "tree of $image"
}
digest_path() { echo "$CBUILD_ROOT/blobs/sha256/${1#sha256:}"; }
layer_sizes() { # IMAGE: entries of each layer
    local layer
    for layer in $(jq -r '.layers[].digest' "$(digest_path "$(image_id "$1")")"); do
        tar -tzf "$(digest_path "$layer")" | wc -l
    done | tr '\n' ' '
}

test_stages_are_named_by_earlier_numbers_and_names_of_any_case() {
    echo 1 >f
    cat >Dockerfile <<'EOT'
FROM scratch AS Base
COPY f /a
FROM scratch
COPY --from=0 a /by-number
COPY --from=bAsE /a /by-name
EOT
    ok cbuild -q -t x .
    tree_is x 'by-name f 644 0:0' 'by-number f 644 0:0'
    # FROM has to match case; numbers are for --from only
    printf 'FROM scratch AS base\nFROM BASE\n' >Dockerfile
    fails 1 cbuild -q .
    err_has 'Dockerfile:2'
    printf 'FROM scratch AS base\nCOPY f /\nFROM scratch AS other\nCOPY f /\n' >Dockerfile
    ok cbuild -q -t x --target OTHER .
    fails 3 cbuild -q -t x --target 0 .
}

test_a_number_of_no_earlier_stage_is_an_error_before_anything_runs() {
    local number
    for number in 1 2 7; do
        printf 'FROM scratch\nCOPY missing /\nFROM scratch\nCOPY --from=%s /a /b\n' $number >Dockerfile
        fails 3 cbuild .
        err_has "Dockerfile:4"
        err_has "stage $number: there is only stage 0 before this one"
        err_lacks "not found in the build context"
    done
}

test_a_url_or_repository_is_no_source_of_copy() {
    local source
    for source in http://127.0.0.1:1/x https://127.0.0.1:1/x.git git@127.0.0.1:a/b ssh://127.0.0.1/x git://127.0.0.1/x; do
        printf 'FROM scratch\nCOPY %s /\n' "$source" >Dockerfile
        fails 1 cbuild .
        err_has 'Dockerfile:2'
        err_has "source can't be a URL for COPY"
        err_has 'ADD takes URLs'
    done
}

test_a_name_like_github_com_is_a_local_path_in_add() {
    mkdir -p github.com/o/r
    echo local >github.com/o/r/f
    printf 'FROM scratch\nADD github.com/o/r /r/\n' >Dockerfile
    ok cbuild -q -t x .
    tree_is x 'r/f f 644 0:0'
}

test_a_wildcard_without_a_match_is_an_empty_layer() {
    echo 1 >f
    printf 'FROM scratch\nCOPY no* /\nCOPY f no* /\n' >Dockerfile
    ok cbuild -q -t x .
    equal "$(layer_sizes x)" '0 1 '
    tree_is x 'f f 644 0:0'
}

test_add_of_a_url_is_a_file_of_mode_0600_named_without_the_query() {
    serve
    echo one >www/files/f.txt
    tar --owner=0 --group=0 -C www/files -czf www/files/a.tgz f.txt
    cat >Dockerfile <<EOT
FROM scratch
ADD $URL/files/f.txt?v=1#frag /d/
ADD $URL/files/f.txt /name
ADD --chmod=0644 --chown=5:6 $URL/files/f.txt /mode/
ADD $URL/files/a.tgz /packed/
ADD --unpack=true $URL/files/a.tgz /unpacked/
EOT
    ok cbuild -q -t x .
    tree_is x 'd/f.txt f 600 0:0' 'mode/f.txt f 644 5:6' 'name f 600 0:0' 'packed/a.tgz f 600 0:0' \
        'unpacked/f.txt f 644 0:0'
    [ "$(stat -c %Y "$TEST_TMP/tree/name")" = 1600000000 ] || fail "the time isn't Last-Modified"
    printf 'FROM scratch\nADD --checksum=sha256:%064d %s/files/f.txt f /d/\n' 1 "$URL" >Dockerfile
    fails 1 cbuild -q .
    err_has '--checksum takes one http(s) or git source'
    echo blank >www/files/a%20name # that server decodes nothing
    printf 'FROM scratch\nADD %s/files/a%%20name /d/\n' "$URL" >Dockerfile
    ok cbuild -q -t x .
    image_tree x | grep -q '^d/a name f 600' || fail "the name is decoded"
    for name in / /.. /files/./ /files/..?x /files/%2e.; do
        printf 'FROM scratch\nADD %s%s /d/\n' "$URL" "$name" >Dockerfile
        fails 1 cbuild -q .
        err_has 'names no file; give the destination a file name'
    done
    # without a slash behind it the destination is the name, unless it is a directory
    printf 'FROM scratch\nADD %s/ /page\nADD %s /root\n' "$URL" "$URL" >Dockerfile
    ok cbuild -q -t x .
    tree_is x 'page f 600 0:0' 'root f 600 0:0'
    for there in 'WORKDIR /d' 'COPY Dockerfile /d/'; do
        printf 'FROM scratch\n%s\nADD %s/ /d\n' "$there" "$URL" >Dockerfile
        fails 1 cbuild -q .
        err_has '/d: a directory, and the source has no file name'
        err_has 'hint: give the destination a file name: /d/NAME'
    done
}

test_add_takes_what_holds_a_tar_and_nothing_else_for_one() {
    mkdir t && echo x >t/x
    tar --owner=0 --group=0 -C t -czf archive.jpg x
    gzip -c t/x >plain.tar.gz
    : >empty.tar
    printf 'FROM scratch\nADD archive.jpg /1\nADD plain.tar.gz empty.tar /2/\nADD --unpack=false archive.jpg /3/\n' >Dockerfile
    ok cbuild -q -t x .
    tree_is x '1/x f 644 0:0' '2/empty.tar f 644 0:0' '2/plain.tar.gz f 644 0:0' '3/archive.jpg f 644 0:0'
}

test_ignore_files_are_for_local_contexts_not_for_git_urls_or_stages() {
    serve
    mkdir main named remote
    for dir in main named remote; do
        echo 1 >$dir/seen
        echo 2 >$dir/hidden
        echo hidden >$dir/.dockerignore
    done
    printf 'FROM scratch\nCOPY . /all/\n' >remote/Dockerfile
    tar -C remote -czf www/files/t.tgz .
    publish_dir r remote
    cat >main/Dockerfile <<'EOT'
FROM scratch AS stage
COPY --from=git hidden /hidden
FROM scratch
COPY . /main/
COPY --from=named . /named/
COPY --from=git hidden /git
COPY --from=url hidden /url
COPY --from=stage hidden /stage
EOT
    ok cbuild -q -t x --build-context named=named --build-context "git=$URL/smart/r.git" \
        --build-context "url=$URL/files/t.tgz" main
    tree_is x 'git f 644 0:0' 'main/.dockerignore f 644 0:0' 'main/Dockerfile f 644 0:0' 'main/seen f 644 0:0' \
        'named/.dockerignore f 644 0:0' 'named/seen f 644 0:0' 'stage f 644 0:0' 'url f 644 0:0'
    local place
    for place in smart/r.git files/t.tgz; do
        ok cbuild -q -t x "$URL/$place"
        image_tree x | grep -q '^all/hidden f' || fail "$place: an ignore file counted"
    done
}

test_dockerfile_and_ignore_file_may_be_ignored_and_are_read_all_the_same() {
    echo 1 >f
    printf 'Dockerfile\n.dockerignore\n' >.dockerignore
    printf 'FROM scratch\nCOPY . /\n' >Dockerfile
    ok cbuild -q -t x .
    tree_is x 'f f 644 0:0'
    printf 'FROM scratch\nCOPY Dockerfile /\n' >Dockerfile
    fails 3 cbuild -q .
    err_has 'excluded by line 1 of .dockerignore'
}

test_a_dockerfiles_own_ignore_file_replaces_the_contexts() {
    echo 1 >a
    echo 2 >b
    echo a >.dockerignore
    printf 'b\n*ignore\n*ocker*\n' >My.Dockerfile.dockerignore
    printf 'FROM scratch\nCOPY . /\n' >My.Dockerfile
    ok cbuild -q -t x -f My.Dockerfile .
    tree_is x 'a f 644 0:0'
}

test_patterns_are_anchored_and_the_last_match_wins() {
    mkdir -p node_modules sub/node_modules sub/keep
    touch node_modules/a sub/node_modules/b sub/keep/c.py sub/keep/d.txt '#odd' x top.py
    printf 'FROM scratch\nCOPY . /\n' >../D
    run_case() { # PATTERNS EXPECTED
        printf "$1" >.dockerignore
        ok cbuild -q -t x -f ../D .
        image_tree x | awk '$2 == "f" { print $1 }' | grep -v dockerignore | tr '\n' ' ' >../list
        equal "$(cat ../list)" "$2" "$1"
    }
    run_case 'node_modules\n' '#odd sub/keep/c.py sub/keep/d.txt sub/node_modules/b top.py x '
    run_case '/node_modules/\n/x\n' '#odd sub/keep/c.py sub/keep/d.txt sub/node_modules/b top.py '
    run_case '**/node_modules\n# x\n' '#odd sub/keep/c.py sub/keep/d.txt top.py x '
    run_case '*\n!**/*.py\n' 'sub/keep/c.py top.py '
    run_case 'sub\n!sub/keep/d.txt\n#odd\n' '#odd node_modules/a sub/keep/d.txt top.py x '
    run_case ' #odd\n!  x\nsub/**\n' 'node_modules/a top.py x '
    run_case '*\n!x\nx\n' ''
}

test_directories_files_and_links_in_the_way_fail_in_copy() {
    mkdir d && touch d/f e && ln -s nowhere l
    run_case() { # INSTRUCTIONS WORD
        printf 'FROM scratch\nCOPY d /dir/\nCOPY e /file\n%b\n' "$1" >Dockerfile
        fails 1 cbuild -q .
        err_has 'Dockerfile:4'
        err_has "$2"
    }
    run_case 'COPY d /file' '/file: is a file, not a directory'
    run_case 'COPY e /file/x' '/file: is a file, not a directory'
    mkdir -p t/file && touch t/dir
    run_case 'COPY t /' 'is a directory, can'"'"'t become a file'
}

test_times_of_sources_stay_and_created_parents_are_the_builds() {
    mkdir d && touch d/f && touch -d @1234567890 d/f && touch -d @1234567891 d
    printf 'FROM scratch\nCOPY d /p/d\n' >Dockerfile
    SOURCE_DATE_EPOCH=1400000000 ok cbuild -q -t x .
    image_tree x >/dev/null
    equal "$(stat -c %Y "$TEST_TMP/tree/p")" 1400000000
    equal "$(stat -c %Y "$TEST_TMP/tree/p/d" "$TEST_TMP/tree/p/d/f" | tr '\n' ' ')" '1234567891 1234567890 '
}

test_workdir_of_a_directory_that_is_there_adds_an_empty_layer() {
    mkdir d && touch d/f
    printf 'FROM scratch\nCOPY d /d\nWORKDIR /d\n' >Dockerfile
    ok cbuild -q -t x .
    equal "$(layer_sizes x)" '2 0 '
    equal "$(cbuild inspect -f '{{.Config.WorkingDir}}' x)" /d
    printf 'FROM scratch\nCOPY d /d\n' >Dockerfile
    ok cbuild -q -t x .
    equal "$(cbuild inspect -f '{{.Config.WorkingDir}} {{.Config.Env}}' x)" \
        '/ [PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin]'
}

test_only_what_is_copied_is_read() {
    need strace
    need_run
    mkdir wanted unwanted
    echo 1 >wanted/f
    echo 2 >unwanted/g
    echo 3 >h
    printf 'FROM scratch\nCOPY wanted /w/\nCOPY no* /\n' >Dockerfile
    ok env ASAN_OPTIONS=detect_leaks=0 strace -f -o trace -e trace=openat,openat2,open "$CBUILD" -q -t x .
    grep -q '"[^"]*f"' trace || fail "not even what is copied"
    ! grep -E '"([^"]*/)?(unwanted|g|h)"' trace || fail "more was opened"
}

# 40 files, more than are read before they are read for the layer. GENERATION makes other contents.
many_files() { # GENERATION
    local i
    mkdir -p many/d
    for i in $(seq 40); do printf '%s of %s\n' "$i" "$1" >"many/d/file$i"; done
    printf 'FROM scratch\nCOPY many /many\n' >Dockerfile
}

opens() { # of context files, by strace
    grep -c '"[^"]*/file[0-9]*"' trace || true
}

# As if the disk had to be waited for: eight files tell, the others come before they are opened.
test_files_that_are_not_in_memory_are_read_ahead() {
    need strace
    export SOURCE_DATE_EPOCH=1
    many_files one
    ok cbuild -q -t hot .
    rm -rf "$CBUILD_ROOT"/cache
    ok env ASAN_OPTIONS=detect_leaks=0 strace -f -y -o trace -e trace=preadv2,fadvise64 -e inject=preadv2:error=EAGAIN "$CBUILD" -q -t cold .
    equal "$(image_id cold)" "$(image_id hot)"
    equal "$(grep -c 'preadv2.*RWF_NOWAIT' trace)" 8
    equal "$(grep -c 'fadvise64([0-9]*<.*/file[0-9]*>, 0, 524288, POSIX_FADV_WILLNEED) = 0' trace)" 31 "all but those and the one that is next"
    # where all is in memory, or nobody can tell, none is opened twice
    rm -rf "$CBUILD_ROOT"/cache
    ok env ASAN_OPTIONS=detect_leaks=0 strace -f -y -o trace -e trace=preadv2,fadvise64 -e inject=preadv2:error=EOPNOTSUPP "$CBUILD" -q -t untold .
    equal "$(image_id untold)" "$(image_id hot)"
    equal "$(grep -c 'preadv2.*RWF_NOWAIT' trace)" 1
    equal "$(grep -c fadvise64 trace)" 0
}

traced() { ok env ASAN_OPTIONS=detect_leaks=0 strace -f -o trace -e trace=openat,openat2,open "$CBUILD" -q -t x .; }

test_a_cold_copy_opens_each_file_once_and_a_rebuild_none() {
    need strace
    need_root
    many_files one
    sleep 0.1 # records younger than the clock's tick aren't trusted
    traced
    equal "$(opens)" 40
    traced
    equal "$(opens)" 0
    # a directory from the one that it is in, not from the root
    equal "$(grep -c 'openat([0-9]*, "d", ' trace)" 1
    ! grep -F '"many/d"' trace || fail "a path is opened"
    # found by its content: each is read for the key, and that's all
    first=$(image_id x)
    forget_stat_records
    traced
    equal "$(opens)" 40
    equal "$(image_id x)" "$first" # it has the time of its making
    # one of them changed: it alone, for the key and for the layer
    echo '7 of two' >many/d/file7
    sleep 0.1
    traced
    equal "$(grep -c '"[^"]*/file7"' trace)" 2
    image_tree x | grep -q '^many/d/file40 f' || fail "files are missing"
    grep -q '7 of two' "$TEST_TMP/tree/many/d/file7" || fail "an old content"
}

forget_stat_records() { find "$CBUILD_ROOT/cache/contexts" -regex '.*/[0-9a-f]*' -delete; }
records() { (cd "$CBUILD_ROOT/cache/records" && sha256sum -- *); }

test_keys_are_the_same_whether_files_are_read_before_or_with_the_layer() {
    export SOURCE_DATE_EPOCH=1700000000
    many_files one
    ln many/d/file1 many/d/name
    ln -s file2 many/link
    : >many/empty
    chmod 4755 many/d/file3
    ok cbuild -q -t x .
    records >with
    rm "$CBUILD_ROOT"/cache/records/* # the shape stays: read before
    forget_stat_records
    ok cbuild -q -t x .
    records >before
    cmp with before
    rm -r "$CBUILD_ROOT"/cache/contexts "$CBUILD_ROOT"/cache/records
    ok cbuild -q --no-cache -t x .
    records >again
    cmp with again
}

test_who_wants_the_same_cold_copy_waits_for_it() {
    many_files one
    head -c 3000000 /dev/urandom >many/large
    printf 'FROM scratch AS a\nCOPY many /many\nFROM scratch AS b\nCOPY many /many\nFROM scratch\nCOPY --from=a many/large /a\nCOPY --from=b many/large /b\n' >Dockerfile
    ok cbuild -t x .
    equal "$(grep -c CACHED "$TEST_TMP/err")" 1
    ok cbuild --no-cache -t x .
    equal "$(grep -c CACHED "$TEST_TMP/err")" 1
    echo changed >>many/large
    "$CBUILD" -t x . >one 2>&1 &
    "$CBUILD" -t y . >two 2>&1 &
    wait %1 %2 || fail "side by side"
    equal "$(image_id x)" "$(image_id y)"
}

# A record of files that were known leaves its shape, too: else who doesn't know them looks for none.
test_a_copy_of_known_files_is_found_by_who_has_to_read_them() {
    many_files one
    head -c 3000000 /dev/urandom >many/large
    printf 'FROM scratch\nCOPY many /a\n' >Dockerfile
    ok cbuild -t x .
    printf 'FROM scratch\nCOPY many /b\n' >Dockerfile
    ok cbuild -t x .
    err_lacks CACHED
    mkdir other
    cp -r many Dockerfile other
    ok cbuild -t y other
    err_has CACHED
}

# Their steps have different keys, as they stand on different layers, and what they make is the same.
test_a_layer_that_stages_share_is_made_once() {
    need strace
    head -c 3000000 /dev/urandom >f # so much is hashed on the pass that makes the layer
    echo a >a
    echo b >b
    cat >Dockerfile <<'END'
FROM scratch AS one
COPY a /a
COPY f /f
FROM scratch AS two
COPY b /b
COPY f /f
FROM scratch
COPY --from=one /a /
COPY --from=two /b /
END
    sleep 0.1 # records younger than the clock's tick aren't trusted: the second stage would read f for its key
    ok env ASAN_OPTIONS=detect_leaks=0 strace -ff -qq -y -o trace -e trace=read,pread64,preadv2 "$CBUILD" --progress plain -t x .
    err_lacks CACHED
    equal "$(cat trace.* | grep "$PWD/f>" | awk '{ n += $NF } END { print n }')" 3000000 'bytes read'
    # each stage has the file
    ok cbuild -q -t one --target one .
    ok cbuild -q -t two --target two .
    equal "$(cbuild inspect -f '{{index .RootFS.Layers 1}}' one)" "$(cbuild inspect -f '{{index .RootFS.Layers 1}}' two)"
    cbuild export one | tar -xOf - f | cmp - f
}

test_images_are_the_same_at_one_two_and_eight_threads() {
    local cpus i first=
    export SOURCE_DATE_EPOCH=1700000000
    many_files one
    # enough directories for several threads to walk them, enough bytes for several members
    for i in $(seq 20); do mkdir -p many/d"$i"/d && echo "$i" | tee many/d"$i"/f >many/d"$i"/d/g; done
    seq 2000000 >many/large
    head -c 5000000 /dev/zero >>many/large
    find many -exec touch -h -d @1600000000 {} +
    for cpus in one-cpu two-cpus eight-cpus; do
        ok env CBUILD_FORCE="$cpus" CBUILD_ROOT="$PWD/store-$cpus" "$CBUILD" -q -t x .
        first=${first:-$(cat "$TEST_TMP/out")}
        equal "$(cat "$TEST_TMP/out")" "$first"
    done
    # of every build of cbuild, whatever its mode and its libraries
    equal "$(CBUILD_ROOT="$PWD/store-one-cpu" "$CBUILD" inspect -f '{{index .RootFS.Layers 0}}' x)" sha256:34f23b698795fe4b7812227207ad7a252ba3e22346fcba70637272fc6e3dc66b
}

# What a directory form holds, all that counts: type, mode, owner, size, time, names of one file, content, capability.
form_listing() { # FORM
    (cd "$1" && find . -printf '%P %y %m %U:%G %s %T@ %n %l\n' | sort && find . -type f -exec sha256sum {} + | sort -k2 &&
        getfattr -R -h -d -m - . 2>/dev/null)
}

test_a_layer_that_is_run_on_is_unpacked_on_the_pass_that_makes_it() {
    need_root
    need strace
    import_busybox
    many_files one
    ln many/d/file1 many/d/name
    ln -s file2 many/link
    truncate -s 300000 many/holes
    chmod 4755 many/d/file3
    setcap cap_net_raw+ep many/d/file4
    printf 'FROM busybox\nRUN mkdir /many\nCOPY --chown=5:6 many /many\nRUN test -L /many/link && rm /many/d/file9\n' >Dockerfile
    # blobs are opened for their sync, too
    local -x ASAN_OPTIONS=detect_leaks=0
    reads() { strace -f -y -o trace -e trace=read,pread64,preadv2,readv,preadv,mmap,copy_file_range "$@"; }
    ok reads "$CBUILD" -q -t x .
    blob=$(cbuild inspect --raw x | sed 's/.*"layers":\[//' | grep -o 'sha256:[0-9a-f]*' | sed -n '3s/sha256://p')
    diff_id=$(cbuild inspect -f '{{index .RootFS.Layers 2}}' x)
    ! grep "/sha256/$blob>" trace || fail "the blob was read"
    form=$(echo "$CBUILD_ROOT"/layers/u-*/"d-${diff_id#sha256:}") # by the id map
    form_listing "$form" >on-the-pass
    grep -q 'd/file40 f' on-the-pass || fail "no form"
    rm -r "$form"
    printf '%s\n' 'RUN true' >>Dockerfile # the same layers below: of the blob now
    ok reads "$CBUILD" -q -t y .
    grep -q "/sha256/$blob>" trace || fail "the blob wasn't read"
    form_listing "$form" >of-the-blob
    cmp on-the-pass of-the-blob
    # nothing runs on it: no form
    printf 'FROM busybox\nRUN true\nCOPY many /other\n' >Dockerfile
    ok cbuild -q -t z .
    diff_id=$(cbuild inspect -f '{{index .RootFS.Layers 2}}' z)
    is_absent "$CBUILD_ROOT/layers/u-root/d-${diff_id#sha256:}"
}

test_words_of_the_json_form_are_expanded_too() {
    echo 1 >'a b'
    echo 2 >c
    printf 'FROM scratch\nARG F=c\nCOPY ["a b", "$F", "/d/"]\n' >Dockerfile
    ok cbuild -q -t x .
    image_tree x | grep -q '^d/a b f' || fail "no name with a blank"
    image_tree x | grep -q '^d/c f' || fail "a variable stayed"
    printf "FROM scratch\nCOPY [\"a'b\", \"/d/\"]\n" >Dockerfile
    fails 1 cbuild .
    err_has 'Dockerfile:2'
    printf 'FROM scratch\nCOPY ["c", 1]\n' >Dockerfile
    fails 1 cbuild .
}

test_unquoted_heredocs_lose_backslashes_before_quotes_backslashes_and_newlines() {
    cat >Dockerfile <<'EOT'
FROM scratch
ARG A=value
COPY <<E /plain
$A \"quoted\" \\ joined\
line \$A
it's '$A' "$A"
E
COPY <<"E" /quoted
$A \"quoted\" \\ joined\
line \$A
it's '$A' "$A"
E
EOT
    ok cbuild -q -t x .
    image_tree x >/dev/null
    equal "$(cat "$TEST_TMP/tree/plain")" 'value "quoted" \ joined
line $A
it'"'"'s '"'"'value'"'"' "value"'
    equal "$(cat "$TEST_TMP/tree/quoted")" '$A \"quoted\" \\ joined\
line \$A
it'"'"'s '"'"'$A'"'"' "$A"'
}

test_capabilities_of_files_outlive_chown() {
    need_root
    need python3
    import_busybox
    cp /bin/busybox busybox
    python3 -c 'import os; os.setxattr("busybox", "security.capability", bytes.fromhex("0100000201" + "00" * 15)); os.setxattr("busybox", "user.x", b"1")' ||
        skip "needs root"
    cat >Dockerfile <<'EOT'
FROM busybox AS one
COPY --chown=1000:1000 busybox /cap/busybox
FROM busybox
COPY --from=one --chown=1000:50 --chmod=0755 /cap/busybox /cap/busybox
RUN touch /f && chown app /f
USER app
RUN /cap/busybox chown 7:8 /f && ! chown 9 /f 2>/dev/null && stat -c '%u:%g' /f
EOT
    ok cbuild -t x .
    err_has ' 7:8'
    grep -aq user.x "$CBUILD_ROOT"/entries/* && fail "a context's user attribute is in a layer"
    return 0
}

run_tests "$@"
