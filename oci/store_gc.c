/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/store_gc.h"

#include "base/array.h"
#include "base/fs.h"
#include "oci/store_internal.h"
#include "oci/store_mounts.h"
#include "oci/store_records.h"
#include "oci/store_tags.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#define RECORDS_SHARE 5 /* of the file system: 1 / 5 */
#define RECORDS_MAX_SIZE ((uint64_t)50 << 30)
#define GROWTH_SHARE 10 /* of that: 1 / 10 */
#define GROWTH_MIN_SIZE ((uint64_t)1 << 30)
#define PARTIAL_MAX_AGE ((time_t)7 * 24 * 60 * 60)
#define CONTEXT_MAX_AGE ((time_t)30 * 24 * 60 * 60)
#define TEMP_MAX_AGE ((time_t)24 * 60 * 60)
#define GONE "p-gone-" /* what a swept form is called until its tree is removed */

struct gc {
    struct store *store;
    unsigned flags;
    struct store_gc_limits limits;
    uint64_t cap;         /* of what records keep */
    struct hashmap names; /* hex names that stay */
    struct store_gc_result result;
    time_t now;
};

static void gc_release(struct gc *gc)
{
    hashmap_release(&gc->names);
}
DEFINE_AUTO_STRUCT(struct gc, gc_release)

