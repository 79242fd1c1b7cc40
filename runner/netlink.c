/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_SIZE 32768 /* of one read; the kernel makes no longer ones */
#define TIMEOUT_S 5
#define MAX_ERRNO 4095 /* linux/err.h */

int netlink_open(int protocol, struct error **err)
{
    const struct timeval timeout = { .tv_sec = TIMEOUT_S };
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
    if (fd < 0)
        return error_errno(err, "netlink socket");
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0) {
        (void)error_errno(err, "netlink socket");
        (void)close(fd);
        return -1;
    }
    return fd;
}

void netlink_message_release(struct netlink_message *message)
{
    strbuf_release(&message->data);
    message->start = 0;
}

static void pad(struct netlink_message *message)
{
    while (message->data.size % NLMSG_ALIGNTO)
        strbuf_addc(&message->data, '\0');
}

/* The last message's header says how long it is. */
static void set_size(struct netlink_message *message)
{
    uint32_t size = (uint32_t)(message->data.size - message->start);
    memcpy(message->data.data + message->start, &size, sizeof(size));
}

void netlink_put(struct netlink_message *message, const void *data, size_t size)
{
    strbuf_add(&message->data, data, size);
    pad(message);
    set_size(message);
}

void netlink_begin(struct netlink_message *message, uint16_t type, uint16_t flags)
{
    const struct nlmsghdr header = { .nlmsg_len = sizeof(header),
                                     .nlmsg_type = type,
                                     .nlmsg_flags = flags | NLM_F_REQUEST };
    message->start = message->data.size;
    netlink_put(message, &header, sizeof(header));
}

void netlink_attr(struct netlink_message *message, uint16_t type, const void *data, size_t size)
{
    const struct nlattr attr = { .nla_len = (uint16_t)(sizeof(attr) + size), .nla_type = type };
    strbuf_add(&message->data, &attr, sizeof(attr));
    netlink_put(message, data, size);
}

void netlink_attr_text(struct netlink_message *message, uint16_t type, const char *text)
{
    netlink_attr(message, type, text, strlen(text) + 1);
}

void netlink_attr_u32(struct netlink_message *message, uint16_t type, uint32_t value)
{
    netlink_attr(message, type, &value, sizeof(value));
}

void netlink_attr_be32(struct netlink_message *message, uint16_t type, uint32_t value)
{
    netlink_attr_u32(message, type, htonl(value));
}

size_t netlink_open_nest(struct netlink_message *message, uint16_t type)
{
    size_t nest = message->data.size;
    netlink_attr(message, type | NLA_F_NESTED, "", 0);
    return nest;
}

void netlink_close_nest(struct netlink_message *message, size_t nest)
{
    uint16_t size = (uint16_t)(message->data.size - nest);
    memcpy(message->data.data + nest, &size, sizeof(size));
}

static int send_all(int fd, const struct netlink_message *message, const char *what,
                    struct error **err)
{
    const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    ssize_t sent;
    do {
        sent = sendto(fd, message->data.data, message->data.size, 0,
                      (const struct sockaddr *)&kernel, sizeof(kernel));
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? error_errno(err, "%s", what) : 0;
}

static ssize_t receive(int fd, char *buffer, const char *what, struct error **err)
{
    ssize_t size;
    do {
        size = recv(fd, buffer, ANSWER_SIZE, 0);
    } while (size < 0 && errno == EINTR);
    return size < 0 ? error_errno(err, "%s", what) : size;
}

/* Of one answer: 1: there is more to come, 0: it was the last, -1. */
static int take(const struct nlmsghdr *header, const char *what, struct error **err)
{
    int number = 0;
    if (header->nlmsg_type == NLMSG_DONE)
        return 0;
    if (header->nlmsg_type != NLMSG_ERROR)
        return 1;
    if (header->nlmsg_len >= NLMSG_LENGTH(sizeof(number)))
        memcpy(&number, NLMSG_DATA(header), sizeof(number));
    if (!number)
        return 0;
    errno = number < 0 && number >= -MAX_ERRNO ? -number : EPROTO;
    return error_errno(err, "%s", what);
}

static size_t count_acks(const struct netlink_message *message)
{
    size_t n = 0;
    int left = (int)message->data.size;
    for (const struct nlmsghdr *header = (const void *)message->data.data; NLMSG_OK(header, left);
         header = NLMSG_NEXT(header, left))
        n += (header->nlmsg_flags & NLM_F_ACK) != 0;
    return n;
}

int netlink_talk(int fd, struct netlink_message *message, const char *what, struct error **err)
{
    _Alignas(struct nlmsghdr) char buffer[ANSWER_SIZE];
    size_t waiting = count_acks(message);
    if (send_all(fd, message, what, err) < 0)
        return -1;
    while (waiting) {
        ssize_t size = receive(fd, buffer, what, err);
        if (size < 0)
            return -1;
        for (const struct nlmsghdr *header = (const void *)buffer; NLMSG_OK(header, size);
             header = NLMSG_NEXT(header, size)) {
            int more = take(header, what, err);
            if (more < 0)
                return -1;
            waiting -= !more && waiting;
        }
    }
    return 0;
}

int netlink_dump(int fd, struct netlink_message *message,
                 void (*each)(void *data, const struct nlmsghdr *header), void *data,
                 const char *what, struct error **err)
{
    _Alignas(struct nlmsghdr) char buffer[ANSWER_SIZE];
    if (send_all(fd, message, what, err) < 0)
        return -1;
    for (int more = 1; more;) {
        ssize_t size = receive(fd, buffer, what, err);
        if (size < 0)
            return -1;
        for (const struct nlmsghdr *header = (const void *)buffer; more && NLMSG_OK(header, size);
             header = NLMSG_NEXT(header, size)) {
            more = take(header, what, err);
            if (more < 0)
                return -1;
            if (more)
                each(data, header);
        }
    }
    return 0;
}

const void *netlink_find(const void *attrs, size_t attrs_size, uint16_t type, size_t size,
                         size_t *found_size)
{
    const char *at = attrs;
    while (attrs_size >= sizeof(struct nlattr)) {
        struct nlattr attr;
        memcpy(&attr, at, sizeof(attr));
        if (attr.nla_len < sizeof(attr) || attr.nla_len > attrs_size)
            return NULL;
        if ((attr.nla_type & NLA_TYPE_MASK) == type) {
            *found_size = attr.nla_len - sizeof(attr);
            return *found_size >= size ? at + sizeof(attr) : NULL;
        }
        size_t step = NLA_ALIGN(attr.nla_len);
        if (step >= attrs_size)
            return NULL;
        at += step;
        attrs_size -= step;
    }
    return NULL;
}
