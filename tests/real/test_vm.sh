#!/bin/bash
# cbuild under another kernel: Debian's, in a virtual machine that qemu emulates (minutes, no /dev/kvm needed). It has
# what this machine may lack: cgroups of version 2, AppArmor, SELinux, and an overlay of before 6.5. Only by `make check-vm`.
# The machine's root is this one's files, read-only, below a disk of its own. `make check-vm PARTS='user apparmor'` runs
# some of it.
# shellcheck source=tests/real/lib.sh
. "$(dirname "$0")/lib.sh"

MODULES='virtio_pci 9pnet_virtio 9p virtio_blk ext4 crc32c_generic overlay tun veth nf_tables nft_masq nft_nat nft_ct nft_chain_nat'

need_vm() { # PART
    [ -n "${CBUILD_TEST_VM:-}" ] || skip "only by make check-vm"
    need_root
    need qemu-system-x86_64 depmod mkfs.ext4 cpio
    [ "$(uname -m)" = x86_64 ] || skip "of amd64"
    case " $CBUILD_TEST_VM " in *" $1 "* | ' all ') ;; *) skip "not of the parts asked for" ;; esac
}

# A package's files in a directory of the cache.
unpack_package() { # PACKAGE DIR
    rm -rf "$2" "$SHARED/deb"
    mkdir -p "$2" "$SHARED/deb"
    chmod 755 "$SHARED" "$SHARED/deb"
    (cd "$SHARED/deb" && apt-get -qq download "$1") || skip "no mirror: $1"
    dpkg-deb -x "$SHARED"/deb/*.deb "$2"
}

get_kernel() {
    local package
    KERNEL=$CACHE/vm-kernel
    [ ! -e "$KERNEL/done" ] || return 0
    package=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1)
    [ -n "$package" ] || skip "no mirror: linux-image-amd64"
    unpack_package "$package" "$KERNEL"
    depmod -b "$KERNEL" "$(basename "$KERNEL"/lib/modules/*)"
    touch "$KERNEL/done"
}

# The kernel takes a policy as one file: that of Debian's base and its unconfined domains.
get_policy() {
    local tools=$CACHE/vm-selinux/tools/usr/bin modules=$CACHE/vm-selinux/modules module
    POLICY=$CACHE/vm-selinux/policy
    [ ! -e "$POLICY" ] || return 0
    unpack_package semodule-utils "$CACHE/vm-selinux/tools"
    unpack_package selinux-policy-default "$modules"
    for module in base unconfined; do
        bunzip2 -c "$modules/usr/share/selinux/default/$module.pp.bz2" >"$CACHE/vm-selinux/$module.pp"
    done
    (cd "$CACHE/vm-selinux" && "$tools/semodule_link" -o linked base.pp unconfined.pp && "$tools/semodule_expand" -c 33 linked expanded)
    mv "$CACHE/vm-selinux/expanded" "$POLICY"
}

make_initrd() {
    local version dir=$SHARED/initrd module
    version=$(basename "$KERNEL"/lib/modules/*)
    mkdir -p "$dir"/{bin,modules,proc,sys,dev,host,disk,new,run.d/tests/e2e,run.d/tests/conformance,run.d/runner}
    for module in $MODULES; do modprobe -S "$version" -d "$KERNEL" --show-depends "$module"; done |
        awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$SHARED/modules"
    while read -r module; do cp "$module" "$dir/modules/" && basename "$module" >>"$dir/modules/list"; done <"$SHARED/modules"
    cp /bin/busybox "$dir/bin/"
    cp "$TOP/tests/real/vm-init" "$dir/init"
    cp "$CBUILD" "$dir/run.d/cbuild"
    cp "$ESCAPE_PROBE" "$dir/run.d/escape-probe"
    cp "$TOP"/tests/e2e/{lib.sh,on_pty.py,test_limits.sh,test_rootless.sh,test_escape.sh} "$TOP/tests/real/vm_selinux.sh" "$dir/run.d/tests/e2e/"
    cp "$TOP/tests/nested" "$dir/run.d/tests/"
    cp "$TOP/tests/conformance/image.py" "$dir/run.d/tests/conformance/"
    cp "$TOP/runner/apparmor-profile" "$dir/run.d/runner/"
    cp "$TOP/tests/real/vm-run" "$dir/run.d/run"
    cp "$POLICY" "$dir/run.d/policy"
    echo "${CBUILD_TEST_USER:-}" >"$dir/run.d/user"
    echo "$CBUILD_TEST_VM" >"$dir/run.d/parts"
    chmod +x "$dir/init"
    (cd "$dir" && find . | cpio -o -H newc 2>/dev/null | gzip -1) >"$SHARED/initrd.gz"
}

# What it says goes to $SHARED/vm.tmp.
start_vm() { # ACCELERATOR MODULE: apparmor or selinux
    rm -f "$SHARED/disk"
    truncate -s 4G "$SHARED/disk"
    mkfs.ext4 -q -F "$SHARED/disk"
    timeout 1500 qemu-system-x86_64 -machine q35,accel="$1" -cpu max -smp 2 -m 2048 -nographic -no-reboot -nic none \
        -kernel "$KERNEL"/boot/vmlinuz-* -initrd "$SHARED/initrd.gz" \
        -append "console=ttyS0 quiet loglevel=0 panic=-1 security=$2" \
        -drive file="$SHARED/disk",if=virtio,format=raw,cache=unsafe \
        -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap </dev/null 2>&1 |
        stdbuf -o0 tr -d '\r' >"$SHARED/vm.tmp" || :
}

# All that is asked for of one module; what it said is in $SHARED/MODULE.log.
run_vm() { # PART MODULE
    need_vm "$1"
    (
        flock 9
        [ ! -e "$SHARED/$2.log" ] || exit 0
        get_kernel
        get_policy
        make_initrd
        # a kvm that is there may not work, in a virtual machine itself
        for accel in kvm tcg; do
            [ $accel = tcg ] || [ -w /dev/kvm ] || continue
            start_vm $accel "$2"
            ! grep -q '^== ' "$SHARED/vm.tmp" || break
        done
        mv "$SHARED/vm.tmp" "$SHARED/$2.log"
    ) 9>"$SHARED/vm.lock"
    [ ! -s "$TEST_SKIP" ] || exit 0
    grep -q '^== ' "$SHARED/$2.log" || fail "it didn't start: $(tail -n 20 "$SHARED/$2.log")"
}

# That part has at least so many tests that passed, and none that failed.
part_passes() { # NAME N [MODULE]
    local module=${3:-apparmor}
    run_vm "$1" "$module"
    sed -n "/== $1\$/,/^== /p" "$SHARED/$module.log" >part
    ! grep -q '^not ok' part || fail "$(cat part)"
    [ "$(grep -c '^ok' part)" -ge "$2" ] || fail "$(cat part)"
    grep '^# .* s$' part >&2 || fail "it didn't end: $(cat part)"
}

test_limits_hold_in_cgroups_of_version_2() {
    part_passes limits 5
}

test_limits_hold_without_root_in_a_delegated_cgroup() {
    need_vm user
    [ -n "${CBUILD_TEST_USER:-}" ] || skip "CBUILD_TEST_USER names no ordinary user"
    part_passes user 1
}

test_steps_are_under_the_profile_of_apparmor() {
    part_passes apparmor 1
}

test_a_run_under_apparmor_is_refused_what_a_default_container_is() {
    part_passes escape 2
}

test_builds_of_an_ordinary_user_work_on_an_older_kernel() {
    part_passes rootless 3
}

test_builds_work_where_selinux_is_enforced() {
    part_passes selinux 3 selinux
}

run_tests "$@"
