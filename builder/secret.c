/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/secret.h"

#include "base/fs.h"

#include <fcntl.h>
#include <string.h>

#define SECRET_MAX ((size_t)500 * 1024)

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

const char *secret_ssh_socket(const struct build_options *options, const char *id)
{
    const struct strvec *ssh = options->ssh;
    const char *path = NULL;
    for (size_t i = 0; ssh && i < ssh->n; i++) {
        size_t size = strcspn(ssh->items[i], "=");
        if (strlen(id) == size && strncmp(ssh->items[i], id, size) == 0)
            path = ssh->items[i][size] ? ssh->items[i] + size + 1 : getenv("SSH_AUTH_SOCK");
    }
    return path;
}
