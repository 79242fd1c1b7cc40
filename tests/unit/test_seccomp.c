/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/seccomp.h"

#include "base/clock.h"
#include "base/json.h"
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
    const struct sock_fprog *filter = seccomp_filter(SECCOMP_DEFAULT, &err);
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

#if defined(__x86_64__)
/* The numbers that i386's own socket() and semget() have beside socketcall and ipc. */
static void i386_makes_sockets_by_either_call(void **state)
{
    (void)state;
    assert_int_equal(ask(AUDIT_ARCH_I386, 102, 0), ALLOWED); /* socketcall */
    assert_int_equal(ask(AUDIT_ARCH_I386, 359, AF_INET), ALLOWED);
    assert_int_equal(ask(AUDIT_ARCH_I386, 359, AF_ALG), ERRNO(EPERM));
    for (int number = 360; number <= 373; number++)
        assert_int_equal(ask(AUDIT_ARCH_I386, number, 0), ALLOWED);
    for (int number = 393; number <= 402; number++)
        assert_int_equal(ask(AUDIT_ARCH_I386, number, 0), ALLOWED);
}
#endif

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
    const struct sock_fprog *filter = seccomp_filter(SECCOMP_DEFAULT, &err);
    if (!filter || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        seccomp_load_filter(filter, NULL, &report) < 0)
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

static uint32_t ask_of(enum seccomp_kind kind, uint32_t arch, const char *name)
{
    struct error *err = NULL;
    const struct sock_fprog *filter = seccomp_filter(kind, &err);
    assert_ok_ptr(filter, err);
    const struct seccomp_data data = { .nr = seccomp_syscall_resolve_name_arch(arch, name),
                                       .arch = arch };
    return run(filter, &data);
}

static void recording_asks_for_owners_and_nodes_alone(void **state)
{
    (void)state;
    assert_int_equal(ask_of(SECCOMP_DEFAULT, NATIVE, "fchownat"), SECCOMP_RET_ALLOW);
    for (int kind = SECCOMP_RECORDING; kind <= SECCOMP_INSECURE_RECORDING; kind++) {
        assert_int_equal(ask_of(kind, NATIVE, "fchownat"), SECCOMP_RET_USER_NOTIF);
        assert_int_equal(ask_of(kind, NATIVE, "fchown"), SECCOMP_RET_USER_NOTIF);
        assert_int_equal(ask_of(kind, NATIVE, "mknodat"), SECCOMP_RET_USER_NOTIF);
        assert_int_equal(ask_of(kind, NATIVE, "openat"), SECCOMP_RET_ALLOW);
    }
#if defined(__x86_64__)
    assert_int_equal(ask_of(SECCOMP_RECORDING, SCMP_ARCH_X86, "chown32"), SECCOMP_RET_USER_NOTIF);
#endif
    assert_int_equal(ask_of(SECCOMP_RECORDING, NATIVE, "mount"), ERRNO(EPERM));
    assert_int_equal(ask_of(SECCOMP_INSECURE_RECORDING, NATIVE, "mount"), SECCOMP_RET_ALLOW);
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
    const struct sock_fprog *filter = seccomp_filter(SECCOMP_DEFAULT, &err);
    assert_ok_ptr(filter, err);
    print_message("# filter of %u instructions, %.2f ms\n", filter->len,
                  (double)(clock_now_ns() - start) / 1e6);
    assert_true(filter->len < 1000);
    const struct sock_filter *code = filter->filter; /* made once, for all steps */
    assert_ptr_equal(filter, seccomp_filter(SECCOMP_DEFAULT, &err));
    assert_ptr_equal(code, filter->filter);
}

/* -- the distribution's profile as the judge -- */

#define PROFILE "/usr/share/containers/seccomp.json" /* golang-github-containers-common */

/* Allowed by moby's profile of today; the distribution's is of 2022, or has another opinion. */
static const char *const only_ours[] = { "cachestat",  "fchmodat2",     "futex_requeue",
                                         "futex_wait", "futex_waitv",   "futex_wake",
                                         "getxattrat", "io_pgetevents", "io_pgetevents_time64",
                                         "listmount",  "listxattrat",   "map_shadow_stack",
                                         "mseal",      "removexattrat", "riscv_hwprobe",
                                         "setxattrat", "statmount",     "uretprobe",
                                         "vmsplice" };

