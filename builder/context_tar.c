/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/context_tar.h"

#include "base/array.h"
#include "base/cancel.h"
#include "base/fs.h"
#include "base/hashmap.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/path.h"
#include "layers/tar_read.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>

#define BUFFER_SIZE ((size_t)128 * 1024)
#define CAPABILITY "security.capability"

/* Directories get their mode and time when nothing is made in them any more. */
struct directory {
    char *path;
    uint16_t mode;
    int64_t mtime;
};

struct unpack {
    struct tar_reader *tar;
    int root_fd;
    char *buffer;
    int64_t newest;
    struct directory *directories;
    size_t n_directories, directories_capacity;
    struct hashmap known; /* path → its index in directories */
    char *last_dir;       /* the directory opened last: most entries share it */
    int last_fd;
    bool removed; /* by this entry, so last_fd may be of what isn't there any more */
};

static void unpack_release(struct unpack *unpack)
{
    tar_reader_free(unpack->tar);
    free(unpack->buffer);
    for (size_t i = 0; i < unpack->n_directories; i++)
        free(unpack->directories[i].path);
    free(unpack->directories);
    hashmap_release(&unpack->known);
    free(unpack->last_dir);
    close_auto(&unpack->last_fd);
}
DEFINE_AUTO_STRUCT(struct unpack, unpack_release)

static void forget_dir(struct unpack *unpack)
{
    free(unpack->last_dir);
    unpack->last_dir = NULL;
    close_auto(&unpack->last_fd);
    unpack->last_fd = -1;
}

/* The last word on a path counts; its place stays before what was made in it. */
static void remember_directory(struct unpack *unpack, const char *path, uint16_t mode,
                               int64_t mtime)
{
    const size_t *known = hashmap_get(&unpack->known, path);
    struct directory *directory =
        known ? &unpack->directories[*known] : ARRAY_PUSH(unpack, directories);
    if (!known) {
        size_t index = unpack->n_directories - 1;
        hashmap_put(&unpack->known, path, xmemdup(&index, sizeof(index)));
        directory->path = xstrdup(path);
    }
    directory->mode = mode;
    directory->mtime = mtime;
}

/* As in a chroot: links of the archive lead inside. -1 with ERR_NOT_FOUND where it is missing. */
static int open_dir(struct unpack *unpack, const char *path, struct error **err)
{
    return fs_open_in_root(unpack->root_fd, *path ? path : ".", O_RDONLY | O_DIRECTORY, err);
}

/* The directories on the way, each made where it is missing. */
static int make_dirs(struct unpack *unpack, const char *path, struct error **err)
{
    AUTO(close) int fd = open_dir(unpack, "", err);
    if (fd < 0)
        return -1;
    for (size_t end = 0; path[end];) {
        size_t start = end;
        end += strcspn(path + end, "/");
        AUTO(free) char *prefix = xstrndup(path, end);
        AUTO(free) char *name = xstrndup(path + start, end - start);
        AUTO(error_free) struct error *missing = NULL;
        int next = open_dir(unpack, prefix, &missing);
        if (next < 0 && error_is(missing, ERR_NOT_FOUND)) {
            if (mkdirat(fd, name, 0700) < 0)
                return error_errno(err, "making directory %s", prefix);
            remember_directory(unpack, prefix, 0755, 0);
            next = open_dir(unpack, prefix, err);
            if (next < 0)
                return -1;
        } else if (next < 0) {
            error_move(err, TAKE(missing));
            return -1;
        }
        close_auto(&fd);
        fd = next;
        end += path[end] == '/';
    }
    return take_fd(&fd);
}

/* Borrowed until the next call. */
static int parent_of(struct unpack *unpack, const char *path, struct error **err)
{
    AUTO(free) char *dir = path_dir(path);
    if (unpack->last_dir && strcmp(unpack->last_dir, dir) == 0)
        return unpack->last_fd;
    int fd = make_dirs(unpack, dir, err);
    if (fd < 0)
        return -1;
    forget_dir(unpack);
    unpack->last_dir = TAKE(dir);
    unpack->last_fd = fd;
    return fd;
}

