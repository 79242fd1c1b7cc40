/* SPDX-License-Identifier: Apache-2.0 */
/* First line: a USER word; then a passwd file, a NUL, a group file. Ids stay in range, groups
 * bounded. */
#include "base/mem.h"
#include "runner/user.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *newline = size ? memchr(text, '\n', size) : NULL;
    size_t word_size = newline ? (size_t)(newline - text) : size;
    AUTO(free) char *word = xstrndup(text, word_size);
    const char *rest = newline ? newline + 1 : text + size;
    size_t rest_size = (size_t)(text + size - rest);
    const char *nul = rest_size ? memchr(rest, '\0', rest_size) : NULL;
    const struct user_files files = { .passwd = rest,
                                      .passwd_size = nul ? (size_t)(nul - rest) : rest_size,
                                      .group = nul ? nul + 1 : NULL,
                                      .group_size =
                                          nul ? rest_size - (size_t)(nul + 1 - rest) : 0 };
    AUTO(error_free) struct error *err = NULL;
    AUTO(error_free) struct error *owner_err = NULL;
    AUTO(user_release) struct user user = { 0 };
    uid_t uid = 0;
    gid_t gid = 0;
    if (user_resolve(word, &files, &user, &err) == 0 &&
        (user.uid > INT32_MAX || user.gid > INT32_MAX || !user.home || !user.n_groups ||
         user.n_groups > USER_MAX_GROUPS))
        abort();
    if (user_resolve_owner(word, &files, &uid, &gid, &owner_err) == 0 &&
        (uid > INT32_MAX || gid > INT32_MAX))
        abort();
    return 0;
}
