/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/run_mount.h"

#include "base/mem.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "base/suggest.h"
#include "builder/values.h"

#include <string.h>
#include <strings.h>

static const char *const type_names[] = {
    [RUN_MOUNT_BIND] = "bind",     [RUN_MOUNT_CACHE] = "cache", [RUN_MOUNT_TMPFS] = "tmpfs",
    [RUN_MOUNT_SECRET] = "secret", [RUN_MOUNT_SSH] = "ssh",
};

static const char *const sharing_names[] = {
    [RUN_MOUNT_SHARED] = "shared",
    [RUN_MOUNT_PRIVATE] = "private",
    [RUN_MOUNT_LOCKED] = "locked",
};

const char *run_mount_type_name(enum run_mount_type type)
{
    return type_names[type];
}

enum key {
    KEY_TYPE,
    KEY_FROM,
    KEY_SOURCE,
    KEY_TARGET,
    KEY_READ_ONLY,
    KEY_READ_WRITE,
    KEY_REQUIRED,
    KEY_SIZE,
    KEY_ID,
    KEY_SHARING,
    KEY_MODE,
    KEY_UID,
    KEY_GID,
    KEY_ENV,
};

#define BIND (1u << RUN_MOUNT_BIND)
#define CACHE (1u << RUN_MOUNT_CACHE)
#define TMPFS (1u << RUN_MOUNT_TMPFS)
#define SECRET (1u << RUN_MOUNT_SECRET)
#define SSH (1u << RUN_MOUNT_SSH)
#define ALL (BIND | CACHE | TMPFS | SECRET | SSH)

static const struct {
    const char *name;
    enum key key;
    unsigned types; /* that take it */
    bool may_be_bare;
} keys[] = {
    { "type", KEY_TYPE, ALL, false },
    { "from", KEY_FROM, BIND | CACHE, false },
    { "source", KEY_SOURCE, BIND | CACHE | SECRET, false },
    { "src", KEY_SOURCE, BIND | CACHE | SECRET, false },
    { "target", KEY_TARGET, ALL, false },
    { "dst", KEY_TARGET, ALL, false },
    { "destination", KEY_TARGET, ALL, false },
    { "readonly", KEY_READ_ONLY, ALL, true },
    { "ro", KEY_READ_ONLY, ALL, true },
    { "readwrite", KEY_READ_WRITE, BIND | CACHE | TMPFS, true },
    { "rw", KEY_READ_WRITE, BIND | CACHE | TMPFS, true },
    { "required", KEY_REQUIRED, SECRET | SSH, true },
    { "size", KEY_SIZE, TMPFS, false },
    { "id", KEY_ID, ALL, false },
    { "sharing", KEY_SHARING, CACHE, false },
    { "mode", KEY_MODE, CACHE | SECRET | SSH, false },
    { "uid", KEY_UID, CACHE | SECRET | SSH, false },
    { "gid", KEY_GID, CACHE | SECRET | SSH, false },
    { "env", KEY_ENV, SECRET, false },
};

/*
 * Options that only buildah and podman have. Those that are true of our mounts anyway are taken (no
 * SELinux labels, nothing goes back to the host, a bind brings files and no mounts below them); the
 * others would be ignored, so they are refused.
 */
static const struct {
    const char *name;
    const char *values;  /* "" without one, "|a|b|" one of these */
    const char *problem; /* NULL: taken */
} foreign[] = {
    { "z", "", NULL },
    { "Z", "", NULL },
    { "relabel", "|shared|private|", NULL },
    { "private", "", NULL },
    { "rprivate", "", NULL },
    { "bind-propagation", "|private|rprivate|", NULL },
    { "bind-nonrecursive", "", NULL },
    { "nodev", "", NULL },
    { "suid", "", NULL },
    { "exec", "", NULL },
    { "notmpcopyup", "", NULL },
    { "bind-propagation", NULL, "mounts of a build are private" },
    { "shared", NULL, "mounts of a build are private" },
    { "rshared", NULL, "mounts of a build are private" },
    { "slave", NULL, "mounts of a build are private" },
    { "rslave", NULL, "mounts of a build are private" },
    { "unbindable", NULL, "mounts of a build are private" },
    { "runbindable", NULL, "mounts of a build are private" },
    { "dev", NULL, "devices of a mount can't be opened" },
    { "nosuid", NULL, "there is no such mount here" },
    { "noexec", NULL, "there is no such mount here" },
    { "tmpcopyup", NULL, "copy what is wanted in the command" },
    { "U", NULL, "owners are given with uid and gid" },
    { "chown", NULL, "owners are given with uid and gid" },
};

