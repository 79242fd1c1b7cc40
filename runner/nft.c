/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/nft.h"

#include "base/force.h"
#include "base/strvec.h"
#include "runner/netlink.h"
#include "runner/owner_name.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#define LOOPBACK_ADDRESS 0x7f000001u
#define DNS_PORT 53
/* The table goes with its maker's socket: linux/netfilter/nf_tables.h since 5.12. */
#define TABLE_OWNER 0x2
/* Established and related: nf_conntrack_common.h */
#define CT_KNOWN 0x6u

/* Offsets in headers */
enum { IP_SOURCE = 12, IP_DESTINATION = 16, PORT_DESTINATION = 2 };

static void own_name(char name[OWNER_NAME_SIZE])
{
    const struct owner self = owner_self();
    owner_format(&self, name);
}

/* -- messages -- */

static void begin(struct netlink_message *message, uint16_t type, uint16_t flags)
{
    const struct nfgenmsg header = { .nfgen_family = NFPROTO_INET, .version = NFNETLINK_V0 };
    netlink_begin(message, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags);
    netlink_put(message, &header, sizeof(header));
}

/* Around what happens at once or not at all. */
static void add_bound(struct netlink_message *message, uint16_t type)
{
    const struct nfgenmsg header = { .res_id = htons(NFNL_SUBSYS_NFTABLES) };
    netlink_begin(message, type, 0);
    netlink_put(message, &header, sizeof(header));
}

static void add_table(struct netlink_message *message, const char *name, uint32_t flags)
{
    begin(message, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK);
    netlink_attr_text(message, NFTA_TABLE_NAME, name);
    netlink_attr_be32(message, NFTA_TABLE_FLAGS, flags);
}

static void add_chain(struct netlink_message *message, const char *table, const char *name,
                      const char *type, uint32_t hook, int32_t priority)
{
    begin(message, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK);
    netlink_attr_text(message, NFTA_CHAIN_TABLE, table);
    netlink_attr_text(message, NFTA_CHAIN_NAME, name);
    netlink_attr_text(message, NFTA_CHAIN_TYPE, type);
    size_t nest = netlink_open_nest(message, NFTA_CHAIN_HOOK);
    netlink_attr_be32(message, NFTA_HOOK_HOOKNUM, hook);
    netlink_attr_be32(message, NFTA_HOOK_PRIORITY, (uint32_t)priority);
    netlink_close_nest(message, nest);
}

/* A rule under way: expressions are added to it, register 1 is what they work on. */
struct rule {
    struct netlink_message *message;
    size_t list, item, data;
};

static struct rule rule_begin(struct netlink_message *message, const char *table, const char *chain)
{
    begin(message, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK);
    netlink_attr_text(message, NFTA_RULE_TABLE, table);
    netlink_attr_text(message, NFTA_RULE_CHAIN, chain);
    return (struct rule){ .message = message,
                          .list = netlink_open_nest(message, NFTA_RULE_EXPRESSIONS) };
}

static void rule_end(struct rule *rule)
{
    netlink_close_nest(rule->message, rule->list);
}

static void open_expression(struct rule *rule, const char *name)
{
    rule->item = netlink_open_nest(rule->message, NFTA_LIST_ELEM);
    netlink_attr_text(rule->message, NFTA_EXPR_NAME, name);
    rule->data = netlink_open_nest(rule->message, NFTA_EXPR_DATA);
}

static void close_expression(struct rule *rule)
{
    netlink_close_nest(rule->message, rule->data);
    netlink_close_nest(rule->message, rule->item);
}

static void add_value(struct rule *rule, uint16_t type, const void *value, size_t size)
{
    size_t nest = netlink_open_nest(rule->message, type);
    netlink_attr(rule->message, NFTA_DATA_VALUE, value, size);
    netlink_close_nest(rule->message, nest);
}

static void add_compare(struct rule *rule, uint32_t op, const void *value, size_t size)
{
    open_expression(rule, "cmp");
    netlink_attr_be32(rule->message, NFTA_CMP_SREG, NFT_REG_1);
    netlink_attr_be32(rule->message, NFTA_CMP_OP, op);
    add_value(rule, NFTA_CMP_DATA, value, size);
    close_expression(rule);
}

