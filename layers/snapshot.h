/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directory forms of layers, in overlay format: whiteout = char 0:0, opaque =
 * user.overlay.opaque. A cache, never a truth: made again from verified blobs.
 *
 * They live under layers/FORM/NAME; FORM tells the xattr prefix and id map ("u-root" for root; an
 * ordinary user's "u-plain" hold no owners, devices and whiteouts: good for reading content only;
 * "u-" and 12 hex digits for an id map).
 * NAME: m-HEX   several layers as one (merged_form.h) d-HEX   made by applying the tar with this
 * diff_id, complete in itself c-HEX   chain_id: a RUN's upper, or a tar that leaves out parents or
 * links into a lower layer p-...   private: work in progress, or a RUN's upper whose chain_id isn't
 * known yet; its process holds a lock (private_form.h)
 */
#ifndef CBUILD_LAYERS_SNAPSHOT_H
#define CBUILD_LAYERS_SNAPSHOT_H

#include "oci/store.h"

#include <stdbool.h>

struct snapshot;
struct tree;

/*
 * A private, empty upper with a fresh work directory beside it, for one RUN. The fds may be used by
 * any thread; the other calls are the owner's.
 */
struct snapshot *snapshot_new(struct store *store, struct error **err);
/*
 * The merged root directory has the attributes of the topmost one, the upper: gives it those that
 * "/" has in `below`. Before it is mounted; without this it is 0755, 0:0.
 */
int snapshot_adopt_root(struct snapshot *snapshot, struct tree *below,
                        struct error **err) WARN_UNUSED;
/*
 * An upper that a process left when it died, under the name that snapshot_private_name() gave: ours
 * from now on, sealed. `lock` (consumed) is that of snapshot_lock_name(). NULL and *err NULL: it
 * isn't there.
 */
struct snapshot *snapshot_reopen(struct store *store, const char *name, struct lockfile *lock,
                                 struct error **err);
/* What to lock for a private name, part of it; NULL: it is none of this id map. */
const char *snapshot_lock_name(const char *name);
/* "FORM/p-...", as long as it has no final name; else NULL. free() it. Not while another thread may
 * name it. */
char *snapshot_private_name(const struct snapshot *snapshot, struct error **err);
/* While it is private snapshot_free() will leave it for snapshot_reopen(). */
void snapshot_keep(struct snapshot *snapshot);
/* O_PATH|O_DIRECTORY; belong to the snapshot. */
int snapshot_upper_fd(const struct snapshot *snapshot);
int snapshot_work_fd(const struct snapshot *snapshot);
/* Absolute path of the upper as it is called now; free() it. */
char *snapshot_upper_path(const struct snapshot *snapshot);
/*
 * The RUN is over: the work directory isn't used any more. It goes when the form gets its name, or
 * with it: removing what overlay left there takes as long as mounting it, and nothing waits for
 * that.
 */
void snapshot_seal(struct snapshot *snapshot);
/* Gives it its final name c-HEX; where that exists, ours stays private and is removed at free. */
int snapshot_name(struct snapshot *snapshot, const struct digest *chain_id,
                  struct error **err) WARN_UNUSED;
/* Removes what is still private. */
void snapshot_free(struct snapshot *snapshot);
DEFINE_AUTO(struct snapshot, snapshot_free)

/*
 * Whether forms of a user namespace are in the store: who isn't in it may neither read nor remove
 * all of them.
 */
bool snapshot_has_mapped(struct store *store);
/* The same, not counting those of the namespace that we are in. */
bool snapshot_has_other_maps(struct store *store);

/* An existing form, leased: an O_PATH fd, or -1 with *err NULL when there is none. */
int snapshot_find(struct store *store, const struct digest *diff_id, const struct digest *chain_id,
                  struct error **err) WARN_UNUSED;

/* The same of a merged form: merged_form.h. */
int snapshot_find_merged(struct store *store, const struct digest *name,
                         struct error **err) WARN_UNUSED;

#endif
