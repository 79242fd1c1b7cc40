/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/snapshot.h"

#include "base/fs.h"
#include "base/mem.h"
#include "layers/attributes.h"
#include "layers/private_form.h"
#include "layers/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define WORK "work"

struct snapshot {
    struct private_form *form;
    int work_fd; /* -1: sealed */
};

struct snapshot *snapshot_new(struct store *store, struct error **err)
{
    AUTO(snapshot_free) struct snapshot *snapshot = NEW(struct snapshot);
    snapshot->work_fd = -1;
    snapshot->form = private_form_new(store, err);
    if (!snapshot->form)
        return NULL;
    snapshot->work_fd = private_form_add(snapshot->form, WORK, err);
    if (snapshot->work_fd < 0)
        return NULL;
    struct entry root = { .type = ENTRY_DIRECTORY, .mode = 0755 };
    struct rights rights = rights_now();
    if (attributes_set_directory(private_form_fd(snapshot->form), &root, &rights, err) < 0)
        return NULL;
    return TAKE(snapshot);
}

const char *snapshot_lock_name(const char *name)
{
    AUTO(error_free) struct error *ignored = NULL; /* who can't tell the map has no forms either */
    AUTO(free) char *folder = form_folder_name(&ignored);
    const char *slash = strchr(name, '/');
    bool is_ours = folder && slash && strlen(folder) == (size_t)(slash - name) &&
                   strncmp(folder, name, strlen(folder)) == 0;
    return is_ours && strncmp(slash + 1, "p-", 2) == 0 && !strchr(slash + 1, '/') ? slash + 1
                                                                                  : NULL;
}

struct snapshot *snapshot_reopen(struct store *store, const char *name, struct lockfile *lock,
                                 struct error **err)
{
    struct private_form *form = private_form_reopen(store, snapshot_lock_name(name), lock, err);
    if (!form)
        return NULL;
    struct snapshot *snapshot = NEW(struct snapshot);
    snapshot->form = form;
    snapshot->work_fd = -1;
    return snapshot;
}

char *snapshot_private_name(const struct snapshot *snapshot, struct error **err)
{
    const char *box = private_form_box(snapshot->form);
    AUTO(free) char *folder = box ? form_folder_name(err) : NULL;
    return folder ? xasprintf("%s/%s", folder, box) : NULL;
}

void snapshot_keep(struct snapshot *snapshot)
{
    private_form_keep(snapshot->form);
}

int snapshot_adopt_root(struct snapshot *snapshot, struct tree *below, struct error **err)
{
    AUTO(tree_entry_release) struct tree_entry root = { 0 };
    if (tree_lookup(below, "", TREE_NO_LINKS, &root, err) < 0)
        return -1;
    struct rights rights = rights_now();
    return root.entry
               ? attributes_set_directory(private_form_fd(snapshot->form), root.entry, &rights, err)
               : 0;
}

int snapshot_upper_fd(const struct snapshot *snapshot)
{
    return private_form_fd(snapshot->form);
}

int snapshot_work_fd(const struct snapshot *snapshot)
{
    return snapshot->work_fd;
}

char *snapshot_upper_path(const struct snapshot *snapshot)
{
    return private_form_path(snapshot->form);
}

void snapshot_seal(struct snapshot *snapshot)
{
    close_auto(&snapshot->work_fd);
    snapshot->work_fd = -1;
}

int snapshot_name(struct snapshot *snapshot, const struct digest *chain_id, struct error **err)
{
    return private_form_publish(snapshot->form, 'c', chain_id, err) < 0 ? -1 : 0;
}

void snapshot_free(struct snapshot *snapshot)
{
    if (!snapshot)
        return;
    snapshot_seal(snapshot);
    private_form_free(snapshot->form);
    free(snapshot);
}

static bool has_names(int dir_fd, const char *name)
{
    AUTO(error_free)
    struct error *ignored = NULL; /* what can't be listed can't be collected either */
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    return fs_list(dir_fd, name, &names, &ignored) == 0 && names.n;
}

/* `except` may be NULL */
static bool has_mapped(struct store *store, const char *except)
{
    AUTO(error_free) struct error *ignored = NULL;
    AUTO(strvec_release) struct strvec folders = STRVEC_INIT;
    int layers = store_dir_fd(store, STORE_LAYERS);
    if (fs_list_fd(layers, &folders, "layers", &ignored) < 0)
        return false;
    for (size_t i = 0; i < folders.n; i++)
        if (form_folder_is_mapped(folders.items[i]) &&
            !(except && strcmp(folders.items[i], except) == 0) &&
            has_names(layers, folders.items[i]))
            return true;
    return false;
}

bool snapshot_has_mapped(struct store *store)
{
    return has_mapped(store, NULL);
}

bool snapshot_has_other_maps(struct store *store)
{
    AUTO(error_free) struct error *ignored = NULL; /* then all of them count */
    AUTO(free) char *own = form_folder_name(&ignored);
    return has_mapped(store, own);
}

/* An O_PATH fd, -1 when there is none. */
static int find_form(struct store *store, int folder_fd, char kind, const struct digest *digest,
                     struct error **err)
{
    if (!digest || !digest->is_set)
        return -1;
    if (store_lease(store, digest, err) < 0)
        return -1;
    AUTO(free) char *name = form_name(kind, digest);
    int fd = openat(folder_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 && errno != ENOENT ? error_errno(err, "opening layers/%s", name) : fd;
}

int snapshot_find(struct store *store, const struct digest *diff_id, const struct digest *chain_id,
                  struct error **err)
{
    AUTO(close) int folder_fd = form_folder_open(store, err);
    if (folder_fd < 0)
        return -1;
    int fd = find_form(store, folder_fd, 'd', diff_id, err);
    if (fd < 0 && !*err)
        fd = find_form(store, folder_fd, 'c', chain_id, err);
    return fd;
}

int snapshot_find_merged(struct store *store, const struct digest *name, struct error **err)
{
    AUTO(close) int folder_fd = form_folder_open(store, err);
    return folder_fd < 0 ? -1 : find_form(store, folder_fd, 'm', name, err);
}
