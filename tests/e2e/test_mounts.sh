#!/bin/bash
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# Everything that the store holds, layers also unpacked, lacks a text.
store_lacks() { # TEXT
    ! grep -rqaF -- "$1" "$CBUILD_ROOT" || fail "the store has: $1 in $(grep -rlaF -- "$1" "$CBUILD_ROOT")"
    local blob
    for blob in "$CBUILD_ROOT"/blobs/sha256/*; do
        case $(head -c 2 "$blob" | od -An -tx1) in
        " 1f 8b") ! gzip -dc "$blob" | grep -qaF -- "$1" || fail "layer $blob has: $1" ;;
        esac
    done
}

# Names in the last layer of an image.
last_layer() { # NAME
    local digest
    digest=$(cbuild inspect -f '{{.Id}}' "$1")
    digest=$(jq -r '.layers[-1].digest' "$CBUILD_ROOT/blobs/sha256/${digest#sha256:}")
    tar -tzf "$CBUILD_ROOT/blobs/sha256/${digest#sha256:}"
}

cached() { grep -Ec '^#[0-9]+ CACHED$' "$TEST_TMP/err" || true; }

test_bind_shows_the_context_without_what_is_ignored() {
    need_run
    import_busybox
    mkdir -p sub && echo 1 >a && echo 2 >sub/b && echo no >c
    echo c >.dockerignore
    cat >Dockerfile <<'EOT'
FROM busybox
RUN --mount=target=/ctx find /ctx -type f | sort | tee /list
EOT
    ok cbuild -t x .
    err_has ' /ctx/a'
    err_has ' /ctx/sub/b'
    err_lacks ' /ctx/c'
    equal "$(last_layer x)" list
}

# as releases of docker's own projects are packed
test_a_mount_without_a_target_is_the_working_directory() {
    need_run
    import_busybox
    echo 1 >a
    cat >Dockerfile <<'EOT'
FROM busybox AS made
RUN mkdir /out && echo 2 >/out/b
FROM busybox
WORKDIR /work
RUN --mount=from=made,source=/out cat b >/b
RUN --mount=rw cat a >/a && echo >c
RUN --mount=type=cache echo 3 >kept
RUN --mount=type=cache cat kept >/kept
RUN --mount=type=tmpfs ls -A >/none && echo >d
EOT
    ok cbuild -t x .
    image_tree x >/dev/null
    equal "$(cd "$TEST_TMP/tree" && cat a b kept none && ls -A work)" "$(printf '1\n2\n3')"
    printf 'FROM busybox\nRUN --mount=type=tmpfs ls\n' >Dockerfile
    fails 1 cbuild .
    err_has "the target can't be /"
}

test_bind_content_is_in_the_key_and_nothing_else_is() {
    need_run
    import_busybox
    mkdir sub && echo 1 >sub/f && echo 1 >other
    printf 'FROM busybox\nRUN --mount=source=sub,target=/s cat /s/f >/out\n' >Dockerfile
    ok cbuild -t x .
    echo 2 >other
    ok cbuild -t x .
    equal "$(cached)" 1
    echo 2 >sub/f
    ok cbuild -t x .
    equal "$(cached)" 0
}

test_bind_of_a_file_and_of_a_directory_that_holds_its_own_name() {
    need_run
    import_busybox
    mkdir d && echo inside >d/d && echo file >f && echo odd >'f[1]'
    cat >Dockerfile <<'EOT'
FROM busybox
RUN --mount=source=f,target=/etc/f cat /etc/f && ! touch /etc/f
RUN --mount=source=d,target=/m [ -d /m ] && cat /m/d
RUN --mount=source=f[1],target=/m cat /m
EOT
    ok cbuild -t x .
    err_has ' file'
    err_has ' inside'
    err_has ' odd'
    equal "$(last_layer x)" ""
}

test_bind_writes_are_thrown_away() {
    need_run
    import_busybox
    mkdir s empty && echo old >s/f
    cat >Dockerfile <<'EOT'
FROM busybox
RUN --mount=source=s,target=/s,rw echo new >/s/f && echo x >/s/g && cat /s/f
RUN --mount=source=empty,target=/e,rw echo x >/e/g && ls /e
RUN --mount=source=s,target=/s ! echo new >/s/f
RUN --mount=source=s/f,target=/one,rw cat /one && echo written >>/one && cat /one
RUN --mount=source=s/f,target=/two,rw ls -l /two && cat /two && [ ! -e /s ]
EOT
    chmod 4700 s/f
    ok cbuild -t x .
    step_says written
    err_has ' -rws'
    equal "$(cat s/f)" old
    is_absent s/g
    equal "$(find "$CBUILD_ROOT/layers" -mindepth 2 -maxdepth 2 -name 'p-*')" ''
    equal "$(last_layer x)" ""
}

test_bind_from_stages_and_images() {
    need_run
    import_busybox
    printf 'FROM scratch\nCOPY tool /bin/tool\n' >Dockerfile.tool
    printf '#!/bin/sh\necho from the image\n' >tool && chmod +x tool
    ok cbuild -t tool -f Dockerfile.tool .
    cat >Dockerfile <<'EOT'
FROM busybox AS one
RUN mkdir /d && echo from the stage >/d/f
FROM busybox
RUN --mount=from=one,source=/d,target=/d cat /d/f
RUN --mount=from=one,source=/d/f,target=/file cat /file
RUN --mount=from=one,source=/d/f,target=/file,rw echo more >>/file && [ $(wc -l </file) = 2 ]
RUN --mount=from=one,source=/d/f,target=/file,rw [ $(wc -l </file) = 1 ]
RUN --mount=from=tool,target=/t /t/bin/tool
RUN --mount=from=scratch,target=/none [ -z "$(ls /none)" ]
EOT
    ok cbuild -t x .
    step_says 'from the stage'
    err_has ' from the image'
    equal "$(last_layer x)" ""
    sed -i 's/from the stage/from another stage/' Dockerfile
    ok cbuild -t x .
    step_says 'from another stage'
}

test_a_missing_mount_source_names_the_line() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN --mount=source=nowhere,target=/m true\n' >Dockerfile
    fails 3 cbuild -t x .
    err_has 'Dockerfile:2: '
    err_has 'nowhere'
    printf 'FROM busybox AS build\nFROM busybox\nRUN --mount=from=build,source=/nowhere,target=/m true\n' >Dockerfile
    fails 3 cbuild -t x .
    err_has 'Dockerfile:3: '
    err_has '/nowhere'
}

test_cache_persists_between_builds_and_is_in_no_layer() {
    need_run
    import_busybox
    cat >Dockerfile <<'EOT'
FROM busybox
ARG RUN_NUMBER
RUN --mount=type=cache,target=/cache echo $RUN_NUMBER >>/cache/runs && wc -l </cache/runs
EOT
    ok cbuild -t x --build-arg RUN_NUMBER=1 .
    err_has ' 1'
    equal "$(last_layer x)" ""
    ok cbuild -t x --build-arg RUN_NUMBER=2 .
    grep -Eq '^#[0-9]+ [0-9.]+ 2$' "$TEST_TMP/err" || { show; fail "the cache was empty"; }
    # another name space, another cache
    ok cbuild -t x --build-arg RUN_NUMBER=3 --build-arg BUILDKIT_CACHE_MOUNT_NS=other .
    grep -Eq '^#[0-9]+ [0-9.]+ 1$' "$TEST_TMP/err" || { show; fail "the cache wasn't empty"; }
}

test_cache_owner_mode_and_first_content() {
    need_ids
    import_busybox
    cat >Dockerfile <<'EOT'
FROM busybox AS seed
RUN mkdir /s && echo seed >/s/f
FROM busybox
RUN --mount=type=cache,id=a,target=/c,uid=1000,gid=50,mode=0750 stat -c '%u:%g %a' /c
RUN --mount=type=cache,id=b,target=/c stat -c '%u:%g %a' /c
RUN --mount=type=cache,id=c,target=/c,from=seed,source=/s cat /c/f && echo more >>/c/f
RUN --mount=type=cache,id=c,target=/c,from=seed,source=/s wc -l </c/f
RUN --mount=type=cache,id=c,target=/c,ro ! touch /c/x
EOT
    ok cbuild -t x .
    err_has ' 1000:50 750'
    err_has ' 0:0 755'
    step_says seed
    grep -Eq '^#[0-9]+ [0-9.]+ 2$' "$TEST_TMP/err" || { show; fail "first content again"; }
}

test_a_cache_is_global_by_id_and_made_once() {
    need_ids
    import_busybox
    mkdir one two
    printf 'FROM busybox\nRUN --mount=type=cache,target=/c,uid=7,mode=0711 touch /c/of-one\n' >one/Dockerfile
    printf 'FROM busybox\nRUN --mount=type=cache,target=/c,uid=9,mode=0700 ls /c; stat -c "%%u %%a" /c\nRUN --mount=type=cache,target=/c,id=own ls /c | wc -l\n' >two/Dockerfile
    ok cbuild -q -t one one
    ok cbuild -t two two
    equal "$(sed -n 's/^#[0-9]* [0-9][0-9.]* //p' "$TEST_TMP/err" | tr '\n' ' ')" 'of-one 7 711 0 '
    # what it holds is in no key
    ok cbuild -t two two
    equal "$(cached)" 2
}

test_a_secret_may_be_a_file_and_a_variable_or_absent() {
    need_ids
    import_busybox
    cat >Dockerfile <<'EOT'
FROM busybox
RUN --mount=type=secret,id=s,env=A,target=/f echo $A $(cat /f)
RUN --mount=type=secret,target=/deep/s,uid=5,gid=6,mode=0440 cat /deep/s; echo; stat -c '%u:%g %a' /deep/s
RUN --mount=type=secret,id=a/s,required cat /run/secrets/s; echo
RUN --mount=type=secret,id=s,env=A ls /run/secrets/s 2>/dev/null || echo "$A alone"
RUN --mount=type=secret,id=none,env=B --mount=type=secret,id=none,target=/g ls /g 2>/dev/null || echo "no file, ${B-no variable}${B:-empty}"
EOT
    S=value ok cbuild -t x --secret id=s,env=S --secret id=a/s,env=S .
    equal "$(sed -n 's/^#[0-9]* [0-9][0-9.]* //p' "$TEST_TMP/err" | tr '\n' ' ')" 'value value value 5:6 440 value value alone no file, empty '
    equal "$(last_layer x)" ""
}

# Two stages that want one cache: with sharing=locked one waits for the other.
write_sharing() { # MODE
    cat >Dockerfile <<EOT
FROM busybox AS one
RUN --mount=type=cache,id=c,target=/c,sharing=$1 mkdir /c/in && sleep 0.3 && busybox rmdir /c/in && touch /one
FROM busybox AS two
RUN --mount=type=cache,id=c,target=/c,sharing=$1 mkdir /c/in && sleep 0.3 && busybox rmdir /c/in && touch /two
FROM busybox
COPY --from=one /one /
COPY --from=two /two /
EOT
}

test_locked_and_private_caches_are_used_by_one_at_a_time() {
    need_run
    import_busybox
    for mode in locked private; do
        write_sharing $mode
        ok cbuild --no-cache -t x .
        cbuild --no-cache -t x . 2>one.log & first=$!
        cbuild --no-cache -t y . 2>two.log & second=$!
        wait $first || { cat one.log; fail "$mode: first"; }
        wait $second || { cat two.log; fail "$mode: second"; }
    done
}

test_one_locked_cache_at_two_places_does_not_wait_for_itself() {
    need_run
    import_busybox
    cat >Dockerfile <<'EOT'
FROM busybox
RUN --mount=type=cache,id=c,target=/a,sharing=locked --mount=type=cache,id=./c,target=/b,sharing=locked touch /a/f && ls /b/f
EOT
    ok timeout 120 "$CBUILD" -t x .
}

test_a_failing_stage_ends_the_wait_for_a_lock() {
    need_run
    import_busybox
    cat >Dockerfile.hold <<'EOT'
FROM busybox
RUN --mount=type=cache,id=c,target=/c,sharing=locked echo holding && sleep 1000
EOT
    "$CBUILD" --no-cache -t hold -f Dockerfile.hold . 2>hold.log & holder=$!
    await_text ' holding$' hold.log
    cat >Dockerfile <<'EOT'
FROM busybox AS waits
RUN --mount=type=cache,id=c,target=/c,sharing=locked touch /waited
FROM busybox AS fails
RUN sleep 0.3; false
FROM busybox
COPY --from=waits /waited /
COPY --from=fails /x /
EOT
    fails 1 timeout 120 "$CBUILD" -t x .
    err_has 'Dockerfile:4: '
    kill -TERM $holder
    wait $holder || :
}

test_tmpfs_has_a_size_and_leaves_nothing() {
    need_run
    import_busybox
    cat >Dockerfile <<'EOT'
FROM busybox
RUN --mount=type=tmpfs,target=/t,size=1m touch /t/f && ! dd if=/dev/zero of=/t/big bs=1024 count=2048 2>/dev/null
EOT
    ok cbuild -t x .
    equal "$(last_layer x)" ""
}

test_secrets_as_files_and_variables() {
    need_ids
    import_busybox
    printf 'S3cret-in-a-file-%s' 4711 >token
    cat >Dockerfile <<'EOT'
FROM busybox
ENV PASS=of-the-image
RUN --mount=type=secret,id=token [ "$(cat /run/secrets/token)" = S3cret-in-a-file-$((4700 + 11)) ] && stat -c '%u:%g %a' /run/secrets/token
RUN --mount=type=secret,id=token,target=/etc/t,uid=1000,gid=50,mode=0440 stat -c '%u:%g %a' /etc/t
RUN --mount=type=secret,id=word,env=PASS [ "$PASS" = S3cret-of-the-environment-$((4700 + 11)) ] && [ ! -e /run/secrets/word ]
RUN --mount=type=secret,id=absent [ ! -e /run/secrets/absent ] && echo "$PASS"
EOT
    WORD=S3cret-of-the-environment-4711 ok cbuild -t x --secret id=token,src=token --secret id=word,env=WORD .
    err_has ' 0:0 400'
    err_has ' 1000:50 440'
    err_has ' of-the-image'
    store_lacks S3cret-in-a-file-4711
    store_lacks S3cret-of-the-environment-4711
    equal "$(last_layer x)" ""
    # another value is no reason to run again
    printf other >token
    ok cbuild -t x --secret id=token,src=token .
    equal "$(cached)" 4
    # while the step runs it is in memory, however things are mounted
    printf 'FROM busybox\nRUN --mount=type=secret,id=token stat -f -c "on %%T" /run/secrets/token\n' >Dockerfile
    for force in '' no-lowerdir-add no-fsopen,no-open-tree no-overlay; do
        ok env CBUILD_FORCE="${CBUILD_FORCE:+$CBUILD_FORCE,}$force" "$CBUILD" --no-cache -t x --secret id=token,src=token .
        step_says 'on tmpfs'
    done
}

# Not even for a while: neither in the store nor among its temporary files.
test_a_secret_lies_on_no_disk_while_its_step_runs() {
    need_run
    import_busybox
    local value="value-$$-$RANDOM-$RANDOM" pid
    echo "$value" >secret
    printf 'FROM busybox\nRUN --mount=type=cache,target=/c --mount=type=secret,id=s,env=S --mount=type=secret,id=s grep -q value- /run/secrets/s && touch /c/started; until test -e /c/end; do sleep 0.05; done\n' >Dockerfile
    "$CBUILD" -t x --secret id=s,src=secret . 2>log &
    pid=$!
    in_mounts() { in_namespace find "$CBUILD_ROOT/cache/mounts" "$@"; }
    started() { [ -n "$(in_mounts -name started 2>/dev/null)" ]; }
    await started
    ! in_namespace grep -raF "$value" "$CBUILD_ROOT" "$HOME" "$XDG_RUNTIME_DIR" || fail "it is on disk"
    in_mounts -name started -execdir touch end \;
    wait $pid || fail "$(cat log)"
}

test_a_failing_run_does_not_tell_its_secret() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN --mount=type=secret,id=w,env=W --mount=type=secret,id=w false\n' >Dockerfile
    W=S3cret-4711 fails 1 cbuild -t x --secret id=w,env=W .
    err_lacks S3cret-4711
    store_lacks S3cret-4711
}

test_a_mount_below_another_is_seen_whatever_their_order() {
    need_run
    import_busybox
    mkdir c && echo context >c/f
    cat >c/Dockerfile <<'EOT'
FROM busybox
RUN --mount=type=cache,target=/app/deps --mount=type=bind,target=/app,rw echo kept >/app/deps/f
RUN --mount=type=bind,target=/app,rw --mount=type=cache,target=/app/deps cat /app/f /app/deps/f
RUN --mount=type=tmpfs,target=/app --mount=type=bind,target=/app cat /app/f
EOT
    ok cbuild -t x c
    equal "$(sed -n 's/^#[0-9]* [0-9][0-9.]* //p' "$TEST_TMP/err" | tr '\n' ' ')" 'context kept context '
}

test_a_required_secret_that_is_missing_says_how_to_pass_it() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN --mount=type=secret,id=token,required=true true\n' >Dockerfile
    fails 3 cbuild -t x .
    err_has 'Dockerfile:2: secret token is required and was not given'
    err_has 'hint: pass it with --secret id=token,src=FILE'
    fails 3 cbuild -t x --secret id=token,src=nowhere .
    err_has '--secret id=token: nowhere'
    fails 3 cbuild -t x --secret id=token,env=UNSET_HERE .
    err_has "secret token is required, and its environment variable isn't set"
}

test_ssh_agent_socket() {
    need_run
    need ssh-agent
    import_busybox
    eval "$(ssh-agent -a "$TEST_TMP/agent")" >/dev/null
    teardown() { kill "$SSH_AGENT_PID"; }
    cat >Dockerfile <<'EOT'
FROM busybox
RUN --mount=type=ssh [ -S "$SSH_AUTH_SOCK" ] && echo "at $SSH_AUTH_SOCK"
RUN [ -z "$SSH_AUTH_SOCK" ]
EOT
    ok cbuild -t x --ssh default .
    err_has ' at /run/buildkit/ssh_agent.0'
    equal "$(last_layer x)" ""
    ok cbuild --no-cache -t x --ssh "default=$TEST_TMP/agent" .
    printf 'FROM busybox\nRUN --mount=type=ssh,required=true true\n' >Dockerfile
    fails 3 cbuild -t x .
    err_has 'Dockerfile:2: ssh agent default is required and was not given'
}

# What an agent answers to a question, asked by a static program that the context brings.
make_ask() {
    need gcc
    cat >ask.c <<'EOT'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    unsigned char answer[9];
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", argc > 1 ? argv[1] : getenv("SSH_AUTH_SOCK"));
    if (connect(fd, (void *)&address, sizeof(address)) < 0 || write(fd, "\0\0\0\1\013", 5) != 5)
        return perror("ask"), 1;
    if (recv(fd, answer, 9, MSG_WAITALL) != 9)
        return perror("answer"), 1;
    printf(answer[8] ? "answer %d with %d\n" : "answer %d\n", answer[4], answer[8]);
    return 0;
}
EOT
    gcc -static -o ask ask.c || skip "needs a static libc"
}

test_ssh_agents_answer_users_that_the_mount_names() {
    need_ids
    need ssh-agent
    import_busybox
    make_ask
    eval "$(ssh-agent -a "$TEST_TMP/agent")" >/dev/null
    teardown() { kill "$SSH_AGENT_PID"; }
    cat >Dockerfile <<'EOT'
FROM busybox
COPY ask /bin/
RUN --mount=type=ssh ask && stat -c "%u:%g %a" $SSH_AUTH_SOCK
USER app
RUN --mount=type=ssh,uid=1000 ask && stat -c "%u:%g %a" $SSH_AUTH_SOCK
RUN --mount=type=ssh,gid=1000,mode=0660 ask && stat -c "%u:%g %a" $SSH_AUTH_SOCK
RUN --mount=type=ssh ! ask 2>/dev/null && echo not for app
RUN --mount=type=ssh,uid=1000 --mount=type=ssh,id=two,uid=1000 ask && ask /run/buildkit/ssh_agent.1 && echo at $SSH_AUTH_SOCK
RUN --mount=type=ssh,uid=1000,target=sock for i in $(seq 100); do ask /sock >/dev/null & pids="$pids $!"; done; for pid in $pids; do wait $pid || exit 1; done
ENV SSH_AUTH_SOCK=mine
RUN --mount=type=ssh echo "stays $SSH_AUTH_SOCK"
EOT
    ok cbuild -t x --ssh default --ssh "two=$TEST_TMP/agent" .
    equal "$(sed -n 's/^#[0-9]* [0-9][0-9.]* //p' "$TEST_TMP/err" | tr '\n' ' ')" \
        'answer 12 0:0 600 answer 12 1000:0 600 answer 12 0:1000 660 not for app answer 12 answer 12 at /run/buildkit/ssh_agent.0 stays mine '
    equal "$(ls -A "$CBUILD_ROOT/tmp")" "" "left-overs"
    equal "$(last_layer x)" ""
}

test_ssh_keys_are_given_through_an_agent_of_the_builds() {
    need_run
    need ssh-agent ssh-keygen
    import_busybox
    make_ask
    unset SSH_AUTH_SOCK
    ssh-keygen -q -t ed25519 -N '' -C one -f one
    ssh-keygen -q -t rsa -b 2048 -m PEM -N '' -C two -f two
    ssh-keygen -q -t ed25519 -N secret -C locked -f locked
    chmod 644 one # as a checkout has it
    echo nonsense >bad
    cat >Dockerfile <<'EOT'
FROM busybox
COPY ask /bin/
RUN --mount=type=ssh ask
RUN --mount=type=ssh,id=both,required ask
RUN --mount=type=ssh ask
EOT
    ok cbuild -t x --ssh default=one --ssh "both=$PWD/one,two" .
    equal "$(sed -n 's/^#[0-9]* [0-9][0-9.]* //p' "$TEST_TMP/err" | tr '\n' ' ')" \
        'answer 12 with 1 answer 12 with 2 answer 12 with 1 '
    ! pgrep -u "$(id -u)" -f "$XDG_RUNTIME_DIR/cbuild-ssh" || fail "an agent is left"
    equal "$(ls -A "$XDG_RUNTIME_DIR")" '' "left-overs"
    ! grep -rqa 'PRIVATE KEY' "$CBUILD_ROOT" || fail "the store has a key"
    fails 1 cbuild -t x --no-cache --ssh default=locked .
    err_has '--ssh default: locked: the key has a passphrase'
    err_has 'hint: add it to an agent'
    fails 1 cbuild -t x --no-cache --ssh default=bad .
    err_has '--ssh default: bad: '
    fails 3 cbuild -t x --no-cache --ssh default=nothing .
    err_has '--ssh default: opening nothing'
    fails 3 cbuild -t x --no-cache --ssh default .
    err_has "--ssh default: \$SSH_AUTH_SOCK isn't set"
    err_has '--ssh default=$HOME/.ssh/id_ed25519'
    equal "$(ls -A "$XDG_RUNTIME_DIR")" '' "left-overs"
    # who is killed leaves no agent either
    printf 'FROM busybox\nRUN --mount=type=ssh sleep 987\n' >Dockerfile
    "$CBUILD" --ssh default=one . 2>log &
    await pgrep -u "$(id -u)" -f "ssh-agent -D -a $XDG_RUNTIME_DIR/cbuild-ssh"
    kill -9 $!
    wait $! || :
    await_gone pgrep -u "$(id -u)" -f "ssh-agent -D -a $XDG_RUNTIME_DIR/cbuild-ssh"
}

test_stubs_of_mounts_leave_no_trace() {
    need_run
    import_busybox
    echo x >f
    cat >Dockerfile <<'EOT'
FROM busybox
RUN --mount=target=/a/b/c,source=f --mount=type=cache,target=/new/cache --mount=type=tmpfs,target=/new/tmp \
    --mount=type=secret,id=s,target=/deep/secret --mount=type=bind,target=/var/ctx ls /a/b/c /deep/secret >/out
EOT
    echo y >s
    ok cbuild -t x --secret id=s,src=s .
    equal "$(last_layer x)" out
}

test_mounts_see_variables_but_from_does_not() {
    need_run
    import_busybox
    mkdir d && echo v >d/f
    printf 'FROM busybox\nARG WHERE=/w\nENV D=d\nRUN --mount=source=$D,target=$WHERE cat /w/f\n' >Dockerfile
    ok cbuild -t x .
    err_has ' v'
    printf 'FROM busybox\nARG X=busybox\nRUN --mount=from=$X,target=/w true\n' >Dockerfile
    fails 1 cbuild -t x .
    err_has 'Dockerfile:3: '
}

# ID...: what df lists of cache mounts
listed() { cbuild df -v | sed -n '/^CACHE MOUNT/,$p' | sed -n '2,$s/ .*//p' | tr '\n' ' '; }

test_cache_mounts_are_listed_and_collected() {
    need_run
    import_busybox
    printf 'FROM busybox\nRUN --mount=type=cache,target=/one dd if=/dev/zero of=/one/f bs=1M count=3 2>/dev/null\n' >one
    printf 'FROM busybox\nRUN --mount=type=cache,id=second,target=/two dd if=/dev/zero of=/two/f bs=1M count=2 2>/dev/null\n' >two
    ok cbuild -f one .
    ok cbuild -f two .
    equal "$(listed)" '/one second ' 'least recently used first'
    # a plain prune leaves them, as it leaves the cache
    ok cbuild prune
    equal "$(listed)" '/one second '
    find "$CBUILD_ROOT/cache/mounts" -name '*.id' -exec touch -d '2 days ago' {} +
    ok cbuild --no-cache -f two . # used again
    ok cbuild prune -a --filter until=24h
    out_has '1 cache mounts'
    equal "$(listed)" 'second '
    ok cbuild --no-cache -f one .
    ok cbuild prune --max-used-space 4m
    equal "$(listed)" '/one ' 'the least recently used one went'
    ok cbuild prune --keep-storage 1m
    equal "$(listed)" ''
    ok cbuild --no-cache -f one .
    ok cbuild prune -a
    equal "$(listed)" ''
    in_namespace find "$CBUILD_ROOT/cache/mounts" -mindepth 1 >left
    equal "$(cat left)" ''
    fails 2 cbuild prune --filter until=24h
    err_has 'only with --all'
    fails 2 cbuild prune -a --filter label=x
    fails 2 cbuild prune --max-used-space much
}

test_a_cache_mount_in_use_stays() {
    need_run
    import_busybox
    for sharing in shared private locked; do
        printf 'FROM busybox\nRUN --mount=type=cache,target=/c,sharing=%s echo x >/c/f; echo begun; while test ! -e /c/end; do sleep 0.1; done\n' $sharing >Dockerfile
        : >begun # not the last build's, which the next one's shell may not have emptied yet
        cbuild --no-cache --progress=plain -t x . 2>begun &
        pid=$!
        await_text ' begun$' begun
        ok cbuild prune -a
        equal "$(listed)" '/c '
        in_namespace find "$CBUILD_ROOT/cache/mounts" -name f -execdir touch end \;
        wait $pid || { cat begun; fail "$sharing"; }
        ok cbuild prune -a
        equal "$(listed)" ''
    done
}

run_tests "$@"
