/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/entries.h"
#include "layers/layer.h"
#include "layers/tar_read.h"
#include "tests/unit/store_fixture.h"

#include <libdeflate.h>
#include <pthread.h>
#include <unistd.h>

#define KIB ((size_t)1024)

/* A changeset of made-up files; `content` of an entry is the seed of its bytes. */

struct text_source {
    struct source source;
    uint64_t at, size, seed;
};

static ssize_t text_read(struct source *source, void *data, size_t size, struct error **err UNUSED)
{
    struct text_source *self = (struct text_source *)source;
    size_t n = 0;
    for (; n < size && self->at < self->size; n++, self->at++)
        ((char *)data)[n] = "etaoin shrdlu"[(self->at * self->at + self->seed) / 7 % 13];
    return (ssize_t)n;
}

static void text_free(struct source *source)
{
    free(source);
}

struct content {
    uint64_t surplus; /* bytes that each file has beyond its entry's size; may be negative */
    size_t fail_at;   /* open of this entry's content fails; 0: none */
    bool names_it;    /* that error says which file it is */
    unsigned *n_freed;
};

static struct source *content_open(void *data, const struct entry *entry, struct error **err)
{
    static const struct source_ops ops = { "text", text_read, text_free };
    const struct content *content = data;
    if (content->fail_at && entry->content == content->fail_at)
        return error_set_null(err, ERR_IO, "%s%sunreadable", content->names_it ? entry->path : "",
                              content->names_it ? ": " : "");
    struct text_source *source = NEW(struct text_source);
    *source = (struct text_source){ { &ops }, 0, entry->size + content->surplus, entry->content };
    return &source->source;
}

static void content_free(void *data)
{
    struct content *content = data;
    if (content->n_freed)
        (*content->n_freed)++;
    free(content);
}

static const struct changeset_ops content_ops = { content_open, content_free, NULL };

static struct content *make_changeset(struct changeset *changeset, size_t n, size_t size)
{
    *changeset = (struct changeset)CHANGESET_INIT;
    for (size_t i = 0; i <= n; i++) {
        struct entry *entry = ARRAY_PUSH(&changeset->list, entries);
        entry->path = i ? xasprintf("dir/file%zu", i) : xstrdup("dir");
        entry->type = i ? ENTRY_FILE : ENTRY_DIRECTORY;
        entry->mode = i ? 0644 : 0755;
        entry->mtime = 1700000000;
        entry->size = i ? size : 0;
        entry->content = i;
    }
    entry_list_sort(&changeset->list);
    struct content *content = NEW(struct content);
    changeset->ops = &content_ops;
    changeset->data = content;
    return content;
}

struct made {
    struct pool *pool;
    struct pool_group *group;
    struct layer *layer;
};

static void made_release(struct made *made)
{
    layer_unref(made->layer);
    pool_group_free(made->group);
    pool_free(made->pool);
}
DEFINE_AUTO_STRUCT(struct made, made_release)

static void make_at(struct made *made, struct store *store, unsigned threads,
                    struct compression compression, const struct digest *previous,
                    struct changeset *changeset)
{
    made->pool = pool_new(threads);
    made->group = pool_group_new(made->pool);
    struct layer_options options = { compression, made->pool, made->group, { false }, false };
    if (previous)
        options.previous = *previous;
    made->layer = layer_make(store, &options, changeset, NULL);
}

static void make(struct made *made, struct store *store, unsigned threads,
                 enum compression_kind kind, const struct digest *previous,
                 struct changeset *changeset)
{
    make_at(made, store, threads, (struct compression){ kind, 0 }, previous, changeset);
}

/* Which contents were asked for ahead, and what was open when. */
struct ahead {
    struct content content;
    size_t refusals; /* so often nothing waits */
    size_t told, open, most_ahead;
};

static struct source *ahead_open(void *data, const struct entry *entry, struct error **err)
{
    struct ahead *ahead = data;
    ahead->open = entry->content;
    return content_open(data, entry, err);
}

