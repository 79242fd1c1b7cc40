/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls that a command may make: equal in effect to the profile of a default
 * container with the 14 default capabilities. What isn't listed gives EPERM; clone3, whose flags a
 * filter can't see, and calls newer than the list give ENOSYS, so that libc takes an
 * older one.
 *
 * The filter covers the machine's architecture and those it also runs (i386 and x32 on
 * amd64, arm on arm64). It is built once per process and shared.
 */
#ifndef CBUILD_RUNNER_SECCOMP_H
#define CBUILD_RUNNER_SECCOMP_H

#include "base/error.h"
#include "runner/report.h"

#include <linux/filter.h>

enum seccomp_kind {
    SECCOMP_DEFAULT,
    SECCOMP_RECORDING,          /* owner_watch.h is asked for the calls of owner_calls.h */
    SECCOMP_INSECURE_RECORDING, /* the same, and everything else is allowed */
    SECCOMP_N_KINDS,
};

/* The filter, built by the first caller; lives as long as the process. Thread-safe. */
const struct sock_fprog *seccomp_filter(enum seccomp_kind kind, struct error **err);

/*
 * The filter of any machine that there is one for ("amd64", "arm64", "riscv64"); free() its
 * instructions. ERR_NOT_FOUND.
 */
int seccomp_build(const char *machine, enum seccomp_kind kind, struct sock_fprog *ret,
                  struct error **err) WARN_UNUSED;

/*
 * Needs CAP_SYS_ADMIN: without it the kernel asks for no_new_privs. Async-signal-safe. listener
 * (may be NULL) becomes the fd that answers for a recording filter, close-on-exec.
 */
int seccomp_load_filter(const struct sock_fprog *prog, int *listener, struct report *report);

#endif
