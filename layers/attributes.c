/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/attributes.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/own_ids.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MAX_LIST ((size_t)1 << 20)
#define MAX_VALUE ((size_t)64 * 1024) /* XATTR_SIZE_MAX */
#define MAX_STATUS ((size_t)64 * 1024)

struct rights rights_now(void)
{
    return (struct rights){
        .owners = geteuid() == 0, .single = own_ids_are_single(), .uid = geteuid(), .gid = getegid()
    };
}

/* Nothing is to be done for the owner. */
static bool is_ours(const struct entry *entry, const struct rights *rights)
{
    return rights->single || (entry->uid == rights->uid && entry->gid == rights->gid);
}

static int set_xattrs(int fd, const struct entry *entry, struct error **err)
{
    for (size_t i = 0; i < entry->n_xattrs; i++) {
        const struct xattr *xattr = &entry->xattrs[i];
        if (fsetxattr(fd, xattr->name, xattr->value, xattr->size, 0) < 0)
            return error_errno(err, "setting attribute %s", xattr->name);
    }
    return 0;
}

static void times_of(const struct entry *entry, struct timespec times[2])
{
    times[0] = (struct timespec){ .tv_nsec = UTIME_OMIT };
    times[1] = (struct timespec){ .tv_sec = entry->mtime };
}

static int set_time(int fd, const struct entry *entry, struct error **err)
{
    struct timespec times[2];
    times_of(entry, times);
    return futimens(fd, times) < 0 ? error_errno(err, "setting the time") : 0;
}

static int owner_error(const struct entry *entry, struct error **err)
{
    int failure = errno;
    (void)error_errno(err, "setting the owner %u:%u", entry->uid, entry->gid);
    if (failure == EINVAL) { /* an id that our user namespace hasn't got */
        error_recode(err, ERR_UNSUPPORTED);
        error_hint(err, "there are too few subordinate ids for it: give this user more in "
                        "/etc/subuid and /etc/subgid, or build as root");
    }
    return -1;
}

static int set_mode_of_copy(int fd, const struct entry *entry, struct error **err)
{
    return fchmod(fd, entry->mode & 01777) < 0 ? error_errno(err, "setting the mode") : 0;
}

int attributes_set_file(int fd, const struct entry *entry, const struct rights *rights, mode_t made,
                        struct error **err)
{
    if (rights->copies)
        return set_mode_of_copy(fd, entry, err) < 0 ? -1 : set_time(fd, entry, err);
    if (!rights->owners)
        return set_time(fd, entry, err);
    /* in this order: a change of owner takes set-id bits and capabilities away */
    bool chowned = !is_ours(entry, rights);
    if (chowned && fchown(fd, entry->uid, entry->gid) < 0)
        return owner_error(entry, err);
    if ((entry->mode != made || (chowned && (made & 06000))) && fchmod(fd, entry->mode) < 0)
        return error_errno(err, "setting the mode");
    if (set_xattrs(fd, entry, err) < 0)
        return -1;
    return set_time(fd, entry, err);
}

int attributes_set_directory(int fd, const struct entry *entry, const struct rights *rights,
                             struct error **err)
{
    AUTO(close) int dir = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return error_errno(err, "opening a directory");
    if (rights->copies)
        return set_mode_of_copy(dir, entry, err) < 0 ? -1 : set_time(dir, entry, err);
    if (rights->owners) {
        if (!rights->single && fchown(dir, entry->uid, entry->gid) < 0)
            return owner_error(entry, err);
        if (fchmod(dir, entry->mode) < 0)
            return error_errno(err, "setting the mode");
        if (set_xattrs(dir, entry, err) < 0)
            return -1;
    }
    return set_time(dir, entry, err);
}

static int clear_xattrs(int dir, struct error **err)
{
    ssize_t size = flistxattr(dir, NULL, 0);
    if (size == 0 || (size < 0 && errno == ENOTSUP))
        return 0;
    AUTO(free) char *list = xmalloc(MAX_LIST);
    size = flistxattr(dir, list, MAX_LIST);
    if (size < 0)
        return error_errno(err, "reading the attributes");
    for (const char *name = list; name < list + size; name += strlen(name) + 1)
        if (strcmp(name, "security.selinux") != 0 && fremovexattr(dir, name) < 0)
            return error_errno(err, "removing attribute %s", name);
    return 0;
}

