/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cdi.h"

#include "base/array.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "builder/values.h"

#include <fcntl.h>
#include <string.h>
#include <strings.h>

#define SPEC_MAX ((size_t)4 << 20)
#define CLASS_ANNOTATION "org.mobyproject.buildkit.device.class"

/* --- what is asked for ----------------------------------------------------------------------- */

void cdi_request_release(struct cdi_request *request)
{
    free(request->name);
    *request = (struct cdi_request){ .name = NULL };
}

static int parse_field(const char *field, struct cdi_request *ret, struct error **err)
{
    const char *equal = strchr(field, '=');
    size_t size = strcspn(field, "=");
    if (size == 8 && !strncasecmp(field, "required", size)) {
        ret->required = true;
        return equal ? bool_parse(equal + 1, &ret->required, err) : 0;
    }
    bool is_named = equal && size == 4 && !strncasecmp(field, "name", size);
    if (ret->name)
        return error_set(err, ERR_SYNTAX, "\"%s\": required is the only option", field);
    ret->name = xstrdup(is_named ? equal + 1 : field);
    return 0;
}

int cdi_request_parse(const char *text, struct cdi_request *ret, struct error **err)
{
    AUTO(cdi_request_release) struct cdi_request request = { .name = NULL };
    for (const char *p = text; *p;) {
        size_t size = strcspn(p, ",");
        AUTO(free) char *field = xstrndup(p, size);
        if (parse_field(field, &request, err) < 0)
            return error_wrap(err, "--device=%s", text);
        p += size + (p[size] == ',');
    }
    if (!request.name || !*request.name) {
        error_set_(err, ERR_SYNTAX, "--device=%s: no name", text);
        error_hint(err, "a device is VENDOR/CLASS=NAME, as a spec in /etc/cdi has it");
        return -1;
    }
    *ret = request;
    request = (struct cdi_request){ .name = NULL };
    return 0;
}

/* --- specs ----------------------------------------------------------------------------------- */

void cdi_edits_release(struct cdi_edits *edits)
{
    strvec_release(&edits->names);
    strvec_release(&edits->env);
    for (size_t i = 0; i < edits->n_mounts; i++) {
        free(edits->mounts[i].source);
        free(edits->mounts[i].target);
    }
    free(edits->mounts);
    *edits = (struct cdi_edits){ .mounts = NULL };
}

/* A device with the spec that it is in. */
struct found {
    char *name; /* qualified */
    const json_t *device, *spec;
    const char *file; /* of the spec */
};

struct search {
    const char *name;
    json_t **specs; /* owned */
    size_t n_specs, specs_capacity;
    struct strvec files; /* of these */
    struct found *items;
    size_t n_items, items_capacity;
    size_t n_before; /* items of directories that go before this one */
    char *yaml;      /* a spec that seems to describe it, in a form that we don't read; or NULL */
};

static void search_release(struct search *search)
{
    free(search->yaml);
    for (size_t i = 0; i < search->n_specs; i++)
        json_decref(search->specs[i]);
    free(search->specs);
    strvec_release(&search->files);
    for (size_t i = 0; i < search->n_items; i++)
        free(search->items[i].name);
    free(search->items);
}
DEFINE_AUTO_STRUCT(struct search, search_release)

static bool has_class(const json_t *object, const char *class)
{
    const char *have = json_string_value(
        json_object_get(json_object_get(object, "annotations"), CLASS_ANNOTATION));
    return have && strcmp(have, class) == 0;
}

static bool is_wanted(const struct search *search, const char *qualified, const json_t *device,
                      const json_t *spec)
{
    const char *name = search->name;
    if (!strchr(name, '/'))
        return has_class(device, name) || has_class(spec, name);
    size_t kind_size = strcspn(name, "=");
    if (!name[kind_size] || !strcmp(name + kind_size, "=*"))
        return strncmp(qualified, name, kind_size) == 0 && qualified[kind_size] == '=';
    return strcmp(qualified, name) == 0;
}

