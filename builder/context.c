/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/context.h"

#include "base/fs.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/path.h"
#include "builder/context_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define CAPABILITY "security.capability"
#define CAPABILITY_MAX 64

static struct context *context_alloc(struct store *store, const char *path)
{
    struct context *context = NEW(struct context);
    context->path = xstrdup(path);
    context->fd = -1;
    context->store = store;
    pthread_mutex_init(&context->lock, NULL);
    hashmap_init(&context->capabilities, NULL);
    context->arena.spill = store_spill(store);
    return context;
}

/* Stat records belong to a directory at a place: a copy or another disk has its own. */
static char *records_name(int fd, const char *path, struct error **err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_errno_null(err, "looking at %s", path);
    AUTO(free) char *real = realpath(path, NULL);
    AUTO(free)
    char *text = xasprintf("%llu %llu %s", (unsigned long long)st.st_dev,
                           (unsigned long long)st.st_ino, real ? real : path);
    struct digest digest = digest_of(text, strlen(text));
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(&digest, hex);
    return xstrdup(hex);
}

/* What the stat records are made of. */
static void get_content(void *data, const void *item, struct file_content *ret)
{
    const struct context_file *file = item;
    ret->file = context_file_identity(data, file);
    ret->digest = atomic_load(&file->digest); /* it was known before it was put */
}

struct context *context_open(struct store *store, const char *path, struct dockerignore *ignore,
                             struct error **err)
{
    AUTO(context_free) struct context *context = context_alloc(store, path);
    context->ignore = ignore;
    context->fd = fs_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, err);
    if (context->fd < 0) {
        if (error_errno_value(*err) == ENOTDIR) {
            error_clear(err);
            return error_set_null(err, ERR_INVALID, "build context %s: not a directory", path);
        }
        return error_wrap_null(err, "build context");
    }
    AUTO(free) char *name = records_name(context->fd, path, err);
    if (!name)
        return error_wrap_null(err, "build context");
    context->cache =
        context_cache_open(store_dir_fd(store, STORE_CACHE_CONTEXTS), name, get_content, context);
    return TAKE(context);
}

struct context *context_adopt(struct store *store, const char *name, int fd)
{
    struct context *context = context_alloc(store, name);
    context->fd = fd;
    return context;
}

struct context *context_empty(struct store *store)
{
    return context_alloc(store, "-");
}

static void viewers_free(struct context *context)
{
    while (context->viewers) {
        struct context_viewer *viewer = context->viewers;
        context->viewers = viewer->next;
        arena_release(&viewer->arena);
        free(viewer);
    }
}

void context_free(struct context *context)
{
    if (!context)
        return;
    if (context->cache) {
        AUTO(error_free) struct error *ignored = NULL;
        if (context_cache_write(context->cache, &ignored) < 0)
            error_clear(&ignored); /* the files are read again next time */
        context_cache_free(context->cache);
    }
    viewers_free(context);
    for (size_t i = 0; i < SEGMENTS_MOST; i++)
        spill_free(context->arena.spill, context->segments[i]);
    for (size_t i = 0; i < DISK_SEGMENTS_MOST; i++)
        free(context->disks[i]);
    hashmap_release(&context->capabilities);
    arena_release(&context->arena);
    close_auto(&context->fd);
    dockerignore_free(context->ignore);
    pthread_mutex_destroy(&context->lock);
    free(context->path);
    free(context);
}

void context_set_time(struct context *context, int64_t seconds)
{
    context->time = seconds;
    context->has_time = true;
}

bool context_time(const struct context *context, int64_t *seconds)
{
    if (context->has_time)
        *seconds = context->time;
    return context->has_time;
}

void context_set_threads(struct context *context, unsigned n)
{
    context->n_threads = n;
}

void context_use_git_modes(struct context *context)
{
    context->git_modes = true;
}

const char *context_path(const struct context *context)
{
    return context->path;
}

int context_fd(const struct context *context)
{
    return context->fd;
}

struct store *context_store(const struct context *context)
{
    return context->store;
}

const struct dockerignore *context_ignore(const struct context *context)
{
    return context->ignore;
}

/* Where the thing of this index (from 0) stands in segments of which each has twice the room of the
 * one before, the first for `least`. */
static int segment_of(uint64_t index, uint64_t least, uint64_t *within)
{
    int segment = 63 - __builtin_clzll(index / least + 1);
    *within = index - least * ((UINT64_C(1) << segment) - 1);
    return segment;
}

