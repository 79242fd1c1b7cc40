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
#include "base/fs.h"
#include "base/hashmap.h"
#include "base/io.h"
#include "base/path.h"
#include "layers/attributes.h"
#include "layers/private_form.h"
#include "layers/tree.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define HOLE_SIZE ((size_t)4096) /* zeros of at least this size aren't written */

struct directory {
    struct entry entry; /* its attributes, when named */
    bool named;
    bool opaque;
    bool hide; /* it took the place of a whiteout or another thing of this layer */
};

struct open_dir {
    char *path; /* NULL: none */
    int fd;
};

struct form_writer {
    struct tree *below;
    struct private_form *form;
    int root_fd; /* the form's */
    bool owners, needs_below, finished;
    mode_t umask;

    struct open_dir parent, link_parent; /* the last used */
    struct hashmap directories;          /* path → struct directory */
    struct entry *links;                 /* whose target wasn't there yet */
    size_t n_links, links_capacity;
    struct strvec whiteouts;
    struct hashmap copies; /* path in `below` → our path: hard links copied from there */

    int file_fd; /* the file being written, -1: none */
    struct entry file;
    uint64_t written;
    bool has_hole;
};

static void directory_free(void *value)
{
    struct directory *directory = value;
    entry_release(&directory->entry);
    free(directory);
}

static struct directory *get_directory(struct form_writer *form, const char *path)
{
    struct directory *directory = hashmap_get(&form->directories, path);
    if (!directory) {
        directory = NEW(struct directory);
        hashmap_put(&form->directories, path, directory);
    }
    return directory;
}

struct form_writer *form_writer_new(struct store *store, struct tree *below, struct error **err)
{
    AUTO(form_writer_free) struct form_writer *form = NEW(struct form_writer);
    form->parent.fd = form->link_parent.fd = form->file_fd = -1;
    hashmap_init(&form->directories, directory_free);
    hashmap_init(&form->copies, free);
    form->below = below;
    form->owners = form_holds_owners();
    form->umask = attributes_umask();
    form->form = private_form_new(store, err);
    if (!form->form)
        return NULL;
    form->root_fd = private_form_fd(form->form);
    (void)get_directory(form, ""); /* the root is there from the start */
    return TAKE(form);
}

static void open_dir_close(struct open_dir *dir)
{
    close_auto(&dir->fd);
    free(dir->path);
    *dir = (struct open_dir){ NULL, -1 };
}

