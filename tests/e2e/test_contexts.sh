#!/bin/bash
# shellcheck disable=SC2119,SC2120,SC2094,SC2154 # status is lib.sh's
# Contexts and sources from elsewhere: tars, URLs, git repositories, layouts.
. "$(dirname "$0")/lib.sh"

. "$(dirname "$0")/sources.sh"

make_context() { # [DIR]
    local dir=${1:-c}
    mkdir -p "$dir/d"
    printf 'FROM scratch\nCOPY . /x/\n' >"$dir/Dockerfile"
    echo f >"$dir/f"
    echo p >"$dir/d/p"
    chmod 4751 "$dir/d/p"
    chmod 750 "$dir/d"
    ln -s f "$dir/l"
    find "$dir" -exec touch -h -d @$MTIME {} +
}

has_line() { grep -qxF -- "$1" || fail "missing: $1"; }

# --- tars on standard input

test_a_tar_on_stdin_is_a_context_whatever_its_compression() {
    need xz bzip2 zstd
    make_context
    tar --owner=7 --group=7 -C c -cf c.tar .
    gzip -k c.tar; xz -k c.tar; bzip2 -k c.tar; zstd -q c.tar
    ok cbuild -q -t x - <c.tar
    local id
    id=$(image_id x)
    for tar in c.tar.*; do
        ok cbuild -q -t y - <"$tar"
        equal "$(image_id y)" "$id" "$tar"
    done
    listing x >tree
    has_line '-rwsr-x--x 0/0 2 2020-09-13 12:26:40 x/d/p' <tree
    has_line 'drwxr-x--- 0/0 0 2020-09-13 12:26:40 x/d/' <tree
    has_line 'lrwxrwxrwx 0/0 0 2020-09-13 12:26:40 x/l -> f' <tree
    store_verifies
    equal "$(ls -A "$CBUILD_ROOT/tmp")" "" "left-overs"
}

test_a_directory_and_its_tar_give_the_same_image() {
    make_context
    export SOURCE_DATE_EPOCH=$MTIME
    ok cbuild -q -t x c
    ok cbuild -q -t y - < <(tar -C c -c .)
    equal "$(image_id x)" "$(image_id y)"
}

test_f_names_a_dockerfile_in_the_tar() {
    make_context
    mkdir c/docker
    printf 'FROM scratch\nCOPY f /other\n' >c/docker/D
    tar -C c -cf c.tar .
    ok cbuild -q -t x -f docker/D - <c.tar
    listing x | grep -q ' other$' || fail "another Dockerfile was read"
    fails 3 cbuild -f docker/E - <c.tar
    err_has "no file docker/E in <standard input>"
    tar -C c/d -cf d.tar .
    fails 3 cbuild - <d.tar
    err_has "no Dockerfile in <standard input>"
}

test_ignore_files_in_a_tar_dont_count() {
    make_context
    echo f >c/.dockerignore
    ok cbuild -q -t x - < <(tar -C c -c .)
    listing x | grep -q ' x/f$' || fail "f was ignored"
}

test_a_dockerfile_on_stdin_has_no_context() {
    printf 'FROM scratch\nLABEL a=b\n' >D
    ok cbuild -q -t x - <D
    fails 2 cbuild -f D - <D
    err_has "standard input is a Dockerfile"
    for source in f .; do
        printf 'FROM scratch\nCOPY %s /\n' $source >D
        fails 3 cbuild - <D
        err_has 'hint: the Dockerfile came without a context'
    done
}

test_f_dash_with_a_tar_is_refused() {
    make_context
    fails 2 cbuild -f - c < <(tar -C c -c .)
    err_has "standard input is an archive"
}

