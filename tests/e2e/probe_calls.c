/* SPDX-License-Identifier: Apache-2.0 */
/* System calls and sockets. */
#include "tests/e2e/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timex.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

/* -- calls -- */

static int add_a_key(void)
{
    return outcome(syscall(SYS_add_key, "user", "probe", "x", 1, KEY_SPEC_PROCESS_KEYRING));
}

static int ask_keyring(void)
{
    return outcome(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 1));
}

static int request_a_key(void)
{
    return refused_later(syscall(SYS_request_key, "user", "probe-lacks-it", NULL, 0), ENOKEY);
}

static int load_bpf(void)
{
    union bpf_attr attr = {
        .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1
    };
    return outcome(syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)));
}

static int open_perf(void)
{
    struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE,
                                    .size = sizeof(attr),
                                    .config = PERF_COUNT_SW_CPU_CLOCK };
    return outcome(syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0));
}

static int open_userfaultfd(void)
{
    return outcome(syscall(SYS_userfaultfd, O_CLOEXEC));
}

static int set_up_io_uring(void)
{
    char params[256] = { 0 };
    return outcome(syscall(SYS_io_uring_setup, 1, params));
}

static int new_user_namespace(void)
{
    return outcome(unshare(CLONE_NEWUSER));
}

static int end_at_once(void *unused)
{
    (void)unused;
    return 0;
}

static int clone_with(int flags)
{
    static char stack[65536] __attribute__((aligned(16)));
    return outcome(clone(end_at_once, stack + sizeof(stack), flags | SIGCHLD, NULL));
}

static int clone_user_namespace(void)
{
    return clone_with(CLONE_NEWUSER);
}

static int clone_mount_namespace(void)
{
    return clone_with(CLONE_NEWNS);
}

static int clone3_user_namespace(void)
{
    uint64_t args[8] = { CLONE_NEWUSER, 0, 0, 0, SIGCHLD, 0, 0, 0 };
    long pid = syscall(SYS_clone3, args, sizeof(args));
    if (pid == 0)
        _exit(0);
    return outcome(pid);
}

static int new_mount_namespace(void)
{
    return outcome(unshare(CLONE_NEWNS));
}

static int new_network_namespace(void)
{
    return outcome(unshare(CLONE_NEWNET));
}

static int new_pid_namespace(void)
{
    return outcome(unshare(CLONE_NEWPID));
}

/* Flags that don't exist: looked at after the capability, before anything else. */
static int load_kernel(void)
{
    return refused_later(syscall(SYS_kexec_load, 0, 0, NULL, ~0ul), EINVAL);
}

static int load_kernel_file(void)
{
#ifdef SYS_kexec_file_load
    return refused_later(syscall(SYS_kexec_file_load, -1, -1, 0, NULL, ~0ul), EINVAL);
#else
    return ENOSYS;
#endif
}

/* A wrong magic number: looked at after the capability. */
static int reboot_(void)
{
    return refused_later(syscall(SYS_reboot, 0, 0, 0, NULL), EINVAL);
}

static int load_module(void)
{
    long done = syscall(SYS_init_module, NULL, 0, "");
    return done < 0 && errno != ENOEXEC && errno != EFAULT ? errno : 0;
}

static int load_module_file(void)
{
    return refused_later(syscall(SYS_finit_module, -1, "", 0), EBADF);
}

static int remove_module(void)
{
    return refused_later(syscall(SYS_delete_module, "probe_lacks_it", O_NONBLOCK), ENOENT);
}

static int swap(void)
{
    return refused_later(swapon(NOWHERE, 0), ENOENT);
}

static int account(void)
{
    return refused_later(acct(NOWHERE), ENOENT);
}

/* A tick out of range: looked at after the capability. */
static int set_clock(void)
{
    struct timex change = { .modes = ADJ_TICK, .tick = 0 };
    return refused_later((int)syscall(SYS_clock_adjtime, CLOCK_REALTIME, &change), EINVAL);
}

static int read_kernel_log(void)
{
    return outcome(syscall(SYS_syslog, 10 /* size of the buffer */, NULL, 0));
}

static int set_host_name(void)
{
    char name[65];
    return gethostname(name, sizeof(name)) < 0 ? errno : outcome(sethostname(name, strlen(name)));
}

static int use_ports(void)
{
#ifdef SYS_iopl
    return outcome(syscall(SYS_iopl, 3));
#else
    return ENOSYS;
#endif
}

static int watch_file_system(void)
{
    return outcome(syscall(SYS_fanotify_init, 0, O_RDONLY));
}

static int ask_quota(void)
{
    /* of all file systems: needs no right */
    return outcome(syscall(SYS_quotactl, 0x80000100 /* Q_SYNC */, NULL, 0, NULL));
}

static int random_addresses_off(void)
{
    return outcome(personality(ADDR_NO_RANDOMIZE));
}

static int compare_processes(void)
{
    return outcome(syscall(SYS_kcmp, getpid(), getppid(), 0, 0, 0));
}

static int hang_up(void)
{
    return outcome(syscall(SYS_vhangup));
}

static int move_pages_(void)
{
    return outcome(syscall(SYS_move_pages, 0, 0ul, NULL, NULL, NULL, 0));
}

