/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/owner_watch.h"

#include "base/array.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/own_ids.h"
#include "base/pool.h"
#include "runner/fd_passing.h"
#include "runner/owner_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define MAX_STATUS ((size_t)64 * 1024)
#define LEAVE_TO_KERNEL 1 /* else 0 or a negative errno is the answer */

struct owner_watch {
    int listener_fd, stop_fd, upper_fd;
    int own_root_fd;
    uint64_t root_mount;
    bool is_single; /* chown is ours to answer */
    struct owner_records *records;
    struct thread *thread;
    struct seccomp_notif_sizes sizes;
    struct seccomp_notif *request;
    struct seccomp_notif_resp *response;
};

/* Who asks */
struct caller {
    struct owner_watch *watch;
    uint64_t id; /* of the notification */
    pid_t pid;
    pid_t inner_pid, inner_thread; /* as its own /proc has them */
    uint64_t caps;
    mode_t umask;
};

/* -- the caller -- */

static int open_of(const struct caller *caller, const char *what, int flags)
{
    AUTO(free) char *path = xasprintf("/proc/%ld/%s", (long)caller->pid, what);
    int fd = open(path, flags | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* That the pid was the caller's all the time, and not another one's after its end. */
static bool is_there_still(const struct caller *caller)
{
    uint64_t id = caller->id;
    return ioctl(caller->watch->listener_fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

/* The last of a line's numbers, that of the innermost namespace; 0: there is no such line. */
static pid_t innermost_of(const char *status, const char *line)
{
    const char *p = strstr(status, line);
    long pid = 0;
    for (p = p ? p + strlen(line) : ""; *p == '\t'; p += strspn(p, "0123456789"))
        pid = strtol(++p, NULL, 10);
    return (pid_t)pid;
}

static int read_status(struct caller *caller)
{
    AUTO(free) char *path = xasprintf("/proc/%ld/status", (long)caller->pid);
    AUTO(strbuf_release) struct strbuf status = STRBUF_INIT;
    AUTO(error_free) struct error *gone = NULL;
    if (fs_read_file(AT_FDCWD, path, &status, MAX_STATUS, &gone) < 0)
        return -ESRCH;
    const char *caps = strstr(status.data, "\nCapEff:"), *mask = strstr(status.data, "\nUmask:");
    unsigned long long effective;
    unsigned umask_now = 022;
    if (!caps || sscanf(caps, "\nCapEff: %llx", &effective) != 1)
        return -ESRCH;
    if (mask && sscanf(mask, "\nUmask: %o", &umask_now) != 1)
        umask_now = 022;
    caller->inner_pid = innermost_of(status.data, "\nNStgid:");
    caller->inner_thread = innermost_of(status.data, "\nNSpid:");
    caller->caps = effective;
    caller->umask = (mode_t)umask_now;
    return 0;
}

/* A path of its memory; `text` has PATH_MAX bytes. */
static int read_path(const struct caller *caller, uint64_t address, char *text)
{
    AUTO(close) int fd = open_of(caller, "mem", O_RDONLY);
    if (fd < 0)
        return fd;
    const size_t page = 4096; /* the smallest: a read that ends at one fails for none of it */
    for (size_t used = 0; used < PATH_MAX;) {
        size_t wanted = page - (size_t)((address + used) % page);
        if (wanted > PATH_MAX - used)
            wanted = PATH_MAX - used;
        ssize_t size = pread(fd, text + used, wanted, (off_t)(address + used));
        if (size <= 0)
            return -EFAULT;
        if (memchr(text + used, '\0', (size_t)size))
            return 0;
        used += (size_t)size;
    }
    return -ENAMETOOLONG;
}

/* O_PATH fd of what a directory argument means, or a negative errno. */
static int open_base(const struct caller *caller, int dir_fd)
{
    if (dir_fd == AT_FDCWD)
        return open_of(caller, "cwd", O_PATH);
    AUTO(free) char *name = xasprintf("fd/%d", dir_fd);
    int fd = dir_fd < 0 ? -EBADF : open_of(caller, name, O_PATH);
    return fd == -ENOENT ? -EBADF : fd;
}

/* -- resolving -- */

static int turn_root(int root_fd, int dir_fd)
{
    return fchdir(root_fd) < 0 || chroot(".") < 0 || fchdir(dir_fd) < 0 ? -errno : 0;
}

/* As open(); where the kernel or a filter has no openat2() links of /proc are followed. */
static int open_path(const char *path, uint64_t flags, uint64_t resolve)
{
    struct open_how how = { .flags = flags | O_PATH | O_CLOEXEC, .resolve = resolve };
    int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
    if (fd < 0 && errno == ENOSYS)
        fd = open(path, (int)how.flags);
    return fd < 0 ? -errno : fd;
}

/*
 * An O_PATH fd of `path`, as the caller would find it, or a negative errno. Links of /proc lead
 * where we may go, not the caller: with RESOLVE_NO_MAGICLINKS they are ELOOP.
 */
static int resolve_once(const struct caller *caller, int base_fd, const char *path, int flags,
                        uint64_t how)
{
    const int own_fd = caller->watch->own_root_fd;
    AUTO(close) int root_fd = open_of(caller, "root", O_PATH | O_DIRECTORY);
    if (root_fd < 0)
        return root_fd;
    if (!is_there_still(caller))
        return -ESRCH;
    int fd = turn_root(root_fd, path[0] == '/' ? root_fd : base_fd);
    if (fd == 0)
        fd = open_path(path, (uint64_t)flags, how);
    if (turn_root(own_fd, own_fd) == 0)
        return fd;
    if (fd >= 0) /* can't be: we were there before */
        (void)close(fd);
    return -EIO;
}

/*
 * In the caller's /proc "self" is whoever asks, and so nobody there when we do. Such a path with
 * the caller's number instead; NULL: it is another path. free() it.
 */
static char *name_caller(const struct caller *caller, const char *path)
{
    static const struct {
        const char *prefix;
        bool is_thread;
        const char *below; /* /proc/PID */
    } own[] = {
        { "/proc/self", false, "" },       { "/proc/thread-self", true, "" },
        { "/dev/fd", false, "/fd" },       { "/dev/stdin", false, "/fd/0" },
        { "/dev/stdout", false, "/fd/1" }, { "/dev/stderr", false, "/fd/2" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
        const char *rest = path + strlen(own[i].prefix);
        if (strncmp(path, own[i].prefix, strlen(own[i].prefix)) != 0 || (*rest && *rest != '/'))
            continue;
        if (own[i].is_thread)
            return xasprintf("/proc/%ld/task/%ld%s", (long)caller->inner_pid,
                             (long)caller->inner_thread, rest);
        return xasprintf("/proc/%ld%s%s", (long)caller->inner_pid, own[i].below, rest);
    }
    return NULL;
}

/* That the caller's /proc has it by its own number: it may be one of a namespace around. */
static bool has_own_proc(const struct caller *caller)
{
    AUTO(free) char *name = xasprintf("/proc/%ld", (long)caller->inner_pid);
    AUTO(free) char *link = xasprintf("/proc/%ld/ns/pid", (long)caller->pid);
    AUTO(error_free) struct error *ignored = NULL;
    AUTO(close) int fd = resolve_once(caller, -1, name, O_DIRECTORY, RESOLVE_NO_MAGICLINKS);
    if (fd < 0)
        return false;
    AUTO(free) char *there = fs_read_link(fd, "ns/pid", &ignored);
    AUTO(free) char *own = there ? fs_read_link(AT_FDCWD, link, &ignored) : NULL;
    return own && strcmp(own, there) == 0;
}

static int resolve(const struct caller *caller, int base_fd, const char *path, int flags)
{
    int fd = resolve_once(caller, base_fd, path, flags, RESOLVE_NO_MAGICLINKS);
    AUTO(free) char *named = fd == -ENOENT || fd == -ELOOP ? name_caller(caller, path) : NULL;
    return named && has_own_proc(caller) ? resolve_once(caller, base_fd, named, flags, 0) : fd;
}

static bool is_in_root(const struct owner_watch *watch, int fd)
{
    struct statx st;
    return statx(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_MNT_ID, &st) == 0 &&
           st.stx_mask & STATX_MNT_ID && st.stx_mnt_id == watch->root_mount;
}

/* The same file in the upper; -1: it isn't there (deleted, or "/", which no layer names). */
static int open_in_upper(const struct owner_watch *watch, int fd)
{
    if (watch->upper_fd < 0)
        return fcntl(fd, F_DUPFD_CLOEXEC, 0);
    AUTO(free) char *link = xasprintf("/proc/self/fd/%d", fd);
    AUTO(error_free) struct error *ignored = NULL;
    AUTO(free) char *path = fs_read_link(AT_FDCWD, link, &ignored);
    struct stat st;
    if (!path || path[0] != '/' || !path[1] || fstat(fd, &st) < 0 || !st.st_nlink)
        return -1;
    return fs_open_beneath(watch->upper_fd, path + 1, O_PATH | O_NOFOLLOW, &ignored);
}

/* -- chown -- */

static int chown_file(const struct caller *caller, int fd, const struct owner_call *call)
{
    const uint32_t uid = call->uid, gid = call->gid;
    struct owner_watch *watch = caller->watch;
    struct statfs fs;
    if (!is_there_still(caller))
        return -ESRCH;
    if (!is_in_root(watch, fd)) /* not by us, who may do more than the caller */
        return fstatfs(fd, &fs) == 0 && fs.f_flags & ST_RDONLY ? -EROFS : 0;
    const uid_t real_uid = uid == OWNER_UNCHANGED ? (uid_t)-1 : 0;
    const gid_t real_gid = gid == OWNER_UNCHANGED ? (gid_t)-1 : 0;
    if (fchownat(fd, "", real_uid, real_gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    AUTO(close) int upper_fd = open_in_upper(watch, fd);
    if (upper_fd < 0)
        return 0;
    if (!call->has_path && uid == 0 && gid == 0) /* which can't fail: it is open */
        (void)owner_records_restored(watch->records, upper_fd, "");
    else
        (void)owner_records_chown(watch->records, upper_fd, "", uid, gid);
    return 0;
}

static int answer_chown(const struct caller *caller, const struct owner_call *call)
{
    if (!caller->watch->is_single || !(caller->caps >> CAP_CHOWN & 1))
        return LEAVE_TO_KERNEL;
    char path[PATH_MAX] = "";
    int failed = call->has_path ? read_path(caller, call->path, path) : 0;
    if (failed)
        return failed;
    AUTO(close) int base_fd = open_base(caller, call->dir_fd);
    if (base_fd < 0 && path[0] != '/') /* else nobody needs it */
        return base_fd;
    if (!call->has_path)
        return chown_file(caller, base_fd, call);
    if (!path[0])
        return call->is_empty_allowed ? chown_file(caller, base_fd, call) : -ENOENT;
    AUTO(close) int fd = resolve(caller, base_fd, path, call->is_nofollow ? O_NOFOLLOW : 0);
    return fd < 0 ? fd : chown_file(caller, fd, call);
}

/* -- mknod -- */

/* An empty file in its place; the umask of our thread is 0. */
static int make_placeholder(const struct caller *caller, int dir_fd, const char *name,
                            const struct owner_call *call)
{
    struct owner_watch *watch = caller->watch;
    const mode_t mode = call->mode & 07777 & ~caller->umask;
    if (!is_in_root(watch, dir_fd))
        return LEAVE_TO_KERNEL;
    if (!is_there_still(caller))
        return -ESRCH;
    if (mknodat(dir_fd, name, (call->mode & S_IFMT) | mode, (dev_t)call->device) == 0)
        return 0;
    if (errno != EPERM)
        return -errno;
    if (mknodat(dir_fd, name, S_IFREG | mode, 0) < 0)
        return -errno;
    AUTO(close) int fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    AUTO(close) int upper_fd = fd < 0 ? -1 : open_in_upper(watch, fd);
    if (upper_fd >= 0)
        (void)owner_records_device(watch->records, upper_fd, "", call->mode & S_IFMT,
                                   major(call->device), minor(call->device)); /* it is open */
    return 0;
}

static int answer_mknod(const struct caller *caller, const struct owner_call *call)
{
    const mode_t type = call->mode & S_IFMT;
    /* char 0:0 is overlay's whiteout, which anybody may make */
    if ((type != S_IFCHR && type != S_IFBLK) || !call->device || !(caller->caps >> CAP_MKNOD & 1))
        return LEAVE_TO_KERNEL;
    char path[PATH_MAX];
    int failed = read_path(caller, call->path, path);
    if (failed)
        return failed;
    char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    if (!*name)
        return path[0] ? -EEXIST : -ENOENT;
    AUTO(close) int base_fd = open_base(caller, call->dir_fd);
    if (base_fd < 0 && path[0] != '/')
        return base_fd;
    AUTO(free) char *dir = slash ? xstrndup(path, (size_t)(slash + 1 - path)) : xstrdup(".");
    AUTO(close) int dir_fd = resolve(caller, base_fd, dir, O_DIRECTORY);
    return dir_fd < 0 ? dir_fd : make_placeholder(caller, dir_fd, name, call);
}

/* -- the conversation -- */

static int answer(struct owner_watch *watch, const struct seccomp_notif *request)
{
    struct caller caller = { .watch = watch, .id = request->id, .pid = (pid_t)request->pid };
    struct owner_call call;
    if (!owner_call_parse(&request->data, &call))
        return LEAVE_TO_KERNEL;
    int failed = read_status(&caller);
    if (failed)
        return failed;
    switch (call.kind) {
    case OWNER_CALL_CHOWN:
        return answer_chown(&caller, &call);
    case OWNER_CALL_MKNOD:
        return answer_mknod(&caller, &call);
    }
    return LEAVE_TO_KERNEL;
}

/* False: nobody will ask any more. */
static bool serve_one(struct owner_watch *watch)
{
    memset(watch->request, 0, watch->sizes.seccomp_notif); /* the kernel wants it so */
    if (ioctl(watch->listener_fd, SECCOMP_IOCTL_NOTIF_RECV, watch->request) < 0)
        return errno == EINTR || errno == ENOENT; /* it was killed meanwhile */
    int result = answer(watch, watch->request);
    memset(watch->response, 0, watch->sizes.seccomp_notif_resp);
    watch->response->id = watch->request->id;
    if (result == LEAVE_TO_KERNEL)
        watch->response->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    else
        watch->response->error = result;
    return ioctl(watch->listener_fd, SECCOMP_IOCTL_NOTIF_SEND, watch->response) == 0 ||
           errno == ENOENT || errno == EINTR;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static void serve_all(struct owner_watch *watch)
{
    /* root, directory and umask of this thread alone */
    if (unshare(CLONE_FS) < 0)
        return;
    (void)umask(0);
    for (;;) {
        struct pollfd fds[] = { { watch->listener_fd, POLLIN, 0 }, { watch->stop_fd, POLLIN, 0 } };
        if (poll(fds, 2, -1) < 0)
            continue;
        if (fds[1].revents || fds[0].revents & (POLLHUP | POLLERR))
            return;
        if (fds[0].revents & POLLIN && !serve_one(watch))
            return;
    }
}

static void *serve(void *data)
{
    struct owner_watch *watch = data;
    serve_all(watch);
    close_fd(&watch->listener_fd); /* who would still ask gets ENOSYS, and doesn't wait forever */
    return NULL;
}

static int prepare(struct owner_watch *watch, int upper_fd, struct error **err)
{
    if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &watch->sizes) < 0)
        return error_errno(err, "seccomp notifications");
    if (watch->sizes.seccomp_notif < sizeof(*watch->request))
        watch->sizes.seccomp_notif = sizeof(*watch->request);
    if (watch->sizes.seccomp_notif_resp < sizeof(*watch->response))
        watch->sizes.seccomp_notif_resp = sizeof(*watch->response);
    watch->request = xmalloc(watch->sizes.seccomp_notif);
    watch->response = xmalloc(watch->sizes.seccomp_notif_resp);
    if (upper_fd >= 0 && (watch->upper_fd = io_dup(upper_fd, err)) < 0)
        return -1;
    watch->own_root_fd = fs_open(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0, err);
    if (watch->own_root_fd < 0)
        return -1;
    watch->stop_fd = eventfd(0, EFD_CLOEXEC);
    return watch->stop_fd < 0 ? error_errno(err, "making an event descriptor") : 0;
}

struct owner_watch *owner_watch_start(int listener_fd, uint64_t root_mount, int upper_fd,
                                      struct owner_records *records, struct error **err)
{
    AUTO(owner_watch_free) struct owner_watch *watch = NEW(struct owner_watch);
    watch->listener_fd = listener_fd;
    watch->stop_fd = watch->upper_fd = watch->own_root_fd = -1;
    watch->root_mount = root_mount;
    watch->is_single = own_ids_are_single();
    watch->records = records;
    if (prepare(watch, upper_fd, err) < 0)
        return NULL;
    watch->thread = thread_start(serve, watch, err);
    return watch->thread ? TAKE(watch) : NULL;
}

void owner_watch_free(struct owner_watch *watch)
{
    if (!watch)
        return;
    if (watch->thread) {
        (void)eventfd_write(watch->stop_fd, 1); /* can't be full */
        (void)thread_join(watch->thread);
    }
    close_fd(&watch->listener_fd);
    close_fd(&watch->stop_fd);
    close_fd(&watch->upper_fd);
    close_fd(&watch->own_root_fd);
    free(watch->request);
    free(watch->response);
    free(watch);
}

/* -- handing over the listener -- */

int owner_watch_send(int socket_fd, int listener_fd, struct report *report)
{
    struct statx st;
    if (statx(AT_FDCWD, "/", 0, STATX_MNT_ID, &st) < 0)
        return report_errno(report, "looking at the root mount", NULL);
    uint64_t root_mount = st.stx_mnt_id;
    int done = fd_send(socket_fd, listener_fd, &root_mount, sizeof(root_mount));
    if (done < 0)
        (void)report_errno(report, "handing over the seccomp listener", NULL);
    (void)close(listener_fd);
    return done;
}

int owner_watch_receive(int socket_fd, int *listener_fd, uint64_t *root_mount, struct error **err)
{
    if (fd_receive(socket_fd, listener_fd, root_mount, sizeof(*root_mount)) < 0 && errno != EAGAIN)
        return error_errno(err, "receiving the seccomp listener");
    return *listener_fd >= 0;
}
