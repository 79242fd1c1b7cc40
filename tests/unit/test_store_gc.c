/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/store_gc.h"

#include "base/cancel.h"
#include "oci/store_internal.h"
#include "oci/store_records.h"
#include "tests/unit/store_fixture.h"

#include <signal.h>
#include <sys/wait.h>

static struct store_gc_result collect(const struct fixture *fixture, unsigned flags)
{
    struct error *err = NULL;
    struct store_gc_result result = { 0 };
    assert_ok(store_gc(fixture->store, flags, &result, &err), err);
    return result;
}

static void put(const struct fixture *fixture, const char *folder, const char *prefix,
                const struct digest *digest, const char *text)
{
    struct error *err = NULL;
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(digest, hex);
    AUTO(free) char *path = xasprintf("%s/%s%s", folder, prefix, hex);
    assert_ok(fs_write_file(store_dir_fd(fixture->store, STORE_ROOT), path, text, strlen(text),
                            0600, &err),
              err);
}

static void put_form(const struct fixture *fixture, const char *prefix, const struct digest *digest)
{
    struct error *err = NULL;
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(digest, hex);
    AUTO(free) char *path = xasprintf("layers/u-root/%s%s/etc", prefix, hex);
    assert_ok(fs_mkdirs(store_dir_fd(fixture->store, STORE_ROOT), path, 0755, &err), err);
}

static void what_tags_reach_stays(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct descriptor images[3] = { 0 };
    fixture_image(fixture->store, "a", NULL, &images[0]);
    fixture_image(fixture->store, "b", NULL, &images[1]);
    fixture_image(fixture->store, "c", NULL, &images[2]);
    assert_ok(fixture_tag(fixture->store, "a", &images[0], &err), err);
    assert_ok(store_tag_keep(fixture->store, &images[1], &err), err);
    fixture_reopen(fixture); /* the leases end */
    struct store_gc_result result = collect(fixture, 0);
    assert_int_equal(result.n_blobs, 3);
    assert_true(result.size > 0);
    assert_int_equal(fixture_count(fixture, "blobs/sha256"), 6);
    fixture_verify(fixture);
    assert_ok(fixture_untag(fixture->store, "a", false, &err), err);
    assert_int_equal(collect(fixture, 0).n_blobs, 3);
    assert_ok(store_tag_remove_untagged(fixture->store, &images[1].digest, &err), err);
    assert_int_equal(collect(fixture, 0).n_blobs, 3);
    assert_int_equal(fixture_count(fixture, "blobs/sha256"), 0);
    for (size_t i = 0; i < ARRAY_SIZE(images); i++)
        descriptor_release(&images[i]);
}

static void what_is_leased_stays(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct store *other = store_open(fixture->path, &err);
    assert_ok_ptr(other, err);
    struct digest blob = fixture_blob(other, "a");
    put_form(fixture, "d-", &blob);
    assert_int_equal(collect(fixture, STORE_GC_RECORDS).n_blobs, 0);
    assert_int_equal(fixture_count(fixture, "layers/u-root"), 1);
    store_close(other);
    struct store_gc_result result = collect(fixture, 0);
    assert_int_equal(result.n_blobs, 1);
    assert_int_equal(result.n_forms, 1);
    assert_int_equal(fixture_count(fixture, "layers/u-root"), 0);
}

static void forms_and_entries_follow_their_layers(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(descriptor_release) struct descriptor image = { 0 };
    fixture_image(fixture->store, "a", NULL, &image);
    assert_ok(fixture_tag(fixture->store, "a", &image, &err), err);
    struct digest layer = digest_of("a", 1), other = digest_of("x", 1);
    put_form(fixture, "d-", &layer);
    put_form(fixture, "c-", &layer);
    put_form(fixture, "d-", &other);
    put_form(fixture, "c-", &other);
    put_form(fixture, "z-", &other); /* not ours to judge */
    put(fixture, "entries", "", &layer, "x");
    put(fixture, "entries", "", &other, "x");
    struct store_gc_result result = collect(fixture, 0);
    assert_int_equal(result.n_forms, 2);
    assert_int_equal(fixture_count(fixture, "layers/u-root"), 3);
    assert_int_equal(fixture_count(fixture, "entries"), 1);
}

