/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/overlay.h"

#include "base/force.h"
#include "base/mem.h"
#include "runner/syscalls.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define OPTIONS_SIZE 4096 /* mount(2) takes a page */
#define NAME_SIZE 32      /* of our links */
#define MAX_VALUE 255     /* bytes that fsconfig takes */
#define REOPEN_TRIES 1000
#define SELF_FD "/proc/self/fd/"

/* The newest first: what an older kernel doesn't know is left out from the front. */
static const char *const optional[] = { "uuid=off", "volatile", "xino=off", "metacopy=off",
                                        "index=off" };

int overlay_plan_init(struct overlay_plan *plan, const struct sandbox_tree *tree, unsigned id,
                      bool devices, struct error **err)
{
    if (tree->n_lowers > SANDBOX_MAX_LOWERS)
        return error_set(err, ERR_LIMIT, "%zu layers: one mount takes at most %d", tree->n_lowers,
                         SANDBOX_MAX_LOWERS);
    for (size_t i = 0; i < tree->n_lowers; i++)
        if (tree->lowers[i][0] != '/')
            return error_set(err, ERR_USAGE, "layer %s: not an absolute path", tree->lowers[i]);
    if (tree->upper && tree->upper[0] != '/')
        return error_set(err, ERR_USAGE, "directory %s: not an absolute path", tree->upper);
    plan->tree = tree;
    plan->id = id;
    plan->devices = devices;
    plan->options = xmalloc(OPTIONS_SIZE);
    plan->can_add_lowers = !force_has("no-fsopen") && !force_has("no-lowerdir-add");
    return 0;
}

void overlay_plan_release(struct overlay_plan *plan)
{
    free(plan->options);
    plan->options = NULL;
}

/* "KIND" and the numbers of the plan and the layer, unique in scratch and at most 8 bytes for 500
 * layers. */
static const char *link_name(const struct overlay_plan *plan, char kind, size_t i,
                             char name[NAME_SIZE])
{
    char number[TEXT_NUMBER_SIZE];
    char prefix[2] = { kind, '\0' };
    size_t used = 0;
    (void)(text_append(name, NAME_SIZE, &used, prefix) && /* two numbers of a few digits: it fits */
           (!plan->id || text_append(name, NAME_SIZE, &used, text_number(number, plan->id))) &&
           (!plan->id || text_append(name, NAME_SIZE, &used, ".")) &&
           text_append(name, NAME_SIZE, &used, text_number(number, i)));
    return name;
}

/*
 * A name through a descriptor means another mount namespace. The same directory of this one, as a
 * name through a descriptor again, so that it may be renamed at any time.
 */
static const char *reopen(const char *path, char text[PATH_MAX])
{
    char number[TEXT_NUMBER_SIZE];
    struct stat there, here;
    for (int try = 0; try < REOPEN_TRIES; try++) {
        ssize_t size = readlink(path, text, PATH_MAX - 1);
        if (size < 0 || stat(path, &there) < 0)
            return NULL;
        text[size] = '\0';
        int fd = open(text, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 && errno != ENOENT)
            return NULL;
        if (fd < 0) /* renamed since */
            continue;
        if (fstat(fd, &here) == 0 && here.st_dev == there.st_dev && here.st_ino == there.st_ino) {
            size_t used = 0;
            (void)(text_append(text, PATH_MAX, &used, SELF_FD) && /* it fits */
                   text_append(text, PATH_MAX, &used, text_number(number, (unsigned)fd)));
            return text;
        }
        (void)close(fd);
    }
    errno = ESTALE;
    return NULL;
}

/* A link in scratch to where path is. */
static const char *make_link(const struct overlay_plan *plan, char kind, size_t i, const char *path,
                             char name[NAME_SIZE])
{
    char text[PATH_MAX];
    if (!strncmp(path, SELF_FD, strlen(SELF_FD)))
        path = reopen(path, text);
    if (!path)
        return NULL;
    if (symlink(path, link_name(plan, kind, i, name)) < 0 && errno != EEXIST)
        return NULL;
    return name;
}

/* The path itself where the option syntax takes it as it is. */
static const char *short_name(const struct overlay_plan *plan, char kind, size_t i,
                              const char *path, char name[NAME_SIZE])
{
    if (strlen(path) <= MAX_VALUE && !strpbrk(path, "\\:,"))
        return path;
    return make_link(plan, kind, i, path, name);
}

static const char *const empty_names[] = { "empty.0", "empty.1" };

static bool is_written(const struct overlay_plan *plan)
{
    return plan->tree->upper && !plan->is_look;
}

