/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests and indexes: shown as they are, and indexes put together by hand. */
#include "base/mem.h"
#include "cli/manifest_list.h"
#include "cli/manifest_report.h"
#include "cli/remote.h"
#include "oci/store_tags.h"

#include <stdio.h>
#include <string.h>

static const struct command_help get_help = {
    .usage = "cbuild manifest [get] [OPTIONS] IMAGE\n"
             "       cbuild manifest inspect [OPTIONS] IMAGE\n"
             "       cbuild manifest create|add|annotate|push|rm --help",
    .summary = "Prints an image's manifest or index, byte for byte.",
    .more = "IMAGE is a registry's, or with a transport, as `cbuild copy` has them. `inspect` "
            "looks into the store first, and prints for people; with -v as docker: .Ref "
            ".Descriptor .Raw .SchemaV2Manifest .OCIManifest, of an index a list with all its "
            "images.\n\n"
            "create, add, annotate, push and rm make indexes, which the store keeps.",
};

static const struct command_help create_help = {
    .usage = "cbuild manifest create [OPTIONS] NAME [IMAGE...]",
    .summary = "Makes an index of images.",
    .more = "An IMAGE is the store's, else a registry's; of an index all its images are taken. "
            "The index stays in the store until it is pushed or removed.",
};

static const struct command_help add_help = {
    .usage = "cbuild manifest add [OPTIONS] NAME IMAGE...",
    .summary = "Adds images to an index of the store.",
    .more = "An image of the same platform is replaced.",
};

static const struct command_help annotate_help = {
    .usage = "cbuild manifest annotate [OPTIONS] NAME IMAGE|DIGEST",
    .summary = "Changes what an index says of an image.",
};

static const struct command_help push_help = {
    .usage = "cbuild manifest push [OPTIONS] NAME [DESTINATION]",
    .summary = "Sends an index to a registry, with all images that aren't there, and prints its "
               "digest.",
};

/* Showing */

struct show_options {
    bool local_first, verbose;
    const char *format;
};

static int print_verbose(struct place *place, const char *name, const struct document *document,
                         const char *format, struct error **err)
{
    AUTO(json_decref) json_t *value = NULL;
    if (manifest_report_verbose(place, name, document, &value, err) < 0)
        return -1;
    return remote_print_value(value, format, err);
}

static int show(struct app *app, char *const *argv, struct show_options *opts, struct error **err)
{
    const char *platform_text = NULL;
    AUTO(place_release) struct place place = PLACE_INIT;
    const struct option options[] = {
        OPT_STRING(0, "platform", "OS/ARCH", &platform_text, "of an index this image's"),
        OPT_STRING(0, "format", "FORMAT", &opts->format, "raw, json, pretty or a template"),
        OPT_FLAG('v', "verbose", &opts->verbose, "with descriptors, of an index all images"),
        REMOTE_OPTIONS(app, &place),
        OPT_END(),
    };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
    int parsed = options_parse_operands(options, &get_help, argv, &operands, 1, 1, err);
    if (parsed <= 0)
        return parsed;
    AUTO(platform_release) struct platform platform = { 0 };
    AUTO(document_release) struct document document = DOCUMENT_INIT;
    if (remote_parse_platform(platform_text, &platform, err) < 0)
        return -1;
    const char *name = operands.items[0];
    int opened = opts->local_first ? place_open_local_first(app, name, &place, err)
                                   : place_open(app, name, &place, err);
    if (opened < 0 || remote_get(&place, &platform, REMOTE_AS_IT_IS, &document, err) < 0 ||
        (opts->verbose && print_verbose(&place, name, &document, opts->format, err) < 0))
        return error_wrap(err, "manifest of %s", name);
    return opts->verbose ? 0 : remote_print(&document.body, opts->format, err);
}

static int get(struct app *app, char *const *argv, struct error **err)
{
    return show(app, argv, &(struct show_options){ .local_first = false }, err);
}

static int inspect(struct app *app, char *const *argv, struct error **err)
{
    return show(app, argv, &(struct show_options){ .local_first = true, .format = "pretty" }, err);
}

/* Making */

/* What an index says of an entry */
struct entry_options {
    const char *os, *architecture, *variant, *os_version;
    struct strvec os_features, annotations;
};

