#!/bin/bash
# Instructions but COPY, ADD and RUN, and arguments, as a build shows them. Units of it are in tests/unit.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

config() { cbuild inspect -f '{{json .Config}}' "$1" | jq -cS "$2"; }             # IMAGE FILTER
history_of() { cbuild history --no-trunc --format '{{.CreatedBy}}' "$1"; }        # IMAGE
file() { in_namespace cat "$TEST_TMP/tree/$1"; }
# The image's config as it is stored.
stored_config() { # IMAGE FILTER
    local digest
    digest=$(cbuild inspect -f '{{.ConfigDigest}}' "$1")
    jq -cS "$2" "$CBUILD_ROOT/blobs/sha256/${digest#sha256:}"
}
PATH_ENV=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# --- FROM

test_scratch_has_no_layers_a_root_and_a_path() {
    printf 'FROM scratch\nLABEL a=b\n' >Dockerfile
    ok cbuild -q -t x .
    equal "$(config x '[.WorkingDir, .Env]')" "[\"/\",[\"$PATH_ENV\"]]"
    equal "$(stored_config x '.rootfs.diff_ids')" '[]'
}

test_a_base_without_a_path_gets_one_in_the_config() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN echo "$PATH" >/path\n' >Dockerfile
    equal "$(config busybox .Env)" null
    ok cbuild -q -t x .
    equal "$(config x '[.Env, .WorkingDir]')" "[[\"$PATH_ENV\"],\"\"]"
    image_tree x >/dev/null
    equal "PATH=$(file path)" "$PATH_ENV"
    printf 'FROM x\nENV PATH=/own:$PATH\n' >Dockerfile
    ok cbuild -q -t y .
    printf 'FROM y\n' >Dockerfile
    ok cbuild -q -t z .
    equal "$(config z .Env)" "[\"PATH=/own:${PATH_ENV#PATH=}\"]"
}

test_a_digest_wins_over_a_tag() {
    printf 'FROM scratch\nLABEL it=one\n' >Dockerfile
    ok cbuild -q -t base:1 .
    one=$(image_id base:1)
    printf 'FROM scratch\nLABEL it=two\n' >Dockerfile
    ok cbuild -q -t base:2 .
    printf 'FROM base:2@%s\n' "$one" >Dockerfile
    ok cbuild -q -t x .
    equal "$(config x .Labels.it)" '"one"'
}

test_a_child_stage_inherits_everything_and_the_arguments() {
    need_ids
    import_busybox
    cat >Dockerfile <<'EOT'
FROM busybox AS one
ARG A=default B
ENV E=env
WORKDIR /w
USER app:staff
SHELL ["/bin/sh", "-ec"]
LABEL l=one
EXPOSE 1
VOLUME /v
STOPSIGNAL 3
HEALTHCHECK CMD true
FROM one AS two
LABEL a=$A b=$B e=$E
RUN echo "$A $B $E $PWD $(id -u):$(id -g) ${-#c}" >/tmp/seen
FROM one AS three
RUN echo "$A $B $E $PWD $(id -u):$(id -g) ${-#c}" >/tmp/seen
FROM busybox
COPY --from=two /tmp/seen /seen
COPY --from=three /tmp/seen /seen-too
LABEL a=$A
EOT
    ok cbuild -q -t x --build-arg B=given .
    image_tree x >/dev/null
    equal "$(file seen)" 'default given env /w 1000:50 e'
    equal "$(file seen-too)" "$(file seen)" "one of several heirs"
    sed -i '/^FROM one AS three/,/^RUN/d; /three/d' Dockerfile # the only heir takes all
    ok cbuild -q -t x --build-arg B=given .
    image_tree x >/dev/null
    equal "$(file seen)" 'default given env /w 1000:50 e'
    equal "$(config x .Labels)" '{"a":""}' # arguments and labels don't come with files
    ok cbuild -q -t x --build-arg B=given --target two .
    history_of x | grep -q '^RUN |2 A=default B=given /bin/sh -ec echo' || fail "$(history_of x)"
    equal "$(config x '[.Labels, .User, .WorkingDir, .Shell, .ExposedPorts, .Volumes, .StopSignal, .Healthcheck.Test]')" \
        '[{"a":"default","b":"given","e":"env","l":"one"},"app:staff","/w",["/bin/sh","-ec"],{"1/tcp":{}},{"/v":{}},"3",["CMD-SHELL","true"]]'
}

