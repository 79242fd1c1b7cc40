/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/store.h"

#include "base/fs.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/strvec.h"
#include "oci/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#define FORMAT 1
#define FORMAT_FILE "cbuild-store"
#define LAYOUT_FILE "oci-layout"
#define LAYOUT_TEXT "{\"imageLayoutVersion\":\"1.0.0\"}"

/*
 * The image layout is for every tool to read. All else is the owner's alone: directory forms hold
 * setuid files that must not be reachable by others, cache mounts what builds left there.
 */
static const struct {
    const char *path;
    mode_t mode;
} dirs[STORE_N_DIRS] = {
    [STORE_ROOT] = { ".", 0755 },
    [STORE_BLOBS] = { "blobs/sha256", 0755 },
    [STORE_ENTRIES] = { "entries", 0700 },
    [STORE_PARTIAL] = { "partial", 0700 },
    [STORE_LAYERS] = { "layers", 0700 },
    [STORE_CACHE_RECORDS] = { "cache/records", 0700 },
    [STORE_CACHE_CONTEXTS] = { "cache/contexts", 0700 },
    [STORE_CACHE_MOUNTS] = { "cache/mounts", 0700 },
    [STORE_LEASES] = { "leases", 0700 },
    [STORE_TMP] = { "tmp", 0700 },
    [STORE_TAGS] = { "tags", 0700 },
    [STORE_SOURCES] = { "sources", 0700 },
};

char *store_default_path(struct error **err)
{
    const char *root = getenv("CBUILD_ROOT");
    if (root && *root)
        return xstrdup(root);
    if (geteuid() == 0)
        return xstrdup("/var/lib/cbuild");
    const char *data = getenv("XDG_DATA_HOME");
    if (data && *data == '/')
        return xasprintf("%s/cbuild", data);
    const char *home = getenv("HOME");
    if (home && *home == '/')
        return xasprintf("%s/.local/share/cbuild", home);
    error_set_(err, ERR_USAGE,
               "place of the store: neither CBUILD_ROOT, XDG_DATA_HOME nor HOME set");
    return NULL;
}

/* A directory that we may make a store in: empty but for what a killed attempt leaves. */
static int check_is_empty(struct store *store, struct error **err)
{
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    if (fs_list_fd(store->dir_fds[STORE_ROOT], &names, store->path, err) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++) {
        const char *name = names.items[i];
        if (strncmp(name, FS_TEMP_PREFIX, strlen(FS_TEMP_PREFIX)) == 0 ||
            strcmp(name, "lost+found") == 0)
            continue;
        error_set_(err, ERR_STORE, "%s: not a cbuild store, and not empty", store->path);
        error_hint(err, "name an empty or new directory with CBUILD_ROOT or --root");
        return -1;
    }
    return 0;
}

static int write_root_file(struct store *store, const char *name, const char *text,
                           struct error **err)
{
    return fs_write_file(store->dir_fds[STORE_ROOT], name, text, strlen(text), 0644, err);
}

/* 1 there is a store; 0 none, and room for one. Another process may be making it meanwhile. */
static int find_store(struct store *store, struct error **err)
{
    int root = store->dir_fds[STORE_ROOT];
    struct stat st;
    AUTO(error_free) struct error *not_empty = NULL;
    int there = fs_stat(root, FORMAT_FILE, &st, err);
    if (there != 0)
        return there;
    if (check_is_empty(store, &not_empty) == 0)
        return 0;
    /* the format file comes first, so what else was made between the two looks has it beside it */
    there = fs_stat(root, FORMAT_FILE, &st, err);
    if (there != 0)
        return there;
    error_move(err, TAKE(not_empty));
    return -1;
}

/* 1 an existing store of our format, 0 a new one */
static int check_format(struct store *store, struct error **err)
{
    int root = store->dir_fds[STORE_ROOT];
    int there = find_store(store, err);
    if (there <= 0)
        return there;
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    if (fs_read_file(root, FORMAT_FILE, &text, 4096, err) < 0)
        return -1;
    char *end;
    long format = strtol(text.data, &end, 10);
    if (end == text.data || *end != '\n' || format < 1)
        return error_set(err, ERR_STORE, "%s: damaged: expected a format number", FORMAT_FILE);
    if (format > FORMAT) {
        error_set_(err, ERR_STORE, "store format %ld: this cbuild knows formats up to %d", format,
                   FORMAT);
        error_hint(err, "use a newer cbuild, or another store with CBUILD_ROOT or --root");
        return -1;
    }
    return 1;
}

/* The folder's fd; makes it, except beneath a store that we may only read: -1 without error there.
 */
static int open_dir(struct store *store, const char *path, mode_t mode, struct error **err)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;
    int root = store->dir_fds[STORE_ROOT];
    int fd = openat(root, path, flags);
    if (fd >= 0 || (store->read_only && errno == ENOENT))
        return fd;
    if (errno == ENOENT) {
        if (fs_mkdirs(root, path, mode, err) < 0)
            return -1;
        fd = openat(root, path, flags);
    }
    return fd < 0 ? error_errno(err, "%s/%s", store->path, path) : fd;
}

