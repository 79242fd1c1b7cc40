/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a user types for a place of an image: TRANSPORT:DETAILS, as skopeo has it, with the store
 * as one more; a name without transport is an image of a registry, as crane has it. Pure.
 * containers-transports(5)
 */
#ifndef CBUILD_OCI_TRANSPORT_NAME_H
#define CBUILD_OCI_TRANSPORT_NAME_H

#include "oci/reference.h"

enum transport_kind {
    TRANSPORT_REGISTRY,       /* docker://NAME, or NAME */
    TRANSPORT_STORE,          /* store:NAME */
    TRANSPORT_LAYOUT,         /* oci:DIR[:TAG|@DIGEST] */
    TRANSPORT_OCI_ARCHIVE,    /* oci-archive:FILE[:NAME] */
    TRANSPORT_DOCKER_ARCHIVE, /* docker-archive:FILE[:NAME] */
    TRANSPORT_DIR,            /* dir:PATH */
};

struct transport_name {
    enum transport_kind kind;
    bool is_bare;         /* it had no transport */
    char *path;           /* folder or file; of the store: the name as it was typed; else NULL */
    char *ref;            /* tag or name in it; NULL: none */
    struct digest digest; /* of a layout's image; unset: none */
    struct reference reference; /* of a registry */
};

void transport_name_release(struct transport_name *name);
DEFINE_AUTO_STRUCT(struct transport_name, transport_name_release)

/* ERR_USAGE, with the way out where it is a transport of other tools. */
int transport_name_parse(const char *text, struct transport_name *ret,
                         struct error **err) WARN_UNUSED;

#endif
