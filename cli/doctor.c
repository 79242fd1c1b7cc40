/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/doctor.h"

#include "base/array.h"
#include "base/cancel.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/own_ids.h"
#include "base/path.h"
#include "base/spawn.h"
#include "base/strbuf.h"
#include "builder/ladder.h"
#include "cli/image_info.h"
#include "layers/snapshot.h"
#include "registry/auth_config.h"
#include "registry/certs.h"
#include "registry/credentials.h"
#include "runner/cgroup.h"
#include "runner/confinement.h"
#include "runner/foreign.h"
#include "runner/network.h"
#include "runner/sandbox.h"
#include "runner/seccomp.h"
#include "runner/userns.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#define SCARCE_BYTES ((uint64_t)1 << 30)
#define MAX_VALUE 4096

struct doctor {
    struct app *app;
    bool is_root;    /* the user */
    bool is_blocked; /* what the user namespace needs is missing, and that was said */
    bool can_run;    /* root's rights, or the user namespace was entered */
    char *stand_in;  /* path of a store for the probes alone, where there is none yet; or NULL */
};

void findings_release(struct findings *findings)
{
    for (size_t i = 0; i < findings->n_items; i++) {
        free(findings->items[i].text);
        free(findings->items[i].fix);
    }
    free(findings->items);
    *findings = (struct findings){ .items = NULL };
}

/* -- what came of a probe -- */

static void works(struct finding *finding, char *text)
{
    finding->text = text;
}

static void lacks(struct finding *finding, enum verdict verdict, char *text, const char *fix)
{
    finding->verdict = verdict;
    finding->text = text;
    finding->fix = fix ? xstrdup(fix) : NULL;
}

/* Consumes the error: its message, and its hint as the way out. */
static void refused(struct finding *finding, enum verdict verdict, struct error *error)
{
    lacks(finding, verdict, xstrdup(error_message(error)), error_hint_text(error));
    error_free(error);
}

static const char *read_value(const char *path, struct strbuf *buf)
{
    AUTO(error_free) struct error *ignored = NULL; /* this kernel hasn't got it */
    strbuf_reset(buf);
    if (fs_read_file(AT_FDCWD, path, buf, MAX_VALUE, &ignored) < 0)
        return NULL;
    strbuf_rtrim(buf);
    return buf->data;
}

/* -- the system -- */

static void probe_kernel(struct doctor *doctor, struct finding *finding)
{
    struct utsname name;
    unsigned major = 0, minor = 0;
    const unsigned floor = doctor->is_root ? 10 : 11;
    (void)uname(&name); /* valid argument */
    char *text = xasprintf("%s %s", name.release, name.machine);
    if (sscanf(name.release, "%u.%u", &major, &minor) == 2 &&
        (major < 5 || (major == 5 && minor < floor)))
        lacks(finding, VERDICT_FAILS, text,
              doctor->is_root ? "a kernel from 5.10 on" : "a kernel from 5.11 on");
    else
        works(finding, text);
}

