/* SPDX-License-Identifier: Apache-2.0 */
#include "layers/apply.h"

#include "base/cancel.h"
#include "layers/tar_read.h"
#include "tests/unit/overlay_fixture.h"

#include <sys/sysmacros.h>

/* The form of a tree's topmost layer. */
static int open_form(struct tree *tree, struct error **err)
{
    AUTO(free) int *fds = NULL;
    size_t n = 0;
    if (tree_lowers(tree, NULL, &fds, &n, err) < 0)
        return -1;
    assert_true(n > 0);
    return dup(fds[0]);
}

static const struct {
    const char *layers, *form;
} forms[] = {
    { "f a=1; d d; f d/x=2; l l->a; p p", "a=1 d/ d/x=2 l->a p!" },
    { "f a/b/c=1", "a/ a/b/ a/b/c=1" },
    { "d d | w d/x", "d/ d/x#" },
    { "d d | o d", "d/*" },
    { "d d | o d; d d; f d/x=1", "d/* d/x=1" },
    { "d d | w d; d d; f d/x=1", "d/* d/x=1" },
    { "d d | d d; f d/x=1; w d", "d/* d/x=1" },
    { "d d | w d; f d/x=1", "d/* d/x=1" },
    { "f a=1 | w a; f a=2", "a=2" },
    { "f a=1 | f a=2; w a", "a=2" },
    { "f a=1 | w a; w a", "a#" },
    { "f a=1; f a=2", "a=2" },
    { "d d; f d/x=1; f d=2", "d=2" },
    { "f d=2; d d; f d/x=1", "d/* d/x=1" },
    { "f d=2; f d/x=1", "d/* d/x=1" },
    { "d d; f d/x=1; d d 0700", "d/ d/x=1" },
    { "l d->/etc; f d/x=1", "d/* d/x=1" },
    { "f a=1; h b->a; h c->b", "a=1 b=1 c=1" },
    { "h b->a; f a=1", "a=1 b=1" },
    { "h c->b; h b->a; f a=1", "a=1 b=1 c=1" },
    { "f b=0; h b->a; f a=1", "a=1 b=1" },
    { "h b->a; f a=1; f b=2", "a=1 b=2" },
    { "h d/b->a; f a=1; f d=2", "a=1 d=2" },
    { "f a=low | h b->a", "b=low" },
    { "f a=low | h b->a; h c->a", "b=low c=low" },
    { "f a=low | w a; h b->a", "a# b=low" },
    { "f a=low; h x->a | h b->x", "b=low" },
    { "l s->a | h t->s", "t->a" },
    { "c dev", "dev!" },
};

static void check_form(struct fixture *fixture, const char *layers, const char *expected)
{
    struct error *err = NULL;
    AUTO(tree_unref) struct tree *tree = tree_of_words(fixture->store, layers);
    AUTO(close) int fd = open_form(tree, &err);
    if (fd < 0)
        fail_msg("%s: %s", layers, error_message(err));
    AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
    describe_directory(fd, "", &text);
    if (strcmp(text.data, expected) != 0)
        fail_msg("%s: \"%s\", expected \"%s\"", layers, text.data, expected);
}

static void forms_are_in_overlay_format(void **state)
{
    SKIP_UNLESS_ROOT();
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
        check_form(*state, forms[i].layers, forms[i].form);
}

/* By then a second thread sees to contents and attributes. */
static void so_are_those_that_begin_with_many_files(void **state)
{
    SKIP_UNLESS_ROOT();
    AUTO(strbuf_release) struct strbuf files = STRBUF_INIT, others = STRBUF_INIT;
    strbuf_adds(&others, " ~/");
    for (unsigned i = 10; i < 50; i++) {
        strbuf_addf(&files, "f ~/%u=%u; ", i, i);
        strbuf_addf(&others, " ~/%u=%u", i, i);
    }
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
        const char *layers = forms[i].layers, *bar = strstr(layers, " | ");
        for (; bar && strstr(bar + 1, " | "); bar = strstr(bar + 1, " | "))
            ;
        size_t below = bar ? (size_t)(bar + 3 - layers) : 0;
        AUTO(free)
        char *many = xasprintf("%.*s%s%s", (int)below, layers, files.data, layers + below);
        AUTO(free) char *expected = xasprintf("%s%s", forms[i].form, others.data);
        check_form(*state, many, expected);
    }
}

