/* SPDX-License-Identifier: Apache-2.0 */
#include "base/owner_records.h"

#include "base/hashmap.h"
#include "base/mem.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

struct owner_records {
    struct hashmap files; /* struct key → struct owner_record */
};

/* Without padding, since its bytes are the key */
struct key {
    uint64_t inode;
    uint32_t dev_major, dev_minor;
    int64_t birth_sec, birth_nsec; /* 0: the file system doesn't know */
};

static bool key_of(int dir_fd, const char *name, struct key *ret)
{
    struct statx st;
    const int flags = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT;
    if (statx(dir_fd, name, flags, STATX_INO | STATX_BTIME, &st) < 0)
        return false;
    bool has_birth = st.stx_mask & STATX_BTIME;
    *ret = (struct key){ .inode = st.stx_ino,
                         .dev_major = st.stx_dev_major,
                         .dev_minor = st.stx_dev_minor,
                         .birth_sec = has_birth ? st.stx_btime.tv_sec : 0,
                         .birth_nsec = has_birth ? st.stx_btime.tv_nsec : 0 };
    return true;
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

/* The file's record, new if there is none; NULL: there is no such file. */
static struct owner_record *get(struct owner_records *records, int dir_fd, const char *name)
{
    struct key key;
    if (!key_of(dir_fd, name, &key))
        return NULL;
    struct owner_record *record = hashmap_getn(&records->files, &key, sizeof(key));
    if (record)
        return record;
    record = NEW(struct owner_record);
    record->uid = record->gid = OWNER_UNCHANGED;
    hashmap_putn(&records->files, &key, sizeof(key), record);
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
               ? hashmap_getn(&records->files, &key, sizeof(key))
               : NULL;
}