test_a_hostile_tar_touches_nothing_outside() {
    need python3
    mkdir outside
    echo canary >outside/canary
    python3 - "$PWD" <<'PY'
import io, sys, tarfile
top = sys.argv[1]
def make(name, *entries):
    with tarfile.open(name, "w") as tar:
        for kind, path, value in ((tarfile.REGTYPE, "Dockerfile", "FROM scratch\nCOPY . /\n"),) + entries:
            info = tarfile.TarInfo(path)
            info.type = kind
            if kind == tarfile.REGTYPE:
                info.size = len(value)
                tar.addfile(info, io.BytesIO(value.encode()))
            else:
                info.linkname = value
                tar.addfile(info)
F, L, H = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
make("dotdot.tar", (F, "../" * 20 + top + "/outside/canary", "evil"))
make("middle.tar", (F, "a/../../../outside/canary", "evil"))
make("absolute.tar", (F, top + "/outside/canary", "evil"))
make("link.tar", (L, "l", top + "/outside"), (F, "l/canary", "evil"))
make("uplink.tar", (L, "l", "../" * 20 + top + "/outside"), (F, "l/canary", "evil"))
make("filelink.tar", (L, "f", top + "/outside/canary"), (F, "f", "evil"))
make("hardlink.tar", (H, "h", top + "/outside/canary"), (F, "h", "evil"))
make("linkhard.tar", (L, "l", top + "/outside"), (H, "h", "l/canary"), (F, "h", "evil"))
PY
    local tar
    for tar in *.tar; do
        run cbuild -q -t x - <"$tar"
        [ "$status" -lt 128 ] || fail "$tar: status $status"
        equal "$(cat outside/canary)" canary "$tar"
        equal "$(ls outside)" canary "$tar"
    done
    fails 1 cbuild - <dotdot.tar
    err_has 'path leaves the root'
}

test_a_dockerfile_that_is_a_link_leads_inside() {
    mkdir c outside
    printf 'FROM scratch\nLABEL leaked=yes\n' >outside/D
    ln -s "$PWD/outside/D" c/Dockerfile
    fails 3 cbuild -t x - < <(tar -C c -c .)
    printf 'FROM scratch\nLABEL inside=yes\n' >c/real
    ln -sf /real c/Dockerfile
    ok cbuild -t x - < <(tar -C c -c .)
}

test_a_cut_archive_fails_and_leaves_nothing() {
    make_context
    head -c 100000 /dev/urandom >c/big
    tar -C c -czf c.tgz .
    head -c 50000 c.tgz >cut.tgz
    fails 1 cbuild -t x - <cut.tgz
    err_has "<standard input>"
    ok cbuild -t x - <c.tgz
    equal "$(ls -A "$CBUILD_ROOT/tmp")" "" "left-overs"
}

# --- URLs

test_a_tarball_behind_a_url_is_a_context_and_fetched_once() {
    make_context
    serve
    tar -C c -czf www/files/c.tgz .
    ok cbuild -q -t x "$URL/files/c.tgz"
    log_is 'GET /files/c.tgz 200'
    local id
    id=$(image_id x)
    ok cbuild -q -t x "$URL/files/c.tgz"
    log_is 'GET /files/c.tgz 304'
    equal "$(image_id x)" "$id"
    ok cbuild -q -t y -f Dockerfile "$URL/plain/c.tgz"
    equal "$(image_id y)" "$id"
    fails 3 cbuild "$URL/files/absent.tgz"
    err_has absent.tgz
}

test_a_dockerfile_behind_a_url_has_no_context() {
    serve
    printf 'FROM scratch\nLABEL a=b\n' >www/files/D
    ok cbuild -q -t x "$URL/files/D"
    fails 2 cbuild -f E "$URL/files/D"
    printf 'FROM scratch\nCOPY a /\n' >www/files/D
    fails 3 cbuild "$URL/files/D"
    head -c 3000 /dev/zero >www/files/D
    fails 1 cbuild "$URL/files/D"
    err_has "neither a tar nor a Dockerfile"
}

test_an_unchanged_url_of_add_isnt_fetched_again() {
    serve
    echo one >www/files/f
    mkdir c
    printf 'FROM scratch\nADD %s/files/f /d/\n' "$URL" >c/Dockerfile
    ok cbuild -q -t x c
    log_is 'GET /files/f 200'
    listing x | has_line '-rw------- 0/0 4 2020-09-13 12:26:40 d/f'
    ok cbuild -q -t x c
    log_is 'GET /files/f 304'
    # the step changed, the file didn't: its content is still here
    printf 'FROM scratch\nADD %s/files/f /e/\n' "$URL" >c/Dockerfile
    ok cbuild -q -t x c
    log_is 'GET /files/f 304'
    equal "$(content x e/f)" one
    echo two >www/files/f
    ok cbuild -q -t x c
    log_is 'GET /files/f 200'
    equal "$(content x e/f)" two
    store_verifies
}

