/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/userns.h"

#include "base/force.h"
#include "base/fs.h"
#include "base/idmap.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/own_ids.h"
#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_FILE ((size_t)16 << 20) /* of /etc/subuid, /etc/passwd */
#define MAX_ENTRY ((size_t)65536)   /* a user's entry in a directory service */
#define MAP_TIMEOUT_MS 10000

/* -- ranges -- */

struct id_kind {
    const char *what, *file, *program, *option;
};

static const struct id_kind kinds[] = {
    { "user", "/etc/subuid", "newuidmap", "--add-subuids" },
    { "group", "/etc/subgid", "newgidmap", "--add-subgids" },
};
enum { UID, GID, N_KINDS };

struct entry_plan {
    char *name; /* of the user; NULL: has none */
    uint32_t ids[N_KINDS];
    uint32_t free_start[N_KINDS]; /* to suggest */
    struct idmap maps[N_KINDS];
};

static void entry_plan_release(struct entry_plan *plan)
{
    free(plan->name);
    for (int i = 0; i < N_KINDS; i++)
        idmap_release(&plan->maps[i]);
}
DEFINE_AUTO_STRUCT(struct entry_plan, entry_plan_release)

/* A file that isn't there is an empty one. */
static int read_file(const char *path, struct strbuf *text, struct error **err)
{
    AUTO(error_free) struct error *failed = NULL;
    if (fs_read_file(AT_FDCWD, path, text, MAX_FILE, &failed) == 0)
        return 0;
    strbuf_reset(text);
    if (error_is(failed, ERR_NOT_FOUND))
        return 0;
    error_move(err, TAKE(failed));
    return -1;
}

/* Directory services are asked only for whom /etc/passwd doesn't know. */
static int find_name(struct entry_plan *plan, struct error **err)
{
    AUTO(strbuf_release) struct strbuf passwd = STRBUF_INIT;
    if (read_file("/etc/passwd", &passwd, err) < 0)
        return -1;
    plan->name = idmap_find_name(passwd.data, plan->ids[UID]);
    if (plan->name)
        return 0;
    AUTO(free) char *buf = xmalloc(MAX_ENTRY);
    struct passwd entry, *found = NULL;
    if (getpwuid_r(plan->ids[UID], &entry, buf, MAX_ENTRY, &found) == 0 && found)
        plan->name = xstrdup(found->pw_name);
    return 0;
}

static int make_plan(struct entry_plan *plan, struct error **err)
{
    plan->ids[UID] = geteuid();
    plan->ids[GID] = getegid();
    if (find_name(plan, err) < 0)
        return -1;
    for (int i = 0; i < N_KINDS; i++) {
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        if (read_file(kinds[i].file, &text, err) < 0)
            return -1;
        idmap_add(&plan->maps[i], plan->ids[i], 1);
        plan->free_start[i] = idmap_free_start(text.data);
        /* both files name the user, never a group */
        (void)idmap_add_subids(&plan->maps[i], text.data, plan->name, plan->ids[UID]);
    }
    return 0;
}

static bool is_installed(const char *program)
{
    const char *dirs = getenv("PATH");
    if (!dirs || force_has("no-newuidmap"))
        return false;
    while (*dirs) {
        size_t size = strcspn(dirs, ":");
        AUTO(free) char *path = xasprintf("%.*s/%s", (int)size, dirs, program);
        if (access(path, X_OK) == 0)
            return true;
        dirs += size;
        dirs += *dirs == ':';
    }
    return false;
}

/* "--add-subuids 100000-165535" for each file that lacks the user. */
static void suggest_ranges(const struct entry_plan *plan, const bool *missing, struct strbuf *text)
{
    for (int i = 0; i < N_KINDS; i++)
        if (missing[i])
            strbuf_addf(text, "%s %u-%u ", kinds[i].option, plan->free_start[i],
                        plan->free_start[i] + 65535);
}