static struct context_file *file_at(const struct context *context, uint64_t number)
{
    uint64_t within;
    int segment = segment_of(number - 1, FILES_AT_ONCE, &within);
    return &context->segments[segment][within];
}

static dev_t *disk_at(const struct context *context, size_t index)
{
    uint64_t within;
    int segment = segment_of(index, DISKS_AT_ONCE, &within);
    return &context->disks[segment][within];
}

struct context_file *context_file_of(struct context *context, const struct entry *entry)
{
    bool is_ours = entry->content && entry->content <= atomic_load(&context->n_numbers);
    return is_ours ? file_at(context, entry->content) : NULL;
}

struct file_identity context_file_identity(const struct context *context,
                                           const struct context_file *file)
{
    return (struct file_identity){ .device = *disk_at(context, file->disk),
                                   .inode = file->inode,
                                   .size = file->size,
                                   .mtime_ns = file_time_ns(file->mtime, file->mtime_ns),
                                   .ctime_ns = file->ctime_ns };
}

/* --- seeing --- */

struct context_viewer *context_viewer_take(struct context *context)
{
    pthread_mutex_lock(&context->lock);
    struct context_viewer *viewer = context->viewers;
    if (viewer)
        context->viewers = viewer->next;
    pthread_mutex_unlock(&context->lock);
    if (!viewer) {
        viewer = NEW(struct context_viewer);
        viewer->context = context;
        viewer->next_number = 1;
        viewer->arena.spill = context->arena.spill;
    }
    return viewer;
}

void context_viewer_return(struct context_viewer *viewer)
{
    struct context *context = viewer->context;
    pthread_mutex_lock(&context->lock);
    viewer->next = context->viewers;
    context->viewers = viewer;
    pthread_mutex_unlock(&context->lock);
}

/* The next FILES_AT_ONCE numbers, which lie in one segment. */
static void take_numbers(struct context_viewer *viewer)
{
    struct context *context = viewer->context;
    pthread_mutex_lock(&context->lock);
    uint64_t n = atomic_load(&context->n_numbers), within;
    int segment = segment_of(n, FILES_AT_ONCE, &within);
    if (!context->segments[segment])
        context->segments[segment] = spill_alloc(
            context->arena.spill, ((size_t)FILES_AT_ONCE << segment) * sizeof(struct context_file));
    atomic_store(&context->n_numbers, n + FILES_AT_ONCE);
    pthread_mutex_unlock(&context->lock);
    viewer->next_number = n + 1;
    viewer->last_number = n + FILES_AT_ONCE;
}

/* The lock is held. */
static void add_disk(struct context *context, dev_t device)
{
    uint64_t within;
    int segment = segment_of(context->n_disks, DISKS_AT_ONCE, &within);
    if (!within)
        context->disks[segment] = xcalloc((size_t)DISKS_AT_ONCE << segment, sizeof(dev_t));
    context->disks[segment][within] = device;
    context->n_disks++;
}

static int find_disk(struct context_viewer *viewer, dev_t device, struct error **err)
{
    struct context *context = viewer->context;
    if (viewer->has_disk && viewer->device == device)
        return 0;
    pthread_mutex_lock(&context->lock);
    size_t i = 0;
    while (i < context->n_disks && *disk_at(context, i) != device)
        i++;
    bool has_room = i <= UINT16_MAX;
    if (has_room && i == context->n_disks)
        add_disk(context, device);
    pthread_mutex_unlock(&context->lock);
    if (!has_room)
        return error_set(err, ERR_LIMIT, "more than %d file systems", UINT16_MAX);
    viewer->device = device;
    viewer->disk = (uint16_t)i;
    viewer->has_disk = true;
    return 0;
}

/*
 * A capability with the id of its namespace's root (revision 3) is one of the image's root when
 * that id is 0: written as revision 2, which means the same anywhere. capabilities(7)
 */
static void set_capability(struct context_viewer *viewer, struct context_file *file, uint8_t *value,
                           size_t size)
{
    static const char name[] = CAPABILITY;
    static const uint8_t no_root[4];
    struct context *context = viewer->context;
    if (size == 24 && value[3] == 3 && memcmp(value + 20, no_root, sizeof(no_root)) == 0) {
        value[3] = 2;
        size = 20;
    }
    struct xattr *xattr = arena_alloc(&viewer->arena, sizeof(*xattr));
    xattr->name = arena_text(&viewer->arena, name, sizeof(name) - 1);
    xattr->value = arena_alloc(&viewer->arena, size);
    memcpy(xattr->value, value, size);
    xattr->size = size;
    file->has_capability = true;
    pthread_mutex_lock(&context->lock);
    hashmap_putn(&context->capabilities, &file, sizeof(file), xattr);
    pthread_mutex_unlock(&context->lock);
}

