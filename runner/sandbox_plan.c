/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/sandbox_plan.h"

#include "base/force.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/own_ids.h"
#include "base/owner_records.h"
#include "base/path.h"
#include "runner/confinement.h"
#include "runner/network.h"
#include "runner/seccomp.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define DEFAULT_HOSTNAME "buildkitsandbox"
#define DEFAULT_SHM_SIZE (UINT64_C(64) << 20)
#define MAX_HOSTNAME 64
#define MAX_RESOLV ((size_t)65536)

static const char *env_value(char *const *env, const char *name)
{
    size_t size = strlen(name);
    for (; *env; env++)
        if (!strncmp(*env, name, size) && (*env)[size] == '=')
            return *env + size + 1;
    return NULL;
}

static size_t count(const char *const *items)
{
    size_t n = 0;
    while (items && items[n])
        n++;
    return n;
}

static char **copy_items(const char *const *items, size_t extra)
{
    size_t n = count(items);
    char **copy = xcalloc(n + extra + 1, sizeof(*copy));
    for (size_t i = 0; i < n; i++)
        copy[i] = xstrdup(items[i]);
    return copy;
}

static void free_items(char **items)
{
    for (size_t i = 0; items && items[i]; i++)
        free(items[i]);
    free(items);
}

static void add_missing(char **env, const char *name, const char *value)
{
    if (!env_value(env, name))
        env[count((const char *const *)env)] = xasprintf("%s=%s", name, value);
}

static void plan_env(struct child_plan *plan, const struct sandbox_spec *spec)
{
    plan->argv = copy_items(spec->argv, 0);
    plan->env = copy_items(spec->env, 2);
    add_missing(plan->env, "PATH", DEFAULT_PATH);
    add_missing(plan->env, "HOME", plan->user.home);
    plan->path = env_value(plan->env, "PATH");
}

static int plan_user(struct child_plan *plan, const struct sandbox_spec *spec, struct error **err)
{
    const struct user_files files = { spec->passwd, spec->passwd_size, spec->group,
                                      spec->group_size };
    if (user_resolve(spec->user ? spec->user : "", &files, &plan->user, err) < 0)
        return -1;
    plan->single_id = own_ids_are_single();
    if (!plan->single_id || (plan->user.uid == 0 && plan->user.gid == 0))
        return 0;
    if (spec->records &&
        spec->isolation != ISOLATION_CHROOT) { /* who notes owners can note these, too */
        owner_records_set_default(spec->records, plan->user.uid, plan->user.gid);
        plan->uid_map = xasprintf("%u 0 1", plan->user.uid);
        plan->gid_map = xasprintf("%u 0 1", plan->user.gid);
        return 0;
    }
    return error_set(err, ERR_UNSUPPORTED,
                     "user %s (%u:%u): there is a single user and group id here, root's",
                     spec->user, plan->user.uid, plan->user.gid);
}

static int read_resolv(struct strbuf *buf, struct error **err)
{
    AUTO(error_free) struct error *missing = NULL; /* a host without one: the defaults will do */
    if (fs_read_file(AT_FDCWD, "/etc/resolv.conf", buf, MAX_RESOLV, &missing) == 0)
        return 0;
    strbuf_reset(buf);
    return error_is(missing, ERR_CANCELLED) ? error_set(err, ERR_CANCELLED, "interrupted") : 0;
}

static int plan_network(struct child_plan *plan, const struct sandbox_spec *spec,
                        struct error **err)
{
    AUTO(strbuf_release) struct strbuf host = STRBUF_INIT;
    const struct network *network = NULL;
    switch (spec->network_mode) {
    case NETWORK_PRIVATE:
        if (!spec->network)
            return error_set(err, ERR_USAGE, "sandbox: a private network that isn't given");
        network = spec->network;
        plan->network_fd = network_namespace_fd(network);
        break;
    case NETWORK_NONE:
        if (force_has("no-network-namespace"))
            return error_set(err, ERR_UNSUPPORTED, "network none: no network namespace to be had");
        plan->own_network = true;
        break;
    case NETWORK_HOST:
        break;
    }
    if (read_resolv(&host, err) < 0)
        return -1;
    network_format_hosts(plan->hostname, spec->extra_hosts, spec->n_extra_hosts, &plan->hosts);
    network_format_resolv(network, host.data, spec->dns, spec->n_dns, &plan->resolv);
    return 0;
}

