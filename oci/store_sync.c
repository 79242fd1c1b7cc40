/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One syncfs instead of an fsync per blob, and what makes that safe.
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
 */
#include "base/fs.h"
#include "base/io.h"
#include "base/mem.h"
#include "oci/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define UNSYNCED_MAX_SIZE ((size_t)64 << 20)
#define CLOCK_SLACK 2 /* seconds that a time stamp may lag behind */

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
    if (st.st_size <= size)
        return fs_unlink(store->unsynced_fd, store->boot, err);
    AUTO(strbuf_release) struct strbuf rest = STRBUF_INIT;
    if (lseek(fd, size, SEEK_SET) < 0)
        return error_errno(err, "unsynced/%s", store->boot);
    if (io_read_all(fd, &rest, UNSYNCED_MAX_SIZE, "unsynced", err) < 0)
        return -1;
    if (lseek(fd, 0, SEEK_SET) < 0)
        return error_errno(err, "unsynced/%s", store->boot);
    if (io_write_full(fd, rest.data, rest.size, "unsynced", err) < 0)
        return -1;
    if (ftruncate(fd, (off_t)rest.size) < 0)
        return error_errno(err, "unsynced/%s", store->boot);
    return 0;
}

int store_sync(struct store *store, struct error **err)
{
    struct stat st;
    int there = fs_stat(store->unsynced_fd, store->boot, &st, err);
    if (there < 0)
        return error_wrap(err, "store %s", store->path);
    if (!there && !atomic_load(&store->dirty))
        return 0;
    AUTO(lockfile_release)
    struct lockfile *lock = store_lock_internal(store, STORE_LOCK_SYNC, LOCK_MODE_EXCLUSIVE, err);
    if (!lock)
        return error_wrap(err, "store %s", store->path);
    off_t size;
    /* cleared before: a rename of another thread during the syncfs needs the next one */
    atomic_store(&store->dirty, false);
    if (noted_size(store, &size, err) < 0)
        return error_wrap(err, "store %s", store->path);
    if (syncfs(store->dir_fds[STORE_ROOT]) < 0) {
        atomic_store(&store->dirty, true);
        return error_errno(err, "syncing store %s", store->path);
    }
    if (drop_names(store, size, err) < 0)
        return error_wrap(err, "store %s", store->path);
    return 0;
}

/* Since when things are suspect: a time, or 0 for always. */
static int64_t suspect_since(int dir_fd, const char *name)
{
    struct statx stx;
    if (statx(dir_fd, name, AT_SYMLINK_NOFOLLOW, STATX_BTIME, &stx) < 0 ||
        !(stx.stx_mask & STATX_BTIME))
        return 0;
    return stx.stx_btime.tv_sec - CLOCK_SLACK;
}

struct suspects {
    const struct hashmap *names; /* hex */
    int64_t since;
};

static bool is_suspect(const struct suspects *suspects, const char *hex, const struct stat *st)
{
    return st->st_ctime >= suspects->since || hashmap_has(suspects->names, hex);
}

/* The hex part of NAME, d-NAME, c-NAME, NAME.suffix; "" for a name without */
static void hex_part(const char *name, char out[DIGEST_HEX_SIZE])
{
    uint8_t ignored[SHA256_SIZE];
    const char *start = strlen(name) > 2 && name[1] == '-' ? name + 2 : name;
    bool is_hex = strlen(start) >= DIGEST_HEX_SIZE - 1 &&
                  sha256_from_hex(start, DIGEST_HEX_SIZE - 1, ignored);
    memcpy(out, is_hex ? start : "", is_hex ? DIGEST_HEX_SIZE - 1 : 1);
    out[is_hex ? DIGEST_HEX_SIZE - 1 : 0] = '\0';
}

static int verify_blob(struct store *store, const char *hex, struct error **err)
{
    struct digest digest = { .is_set = true };
    if (!sha256_from_hex(hex, strlen(hex), digest.bytes))
        return 0;
    bool good;
    const char *why;
    if (store_check_blob(store, &digest, &good, &why, err) < 0)
        return -1;
    return good ? 0 : fs_unlink(store->dir_fds[STORE_BLOBS], hex, err);
}

