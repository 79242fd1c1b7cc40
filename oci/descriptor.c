/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/descriptor.h"

#include "base/json.h"
#include "base/mem.h"
#include "oci/media_type.h"
#include "oci/members.h"

#include <ctype.h>
#include <string.h>

void descriptor_release(struct descriptor *descriptor)
{
    free(descriptor->media_type);
    free(descriptor->artifact_type);
    platform_release(&descriptor->platform);
    json_decref(descriptor->annotations);
    json_decref(descriptor->urls);
    json_decref(descriptor->other);
    *descriptor = (struct descriptor){ 0 };
}

void descriptor_copy(struct descriptor *to, const struct descriptor *from)
{
    struct descriptor copy = {
        .media_type = xstrdup(from->media_type),
        .digest = from->digest,
        .size = from->size,
        .artifact_type = xstrdup(from->artifact_type),
        .annotations = json_deep_copy(from->annotations),
        .urls = json_deep_copy(from->urls),
        .other = json_deep_copy(from->other),
    };
    platform_copy(&copy.platform, &from->platform);
    descriptor_release(to);
    *to = copy;
}

void descriptor_set(struct descriptor *descriptor, const char *media_type,
                    const struct digest *digest, uint64_t size)
{
    char *copy = xstrdup(media_type);
    struct digest value = *digest; /* may be the descriptor's own */
    descriptor_release(descriptor);
    descriptor->media_type = copy;
    descriptor->digest = value;
    descriptor->size = size;
}

const char *descriptor_annotation(const struct descriptor *descriptor, const char *key)
{
    return json_string_value(json_object_get(descriptor->annotations, key));
}

void descriptor_annotate(struct descriptor *descriptor, const char *key, const char *value)
{
    members_map_set(&descriptor->annotations, key, value);
}

static int get_media_type(const json_t *object, const char *pointer, const char *key,
                          enum json_presence presence, char **ret, struct error **err)
{
    const char *text = NULL;
    if (json_get_string(object, pointer, key, presence, &text, err) < 0)
        return -1;
    if (!text || (presence == JSON_OPTIONAL && !*text))
        return 0;
    if (!media_type_is_valid(text))
        return error_set(err, ERR_INVALID, "%s/%s: \"%.100s\" is no media type", pointer, key,
                         text);
    *ret = xstrdup(text);
    return 0;
}

/* RFC 3986: a scheme and a colon, then something. */
static bool is_uri(const char *text)
{
    if (!isalpha((unsigned char)*text))
        return false;
    while (isalnum((unsigned char)*text) || (*text && strchr("+-.", *text)))
        text++;
    return text[0] == ':' && text[1];
}

static int get_urls(const json_t *object, const char *pointer, json_t **ret, struct error **err)
{
    const json_t *urls = NULL;
    if (json_get_array(object, pointer, "urls", JSON_OPTIONAL, &urls, err) < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(urls); i++) {
        const char *url = json_string_value(json_array_get(urls, i));
        if (!url || !is_uri(url))
            return error_set(err, ERR_INVALID, "%s/urls/%zu: expected a URI", pointer, i);
    }
    if (json_array_size(urls))
        *ret = json_deep_copy(urls);
    return 0;
}

static bool is_base64(const char *text)
{
    size_t size = 0, padding = 0;
    for (; text[size]; size++) {
        char c = text[size];
        if (c == '=')
            padding++;
        else if (padding || (!isalnum((unsigned char)c) && c != '+' && c != '/'))
            return false;
    }
    return size % 4 == 0 && padding <= 2;
}

static int check_data(const json_t *object, const char *pointer, struct error **err)
{
    const char *data = NULL;
    if (json_get_string(object, pointer, "data", JSON_OPTIONAL, &data, err) < 0)
        return -1;
    if (data && !is_base64(data))
        return error_set(err, ERR_INVALID, "%s/data: expected base64", pointer);
    return 0;
}

static int get_platform(const json_t *object, const char *pointer, struct platform *ret,
                        struct error **err)
{
    const json_t *platform = NULL;
    if (json_get_object(object, pointer, "platform", JSON_OPTIONAL, &platform, err) < 0)
        return -1;
    if (!platform)
        return 0;
    AUTO(free) char *place = xasprintf("%s/platform", pointer);
    return platform_from_json(platform, place, ret, err);
}

static int get_digest(const json_t *object, const char *pointer, struct digest *ret,
                      struct error **err)
{
    const char *text = NULL;
    if (json_get_string(object, pointer, "digest", JSON_REQUIRED, &text, err) < 0)
        return -1;
    if (digest_parse(text, ret, err) < 0)
        return error_wrap(err, "%s/digest", pointer);
    return 0;
}

static const char *const known_members[] = { "mediaType", "digest",       "size",       "urls",
                                             "platform",  "artifactType", "annotations" };

int descriptor_from_json(const json_t *object, const char *pointer, struct descriptor *ret,
                         struct error **err)
{
    if (!json_is_object(object))
        return error_set(err, ERR_INVALID, "%s: expected an object", pointer);
    AUTO(descriptor_release) struct descriptor desc = { 0 };
    if (get_media_type(object, pointer, "mediaType", JSON_REQUIRED, &desc.media_type, err) < 0 ||
        get_digest(object, pointer, &desc.digest, err) < 0 ||
        json_get_uint64(object, pointer, "size", JSON_REQUIRED, &desc.size, err) < 0 ||
        get_media_type(object, pointer, "artifactType", JSON_OPTIONAL, &desc.artifact_type, err) <
            0 ||
        get_urls(object, pointer, &desc.urls, err) < 0 ||
        members_get_map(object, pointer, "annotations", &desc.annotations, err) < 0 ||
        get_platform(object, pointer, &desc.platform, err) < 0 ||
        check_data(object, pointer, err) < 0)
        return -1;
    desc.other = members_unknown(object, known_members, ARRAY_SIZE(known_members));
    *ret = desc;
    desc = (struct descriptor){ 0 };
    return 0;
}

json_t *descriptor_to_json(const struct descriptor *descriptor)
{
    char digest[DIGEST_TEXT_SIZE];
    digest_format(&descriptor->digest, digest);
    json_t *object = descriptor->other ? json_deep_copy(descriptor->other) : json_object();
    members_set_text(object, "mediaType", descriptor->media_type);
    members_set_text(object, "digest", digest);
    json_set(object, "size", json_integer((json_int_t)descriptor->size));
    members_set_text(object, "artifactType", descriptor->artifact_type);
    if (descriptor->urls)
        json_set(object, "urls", json_deep_copy(descriptor->urls));
    if (descriptor->annotations)
        json_set(object, "annotations", json_deep_copy(descriptor->annotations));
    if (descriptor->platform.os)
        json_set(object, "platform", platform_to_json(&descriptor->platform));
    return object;
}
