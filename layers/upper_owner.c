/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/upper_owner.h"

#include "base/hashmap.h"
#include "base/mem.h"
#include "layers/attributes.h"

#include <errno.h>
#include <sys/xattr.h>

#define ATTRIBUTE_ORIGIN "user.overlay.origin"

/* 1 it has the attribute, whatever its value; 0 not; -1 */
static int has_attribute(const struct upper_place *place, const char *attribute, struct error **err)
{
    AUTO(free) char *path = xasprintf("/proc/self/fd/%d/%s", place->dir_fd, place->name);
    if (lgetxattr(path, attribute, NULL, 0) >= 0)
        return 1;
    if (errno == ENODATA || errno == ENOTSUP || errno == EPERM)
        return 0;
    return error_errno(err, "reading attribute %s", attribute);
}

/* Copying up keeps the time, and forms have whole seconds: of what is new that is an accident. */
static bool has_time_of_below(const struct upper_place *place)
{
    return place->st->st_mtim.tv_nsec == 0 && place->st->st_mtim.tv_sec == place->below->mtime;
}

int upper_is_copied_up(const struct upper_place *place, struct error **err)
{
    if (!place->below || place->is_copy)
        return place->below != NULL;
    if (S_ISDIR(place->st->st_mode)) {
        int opaque = has_attribute(place, ATTRIBUTE_OPAQUE, err);
        return opaque < 0 ? -1 : !opaque;
    }
    if (place->has_names || has_time_of_below(place))
        return 1;
    return S_ISREG(place->st->st_mode) ? has_attribute(place, ATTRIBUTE_ORIGIN, err) : 0;
}

int upper_owner_set(const struct upper_place *place, uint32_t uid, uint32_t gid,
                    struct entry *entry, struct error **err)
{
    int copied = upper_is_copied_up(place, err);
    if (copied < 0)
        return -1;
    bool is_restored = place->is_restored && place->st->st_mtim.tv_nsec;
    bool inherits = place->parent && place->parent->mode & S_ISGID;
    const struct entry *owner = copied ? place->below : is_restored ? place->replaced : NULL;
    entry->uid = owner ? owner->uid : uid;
    entry->gid = owner ? owner->gid : inherits ? place->parent->gid : gid;
    return 0;
}

/* Without padding, since its bytes are the key */
struct look {
    uint64_t size;
    int64_t mtime;
    uint64_t type;
};

/* What a whiteout hides, by its looks: the first of equal ones. */
static int add_gone(struct hashmap *gone, struct tree *below, const char *path, struct error **err)
{
    AUTO(tree_entry_release) struct tree_entry found = { 0 };
    AUTO(tree_entry_release) struct tree_entry file = { 0 };
    int there = tree_lookup(below, path, TREE_NO_LINKS, &found, err);
    if (there <= 0 || tree_entry_is_directory(&found))
        return there < 0 ? -1 : 0;
    if (tree_resolve_hardlink(below, &found, &file, err) < 0)
        return -1;
    const struct look look = { file.entry->size, file.entry->mtime, file.entry->type };
    if (!hashmap_getn(gone, &look, sizeof(look)))
        hashmap_putn(gone, &look, sizeof(look), (void *)(uintptr_t)file.entry); /* the layer's */
    return 0;
}

int upper_owner_set_moved(struct entry_list *list, struct tree *below,
                          const struct moved_file *moved, size_t n_moved, struct error **err)
{
    AUTO(hashmap_release) struct hashmap gone = HASHMAP_INIT(NULL);
    for (size_t i = 0; n_moved && i < list->n_entries; i++)
        if (list->entries[i].type == ENTRY_WHITEOUT &&
            add_gone(&gone, below, list->entries[i].path, err) < 0)
            return -1;
    for (size_t i = 0; i < n_moved; i++) {
        struct entry *entry = &list->entries[moved[i].index];
        const struct look look = { moved[i].size, moved[i].mtime, entry->type };
        const struct entry *was = hashmap_getn(&gone, &look, sizeof(look));
        if (was && !moved[i].keeps_uid)
            entry->uid = was->uid;
        if (was && !moved[i].keeps_gid)
            entry->gid = was->gid;
    }
    return 0;
}
