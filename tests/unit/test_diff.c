/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/diff.h"

#include "tests/unit/overlay_fixture.h"

#define BASE                                                                                       \
    "d bin; f bin/sh=shell 0755; f bin/ls=list 0755; d etc; f etc/passwd=root; f "                 \
    "etc/group=wheel; "                                                                            \
    "d var; d var/spool; f var/spool/x=1; f h1=hard; h h2->h1; l link->etc; d tmp 01777; p fifo; " \
    "d d; d d/s; f d/a=old; f d/b=o; f d/s/x=x"

/* Runs a script in an overlay over the tree and gives the changes. False: overlay can't be mounted
 * here. */
static bool run(struct fixture *fixture, struct tree *tree, const char *script,
                struct snapshot **snapshot, struct changeset *changeset, struct error **err)
{
    static const struct diff_options options = { { FILE_TIMES_KEEP, 0 } };
    *snapshot = snapshot_new(fixture->store, err);
    assert_ok_ptr(*snapshot, *err);
    assert_ok(snapshot_adopt_root(*snapshot, tree, err), *err);
    AUTO(free) char *upper = snapshot_upper_path(*snapshot);
    AUTO(free) char *work_link = xasprintf("/proc/self/fd/%d", snapshot_work_fd(*snapshot));
    AUTO(free) char *work = fs_read_link(AT_FDCWD, work_link, err);
    AUTO(free) char *at = overlay_place(fixture, "mnt");
    AUTO(free) char *box = overlay_place(fixture, "box");
    AUTO(free) char *empty = overlay_place(fixture, "box/empty");
    AUTO(free) char *lowers = overlay_lowers(tree, empty);
    struct overlay overlay;
    int status = overlay_start(lowers, upper, work, at, script, &overlay);
    overlay_stop(&overlay);
    if (status == 125)
        return false;
    assert_int_equal(status, 0);
    snapshot_seal(*snapshot);
    return diff_upper(*snapshot, tree, &options, changeset, err) == 0;
}

/* "bin/ bin/.wh.ls a=file b>a" */
static void describe_list(const struct entry_list *list, struct strbuf *text)
{
    for (size_t i = 0; i < list->n_entries; i++) {
        const struct entry *entry = &list->entries[i];
        AUTO(free)
        char *whiteout = entry->type == ENTRY_WHITEOUT ? whiteout_format(entry->path) : NULL;
        strbuf_addf(text, "%s%s", i ? " " : "", whiteout ? whiteout : entry->path);
        if (entry->type == ENTRY_DIRECTORY)
            strbuf_addc(text, '/');
        if (entry->type == ENTRY_HARDLINK)
            strbuf_addf(text, ">%s", entry->link);
        assert_true(entry->type != ENTRY_OPAQUE);
    }
}

static const struct {
    const char *script, *changes;
    const char *copied; /* what diff_copy() says where it differs */
} cases[] = {
    { "true", "" },
    { "cat bin/sh >/dev/null; ls -R . >/dev/null", "" },
    { "echo x >new", "new" },
    { "mkdir -p a/b; echo 1 >a/b/1", "a/ a/b/ a/b/1" },
    { "rm etc/group; rm -rf var/spool; rm bin/ls",
      "bin/ bin/.wh.ls etc/ etc/.wh.group var/ var/.wh.spool" },
    { "rm d/s/x", "d/ d/s/ d/s/.wh.x" },
    { "rm -rf d", ".wh.d" },
    { "echo 2 >>d/s/x", "d/ d/s/ d/s/x" },
    { "chmod 0644 etc/passwd", "" },
    { "chmod 0600 etc/passwd", "etc/ etc/passwd" },
    { "chown 0:0 d/a; chmod 0755 d", "" },
    { "chmod 0700 d", "d/" },
    { "touch etc/passwd", "etc/ etc/passwd" },
    { "cp -p etc/passwd p; rm etc/passwd; mv p etc/passwd", "" },
    { "printf toor >t; touch -d @1000 t; mv t etc/passwd", "etc/ etc/passwd" },
    { "touch tmp/x; rm tmp/x", "" },
    { "rm -rf etc; ln -s bin etc", "etc" },
    { "rm link; mkdir link; echo 1 >link/f", "link/ link/f" },
    { "rm -rf d; mkdir -p d/s; echo new >d/a; echo y >d/s/y",
      "d/ d/.wh.b d/a d/s/ d/s/.wh.x d/s/y" },
    { "rm -rf d; mkdir d", "d/ d/.wh.a d/.wh.b d/.wh.s" },
    { "cp -a d e; rm -rf d; mv e d", "" },
    { "cp -a d e; rm e/a; rm -rf d; mv e d", "d/ d/.wh.a" },
    { "ln etc/passwd pw", "pw" },
    { "ln etc/passwd pw; ln pw pw2", "pw pw2>pw" },
    { "echo x >a; ln a b; ln a c", "a b>a c>a" },
    { "echo x >z; ln z a", "a z>a" },
    { "mkdir 1; echo x >1/f; ln 1/f 0", "0 1/ 1/f>0" },
    { "ln -s target s; ln s s2 || true", "s s2>s" },
    { "echo 2 >>h2", "h2", "h1 h2>h1" },
    { "mv d new; mv bin d; mv new bin", "bin/ bin/.wh.ls bin/.wh.sh bin/a bin/b bin/s/ bin/s/x d/ "
                                        "d/.wh.a d/.wh.b d/.wh.s d/ls d/sh" },
    { "printf ROOT >t; touch -d @1000 t; cat t >etc/passwd; touch -d @1000 etc/passwd; rm t",
      "etc/ etc/passwd" },
    { "printf root >etc/passwd; touch -d @1000 etc/passwd", "" },
    { "rm h1", ".wh.h1" },
    { "rm -f fifo; mkfifo fifo; touch -d @1000 fifo", "" },
    { "mv fifo fifo2", ".wh.fifo fifo2" },
    { "mknod null c 1 3 || true; rm -f null", "" },
    { "mkdir n; cd n; touch 'a b' '*' .wh .wh-not ... ..data \"$(printf 'nl\\nx')\"",
      "n/ n/* n/... n/..data n/.wh n/.wh-not n/a b n/nl\nx" },
    { "rm -rf bin; echo 1 >bin", "bin" },
    { "mkdir -p x/y/z; rm -rf x", "" },
    { "rm d/a; mkdir d/a", "d/ d/a/" },
    { "mv d/a d/c", "d/ d/.wh.a d/c" },
};

