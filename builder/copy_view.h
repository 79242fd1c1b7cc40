/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the sources of a COPY are looked up: a build context (as its ignore rules show it) or a
 * tree of layers. Paths are clean, relative, and taken literally: links are followed by
 * copy_sources.c. Internal to copy*.c.
 */
#ifndef CBUILD_BUILDER_COPY_VIEW_H
#define CBUILD_BUILDER_COPY_VIEW_H

#include "builder/context.h"
#include "layers/tree.h"

/* One thing that a source brings. */
struct source_item {
    char *path;              /* below the source: "" is the source itself */
    struct entry entry;      /* as it is there; its path is from the view's root */
    char *link_key;          /* in a tree: files with one key are names of one file */
    struct tree_entry place; /* in a tree: where the content is */
    bool is_parent;          /* a directory that is only there because something below it is */
    bool is_view;            /* what it points to belongs to somebody else */
};

void source_item_release(struct source_item *item);
DEFINE_AUTO_STRUCT(struct source_item, source_item_release)
/* What names of one file have in common; NULL: it has no others. context: it is in, or NULL. */
char *source_item_link_key(struct context *context, const struct source_item *item);

struct copy_view;

struct copy_view_ops {
    /*
     * 1 and the item (path ""), 0 where there is nothing. *why (free it) may tell why not: an
     * excluded path, a socket; `hidden` is set when it is there and excluded.
     */
    int (*stat)(struct copy_view *view, const char *path, struct source_item *ret, bool *hidden,
                char **why, struct error **err);
    int (*list)(struct copy_view *view, const char *path, struct strvec *names, struct error **err);
    /* As context_walk(): items may be taken unless they are views; their path is from the view's
     * root. */
    int (*walk)(struct copy_view *view, const char *path,
                int (*visit)(void *data, struct source_item *item, struct error **err), void *data,
                struct error **err);
};

struct copy_view {
    const struct copy_view_ops *ops;
    struct context *context; /* one of them, borrowed */
    struct tree *tree;
    const char *name; /* "the build context", "the source": for messages */
};

struct copy_view copy_view_of_context(struct context *context);
struct copy_view copy_view_of_tree(struct tree *tree);

/* A copy of the attributes; of the xattrs only what copies between trees keep: security.capability
 * and user.*. An entry that no layer names: 0755, 0:0, time 0. */
void copy_tree_attributes(struct entry *to, const struct tree_entry *from);

#endif