static void probe_userns(struct doctor *doctor, struct finding *finding)
{
    static const struct {
        const char *path, *name;
    } settings[] = {
        { "/proc/sys/user/max_user_namespaces", "max_user_namespaces" },
        { "/proc/sys/kernel/unprivileged_userns_clone", "unprivileged_userns_clone" },
        { "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
          "apparmor_restrict_unprivileged_userns" },
    };
    struct error *error = NULL;
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf value = STRBUF_INIT;
    if (userns_check_kernel(&error) < 0) {
        refused(finding, doctor->is_root ? VERDICT_LACKS : VERDICT_FAILS, error);
        doctor->is_blocked = !doctor->is_root;
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
        if (read_value(settings[i].path, &value))
            strbuf_addf(&text, "%s%s=%s", text.size ? ", " : "", settings[i].name, value.data);
    works(finding, text.size ? strbuf_detach(&text) : xstrdup("allowed"));
}

static void probe_ids(struct doctor *doctor, struct finding *finding)
{
    struct error *error = NULL;
    if (doctor->is_root) {
        works(finding, xstrdup("root needs none"));
    } else if (userns_check_ids(&error) < 0) {
        refused(finding, VERDICT_LACKS, error);
    } else {
        works(finding, xstrdup("newuidmap, newgidmap, and ranges for this user"));
    }
}

/* From here on with root's rights, as RUN has them. */
static void probe_privilege(struct doctor *doctor, struct finding *finding)
{
    struct error *error = NULL;
    if (doctor->is_blocked) {
        lacks(finding, VERDICT_FAILS, xstrdup("not tried: see above"), NULL);
        return;
    }
    if ((userns_can_enter() && userns_enter(NULL, &error) < 0) ||
        userns_check_privilege(&error) < 0) {
        refused(finding, VERDICT_FAILS, error);
        return;
    }
    doctor->can_run = true;
    if (own_ids_are_single())
        lacks(finding, VERDICT_LACKS,
              xstrdup("in a user namespace with a single id: RUN can't change owners and users, "
                      "those of COPY, ADD and base images are kept"),
              "subordinate ids, or --record-owners for owners");
    else
        works(finding, xstrdup(doctor->is_root ? "root" : "in a user namespace of this user"));
}

static void probe_seccomp(struct doctor *doctor UNUSED, struct finding *finding)
{
    struct error *error = NULL;
    const struct sock_fprog *filter = seccomp_filter(SECCOMP_DEFAULT, &error);
    if (!filter)
        refused(finding, VERDICT_FAILS, error);
    else if (access("/proc/sys/kernel/seccomp/actions_avail", F_OK) < 0)
        lacks(finding, VERDICT_FAILS, xstrdup("this kernel has no seccomp filters"),
              "a kernel with CONFIG_SECCOMP_FILTER");
    else
        works(finding, xasprintf("a filter of %u instructions", (unsigned)filter->len));
}

/* -- RUN -- */

/*
 * A whole RUN in an empty image: the command can't be there, and that it wasn't found means that
 * everything before that worked.
 */
/* 1: no overlay can be mounted, and *why says so; the sandbox worked on a copy. */
static int try_sandbox(struct store *store, struct error **why, struct error **err)
{
    static const char *const argv[] = { "/nothing", NULL };
    static const char *const env[] = { NULL };
    AUTO(snapshot_free) struct snapshot *snapshot = snapshot_new(store, err);
    if (!snapshot)
        return -1;
    AUTO(free) char *upper = xasprintf("/proc/self/fd/%d", snapshot_upper_fd(snapshot));
    AUTO(free) char *scratch = xasprintf("/proc/self/fd/%d", snapshot_work_fd(snapshot));
    struct sandbox_spec spec = SANDBOX_SPEC_INIT;
    bool copies = ladder_try_overlay(store, why) < 0;
    if (copies)
        spec.root.directory = upper;
    else
        spec.root.upper = upper;
    spec.scratch = scratch;
    spec.argv = argv;
    spec.env = env;
    spec.network_mode = NETWORK_NONE;
    AUTO(sandbox_result_release) struct sandbox_result result = { 0 };
    if (sandbox_run(&spec, &result, err) < 0)
        return -1;
    if (result.exec_message)
        return copies;
    return error_set(err, ERR_UNSUPPORTED, "ended by status %d before the command", result.status);
}

static void probe_sandbox(struct doctor *doctor, struct finding *finding)
{
    AUTO(error_free) struct error *why = NULL;
    AUTO(error_free) struct error *ignored = NULL;
    struct error *error = NULL;
    int tried = -1;
    if (!doctor->can_run || !doctor->app->store) {
        lacks(finding, VERDICT_FAILS, xstrdup("not tried: see above"), NULL);
    } else if ((tried = try_sandbox(doctor->app->store, &why, &error)) < 0) {
        if (!error_hint_text(error) && userns_check_chroot(&ignored) == 0)
            error_hint(&error, "this container forbids it; what works here is cbuild build "
                               "--isolation=chroot, which isolates less");
        refused(finding, VERDICT_FAILS, error);
    } else if (tried) {
        lacks(finding, VERDICT_LACKS,
              xasprintf("%s: each RUN works on a copy of the whole tree", error_message(why)),
              "a store on a file system with user attributes (ext4, xfs, btrfs), and a kernel from "
              "5.11 on");
    } else {
        works(finding, xstrdup("namespaces, overlay in the store, /proc, /dev, seccomp: a RUN step "
                               "got up to its command"));
    }
}

static void probe_confinement(struct doctor *doctor UNUSED, struct finding *finding)
{
    switch (confinement_find("/sys")) {
    case CONFINEMENT_NONE:
        works(finding, xstrdup("this kernel has neither AppArmor nor SELinux: the sandbox alone"));
        return;
    case CONFINEMENT_LOADED:
        works(finding, xstrdup("AppArmor, profile " CONFINEMENT_PROFILE));
        return;
    case CONFINEMENT_UNKNOWN:
        works(finding, xstrdup("AppArmor, profile " CONFINEMENT_PROFILE " where it is loaded"));
        return;
    case CONFINEMENT_NOT_LOADED:
        lacks(finding, VERDICT_LACKS,
              xstrdup("AppArmor has no profile " CONFINEMENT_PROFILE ": the sandbox alone"),
              "sudo apparmor_parser -r /etc/apparmor.d/" CONFINEMENT_PROFILE
              " (make install puts it there)");
        return;
    case CONFINEMENT_SELINUX:
        lacks(finding, VERDICT_LACKS, confinement_selinux("/sys", "/proc"),
              "none: cbuild gives steps no label of their own, the sandbox alone confines them");
        return;
    }
}

static const char *network_fix(void)
{
    static const char tun[] = "/dev/net/tun";
    if (access(tun, F_OK) < 0)
        return "sudo modprobe tun; in a container: --device /dev/net/tun";
    if (access(tun, R_OK | W_OK) < 0)
        return "sudo chmod a+rw /dev/net/tun";
    return "sudo apt-get install passt";
}

static void probe_network(struct doctor *doctor, struct finding *finding)
{
    AUTO(network_free) struct network *network = NULL;
    AUTO(free) char *warning = NULL;
    struct error *error = NULL;
    if (!doctor->can_run)
        lacks(finding, VERDICT_LACKS, xstrdup("not tried: see above"), NULL);
    else if (network_new(false, &network, &warning, &error) < 0)
        refused(finding, VERDICT_LACKS, error);
    else if (network_is_host(network))
        lacks(finding, VERDICT_LACKS, xstrdup(warning ? warning : "RUN uses the host's network"),
              network_fix());
    else
        works(finding, xasprintf("private, by %s", network_kind(network)));
}

static void ignore(void *data UNUSED, const struct error *error UNUSED)
{
}

/* A way out that several failures have stands there once. */
static void add_failure(const struct error *error, struct strbuf *bad, struct strbuf *fixes)
{
    const char *hint = error_hint_text(error);
    strbuf_addf(bad, "%s%s", bad->size ? "; " : "", error_message(error));
    if (hint && !strstr(fixes->data, hint))
        strbuf_addf(fixes, "%s%s", fixes->size ? "; " : "", hint);
}

static void probe_cgroups(struct doctor *doctor UNUSED, struct finding *finding)
{
    static const struct {
        const char *name;
        struct cgroup_limits limits;
    } tries[] = {
        { "memory", { .memory = (uint64_t)1 << 30 } },
        { "cpus", { .cpu_quota = 100000 } },
        { "pids", { .pids = 1000 } },
    };
    const struct cgroup_warning warning = { ignore, NULL };
    AUTO(strbuf_release) struct strbuf good = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf bad = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf fixes = STRBUF_INIT;
    for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
        const struct sandbox_limits limits = { .group = tries[i].limits };
        AUTO(error_free) struct error *error = NULL;
        AUTO(cgroup_free) struct cgroup *cgroup = cgroup_new(&limits, &warning, &error);
        if (cgroup)
            strbuf_addf(&good, "%s%s", good.size ? ", " : "limits of ", tries[i].name);
        else
            add_failure(error, &bad, &fixes);
    }
    if (!bad.size)
        works(finding, strbuf_detach(&good));
    else
        lacks(finding, VERDICT_LACKS,
              good.size ? xasprintf("%s; %s", good.data, bad.data) : strbuf_detach(&bad),
              fixes.data);
}

