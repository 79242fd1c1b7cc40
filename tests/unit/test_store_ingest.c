/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/store_ingest.h"

#include "base/pool.h"
#include "tests/unit/store_fixture.h"

#include <signal.h>
#include <sys/resource.h>

static void expect(struct descriptor *desc, const char *content, uint64_t size)
{
    struct digest digest = digest_of(content, strlen(content));
    descriptor_set(desc, "a/b", &digest, size);
}

static void blob_appears_at_commit(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor expected = { 0 };
    expect(&expected, "content", 7);
    AUTO(store_ingest_free)
    struct store_ingest *ingest = store_ingest_new(fixture->store, &expected, &err);
    assert_ok_ptr(ingest, err);
    assert_ok(sink_write(store_ingest_sink(ingest), "con", 3, &err), err);
    assert_ok(sink_write(store_ingest_sink(ingest), "tent", 4, &err), err);
    assert_ok(sink_finish(store_ingest_sink(ingest), &err), err);
    assert_int_equal(fixture_count(fixture, "blobs/sha256"), 0);
    struct digest digest;
    uint64_t size;
    assert_ok(store_ingest_commit(ingest, &digest, &size, &err), err);
    assert_true(digest_equal(&digest, &expected.digest));
    assert_int_equal(size, 7);
    assert_true(store_has_blob(fixture->store, &digest, NULL));
}

static void discarded_blob_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct store_ingest *ingest = store_ingest_new(fixture->store, NULL, &err);
    assert_ok_ptr(ingest, err);
    assert_ok(sink_write(store_ingest_sink(ingest), "content", 7, &err), err);
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    int tmp = store_dir_fd(fixture->store, STORE_TMP);
    assert_ok(fs_list_fd(tmp, &names, "tmp", &err), err);
    assert_int_equal(names.n, 1);
    store_ingest_free(ingest);
    strvec_release(&names);
    assert_ok(fs_list_fd(tmp, &names, "tmp", &err), err);
    assert_int_equal(names.n, 0);
    assert_int_equal(fixture_count(fixture, "blobs/sha256"), 0);
}

static void wrong_content_is_refused(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *content, *error;
        uint64_t size;
    } cases[] = {
        { "contend", "its content has the digest sha256:", 7 },
        { "cont", "4 bytes, expected 7", 7 },
        { "content", "7 bytes, expected 8", 8 },
        { "content!", "more than the 7 bytes", 7 },
        { "content", "more than the 0 bytes", 0 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(descriptor_release) struct descriptor expected = { 0 };
        expect(&expected, "content", cases[i].size);
        AUTO(store_ingest_free)
        struct store_ingest *ingest = store_ingest_new(fixture->store, &expected, &err);
        assert_ok_ptr(ingest, err);
        const char *content = cases[i].content;
        int done = sink_write(store_ingest_sink(ingest), content, strlen(content), &err);
        if (done == 0)
            done = store_ingest_commit(ingest, NULL, NULL, &err);
        assert_fails(done, err, ERR_DIGEST, cases[i].error);
    }
    assert_int_equal(fixture_count(fixture, "blobs/sha256"), 0);
}

static void same_blob_twice_is_one_file(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(store_ingest_free) struct store_ingest *a = store_ingest_new(fixture->store, NULL, &err);
    AUTO(store_ingest_free) struct store_ingest *b = store_ingest_new(fixture->store, NULL, &err);
    assert_true(a && b);
    assert_ok(sink_write(store_ingest_sink(a), "content", 7, &err), err);
    assert_ok(sink_write(store_ingest_sink(b), "content", 7, &err), err);
    assert_ok(store_ingest_commit(a, NULL, NULL, &err), err);
    assert_ok(store_ingest_commit(b, NULL, NULL, &err), err);
    assert_int_equal(fixture_count(fixture, "blobs/sha256"), 1);
    fixture_verify(fixture);
}

static void truncated_blob_is_replaced(void **state)
{
    struct fixture *fixture = *state;
    struct digest digest = fixture_blob(fixture->store, "content");
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(&digest, hex);
    AUTO(close)
    int fd = openat(store_dir_fd(fixture->store, STORE_BLOBS), hex, O_WRONLY | O_CLOEXEC);
    assert_int_equal(ftruncate(fd, 0), 0);
    fixture_blob(fixture->store, "content");
    fixture_verify(fixture);
}

static void full_disk_is_named_and_cleaned(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    /* the kernel's own limit of a file's size gives EFBIG where a full disk gives ENOSPC */
    struct rlimit old, small = { 4096, RLIM_INFINITY };
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small.rlim_max = old.rlim_max;
    (void)signal(SIGXFSZ, SIG_IGN);
    AUTO(free) char *data = xcalloc(1, 8192);
    struct store_ingest *ingest = store_ingest_new(fixture->store, NULL, &err);
    assert_ok_ptr(ingest, err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int written = sink_write(store_ingest_sink(ingest), data, 8192, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_fails(written, err, ERR_IO, fixture->path);
    store_ingest_free(ingest);
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    assert_ok(fs_list_fd(store_dir_fd(fixture->store, STORE_TMP), &names, "tmp", &err), err);
    assert_int_equal(names.n, 0);
}

static void finished_download_is_adopted(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    int partial = store_dir_fd(fixture->store, STORE_PARTIAL);
    struct digest digest = digest_of("content", 7);
    for (int i = 0; i < 2; i++) {
        assert_ok(fs_write_file(partial, "file", "content", 7, 0600, &err), err);
        assert_ok(store_adopt_blob(fixture->store, partial, "file", &digest, &err), err);
        assert_int_equal(fixture_count(fixture, "partial"), 0);
    }
    fixture_verify(fixture);
    assert_fails(store_adopt_blob(fixture->store, partial, "file", &digest, &err), err,
                 ERR_NOT_FOUND, "file");
}

#define N_TASKS 40

static int ingest_task(void *data, struct error **err)
{
    struct fixture *fixture = data;
    for (int i = 0; i < 8; i++) {
        AUTO(free) char *content = xasprintf("content %d", i);
        AUTO(descriptor_release) struct descriptor desc = { 0 };
        AUTO(store_ingest_free)
        struct store_ingest *ingest = store_ingest_new(fixture->store, NULL, err);
        if (!ingest || sink_write(store_ingest_sink(ingest), content, strlen(content), err) < 0 ||
            store_ingest_commit(ingest, &desc.digest, NULL, err) < 0 ||
            store_sync(fixture->store, err) < 0)
            return -1;
        if (!store_has_blob(fixture->store, &desc.digest, NULL))
            return error_set(err, ERR_FAILED, "%s isn't there", content);
    }
    return 0;
}

static void threads_share_a_store(void **state)
{
    struct error *err = NULL;
    AUTO(pool_free) struct pool *pool = pool_new(4);
    AUTO(pool_group_free) struct pool_group *group = pool_group_new(pool);
    for (int i = 0; i < N_TASKS; i++)
        pool_submit(group, ingest_task, NULL, *state);
    assert_ok(pool_group_wait(group, &err), err);
    assert_int_equal(fixture_count(*state, "blobs/sha256"), 8);
    fixture_verify(*state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(blob_appears_at_commit),       fixture_test(discarded_blob_leaves_nothing),
        fixture_test(wrong_content_is_refused),     fixture_test(same_blob_twice_is_one_file),
        fixture_test(truncated_blob_is_replaced),   fixture_test(full_disk_is_named_and_cleaned),
        fixture_test(finished_download_is_adopted), fixture_test(threads_share_a_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
