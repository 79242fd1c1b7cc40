/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/ssh_forward.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_CONNECTIONS 64 /* more wait to be accepted */
#define WAY_SIZE ((size_t)16 * 1024)

/* Bytes on their way from one side to the other. */
struct way {
    size_t start, end; /* of what isn't written yet */
    bool ended;        /* nothing more will be read */
    bool told;         /* and the other side knows */
    char bytes[WAY_SIZE];
};

enum { CLIENT, AGENT, SIDES };

struct connection {
    int fds[SIDES];
    struct way ways[SIDES]; /* from that side */
};

struct ssh_forward {
    int dir_fd; /* borrowed */
    char name[64];
    char *path;
    int agent_fd; /* O_PATH */
    int listen_fd, stop_fd;
    struct thread *thread;
    struct connection *connections[MAX_CONNECTIONS];
    size_t n_connections;
};

/* Paths of sockets are short by design: through /proc any will do. */
static struct sockaddr_un address_of(int fd, const char *name)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d%s%s", fd,
                   name ? "/" : "", name ? name : "");
    return address;
}

/* --- moving bytes ---------------------------------------------------------------------------- */

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static void connection_free(struct connection *connection)
{
    close_fd(&connection->fds[CLIENT]);
    close_fd(&connection->fds[AGENT]);
    explicit_bzero(connection->ways, sizeof(connection->ways));
    free(connection);
}

