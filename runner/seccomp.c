/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/seccomp.h"

#include "base/array.h"
#include "base/auto.h"
#include "base/mem.h"
#include "runner/bpf.h"
#include "runner/owner_calls.h"
#include "runner/seccomp_calls.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WINDOW 1024          /* numbers of an architecture, from its base */
#define NEWEST 466           /* removexattrat: the newest call that the profile names */
#define X32_BIT 0x40000000u  /* __X32_SYSCALL_BIT */
#define X32_OWN_FIRST 512    /* x32 has numbers of its own, up to ... */
#define X32_OWN_LAST 547     /* ... */
#define ARM_PRIVATE 0xf0000u /* breakpoint, cacheflush, set_tls */
#define ARM_PRIVATE_SIZE 16
#define WAIT_KILLABLE (1UL << 5) /* SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV */

enum action {
    ALLOW,
    DENY,   /* EPERM */
    ABSENT, /* ENOSYS: too new, or clone3 */
    BY_CLONE_FLAGS,
    BY_PERSONALITY,
    BY_SOCKET_DOMAIN,
    ASK, /* owner_watch.h */
    N_ACTIONS,
};

/* Namespaces: NEWNS NEWCGROUP NEWUTS NEWIPC NEWUSER NEWPID NEWNET */
#define CLONE_NEW_ANY 0x7e020000u

#define RETURN(value)                                                                              \
    {                                                                                              \
        BPF_RET | BPF_K, 0, 0, (value)                                                             \
    }
#define RETURN_ERRNO(number) RETURN(SECCOMP_RET_ERRNO | (number))
#define LOAD(field)                                                                                \
    {                                                                                              \
        BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offsetof(struct seccomp_data, field)             \
    }
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LOAD_ARG0 LOAD(args[0]) /* the low half: what the kernel takes, these are all 32 bits */
#else
#error "the low half of an argument stands elsewhere"
#endif

/* Calls above the newest that libseccomp 2.5.4 knows; the same number on every architecture. */
static const struct {
    unsigned first, last;
} newer_allowed[] = {
    { 451, 458 }, /* cachestat fchmodat2 map_shadow_stack futex_wake futex_wait futex_requeue
                     statmount listmount */
    { 462, 466 }, /* mseal setxattrat getxattrat listxattrat removexattrat */
};

static const struct {
    const char *name;
    enum action action;
} special[] = {
    { "clone", BY_CLONE_FLAGS },
    { "clone3", ABSENT },
    { "personality", BY_PERSONALITY },
    { "socket", BY_SOCKET_DOMAIN },
};

struct architecture {
    uint32_t token; /* of libseccomp */
    uint32_t audit; /* of the kernel */
    uint32_t base;
};

/* The architecture of a machine, and those that it also runs. */
static const struct machine {
    const char *name;
    struct architecture architectures[3];
} machines[] = {
    { "amd64",
      { { SCMP_ARCH_X86_64, AUDIT_ARCH_X86_64, 0 },
        { SCMP_ARCH_X32, AUDIT_ARCH_X86_64, X32_BIT },
        { SCMP_ARCH_X86, AUDIT_ARCH_I386, 0 } } },
    { "arm64",
      { { SCMP_ARCH_AARCH64, AUDIT_ARCH_AARCH64, 0 }, { SCMP_ARCH_ARM, AUDIT_ARCH_ARM, 0 } } },
    { "riscv64", { { SCMP_ARCH_RISCV64, AUDIT_ARCH_RISCV64, 0 } } },
};

#if defined(__x86_64__)
#define OWN_MACHINE "amd64"
#elif defined(__aarch64__)
#define OWN_MACHINE "arm64"
#elif defined(__riscv) && __riscv_xlen == 64
#define OWN_MACHINE "riscv64"
#else
#error "no seccomp filter for this architecture"
#endif

/*
 * What i386 has behind socketcall and ipc, and since 4.3 and 5.1 also by numbers of their own: the
 * library answers with numbers that aren't the kernel's. musl tries these first, and takes EPERM
 * for the answer.
 */
static const struct {
    const char *name;
    int number;
} i386_direct[] = {
    { "recvmmsg", 337 },   { "sendmmsg", 345 },   { "socket", 359 },      { "socketpair", 360 },
    { "bind", 361 },       { "connect", 362 },    { "listen", 363 },      { "accept4", 364 },
    { "getsockopt", 365 }, { "setsockopt", 366 }, { "getsockname", 367 }, { "getpeername", 368 },
    { "sendto", 369 },     { "sendmsg", 370 },    { "recvfrom", 371 },    { "recvmsg", 372 },
    { "shutdown", 373 },   { "semget", 393 },     { "semctl", 394 },      { "shmget", 395 },
    { "shmctl", 396 },     { "shmat", 397 },      { "shmdt", 398 },       { "msgget", 399 },
    { "msgsnd", 400 },     { "msgrcv", 401 },     { "msgctl", 402 },
};

