/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cancel.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/mem.h"
#include "oci/store_gc.h"
#include "oci/store_internal.h"
#include "oci/store_tags.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define READ_SIZE ((size_t)256 << 10)

/* 0 hashed, 1 the disk couldn't give the content; ERR_CANCELLED */
static int hash_fd(int fd, struct digest *ret, struct error **err)
{
    AUTO(sha256_free) struct sha256 *hash = sha256_new();
    AUTO(free) char *data = xmalloc(READ_SIZE);
    for (;;) {
        if (cancel_check(err) < 0)
            return -1;
        ssize_t n = read(fd, data, READ_SIZE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return 1;
        if (n == 0)
            break;
        sha256_update(hash, data, (size_t)n);
    }
    uint8_t bytes[SHA256_SIZE];
    sha256_finish(hash, bytes);
    *ret = digest_from_sha256(bytes);
    return 0;
}

int store_check_blob(const struct store *store, const struct digest *digest, bool *good,
                     const char **why, struct error **err)
{
    char name[DIGEST_HEX_SIZE];
    digest_format_hex(digest, name);
    AUTO(close)
    int fd = openat(store->dir_fds[STORE_BLOBS], name,
                    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    *good = false;
    *why = "not a regular file";
    if (fd < 0 && errno == ENOENT) {
        *good = true; /* removed meanwhile: nothing there is bad */
        return 0;
    }
    if (fd < 0 && (errno == ELOOP || errno == ENXIO))
        return 0;
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(err, "blob sha256:%s", name);
    if (!S_ISREG(st.st_mode))
        return 0;
    struct digest got;
    *why = "the disk can't read it";
    int hashed = hash_fd(fd, &got, err);
    if (hashed != 0)
        return hashed < 0 ? -1 : 0;
    *why = "its content has another digest";
    *good = digest_equal(&got, digest);
    return 0;
}

struct fsck {
    struct store *store;
    bool repair;
    void (*bad)(void *data, const struct digest *digest, const char *why);
    void *data;
    struct store_fsck_result result;
};

static int found_bad(struct fsck *fsck, const struct digest *digest, const char *why)
{
    fsck->result.n_bad++;
    if (fsck->bad)
        fsck->bad(fsck->data, digest, why);
    return fsck->repair;
}

static int check_one(struct fsck *fsck, const char *name, struct error **err)
{
    struct digest digest = { .is_set = true };
    int blobs = fsck->store->dir_fds[STORE_BLOBS];
    if (!sha256_from_hex(name, strlen(name), digest.bytes))
        return 0; /* no blob's name: not ours */
    bool good;
    const char *why;
    if (store_check_blob(fsck->store, &digest, &good, &why, err) < 0)
        return -1;
    fsck->result.n_checked++;
    if (good || !found_bad(fsck, &digest, why))
        return 0;
    if (fs_remove_tree(blobs, name, err) < 0)
        return -1;
    fsck->result.n_repaired++;
    return 0;
}

static int check_blobs(struct fsck *fsck, struct error **err)
{
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    if (fs_list_fd(fsck->store->dir_fds[STORE_BLOBS], &names, "blobs", err) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++)
        if (check_one(fsck, names.items[i], err) < 0)
            return -1;
    return 0;
}

/* Tags whose image isn't whole, after the damaged blobs are gone. They stay: pulling again mends
 * them. */
static int check_tags(struct fsck *fsck, struct error **err)
{
    AUTO(store_tags_release) struct store_tags tags = { 0 };
    size_t n_damaged = 0;
    if (store_tags_sweep(fsck->store, fsck->repair, &n_damaged, err) < 0)
        return -1;
    fsck->result.n_bad += n_damaged;
    fsck->result.n_repaired += fsck->repair ? n_damaged : 0;
    if (n_damaged && !fsck->repair)
        return 0; /* the list can't be read whole */
    if (store_tags_list(fsck->store, &tags, err) < 0)
        return -1;
    for (size_t i = 0; i < tags.n_tags; i++) {
        const struct store_tag *tag = &tags.tags[i];
        AUTO(error_free) struct error *lacks = NULL;
        if (store_check_image(fsck->store, &tag->descriptor, &lacks) == 0)
            continue;
        AUTO(free)
        char *why =
            xasprintf("image %s: %s", tag->name ? tag->name : "without name", error_message(lacks));
        (void)found_bad(fsck, &tag->descriptor.digest, why);
    }
    return 0;
}

int store_fsck(struct store *store, bool repair,
               void (*bad)(void *data, const struct digest *digest, const char *why), void *data,
               struct store_fsck_result *ret, struct error **err)
{
    struct fsck fsck = { .store = store, .repair = repair, .bad = bad, .data = data };
    if (check_blobs(&fsck, err) < 0 || check_tags(&fsck, err) < 0)
        return error_wrap(err, "checking store %s", store->path);
    *ret = fsck.result;
    return 0;
}