static bool ahead_tell(void *data, const struct entry *entry)
{
    struct ahead *ahead = data;
    assert_true(entry->content > ahead->open && entry->content > ahead->told);
    if (ahead->refusals && ahead->refusals--)
        return false;
    ahead->told = entry->content;
    if (ahead->told - ahead->open > ahead->most_ahead)
        ahead->most_ahead = ahead->told - ahead->open;
    return true;
}

static void ahead_free(void *data)
{
    (void)data; /* the test's */
}

static void contents_are_asked_for_ahead_in_bounds(void **state)
{
    static const struct changeset_ops ops = { ahead_open, ahead_free, ahead_tell };
    static const struct {
        size_t n, size, refusals, told, most;
    } rows[] = {
        { 600, 10, 0, 600, 257 },           /* 256 entries after the one to be opened */
        { 600, 0, 0, 0, 0 },                /* nothing comes of empty files */
        { 150, 512 * KIB, 0, 150, 65 },     /* 32 MiB */
        { 70, 1024 * KIB, 0, 70, 65 },      /* whose first half MiB each counts */
        { 600, 10, 20, 600, 257 },          /* asked again for each until it waits */
        { 600, 10, (size_t)1 << 40, 0, 0 }, /* never */
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct changeset changeset;
        struct ahead ahead = { .refusals = rows[i].refusals };
        free(make_changeset(&changeset, rows[i].n, rows[i].size));
        for (size_t k = 0; k < changeset.list.n_entries; k++) /* in their order */
            changeset.list.entries[k].content = k;
        changeset.ops = &ops;
        changeset.data = &ahead;
        AUTO(made_release) struct made made = { NULL, NULL, NULL };
        struct error *err = NULL;
        make(&made, fixture->store, 1, COMPRESSION_NONE, NULL, &changeset);
        assert_ok(pool_group_wait(made.group, &err), err);
        assert_int_equal(ahead.told, rows[i].told);
        assert_int_equal(ahead.most_ahead, rows[i].most);
    }
}

static void digest_is(const struct digest *digest, const char *hex)
{
    char text[DIGEST_HEX_SIZE];
    digest_format_hex(digest, text);
    assert_string_equal(text, hex);
}

static void bytes_are_golden_whatever_the_threads(void **state)
{
    static const unsigned threads[] = { 1, 2, 8 };
    static const struct {
        enum compression_kind kind;
        const char *media_type, *digest;
    } kinds[] = {
        { COMPRESSION_GZIP, MEDIA_TYPE_OCI_LAYER_GZIP,
          "db51ca7efabe84bab5d33feaf17b3e267ac9160eb602e2a34cc4e378c8afe1d2" },
        { COMPRESSION_NONE, MEDIA_TYPE_OCI_LAYER,
          "bac8bf2afcb6f91650b21faa5d944d8037d1f00d59d7415d5b133ae7a7e0e98e" },
    };
    struct fixture *fixture = *state;
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
        for (size_t t = 0; t < ARRAY_SIZE(threads); t++) {
            struct error *err = NULL;
            struct changeset changeset;
            make_changeset(&changeset, 200, 50 * KIB + 1);
            AUTO(made_release) struct made made = { NULL, NULL, NULL };
            make(&made, fixture->store, threads[t], kinds[k].kind, NULL, &changeset);
            AUTO(descriptor_release) struct descriptor blob = { .size = 0 };
            struct digest diff_id;
            assert_ok(layer_wait(made.layer, &blob, &diff_id, &err), err);
            assert_ok(pool_group_wait(made.group, &err), err);
            assert_string_equal(blob.media_type, kinds[k].media_type);
            digest_is(&diff_id, "bac8bf2afcb6f91650b21faa5d944d8037d1f00d59d7415d5b133ae7a7e0e98e");
            /* other versions of libdeflate make other bytes: the tar's are promised always */
            if (kinds[k].kind == COMPRESSION_NONE || strcmp(LIBDEFLATE_VERSION_STRING, "1.14") == 0)
                digest_is(&blob.digest, kinds[k].digest);
            uint64_t size;
            assert_true(store_has_blob(fixture->store, &blob.digest, &size));
            assert_int_equal(size, blob.size);
        }
}