test_a_named_context_replaces_a_whole_stage() {
    mkdir ctx && echo context >ctx/f
    echo stage >f
    printf 'FROM scratch AS base\nCOPY f missing /\nLABEL from=stage\nFROM scratch\nCOPY --from=base /f /by-name\nCOPY --from=0 /f /by-number\n' >Dockerfile
    ok cbuild -q -t x --build-context base=ctx .
    image_tree x >/dev/null
    equal "$(file by-name)" context
    equal "$(file by-number)" context
    ok cbuild -q -t x --build-context base=ctx --target base .
    image_tree x >tree
    equal "$(awk '$2 == "f" {print $1}' tree)" f
    equal "$(config x .Labels)" null
}

test_unneeded_stages_are_not_even_resolved() {
    printf 'FROM registry.invalid/missing AS a\nFROM scratch AS b\nLABEL b=c\nFROM a AS c\nRUN false\nFROM scratch AS d\nCOPY --from=registry.invalid/other /x /\n' >Dockerfile
    ok cbuild -t x --target b .
    err_lacks registry.invalid
}

test_a_cycle_is_an_error_before_the_network() {
    printf 'FROM registry.invalid/image AS a\nCOPY --from=b /x /\nFROM registry.invalid/image AS b\nCOPY --from=a /x /\n' >Dockerfile
    fails 1 cbuild -t x .
    err_has 'Dockerfile:2: stage "b" comes later, in line 3'
    err_lacks pulling
}

test_a_base_for_another_machine_gives_its_platform_and_a_warning() {
    printf 'FROM scratch\nLABEL a=b\n' >Dockerfile
    other=linux/arm64
    [ "$(uname -m)" != aarch64 ] || other=linux/amd64
    ok cbuild -q -t base --platform $other .
    # by digest, so that no registry is asked for a better one
    printf 'FROM base@%s\nLABEL c=d\n' "$(image_id base)" >Dockerfile
    ok cbuild -t x .
    err_has "warning: Dockerfile:1: base image base@$(image_id base) is for $other, not for the linux/"
    equal "$(stored_config x '.os + "/" + .architecture')" "\"$other\""
}

test_history_of_the_base_is_kept_and_its_time_dropped() {
    printf 'FROM scratch\nLABEL a=b\n' >Dockerfile
    SOURCE_DATE_EPOCH=1000000000 ok cbuild -q -t base .
    printf 'FROM base\nLABEL c=d\n' >Dockerfile
    SOURCE_DATE_EPOCH=1100000000 ok cbuild -q -t x .
    equal "$(stored_config x '[.created, (.history[] | .created, .created_by)]')" \
        '["2004-11-09T11:33:20Z","2001-09-09T01:46:40Z","LABEL a=b","2004-11-09T11:33:20Z","LABEL c=d"]'
}

# --- ARG, ENV, LABEL

test_arguments_are_in_every_following_run_and_in_history() {
    need_run
    import_busybox
    cat >Dockerfile <<'EOT'
ARG GLOBAL=global
FROM busybox
RUN echo "${A-none} ${GLOBAL-none}" >/before
ARG A=1 B
ENV E=env
ARG E=arg GLOBAL
RUN echo "$A ${B-none} $E $GLOBAL" >/after
ENV A=env
RUN echo "$A" >/env
EOT
    ok cbuild -q -t x --build-arg A=given .
    image_tree x >/dev/null
    equal "$(file before)" 'none none'
    equal "$(file after)" 'given none arg global'
    equal "$(file env)" env
    equal "$(config x .Env)" "[\"$PATH_ENV\",\"E=env\",\"A=env\"]"
    history_of x >history
    grep -qx 'RUN /bin/sh -c echo "${A-none} ${GLOBAL-none}" >/before' history || fail "$(cat history)"
    grep -qx 'RUN |4 A=given B= E=arg GLOBAL=global /bin/sh -c echo "$A ${B-none} $E $GLOBAL" >/after' history || fail "$(cat history)"
    grep -qx 'RUN |4 A=env B= E=arg GLOBAL=global /bin/sh -c echo "$A" >/env' history || fail "$(cat history)"
    # used or not, a changed value reruns what follows
    ok cbuild -t x --build-arg A=given --build-arg B=now .
    equal "$(grep -Ec '^#[0-9]+ CACHED$' "$TEST_TMP/err")" 1
}

