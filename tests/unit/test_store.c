/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/store.h"

#include "oci/store_internal.h"
#include "tests/unit/store_fixture.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static void new_store_is_an_image_layout(void **state)
{
    struct fixture *fixture = *state;
    AUTO(free) char *layout = fixture_read(fixture, "oci-layout");
    AUTO(free) char *index = fixture_read(fixture, "index.json");
    AUTO(free) char *format = fixture_read(fixture, "cbuild-store");
    assert_string_equal(layout, "{\"imageLayoutVersion\":\"1.0.0\"}");
    assert_string_equal(index, "{\"manifests\":[],\"mediaType\":\"" MEDIA_TYPE_OCI_INDEX
                               "\",\"schemaVersion\":2}");
    assert_string_equal(format, "1\n");
}

/* All in the same moment, as far as one can say so. */
static void processes_may_make_a_store_at_once(void **state)
{
    struct fixture *fixture = *state;
    for (int round = 0; round < 30; round++) {
        AUTO(free) char *path = xasprintf("%s/together-%d", fixture->dir, round);
        pid_t children[8];
        int gate[2];
        assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
        for (size_t i = 0; i < ARRAY_SIZE(children); i++) {
            children[i] = fork();
            if (children[i] == 0) {
                struct error *err = NULL;
                char end;
                close(gate[1]);
                if (read(gate[0], &end, 1) != 0)
                    _exit(2);
                struct store *store = store_open(path, &err);
                if (!store)
                    print_error("%s\n", error_message(err));
                _exit(!store);
            }
        }
        close(gate[0]);
        close(gate[1]);
        for (size_t i = 0; i < ARRAY_SIZE(children); i++) {
            int status = 0;
            assert_int_equal(waitpid(children[i], &status, 0), children[i]);
            assert_int_equal(status, 0);
        }
    }
}

static mode_t mode_of(const struct fixture *fixture, const char *path)
{
    struct stat st;
    AUTO(free) char *full = xasprintf("%s/%s", fixture->path, path);
    assert_int_equal(lstat(full, &st), 0);
    return st.st_mode & 07777;
}

static void others_read_the_layout_and_nothing_else(void **state)
{
    struct fixture *fixture = *state;
    mode_t mask = umask(0);
    umask(mask);
    assert_int_equal(mode_of(fixture, "blobs/sha256"), 0755 & ~mask);
    assert_int_equal(mode_of(fixture, "index.json"), 0644);
    static const char *const own[] = { "layers", "cache/mounts", "tmp",    "leases",
                                       "tags",   "partial",      "entries" };
    for (size_t i = 0; i < ARRAY_SIZE(own); i++)
        assert_int_equal(mode_of(fixture, own[i]), 0700);
    struct digest digest = fixture_blob(fixture->store, "content");
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(&digest, hex);
    AUTO(free) char *path = xasprintf("blobs/sha256/%s", hex);
    assert_int_equal(mode_of(fixture, path), 0644);
}

static void write_text(const struct fixture *fixture, const char *path, const char *text)
{
    AUTO(free) char *full = xasprintf("%s/%s", fixture->dir, path);
    AUTO(close) int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void assert_open_fails(const char *path, enum error_code code, const char *text)
{
    struct error *err = NULL;
    struct store *store = store_open(path, &err);
    assert_fails(store ? 0 : -1, err, code, text);
}

static void newer_format_is_refused(void **state)
{
    struct fixture *fixture = *state;
    write_text(fixture, "store/cbuild-store", "2\n");
    assert_open_fails(fixture->path, ERR_STORE,
                      "store format 2: this cbuild knows formats up to 1");
    write_text(fixture, "store/cbuild-store", "x");
    assert_open_fails(fixture->path, ERR_STORE, "cbuild-store: damaged");
}

static void foreign_folder_is_refused(void **state)
{
    struct fixture *fixture = *state;
    write_text(fixture, "file", "mine");
    assert_open_fails(fixture->dir, ERR_STORE, "not a cbuild store, and not empty");
    AUTO(free) char *file = xasprintf("%s/file", fixture->dir);
    assert_open_fails(file, ERR_IO, "Not a directory");
}

static void missing_parents_are_made(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(free) char *path = xasprintf("%s/a/b//c/", fixture->dir);
    AUTO(store_close) struct store *store = store_open(path, &err);
    assert_ok_ptr(store, err);
}

static void killed_creation_is_completed(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    static const char *const gone[] = { "oci-layout", "index.json", "leases", "blobs" };
    store_close(fixture->store);
    fixture->store = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(gone); i++) {
        AUTO(free) char *path = xasprintf("%s/%s", fixture->path, gone[i]);
        assert_ok(fs_remove_tree(AT_FDCWD, path, &err), err);
    }
    fixture_reopen(fixture);
    new_store_is_an_image_layout(state);
}