static int open_dirs(struct store *store, struct error **err)
{
    for (int i = STORE_ROOT + 1; i < STORE_N_DIRS; i++) {
        store->dir_fds[i] = open_dir(store, dirs[i].path, dirs[i].mode, err);
        if (*err)
            return -1;
    }
    store->tmp_fd = store->dir_fds[STORE_TMP];
    store->dir_fds[STORE_TMP] = store->tmp_fd < 0 ? -1 : io_dup(store->tmp_fd, err);
    if (!*err)
        store->locks_fd = open_dir(store, "locks", 0700, err);
    if (!*err)
        store->unsynced_fd = open_dir(store, "unsynced", 0700, err);
    return *err ? -1 : 0;
}

/* The format file comes first: a directory that has it is a store, however far its making came. */
static int create(struct store *store, struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    strbuf_addf(&text, "%d\n", FORMAT);
    return write_root_file(store, FORMAT_FILE, text.data, err);
}

static int complete_layout(struct store *store, struct error **err)
{
    struct stat st;
    int there = fs_stat(store->dir_fds[STORE_ROOT], LAYOUT_FILE, &st, err);
    if (there < 0)
        return -1;
    if ((!there || st.st_size == 0) && write_root_file(store, LAYOUT_FILE, LAYOUT_TEXT, err) < 0)
        return -1;
    if (store_index_refresh(store, err) == 0)
        return 0;
    if (!error_is(*err, ERR_NO_SPACE))
        return -1;
    error_clear(err); /* derived: it can wait until somebody made room */
    return 0;
}

/* mkdir -p of the user's own choice of path: links in it are followed. */
static int make_root(const char *path, struct error **err)
{
    AUTO(free) char *copy = xstrdup(path);
    for (char *end = copy + 1; *copy; end++) {
        if (*end && *end != '/')
            continue;
        char saved = *end;
        *end = '\0';
        if (mkdir(copy, 0755) < 0 && errno != EEXIST && errno != EISDIR)
            return error_errno(err, "making directory %s", copy);
        if (!saved)
            break;
        *end = saved;
    }
    return 0;
}

static int open_root(struct store *store, struct error **err)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    int fd = open(store->path, flags);
    if (fd < 0 && errno == ENOENT) {
        if (make_root(store->path, err) < 0)
            return -1;
        fd = open(store->path, flags);
    }
    if (fd < 0)
        return error_errno(err, "opening the directory");
    store->dir_fds[STORE_ROOT] = fd;
    store->read_only = faccessat(fd, ".", W_OK, AT_EACCESS) < 0;
    return 0;
}

/* Names this boot; where it has no name, every boot counts as another one. */
static void find_boot(struct store *store)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(error_free) struct error *ignored = NULL; /* /proc may be missing */
    AUTO(close) int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && io_read_all(fd, &text, 128, "boot id", &ignored) < 0)
        strbuf_reset(&text);
    strbuf_rtrim(&text);
    bool usable = text.size && !strchr(text.data, '/') && text.data[0] != '.';
    store->boot = xstrdup(usable ? text.data : UNKNOWN_BOOT);
}

const char *store_boot(const struct store *store)
{
    return strcmp(store->boot, UNKNOWN_BOOT) != 0 ? store->boot : NULL;
}

static int open_parts(struct store *store, struct error **err)
{
    if (open_root(store, err) < 0)
        return -1;
    int existing = check_format(store, err);
    if (existing < 0 || (!existing && create(store, err) < 0) || open_dirs(store, err) < 0)
        return -1;
    find_boot(store);
    if (store->read_only)
        return 0;
    if (store_recover(store, err) < 0 || store_sweep_processes(store, err) < 0 ||
        store_process_register(store, err) < 0)
        return -1;
    return complete_layout(store, err);
}

static struct store *store_alloc(void)
{
    struct store *store = NEW(struct store);
    for (int i = 0; i < STORE_N_DIRS; i++)
        store->dir_fds[i] = -1;
    store->tmp_fd = store->locks_fd = store->unsynced_fd = store->lease_fd = -1;
    store->spill = (struct spill)SPILL_INIT(-1, SPILL_MOST);
    pthread_mutex_init(&store->lease_mutex, NULL);
    hashmap_init(&store->leased, NULL);
    return store;
}

struct store *store_open(const char *path, struct error **err)
{
    AUTO(store_close) struct store *store = store_alloc();
    store->path = path ? xstrdup(path) : store_default_path(err);
    if (!store->path)
        return NULL;
    if (open_parts(store, err) < 0)
        return error_wrap_null(err, "store %s", store->path);
    if (!store->read_only)
        store->spill.dir_fd = store->dir_fds[STORE_TMP];
    return TAKE(store);
}

struct spill *store_spill(struct store *store)
{
    return store ? &store->spill : NULL;
}

void store_grew(struct store *store, uint64_t size)
{
    atomic_fetch_add(&store->grown, size);
}

