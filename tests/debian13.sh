#!/bin/bash
# Tries the set-up, the build and the tests in a tree of Debian 13 made by mmdebstrap, as root, in namespaces of its
# own: tests/debian13.sh [MAKE-GOAL...], by default `make check`. Not part of any other target; needs deps-peers.
# The tree's packages are kept in build/cache; what is committed is tested.
set -eu
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "tests/debian13.sh: needs root" >&2; exit 1; }
cache=$PWD/build/cache
mkdir -p "$cache"
if [ ! -f "$cache/debian13.tar" ]; then
    mmdebstrap --quiet --variant=minbase --include=ca-certificates,git,make trixie "$cache/debian13.tmp.tar"
    mv "$cache/debian13.tmp.tar" "$cache/debian13.tar"
fi

# tests mount overlays in the tree: it must not be on an overlay itself
work=$(mktemp -d -p /var/tmp)
trap 'rm -rf --one-file-system "$work"' EXIT
mkdir -p "$work/root"
tar -C "$work/root" -xf "$cache/debian13.tar"
mkdir -p "$work/root/work/main"
git archive HEAD | tar -C "$work/root/work/main" -xf -
[ ! -d ../shared ] || cp -r ../shared "$work/root/work/shared"
cp /etc/resolv.conf "$work/root/etc/resolv.conf"
[ $# -gt 0 ] || set -- check

# mounts and processes end with the namespaces
# shellcheck disable=SC2016 # expanded in there
unshare --mount --pid --fork --kill-child sh -euc '
    root=$1
    shift
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mount --rbind /sys "$root/sys"
    mount --rbind /dev "$root/dev"
    # not chroot: names of files that /proc tells have to start at our root
    cd "$root"
    pivot_root . mnt
    umount -l /mnt
    exec env -i HOME=/root TERM=dumb PATH=/usr/sbin:/usr/bin:/sbin:/bin CI="${CI:-}" \
        SETTING="root debian13" sh -euc "
        cd /work/main
        .ci/deps build test
        exec make -j$(nproc) \"\$@\"" sh "$@"' sh "$work/root" "$@"
