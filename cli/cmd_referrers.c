/* SPDX-License-Identifier: Apache-2.0 */
/* What refers to a registry's image: listing it, adding to it. */
#include "base/array.h"
#include "base/mem.h"
#include "cli/remote.h"
#include "cli/table.h"
#include "registry/attach.h"
#include "registry/referrers.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_FILE_TYPE "application/octet-stream"
#define ANNOTATION_TITLE "org.opencontainers.image.title"

static const struct command_help referrers_help = {
    .usage = "cbuild referrers [OPTIONS] IMAGE",
    .summary = "Lists what refers to a registry's image: signatures, SBOMs, other artifacts.",
    .more = "--format json prints an index, a template gets .Digest .ArtifactType .Size .Name.",
};

static const struct command_help attach_help = {
    .usage = "cbuild attach --artifact-type TYPE [OPTIONS] IMAGE [FILE[:MEDIATYPE]...]",
    .summary = "Puts files beside a registry's image, as an artifact that refers to it.",
    .more = "Prints the artifact's digest: the same files give the same. A file's media type is "
            "" DEFAULT_FILE_TYPE " where none is said.",
};

static int print_rows(const struct place *place, const struct index *found, const char *format,
                      struct error **err)
{
    static const struct column columns[] = {
        { "Digest", "DIGEST", true },
        { "ArtifactType", "ARTIFACT TYPE", true },
        { "Size", "SIZE", true },
        { "Name", "NAME", false },
    };
    AUTO(json_decref) json_t *rows = json_array();
    AUTO(free) char *repository = reference_repository(&place->name.reference);
    for (size_t i = 0; i < found->n_manifests; i++) {
        const struct descriptor *entry = &found->manifests[i];
        AUTO(free) char *type = remote_clean(entry->artifact_type ? entry->artifact_type : "");
        char digest[DIGEST_TEXT_SIZE];
        digest_format(&entry->digest, digest);
        AUTO(free) char *size = xasprintf("%" PRIu64, entry->size);
        AUTO(free) char *name = xasprintf("%s@%s", repository, digest);
        json_t *row = json_object();
        json_set(row, "Digest", json_from_string(digest));
        json_set(row, "ArtifactType", json_from_string(type));
        json_set(row, "Size", json_from_string(size));
        json_set(row, "Name", json_from_string(name));
        (void)json_array_append_new(rows, row);
    }
    return rows_print(rows, columns, ARRAY_SIZE(columns), format, err);
}

/* The image's digest becomes part of the place's name. */
static int resolve(struct app *app, const char *text, const char *platform_text,
                   struct place *place, struct descriptor *ret, struct error **err)
{
    AUTO(platform_release) struct platform platform = { 0 };
    if (remote_parse_platform(platform_text, &platform, err) < 0 ||
        remote_open(app, text, place, err) < 0 || remote_resolve(place, &platform, ret, err) < 0)
        return -1;
    place->name.reference.digest = ret->digest;
    return 0;
}

int cmd_referrers(struct app *app, char *const *argv, struct error **err)
{
    const char *artifact_type = NULL, *format = NULL, *platform = NULL;
    AUTO(place_release) struct place place = PLACE_INIT;
    const struct option options[] = {
        OPT_STRING(0, "artifact-type", "TYPE", &artifact_type, "only artifacts of this type"),
        OPT_STRING(0, "platform", "OS/ARCH", &platform, "of an index this image's"),
        OPT_STRING(0, "format", "FORMAT", &format, "table, json, or a template for each"),
        REMOTE_OPTIONS(app, &place),
        OPT_END(),
    };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
    int parsed = options_parse_operands(options, &referrers_help, argv, &operands, 1, 1, err);
    if (parsed <= 0)
        return parsed;
    AUTO(index_release) struct index found = { .media_type = xstrdup(MEDIA_TYPE_OCI_INDEX) };
    AUTO(descriptor_release) struct descriptor subject = { 0 };
    bool by_tag;
    if (resolve(app, operands.items[0], platform, &place, &subject, err) < 0 ||
        referrers_list(place.session, &place.name.reference, artifact_type, &found, &by_tag, err) <
            0)
        return error_wrap(err, "referrers of %s", operands.items[0]);
    if (!format || strcmp(format, "json") != 0)
        return print_rows(&place, &found, format, err);
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    index_format(&found, &text);
    return remote_print(&text, "pretty", err);
}

