/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/copy_sources.h"

#include "base/array.h"
#include "base/mem.h"
#include "base/path.h"
#include "builder/copy_absent.h"

#include <string.h>
#include <strings.h>

#define LINKS_MAX 40

static void kept_release(const struct copy_source *source, union kept_item *kept)
{
    if (source->context)
        return;
    source_item_release(kept->item);
    free(kept->item);
    kept->item = NULL;
}

void copy_sources_release(struct copy_sources *sources)
{
    for (size_t i = 0; i < sources->n_list; i++) {
        struct copy_source *source = &sources->list[i];
        for (size_t k = 0; k < source->n_kept; k++)
            kept_release(source, &source->kept[k]);
        free(source->kept);
        source_item_release(&source->item);
        free(source->name);
        free(source->path);
    }
    free(sources->list);
    *sources = (struct copy_sources){ NULL, 0, 0 };
}

static void kept_get(const struct copy_source *source, const union kept_item *kept,
                     struct source_item *ret)
{
    if (!source->context) {
        *ret = *kept->item;
    } else {
        *ret = (struct source_item){ .path = NULL };
        context_entry(source->context, kept->number, &ret->entry);
        ret->path = ret->entry.path + source->base_size;
        ret->is_parent = kept->is_parent;
    }
    ret->is_view = true;
}

void copy_source_get(const struct copy_source *source, size_t i, struct source_item *ret)
{
    kept_get(source, &source->kept[i], ret);
}

struct search {
    struct copy_view *view;
    const char *word;                    /* as written */
    const struct pattern_list *includes; /* --parents: what is wanted below the pivot; NULL: all */
    const struct pattern_list *excludes;
    struct copy_sources *ret;
};

/* --- following links --- */

/* Puts a link's target in front of what is left, from the directory that holds the link. */
static char *follow(const char *done, const char *target, const char *rest)
{
    AUTO(free) char *dir = path_dir(done);
    AUTO(free) char *from = path_join(dir, target);
    return xasprintf("%s/%s", from, rest);
}

/*
 * Follows all links of `path`, inside the root. 1 and the item; else 0, *why (free it) may tell
 * more. ".." after a link counts from where the link led.
 */
static int resolve(struct search *search, const char *path, struct source_item *ret, bool *hidden,
                   char **why, struct error **err)
{
    AUTO(free) char *done = xstrdup("");
    AUTO(free) char *rest = xstrdup(path);
    struct copy_view *view = search->view;
    int found = view->ops->stat(view, "", ret, hidden, why, err);
    if (found <= 0)
        return found;
    for (int links = 0; *rest;) {
        size_t n = strcspn(rest, "/");
        AUTO(free) char *name = xstrndup(rest, n);
        AUTO(free) char *left = xstrdup(rest + n + (rest[n] == '/'));
        AUTO(free) char *next = xasprintf("%s/%s", done, name);
        AUTO(free) char *here = path_clean_rooted(next);
        free(*why);
        *why = NULL;
        found = view->ops->stat(view, here, ret, hidden, why, err);
        if (found <= 0 || (*hidden && ret->entry.type == ENTRY_SYMLINK))
            return found; /* nothing leads on through a link that is hidden */
        if (ret->entry.type == ENTRY_SYMLINK) {
            if (++links > LINKS_MAX)
                return error_set(err, ERR_LIMIT,
                                 "source %s: more than %d symbolic links on the way", path,
                                 LINKS_MAX);
            free(rest);
            free(done);
            rest = follow(here, ret->entry.link, left); /* from the root again */
            done = xstrdup("");
            continue;
        }
        free(rest);
        rest = TAKE(left);
        free(done);
        done = TAKE(here);
        if (*rest && ret->entry.type != ENTRY_DIRECTORY)
            return 0;
    }
    return 1;
}

/* --- what isn't there --- */

