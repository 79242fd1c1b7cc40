/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A private network without any helper program: a pair of virtual interfaces, one end in the
 * network namespace of the steps, and rules of the packet filter that translate addresses on the
 * way out (nft.h). For root alone, since it is the host's network that gets them.
 *
 * Nothing of it stays, however we end: the pair goes with the steps' namespace, the rules with
 * their socket. No setting of the host is changed: where it doesn't forward, or a firewall forbids
 * it, another kind of network has to do. IPv4 only.
 */
#include "base/cancel.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "runner/netlink.h"
#include "runner/network_helper.h"
#include "runner/network_namespace.h"
#include "runner/network_resolv.h"
#include "runner/nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define INSIDE_NAME "eth0"
#define INSIDE_INDEX 2
#define PREFIX_BITS 30
#define N_SUBNETS 16384 /* of four addresses, in a /16 */
#define TRIES 16
#define PROBE_MS 1000
#define PROBE_STEP_MS 5
#define MAX_RESOLV ((size_t)65536)

/* Private ranges that are seldom in use; which part is free is looked up. */
static const uint32_t ranges[] = { 0x0ad50000u /* 10.213 */, 0xac1d0000u /* 172.29 */,
                                   0xc0a8d000u & 0xffff0000u /* 192.168 */ };

/* -- addresses -- */

struct taken {
    uint32_t first, last; /* what we ask for */
    bool is_taken, has_default;
};

static void note_route(void *data, const struct nlmsghdr *header)
{
    struct taken *taken = data;
    const struct rtmsg *route = NLMSG_DATA(header);
    const size_t skipped = NLMSG_LENGTH(sizeof(*route));
    size_t size;
    if (header->nlmsg_len < skipped || route->rtm_family != AF_INET)
        return;
    const void *found = netlink_find((const char *)header + skipped, header->nlmsg_len - skipped,
                                     RTA_DST, sizeof(uint32_t), &size);
    if (!found || !route->rtm_dst_len) {
        taken->has_default = taken->has_default || route->rtm_type == RTN_UNICAST;
        return;
    }
    uint32_t first;
    memcpy(&first, found, sizeof(first));
    first = ntohl(first);
    const uint32_t last = first | (route->rtm_dst_len < 32 ? ~0u >> route->rtm_dst_len : 0);
    taken->is_taken = taken->is_taken || (first <= taken->last && last >= taken->first);
}

static int find_routes(int fd, struct taken *taken, struct error **err)
{
    AUTO(netlink_message_release) struct netlink_message message = NETLINK_MESSAGE_INIT;
    const struct rtmsg header = { .rtm_family = AF_INET };
    netlink_begin(&message, RTM_GETROUTE, NLM_F_DUMP);
    netlink_put(&message, &header, sizeof(header));
    return netlink_dump(fd, &message, note_route, taken, "routes of the host", err);
}

/*
 * Not of our pid: builds in several containers may share the host's network, and all be number 7.
 * For difference, not for secrecy.
 */
static uint32_t draw(void)
{
    uint32_t number = 0;
    if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != (ssize_t)sizeof(number))
        number = (uint32_t)getpid() * 2654435761u ^ (uint32_t)clock_monotonic_ms();
    return number;
}

/* The first address of a part that no route leads to; builds at the same time begin elsewhere. */
static int choose_subnet(int fd, uint32_t *ret, struct error **err)
{
    const uint32_t begin = draw();
    for (unsigned i = 0; i < TRIES; i++) {
        const uint32_t number = (begin + i * 4099) % N_SUBNETS;
        const uint32_t first = ranges[i % ARRAY_SIZE(ranges)] + number * 4;
        struct taken taken = { .first = first, .last = first + 3 };
        if (find_routes(fd, &taken, err) < 0)
            return -1;
        if (!taken.is_taken) {
            *ret = first;
            return 0;
        }
    }
    return error_set(err, ERR_UNSUPPORTED, "veth: no free addresses");
}

/* -- interfaces -- */

