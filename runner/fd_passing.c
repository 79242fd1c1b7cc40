/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/fd_passing.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Room for the one descriptor that passes. */
union control {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
};

int fd_send(int socket_fd, int fd, void *data, size_t size)
{
    union control control;
    struct iovec content = { data, size };
    struct msghdr message = { .msg_iov = &content,
                              .msg_iovlen = 1,
                              .msg_control = control.space,
                              .msg_controllen = sizeof(control.space) };
    memset(&control, 0, sizeof(control));
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(fd));
    memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    return sendmsg(socket_fd, &message, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

ssize_t fd_receive(int socket_fd, int *fd, void *data, size_t size)
{
    union control control;
    struct iovec content = { data, size };
    struct msghdr message = { .msg_iov = &content,
                              .msg_iovlen = 1,
                              .msg_control = control.space,
                              .msg_controllen = sizeof(control.space) };
    *fd = -1;
    ssize_t received = recvmsg(socket_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    const struct cmsghdr *header = received > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
        header->cmsg_len == CMSG_LEN(sizeof(*fd)))
        memcpy(fd, CMSG_DATA(header), sizeof(*fd));
    return received;
}
