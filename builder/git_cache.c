/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/git_cache.h"

#include "base/cancel.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "builder/context_tar.h"
#include "builder/git_tidy.h"
#include "layers/encoder.h"
#include "layers/tar_write.h"
#include "oci/store_ingest.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define RECORD_MAX ((size_t)64 * 1024)
#define RECORD_VERSION 2
#define FRAME_SIZE ((size_t)1 << 20)
#define BUFFER_SIZE ((size_t)256 << 10)
#define MAX_DEPTH 1000

/* Credentials are no part of `remote`. Where relative submodules lead depends on it. */
static struct digest record_key(const struct git_checkout *checkout)
{
    AUTO(free)
    char *text = xasprintf("git %s %s%s%s", checkout->repository->url->remote, checkout->commit->id,
                           checkout->no_submodules ? " no-submodules" : "",
                           checkout->keep_git_dir ? " keep-git-dir" : "");
    /* a kept .git says which ref it was */
    if (!checkout->keep_git_dir || !checkout->commit->ref)
        return digest_of(text, strlen(text));
    AUTO(free) char *with_ref = xasprintf("%s %s", text, checkout->commit->ref);
    return digest_of(with_ref, strlen(with_ref));
}

/* Reading */

struct kept {
    struct digest content;
    int64_t time;
    bool is_private; /* may have been given to who fetched it alone */
};

static int record_parse(const struct strbuf *text, struct kept *ret, struct error **err)
{
    AUTO(json_decref) json_t *root = json_parse_object(text->data, text->size, err);
    uint64_t version = 0;
    const char *digest = NULL;
    if (!root || json_get_uint64(root, "", "git_version", JSON_REQUIRED, &version, err) < 0)
        return -1;
    if (version != RECORD_VERSION)
        return error_set(err, ERR_UNSUPPORTED, "another version");
    if (json_get_int64(root, "", "time", JSON_REQUIRED, &ret->time, err) < 0 ||
        json_get_bool(root, "", "private", JSON_REQUIRED, &ret->is_private, err) < 0 ||
        json_get_string(root, "", "content", JSON_REQUIRED, &digest, err) < 0)
        return -1;
    return digest_parse(digest, &ret->content, err);
}

/* 1 when the record is there: leased before looking. */
static int record_read(struct store *store, const struct digest *key, struct kept *ret,
                       struct error **err)
{
    char name[DIGEST_HEX_SIZE];
    digest_format_hex(key, name);
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(error_free) struct error *missing = NULL; /* damaged or absent: fetched anew */
    int records = store_dir_fd(store, STORE_CACHE_RECORDS);
    if (store_lease(store, key, err) < 0)
        return -1;
    if (fs_read_file(records, name, &text, RECORD_MAX, &missing) < 0 ||
        record_parse(&text, ret, &missing) < 0)
        return 0;
    (void)utimensat(records, name, NULL, 0); /* the collector goes by that */
    return 1;
}

/* Who asked what a ref means has shown already that the repository answers. */
static int check_access(const struct git_checkout *checkout, const struct kept *kept,
                        struct error **err)
{
    if (!kept->is_private || checkout->commit->ref)
        return 0;
    return git_check_access(checkout->repository, err);
}

int git_cache_check_access(struct store *store, const struct git_checkout *checkout,
                           struct error **err)
{
    struct digest key = record_key(checkout);
    struct kept kept;
    int found = record_read(store, &key, &kept, err);
    return found <= 0 ? found : check_access(checkout, &kept, err);
}

int git_cache_get(struct store *store, const struct git_checkout *checkout, int64_t *commit_time,
                  struct error **err)
{
    struct digest key = record_key(checkout);
    struct kept kept;
    AUTO(error_free) struct error *damaged = NULL; /* it is fetched anew then */
    int found = record_read(store, &key, &kept, err);
    if (found <= 0)
        return found;
    if (check_access(checkout, &kept, err) < 0 || store_lease(store, &kept.content, err) < 0)
        return -1;
    int fd = store_open_blob(store, &kept.content, &damaged);
    if (fd < 0)
        return 0;
    struct source *tar = source_fd_new(fd, true, "a kept checkout");
    int64_t mtime = checkout->mtime == GIT_COMMIT_TIME ? kept.time : checkout->mtime;
    if (context_tar_unpack(tar, checkout->dir_fd, NULL, &damaged) < 0) {
        if (!error_is(damaged, ERR_CANCELLED) && !error_is(damaged, ERR_NO_SPACE))
            return 0;
        error_move(err, TAKE(damaged));
        return -1;
    }
    if (git_tidy(checkout->dir_fd, true, mtime, err) < 0)
        return -1;
    if (commit_time)
        *commit_time = kept.time;
    return 1;
}

/* Writing */

/* Frames of a MiB each, as a layer's members are made */
struct packer {
    struct sink sink;
    struct sink *next; /* borrowed */
    struct encoder *encoder;
    struct strbuf input, output;
};

static int packer_flush(struct packer *packer, struct error **err)
{
    strbuf_reset(&packer->output);
    encoder_member(packer->encoder, packer->input.data, packer->input.size, &packer->output);
    strbuf_reset(&packer->input);
    return sink_write(packer->next, packer->output.data, packer->output.size, err);
}

static int packer_write(struct sink *sink, const void *data, size_t size, struct error **err)
{
    struct packer *packer = (struct packer *)sink;
    strbuf_add(&packer->input, data, size);
    return packer->input.size < FRAME_SIZE ? 0 : packer_flush(packer, err);
}

