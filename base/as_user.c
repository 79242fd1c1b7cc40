/* SPDX-License-Identifier: Apache-2.0 */
#include "base/as_user.h"

#include "base/fs.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SELF "/proc/self/exe"
#define WORD "as-user" /* after SELF, which nobody types */
#define MAX_MAP ((size_t)64 * 1024)

/* Who the namespace's root is outside, where it is one user; false: it isn't. */
static bool outside_id(const char *path, unsigned *ret)
{
    AUTO(error_free) struct error *ignored = NULL; /* no user namespaces, then */
    AUTO(strbuf_release) struct strbuf map = STRBUF_INIT;
    unsigned inside, outside, count;
    if (fs_read_file(AT_FDCWD, path, &map, MAX_MAP, &ignored) < 0 ||
        sscanf(map.data, "%u %u %u", &inside, &outside, &count) != 3 || inside || !outside ||
        count != 1)
        return false;
    *ret = outside;
    return true;
}

static bool is_program(const char *name)
{
    if (strchr(name, '/'))
        return access(name, X_OK) == 0;
    const char *dirs = getenv("PATH");
    while (dirs && *dirs) {
        size_t size = strcspn(dirs, ":");
        AUTO(free) char *path = xasprintf("%.*s/%s", (int)size, dirs, name);
        if (access(path, X_OK) == 0)
            return true;
        dirs += size;
        dirs += *dirs == ':';
    }
    return false;
}

void as_user_wrap(struct strvec *argv)
{
    unsigned uid, gid;
    if (geteuid() != 0 || !argv->n || !outside_id("/proc/self/uid_map", &uid) ||
        !outside_id("/proc/self/gid_map", &gid) || !is_program(argv->items[0]))
        return;
    AUTO(strvec_release) struct strvec wrapped = STRVEC_INIT;
    strvec_push(&wrapped, SELF);
    strvec_push(&wrapped, WORD);
    strvec_pushf(&wrapped, "%u", uid);
    strvec_pushf(&wrapped, "%u", gid);
    strvec_append(&wrapped, argv);
    strvec_copy(argv, &wrapped);
}

static bool write_text(const char *path, const char *text)
{
    AUTO(close) int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static bool enter(const char *uid, const char *gid)
{
    AUTO(free) char *uid_map = xasprintf("%s 0 1", uid);
    AUTO(free) char *gid_map = xasprintf("%s 0 1", gid);
    return unshare(CLONE_NEWUSER) == 0 && write_text("/proc/self/setgroups", "deny") &&
           write_text("/proc/self/gid_map", gid_map) && write_text("/proc/self/uid_map", uid_map);
}

void as_user_main(char *const *argv)
{
    if (!argv[0] || strcmp(argv[0], SELF) != 0 || !argv[1] || strcmp(argv[1], WORD) != 0 ||
        !argv[2] || !argv[3] || !argv[4])
        return;
    if (!enter(argv[2], argv[3])) {
        fprintf(stderr, "becoming user %s: %s\n", argv[2], strerrordesc_np(errno));
        _exit(126);
    }
    (void)execvp(argv[4], argv + 4);
    fprintf(stderr, "%s: %s\n", argv[4], strerrordesc_np(errno));
    _exit(errno == ENOENT ? 127 : 126);
}