/* The upper as a lower: only looked at. */
static bool has_lower_upper(const struct overlay_plan *plan)
{
    return plan->tree->upper && plan->is_look;
}

/* The kernel wants one lower below an upper, two without: empty directories fill up. */
static size_t n_empty(const struct overlay_plan *plan, const char *top)
{
    size_t needed = is_written(plan) ? 1 : 2;
    size_t have = plan->tree->n_lowers + (top ? 1 : 0) + (has_lower_upper(plan) ? 1 : 0);
    return have < needed ? needed - have : 0;
}

static int set_upper(const struct overlay_plan *plan, int fs_fd, const char *option)
{
    char name[NAME_SIZE] = "";
    const char *upper = short_name(plan, 'u', 0, plan->tree->upper, name);
    return upper ? sys_fsconfig(fs_fd, FSCONFIG_SET_STRING, option, upper) : -1;
}

static int set_layers(const struct overlay_plan *plan, int fs_fd, const char *top, const char *work)
{
    const struct sandbox_tree *tree = plan->tree;
    char name[NAME_SIZE] = "";
    if (has_lower_upper(plan) && set_upper(plan, fs_fd, "lowerdir+") < 0)
        return -1;
    if (top && sys_fsconfig(fs_fd, FSCONFIG_SET_STRING, "lowerdir+", top) < 0)
        return -1;
    for (size_t i = 0; i < tree->n_lowers; i++) {
        const char *lower = short_name(plan, 'l', i, tree->lowers[i], name);
        if (!lower || sys_fsconfig(fs_fd, FSCONFIG_SET_STRING, "lowerdir+", lower) < 0)
            return -1;
    }
    for (size_t i = 0; i < ARRAY_SIZE(empty_names) && i < n_empty(plan, top); i++)
        if (sys_fsconfig(fs_fd, FSCONFIG_SET_STRING, "lowerdir+", empty_names[i]) < 0)
            return -1;
    if (!is_written(plan))
        return 0;
    if (set_upper(plan, fs_fd, "upperdir") < 0)
        return -1;
    return sys_fsconfig(fs_fd, FSCONFIG_SET_STRING, "workdir", work);
}

/* "key=value" or a flag */
static int set_option(int fs_fd, const char *option)
{
    char key[NAME_SIZE];
    const char *equals = strchr(option, '=');
    if (!equals)
        return sys_fsconfig(fs_fd, FSCONFIG_SET_FLAG, option, NULL);
    size_t size = (size_t)(equals - option);
    memcpy(key, option, size);
    key[size] = '\0';
    return sys_fsconfig(fs_fd, FSCONFIG_SET_STRING, key, equals + 1);
}

/* Without an upper volatile is refused, and uuid=off gives a warning in the kernel's log. */
static bool is_for_upper(const char *option)
{
    return !strcmp(option, "volatile") || !strcmp(option, "uuid=off");
}

static int set_options(const struct overlay_plan *plan, int fs_fd)
{
    if (set_option(fs_fd, "source=overlay") < 0) /* what /proc/mounts shows */
        return -1;
    if (!plan->tree->trusted_xattrs && set_option(fs_fd, "userxattr") < 0)
        return -1;
    if (set_option(fs_fd, "redirect_dir=nofollow") < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_SIZE(optional); i++)
        if (is_written(plan) || !is_for_upper(optional[i]))
            (void)set_option(fs_fd, optional[i]); /* an older kernel doesn't know it */
    return 0;
}

static int prepare(const struct overlay_plan *plan, const char *top, const char *work,
                   struct report *report)
{
    for (size_t i = 0; i < ARRAY_SIZE(empty_names) && i < n_empty(plan, top); i++)
        if (mkdir(empty_names[i], 0755) < 0 && errno != EEXIST)
            return report_errno(report, "making an empty lower directory", NULL);
    if (is_written(plan) && mkdir(work, 0700) < 0 && errno != EEXIST)
        return report_errno(report, "making the overlay's work directory", NULL);
    return 0;
}

/*
 * Before 6.5 the kernel turns what overlay is told into the text of mount(2): it takes any word,
 * and complains in its log when it mounts. A word that nobody knows tells, and leaves no trace.
 */
static bool takes_any_word(int fs_fd)
{
    return sys_fsconfig(fs_fd, FSCONFIG_SET_FLAG, "cbuild-unknown", NULL) == 0;
}

