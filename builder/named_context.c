/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --build-context NAME=PLACE: a directory, a git repository, a tarball behind http(s), an image of
 * a registry (docker-image://) or of a layout on disk (oci-layout://). Opened once, when a stage
 * first asks; stages that want the same one wait.
 */
#include "base/array.h"
#include "base/mem.h"
#include "builder/context_remote.h"
#include "builder/executor.h"
#include "builder/oci_layout.h"

#include <string.h>

/* The last of a name counts. */
static const char *context_value(const struct build *build, const char *name)
{
    const struct strvec *contexts = build->options->named_contexts;
    for (size_t i = contexts ? contexts->n : 0; i-- > 0;) {
        const char *item = contexts->items[i];
        size_t size = strcspn(item, "=");
        if (strlen(name) == size && !strncasecmp(item, name, size) && item[size])
            return item + size + 1;
    }
    return NULL;
}

static const char *after_prefix(const char *text, const char *prefix)
{
    size_t size = strlen(prefix);
    return strncmp(text, prefix, size) == 0 ? text + size : NULL;
}

static int open_place(struct build *build, const char *value, struct named_context *named,
                      struct error **err)
{
    const char *image = after_prefix(value, "docker-image://");
    const char *layout = after_prefix(value, "oci-layout://");
    if (image) {
        named->image = xstrdup(image);
        return 0;
    }
    if (layout)
        return oci_layout_import(build->store, layout, &named->image, err);
    if (context_place_kind(value) != PLACE_DIRECTORY)
        named->context = context_remote_open(build, value, NULL, err);
    else if (strstr(value, "://"))
        return error_set(err, ERR_USAGE, "%s: unknown kind of place", value);
    else
        named->context = build_open_context(build, value, NULL, err);
    return named->context ? 0 : -1;
}

static struct named_context *find(struct build *build, const char *name)
{
    for (size_t i = 0; i < build->n_contexts; i++)
        if (strcmp(build->contexts[i]->name, name) == 0)
            return build->contexts[i];
    return NULL;
}

static int open_named(struct build *build, const char *name, struct named_context *named,
                      struct error **err)
{
    const char *value = context_value(build, name);
    int result = value ? open_place(build, value, named, err)
                       : error_set(err, ERR_NOT_FOUND, "no --build-context of that name");
    pthread_mutex_lock(&build->base_lock);
    named->state = result < 0 ? CONTEXT_FAILED : CONTEXT_READY;
    pthread_cond_broadcast(&build->base_changed);
    pthread_mutex_unlock(&build->base_lock);
    return result < 0 ? error_wrap(err, "named context %s", name) : 0;
}

struct context *named_context_get(struct build *build, const char *name, char **image,
                                  struct error **err)
{
    pthread_mutex_lock(&build->base_lock);
    struct named_context *named = find(build, name);
    while (named && named->state == CONTEXT_WORKING)
        pthread_cond_wait(&build->base_changed, &build->base_lock);
    bool ours = !named;
    if (ours) {
        named = *ARRAY_PUSH(build, contexts) = NEW(struct named_context);
        named->name = xstrdup(name);
    }
    pthread_mutex_unlock(&build->base_lock);
    if (ours && open_named(build, name, named, err) < 0)
        return NULL;
    if (named->state == CONTEXT_FAILED)
        return error_set_null(err, ERR_CANCELLED, "named context %s: another stage couldn't get it",
                              name);
    if (named->image)
        *image = xstrdup(named->image);
    return named->context;
}
