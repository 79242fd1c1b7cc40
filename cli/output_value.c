/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output_value.h"

#include "base/array.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "base/suggest.h"
#include "builder/values.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

void output_value_release(struct output_value *value)
{
    free(value->dest);
    *value = (struct output_value){ .dest = NULL };
}

struct fields {
    char *type, *name, *push, *store, *dest, *split, *tar, *mode;
};

#define IMAGES (1 << OUTPUT_IMAGE)
#define FILES (1 << OUTPUT_LOCAL | 1 << OUTPUT_TAR)
#define ARCHIVES (1 << OUTPUT_OCI | 1 << OUTPUT_DOCKER)

/* The type first, since each has keys of its own. */
static const struct {
    const char *key;
    size_t offset;
    unsigned kinds; /* that know it */
} keys[] = {
    { "type", offsetof(struct fields, type), IMAGES | FILES | ARCHIVES },
    { "name", offsetof(struct fields, name), IMAGES | ARCHIVES },
    { "push", offsetof(struct fields, push), IMAGES },
    { "store", offsetof(struct fields, store), IMAGES },
    { "dest", offsetof(struct fields, dest), FILES | ARCHIVES },
    { "platform-split", offsetof(struct fields, split), FILES },
    { "tar", offsetof(struct fields, tar), ARCHIVES },
    { "mode", offsetof(struct fields, mode), 1 << OUTPUT_LOCAL },
};

static char **field(struct fields *fields, size_t key)
{
    return (char **)((char *)fields + keys[key].offset);
}

static void fields_release(struct fields *fields)
{
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        free(*field(fields, i));
}
DEFINE_AUTO_STRUCT(struct fields, fields_release)

static int unknown_key(const char *text, const char *key, unsigned kind, struct error **err)
{
    AUTO(strbuf_release) struct strbuf list = STRBUF_INIT;
    const char *names[ARRAY_SIZE(keys)];
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (keys[i].kinds & kind)
            names[n++] = keys[i].key;
    for (size_t i = 0; i < n; i++)
        strbuf_addf(&list, "%s%s", i == 0 ? "" : i + 1 < n ? ", " : " and ", names[i]);
    const char *near = suggest_nearest(key, names, n);
    error_set_(err, ERR_USAGE, "--output %s: %s: %s are what there is", text, key, list.data);
    if (near && strcmp(near, key) != 0)
        error_hint(err, "did you mean %s=?", near);
    return -1;
}

static int split(const char *text, unsigned kind, struct fields *fields, struct error **err)
{
    for (const char *p = text; *p;) {
        size_t size = strcspn(p, ",");
        AUTO(free) char *key = xstrndup(p, size);
        char *equal = strchr(key, '=');
        if (equal)
            *equal = '\0';
        size_t i = 0;
        while (i < ARRAY_SIZE(keys) && (strcmp(keys[i].key, key) != 0 || !(keys[i].kinds & kind)))
            i++;
        if (!equal || i == ARRAY_SIZE(keys))
            return unknown_key(text, key, kind, err);
        free(*field(fields, i));
        *field(fields, i) = xstrdup(equal + 1);
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

/* free() it. */
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

static int find_kind(const char *text, const char *type, enum output_kind *ret, struct error **err)
{
    static const struct {
        const char *type;
        enum output_kind kind;
    } kinds[] = {
        { "image", OUTPUT_IMAGE }, { "registry", OUTPUT_IMAGE }, { "local", OUTPUT_LOCAL },
        { "tar", OUTPUT_TAR },     { "oci", OUTPUT_OCI },        { "docker", OUTPUT_DOCKER },
    };
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (strcmp(kinds[i].type, type) != 0)
            continue;
        *ret = kinds[i].kind;
        return 0;
    }
    return error_set(err, ERR_USAGE,
                     "--output %s: image, registry, local, tar, oci and docker are the types there "
                     "are",
                     text);
}

static int take_image(const char *text, const struct fields *fields, struct output_value *value,
                      struct error **err)
{
    assert(fields->type); /* find_type() saw it */
    bool is_registry = strcmp(fields->type, "registry") == 0;
    bool is_stored = !is_registry;
    value->push = is_registry;
    if (take_bool(text, "push", fields->push, &value->push, err) < 0 ||
        take_bool(text, "store", fields->store, &is_stored, err) < 0)
        return -1;
    if (!value->push && !is_stored)
        return error_set(err, ERR_USAGE, "--output %s: neither pushed nor stored", text);
    value->is_elsewhere = !is_stored;
    return 0;
}

static int take_mode(const char *text, const char *mode, struct output_value *value,
                     struct error **err)
{
    value->deletes = mode && !strcmp(mode, "delete");
    if (mode && !value->deletes && strcmp(mode, "copy") != 0)
        return error_set(err, ERR_USAGE, "--output %s: mode=%s: copy and delete are what there is",
                         text, mode);
    return 0;
}

static int take_files(const char *text, struct fields *fields, struct output_value *value,
                      struct error **err)
{
    bool is_tar = true;
    if (take_bool(text, "platform-split", fields->split, &value->is_split, err) < 0 ||
        take_bool(text, "tar", fields->tar, &is_tar, err) < 0)
        return -1;
    if (!is_tar && value->kind == OUTPUT_DOCKER) {
        error_set_(err, ERR_UNSUPPORTED, "--output %s: tar=false: a docker archive is one file",
                   text);
        error_hint(err, "type=oci,tar=false,dest=DIRECTORY writes an OCI layout");
        return -1;
    }
    value->is_layout = !is_tar;
    if (take_mode(text, fields->mode, value, err) < 0)
        return -1;
    bool is_directory = value->kind == OUTPUT_LOCAL || value->is_layout;
    if (is_directory && (!fields->dest || !*fields->dest || !strcmp(fields->dest, "-")))
        return error_set(err, ERR_USAGE, "--output %s: dest=DIRECTORY is missing", text);
    value->dest = TAKE(fields->dest);
    return 0;
}

int output_value_parse(const char *text, struct output_value *ret, struct strvec *names,
                       struct error **err)
{
    AUTO(fields_release) struct fields fields = { .type = NULL };
    AUTO(output_value_release) struct output_value value = { .is_split = true };
    if (!strchr(text, '=')) { /* a path alone */
        value.kind = strcmp(text, "-") == 0 ? OUTPUT_TAR : OUTPUT_LOCAL;
        value.dest = xstrdup(text);
    } else {
        AUTO(free) char *type = find_type(text);
        if (!type)
            return error_set(err, ERR_USAGE, "--output %s: no type", text);
        if (find_kind(text, type, &value.kind, err) < 0 ||
            split(text, 1U << value.kind, &fields, err) < 0)
            return -1;
        int taken = value.kind == OUTPUT_IMAGE ? take_image(text, &fields, &value, err)
                                               : take_files(text, &fields, &value, err);
        if (taken < 0)
            return -1;
        if (fields.name)
            strvec_push(names, fields.name);
    }
    *ret = value;
    value = (struct output_value){ .dest = NULL };
    return 0;
}
