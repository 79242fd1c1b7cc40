/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/entries.h"

#include "base/array.h"
#include "base/cancel.h"
#include "base/file_writer.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/relay.h"
#include "layers/apply.h"
#include "layers/compress.h"
#include "layers/tar_read.h"

#include <string.h>
#include <sys/stat.h>

#define MAGIC "cbuild entries 1\n"
#define MAX_FILE_SIZE ((size_t)512 << 20)
#define SCAN_RING_SIZE ((size_t)2 << 20)
#define HASH_SIZE ((size_t)128 << 10)
#define MAX_MEMBER_SIZE ((uint64_t)16 << 20)

void entries_release(struct entries *entries)
{
    entry_list_release(&entries->list);
    free(entries->codec);
    free(entries->members);
    *entries = (struct entries){ .tar_size = 0 };
}

/* Writing: docs/FORMAT.md, "Entry lists" */

static void put_number(struct strbuf *buf, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        strbuf_addc(buf, (char)(value | 0x80));
    strbuf_addc(buf, (char)value);
}

static void put_signed(struct strbuf *buf, int64_t value)
{
    put_number(buf, ((uint64_t)value << 1) ^ (uint64_t)(value >> 63));
}

static void put_bytes(struct strbuf *buf, const void *data, size_t size)
{
    put_number(buf, size);
    strbuf_add(buf, data, size);
}

static void put_text(struct strbuf *buf, const char *text)
{
    put_bytes(buf, text, strlen(text));
}

static void put_path(struct strbuf *buf, const char *previous, const char *path)
{
    size_t shared = 0;
    while (path[shared] && path[shared] == previous[shared])
        shared++;
    put_number(buf, shared);
    put_text(buf, path + shared);
}

static bool has_attributes(enum entry_type type)
{
    return type != ENTRY_WHITEOUT && type != ENTRY_OPAQUE;
}

static void put_entry(struct strbuf *buf, const char *previous, const struct entry *entry)
{
    put_number(buf, (uint64_t)entry->type);
    put_path(buf, previous, entry->path);
    if (!has_attributes(entry->type))
        return;
    put_number(buf, entry->mode);
    put_number(buf, entry->uid);
    put_number(buf, entry->gid);
    put_number(buf, entry->size);
    put_signed(buf, entry->mtime);
    put_text(buf, entry->link ? entry->link : "");
    put_number(buf, entry->dev_major);
    put_number(buf, entry->dev_minor);
    put_number(buf, entry->n_xattrs);
    for (size_t i = 0; i < entry->n_xattrs; i++) {
        put_text(buf, entry->xattrs[i].name);
        put_bytes(buf, entry->xattrs[i].value, entry->xattrs[i].size);
    }
}

static void put_member(struct strbuf *buf, const struct member *member)
{
    put_number(buf, member->size);
    put_number(buf, member->input_size);
    put_number(buf, member->crc);
    strbuf_add(buf, member->input, sizeof(member->input));
}

static int put_all(struct file_writer *file, const struct entries *entries, struct error **err)
{
    struct strbuf *buf = file_writer_buf(file);
    strbuf_adds(buf, MAGIC);
    strbuf_add(buf, entries->diff_id.bytes, sizeof(entries->diff_id.bytes));
    put_number(buf, entries->tar_size);
    put_text(buf, entries->codec ? entries->codec : "");
    put_number(buf, entries->n_members);
    for (size_t i = 0; i < entries->n_members; i++)
        put_member(buf, &entries->members[i]);
    put_number(buf, entries->list.n_entries);
    const char *previous = "";
    for (size_t i = 0; i < entries->list.n_entries; i++) {
        put_entry(buf, previous, &entries->list.entries[i]);
        previous = entries->list.entries[i].path;
        if (file_writer_flush(file, err) < 0)
            return -1;
    }
    return 0;
}

int entries_write(struct store *store, const struct digest *blob, const struct entries *entries,
                  struct error **err)
{
    char name[DIGEST_HEX_SIZE];
    digest_format_hex(blob, name);
    AUTO(file_writer_free)
    struct file_writer *file = file_writer_new(store_dir_fd(store, STORE_ENTRIES), name, true, err);
    if (!file || put_all(file, entries, err) < 0 || file_writer_commit(file, 0644, err) < 0)
        return error_wrap(err, "store %s: entries of sha256:%s", store_path(store), name);
    return 0;
}

/* Reading. After the checksum only another writer's mistake can break it: `bad` ends everything. */

struct reader {
    const unsigned char *at, *end;
    bool bad;
};

static uint64_t get_number(struct reader *reader)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && reader->at < reader->end; shift += 7) {
        unsigned char byte = *reader->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return value;
    }
    reader->bad = true;
    return 0;
}

