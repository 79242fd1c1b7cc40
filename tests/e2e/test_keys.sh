#!/bin/bash
# shellcheck source=tests/e2e/lib.sh
# shellcheck disable=SC2016,SC2034 # a Dockerfile's dollars; variables that changes set
# One input at a time: which steps run again, and what --explain says of each.
#
# A step is called by the last word of its instruction. Each change starts from the same files and ends with
# them again, when everything is in the cache: so that no order matters, the order is shuffled by $KEYS_SEED.
. "$(dirname "$0")/lib.sh"

. "$TOP/tests/e2e/sources.sh"
KEYS_SEED=${KEYS_SEED:-20240229}

# --- what is built

commit() { # TEXT, as the repository's file
    echo "$1" >repos/r/f
    publish r "$1"
}

write_files() {
    mkdir -p app/src/d app/prod app/tool named
    echo one >app/src/a
    echo two >app/src/b
    echo gone >app/src/gone
    echo hidden >app/src/hidden
    echo run >app/src/run
    echo ignored >app/src/ignored
    echo '*/ignored' >app/.dockerignore
    echo taken >app/prod/taken
    echo other >app/prod/other
    echo script >app/tool/used
    echo other >app/tool/unused
    echo bound >app/bound
    echo named >named/f
    echo secret >secret
    find app named -type f -exec chmod 644 {} +
    chmod 755 app/src/run
    echo downloaded >www/files/f
    cat >app/Dockerfile <<EOT
ARG GLOBAL=1

FROM base1 AS files
COPY src /src
RUN true after-src

FROM base1 AS args
RUN true before-arg
ARG USED=1
RUN true with-arg
ARG LATER=1
RUN true with-both

FROM base1 AS env
RUN true before-env
ENV A=1
RUN true after-env

FROM base1 AS user
USER root
RUN true as-user

FROM base1 AS dir
WORKDIR /d1
RUN true in-dir

FROM base1 AS shell
SHELL ["/bin/sh", "-c"]
RUN true in-shell

FROM base1 AS net
RUN --network=none true net

FROM base1 AS heredocs
COPY <<E /heredoc
body of the file
E
RUN <<script
echo body of the script
script

FROM base1 AS secret
RUN --mount=type=secret,id=s,required=true cat /run/secrets/s && true secret

FROM base1 AS cache
RUN --mount=type=cache,target=/c date >>/c/log && true cache

FROM base1 AS bind
RUN --mount=type=bind,source=bound,target=/m cat /m && true bind

FROM base1 AS named
COPY --from=outside f /from-named

FROM base1 AS prod
COPY prod /out
RUN true made

FROM base1 AS takes
COPY --from=prod /out/taken /taken
RUN true after-taken

FROM base1 AS tool
COPY tool /tool

FROM base1 AS mounts
RUN --mount=from=tool,source=/tool/used,target=/t cat /t && true bind-file
RUN --mount=from=tool,source=/tool,target=/t cat /t/used && true bind-dir

FROM base2 AS moving
RUN true on-base2
COPY --link src/b /linked/
COPY src/b /unlinked

FROM base2 AS owned
COPY --chown=1:1 src/b /owned

FROM base1 AS remote
ADD $URL/files/f /download
ADD $URL/smart/r.git /git

FROM scratch
COPY --from=files /etc/passwd /f01
COPY --from=args /etc/passwd /f02
COPY --from=env /etc/passwd /f03
COPY --from=user /etc/passwd /f04
COPY --from=dir /etc/passwd /f05
COPY --from=shell /etc/passwd /f06
COPY --from=net /etc/passwd /f07
COPY --from=heredocs /etc/passwd /f08
COPY --from=secret /etc/passwd /f09
COPY --from=cache /etc/passwd /f10
COPY --from=bind /etc/passwd /f11
COPY --from=named /etc/passwd /f12
COPY --from=takes /etc/passwd /f13
COPY --from=mounts /etc/passwd /f14
COPY --from=moving /etc/passwd /f15
COPY --from=owned /etc/passwd /f16
COPY --from=remote /etc/passwd /f17
EOT
}

make_base2() { printf 'FROM base1\nRUN echo %s >/version\n' "$1" | cbuild -q -t base2 - >/dev/null; }

# --- what is seen

build() { ok cbuild --explain --network host -t x --secret id=s,src=secret --build-context outside=named "${OPTIONS[@]}" app; }