#define ENTRY_OPTIONS(entry)                                                                       \
    OPT_STRING(0, "os", "OS", &(entry)->os, "its operating system"),                               \
        OPT_STRING(0, "arch", "ARCH", &(entry)->architecture, "its architecture"),                 \
        OPT_STRING(0, "variant", "VARIANT", &(entry)->variant, "its architecture's variant"),      \
        OPT_STRING(0, "os-version", "VERSION", &(entry)->os_version, "its system's version"),      \
        OPT_LIST(0, "os-features", "FEATURE", &(entry)->os_features, "a feature of the system"),   \
        OPT_LIST(0, "annotation", "KEY=VALUE", &(entry)->annotations, "an annotation")

static void entry_options_release(struct entry_options *entry)
{
    strvec_release(&entry->os_features);
    strvec_release(&entry->annotations);
}
DEFINE_AUTO_STRUCT(struct entry_options, entry_options_release)

static bool sets_platform(const struct entry_options *options)
{
    return options->os || options->architecture || options->variant || options->os_version ||
           options->os_features.n;
}

static int set_platform(const struct entry_options *options, struct descriptor *entry,
                        struct error **err)
{
    AUTO(platform_release) struct platform old = { 0 };
    platform_copy(&old, &entry->platform);
    const char *os = options->os ? options->os : old.os;
    const char *architecture = options->architecture ? options->architecture : old.architecture;
    if (!os || !architecture)
        return error_set(err, ERR_USAGE, "--os and --arch are both needed where none is known");
    platform_set(&entry->platform, os, architecture,
                 options->variant        ? options->variant
                 : options->architecture ? NULL
                                         : old.variant,
                 options->os_version ? options->os_version : old.os_version);
    entry->platform.other = old.other ? json_deep_copy(old.other) : NULL;
    if (options->os_features.n) {
        if (!entry->platform.other)
            entry->platform.other = json_object();
        json_set(entry->platform.other, "os.features", json_from_strvec(&options->os_features));
    }
    if (platform_check(&entry->platform, "", err) < 0)
        return -1;
    return platform_check_spelling(&entry->platform, err);
}

static int annotate_entry(const struct entry_options *options, struct descriptor *entry,
                          struct error **err)
{
    for (size_t i = 0; i < options->annotations.n; i++) {
        AUTO(free) char *key = NULL;
        const char *value;
        if (remote_split_annotation(options->annotations.items[i], &key, &value, err) < 0)
            return -1;
        descriptor_annotate(entry, key, value);
    }
    if (sets_platform(options) && set_platform(options, entry, err) < 0) {
        error_recode(err, ERR_USAGE);
        return -1;
    }
    return 0;
}

static int open_existing(struct app *app, const char *name, struct manifest_list *list,
                         struct error **err)
{
    bool found;
    if (manifest_list_open(app, name, list, &found, err) < 0)
        return -1;
    if (!found)
        return error_set(err, ERR_NOT_FOUND, "no index %s in the store", name);
    return 0;
}

static int add_one(struct app *app, struct manifest_list *list, const char *image,
                   struct place *place, const struct entry_options *options, struct error **err)
{
    AUTO(index_release) struct index added = { 0 };
    bool describes = options && (sets_platform(options) || options->annotations.n);
    if (manifest_list_read(app, image, place, &added, err) < 0)
        return -1;
    if (describes && added.n_manifests != 1)
        return error_set(err, ERR_USAGE,
                         "%s is an index of %zu: its images are annotated one by one", image,
                         added.n_manifests);
    if (describes && annotate_entry(options, &added.manifests[0], err) < 0)
        return -1;
    manifest_list_add(list, &added);
    return 0;
}

/* Operands but the first; options (or NULL): what is said of them */
static int add_all(struct app *app, struct manifest_list *list, const struct strvec *operands,
                   struct place *place, const struct entry_options *options, struct error **err)
{
    for (size_t i = 1; i < operands->n; i++) {
        place_release(place);
        if (add_one(app, list, operands->items[i], place, options, err) < 0)
            return -1;
    }
    return 0;
}

static int print_digest(const struct descriptor *desc)
{
    char digest[DIGEST_TEXT_SIZE];
    digest_format(&desc->digest, digest);
    printf("%s\n", digest);
    return 0;
}