static void digests_of_contents_lie_in_the_stores_spill(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct changeset changeset;
    uint8_t digest[SHA256_SIZE];
    const struct spill *spill = store_spill(fixture->store);
    make_changeset(&changeset, 3, 10);
    AUTO(made_release) struct made made = { NULL, NULL, NULL };
    make(&made, fixture->store, 1, COMPRESSION_ZSTD, NULL, &changeset);
    const struct entry_list *list = layer_entries(made.layer, &err);
    assert_ok_ptr(list, err);
    size_t before = spill->in_memory;
    assert_false(layer_known_content(made.layer, &list->entries[1], digest));
    assert_true(spill->in_memory >= before + list->n_entries * SHA256_SIZE);
}

static void entries_are_known_before_and_kept_after(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct changeset changeset;
    make_changeset(&changeset, 3, 10);
    AUTO(made_release) struct made made = { NULL, NULL, NULL };
    make(&made, fixture->store, 1, COMPRESSION_ZSTD, NULL, &changeset);
    assert_int_equal(changeset.list.n_entries, 0); /* consumed */
    const struct entry_list *list = layer_entries(made.layer, &err);
    assert_ok_ptr(list, err);
    assert_int_equal(list->n_entries, 4);
    assert_string_equal(list->entries[1].path, "dir/file1");
    AUTO(descriptor_release) struct descriptor blob = { .size = 0 };
    struct digest diff_id;
    assert_ok(layer_wait(made.layer, &blob, &diff_id, &err), err);
    assert_true(layer_is_done(made.layer));
    AUTO(entries_release) struct entries entries = { .tar_size = 0 };
    assert_ok(entries_read(fixture->store, &blob.digest, &entries, &err), err);
    assert_true(digest_equal(&entries.diff_id, &diff_id));
    assert_int_equal(entries.list.n_entries, 4);
    assert_int_equal(entries.n_members, 1);
    assert_memory_equal(entries.codec, "zstd:3 ", 7);

    /* the same layer as an image's: from entries/, and without it from the blob */
    for (int i = 0; i < 2; i++) {
        AUTO(layer_unref)
        struct layer *layer = layer_from_blob(fixture->store, &blob, &diff_id, NULL);
        list = layer_entries(layer, &err);
        assert_ok_ptr(list, err);
        assert_int_equal(list->n_entries, 4);
        assert_int_equal(list->entries[3].size, 10);
        char name[DIGEST_HEX_SIZE];
        digest_format_hex(&blob.digest, name);
        assert_ok(fs_unlink(store_dir_fd(fixture->store, STORE_ENTRIES), name, &err), err);
    }
}

static void the_blob_holds_the_files(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct changeset changeset;
    make_changeset(&changeset, 40, 300 * KIB);
    AUTO(made_release) struct made made = { NULL, NULL, NULL };
    make(&made, fixture->store, 2, COMPRESSION_GZIP, NULL, &changeset);
    AUTO(descriptor_release) struct descriptor blob = { .size = 0 };
    assert_ok(layer_wait(made.layer, &blob, NULL, &err), err);
    int fd = store_open_blob(fixture->store, &blob.digest, &err);
    assert_ok(fd, err);
    AUTO(tar_reader_free)
    struct tar_reader *tar = tar_reader_new(source_fd_new(fd, true, "blob"), TAR_READ_LAYER, &err);
    assert_ok_ptr(tar, err);
    AUTO(entry_release) struct entry entry = { .type = ENTRY_FILE };
    AUTO(free) char *data = xmalloc(300 * KIB);
    AUTO(free) char *expected = xmalloc(300 * KIB);
    size_t n = 0;
    while (tar_reader_next(tar, &entry, &err) == 1) {
        if (entry.type != ENTRY_FILE)
            continue;
        size_t got = 0;
        ssize_t more;
        while ((more = tar_reader_data(tar, data + got, 300 * KIB - got, &err)) > 0)
            got += (size_t)more;
        struct entry key = { .content = strtoul(entry.path + strlen("dir/file"), NULL, 10),
                             .size = got };
        AUTO(source_free) struct source *source = content_open(&(struct content){ 0 }, &key, &err);
        assert_int_equal(source_read_full(source, expected, got, &err), 300 * KIB);
        assert_memory_equal(data, expected, got);
        n++;
    }
    assert_null(err);
    assert_int_equal(n, 40);
}

