/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/remote.h"

#include "base/mem.h"
#include "cli/template.h"
#include "oci/image_config.h"
#include "oci/manifest.h"

#include <stdio.h>
#include <string.h>

int remote_parse_platform(const char *text, struct platform *ret, struct error **err)
{
    if (!text || platform_parse(text, ret, err) == 0)
        return 0;
    error_recode(err, ERR_USAGE);
    return -1;
}

int remote_split_annotation(const char *text, char **key, const char **value, struct error **err)
{
    const char *equal = strchr(text, '=');
    if (!equal || equal == text)
        return error_set(err, ERR_USAGE, "--annotation %s: KEY=VALUE is expected", text);
    *key = xstrndup(text, (size_t)(equal - text));
    *value = equal + 1;
    return 0;
}

int remote_open(struct app *app, const char *text, struct place *place, struct error **err)
{
    if (place_open(app, text, place, err) < 0)
        return -1;
    if (place->name.kind != TRANSPORT_REGISTRY)
        return error_set(err, ERR_USAGE, "%s: an image of a registry is expected", text);
    reference_default_tag(&place->name.reference);
    return 0;
}

int remote_open_repository(struct app *app, const char *text, struct place *place,
                           struct error **err)
{
    if (place_open(app, text, place, err) < 0)
        return -1;
    const struct reference *reference = &place->name.reference;
    if (place->name.kind != TRANSPORT_REGISTRY || reference->tag || reference->digest.is_set)
        return error_set(err, ERR_USAGE,
                         "%s: a repository of a registry is expected, without tag and digest",
                         text);
    return 0;
}

int remote_get(struct place *place, const struct platform *platform, enum remote_choice choice,
               struct document *ret, struct error **err)
{
    struct transport *from = place->transport;
    const struct platform *wanted = platform && platform->os ? platform : NULL;
    if (from->ops->get_document(from, NULL, ret, err) < 0)
        return -1;
    if (choice == REMOTE_IMAGE || wanted)
        return transport_choose_image(from, wanted, ret, err);
    return 0;
}

int remote_get_config(struct place *place, const struct document *document, struct strbuf *ret,
                      struct error **err)
{
    AUTO(manifest_release) struct manifest manifest = { 0 };
    if (media_type_kind(document->descriptor.media_type) == MEDIA_KIND_INDEX)
        return error_set(err, ERR_UNSUPPORTED, "an index has no config: its images have");
    if (manifest_parse(document->body.data, document->body.size, document->descriptor.media_type,
                       &manifest, err) < 0)
        return -1;
    if (manifest.config.size > IMAGE_CONFIG_MAX_SIZE)
        return error_set(err, ERR_LIMIT, "a config of more than %u bytes", IMAGE_CONFIG_MAX_SIZE);
    AUTO(sink_free) struct sink *sink = sink_strbuf_new(ret);
    if (transport_read_verified(place->transport, &manifest.config, sink, err) < 0)
        return error_wrap(err, "config");
    return 0;
}

int remote_resolve(struct place *place, const struct platform *platform, struct descriptor *ret,
                   struct error **err)
{
    AUTO(document_release) struct document document = DOCUMENT_INIT;
    struct transport *from = place->transport;
    if (from->ops->resolve && !(platform && platform->os))
        return from->ops->resolve(from, ret, err);
    if (remote_get(place, platform, REMOTE_AS_IT_IS, &document, err) < 0)
        return -1;
    descriptor_copy(ret, &document.descriptor);
    return 0;
}

int remote_print_value(const json_t *value, const char *format, struct error **err)
{
    AUTO(strbuf_release) struct strbuf out = STRBUF_INIT;
    if (!format || strcmp(format, "pretty") == 0)
        json_format_pretty(value, &out);
    else if (strcmp(format, "json") == 0)
        json_format_canonical(value, &out);
    else if (template_expand(format, value, &out, err) < 0)
        return -1;
    strbuf_addc(&out, '\n');
    (void)fwrite(out.data, 1, out.size, stdout); /* main looks at ferror() */
    return 0;
}

int remote_print(const struct strbuf *body, const char *format, struct error **err)
{
    if (!format || strcmp(format, "raw") == 0) {
        (void)fwrite(body->data, 1, body->size, stdout); /* main looks at ferror() */
        return 0;
    }
    AUTO(json_decref) json_t *value = json_parse(body->data, body->size, err);
    return value ? remote_print_value(value, format, err) : -1;
}

char *remote_clean(const char *text)
{
    AUTO(strbuf_release) struct strbuf clean = STRBUF_INIT;
    strbuf_add_printable(&clean, text);
    for (size_t i = 0; i < clean.size; i++)
        if (clean.data[i] == '\n' || clean.data[i] == '\t')
            clean.data[i] = '?';
    return strbuf_detach(&clean);
}
