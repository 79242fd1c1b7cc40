/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Variables that name proxies. Input is a proxy's URL, a list of exceptions and the URL that is
 * asked for, a line each.
 */
#include "registry/proxy.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends at the next line, which is returned. */
static char *cut_line(char *text)
{
    char *end = strchr(text, '\n');
    if (!end)
        return text + strlen(text);
    *end = '\0';
    return end + 1;
}

/* An entry means what it means alone. */
static void check_list(const char *list, const struct url *url)
{
    bool has = false;
    for (const char *p = list; *p;) {
        p += strspn(p, ", \t");
        size_t size = strcspn(p, ", \t");
        AUTO(free) char *entry = xstrndup(p, size);
        has = has || proxy_list_has(entry, url->host, url->port);
        p += size;
    }
    if (has != proxy_list_has(list, url->host, url->port))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free) char *proxy = xstrndup((const char *)data, size);
    char *list = cut_line(proxy);
    char *asked = cut_line(list);
    AUTO(error_free) struct error *err = NULL;
    AUTO(url_release) struct url url = { 0 };
    AUTO(free) char *got = NULL;
    if (url_parse(asked, &url, &err) < 0)
        return 0;
    check_list(list, &url);
    if (setenv("all_proxy", proxy, 1) < 0 || setenv("no_proxy", list, 1) < 0 ||
        unsetenv("http_proxy") < 0 || unsetenv("https_proxy") < 0 || unsetenv("HTTP_PROXY") < 0 ||
        unsetenv("HTTPS_PROXY") < 0 || unsetenv("ALL_PROXY") < 0 || unsetenv("NO_PROXY") < 0)
        abort();
    if (proxy_for(&url, &got, &err) < 0) {
        /* the variable's name, never what it holds */
        if (!error_is(err, ERR_INVALID) ||
            strcmp(error_message(err), "all_proxy: not the URL of a proxy") != 0)
            abort();
        return 0;
    }
    if (got && (strcmp(got, proxy) != 0 || proxy_list_has(list, url.host, url.port)))
        abort();
    return 0;
}
