/* SPDX-License-Identifier: Apache-2.0 */
/* What copy.c (from spec to sources), copy_inputs.c (the key) and copy_apply.c (the changeset)
 * share. */
#ifndef CBUILD_BUILDER_COPY_INTERNAL_H
#define CBUILD_BUILDER_COPY_INTERNAL_H

#include "builder/chmod_spec.h"
#include "builder/copy.h"
#include "builder/copy_sources.h"

struct copy_directory {
    struct context *context; /* borrowed */
    size_t position;         /* among all sources as they were written */
    struct copy_sources sources;
};

struct copy {
    bool is_add, parents, link, mounted, no_unpack, learns;
    struct file_times times;
    int64_t now;
    void (*warn)(void *data, const char *text);
    void *warn_data;

    struct context *context; /* borrowed */
    struct tree *from;       /* referenced */
    struct store *store;     /* borrowed; may be NULL */
    struct strvec words;
    struct strvec excludes;
    struct pattern_list *exclude_list; /* NULL: none */
    struct copy_file *files;           /* name is ours, content the caller's */
    size_t n_files;

    char *destination; /* clean, from the root, no leading slash */
    bool to_directory; /* as written: it ends in a slash or a dot */
    char *chown;       /* NULL: not given */
    char *chmod_text;  /* NULL: not given */
    struct chmod_spec chmod;

    struct copy_directory *directories;
    size_t n_directories, directories_capacity;

    bool all_known;   /* digests of the sources' files */
    bool has_sources; /* they were looked for: of a context in phase 1 */
    struct copy_sources sources;
    size_t *word_ends; /* how many sources the words up to this one have */
};

/* Fills sources from the words; once. */
int copy_find_sources(struct copy *copy, struct error **err) WARN_UNUSED;
void copy_warn(struct copy *copy, const char *format, ...) PRINTF(2, 3);

#endif