static int make_pair(int fd, const char *name, int namespace_fd, struct error **err)
{
    AUTO(netlink_message_release) struct netlink_message message = NETLINK_MESSAGE_INIT;
    const struct ifinfomsg ours = { .ifi_family = AF_UNSPEC };
    const struct ifinfomsg theirs = { .ifi_family = AF_UNSPEC, .ifi_index = INSIDE_INDEX };
    netlink_begin(&message, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK);
    netlink_put(&message, &ours, sizeof(ours));
    netlink_attr_text(&message, IFLA_IFNAME, name);
    size_t info = netlink_open_nest(&message, IFLA_LINKINFO);
    netlink_attr_text(&message, IFLA_INFO_KIND, "veth");
    size_t data = netlink_open_nest(&message, IFLA_INFO_DATA);
    size_t peer = netlink_open_nest(&message, VETH_INFO_PEER);
    netlink_put(&message, &theirs, sizeof(theirs));
    netlink_attr_text(&message, IFLA_IFNAME, INSIDE_NAME);
    netlink_attr_u32(&message, IFLA_NET_NS_FD, (uint32_t)namespace_fd);
    netlink_close_nest(&message, peer);
    netlink_close_nest(&message, data);
    netlink_close_nest(&message, info);
    return netlink_talk(fd, &message, "veth: making a pair of interfaces", err);
}

static int raise_interface(int fd, uint32_t index, uint32_t address, struct error **err)
{
    AUTO(netlink_message_release) struct netlink_message message = NETLINK_MESSAGE_INIT;
    const struct in_addr own = { .s_addr = htonl(address) };
    const struct ifaddrmsg header = { .ifa_family = AF_INET,
                                      .ifa_prefixlen = PREFIX_BITS,
                                      .ifa_index = index };
    const struct ifinfomsg up = {
        .ifi_family = AF_UNSPEC, .ifi_index = (int)index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP
    };
    netlink_begin(&message, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK);
    netlink_put(&message, &header, sizeof(header));
    netlink_attr(&message, IFA_LOCAL, &own, sizeof(own));
    netlink_attr(&message, IFA_ADDRESS, &own, sizeof(own));
    netlink_begin(&message, RTM_NEWLINK, NLM_F_ACK);
    netlink_put(&message, &up, sizeof(up));
    return netlink_talk(fd, &message, "veth: addresses of an interface", err);
}

static int add_default_route(int fd, uint32_t gateway, struct error **err)
{
    AUTO(netlink_message_release) struct netlink_message message = NETLINK_MESSAGE_INIT;
    const struct in_addr via = { .s_addr = htonl(gateway) };
    const struct rtmsg header = { .rtm_family = AF_INET,
                                  .rtm_table = RT_TABLE_MAIN,
                                  .rtm_protocol = RTPROT_BOOT,
                                  .rtm_scope = RT_SCOPE_UNIVERSE,
                                  .rtm_type = RTN_UNICAST };
    netlink_begin(&message, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_ACK);
    netlink_put(&message, &header, sizeof(header));
    netlink_attr(&message, RTA_GATEWAY, &via, sizeof(via));
    netlink_attr_u32(&message, RTA_OIF, INSIDE_INDEX);
    return netlink_talk(fd, &message, "veth: default route", err);
}

void network_veth_remove(const char *interface)
{
    AUTO(netlink_message_release) struct netlink_message message = NETLINK_MESSAGE_INIT;
    AUTO(error_free) struct error *ignored = NULL; /* it goes with the namespace then */
    const struct ifinfomsg header = { .ifi_family = AF_UNSPEC };
    AUTO(close) int fd = netlink_open(NETLINK_ROUTE, &ignored);
    if (fd < 0)
        return;
    netlink_begin(&message, RTM_DELLINK, NLM_F_ACK);
    netlink_put(&message, &header, sizeof(header));
    netlink_attr_text(&message, IFLA_IFNAME, interface);
    if (netlink_talk(fd, &message, "veth: removing the interfaces", &ignored) < 0)
        return;
}

/* -- the whole -- */

/* Of our own interface: what comes in at it may go to loopback addresses. */
static int route_localnet(const char *name, struct error **err)
{
    AUTO(free) char *path = xasprintf("/proc/sys/net/ipv4/conf/%s/route_localnet", name);
    AUTO(close) int fd = fs_open(AT_FDCWD, path, O_WRONLY, 0, err);
    if (fd < 0)
        return error_wrap(err, "veth");
    return write(fd, "1", 1) == 1 ? 0 : error_errno(err, "veth: %s", path);
}