static int add_device(struct search *search, const json_t *device, const json_t *spec,
                      const char *kind, const char *file, struct error **err)
{
    const char *name = NULL;
    if (json_get_string(device, "/devices", "name", JSON_REQUIRED, &name, err) < 0)
        return -1;
    AUTO(free) char *qualified = xasprintf("%s=%s", kind, name);
    if (!is_wanted(search, qualified, device, spec))
        return 0;
    for (size_t i = 0; i < search->n_items; i++) {
        if (strcmp(search->items[i].name, qualified) != 0)
            continue;
        if (i < search->n_before)
            return 0;
        return error_set(err, ERR_INVALID, "%s describes it, too", search->items[i].file);
    }
    struct found *found = ARRAY_PUSH(search, items);
    *found =
        (struct found){ .name = TAKE(qualified), .device = device, .spec = spec, .file = file };
    return 0;
}

static int read_spec(struct search *search, int dir_fd, const char *file, const char *path,
                     struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    const char *kind = NULL, *version = NULL;
    const json_t *devices = NULL;
    if (fs_read_file(dir_fd, file, &text, SPEC_MAX, err) < 0)
        return -1;
    json_t *spec = json_parse_object(text.data, text.size, err);
    if (!spec)
        return -1;
    *ARRAY_PUSH(search, specs) = spec;
    if (json_get_string(spec, "", "cdiVersion", JSON_REQUIRED, &version, err) < 0 ||
        json_get_string(spec, "", "kind", JSON_REQUIRED, &kind, err) < 0 ||
        json_get_array(spec, "", "devices", JSON_REQUIRED, &devices, err) < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(devices); i++)
        if (add_device(search, json_array_get(devices, i), spec, kind, path, err) < 0)
            return -1;
    return 0;
}

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);
    return size > end_size && !strcmp(text + size - end_size, end);
}

/* Its kind, VENDOR/CLASS, stands there; a class alone may be anybody's. */
static void note_yaml(struct search *search, int fd, const char *dir, const char *name)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(error_free) struct error *ignored = NULL; /* then it isn't what is looked for */
    AUTO(free) char *kind = xstrndup(search->name, strcspn(search->name, "="));
    if (search->yaml || !strchr(kind, '/') ||
        fs_read_file(fd, name, &text, SPEC_MAX, &ignored) < 0 || !strstr(text.data, kind))
        return;
    search->yaml = path_join(dir, name);
}

static int read_dir(struct search *search, const char *dir, struct error **err)
{
    AUTO(error_free) struct error *missing = NULL;
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    AUTO(close) int fd = fs_open(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0, &missing);
    if (fd < 0 && error_is(missing, ERR_NOT_FOUND))
        return 0;
    if (fd < 0) {
        error_move(err, TAKE(missing));
        return -1;
    }
    if (fs_list(fd, ".", &names, err) < 0)
        return -1;
    search->n_before = search->n_items;
    for (size_t i = 0; i < names.n; i++) {
        if (ends_with(names.items[i], ".yaml") || ends_with(names.items[i], ".yml"))
            note_yaml(search, fd, dir, names.items[i]);
        if (!ends_with(names.items[i], ".json"))
            continue;
        strvec_take(&search->files, path_join(dir, names.items[i]));
        const char *path = search->files.items[search->files.n - 1];
        if (read_spec(search, fd, names.items[i], path, err) < 0)
            return error_wrap(err, "device spec %s", path);
    }
    return 0;
}

/* --- edits ----------------------------------------------------------------------------------- */

static int refuse_others(const json_t *edits, struct error **err)
{
    static const char *const others[] = { "hooks", "additionalGids", "intelRdt", "netDevices" };
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        if (json_object_get(edits, others[i]))
            return error_set(err, ERR_UNSUPPORTED, "/containerEdits/%s is not supported",
                             others[i]);
    return 0;
}

static int add_node(struct cdi_edits *ret, const json_t *node, struct error **err)
{
    const char *path = NULL, *host = NULL;
    if (json_get_string(node, "/deviceNodes", "path", JSON_REQUIRED, &path, err) < 0 ||
        json_get_string(node, "/deviceNodes", "hostPath", JSON_OPTIONAL, &host, err) < 0)
        return -1;
    AUTO(free) char *clean = path_clean(path);
    if (strncmp(clean, "/dev/", 5) != 0)
        return error_set(err, ERR_UNSUPPORTED, "device node %s: not below /dev", path);
    *ARRAY_PUSH(ret, mounts) = (struct cdi_mount){ .source = xstrdup(host && *host ? host : path),
                                                   .target = TAKE(clean),
                                                   .is_node = true };
    return 0;
}

