#!/bin/bash
# cbuild under another kernel: Debian's, in a virtual machine that qemu emulates (minutes, no /dev/kvm needed). It has
# what this machine may lack: cgroups of version 2, AppArmor, and an overlay of before 6.5. Only by `make check-vm`.
# The machine's root is this one's files, read-only, below a disk of its own.
# shellcheck source=tests/real/lib.sh
. "$(dirname "$0")/lib.sh"

MODULES='virtio_pci 9pnet_virtio 9p virtio_blk ext4 crc32c_generic overlay tun veth nf_tables nft_masq nft_nat nft_ct nft_chain_nat'

need_vm() {
    [ -n "${CBUILD_TEST_VM:-}" ] || skip "only by make check-vm"
    need_root
    need qemu-system-x86_64 depmod mkfs.ext4 cpio
    [ "$(uname -m)" = x86_64 ] || skip "of amd64"
}

# The kernel, unpacked in the cache.
get_kernel() {
    local package
    KERNEL=$CACHE/vm-kernel
    [ ! -e "$KERNEL/done" ] || return 0
    package=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1)
    [ -n "$package" ] || skip "no mirror: linux-image-amd64"
    rm -rf "$KERNEL" "$SHARED/deb"
    mkdir -p "$KERNEL" "$SHARED/deb"
    chmod 755 "$SHARED" "$SHARED/deb"
    (cd "$SHARED/deb" && apt-get -qq download "$package") || skip "no mirror: $package"
    dpkg-deb -x "$SHARED"/deb/*.deb "$KERNEL"
    depmod -b "$KERNEL" "$(basename "$KERNEL"/lib/modules/*)"
    touch "$KERNEL/done"
}

make_initrd() {
    local version dir=$SHARED/initrd module
    version=$(basename "$KERNEL"/lib/modules/*)
    mkdir -p "$dir"/{bin,modules,proc,sys,dev,host,disk,new,run.d/tests/e2e,run.d/runner}
    for module in $MODULES; do modprobe -S "$version" -d "$KERNEL" --show-depends "$module"; done |
        awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$SHARED/modules"
    while read -r module; do cp "$module" "$dir/modules/" && basename "$module" >>"$dir/modules/list"; done <"$SHARED/modules"
    cp /bin/busybox "$dir/bin/"
    cp "$TOP/tests/real/vm-init" "$dir/init"
    cp "$CBUILD" "$dir/run.d/cbuild"
    cp "$TOP"/tests/e2e/{lib.sh,on_pty.py,test_limits.sh,test_rootless.sh,test_escape.sh} "$dir/run.d/tests/e2e/"
    cp "$TOP/runner/apparmor-profile" "$dir/run.d/runner/"
    cat >"$dir/run.d/run" <<'EOF'
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TMPDIR=/tmp HOME=/root
export CBUILD=/vm/cbuild CBUILD_TEST_USER=$(cat /vm/user)
part() { echo "== $1"; shift; bash /vm/tests/e2e/"$@"; }
chmod -R a+rX /vm
part limits test_limits.sh test_limits_are_those_of_the_steps_cgroup_and_it_goes_with_the_step test_out_of_memory_is_said \
    test_processes_are_counted test_processors_are_those_listed test_what_a_killed_build_left_is_swept_by_the_next
[ -z "$CBUILD_TEST_USER" ] || part user test_limits.sh test_all_of_this_without_root
apparmor_parser --replace --skip-cache /vm/runner/apparmor-profile
part apparmor test_escape.sh test_the_profile_of_apparmor_is_valid
part rootless test_rootless.sh test_copies_between_stages_and_mounts test_network_of_run test_every_fallback_of_mounting
echo "== end"
/bin/busybox poweroff -f
EOF
    echo "${CBUILD_TEST_USER:-}" >"$dir/run.d/user"
    chmod +x "$dir/init"
    (cd "$dir" && find . | cpio -o -H newc 2>/dev/null | gzip -1) >"$SHARED/initrd.gz"
}

# What it says goes to $SHARED/vm.tmp.
start_vm() { # ACCELERATOR
    rm -f "$SHARED/disk"
    truncate -s 4G "$SHARED/disk"
    mkfs.ext4 -q -F "$SHARED/disk"
    timeout 1500 qemu-system-x86_64 -machine q35,accel="$1" -cpu max -smp 2 -m 2048 -nographic -no-reboot -nic none \
        -kernel "$KERNEL"/boot/vmlinuz-* -initrd "$SHARED/initrd.gz" -append 'console=ttyS0 quiet loglevel=0 panic=-1 security=apparmor' \
        -drive file="$SHARED/disk",if=virtio,format=raw,cache=unsafe \
        -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap </dev/null 2>&1 |
        stdbuf -o0 tr -d '\r' >"$SHARED/vm.tmp" || :
}

# Runs all of it once; what it said is in $SHARED/vm.log.
run_vm() {
    need_vm
    (
        flock 9
        [ ! -e "$SHARED/vm.log" ] || exit 0
        get_kernel
        make_initrd
        # a kvm that is there may not work, in a virtual machine itself
        for accel in kvm tcg; do
            [ $accel = tcg ] || [ -w /dev/kvm ] || continue
            start_vm $accel
            ! grep -q '== limits' "$SHARED/vm.tmp" || break
        done
        mv "$SHARED/vm.tmp" "$SHARED/vm.log"
    ) 9>"$SHARED/vm.lock"
    [ ! -s "$TEST_SKIP" ] || exit 0
    grep -q '== limits' "$SHARED/vm.log" || fail "it didn't start: $(tail -n 20 "$SHARED/vm.log")"
}

# NAME N: that part has at least so many tests that passed, and none that failed
part_passes() {
    sed -n "/== $1\$/,/^== /p" "$SHARED/vm.log" >part
    ! grep -q '^not ok' part || fail "$(cat part)"
    [ "$(grep -c '^ok' part)" -ge "$2" ] || fail "$(cat part)"
}

test_limits_hold_in_cgroups_of_version_2() {
    run_vm
    part_passes limits 5
}

test_limits_hold_without_root_in_a_delegated_cgroup() {
    run_vm
    [ -n "${CBUILD_TEST_USER:-}" ] || skip "CBUILD_TEST_USER names no ordinary user"
    part_passes user 1
}

test_steps_are_under_the_profile_of_apparmor() {
    run_vm
    part_passes apparmor 1
}

test_builds_of_an_ordinary_user_work_on_an_older_kernel() {
    run_vm
    part_passes rootless 3
}

run_tests "$@"