/* key: NFT_META_IIF or OIF */
static void match_interface(struct rule *rule, uint32_t key, uint32_t op, uint32_t index)
{
    open_expression(rule, "meta");
    netlink_attr_be32(rule->message, NFTA_META_DREG, NFT_REG_1);
    netlink_attr_be32(rule->message, NFTA_META_KEY, key);
    close_expression(rule);
    add_compare(rule, op, &index, sizeof(index));
}

static void match_payload(struct rule *rule, uint32_t base, uint32_t offset, const void *value,
                          size_t size)
{
    open_expression(rule, "payload");
    netlink_attr_be32(rule->message, NFTA_PAYLOAD_DREG, NFT_REG_1);
    netlink_attr_be32(rule->message, NFTA_PAYLOAD_BASE, base);
    netlink_attr_be32(rule->message, NFTA_PAYLOAD_OFFSET, offset);
    netlink_attr_be32(rule->message, NFTA_PAYLOAD_LEN, (uint32_t)size);
    close_expression(rule);
    add_compare(rule, NFT_CMP_EQ, value, size);
}

static void match_address(struct rule *rule, uint32_t offset, struct in_addr address)
{
    const uint8_t ipv4 = NFPROTO_IPV4;
    open_expression(rule, "meta");
    netlink_attr_be32(rule->message, NFTA_META_DREG, NFT_REG_1);
    netlink_attr_be32(rule->message, NFTA_META_KEY, NFT_META_NFPROTO);
    close_expression(rule);
    add_compare(rule, NFT_CMP_EQ, &ipv4, sizeof(ipv4));
    match_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, offset, &address, sizeof(address));
}

/* Of connections that exist already. */
static void match_known(struct rule *rule)
{
    const uint32_t mask = CT_KNOWN, zero = 0;
    open_expression(rule, "ct");
    netlink_attr_be32(rule->message, NFTA_CT_DREG, NFT_REG_1);
    netlink_attr_be32(rule->message, NFTA_CT_KEY, NFT_CT_STATE);
    close_expression(rule);
    open_expression(rule, "bitwise");
    netlink_attr_be32(rule->message, NFTA_BITWISE_SREG, NFT_REG_1);
    netlink_attr_be32(rule->message, NFTA_BITWISE_DREG, NFT_REG_1);
    netlink_attr_be32(rule->message, NFTA_BITWISE_LEN, sizeof(mask));
    add_value(rule, NFTA_BITWISE_MASK, &mask, sizeof(mask));
    add_value(rule, NFTA_BITWISE_XOR, &zero, sizeof(zero));
    close_expression(rule);
    add_compare(rule, NFT_CMP_NEQ, &zero, sizeof(zero));
}

