/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/network.h"

#include "base/mem.h"
#include "runner/network_helper.h"

#include <arpa/inet.h>
#include <string.h>

struct network {
    const struct network_kind *kind; /* NULL: the host's */
    struct network_helper helper;
};

static const struct network_kind *const kinds[] = { &network_pasta, &network_slirp4netns };

static struct network *host_network(void)
{
    struct network *network = NEW(struct network);
    network->helper = (struct network_helper)NETWORK_HELPER_INIT;
    return network;
}

int network_new(struct network **ret, char **warning, struct error **err)
{
    AUTO(strbuf_release) struct strbuf why = STRBUF_INIT;
    AUTO(network_free) struct network *network = host_network();
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        AUTO(error_free) struct error *failed = NULL;
        if (kinds[i]->start(&network->helper, &failed) == 0) {
            network->kind = kinds[i];
            *warning = NULL;
            *ret = TAKE(network);
            return 0;
        }
        if (error_is(failed, ERR_CANCELLED)) {
            error_move(err, TAKE(failed));
            return -1;
        }
        strbuf_addf(&why, "%s%s", i ? "; " : "", error_message(failed));
        network_helper_release(&network->helper);
    }
    *warning = xasprintf("RUN uses the host's network: a private one can't be made (%s)", why.data);
    *ret = TAKE(network);
    return 0;
}

void network_free(struct network *network)
{
    if (!network)
        return;
    network_helper_release(&network->helper);
    free(network);
}

const char *network_kind(const struct network *network)
{
    return network->kind ? network->kind->name : "host";
}

bool network_is_host(const struct network *network)
{
    return !network->kind;
}

int network_namespace_fd(const struct network *network)
{
    return network->helper.namespace_fd;
}

void network_format_hosts(const char *const *extra, size_t n_extra, struct strbuf *buf)
{
    strbuf_adds(buf, "127.0.0.1\tlocalhost\n"
                     "::1\tlocalhost ip6-localhost ip6-loopback\n"
                     "fe00::0\tip6-localnet\n"
                     "ff00::0\tip6-mcastprefix\n"
                     "ff02::1\tip6-allnodes\n"
                     "ff02::2\tip6-allrouters\n");
    for (size_t i = 0; i < n_extra; i++)
        strbuf_addf(buf, "%s\n", extra[i]);
}

/* An address in text; IPv6 may carry a %zone. */
static bool is_loopback(const char *text, size_t size)
{
    char address[INET6_ADDRSTRLEN];
    struct in_addr v4;
    struct in6_addr v6;
    const char *zone = memchr(text, '%', size);
    if (zone)
        size = (size_t)(zone - text);
    if (size >= sizeof(address))
        return false;
    memcpy(address, text, size);
    address[size] = '\0';
    if (inet_pton(AF_INET, address, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127 || v4.s_addr == 0;
    if (inet_pton(AF_INET6, address, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6) || IN6_IS_ADDR_UNSPECIFIED(&v6) ||
               (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
    return false;
}

/* The value of a "nameserver" line, or NULL. */
static const char *name_server(const char *line, size_t size, size_t *value_size)
{
    static const char key[] = "nameserver";
    size_t at = sizeof(key) - 1;
    if (size <= at || strncmp(line, key, at) != 0 || !strchr(" \t", line[at]))
        return NULL;
    while (at < size && strchr(" \t", line[at]))
        at++;
    size_t end = at;
    while (end < size && !strchr(" \t\r", line[end]))
        end++;
    *value_size = end - at;
    return end > at ? line + at : NULL;
}

struct resolv {
    struct strbuf *buf;
    bool loopback_ok, replace;
    size_t n_servers;
};

static void copy_line(struct resolv *resolv, const char *line, size_t size)
{
    size_t value_size = 0;
    const char *server = name_server(line, size, &value_size);
    if (server && (resolv->replace || (!resolv->loopback_ok && is_loopback(server, value_size))))
        return;
    if (server)
        resolv->n_servers++;
    strbuf_add(resolv->buf, line, size);
    strbuf_addc(resolv->buf, '\n');
}

void network_format_resolv(const struct network *network, const char *host, const char *const *dns,
                           size_t n_dns, struct strbuf *buf)
{
    static const char *const public_servers[] = { "8.8.8.8", "8.8.4.4" };
    struct resolv resolv = { .buf = buf,
                             .loopback_ok = !network || network_is_host(network),
                             .replace = n_dns > 0 };
    for (const char *line = host; *line;) {
        size_t size = strcspn(line, "\n");
        copy_line(&resolv, line, size);
        line += size;
        line += *line == '\n';
    }
    for (size_t i = 0; i < n_dns; i++)
        strbuf_addf(buf, "nameserver %s\n", dns[i]);
    if (n_dns || resolv.n_servers)
        return;
    if (network && network->helper.name_server)
        strbuf_addf(buf, "nameserver %s\n", network->helper.name_server);
    for (size_t i = 0; !(network && network->helper.name_server) && i < ARRAY_SIZE(public_servers);
         i++)
        strbuf_addf(buf, "nameserver %s\n", public_servers[i]);
}
