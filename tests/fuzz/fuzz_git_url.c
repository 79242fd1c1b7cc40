/* SPDX-License-Identifier: Apache-2.0 */
/* URLs of git repositories: what is parsed can't be an option, nor leave the repository. */
#include "base/mem.h"
#include "base/path.h"
#include "builder/git_url.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *text, unsigned flags)
{
    if (!git_url_is_git(text, flags))
        return;
    AUTO(git_url_release) struct git_url url = { .remote = NULL };
    AUTO(error_free) struct error *err = NULL;
    if (git_url_parse(text, flags, &url, &err) < 0)
        return;
    if (url.remote[0] == '-' || url.host[0] == '-' || (url.ref && url.ref[0] == '-'))
        abort();
    if (*url.subdir && !path_is_clean_relative(url.subdir))
        abort();
    if (git_url_is_file(&url) && !(flags & GIT_URL_COMMAND_LINE))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 4096 || (size && memchr(data, '\0', size)))
        return 0;
    AUTO(free) char *text = xstrndup((const char *)data, size);
    check(text, 0);
    check(text, GIT_URL_COMMAND_LINE);
    return 0;
}
