/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/app.h"
#include "oci/store_gc.h"
#include "oci/store_tags.h"

#include <stdio.h>
#include <string.h>

static const struct command_help help = {
    .usage = "cbuild rmi [OPTIONS] IMAGE...",
    .summary = "Removes names; an image that loses its last one goes too.",
    .more = "An id under several names is removed with --force only.",
};

static int untag(struct app *app, const char *name, struct error **err)
{
    AUTO(reference_release) struct reference reference = { 0 };
    if (reference_parse(name, &reference, err) < 0)
        return -1;
    reference_default_tag(&reference);
    if (store_tag_remove(app->store, &reference, false, err) < 0)
        return -1;
    AUTO(free) char *familiar = reference_familiar(&reference);
    printf("Untagged: %s\n", familiar);
    return 0;
}

static int remove_id(struct app *app, const char *text, const struct digest *digest, bool force,
                     struct error **err)
{
    AUTO(store_tags_release) struct store_tags tags = { 0 };
    if (store_tags_list(app->store, &tags, err) < 0)
        return -1;
    AUTO(strbuf_release) struct strbuf names = STRBUF_INIT;
    size_t n = 0;
    for (size_t i = 0; i < tags.n_tags; i++)
        if (tags.tags[i].name && digest_equal(&tags.tags[i].descriptor.digest, digest))
            strbuf_addf(&names, "%s%s", n++ ? ", " : "", tags.tags[i].name);
    if (n > 1 && !force) {
        error_set_(err, ERR_FAILED, "image %s has %zu names: %s", text, n, names.data);
        error_hint(err, "remove the names, or use --force");
        return -1;
    }
    for (size_t i = 0; i < tags.n_tags; i++)
        if (tags.tags[i].name && digest_equal(&tags.tags[i].descriptor.digest, digest) &&
            untag(app, tags.tags[i].name, err) < 0)
            return -1;
    return n ? 0 : store_tag_remove_untagged(app->store, digest, err);
}

static int remove_image(struct app *app, const char *text, bool force, struct error **err)
{
    AUTO(descriptor_release) struct descriptor image = { 0 };
    AUTO(reference_release) struct reference reference = { 0 };
    if (store_resolve(app->store, text, &image, &reference, err) < 0)
        return -1;
    if (reference.path && reference.tag) {
        AUTO(free) char *name = reference_format(&reference);
        return untag(app, name, err);
    }
    if (remove_id(app, text, &image.digest, force, err) < 0)
        return -1;
    char digest[DIGEST_TEXT_SIZE];
    digest_format(&image.digest, digest);
    printf("Deleted: %s\n", digest);
    return 0;
}

int cmd_rmi(struct app *app, char *const *argv, struct error **err)
{
    bool force = false, no_prune = false;
    const struct option options[] = {
        OPT_FLAG('f', "force", &force,
                 "remove an image with all of its names; no error for one that isn't there"),
        OPT_FLAG(0, "no-prune", &no_prune, "leave blobs that nothing refers to any more on disk"),
        APP_OPTIONS(app),
        OPT_END(),
    };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
    int parsed = options_parse_operands(options, &help, argv, &operands, 1, SIZE_MAX, err);
    if (parsed <= 0)
        return parsed;
    if (!app_store(app, err))
        return -1;
    for (size_t i = 0; i < operands.n; i++) {
        AUTO(error_free) struct error *failed = NULL;
        if (remove_image(app, operands.items[i], force, &failed) == 0)
            continue;
        if (!(force && error_is(failed, ERR_NOT_FOUND))) {
            error_move(err, TAKE(failed));
            return -1;
        }
    }
    if (no_prune)
        return 0;
    struct store_gc_result collected = { 0 };
    AUTO(error_free)
    struct error *later = NULL; /* forms out of reach are left to prune, which tells */
    return app_own_forms(app, &later) < 0 && error_is(later, ERR_CANCELLED)
               ? error_set(err, ERR_CANCELLED, "interrupted")
               : store_gc(app->store, STORE_GC_TRY, &collected, err);
}
