/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing a directory form, entry by entry: from a tar, or from a changeset on
 * the same pass that writes the layer. All path work beneath the form's root
 * with openat2; directory fds are cached. Times of directories are set at the end.
 * image-spec v1.1, layer.md, "Applying Changesets"; RELIABILITY.md 11
 */
#ifndef CBUILD_LAYERS_APPLY_H
#define CBUILD_LAYERS_APPLY_H

#include "base/hashmap.h"
#include "layers/entry.h"
#include "oci/store.h"

#include <sys/stat.h>

struct form_writer;
struct tar_reader;
struct tree;

/*
 * below: the chain beneath (NULL: nothing): implied parents get its attributes, hard links into it
 * are copied from it. Borrowed until free.
 */
struct form_writer *form_writer_new(struct store *store, struct tree *below, struct error **err);
int form_writer_entry(struct form_writer *form, const struct entry *entry,
                      struct error **err) WARN_UNUSED;
int form_writer_data(struct form_writer *form, const void *data, size_t size,
                     struct error **err) WARN_UNUSED;
/* The tar's current entry, with its content. */
int form_writer_unpack(struct form_writer *form, struct tar_reader *tar, const struct entry *entry,
                       struct error **err) WARN_UNUSED;
/* Nothing happens for a while: gives back what it can do without. */
int form_writer_rest(struct form_writer *form, struct error **err) WARN_UNUSED;
/* No entry follows: completes links and directories. Called by commit where it wasn't before. */
int form_writer_finish(struct form_writer *form, struct error **err) WARN_UNUSED;
/* After finish: it left out parents or links into a lower layer, so commit names it by chain_id. */
bool form_writer_needs_chain(const struct form_writer *form);
/*
 * Completes and names it: d-diff_id when it needed nothing from below, else c-chain_id. Another
 * process that was first wins silently. chain_id may be unset where it isn't needed. Returns an
 * O_PATH fd of the form.
 */
int form_writer_commit(struct form_writer *form, const struct digest *diff_id,
                       const struct digest *chain_id, struct error **err) WARN_UNUSED;
/* Without commit: removes it. */
void form_writer_free(struct form_writer *form);
DEFINE_AUTO(struct form_writer, form_writer_free)

/*
 * A plain tree (no overlay marks) at dir_fd from a chain: for `export`, tests and --output
 * type=local.
 */
int apply_tree(struct tree *tree, int dir_fd, struct error **err) WARN_UNUSED;
/*
 * The same where apply_tree() wrote a tree before that `tree` stands on, of n_layers layers, and
 * commands have changed what they liked since. What nobody touched and no later layer changes
 * stays, all else is made anew: the outcome is that of an empty directory.
 */
struct apply_again_options {
    size_t n_layers;
    /* Of what stands at the path now and is no directory. */
    bool (*is_untouched)(const void *data, const char *path, const struct stat *st);
    const void *data;
};
int apply_tree_again(struct tree *tree, int dir_fd, const struct apply_again_options *options,
                     struct error **err) WARN_UNUSED;
struct apply_copy_options {
    struct hashmap *taken; /* or NULL: names that earlier calls wrote, to get ours */
    bool deletes;          /* what stands there and isn't of the tree goes, too */
};
/*
 * The same for the caller's own use, as `cp` would: all is his, devices are left out, what stands
 * there already is replaced, directories are filled. ERR_INVALID where an earlier call has a name.
 * With `deletes` a thing of another kind makes way, too; links are never followed, and what is
 * mounted below is an error (EBUSY).
 */
int apply_tree_copy(struct tree *tree, int dir_fd, const struct apply_copy_options *options,
                    struct error **err) WARN_UNUSED;

#endif
