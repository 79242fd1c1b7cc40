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
#include <linux/magic.h>
#include <pthread.h>
#include <sys/vfs.h>
#include <time.h>

#define WORK "work"
#define MARK "mark"
#define MAX_TICKS 1000 /* a clock that doesn't move for a second: files are compared, then */
#define TICK_NS 1000000

struct tree_copy {
    pthread_mutex_t lock;
    pthread_cond_t left; /* an owner has */
    size_t n_owners;     /* under the lock */
    struct tree *tree;   /* that it was made of */
    struct private_form *form;
    int work_fd;           /* -1: sealed */
    struct hashmap inodes; /* path → ino_t, of what was made */
    struct timespec last;  /* latest change time of all that */
    bool hides_writes;     /* tmpfs: of a page mapped by reading it they change no time */
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

static struct tree_copy *copy_alloc(void)
{
    struct tree_copy *copy = NEW(struct tree_copy);
    (void)pthread_mutex_init(&copy->lock, NULL); /* these can't fail on Linux */
    (void)pthread_cond_init(&copy->left, NULL);
    copy->n_owners = 1;
    copy->work_fd = -1;
    hashmap_init(&copy->inodes, free);
    return copy;
}

static int look_at_fs(struct tree_copy *copy, struct error **err)
{
    struct statfs fs;
    if (fstatfs(private_form_fd(copy->form), &fs) < 0)
        return error_errno(err, "asking for the file system");
    copy->hides_writes = fs.f_type == TMPFS_MAGIC;
    return 0;
}

/* It holds the tree, as apply.h made it. */
static int begin(struct tree_copy *copy, struct tree *tree, struct error **err)
{
    tree_unref(copy->tree);
    copy->tree = tree_ref(tree);
    hashmap_release(&copy->inodes);
    hashmap_init(&copy->inodes, free);
    copy->last = (struct timespec){ 0 };
    copy->work_fd = private_form_add(copy->form, WORK, err);
    return copy->work_fd < 0 || look_at_fs(copy, err) < 0 || note_all(copy, err) < 0
               ? -1
               : await_tick(copy, err);
}

struct tree_copy *tree_copy_new(struct store *store, struct tree *tree, struct error **err)
{
    AUTO(tree_copy_free) struct tree_copy *copy = copy_alloc();
    copy->form = private_form_new(store, err);
    if (!copy->form)
        return NULL;
    if (apply_tree(tree, private_form_fd(copy->form), err) < 0 || begin(copy, tree, err) < 0)
        return error_wrap_null(err, "copying the tree");
    return TAKE(copy);
}

struct tree_copy *tree_copy_ref(struct tree_copy *copy)
{
    (void)pthread_mutex_lock(&copy->lock);
    copy->n_owners++;
    (void)pthread_mutex_unlock(&copy->lock);
    return copy;
}

void tree_copy_free(struct tree_copy *copy)
{
    if (!copy)
        return;
    (void)pthread_mutex_lock(&copy->lock);
    const bool is_last = --copy->n_owners == 0;
    (void)pthread_cond_broadcast(&copy->left);
    (void)pthread_mutex_unlock(&copy->lock);
    if (!is_last)
        return;
    close_auto(&copy->work_fd);
    private_form_free(copy->form);
    hashmap_release(&copy->inodes);
    tree_unref(copy->tree);
    (void)pthread_cond_destroy(&copy->left);
    (void)pthread_mutex_destroy(&copy->lock);
    free(copy);
}

static void await_others(struct tree_copy *copy)
{
    (void)pthread_mutex_lock(&copy->lock);
    while (copy->n_owners > 1)
        (void)pthread_cond_wait(&copy->left, &copy->lock);
    (void)pthread_mutex_unlock(&copy->lock);
}

bool tree_copy_serves(const struct tree_copy *copy, struct tree *tree)
{
    while (tree && tree != copy->tree)
        tree = tree_parent(tree);
    return tree != NULL;
}

static bool is_untouched(const void *data, const char *path, const struct stat *st)
{
    return tree_copy_is_untouched(data, path, st);
}

int tree_copy_renew(struct tree_copy *copy, struct tree *tree, struct error **err)
{
    await_others(copy);
    const struct apply_again_options options = { .n_layers = tree_n_layers(copy->tree),
                                                 .is_untouched = is_untouched,
                                                 .data = copy };
    if (apply_tree_again(tree, private_form_fd(copy->form), &options, err) < 0 ||
        begin(copy, tree, err) < 0)
        return error_wrap(err, "renewing the copy of the tree");
    return 0;
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
    if (copy->hides_writes && S_ISREG(st->st_mode) && st->st_size)
        return false;
    return has_inode(copy, path, st) && !is_later(&st->st_ctim, &copy->last);
}