/*
 * What it allows and moby's doesn't: namespaces and mounts, which a container in a user namespace
 * of its own may make; NUMA policy; and old names, which moby's leaves out.
 */
static const char *const only_theirs[] = {
    "clone3",      "fsconfig",   "fsmount",    "fsopen",     "fspick",        "get_mempolicy",
    "keyctl",      "mbind",      "mount",      "move_mount", "mount_setattr", "open_tree",
    "pidfd_getfd", "pivot_root", "reboot",     "readdir",    "set_mempolicy", "setns",
    "sigaction",   "signal",     "sigpending", "sigsuspend", "syscall",       "syslog",
    "timerfd",     "umount",     "umount2",    "unshare",
};

static const char *const capabilities[] = {
    "CAP_CHOWN",  "CAP_DAC_OVERRIDE",     "CAP_FOWNER",  "CAP_FSETID",     "CAP_KILL",
    "CAP_SETGID", "CAP_SETUID",           "CAP_SETPCAP", "CAP_NET_RAW",    "CAP_SYS_CHROOT",
    "CAP_MKNOD",  "CAP_NET_BIND_SERVICE", "CAP_SETFCAP", "CAP_AUDIT_WRITE"
};

static const struct profile_arch {
    const char *name, *machine; /* whose rules count */
    uint32_t token, audit;
} profile_arches[] = {
    { "amd64", "amd64", SCMP_ARCH_X86_64, AUDIT_ARCH_X86_64 },
    { "x86", "amd64", SCMP_ARCH_X86, AUDIT_ARCH_I386 },
    { "x32", "amd64", SCMP_ARCH_X32, AUDIT_ARCH_X86_64 },
    { "arm64", "arm64", SCMP_ARCH_AARCH64, AUDIT_ARCH_AARCH64 },
    { "arm", "arm64", SCMP_ARCH_ARM, AUDIT_ARCH_ARM },
};

static const char *const machine_names[] = { "amd64", "arm64", "riscv64" };

static bool is_in(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(name, names[i]))
            return true;
    return false;
}

static bool array_has(const json_t *array, const char *name)
{
    for (size_t i = 0; i < json_array_size(array); i++)
        if (!strcmp(json_string_value(json_array_get(array, i)), name))
            return true;
    return false;
}

static bool array_has_a_capability(const json_t *array)
{
    for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++)
        if (array_has(array, capabilities[i]))
            return true;
    return false;
}

/* Whether a rule counts on a machine, also for what else it runs, with our capabilities. */
static bool rule_counts(const json_t *rule, const char *machine)
{
    const json_t *includes = json_object_get(rule, "includes");
    const json_t *excludes = json_object_get(rule, "excludes");
    const json_t *caps = json_object_get(includes, "caps");
    const json_t *arches = json_object_get(includes, "arches");
    return (!json_array_size(caps) || array_has_a_capability(caps)) &&
           (!json_array_size(arches) || array_has(arches, machine)) &&
           !array_has_a_capability(json_object_get(excludes, "caps")) &&
           !array_has(json_object_get(excludes, "arches"), machine);
}

/* By some arguments at least. */
static bool profile_allows(const json_t *profile, const char *call, const char *machine)
{
    const json_t *rules = json_object_get(profile, "syscalls");
    for (size_t i = 0; i < json_array_size(rules); i++) {
        const json_t *rule = json_array_get(rules, i);
        if (!strcmp(json_string_value(json_object_get(rule, "action")), "SCMP_ACT_ALLOW") &&
            array_has(json_object_get(rule, "names"), call) && rule_counts(rule, machine))
            return true;
    }
    return false;
}