static int check_target(const char *target, struct error **err)
{
    AUTO(free) char *clean = path_clean_rooted(target);
    if (target[0] != '/')
        return error_set(err, ERR_USAGE, "mount target %s: not an absolute path", target);
    if (!*clean || !strcmp(clean, "dev") || path_is_within(clean, "proc") ||
        path_is_within(clean, "sys"))
        return error_set(err, ERR_USAGE, "mount target %s: /, /dev, /proc and /sys are taken",
                         target);
    return 0;
}

static int plan_mount(struct child_plan *plan, size_t i, struct error **err)
{
    const struct mount_spec *spec = &plan->spec->mounts[i];
    struct child_mount *mount = &plan->mounts[i];
    mount->spec = spec;
    mount->fd = mount->tree_fd = -1;
    if (check_target(spec->target, err) < 0)
        return -1;
    if (spec->devices && strncmp(spec->target, "/dev/", 5) != 0)
        return error_set(err, ERR_USAGE, "mount %s: devices below /dev only", spec->target);
    const uid_t uid = plan->single_id ? 0 : spec->uid;
    const gid_t gid = plan->single_id ? 0 : spec->gid;
    switch (spec->kind) {
    case MOUNT_TREE:
        return overlay_plan_init(&mount->overlay, spec->tree, (unsigned)i + 1, plan->spec->insecure,
                                 err);
    case MOUNT_TMPFS:
        mount->options = spec->size
                             ? xasprintf("mode=%o,uid=%u,gid=%u,size=%llu", spec->mode & 07777, uid,
                                         gid, (unsigned long long)spec->size)
                             : xasprintf("mode=%o,uid=%u,gid=%u", spec->mode & 07777, uid, gid);
        return 0;
    case MOUNT_BIND:
    case MOUNT_FILE:
        return 0;
    }
    return 0;
}

static int check(const struct sandbox_spec *spec, struct error **err)
{
    if (!spec->argv || !spec->argv[0])
        return error_set(err, ERR_USAGE, "sandbox: no command");
    if (!spec->argv[0][0])
        return error_set(err, ERR_USAGE, "sandbox: an empty command name");
    if ((!spec->root.upper && !spec->root.directory) || !spec->scratch)
        return error_set(err, ERR_USAGE, "sandbox: no directory for changes");
    if (spec->isolation == ISOLATION_CHROOT &&
        (!spec->root.directory || spec->network_mode != NETWORK_HOST || spec->insecure))
        return error_set(err, ERR_USAGE,
                         "sandbox: without namespaces in a whole tree, on the host's network only");
    if (spec->cwd && spec->cwd[0] != '/')
        return error_set(err, ERR_USAGE, "working directory %s: not an absolute path", spec->cwd);
    if (spec->hostname && strlen(spec->hostname) > MAX_HOSTNAME)
        return error_set(err, ERR_USAGE, "host name %s: more than %d bytes", spec->hostname,
                         MAX_HOSTNAME);
    return 0;
}

/* Of core dumps, whether it is the kernel's default, as a sandbox gets it; secret.c changes ours.
 */
static bool dump_filter_is_default(void)
{
    char text[16] = "";
    AUTO(close) int fd = open("/proc/self/coredump_filter", O_RDONLY | O_CLOEXEC);
    return fd < 0 || (read(fd, text, sizeof(text) - 1) > 0 && strtoul(text, NULL, 16) == 0x33);
}