# The steps that ran, by the last word of their instruction, in order of the alphabet.
reran() {
    awk '/^#[0-9]+ \[/ { n = $1; name[n] = $NF }
        /^#[0-9]+ miss: / { print name[$1] }' "$TEST_TMP/err" | sort -u | paste -sd' '
}
# The reasons that were told, sorted, ";" between; what differs from run to run made equal.
reasons() {
    sed -nE "s/^#[0-9]* miss: //p" "$TEST_TMP/err" | sed -E "s|$URL|URL|; s|[0-9a-f]{40}|COMMIT|g; s/^$after\$/@/" |
        sort -u | paste -sd';'
}

after='parent: a step before it changed'

# changes: NAME | the steps that run again, sorted | the reasons, sorted, ";" between | what changes the input
changes() {
    cat <<'EOT'
file content|/src after-src|file src/a: content changed;@|echo uno >app/src/a
file content of the same size and time|/src after-src|file src/a: content changed;@|touch -r app/src/a stamp; echo eno >app/src/a; touch -r stamp app/src/a
file mode|/src after-src|file src/a: mode 0644 became 0600;@|chmod 600 app/src/a
file owner (the copy has root)|||chown 7:8 app/src/a
file time|||touch -d @1500000000 app/src/a app/src app/prod/taken app/tool/used app/bound
another xattr|||set_xattr app/src/a user.x 31
capability of a program|/src after-src|file src/run: extended attributes changed;@|set_xattr app/src/run security.capability 0100000200200000000000000000000000000000
added file|/src after-src|file src/c: added;@|echo >app/src/c
removed file|/src after-src|file src/gone: removed;@|rm app/src/gone
renamed file|/src after-src|file src/a: removed;file src/z: added;@|mv app/src/a app/src/z
file that became a link|/src after-src|file src/a: was a file, is a link;@|ln -sf b app/src/a
mode of a directory|/src after-src|@;file src/d: mode 0755 became 0700|chmod 700 app/src/d
ignored file|||echo other >app/src/ignored
file that no step copies|||echo x >app/unused
ignore file says the same|||printf '# the same\n**/ignored\n' >app/.dockerignore
ignore file hides another|/src after-src|file src/hidden: removed;@|printf '*/ignored\nsrc/hidden\n' >app/.dockerignore
ignore file hides nothing|/src after-src|file src/ignored: added;@|rm app/.dockerignore
build argument in use|with-arg with-both|build argument USED: "1" became "2";@|OPTIONS=(--build-arg USED=2)
build argument declared later|with-both|build argument LATER: "1" became "2"|OPTIONS=(--build-arg LATER=2)
build argument that no stage declares|||OPTIONS=(--build-arg GLOBAL=2)
default of a build argument|with-arg with-both|build argument USED: "1" became "3";@|edit 's/USED=1/USED=3/'
new build argument|with-arg with-both|build argument NEW: added;@|edit 's/ARG USED=1/& NEW=/'
proxy argument|||OPTIONS=(--build-arg HTTP_PROXY=http://127.0.0.1:1)
environment variable|after-env|environment variable A: "1" became "2"|edit 's/ENV A=1/ENV A=2/'
environment variable removed|after-env|environment variable A: removed|edit '/ENV A=1/d'
label|||edit 's/ENV A=1/&\nLABEL a=b/'
text of an instruction|before-arg|command: "/bin/sh -c true before-arg" became "/bin/sh -c :    before-arg"|edit 's/true before-arg/:    before-arg/'
comment|||edit 's/^RUN true before-arg/# a comment\n&/'
white space between words|||edit 's/^RUN  *true before-arg/RUN    true before-arg   /; s/^COPY src/COPY   src/'
continued lines|||edit 's|^COPY src /src|COPY src \\\n# here\n  /src|'
case of an instruction|||edit 's/^RUN true before-arg/run true before-arg/'
step put in between|after-src between|command: "/bin/sh -c true after-src" became "/bin/sh -c true between";@|edit 's/^RUN true after-src/RUN true between\n&/'
base digest|/owned /unlinked on-base2|base: base2 changed|make_base2 2
base of another name|/owned /unlinked on-base2|base: base2 became base1|edit 's/^FROM base2/FROM base1/'
named context|/from-named|file f: content changed|echo x >named/f
secret value|||echo other >secret
secret definition|secret|mount /run/secrets/s: "type=secret,id=s,required" became "type=secret,id=s"|edit 's/id=s,required=true/id=s/'
content of a cache mount|||for log in "$CBUILD_ROOT"/cache/mounts/*/log; do echo x >>"$log"; done
definition of a cache mount|cache|mount /c: "type=cache,id=/c,sharing=shared,rw" became "type=cache,id=other,sharing=shared,rw"|edit 's|target=/c |target=/c,id=other |'
mount written in another way|||edit 's|type=bind,source=bound,target=/m|source=./bound,dst=/m,readonly=true|; s|type=cache,target=/c |target=/c,TYPE=cache,sharing=shared |'
content of a bind mount|bind|file bound: content changed|echo x >app/bound
host entries|||OPTIONS=(--add-host a.example:127.0.0.1)
network of a step|net|network: "none" became "host"|edit 's/--network=none/--network=host/'
network of the build|<<script after-env after-src after-taken as-user before-arg before-env bind bind-dir bind-file cache in-dir in-shell made on-base2 secret with-arg with-both|network: "host" became "none";@|OPTIONS=(--network none)
user|as-user|USER: "root" became "app"|edit 's/^USER root/USER app/'
working directory|/d2 in-dir|WORKDIR: "/d1" became "/d2";@|edit 's|^WORKDIR /d1|WORKDIR /d2|'
shell|in-shell|SHELL: "/bin/sh -c true in-shell" became "/bin/sh -ec true in-shell"|edit 's/"-c"/"-ec"/'
order of stages|||swap_stages
d}'; cat moved >head; cat app/Dockerfile >>head; sed '1{h;d};/^ARG GLOBAL/!b' head >/dev/null; { echo 'ARG GLOBAL=1'; cat moved; sed 1d app/Dockerfile; } >head; cp head app/Dockerfile
names of stages|||edit 's/AS prod/AS other/; s/from=prod/from=other/; s/AS tool/AS other2/; s/from=tool/from=other2/'
stage by its number|||edit 's/from=prod/from=12/'
body of a heredoc file|/heredoc <<script|heredoc or download E: content changed;@|edit 's/body of the file/another body/'
body of a heredoc script|<<script|command: "/bin/sh -c echo body of the script\n" became "/bin/sh -c echo another script\n"|edit 's/body of the script/another script/'
file behind a URL|/download /git|heredoc or download f: content changed;@|echo other >www/files/f
commit of a git source|/git|git URL/smart/r.git: "COMMIT /" became "COMMIT /"|commit two
content that another stage's copy takes|/out /taken after-taken made|file out/taken: content changed;file prod/taken: content changed;@|echo x >app/prod/taken
mode that another stage's copy takes|/out /taken after-taken made|file out/taken: mode 0644 became 0755;file prod/taken: mode 0644 became 0755;@|chmod 755 app/prod/taken
content that no copy takes|/out made|file prod/other: content changed;@|echo x >app/prod/other
command of a stage that is copied from|made|command: "/bin/sh -c true made" became "/bin/sh -c : made"|edit 's/true made/: made/'
step before a copied file|/out made new|@;no earlier build of this step is known|edit 's/^COPY prod/RUN true new\n&/'
source of a copy from a stage|/taken after-taken|source /out/taken: removed;source /out/other: added;file out/other: added;file out/taken: removed;@|edit 's|=prod /out/taken|=prod /out/other|'
content that a mount shows|/tool bind-dir bind-file|file tool/used in mount /t: content changed;file tool/used: content changed;@|echo x >app/tool/used
content beside what a mount shows|/tool bind-dir|file tool/unused: content changed;file tool/unused in mount /t: content changed|echo x >app/tool/unused
owner of a copy|/owned|--chown: "1:1" became "2:1"|edit 's/--chown=1:1/--chown=2:1/'
mode of a copy|/owned|--chmod: added|edit 's/--chown=1:1/& --chmod=600/'
destination|/owned2|destination: "/owned" became "/owned2"|edit 's|src/b /owned|src/b /owned2|'
file that is copied with --link|/linked/ /owned /src /unlinked after-src|file src/b: content changed;@|echo x >app/src/b
link flag|/linked/ /unlinked|--link: removed;@|edit 's/COPY --link/COPY/'
EOT
}

edit() {
    cp app/Dockerfile before
    sed -i "$1" app/Dockerfile
    ! cmp -s before app/Dockerfile || fail "nothing edited: $1"
}
set_xattr() { python3 -c 'import os,sys; os.setxattr(sys.argv[1], sys.argv[2], bytes.fromhex(sys.argv[3]))' "$@"; }
# Paragraphs are stages.
swap_stages() {
    awk 'BEGIN { RS = ""; ORS = "\n\n" } { p[NR] = $0 }
        END { x = p[3]; p[3] = p[5]; p[5] = x; for (i = 1; i <= NR; i++) print p[i] }' app/Dockerfile >swapped
    cmp -s swapped app/Dockerfile && fail "nothing was swapped"
    mv swapped app/Dockerfile
}

# --- the property

restore() {
    rm -rf app named secret www/files www/repos
    cp -a pristine/. .
    cbuild tag base2.first base2 >/dev/null
    OPTIONS=()
}

shuffled() {
    changes | awk -v seed="$KEYS_SEED" 'BEGIN { srand(seed) } { print rand() "\t" $0 }' | sort -n | cut -f2-
}

# check NAME STEPS REASONS: compares both; tells all that differs, and goes on.
check() {
    local steps why
    steps=$(reran) why=$(reasons)
    [ "$steps" = "$2" ] && [ "$why" = "$3" ] && return
    printf '%s\n  steps:    %s\n  expected: %s\n  reasons:  %s\n  expected: %s\n' "$1" "$steps" "$2" "$why" "$3" >&2
    n_wrong=$((n_wrong + 1))
}

begin() {
    need_run
    need git python3
    export LC_ALL=C
    n_wrong=0 OPTIONS=()
    import_busybox base1
    serve
    git init -q -b main repos/r
    commit one
    write_files
    make_base2 1
    cbuild tag base2 base2.first >/dev/null
    mkdir pristine pristine/www
    cp -a app named secret pristine/
    cp -a www/files www/repos pristine/www/
    build
    all=$(reran)
}

test_one_input_at_a_time() {
    begin
    echo "KEYS_SEED=$KEYS_SEED"
    local name steps why change
    build
    check "nothing" "" ""
    while IFS='|' read -r name steps why change; do
        case $IDS:$change in
        root:*) ;;
        *:chown* | *security.capability*) continue ;; # of files on this disk: root's to do
        esac
        why=$(tr ';' '\n' <<<"$why" | sort | paste -sd';')
        restore
        eval "$change"
        build
        check "$name" "$steps" "$why"
        restore
        build
        check "back from: $name" "" ""
    done < <(shuffled)
    equal "$n_wrong" 0 "changes with other steps or reasons"
}

test_an_epoch_counts_for_every_step() {
    begin
    export SOURCE_DATE_EPOCH=1700000000
    build
    equal "$(reran)" "$all"
    equal "$(reasons | tr ';' '\n' | grep -v 'changed$')" "$(printf '@\nSOURCE_DATE_EPOCH: added')"
    build
    equal "$(reran)" ""
}

# --- COPY --link

layers() { cbuild inspect -f '{{json .RootFS.Layers}}' "$1" | jq -r '.[]'; }

make_link_base() {
    printf 'FROM base1\nRUN mkdir -p /usr/lib && ln -s usr/lib /lib && echo %s >/version\n' "$1" | cbuild -q -t base - >/dev/null
}

test_link_is_a_layer_of_its_own_and_stays_on_a_new_base() {
    need_run
    import_busybox base1
    make_link_base 1
    echo one >f
    mkdir d && echo two >d/g
    cat >Dockerfile <<'EOT'
FROM base1 AS stage
COPY d /d
FROM base
COPY --link f /lib/f
COPY --link --chmod=640 --chown=3:4 d /tmp/d
COPY --link --from=stage /d /e/d
ADD --link f /e/
EOT
    ok cbuild -t x .
    image_tree x >tree
    grep -qx 'lib d 755 0:0 .*' tree || fail "the link was followed"
    grep -qx 'lib/f f 644 0:0 4 ' tree
    grep -qx 'tmp d 640 3:4 .*' tree || fail "the directory's mode was kept"
    grep -qx 'tmp/d/g f 640 3:4 4 ' tree
    grep -qx 'e/d/g f 644 0:0 4 ' tree
    grep -qx 'e/f f 644 0:0 4 ' tree
    layers x | tail -4 >linked
    make_link_base 2
    # nothing of the base is looked at: no entry list of it is made, and no form
    rm -rf "$CBUILD_ROOT"/entries/* "$CBUILD_ROOT"/layers/*/*
    ok cbuild --explain -t x .
    equal "$(grep -c '^#[0-9]* hit$' "$TEST_TMP/err")" 5
    equal "$(find "$CBUILD_ROOT/entries" "$CBUILD_ROOT/layers" -mindepth 1 -type f)" ''
    equal "$(layers x | tail -4)" "$(cat linked)"
    image_tree x >tree
    grep -qx 2 "$TEST_TMP/tree/version"
    # without --link the key holds what lies below
    sed -i 's/COPY --link f/COPY f/' Dockerfile
    ok cbuild -t x .
    make_link_base 3
    ok cbuild --explain -t x .
    equal "$(reran)" /lib/f
    store_verifies
}

test_link_knows_no_names() {
    import_busybox base
    echo one >f
    printf 'FROM base\nCOPY --link --chown=app f /f\n' >Dockerfile
    fails 1 cbuild -t x .
    err_has 'Dockerfile:2'
    err_has '--chown=app: with --link only numbers'
    err_has 'write the ids, as in --chown=1000:1000, or leave out --link'
}

# --- contents of stages

test_a_file_of_a_stage_is_read_for_a_key_once() {
    need_run
    need strace
    import_busybox base
    mkdir src
    for name in taken other; do echo $name >src/$name; done
    cat >Dockerfile <<'EOT'
FROM base AS stage
COPY src /d
RUN echo one >/made
FROM base
COPY --from=stage /d/taken /taken
RUN --mount=from=stage,source=/d,target=/m true mounted
EOT
    ok cbuild -t x .
    sed -i 's/echo one/echo two/' Dockerfile
    ASAN_OPTIONS=detect_leaks=0 ok strace -f -o trace -e trace=openat,openat2 "$CBUILD" --explain -t x .
    equal "$(reran)" '>/made'
    ! grep -E '"([^"]*/)?d/(taken|other)"' trace || fail "a file of the stage was read again"
    # nothing changed: not even the entry lists are read
    ASAN_OPTIONS=detect_leaks=0 ok strace -f -o trace -e trace=openat,openat2 "$CBUILD" --explain -t x .
    equal "$(reran)" ''
    ! grep -E 'O_RDONLY.*"(.*/)?entries/|content-' trace || fail "an entry list was read"
    # what was kept is only a cache
    rm -rf "$CBUILD_ROOT"/entries/* "$CBUILD_ROOT"/cache/contexts/from-*
    ok cbuild --explain -t x .
    equal "$(reran)" ''
    for file in "$CBUILD_ROOT"/entries/content-* "$CBUILD_ROOT"/cache/contexts/from-*; do echo garbage >"$file"; done
    ok cbuild --explain -t x .
    equal "$(reran)" ''
}

# No form of a layer is made to find out digests that were known when it was copied.
test_a_file_that_was_copied_before_is_known() {
    mkdir src
    for name in taken other; do echo $name >src/$name; done
    printf 'FROM scratch AS stage\nCOPY src /d\nFROM scratch\nCOPY --from=stage /d/taken /e\n' >Dockerfile
    ok cbuild -t x .
    rm -rf "$CBUILD_ROOT"/layers/*/*
    echo another >src/other
    ok cbuild --explain -t x .
    equal "$(reran)" /d
    equal "$(find "$CBUILD_ROOT/layers" -mindepth 2)" ''
}

# The same recipe, and another result: what was seen of the stage before says nothing.
test_a_stage_that_gives_something_else_is_looked_at_again() {
    need_run
    import_busybox base
    cat >Dockerfile <<'EOT'
FROM base AS stage
RUN cat /proc/sys/kernel/random/uuid >/id
FROM base
COPY --from=stage /id /id
COPY --from=stage /etc/passwd /p
EOT
    ok cbuild -t x .
    local before
    before=$(layers x | sed -n 2p)
    ok cbuild --no-cache-filter stage --explain -t x .
    [ "$(layers x | sed -n 2p)" != "$before" ] || { show; fail "the old file"; }
    sed -i '/^COPY .*id$/d' Dockerfile
    ok cbuild --explain -t x .
    ok cbuild --no-cache-filter stage --explain -t x .
    equal "$(reran)" '>/id'
}

run_tests "$@"
