/* SPDX-License-Identifier: Apache-2.0 */
#include "base/lockfile.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define LONG_WAIT_MS 2000
#define BACKOFF_MAX_MS 50

struct lockfile {
    int fd, dir_fd;
    char *name;
    enum lock_mode mode;
    bool held;
};

static struct lockfile *lockfile_alloc(int dir_fd, const char *name, enum lock_mode mode,
                                       struct error **err)
{
    struct lockfile *lock = NEW(struct lockfile);
    lock->fd = -1;
    lock->name = xstrdup(name);
    lock->mode = mode;
    lock->dir_fd = dir_fd;
    if (dir_fd != AT_FDCWD) {
        lock->dir_fd = io_dup(dir_fd, err);
        if (lock->dir_fd < 0) {
            lockfile_release(lock);
            return NULL;
        }
    }
    return lock;
}

static int lockfile_open(struct lockfile *lock, struct error **err)
{
    const int flags = O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;
    lock->fd = openat(lock->dir_fd, lock->name, flags | O_RDWR | O_CREAT, 0600);
    /* a store that we may only read can still be held against removal */
    if (lock->fd < 0 && lock->mode == LOCK_MODE_SHARED && (errno == EACCES || errno == EROFS))
        lock->fd = openat(lock->dir_fd, lock->name, flags | O_RDONLY);
    return lock->fd < 0 ? error_errno(err, "opening lock %s", lock->name) : 0;
}

/* 1 locked, 0 held by another */
static int lock_once(struct lockfile *lock, struct error **err)
{
    struct flock range = {
        .l_type = lock->mode == LOCK_MODE_SHARED ? F_RDLCK : F_WRLCK,
        .l_whence = SEEK_SET,
    };
    while (fcntl(lock->fd, F_OFD_SETLK, &range) < 0) {
        if (errno == EAGAIN || errno == EACCES)
            return 0;
        if (errno != EINTR)
            return error_errno(err, "locking %s", lock->name);
    }
    return 1;
}

/* For the message of who waits; a lock without it is as good. */
static void write_holder(const struct lockfile *lock)
{
    char text[32];
    int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    if (pwrite(lock->fd, text, (size_t)n, 0) < 0 || ftruncate(lock->fd, n) < 0)
        return;
}

static void read_holder(const struct lockfile *lock, char *out, size_t size)
{
    char text[32];
    (void)snprintf(out, size, "another process");
    ssize_t n = pread(lock->fd, text, sizeof(text) - 1, 0);
    if (n <= 0)
        return;
    text[n] = '\0';
    long pid = strtol(text, NULL, 10);
    /* a holder that was killed left its number behind */
    if (pid > 0 && pid <= INT32_MAX && (kill((pid_t)pid, 0) == 0 || errno == EPERM))
        (void)snprintf(out, size, "pid %ld", pid);
}

/* 1 locked, 0 held by another, and then the file is open. */
static int lockfile_attempt(struct lockfile *lock, struct error **err)
{
    for (;;) {
        if (lock->fd < 0 && lockfile_open(lock, err) < 0)
            return -1;
        int locked = lock_once(lock, err);
        struct stat st;
        if (locked < 0)
            return -1;
        if (fstat(lock->fd, &st) < 0)
            return error_errno(err, "looking at lock %s", lock->name);
        if (st.st_nlink > 0) {
            lock->held = locked;
            if (locked && lock->mode == LOCK_MODE_EXCLUSIVE)
                write_holder(lock);
            return locked;
        }
        /* its holder unlinked it: what stands there now is another lock */
        close_auto(&lock->fd);
        lock->fd = -1;
    }
}

struct lockfile *lockfile_acquire(int dir_fd, const char *name, enum lock_mode mode,
                                  const struct lock_wait *wait, struct error **err)
{
    AUTO(lockfile_release) struct lockfile *lock = lockfile_alloc(dir_fd, name, mode, err);
    if (!lock)
        return NULL;
    uint64_t start = clock_monotonic_ms();
    bool told = false;
    for (int pause = 1;; pause = pause * 2 < BACKOFF_MAX_MS ? pause * 2 : BACKOFF_MAX_MS) {
        int locked = lockfile_attempt(lock, err);
        if (locked < 0)
            return NULL;
        if (locked)
            return TAKE(lock);
        if (!told && wait && wait->waiting && clock_monotonic_ms() - start >= LONG_WAIT_MS) {
            char holder[48];
            read_holder(lock, holder, sizeof(holder));
            wait->waiting(wait->data, name, holder);
            told = true;
        }
        if ((wait && wait->check && wait->check(wait->check_data, err) < 0) ||
            cancel_sleep_ms(pause, err) < 0)
            return error_wrap_null(err, "waiting for lock %s", name);
    }
}

int lockfile_try(int dir_fd, const char *name, enum lock_mode mode, struct lockfile **acquired,
                 struct error **err)
{
    AUTO(lockfile_release) struct lockfile *lock = lockfile_alloc(dir_fd, name, mode, err);
    if (!lock)
        return -1;
    int locked = lockfile_attempt(lock, err);
    if (locked < 0)
        return -1;
    *acquired = locked ? TAKE(lock) : NULL;
    return 0;
}

/* Not left to close(): a child between fork and exec shares the open file, and with it the lock. */
static void unlock(struct lockfile *lock)
{
    struct flock range = { .l_type = F_UNLCK, .l_whence = SEEK_SET };
    if (lock->mode == LOCK_MODE_EXCLUSIVE && ftruncate(lock->fd, 0) < 0)
        errno = 0;                              /* only the name of the holder stays */
    (void)fcntl(lock->fd, F_OFD_SETLK, &range); /* can't fail on a lock that we hold */
}

void lockfile_release(struct lockfile *lock)
{
    if (!lock)
        return;
    if (lock->held)
        unlock(lock);
    close_auto(&lock->fd);
    close_auto(&lock->dir_fd);
    free(lock->name);
    free(lock);
}

void lockfile_remove(struct lockfile *lock)
{
    if (!lock)
        return;
    (void)unlinkat(lock->dir_fd, lock->name, 0); /* a lock file that stays is harmless */
    lockfile_release(lock);
}
