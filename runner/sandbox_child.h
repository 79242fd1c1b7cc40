/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other side of sandbox.h: the child that becomes the command. It runs in a copy of the
 * parent's memory, or in that itself, and does async-signal-safe work only, from a plan that the
 * parent has laid out.
 */
#ifndef CBUILD_RUNNER_SANDBOX_CHILD_H
#define CBUILD_RUNNER_SANDBOX_CHILD_H

#include "base/strbuf.h"
#include "runner/overlay.h"
#include "runner/pty.h"
#include "runner/report.h"
#include "runner/sandbox.h"
#include "runner/user.h"

#include <linux/filter.h>
#include <stdbool.h>
#include <sys/utsname.h>

/* Names in the scratch directory */
#define SCRATCH_POINT "root"  /* where everything is mounted first; or on the tmpfs for files */
#define SCRATCH_STUBS "stubs" /* what the image lacks; likewise */

struct child_mount {
    const struct mount_spec *spec;
    struct overlay_plan overlay; /* MOUNT_TREE */
    char *options;               /* MOUNT_TMPFS */
    /* the child's own notes */
    int fd; /* the source: a mount attached nowhere, or (not `detached`) of the own mount namespace
             */
    bool detached;
    int tree_fd; /* MOUNT_TREE, not attached yet; -1: this kernel can't */
    bool is_dir;
};

struct child_plan {
    const struct sandbox_spec *spec;
    struct overlay_plan root;
    struct mount_spec root_bind;   /* of root_mount */
    struct child_mount root_mount; /* a whole tree; its spec NULL: there are layers */
    struct child_mount *mounts;    /* as many as the spec's */
    char **argv, **env;            /* NULL-terminated */
    const char *path;              /* value of PATH */
    const char *hostname;
    struct utsname host; /* of ISOLATION_CHROOT */
    struct user user;
    bool single_id;              /* own_ids.h */
    char *uid_map, *gid_map;     /* of one more namespace, that shows the id as the user's */
    struct strbuf hosts, resolv; /* content of files in /etc */
    char *shm_options;
    const struct sock_fprog *filter; /* NULL: insecure */
    bool own_network;                /* a new network namespace with loopback */
    int network_fd;                  /* or one to enter; -1: stay */
    bool confined;                   /* confinement.h */
    int scratch_fd;
    int report_fd;       /* written by the child, closed by exec */
    int stdio_fds[2];    /* stdout, stderr; not with a terminal */
    struct pty_spec pty; /* socket_fd -1: no terminal */
    int watch_fd;        /* the child's end for owner_watch.h; -1: nobody watches */
    bool shares_memory;  /* with us, until exec: keeper.h */
    bool no_clone3, no_open_tree, no_cgroup_namespace; /* CBUILD_FORCE */
};

/* Under the keeper: executes the command or ends. data is a struct child_plan. */
void child_main(void *data);

#endif
