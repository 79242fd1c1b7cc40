/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/store_ingest.h"

#include "base/fs.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/tempfile.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

struct store_ingest {
    struct sink sink;
    struct store *store;
    struct tempfile *tempfile;
    struct sha256 *hash;
    uint64_t size;
    uint64_t on_the_way; /* of them, how many the kernel was told to write */
    bool has_expected;
    struct digest expected;
    uint64_t expected_size;
};

static int too_long(const struct store_ingest *ingest, struct error **err)
{
    char name[DIGEST_TEXT_SIZE];
    digest_format(&ingest->expected, name);
    return error_set(err, ERR_DIGEST,
                     "blob %s: more than the %" PRIu64 " bytes that it should have", name,
                     ingest->expected_size);
}

static int ingest_write(struct sink *sink, const void *data, size_t size, struct error **err)
{
    struct store_ingest *ingest = CONTAINER_OF(sink, struct store_ingest, sink);
    if (ingest->has_expected && size > ingest->expected_size - ingest->size)
        return too_long(ingest, err);
    sha256_update(ingest->hash, data, size);
    ingest->size += size;
    if (io_write_full(tempfile_fd(ingest->tempfile), data, size, "blob", err) < 0)
        return error_wrap(err, "store %s", store_path(ingest->store));
    /* the name of an image waits for its blobs to be on disk */
    io_write_behind(tempfile_fd(ingest->tempfile), ingest->size, &ingest->on_the_way);
    return 0;
}

static int ingest_finish(struct sink *sink UNUSED, struct error **err UNUSED)
{
    return 0; /* store_ingest_commit() does what is to do */
}

static void ingest_free_sink(struct sink *sink UNUSED)
{
    /* belongs to the ingest */
}

static const struct sink_ops ingest_ops = {
    .name = "ingest",
    .write = ingest_write,
    .finish = ingest_finish,
    .free = ingest_free_sink,
};

struct store_ingest *store_ingest_new(struct store *store, const struct descriptor *expected,
                                      struct error **err)
{
    AUTO(store_ingest_free) struct store_ingest *ingest = NEW(struct store_ingest);
    ingest->sink.ops = &ingest_ops;
    ingest->store = store;
    ingest->hash = sha256_new();
    if (expected) {
        ingest->has_expected = true;
        ingest->expected = expected->digest;
        ingest->expected_size = expected->size;
    }
    ingest->tempfile = tempfile_new(store_dir_fd(store, STORE_TMP), "blob", err);
    if (!ingest->tempfile)
        return error_wrap_null(err, "store %s", store_path(store));
    return TAKE(ingest);
}

struct sink *store_ingest_sink(struct store_ingest *ingest)
{
    return &ingest->sink;
}

static int verify(const struct store_ingest *ingest, const struct digest *got, struct error **err)
{
    if (!ingest->has_expected)
        return 0;
    char expected_text[DIGEST_TEXT_SIZE], got_text[DIGEST_TEXT_SIZE];
    digest_format(&ingest->expected, expected_text);
    digest_format(got, got_text);
    if (ingest->size != ingest->expected_size)
        return error_set(err, ERR_DIGEST, "blob %s: %" PRIu64 " bytes, expected %" PRIu64,
                         expected_text, ingest->size, ingest->expected_size);
    if (!digest_equal(got, &ingest->expected))
        return error_set(err, ERR_DIGEST, "blob %s: its content has the digest %s", expected_text,
                         got_text);
    return 0;
}

/* A blob of that name and size is there. Its lease must be written before. */
static bool is_stored(const struct store *store, const struct digest *digest, uint64_t size)
{
    uint64_t stored;
    return store_has_blob(store, digest, &stored) && stored == size;
}

static int rename_into_place(struct store_ingest *ingest, const struct digest *digest,
                             struct error **err)
{
    char name[DIGEST_HEX_SIZE];
    digest_format_hex(digest, name);
    if (fchmod(tempfile_fd(ingest->tempfile), 0644) < 0)
        return error_errno(err, "blob sha256:%s", name);
    AUTO(lockfile_release) struct lockfile *lock = NULL;
    if (store_rename_begin(ingest->store, digest, &lock, err) < 0)
        return -1;
    if (tempfile_commit(ingest->tempfile, store_dir_fd(ingest->store, STORE_BLOBS), name, err) < 0)
        return -1;
    store_grew(ingest->store, ingest->size);
    return 0;
}

int store_ingest_commit(struct store_ingest *ingest, struct digest *digest, uint64_t *size,
                        struct error **err)
{
    uint8_t hash[SHA256_SIZE];
    sha256_finish(ingest->hash, hash);
    struct digest got = digest_from_sha256(hash);
    if (verify(ingest, &got, err) < 0 || store_lease(ingest->store, &got, err) < 0)
        return -1;
    if (!is_stored(ingest->store, &got, ingest->size) && rename_into_place(ingest, &got, err) < 0)
        return error_wrap(err, "store %s", store_path(ingest->store));
    if (digest)
        *digest = got;
    if (size)
        *size = ingest->size;
    return 0;
}

void store_ingest_free(struct store_ingest *ingest)
{
    if (!ingest)
        return;
    tempfile_free(ingest->tempfile);
    sha256_free(ingest->hash);
    free(ingest);
}

int store_put_blob(struct store *store, const void *data, size_t size, struct descriptor *desc,
                   struct error **err)
{
    struct digest digest = digest_of(data, size);
    if (store_lease(store, &digest, err) < 0)
        return -1;
    if (!is_stored(store, &digest, size)) {
        AUTO(store_ingest_free) struct store_ingest *ingest = store_ingest_new(store, NULL, err);
        if (!ingest || sink_write(store_ingest_sink(ingest), data, size, err) < 0 ||
            store_ingest_commit(ingest, NULL, NULL, err) < 0)
            return -1;
    }
    desc->digest = digest;
    desc->size = size;
    return 0;
}

static int adopt(struct store *store, int dir_fd, const char *name, const struct digest *digest,
                 struct error **err)
{
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(digest, hex);
    struct stat st;
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return error_errno(err, "%s", name);
    if (!S_ISREG(st.st_mode))
        return error_set(err, ERR_INVALID, "%s: not a regular file", name);
    if (store_lease(store, digest, err) < 0)
        return -1;
    if (is_stored(store, digest, (uint64_t)st.st_size))
        return fs_unlink(dir_fd, name, err);
    if (fchmodat(dir_fd, name, 0644, 0) < 0)
        return error_errno(err, "%s", name);
    AUTO(lockfile_release) struct lockfile *lock = NULL;
    if (store_rename_begin(store, digest, &lock, err) < 0)
        return -1;
    if (renameat(dir_fd, name, store_dir_fd(store, STORE_BLOBS), hex) < 0)
        return error_errno(err, "renaming %s to blob sha256:%s", name, hex);
    store_grew(store, (uint64_t)st.st_size);
    return 0;
}

int store_adopt_blob(struct store *store, int dir_fd, const char *name, const struct digest *digest,
                     struct error **err)
{
    if (adopt(store, dir_fd, name, digest, err) < 0)
        return error_wrap(err, "store %s", store_path(store));
    return 0;
}
