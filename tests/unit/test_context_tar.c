/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/context_tar.h"

#include "base/io.h"
#include "base/path.h"
#include "layers/tar_write.h"
#include "tests/unit/temp_dir.h"

#include <string.h>

#define MAX_ROWS 6
#define LONG_AGO 1600000000

/* Entries as an archive has them; what is in the directory then, or the error. */
static const struct unpack_case {
    const char *name;
    struct row {
        enum entry_type type;
        const char *path, *text; /* content or target */
        uint16_t mode;
    } rows[MAX_ROWS];
    const char *tree, *error;
} cases[] = {
    { "plain entries",
      { { ENTRY_DIRECTORY, "d", NULL, 0750 },
        { ENTRY_FILE, "d/f", "x", 04755 },
        { ENTRY_SYMLINK, "l", "/nowhere", 0 },
        { ENTRY_FIFO, "p", NULL, 0600 },
        { ENTRY_HARDLINK, "h", "d/f", 0 } },
      "d d 0750\nf d/f 4755 x\nf h 4755 x\nl l /nowhere\np p 0600\n",
      NULL },
    { "missing parents",
      { { ENTRY_FILE, "a/b/f", "x", 0644 } },
      "d a 0755\nd a/b 0755\nf a/b/f 0644 x\n",
      NULL },
    { "a closed directory",
      { { ENTRY_DIRECTORY, "d", NULL, 0500 }, { ENTRY_FILE, "d/f", "", 0444 } },
      "d d 0500\nf d/f 0444 \n",
      NULL },
    { "the last entry wins",
      { { ENTRY_FILE, "f", "one", 0644 }, { ENTRY_FILE, "f", "two", 0600 } },
      "f f 0600 two\n",
      NULL },
    { "the last mode of a directory wins",
      { { ENTRY_DIRECTORY, "d", NULL, 0700 },
        { ENTRY_FILE, "d/f", "", 0644 },
        { ENTRY_DIRECTORY, "d", NULL, 0755 } },
      "d d 0755\nf d/f 0644 \n",
      NULL },
    { "a file for a directory, and back",
      { { ENTRY_FILE, "d/f", "x", 0644 },
        { ENTRY_FILE, "d", "y", 0644 },
        { ENTRY_DIRECTORY, "d", NULL, 0711 },
        { ENTRY_FILE, "d/g", "z", 0644 } },
      "d d 0711\nf d/g 0644 z\n",
      NULL },
    { "a directory for a link to one",
      { { ENTRY_DIRECTORY, "a", NULL, 0700 },
        { ENTRY_SYMLINK, "b", "a", 0 },
        { ENTRY_DIRECTORY, "b", NULL, 0755 } },
      "d a 0700\nd b 0755\n",
      NULL },
    { "a link for a directory keeps its target's mode",
      { { ENTRY_DIRECTORY, "a", NULL, 0700 },
        { ENTRY_DIRECTORY, "b", NULL, 0755 },
        { ENTRY_SYMLINK, "b", "a", 0 } },
      "d a 0700\nl b a\n",
      NULL },
    { "a name through a link of the archive stays inside",
      { { ENTRY_DIRECTORY, "d", NULL, 0755 },
        { ENTRY_SYMLINK, "l", "/d", 0 },
        { ENTRY_FILE, "l/f", "x", 0644 } },
      "d d 0755\nf d/f 0644 x\nl l /d\n",
      NULL },
    { "a name through a link that leads out",
      { { ENTRY_SYMLINK, "l", "../../../../tmp", 0 }, { ENTRY_FILE, "l/f", "x", 0644 } },
      NULL,
      "entry \"l/f\"" },
    { "a file over a link",
      { { ENTRY_SYMLINK, "f", "/etc/passwd", 0 }, { ENTRY_FILE, "f", "x", 0644 } },
      "f f 0644 x\n",
      NULL },
    { "a hard link through a link that leads out",
      { { ENTRY_SYMLINK, "l", "/etc", 0 }, { ENTRY_HARDLINK, "h", "l/passwd", 0 } },
      NULL,
      "entry \"h\": hard link to l/passwd" },
    { "a hard link to nothing", { { ENTRY_HARDLINK, "h", "x", 0 } }, NULL, "hard link to x" },
    { "a hard link to a link links the link",
      { { ENTRY_SYMLINK, "l", "/etc/passwd", 0 }, { ENTRY_HARDLINK, "h", "l", 0 } },
      "l h /etc/passwd\nl l /etc/passwd\n",
      NULL },
    { "a device", { { ENTRY_CHAR, "null", NULL, 0666 } }, NULL, "devices can't be" },
};

