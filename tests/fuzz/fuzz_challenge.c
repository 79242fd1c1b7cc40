/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of hostile servers: challenges, scopes, Link, ranges, warnings, file names. */
#include "base/mem.h"
#include "registry/challenge.h"
#include "registry/scope.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_challenge(const struct headers *headers)
{
    AUTO(challenge_release) struct challenge challenge = { 0 };
    AUTO(strvec_release) struct strvec scopes = STRVEC_INIT;
    const struct scope own = { .path = "a/b", .actions = SCOPE_PULL };
    challenge_from_headers(headers, &challenge);
    scope_format(&own, &scopes);
    (void)scope_merge(&scopes, challenge.scope, true);
    if (scopes.n < 1 || scopes.n > 16 || strncmp(scopes.items[0], "repository:a/b:pull", 19) != 0)
        abort();
    /* what was merged isn't new the second time */
    if (scopes.n < 16 && scope_merge(&scopes, challenge.scope, true))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "WWW-Authenticate", "Link", "Content-Range", "Range",
                                         "Warning" };
    AUTO(headers_release) struct headers headers = HEADERS_INIT;
    AUTO(free) char *value = xstrndup((const char *)data, size);
    uint64_t first, last, total;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        AUTO(free) char *line = xasprintf("%s: %s", names[i], value);
        headers_add(&headers, line, strlen(line));
    }
    headers_add(&headers, (const char *)data, size);
    check_challenge(&headers);
    if (headers_content_range(&headers, &first, &last, &total) && (first > last || last >= total))
        abort();
    (void)headers_upload_range(&headers, &total);
    AUTO(free) char *next = headers_link_next(&headers);
    AUTO(free) char *warning = headers_warning(&headers, 0);
    return 0;
}
