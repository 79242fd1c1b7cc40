/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After a crash of the machine: what an earlier boot's files in unsynced/ say may have lost its
 * content (store_sync.c, store_durable.c).
 *
 * Blobs are verified by their digest. Directory forms can't be, and are removed: they are made
 * again from blobs. Cache records stay when they are whole documents, so that no step runs again
 * for a machine that was merely switched off. Entry lists, digests of contents and stat records
 * carry checksums of their own, and their readers look.
 */
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "oci/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define CLOCK_SLACK 2 /* seconds that a time stamp may lag behind */
#define RECORD_MAX_SIZE ((size_t)1 << 20)

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
    struct hashmap names; /* hex */
    int64_t since;
};

static void suspects_release(struct suspects *suspects)
{
    hashmap_release(&suspects->names);
}
DEFINE_AUTO_STRUCT(struct suspects, suspects_release)

static bool is_suspect(const struct suspects *suspects, const char *hex, const struct stat *st)
{
    return st->st_ctime >= suspects->since || hashmap_has(&suspects->names, hex);
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

/* A step's record is whole, or it is gone; of inputs nothing but an explanation hangs on. */
static int act_check_record(struct store *store UNUSED, int dir_fd, const char *name,
                            struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(error_free) struct error *damage = NULL;
    uint8_t ignored[SHA256_SIZE];
    if (fs_read_file(dir_fd, name, &text, RECORD_MAX_SIZE, &damage) < 0)
        return 0; /* inputs may be larger; what can't be read is a miss for its reader as well */
    if (!sha256_from_hex(name, strlen(name), ignored))
        return text.size && text.data[0] ? 0 : fs_unlink(dir_fd, name, err);
    AUTO(json_decref) json_t *record = json_parse_object(text.data, text.size, &damage);
    return record ? 0 : fs_unlink(dir_fd, name, err);
}

/*
 * Digests that choices of files had aren't bound to what they are of. The others are: stat records
 * have checksums, a shape is but a name, and a trail decides nothing.
 */
static int act_remove_selection(struct store *store, int dir_fd, const char *name,
                                struct error **err)
{
    return strncmp(name, "from-", 5) == 0 ? act_remove(store, dir_fd, name, err) : 0;
}

/* What a list says of all things, and what the file beside it leaves of the blobs. */
static int read_suspects(struct store *store, const char *file, struct suspects *all,
                         struct suspects *blobs, struct error **err)
{
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    AUTO(store_synced_release) struct store_synced synced = { 0 };
    all->since = blobs->since = suspect_since(store->unsynced_fd, file);
    if (store_read_names(store->unsynced_fd, file, &names, err) < 0)
        return -1;
    int has_synced = store_synced_read(store, file, &synced, err);
    if (has_synced < 0)
        return -1;
    if (has_synced)
        blobs->since = synced.since - CLOCK_SLACK;
    size_t n_known = (size_t)(synced.size / STORE_NAME_SIZE);
    for (size_t i = 0; i < names.n; i++) {
        hashmap_put(&all->names, names.items[i], store);
        if (i >= n_known || hashmap_has(&synced.unsynced, names.items[i]))
            hashmap_put(&blobs->names, names.items[i], store);
    }
    for (struct hashmap_entry *e = NULL; (e = hashmap_next(&synced.unsynced, e));)
        hashmap_put(&blobs->names, e->key, store);
    return 0;
}

static int recover_boot(struct store *store, const char *file, struct error **err)
{
    AUTO(suspects_release) struct suspects all = { 0 };
    AUTO(suspects_release) struct suspects blobs = { 0 };
    AUTO(free) char *synced = store_synced_name(file);
    hashmap_init(&all.names, NULL);
    hashmap_init(&blobs.names, NULL);
    if (read_suspects(store, file, &all, &blobs, err) < 0 ||
        for_suspects(store, store->dir_fds[STORE_BLOBS], &blobs, act_verify, err) < 0 ||
        remove_suspect_forms(store, &all, err) < 0 ||
        for_suspects(store, store->dir_fds[STORE_CACHE_RECORDS], &all, act_check_record, err) < 0 ||
        for_suspects(store, store->dir_fds[STORE_CACHE_CONTEXTS], &all, act_remove_selection, err) <
            0)
        return -1;
    /* what is verified now may still be in memory only */
    if (syncfs(store->dir_fds[STORE_ROOT]) < 0)
        return error_errno(err, "syncing");
    /* the list last: without it, the other one says nothing */
    return fs_unlink(store->unsynced_fd, synced, err) < 0
               ? -1
               : fs_unlink(store->unsynced_fd, file, err);
}

/* A list, not the file beside one. */
static bool is_list(const char *file)
{
    size_t size = strlen(file), suffix = strlen(STORE_SYNCED_SUFFIX);
    return size <= suffix || strcmp(file + size - suffix, STORE_SYNCED_SUFFIX) != 0;
}

static bool is_earlier_boot(const struct store *store, const char *file)
{
    return is_list(file) && (strcmp(file, store->boot) != 0 || !store_boot(store));
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
