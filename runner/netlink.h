/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to the kernel by netlink: messages of nested attributes, each answered by an
 * acknowledgement, or by a dump. Just what network_veth.c and nft.c need.
 *
 *     netlink_begin(&message, RTM_NEWLINK, NLM_F_CREATE | NLM_F_ACK);
 *     netlink_put(&message, &header, sizeof(header));
 *     netlink_attr_text(&message, IFLA_IFNAME, "cbuild0");
 *     netlink_talk(fd, &message, "making an interface", err);
 */
#ifndef CBUILD_RUNNER_NETLINK_H
#define CBUILD_RUNNER_NETLINK_H

#include "base/error.h"
#include "base/strbuf.h"

#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

/* NETLINK_ROUTE, NETLINK_NETFILTER; waits at most some seconds for an answer. In our own network
 * namespace. */
int netlink_open(int protocol, struct error **err) WARN_UNUSED;

#define NETLINK_MESSAGE_INIT                                                                       \
    {                                                                                              \
        .data = STRBUF_INIT                                                                        \
    }

struct netlink_message {
    struct strbuf data; /* one message, or several for one send */
    size_t start;       /* of the last one */
};

void netlink_message_release(struct netlink_message *message);
DEFINE_AUTO_STRUCT(struct netlink_message, netlink_message_release)

/* Another message; NLM_F_REQUEST is added. */
void netlink_begin(struct netlink_message *message, uint16_t type, uint16_t flags);
/* What the protocol's own header is, padded. */
void netlink_put(struct netlink_message *message, const void *data, size_t size);
void netlink_attr(struct netlink_message *message, uint16_t type, const void *data, size_t size);
void netlink_attr_text(struct netlink_message *message, uint16_t type, const char *text);
void netlink_attr_u32(struct netlink_message *message, uint16_t type, uint32_t value);
/* In network order, as netfilter has its numbers. */
void netlink_attr_be32(struct netlink_message *message, uint16_t type, uint32_t value);
/* Attributes up to netlink_close_nest() are in it. */
size_t netlink_open_nest(struct netlink_message *message, uint16_t type);
void netlink_close_nest(struct netlink_message *message, size_t nest);

/* Sends all and waits until each message with NLM_F_ACK has been answered. `what` is for errors. */
int netlink_talk(int fd, struct netlink_message *message, const char *what,
                 struct error **err) WARN_UNUSED;
/* Of one message with NLM_F_DUMP: each answer to `each`, with its payload. */
int netlink_dump(int fd, struct netlink_message *message,
                 void (*each)(void *data, const struct nlmsghdr *header), void *data,
                 const char *what, struct error **err) WARN_UNUSED;

/*
 * The attribute of this type in a sequence of them; NULL: there is none, or not of at least `size`
 * bytes.
 */
const void *netlink_find(const void *attrs, size_t attrs_size, uint16_t type, size_t size,
                         size_t *found_size);

#endif
