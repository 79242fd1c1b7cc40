/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/cgroup.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/path.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/vfs.h>

#define RMDIR_TRIES 20 /* the last process may be gone a moment before its cgroup knows */

struct cgroup {
    char *path; /* in the hierarchy */
    int root_fd, fd, procs_fd;
    const char *events; /* where OOM kills are counted */
};

static const struct {
    const char *root;
    long magic;
    const char *events;
} hierarchies[] = {
    { "/sys/fs/cgroup", CGROUP2_SUPER_MAGIC, "memory.events" },
    { "/sys/fs/cgroup/memory", CGROUP_SUPER_MAGIC, "memory.oom_control" },
};

static int open_hierarchy(struct cgroup *cgroup, struct error **err)
{
    for (size_t i = 0; i < ARRAY_SIZE(hierarchies); i++) {
        struct statfs st;
        if (statfs(hierarchies[i].root, &st) < 0 || st.f_type != hierarchies[i].magic)
            continue;
        cgroup->events = hierarchies[i].events;
        cgroup->root_fd = fs_open(AT_FDCWD, hierarchies[i].root, O_RDONLY | O_DIRECTORY, 0, err);
        return cgroup->root_fd < 0 ? -1 : 0;
    }
    return error_set(err, ERR_UNSUPPORTED, "cgroups: none are mounted on /sys/fs/cgroup");
}

static struct cgroup *cgroup_alloc(void)
{
    struct cgroup *cgroup = NEW(struct cgroup);
    cgroup->root_fd = cgroup->fd = cgroup->procs_fd = -1;
    return cgroup;
}

struct cgroup *cgroup_new(const char *parent, struct error **err)
{
    static atomic_uint counter;
    AUTO(cgroup_free) struct cgroup *cgroup = cgroup_alloc();
    if (open_hierarchy(cgroup, err) < 0)
        return NULL;
    AUTO(free) char *clean = path_clean_rooted(parent);
    AUTO(free)
    char *path = xasprintf("%s%scbuild-%d-%u", clean, *clean ? "/" : "", (int)getpid(),
                           atomic_fetch_add(&counter, 1));
    if (fs_mkdirs(cgroup->root_fd, path, 0755, err) < 0)
        return error_wrap_null(err, "cgroup %s", path);
    cgroup->path = TAKE(path);
    cgroup->fd = fs_open_beneath(cgroup->root_fd, cgroup->path, O_RDONLY | O_DIRECTORY, err);
    if (cgroup->fd >= 0)
        cgroup->procs_fd = fs_open_beneath(cgroup->fd, "cgroup.procs", O_WRONLY, err);
    if (cgroup->procs_fd < 0)
        return error_wrap_null(err, "cgroup %s", cgroup->path);
    return TAKE(cgroup);
}

int cgroup_procs_fd(const struct cgroup *cgroup)
{
    return cgroup->procs_fd;
}

bool cgroup_parse_oom(const char *text)
{
    static const char key[] = "oom_kill ";
    for (const char *line = text; line && *line;) {
        if (!strncmp(line, key, sizeof(key) - 1))
            return line[sizeof(key) - 1] != '0';
        line = strchr(line, '\n');
        if (line)
            line++;
    }
    return false;
}

bool cgroup_oom_killed(const struct cgroup *cgroup)
{
    char text[1024];
    AUTO(close) int fd = openat(cgroup->fd, cgroup->events, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (size <= 0)
        return false; /* the controller isn't on: there was no limit */
    text[size] = '\0';
    return cgroup_parse_oom(text);
}

void cgroup_free(struct cgroup *cgroup)
{
    if (!cgroup)
        return;
    for (int i = 0; cgroup->path && i < RMDIR_TRIES; i++) {
        if (unlinkat(cgroup->root_fd, cgroup->path, AT_REMOVEDIR) == 0)
            break;
        (void)usleep(1000);
    }
    close_auto(&cgroup->procs_fd);
    close_auto(&cgroup->fd);
    close_auto(&cgroup->root_fd);
    free(cgroup->path);
    free(cgroup);
}
