/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/tar_read.h"

#include "base/hashmap.h"
#include "base/mem.h"
#include "base/path.h"
#include "layers/archive_read.h"
#include "layers/compress.h"
#include "layers/whiteout.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define BLOCK TAR_BLOCK_SIZE
#define MAX_COMPONENT 255
#define MAX_XATTR_SIZE ((size_t)64 * 1024) /* XATTR_SIZE_MAX */
#define MAX_MAJOR 0xfffU                   /* what the kernel's dev_t holds */
#define MAX_MINOR 0xfffffU

/*
 * What one archive may make us remember, whoever keeps its entries in memory. Directories that
 * it doesn't name, but puts something into, count as if it did: one name can stand for 2000.
 */
#define MAX_ENTRIES ((uint64_t)1 << 20)
#define MAX_TEXT ((uint64_t)96 << 20) /* paths, links and attributes of all entries */
/* deflate can't do better than 1032:1, so only zstd bombs meet this. */
#define MAX_RATIO 1100
#define RATIO_FREE ((uint64_t)4 << 30)

/* Hashes of paths. Two that collide count once, which no limit notices. */
struct path_set {
    uint64_t *slots; /* 0: free */
    size_t n, n_slots;
};

struct tar_reader {
    struct archive_reader *archive;
    unsigned flags;
    uint64_t n_entries, text;
    struct path_set directories; /* that were counted */
};

/* Counting what goes into the decompressor and what comes out of it. */

struct count_source {
    struct source source;
    struct source *next;
    uint64_t size;
    const struct count_source *input; /* of the outer one */
};

static ssize_t count(struct count_source *self, ssize_t n, struct error **err)
{
    if (n <= 0)
        return n;
    self->size += (uint64_t)n;
    if (self->input && self->size > RATIO_FREE && self->size / MAX_RATIO > self->input->size)
        return error_set(err, ERR_LIMIT, "compressed data that expands more than %d times",
                         MAX_RATIO);
    return n;
}

static ssize_t count_read(struct source *source, void *data, size_t size, struct error **err)
{
    struct count_source *self = (struct count_source *)source;
    return count(self, source_read(self->next, data, size, err), err);
}

static ssize_t count_borrow(struct source *source, void *buffer, size_t size, const void **data,
                            struct error **err)
{
    struct count_source *self = (struct count_source *)source;
    return count(self, source_borrow(self->next, buffer, size, data, err), err);
}

static void count_free(struct source *source)
{
    struct count_source *self = (struct count_source *)source;
    source_free(self->next);
    free(self);
}

static struct count_source *count_source_new(struct source *next, const struct count_source *input)
{
    static const struct source_ops ops = { "ratio", count_read, count_free, count_borrow };
    struct count_source *self = NEW(struct count_source);
    self->source.ops = &ops;
    self->next = next;
    self->input = input;
    return self;
}

struct source *tar_decompressed(struct source *source)
{
    struct count_source *input = count_source_new(source, NULL);
    return &count_source_new(decompress_source_new(&input->source, 0), input)->source;
}

struct tar_reader *tar_reader_new(struct source *source, unsigned flags, struct error **err)
{
    AUTO(tar_reader_free) struct tar_reader *tar = NEW(struct tar_reader);
    tar->flags = flags;
    if (!(flags & TAR_READ_TAR_ONLY))
        source = tar_decompressed(source);
    tar->archive = archive_reader_new(source, err);
    return tar->archive ? TAKE(tar) : NULL;
}

void tar_reader_free(struct tar_reader *tar)
{
    if (!tar)
        return;
    archive_reader_free(tar->archive);
    free(tar->directories.slots);
    free(tar);
}

/* A name for a message: no control characters, not endless. */
static char *quote(const char *name)
{
    struct strbuf buf = STRBUF_INIT;
    for (size_t i = 0; name[i] && i < 200; i++) {
        unsigned char c = (unsigned char)name[i];
        if (c < ' ' || c == 0x7f)
            strbuf_addf(&buf, "\\x%02x", c);
        else
            strbuf_addc(&buf, (char)c);
    }
    if (strlen(name) > 200)
        strbuf_adds(&buf, "...");
    return strbuf_detach(&buf);
}

static int check_components(const char *path, struct error **err)
{
    if (strlen(path) >= PATH_MAX)
        return error_set(err, ERR_INVALID, "path of more than %d bytes", PATH_MAX - 1);
    for (const char *p = path; *p; p += *p == '/') {
        size_t size = strcspn(p, "/");
        if (size > MAX_COMPONENT)
            return error_set(err, ERR_INVALID, "name of more than %d bytes", MAX_COMPONENT);
        p += size;
    }
    return 0;
}

