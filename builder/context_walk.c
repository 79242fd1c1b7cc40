/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Going through a context under its ignore rules.
 *
 * A directory is listed, all its names are looked at, and it is closed before the walk goes
 * deeper: the depth of a context costs no fds, and PATH_MAX bounds the recursion (each directory is
 * opened by its whole path beneath the root).
 */
#include "base/cancel.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/path.h"
#include "builder/context_internal.h"

#include <errno.h>

/* An excluded directory that the walk is in: told when something below it turns out not to be. */
struct pending {
    struct entry entry;
    bool told;
};

struct walk {
    struct context *context;
    const struct pattern_list *patterns; /* NULL: no rules */
    context_visit visit;
    void *data;
    struct pending *pendings;
    size_t n_pendings, pendings_capacity;
};

static void walk_release(struct walk *walk)
{
    free(walk->pendings);
}
DEFINE_AUTO_STRUCT(struct walk, walk_release)

/* One directory's names, looked at: numbers of the context. */
struct listing {
    uint64_t *seen;
    size_t n_seen, seen_capacity;
};

static void listing_release(struct listing *listing)
{
    free(listing->seen);
}
DEFINE_AUTO_STRUCT(struct listing, listing_release)

static const struct pattern_list *rules_of(const struct context *context)
{
    return context->ignore ? context->ignore->patterns : NULL;
}

/* Which patterns match the directory `path`, for its children; "" is the root: none. */
static void state_of(const struct pattern_list *patterns, const char *path,
                     struct pattern_state *ret)
{
    AUTO(free) char *prefix = xstrdup(path);
    for (size_t end = 0; path[end];) {
        end += strcspn(path + end + (end > 0), "/") + (end > 0);
        prefix[end] = '\0';
        struct pattern_state state = PATTERN_STATE_INIT;
        bool at_root = !strchr(prefix, '/');
        (void)pattern_list_walk_dir(patterns, at_root ? NULL : ret, prefix, &state);
        pattern_state_release(ret);
        *ret = state;
        prefix[end] = path[end];
    }
}

static char *child_path(const char *dir, const char *name)
{
    return dir[0] ? xasprintf("%s/%s", dir, name) : xstrdup(name);
}

/* Names as text, one after the other, and where they begin: few allocations a directory. */
struct names {
    struct strbuf text;
    size_t *starts;
    size_t n_starts, starts_capacity;
};

static void names_release(struct names *names)
{
    strbuf_release(&names->text);
    free(names->starts);
}
DEFINE_AUTO_STRUCT(struct names, names_release)

static void add_name(void *data, const char *name)
{
    struct names *names = data;
    *ARRAY_PUSH(names, starts) = names->text.size;
    strbuf_add(&names->text, name, strlen(name) + 1);
}

static int by_text(const void *a, const void *b, void *text)
{
    const size_t *x = a, *y = b;
    return strcmp((const char *)text + *x, (const char *)text + *y);
}

static int look(struct walk *walk, int fd, const char *path, const char *name, struct listing *ret,
                struct error **err)
{
    struct stat st;
    uint64_t number;
    int found = fs_stat(fd, name, &st, err);
    if (found < 0)
        return error_wrap(err, "build context");
    if (!found || S_ISSOCK(st.st_mode)) /* gone meanwhile, or nothing that a layer can hold */
        return 0;
    if (context_see(walk->context, fd, path, name, &st, &number, err) < 0)
        return -1;
    *ARRAY_PUSH(ret, seen) = number;
    return 0;
}

static int list_entries(struct walk *walk, const char *path, struct listing *ret,
                        struct error **err)
{
    if (cancel_check(err) < 0)
        return -1;
    AUTO(close) int fd = context_open_dir(walk->context, path, err);
    AUTO(names_release) struct names names = { .text = STRBUF_INIT };
    if (fd < 0 || fs_each_name(fd, add_name, &names, path[0] ? path : ".", err) < 0)
        return error_wrap(err, "build context");
    if (names.n_starts)
        qsort_r(names.starts, names.n_starts, sizeof(*names.starts), by_text, names.text.data);
    for (size_t i = 0; i < names.n_starts; i++)
        if (look(walk, fd, path, names.text.data + names.starts[i], ret, err) < 0)
            return -1;
    return 0;
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

static int walk_dir(struct walk *walk, const char *path, const struct pattern_state *state,
                    struct error **err);

static int walk_excluded(struct walk *walk, const struct entry *entry,
                         const struct pattern_state *state, struct error **err)
{
    struct pending *pending = ARRAY_PUSH(walk, pendings);
    pending->entry = *entry;
    int result = walk_dir(walk, entry->path, state, err);
    walk->n_pendings--;
    return result;
}

static int walk_subdir(struct walk *walk, const struct entry *entry,
                       const struct pattern_state *parent, struct error **err)
{
    AUTO(pattern_state_release) struct pattern_state state = PATTERN_STATE_INIT;
    if (walk->patterns) {
        struct pattern_verdict verdict =
            pattern_list_walk_dir(walk->patterns, parent, entry->path, &state);
        if (verdict.matched && !pattern_list_may_unmatch_below(walk->patterns, &state, entry->path))
            return 0;
        if (verdict.matched)
            return walk_excluded(walk, entry, &state, err);
    }
    int result = tell(walk, entry, err);
    return result == 0 ? walk_dir(walk, entry->path, &state, err) : result > 0 ? 0 : -1;
}

/* state NULL: the root's */
static int walk_dir(struct walk *walk, const char *path, const struct pattern_state *state,
                    struct error **err)
{
    AUTO(listing_release) struct listing listing = { NULL, 0, 0 };
    if (list_entries(walk, path, &listing, err) < 0)
        return -1;
    for (size_t i = 0; i < listing.n_seen; i++) {
        struct entry entry;
        context_entry(walk->context, listing.seen[i], &entry);
        if (entry.type == ENTRY_DIRECTORY) {
            if (walk_subdir(walk, &entry, state, err) < 0)
                return -1;
        } else if (!walk->patterns ||
                   !pattern_list_walk_file(walk->patterns, state, entry.path).matched) {
            if (tell(walk, &entry, err) < 0)
                return -1;
        }
    }
    return 0;
}

int context_walk(struct context *context, const char *path, context_visit visit, void *data,
                 struct error **err)
{
    if (context->fd < 0)
        return 0;
    AUTO(walk_release)
    struct walk walk = {
        .context = context, .patterns = rules_of(context), .visit = visit, .data = data
    };
    AUTO(pattern_state_release) struct pattern_state state = PATTERN_STATE_INIT;
    if (walk.patterns)
        state_of(walk.patterns, path, &state);
    return walk_dir(&walk, path, path[0] ? &state : NULL, err);
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
        state_of(patterns, path, &state);
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
    state_of(patterns, path, &state);
    if (!pattern_list_may_unmatch_below(patterns, &state, path))
        return 0;
    bool something = false;
    if (context_walk(context, path, note_something, &something, err) < 0)
        return -1;
    *ret = !something;
    return 0;
}
