/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/whiteout.h"

#include "base/mem.h"
#include "base/path.h"

#include <string.h>

#define META_PREFIX ".wh..wh."
#define OPAQUE_NAME ".wh..wh..opq"

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool whiteout_is_reserved(const char *name)
{
    return has_prefix(name, WHITEOUT_PREFIX);
}

static char *in_dir_of(const char *path, const char *name)
{
    size_t dir = (size_t)(path_base(path) - path);
    return xasprintf("%.*s%s", (int)dir, path, name);
}

/* The first component before the last that is a whiteout's name. */
static const char *reserved_parent(const char *path)
{
    for (const char *slash; (slash = strchr(path, '/')); path = slash + 1)
        if (has_prefix(path, WHITEOUT_PREFIX))
            return path;
    return NULL;
}

int whiteout_parse(const char *path, enum whiteout_kind *kind, char **target, struct error **err)
{
    const char *parent = reserved_parent(path);
    if (parent && !has_prefix(parent, META_PREFIX))
        return error_set(err, ERR_INVALID, "entry beneath a whiteout");
    const char *name = path_base(path);
    if (parent || (has_prefix(name, META_PREFIX) && strcmp(name, OPAQUE_NAME) != 0)) {
        /* ".wh..wh" hides ".wh", but what begins with ".wh..wh." would hide a reserved name */
        *kind = WHITEOUT_META;
        return 0;
    }
    if (strcmp(name, OPAQUE_NAME) == 0) {
        *kind = WHITEOUT_OPAQUE;
        *target = path_dir(path);
        return 0;
    }
    if (!whiteout_is_reserved(name)) {
        *kind = WHITEOUT_NONE;
        return 0;
    }
    const char *hidden = name + strlen(WHITEOUT_PREFIX);
    if (!*hidden || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
        return error_set(err, ERR_INVALID, "whiteout of \"%s\"", hidden);
    *kind = WHITEOUT_NAME;
    *target = in_dir_of(path, hidden);
    return 0;
}

char *whiteout_format(const char *target)
{
    AUTO(free) char *name = xasprintf("%s%s", WHITEOUT_PREFIX, path_base(target));
    return in_dir_of(target, name);
}

char *whiteout_format_opaque(const char *target)
{
    return *target ? xasprintf("%s/%s", target, OPAQUE_NAME) : xstrdup(OPAQUE_NAME);
}