static void add_verdict(struct rule *rule, uint32_t code)
{
    open_expression(rule, "immediate");
    netlink_attr_be32(rule->message, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    size_t data = netlink_open_nest(rule->message, NFTA_IMMEDIATE_DATA);
    size_t verdict = netlink_open_nest(rule->message, NFTA_DATA_VERDICT);
    netlink_attr_be32(rule->message, NFTA_VERDICT_CODE, code);
    netlink_close_nest(rule->message, verdict);
    netlink_close_nest(rule->message, data);
    close_expression(rule);
}

/* -- the table -- */

/*
 * The way out: as the host; the probe's packets are counted when nobody has dropped them, before
 * their address is another.
 */
static void add_way_out(struct netlink_message *message, const char *table,
                        const struct nft_rules *rules)
{
    const struct in_addr probe = { .s_addr = htonl(NFT_PROBE_ADDRESS) };
    add_chain(message, table, "probe", "filter", NF_INET_POST_ROUTING, 90);
    struct rule rule = rule_begin(message, table, "probe");
    match_address(&rule, IP_SOURCE, rules->inside); /* other builds have probes of their own */
    match_address(&rule, IP_DESTINATION, probe);
    open_expression(&rule, "counter");
    close_expression(&rule);
    add_verdict(&rule, NF_DROP);
    rule_end(&rule);

    add_chain(message, table, "out", "nat", NF_INET_POST_ROUTING, 100);
    rule = rule_begin(message, table, "out");
    match_address(&rule, IP_SOURCE, rules->inside);
    match_interface(&rule, NFT_META_OIF, NFT_CMP_NEQ, rules->interface);
    open_expression(&rule, "masq");
    close_expression(&rule);
    rule_end(&rule);
}

/* Nobody outside opens a connection to a step. */
static void add_forward(struct netlink_message *message, const char *table,
                        const struct nft_rules *rules)
{
    add_chain(message, table, "forward", "filter", NF_INET_FORWARD, -10);
    struct rule rule = rule_begin(message, table, "forward");
    match_interface(&rule, NFT_META_OIF, NFT_CMP_EQ, rules->interface);
    match_known(&rule);
    add_verdict(&rule, NF_ACCEPT);
    rule_end(&rule);
    rule = rule_begin(message, table, "forward");
    match_interface(&rule, NFT_META_OIF, NFT_CMP_EQ, rules->interface);
    add_verdict(&rule, NF_DROP);
    rule_end(&rule);
}

/* Of the host itself: a name server, where it has one. Last is what drops: a packet without a port
 * matches no rule that asks for one. */
static void add_input(struct netlink_message *message, const char *table,
                      const struct nft_rules *rules)
{
    const uint16_t dns = htons(DNS_PORT);
    add_chain(message, table, "input", "filter", NF_INET_LOCAL_IN, -10);
    struct rule rule = rule_begin(message, table, "input");
    match_interface(&rule, NFT_META_IIF, NFT_CMP_EQ, rules->interface);
    match_known(&rule);
    add_verdict(&rule, NF_ACCEPT);
    rule_end(&rule);
    rule = rule_begin(message, table, "input");
    match_interface(&rule, NFT_META_IIF, NFT_CMP_EQ, rules->interface);
    match_payload(&rule, NFT_PAYLOAD_TRANSPORT_HEADER, PORT_DESTINATION, &dns, sizeof(dns));
    add_verdict(&rule, NF_ACCEPT);
    rule_end(&rule);
    rule = rule_begin(message, table, "input");
    match_interface(&rule, NFT_META_IIF, NFT_CMP_EQ, rules->interface);
    add_verdict(&rule, NF_DROP);
    rule_end(&rule);
}

static void add_gateway(struct netlink_message *message, const char *table,
                        const struct nft_rules *rules)
{
    const struct in_addr loopback = { .s_addr = htonl(LOOPBACK_ADDRESS) };
    add_chain(message, table, "gateway", "nat", NF_INET_PRE_ROUTING, -100);
    struct rule rule = rule_begin(message, table, "gateway");
    match_interface(&rule, NFT_META_IIF, NFT_CMP_EQ, rules->interface);
    match_address(&rule, IP_DESTINATION, rules->gateway);
    open_expression(&rule, "immediate");
    netlink_attr_be32(message, NFTA_IMMEDIATE_DREG, NFT_REG_1);
    add_value(&rule, NFTA_IMMEDIATE_DATA, &loopback, sizeof(loopback));
    close_expression(&rule);
    open_expression(&rule, "nat");
    netlink_attr_be32(message, NFTA_NAT_TYPE, NFT_NAT_DNAT);
    netlink_attr_be32(message, NFTA_NAT_FAMILY, NFPROTO_IPV4);
    netlink_attr_be32(message, NFTA_NAT_REG_ADDR_MIN, NFT_REG_1);
    close_expression(&rule);
    rule_end(&rule);
}

static int make_table(int fd, const struct nft_rules *rules, uint32_t flags, struct error **err)
{
    AUTO(netlink_message_release) struct netlink_message message = NETLINK_MESSAGE_INIT;
    char table[OWNER_NAME_SIZE];
    own_name(table);
    add_bound(&message, NFNL_MSG_BATCH_BEGIN);
    add_table(&message, table, flags);
    add_way_out(&message, table, rules);
    add_forward(&message, table, rules);
    if (rules->reach_host)
        add_gateway(&message, table, rules);
    else
        add_input(&message, table, rules);
    add_bound(&message, NFNL_MSG_BATCH_END);
    return netlink_talk(fd, &message, "rules of the packet filter", err);
}

static int remove_table(int fd, const char *name, struct error **err)
{
    AUTO(netlink_message_release) struct netlink_message message = NETLINK_MESSAGE_INIT;
    add_bound(&message, NFNL_MSG_BATCH_BEGIN);
    begin(&message, NFT_MSG_DELTABLE, NLM_F_ACK);
    netlink_attr_text(&message, NFTA_TABLE_NAME, name);
    add_bound(&message, NFNL_MSG_BATCH_END);
    return netlink_talk(fd, &message, "removing rules of the packet filter", err);
}

static void note_dead(void *data, const struct nlmsghdr *header)
{
    const size_t skipped = NLMSG_LENGTH(sizeof(struct nfgenmsg));
    size_t size;
    if (header->nlmsg_len < skipped)
        return;
    const char *name = netlink_find((const char *)header + skipped, header->nlmsg_len - skipped,
                                    NFTA_TABLE_NAME, 1, &size);
    if (name && !name[size - 1] && owner_is_dead(name))
        strvec_push(data, name);
}

/* Left by those that were killed. */
static void sweep(int fd)
{
    AUTO(netlink_message_release) struct netlink_message message = NETLINK_MESSAGE_INIT;
    AUTO(strvec_release) struct strvec dead = STRVEC_INIT;
    AUTO(error_free) struct error *ignored = NULL; /* the next one tries again */
    begin(&message, NFT_MSG_GETTABLE, NLM_F_DUMP);
    if (netlink_dump(fd, &message, note_dead, &dead, "tables of the packet filter", &ignored) < 0)
        return;
    for (size_t i = 0; i < dead.n; i++) {
        AUTO(error_free) struct error *gone = NULL; /* somebody else was quicker */
        (void)remove_table(fd, dead.items[i], &gone);
    }
}

int nft_open(const struct nft_rules *rules, struct error **err)
{
    AUTO(close) int fd = netlink_open(NETLINK_NETFILTER, err);
    AUTO(error_free) struct error *no_owner = NULL;
    if (fd < 0)
        return -1;
    sweep(fd);
    if (force_has("no-nft-owner") || make_table(fd, rules, TABLE_OWNER, &no_owner) < 0) {
        if (make_table(fd, rules, 0, err) < 0)
            return -1;
    }
    return take_fd(&fd);
}

static void note_packets(void *data, const struct nlmsghdr *header)
{
    const size_t skipped = NLMSG_LENGTH(sizeof(struct nfgenmsg));
    uint64_t *packets = data;
    size_t size;
    if (header->nlmsg_len < skipped)
        return;
    const char *list = netlink_find((const char *)header + skipped, header->nlmsg_len - skipped,
                                    NFTA_RULE_EXPRESSIONS, 0, &size);
    for (const char *end = list ? list + size : NULL; list && list < end;) {
        size_t item_size, data_size, count_size;
        const char *item = netlink_find(list, (size_t)(end - list), NFTA_LIST_ELEM, 0, &item_size);
        const char *name =
            item ? netlink_find(item, item_size, NFTA_EXPR_NAME, sizeof("counter"), &data_size)
                 : NULL;
        const char *counter = name && !strcmp(name, "counter")
                                  ? netlink_find(item, item_size, NFTA_EXPR_DATA, 0, &data_size)
                                  : NULL;
        const void *count = counter ? netlink_find(counter, data_size, NFTA_COUNTER_PACKETS,
                                                   sizeof(*packets), &count_size)
                                    : NULL;
        if (count)
            memcpy(packets, count, sizeof(*packets)); /* in network order: not 0 is enough */
        list = item ? item + NLA_ALIGN(item_size) : NULL;
    }
}

int nft_probe_passed(int fd, bool *passed, struct error **err)
{
    AUTO(netlink_message_release) struct netlink_message message = NETLINK_MESSAGE_INIT;
    char table[OWNER_NAME_SIZE];
    uint64_t packets = 0;
    own_name(table);
    begin(&message, NFT_MSG_GETRULE, NLM_F_DUMP);
    netlink_attr_text(&message, NFTA_RULE_TABLE, table);
    netlink_attr_text(&message, NFTA_RULE_CHAIN, "probe");
    if (netlink_dump(fd, &message, note_packets, &packets, "packet filter", err) < 0)
        return -1;
    *passed = packets != 0;
    return 0;
}

void nft_close(int *fd)
{
    AUTO(error_free) struct error *ignored = NULL; /* then it goes with the socket */
    char table[OWNER_NAME_SIZE];
    if (*fd < 0)
        return;
    own_name(table);
    (void)remove_table(*fd, table, &ignored);
    close_auto(fd);
}
