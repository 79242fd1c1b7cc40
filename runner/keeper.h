/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that must not outlive us, under a keeper: pid 1 of a pid namespace, which holds one end
 * of a socket pair whose other end is ours. When the command ends the keeper tells its
 * status and ends; when we are gone, in whatever way, the socket closes, the keeper ends, and the
 * kernel ends everything in its pid namespace.
 *
 * (A parent-death signal would be simpler, but a command can clear its own, executing a
 * setuid program does, and it follows the thread that cloned, not the process.)
 *
 * What runs between clone and exec is async-signal-safe.
 *
 * Copies of our memory are what a start costs most (page tables, then each page that one of us
 * writes to): so where it does no harm both work in our memory itself, as vfork's children do. A
 * thread of ours is idle as long as the keeper lives, and the keeper until its child has
 * executed: each in turn has the thread's errno and the like for itself. The keeper hears of our
 * end, or a stop, when its child has executed or ended.
 */
#ifndef CBUILD_RUNNER_KEEPER_H
#define CBUILD_RUNNER_KEEPER_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct keeper;
struct terminal;

struct keeper_spec {
    /*
     * In our memory. Only for a child that changes nothing which the kernel keeps with the memory:
     * dumpability (another user id, a user namespace), the filter of core dumps; and that waits for
     * none of our threads. See keeper_can_share().
     */
    bool shares_memory;
    /*
     * Without any namespace: the keeper adopts what the child leaves behind, and kills all of that
     * before it tells the status or ends. Then it isn't the kernel that sees to it: who kills the
     * keeper (root can) has its processes stay.
     */
    bool bare;
    uint64_t namespaces;   /* CLONE_NEW... of the child, besides the keeper's pid namespace */
    int control_fd;        /* the keeper's end */
    int report_fd;         /* where a struct report goes if the child can't be made; -1: nowhere */
    const int *cgroup_fds; /* files of cgroups to enter, by a "0" */
    size_t n_cgroup_fds;
    bool no_clone3;
    /* Gets its mode back when we are gone before the child; or NULL. */
    const struct terminal *terminal;
    void (*child)(void *data); /* executes something; must not return */
    void *data;
};

/* What comes from our end of the socket pair when the child has ended: as waitid() gives it. */
struct keeper_status {
    int32_t code; /* CLD_EXITED, CLD_KILLED, CLD_DUMPED */
    int32_t status;
};

/* False: in this program each has a copy. Sanitizers keep books of stacks, for one. */
bool keeper_can_share(void);
/*
 * Its ends of descriptors are still open here; close them. With shares_memory it returns when the
 * child has executed or ended; the spec must live until the keeper is reaped, what `data` points to
 * until then.
 */
struct keeper *keeper_start(const struct keeper_spec *spec, struct error **err);
pid_t keeper_pid(const struct keeper *keeper);
/* Ends it and all below it. Our end of the socket; any thread. */
void keeper_stop(int control_fd);
/* Waits until it is gone, and frees it. */
void keeper_reap(struct keeper *keeper);

/* For the child, in place of an exit handler's: all signals as after boot. */
void keeper_reset_signals(void);

#endif
