/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No fsync per blob: what isn't synced yet is listed, and what makes that safe. A name of an image
 * syncs the blobs that it needs (store_durable.c), or all by one syncfs, here.
 *
 * unsynced/BOOTID lists what was renamed into place since the last syncfs of
 * this boot. After a crash of the machine such a thing may have its name but not
 * its content; the next open, under another boot id, finds the file and looks.
 *
 * 1. A name is appended before its rename, both under the "unsynced" lock held
 *    shared. Whoever holds that lock exclusively knows: each name in the file
 *    has been renamed, or its process died.
 * 2. Syncing: exclusive lock, note the size of the file, unlock; syncfs;
 *    exclusive lock, drop what stood before that size, unlock. Names that others
 *    append during the syncfs stay. One process syncs at a time (lock "sync"), else
 *    two would drop by sizes noted of the same file.
 * 3. The file itself isn't synced either: after a crash it may be shorter than it
 *    was, or empty. But file systems commit names in order: if a rename into place
 *    survived, so did the file's creation before it. So everything that changed
 *    after the file was born (its btime) is looked at too, and everything there is
 *    where the file system doesn't keep that time. For that the file is never
 *    replaced: names are dropped in place, and it is unlinked only when empty.
 * 4. Records have a fixed size and are moved before the file is cut: a kill in
 *    between leaves names twice, never half a name.
 * 5. A blob that couldn't be written is removed and stays listed: it can still be read, but it is
 *    lost, and the next syncfs would say that all is well.
 */
#include "base/fs.h"
#include "base/io.h"
#include "base/mem.h"
#include "oci/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static int append_name(struct store *store, const struct digest *digest, struct error **err)
{
    char line[STORE_NAME_SIZE + 1];
    digest_format_hex(digest, line);
    line[STORE_NAME_SIZE - 1] = '\n';
    AUTO(close)
    int fd = openat(store->unsynced_fd, store->boot,
                    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_errno(err, "store %s: unsynced/%s", store->path, store->boot);
    if (io_write_full(fd, line, STORE_NAME_SIZE, "unsynced", err) < 0)
        return error_wrap(err, "store %s", store->path);
    atomic_store(&store->dirty, true);
    return 0;
}

int store_rename_begin(struct store *store, const struct digest *digest, struct lockfile **lock,
                       struct error **err)
{
    AUTO(lockfile_release)
    struct lockfile *held = store_lock_internal(store, STORE_LOCK_UNSYNCED, LOCK_MODE_SHARED, err);
    if (!held)
        return error_wrap(err, "store %s", store->path);
    if (append_name(store, digest, err) < 0)
        return -1;
    *lock = TAKE(held);
    return 0;
}

int store_mark_unsynced(struct store *store, const struct digest *digest, struct error **err)
{
    AUTO(lockfile_release) struct lockfile *lock = NULL;
    return store_rename_begin(store, digest, &lock, err);
}

/* Size of this boot's file, 0 when there is none, now that nobody is between append and rename. */
static int noted_size(struct store *store, off_t *size, struct error **err)
{
    AUTO(lockfile_release)
    struct lockfile *lock =
        store_lock_internal(store, STORE_LOCK_UNSYNCED, LOCK_MODE_EXCLUSIVE, err);
    if (!lock)
        return -1;
    struct stat st;
    int there = fs_stat(store->unsynced_fd, store->boot, &st, err);
    if (there < 0)
        return -1;
    *size = there ? st.st_size : 0;
    return 0;
}

/* Rules 3 and 4. */
static int drop_names(struct store *store, off_t size, struct error **err)
{
    AUTO(lockfile_release)
    struct lockfile *lock =
        store_lock_internal(store, STORE_LOCK_UNSYNCED, LOCK_MODE_EXCLUSIVE, err);
    if (!lock)
        return -1;
    AUTO(close) int fd = openat(store->unsynced_fd, store->boot, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(err, "unsynced/%s", store->boot);
    AUTO(free) char *synced = store_synced_name(store->boot);
    if (fs_unlink(store->unsynced_fd, synced, err) < 0)
        return -1;
    if (st.st_size <= size)
        return fs_unlink(store->unsynced_fd, store->boot, err);
    AUTO(strbuf_release) struct strbuf rest = STRBUF_INIT;
    if (lseek(fd, size, SEEK_SET) < 0)
        return error_errno(err, "unsynced/%s", store->boot);
    if (io_read_all(fd, &rest, STORE_NAMES_MAX_SIZE, "unsynced", err) < 0)
        return -1;
    if (lseek(fd, 0, SEEK_SET) < 0)
        return error_errno(err, "unsynced/%s", store->boot);
    if (io_write_full(fd, rest.data, rest.size, "unsynced", err) < 0)
        return -1;
    if (ftruncate(fd, (off_t)rest.size) < 0)
        return error_errno(err, "unsynced/%s", store->boot);
    return 0;
}

/*
 * Rule 5. Whoever did a syncfs before, or an overlay mounted volatile, was told of what couldn't be
 * written, and we aren't: files are asked, too.
 */
static int sync_listed(struct store *store, struct error **err)
{
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    if (store_read_names(store->unsynced_fd, store->boot, &names, err) < 0) {
        if (!error_is(*err, ERR_NOT_FOUND))
            return error_wrap(err, "store %s", store->path);
        error_clear(err);
    }
    if (syncfs(store->dir_fds[STORE_ROOT]) < 0)
        error_errno_(err, "syncing store %s", store->path);
    if (store_check_written(store, &names, err) < 0 || *err) {
        atomic_store(&store->dirty, true);
        return -1;
    }
    return 0;
}

int store_has_unsynced(struct store *store, struct error **err)
{
    struct stat st;
    int there = fs_stat(store->unsynced_fd, store->boot, &st, err);
    if (there < 0)
        return error_wrap(err, "store %s", store->path);
    return there || atomic_load(&store->dirty);
}

int store_sync(struct store *store, struct error **err)
{
    int has = store_has_unsynced(store, err);
    if (has <= 0)
        return has;
    AUTO(lockfile_release)
    struct lockfile *lock = store_lock_internal(store, STORE_LOCK_SYNC, LOCK_MODE_EXCLUSIVE, err);
    if (!lock)
        return error_wrap(err, "store %s", store->path);
    off_t size;
    /* cleared before: a rename of another thread during the syncfs needs the next one */
    atomic_store(&store->dirty, false);
    if (noted_size(store, &size, err) < 0)
        return error_wrap(err, "store %s", store->path);
    if (sync_listed(store, err) < 0)
        return -1;
    if (drop_names(store, size, err) < 0)
        return error_wrap(err, "store %s", store->path);
    return 0;
}
