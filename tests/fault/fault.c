/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the n-th system call or allocation of a program fail: a shim to preload in tests.
 *
 *     LD_PRELOAD=build/debug/tests/fault.so FAULT_CALL=write FAULT_N=3 FAULT_ERRNO=ENOSPC cbuild
 * ...
 *
 * FAULT_CALL        what is counted, a comma list of
 *                     write pwrite       (to regular files only: terminals, pipes, sockets don't
 * count) copy               copy_file_range (base/io.c falls back to read and write) fsync
 * fdatasync syncfs rename             rename, renameat, renameat2 create             open and
 * openat with O_CREAT or O_TMPFILE truncate           ftruncate mkdir link unlink  each with its
 * ...at form; link includes symlinks malloc             malloc, calloc, realloc, aligned_alloc,
 * posix_memalign FAULT_N           the n-th of them fails, counted from 1 over all names of the
 * list; 0: none FAULT_ERRNO       by name (ENOSPC EDQUOT EIO ENOMEM EMFILE EACCES EPERM EROFS EINTR
 * ENOSYS EXDEV) or number; EIO when absent. SHORT: a write takes half of what it was given.
 * FAULT_STICKY=1    the n-th and all that follow fail (a disk stays full)
 * FAULT_KILL=1      SIGKILL comes in place of the n-th call
 * FAULT_COUNT_FILE  a file for the number of calls counted, in decimal: written at exit, and before
 *                   FAULT_KILL kills. A loop that fails each call in turn ends when n exceeds it.
 * FAULT_PROGRAM     base name of the one program to act in (helpers that it starts inherit the
 * shim)
 *
 * Counting starts before main. Threads share one count; a forked child continues with a copy. In
 * MODE=asan and tsan the allocators are theirs: the shim is built without malloc, and needs
 * ASAN_OPTIONS=verify_asan_link_order=0.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* On the way to main, before the environment was read, nothing is counted. */
static bool active;
static const char *calls;
static long fail_at;
static int fail_errno;
static bool fail_short, sticky, killing;
static atomic_long counted;
static pid_t owner;
static char count_file[4096];

static const struct {
    const char *name;
    int value;
} errors[] = {
    { "ENOSPC", ENOSPC }, { "EDQUOT", EDQUOT }, { "EIO", EIO },     { "ENOMEM", ENOMEM },
    { "EMFILE", EMFILE }, { "EACCES", EACCES }, { "EPERM", EPERM }, { "EROFS", EROFS },
    { "EINTR", EINTR },   { "ENOSYS", ENOSYS }, { "EXDEV", EXDEV },
};

static int errno_by_name(const char *name)
{
    if (!name)
        return EIO;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        if (!strcmp(name, errors[i].name))
            return errors[i].value;
    long value = strtol(name, NULL, 10);
    return value > 0 ? (int)value : EIO;
}

static bool is_on(const char *name)
{
    const char *value = getenv(name);
    return value && *value && strcmp(value, "0") != 0;
}

static bool is_our_program(void)
{
    const char *wanted = getenv("FAULT_PROGRAM");
    char exe[4096];
    if (!wanted)
        return true;
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    if (n < 0)
        return false;
    exe[n] = '\0';
    const char *slash = strrchr(exe, '/');
    return !strcmp(slash ? slash + 1 : exe, wanted);
}

__attribute__((constructor)) static void fault_start(void)
{
    calls = getenv("FAULT_CALL");
    if (!calls || !is_our_program())
        return;
    const char *n = getenv("FAULT_N"), *error = getenv("FAULT_ERRNO");
    const char *file = getenv("FAULT_COUNT_FILE");
    fail_at = n ? strtol(n, NULL, 10) : 0;
    fail_short = error && !strcmp(error, "SHORT");
    fail_errno = errno_by_name(error);
    sticky = is_on("FAULT_STICKY");
    killing = is_on("FAULT_KILL");
    owner = getpid();
    if (file && strlen(file) < sizeof(count_file))
        memcpy(count_file, file, strlen(file) + 1);
    active = true;
}

/* By raw system calls: what the shim does isn't counted. */
static void count_write(void)
{
    char text[32];
    if (!active || !count_file[0] || getpid() != owner)
        return;
    int n = snprintf(text, sizeof(text), "%ld\n", atomic_load(&counted));
    long fd =
        syscall(SYS_openat, AT_FDCWD, count_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || syscall(SYS_write, fd, text, (size_t)n) != n)
        abort(); /* a test without its count would prove nothing */
    syscall(SYS_close, fd);
}

__attribute__((destructor)) static void fault_end(void)
{
    count_write();
}

static bool is_counted(const char *call)
{
    size_t size = strlen(call);
    for (const char *p = calls; p && *p;) {
        size_t n = strcspn(p, ",");
        if (n == size && !memcmp(p, call, n))
            return true;
        p += n;
        p += *p == ',';
    }
    return false;
}

