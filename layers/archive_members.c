/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/archive_members.h"

#include "base/cancel.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "layers/tar_read.h"
#include "oci/manifest.h"
#include "oci/store_ingest.h"

#include <string.h>

#define BLOBS "blobs/sha256/"
#define MAX_FILES 20000 /* 500 layers of 40 images */
#define MAX_LINKS 40    /* followed in a row */
#define MAX_LAYOUT_SIZE 4096
#define BUFFER_SIZE ((size_t)128 * 1024)

void archive_members_init(struct archive_members *members)
{
    *members = (struct archive_members){ .index = STRBUF_INIT_CAPPED(MANIFEST_MAX_SIZE),
                                         .manifest = STRBUF_INIT_CAPPED(MANIFEST_MAX_SIZE) };
    hashmap_init(&members->files, free);
    hashmap_init(&members->links, free);
}

void archive_members_release(struct archive_members *members)
{
    strbuf_release(&members->index);
    strbuf_release(&members->manifest);
    hashmap_release(&members->files);
    hashmap_release(&members->links);
}

static int copy_data(struct tar_reader *tar, struct sink *to, struct error **err)
{
    AUTO(free) char *buffer = xmalloc(BUFFER_SIZE);
    for (;;) {
        ssize_t n = cancel_check(err) < 0 ? -1 : tar_reader_data(tar, buffer, BUFFER_SIZE, err);
        if (n <= 0)
            return (int)n;
        if (sink_write(to, buffer, (size_t)n, err) < 0)
            return -1;
    }
}

/* A document at the top; of several the last counts, as when a tar is unpacked. */
static int keep(struct tar_reader *tar, struct strbuf *buf, struct error **err)
{
    AUTO(sink_free) struct sink *sink = sink_strbuf_new(buf);
    strbuf_reset(buf);
    return copy_data(tar, sink, err);
}

static int check_layout(struct tar_reader *tar, struct error **err)
{
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT_CAPPED(MAX_LAYOUT_SIZE);
    if (keep(tar, &text, err) < 0)
        return -1;
    const char *version = NULL;
    AUTO(json_decref) json_t *layout = json_parse_object(text.data, text.size, err);
    if (!layout ||
        json_get_string(layout, "", "imageLayoutVersion", JSON_REQUIRED, &version, err) < 0)
        return -1;
    if (strncmp(version, "1.", 2) != 0)
        return error_set(err, ERR_UNSUPPORTED, "image layout of version %s", version);
    return 0;
}

/* The digest that a path promises; unset when it promises none. */
static struct digest promised_digest(const char *path)
{
    struct digest digest = { .is_set = false };
    size_t size = strlen(BLOBS);
    if (strncmp(path, BLOBS, size) == 0)
        digest.is_set = sha256_from_hex(path + size, strlen(path + size), digest.bytes);
    return digest;
}

static int spool(struct archive_members *members, struct store *store, struct tar_reader *tar,
                 const struct entry *entry, struct error **err)
{
    if (members->files.n == MAX_FILES)
        return error_set(err, ERR_LIMIT, "more than %d files", MAX_FILES);
    const struct descriptor expected = { .digest = promised_digest(entry->path),
                                         .size = entry->size };
    struct archive_file file;
    AUTO(store_ingest_free)
    struct store_ingest *ingest =
        store_ingest_new(store, expected.digest.is_set ? &expected : NULL, err);
    if (!ingest || copy_data(tar, store_ingest_sink(ingest), err) < 0 ||
        store_ingest_commit(ingest, &file.digest, &file.size, err) < 0)
        return -1;
    hashmap_put(&members->files, entry->path, xmemdup(&file, sizeof(file)));
    return 0;
}

static int read_file(struct archive_members *members, struct store *store, struct tar_reader *tar,
                     const struct entry *entry, struct error **err)
{
    if (strcmp(entry->path, "index.json") == 0) {
        members->has_index = true;
        return keep(tar, &members->index, err);
    }
    if (strcmp(entry->path, "manifest.json") == 0) {
        members->has_manifest = true;
        return keep(tar, &members->manifest, err);
    }
    if (strcmp(entry->path, "oci-layout") == 0)
        return check_layout(tar, err);
    return spool(members, store, tar, entry, err);
}

static void add_link(struct archive_members *members, const struct entry *entry)
{
    AUTO(free) char *dir = entry->type == ENTRY_SYMLINK ? path_dir(entry->path) : xstrdup("");
    AUTO(free) char *joined = path_join(dir, entry->link);
    hashmap_put(&members->links, entry->path, path_clean_rooted(joined));
}

int archive_members_read(struct archive_members *members, struct store *store, struct source *from,
                         struct error **err)
{
    AUTO(tar_reader_free) struct tar_reader *tar = tar_reader_new(from, 0, err);
    AUTO(entry_release) struct entry entry = { .type = ENTRY_FILE };
    int more = tar ? 1 : -1;
    while (more > 0 && (more = tar_reader_next(tar, &entry, err)) > 0) {
        if (entry.type == ENTRY_FILE && read_file(members, store, tar, &entry, err) < 0)
            return error_wrap(err, "%s", entry.path);
        if (entry.type == ENTRY_SYMLINK || entry.type == ENTRY_HARDLINK)
            add_link(members, &entry);
    }
    return more;
}

const struct archive_file *archive_members_find(const struct archive_members *members,
                                                const char *path)
{
    AUTO(free) char *clean = path_clean_rooted(path);
    const char *name = clean;
    for (int i = 0; i < MAX_LINKS; i++) {
        const struct archive_file *file = hashmap_get(&members->files, name);
        if (file)
            return file;
        name = hashmap_get(&members->links, name);
        if (!name)
            return NULL;
    }
    return NULL;
}
