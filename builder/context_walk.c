/* SPDX-License-Identifier: Apache-2.0 */
/* Going through a context under its ignore rules: telling what context_scan.h looks at. */
#include "base/array.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/path.h"
#include "builder/context_internal.h"
#include "builder/context_scan.h"

/* An excluded directory that the walk is in: told when something below it turns out not to be. */
struct pending {
    struct entry entry;
    bool told;
};

struct walk {
    struct context *context;
    struct scan *scan;
    context_visit visit;
    void *data;
    struct pending *pendings;
    size_t n_pendings, pendings_capacity;
};

static void walk_release(struct walk *walk)
{
    free(walk->pendings);
    scan_free(walk->scan);
}
DEFINE_AUTO_STRUCT(struct walk, walk_release)

static const struct pattern_list *rules_of(const struct context *context)
{
    return context->ignore ? context->ignore->patterns : NULL;
}

static char *child_path(const char *dir, const char *name)
{
    return dir[0] ? xasprintf("%s/%s", dir, name) : xstrdup(name);
}

static int tell(struct walk *walk, const struct entry *entry, struct error **err)
{
    for (size_t i = 0; i < walk->n_pendings; i++) {
        struct pending *pending = &walk->pendings[i];
        if (!pending->told && walk->visit(walk->data, &pending->entry, err) < 0)
            return -1;
        pending->told = true;
    }
    return walk->visit(walk->data, entry, err);
}

static int walk_dir(struct walk *walk, struct scan_dir *dir, struct error **err);

static int walk_excluded(struct walk *walk, const struct entry *entry, struct scan_dir *dir,
                         struct error **err)
{
    struct pending *pending = ARRAY_PUSH(walk, pendings);
    pending->entry = *entry;
    int result = walk_dir(walk, dir, err);
    walk->n_pendings--;
    return result;
}

static int walk_subdir(struct walk *walk, const struct entry *entry, struct scan_dir *dir,
                       struct error **err)
{
    if (dir->is_excluded)
        return walk_excluded(walk, entry, dir, err);
    int result = tell(walk, entry, err);
    if (result == 0)
        return walk_dir(walk, dir, err);
    scan_drop(walk->scan, dir);
    return result > 0 ? 0 : -1;
}

static int walk_dir(struct walk *walk, struct scan_dir *dir, struct error **err)
{
    if (scan_await(walk->scan, dir, err) < 0)
        return -1;
    struct scan_dir *child = dir->children;
    for (size_t i = 0; i < dir->n_seen; i++) {
        struct entry entry;
        context_entry(walk->context, dir->seen[i], &entry);
        int result = entry.type == ENTRY_DIRECTORY ? walk_subdir(walk, &entry, child++, err)
                                                   : tell(walk, &entry, err);
        if (result < 0)
            return -1;
    }
    scan_leave(dir);
    return 0;
}

int context_walk(struct context *context, const char *path, context_visit visit, void *data,
                 struct error **err)
{
    if (context->fd < 0)
        return 0;
    AUTO(walk_release)
    struct walk walk = { .context = context, .visit = visit, .data = data };
    walk.scan = scan_new(context, path);
    return walk_dir(&walk, scan_root(walk.scan), err);
}

/* Whether rules hide a name; directories that may hold something re-included aren't hidden. */
static bool is_hidden(const struct pattern_list *patterns, const struct pattern_state *parent,
                      const char *path, bool is_directory)
{
    if (!is_directory)
        return pattern_list_walk_file(patterns, parent, path).matched;
    AUTO(pattern_state_release) struct pattern_state state = PATTERN_STATE_INIT;
    return pattern_list_walk_dir(patterns, parent, path, &state).matched &&
           !pattern_list_may_unmatch_below(patterns, &state, path);
}

int context_list(struct context *context, const char *path, struct strvec *names,
                 struct error **err)
{
    if (context->fd < 0)
        return 0;
    AUTO(close) int fd = context_open_dir(context, path, err);
    AUTO(strvec_release) struct strvec all = STRVEC_INIT;
    if (fd < 0 || fs_list_fd(fd, &all, path[0] ? path : ".", err) < 0)
        return error_wrap(err, "build context");
    const struct pattern_list *patterns = rules_of(context);
    AUTO(pattern_state_release) struct pattern_state state = PATTERN_STATE_INIT;
    if (patterns)
        scan_matches_of(patterns, path, &state);
    for (size_t i = 0; i < all.n; i++) {
        struct stat st;
        AUTO(free) char *child = child_path(path, all.items[i]);
        int found = patterns ? fs_stat(fd, all.items[i], &st, err) : 1;
        if (found < 0)
            return error_wrap(err, "build context");
        if (!found ||
            (patterns && is_hidden(patterns, path[0] ? &state : NULL, child, S_ISDIR(st.st_mode))))
            continue;
        strvec_push(names, all.items[i]);
    }
    return 0;
}

static int note_something(void *data, const struct entry *entry UNUSED, struct error **err UNUSED)
{
    *(bool *)data = true;
    return 1;
}

int context_is_excluded(struct context *context, const char *path, bool is_directory, bool *ret,
                        struct error **err)
{
    const struct pattern_list *patterns = rules_of(context);
    *ret = patterns && path[0] && pattern_list_match(patterns, path).matched;
    if (!*ret || !is_directory)
        return 0;
    AUTO(pattern_state_release) struct pattern_state state = PATTERN_STATE_INIT;
    scan_matches_of(patterns, path, &state);
    if (!pattern_list_may_unmatch_below(patterns, &state, path))
        return 0;
    bool something = false;
    if (context_walk(context, path, note_something, &something, err) < 0)
        return -1;
    *ret = !something;
    return 0;
}
