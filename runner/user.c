/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/user.h"

#include "base/array.h"
#include "base/mem.h"
#include "base/suggest.h"

#include <limits.h>
#include <string.h>

#define MAX_LINE 4096
#define MAX_ID 2147483647u /* what other builders take; -1 means "leave it" to chown(2) */
#define MAX_NAMES 4096     /* looked at for a suggestion */

struct field {
    const char *text;
    size_t size;
};

enum {
    PASSWD_NAME,
    PASSWD_PASSWORD,
    PASSWD_UID,
    PASSWD_GID,
    PASSWD_GECOS,
    PASSWD_HOME,
    PASSWD_FIELDS
};
enum { GROUP_NAME, GROUP_PASSWORD, GROUP_GID, GROUP_MEMBERS, GROUP_FIELDS };

struct lines {
    const char *text;
    size_t size;
};

void user_release(struct user *user)
{
    free(user->groups);
    free(user->home);
    *user = (struct user){ 0 };
}

static bool field_is(const struct field *field, const char *text, size_t size)
{
    return field->size == size && !memcmp(field->text, text, size);
}

static bool parse_id(const char *text, size_t size, unsigned *id)
{
    unsigned long long value = 0;
    if (!size || size > 10)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    *id = (unsigned)value;
    return value <= MAX_ID;
}

static bool is_number(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return size > 0;
}

/* The next line's fields; lines that are no entry are passed over. False at the end. */
static bool next_entry(struct lines *lines, struct field *fields, size_t n, size_t required)
{
    while (lines->size) {
        const char *line = lines->text;
        const char *newline = memchr(line, '\n', lines->size);
        size_t size = newline ? (size_t)(newline - line) : lines->size;
        size_t taken = size + (newline ? 1 : 0);
        lines->text += taken;
        lines->size -= taken;
        if (!size || size > MAX_LINE || line[0] == '#' || memchr(line, '\0', size))
            continue;
        size_t count = 0;
        for (const char *at = line, *end = line + size; count < n; count++) {
            const char *colon = memchr(at, ':', (size_t)(end - at));
            fields[count] = (struct field){ at, (size_t)((colon ? colon : end) - at) };
            if (!colon) {
                count++;
                break;
            }
            at = colon + 1;
        }
        for (size_t i = count; i < n; i++)
            fields[i] = (struct field){ "", 0 };
        if (count >= required && fields[0].size)
            return true;
    }
    return false;
}

struct passwd_entry {
    struct field name, home;
    unsigned uid, gid;
};

static bool next_passwd(struct lines *lines, struct passwd_entry *entry)
{
    struct field fields[PASSWD_FIELDS];
    while (next_entry(lines, fields, PASSWD_FIELDS, PASSWD_GID + 1)) {
        entry->name = fields[PASSWD_NAME];
        entry->home = fields[PASSWD_HOME];
        if (parse_id(fields[PASSWD_UID].text, fields[PASSWD_UID].size, &entry->uid) &&
            parse_id(fields[PASSWD_GID].text, fields[PASSWD_GID].size, &entry->gid))
            return true;
    }
    return false;
}

struct group_entry {
    struct field name, members;
    unsigned gid;
};

static bool next_group(struct lines *lines, struct group_entry *entry)
{
    struct field fields[GROUP_FIELDS];
    while (next_entry(lines, fields, GROUP_FIELDS, GROUP_GID + 1)) {
        entry->name = fields[GROUP_NAME];
        entry->members = fields[GROUP_MEMBERS];
        if (parse_id(fields[GROUP_GID].text, fields[GROUP_GID].size, &entry->gid))
            return true;
    }
    return false;
}

static struct lines passwd_lines(const struct user_files *files)
{
    return (struct lines){ files->passwd ? files->passwd : "",
                           files->passwd ? files->passwd_size : 0 };
}

static struct lines group_lines(const struct user_files *files)
{
    return (struct lines){ files->group ? files->group : "", files->group ? files->group_size : 0 };
}

static bool find_user(const struct user_files *files, const char *name, size_t size,
                      struct passwd_entry *entry)
{
    struct lines lines = passwd_lines(files);
    while (next_passwd(&lines, entry))
        if (field_is(&entry->name, name, size))
            return true;
    return false;
}

/* The first line with this uid. */
static bool find_uid(const struct user_files *files, uid_t uid, struct passwd_entry *entry)
{
    struct lines lines = passwd_lines(files);
    while (next_passwd(&lines, entry))
        if (entry->uid == uid)
            return true;
    return false;
}

static char *home_of(const struct user_files *files, uid_t uid)
{
    struct passwd_entry entry;
    if (!find_uid(files, uid, &entry) || !entry.home.size)
        return xstrdup("/");
    return xstrndup(entry.home.text, entry.home.size);
}

static bool has_member(const struct field *members, const struct field *name)
{
    const char *at = members->text, *end = members->text + members->size;
    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        size_t size = (size_t)((comma ? comma : end) - at);
        if (field_is(name, at, size))
            return true;
        at += size + 1;
    }
    return false;
}

static int compare_gids(const void *a, const void *b)
{
    gid_t x, y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return x < y ? -1 : x > y;
}

struct group_list {
    gid_t *gids;
    size_t n_gids, gids_capacity;
};

/* Sorted, each once. */
static void keep_groups(struct group_list *list, struct user *user)
{
    size_t n = 0;
    qsort(list->gids, list->n_gids, sizeof(*list->gids), compare_gids);
    for (size_t i = 0; i < list->n_gids; i++)
        if (!n || list->gids[i] != list->gids[n - 1])
            list->gids[n++] = list->gids[i];
    user->groups = list->gids;
    user->n_groups = n;
}

