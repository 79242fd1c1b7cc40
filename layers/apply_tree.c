/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cancel.h"
#include "base/fs.h"
#include "base/hashmap.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/path.h"
#include "layers/apply.h"
#include "layers/attributes.h"
#include "layers/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* Directories wait in a list instead of on the stack: neither depth nor open files grow. */
struct plain {
    struct tree *tree;
    int root_fd;
    struct rights rights;
    struct strvec directories; /* made, to be filled; parents before children */
    struct hashmap files;      /* "LAYER/PATH" of a file → where it stands: for hard links */
    bool replaces;             /* what stands there */
    bool deletes;              /* what isn't of the tree */
    struct hashmap *taken;     /* names of earlier trees; or NULL */
    const struct apply_again_options *again; /* or NULL */
};

static void plain_release(struct plain *plain)
{
    strvec_release(&plain->directories);
    hashmap_release(&plain->files);
}

DEFINE_AUTO_STRUCT(struct plain, plain_release)

static int open_directory(struct plain *plain, const char *path, struct error **err)
{
    return fs_open_beneath(plain->root_fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW, err);
}

static int write_file(struct plain *plain, int parent, const char *name,
                      const struct tree_entry *file, struct error **err)
{
    AUTO(close) int fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(err, "making %s", name);
    if (file->entry->size) {
        AUTO(source_free) struct source *source = tree_open(plain->tree, file, err);
        AUTO(sink_free) struct sink *sink = sink_fd_new(fd, name);
        if (!source || source_pump(source, sink, NULL, err) < 0 || sink_finish(sink, err) < 0)
            return -1;
    }
    if (attributes_set_file(fd, file->entry, &plain->rights, 0600, err) < 0)
        return -1;
    return io_close(&fd, name, err);
}

static int write_node(struct plain *plain, int parent, const char *name, const struct entry *entry,
                      struct error **err)
{
    int made;
    bool is_device = entry->type == ENTRY_CHAR || entry->type == ENTRY_BLOCK;
    if (is_device && plain->rights.copies)
        return 0;
    if (entry->type == ENTRY_SYMLINK)
        made = symlinkat(entry->link, parent, name);
    else if (entry->type == ENTRY_FIFO)
        made = mkfifoat(parent, name, 0600);
    else
        made = mknodat(parent, name, 0600 | (entry->type == ENTRY_CHAR ? S_IFCHR : S_IFBLK),
                       makedev(entry->dev_major, entry->dev_minor));
    if (made < 0 && is_device && errno == EPERM)
        return 0;
    if (made < 0)
        return error_errno(err, "making %s", name);
    return attributes_set_node(parent, name, entry, &plain->rights, err);
}

/* 1: was linked to what stands already */
static int link_file(struct plain *plain, int parent, const char *name, const char *there,
                     struct error **err)
{
    AUTO(free) char *dir = path_dir(there);
    AUTO(close) int fd = open_directory(plain, dir, err);
    if (fd < 0)
        return -1;
    if (linkat(fd, path_base(there), parent, name, 0) == 0)
        return 1;
    /* a device that was left out, or more names than the file system allows: a file of its own */
    return errno == ENOENT || errno == EMLINK ? 0 : error_errno(err, "linking %s", name);
}

/* One for all names of a file; free() it. */
static char *file_key(const struct tree_entry *file)
{
    return xasprintf("%zu/%s", file->layer, file->path);
}

static int write_thing(struct plain *plain, int parent, const char *name,
                       const struct tree_entry *found, struct error **err)
{
    AUTO(tree_entry_release) struct tree_entry file = { 0 };
    if (tree_resolve_hardlink(plain->tree, found, &file, err) < 0)
        return -1;
    AUTO(free) char *key = file_key(&file);
    const char *there = hashmap_get(&plain->files, key);
    int linked = there ? link_file(plain, parent, name, there, err) : 0;
    if (linked != 0)
        return linked < 0 ? -1 : 0;
    if (!there)
        hashmap_put(&plain->files, key, xstrdup(found->path));
    if (file.entry->type == ENTRY_FILE)
        return write_file(plain, parent, name, &file, err);
    return write_node(plain, parent, name, file.entry, err);
}

/* 1: what stands at the path is the file that `st` is of. */
static int is_same_file(struct plain *plain, const char *path, const struct stat *st,
                        struct error **err)
{
    AUTO(free) char *dir = path_dir(path);
    AUTO(close) int fd = open_directory(plain, dir, err);
    struct stat other;
    if (fd < 0)
        return -1;
    if (fstatat(fd, path_base(path), &other, AT_SYMLINK_NOFOLLOW) < 0) /* a device, left out */
        return errno == ENOENT ? 0 : error_errno(err, "looking at %s", path);
    return other.st_dev == st->st_dev && other.st_ino == st->st_ino;
}

/* 1: what the earlier call made there stays; no directory. */
static int keep_thing(struct plain *plain, int parent, const char *name,
                      const struct tree_entry *found, struct error **err)
{
    const struct apply_again_options *again = plain->again;
    AUTO(tree_entry_release) struct tree_entry file = { 0 };
    struct stat st;
    if (!again || found->layer >= again->n_layers)
        return 0;
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : error_errno(err, "looking at %s", name);
    if (S_ISDIR(st.st_mode) || !again->is_untouched(again->data, found->path, &st))
        return 0;
    if (tree_resolve_hardlink(plain->tree, found, &file, err) < 0)
        return -1;
    /* the names of one file are its names still: another may have been made anew before */
    AUTO(free) char *key = file_key(&file);
    const char *there = hashmap_get(&plain->files, key);
    if (there)
        return is_same_file(plain, there, &st, err);
    hashmap_put(&plain->files, key, xstrdup(found->path));
    return 1;
}