static void default_path_follows_the_environment(void **state UNUSED)
{
    struct error *err = NULL;
    const char *saved = getenv("CBUILD_ROOT");
    AUTO(free) char *keep = xstrdup(saved);
    setenv("CBUILD_ROOT", "/x/y", 1);
    AUTO(free) char *path = store_default_path(&err);
    assert_string_equal(path, "/x/y");
    unsetenv("CBUILD_ROOT");
    AUTO(free) char *other = store_default_path(&err);
    if (geteuid() == 0)
        assert_string_equal(other, "/var/lib/cbuild");
    if (keep)
        setenv("CBUILD_ROOT", keep, 1);
    error_clear(&err);
}

static void documents_are_verified_when_read(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf buf = STRBUF_INIT;
    struct digest digest = fixture_blob(fixture->store, "content");
    struct digest absent = digest_of("absent", 6);
    assert_ok(store_read_blob(fixture->store, &digest, 100, &buf, &err), err);
    assert_string_equal(buf.data, "content");
    assert_fails(store_read_blob(fixture->store, &digest, 3, &buf, &err), err, ERR_LIMIT,
                 "sha256:");
    assert_fails(store_read_blob(fixture->store, &absent, 3, &buf, &err), err, ERR_NOT_FOUND,
                 "not in store");
    fixture_damage(fixture, &digest);
    assert_fails(store_read_blob(fixture->store, &digest, 100, &buf, &err), err, ERR_DIGEST,
                 "is damaged");
    assert_string_equal(buf.data, "content");
}

static void blobs_are_found(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    uint64_t size = 0;
    struct digest digest = fixture_blob(fixture->store, "content");
    struct digest absent = digest_of("absent", 6);
    assert_true(store_has_blob(fixture->store, &digest, &size));
    assert_int_equal(size, 7);
    assert_false(store_has_blob(fixture->store, &absent, NULL));
    AUTO(close) int fd = store_open_blob(fixture->store, &digest, &err);
    assert_ok(fd, err);
    assert_fails(store_open_blob(fixture->store, &absent, &err), err, ERR_NOT_FOUND, "sha256:");
}

static void named_locks_exclude(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(lockfile_release) struct lockfile *lock = store_lock(fixture->store, "step-x", &err);
    assert_ok_ptr(lock, err);
    struct lockfile *other = NULL;
    assert_ok(store_try_lock(fixture->store, "step-x", &other, &err), err);
    assert_null(other);
    AUTO(lockfile_release) struct lockfile *third = NULL;
    assert_ok(store_try_lock(fixture->store, "step-y", &third, &err), err);
    assert_non_null(third);
}

/*
 * These stand in front of libc's: the n-th call since arming fails. What is done otherwise is the
 * same.
 */
static struct {
    bool armed;
    unsigned countdown; /* 0: has fired */
    int error;          /* 0: dies instead */
} fault;

static bool fault_fires(void)
{
    if (!fault.armed || !fault.countdown || --fault.countdown)
        return false;
    if (!fault.error)
        (void)raise(SIGKILL);
    errno = fault.error;
    return true;
}

ssize_t write(int fd, const void *data, size_t size)
{
    return fault_fires() ? -1 : syscall(SYS_write, fd, data, size);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    return fault_fires() ? -1 : (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, 0);
}

int fdatasync(int fd)
{
    return fault_fires() ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    return fault_fires() ? -1 : (int)syscall(SYS_fsync, fd);
}

int syncfs(int fd)
{
    return fault_fires() ? -1 : (int)syscall(SYS_syncfs, fd);
}

int mkdirat(int fd, const char *path, mode_t mode)
{
    return fault_fires() ? -1 : (int)syscall(SYS_mkdirat, fd, path, mode);
}

