/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/store_mounts.h"

#include "base/array.h"
#include "base/fs.h"
#include "oci/store_internal.h"
#include "oci/store_records.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define ID_SUFFIX ".id"
#define NEW_SUFFIX ".new"   /* being made */
#define GONE_SUFFIX ".gone" /* taken away, until its tree is removed */
#define ID_MAX ((size_t)65536)
#define NS_PER_SECOND INT64_C(1000000000)

void store_mounts_release(struct store_mounts *mounts)
{
    for (size_t i = 0; i < mounts->n_items; i++) {
        free(mounts->items[i].name);
        free(mounts->items[i].id);
    }
    free(mounts->items);
    *mounts = (struct store_mounts){ .items = NULL };
}

static bool has_suffix(const char *name, const char *suffix)
{
    size_t size = strlen(name), end = strlen(suffix);
    return size > end && strcmp(name + size - end, suffix) == 0;
}

/* What a later version has there is let alone. */
static bool is_mount(const char *name)
{
    uint8_t ignored[SHA256_SIZE];
    const size_t size = strcspn(name, ".");
    return sha256_from_hex(name, size, ignored);
}

struct lockfile *store_mount_use(struct store *store, const struct store_mount_request *request,
                                 struct error **err)
{
    const char *id = request->id;
    struct lock_wait wait = store->wait;
    wait.check = request->check;
    wait.check_data = request->check_data;
    AUTO(free) char *file = xasprintf("%s" ID_SUFFIX, request->name);
    AUTO(free) char *lock_name = xasprintf("use-%s", request->name);
    AUTO(lockfile_release)
    struct lockfile *lock =
        lockfile_acquire(store->locks_fd, lock_name,
                         request->alone ? LOCK_MODE_EXCLUSIVE : LOCK_MODE_SHARED, &wait, err);
    if (!lock ||
        fs_write_file(store->dir_fds[STORE_CACHE_MOUNTS], file, id, strlen(id), 0600, err) < 0)
        return NULL;
    return TAKE(lock);
}

static int least_recent_first(const void *a, const void *b)
{
    const struct store_mount *x = a, *y = b;
    if (x->used_ns != y->used_ns)
        return x->used_ns < y->used_ns ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Those of before there was a file with the id: by their own time. */
static void read_use(int fd, struct store_mount *mount, const struct stat *dir)
{
    AUTO(free) char *file = xasprintf("%s" ID_SUFFIX, mount->name);
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(error_free) struct error *missing = NULL;
    struct stat st;
    const bool has_file = fstatat(fd, file, &st, AT_SYMLINK_NOFOLLOW) == 0;
    const struct timespec used = has_file ? st.st_mtim : dir->st_mtim;
    mount->used_ns = (int64_t)used.tv_sec * NS_PER_SECOND + used.tv_nsec;
    if (fs_read_file(fd, file, &text, ID_MAX, &missing) < 0)
        strbuf_reset(&text);
    mount->id = strbuf_detach(&text);
}

int store_mounts_list(const struct store *store, struct store_mounts *ret, struct error **err)
{
    const int fd = store->dir_fds[STORE_CACHE_MOUNTS];
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    AUTO(store_mounts_release) struct store_mounts mounts = { .items = NULL };
    if (fs_list_fd(fd, &names, "cache/mounts", err) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++) {
        struct stat st;
        const char *name = names.items[i];
        if (!is_mount(name) || has_suffix(name, NEW_SUFFIX) ||
            fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
            continue;
        struct store_mount *mount = ARRAY_PUSH(&mounts, items);
        mount->name = xstrdup(name);
        mount->size = store_tree_size(fd, name);
        read_use(fd, mount, &st);
    }
    if (mounts.n_items)
        qsort(mounts.items, mounts.n_items, sizeof(*mounts.items), least_recent_first);
    *ret = mounts;
    mounts = (struct store_mounts){ .items = NULL };
    return 0;
}

/* Out of sight first, so that who wants it meanwhile makes a new one. False: it is in use. */
static int take_away(struct store *store, const char *name, char **gone, struct error **err)
{
    const int fd = store->dir_fds[STORE_CACHE_MOUNTS];
    AUTO(free) char *lock_name = xasprintf("use-%s", name);
    AUTO(free) char *file = xasprintf("%s" ID_SUFFIX, name);
    AUTO(free) char *other = xasprintf("%s" GONE_SUFFIX, name);
    AUTO(lockfile_remove) struct lockfile *lock = NULL;
    if (has_suffix(name, GONE_SUFFIX)) { /* left by one that was killed */
        *gone = xstrdup(name);
        return 0;
    }
    if (lockfile_try(store->locks_fd, lock_name, LOCK_MODE_EXCLUSIVE, &lock, err) < 0)
        return -1;
    if (!lock)
        return 0;
    if (fs_remove_tree(fd, other, err) < 0)
        return -1;
    if (renameat(fd, name, fd, other) < 0)
        return errno == ENOENT ? 0 : error_errno(err, "renaming cache/mounts/%s", name);
    *gone = TAKE(other);
    return fs_unlink(fd, file, err);
}

static int remove_mount(struct store *store, const struct store_mount *mount, bool *removed,
                        struct error **err)
{
    AUTO(free) char *gone = NULL;
    if (take_away(store, mount->name, &gone, err) < 0)
        return -1;
    *removed = gone != NULL;
    return gone ? fs_remove_tree(store->dir_fds[STORE_CACHE_MOUNTS], gone, err) : 0;
}

int store_mounts_collect(struct store *store, const struct store_mounts_limits *limits, uint64_t *n,
                         uint64_t *size, uint64_t *left, struct error **err)
{
    AUTO(store_mounts_release) struct store_mounts mounts = { .items = NULL };
    uint64_t sum = 0;
    if (store_mounts_list(store, &mounts, err) < 0)
        return -1;
    for (size_t i = 0; i < mounts.n_items; i++)
        sum += mounts.items[i].size;
    for (size_t i = 0; i < mounts.n_items; i++) {
        const struct store_mount *mount = &mounts.items[i];
        bool removed = false;
        const bool is_recent =
            limits->used_before && mount->used_ns / NS_PER_SECOND >= limits->used_before;
        if (is_recent || (!limits->all && sum <= limits->max_size))
            continue;
        if (remove_mount(store, mount, &removed, err) < 0)
            return error_wrap(err, "removing cache mount %s", *mount->id ? mount->id : mount->name);
        if (!removed)
            continue;
        (*n)++;
        *size += mount->size;
        sum -= mount->size;
    }
    if (left)
        *left = sum;
    return 0;
}