int attributes_clear_directory(int fd, struct error **err)
{
    AUTO(close) int dir = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return error_errno(err, "opening a directory");
    if (fchmod(dir, 0700) < 0)
        return error_errno(err, "setting the mode");
    return clear_xattrs(dir, err);
}

int attributes_set_node(int dir_fd, const char *name, const struct entry *entry,
                        const struct rights *rights, struct error **err)
{
    bool copies = rights->copies;
    if (!copies && rights->owners && !is_ours(entry, rights) &&
        fchownat(dir_fd, name, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return owner_error(entry, err);
    if ((rights->owners || copies) && entry->type != ENTRY_SYMLINK &&
        fchmodat(dir_fd, name, entry->mode, 0) < 0)
        return error_errno(err, "setting the mode");
    struct timespec times[2];
    times_of(entry, times);
    if (utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return error_errno(err, "setting the time");
    return 0;
}

/* Reading */

/* As BuildKit: capabilities are part of what a program is, user.* attributes stay where they were
 * set. */
static bool enters_layers(const char *name)
{
    return strcmp(name, "security.capability") == 0;
}

/* Version 3 names the user id of a map's root; 0: our own, so version 2 says it for everybody. */
static size_t unbind_capability(uint8_t *value, size_t size)
{
    struct vfs_ns_cap_data data;
    if (size != XATTR_CAPS_SZ_3)
        return size;
    memcpy(&data, value, sizeof(data));
    uint32_t magic = le32toh(data.magic_etc);
    if ((magic & VFS_CAP_REVISION_MASK) != VFS_CAP_REVISION_3 || data.rootid != 0)
        return size;
    data.magic_etc = htole32((magic & ~VFS_CAP_REVISION_MASK) | VFS_CAP_REVISION_2);
    memcpy(value, &data, XATTR_CAPS_SZ_2);
    return XATTR_CAPS_SZ_2;
}

static int get_one(const char *path, const char *shown, const char *name, struct entry *entry,
                   struct error **err)
{
    uint8_t small[256];
    ssize_t size = lgetxattr(path, name, small, sizeof(small));
    AUTO(free) uint8_t *large = NULL;
    if (size < 0 && errno == ERANGE) {
        large = xmalloc(MAX_VALUE);
        size = lgetxattr(path, name, large, MAX_VALUE);
    }
    if (size < 0)
        return error_errno(err, "reading attribute %s of %s", name, shown);
    uint8_t *value = large ? large : small;
    size_t n = (size_t)size;
    if (strcmp(name, "security.capability") == 0)
        n = unbind_capability(value, n);
    entry_add_xattr(entry, name, value, n);
    return 0;
}

int attributes_get(int dir_fd, const char *name, struct entry *entry, struct error **err)
{
    /* there is no listxattrat() in the kernels that we run on */
    AUTO(free) char *path = xasprintf("/proc/self/fd/%d/%s", dir_fd, name);
    char small[256];
    ssize_t size = llistxattr(path, small, sizeof(small));
    AUTO(free) char *large = NULL;
    if (size < 0 && errno == ERANGE) {
        large = xmalloc(MAX_LIST);
        size = llistxattr(path, large, MAX_LIST);
    }
    if (size < 0 && errno == ENOTSUP)
        return 0;
    if (size < 0)
        return error_errno(err, "reading the attributes of %s", name);
    const char *list = large ? large : small;
    for (const char *p = list; p < list + size; p += strlen(p) + 1)
        if (enters_layers(p) && get_one(path, name, p, entry, err) < 0)
            return -1;
    return 0;
}

mode_t attributes_umask(void)
{
    AUTO(strbuf_release) struct strbuf status = STRBUF_INIT;
    AUTO(error_free) struct error *ignored = NULL; /* then every mode is set by hand */
    if (fs_read_file(AT_FDCWD, "/proc/self/status", &status, MAX_STATUS, &ignored) < 0)
        return 0777;
    unsigned mask;
    const char *line = strstr(status.data, "\nUmask:");
    return line && sscanf(line, "\nUmask: %o", &mask) == 1 ? (mode_t)mask : 0777;
}
