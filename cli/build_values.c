/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/build_values.h"

#include "base/array.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/suggest.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <string.h>

#define ARG_FILE_MAX ((size_t)4 << 20)

/* --- secrets --------------------------------------------------------------------------------- */

void build_secret_release(struct build_secret *secret)
{
    free(secret->id);
    free(secret->source);
    *secret = (struct build_secret){ .id = NULL };
}

int build_secret_parse(const char *text, struct build_secret *ret, struct error **err)
{
    AUTO(free) char *id = NULL;
    AUTO(free) char *source = NULL;
    AUTO(free) char *env = NULL;
    AUTO(free) char *type = NULL;
    static const char *const keys[] = { "id", "src", "source", "env", "type" };
    char **const values[] = { &id, &source, &source, &env, &type };
    for (const char *p = text; *p;) {
        size_t size = strcspn(p, ",");
        size_t key_size = strcspn(p, "=");
        size_t i = 0;
        while (i < ARRAY_SIZE(keys) &&
               (strlen(keys[i]) != key_size || strncmp(keys[i], p, key_size) != 0))
            i++;
        if (key_size >= size || i == ARRAY_SIZE(keys)) {
            AUTO(free) char *key = xstrndup(p, key_size);
            const char *near = suggest_nearest(key, keys, ARRAY_SIZE(keys));
            error_set_(err, ERR_USAGE, "--secret %s: expected id=ID and src=FILE or env=NAME",
                       text);
            if (near && key_size < size)
                error_hint(err, "did you mean %s=?", near);
            return -1;
        }
        free(*values[i]);
        *values[i] = xstrndup(p + key_size + 1, size - key_size - 1);
        p += size + (p[size] == ',');
    }
    if (!id || (type && strcmp(type, "file") != 0 && strcmp(type, "env") != 0))
        return error_set(err, ERR_USAGE, "--secret %s: %s", text,
                         id ? "type is file or env" : "no id");
    bool type_is_env = type && !strcmp(type, "env");
    ret->is_env = env || type_is_env || (!type && !source && getenv(id));
    ret->source = env ? TAKE(env) : source ? TAKE(source) : xstrdup(id);
    ret->id = TAKE(id);
    return 0;
}

/* --- annotations ----------------------------------------------------------------------------- */

static const char *const places[] = {
    [ANNOTATION_MANIFEST] = "manifest",
    [ANNOTATION_INDEX] = "index",
    [ANNOTATION_MANIFEST_DESCRIPTOR] = "manifest-descriptor",
    [ANNOTATION_INDEX_DESCRIPTOR] = "index-descriptor",
};

void build_annotations_release(struct build_annotations *list)
{
    for (size_t i = 0; i < list->n_items; i++) {
        free(list->items[i].key);
        free(list->items[i].value);
        platform_release(&list->items[i].platform);
    }
    free(list->items);
    *list = (struct build_annotations){ .items = NULL };
}

static int bad_type(const char *text, const char *type, size_t size, struct error **err)
{
    AUTO(free) char *word = xstrndup(type, size);
    error_set_(err, ERR_USAGE,
               "--annotation %s: unknown type \"%s\": manifest, index, manifest-descriptor and "
               "index-descriptor are what there is",
               text, word);
    const char *near = suggest_nearest(word, places, ARRAY_SIZE(places));
    if (near)
        error_hint(err, "did you mean \"%s\"?", near);
    return -1;
}

/* What stands before the colon, if that can be a type: keys have dots and slashes in front of one.
 */
static size_t types_size(const char *text, size_t *platform_size)
{
    size_t size = strspn(text, "abcdefghijklmnopqrstuvwxyz,-");
    *platform_size = 0;
    if (size && text[size] == '[')
        *platform_size = strcspn(text + size, "]") + 1;
    return size && text[size + *platform_size] == ':' ? size : 0;
}

/* One type of a list; `sample` holds the rest. */
static int add_annotation(const char *text, const char *type, size_t size,
                          const struct build_annotation *sample, struct build_annotations *list,
                          struct error **err)
{
    size_t place = 0;
    while (place < ARRAY_SIZE(places) &&
           (strlen(places[place]) != size || strncmp(places[place], type, size) != 0))
        place++;
    if (place == ARRAY_SIZE(places))
        return bad_type(text, type, size, err);
    bool of_index = place == ANNOTATION_INDEX || place == ANNOTATION_INDEX_DESCRIPTOR;
    if (of_index && sample->platform.os)
        return error_set(err, ERR_USAGE, "--annotation %s: an index is of no platform", text);
    struct build_annotation *item = ARRAY_PUSH(list, items);
    item->place = (enum annotation_place)place;
    item->key = xstrdup(sample->key);
    item->value = xstrdup(sample->value);
    if (sample->platform.os)
        platform_copy(&item->platform, &sample->platform);
    return 0;
}