static int mark_leases(struct gc *gc, struct error **err)
{
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    if (store_leased_names(gc->store, &names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++)
        hashmap_put(&gc->names, names.items[i], gc);
    return 0;
}

static int mark_tags(struct gc *gc, struct error **err)
{
    AUTO(store_tags_release) struct store_tags tags = { 0 };
    if (store_tags_list(gc->store, &tags, err) < 0)
        return -1;
    for (size_t i = 0; i < tags.n_tags; i++)
        if (store_mark_image(gc->store, &tags.tags[i].descriptor, &gc->names, err) < 0)
            return -1;
    return 0;
}

static uint64_t records_cap(const struct store *store)
{
    struct statvfs st;
    if (fstatvfs(store->dir_fds[STORE_ROOT], &st) < 0)
        return RECORDS_MAX_SIZE;
    uint64_t share = (uint64_t)st.f_blocks * st.f_frsize / RECORDS_SHARE;
    return share < RECORDS_MAX_SIZE ? share : RECORDS_MAX_SIZE;
}

bool store_gc_is_due(const struct store *store)
{
    struct stat st;
    if (fstatat(store->dir_fds[STORE_ROOT], STORE_GROWTH_FILE, &st, AT_SYMLINK_NOFOLLOW) < 0)
        st.st_size = 0; /* nothing since the last collecting */
    uint64_t due = records_cap(store) / GROWTH_SHARE;
    due = due > GROWTH_MIN_SIZE ? due : GROWTH_MIN_SIZE;
    uint64_t grown = (uint64_t)st.st_size << 20;
    return grown + atomic_load(&store->grown) >= due;
}

/* Records can't keep more than their share while the whole file system holds less: no sizes are
 * needed. */
static bool cap_is_far(const struct gc *gc)
{
    struct statvfs st;
    if (fstatvfs(gc->store->dir_fds[STORE_ROOT], &st) < 0)
        return false;
    return (uint64_t)(st.f_blocks - st.f_bfree) * st.f_frsize <= gc->cap;
}

static bool is_older(const struct gc *gc, const struct stat *st, time_t age)
{
    return st->st_mtime + age < gc->now;
}

/* What to do with a file, whose name may hold `hex` ("" when it doesn't). */
typedef bool (*gc_keeps)(struct gc *gc, const char *name, const char *hex, const struct stat *st);

static void hex_after(const char *name, const char *prefix, char out[DIGEST_HEX_SIZE])
{
    uint8_t ignored[SHA256_SIZE];
    size_t skip = strlen(prefix);
    out[0] = '\0';
    if (strncmp(name, prefix, skip) == 0 &&
        sha256_from_hex(name + skip, strlen(name + skip), ignored))
        memcpy(out, name + skip, DIGEST_HEX_SIZE);
}

static bool is_temp(const char *name)
{
    return strncmp(name, FS_TEMP_PREFIX, strlen(FS_TEMP_PREFIX)) == 0;
}

static int sweep_file(struct gc *gc, int fd, const char *name, const char *prefix, gc_keeps keeps,
                      uint64_t *n, struct error **err)
{
    struct stat st;
    int there = fs_stat(fd, name, &st, err);
    if (there <= 0)
        return there;
    char hex[DIGEST_HEX_SIZE];
    hex_after(name, prefix, hex);
    bool stays = is_temp(name) ? !is_older(gc, &st, TEMP_MAX_AGE) : keeps(gc, name, hex, &st);
    if (stays || S_ISDIR(st.st_mode))
        return 0;
    if (fs_unlink(fd, name, err) < 0)
        return -1;
    if (st.st_nlink == 1)
        gc->result.size += (uint64_t)st.st_blocks * 512;
    if (n)
        (*n)++;
    return 0;
}

/* Unlinks the files of a folder that `keeps` doesn't want. */
static int sweep(struct gc *gc, int fd, const char *prefix, gc_keeps keeps, uint64_t *n,
                 struct error **err)
{
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    if (fs_list_fd(fd, &names, "store", err) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++)
        if (sweep_file(gc, fd, names.items[i], prefix, keeps, n, err) < 0)
            return -1;
    return 0;
}

static bool keeps_marked(struct gc *gc, const char *name UNUSED, const char *hex,
                         const struct stat *st UNUSED)
{
    return !*hex || hashmap_has(&gc->names, hex);
}

/* A download is continued for a week; who works on one holds its lock. */
static bool keeps_partial(struct gc *gc, const char *name, const char *hex, const struct stat *st)
{
    if (!is_older(gc, st, PARTIAL_MAX_AGE) || hashmap_has(&gc->names, hex))
        return true;
    AUTO(lockfile_release) struct lockfile *lock = NULL;
    AUTO(error_free) struct error *ignored = NULL; /* in doubt it stays */
    AUTO(free) char *lock_name = xasprintf("blob-%.64s", name);
    return store_try_lock(gc->store, lock_name, &lock, &ignored) < 0 || !lock;
}

static bool keeps_context(struct gc *gc, const char *name UNUSED, const char *hex UNUSED,
                          const struct stat *st)
{
    return !(gc->flags & STORE_GC_RECORDS) && !is_older(gc, st, CONTEXT_MAX_AGE);
}

static int sweep_files(struct gc *gc, struct error **err)
{
    const int *fds = gc->store->dir_fds;
    if (sweep(gc, fds[STORE_BLOBS], "", keeps_marked, &gc->result.n_blobs, err) < 0 ||
        sweep(gc, fds[STORE_ENTRIES], "", keeps_marked, NULL, err) < 0 ||
        sweep(gc, fds[STORE_ENTRIES], "content-", keeps_marked, NULL, err) < 0 ||
        sweep(gc, fds[STORE_PARTIAL], "", keeps_partial, NULL, err) < 0 ||
        sweep(gc, fds[STORE_CACHE_RECORDS], "rest-", keeps_marked, NULL, err) < 0 ||
        sweep(gc, fds[STORE_CACHE_CONTEXTS], "", keeps_context, NULL, err) < 0)
        return -1;
    return sweep(gc, fds[STORE_SOURCES], "", keeps_marked, NULL, err);
}

/* 1 nobody uses the private form, 0 somebody does */
static int is_abandoned(struct gc *gc, const char *name, struct error **err)
{
    AUTO(lockfile_release) struct lockfile *lock = NULL;
    if (store_try_lock(gc->store, name, &lock, err) < 0)
        return -1;
    return lock != NULL;
}

/* Takes a form out of the store: under its new name nobody finds it. */
static int drop_form(struct gc *gc, int fd, const char *name, struct error **err)
{
    if (strncmp(name, GONE, strlen(GONE)) == 0)
        return 0;
    bool final = name[0] && strchr("dcm", name[0]) && name[1] == '-';
    bool private = strncmp(name, "p-", 2) == 0;
    char hex[DIGEST_HEX_SIZE] = "";
    if (final)
        hex_after(name + 2, "", hex);
    if (private && hashmap_has(&gc->names, name))
        return 0; /* a record's: who finds that makes the layer of it */
    if ((!final && !private) || (final && (!*hex || hashmap_has(&gc->names, hex))))
        return 0;
    int abandoned = final ? 1 : is_abandoned(gc, name, err);
    if (abandoned <= 0)
        return abandoned;
    AUTO(free) char *gone = xasprintf(GONE "%ld-%.200s", (long)getpid(), name);
    if (renameat(fd, name, fd, gone) < 0)
        return errno == ENOENT ? 0 : error_errno(err, "renaming layers/*/%s", name);
    gc->result.n_forms += final;
    return 0;
}

/* Calls `act` for each name in each folder of layers/. */
static int for_forms(struct gc *gc,
                     int (*act)(struct gc *, int fd, const char *name, struct error **),
                     struct error **err)
{
    int layers = gc->store->dir_fds[STORE_LAYERS];
    AUTO(strvec_release) struct strvec forms = STRVEC_INIT;
    if (fs_list_fd(layers, &forms, "layers", err) < 0)
        return -1;
    for (size_t i = 0; i < forms.n; i++) {
        AUTO(strvec_release) struct strvec names = STRVEC_INIT;
        AUTO(close)
        int fd = openat(layers, forms.items[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            continue; /* not a folder of ours */
        if (fs_list_fd(fd, &names, forms.items[i], err) < 0)
            return -1;
        for (size_t k = 0; k < names.n; k++)
            if (act(gc, fd, names.items[k], err) < 0)
                return -1;
    }
    return 0;
}

static int remove_gone(struct gc *gc, int fd, const char *name, struct error **err)
{
    if (strncmp(name, GONE, strlen(GONE)) != 0)
        return 0;
    uint64_t size = store_tree_size(fd, name);
    if (fs_discard_tree(fd, name, err) == 0) {
        gc->result.size += size;
        return 0;
    }
    int value = error_errno_value(*err);
    if (value != EPERM && value != EACCES)
        return -1;
    error_clear(err);
    gc->result.n_left++;
    return 0;
}

/* Lock files that nobody holds: a holder's can't be locked, and who waits looks again. */
static int sweep_locks(struct gc *gc, struct error **err)
{
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    if (fs_list_fd(gc->store->locks_fd, &names, "locks", err) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++) {
        struct lockfile *lock = NULL;
        if (!strchr(names.items[i], '-'))
            continue; /* the store's own, used all the time */
        if (store_try_lock(gc->store, names.items[i], &lock, err) < 0)
            return -1;
        lockfile_remove(lock);
    }
    return 0;
}

static int collect_locked(struct gc *gc, const struct hashmap *sizes, struct error **err)
{
    const struct store_records_limits records = { .all = gc->flags & STORE_GC_RECORDS,
                                                  .used_before = gc->limits.used_before,
                                                  .cap = gc->cap };
    if (mark_leases(gc, err) < 0 || mark_tags(gc, err) < 0 ||
        store_records_mark(gc->store, &records, sizes, &gc->names, &gc->result.n_records, err) <
            0 ||
        sweep_files(gc, err) < 0)
        return -1;
    return for_forms(gc, drop_form, err);
}

static int lock_store(struct gc *gc, struct lockfile **lock, struct error **err)
{
    if (gc->flags & STORE_GC_TRY)
        return lockfile_try(gc->store->locks_fd, STORE_LOCK_STORE, LOCK_MODE_EXCLUSIVE, lock, err);
    *lock = store_lock_internal(gc->store, STORE_LOCK_STORE, LOCK_MODE_EXCLUSIVE, err);
    return *lock ? 0 : -1;
}

static int collect(struct gc *gc, struct error **err)
{
    AUTO(hashmap_release) struct hashmap sizes = HASHMAP_INIT(free);
    /* before the lock: it is the long part, and only steers the cap */
    if (!(gc->flags & STORE_GC_RECORDS) && !cap_is_far(gc) &&
        store_sizes(gc->store, &sizes, err) < 0)
        return -1;
    struct lockfile *lock = NULL;
    if (lock_store(gc, &lock, err) < 0)
        return -1;
    if (!lock)
        return 0;
    int collected = collect_locked(gc, &sizes, err);
    lockfile_release(lock);
    if (collected < 0 || for_forms(gc, remove_gone, err) < 0 ||
        fs_unlink(gc->store->dir_fds[STORE_ROOT], STORE_GROWTH_FILE, err) < 0)
        return -1;
    atomic_store(&gc->store->grown, 0);
    return sweep_locks(gc, err);
}

/* Before the records, which get what mounts leave of a common limit. */
static int collect_mounts(struct gc *gc, struct error **err)
{
    const uint64_t max_size = gc->limits.max_size;
    const struct store_mounts_limits limits = { .all = gc->flags & STORE_GC_RECORDS,
                                                .used_before = gc->limits.used_before,
                                                .max_size = max_size ? max_size : gc->cap };
    uint64_t left = 0;
    if (!limits.all && !max_size && cap_is_far(gc))
        return 0;
    if (store_mounts_collect(gc->store, &limits, &gc->result.n_mounts, &gc->result.size, &left,
                             err) < 0)
        return -1;
    if (max_size)
        gc->cap = max_size > left ? max_size - left : 0;
    return 0;
}

int store_gc_limited(struct store *store, const struct store_gc_limits *limits,
                     struct store_gc_result *ret, struct error **err)
{
    AUTO(gc_release)
    struct gc gc = { .store = store,
                     .flags = limits->flags,
                     .limits = *limits,
                     .cap = records_cap(store),
                     .now = time(NULL) };
    hashmap_init(&gc.names, NULL);
    if (store_sweep_processes(store, err) < 0 || collect_mounts(&gc, err) < 0 ||
        collect(&gc, err) < 0)
        return error_wrap(err, "collecting in store %s", store->path);
    *ret = gc.result;
    return 0;
}

int store_gc(struct store *store, unsigned flags, struct store_gc_result *ret, struct error **err)
{
    return store_gc_limited(store, &(struct store_gc_limits){ .flags = flags }, ret, err);
}
