/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/seccomp.h"

#include "base/clock.h"
#include "runner/bpf.h"
#include "runner/seccomp_calls.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALLOWED SECCOMP_RET_ALLOW
#define ERRNO(number) (SECCOMP_RET_ERRNO | (number))

/* The instructions that our programs use, as the kernel takes them. */
static uint32_t run(const struct sock_fprog *program, const struct seccomp_data *data)
{
    uint32_t a = 0;
    for (size_t pc = 0; pc < program->len; pc++) {
        const struct sock_filter *at = &program->filter[pc];
        switch (at->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            assert_true(at->k % 4 == 0 && at->k + 4 <= sizeof(*data));
            memcpy(&a, (const char *)data + at->k, sizeof(a));
            break;
        case BPF_JMP | BPF_JA:
            pc += at->k;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            pc += a >= at->k ? at->jt : at->jf;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            pc += a == at->k ? at->jt : at->jf;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            pc += a & at->k ? at->jt : at->jf;
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= at->k;
            break;
        case BPF_RET | BPF_K:
            return at->k;
        default:
            fail_msg("instruction %#x", at->code);
        }
    }
    fail_msg("the program runs over its end");
    return 0;
}

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#else
#define NATIVE AUDIT_ARCH_RISCV64
#endif

static uint32_t ask(uint32_t arch, int number, uint64_t arg0)
{
    struct error *err = NULL;
    const struct sock_fprog *filter = seccomp_filter(&err);
    assert_ok_ptr(filter, err);
    const struct seccomp_data data = { .nr = number, .arch = arch, .args = { arg0 } };
    return run(filter, &data);
}

static const struct {
    const char *name;
    uint64_t arg0;
    uint32_t expected;
} cases[] = {
    { "read", 0, ALLOWED },
    { "execve", 0, ALLOWED },
    { "chroot", 0, ALLOWED },
    { "mknodat", 0, ALLOWED },
    { "ptrace", 0, ALLOWED },
    { "io_uring_setup", 0, ERRNO(EPERM) },
    { "mount", 0, ERRNO(EPERM) },
    { "umount2", 0, ERRNO(EPERM) },
    { "pivot_root", 0, ERRNO(EPERM) },
    { "fsopen", 0, ERRNO(EPERM) },
    { "open_tree", 0, ERRNO(EPERM) },
    { "setns", 0, ERRNO(EPERM) },
    { "unshare", 0, ERRNO(EPERM) },
    { "bpf", 0, ERRNO(EPERM) },
    { "perf_event_open", 0, ERRNO(EPERM) },
    { "userfaultfd", 0, ERRNO(EPERM) },
    { "keyctl", 0, ERRNO(EPERM) },
    { "add_key", 0, ERRNO(EPERM) },
    { "request_key", 0, ERRNO(EPERM) },
    { "kexec_load", 0, ERRNO(EPERM) },
    { "reboot", 0, ERRNO(EPERM) },
    { "init_module", 0, ERRNO(EPERM) },
    { "finit_module", 0, ERRNO(EPERM) },
    { "swapon", 0, ERRNO(EPERM) },
    { "syslog", 0, ERRNO(EPERM) },
    { "quotactl", 0, ERRNO(EPERM) },
    { "acct", 0, ERRNO(EPERM) },
    { "settimeofday", 0, ERRNO(EPERM) },
    { "clock_settime", 0, ERRNO(EPERM) },
    { "open_by_handle_at", 0, ERRNO(EPERM) },
    { "sethostname", 0, ERRNO(EPERM) },
    { "nfsservctl", 0, ERRNO(EPERM) },
    { "mbind", 0, ERRNO(EPERM) },
    { "clone3", 0, ERRNO(ENOSYS) },
    { "clone", SIGCHLD, ALLOWED },
    { "clone", CLONE_VM | CLONE_THREAD | CLONE_SIGHAND, ALLOWED },
    { "clone", CLONE_NEWUSER, ERRNO(EPERM) },
    { "clone", CLONE_NEWNS | SIGCHLD, ERRNO(EPERM) },
    { "clone", CLONE_NEWNET, ERRNO(EPERM) },
    { "clone", CLONE_NEWCGROUP, ERRNO(EPERM) },
    { "personality", 0, ALLOWED },
    { "personality", 8, ALLOWED },
    { "personality", 0x20000, ALLOWED },
    { "personality", 0x20008, ALLOWED },
    { "personality", 0xffffffff, ALLOWED },
    { "personality", 0x40000, ERRNO(EPERM) }, /* ADDR_NO_RANDOMIZE */
    { "personality", 0x0400000, ERRNO(EPERM) },
    { "socket", AF_UNIX, ALLOWED },
    { "socket", AF_INET, ALLOWED },
    { "socket", AF_INET6, ALLOWED },
    { "socket", AF_NETLINK, ALLOWED },
    { "socket", AF_PACKET, ALLOWED },
    { "socket", AF_ALG, ERRNO(EPERM) },
    { "socket", AF_VSOCK, ERRNO(EPERM) },
    { "socket", AF_VSOCK | UINT64_C(1) << 32, ERRNO(EPERM) }, /* the kernel looks at the low half */
    { "socket", 12, ERRNO(EPERM) },
    { "socket", 46, ERRNO(EPERM) },
    { "socket", 0xffffffff, ERRNO(EPERM) },
};