static int absent(struct search *search, const char *path, const char *why, struct error **err)
{
    if (why)
        return error_set(err, ERR_NOT_FOUND, "source %s: %s", search->word, why);
    return copy_absent(search->view, search->word, path, err);
}

/* --- what a directory brings --- */

struct gathering {
    struct search *search;
    struct copy_source *source;
    union kept_item *pendings; /* directories we're in that aren't kept (yet) */
    size_t n_pendings, pendings_capacity;
};

static void gathering_release(struct gathering *gathering)
{
    for (size_t i = 0; i < gathering->n_pendings; i++)
        kept_release(gathering->source, &gathering->pendings[i]);
    free(gathering->pendings);
}
DEFINE_AUTO_STRUCT(struct gathering, gathering_release)

static void move_item(struct source_item *to, struct source_item *from)
{
    *to = *from;
    *from = (struct source_item){ .path = NULL };
}

/* A context's item by its number, a tree's (taken) whole. */
static union kept_item kept_of(const struct gathering *gathering, struct source_item *item,
                               bool is_parent)
{
    union kept_item kept;
    if (gathering->source->context) {
        kept.number = item->entry.content;
        kept.is_parent = is_parent;
        return kept;
    }
    kept.item = NEW(struct source_item);
    move_item(kept.item, item);
    kept.item->is_parent = is_parent;
    return kept;
}

static void keep(struct gathering *gathering, struct source_item *item)
{
    for (size_t i = 0; i < gathering->n_pendings; i++)
        *ARRAY_PUSH(gathering->source, kept) = gathering->pendings[i];
    gathering->n_pendings = 0;
    *ARRAY_PUSH(gathering->source, kept) = kept_of(gathering, item, false);
}

/* Which patterns match a directory: for the question whether any could stop to match below. */
static bool may_come_back(const struct pattern_list *list, const char *path)
{
    AUTO(pattern_state_release) struct pattern_state state = PATTERN_STATE_INIT;
    AUTO(free) char *prefix = xstrdup(path);
    for (size_t end = 0; path[end];) {
        end += strcspn(path + end + (end > 0), "/") + (end > 0);
        prefix[end] = '\0';
        struct pattern_state next = PATTERN_STATE_INIT;
        (void)pattern_list_walk_dir(list, strchr(prefix, '/') ? &state : NULL, prefix, &next);
        pattern_state_release(&state);
        state = next;
        prefix[end] = path[end];
    }
    return pattern_list_may_unmatch_below(list, &state, path);
}

/* Directories that we have left without finding anything to keep. */
static void drop_left(struct gathering *gathering, const char *path)
{
    while (gathering->n_pendings) {
        union kept_item *last = &gathering->pendings[gathering->n_pendings - 1];
        struct source_item item;
        kept_get(gathering->source, last, &item);
        if (path_is_within(path, item.path))
            return;
        kept_release(gathering->source, last);
        gathering->n_pendings--;
    }
}

/* The item's path becomes that below the source. */
static void make_relative(const struct gathering *gathering, struct source_item *item)
{
    size_t base_size = gathering->source->base_size;
    if (item->is_view)
        item->path += base_size;
    else
        memmove(item->path, item->path + base_size, strlen(item->path + base_size) + 1);
}

static int gather(void *data, struct source_item *item, struct error **err UNUSED)
{
    struct gathering *gathering = data;
    const struct pattern_list *includes = gathering->search->includes;
    const struct pattern_list *excludes = gathering->search->excludes;
    make_relative(gathering, item);
    drop_left(gathering, item->path);

    bool included = !includes || pattern_list_match(includes, item->path).matched;
    bool excluded = excludes && pattern_list_match(excludes, item->path).matched;
    if (included && !excluded) {
        keep(gathering, item);
        return 0;
    }
    if (item->entry.type != ENTRY_DIRECTORY)
        return 0;
    if (!included && !pattern_list_may_match_below(includes, item->path))
        return 1;
    if (excluded && !may_come_back(excludes, item->path))
        return 1;
    *ARRAY_PUSH(gathering, pendings) = kept_of(gathering, item, true);
    return 0;
}