/* Attaching */

/* "sbom.json:application/spdx+json"; a colon before anything else belongs to the name. */
static int add_file(struct manifest *artifact, struct strvec *files, const char *text,
                    struct error **err)
{
    const char *colon = strrchr(text, ':');
    bool typed = colon && media_type_is_valid(colon + 1);
    AUTO(free) char *path = typed ? xstrndup(text, (size_t)(colon - text)) : xstrdup(text);
    const char *slash = strrchr(path, '/'), *title = slash ? slash + 1 : path;
    if (!*title)
        return error_set(err, ERR_USAGE, "%s: a file is expected", text);
    for (size_t i = 0; i < artifact->n_layers; i++)
        if (strcmp(descriptor_annotation(&artifact->layers[i], ANNOTATION_TITLE), title) == 0)
            return error_set(err, ERR_USAGE, "%s: there is another file of that name", text);
    struct descriptor *layer = ARRAY_PUSH(artifact, layers);
    layer->media_type = xstrdup(typed ? colon + 1 : DEFAULT_FILE_TYPE);
    descriptor_annotate(layer, ANNOTATION_TITLE, title);
    strvec_push(files, path);
    return 0;
}

static int describe(struct manifest *artifact, struct strvec *files, const struct strvec *operands,
                    const struct strvec *annotations, struct error **err)
{
    for (size_t i = 1; i < operands->n; i++)
        if (add_file(artifact, files, operands->items[i], err) < 0)
            return -1;
    for (size_t i = 0; i < annotations->n; i++) {
        AUTO(free) char *key = NULL;
        const char *value;
        if (remote_split_annotation(annotations->items[i], &key, &value, err) < 0)
            return -1;
        manifest_annotate(artifact, key, value);
    }
    return 0;
}

static int attach(struct app *app, struct place *place, const struct descriptor *subject,
                  struct manifest *artifact, const struct strvec *files, struct error **err)
{
    const struct attach_request request = { .repository = &place->name.reference,
                                            .subject = subject,
                                            .artifact = artifact,
                                            .files = (const char *const *)files->items };
    AUTO(descriptor_release) struct descriptor made = { 0 };
    bool by_tag;
    if (registry_attach(place->session, &request, &made, &by_tag, err) < 0)
        return -1;
    if (by_tag)
        progress_note(app->progress, 0,
                      "%s doesn't list referrers: the artifact stands in the index under a tag",
                      place->name.reference.domain);
    char digest[DIGEST_TEXT_SIZE];
    digest_format(&made.digest, digest);
    printf("%s\n", digest);
    return 0;
}

int cmd_attach(struct app *app, char *const *argv, struct error **err)
{
    const char *artifact_type = NULL, *platform = NULL;
    AUTO(place_release) struct place place = PLACE_INIT;
    AUTO(strvec_release)
    struct strvec annotations = STRVEC_INIT, operands = STRVEC_INIT, files = STRVEC_INIT;
    const struct option options[] = {
        OPT_STRING(0, "artifact-type", "TYPE", &artifact_type,
                   "what the artifact is: a media type, as application/spdx+json"),
        OPT_LIST('a', "annotation", "KEY=VALUE", &annotations, "of the artifact"),
        OPT_STRING(0, "platform", "OS/ARCH", &platform, "attach to this image of an index"),
        REMOTE_OPTIONS(app, &place),
        OPT_END(),
    };
    int parsed = options_parse_operands(options, &attach_help, argv, &operands, 1, SIZE_MAX, err);
    if (parsed <= 0)
        return parsed;
    AUTO(manifest_release) struct manifest artifact = { 0 };
    AUTO(descriptor_release) struct descriptor subject = { 0 };
    if (!artifact_type || !media_type_is_valid(artifact_type))
        return error_set(err, ERR_USAGE, "--artifact-type%s%s: a media type is expected",
                         artifact_type ? " " : "", artifact_type ? artifact_type : "");
    artifact.artifact_type = xstrdup(artifact_type);
    if (describe(&artifact, &files, &operands, &annotations, err) < 0)
        return -1;
    if (resolve(app, operands.items[0], platform, &place, &subject, err) < 0 ||
        attach(app, &place, &subject, &artifact, &files, err) < 0)
        return error_wrap(err, "attaching to %s", operands.items[0]);
    return 0;
}