/* Before anything that is no directory is made. */
static int make_room(struct plain *plain, int parent, const char *name, const char *path,
                     struct error **err)
{
    if (plain->taken && hashmap_has(plain->taken, path))
        return error_set(err, ERR_INVALID, "another platform has a file of this name");
    if (plain->taken)
        hashmap_put(plain->taken, path, NULL);
    if (plain->replaces && unlinkat(parent, name, 0) < 0 && errno != ENOENT)
        return error_errno(err, "replacing %s", name);
    return 0;
}

static int make_directory(const struct plain *plain, int parent, const char *name,
                          struct error **err)
{
    if (mkdirat(parent, name, 0700) == 0 || (plain->replaces && errno == EEXIST))
        return 0; /* that it is a directory is seen when it is filled */
    return error_errno(err, "making directory %s", name);
}

/* What stands at `name`, where a directory is to be or (not is_directory) something else */
static int make_way(int parent, const char *name, bool is_directory, struct error **err)
{
    struct stat st;
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : error_errno(err, "%s", name);
    return S_ISDIR(st.st_mode) == is_directory ? 0 : fs_remove_tree(parent, name, err);
}

/* What stands in `path` and isn't of the tree, whose names there are `names`. */
static int delete_others(int parent, const char *path, const struct strvec *names,
                         struct error **err)
{
    AUTO(hashmap_release) struct hashmap wanted = HASHMAP_INIT(NULL);
    AUTO(strvec_release) struct strvec there = STRVEC_INIT;
    if (fs_list(parent, ".", &there, err) < 0)
        return -1;
    for (size_t i = 0; i < names->n; i++)
        hashmap_put(&wanted, names->items[i], NULL);
    for (size_t i = 0; i < there.n; i++)
        if (!hashmap_has(&wanted, there.items[i]) &&
            fs_remove_tree(parent, there.items[i], err) < 0)
            return error_wrap(err, "deleting from %s", *path ? path : "the directory");
    return 0;
}

static int put_thing(struct plain *plain, int parent, const char *name,
                     const struct tree_entry *found, struct error **err)
{
    int kept = keep_thing(plain, parent, name, found, err);
    if (kept != 0)
        return kept < 0 ? -1 : 0;
    return make_room(plain, parent, name, found->path, err) < 0
               ? -1
               : write_thing(plain, parent, name, found, err);
}

static int fill_directory(struct plain *plain, const char *path, struct error **err)
{
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    AUTO(close) int parent = open_directory(plain, path, err);
    if (parent < 0 || tree_list(plain->tree, path, &names, err) < 0 ||
        (plain->again && attributes_clear_directory(parent, err) < 0) ||
        (plain->deletes && delete_others(parent, path, &names, err) < 0))
        return -1;
    for (size_t i = 0; i < names.n; i++) {
        AUTO(tree_entry_release) struct tree_entry found = { 0 };
        AUTO(free) char *child = path_join(path, names.items[i]);
        if (cancel_check(err) < 0 ||
            tree_lookup(plain->tree, child, TREE_NO_LINKS, &found, err) < 0)
            return -1;
        bool is_directory = tree_entry_is_directory(&found);
        if (plain->deletes && make_way(parent, names.items[i], is_directory, err) < 0)
            return error_wrap(err, "%s", child);
        if (!is_directory) {
            if (put_thing(plain, parent, names.items[i], &found, err) < 0)
                return error_wrap(err, "%s", child);
            continue;
        }
        if (make_directory(plain, parent, names.items[i], err) < 0)
            return error_wrap(err, "%s", child);
        strvec_take(&plain->directories, TAKE(child));
    }
    return 0;
}

static int finish_directory(struct plain *plain, const char *path, struct error **err)
{
    AUTO(tree_entry_release) struct tree_entry found = { 0 };
    AUTO(close) int fd = open_directory(plain, path, err);
    if (fd < 0 || cancel_check(err) < 0 ||
        tree_lookup(plain->tree, path, TREE_NO_LINKS, &found, err) < 0)
        return -1;
    const struct entry unnamed = { .type = ENTRY_DIRECTORY, .mode = 0755 };
    if (attributes_set_directory(fd, found.entry ? found.entry : &unnamed, &plain->rights, err) < 0)
        return error_wrap(err, "%s", path);
    return 0;
}

static int apply(struct plain *plain, struct error **err)
{
    hashmap_init(&plain->files, free);
    strvec_push(&plain->directories, "");
    for (size_t i = 0; i < plain->directories.n; i++)
        if (fill_directory(plain, plain->directories.items[i], err) < 0)
            return -1;
    for (size_t i = plain->directories.n; i > 0; i--)
        if (finish_directory(plain, plain->directories.items[i - 1], err) < 0)
            return -1;
    return 0;
}

int apply_tree(struct tree *tree, int dir_fd, struct error **err)
{
    AUTO(plain_release)
    struct plain plain = { .tree = tree, .root_fd = dir_fd, .rights = rights_now() };
    return apply(&plain, err);
}

int apply_tree_again(struct tree *tree, int dir_fd, const struct apply_again_options *options,
                     struct error **err)
{
    AUTO(plain_release)
    struct plain plain = { .tree = tree,
                           .root_fd = dir_fd,
                           .rights = rights_now(),
                           .replaces = true,
                           .deletes = true,
                           .again = options };
    return apply(&plain, err);
}

int apply_tree_copy(struct tree *tree, int dir_fd, const struct apply_copy_options *options,
                    struct error **err)
{
    AUTO(plain_release)
    struct plain plain = { .tree = tree,
                           .root_fd = dir_fd,
                           .rights = { .copies = true },
                           .replaces = true,
                           .deletes = options->deletes,
                           .taken = options->taken };
    return apply(&plain, err);
}