static int set_time(int dir_fd, const char *name, int64_t mtime, struct error **err)
{
    struct timespec times[] = { { .tv_sec = mtime }, { .tv_sec = mtime } };
    if (utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return error_errno(err, "setting the time of %s", name);
    return 0;
}

static int write_content(struct unpack *unpack, const struct entry *entry, int fd,
                         struct error **err)
{
    uint64_t left = entry->size;
    while (left) {
        if (cancel_check(err) < 0)
            return -1;
        ssize_t n = tar_reader_data(unpack->tar, unpack->buffer, BUFFER_SIZE, err);
        if (n < 0)
            return -1;
        if (n == 0 || (uint64_t)n > left)
            return error_set(err, ERR_INVALID, "content of another size than its header says");
        if (io_write_full(fd, unpack->buffer, (size_t)n, entry->path, err) < 0)
            return -1;
        left -= (uint64_t)n;
    }
    return 0;
}

static int make_file(struct unpack *unpack, const struct entry *entry, int dir_fd, const char *name,
                     struct error **err)
{
    AUTO(close)
    int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(err, "making the file");
    if (write_content(unpack, entry, fd, err) < 0)
        return -1;
    const struct xattr *capability = entry_find_xattr(entry, CAPABILITY);
    if (capability && fsetxattr(fd, CAPABILITY, capability->value, capability->size, 0) < 0)
        return error_errno(err, "setting its %s", CAPABILITY);
    if (fchmod(fd, entry->mode) < 0)
        return error_errno(err, "setting its mode");
    return io_close(&fd, entry->path, err);
}

static int make_directory(struct unpack *unpack, const struct entry *entry, int dir_fd,
                          const char *name, bool there, struct error **err)
{
    if (!there && mkdirat(dir_fd, name, 0700) < 0)
        return error_errno(err, "making the directory");
    remember_directory(unpack, entry->path, entry->mode, entry->mtime);
    return 0;
}

static int make_hardlink(struct unpack *unpack, const struct entry *entry, int dir_fd,
                         const char *name, struct error **err)
{
    AUTO(free) char *target_dir = path_dir(entry->link);
    AUTO(close) int target_fd = open_dir(unpack, target_dir, err);
    if (target_fd < 0)
        return error_wrap(err, "hard link to %s", entry->link);
    if (linkat(target_fd, path_base(entry->link), dir_fd, name, 0) < 0)
        return error_errno(err, "hard link to %s", entry->link);
    return 0;
}

/* there: a directory, which a directory keeps; anything else was removed before. */
static int make_entry(struct unpack *unpack, const struct entry *entry, int dir_fd,
                      const char *name, bool there, struct error **err)
{
    switch (entry->type) {
    case ENTRY_FILE:
        return make_file(unpack, entry, dir_fd, name, err);
    case ENTRY_DIRECTORY:
        return make_directory(unpack, entry, dir_fd, name, there, err);
    case ENTRY_SYMLINK:
        if (symlinkat(entry->link, dir_fd, name) < 0)
            return error_errno(err, "making the symbolic link");
        return 0;
    case ENTRY_HARDLINK:
        return make_hardlink(unpack, entry, dir_fd, name, err);
    case ENTRY_FIFO:
        if (mkfifoat(dir_fd, name, 0600) < 0 || fchmodat(dir_fd, name, entry->mode, 0) < 0)
            return error_errno(err, "making the FIFO");
        return 0;
    case ENTRY_CHAR:
    case ENTRY_BLOCK:
    case ENTRY_WHITEOUT:
    case ENTRY_OPAQUE:
        break;
    }
    error_set_(err, ERR_UNSUPPORTED, "devices can't be in a build context");
    error_hint(err, "leave it out, or put the archive into a context and ADD it");
    return -1;
}

static int unpack_entry(struct unpack *unpack, const struct entry *entry, struct error **err)
{
    if (entry->mtime > unpack->newest)
        unpack->newest = entry->mtime;
    if (!entry->path[0]) {
        remember_directory(unpack, "", entry->mode, entry->mtime);
        return 0;
    }
    int dir_fd = parent_of(unpack, entry->path, err);
    if (dir_fd < 0)
        return -1;
    const char *name = path_base(entry->path);
    bool is_directory = entry->type == ENTRY_DIRECTORY;
    struct stat st;
    int there = fs_stat(dir_fd, name, &st, err);
    if (there > 0 && !(is_directory && S_ISDIR(st.st_mode))) {
        unpack->removed = true;
        there = fs_remove_tree(dir_fd, name, err);
    }
    if (there < 0 || make_entry(unpack, entry, dir_fd, name, there, err) < 0)
        return -1;
    return is_directory || entry->type == ENTRY_HARDLINK
               ? 0
               : set_time(dir_fd, name, entry->mtime, err);
}

/* What was made last is first: a directory's content before the mode that may close it. */
static int finish_directories(struct unpack *unpack, struct error **err)
{
    for (size_t i = unpack->n_directories; i-- > 0;) {
        const struct directory *directory = &unpack->directories[i];
        const struct timespec time = { .tv_sec = directory->mtime };
        const struct timespec times[] = { time, time };
        AUTO(error_free) struct error *error = NULL;
        AUTO(close)
        int fd = fs_open_in_root(unpack->root_fd, *directory->path ? directory->path : ".",
                                 O_RDONLY | O_DIRECTORY | O_NOFOLLOW, &error);
        int number = error_errno_value(error);
        if (fd < 0 && (number == ENOENT || number == ENOTDIR || number == ELOOP))
            continue; /* a later entry replaced it */
        if (fd < 0) {
            error_move(err, TAKE(error));
            return -1;
        }
        if (futimens(fd, times) < 0 || fchmod(fd, directory->mode) < 0)
            return error_errno(err, "directory %s: setting its mode and time", directory->path);
    }
    return 0;
}

int context_tar_unpack(struct source *tar, int dir_fd, int64_t *newest, struct error **err)
{
    AUTO(unpack_release)
    struct unpack unpack = { .root_fd = dir_fd, .known = HASHMAP_INIT(free), .last_fd = -1 };
    unpack.tar = tar_reader_new(tar, 0, err);
    if (!unpack.tar)
        return -1;
    unpack.buffer = xmalloc(BUFFER_SIZE);
    remember_directory(&unpack, "", 0755, 0);
    AUTO(entry_release) struct entry entry = { .type = ENTRY_FILE };
    int more;
    while ((more = tar_reader_next(unpack.tar, &entry, err)) > 0) {
        if (unpack_entry(&unpack, &entry, err) < 0)
            return error_wrap(err, "entry \"%s\"", entry.path);
        if (unpack.removed)
            forget_dir(&unpack);
        unpack.removed = false;
    }
    if (more < 0 || finish_directories(&unpack, err) < 0)
        return -1;
    if (newest)
        *newest = unpack.newest;
    return 0;
}