static bool form_exists(struct fixture *fixture, char kind, const struct digest *digest)
{
    char hex[DIGEST_HEX_SIZE];
    digest_format_hex(digest, hex);
    AUTO(free)
    char *path = xasprintf("layers/%s/%c-%s", geteuid() ? "u-plain" : "u-root", kind, hex);
    struct stat st;
    return fstatat(store_dir_fd(fixture->store, STORE_ROOT), path, &st, 0) == 0;
}

static void forms_that_need_the_chain_are_named_by_it(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *layers;
        bool needs_chain;
    } cases[] = {
        { "d d | d d; f d/x=1", false }, { "d d | f d/y=1", true },
        { "d d | w d/z", true },         { "f a=1 | h b->a", true },
        { "d d | d d; w d/z", false },   { "f a=1 | w e; f e/x=1", false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error *err = NULL;
        AUTO(tree_unref) struct tree *tree = tree_of_words(fixture->store, cases[i].layers);
        AUTO(close) int fd = open_form(tree, &err);
        assert_ok(fd, err);
        struct digest diff_id, chain_id;
        assert_ok(layer_wait(tree_layer(tree, 1), NULL, &diff_id, &err), err);
        assert_ok(tree_chain_id(tree, &chain_id, &err), err);
        assert_int_equal(form_exists(fixture, 'c', &chain_id), cases[i].needs_chain);
        assert_int_equal(form_exists(fixture, 'd', &diff_id), !cases[i].needs_chain);
    }
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    struct error *err = NULL;
    assert_ok(fs_list(store_dir_fd(fixture->store, STORE_LAYERS), geteuid() ? "u-plain" : "u-root",
                      &names, &err),
              err);
    for (size_t i = 0; i < names.n; i++)
        assert_true(strncmp(names.items[i], "p-", 2) != 0);
}

