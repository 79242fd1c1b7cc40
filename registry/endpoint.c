/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/endpoint.h"

#include "base/mem.h"
#include "registry/auth_config.h"
#include "registry/url.h"

#include <arpa/inet.h>
#include <string.h>

void endpoint_release(struct endpoint *endpoint)
{
    free(endpoint->domain);
    free(endpoint->host);
    *endpoint = (struct endpoint){ 0 };
}

bool endpoint_is_hub(const char *domain)
{
    static const char *const names[] = { ENDPOINT_HUB, "index.docker.io", "registry-1.docker.io",
                                         "www.docker.io", "hub.docker.com" };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcasecmp(domain, names[i]) == 0)
            return true;
    return false;
}

/* Size of the host of host[:port] */
static size_t host_size(const char *host)
{
    const char *end = *host == '[' ? strchr(host, ']') : NULL;
    const char *colon = strchr(end ? end : host, ':');
    return colon ? (size_t)(colon - host) : strlen(host);
}

/* entry: A.B.C.D/N */
static bool is_in_net(const char *entry, const char *host)
{
    const char *slash = strchr(entry, '/');
    char net_text[64], host_text[64];
    size_t net_size = slash ? (size_t)(slash - entry) : 0, size = host_size(host);
    struct in_addr net, ip;
    if (!slash || net_size >= sizeof(net_text) || size >= sizeof(host_text))
        return false;
    memcpy(net_text, entry, net_size);
    net_text[net_size] = '\0';
    memcpy(host_text, host, size);
    host_text[size] = '\0';
    char *end;
    unsigned long bits = strtoul(slash + 1, &end, 10);
    if (*end || end == slash + 1 || bits > 32 || inet_pton(AF_INET, net_text, &net) != 1 ||
        inet_pton(AF_INET, host_text, &ip) != 1)
        return false;
    return bits == 0 || (ntohl(net.s_addr) ^ ntohl(ip.s_addr)) >> (32 - bits) == 0;
}

bool endpoint_is_listed(const struct strvec *list, const char *host)
{
    for (size_t i = 0; list && i < list->n; i++) {
        const char *entry = list->items[i];
        size_t size = host_size(host);
        bool bare = strlen(entry) == size && strncasecmp(entry, host, size) == 0;
        if (bare || strcasecmp(entry, host) == 0 || is_in_net(entry, host))
            return true;
    }
    return false;
}

void endpoint_init(struct endpoint *endpoint, const char *domain)
{
    bool hub = endpoint_is_hub(domain);
    const char *host = hub ? "registry-1.docker.io" : domain;
    *endpoint = (struct endpoint){
        .domain = xstrdup(hub ? ENDPOINT_HUB : domain),
        .host = xstrdup(host),
        .loopback = url_host_is_loopback(host),
    };
}

char *endpoint_domain(const char *text)
{
    AUTO(free) char *key = auth_config_normalise_key(text);
    key[strcspn(key, "/")] = '\0';
    return xstrdup(endpoint_is_hub(key) ? ENDPOINT_HUB : key);
}

const char *endpoint_server_key(const char *domain)
{
    return endpoint_is_hub(domain) ? ENDPOINT_HUB_KEY : domain;
}