static void changes_are_what_a_run_did(void **state)
{
    SKIP_UNLESS_ROOT();
    struct fixture *fixture = *state;
    AUTO(tree_unref) struct tree *tree = tree_of_words(fixture->store, BASE);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(snapshot_free) struct snapshot *snapshot = NULL;
        AUTO(changeset_release) struct changeset changeset = CHANGESET_INIT;
        if (!run(fixture, tree, cases[i].script, &snapshot, &changeset, &err) && !err)
            skip();
        if (err)
            fail_msg("%s: %s", cases[i].script, error_message(err));
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        describe_list(&changeset.list, &text);
        if (strcmp(text.data, cases[i].changes) != 0)
            fail_msg("%s: \"%s\", expected \"%s\"", cases[i].script, text.data, cases[i].changes);
    }
}

/* Who takes an upper up whose layer was not finished compares it again. */
static void look_twice(struct snapshot *snapshot, struct tree *tree,
                       const struct diff_options *options)
{
    struct error *err = NULL;
    AUTO(changeset_release) struct changeset first = CHANGESET_INIT;
    AUTO(changeset_release) struct changeset second = CHANGESET_INIT;
    assert_ok(diff_upper(snapshot, tree, options, &first, &err), err);
    assert_ok(diff_upper(snapshot, tree, options, &second, &err), err);
    assert_int_equal(first.list.n_entries, second.list.n_entries);
    for (size_t i = 0; i < first.list.n_entries; i++) {
        const struct entry *a = &first.list.entries[i], *b = &second.list.entries[i];
        assert_string_equal(a->path, b->path);
        assert_int_equal(a->type, b->type);
        assert_int_equal(a->mtime, b->mtime);
        assert_int_equal(a->size, b->size);
        assert_true(entry_same_attributes(a, b));
    }
}

static void a_second_look_sees_the_same(void **state)
{
    SKIP_UNLESS_ROOT();
    struct fixture *fixture = *state;
    AUTO(tree_unref) struct tree *tree = tree_of_words(fixture->store, BASE);
    static const struct diff_options options[] = { { .times = { FILE_TIMES_KEEP, 0 } },
                                                   { .times = { FILE_TIMES_CLAMP, 5000 } },
                                                   { .times = { FILE_TIMES_SET, 3000 } } };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(snapshot_free) struct snapshot *snapshot = NULL;
        AUTO(changeset_release) struct changeset changeset = CHANGESET_INIT;
        if (!run(fixture, tree, cases[i].script, &snapshot, &changeset, &err) && !err)
            skip();
        for (size_t k = 0; k < ARRAY_SIZE(options); k++)
            look_twice(snapshot, tree, &options[k]);
    }
}

/* In the copy's root; 0 when the script succeeded. */
static int run_at(int root_fd, const char *script)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (fchdir(root_fd) == 0)
            execl("/bin/sh", "sh", "-euc", script, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return status;
}