/* Rounded up, so that many small builds count as well. Only steers collecting: a failure loses
 * little. */
static void record_growth(struct store *store)
{
    uint64_t size = atomic_load(&store->grown);
    uint64_t n = size / ((uint64_t)1 << 20) + 1;
    if (!size || n > ((uint64_t)1 << 24))
        return;
    AUTO(close)
    int fd = openat(store->dir_fds[STORE_ROOT], STORE_GROWTH_FILE,
                    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    AUTO(free) char *marks = xcalloc(n, 1);
    memset(marks, '.', n);
    AUTO(error_free) struct error *ignored = NULL;
    if (fd >= 0)
        (void)!io_write_full(fd, marks, n, STORE_GROWTH_FILE, &ignored);
}

void store_close(struct store *store)
{
    if (!store)
        return;
    record_growth(store);
    store_process_unregister(store);
    for (int i = 0; i < STORE_N_DIRS; i++)
        close_auto(&store->dir_fds[i]);
    close_auto(&store->tmp_fd);
    close_auto(&store->locks_fd);
    close_auto(&store->unsynced_fd);
    pthread_mutex_destroy(&store->lease_mutex);
    hashmap_release(&store->leased);
    free(store->boot);
    free(store->path);
    free(store);
}

const char *store_path(const struct store *store)
{
    return store->path;
}

int store_dir_fd(const struct store *store, enum store_dir dir)
{
    return store->dir_fds[dir];
}

void store_set_wait(struct store *store, const struct lock_wait *wait)
{
    store->wait = wait ? *wait : (struct lock_wait){ NULL, NULL };
}

const struct lock_wait *store_wait(const struct store *store)
{
    return &store->wait;
}

struct lockfile *store_lock_internal(const struct store *store, const char *name,
                                     enum lock_mode mode, struct error **err)
{
    return lockfile_acquire(store->locks_fd, name, mode, &store->wait, err);
}

struct lockfile *store_lock(struct store *store, const char *name, struct error **err)
{
    return store_lock_internal(store, name, LOCK_MODE_EXCLUSIVE, err);
}

struct lockfile *store_lock_unless(struct store *store, const char *name,
                                   int (*check)(void *data, struct error **err), void *data,
                                   struct error **err)
{
    struct lock_wait wait = store->wait;
    wait.check = check;
    wait.check_data = data;
    return lockfile_acquire(store->locks_fd, name, LOCK_MODE_EXCLUSIVE, &wait, err);
}

int store_try_lock(struct store *store, const char *name, struct lockfile **lock,
                   struct error **err)
{
    return lockfile_try(store->locks_fd, name, LOCK_MODE_EXCLUSIVE, lock, err);
}

bool store_has_blob(const struct store *store, const struct digest *digest, uint64_t *size)
{
    char name[DIGEST_HEX_SIZE];
    digest_format_hex(digest, name);
    struct stat st;
    if (fstatat(store->dir_fds[STORE_BLOBS], name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        !S_ISREG(st.st_mode))
        return false;
    if (size)
        *size = (uint64_t)st.st_size;
    return true;
}

int store_open_blob(const struct store *store, const struct digest *digest, struct error **err)
{
    char name[DIGEST_HEX_SIZE];
    digest_format_hex(digest, name);
    int fd = openat(store->dir_fds[STORE_BLOBS], name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0)
        return fd;
    if (errno == ENOENT)
        return error_set(err, ERR_NOT_FOUND, "blob sha256:%s: not in store %s", name, store->path);
    return error_errno(err, "blob sha256:%s", name);
}

int store_read_blob(const struct store *store, const struct digest *digest, size_t max,
                    struct strbuf *buf, struct error **err)
{
    AUTO(close) int fd = store_open_blob(store, digest, err);
    if (fd < 0)
        return -1;
    char name[DIGEST_TEXT_SIZE];
    digest_format(digest, name);
    size_t start = buf->size;
    if (io_read_all(fd, buf, max, "blob", err) < 0) {
        strbuf_set_size(buf, start);
        return error_wrap(err, "blob %s", name);
    }
    struct digest got = digest_of(buf->data + start, buf->size - start);
    if (digest_equal(&got, digest))
        return 0;
    strbuf_set_size(buf, start);
    error_set_(err, ERR_DIGEST, "blob %s: its content in store %s is damaged", name, store->path);
    error_hint(err, "`cbuild fsck --repair` removes damaged blobs; pull or build them again");
    return -1;
}

int store_read_names(int dir_fd, const char *file, struct strvec *names, struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    if (fs_read_file(dir_fd, file, &text, STORE_NAMES_MAX_SIZE, err) < 0)
        return -1;
    uint8_t ignored[SHA256_SIZE];
    for (size_t i = 0; i + STORE_NAME_SIZE <= text.size; i += STORE_NAME_SIZE)
        if (sha256_from_hex(text.data + i, STORE_NAME_SIZE - 1, ignored))
            strvec_pushn(names, text.data + i, STORE_NAME_SIZE - 1);
    return 0;
}