/* Calls `act` for each suspect name of a folder. */
static int for_suspects(struct store *store, int dir_fd, const struct suspects *suspects,
                        int (*act)(struct store *, int dir_fd, const char *name, struct error **),
                        struct error **err)
{
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    if (dir_fd < 0 || fs_list_fd(dir_fd, &names, store->path, err) < 0)
        return dir_fd < 0 ? 0 : -1;
    for (size_t i = 0; i < names.n; i++) {
        struct stat st;
        char hex[DIGEST_HEX_SIZE];
        int there = fs_stat(dir_fd, names.items[i], &st, err);
        if (there < 0)
            return -1;
        hex_part(names.items[i], hex);
        if (there && is_suspect(suspects, hex, &st) && act(store, dir_fd, names.items[i], err) < 0)
            return -1;
    }
    return 0;
}

static int act_verify(struct store *store, int dir_fd UNUSED, const char *name, struct error **err)
{
    return verify_blob(store, name, err);
}

/*
 * Forms, entry lists, records: all can be made again. A tree of other ids that we can't remove
 * loses its name at least; collecting with the right id map removes it.
 */
static int act_remove(struct store *store UNUSED, int dir_fd, const char *name, struct error **err)
{
    AUTO(free) char *lost = xasprintf("p-lost-%s", name);
    if (strncmp(name, "p-", 2) != 0 && renameat(dir_fd, name, dir_fd, lost) == 0)
        name = lost;
    if (fs_remove_tree(dir_fd, name, err) == 0)
        return 0;
    int value = error_errno_value(*err);
    if (name != lost || (value != EPERM && value != EACCES))
        return -1;
    error_clear(err);
    return 0;
}

static int remove_suspect_forms(struct store *store, const struct suspects *suspects,
                                struct error **err)
{
    int layers = store->dir_fds[STORE_LAYERS];
    AUTO(strvec_release) struct strvec forms = STRVEC_INIT;
    if (fs_list_fd(layers, &forms, "layers", err) < 0)
        return -1;
    for (size_t i = 0; i < forms.n; i++) {
        AUTO(close)
        int fd = openat(layers, forms.items[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 && errno != ENOTDIR && errno != ENOENT)
            return error_errno(err, "layers/%s", forms.items[i]);
        if (for_suspects(store, fd, suspects, act_remove, err) < 0)
            return error_wrap(err, "layers/%s", forms.items[i]);
    }
    return 0;
}

static int recover_boot(struct store *store, const char *file, struct error **err)
{
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    AUTO(hashmap_release) struct hashmap named = HASHMAP_INIT(NULL);
    struct suspects suspects = {
        .names = &named,
        .since = suspect_since(store->unsynced_fd, file),
    };
    if (store_read_names(store->unsynced_fd, file, &names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++)
        hashmap_put(&named, names.items[i], store);
    static const enum store_dir caches[] = { STORE_ENTRIES, STORE_CACHE_RECORDS,
                                             STORE_CACHE_CONTEXTS };
    if (for_suspects(store, store->dir_fds[STORE_BLOBS], &suspects, act_verify, err) < 0 ||
        remove_suspect_forms(store, &suspects, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_SIZE(caches); i++)
        if (for_suspects(store, store->dir_fds[caches[i]], &suspects, act_remove, err) < 0)
            return -1;
    /* what is verified now may still be in memory only */
    if (syncfs(store->dir_fds[STORE_ROOT]) < 0)
        return error_errno(err, "syncing");
    return fs_unlink(store->unsynced_fd, file, err);
}

static bool is_earlier_boot(const struct store *store, const char *file)
{
    return strcmp(file, store->boot) != 0 || !store_boot(store);
}

int store_recover(struct store *store, struct error **err)
{
    AUTO(strvec_release) struct strvec files = STRVEC_INIT;
    if (fs_list_fd(store->unsynced_fd, &files, "unsynced", err) < 0)
        return -1;
    bool earlier = false;
    for (size_t i = 0; i < files.n; i++)
        earlier = earlier || is_earlier_boot(store, files.items[i]);
    if (!earlier)
        return 0;
    AUTO(lockfile_release)
    struct lockfile *lock =
        store_lock_internal(store, STORE_LOCK_RECOVER, LOCK_MODE_EXCLUSIVE, err);
    if (!lock)
        return -1;
    strvec_release(&files);
    if (fs_list_fd(store->unsynced_fd, &files, "unsynced", err) < 0)
        return -1;
    for (size_t i = 0; i < files.n; i++)
        if (is_earlier_boot(store, files.items[i]) && recover_boot(store, files.items[i], err) < 0)
            return error_wrap(err, "looking at what an earlier boot left unsynced");
    return 0;
}
