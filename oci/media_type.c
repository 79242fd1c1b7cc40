/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/media_type.h"

#include "base/auto.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

static const struct {
    const char *name;
    enum media_kind kind;
} media_types[] = {
    { MEDIA_TYPE_OCI_INDEX, MEDIA_KIND_INDEX },
    { MEDIA_TYPE_OCI_MANIFEST, MEDIA_KIND_MANIFEST },
    { MEDIA_TYPE_OCI_CONFIG, MEDIA_KIND_CONFIG },
    { MEDIA_TYPE_OCI_LAYER, MEDIA_KIND_LAYER },
    { MEDIA_TYPE_OCI_LAYER_GZIP, MEDIA_KIND_LAYER },
    { MEDIA_TYPE_OCI_LAYER_ZSTD, MEDIA_KIND_LAYER },
    { "application/vnd.oci.image.layer.nondistributable.v1.tar", MEDIA_KIND_FOREIGN_LAYER },
    { "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", MEDIA_KIND_FOREIGN_LAYER },
    { "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", MEDIA_KIND_FOREIGN_LAYER },
    { MEDIA_TYPE_DOCKER_LIST, MEDIA_KIND_INDEX },
    { MEDIA_TYPE_DOCKER_MANIFEST, MEDIA_KIND_MANIFEST },
    { MEDIA_TYPE_DOCKER_CONFIG, MEDIA_KIND_CONFIG },
    { MEDIA_TYPE_DOCKER_LAYER, MEDIA_KIND_LAYER },
    { MEDIA_TYPE_DOCKER_LAYER_GZIP, MEDIA_KIND_LAYER },
    /* never specified, but in the field: images of old podman and nerdctl */
    { "application/vnd.docker.image.rootfs.diff.tar.zstd", MEDIA_KIND_LAYER },
    { "application/vnd.docker.image.rootfs.foreign.diff.tar", MEDIA_KIND_FOREIGN_LAYER },
    { MEDIA_TYPE_DOCKER_FOREIGN_GZIP, MEDIA_KIND_FOREIGN_LAYER },
    { MEDIA_TYPE_DOCKER_SCHEMA1, MEDIA_KIND_SCHEMA1 },
    { MEDIA_TYPE_DOCKER_SCHEMA1_SIGNED, MEDIA_KIND_SCHEMA1 },
};

/* Size of the type proper: without parameters and the blanks before them. */
static size_t bare_size(const char *media_type)
{
    size_t size = strcspn(media_type, ";");
    while (size && (media_type[size - 1] == ' ' || media_type[size - 1] == '\t'))
        size--;
    return size;
}

bool media_type_equal(const char *a, const char *b)
{
    size_t size = bare_size(a);
    return size == bare_size(b) && strncasecmp(a, b, size) == 0;
}

enum media_kind media_type_kind(const char *media_type)
{
    if (!media_type)
        return MEDIA_KIND_UNKNOWN;
    for (size_t i = 0; i < ARRAY_SIZE(media_types); i++)
        if (media_type_equal(media_type, media_types[i].name))
            return media_types[i].kind;
    return MEDIA_KIND_UNKNOWN;
}

bool media_type_is_docker(const char *media_type)
{
    static const char prefix[] = "application/vnd.docker.";
    return media_type && strncasecmp(media_type, prefix, sizeof(prefix) - 1) == 0;
}

/* One side of the slash: RFC 6838, section 4.2. Returns its size, 0 when it is no name. */
static size_t restricted_name(const char *text)
{
    if (!isalnum((unsigned char)*text))
        return 0;
    size_t size = 1;
    while (text[size] && (isalnum((unsigned char)text[size]) || strchr("!#$&^_.+-", text[size])))
        size++;
    return size <= 127 ? size : 0;
}

bool media_type_is_valid(const char *media_type)
{
    size_t size = restricted_name(media_type);
    if (!size || media_type[size] != '/')
        return false;
    const char *subtype = media_type + size + 1;
    size = restricted_name(subtype);
    return size && !subtype[size];
}

const char *media_type_accept(void)
{
    return MEDIA_TYPE_OCI_INDEX ", " MEDIA_TYPE_OCI_MANIFEST ", " MEDIA_TYPE_DOCKER_LIST
                                ", " MEDIA_TYPE_DOCKER_MANIFEST;
}