void form_writer_free(struct form_writer *form)
{
    if (!form)
        return;
    open_dir_close(&form->parent);
    open_dir_close(&form->link_parent);
    close_auto(&form->file_fd);
    entry_release(&form->file);
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

static void forget_within(struct open_dir *dir, const char *path)
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
        (void)get_directory(form, path);
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
    get_directory(form, path)->hide = true;
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

static bool is_not_there(const struct error *error)
{
    int value = error_errno_value(error);
    return value == ENOENT || value == ENOTDIR || value == ELOOP;
}

/* The directory `path` through the cache; -1 with *err NULL when there is none and !make. */
static int open_directory(struct form_writer *form, struct open_dir *cache, const char *path,
                          bool make, struct error **err)
{
    if (!path[0])
        return form->root_fd;
    if (cache->path && strcmp(cache->path, path) == 0)
        return cache->fd;
    int fd = fs_open_beneath(form->root_fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW, err);
    if (fd < 0 && !is_not_there(*err))
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
    return open_directory(form, &form->parent, dir, true, err);
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
    struct directory *directory = get_directory(form, entry->path);
    entry_copy(&directory->entry, entry);
    directory->named = true;
    return 0;
}

static int put_opaque(struct form_writer *form, const struct entry *entry, struct error **err)
{
    if (open_directory(form, &form->parent, entry->path, true, err) < 0)
        return -1;
    get_directory(form, entry->path)->opaque = true;
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
    if (errno == EPERM && !form->owners)
        return 0;
    if (errno != EEXIST)
        return error_errno(err, "making whiteout %s", entry->path);
    struct stat st;
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return error_errno(err, "looking at %s", entry->path);
    if (S_ISDIR(st.st_mode)) /* of this layer: only what lies below is hidden */
        get_directory(form, entry->path)->hide = true;
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
    mode_t mode = form->owners ? entry->mode & 0777 : 0600;
    int fd = openat(parent, name, flags, mode);
    if (fd < 0 && errno == EEXIST) {
        if (clear_place(form, parent, entry->path, err) < 0)
            return -1;
        fd = openat(parent, name, flags, mode);
    }
    if (fd < 0)
        return error_errno(err, "making %s", entry->path);
    form->file_fd = fd;
    form->written = 0;
    form->has_hole = false;
    entry_copy(&form->file, entry);
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
    if (attributes_set_node(parent, name, entry, form->owners, err) < 0)
        return error_wrap(err, "%s", entry->path);
    return 0;
}

static bool is_whiteout(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

/* 1 linked, 0 the target isn't in this form (yet) */
static int try_link(struct form_writer *form, int parent, const char *path, const char *target,
                    struct error **err)
{
    AUTO(free) char *dir = path_dir(target);
    int fd = open_directory(form, &form->link_parent, dir, false, err);
    if (fd < 0)
        return *err ? -1 : 0;
    struct stat st;
    if (fstatat(fd, path_base(target), &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : error_errno(err, "looking at %s", target);
    if (S_ISDIR(st.st_mode) || is_whiteout(&st))
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
    return try_link(form, parent, path, target, err);
}

static int put_link(struct form_writer *form, const struct entry *entry, struct error **err)
{
    int parent = open_parent(form, entry->path, err);
    if (parent < 0)
        return -1;
    int linked = try_link(form, parent, entry->path, entry->link, err);
    if (linked != 0)
        return linked < 0 ? -1 : 0;
    if (clear_place(form, parent, entry->path, err) < 0)
        return -1;
    entry_copy(ARRAY_PUSH(form, links), entry);
    return 0;
}

/* Closes the file that was being written. */
static int finish_file(struct form_writer *form, struct error **err)
{
    if (form->file_fd < 0)
        return 0;
    const struct entry *entry = &form->file;
    if (form->written != entry->size)
        return error_set(err, ERR_INVALID, "%s: %llu bytes where %llu were announced", entry->path,
                         (unsigned long long)form->written, (unsigned long long)entry->size);
    if (form->has_hole && ftruncate(form->file_fd, (off_t)entry->size) < 0)
        return error_errno(err, "extending %s", entry->path);
    mode_t made = entry->mode & 0777 & ~form->umask;
    if (attributes_set_file(form->file_fd, entry, form->owners, made, err) < 0)
        return error_wrap(err, "%s", entry->path);
    return io_close(&form->file_fd, entry->path, err);
}

int form_writer_entry(struct form_writer *form, const struct entry *entry, struct error **err)
{
    if (finish_file(form, err) < 0)
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

static bool is_zero(const uint8_t *data, size_t size)
{
    return size > 0 && data[0] == 0 && memcmp(data, data + 1, size - 1) == 0;
}

int form_writer_data(struct form_writer *form, const void *data, size_t size, struct error **err)
{
    assert(form->file_fd >= 0);
    const struct entry *entry = &form->file;
    if (size > entry->size - form->written)
        return error_set(err, ERR_INVALID, "%s: more than the %llu bytes that were announced",
                         entry->path, (unsigned long long)entry->size);
    form->written += size;
    if (size >= HOLE_SIZE && is_zero(data, size)) {
        form->has_hole = true;
        if (lseek(form->file_fd, (off_t)size, SEEK_CUR) < 0)
            return error_errno(err, "writing %s", entry->path);
        return 0;
    }
    return io_write_full(form->file_fd, data, size, entry->path, err);
}

/* Commit: hard links that wait, attributes of directories, the name */

/* The content and attributes of a file below, under our path. */
static int copy_from_below(struct form_writer *form, const struct entry *link, struct error **err)
{
    form->needs_below = true;
    AUTO(tree_entry_release) struct tree_entry found = { 0 };
    AUTO(tree_entry_release) struct tree_entry file = { 0 };
    int there = form->below ? tree_lookup(form->below, link->link, TREE_NO_LINKS, &found, err) : 0;
    if (there < 0)
        return -1;
    if (there == 0 || tree_entry_is_directory(&found))
        return error_set(err, ERR_INVALID, "hard link %s to %s, which isn't there", link->path,
                         link->link);
    if (tree_resolve_hardlink(form->below, &found, &file, err) < 0)
        return -1;
    const char *copied = hashmap_get(&form->copies, file.path);
    if (copied)
        return try_link(form, open_parent(form, link->path, err), link->path, copied, err) < 0 ? -1
                                                                                               : 0;
    AUTO(entry_release) struct entry copy = { 0 };
    entry_copy(&copy, file.entry);
    free(copy.path);
    copy.path = xstrdup(link->path);
    if (form_writer_entry(form, &copy, err) < 0)
        return -1;
    hashmap_put(&form->copies, file.path, xstrdup(link->path));
    if (copy.type != ENTRY_FILE || !copy.size)
        return 0;
    AUTO(source_free) struct source *content = tree_open(form->below, &file, err);
    if (!content)
        return -1;
    AUTO(free) uint8_t *buffer = xmalloc((size_t)128 * 1024);
    ssize_t n;
    while ((n = source_read(content, buffer, (size_t)128 * 1024, err)) > 0)
        if (form_writer_data(form, buffer, (size_t)n, err) < 0)
            return -1;
    return n < 0 ? -1 : 0;
}

/* 1 done, or overtaken by a later entry; 0 the target isn't there */
static int retry_link(struct form_writer *form, const struct entry *link, struct error **err)
{
    AUTO(free) char *dir = path_dir(link->path);
    int parent = open_directory(form, &form->parent, dir, false, err);
    if (parent < 0)
        return *err ? -1 : 1;
    struct stat st;
    if (fstatat(parent, path_base(link->path), &st, AT_SYMLINK_NOFOLLOW) == 0)
        return 1;
    if (errno != ENOENT)
        return error_errno(err, "looking at %s", link->path);
    return try_link(form, parent, link->path, link->link, err);
}

/* Targets that came later in the tar first, since a layer's own files win; then those of the layers
 * below. */
static int put_waiting_links(struct form_writer *form, struct error **err)
{
    for (size_t left = form->n_links, before = left + 1; left && left < before;) {
        before = left;
        left = 0;
        for (size_t i = 0; i < before; i++) {
            int done = retry_link(form, &form->links[i], err);
            if (done < 0)
                return -1;
            if (done)
                continue;
            struct entry swap = form->links[left];
            form->links[left] = form->links[i];
            form->links[i] = swap;
            left++;
        }
        for (size_t i = left; i < form->n_links; i++)
            entry_release(&form->links[i]);
        form->n_links = left;
    }
    for (size_t i = 0; i < form->n_links; i++) {
        int done = retry_link(form, &form->links[i], err);
        if (done < 0 || (done == 0 && copy_from_below(form, &form->links[i], err) < 0) ||
            finish_file(form, err) < 0)
            return -1;
    }
    return 0;
}

/* Whether the layer hides what is below beneath this directory. */
static bool is_hidden(const struct form_writer *form, const char *path)
{
    AUTO(free) char *here = xstrdup(path);
    for (;;) {
        const struct directory *directory = hashmap_get(&form->directories, here);
        if (directory && (directory->opaque || directory->hide))
            return true;
        if (!here[0])
            return false;
        char *up = path_dir(here);
        free(here);
        here = up;
    }
}

/* Whether overlay merges our directory with one below. */
static int is_merged(struct form_writer *form, const char *path, struct error **err)
{
    if (is_hidden(form, path))
        return 0;
    AUTO(tree_entry_release) struct tree_entry found = { 0 };
    bool has_below = form->below && tree_n_layers(form->below);
    int there = has_below ? tree_lookup(form->below, path, TREE_NO_LINKS, &found, err) : 0;
    if (there < 0)
        return -1;
    if (there && tree_entry_is_directory(&found))
        return 1;
    form->needs_below = true;
    return 0;
}

/*
 * In a directory that it doesn't merge, overlay lists whiteouts as names that can't be looked at.
 * They hide nothing there.
 */
static int drop_useless_whiteouts(struct form_writer *form, struct error **err)
{
    for (size_t i = 0; i < form->whiteouts.n; i++) {
        const char *path = form->whiteouts.items[i];
        AUTO(free) char *dir = path_dir(path);
        int merged = is_merged(form, dir, err);
        if (merged < 0)
            return -1;
        int fd = merged ? -1 : open_directory(form, &form->parent, dir, false, err);
        if (*err)
            return -1;
        struct stat st;
        if (fd >= 0 && fstatat(fd, path_base(path), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            is_whiteout(&st) && fs_unlink(fd, path_base(path), err) < 0)
            return -1;
    }
    return 0;
}

static int compare_paths(const void *a, const void *b)
{
    const struct hashmap_entry *const *x = a, *const *y = b;
    return path_compare((*x)->key, (*y)->key);
}

/* The attributes of a directory that the layer doesn't name. */
static int attributes_from_below(struct form_writer *form, const char *path, struct entry *ret,
                                 struct error **err)
{
    AUTO(tree_entry_release) struct tree_entry found = { 0 };
    form->needs_below |= path[0] != '\0'; /* the root's are taken from the topmost form only */
    int there = form->below ? tree_lookup(form->below, path, TREE_NO_LINKS, &found, err) : 0;
    if (there < 0)
        return -1;
    if (there && tree_entry_is_directory(&found) && found.entry)
        entry_copy(ret, found.entry);
    return 0;
}

static int finish_directory(struct form_writer *form, const char *path,
                            const struct directory *directory, bool hidden, struct error **err)
{
    AUTO(close)
    int fd = fs_open_beneath(form->root_fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW, err);
    if (fd < 0) {
        if (!is_not_there(*err))
            return -1;
        error_clear(err); /* something took its place */
        return 0;
    }
    AUTO(entry_release) struct entry entry = { .type = ENTRY_DIRECTORY, .mode = 0755 };
    if (directory->named)
        entry_copy(&entry, &directory->entry);
    else if (!hidden && attributes_from_below(form, path, &entry, err) < 0)
        return -1;
    if (directory->opaque || directory->hide) {
        AUTO(close) int dir = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0 || fsetxattr(dir, ATTRIBUTE_OPAQUE, "y", 1, 0) < 0)
            return error_errno(err, "marking directory %s opaque", path);
    }
    if (attributes_set_directory(fd, &entry, form->owners, err) < 0)
        return error_wrap(err, "directory %s", path);
    return 0;
}

static int finish_directories(struct form_writer *form, struct error **err)
{
    AUTO(free)
    struct hashmap_entry **sorted =
        xcalloc(form->directories.n + 1, sizeof(struct hashmap_entry *));
    size_t n = 0;
    for (struct hashmap_entry *e = NULL; (e = hashmap_next(&form->directories, e));)
        sorted[n++] = e;
    qsort(sorted, n, sizeof(struct hashmap_entry *), compare_paths);
    const char *opaque = NULL; /* the outermost one that we are in */
    for (size_t i = 0; i < n; i++) {
        const struct directory *directory = sorted[i]->value;
        if (opaque && !path_is_within(sorted[i]->key, opaque))
            opaque = NULL;
        if (finish_directory(form, sorted[i]->key, directory, opaque || directory->hide, err) < 0)
            return -1;
        if (!opaque && (directory->opaque || directory->hide))
            opaque = sorted[i]->key;
    }
    return 0;
}

int form_writer_finish(struct form_writer *form, struct error **err)
{
    if (finish_file(form, err) < 0 || put_waiting_links(form, err) < 0 ||
        drop_useless_whiteouts(form, err) < 0 || finish_directories(form, err) < 0)
        return -1;
    form->finished = true;
    return 0;
}

bool form_writer_needs_chain(const struct form_writer *form)
{
    return form->needs_below;
}

int form_writer_commit(struct form_writer *form, const struct digest *diff_id,
                       const struct digest *chain_id, struct error **err)
{
    if (!form->finished && form_writer_finish(form, err) < 0)
        return -1;
    char kind = form->needs_below ? 'c' : 'd';
    const struct digest *digest = form->needs_below ? chain_id : diff_id;
    int published = private_form_publish(form->form, kind, digest, err);
    if (published < 0)
        return -1;
    if (published)
        return io_dup(form->root_fd, err);
    return private_form_open(form->form, kind, digest, err);
}
