/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who uses the store now.
 *
 * Each open store has a file leases/PID-N, locked as long as it is open (an OFD
 * lock, which dies with the process), and a folder tmp/PID-N. The file lists the
 * names that the process relies on. Whoever can lock a lease file knows that its
 * process is dead, in whatever pid namespace it was, and sweeps both.
 *
 * 1. The lease file is made before the folder and removed after it: a folder
 *    without lease file is garbage.
 * 2. A sweeper unlinks a lease file only while holding its lock; its maker looks
 *    after locking whether it still has a name, and starts anew when it hasn't.
 * 3. A name is written while the store lock is held shared, so collecting, which
 *    holds it exclusively, sees either the name or a process that has not yet
 *    looked whether the thing exists.
 */
#include "base/fs.h"
#include "base/io.h"
#include "base/mem.h"
#include "oci/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define FLAT_TMP_MAX_AGE                                                                           \
    ((time_t)24 * 60 * 60) /* of files in tmp/ itself, which belong to no folder */

/* 1 locked, 0 another holds it, -1 with errno */
static int lock_fd(int fd)
{
    struct flock range = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    while (fcntl(fd, F_OFD_SETLK, &range) < 0) {
        if (errno == EAGAIN || errno == EACCES)
            return 0;
        if (errno != EINTR)
            return -1;
    }
    return 1;
}