static void private_form_stays_while_its_lock_is_held(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    assert_ok(
        fs_mkdirs(store_dir_fd(fixture->store, STORE_ROOT), "layers/u-root/p-1/upper", 0755, &err),
        err);
    struct lockfile *lock = store_lock(fixture->store, "p-1", &err);
    assert_ok_ptr(lock, err);
    collect(fixture, 0);
    assert_int_equal(fixture_count(fixture, "layers/u-root"), 1);
    lockfile_release(lock);
    collect(fixture, 0);
    assert_int_equal(fixture_count(fixture, "layers/u-root"), 0);
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    assert_ok(fs_list_fd(fixture->store->locks_fd, &names, "locks", &err), err);
    assert_false(strvec_has(&names, "p-1"));
}

/* In a child, since a signal is for good. */
static void child_that_collects_when_stopped(const char *path)
{
    struct error *err = NULL;
    struct store_gc_result result;
    struct store *store = store_open(path, &err);
    cancel_trigger(SIGTERM);
    _exit(store && store_gc(store, 0, &result, &err) < 0 && error_is(err, ERR_CANCELLED) ? 0 : 1);
}

static void a_signal_cuts_the_collecting_of_much_short(void **state)
{
    struct fixture *fixture = *state;
    fixture_put_much(fixture, "layers/u-root/p-1");
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        child_that_collects_when_stopped(fixture->path);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(fixture_count(fixture, "layers/u-root"), 1);
    collect(fixture, 0);
    assert_int_equal(fixture_count(fixture, "layers/u-root"), 0);
}

static void put_ran(const struct fixture *fixture, const struct digest *key, const char *boot,
                    const char *form)
{
    AUTO(free)
    char *text = xasprintf("{\"boot\":\"%s\",\"form\":\"%s\",\"state\":\"ran\"}", boot, form);
    put(fixture, "cache/records", "/", key, text);
}

/* What a step left that has run, and whose layer isn't finished. */
static void a_record_keeps_its_private_form_in_the_boot_that_wrote_it(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct digest keys[] = { digest_of("a", 1), digest_of("b", 1), digest_of("c", 1) };
    static const char *const forms[] = { "layers/u-root/p-1-1-1/tree", "layers/u-root/p-2-2-2/tree",
                                         "layers/u-root/p-3-3-3/tree" };
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
        assert_ok(fs_mkdirs(store_dir_fd(fixture->store, STORE_ROOT), forms[i], 0755, &err), err);
    put_ran(fixture, &keys[0], store_boot(fixture->store), "u-root/p-1-1-1");
    put_ran(fixture, &keys[1], "another", "u-root/p-2-2-2");
    put_ran(fixture, &keys[2], store_boot(fixture->store), "u-root/p-4-4-4");
    struct store_gc_result result = collect(fixture, 0);
    assert_int_equal(result.n_records, 2);
    assert_int_equal(fixture_count(fixture, "cache/records"), 1);
    assert_int_equal(fixture_count(fixture, "layers/u-root"), 1);
    assert_int_equal(fixture_count(fixture, "layers/u-root/p-1-1-1"), 1);
    result = collect(fixture, STORE_GC_RECORDS);
    assert_int_equal(result.n_records, 1);
    assert_int_equal(fixture_count(fixture, "layers/u-root"), 0);
}

