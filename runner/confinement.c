/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/confinement.h"

#include "base/fs.h"
#include "base/mem.h"
#include "runner/report.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define MAX_PROFILES ((size_t)4 << 20)
#define MAX_VALUE 64
#define MAX_LABEL 4096

static int read_beneath(const char *root, const char *name, size_t max, struct strbuf *text)
{
    AUTO(free) char *path = xasprintf("%s/%s", root, name);
    AUTO(error_free) struct error *missing = NULL;
    return fs_read_file(AT_FDCWD, path, text, max, &missing);
}

/* "NAME (MODE)" a line; "complain" only writes to a log. */
static bool has_profile(const char *list)
{
    static const char line[] = CONFINEMENT_PROFILE " (enforce)";
    for (const char *at = list; (at = strstr(at, line)); at++)
        if ((at == list || at[-1] == '\n') && strchr("\n", at[sizeof(line) - 1]))
            return true;
    return false;
}

enum confinement confinement_find(const char *sys)
{
    AUTO(strbuf_release) struct strbuf enabled = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf profiles = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf selinux = STRBUF_INIT;
    if (read_beneath(sys, "module/apparmor/parameters/enabled", MAX_VALUE, &enabled) < 0 ||
        enabled.data[0] != 'Y')
        return read_beneath(sys, "fs/selinux/enforce", MAX_VALUE, &selinux) == 0
                   ? CONFINEMENT_SELINUX
                   : CONFINEMENT_NONE;
    if (read_beneath(sys, "kernel/security/apparmor/profiles", MAX_PROFILES, &profiles) < 0)
        return CONFINEMENT_UNKNOWN;
    return has_profile(profiles.data) ? CONFINEMENT_LOADED : CONFINEMENT_NOT_LOADED;
}

char *confinement_selinux(const char *sys, const char *proc)
{
    AUTO(strbuf_release) struct strbuf enforce = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf label = STRBUF_INIT;
    const bool enforces =
        read_beneath(sys, "fs/selinux/enforce", MAX_VALUE, &enforce) == 0 && enforce.data[0] == '1';
    /* the kernel ends it with a NUL, and before a policy is loaded it is "kernel" */
    if (read_beneath(proc, "self/attr/current", MAX_LABEL, &label) < 0)
        strbuf_adds(&label, "which can't be read");
    return xasprintf("SELinux (%s): steps stay in cbuild's own domain, %s",
                     enforces ? "enforcing" : "permissive", label.data);
}

bool confinement_enter(const char *proc)
{
    static const char *const files[] = { "/self/attr/apparmor/exec", "/self/attr/exec" };
    static const char word[] = "exec " CONFINEMENT_PROFILE;
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        char path[PATH_MAX];
        size_t used = 0;
        if (!text_append(path, sizeof(path), &used, proc) ||
            !text_append(path, sizeof(path), &used, files[i]))
            return false;
        int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0) /* before 5.1 there is the other one alone */
            continue;
        bool done = write(fd, word, sizeof(word) - 1) == (ssize_t)sizeof(word) - 1;
        (void)close(fd);
        return done;
    }
    return false;
}