static int create(struct app *app, char *const *argv, struct error **err)
{
    bool amend = false, all = false, found;
    AUTO(place_release) struct place place = PLACE_INIT;
    const struct option options[] = {
        OPT_FLAG('a', "amend", &amend, "add to the index that has the name already"),
        OPT_FLAG(0, "all", &all, NULL), /* of an index all images are taken anyway */
        REMOTE_OPTIONS(app, &place),
        OPT_END(),
    };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
    int parsed = options_parse_operands(options, &create_help, argv, &operands, 1, SIZE_MAX, err);
    if (parsed <= 0)
        return parsed;
    AUTO(manifest_list_release) struct manifest_list list = { .stored = { 0 } };
    if (manifest_list_open(app, operands.items[0], &list, &found, err) < 0)
        return -1;
    if (found && !amend) {
        error_set_(err, ERR_EXISTS, "%s: the store has an index of that name", operands.items[0]);
        error_hint(err, "--amend adds to it; `cbuild manifest rm` removes it");
        return -1;
    }
    if (add_all(app, &list, &operands, &place, NULL, err) < 0 ||
        manifest_list_save(app, &list, err) < 0)
        return -1;
    AUTO(free) char *name = reference_familiar(&list.reference);
    printf("Created manifest list %s\n", name);
    return 0;
}

static int add(struct app *app, char *const *argv, struct error **err)
{
    bool all = false;
    AUTO(place_release) struct place place = PLACE_INIT;
    AUTO(entry_options_release)
    struct entry_options entry = { .os_features = STRVEC_INIT, .annotations = STRVEC_INIT };
    const struct option options[] = {
        ENTRY_OPTIONS(&entry),
        OPT_FLAG(0, "all", &all, NULL), /* of an index all images are taken anyway */
        REMOTE_OPTIONS(app, &place),
        OPT_END(),
    };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
    int parsed = options_parse_operands(options, &add_help, argv, &operands, 2, SIZE_MAX, err);
    if (parsed <= 0)
        return parsed;
    AUTO(manifest_list_release) struct manifest_list list = { .stored = { 0 } };
    if (open_existing(app, operands.items[0], &list, err) < 0 ||
        add_all(app, &list, &operands, &place, &entry, err) < 0 ||
        manifest_list_save(app, &list, err) < 0)
        return -1;
    return print_digest(&list.stored);
}

static int annotate(struct app *app, char *const *argv, struct error **err)
{
    AUTO(place_release) struct place place = PLACE_INIT;
    AUTO(entry_options_release)
    struct entry_options entry = { .os_features = STRVEC_INIT, .annotations = STRVEC_INIT };
    const struct option options[] = {
        ENTRY_OPTIONS(&entry),
        REMOTE_OPTIONS(app, &place),
        OPT_END(),
    };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
    int parsed = options_parse_operands(options, &annotate_help, argv, &operands, 2, 2, err);
    if (parsed <= 0)
        return parsed;
    AUTO(manifest_list_release) struct manifest_list list = { .stored = { 0 } };
    if (open_existing(app, operands.items[0], &list, err) < 0)
        return -1;
    struct descriptor *found = manifest_list_find(app, &list, operands.items[1], &place, err);
    if (!found || annotate_entry(&entry, found, err) < 0 || manifest_list_save(app, &list, err) < 0)
        return -1;
    return print_digest(&list.stored);
}

static int push(struct app *app, char *const *argv, struct error **err)
{
    bool purge = false, all = false, quiet = false;
    AUTO(place_release) struct place to = PLACE_INIT;
    const struct option options[] = {
        OPT_FLAG('p', "purge", &purge, "remove the index from the store afterwards"),
        OPT_FLAG('q', "quiet", &quiet, "print the digest only"),
        OPT_FLAG(0, "all", &all, NULL), /* the images go with it anyway */
        REMOTE_OPTIONS(app, &to),
        OPT_END(),
    };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
    int parsed = options_parse_operands(options, &push_help, argv, &operands, 1, 2, err);
    if (parsed <= 0)
        return parsed;
    AUTO(manifest_list_release) struct manifest_list list = { .stored = { 0 } };
    if (app_set_progress(app, quiet ? "quiet" : "plain", err) < 0 ||
        open_existing(app, operands.items[0], &list, err) < 0 ||
        remote_open(app, operands.items[operands.n - 1], &to, err) < 0)
        return -1;
    if (manifest_list_push(app, &list, &to, err) < 0)
        return error_wrap(err, "pushing %s", operands.items[operands.n - 1]);
    if (purge && store_tag_remove(app->store, &list.reference, false, err) < 0)
        return -1;
    return print_digest(&list.stored);
}

int cmd_manifest(struct app *app, char *const *argv, struct error **err)
{
    static const struct app_command commands[] = {
        { "get", get, NULL },           { "fetch", get, NULL }, /* oras */
        { "inspect", inspect, NULL },   { "create", create, NULL }, { "add", add, NULL },
        { "annotate", annotate, NULL }, { "push", push, NULL },     { "rm", cmd_rmi, NULL },
    };
    for (size_t i = 0; argv[1] && i < ARRAY_SIZE(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(app, argv + 1, err);
    return get(app, argv, err);
}
