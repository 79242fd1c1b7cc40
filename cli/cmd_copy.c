/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cancel.h"
#include "base/mem.h"
#include "base/output_file.h"
#include "cli/remote.h"
#include "registry/image_copy.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define RETRY_MAX_DELAY_S 60u

static const struct command_help help = {
    .usage = "cbuild copy [OPTIONS] SOURCE DESTINATION",
    .summary = "Copies an image from one place to another, byte for byte: an index whole, "
               "digests kept.",
    .more = "SOURCE and DESTINATION:\n"
            "  NAME, docker://NAME             an image of a registry\n"
            "  store:NAME                      an image of cbuild's store\n"
            "  oci:DIR[:TAG|@DIGEST]           an image of an OCI layout on disk\n"
            "  oci-archive:FILE[:NAME]         an OCI layout as a tar\n"
            "  docker-archive:FILE[:NAME]      what docker save and docker load know\n"
            "  dir:DIR                         a folder of skopeo's kind\n\n"
            "Between registries nothing is stored here. The digest is printed on standard output.",
};

struct copy_options {
    const char *platform, *multi_arch, *format, *digest_file, *progress;
    struct strvec more_tags;
    bool all, preserve_digests, quiet;
    unsigned retry_times, retry_delay, parallel;
};

static void copy_options_release(struct copy_options *options)
{
    strvec_release(&options->more_tags);
}
DEFINE_AUTO_STRUCT(struct copy_options, copy_options_release)

static int choose_scope(const struct copy_options *options, enum image_copy_scope *scope,
                        struct error **err)
{
    static const struct {
        const char *name;
        enum image_copy_scope scope;
    } names[] = { { "all", IMAGE_COPY_ALL },
                  { "system", IMAGE_COPY_PLATFORM },
                  { "index-only", IMAGE_COPY_INDEX_ONLY } };
    int n = (options->platform != NULL) + (options->multi_arch != NULL) + options->all;
    if (n > 1)
        return error_set(err, ERR_USAGE, "--all, --platform and --multi-arch exclude each other");
    *scope = options->platform ? IMAGE_COPY_PLATFORM : IMAGE_COPY_ALL;
    if (!options->multi_arch)
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(options->multi_arch, names[i].name) == 0) {
            *scope = names[i].scope;
            return 0;
        }
    }
    return error_set(err, ERR_USAGE,
                     "--multi-arch=%s: all, system and index-only are what there "
                     "is",
                     options->multi_arch);
}

/* The repository that a destination names its image in; NULL: none */
static char *repository_of(const struct transport_name *name)
{
    AUTO(reference_release) struct reference reference = { 0 };
    AUTO(error_free) struct error *ignored = NULL; /* then it has none */
    if (name->reference.path)
        return reference_repository(&name->reference);
    if (name->ref && reference_parse(name->ref, &reference, &ignored) == 0)
        return reference_repository(&reference);
    return NULL;
}

/* "1.0", or "name:1.0" where the destination has that name */
static int add_tag(struct strvec *tags, const char *text, const struct transport_name *name,
                   struct error **err)
{
    if (!strpbrk(text, "/:")) {
        if (!reference_tag_is_valid(text))
            return error_set(err, ERR_USAGE, "--additional-tag=%s: not a tag", text);
        strvec_push(tags, text);
        return 0;
    }
    AUTO(reference_release) struct reference reference = { 0 };
    if (reference_parse(text, &reference, err) < 0) {
        error_recode(err, ERR_USAGE);
        return -1;
    }
    AUTO(free) char *repository = reference_repository(&reference);
    AUTO(free) char *own = repository_of(name);
    if (!reference.tag || reference.digest.is_set || !own || strcmp(own, repository) != 0)
        return error_set(err, ERR_USAGE,
                         "--additional-tag=%s: not a tag of the repository that is written to",
                         text);
    strvec_push(tags, reference.tag);
    return 0;
}

/* The whole again after a failure of the network: what is there by then isn't sent again. */
static int copy_with_retries(struct app *app, const struct image_copy_request *request,
                             const struct copy_options *options, struct image_copy_result *result,
                             struct error **err)
{
    unsigned delay = options->retry_delay ? options->retry_delay : 1;
    for (unsigned left = options->retry_times;; left--) {
        if (image_copy(request, result, err) == 0)
            return 0;
        if (!left || !error_is(*err, ERR_NETWORK))
            return -1;
        progress_warning(app->progress, 0, "%s; once more in %u s", error_message(*err), delay);
        error_clear(err);
        if (cancel_sleep_ms((int)(delay * 1000), err) < 0)
            return -1;
        if (!options->retry_delay)
            delay = delay * 2 < RETRY_MAX_DELAY_S ? delay * 2 : RETRY_MAX_DELAY_S;
    }
}