/* Families that a default container's profile names: not VSOCK, ALG, and protocols of the past. */
static bool is_allowed_domain(unsigned domain)
{
    return domain < 12 || (domain >= 13 && domain <= 18) || domain == 21 || domain == 22 ||
           domain == 24 || (domain >= 26 && domain <= 33) || domain == 35 || domain == 36 ||
           domain == 39 || (domain >= 41 && domain <= 45);
}

/* Leaves: the first two are what sub-searches end in. */
static const struct bpf_leaf leaves[N_ACTIONS] = {
    [ALLOW] = { { RETURN(SECCOMP_RET_ALLOW) }, 1 },
    [DENY] = { { RETURN_ERRNO(EPERM) }, 1 },
    [ABSENT] = { { RETURN_ERRNO(ENOSYS) }, 1 },
    [BY_CLONE_FLAGS] = { { LOAD_ARG0,
                           { BPF_JMP | BPF_JSET | BPF_K, 0, 1, CLONE_NEW_ANY },
                           RETURN_ERRNO(EPERM),
                           RETURN(SECCOMP_RET_ALLOW) },
                         4 },
    /* PER_LINUX, PER_LINUX32, each with UNAME26, and the question */
    [BY_PERSONALITY] = { { LOAD_ARG0,
                           { BPF_JMP | BPF_JEQ | BPF_K, 4, 0, 0xffffffffu },
                           { BPF_JMP | BPF_JEQ | BPF_K, 3, 0, 0x0 },
                           { BPF_JMP | BPF_JEQ | BPF_K, 2, 0, 0x8 },
                           { BPF_ALU | BPF_AND | BPF_K, 0, 0, ~0x8u },
                           { BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0x20000 },
                           RETURN(SECCOMP_RET_ALLOW),
                           RETURN_ERRNO(EPERM) },
                         8 },
    [ASK] = { { RETURN(SECCOMP_RET_USER_NOTIF) }, 1 },
    /* the rest of it is one shared search, made by add_socket() */
    [BY_SOCKET_DOMAIN] = { { LOAD_ARG0, { BPF_JMP | BPF_JA, 0, 0, 0 } }, 2 },
};

static size_t ranges_of(const uint8_t *actions, size_t n, uint32_t base, struct bpf_range *ranges)
{
    size_t n_ranges = 0;
    for (size_t i = 0; i < n; i++)
        if (!n_ranges || actions[i] != ranges[n_ranges - 1].leaf)
            ranges[n_ranges++] = (struct bpf_range){ base + (uint32_t)i, actions[i] };
    return n_ranges;
}

struct actions {
    uint8_t main[WINDOW];
    uint8_t arm_private[ARM_PRIVATE_SIZE];
};

/* Negative: not a call of this architecture. */
static int number_of(const struct architecture *arch, const char *name)
{
    int number = seccomp_syscall_resolve_name_arch(arch->token, name);
    for (size_t i = 0; number < 0 && arch->token == SCMP_ARCH_X86 && i < ARRAY_SIZE(i386_direct);
         i++)
        if (!strcmp(i386_direct[i].name, name))
            return i386_direct[i].number;
    return number;
}

static void put(struct actions *actions, const struct architecture *arch, const char *name,
                enum action action)
{
    int number = number_of(arch, name);
    if (number < 0)
        return;
    uint32_t n = (uint32_t)number - arch->base;
    if (n < WINDOW)
        actions->main[n] = (uint8_t)action;
    else if (n - ARM_PRIVATE < ARM_PRIVATE_SIZE)
        actions->arm_private[n - ARM_PRIVATE] = (uint8_t)action;
}

static void fill_default(struct actions *actions, const struct architecture *arch)
{
    for (unsigned n = 0; n < WINDOW; n++) {
        bool own = arch->base == X32_BIT && n >= X32_OWN_FIRST && n <= X32_OWN_LAST;
        actions->main[n] = n <= NEWEST || own ? DENY : ABSENT;
    }
    for (unsigned n = 0; n < ARM_PRIVATE_SIZE; n++)
        actions->arm_private[n] = DENY;
    for (size_t i = 0; i < ARRAY_SIZE(newer_allowed); i++)
        for (unsigned n = newer_allowed[i].first; n <= newer_allowed[i].last; n++)
            actions->main[n] = ALLOW;
    for (size_t i = 0; seccomp_allowed[i]; i++)
        put(actions, arch, seccomp_allowed[i], ALLOW);
    for (size_t i = 0; i < ARRAY_SIZE(special); i++)
        put(actions, arch, special[i].name, special[i].action);
}

static void fill(struct actions *actions, const struct architecture *arch, enum seccomp_kind kind)
{
    if (kind == SECCOMP_INSECURE_RECORDING)
        memset(actions, ALLOW, sizeof(*actions));
    else
        fill_default(actions, arch);
    for (size_t i = 0; kind != SECCOMP_DEFAULT && owner_calls[i]; i++)
        put(actions, arch, owner_calls[i], ASK);
}

static void add_architecture(struct bpf_program *program, const struct architecture *arch,
                             enum seccomp_kind kind)
{
    struct actions actions;
    struct bpf_range ranges[WINDOW + ARM_PRIVATE_SIZE + 1];
    fill(&actions, arch, kind);
    size_t n = ranges_of(actions.main, WINDOW, arch->base, ranges);
    ranges[0].start = 0;
    if (arch->token == SCMP_ARCH_ARM)
        n += ranges_of(actions.arm_private, ARM_PRIVATE_SIZE, ARM_PRIVATE, ranges + n);
    bpf_add_search(program, ranges, n, leaves);
}

