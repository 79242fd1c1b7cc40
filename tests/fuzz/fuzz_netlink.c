/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of the kernel, each with its size in two bytes before it: whatever they hold, requests
 * end, and attributes that are found lie within their message. */
#include "runner/netlink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *at;
static size_t left;

/* Those of libc, for this program: the kernel's side. */
ssize_t sendto(int fd UNUSED, const void *data UNUSED, size_t size, int flags UNUSED,
               const struct sockaddr *to UNUSED, socklen_t to_size UNUSED)
{
    return (ssize_t)size;
}

ssize_t recv(int fd UNUSED, void *buffer, size_t size, int flags UNUSED)
{
    if (left < 2) {
        errno = EAGAIN; /* the kernel is silent */
        return -1;
    }
    size_t n = at[0] | (size_t)at[1] << 8;
    at += 2;
    left -= 2;
    n = n > left ? left : n;
    n = n > size ? size : n;
    memcpy(buffer, at, n);
    at += n;
    left -= n;
    return (ssize_t)n;
}

static void check_within(const char *begin, size_t size, const char *found, size_t found_size)
{
    if (found && (found < begin || found_size > size || found + found_size > begin + size))
        abort();
}

static void look(void *data, const struct nlmsghdr *header)
{
    size_t *n = data, size = header->nlmsg_len - NLMSG_HDRLEN;
    const char *payload = NLMSG_DATA(header);
    *n += 1;
    for (uint16_t type = 0; type < 8; type++) {
        size_t found_size = 0, inner_size = 0;
        const char *found = netlink_find(payload, size, type, type, &found_size);
        check_within(payload, size, found, found_size);
        if (found)
            check_within(found, found_size, netlink_find(found, found_size, 1, 4, &inner_size),
                         inner_size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int is_dump = 0; is_dump < 2; is_dump++) {
        AUTO(netlink_message_release) struct netlink_message message = NETLINK_MESSAGE_INIT;
        AUTO(error_free) struct error *err = NULL;
        size_t n = 0;
        at = data;
        left = size;
        netlink_begin(&message, 1, is_dump ? NLM_F_DUMP : NLM_F_ACK);
        netlink_attr_u32(&message, 1, 7);
        int result = is_dump ? netlink_dump(-1, &message, look, &n, "asking", &err)
                             : netlink_talk(-1, &message, "asking", &err);
        if ((result < 0) != !!err)
            abort();
    }
    return 0;
}