static int write_directory(struct tar_writer *tar, int dir_fd, const char *path, int depth,
                           struct error **err);

static int write_content(struct tar_writer *tar, int dir_fd, const char *name, uint64_t size,
                         struct error **err)
{
    AUTO(close) int fd = fs_open_beneath(dir_fd, name, O_RDONLY | O_NOFOLLOW, err);
    AUTO(free) char *buffer = xmalloc(BUFFER_SIZE);
    while (fd >= 0 && size) {
        size_t want = size < BUFFER_SIZE ? (size_t)size : BUFFER_SIZE;
        ssize_t n = io_read_full(fd, buffer, want, name, err);
        if (n < 0 || tar_writer_data(tar, buffer, (size_t)n, err) < 0)
            return -1;
        if (n == 0)
            return error_set(err, ERR_IO, "%s: it became shorter", name);
        size -= (uint64_t)n;
    }
    return fd < 0 ? -1 : 0;
}

static int write_entry(struct tar_writer *tar, int dir_fd, const char *name, const char *path,
                       int depth, struct error **err)
{
    struct stat st;
    if (fs_stat(dir_fd, name, &st, err) <= 0)
        return *err ? -1 : error_set(err, ERR_IO, "%s: it went away", path);
    AUTO(entry_release)
    struct entry entry = { .path = xstrdup(path), .mode = (uint16_t)(st.st_mode & 0777) };
    if (S_ISDIR(st.st_mode)) {
        entry.type = ENTRY_DIRECTORY;
        AUTO(close)
        int fd = fs_open_beneath(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, err);
        if (fd < 0 || tar_writer_entry(tar, &entry, err) < 0)
            return -1;
        return write_directory(tar, fd, path, depth + 1, err);
    }
    if (S_ISLNK(st.st_mode)) {
        entry.type = ENTRY_SYMLINK;
        entry.link = fs_read_link(dir_fd, name, err);
        return entry.link ? tar_writer_entry(tar, &entry, err) : -1;
    }
    if (!S_ISREG(st.st_mode))
        return error_set(err, ERR_INVALID, "%s: no file of a repository", path);
    entry.size = (uint64_t)st.st_size;
    if (tar_writer_entry(tar, &entry, err) < 0)
        return -1;
    return write_content(tar, dir_fd, name, entry.size, err);
}

static int write_directory(struct tar_writer *tar, int dir_fd, const char *path, int depth,
                           struct error **err)
{
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    if (depth > MAX_DEPTH)
        return error_set(err, ERR_LIMIT, "directories nested more than %d deep", MAX_DEPTH);
    if (cancel_check(err) < 0 || fs_list_fd(dir_fd, &names, "the checkout", err) < 0)
        return -1;
    for (size_t i = 0; i < names.n; i++) {
        AUTO(free) char *child = path_join(path, names.items[i]);
        if (write_entry(tar, dir_fd, names.items[i], child, depth, err) < 0)
            return -1;
    }
    return 0;
}

static int pack(int dir_fd, struct sink *to, struct error **err)
{
    static const struct sink_ops ops = { .name = "packer", .write = packer_write };
    static const struct compression fast = { COMPRESSION_ZSTD, 1 };
    AUTO(encoder_free) struct encoder *encoder = encoder_new(&fast);
    struct packer packer = { { &ops }, to, encoder, STRBUF_INIT, STRBUF_INIT };
    AUTO(tar_writer_free) struct tar_writer *tar = tar_writer_new(&packer.sink);
    int packed = write_directory(tar, dir_fd, "", 0, err);
    if (packed == 0)
        packed = tar_writer_finish(tar, err);
    if (packed == 0)
        packed = packer_flush(&packer, err);
    strbuf_release(&packer.input);
    strbuf_release(&packer.output);
    return packed < 0 ? -1 : sink_finish(to, err);
}

static int record_write(struct store *store, const struct digest *key, const struct kept *kept,
                        struct error **err)
{
    AUTO(json_decref) json_t *root = json_object();
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    char name[DIGEST_HEX_SIZE], digest[DIGEST_TEXT_SIZE];
    digest_format_hex(key, name);
    digest_format(&kept->content, digest);
    json_set(root, "git_version", json_integer(RECORD_VERSION));
    json_set(root, "content", json_from_string(digest));
    json_set(root, "time", json_integer(kept->time));
    json_set(root, "private", json_boolean(kept->is_private));
    json_format_canonical(root, &text);
    return fs_write_file(store_dir_fd(store, STORE_CACHE_RECORDS), name, text.data, text.size, 0600,
                         err);
}

int git_cache_put(struct store *store, const struct git_checkout *checkout, int64_t commit_time,
                  struct error **err)
{
    struct digest key = record_key(checkout);
    struct kept kept = { .time = commit_time,
                         .is_private = git_may_be_private(checkout->repository) };
    struct stat st;
    int has_modules = fs_stat(checkout->dir_fd, ".gitmodules", &st, err);
    if (has_modules < 0)
        return -1;
    /* that the repository answers doesn't say that those of its submodules do */
    if (kept.is_private && has_modules && !checkout->no_submodules)
        return 0;
    AUTO(store_ingest_free) struct store_ingest *ingest = store_ingest_new(store, NULL, err);
    if (!ingest || store_lease(store, &key, err) < 0 ||
        pack(checkout->dir_fd, store_ingest_sink(ingest), err) < 0 ||
        store_ingest_commit(ingest, &kept.content, NULL, err) < 0)
        return -1;
    return record_write(store, &key, &kept, err);
}
