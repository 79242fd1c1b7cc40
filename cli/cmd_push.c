/* SPDX-License-Identifier: Apache-2.0 */
#include "base/array.h"
#include "base/mem.h"
#include "cli/app.h"
#include "cli/last_build.h"
#include "cli/remote.h"
#include "oci/image.h"
#include "oci/store_tags.h"
#include "registry/push_compatible.h"

#include <stdio.h>
#include <string.h>

static const struct command_help help = {
    .usage = "cbuild push [OPTIONS] [NAME...]",
    .summary = "Sends images to their registries.",
    .more =
        "Without a name: the tags of your last successful build from this directory. A registry "
        "that refuses OCI manifests gets Docker's format, with a warning: the digest differs.",
};

/* platform NULL: all */
static int push_one(struct app *app, const char *text, const struct platform *platform, bool force,
                    struct error **err)
{
    AUTO(reference_release) struct reference reference = { 0 };
    AUTO(descriptor_release) struct descriptor image = { 0 }, pushed = { 0 };
    if (reference_parse(text, &reference, err) < 0) {
        error_recode(err, ERR_USAGE);
        return -1;
    }
    if (reference.digest.is_set) {
        error_set_(err, ERR_USAGE, "%s: an image is pushed by its tag", text);
        error_hint(err, "give it a name: cbuild tag %s NAME", text);
        return -1;
    }
    reference_default_tag(&reference);
    if (store_tag_get(app->store, &reference, &image, err) < 0)
        return -1;
    if (platform && image_choose(app->store, platform, &image, err) < 0)
        return -1;
    struct push_request request = { .reference = &reference, .image = &image, .force = force };
    if (registry_push_compatible(app_session(app), app->store, &request, &pushed, err) < 0)
        return -1;
    char digest[DIGEST_TEXT_SIZE];
    digest_format(&pushed.digest, digest);
    printf("%s: digest: %s size: %llu\n", reference.tag, digest, (unsigned long long)pushed.size);
    return 0;
}

/* All tags of one repository. */
static int add_all_tags(struct app *app, const char *text, struct strvec *names, struct error **err)
{
    AUTO(reference_release) struct reference reference = { 0 };
    AUTO(store_tags_release) struct store_tags tags = { 0 };
    if (reference_parse(text, &reference, err) < 0) {
        error_recode(err, ERR_USAGE);
        return -1;
    }
    if (store_tags_list(app->store, &tags, err) < 0)
        return -1;
    AUTO(free) char *repository = reference_repository(&reference);
    size_t before = names->n;
    size_t size = strlen(repository);
    for (size_t i = 0; i < tags.n_tags; i++) {
        const char *name = tags.tags[i].name;
        if (name && !strncmp(name, repository, size) && name[size] == ':')
            strvec_push(names, name);
    }
    if (names->n == before)
        return error_set(err, ERR_NOT_FOUND, "%s: no tag of it in the store", text);
    return 0;
}

static int names_of_last_build(struct app *app, struct strvec *names, struct error **err)
{
    int found = last_build_read(app->store, app->uid, names, err);
    if (found < 0)
        return -1;
    if (found) {
        for (size_t i = 0; i < names->n; i++)
            progress_note(app->progress, 0, "pushing %s", names->items[i]);
        return 0;
    }
    AUTO(store_tags_release) struct store_tags tags = { 0 };
    if (store_tags_list(app->store, &tags, err) < 0)
        return -1;
    AUTO(strbuf_release) struct strbuf list = STRBUF_INIT;
    for (size_t i = 0; i < tags.n_tags; i++)
        if (tags.tags[i].name)
            strbuf_addf(&list, "  %s\n", tags.tags[i].name);
    error_set_(err, ERR_USAGE, "nothing was built from this directory that could be pushed");
    if (list.size)
        error_detail(err, "images in the store:\n%s", list.data);
    error_hint(err, "name an image: cbuild push NAME");
    return -1;
}

int cmd_push(struct app *app, char *const *argv, struct error **err)
{
    const char *progress = NULL, *platform_text = NULL;
    bool quiet = false, all_tags = false, force = false;
    const struct option options[] = {
        OPT_FLAG('a', "all-tags", &all_tags, "push all tags of the repositories that are named"),
        OPT_FLAG(
            0, "force", &force,
            "ask for each blob, even where the tag is this image: for registries that lost some"),
        OPT_FLAG('q', "quiet", &quiet, "print the digest lines only"),
        OPT_STRING(0, "platform", "OS/ARCH", &platform_text,
                   "of indexes this image only, by default all of them"),
        OPT_STRING(0, "progress", "STYLE", &progress, "auto, plain, tty, rawjson, quiet or none"),
        APP_REGISTRY_OPTIONS(app),
        APP_OPTIONS(app),
        OPT_END(),
    };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    int parsed = options_parse_operands(options, &help, argv, &operands, 0, SIZE_MAX, err);
    if (parsed <= 0)
        return parsed;
    AUTO(platform_release) struct platform platform = { 0 };
    if (remote_parse_platform(platform_text, &platform, err) < 0 ||
        app_set_progress(app, quiet ? "quiet" : progress, err) < 0 || !app_store(app, err))
        return -1;
    if (operands.n == 0 && all_tags)
        return error_set(err, ERR_USAGE, "--all-tags needs the name of a repository");
    if (operands.n == 0 && names_of_last_build(app, &names, err) < 0)
        return -1;
    for (size_t i = 0; i < operands.n; i++) {
        if (!all_tags)
            strvec_push(&names, operands.items[i]);
        else if (add_all_tags(app, operands.items[i], &names, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < names.n; i++)
        if (push_one(app, names.items[i], platform_text ? &platform : NULL, force, err) < 0)
            return error_wrap(err, "pushing %s", names.items[i]);
    return 0;
}
