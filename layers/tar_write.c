/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/tar_write.h"

#include "base/mem.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BLOCK 512
#define NAME_SIZE 100
#define PREFIX_SIZE 155
#define OCTAL_7 UINT64_C(07777777)      /* what mode, ids and device numbers can hold */
#define OCTAL_11 UINT64_C(077777777777) /* what size and time can hold */

struct header {
    char name[NAME_SIZE];
    char mode[8], uid[8], gid[8];
    char size[12], mtime[12];
    char checksum[8];
    char type;
    char link[NAME_SIZE];
    char magic[6], version[2];
    char user[32], group[32];
    char dev_major[8], dev_minor[8];
    char prefix[PREFIX_SIZE];
    char padding[12];
};

_Static_assert(sizeof(struct header) == BLOCK, "a ustar header is one block");

struct tar_writer {
    struct sink *next;
    uint64_t left;    /* content bytes still to come */
    unsigned padding; /* zeros after them */
};

static const char zeros[2 * BLOCK];

struct tar_writer *tar_writer_new(struct sink *next)
{
    struct tar_writer *tar = NEW(struct tar_writer);
    tar->next = next;
    return tar;
}

void tar_writer_free(struct tar_writer *tar)
{
    free(tar);
}

/* digits octal digits and a NUL; 0 where the value doesn't fit (a pax record has it then) */
static void set_octal(char *field, unsigned digits, uint64_t value)
{
    if (value >> (3 * digits))
        value = 0;
    field[digits] = '\0';
    for (; digits; digits--, value >>= 3)
        field[digits - 1] = (char)('0' + (value & 7));
}

/* Bytes of text as far as they fit; not terminated when full. */
static void set_text(char *field, size_t size, const char *text)
{
    size_t n = strlen(text);
    memcpy(field, text, n < size ? n : size);
}

/* Where ustar splits a long name: after the first slash that leaves at most 100 bytes. 0: nowhere.
 */
static size_t split_name(const char *name, size_t size)
{
    for (size_t i = 1; i + 1 < size && i <= PREFIX_SIZE; i++)
        if (name[i] == '/' && size - i - 1 <= NAME_SIZE)
            return i;
    return 0;
}

static bool name_fits(const char *name)
{
    size_t size = strlen(name);
    return size <= NAME_SIZE || split_name(name, size);
}

static void set_name(struct header *header, const char *name)
{
    size_t size = strlen(name);
    size_t split = size > NAME_SIZE ? split_name(name, size) : 0;
    if (split) {
        memcpy(header->prefix, name, split);
        set_text(header->name, NAME_SIZE, name + split + 1);
    } else {
        set_text(header->name, NAME_SIZE, name);
    }
}

static int header_write(struct tar_writer *tar, struct header *header, struct error **err)
{
    memcpy(header->magic, "ustar", 6);
    memcpy(header->version, "00", 2);
    memset(header->checksum, ' ', sizeof(header->checksum));
    const unsigned char *bytes = (const unsigned char *)header;
    uint64_t sum = 0;
    for (size_t i = 0; i < BLOCK; i++)
        sum += bytes[i];
    set_octal(header->checksum, 6, sum);
    return sink_write(tar->next, header, BLOCK, err);
}

/* "LENGTH key=value\n", where LENGTH counts itself */
static void add_record(struct strbuf *records, const char *prefix, const char *key,
                       const void *value, size_t size)
{
    size_t rest = strlen(prefix) + strlen(key) + size + 3;
    size_t total = rest + 1;
    for (size_t digits = 1, bound = 10; total >= bound; digits++, bound *= 10)
        total = rest + digits + 1;
    strbuf_addf(records, "%zu %s%s=", total, prefix, key);
    strbuf_add(records, value, size);
    strbuf_addc(records, '\n');
}

static void add_text(struct strbuf *records, const char *key, const char *text)
{
    add_record(records, "", key, text, strlen(text));
}

static void add_number(struct strbuf *records, const char *key, uint64_t value, uint64_t max)
{
    char text[24];
    if (value <= max)
        return;
    (void)snprintf(text, sizeof(text), "%" PRIu64, value);
    add_text(records, key, text);
}

/* What the ustar header can't hold, keys in order. */
static int collect_records(const struct entry *entry, const char *name, struct strbuf *records,
                           struct error **err)
{
    add_number(records, "SCHILY.devmajor", entry->dev_major, OCTAL_7);
    add_number(records, "SCHILY.devminor", entry->dev_minor, OCTAL_7);
    for (size_t i = 0; i < entry->n_xattrs; i++) {
        const struct xattr *xattr = &entry->xattrs[i];
        if (strchr(xattr->name, '='))
            return error_set(err, ERR_INVALID, "%s: extended attribute \"%s\": \"=\" in its name",
                             entry->path, xattr->name);
        add_record(records, "SCHILY.xattr.", xattr->name, xattr->value, xattr->size);
    }
    add_number(records, "gid", entry->gid, OCTAL_7);
    if (entry->link && strlen(entry->link) > NAME_SIZE)
        add_text(records, "linkpath", entry->link);
    if (entry->mtime < 0 || (uint64_t)entry->mtime > OCTAL_11) {
        char text[24];
        (void)snprintf(text, sizeof(text), "%" PRId64, entry->mtime);
        add_text(records, "mtime", text);
    }
    if (!name_fits(name))
        add_text(records, "path", name);
    add_number(records, "size", entry->size, OCTAL_11);
    add_number(records, "uid", entry->uid, OCTAL_7);
    return 0;
}