static struct xattr *capability_of(struct context *context, const struct context_file *file)
{
    if (!file->has_capability)
        return NULL;
    pthread_mutex_lock(&context->lock);
    struct xattr *xattr = hashmap_getn(&context->capabilities, &file, sizeof(file));
    pthread_mutex_unlock(&context->lock);
    return xattr;
}

/*
 * Only where it could matter: each call costs as much as the stat. By name, because opening
 * a file that isn't read would be the expensive part.
 */
static int read_capability(struct context_viewer *viewer, int dir_fd, const char *name,
                           const struct stat *st, struct context_file *file, struct error **err)
{
    struct context *context = viewer->context;
    if (!(st->st_mode & 0111) || atomic_load(&context->device_without_xattrs) == st->st_dev)
        return 0;
    uint8_t value[CAPABILITY_MAX];
    AUTO(free) char *path = xasprintf("/proc/self/fd/%d/%s", dir_fd, name);
    ssize_t size = lgetxattr(path, CAPABILITY, value, sizeof(value));
    if (size > 0)
        set_capability(viewer, file, value, (size_t)size);
    if (size >= 0 || errno == ENODATA || errno == ENOENT)
        return 0;
    if (errno != ENOTSUP)
        return error_errno(err, "reading %s of %s", CAPABILITY, file->path);
    atomic_store(&context->device_without_xattrs, st->st_dev);
    return 0;
}

static int see_file(struct context_viewer *viewer, int dir_fd, const char *name,
                    const struct stat *st, struct context_file *file, struct error **err)
{
    if (find_disk(viewer, st->st_dev, err) < 0)
        return -1;
    file->type = ENTRY_FILE;
    file->disk = viewer->disk;
    file->inode = st->st_ino;
    file->size = (uint64_t)st->st_size;
    file->has_other_names = st->st_nlink > 1;
    (void)context_file_digest(viewer->context, file,
                              &viewer->near); /* here, since many threads see */
    return read_capability(viewer, dir_fd, name, st, file, err);
}

static int set_type(struct context_viewer *viewer, int dir_fd, const char *name,
                    const struct stat *st, struct context_file *file, struct error **err)
{
    switch (st->st_mode & S_IFMT) {
    case S_IFREG:
        return see_file(viewer, dir_fd, name, st, file, err);
    case S_IFDIR:
        file->type = ENTRY_DIRECTORY;
        return 0;
    case S_IFLNK: {
        AUTO(free) char *link = fs_read_link(dir_fd, name, err);
        if (!link)
            return -1;
        file->type = ENTRY_SYMLINK;
        file->link = arena_text(&viewer->arena, link, strlen(link));
        return 0;
    }
    case S_IFIFO:
        file->type = ENTRY_FIFO;
        return 0;
    default:
        file->type = S_ISCHR(st->st_mode) ? ENTRY_CHAR : ENTRY_BLOCK;
        file->device[0] = major(st->st_rdev);
        file->device[1] = minor(st->st_rdev);
        return 0;
    }
}

static mode_t mode_of(const struct context *context, const struct stat *st)
{
    if (context->git_modes && S_ISDIR(st->st_mode))
        return 0755;
    if (context->git_modes && S_ISREG(st->st_mode))
        return st->st_mode & S_IXUSR ? 0755 : 0644;
    return st->st_mode & 07777;
}

static const char *keep_path(struct context_viewer *viewer, const char *dir, const char *name)
{
    size_t dir_size = strlen(dir), name_size = strlen(name);
    char *path = arena_room(&viewer->arena, dir_size + name_size + 2);
    char *end = mempcpy(path, dir, dir_size);
    if (dir_size)
        *end++ = '/';
    memcpy(end, name, name_size + 1);
    return path;
}

