/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/transport_archive.h"

#include "base/array.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/output_file.h"
#include "oci/transport_store.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>

/* What a user means as a name; NULL where it can't be one. */
static char *normal_name(const char *text)
{
    AUTO(reference_release) struct reference reference = { 0 };
    AUTO(error_free) struct error *ignored = NULL; /* then it is a tag, or nothing */
    if (reference_parse(text, &reference, &ignored) < 0 || reference.digest.is_set)
        return NULL;
    reference_default_tag(&reference);
    return reference_format(&reference);
}

/* Reading */

static int keep_image(void *data, const struct archive_image *image, struct error **err UNUSED)
{
    struct archive_images *images = data;
    struct archive_image *kept = ARRAY_PUSH(images, images);
    descriptor_copy(&kept->descriptor, &image->descriptor);
    kept->name = xstrdup(image->name);
    kept->tag = xstrdup(image->tag);
    return 0;
}

static bool is_wanted(const struct archive_image *image, const char *ref, const char *name)
{
    return (image->name && name && strcmp(image->name, name) == 0) ||
           (image->tag && strcmp(image->tag, ref) == 0);
}

static const struct archive_image *find(const struct archive_images *images, const char *ref)
{
    AUTO(free) char *name = ref ? normal_name(ref) : NULL;
    for (size_t i = 0; ref && i < images->n_images; i++) {
        AUTO(free) char *number = xasprintf("@%zu", i);
        if (is_wanted(&images->images[i], ref, name) || strcmp(number, ref) == 0)
            return &images->images[i];
    }
    if (ref || !images->n_images)
        return NULL;
    for (size_t i = 1; i < images->n_images; i++) /* several names of one image are no choice */
        if (!digest_equal(&images->images[i].descriptor.digest,
                          &images->images[0].descriptor.digest))
            return NULL;
    return &images->images[0];
}

static const struct archive_image *choose(const struct archive_images *images, const char *ref,
                                          struct error **err)
{
    const struct archive_image *found = find(images, ref);
    if (found)
        return found;
    AUTO(strbuf_release) struct strbuf names = STRBUF_INIT;
    assert(images->images || !images->n_images);
    for (size_t i = 0; i < images->n_images && names.size < 1000; i++) {
        const struct archive_image *image = &images->images[i];
        const char *name = image->name ? image->name : image->tag;
        strbuf_addf(&names, "%s", names.size ? ", " : "");
        if (name)
            strbuf_adds(&names, name);
        else
            strbuf_addf(&names, "@%zu", i);
    }
    if (ref)
        error_set_(err, ERR_NOT_FOUND, "no image \"%s\" in it", ref);
    else if (images->n_images)
        error_set_(err, ERR_USAGE, "it holds several images: name one, FILE:NAME");
    else
        error_set_(err, ERR_NOT_FOUND, "it holds no image");
    if (names.size)
        error_hint(err, "there are: %s", names.data);
    return NULL;
}

struct transport *transport_archive_open(struct store *store, const char *path, const char *ref,
                                         struct error **err)
{
    AUTO(archive_images_release) struct archive_images images = { NULL, 0, 0 };
    int fd = fs_open(AT_FDCWD, path, O_RDONLY, 0, err);
    if (fd < 0)
        return NULL;
    const struct archive_image *image = NULL;
    if (archive_load(store, source_fd_new(fd, true, path), keep_image, &images, err) == 0)
        image = choose(&images, ref, err);
    if (!image) {
        error_wrap_(err, "archive %s", path);
        return NULL;
    }
    return transport_store_of(store, &image->descriptor);
}

/* Writing */

struct transport_archive {
    struct transport transport;
    struct transport *inner; /* the store */
    struct store *store;
    char *path;
    char *name, *tag; /* as struct archive_image */
    enum archive_format format;
};

static int archive_put_blob(struct transport *transport, const struct descriptor *blob,
                            struct transport *from, enum transport_result *result,
                            struct error **err)
{
    struct transport *inner = ((struct transport_archive *)transport)->inner;
    return inner->ops->put_blob(inner, blob, from, result, err);
}

static int archive_put_document(struct transport *transport, const struct document *document,
                                struct error **err)
{
    struct transport *inner = ((struct transport_archive *)transport)->inner;
    return inner->ops->put_document(inner, document, err);
}

struct save {
    const struct transport_archive *archive;
    struct archive_images images;
};

static int save_to(void *data, struct sink *to, struct error **err)
{
    const struct save *save = data;
    return archive_save(save->archive->store, save->images.images, save->images.n_images,
                        save->archive->format, to, err);
}

/* The tag beside the archive's name: of its repository, or bare where it is. */
static void add_tagged(struct archive_images *images, const struct transport_archive *archive,
                       const struct descriptor *image, const char *tag)
{
    struct archive_image *more = ARRAY_PUSH(images, images);
    descriptor_copy(&more->descriptor, image);
    if (archive->name)
        more->name = xasprintf("%.*s:%s", (int)(strrchr(archive->name, ':') - archive->name),
                               archive->name, tag);
    if (archive->format == ARCHIVE_OCI)
        more->tag = xstrdup(more->name ? more->name : tag);
}

static int archive_commit(struct transport *transport, const struct document *top,
                          const struct strvec *more_tags, struct error **err)
{
    struct transport_archive *self = (struct transport_archive *)transport;
    if (self->inner->ops->put_document(self->inner, top, err) < 0)
        return -1;
    struct save save = { .archive = self };
    const struct archive_image image = { .descriptor = top->descriptor,
                                         .name = self->name,
                                         .tag = self->tag };
    (void)keep_image(&save.images, &image, err);
    for (size_t i = 0; i < more_tags->n; i++)
        add_tagged(&save.images, self, &top->descriptor, more_tags->items[i]);
    int result = output_file_write(self->path, save_to, &save, err);
    archive_images_release(&save.images);
    return result < 0 ? error_wrap(err, "archive %s", self->path) : 0;
}

static void archive_free(struct transport *transport)
{
    struct transport_archive *self = (struct transport_archive *)transport;
    transport_free(self->inner);
    free(self->path);
    free(self->name);
    free(self->tag);
    free(self);
}

struct transport *transport_archive_create(struct store *store, const char *path, const char *ref,
                                           enum archive_format format, struct error **err)
{
    static const struct transport_ops ops = {
        .name = "archive",
        .put_blob = archive_put_blob,
        .put_document = archive_put_document,
        .commit = archive_commit,
        .free = archive_free,
    };
    bool is_bare_tag = ref && format == ARCHIVE_OCI && !strpbrk(ref, "/:");
    AUTO(free) char *name = ref && !is_bare_tag ? normal_name(ref) : NULL;
    if (ref && (is_bare_tag ? !reference_tag_is_valid(ref) : !name))
        return error_set_null(err, ERR_USAGE, "\"%s\" is no name for an image", ref);
    struct transport_archive *self = NEW(struct transport_archive);
    self->transport.ops = &ops;
    self->inner = transport_store_create(store, NULL, NULL);
    self->store = store;
    self->path = xstrdup(path);
    self->name = TAKE(name);
    self->tag = xstrdup(format == ARCHIVE_OCI ? ref : NULL); /* skopeo looks for just that */
    self->format = format;
    return &self->transport;
}
