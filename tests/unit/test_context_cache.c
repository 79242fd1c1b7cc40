/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/context_cache.h"

#include "base/fs.h"
#include "tests/unit/temp_dir.h"

#include <sys/syscall.h>
#include <unistd.h>

/* In place of the C library's. */
static size_t largest_write;

ssize_t write(int fd, const void *data, size_t size)
{
    largest_write = size > largest_write ? size : largest_write;
    return syscall(SYS_write, fd, data, size);
}

#define SECOND 1000000000LL

static const struct file_identity one = { 1, 10, 100, 5 * SECOND + 1, 6 * SECOND + 1 };
static const struct file_identity two = { 1, 11, 100, 5 * SECOND + 1, 6 * SECOND + 1 };

/* Contents that caches borrow. */
struct content {
    struct file_identity file;
    uint8_t digest[SHA256_SIZE];
};

static const struct content *content_of(const struct file_identity *file, char fill)
{
    static struct content contents[4096];
    static size_t n;
    struct content *content = &contents[n++ % ARRAY_SIZE(contents)];
    content->file = *file;
    memset(content->digest, fill, sizeof(content->digest));
    return content;
}

static void get_content(void *data UNUSED, const void *item, struct file_content *ret)
{
    const struct content *content = item;
    *ret = (struct file_content){ content->file, content->digest };
}

static struct context_cache *open_cache(const struct temp_dir *dir, const char *name)
{
    return context_cache_open(dir->fd, name, get_content, NULL);
}

static void put(struct context_cache *cache, const struct file_identity *file, char fill)
{
    context_cache_put(cache, content_of(file, fill), 100 * SECOND);
}

static int get(struct context_cache *cache, const struct file_identity *file)
{
    static size_t near; /* wherever the last one was, of another cache even */
    const uint8_t *digest = context_cache_get(cache, file, &near);
    return digest ? digest[0] : '-';
}

static void write_cache(struct context_cache *cache)
{
    struct error *err = NULL;
    assert_ok(context_cache_write(cache, &err), err);
}

static void records_outlive_the_process(void **state)
{
    struct temp_dir *dir = *state;
    AUTO(context_cache_free) struct context_cache *first = open_cache(dir, "c");
    assert_int_equal(get(first, &one), '-');
    put(first, &two, 'b');
    put(first, &one, 'a');
    assert_int_equal(get(first, &one), 'a');
    write_cache(first);

    AUTO(context_cache_free) struct context_cache *second = open_cache(dir, "c");
    assert_int_equal(get(second, &one), 'a');
    assert_int_equal(get(second, &two), 'b');
    put(second, &two, 'c');
    write_cache(second);

    AUTO(context_cache_free) struct context_cache *third = open_cache(dir, "c");
    assert_int_equal(get(third, &one), 'a');
    assert_int_equal(get(third, &two), 'c');
}

static void what_told_nothing_new_writes_nothing(void **state)
{
    struct temp_dir *dir = *state;
    struct stat before, after;
    AUTO(context_cache_free) struct context_cache *none = open_cache(dir, "c");
    write_cache(none);
    assert_int_equal(fstatat(dir->fd, "c", &before, 0), -1);
    AUTO(context_cache_free) struct context_cache *first = open_cache(dir, "c");
    put(first, &one, 'a');
    write_cache(first);
    assert_int_equal(fstatat(dir->fd, "c", &before, 0), 0);
    AUTO(context_cache_free) struct context_cache *second = open_cache(dir, "c");
    assert_int_equal(get(second, &one), 'a');
    write_cache(second);
    assert_int_equal(fstatat(dir->fd, "c", &after, 0), 0);
    assert_int_equal(after.st_ino, before.st_ino);
    assert_memory_equal(&after.st_ctim, &before.st_ctim, sizeof(after.st_ctim));
}

static void any_difference_of_the_stat_is_another_file(void **state)
{
    struct temp_dir *dir = *state;
    struct file_identity others[] = { one, one, one, one, one };
    others[0].device++;
    others[1].inode++;
    others[2].size++;
    others[3].mtime_ns++;
    others[4].ctime_ns++;
    AUTO(context_cache_free) struct context_cache *cache = open_cache(dir, "c");
    put(cache, &one, 'a');
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        assert_int_equal(get(cache, &others[i]), '-');
    write_cache(cache);
    AUTO(context_cache_free) struct context_cache *again = open_cache(dir, "c");
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        assert_int_equal(get(again, &others[i]), '-');
}

static void records_younger_than_the_clock_are_not_kept(void **state)
{
    static const struct {
        int64_t ctime_ns, started_ns;
        bool kept;
    } cases[] = {
        { 100 * SECOND + 1, 100 * SECOND + 5000001, false },
        { 100 * SECOND + 1, 100 * SECOND + 30000000, true },
        { 100 * SECOND + 1, 99 * SECOND, false }, /* from the future */
        { 100 * SECOND, 101 * SECOND, false },    /* a clock of whole seconds */
        { 100 * SECOND, 102 * SECOND + 1, true },
    };
    struct temp_dir *dir = *state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(context_cache_free) struct context_cache *cache = open_cache(dir, "none");
        const struct file_identity file = { 1, 2, 3, 4, cases[i].ctime_ns };
        context_cache_put(cache, content_of(&file, 'a'), cases[i].started_ns);
        assert_int_equal(get(cache, &file), cases[i].kept ? 'a' : '-');
    }
}

