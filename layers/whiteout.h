/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that hide: ".wh.NAME" hides NAME of the layers below, ".wh..wh..opq"
 * all that the layers below have in its directory. Pure.
 * image-spec v1.1, layer.md, "Whiteouts"
 */
#ifndef CBUILD_LAYERS_WHITEOUT_H
#define CBUILD_LAYERS_WHITEOUT_H

#include "base/error.h"

#include <stdbool.h>

#define WHITEOUT_PREFIX ".wh."

enum whiteout_kind {
    WHITEOUT_NONE,   /* an ordinary name */
    WHITEOUT_NAME,   /* hides the path `target` */
    WHITEOUT_OPAQUE, /* hides the lower children of the directory `target` */
    WHITEOUT_META,   /* bookkeeping of aufs (".wh..wh.plnk", ...): to be skipped */
};

/*
 * What a clean relative path of a layer's tar means. *target (free it) is set for NAME and OPAQUE.
 * ERR_INVALID: ".wh." alone, a whiteout of "." or "..", or a path beneath a whiteout.
 */
int whiteout_parse(const char *path, enum whiteout_kind *kind, char **target,
                   struct error **err) WARN_UNUSED;

/* The other way: the path in the tar that hides `target`, or the lower children of it. free() it.
 */
char *whiteout_format(const char *target);
char *whiteout_format_opaque(const char *target);

/* A file of this name can't be told from a whiteout: layers can't hold it. */
bool whiteout_is_reserved(const char *name);

#endif
