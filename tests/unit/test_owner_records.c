/* SPDX-License-Identifier: Apache-2.0 */
#include "base/owner_records.h"

#include "tests/unit/temp_dir.h"
#include "tests/unit/test.h"

#include <sys/stat.h>
#include <unistd.h>

static void make_file(int dir_fd, const char *name)
{
    AUTO(close) int fd = openat(dir_fd, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
}

static void a_record_follows_the_file_and_not_the_name(void **state)
{
    const int dir = ((struct temp_dir *)*state)->fd;
    AUTO(owner_records_free) struct owner_records *records = owner_records_new();
    make_file(dir, "a");
    assert_true(owner_records_chown(records, dir, "a", 33, OWNER_UNCHANGED));
    assert_true(owner_records_chown(records, dir, "a", OWNER_UNCHANGED, 44));
    assert_int_equal(renameat(dir, "a", dir, "b"), 0);
    assert_int_equal(linkat(dir, "b", dir, "c", 0), 0);
    make_file(dir, "a");
    assert_null(owner_records_find(records, dir, "a"));
    assert_null(owner_records_find(records, dir, "absent"));
    for (const char *name = "b"; name; name = *name == 'b' ? "c" : NULL) {
        const struct owner_record *record = owner_records_find(records, dir, name);
        assert_non_null(record);
        assert_int_equal(record->uid, 33);
        assert_int_equal(record->gid, 44);
        assert_int_equal(record->device_type, 0);
        assert_false(record->is_restored);
    }
    assert_int_equal(owner_records_n(records), 1);
}

static void links_are_not_followed(void **state)
{
    const int dir = ((struct temp_dir *)*state)->fd;
    AUTO(owner_records_free) struct owner_records *records = owner_records_new();
    make_file(dir, "target");
    assert_int_equal(symlinkat("target", dir, "link"), 0);
    assert_true(owner_records_chown(records, dir, "link", 1, 2));
    assert_null(owner_records_find(records, dir, "target"));
    assert_non_null(owner_records_find(records, dir, "link"));
    assert_false(owner_records_chown(records, dir, "absent", 1, 2));
}

/* Numbers of inodes are given again at once on many file systems. */
static void a_new_file_has_no_record_of_the_old_one(void **state)
{
    const int dir = ((struct temp_dir *)*state)->fd;
    AUTO(owner_records_free) struct owner_records *records = owner_records_new();
    for (int i = 0; i < 50; i++) {
        make_file(dir, "x");
        assert_null(owner_records_find(records, dir, "x"));
        assert_true(owner_records_device(records, dir, "x", S_IFCHR, 1, 3));
        assert_int_equal(owner_records_find(records, dir, "x")->dev_minor, 3);
        assert_int_equal(unlinkat(dir, "x", 0), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_record_follows_the_file_and_not_the_name, temp_dir_setup,
                                        temp_dir_teardown),
        cmocka_unit_test_setup_teardown(links_are_not_followed, temp_dir_setup, temp_dir_teardown),
        cmocka_unit_test_setup_teardown(a_new_file_has_no_record_of_the_old_one, temp_dir_setup,
                                        temp_dir_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
