/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a name of an image needs on disk, and no more: its blobs, each synced, and the directory
 * that has their names. A syncfs would write directory forms, other builds' layers and other
 * programs' data as well: 330 ms beside a form of 180 MB on ext4, where a base's blobs take 50.
 *
 * unsynced/BOOTID.synced says which of the names in unsynced/BOOTID need no more looking at as
 * blobs:
 *
 * 1. It lists the blobs among the first N bytes of that file that are still unsynced, and N. What
 *    stands there otherwise is durable, as a blob; as a form or a record it is as unsynced as
 * before.
 * 2. It is replaced as a whole, synced before its rename, and was made before the list was read: so
 *    blobs younger than it, whose names a crash took out of the list, are told by their time.
 * 3. Where it is missing, or not whole, all names count. It is removed before the list is changed
 *    otherwise than by appending (store_sync.c), both under the "sync" lock.
 * 4. With the first one the list is synced, too: from then on its birth is known after a crash.
 */
#include "base/force.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/tempfile.h"
#include "oci/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define SYNCED_MAX_SIZE ((size_t)64 << 20)
#define SYNCED_END "end "
/* A flush a file: from so many files on, and where less is dirty than that, one syncfs is cheaper.
 */
#define FILES_MAX 64
#define DIRTY_PER_FILE ((uint64_t)1 << 20)
#define SETTLED_DIRTY ((uint64_t)4 << 20)
#define SETTLED_AFTER                                                                              \
    35 /* seconds: by then the kernel has begun to write by itself (30, and 5)                     \
        */

char *store_synced_name(const char *boot)
{
    return xasprintf("%s" STORE_SYNCED_SUFFIX, boot);
}

/* "end N", filled up to the size of a name */
static bool parse_end(const char *line, uint64_t *n)
{
    if (strncmp(line, SYNCED_END, strlen(SYNCED_END)) != 0 || line[STORE_NAME_SIZE - 1] != '\n')
        return false;
    char *end;
    *n = strtoull(line + strlen(SYNCED_END), &end, 10);
    return end > line + strlen(SYNCED_END) && *end == ' ';
}

static int64_t birth(int fd)
{
    struct statx stx;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &stx) < 0 || !(stx.stx_mask & STATX_BTIME))
        return 0;
    return stx.stx_btime.tv_sec;
}

void store_synced_release(struct store_synced *synced)
{
    hashmap_release(&synced->unsynced);
}

