/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel's overlay shows of a tree, mounted where nobody else sees it. */
#ifndef CBUILD_TESTS_UNIT_OVERLAY_FIXTURE_H
#define CBUILD_TESTS_UNIT_OVERLAY_FIXTURE_H

#include "tests/unit/layers_fixture.h"

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#define OVERLAY_OPTIONS "userxattr,redirect_dir=nofollow,metacopy=off,index=off,xino=off"

struct overlay {
    pid_t pid;
    int stop_fd; /* closing it ends the child, and with it the mount */
    int fd;      /* the merged root */
};

/* In the child: no assertions here, they would run the other tests a second time. */
static inline int overlay_child(const char *options, const char *at, const char *script)
{
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("overlay", at, "overlay", MS_NODEV, options) < 0) {
        print_error("mounting overlay with %s: %s\n", options, strerror(errno));
        return 125;
    }
    if (!script)
        return 0;
    pid_t pid = fork();
    if (pid == 0) {
        if (chdir(at) == 0)
            execl("/bin/sh", "sh", "-euc", script, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 126;
}

/*
 * Mounts `lowers` (colon-separated; two at least when there is no upper) over `at` in a mount
 * namespace of a child's own and runs a shell script in it (NULL: none). 0; 125: can't be mounted
 * here; else the script's status.
 */
static inline int overlay_start(const char *lowers, const char *upper, const char *work,
                                const char *at, const char *script, struct overlay *overlay)
{
    int ready[2], stop[2];
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    assert_int_equal(pipe2(stop, O_CLOEXEC), 0);
    AUTO(free)
    char *options = upper ? xasprintf("lowerdir=%s,upperdir=%s,workdir=%s," OVERLAY_OPTIONS, lowers,
                                      upper, work)
                          : xasprintf("lowerdir=%s," OVERLAY_OPTIONS, lowers);
    overlay->pid = fork();
    assert_true(overlay->pid >= 0);
    if (overlay->pid == 0) {
        close_auto(&stop[1]);
        char status = (char)overlay_child(options, at, script);
        if (write(ready[1], &status, 1) == 1)
            while (read(stop[0], &status, 1) < 0 && errno == EINTR)
                continue;
        _exit(0);
    }
    close_auto(&ready[1]);
    close_auto(&stop[0]);
    char status = 126;
    assert_int_equal(read(ready[0], &status, 1), 1);
    close_auto(&ready[0]);
    overlay->stop_fd = stop[1];
    AUTO(free) char *path = xasprintf("/proc/%ld/root%s", (long)overlay->pid, at);
    overlay->fd = status ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return status;
}

static inline void overlay_stop(struct overlay *overlay)
{
    close_auto(&overlay->fd);
    close_auto(&overlay->stop_fd);
    while (waitpid(overlay->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

/*
 * Lowers as paths, topmost first, an empty directory beneath them. free() it. Not as fds: those
 * belong to the mounts of our namespace, and overlay takes only those of the one it is mounted in.
 */
static inline char *overlay_lowers(struct tree *tree, const char *empty)
{
    struct error *err = NULL;
    AUTO(free) int *fds = NULL;
    size_t n = 0;
    AUTO(strbuf_release) struct strbuf lowers = STRBUF_INIT;
    assert_ok(tree_lowers(tree, NULL, &fds, &n, &err), err);
    for (size_t i = 0; i < n; i++) {
        AUTO(free) char *link = xasprintf("/proc/self/fd/%d", fds[i]);
        AUTO(free) char *path = fs_read_link(AT_FDCWD, link, &err);
        assert_ok_ptr(path, err);
        strbuf_addf(&lowers, "%s:", path);
    }
    strbuf_addf(&lowers, "%s:%s", empty, empty);
    strbuf_set_size(&lowers, lowers.size - strlen(empty) - 1);
    if (n == 0)
        strbuf_addf(&lowers, ":%s/..", empty);
    return strbuf_detach(&lowers);
}

/* Directories for mounting, beside the store. */
static inline char *overlay_place(struct fixture *fixture, const char *name)
{
    char *path = xasprintf("%s/%s", fixture->dir, name);
    (void)mkdir(path, 0755); /* it may be there */
    return path;
}

/* Overlay lets the opaque mark of a directory that only one layer has through: "d/" and a star. */
static inline void strip_opaque(struct strbuf *text)
{
    for (size_t i = 0; i + 1 < text->size; i++) {
        char next = text->data[i + 2]; /* the NUL at the end at most */
        if (text->data[i] == '/' && text->data[i + 1] == '*' && (next == ' ' || next == '\0'))
            strbuf_remove(text, i + 1, 1);
    }
}

/* The merged tree as describe_directory() says it, without opaque marks; false where overlay can't
 * be mounted. */
static inline bool overlay_shows(struct fixture *fixture, struct tree *tree, struct strbuf *text)
{
    AUTO(free) char *at = overlay_place(fixture, "mnt");
    AUTO(free) char *box = overlay_place(fixture, "box");
    AUTO(free) char *empty = overlay_place(fixture, "box/empty");
    AUTO(free) char *lowers = overlay_lowers(tree, empty);
    struct overlay overlay;
    int status = overlay_start(lowers, NULL, NULL, at, NULL, &overlay);
    if (status == 0)
        describe_directory(overlay.fd, "", text);
    strip_opaque(text);
    overlay_stop(&overlay);
    if (status == 125)
        return false;
    assert_int_equal(status, 0);
    return true;
}

#endif
