/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/url_cache.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "oci/store_ingest.h"
#include "registry/download.h"

#include <fcntl.h>
#include <string.h>

#define RECORD_MAX ((size_t)64 * 1024)
#define RECORD_VERSION 1

void url_file_release(struct url_file *file)
{
    close_auto(&file->fd);
    *file = (struct url_file)URL_FILE_INIT;
}

/* What was known of a URL when it was fetched last. */
struct record {
    char *etag, *last_modified; /* each may be NULL */
    struct digest content;
    uint64_t size;
};

static void record_release(struct record *record)
{
    free(record->etag);
    free(record->last_modified);
    *record = (struct record){ .etag = NULL };
}
DEFINE_AUTO_STRUCT(struct record, record_release)

/* The URL itself may hold credentials, so its hash stands for it. */
static struct digest record_key(const char *url)
{
    AUTO(free) char *text = xasprintf("url %s", url);
    return digest_of(text, strlen(text));
}

static int record_parse(const struct strbuf *text, struct record *ret, struct error **err)
{
    AUTO(json_decref) json_t *root = json_parse_object(text->data, text->size, err);
    uint64_t version = 0, size = 0;
    const char *content = NULL, *etag = NULL, *last_modified = NULL;
    struct digest digest;
    if (!root || json_get_uint64(root, "", "url_version", JSON_REQUIRED, &version, err) < 0 ||
        json_get_uint64(root, "", "size", JSON_REQUIRED, &size, err) < 0 ||
        json_get_string(root, "", "content", JSON_REQUIRED, &content, err) < 0 ||
        json_get_string(root, "", "etag", JSON_OPTIONAL, &etag, err) < 0 ||
        json_get_string(root, "", "last_modified", JSON_OPTIONAL, &last_modified, err) < 0 ||
        digest_parse(content, &digest, err) < 0)
        return -1;
    if (version != RECORD_VERSION)
        return error_set(err, ERR_UNSUPPORTED, "another version");
    *ret = (struct record){ .etag = xstrdup(etag),
                            .last_modified = xstrdup(last_modified),
                            .content = digest,
                            .size = size };
    return 0;
}

/* 1 when the record and its content are there: leased before looking. */
static int record_find(struct store *store, const struct digest *key, struct record *ret,
                       struct error **err)
{
    char name[DIGEST_HEX_SIZE];
    digest_format_hex(key, name);
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(record_release) struct record record = { .etag = NULL };
    AUTO(error_free) struct error *missing = NULL; /* damaged or absent: fetched anew */
    int records = store_dir_fd(store, STORE_CACHE_RECORDS);
    if (store_lease(store, key, err) < 0)
        return -1;
    if (fs_read_file(records, name, &text, RECORD_MAX, &missing) < 0 ||
        record_parse(&text, &record, &missing) < 0)
        return 0;
    uint64_t size;
    if (store_lease(store, &record.content, err) < 0)
        return -1;
    if (!store_has_blob(store, &record.content, &size) || size != record.size)
        return 0;
    *ret = record;
    record = (struct record){ .etag = NULL };
    return 1;
}

static int record_write(struct store *store, const struct digest *key, const struct record *record,
                        struct error **err)
{
    AUTO(json_decref) json_t *root = json_object();
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    char name[DIGEST_HEX_SIZE], digest[DIGEST_TEXT_SIZE];
    digest_format_hex(key, name);
    digest_format(&record->content, digest);
    json_set(root, "url_version", json_integer(RECORD_VERSION));
    json_set(root, "content", json_from_string(digest));
    json_set(root, "size", json_integer((json_int_t)record->size));
    json_set(root, "etag", record->etag ? json_from_string(record->etag) : NULL);
    json_set(root, "last_modified",
             record->last_modified ? json_from_string(record->last_modified) : NULL);
    json_format_canonical(root, &text);
    return fs_write_file(store_dir_fd(store, STORE_CACHE_RECORDS), name, text.data, text.size, 0600,
                         err);
}

/* What a server says now replaces what it said before. */
static void take_result(struct record *record, struct download_result *result)
{
    char **const from[] = { &result->etag, &result->last_modified };
    char **const to[] = { &record->etag, &record->last_modified };
    for (size_t i = 0; i < ARRAY_SIZE(from); i++) {
        if (!*from[i] && result->not_modified)
            continue;
        free(*to[i]);
        *to[i] = TAKE(*from[i]);
    }
}

static int open_file(struct store *store, struct record *record, struct url_file *ret,
                     struct error **err)
{
    AUTO(error_free) struct error *ignored = NULL; /* a date that can't be read counts as none */
    int64_t mtime = 0;
    if (record->last_modified && clock_parse_http(record->last_modified, &mtime, &ignored) < 0)
        mtime = 0;
    int fd = store_open_blob(store, &record->content, err);
    if (fd < 0)
        return -1;
    url_file_release(ret);
    *ret = (struct url_file){
        .fd = fd, .size = record->size, .digest = record->content, .mtime = mtime
    };
    return 0;
}

int url_cache_get(struct store *store, struct registry_session *session,
                  const struct url_request *what, struct url_file *ret, struct error **err)
{
    struct digest key = record_key(what->url);
    AUTO(record_release) struct record record = { .etag = NULL };
    if (record_find(store, &key, &record, err) < 0)
        return -1;
    AUTO(store_ingest_free) struct store_ingest *ingest = store_ingest_new(store, NULL, err);
    if (!ingest)
        return -1;
    AUTO(download_result_release) struct download_result result = { 0 };
    const struct download_request request = { .url = what->url,
                                              .authorization = what->authorization,
                                              .if_none_match = record.etag,
                                              .if_modified_since = record.last_modified,
                                              .vertex = what->vertex };
    if (registry_download(session, &request, store_ingest_sink(ingest), &result, err) < 0)
        return -1;
    if (!result.not_modified &&
        (sink_finish(store_ingest_sink(ingest), err) < 0 ||
         store_ingest_commit(ingest, &record.content, &record.size, err) < 0))
        return -1;
    take_result(&record, &result);
    /* without a word to ask by, the next build fetches it again */
    if ((record.etag || record.last_modified) && record_write(store, &key, &record, err) < 0)
        return -1;
    return open_file(store, &record, ret, err);
}
