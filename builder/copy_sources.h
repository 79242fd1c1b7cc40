/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the source words of a COPY to what they name.
 *
 * Words are cleaned beneath the root ("/", ".." and a trailing slash mean nothing), matched element
 * by element, top-level links are followed inside the root; a directory brings what is in it. With
 * `parents` the word is a pattern below its pivot "/./" and keeps the directories on the way.
 *
 * DOCKERFILE.md section 6, "Sources", "--parents", "--exclude". Internal to copy*.c.
 */
#ifndef CBUILD_BUILDER_COPY_SOURCES_H
#define CBUILD_BUILDER_COPY_SOURCES_H

#include "builder/copy_view.h"
#include "builder/pattern.h"

/* One of the many things that a directory brings, as it is kept: 8 bytes in a context. */
union kept_item {
    struct {
        uint64_t number : 63; /* in the context, which remembers the rest */
        uint64_t is_parent : 1;
    };
    struct source_item *item; /* owned: in a tree */
};

/* One thing that a word named. */
struct copy_source {
    char *name;              /* its last element: what a file is called in a directory */
    char *path;              /* from the view's root, links not followed */
    struct source_item item; /* the thing itself */
    union kept_item *kept;   /* what is in it, when it is a directory */
    size_t n_kept, kept_capacity;
    struct context *context; /* that it is in, borrowed; NULL: it is in a tree */
    size_t base_size;        /* where a kept item's path from the view's root is below the source */
    bool keeps_top; /* --parents: the thing itself is the pivot, whose attributes don't count */
};

struct copy_sources {
    struct copy_source *list;
    size_t n_list, list_capacity;
};

void copy_sources_release(struct copy_sources *sources);
DEFINE_AUTO_STRUCT(struct copy_sources, copy_sources_release)
/* Kept item `i`: a view, for as long as the sources and the context. */
void copy_source_get(const struct copy_source *source, size_t i, struct source_item *ret);

/*
 * Appends what `word` names. excludes: NULL: none.
 * ERR_NOT_FOUND: a literal word names nothing; the message says whether it is excluded, the hint
 * which name differs in case or is similar. ERR_SYNTAX: malformed pattern.
 */
int copy_sources_find(struct copy_view *view, const char *word, bool parents,
                      const struct pattern_list *excludes, struct copy_sources *ret,
                      struct error **err) WARN_UNUSED;

#endif
