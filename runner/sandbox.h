/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One command in a sandbox: what a RUN step is.
 *
 *     create → start → wait (or kill, from any thread) → free
 *
 * Two processes make a sandbox. The keeper is pid 1 of an outer pid namespace and
 * holds one end of a pipe whose other end is ours: when cbuild is gone, in whatever
 * way, it ends, and the kernel ends everything below it. Its child sets up the
 * namespaces and becomes the command by exec: pid 1 of its own pid namespace.
 * Between clone and exec both do async-signal-safe work only, in a copy of cbuild's
 * memory or in that itself, and cbuild has threads: everything they need is laid out before.
 *
 * Invariants (RELIABILITY.md 14–20):
 *  1. Nothing of a sandbox is visible in the host's mount table, and none of its
 *     processes outlives it, or cbuild.
 *  2. The upper directory gets what the command writes, and nothing else: mount
 *     points that the image lacks come from a directory of stubs stacked above the layers
 *     (stubs.h). Only a missing working directory, as the Dockerfile's WORKDIR would, is
 *     made in the upper.
 *  3. Secret bytes are on a tmpfs of the sandbox only.
 *  4. Device nodes open nowhere but in /dev, and there only those that we bound.
 *  5. cbuild's own executable can't be executed in it (exec_guard.h).
 *
 * Needs CAP_SYS_ADMIN in a user namespace that owns the mount namespace: root, or
 * a process that userns.h has put there.
 */
#ifndef CBUILD_RUNNER_SANDBOX_H
#define CBUILD_RUNNER_SANDBOX_H

#include "base/error.h"
#include "runner/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct network;
struct owner_records;
struct sandbox;
struct terminal;

/* Most layers that one overlay takes: the kernel's limit (500) less our stubs. */
#define SANDBOX_MAX_LOWERS 498

/*
 * A tree in overlay format. All paths are absolute directories that exist; "/proc/self/fd/N" will
 * do, and then a rename meanwhile doesn't matter.
 */
struct sandbox_tree {
    const char *const *lowers; /* top to bottom; n_lowers 0: scratch */
    size_t n_lowers;
    /*
     * Gets the changes; NULL: read-only. Its own mode, owner and times are what "/" shows:
     * give it those of the image's root.
     */
    const char *upper;
    /*
     * Whiteouts are char 0:0 in any case. Opaque marks are user.overlay.opaque, or with this
     * trusted.overlay.opaque: for kernels before 5.11, which know no userxattr.
     */
    bool trusted_xattrs;
    /*
     * Instead of all that: a whole tree, which is written in place. Mount points that it lacks are
     * made in it, and are gone when the command has ended. Of the root only.
     */
    const char *directory;
};

enum mount_kind {
    MOUNT_BIND,  /* source: absolute directory or file; subpath resolved in it as in a chroot */
    MOUNT_TREE,  /* tree, subpath in it; with an upper writes go there */
    MOUNT_TMPFS, /* size (0: the kernel's default), mode */
    MOUNT_FILE,  /* content and size, as a file on tmpfs: secrets and generated files */
};

struct mount_spec {
    enum mount_kind kind;
    const char *target;              /* absolute path in the image, not "/" */
    const char *source;              /* MOUNT_BIND */
    const struct sandbox_tree *tree; /* MOUNT_TREE; its upper and ours must not be shared */
    const char *subpath;             /* MOUNT_BIND, MOUNT_TREE; NULL: all of it */
    const void *content;             /* MOUNT_FILE */
    uint64_t size;                   /* MOUNT_FILE: of content; MOUNT_TMPFS: limit */
    uid_t uid;                       /* MOUNT_FILE, MOUNT_TMPFS; root's in own_ids.h's case */
    gid_t gid;
    mode_t mode; /* MOUNT_FILE, MOUNT_TMPFS */
    bool read_only;
    bool devices;   /* MOUNT_BIND below /dev: a node that opens */
    bool is_secret; /* MOUNT_FILE: never written to a disk */
    /*
     * MOUNT_BIND with ISOLATION_CHROOT: it lies on the file system of the tree, nobody else uses
     * it, and it may be there during the command instead of where it is.
     */
    bool may_move;
};

enum network_mode {
    NETWORK_PRIVATE, /* the default: `network` of the spec, made once per build */
    NETWORK_NONE,    /* loopback only, of the sandbox's own */
    NETWORK_HOST,
};

/*
 * ISOLATION_CHROOT makes no namespace and no mount: for containers that forbid them, where cbuild
 * is root. root.directory is needed, a network is the host's, the host name too. What is mounted
 * elsewhere is put into the tree meanwhile (places.h), or is ERR_UNSUPPORTED; /proc and /sys are
 * empty, read_only isn't enforced. The command has fewer capabilities than a container's (none that
 * leave a chroot, make devices, signal others or write raw packets), no new privileges and the same
 * filter, but sees the processes of its pid namespace by their ids: those of its user it may
 * signal, unless the kernel has landlock's scopes. Its own are gone at its end.
 */
enum isolation { ISOLATION_NAMESPACES, ISOLATION_CHROOT };

struct sandbox_spec {
    enum isolation isolation;
    const char *name; /* for errors and traces; NULL: "sandbox" */