static int pax_write(struct tar_writer *tar, const struct strbuf *records, struct error **err)
{
    struct header header = { .type = 'x' };
    set_text(header.name, NAME_SIZE, "././@PaxHeader");
    set_octal(header.mode, 7, 0);
    set_octal(header.uid, 7, 0);
    set_octal(header.gid, 7, 0);
    set_octal(header.size, 11, records->size);
    set_octal(header.mtime, 11, 0);
    set_octal(header.dev_major, 7, 0);
    set_octal(header.dev_minor, 7, 0);
    if (header_write(tar, &header, err) < 0 ||
        sink_write(tar->next, records->data, records->size, err) < 0)
        return -1;
    return sink_write(tar->next, zeros, -records->size % BLOCK, err);
}

static char type_flag(enum entry_type type)
{
    switch (type) {
    case ENTRY_HARDLINK:
        return '1';
    case ENTRY_SYMLINK:
        return '2';
    case ENTRY_CHAR:
        return '3';
    case ENTRY_BLOCK:
        return '4';
    case ENTRY_DIRECTORY:
        return '5';
    case ENTRY_FIFO:
        return '6';
    case ENTRY_FILE:
    case ENTRY_WHITEOUT:
    case ENTRY_OPAQUE:
        break;
    }
    return '0';
}

static char *name_in_tar(const struct entry *entry)
{
    int dir_size =
        (int)(strrchr(entry->path, '/') ? strrchr(entry->path, '/') - entry->path + 1 : 0);
    switch (entry->type) {
    case ENTRY_DIRECTORY:
        return xasprintf("%s/", entry->path);
    case ENTRY_WHITEOUT:
        return xasprintf("%.*s.wh.%s", dir_size, entry->path, entry->path + dir_size);
    case ENTRY_OPAQUE:
        return xasprintf("%s%s.wh..wh..opq", entry->path, entry->path[0] ? "/" : "");
    case ENTRY_FILE:
    case ENTRY_SYMLINK:
    case ENTRY_HARDLINK:
    case ENTRY_CHAR:
    case ENTRY_BLOCK:
    case ENTRY_FIFO:
        break;
    }
    return xstrdup(entry->path);
}

/* The entry as it is written: members that its type doesn't have are cleared. Borrows all pointers.
 */
static struct entry normal_form(const struct entry *entry)
{
    struct entry normal = { .path = entry->path, .type = entry->type };
    if (entry->type == ENTRY_WHITEOUT || entry->type == ENTRY_OPAQUE)
        return normal;
    normal = *entry;
    if (entry->type != ENTRY_FILE)
        normal.size = 0;
    if (entry->type == ENTRY_SYMLINK)
        normal.mode = 0777;
    if (entry->type != ENTRY_SYMLINK && entry->type != ENTRY_HARDLINK)
        normal.link = NULL;
    if (entry->type != ENTRY_CHAR && entry->type != ENTRY_BLOCK)
        normal.dev_major = normal.dev_minor = 0;
    return normal;
}

int tar_writer_entry(struct tar_writer *tar, const struct entry *entry, struct error **err)
{
    assert(tar->left == 0);
    assert(entry->path[0] || entry->type == ENTRY_OPAQUE);
    AUTO(free) char *name = name_in_tar(entry);
    AUTO(strbuf_release) struct strbuf records = STRBUF_INIT;
    struct entry normal = normal_form(entry);
    if (collect_records(&normal, name, &records, err) < 0)
        return -1;
    if (records.size && pax_write(tar, &records, err) < 0)
        return -1;

    struct header header = { .type = type_flag(normal.type) };
    set_name(&header, name);
    set_octal(header.mode, 7, normal.mode & 07777);
    set_octal(header.uid, 7, normal.uid);
    set_octal(header.gid, 7, normal.gid);
    set_octal(header.size, 11, normal.size);
    set_octal(header.mtime, 11, normal.mtime < 0 ? 0 : (uint64_t)normal.mtime);
    set_octal(header.dev_major, 7, normal.dev_major);
    set_octal(header.dev_minor, 7, normal.dev_minor);
    if (normal.link)
        set_text(header.link, NAME_SIZE, normal.link);
    tar->left = normal.size;
    tar->padding = (unsigned)(-normal.size % BLOCK);
    return header_write(tar, &header, err);
}

int tar_writer_data(struct tar_writer *tar, const void *data, size_t size, struct error **err)
{
    assert(size <= tar->left);
    if (!size)
        return 0;
    tar->left -= size;
    if (sink_write(tar->next, data, size, err) < 0)
        return -1;
    return tar->left ? 0 : sink_write(tar->next, zeros, tar->padding, err);
}

int tar_writer_finish(struct tar_writer *tar, struct error **err)
{
    assert(tar->left == 0);
    return sink_write(tar->next, zeros, sizeof(zeros), err);
}
