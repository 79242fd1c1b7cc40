/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/secret.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/suggest.h"
#include "registry/url.h"

#include <fcntl.h>
#include <string.h>

#define SECRET_MAX ((size_t)500 * 1024) /* as BuildKit */

static const struct build_secret *find(const struct build_options *options, const char *id)
{
    for (size_t i = 0; i < options->n_secrets; i++)
        if (strcmp(options->secrets[i].id, id) == 0)
            return &options->secrets[i];
    return NULL;
}

int secret_read(const struct build_options *options, const char *id, struct strbuf *ret,
                struct error **err)
{
    const struct build_secret *secret = find(options, id);
    if (!secret)
        return 0;
    if (secret->is_env) {
        const char *value = getenv(secret->source);
        if (value)
            strbuf_adds(ret, value);
        return value != NULL;
    }
    if (fs_read_file(AT_FDCWD, secret->source, ret, SECRET_MAX, err) < 0)
        return error_wrap(err, "secret %s", id);
    return 1;
}

const char *secret_nearest(const struct build_options *options, const char *id)
{
    const char **ids = xcalloc(options->n_secrets + 1, sizeof(*ids));
    for (size_t i = 0; i < options->n_secrets; i++)
        ids[i] = options->secrets[i].id;
    const char *near = suggest_nearest(id, ids, options->n_secrets);
    free(ids);
    return near;
}

void secret_wipe(struct strbuf *secret)
{
    if (secret->size)
        explicit_bzero(secret->data, secret->size);
    strbuf_release(secret);
}

int secret_url_authorization(const struct build_options *options, const char *url,
                             struct strbuf *ret, struct error **err)
{
    static const char *const names[] = { "HTTP_AUTH_HEADER", "HTTP_AUTH_TOKEN" };
    AUTO(url_release) struct url parts = { 0 };
    if (url_parse(url, &parts, err) < 0)
        return -1;
    AUTO(free) char *host = url_authority(&parts);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        AUTO(free) char *id = xasprintf("%s_%s", names[i], host);
        size_t before = ret->size;
        int found = secret_read(options, id, ret, err);
        if (found < 0)
            return -1;
        if (!found)
            continue;
        strbuf_rtrim(ret);
        if (i == 1)
            strbuf_insert(ret, before, "Bearer ", 7);
        if (strpbrk(ret->data, "\r\n"))
            return error_set(err, ERR_INVALID, "secret %s: more than one line", id);
        return 1;
    }
    return 0;
}
