/* SPDX-License-Identifier: Apache-2.0 */
/* Any text: a cleaned path is clean, stays in its root, and cleaning it again changes nothing. */
#include "base/path.h"

#include "base/mem.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free) char *path = xstrndup((const char *)data, size);
    AUTO(free) char *clean = path_clean(path);
    AUTO(free) char *again = path_clean(clean);
    AUTO(free) char *rooted = path_clean_rooted(path);
    must(!strcmp(clean, again));
    must(!rooted[0] || path_is_clean_relative(rooted));
    must(strlen(clean) <= strlen(path) || !path[0]);
    must((path_compare(path, clean) > 0) == (path_compare(clean, path) < 0));
    AUTO(free) char *dir = path_dir(clean);
    AUTO(free) char *joined = path_join(dir, path_base(clean));
    must(clean[0] == '/' || !strcmp(joined, clean));
    return 0;
}