test_a_kept_file_that_was_collected_is_fetched_again() {
    serve
    echo one >www/files/f
    mkdir c
    printf 'FROM scratch\nADD %s/files/f /d/\n' "$URL" >c/Dockerfile
    ok cbuild -q -t x c
    local hex
    hex=$(sha256sum <www/files/f)
    rm "$CBUILD_ROOT/blobs/sha256/${hex%% *}"
    : >www/log
    ok cbuild -q -t x --no-cache c
    log_is 'GET /files/f 200'
}

test_secrets_for_a_host_open_its_urls() {
    serve
    mkdir c
    echo one >www/files/f
    printf 'FROM scratch\nADD %s/guarded/f /f\n' "$URL" >c/Dockerfile
    fails 4 cbuild -q -t x c
    TOKEN=sesame ok cbuild -q -t x --secret "id=HTTP_AUTH_TOKEN_${URL#http://},env=TOKEN" c
    TOKEN='Bearer sesame' ok cbuild -q -t x --secret "id=HTTP_AUTH_HEADER_${URL#http://},env=TOKEN" c
    TOKEN=sesame fails 4 cbuild -q -t x --secret id=HTTP_AUTH_TOKEN_example.com,env=TOKEN c
    ! grep -rq sesame "$CBUILD_ROOT" || fail "the store has it"
}

# --- git

test_git_contexts_by_branch_tag_commit_and_subdir() {
    need git
    serve
    repo r
    local first
    first=$(git -C repos/r rev-parse HEAD)
    echo two >repos/r/f
    publish r two
    local where
    for where in "#main" "#refs/heads/main" "?branch=main" ""; do
        ok cbuild -q -t x "$URL/smart/r.git$where"
        equal "$(content x x/f)" two "$where"
    done
    for where in "#v1" "?tag=v1" "?ref=v1" "#$first" "?commit=$first"; do
        ok cbuild -q -t x "$URL/smart/r.git$where"
        equal "$(content x x/f)" one "$where"
    done
    umask 077 # git's checkout follows it, the image doesn't
    for where in "#main:sub" "#:sub" "?subdir=sub&ref=main"; do
        ok cbuild -q -t y "$URL/smart/r.git$where"
        listing y >tree
        has_line '-rwxr-xr-x 0/0 10 2020-09-13 12:26:40 x/run' <tree
        ! grep -q 'x/f' tree || fail "more than the subdirectory"
    done
    listing x >tree
    ! grep -q '\.git' tree || fail ".git is there"
    has_line '-rw-r--r-- 0/0 4 2020-09-13 12:26:40 x/f' <tree
    fails 3 cbuild "$URL/smart/r.git#absent"
    err_has 'no ref "absent"'
    fails 3 cbuild "$URL/smart/r.git#main:absent"
    fails 3 cbuild "$URL/smart/absent.git"
    fails 1 cbuild "$URL/smart/r.git#--upload-pack=x"
    err_has 'begins with "-"'
}