int context_see(struct context_viewer *viewer, int dir_fd, const char *dir, const char *name,
                const struct stat *st, uint64_t *ret, struct error **err)
{
    bool is_root = !dir[0] && !strcmp(name, ".");
    if (viewer->next_number > viewer->last_number)
        take_numbers(viewer);
    uint64_t number = viewer->next_number++;
    struct context_file *file = file_at(viewer->context, number);
    /* all of it at once: a new page that is read before it is written costs twice, and interrupts
     * the other threads */
    *file = (struct context_file){
        .path = keep_path(viewer, dir, is_root ? "" : name),
        .ctime_ns = file_time_ns(st->st_ctim.tv_sec, st->st_ctim.tv_nsec),
        .mtime = st->st_mtim.tv_sec,
        .mtime_ns = (uint32_t)st->st_mtim.tv_nsec & 0x3fffffff, /* below 10^9: all of it */
        .mode = (uint16_t)mode_of(viewer->context, st) & 07777,
    };
    if (set_type(viewer, dir_fd, name, st, file, err) < 0)
        return error_wrap(err, "build context");
    *ret = number;
    return 0;
}

void context_entry(struct context *context, uint64_t number, struct entry *ret)
{
    const struct context_file *file = file_at(context, number);
    *ret = (struct entry){ .path = (char *)(uintptr_t)file->path,
                           .type = (enum entry_type)file->type,
                           .mode = file->mode,
                           .mtime = file->mtime,
                           .content = number };
    if (ret->type == ENTRY_FILE) {
        ret->size = file->size;
        ret->xattrs = capability_of(context, file);
        ret->n_xattrs = ret->xattrs != NULL;
    }
    if (ret->type == ENTRY_SYMLINK)
        ret->link = (char *)(uintptr_t)file->link;
    if (ret->type == ENTRY_CHAR || ret->type == ENTRY_BLOCK) {
        ret->dev_major = file->device[0];
        ret->dev_minor = file->device[1];
    }
}

/* --- looking --- */

int context_open_dir(struct context *context, const char *path, struct error **err)
{
    if (!path[0])
        return fs_open(context->fd, ".", O_RDONLY | O_DIRECTORY, 0, err);
    return fs_open_beneath(context->fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, err);
}

/* 1 there, with the directory that holds it opened; 0 not there. */
static int find(struct context *context, const char *path, int *dir_fd, struct stat *st,
                struct error **err)
{
    if (context->fd < 0)
        return 0;
    AUTO(free) char *dir = path_dir(path);
    AUTO(error_free) struct error *error = NULL;
    AUTO(close) int fd = context_open_dir(context, dir, &error);
    if (fd < 0) {
        int number = error_errno_value(error);
        if (number == ENOENT || number == ENOTDIR || number == ELOOP)
            return 0;
        error_move(err, TAKE(error));
        return error_wrap(err, "build context");
    }
    int found = fs_stat(fd, path[0] ? path_base(path) : ".", st, err);
    if (found > 0)
        *dir_fd = take_fd(&fd);
    return found;
}

static int see(struct context *context, int dir_fd, const char *path, const struct stat *st,
               uint64_t *ret, struct error **err)
{
    AUTO(free) char *dir = path_dir(path);
    struct context_viewer *viewer = context_viewer_take(context);
    int result = context_see(viewer, dir_fd, dir, path[0] ? path_base(path) : ".", st, ret, err);
    context_viewer_return(viewer);
    return result;
}

int context_stat(struct context *context, const char *path, enum context_found *found,
                 struct entry *ret, char **why, struct error **err)
{
    AUTO(close) int dir_fd = -1;
    struct stat st;
    int there = find(context, path, &dir_fd, &st, err);
    if (there < 0)
        return -1;
    if (!there || S_ISSOCK(st.st_mode)) {
        if (there && why)
            *why = xstrdup("is a socket");
        *found = CONTEXT_ABSENT;
        return 0;
    }
    bool excluded;
    uint64_t number = 0;
    if (context_is_excluded(context, path, S_ISDIR(st.st_mode), &excluded, err) < 0 ||
        see(context, dir_fd, path, &st, &number, err) < 0)
        return -1;
    struct entry seen;
    context_entry(context, number, &seen);
    entry_copy(ret, &seen);
    if (excluded && why)
        *why = dockerignore_explain(context->ignore, path);
    *found = excluded ? CONTEXT_EXCLUDED : CONTEXT_FOUND;
    return 0;
}

char *context_link_key(struct context *context, const struct entry *entry)
{
    const struct context_file *file = context_file_of(context, entry);
    if (!file || file->type != ENTRY_FILE || !file->has_other_names)
        return NULL;
    struct file_identity identity = context_file_identity(context, file);
    return xasprintf("%llx:%llx", (unsigned long long)identity.device,
                     (unsigned long long)identity.inode);
}