static void every_waiter_and_the_group_get_the_error(void **state)
{
    struct fixture *fixture = *state;
    unsigned n_freed = 0;
    for (size_t fail_at = 1; fail_at < 60; fail_at += 19) {
        struct error *err = NULL;
        struct changeset changeset;
        struct content *content = make_changeset(&changeset, 60, 100 * KIB);
        content->fail_at = fail_at;
        content->n_freed = &n_freed;
        AUTO(made_release) struct made made = { NULL, NULL, NULL };
        make(&made, fixture->store, 2, COMPRESSION_GZIP, NULL, &changeset);
        char text[64];
        (void)snprintf(text, sizeof(text), "writing a layer: dir/file%zu: unreadable", fail_at);
        assert_fails(layer_wait(made.layer, NULL, NULL, &err), err, ERR_IO, text);
        assert_fails(layer_wait(made.layer, NULL, NULL, &err), err, ERR_IO, text);
        assert_fails(pool_group_wait(made.group, &err), err, ERR_IO, text);
        assert_true(layer_is_done(made.layer));
        assert_fails(layer_fetch(made.layer, &err), err, ERR_IO, text);
    }
    assert_int_equal(n_freed, 4);
}

static void a_file_that_changed_is_named(void **state)
{
    static const uint64_t surplus[] = { 1, UINT64_MAX, 1000000 };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < ARRAY_SIZE(surplus); i++) {
        struct error *err = NULL;
        struct changeset changeset;
        make_changeset(&changeset, 1, 100 * KIB)->surplus = surplus[i];
        AUTO(made_release) struct made made = { NULL, NULL, NULL };
        make(&made, fixture->store, 1, COMPRESSION_GZIP, NULL, &changeset);
        assert_fails(layer_wait(made.layer, NULL, NULL, &err), err, ERR_FAILED,
                     "dir/file1: its size changed while it was read");
    }
}

static void a_file_that_fails_is_named_once(void **state)
{
    struct fixture *fixture = *state;
    for (int names_it = 0; names_it <= 1; names_it++) {
        struct error *err = NULL;
        struct changeset changeset;
        struct content *content = make_changeset(&changeset, 1, 100 * KIB);
        content->fail_at = 1;
        content->names_it = names_it;
        AUTO(made_release) struct made made = { NULL, NULL, NULL };
        make(&made, fixture->store, 1, COMPRESSION_GZIP, NULL, &changeset);
        assert_true(layer_wait(made.layer, NULL, NULL, &err) < 0);
        const char *first = strstr(error_message(err), "dir/file");
        assert_non_null(first);
        assert_null(strstr(first + 1, "dir/file"));
        error_free(err);
    }
}

static void streams_behind_a_failed_one_are_dropped(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(pool_free) struct pool *pool = pool_new(1);
    AUTO(pool_group_free) struct pool_group *group = pool_group_new(pool);
    const struct layer_options options = { { COMPRESSION_GZIP, 0 }, pool, group, { false }, false };
    struct changeset bad, good;
    unsigned n_freed = 0;
    struct content *content = make_changeset(&bad, 20, 500 * KIB);
    content->fail_at = 9;
    content->n_freed = &n_freed;
    make_changeset(&good, 1, 10)->n_freed = &n_freed;
    AUTO(layer_unref) struct layer *first = layer_make(fixture->store, &options, &bad, NULL);
    AUTO(layer_unref) struct layer *second = layer_make(fixture->store, &options, &good, NULL);
    assert_fails(layer_wait(first, NULL, NULL, &err), err, ERR_IO, "unreadable");
    assert_fails(layer_wait(second, NULL, NULL, &err), err, ERR_CANCELLED, "given up");
    assert_fails(pool_group_wait(group, &err), err, ERR_IO, "unreadable");
    assert_int_equal(n_freed, 2);
}

