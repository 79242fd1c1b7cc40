/* SPDX-License-Identifier: Apache-2.0 */
/* Locations: input is a base, a newline, and what it is resolved to. Written again, a URL is the
 * same. */
#include "base/mem.h"
#include "registry/url.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(const struct url *url)
{
    AUTO(error_free) struct error *err = NULL;
    AUTO(url_release) struct url again = { 0 };
    AUTO(free) char *text = url_format(url);
    if (strlen(text) > URL_MAX_SIZE) /* encoding makes it longer */
        return;
    if (url_parse(text, &again, &err) < 0 || !url_same_origin(url, &again) ||
        strcmp(url->target, again.target) != 0 || url->target[0] != '/')
        abort();
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f)
            abort();
    AUTO(free) char *redacted = url_redact(text);
    if (strchr(redacted, '@') && !strchr(url->target, '@'))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free) char *text = xstrndup((const char *)data, size);
    char *location = strchr(text, '\n');
    if (location)
        *location++ = '\0';
    AUTO(free) char *shown = url_redact(text);
    AUTO(error_free) struct error *err = NULL;
    AUTO(url_release) struct url base = { 0 }, url = { 0 };
    if (url_parse(text, &base, &err) < 0)
        return 0;
    check_again(&base);
    if (!location || url_resolve(&base, location, &url, &err) < 0)
        return 0;
    check_again(&url);
    url_add_query(&url, "digest", "sha256:00");
    check_again(&url);
    (void)url_host_is_private(url.host);
    return 0;
}
