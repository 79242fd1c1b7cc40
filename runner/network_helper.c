/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/network_helper.h"

#include "base/cancel.h"
#include "base/force.h"
#include "base/mem.h"
#include "runner/keeper.h"
#include "runner/network_namespace.h"
#include "runner/nft.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_TIMEOUT_MS 10000
#define MAX_ARGS 32

/* Where a helper finds its descriptors; they are above all that we have open. */
enum { NAMESPACE_FD = 3, READY_FD = 4 };

struct launch {
    const char *path;
    char *const *argv;
    int namespace_fd, ready_fd;
};

/* -- the program -- */

/* Full path of a program in our PATH; NULL: there is none. */
static char *find_program(const char *name)
{
    const char *dirs = getenv("PATH");
    if (!dirs || !*dirs)
        dirs = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    while (*dirs) {
        size_t size = strcspn(dirs, ":");
        AUTO(free) char *path = xasprintf("%.*s/%s", (int)size, dirs, name);
        if (path[0] == '/' && access(path, X_OK) == 0)
            return TAKE(path);
        dirs += size;
        dirs += *dirs == ':';
    }
    return NULL;
}

/* Between clone and exec. */
static void execute(void *data)
{
    const struct launch *launch = data;
    static char *const env[] = { NULL };
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    /* out of the way of 3 and 4 first */
    int namespace_fd = fcntl(launch->namespace_fd, F_DUPFD_CLOEXEC, READY_FD + 1);
    int ready_fd = fcntl(launch->ready_fd, F_DUPFD_CLOEXEC, READY_FD + 1);
    if (null_fd < 0 || namespace_fd < 0 || ready_fd < 0)
        _exit(126);
    for (int fd = 0; fd < 3; fd++)
        if (dup2(null_fd, fd) < 0)
            _exit(126);
    if (dup2(namespace_fd, NAMESPACE_FD) < 0 || dup2(ready_fd, READY_FD) < 0)
        _exit(126);
    keeper_reset_signals();
    (void)execve(launch->path, launch->argv, env);
    _exit(127);
}

static int describe_end(const char *name, int control_fd, struct error **err)
{
    struct keeper_status status = { 0 };
    if (recv(control_fd, &status, sizeof(status), MSG_DONTWAIT) != (ssize_t)sizeof(status))
        return error_set(err, ERR_UNSUPPORTED, "%s: closed its pipe before the network was ready",
                         name);
    return error_set(err, ERR_UNSUPPORTED, "%s: %s %d before the network was ready", name,
                     status.code == CLD_EXITED ? "exit status" : "killed by signal", status.status);
}

/* Both helpers write something when they are done. */
static int wait_ready(const char *name, int ready_fd, int control_fd, struct error **err)
{
    struct pollfd fds[] = { { ready_fd, POLLIN, 0 }, { control_fd, POLLIN, 0 } };
    char byte;
    int n = cancel_poll(fds, 2, READY_TIMEOUT_MS, err);
    if (n < 0)
        return -1;
    if (n == 0)
        return error_set(err, ERR_UNSUPPORTED, "%s: not ready after %d seconds", name,
                         READY_TIMEOUT_MS / 1000);
    if (fds[0].revents && read(ready_fd, &byte, 1) == 1)
        return 0;
    return describe_end(name, control_fd, err);
}

static int launch_helper(struct network_helper *helper, const struct launch *launch,
                         struct error **err)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return error_errno(err, "socket pair");
    helper->control_fd = fds[0];
    AUTO(close) int keeper_fd = fds[1];
    struct launch copy = *launch;
    const struct keeper_spec spec = { .control_fd = keeper_fd,
                                      .report_fd = -1,
                                      .no_clone3 = force_has("no-clone3"),
                                      .child = execute,
                                      .data = &copy };
    helper->keeper = keeper_start(&spec, err);
    return helper->keeper ? 0 : -1;
}