/* keeper.h: nothing that the child does may stay with our memory, nor wait for our threads. */
static bool may_share_memory(const struct child_plan *plan, const struct sandbox_spec *spec)
{
    return !spec->terminal && !spec->records && !plan->uid_map && plan->user.uid == 0 &&
           plan->user.gid == 0 && geteuid() == 0 && getegid() == 0 &&
           spec->isolation == ISOLATION_NAMESPACES && dump_filter_is_default();
}

int plan_init(struct child_plan *plan, const struct sandbox_spec *spec, struct error **err)
{
    *plan = (struct child_plan){ .spec = spec,
                                 .network_fd = -1,
                                 .scratch_fd = -1,
                                 .report_fd = -1,
                                 .stdio_fds = { -1, -1 },
                                 .pty.socket_fd = -1,

                                 .watch_fd = -1 };
    strbuf_init(&plan->hosts);
    strbuf_init(&plan->resolv);
    plan->hostname = spec->hostname ? spec->hostname : DEFAULT_HOSTNAME;
    const enum confinement found = spec->insecure ? CONFINEMENT_NONE : confinement_find("/sys");
    plan->confined = found == CONFINEMENT_LOADED || found == CONFINEMENT_UNKNOWN;
    if (spec->isolation == ISOLATION_CHROOT && uname(&plan->host) == 0)
        plan->hostname = plan->host.nodename; /* as it can't be another */
    plan->no_clone3 = force_has("no-clone3");
    plan->no_cgroup_namespace = force_has("no-cgroup-namespace");
    plan->no_open_tree = force_has("no-open-tree");
    if (check(spec, err) < 0 || plan_user(plan, spec, err) < 0)
        return -1;
    plan_env(plan, spec);
    plan->shares_memory = may_share_memory(plan, spec);
    plan->pty.uid = plan->user.uid;
    plan->pty.gid = plan->user.gid;
    if (plan_network(plan, spec, err) < 0 ||
        overlay_plan_init(&plan->root, &spec->root, 0, spec->insecure, err) < 0)
        return -1;
    if (spec->root.directory) {
        plan->root_bind = (struct mount_spec){ .kind = MOUNT_BIND,
                                               .target = "/",
                                               .source = spec->root.directory };
        plan->root_mount =
            (struct child_mount){ .spec = &plan->root_bind, .fd = -1, .tree_fd = -1 };
    }
    plan->mounts = xcalloc(spec->n_mounts ? spec->n_mounts : 1, sizeof(*plan->mounts));
    for (size_t i = 0; i < spec->n_mounts; i++)
        if (plan_mount(plan, i, err) < 0)
            return -1;
    uint64_t shm_size = spec->limits ? spec->limits->shm_size : 0;
    plan->shm_options = xasprintf("mode=1777,size=%llu",
                                  (unsigned long long)(shm_size ? shm_size : DEFAULT_SHM_SIZE));
    if (!spec->insecure || spec->records) {
        plan->filter = seccomp_filter(!spec->records   ? SECCOMP_DEFAULT
                                      : spec->insecure ? SECCOMP_INSECURE_RECORDING
                                                       : SECCOMP_RECORDING,
                                      err);
        if (!plan->filter)
            return -1;
    }
    return 0;
}

void plan_release(struct child_plan *plan)
{
    for (size_t i = 0; plan->mounts && i < plan->spec->n_mounts; i++) {
        overlay_plan_release(&plan->mounts[i].overlay);
        free(plan->mounts[i].options);
    }
    free(plan->mounts);
    overlay_plan_release(&plan->root);
    free_items(plan->argv);
    free_items(plan->env);
    user_release(&plan->user);
    free(plan->uid_map);
    free(plan->gid_map);
    strbuf_release(&plan->hosts);
    strbuf_release(&plan->resolv);
    free(plan->shm_options);
}