/* `item` (consumed): what the source is after following links. */
static int add_source(struct search *search, const char *path, struct source_item *item,
                      struct error **err)
{
    const char *name = path_base(path);
    bool is_directory = item->entry.type == ENTRY_DIRECTORY;
    if (!is_directory && search->includes)
        return 0; /* a wildcard before the pivot; what comes after it needs a directory */
    if (!is_directory && search->excludes && pattern_list_match(search->excludes, name).matched)
        return 0;
    struct copy_source *source = ARRAY_PUSH(search->ret, list);
    source->name = xstrdup(name);
    source->path = xstrdup(path);
    source->keeps_top = search->includes != NULL;
    source->context = search->view->context;
    AUTO(free) char *real = xstrdup(item->entry.path);
    source->base_size = strlen(real) + (real[0] != '\0');
    move_item(&source->item, item);
    if (!is_directory)
        return 0;
    AUTO(gathering_release)
    struct gathering gathering = { .search = search, .source = source };
    return search->view->ops->walk(search->view, real, gather, &gathering, err);
}

/* --- wildcards --- */

static int add_match(struct search *search, const char *path, struct error **err)
{
    AUTO(source_item_release) struct source_item item = { .path = NULL };
    AUTO(free) char *why = NULL;
    bool hidden = false;
    int found = search->view->ops->stat(search->view, path, &item, &hidden, &why, err);
    if (found < 0)
        return -1;
    if (!found || hidden) /* a socket, or a directory whose content is excluded */
        return 0;
    found = resolve(search, path, &item, &hidden, &why, err);
    if (found < 0)
        return -1;
    if (!found || hidden)
        return error_set(err, ERR_NOT_FOUND,
                         "source %s: the symbolic link %s leads to nothing in %s", search->word,
                         path, search->view->name);
    return add_source(search, path, &item, err);
}

