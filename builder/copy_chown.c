/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/copy_chown.h"

#include "base/mem.h"
#include "base/suggest.h"
#include "runner/user.h"

#include <string.h>

static bool is_number(const char *text, size_t size)
{
    return size && strspn(text, "0123456789") >= size;
}

/* Neither part is a name. */
static bool is_numeric(const char *spec)
{
    size_t n = strcspn(spec, ":");
    return is_number(spec, n) && (!spec[n] || is_number(spec + n + 1, strlen(spec + n + 1)));
}

static bool has_name(const struct strbuf *file, const char *name, size_t size)
{
    const char *end = file->data + file->size;
    for (const char *line = file->data; line < end;) {
        const char *next = memchr(line, '\n', (size_t)(end - line));
        size_t line_size = next ? (size_t)(next - line) : (size_t)(end - line);
        if (line_size > size && memcmp(line, name, size) == 0 && line[size] == ':')
            return true;
        line += line_size + 1;
    }
    return false;
}

static void hint_similar(const struct strbuf *file, const char *path, const char *name,
                         struct error **err)
{
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    for (const char *line = file->data; *line;) {
        size_t size = strcspn(line, "\n");
        strvec_pushn(&names, line, strcspn(line, ":\n"));
        line += size + (line[size] == '\n');
    }
    const char *nearest = suggest_nearest(name, (const char *const *)names.items, names.n);
    if (nearest)
        error_hint(err, "/%s has %s", path, nearest);
}

/* Says which part isn't known, where it was looked for, and what is similar there. */
static int check_known(const char *name, size_t size, const char *what, const char *path,
                       bool there, const struct strbuf *file, struct error **err)
{
    if (is_number(name, size) || (there && has_name(file, name, size)))
        return 0;
    AUTO(free) char *text = xstrndup(name, size);
    if (!there)
        return error_set(err, ERR_NOT_FOUND, "--chown: %s %s: there is no /%s to look it up", what,
                         text, path);
    error_set_(err, ERR_NOT_FOUND, "--chown: %s %s: not in /%s", what, text, path);
    hint_similar(file, path, text, err);
    return -1;
}

static int read_file(struct tree *below, const char *path, struct strbuf *buf, struct error **err)
{
    int found = tree_read_file(below, path, buf, USER_MAX_FILE, err);
    return found < 0 ? error_wrap(err, "--chown: /%s", path) : found;
}

int copy_chown_resolve(const char *spec, struct tree *below, struct copy_owner *ret,
                       struct error **err)
{
    AUTO(strbuf_release) struct strbuf passwd = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf group = STRBUF_INIT;
    struct user_files files = { .passwd = NULL };
    AUTO(free) char *user_only = NULL;
    if (!is_numeric(spec) && !below) {
        error_set_(err, ERR_UNSUPPORTED,
                   "--chown=%s: with --link only numbers: there is no /etc/passwd to look up names",
                   spec);
        error_hint(err, "write the ids, as in --chown=1000:1000, or leave out --link");
        return -1;
    }
    if (!is_numeric(spec)) {
        int has_passwd = read_file(below, "etc/passwd", &passwd, err);
        int has_group = has_passwd < 0 ? -1 : read_file(below, "etc/group", &group, err);
        if (has_group < 0)
            return -1;
        size_t n = strcspn(spec, ":");
        const char *group_name = spec[n] ? spec + n + 1 : "0";
        size_t group_size = strlen(group_name);
        if (n && check_known(spec, n, "user", "etc/passwd", has_passwd, &passwd, err) < 0)
            return -1;
        /*
         * "app:app" where app's group has no line of its own: the user's group in passwd, as
         * BuildKit has it. A group that isn't named like the user is refused.
         */
        bool same = n == group_size && !strncmp(spec, group_name, n) && !is_number(group_name, n);
        if (same && !(has_group && has_name(&group, group_name, group_size)))
            user_only = xstrndup(spec, n);
        else if (check_known(group_name, group_size, "group", "etc/group", has_group, &group, err) <
                 0)
            return -1;
        files = (struct user_files){ .passwd = has_passwd ? passwd.data : NULL,
                                     .passwd_size = passwd.size,
                                     .group = has_group ? group.data : NULL,
                                     .group_size = group.size };
    }
    uid_t uid;
    gid_t gid;
    if (user_resolve_owner(user_only ? user_only : spec, &files, &uid, &gid, err) < 0)
        return error_wrap(err, "--chown");
    *ret = (struct copy_owner){ uid, gid };
    return 0;
}