/* One message for all that an administrator has to do. */
static int check_plan(const struct entry_plan *plan, struct error **err)
{
    bool missing[N_KINDS], program = !is_installed("newuidmap") || !is_installed("newgidmap");
    for (int i = 0; i < N_KINDS; i++)
        missing[i] = plan->maps[i].n_ranges < 2 || force_has("no-subids");
    if (!program && !missing[UID] && !missing[GID])
        return 0;
    AUTO(free) char *number = xasprintf("%u", plan->ids[UID]);
    const char *name = plan->name ? plan->name : number;
    AUTO(strbuf_release) struct strbuf why = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf fix = STRBUF_INIT;
    if (program) {
        strbuf_adds(&why, "newuidmap and newgidmap (package uidmap) aren't installed");
        strbuf_adds(&fix, "sudo apt-get install uidmap");
    }
    if (missing[UID] || missing[GID]) {
        const char *file = missing[UID] && missing[GID] ? "/etc/subuid and /etc/subgid have"
                           : missing[UID]               ? "/etc/subuid has"
                                                        : "/etc/subgid has";
        strbuf_addf(&why, "%s%s no range of ids for %s", program ? "; " : "", file, name);
        strbuf_adds(&fix, program ? " && sudo usermod " : "sudo usermod ");
        suggest_ranges(plan, missing, &fix);
        strbuf_adds(&fix, name);
    }
    error_set_(err, ERR_UNSUPPORTED, "RUN has a single user and group id without root: %s",
               why.data);
    error_hint(err, "%s", fix.data);
    return -1;
}

/* -- the namespace -- */

struct holder {
    pid_t pid;
    int status_fd; /* tells 0 or the errno of unshare */
    int stop_fd;   /* closed: it ends */
};

static void holder_release(struct holder *holder)
{
    close_auto(&holder->status_fd);
    close_auto(&holder->stop_fd);
    if (holder->pid <= 0)
        return;
    (void)kill(holder->pid, SIGKILL); /* ours, and not waited for yet */
    while (waitpid(holder->pid, NULL, 0) < 0 && errno == EINTR) {
    }
}
DEFINE_AUTO_STRUCT(struct holder, holder_release)

/* The child: lives as long as the pipe is open. */
_Noreturn static void hold(pid_t parent, int status_fd, int stop_fd)
{
    char byte;
    int failure = 0;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        _exit(1);
    if (unshare(CLONE_NEWUSER) < 0)
        failure = errno;
    if (write(status_fd, &failure, sizeof(failure)) == (ssize_t)sizeof(failure) && !failure)
        while (read(stop_fd, &byte, 1) < 0 && errno == EINTR) {
        }
    _exit(0);
}

static int start_holder(struct holder *holder, struct error **err)
{
    int status[2], stop[2];
    if (pipe2(status, O_CLOEXEC) < 0)
        return error_errno(err, "making a pipe");
    holder->status_fd = status[0];
    AUTO(close) int status_fd = status[1];
    if (pipe2(stop, O_CLOEXEC) < 0)
        return error_errno(err, "making a pipe");
    holder->stop_fd = stop[1];
    AUTO(close) int stop_fd = stop[0];
    sigset_t all, before;
    pid_t parent = getpid();
    (void)sigfillset(&all);
    /* no handler of ours may run in the copy, where it would act on what we share */
    (void)sigprocmask(SIG_BLOCK, &all, &before); /* valid arguments */
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(holder->stop_fd); /* else it would wait for itself */
        hold(parent, status_fd, stop_fd);
    }
    int failure = errno;
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    if (pid < 0) {
        errno = failure;
        return error_errno(err, "starting a process");
    }
    holder->pid = pid;
    return 0;
}

static bool is_set(const char *path)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(error_free) struct error *ignored = NULL; /* this kernel hasn't got it */
    return fs_read_file(AT_FDCWD, path, &text, 4096, &ignored) == 0 && text.size &&
           text.data[0] != '0';
}

/* unshare was refused, or gave rights that are none. */
static int describe_refusal(int failure, struct error **err)
{
    errno = failure;
    (void)error_errno(err, "entering a user namespace");
    error_recode(err, ERR_UNSUPPORTED);
    if (is_set("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"))
        error_hint(err, "AppArmor restricts user namespaces here: sudo sysctl "
                        "kernel.apparmor_restrict_unprivileged_userns=0");
    else if (failure == ENOSPC || failure == EUSERS)
        error_hint(err, "there are too many, or none are allowed: see sysctl "
                        "user.max_user_namespaces");
    else
        error_hint(err, "this kernel or container forbids it (sysctl "
                        "kernel.unprivileged_userns_clone, a seccomp filter): allow it, or run "
                        "cbuild as root");
    return -1;
}

static int await_holder(const struct holder *holder, struct error **err)
{
    int failure = 0;
    ssize_t size = io_read_full(holder->status_fd, &failure, sizeof(failure), "status", err);
    if (size < 0)
        return -1;
    if (size != (ssize_t)sizeof(failure))
        return error_set(err, ERR_UNSUPPORTED, "entering a user namespace: its process ended");
    return failure ? describe_refusal(failure, err) : 0;
}

