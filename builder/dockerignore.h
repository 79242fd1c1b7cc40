/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ignore files. `#` in column 0 is a comment, blanks around are trimmed, a
 * leading slash is dropped, `!` negates. Pure.
 */
#ifndef CBUILD_BUILDER_DOCKERIGNORE_H
#define CBUILD_BUILDER_DOCKERIGNORE_H

#include "base/error.h"
#include "base/strvec.h"
#include "builder/pattern.h"
#include "builder/source_text.h"

struct dockerignore {
    struct source_text *source;
    struct strvec texts; /* the patterns, cleaned */
    size_t *lines;       /* where each of them stands */
    struct pattern_list *patterns;
};

/* `name` is for errors and for dockerignore_explain(). ERR_SYNTAX with NAME:LINE and excerpt. */
int dockerignore_parse(const char *name, const char *data, size_t size, struct dockerignore **ret,
                       struct error **err) WARN_UNUSED;
void dockerignore_free(struct dockerignore *ignore);
DEFINE_AUTO(struct dockerignore, dockerignore_free)

/* Only the list of patterns, not compiled: nothing can be wrong yet. lines (NULL: not wanted) is
 * freed by the caller. */
void dockerignore_read(const char *data, size_t size, struct strvec *patterns, size_t **lines);

/* NULL when the path is not ignored, else "excluded by line 3 of .dockerignore (node_modules)". */
char *dockerignore_explain(const struct dockerignore *ignore, const char *path) WARN_UNUSED;

#endif