static void write_tar(const struct unpack_case *what, struct strbuf *tar)
{
    struct error *err = NULL;
    AUTO(sink_free) struct sink *sink = sink_strbuf_new(tar);
    AUTO(tar_writer_free) struct tar_writer *writer = tar_writer_new(sink);
    for (const struct row *row = what->rows; row->path; row++) {
        AUTO(entry_release)
        struct entry entry = { .path = xstrdup(row->path), .type = row->type, .mode = row->mode };
        entry.mtime = LONG_AGO;
        entry.dev_major = entry.dev_minor = row->type == ENTRY_CHAR ? 1 : 0;
        if (row->type == ENTRY_SYMLINK || row->type == ENTRY_HARDLINK)
            entry.link = xstrdup(row->text);
        entry.size = row->type == ENTRY_FILE ? strlen(row->text) : 0;
        assert_ok(tar_writer_entry(writer, &entry, &err), err);
        if (entry.size)
            assert_ok(tar_writer_data(writer, row->text, entry.size, &err), err);
    }
    assert_ok(tar_writer_finish(writer, &err), err);
}

static void describe(int fd, const char *dir, struct strbuf *out)
{
    struct error *err = NULL;
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    assert_ok(fs_list(fd, *dir ? dir : ".", &names, &err), err);
    for (size_t i = 0; i < names.n; i++) {
        AUTO(free) char *path = xasprintf("%s%s%s", dir, *dir ? "/" : "", names.items[i]);
        struct stat st;
        assert_ok(fs_stat(fd, path, &st, &err), err);
        if (S_ISDIR(st.st_mode)) {
            strbuf_addf(out, "d %s %04o\n", path, st.st_mode & 07777);
            describe(fd, path, out);
        } else if (S_ISLNK(st.st_mode)) {
            AUTO(free) char *link = fs_read_link(fd, path, &err);
            strbuf_addf(out, "l %s %s\n", path, link);
        } else if (S_ISREG(st.st_mode)) {
            AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
            assert_ok(fs_read_file(fd, path, &text, 100, &err), err);
            strbuf_addf(out, "f %s %04o %s\n", path, st.st_mode & 07777, text.data);
            assert_int_equal(st.st_mtime, LONG_AGO);
        } else {
            strbuf_addf(out, "p %s %04o\n", path, st.st_mode & 07777);
        }
    }
}

static void archives_become_directories(void **state)
{
    const struct temp_dir *dir = *state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(strbuf_release) struct strbuf tar = STRBUF_INIT;
        AUTO(strbuf_release) struct strbuf tree = STRBUF_INIT;
        AUTO(free) char *name = xasprintf("%zu", i);
        int64_t newest = 0;
        write_tar(&cases[i], &tar);
        assert_int_equal(mkdirat(dir->fd, name, 0700), 0);
        AUTO(close) int fd = openat(dir->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int result = context_tar_unpack(source_memory_new(tar.data, tar.size), fd, &newest, &err);
        if (cases[i].error) {
            if (result == 0 || !strstr(error_message(err), cases[i].error))
                fail_msg("%s: %d %s", cases[i].name, result, error_message(err));
            error_free(err);
            continue;
        }
        if (result < 0)
            fail_msg("%s: %s", cases[i].name, error_message(err));
        describe(fd, "", &tree);
        if (strcmp(tree.data, cases[i].tree) != 0)
            fail_msg("%s:\n%s", cases[i].name, tree.data);
        assert_int_equal(newest, LONG_AGO);
    }
}

static void times_don_t_come_from_the_clock(void **state)
{
    const struct temp_dir *dir = *state;
    struct error *err = NULL;
    struct stat st;
    AUTO(strbuf_release) struct strbuf tar = STRBUF_INIT;
    write_tar(&cases[1], &tar);
    assert_ok(context_tar_unpack(source_memory_new(tar.data, tar.size), dir->fd, NULL, &err), err);
    static const char *const implied[] = { ".", "a", "a/b" };
    for (size_t i = 0; i < ARRAY_SIZE(implied); i++) {
        assert_ok(fs_stat(dir->fd, implied[i], &st, &err), err);
        assert_int_equal(st.st_mtime, 0);
    }
}

static void a_cut_archive_is_refused(void **state)
{
    const struct temp_dir *dir = *state;
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf tar = STRBUF_INIT;
    write_tar(&cases[0], &tar);
    assert_fails(context_tar_unpack(source_memory_new(tar.data, 700), dir->fd, NULL, &err), err,
                 ERR_INVALID, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(archives_become_directories),
        TEMP_DIR_TEST(times_don_t_come_from_the_clock),
        TEMP_DIR_TEST(a_cut_archive_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