static void a_private_form_counts_in_what_records_may_keep(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct digest key = digest_of("a", 1);
    AUTO(hashmap_release) struct hashmap sizes = HASHMAP_INIT(free);
    AUTO(hashmap_release) struct hashmap names = HASHMAP_INIT(NULL);
    const struct store_records_limits limits = { .cap = 1 };
    uint64_t n_removed = 0;
    assert_ok(fs_mkdirs(store_dir_fd(fixture->store, STORE_ROOT), "layers/u-root/p-1-1-1/tree",
                        0755, &err),
              err);
    assert_ok(fs_write_file(store_dir_fd(fixture->store, STORE_ROOT),
                            "layers/u-root/p-1-1-1/tree/f", "x", 1, 0644, &err),
              err);
    put_ran(fixture, &key, store_boot(fixture->store), "u-root/p-1-1-1");
    assert_ok(store_sizes(fixture->store, &sizes, &err), err);
    assert_true(hashmap_has(&sizes, "p-1-1-1"));
    assert_ok(store_records_mark(fixture->store, &limits, &sizes, &names, &n_removed, &err), err);
    assert_int_equal(n_removed, 1);
}

static void records_keep_what_they_name(void **state)
{
    struct fixture *fixture = *state;
    struct digest blob = fixture_blob(fixture->store, "a"), key = digest_of("key", 3);
    struct digest rest = digest_of("rest", 4), old_rest = digest_of("old", 3);
    char text[DIGEST_TEXT_SIZE], rest_text[DIGEST_TEXT_SIZE];
    digest_format(&blob, text);
    digest_format(&rest, rest_text);
    AUTO(free)
    char *record = xasprintf("{\"inputs\":\"%s\",\"layers\":{\"gzip-1\":{\"digest\":\"%s\"}},"
                             "\"step\":\"RUN sha256:x\"}",
                             rest_text, text);
    put(fixture, "cache/records", "", &key, record);
    put(fixture, "cache/records", "rest-", &rest, "x");
    put(fixture, "cache/records", "rest-", &old_rest, "x");
    fixture_reopen(fixture);
    assert_int_equal(collect(fixture, 0).n_blobs, 0);
    assert_int_equal(fixture_count(fixture, "cache/records"), 2);
    struct store_gc_result result = collect(fixture, STORE_GC_RECORDS);
    assert_int_equal(result.n_records, 1);
    assert_int_equal(result.n_blobs, 1);
    assert_int_equal(fixture_count(fixture, "cache/records"), 0);
}

static void unknown_folders_are_left_alone(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    int root = store_dir_fd(fixture->store, STORE_ROOT);
    static const char *const paths[] = { "containers", "volumes", "cache/mounts/id",
                                         "cache/future" };
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
        assert_ok(fs_mkdirs(root, paths[i], 0755, &err), err);
    collect(fixture, STORE_GC_RECORDS);
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        struct stat st;
        assert_int_equal(fs_stat(root, paths[i], &st, &err), 1);
    }
}

static void try_gives_up_silently(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    struct store *other = store_open(fixture->path, &err);
    assert_ok_ptr(other, err);
    fixture_blob(other, "a");
    struct lockfile *lock =
        store_lock_internal(fixture->store, STORE_LOCK_STORE, LOCK_MODE_SHARED, &err);
    assert_ok_ptr(lock, err);
    store_close(other);
    assert_int_equal(collect(fixture, STORE_GC_TRY).n_blobs, 0);
    lockfile_release(lock);
    assert_int_equal(collect(fixture, STORE_GC_TRY).n_blobs, 1);
}

static void damaged_index_keeps_its_other_images(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(index_release) struct index index = { .media_type = xstrdup(MEDIA_TYPE_OCI_INDEX) };
    AUTO(descriptor_release) struct descriptor root = { 0 };
    fixture_image(fixture->store, "a", NULL, ARRAY_PUSH(&index, manifests));
    fixture_image(fixture->store, "b", NULL, ARRAY_PUSH(&index, manifests));
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    index_format(&index, &text);
    descriptor_set(&root, MEDIA_TYPE_OCI_INDEX, &index.manifests[0].digest, 0);
    assert_ok(store_put_blob(fixture->store, text.data, text.size, &root, &err), err);
    assert_ok(fixture_tag(fixture->store, "multi", &root, &err), err);
    fixture_damage(fixture, &index.manifests[0].digest);
    fixture_reopen(fixture);
    assert_int_equal(collect(fixture, 0).n_blobs, 2); /* config and layer of the damaged one */
    assert_int_equal(fixture_count(fixture, "blobs/sha256"), 5);
}

