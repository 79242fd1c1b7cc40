/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/cgroup.h"

#include "base/force.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "runner/cgroup_settings.h"
#include "runner/owner_name.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#define RMDIR_TRIES 20 /* the last process may be gone a moment before its cgroup knows */
#define MAX_MOUNTINFO ((size_t)16 << 20)
#define MAX_FILE ((size_t)65536)

struct group {
    int version;
    char *root; /* where the hierarchy is mounted */
    char *path; /* in it; NULL: not made yet */
    int root_fd, fd;
};

/* What a group is wanted for. */
struct request {
    enum cgroup_controller controller;
    bool is_limited;    /* else it's for the sake of the parent */
    const char *parent; /* NULL: none was named */
};

struct cgroup {
    char *name; /* of the last part of paths */
    struct group groups[CGROUP_N_CONTROLLERS];
    int procs_fds[CGROUP_N_CONTROLLERS];
    size_t n_groups;
    const struct group *memory; /* that has the memory limit, or NULL */
};

/* -- files -- */

static int write_text(int dir_fd, const char *file, const char *text, struct error **err)
{
    AUTO(close) int fd = openat(dir_fd, file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        return error_errno(err, "writing \"%s\" to %s", text, file);
    return 0;
}

/* Version 1: a new cpuset has neither processors nor memory, and takes no process so. */
static int inherit_cpuset(int parent_fd, int fd, struct error **err)
{
    static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        if (fs_read_file(parent_fd, files[i], &text, MAX_FILE, err) < 0 ||
            write_text(fd, files[i], text.data, err) < 0)
            return -1;
    }
    return 0;
}

/* Version 2: the children of a cgroup get the controllers that it hands down. */
static int hand_down(int fd, enum cgroup_controller controller, struct error **err)
{
    static const char file[] = "cgroup.subtree_control";
    const char *name = cgroup_controller_name(controller);
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    if (fs_read_file(fd, file, &text, MAX_FILE, err) < 0)
        return -1;
    if (cgroup_list_has(text.data, name))
        return 0;
    strbuf_reset(&text);
    if (fs_read_file(fd, "cgroup.controllers", &text, MAX_FILE, err) < 0)
        return -1;
    if (!cgroup_list_has(text.data, name))
        return error_set(err, ERR_UNSUPPORTED, "there is no %s controller", name);
    AUTO(free) char *word = xasprintf("+%s", name);
    return write_text(fd, file, word, err);
}

/* -- groups -- */

static void remove_dir(const struct group *group)
{
    for (int i = 0; i < RMDIR_TRIES; i++) {
        if (unlinkat(group->root_fd, group->path, AT_REMOVEDIR) == 0 || errno != EBUSY)
            return;
        (void)usleep(1000);
    }
}

static void group_release(struct group *group)
{
    if (group->path)
        remove_dir(group);
    close_auto(&group->fd);
    close_auto(&group->root_fd);
    free(group->root);
    free(group->path);
}
DEFINE_AUTO_STRUCT(struct group, group_release)

/* What killed processes have left there. It has no processes, whose keeper ended them. */
static void sweep(int parent_fd)
{
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    AUTO(error_free) struct error *ignored = NULL; /* another one sweeps it */
    if (fs_list_fd(parent_fd, &names, "cgroup", &ignored) < 0)
        return;
    for (size_t i = 0; i < names.n; i++)
        if (owner_is_dead(names.items[i]))
            (void)unlinkat(parent_fd, names.items[i],
                           AT_REMOVEDIR); /* perhaps another was quicker */
}

/* The next part of the path, of which `done` bytes end there. */
static int make_dir(struct group *group, const struct request *request, const char *path,
                    size_t done, struct error **err)
{
    AUTO(free) char *upto = xstrndup(path, done);
    const char *name = path_base(upto);
    const int parent_fd = group->fd >= 0 ? group->fd : group->root_fd;
    if (group->version == 2 && request->is_limited &&
        hand_down(parent_fd, request->controller, err) < 0)
        return -1;
    if (!path[done])
        sweep(parent_fd);
    const bool is_new = mkdirat(parent_fd, name, 0755) == 0;
    if (!is_new && errno != EEXIST)
        return error_errno(err, "making cgroup %s/%s", group->root, upto);
    if (is_new && !path[done])
        group->path = xstrdup(path);
    AUTO(close) int fd = fs_open_beneath(parent_fd, name, O_RDONLY | O_DIRECTORY, err);
    if (fd < 0)
        return -1;
    if (is_new && group->version == 1 && request->controller == CGROUP_CPUSET &&
        inherit_cpuset(parent_fd, fd, err) < 0)
        return -1;
    close_auto(&group->fd);
    group->fd = take_fd(&fd);
    return 0;
}

