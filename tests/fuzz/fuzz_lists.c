/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of hostile registries to questions for lists: tags, repositories, referrers; and the
 * page that a Link leads to. The first line is the Link, the rest the body. */
#include "registry/lists.h"

#include "base/mem.h"
#include "oci/index.h"
#include "oci/media_type.h"
#include "registry/request.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Wherever a Link leads, it isn't from https to http, into the local network, or with userinfo. */
static void check_link(const char *line, size_t size)
{
    AUTO(headers_release) struct headers headers = HEADERS_INIT;
    AUTO(error_free) struct error *err = NULL;
    AUTO(url_release) struct url next = { 0 };
    AUTO(reply_release) struct reply reply = REPLY_INIT;
    headers_add(&headers, line, size);
    AUTO(free) char *target = headers_link_next(&headers);
    if (!target || url_parse("https://registry.example/v2/a/tags/list?n=2", &reply.url, &err) < 0)
        return;
    memcpy(reply.response.peer_ip, "192.0.2.1", 10);
    if (url_resolve(&reply.url, target, &next, &err) < 0 || reply_admit(&reply, &next, &err) < 0)
        return;
    if (!url_is_https(&next) || next.userinfo || url_host_is_private(next.host))
        abort();
}

static void check_body(const char *body, size_t size)
{
    static const char *const members[] = { "tags", "repositories" };
    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        AUTO(error_free) struct error *err = NULL;
        AUTO(strvec_release) struct strvec names = STRVEC_INIT;
        if (list_parse(body, size, members[i], &names, &err) < 0 && names.n)
            abort();
    }
    AUTO(error_free) struct error *err = NULL;
    AUTO(index_release) struct index index = { 0 };
    (void)!index_parse(body, size, MEDIA_TYPE_OCI_INDEX, &index, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *end = size ? memchr(text, '\n', size) : NULL;
    size_t line = end ? (size_t)(end - text) : size;
    check_link(text, line);
    if (end)
        check_body(end + 1, size - line - 1);
    return 0;
}