int build_annotation_parse(const char *text, struct build_annotations *list, struct error **err)
{
    const char *equal = strchr(text, '=');
    size_t platform_size = 0;
    size_t size = types_size(text, &platform_size);
    if (equal && size + platform_size > (size_t)(equal - text)) /* a colon of the value */
        size = platform_size = 0;
    const char *key = text + size + platform_size + (size > 0);
    if (!equal || equal <= key)
        return error_set(err, ERR_USAGE, "--annotation %s: expected [TYPE[PLATFORM]:]KEY=VALUE",
                         text);
    AUTO(platform_release) struct platform platform = { 0 };
    if (platform_size) {
        AUTO(free) char *name = xstrndup(text + size + 1, platform_size - 2);
        if (platform_parse(name, &platform, err) < 0) {
            error_recode(err, ERR_USAGE);
            return error_wrap(err, "--annotation %s", text);
        }
    }
    AUTO(free) char *name = xstrndup(key, (size_t)(equal - key));
    AUTO(free) char *value = xstrdup(equal + 1);
    const struct build_annotation sample = { .key = name, .value = value, .platform = platform };
    if (!size)
        return add_annotation(text, "manifest", 8, &sample, list, err);
    for (size_t at = 0; at < size;) {
        size_t n = strcspn(text + at, ",[:");
        if (add_annotation(text, text + at, n, &sample, list, err) < 0)
            return -1;
        at += n + 1;
    }
    return 0;
}

/* --- what RUN may ask for -------------------------------------------------------------------- */

int build_allow_parse(const char *text, unsigned *allow, struct strvec *devices, struct error **err)
{
    static const char *const names[] = { "network.host", "security.insecure", "device",
                                         "buildx.local.delete" };
    if (strncmp(text, "device=", 7) == 0 && text[7]) {
        strvec_push(devices, text + 7);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (!strcmp(text, names[i])) {
            *allow |= 1u << i;
            return 0;
        }
    }
    error_set_(err, ERR_USAGE,
               "--allow %s: network.host, security.insecure, device[=NAME] and buildx.local.delete "
               "are what there is",
               text);
    const char *near = suggest_nearest(text, names, ARRAY_SIZE(names));
    if (near)
        error_hint(err, "did you mean --allow %s?", near);
    return -1;
}

int build_host_check(const char *text, struct error **err)
{
    size_t size = strcspn(text, ":=");
    const char *address = text[size] ? text + size + 1 : "";
    size_t n = strlen(address);
    bool in_brackets = n > 2 && address[0] == '[' && address[n - 1] == ']';
    AUTO(free)
    char *bare = in_brackets ? xstrndup(address + 1, n - 2) : xstrndup(address, n);
    struct in6_addr ignored;
    if (!size || text[strcspn(text, " \t\n#")])
        return error_set(err, ERR_USAGE, "--add-host %s: expected NAME:ADDRESS", text);
    if ((!in_brackets &&
         (!strcmp(bare, "host-gateway") || inet_pton(AF_INET, bare, &ignored) == 1)) ||
        inet_pton(AF_INET6, bare, &ignored) == 1)
        return 0;
    return error_set(err, ERR_USAGE, "--add-host %s: \"%s\" is no IP address, nor host-gateway",
                     text, address);
}

/* --- build arguments ------------------------------------------------------------------------- */

void build_arg_resolve(const char *text, struct strvec *ret)
{
    if (strchr(text, '=')) {
        strvec_push(ret, text);
        return;
    }
    const char *value = getenv(text);
    if (value) {
        strvec_pushf(ret, "%s=%s", text, value);
        return;
    }
    size_t size = strlen(text);
    for (size_t i = ret->n; i-- > 0;)
        if (!strncmp(ret->items[i], text, size) && ret->items[i][size] == '=')
            strvec_remove(ret, i);
}

int build_arg_file_read(const char *path, struct strvec *ret, struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    if (fs_read_file(AT_FDCWD, path, &text, ARG_FILE_MAX, err) < 0)
        return error_wrap(err, "--build-arg-file");
    size_t number = 1;
    for (const char *line = text.data, *end = text.data + text.size; line < end; number++) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t size = stop ? (size_t)(stop - line) : (size_t)(end - line);
        size_t bare = size && line[size - 1] == '\r' ? size - 1 : size;
        if (memchr(line, '\0', size))
            return error_set(err, ERR_USAGE, "--build-arg-file %s:%zu: a NUL byte", path, number);
        if (bare && *line == '=')
            return error_set(err, ERR_USAGE, "--build-arg-file %s:%zu: no name before the =", path,
                             number);
        if (bare && *line != '#')
            strvec_pushn(ret, line, bare);
        line += size + 1;
    }
    return 0;
}