static void changes_of_a_copied_tree_are_the_same(void **state)
{
    SKIP_UNLESS_ROOT();
    struct fixture *fixture = *state;
    static const struct diff_options options = { { FILE_TIMES_KEEP, 0 } };
    AUTO(tree_unref) struct tree *tree = tree_of_words(fixture->store, BASE);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        const char *expected = cases[i].copied ? cases[i].copied : cases[i].changes;
        AUTO(tree_copy_free) struct tree_copy *copy = tree_copy_new(fixture->store, tree, &err);
        assert_ok_ptr(copy, err);
        assert_int_equal(run_at(tree_copy_root_fd(copy), cases[i].script), 0);
        assert_ok(tree_copy_seal(copy, &err), err);
        AUTO(changeset_release) struct changeset changeset = CHANGESET_INIT;
        if (diff_copy(&copy, tree, &options, &changeset, &err) < 0)
            fail_msg("%s: %s", cases[i].script, error_message(err));
        assert_null(copy);
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        describe_list(&changeset.list, &text);
        if (strcmp(text.data, expected) != 0)
            fail_msg("%s: \"%s\", expected \"%s\"", cases[i].script, text.data, expected);
    }
}

static void reserved_names_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    static const struct diff_options options = { { FILE_TIMES_KEEP, 0 } };
    static const char *const names[] = { ".wh.x", ".wh..wh..opq", ".wh." };
    AUTO(tree_unref) struct tree *tree = tree_new(fixture->store);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        AUTO(snapshot_free) struct snapshot *snapshot = snapshot_new(fixture->store, &err);
        assert_ok_ptr(snapshot, err);
        int upper = snapshot_upper_fd(snapshot);
        AUTO(close) int fd = openat(upper, names[i], O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        AUTO(changeset_release) struct changeset changeset = CHANGESET_INIT;
        assert_fails(diff_upper(snapshot, tree, &options, &changeset, &err), err, ERR_INVALID,
                     names[i]);
    }
}

static void endless_depth_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    static const struct diff_options options = { { FILE_TIMES_KEEP, 0 } };
    AUTO(tree_unref) struct tree *tree = tree_new(fixture->store);
    AUTO(snapshot_free) struct snapshot *snapshot = snapshot_new(fixture->store, &err);
    assert_ok_ptr(snapshot, err);
    int here = dup(snapshot_upper_fd(snapshot));
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(mkdirat(here, "d", 0755), 0);
        int next = openat(here, "d", O_PATH | O_DIRECTORY | O_CLOEXEC);
        close_auto(&here);
        here = next;
    }
    close_auto(&here);
    AUTO(changeset_release) struct changeset changeset = CHANGESET_INIT;
    assert_fails(diff_upper(snapshot, tree, &options, &changeset, &err), err, ERR_LIMIT,
                 "more than 4095 bytes");
}

static int make_file(struct snapshot *snapshot, const char *name, const char *content)
{
    struct error *err = NULL;
    int upper = snapshot_upper_fd(snapshot);
    assert_ok(fs_write_file(upper, name, content, strlen(content), 0644, &err), err);
    return openat(upper, name, O_RDONLY | O_CLOEXEC);
}

static void times_are_whole_and_clamped(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    static const struct diff_options options = { { FILE_TIMES_CLAMP, 5000 } };
    AUTO(tree_unref) struct tree *tree = tree_new(fixture->store);
    AUTO(snapshot_free) struct snapshot *snapshot = snapshot_new(fixture->store, &err);
    assert_ok_ptr(snapshot, err);
    int upper = snapshot_upper_fd(snapshot);
    assert_int_equal(mkdirat(upper, "dir", 0755), 0);
    AUTO(close) int early = make_file(snapshot, "dir/early", "1");
    AUTO(close) int late = make_file(snapshot, "dir/late", "1");
    const struct timespec times[2] = { { 1, 0 }, { 4999, 999999999 } };
    assert_int_equal(futimens(early, times), 0);
    AUTO(changeset_release) struct changeset changeset = CHANGESET_INIT;
    assert_ok(diff_upper(snapshot, tree, &options, &changeset, &err), err);
    assert_int_equal(changeset.list.n_entries, 3);
    static const int64_t expected[] = { 5000, 4999, 5000 };
    for (size_t i = 0; i < 3; i++) {
        const struct entry *entry = &changeset.list.entries[i];
        assert_int_equal(entry->mtime, expected[i]);
        struct stat st;
        assert_int_equal(fstatat(upper, entry->path, &st, 0), 0);
        assert_int_equal(st.st_mtim.tv_sec, expected[i]);
        assert_int_equal(st.st_mtim.tv_nsec, 0);
    }
}

