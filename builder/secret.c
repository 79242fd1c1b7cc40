/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/secret.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/suggest.h"
#include "registry/url.h"

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define SECRET_MAX ((size_t)500 * 1024) /* as BuildKit */

static const struct build_secret *find(const struct build_options *options, const char *id)
{
    for (size_t i = 0; i < options->n_secrets; i++)
        if (strcmp(options->secrets[i].id, id) == 0)
            return &options->secrets[i];
    return NULL;
}

/*
 * From now on a core dump of this process holds no memory, whoever takes it (a program that takes
 * them doesn't mind the limit): a value is in more buffers than ours until it is used.
 */
static void keep_out_of_dumps(void)
{
    struct rlimit limit;
    AUTO(close) int fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
    if (fd >= 0)
        (void)!write(fd, "0", 1); /* where it can't be, the limit is what there is */
    if (getrlimit(RLIMIT_CORE, &limit) == 0) {
        limit.rlim_cur = 0;
        (void)setrlimit(RLIMIT_CORE, &limit); /* lowering is always allowed */
    }
}

int secret_read(const struct build_options *options, const char *id, struct strbuf *ret,
                struct error **err)
{
    const struct build_secret *secret = find(options, id);
    if (!secret)
        return 0;
    keep_out_of_dumps();
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
