/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/network_namespace.h"

#include "base/force.h"
#include "base/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* For a thread of its own, which takes its place in the old namespace with it when it ends. */
struct work {
    int namespace_fd; /* to enter, -1: a new one */
    int domain, type, protocol;
    int fd;
    struct error *error;
};

static int raise_loopback(struct error **err)
{
    struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
    AUTO(close) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
        return error_errno(err, "loopback network");
    return 0;
}

static void *make_namespace(void *data)
{
    struct work *work = data;
    struct error **err = &work->error;
    const bool refused = force_has("no-network-namespace");
    errno = EPERM;
    if (refused || unshare(CLONE_NEWNET) < 0) {
        (void)error_errno(err, "making a network namespace");
    } else if (raise_loopback(err) == 0) {
        work->fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
        if (work->fd < 0)
            (void)error_errno(err, "opening the network namespace");
    }
    return NULL;
}

static void *make_socket(void *data)
{
    struct work *work = data;
    if (setns(work->namespace_fd, CLONE_NEWNET) == 0)
        work->fd = socket(work->domain, work->type | SOCK_CLOEXEC, work->protocol);
    if (work->fd < 0)
        (void)error_errno(&work->error, "socket in the network namespace");
    return NULL;
}

static int run(void *(*body)(void *data), struct work *work, struct error **err)
{
    work->fd = -1;
    struct thread *thread = thread_start(body, work, err);
    if (!thread)
        return -1;
    (void)thread_join(thread);
    if (work->fd < 0)
        error_move(err, work->error);
    return work->fd;
}

int network_namespace_new(struct error **err)
{
    struct work work = { .namespace_fd = -1 };
    return run(make_namespace, &work, err);
}

int network_namespace_socket(int namespace_fd, int domain, int type, int protocol,
                             struct error **err)
{
    struct work work = {
        .namespace_fd = namespace_fd, .domain = domain, .type = type, .protocol = protocol
    };
    return run(make_socket, &work, err);
}