/* A path of the archive, beneath the root: "" is the root. */
static int clean_path(const char *path, char **ret, struct error **err)
{
    while (*path == '/')
        path++;
    AUTO(free) char *clean = path_clean(path);
    if (strcmp(clean, "..") == 0 || strncmp(clean, "../", 3) == 0)
        return error_set(err, ERR_INVALID, "path leaves the root");
    if (strcmp(clean, ".") == 0)
        clean[0] = '\0';
    if (check_components(clean, err) < 0)
        return -1;
    *ret = TAKE(clean);
    return 0;
}

static int set_type(struct entry *entry, const struct archive_item *item, struct error **err)
{
    switch (item->type) {
    case S_IFREG:
        entry->type = ENTRY_FILE;
        return 0;
    case S_IFDIR:
        entry->type = ENTRY_DIRECTORY;
        return 0;
    case S_IFLNK:
        entry->type = ENTRY_SYMLINK;
        return 0;
    case S_IFCHR:
        entry->type = ENTRY_CHAR;
        return 0;
    case S_IFBLK:
        entry->type = ENTRY_BLOCK;
        return 0;
    case S_IFIFO:
        entry->type = ENTRY_FIFO;
        return 0;
    default:
        return error_set(err, ERR_INVALID, "unknown type %o", (unsigned)item->type);
    }
}

static int set_links(struct entry *entry, const struct archive_item *item, struct error **err)
{
    if (entry->type == ENTRY_HARDLINK) {
        if (clean_path(item->hardlink, &entry->link, err) < 0)
            return error_wrap(err, "hard link");
        if (!entry->link[0])
            return error_set(err, ERR_INVALID, "hard link to the root");
        if (strcmp(entry->link, entry->path) == 0)
            return error_set(err, ERR_INVALID, "hard link to itself");
        return 0;
    }
    if (entry->type != ENTRY_SYMLINK)
        return 0;
    if (!item->symlink || !item->symlink[0])
        return error_set(err, ERR_INVALID, "symbolic link without a target");
    if (strlen(item->symlink) >= PATH_MAX)
        return error_set(err, ERR_INVALID, "link target of more than %d bytes", PATH_MAX - 1);
    entry->link = xstrdup(item->symlink);
    return 0;
}

static int set_size(struct entry *entry, const struct archive_item *item, struct error **err)
{
    if (entry->type != ENTRY_FILE)
        return 0;
    if (item->size < 0)
        return error_set(err, ERR_INVALID, "negative size");
    entry->size = (uint64_t)item->size;
    if (!item->n_sparse)
        return 0;
    if (item->sparse_data > entry->size)
        return error_set(err, ERR_INVALID, "sparse map that is larger than the file");
    if (entry->size - item->sparse_data > ARCHIVE_MAX_HOLES)
        return error_set(err, ERR_LIMIT, "sparse file with %" PRIu64 " bytes of holes",
                         entry->size - item->sparse_data);
    return 0;
}

static int set_numbers(struct entry *entry, const struct archive_item *item, struct error **err)
{
    /* (uid_t)-1 means "leave it" to chown */
    if (item->uid < 0 || item->uid >= UINT32_MAX || item->gid < 0 || item->gid >= UINT32_MAX)
        return error_set(err, ERR_INVALID, "owner %" PRId64 ":%" PRId64, item->uid, item->gid);
    entry->uid = (uint32_t)item->uid;
    entry->gid = (uint32_t)item->gid;
    entry->mode = item->mode & 07777;
    entry->mtime = item->mtime;
    if (entry->type == ENTRY_CHAR || entry->type == ENTRY_BLOCK) {
        if (item->dev_major > MAX_MAJOR || item->dev_minor > MAX_MINOR)
            return error_set(err, ERR_INVALID, "device number %" PRIu64 ":%" PRIu64,
                             item->dev_major, item->dev_minor);
        entry->dev_major = (uint32_t)item->dev_major;
        entry->dev_minor = (uint32_t)item->dev_minor;
    }
    return 0;
}

/* Overlay's own, those that mean something to this machine alone, and those nobody may hand in. */
static bool xattr_is_taken(const char *name)
{
    if (strcmp(name, "security.capability") == 0)
        return true;
    return strncmp(name, "user.", 5) == 0 && name[5] && strncmp(name, "user.overlay.", 13) != 0;
}

