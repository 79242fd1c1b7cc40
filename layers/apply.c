/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries become a directory in overlay format. What tree_index.h says of the
 * entries of one tar holds here too; where both speak, they agree.
 *
 * 1. The form is private until commit: whatever stands in it came from this layer.
 * 2. Directories are made with mode 0700 and get their attributes at commit, so that neither
 *    set-group-id bits nor times of parents depend on the order of entries.
 * 3. A directory is opened from the form's root by openat2 without following any link, and kept
 *    for the next entries, which mostly lie in it. No path is resolved by other means.
 */
#include "layers/apply.h"

#include "base/array.h"
#include "base/cancel.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/path.h"
#include "layers/form_writer.h"
#include "layers/tar_read.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define MAX_PIECE ((size_t)256 << 10) /* of content, written at once */

static void directory_free(void *value)
{
    struct form_directory *directory = value;
    entry_release(&directory->entry);
    free(directory);
}

struct form_directory *form_get_directory(struct form_writer *form, const char *path)
{
    struct form_directory *directory = hashmap_get(&form->directories, path);
    if (!directory) {
        directory = NEW(struct form_directory);
        hashmap_put(&form->directories, path, directory);
    }
    return directory;
}

struct form_writer *form_writer_new(struct store *store, struct tree *below, struct error **err)
{
    AUTO(form_writer_free) struct form_writer *form = NEW(struct form_writer);
    form->parent.fd = form->link_parent.fd = -1;
    hashmap_init(&form->directories, directory_free);
    hashmap_init(&form->copies, free);
    form->below = below;
    form->rights = rights_now();
    form->files = form_files_new(&form->rights, 0777 & ~attributes_umask());
    form->form = private_form_new(store, err);
    if (!form->form)
        return NULL;
    form->root_fd = private_form_fd(form->form);
    (void)form_get_directory(form, ""); /* the root is there from the start */
    return TAKE(form);
}

static void open_dir_close(struct form_open_dir *dir)
{
    close_auto(&dir->fd);
    free(dir->path);
    *dir = (struct form_open_dir){ NULL, -1 };
}

void form_writer_free(struct form_writer *form)
{
    if (!form)
        return;
    open_dir_close(&form->parent);
    open_dir_close(&form->link_parent);
    form_files_free(form->files);
    for (size_t i = 0; i < form->n_links; i++)
        entry_release(&form->links[i]);
    free(form->links);
    hashmap_release(&form->directories);
    hashmap_release(&form->copies);
    strvec_release(&form->whiteouts);
    private_form_free(form->form);
    free(form);
}

/* Directories */

static void forget_within(struct form_open_dir *dir, const char *path)
{
    if (dir->path && path_is_within(dir->path, path))
        open_dir_close(dir);
}

/* Takes away whatever is at `path`, whose directory is dir_fd. */
static int clear_place(struct form_writer *form, int dir_fd, const char *path, struct error **err)
{
    forget_within(&form->parent, path);
    forget_within(&form->link_parent, path);
    return fs_remove_tree(dir_fd, path_base(path), err);
}

/* Makes the directory dir_fd/name unless it is one; an O_PATH fd. */
static int enter_directory(struct form_writer *form, int dir_fd, const char *name, const char *path,
                           struct error **err)
{
    const int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    if (mkdirat(dir_fd, name, 0700) == 0) {
        hashmap_remove(&form->directories, path); /* of one that was replaced meanwhile */
        (void)form_get_directory(form, path);
    } else if (errno != EEXIST) {
        return error_errno(err, "making directory %s", path);
    }
    int fd = openat(dir_fd, name, flags);
    if (fd >= 0)
        return fd;
    if (errno != ENOTDIR && errno != ELOOP)
        return error_errno(err, "opening directory %s", path);
    if (clear_place(form, dir_fd, path, err) < 0)
        return -1;
    if (mkdirat(dir_fd, name, 0700) < 0)
        return error_errno(err, "making directory %s", path);
    hashmap_remove(&form->directories, path);
    form_get_directory(form, path)->hide = true;
    fd = openat(dir_fd, name, flags);
    return fd < 0 ? error_errno(err, "opening directory %s", path) : fd;
}

/* Walks down, making what isn't there. */
static int make_directories(struct form_writer *form, const char *path, struct error **err)
{
    AUTO(free) char *here = xstrdup(path);
    AUTO(close) int fd = -1;
    for (char *name = here;;) {
        char *slash = strchr(name, '/');
        if (slash)
            *slash = '\0';
        int next = enter_directory(form, fd < 0 ? form->root_fd : fd, name, here, err);
        if (next < 0)
            return -1;
        close_auto(&fd);
        fd = next;
        if (!slash)
            return take_fd(&fd);
        *slash = '/';
        name = slash + 1;
    }
}

