#!/bin/bash
# The language as a build shows it: files, directives, expansion, heredocs. Units of it are in tests/unit.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

config() { cbuild inspect -f '{{json .Config}}' "$1" | jq -cS "$2"; } # IMAGE FILTER
file() { in_namespace cat "$TEST_TMP/tree/$1"; }

test_a_dockerfile_is_found_under_three_names() {
    printf 'FROM scratch\nLABEL from=Containerfile\n' >Containerfile
    ok cbuild -q -t x .
    equal "$(config x .Labels.from)" '"Containerfile"'
    printf 'FROM scratch\nLABEL from=dockerfile\n' >dockerfile
    ok cbuild -q -t x .
    equal "$(config x .Labels.from)" '"dockerfile"'
    printf 'FROM scratch\nLABEL from=Dockerfile\n' >Dockerfile
    ok cbuild -q -t x .
    equal "$(config x .Labels.from)" '"Dockerfile"'
    ok cbuild -q -t x -f Containerfile .
    equal "$(config x .Labels.from)" '"Containerfile"'
}

test_no_frontend_image_is_ever_fetched() {
    # nothing listens there: whoever asks would fail
    printf '# syntax=docker/dockerfile:9.9-labs@sha256:%064d\nFROM scratch\nLABEL a=b\n' 1 >Dockerfile
    ok cbuild -t x .
    err_lacks pulling
    while IFS='|' read -r line status text; do
        printf '%s\nFROM scratch\nLABEL a=b\n' "$line" >Dockerfile
        fails "$status" cbuild -t x .
        err_has "$text"
        err_lacks pulling
    done <<'EOT'
# syntax=127.0.0.1:1/frontend:1|1|Dockerfile:1: syntax "127.0.0.1:1/frontend:1": cbuild speaks docker/dockerfile only
// syntax=other/frontend|1|Dockerfile:1: syntax "other/frontend"
EOT
}

test_the_build_argument_BUILDKIT_SYNTAX_takes_the_lines_place() {
    printf '# syntax=other/frontend\nFROM scratch\nLABEL a=b\n' >Dockerfile
    ok cbuild -t x --build-arg BUILDKIT_SYNTAX=docker/dockerfile:1-labs .
    err_lacks warning
    fails 1 cbuild -t x --build-arg BUILDKIT_SYNTAX=127.0.0.1:1/frontend:1 .
    err_has '--build-arg BUILDKIT_SYNTAX=127.0.0.1:1/frontend:1: cbuild speaks docker/dockerfile only'
    fails 1 cbuild -t x --build-arg BUILDKIT_SYNTAX= .
    err_has 'Dockerfile:1: syntax "other/frontend"'
}

test_the_escape_character_is_for_words_and_continuation_only() {
    need_run
    import_busybox
    cat >Dockerfile <<'EOT'
#escape = `
FROM busybox
ENV A=`$PATH B="C:\dir" C=two` words `
    D=last\
RUN echo 'kept: ` \' "`echo \$A`" `
    >/run
WORKDIR /x`$y
EOT
    ok cbuild -q -t x .
    image_tree x >/dev/null
    equal "$(config x '.Env[1:]')" '["A=$PATH","B=C:\\dir","C=two words","D=last\\"]'
    equal "$(file run)" 'kept: ` \ $PATH'
    equal "$(config x .WorkingDir)" '"/x$y"'
}