/* Points the jumps of all BY_SOCKET_DOMAIN leaves here: the only unconditional jumps of length 0.
 */
static void add_socket(struct bpf_program *program)
{
    uint8_t domains[64];
    struct bpf_range ranges[64];
    size_t start = program->n_code;
    for (unsigned i = 0; i < ARRAY_SIZE(domains); i++)
        domains[i] = is_allowed_domain(i) ? ALLOW : DENY;
    bpf_add_search(program, ranges, ranges_of(domains, ARRAY_SIZE(domains), 0, ranges), leaves);
    for (size_t i = 0; i < start; i++)
        if (program->code[i].code == (BPF_JMP | BPF_JA) && !program->code[i].k)
            program->code[i].k = (uint32_t)(start - i - 1);
}

/* Appends "unless the accumulator is so, jump over what follows"; skip_end() says how far. */
static size_t skip_unless(struct bpf_program *program, uint16_t compare, uint32_t value)
{
    (void)bpf_add(program, (uint16_t)(BPF_JMP | compare | BPF_K), 1, 0, value);
    return bpf_add(program, BPF_JMP | BPF_JA, 0, 0, 1);
}

static void skip_end(struct bpf_program *program, size_t jump)
{
    program->code[jump].k = (uint32_t)(program->n_code - jump - 1);
}

static void build(struct bpf_program *program, const struct machine *machine,
                  enum seccomp_kind kind)
{
    const struct architecture *architectures = machine->architectures;
    const struct sock_filter load_arch = LOAD(arch), load_number = LOAD(nr);
    (void)bpf_add(program, load_arch.code, 0, 0, load_arch.k);
    for (size_t i = 0; i < ARRAY_SIZE(machine->architectures) && architectures[i].token; i++) {
        const struct architecture *arch = &architectures[i];
        if (arch->base) /* shares the section of the one before, which comes back here */
            continue;
        size_t other = skip_unless(program, BPF_JEQ, arch->audit);
        (void)bpf_add(program, load_number.code, 0, 0, load_number.k);
        if (i + 1 < ARRAY_SIZE(machine->architectures) && architectures[i + 1].base) {
            size_t native = skip_unless(program, BPF_JGE, architectures[i + 1].base);
            add_architecture(program, &architectures[i + 1], kind);
            skip_end(program, native);
        }
        add_architecture(program, arch, kind);
        skip_end(program, other);
    }
    (void)bpf_add(program, BPF_RET | BPF_K, 0, 0,
                  kind == SECCOMP_INSECURE_RECORDING ? SECCOMP_RET_ALLOW
                                                     : SECCOMP_RET_KILL_PROCESS);
    add_socket(program);
}

int seccomp_build(const char *machine, enum seccomp_kind kind, struct sock_fprog *ret,
                  struct error **err)
{
    for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
        struct bpf_program program = { NULL, 0, 0 };
        if (strcmp(machines[i].name, machine) != 0)
            continue;
        build(&program, &machines[i], kind);
        if (program.n_code > BPF_MAXINSNS) {
            free(program.code);
            return error_set(err, ERR_UNSUPPORTED, "seccomp filter of %zu instructions",
                             program.n_code);
        }
        *ret = (struct sock_fprog){ (unsigned short)program.n_code, program.code };
        return 0;
    }
    return error_set(err, ERR_NOT_FOUND, "no seccomp filter for %s", machine);
}

static struct sock_fprog filters[SECCOMP_N_KINDS]; /* kept for good */
static pthread_mutex_t filters_lock = PTHREAD_MUTEX_INITIALIZER;

const struct sock_fprog *seccomp_filter(enum seccomp_kind kind, struct error **err)
{
    struct sock_fprog *filter = &filters[kind];
    pthread_mutex_lock(&filters_lock);
    int result = filter->filter ? 0 : seccomp_build(OWN_MACHINE, kind, filter, err);
    pthread_mutex_unlock(&filters_lock);
    return result < 0 ? NULL : filter;
}

/*
 * Two flags that kernels may not know: before 5.16 a filter would turn on a costly mitigation
 * without the first, as container runtimes do; without the second (5.19) a signal may interrupt a
 * call that we are answering.
 */
int seccomp_load_filter(const struct sock_fprog *prog, int *listener, struct report *report)
{
    const unsigned long asked = listener ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
    const unsigned long tries[] = {
        asked | SECCOMP_FILTER_FLAG_SPEC_ALLOW | (listener ? WAIT_KILLABLE : 0),
        asked | SECCOMP_FILTER_FLAG_SPEC_ALLOW,
        asked,
    };
    for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
        long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, tries[i], prog);
        if (result >= 0) {
            if (listener)
                *listener = (int)result;
            return 0;
        }
        if (errno != EINVAL)
            break;
    }
    return report_errno(report, "loading the seccomp filter", NULL);
}