/* A parent that is made stays: other steps and builds may be about to use it. */
static int make_dirs(struct group *group, const struct request *request, const char *path,
                     struct error **err)
{
    close_auto(&group->fd);
    group->fd = -1;
    for (size_t done = strcspn(path, "/");; done += 1 + strcspn(path + done + 1, "/")) {
        if (make_dir(group, request, path, done, err) < 0)
            return -1;
        if (!path[done])
            return 0;
    }
}

static int read_place(enum cgroup_controller controller, struct cgroup_place *place,
                      struct error **err)
{
    AUTO(strbuf_release) struct strbuf mounts = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf own = STRBUF_INIT;
    if (fs_read_file(AT_FDCWD, "/proc/self/mountinfo", &mounts, MAX_MOUNTINFO, err) < 0 ||
        fs_read_file(AT_FDCWD, "/proc/self/cgroup", &own, MAX_FILE, err) < 0)
        return -1;
    if (force_has("no-cgroup") || !cgroup_place_find(mounts.data, own.data, controller, place))
        return error_set(err, ERR_UNSUPPORTED, "no cgroups are mounted");
    return 0;
}

static char *group_path(const struct cgroup *cgroup, const struct cgroup_place *place,
                        const char *asked)
{
    AUTO(free)
    char *parent = asked                 ? path_clean_rooted(asked)
                   : place->version == 1 ? xstrdup(place->own)
                                         : path_dir(place->own);
    if (!*parent || !strcmp(parent, "."))
        return xstrdup(cgroup->name);
    return xasprintf("%s/%s", parent, cgroup->name);
}

/* Controllers may share a hierarchy: those of version 2 do, and cpu,cpuacct. */
static struct group *find_group(struct cgroup *cgroup, const char *root)
{
    for (size_t i = 0; i < cgroup->n_groups; i++)
        if (!strcmp(cgroup->groups[i].root, root))
            return &cgroup->groups[i];
    return NULL;
}

static int add_group(struct cgroup *cgroup, struct group *group, struct error **err)
{
    /*
     * A process that moves itself through "tasks", thread by thread, takes no lock of the kernel
     * that waits for a grace period, as one through "cgroup.procs" does: 5 to 30 ms. Who moves here
     * has one thread.
     */
    const char *file = group->version == 1 ? "tasks" : "cgroup.procs";
    int fd = fs_open_beneath(group->fd, file, O_WRONLY, err);
    if (fd < 0)
        return -1;
    cgroup->procs_fds[cgroup->n_groups] = fd;
    cgroup->groups[cgroup->n_groups++] = *group;
    *group = (struct group){ .root_fd = -1, .fd = -1 };
    return 0;
}

/*
 * Version 2 lets a process go from one cgroup to another only for whom may move processes in the
 * one that holds both.
 */
static int check_move(const struct group *group, const char *own, const char *path,
                      struct error **err)
{
    size_t common = 0;
    for (size_t i = 0; own[i] == path[i] || !own[i] || !path[i]; i++) {
        if ((!own[i] || own[i] == '/') && (!path[i] || path[i] == '/'))
            common = i;
        if (!own[i] || !path[i])
            break;
    }
    AUTO(free) char *shared = xstrndup(own, common);
    AUTO(free) char *file = xasprintf("%s%scgroup.procs", shared, *shared ? "/" : "");
    if (faccessat(group->root_fd, file, W_OK, AT_EACCESS) == 0 || errno == ENOENT)
        return 0;
    return error_errno(err, "leaving the own cgroup %s/%s, in %s/%s", group->root, own, group->root,
                       shared);
}

static struct group *open_group(struct cgroup *cgroup, const struct request *request,
                                const struct cgroup_place *place, struct error **err)
{
    AUTO(free) char *path = group_path(cgroup, place, request->parent);
    struct group *known = find_group(cgroup, place->root);
    if (known)
        return make_dirs(known, request, path, err) < 0 ? NULL : known;
    AUTO(group_release) struct group group = { .version = place->version, .root_fd = -1, .fd = -1 };
    group.root = xstrdup(place->root);
    group.root_fd = fs_open(AT_FDCWD, group.root, O_RDONLY | O_DIRECTORY, 0, err);
    if (group.root_fd < 0 || make_dirs(&group, request, path, err) < 0 ||
        (group.version == 2 && check_move(&group, place->own, path, err) < 0) ||
        add_group(cgroup, &group, err) < 0)
        return NULL;
    return &cgroup->groups[cgroup->n_groups - 1];
}

/* -- limits -- */

