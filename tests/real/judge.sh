# shellcheck shell=bash
# BuildKit as a judge: dockerd of Debian 13, whose frontend knows heredocs, in a tree of its own below $JUDGE and in
# namespaces of its own. Only its folder $JUDGE/t is used from outside: contexts in, images out. No container engine
# of the machine is used, nothing is mounted outside, and its control groups are removed with it.

# The tar of a tree that has dockerd, its client and buildx: unpacked packages, none configured.
judge_tar() {
    (
        flock 9
        [ -f "$CACHE/judge13.tar" ] && exit 0
        need mmdebstrap
        need_mirror http://deb.debian.org/debian/
        mmdebstrap --quiet --variant=extract --include=docker.io,docker-cli,docker-buildx,busybox-static trixie \
            "$CACHE/judge13.tmp.tar" >&2
        mv "$CACHE/judge13.tmp.tar" "$CACHE/judge13.tar"
    ) 9>"$CACHE/judge13.lock"
    [ ! -s "${TEST_SKIP:-}" ] || exit 0
    [ -f "$CACHE/judge13.tar" ]
}

# shellcheck disable=SC2016 # expanded in there
JUDGE_INIT='
    mount --bind . .
    cd "$PWD"
    mount -t proc proc proc
    mount --rbind /dev dev
    mount -t sysfs sysfs sys
    mount -t cgroup2 none sys/fs/cgroup
    pivot_root . mnt
    export PATH=/usr/sbin:/usr/bin HOME=/root
    busybox umount -l /mnt
    group=$1
    shift
    while :; do
        dockerd --host unix:///t/docker.sock --data-root "/t/$(busybox cat /t/data)" --exec-root /t/exec \
            --pidfile /t/docker.pid --bridge none --iptables=false --ip6tables=false --cgroup-parent "$group" "$@" >/t/log 2>&1 &
        wait $! || :
        [ -f /t/again ] || break
        busybox rm /t/again
    done
    [ ! -d "/sys/fs/cgroup/$group" ] || busybox find "/sys/fs/cgroup/$group" -depth -type d -exec busybox rmdir {} +'

# what else dockerd is given
JUDGE_OPTIONS=(--storage-driver overlay2)

JUDGE=$SHARED/judge
judge() { chroot "$JUDGE" /usr/bin/docker --host unix:///t/docker.sock "$@"; }

judge_start() {
    mkdir -p "$JUDGE"
    tar -C "$JUDGE" --exclude './usr/share/doc' --exclude './usr/share/man' -xf "$CACHE/judge13.tar"
    mkdir -p "$JUDGE"/{t,mnt,proc,sys,dev,etc,run,tmp}
    ln -sfn usr/lib "$JUDGE/lib" # packages say it of /lib, base-files makes the links
    ln -sfn usr/lib64 "$JUDGE/lib64"
    cp /etc/resolv.conf /etc/hosts "$JUDGE/etc/"
    echo docker >"$JUDGE/t/data"
    (cd "$JUDGE" && exec unshare --mount --pid --fork --kill-child sh -euc "$JUDGE_INIT" sh "cbuild-judge-$$" \
        "${JUDGE_OPTIONS[@]}") >"$SHARED/judge.log" 2>&1 9>&- &
    echo $! >"$SHARED/judge.pid"
    disown # the tests of a file share it: it ends with the file, not with who asked for it first
    judge_wait
}
judge_wait() {
    local _
    for _ in $(seq 600); do
        judge version >/dev/null 2>&1 && return
        kill -0 "$(cat "$SHARED/judge.pid")" 2>/dev/null || break
        sleep 0.2
    done
    cat "$SHARED/judge.log" "$JUDGE/t/log" >&2
    fail "dockerd doesn't start"
}

judge_daemon() {
    local space init
    space=$(cat "$SHARED/judge.pid")
    init=$(pgrep -P "$space" || :)
    pgrep -x -P "${init:-$space}" dockerd || :
}

# Another dockerd, that knows nothing, in the same tree: NAME is that of its data's folder below $JUDGE/t.
judge_fresh() { # NAME
    local daemon _
    daemon=$(judge_daemon)
    echo "$1" >"$JUDGE/t/data"
    touch "$JUDGE/t/again"
    kill "$daemon"
    for _ in $(seq 1200); do
        kill -0 "$daemon" 2>/dev/null || break
        sleep 0.1
    done
    judge_wait
}

# From any subshell of the one that started it.
judge_stop() {
    [ -f "$SHARED/judge.pid" ] || return 0
    local space daemon _
    space=$(cat "$SHARED/judge.pid")
    daemon=$(judge_daemon)
    [ -z "$daemon" ] || kill "$daemon"
    for _ in $(seq 100); do
        kill -0 "$space" 2>/dev/null || return 0
        sleep 0.1
    done
    kill "$space" # and with it all that runs in its namespaces
}
