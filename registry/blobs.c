/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/blobs.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/relay.h"
#include "oci/media_type.h"
#include "oci/store_ingest.h"
#include "registry/fetch.h"
#include "registry/request.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#define HASH_BUFFER_SIZE (1u << 20)
#define PROGRESS_INTERVAL_MS 100
#define WATCH_RING_SIZE (1u << 20)
#define WATCH_MIN_SIZE (64u << 10) /* less is read again faster than a thread starts */

void blob_short_name(const struct digest *digest, char out[BLOB_SHORT_SIZE])
{
    char text[DIGEST_TEXT_SIZE];
    digest_format(digest, text);
    memcpy(out, text, BLOB_SHORT_SIZE - 1);
    out[BLOB_SHORT_SIZE - 1] = '\0';
}

/* A file in partial/ that grows */
struct partial {
    struct registry_session *session;
    const struct descriptor *blob;
    unsigned vertex;
    char hex[DIGEST_HEX_SIZE];
    char short_name[BLOB_SHORT_SIZE];
    int dir_fd, fd;
    struct sha256 *hash;
    uint64_t size; /* bytes in the file and in the hash */
    uint64_t on_the_way;
    uint64_t told_ms;
    struct watch *watch; /* NULL: nobody looks, or no more */
    bool is_mixed;       /* of several answers: may have been put together wrongly */
    bool no_mirrors;
};

/* Somebody who looks at the bytes as they come */
struct watch {
    const struct blob_watcher *watcher;
    const struct descriptor *blob;
    struct relay *relay;
    void *made;
};

static int watch_run(void *data, struct source *bytes, struct error **err)
{
    struct watch *watch = data;
    const struct blob_watcher *watcher = watch->watcher;
    return watcher->look(watcher->data, watch->blob, bytes, &watch->made, err);
}

static void watch_free(struct watch *watch)
{
    if (!watch)
        return;
    relay_free(watch->relay);
    if (watch->made)
        watch->watcher->drop(watch->made);
    free(watch);
}

static struct watch *watch_new(const struct blob_watcher *watcher, const struct descriptor *blob)
{
    AUTO(error_free) struct error *ignored = NULL; /* no thread: it is looked at later */
    struct watch *watch = NEW(struct watch);
    watch->watcher = watcher;
    watch->blob = blob;
    const struct relay_run run = { watch_run, watch };
    watch->relay = relay_start(WATCH_RING_SIZE, &run, 1, &ignored);
    if (!watch->relay) {
        watch_free(watch);
        return NULL;
    }
    return watch;
}

/* The blob is whole, right and in the store. */
static void watch_finish(struct watch *watch, struct store *store)
{
    AUTO(error_free) struct error *ignored = NULL; /* see struct blob_watcher */
    if (watch && relay_finish(TAKE(watch->relay), &ignored) == 0)
        watch->watcher->keep(watch->watcher->data, store, watch->blob, TAKE(watch->made));
    watch_free(watch);
}

static void partial_release(struct partial *partial)
{
    watch_free(partial->watch);
    close_auto(&partial->fd);
    sha256_free(partial->hash);
}
DEFINE_AUTO_STRUCT(struct partial, partial_release)

static int partial_clear(struct partial *partial, struct error **err)
{
    uint8_t ignored[SHA256_SIZE];
    watch_free(TAKE(partial->watch));
    if (ftruncate(partial->fd, 0) < 0)
        return error_errno(err, "partial/%s", partial->hex);
    sha256_finish(partial->hash, ignored);
    partial->size = partial->on_the_way = 0;
    partial->is_mixed = false;
    return 0;
}

/* What an earlier process left counts as far as it can be read. */
static int partial_hash_existing(struct partial *partial, struct error **err)
{
    struct stat st;
    if (fstat(partial->fd, &st) < 0)
        return error_errno(err, "partial/%s", partial->hex);
    if (!S_ISREG(st.st_mode))
        return error_set(err, ERR_STORE, "partial/%s: not a file", partial->hex);
    uint64_t have = (uint64_t)st.st_size;
    if (have > partial->blob->size)
        return partial_clear(partial, err);
    AUTO(free) char *buffer = have ? xmalloc(HASH_BUFFER_SIZE) : NULL;
    while (partial->size < have) {
        ssize_t n =
            io_pread_full(partial->fd, buffer, HASH_BUFFER_SIZE, partial->size, partial->hex, err);
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        sha256_update(partial->hash, buffer, (size_t)n);
        partial->size += (uint64_t)n;
    }
    partial->is_mixed = partial->size > 0;
    return 0;
}

