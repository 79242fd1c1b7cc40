/* SPDX-License-Identifier: Apache-2.0 */
/* Places of images as they are typed. What was read, written again, is read as the same. */
#include "oci/transport_name.h"

#include "base/mem.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *format(const struct transport_name *name)
{
    static const char *const prefixes[] = {
        [TRANSPORT_REGISTRY] = "docker://",
        [TRANSPORT_STORE] = "store:",
        [TRANSPORT_LAYOUT] = "oci:",
        [TRANSPORT_OCI_ARCHIVE] = "oci-archive:",
        [TRANSPORT_DOCKER_ARCHIVE] = "docker-archive:",
        [TRANSPORT_DIR] = "dir:",
    };
    char digest[DIGEST_TEXT_SIZE] = "";
    if (name->kind == TRANSPORT_REGISTRY) {
        AUTO(free) char *reference = reference_format(&name->reference);
        return xasprintf("docker://%s", reference);
    }
    if (name->digest.is_set)
        digest_format(&name->digest, digest);
    return xasprintf("%s%s%s%s%s%s", prefixes[name->kind], name->path, name->ref ? ":" : "",
                     name->ref ? name->ref : "", *digest ? "@" : "", digest);
}

static bool same(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free) char *text = xstrndup((const char *)data, size);
    AUTO(error_free) struct error *err = NULL;
    AUTO(transport_name_release) struct transport_name name = { .kind = TRANSPORT_REGISTRY };
    AUTO(transport_name_release) struct transport_name again = { .kind = TRANSPORT_REGISTRY };
    if (transport_name_parse(text, &name, &err) < 0) {
        if (!error_is(err, ERR_USAGE))
            abort();
        return 0;
    }
    if ((name.kind == TRANSPORT_REGISTRY) != !name.path || (name.path && !*name.path) ||
        (name.ref && (!*name.ref || name.digest.is_set)) ||
        (name.is_bare && name.kind != TRANSPORT_REGISTRY))
        abort();
    AUTO(free) char *formatted = format(&name);
    if (transport_name_parse(formatted, &again, &err) < 0 || again.kind != name.kind ||
        !same(again.path, name.path) || !same(again.ref, name.ref) ||
        again.digest.is_set != name.digest.is_set)
        abort();
    return 0;
}