    /* file system */
    struct sandbox_tree root;
    /*
     * An absolute, existing, empty directory on the file system of root.upper: overlay's work
     * directory, stubs and mount points go there. The caller removes it when the sandbox is freed.
     */
    const char *scratch;
    const struct mount_spec *mounts; /* in this order, on top of the usual ones */
    size_t n_mounts;

    /* process */
    const char *const *argv; /* argv[0] with a slash, or looked up in env's PATH */
    /* NULL-terminated, complete; PATH and HOME are added where they are missing. */
    const char *const *env;
    const char *cwd;  /* absolute; NULL: "/" */
    const char *user; /* "name|uid[:group|gid]"; NULL or "": root */
    /* Content of the image's /etc/passwd and /etc/group; NULL: there is none. */
    const char *passwd;
    size_t passwd_size;
    const char *group;
    size_t group_size;
    const char *hostname;                /* NULL: "buildkitsandbox" */
    const struct sandbox_limits *limits; /* NULL: the usual ones */
    /*
     * Gets owners and devices that can't be made here, in place of errors (owner_watch.h). Complete
     * when the sandbox is freed. NULL: they are errors.
     */
    struct owner_records *records;
    bool insecure; /* all capabilities, no seccomp filter, nothing masked */

    /* network; with NETWORK_PRIVATE `network` is needed, else NULL */
    enum network_mode network_mode;
    struct network *network;
    const char *const *extra_hosts; /* lines "ADDRESS\tNAME" for /etc/hosts */
    size_t n_extra_hosts;
    const char *const *dns; /* name servers instead of the host's */
    size_t n_dns;

    /*
     * Output of the command, on the thread that waits: whole lines as they come, or what there
     * is of a line that is long (32 KiB) or slow (250 ms). NULL: kept for the tail only.
     */
    void (*log)(void *data, const void *bytes, size_t size, bool error_stream);
    void *log_data;
    /*
     * Not NULL: the command gets a terminal of its own as standard input, output and error, and
     * sandbox_wait() joins it to this one of the user's (terminal.h). Nothing is logged then.
     */
    const struct terminal *terminal;
    /* A limit that isn't set, with limits->best_effort; a lesser /proc. On the thread that creates
     * and starts. */
    void (*warn)(void *data, const char *text);
    void *warn_data;
};

#define SANDBOX_SPEC_INIT                                                                          \
    {                                                                                              \
        .name = NULL                                                                               \
    }

struct sandbox_result {
    int status;         /* exit status, 128 + signal, 127 not found, 126 not executable */
    int signal;         /* that ended it; 0: none */
    bool oom_killed;    /* by the memory limit of its cgroup (limits of a cgroup only) */
    char *exec_message; /* why the command could not be executed; NULL: it was */
    char *tail;         /* last lines of its output, both streams: at most 64 lines and 8 KiB */
};

void sandbox_result_release(struct sandbox_result *result);
DEFINE_AUTO_STRUCT(struct sandbox_result, sandbox_result_release)

/*
 * Checks the spec, resolves the user, lays out what the child needs. The spec and what it
 * points to must live until sandbox_start() returns (log_data until wait has).
 *
 * ERR_NOT_FOUND: no such user or group. ERR_UNSUPPORTED: a user whose id isn't there.
 * ERR_LIMIT: too many layers, arguments too long.
 * ERR_UNSUPPORTED: namespaces can't be made here; the hint says why. Or a limit can't be set.
 */
struct sandbox *sandbox_create(const struct sandbox_spec *spec, struct error **err);
/*
 * Returns when the command is executing, or couldn't be executed: that is a result, not an
 * error. The first step that went wrong in the set-up is ERR_IO or ERR_NOT_FOUND ("mounting proc on
 * proc: ..."), ERR_RUN where the image is to blame (a directory at /etc/hosts), or ERR_UNSUPPORTED
 * for a limit.
 */
int sandbox_start(struct sandbox *sandbox, struct error **err) WARN_UNUSED;
/*
 * Delivers the output, until the command has ended and with it all its descendants.
 * ERR_CANCELLED when cancel.h said so meanwhile: everything is killed and gone then.
 */
int sandbox_wait(struct sandbox *sandbox, struct sandbox_result *result,
                 struct error **err) WARN_UNUSED;
/* Ends it now; wait returns soon after. Any thread, any time between create and free. */
void sandbox_kill(struct sandbox *sandbox);
/* The keeper's pid on this host, 0 before start. */
pid_t sandbox_pid(const struct sandbox *sandbox);
/* Kills what still runs. Accepts NULL. */
void sandbox_free(struct sandbox *sandbox);
DEFINE_AUTO(struct sandbox, sandbox_free)

/* All of it. */
int sandbox_run(const struct sandbox_spec *spec, struct sandbox_result *result,
                struct error **err) WARN_UNUSED;

/*
 * The error that a result other than status 0 means: ERR_RUN "exit status 2", "killed by
 * signal 9 (Killed)", "/bin/sh: no such file or directory in the image", with the tail as
 * detail. 0 when the status is 0.
 */
int sandbox_result_check(const struct sandbox_result *result, struct error **err) WARN_UNUSED;

#endif
