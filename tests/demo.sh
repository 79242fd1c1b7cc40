#!/bin/bash
# The main job, end to end: a base from Debian's busybox-static, a multi-stage build, a registry over TLS with a
# password, login, push, a pull into a second store, and a rebuild from the cache.
set -eu
cd "$(dirname "$0")/.."
CBUILD=${CBUILD:-$PWD/build/release/cbuild}
work=$(mktemp -d)
# shellcheck source=tests/e2e/registry.sh
. tests/e2e/registry.sh
cleanup() {
    registry_stop || :
    # directory forms of a user's build belong to subordinate ids: only cbuild can remove them
    for store in "$work/store" "$work/store2"; do
        [ ! -d "$store" ] || {
            # shellcheck disable=SC2046 # ids are words
            cbuild rmi --root "$store" -f $(cbuild images --root "$store" -q) || :
            cbuild prune --root "$store" --all || :
        } >/dev/null 2>&1
    done
    rm -rf "$work"
}
trap cleanup EXIT
say() { printf '\n== %s\n' "$*"; }
if [ "$(id -u)" != 0 ] && ! { command -v newuidmap && grep -q "^$(id -un):" /etc/subuid; } >/dev/null 2>&1; then
    echo "RUN without root needs the package uidmap and a line for $(id -un) in /etc/subuid and /etc/subgid;" >&2
    echo "or run this as root" >&2
    exit 1
fi

# a demonstration leaves the host's network and firewall alone
export CBUILD_NETWORK=${CBUILD_NETWORK-pasta,slirp4netns}
export CBUILD_ROOT=$work/store DOCKER_CONFIG=$work/docker TEST_TMP=$work
export PATH="${CBUILD%/*}:$PATH"
mkdir -p "$DOCKER_CONFIG"

say "a base image from Debian's busybox-static"
root=$work/rootfs
mkdir -p "$root"/{bin,etc,tmp,src}
chmod 1777 "$root/tmp"
cp /bin/busybox "$root/bin/"
for name in $("$root/bin/busybox" --list); do [ "$name" = busybox ] || ln -s busybox "$root/bin/$name"; done
printf 'root:x:0:0:root:/:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\n' >"$root/etc/group"
tar --owner=0 --group=0 -C "$root" -cf "$work/base.tar" .
cbuild import "$work/base.tar" demo/base:1

say "cbuild -t user/app:1.0 testdata/demo"
cbuild -t user/app:1.0 testdata/demo
first=$(cbuild inspect -f '{{.Id}}' user/app:1.0)
cbuild images

say "a registry with TLS and a password on loopback"
registry_start --tls --htpasswd demo secret
echo "$REGISTRY_HOST"
name=$REGISTRY_HOST/user/app:1.0
printf secret | cbuild login -u demo --password-stdin --cert-dir "$REGISTRY_CERT_DIR" "$REGISTRY_HOST"
cbuild tag user/app:1.0 "$name"
cbuild push --cert-dir "$REGISTRY_CERT_DIR" "$name"

say "pull into a second, empty store"
CBUILD_ROOT=$work/store2 cbuild pull --cert-dir "$REGISTRY_CERT_DIR" "$name"
second=$(CBUILD_ROOT=$work/store2 cbuild inspect -f '{{.Id}}' "$name")
echo "built  $first"
echo "pulled $second"
[ "$first" = "$second" ] || { echo "the digests differ" >&2; exit 1; }

say "build again: every step from the cache"
start=$(date +%s%N)
cbuild -t user/app:1.0 testdata/demo
echo "took $((($(date +%s%N) - start) / 1000000)) ms"
again=$(cbuild inspect -f '{{.Id}}' user/app:1.0)
[ "$first" = "$again" ] || { echo "the digest of the rebuild differs: $again" >&2; exit 1; }
say "done: $first"
