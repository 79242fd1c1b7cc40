/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file_writer.h"

#include "base/sha256.h"
#include "tests/unit/temp_dir.h"

#include <string.h>
#include <sys/stat.h>

#define MANY 40000

static void put_many(struct file_writer *writer, struct strbuf *expected)
{
    struct error *err = NULL;
    for (int i = 0; i < MANY; i++) {
        strbuf_addf(file_writer_buf(writer), "piece %d,", i);
        strbuf_addf(expected, "piece %d,", i);
        assert_ok(file_writer_flush(writer, &err), err);
        assert_true(file_writer_buf(writer)->size < 128 << 10);
    }
}

static void pieces_become_one_file_with_or_without_a_check(void **state)
{
    const struct temp_dir *dir = *state;
    for (int with_check = 0; with_check < 2; with_check++) {
        struct error *err = NULL;
        struct stat st;
        AUTO(strbuf_release) struct strbuf expected = STRBUF_INIT;
        AUTO(strbuf_release) struct strbuf got = STRBUF_INIT;
        AUTO(file_writer_free)
        struct file_writer *writer = file_writer_new(dir->fd, "file", with_check, &err);
        assert_ok_ptr(writer, err);
        put_many(writer, &expected);
        assert_ok(file_writer_commit(writer, 0640, &err), err);
        if (with_check) {
            uint8_t check[SHA256_SIZE];
            sha256_of(expected.data, expected.size, check);
            strbuf_add(&expected, check, sizeof(check));
        }
        assert_ok(fs_read_file(dir->fd, "file", &got, 16 << 20, &err), err);
        assert_int_equal(got.size, expected.size);
        assert_memory_equal(got.data, expected.data, got.size);
        assert_int_equal(fstatat(dir->fd, "file", &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
    }
}

static void without_commit_the_old_file_stays(void **state)
{
    const struct temp_dir *dir = *state;
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf ignored = STRBUF_INIT;
    AUTO(strbuf_release) struct strbuf got = STRBUF_INIT;
    assert_ok(fs_write_file(dir->fd, "file", "old", 3, 0600, &err), err);
    struct file_writer *writer = file_writer_new(dir->fd, "file", true, &err);
    assert_ok_ptr(writer, err);
    put_many(writer, &ignored);
    file_writer_free(writer);
    assert_ok(fs_read_file(dir->fd, "file", &got, 100, &err), err);
    assert_string_equal(got.data, "old");
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    assert_ok(fs_list_fd(dir->fd, &names, "folder", &err), err);
    assert_int_equal(names.n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(pieces_become_one_file_with_or_without_a_check),
        TEMP_DIR_TEST(without_commit_the_old_file_stays),
    };
    return cmocka_run_group_tests_name("file_writer", tests, NULL, NULL);
}