/* Whatever firewalls there are: a packet of a step comes out, or it doesn't. */
static int probe(const struct network_helper *helper, struct error **err)
{
    const struct sockaddr_in to = { .sin_family = AF_INET,
                                    .sin_port = htons(9),
                                    .sin_addr.s_addr = htonl(NFT_PROBE_ADDRESS) };
    AUTO(close)
    int fd = network_namespace_socket(helper->namespace_fd, AF_INET, SOCK_DGRAM, 0, err);
    if (fd < 0)
        return -1;
    for (int waited = 0; waited < PROBE_MS; waited += PROBE_STEP_MS) {
        bool passed = false;
        if (waited % (PROBE_MS / 4) == 0)
            (void)!sendto(fd, "", 0, MSG_DONTWAIT, (const struct sockaddr *)&to, sizeof(to));
        if (nft_probe_passed(helper->nft_fd, &passed, err) < 0)
            return -1;
        if (passed)
            return 0;
        if (cancel_sleep_ms(PROBE_STEP_MS, err) < 0)
            return -1;
    }
    return error_set(err, ERR_UNSUPPORTED,
                     "veth: the host doesn't forward packets (net.ipv4.ip_forward, a firewall)");
}

/* The host's name servers, as far as they are reached from another address. */
static int find_name_servers(struct network_helper *helper, struct error **err)
{
    AUTO(error_free) struct error *missing = NULL, *no_systemd = NULL;
    AUTO(strbuf_release) struct strbuf host = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf systemd = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    if (fs_read_file(AT_FDCWD, "/etc/resolv.conf", &host, MAX_RESOLV, &missing) < 0)
        strbuf_reset(&host); /* public ones will be taken, as everywhere */
    if (fs_read_file(AT_FDCWD, "/run/systemd/resolve/resolv.conf", &systemd, MAX_RESOLV,
                     &no_systemd) < 0)
        strbuf_reset(&systemd);
    if (!network_resolv_of_others(host.data, systemd.data, &text))
        return error_set(err, ERR_UNSUPPORTED,
                         "veth: the host's name servers are reached from the host alone");
    helper->resolv = strbuf_detach(&text);
    return 0;
}

static int connect_pair(struct network_helper *helper, int fd, uint32_t subnet, bool reach_host,
                        struct error **err)
{
    const uint32_t index = if_nametoindex(helper->interface);
    const struct nft_rules rules = { .interface = index,
                                     .inside.s_addr = htonl(subnet + 2),
                                     .gateway.s_addr = htonl(subnet + 1),
                                     .reach_host = reach_host };
    AUTO(close)
    int inside_fd =
        network_namespace_socket(helper->namespace_fd, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, err);
    if (inside_fd < 0)
        return -1;
    if (!index)
        return error_errno(err, "veth: %s", helper->interface);
    if (raise_interface(fd, index, subnet + 1, err) < 0 ||
        raise_interface(inside_fd, INSIDE_INDEX, subnet + 2, err) < 0 ||
        add_default_route(inside_fd, subnet + 1, err) < 0 ||
        (reach_host && route_localnet(helper->interface, err) < 0))
        return -1;
    helper->nft_fd = nft_open(&rules, err);
    return helper->nft_fd < 0 ? error_wrap(err, "veth") : 0;
}

static int start_veth(struct network_helper *helper, bool reach_host, struct error **err)
{
    struct taken routes = { .first = 1, .last = 0 };
    uint32_t subnet;
    AUTO(close) int fd = netlink_open(NETLINK_ROUTE, err);
    if (fd < 0 || find_name_servers(helper, err) < 0 || choose_subnet(fd, &subnet, err) < 0 ||
        find_routes(fd, &routes, err) < 0)
        return -1;
    helper->namespace_fd = network_namespace_new(err);
    if (helper->namespace_fd < 0)
        return error_wrap(err, "veth");
    AUTO(free) char *name = xasprintf("cbuild%x", (unsigned)draw());
    if (make_pair(fd, name, helper->namespace_fd, err) < 0)
        return -1;
    helper->interface = TAKE(name);
    if (connect_pair(helper, fd, subnet, reach_host, err) < 0)
        return -1;
    /* without a way out of the host there is nothing to probe */
    if (routes.has_default && probe(helper, err) < 0)
        return -1;
    const struct in_addr gateway = { .s_addr = htonl(subnet + 1) };
    if (!inet_ntop(AF_INET, &gateway, helper->gateway_text, sizeof(helper->gateway_text)))
        return error_errno(err, "veth");
    helper->gateway = reach_host ? helper->gateway_text : NULL;
    return 0;
}

const struct network_kind network_veth = { "veth", start_veth };
