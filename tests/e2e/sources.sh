# shellcheck shell=bash
# shellcheck disable=SC2094,SC2154 # a log that is read and emptied; status is lib.sh's
# Things for builds to fetch, and a look at layers. After lib.sh.

MTIME=1600000000
export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a

# serve: files in www/files and repositories in www/repos, at $URL; www/log has the requests.
serve() {
    need python3
    mkdir -p www/files www/repos
    : >www/log
    coproc SERVER { exec "$TOP/tests/e2e/file_server.py" "$PWD/www"; }
    local ready
    read -r ready <&"${SERVER[0]}"
    equal "$ready" ready
    URL=http://127.0.0.1:$(cat www/port)
}
log_is() { # LINE...: the requests since the last look
    equal "$(cat www/log)" "$(printf '%s\n' "$@")" "requests"
    : >www/log
}

# repo NAME: a work tree repos/NAME, published as www/repos/NAME.git
repo() {
    git init -q -b main "repos/$1"
    (cd "repos/$1" && echo one >f && mkdir sub && printf '#!/bin/sh\n' >sub/run && chmod 775 sub/run &&
        printf 'FROM scratch\nCOPY . /x/\n' | tee Dockerfile >sub/Dockerfile)
    publish "$1" one
    git -C "repos/$1" tag v1
    publish "$1"
}
publish() { # NAME [MESSAGE]
    [ $# = 1 ] || { git -C "repos/$1" add -A && GIT_COMMITTER_DATE=@$MTIME git -C "repos/$1" commit -qm "$2"; }
    rm -rf "www/repos/$1.git"
    mkdir -p www/repos
    git clone -q --mirror "repos/$1" "www/repos/$1.git" 2>/dev/null
    git -C "www/repos/$1.git" update-server-info
}

# A layer's listing: mode, owner, size, path and link of all entries.
listing() { # NAME [LAYER]
    cbuild save --format oci -o "$TEST_TMP/i.tar" "$1"
    mkdir -p "$TEST_TMP/i"
    tar -C "$TEST_TMP/i" -xf "$TEST_TMP/i.tar"
    local manifest layer
    manifest=$(jq -r '.manifests[0].digest' "$TEST_TMP/i/index.json")
    layer=$(jq -r ".layers[${2:--1}].digest" "$TEST_TMP/i/blobs/sha256/${manifest#sha256:}")
    LAYER=$TEST_TMP/i/blobs/sha256/${layer#sha256:}
    TZ=UTC tar --numeric-owner --full-time -tvf "$LAYER" | awk '{ $3 = $1 == "d" ? "" : $3; print }'
}
content() { listing "$1" >/dev/null && tar -xOf "$LAYER" "$2"; } # IMAGE PATH
