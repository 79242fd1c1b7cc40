/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/tree_copy.h"

#include "base/fs.h"
#include "base/hashmap.h"
#include "base/mem.h"
#include "base/path.h"
#include "layers/apply.h"
#include "layers/private_form.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>

#define WORK "work"
#define MARK "mark"
#define MAX_TICKS 1000 /* a clock that doesn't move for a second: files are compared, then */
#define TICK_NS 1000000

struct tree_copy {
    struct private_form *form;
    int work_fd;           /* -1: sealed */
    struct hashmap inodes; /* path → ino_t, of what was made */
    struct timespec last;  /* latest change time of all that */
};

static bool is_later(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

static void note(struct tree_copy *copy, const char *path, const struct stat *st)
{
    ino_t *inode = NEW(ino_t);
    *inode = st->st_ino;
    hashmap_put(&copy->inodes, path, inode);
    if (is_later(&st->st_ctim, &copy->last))
        copy->last = st->st_ctim;
}

/* Its subdirectories are appended to `directories`. */
static int note_directory(struct tree_copy *copy, const char *path, struct strvec *directories,
                          struct error **err)
{
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    AUTO(close)
    int fd = fs_open_beneath(private_form_fd(copy->form), path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
                             err);
    if (fd < 0 || fs_list_fd(fd, &names, path, err) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++) {
        AUTO(free) char *child = path_join(path, names.items[i]);
        struct stat st;
        if (fstatat(fd, names.items[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
            return error_errno(err, "looking at /%s", child);
        note(copy, child, &st);
        if (S_ISDIR(st.st_mode))
            strvec_push(directories, child);
    }
    return 0;
}

static int note_all(struct tree_copy *copy, struct error **err)
{
    AUTO(strvec_release) struct strvec directories = STRVEC_INIT;
    strvec_push(&directories, "");
    for (size_t i = 0; i < directories.n; i++) {
        AUTO(free) char *path = xstrdup(directories.items[i]); /* the list may move */
        if (note_directory(copy, path, &directories, err) < 0)
            return -1;
    }
    return 0;
}

/* Until a change would get a later time: change times go by the kernel's ticks. */
static int await_tick(struct tree_copy *copy, struct error **err)
{
    const struct timespec tick = { .tv_nsec = TICK_NS };
    AUTO(close) int mark_fd = private_form_add(copy->form, MARK, err);
    if (mark_fd < 0)
        return -1;
    for (int i = 0; i < MAX_TICKS; i++) {
        struct stat st;
        if (fchmodat(mark_fd, ".", i & 1 ? 0700 : 0750, 0) < 0 || fstat(mark_fd, &st) < 0)
            return error_errno(err, "asking for the time of the file system");
        if (is_later(&st.st_ctim, &copy->last))
            return private_form_remove(copy->form, MARK, err);
        (void)nanosleep(&tick, NULL); /* a signal makes it shorter */
    }
    copy->last = (struct timespec){ 0 };
    return private_form_remove(copy->form, MARK, err);
}

struct tree_copy *tree_copy_new(struct store *store, struct tree *tree, struct error **err)
{
    AUTO(tree_copy_free) struct tree_copy *copy = NEW(struct tree_copy);
    copy->work_fd = -1;
    hashmap_init(&copy->inodes, free);
    copy->form = private_form_new(store, err);
    if (!copy->form)
        return NULL;
    copy->work_fd = private_form_add(copy->form, WORK, err);
    if (copy->work_fd < 0 || apply_tree(tree, private_form_fd(copy->form), err) < 0 ||
        note_all(copy, err) < 0 || await_tick(copy, err) < 0)
        return error_wrap_null(err, "copying the tree");
    return TAKE(copy);
}

void tree_copy_free(struct tree_copy *copy)
{
    if (!copy)
        return;
    close_auto(&copy->work_fd);
    private_form_free(copy->form);
    hashmap_release(&copy->inodes);
    free(copy);
}

int tree_copy_root_fd(const struct tree_copy *copy)
{
    return private_form_fd(copy->form);
}

int tree_copy_work_fd(const struct tree_copy *copy)
{
    return copy->work_fd;
}

int tree_copy_seal(struct tree_copy *copy, struct error **err)
{
    close_auto(&copy->work_fd);
    copy->work_fd = -1;
    return private_form_remove(copy->form, WORK, err) < 0
               ? error_wrap(err, "removing a work directory")
               : 0;
}

bool tree_copy_had(const struct tree_copy *copy, const char *path)
{
    return hashmap_get(&copy->inodes, path) != NULL;
}

static bool has_inode(const struct tree_copy *copy, const char *path, const struct stat *st)
{
    const ino_t *inode = hashmap_get(&copy->inodes, path);
    return inode && *inode == st->st_ino;
}

bool tree_copy_has_kept(const struct tree_copy *copy, const char *path, const struct stat *st,
                        int dir_fd, const char *name)
{
    struct statx born;
    if (!has_inode(copy, path, st))
        return false;
    if (statx(dir_fd, name, AT_SYMLINK_NOFOLLOW, STATX_BTIME, &born) < 0 ||
        !(born.stx_mask & STATX_BTIME))
        return true; /* nobody knows */
    const struct timespec time = { .tv_sec = born.stx_btime.tv_sec,
                                   .tv_nsec = born.stx_btime.tv_nsec };
    return !is_later(&time, &copy->last);
}

bool tree_copy_is_untouched(const struct tree_copy *copy, const char *path, const struct stat *st)
{
    return has_inode(copy, path, st) && !is_later(&st->st_ctim, &copy->last);
}
