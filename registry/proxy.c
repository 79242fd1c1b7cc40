/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/proxy.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY_SIZE 256 /* names of hosts are shorter */

/* Without the brackets of an IPv6 address */
static bool copy_host(const char *host, size_t size, char out[ENTRY_SIZE])
{
    if (size > 1 && host[0] == '[' && host[size - 1] == ']') {
        host++;
        size -= 2;
    }
    if (size >= ENTRY_SIZE)
        return false;
    memcpy(out, host, size);
    out[size] = '\0';
    return true;
}

/* Bytes of an address; 0: none */
static size_t parse_address(const char *text, unsigned char out[16])
{
    if (inet_pton(AF_INET, text, out) == 1)
        return 4;
    return inet_pton(AF_INET6, text, out) == 1 ? 16 : 0;
}

static bool is_in_net(const char *net_text, const char *bits_text, const char *host)
{
    unsigned char net[16], ip[16];
    char *end;
    size_t size = parse_address(net_text, net);
    unsigned long bits = strtoul(bits_text, &end, 10);
    if (!size || parse_address(host, ip) != size || end == bits_text || *end || bits > size * 8)
        return false;
    unsigned rest = bits % 8;
    if (memcmp(net, ip, bits / 8) != 0)
        return false;
    return !rest || (net[bits / 8] ^ ip[bits / 8]) >> (8 - rest) == 0;
}

/* Digits alone, and no further: what follows is another entry. */
static bool is_port(const char *text, size_t size, unsigned port)
{
    unsigned number = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9' || number > UINT16_MAX)
            return false;
        number = number * 10 + (unsigned)(text[i] - '0');
    }
    return size && number == port;
}

/* ":PORT" at the end of an entry is cut off. False: it is for another port. */
static bool take_port(const char *entry, size_t *size, unsigned port)
{
    const char *colon = memrchr(entry, ':', *size);
    bool is_bare_v6 = colon && entry[0] != '[' && memchr(entry, ':', (size_t)(colon - entry));
    if (!colon || is_bare_v6 || memchr(colon, ']', *size - (size_t)(colon - entry)))
        return true;
    const char *number = colon + 1;
    size_t number_size = *size - (size_t)(number - entry);
    *size = (size_t)(colon - entry);
    return is_port(number, number_size, port);
}

static bool entry_matches(const char *entry, size_t size, const char *host, unsigned port)
{
    char name[ENTRY_SIZE];
    unsigned char address[16];
    if (size == 1 && *entry == '*')
        return true;
    if (!take_port(entry, &size, port) || !copy_host(entry, size, name))
        return false;
    char *slash = strchr(name, '/');
    if (slash) {
        *slash = '\0';
        return is_in_net(name, slash + 1, host);
    }
    const char *domain = name + strspn(name, "*");
    domain += *domain == '.';
    size_t domain_size = strlen(domain), host_size = strlen(host);
    if (!domain_size || domain_size > host_size)
        return false;
    const char *tail = host + host_size - domain_size;
    if (strcasecmp(tail, domain) != 0)
        return false;
    return tail == host || (tail[-1] == '.' && !parse_address(host, address));
}

bool proxy_list_has(const char *list, const char *host, unsigned port)
{
    char bare[ENTRY_SIZE];
    if (!copy_host(host, strlen(host), bare))
        return false;
    while (list && *list) {
        list += strspn(list, ", \t");
        size_t size = strcspn(list, ", \t");
        if (size && entry_matches(list, size, bare, port))
            return true;
        list += size;
    }
    return false;
}

/* The first of these variables that is set to something */
static const char *first_set(const char *const *names, const char **name)
{
    for (size_t i = 0; names[i]; i++) {
        const char *value = getenv(names[i]);
        *name = names[i];
        if (value && *value)
            return value;
    }
    return NULL;
}

static const char *find(const struct url *url, const char **name)
{
    static const char *const https[] = { "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
                                         NULL };
    static const char *const http[] = { "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY",
                                        NULL };
    /* in a CGI program HTTP_PROXY is a request's "Proxy:" header */
    static const char *const cgi[] = { "http_proxy", "all_proxy", "ALL_PROXY", NULL };
    if (url_is_https(url))
        return first_set(https, name);
    return first_set(getenv("REQUEST_METHOD") ? cgi : http, name);
}

/* HOST:PORT is http */
static bool is_proxy_url(const char *text)
{
    static const char *const schemes[] = {
        "http", "https", "socks4", "socks4a", "socks5", "socks5h"
    };
    AUTO(url_release) struct url url = { 0 };
    AUTO(error_free) struct error *ignored = NULL; /* it would show the password */
    const char *rest = strstr(text, "://");
    size_t size = rest ? (size_t)(rest - text) : 0;
    bool known = !rest;
    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
        known = known || (strlen(schemes[i]) == size && strncasecmp(text, schemes[i], size) == 0);
    AUTO(free) char *as_http = xasprintf("http://%s", rest ? rest + 3 : text);
    return known && url_parse(as_http, &url, &ignored) == 0;
}

int proxy_for(const struct url *url, char **ret, struct error **err)
{
    static const char *const except[] = { "no_proxy", "NO_PROXY", NULL };
    const char *name, *ignored;
    const char *proxy = find(url, &name);
    if (!proxy || url_host_is_loopback(url->host) ||
        proxy_list_has(first_set(except, &ignored), url->host, url->port)) {
        *ret = NULL;
        return 0;
    }
    if (!is_proxy_url(proxy)) {
        error_set_(err, ERR_INVALID, "%s: not the URL of a proxy", name);
        error_hint(err, "like http://HOST:PORT or socks5://HOST:PORT, with USER:PASSWORD@ before "
                        "HOST where the proxy asks for them");
        return -1;
    }
    *ret = xstrdup(proxy);
    return 0;
}