int store_synced_read(const struct store *store, const char *boot, struct store_synced *ret,
                      struct error **err)
{
    AUTO(free) char *name = store_synced_name(boot);
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    hashmap_init(&ret->unsynced, NULL);
    ret->size = 0;
    AUTO(close) int fd = openat(store->unsynced_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? 0 : error_errno(err, "unsynced/%s", name);
    ret->since = birth(fd);
    if (io_read_all(fd, &text, SYNCED_MAX_SIZE, name, err) < 0)
        return -1;
    if (!ret->since || text.size < STORE_NAME_SIZE || text.size % STORE_NAME_SIZE != 0 ||
        !parse_end(text.data + text.size - STORE_NAME_SIZE, &ret->size))
        return 0;
    for (size_t at = 0; at + STORE_NAME_SIZE < text.size; at += STORE_NAME_SIZE)
        hashmap_putn(&ret->unsynced, text.data + at, STORE_NAME_SIZE - 1, ret);
    return 1;
}

/* Of one round: names of blobs. */
struct round {
    struct strvec sync, later; /* that a name needs; the others */
    off_t size;                /* of the list when it was read */
    bool is_first;             /* rule 4 */
};

static void round_release(struct round *round)
{
    strvec_release(&round->sync);
    strvec_release(&round->later);
}
DEFINE_AUTO_STRUCT(struct round, round_release)

/* The list, now that nobody is between appending and renaming. */
static int read_list(struct store *store, struct strbuf *text, struct error **err)
{
    AUTO(lockfile_release)
    struct lockfile *lock =
        store_lock_internal(store, STORE_LOCK_UNSYNCED, LOCK_MODE_EXCLUSIVE, err);
    if (!lock)
        return -1;
    if (fs_read_file(store->unsynced_fd, store->boot, text, STORE_NAMES_MAX_SIZE, err) == 0)
        return 0;
    if (!error_is(*err, ERR_NOT_FOUND))
        return -1;
    error_clear(err);
    return 0;
}

static void find_names(struct store *store, const struct strbuf *list,
                       const struct store_synced *synced, const struct hashmap *needed,
                       struct round *round)
{
    AUTO(hashmap_release) struct hashmap seen = HASHMAP_INIT(NULL);
    for (size_t at = 0; at + STORE_NAME_SIZE <= list->size; at += STORE_NAME_SIZE) {
        char hex[DIGEST_HEX_SIZE];
        struct stat st;
        memcpy(hex, list->data + at, STORE_NAME_SIZE - 1);
        hex[STORE_NAME_SIZE - 1] = '\0';
        if ((at < synced->size && !hashmap_has(&synced->unsynced, hex)) || hashmap_has(&seen, hex))
            continue;
        hashmap_put(&seen, hex, round);
        /* most others are forms */
        if (fstatat(store->dir_fds[STORE_BLOBS], hex, &st, AT_SYMLINK_NOFOLLOW) == 0)
            strvec_push(hashmap_has(needed, hex) ? &round->sync : &round->later, hex);
    }
    round->size = (off_t)(list->size / STORE_NAME_SIZE * STORE_NAME_SIZE);
}

/* What the kernel has to write yet, of all file systems; 0 where it doesn't say. */
static uint64_t dirty_size(void)
{
    static const char *const members[] = { "\nDirty:", "\nWriteback:" };
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(error_free) struct error *ignored = NULL;
    AUTO(close) int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || io_read_all(fd, &text, 1 << 16, "meminfo", &ignored) < 0)
        return 0;
    uint64_t sum = 0;
    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        const char *at = strstr(text.data, members[i]);
        sum += at ? strtoull(at + strlen(members[i]), NULL, 10) << 10 : 0;
    }
    return sum;
}

static bool all_at_once(const struct round *round)
{
    if (round->sync.n > FILES_MAX || force_has("no-file-sync"))
        return true;
    return !force_has("no-syncfs") && dirty_size() < round->sync.n * DIRTY_PER_FILE;
}

/*
 * What couldn't be written is lost, though it can still be read: its pages count as clean, so the
 * next fdatasync would say that all is well.
 */
static void drop_lost(struct store *store, const char *hex, struct error **why)
{
    error_wrap_(why, "syncing blob sha256:%s", hex);
    (void)unlinkat(store->dir_fds[STORE_BLOBS], hex, 0); /* as well as it goes: it is listed */
}

static void keep_first(struct error **err, struct error *why)
{
    if (*err)
        error_free(why);
    else
        error_move(err, why);
}

static int sync_file(int fd, struct error **err)
{
    return fdatasync(fd) < 0 ? error_errno(err, "writing it") : 0;
}