bool form_is_not_there(const struct error *error)
{
    int value = error_errno_value(error);
    return value == ENOENT || value == ENOTDIR || value == ELOOP;
}

int form_open_directory(struct form_writer *form, struct form_open_dir *cache, const char *path,
                        bool make, struct error **err)
{
    if (!path[0])
        return form->root_fd;
    if (cache->path && strcmp(cache->path, path) == 0)
        return cache->fd;
    int fd = fs_open_beneath(form->root_fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW, err);
    if (fd < 0 && !form_is_not_there(*err))
        return -1;
    if (fd < 0) {
        error_clear(err);
        if (make)
            fd = make_directories(form, path, err);
        if (fd < 0)
            return -1;
    }
    open_dir_close(cache);
    cache->path = xstrdup(path);
    cache->fd = fd;
    return fd;
}

static int open_parent(struct form_writer *form, const char *path, struct error **err)
{
    AUTO(free) char *dir = path_dir(path);
    return form_open_directory(form, &form->parent, dir, true, err);
}

static int put_directory(struct form_writer *form, const struct entry *entry, struct error **err)
{
    if (entry->path[0]) {
        int parent = open_parent(form, entry->path, err);
        if (parent < 0)
            return -1;
        AUTO(close)
        int fd = enter_directory(form, parent, path_base(entry->path), entry->path, err);
        if (fd < 0)
            return -1;
    }
    struct form_directory *directory = form_get_directory(form, entry->path);
    entry_copy(&directory->entry, entry);
    directory->named = true;
    return 0;
}

static int put_opaque(struct form_writer *form, const struct entry *entry, struct error **err)
{
    if (form_open_directory(form, &form->parent, entry->path, true, err) < 0)
        return -1;
    form_get_directory(form, entry->path)->opaque = true;
    return 0;
}

/* Whiteouts need no right in a user namespace, but an ordinary user has none to make any device. */
static int put_whiteout(struct form_writer *form, const struct entry *entry, struct error **err)
{
    int parent = open_parent(form, entry->path, err);
    if (parent < 0)
        return -1;
    const char *name = path_base(entry->path);
    if (mknodat(parent, name, S_IFCHR, makedev(0, 0)) == 0) {
        strvec_push(&form->whiteouts, entry->path);
        return 0;
    }
    if (errno == EPERM && !form->rights.owners)
        return 0;
    if (errno != EEXIST)
        return error_errno(err, "making whiteout %s", entry->path);
    struct stat st;
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return error_errno(err, "looking at %s", entry->path);
    if (S_ISDIR(st.st_mode)) /* of this layer: only what lies below is hidden */
        form_get_directory(form, entry->path)->hide = true;
    return 0;
}

/* Everything else */

static int put_file(struct form_writer *form, const struct entry *entry, struct error **err)
{
    int parent = open_parent(form, entry->path, err);
    if (parent < 0)
        return -1;
    const char *name = path_base(entry->path);
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    mode_t mode = form->rights.owners ? entry->mode & 0777 : 0600;
    int fd = openat(parent, name, flags, mode);
    if (fd < 0 && errno == EEXIST) {
        if (clear_place(form, parent, entry->path, err) < 0)
            return -1;
        fd = openat(parent, name, flags, mode);
    }
    if (fd < 0)
        return error_errno(err, "making %s", entry->path);
    form_files_begin(form->files, &fd, entry);
    return 0;
}

static int make_node(int dir_fd, const char *name, const struct entry *entry)
{
    switch (entry->type) {
    case ENTRY_SYMLINK:
        return symlinkat(entry->link, dir_fd, name);
    case ENTRY_FIFO:
        return mkfifoat(dir_fd, name, 0600);
    case ENTRY_CHAR:
        return mknodat(dir_fd, name, S_IFCHR | 0600, makedev(entry->dev_major, entry->dev_minor));
    case ENTRY_BLOCK:
        return mknodat(dir_fd, name, S_IFBLK | 0600, makedev(entry->dev_major, entry->dev_minor));
    case ENTRY_FILE:
    case ENTRY_DIRECTORY:
    case ENTRY_HARDLINK:
    case ENTRY_WHITEOUT:
    case ENTRY_OPAQUE:
        break;
    }
    assert(!"a node");
    return -1;
}

