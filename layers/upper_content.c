/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/upper_content.h"

#include "base/fs.h"
#include "base/io.h"
#include "base/mem.h"
#include "layers/tree_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

int upper_open(int dir_fd, const char *path, struct error **err)
{
    const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
    int fd = fs_open_beneath(dir_fd, path, flags | O_NOATIME, err);
    if (fd >= 0 || error_errno_value(*err) != EPERM)
        return fd;
    error_clear(err); /* only the owner may ask for that */
    return fs_open_beneath(dir_fd, path, flags, err);
}

struct upper_content {
    int root_fd;
    struct tree_copy *copy; /* or NULL */
};

/* Exactly as many bytes as the tar's header says. */
struct exact_source {
    struct source source;
    int fd;
    char *path;
    uint64_t left;
};

static ssize_t exact_read(struct source *source, void *data, size_t size, struct error **err)
{
    struct exact_source *self = (struct exact_source *)source;
    if (!self->left)
        return 0;
    size_t wanted = size < self->left ? size : (size_t)self->left;
    ssize_t n = io_read_full(self->fd, data, wanted, self->path, err);
    if (n < 0)
        return -1;
    if ((size_t)n < wanted)
        return error_set(err, ERR_IO, "/%s: became shorter while it was read", self->path);
    self->left -= (uint64_t)n;
    return n;
}

static void exact_free(struct source *source)
{
    struct exact_source *self = (struct exact_source *)source;
    close_auto(&self->fd);
    free(self->path);
    free(self);
}

static struct source *content_open(void *data, const struct entry *entry, struct error **err)
{
    static const struct source_ops ops = { "upper", exact_read, exact_free };
    const struct upper_content *content = data;
    AUTO(close) int fd = upper_open(content->root_fd, entry->path, err);
    struct stat st;
    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) < 0)
        return error_errno_null(err, "looking at /%s", entry->path);
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != entry->size)
        return error_set_null(err, ERR_IO, "/%s: changed after the step ended", entry->path);
    struct exact_source *self = NEW(struct exact_source);
    self->source.ops = &ops;
    self->fd = take_fd(&fd);
    self->path = xstrdup(entry->path);
    self->left = entry->size;
    return &self->source;
}

static void content_free(void *data)
{
    struct upper_content *content = data;
    close_auto(&content->root_fd);
    tree_copy_free(content->copy);
    free(content);
}

int upper_content_set(struct changeset *changeset, int root_fd, struct tree_copy *copy,
                      struct error **err)
{
    static const struct changeset_ops ops = { content_open, content_free, NULL };
    int fd = io_dup(root_fd, err);
    if (fd < 0)
        return -1;
    struct upper_content *content = NEW(struct upper_content);
    content->root_fd = fd;
    content->copy = copy;
    changeset->ops = &ops;
    changeset->data = content;
    return 0;
}