/* -- the rest -- */

static const char *file_system(long magic)
{
    static const struct {
        long magic;
        const char *name;
    } known[] = {
        { EXT4_SUPER_MAGIC, "ext4" },
        { XFS_SUPER_MAGIC, "xfs" },
        { BTRFS_SUPER_MAGIC, "btrfs" },
        { TMPFS_MAGIC, "tmpfs" },
        { OVERLAYFS_SUPER_MAGIC, "overlay" },
        { NFS_SUPER_MAGIC, "nfs" },
        { F2FS_SUPER_MAGIC, "f2fs" },
        { FUSE_SUPER_MAGIC, "fuse" },
        { 0x2fc12fc1, "zfs" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (known[i].magic == magic)
            return known[i].name;
    return "an unknown file system";
}

/* Nothing is there, or nothing is in it: opening it would make it a store. */
static bool is_to_be_made(const char *path)
{
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    AUTO(error_free) struct error *missing = NULL;
    return fs_list(AT_FDCWD, path, &names, &missing) < 0 ? error_is(missing, ERR_NOT_FOUND)
                                                         : !names.n;
}

/* The nearest directory above that is there; `path` itself where it is. */
static char *existing_parent(const char *path)
{
    AUTO(free) char *parent = xstrdup(path);
    while (access(parent, F_OK) < 0 && strcmp(parent, "/") != 0 && strcmp(parent, ".") != 0) {
        AUTO(free) char *below = TAKE(parent);
        parent = path_dir(below);
        if (!*parent) {
            free(parent);
            parent = xstrdup(*below == '/' ? "/" : ".");
        }
    }
    return TAKE(parent);
}

/* Where a store would be made, on the same file system, for as long as the probes take. */
static int make_stand_in(struct doctor *doctor, const char *path, struct error **err)
{
    AUTO(free) char *parent = existing_parent(path);
    AUTO(free) char *name = xasprintf("%s/.cbuild-doctor-%ld", parent, (long)getpid());
    if (mkdir(name, 0700) < 0)
        return error_errno(err, "%s would be made in %s", path, parent);
    doctor->stand_in = TAKE(name);
    doctor->app->store = store_open(doctor->stand_in, err);
    return doctor->app->store ? 0 : -1;
}

static void remove_stand_in(struct doctor *doctor)
{
    AUTO(error_free) struct error *ignored = NULL; /* an empty store in the place of one */
    if (!doctor->stand_in)
        return;
    store_close(doctor->app->store);
    doctor->app->store = NULL;
    if (fs_remove_tree(AT_FDCWD, doctor->stand_in, &ignored) == 0)
        free(TAKE(doctor->stand_in));
}

static struct store *open_store(struct doctor *doctor, char **path, struct error **err)
{
    const char *root = doctor->app->root;
    *path = root ? xstrdup(root) : store_default_path(err);
    if (!*path)
        return NULL;
    if (!is_to_be_made(*path))
        return app_store(doctor->app, err);
    return make_stand_in(doctor, *path, err) < 0 ? NULL : doctor->app->store;
}

static void probe_store(struct doctor *doctor, struct finding *finding)
{
    struct error *error = NULL;
    AUTO(free) char *path = NULL;
    struct store *store = open_store(doctor, &path, &error);
    struct statfs st = { .f_bsize = 0 };
    if (store && fstatfs(store_dir_fd(store, STORE_ROOT), &st) < 0)
        (void)error_errno(&error, "%s", store_path(store));
    if (error) {
        refused(finding, VERDICT_FAILS, error);
        return;
    }
    const uint64_t free_bytes = (uint64_t)st.f_bavail * (uint64_t)st.f_bsize;
    char size[32];
    format_size(free_bytes, size);
    char *text = xasprintf("%s on %s, %s free%s", path, file_system(st.f_type), size,
                           doctor->stand_in ? "; it isn't there yet" : "");
    if (free_bytes < SCARCE_BYTES)
        lacks(finding, VERDICT_LACKS, text, "cbuild prune -a, or --root on a larger disk");
    else
        works(finding, text);
}

static void probe_certificates(struct doctor *doctor UNUSED, struct finding *finding)
{
    struct error *error = NULL;
    const char *place = certs_system_place(&error);
    if (place) {
        works(finding, xstrdup(place));
        return;
    }
    error_hint(&error, "sudo apt-get install ca-certificates, or SSL_CERT_FILE=FILE");
    refused(finding, VERDICT_LACKS, error);
}

static void add_helper(struct strvec *helpers, const char *name)
{
    if (name && !strvec_has(helpers, name))
        strvec_push(helpers, name);
}

static int list_helpers(struct strvec *helpers, struct error **err)
{
    AUTO(free) char *path = credentials_docker_file(NULL);
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(auth_config_release) struct auth_config config = { .entries = NULL };
    AUTO(error_free) struct error *missing = NULL;
    if (!path)
        return 0;
    if (fs_read_file(AT_FDCWD, path, &text, AUTH_CONFIG_MAX_SIZE, &missing) < 0) {
        if (error_is(missing, ERR_NOT_FOUND))
            return 0;
        error_move(err, TAKE(missing));
        return -1;
    }
    if (auth_config_parse(text.data, text.size, false, &config, err) < 0)
        return error_wrap(err, "%s", path);
    add_helper(helpers, config.store);
    const char *host;
    json_t *helper;
    json_object_foreach(config.helpers, host, helper)
        add_helper(helpers, json_string_value(helper));
    return 0;
}

static void probe_helpers(struct doctor *doctor UNUSED, struct finding *finding)
{
    AUTO(strvec_release) struct strvec helpers = STRVEC_INIT;
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    struct error *error = NULL;
    if (list_helpers(&helpers, &error) < 0) {
        refused(finding, VERDICT_LACKS, error);
        return;
    }
    for (size_t i = 0; i < helpers.n; i++) {
        if (credentials_run_helper(helpers.items[i], "list", "", NULL, &error) < 0) {
            error_hint(&error,
                       "install docker-credential-%s or mend it, or take it out of "
                       "config.json",
                       helpers.items[i]);
            refused(finding, VERDICT_LACKS, error);
            return;
        }
        strbuf_addf(&text, "%s%s", i ? ", " : "", helpers.items[i]);
    }
    works(finding, helpers.n ? strbuf_detach(&text) : xstrdup("none are asked for"));
}

static void probe_git(struct doctor *doctor UNUSED, struct finding *finding)
{
    static const char *const argv[] = { "git", "--version", NULL };
    struct spawn_spec spec = SPAWN_SPEC_INIT;
    struct error *error = NULL;
    spec.argv = argv;
    spec.timeout_ms = 10000;
    AUTO(spawn_result_release) struct spawn_result result;
    spawn_result_init(&result);
    if (spawn_run(&spec, &result, &error) < 0) {
        error_hint(&error,
                   "sudo apt-get install git: contexts and ADD of git repositories need it");
        refused(finding, VERDICT_LACKS, error);
        return;
    }
    strbuf_rtrim(&result.out);
    works(finding, strbuf_detach(&result.out));
}

static void add_names(struct strbuf *text, const struct strvec *names, const char *how)
{
    for (size_t i = 0; i < names->n; i++)
        strbuf_addf(text, "%s%s", i ? ", " : text->size ? "; " : "", names->items[i]);
    if (names->n)
        strbuf_addf(text, " %s", how);
}

/* Whose programs run as things are, and whose in a build, by emulators of its own. */
static void probe_foreign(struct doctor *doctor UNUSED, struct finding *finding)
{
    AUTO(strvec_release) struct strvec run = STRVEC_INIT;
    AUTO(strvec_release) struct strvec may = STRVEC_INIT;
    AUTO(strvec_release) struct strvec not = STRVEC_INIT;
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(error_free) struct error *why = NULL;
    foreign_list(&run, &may, &not );
    add_names(&text, &run, "run");
    add_names(&text, &may, "by an emulator that a build sets up for itself");
    add_names(&text, &not, "don't");
    if (not .n && foreign_refuse(not .items[0], &why) < 0)
        lacks(finding, VERDICT_LACKS, strbuf_detach(&text), error_hint_text(why));
    else
        works(finding, strbuf_detach(&text));
}

/* In this order: who the user is counts before the user namespace is entered. */
static const struct {
    const char *subject;
    void (*probe)(struct doctor *doctor, struct finding *finding);
} probes[] = {
    { "kernel", probe_kernel },
    { "user namespaces", probe_userns },
    { "subordinate ids", probe_ids },
    { "store", probe_store },
    { "certificates", probe_certificates },
    { "credential helpers", probe_helpers },
    { "git", probe_git },
    { "foreign platforms", probe_foreign },
    { "privilege", probe_privilege },
    { "seccomp", probe_seccomp },
    { "confinement", probe_confinement },
    { "sandbox", probe_sandbox },
    { "network", probe_network },
    { "cgroups", probe_cgroups },
};

int doctor_examine(struct app *app, struct findings *ret, struct error **err)
{
    struct doctor doctor = { .app = app, .is_root = geteuid() == 0 };
    for (size_t i = 0; i < ARRAY_SIZE(probes); i++) {
        struct finding *finding = ARRAY_PUSH(ret, items);
        finding->subject = probes[i].subject;
        probes[i].probe(&doctor, finding);
        if (cancel_check(err) < 0)
            break;
    }
    remove_stand_in(&doctor);
    return *err ? -1 : 0;
}