static void many_layers_share_a_small_pool(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(pool_free) struct pool *pool = pool_new(2);
    AUTO(pool_group_free) struct pool_group *group = pool_group_new(pool);
    const struct layer_options options = { { COMPRESSION_GZIP, 0 }, pool, group, { false }, false };
    struct layer *layers[7];
    struct digest first = { false };
    for (size_t i = 0; i < ARRAY_SIZE(layers); i++) {
        struct changeset changeset;
        make_changeset(&changeset, 100, 100 * KIB);
        layers[i] = layer_make(fixture->store, &options, &changeset, NULL);
    }
    for (size_t i = 0; i < ARRAY_SIZE(layers); i++) {
        AUTO(descriptor_release) struct descriptor blob = { .size = 0 };
        assert_ok(layer_wait(layers[i], &blob, NULL, &err), err);
        if (i == 0)
            first = blob.digest;
        assert_true(digest_equal(&blob.digest, &first));
        layer_unref(layers[i]);
    }
}

static void members_are_taken_from_the_previous_layer(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct digest previous = { false }, plain = { false };
    AUTO(entries_release) struct entries old = { .tar_size = 0 };
    for (int round = 0; round < 3; round++) {
        struct changeset changeset;
        make_changeset(&changeset, 150, 100 * KIB);
        changeset.list.entries[70].content = round ? 99999 : changeset.list.entries[70].content;
        AUTO(made_release) struct made made = { NULL, NULL, NULL };
        make(&made, fixture->store, 2, COMPRESSION_GZIP, round == 2 ? &previous : NULL, &changeset);
        AUTO(descriptor_release) struct descriptor blob = { .size = 0 };
        assert_ok(layer_wait(made.layer, &blob, NULL, &err), err);
        if (round == 0) {
            previous = blob.digest;
            assert_ok(entries_read(fixture->store, &previous, &old, &err), err);
            continue;
        }
        if (round == 1) {
            plain = blob.digest;
            size_t none;
            assert_false(layer_reused(made.layer, &none, &none)); /* there is nothing before it */
            continue;
        }
        assert_true(digest_equal(&blob.digest, &plain)); /* where bytes come from doesn't show */
        AUTO(entries_release) struct entries new = { .tar_size = 0 };
        assert_ok(entries_read(fixture->store, &plain, &new, &err), err);
        size_t same = 0;
        for (size_t i = 0; i < new.n_members; i++)
            for (size_t j = 0; j < old.n_members; j++)
                same += memcmp(new.members[i].input, old.members[j].input, SHA256_SIZE) == 0;
        assert_int_equal(same, new.n_members - 1);
        size_t n_members = 0, n_taken = 0;
        assert_true(layer_reused(made.layer, &n_members, &n_taken));
        assert_int_equal(n_members, new.n_members);
        assert_int_equal(n_taken, same);
    }
}