/* A mount in the making. */
struct draft {
    struct run_mount mount;
    const struct words_expander *expander;
    bool has_access;             /* ro or rw was given */
    bool seen[ARRAY_SIZE(keys)]; /* entries of the key table that occurred */
};

void run_mount_release(struct run_mount *mount)
{
    free(mount->from);
    free(mount->source);
    free(mount->target);
    free(mount->id);
    free(mount->env);
    *mount = (struct run_mount){ 0 };
}

/* One CSV field from *text on; quotes around a field, doubled within. */
static int read_field(const char **text, struct strbuf *field, struct error **err)
{
    const char *at = *text;
    strbuf_reset(field);
    if (*at == '"') {
        for (at++; *at && (*at != '"' || at[1] == '"'); at++) {
            if (*at == '"')
                at++;
            strbuf_addc(field, *at);
        }
        if (*at != '"' || (at[1] && at[1] != ','))
            return error_set(err, ERR_SYNTAX, "misplaced quote");
        at++;
    } else {
        for (; *at && *at != ','; at++) {
            if (*at == '"')
                return error_set(err, ERR_SYNTAX, "misplaced quote");
            strbuf_addc(field, *at);
        }
    }
    *text = at;
    return 0;
}

static int refuse_key(const char *name, struct error **err)
{
    const char *names[ARRAY_SIZE(keys)];
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        names[i] = keys[i].name;
    const char *near = suggest_nearest(name, names, ARRAY_SIZE(names));
    (void)error_set(err, ERR_SYNTAX, "unknown option \"%s\"", name);
    if (near)
        error_hint(err, "did you mean %s?", near);
    return -1;
}

/* 1: an option of other builders that is true here; 0: it is none of them. Case counts ("z", "Z").
 */
static int take_foreign(const char *name, const char *value, struct error **err)
{
    AUTO(free) char *wanted = value ? xasprintf("|%s|", value) : xstrdup("");
    for (size_t i = 0; i < ARRAY_SIZE(foreign); i++) {
        if (strcmp(foreign[i].name, name) != 0)
            continue;
        if (foreign[i].problem)
            return error_set(err, ERR_UNSUPPORTED, "%s is not supported: %s", name,
                             foreign[i].problem);
        if (value ? strstr(foreign[i].values, wanted) != NULL : !*foreign[i].values)
            return 1;
    }
    return 0;
}

/* The index of value in names, any case. */
static int parse_choice(const char *key, const char *value, const char *const *names, size_t n,
                        struct error **err)
{
    for (size_t i = 0; i < n; i++) {
        if (strcasecmp(value, names[i]) == 0)
            return (int)i;
    }
    const char *near = suggest_nearest(value, names, n);
    (void)error_set(err, ERR_SYNTAX, "%s \"%s\" is unknown", key, value);
    if (near)
        error_hint(err, "did you mean %s=%s?", key, near);
    return -1;
}

static int parse_id(const char *key, const char *value, unsigned base, uint32_t *ret,
                    struct error **err)
{
    static const char digits[] = "0123456789";
    uint64_t number = 0;
    bool good = *value;
    for (const char *at = value; good && *at; at++) {
        const char *digit = memchr(digits, *at, base);
        good = digit && (number = number * base + (uint64_t)(digit - digits)) <= UINT32_MAX;
    }
    if (!good)
        return error_set(err, ERR_SYNTAX, "%s \"%s\" is no number", key, value);
    *ret = (uint32_t)number;
    return 0;
}

static void replace(char **field, const char *value)
{
    free(*field);
    *field = *value ? xstrdup(value) : NULL;
}

static int set_flag(struct draft *draft, enum key key, const char *name, const char *value,
                    struct error **err)
{
    bool flag = true;
    if (value && bool_parse(value, &flag, err) < 0)
        return error_wrap(err, "%s", name);
    if (key == KEY_REQUIRED) {
        draft->mount.required = flag;
        return 0;
    }
    draft->has_access = true;
    draft->mount.read_only = (key == KEY_READ_ONLY) == flag;
    return 0;
}