test_proxies_need_no_argument_and_leave_no_trace() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN echo "$http_proxy $HTTP_PROXY $no_proxy $ALL_PROXY" >/run\nLABEL p="$HTTP_PROXY."\n' >Dockerfile
    ok cbuild -q -t x --build-arg HTTP_PROXY=http://p.invalid --build-arg no_proxy=n --build-arg All_Proxy=a .
    image_tree x >/dev/null
    equal "$(file run)" 'http://p.invalid http://p.invalid n a'
    equal "$(config x .Labels.p)" '"."'
    ! history_of x | grep -q p.invalid || fail "the proxy is in the history"
    ok cbuild -t x --build-arg HTTP_PROXY=http://other.invalid .
    equal "$(grep -Ec '^#[0-9]+ CACHED$' "$TEST_TMP/err")" 1
    # of both cases the lower one counts
    ok cbuild -q -t x --no-cache --build-arg http_proxy=lower --build-arg HTTP_PROXY=upper .
    image_tree x >/dev/null
    equal "$(file run)" 'lower lower  '
    # what is given is this machine's, whatever ENV says
    printf 'FROM busybox\nENV ftp_proxy=image\nRUN echo "$FTP_PROXY $ftp_proxy" >/run\n' >D
    ok cbuild -q -t y -f D --build-arg FTP_PROXY=given .
    image_tree y >/dev/null
    equal "$(file run)" 'given given'
    equal "$(config y '.Env[1:]')" '["ftp_proxy=image"]'
    # an empty one asks for none, config.json's neither
    mkdir -p "$HOME/.docker"
    echo '{"proxies":{"default":{"ftpProxy":"of-config"}}}' >"$HOME/.docker/config.json"
    ok cbuild -q -t y -f D --no-cache .
    image_tree y >/dev/null
    equal "$(file run)" 'of-config of-config'
    ok cbuild -q -t y -f D --no-cache --build-arg FTP_PROXY= .
    image_tree y >/dev/null
    equal "$(file run)" ' image'
    # declared, it is an argument like others
    sed -i '1a ARG HTTP_PROXY' Dockerfile
    ok cbuild -q -t x --build-arg HTTP_PROXY=http://p.invalid .
    equal "$(config x .Labels.p)" '"http://p.invalid."'
    history_of x | grep -q '^RUN |1 HTTP_PROXY=http://p.invalid ' || fail "$(history_of x)"
    ok cbuild -t x --build-arg HTTP_PROXY=http://other.invalid .
    equal "$(grep -Ec '^#[0-9]+ CACHED$' "$TEST_TMP/err")" 0
}

test_unused_build_arguments_are_warned_of() {
    printf 'ARG GLOBAL\nFROM scratch\nARG VERSION=1\nLABEL a=b\n' >Dockerfile
    while IFS='|' read -r arg text; do
        ok cbuild -t x --build-arg "$arg" .
        if [ "$text" ]; then err_has "warning: --build-arg $text"; else err_lacks warning; fi
    done <<'EOT'
VERSION=2|
GLOBAL=2|
http_proxy=x|
TARGETARCH=mine|
SOURCE_DATE_EPOCH=1|
BUILDKIT_CACHE_MOUNT_NS=x|
BUILDKIT_CONTEXT_KEEP_GIT_DIR=1|
BUILDKIT_DOCKERFILE_CHECK=skip=all|
BUILDKIT_SANDBOX_HOSTNAME=x|
BUILDKIT_SYNTAX=docker/dockerfile|
BUILDKIT_INLINE_CACHE=0|
BUILDKIT_MULTI_PLATFORM=1|
BUILDKIT_BUILD_NAME=x|
BUILDKIT_SBOM_SCAN_STAGE=a,b|
BUILDKIT_INLINE_CACHE=1|BUILDKIT_INLINE_CACHE: no inline cache is written
VERSON=2|VERSON: no ARG of that name; did you mean VERSION?
BUILDKIT_SYNTACKS=x|BUILDKIT_SYNTACKS: no ARG of that name; did you mean BUILDKIT_SYNTAX?
OTHER=2|OTHER: no ARG of that name
EOT
}

