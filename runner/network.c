/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/network.h"

#include "base/force.h"
#include "base/mem.h"
#include "runner/network_helper.h"
#include "runner/network_resolv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct network {
    const struct network_kind *kind; /* NULL: the host's */
    struct network_helper helper;
};

static const struct network_kind *const kinds[] = { &network_veth, &network_pasta,
                                                    &network_slirp4netns };

static struct network *host_network(void)
{
    struct network *network = NEW(struct network);
    network->helper = (struct network_helper)NETWORK_HELPER_INIT;
    return network;
}

/* CBUILD_NETWORK: names of kinds that may be tried; without it all. */
static bool is_allowed(const char *name)
{
    const char *list = getenv("CBUILD_NETWORK");
    return !list || !*list || force_list_has(list, name);
}

static int check_list(struct error **err)
{
    const char *list = getenv("CBUILD_NETWORK");
    for (const char *word = list ? list : ""; *word;) {
        const size_t size = strcspn(word, ",");
        bool known = !size;
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
            known =
                known || (strlen(kinds[i]->name) == size && !strncmp(kinds[i]->name, word, size));
        if (!known)
            return error_set(err, ERR_USAGE,
                             "CBUILD_NETWORK=%s: veth, pasta and slirp4netns are what there is",
                             list);
        word += size + (word[size] == ',');
    }
    return 0;
}

int network_new(bool reach_host, struct network **ret, char **warning, struct error **err)
{
    AUTO(strbuf_release) struct strbuf why = STRBUF_INIT;
    AUTO(network_free) struct network *network = host_network();
    if (check_list(err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        AUTO(error_free) struct error *failed = NULL;
        if (!is_allowed(kinds[i]->name))
            continue;
        if (kinds[i]->start(&network->helper, reach_host, &failed) == 0) {
            network->kind = kinds[i];
            *warning = NULL;
            *ret = TAKE(network);
            return 0;
        }
        if (error_is(failed, ERR_CANCELLED)) {
            error_move(err, TAKE(failed));
            return -1;
        }
        strbuf_addf(&why, "%s%s", why.size ? "; " : "", error_message(failed));
        network_helper_release(&network->helper);
    }
    if (access("/dev/net/tun", R_OK | W_OK) < 0) /* what both helpers need */
        strbuf_addf(&why, "; /dev/net/tun: %s", strerrordesc_np(errno));
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

const char *network_gateway(const struct network *network)
{
    return network->kind ? network->helper.gateway : "127.0.0.1";
}

int network_namespace_fd(const struct network *network)
{
    return network->helper.namespace_fd;
}

void network_format_hosts(const char *hostname, const char *const *extra, size_t n_extra,
                          struct strbuf *buf)
{
    strbuf_addf(buf, "127.0.0.1\tlocalhost %s\n", hostname);
    strbuf_adds(buf, "::1\tlocalhost ip6-localhost ip6-loopback\n"
                     "fe00::0\tip6-localnet\n"
                     "ff00::0\tip6-mcastprefix\n"
                     "ff02::1\tip6-allnodes\n"
                     "ff02::2\tip6-allrouters\n");
    for (size_t i = 0; i < n_extra; i++)
        strbuf_addf(buf, "%s\n", extra[i]);
}

void network_format_resolv(const struct network *network, const char *host, const char *const *dns,
                           size_t n_dns, struct strbuf *buf)
{
    static const char *const public_servers[] = { "8.8.8.8", "8.8.4.4" };
    const bool own = network && network->helper.name_server;
    if (network && network->helper.resolv)
        host = network->helper.resolv;
    if (network_resolv_copy(host, !own && !n_dns, buf))
        return;
    if (own && !n_dns) {
        dns = &network->helper.name_server;
        n_dns = 1;
    }
    if (!n_dns) {
        dns = public_servers;
        n_dns = ARRAY_SIZE(public_servers);
    }
    for (size_t i = 0; i < n_dns; i++)
        strbuf_addf(buf, "nameserver %s\n", dns[i]);
}
