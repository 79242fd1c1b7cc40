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
    context->cache = context_cache_open(store_dir_fd(store, STORE_CACHE_CONTEXTS), name);
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
    for (size_t i = 0; i < context->n_blocks; i++)
        free(context->blocks[i]);
    free(context->blocks);
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

/* number: 1 to n_files; the lock is held. */
static struct context_file *file_at(const struct context *context, uint64_t number)
{
    size_t index = number - 1;
    return &context->blocks[index / FILES_AT_ONCE][index % FILES_AT_ONCE];
}

struct context_file *context_file_of(struct context *context, const struct entry *entry)
{
    pthread_mutex_lock(&context->lock);
    bool is_ours = entry->content && entry->content <= context->n_files;
    struct context_file *file = is_ours ? file_at(context, entry->content) : NULL;
    pthread_mutex_unlock(&context->lock);
    return file;
}

/*
 * A capability with the id of its namespace's root (revision 3) is one of the image's root when
 * that id is 0: written as revision 2, which means the same anywhere. capabilities(7)
 */
static void set_capability(struct context *context, struct context_file *file, uint8_t *value,
                           size_t size)
{
    static const char name[] = CAPABILITY;
    static const uint8_t no_root[4];
    if (size == 24 && value[3] == 3 && memcmp(value + 20, no_root, sizeof(no_root)) == 0) {
        value[3] = 2;
        size = 20;
    }
    pthread_mutex_lock(&context->lock);
    file->capability = arena_alloc(&context->arena, sizeof(*file->capability));
    file->capability->name = arena_text(&context->arena, name, sizeof(name) - 1);
    file->capability->value = arena_alloc(&context->arena, size);
    pthread_mutex_unlock(&context->lock);
    memcpy(file->capability->value, value, size);
    file->capability->size = size;
}

/*
 * Only where it could matter: each call costs as much as the stat. By name, because opening
 * a file that isn't read would be the expensive part.
 */
static int read_capability(struct context *context, int dir_fd, const char *name,
                           const struct stat *st, struct context_file *file, struct error **err)
{
    pthread_mutex_lock(&context->lock);
    bool known_without = context->device_without_xattrs == st->st_dev;
    pthread_mutex_unlock(&context->lock);
    if (known_without || !(st->st_mode & 0111))
        return 0;
    uint8_t value[CAPABILITY_MAX];
    AUTO(free) char *path = xasprintf("/proc/self/fd/%d/%s", dir_fd, name);
    ssize_t size = lgetxattr(path, CAPABILITY, value, sizeof(value));
    if (size > 0)
        set_capability(context, file, value, (size_t)size);
    if (size >= 0 || errno == ENODATA || errno == ENOENT)
        return 0;
    if (errno != ENOTSUP)
        return error_errno(err, "reading %s of %s", CAPABILITY, file->path);
    pthread_mutex_lock(&context->lock);
    context->device_without_xattrs = st->st_dev;
    pthread_mutex_unlock(&context->lock);
    return 0;
}

static int set_type(struct context *context, int dir_fd, const char *name, const struct stat *st,
                    struct context_file *file, struct error **err)
{
    switch (st->st_mode & S_IFMT) {
    case S_IFREG:
        file->type = ENTRY_FILE;
        file->has_other_names = st->st_nlink > 1;
        return read_capability(context, dir_fd, name, st, file, err);
    case S_IFDIR:
        file->type = ENTRY_DIRECTORY;
        return 0;
    case S_IFLNK: {
        AUTO(free) char *link = fs_read_link(dir_fd, name, err);
        if (!link)
            return -1;
        file->type = ENTRY_SYMLINK;
        pthread_mutex_lock(&context->lock);
        file->link = arena_text(&context->arena, link, strlen(link));
        pthread_mutex_unlock(&context->lock);
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

static struct context_file *new_file(struct context *context, const char *dir, const char *name,
                                     uint64_t *number)
{
    size_t dir_size = strlen(dir), name_size = strlen(name);
    pthread_mutex_lock(&context->lock);
    if (context->n_files == context->n_blocks * FILES_AT_ONCE)
        *ARRAY_PUSH(context, blocks) = xcalloc(FILES_AT_ONCE, sizeof(struct context_file));
    size_t index = context->n_files % FILES_AT_ONCE;
    struct context_file *file = &context->blocks[context->n_blocks - 1][index];
    char *path = arena_room(&context->arena, dir_size + name_size + 2);
    *number = ++context->n_files;
    pthread_mutex_unlock(&context->lock);
    memcpy(path, dir, dir_size);
    if (dir_size)
        path[dir_size++] = '/';
    memcpy(path + dir_size, name, name_size + 1);
    file->path = path;
    return file;
}

int context_see(struct context *context, int dir_fd, const char *dir, const char *name,
                const struct stat *st, uint64_t *ret, struct error **err)
{
    bool is_root = !dir[0] && !strcmp(name, ".");
    uint64_t number;
    struct context_file *file = new_file(context, dir, is_root ? "" : name, &number);
    file->content.file = file_identity_of(st);
    file->mtime = st->st_mtim.tv_sec;
    file->mode = (uint16_t)mode_of(context, st);
    if (set_type(context, dir_fd, name, st, file, err) < 0)
        return error_wrap(err, "build context");
    *ret = number;
    return 0;
}

/* A view: nothing in it is to be released. */
static void fill_entry(const struct context_file *file, uint64_t number, struct entry *ret)
{
    *ret = (struct entry){ .path = (char *)(uintptr_t)file->path,
                           .type = (enum entry_type)file->type,
                           .mode = file->mode,
                           .mtime = file->mtime,
                           .content = number };
    if (ret->type == ENTRY_FILE) {
        ret->size = file->content.file.size;
        ret->xattrs = file->capability;
        ret->n_xattrs = file->capability != NULL;
    }
    if (ret->type == ENTRY_SYMLINK)
        ret->link = (char *)(uintptr_t)file->link;
    if (ret->type == ENTRY_CHAR || ret->type == ENTRY_BLOCK) {
        ret->dev_major = file->device[0];
        ret->dev_minor = file->device[1];
    }
}

void context_entry(struct context *context, uint64_t number, struct entry *ret)
{
    pthread_mutex_lock(&context->lock);
    const struct context_file *file = file_at(context, number);
    pthread_mutex_unlock(&context->lock);
    fill_entry(file, number, ret);
}

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
    AUTO(free) char *dir = path_dir(path);
    uint64_t number = 0;
    if (context_is_excluded(context, path, S_ISDIR(st.st_mode), &excluded, err) < 0 ||
        context_see(context, dir_fd, dir, path[0] ? path_base(path) : ".", &st, &number, err) < 0)
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
    if (!file || !file->has_other_names)
        return NULL;
    return xasprintf("%llx:%llx", (unsigned long long)file->content.file.device,
                     (unsigned long long)file->content.file.inode);
}