test_the_host_name_of_run_is_buildkitsandbox_or_as_given() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN echo "$(hostname) $(grep -c "$(hostname)" /etc/hosts)" >/name\n' >Dockerfile
    ok cbuild -q -t x .
    image_tree x >/dev/null
    equal "$(file name)" 'buildkitsandbox 1'
    ok cbuild -q -t x --build-arg BUILDKIT_SANDBOX_HOSTNAME=own.name .
    image_tree x >/dev/null
    equal "$(file name)" 'own.name 1'
    ok cbuild -t x --explain --build-arg BUILDKIT_SANDBOX_HOSTNAME=other .
    err_has 'host name'
}

test_redefinitions_replace_in_place() {
    printf 'FROM scratch AS base\nENV A=1 B=2\nLABEL x=1 y=2 from=base\nFROM base AS other\nLABEL from=other other=1\nFROM base\nENV C=3\nENV A=4\nLABEL x=3\nCOPY --from=other . /\n' >Dockerfile
    ok cbuild -q -t x --label y=cli --label new=cli .
    equal "$(config x .Env)" "[\"$PATH_ENV\",\"A=4\",\"B=2\",\"C=3\"]"
    equal "$(config x .Labels)" '{"from":"base","new":"cli","x":"3","y":"cli"}'
}

# --- what a container starts with

test_entrypoint_clears_a_cmd_of_the_base_and_of_a_parent_stage() {
    printf 'FROM scratch\nCMD ["base"]\nENTRYPOINT ["base"]\n' >base.Dockerfile
    ok cbuild -q -t base -f base.Dockerfile .
    while IFS='|' read -r text result; do
        printf "$text\n" >Dockerfile
        ok cbuild -q -t x .
        equal "$(config x '[.Entrypoint, .Cmd] | map(if . == [] then null else . end)')" "$result" "$text"
    done <<'EOT'
FROM base\nLABEL a=b|[["base"],["base"]]
FROM base\nENTRYPOINT ["own"]|[["own"],null]
FROM base\nENTRYPOINT []|[null,null]
FROM base\nCMD ["own"]\nENTRYPOINT ["own"]|[["own"],["own"]]
FROM scratch AS p\nCMD ["p"]\nFROM p\nENTRYPOINT ["own"]|[["own"],null]
FROM base\nCMD ["one"]\nCMD ["two"]\nENTRYPOINT ["one"]\nENTRYPOINT ["two"]|[["two"],["two"]]
FROM base\nSHELL ["s", "-c"]\nCMD a $b\nSHELL ["t"]|[["base"],["s","-c","a $b"]]
EOT
}

test_healthcheck_and_onbuild_are_written_to_oci_configs() {
    printf 'FROM scratch\nHEALTHCHECK --interval=2s CMD ["a"]\nONBUILD LABEL a=b\nSHELL ["s"]\nSTOPSIGNAL 9\nMAINTAINER me\n' >Dockerfile
    ok cbuild -q -t x .
    equal "$(cbuild inspect x | jq -r '.[0].MediaType // .[0].Descriptor.mediaType // "application/vnd.oci.image.manifest.v1+json"')" \
        application/vnd.oci.image.manifest.v1+json
    equal "$(stored_config x '[.config.Healthcheck, .config.OnBuild, .config.Shell, .config.StopSignal, .author]')" \
        '[{"Interval":2000000000,"Test":["CMD","a"]},["LABEL a=b"],["s"],"9","me"]'
    ! history_of x | grep -q ONBUILD || fail "ONBUILD is in the history"
}

test_changes_under_a_volume_are_kept() {
    need_run
    import_busybox
    echo copied >f
    printf 'FROM busybox\nRUN mkdir /v && echo before >/v/before\nVOLUME /v\nRUN echo run >/v/run; rm /v/before\nCOPY f /v/f\n' >Dockerfile
    ok cbuild -q -t x .
    image_tree x >/dev/null
    equal "$(file v/run)" run
    equal "$(file v/f)" copied
    is_absent "$TEST_TMP/tree/v/before"
}

# --- USER, WORKDIR