/* By the filter that the machine has, whichever this one is. */
static uint32_t answer_on(const char *machine, uint32_t audit, int number, uint64_t arg0)
{
    static struct sock_fprog programs[ARRAY_SIZE(machine_names)];
    size_t which = 0;
    while (strcmp(machine_names[which], machine) != 0)
        which++;
    struct error *err = NULL;
    if (!programs[which].filter)
        assert_ok(seccomp_build(machine, SECCOMP_DEFAULT, &programs[which], &err), err);
    const struct seccomp_data data = { .nr = number, .arch = audit, .args = { arg0 } };
    return run(&programs[which], &data);
}

static bool we_allow(const struct profile_arch *arch, int number)
{
    return answer_on(arch->machine, arch->audit, number, 0) == ALLOWED;
}

/* The questions that have an answer by arguments, and those of other machines that none may run. */
static void other_machines_have_the_same_answers(void **state)
{
    (void)state;
    for (size_t a = 0; a < ARRAY_SIZE(profile_arches); a++) {
        const struct profile_arch *arch = &profile_arches[a];
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
            int number = seccomp_syscall_resolve_name_arch(arch->token, cases[i].name);
            if (number < 0)
                continue;
            uint32_t answer = answer_on(arch->machine, arch->audit, number, cases[i].arg0);
            if (answer != cases[i].expected)
                fail_msg("%s: %s(%#llx): %#x, expected %#x", arch->name, cases[i].name,
                         (unsigned long long)cases[i].arg0, answer, cases[i].expected);
        }
    }
    assert_int_equal(answer_on("arm64", AUDIT_ARCH_X86_64, 0, 0), SECCOMP_RET_KILL_PROCESS);
    assert_int_equal(answer_on("amd64", AUDIT_ARCH_AARCH64, 0, 0), SECCOMP_RET_KILL_PROCESS);
    assert_int_equal(answer_on("riscv64", AUDIT_ARCH_AARCH64, 0, 0), SECCOMP_RET_KILL_PROCESS);
    assert_int_equal(answer_on("arm64", AUDIT_ARCH_AARCH64, 467, 0), ERRNO(ENOSYS));
    assert_int_equal(answer_on("arm64", AUDIT_ARCH_ARM, 0xf0002, 0), ALLOWED); /* cacheflush */
}

static void compare(const json_t *profile, const struct profile_arch *arch)
{
    unsigned n = 0;
    for (int number = 0; number < 1024; number++) {
        int asked = arch->token == SCMP_ARCH_X32 ? number | 0x40000000 : number;
        AUTO(free) char *name = seccomp_syscall_resolve_num_arch(arch->token, asked);
        if (!name)
            continue;
        bool ours = we_allow(arch, asked);
        bool theirs = profile_allows(profile, name, arch->machine);
        if (ours && !theirs && !is_in(name, only_ours, ARRAY_SIZE(only_ours)))
            fail_msg("%s: %s is allowed, the profile refuses it", arch->name, name);
        if (theirs && !ours && !is_in(name, only_theirs, ARRAY_SIZE(only_theirs)))
            fail_msg("%s: %s is refused, the profile allows it", arch->name, name);
        n += ours && theirs;
    }
    print_message("# %s: %u calls are allowed by both\n", arch->name, n);
    assert_true(n > 250);
}

static void every_call_gets_the_answer_of_the_distributions_profile(void **state)
{
    (void)state;
    AUTO(json_decref) json_t *profile = json_load_file(PROFILE, 0, NULL);
    if (!profile)
        skip();
    for (size_t i = 0; i < ARRAY_SIZE(profile_arches); i++)
        compare(profile, &profile_arches[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filter_is_small_and_quick_to_make),
        cmocka_unit_test(calls_get_the_default_containers_answer),
        cmocka_unit_test(listed_calls_are_allowed_on_every_architecture),
#if defined(__x86_64__)
        cmocka_unit_test(i386_makes_sockets_by_either_call),
#endif
        cmocka_unit_test(every_call_gets_the_answer_of_the_distributions_profile),
        cmocka_unit_test(unknown_numbers_are_absent_calls),
        cmocka_unit_test(filter_holds_in_this_kernel),
        cmocka_unit_test(recording_asks_for_owners_and_nodes_alone),
        cmocka_unit_test(foreign_architectures_are_killed),
        cmocka_unit_test(other_machines_have_the_same_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