static int set_xattrs(struct tar_reader *tar, struct entry *entry, struct error **err)
{
    const char *name;
    const void *value;
    size_t size;
    while (archive_reader_xattr(tar->archive, &name, &value, &size)) {
        if (!name || !xattr_is_taken(name))
            continue;
        if (strlen(name) > MAX_COMPONENT || size > MAX_XATTR_SIZE)
            return error_set(err, ERR_LIMIT, "extended attribute of %zu bytes", size);
        tar->text += strlen(name) + size;
        entry_add_xattr(entry, name, value, size);
    }
    return 0;
}

/* 1: `entry` is set (only the members that a whiteout has), 0: it is none, 2: to be skipped. */
static int set_whiteout(struct entry *entry, struct error **err)
{
    enum whiteout_kind kind;
    AUTO(free) char *target = NULL;
    if (whiteout_parse(entry->path, &kind, &target, err) < 0)
        return -1;
    if (kind == WHITEOUT_NONE)
        return 0;
    if (kind == WHITEOUT_META)
        return 2;
    free(entry->path);
    entry->path = TAKE(target);
    entry->type = kind == WHITEOUT_OPAQUE ? ENTRY_OPAQUE : ENTRY_WHITEOUT;
    return 1;
}

/*
 * Overlay reads a character device 0:0 as a whiteout, so that is what every engine that unpacks
 * such a layer shows. Anywhere else it is a device that can't exist.
 */
static int check_null_device(struct tar_reader *tar, struct entry *entry, struct error **err)
{
    if (entry->type != ENTRY_CHAR || entry->dev_major || entry->dev_minor)
        return 0;
    if (!(tar->flags & TAR_READ_LAYER))
        return error_set(err, ERR_INVALID, "character device 0:0");
    AUTO(free) char *path = TAKE(entry->path);
    entry_release(entry);
    entry->path = TAKE(path);
    entry->type = ENTRY_WHITEOUT;
    return 0;
}

/* 1 set, 0 to be skipped */
static int set_entry(struct tar_reader *tar, struct entry *entry, const struct archive_item *item,
                     struct error **err)
{
    if (clean_path(item->path, &entry->path, err) < 0)
        return -1;
    if (tar->flags & TAR_READ_LAYER) {
        int whiteout = set_whiteout(entry, err);
        if (whiteout != 0)
            return whiteout < 0 ? -1 : whiteout == 1;
    }
    if (item->hardlink)
        entry->type = ENTRY_HARDLINK;
    else if (set_type(entry, item, err) < 0)
        return -1;
    if (!entry->path[0] && entry->type != ENTRY_DIRECTORY)
        return error_set(err, ERR_INVALID, "the root as something else than a directory");
    if (set_links(entry, item, err) < 0 || set_size(entry, item, err) < 0 ||
        set_numbers(entry, item, err) < 0 || set_xattrs(tar, entry, err) < 0 ||
        check_null_device(tar, entry, err) < 0)
        return -1;
    return 1;
}

static int count_path(struct tar_reader *tar, size_t size, struct error **err)
{
    tar->text += size;
    if (++tar->n_entries > MAX_ENTRIES)
        return error_set(err, ERR_LIMIT, "archive of more than %" PRIu64 " entries", MAX_ENTRIES);
    if (tar->text > MAX_TEXT)
        return error_set(err, ERR_LIMIT, "archive with more than %" PRIu64 " bytes of names",
                         MAX_TEXT);
    return 0;
}

static void slot_put(struct path_set *set, uint64_t hash)
{
    size_t i = hash & (set->n_slots - 1);
    while (set->slots[i])
        i = (i + 1) & (set->n_slots - 1);
    set->slots[i] = hash;
    set->n++;
}

static void path_set_grow(struct path_set *set)
{
    struct path_set larger = { .n_slots = set->n_slots ? 2 * set->n_slots : 64 };
    larger.slots = xcalloc(larger.n_slots, sizeof(*larger.slots));
    for (size_t i = 0; i < set->n_slots; i++)
        if (set->slots[i])
            slot_put(&larger, set->slots[i]);
    free(set->slots);
    *set = larger;
}

/* False: it was in it. */
static bool path_set_add(struct path_set *set, const char *path, size_t size)
{
    uint64_t hash = hashmap_hash(path, size) | 1;
    for (size_t i = hash & (set->n_slots - 1); set->n_slots && set->slots[i];
         i = (i + 1) & (set->n_slots - 1))
        if (set->slots[i] == hash)
            return false;
    if (4 * (set->n + 1) > 3 * set->n_slots)
        path_set_grow(set);
    slot_put(set, hash);
    return true;
}