/* 0: told, going on. */
static int refuse(const struct sandbox_limits *limits, const struct cgroup_warning *warning,
                  const char *option, struct error *cause, struct error **err)
{
    AUTO(error_free) struct error *error = cause;
    if (error_is(error, ERR_CANCELLED)) {
        error_move(err, TAKE(error));
        return -1;
    }
    (void)error_wrap(&error, "%s can't be set here", option);
    error_recode(&error, ERR_UNSUPPORTED);
    const int number = error_errno_value(error);
    error_hint(&error, "%s, or build with what can be set: --limits=best-effort",
               number == EACCES || number == EPERM || number == EROFS
                   ? "start cbuild as root, or in a cgroup of its own (systemd-run --user --scope "
                     "-p Delegate=yes cbuild ...)"
                   : "name a cgroup that may have such children with --cgroup-parent");
    if (limits->best_effort) {
        warning->tell(warning->data, error);
        return 0;
    }
    error_move(err, TAKE(error));
    return -1;
}

static int apply_settings(const struct group *group, const struct cgroup_settings *settings,
                          const struct sandbox_limits *limits, const struct cgroup_warning *warning,
                          struct error **err)
{
    for (size_t i = 0; i < settings->n_items; i++) {
        const struct cgroup_setting *setting = &settings->items[i];
        struct error *cause = NULL;
        if (setting->is_derived && faccessat(group->fd, setting->file, F_OK, 0) < 0)
            continue;
        if (write_text(group->fd, setting->file, setting->text, &cause) < 0 &&
            refuse(limits, warning, setting->option, cause, err) < 0)
            return -1;
    }
    return 0;
}

static int apply(struct cgroup *cgroup, enum cgroup_controller controller,
                 const struct sandbox_limits *limits, const struct cgroup_warning *warning,
                 struct error **err)
{
    AUTO(cgroup_settings_release) struct cgroup_settings settings = { .items = NULL };
    AUTO(cgroup_place_release) struct cgroup_place place = { .root = NULL };
    struct error *cause = NULL;
    cgroup_settings_add(&limits->group, controller, 1, &settings);
    const struct request request = { controller, settings.n_items > 0, limits->cgroup_parent };
    if (!request.is_limited && !request.parent)
        return 0;
    const char *option = request.is_limited ? settings.items[0].option : "--cgroup-parent";
    const struct group *group = NULL;
    if (read_place(controller, &place, &cause) == 0)
        group = open_group(cgroup, &request, &place, &cause);
    if (!group && !place.root && !request.is_limited) {
        error_free(cause);
        return 0; /* not every controller has to be there */
    }
    if (!group)
        return refuse(limits, warning, option, cause, err);
    if (group->version == 2) {
        cgroup_settings_release(&settings);
        cgroup_settings_add(&limits->group, controller, 2, &settings);
    }
    if (controller == CGROUP_MEMORY)
        cgroup->memory = group;
    return apply_settings(group, &settings, limits, warning, err);
}

bool cgroup_is_needed(const struct sandbox_limits *limits)
{
    const struct cgroup_limits *group = &limits->group;
    return limits->cgroup_parent || group->memory || group->cpu_shares || group->cpu_quota ||
           group->cpu_period || group->cpuset_cpus || group->cpuset_mems || group->pids;
}

struct cgroup *cgroup_new(const struct sandbox_limits *limits, const struct cgroup_warning *warning,
                          struct error **err)
{
    static atomic_uint counter;
    AUTO(cgroup_free) struct cgroup *cgroup = NEW(struct cgroup);
    const struct owner self = owner_self();
    char owner[OWNER_NAME_SIZE];
    owner_format(&self, owner);
    cgroup->name = xasprintf("%s-%u", owner, atomic_fetch_add(&counter, 1));
    for (int i = 0; i < CGROUP_N_CONTROLLERS; i++)
        if (apply(cgroup, (enum cgroup_controller)i, limits, warning, err) < 0)
            return NULL;
    if (limits->cgroup_parent && !cgroup->n_groups) {
        struct error *cause = NULL;
        (void)error_set(&cause, ERR_UNSUPPORTED, "no cgroups are mounted");
        if (refuse(limits, warning, "--cgroup-parent", cause, err) < 0)
            return NULL;
    }
    return TAKE(cgroup);
}

const int *cgroup_procs_fds(const struct cgroup *cgroup, size_t *n)
{
    *n = cgroup->n_groups;
    return cgroup->procs_fds;
}

bool cgroup_oom_killed(const struct cgroup *cgroup)
{
    if (!cgroup->memory)
        return false;
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(error_free) struct error *ignored = NULL; /* there was no limit then */
    const char *file = cgroup->memory->version == 1 ? "memory.oom_control" : "memory.events";
    return fs_read_file(cgroup->memory->fd, file, &text, MAX_FILE, &ignored) == 0 &&
           cgroup_parse_oom(text.data);
}

void cgroup_free(struct cgroup *cgroup)
{
    if (!cgroup)
        return;
    for (size_t i = 0; i < cgroup->n_groups; i++) {
        close_auto(&cgroup->procs_fds[i]);
        group_release(&cgroup->groups[i]);
    }
    free(cgroup->name);
    free(cgroup);
}