static int put_node(struct form_writer *form, const struct entry *entry, struct error **err)
{
    int parent = open_parent(form, entry->path, err);
    if (parent < 0)
        return -1;
    const char *name = path_base(entry->path);
    int made = make_node(parent, name, entry);
    if (made < 0 && errno == EEXIST) {
        if (clear_place(form, parent, entry->path, err) < 0)
            return -1;
        made = make_node(parent, name, entry);
    }
    bool is_device = entry->type == ENTRY_CHAR || entry->type == ENTRY_BLOCK;
    if (made < 0 && errno == EPERM && is_device)
        return put_whiteout(form, entry, err); /* left out; what is below must not show instead */
    if (made < 0)
        return error_errno(err, "making %s", entry->path);
    if (attributes_set_node(parent, name, entry, &form->rights, err) < 0)
        return error_wrap(err, "%s", entry->path);
    return 0;
}

bool form_is_whiteout(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

int form_try_link(struct form_writer *form, int parent, const char *path, const char *target,
                  struct error **err)
{
    AUTO(free) char *dir = path_dir(target);
    int fd = form_open_directory(form, &form->link_parent, dir, false, err);
    if (fd < 0)
        return *err ? -1 : 0;
    struct stat st;
    if (fstatat(fd, path_base(target), &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : error_errno(err, "looking at %s", target);
    if (S_ISDIR(st.st_mode) || form_is_whiteout(&st))
        return 0;
    const char *name = path_base(path);
    if (linkat(fd, path_base(target), parent, name, 0) == 0)
        return 1;
    if (errno != EEXIST)
        return error_errno(err, "linking %s to %s", path, target);
    if (strcmp(path, target) == 0)
        return 1;
    struct stat there;
    if (fstatat(parent, name, &there, AT_SYMLINK_NOFOLLOW) == 0 && there.st_dev == st.st_dev &&
        there.st_ino == st.st_ino)
        return 1;
    /* the target may lie in what is replaced */
    if (clear_place(form, parent, path, err) < 0)
        return -1;
    return form_try_link(form, parent, path, target, err);
}

static int put_link(struct form_writer *form, const struct entry *entry, struct error **err)
{
    int parent = open_parent(form, entry->path, err);
    if (parent < 0)
        return -1;
    int linked = form_try_link(form, parent, entry->path, entry->link, err);
    if (linked != 0)
        return linked < 0 ? -1 : 0;
    if (clear_place(form, parent, entry->path, err) < 0)
        return -1;
    entry_copy(ARRAY_PUSH(form, links), entry);
    return 0;
}

int form_writer_entry(struct form_writer *form, const struct entry *entry, struct error **err)
{
    if (cancel_check(err) < 0 || form_files_end(form->files, err) < 0)
        return -1;
    assert(entry->path[0] || entry->type == ENTRY_DIRECTORY || entry->type == ENTRY_OPAQUE);
    switch (entry->type) {
    case ENTRY_FILE:
        return put_file(form, entry, err);
    case ENTRY_DIRECTORY:
        return put_directory(form, entry, err);
    case ENTRY_HARDLINK:
        return put_link(form, entry, err);
    case ENTRY_WHITEOUT:
        return put_whiteout(form, entry, err);
    case ENTRY_OPAQUE:
        return put_opaque(form, entry, err);
    case ENTRY_SYMLINK:
    case ENTRY_CHAR:
    case ENTRY_BLOCK:
    case ENTRY_FIFO:
        break;
    }
    return put_node(form, entry, err);
}

int form_writer_data(struct form_writer *form, const void *data, size_t size, struct error **err)
{
    return cancel_check(err) < 0 ? -1 : form_files_data(form->files, data, size, err);
}

int form_writer_unpack(struct form_writer *form, struct tar_reader *tar, const struct entry *entry,
                       struct error **err)
{
    if (form_writer_entry(form, entry, err) < 0)
        return -1;
    if (entry->type != ENTRY_FILE || !entry->size)
        return 0;
    ssize_t n;
    const void *data = NULL;
    while ((n = tar_reader_borrow(tar, MAX_PIECE, &data, err)) > 0)
        if (form_writer_data(form, data, (size_t)n, err) < 0)
            return -1;
    return n < 0 ? -1 : 0;
}

int form_writer_rest(struct form_writer *form, struct error **err)
{
    if (form_files_settle(form->files, err) < 0)
        return -1;
    open_dir_close(&form->parent);
    open_dir_close(&form->link_parent);
    return 0;
}
