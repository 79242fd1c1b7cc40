/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/transport_name.h"

#include "base/mem.h"

#include <string.h>

void transport_name_release(struct transport_name *name)
{
    free(name->path);
    free(name->ref);
    reference_release(&name->reference);
    *name = (struct transport_name){ 0 };
}

/* FILE[:REF]: a file's name has no colon, a reference may have several. */
static int parse_file(const char *text, struct transport_name *name, struct error **err)
{
    size_t size = strcspn(text, ":");
    if (!size || (text[size] && !text[size + 1]))
        return error_set(err, ERR_USAGE, "expected a file, or FILE:NAME");
    name->path = xstrndup(text, size);
    name->ref = xstrdup(text[size] ? text + size + 1 : NULL);
    return 0;
}

static int parse_layout(const char *text, struct transport_name *name, struct error **err)
{
    const char *at = strrchr(text, '@'), *slash = strrchr(text, '/');
    const char *colon = strchr(text, ':');
    if (at && (!slash || at > slash) && strncmp(at, "@sha256:", 8) == 0) {
        name->path = xstrndup(text, (size_t)(at - text));
        if (digest_parse(at + 1, &name->digest, err) < 0)
            return -1;
        return *name->path ? 0 : error_set(err, ERR_USAGE, "expected DIR@DIGEST");
    }
    if (colon == text || !*text || (colon && !colon[1]))
        return error_set(err, ERR_USAGE, "expected a folder, DIR:TAG or DIR@DIGEST");
    name->path = colon ? xstrndup(text, (size_t)(colon - text)) : xstrdup(text);
    name->ref = xstrdup(colon ? colon + 1 : NULL);
    return 0;
}

static int parse_registry(const char *text, struct transport_name *name, struct error **err)
{
    return reference_parse(text, &name->reference, err);
}

static int parse_plain(const char *text, struct transport_name *name, struct error **err)
{
    if (!*text)
        return error_set(err, ERR_USAGE, "nothing follows the colon");
    name->path = xstrdup(text);
    return 0;
}

static const struct {
    const char *prefix;
    enum transport_kind kind;
    int (*parse)(const char *text, struct transport_name *name, struct error **err);
} transports[] = {
    { "docker://", TRANSPORT_REGISTRY, parse_registry },
    { "store:", TRANSPORT_STORE, parse_plain },
    { "oci:", TRANSPORT_LAYOUT, parse_layout },
    { "oci-archive:", TRANSPORT_OCI_ARCHIVE, parse_file },
    { "docker-archive:", TRANSPORT_DOCKER_ARCHIVE, parse_file },
    { "dir:", TRANSPORT_DIR, parse_plain },
};

/* Transports of other tools, to places that aren't ours */
static const struct {
    const char *prefix, *hint;
} foreign[] = {
    { "containers-storage:", "images of cbuild are in its own store: store:NAME; podman's storage "
                             "is reached with `podman save` and docker-archive:FILE" },
    { "docker-daemon:", "images of cbuild are in its own store: store:NAME; the daemon's are "
                        "reached with `docker save` and docker-archive:FILE" },
    { "docker:", "a registry's image is docker://NAME" },
    { "oci-layout:", "a layout on disk is oci:DIR" },
    { "oci-layout://", "a layout on disk is oci:DIR" },
    { "ostree:", "docker://, oci:, oci-archive:, docker-archive:, dir: and store: are what there "
                 "is" },
    { "sif:", "docker://, oci:, oci-archive:, docker-archive:, dir: and store: are what there is" },
    { "tarball:", "a root file system is read by `cbuild import`" },
};

static int refuse_foreign(const char *text, struct error **err)
{
    for (size_t i = 0; i < ARRAY_SIZE(foreign); i++) {
        size_t size = strlen(foreign[i].prefix);
        if (strncmp(text, foreign[i].prefix, size) != 0)
            continue;
        error_set_(err, ERR_USAGE, "%s: a transport that isn't known here", text);
        error_hint(err, "%s", foreign[i].hint);
        return -1;
    }
    return 0;
}

int transport_name_parse(const char *text, struct transport_name *ret, struct error **err)
{
    AUTO(transport_name_release) struct transport_name name = { .kind = TRANSPORT_REGISTRY };
    int result = 1;
    for (size_t i = 0; i < ARRAY_SIZE(transports) && result > 0; i++) {
        size_t size = strlen(transports[i].prefix);
        if (strncmp(text, transports[i].prefix, size) != 0)
            continue;
        name.kind = transports[i].kind;
        result = transports[i].parse(text + size, &name, err);
    }
    if (result > 0) {
        if (refuse_foreign(text, err) < 0)
            return -1;
        name.is_bare = true;
        result = parse_registry(text, &name, err);
    }
    if (result < 0) {
        error_recode(err, ERR_USAGE);
        return error_wrap(err, "%s", text);
    }
    *ret = name;
    name = (struct transport_name){ 0 };
    return 0;
}
