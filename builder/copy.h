/* SPDX-License-Identifier: Apache-2.0 */
/*
 * COPY and ADD, everything expanded already: from sources to inputs of the cache
 * key, and from there to a changeset on a destination tree.
 *
 * Two phases, so that a cached step never touches the destination:
 *   1. copy_new(): finds the sources, hashes what the key needs (context files), reports the
 * missing ones.
 *   2. copy_changeset(): owners, modes, destination rules against the tree below.
 *
 * DOCKERFILE.md sections 6 and 11
 */
#ifndef CBUILD_BUILDER_COPY_H
#define CBUILD_BUILDER_COPY_H

#include "builder/context.h"
#include "builder/inputs.h"
#include "layers/changeset.h"
#include "layers/file_times.h"
#include "layers/tree.h"

struct copy_file { /* a heredoc, or a downloaded file of ADD */
    char *name;    /* target name when the destination is a directory */
    const void *data;
    size_t size;
    int fd; /* content when data is NULL: read with pread; borrowed */
    uint16_t mode;
    int64_t mtime;
    bool unpack;     /* ADD --unpack of a download */
    size_t position; /* of a download, among all sources as they were written; heredocs come last */
};

struct copy_spec {
    bool is_add;
    struct context *context; /* sources are in it (borrowed, must outlive the changeset); or */
    struct tree *from;       /* in this tree (referenced by the copy); or neither: only `files` */
    struct store *store;     /* where unpacked archives are spooled; NULL: the context's store */
    const struct strvec *sources; /* expanded words, as written */
    const struct copy_file *files;
    size_t n_files;
    const char *destination; /* expanded, as written */
    const char *working_dir; /* absolute */
    const char *chown;       /* "user[:group]", or NULL */
    const char *chmod;       /* octal or symbolic, or NULL */
    const struct strvec *excludes;
    bool parents;
    bool link;
    bool mounted;   /* not copied: a mount shows the source itself, and all its xattrs */
    bool no_unpack; /* ADD --unpack=false */
    int64_t now;    /* time of created parents: the build's, or the epoch */
    struct file_times times;
    /* warnings: "directory /new/dir gets mode 0644"; text is borrowed */
    void (*warn)(void *data, const char *text);
    void *warn_data;
};

struct copy;

/*
 * Phase 1. ERR_NOT_FOUND: a literal source is absent, excluded (by which rule), or differs in case
 * (the hint says so). Sources in a tree are looked for by copy_add_tree_contents(), or in phase 2:
 * a cached step mostly doesn't need its entries. ERR_SYNTAX: a pattern, mode or flag that makes no
 * sense. The spec's strings may go away afterwards; context and files' content must outlive the
 * copy.
 */
struct copy *copy_new(const struct copy_spec *spec, struct error **err);
void copy_free(struct copy *copy);
DEFINE_AUTO(struct copy, copy_free)

/*
 * Adds what the key needs: for context sources each entry's type, mode, owner, digest, link,
 * capability under its path in the context; for trees only the source words (the caller adds what
 * they bring, see below); for `files` name, mode and digest; and destination, chown, chmod, flags.
 * Never a time. Many files are no items that are kept: the copy is asked for them (inputs_keep()).
 */
int copy_add_inputs(struct copy *copy, struct inputs *inputs, struct error **err) WARN_UNUSED;

/* Whether much of the context's files has to be read before its inputs are known. */
bool copy_has_unread(struct copy *copy);
/*
 * Instead of reading them first: what the changeset is made of is hashed while it is read for the
 * layer, and copy_add_inputs() is called when that is through. Before copy_changeset().
 */
void copy_learn(struct copy *copy);
/* Names, types and sizes: equal for equal inputs. Of a COPY from a context. */
struct digest copy_shape(const struct copy *copy);

/* What tells one choice of files of a tree from another: words, excludes, flags. */
void copy_add_selection(const struct copy *copy, struct inputs *inputs);
/*
 * What the sources in the tree are: items as those of a context's files. Contents that no layer
 * knows yet are read. ERR_NOT_FOUND as copy_new().
 */
int copy_add_tree_contents(struct copy *copy, struct inputs *inputs,
                           struct error **err) WARN_UNUSED;

/*
 * All that is in a context, besides the sources; ADD of a git repository. Borrowed, must outlive
 * the changeset. It isn't among the inputs: the caller has something shorter that stands for it.
 */
int copy_add_directory(struct copy *copy, struct context *context, size_t position,
                       struct error **err) WARN_UNUSED;

/*
 * Phase 2, once: the changeset on `below`. It keeps what it needs: the copy and `files` may go; the
 * context must outlive it. ERR_EXISTS: the destination has something of another kind there;
 * ERR_NOT_FOUND: --chown names somebody unknown; else as copy_new().
 */
int copy_changeset(struct copy *copy, struct tree *below, struct changeset *ret,
                   struct error **err) WARN_UNUSED;

/*
 * layer_make() of such a changeset. The layer knows from the start what its key knew: digests of
 * contents, so that who copies from it doesn't read it for them.
 */
struct layer *copy_make_layer(struct store *store, const struct layer_options *options,
                              struct changeset *changeset);
/*
 * A digest of all that the changeset's layer will be made of, without reading it: equal ones give
 * equal layers. For this process only, and as long as trees that it takes files of are held. False:
 * contents can't be told apart.
 */
bool copy_changeset_print(const struct changeset *changeset, struct digest *ret);
/* What a layer of copy_learn() knows of the context's contents, when it is complete. */
void copy_teach_layer(struct context *context, struct layer *layer);

/* WORKDIR: the missing directories of an absolute path, owned by uid:gid; may be empty. */
int copy_workdir_changeset(struct tree *below, const char *path, uint32_t uid, uint32_t gid,
                           int64_t now, struct changeset *ret, struct error **err) WARN_UNUSED;

#endif
