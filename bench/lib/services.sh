#!/bin/bash
# What bench/run has beside it: inputs from mirrors, registries, and dockerd, as tests/real makes them. Asked line by
# line on stdin, each answer a line; at the end of stdin all servers are stopped.
#
#   tree               -> folder of a node_modules          base      -> tar of a Debian system
#   registry           -> HOST DATA-FOLDER CA-FILE
#   docker             -> FOLDER PID; its client runs in a chroot there, files go through FOLDER/t
#   docker_fresh NAME  -> FOLDER PID of one that knows nothing, with what FOLDER/etc/daemon.json says now
# `error REASON` where it can't be had.
# shellcheck source=tests/real/lib.sh
. "$(dirname "$0")/../../tests/real/lib.sh"
# shellcheck source=tests/real/judge.sh
. "$TOP/tests/real/judge.sh"
TEST_TMP=$SHARED TEST_SKIP=$SHARED/skip
registries=()
stop_all() {
    local each
    judge_stop
    for each in "${registries[@]}"; do kill "$each" 2>/dev/null || :; done
    rm -rf --one-file-system "$SHARED"
}
trap stop_all EXIT
JUDGE_OPTIONS=(--config-file /etc/daemon.json)

tree() { node_tree && echo "$NODE_TREE/node_modules"; }
base() { debian_tar && echo "$CACHE/debian12.tar"; }
registry() {
    registry_start --tls
    registries+=("$REGISTRY_PID")
    echo "$REGISTRY_HOST $REGISTRY_DATA $REGISTRY_CERT_DIR/ca.crt" >"$SHARED/answer"
}
docker() {
    [ ! -f "$SHARED/judge.pid" ] || { docker_answer; return; }
    (judge_tar) || return
    [ ! -s "$TEST_SKIP" ] || return
    mkdir -p "$JUDGE/etc"
    echo '{}' >"$JUDGE/etc/daemon.json"
    judge_start && docker_answer
}
docker_fresh() { judge_fresh "$1" && docker_answer; }
docker_answer() { echo "$JUDGE $(cat "$SHARED/judge.pid")" >"$SHARED/answer"; }

while read -r what argument; do
    rm -f "$SHARED/answer" "$TEST_SKIP"
    case $what in
    tree | base) ("$what") >"$SHARED/answer" ;;
    registry | docker | docker_fresh) "$what" "$argument" >&2 ;;
    *) echo "unknown: $what" >"$TEST_SKIP" ;;
    esac </dev/null
    if [ -s "$SHARED/answer" ] && [ ! -s "$TEST_SKIP" ]; then cat "$SHARED/answer"; else echo "error $(cat "$TEST_SKIP" 2>/dev/null)"; fi
done