static int set_choice(struct run_mount *mount, enum key key, const char *value, struct error **err)
{
    bool is_type = key == KEY_TYPE;
    int choice =
        parse_choice(is_type ? "type" : "sharing", value, is_type ? type_names : sharing_names,
                     is_type ? ARRAY_SIZE(type_names) : ARRAY_SIZE(sharing_names), err);
    if (choice < 0)
        return -1;
    if (is_type)
        mount->type = (enum run_mount_type)choice;
    else
        mount->sharing = (enum run_mount_sharing)choice;
    return 0;
}

static int set_size(struct run_mount *mount, const char *value, struct error **err)
{
    if (size_parse(value, &mount->size, err) < 0)
        return error_wrap(err, "size");
    return 0;
}

static int set_value(struct draft *draft, enum key key, const char *name, const char *value,
                     struct error **err)
{
    struct run_mount *mount = &draft->mount;
    switch (key) {
    case KEY_TYPE:
    case KEY_SHARING:
        return set_choice(mount, key, value, err);
    case KEY_FROM:
        replace(&mount->from, value);
        return 0;
    case KEY_SOURCE:
        replace(&mount->source, value);
        return 0;
    case KEY_TARGET:
        replace(&mount->target, value);
        return 0;
    case KEY_ID:
        replace(&mount->id, value);
        return 0;
    case KEY_ENV:
        replace(&mount->env, value);
        return 0;
    case KEY_SIZE:
        return set_size(mount, value, err);
    case KEY_MODE:
        mount->has_mode = true;
        return parse_id(name, value, 8, &mount->mode, err);
    case KEY_UID:
        mount->has_uid = true;
        return parse_id(name, value, 10, &mount->uid, err);
    case KEY_GID:
        mount->has_gid = true;
        return parse_id(name, value, 10, &mount->gid, err);
    case KEY_READ_ONLY:
    case KEY_READ_WRITE:
    case KEY_REQUIRED:
        return set_flag(draft, key, name, value, err);
    }
    return 0;
}

/* The value with its variables; NULL (and no error) when that has to wait for an expander. */
static int expand_value(struct draft *draft, enum key key, const char *value, char **ret,
                        struct error **err)
{
    const char *dollar = strchr(value, '$');
    if (key == KEY_FROM) {
        if (dollar && dollar[1]) {
            (void)error_set(err, ERR_SYNTAX, "from=%s: variables aren't expanded here", value);
            error_hint(err, "name a stage for it: FROM %s AS name, then from=name", value);
            return -1;
        }
        *ret = xstrdup(value);
        return 0;
    }
    if (draft->expander)
        return words_expand(draft->expander, value, ret, err);
    if (dollar)
        draft->mount.unexpanded = true;
    else
        *ret = xstrdup(value);
    return 0;
}

static int take_field(struct draft *draft, char *field, struct error **err)
{
    char *value = strchr(field, '=');
    if (value)
        *value++ = '\0';
    size_t i = 0;
    while (i < ARRAY_SIZE(keys) && strcasecmp(keys[i].name, field) != 0)
        i++;
    if (i == ARRAY_SIZE(keys)) {
        int taken = take_foreign(field, value, err);
        return taken ? (taken < 0 ? -1 : 0) : refuse_key(field, err);
    }
    if (!value && !keys[i].may_be_bare)
        return error_set(err, ERR_SYNTAX, "%s needs a value", keys[i].name);
    draft->seen[i] = true;
    if (!value)
        return set_flag(draft, keys[i].key, keys[i].name, NULL, err);
    AUTO(free) char *expanded = NULL;
    if (expand_value(draft, keys[i].key, value, &expanded, err) < 0)
        return -1;
    return expanded ? set_value(draft, keys[i].key, keys[i].name, expanded, err) : 0;
}

static int check_keys(const struct draft *draft, struct error **err)
{
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        if (draft->seen[i] && !(keys[i].types & 1u << draft->mount.type))
            return error_set(err, ERR_SYNTAX, "%s isn't an option of type=%s", keys[i].name,
                             type_names[draft->mount.type]);
    }
    return 0;
}