/* `name` NULL: only the primary one. */
static void collect_groups(const struct user_files *files, const struct field *name,
                           struct user *user)
{
    struct group_list list = { 0 };
    struct lines lines = group_lines(files);
    struct group_entry entry;
    *ARRAY_PUSH(&list, gids) = user->gid;
    while (name && list.n_gids < USER_MAX_GROUPS && next_group(&lines, &entry))
        if (has_member(&entry.members, name))
            *ARRAY_PUSH(&list, gids) = entry.gid;
    keep_groups(&list, user);
}

/* Hints at what the file has that looks alike. */
static int unknown_name(const char *kind, const char *name, size_t size, struct lines lines,
                        bool has_file, const char *path, struct error **err)
{
    if (!has_file)
        return error_set(err, ERR_NOT_FOUND, "%s \"%.*s\": the image has no %s", kind, (int)size,
                         name, path);
    AUTO(free) char *word = xstrndup(name, size);
    char **names = NULL;
    size_t n = 0;
    struct field field;
    names = xcalloc(MAX_NAMES, sizeof(*names));
    while (n < MAX_NAMES && next_entry(&lines, &field, 1, 1))
        names[n++] = xstrndup(field.text, field.size);
    const char *nearest = suggest_nearest(word, (const char *const *)names, n);
    (void)error_set(err, ERR_NOT_FOUND, "%s \"%s\": not in the image's %s", kind, word, path);
    if (nearest)
        error_hint(err, "did you mean \"%s\"?", nearest);
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
    return -1;
}

static int unknown_user(const struct user_files *files, const char *name, size_t size,
                        struct error **err)
{
    return unknown_name("user", name, size, passwd_lines(files), files->passwd, "/etc/passwd", err);
}

static int resolve_group(const struct user_files *files, const char *name, size_t size, gid_t *gid,
                         struct error **err)
{
    unsigned id;
    if (is_number(name, size)) {
        if (!parse_id(name, size, &id))
            return error_set(err, ERR_INVALID, "group id %.*s: more than %u", (int)size, name,
                             MAX_ID);
        *gid = id;
        return 0;
    }
    struct lines lines = group_lines(files);
    struct group_entry entry;
    while (next_group(&lines, &entry)) {
        if (field_is(&entry.name, name, size)) {
            *gid = entry.gid;
            return 0;
        }
    }
    return unknown_name("group", name, size, group_lines(files), files->group, "/etc/group", err);
}

/* "user" and "group" of the spec; group NULL: none given */
struct parts {
    const char *user, *group;
    size_t user_size, group_size;
};

static int split(const char *spec, struct parts *parts, struct error **err)
{
    const char *colon = strchr(spec, ':');
    parts->user = spec;
    parts->user_size = colon ? (size_t)(colon - spec) : strlen(spec);
    parts->group = colon ? colon + 1 : NULL;
    parts->group_size = colon ? strlen(colon + 1) : 0;
    if (!parts->user_size || (colon && !parts->group_size))
        return error_set(err, ERR_INVALID, "user \"%s\": an empty part", spec);
    return 0;
}

struct found {
    uid_t uid;
    bool by_name;
    struct passwd_entry entry; /* by_name */
};

static int find(const struct user_files *files, const struct parts *parts, struct found *found,
                struct error **err)
{
    unsigned id;
    found->by_name = !is_number(parts->user, parts->user_size);
    if (found->by_name) {
        if (!find_user(files, parts->user, parts->user_size, &found->entry))
            return unknown_user(files, parts->user, parts->user_size, err);
        found->uid = found->entry.uid;
        return 0;
    }
    if (!parse_id(parts->user, parts->user_size, &id))
        return error_set(err, ERR_INVALID, "user id %.*s: more than %u", (int)parts->user_size,
                         parts->user, MAX_ID);
    found->uid = id;
    return 0;
}

int user_resolve(const char *spec, const struct user_files *files, struct user *ret,
                 struct error **err)
{
    struct parts parts;
    struct found found = { 0 };
    struct user user = { 0 };
    /* without USER it is root, with root's groups where passwd has that name */
    bool has_root = find_user(files, "root", strlen("root"), &found.entry) && !found.entry.uid;
    const char *root = has_root ? "root" : "0";
    if (split(spec && *spec ? spec : root, &parts, err) < 0 || find(files, &parts, &found, err) < 0)
        return -1;
    bool is_known = found.by_name || find_uid(files, found.uid, &found.entry);
    user.uid = found.uid;
    user.gid = is_known ? found.entry.gid : 0;
    if (parts.group && resolve_group(files, parts.group, parts.group_size, &user.gid, err) < 0)
        return -1;
    collect_groups(files, is_known && !parts.group ? &found.entry.name : NULL, &user);
    user.home = home_of(files, user.uid);
    *ret = user;
    return 0;
}

int user_resolve_owner(const char *spec, const struct user_files *files, uid_t *uid, gid_t *gid,
                       struct error **err)
{
    struct parts parts;
    struct found found = { 0 };
    if (split(spec, &parts, err) < 0 || find(files, &parts, &found, err) < 0)
        return -1;
    gid_t group = found.by_name ? found.entry.gid : found.uid;
    if (parts.group && resolve_group(files, parts.group, parts.group_size, &group, err) < 0)
        return -1;
    *uid = found.uid;
    *gid = group;
    return 0;
}
