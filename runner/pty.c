/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/pty.h"

#include "runner/fd_passing.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define PTMX_MAJOR 5
#define PTMX_MINOR 2

/* Nothing but the multiplexer of a devpts will do: a mount may have covered it. */
static int open_master(struct report *report)
{
    struct stat st;
    const int flags = O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC;
    int fd = open("/dev/pts/ptmx", flags | O_NOFOLLOW);
    int unlocked = 0;
    if (fd < 0) /* without a /dev of the sandbox's own: the host's, for whoever may */
        fd = open("/dev/ptmx", flags);
    if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) ||
                    st.st_rdev != makedev(PTMX_MAJOR, PTMX_MINOR))) {
        (void)close(fd);
        fd = -1;
        errno = ENODEV;
    }
    if (fd < 0 || ioctl(fd, TIOCSPTLCK, &unlocked) < 0)
        return report_errno(report, "opening a terminal in the sandbox", NULL);
    return fd;
}

static int become_terminal(const struct pty_spec *spec, int fd)
{
    (void)!fchown(fd, spec->uid, spec->gid); /* an id that isn't mapped: it works by fds still */
    if (ioctl(fd, TIOCSWINSZ, &spec->window) < 0 || ioctl(fd, TIOCSCTTY, 0) < 0)
        return -1;
    for (int i = 0; i <= STDERR_FILENO; i++)
        if (dup2(fd, i) < 0)
            return -1;
    return 0;
}

int pty_enter(const struct pty_spec *spec, struct report *report)
{
    char byte = 't';
    int master_fd = open_master(report);
    if (master_fd < 0)
        return -1;
    int fd = ioctl(master_fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    int done = fd < 0 ? -1 : become_terminal(spec, fd);
    if (done == 0)
        done = fd_send(spec->socket_fd, master_fd, &byte, 1);
    if (done < 0)
        (void)report_errno(report, "entering a terminal", NULL);
    if (fd > STDERR_FILENO)
        (void)close(fd);
    (void)close(master_fd);
    return done;
}

int pty_receive(int socket_fd, struct error **err)
{
    char byte;
    int fd;
    if (fd_receive(socket_fd, &fd, &byte, 1) < 0)
        return error_errno(err, "receiving the terminal of the sandbox");
    if (fd < 0)
        return error_set(err, ERR_IO, "receiving the terminal of the sandbox: none came");
    return fd;
}