/* Else the bytes would tell what was there before. */
static void members_of_another_codec_are_not_taken(void **state)
{
    static const struct compression codecs[] = { { COMPRESSION_GZIP, 0 },
                                                 { COMPRESSION_GZIP, 1 },
                                                 { COMPRESSION_ZSTD, 0 },
                                                 { COMPRESSION_NONE, 0 } };
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct digest previous = { false };
    for (size_t i = 0; i < ARRAY_SIZE(codecs); i++) {
        struct changeset changeset;
        make_changeset(&changeset, 20, 100 * KIB);
        AUTO(made_release) struct made made = { NULL, NULL, NULL };
        make_at(&made, fixture->store, 2, codecs[i], i ? &previous : NULL, &changeset);
        AUTO(descriptor_release) struct descriptor blob = { .size = 0 };
        assert_ok(layer_wait(made.layer, &blob, NULL, &err), err);
        size_t n_members = 0, n_taken = 0;
        assert_true(layer_reused(made.layer, &n_members, &n_taken) == (i > 0));
        assert_int_equal(n_taken, 0);
        previous = i ? previous : blob.digest;
    }
}

/* Wrong bytes planted in the old blob, with a table that vouches for their CRC, show that they are
 * used. */
static void a_rotten_previous_blob_is_not_copied(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct changeset changeset;
    struct digest previous;
    {
        make_changeset(&changeset, 20, 77 * KIB);
        AUTO(made_release) struct made made = { NULL, NULL, NULL };
        make(&made, fixture->store, 1, COMPRESSION_GZIP, NULL, &changeset);
        AUTO(descriptor_release) struct descriptor blob = { .size = 0 };
        assert_ok(layer_wait(made.layer, &blob, NULL, &err), err);
        previous = blob.digest;
    }
    char name[DIGEST_HEX_SIZE];
    digest_format_hex(&previous, name);
    AUTO(close)
    int fd = openat(store_dir_fd(fixture->store, STORE_BLOBS), name, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "rotten", 6, 100), 6);
    make_changeset(&changeset, 20, 77 * KIB);
    AUTO(made_release) struct made made = { NULL, NULL, NULL };
    make(&made, fixture->store, 1, COMPRESSION_GZIP, &previous, &changeset);
    AUTO(descriptor_release) struct descriptor blob = { .size = 0 };
    assert_ok(layer_wait(made.layer, &blob, NULL, &err), err);
    assert_true(digest_equal(&blob.digest, &previous)); /* compressed anew: the right bytes */
    size_t n_members, n_taken = 1;
    assert_true(layer_reused(made.layer, &n_members, &n_taken));
    assert_int_equal(n_taken, 0);
}

/* Lazy blobs */

struct remote {
    struct store *store;
    const char *data;
    size_t size;
    unsigned n_calls, n_running, failures;
    pthread_mutex_t mutex;
};

static int remote_fetch(void *data, const struct descriptor *blob, struct error **err)
{
    struct remote *remote = data;
    pthread_mutex_lock(&remote->mutex);
    remote->n_calls++;
    assert_int_equal(remote->n_running++, 0);
    bool fails = remote->failures && remote->failures--;
    pthread_mutex_unlock(&remote->mutex);
    usleep(10000); /* gives a second caller the chance to be wrong */
    int result = 0;
    if (fails) {
        result = error_set(err, ERR_NETWORK, "connection reset");
    } else {
        AUTO(store_ingest_free)
        struct store_ingest *ingest = store_ingest_new(remote->store, blob, err);
        if (!ingest || sink_write(store_ingest_sink(ingest), remote->data, remote->size, err) < 0 ||
            store_ingest_commit(ingest, NULL, NULL, err) < 0)
            result = -1;
    }
    pthread_mutex_lock(&remote->mutex);
    remote->n_running--;
    pthread_mutex_unlock(&remote->mutex);
    return result;
}

static void *fetch_thread(void *data)
{
    struct error *err = NULL;
    if (layer_fetch(data, &err) < 0)
        error_free(err);
    return NULL;
}

