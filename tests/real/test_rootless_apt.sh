#!/bin/bash
# Debian packages whose files have owners, set-id bits and capabilities, and whose maintainer scripts chown and setcap:
# installed by root, by a user with subordinate ids and by one without, with the same files as outcome.
# shellcheck source=tests/real/lib.sh
. "$(dirname "$0")/lib.sh"

write_context() { # DIR
    mkdir -p "$1"
    cat >"$1/Dockerfile" <<'EOF'
FROM debian:12
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get -o APT::Sandbox::User=root update && \
    apt-get -o APT::Sandbox::User=root install -y --no-install-recommends at iputils-ping dbus
RUN useradd -m somebody && chown somebody:mail /home/somebody && install -d -o somebody -g mail -m 2770 /srv/mail && \
    install -o nobody -g nogroup -m 4755 /bin/true /srv/tool && sed -i s/root/root/ /etc/shadow
EOF
}

# Path, mode, owner, link of all that isn't known to differ between two runs; capabilities from the layers.
listing() { # IMAGE
    cbuild export "$1" >tree.tar
    python3 - <<'EOF'
import tarfile
skip = ("var/cache/ldconfig/", "var/log/", "var/lib/apt/lists/", "var/cache/apt/")
for member in sorted(tarfile.open("tree.tar"), key=lambda m: m.name):
    if not member.name.startswith(skip):
        print(member.name, member.type, oct(member.mode), f"{member.uid}:{member.gid}", member.linkname,
              repr(member.pax_headers.get("SCHILY.xattr.security.capability", "")))
EOF
}

build_and_list() { # OPTION...
    SOURCE_DATE_EPOCH=1700000000 cbuild import "$1" debian:12 >/dev/null
    shift
    ok cbuild "$@" -t installed context
    listing installed
    store_verifies >&2
}

as_user() { # USER OPTION...: prints the listing
    local user=$1 there=$TEST_TMP/$1
    shift
    mkdir "$there"
    cp "$CBUILD" "$CACHE/debian12.tar" "$there"
    cp -r context "$there"
    chmod a+x "${TEST_TMP%/*}" "$TEST_TMP"
    chown -R "$user" "$there"
    (
        cd "$there" || exit 1
        runuser -u "$user" -- env -u XDG_RUNTIME_DIR HOME="$there" CBUILD_ROOT="$there/store" CBUILD="$there/cbuild" TEST_TMP="$there" \
            bash -c "set -eu; $(declare -f cbuild fail show run ok out_has store_verifies listing build_and_list)"'; build_and_list "$@"' \
            build "$there/debian12.tar" "$@"
    )
}

test_owners_and_capabilities_are_roots_for_every_user() {
    need_root
    need_mirror http://deb.debian.org/debian/
    local user
    for user in "${CBUILD_TEST_USER:-}" "${CBUILD_TEST_USER_NOIDS:-}"; do
        id -u "$user" >/dev/null 2>&1 || skip "no user without root's rights"
    done
    debian_tar
    write_context context
    build_and_list "$CACHE/debian12.tar" >root.list
    # what the packages do is in it at all
    grep -q '^usr/bin/ping .*cap\|^usr/bin/ping .*\\x' root.list || fail "$(grep '^usr/bin/ping' root.list)"
    grep -q '^usr/bin/at .*0o6755 1:1 ' root.list || fail "$(grep '^usr/bin/at ' root.list)"
    grep -q '^etc/shadow .* 0:42 ' root.list || fail "$(grep '^etc/shadow ' root.list)"
    as_user "$CBUILD_TEST_USER" >ids.list
    as_user "$CBUILD_TEST_USER_NOIDS" --record-owners >single.list
    diff root.list ids.list >&2 || fail "with subordinate ids"
    # useradd copies them and gives the copies the group that it saw, which is root's there
    grep -v '^etc/g\?shadow- ' root.list >root-without-copies.list
    grep -v '^etc/g\?shadow- ' single.list | diff root-without-copies.list - >&2 || fail "without"
}

run_tests "$@"