static struct stat stat_in(int fd, const char *path)
{
    struct stat st;
    assert_int_equal(fstatat(fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
    return st;
}

static void attributes_are_kept(void **state)
{
    SKIP_UNLESS_ROOT();
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(strbuf_release) struct strbuf tar = STRBUF_INIT;
    static const uint8_t capability[20] = { 1, 0, 0, 2, 0, 4 };
    tar_add_pax(&tar, "SCHILY.xattr.security.capability", capability, sizeof(capability));
    struct tar_member members[] = {
        { "cap", '0', NULL, "x", 0755, 3, 4, 1234 },
        { "suid", '0', NULL, "x", 06755, 5, 6, 1234 },
        { "rootsuid", '0', NULL, NULL, 04711, 0, 0, 1234 },
        { "open", '0', NULL, NULL, 0666, 0, 0, 1234 },
        { "sgid", '5', NULL, NULL, 02775, 0, 50, 1 },
        { "sgid/f", '0', NULL, NULL, 0644, 0, 0, 1234 },
        { "sgid/d", '5', NULL, NULL, 01777, 0, 0, 77 },
        { "link", '2', "suid", NULL, 0777, 7, 8, 1234 },
        { "fifo", '6', NULL, NULL, 0622, 9, 9, 1234 },
        { "null", '3', NULL, NULL, 0666, 0, 5, 1234 },
        { "future", '0', NULL, NULL, 0600, 0, 0, 4294967296 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(members); i++)
        tar_add(&tar, &members[i]);
    tar_end(&tar);
    AUTO(tree_unref) struct tree *empty = tree_new(fixture->store);
    AUTO(layer_unref) struct layer *layer = layer_of_tar(fixture->store, &tar);
    AUTO(tree_unref) struct tree *tree = tree_push(empty, layer);
    AUTO(close) int fd = open_form(tree, &err);
    assert_ok(fd, err);
    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        const struct tar_member *member = &members[i];
        struct stat st = stat_in(fd, member->name);
        print_message("# %s\n", member->name);
        assert_int_equal(st.st_mode & 07777, member->type == '2' ? 0777 : member->mode);
        assert_int_equal(st.st_uid, member->uid);
        assert_int_equal(st.st_gid, member->gid);
        assert_int_equal(st.st_mtim.tv_sec, member->mtime);
        assert_int_equal(st.st_mtim.tv_nsec, 0);
    }
    assert_int_equal(stat_in(fd, "null").st_rdev, makedev(1, 3));
    AUTO(free) char *path = xasprintf("/proc/self/fd/%d/cap", fd);
    uint8_t value[30];
    assert_int_equal(lgetxattr(path, "security.capability", value, sizeof(value)), 20);
    assert_memory_equal(value, capability, 20);
}

static void parents_that_a_layer_leaves_out_look_as_below(void **state)
{
    SKIP_UNLESS_ROOT();
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(tree_unref)
    struct tree *tree =
        tree_of_words(fixture->store, "d a 0700,1,2,33; d a/b 0711,3,4,44 | f a/b/c=1; f n/x=2");
    AUTO(close) int fd = open_form(tree, &err);
    assert_ok(fd, err);
    struct stat a = stat_in(fd, "a"), b = stat_in(fd, "a/b"), n = stat_in(fd, "n");
    assert_int_equal(a.st_mode & 07777, 0700);
    assert_int_equal(a.st_uid, 1);
    assert_int_equal(a.st_mtim.tv_sec, 33);
    assert_int_equal(b.st_mode & 07777, 0711);
    assert_int_equal(b.st_gid, 4);
    assert_int_equal(n.st_mode & 07777, 0755);
    assert_int_equal(n.st_mtim.tv_sec, 0);
}

static void hard_links_are_one_file(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(tree_unref)
    struct tree *tree = tree_of_words(fixture->store, "f low=1 | d d; f d/a=1; h b->d/a; h d/c->b; "
                                                      "h x->low; h y->low");
    AUTO(close) int fd = open_form(tree, &err);
    assert_ok(fd, err);
    assert_int_equal(stat_in(fd, "d/a").st_nlink, 3);
    assert_int_equal(stat_in(fd, "x").st_nlink, 2);
    assert_int_equal(stat_in(fd, "x").st_ino, stat_in(fd, "y").st_ino);
}

static void zeros_become_holes(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(form_writer_free)
    struct form_writer *form = form_writer_new(fixture->store, NULL, &err);
    assert_ok_ptr(form, err);
    enum { SIZE = 1 << 20 };
    AUTO(free) uint8_t *zeros = xcalloc(1, SIZE);
    char hole[] = "hole", rest[] = "rest";
    struct entry entry = { .path = hole, .type = ENTRY_FILE, .mode = 0644, .size = SIZE };
    assert_ok(form_writer_entry(form, &entry, &err), err);
    assert_ok(form_writer_data(form, zeros, SIZE, &err), err);
    entry.path = rest;
    entry.size = SIZE + 1;
    assert_ok(form_writer_entry(form, &entry, &err), err);
    assert_ok(form_writer_data(form, zeros, SIZE, &err), err);
    assert_ok(form_writer_data(form, "x", 1, &err), err);
    struct digest digest = digest_of("t", 1);
    AUTO(close) int fd = form_writer_commit(form, &digest, &digest, &err);
    assert_ok(fd, err);
    assert_int_equal(stat_in(fd, "hole").st_size, SIZE);
    assert_in_range(stat_in(fd, "hole").st_blocks, 0, 16);
    assert_int_equal(stat_in(fd, "rest").st_size, SIZE + 1);
}

static size_t n_open_files(void)
{
    struct error *err = NULL;
    AUTO(strvec_release) struct strvec names = STRVEC_INIT;
    assert_ok(fs_list(AT_FDCWD, "/proc/self/fd", &names, &err), err);
    return names.n;
}

/* Nor files that wait for the second thread, which isn't woken for so few. */
static void resting_it_has_no_file_open(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(form_writer_free)
    struct form_writer *form = form_writer_new(fixture->store, NULL, &err);
    assert_ok_ptr(form, err);
    size_t n_open = n_open_files();
    for (unsigned i = 0; i < 50; i++) {
        AUTO(free) char *path = xasprintf("f%u", i);
        const struct entry entry = { .path = path, .type = ENTRY_FILE, .mode = 0644, .size = 1 };
        assert_ok(form_writer_entry(form, &entry, &err), err);
        assert_ok(form_writer_data(form, "x", 1, &err), err);
    }
    assert_ok(form_writer_rest(form, &err), err);
    assert_int_equal(n_open_files(), n_open);
}

static void sizes_are_held_to(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(form_writer_free)
    struct form_writer *form = form_writer_new(fixture->store, NULL, &err);
    assert_ok_ptr(form, err);
    char path[] = "f";
    struct entry entry = { .path = path, .type = ENTRY_FILE, .mode = 0644, .size = 3 };
    assert_ok(form_writer_entry(form, &entry, &err), err);
    assert_fails(form_writer_data(form, "1234", 4, &err), err, ERR_INVALID, "more than the 3");
    assert_ok(form_writer_data(form, "12", 2, &err), err);
    assert_fails(form_writer_entry(form, &entry, &err), err, ERR_INVALID, "2 bytes where 3");
}

/* Each is applied upon a layer that has the same; outside stands a canary. */
static const struct {
    const char *layers, *error; /* error NULL: harmless */
} hostile[] = {
    { "l out->@; f out/canary=evil", NULL },
    { "l out->@; d out; f out/canary=evil", NULL },
    { "l out->@ | f out/canary=evil", NULL },
    { "l out->@/canary; f out=evil", NULL },
    { "l out->@; h stolen->out/canary", "hard link stolen to out/canary" },
    { "l out->@ | h stolen->out/canary", "hard link stolen to out/canary" },
    { "l out->@/canary; h stolen->out; f stolen=evil", NULL },
    { "l out->@; w out/canary", NULL },
    { "l out->@ | w out/canary", NULL },
    { "l out->@; o out", NULL },
    { "l out->@; d out/sub/deep", NULL },
    { "l a->..; f a/a/a/a/a/canary=evil", NULL },
    { "d d; l d/e->@; f d/e/canary=evil; d d", NULL },
    { "l out->@; p out/canary", NULL },
    { "l out->@; l out/canary->x", NULL },
    { "h a->b; h b->a", "hard link" },
    { "h a->none", "hard link a to none, which isn't there" },
    { "d d; h a->d", "hard link a to d" },
    { "f canary=1; h ../canary->canary", "leaves the root" },
    { "f a=1; h b->../../canary", "leaves the root" },
};

static void nothing_leaves_the_form(void **state)
{
    struct fixture *fixture = *state;
    AUTO(free) char *outside = xasprintf("%s/outside", fixture->dir);
    AUTO(free) char *canary = xasprintf("%s/outside/canary", fixture->dir);
    assert_int_equal(mkdir(outside, 0700), 0);
    struct error *err = NULL;
    assert_ok(fs_write_file(AT_FDCWD, canary, "sings", 5, 0600, &err), err);
    for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
        AUTO(strbuf_release) struct strbuf words = STRBUF_INIT;
        for (const char *p = hostile[i].layers; *p; p++) {
            if (*p == '@')
                strbuf_adds(&words, outside);
            else
                strbuf_addc(&words, *p);
        }
        AUTO(tree_unref) struct tree *tree = tree_of_words(fixture->store, words.data);
        AUTO(free) int *fds = NULL;
        size_t n = 0;
        int result = tree_lowers(tree, NULL, &fds, &n, &err);
        if (hostile[i].error)
            assert_fails(result, err, ERR_INVALID, hostile[i].error);
        else if (result < 0)
            fail_msg("%s: %s", words.data, error_message(err));
        AUTO(strbuf_release) struct strbuf text = STRBUF_INIT;
        assert_ok(fs_read_file(AT_FDCWD, canary, &text, 100, &err), err);
        assert_string_equal(text.data, "sings");
        struct stat st;
        assert_int_equal(stat(canary, &st), 0);
        assert_int_equal(st.st_nlink, 1);
        AUTO(strvec_release) struct strvec names = STRVEC_INIT;
        assert_ok(fs_list(AT_FDCWD, outside, &names, &err), err);
        assert_int_equal(names.n, 1);
    }
}

static void random_words(struct strbuf *words)
{
    static const char *const paths[] = { "a", "b", "a/a", "a/b", "b/a", "a/a/a", "a/b/a", "b/a/b" };
    static int serial;
    int n = 1 + rand() % 6;
    for (int i = 0; i < n; i++) {
        const char *path = paths[(size_t)rand() % ARRAY_SIZE(paths)];
        strbuf_adds(words, i ? "; " : "");
        switch (rand() % 6) {
        case 0:
        case 1:
            strbuf_addf(words, "f %s=%d", path, serial++);
            break;
        case 2:
        case 3:
            strbuf_addf(words, "d %s", path);
            break;
        case 4:
            strbuf_addf(words, "w %s", path);
            break;
        default:
            strbuf_addf(words, "o %s", path);
            break;
        }
    }
}

/* Forms, entry lists and the kernel have to agree on what a chain shows. */
static void overlay_shows_what_the_tree_says(void **state)
{
    SKIP_UNLESS_ROOT();
    struct fixture *fixture = *state;
    srand(11);
    for (int round = 0; round < 150; round++) {
        AUTO(strbuf_release) struct strbuf words = STRBUF_INIT;
        for (int layers = 1 + rand() % 4; layers > 0; layers--) {
            random_words(&words);
            strbuf_adds(&words, layers > 1 ? " | " : "");
        }
        AUTO(tree_unref) struct tree *tree = tree_of_words(fixture->store, words.data);
        AUTO(strbuf_release) struct strbuf said = STRBUF_INIT, shown = STRBUF_INIT;
        describe_tree(tree, "", &said);
        if (!overlay_shows(fixture, tree, &shown)) {
            print_message("SKIP: overlay can't be mounted here\n");
            skip();
        }
        if (strcmp(said.data, shown.data) != 0)
            fail_msg("%s:\n tree    \"%s\"\n overlay \"%s\"", words.data, said.data, shown.data);

        AUTO(free) char *plain = xasprintf("%s/plain%d", fixture->dir, round);
        assert_int_equal(mkdir(plain, 0700), 0);
        AUTO(close) int fd = open(plain, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct error *err = NULL;
        assert_ok(apply_tree(tree, fd, &err), err);
        AUTO(strbuf_release) struct strbuf written = STRBUF_INIT;
        describe_directory(fd, "", &written);
        assert_string_equal(written.data, said.data);
    }
}

static void an_opaque_root_hides_all_below(void **state)
{
    SKIP_UNLESS_ROOT();
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(tree_unref) struct tree *tree = tree_of_words(fixture->store, "f a=1 | o ; f b=2 | f c=3");
    AUTO(free) int *fds = NULL;
    size_t n = 0;
    assert_ok(tree_lowers(tree, NULL, &fds, &n, &err), err);
    assert_int_equal(n, 2);
}

static void equal_layers_are_mounted_once(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(tree_unref) struct tree *tree = tree_of_words(fixture->store, "f a=1 | f b=2 | f a=1");
    AUTO(free) int *fds = NULL;
    size_t n = 0;
    assert_ok(tree_lowers(tree, NULL, &fds, &n, &err), err);
    assert_int_equal(n, 2);
}

static void lowers_are_made_on_a_pool(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(pool_free) struct pool *pool = pool_new(3);
    AUTO(tree_unref)
    struct tree *tree =
        tree_of_words(fixture->store, "f a=1 | h b->a | f c=3 | h d->b | d  | f e=1");
    AUTO(free) int *fds = NULL, *again = NULL;
    size_t n = 0, m = 0;
    assert_ok(tree_lowers(tree, pool, &fds, &n, &err), err);
    assert_int_equal(n, 6);
    assert_ok(tree_lowers(tree, pool, &again, &m, &err), err);
    assert_memory_equal(fds, again, n * sizeof(*fds));
}

static void a_stop_ends_the_unpacking(void **state)
{
    struct fixture *fixture = *state;
    struct error *err = NULL;
    AUTO(tree_unref) struct tree *tree = tree_of_words(fixture->store, "f a=1");
    AUTO(tree_unref) struct tree *made = tree_of_words(fixture->store, "f b=1");
    AUTO(tree_unref) struct tree *empty = tree_new(fixture->store);
    AUTO(close) int form = open_form(made, &err);
    AUTO(form_writer_free) struct form_writer *writer = form_writer_new(fixture->store, NULL, &err);
    AUTO(form_writer_free) struct form_writer *full = form_writer_new(fixture->store, NULL, &err);
    AUTO(free) char *plain = xasprintf("%s/plain", fixture->dir);
    assert_int_equal(mkdir(plain, 0755), 0);
    AUTO(close) int fd = open(plain, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char path[] = "f";
    const struct entry file = { .type = ENTRY_FILE, .path = path, .mode = 0644, .size = 1 };
    assert_ok_ptr(writer, err);
    assert_ok_ptr(full, err);
    assert_ok(form_writer_entry(full, &file, &err), err);
    cancel_trigger(0); /* for good: the last test */
    assert_fails(open_form(tree, &err), err, ERR_CANCELLED, "interrupted");
    assert_fails(form_writer_entry(writer, &file, &err), err, ERR_CANCELLED, "interrupted");
    assert_fails(form_writer_finish(writer, &err), err, ERR_CANCELLED, "interrupted");
    assert_fails(form_writer_data(full, "x", 1, &err), err, ERR_CANCELLED, "interrupted");
    assert_fails(apply_tree(made, fd, &err), err, ERR_CANCELLED, "interrupted");
    assert_int_equal(faccessat(fd, "b", F_OK, 0), -1);
    /* with nothing to write, before the attributes of its directories */
    assert_fails(apply_tree(empty, fd, &err), err, ERR_CANCELLED, "interrupted");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fixture_test(forms_are_in_overlay_format),
        fixture_test(so_are_those_that_begin_with_many_files),
        fixture_test(forms_that_need_the_chain_are_named_by_it),
        fixture_test(attributes_are_kept),
        fixture_test(parents_that_a_layer_leaves_out_look_as_below),
        fixture_test(hard_links_are_one_file),
        fixture_test(zeros_become_holes),
        fixture_test(resting_it_has_no_file_open),
        fixture_test(sizes_are_held_to),
        fixture_test(nothing_leaves_the_form),
        fixture_test(overlay_shows_what_the_tree_says),
        fixture_test(an_opaque_root_hides_all_below),
        fixture_test(equal_layers_are_mounted_once),
        fixture_test(lowers_are_made_on_a_pool),
        fixture_test(a_stop_ends_the_unpacking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