/* 1 a locked lease file of that name is ours, 0 the name is taken, -1 with errno */
static int try_lease_file(struct store *store, const char *name)
{
    int leases = store->dir_fds[STORE_LEASES];
    AUTO(close)
    int fd = openat(leases, name, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EEXIST ? 0 : -1;
    int locked = lock_fd(fd);
    struct stat st;
    if (locked <= 0 || fstat(fd, &st) < 0)
        return locked < 0 ? -1 : 0; /* a sweeper was faster, and unlinks it */
    if (st.st_nlink == 0)
        return 0;
    store->lease_fd = take_fd(&fd);
    return 1;
}

static int open_tmp(struct store *store)
{
    if (mkdirat(store->tmp_fd, store->process, 0700) < 0)
        return -1;
    return openat(store->tmp_fd, store->process, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

int store_process_register(struct store *store, struct error **err)
{
    for (unsigned i = 0;; i++) {
        AUTO(free) char *name = xasprintf("%ld-%u", (long)getpid(), i);
        int made = try_lease_file(store, name);
        if (made < 0 && (errno == ENOSPC || errno == EDQUOT))
            return 0; /* a full disk must not keep anybody from removing things */
        if (made < 0)
            return error_errno(err, "making leases/%s", name);
        if (!made)
            continue;
        store->process = TAKE(name);
        break;
    }
    int fd = open_tmp(store);
    if (fd < 0)
        return errno == ENOSPC || errno == EDQUOT
                   ? 0
                   : error_errno(err, "making tmp/%s", store->process);
    close_auto(&store->dir_fds[STORE_TMP]);
    store->dir_fds[STORE_TMP] = fd;
    return 0;
}

void store_process_unregister(struct store *store)
{
    if (!store->process)
        return;
    AUTO(error_free) struct error *ignored = NULL; /* what stays is swept by the next process */
    if (fs_discard_tree(store->tmp_fd, store->process, &ignored) == 0)
        (void)unlinkat(store->dir_fds[STORE_LEASES], store->process, 0); /* likewise */
    close_auto(&store->lease_fd);
    store->lease_fd = -1;
    free(store->process);
    store->process = NULL;
}

int store_lease(struct store *store, const struct digest *digest, struct error **err)
{
    char name[STORE_NAME_SIZE + 1];
    digest_format_hex(digest, name);
    pthread_mutex_lock(&store->lease_mutex);
    bool known = hashmap_has(&store->leased, name);
    pthread_mutex_unlock(&store->lease_mutex);
    if (known)
        return 0;

    AUTO(lockfile_release)
    struct lockfile *lock = store_lock_internal(store, STORE_LOCK_STORE, LOCK_MODE_SHARED, err);
    if (!lock)
        return error_wrap(err, "store %s", store->path);
    if (store->lease_fd < 0 && store->read_only)
        return 0; /* who can't write leases can't be collected from by accident: nor can others here
                   */
    if (store->lease_fd < 0)
        return error_set(err, ERR_NO_SPACE, "store %s: no space left for a lease", store->path);
    char line[STORE_NAME_SIZE];
    memcpy(line, name, STORE_NAME_SIZE - 1);
    line[STORE_NAME_SIZE - 1] = '\n';
    pthread_mutex_lock(&store->lease_mutex);
    int written = io_write_full(store->lease_fd, line, sizeof(line), "lease", err);
    if (written == 0)
        hashmap_put(&store->leased, name, store);
    pthread_mutex_unlock(&store->lease_mutex);
    return written < 0 ? error_wrap(err, "store %s", store->path) : 0;
}

/* A lease file of a dead process: its fd, locked; -1 without error when it lives or is gone. */
static int lock_dead_lease(struct store *store, const char *name, struct error **err)
{
    AUTO(close)
    int fd = openat(store->dir_fds[STORE_LEASES], name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? -1 : error_errno(err, "leases/%s", name);
    int locked = lock_fd(fd);
    if (locked < 0)
        return error_errno(err, "locking leases/%s", name);
    struct stat st;
    if (!locked || fstat(fd, &st) < 0 || st.st_nlink == 0)
        return -1;
    return take_fd(&fd);
}

static int sweep_lease(struct store *store, const char *name, struct error **err)
{
    AUTO(close) int fd = lock_dead_lease(store, name, err);
    if (fd < 0)
        return *err ? -1 : 0;
    if (fs_discard_tree(store->tmp_fd, name, err) < 0)
        return error_wrap(err, "sweeping tmp/%s", name);
    return fs_unlink(store->dir_fds[STORE_LEASES], name, err);
}

/* What lies in tmp/ without a lease: a folder is garbage, a file when it is old. */
static int sweep_tmp(struct store *store, const char *name, struct error **err)
{
    struct stat st;
    int leased = fs_stat(store->dir_fds[STORE_LEASES], name, &st, err);
    if (leased)
        return leased < 0 ? -1 : 0;
    int there = fs_stat(store->tmp_fd, name, &st, err);
    if (there <= 0)
        return there;
    if (!S_ISDIR(st.st_mode) && st.st_mtime + FLAT_TMP_MAX_AGE > time(NULL))
        return 0;
    return fs_discard_tree(store->tmp_fd, name, err);
}

/* Trees that other users' ids left can't always be removed, and another process may sweep the same
 * one: that must not keep the store from opening. */
static int tolerate(struct store *store, struct error **err)
{
    int value = error_errno_value(*err);
    if (value != EPERM && value != EACCES && value != EROFS && value != EBUSY && value != ENOENT)
        return -1;
    error_clear(err);
    store->has_rest = true;
    return 0;
}

int store_sweep_processes(struct store *store, struct error **err)
{
    AUTO(strvec_release) struct strvec folders = STRVEC_INIT;
    AUTO(strvec_release) struct strvec leases = STRVEC_INIT;
    store->has_rest = false;
    /* folders first: one that is made meanwhile has a lease in the second list, or isn't in the
     * first */
    if (fs_list_fd(store->tmp_fd, &folders, "tmp", err) < 0 ||
        fs_list_fd(store->dir_fds[STORE_LEASES], &leases, "leases", err) < 0)
        return -1;
    for (size_t i = 0; i < leases.n; i++)
        if (sweep_lease(store, leases.items[i], err) < 0 && tolerate(store, err) < 0)
            return -1;
    for (size_t i = 0; i < folders.n; i++)
        if (sweep_tmp(store, folders.items[i], err) < 0 && tolerate(store, err) < 0)
            return -1;
    return 0;
}

int store_sweep_rest(struct store *store, struct error **err)
{
    if (!store->has_rest || store_sweep_processes(store, err) == 0)
        return 0;
    return error_wrap(err, "store %s", store->path);
}

int store_leased_names(struct store *store, struct strvec *names, struct error **err)
{
    AUTO(strvec_release) struct strvec leases = STRVEC_INIT;
    if (fs_list_fd(store->dir_fds[STORE_LEASES], &leases, "leases", err) < 0)
        return -1;
    for (size_t i = 0; i < leases.n; i++) {
        const char *name = leases.items[i];
        if (!store->process || strcmp(name, store->process) != 0) {
            AUTO(close) int dead = lock_dead_lease(store, name, err);
            if (*err)
                return -1;
            if (dead >= 0)
                continue; /* the next open sweeps it */
        }
        if (store_read_names(store->dir_fds[STORE_LEASES], name, names, err) < 0) {
            if (!error_is(*err, ERR_NOT_FOUND))
                return error_wrap(err, "leases/%s", name);
            error_clear(err); /* it ended meanwhile */
        }
    }
    return 0;
}
