/* SPDX-License-Identifier: Apache-2.0 */
/* What apply.c, which takes entries, and apply_finish.c, which completes a form, share. */
#ifndef CBUILD_LAYERS_FORM_WRITER_H
#define CBUILD_LAYERS_FORM_WRITER_H

#include "base/hashmap.h"
#include "base/strvec.h"
#include "layers/apply.h"
#include "layers/attributes.h"
#include "layers/form_files.h"
#include "layers/private_form.h"

#include <sys/stat.h>

struct form_directory {
    struct entry entry; /* its attributes, when named */
    bool named;
    bool opaque;
    bool hide; /* it took the place of a whiteout or another thing of this layer */
};

struct form_open_dir {
    char *path; /* NULL: none */
    int fd;
};

struct form_writer {
    struct tree *below;
    struct private_form *form;
    int root_fd; /* the form's */
    struct rights rights;
    bool needs_below, finished;

    struct form_open_dir parent, link_parent; /* the last used */
    struct hashmap directories;               /* path → struct form_directory */
    struct entry *links;                      /* whose target wasn't there yet */
    size_t n_links, links_capacity;
    struct strvec whiteouts;
    struct hashmap copies; /* path in `below` → our path: hard links copied from there */

    struct form_files *files; /* contents and attributes; also of the one being written */
};

/* The directory's note, new if there is none. */
struct form_directory *form_get_directory(struct form_writer *form, const char *path);
/* The directory `path` through the cache; -1 with *err NULL when there is none and !make. */
int form_open_directory(struct form_writer *form, struct form_open_dir *cache, const char *path,
                        bool make, struct error **err) WARN_UNUSED;
/* Whether opening beneath the root found nothing, or something else than a directory. */
bool form_is_not_there(const struct error *error);
bool form_is_whiteout(const struct stat *st);
/* 1 linked, 0 the target isn't in this form (yet) */
int form_try_link(struct form_writer *form, int parent, const char *path, const char *target,
                  struct error **err) WARN_UNUSED;

#endif