/* -1 with errno; -2: this kernel doesn't take layers this way */
static int open_by_fd(const struct overlay_plan *plan, const char *top, const char *work)
{
    int fs_fd = sys_fsopen("overlay");
    if (fs_fd < 0)
        return syscall_refused() ? -2 : -1;
    int result = -1;
    if (takes_any_word(fs_fd)) {
        result = -2;
    } else if (set_layers(plan, fs_fd, top, work) < 0) {
        /* before 6.8: the first lowerdir+ is an unknown parameter */
        result = errno == EINVAL ? -2 : -1;
    } else if (set_options(plan, fs_fd) == 0 &&
               sys_fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL) == 0) {
        result = sys_fsmount(fs_fd, plan->devices ? 0 : MOUNT_ATTR_NODEV);
    }
    int saved = errno;
    (void)close(fs_fd);
    errno = saved;
    return result;
}

int overlay_open(const struct overlay_plan *plan, const char *top, const char *work, int *fd,
                 struct report *report)
{
    if (!plan->can_add_lowers)
        return 1;
    if (prepare(plan, top, work, report) < 0)
        return -1;
    int mount_fd = open_by_fd(plan, top, work);
    if (mount_fd < 0)
        return mount_fd == -2 ? 1 : report_errno(report, "mounting the layers as an overlay", NULL);
    *fd = mount_fd;
    return 0;
}

/* The next lower, after a colon where it isn't the first. */
static bool add_lower(const struct overlay_plan *plan, const char *lower, bool *is_first,
                      size_t *used)
{
    bool ok = lower && (*is_first || text_append(plan->options, OPTIONS_SIZE, used, ":")) &&
              text_append(plan->options, OPTIONS_SIZE, used, lower);
    *is_first = false;
    return ok;
}

static bool add_layers(const struct overlay_plan *plan, const char *top, const char *work,
                       size_t *used)
{
    const struct sandbox_tree *tree = plan->tree;
    char name[NAME_SIZE] = "";
    bool is_first = true;
    bool ok = text_append(plan->options, OPTIONS_SIZE, used, "lowerdir=");
    if (ok && has_lower_upper(plan))
        ok = add_lower(plan, make_link(plan, 'u', 0, tree->upper, name), &is_first, used);
    if (ok && top)
        ok = add_lower(plan, top, &is_first, used);
    for (size_t i = 0; ok && i < tree->n_lowers; i++)
        ok = add_lower(plan, make_link(plan, 'l', i, tree->lowers[i], name), &is_first, used);
    for (size_t i = 0; ok && i < ARRAY_SIZE(empty_names) && i < n_empty(plan, top); i++)
        ok = add_lower(plan, empty_names[i], &is_first, used);
    if (!ok || !is_written(plan))
        return ok;
    const char *upper = make_link(plan, 'u', 0, tree->upper, name);
    return upper && text_append(plan->options, OPTIONS_SIZE, used, ",upperdir=") &&
           text_append(plan->options, OPTIONS_SIZE, used, upper) &&
           text_append(plan->options, OPTIONS_SIZE, used, ",workdir=") &&
           text_append(plan->options, OPTIONS_SIZE, used, work);
}

static bool add_options(const struct overlay_plan *plan, size_t first_optional, size_t *used)
{
    bool ok = text_append(plan->options, OPTIONS_SIZE, used, ",redirect_dir=nofollow") &&
              (plan->tree->trusted_xattrs ||
               text_append(plan->options, OPTIONS_SIZE, used, ",userxattr"));
    for (size_t i = first_optional; ok && i < ARRAY_SIZE(optional); i++)
        if (is_written(plan) || !is_for_upper(optional[i]))
            ok = text_append(plan->options, OPTIONS_SIZE, used, ",") &&
                 text_append(plan->options, OPTIONS_SIZE, used, optional[i]);
    return ok;
}

static int mount_by_text(const struct overlay_plan *plan, const char *point, const char *top,
                         const char *work)
{
    size_t layers = 0;
    errno = E2BIG;
    if (!add_layers(plan, top, work, &layers))
        return -1;
    const unsigned long flags = plan->devices ? 0 : MS_NODEV;
    for (size_t i = 0; i <= ARRAY_SIZE(optional); i++) {
        size_t used = layers;
        errno = E2BIG;
        if (!add_options(plan, i, &used))
            return -1;
        if (mount("overlay", point, "overlay", flags, plan->options) == 0)
            return 0;
        if (errno != EINVAL)
            return -1;
    }
    return -1;
}

int overlay_mount(const struct overlay_plan *plan, const char *point, const char *top,
                  const char *work, int *fd, struct report *report)
{
    if (prepare(plan, top, work, report) < 0)
        return -1;
    if (mount_by_text(plan, point, top, work) < 0)
        return report_errno(report, "mounting the layers as an overlay", NULL);
    int root_fd = open(point, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root_fd < 0)
        return report_errno(report, "opening the mounted layers", NULL);
    *fd = root_fd;
    return 0;
}