static void attributes_that_may_leave_leave(void **state)
{
    SKIP_UNLESS_ROOT();
    struct fixture *fixture = *state;
    struct error *err = NULL;
    static const struct diff_options options = { { FILE_TIMES_KEEP, 0 } };
    AUTO(tree_unref) struct tree *tree = tree_new(fixture->store);
    AUTO(snapshot_free) struct snapshot *snapshot = snapshot_new(fixture->store, &err);
    assert_ok_ptr(snapshot, err);
    AUTO(close) int fd = make_file(snapshot, "f", "content");
    static const uint8_t v2[20] = { 1, 0, 0, 2, 0, 4 };
    static const uint8_t v3[24] = { 1, 0, 0, 3, 0, 4 };
    assert_int_equal(fsetxattr(fd, "security.capability", v3, sizeof(v3), 0), 0);
    assert_int_equal(fsetxattr(fd, "user.k", "v", 1, 0), 0);
    assert_int_equal(fsetxattr(fd, "user.overlay.origin", "v", 1, 0), 0);
    assert_int_equal(fsetxattr(fd, "trusted.k", "v", 1, 0), 0);
    AUTO(changeset_release) struct changeset changeset = CHANGESET_INIT;
    assert_ok(diff_upper(snapshot, tree, &options, &changeset, &err), err);
    assert_int_equal(changeset.list.n_entries, 1);
    const struct entry *entry = &changeset.list.entries[0];
    assert_int_equal(entry->n_xattrs, 1);
    assert_string_equal(entry->xattrs[0].name, "security.capability");
    assert_int_equal(entry->xattrs[0].size, 20);
    assert_memory_equal(entry->xattrs[0].value, v2, 20);
}

static void content_that_changes_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    static const struct diff_options options = { { FILE_TIMES_KEEP, 0 } };
    AUTO(tree_unref) struct tree *tree = tree_new(fixture->store);
    AUTO(snapshot_free) struct snapshot *snapshot = snapshot_new(fixture->store, &err);
    assert_ok_ptr(snapshot, err);
    AUTO(close) int fd = make_file(snapshot, "f", "content");
    AUTO(changeset_release) struct changeset changeset = CHANGESET_INIT;
    assert_ok(diff_upper(snapshot, tree, &options, &changeset, &err), err);
    const struct entry *entry = &changeset.list.entries[0];
    AUTO(source_free) struct source *source = changeset.ops->open(changeset.data, entry, &err);
    assert_ok_ptr(source, err);
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    assert_ok(source_read_all(source, &text, 100, &err), err);
    assert_string_equal(text.data, "content");
    AUTO(close) int again = make_file(snapshot, "f", "cont");
    assert_fails(changeset.ops->open(changeset.data, entry, &err) ? 0 : -1, err, ERR_IO,
                 "/f: changed after the step ended");
}

/* The layer of a RUN, unpacked on the chain, shows what the RUN left. */
static void layers_give_back_what_a_run_left(void **state)
{
    SKIP_UNLESS_ROOT();
    struct fixture *fixture = *state;
    AUTO(pool_free) struct pool *pool = pool_new(2);
    AUTO(pool_group_free) struct pool_group *group = pool_group_new(pool);
    AUTO(tree_unref) struct tree *tree = tree_of_words(fixture->store, BASE);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        struct snapshot *snapshot = NULL;
        AUTO(changeset_release) struct changeset changeset = CHANGESET_INIT;
        if (!run(fixture, tree, cases[i].script, &snapshot, &changeset, &err)) {
            snapshot_free(snapshot);
            skip();
        }
        struct layer_options options = { .pool = pool, .group = group };
        AUTO(layer_unref)
        struct layer *made = layer_make(fixture->store, &options, &changeset, snapshot);
        AUTO(descriptor_release) struct descriptor blob = { 0 };
        struct digest diff_id;
        assert_ok(layer_wait(made, &blob, &diff_id, &err), err);
        AUTO(layer_unref)
        struct layer *pulled = layer_from_blob(fixture->store, &blob, &diff_id, NULL);
        AUTO(tree_unref) struct tree *left = tree_push(tree, made);
        AUTO(tree_unref) struct tree *unpacked = tree_push(tree, pulled);
        AUTO(strbuf_release) struct strbuf a = STRBUF_INIT, b = STRBUF_INIT, said = STRBUF_INIT;
        assert_true(overlay_shows(fixture, left, &a));
        assert_true(overlay_shows(fixture, unpacked, &b));
        describe_tree(unpacked, "", &said);
        assert_string_equal(b.data, said.data);
        assert_string_equal(a.data, said.data);
        assert_ok(pool_group_wait(group, &err), err);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(changes_are_what_a_run_did),
        fixture_test(a_second_look_sees_the_same),
        fixture_test(changes_of_a_copied_tree_are_the_same),
        fixture_test(reserved_names_are_refused),
        fixture_test(endless_depth_is_an_error),
        fixture_test(times_are_whole_and_clamped),
        fixture_test(attributes_that_may_leave_leave),
        fixture_test(content_that_changes_is_an_error),
        fixture_test(layers_give_back_what_a_run_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