test_words_of_files_and_directories_are_expanded() {
    touch src1 src2 && printf '#!/bin/sh\n' >run
    cat >Dockerfile <<'EOT'
ARG BASE=scratch OS=linux ARCH=amd64
FROM --platform=$OS/$ARCH $BASE AS one
ARG D=dir N=1 MODE=750 OWN=3:4 UNSET
ENV E=env
WORKDIR /$E/$UNSET
WORKDIR $UNSET
COPY src${N} $D/${N}x
COPY --chown=$OWN --chmod=$MODE run /$D/
ADD --chmod=0$MODE src2 /$D/
COPY <<A <<'B' /$D/
'$E' "${E}" \$E
A
$E
B
COPY --exclude=$E* src1 /excluded/
EOT
    fails 1 cbuild -t x -f - . <<'EOT'
FROM scratch
ARG SUM=sha256:zz
ADD --checksum=$SUM http://127.0.0.1:1/f /
EOT
    err_has '<stdin>:3: '
    err_has 'sha256:zz'
    ok cbuild -q -t x .
    image_tree x >tree
    equal "$(config x .WorkingDir)" '"/env"'
    for line in 'env/dir/1x f 644 0:0 0 ' 'dir/run f 750 3:4 10 ' 'dir/src2 f 750 0:0 0 ' 'excluded/src1 f 644 0:0 0 '; do
        grep -qx "$line" tree || fail "no $line in $(cat tree)"
    done
    equal "$(file dir/A)" "'env' \"env\" \$E"
    equal "$(file dir/B)" "\$E"
}

test_an_unset_variable_in_WORKDIR_is_empty() {
    printf 'FROM scratch\nENV A=/a\nWORKDIR $A/$UNSET\nWORKDIR sub$UNSET\nWORKDIR ${UNSET:-more}\n' >Dockerfile
    ok cbuild -q -t x .
    equal "$(config x .WorkingDir)" '"/a/sub/more"'
}

test_from_of_copy_is_expanded_by_global_arguments() {
    echo x >f
    printf 'ARG SRC=two\nFROM scratch AS one\nFROM scratch AS two\nCOPY f /f\nFROM scratch\nARG SRC=one\nCOPY --from=$SRC /f /g\n' >Dockerfile
    ok cbuild -q -t x .
    image_tree x | grep -q '^g f'
    fails 3 cbuild -q -t x --build-arg SRC=one .
    err_has 'Dockerfile:7: '
    printf 'FROM scratch\nARG SRC=one\nCOPY --from=$SRC /f /g\n' >Dockerfile
    fails 1 cbuild -t x .
    err_has 'Dockerfile:3: --from=$SRC is empty'
}

test_options_of_run_are_not_expanded() {
    need_run
    import_busybox
    while IFS='|' read -r flags text; do
        printf 'FROM busybox AS one\nARG V=one\nRUN %s true\n' "$flags" >Dockerfile
        fails 1 cbuild -t x .
        err_has "Dockerfile:3: RUN$text"
    done <<'EOT'
--mount=type=bind,from=$V,target=/m|: --mount=type=bind,from=$V,target=/m: from=$V: variables aren't expanded here
--network=$V| --network=$V: unknown
--security=$V| --security=$V: unknown
EOT
}

