/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/private_form.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#define MAX_MAP ((size_t)64 * 1024)
#define MAX_STAT ((size_t)4096)

struct private_form {
    struct store *store;
    int folder_fd, box_fd, fd;
    char *box;
    struct lockfile *lock; /* of the box's name */
    bool is_kept;
    pthread_mutex_t name_lock;
    char *name; /* in the folder, as it is called now */
};

/*
 * Forms of different id maps are apart: the same number on disk is another owner in each. The "u"
 * stands for the attribute prefix, user.overlay.
 */
char *form_folder_name(struct error **err)
{
    if (geteuid() != 0)
        return xstrdup("u-plain");
    AUTO(strbuf_release) struct strbuf map = STRBUF_INIT;
    if (fs_read_file(AT_FDCWD, "/proc/self/uid_map", &map, MAX_MAP, err) < 0)
        return NULL;
    unsigned inside, outside, count;
    if (sscanf(map.data, "%u %u %u", &inside, &outside, &count) == 3 && count == UINT32_MAX)
        return xstrdup("u-root");
    if (fs_read_file(AT_FDCWD, "/proc/self/gid_map", &map, 2 * MAX_MAP, err) < 0)
        return NULL;
    uint8_t hash[SHA256_SIZE];
    char hex[SHA256_HEX_SIZE];
    sha256_of(map.data, map.size, hash);
    sha256_hex(hash, hex);
    return xasprintf("u-%.12s", hex);
}

bool form_folder_is_mapped(const char *name)
{
    return strncmp(name, "u-", 2) == 0 && strcmp(name, "u-plain") != 0 &&
           strcmp(name, "u-root") != 0;
}