static int add_mount(struct cdi_edits *ret, const json_t *mount, struct error **err)
{
    static const char *const harmless[] = { "rw",    "bind",     "rbind",  "nosuid",
                                            "nodev", "rprivate", "private" };
    const char *source = NULL, *target = NULL;
    AUTO(strvec_release) struct strvec options = STRVEC_INIT;
    bool read_only = false;
    if (json_get_string(mount, "/mounts", "hostPath", JSON_REQUIRED, &source, err) < 0 ||
        json_get_string(mount, "/mounts", "containerPath", JSON_REQUIRED, &target, err) < 0 ||
        json_get_strings(mount, "/mounts", "options", JSON_OPTIONAL, &options, err) < 0)
        return -1;
    for (size_t i = 0; i < options.n; i++) {
        bool known = !strcmp(options.items[i], "ro");
        read_only |= known;
        for (size_t j = 0; j < ARRAY_SIZE(harmless) && !known; j++)
            known = !strcmp(options.items[i], harmless[j]);
        if (!known)
            return error_set(err, ERR_UNSUPPORTED, "mount %s: option %s is not supported", target,
                             options.items[i]);
    }
    *ARRAY_PUSH(ret, mounts) = (struct cdi_mount){ .source = xstrdup(source),
                                                   .target = xstrdup(target),
                                                   .read_only = read_only };
    return 0;
}

static int add_edits(struct cdi_edits *ret, const json_t *owner, struct error **err)
{
    const json_t *edits = NULL, *nodes = NULL, *mounts = NULL;
    if (json_get_object(owner, "", "containerEdits", JSON_OPTIONAL, &edits, err) < 0)
        return -1;
    if (!edits)
        return 0;
    if (refuse_others(edits, err) < 0 ||
        json_get_strings(edits, "/containerEdits", "env", JSON_OPTIONAL, &ret->env, err) < 0 ||
        json_get_array(edits, "/containerEdits", "deviceNodes", JSON_OPTIONAL, &nodes, err) < 0 ||
        json_get_array(edits, "/containerEdits", "mounts", JSON_OPTIONAL, &mounts, err) < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(nodes); i++)
        if (add_node(ret, json_array_get(nodes, i), err) < 0)
            return -1;
    for (size_t i = 0; i < json_array_size(mounts); i++)
        if (add_mount(ret, json_array_get(mounts, i), err) < 0)
            return -1;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct found *)a)->name, ((const struct found *)b)->name);
}

int cdi_find(const struct strvec *dirs, const char *name, struct cdi_edits *ret, struct error **err)
{
    static const char *const defaults[] = { "/etc/cdi", "/var/run/cdi" };
    AUTO(search_release) struct search search = { .name = name };
    bool own = dirs && dirs->n;
    for (size_t i = own ? dirs->n : ARRAY_SIZE(defaults); i-- > 0;)
        if (read_dir(&search, own ? dirs->items[i] : defaults[i], err) < 0)
            return -1;
    if (search.n_items)
        qsort(search.items, search.n_items, sizeof(*search.items), by_name);
    if (!search.n_items && search.yaml) {
        error_set_(err, ERR_UNSUPPORTED, "device %s: %s is YAML, and only JSON specs are read",
                   name, search.yaml);
        error_hint(err, "write it as JSON beside it, or have its maker do so");
        return -1;
    }
    bool first_only = strchr(name, '/') && !strchr(name, '=');
    const size_t n = first_only && search.n_items ? 1 : search.n_items;
    for (size_t i = 0; i < n; i++) {
        const struct found *found = &search.items[i];
        bool spec_is_new = true; /* what holds for all of a spec's devices counts once */
        for (size_t j = 0; j < i; j++)
            spec_is_new &= search.items[j].spec != found->spec;
        if (add_edits(ret, found->device, err) < 0 ||
            (spec_is_new && add_edits(ret, found->spec, err) < 0))
            return error_wrap(err, "device spec %s", found->file);
        strvec_push(&ret->names, found->name);
    }
    return 0;
}
