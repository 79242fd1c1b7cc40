/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/merged_form.h"

#include "base/fs.h"
#include "base/hashmap.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "layers/attributes.h"
#include "layers/private_form.h"
#include "layers/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define OVERLAY_PREFIX "user.overlay."
#define XATTR_LIST_SIZE ((size_t)65536)
#define MAX_DEPTH 1000

/* A file with several names: where it is in the merged form, and how many names are still to come.
 */
struct linked {
    char *path;
    nlink_t missing;
};

struct merge {
    int root_fd;          /* of the merged form */
    struct hashmap links; /* "DEV:INO" → struct linked */
    size_t n_entries;
    uint64_t n_bytes;
    bool given_up;
};

/* One directory: in the forms that show there, topmost first, and in the merged one. */
struct level {
    int *fds;
    size_t n;
    int out_fd;
    const char *path; /* relative to the root; "" */
    unsigned depth;
};

static void linked_free(void *value)
{
    struct linked *linked = value;
    free(linked->path);
    free(linked);
}

static int give_up(struct merge *merge)
{
    merge->given_up = true;
    return 0;
}

static void close_all(int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        (void)close(fds[i]);
    free(fds);
}

static bool is_whiteout(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

/* --- attributes ------------------------------------------------------------------------------ */

static bool is_opaque(int fd)
{
    char value[8];
    return fgetxattr(fd, ATTRIBUTE_OPAQUE, value, sizeof(value)) == 1 && value[0] == 'y';
}

/* Of overlay's own attributes only the opaque mark means something to a lower layer. */
static int copy_xattr(struct merge *merge, int from_fd, int to_fd, const char *name,
                      struct error **err)
{
    const bool is_overlays = strncmp(name, OVERLAY_PREFIX, strlen(OVERLAY_PREFIX)) == 0;
    if (!strcmp(name, OVERLAY_PREFIX "redirect") || !strcmp(name, OVERLAY_PREFIX "metacopy"))
        return give_up(merge);
    if (is_overlays)
        return 0;
    AUTO(free) char *value = xmalloc(XATTR_SIZE_MAX);
    ssize_t size = fgetxattr(from_fd, name, value, XATTR_SIZE_MAX);
    if (size < 0)
        return error_errno(err, "reading attribute %s", name);
    if (fsetxattr(to_fd, name, value, (size_t)size, 0) == 0)
        return 0;
    /* this user may not give it: then nobody gave it to the single form either, or it stays alone
     */
    return errno == EPERM || errno == ENOTSUP ? give_up(merge)
                                              : error_errno(err, "setting attribute %s", name);
}

static int copy_xattrs(struct merge *merge, int from_fd, int to_fd, struct error **err)
{
    AUTO(free) char *names = xmalloc(XATTR_LIST_SIZE);
    ssize_t size = flistxattr(from_fd, names, XATTR_LIST_SIZE);
    if (size < 0)
        return errno == ENOTSUP ? 0 : error_errno(err, "listing attributes");
    for (const char *name = names; name < names + size; name += strlen(name) + 1)
        if (copy_xattr(merge, from_fd, to_fd, name, err) < 0)
            return -1;
    return 0;
}

/* Times last: all else changes them. */
static int copy_attributes(struct merge *merge, int from_fd, int to_fd, const struct stat *st,
                           struct error **err)
{
    const struct timespec times[2] = { st->st_atim, st->st_mtim };
    if (fchown(to_fd, st->st_uid, st->st_gid) < 0 || fchmod(to_fd, st->st_mode & 07777) < 0)
        return error_errno(err, "owner and mode");
    if (copy_xattrs(merge, from_fd, to_fd, err) < 0)
        return -1;
    return futimens(to_fd, times) < 0 ? error_errno(err, "times") : 0;
}

/* --- what isn't a directory ------------------------------------------------------------------ */

static int copy_content(int in, int out, uint64_t size, const char *name, struct error **err)
{
    if (ioctl(out, FICLONE, in) == 0)
        return 0;
    return io_copy(in, out, size, name, err);
}

static int copy_file(struct merge *merge, const struct level *level, int from_fd, const char *name,
                     const struct stat *st, struct error **err)
{
    merge->n_bytes += (uint64_t)st->st_size;
    if (merge->n_bytes > MERGED_MAX_BYTES)
        return give_up(merge);
    AUTO(close) int in = openat(from_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    AUTO(close)
    int out = openat(level->out_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (in < 0 || out < 0)
        return error_errno(err, "copying %s", name);
    if (copy_content(in, out, (uint64_t)st->st_size, name, err) < 0)
        return -1;
    return copy_attributes(merge, in, out, st, err);
}

static int copy_node(const struct level *level, int from_fd, const char *name,
                     const struct stat *st, struct error **err)
{
    const struct timespec times[2] = { st->st_atim, st->st_mtim };
    char target[PATH_MAX];
    int made = -1;
    if (S_ISLNK(st->st_mode)) {
        ssize_t size = readlinkat(from_fd, name, target, sizeof(target) - 1);
        if (size < 0)
            return error_errno(err, "reading link %s", name);
        target[size] = '\0';
        made = symlinkat(target, level->out_fd, name);
    } else {
        made = mknodat(level->out_fd, name, st->st_mode, st->st_rdev);
    }
    if (made < 0 ||
        fchownat(level->out_fd, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        (!S_ISLNK(st->st_mode) && fchmodat(level->out_fd, name, st->st_mode & 07777, 0) < 0) ||
        utimensat(level->out_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return error_errno(err, "making %s", name);
    return 0;
}

static int link_again(struct merge *merge, const struct level *level, struct linked *linked,
                      const char *name, struct error **err)
{
    linked->missing--;
    if (linkat(merge->root_fd, linked->path, level->out_fd, name, 0) < 0)
        return error_errno(err, "linking %s", name);
    return 0;
}

static int copy_thing(struct merge *merge, const struct level *level, int from_fd, const char *name,
                      const struct stat *st, struct error **err)
{
    char key[64];
    if (st->st_nlink > 1 &&
        !is_whiteout(st)) { /* overlay links its whiteouts, which says nothing */
        (void)snprintf(key, sizeof(key), "%ju:%ju", (uintmax_t)st->st_dev, (uintmax_t)st->st_ino);
        struct linked *linked = hashmap_get(&merge->links, key);
        if (linked)
            return link_again(merge, level, linked, name, err);
        linked = NEW(struct linked);
        linked->path = *level->path ? xasprintf("%s/%s", level->path, name) : xstrdup(name);
        linked->missing = st->st_nlink - 1;
        hashmap_put(&merge->links, key, linked);
    }
    return S_ISREG(st->st_mode) ? copy_file(merge, level, from_fd, name, st, err)
                                : copy_node(level, from_fd, name, st, err);
}

/* --- directories ----------------------------------------------------------------------------- */

static int merge_level(struct merge *merge, const struct level *level, struct error **err);

static int open_directory(int dir_fd, const char *name, struct error **err)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? error_errno(err, "opening %s", name) : fd;
}

/* What shows through the one in level->fds[first], as overlay has it; *opaque: nothing further down
 * does. */
static int open_below(const struct level *level, size_t first, const char *name, struct level *ret,
                      bool *opaque, struct error **err)
{
    *opaque = false;
    for (size_t i = first; i < level->n && !*opaque; i++) {
        struct stat st;
        if (fstatat(level->fds[i], name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
            if (errno == ENOENT)
                continue;
            return error_errno(err, "looking at %s", name);
        }
        *opaque = !S_ISDIR(st.st_mode);
        if (*opaque)
            break;
        int fd = open_directory(level->fds[i], name, err);
        if (fd < 0)
            return -1;
        ret->fds[ret->n++] = fd;
        *opaque = is_opaque(fd);
    }
    return 0;
}

static int merge_directory(struct merge *merge, const struct level *level, size_t first,
                           const char *name, const struct stat *st, struct error **err)
{
    if (level->depth >= MAX_DEPTH)
        return give_up(merge);
    AUTO(free) char *path = *level->path ? xasprintf("%s/%s", level->path, name) : xstrdup(name);
    struct level below = { .fds = xcalloc(level->n, sizeof(int)),
                           .path = path,
                           .depth = level->depth + 1 };
    bool opaque;
    int result = open_below(level, first, name, &below, &opaque, err);
    if (result == 0 && mkdirat(level->out_fd, name, 0700) < 0)
        result = error_errno(err, "making %s", name);
    AUTO(close) int out = result < 0 ? -1 : open_directory(level->out_fd, name, err);
    below.out_fd = out;
    if (out < 0 || merge_level(merge, &below, err) < 0)
        result = -1;
    if (result == 0 && opaque && fsetxattr(out, ATTRIBUTE_OPAQUE, "y", 1, 0) < 0)
        result = error_errno(err, "marking %s as opaque", name);
    if (result == 0)
        result = copy_attributes(merge, below.fds[0], out, st, err);
    close_all(below.fds, below.n);
    return result;
}

/* The topmost thing of this name. */
static int merge_name(struct merge *merge, const struct level *level, size_t first,
                      const char *name, struct error **err)
{
    struct stat st;
    if (++merge->n_entries > MERGED_MAX_ENTRIES)
        return give_up(merge);
    if (fstatat(level->fds[first], name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return error_errno(err, "looking at %s", name);
    return S_ISDIR(st.st_mode) ? merge_directory(merge, level, first, name, &st, err)
                               : copy_thing(merge, level, level->fds[first], name, &st, err);
}

static int merge_level(struct merge *merge, const struct level *level, struct error **err)
{
    AUTO(hashmap_release) struct hashmap seen = HASHMAP_INIT(NULL);
    for (size_t i = 0; i < level->n; i++) {
        AUTO(strvec_release) struct strvec names = STRVEC_INIT;
        if (fs_list_fd(level->fds[i], &names, level->path, err) < 0)
            return -1;
        for (size_t k = 0; k < names.n && !merge->given_up; k++) {
            if (hashmap_has(&seen, names.items[k]))
                continue;
            hashmap_put(&seen, names.items[k], NULL);
            if (merge_name(merge, level, i, names.items[k], err) < 0)
                return error_wrap(err, "%s", *level->path ? level->path : "/");
        }
    }
    return 0;
}

/* --- the form -------------------------------------------------------------------------------- */

struct digest merged_form_name(const struct digest *top, const struct digest *below)
{
    AUTO(sha256_free) struct sha256 *hash = sha256_new();
    char text[DIGEST_TEXT_SIZE] = "";
    uint8_t bytes[SHA256_SIZE];
    sha256_update_field(hash, "merged");
    digest_format(top, text);
    sha256_update_field(hash, text);
    text[0] = '\0';
    if (below && below->is_set)
        digest_format(below, text);
    sha256_update_field(hash, text);
    sha256_finish(hash, bytes);
    return digest_from_sha256(bytes);
}

int merged_form_find(struct store *store, const struct digest *name, struct error **err)
{
    return snapshot_find_merged(store, name, err);
}

static bool links_are_complete(const struct merge *merge)
{
    for (struct hashmap_entry *e = NULL; (e = hashmap_next(&merge->links, e));)
        if (((const struct linked *)e->value)->missing)
            return false;
    return true;
}

/* The root's own attributes are never seen: the upper's are. */
static int merge_forms(struct merge *merge, const int *fds, size_t n, struct error **err)
{
    struct level level = { .fds = xcalloc(n, sizeof(int)), .out_fd = merge->root_fd, .path = "" };
    int result = 0;
    for (size_t i = 0; i < n && result == 0; i++) { /* what is merged may be named by O_PATH */
        int fd = open_directory(fds[i], ".", err);
        if (fd < 0)
            result = -1;
        else
            level.fds[level.n++] = fd;
    }
    if (result == 0)
        result = merge_level(merge, &level, err);
    close_all(level.fds, level.n);
    return result;
}

int merged_form_make(struct store *store, const int *fds, size_t n, const struct digest *name,
                     struct error **err)
{
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(name, hex);
    AUTO(free) char *lock_name = xasprintf("merge-%s", hex);
    AUTO(lockfile_remove) struct lockfile *lock = NULL;
    if (store_try_lock(store, lock_name, &lock, err) < 0)
        return -1;
    if (!lock)
        return 0;
    AUTO(private_form_free) struct private_form *form = private_form_new(store, err);
    if (!form)
        return -1;
    AUTO(close) int root = open_directory(private_form_fd(form), ".", err);
    if (root < 0)
        return -1;
    struct merge merge = { .root_fd = root, .links = HASHMAP_INIT(linked_free) };
    int result = merge_forms(&merge, fds, n, err);
    if (result == 0 && !merge.given_up && links_are_complete(&merge))
        result = private_form_publish(form, 'm', name, err) < 0 ? -1 : 0;
    hashmap_release(&merge.links);
    return result;
}
