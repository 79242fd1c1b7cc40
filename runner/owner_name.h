/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of what a process leaves in the kernel when it is killed (cgroups; rules of the packet
 * filter before 5.12): they tell whose it is, so that the next one sweeps what the dead have left.
 * "cbuild-PID-START-NAMESPACE": the start time in clock ticks since boot, as pids come again, and
 * the inode of the pid namespace, as pids mean nothing in another one.
 */
#ifndef CBUILD_RUNNER_OWNER_NAME_H
#define CBUILD_RUNNER_OWNER_NAME_H

#include <stdbool.h>

#define OWNER_NAME_SIZE 80

struct owner {
    long pid;
    unsigned long long start, pid_namespace;
};

/* This process. */
struct owner owner_self(void);
/* Pure. */
void owner_format(const struct owner *owner, char name[OWNER_NAME_SIZE]);
/* false: it is no such name. What follows it ("", or a "-" and more) doesn't matter. Pure. */
bool owner_parse(const char *name, struct owner *ret);
/* It is such a name, of our pid namespace, and the process is gone. */
bool owner_is_dead(const char *name);

#endif