/* args: what follows the program's name, NULL-terminated. */
static int start(struct network_helper *helper, const char *name, const char *const *args,
                 struct error **err)
{
    char *argv[MAX_ARGS];
    size_t n = 0;
    if (force_has("no-network-helper"))
        return error_set(err, ERR_NOT_FOUND, "%s: ruled out", name);
    AUTO(free) char *path = find_program(name);
    if (!path)
        return error_set(err, ERR_NOT_FOUND, "%s: not installed", name);
    argv[n++] = path;
    for (; *args && n + 1 < MAX_ARGS; args++)
        argv[n++] = xstrdup(*args);
    argv[n] = NULL;
    int ready[2] = { -1, -1 }, result = -1;
    helper->namespace_fd = network_namespace_new(err);
    if (helper->namespace_fd >= 0 && pipe2(ready, O_CLOEXEC) < 0) {
        (void)error_errno(err, "pipe");
    } else if (helper->namespace_fd >= 0) {
        const struct launch launch = { path, argv, helper->namespace_fd, ready[1] };
        result = launch_helper(helper, &launch, err);
        close_auto(&ready[1]);
        if (result == 0)
            result = wait_ready(name, ready[0], helper->control_fd, err);
        close_auto(&ready[0]);
    }
    for (size_t i = 1; i < n; i++)
        free(argv[i]);
    return result;
}

/*
 * As root pasta would become nobody, who may not enter our namespace; ports of the build aren't
 * anybody's business; --no-map-gw keeps the host's loopback out of reach, else addresses of our own
 * make the gateway's known and no address of the host's. With --dns-forward some versions answer
 * through that address only.
 */
static int start_pasta(struct network_helper *helper, bool reach_host, struct error **err)
{
    static const char dns[] = "169.254.1.1", gateway[] = "10.0.2.2";
    /* clang-format off */
    static const char *const common[] = {
        "--foreground", "--quiet", "--config-net", "--runas", "0:0", "--netns-only",
        "-t", "none", "-u", "none", "-T", "none", "-U", "none",
        "--dns-forward", dns, "--pid", "/proc/self/fd/4", "--netns", "/proc/self/fd/3",
    };
    static const char *const closed[] = { "--no-map-gw" };
    static const char *const open[] = { "--ipv4-only", "--address", "10.0.2.100",
                                        "--netmask", "255.255.255.0", "--gateway", gateway };
    /* clang-format on */
    const char *args[MAX_ARGS] = { NULL };
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(common); i++)
        args[n++] = common[i];
    for (size_t i = 0; i < (reach_host ? ARRAY_SIZE(open) : ARRAY_SIZE(closed)); i++)
        args[n++] = reach_host ? open[i] : closed[i];
    if (start(helper, "pasta", args, err) < 0)
        return -1;
    helper->name_server = dns;
    helper->gateway = reach_host ? gateway : NULL;
    return 0;
}

static int start_slirp4netns(struct network_helper *helper, bool reach_host, struct error **err)
{
    const char *const args[] = { "--configure",
                                 "--mtu=65520",
                                 "--ready-fd=4",
                                 "--netns-type=path",
                                 "/proc/self/fd/3",
                                 "tap0",
                                 reach_host ? NULL : "--disable-host-loopback",
                                 NULL };
    if (start(helper, "slirp4netns", args, err) < 0)
        return -1;
    helper->name_server = "10.0.2.3";
    helper->gateway = reach_host ? "10.0.2.2" : NULL;
    return 0;
}

const struct network_kind network_pasta = { "pasta", start_pasta };
const struct network_kind network_slirp4netns = { "slirp4netns", start_slirp4netns };

void network_helper_release(struct network_helper *helper)
{
    nft_close(&helper->nft_fd);
    if (helper->interface)
        network_veth_remove(helper->interface);
    free(helper->interface);
    free(helper->resolv);
    keeper_stop(helper->control_fd);
    if (helper->keeper)
        keeper_reap(helper->keeper);
    close_auto(&helper->control_fd);
    close_auto(&helper->namespace_fd);
    *helper = (struct network_helper)NETWORK_HELPER_INIT;
}