static int immutable_file(void)
{
    int fd = open("immutable", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    int flags = 0;
    if (fd < 0 || ioctl(fd, _IOR('f', 1, long), &flags) < 0)
        return errno == ENOTTY || errno == EOPNOTSUPP ? ENOSYS : errno;
    flags |= 0x10;
    if (ioctl(fd, _IOW('f', 2, long), &flags) < 0)
        return errno;
    flags &= ~0x10;
    return outcome(ioctl(fd, _IOW('f', 2, long), &flags));
}

static int trusted_attribute(void)
{
    int fd = open("trusted", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    return fd < 0 ? errno : outcome(fsetxattr(fd, "trusted.probe", "x", 1, 0));
}

static int negative_nice(void)
{
    return nice(-1) == -1 ? errno : 0;
}

/* -- sockets -- */

static int connect_abstract(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t size = strlen(host.name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || size >= sizeof(address.sun_path))
        return errno;
    memcpy(address.sun_path + 1, host.name, size);
    return outcome(connect(fd, (void *)&address,
                           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + size)));
}

static int connect_loopback(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)host.port),
                                   .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? errno : outcome(connect(fd, (void *)&address, sizeof(address)));
}

static int open_alg_socket(void)
{
    return outcome(socket(AF_ALG, SOCK_SEQPACKET, 0));
}

static int open_vsock(void)
{
    return outcome(socket(AF_VSOCK, SOCK_STREAM, 0));
}

static int set_up_network(void)
{
    /* what `ip link set lo mtu` needs: CAP_NET_ADMIN; the name doesn't exist */
    char request[40] = "probe-lacks-it";
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? errno : refused_later(ioctl(fd, 0x8922 /* SIOCSIFMTU */, request), ENODEV);
}

static int open_raw_socket(void)
{
    return outcome(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
}

static int open_packet_socket(void)
{
    return outcome(socket(AF_PACKET, SOCK_RAW, 0));
}

/* -- what a default container allows -- */

static int trace_child(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        (void)pause();
        _exit(0);
    }
    int error = outcome(ptrace(PTRACE_SEIZE, pid, NULL, NULL));
    (void)kill(pid, SIGKILL);
    return error;
}

static int make_node(void)
{
    return outcome(mknod("null", S_IFCHR | 0600, makedev(1, 3)));
}

static int change_root(void)
{
    return outcome(chroot("."));
}

static int change_owner(void)
{
    return outcome(chown(".", 1, 1));
}

static int file_capability(void)
{
    const uint32_t cap[5] = { 0x02000000, 0x400 /* CAP_NET_BIND_SERVICE */ };
    int fd = open("cap", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    return fd < 0 ? errno : outcome(fsetxattr(fd, "security.capability", cap, sizeof(cap), 0));
}

static int own_filter(void)
{
    return outcome(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

static int mark_file_system(void)
{
    return refused_later(syscall(SYS_fanotify_mark, -1, 0, 0, -1, NULL), EINVAL);
}

static int secret_memory(void)
{
    return outcome(syscall(SYS_memfd_secret, 0));
}

const struct probe call_probes[] = {
    { "add-key", add_a_key, false },
    { "keyctl", ask_keyring, false },
    { "request-key", request_a_key, false },
    { "bpf", load_bpf, false },
    { "perf", open_perf, false },
    { "userfaultfd", open_userfaultfd, false },
    { "io-uring", set_up_io_uring, false },
    { "unshare-user", new_user_namespace, false },
    { "clone-user", clone_user_namespace, false },
    { "clone-mounts", clone_mount_namespace, false },
    { "clone3-user", clone3_user_namespace, false },
    { "unshare-mounts", new_mount_namespace, false },
    { "unshare-network", new_network_namespace, false },
    { "unshare-pid", new_pid_namespace, false },
    { "kexec", load_kernel, false },
    { "kexec-file", load_kernel_file, false },
    { "reboot", reboot_, false },
    { "init-module", load_module, false },
    { "finit-module", load_module_file, false },
    { "delete-module", remove_module, false },
    { "swapon", swap, false },
    { "acct", account, false },
    { "clock", set_clock, false },
    { "kernel-log", read_kernel_log, false },
    { "host-name", set_host_name, false },
    { "iopl", use_ports, false },
    { "fanotify", watch_file_system, false },
    { "quota", ask_quota, false },
    { "personality", random_addresses_off, false },
    { "kcmp", compare_processes, false },
    { "vhangup", hang_up, false },
    { "move-pages", move_pages_, false },
    { "immutable", immutable_file, false },
    { "trusted-attribute", trusted_attribute, false },
    { "nice", negative_nice, false },
    { "abstract-socket", connect_abstract, false },
    { "loopback-socket", connect_loopback, false },
    { "alg-socket", open_alg_socket, false },
    { "vsock", open_vsock, false },
    { "network-setup", set_up_network, false },
    { "raw-socket", open_raw_socket, true },
    { "packet-socket", open_packet_socket, true },
    { "ptrace-child", trace_child, true },
    { "mknod-null", make_node, true },
    { "chroot", change_root, true },
    { "chown", change_owner, true },
    { "file-capability", file_capability, true },
    { "no-new-privileges", own_filter, true },
    { "fanotify-mark", mark_file_system, true },
    { "memfd-secret", secret_memory, true },
    { NULL, NULL, false },
};