static void lazy_blobs_are_fetched_once(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    char tar[1024] = { 0 };
    struct remote remote = { fixture->store, tar, sizeof(tar), 0, 0, 1, PTHREAD_MUTEX_INITIALIZER };
    AUTO(descriptor_release) struct descriptor blob = { .size = 0 };
    struct digest digest = digest_of(tar, sizeof(tar));
    descriptor_set(&blob, MEDIA_TYPE_OCI_LAYER, &digest, sizeof(tar));
    const struct layer_fetcher fetcher = { remote_fetch, NULL, &remote };
    AUTO(layer_unref)
    struct layer *layer = layer_from_blob(fixture->store, &blob, &digest, &fetcher);
    assert_ok(layer_wait(layer, NULL, NULL, &err), err); /* digests are known without the blob */
    assert_int_equal(remote.n_calls, 0);
    assert_fails(layer_fetch(layer, &err), err, ERR_NETWORK, "connection reset");
    struct thread *threads[4];
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        assert_ok_ptr(threads[i] = thread_start(fetch_thread, layer, &err), err);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        (void)thread_join(threads[i]);
    assert_int_equal(remote.n_calls, 2);
    const struct entry_list *list = layer_entries(layer, &err);
    assert_ok_ptr(list, err);
    assert_int_equal(list->n_entries, 0);
}

struct under_way {
    struct store *store;
    struct digest blob;
};

static void settle(void *data)
{
    struct under_way *fetch = data;
    struct error *err = NULL;
    const struct entries seen = { .diff_id = fetch->blob };
    assert_ok(entries_write(fetch->store, &fetch->blob, &seen, &err), err);
}

/* What is no archive can't be read again. */
static void a_blob_is_not_read_before_its_fetch_is_over(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor blob = { .size = 0 };
    assert_ok(store_put_blob(fixture->store, "no archive", 10, &blob, &err), err);
    struct under_way fetch = { fixture->store, blob.digest };
    const struct layer_fetcher fetcher = { NULL, settle, &fetch };
    AUTO(layer_unref)
    struct layer *layer = layer_from_blob(fixture->store, &blob, &blob.digest, &fetcher);
    assert_ok_ptr(layer_entries(layer, &err), err);
}

static void wrong_sizes_and_diff_ids_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    char tar[1536] = { 0 };
    AUTO(descriptor_release) struct descriptor blob = { .size = 0 };
    assert_ok(store_put_blob(fixture->store, tar, sizeof(tar), &blob, &err), err);
    struct digest other = digest_of("other", 5);
    AUTO(layer_unref) struct layer *layer = layer_from_blob(fixture->store, &blob, &other, NULL);
    assert_fails(layer_entries(layer, &err) ? 0 : -1, err, ERR_DIGEST, "has the diff_id");
    blob.size++;
    AUTO(layer_unref)
    struct layer *longer = layer_from_blob(fixture->store, &blob, &blob.digest, NULL);
    assert_fails(layer_fetch(longer, &err), err, ERR_DIGEST, "1536 bytes, its manifest says 1537");
    blob.digest = other;
    AUTO(layer_unref) struct layer *absent = layer_from_blob(fixture->store, &blob, &other, NULL);
    assert_fails(layer_fetch(absent, &err), err, ERR_NOT_FOUND, "not in the store");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_golden_whatever_the_threads),
        cmocka_unit_test(contents_are_asked_for_ahead_in_bounds),
        cmocka_unit_test(digests_of_contents_lie_in_the_stores_spill),
        cmocka_unit_test(entries_are_known_before_and_kept_after),
        cmocka_unit_test(the_blob_holds_the_files),
        cmocka_unit_test(every_waiter_and_the_group_get_the_error),
        cmocka_unit_test(a_file_that_changed_is_named),
        cmocka_unit_test(a_file_that_fails_is_named_once),
        cmocka_unit_test(streams_behind_a_failed_one_are_dropped),
        cmocka_unit_test(many_layers_share_a_small_pool),
        cmocka_unit_test(members_are_taken_from_the_previous_layer),
        cmocka_unit_test(members_of_another_codec_are_not_taken),
        cmocka_unit_test(a_rotten_previous_blob_is_not_copied),
        cmocka_unit_test(lazy_blobs_are_fetched_once),
        cmocka_unit_test(a_blob_is_not_read_before_its_fetch_is_over),
        cmocka_unit_test(wrong_sizes_and_diff_ids_are_refused),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