test_user_chooses_ids_by_name_and_number() {
    need_ids
    import_busybox
    cat >users <<'EOT'
app|1000:1000:1000 50 60 61
1000|1000:1000:1000 50 60 61
1000:1000|1000:1000:1000
app:staff|1000:50:50
app:77|1000:77:77
4711|4711:0:0
4711:12|4711:12:12
nobody|65534:65534:65534 60
0|0:0:0
EOT
    {
        echo 'FROM busybox'
        echo 'RUN printf "more:x:60:app,nobody\nlast:x:61:other,app\n" >>/etc/group; mkdir -m 777 /o; touch /o/seen; chmod 666 /o/seen'
        while IFS='|' read -r user _; do
            printf 'USER %s\nRUN echo "$(id -u):$(id -g):$(id -G)" >>/o/seen\n' "$user"
        done <users
    } >Dockerfile
    ok cbuild -q -t x .
    image_tree x >/dev/null
    diff <(cut -d'|' -f2 users) "$TEST_TMP/tree/o/seen" || fail "other ids"
    equal "$(config x .User)" '"0"'
}

test_an_unknown_user_is_an_error_where_it_is_used() {
    need_run
    import_busybox
    printf 'FROM busybox\nUSER nobdy\nLABEL a=b\n' >Dockerfile
    ok cbuild -q -t x .
    equal "$(config x .User)" '"nobdy"'
    printf 'FROM busybox\nUSER nobdy\nLABEL a=b\nRUN true\n' >Dockerfile
    fails 3 cbuild -t x .
    err_has 'Dockerfile:4: '
    err_has "user \"nobdy\": not in the image's /etc/passwd"
    printf 'FROM busybox\nRUN rm /etc/passwd && mkfifo /etc/passwd\nUSER app\nRUN true\n' >Dockerfile
    fails 1 cbuild -t x .
    err_has 'etc/passwd'
}

test_workdir_belongs_to_the_user_and_copies_do_not() {
    need_run
    import_busybox
    touch f
    cat >Dockerfile <<'EOT'
FROM busybox
USER app:staff
WORKDIR made/by/../user
COPY f f
USER root
WORKDIR sub
USER 4711
WORKDIR /number
WORKDIR /tmp
WORKDIR /
EOT
    SOURCE_DATE_EPOCH=1000000000 ok cbuild -q -t x .
    image_tree x >tree
    equal "$(stat -c %Y "$TEST_TMP/tree/made" "$TEST_TMP/tree/made/user/sub" | tr '\n' ' ')" '1000000000 1000000000 '
    for line in 'made d 755 1000:50' 'made/user d 755 1000:50' 'made/user/f f 644 0:0' 'made/user/sub d 755 0:0' 'number d 755 4711:4711' 'tmp d 1777 0:0'; do
        grep -q "^$line " tree || fail "no $line in $(cat tree)"
    done
    equal "$(config x .WorkingDir)" '"/"'
    equal "$(stored_config x '[.history[-8:][] | [.created_by, .empty_layer // false]]')" \
        '[["WORKDIR /made/user",false],["COPY f f",false],["USER root",true],["WORKDIR /made/user/sub",false],["USER 4711",true],["WORKDIR /number",false],["WORKDIR /tmp",false],["WORKDIR /",true]]'
}

# --- ONBUILD

test_triggers_fire_for_stages_of_the_same_file_and_see_its_names() {
    need_run
    import_busybox
    echo of-context >f
    cat >base.Dockerfile <<'EOT'
FROM busybox
ONBUILD ARG A=trigger
ONBUILD COPY --from=tools /tool /tool
ONBUILD RUN --mount=from=tools,target=/t cat /t/tool >/mounted && echo "$A" >/arg
ONBUILD RUN <<E
echo heredoc >/heredoc
E
EOT
    ok cbuild -q -t onbuild -f base.Dockerfile .
    cat >Dockerfile <<'EOT'
FROM scratch AS tools
COPY f /tool
FROM onbuild AS mid
ONBUILD RUN echo second >/second
RUN echo "$A" >/later
FROM mid AS last
RUN test -f /second
FROM last
EOT
    ok cbuild -t x --build-arg A=given .
    image_tree x >/dev/null
    equal "$(file tool) $(file mounted) $(file arg) $(file heredoc) $(file second) $(file later)" \
        'of-context of-context given heredoc second given'
    equal "$(config x .OnBuild)" null
    printf 'FROM scratch AS base\nONBUILD COPY missing /\nFROM base\n' >Dockerfile
    fails 3 cbuild -t x .
    err_has 'Dockerfile:3: ONBUILD COPY missing /: '
}

run_tests "$@"
