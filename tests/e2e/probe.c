/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process may do here, tried in forms that harm nothing where they are allowed: files are
 * opened and never written, calls get arguments that the kernel refuses after it has looked at the
 * caller's rights.
 *
 *     probe serve NAME PORT     the host's process that others look for: listens on the abstract
 *                               socket NAME and on 127.0.0.1:PORT, prints its pid, waits
 *     probe try [KEY=VALUE...]  all probes, each in a directory of its own below the current one;
 *                               a line each: "NAME CLASS allowed" or "NAME CLASS refused ERRNO"
 *
 *     probe push TEXT           TIOCSTI: types TEXT into the terminal that is standard input, and
 *                               TIOCLINUX: pastes into the console; "NAME allowed" or "NAME
 * refused"
 *
 * Keys: pid and name (of serve), port, file (a file of the host), disk (MAJOR:MINOR). Classes:
 * escape (a default container stops it), common (it allows it, or may).
 */
#include "tests/e2e/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <linux/keyctl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct probe_host host = { .name = "", .file = NOWHERE };
static char directory[PATH_MAX]; /* where we were started */

static int in_child(int (*function)(void))
{
    pid_t pid = fork();
    int status = 0;
    if (pid == 0) {
        (void)alarm(10);
        (void)setsid(); /* no terminal to hang up */
        _exit(function());
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

static unsigned number(const char *text)
{
    return (unsigned)strtoul(text, NULL, 10);
}

static void set(const char *argument)
{
    const char *value = strchr(argument, '=');
    if (!value++)
        return;
    if (!strncmp(argument, "pid=", 4))
        host.pid = (int)number(value);
    else if (!strncmp(argument, "name=", 5))
        host.name = value;
    else if (!strncmp(argument, "port=", 5))
        host.port = (int)number(value);
    else if (!strncmp(argument, "file=", 5))
        host.file = value;
    else if (!strncmp(argument, "disk=", 5) && strchr(value, ':'))
        host.disk = makedev(number(value), number(strchr(value, ':') + 1));
}

static int try_one(const struct probe *probe)
{
    char name[PATH_MAX + 64];
    (void)snprintf(name, sizeof(name), "%s/%s", directory, probe->name);
    if (mkdir(name, 0755) < 0 || chdir(name) < 0) {
        perror(name);
        return -1;
    }
    int error = in_child(probe->function);
    const char *kind = probe->common ? "common" : "escape";
    if (error)
        printf("%s %s refused %s\n", probe->name, kind, strerrorname_np(error));
    else
        printf("%s %s allowed\n", probe->name, kind);
    (void)fflush(stdout);
    return 0;
}

static int try_all(void)
{
    static const struct probe *const lists[] = { file_probes, call_probes };
    if (!getcwd(directory, sizeof(directory))) {
        perror("current directory");
        return 1;
    }
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        for (const struct probe *probe = lists[i]; probe->name; probe++)
            if (try_one(probe) < 0)
                return 1;
    return 0;
}

static int serve(const char *name, int port)
{
    struct sockaddr_un local = { .sun_family = AF_UNIX };
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t size = sizeof(address);
    int local_fd = socket(AF_UNIX, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);
    if (strlen(name) >= sizeof(local.sun_path) - 1)
        return 2;
    memcpy(local.sun_path + 1, name, strlen(name));
    if (bind(local_fd, (void *)&local,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name))) < 0 ||
        listen(local_fd, 64) < 0 || bind(fd, (void *)&address, sizeof(address)) < 0 ||
        listen(fd, 64) < 0 || getsockname(fd, (void *)&address, &size) < 0) {
        perror("serve");
        return 1;
    }
    printf("%d %d\n", (int)getpid(), ntohs(address.sin_port));
    (void)fflush(stdout);
    (void)alarm(600); /* whoever started us may have died */
    for (;;)
        (void)pause();
}

/* As a user typed it, for whoever reads the terminal next. */
static int push(const char *text)
{
    char paste = 3; /* TIOCL_PASTESEL */
    bool pushed = true;
    for (; *text && pushed; text++)
        pushed = ioctl(STDIN_FILENO, TIOCSTI, text) == 0;
    printf("TIOCSTI %s\n", pushed ? "allowed" : "refused");
    printf("TIOCLINUX %s\n", ioctl(STDIN_FILENO, TIOCLINUX, &paste) == 0 ? "allowed" : "refused");
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "push"))
        return push(argv[2]);
    if (argc >= 4 && !strcmp(argv[1], "serve"))
        return serve(argv[2], (int)number(argv[3]));
    if (argc < 2 || strcmp(argv[1], "try") != 0)
        return 2;
    for (int i = 2; i < argc; i++)
        set(argv[i]);
    return try_all();
}