static void growth_makes_collecting_due(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    assert_false(store_gc_is_due(fixture->store));
    struct store *other = store_open(fixture->path, &err);
    assert_ok_ptr(other, err);
    store_grew(other, (uint64_t)20 << 30);
    assert_true(store_gc_is_due(other));
    assert_false(store_gc_is_due(fixture->store));
    store_close(other);
    assert_true(store_gc_is_due(fixture->store));
    collect(fixture, 0);
    assert_false(store_gc_is_due(fixture->store));
    fixture_reopen(fixture);
    assert_false(store_gc_is_due(fixture->store));
}

/* Several processes at once: none loses what it relies on, nothing bad remains. */
#define N_PROCESSES 6
#define N_ROUNDS 25

static int one_round(struct store *store, int process, int round, struct error **err)
{
    AUTO(descriptor_release) struct descriptor image = { 0 };
    AUTO(free) char *shared = xasprintf("layer %d", round % 4);
    AUTO(free) char *name = xasprintf("app:%d", (process + round) % 3);
    fixture_image(store, shared, NULL, &image);
    if (fixture_tag(store, name, &image, err) < 0)
        return -1;
    AUTO(image_release) struct image read = { 0 };
    if (image_read(store, &image, NULL, &read, err) < 0)
        return -1;
    if (round % 5 == 4 && fixture_untag(store, name, round % 2, err) < 0) {
        if (!error_is(*err, ERR_NOT_FOUND))
            return -1;
        error_clear(err); /* another process took that name away */
    }
    struct store_gc_result result;
    return round % 3 ? 0 : store_gc(store, process % 2 ? STORE_GC_TRY : 0, &result, err);
}

static int work(const char *path, int process)
{
    for (int round = 0; round < N_ROUNDS; round++) {
        struct error *err = NULL;
        struct store *store = store_open(path, &err);
        if (!store || one_round(store, process, round, &err) < 0) {
            (void)fprintf(stderr, "process %d, round %d: %s\n", process, round, error_message(err));
            return 1;
        }
        store_close(store);
    }
    return 0;
}

static void processes_at_once_leave_a_whole_store(void **state)
{
    struct fixture *fixture = *state;
    pid_t pids[N_PROCESSES];
    for (int i = 0; i < N_PROCESSES; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0)
            _exit(work(fixture->path, i));
    }
    for (int i = 0; i < N_PROCESSES; i++) {
        int status;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    fixture_reopen(fixture);
    fixture_verify(fixture);
    assert_int_equal(fixture_count(fixture, "leases"), 1);
    assert_int_equal(fixture_count(fixture, "tmp"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(what_tags_reach_stays),
        fixture_test(what_is_leased_stays),
        fixture_test(forms_and_entries_follow_their_layers),
        fixture_test(private_form_stays_while_its_lock_is_held),
        fixture_test(a_signal_cuts_the_collecting_of_much_short),
        fixture_test(records_keep_what_they_name),
        fixture_test(a_record_keeps_its_private_form_in_the_boot_that_wrote_it),
        fixture_test(a_private_form_counts_in_what_records_may_keep),
        fixture_test(unknown_folders_are_left_alone),
        fixture_test(try_gives_up_silently),
        fixture_test(growth_makes_collecting_due),
        fixture_test(damaged_index_keeps_its_other_images),
        fixture_test(processes_at_once_leave_a_whole_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
