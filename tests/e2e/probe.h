/* SPDX-License-Identifier: Apache-2.0 */
/* What probe.c tries: a function per thing, run in a process of its own and in an empty directory.
 */
#ifndef CBUILD_TESTS_E2E_PROBE_H
#define CBUILD_TESTS_E2E_PROBE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define NOWHERE "/nonexistent-probe"

struct probe {
    const char *name;
    int (*function)(void); /* 0: allowed, else errno */
    bool common;           /* a default container allows it, or may */
};

/* What the command line says of the host. */
struct probe_host {
    pid_t pid;
    const char *name, *file;
    int port;
    dev_t disk;
};

extern struct probe_host host;
extern const struct probe file_probes[], call_probes[]; /* each ends in a name NULL */

static inline int outcome(long result)
{
    return result < 0 ? errno : 0;
}

/* A call whose arguments are wrong: `wrong` says that the caller had the right. */
static inline int refused_later(long result, int wrong)
{
    return result < 0 && errno != wrong ? errno : 0;
}

#endif