static int tell(const struct copy_options *options, const struct image_copy_result *result,
                struct error **err)
{
    char digest[DIGEST_TEXT_SIZE];
    digest_format(&result->image.digest, digest);
    printf("%s\n", digest);
    if (!options->digest_file)
        return 0;
    return output_file_put(options->digest_file, digest, strlen(digest), err);
}

static int copy(struct app *app, const struct copy_options *options,
                const struct image_copy_request *asked, const struct strvec *operands,
                struct place *from, struct place *to, struct error **err)
{
    AUTO(strvec_release) struct strvec tags = STRVEC_INIT;
    AUTO(image_copy_result_release) struct image_copy_result result = { .n_sent = 0 };
    struct image_copy_request request = *asked;
    AUTO(free)
    char *title = xasprintf("copying %s to %s", operands->items[0], operands->items[1]);
    if (place_open(app, operands->items[0], from, err) < 0 ||
        place_create(app, operands->items[1], to, err) < 0)
        return error_wrap(err, "%s", title);
    for (size_t i = 0; i < options->more_tags.n; i++)
        if (add_tag(&tags, options->more_tags.items[i], &to->name, err) < 0)
            return -1;
    request.from = from->transport;
    request.to = to->transport;
    request.more_tags = &tags;
    request.progress = app->progress;
    request.title = title;
    if (copy_with_retries(app, &request, options, &result, err) < 0)
        return error_wrap(err, "%s", title);
    return tell(options, &result, err);
}

int cmd_copy(struct app *app, char *const *argv, struct error **err)
{
    AUTO(copy_options_release) struct copy_options opts = { .more_tags = STRVEC_INIT };
    AUTO(place_release) struct place from = PLACE_INIT, to = PLACE_INIT;
    const struct option options[] = {
        OPT_FLAG('a', "all", &opts.all, "all images of an index (the default)"),
        OPT_STRING(0, "platform", "OS/ARCH", &opts.platform, "of an index this image alone"),
        OPT_STRING(0, "multi-arch", "WHAT", &opts.multi_arch,
                   "of an index: all, system (this machine's image) or index-only"),
        OPT_STRING(0, "format", "FORMAT", &opts.format,
                   "write manifests as oci or v2s2 (Docker's); their digests change"),
        OPT_FLAG(0, "preserve-digests", &opts.preserve_digests, "rather fail than change a digest"),
        OPT_LIST(0, "additional-tag", "TAG", &opts.more_tags, "another tag at the destination"),
        OPT_STRING(0, "digestfile", "FILE", &opts.digest_file, "write the image's digest there"),
        OPT_UNSIGNED(0, "retry-times", "N", &opts.retry_times,
                     "begin again so often when the network fails for long"),
        OPT_UNSIGNED(0, "retry-delay", "SECONDS", &opts.retry_delay,
                     "wait so long before, instead of ever longer"),
        OPT_UNSIGNED(0, "image-parallel-copies", "N", &opts.parallel,
                     "blobs at once, by default 6"),
        OPT_FLAG('q', "quiet", &opts.quiet, "print the digest only"),
        OPT_STRING(0, "progress", "STYLE", &opts.progress, "plain (the default) or quiet"),
        PLACE_OPTIONS(&from, "src"),
        PLACE_OPTIONS(&to, "dest"),
        APP_REGISTRY_OPTIONS(app),
        APP_OPTIONS(app),
        OPT_END(),
    };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
    int parsed = options_parse_operands(options, &help, argv, &operands, 2, 2, err);
    if (parsed <= 0)
        return parsed;
    AUTO(platform_release) struct platform platform = { 0 };
    struct image_copy_request request = { .preserve_digests = opts.preserve_digests,
                                          .n_parallel = opts.parallel };
    if (app_set_progress(app, opts.quiet ? "quiet" : opts.progress, err) < 0 ||
        choose_scope(&opts, &request.scope, err) < 0 ||
        (opts.format && image_format_parse(opts.format, &request.format, err) < 0))
        return -1;
    if (remote_parse_platform(opts.platform, &platform, err) < 0)
        return -1;
    request.platform = opts.platform ? &platform : NULL;
    if (opts.parallel > 64)
        return error_set(err, ERR_USAGE, "--image-parallel-copies=%u: at most 64", opts.parallel);
    return copy(app, &opts, &request, &operands, &from, &to, err);
}
