/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/upper_owner.h"

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
    bool inherits = place->parent && place->parent->mode & S_ISGID;
    entry->uid = copied ? place->below->uid : uid;
    entry->gid = copied ? place->below->gid : inherits ? place->parent->gid : gid;
    return 0;
}