static int64_t get_signed(struct reader *reader)
{
    uint64_t value = get_number(reader);
    return (int64_t)(value >> 1 ^ (~(value & 1) + 1));
}

static const void *get_raw(struct reader *reader, size_t size)
{
    static const uint8_t none[SHA256_SIZE];
    if (reader->bad || size > (size_t)(reader->end - reader->at)) {
        reader->bad = true;
        return none;
    }
    const void *data = reader->at;
    reader->at += size;
    return data;
}

static const char *get_bytes(struct reader *reader, size_t *size)
{
    *size = get_number(reader);
    const char *data = get_raw(reader, *size);
    if (reader->bad)
        *size = 0;
    return data;
}

/* A number of things of which each takes a byte at least. */
static size_t get_count(struct reader *reader)
{
    uint64_t n = get_number(reader);
    if (n > (uint64_t)(reader->end - reader->at)) {
        reader->bad = true;
        return 0;
    }
    return n;
}

static char *get_text(struct reader *reader)
{
    size_t size;
    const char *text = get_bytes(reader, &size);
    return xstrndup(text, size);
}

static char *get_path(struct reader *reader, const char *previous)
{
    size_t shared = get_number(reader), size;
    const char *rest = get_bytes(reader, &size);
    if (shared > strlen(previous)) {
        reader->bad = true;
        shared = 0;
    }
    char *path = xmalloc(shared + size + 1);
    memcpy(path, previous, shared);
    memcpy(path + shared, rest, size);
    path[shared + size] = '\0';
    return path;
}

static void get_entry(struct reader *reader, const char *previous, struct entry *entry)
{
    uint64_t type = get_number(reader);
    if (type > ENTRY_OPAQUE)
        reader->bad = true;
    entry->type = reader->bad ? ENTRY_FILE : (enum entry_type)type;
    entry->path = get_path(reader, previous);
    if (!has_attributes(entry->type))
        return;
    entry->mode = (uint16_t)get_number(reader);
    entry->uid = (uint32_t)get_number(reader);
    entry->gid = (uint32_t)get_number(reader);
    entry->size = get_number(reader);
    entry->mtime = get_signed(reader);
    char *link = get_text(reader);
    if (entry->type == ENTRY_SYMLINK || entry->type == ENTRY_HARDLINK)
        entry->link = TAKE(link);
    free(link);
    entry->dev_major = (uint32_t)get_number(reader);
    entry->dev_minor = (uint32_t)get_number(reader);
    for (size_t n = get_count(reader); n && !reader->bad; n--) {
        AUTO(free) char *name = get_text(reader);
        size_t size;
        const char *value = get_bytes(reader, &size);
        entry_add_xattr(entry, name, value, size);
    }
}

static void get_members(struct reader *reader, struct entries *entries)
{
    uint64_t offset = 0;
    for (size_t n = get_count(reader); n && !reader->bad; n--) {
        struct member *member = ARRAY_PUSH(entries, members);
        member->offset = offset;
        member->size = get_number(reader);
        member->input_size = get_number(reader);
        member->crc = (uint32_t)get_number(reader);
        memcpy(member->input, get_raw(reader, SHA256_SIZE), SHA256_SIZE);
        reader->bad |= member->size > MAX_MEMBER_SIZE;
        offset += member->size;
    }
}

static bool parse(const struct strbuf *buf, bool with_list, struct entries *entries)
{
    const unsigned char *data = (const unsigned char *)buf->data;
    size_t magic_size = strlen(MAGIC);
    if (buf->size < magic_size + (size_t)2 * SHA256_SIZE || memcmp(data, MAGIC, magic_size) != 0)
        return false;
    size_t size = buf->size - SHA256_SIZE;
    uint8_t check[SHA256_SIZE];
    sha256_of(data, size, check);
    if (memcmp(check, data + size, SHA256_SIZE) != 0)
        return false;

    struct reader reader = { data + magic_size, data + size, false };
    entries->diff_id = digest_from_sha256(get_raw(&reader, SHA256_SIZE));
    entries->tar_size = get_number(&reader);
    entries->codec = get_text(&reader);
    if (!entries->codec[0]) {
        free(entries->codec);
        entries->codec = NULL;
    }
    get_members(&reader, entries);
    if (!with_list)
        return !reader.bad;
    const char *previous = "";
    for (size_t n = get_count(&reader); n && !reader.bad; n--) {
        struct entry *entry = ARRAY_PUSH(&entries->list, entries);
        get_entry(&reader, previous, entry);
        previous = entry->path;
    }
    return !reader.bad && reader.at == reader.end;
}