static int count_parents(struct tar_reader *tar, const char *path, struct error **err)
{
    size_t size = (size_t)(path_base(path) - path);
    while (size > 0) {
        size--; /* the slash */
        if (!path_set_add(&tar->directories, path, size))
            return 0; /* and so are those above */
        if (count_path(tar, size, err) < 0)
            return -1;
        while (size > 0 && path[size - 1] != '/')
            size--;
    }
    return 0;
}

static int count_entry(struct tar_reader *tar, const struct entry *entry, struct error **err)
{
    if (count_path(tar, strlen(entry->path) + (entry->link ? strlen(entry->link) : 0), err) < 0 ||
        count_parents(tar, entry->path, err) < 0)
        return -1;
    if (entry->type == ENTRY_DIRECTORY)
        (void)path_set_add(&tar->directories, entry->path, strlen(entry->path));
    return 0;
}

int tar_reader_next(struct tar_reader *tar, struct entry *entry, struct error **err)
{
    for (;;) {
        struct archive_item item;
        int found = archive_reader_next(tar->archive, &item, err);
        if (found <= 0)
            return found;
        if (!item.path)
            return error_set(err, ERR_INVALID, "entry without a name");
        AUTO(entry_release) struct entry next = { 0 };
        int set = set_entry(tar, &next, &item, err);
        if (set < 0) {
            AUTO(free) char *name = quote(item.path);
            return error_wrap(err, "entry \"%s\"", name);
        }
        if (set == 0)
            continue;
        if (count_entry(tar, &next, err) < 0)
            return -1;
        entry_release(entry);
        *entry = next;
        next = (struct entry){ 0 };
        return 1;
    }
}

ssize_t tar_reader_data(struct tar_reader *tar, void *data, size_t size, struct error **err)
{
    return archive_reader_data(tar->archive, data, size, err);
}

ssize_t tar_reader_borrow(struct tar_reader *tar, size_t size, const void **data,
                          struct error **err)
{
    return archive_reader_borrow(tar->archive, size, data, err);
}

/* The number in an octal field, blanks around it; -1 when it is none. */
static int64_t octal(const uint8_t *field, size_t size)
{
    size_t i = 0;
    while (i < size && field[i] == ' ')
        i++;
    if (i == size || field[i] < '0' || field[i] > '7')
        return -1;
    int64_t value = 0;
    for (; i < size && field[i] >= '0' && field[i] <= '7'; i++)
        value = value * 8 + (field[i] - '0');
    return i == size || field[i] == ' ' || field[i] == '\0' ? value : -1;
}

static bool is_tar_header(const uint8_t block[BLOCK])
{
    enum { SUM_OFFSET = 148, SUM_SIZE = 8 };
    int64_t wanted = octal(block + SUM_OFFSET, SUM_SIZE);
    int64_t sum = 0, signed_sum = 0; /* old Sun tars summed signed bytes */
    for (size_t i = 0; i < BLOCK; i++) {
        bool in_sum = i >= SUM_OFFSET && i < SUM_OFFSET + SUM_SIZE;
        sum += in_sum ? ' ' : block[i];
        signed_sum += in_sum ? ' ' : (int8_t)block[i];
    }
    return block[0] && (wanted == sum || wanted == signed_sum);
}

bool tar_is_header(const void *block)
{
    return is_tar_header(block);
}

int tar_detect(int fd, bool *is_tar, struct error **err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_errno(err, "looking at an archive");
    *is_tar = false;
    if (!S_ISREG(st.st_mode) || st.st_size == 0)
        return 0;
    AUTO(source_free)
    struct source *source =
        decompress_source_new(source_range_new(fd, 0, (uint64_t)st.st_size, "archive"), 0);
    uint8_t block[BLOCK];
    struct error *damage = NULL;
    ssize_t n = source_read_full(source, block, sizeof(block), &damage);
    if (n < 0 && (error_is(damage, ERR_INVALID) || error_is(damage, ERR_LIMIT))) {
        error_free(damage); /* looked compressed but isn't: an ordinary file */
        return 0;
    }
    if (n < 0) {
        error_move(err, damage);
        return -1;
    }
    *is_tar = n == BLOCK && is_tar_header(block);
    return 0;
}
