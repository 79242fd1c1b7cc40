/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a form: hard links that wait, whiteouts, attributes of directories, its name. */
#include "base/cancel.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/path.h"
#include "layers/form_writer.h"
#include "layers/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/xattr.h>

#define BUFFER_SIZE ((size_t)128 * 1024)

static int copy_content(struct form_writer *form, const struct tree_entry *file, struct error **err)
{
    AUTO(source_free) struct source *content = tree_open(form->below, file, err);
    if (!content)
        return -1;
    AUTO(free) uint8_t *buffer = xmalloc(BUFFER_SIZE);
    ssize_t n;
    while ((n = source_read(content, buffer, BUFFER_SIZE, err)) > 0)
        if (form_writer_data(form, buffer, (size_t)n, err) < 0)
            return -1;
    return n < 0 ? -1 : 0;
}

/* What the link leads to in the layers below. */
static int find_below(struct form_writer *form, const struct entry *link, struct tree_entry *file,
                      struct error **err)
{
    AUTO(tree_entry_release) struct tree_entry found = { 0 };
    int there = form->below ? tree_lookup(form->below, link->link, TREE_NO_LINKS, &found, err) : 0;
    if (there < 0)
        return -1;
    if (there == 0 || tree_entry_is_directory(&found))
        return error_set(err, ERR_INVALID, "hard link %s to %s, which isn't there", link->path,
                         link->link);
    return tree_resolve_hardlink(form->below, &found, file, err);
}

/* The content and attributes of a file below, under our path in the open directory `parent`. */
static int copy_from_below(struct form_writer *form, int parent, const struct entry *link,
                           struct error **err)
{
    form->needs_below = true;
    AUTO(tree_entry_release) struct tree_entry file = { 0 };
    if (find_below(form, link, &file, err) < 0)
        return -1;
    const char *copied = hashmap_get(&form->copies, file.path);
    int linked = copied ? form_try_link(form, parent, link->path, copied, err) : 0;
    if (linked != 0)
        return linked < 0 ? -1 : 0;
    AUTO(entry_release) struct entry copy = { 0 };
    entry_copy(&copy, file.entry);
    free(copy.path);
    copy.path = xstrdup(link->path);
    if (form_writer_entry(form, &copy, err) < 0)
        return -1;
    hashmap_put(&form->copies, file.path, xstrdup(link->path));
    if (copy.type == ENTRY_FILE && copy.size && copy_content(form, &file, err) < 0)
        return -1;
    return form_files_end(form->files, err);
}

/* 1 done, or overtaken by a later entry; 0 the target isn't there, or taken from below with `copy`
 */
static int retry_link(struct form_writer *form, const struct entry *link, bool copy,
                      struct error **err)
{
    AUTO(free) char *dir = path_dir(link->path);
    int parent = form_open_directory(form, &form->parent, dir, false, err);
    if (parent < 0)
        return *err ? -1 : 1;
    struct stat st;
    if (fstatat(parent, path_base(link->path), &st, AT_SYMLINK_NOFOLLOW) == 0)
        return 1;
    if (errno != ENOENT)
        return error_errno(err, "looking at %s", link->path);
    int linked = form_try_link(form, parent, link->path, link->link, err);
    return linked == 0 && copy ? copy_from_below(form, parent, link, err) : linked;
}

/* Targets that came later in the tar first, since a layer's own files win; then those of the layers
 * below. */
static int put_waiting_links(struct form_writer *form, struct error **err)
{
    for (size_t left = form->n_links, before = left + 1; left && left < before;) {
        before = left;
        left = 0;
        for (size_t i = 0; i < before; i++) {
            int done = retry_link(form, &form->links[i], false, err);
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
    for (size_t i = 0; i < form->n_links; i++)
        if (retry_link(form, &form->links[i], true, err) < 0)
            return -1;
    return 0;
}

/* Whether the layer hides what is below beneath this directory. */
static bool is_hidden(const struct form_writer *form, const char *path)
{
    AUTO(free) char *here = xstrdup(path);
    for (;;) {
        const struct form_directory *directory = hashmap_get(&form->directories, here);
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
        int fd = merged ? -1 : form_open_directory(form, &form->parent, dir, false, err);
        if (*err)
            return -1;
        struct stat st;
        if (fd >= 0 && fstatat(fd, path_base(path), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            form_is_whiteout(&st) && fs_unlink(fd, path_base(path), err) < 0)
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
                            const struct form_directory *directory, bool hidden, struct error **err)
{
    AUTO(close)
    int fd = fs_open_beneath(form->root_fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW, err);
    if (fd < 0) {
        if (!form_is_not_there(*err))
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
    if (attributes_set_directory(fd, &entry, &form->rights, err) < 0)
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
        const struct form_directory *directory = sorted[i]->value;
        if (opaque && !path_is_within(sorted[i]->key, opaque))
            opaque = NULL;
        if (cancel_check(err) < 0 ||
            finish_directory(form, sorted[i]->key, directory, opaque || directory->hide, err) < 0)
            return -1;
        if (!opaque && (directory->opaque || directory->hide))
            opaque = sorted[i]->key;
    }
    return 0;
}

int form_writer_finish(struct form_writer *form, struct error **err)
{
    if (form_files_end(form->files, err) < 0 || put_waiting_links(form, err) < 0 ||
        form_files_settle(form->files, err) < 0 || drop_useless_whiteouts(form, err) < 0 ||
        finish_directories(form, err) < 0)
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