static int read_entries(struct store *store, const struct digest *blob, bool with_list,
                        struct entries *ret, struct error **err)
{
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    AUTO(entries_release) struct entries entries = { .tar_size = 0 };
    char name[DIGEST_HEX_SIZE];
    digest_format_hex(blob, name);
    if (fs_read_file(store_dir_fd(store, STORE_ENTRIES), name, &buf, MAX_FILE_SIZE, err) < 0)
        return error_wrap(err, "entries of sha256:%s", name);
    if (!parse(&buf, with_list, &entries))
        return error_set(err, ERR_NOT_FOUND, "entries of sha256:%s: damaged, or of another version",
                         name);
    *ret = entries;
    entries = (struct entries){ .tar_size = 0 };
    return 0;
}

int entries_read(struct store *store, const struct digest *blob, struct entries *ret,
                 struct error **err)
{
    return read_entries(store, blob, true, ret, err);
}

int entries_read_members(struct store *store, const struct digest *blob, struct entries *ret,
                         struct error **err)
{
    return read_entries(store, blob, false, ret, err);
}

/* Scanning */

static int collect(struct tar_reader *tar, struct form_writer *form, struct entry_list *list,
                   struct error **err)
{
    AUTO(entry_release) struct entry entry = { .type = ENTRY_FILE };
    for (;;) {
        int more = tar_reader_next(tar, &entry, err);
        if (more <= 0)
            return more;
        if (form && form_writer_unpack(form, tar, &entry, err) < 0)
            return -1;
        *ARRAY_PUSH(list, entries) = entry;
        entry = (struct entry){ .type = ENTRY_FILE };
    }
}

/*
 * One thread inflates; two look at what it writes, one hashing and one parsing (and unpacking):
 * each is about a third of the work.
 */
struct scan {
    struct form_writer *form; /* or NULL */
    struct entries *entries;
};

/* What stands after the end of the archive belongs to the diff_id too. */
static int hash_tar(void *data, struct source *bytes, struct error **err)
{
    struct entries *entries = ((const struct scan *)data)->entries;
    AUTO(sha256_free) struct sha256 *hash = sha256_new();
    uint8_t diff_id[SHA256_SIZE];
    for (;;) {
        const void *piece = NULL;
        ssize_t n = source_borrow(bytes, NULL, HASH_SIZE, &piece, err); /* a relay's: lent */
        if (n < 0 || cancel_check(err) < 0)
            return -1;
        if (n == 0)
            break;
        sha256_update(hash, piece, (size_t)n);
        entries->tar_size += (uint64_t)n;
    }
    sha256_finish(hash, diff_id);
    entries->diff_id = digest_from_sha256(diff_id);
    return 0;
}

static int scan_tar(void *data, struct source *bytes, struct error **err)
{
    const struct scan *scan = data;
    AUTO(tar_reader_free)
    struct tar_reader *tar = tar_reader_new(bytes, TAR_READ_LAYER | TAR_READ_TAR_ONLY, err);
    return tar ? collect(tar, scan->form, &scan->entries->list, err) : -1;
}

int entries_scan_source(struct source *blob, struct form_writer *form, struct entries *ret,
                        struct error **err)
{
    AUTO(entries_release) struct entries entries = { .tar_size = 0 };
    AUTO(source_free) struct source *tar = tar_decompressed(blob);
    struct scan scan = { form, &entries };
    /* in this order: where the hash is cancelled, the tar is cut */
    const struct relay_run runs[] = { { hash_tar, &scan }, { scan_tar, &scan } };
    AUTO(relay_free)
    struct relay *relay = relay_start(SCAN_RING_SIZE, runs, ARRAY_SIZE(runs), err);
    if (!relay || relay_pump(relay, tar, err) < 0 || relay_finish(TAKE(relay), err) < 0)
        return -1;
    *ret = entries;
    entries = (struct entries){ .tar_size = 0 };
    return 0;
}

int entries_scan(struct store *store, const struct digest *blob, struct entries *ret,
                 struct error **err)
{
    AUTO(entries_release) struct entries entries = { .tar_size = 0 };
    char name[DIGEST_TEXT_SIZE];
    digest_format(blob, name);
    int fd = store_open_blob(store, blob, err);
    if (fd < 0)
        return error_wrap(err, "layer %s", name);
    if (entries_scan_source(source_fd_new(fd, true, name), NULL, &entries, err) < 0)
        return error_wrap(err, "layer %s", name);
    if (entries_write(store, blob, &entries, err) < 0)
        return -1;
    *ret = entries;
    entries = (struct entries){ .tar_size = 0 };
    return 0;
}