test_a_known_commit_of_git_is_not_fetched_again() {
    need git
    serve
    repo r
    local commit id
    commit=$(git -C repos/r rev-parse HEAD)
    ok cbuild -q -t x "$URL/smart/r.git#main"
    id=$(image_id x)
    listing x | grep -v ' x/$' >tree
    grep -q upload-pack www/log || { cat www/log; fail "nothing was fetched"; }
    # the ref is asked for, no more; the files are the same, of a subdirectory too
    : >www/log
    umask 077
    ok cbuild -q -t y --no-cache "$URL/smart/r.git#main"
    local n
    n=$(wc -l <www/log)
    : >www/log
    git ls-remote "$URL/smart/r.git" main >/dev/null
    equal "$n" "$(wc -l <www/log)" "requests"
    listing y | grep -v ' x/$' | diff tree -
    ok cbuild -q -t z "$URL/smart/r.git#main:sub"
    listing z | grep -q -- '-rwxr-xr-x .* x/run' || fail "the mode of sub/run"
    # by its id nobody is asked
    : >www/log
    ok cbuild -q -t y "$URL/smart/r.git#$commit"
    printf 'FROM scratch\nADD %s/smart/r.git#%s /x/\n' "$URL" "$commit" >Dockerfile
    ok cbuild -q -t w .
    equal "$(wc -l <www/log)" 0 "requests"
    # what differs isn't shared
    ok cbuild -q -t v --build-arg BUILDKIT_CONTEXT_KEEP_GIT_DIR=1 "$URL/smart/r.git#$commit"
    listing v | grep -q 'x/.git/HEAD' || fail "no .git"
    # a new commit is fetched, a damaged copy too
    echo new >repos/r/f
    publish r new
    ok cbuild -q -t x "$URL/smart/r.git#main"
    equal "$(content x x/f)" new
    # shellcheck disable=SC2013 # one word a line
    for hex in $(grep -ho '"content":"sha256:[0-9a-f]*","git_version"' "$CBUILD_ROOT"/cache/records/* | cut -c19-82); do
        chmod u+w "$CBUILD_ROOT/blobs/sha256/$hex"
        echo broken >"$CBUILD_ROOT/blobs/sha256/$hex"
    done
    : >www/log
    ok cbuild -q -t y --no-cache "$URL/smart/r.git#$commit"
    listing y | grep -v ' x/$' | diff tree -
    [ -s www/log ] || fail "the damaged copy was used"
    equal "$(ls -A "$CBUILD_ROOT/tmp")" "" "left-overs"
}

test_git_over_dumb_http_file_and_git_protocols() {
    need git
    serve
    repo r
    local id port daemon
    ok cbuild -q -t x "$URL/smart/r.git"
    id=$(image_id x)
    ok cbuild -q -t x "$URL/dumb/r.git#v1"
    equal "$(image_id x)" "$id"
    ok cbuild -q -t x "file://$PWD/www/repos/r.git"
    equal "$(image_id x)" "$id"
    # git takes no port that is free by itself: another program may have taken ours in between
    for _ in $(seq 20); do
        port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
        git daemon --verbose --export-all --listen=127.0.0.1 --port="$port" --base-path="$PWD/www/repos" >daemon.log 2>&1 &
        daemon=$!
        await grep -qE 'Ready to rumble|unable to' daemon.log
        ! grep -q Ready daemon.log || break
        wait $daemon || :
    done
    ok cbuild -q -t x "git://127.0.0.1:$port/r.git#main"
    equal "$(image_id x)" "$id"
    kill $daemon
}

test_submodules_come_along() {
    need git
    serve
    repo inner
    repo r
    git -C repos/r -c protocol.file.allow=always submodule --quiet add "$URL/smart/inner.git" in
    publish r modules
    ok cbuild -q -t x "$URL/smart/r.git"
    listing x >tree
    has_line '-rw-r--r-- 0/0 4 2020-09-13 12:26:40 x/in/f' <tree
    ! grep -q '\.git$\|\.git/' tree || fail ".git is there"
    ok cbuild -q -t x "$URL/smart/r.git?submodules=false"
    listing x >tree
    ! grep -q 'x/in/f' tree || fail "the submodule is there"
}

test_a_hostile_submodule_url_isnt_followed() {
    need git
    serve
    repo r
    (cd repos/r && git -c protocol.file.allow=always submodule --quiet add "$PWD" in && git submodule --quiet deinit -f in)
    git -C repos/r config -f .gitmodules submodule.in.url "ext::sh -c touch% $PWD/pwned"
    publish r modules
    fails 1 cbuild "$URL/smart/r.git"
    is_absent pwned
    git -C repos/r config -f .gitmodules submodule.in.url "$PWD/repos/r"
    publish r again
    fails 1 cbuild "$URL/smart/r.git"
    err_has "not allowed"
}

test_links_in_a_repository_lead_inside() {
    need git
    serve
    repo r
    mkdir outside
    printf 'FROM scratch\n' >outside/Dockerfile
    ln -s "$PWD/outside" repos/r/out
    ln -s "$PWD/outside/Dockerfile" repos/r/D
    publish r links
    fails 3 cbuild "$URL/smart/r.git#main:out"
    fails 3 cbuild -f D "$URL/smart/r.git"
}

test_add_git_is_cached_by_its_commit() {
    need git
    serve
    repo r
    mkdir c
    printf 'FROM scratch\nADD %s/smart/r.git#main:sub /src\nADD --chown=5:6 %s/smart/r.git?ref=v1 /tag\n' "$URL" "$URL" >c/Dockerfile
    ok cbuild -t x c
    listing x >tree
    has_line '-rw-r--r-- 5/6 4 2020-09-13 12:26:40 tag/f' <tree
    listing x 0 >tree
    has_line '-rwxr-xr-x 0/0 10 2020-09-13 12:26:40 src/run' <tree
    local id
    id=$(image_id x)
    : >www/log
    ok cbuild -t x c
    err_has CACHED
    # both were asked what their refs are, and nothing more
    local asked='GET /smart/r.git/info/refs 200' answer='POST /smart/r.git/git-upload-pack 200'
    log_is "$asked" "$answer" "$asked" "$answer"
    equal "$(image_id x)" "$id"
    echo more >repos/r/sub/more
    publish r more
    ok cbuild -t x c
    listing x 0 >tree
    has_line '-rw-r--r-- 0/0 5 2020-09-13 12:26:40 src/more' <tree
    store_verifies
}

test_add_git_beside_local_files_and_a_kept_git_dir() {
    need git
    serve
    repo r
    mkdir c
    echo local >c/f
    printf 'FROM scratch\nADD --keep-git-dir f %s/smart/r.git /d/\n' "$URL" >c/Dockerfile
    ok cbuild -q -t x c
    listing x >tree
    has_line '-rw-r--r-- 0/0 4 2020-09-13 12:26:40 d/f' <tree
    grep -q ' d/.git/HEAD$' tree || fail "no .git"
    mkdir out
    tar -C out -xf "$LAYER"
    equal "$(git -c safe.directory='*' -C out/d status --porcelain)" ""
    ! grep -r "$(hostname)" out/d/.git/logs 2>/dev/null || fail "the host's name is in it"
    printf 'FROM scratch\nADD --keep-git-dir %s/smart/r.git?keep-git-dir=false /d/\n' "$URL" >c/Dockerfile
    fails 1 cbuild -q -t x c
    err_has '--keep-git-dir=true: the URL says keep-git-dir=false'
}

test_sources_of_all_kinds_are_added_as_they_are_written() {
    need git
    serve
    repo r
    mkdir c
    echo local >c/f
    echo url >www/files/f
    local git=$URL/smart/r.git url=$URL/files/f order
    for order in "$git f" "f $git" "$git $url" "$url $git" "$url f" "f $url" "f $git $url" "$url <<f" "<<f $url"; do
        printf 'FROM scratch\nADD %s /d/\nheredoc\nf\n' "$order" >c/Dockerfile
        [[ $order = *'<<'* ]] || sed -i '3,$d' c/Dockerfile
        ok cbuild -q -t x c
        content x d/f | head -n 1
    done >contents
    equal "$(tr '\n' ' ' <contents)" 'local one url one local url url heredoc heredoc '
}

test_add_git_checks_the_commit() {
    need git
    serve
    repo r
    local commit
    commit=$(git -C repos/r rev-parse HEAD)
    mkdir c
    printf 'FROM scratch\nADD --checksum=%s %s/smart/r.git#v1 /d\n' "${commit:0:10}" "$URL" >c/Dockerfile
    ok cbuild -q -t x c
    printf 'FROM scratch\nADD --checksum=%s %s/smart/r.git#v1 /d\n' 1234567890 "$URL" >c/Dockerfile
    fails 1 cbuild -q -t x c
    err_has "Dockerfile:2"
    err_has "not 1234567890"
    printf 'FROM scratch\n\nADD %s/smart/absent.git /d\n' "$URL" >c/Dockerfile
    fails 3 cbuild -q -t x c
    err_has "Dockerfile:3"
    err_has "git ls-remote"
}

test_a_dockerfile_cant_read_repositories_of_this_machine() {
    need git
    mkdir www
    repo r
    mkdir c
    printf 'FROM scratch\nADD file://%s/repos/r /d\n' "$PWD" >c/Dockerfile
    fails 3 cbuild -q -t x c
}

test_private_repositories_get_secrets_and_nobody_else_sees_them() {
    need git
    serve
    repo r
    mkdir c
    printf 'FROM scratch\nADD %s/private/r.git /d\n' "$URL" >c/Dockerfile
    fails 4 cbuild -q -t x c
    err_has "--secret"
    TOKEN=sesame ok cbuild -q -t x --secret id=GIT_AUTH_TOKEN,env=TOKEN c
    TOKEN=sesame ok cbuild -q -t y --no-cache --secret "id=GIT_AUTH_TOKEN.${URL#http://},env=TOKEN" c
    ok cbuild -q -t z "http://me:sesame@${URL#http://}/private/r.git"
    printf 'FROM scratch\nADD http://me:sesame@%s/private/r.git /d\n' "${URL#http://}" >c/Dockerfile
    ok cbuild -t x c
    cbuild history --no-trunc x >history 2>/dev/null || cbuild history x >history
    ! grep -q sesame history || fail "history has it"
    ! grep -rq sesame "$CBUILD_ROOT" || fail "the store has it"
    printf 'FROM scratch\nADD http://me:sesame@%s/files/none?X-Signature=sesame /d\n' "${URL#http://}" >c/Dockerfile
    fails 3 cbuild -t x c
    err_lacks sesame
    echo there >www/files/none
    ok cbuild -t x --explain c
    err_lacks sesame
    ok cbuild plan c
    out_has "ADD $URL/files/none?X-Signature=..."
    ! grep -rq sesame "$CBUILD_ROOT" || fail "the store has it"
}

test_a_kept_checkout_of_a_private_repository_is_for_who_has_access() {
    need git
    serve
    repo r
    local commit private typed
    commit=$(git -C repos/r rev-parse HEAD)
    private="$URL/private/r.git#$commit"
    typed="http://me:sesame@${URL#http://}/private/r.git#$commit"
    printf 'FROM scratch\nADD %s /d\n' "$private" >Dockerfile
    ok cbuild -q -t x "$typed"
    TOKEN=sesame ok cbuild -q -t y --secret id=GIT_AUTH_TOKEN,env=TOKEN .
    # neither the files nor the step that took them
    fails 4 cbuild -q -t z "$private"
    fails 4 cbuild -q -t z "http://me:other@${URL#http://}/private/r.git#$commit"
    fails 4 cbuild -q -t z .
    TOKEN=other fails 4 cbuild -q -t z --secret id=GIT_AUTH_TOKEN,env=TOKEN .
    # who has access is asked for it, and fetches nothing
    : >www/log
    ok cbuild -q -t z "$typed"
    TOKEN=sesame ok cbuild -q -t z --secret id=GIT_AUTH_TOKEN,env=TOKEN .
    [ -s www/log ] || fail "nobody was asked"
    cp www/log requests && : >www/log
    git -c "http.extraHeader=Authorization: Basic $(printf me:sesame | base64)" ls-remote "$URL/private/r.git" HEAD >/dev/null
    equal "$(wc -l <requests)" $((2 * $(wc -l <www/log))) "requests"
}

test_without_git_the_error_says_so() {
    mkdir bin
    PATH=$PWD/bin fails 1 "$CBUILD" https://127.0.0.1:1/x.git
    err_has "install"
}

# --- named contexts

test_a_named_directory_can_be_a_base() {
    mkdir -p base/etc c
    echo name >base/etc/name
    chmod 640 base/etc/name
    printf 'FROM base\nCOPY --from=base etc/name /copy\n' >c/Dockerfile
    ok cbuild -q -t x --build-context base=base c
    listing x 0 | awk '{ print $1, $2, $3, $6 }' >tree
    has_line '-rw-r----- 0/0 5 etc/name' <tree
    equal "$(content x copy)" name
    local id
    id=$(image_id x)
    ok cbuild -t x --build-context base=base c
    equal "$(image_id x)" "$id"
    err_has CACHED
    echo other >base/etc/name
    ok cbuild -q -t x --build-context base=base c
    [ "$(image_id x)" != "$id" ] || fail "a change went unseen"
    store_verifies
}

test_named_contexts_from_git_urls_and_layouts() {
    need git
    serve
    repo r
    mkdir c base
    make_context tree
    tar -C tree -czf www/files/t.tgz .
    echo hello >base/hello
    printf 'FROM scratch\nCOPY hello /hello\n' >base/Dockerfile
    ok cbuild -q -t layout:v1 base
    cbuild save --format oci -o layout.tar layout:v1
    mkdir layout
    tar -C layout -xf layout.tar
    local digest
    digest=$(jq -r '.manifests[0].digest' layout/index.json)
    printf 'FROM lay\nCOPY --from=g sub/run /run\nCOPY --from=t d/p /p\n' >c/Dockerfile
    for where in layout layout:v1 "layout@$digest"; do
        rm -rf "$CBUILD_ROOT"
        ok cbuild -q -t x --build-context "lay=oci-layout://$PWD/$where" --build-context "g=$URL/smart/r.git#v1" \
            --build-context "t=$URL/files/t.tgz" c
        listing x 0 | grep -q ' hello$' || fail "$where: the base is another"
        listing x 1 | grep -q ' run$' || fail "nothing of git"
        listing x 2 | grep -q ' p$' || fail "nothing of the tarball"
    done
    fails 3 cbuild --build-context "lay=oci-layout://$PWD/layout:v2" --build-context "g=c" --build-context "t=c" c
    err_has "no image tagged v2"
    store_verifies
}

test_a_damaged_layout_is_refused() {
    mkdir c base
    printf 'FROM scratch\nCOPY Dockerfile /hello\n' >base/Dockerfile
    ok cbuild -q -t layout base
    cbuild save --format oci -o layout.tar layout
    mkdir layout
    tar -C layout -xf layout.tar
    rm -rf "$CBUILD_ROOT"
    local blob
    blob=$(find layout/blobs -type f -size +0 | while read -r f; do gzip -t "$f" 2>/dev/null && echo "$f"; done | head -1)
    printf X | dd of="$blob" bs=1 seek=20 conv=notrunc 2>/dev/null
    echo 'FROM lay' >c/Dockerfile
    fails 1 cbuild --build-context "lay=oci-layout://$PWD/layout" c
    err_has "digest"
    store_verifies
}

test_f_may_be_a_url() {
    make_context
    serve
    printf 'FROM scratch\nCOPY f /from-url\n' >www/files/D
    ok cbuild -q -t x -f "$URL/files/D" c
    equal "$(content x from-url)" f
    tar -C c -cf c.tar .
    ok cbuild -q -t x -f "$URL/files/D" - <c.tar
    equal "$(content x from-url)" f
    cp c.tar www/files
    ok cbuild -q -t x -f "$URL/files/D" "$URL/files/c.tar"
    equal "$(content x from-url)" f
    ok cbuild --check -f "$URL/files/D" c
    fails 3 cbuild -f "$URL/files/E" c
    err_has 'reading the Dockerfile: '
    err_has '/files/E'
    head -c 300 /dev/zero >www/files/D
    fails 1 cbuild -f "$URL/files/D" c
    err_has 'neither a tar nor a Dockerfile'
    if need_run; then
        import_busybox
        printf 'FROM busybox\nRUN echo ran >/ran\n' >www/files/D
        ok cbuild -q -t x -f "$URL/files/D" c
        equal "$(content x ran)" ran
    fi
}

run_tests "$@"
