/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/run_tree.h"

#include "base/mem.h"
#include "builder/epoch.h"
#include "layers/diff.h"
#include "layers/merged_form.h"

void run_tree_release(struct run_tree *tree)
{
    snapshot_free(tree->snapshot);
    tree_copy_free(tree->copy);
    strvec_release(&tree->lowers);
    owner_records_free(tree->records);
    free(tree->root);
    free(tree->scratch);
    *tree = (struct run_tree)RUN_TREE_INIT;
}

/* Through our descriptors: a form may be renamed to its final name while we mount it. */
static char *fd_path(int fd)
{
    return xasprintf("/proc/self/fd/%d", fd);
}

static int add_lowers(struct stage_run *run, struct run_tree *tree, struct error **err)
{
    AUTO(free) int *fds = NULL;
    size_t n_fds = 0;
    if (tree_lowers(run->tree, run->build->pool, &fds, &n_fds, err) < 0)
        return -1;
    for (size_t i = 0; i < n_fds; i++)
        strvec_take(&tree->lowers, fd_path(fds[i]));
    if (n_fds > MERGED_LAYERS)
        tree_merge_forms(run->tree, run->build->group);
    return 0;
}

/* That of the RUN before, as good as new; NULL: there is none. */
static struct tree_copy *take_copy(struct stage_run *run)
{
    AUTO(tree_copy_free) struct tree_copy *copy = TAKE(run->copy);
    AUTO(error_free) struct error *ignored = NULL; /* what stands in the way goes with it */
    if (!copy || !tree_copy_serves(copy, run->tree) ||
        tree_copy_renew(copy, run->tree, &ignored) < 0)
        return NULL;
    return TAKE(copy);
}

static int prepare_copy(struct stage_run *run, struct run_tree *ret, struct error **err)
{
    ret->copy = take_copy(run);
    if (!ret->copy)
        ret->copy = tree_copy_new(run->build->store, run->tree, err);
    if (!ret->copy)
        return -1;
    ret->root = fd_path(tree_copy_root_fd(ret->copy));
    ret->scratch = fd_path(tree_copy_work_fd(ret->copy));
    return 0;
}

int run_tree_prepare(struct stage_run *run, struct run_tree *ret, struct error **err)
{
    if (ladder_choose(run->build, err) < 0)
        return -1;
    if (run->build->options->record_owners)
        ret->records = owner_records_new();
    if (run->build->copies)
        return prepare_copy(run, ret, err);
    ret->snapshot = snapshot_new(run->build->store, err);
    if (!ret->snapshot || snapshot_adopt_root(ret->snapshot, run->tree, err) < 0 ||
        add_lowers(run, ret, err) < 0)
        return -1;
    ret->root = fd_path(snapshot_upper_fd(ret->snapshot));
    ret->scratch = fd_path(snapshot_work_fd(ret->snapshot));
    return 0;
}

void run_tree_fill(const struct run_tree *tree, struct sandbox_spec *spec)
{
    spec->scratch = tree->scratch;
    spec->records = tree->records;
    if (tree->copy)
        spec->root = (struct sandbox_tree){ .directory = tree->root };
    else
        spec->root = (struct sandbox_tree){ .lowers = (const char *const *)tree->lowers.items,
                                            .n_lowers = tree->lowers.n,
                                            .upper = tree->root };
}

static int finish_copy(struct stage_run *run, struct run_tree *tree,
                       const struct diff_options *options, struct changeset *ret,
                       struct error **err)
{
    AUTO(tree_copy_free) struct tree_copy *next = tree_copy_ref(tree->copy);
    if (tree_copy_seal(tree->copy, err) < 0 ||
        diff_copy(&tree->copy, run->tree, options, ret, err) < 0)
        return -1;
    if (!tree->is_single_use)
        run->copy = TAKE(next);
    return 0;
}

int run_tree_finish(struct stage_run *run, struct run_tree *tree, struct changeset *ret,
                    struct error **err)
{
    const struct diff_options options = { .times = epoch_file_times(run->build),
                                          .single_id = run->build->single_id != NULL,
                                          .records = tree->records };
    if (tree->copy)
        return finish_copy(run, tree, &options, ret, err);
    snapshot_seal(tree->snapshot);
    return diff_upper(tree->snapshot, run->tree, &options, ret, err);
}

bool run_tree_is_lasting(const struct stage_run *run, const struct run_tree *tree)
{
    return tree->snapshot && !tree->records && !run->build->single_id;
}

int run_tree_take(struct stage_run *run, struct run_tree *tree, const char *form,
                  struct changeset *ret, struct error **err)
{
    const char *name = snapshot_lock_name(form);
    /* the kernel may not be through with closing what the dead one had open */
    struct lockfile *lock = name ? schedule_lock(run->build, name, err) : NULL;
    tree->snapshot = lock ? snapshot_reopen(run->build->store, form, lock, err) : NULL;
    if (!tree->snapshot)
        return *err ? -1 : 0;
    if (!run_tree_is_lasting(run, tree))
        return 0;
    return run_tree_finish(run, tree, ret, err) < 0 ? -1 : 1;
}