static void calls_get_the_default_containers_answer(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int number = seccomp_syscall_resolve_name(cases[i].name);
        if (number < 0)
            continue; /* not a call of this architecture */
        uint32_t answer = ask(NATIVE, number, cases[i].arg0);
        if (answer != cases[i].expected)
            fail_msg("%s(%#llx): %#x, expected %#x", cases[i].name,
                     (unsigned long long)cases[i].arg0, answer, cases[i].expected);
    }
}

static void listed_calls_are_allowed_on_every_architecture(void **state)
{
    (void)state;
    static const struct {
        uint32_t token, audit;
    } all[] = {
#if defined(__x86_64__)
        { SCMP_ARCH_X86_64, AUDIT_ARCH_X86_64 },
        { SCMP_ARCH_X86, AUDIT_ARCH_I386 },
        { SCMP_ARCH_X32, AUDIT_ARCH_X86_64 },
#elif defined(__aarch64__)
        { SCMP_ARCH_AARCH64, AUDIT_ARCH_AARCH64 },
        { SCMP_ARCH_ARM, AUDIT_ARCH_ARM },
#endif
    };
    unsigned n = 0;
    for (size_t a = 0; a < ARRAY_SIZE(all); a++) {
        for (size_t i = 0; seccomp_allowed[i]; i++) {
            int number = seccomp_syscall_resolve_name_arch(all[a].token, seccomp_allowed[i]);
            if (number < 0)
                continue;
            n++;
            if (ask(all[a].audit, number, 0) != ALLOWED)
                fail_msg("%s is not allowed", seccomp_allowed[i]);
        }
        int mount_number = seccomp_syscall_resolve_name_arch(all[a].token, "mount");
        assert_int_equal(ask(all[a].audit, mount_number, 0), ERRNO(EPERM));
    }
    assert_true(n > 250);
}

/* So that libc falls back to an older call instead of failing. */
static void unknown_numbers_are_absent_calls(void **state)
{
    (void)state;
    assert_int_equal(ask(NATIVE, 452, 0), ALLOWED);      /* fchmodat2 */
    assert_int_equal(ask(NATIVE, 466, 0), ALLOWED);      /* removexattrat */
    assert_int_equal(ask(NATIVE, 460, 0), ERRNO(EPERM)); /* lsm_set_self_attr */
    assert_int_equal(ask(NATIVE, 467, 0), ERRNO(ENOSYS));
    assert_int_equal(ask(NATIVE, 1023, 0), ERRNO(ENOSYS));
    assert_int_equal(ask(NATIVE, 100000, 0), ERRNO(ENOSYS));
    assert_int_equal(ask(NATIVE, -1, 0), ERRNO(ENOSYS));
}

/* In a process of its own, as a filter can't be taken off; no_new_privs stands in for root. */
static int probe(void)
{
    struct error *err = NULL;
    struct report report = { 0 };
    const struct sock_fprog *filter = seccomp_filter(&err);
    if (!filter || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        seccomp_load_filter(filter, &report) < 0)
        return 1;
    if (syscall(SYS_mount, "x", "/", "tmpfs", 0, NULL) != -1 || errno != EPERM)
        return 2;
    if (syscall(SYS_clone3, NULL, 0) != -1 || errno != ENOSYS)
        return 3;
    if (unshare(CLONE_NEWUSER) != -1 || errno != EPERM)
        return 4;
    if (syscall(SYS_keyctl, 0, 0, 0, 0, 0) != -1 || errno != EPERM)
        return 5;
    if (socket(AF_ALG, SOCK_SEQPACKET, 0) != -1 || errno != EPERM)
        return 6;
    if (socket(AF_UNIX, SOCK_STREAM, 0) < 0)
        return 7;
    if (syscall(1000) != -1 || errno != ENOSYS)
        return 8;
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return pid > 0 && waitpid(pid, NULL, 0) == pid ? 0 : 9;
}

static void filter_holds_in_this_kernel(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0)
        _exit(probe());
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void foreign_architectures_are_killed(void **state)
{
    (void)state;
    assert_int_equal(ask(AUDIT_ARCH_S390X, 0, 0), SECCOMP_RET_KILL_PROCESS);
}

static void filter_is_small_and_quick_to_make(void **state)
{
    (void)state;
    struct error *err = NULL;
    int64_t start = clock_now_ns();
    const struct sock_fprog *filter = seccomp_filter(&err);
    assert_ok_ptr(filter, err);
    print_message("# filter of %u instructions, %.2f ms\n", filter->len,
                  (double)(clock_now_ns() - start) / 1e6);
    assert_true(filter->len < 1000);
    assert_ptr_equal(filter, seccomp_filter(&err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filter_is_small_and_quick_to_make),
        cmocka_unit_test(calls_get_the_default_containers_answer),
        cmocka_unit_test(listed_calls_are_allowed_on_every_architecture),
        cmocka_unit_test(unknown_numbers_are_absent_calls),
        cmocka_unit_test(filter_holds_in_this_kernel),
        cmocka_unit_test(foreign_architectures_are_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