int ftruncate(int fd, off_t size)
{
    return fault_fires() ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

static int put_and_tag(struct store *store, const char *layer, struct error **err)
{
    AUTO(store_ingest_free) struct store_ingest *ingest = store_ingest_new(store, NULL, err);
    if (!ingest || sink_write(store_ingest_sink(ingest), layer, strlen(layer), err) < 0)
        return -1;
    struct digest digest;
    if (store_ingest_commit(ingest, &digest, NULL, err) < 0)
        return -1;
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    AUTO(manifest_release) struct manifest manifest = { 0 };
    AUTO(descriptor_release) struct descriptor desc = { 0 };
    manifest.media_type = xstrdup(MEDIA_TYPE_OCI_MANIFEST);
    descriptor_set(&manifest.config, MEDIA_TYPE_OCI_EMPTY, &digest, strlen(layer));
    manifest_format(&manifest, &text);
    descriptor_set(&desc, MEDIA_TYPE_OCI_MANIFEST, &digest, 0);
    if (store_put_blob(store, text.data, text.size, &desc, err) < 0)
        return -1;
    if (fixture_tag(store, "x:1", &desc, err) < 0)
        return -1;
    return store_tag_keep(store, &desc, err);
}

/* Opens, stores, tags and retags; false when no call was left to fail. */
static bool run_with_fault(const struct fixture *fixture, unsigned n, int error)
{
    struct error *err = NULL;
    fault.error = error;
    fault.countdown = n;
    fault.armed = true;
    AUTO(free) char *path = xasprintf("%s/torture", fixture->dir);
    struct store *store = store_open(path, &err);
    int done = store ? put_and_tag(store, "first", &err) : -1;
    if (done == 0)
        done = put_and_tag(store, "second", &err);
    store_close(store);
    fault.armed = false;
    bool fired = fault.countdown == 0;
    if (done < 0 && !fired)
        fail_msg("without a fault: %s", error_message(err));
    if (done < 0 && error == ENOSPC && !error_is(err, ERR_NO_SPACE))
        fail_msg("call %u: code %d: %s", n, error_code(err), error_message(err));
    if (done < 0 && !strstr(error_message(err), path))
        fail_msg("call %u: doesn't name the store: %s", n, error_message(err));
    error_clear(&err);
    return fired;
}

static void verify_and_go_on(const struct fixture *fixture, unsigned n)
{
    struct error *err = NULL;
    struct store_fsck_result result;
    struct store_gc_result collected;
    AUTO(free) char *path = xasprintf("%s/torture", fixture->dir);
    struct store *store = store_open(path, &err);
    assert_ok_ptr(store, err);
    assert_ok(store_fsck(store, false, NULL, NULL, &result, &err), err);
    if (result.n_bad)
        fail_msg("call %u: %d bad", n, (int)result.n_bad);
    assert_ok(put_and_tag(store, "first", &err), err);
    assert_ok(store_gc(store, 0, &collected, &err), err);
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    assert_ok(fs_list_fd(store->tmp_fd, &names, "tmp", &err), err);
    assert_int_equal(names.n, 1); /* nothing is left of the one that failed */
    store_close(store);
    assert_ok(fs_remove_tree(AT_FDCWD, path, &err), err);
}

static void nth_failure_leaves_a_whole_store(void **state)
{
    struct fixture *fixture = *state;
    static const int errors[] = { ENOSPC, EIO };
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
        unsigned n = 1;
        for (; run_with_fault(fixture, n, errors[i]); n++)
            verify_and_go_on(fixture, n);
        assert_true(n > 20);
        verify_and_go_on(fixture, 0);
    }
}

/* true: it was killed at that call; false: it came to its end before. */
static bool run_and_kill(const struct fixture *fixture, unsigned n)
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        AUTO(free) char *path = xasprintf("%s/torture", fixture->dir);
        struct error *err = NULL;
        fault.countdown = n;
        fault.error = 0;
        fault.armed = true;
        struct store *store = store_open(path, &err);
        int done = store ? put_and_tag(store, "first", &err) : -1;
        if (done == 0)
            done = put_and_tag(store, "second", &err);
        store_close(store);
        _exit(done < 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status))
        assert_int_equal(WEXITSTATUS(status), 0);
    return WIFSIGNALED(status);
}

static void kill_at_any_call_leaves_a_whole_store(void **state)
{
    struct fixture *fixture = *state;
    unsigned n = 1;
    for (; run_and_kill(fixture, n); n++)
        verify_and_go_on(fixture, n);
    assert_true(n > 20);
    verify_and_go_on(fixture, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(new_store_is_an_image_layout),
        fixture_test(processes_may_make_a_store_at_once),
        fixture_test(others_read_the_layout_and_nothing_else),
        fixture_test(newer_format_is_refused),
        fixture_test(foreign_folder_is_refused),
        fixture_test(missing_parents_are_made),
        fixture_test(killed_creation_is_completed),
        fixture_test(default_path_follows_the_environment),
        fixture_test(documents_are_verified_when_read),
        fixture_test(blobs_are_found),
        fixture_test(named_locks_exclude),
        fixture_test(nth_failure_leaves_a_whole_store),
        fixture_test(kill_at_any_call_leaves_a_whole_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