/* Without a target, or with an empty one, it is the working directory. */
static int complete_target(struct run_mount *mount, struct error **err)
{
    if (!mount->target)
        mount->target = xstrdup(".");
    AUTO(free) char *path = path_clean(mount->target);
    if (strcmp(path, "/") == 0)
        return error_set(err, ERR_SYNTAX, "target \"%s\" is the root directory", mount->target);
    return 0;
}

static int complete_secret(struct run_mount *mount, struct error **err)
{
    if (mount->source && mount->id)
        return error_set(err, ERR_SYNTAX, "source and id name the same thing: only one of them");
    const char *id = mount->id ? mount->id : mount->source;
    if (!id && mount->target)
        id = path_base(mount->target);
    if (!id || !*id)
        return error_set(err, ERR_SYNTAX, "type=secret needs an id or a target");
    if (!mount->id)
        mount->id = xstrdup(id);
    return 0;
}

static const uint32_t default_modes[ARRAY_SIZE(type_names)] = {
    [RUN_MOUNT_CACHE] = 0755, [RUN_MOUNT_SECRET] = 0400, [RUN_MOUNT_SSH] = 0600
};

/* What the type says where the option doesn't. */
static int complete(struct draft *draft, struct error **err)
{
    struct run_mount *mount = &draft->mount;
    if (check_keys(draft, err) < 0)
        return -1;
    if (!draft->has_access)
        mount->read_only = mount->type != RUN_MOUNT_CACHE && mount->type != RUN_MOUNT_TMPFS;
    if (!mount->has_mode)
        mount->mode = default_modes[mount->type];
    switch (mount->type) {
    case RUN_MOUNT_BIND:
    case RUN_MOUNT_TMPFS:
        return complete_target(mount, err);
    case RUN_MOUNT_CACHE:
        if (complete_target(mount, err) < 0)
            return -1;
        if (!mount->id)
            mount->id = xstrdup(mount->target);
        return 0;
    case RUN_MOUNT_SECRET:
        return complete_secret(mount, err);
    case RUN_MOUNT_SSH:
        if (!mount->id)
            mount->id = xstrdup("default");
        return 0;
    }
    return 0;
}

static int parse_fields(struct draft *draft, const char *spec, struct error **err)
{
    AUTO(strbuf_release) struct strbuf field = STRBUF_INIT;
    for (const char *at = spec;;) {
        if (read_field(&at, &field, err) < 0 || take_field(draft, field.data, err) < 0)
            return -1;
        if (!*at)
            break;
        at++; /* the comma */
    }
    return draft->mount.unexpanded ? 0 : complete(draft, err);
}

int run_mount_parse(const char *spec, const struct words_expander *expander, struct run_mount *ret,
                    struct error **err)
{
    struct draft draft = { .expander = expander };
    if (parse_fields(&draft, spec, err) < 0) {
        run_mount_release(&draft.mount);
        return error_wrap(err, "--mount=%s", spec);
    }
    *ret = draft.mount;
    return 0;
}

void run_mount_format(const struct run_mount *mount, struct strbuf *ret)
{
    bool has_files = mount->type == RUN_MOUNT_BIND || mount->type == RUN_MOUNT_CACHE;
    strbuf_addf(ret, "type=%s", type_names[mount->type]);
    AUTO(free) char *source = has_files && mount->source ? path_clean_rooted(mount->source) : NULL;
    if (source && *source)
        strbuf_addf(ret, ",source=%s", source);
    if (mount->id)
        strbuf_addf(ret, ",id=%s", mount->id);
    if (mount->type == RUN_MOUNT_CACHE)
        strbuf_addf(ret, ",sharing=%s", sharing_names[mount->sharing]);
    if (has_files)
        strbuf_adds(ret, mount->read_only ? ",ro" : ",rw");
    if (mount->required)
        strbuf_adds(ret, ",required");
    if (mount->env)
        strbuf_addf(ret, ",env=%s", mount->env);
    if (mount->uid)
        strbuf_addf(ret, ",uid=%u", mount->uid);
    if (mount->gid)
        strbuf_addf(ret, ",gid=%u", mount->gid);
    if (mount->mode != default_modes[mount->type])
        strbuf_addf(ret, ",mode=%04o", mount->mode);
    if (mount->size)
        strbuf_addf(ret, ",size=%llu", (unsigned long long)mount->size);
}
