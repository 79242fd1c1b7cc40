/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a RUN changed: the overlay upper, or a whole tree, compared with the chain below.
 *
 * 1. A thing that the layer's tar couldn't tell from what is below is left out: same type, mode,
 *    owner, size, time in whole seconds, attributes, link or device, and content. So copy-ups
 *    without change vanish, while a new time makes a file a change.
 * 2. A directory whose time alone changed is left out too, unless something beneath it
 *    changed: then it and its parents are named, so that the tar is complete in itself.
 * 3. An opaque directory becomes one whiteout per child that exists below and isn't in the upper.
 * 4. Names of one file are hard links among what is named; a file of a lower layer that got one
 * more name is copied under the new name only.
 * 5. Sockets are left out; `*.overlay.*` attributes never leave; "/" itself is never named.
 * 6. Where owners aren't on the disk (single_id) they come from the chain below; what was recorded
 *    of a file (records) counts before both.
 * 7. A recorded device goes to the layer, and leaves the upper, which can't hold it.
 * Costs what the upper holds, not what the tree holds.
 */
#ifndef CBUILD_LAYERS_DIFF_H
#define CBUILD_LAYERS_DIFF_H

#include "base/owner_records.h"
#include "layers/changeset.h"
#include "layers/file_times.h"
#include "layers/snapshot.h"
#include "layers/tree.h"
#include "layers/tree_copy.h"

struct diff_options {
    struct file_times times;
    /* All files of the upper are a single id's: owners are what upper_owner.h says. */
    bool single_id;
    /* What the RUN would have made; devices stand as files in the upper. May be NULL. */
    const struct owner_records *records;
};

/*
 * The changeset reads content from the upper when it is streamed: the snapshot must outlive it
 * (layer_make() takes both). Also gives the files of the upper the times that the tar will have. A
 * name ".wh.*" is ERR_INVALID, a path of more than 4095 bytes ERR_LIMIT.
 */
int diff_upper(struct snapshot *upper, struct tree *below, const struct diff_options *options,
               struct changeset *ret, struct error **err) WARN_UNUSED;

/*
 * The same of a whole tree that was copied from `below`, by the same rules, with the same outcome
 * but for one thing: names of one file of a lower layer are one file in the copy, where overlay
 * parts them at the first write. So what is written under one name is a change of all. The
 * changeset owns *copy, which becomes NULL; on failure it stays the caller's.
 */
int diff_copy(struct tree_copy **copy, struct tree *below, const struct diff_options *options,
              struct changeset *ret, struct error **err) WARN_UNUSED;

#endif