/* An agent that doesn't answer is the command's trouble: it sees its connection end. */
static void accept_one(struct ssh_forward *forward)
{
    const int flags = SOCK_CLOEXEC | SOCK_NONBLOCK;
    int client_fd = accept4(forward->listen_fd, NULL, NULL, flags);
    if (client_fd < 0)
        return;
    struct sockaddr_un address = address_of(forward->agent_fd, NULL);
    int agent_fd = socket(AF_UNIX, SOCK_STREAM | flags, 0);
    if (agent_fd < 0 || connect(agent_fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        close_fd(&agent_fd);
        close_fd(&client_fd);
        return;
    }
    struct connection *connection = NEW(struct connection);
    connection->fds[CLIENT] = client_fd;
    connection->fds[AGENT] = agent_fd;
    forward->connections[forward->n_connections++] = connection;
}

static bool can_wait(ssize_t result)
{
    return result < 0 && (errno == EAGAIN || errno == EINTR);
}

/* What can be moved from one side to the other without waiting; false: the connection is broken. */
static bool move(struct connection *connection, int from)
{
    struct way *way = &connection->ways[from];
    int in = connection->fds[from], out = connection->fds[!from];
    if (way->start == way->end && !way->ended) {
        ssize_t n = read(in, way->bytes, sizeof(way->bytes));
        if (n < 0)
            return can_wait(n);
        way->start = 0;
        way->end = (size_t)n;
        way->ended = n == 0;
    }
    if (way->start < way->end) {
        ssize_t n = send(out, way->bytes + way->start, way->end - way->start, MSG_NOSIGNAL);
        if (n < 0)
            return can_wait(n);
        way->start += (size_t)n;
    }
    if (way->start == way->end && way->ended && !way->told) {
        (void)shutdown(out, SHUT_WR); /* it may be gone: then the other way ends too */
        way->told = true;
    }
    return true;
}

static short events_of(const struct connection *connection, int side)
{
    const struct way *from = &connection->ways[side], *to = &connection->ways[!side];
    short events = 0;
    if (from->start == from->end && !from->ended)
        events |= POLLIN;
    if (to->start < to->end)
        events |= POLLOUT;
    return events;
}

static void drop(struct ssh_forward *forward, size_t index)
{
    connection_free(forward->connections[index]);
    forward->connections[index] = forward->connections[--forward->n_connections];
}

static void serve(struct ssh_forward *forward, const struct pollfd *fds)
{
    for (size_t i = forward->n_connections; i-- > 0;) {
        struct connection *connection = forward->connections[i];
        if (!fds[SIDES * i + CLIENT].revents && !fds[SIDES * i + AGENT].revents)
            continue;
        if (!move(connection, CLIENT) || !move(connection, AGENT) ||
            (connection->ways[CLIENT].told && connection->ways[AGENT].told))
            drop(forward, i);
    }
}

static void *forward_all(void *data)
{
    struct ssh_forward *forward = data;
    for (;;) {
        struct pollfd fds[2 + SIDES * MAX_CONNECTIONS];
        bool full = forward->n_connections == MAX_CONNECTIONS;
        fds[0] = (struct pollfd){ .fd = forward->stop_fd, .events = POLLIN };
        fds[1] = (struct pollfd){ .fd = full ? -1 : forward->listen_fd, .events = POLLIN };
        for (size_t i = 0; i < forward->n_connections; i++) {
            for (int side = CLIENT; side < SIDES; side++) {
                short events = events_of(forward->connections[i], side);
                /* without events a peer that hung up would wake us for ever */
                fds[2 + SIDES * i + (size_t)side] =
                    (struct pollfd){ .fd = events ? forward->connections[i]->fds[side] : -1,
                                     .events = events };
            }
        }
        if (poll(fds, 2 + SIDES * forward->n_connections, -1) < 0)
            continue; /* EINTR */
        if (fds[0].revents)
            return NULL;
        serve(forward, fds + 2);
        if (fds[1].revents)
            accept_one(forward);
    }
}

/* --- the socket ------------------------------------------------------------------------------ */

static int make_socket(struct ssh_forward *forward, const struct ssh_forward_options *options,
                       struct error **err)
{
    static atomic_uint last;
    (void)snprintf(forward->name, sizeof(forward->name), "ssh-agent.%u",
                   atomic_fetch_add(&last, 1));
    struct sockaddr_un address = address_of(forward->dir_fd, forward->name);
    forward->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (forward->listen_fd < 0 ||
        bind(forward->listen_fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        fchownat(forward->dir_fd, forward->name, options->uid, options->gid, AT_SYMLINK_NOFOLLOW) <
            0 ||
        fchmodat(forward->dir_fd, forward->name, options->mode & 07777, 0) < 0 ||
        listen(forward->listen_fd, MAX_CONNECTIONS) < 0)
        return error_errno(err, "making a socket for ssh agent %s", options->agent);
    forward->path = realpath(address.sun_path, NULL);
    return forward->path ? 0 : error_errno(err, "socket for ssh agent %s", options->agent);
}

struct ssh_forward *ssh_forward_start(const struct ssh_forward_options *options, struct error **err)
{
    AUTO(ssh_forward_free) struct ssh_forward *forward = NEW(struct ssh_forward);
    forward->dir_fd = options->dir_fd;
    forward->agent_fd = forward->listen_fd = forward->stop_fd = -1;
    forward->agent_fd = open(options->agent, O_PATH | O_CLOEXEC);
    if (forward->agent_fd < 0)
        return error_errno_null(err, "ssh agent socket %s", options->agent);
    if (make_socket(forward, options, err) < 0)
        return NULL;
    forward->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (forward->stop_fd < 0)
        return error_errno_null(err, "ssh agent %s: making an event", options->agent);
    forward->thread = thread_start(forward_all, forward, err);
    return forward->thread ? TAKE(forward) : NULL;
}

const char *ssh_forward_path(const struct ssh_forward *forward)
{
    return forward->path;
}

void ssh_forward_free(struct ssh_forward *forward)
{
    if (!forward)
        return;
    if (forward->thread) {
        (void)eventfd_write(forward->stop_fd, 1); /* can't be full */
        (void)thread_join(forward->thread);
    }
    while (forward->n_connections)
        drop(forward, forward->n_connections - 1);
    if (forward->name[0])
        (void)unlinkat(forward->dir_fd, forward->name, 0); /* swept with the folder otherwise */
    close_fd(&forward->listen_fd);
    close_fd(&forward->stop_fd);
    close_fd(&forward->agent_fd);
    free(forward->path);
    free(forward);
}