/* True when this call is to fail; errno is set. */
static bool strikes(const char *call)
{
    if (!active || !is_counted(call))
        return false;
    long n = atomic_fetch_add(&counted, 1) + 1;
    if (!fail_at || (sticky ? n < fail_at : n != fail_at))
        return false;
    if (killing) {
        count_write();
        (void)kill(getpid(), SIGKILL);
        for (;;)
            pause(); /* the signal may come a moment later */
    }
    errno = fail_errno;
    return true;
}

static bool is_regular(int fd)
{
    struct stat st;
    int saved = errno;
    bool regular = active && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    errno = saved;
    return regular;
}

ssize_t write(int fd, const void *data, size_t size)
{
    if (is_regular(fd) && strikes("write")) {
        if (!fail_short)
            return -1;
        size = (size + 1) / 2;
    }
    return syscall(SYS_write, fd, data, size);
}

static ssize_t pwrite_any(int fd, const void *data, size_t size, off_t offset)
{
    if (is_regular(fd) && strikes("pwrite")) {
        if (!fail_short)
            return -1;
        size = (size + 1) / 2;
    }
    return syscall(SYS_pwrite64, fd, data, size, offset);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return pwrite_any(fd, data, size, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset)
{
    return pwrite_any(fd, data, size, offset);
}

ssize_t copy_file_range(int in, off_t *in_offset, int out, off_t *out_offset, size_t size,
                        unsigned flags)
{
    if (strikes("copy"))
        return -1;
    return syscall(SYS_copy_file_range, in, in_offset, out, out_offset, size, flags);
}

int fsync(int fd)
{
    return strikes("fsync") ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return strikes("fdatasync") ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int syncfs(int fd)
{
    return strikes("syncfs") ? -1 : (int)syscall(SYS_syncfs, fd);
}

static int rename_any(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    if (strikes("rename"))
        return -1;
    return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

int rename(const char *from, const char *to)
{
    return rename_any(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    return rename_any(from_dir, from, to_dir, to, 0);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    return rename_any(from_dir, from, to_dir, to, flags);
}

static int open_any(int dir_fd, const char *path, int flags, mode_t mode)
{
    bool creates = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
    if (creates && strikes("create"))
        return -1;
    return (int)syscall(SYS_openat, dir_fd, path, flags, mode);
}

/* The mode is only there with O_CREAT or O_TMPFILE; fetching it is harmless on our platforms. */
#define OPEN_MODE(mode)                                                                            \
    mode_t mode;                                                                                   \
    va_list args;                                                                                  \
    va_start(args, flags);                                                                         \
    mode = va_arg(args, mode_t);                                                                   \
    va_end(args)

int open(const char *path, int flags, ...)
{
    OPEN_MODE(mode);
    return open_any(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    OPEN_MODE(mode);
    return open_any(AT_FDCWD, path, flags, mode);
}

int openat(int dir_fd, const char *path, int flags, ...)
{
    OPEN_MODE(mode);
    return open_any(dir_fd, path, flags, mode);
}

int openat64(int dir_fd, const char *path, int flags, ...)
{
    OPEN_MODE(mode);
    return open_any(dir_fd, path, flags, mode);
}

int ftruncate(int fd, off_t size)
{
    return strikes("truncate") ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

int mkdir(const char *path, mode_t mode)
{
    return strikes("mkdir") ? -1 : (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

int mkdirat(int dir_fd, const char *path, mode_t mode)
{
    return strikes("mkdir") ? -1 : (int)syscall(SYS_mkdirat, dir_fd, path, mode);
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    return strikes("link") ? -1 : (int)syscall(SYS_linkat, from_dir, from, to_dir, to, flags);
}

int symlinkat(const char *target, int dir_fd, const char *path)
{
    return strikes("link") ? -1 : (int)syscall(SYS_symlinkat, target, dir_fd, path);
}

int unlink(const char *path)
{
    return strikes("unlink") ? -1 : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int unlinkat(int dir_fd, const char *path, int flags)
{
    return strikes("unlink") ? -1 : (int)syscall(SYS_unlinkat, dir_fd, path, flags);
}

#ifndef FAULT_NO_MALLOC
/* glibc's own names of its allocator: NOLINTBEGIN(bugprone-reserved-identifier) */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
/* NOLINTEND(bugprone-reserved-identifier) */

/* An allocation has one error only. */
static bool starves(void)
{
    bool fails = strikes("malloc");
    if (fails)
        errno = ENOMEM;
    return fails;
}

void *malloc(size_t size)
{
    return starves() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    return starves() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
    return starves() ? NULL : __libc_realloc(p, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return starves() ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size)
{
    void *p = starves() ? NULL : __libc_memalign(alignment, size);
    if (!p)
        return ENOMEM;
    *ret = p;
    return 0;
}
#endif
