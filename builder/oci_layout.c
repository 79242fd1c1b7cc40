/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/oci_layout.h"

#include "base/mem.h"
#include "oci/store_tags.h"
#include "oci/transport_layout.h"
#include "oci/transport_store.h"
#include "registry/image_copy.h"

#include <string.h>

int oci_layout_parse(const char *text, char **dir, char **tag, char **digest, struct error **err)
{
    const char *at = strrchr(text, '@');
    const char *slash = strrchr(text, '/');
    if (at && slash && at < slash)
        at = NULL;
    const char *colon = at ? NULL : strchr(slash ? slash : text, ':');
    const char *end = at ? at : colon;
    size_t size = end ? (size_t)(end - text) : strlen(text);
    if (!size || (end && !end[1]))
        return error_set(err, ERR_USAGE, "oci-layout://%s: expected DIR[:TAG|@DIGEST]", text);
    *dir = xstrndup(text, size);
    *tag = xstrdup(colon ? colon + 1 : NULL);
    *digest = xstrdup(at ? at + 1 : NULL);
    return 0;
}

/* Of an index, what is there */
static int import(struct store *store, const char *dir, const char *tag,
                  const struct digest *digest, char **name, struct error **err)
{
    AUTO(transport_free) struct transport *to = transport_store_create(store, NULL, NULL);
    AUTO(transport_free)
    struct transport *from = transport_layout_open(dir, tag, digest, err);
    AUTO(image_copy_result_release) struct image_copy_result result = { .n_sent = 0 };
    const struct image_copy_request request = { .from = from, .to = to, .sparse = true };
    /* kept as what is pulled by digest: an untagged image until rmi or prune */
    if (!from || image_copy(&request, &result, err) < 0 ||
        store_tag_keep(store, &result.image, err) < 0)
        return -1;
    char text[DIGEST_TEXT_SIZE];
    digest_format(&result.image.digest, text);
    *name = xasprintf("localhost/oci-layout@%s", text);
    return 0;
}

int oci_layout_import(struct store *store, const char *text, char **name, struct error **err)
{
    AUTO(free) char *dir = NULL;
    AUTO(free) char *tag = NULL;
    AUTO(free) char *digest_text = NULL;
    struct digest digest = { 0 };
    if (oci_layout_parse(text, &dir, &tag, &digest_text, err) < 0)
        return -1;
    if (digest_text && digest_parse(digest_text, &digest, err) < 0)
        return error_wrap(err, "oci-layout://%s", text);
    if (import(store, dir, tag, &digest, name, err) < 0)
        return error_wrap(err, "oci-layout://%s", text);
    return 0;
}