static int write_map(const struct id_kind *kind, const struct idmap *map, pid_t pid,
                     struct error **err)
{
    AUTO(strvec_release) struct strvec argv = STRVEC_INIT;
    AUTO(spawn_result_release) struct spawn_result result;
    spawn_result_init(&result);
    strvec_push(&argv, kind->program);
    strvec_pushf(&argv, "%ld", (long)pid);
    idmap_format_args(map, &argv);
    struct spawn_spec spec = SPAWN_SPEC_INIT;
    spec.argv = (const char *const *)argv.items;
    spec.timeout_ms = MAP_TIMEOUT_MS;
    if (spawn_run(&spec, &result, err) < 0)
        return -1;
    if (!result.status)
        return 0;
    size_t size = strcspn(result.error_out.data, "\n");
    error_set_(err, ERR_UNSUPPORTED, "mapping subordinate %s ids: %.*s", kind->what,
               size ? (int)size : 0, result.error_out.data);
    error_hint(err,
               "%s must be set-uid root or have file capabilities (sudo apt-get install "
               "--reinstall uidmap), and %s must allow what is mapped; where no new privileges "
               "can be had (a container), run cbuild outside of it",
               kind->program, kind->file);
    return -1;
}

static int join(pid_t pid, struct error **err)
{
    AUTO(free) char *path = xasprintf("/proc/%ld/ns/user", (long)pid);
    AUTO(close) int fd = fs_open(AT_FDCWD, path, O_RDONLY, 0, err);
    if (fd < 0)
        return -1;
    return setns(fd, CLONE_NEWUSER) < 0 ? describe_refusal(errno, err) : 0;
}

bool userns_can_enter(void)
{
    /* root, too, can be made to see what a user without ids sees */
    return geteuid() != 0 || (force_has("no-subids") && !own_ids_are_single());
}

int userns_check_ids(struct error **err)
{
    AUTO(entry_plan_release) struct entry_plan plan = { 0 };
    return make_plan(&plan, err) < 0 ? -1 : check_plan(&plan, err);
}

int userns_check_kernel(struct error **err)
{
    AUTO(holder_release) struct holder holder = { .status_fd = -1, .stop_fd = -1 };
    return start_holder(&holder, err) < 0 ? -1 : await_holder(&holder, err);
}

static int enter_with_ranges(const struct entry_plan *plan, struct error **err)
{
    AUTO(holder_release) struct holder holder = { .status_fd = -1, .stop_fd = -1 };
    if (start_holder(&holder, err) < 0 || await_holder(&holder, err) < 0)
        return -1;
    for (int i = 0; i < N_KINDS; i++)
        if (write_map(&kinds[i], &plan->maps[i], holder.pid, err) < 0)
            return -1;
    return join(holder.pid, err);
}

static int write_own(pid_t pid, const char *name, const char *text, struct error **err)
{
    AUTO(free) char *path = xasprintf("/proc/%ld/%s", (long)pid, name);
    AUTO(close) int fd = fs_open(AT_FDCWD, path, O_WRONLY, 0, err);
    if (fd < 0)
        return -1;
    return io_write_full(fd, text, strlen(text), path, err);
}

/* Our own id as 0: that the kernel grants to everybody, if groups can't be left afterwards. */
static int enter_single(const struct entry_plan *plan, struct error **err)
{
    AUTO(holder_release) struct holder holder = { .status_fd = -1, .stop_fd = -1 };
    AUTO(free) char *uid_map = xasprintf("0 %u 1", plan->ids[UID]);
    AUTO(free) char *gid_map = xasprintf("0 %u 1", plan->ids[GID]);
    if (start_holder(&holder, err) < 0 || await_holder(&holder, err) < 0)
        return -1;
    if (write_own(holder.pid, "setgroups", "deny", err) < 0 ||
        write_own(holder.pid, "gid_map", gid_map, err) < 0 ||
        write_own(holder.pid, "uid_map", uid_map, err) < 0)
        return error_wrap(err, "mapping an id");
    return join(holder.pid, err);
}

/*
 * The map of here, each id as itself. In two ranges where it is one: so it is told from the map of
 * a machine, whose forms of directories hold device nodes (layers/private_form.c).
 */
static int read_same(const char *path, struct strbuf *ret, struct error **err)
{
    AUTO(strbuf_release) struct strbuf map = STRBUF_INIT;
    unsigned inside, outside, count;
    int size;
    if (fs_read_file(AT_FDCWD, path, &map, MAX_ENTRY, err) < 0)
        return -1;
    for (const char *p = map.data; sscanf(p, "%u %u %u%n", &inside, &outside, &count, &size) == 3;
         p += size) {
        unsigned first = ret->size || count < 2 ? count : count / 2;
        strbuf_addf(ret, "%u %u %u\n", inside, inside, first);
        if (first < count)
            strbuf_addf(ret, "%u %u %u\n", inside + first, inside + first, count - first);
    }
    return 0;
}

