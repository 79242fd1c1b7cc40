/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/overlay_probe.h"

#include "base/force.h"
#include "base/fs.h"
#include "base/mem.h"
#include "runner/syscalls.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define STACK_SIZE ((size_t)64 * 1024)
/* volatile: no sync of the file system when it is unmounted */
#define OPTIONS "lowerdir=lower,upperdir=upper,workdir=work,userxattr,index=off,volatile"

struct probe {
    const char *dir;
    const char *failed; /* what; NULL: all went well */
    int error;
};

static int try(struct probe *probe, const char *what, int result)
{
    if (result == 0)
        return 0;
    probe->failed = what;
    probe->error = errno;
    return -1;
}

/* In the memory of the parent, which waits: a mount namespace and nothing else of its own. */
static int probe_child(void *data)
{
    struct probe *probe = data;
    if (try(probe, "making mounts private", mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) <
            0 ||
        try(probe, "entering the store", chdir(probe->dir)) < 0 ||
        try(probe, "mounting", mount("overlay", "merged", "overlay", MS_NODEV, OPTIONS)) < 0 ||
        try(probe, "removing a directory", rmdir("merged/dir")) < 0 ||
        try(probe, "making it again", mkdir("merged/dir", 0700)) < 0)
        return 1;
    return 0;
}

static int make_directories(const char *dir, struct error **err)
{
    static const char *const names[] = { "lower", "lower/dir", "upper", "work", "merged" };
    AUTO(close) int fd = fs_open(AT_FDCWD, dir, O_PATH | O_DIRECTORY, 0, err);
    for (size_t i = 0; fd >= 0 && i < ARRAY_SIZE(names); i++)
        if (mkdirat(fd, names[i], 0700) < 0 && errno != EEXIST)
            return error_errno(err, "making %s", names[i]);
    return fd < 0 ? -1 : 0;
}

static int run_child(struct probe *probe, struct error **err)
{
    AUTO(free) char *stack = xmalloc(STACK_SIZE);
    sigset_t all, before;
    int status = 0;
    (void)sigfillset(&all);
    /* no handler of ours may run in the child */
    (void)pthread_sigmask(SIG_BLOCK, &all, &before); /* valid arguments */
    pid_t pid = clone(probe_child, stack + STACK_SIZE,
                      CLONE_VM | CLONE_VFORK | CLONE_NEWNS | SIGCHLD, probe);
    int failure = errno;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL); /* it was valid a moment ago */
    if (pid < 0) {
        errno = failure;
        return error_errno(err, "making a mount namespace");
    }
    if (!status)
        return 0;
    errno = probe->failed ? probe->error : ECHILD;
    return error_errno(err, "%s", probe->failed ? probe->failed : "trying it");
}

int overlay_probe(const char *dir, struct error **err)
{
    /* its name: a descriptor would lead to another mount namespace */
    AUTO(free) char *path = realpath(dir, NULL);
    if (!path)
        return error_errno(err, "%s", dir);
    struct probe probe = { .dir = path };
    int done = 0;
    if (force_has("no-overlay") || force_has("no-userxattr"))
        done = error_set(err, ERR_UNSUPPORTED, "forced by CBUILD_FORCE");
    else if (make_directories(path, err) < 0)
        return -1;
    else
        done = run_child(&probe, err);
    if (done == 0)
        return 0;
    error_recode(err, ERR_UNSUPPORTED);
    return error_wrap(err, "stacking layers as an overlay");
}
