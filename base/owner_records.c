/* SPDX-License-Identifier: Apache-2.0 */
#include "base/owner_records.h"

#include "base/hashmap.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

struct owner_records {
    struct hashmap files; /* bytes of a struct key → struct owner_record */
    uint32_t uid, gid;
};

/* The used bytes are the key. */
struct key {
    size_t size;
    union {
        struct file_handle handle; /* has the number of the inode's use */
        struct {
            uint64_t inode, device;
            int64_t birth_sec, birth_nsec;
        } numbers; /* where the file system gives no handles */
        char bytes[sizeof(struct file_handle) + MAX_HANDLE_SZ];
    };
};

static bool numbers_of(int dir_fd, const char *name, struct key *key)
{
    struct statx st;
    const int flags = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT;
    if (statx(dir_fd, name, flags, STATX_INO | STATX_BTIME, &st) < 0)
        return false;
    const bool has_birth = st.stx_mask & STATX_BTIME;
    key->size = sizeof(key->numbers);
    key->numbers.inode = st.stx_ino;
    key->numbers.device = makedev(st.stx_dev_major, st.stx_dev_minor);
    key->numbers.birth_sec = has_birth ? st.stx_btime.tv_sec : 0;
    key->numbers.birth_nsec = has_birth ? st.stx_btime.tv_nsec : 0;
    return true;
}

static bool key_of(int dir_fd, const char *name, struct key *ret)
{
    int mount_id;
    memset(ret, 0, sizeof(*ret));
    ret->handle.handle_bytes = MAX_HANDLE_SZ;
    if (name_to_handle_at(dir_fd, name, &ret->handle, &mount_id, AT_EMPTY_PATH) == 0) {
        ret->size = sizeof(ret->handle) + ret->handle.handle_bytes;
        return true;
    }
    memset(ret, 0, sizeof(*ret));
    return errno != ENOENT && numbers_of(dir_fd, name, ret);
}

struct owner_records *owner_records_new(void)
{
    struct owner_records *records = NEW(struct owner_records);
    hashmap_init(&records->files, free);
    return records;
}

void owner_records_free(struct owner_records *records)
{
    if (!records)
        return;
    hashmap_release(&records->files);
    free(records);
}

size_t owner_records_n(const struct owner_records *records)
{
    return records->files.n;
}

void owner_records_set_default(struct owner_records *records, uint32_t uid, uint32_t gid)
{
    records->uid = uid;
    records->gid = gid;
}

void owner_records_get_default(const struct owner_records *records, uint32_t *uid, uint32_t *gid)
{
    *uid = records->uid;
    *gid = records->gid;
}

/* The file's record, new if there is none; NULL: there is no such file. */
static struct owner_record *get(struct owner_records *records, int dir_fd, const char *name)
{
    struct key key;
    if (!key_of(dir_fd, name, &key))
        return NULL;
    struct owner_record *record = hashmap_getn(&records->files, key.bytes, key.size);
    if (record)
        return record;
    record = NEW(struct owner_record);
    record->uid = record->gid = OWNER_UNCHANGED;
    hashmap_putn(&records->files, key.bytes, key.size, record);
    return record;
}

bool owner_records_chown(struct owner_records *records, int dir_fd, const char *name, uint32_t uid,
                         uint32_t gid)
{
    struct owner_record *record = get(records, dir_fd, name);
    if (!record)
        return false;
    if (uid != OWNER_UNCHANGED)
        record->uid = uid;
    if (gid != OWNER_UNCHANGED)
        record->gid = gid;
    return true;
}

bool owner_records_restored(struct owner_records *records, int dir_fd, const char *name)
{
    struct owner_record *record = get(records, dir_fd, name);
    if (record)
        record->is_restored = true;
    return record != NULL;
}

bool owner_records_device(struct owner_records *records, int dir_fd, const char *name,
                          uint32_t device_type, uint32_t dev_major, uint32_t dev_minor)
{
    struct owner_record *record = get(records, dir_fd, name);
    if (!record)
        return false;
    record->device_type = device_type;
    record->dev_major = dev_major;
    record->dev_minor = dev_minor;
    return true;
}

const struct owner_record *owner_records_find(const struct owner_records *records, int dir_fd,
                                              const char *name)
{
    struct key key;
    return records->files.n && key_of(dir_fd, name, &key)
               ? hashmap_getn(&records->files, key.bytes, key.size)
               : NULL;
}
