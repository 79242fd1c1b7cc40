/* SPDX-License-Identifier: Apache-2.0 */
/* build --output: where the result goes, as buildx writes it. */
#ifndef CBUILD_CLI_OUTPUT_VALUE_H
#define CBUILD_CLI_OUTPUT_VALUE_H

#include "base/error.h"
#include "base/strvec.h"

#include <stdbool.h>

enum output_kind {
    OUTPUT_IMAGE,  /* the store, a registry */
    OUTPUT_LOCAL,  /* the files, in a directory */
    OUTPUT_TAR,    /* the files, as a tar */
    OUTPUT_OCI,    /* an archive with an OCI layout */
    OUTPUT_DOCKER, /* an archive for docker load */
};

struct output_value {
    enum output_kind kind;
    bool push;
    bool is_elsewhere; /* the store gets no name for it */
    char *dest;        /* a path; NULL or "-": standard output */
    bool is_split;     /* of several platforms each has a folder of its own */
    bool is_layout;    /* OUTPUT_OCI: dest is a directory, which the layout is written to */
    bool deletes;      /* OUTPUT_LOCAL: what dest holds besides goes */
};

void output_value_release(struct output_value *value);
DEFINE_AUTO_STRUCT(struct output_value, output_value_release)

/*
 * "type=image[,name=NAME][,push=BOOL][,store=BOOL]", "type=registry[,name=NAME]", which is
 * type=image,push=true,store=false, "type=local|tar|oci|docker[,dest=PATH]" with "mode=copy|delete"
 * (local) and "tar=BOOL" (oci), or a path alone: a directory, "-" a tar on standard output. Names
 * are added to `names`. ERR_USAGE; ERR_UNSUPPORTED: what buildx has besides.
 */
int output_value_parse(const char *text, struct output_value *ret, struct strvec *names,
                       struct error **err) WARN_UNUSED;

#endif