static void damage_is_as_if_nothing_were_there(void **state)
{
    struct temp_dir *dir = *state;
    struct error *err = NULL;
    AUTO(context_cache_free) struct context_cache *cache = open_cache(dir, "c");
    put(cache, &one, 'a');
    put(cache, &two, 'b');
    write_cache(cache);
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    assert_ok(fs_read_file(dir->fd, "c", &text, 1 << 20, &err), err);

    for (size_t i = 0; i < text.size; i++) {
        text.data[i] ^= 1;
        assert_ok(fs_write_file(dir->fd, "d", text.data, text.size, 0600, &err), err);
        text.data[i] ^= 1;
        AUTO(context_cache_free) struct context_cache *damaged = open_cache(dir, "d");
        int a = get(damaged, &one), b = get(damaged, &two);
        assert_true((a == 'a' || a == '-') && (b == 'b' || b == '-'));
        assert_true(a == '-' || b == '-');
    }
    for (size_t size = 0; size < text.size; size++) {
        assert_ok(fs_write_file(dir->fd, "d", text.data, size, 0600, &err), err);
        AUTO(context_cache_free) struct context_cache *cut = open_cache(dir, "d");
        assert_int_equal(get(cut, &one), '-');
    }
}

static void records_that_nobody_asks_for_stay_while_they_are_few(void **state)
{
    struct temp_dir *dir = *state;
    AUTO(context_cache_free) struct context_cache *first = open_cache(dir, "c");
    for (uint64_t i = 0; i < 1000; i++) {
        const struct file_identity file = { 7, 5000 - i * 3, 1, 1, 1 };
        put(first, &file, (char)('a' + i % 20));
    }
    write_cache(first);
    AUTO(context_cache_free) struct context_cache *second = open_cache(dir, "c");
    put(second, &one, 'x');
    write_cache(second);
    AUTO(context_cache_free) struct context_cache *third = open_cache(dir, "c");
    for (uint64_t i = 0; i < 1000; i++) {
        const struct file_identity file = { 7, 5000 - i * 3, 1, 1, 1 };
        assert_int_equal(get(third, &file), 'a' + i % 20);
    }
}

static void records_are_found_from_wherever_the_last_one_was(void **state)
{
    struct temp_dir *dir = *state;
    AUTO(context_cache_free) struct context_cache *first = open_cache(dir, "c");
    for (uint64_t i = 0; i < 100; i++) {
        const struct file_identity file = { 7, 10 + i * 2, 1, 1, 1 };
        put(first, &file, (char)i);
    }
    write_cache(first);
    AUTO(context_cache_free) struct context_cache *second = open_cache(dir, "c");
    for (size_t from = 0; from <= 120; from++)
        for (uint64_t inode = 0; inode < 230; inode++) {
            const struct file_identity file = { 7, inode, 1, 1, 1 };
            bool there = inode >= 10 && inode < 210 && inode % 2 == 0;
            size_t near = from;
            const uint8_t *digest = context_cache_get(second, &file, &near);
            assert_int_equal(digest != NULL, there);
            if (digest)
                assert_int_equal(digest[0], (inode - 10) / 2);
        }
}

enum { MORE = 65537 }; /* than are kept */

static void records_that_nobody_asks_for_go_when_they_are_many(void **state)
{
    struct temp_dir *dir = *state;
    AUTO(free) struct content *contents = xcalloc(MORE, sizeof(*contents));
    AUTO(context_cache_free) struct context_cache *first = open_cache(dir, "c");
    for (uint64_t i = 0; i < MORE; i++) {
        contents[i] = (struct content){ { 7, 10 + i, 1, 1, 1 }, { (uint8_t)i } };
        context_cache_put(first, &contents[i], 100 * SECOND);
    }
    largest_write = 0;
    write_cache(first);
    assert_in_range(largest_write, 1, 128 << 10); /* piece by piece */
    AUTO(context_cache_free) struct context_cache *second = open_cache(dir, "c");
    put(second, &one, 'x');
    write_cache(second);
    AUTO(context_cache_free) struct context_cache *third = open_cache(dir, "c");
    assert_int_equal(get(third, &one), 'x');
    assert_int_equal(get(third, &contents[0].file), '-');
}

static void damaged_records_are_not_handed_on(void **state)
{
    struct temp_dir *dir = *state;
    struct error *err = NULL;
    struct stat st;
    AUTO(context_cache_free) struct context_cache *first = open_cache(dir, "c");
    put(first, &one, 'a');
    put(first, &two, 'b');
    write_cache(first);
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    assert_ok(fs_read_file(dir->fd, "c", &text, 1 << 20, &err), err);
    text.data[text.size - 1] ^= 1; /* of the second record */
    assert_ok(fs_write_file(dir->fd, "c", text.data, text.size, 0600, &err), err);
    AUTO(context_cache_free) struct context_cache *second = open_cache(dir, "c");
    put(second, &(struct file_identity){ 1, 12, 1, 1, 1 }, 'c');
    write_cache(second);
    assert_int_equal(fstatat(dir->fd, "c", &st, 0), 0);
    assert_int_equal(st.st_size, text.size); /* one went, one came */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(records_outlive_the_process),
        TEMP_DIR_TEST(what_told_nothing_new_writes_nothing),
        TEMP_DIR_TEST(any_difference_of_the_stat_is_another_file),
        TEMP_DIR_TEST(records_younger_than_the_clock_are_not_kept),
        TEMP_DIR_TEST(damage_is_as_if_nothing_were_there),
        TEMP_DIR_TEST(records_are_found_from_wherever_the_last_one_was),
        TEMP_DIR_TEST(records_that_nobody_asks_for_stay_while_they_are_few),
        TEMP_DIR_TEST(records_that_nobody_asks_for_go_when_they_are_many),
        TEMP_DIR_TEST(damaged_records_are_not_handed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