/* An O_PATH fd of the directory `name`, made with mode 0700 when missing (0) or newly (1). */
static int make_directory(int dir_fd, const char *name, bool must_be_new, struct error **err)
{
    if (mkdirat(dir_fd, name, 0700) < 0 && (must_be_new || errno != EEXIST))
        return error_errno(err, "making layers/%s", name);
    int fd = openat(dir_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? error_errno(err, "opening layers/%s", name) : fd;
}

int form_folder_open(struct store *store, struct error **err)
{
    AUTO(free) char *name = form_folder_name(err);
    return name ? make_directory(store_dir_fd(store, STORE_LAYERS), name, false, err) : -1;
}

char *form_name(char kind, const struct digest *digest)
{
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(digest, hex);
    return xasprintf("%c-%s", kind, hex);
}

/* When this process began, in clock ticks since boot: with the pid it names it for good. */
static int process_start(unsigned long long *ret, struct error **err)
{
    AUTO(strbuf_release) struct strbuf stat = STRBUF_INIT;
    if (fs_read_file(AT_FDCWD, "/proc/self/stat", &stat, MAX_STAT, err) < 0)
        return -1;
    const char *field = strrchr(stat.data, ')'); /* the second field may hold anything */
    for (int i = 2; field && i < 22; i++)
        field = strchr(field + 1, ' ');
    if (!field || sscanf(field, " %llu", ret) != 1)
        return error_set(err, ERR_UNSUPPORTED, "/proc/self/stat: no start time");
    return 0;
}

/* Finds a free name, locks it and makes the box. */
static int take_name(struct private_form *form, struct error **err)
{
    unsigned long long start;
    if (process_start(&start, err) < 0)
        return -1;
    uint32_t n;
    if (getrandom(&n, sizeof(n), 0) != (ssize_t)sizeof(n))
        return error_errno(err, "asking for random bytes");
    for (n %= 1000000;; n++) {
        AUTO(free) char *name = xasprintf("p-%ld-%llu-%u", (long)getpid(), start, n);
        if (store_try_lock(form->store, name, &form->lock, err) < 0)
            return -1;
        if (!form->lock)
            continue; /* another thread's */
        if (mkdirat(form->folder_fd, name, 0700) == 0) {
            form->box = TAKE(name);
            return 0;
        }
        if (errno != EEXIST)
            return error_errno(err, "making layers/%s", name);
        lockfile_release(TAKE(form->lock));
    }
}

static struct private_form *form_alloc(struct store *store, struct error **err)
{
    AUTO(private_form_free) struct private_form *form = NEW(struct private_form);
    form->store = store;
    form->box_fd = form->fd = -1;
    (void)pthread_mutex_init(&form->name_lock, NULL); /* can't fail with default attributes */
    form->folder_fd = form_folder_open(store, err);
    return form->folder_fd < 0 ? NULL : TAKE(form);
}

struct private_form *private_form_new(struct store *store, struct error **err)
{
    AUTO(private_form_free) struct private_form *form = form_alloc(store, err);
    if (!form || take_name(form, err) < 0)
        return NULL;
    form->box_fd = make_directory(form->folder_fd, form->box, false, err);
    if (form->box_fd < 0)
        return NULL;
    /* a set-group-id bit that came down from the store's place must not reach what is put in */
    if (fchmodat(form->folder_fd, form->box, 0700, 0) < 0)
        return error_errno_null(err, "setting the mode of layers/%s", form->box);
    form->name = xasprintf("%s/" PRIVATE_FORM_TREE, form->box);
    form->fd = make_directory(form->box_fd, PRIVATE_FORM_TREE, true, err);
    return form->fd < 0 ? NULL : TAKE(form);
}

/* 1: *fd is that directory, 0: there is none */
static int open_left(int dir_fd, const char *name, int *fd, struct error **err)
{
    *fd = openat(dir_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (*fd >= 0)
        return 1;
    return errno == ENOENT || errno == ENOTDIR ? 0 : error_errno(err, "opening layers/%s", name);
}

struct private_form *private_form_reopen(struct store *store, const char *box,
                                         struct lockfile *lock, struct error **err)
{
    AUTO(private_form_free) struct private_form *form = form_alloc(store, err);
    if (!form) {
        lockfile_remove(lock);
        return NULL;
    }
    form->lock = lock;
    if (open_left(form->folder_fd, box, &form->box_fd, err) <= 0 ||
        open_left(form->box_fd, PRIVATE_FORM_TREE, &form->fd, err) <= 0)
        return NULL;
    form->box = xstrdup(box);
    form->name = xasprintf("%s/" PRIVATE_FORM_TREE, box);
    return TAKE(form);
}

const char *private_form_box(const struct private_form *form)
{
    return form->box;
}

void private_form_keep(struct private_form *form)
{
    form->is_kept = true;
}

/*
 * What can't be removed now is collected later. What a signal cuts short goes to tmp/, which the
 * next process sweeps: half of a form must not stand under a name that a record may hold.
 */
static void remove_quietly(struct private_form *form, const char *name)
{
    AUTO(error_free) struct error *ignored = NULL;
    if (fs_discard_tree(form->folder_fd, name, &ignored) == 0 ||
        !error_is(ignored, ERR_CANCELLED) ||
        renameat(form->folder_fd, name, store_dir_fd(form->store, STORE_TMP), name) == 0)
        return;
    error_clear(&ignored);
    if (fs_remove_tree(form->folder_fd, name, &ignored) < 0)
        return;
}

static void drop_box(struct private_form *form)
{
    close_auto(&form->box_fd);
    form->box_fd = -1;
    if (form->box && !form->is_kept)
        remove_quietly(form, form->box);
    lockfile_remove(TAKE(form->lock));
    free(TAKE(form->box));
}

void private_form_free(struct private_form *form)
{
    if (!form)
        return;
    close_auto(&form->fd);
    drop_box(form);
    close_auto(&form->folder_fd);
    (void)pthread_mutex_destroy(&form->name_lock); /* nobody holds it */
    free(form->name);
    free(form);
}

int private_form_fd(const struct private_form *form)
{
    return form->fd;
}

int private_form_add(struct private_form *form, const char *name, struct error **err)
{
    return make_directory(form->box_fd, name, true, err);
}

int private_form_remove(struct private_form *form, const char *name, struct error **err)
{
    return fs_remove_tree(form->box_fd, name, err);
}

/* 1 renamed, 0 there already, -1 with errno */
static int rename_new(int from_fd, const char *from, int to_fd, const char *to)
{
    int result = renameat2(from_fd, from, to_fd, to, RENAME_NOREPLACE);
    if (result < 0 && errno == EINVAL) /* this file system doesn't know the flag */
        result = renameat(from_fd, from, to_fd, to);
    if (result == 0)
        return 1;
    return errno == EEXIST || errno == ENOTEMPTY ? 0 : -1;
}

int private_form_publish(struct private_form *form, char kind, const struct digest *digest,
                         struct error **err)
{
    AUTO(free) char *name = form_name(kind, digest);
    AUTO(lockfile_release) struct lockfile *lock = NULL;
    if (store_lease(form->store, digest, err) < 0 ||
        store_rename_begin(form->store, digest, &lock, err) < 0)
        return -1;
    int renamed = rename_new(form->box_fd, PRIVATE_FORM_TREE, form->folder_fd, name);
    if (renamed < 0)
        return error_errno(err, "renaming layers/%s", name);
    if (renamed == 0)
        return 0;
    (void)pthread_mutex_lock(&form->name_lock);
    free(form->name);
    form->name = TAKE(name);
    (void)pthread_mutex_unlock(&form->name_lock);
    drop_box(form);
    return 1;
}

int private_form_open(struct private_form *form, char kind, const struct digest *digest,
                      struct error **err)
{
    AUTO(free) char *name = form_name(kind, digest);
    int fd = openat(form->folder_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? error_errno(err, "opening layers/%s", name) : fd;
}

char *private_form_path(struct private_form *form)
{
    AUTO(error_free) struct error *ignored = NULL;
    AUTO(free) char *folder = form_folder_name(&ignored); /* it worked when the form was made */
    (void)pthread_mutex_lock(&form->name_lock);
    char *path =
        xasprintf("%s/layers/%s/%s", store_path(form->store), folder ? folder : "", form->name);
    (void)pthread_mutex_unlock(&form->name_lock);
    return path;
}
