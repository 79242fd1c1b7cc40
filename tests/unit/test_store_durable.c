/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/store_ingest.h"
#include "tests/unit/crash_fixture.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>

/* Stand in front of libc's. */
static struct {
    unsigned n_syncfs, n_files;
    unsigned fail_at, fail_n; /* of the files: the first that fails, 0 none; how many more */
    int directory_fd;         /* whose syncs are counted */
    unsigned n_directory;
    unsigned n_started;  /* files on their way to the disk */
    unsigned n_waited;   /* of them, when the first was waited for */
    const char *meminfo; /* NULL: the machine's */
    int64_t born_later;  /* seconds that the note of what is synced is younger than its birth */
} calls;

static int text_fd(const char *text)
{
    int fd = (int)syscall(SYS_memfd_create, "text", MFD_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return -1;
    return fd;
}

int open(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    bool makes = flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE;
    mode_t mode = makes ? va_arg(list, mode_t) : 0;
    va_end(list);
    if (calls.meminfo && !strcmp(path, "/proc/meminfo"))
        return text_fd(calls.meminfo);
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int statx(int dir_fd, const char *path, int flags, unsigned mask, struct statx *ret)
{
    int result = (int)syscall(SYS_statx, dir_fd, path, flags, mask, ret);
    ret->stx_btime.tv_sec += result == 0 && flags & AT_EMPTY_PATH ? calls.born_later : 0;
    return result;
}

int fsync(int fd)
{
    struct stat st, wanted;
    calls.n_directory += fstat(fd, &st) == 0 && fstat(calls.directory_fd, &wanted) == 0 &&
                         st.st_ino == wanted.st_ino;
    return (int)syscall(SYS_fsync, fd);
}

int syncfs(int fd)
{
    calls.n_syncfs++;
    return (int)syscall(SYS_syncfs, fd);
}

int sync_file_range(int fd UNUSED, off_t offset UNUSED, off_t size UNUSED, unsigned flags UNUSED)
{
    calls.n_started++;
    return 0;
}

int fdatasync(int fd)
{
    if (!calls.n_files)
        calls.n_waited = calls.n_started;
    calls.n_files++;
    if (calls.fail_at && calls.n_files >= calls.fail_at &&
        calls.n_files <= calls.fail_at + calls.fail_n) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

static int setup(void **state)
{
    int result = fixture_setup(state);
    memset(&calls, 0, sizeof(calls));
    return result;
}

#define durable_test(test) cmocka_unit_test_setup_teardown(test, setup, fixture_teardown)

static bool is_unsynced(const struct fixture *fixture, const char *content)
{
    struct error *err = NULL;
    AUTO(store_synced_release) struct store_synced synced = { 0 };
    struct digest digest = digest_of(content, strlen(content));
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(&digest, hex);
    assert_int_equal(store_synced_read(fixture->store, fixture->store->boot, &synced, &err), 1);
    return hashmap_has(&synced.unsynced, hex);
}

static void a_name_syncs_the_blobs_that_it_needs_and_no_others(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor image = { 0 };
    fixture_blob(fixture->store, "another build's");
    fixture_image(fixture->store, "layer", NULL, &image);
    calls.directory_fd = store_dir_fd(fixture->store, STORE_BLOBS);
    assert_ok(fixture_tag(fixture->store, "a:1", &image, &err), err);
    assert_int_equal(calls.n_syncfs, 0);
    /* three blobs, the list, what is left of it, the tag */
    assert_int_equal(calls.n_files, 6);
    assert_int_equal(calls.n_directory, 1);
    assert_true(is_unsynced(fixture, "another build's"));
    assert_false(is_unsynced(fixture, "layer"));
    calls.n_files = 0;
    assert_ok(fixture_tag(fixture->store, "b:1", &image, &err), err);
    assert_int_equal(calls.n_files, 1);
    assert_ok(store_sync(fixture->store, &err), err);
    assert_int_equal(fixture_count(fixture, "unsynced"), 0);
}

/* All of a name's before one is waited for; large ones while they are written. */
static void blobs_are_on_their_way_before_they_are_waited_for(void **state)
{
    enum { PIECE = 1 << 20, PIECES = 20 };
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor image = { 0 };
    fixture_image(fixture->store, "layer", NULL, &image);
    assert_int_equal(calls.n_started, 0);
    assert_ok(fixture_tag(fixture->store, "a:1", &image, &err), err);
    assert_int_equal(calls.n_waited, 3);
    calls.n_started = 0;
    AUTO(free) char *piece = xcalloc(1, PIECE);
    AUTO(store_ingest_free)
    struct store_ingest *ingest = store_ingest_new(fixture->store, NULL, &err);
    assert_ok_ptr(ingest, err);
    for (int i = 0; i < PIECES; i++)
        assert_ok(sink_write(store_ingest_sink(ingest), piece, PIECE, &err), err);
    assert_int_equal(calls.n_started, 2);
}

static void blobs_that_came_after_a_sync_are_synced_by_the_next_name(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor a = { 0 };
    AUTO(descriptor_release) struct descriptor b = { 0 };
    fixture_image(fixture->store, "first", NULL, &a);
    assert_ok(fixture_tag(fixture->store, "a:1", &a, &err), err);
    fixture_image(fixture->store, "second", NULL, &b);
    calls.n_files = 0;
    assert_ok(fixture_tag(fixture->store, "b:1", &b, &err), err);
    assert_int_equal(calls.n_files, 5);
}

static void many_blobs_are_synced_at_once(void **state)
{
    enum { N = 30 };
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct descriptor images[N] = { 0 };
    struct store_naming names[N] = { { NULL, NULL } };
    for (size_t i = 0; i < N; i++) {
        AUTO(free) char *layer = xasprintf("layer %zu", i);
        fixture_image(fixture->store, layer, NULL, &images[i]);
        names[i].image = &images[i];
    }
    assert_ok(store_tags_set(fixture->store, names, N, &err), err);
    assert_int_equal(calls.n_syncfs, 1);
    assert_int_equal(fixture_count(fixture, "tags"), N);
    assert_int_equal(fixture_count(fixture, "unsynced"), 0);
    for (size_t i = 0; i < N; i++)
        descriptor_release(&images[i]);
}

/* The next try finds none of them: not one after the other. */
static void all_blobs_that_cannot_be_written_go_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor image = { 0 };
    fixture_image(fixture->store, "layer", NULL, &image);
    calls.fail_at = 1;
    calls.fail_n = 2;
    assert_fails(fixture_tag(fixture->store, "a:1", &image, &err), err, ERR_IO, "syncing blob");
    assert_int_equal(fixture_count(fixture, "blobs/sha256"), 0);
}

/* Whichever it is: no name, and what may be lost isn't there any more. */
static void a_blob_that_cannot_be_written_is_named_and_gone(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor image = { 0 };
    fixture_image(fixture->store, "layer", NULL, &image);
    struct digest layer = digest_of("layer", strlen("layer"));
    calls.fail_at = 1;
    assert_fails(fixture_tag(fixture->store, "a:1", &image, &err), err, ERR_IO,
                 "tagging docker.io/library/a:1: store");
    assert_int_equal(fixture_count(fixture, "tags"), 0);
    assert_false(store_has_blob(fixture->store, &layer, NULL));
    calls.fail_at = 0;
    fixture_image(fixture->store, "layer", NULL, &image);
    assert_ok(fixture_tag(fixture->store, "a:1", &image, &err), err);
}

static void no_failing_call_gives_a_name(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    unsigned at = 0;
    for (int result = -1; result < 0;) {
        AUTO(descriptor_release) struct descriptor image = { 0 };
        fixture_image(fixture->store, "layer", NULL, &image);
        calls.n_files = 0;
        calls.fail_at = ++at;
        result = fixture_tag(fixture->store, "a:1", &image, &err);
        assert_int_equal(fixture_count(fixture, "tags"), result == 0);
        assert_true(result == 0 || error_is(err, ERR_IO));
        error_clear(&err);
    }
    assert_true(at > 6);
}

static void after_a_crash_forms_go_and_blobs_of_names_stay(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor image = { 0 };
    fixture_image(fixture->store, "layer", NULL, &image);
    struct digest form = digest_of("form", 4);
    struct digest lost = fixture_blob(fixture->store, "lost");
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(&form, hex);
    AUTO(free) char *path = xasprintf("layers/u-root/d-%s/etc", hex);
    assert_ok(store_mark_unsynced(fixture->store, &form, &err), err);
    assert_ok(fs_mkdirs(store_dir_fd(fixture->store, STORE_ROOT), path, 0755, &err), err);
    assert_ok(fixture_tag(fixture->store, "a:1", &image, &err), err);
    crash(fixture);
    fixture_damage(fixture, &lost);
    fixture_reopen(fixture);
    assert_int_equal(fixture_count(fixture, "layers/u-root"), 0);
    assert_false(store_has_blob(fixture->store, &lost, NULL));
    assert_int_equal(fixture_count(fixture, "unsynced"), 0);
    fixture_verify(fixture);
}

/* What a name needed isn't read again; what came before and wasn't synced, or afterwards, is. */
static void after_a_crash_blobs_that_were_synced_are_not_looked_at(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor image = { 0 };
    const struct digest before = fixture_blob(fixture->store, "before");
    fixture_image(fixture->store, "layer", NULL, &image);
    const struct digest synced = digest_of("layer", strlen("layer"));
    assert_ok(fixture_tag(fixture->store, "a:1", &image, &err), err);
    const struct digest after = fixture_blob(fixture->store, "after");
    fixture_damage(fixture, &before);
    fixture_damage(fixture, &synced);
    fixture_damage(fixture, &after);
    crash(fixture);
    calls.born_later = 3600; /* else all blobs are as young as the note */
    fixture_reopen(fixture);
    assert_true(store_has_blob(fixture->store, &synced, NULL));
    assert_false(store_has_blob(fixture->store, &before, NULL));
    assert_false(store_has_blob(fixture->store, &after, NULL));
}

/* It wasn't written whole: then it says nothing, and all names of the list are looked at. */
static void a_damaged_note_of_what_is_synced_does_not_count(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor image = { 0 };
    fixture_image(fixture->store, "layer", NULL, &image);
    struct digest layer = digest_of("layer", strlen("layer"));
    assert_ok(fixture_tag(fixture->store, "a:1", &image, &err), err);
    AUTO(free) char *name = store_synced_name(fixture->store->boot);
    int dir = fixture->store->unsynced_fd;
    AUTO(close) int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);
    assert_int_equal(ftruncate(fd, 10), 0);
    AUTO(store_synced_release) struct store_synced synced = { 0 };
    assert_int_equal(store_synced_read(fixture->store, fixture->store->boot, &synced, &err), 0);
    crash(fixture);
    fixture_damage(fixture, &layer);
    fixture_reopen(fixture);
    assert_false(store_has_blob(fixture->store, &layer, NULL));
}

/* A list that is `age` seconds old, while the kernel has so much to write. */
static void what_lies_unsynced_for_long_is_synced_where_little_waits(void **state)
{
    static const struct {
        int age;
        const char *meminfo;
        unsigned n_syncfs;
    } cases[] = {
        { 0, "MemTotal: 9 kB\nDirty: 100 kB\nWriteback: 0 kB\n", 0 },
        { 100, "MemTotal: 9 kB\nDirty: 100000 kB\nWriteback: 0 kB\n", 0 },
        { 100, "MemTotal: 9 kB\nDirty: 0 kB\nWriteback: 100000 kB\n", 0 },
        { 100, "MemTotal: 9 kB\nDirty: 100 kB\nWriteback: 0 kB\n", 1 },
    };
    struct fixture *fixture = *state;
    struct error *err = NULL;
    fixture_blob(fixture->store, "nobody's yet");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct timespec then = { .tv_sec = time(NULL) - cases[i].age };
        const struct timespec times[] = { then, then };
        assert_int_equal(utimensat(fixture->store->unsynced_fd, fixture->store->boot, times, 0), 0);
        calls.meminfo = cases[i].meminfo;
        calls.n_syncfs = 0;
        assert_ok(store_sync_settled(fixture->store, &err), err);
        assert_int_equal(calls.n_syncfs, cases[i].n_syncfs);
        assert_int_equal(fixture_count(fixture, "unsynced"), !cases[i].n_syncfs);
    }
    calls.n_syncfs = 0;
    assert_ok(store_sync_settled(fixture->store, &err), err); /* nothing is left to do */
    assert_int_equal(calls.n_syncfs, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        durable_test(a_name_syncs_the_blobs_that_it_needs_and_no_others),
        durable_test(blobs_are_on_their_way_before_they_are_waited_for),
        durable_test(blobs_that_came_after_a_sync_are_synced_by_the_next_name),
        durable_test(many_blobs_are_synced_at_once),
        durable_test(all_blobs_that_cannot_be_written_go_at_once),
        durable_test(a_blob_that_cannot_be_written_is_named_and_gone),
        durable_test(no_failing_call_gives_a_name),
        durable_test(after_a_crash_forms_go_and_blobs_of_names_stay),
        durable_test(after_a_crash_blobs_that_were_synced_are_not_looked_at),
        durable_test(a_damaged_note_of_what_is_synced_does_not_count),
        durable_test(what_lies_unsynced_for_long_is_synced_where_little_waits),
    };
    /* how much else is dirty on this machine doesn't count */
    if (setenv("CBUILD_FORCE", "no-syncfs", 1) < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