/* All of them, also after one is lost: the others that are would be found only one by one. */
static int settle_blobs(struct store *store, const struct strvec *names,
                        int (*settle)(int fd, struct error **err), struct error **err)
{
    int result = 0;
    for (size_t i = 0; i < names->n; i++) {
        AUTO(close)
        int fd =
            openat(store->dir_fds[STORE_BLOBS], names->items[i], O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        struct error *why = NULL;
        if (fd < 0 && errno == ENOENT)
            continue; /* collected: then no image that is to get a name needs it; or a form */
        if (fd < 0)
            error_errno_(&why, "blob sha256:%s", names->items[i]);
        else if (settle(fd, &why) == 0)
            continue;
        else
            drop_lost(store, names->items[i], &why);
        keep_first(err, why);
        result = -1;
    }
    return result;
}

static int sync_blobs(struct store *store, const struct strvec *names, struct error **err)
{
    int blobs = store->dir_fds[STORE_BLOBS];
    for (size_t i = 0; i < names->n; i++) {
        AUTO(close) int fd = openat(blobs, names->items[i], O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd >= 0)
            io_start_writeback(fd, 0, 0); /* all of them on the way before one is waited for */
    }
    if (settle_blobs(store, names, sync_file, err) < 0)
        return -1;
    return fsync(blobs) < 0 ? error_errno(err, "syncing blobs") : 0;
}

int store_check_written(struct store *store, const struct strvec *names, struct error **err)
{
    return settle_blobs(store, names, io_check_writeback, err);
}

/* Rule 4. */
static int sync_list(struct store *store, struct error **err)
{
    AUTO(close)
    int fd = openat(store->unsynced_fd, store->boot, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fdatasync(fd) < 0)
        return error_errno(err, "syncing unsynced/%s", store->boot);
    return 0;
}

static int write_synced(struct store *store, struct tempfile *file, const struct round *round,
                        struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(free) char *name = store_synced_name(store->boot);
    for (size_t i = 0; i < round->later.n; i++)
        strbuf_addf(&text, "%s\n", round->later.items[i]);
    strbuf_addf(&text, SYNCED_END "%-*" PRIu64 "\n",
                (int)(STORE_NAME_SIZE - 1 - strlen(SYNCED_END)), (uint64_t)round->size);
    if (io_write_full(tempfile_fd(file), text.data, text.size, name, err) < 0)
        return -1;
    if (fdatasync(tempfile_fd(file)) < 0)
        return error_errno(err, "syncing unsynced/%s", name);
    if ((round->is_first && sync_list(store, err) < 0) ||
        tempfile_commit(file, store->unsynced_fd, name, err) < 0)
        return -1;
    if (round->is_first && fsync(store->unsynced_fd) < 0)
        return error_errno(err, "syncing unsynced");
    return 0;
}

static int read_round(struct store *store, const struct hashmap *needed, struct round *round,
                      struct error **err)
{
    AUTO(store_synced_release) struct store_synced synced = { 0 };
    AUTO(strbuf_release) struct strbuf list = STRBUF_INIT;
    int has_synced = store_synced_read(store, store->boot, &synced, err);
    if (has_synced < 0 || read_list(store, &list, err) < 0)
        return -1;
    find_names(store, &list, &synced, needed, round);
    round->is_first = !has_synced;
    return 0;
}

/* 0 no, as a build finds that changed nothing; 1 file by file; 2 all at once */
static int needs_sync(struct store *store, const struct hashmap *names, struct error **err)
{
    AUTO(lockfile_release)
    struct lockfile *lock = store_lock_internal(store, STORE_LOCK_SYNC, LOCK_MODE_EXCLUSIVE, err);
    AUTO(round_release) struct round round = { .size = 0 };
    if (!lock || read_round(store, names, &round, err) < 0)
        return -1;
    if (!round.sync.n)
        return 0;
    return all_at_once(&round) ? 2 : 1;
}

static int sync_names(struct store *store, const struct hashmap *names, struct error **err)
{
    AUTO(lockfile_release)
    struct lockfile *lock = store_lock_internal(store, STORE_LOCK_SYNC, LOCK_MODE_EXCLUSIVE, err);
    AUTO(round_release) struct round round = { .size = 0 };
    /* rule 2: before the list is read */
    AUTO(tempfile_free)
    struct tempfile *file = tempfile_new(store->dir_fds[STORE_TMP], "synced", err);
    if (!lock || !file || read_round(store, names, &round, err) < 0)
        return -1;
    if (!round.sync.n)
        return 0;
    if (sync_blobs(store, &round.sync, err) < 0)
        return -1;
    return write_synced(store, file, &round, err);
}

int store_sync_names(struct store *store, const struct hashmap *names, struct error **err)
{
    int has = store_has_unsynced(store, err);
    if (has <= 0)
        return has;
    int needs = needs_sync(store, names, err);
    if (needs > 1)
        return store_sync(store, err);
    if (needs < 0 || (needs && sync_names(store, names, err) < 0))
        return error_wrap(err, "store %s", store->path);
    return 0;
}

int store_sync_settled(struct store *store, struct error **err)
{
    struct stat st;
    int there = fs_stat(store->unsynced_fd, store->boot, &st, err);
    if (there <= 0)
        return there;
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now); /* never fails */
    if (now.tv_sec - st.st_mtim.tv_sec < SETTLED_AFTER || dirty_size() > SETTLED_DIRTY)
        return 0;
    return store_sync(store, err);
}
