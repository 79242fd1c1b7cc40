/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file system of one RUN: the layers below with an upper, or a copy of the whole tree where
 * ladder.c chose that.
 *
 *     prepare → fill the spec, run → finish, and the layer takes the form → release
 */
#ifndef CBUILD_BUILDER_RUN_TREE_H
#define CBUILD_BUILDER_RUN_TREE_H

#include "builder/executor.h"
#include "layers/changeset.h"
#include "layers/snapshot.h"
#include "layers/tree_copy.h"
#include "runner/sandbox.h"

struct run_tree {
    struct snapshot *snapshot; /* or */
    struct tree_copy *copy;
    struct strvec lowers;
    struct owner_records *records; /* with --record-owners; else NULL */
    /* No later RUN gets the copy: the command may do what hides its changes, set the clock back. */
    bool is_single_use;
    char *root, *scratch; /* paths of the upper or of the whole tree, and of the work directory */
};

#define RUN_TREE_INIT                                                                              \
    {                                                                                              \
        .lowers = STRVEC_INIT                                                                      \
    }

void run_tree_release(struct run_tree *tree);
DEFINE_AUTO_STRUCT(struct run_tree, run_tree_release)

int run_tree_prepare(struct stage_run *run, struct run_tree *ret, struct error **err) WARN_UNUSED;
/* spec->root and scratch; they live as long as the tree. */
void run_tree_fill(const struct run_tree *tree, struct sandbox_spec *spec);
/* Instead of both: 1, the upper that a build left when its command had ended (ran_record.h), and
 * what that changed; 0, it isn't there for us. */
int run_tree_take(struct stage_run *run, struct run_tree *tree, const char *form,
                  struct changeset *ret, struct error **err) WARN_UNUSED;
/*
 * Whether the upper alone tells what the command changed, however often it is asked: not where
 * owners are kept beside it, or found by times that the first look has changed.
 */
bool run_tree_is_lasting(const struct stage_run *run, const struct run_tree *tree);
/* What the command changed. tree->snapshot (may be NULL) is for layer_make(), then. */
int run_tree_finish(struct stage_run *run, struct run_tree *tree, struct changeset *ret,
                    struct error **err) WARN_UNUSED;

#endif