test_the_shell_expands_the_command_of_run() {
    need_run
    import_busybox
    cat >Dockerfile <<'EOT'
FROM busybox
ARG A=arg
ENV E=env
RUN E=own; echo "$E $A $UNSET." ${A#a} '$A' \
    # a comment, and an empty line

    "  kept" >/shell
RUN ["/bin/sh", "-c", "echo $E >/exec"]
RUN [ "$A" = arg ] && echo test >/brackets
RUN ["echo", 'not JSON'] || echo shell form >/broken
EOT
    ok cbuild -t x .
    err_has "warning: Dockerfile:10: JSONArgsInvalid"
    err_has "warning: Dockerfile:6: NoEmptyContinuation"
    image_tree x >/dev/null
    equal "$(file shell)" 'own arg . rg $A   kept'
    equal "$(file exec)" env
    equal "$(file brackets)" test
    equal "$(file broken)" 'shell form'
}

test_a_lone_heredoc_of_run_is_one_argument_of_the_shell() {
    need_run
    import_busybox
    cat >Dockerfile <<'EOT'
FROM busybox
ENV A=image
# no -e: what fails in the middle doesn't count
RUN <<E
A=script
false
echo "$A" >/middle
E
RUN <<-E
	echo tabs >/tabs
	  # a comment of the shell
	echo "$0" >>/tabs
	E
COPY --chmod=755 <<'E' /bin/argv
#!/bin/sh
printf '%s\n' "$#" "$1" "$2" >/argv
E
SHELL ["/bin/argv", "-x"]
RUN <<'E'
$A "text" \
E
EOT
    ok cbuild -t x .
    image_tree x >/dev/null
    equal "$(file middle)" script
    equal "$(file tabs | tr '\n' ,)" 'tabs,/bin/sh,'
    equal "$(file argv)" "2
-x
\$A \"text\" \\"
}

test_a_heredoc_that_begins_with_an_interpreter_is_executed() {
    need_run
    import_busybox
    cat >Dockerfile <<'EOT'
FROM busybox
COPY --chmod=755 <<E /bin/tool
#!/bin/sh
stat -c %a "\$2" >/mode
{ echo >>"\$2"; } 2>/dev/null || echo no >/writable
sed 1d "\$2" >/body
E
RUN <<E
#!/bin/tool -f
$UNSET text
E
RUN <<E
 #!/bin/tool
echo shell >/shell
E
EOT
    ok cbuild -t x .
    image_tree x >tree
    equal "$(file mode)" 755
    equal "$(file writable)" no
    equal "$(file body)" '$UNSET text'
    equal "$(file shell)" shell
    ! grep -q pipes tree || fail "$(cat tree)"
}

test_commands_with_heredocs_are_left_to_the_shell() {
    need_run
    import_busybox
    cat >Dockerfile <<'EOT'
FROM busybox
ENV A=env
RUN cat <<ONE >/one && cat <<-'TWO' >/two 3<<THREE
$A
# content
ONE
	$A
	TWO
unused
THREE
RUN 3<<X cat <&3 >/three
by number
X
RUN ["/bin/echo", "<<NO"]
ONBUILD RUN cat <<E >/trigger
$A
E
FROM 0
EOT
    sed -i 's/^FROM busybox/& AS base/; s/^FROM 0/FROM base/' Dockerfile
    ok cbuild -t x .
    image_tree x >/dev/null
    equal "$(file one)" "env
# content"
    equal "$(file two)" '$A'
    equal "$(file three)" 'by number'
    equal "$(file trigger)" env
}

test_heredocs_of_copy_and_add_become_files() {
    need tar
    echo x >f && tar -cf t.tar f
    cat >Dockerfile <<'EOT'
FROM scratch
ENV V=value
COPY <<name.txt <<-"other" 2<<third f /dir/
$V "quoted" 'single $V' \$V \\ \n
name.txt
	$V
		two
	other
3
third
COPY <<E /single
E
ADD <<t.tar /tars/
not unpacked
t.tar
COPY --chown=1:2 --chmod=u=rwX,go= <<E /owned/E
E
EOT
    ok cbuild -q -t x .
    image_tree x >tree
    equal "$(file dir/name.txt)" "value \"quoted\" 'single value' \$V \\ n"
    equal "$(file dir/other)" '$V
two'
    equal "$(file dir/third)" 3
    equal "$(file tars/t.tar)" 'not unpacked'
    for line in 'dir/f f 644 0:0 2 ' 'dir/name.txt f 644 0:0 37 ' 'single f 644 0:0 0 ' 'owned/E f 600 1:2 0 '; do
        grep -qx "$line" tree || fail "no $line in $(cat tree)"
    done
}

test_a_heredoc_cannot_be_a_destination_and_must_end() {
    while IFS='|' read -r text error; do
        printf 'FROM scratch\n%b' "$text" >Dockerfile
        fails 1 cbuild -t x .
        err_has "$error"
    done <<'EOT'
COPY a <<E\nx\nE\n|Dockerfile:2: COPY: <<E: a heredoc can't be the destination
COPY <<E /x\nx\n E\nEE\n|Dockerfile:2: unterminated heredoc: no line is "E"
RUN <<-E\nx\n  E\n|Dockerfile:2: unterminated heredoc: no line is "E"
EOT
}

run_tests "$@"