static int partial_open(struct partial *partial, struct store *store, struct error **err)
{
    digest_format_hex(&partial->blob->digest, partial->hex);
    blob_short_name(&partial->blob->digest, partial->short_name);
    partial->hash = sha256_new();
    partial->dir_fd = store_dir_fd(store, STORE_PARTIAL);
    partial->fd = openat(partial->dir_fd, partial->hex,
                         O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (partial->fd < 0)
        return error_errno(err, "store %s: partial/%s", store_path(store), partial->hex);
    return partial_hash_existing(partial, err);
}

static void tell(struct partial *partial, bool always)
{
    uint64_t now = clock_monotonic_ms();
    if (!always && now - partial->told_ms < PROGRESS_INTERVAL_MS)
        return;
    partial->told_ms = now;
    progress_transfer(session_progress(partial->session), partial->vertex, partial->short_name,
                      partial->size, partial->blob->size);
}

static int partial_restart(void *data, struct error **err)
{
    return partial_clear(data, err);
}

static int partial_write(void *data, const void *bytes, size_t size, struct error **err)
{
    struct partial *partial = data;
    if (io_write_full(partial->fd, bytes, size, "blob", err) < 0)
        return -1;
    sha256_update(partial->hash, bytes, size);
    if (partial->watch)
        relay_write(partial->watch->relay, bytes, size);
    partial->size += size;
    /* the name of its image will wait for it */
    io_write_behind(partial->fd, partial->size, &partial->on_the_way);
    tell(partial, false);
    return 0;
}

static int load_from(struct partial *partial, struct host *host, const struct scope *scope,
                     const struct url *url, struct error **err)
{
    AUTO(reply_release) struct reply reply = REPLY_INIT;
    if (partial->size == partial->blob->size)
        return 0;
    AUTO(fetch_release)
    struct fetch fetch = { .session = partial->session,
                           .host = host,
                           .scope = *scope,
                           .url = url,
                           .offset = partial->size,
                           .size = partial->blob->size,
                           .restart = partial_restart,
                           .write = partial_write,
                           .data = partial };
    if (fetch_run(&fetch, &reply, err) < 0)
        return -1;
    if (reply_status(&reply) == 206)
        partial->is_mixed = true;
    if (reply_status(&reply) == 200 || reply_status(&reply) == 206)
        return 0;
    struct request request = { .method = "GET", .host = host, .url = url, .scope = *scope };
    return request_error(&request, &reply, err);
}

static int load_at(struct registry_session *session, const struct reference *repository, void *data,
                   struct error **err)
{
    struct partial *partial = data;
    AUTO(url_release) struct url url = { 0 };
    struct host *host = session_host(session, repository->domain);
    if (request_url(host, &url, err, "/v2/%s/blobs/sha256:%s", repository->path, partial->hex) < 0)
        return -1;
    const struct scope scope = { repository->path, SCOPE_PULL };
    return load_from(partial, host, &scope, &url, err);
}

/* From its mirrors or itself; once content was wrong, mirrors aren't trusted with this blob. */
static int load_from_registry(struct partial *partial, const struct reference *repository,
                              struct error **err)
{
    return (partial->no_mirrors ? registries_try_origin : registries_try)(
        partial->session, repository, load_at, partial, err);
}

/* image-spec descriptor.md, "urls": any of them, http(s) only */
static int load_from_urls(struct partial *partial, struct error **err)
{
    const json_t *urls = partial->blob->urls;
    const struct scope nothing = { 0 };
    for (size_t i = 0; i < json_array_size(urls); i++) {
        AUTO(url_release) struct url url = { 0 };
        const char *text = json_string_value(json_array_get(urls, i));
        error_clear(err);
        if (url_parse(text ? text : "", &url, err) == 0) {
            free(url.userinfo); /* a document of somebody else's names no credentials */
            url.userinfo = NULL;
            if (load_from(partial, NULL, &nothing, &url, err) == 0)
                return 0;
        }
        if (error_is(*err, ERR_CANCELLED))
            return -1;
    }
    return -1;
}

static int load(struct partial *partial, const struct reference *repository, struct error **err)
{
    const struct descriptor *blob = partial->blob;
    if (media_type_kind(blob->media_type) != MEDIA_KIND_FOREIGN_LAYER ||
        !json_array_size(blob->urls))
        return load_from_registry(partial, repository, err);
    if (load_from_urls(partial, err) == 0)
        return 0;
    /* some registries hold foreign layers too; what the urls said is the better message */
    AUTO(error_free) struct error *other = NULL;
    if (error_is(*err, ERR_CANCELLED) || load_from_registry(partial, repository, &other) < 0)
        return -1;
    error_clear(err);
    return 0;
}

static int verify(struct partial *partial, struct error **err)
{
    uint8_t hash[SHA256_SIZE];
    sha256_finish(partial->hash, hash);
    struct digest got = digest_from_sha256(hash);
    if (digest_equal(&got, &partial->blob->digest))
        return 0;
    char got_text[DIGEST_TEXT_SIZE];
    digest_format(&got, got_text);
    return error_set(err, ERR_DIGEST, "its content has the digest %s", got_text);
}

static int load_verified(struct partial *partial, const struct reference *repository,
                         struct error **err)
{
    for (;;) {
        if (load(partial, repository, err) < 0)
            return -1;
        bool is_doubtful =
            partial->is_mixed ||
            (!partial->no_mirrors && registries_has_mirrors(partial->session, repository));
        tell(partial, true);
        if (verify(partial, err) == 0)
            return 0;
        if (!is_doubtful)
            return -1;
        error_clear(err); /* an old part or a mirror may be to blame: all of it once more */
        partial->no_mirrors = true;
        if (partial_clear(partial, err) < 0)
            return -1;
    }
}

/* What goes on from an earlier part isn't watched: its beginning has gone by. */
static bool is_to_watch(const struct blob_request *request, const struct partial *partial)
{
    return request->watcher && partial->size == 0 && request->blob->size >= WATCH_MIN_SIZE &&
           media_type_kind(request->blob->media_type) == MEDIA_KIND_LAYER;
}

static int fetch_locked(struct registry_session *session, struct store *store,
                        const struct blob_request *request, struct error **err)
{
    const struct descriptor *blob = request->blob;
    AUTO(partial_release)
    struct partial partial = {
        .session = session, .blob = blob, .vertex = request->vertex, .fd = -1
    };
    if (partial_open(&partial, store, err) < 0)
        return -1;
    if (is_to_watch(request, &partial))
        partial.watch = watch_new(request->watcher, blob);
    if (load_verified(&partial, request->repository, err) == 0) {
        if (store_adopt_blob(store, partial.dir_fd, partial.hex, &blob->digest, err) < 0)
            return -1;
        watch_finish(TAKE(partial.watch), store);
        return 0;
    }
    /* what can be continued stays; wrong bytes, and bytes that fill the disk, go */
    bool keep = error_is(*err, ERR_NETWORK) || error_is(*err, ERR_CANCELLED) ||
                error_is(*err, ERR_UNAUTHORIZED);
    if (!keep || !partial.size)
        (void)unlinkat(partial.dir_fd, partial.hex, 0);
    return -1;
}

/* The blob is there; it must have the size that the document says. */
static int check_size(const struct descriptor *blob, uint64_t size, struct error **err)
{
    if (size == blob->size)
        return 0;
    return error_set(err, ERR_DIGEST, "%" PRIu64 " bytes where %" PRIu64 " are expected", size,
                     blob->size);
}

static int fetch(struct registry_session *session, struct store *store,
                 const struct blob_request *request, struct error **err)
{
    const struct descriptor *blob = request->blob;
    uint64_t size;
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(&blob->digest, hex);
    /* lease before look: collecting can't take it away in between */
    if (store_lease(store, &blob->digest, err) < 0)
        return -1;
    if (store_has_blob(store, &blob->digest, &size))
        return check_size(blob, size, err);
    AUTO(free) char *name = xasprintf("blob-%s", hex);
    AUTO(lockfile_release) struct lockfile *lock = store_lock(store, name, err);
    if (!lock)
        return -1;
    if (store_has_blob(store, &blob->digest, &size))
        return check_size(blob, size, err);
    return fetch_locked(session, store, request, err);
}

int blob_fetch(struct registry_session *session, struct store *store,
               const struct blob_request *request, struct error **err)
{
    if (fetch(session, store, request, err) < 0) {
        char text[DIGEST_TEXT_SIZE];
        digest_format(&request->blob->digest, text);
        return error_wrap(err, "blob %s", text);
    }
    return 0;
}

int blob_exists(struct registry_session *session, const struct reference *repository,
                const struct digest *digest, unsigned actions, bool *ret, struct error **err)
{
    AUTO(url_release) struct url url = { 0 };
    AUTO(reply_release) struct reply reply = REPLY_INIT;
    struct host *host = session_host(session, repository->domain);
    char text[DIGEST_TEXT_SIZE];
    digest_format(digest, text);
    if (request_url(host, &url, err, "/v2/%s/blobs/%s", repository->path, text) < 0)
        return -1;
    struct request request = {
        .method = "HEAD", .host = host, .url = &url, .scope = { repository->path, actions }
    };
    if (request_run(session, &request, &reply, err) < 0)
        return -1;
    int status = reply_status(&reply);
    if (status == 401)
        return request_error(&request, &reply, err);
    /* it leads to storage, whose signature is for GET: what isn't there isn't led to */
    bool is_signed = !url_same_origin(&reply.url, &url) && (status == 403 || status == 405);
    *ret = status == 200 || is_signed;
    return 0;
}
