/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output_value.h"

#include "base/array.h"
#include "base/mem.h"
#include "base/suggest.h"
#include "builder/values.h"

#include <string.h>

struct fields {
    char *type, *name, *push, *store;
};

static void fields_release(struct fields *fields)
{
    free(fields->type);
    free(fields->name);
    free(fields->push);
    free(fields->store);
}
DEFINE_AUTO_STRUCT(struct fields, fields_release)

static int split(const char *text, struct fields *fields, struct error **err)
{
    static const char *const keys[] = { "type", "name", "push", "store" };
    char **const values[] = { &fields->type, &fields->name, &fields->push, &fields->store };
    for (const char *p = text; *p;) {
        size_t size = strcspn(p, ",");
        AUTO(free) char *key = xstrndup(p, size);
        char *equal = strchr(key, '=');
        if (equal)
            *equal = '\0';
        size_t i = 0;
        while (i < ARRAY_SIZE(keys) && strcmp(keys[i], key) != 0)
            i++;
        if (!equal || i == ARRAY_SIZE(keys)) {
            const char *near = suggest_nearest(key, keys, ARRAY_SIZE(keys));
            error_set_(err, ERR_USAGE,
                       "--output %s: %s: type, name, push and store are what there is", text, key);
            if (equal && near)
                error_hint(err, "did you mean %s=?", near);
            return -1;
        }
        free(*values[i]);
        *values[i] = xstrdup(equal + 1);
        p += size + (p[size] == ',');
    }
    return 0;
}

static int take_bool(const char *text, const char *key, const char *value, bool *ret,
                     struct error **err)
{
    if (!value || bool_parse(value, ret, err) == 0)
        return 0;
    error_recode(err, ERR_USAGE);
    return error_wrap(err, "--output %s: %s", text, key);
}

/* What other types give is a command of its own here. */
static int refuse_type(const char *text, const char *type, struct error **err)
{
    static const struct {
        const char *type, *way;
    } others[] = {
        { "local", "cbuild export" },
        { "tar", "cbuild export" },
        { "oci", "cbuild save --format oci" },
        { "docker", "cbuild save --format docker" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        if (strcmp(others[i].type, type) != 0)
            continue;
        error_set_(err, ERR_UNSUPPORTED,
                   "--output type=%s: build writes to the store and to "
                   "registries",
                   type);
        error_hint(err, "build with -t NAME, then: %s -o FILE NAME", others[i].way);
        return -1;
    }
    return error_set(err, ERR_USAGE, "--output %s: image and registry are the types there are",
                     text);
}

/* The type first, since each has keys of its own. free() it. */
static char *find_type(const char *text)
{
    for (const char *p = text; *p;) {
        size_t size = strcspn(p, ",");
        if (strncmp(p, "type=", 5) == 0)
            return xstrndup(p + 5, size - 5);
        p += size + (p[size] == ',');
    }
    return NULL;
}

int output_value_parse(const char *text, struct output_value *ret, struct strvec *names,
                       struct error **err)
{
    AUTO(fields_release) struct fields fields = { NULL, NULL, NULL, NULL };
    struct output_value value = { false, false };
    /* a bare path is buildx's type=local */
    if (!strchr(text, '='))
        return refuse_type(text, "local", err);
    AUTO(free) char *type = find_type(text);
    if (!type)
        return error_set(err, ERR_USAGE, "--output %s: no type", text);
    bool is_registry = strcmp(type, "registry") == 0;
    if (!is_registry && strcmp(type, "image") != 0)
        return refuse_type(text, type, err);
    if (split(text, &fields, err) < 0)
        return -1;
    value.push = is_registry;
    bool is_stored = !is_registry;
    if (take_bool(text, "push", fields.push, &value.push, err) < 0 ||
        take_bool(text, "store", fields.store, &is_stored, err) < 0)
        return -1;
    if (!value.push && !is_stored)
        return error_set(err, ERR_USAGE, "--output %s: neither pushed nor stored", text);
    value.is_elsewhere = !is_stored;
    if (fields.name)
        strvec_push(names, fields.name);
    *ret = value;
    return 0;
}