/* pattern: what is left of the word, from the element that is to be matched in `dir`. */
static int match_below(struct search *search, const char *dir, const char *pattern,
                       struct error **err)
{
    size_t n = strcspn(pattern, "/");
    AUTO(free) char *element = xstrndup(pattern, n);
    const char *rest = pattern[n] ? pattern + n + 1 : NULL;
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    if (search->view->ops->list(search->view, dir, &names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++) {
        bool matches = false;
        if (glob_match(element, names.items[i], &matches, err) < 0)
            return -1;
        if (!matches)
            continue;
        AUTO(free) char *child = path_join(dir, names.items[i]);
        if (!rest) {
            if (add_match(search, child, err) < 0)
                return -1;
            continue;
        }
        AUTO(source_item_release) struct source_item item = { .path = NULL };
        AUTO(free) char *why = NULL;
        bool hidden;
        int found = search->view->ops->stat(search->view, child, &item, &hidden, &why, err);
        if (found < 0 || (found && item.entry.type == ENTRY_DIRECTORY &&
                          match_below(search, child, rest, err) < 0))
            return -1;
    }
    return 0;
}

/* The elements before the first with a wildcard, unescaped; *rest begins at that one, or is NULL.
 */
static char *literal_prefix(const char *pattern, const char **rest)
{
    AUTO(strbuf_release) struct strbuf literal = STRBUF_INIT;
    *rest = NULL;
    for (const char *at = pattern; *at;) {
        size_t n = strcspn(at, "/");
        AUTO(free) char *element = xstrndup(at, n);
        if (glob_has_meta(element)) {
            *rest = at;
            break;
        }
        AUTO(free) char *name = glob_unescape(element);
        strbuf_addf(&literal, "%s%s", literal.size ? "/" : "", name);
        at += n + (at[n] == '/');
    }
    return strbuf_detach(&literal);
}

static int check_pattern(const char *pattern, struct error **err)
{
    for (const char *at = pattern; *at;) {
        size_t n = strcspn(at, "/");
        AUTO(free) char *element = xstrndup(at, n);
        if (glob_check(element, err) < 0)
            return -1;
        at += n + (at[n] == '/');
    }
    return 0;
}

static int find_literal(struct search *search, const char *path, struct source_item *ret,
                        struct error **err)
{
    AUTO(free) char *why = NULL;
    bool hidden = false;
    int found = resolve(search, path, ret, &hidden, &why, err);
    if (found < 0)
        return -1;
    return found && !hidden ? 0 : absent(search, path, why, err);
}

static int find_word(struct search *search, const char *word, struct error **err)
{
    AUTO(free) char *pattern = path_clean_rooted(word);
    if (check_pattern(pattern, err) < 0)
        return error_wrap(err, "source %s", search->word);
    const char *rest;
    AUTO(free) char *prefix = literal_prefix(pattern, &rest);
    AUTO(source_item_release) struct source_item item = { .path = NULL };
    if (!rest)
        return find_literal(search, prefix, &item, err) < 0
                   ? -1
                   : add_source(search, prefix, &item, err);
    AUTO(free) char *why = NULL;
    bool hidden;
    int found = resolve(search, prefix, &item, &hidden, &why, err);
    if (found <= 0 || item.entry.type != ENTRY_DIRECTORY)
        return found < 0 ? -1 : 0; /* a wildcard without a match brings nothing */
    return match_below(search, item.entry.path, rest, err);
}

/* --- --parents --- */

/* Where pivot and pattern are literal the path must be there; links below the pivot aren't
 * followed. */
static int require_literal(struct search *search, const char *pivot, const char *pattern,
                           struct error **err)
{
    const char *rest;
    AUTO(free) char *base = literal_prefix(pivot, &rest);
    if (rest)
        return 0;
    AUTO(free) char *literal = literal_prefix(pattern, &rest);
    AUTO(source_item_release) struct source_item item = { .path = NULL };
    if (find_literal(search, base, &item, err) < 0)
        return -1;
    if (item.entry.type != ENTRY_DIRECTORY)
        return error_set(err, ERR_NOT_FOUND, "source %s: %s is no directory", search->word, base);
    if (rest)
        return 0;
    AUTO(free) char *path = path_join(item.entry.path, literal);
    AUTO(free) char *why = NULL;
    bool hidden = false;
    int found = search->view->ops->stat(search->view, path, &item, &hidden, &why, err);
    if (found < 0)
        return -1;
    return found && !hidden ? 0 : absent(search, path, why, err);
}

/* "a/./b/c": b/c is looked for in a, and keeps its own directories. */
static int find_with_parents(struct search *search, struct error **err)
{
    const char *dot = strstr(search->word, "/./");
    AUTO(free)
    char *before = dot ? xstrndup(search->word, (size_t)(dot - search->word)) : xstrdup("");
    AUTO(free) char *pivot = path_clean_rooted(before);
    AUTO(free) char *pattern = path_clean_rooted(dot ? dot + 3 : search->word);
    if (require_literal(search, pivot, pattern, err) < 0)
        return -1;
    AUTO(strvec_release) struct strvec patterns = STRVEC_INIT;
    /* a "!" in front would negate */
    strvec_pushf(&patterns, "%s%s", pattern[0] == '!' ? "\\" : "", pattern[0] ? pattern : "**");
    AUTO(pattern_list_free) struct pattern_list *includes = NULL;
    if (pattern_list_new(&patterns, &includes, err) < 0)
        return error_wrap(err, "source %s", search->word);
    search->includes = includes;
    int result = find_word(search, pivot, err);
    search->includes = NULL;
    return result;
}

int copy_sources_find(struct copy_view *view, const char *word, bool parents,
                      const struct pattern_list *excludes, struct copy_sources *ret,
                      struct error **err)
{
    struct search search = { .view = view, .word = word, .excludes = excludes, .ret = ret };
    return parents ? find_with_parents(&search, err) : find_word(&search, word, err);
}
