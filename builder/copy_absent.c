/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/copy_absent.h"

#include "base/mem.h"
#include "base/path.h"
#include "base/suggest.h"
#include "builder/context.h"

#include <string.h>
#include <strings.h>

#define MAX_SEEN ((size_t)20000) /* entries that a search through all directories looks at */

/* What is at a path, links not followed; false: nothing, or nothing that may be seen. */
static bool look(struct copy_view *view, const char *path, struct source_item *ret)
{
    AUTO(error_free) struct error *ignored = NULL; /* then there is one hint less */
    AUTO(free) char *why = NULL;
    bool hidden = false;
    return view->ops->stat(view, path, ret, &hidden, &why, &ignored) > 0 && !hidden;
}

/* --- links ----------------------------------------------------------------------------------- */

/* Whether a link's target, from the directory that holds the link, lies outside of the root. */
static bool leaves_root(const char *link, const char *target)
{
    if (*target == '/')
        return true;
    size_t depth = 0;
    for (const char *p = link; *p; p++)
        depth += *p == '/';
    for (const char *p = target; *p;) {
        size_t n = strcspn(p, "/");
        if (n == 2 && !strncmp(p, "..", 2)) {
            if (!depth)
                return true;
            depth--;
        } else if (n && !(n == 1 && *p == '.')) {
            depth++;
        }
        p += n + (p[n] == '/');
    }
    return false;
}

/* The first link on the way, all that stands before it being directories; free() it. */
static char *first_link(struct copy_view *view, const char *path, char **target)
{
    for (size_t n = 0; n < strlen(path); n++) {
        n += strcspn(path + n, "/");
        AUTO(free) char *here = xstrndup(path, n);
        AUTO(source_item_release) struct source_item item = { .path = NULL };
        if (!look(view, here, &item))
            return NULL;
        if (item.entry.type == ENTRY_SYMLINK) {
            *target = xstrdup(item.entry.link);
            return TAKE(here);
        }
    }
    return NULL;
}

static int refuse_link(struct copy_view *view, const char *word, const char *link,
                       const char *target, struct error **err)
{
    bool leaves = leaves_root(link, target);
    error_set_(err, ERR_NOT_FOUND,
               "source %s: the symbolic link %s leads to %s, which is not in %s", word, link,
               target, view->name);
    if (leaves && view->context)
        error_hint(err, "links are followed inside the build context only: put what is meant into "
                        "it, or give it a name with --build-context");
    else if (leaves)
        error_hint(err, "links are followed inside the source only");
    return -1;
}

/* --- similar names --------------------------------------------------------------------------- */

/* The name in `dir` that is meant; differs in case: *same is set. free() it. */
static char *similar_name(struct copy_view *view, const char *dir, const char *name, bool *same)
{
    AUTO(error_free) struct error *ignored = NULL;
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    if (view->ops->list(view, dir, &names, &ignored) < 0)
        return NULL;
    for (size_t i = 0; i < names.n; i++) {
        if (strcasecmp(names.items[i], name) != 0)
            continue;
        *same = true;
        return xstrdup(names.items[i]);
    }
    *same = false;
    return xstrdup(suggest_nearest(name, (const char *const *)names.items, names.n));
}

/* Each element that isn't there exchanged for one like it; NULL: for one there is none. */
static char *similar_path(struct copy_view *view, const char *path, bool *by_case)
{
    AUTO(free) char *done = xstrdup("");
    *by_case = true;
    for (const char *rest = path; *rest;) {
        size_t n = strcspn(rest, "/");
        AUTO(free) char *name = xstrndup(rest, n);
        AUTO(free) char *here = path_join(done, name);
        AUTO(source_item_release) struct source_item item = { .path = NULL };
        if (!look(view, here, &item)) {
            bool same = false;
            AUTO(free) char *near = similar_name(view, done, name, &same);
            if (!near)
                return NULL;
            *by_case = *by_case && same;
            free(here);
            here = path_join(done, near);
            if (!look(view, here, &item))
                return NULL;
        }
        rest += n + (rest[n] == '/');
        if (*rest && item.entry.type != ENTRY_DIRECTORY)
            return NULL;
        free(done);
        done = TAKE(here);
    }
    return TAKE(done);
}

/* --- the same name elsewhere ----------------------------------------------------------------- */

struct elsewhere {
    const char *name;
    char *found; /* the first, and nearest to the root */
    size_t n_seen;
};

static size_t depth_of(const char *path)
{
    size_t depth = 0;
    for (; *path; path++)
        depth += *path == '/';
    return depth;
}

static int visit(void *data, struct source_item *item, struct error **err UNUSED)
{
    struct elsewhere *search = data;
    const char *path = item->entry.path;
    if (++search->n_seen > MAX_SEEN)
        return 1;
    if (!strcmp(path_base(path), search->name) &&
        (!search->found || depth_of(path) < depth_of(search->found))) {
        free(search->found);
        search->found = xstrdup(path);
    }
    return 0;
}

static char *same_name_elsewhere(struct copy_view *view, const char *path)
{
    AUTO(error_free) struct error *ignored = NULL;
    struct elsewhere search = { .name = path_base(path) };
    if (!*search.name || view->ops->walk(view, "", visit, &search, &ignored) < 0) {
        free(search.found);
        return NULL;
    }
    return search.found;
}

/* --- all of it ------------------------------------------------------------------------------- */

/* A file that the path goes through as if it were a directory; free() it. */
static char *file_on_the_way(struct copy_view *view, const char *path)
{
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        AUTO(free) char *here = xstrndup(path, (size_t)(slash - path));
        AUTO(source_item_release) struct source_item item = { .path = NULL };
        if (!look(view, here, &item))
            return NULL;
        if (item.entry.type != ENTRY_DIRECTORY)
            return TAKE(here);
    }
    return NULL;
}

static void hint(struct copy_view *view, const char *path, struct error **err)
{
    bool by_case = false;
    if (view->context && context_fd(view->context) < 0) {
        error_hint(err, "the Dockerfile came without a context: name a directory as that, and "
                        "give the Dockerfile with -f");
        return;
    }
    AUTO(free) char *file = file_on_the_way(view, path);
    AUTO(free) char *near = file ? NULL : similar_path(view, path, &by_case);
    AUTO(free) char *other = file || near ? NULL : same_name_elsewhere(view, path);
    if (file)
        error_hint(err, "%s is no directory", file);
    else if (near && by_case)
        error_hint(err, "%s is there: names differ in case", near);
    else if (near || other)
        error_hint(err, "did you mean %s?", near ? near : other);
}

int copy_absent(struct copy_view *view, const char *word, const char *path, struct error **err)
{
    AUTO(free) char *target = NULL;
    AUTO(free) char *link = first_link(view, path, &target);
    if (link)
        return refuse_link(view, word, link, target, err);
    error_set_(err, ERR_NOT_FOUND, "source %s: not found in %s", word, view->name);
    hint(view, path, err);
    return -1;
}
