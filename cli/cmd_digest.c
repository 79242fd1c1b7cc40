/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "cli/remote.h"

#include <stdio.h>

static const struct command_help help = {
    .usage = "cbuild digest [OPTIONS] IMAGE",
    .summary = "Prints the digest of an image's manifest or index.",
    .more = "IMAGE is a registry's, or with a transport, as `cbuild copy` has them. A registry is "
            "asked without reading the manifest, which Docker Hub doesn't count as a pull.",
};

static json_t *describe(const char *name, const struct descriptor *desc)
{
    json_t *object = json_object();
    char digest[DIGEST_TEXT_SIZE];
    digest_format(&desc->digest, digest);
    json_set(object, "Name", json_from_string(name));
    json_set(object, "Digest", json_from_string(digest));
    json_set(object, "MediaType", json_from_string(desc->media_type));
    json_set(object, "Size", json_integer((json_int_t)desc->size));
    return object;
}

static int tell(const struct place *place, const char *text, const struct descriptor *desc,
                bool full_name, const char *format, struct error **err)
{
    const struct reference *reference = &place->name.reference;
    bool is_remote = place->name.kind == TRANSPORT_REGISTRY;
    AUTO(free) char *name = is_remote ? reference_repository(reference) : xstrdup(text);
    if (format) {
        AUTO(json_decref) json_t *object = describe(name, desc);
        return remote_print_value(object, format, err);
    }
    if (full_name && !is_remote)
        return error_set(err, ERR_USAGE, "--full-ref: %s isn't in a registry", text);
    char digest[DIGEST_TEXT_SIZE];
    digest_format(&desc->digest, digest);
    printf("%s%s%s\n", full_name ? name : "", full_name ? "@" : "", digest);
    return 0;
}

int cmd_digest(struct app *app, char *const *argv, struct error **err)
{
    const char *platform_text = NULL, *format = NULL, *tarball = NULL;
    bool full_name = false;
    AUTO(place_release) struct place place = PLACE_INIT;
    const struct option options[] = {
        OPT_STRING(0, "platform", "OS/ARCH", &platform_text, "of an index this image's"),
        OPT_FLAG(0, "full-ref", &full_name, "print REPOSITORY@DIGEST"),
        OPT_STRING(0, "tarball", "FILE", &tarball, "the image of an archive: docker-archive:FILE"),
        OPT_STRING(0, "format", "FORMAT", &format,
                   "json, or a template with .Name .Digest .MediaType .Size"),
        REMOTE_OPTIONS(app, &place),
        OPT_END(),
    };
    AUTO(strvec_release) struct strvec operands = STRVEC_INIT;
    int parsed = options_parse(options, &help, argv, &operands, err);
    if (parsed != 0)
        return parsed < 0 ? -1 : 0;
    AUTO(platform_release) struct platform platform = { 0 };
    AUTO(descriptor_release) struct descriptor desc = { 0 };
    if (tarball)
        strvec_pushf(&operands, "docker-archive:%s", tarball);
    if (options_check_operands(&help, &operands, 1, 1, err) < 0 ||
        remote_parse_platform(platform_text, &platform, err) < 0)
        return -1;
    const char *name = operands.items[0];
    if (place_open(app, name, &place, err) < 0 || remote_resolve(&place, &platform, &desc, err) < 0)
        return error_wrap(err, "digest of %s", name);
    return tell(&place, name, &desc, full_name, format, err);
}