int userns_enter_as_root(struct error **err)
{
    AUTO(holder_release) struct holder holder = { .status_fd = -1, .stop_fd = -1 };
    AUTO(strbuf_release) struct strbuf uid_map = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf gid_map = STRBUF_INIT;
    if (read_same("/proc/self/uid_map", &uid_map, err) < 0 ||
        read_same("/proc/self/gid_map", &gid_map, err) < 0 || start_holder(&holder, err) < 0 ||
        await_holder(&holder, err) < 0)
        return -1;
    if (write_own(holder.pid, "gid_map", gid_map.data, err) < 0 ||
        write_own(holder.pid, "uid_map", uid_map.data, err) < 0)
        return error_wrap(err, "mapping ids");
    return join(holder.pid, err);
}

int userns_enter(struct error **lacking, struct error **err)
{
    AUTO(entry_plan_release) struct entry_plan plan = { 0 };
    AUTO(error_free) struct error *why = NULL;
    if (make_plan(&plan, err) < 0)
        return -1;
    if (check_plan(&plan, &why) == 0 && enter_with_ranges(&plan, &why) == 0)
        return 0;
    if (error_is(why, ERR_CANCELLED)) {
        error_move(err, TAKE(why));
        return -1;
    }
    if (enter_single(&plan, err) < 0)
        return -1;
    if (lacking)
        *lacking = TAKE(why);
    return 0;
}

/* -- what there is -- */

struct needed_cap {
    unsigned cap;
    const char *name, *use;
};

static int effective_caps(uint64_t *ret, struct error **err)
{
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct data[2] = { 0 };
    if (syscall(SYS_capget, &header, data) < 0)
        return error_errno(err, "reading capabilities");
    *ret = data[0].effective | (uint64_t)data[1].effective << 32;
    return 0;
}

/* The first that is missing; NULL: none is. */
static const struct needed_cap *find_missing(const struct needed_cap *list, size_t n,
                                             uint64_t effective)
{
    for (size_t i = 0; i < n; i++)
        if (!(effective >> list[i].cap & 1))
            return &list[i];
    return NULL;
}

static const struct needed_cap for_namespaces[] = {
    { CAP_SYS_ADMIN, "CAP_SYS_ADMIN", "namespaces and mounts" },
    { CAP_SETUID, "CAP_SETUID", "USER" },
    { CAP_SETGID, "CAP_SETGID", "USER" },
    { CAP_SETPCAP, "CAP_SETPCAP", "dropping capabilities" },
};

static const struct needed_cap for_chroot[] = {
    { CAP_SYS_CHROOT, "CAP_SYS_CHROOT", "chroot" },
    { CAP_CHOWN, "CAP_CHOWN", "owners of files" },
    { CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE", "files of other owners" },
    { CAP_FOWNER, "CAP_FOWNER", "files of other owners" },
    { CAP_SETUID, "CAP_SETUID", "USER" },
    { CAP_SETGID, "CAP_SETGID", "USER" },
    { CAP_SETPCAP, "CAP_SETPCAP", "dropping capabilities" },
};

int userns_check_chroot(struct error **err)
{
    uint64_t effective;
    if (effective_caps(&effective, err) < 0)
        return -1;
    const struct needed_cap *missing = find_missing(for_chroot, ARRAY_SIZE(for_chroot), effective);
    if (!missing)
        return 0;
    error_set_(err, ERR_UNSUPPORTED, "RUN needs %s for %s, also with --isolation=chroot",
               missing->name, missing->use);
    error_hint(err, "run cbuild as the root of a container with the default capabilities");
    return -1;
}

int userns_check_privilege(struct error **err)
{
    uint64_t effective;
    if (effective_caps(&effective, err) < 0)
        return -1;
    const struct needed_cap *missing =
        find_missing(for_namespaces, ARRAY_SIZE(for_namespaces), effective);
    if (!missing)
        return 0;
    if (geteuid() != 0) {
        error_set_(err, ERR_UNSUPPORTED, "RUN without root needs a user namespace");
        error_hint(err, "run cbuild as root, for example with sudo");
        return -1;
    }
    error_set_(err, ERR_UNSUPPORTED, "RUN needs %s for %s: this container has taken it away",
               missing->name, missing->use);
    bool can_chroot = !find_missing(for_chroot, ARRAY_SIZE(for_chroot), effective);
    error_hint(err, "run the container with --privileged, or cbuild outside of it%s",
               can_chroot ? "; or build with --isolation=chroot, which isolates less" : "");
    return -1;
}
