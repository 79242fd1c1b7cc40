/* SPDX-License-Identifier: Apache-2.0 */
/* Media types of the image-spec and Docker's schema 2. image-spec v1.1, media-types.md */
#ifndef CBUILD_OCI_MEDIA_TYPE_H
#define CBUILD_OCI_MEDIA_TYPE_H

#include <stdbool.h>

#define MEDIA_TYPE_OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define MEDIA_TYPE_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_TYPE_OCI_CONFIG "application/vnd.oci.image.config.v1+json"
#define MEDIA_TYPE_OCI_LAYER "application/vnd.oci.image.layer.v1.tar"
#define MEDIA_TYPE_OCI_LAYER_GZIP "application/vnd.oci.image.layer.v1.tar+gzip"
#define MEDIA_TYPE_OCI_LAYER_ZSTD "application/vnd.oci.image.layer.v1.tar+zstd"
#define MEDIA_TYPE_OCI_EMPTY "application/vnd.oci.empty.v1+json"
#define MEDIA_TYPE_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_TYPE_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_TYPE_DOCKER_CONFIG "application/vnd.docker.container.image.v1+json"
#define MEDIA_TYPE_DOCKER_LAYER "application/vnd.docker.image.rootfs.diff.tar"
#define MEDIA_TYPE_DOCKER_LAYER_GZIP "application/vnd.docker.image.rootfs.diff.tar.gzip"
#define MEDIA_TYPE_DOCKER_FOREIGN_GZIP "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
#define MEDIA_TYPE_DOCKER_SCHEMA1 "application/vnd.docker.distribution.manifest.v1+json"
#define MEDIA_TYPE_DOCKER_SCHEMA1_SIGNED "application/vnd.docker.distribution.manifest.v1+prettyjws"

enum media_kind {
    MEDIA_KIND_UNKNOWN,
    MEDIA_KIND_INDEX,
    MEDIA_KIND_MANIFEST,
    MEDIA_KIND_CONFIG,
    MEDIA_KIND_LAYER, /* a tar, compressed or not, by content */
    MEDIA_KIND_FOREIGN_LAYER,
    MEDIA_KIND_SCHEMA1, /* refused everywhere */
};

/* Parameters after ';' are ignored; NULL is unknown. */
enum media_kind media_type_kind(const char *media_type);
/* The same type, parameters and case aside. */
bool media_type_equal(const char *a, const char *b);
bool media_type_is_docker(const char *media_type);
/* type/subtype as RFC 6838, section 4.2 has them, without parameters: the form of mediaType
 * members. */
bool media_type_is_valid(const char *media_type);
/* All manifest types we read, as an Accept header's value. */
const char *media_type_accept(void);

#endif
